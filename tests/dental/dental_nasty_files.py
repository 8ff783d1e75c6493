"""How the records of a random export are kept: formats, and what goes wrong on the way."""

import csv
import gzip
import random
from collections.abc import Callable, Iterable
from typing import Any

from tests.booking import booking_scalars
from tests.booking.booking_nasty_files import BROKEN_LINES, STRANGERS
from tests.dental import dental_scalars as scalars
from tests.dental.dental_files import Row, Table
from tests.dental.dental_scalars import Unusable
from tests.dental.dental_writing import Junk, Written, cell, encoded, header_of

FORMATS = ("json", "jsonl", "csv", "parquet")
CARD_LINES = ['{"id": 5, "text": "4111 1111 1111 1111"', '["4111-1111-1111-1111"]', "x 4111111111111111 y"]


def write_file(rng: random.Random, table: Table, records: list[Row], kind: str) -> Written:
    """The file of a table."""
    if not records:
        return encoded([], "json" if kind in ("csv", "parquet") else kind)
    rows = [_frayed(rng, row, whole=kind in ("csv", "parquet")) for row in records]
    if kind == "parquet":
        return _kept(rng, encoded(_typed(rng, table, rows), kind))
    return _kept(rng, _csv_file(rng, rows) if kind == "csv" else _json_file(rng, rows, kind))


def _frayed(rng: random.Random, row: Row, *, whole: bool) -> Row:
    """A record in which some keys without a value are absent, and one is unknown."""
    kept = {name: value for name, value in row.items() if whole or name == "id" or value or rng.random() < 0.6}
    return {**kept, "surplus": 1} if whole or rng.random() < 0.1 else kept


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
    odd = STRANGERS if kind == "json" else [line for line in BROKEN_LINES if line.strip()] + CARD_LINES
    _strew(rng, records, rng.choices(odd, k=rng.choice((0, 0, 1, 2))))
    count = len(records)
    if kind == "jsonl":
        _strew(rng, records, rng.choices(("", "  ", "\t", "\u00a0"), k=rng.randint(0, 2)))
    written = encoded(records, kind)
    crlf = kind == "jsonl" and rng.random() < 0.3
    return Written(written.content.replace(b"\n", b"\r\n") if crlf else written.content, count, kind)


def _strew(rng: random.Random, records: list[Any], texts: Iterable[str]) -> None:
    """Put lines that are no records somewhere between them."""
    for text in texts:
        records.insert(rng.randint(0, len(records)), Junk(text))


def _csv_file(rng: random.Random, rows: list[Row]) -> Written:
    header = header_of(rows)
    records: list[Any] = [{name: _text_cell(row.get(name)) for name in header} for row in rows]
    end = rng.choice(("\n", "\r\n"))
    if rng.random() < 0.3 and len(header) > 2:
        _strew(rng, records, ["7", "1,2"][: rng.randint(1, 2)])
        _strew(rng, records, [",".join(["8"] * (len(header) + 2)), '9,"4111 1111 1111 1111"'])
    count = len(records)
    _strew(rng, records, rng.choices(("", " ", "\t "), k=rng.randint(0, 2)))
    quoting = rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    return Written(encoded(records, "csv", end=end, quoting=quoting).content, count, "csv")


def _text_cell(value: Any) -> str:
    # Neither a lone surrogate nor U+0000 is in a CSV file.
    return booking_scalars.storable(cell(booking_scalars.storable(value))).replace("\r", "")


def _typed(rng: random.Random, table: Table, rows: list[Row]) -> list[Row]:
    """Rows whose columns are all text, or of a type that a database would export."""
    makers = {name: rng.choice(_TYPES[kind]) for name, kind in table.columns.items() if kind in _TYPES}
    chosen = {name: maker for name, maker in makers.items() if rng.random() < 0.4}
    return [{name: chosen.get(name, _parquet_text)(row.get(name)) for name in header_of(rows)} for row in rows]


def _parquet_text(value: Any) -> str | None:
    if value is None:
        return None
    kept = booking_scalars.storable(value)
    return kept if isinstance(kept, str) else booking_scalars.json_text(kept)


def _parsed(parser: Callable[[Any], Any], make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def typed(value: Any) -> Any:
        try:
            found = parser(value)
        except Unusable:
            return None
        return None if found is None else make(found)

    return typed


def _boolean(value: Any) -> bool | None:
    return None if scalars.is_null(value) else scalars.boolean(value, default=False)


_TYPES: dict[str, list[Callable[[Any], Any]]] = {
    "I": [_parsed(scalars.integer, lambda number: number)],
    "M": [_parsed(scalars.money, lambda amount: amount), _parsed(scalars.money, float)],
    "B": [_parsed(_boolean, bool), _parsed(_boolean, int)],
    "TS": [
        _parsed(scalars.moment, lambda at: at),
        _parsed(scalars.moment, lambda at: at.replace(tzinfo=None)),
        _parsed(scalars.moment, lambda at: at.date()),
    ],
    "D": [_parsed(scalars.date, lambda day: day)],
}
