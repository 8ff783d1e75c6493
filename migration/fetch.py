"""HTTP GET with nothing behind the caller's back: one request, one checked address, bounded time and bytes.

What lives here: how a host name becomes a connection (looked up once, every address judged, the connection
made to exactly a judged address), the budgets of a request, and reading its answer. Whether to follow a
redirect, to try again or to keep the bytes is the business of each caller. No cookies, nothing from the
environment but certificates, no unpacking of compressed answers. Errors carry a kind and nothing of the
request: URLs can be personal data and headers secrets.
"""

import functools
import logging
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, TypeVar

import httpcore
import httpx

from migration.errors import SetupError

# It logs host names and whole answer headers at DEBUG, which a root logger set to DEBUG would print.
logging.getLogger("httpcore").setLevel(logging.WARNING)

Resolver = Callable[[str, int], Sequence[str]]
AddressTest = Callable[[str], bool]

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST_NUMBER = 15
_FAILURES = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    OSError,
    ValueError,
)

T = TypeVar("T")


class Problem(StrEnum):
    """Why a request gave no usable answer."""

    TIMEOUT = "TIMEOUT"
    TOO_LARGE = "TOO_LARGE"
    ENCODED = "ENCODED"
    PRIVATE_ADDRESS = "PRIVATE_ADDRESS"
    TLS_ERROR = "TLS_ERROR"
    CONNECTION_ERROR = "CONNECTION_ERROR"


class FetchError(Exception):
    """A request that gave no usable answer; it names the kind of problem and nothing of the request."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.value)


class Secret:
    """A text that only `reveal` shows, so that no log, message or traceback can print it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


class Deadline:
    """A moment after which nothing is begun and nothing is waited for."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def left(self, at_most: float | None = None) -> float:
        """The seconds that are left.

        Args:
            at_most: a shorter limit of one step.

        Raises:
            FetchError: none are left.
        """
        seconds = self._ends - time.monotonic()
        if seconds <= 0:
            raise FetchError(Problem.TIMEOUT)
        return seconds if at_most is None else min(seconds, at_most)


def system_resolver(host: str, port: int) -> list[str]:
    """The addresses of a host as the operating system knows them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def any_address(address: str) -> bool:
    """Accept every address: for hosts that the installation's own settings name."""
    del address
    return True


@functools.cache
def default_tls_context() -> ssl.SSLContext:
    """A context that verifies certificates and host names.

    The trusted authorities are certifi's, or those that `SSL_CERT_FILE` or `SSL_CERT_DIR` name.

    Raises:
        SetupError: one of the variables names nothing that can be read.
    """
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        raise SetupError(
            f"The TLS authorities cannot be read ({type(error).__name__}).",
            "Correct SSL_CERT_FILE and SSL_CERT_DIR, or unset them.",
        ) from error


@dataclass(frozen=True)
class Network:
    """How a host name becomes a connection.

    Attributes:
        resolver: gives the addresses of a host; called once per connection.
        address_allowed: judges one address; a host with a single refused address is not connected to.
        tls_context: None means `default_tls_context`.
    """

    resolver: Resolver = system_resolver
    address_allowed: AddressTest = any_address
    tls_context: ssl.SSLContext | None = None


@dataclass(frozen=True)
class Budget:
    """What one request may cost.

    Attributes:
        connect_seconds: looking up the host, connecting and the TLS handshake, together.
        idle_seconds: the longest silence of the server.
        deadline: the end of everything, however busily the server talks.
    """

    connect_seconds: float
    idle_seconds: float
    deadline: Deadline


class Answer:
    """The head of an answer, and its body while the connection is open."""

    def __init__(self, response: httpcore.Response) -> None:
        self.status = response.status
        self.headers = httpx.Headers(response.headers)
        self._stream = response.stream

    @property
    def redirect(self) -> str | None:
        """Where the answer sends the caller, as the server wrote it."""
        return self.headers.get("location") if self.status in REDIRECTS else None

    def body(self, max_bytes: int) -> Iterator[bytes]:
        """The body in pieces.

        Args:
            max_bytes: reading stops as soon as there is more, whatever length the server declared.

        Raises:
            FetchError: too much, compressed, cut off, or too late.
        """
        if self.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
            raise FetchError(Problem.ENCODED)
        declared = self.headers.get("content-length", "0")
        if len(declared) > _LONGEST_NUMBER or (declared.isdecimal() and int(declared) > max_bytes):
            raise FetchError(Problem.TOO_LARGE)
        if not isinstance(self._stream, Iterable):
            raise FetchError(Problem.CONNECTION_ERROR)
        pieces = iter(self._stream)
        total = 0
        while (piece := _step(lambda: next(pieces, None))) is not None:
            total += len(piece)
            if total > max_bytes:
                raise FetchError(Problem.TOO_LARGE)
            yield piece


