"""Reading a table's file in batches, in one pass, with memory bounded by the batch.

Which bytes are rows is decided by the modules of the formats (`json_rows`, `csv_rows`, `parquet_rows`); here their
rows become columns of cells, and what is known of the whole file is gathered on the way.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from migration.errors import ExportFormatError, ManifestMismatch
from migration.exports.blocks import Block
from migration.exports.counting import RecordCounter, TextFormat
from migration.exports.csv_rows import csv_blocks
from migration.exports.find import ExportFile
from migration.exports.json_rows import array_blocks, line_blocks
from migration.exports.line_columns import LineColumns, LineRecords
from migration.exports.parquet_rows import footer_rows, parquet_blocks
from migration.exports.sources import NOT_AN_OBJECT, UNPARSEABLE, SourceTable
from migration.exports.stored import CHUNK_BYTES, StoredFile, file_sha256, storage_errors, whole_lines
from migration.parsing.cells import cell_array, from_json, to_json

BATCH_ROWS = 20_000
BATCH_BYTES = 16 << 20
UNKNOWN_FIELDS_KEPT = 100

T = TypeVar("T")

_TEXT_BLOCKS: dict[TextFormat, Callable[[ExportFile, SourceTable, Iterable[bytes]], Iterator[Block]]] = {
    "json": array_blocks,
    "jsonl": line_blocks,
    "csv": csv_blocks,
}


@dataclass(frozen=True)
class RawBatch:
    """Consecutive rows of a table's file.

    Attributes:
        rows: a frame with `source_row` (int64, 1-based as the contracts count), one text column of cells per declared
            column (null where the row lacks the key), and `malformed` (null for a good row, else one of
            `sources.MALFORMED_KINDS`, and then every cell is null).
        records: the source rows as they are, aligned with `rows`: a dict; the text of a row that does not parse or
            has another number of fields; the value of one that is no object.
    """

    rows: pd.DataFrame = field(repr=False)
    records: Sequence[Any] = field(repr=False)


@dataclass(frozen=True)
class FileFacts:
    """What one pass over a file has found.

    Attributes:
        rows: number of rows, malformed ones included.
        malformed: number of malformed rows.
        counted: the independent count; None when it was not asked for.
        sha256: digest of the file as stored.
        keys_seen: the declared columns that at least one row (or the header) has.
        unknown_fields: keys that are no declared column, sorted, at most the first hundred met.
    """

    rows: int
    malformed: int
    counted: int | None
    sha256: str
    keys_seen: frozenset[str]
    unknown_fields: tuple[str, ...]


class RowReader:
    """One pass over a table's file.

    Args:
        file: the file; where its `sha256` is known, other bytes raise `ManifestMismatch`.
        source: the table it holds.
        chunk_bytes: how much is read at once.
        count: whether to count the records independently as well.
    """

    def __init__(
        self, file: ExportFile, source: SourceTable, *, chunk_bytes: int = CHUNK_BYTES, count: bool = False
    ) -> None:
        self._file = file
        self._source = source
        self._stored = StoredFile(file, chunk_bytes)
        self._counts = count
        self._counted: int | None = None
        self._keys = _Keys(source)
        self._rows = 0
        self._malformed = 0
        self._finished = False

    @property
    def facts(self) -> FileFacts:
        """What the pass has found; only after `blocks`, or `batches` that count, are exhausted."""
        if not self._finished:
            raise RuntimeError("The facts of a file are known only after it has been read to its end.")
        return FileFacts(
            rows=self._rows,
            malformed=self._malformed,
            counted=self._counted,
            sha256=self._stored.sha256,
            keys_seen=frozenset(self._keys.seen),
            unknown_fields=tuple(sorted(self._keys.unknown)),
        )

    def batches(self, batch_rows: int = BATCH_ROWS) -> Iterator[RawBatch]:
        """The rows in batches of at most `batch_rows`, fewer where rows are very long.

        Raises:
            ExportFormatError: the file is not what its name says.
            ManifestMismatch: its bytes are not those recorded of it (told at the end of the iteration).
            MissingSourceFile: it is not there, or no longer at the end of the iteration.
        """
        if self._file.format == "jsonl" and not self._counts and self._source.rename_key is None:
            return self._recorded(self._line_batches(batch_rows))
        return self._batches_of(self.blocks(), batch_rows)

    def blocks(self) -> Iterator[Block]:
        """The rows as they are decoded, without frames; raises as `batches` does."""
        kind = self._file.format
        for block in self._recorded(self._parquet_blocks() if kind == "parquet" else self._text_blocks(kind)):
            self._keys.adopt(block)
            self._rows += len(block.records)
            self._malformed += len(block.malformed)
            yield block
        self._finished = True

    def _batches_of(self, blocks: Iterable[Block], batch_rows: int, first: int = 1) -> Iterator[RawBatch]:
        for records, malformed in _regrouped(blocks, batch_rows):
            yield RawBatch(self._frame(first, records, malformed), records)
            first += len(records)

    def _line_batches(self, batch_rows: int) -> Iterator[RawBatch]:
        """Batches of JSON lines, read as columns wherever the lines are plain."""
        columns = LineColumns(self._source)
        first = 1
        for text in _grouped_lines(whole_lines(self._stored.text_chunks()), batch_rows):
            table = columns.read(text)
            if table is not None:
                yield RawBatch(_framed(first, table), LineRecords(text))
                first += table.num_rows
                continue
            blocks = line_blocks(self._file, self._source, [text], rows_before=first - 1)
            for batch in self._batches_of(blocks, batch_rows, first):
                columns.learn(batch.records)
                yield batch
                first += len(batch.records)

    def _recorded(self, items: Iterator[T]) -> Iterator[T]:
        """The items read from the file, provided that its bytes are those recorded of it."""
        broken: ExportFormatError | None = None
        try:
            yield from items
        except ExportFormatError as error:
            broken = error
        # Bytes that changed since they were recorded explain everything else that is wrong with them.
        self._require_recorded_bytes(read_to_end=broken is None)
        if broken is not None:
            raise broken

    def _text_blocks(self, kind: TextFormat) -> Iterator[Block]:
        chunks = self._stored.text_chunks()
        blocks = _TEXT_BLOCKS[kind]
        if not self._counts:
            yield from blocks(self._file, self._source, chunks)
            return
        counter = RecordCounter(kind, blank_csv_lines=self._source.blank_csv_lines)
        yield from blocks(self._file, self._source, _fed_to(counter, chunks))
        self._counted = counter.count()

    def _parquet_blocks(self) -> Iterator[Block]:
        # Parquet is read from its end, which a stream does not have yet; so it passes through the local disk.
        with tempfile.TemporaryFile() as stream:
            for chunk in self._stored.chunks():
                stream.write(chunk)
            stream.seek(0)
            yield from parquet_blocks(self._file, self._source, stream)
            self._counted = footer_rows(stream) if self._counts else None

    def _require_recorded_bytes(self, *, read_to_end: bool) -> None:
        recorded = self._file.sha256
        if recorded is None:
            return
        if recorded != (self._stored.sha256 if read_to_end else file_sha256(self._file)):
            raise ManifestMismatch(
                f"File {self._file.name} of table {self._file.table} no longer has the recorded sha256 {recorded}.",
                "Exports are immutable: restore the file, or export again under a new id.",
            )
        with storage_errors(self._file):
            if not self._file.path.exists():
                raise FileNotFoundError

    def _frame(self, first: int, records: list[Any], kinds: list[str | None]) -> pd.DataFrame:
        rows = records
        if any(kinds):
            rows = [record if kind is None else None for record, kind in zip(records, kinds, strict=True)]
        nulls = frozenset(self._source.null_tokens_csv) if self._file.format == "csv" else frozenset()
        columns = {"source_row": pa.array(range(first, first + len(rows)), type=pa.int64())}
        columns |= cells_of(self._source, rows, nulls)
        columns["malformed"] = pa.array(kinds, type=pa.string())
        return pa.table(columns).to_pandas()


def _framed(first: int, table: pa.Table) -> pd.DataFrame:
    """The frame of a batch whose rows are all good."""
    rows = table.num_rows
    numbers = pa.array(range(first, first + rows), type=pa.int64())
    malformed = pa.nulls(rows, pa.string())
    return table.add_column(0, "source_row", numbers).append_column("malformed", malformed).to_pandas()


def cells_of(source: SourceTable, records: Sequence[Any], nulls: frozenset[str] = frozenset()) -> dict[str, pa.Array]:
    """The columns of cells of records; what is no object has none.

    Args:
        source: the table that they are rows of.
        records: the records.
        nulls: texts that mean null.
    """
    rows = [record if isinstance(record, dict) else {} for record in records]
    columns = {name: [row.get(name) for row in rows] for name in source.columns}
    return {
        name: cell_array([None if v in nulls else v for v in each] if nulls else each) for name, each in columns.items()
    }


def read_batches(file: ExportFile, source: SourceTable, batch_rows: int = BATCH_ROWS) -> Iterator[RawBatch]:
    """The rows of a table's file in batches; see `RowReader`, which also tells what the whole file was like.

    Args:
        file: the file, best a verified one (`Export.file_for`): then bytes that changed since are noticed.
        source: the table it holds.
        batch_rows: most rows in a batch.

    Raises:
        ExportFormatError: the file is not what its name says.
        ManifestMismatch: its bytes are not those verified; told before the iteration ends.
        MissingSourceFile: it is not there, or vanished before the iteration ended.
    """
    return RowReader(file, source).batches(batch_rows)


def lines_of(batch: RawBatch) -> list[bytes]:
    """The rows of a batch as JSON lines; what is no row is its text, and what means null in CSV stays a text."""
    if isinstance(batch.records, LineRecords):
        return batch.records.lines
    kinds = batch.rows["malformed"].tolist()
    return [_line_of(record, kind) for record, kind in zip(batch.records, kinds, strict=True)]


def _line_of(record: Any, kind: Any) -> bytes:
    is_text = isinstance(record, str) and kind != NOT_AN_OBJECT
    return (record if is_text else to_json(record)).encode()


class LineBatches:
    """Rows that `lines_of` has given, as batches again.

    Args:
        source: the table that they are rows of.
    """

    def __init__(self, source: SourceTable) -> None:
        self._source = source
        self._columns = LineColumns(source)

    def batch(self, source_rows: pa.Array, lines: pa.Array, malformed: pa.Array) -> RawBatch:
        """A batch of rows.

        Args:
            source_rows: numbers of the rows, int64.
            lines: the rows.
            malformed: whether each is no row, but a text.
        """
        texts = lines.to_pylist()
        table = None if pc.call_function("any", [malformed]).as_py() or not texts else self._read(texts)
        records: Sequence[Any] = LineRecords(b"\n".join(texts))
        if table is None:
            kinds = [UNPARSEABLE if bad else None for bad in malformed.to_pylist()]
            records = [line.decode() if bad else from_json(line) for line, bad in zip(texts, kinds, strict=True)]
            self._columns.learn(records)
            table = pa.table(cells_of(self._source, records) | {"malformed": pa.array(kinds, type=pa.string())})
        return RawBatch(table.add_column(0, "source_row", source_rows).to_pandas(), records)

    def _read(self, texts: list[bytes]) -> pa.Table | None:
        table = self._columns.read(b"\n".join(texts))
        return None if table is None else table.append_column("malformed", pa.nulls(len(texts), pa.string()))


class _Keys:
    """The keys met in a file: columns, other spellings of columns, and unknown ones."""

    def __init__(self, source: SourceTable) -> None:
        self._columns = frozenset(source.columns)
        self._ignored = frozenset(source.ignored)
        self._rename_key = source.rename_key
        self._renames: dict[str, str] = {}
        self.seen: set[str] = set()
        self.unknown: set[str] = set()

    def adopt(self, block: Block) -> None:
        """Note the keys of a block's rows, and give those that are another spelling of a column its name."""
        objects = block.records
        if block.malformed:
            objects = [record for at, record in enumerate(block.records) if at not in block.malformed]
        keys: set[str] = set(block.header) if block.header is not None else set().union(*set(map(tuple, objects)))
        self.seen |= keys & self._columns
        for key in sorted(keys - self._columns - self._ignored):
            self._note(key)
        if not self._renames.keys().isdisjoint(keys):
            for record in objects:
                self._rename(record)

    def _note(self, key: str) -> None:
        column = self._rename_key(key) if self._rename_key else key
        if column in self._columns:
            self._renames[key] = column
            self.seen.add(column)
        elif len(self.unknown) < UNKNOWN_FIELDS_KEPT:
            self.unknown.add(key)

    def _rename(self, record: dict[str, Any]) -> None:
        for key in [key for key in record if key in self._renames]:
            record.setdefault(self._renames[key], record.pop(key))


