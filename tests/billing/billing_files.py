"""The files of an export folder as source rows: which record has which number, and which cannot be read."""

import datetime as dt
import gzip
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.billing import billing_scalars as scalars
from tests.booking.booking_files import csv_lines

FORMATS = tuple(f"{kind}{packed}" for kind in ("json", "jsonl", "csv", "parquet") for packed in ("", ".gz"))
REQUIRED: dict[str, tuple[str, ...]] = {
    "sales_customers": ("id", "name"),
    "mac_partners": ("id", "mac_cust_name"),
    "mac_packages": ("id", "name", "rate"),
    "soho_packages": ("id", "name", "rate"),
    "mac_end_customers": ("id", "name", "mac_partner", "activation_date"),
    "soho_customers": ("id", "cust_name", "activation_date"),
    "bill_records": ("id", "billing_date"),
    "bill_pricing_periods": ("id", "bill_record", "start_day", "end_day"),
    "mac_bills": ("id", "mac_partner", "bill_date"),
    "soho_bills": ("id", "soho_customer", "bill_date"),
    "payment_records": ("id", "payment_date", "amount"),
}
OPTIONAL: dict[str, tuple[str, ...]] = {"bill_daily_amounts": ("id",)}
TABLES = tuple({**REQUIRED, **OPTIONAL})
REFERENCES = frozenset(
    {
        *("package", "customer", "mac_partner", "soho_customer", "bill_record", "mac_bill", "soho_bill", "created_by"),
        "assigned_sales_person",
    }
)
RENAMED = {"iig_qt": "ipt", "iig_qt_price": "ipt_price", "bdix": "nix", "bdix_price": "nix_price"}

_QUOTED = re.compile(r'"((?:[^"]|"")*)"(?=,|$)')
_BARE = re.compile(r"[^,]*")
_JSON_SPACE = " \t\r\n"

Row = dict[str, Any]


@dataclass(frozen=True)
class SourceRow:
    """One record of a file.

    Attributes:
        number: its row number, from 1.
        values: its values by column; None when it cannot be read.
    """

    number: int
    values: Row | None


Rows = Mapping[str, list[SourceRow]]


class ExportFormatError(Exception):
    """The export as a whole cannot be used."""


def spellings(column: str) -> tuple[str, ...]:
    """The names that a column may have in a file; the first that says something wins."""
    if column == "assigned_sales_person":
        return ("assigned_sales_person_id", "assigned_sales_person", "kam_id", "kam")
    if column in REFERENCES:
        return (f"{column}_id", column)
    return (column, RENAMED[column]) if column in RENAMED else (column,)


def read_export(folder: Path) -> Rows:
    """The rows of every table of an export.

    Raises:
        ExportFormatError: a file is missing, ambiguous or broken as a whole, or lacks a required column.
    """
    return {table: rows for table in TABLES if (rows := _read_table(folder, table)) is not None}


def _read_table(folder: Path, table: str) -> list[SourceRow] | None:
    found = [folder / f"{table}.{suffix}" for suffix in FORMATS if (folder / f"{table}.{suffix}").exists()]
    if len(found) > 1:
        raise ExportFormatError(f"{table}: several files")
    if not found:
        if table in REQUIRED:
            raise ExportFormatError(f"{table}: no file")
        return None
    header, records = read_file(found[0])
    seen = header | {key for record in records if isinstance(record, dict) for key in record}
    for column in {**REQUIRED, **OPTIONAL}[table] if records else ():
        if not seen.intersection(spellings(column)):
            raise ExportFormatError(f"{table}: required column {column} missing")
    return as_source_rows(records)


def as_source_rows(records: Iterable[Any]) -> list[SourceRow]:
    """Records as rows; what is no object cannot be read."""
    return [
        SourceRow(number, scalars.storable(record) if isinstance(record, dict) else None)
        for number, record in enumerate(records, start=1)
    ]


def read_file(path: Path) -> tuple[set[str], list[Any]]:
    """The header, where the format has one, and the records of a file."""
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        kind = path.name.removesuffix(".gz").rpartition(".")[2]
        if kind == "parquet":
            return _parquet_records(content)
        written = content.decode("utf-8-sig")
        if kind == "csv":
            return _csv_records(written)
        return set(), _array_records(written) if kind == "json" else list(_line_records(written))
    except (ValueError, OSError, EOFError) as error:
        raise ExportFormatError(f"{path.name}: {type(error).__name__}") from error


def _decoded(written: str) -> Any:
    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    return json.loads(written, parse_float=Decimal, parse_constant=refuse)


def _array_records(content: str) -> list[Any]:
    elements = _decoded(content)
    if not isinstance(elements, list):
        raise ValueError("no array")
    return elements


def _line_records(content: str) -> Iterator[Any]:
    for line in content.split("\n"):
        if not scalars.trimmed(line):
            continue
        try:
            yield _decoded(line.strip(_JSON_SPACE))
        except ValueError:
            yield None


def _csv_records(content: str) -> tuple[set[str], list[Any]]:
    header: list[str] | None = None
    records: list[Any] = []
    for written in csv_lines(content):
        fields = list(_fields(written))
        if header is None:
            header = fields
        else:
            records.append(dict(zip(header, fields, strict=True)) if len(fields) == len(header) else None)
    return set(header or ()), records


def _fields(record: str) -> Iterator[str]:
    place = 0
    while True:
        match = _QUOTED.match(record, place) or _BARE.match(record, place)
        assert match is not None
        yield match[1].replace('""', '"') if match.re is _QUOTED else match[0]
        if match.end() == len(record):
            return
        place = match.end() + 1


def _parquet_records(content: bytes) -> tuple[set[str], list[Any]]:
    table = pq.read_table(io.BytesIO(content))
    rows = [{name: _of_parquet(value) for name, value in row.items()} for row in table.to_pylist()]
    return set(table.column_names), rows


def _of_parquet(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else Decimal(repr(value)) if math.isfinite(value) else repr(value)
    return value.isoformat() if isinstance(value, dt.date | dt.time) else value
