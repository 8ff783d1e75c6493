"""Text as it is stored: trimmed (`text`), with single spaces (`name`), an e-mail address (`email`)."""

import re
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from billing_assets.parsing.blanks import WHITE_SPACE, blank_array, trimmed
from billing_assets.parsing.problem import Problem
from migration.parsing.cells import Value, to_json
from migration.parsing.vectors import Parsed, only_matching, parse_vector

# More digits than any legacy field holds: a hostile exponent must not become gigabytes of zeros.
_MAX_MAGNITUDE = 5_000

_SPACES = re.compile(f"[{WHITE_SPACE}]+")
_EMAIL = re.compile(rf"[^@{WHITE_SPACE}]+@[^@{WHITE_SPACE}]+\.[^@{WHITE_SPACE}]+")
_WORD = rf"[^\x00{WHITE_SPACE}]"
_TRIMMED = rf"^{_WORD}(?:[^\x00]*{_WORD})?$"
_SINGLE_SPACED = rf"^{_WORD}+(?: {_WORD}+)*$"


def text(value: Value) -> str | Problem:
    """Trimmed text; a number in plain decimal notation with its digits as written, a boolean as a word, else JSON."""
    given = trimmed(value)
    if given is None:
        return Problem.BLANK
    return given if isinstance(given, str) else _written(given)


def name(value: Value) -> str | Problem:
    """As `text`, every run of white space one space."""
    found = text(value)
    return found if isinstance(found, Problem) else _SPACES.sub(" ", found)


def email(value: Value) -> str | Problem:
    """An address in lower case; what has no `@` between text and a domain with a dot is UNPARSEABLE."""
    found = text(value)
    if isinstance(found, Problem):
        return found
    lowered = found.lower()
    return lowered if _EMAIL.fullmatch(lowered) else Problem.UNPARSEABLE


def texts(cells: pd.Series) -> Parsed:
    """A column of `text` as string; problems are BLANK only."""
    return parse_vector(cells, pa.string(), text, lambda found: _quick(found, _TRIMMED))


def names(cells: pd.Series) -> Parsed:
    """A column of `name` as string; problems are BLANK only."""
    return parse_vector(cells, pa.string(), name, lambda found: _quick(found, _SINGLE_SPACED))


def emails(cells: pd.Series) -> Parsed:
    """A column of `email` as string; problems are BLANK and UNPARSEABLE."""
    return parse_vector(cells, pa.string(), email)


def _written(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        _, digits, exponent = value.as_tuple()
        plain = isinstance(exponent, int) and max(abs(exponent), len(digits)) <= _MAX_MAGNITUDE
        return format(value, "f") if plain else str(value)
    return to_json(value)


def _quick(cells: pa.Array, pattern: str) -> pa.Array:
    found = only_matching(cells, pattern)
    return pc.call_function("if_else", [blank_array(found), pa.scalar(None, found.type), found]).cast(pa.string())
