"""Cells: the values of a legacy file, carried in text columns without losing what type they had.

A raw frame has one text column per source column. A JSON string is itself, null is missing, and every other value is
its JSON text behind a tag, so that `true` and `"true"`, or `5` and `"5"`, stay apart and money never becomes a float.
Columns of text are small, compare and hash fast, go to Parquet as they are, and repeat themselves: `parse_each` calls a
parser once per distinct cell.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

Scalar = str | int | Decimal | bool | None
Value = Scalar | list[Any] | dict[str, Any]

_TAG = "\x00"
_NUMBER, _BOOLEAN, _JSON, _STRING = "n", "b", "j", "s"

# The kinds of columns that need no look at each value.
_TEXTS = {str, type(None)}
_NUMBERS = {int, Decimal, type(None)}

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


def to_json(value: Value) -> str:
    """The JSON text of a value, its decimals digit by digit."""
    return _ENCODER.encode(value).decode()


def from_json(text: str | bytes) -> Value:
    """The value of a JSON text, its numbers as `int` or `Decimal`; of a repeated key the last counts.

    Raises:
        msgspec.DecodeError: the text is not JSON.
        UnicodeDecodeError: the bytes are not UTF-8.
    """
    return _DECODER.decode(text)


def encode_cell(value: Value) -> str | None:
    """The cell of a value as a parser of JSON, CSV or Parquet gave it."""
    if value is None:
        return None
    if isinstance(value, str):
        return f"{_TAG}{_STRING}{value}" if value.startswith(_TAG) else value
    if isinstance(value, bool):
        return f"{_TAG}{_BOOLEAN}{'true' if value else 'false'}"
    if isinstance(value, int | Decimal):
        return f"{_TAG}{_NUMBER}{value}"
    return f"{_TAG}{_JSON}{to_json(value)}"


def decode_cell(cell: str | None) -> Value:
    """The value of a cell: the inverse of `encode_cell`."""
    if cell is None or not cell.startswith(_TAG):
        return cell
    kind, text = cell[1], cell[2:]
    if kind == _STRING:
        return text
    if kind == _BOOLEAN:
        return text == "true"
    if kind == _NUMBER:
        return int(text) if text.lstrip("-").isdigit() else Decimal(text)
    return from_json(text)


def cell_array(values: Sequence[Any]) -> pa.Array:
    """An Arrow text column of the values of one source column."""
    kinds = set(map(type, values))
    if kinds <= _TEXTS:
        array = pa.array(values, type=pa.string())
        if not pc.call_function(
            "any", [pc.call_function("starts_with", [array], pc.MatchSubstringOptions(_TAG))]
        ).as_py():
            return array
    if kinds <= _NUMBERS:
        return pa.array([None if v is None else f"{_TAG}{_NUMBER}{v!s}" for v in values], type=pa.string())
    return pa.array([encode_cell(v) for v in values], type=pa.string())


def tagged_numbers(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The cells of JSON numbers, from their texts."""
    return _tagged(_NUMBER, texts)


def tagged_booleans(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The cells of JSON booleans, from their texts."""
    return _tagged(_BOOLEAN, texts)


def _tagged(kind: str, texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.call_function("binary_join_element_wise", [pa.scalar(f"{_TAG}{kind}"), texts, pa.scalar("")])


def parse_each(cells: pd.Series, parser: Callable[[Value], Any]) -> pd.Series:
    """Apply a parser to each cell, calling it once per distinct cell.

    Args:
        cells: a text column of cells, any index.
        parser: a pure function of one legacy value.

    Returns:
        A series of objects with the same index: what the parser returned for each cell.
    """
    codes, distinct = pd.factorize(cells, use_na_sentinel=True)
    results = np.empty(len(distinct) + 1, dtype=object)
    for position, cell in enumerate(distinct):
        results[position] = parser(decode_cell(cell))
    results[-1] = parser(None)
    return pd.Series(results[codes], index=cells.index, dtype=object)


def parse_pairs(columns: Iterable[pd.Series], parser: Callable[..., Any]) -> pd.Series:
    """Apply a parser of several values to the rows of several cell columns, once per distinct row."""
    frame = pd.concat(list(columns), axis=1)
    rows: list[tuple[Hashable, ...]] = list(
        zip(*(_objects(frame.iloc[:, i]) for i in range(frame.shape[1])), strict=True)
    )
    known: dict[tuple[Hashable, ...], Any] = {}
    for row in set(rows):
        known[row] = parser(*(decode_cell(cell) for cell in row))  # type: ignore[arg-type]
    results = np.empty(len(rows), dtype=object)
    results[:] = [known[row] for row in rows]
    return pd.Series(results, index=frame.index, dtype=object)


def _objects(series: pd.Series) -> list[Any]:
    return series.astype(object).where(series.notna(), None).tolist()


def field_of(parsed: pd.Series, name: str) -> pd.Series:
    """One field of a series of named tuples, as objects; a missing tuple has a missing field."""
    values = np.empty(len(parsed), dtype=object)
    values[:] = [getattr(each, name, None) for each in parsed]
    return pd.Series(values, index=parsed.index, dtype=object)
