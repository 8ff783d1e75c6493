"""From a legacy database to a published export: stream each table into its file, count again, publish in one step."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from upath import UPath

from migration.errors import EmptySource
from migration.exports.find import Format
from migration.exports.sources import SourceTable
from migration.exports.writing import (
    ExportTable,
    publication,
    write_manifest,
    write_table,
)
from migration.extract.extracted import Extracted, ExtractedTable, Progress
from migration.extract.failures import LegacyCountMismatch
from migration.extract.landing import hidden_staging, require_new, sole_extract
from migration.extract.plan import LegacyTable, plan_export
from migration.extract.snapshot import Snapshot, open_snapshot, server_of
from migration.extract.values import Tally

_FIRST_ROWS, _MOST_ROWS = 100, 2_000
_BATCH_BYTES = 4 << 20


@dataclass(frozen=True)
class Shape:
    """What the files of an export look like.

    Attributes:
        format: their format.
        gzip: whether they are compressed.
        all_columns: whether columns that no source declares are exported as well.
    """

    format: Format = "jsonl"
    gzip: bool = True
    all_columns: bool = False


def extract_export(
    url: str,
    system: str,
    sources: Iterable[SourceTable],
    landing: UPath,
    export_id: str,
    *,
    shape: Shape | None = None,
    progress: Progress = lambda table, rows, total: None,
) -> Extracted:
    """Read a system's tables from a legacy database and publish them as an export, whole or not at all.

    All tables are read in one read-only snapshot. What an earlier extract that was killed has left is removed.

    Args:
        url: the legacy database.
        system: the system's name.
        sources: its tables.
        landing: the landing zone.
        export_id: name of the new export.
        shape: what the files look like; None means gzipped JSON lines of the declared columns.
        progress: called with a table, its rows written so far, and all its rows.

    Raises:
        SetupError: the URL, the user, a right or the export id is wrong, or the export exists.
        LegacyTableMissing, SchemaDriftError, AmbiguousSource: the database is not as the sources declare it; nothing
            was written.
        EmptySource: a table that is never empty has no rows.
        LegacyCountMismatch: the rows written are not as many as the database counts.
        LegacyUnavailable, TransientError: the server was lost, or another extract of the system is at work.
    """
    server = server_of(url)
    shelf = landing / system
    require_new(shelf, export_id)
    final = shelf / export_id
    with sole_extract(shelf, system), open_snapshot(server) as snapshot:
        job = _Extract(snapshot, shape or Shape(), progress)
        job.read_catalog(list(sources))
        with publication(final, hidden_staging(final), private=True) as folder:
            job.write(folder, system)
    return Extracted(
        export_id, final, snapshot.taken_at, tuple(job.written), tuple(job.plan.left_out), tuple(job.notes)
    )


class _Extract:
    """The work of one extract, table after table."""

    def __init__(self, snapshot: Snapshot, shape: Shape, progress: Progress) -> None:
        self._snapshot = snapshot
        self._shape = shape
        self._progress = progress
        self.written: list[ExtractedTable] = []
        self.notes: list[str] = []

    def read_catalog(self, sources: list[SourceTable]) -> None:
        """Decide what is exported, and from then on take values as they are."""
        server, connection = self._snapshot.server, self._snapshot.connection
        self.plan = plan_export(connection, server.place, sources, all_columns=self._shape.all_columns)
        for schema in {table.schema for table in self.plan.tables}:
            names = [table.name for table in self.plan.tables if table.schema == schema]
            self.notes += [
                f"{name}: its storage engine knows no snapshot; rows changed during the extract may not fit the rest"
                for name in server.without_snapshot(connection, schema, names)
            ]
        server.give_raw(connection)

    def write(self, folder: UPath, system: str) -> None:
        """Write every table and the manifest."""
        files = []
        for table in self.plan.tables:
            started = time.perf_counter()
            reader = _TableReader(self._snapshot, table, self._progress)
            shape = self._shape
            file = write_table(folder, reader.as_export(), format=shape.format, gzip=shape.gzip)
            _require_count(table, file.rows, reader.total, self._snapshot.server.place)
            files.append(file)
            size = (folder / file.name).stat().st_size
            seconds = round(time.perf_counter() - started, 3)
            self.written.append(ExtractedTable(table.stem, file.name, file.rows, size, seconds))
            self.notes += reader.notes()
        write_manifest(folder, system, self._snapshot.taken_at, files)


class _TableReader:
    """One pass over a legacy table.

    Attributes:
        total: how many rows the database counts in the snapshot.
    """

    def __init__(self, snapshot: Snapshot, table: LegacyTable, progress: Progress) -> None:
        self._snapshot = snapshot
        self._table = table
        self._progress = progress
        self._tallies = {column.name: Tally() for column in table.columns}
        self.total = 0

    def as_export(self) -> ExportTable:
        """The table as the writers of the formats take it."""
        return ExportTable(self._table.stem, tuple(column.name for column in self._table.columns), self._records)

    def notes(self) -> list[str]:
        """What became of values that could not be written as they are."""
        notes = []
        for name, tally in self._tallies.items():
            place = f"{self._table.stem}.{name}"
            if tally.encoded:
                notes.append(f"{place}: binary values written as base64: {tally.encoded}")
            if tally.mended:
                notes.append(f"{place}: texts with bytes that are not UTF-8, which are now U+FFFD: {tally.mended}")
        return notes

    def _records(self) -> Iterator[dict[str, Any]]:
        connection, server, table = self._snapshot.connection, self._snapshot.server, self._table
        self.total = _count(connection, table)
        cells = [(c.name, server.converter(c.kind, self._tallies[c.name])) for c in table.columns]
        source = _from(table)
        columns = [server.expression(source.c[column.legacy], column.kind) for column in table.columns]
        query = sa.select(*columns).order_by(*(source.c[name] for name in table.key))
        done = 0
        for rows in _batches(connection.execution_options(stream_results=True).execute(query)):
            for row in rows:
                yield {
                    name: None if value is None else convert(value)
                    for (name, convert), value in zip(cells, row, strict=True)
                }
            done += len(rows)
            self._progress(table.stem, done, self.total)


def _batches(result: sa.CursorResult[Any]) -> Iterator[Sequence[Any]]:
    """The rows in batches of about the same number of bytes, whatever the size of a row."""
    size = _FIRST_ROWS
    while rows := result.fetchmany(size):
        yield rows
        taken = sum(len(value) for row in rows for value in row if isinstance(value, str | bytes))
        size = max(1, min(_MOST_ROWS, _BATCH_BYTES * len(rows) // (taken + 1)))


def _from(table: LegacyTable) -> sa.TableClause:
    """The table with columns of no type: SQLAlchemy's conversions would stand between the driver's values and ours."""
    names = dict.fromkeys((*(column.legacy for column in table.columns), *table.key))
    return sa.table(table.name, *map(sa.column, names), schema=table.schema)


def _count(connection: sa.Connection, table: LegacyTable) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(_from(table))).scalar_one())


def _require_count(table: LegacyTable, written: int, counted: int, place: str) -> None:
    if written != counted:
        raise LegacyCountMismatch(
            f"{place}: of table {table.stem} {written} rows were read, but the database counts {counted}.",
            "Extract again while nobody writes to the table; nothing was published.",
        )
    if not written and not table.may_be_empty:
        raise EmptySource(
            f"{place}: table {table.stem} has no rows, although it is never empty.",
            "Check that the URL names the right database; nothing was published.",
        )
