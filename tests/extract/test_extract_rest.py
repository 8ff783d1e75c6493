"""A legacy REST interface that misbehaves as real ones do, and what of it becomes an export."""

import hashlib
import json
import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from migration.errors import SetupError, TransientError
from migration.exports.find import list_exports
from migration.extract.extracted import Extracted
from migration.extract.rest import (
    ExtractAuthError,
    ExtractConfigError,
    ExtractError,
    ExtractUnavailable,
    RestClient,
    RestConfig,
    Variables,
)
from migration.extract.rest_export import RestTable, extract_rest
from tests.http_server import LocalServer, Reply, trusting_context

TOKEN = "canary-tok3n-b1ll"
VARIABLES = Variables("X_URL", "X_TOKEN", "X_SCHEME", "X_SIZE", "X_TIMEOUT")
STARTED = datetime(2026, 2, 25, 19, 0, 7, tzinfo=UTC)
EXPORT_ID = "20260225T190007Z"
FIRST = "/api/rows/?page=1&page_size=2"
SECOND = "/api/rows/?page=2&page_size=2"
ROWS = RestTable("rows", "/api/rows/")
BY_KIND = RestTable("rows", "/api/rows/", ({"kind": "a"}, {"kind": "b"}), rest_unfiltered=True)

Waits = list[float]


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer() as running:
        yield running


def page(*rows: Any, count: int | None = None, link: str | None = None, **other: Any) -> Reply:
    """A page as the interface answers with it."""
    content = {"count": count, "next": link, "previous": None, "results": list(rows), **other}
    return Reply(body=json.dumps(content).encode(), headers={"Content-Type": "application/json"})


def numbered(*ids: Any) -> list[dict[str, Any]]:
    return [{"id": each} for each in ids]


def settings(server: LocalServer, **changes: str) -> Mapping[str, str]:
    told = {"X_URL": server.url(), "X_TOKEN": TOKEN, "X_SIZE": "2", "X_TIMEOUT": "0.4"}
    return told | changes


def extract(
    server: LocalServer,
    landing: UPath,
    *tables: RestTable,
    waits: Waits | None = None,
    progress: Callable[[str, int, int], None] = lambda table, rows, total: None,
    **changes: str,
) -> Extracted:
    config = RestConfig.from_environment(VARIABLES, settings(server, **changes))
    client = RestClient(config, sleep=(waits if waits is not None else []).append)
    return extract_rest(client, "billing", tables or (ROWS,), landing, EXPORT_ID, STARTED, progress=progress)


def lines(done: Extracted, table: str = "rows") -> list[str]:
    return Path(str(done.folder / f"{table}.jsonl")).read_text(encoding="utf-8").splitlines()


def ids(done: Extracted, table: str = "rows") -> list[Any]:
    return [json.loads(line)["id"] for line in lines(done, table)]


def manifest(done: Extracted) -> dict[str, Any]:
    return json.loads((done.folder / "manifest.json").read_text(encoding="utf-8"))


def refused(
    server: LocalServer, landing: UPath, error: type[Exception], *tables: RestTable, waits: Waits | None = None
) -> str:
    """What an extract that must fail says; it publishes nothing and gives nothing away."""
    with pytest.raises(error) as caught:
        extract(server, landing, *tables, waits=waits)
    assert list_exports(landing, "billing") == []
    said = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert TOKEN not in said
    written = [path for path in Path(str(landing)).rglob("*") if path.is_file()]
    assert not [path for path in written if TOKEN.encode() in path.read_bytes()]
    return str(caught.value)


# A good extract -------------------------------------------------------------------------------------------------------


def test_pages_are_followed_to_the_last_and_published(server: LocalServer, landing: UPath) -> None:
    server.route(FIRST, page(*numbered(1, 2), count=3, link=server.url(SECOND)))
    server.route(SECOND, page(*numbered(3), count=3))
    said: list[tuple[str, int, int]] = []
    done = extract(server, landing, progress=lambda *told: said.append(told))
    assert server.paths() == [FIRST, SECOND]
    assert ids(done) == [1, 2, 3]
    assert said == [("rows", 2, 3), ("rows", 3, 3)]
    content = (done.folder / "rows.jsonl").read_bytes()
    assert manifest(done) == {
        "system": "billing",
        "exported_at": "2026-02-25T19:00:07Z",
        "files": [{"name": "rows.jsonl", "sha256": hashlib.sha256(content).hexdigest(), "rows": 3}],
        "warnings": [],
    }
    assert [path.name for path in list_exports(landing, "billing")] == [EXPORT_ID]
    assert [(each.table, each.rows, each.bytes) for each in done.tables] == [("rows", 3, len(content))]


