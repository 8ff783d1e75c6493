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
def test_a_failure_that_passes_is_tried_again(http_server: LocalServer, landing: UPath, failure: Reply) -> None:
    http_server.route(FIRST, [failure, failure, GOOD])
    waits: Waits = []
    assert ids(extract(http_server, landing, waits=waits)) == [1]
    assert waits == [1, 2]


def test_five_tries_and_no_more(http_server: LocalServer, landing: UPath, caplog: pytest.LogCaptureFixture) -> None:
    http_server.route(FIRST, Reply(502))
    waits: Waits = []
    with caplog.at_level(logging.DEBUG):
        said = refused(http_server, landing, ExtractUnavailable, waits=waits)
    assert "HTTP 502 at /api/rows/, 5 times" in said
    assert waits == [1, 2, 4, 8]
    assert len(http_server.seen) == 5
    assert len([record for record in caplog.records if "try 5 of 5" in record.getMessage()]) == 1
    assert TOKEN not in caplog.text


def test_nobody_listens(landing: UPath, unused_port: int, http_server: LocalServer) -> None:
    waits: Waits = []
    with pytest.raises(TransientError, match="5 times"):
        extract(http_server, landing, waits=waits, X_URL=f"http://127.0.0.1:{unused_port}")
    assert len(waits) == 4


@pytest.mark.parametrize(("asked", "waited"), [("7", 7), ("0", 0), ("3600", 60), ("soon", 1)])
def test_retry_after_wins_up_to_a_minute(http_server: LocalServer, landing: UPath, asked: str, waited: float) -> None:
    http_server.route(FIRST, [Reply(429, headers={"Retry-After": asked}), GOOD])
    waits: Waits = []
    extract(http_server, landing, waits=waits)
    assert waits == [waited]


def test_each_page_has_its_own_tries(http_server: LocalServer, landing: UPath) -> None:
    http_server.route(FIRST, [Reply(500), page(*numbered(1), count=2, link=http_server.url(SECOND))])
    http_server.route(SECOND, [Reply(500), page(*numbered(2), count=2)])
    waits: Waits = []
    assert ids(extract(http_server, landing, waits=waits)) == [1, 2]
    assert waits == [1, 1]


# Failures that stay ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_expires_on_the_way_stops_at_once(http_server: LocalServer, landing: UPath, status: int) -> None:
    http_server.route(FIRST, page(*numbered(1), count=2, link=http_server.url(SECOND)))
    http_server.route(SECOND, Reply(status, body=b'{"detail": "expired"}'))
    said = refused(http_server, landing, ExtractAuthError)
    assert f"HTTP {status} at /api/rows/" in said
    assert "X_TOKEN" in said
    assert len(http_server.seen) == 2


@pytest.mark.parametrize("status", [400, 404, 410, 301])
def test_any_other_status_stops_with_status_and_path(http_server: LocalServer, landing: UPath, status: int) -> None:
    http_server.route(FIRST, Reply(status))
    assert f"rows: HTTP {status} at /api/rows/." in refused(http_server, landing, ExtractError)
    assert len(http_server.seen) == 1


@pytest.mark.parametrize(
    "body",
    [b"<html>log in</html>", b'{"detail": "x"}', b'{"results": {}}', b'{"results": [], "count": "2"}', b"\xff", b"7"],
)
def test_what_is_no_page_is_refused(http_server: LocalServer, landing: UPath, body: bytes) -> None:
    http_server.route(FIRST, Reply(body=body))
    assert "did not answer with a page" in refused(http_server, landing, ExtractError)
    assert len(http_server.seen) == 1


def test_an_optional_list_may_be_missing(http_server: LocalServer, landing: UPath) -> None:
    http_server.route(FIRST, GOOD)
    optional = RestTable("days", "/api/days/", optional=True)
    done = extract(http_server, landing, ROWS, optional)
    assert done.left_out == ("days",)
    assert [file["name"] for file in manifest(done)["files"]] == ["rows.jsonl"]
    http_server.route("/api/days/?page=1&page_size=2", Reply(410))
    with pytest.raises(ExtractError, match="HTTP 410"):
        extract_rest(
            RestClient(RestConfig.from_environment(VARIABLES, settings(http_server))),
            *("billing", [optional], landing, "20260225T190008Z", STARTED),
        )
