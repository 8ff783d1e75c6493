"""JSON columns: objects and arrays, also those exported as text; everything else is wrapped, never lost."""

from decimal import Decimal
from typing import Any

import msgspec
import pandas as pd
import pyarrow as pa

from booking_assets.parsing.problem import Problem
from booking_assets.parsing.texts import text, without_unstorable
from migration.exports.escapes import has_suspects, mend_escapes
from migration.parsing.cells import Value, from_json, to_json
from migration.parsing.vectors import Parsed, parse_vector

RAW = "raw"

# PostgreSQL's jsonb refuses numbers far outside this, and a decoder has its own limit of nesting.
_MAX_MAGNITUDE = 1_000
_MAX_DEPTH = 200

Json = dict[str, Any] | list[Any]


def json_value(value: Value) -> Json | Problem:
    """An object or array, or what text says when it is JSON of one; numbers stay exact.

    Other text, unchanged, and other scalars become `{"raw": …}`; nothing given and blank text are NULL. A number that
    jsonb cannot hold becomes its text; values nested more than 200 deep become the text of their JSON.
    """
    if isinstance(value, str):
        return _of_text(without_unstorable(value))
    if not isinstance(value, dict | list):
        found = text(value)
        return found if isinstance(found, Problem) else {RAW: found}
    try:
        return _storable(value, _MAX_DEPTH)
    except _TooDeep:
        return {RAW: to_json(value)}


def json_texts(cells: pd.Series) -> Parsed:
    """A column of `json_value` as JSON text; problems are NULL only."""
    return parse_vector(cells, pa.string(), _json_text)


class _TooDeep(Exception):
    """A value is nested more deeply than any real one."""


def _of_text(written: str) -> Json | Problem:
    if not written.strip():
        return Problem.NULL
    try:
        found = _decoded(written)
        return _storable(found, _MAX_DEPTH) if isinstance(found, dict | list) else {RAW: written}
    except (msgspec.MsgspecError, RecursionError, _TooDeep, ArithmeticError):
        return {RAW: written}


def _decoded(written: str) -> Value:
    content = written.encode()
    return from_json(mend_escapes(content, "remove") if has_suspects(content) else content)


def _json_text(value: Value) -> str | Problem:
    found = json_value(value)
    return found if isinstance(found, Problem) else to_json(found)


def _storable(value: Any, depth: int) -> Any:
    """A value without what jsonb cannot hold; of keys then equal the last counts."""
    if isinstance(value, str):
        return without_unstorable(value)
    if isinstance(value, Decimal):
        return value if value.is_finite() and _magnitude(value) <= _MAX_MAGNITUDE else str(value)
    if not isinstance(value, dict | list):
        return value
    if not depth:
        raise _TooDeep
    if isinstance(value, list):
        return [_storable(each, depth - 1) for each in value]
    return {without_unstorable(key): _storable(each, depth - 1) for key, each in value.items()}


def _magnitude(number: Decimal) -> int:
    _, digits, exponent = number.as_tuple()
    return max(len(digits), abs(int(exponent)), abs(number.adjusted()))
