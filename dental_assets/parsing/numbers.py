"""Numbers: integers, ids, booleans, money to the cent, and rates; never by way of a float."""

import re
from decimal import ROUND_HALF_UP, Context, Decimal

import pandas as pd
import pyarrow as pa

from dental_assets.parsing.column import Column, read_column
from dental_assets.parsing.problem import Problem
from dental_assets.parsing.text import SPACES, given
from migration.parsing.cells import Value
from migration.parsing.vectors import NUMBER_TAG, only_matching, without_number_tag

MONEY = pa.decimal128(12, 2)
RATE = pa.decimal128(6, 4)
BIGINT_LIMIT = 2**63
BIGINT_DIGITS = 19

_MONEY_MAGNITUDE = 10
_INTEGER = re.compile(r"([+-]?)([0-9]+)(?:\.0+)?")
_AMOUNT = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_CURRENCY = str.maketrans("", "", "$,")
_TRUE = frozenset({"t", "true", "1", "y", "yes"})
_FALSE = frozenset({"f", "false", "0", "n", "no"})
_USUAL_INTEGER = rf"^(?:{NUMBER_TAG})?-?[0-9]{{1,18}}$"
_USUAL_ID = rf"^(?:{NUMBER_TAG})?[1-9][0-9]{{0,17}}$"
_USUAL_MONEY = rf"^(?:{NUMBER_TAG})?-?[0-9]{{1,10}}(?:\.[0-9]{{1,2}})?$"


def integer(value: Value) -> int | Problem:
    """Integer of a whole number, or of digits that may have a sign and end in `.` and zeros; |n| < 2^63."""
    found = given(value)
    if found is None:
        return Problem.NULL
    number = _whole(found)
    return number if number is not None and abs(number) < BIGINT_LIMIT else Problem.INVALID


def legacy_id(value: Value) -> int | Problem:
    """As `integer`; what is below 1 is no id."""
    number = integer(value)
    return Problem.INVALID if isinstance(number, int) and number < 1 else number


def boolean(value: Value) -> bool | Problem:
    """Boolean of a boolean, a number equal to 1 or 0, or a word for either in any case."""
    found = given(value)
    if found is None:
        return Problem.NULL
    if isinstance(found, int | Decimal):
        return bool(found) if found in (0, 1) else Problem.INVALID
    word = found.lower() if isinstance(found, str) else ""
    if word in _TRUE:
        return True
    return False if word in _FALSE else Problem.INVALID


def money(value: Value) -> Decimal | Problem:
    """Amount rounded to the cent, halves away from zero; from 10^10 on it is INVALID."""
    number = _decimal(given(value))
    if isinstance(number, Problem):
        return number
    # A far larger number has no room for cents in the context.
    if number and number.adjusted() >= _MONEY_MAGNITUDE:
        return Problem.INVALID
    rounded = _rounded(number, 2)
    return rounded if rounded.adjusted() < _MONEY_MAGNITUDE else Problem.INVALID


def rate(value: Value) -> Decimal | Problem:
    """Rate below 1 with four decimals, halves up, of a fraction or of a percentage; all else is NULL or INVALID."""
    number = _decimal(given(value))
    if isinstance(number, Problem):
        return number
    if number < 0 or number > 100:
        return Problem.INVALID
    exact = Context(prec=len(number.as_tuple().digits) + 2)
    rounded = _rounded(number.scaleb(-2, context=exact) if number > 1 else number, 4)
    return Problem.INVALID if rounded >= 1 else rounded


def integers(cells: pd.Series) -> Column:
    """A column of integers; what is none warns BAD_INT."""
    return read_column(cells, pa.int64(), integer, "BAD_INT", lambda texts: _digits(texts, _USUAL_INTEGER, pa.int64()))


def ids(cells: pd.Series) -> Column:
    """A column of ids; what is none, or below 1, warns BAD_INT."""
    return read_column(cells, pa.int64(), legacy_id, "BAD_INT", lambda texts: _digits(texts, _USUAL_ID, pa.int64()))


def booleans(cells: pd.Series, *, default: bool = False) -> Column:
    """A column of booleans; nothing is the default, what is none too and warns BAD_BOOL."""
    return read_column(cells, pa.bool_(), boolean, "BAD_BOOL").filled(default)


def amounts(cells: pd.Series) -> Column:
    """A column of money; what is none warns BAD_MONEY."""
    return read_column(cells, MONEY, money, "BAD_MONEY", lambda texts: _digits(texts, _USUAL_MONEY, MONEY))


def stated_amounts(rows: pd.DataFrame) -> Column:
    """The amounts of payments: their total price, or where there is none the price that was paid."""
    return amounts(rows["total_price"]).filled(amounts(rows["paid_price"]).value)


def rates(cells: pd.Series) -> Column:
    """A column of rates; nothing is 0, what is none too and warns BAD_RATE."""
    return read_column(cells, RATE, rate, "BAD_RATE").filled(Decimal("0.0000"))


def _whole(found: Value) -> int | None:
    if isinstance(found, bool):
        return None
    if isinstance(found, int):
        return found
    if isinstance(found, Decimal):
        return _of_decimal(found)
    match = _INTEGER.fullmatch(found) if isinstance(found, str) else None
    digits = match[2].lstrip("0") if match else None
    # Python refuses to read very long integers, so the length is looked at first.
    if match is None or digits is None or len(digits) > BIGINT_DIGITS:
        return None
    return int(match[1] + (digits or "0"))


def _of_decimal(number: Decimal) -> int | None:
    if not number:
        return 0
    if not number.is_finite() or number.adjusted() >= BIGINT_DIGITS:
        return None
    return int(number) if number == number.to_integral_value() else None


def _decimal(found: Value) -> Decimal | Problem:
    """The number of a JSON number, or of text less `$`, `,` and white space."""
    if found is None:
        return Problem.NULL
    if isinstance(found, bool):
        return Problem.INVALID
    if isinstance(found, int | Decimal):
        number = Decimal(found)
        return number if number.is_finite() else Problem.INVALID
    if not isinstance(found, str):
        return Problem.INVALID
    bare = SPACES.sub("", found.translate(_CURRENCY))
    return Decimal(bare) if _AMOUNT.fullmatch(bare) else Problem.INVALID


def _rounded(number: Decimal, places: int) -> Decimal:
    """Rounded halves away from zero; minus zero is zero."""
    digits = len(number.as_tuple().digits)
    context = Context(prec=max(digits, _MONEY_MAGNITUDE) + places + 2, rounding=ROUND_HALF_UP)
    rounded = number.quantize(Decimal(1).scaleb(-places), context=context)
    return rounded if rounded else rounded.copy_abs()


def _digits(texts: pa.Array, pattern: str, kind: pa.DataType) -> pa.Array:
    return without_number_tag(only_matching(texts, pattern)).cast(kind)
