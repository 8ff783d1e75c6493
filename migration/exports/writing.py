"""Writing an export: the four file formats, compression, the manifest and the atomic publication.

Records stream from a generator into the file; only the digest and the number of rows are kept, and what is buffered is
bounded in rows and in bytes. In JSON a record is written as it is, whatever its type. CSV and Parquet have text cells
only; how a value becomes one is the caller's choice.
"""

import csv
import gzip as gzip_module
import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from migration.exports.manifest import MANIFEST_NAME

Record = Any
Cell = Callable[[Any], str | None]

_BATCH_ROWS = 5_000
_BATCH_BYTES = 8 << 20
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_LOCAL_PROTOCOLS = ("", "file", "local")


@dataclass(frozen=True)
class ExportTable:
    """One table of an export that is being written.

    Attributes:
        stem: the file's name without its extensions, with its sub-folder if it has one.
        columns: the columns in the order of a CSV header.
        records: the records, from the start at every call.
    """

    stem: str
    columns: tuple[str, ...]
    records: Callable[[], Iterator[Record]]


@dataclass(frozen=True)
class WrittenFile:
    """A file as the manifest lists it."""

    name: str
    sha256: str
    rows: int


class _Digest(io.RawIOBase):
    """Passes bytes on and hashes what has passed."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._sha256 = hashlib.sha256()
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        chunk = bytes(data)
        self._sha256.update(chunk)
        self._target.write(chunk)
        self._position += len(chunk)
        return len(chunk)

    def tell(self) -> int:
        return self._position

    def hexdigest(self) -> str:
        return self._sha256.hexdigest()


# --- folders ----------------------------------------------------------------------------------------------------------


def is_export_id(text: str) -> bool:
    """Whether a text can be an export id: one plain folder name that readers of a landing zone do not pass over."""
    plain = text.isprintable() and not set(text) & set("/\\")
    return bool(text) and plain and not text.startswith(".") and not text.endswith(".partial")


def is_local(path: UPath) -> bool:
    """Whether a path is on a file system, which can rename a folder, and not in an object store."""
    return path.protocol in _LOCAL_PROTOCOLS


@contextmanager
def publication(final: UPath, staging: UPath, *, private: bool = False, keep_failed: bool = False) -> Iterator[UPath]:
    """A folder to write an export into, which no reader sees before the block has ended without an error.

    On a file system it then appears by one rename. Object stores cannot rename a folder: there the files are copied
    into place inside the store, the manifest last, which is what completes an export.

    Args:
        final: the folder that the export will be.
        staging: the folder to write into, beside it, of a name that readers pass over; what is in it is removed.
        private: close the folder to other accounts, where the file system can.
        keep_failed: leave the staging folder as it is when the block ends with an error, for somebody to look at.

    Raises:
        FileExistsError: the export is there already; a published export is never touched.
    """
    _require_absent(final)
    remove_folder(staging)
    staging.mkdir(parents=True, mode=0o700 if private else 0o777)
    try:
        yield staging
        _require_absent(final)
        if is_local(final):
            _bring_to_disk(Path(staging.path))
            staging.rename(final)
            _sync(Path(final.path).parent)
        else:
            _copy_into_place(staging, final)
    except BaseException:
        if not keep_failed:
            remove_folder(staging)
        raise
    remove_folder(staging)


def remove_folder(folder: UPath) -> None:
    """Remove a folder with all that is in it, if it is there."""
    if not folder.exists():
        return
    if is_local(folder):
        shutil.rmtree(folder.path)
    else:
        folder.fs.rm(folder.path, recursive=True)


def _require_absent(final: UPath) -> None:
    if final.exists():
        raise FileExistsError(f"Export {final.name} of {final.parent.name} exists already; exports are immutable.")


def _bring_to_disk(folder: Path) -> None:
    """A power cut after the rename must not leave an export with empty files."""
    for path in (*folder.rglob("*"), folder):
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy_into_place(staging: UPath, final: UPath) -> None:
    store = final.fs
    names = [path.removeprefix(staging.path).lstrip("/") for path in store.find(staging.path)]
    try:
        for name in sorted(names, key=lambda name: (name == MANIFEST_NAME, name)):
            target = final / name
            store.makedirs(target.parent.path, exist_ok=True)
            store.cp_file((staging / name).path, target.path)
    except BaseException:
        remove_folder(final)
        raise


# --- files ------------------------------------------------------------------------------------------------------------


def exact_cell(value: Any) -> str | None:
    """A value as a text cell of CSV or Parquet holds it, nothing of it lost; None is an empty cell.

    Decimals keep their digits and have no exponent, booleans are `true` and `false`, arrays and objects their JSON
    text.
    """
    if isinstance(value, str):
        return without_surrogates(value)
    if value is None:
        return None
    if isinstance(value, bool | list | dict):
        return _ENCODER.encode(value).decode()
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def without_surrogates(text: str) -> str:
    """A text that UTF-8 can hold: each unpaired surrogate is now U+FFFD."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def write_table(
    folder: UPath, table: ExportTable, *, format: str, gzip: bool = False, cell: Cell = exact_cell
) -> WrittenFile:
    """Write one table's records to its file.

    Args:
        folder: an existing folder.
        table: the table.
        format: one of `migration.exports.find.FORMATS`.
        gzip: compress the file.
        cell: makes the text cells of CSV and Parquet.

    Returns:
        The file's name, digest and number of rows.
    """
    name = f"{table.stem}.{format}{'.gz' if gzip else ''}"
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as target:
        digest = _Digest(target)
        if gzip:
            # A name or a time in the header would give the same records other bytes.
            with gzip_module.GzipFile(filename="", mode="wb", fileobj=digest, compresslevel=6, mtime=0) as packed:
                rows = _WRITERS[format](packed, table, cell)
        else:
            rows = _WRITERS[format](digest, table, cell)
    return WrittenFile(name, digest.hexdigest(), rows)


