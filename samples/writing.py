"""Writing an export: the four file formats, compression, the manifest and the atomic publication.

Records stream from a generator into the file; only the digest and the number of rows are kept. In JSON a record is
written as it is, whatever its type. CSV and Parquet have text cells only: numbers are written digit by digit (whole
decimals without their point), and what such a cell cannot hold is empty: booleans, arrays, objects, and every cell of a
record that is no object, whose row stays in its place.
"""

import csv
import gzip as gzip_module
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import IO, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

FORMATS = ("json", "jsonl", "csv", "parquet")
MANIFEST = "manifest.json"

Record = Any

_BATCH = 5_000
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_LOCAL_PROTOCOLS = ("", "file", "local")


@dataclass(frozen=True)
class SampleSpec:
    """What a sample is made from; equal specs give equal bytes.

    Attributes:
        seed: chooses among the samples.
        scale: 1 is the real volume.
        exported_at: when the legacy system wrote the export.
        edition: 0 is the first export, 1 the one that follows it.
    """

    seed: int
    scale: Decimal
    exported_at: datetime
    edition: int


@dataclass(frozen=True)
class SampleTable:
    """One table of an export.

    Attributes:
        stem: the file's name without its extensions.
        columns: the columns in the order of a CSV header.
        records: the records, from the start at every call.
    """

    stem: str
    columns: tuple[str, ...]
    records: Callable[[], Iterator[Record]]


@dataclass(frozen=True)
class SampleSystem:
    """A legacy system that samples are made of.

    Attributes:
        name: folder of its exports in the landing zone.
        tables: the tables of one sample.
    """

    name: str
    tables: Callable[[SampleSpec], list[SampleTable]]


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


def publish(
    system: SampleSystem, landing: UPath, export_id: str, spec: SampleSpec, *, format: str, gzip: bool
) -> UPath:
    """Write a sample so that no reader ever sees half of it.

    Args:
        system: whose export it is.
        landing: the landing zone.
        export_id: name of the export folder.
        spec: what the sample is made from.
        format: one of `FORMATS`.
        gzip: compress every table's file.

    Returns:
        The published folder.

    Raises:
        FileExistsError: the export is there already.
        ValueError: unknown format, or an export id that is no plain visible folder name.
    """
    if format not in FORMATS:
        raise ValueError(f"There is no format {format!r}. Known: {', '.join(FORMATS)}.")
    if not export_id or export_id.startswith(".") or "/" in export_id or export_id.endswith(".partial"):
        raise ValueError(f"{export_id!r} is no export id: readers of a landing zone would pass it over.")
    final = landing / system.name / export_id
    if final.exists():
        raise FileExistsError(f"Export {export_id} of {system.name} exists already; exports are immutable.")
    with _publication(final) as folder:
        files = [write_table(folder, table, format=format, gzip=gzip) for table in system.tables(spec)]
        write_manifest(folder, system.name, spec.exported_at, files)
    return final


def write_table(folder: UPath, table: SampleTable, *, format: str, gzip: bool = False) -> WrittenFile:
    """Write one table's records to its file.

    Args:
        folder: an existing folder.
        table: the table.
        format: one of `FORMATS`.
        gzip: compress the file.

    Returns:
        The file's name, digest and number of rows.
    """
    name = f"{table.stem}.{format}{'.gz' if gzip else ''}"
    with (folder / name).open("wb") as target:
        digest = _Digest(target)
        if gzip:
            # A name or a time in the header would give the same records other bytes.
            with gzip_module.GzipFile(filename="", mode="wb", fileobj=digest, compresslevel=6, mtime=0) as packed:
                rows = _WRITERS[format](packed, table)
        else:
            rows = _WRITERS[format](digest, table)
    return WrittenFile(name, digest.hexdigest(), rows)


def write_manifest(folder: UPath, system: str, exported_at: datetime, files: Iterable[WrittenFile]) -> None:
    """Write the manifest, which makes the folder a complete export."""
    content = {
        "system": system,
        "exported_at": exported_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "files": [{"name": f.name, "sha256": f.sha256, "rows": f.rows} for f in files],
    }
    (folder / MANIFEST).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def text_cell(value: Any) -> str | None:
    """A legacy value as a text cell of CSV or Parquet holds it; None is an empty cell."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if value is None or isinstance(value, bool | list | dict):
        return None
    if isinstance(value, Decimal):
        return f"{value.to_integral_value():f}" if value == value.to_integral_value() else f"{value:f}"
    return str(value)


@contextmanager
def _publication(final: UPath) -> Iterator[UPath]:
    if final.protocol not in _LOCAL_PROTOCOLS:
        # Object stores cannot rename a folder: there the manifest, written last, is what completes an export.
        final.mkdir(parents=True, exist_ok=True)
        yield final
        return
    folder = final.parent / f".tmp-{final.name}"
    _remove(folder)
    folder.mkdir(parents=True)
    try:
        yield folder
        folder.rename(final)
    except BaseException:
        _remove(folder)
        raise


def _remove(folder: UPath) -> None:
    if folder.exists():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    iterator = iter(records)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


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


def _write_json(target: Any, table: SampleTable) -> int:
    rows = 0
    target.write(b"[")
    for batch in _batches(table.records()):
        target.write((b",\n" if rows else b"\n") + b",\n".join(map(_encode, batch)))
        rows += len(batch)
    target.write(b"\n]\n")
    return rows


def _write_jsonl(target: Any, table: SampleTable) -> int:
    rows = 0
    for batch in _batches(table.records()):
        target.write(b"\n".join(map(_encode, batch)) + b"\n")
        rows += len(batch)
    return rows


def _text_rows(batch: list[Record], columns: tuple[str, ...]) -> Iterator[list[str | None]]:
    for record in batch:
        values: Mapping[str, Any] = record if isinstance(record, dict) else {}
        yield [text_cell(values.get(column)) for column in columns]


def _write_csv(target: Any, table: SampleTable) -> int:
    rows = 0
    # Spreadsheets put a BOM before their CSV, so readers have to cope with one.
    target.write(b"\xef\xbb\xbf")
    buffer = io.StringIO(newline="")
    # The writer quotes a lone CR or LF only where it is part of its own line end.
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(table.columns)
    for batch in _batches(table.records()):
        writer.writerows(_text_rows(batch, table.columns))
        target.write(buffer.getvalue().encode())
        buffer.seek(0)
        buffer.truncate()
        rows += len(batch)
    target.write(buffer.getvalue().encode())
    return rows


def _write_parquet(target: Any, table: SampleTable) -> int:
    rows = 0
    schema = pa.schema([pa.field(column, pa.string()) for column in table.columns])
    with pq.ParquetWriter(pa.PythonFile(target, mode="w"), schema) as writer:
        for batch in _batches(table.records()):
            columns = zip(*_text_rows(batch, table.columns), strict=True)
            arrays = [pa.array(column, type=pa.string()) for column in columns]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            rows += len(batch)
    return rows


_WRITERS: dict[str, Callable[[Any, SampleTable], int]] = {
    "json": _write_json,
    "jsonl": _write_jsonl,
    "csv": _write_csv,
    "parquet": _write_parquet,
}
