"""The export refresh against a real server that misbehaves, and what of it reaches the landing zone."""

import hashlib
import json
import logging
import stat
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from upath import UPath

from migration.errors import EmptySource, ExportFormatError, MigrationError, SetupError, TransientError
from migration.fetch import Secret
from skynet_assets import refresh as refresh_module
from skynet_assets.refresh import (
    RefreshConfig,
    RefreshConfigError,
    Refreshed,
    RefreshLimits,
    RefreshRefused,
    RefreshUnavailable,
    refresh_export,
)
from tests.http_server import LocalServer, Reply, trusting_context

NOW = datetime(2026, 2, 1, 2, 0, 7, tzinfo=timezone(timedelta(hours=7)))
EXPORT_ID = "20260131T190007Z"
TOKEN = "canary-tok3n-5e1f"
CUSTOMERS = b' [ {"id_pelanggan": "A", "harga": 150000.10},\n{"id_pelanggan": "B", "harga": 1e2} ]\n'
TRANSACTIONS = '[{"id_pelanggan":"A","nominal":12345678901234567890.123,"nama":"Sitié\\u00e9"}]'.encode()
BRANCHES = b"[]"
GOOD = {"customers": CUSTOMERS, "transactions": TRANSACTIONS, "branches": BRANCHES}
QUICK = RefreshLimits(connect_seconds=2, idle_seconds=0.3, page_seconds=2, file_seconds=10, file_bytes=64 * 1024)


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer() as running:
        serve(running, GOOD)
        yield running


@pytest.fixture
def landing(tmp_path: Path) -> UPath:
    return UPath(tmp_path / "landing")


def serve(server: LocalServer, files: Mapping[str, bytes]) -> None:
    for table, body in files.items():
        server.route(f"/x/{table}.json", Reply(body=body))


def config_of(server: LocalServer, host: str = "127.0.0.1") -> RefreshConfig:
    return RefreshConfig.from_environment(
        {"SKYNET_EXPORT_BASE_URL": server.url("/x/", host), "SKYNET_EXPORT_TOKEN": TOKEN}
    )


def run(
    server: LocalServer,
    landing: UPath,
    now: datetime = NOW,
    limits: RefreshLimits = QUICK,
    sleep: Callable[[float], None] = lambda seconds: None,
) -> Refreshed:
    return refresh_export(landing, config_of(server), now, limits=limits, sleep=sleep)


def entries(landing: UPath) -> list[str]:
    shelf = Path(landing.path) / "skynet"
    return sorted(str(p.relative_to(shelf)) for p in shelf.rglob("*")) if shelf.exists() else []


def refused(
    server: LocalServer, landing: UPath, error: type[MigrationError], limits: RefreshLimits = QUICK
) -> MigrationError:
    """The error of a refresh that must fail, leave nothing behind, and give nothing away."""
    with pytest.raises(error) as caught:
        run(server, landing, limits=limits)
    assert entries(landing) == []
    assert_hidden(caught.value)
    assert caught.value.next_step
    return caught.value


def assert_hidden(error: BaseException) -> None:
    """The token is in nothing that a logger, a crash report or a debugger's traceback would show."""
    shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert TOKEN not in shown
    assert TOKEN not in repr(error)
    chained = error.__context__
    while chained is not None:
        below = traceback.TracebackException.from_exception(chained, capture_locals=True).format()
        assert TOKEN not in "".join(below)
        chained = chained.__context__


def test_an_export_is_published_with_its_bytes_as_they_came(server: LocalServer, landing: UPath) -> None:
    assert run(server, landing) == Refreshed(EXPORT_ID, {"customers": 2, "transactions": 1, "branches": 0})
    names = ["branches.json", "customers.json", "manifest.json", "transactions.json"]
    assert entries(landing) == [EXPORT_ID, *(f"{EXPORT_ID}/{name}" for name in names)]
    folder = Path(landing.path) / "skynet" / EXPORT_ID
    assert (folder / "customers.json").read_bytes() == CUSTOMERS.strip()
    assert (folder / "transactions.json").read_bytes() == TRANSACTIONS
    assert json.loads((folder / "manifest.json").read_bytes()) == {
        "system": "skynet",
        "exported_at": "2026-01-31T19:00:07Z",
        "files": [
            {"name": f"{name}.json", "sha256": hashlib.sha256(body.strip()).hexdigest(), "rows": rows}
            for (name, body), rows in zip(GOOD.items(), (2, 1, 0), strict=True)
        ],
    }
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir() if file.stem != "manifest"} == {0o600}


