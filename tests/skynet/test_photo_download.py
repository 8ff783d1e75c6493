"""The photo downloader against a real server that misbehaves, and the photo directory."""

import hashlib
import logging
import os
import socket
import ssl
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from upath import UPath

from migration.fetch import Budget, Deadline, FetchError, Network, Problem, open_url
from skynet_assets.parsing.photos import PhotoPolicy, photo_policy
from skynet_assets.photos import store as store_module
from skynet_assets.photos.download import (
    Downloaded,
    PhotoError,
    PhotoLimits,
    PhotoResult,
    download_many,
    download_photo,
)
from skynet_assets.photos.store import UnsafePhotoFolder, photo_path, remove_abandoned, store_photo
from tests.http_server import LocalServer, Reply, trusting_context

HOST = "photos.example.test"
JPEG = b"\xff\xd8\xff\xe0" + b"jpeg" * 500
PNG = b"\x89PNG\r\n\x1a\n" + b"png" * 500
WEBP = b"RIFF\x00\x10\x00\x00WEBP" + b"webp" * 500
QUICK = PhotoLimits(connect_seconds=2, total_seconds=3, max_bytes=64 * 1024)
CANARY = "canary-7f3a"


def image(body: bytes = JPEG, content_type: str = "image/jpeg", **others: object) -> Reply:
    return Reply(body=body, headers={"Content-Type": content_type}, **others)  # type: ignore[arg-type]


def moved(location: str, status: int = 302) -> Reply:
    return Reply(status, headers={"Location": location})


def to_loopback(host: str, port: int) -> list[str]:
    del host, port
    return ["127.0.0.1"]


def anything(address: str) -> bool:
    del address
    return True


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer() as running:
        yield running


@pytest.fixture
def secure() -> Iterator[LocalServer]:
    with LocalServer(tls=True) as running:
        yield running


def policy_for(*servers: LocalServer, extra: str = "") -> PhotoPolicy:
    return photo_policy(None, ",".join([*(f"{HOST}:{server.port}" for server in servers), extra]))


def fetch(server: LocalServer, path: str, **options: object) -> Downloaded:
    policy = options.pop("policy", None) or policy_for(server)
    limits = options.pop("limits", QUICK)
    settings = {"resolver": to_loopback, "address_allowed": anything, "tls_context": trusting_context()}
    return download_photo(server.url(path, HOST), policy, limits, **{**settings, **options})  # type: ignore[arg-type]


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PhotoError) as caught:
        action()
    return caught.value.code


@pytest.mark.parametrize(
    ("body", "content_type", "extension"),
    [
        (JPEG, "image/jpeg", "jpg"),
        (PNG, "image/png", "png"),
        (WEBP, "image/webp", "webp"),
        (JPEG, "IMAGE/JPEG; charset=binary", "jpg"),
    ],
)
def test_a_good_photo(server: LocalServer, body: bytes, content_type: str, extension: str) -> None:
    server.route("/a", image(body, content_type))
    photo = fetch(server, "/a")
    assert photo.content == body
    assert photo.sha256 == hashlib.sha256(body).hexdigest()
    assert (photo.byte_size, photo.extension) == (len(body), extension)
    assert photo.content_type == content_type.lower().partition(";")[0]


def test_over_tls_with_a_checked_certificate_and_the_host_names_own_name(secure: LocalServer) -> None:
    secure.route("/a.jpg", image())
    assert fetch(secure, "/a.jpg").content == JPEG
    assert secure.seen[0].headers["Host"] == f"{HOST}:{secure.port}"


