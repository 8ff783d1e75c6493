"""Labels: short texts in one spelling, from which statuses, roles and methods are recognised."""

import re

import pandas as pd
import pyarrow as pa

from meter_assets.parsing.problem import Problem
from meter_assets.parsing.text import WHITE_SPACE, text
from migration.parsing.cells import Value
from migration.parsing.vectors import Parsed, parse_vector

SEPARATORS = re.compile(f"[{WHITE_SPACE}_-]+")


def label(value: Value) -> str | Problem:
    """Text in lower case with single spaces for white space, underscores and hyphens; nothing left is NULL."""
    found = text(value)
    if isinstance(found, Problem):
        return found
    return SEPARATORS.sub(" ", found.lower()).strip(" ") or Problem.NULL


def labels(cells: pd.Series) -> Parsed:
    """A column of labels as string; problems are NULL only."""
    return parse_vector(cells, pa.string(), label)
