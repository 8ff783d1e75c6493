"""Indonesian phone numbers, often two in a field."""

import re
from typing import NamedTuple

from migration.parsing.cells import Value
from skynet_assets.parsing.text import text, without_zero_fraction

_BETWEEN_NUMBERS = re.compile(r"[/,;|&]|(?<![a-z])(?:atau|dan)(?![a-z])", re.IGNORECASE | re.ASCII)
_NOT_DIGITS = re.compile(r"[^0-9]+")
_COUNTRY = "62"
_LENGTHS = range(8, 13)


class Phone(NamedTuple):
    """The first and the next different number of a field as E.164, and whether what was written holds none."""

    phone: str | None
    alt: str | None
    invalid: bool


def phone(value: Value) -> Phone:
    """Up to two different numbers as `+62…`; a field without digits, or of zeros, is no number and not invalid."""
    found = without_zero_fraction(text(value) or "")
    if not _NOT_DIGITS.sub("", found).strip("0"):
        return Phone(None, None, invalid=False)
    numbers = [number for piece in _BETWEEN_NUMBERS.split(found) if (number := _number(piece))]
    distinct = [*dict.fromkeys(numbers), None, None]
    return Phone(distinct[0], distinct[1], invalid=not numbers)


def _number(piece: str) -> str | None:
    digits = _NOT_DIGITS.sub("", piece)
    if digits.startswith(_COUNTRY):
        local = digits.removeprefix(_COUNTRY).removeprefix("0")
    elif digits.startswith("0"):
        local = digits[1:]
    elif digits.startswith("8"):
        local = digits
    else:
        return None
    usable = len(local) in _LENGTHS and not local.startswith("0")
    return f"+{_COUNTRY}{local}" if usable else None
