"""Yes or no, as numbers, words and letters."""

from decimal import Decimal

import pandas as pd
import pyarrow as pa

from meter_assets.parsing.problem import Problem
from meter_assets.parsing.text import trimmed
from migration.parsing.cells import Value
from migration.parsing.vectors import Parsed, parse_vector

_TRUE = frozenset({"1", "true", "t", "yes", "y"})
_FALSE = frozenset({"0", "false", "f", "no", "n"})


def boolean(value: Value) -> bool | Problem:
    """Boolean of a boolean, a number equal to 1 or 0, or a word for either in any case.

    Nothing given is NULL, everything else UNPARSABLE.
    """
    written = trimmed(value)
    if written is None:
        return Problem.NULL
    if isinstance(written, int | Decimal):
        return bool(written) if written in (0, 1) else Problem.UNPARSABLE
    word = written.lower() if isinstance(written, str) else ""
    if word in _TRUE:
        return True
    return False if word in _FALSE else Problem.UNPARSABLE


def booleans(cells: pd.Series) -> Parsed:
    """A column of booleans as bool; problems are NULL and UNPARSABLE."""
    return parse_vector(cells, pa.bool_(), boolean)
