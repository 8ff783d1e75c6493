"""SQL that several assets write: JSON objects, days of a time, and the first of several values."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB


def words(text: str) -> sa.ColumnElement[str]:
    """A text, typed, for functions that take anything."""
    return sa.literal(text, sa.Text)


def json_object(members: Mapping[str, Any]) -> sa.ColumnElement[Any]:
    """A JSON object of columns and texts; of a missing value the member is null."""
    pairs = [part for name, value in members.items() for part in (words(name), _typed(value))]
    return sa.func.jsonb_build_object(*pairs, type_=JSONB)


def utc_day(moment: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The day of a time in UTC."""
    return sa.cast(sa.func.timezone("UTC", moment), sa.Date)


def prefixed(prefix: str, number: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """A number as text behind a prefix."""
    return words(prefix) + sa.cast(number, sa.Text)


def named(code: sa.ColumnElement[int], names: Mapping[int, str], otherwise: Any = None) -> sa.ColumnElement[str]:
    """The name of a numeric code; of others the text or column that is given."""
    return sa.case({number: words(name) for number, name in names.items()}, value=code, else_=otherwise)


def _typed(value: Any) -> sa.ColumnElement[Any]:
    return words(value) if isinstance(value, str) else value
