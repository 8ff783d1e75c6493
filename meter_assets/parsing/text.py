"""Plain text, and the trimming that every other kind of value starts with."""

from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from meter_assets.parsing.problem import Problem
from migration.parsing.cells import Value, to_json
from migration.parsing.vectors import NUMBER_TAG, Parsed, only_matching, parse_vector, without_number_tag

# What Unicode calls white space. Python and Arrow count four separators of old terminals (U+001C to U+001F) as well.
WHITE_SPACE = (
    "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)

_NUL = "\x00"

# More digits than any legacy field holds: a hostile exponent must not become gigabytes of zeros.
_MAX_MAGNITUDE = 5_000

# Numbers whose digits are their plain text already; `-0` is left out because it is read as the integer 0.
_PLAIN_NUMBER = rf"^{NUMBER_TAG}(?:0|-?[1-9][0-9]{{0,99}}|-?(?:0|[1-9][0-9]{{0,99}})\.[0-9]{{1,99}})$"


def trimmed(value: Value) -> Value:
    """The value, text without the white space around it; blank text is None."""
    return value.strip(WHITE_SPACE) or None if isinstance(value, str) else value


def text(value: Value) -> str | Problem:
    """Trimmed text without U+0000, which PostgreSQL cannot hold; blank text is NULL.

    Numbers become plain decimal text with the digits they were written with, booleans `true` and `false`, arrays and
    objects their JSON text. Numbers of thousands of digits keep their exponent.
    """
    if value is None:
        return Problem.NULL
    if isinstance(value, str):
        return value.replace(_NUL, "").strip(WHITE_SPACE) or Problem.NULL
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return _plain_number(Decimal(value))
    return to_json(value)


def texts(cells: pd.Series) -> Parsed:
    """A column of text as string; problems are NULL only."""
    return parse_vector(cells, pa.string(), text, _quick_texts)


def _plain_number(number: Decimal) -> str:
    _, digits, exponent = number.as_tuple()
    is_long = isinstance(exponent, int) and max(abs(exponent), len(digits)) > _MAX_MAGNITUDE
    return str(number) if is_long else format(number, "f")


def _quick_texts(cells: pa.Array) -> pa.Array:
    has_nul = pc.call_function("match_substring", [cells], pc.MatchSubstringOptions(_NUL))
    nothing = pa.scalar(None, cells.type)
    written = pc.call_function("if_else", [has_nul, nothing, cells])
    stripped = pc.call_function("utf8_trim", [written], pc.TrimOptions(WHITE_SPACE))
    is_blank = pc.call_function("equal", [stripped, pa.scalar("", cells.type)])
    numbers = only_matching(pc.call_function("if_else", [has_nul, cells, nothing]), _PLAIN_NUMBER)
    found = pc.call_function("if_else", [is_blank, nothing, stripped])
    return pc.call_function("coalesce", [found, without_number_tag(numbers)]).cast(pa.string())