def test_the_request_carries_nothing_but_what_it_must(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HOST} login somebody password {CANARY}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    cookie = {"Set-Cookie": f"id={CANARY}", "Location": "/b.jpg"}
    server.route("/a.jpg", Reply(302, headers=cookie))
    server.route("/b.jpg", image())
    assert fetch(server, "/a.jpg").content == JPEG
    for request in server.seen:
        assert {name.lower() for name in request.headers} == {
            "host",
            "accept",
            "accept-encoding",
            "connection",
            "user-agent",
        }
        assert request.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(404), "HTTP_404"),
        (Reply(500), "HTTP_500"),
        (Reply(204), "HTTP_204"),
        (Reply(304), "HTTP_304"),
        (Reply(302), "HTTP_302"),
        (image(status=206), "HTTP_206"),
        (image(b"<html>not found</html>"), "BAD_CONTENT_TYPE"),
        (image(JPEG, "text/html"), "BAD_CONTENT_TYPE"),
        (image(JPEG, "image/png"), "BAD_CONTENT_TYPE"),
        (image(b"GIF89a", "image/gif"), "BAD_CONTENT_TYPE"),
        (image(b"<svg/>", "image/svg+xml"), "BAD_CONTENT_TYPE"),
        (image(b"RIFF\x00\x00\x00\x00AVI ", "image/webp"), "BAD_CONTENT_TYPE"),
        (image(b""), "BAD_CONTENT_TYPE"),
        (Reply(body=JPEG), "BAD_CONTENT_TYPE"),
        (Reply(body=JPEG, headers={"Content-Type": "image/jpeg", "Content-Encoding": "gzip"}), "BAD_CONTENT_TYPE"),
        (image(JPEG + bytes(64 * 1024)), "TOO_LARGE"),
        (image(JPEG + bytes(64 * 1024), chunked=True), "TOO_LARGE"),
        (image(JPEG + bytes(64 * 1024), length=-1), "TOO_LARGE"),
        (image(length=10**12), "TOO_LARGE"),
        (image(length=10**40), "CONNECTION_ERROR"),
        (image(length=len(JPEG) + 50), "CONNECTION_ERROR"),
        (image(cut=100), "CONNECTION_ERROR"),
        (image(cut=100, chunked=True), "CONNECTION_ERROR"),
        (Reply(headers={"Content-Type": "image/jpeg", "X": "y" * 200_000}), "CONNECTION_ERROR"),
    ],
)
def test_a_bad_answer_has_its_code(server: LocalServer, reply: Reply, code: str) -> None:
    server.route("/a.jpg", reply)
    assert code_of(lambda: fetch(server, "/a.jpg")) == code


def test_a_server_that_sends_more_than_it_declared_is_read_as_declared(server: LocalServer) -> None:
    server.route("/a.jpg", image(JPEG + bytes(64 * 1024), length=len(JPEG)))
    assert fetch(server, "/a.jpg").content == JPEG


def test_the_largest_photo_that_is_allowed(server: LocalServer) -> None:
    server.route("/a.jpg", image(JPEG))
    exact = PhotoLimits(2, 3, len(JPEG))
    assert fetch(server, "/a.jpg", limits=exact).byte_size == len(JPEG)
    less = PhotoLimits(2, 3, len(JPEG) - 1)
    assert code_of(lambda: fetch(server, "/a.jpg", limits=less)) == "TOO_LARGE"


@pytest.mark.parametrize(
    "reply",
    [image(drip=0.02), image(delay=5), Reply(302, headers={"Location": "/a.jpg"}, delay=0.15)],
    ids=["a body drop by drop", "no answer", "slow redirects"],
)
def test_the_total_time_is_limited_however_busy_the_server_is(server: LocalServer, reply: Reply) -> None:
    server.route("/a.jpg", reply)
    limits = PhotoLimits(connect_seconds=2, total_seconds=0.4, redirects=50)
    begin = time.monotonic()
    assert code_of(lambda: fetch(server, "/a.jpg", limits=limits)) == "TIMEOUT"
    assert 0.3 < time.monotonic() - begin < 4


def test_dripping_over_tls_meets_the_same_limit(secure: LocalServer) -> None:
    secure.route("/a.jpg", image(drip=0.02))
    limits = PhotoLimits(connect_seconds=2, total_seconds=0.4)
    assert code_of(lambda: fetch(secure, "/a.jpg", limits=limits)) == "TIMEOUT"


