"""JSON columns: objects and arrays, or texts that hold one."""

from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from dental_assets.parsing.cards import SUSPECT, redacted_json
from dental_assets.parsing.column import Column, read_column
from dental_assets.parsing.problem import Problem
from dental_assets.parsing.text import given, text
from migration.exports.escapes import mend_escapes, without_nul
from migration.parsing.cells import Value, from_json, parse_each, to_json

WITHHELD_KEYS = frozenset({"password", "card_bin"})

# PostgreSQL's numeric ends a little later, on the side of small numbers.
_MAX_EXPONENT = 10_000
# What precedes the JSON text in the cell of an object or array; no text begins with it.
JSON_TAG = "\x00j"
_DOUBTFUL = rf'(?i)"(?:password|card_bin)"|[0-9]e[+-]?[0-9]{{4}}|{SUSPECT}'
_BROKEN = (msgspec.MsgspecError, UnicodeError, InvalidOperation, RecursionError)


def without_withheld(value: Any) -> Any:
    """A JSON value without the members that are never kept, at every depth and in any case."""
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if key.lower() not in WITHHELD_KEYS}
        return {key: without_withheld(each) for key, each in kept.items()}
    if isinstance(value, list):
        return [without_withheld(each) for each in value]
    if isinstance(value, Decimal) and not (value.is_finite() and abs(value.adjusted()) < _MAX_EXPONENT):
        return str(value)
    return value


def structure(value: Value) -> dict[str, Any] | list[Any] | None:
    """The object or array that a value is, or that its text holds; None where there is none."""
    found = given(value)
    if isinstance(found, str):
        try:
            found = without_nul(from_json(mend_escapes(found.encode(), "remove")))
        except _BROKEN:
            return None
    return found if isinstance(found, dict | list) else None


def json_texts(cells: pd.Series, *, redact: bool = False, nothing: str = "{}") -> Column:
    """A column of JSON as text; what holds no object or array is kept as `{"raw": …}` and warns BAD_JSON.

    Args:
        cells: a text column of cells.
        redact: take card numbers out.
        nothing: what stands for nothing given.
    """

    def cleaned(value: Any) -> str:
        kept = without_withheld(value)
        return to_json(redacted_json(kept) if redact else kept)

    def read(value: Value) -> str | Problem:
        found = structure(value)
        if found is None:
            return Problem.NULL if given(value) is None else Problem.INVALID
        return cleaned(found)

    column = read_column(cells, pa.string(), read, "BAD_JSON", _quick_json)
    unusable = column.invalid.to_numpy(dtype=bool)
    if unusable.any():
        raw = parse_each(cells[unusable], lambda value: cleaned({"raw": text(value)}))
        column = replace(column, value=column.value.where(~unusable, raw.reindex(cells.index)))
    return column.filled(nothing)


def _quick_json(cells: pa.Array) -> pa.Array:
    """Objects and arrays that are there as such, and hold nothing that has to go."""
    plain = pc.call_function("starts_with", [cells], pc.MatchSubstringOptions(JSON_TAG))
    doubtful = pc.call_function("match_substring_regex", [cells], pc.MatchSubstringOptions(_DOUBTFUL))
    usable = pc.call_function("and_not", [plain, doubtful])
    texts = pc.call_function("utf8_slice_codeunits", [cells], pc.SliceOptions(len(JSON_TAG)))
    return pc.call_function("if_else", [usable, texts, pa.scalar(None, cells.type)]).cast(pa.string())
