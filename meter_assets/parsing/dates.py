"""Dates and times, in UTC; the zero date of the legacy database is no date."""

import datetime as dt
import re

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from meter_assets.parsing.problem import Problem
from meter_assets.parsing.text import trimmed
from migration.parsing.cells import Value
from migration.parsing.vectors import Parsed, only_matching, parse_vector

TIMESTAMP = pa.timestamp("us", tz="UTC")

_UTC_CLOCK = pa.timestamp("us")
_MAX_OFFSET_HOUR, _MAX_OFFSET_MINUTE = 23, 59

_ZERO_DATE = re.compile(r"0000-00-00(?:[ T]00:00:00(?:\.0+)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?")
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[ T]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?(?:Z|([+-][0-9]{2}:[0-9]{2}))?)?"
)
_DAY_FIRST = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})")

# Arrow gives up a whole array for one impossible date, so these patterns let only real days pass. Leap days they leave
# out, and years whose offset could lead outside the calendar.
_REAL_DAY = (
    r"[12][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    r"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
)
_REAL_TIME = r"[ T](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?"
_USUAL_UTC = rf"^{_REAL_DAY}(?:{_REAL_TIME}Z?)?$"
_USUAL_SHIFTED = rf"^{_REAL_DAY}{_REAL_TIME}[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]$"
_TO_THE_SECOND = len("2024-01-31 23:59:59")
_OFFSET = len("+03:00")


def timestamp(value: Value) -> dt.datetime | Problem:
    """Time in UTC of an ISO time or date or of `DD/MM/YYYY`; no offset is UTC, no time is midnight.

    A fraction of a second is cut off. Nothing given and the zero date are NULL; everything else, impossible dates
    among it, is UNPARSABLE.
    """
    written = trimmed(value)
    if written is None:
        return Problem.NULL
    if not isinstance(written, str):
        return Problem.UNPARSABLE
    if _ZERO_DATE.fullmatch(written):
        return Problem.NULL
    try:
        return _moment(written) or Problem.UNPARSABLE
    except (ValueError, OverflowError):
        return Problem.UNPARSABLE


def date(value: Value) -> dt.date | Problem:
    """Day, in UTC, of whatever `timestamp` accepts; the same problems."""
    moment = timestamp(value)
    return moment if isinstance(moment, Problem) else moment.date()


def timestamps(cells: pd.Series) -> Parsed:
    """A column of times as timestamp[us, UTC], whole seconds; problems are NULL and UNPARSABLE."""
    return parse_vector(cells, TIMESTAMP, timestamp, lambda texts: _quick_clock(texts).cast(TIMESTAMP))


def dates(cells: pd.Series) -> Parsed:
    """A column of days as date32; problems are NULL and UNPARSABLE."""
    return parse_vector(cells, pa.date32(), date, lambda texts: _quick_clock(texts).cast(pa.date32()))


def _moment(written: str) -> dt.datetime | None:
    if match := _DAY_FIRST.fullmatch(written):
        return dt.datetime(int(match[3]), int(match[2]), int(match[1]), tzinfo=dt.UTC)
    match = _ISO.fullmatch(written)
    if match is None:
        return None
    clock = [int(part or 0) for part in match.groups()[:6]]
    return dt.datetime(*clock, tzinfo=dt.UTC) - _offset(match[7] or "+00:00")


def _offset(written: str) -> dt.timedelta:
    """The time that a clock with this offset is ahead of UTC; raises ValueError when no clock can be."""
    hours, minutes = int(written[1:3]), int(written[4:6])
    if hours > _MAX_OFFSET_HOUR or minutes > _MAX_OFFSET_MINUTE:
        raise ValueError(written)
    ahead = dt.timedelta(hours=hours, minutes=minutes)
    return -ahead if written.startswith("-") else ahead


def _quick_clock(texts: pa.Array) -> pa.Array:
    """The UTC clock as times without a zone: converting those needs no time zone database."""
    in_utc = only_matching(texts, _USUAL_UTC)
    others = pc.call_function("if_else", [in_utc.is_null(), texts, pa.scalar(None, texts.type)])
    shifted = only_matching(others, _USUAL_SHIFTED)
    found = _clock(in_utc)
    if shifted.null_count == len(shifted):
        return found
    moved = pc.call_function("subtract", [_clock(shifted), _offsets(shifted)])
    return pc.call_function("coalesce", [found, moved])


def _clock(texts: pa.Array) -> pa.Array:
    return pc.call_function("utf8_slice_codeunits", [texts], pc.SliceOptions(0, _TO_THE_SECOND)).cast(_UTC_CLOCK)


def _offsets(texts: pa.Array) -> pa.Array:
    ends = pc.call_function("utf8_slice_codeunits", [texts], pc.SliceOptions(-_OFFSET)).dictionary_encode()
    ahead = pa.array([_offset(end) for end in ends.dictionary.to_pylist()], type=pa.duration("us"))
    return ahead.take(ends.indices)
