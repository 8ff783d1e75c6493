"""Whole numbers, keys, amounts of money and yes or no."""

import re
from decimal import ROUND_HALF_UP, Context, Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from booking_assets.parsing.problem import Problem
from booking_assets.parsing.texts import trimmed
from migration.parsing.cells import Value
from migration.parsing.vectors import NUMBER_TAG, Parsed, only_matching, parse_vector, without_number_tag

MAX_INTEGER = 2**31 - 1
MONEY = pa.decimal128(12, 2)
MONEY_LIMIT = Decimal(10) ** 10

_CENT = Decimal("0.01")
_ZERO = Decimal("0.00")
_CENTS = Context(prec=40, rounding=ROUND_HALF_UP)
_LIMIT_MAGNITUDE = 10
_MAX_DIGITS = len(str(MAX_INTEGER))

_INTEGER = re.compile(r"([+-]?)([0-9]+)(?:\.0+)?")
_AMOUNT = re.compile(r"[+-]?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]+)?")
_TRUE = frozenset({"1", "true", "yes", "y", "on", "t"})
_FALSE = frozenset({"0", "false", "no", "n", "off", "f"})

# Software that has no missing integers writes keys as `5.0`; the scale of the decimal is room for that fraction.
_USUAL_INTEGER = rf"^(?:{NUMBER_TAG})?-?[0-9]{{1,9}}(?:\.0{{1,3}})?$"
_USUAL_DECIMAL = pa.decimal128(12, 3)
_USUAL_AMOUNT = rf"^(?:{NUMBER_TAG})?-?[0-9]{{1,10}}(?:\.[0-9]{{1,2}})?$"


def integer(value: Value) -> int | Problem:
    """Whole number of a number without a fraction or of text such as `-7` or `7.0`, at most 2147483647 either way.

    Nothing given is NULL; booleans and all else are INVALID.
    """
    written = trimmed(value)
    if written is None:
        return Problem.NULL
    number = _whole_number(written)
    return number if number is not None and abs(number) <= MAX_INTEGER else Problem.INVALID


def primary_key(value: Value) -> int | Problem:
    """An `integer` from 1; smaller ones are INVALID."""
    number = integer(value)
    return number if isinstance(number, Problem) or number >= 1 else Problem.INVALID


def natural(value: Value) -> int | Problem:
    """An `integer` from 0; smaller ones are INVALID."""
    number = integer(value)
    return number if isinstance(number, Problem) or number >= 0 else Problem.INVALID


def money(value: Value) -> Decimal | Problem:
    """Amount of a number or of text such as `1,200.505`, rounded to 0.01, halves away from zero; -0 is 0.

    Nothing given is NULL; 10^10 and above, after rounding and whatever the sign, is INVALID, as is all else.
    """
    written = trimmed(value)
    if written is None:
        return Problem.NULL
    if isinstance(written, str) and _AMOUNT.fullmatch(written):
        return _rounded(Decimal(written.replace(",", "")))
    if isinstance(written, int | Decimal) and not isinstance(written, bool):
        return _rounded(Decimal(written))
    return Problem.INVALID


def boolean(value: Value) -> bool | Problem:
    """Boolean of a boolean, of the numbers 1 and 0, or of a word for either in any case.

    Nothing given is NULL, all else INVALID.
    """
    written = trimmed(value)
    if written is None:
        return Problem.NULL
    if isinstance(written, int | Decimal):
        return bool(written) if written in (0, 1) else Problem.INVALID
    word = written.lower() if isinstance(written, str) else ""
    if word in _TRUE:
        return True
    return False if word in _FALSE else Problem.INVALID


def integers(cells: pd.Series) -> Parsed:
    """A column of `integer` as int64; problems are NULL and INVALID."""
    return parse_vector(cells, pa.int64(), integer, _quick_integers)


def primary_keys(cells: pd.Series) -> Parsed:
    """A column of `primary_key` as int64; problems are NULL and INVALID."""
    return parse_vector(cells, pa.int64(), primary_key, _quick_keys)


def naturals(cells: pd.Series) -> Parsed:
    """A column of `natural` as int64; problems are NULL and INVALID."""
    return parse_vector(cells, pa.int64(), natural)


def amounts(cells: pd.Series) -> Parsed:
    """A column of `money` as decimal128(12, 2); problems are NULL and INVALID."""
    return parse_vector(cells, MONEY, money, _quick_amounts)


def booleans(cells: pd.Series) -> Parsed:
    """A column of `boolean` as bool; problems are NULL and INVALID."""
    return parse_vector(cells, pa.bool_(), boolean)


def round_cents(number: Decimal) -> Decimal:
    """A finite number rounded to 0.01, halves away from zero; zero has no sign."""
    return number.quantize(_CENT, context=_CENTS) or _ZERO


def _whole_number(written: Value) -> int | None:
    if isinstance(written, bool):
        return None
    if isinstance(written, int):
        return written
    if isinstance(written, Decimal):
        return _of_decimal(written)
    match = _INTEGER.fullmatch(written) if isinstance(written, str) else None
    digits = match[2].lstrip("0") if match else None
    # Python refuses to read very long integers, so the length is looked at first.
    if match is None or digits is None or len(digits) > _MAX_DIGITS:
        return None
    return int(f"{match[1]}{digits or '0'}")


def _of_decimal(number: Decimal) -> int | None:
    if not number:
        return 0
    if not number.is_finite() or number.adjusted() >= _MAX_DIGITS:
        return None
    return int(number) if number == number.to_integral_value() else None


def _rounded(number: Decimal) -> Decimal | Problem:
    if not number.is_finite():
        return Problem.INVALID
    if not number:
        return _ZERO
    # A far larger number has no room for cents in the context.
    if number.adjusted() >= _LIMIT_MAGNITUDE:
        return Problem.INVALID
    amount = round_cents(number)
    return Problem.INVALID if amount.copy_abs() >= MONEY_LIMIT else amount


def _quick_integers(cells: pa.Array) -> pa.Array:
    digits = without_number_tag(only_matching(cells, _USUAL_INTEGER))
    return digits.cast(_USUAL_DECIMAL).cast(pa.int64())


def _quick_keys(cells: pa.Array) -> pa.Array:
    found = _quick_integers(cells)
    is_key = pc.call_function("greater_equal", [found, pa.scalar(1, pa.int64())])
    return pc.call_function("if_else", [is_key, found, pa.scalar(None, pa.int64())])


def _quick_amounts(cells: pa.Array) -> pa.Array:
    return without_number_tag(only_matching(cells, _USUAL_AMOUNT)).cast(MONEY)
