"""A legacy REST interface that misbehaves as real ones do, and what of it becomes an export."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from upath import UPath

from migration.errors import SetupError
from migration.exports.find import list_exports
from migration.extract.rest import (
    ExtractConfigError,
    ExtractError,
    RestClient,
    RestConfig,
)
from migration.extract.rest_export import RestTable, extract_rest
from tests.extract.rest_lab import (
    BY_KIND,
    EXPORT_ID,
    FIRST,
    GOOD,
    ROWS,
    SECOND,
    STARTED,
    TOKEN,
    VARIABLES,
    extract,
    ids,
    lines,
    manifest,
    numbered,
    page,
    refused,
    settings,
)
from tests.http_server import LocalServer, Reply, trusting_context

# A good extract -------------------------------------------------------------------------------------------------------


def test_pages_are_followed_to_the_last_and_published(http_server: LocalServer, landing: UPath) -> None:
    http_server.route(FIRST, page(*numbered(1, 2), count=3, link=http_server.url(SECOND)))
    http_server.route(SECOND, page(*numbered(3), count=3))
    said: list[tuple[str, int, int]] = []
    done = extract(http_server, landing, progress=lambda *told: said.append(told))
    assert http_server.paths() == [FIRST, SECOND]
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
def test_each_request_carries_the_headers(http_server: LocalServer, landing: UPath, scheme: str, word: str) -> None:
    http_server.route(FIRST, page(*numbered(1), count=1))
    extract(http_server, landing, X_SCHEME=scheme)
    (seen,) = http_server.seen
    assert seen.headers["Authorization"] == f"{word} {TOKEN}"
    assert seen.headers["Accept"] == "application/json"


def test_a_path_before_the_lists_and_the_default_page_size(http_server: LocalServer, landing: UPath) -> None:
    http_server.route("/legacy/api/rows/?page=1&page_size=100", page(*numbered(1), count=1))
    assert ids(extract(http_server, landing, X_URL=http_server.url("/legacy/"), X_SIZE="")) == [1]


def test_a_bare_array_is_one_page(http_server: LocalServer, landing: UPath) -> None:
    http_server.route(FIRST, Reply(body=b'\xef\xbb\xbf [{"id": 1}, {"id": 2}, {"id": 3}]'))
    assert ids(extract(http_server, landing)) == [1, 2, 3]


def test_relative_links_are_followed(http_server: LocalServer, landing: UPath) -> None:
    http_server.route(FIRST, page(*numbered(1), count=2, link="?page=2&page_size=2"))
    http_server.route(SECOND, page(*numbered(2), count=2))
    assert ids(extract(http_server, landing)) == [1, 2]


def test_rows_are_kept_as_they_came(http_server: LocalServer, landing: UPath) -> None:
    """Numbers digit by digit, keys in their order and as often as they came, escapes, half an emoji, odd rows."""
    rows = (
        r'{"total":"1200.50", "id": 1, "rate": 1.10, "big": 12345678901234567890.123, "exp": 1E+2}',
        r'{"id":"2","name":"Caf\u00e9 \ud83d\ude00 \ud83d", "id": 3, "b": "\\ud83d"}',
        '{"id":4,"name":"ঢাকা <\x7f0> & Co."}',
        '"no object"',
        "null",
    )
    body = '{"count":5,"results":[\n' + " ,\r\n".join(rows) + '],"next":null}'
    http_server.route(FIRST, Reply(body=body.encode()))
    assert lines(extract(http_server, landing)) == list(rows)


def test_a_row_over_several_lines_becomes_one(http_server: LocalServer, landing: UPath) -> None:
    http_server.route(FIRST, Reply(body=b'[{\r\n  "id": 1,\n  "name": "two\\nlines"\n}]'))
    (line,) = lines(extract(http_server, landing))
    assert json.loads(line) == {"id": 1, "name": "two\nlines"}


def test_an_empty_list_gives_an_empty_file(http_server: LocalServer, landing: UPath) -> None:
    http_server.route(FIRST, page(count=0))
    done = extract(http_server, landing)
    assert (lines(done), manifest(done)["files"][0]["rows"]) == ([], 0)


def test_a_server_with_tls_is_verified(landing: UPath) -> None:
    with LocalServer({FIRST: page(*numbered(1), count=1)}, tls=True) as http_server:
        config = RestConfig.from_environment(VARIABLES, settings(http_server, X_URL=http_server.url(host="localhost")))
        trusting = RestClient(config, tls_context=trusting_context())
        assert ids(extract_rest(trusting, "billing", [ROWS], landing, EXPORT_ID, STARTED)) == [1]
        with pytest.raises(ExtractConfigError, match="TLS certificate"):
            extract_rest(RestClient(config), "billing", [ROWS], landing, "20260225T190008Z", STARTED)


# Pages that shift -----------------------------------------------------------------------------------------------------


def test_rows_that_came_twice_are_kept(http_server: LocalServer, landing: UPath) -> None:
    http_server.route(FIRST, page(*numbered(1, 2), count=3, link=http_server.url(SECOND)))
    http_server.route(SECOND, page(*numbered("2", 3), count=3))
    done = extract(http_server, landing)
    assert ids(done) == [1, 2, "2", 3]
    assert done.notes == ()


def test_the_count_of_the_last_page_decides(http_server: LocalServer, landing: UPath) -> None:
    http_server.route(FIRST, page(*numbered(1, 2), count=9, link=http_server.url(SECOND)))
    http_server.route(SECOND, page(*numbered(3), count=3))
    assert ids(extract(http_server, landing)) == [1, 2, 3]
    assert len(http_server.seen) == 2


def test_an_incomplete_list_is_fetched_once_more_from_the_start(http_server: LocalServer, landing: UPath) -> None:
    http_server.route(FIRST, page(*numbered(1, 2), count=4, link=http_server.url(SECOND)))
    http_server.route(SECOND, [page(*numbered(2, 3), count=4), page(*numbered(3, 4), count=4)])
    done = extract(http_server, landing)
    assert http_server.paths() == [FIRST, SECOND] * 2
    assert ids(done) == [1, 2, 3, 4]
    assert manifest(done)["warnings"] == ["rows: got 3 distinct ids, API says 4; fetched again"]


def test_a_list_incomplete_in_both_tries_is_refused(http_server: LocalServer, landing: UPath) -> None:
    http_server.route(FIRST, page(*numbered(1, 2), count=4, link=http_server.url(SECOND)))
    http_server.route(SECOND, page(*numbered(2, 3), count=4))
    assert refused(http_server, landing, ExtractError).startswith("rows: got 3 distinct ids, API says 4.")
    assert len(http_server.seen) == 4


def test_next_links_that_run_in_a_circle_are_refused(http_server: LocalServer, landing: UPath) -> None:
    http_server.route(FIRST, page(*numbered(1), count=2, link=http_server.url(SECOND)))
    http_server.route(SECOND, page(*numbered(2), count=2, link=http_server.url(FIRST)))
    assert "circle" in refused(http_server, landing, ExtractError)


@pytest.mark.parametrize(
    "link",
    ["http://127.0.0.1:1/api/rows/?page=2", "http://localhost:{port}/api/rows/", "https://127.0.0.1:{port}/api/rows/"]
    + ["//legacy.example/api/rows/", "http://user@127.0.0.1:{port}/api/rows/"],
)
def test_a_foreign_next_link_is_not_followed(http_server: LocalServer, landing: UPath, link: str) -> None:
    http_server.route(FIRST, page(*numbered(1), count=2, link=link.format(port=http_server.port)))
    said = refused(http_server, landing, ExtractError)
    assert said.startswith("refusing to follow foreign next link")
    assert http_server.paths() == [FIRST]


class LiveServer(LocalServer):
    """Serves a list that a legacy system goes on changing: after each answer something happens to it."""

    def __init__(self, rows: list[int], *happenings: Callable[[list[int]], None]) -> None:
        super().__init__()
        self._rows, self._happenings = rows, list(happenings)

    def next_reply(self, path: str, headers: Mapping[str, str]) -> Reply:
        super().next_reply(path, headers)
        start = 2 * (int(parse_qs(urlsplit(path).query)["page"][0]) - 1)
        more = start + 2 < len(self._rows)
        link = self.url(f"/api/rows/?page={start // 2 + 2}&page_size=2") if more else None
        reply = page(*numbered(*self._rows[start : start + 2]), count=len(self._rows), link=link)
        if self._happenings:
            self._happenings.pop(0)(self._rows)
        return reply


def test_a_new_row_that_pushes_the_others_on_is_found(landing: UPath) -> None:
    """The newest come first: one comes twice, and the new one is on a page that was read before."""
    with LiveServer([5, 4, 3, 2, 1], lambda rows: rows.insert(0, 6)) as live:
        done = extract(live, landing)
    assert ids(done) == [6, 5, 4, 3, 2, 1]
    assert manifest(done)["warnings"] == ["rows: got 5 distinct ids, API says 6; fetched again"]


def test_a_new_row_at_the_end_needs_no_second_pass(landing: UPath) -> None:
    with LiveServer([1, 2, 3], lambda rows: rows.append(4)) as live:
        assert ids(extract(live, landing)) == [1, 2, 3, 4]
        assert len(live.seen) == 2


def test_a_list_that_never_stands_still_is_refused(landing: UPath) -> None:
    with LiveServer([3, 2, 1], *[lambda rows: rows.insert(0, len(rows) + 1)] * 9) as live:
        assert "distinct ids, API says" in refused(live, landing, ExtractError)


# Lists by query -------------------------------------------------------------------------------------------------------


def by_kind(http_server: LocalServer, a: Reply, b: Reply, whole: Reply) -> None:
    for query, reply in (("kind=a&", a), ("kind=b&", b), ("", whole)):
        http_server.route(f"/api/rows/?{query}page=1&page_size=2", reply)


def test_lists_by_query_are_appended_to_one_file(http_server: LocalServer, landing: UPath) -> None:
    by_kind(http_server, page(*numbered(1, 2), count=2), page(*numbered(3), count=1), page(*numbered(1, 2), count=3))
    done = extract(http_server, landing, BY_KIND)
    assert ids(done) == [1, 2, 3]
    assert manifest(done)["warnings"] == []
    # Of the whole list only the count was of interest.
    assert http_server.paths()[-1] == FIRST
    assert len(http_server.seen) == 3


def test_rows_that_no_query_finds_are_appended_with_a_warning(http_server: LocalServer, landing: UPath) -> None:
    whole = page(*numbered(1, 7), count=5, link=http_server.url(SECOND))
    by_kind(http_server, page(*numbered(1, 2), count=2), page(*numbered(3), count=1), whole)
    http_server.route(SECOND, page(*numbered(2, 3, 8), count=5))
    done = extract(http_server, landing, BY_KIND)
    assert ids(done) == [1, 2, 3, 7, 8]
    (warning,) = manifest(done)["warnings"]
    assert warning.startswith("rows: ")
    assert "3 distinct ids" in warning
    assert "says 5; 2 of its rows were added" in warning
    assert done.notes == (warning,)


def test_a_row_of_two_kinds_counts_once(http_server: LocalServer, landing: UPath) -> None:
    by_kind(http_server, page(*numbered(1, 2), count=2), page(*numbered(2), count=1), page(*numbered(1, 2), count=2))
    done = extract(http_server, landing, BY_KIND)
    assert (ids(done), done.notes) == ([1, 2, 2], ())


def test_bare_arrays_by_query(http_server: LocalServer, landing: UPath) -> None:
    arrays = [Reply(body=json.dumps(numbered(*each)).encode()) for each in ((1,), (2,), (1, 2, 3))]
    by_kind(http_server, *arrays)
    done = extract(http_server, landing, BY_KIND)
    assert (ids(done), len(done.notes)) == ([1, 2, 3], 1)


def test_only_the_incomplete_list_is_fetched_again(http_server: LocalServer, landing: UPath) -> None:
    by_kind(http_server, page(*numbered(1, 2), count=2), page(*numbered(3), count=2), page(*numbered(1), count=4))
    http_server.route(
        "/api/rows/?kind=b&page=1&page_size=2", [page(*numbered(3), count=2), page(*numbered(3, 4), count=2)]
    )
    assert ids(extract(http_server, landing, BY_KIND)) == [1, 2, 3, 4]
    assert sum("kind=a" in path for path in http_server.paths()) == 1


# Publication ----------------------------------------------------------------------------------------------------------


def test_a_failed_extract_leaves_only_its_partial_folder(http_server: LocalServer, landing: UPath) -> None:
    http_server.route(FIRST, GOOD)
    refused(http_server, landing, ExtractError, ROWS, RestTable("others", "/api/others/"))
    shelf = Path(str(landing)) / "billing"
    assert [path.name for path in shelf.iterdir() if not path.name.startswith(".")] == [f"{EXPORT_ID}.partial"]
    assert [path.name for path in (shelf / f"{EXPORT_ID}.partial").iterdir()] == ["rows.jsonl"]
    http_server.route("/api/others/?page=1&page_size=2", GOOD)
    assert ids(extract(http_server, landing, ROWS, RestTable("others", "/api/others/")), "others") == [1]
    assert [path.name for path in shelf.iterdir() if not path.name.startswith(".")] == [EXPORT_ID]


def test_an_export_is_never_replaced(http_server: LocalServer, landing: UPath) -> None:
    http_server.route(FIRST, GOOD)
    done = extract(http_server, landing)
    before = (done.folder / "manifest.json").read_bytes()
    with pytest.raises(SetupError, match="exists already"):
        extract(http_server, landing)
    assert (done.folder / "manifest.json").read_bytes() == before


def test_an_object_store_gets_the_export_too(http_server: LocalServer) -> None:
    http_server.route(FIRST, GOOD)
    landing = UPath("memory://extract-rest/landing")
    done = extract(http_server, landing)
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
def test_a_wrong_setting_is_named(http_server: LocalServer, variable: str, value: str) -> None:
    with pytest.raises(ExtractConfigError) as caught:
        RestConfig.from_environment(VARIABLES, settings(http_server, **{variable: value}))
    assert variable in caught.value.problem
    assert TOKEN not in repr(caught.value)


def test_the_settings_show_no_token(http_server: LocalServer) -> None:
    config = RestConfig.from_environment(VARIABLES, settings(http_server))
    assert TOKEN not in repr(config)
    assert config.authorization.reveal() == f"Bearer {TOKEN}"
