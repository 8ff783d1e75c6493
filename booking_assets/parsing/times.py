"""Moments in UTC, calendar days (in UTC and in Bali), dates of birth, and the time of day that a tour begins."""

import datetime as dt
import re
from decimal import Decimal
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from booking_assets.parsing.problem import Problem
from booking_assets.parsing.texts import trimmed, upper
from migration.parsing.cells import Value
from migration.parsing.vectors import Parsed, only_matching, parse_vector

TIMESTAMP = pa.timestamp("us", tz="UTC")
CLOCK = pa.time64("us")

BALI_AHEAD = dt.timedelta(hours=8)
RECORD_TOLERANCE = dt.timedelta(days=1)

_FIRST_YEAR, _LAST_YEAR = 2000, 2099
_FIRST_BIRTH_YEAR = 1900
_FIRST_MILLISECOND, _LAST_MILLISECOND = 946_684_800_000, 4_102_444_799_999
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MAX_OFFSET_HOUR, _MAX_OFFSET_MINUTE = 23, 59
_NOON, _LAST_HOUR, _LAST_MINUTE = 12, 23, 59

_DAY = r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
_ZONE = r"Z|[+-][0-9]{2}(?::?[0-9]{2})?"
_DATE_ONLY = re.compile(_DAY)
_ISO = re.compile(rf"{_DAY}[T ]([0-9]{{2}}):([0-9]{{2}})(?::([0-9]{{2}})(?:\.([0-9]{{1,6}}))?)?({_ZONE})?")
_MILLISECONDS = re.compile(r"[0-9]{12,13}")
_BIRTH_DATE = re.compile(rf"{_DAY}(?:[T ].*)?", re.DOTALL)

_ISO_CLOCK = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]([0-9]{{2}}):([0-9]{{2}})(?::([0-9]{{2}})(?:\.[0-9]+)?)?({_ZONE})?"
)
_SECOND_CLOCK = re.compile("[-\u2013]")
_CLOCK = re.compile(r"([0-9]{1,2})[:.]([0-9]{2})(?:[:.]([0-9]{2}))?\s*(AM|PM)?")
_HOUR_ONLY = re.compile(r"([0-9]{1,2})()()\s*(AM|PM)")

# Arrow gives up a whole array for one impossible date, so these patterns let only real days pass. Leap days they leave
# out, and where an offset is given the years from which it could lead outside the allowed ones.
_REAL_DAY = r"-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
_REAL_TIME = r"[ T](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
_USUAL_DAY = rf"^20[0-9]{{2}}{_REAL_DAY}$"
_USUAL_UTC = rf"^20[0-9]{{2}}{_REAL_DAY}{_REAL_TIME}(?:Z|\+00(?::?00)?)?$"
_USUAL_SHIFTED = rf"^20(?:0[1-9]|[1-8][0-9]|9[0-8]){_REAL_DAY}{_REAL_TIME}[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9]$"
_ZONE_AT_END = r"(?:Z|[+-][0-9]{2}:?[0-9]{2}|[+][0-9]{2})$"
_UTC_CLOCK = pa.timestamp("us")


class Moment(NamedTuple):
    """A moment, and whether it was written as a day without a time."""

    at: dt.datetime
    date_only: bool


def record_limit(reference: dt.datetime) -> dt.datetime:
    """The latest time that a record of an export may bear, given the time of the export."""
    return reference + RECORD_TOLERANCE


def timestamp(value: Value, latest: dt.datetime | None = None) -> dt.datetime | Problem:
    """Moment in UTC of an ISO time or date, or of a whole number of milliseconds since 1970; no offset is UTC.

    Nothing given is NULL; everything else is INVALID, among it impossible dates and times, and moments before the
    year 2000, after 2099 or later than `latest`.
    """
    moment = _moment(value)
    if isinstance(moment, Problem):
        return moment
    return Problem.INVALID if latest is not None and moment.at > latest else moment.at


def is_date_only(value: Value) -> bool:
    """Whether a `timestamp` is written as a day without a time."""
    moment = _moment(value)
    return isinstance(moment, Moment) and moment.date_only