@pytest.mark.parametrize(("scheme", "word"), [("", "Bearer"), ("Token", "Token")])
def test_each_request_carries_the_headers(server: LocalServer, landing: UPath, scheme: str, word: str) -> None:
    server.route(FIRST, page(*numbered(1), count=1))
    extract(server, landing, X_SCHEME=scheme)
    (seen,) = server.seen
    assert seen.headers["Authorization"] == f"{word} {TOKEN}"
    assert seen.headers["Accept"] == "application/json"


def test_a_path_before_the_lists_and_the_default_page_size(server: LocalServer, landing: UPath) -> None:
    server.route("/legacy/api/rows/?page=1&page_size=100", page(*numbered(1), count=1))
    assert ids(extract(server, landing, X_URL=server.url("/legacy/"), X_SIZE="")) == [1]


def test_a_bare_array_is_one_page(server: LocalServer, landing: UPath) -> None:
    server.route(FIRST, Reply(body=b'\xef\xbb\xbf [{"id": 1}, {"id": 2}, {"id": 3}]'))
    assert ids(extract(server, landing)) == [1, 2, 3]


def test_relative_links_are_followed(server: LocalServer, landing: UPath) -> None:
    server.route(FIRST, page(*numbered(1), count=2, link="?page=2&page_size=2"))
    server.route(SECOND, page(*numbered(2), count=2))
    assert ids(extract(server, landing)) == [1, 2]


def test_rows_are_kept_as_they_came(server: LocalServer, landing: UPath) -> None:
    """Numbers digit by digit, keys in their order and as often as they came, escapes, half an emoji, odd rows."""
    rows = (
        r'{"total":"1200.50", "id": 1, "rate": 1.10, "big": 12345678901234567890.123, "exp": 1E+2}',
        r'{"id":"2","name":"Caf\u00e9 \ud83d\ude00 \ud83d", "id": 3, "b": "\\ud83d"}',
        '{"id":4,"name":"ঢাকা <\x7f0> & Co."}',
        '"no object"',
        "null",
    )
    body = '{"count":5,"results":[\n' + " ,\r\n".join(rows) + '],"next":null}'
    server.route(FIRST, Reply(body=body.encode()))
    assert lines(extract(server, landing)) == list(rows)


def test_a_row_over_several_lines_becomes_one(server: LocalServer, landing: UPath) -> None:
    server.route(FIRST, Reply(body=b'[{\r\n  "id": 1,\n  "name": "two\\nlines"\n}]'))
    (line,) = lines(extract(server, landing))
    assert json.loads(line) == {"id": 1, "name": "two\nlines"}


def test_an_empty_list_gives_an_empty_file(server: LocalServer, landing: UPath) -> None:
    server.route(FIRST, page(count=0))
    done = extract(server, landing)
    assert (lines(done), manifest(done)["files"][0]["rows"]) == ([], 0)


def test_a_server_with_tls_is_verified(landing: UPath) -> None:
    with LocalServer({FIRST: page(*numbered(1), count=1)}, tls=True) as server:
        config = RestConfig.from_environment(VARIABLES, settings(server, X_URL=server.url(host="localhost")))
        trusting = RestClient(config, tls_context=trusting_context())
        assert ids(extract_rest(trusting, "billing", [ROWS], landing, EXPORT_ID, STARTED)) == [1]
        with pytest.raises(ExtractConfigError, match="TLS certificate"):
            extract_rest(RestClient(config), "billing", [ROWS], landing, "20260225T190008Z", STARTED)


# Pages that shift -----------------------------------------------------------------------------------------------------


def test_rows_that_came_twice_are_kept(server: LocalServer, landing: UPath) -> None:
    server.route(FIRST, page(*numbered(1, 2), count=3, link=server.url(SECOND)))
    server.route(SECOND, page(*numbered("2", 3), count=3))
    done = extract(server, landing)
    assert ids(done) == [1, 2, "2", 3]
    assert done.notes == ()


