"""How the records of a random export are kept: formats, spellings, and what goes wrong on the way."""

import csv
import datetime as dt
import gzip
import random
from collections.abc import Callable, Iterable
from typing import Any

from tests.booking import booking_scalars as scalars
from tests.booking.booking_files import Row, Table
from tests.booking.booking_writing import Junk, Written, cell, encoded, header_of

FORMATS = ("json", "jsonl", "csv", "parquet")
BROKEN_LINES = ['{"booking_id": 5', '{"id": NaN}', "nonsense", "[1, 2]", '"text"', "null", "5", '{"id": Infinity}']
STRANGERS = ["5", "null", '"text"', "[1,2]", "true", "1.50"]


def write_file(rng: random.Random, table: Table, records: list[Row], kind: str) -> Written:
    """The file of a table."""
    stem = rng.choice([table.stem, table.alias]) if table.alias else None
    if not records:
        return encoded([], "json" if kind in ("csv", "parquet") else kind, stem=stem)
    rows = [_frayed(rng, table, row, whole=not at or kind in ("csv", "parquet")) for at, row in enumerate(records)]
    spelling = _spelling(rng, table)
    per_row = kind in ("json", "jsonl") and rng.random() < 0.5
    spelled = [_spelled(rng, row, _spelling(rng, table) if per_row and at else spelling) for at, row in enumerate(rows)]
    if kind == "parquet":
        return _kept(rng, encoded(_typed(rng, table, spelled), kind, stem=stem))
    return _kept(rng, _csv_file(rng, table, spelled, stem) if kind == "csv" else _json_file(rng, spelled, kind, stem))


def _frayed(rng: random.Random, table: Table, row: Row, *, whole: bool) -> Row:
    """A record in which some keys without a value are absent, and some are unknown."""
    known = {column: row.get(column) for column in table.columns}
    kept = {name: value for name, value in known.items() if whole or value is not None or rng.random() < 0.6}
    return {**kept, "rawEmailId": "x", "surplus": 1} if whole else kept


def _spelling(rng: random.Random, table: Table) -> dict[str, str]:
    """Other names of some columns; the website has none."""
    if table.system != "bstadmin" or rng.random() < 0.3:
        return {}
    share = rng.choice((0.2, 1.0))
    names = {column: _camel(column) for column in table.columns if rng.random() < share}
    if table.key != "id" and rng.random() < 0.4:
        names[table.key] = "id"
    return {column: name for column, name in names.items() if name != column}


def _camel(column: str) -> str:
    first, *rest = column.split("_")
    return first + "".join(part.title() for part in rest)


def _spelled(rng: random.Random, row: Row, spelling: dict[str, str]) -> Row:
    """A record under other names; where a column has both, its own counts and the other one lies."""
    spelled: Row = {}
    for column, value in row.items():
        other = spelling.get(column)
        if other and rng.random() < 0.1:
            spelled[other] = "lie"
            spelled[column] = value
        else:
            spelled[other or column] = value
    return spelled


def _kept(rng: random.Random, file: Written) -> Written:
    """A file as it may be kept: with a byte order mark, packed."""
    content = file.content
    if file.suffix != "parquet" and rng.random() < 0.2:
        content = b"\xef\xbb\xbf" + content
    if rng.random() < 0.3:
        return Written(gzip.compress(content, mtime=0), file.rows, f"{file.suffix}.gz", file.stem)
    return Written(content, file.rows, file.suffix, file.stem)


def _json_file(rng: random.Random, rows: list[Row], kind: str, stem: str | None) -> Written:
    records: list[Any] = list(rows)
    _strew(rng, records, rng.choices(STRANGERS if kind == "json" else BROKEN_LINES, k=rng.choice((0, 0, 1, 2))))
    count = len(records)
    if kind == "jsonl":
        _strew(rng, records, rng.choices(("", "  ", "\t"), k=rng.randint(0, 2)))
    written = encoded(records, kind)
    crlf = kind == "jsonl" and rng.random() < 0.3
    return Written(written.content.replace(b"\n", b"\r\n") if crlf else written.content, count, kind, stem)


def _strew(rng: random.Random, records: list[Any], texts: Iterable[str]) -> None:
    """Put lines that are no records somewhere between them."""
    for text in texts:
        records.insert(rng.randint(0, len(records)), Junk(text))


def _csv_file(rng: random.Random, table: Table, rows: list[Row], stem: str | None) -> Written:
    header = header_of(rows)
    # A column that some rows spell otherwise is empty there under its own name, and that one counts.
    records: list[Any] = [{name: _text_cell(row.get(name)) for name in header} for row in rows]
    # A short record that lacks one of two spellings of a column is left to nobody's taste.
    meant = [column for column in map(table.column, header) if column]
    short = rng.random() < 0.3 and len(set(meant)) == len(meant)
    end = rng.choice(("\n", "\r\n"))
    if short:
        _strew(rng, records, ["7", "1,2"][: rng.randint(1, 2)])
        _strew(rng, records, [",".join(["8"] * (len(header) + 2))])
    count = len(records)
    _strew(rng, records, [""] * rng.randint(0, 2))
    quoting = rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    return Written(encoded(records, "csv", end=end, quoting=quoting).content, count, "csv", stem)


def _text_cell(value: Any) -> str:
    # Neither a lone surrogate nor U+0000 is in a CSV file.
    return scalars.storable(cell(scalars.storable(value))).replace("\r", "")


def _typed(rng: random.Random, table: Table, rows: list[Row]) -> list[Row]:
    """Rows whose columns are all text, or of a type that a database would export."""
    header = header_of(rows)
    kinds = {name: table.columns.get(table.column(name) or "", "") for name in header}
    makers = {name: rng.choice(_TYPES[kind]) for name, kind in kinds.items() if kind in _TYPES and rng.random() < 0.4}
    return [{name: makers.get(name, _parquet_text)(row.get(name)) for name in header} for row in rows]


def _parquet_text(value: Any) -> str | None:
    if value is None:
        return None
    written = scalars.storable(value)
    return written if isinstance(written, str) else scalars.json_text(written)


def _parsed(parser: Callable[[Any], Any], make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def typed(value: Any) -> Any:
        found = parser(value)
        return None if found is None else make(found)

    return typed


_TYPES: dict[str, list[Callable[[Any], Any]]] = {
    "int": [_parsed(scalars.integer, int), _parsed(scalars.integer, float)],
    "money": [_parsed(scalars.money, lambda amount: amount), _parsed(scalars.money, lambda amount: float(amount))],
    "bool": [_parsed(scalars.boolean, bool), _parsed(scalars.boolean, int)],
    "ts": [
        _parsed(scalars.moment, lambda at: at),
        _parsed(scalars.moment, lambda at: at.replace(tzinfo=None)),
        _parsed(scalars.moment, dt.datetime.date),
    ],
}
