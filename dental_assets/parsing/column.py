"""A column of legacy values, read, with the warning that its unusable values give."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import pyarrow as pa

from dental_assets.parsing.problem import Problem
from migration.parsing.cells import Value
from migration.parsing.vectors import QuickParser, parse_vector


@dataclass(frozen=True)
class Column:
    """A column of legacy values, read.

    Attributes:
        value: the values, Arrow-backed; missing where nothing was given or it is not usable.
        invalid: whether each row has a value that its type does not allow.
        code: the warning of such a row.
    """

    value: pd.Series
    invalid: pd.Series
    code: str

    @property
    def missing(self) -> pd.Series:
        """Whether each row has no value."""
        return self.value.isna()

    def filled(self, default: Any) -> "Column":
        """The same column with a default (or one per row) where there is no value."""
        return replace(self, value=self.value.fillna(default))

    def without(self, unwanted: pd.Series) -> "Column":
        """The same column, certain rows' values counted as invalid."""
        flags = truth(unwanted)
        return replace(self, value=self.value.mask(flags), invalid=self.invalid | flags)

    def masked(self, unwanted: pd.Series) -> "Column":
        """The same column without certain rows' values, which is nothing to warn of."""
        return replace(self, value=self.value.mask(truth(unwanted)))

    def mapped(self, change: Callable[[str], str]) -> "Column":
        """The same column of text with each distinct value changed; missing ones stay missing."""
        known = {each: change(each) for each in self.value.dropna().unique()}
        return replace(self, value=self.value.map(known, na_action="ignore").astype(self.value.dtype))


def truth(flags: pd.Series) -> pd.Series:
    """Flags without missing entries: what is not known counts as false."""
    return flags.fillna(value=False).astype(bool)


def read_column(
    cells: pd.Series,
    kind: pa.DataType,
    parser: Callable[[Value], Any],
    code: str,
    quick: QuickParser | None = None,
) -> Column:
    """Read a column of cells by a parser that returns a value of `kind` or a `Problem`."""
    parsed = parse_vector(cells, kind, parser, quick)
    return Column(parsed.value, parsed.has(Problem.INVALID), code)
