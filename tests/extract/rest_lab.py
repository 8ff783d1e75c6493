"""A legacy REST interface of the tests' own, and extracts from it."""

import json
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from migration.exports.find import list_exports
from migration.extract.extracted import Extracted
from migration.extract.rest import (
    RestClient,
    RestConfig,
    Variables,
)
from migration.extract.rest_export import RestTable, extract_rest
from tests.http_server import LocalServer, Reply

TOKEN = "canary-tok3n-b1ll"
VARIABLES = Variables("X_URL", "X_TOKEN", "X_SCHEME", "X_SIZE", "X_TIMEOUT")
STARTED = datetime(2026, 2, 25, 19, 0, 7, tzinfo=UTC)
EXPORT_ID = "20260225T190007Z"
FIRST = "/api/rows/?page=1&page_size=2"
SECOND = "/api/rows/?page=2&page_size=2"
ROWS = RestTable("rows", "/api/rows/")
BY_KIND = RestTable("rows", "/api/rows/", ({"kind": "a"}, {"kind": "b"}), rest_unfiltered=True)

Waits = list[float]


def page(*rows: Any, count: int | None = None, link: str | None = None, **other: Any) -> Reply:
    """A page as the interface answers with it."""
    content = {"count": count, "next": link, "previous": None, "results": list(rows), **other}
    return Reply(body=json.dumps(content).encode(), headers={"Content-Type": "application/json"})


def numbered(*ids: Any) -> list[dict[str, Any]]:
    return [{"id": each} for each in ids]


GOOD = page(*numbered(1), count=1)


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