@pytest.mark.parametrize(("connect_seconds", "total_seconds"), [(0.3, 5), (5, 0.3)])
def test_a_server_that_never_ends_the_handshake(connect_seconds: float, total_seconds: float) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        policy = photo_policy(None, f"{HOST}:{port}")
        limits = PhotoLimits(connect_seconds, total_seconds)
        begin = time.monotonic()
        code = code_of(
            lambda: download_photo(
                f"https://{HOST}:{port}/a.jpg",
                policy,
                limits,
                resolver=to_loopback,
                address_allowed=anything,
            )
        )
    assert code == "TIMEOUT"
    assert time.monotonic() - begin < 4


def test_a_name_service_that_does_not_answer(server: LocalServer) -> None:
    release = threading.Event()

    def silent(host: str, port: int) -> list[str]:
        release.wait(10)
        return ["127.0.0.1"]

    limits = PhotoLimits(connect_seconds=0.2, total_seconds=5)
    assert code_of(lambda: fetch(server, "/a.jpg", limits=limits, resolver=silent)) == "TIMEOUT"
    release.set()


@pytest.mark.parametrize("failure", [OSError("no such host"), UnicodeError("label too long")])
def test_a_host_that_cannot_be_looked_up(server: LocalServer, failure: Exception) -> None:
    def failing(host: str, port: int) -> list[str]:
        raise failure

    assert code_of(lambda: fetch(server, "/a.jpg", resolver=failing)) == "CONNECTION_ERROR"
    assert code_of(lambda: fetch(server, "/a.jpg", resolver=lambda host, port: [])) == "CONNECTION_ERROR"


def test_nobody_listens() -> None:
    with LocalServer() as gone:
        pass
    assert code_of(lambda: fetch(gone, "/a.jpg")) == "CONNECTION_ERROR"


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.8"],
        ["169.254.169.254"],
        ["93.184.216.34", "10.0.0.8"],
        ["::1"],
        ["fe80::1%eth0"],
        ["::ffff:93.184.216.34"],
        ["64:ff9b::a00:1"],
        ["no address"],
    ],
)
def test_one_private_address_refuses_the_host(server: LocalServer, addresses: list[str]) -> None:
    server.route("/a.jpg", image())
    code = code_of(
        lambda: download_photo(
            server.url("/a.jpg", HOST), policy_for(server), QUICK, resolver=lambda host, port: addresses
        )
    )
    assert code == "PRIVATE_ADDRESS"
    assert server.seen == []


def test_without_injected_parts_a_loopback_name_is_refused(server: LocalServer) -> None:
    """The production defaults: the system's resolver and the strict address test."""
    policy = photo_policy(None, f"ip6-localhost:{server.port},localhost:{server.port}")
    assert code_of(lambda: download_photo(server.url("/a.jpg", "localhost"), policy)) == "PRIVATE_ADDRESS"
    assert server.seen == []


