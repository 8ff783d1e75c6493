"""Amounts of money in rupiah, as people and spreadsheets write them."""

import re
from decimal import ROUND_HALF_UP, Context, Decimal

from migration.parsing.cells import Value
from skynet_assets.parsing.problem import Problem
from skynet_assets.parsing.text import text

_CENT = Decimal("0.01")
_LIMIT = Decimal(10) ** 12
_LIMIT_MAGNITUDE = 12
_CENTS = Context(prec=40, rounding=ROUND_HALF_UP)
_CURRENCY = re.compile(r"rp\.?|idr")
_DOT_GROUPS = re.compile(r"([0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+)(?:,([0-9]{1,2}))?")
_COMMA_GROUPS = re.compile(r"([0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.([0-9]{1,2}))?")


def money(value: Value) -> Decimal | Problem:
    """Amount of a number or of text such as `Rp 1.500.000,50`, rounded half-up to 0.01 and below 10^12.

    Nothing given is MISSING; booleans, arrays, objects and what is no clear amount are INVALID.
    """
    if isinstance(value, bool | list | dict):
        return Problem.INVALID
    if isinstance(value, int | Decimal):
        return _amount_of_number(Decimal(value))
    found = text(value)
    if found is None:
        return Problem.MISSING
    number = _number_of_text(found.casefold())
    return Problem.INVALID if number is None else _amount_of_number(number)


def _number_of_text(written: str) -> Decimal | None:
    negative = written.startswith("-")
    # Only around the sign: a currency mark that itself is torn apart by spaces is no mark.
    amount = written[1:].lstrip() if negative else written
    if mark := _CURRENCY.match(amount):
        amount = amount[mark.end() :]
    amount = amount.replace(" ", "").removesuffix(",-")
    if amount.startswith("-") and not negative:
        negative, amount = True, amount[1:]
    digits = _DOT_GROUPS.fullmatch(amount) or _COMMA_GROUPS.fullmatch(amount)
    if digits is None:
        return None
    whole = digits[1].replace(".", "").replace(",", "")
    number = Decimal(f"{whole}.{digits[2] or '0'}")
    return number.copy_negate() if negative else number


def _amount_of_number(number: Decimal) -> Decimal | Problem:
    if not number.is_finite():
        return Problem.MISSING if number.is_nan() else Problem.INVALID
    if not number:
        return Decimal("0.00")
    if number.adjusted() >= _LIMIT_MAGNITUDE:
        return Problem.INVALID
    amount = number.quantize(_CENT, context=_CENTS)
    if not amount:
        return amount.copy_abs()
    return amount if amount.copy_abs() < _LIMIT else Problem.INVALID
