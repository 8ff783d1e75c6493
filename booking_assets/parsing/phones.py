"""Phone numbers: whatever guests, agents and mail parsers write, as E.164 where that is possible."""

import re
from collections.abc import Callable

import pandas as pd
import pyarrow as pa

from booking_assets.parsing.problem import Problem
from booking_assets.parsing.texts import text
from migration.parsing.cells import Value
from migration.parsing.vectors import Parsed, only_matching, parse_vector

FALLBACK_LENGTH = 64

_BETWEEN_NUMBERS = re.compile(r"[;,/]")
_NOT_DIGITS = re.compile(r"[^0-9]+")
_MIN_PIECE_DIGITS = 7
_MIN_FALLBACK_DIGITS = 5
_INDONESIA = "62"
_E164_LENGTHS = range(8, 16)
_MOBILE_LENGTHS = range(9, 13)
_INTERNATIONAL_LENGTHS = range(11, 16)

# Numbers that are E.164 already, but for those that might begin with a doubled zero.
_USUAL = r"^\+(?:[1-57-9][0-9]|6[013-9]|62[1-9])[0-9]{6,12}$"

# How digits that follow no plus become country code and number: the first prefix that fits decides.
_LOCAL: tuple[tuple[Callable[[str], bool], Callable[[str], str]], ...] = (
    (lambda digits: digits.startswith("00"), lambda digits: digits[2:]),
    (lambda digits: digits.startswith("0"), lambda digits: _INDONESIA + digits[1:]),
    (lambda digits: digits.startswith(_INDONESIA), lambda digits: digits),
    (lambda digits: digits.startswith("8") and len(digits) in _MOBILE_LENGTHS, lambda digits: _INDONESIA + digits),
    (lambda digits: len(digits) in _INTERNATIONAL_LENGTHS, lambda digits: digits),
)


def e164(value: Value) -> str | Problem:
    """The first number of a field, as `+` and 8 to 15 digits.

    Nothing given is NULL; what holds no number is INVALID. A number without country code is Indonesian.
    """
    found = text(value)
    if isinstance(found, Problem):
        return found
    piece = next((each for each in _BETWEEN_NUMBERS.split(found) if len(_digits(each)) >= _MIN_PIECE_DIGITS), None)
    return Problem.INVALID if piece is None else _number(piece) or Problem.INVALID


def fallback_phone(value: Value) -> str | Problem:
    """Text with at least five digits, to keep where no number can be made of it; all other text is INVALID."""
    found = text(value)
    if isinstance(found, Problem):
        return found
    return found[:FALLBACK_LENGTH] if len(_digits(found)) >= _MIN_FALLBACK_DIGITS else Problem.INVALID


def e164s(cells: pd.Series) -> Parsed:
    """A column of `e164` as string; problems are NULL and INVALID."""
    return parse_vector(cells, pa.string(), e164, _quick)


def fallback_phones(cells: pd.Series) -> Parsed:
    """A column of `fallback_phone` as string; problems are NULL and INVALID."""
    return parse_vector(cells, pa.string(), fallback_phone, _quick)


def _quick(cells: pa.Array) -> pa.Array:
    return only_matching(cells, _USUAL).cast(pa.string())


def _number(piece: str) -> str | None:
    _, plus, after = piece.partition("+")
    digits = _digits(after if plus else piece)
    if not plus:
        digits = next((convert(digits) for fits, convert in _LOCAL if fits(digits)), "")
    if digits.startswith(f"{_INDONESIA}0"):
        digits = _INDONESIA + digits[len(_INDONESIA) + 1 :]
    return f"+{digits}" if len(digits) in _E164_LENGTHS and not digits.startswith("0") else None


def _digits(written: str) -> str:
    return _NOT_DIGITS.sub("", written)