def test_the_count_of_the_last_page_decides(server: LocalServer, landing: UPath) -> None:
    server.route(FIRST, page(*numbered(1, 2), count=9, link=server.url(SECOND)))
    server.route(SECOND, page(*numbered(3), count=3))
    assert ids(extract(server, landing)) == [1, 2, 3]
    assert len(server.seen) == 2


def test_an_incomplete_list_is_fetched_once_more_from_the_start(server: LocalServer, landing: UPath) -> None:
    server.route(FIRST, page(*numbered(1, 2), count=4, link=server.url(SECOND)))
    server.route(SECOND, [page(*numbered(2, 3), count=4), page(*numbered(3, 4), count=4)])
    done = extract(server, landing)
    assert server.paths() == [FIRST, SECOND] * 2
    assert ids(done) == [1, 2, 3, 4]
    assert manifest(done)["warnings"] == ["rows: got 3 distinct ids, API says 4; fetched again"]


def test_a_list_incomplete_in_both_tries_is_refused(server: LocalServer, landing: UPath) -> None:
    server.route(FIRST, page(*numbered(1, 2), count=4, link=server.url(SECOND)))
    server.route(SECOND, page(*numbered(2, 3), count=4))
    assert refused(server, landing, ExtractError).startswith("rows: got 3 distinct ids, API says 4.")
    assert len(server.seen) == 4


def test_next_links_that_run_in_a_circle_are_refused(server: LocalServer, landing: UPath) -> None:
    server.route(FIRST, page(*numbered(1), count=2, link=server.url(SECOND)))
    server.route(SECOND, page(*numbered(2), count=2, link=server.url(FIRST)))
    assert "circle" in refused(server, landing, ExtractError)


@pytest.mark.parametrize(
    "link",
    ["http://127.0.0.1:1/api/rows/?page=2", "http://localhost:{port}/api/rows/", "https://127.0.0.1:{port}/api/rows/"]
    + ["//legacy.example/api/rows/", "http://user@127.0.0.1:{port}/api/rows/"],
)
def test_a_foreign_next_link_is_not_followed(server: LocalServer, landing: UPath, link: str) -> None:
    server.route(FIRST, page(*numbered(1), count=2, link=link.format(port=server.port)))
    said = refused(server, landing, ExtractError)
    assert said.startswith("refusing to follow foreign next link")
    assert server.paths() == [FIRST]


# Lists by query -------------------------------------------------------------------------------------------------------


def by_kind(server: LocalServer, a: Reply, b: Reply, whole: Reply) -> None:
    for query, reply in (("kind=a&", a), ("kind=b&", b), ("", whole)):
        server.route(f"/api/rows/?{query}page=1&page_size=2", reply)


def test_lists_by_query_are_appended_to_one_file(server: LocalServer, landing: UPath) -> None:
    by_kind(server, page(*numbered(1, 2), count=2), page(*numbered(3), count=1), page(*numbered(1, 2), count=3))
    done = extract(server, landing, BY_KIND)
    assert ids(done) == [1, 2, 3]
    assert manifest(done)["warnings"] == []
    # Of the whole list only the count was of interest.
    assert server.paths()[-1] == FIRST
    assert len(server.seen) == 3


def test_rows_that_no_query_finds_are_appended_with_a_warning(server: LocalServer, landing: UPath) -> None:
    whole = page(*numbered(1, 7), count=5, link=server.url(SECOND))
    by_kind(server, page(*numbered(1, 2), count=2), page(*numbered(3), count=1), whole)
    server.route(SECOND, page(*numbered(2, 3, 8), count=5))
    done = extract(server, landing, BY_KIND)
    assert ids(done) == [1, 2, 3, 7, 8]
    (warning,) = manifest(done)["warnings"]
    assert warning.startswith("rows: ")
    assert "3 distinct ids" in warning
    assert "says 5; 2 of its rows were added" in warning
    assert done.notes == (warning,)


