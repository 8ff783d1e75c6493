"""Columns as arrays: times as whole numbers, the first row of each group, rows by position."""

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from booking_assets.parsing.numbers import MONEY

TEXT = pd.ArrowDtype(pa.string())
DAY = 86_400_000_000

UNKNOWN = np.iinfo(np.int64).min
"""The time of what has none: earlier than every other."""


def microseconds(times: pd.Series) -> np.ndarray:
    """Times as microseconds since 1970, `UNKNOWN` where there is none."""
    numbers = pc.cast(pa.array(times, from_pandas=True), pa.timestamp("us", tz="UTC")).cast(pa.int64())
    return pc.call_function("coalesce", [numbers, pa.scalar(UNKNOWN, pa.int64())]).to_numpy(zero_copy_only=False)


def moments(numbers: np.ndarray) -> pd.Series:
    """The inverse of `microseconds`."""
    known = pa.array(numbers, type=pa.int64(), mask=numbers == UNKNOWN).cast(pa.timestamp("us", tz="UTC"))
    return pd.Series(known, dtype=pd.ArrowDtype(known.type))


def first_of_each(groups: np.ndarray, flags: np.ndarray, count: int) -> np.ndarray:
    """The position of the first flagged row of each group, -1 for a group without one.

    Args:
        groups: the group of each row, a number below `count`.
        flags: whether each row counts.
        count: how many groups there are.
    """
    found = np.full(count, -1, dtype=np.int64)
    places = np.flatnonzero(flags)[::-1]
    found[groups[places]] = places
    return found


def last_of_each(groups: np.ndarray, flags: np.ndarray, count: int) -> np.ndarray:
    """The position of the last flagged row of each group, -1 for a group without one."""
    found = np.full(count, -1, dtype=np.int64)
    places = np.flatnonzero(flags)
    found[groups[places]] = places
    return found


def any_of_each(groups: np.ndarray, flags: np.ndarray, count: int) -> np.ndarray:
    """Whether each group has a flagged row."""
    found = np.zeros(count, dtype=bool)
    found[groups[flags]] = True
    return found


def least_of_each(groups: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """The least known value of each group, `UNKNOWN` for a group without one."""
    found = np.full(count, np.iinfo(np.int64).max)
    known = values != UNKNOWN
    np.minimum.at(found, groups[known], values[known])
    found[found == np.iinfo(np.int64).max] = UNKNOWN
    return found


def at_positions(values: pd.Series, positions: np.ndarray) -> pd.Series:
    """The values at positions, missing where a position is -1; numbered from 0."""
    taken = pd.array(arrow_array(values).take(_indices(positions)), dtype=_arrow_dtype(values))
    return pd.Series(taken)


def rows_at(rows: pd.DataFrame, positions: np.ndarray) -> pd.DataFrame:
    """The rows at positions, all missing where a position is -1; numbered from 0, Arrow-backed."""
    return pd.DataFrame({str(name): at_positions(rows[name], positions) for name in rows.columns})


def flags_of(values: pd.Series) -> np.ndarray:
    """A column of booleans as an array; missing ones are false."""
    return values.fillna(value=False).to_numpy(dtype=bool)


def looked_up(keys: pd.Series, known: pd.Series) -> pd.Series:
    """The values that a series has under these keys, missing where it has none; the index of the keys."""
    wanted = arrow_array(keys)
    values = pa.array(known.index, from_pandas=True).cast(wanted.type)
    places = pc.call_function("index_in", [wanted], pc.SetLookupOptions(values, skip_nulls=True))
    positions = pc.call_function("coalesce", [places.cast(pa.int64()), pa.scalar(-1, pa.int64())])
    found = at_positions(known, positions.to_numpy(zero_copy_only=False))
    return found.set_axis(keys.index)


def days(numbers: np.ndarray, ahead: int = 0) -> pd.Series:
    """The calendar day of microseconds since 1970, on a clock that is `ahead` of UTC by so many of them."""
    unknown = numbers == UNKNOWN
    since = np.where(unknown, 0, (np.where(unknown, 0, numbers) + ahead) // DAY)
    return pd.Series(pa.array(since.astype(np.int32), mask=unknown).cast(pa.date32()), dtype=pd.ArrowDtype(pa.date32()))


def cents(amounts: pd.Series) -> np.ndarray:
    """Amounts in hundredths, 0 where there is none."""
    hundred = pa.scalar(Decimal(100), pa.decimal128(3, 0))
    whole = pc.call_function("multiply", [arrow_array(amounts).cast(MONEY), hundred]).cast(pa.int64())
    return pc.call_function("coalesce", [whole, pa.scalar(0, pa.int64())]).to_numpy(zero_copy_only=False)


def amounts_of(hundredths: np.ndarray, missing: np.ndarray) -> pd.Series:
    """The inverse of `cents`, of amounts that a column of money holds; missing where a flag says so."""
    whole = pa.array(np.where(missing, 0, hundredths), mask=missing).cast(pa.decimal128(19, 0))
    cent = pa.scalar(Decimal("0.01"), pa.decimal128(3, 2))
    found = pc.call_function("multiply", [whole, cent]).cast(MONEY)
    return pd.Series(found, dtype=pd.ArrowDtype(MONEY))


def arrow_array(values: pd.Series) -> pa.Array:
    """A column as one Arrow array; missing entries are null."""
    array = pa.array(values, from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as dicts, missing values as None."""
    return pa.Table.from_pandas(rows, preserve_index=False).to_pylist()


def _indices(positions: np.ndarray) -> pa.Array:
    return pa.array(positions, type=pa.int64(), mask=positions < 0)


def _arrow_dtype(values: pd.Series) -> pd.ArrowDtype:
    return values.dtype if isinstance(values.dtype, pd.ArrowDtype) else pd.ArrowDtype(arrow_array(values).type)