def _fed_to(counter: RecordCounter, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        counter.feed(chunk)
        yield chunk


def _grouped_lines(pieces: Iterable[bytes], batch_rows: int) -> Iterator[bytes]:
    """Whole lines in groups of at most `batch_rows`, unless one piece alone has more."""
    group: list[bytes] = []
    lines = size = 0
    for piece in pieces:
        more = piece.count(b"\n")
        if group and (lines + more > batch_rows or size + len(piece) > BATCH_BYTES):
            yield b"".join(group)
            group, lines, size = [], 0, 0
        group.append(piece)
        lines, size = lines + more, size + len(piece)
    if group:
        yield b"".join(group)


def _regrouped(blocks: Iterable[Block], batch_rows: int) -> Iterator[tuple[list[Any], list[str | None]]]:
    """The rows of blocks and their kinds of malformation, in groups of at most `batch_rows` rows."""
    records: list[Any] = []
    kinds: list[str | None] = []
    size = 0
    for block in blocks:
        records += block.records
        kinds += (
            [block.malformed.get(at) for at in range(len(block.records))]
            if block.malformed
            else [None] * len(block.records)
        )
        size += block.size
        start = 0
        while len(records) - start >= batch_rows or (size >= BATCH_BYTES and start < len(records)):
            yield records[start : start + batch_rows], kinds[start : start + batch_rows]
            start += batch_rows
        if start:
            records, kinds, size = records[start:], kinds[start:], 0
    if records:
        yield records, kinds
