"""National identity and family-card numbers (nik, kk)."""

import re
from typing import NamedTuple

from migration.parsing.cells import Value
from skynet_assets.parsing.text import text, without_zero_fraction

_SCIENTIFIC = re.compile(r"'?[+-]?[0-9]+(?:[.,][0-9]+)?e[+-]?[0-9]+", re.IGNORECASE)
_NOT_DIGITS = re.compile(r"[^0-9]+")
_LENGTH = 16
_MAX_LENGTH = 20


class IdentityNumber(NamedTuple):
    """An identity number: its digits, whether they can be one, and whether something unusable was written."""

    digits: str | None
    valid: bool | None
    unusable: bool


_NONE = IdentityNumber(None, None, unusable=False)
_UNUSABLE = IdentityNumber(None, None, unusable=True)


def identity_number(value: Value) -> IdentityNumber:
    """Digits of an identity number, at most 20; valid if 16 and not all the same.

    Zeros mean none. Scientific notation, no digit and more than 20 digits are unusable.
    """
    if isinstance(value, bool | list | dict):
        return _UNUSABLE
    found = text(value)
    if found is None:
        return _NONE
    # A spreadsheet that writes an exponent has thrown the last digits away.
    if _SCIENTIFIC.fullmatch(found):
        return _UNUSABLE
    digits = _NOT_DIGITS.sub("", without_zero_fraction(found))
    if not 1 <= len(digits) <= _MAX_LENGTH:
        return _UNUSABLE
    if not digits.strip("0"):
        return _NONE
    return IdentityNumber(digits, len(digits) == _LENGTH and len(set(digits)) > 1, unusable=False)
