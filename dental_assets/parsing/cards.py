"""Payment cards: numbers taken out of texts and JSON, and what may be kept of a card.

A card number is 13 to 19 digits in one of the printed groupings, begins with 2 to 6 and has a right check digit. Tooth
charts, dates, phones and time stamps have not, and stay.
"""

import re
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa

from dental_assets.parsing.column import Column, read_column, truth
from dental_assets.parsing.numbers import integer
from dental_assets.parsing.problem import Problem
from dental_assets.parsing.text import text
from migration.parsing.cells import Value

REDACTED = "[PAN-REDACTED]"
BRANDS = frozenset(
    {
        "VISA",
        "MASTERCARD",
        "AMERICAN_EXPRESS",
        "DISCOVER",
        "DISCOVER_DINERS",
        "JCB",
        "CHINA_UNIONPAY",
        "SQUARE_GIFT_CARD",
        "INTERAC",
        "EFTPOS",
    }
)
OTHER_BRAND = "OTHER_BRAND"

_ALIASES = {"MC": "MASTERCARD", "MASTER_CARD": "MASTERCARD", "AMEX": "AMERICAN_EXPRESS"}
_HYPHENS = re.compile(r"[ -]+")
_NOT_A_DIGIT = re.compile("[^0-9]+")
_LAST = 4

_GROUP = re.compile("[0-9]+")
_SEPARATOR = "(?:[-.]|[ \u00a0]{1,2})"
_SHAPES = tuple(
    re.compile(_SEPARATOR.join(f"[0-9]{{{group}}}" for group in shape.split("-")) + "(?![0-9])")
    for shape in ("4-4-4-4-1,3", "4-4-4-4", "4-6-5", "4-6-4", "13,19")
)
# Whatever holds a card number matches this; few other texts do. RE2 and PostgreSQL read it alike.
SUSPECT = "[2-6](?:[-. \u00a0]{0,2}[0-9]){12}"
_SUSPECT = re.compile(SUSPECT)

_FEWEST_DIGITS, _MOST_DIGITS = 13, 19
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def is_card(digits: str) -> bool:
    """Whether digits are a card number: 13 to 19 of them, the first 2 to 6, and the check digit (Luhn) right."""
    if not _FEWEST_DIGITS <= len(digits) <= _MOST_DIGITS or digits[0] not in "23456":
        return False
    odd = sum(int(digit) for digit in digits[-1::-2])
    return (odd + sum(_DOUBLED[int(digit)] for digit in digits[-2::-2])) % 10 == 0


def redacted(written: str) -> str:
    """Text with `[PAN-REDACTED]` in place of each card number and the separators inside it."""
    if _SUSPECT.search(written) is None:
        return written
    kept: list[str] = []
    done = 0
    for group in _GROUP.finditer(written):
        end = _card_end(written, group.start()) if group.start() >= done else None
        if end is not None:
            kept += [written[done : group.start()], REDACTED]
            done = end
    return "".join([*kept, written[done:]])


def redacted_json(value: Any) -> Any:
    """A JSON value, its texts redacted at every depth; a whole number that is a card number becomes the mark."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, list):
        return [redacted_json(each) for each in value]
    if isinstance(value, dict):
        return {key: redacted_json(each) for key, each in value.items()}
    return REDACTED if _is_card_number(value) else value


def redacted_texts(column: Column) -> Column:
    """A column of text, redacted; texts that cannot hold a card number are not looked at."""
    suspects = truth(column.value.str.contains(SUSPECT, regex=True))
    if not suspects.any():
        return column
    changed = column.value[suspects].map(redacted).astype(column.value.dtype)
    value = column.value.copy()
    value.loc[changed.index] = changed
    return Column(value, column.invalid, column.code)


def last4(value: Value) -> str | None:
    """The last four digits of a card number, with leading zeros; None without any digit."""
    digits = _digits(value)
    return digits[-_LAST:].rjust(_LAST, "0") if digits else None


def is_too_long(value: Value) -> bool:
    """Whether a field for four digits holds more."""
    return len(_digits(value)) > _LAST


def brand(value: Value) -> str | Problem:
    """Brand of a card, one of `BRANDS`; any other is `OTHER_BRAND`."""
    found = text(value)
    if isinstance(found, Problem):
        return found
    name = _HYPHENS.sub("_", found.upper())
    name = _ALIASES.get(name, name)
    return name if name in BRANDS else OTHER_BRAND


def brands(cells: pd.Series) -> Column:
    """A column of brands; an array or object warns BAD_TEXT."""
    return read_column(cells, pa.string(), brand, "BAD_TEXT")


def last_digits(cells: pd.Series) -> tuple[Column, pd.Series]:
    """A column of last four digits (an array or object warns BAD_TEXT), and whether each row held more of them."""
    kept = read_column(cells, pa.string(), _last4_or_problem, "BAD_TEXT")
    long = read_column(cells, pa.bool_(), is_too_long, "PAN_TRUNCATED")
    return kept, long.value.astype(bool)


def _last4_or_problem(value: Value) -> str | Problem:
    found = text(value)
    return found if isinstance(found, Problem) else last4(value) or Problem.NULL


def _digits(value: Value) -> str:
    whole = integer(value)
    if isinstance(whole, int):
        return str(abs(whole))
    found = text(value)
    return "" if isinstance(found, Problem) else _NOT_A_DIGIT.sub("", found)


def _card_end(written: str, start: int) -> int | None:
    """Where the card number ends that begins with the group at `start`; None where there is none."""
    for shape in _SHAPES:
        match = shape.match(written, start)
        if match and is_card(_NOT_A_DIGIT.sub("", match.group())):
            return match.end()
    return None


def _is_card_number(value: Any) -> bool:
    """Whether a JSON number is whole and its digits are a card number."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return False
    if isinstance(value, Decimal) and not (value.is_finite() and value.adjusted() < _MOST_DIGITS):
        return False
    digits = format(abs(value), "d") if isinstance(value, int) else format(value.copy_abs(), "f")
    return digits.isdecimal() and is_card(digits)
