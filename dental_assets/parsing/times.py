"""Times in UTC to the second, and days as they are written."""

import datetime as dt
import re

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from dental_assets.parsing.column import Column, read_column
from dental_assets.parsing.problem import Problem
from dental_assets.parsing.text import given
from migration.parsing.cells import Value
from migration.parsing.vectors import only_matching

TIMESTAMP = pa.timestamp("us", tz="UTC")

_UTC_CLOCK = pa.timestamp("us")
_TIME_YEARS = range(2000, 2100)
_DAY_YEARS = range(1900, 2100)
_MAX_OFFSET_HOUR, _MAX_OFFSET_MINUTE = 23, 59

_MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)? *(?:(Z)|([+-])([0-9]{2})(?::?([0-9]{2}))?)?)?"
)
_MONTH_FIRST = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})")

# Arrow gives up a whole array for one impossible date, so only real days pass the pattern; leap days it leaves out.
_REAL_DAY = (
    r"20[0-9]{2}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    r"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
)
_USUAL = rf"^{_REAL_DAY}(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?(?:Z|[+]00(?::?00)?)?)?$"
_TO_THE_SECOND = len("2024-01-31 23:59:59")


def timestamp(value: Value) -> dt.datetime | Problem:
    """Time in UTC of an ISO time or date, its fraction cut off; no zone is UTC; only the years 2000 to 2099."""
    read = _read(value)
    if isinstance(read, Problem):
        return read
    clock, ahead = read
    try:
        moment = clock - ahead
    except OverflowError:
        return Problem.INVALID
    return moment if moment.year in _TIME_YEARS else Problem.INVALID


def day(value: Value) -> dt.date | Problem:
    """Day of `YYYY-MM-DD`, `MM/DD/YYYY` or of an ISO time, as it is written; only the years 1900 to 2099."""
    found = given(value)
    match = _MONTH_FIRST.fullmatch(found) if isinstance(found, str) else None
    read = _read(f"{match[3]}-{match[1]}-{match[2]}" if match else found)
    if isinstance(read, Problem):
        return read
    return read[0].date() if read[0].year in _DAY_YEARS else Problem.INVALID


def timestamps(cells: pd.Series) -> Column:
    """A column of times as timestamp[us, UTC], whole seconds; what is none warns BAD_TIMESTAMP."""
    return read_column(cells, TIMESTAMP, timestamp, "BAD_TIMESTAMP", _quick_times)


def days(cells: pd.Series) -> Column:
    """A column of days as date32; what is none warns BAD_DATE."""
    return read_column(cells, pa.date32(), day, "BAD_DATE")


def _read(value: Value) -> tuple[dt.datetime, dt.timedelta] | Problem:
    """The clock as it is written, and by how much it is ahead of UTC."""
    found = given(value)
    if found is None:
        return Problem.NULL
    match = _MOMENT.fullmatch(found) if isinstance(found, str) else None
    if match is None:
        return Problem.INVALID
    try:
        clock = dt.datetime(*(int(part or 0) for part in match.groups()[:6]), tzinfo=dt.UTC)
    except ValueError:
        return Problem.INVALID
    hours, minutes = int(match[9] or 0), int(match[10] or 0)
    if hours > _MAX_OFFSET_HOUR or minutes > _MAX_OFFSET_MINUTE:
        return Problem.INVALID
    ahead = dt.timedelta(hours=hours, minutes=minutes)
    return clock, -ahead if match[8] == "-" else ahead


def _quick_times(cells: pa.Array) -> pa.Array:
    """Times that say UTC, or nothing: their clock needs no time zone database."""
    in_utc = only_matching(cells, _USUAL)
    cut = pc.call_function("utf8_slice_codeunits", [in_utc], pc.SliceOptions(0, _TO_THE_SECOND))
    return cut.cast(_UTC_CLOCK).cast(TIMESTAMP)
