"""Days, and moments in UTC to the second."""

import datetime as dt
import re

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from billing_assets.parsing.blanks import trimmed
from billing_assets.parsing.problem import Problem
from migration.parsing.cells import Value
from migration.parsing.vectors import Parsed, only_matching, parse_vector

TIMESTAMP = pa.timestamp("us", tz="UTC")
FIRST_YEAR, LAST_YEAR = 2000, 2100

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MAX_OFFSET_HOUR, _MAX_OFFSET_MINUTE = 23, 59

_ZERO_DATE = re.compile(r"0000-00-00(?:[T ].*)?", re.DOTALL)
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ].*)?", re.DOTALL)
_DAY_FIRST = re.compile(r"([0-9]{2})([/-])([0-9]{2})\2([0-9]{4})")
_NAMED_MONTH = re.compile(r"([0-9]{2})-([A-Za-z]{3})-([0-9]{4})")
_MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)? *(?:Z|([+-])([0-9]{2})(?::?([0-9]{2}))?)?)?"
)

# Arrow gives up a whole array for one impossible date, so only days pass that every month has.
_USUAL = (
    r"^20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?(?:Z|\+00(?::?00)?)?$"
)
_TO_THE_SECOND = len("2024-01-31 23:59:59")


def date(value: Value) -> dt.date | Problem:
    """Day of an ISO date or time, or of a date with the day first; the zero date is BLANK.

    Impossible days, years outside 2000 to 2100, numbers and booleans are UNPARSEABLE.
    """
    given = trimmed(value)
    if given is None:
        return Problem.BLANK
    if not isinstance(given, str):
        return Problem.UNPARSEABLE
    if _ZERO_DATE.fullmatch(given):
        return Problem.BLANK
    parts = _year_month_day(given)
    if parts is None or not FIRST_YEAR <= parts[0] <= LAST_YEAR:
        return Problem.UNPARSEABLE
    try:
        return dt.date(*parts)
    except ValueError:
        return Problem.UNPARSEABLE


def timestamp(value: Value) -> dt.datetime | Problem:
    """Moment in UTC, its fraction cut off; without a zone it is UTC, without a time midnight.

    Whatever is no such moment between the years 2000 and 2100 is UNPARSEABLE.
    """
    given = trimmed(value)
    if given is None:
        return Problem.BLANK
    match = _MOMENT.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        return Problem.UNPARSEABLE
    try:
        moment = dt.datetime(*(int(part or 0) for part in match.groups()[:6]), tzinfo=dt.UTC) - _ahead(match)
    except (ValueError, OverflowError):
        return Problem.UNPARSEABLE
    return moment if FIRST_YEAR <= moment.year <= LAST_YEAR else Problem.UNPARSEABLE


def dates(cells: pd.Series) -> Parsed:
    """A column of `date` as date32; problems are BLANK and UNPARSEABLE."""
    return parse_vector(cells, pa.date32(), date)


def timestamps(cells: pd.Series) -> Parsed:
    """A column of `timestamp` as timestamp[us, UTC]; problems are BLANK and UNPARSEABLE."""
    return parse_vector(cells, TIMESTAMP, timestamp, _quick_timestamps)


def _year_month_day(given: str) -> tuple[int, int, int] | None:
    if match := _ISO_DATE.fullmatch(given):
        return int(match[1]), int(match[2]), int(match[3])
    if match := _DAY_FIRST.fullmatch(given):
        return int(match[4]), int(match[3]), int(match[1])
    match = _NAMED_MONTH.fullmatch(given)
    if match is None or match[2].lower() not in _MONTHS:
        return None
    return int(match[3]), _MONTHS.index(match[2].lower()) + 1, int(match[1])


def _ahead(match: re.Match[str]) -> dt.timedelta:
    """The time that the clock of a moment is ahead of UTC; raises ValueError when no clock can be."""
    hours, minutes = int(match[8] or 0), int(match[9] or 0)
    if hours > _MAX_OFFSET_HOUR or minutes > _MAX_OFFSET_MINUTE:
        raise ValueError(match[0])
    ahead = dt.timedelta(hours=hours, minutes=minutes)
    return -ahead if match[7] == "-" else ahead


def _quick_timestamps(cells: pa.Array) -> pa.Array:
    usual = only_matching(cells, _USUAL)
    clock = pc.call_function("utf8_slice_codeunits", [usual], pc.SliceOptions(0, _TO_THE_SECOND))
    return clock.cast(pa.timestamp("us")).cast(TIMESTAMP)
