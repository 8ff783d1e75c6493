"""A legacy REST interface that fails, for a while or for good."""

import logging

import pytest
from upath import UPath

from migration.errors import TransientError
from migration.extract.rest import (
    ExtractAuthError,
    ExtractError,
    ExtractUnavailable,
    RestClient,
    RestConfig,
)
from migration.extract.rest_export import RestTable, extract_rest
from tests.extract.rest_lab import (
    FIRST,
    GOOD,
    ROWS,
    SECOND,
    STARTED,
    TOKEN,
    VARIABLES,
    Waits,
    extract,
    ids,
    manifest,
    numbered,
    page,
    refused,
    settings,
)
from tests.http_server import LocalServer, Reply

# Failures that pass ---------------------------------------------------------------------------------------------------


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
        Reply(body='[{"id": 1, "name": "ঢ'.encode()[:-1], length=-1),
        Reply(length=-1),
    ],
    ids=[
        *("500", "503", "429", "timeout", "cut off", "broken JSON", "cut chunk", "cut without a length"),
        *("cut within a letter", "nothing"),
    ],
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
    [b"<html>log in</html>", b'{"detail": "x"}', b'{"results": {}}', b'{"results": [], "count": "2"}', b"\xff", b"7"],
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
