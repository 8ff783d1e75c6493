"""The months of billing: partitions, which rows belong to each, and the range that dates are expected in."""

import datetime as dt
import os
from collections.abc import Callable, Iterator, Sequence

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from billing_assets import tables
from migration.exports.verify import Export

# Bills are written up to this many months ahead of the month of their export.
MONTHS_AHEAD = 13
PARTITION_START = os.environ.get("BILLING_PARTITION_START") or "2020-01-01"
MONTHS = dg.MonthlyPartitionsDefinition(start_date=PARTITION_START, end_offset=MONTHS_AHEAD + 1)

Condition = sa.ColumnElement[bool]


def month_after(month: dt.date, months: int = 1) -> dt.date:
    """The first day of the month that lies so many months later."""
    years, index = divmod(month.month - 1 + months, 12)
    return dt.date(month.year + years, index + 1, 1)


def _ends() -> tuple[str, str]:
    keys = MONTHS.get_partition_keys()
    return keys[0], keys[-1]


def in_month(column: sa.ColumnElement[dt.date], partition: str) -> Condition:
    """The condition that a day belongs to a partition.

    The first partition also holds what is earlier and the last one what is later, so that a mistyped year stops
    nothing; `outside_range` finds such rows.
    """
    first, last = _ends()
    month = dt.date.fromisoformat(partition)
    bounds: list[Condition] = []
    if partition != first:
        bounds.append(column >= month)
    if partition != last:
        bounds.append(column < month_after(month))
    return sa.and_(sa.true(), *bounds)


def months_of(column: sa.ColumnElement[dt.date]) -> Callable[[sa.FromClause, Sequence[str]], Condition]:
    """How a table is split into partitions whose day is in this column."""

    def rows_of(_table: sa.FromClause, partitions: Sequence[str]) -> Condition:
        return sa.or_(sa.false(), *(in_month(column, each) for each in partitions))

    return rows_of


def of_bills_in(table: sa.FromClause, partitions: Sequence[str]) -> Condition:
    """How a table is split into partitions whose rows belong to bills."""
    bill = tables.bill_records
    mine = months_of(bill.c.billing_month)
    return table.c.bill_record_id.in_(sa.select(bill.c.id).where(mine(bill, partitions)))


def taken_at(export: Export) -> dt.datetime | None:
    """The moment of an export, as its manifest says, else its name; None where neither does."""
    if export.exported_at is not None:
        return export.exported_at
    try:
        named = dt.datetime.fromisoformat(export.export_id)
    except ValueError:
        return None
    return named if named.tzinfo is not None else named.replace(tzinfo=dt.UTC)


def outside_range(column: sa.ColumnElement[dt.date], exported_at: dt.datetime | None) -> Condition:
    """The condition that a day lies before the partitions, or more than `MONTHS_AHEAD` months after the export."""
    first, last = (dt.date.fromisoformat(key) for key in _ends())
    if exported_at is not None:
        last = min(last, month_after(exported_at.astimezone(dt.UTC).date(), MONTHS_AHEAD))
    return sa.or_(column < first, column >= month_after(last))


def first_days(days: pd.Series) -> pd.Series:
    """The first day of each day's month, Arrow-backed."""
    floored = _floored(days)
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([floored])), index=days.index)


def _floored(days: pd.Series) -> pa.Array:
    dates = pa.array(days, type=pa.date32(), from_pandas=True)
    dates = dates.combine_chunks() if isinstance(dates, pa.ChunkedArray) else dates
    return pc.call_function("floor_temporal", [dates], pc.RoundTemporalOptions(1, "month"))


def partition_keys(days: pd.Series) -> pd.Series:
    """The partition of each day, as text.

    Args:
        days: a date32 column without missing entries.
    """
    first, last = (pa.scalar(dt.date.fromisoformat(key)) for key in _ends())
    later = pc.call_function("max_element_wise", [_floored(days), first])
    clamped = pc.call_function("min_element_wise", [later, last])
    keys = pc.call_function("strftime", [clamped], pc.StrftimeOptions("%Y-%m-%d"))
    return pd.Series(keys.to_pylist(), index=days.index, dtype="str")


def split_by_month(rows: pd.DataFrame, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows by the partition that a date column puts them into."""
    for key, part in rows.groupby(partition_keys(rows[column]), sort=True):
        yield str(key), part


def month_before(day: dt.date) -> dt.date:
    """The first day of the month before a day's."""
    return month_after(day, -1)