def test_the_host_is_looked_up_once_and_connected_to_at_the_judged_address(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that changes its address after the test does not get a second chance."""
    server.route("/a.jpg", image())
    system = socket.getaddrinfo
    looked_up: list[object] = []

    def noting(host: object, *others: object, **named: object) -> object:
        looked_up.append(host)
        return system(host, *others, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", noting)
    answers = iter([["127.0.0.1"], ["10.0.0.8"]])
    judged: list[str] = []

    def judge(address: str) -> bool:
        judged.append(address)
        return True

    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    assert fetch(server, "/a.jpg", resolver=rebinding, address_allowed=judge).content == JPEG
    assert (asked, judged) == ([HOST], ["127.0.0.1"])
    assert set(looked_up) == {"127.0.0.1"}


def test_a_dead_address_leaves_time_for_the_next(server: LocalServer) -> None:
    server.route("/a.jpg", image())
    assert fetch(server, "/a.jpg", resolver=lambda host, port: ["::1", "127.0.0.1"]).content == JPEG


def test_a_certificate_of_an_unknown_authority(secure: LocalServer) -> None:
    secure.route("/a.jpg", image())
    assert code_of(lambda: fetch(secure, "/a.jpg", tls_context=None)) == "TLS_ERROR"
    assert secure.seen == []


def test_a_certificate_of_another_host(secure: LocalServer) -> None:
    policy = photo_policy(None, f"other.example.test:{secure.port}")
    code = code_of(
        lambda: download_photo(
            secure.url("/a.jpg", "other.example.test"),
            policy,
            QUICK,
            resolver=to_loopback,
            address_allowed=anything,
            tls_context=trusting_context(),
        )
    )
    assert code == "TLS_ERROR"
    assert secure.seen == []


def test_plain_http_on_a_tls_port(server: LocalServer) -> None:
    url = f"https://{HOST}:{server.port}/a.jpg"
    options = {"resolver": to_loopback, "address_allowed": anything}
    assert code_of(lambda: download_photo(url, policy_for(server), QUICK, **options)) == "TLS_ERROR"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(server: LocalServer, status: int) -> None:
    server.route("/1", moved("2?x=1", status))
    server.route("/2?x=1", moved(f"//{HOST}:{server.port}/3", status))
    server.route("/3", moved(server.url("/a.jpg", HOST), status))
    server.route("/a.jpg", image())
    assert fetch(server, "/1").content == JPEG


def test_three_redirects_and_no_more(server: LocalServer) -> None:
    for step in range(4):
        server.route(f"/{step}", moved(f"/{step + 1}"))
    server.route("/4", image())
    assert code_of(lambda: fetch(server, "/0")) == "REDIRECT_REFUSED"
    assert server.paths() == ["/0", "/1", "/2", "/3"]
    assert fetch(server, "/1").content == JPEG


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://169.254.169.254/latest/meta-data", "PRIVATE_ADDRESS"),
        ("http://127.0.0.1/", "PRIVATE_ADDRESS"),
        ("http://[::1]/", "PRIVATE_ADDRESS"),
        ("http://localhost/", "PRIVATE_ADDRESS"),
        ("http://2130706433/", "PRIVATE_ADDRESS"),
        ("http://0x7f.1/", "PRIVATE_ADDRESS"),
        ("https://elsewhere.example.test/a.jpg", "REDIRECT_REFUSED"),
        (f"http://{HOST}:1/a.jpg", "REDIRECT_REFUSED"),
        (f"http://user@{HOST}/a.jpg", "REDIRECT_REFUSED"),
        ("file:///etc/passwd", "REDIRECT_REFUSED"),
        ("ftp://photos.example.test/a.jpg", "REDIRECT_REFUSED"),
        ("http://[::1", "REDIRECT_REFUSED"),
        ("http://photos.example.test\\@evil.example/", "REDIRECT_REFUSED"),
        ("/img/no-image.png", "REDIRECT_REFUSED"),
    ],
)
def test_a_redirect_is_tested_like_a_url_of_the_queue(server: LocalServer, location: str, code: str) -> None:
    server.route("/a.jpg", moved(location))
    assert code_of(lambda: fetch(server, "/a.jpg")) == code
    assert server.paths() == ["/a.jpg"]


def test_a_redirect_from_https_to_http_is_refused(server: LocalServer, secure: LocalServer) -> None:
    secure.route("/a.jpg", moved(server.url("/a.jpg", HOST)))
    server.route("/a.jpg", image())
    policy = policy_for(server, secure)
    assert code_of(lambda: fetch(secure, "/a.jpg", policy=policy)) == "REDIRECT_REFUSED"
    assert server.seen == []
    server.route("/up.jpg", moved(secure.url("/b.jpg", HOST)))
    secure.route("/b.jpg", image())
    assert fetch(server, "/up.jpg", policy=policy).content == JPEG


def test_a_redirect_to_a_name_with_a_private_address(server: LocalServer) -> None:
    server.route("/a.jpg", moved(f"http://inner.example.test:{server.port}/a.jpg"))
    policy = policy_for(server, extra=f"inner.example.test:{server.port}")

    def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"] if host == HOST else ["10.0.0.8"]

    code = code_of(
        lambda: fetch(
            server,
            "/a.jpg",
            policy=policy,
            resolver=resolve,
            address_allowed=lambda address: address == "127.0.0.1",
        )
    )
    assert code == "PRIVATE_ADDRESS"
    assert server.paths() == ["/a.jpg"]


def test_a_queued_url_that_the_policy_no_longer_allows(server: LocalServer) -> None:
    assert code_of(lambda: fetch(server, "/a.jpg", policy=photo_policy(None, ""))) == "HOST_NOT_ALLOWED"
    assert server.seen == []


@pytest.mark.parametrize("path", ["/a b.jpg?q=ä#part", "/%2e%2e/a.jpg"])
def test_odd_but_valid_paths(server: LocalServer, path: str) -> None:
    wire = {"/a b.jpg?q=ä#part": "/a%20b.jpg?q=%C3%A4"}.get(path, path)
    server.route(wire, image())
    assert fetch(server, path).content == JPEG


def test_control_characters_in_a_url_are_refused(server: LocalServer) -> None:
    assert code_of(lambda: fetch(server, "/a.jpg\r\nX-Injected: 1")) == "INVALID_URL"
    assert server.seen == []


def test_no_url_in_logs_or_errors(server: LocalServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.route(f"/{CANARY}.jpg", [image(), moved(f"/{CANARY}-2"), Reply(404)])
    server.route(f"/{CANARY}-2", Reply(500))
    assert CANARY not in repr(fetch(server, f"/{CANARY}.jpg"))
    with pytest.raises(PhotoError) as caught:
        fetch(server, f"/{CANARY}.jpg")
    assert CANARY not in caplog.text
    assert HOST not in caplog.text
    assert CANARY not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_the_error_of_a_request_leaves_the_librarys_frames_behind(server: LocalServer) -> None:
    server.route("/a", Reply(delay=5))
    budget = Budget(2, 0.2, Deadline(1))
    with (
        pytest.raises(FetchError) as caught,
        open_url(httpx.URL(server.url("/a")), {"Authorization": CANARY}, Network(), budget),
    ):
        pass
    assert caught.value.problem is Problem.TIMEOUT
    assert caught.value.__context__ is None
    assert not [frame for frame in caught.traceback if "httpcore" in str(frame.path)]


def test_many_at_once_come_as_they_are_ready(server: LocalServer) -> None:
    server.route("/slow.jpg", image(delay=0.5))
    server.route("/fast.jpg", image(PNG, "image/png"))
    urls = [("A", server.url("/slow.jpg", HOST)), *((f"B{n}", server.url("/fast.jpg", HOST)) for n in range(9))]
    urls.append(("C", server.url("/gone.jpg", HOST)))
    results = list(
        download_many(urls, policy_for(server), QUICK, resolver=to_loopback, address_allowed=anything, workers=3)
    )
    by_customer = {result.customer_id: result for result in results}
    assert len(results) == len(by_customer) == 11
    assert results[-1].customer_id == "A"
    assert by_customer["C"] == PhotoResult("C", error_code="HTTP_404")
    assert all((result.downloaded is None) == (result.error_code is not None) for result in results)


def test_many_take_their_photos_one_by_one(server: LocalServer) -> None:
    server.route("/a.jpg", image())
    taken: list[int] = []

    def photos() -> Iterator[tuple[str, str]]:
        for number in range(50):
            taken.append(number)
            yield str(number), server.url("/a.jpg", HOST)

    results = download_many(
        photos(), policy_for(server), QUICK, resolver=to_loopback, address_allowed=anything, workers=2
    )
    next(results)
    assert len(taken) <= 4
    results.close()  # type: ignore[attr-defined]
    assert len(taken) <= 4


def test_an_unexpected_fault_fails_its_photo_only(server: LocalServer, caplog: pytest.LogCaptureFixture) -> None:
    server.route("/a.jpg", image())

    def judge(address: str) -> bool:
        raise RuntimeError(CANARY)

    urls = [("SRGD0001", server.url("/a.jpg", HOST))]
    (result,) = download_many(urls, policy_for(server), QUICK, resolver=to_loopback, address_allowed=judge)
    assert result == PhotoResult("SRGD0001", error_code="CONNECTION_ERROR")
    assert "SRGD0001" in caplog.text
    assert "RuntimeError" in caplog.text
    assert CANARY not in caplog.text


def downloaded(content: bytes = JPEG, extension: str = "jpg") -> Downloaded:
    digest = hashlib.sha256(content).hexdigest()
    return Downloaded(content, digest, len(content), "image/jpeg", extension)


def files_below(folder: Path) -> Mapping[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_photo_is_stored_whole_and_private(tmp_path: Path) -> None:
    photo = downloaded()
    previous = os.umask(0)
    try:
        stored = store_photo(tmp_path / "photos", "SRGD0012", photo)
    finally:
        os.umask(previous)
    assert stored == f"identity_cards/SRGD0012/{photo.sha256[:16]}.jpg"
    assert files_below(tmp_path / "photos") == {stored: JPEG}
    assert stat.S_IMODE((tmp_path / "photos" / stored).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "photos/identity_cards/SRGD0012").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "photos/identity_cards").stat().st_mode) == 0o700
    assert store_photo(UPath(tmp_path / "photos"), "SRGD0012", photo) == stored
    assert len(files_below(tmp_path / "photos")) == 1


def test_a_strict_umask_leaves_the_photo_readable_for_its_owner(tmp_path: Path) -> None:
    (tmp_path / "identity_cards" / "A").mkdir(parents=True)
    previous = os.umask(0o777)
    try:
        stored = store_photo(tmp_path, "A", downloaded())
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / stored).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("customer_id", "folder"),
    [
        ("SRGD_0-1", "SRGD_0-1"),
        ("../../etc", "_________"),
        ("..", "__"),
        (".", "_"),
        ("", "_"),
        ("/abs", "____"),
        ("A/B", "A_B"),
        ("A\\B", "A_B"),
        ("A\x00B", "A_B"),
        ("ÄÖ٣", "___"),
        ("a1", "_1"),
    ],
)
def test_no_customer_id_leads_out_of_the_directory(tmp_path: Path, customer_id: str, folder: str) -> None:
    stored = photo_path(customer_id, downloaded())
    assert Path(stored).parts[:2] == ("identity_cards", folder)
    store_photo(tmp_path / "photos", customer_id, downloaded())
    assert [entry.name for entry in tmp_path.iterdir()] == ["photos"]


@pytest.mark.parametrize("link", ["identity_cards", "identity_cards/A"])
def test_a_link_in_the_photo_directory_is_not_followed(tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    place = tmp_path / "photos" / link
    place.parent.mkdir(parents=True)
    place.symlink_to(outside, target_is_directory=True)
    with pytest.raises(UnsafePhotoFolder):
        store_photo(tmp_path / "photos", "A", downloaded())
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("step", ["fsync", "fchmod"])
def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module.os, step, full)
    with pytest.raises(OSError, match="No space"):
        store_photo(tmp_path, "A", downloaded())
    assert files_below(tmp_path) == {}


def test_temporary_files_of_killed_runs_are_removed(tmp_path: Path) -> None:
    old, young = tmp_path / ".tmp-photo-1", tmp_path / ".tmp-photo-2"
    other = tmp_path / "keep"
    for file in (old, young, other):
        file.write_bytes(b"x")
    for file in (old, other):
        os.utime(file, (0, 0))
    assert remove_abandoned(tmp_path) == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == [".tmp-photo-2", "keep"]
    assert remove_abandoned(UPath("memory://nowhere")) == 0


def test_an_object_store_keeps_photos_too() -> None:
    root = UPath("memory://photo-bucket/photos")
    stored = store_photo(root, "SRGD0012", downloaded())
    assert (root / stored).read_bytes() == JPEG
    root.fs.rm("/photo-bucket", recursive=True)


def test_the_test_authority_is_trusted_by_nobody_else() -> None:
    assert trusting_context().verify_mode is ssl.CERT_REQUIRED
    assert trusting_context().check_hostname
