"""The files of an export folder as source rows: which record has which number, and which cannot be read."""

import datetime as dt
import gzip
import io
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.meter.meter_scalars import json_text, trimmed

REQUIRED = ("tenants", "users", "meters", "meter_assignments", "bills", "invoices", "invoice_bills", "payments")
TABLES = (*REQUIRED, "overpayments")
PERSONAL = frozenset({"email", "telephone", "phone", "address", "id_number", "password", "remember_token"})
CSV_NULLS = frozenset({"NULL", "\\N"})

_QUOTED = re.compile(r'"((?:[^"]|"")*)"(?=,|$)')
_BARE = re.compile(r"[^,]*")

Row = dict[str, Any]


@dataclass(frozen=True)
class SourceRow:
    """One record of a file.

    Attributes:
        number: its row number, from 1.
        values: its values by column; None when it cannot be read.
        raw: what the quarantine keeps of it.
    """

    number: int
    values: Row | None
    raw: Row


def read_export(folder: Path) -> dict[str, list[SourceRow]]:
    """The rows of every table of an export.

    Raises:
        FileNotFoundError: a required table has no file.
        ValueError: a file as a whole is broken, or a table has two.
    """
    return {table: _read_table(folder, table) for table in TABLES}


def _read_table(folder: Path, table: str) -> list[SourceRow]:
    formats = [f"{kind}{packed}" for kind in ("json", "jsonl", "csv", "parquet") for packed in ("", ".gz")]
    found = [folder / f"{table}.{suffix}" for suffix in formats if (folder / f"{table}.{suffix}").exists()]
    if len(found) > 1:
        raise ValueError(f"EXPORT_AMBIGUOUS_FILE: {table}")
    if not found and table in REQUIRED:
        raise FileNotFoundError(f"EXPORT_FILE_MISSING: {table}")
    return read_file(found[0]) if found else []


def read_file(path: Path) -> list[SourceRow]:
    """The rows of one file."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        return list(_parquet_rows(content))
    rows = {"json": _array_rows, "jsonl": _line_rows, "csv": _csv_rows}[kind]
    return list(rows(content.decode("utf-8-sig")))


def _decoded(written: str) -> Any:
    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    return json.loads(written, parse_float=Decimal, parse_constant=refuse)


def _object(number: int, values: Row) -> SourceRow:
    kept = {k.replace("\x00", ""): _without_nul(v) for k, v in values.items() if k not in PERSONAL}
    return SourceRow(number, values, kept)


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, list):
        return [_without_nul(each) for each in value]
    return {k: _without_nul(v) for k, v in value.items()} if isinstance(value, dict) else value


def _unreadable(number: int, written: str) -> SourceRow:
    return SourceRow(number, None, {"text": written.replace("\x00", "")})


def _array_rows(content: str) -> Iterator[SourceRow]:
    elements = _decoded(content)
    if not isinstance(elements, list):
        raise ValueError("EXPORT_UNREADABLE: no array")
    for number, element in enumerate(elements, start=1):
        yield _object(number, element) if isinstance(element, dict) else _unreadable(number, json_text(element))


def _line_rows(content: str) -> Iterator[SourceRow]:
    number = 0
    for line in content.split("\n"):
        if not trimmed(line):
            continue
        number += 1
        try:
            element = _decoded(trimmed_json(line))
        except ValueError:
            element = None
        yield _object(number, element) if isinstance(element, dict) else _unreadable(number, line.removesuffix("\r"))


def trimmed_json(line: str) -> str:
    """A line without the white space that JSON allows around a value."""
    return line.strip(" \t\r\n")


def _csv_rows(content: str) -> Iterator[SourceRow]:
    header: list[str] | None = None
    number = 0
    for written in csv_records(content):
        fields = list(_fields(written))
        if header is None:
            header = fields
            continue
        number += 1
        if len(fields) != len(header):
            yield _unreadable(number, written)
            continue
        row = _object(number, dict(zip(header, fields, strict=True)))
        values = {name: None if cell in CSV_NULLS else cell for name, cell in (row.values or {}).items()}
        yield SourceRow(number, values, row.raw)


def _fields(record: str) -> Iterator[str]:
    place = 0
    while True:
        match = _QUOTED.match(record, place) or _BARE.match(record, place)
        assert match is not None
        yield match[1].replace('""', '"') if match.re is _QUOTED else match[0]
        if match.end() == len(record):
            return
        place = match.end() + 1


def csv_records(content: str) -> Iterator[str]:
    """The records of a CSV text as they stand there, empty lines left out."""
    record = ""
    for line in content.split("\n"):
        record = f"{record}\n{line}" if record else line
        if record.count('"') % 2:
            continue
        if record.removesuffix("\r"):
            yield record.removesuffix("\r")
        record = ""


def _parquet_rows(content: bytes) -> Iterator[SourceRow]:
    for number, values in enumerate(pq.read_table(io.BytesIO(content)).to_pylist(), start=1):
        yield _object(number, {name: _of_parquet(value) for name, value in values.items()})


def _of_parquet(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else Decimal(repr(value)) if math.isfinite(value) else repr(value)
    return value.isoformat() if isinstance(value, dt.date) else value