def test_a_row_of_two_kinds_counts_once(server: LocalServer, landing: UPath) -> None:
    by_kind(server, page(*numbered(1, 2), count=2), page(*numbered(2), count=1), page(*numbered(1, 2), count=2))
    done = extract(server, landing, BY_KIND)
    assert (ids(done), done.notes) == ([1, 2, 2], ())


def test_bare_arrays_by_query(server: LocalServer, landing: UPath) -> None:
    arrays = [Reply(body=json.dumps(numbered(*each)).encode()) for each in ((1,), (2,), (1, 2, 3))]
    by_kind(server, *arrays)
    done = extract(server, landing, BY_KIND)
    assert (ids(done), len(done.notes)) == ([1, 2, 3], 1)


def test_only_the_incomplete_list_is_fetched_again(server: LocalServer, landing: UPath) -> None:
    by_kind(server, page(*numbered(1, 2), count=2), page(*numbered(3), count=2), page(*numbered(1), count=4))
    server.route("/api/rows/?kind=b&page=1&page_size=2", [page(*numbered(3), count=2), page(*numbered(3, 4), count=2)])
    assert ids(extract(server, landing, BY_KIND)) == [1, 2, 3, 4]
    assert sum("kind=a" in path for path in server.paths()) == 1


# Failures that pass ---------------------------------------------------------------------------------------------------

GOOD = page(*numbered(1), count=1)


@pytest.mark.parametrize(
    "failure",
    [
        Reply(500),
        Reply(503, body=b"<html>maintenance</html>"),
        Reply(429),
        Reply(delay=2),
        Reply(body=GOOD.body, cut=20),
        Reply(body=GOOD.body[:20]),
        Reply(body=GOOD.body, cut=20, chunked=True),
        Reply(body=GOOD.body[:20], length=-1),
    ],
    ids=["500", "503", "429", "timeout", "cut off", "broken JSON", "cut chunk", "cut without a length"],
)
def test_a_failure_that_passes_is_tried_again(server: LocalServer, landing: UPath, failure: Reply) -> None:
    server.route(FIRST, [failure, failure, GOOD])
    waits: Waits = []
    assert ids(extract(server, landing, waits=waits)) == [1]
    assert waits == [1, 2]


def test_five_tries_and_no_more(server: LocalServer, landing: UPath, caplog: pytest.LogCaptureFixture) -> None:
    server.route(FIRST, Reply(502))
    waits: Waits = []
    with caplog.at_level(logging.DEBUG):
        said = refused(server, landing, ExtractUnavailable, waits=waits)
    assert "HTTP 502 at /api/rows/, 5 times" in said
    assert waits == [1, 2, 4, 8]
    assert len(server.seen) == 5
    assert len([record for record in caplog.records if "try 5 of 5" in record.getMessage()]) == 1
    assert TOKEN not in caplog.text


def test_nobody_listens(landing: UPath, unused_port: int, server: LocalServer) -> None:
    waits: Waits = []
    with pytest.raises(TransientError, match="5 times"):
        extract(server, landing, waits=waits, X_URL=f"http://127.0.0.1:{unused_port}")
    assert len(waits) == 4


@pytest.mark.parametrize(("asked", "waited"), [("7", 7), ("0", 0), ("3600", 60), ("soon", 1)])
def test_retry_after_wins_up_to_a_minute(server: LocalServer, landing: UPath, asked: str, waited: float) -> None:
    server.route(FIRST, [Reply(429, headers={"Retry-After": asked}), GOOD])
    waits: Waits = []
    extract(server, landing, waits=waits)
    assert waits == [waited]


def test_each_page_has_its_own_tries(server: LocalServer, landing: UPath) -> None:
    server.route(FIRST, [Reply(500), page(*numbered(1), count=2, link=server.url(SECOND))])
    server.route(SECOND, [Reply(500), page(*numbered(2), count=2)])
    waits: Waits = []
    assert ids(extract(server, landing, waits=waits)) == [1, 2]
    assert waits == [1, 1]


# Failures that stay ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_expires_on_the_way_stops_at_once(server: LocalServer, landing: UPath, status: int) -> None:
    server.route(FIRST, page(*numbered(1), count=2, link=server.url(SECOND)))
    server.route(SECOND, Reply(status, body=b'{"detail": "expired"}'))
    said = refused(server, landing, ExtractAuthError)
    assert f"HTTP {status} at /api/rows/" in said
    assert "X_TOKEN" in said
    assert len(server.seen) == 2