def write_manifest(
    folder: UPath,
    system: str,
    exported_at: datetime,
    files: Iterable[WrittenFile],
    warnings: Iterable[str] | None = None,
) -> None:
    """Write the manifest, which makes the folder a complete export.

    Args:
        folder: the folder that holds the files.
        system: the legacy system's name.
        exported_at: when the export was taken, in UTC.
        files: the files.
        warnings: what a reader should know of the rows; None leaves the entry out.
    """
    content: dict[str, Any] = {
        "system": system,
        "exported_at": exported_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "files": [{"name": f.name, "sha256": f.sha256, "rows": f.rows} for f in files],
    }
    if warnings is not None:
        content["warnings"] = list(warnings)
    (folder / MANIFEST_NAME).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


# --- formats ----------------------------------------------------------------------------------------------------------


def _encode(record: Record) -> bytes:
    try:
        return _ENCODER.encode(record)
    except UnicodeEncodeError:
        # Half an emoji has no UTF-8; legacy exporters write it as the escape of one surrogate.
        return _encode_escaped(record)


def _encode_escaped(record: Record) -> bytes:
    halves: list[str] = []

    def mark(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        halves.extend(_LONE_SURROGATE.findall(value))
        return _LONE_SURROGATE.sub("\ue000", value)

    text = _ENCODER.encode({key: mark(value) for key, value in record.items()}).decode()
    for half in halves:
        text = text.replace("\ue000", f"\\u{ord(half):04x}", 1)
    return text.encode()


def _batches(pieces: Iterable[Any], size_of: Callable[[Any], int]) -> Iterator[list[Any]]:
    """Pieces in lists that are bounded in number and in size."""
    batch: list[Any] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += size_of(piece)
        if len(batch) >= _BATCH_ROWS or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _write_json(target: Any, table: ExportTable, cell: Cell) -> int:
    del cell
    rows = 0
    target.write(b"[")
    for batch in _batches(map(_encode, table.records()), len):
        target.write((b",\n" if rows else b"\n") + b",\n".join(batch))
        rows += len(batch)
    target.write(b"\n]\n")
    return rows


def _write_jsonl(target: Any, table: ExportTable, cell: Cell) -> int:
    del cell
    rows = 0
    for batch in _batches(map(_encode, table.records()), len):
        target.write(b"\n".join(batch) + b"\n")
        rows += len(batch)
    return rows


def _text_batches(table: ExportTable, cell: Cell) -> Iterator[list[list[str | None]]]:
    """The records as rows of text cells; one that is no object has its row, of empty cells."""

    def cells(record: Record) -> list[str | None]:
        values: Mapping[str, Any] = record if isinstance(record, dict) else {}
        return [cell(values.get(column)) for column in table.columns]

    return _batches(map(cells, table.records()), lambda row: sum(len(text) for text in row if text))


def _write_csv(target: Any, table: ExportTable, cell: Cell) -> int:
    rows = 0
    # Spreadsheets put a BOM before their CSV, so readers have to cope with one.
    target.write(b"\xef\xbb\xbf")
    buffer = io.StringIO(newline="")
    # The writer quotes a lone CR or LF only where it is part of its own line end.
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(table.columns)
    for batch in _text_batches(table, cell):
        writer.writerows(batch)
        target.write(buffer.getvalue().encode())
        buffer.seek(0)
        buffer.truncate()
        rows += len(batch)
    target.write(buffer.getvalue().encode())
    return rows


def _write_parquet(target: Any, table: ExportTable, cell: Cell) -> int:
    rows = 0
    schema = pa.schema([pa.field(column, pa.string()) for column in table.columns])
    with pq.ParquetWriter(pa.PythonFile(target, mode="w"), schema) as writer:
        for batch in _text_batches(table, cell):
            arrays = [pa.array(column, type=pa.string()) for column in zip(*batch, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            rows += len(batch)
    return rows


_WRITERS: dict[str, Callable[[Any, ExportTable, Cell], int]] = {
    "json": _write_json,
    "jsonl": _write_jsonl,
    "csv": _write_csv,
    "parquet": _write_parquet,
}
