"""A real HTTP or HTTPS server on the loopback interface for tests, able to misbehave as real servers do.

Each path has one reply, or a list of replies given in turn (the last one again and again). A reply can lie about
its length, drip its body, break off, or hold back its head.
"""

import ssl
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

# A throw-away authority (its key is gone) and a server certificate for localhost, photos.example.test,
# export.example.test and 127.0.0.1, valid until 2120. The key protects nothing but these tests.
AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBdzCCAR2gAwIBAgIBATAKBggqhkjOPQQDAjAiMSAwHgYDVQQDDBdMb29wYmFj
ayB0ZXN0IGF1dGhvcml0eTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAw
MFowIjEgMB4GA1UEAwwXTG9vcGJhY2sgdGVzdCBhdXRob3JpdHkwWTATBgcqhkjO
PQIBBggqhkjOPQMBBwNCAATwkuHb4hgh9N1l2uc/0FBi0m4vctgTxRESDFqlQdH4
nyYXwxPGCTdgG4V8KM6eUpcRlXm7G6hnDv6GW4DNogLBo0IwQDAPBgNVHRMBAf8E
BTADAQH/MA4GA1UdDwEB/wQEAwIBBjAdBgNVHQ4EFgQUoAqNhEySkHls34Kf/lfO
pv7dLh0wCgYIKoZIzj0EAwIDSAAwRQIhAJc/87LFUtP7tHFB9spV3YZENbpBltV3
T9N5EbZTWrbgAiAMQEzLvv8X04tlc6JRs1PwOIontjun+0KIKTU2cyL/RA==
-----END CERTIFICATE-----
"""
_CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIB7jCCAZWgAwIBAgIBAjAKBggqhkjOPQQDAjAiMSAwHgYDVQQDDBdMb29wYmFj
ayB0ZXN0IGF1dGhvcml0eTAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAw
MFowHzEdMBsGA1UEAwwUbG9vcGJhY2sgdGVzdCBzZXJ2ZXIwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAARqKoEgx54bSJJoQeM04/s2Sp+QJQfppypK0sbdCQfxu5A2
NxIotV/XizE71TdOquKBJDXW2ylI6bfnzcAhd3BAo4G8MIG5MAwGA1UdEwEB/wQC
MAAwDgYDVR0PAQH/BAQDAgeAMBMGA1UdJQQMMAoGCCsGAQUFBwMBMB0GA1UdDgQW
BBRzjVjer4TDvpf4Cwb0YUvaySK9IzAfBgNVHSMEGDAWgBSgCo2ETJKQeWzfgp/+
V86m/t0uHTBEBgNVHREEPTA7gglsb2NhbGhvc3SCE3Bob3Rvcy5leGFtcGxlLnRl
c3SCE2V4cG9ydC5leGFtcGxlLnRlc3SHBH8AAAEwCgYIKoZIzj0EAwIDRwAwRAIg
f2hXIM0OIKEym6bnT+7/HnMKkqThc0vgtIZ6+ytCcHQCICqlkVvuvT53V8S1pYlY
l9Fe8gC8GJak/VemcvyU/rOD
-----END CERTIFICATE-----
"""
_KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgXVhMUIg8hKPsr7kL
e+iXhnaJ+qtn76OFibOjEdMEvgahRANCAARqKoEgx54bSJJoQeM04/s2Sp+QJQfp
pypK0sbdCQfxu5A2NxIotV/XizE71TdOquKBJDXW2ylI6bfnzcAhd3BA
-----END PRIVATE KEY-----
"""


@dataclass(frozen=True)
class Reply:
    """What the server says to one request.

    Attributes:
        status: of the answer.
        body: sent as it is.
        headers: besides the length.
        length: the declared length when it shall not be the true one; -1 leaves it out.
        cut: bytes of the body after which the connection is closed.
        drip: seconds before each byte of the body.
        delay: seconds before the first byte of the answer.
        chunked: send the body as chunks, without a declared length.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    cut: int | None = None
    drip: float = 0
    delay: float = 0
    chunked: bool = False


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    path: str
    headers: Mapping[str, str]


def trusting_context() -> ssl.SSLContext:
    """A client context that trusts the test authority and nothing else."""
    return ssl.create_default_context(cadata=AUTHORITY)


def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "server.pem"
        file.write_text(_KEY + _CERTIFICATE)
        context.load_cert_chain(file)
    return context


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, owner: "LocalServer") -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet: clients that refuse a certificate or hang up are what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def owner(self) -> "LocalServer":
        assert isinstance(self.server, _Server)
        return self.server.owner

    def do_GET(self) -> None:
        reply = self.owner.next_reply(self.path, dict(self.headers.items()))
        self.close_connection = True
        if self.owner.stopping.wait(reply.delay):
            return
        self.send_response(reply.status)
        for name, value in [*reply.headers.items(), *_length_header(reply)]:
            self.send_header(name, value)
        self.end_headers()
        self._send(_wire_body(reply), reply.drip)

    def _send(self, body: bytes, drip: float) -> None:
        step = 1 if drip else 65536
        for start in range(0, len(body), step):
            if drip and self.owner.stopping.wait(drip):
                return
            self.wfile.write(body[start : start + step])
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: the requests are in `seen`."""


def _length_header(reply: Reply) -> list[tuple[str, str]]:
    if reply.chunked:
        return [("Transfer-Encoding", "chunked")]
    if reply.length == -1:
        return []
    return [("Content-Length", str(len(reply.body) if reply.length is None else reply.length))]


def _wire_body(reply: Reply) -> bytes:
    body = reply.body if reply.cut is None else reply.body[: reply.cut]
    if not reply.chunked:
        return body
    pieces = (body[start : start + 4096] for start in range(0, len(body), 4096))
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return chunks + (b"0\r\n\r\n" if reply.cut is None else b"")


class LocalServer:
    """A threaded server on 127.0.0.1, to be used as a context manager."""

    def __init__(self, routes: Mapping[str, Reply | Sequence[Reply]] | None = None, *, tls: bool = False) -> None:
        self.routes: dict[str, list[Reply]] = {}
        self.seen: list[Seen] = []
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        self._server = _Server(self)
        self.scheme = "https" if tls else "http"
        if tls:
            self._server.socket = _server_context().wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        for path, replies in (routes or {}).items():
            self.route(path, replies)

    @property
    def port(self) -> int:
        """The port the system gave."""
        return self._server.server_address[1]

    def route(self, path: str, replies: Reply | Sequence[Reply]) -> None:
        """Set what a path answers from now on."""
        self.routes[path] = [replies] if isinstance(replies, Reply) else list(replies)

    def url(self, path: str = "", host: str = "127.0.0.1") -> str:
        """A URL of this server."""
        return f"{self.scheme}://{host}:{self.port}{path}"

    def paths(self) -> list[str]:
        """The paths asked for, in order of arrival."""
        with self._lock:
            return [request.path for request in self.seen]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def next_reply(self, path: str, headers: Mapping[str, str]) -> Reply:
        """Note a request and say what to answer."""
        with self._lock:
            self.seen.append(Seen(path, headers))
            replies = self.routes.get(path, [Reply(404)])
            return replies.pop(0) if len(replies) > 1 else replies[0]
