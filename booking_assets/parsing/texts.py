"""Text: with single spaces (`text`), with its inner white space (`raw_text`), in upper case (`upper`)."""

import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from booking_assets.parsing.problem import Problem
from migration.parsing.cells import Value
from migration.parsing.vectors import NUMBER_TAG, Parsed, only_matching, parse_vector, without_number_tag

# What Python takes for white space: Unicode's, and four separators of old terminals (U+001C to U+001F).
WHITE_SPACE = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)

# PostgreSQL holds no U+0000, and UTF-8 no lone surrogates.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

# More digits than any legacy field holds: a hostile exponent must not become gigabytes of zeros.
_MAX_MAGNITUDE = 5_000

_WORD = rf"[^\x00{WHITE_SPACE}]"
_SINGLE_SPACED = rf"^{_WORD}+(?: {_WORD}+)*$"
_TRIMMED = rf"^{_WORD}(?:[^\x00]*{_WORD})?$"
_ASCII_SINGLE_SPACED = r"^[!-~]+(?: [!-~]+)*$"
# Numbers whose digits are their plain text already.
_PLAIN_NUMBER = rf"^{NUMBER_TAG}(?:0|-?[1-9][0-9]{{0,99}}|-?(?:0|[1-9][0-9]{{0,99}})\.[0-9]{{0,98}}[1-9])$"


def trimmed(value: Value) -> Value:
    """The value, text without U+0000 and the white space around it; blank text is None."""
    return without_unstorable(value).strip() or None if isinstance(value, str) else value


def without_unstorable(text: str) -> str:
    """Text without the characters that the database cannot hold."""
    return _UNSTORABLE.sub("", text) if not text.isascii() or "\x00" in text else text


def text(value: Value) -> str | Problem:
    """Text with single spaces for every run of white space; numbers in plain notation, booleans as words.

    Nothing given is NULL, as are arrays and objects, which are no text.
    """
    found = _plain(value)
    return " ".join(found.split()) or Problem.NULL


def raw_text(value: Value) -> str | Problem:
    """As `text`, but the white space inside stays as it is."""
    return _plain(value).strip() or Problem.NULL


def upper(value: Value) -> str | Problem:
    """The upper case of `text`."""
    found = text(value)
    return found if isinstance(found, Problem) else found.upper()


def texts(cells: pd.Series) -> Parsed:
    """A column of `text` as string; problems are NULL only."""
    return parse_vector(cells, pa.string(), text, lambda found: _quick(found, _SINGLE_SPACED))


def raw_texts(cells: pd.Series) -> Parsed:
    """A column of `raw_text` as string; problems are NULL only."""
    return parse_vector(cells, pa.string(), raw_text, lambda found: _quick(found, _TRIMMED))


def uppers(cells: pd.Series) -> Parsed:
    """A column of `upper` as string; problems are NULL only."""
    return parse_vector(cells, pa.string(), upper, _quick_uppers)


def cut(text: str, length: int) -> str:
    """Text cut to as many characters as its column holds; white space that the cut leaves at the end stays."""
    return text[:length]


def cuts(values: pd.Series, length: int) -> tuple[pd.Series, pd.Series]:
    """A column of texts cut to a length, and whether each one was longer, as bool without missing entries."""
    lengths = values.str.len().fillna(0).to_numpy(dtype=np.int64)
    too_long = pd.Series(lengths > length, index=values.index)
    return (values.str.slice(0, length) if too_long.any() else values), too_long


def plain_number(number: int | Decimal) -> str:
    """A number in plain decimal notation without trailing zeros after the point.

    Numbers of thousands of digits keep their exponent.
    """
    exact = Decimal(number)
    _, digits, exponent = exact.as_tuple()
    if not isinstance(exponent, int) or max(abs(exponent), len(digits)) > _MAX_MAGNITUDE:
        return str(exact)
    written = format(exact, "f")
    return written.rstrip("0").rstrip(".") if "." in written else written


def _plain(value: Value) -> str:
    """The text of a value as it is written, empty when there is none."""
    if isinstance(value, str):
        return without_unstorable(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain_number(value) if isinstance(value, int | Decimal) else ""


def _quick(cells: pa.Array, pattern: str) -> pa.Array:
    numbers = without_number_tag(only_matching(cells, _PLAIN_NUMBER))
    return pc.call_function("coalesce", [only_matching(cells, pattern), numbers]).cast(pa.string())


def _quick_uppers(cells: pa.Array) -> pa.Array:
    written = only_matching(cells, _ASCII_SINGLE_SPACED)
    return pc.call_function("ascii_upper", [written]).cast(pa.string())
