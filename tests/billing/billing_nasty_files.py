"""How the records of a random export are kept: formats, other names of columns, and what goes wrong on the way."""

import csv
import datetime as dt
import gzip
import random
from collections.abc import Callable, Iterable
from typing import Any

from tests.billing import billing_scalars as scalars
from tests.billing.billing_files import REQUIRED, Row, spellings
from tests.billing.billing_scalars import Bad
from tests.meter.meter_writing import Junk, Written, encoded, header_of

FORMATS = ("json", "jsonl", "csv", "parquet")
BROKEN_LINES = ['{"id": 5', '{"id": NaN}', "nonsense", "[1, 2]", '"text"', "null", "5", '{"id": Infinity}', '{"id":1}}']
STRANGERS = ["5", "null", '"text"', "[1,2]", "true", "1.50"]
LIES: list[Any] = ["lie", 1, 2, None, "", 3]


def write_file(rng: random.Random, table: str, kinds: dict[str, str], records: list[Row], kind: str) -> Written:
    """The file of a table whose columns are of these kinds."""
    if not records:
        return encoded([], "json" if kind in ("csv", "parquet") else kind)
    rows = [_spelled(rng, kinds, row) for row in records]
    # Of a required column at least one record must have the key.
    rows[0] |= {column: rows[0].get(column) for column in REQUIRED.get(table, ("id",)) if not _has(rows[0], column)}
    rows = [row | {"customer_name": "surplus", "effective_rate": 5} if rng.random() < 0.2 else row for row in rows]
    if kind == "parquet":
        return _kept(rng, encoded(_typed(rng, kinds, rows), kind))
    return _kept(rng, _csv_file(rng, rows) if kind == "csv" else _json_file(rng, rows, kind))


def _has(row: Row, column: str) -> bool:
    return any(name in row for name in spellings(column))


def _spelled(rng: random.Random, kinds: dict[str, str], row: Row) -> Row:
    """A record in which columns have one of their names, or several, and some without a value are absent."""
    spelled: Row = {}
    for column in ("id", *kinds):
        value = row.get(column)
        if value is None and rng.random() < 0.4:
            continue
        names = spellings(column)
        spelled[rng.choice(names)] = value
        for name in names if rng.random() < 0.05 else ():
            spelled.setdefault(name, rng.choice(LIES))
    return spelled


def _kept(rng: random.Random, file: Written) -> Written:
    """A file as it may be kept: with a byte order mark, packed."""
    content = file.content
    if file.suffix != "parquet" and rng.random() < 0.2:
        content = b"\xef\xbb\xbf" + content
    if rng.random() < 0.3:
        return Written(gzip.compress(content, mtime=0), file.rows, f"{file.suffix}.gz")
    return Written(content, file.rows, file.suffix)


def _json_file(rng: random.Random, rows: list[Row], kind: str) -> Written:
    records: list[Any] = list(rows)
    _strew(rng, records, rng.choices(STRANGERS if kind == "json" else BROKEN_LINES, k=rng.choice((0, 0, 1, 2))))
    count = len(records)
    if kind == "jsonl":
        _strew(rng, records, rng.choices(("", "  ", "\t"), k=rng.randint(0, 2)))
    written = encoded(records, kind)
    crlf = kind == "jsonl" and rng.random() < 0.3
    return Written(written.content.replace(b"\n", b"\r\n") if crlf else written.content, count, kind)


def _strew(rng: random.Random, records: list[Any], texts: Iterable[str]) -> None:
    """Put lines that are no records somewhere between them."""
    for text in texts:
        records.insert(rng.randint(0, len(records)), Junk(text))


def _csv_file(rng: random.Random, rows: list[Row]) -> Written:
    header = header_of(rows)
    records: list[Any] = [{name: _cell(row.get(name)) for name in header} for row in rows]
    _strew(rng, records, rng.choices(("7", "1,2", "   ", ",".join(["8"] * (len(header) + 2))), k=rng.randint(0, 2)))
    count = len(records)
    _strew(rng, records, [""] * rng.randint(0, 2))
    quoting = rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    end = rng.choice(("\n", "\r\n"))
    return Written(encoded(records, "csv", end=end, quoting=quoting).content, count, "csv")


def _cell(value: Any) -> str:
    # Neither a lone surrogate nor U+0000 is in a CSV file.
    return "" if value is None else _plain(value).replace("\r", "")


def _plain(value: Any) -> str:
    written = scalars.storable(value)
    return written if isinstance(written, str) else scalars.json_text(written)


def _typed(rng: random.Random, kinds: dict[str, str], rows: list[Row]) -> list[Row]:
    """Rows whose columns are all text, or of a type that a database would export."""
    of_name = {name: kind for column, kind in {"id": "id", **kinds}.items() for name in spellings(column)}
    makers = {
        name: rng.choice(_TYPES[of_name[name]])
        for name in header_of(rows)
        if of_name.get(name) in _TYPES and rng.random() < 0.5
    }
    return [{name: makers.get(name, _text)(row.get(name)) for name in header_of(rows)} for row in rows]


def _text(value: Any) -> str | None:
    return None if value is None else _plain(value)


def _parsed(parser: Callable[[Any], Any], make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def typed(value: Any) -> Any:
        found = parser(value)
        return None if found is None or isinstance(found, Bad) else make(found)

    return typed


def _amount(value: Any) -> Any:
    return scalars.number(value, scalars.AMOUNT)


_IDS = [
    _parsed(scalars.identifier, int),
    _parsed(scalars.identifier, float),
    _parsed(scalars.identifier, scalars.Decimal),
]
_MONEY = [
    _parsed(_amount, lambda amount: amount),
    _parsed(_amount, float),
    _parsed(_amount, lambda amount: amount.quantize(scalars.Decimal("0.0001"))),
]
_TYPES: dict[str, list[Callable[[Any], Any]]] = {
    "id": _IDS,
    "ref": _IDS,
    "money": _MONEY,
    "share": [_parsed(scalars.percentage, float)],
    "active": [_parsed(scalars.boolean, bool), _parsed(scalars.boolean, int), _parsed(scalars.boolean, float)],
    "date": [
        _parsed(scalars.date, lambda day: day),
        _parsed(scalars.date, lambda day: dt.datetime.combine(day, dt.time())),
    ],
    "moment": [
        _parsed(scalars.moment, lambda at: at),
        _parsed(scalars.moment, lambda at: at.replace(tzinfo=None) + dt.timedelta(milliseconds=5)),
    ],
}
