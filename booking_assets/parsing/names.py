"""Slugs, and names as they are compared: letters and digits only, in lower case."""

import re

import pandas as pd
import pyarrow as pa

from booking_assets.parsing.problem import Problem
from booking_assets.parsing.texts import text
from migration.parsing.cells import Value
from migration.parsing.vectors import Parsed, parse_vector

_OTHERS = re.compile(r"[^a-z0-9]+")


def slug(value: Value) -> str | Problem:
    """Letters and digits in lower case, with `-` for every run of anything else; nothing left is NULL."""
    return _joined(value, "-")


def name_key(value: Value) -> str | Problem:
    """As `slug`, with a space instead of `-`."""
    return _joined(value, " ")


def slugs(cells: pd.Series) -> Parsed:
    """A column of `slug` as string; problems are NULL only."""
    return parse_vector(cells, pa.string(), slug)


def name_keys(cells: pd.Series) -> Parsed:
    """A column of `name_key` as string; problems are NULL only."""
    return parse_vector(cells, pa.string(), name_key)


def _joined(value: Value, separator: str) -> str | Problem:
    found = text(value)
    if isinstance(found, Problem):
        return found
    return _OTHERS.sub(separator, found.lower()).strip(separator) or Problem.NULL