@pytest.mark.parametrize("status", [400, 404, 410, 301])
def test_any_other_status_stops_with_status_and_path(server: LocalServer, landing: UPath, status: int) -> None:
    server.route(FIRST, Reply(status))
    assert f"rows: HTTP {status} at /api/rows/." in refused(server, landing, ExtractError)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"<html>log in</html>",
        b'{"detail": "x"}',
        b'{"results": {}}',
        b'{"results": [], "count": "2"}',
        b"",
        b'["\xff"]',
    ],
)
def test_what_is_no_page_is_refused(server: LocalServer, landing: UPath, body: bytes) -> None:
    server.route(FIRST, Reply(body=body))
    assert "did not answer with a page" in refused(server, landing, ExtractError)
    assert len(server.seen) == 1


def test_an_optional_list_may_be_missing(server: LocalServer, landing: UPath) -> None:
    server.route(FIRST, GOOD)
    optional = RestTable("days", "/api/days/", optional=True)
    done = extract(server, landing, ROWS, optional)
    assert done.left_out == ("days",)
    assert [file["name"] for file in manifest(done)["files"]] == ["rows.jsonl"]
    server.route("/api/days/?page=1&page_size=2", Reply(410))
    with pytest.raises(ExtractError, match="HTTP 410"):
        extract_rest(
            RestClient(RestConfig.from_environment(VARIABLES, settings(server))),
            *("billing", [optional], landing, "20260225T190008Z", STARTED),
        )


# Publication ----------------------------------------------------------------------------------------------------------


def test_a_failed_extract_leaves_only_its_partial_folder(server: LocalServer, landing: UPath) -> None:
    server.route(FIRST, GOOD)
    refused(server, landing, ExtractError, ROWS, RestTable("others", "/api/others/"))
    shelf = Path(str(landing)) / "billing"
    assert [path.name for path in shelf.iterdir() if not path.name.startswith(".")] == [f"{EXPORT_ID}.partial"]
    assert [path.name for path in (shelf / f"{EXPORT_ID}.partial").iterdir()] == ["rows.jsonl"]
    server.route("/api/others/?page=1&page_size=2", GOOD)
    assert ids(extract(server, landing, ROWS, RestTable("others", "/api/others/")), "others") == [1]
    assert [path.name for path in shelf.iterdir() if not path.name.startswith(".")] == [EXPORT_ID]


def test_an_export_is_never_replaced(server: LocalServer, landing: UPath) -> None:
    server.route(FIRST, GOOD)
    done = extract(server, landing)
    before = (done.folder / "manifest.json").read_bytes()
    with pytest.raises(SetupError, match="exists already"):
        extract(server, landing)
    assert (done.folder / "manifest.json").read_bytes() == before


def test_an_object_store_gets_the_export_too(server: LocalServer) -> None:
    server.route(FIRST, GOOD)
    landing = UPath("memory://extract-rest/landing")
    done = extract(server, landing)
    assert sorted(path.name for path in done.folder.iterdir()) == ["manifest.json", "rows.jsonl"]
    assert [path.name for path in list_exports(landing, "billing")] == [EXPORT_ID]


# Settings -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *[
            ("X_URL", value)
            for value in ("", "legacy", "ftp://legacy.example", "http://legacy.example", "https://u:p@x")
        ],
        *[("X_TOKEN", value) for value in ("", "  ", "two words", "é")],
        *[("X_SCHEME", "Basic"), ("X_SIZE", "0"), ("X_SIZE", "ten"), ("X_TIMEOUT", "0"), ("X_TIMEOUT", "nan")],
    ],
)
def test_a_wrong_setting_is_named(server: LocalServer, variable: str, value: str) -> None:
    with pytest.raises(ExtractConfigError) as caught:
        RestConfig.from_environment(VARIABLES, settings(server, **{variable: value}))
    assert variable in caught.value.problem
    assert TOKEN not in repr(caught.value)


def test_the_settings_show_no_token(server: LocalServer) -> None:
    config = RestConfig.from_environment(VARIABLES, settings(server))
    assert TOKEN not in repr(config)
    assert config.authorization.reveal() == f"Bearer {TOKEN}"