def test_the_requests(server: LocalServer, landing: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    run(server, landing)
    assert server.paths() == ["/x/customers.json", "/x/transactions.json", "/x/branches.json"]
    for request in server.seen:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        assert request.headers["Accept-Encoding"] == "identity"
        assert "Cookie" not in request.headers


def test_over_tls(landing: UPath) -> None:
    with LocalServer(tls=True) as server:
        serve(server, GOOD)
        config = config_of(server, "localhost")
        result = refresh_export(landing, config, NOW, limits=QUICK, tls_context=trusting_context())
        assert result.export_id == EXPORT_ID


def test_a_certificate_nobody_knows(landing: UPath) -> None:
    with LocalServer(tls=True) as server:
        serve(server, GOOD)
        error = refused(server, landing, RefreshConfigError)
        assert "certificate" in error.problem
        assert server.seen == []


# --- settings


@pytest.mark.parametrize(
    ("address", "token", "problem"),
    [
        (None, TOKEN, "SKYNET_EXPORT_BASE_URL is not set"),
        (" ", TOKEN, "SKYNET_EXPORT_BASE_URL is not set"),
        ("https://h.test", None, "SKYNET_EXPORT_TOKEN is not set"),
        ("https://h.test", " \n", "SKYNET_EXPORT_TOKEN is not set"),
        ("https://h.test", f"{TOKEN}\nX: y", "characters that no token has"),
        ("https://h.test", f"{TOKEN}é", "characters that no token has"),
        ("http://h.test", TOKEN, "without encryption"),
        ("http://10.0.0.1", TOKEN, "without encryption"),
        ("http://localhost.evil.test", TOKEN, "without encryption"),
        ("ftp://h.test", TOKEN, "without encryption"),
        (f"https://u:{TOKEN}@h.test", TOKEN, "user name or password"),
        ("h.test/export", TOKEN, "not a plain web address"),
        ("https://h.test/?a=b", TOKEN, "not a plain web address"),
        ("https://h.test:99999/", TOKEN, "not a plain web address"),
        ("https://[::1", TOKEN, "not a plain web address"),
    ],
)
def test_unsafe_settings(address: str | None, token: str | None, problem: str) -> None:
    given = {"SKYNET_EXPORT_BASE_URL": address, "SKYNET_EXPORT_TOKEN": token}
    environment = {name: value for name, value in given.items() if value is not None}
    with pytest.raises(RefreshConfigError, match=problem) as caught:
        RefreshConfig.from_environment(environment)
    assert isinstance(caught.value, SetupError)
    assert TOKEN not in str(caught.value)
    own = caught.value.__traceback__.tb_next  # type: ignore[union-attr]
    shown = traceback.TracebackException(type(caught.value), caught.value, own, capture_locals=True)
    if "@" not in (address or ""):
        assert TOKEN not in "".join(shown.format())


@pytest.mark.parametrize("address", ["http://localhost:1/x", "http://127.0.0.1/x", "http://[::1]:1/", "https://h.test"])
def test_safe_settings(address: str) -> None:
    config = RefreshConfig.from_environment({"SKYNET_EXPORT_BASE_URL": address, "SKYNET_EXPORT_TOKEN": f" {TOKEN}\n"})
    assert config.token.reveal() == TOKEN
    assert TOKEN not in f"{config} {config!r} {config.headers()} {config.token}"
    assert config == RefreshConfig(config.base_url, Secret(TOKEN))
    assert str(config.file_url("customers")) == f"{address.rstrip('/')}/customers.json"


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYNET_EXPORT_BASE_URL", "https://h.test")
    monkeypatch.delenv("SKYNET_EXPORT_TOKEN", raising=False)
    with pytest.raises(RefreshConfigError, match="TOKEN is not set"):
        RefreshConfig.from_environment()


def test_without_tls_a_name_of_another_machine_is_not_talked_to() -> None:
    config = RefreshConfig.from_environment(
        {"SKYNET_EXPORT_BASE_URL": "http://localhost", "SKYNET_EXPORT_TOKEN": TOKEN}
    )
    assert [config.address_allowed(a) for a in ("127.0.0.1", "::1", "10.0.0.1", "x")] == [True, True, False, False]


def test_a_localhost_that_is_elsewhere_gets_no_token(
    server: LocalServer, landing: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the name said that the connection stays on this machine."""
    monkeypatch.setattr("migration.fetch.socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("10.0.0.8", 80))])
    with pytest.raises(RefreshConfigError, match="another machine"):
        refresh_export(landing, config_of(server, "localhost"), NOW, limits=QUICK)
    assert entries(landing) == []


# --- tries


@pytest.mark.parametrize(
    "failure",
    [
        Reply(429),
        Reply(500),
        Reply(503, headers={"Retry-After": "0"}),
        Reply(delay=5),
        Reply(body=CUSTOMERS, cut=10),
        Reply(body=CUSTOMERS, cut=10, chunked=True),
        Reply(body=CUSTOMERS, drip=5),
    ],
    ids=["429", "500", "503", "no answer", "cut", "cut chunks", "stuck"],
)
def test_a_failure_that_passes(server: LocalServer, landing: UPath, failure: Reply) -> None:
    server.route("/x/customers.json", [failure, Reply(body=CUSTOMERS)])
    waits: list[float] = []
    assert run(server, landing, sleep=waits.append).counts["customers"] == 2
    assert waits == [1]
    assert server.paths()[:2] == ["/x/customers.json"] * 2


def test_three_failures_end_it(server: LocalServer, landing: UPath, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.route("/x/transactions.json", Reply(500))
    waits: list[float] = []
    with pytest.raises(RefreshUnavailable, match="transactions.json: HTTP 500 at try 3 of 3") as caught:
        run(server, landing, sleep=waits.append)
    assert isinstance(caught.value, TransientError)
    assert waits == [1, 2]
    assert server.paths().count("/x/transactions.json") == 3
    assert entries(landing) == []
    assert "transactions.json: HTTP 500 at try 2 of 3" in caplog.text
    assert TOKEN not in caplog.text
    assert_hidden(caught.value)


def test_retry_after_is_honoured_within_reason(server: LocalServer, landing: UPath) -> None:
    in_a_while = (datetime.now(UTC) + timedelta(seconds=30)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    server.route(
        "/x/customers.json",
        [
            Reply(429, headers={"Retry-After": "7"}),
            Reply(429, headers={"Retry-After": in_a_while}),
            Reply(body=CUSTOMERS),
        ],
    )
    waits: list[float] = []
    run(server, landing, sleep=waits.append)
    assert waits[0] == 7
    assert 25 < waits[1] <= 30


@pytest.mark.parametrize("asked", ["3600", "9" * 400])
def test_a_server_that_asks_for_an_hour_ends_it(server: LocalServer, landing: UPath, asked: str) -> None:
    server.route("/x/customers.json", Reply(429, headers={"Retry-After": asked}))
    refused(server, landing, RefreshUnavailable)
    assert len(server.seen) == 1


@pytest.mark.parametrize("asked", ["soon", "-5", "", "Mon, 99 Foo 2026"])
def test_a_senseless_retry_after_is_ignored(server: LocalServer, landing: UPath, asked: str) -> None:
    server.route("/x/customers.json", [Reply(429, headers={"Retry-After": asked}), Reply(body=CUSTOMERS)])
    waits: list[float] = []
    run(server, landing, sleep=waits.append)
    assert waits == [1]


def test_nobody_listens(landing: UPath) -> None:
    with LocalServer() as gone:
        pass
    assert "connection failed" in refused(gone, landing, RefreshUnavailable).problem


def test_a_body_that_drips_for_ever(server: LocalServer, landing: UPath) -> None:
    server.route("/x/customers.json", Reply(body=CUSTOMERS * 100, drip=0.02))
    slow = RefreshLimits(2, 0.3, 0.2, 10, 64 * 1024, tries=2)
    assert "timeout" in refused(server, landing, RefreshUnavailable, slow).problem


def test_a_file_has_a_time_limit_of_its_own(server: LocalServer, landing: UPath) -> None:
    server.route("/x/customers.json", Reply(body=CUSTOMERS, delay=0.1, headers={"Link": "<?p=1>; rel=next"}))
    for page in range(1, 50):
        link = {"Link": f"<?p={page + 1}>; rel=next"}
        server.route(f"/x/customers.json?p={page}", Reply(body=CUSTOMERS, delay=0.1, headers=link))
    slow = RefreshLimits(2, 0.5, 2, 0.3, 64 * 1024)
    assert "timeout" in refused(server, landing, RefreshUnavailable, slow).problem


# --- answers that must not become an export


@pytest.mark.parametrize("status", [401, 403])
def test_an_expired_token(server: LocalServer, landing: UPath, status: int) -> None:
    server.route("/x/customers.json", Reply(status, body=TOKEN.encode()))
    error = refused(server, landing, RefreshConfigError)
    assert f"HTTP {status}" in error.problem
    assert "SKYNET_EXPORT_TOKEN" in error.next_step
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(404),
        Reply(204),
        Reply(206, body=b"[1]"),
        Reply(304),
        Reply(400),
        Reply(body=b"[1]", headers={"Content-Encoding": "gzip"}),
        Reply(body=b"[" + b" " * 65536 + b"1]"),
        Reply(body=b"[" + b" " * 65536 + b"1]", chunked=True),
        Reply(body=b"[1]", length=10**12),
    ],
)
def test_an_answer_that_is_no_export(server: LocalServer, landing: UPath, reply: Reply) -> None:
    server.route("/x/branches.json", reply)
    assert "branches.json" in refused(server, landing, RefreshRefused).problem
    assert server.paths().count("/x/branches.json") == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b'{"item": [1]}',
        b'"text"',
        b"[1",
        b"[1] 2",
        b"[1,]",
        b"[NaN]",
        b"[01]",
        b'["\xff"]',
        b'["canary-row\xff"]',
        b"<html>Please log in</html>",
        b"[" * 100 + b"]" * 100,
        b"[" + b"9" * 5000 + b"]",
        b'[{"a": -' + b"9" * 5000 + b"}]",
        b"[1e99999999999999999999]",
        CUSTOMERS[:40],
        b"\xff\xfe[\x001\x00]\x00",
    ],
)
def test_a_body_that_is_no_json_array(server: LocalServer, landing: UPath, body: bytes) -> None:
    server.route("/x/customers.json", Reply(body=body))
    error = refused(server, landing, ExportFormatError)
    assert "customers.json" in error.problem
    assert error.__context__ is None
    assert "canary-row" not in str(error)


@pytest.mark.parametrize("before", [0, (1 << 20) - 700, (1 << 20) - 1, 1 << 20])
def test_a_number_that_would_crash_the_parser_is_found_wherever_it_is(
    server: LocalServer, landing: UPath, before: int
) -> None:
    body = b"[" + b" " * before + b"9" * 5000 + b"]"
    server.route("/x/customers.json", Reply(body=body))
    roomy = RefreshLimits(2, 2, 5, 10, 4 << 20)
    assert "customers.json" in refused(server, landing, ExportFormatError, roomy).problem


def test_a_page_larger_than_a_block(server: LocalServer, landing: UPath) -> None:
    body = b"[" + b",".join(b'"%d"' % number for number in range(300_000)) + b"]"
    server.route("/x/customers.json", Reply(body=body))
    assert run(server, landing, limits=RefreshLimits(2, 2, 5, 10, 4 << 20)).counts["customers"] == 300_000
    assert (landing / "skynet" / EXPORT_ID / "customers.json").read_bytes() == body


def test_a_broken_body_of_unknown_length_is_found_by_its_json(server: LocalServer, landing: UPath) -> None:
    server.route("/x/customers.json", Reply(body=CUSTOMERS, length=-1, cut=50))
    assert refused(server, landing, ExportFormatError)


@pytest.mark.parametrize("table", ["customers", "transactions"])
@pytest.mark.parametrize("body", [b"[]", b" [ \n ] "])
def test_an_empty_list(server: LocalServer, landing: UPath, table: str, body: bytes) -> None:
    server.route(f"/x/{table}.json", Reply(body=body))
    assert f"{table}.json" in refused(server, landing, EmptySource).problem


def test_a_byte_order_mark_is_left_out(server: LocalServer, landing: UPath) -> None:
    server.route("/x/customers.json", Reply(body=b"\xef\xbb\xbf[1]"))
    run(server, landing)
    assert (landing / "skynet" / EXPORT_ID / "customers.json").read_bytes() == b"[1]"


# --- redirects and pages


def test_a_redirect_on_the_same_server(server: LocalServer, landing: UPath) -> None:
    server.route("/x/customers.json", Reply(307, headers={"Location": "/y/c.json"}))
    server.route("/y/c.json", Reply(body=CUSTOMERS))
    assert run(server, landing).counts["customers"] == 2


@pytest.mark.parametrize("kind", ["redirect", "next"])
@pytest.mark.parametrize(
    "target", ["{port}", "//other.test/c.json", "https://127.0.0.1/c.json", "http://[::1", "ftp:x"]
)
def test_the_token_goes_to_no_other_server(server: LocalServer, landing: UPath, kind: str, target: str) -> None:
    with LocalServer({"/c.json": Reply(body=CUSTOMERS)}) as other:
        target = target.replace("{port}", other.url("/c.json"))
        reply = (
            Reply(302, headers={"Location": target})
            if kind == "redirect"
            else Reply(body=CUSTOMERS, headers={"Link": f'<{target}>; rel="next"'})
        )
        server.route("/x/customers.json", reply)
        assert "another server" in refused(server, landing, RefreshRefused).problem
        assert other.seen == []


def test_a_redirect_from_https_to_http(landing: UPath, server: LocalServer) -> None:
    with LocalServer(tls=True) as secure:
        serve(secure, GOOD)
        secure.route("/x/customers.json", Reply(302, headers={"Location": server.url("/x/customers.json")}))
        with pytest.raises(RefreshRefused, match="another server"):
            refresh_export(landing, config_of(secure), NOW, limits=QUICK, tls_context=trusting_context())
    assert server.seen == []


def test_redirects_without_end(server: LocalServer, landing: UPath) -> None:
    server.route("/x/customers.json", Reply(302, headers={"Location": "/x/customers.json"}))
    assert "redirects" in refused(server, landing, RefreshRefused).problem
    assert len(server.seen) == 4


def test_pages_are_joined_as_they_are_written(server: LocalServer, landing: UPath) -> None:
    pages = [b'[1.50, {"a": [1]}]', b"[]", b" [ ] ", b"[\n1e400\n]", b'["],["]']
    for number, body in enumerate(pages):
        last = number == len(pages) - 1
        path = "/x/customers.json" + (f"?page={number}" if number else "")
        link = f'</first>; rel="first", <?page={number + 1}>; rel="next"'
        server.route(path, Reply(body=body, headers={} if last else {"Link": link}))
    assert run(server, landing).counts["customers"] == 4
    written = (landing / "skynet" / EXPORT_ID / "customers.json").read_bytes()
    assert written == b'[1.50, {"a": [1]},\n\n1e400\n,\n"],["]'
    assert len(json.loads(written)) == 4


@pytest.mark.parametrize("link", ['<?p=2>; rel="next"', "<?p=2>; rel=next", '<?p=2>; title="x"; rel="prefetch NEXT"'])
def test_spellings_of_a_next_link(server: LocalServer, landing: UPath, link: str) -> None:
    server.route("/x/customers.json", Reply(body=b"[1]", headers={"Link": link}))
    server.route("/x/customers.json?p=2", Reply(body=b"[2]", headers={"Link": '<?p=1>; rel="prev"'}))
    assert run(server, landing).counts["customers"] == 2


def test_next_links_in_a_circle(server: LocalServer, landing: UPath) -> None:
    server.route("/x/customers.json", Reply(body=b"[1]", headers={"Link": '<?p=2>; rel="next"'}))
    server.route("/x/customers.json?p=2", Reply(body=b"[2]", headers={"Link": '<customers.json>; rel="next"'}))
    assert "circle" in refused(server, landing, RefreshRefused).problem
    assert len(server.seen) == 2


def test_pages_without_end(server: LocalServer, landing: UPath) -> None:
    for number in range(10):
        path = "/x/customers.json" + (f"?p={number}" if number else "")
        server.route(path, Reply(body=b"[]", headers={"Link": f"<?p={number + 1}>; rel=next"}))
    few = RefreshLimits(2, 0.5, 2, 10, 64 * 1024, pages=5)
    assert "pages" in refused(server, landing, RefreshRefused, few).problem
    assert len(server.seen) == 5


def test_the_size_limit_counts_all_pages(server: LocalServer, landing: UPath) -> None:
    page = b"[" + b" " * 30_000 + b"1]"
    for number in range(4):
        path = "/x/customers.json" + (f"?p={number}" if number else "")
        server.route(path, Reply(body=page, headers={"Link": f"<?p={number + 1}>; rel=next"}))
    assert "larger" in refused(server, landing, RefreshRefused).problem
    assert len(server.seen) == 3


def test_a_page_that_fails_half_way_is_not_written_twice(server: LocalServer, landing: UPath) -> None:
    server.route("/x/customers.json", Reply(body=b"[1]", headers={"Link": "<?p=2>; rel=next"}))
    server.route("/x/customers.json?p=2", [Reply(body=b"[2, 3]", cut=4), Reply(body=b"[2, 3]")])
    assert run(server, landing).counts["customers"] == 3
    assert (landing / "skynet" / EXPORT_ID / "customers.json").read_bytes() == b"[1,\n2, 3]"


# --- the landing zone


def test_an_unchanged_export_publishes_nothing(server: LocalServer, landing: UPath) -> None:
    run(server, landing)
    before = entries(landing)
    later = run(server, landing, NOW + timedelta(days=1))
    assert later == Refreshed(None, {"customers": 2, "transactions": 1, "branches": 0}, EXPORT_ID)
    assert entries(landing) == before
    server.route("/x/branches.json", Reply(body=b'[{"cabang": "X"}]'))
    assert run(server, landing, NOW + timedelta(days=2)).export_id == "20260202T190007Z"


def test_only_the_newest_export_counts_as_unchanged(server: LocalServer, landing: UPath) -> None:
    run(server, landing)
    serve(server, {**GOOD, "branches": b"[1]"})
    run(server, landing, NOW + timedelta(days=1))
    serve(server, GOOD)
    assert run(server, landing, NOW + timedelta(days=2)).export_id == "20260202T190007Z"


@pytest.mark.parametrize("name", [".hidden", "99999999T000000Z.partial", "zzz-empty", "zzz-other"])
def test_folders_that_are_no_exports_are_not_compared(server: LocalServer, landing: UPath, name: str) -> None:
    run(server, landing)
    folder = Path(landing.path) / "skynet" / name
    folder.mkdir()
    if name != "zzz-empty":
        (folder / ("notes.txt" if name == "zzz-other" else "customers.json")).write_bytes(b"[1]")
    assert run(server, landing, NOW + timedelta(days=1)).same_as == EXPORT_ID


def test_an_export_that_is_not_complete_counts_as_different(server: LocalServer, landing: UPath) -> None:
    run(server, landing)
    (landing / "skynet" / EXPORT_ID / "manifest.json").unlink()
    assert run(server, landing, NOW + timedelta(days=1)).export_id == "20260201T190007Z"


def test_an_existing_folder_is_not_touched(server: LocalServer, landing: UPath) -> None:
    folder = Path(landing.path) / "skynet" / EXPORT_ID
    folder.mkdir(parents=True)
    (folder / "keep").write_bytes(b"x")
    with pytest.raises(RefreshUnavailable, match=EXPORT_ID):
        run(server, landing)
    assert entries(landing) == [EXPORT_ID, f"{EXPORT_ID}/keep"]
    assert server.seen == []


def test_a_folder_that_appears_meanwhile_is_not_touched(
    server: LocalServer, landing: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = refresh_module.write_manifest

    def racing(folder: UPath, *others: object) -> None:
        write(folder, *others)  # type: ignore[arg-type]
        (folder.parent / EXPORT_ID).mkdir()

    monkeypatch.setattr(refresh_module, "write_manifest", racing)
    with pytest.raises(RefreshUnavailable, match="landing zone"):
        run(server, landing)
    assert entries(landing) == [EXPORT_ID]


def test_two_refreshes_in_one_second(server: LocalServer, landing: UPath) -> None:
    other = Path(landing.path) / "skynet" / f".tmp-{EXPORT_ID}"
    other.mkdir(parents=True)
    (other / "customers.json").write_bytes(b"[")
    with pytest.raises(RefreshUnavailable):
        run(server, landing, NOW)
    assert (other / "customers.json").read_bytes() == b"["


def test_what_killed_refreshes_left_is_removed_after_a_day(server: LocalServer, landing: UPath) -> None:
    shelf = Path(landing.path) / "skynet"
    for name in (".tmp-20260129T000000Z", ".tmp-20260131T180000Z", ".tmp-20269999T999999Z", ".tmp-mine"):
        (shelf / name).mkdir(parents=True)
        (shelf / name / "customers.json").write_bytes(b"[")
    run(server, landing)
    left = sorted(entry.name for entry in shelf.iterdir())
    assert left == [".tmp-20260131T180000Z", ".tmp-20269999T999999Z", ".tmp-mine", EXPORT_ID]


@pytest.mark.parametrize("step", ["_count_elements", "_inside_of_array", "write_manifest", "_publish"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError])
def test_a_crash_in_the_middle_leaves_nothing(
    server: LocalServer,
    landing: UPath,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    error: type[BaseException],
) -> None:
    def crash(*_: object) -> None:
        assert any(name.startswith(".tmp-") for name in entries(landing))
        raise error

    monkeypatch.setattr(refresh_module, step, crash)
    with pytest.raises(RefreshUnavailable if error is OSError else error) as caught:
        run(server, landing)
    assert entries(landing) == []
    assert_hidden(caught.value)
    monkeypatch.undo()
    assert run(server, landing).export_id == EXPORT_ID


def test_everything_is_on_the_disk_before_the_export_appears(
    server: LocalServer, landing: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    shelf = Path(landing.path) / "skynet"
    sync = refresh_module.os.fsync

    def noting(descriptor: int) -> None:
        target = Path(f"/proc/self/fd/{descriptor}").resolve()
        synced.append(str(target.relative_to(shelf)))
        sync(descriptor)

    monkeypatch.setattr(refresh_module.os, "fsync", noting)
    run(server, landing)
    staging = f".tmp-{EXPORT_ID}.publication"
    names = ["customers.json", "transactions.json", "branches.json", "manifest.json"]
    assert {f"{staging}/{name}" for name in names} <= set(synced)
    assert synced[-2:] == [staging, "."]


def test_a_landing_zone_that_cannot_be_written(server: LocalServer, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    with pytest.raises(RefreshUnavailable, match="landing zone") as caught:
        run(server, UPath(blocked))
    assert_hidden(caught.value)


def test_a_file_url_is_a_local_landing_zone(server: LocalServer, tmp_path: Path) -> None:
    run(server, UPath(f"file://{tmp_path}/landing"))
    assert (tmp_path / "landing" / "skynet" / EXPORT_ID / "manifest.json").exists()


@pytest.fixture
def bucket() -> Iterator[UPath]:
    landing = UPath("memory://bucket/landing")
    yield landing
    if landing.fs.exists("/bucket"):
        landing.fs.rm("/bucket", recursive=True)


def stored(bucket: UPath) -> list[str]:
    return sorted(name.removeprefix("/bucket/landing/skynet/") for name in bucket.fs.find("/bucket"))


def test_an_object_store(server: LocalServer, bucket: UPath) -> None:
    copied: list[str] = []
    copy = type(bucket.fs).cp_file

    def noting(self: object, source: str, target: str, **options: object) -> None:
        copied.append(target.rpartition("/")[2])
        copy(self, source, target, **options)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(bucket.fs), "cp_file", noting)
        assert run(server, bucket).export_id == EXPORT_ID
    assert copied[-1] == "manifest.json"
    names = ["branches.json", "customers.json", "manifest.json", "transactions.json"]
    assert stored(bucket) == [f"{EXPORT_ID}/{name}" for name in names]
    assert run(server, bucket, NOW + timedelta(days=1)).same_as == EXPORT_ID
    assert len(stored(bucket)) == 4


@pytest.mark.parametrize("operation", ["put_file", "cp_file"])
def test_an_object_store_that_fails_shows_no_export(
    server: LocalServer, bucket: UPath, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    working = getattr(type(bucket.fs), operation)

    def failing(self: object, source: str, target: str, **options: object) -> None:
        if "transactions" in target:
            raise OSError("gone")
        working(self, source, target, **options)

    monkeypatch.setattr(type(bucket.fs), operation, failing)
    with pytest.raises(RefreshUnavailable):
        run(server, bucket)
    assert stored(bucket) == []


def test_a_moment_without_time_zone(server: LocalServer, landing: UPath) -> None:
    with pytest.raises(ValueError, match="time zone"):
        run(server, landing, datetime(2026, 2, 1))  # noqa: DTZ001 - that is the point
    assert server.seen == []


def test_the_token_is_in_no_log_and_no_file(
    server: LocalServer, landing: UPath, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.route("/x/customers.json", [Reply(503), Reply(body=CUSTOMERS)])
    result = run(server, landing)
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(result)
    for file in (Path(landing.path) / "skynet" / EXPORT_ID).iterdir():
        assert TOKEN.encode() not in file.read_bytes()
