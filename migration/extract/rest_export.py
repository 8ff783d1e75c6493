"""From a legacy system's REST interface to a published export: every list complete, every row as it came.

Pages shift while the legacy system goes on: rows come twice, and rows can be missed. So a list counts as complete only
with as many distinct rows as the server says that it has, and is fetched once more before the extract gives up. Rows
that came twice stay in the export, where the load merges them.
"""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO

import msgspec
from upath import UPath

from migration.exports.writing import ExportTable, WrittenFile, publication, write_manifest, write_table
from migration.extract.extracted import Extracted, ExtractedTable, Progress
from migration.extract.landing import require_new, sole_extract
from migration.extract.rest import ExtractError, RestClient, Row

_NOT_FOUND = 404
_ALL: tuple[Mapping[str, str], ...] = ({},)


@dataclass(frozen=True)
class RestTable:
    """A table and the lists that it is put together from.

    Attributes:
        name: of the table.
        path: of its list, with all slashes.
        queries: what restricts the list; more than one are fetched one after the other.
        rest_unfiltered: whether the list is compared with its unrestricted count, and rows that no query has found
            are fetched without one.
        optional: whether the server may lack the list.
    """

    name: str
    path: str
    queries: tuple[Mapping[str, str], ...] = _ALL
    rest_unfiltered: bool = False
    optional: bool = False


@dataclass
class _Collected:
    """The rows of one table, on disk, and what tells them apart.

    Attributes:
        spool: their lines.
        rows: how many there are.
        identities: those of the lists that are complete.
    """

    spool: IO[bytes]
    rows: int = 0
    identities: set[int | bytes] = field(default_factory=set)

    def add(self, row: Row) -> None:
        self.spool.write(row.line + b"\n")
        self.rows += 1

    def lines(self) -> Iterator[msgspec.Raw]:
        self.spool.seek(0)
        return (msgspec.Raw(line[:-1]) for line in self.spool)


def extract_rest(
    client: RestClient,
    system: str,
    tables: Iterable[RestTable],
    landing: UPath,
    export_id: str,
    started: datetime,
    *,
    progress: Progress = lambda table, rows, total: None,
) -> Extracted:
    """Fetch a system's tables and publish them as an export of JSON lines, whole or not at all.

    What an extract that failed has fetched stays in `<export_id>.partial`, which no reader of the landing zone sees.

    Args:
        client: asks the server.
        system: the system's name.
        tables: what to fetch.
        landing: the landing zone.
        export_id: name of the new export.
        started: the moment of the export, with its time zone.
        progress: called with a table, its rows so far, and how many the server says there are.

    Raises:
        ExtractError: a list is incomplete in both tries, or the server refused or misled.
        ExtractAuthError: the server does not accept the token.
        ExtractUnavailable: the server failed in all tries.
        SetupError: the export id or a setting is wrong, or the export exists.
        TransientError: another extract of the system is at work.
    """
    shelf = landing / system
    require_new(shelf, export_id)
    final = shelf / export_id
    staging = shelf / f"{export_id}.partial"
    job = _Job(client, progress)
    with sole_extract(shelf, system), publication(final, staging, private=True, keep_failed=True) as folder:
        for table in tables:
            job.take(table, folder)
        write_manifest(folder, system, started, job.files, job.warnings)
    return Extracted(export_id, final, started, tuple(job.written), tuple(job.left_out), tuple(job.warnings))


class _Job:
    """The work of one extract, table after table."""

    def __init__(self, client: RestClient, progress: Progress) -> None:
        self._client = client
        self._progress = progress
        self.files: list[WrittenFile] = []
        self.written: list[ExtractedTable] = []
        self.left_out: list[str] = []
        self.warnings: list[str] = []

    def take(self, table: RestTable, folder: UPath) -> None:
        """Fetch a table and write its file."""
        started = time.perf_counter()
        with tempfile.TemporaryFile() as spool:
            collected = _Collected(spool)
            try:
                self._collect(table, collected)
            except ExtractError as error:
                if not (table.optional and error.status == _NOT_FOUND):
                    raise
                self.left_out.append(table.name)
                return
            file = write_table(folder, ExportTable(table.name, (), collected.lines), format="jsonl")
        self.files.append(file)
        size, seconds = (folder / file.name).stat().st_size, round(time.perf_counter() - started, 3)
        self.written.append(ExtractedTable(table.name, file.name, file.rows, size, seconds))

    def _collect(self, table: RestTable, collected: _Collected) -> None:
        for query in table.queries:
            self._complete_list(table, query, collected)
        if table.rest_unfiltered:
            self._remaining(table, collected)

    def _complete_list(
        self,
        table: RestTable,
        query: Mapping[str, str],
        collected: _Collected,
        wanted: Callable[[Row], bool] | None = None,
    ) -> None:
        """Add the rows of a list that are wanted, all of them by default; fetch it once more if it is incomplete."""
        start, rows = collected.spool.tell(), collected.rows
        for again in (False, True):
            found, count = self._fetch(table, query, collected, wanted)
            if count is None or len(found) >= count:
                collected.identities |= found
                return
            if not again:
                self.warnings.append(f"{table.name}: got {len(found)} distinct ids, API says {count}; fetched again")
                collected.spool.seek(start)
                collected.spool.truncate()
                collected.rows = rows
        raise ExtractError(
            f"{table.name}: got {len(found)} distinct ids, API says {count}.",
            "Extract again while the legacy system is quiet; nothing was published.",
        )

    def _fetch(
        self, table: RestTable, query: Mapping[str, str], collected: _Collected, wanted: Callable[[Row], bool] | None
    ) -> tuple[set[int | bytes], int | None]:
        """One pass over a list: the identities of its rows, and how many its last page says that it has."""
        found: set[int | bytes] = set()
        before, count = collected.rows, None
        for page in self._client.pages(table.name, table.path, query):
            for row in page.rows:
                found.add(row.identity)
                if wanted is None or wanted(row):
                    collected.add(row)
            count = page.count
            self._progress(table.name, collected.rows, max(collected.rows, before + (count or 0)))
        return found, count

    def _remaining(self, table: RestTable, collected: _Collected) -> None:
        """Add the rows that no query has found, if the whole list has another number of rows than was found."""
        first = next(self._client.pages(table.name, table.path, {}))
        count = len({row.identity for row in first.rows}) if first.count is None else first.count
        found = len(collected.identities)
        if count == found:
            return
        known, rows = frozenset(collected.identities), collected.rows
        self._complete_list(table, {}, collected, lambda row: row.identity not in known)
        self.warnings.append(
            f"{table.name}: the lists by {', '.join(sorted({name for query in table.queries for name in query}))} have "
            f"{found} distinct ids, the unfiltered list says {count}; {collected.rows - rows} of its rows were added"
        )
