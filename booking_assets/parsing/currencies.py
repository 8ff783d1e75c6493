"""Currencies: three letters."""

import re

import pandas as pd
import pyarrow as pa

from booking_assets.parsing.problem import Problem
from booking_assets.parsing.texts import upper
from migration.parsing.cells import Value
from migration.parsing.vectors import Parsed, parse_vector

DEFAULT_CURRENCY = "USD"
DEFAULT_COUNTRY = "ID"

_THREE_LETTERS = re.compile(r"[A-Z]{3}")
_TWO_LETTERS = re.compile(r"[A-Z]{2}")


def currency(value: Value) -> str | Problem:
    """Currency code of text in any case; nothing given is NULL, all else INVALID."""
    return _code(value, _THREE_LETTERS)


def currencies(cells: pd.Series) -> Parsed:
    """A column of `currency` as string; problems are NULL and INVALID."""
    return parse_vector(cells, pa.string(), currency)


def country(value: Value) -> str | Problem:
    """Country code of two letters in any case; nothing given is NULL, all else INVALID."""
    return _code(value, _TWO_LETTERS)


def countries(cells: pd.Series) -> Parsed:
    """A column of `country` as string; problems are NULL and INVALID."""
    return parse_vector(cells, pa.string(), country)


def _code(value: Value, pattern: re.Pattern[str]) -> str | Problem:
    # An array or object is no text, but it was given.
    found = Problem.INVALID if isinstance(value, list | dict) else upper(value)
    if isinstance(found, Problem):
        return found
    return found if pattern.fullmatch(found) else Problem.INVALID
