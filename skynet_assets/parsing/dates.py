"""Dates, billing periods, entry times and due days, with English and Indonesian month names."""

import datetime as dt
import re
from typing import Literal

from migration.parsing.cells import Value
from skynet_assets.parsing.problem import Problem
from skynet_assets.parsing.text import text

WIB = dt.timezone(dt.timedelta(hours=7), "WIB")

_MONTH_NAMES = (
    "january januari jan",
    "february februari pebruari feb peb",
    "march maret mar",
    "april apr",
    "may mei",
    "june juni jun",
    "july juli jul",
    "august agustus aug agu ags agt agst",
    "september sep sept",
    "october oktober oct okt",
    "november nopember nov nop",
    "december desember dec des",
)
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES, start=1) for name in names.split()}
_YEARS = range(2000, 2100)

_YEAR, _MONTH, _DAY = r"(?P<year>[0-9]{4})", r"(?P<month>[0-9]{1,2})", r"(?P<day>[0-9]{1,2})"
_NAME = r"(?P<name>[a-z]+)\.?"


def _patterns(*sources: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(source) for source in sources)


_DATES = _patterns(
    rf"{_DAY}[-/., ]+{_NAME}[-/., ]+{_YEAR}",
    rf"{_YEAR}(?P<sep>[-/]){_MONTH}(?P=sep){_DAY}",
    rf"{_DAY}(?P<sep>[-/.]){_MONTH}(?P=sep){_YEAR}",
    rf"{_NAME} {_DAY},? {_YEAR}",
)
_PERIODS = _patterns(
    rf"{_NAME}[-/ ,]*{_YEAR}",
    rf"{_YEAR}[-/]{_MONTH}(?:[-/][0-9]{{1,2}})?",
    rf"{_MONTH}[-/]{_YEAR}",
    rf"[0-9]{{1,2}}[-/ ]{_NAME}[-/ ]{_YEAR}",
    rf"{_YEAR}[-/ ]{_NAME}",
    rf"{_YEAR}(?P<month>[0-9]{{2}})",
)
_CLOCK = r"(?:(?: +|t)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))? ?(?P<half>am|pm)?)?"
_TIMES = _patterns(
    rf"{_DAY}[-/]{_MONTH}[-/]{_YEAR}{_CLOCK}",
    rf"{_YEAR}-{_MONTH}-{_DAY}{_CLOCK}",
    rf"{_DAY}[- ]{_NAME}[- ]{_YEAR}{_CLOCK}",
)
_TRAILING_TIME = re.compile(r"[ t][0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?: ?[ap]m)?\Z")
_DUE_DAY = re.compile(r"(?:tgl|tanggal)\.?\s*(?P<named>[0-9]{1,2})|(?P<plain>[0-9]{1,2})(?:\.0+)?")

_NO_TIME = ("00-00-0000", "0000-00-00")
_NO_DATE = (*_NO_TIME, "00/00/0000", "30-november--0001")
_FAILED_LEGACY_DATE = dt.date(1970, 1, 1)
_NOON = 12


def date(value: Value) -> dt.date | Problem:
    """Date, day before month, years 2000 to 2099; zero dates and 1970-01-01 are MISSING, nothing is guessed."""
    found = text(value)
    if found is None:
        return Problem.MISSING
    written = found.casefold()
    if written == "0" or written.startswith(_NO_DATE):
        return Problem.MISSING
    match = _first_match(_DATES, _TRAILING_TIME.sub("", written))
    day = match and _calendar_day(match)
    if not day:
        return Problem.INVALID
    if day == _FAILED_LEGACY_DATE:
        return Problem.MISSING
    return day if day.year in _YEARS else Problem.INVALID


def period(value: Value) -> dt.date | Problem:
    """First day of a billing month (`Februari 2026`, `02-2026`, `202602`); a day in it is dropped unchecked."""
    found = text(value)
    if found is None:
        return Problem.MISSING
    match = _first_match(_PERIODS, found.casefold())
    if match is None:
        return Problem.INVALID
    year, month = int(match["year"]), _month_number(match)
    if month is None or not 1 <= month <= 12 or year not in _YEARS:
        return Problem.INVALID
    return dt.date(year, month, 1)


def entry_time(value: Value) -> dt.datetime | Literal[Problem.INVALID] | None:
    """UTC time of a local entry time (fixed UTC+7, midnight if it has no clock); None if there is none.

    INVALID is no time either, but something was written that cannot be read.
    """
    found = text(value)
    if found is None:
        return None
    written = found.casefold()
    if written.startswith(_NO_TIME):
        return None
    match = _first_match(_TIMES, written)
    day = match and _calendar_day(match)
    clock = match and _clock_time(match)
    if day is None or clock is None or day.year not in _YEARS:
        return Problem.INVALID
    return dt.datetime.combine(day, clock, WIB).astimezone(dt.UTC)


def billing_day(value: Value) -> int | Literal[Problem.INVALID] | None:
    """Day of the month, 1 to 31, of `30`, `tgl 5` or a full date; None if nothing or zero, never clamped."""
    found = text(value)
    if found is None:
        return None
    if match := _DUE_DAY.fullmatch(found.casefold()):
        number = int(match["named"] or match["plain"])
        if number == 0:
            return None
        return number if number <= 31 else Problem.INVALID
    day = date(value)
    if isinstance(day, dt.date):
        return day.day
    return None if day is Problem.MISSING else Problem.INVALID


def _first_match(patterns: tuple[re.Pattern[str], ...], written: str) -> re.Match[str] | None:
    for pattern in patterns:
        if match := pattern.fullmatch(written):
            return match
    return None


def _month_number(match: re.Match[str]) -> int | None:
    groups = match.groupdict()
    return int(groups["month"]) if groups.get("month") else _MONTHS.get(groups.get("name") or "")


def _calendar_day(match: re.Match[str]) -> dt.date | None:
    month = _month_number(match)
    if month is None:
        return None
    try:
        return dt.date(int(match["year"]), month, int(match["day"]))
    except ValueError:
        return None


def _clock_time(match: re.Match[str]) -> dt.time | None:
    if match["hour"] is None:
        return dt.time()
    hour = int(match["hour"])
    # The legacy system printed 24-hour clocks with a suffix: there the suffix says nothing.
    if match["half"] and 1 <= hour <= _NOON:
        hour = hour % _NOON + (_NOON if match["half"] == "pm" else 0)
    try:
        return dt.time(hour, int(match["minute"]), int(match["second"] or 0))
    except ValueError:
        return None
