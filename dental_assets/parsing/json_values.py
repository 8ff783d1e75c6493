"""JSON columns: objects and arrays, or texts that hold one."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import pandas as pd
import pyarrow as pa

from dental_assets.parsing.cards import redacted_json
from dental_assets.parsing.column import Column, read_column
from dental_assets.parsing.problem import Problem
from dental_assets.parsing.text import given, text
from migration.exports.escapes import mend_escapes, without_nul
from migration.parsing.cells import Value, from_json, to_json

WITHHELD_KEYS = frozenset({"password", "card_bin"})

# PostgreSQL's numeric ends a little later, on the side of small numbers.
_MAX_EXPONENT = 10_000
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
    clean: Callable[[Any], Any] = redacted_json if redact else lambda value: value

    def read(value: Value) -> str | Problem:
        return Problem.NULL if given(value) is None else to_json(clean(without_withheld(_kept(value))))

    def unusable(value: Value) -> bool:
        return given(value) is not None and structure(value) is None

    value = read_column(cells, pa.string(), read, "BAD_JSON").filled(nothing).value
    return Column(value, read_column(cells, pa.bool_(), unusable, "BAD_JSON").value.astype(bool), "BAD_JSON")


def _kept(value: Value) -> Any:
    found = structure(value)
    return {"raw": text(value)} if found is None else found
