"""Source records as the quarantine keeps them: JSON text without secrets, and without what PostgreSQL cannot hold."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from migration.exports.sources import NOT_AN_OBJECT
from migration.parsing.cells import to_json

REDACTED = "[redacted]"
_MAX_EXPONENT = 1_000


def raw_json(record: Any, is_secret: Callable[[str], bool]) -> str:
    """The JSON text of a source record for `rejected_row.raw`.

    Args:
        record: the record; one that is no object is kept as `{"value": …}`.
        is_secret: says of a key, at any depth, whether a value behind it is replaced by `[redacted]`.
    """
    kept = record if isinstance(record, dict) else {"value": record}
    return to_json(_clean(kept, is_secret))


def raw_without(record: Any, malformed: str | None, personal: frozenset[str]) -> str:
    """The JSON text of a source record for `rejected_row.raw`, personal columns left out.

    Args:
        record: the record; one that is no row is kept as `{"text": …}`.
        malformed: the kind of malformation, None for a good row.
        personal: the keys that are left out.
    """
    if malformed is None:
        kept = {key: value for key, value in record.items() if key not in personal}
    else:
        kept = {"text": to_json(record) if malformed == NOT_AN_OBJECT or not isinstance(record, str) else record}
    return to_json(_clean(kept, lambda key: False))


def _clean(value: Any, is_secret: Callable[[str], bool]) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, Decimal):
        return value if value.is_finite() and abs(value.adjusted()) < _MAX_EXPONENT else str(value)
    if isinstance(value, list):
        return [_clean(each, is_secret) for each in value]
    if isinstance(value, dict):
        return {
            key.replace("\x00", ""): REDACTED if is_secret(key) and each not in (None, "") else _clean(each, is_secret)
            for key, each in value.items()
        }
    return value