@contextmanager
def open_url(url: httpx.URL, headers: Mapping[str, str | Secret], network: Network, budget: Budget) -> Iterator[Answer]:
    """Send one GET and give its answer; the connection is closed on leaving.

    Args:
        url: an absolute http or https URL.
        headers: sent besides `Host`; a secret one is revealed to the connection only.
        network: how the host becomes a connection.
        budget: what the request may cost, reading the body included.

    Raises:
        FetchError: there is no answer.
    """
    connecting = Deadline(budget.deadline.left(budget.connect_seconds))
    backend = _CheckedBackend(network, connecting, budget.deadline)
    tls = network.tls_context or default_tls_context()
    with httpcore.ConnectionPool(ssl_context=tls, max_connections=1, network_backend=backend) as pool:
        response = _step(lambda: pool.handle_request(_request(url, headers, budget)))
        try:
            yield Answer(response)
        finally:
            response.close()


def join_same_origin(url: httpx.URL, reference: str) -> httpx.URL | None:
    """The URL that a redirect or a link means; None if its scheme, host or port is another, or it is no URL."""
    try:
        target = url.join(reference)
    except (httpx.InvalidURL, ValueError):
        return None
    return target if _origin(url) == _origin(target) and not target.userinfo else None


def next_link(headers: httpx.Headers) -> str | None:
    """The target of `Link: <…>; rel="next"`, as the server wrote it."""
    links = httpx.Response(httpx.codes.OK, headers=headers).links.values()
    found = (link.get("url") for link in links if "next" in link.get("rel", "").lower().split())
    return next(found, None)


def retry_after(headers: httpx.Headers, now: datetime) -> float | None:
    """The seconds that `Retry-After` asks for; None when it is not there or makes no sense.

    Args:
        headers: of an answer.
        now: what a date in the header is compared with.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:_LONGEST_NUMBER])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or _DEFAULT_PORTS.get(url.scheme)


def _request(url: httpx.URL, headers: Mapping[str, str | Secret], budget: Budget) -> httpcore.Request:
    plain = {name: value.reveal() if isinstance(value, Secret) else value for name, value in headers.items()}
    always = {"Accept-Encoding": "identity", "Connection": "close"}
    request = httpx.Request("GET", url, headers={**always, **plain})
    idle = budget.idle_seconds
    timeout = {"connect": budget.connect_seconds, "read": idle, "write": idle, "pool": idle}
    return httpcore.Request(
        "GET",
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        extensions={"timeout": timeout},
    )


def _step(action: Callable[[], T]) -> T:
    """Run one step of the HTTP library.

    Its errors are left behind with their frames and not chained: those hold the request's headers.
    """
    try:
        return action()
    except FetchError as error:
        problem = error.problem
    except httpcore.TimeoutException:
        problem = Problem.TIMEOUT
    except _FAILURES as error:
        # The library's errors carry the original one as their argument; as a cause it is suppressed.
        tls = any(isinstance(part, ssl.SSLError) for part in (error, *error.args))
        problem = Problem.TLS_ERROR if tls else Problem.CONNECTION_ERROR
    raise FetchError(problem)


def _look_up(host: str, port: int, resolver: Resolver, seconds: float) -> list[str]:
    """The addresses of a host, waiting no longer than asked: the system's own lookup knows no limit."""
    answers: queue.SimpleQueue[list[str]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(list(resolver(host, port)))
        except (OSError, ValueError):
            answers.put([])

    threading.Thread(target=ask, name="look-up", daemon=True).start()
    try:
        addresses = answers.get(timeout=seconds)
    except queue.Empty:
        raise FetchError(Problem.TIMEOUT) from None
    if not addresses:
        raise FetchError(Problem.CONNECTION_ERROR)
    return addresses


class _CheckedBackend(httpcore.NetworkBackend):
    """Looks a host up once, judges every address, connects to a judged address and to no other."""

    def __init__(self, network: Network, connecting: Deadline, deadline: Deadline) -> None:
        self._network = network
        self._connecting = connecting
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = _look_up(host, port, self._network.resolver, self._connecting.left(timeout))
        if not all(self._network.address_allowed(address) for address in addresses):
            raise FetchError(Problem.PRIVATE_ADDRESS)
        stream = self._first_to_answer(addresses, port, local_address, socket_options)
        return _BoundedStream(stream, self._connecting, self._deadline)

    def _first_to_answer(
        self, addresses: list[str], port: int, local_address: str | None, options: Iterable[Any] | None
    ) -> httpcore.NetworkStream:
        failure: Exception = FetchError(Problem.CONNECTION_ERROR)
        for position, address in enumerate(addresses):
            # An even share, so that a silent address (IPv6 without a route) leaves time for the next.
            share = self._connecting.left() / (len(addresses) - position)
            try:
                return httpcore.SyncBackend().connect_tcp(address, port, share, local_address, options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class _BoundedStream(httpcore.NetworkStream):
    """A connection whose every wait ends at the deadline: a server that drips cannot hold it open."""

    def __init__(self, stream: httpcore.NetworkStream, connecting: Deadline, deadline: Deadline) -> None:
        self._stream = stream
        self._connecting = connecting
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._connecting.left(timeout))
        return _BoundedStream(stream, self._connecting, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
