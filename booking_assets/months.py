"""The months, in UTC, that tables are split by: their partitions, and which rows are in them."""

from collections.abc import Sequence

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from booking_assets import tables
from booking_assets.merge.frames import TEXT, arrow_array

BOOKING_MONTH = dg.DynamicPartitionsDefinition(name="booking_month")
INGEST_MONTH = dg.DynamicPartitionsDefinition(name="ingest_month")

_CLOCK = pa.timestamp("us")


def months_of(moments: pd.Series) -> pd.Series:
    """The month of each moment as `YYYY-MM`, missing where there is none."""
    # As times without a zone they need no time zone database.
    clocks = arrow_array(moments).cast(pa.timestamp("us", tz="UTC")).cast(_CLOCK)
    months = pc.call_function("strftime", [clocks], pc.StrftimeOptions("%Y-%m"))
    return pd.Series(months, dtype=TEXT).set_axis(moments.index)


def month_of(moment: sa.ColumnElement[object]) -> sa.ColumnElement[str]:
    """`months_of` in SQL."""
    return sa.func.to_char(sa.func.timezone("UTC", moment), "YYYY-MM")


def booking_months(table: sa.FromClause, months: Sequence[str]) -> sa.ColumnElement[bool]:
    """The condition that a row's booking was made in one of these months."""
    return _through(table, tables.booking_core, "booking_key", "booking_created_at", months)


def ingest_months(table: sa.FromClause, months: Sequence[str]) -> sa.ColumnElement[bool]:
    """The condition that a row's event happened in one of these months."""
    return _through(table, tables.ingest_event_log, "event_key", "event_time_normalized", months)


def _through(
    table: sa.FromClause, parent: sa.Table, key: str, moment: str, months: Sequence[str]
) -> sa.ColumnElement[bool]:
    """The condition on the parent's own rows, or on rows that name a row of it."""
    wanted = sa.any_(sa.cast(list(months), sa.ARRAY(sa.Text)))
    if table is parent:
        return month_of(parent.c[moment]) == wanted
    return table.c[key].in_(sa.select(parent.c[key]).where(month_of(parent.c[moment]) == wanted))
