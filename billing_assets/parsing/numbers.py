"""Whole numbers, amounts exact to the cent, percentages, speeds, and yes or no."""

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal

import pandas as pd
import pyarrow as pa

from billing_assets.parsing.blanks import WHITE_SPACE, trimmed
from billing_assets.parsing.problem import Problem
from migration.parsing.cells import Value
from migration.parsing.vectors import NUMBER_TAG, Parsed, only_matching, parse_vector, without_number_tag

ID_LIMIT = 10**15
COUNT_LIMIT = 2**31 - 1

# Powers of ten that an absolute value must stay below, by what is read.
SMALL, RATE, AMOUNT = 8, 10, 13

_CENT = Decimal("0.01")
_ZERO = Decimal("0.00")
_CENTS = Context(prec=60, rounding=ROUND_HALF_UP)
# A day or a percentage beyond this is as far out of its range as any other.
_DAY_BOUND, _PERCENT_BOUND = 1_000, Decimal(1_000)
_MAX_DIGITS = 30

_INTEGER = re.compile(r"([+-]?)([0-9]+)(?:\.0+)?")
_CURRENCY = re.compile(r"BDT|Tk\.|Tk|৳", re.IGNORECASE | re.ASCII)
_IGNORED = re.compile(f"[,{WHITE_SPACE}]+")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_SPEED_UNIT = re.compile(rf"[{WHITE_SPACE}]*(?:mbps|mb|m)$", re.IGNORECASE | re.ASCII)
_SPEED_IN_NAME = re.compile(rf"([0-9]+(?:\.[0-9]+)?)[{WHITE_SPACE}]*(?:mbps|mb)\b", re.IGNORECASE)
_USUAL_ID = rf"^(?:{NUMBER_TAG})?[1-9][0-9]{{0,14}}$"

_TRUE = frozenset({"1", "1.0", "t", "true", "yes", "y"})
_FALSE = frozenset({"0", "0.0", "f", "false", "no", "n"})


# --- whole numbers ----------------------------------------------------------------------------------------------------


def legacy_id(value: Value) -> int | Problem:
    """Key of a whole number from 1 to 10^15 - 1."""
    number = _integer(value)
    return number if isinstance(number, Problem) or 1 <= number < ID_LIMIT else Problem.UNPARSEABLE


def count(value: Value) -> int | Problem:
    """A count: a whole number that fits 32 bits, negative ones included."""
    number = _integer(value)
    return number if isinstance(number, Problem) or abs(number) <= COUNT_LIMIT else Problem.UNPARSEABLE


def day_number(value: Value) -> int | Problem:
    """A day as a whole number; those far outside every month come back as -1000 or 1000."""
    number = _integer(value)
    return number if isinstance(number, Problem) else max(-_DAY_BOUND, min(_DAY_BOUND, number))


def ids(cells: pd.Series) -> Parsed:
    """A column of `legacy_id` as int64; problems are BLANK and UNPARSEABLE."""
    return parse_vector(cells, pa.int64(), legacy_id, _quick_ids)


def counts(cells: pd.Series) -> Parsed:
    """A column of `count` as int32; problems are BLANK and UNPARSEABLE."""
    return parse_vector(cells, pa.int32(), count)


def day_numbers(cells: pd.Series) -> Parsed:
    """A column of `day_number` as int32; problems are BLANK and UNPARSEABLE."""
    return parse_vector(cells, pa.int32(), day_number)


def _integer(value: Value) -> int | Problem:
    given = trimmed(value)
    if given is None:
        return Problem.BLANK
    if isinstance(given, bool):
        return Problem.UNPARSEABLE
    if isinstance(given, int):
        return given
    if isinstance(given, Decimal):
        return _integral(given)
    match = _INTEGER.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        return Problem.UNPARSEABLE
    # Python refuses to read very long integers; beyond the bounds of everything read here one is as good as another.
    digits = match[2].lstrip("0")[: _MAX_DIGITS + 1] or "0"
    return int(f"{match[1]}{digits}")


def _integral(number: Decimal) -> int | Problem:
    if not number.is_finite():
        return Problem.UNPARSEABLE
    if not number:
        return 0
    if number.adjusted() > _MAX_DIGITS:
        return 10**_MAX_DIGITS * (-1 if number < 0 else 1)
    return int(number) if number == number.to_integral_value() else Problem.UNPARSEABLE


def _quick_ids(cells: pa.Array) -> pa.Array:
    return without_number_tag(only_matching(cells, _USUAL_ID)).cast(pa.int64())


# --- amounts ----------------------------------------------------------------------------------------------------------


