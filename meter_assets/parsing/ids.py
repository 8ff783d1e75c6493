"""Legacy keys: whole numbers from 0 to the largest that a bigint holds."""

import re
from decimal import Decimal

import pandas as pd
import pyarrow as pa

from meter_assets.parsing.problem import Problem
from meter_assets.parsing.text import trimmed
from migration.parsing.cells import Value
from migration.parsing.vectors import NUMBER_TAG, Parsed, only_matching, parse_vector, without_number_tag

MAX_ID = 2**63 - 1

_DIGITS = re.compile(r"([0-9]+)(?:\.0*)?")
_MAX_DIGITS = len(str(MAX_ID))
# Software that has no missing integers writes keys as `5.0`; the scale of the decimal is room for that fraction.
_USUAL = rf"^(?:{NUMBER_TAG})?[0-9]{{1,18}}(?:\.0{{1,3}})?$"
_USUAL_DECIMAL = pa.decimal128(21, 3)


def legacy_id(value: Value) -> int | Problem:
    """Key of an integer, a number without a fraction, or digits that may end in `.` and zeros; 0 is a key here.

    Nothing given is NULL; negative numbers, booleans and numbers above `MAX_ID` are UNPARSABLE.
    """
    written = trimmed(value)
    if written is None:
        return Problem.NULL
    number = _whole_number(written)
    return number if number is not None and 0 <= number <= MAX_ID else Problem.UNPARSABLE


def ids(cells: pd.Series) -> Parsed:
    """A column of keys as int64; problems are NULL and UNPARSABLE."""
    return parse_vector(cells, pa.int64(), legacy_id, _quick_ids)


def _whole_number(written: Value) -> int | None:
    if isinstance(written, bool):
        return None
    if isinstance(written, int):
        return written
    if isinstance(written, Decimal):
        return _of_decimal(written)
    match = _DIGITS.fullmatch(written) if isinstance(written, str) else None
    digits = match[1].lstrip("0") if match else None
    # Python refuses to read very long integers, so the length is looked at first.
    return None if digits is None or len(digits) > _MAX_DIGITS else int(digits or "0")


def _of_decimal(number: Decimal) -> int | None:
    if not number:
        return 0
    if not number.is_finite() or number.adjusted() >= _MAX_DIGITS:
        return None
    return int(number) if number == number.to_integral_value() else None


def _quick_ids(cells: pa.Array) -> pa.Array:
    digits = without_number_tag(only_matching(cells, _USUAL))
    return digits.cast(_USUAL_DECIMAL).cast(pa.int64())
