"""Warnings: codes for values that could not be used although their row was."""

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa

from booking_assets.parsing.problem import Problem
from migration.outcome import join_codes
from migration.parsing.vectors import Parsed

INVALID_PREFIX = "invalid_"
CUT_PREFIX = "cut_"
SYNTHETIC_REF = "synthetic_booking_ref"


def invalid(**columns: Parsed) -> dict[str, pd.Series]:
    """The warning `invalid_<column>` of columns whose value is given but cannot be used, for those that have any."""
    flags = {INVALID_PREFIX + name: column.has(Problem.INVALID) for name, column in columns.items()}
    return _met(flags)


def cut(**was_cut: pd.Series) -> dict[str, pd.Series]:
    """The warning `cut_<column>` of texts that were longer than their column, for those that have any."""
    return _met({CUT_PREFIX + name: flag for name, flag in was_cut.items()})


def without_ref(refs: pd.Series) -> dict[str, pd.Series]:
    """The warning of bookings without a reference, which get one made of their key, if there are any."""
    return _met({SYNTHETIC_REF: refs.isna()})


def joined_warnings(warnings: dict[str, pd.Series], rows: pd.DataFrame) -> pd.Series:
    """The warning codes of rows as comma lists, missing where a row has none."""
    codes = join_codes(warnings) if warnings else pd.Series(None, index=rows.index, dtype=object)
    return codes.astype(pd.ArrowDtype(pa.string()))


def _met(flags: Mapping[str, pd.Series]) -> dict[str, pd.Series]:
    return {code: flag for code, flag in flags.items() if flag.any()}