def round_cents(number: Decimal) -> Decimal:
    """A finite number rounded to 0.01, halves away from zero; zero has no sign."""
    return number.quantize(_CENT, context=_CENTS) or _ZERO


def number(value: Value, limit: int) -> Decimal | Problem:
    """Number rounded to 0.01; text may carry a currency, `/-`, commas and white space.

    Args:
        value: the legacy value.
        limit: the power of ten from which on a rounded absolute value is UNPARSEABLE.
    """
    return _bounded(_exact(trimmed(value)), limit)


def percentage(value: Value) -> Decimal | Problem:
    """Number rounded to 0.01, a `%` behind it allowed; those far outside 0 to 100 come back as -1000 or 1000."""
    given = trimmed(value)
    exact = _exact(given.removesuffix("%").rstrip(WHITE_SPACE) if isinstance(given, str) else given)
    if isinstance(exact, Problem):
        return exact
    return round_cents(max(-_PERCENT_BOUND, min(_PERCENT_BOUND, exact)))


def speed(value: Value) -> Decimal | Problem:
    """Speed in Mbps of a number with or without its unit."""
    given = trimmed(value)
    return _bounded(_exact(_SPEED_UNIT.sub("", given) if isinstance(given, str) else given), SMALL)


def speed_in_name(name: str | None) -> Decimal | Problem:
    """The first speed that a package's name states."""
    match = _SPEED_IN_NAME.search(name) if name else None
    return Problem.BLANK if match is None else _bounded(Decimal(match[1]), SMALL)


def numbers(cells: pd.Series, limit: int) -> Parsed:
    """A column of `number` as decimal128(limit + 2, 2); problems are BLANK and UNPARSEABLE."""
    return parse_vector(cells, decimal_type(limit), lambda value: number(value, limit), _quick_numbers(limit))


def percentages(cells: pd.Series) -> Parsed:
    """A column of `percentage` as decimal128(6, 2); problems are BLANK and UNPARSEABLE."""
    return parse_vector(cells, pa.decimal128(6, 2), percentage)


def speeds(cells: pd.Series) -> Parsed:
    """A column of `speed` as decimal128(10, 2); problems are BLANK and UNPARSEABLE."""
    return parse_vector(cells, decimal_type(SMALL), speed)


def decimal_type(limit: int) -> pa.DataType:
    """The Arrow type of amounts below a power of ten."""
    return pa.decimal128(limit + 2, 2)


def _exact(given: Value) -> Decimal | Problem:
    if given is None:
        return Problem.BLANK
    if isinstance(given, bool) or not isinstance(given, int | Decimal | str):
        return Problem.UNPARSEABLE
    if isinstance(given, str):
        currency = _CURRENCY.match(given)
        bare = given[currency.end() :] if currency else given
        digits = _IGNORED.sub("", bare.removesuffix("/-"))
        return Decimal(digits) if _NUMBER.fullmatch(digits) else Problem.UNPARSEABLE
    exact = Decimal(given)
    return exact if exact.is_finite() else Problem.UNPARSEABLE


def _bounded(exact: Decimal | Problem, limit: int) -> Decimal | Problem:
    if isinstance(exact, Problem) or not exact:
        return exact if isinstance(exact, Problem) else _ZERO
    # A far larger number has no room for cents in the context.
    if exact.adjusted() >= limit:
        return Problem.UNPARSEABLE
    rounded = round_cents(exact)
    return Problem.UNPARSEABLE if rounded.adjusted() >= limit and rounded else rounded


def _quick_numbers(limit: int) -> Callable[[pa.Array], pa.Array]:
    usual = rf"^(?:{NUMBER_TAG})?-?[0-9]{{1,{limit}}}(?:\.[0-9]{{1,2}})?$"
    return lambda cells: without_number_tag(only_matching(cells, usual)).cast(decimal_type(limit))


# --- yes or no --------------------------------------------------------------------------------------------------------


def boolean(value: Value) -> bool | Problem:
    """Boolean of a boolean, of the numbers 1 and 0, or of a word for either in any case."""
    given = trimmed(value)
    if given is None:
        return Problem.BLANK
    if isinstance(given, int | Decimal):
        return bool(given) if given in (0, 1) else Problem.UNPARSEABLE
    word = given.lower() if isinstance(given, str) else ""
    if word in _TRUE:
        return True
    return False if word in _FALSE else Problem.UNPARSEABLE


def booleans(cells: pd.Series) -> Parsed:
    """A column of `boolean` as bool; problems are BLANK and UNPARSEABLE."""
    return parse_vector(cells, pa.bool_(), boolean)
