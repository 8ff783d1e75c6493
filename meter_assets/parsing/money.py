"""Amounts of money in shillings, exact to the cent."""

import re
from decimal import ROUND_HALF_UP, Context, Decimal

import pandas as pd
import pyarrow as pa

from meter_assets.parsing.problem import Problem
from meter_assets.parsing.text import trimmed
from migration.parsing.cells import Value
from migration.parsing.vectors import NUMBER_TAG, Parsed, only_matching, parse_vector, without_number_tag

MONEY = pa.decimal128(14, 2)

_CENT = Decimal("0.01")
_LIMIT = Decimal(10) ** 12
_LIMIT_MAGNITUDE = 12
_CENTS = Context(prec=40, rounding=ROUND_HALF_UP)

# ASCII, because there are letters elsewhere that only differ from a K by case.
_AMOUNT = re.compile(r"(?:KES *)?([+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?)", re.IGNORECASE | re.ASCII)
_USUAL = rf"^(?:{NUMBER_TAG})?-?[0-9]{{1,12}}(?:\.[0-9]{{1,2}})?$"


def money(value: Value) -> Decimal | Problem:
    """Amount of a number or of text such as `KES 1,200.50`, rounded to 0.01, halves away from zero.

    Nothing given is NULL; 10^12 and above, after rounding and whatever the sign, is OUT_OF_RANGE; everything else that
    is no clear amount is UNPARSABLE.
    """
    written = trimmed(value)
    if written is None:
        return Problem.NULL
    if isinstance(written, int | Decimal) and not isinstance(written, bool):
        return _rounded(Decimal(written))
    match = _AMOUNT.fullmatch(written) if isinstance(written, str) else None
    return _rounded(Decimal(match[1].replace(",", ""))) if match else Problem.UNPARSABLE


def amounts(cells: pd.Series) -> Parsed:
    """A column of money as decimal128(14, 2); problems are NULL, UNPARSABLE and OUT_OF_RANGE."""
    return parse_vector(cells, MONEY, money, _quick_amounts)


def _rounded(number: Decimal) -> Decimal | Problem:
    if not number.is_finite():
        return Problem.UNPARSABLE
    if not number:
        return Decimal("0.00")
    # A far larger number has no room for cents in the context.
    if number.adjusted() >= _LIMIT_MAGNITUDE:
        return Problem.OUT_OF_RANGE
    amount = number.quantize(_CENT, context=_CENTS)
    if amount.copy_abs() >= _LIMIT:
        return Problem.OUT_OF_RANGE
    return amount or Decimal("0.00")


def _quick_amounts(cells: pa.Array) -> pa.Array:
    return without_number_tag(only_matching(cells, _USUAL)).cast(MONEY)