def bali_date(value: Value) -> dt.date | Problem:
    """Calendar day in Bali (UTC+08:00) of a `timestamp`; a day without a time is that day. The same problems."""
    moment = _moment(value)
    if isinstance(moment, Problem):
        return moment
    return moment.at.date() if moment.date_only else bali_day(moment.at)


def bali_day(moment: dt.datetime) -> dt.date:
    """Calendar day in Bali of a moment in UTC."""
    return (moment + BALI_AHEAD).date()


def birth_date(value: Value) -> dt.date | Problem:
    """Day of text that begins with one, whatever time follows; years outside 1900 to 2099 are INVALID."""
    written = trimmed(value)
    if written is None:
        return Problem.NULL
    match = _BIRTH_DATE.fullmatch(written) if isinstance(written, str) else None
    if match is None or not _FIRST_BIRTH_YEAR <= int(match[1]) <= _LAST_YEAR:
        return Problem.INVALID
    try:
        return dt.date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return Problem.INVALID


def clock(value: Value) -> dt.time | Problem:
    """Time of day of text such as `8:30 am`, `08.00 - 16.00` (its first) or an ISO time (its clock as written).

    Nothing given is NULL, everything else INVALID. Fractions of a second are cut off.
    """
    found = Problem.INVALID if isinstance(value, list | dict) else upper(value)
    if isinstance(found, Problem):
        return found
    if match := _ISO_CLOCK.fullmatch(found):
        return _time(match[1], match[2], match[3]) if _offset(match[4]) is not None else Problem.INVALID
    first = _SECOND_CLOCK.split(found, maxsplit=1)[0].strip()
    match = _CLOCK.fullmatch(first) or _HOUR_ONLY.fullmatch(first)
    if match is None:
        return Problem.INVALID
    hour = _hour_of_day(int(match[1]), match[4])
    return Problem.INVALID if hour is None else _time(hour, match[2], match[3])


def timestamps(cells: pd.Series, latest: dt.datetime | None = None) -> Parsed:
    """A column of `timestamp` as timestamp[us, UTC]; problems are NULL and INVALID."""
    found = parse_vector(cells, TIMESTAMP, timestamp, lambda texts: _quick(texts).cast(TIMESTAMP))
    if latest is None:
        return found
    late = (found.value > latest).fillna(value=False).astype(bool)
    if not late.any():
        return found
    return Parsed(found.value.mask(late), found.problem.mask(late, Problem.INVALID.value))


def bali_dates(cells: pd.Series) -> Parsed:
    """A column of `bali_date` as date32; problems are NULL and INVALID."""
    return parse_vector(cells, pa.date32(), bali_date, _quick_bali_dates)


def dates_only(cells: pd.Series) -> pd.Series:
    """Whether each cell of a column is a `timestamp` without a time, as bool without missing entries."""
    return parse_vector(cells, pa.bool_(), is_date_only, _quick_dates_only).value


def birth_dates(cells: pd.Series) -> Parsed:
    """A column of `birth_date` as date32; problems are NULL and INVALID."""
    return parse_vector(cells, pa.date32(), birth_date)


def clocks(cells: pd.Series) -> Parsed:
    """A column of `clock` as time64[us]; problems are NULL and INVALID."""
    return parse_vector(cells, CLOCK, clock)


def _moment(value: Value) -> Moment | Problem:
    written = trimmed(value)
    if written is None:
        return Problem.NULL
    if not isinstance(written, str):
        # Software that has no missing integers writes 1767225600000.0.
        return _of_number(written)
    if _MILLISECONDS.fullmatch(written):
        return _of_number(int(written))
    try:
        moment = _of_text(written)
    except (ValueError, OverflowError):
        return Problem.INVALID
    return moment if moment is not None and _FIRST_YEAR <= moment.at.year <= _LAST_YEAR else Problem.INVALID


def _of_number(value: Value) -> Moment | Problem:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return Problem.INVALID
    if not _FIRST_MILLISECOND <= value <= _LAST_MILLISECOND or value != int(value):
        return Problem.INVALID
    return Moment(_EPOCH + dt.timedelta(milliseconds=int(value)), date_only=False)


