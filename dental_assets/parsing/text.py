"""Plain text, and the test for nothing that every other kind of value starts with."""

import re
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from dental_assets.parsing.column import Column, read_column
from dental_assets.parsing.problem import Problem
from migration.parsing.cells import Value
from migration.parsing.vectors import NUMBER_TAG, only_matching, without_number_tag

# What Unicode calls white space. Python and Arrow count four separators of old terminals (U+001C to U+001F) as well.
WHITE_SPACE = (
    "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
SPACES = re.compile(f"[{WHITE_SPACE}]+")
NULL_TEXTS = frozenset({"", "\\N", "NULL"})

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_NUL = "\x00"

# More digits than any legacy field holds: a hostile exponent must not become gigabytes of zeros.
_MAX_MAGNITUDE = 5_000

# Numbers whose digits are their plain text already; `-0` is left out because it is read as the integer 0.
_PLAIN_NUMBER = rf"^{NUMBER_TAG}(?:0|-?[1-9][0-9]{{0,99}}|-?(?:0|[1-9][0-9]{{0,99}})\.[0-9]{{1,99}})$"


def given(value: Value) -> Value:
    """The value, text without the white space around it; None where it means nothing."""
    if not isinstance(value, str):
        return value
    trimmed = value.strip(WHITE_SPACE)
    return None if trimmed in NULL_TEXTS else trimmed


def plain_number(number: int | Decimal) -> str:
    """A number as plain decimal text with the digits it was written with; thousands of zeros stay an exponent."""
    exact = Decimal(number)
    _, digits, exponent = exact.as_tuple()
    is_long = isinstance(exponent, int) and max(abs(exponent), len(digits)) > _MAX_MAGNITUDE
    return str(exact) if is_long else format(exact, "f")


def text(value: Value) -> str | Problem:
    """Trimmed text; numbers as plain decimals, booleans as `true` and `false`; arrays and objects are INVALID."""
    found = given(value)
    if found is None:
        return Problem.NULL
    if isinstance(found, str):
        return found
    if isinstance(found, bool):
        return "true" if found else "false"
    return plain_number(found) if isinstance(found, int | Decimal) else Problem.INVALID


def spaced(value: Value) -> str | Problem:
    """As `text`, with one space for every run of white space."""
    found = text(value)
    return SPACES.sub(" ", found) if isinstance(found, str) else found


def email(value: Value) -> str | Problem:
    """E-mail address in lower case; text that has not the form of one is INVALID, what is no text counts as NULL."""
    found = text(value)
    if isinstance(found, Problem):
        return Problem.NULL
    lower = found.lower()
    return lower if _EMAIL.fullmatch(lower) else Problem.INVALID


def texts(cells: pd.Series) -> Column:
    """A column of text; an array or object warns BAD_TEXT."""
    return read_column(cells, pa.string(), text, "BAD_TEXT", _quick_texts)


def spaced_texts(cells: pd.Series) -> Column:
    """A column of text with single spaces; an array or object warns BAD_TEXT."""
    return read_column(cells, pa.string(), spaced, "BAD_TEXT")


def emails(cells: pd.Series) -> Column:
    """A column of e-mail addresses; text that is none warns BAD_EMAIL."""
    return read_column(cells, pa.string(), email, "BAD_EMAIL")


def _quick_texts(cells: pa.Array) -> pa.Array:
    has_nul = pc.call_function("match_substring", [cells], pc.MatchSubstringOptions(_NUL))
    nothing = pa.scalar(None, cells.type)
    written = pc.call_function("if_else", [has_nul, nothing, cells])
    stripped = pc.call_function("utf8_trim", [written], pc.TrimOptions(WHITE_SPACE))
    is_null = pc.call_function("is_in", [stripped], pc.SetLookupOptions(pa.array(sorted(NULL_TEXTS), cells.type)))
    numbers = only_matching(pc.call_function("if_else", [has_nul, cells, nothing]), _PLAIN_NUMBER)
    found = pc.call_function("if_else", [is_null, nothing, stripped])
    return pc.call_function("coalesce", [found, without_number_tag(numbers)]).cast(pa.string())
