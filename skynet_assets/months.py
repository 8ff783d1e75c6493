"""The months that Skynet bills: partitions, the month of an export, and arithmetic on them; WIB is UTC+07:00."""

import datetime as dt

import dagster as dg

from skynet_assets.parsing.dates import WIB

# Customers pay up to a year in advance, so the partitions run twelve months ahead of the current one.
MONTHS = dg.MonthlyPartitionsDefinition(start_date="2021-01-01", end_offset=13, timezone="Asia/Jakarta")


def reference_month(exported_at: dt.datetime | None) -> dt.date | None:
    """The month, in WIB, that an export was made in; None when the export does not say."""
    return None if exported_at is None else exported_at.astimezone(WIB).date().replace(day=1)


def months_after(month: dt.date, months: int) -> dt.date:
    """The first day of the month that lies so many months later."""
    years, index = divmod(month.month - 1 + months, 12)
    return dt.date(month.year + years, index + 1, 1)