def _of_text(written: str) -> Moment | None:
    if match := _DATE_ONLY.fullmatch(written):
        return Moment(dt.datetime(int(match[1]), int(match[2]), int(match[3]), tzinfo=dt.UTC), date_only=True)
    match = _ISO.fullmatch(written)
    if match is None:
        return None
    parts = [int(part or 0) for part in (*match.groups()[:6], (match[7] or "").ljust(6, "0"))]
    offset = _offset(match[8])
    return None if offset is None else Moment(dt.datetime(*parts, tzinfo=dt.UTC) - offset, date_only=False)


def _offset(written: str | None) -> dt.timedelta | None:
    """The time that a clock with this offset is ahead of UTC; None when no clock can be."""
    if written is None or written == "Z":
        return dt.timedelta()
    hours, minutes = int(written[1:3]), int(written[3:].lstrip(":") or 0)
    if hours > _MAX_OFFSET_HOUR or minutes > _MAX_OFFSET_MINUTE:
        return None
    ahead = dt.timedelta(hours=hours, minutes=minutes)
    return -ahead if written.startswith("-") else ahead


def _hour_of_day(hour: int, half: str | None) -> int | None:
    if half is None:
        return hour
    if not 1 <= hour <= _NOON:
        return None
    return hour % _NOON + (_NOON if half == "PM" else 0)


def _time(hour: str | int, minute: str | None, second: str | None) -> dt.time | Problem:
    parts = int(hour), int(minute or 0), int(second or 0)
    if parts[0] > _LAST_HOUR or max(parts[1:]) > _LAST_MINUTE:
        return Problem.INVALID
    return dt.time(*parts)


def _quick(texts: pa.Array) -> pa.Array:
    """The UTC clock as times without a zone: converting those needs no time zone database."""
    in_utc = pc.call_function("coalesce", [only_matching(texts, _USUAL_UTC), only_matching(texts, _USUAL_DAY)])
    found = _without_zone(in_utc).cast(_UTC_CLOCK)
    others = pc.call_function("if_else", [in_utc.is_null(), texts, pa.scalar(None, texts.type)])
    shifted = only_matching(others, _USUAL_SHIFTED)
    if shifted.null_count == len(shifted):
        return found
    moved = pc.call_function("subtract", [_without_zone(shifted).cast(_UTC_CLOCK), _offsets(shifted)])
    return pc.call_function("coalesce", [found, moved])


def _without_zone(texts: pa.Array) -> pa.Array:
    # A date alone ends like an offset without a colon would (`-31`), so only a plus may stand before two digits.
    options = pc.ReplaceSubstringOptions(r"(:[0-9]{2}(?:\.[0-9]+)?)" + _ZONE_AT_END, r"\1", max_replacements=1)
    return pc.call_function("replace_substring_regex", [texts], options)


def _offsets(shifted: pa.Array) -> pa.Array:
    # `…+08:00` and `…+0800`: the sign stands before the last five characters that are no colon.
    zones = pc.call_function("extract_regex", [shifted], pc.ExtractRegexOptions(r"(?P<zone>[+-][0-9]{2}:?[0-9]{2})$"))
    ends = pc.call_function("struct_field", [zones], pc.StructFieldOptions([0])).dictionary_encode()
    ahead = pa.array([_offset(end) for end in ends.dictionary.to_pylist()], type=pa.duration("us"))
    return ahead.take(ends.indices)


def _quick_bali_dates(texts: pa.Array) -> pa.Array:
    found = _quick(texts)
    days_only = only_matching(texts, _USUAL_DAY).is_valid()
    ahead = pa.scalar(BALI_AHEAD, pa.duration("us"))
    moved = pc.call_function("add", [found, ahead])
    return pc.call_function("if_else", [days_only, found, moved]).cast(pa.date32(), safe=False)


def _quick_dates_only(texts: pa.Array) -> pa.Array:
    found = only_matching(texts, _USUAL_DAY).is_valid()
    return pc.call_function("if_else", [_quick(texts).is_valid(), found, pa.scalar(None, pa.bool_())])
