"""One legacy value to one of ours, as the contract says it, written a second time and sharing nothing.

A value is what JSON has: None, bool, int, Decimal, str, list or dict.
"""

import datetime as dt
import json
import re
from decimal import ROUND_HALF_UP, Decimal, localcontext
from enum import Enum
from typing import Any

SPACES = "\t\n\x0b\x0c\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
BIGGEST_ID = 2**63 - 1
MONEY_LIMIT = 12
CENT = Decimal("0.01")

_ID = re.compile(r"([0-9]+)(?:\.0*)?")
_MONEY = re.compile(r"(?:[Kk][Ee][Ss] *)?([+-]?)([0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(\.[0-9]+)?")
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[ T]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))?)?"
)
_SLASHES = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})")
_LABEL_RUN = re.compile(f"[{SPACES}_-]+")
_BOOLEANS = {"1": True, "true": True, "t": True, "yes": True, "y": True} | {
    "0": False,
    "false": False,
    "f": False,
    "no": False,
    "n": False,
}


class Bad(Enum):
    """What a value can be instead of a parsed one."""

    UNPARSED = "unparsed"
    OUT_OF_RANGE = "out of range"


def trimmed(text: str) -> str:
    """Text without white space around it."""
    return text.strip(SPACES)


def is_null(value: Any) -> bool:
    """Whether a value is as good as none."""
    return value is None or (isinstance(value, str) and not trimmed(value))


def identifier(value: Any) -> int | Bad | None:
    """An id."""
    if is_null(value):
        return None
    number: int | None = None
    if isinstance(value, str):
        match = _ID.fullmatch(trimmed(value))
        # Python refuses to read very long integers.
        number = int(match[1].lstrip("0")[:30] or 0) if match else None
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, Decimal) and _is_whole(value):
        number = int(value)
    return Bad.UNPARSED if number is None or not 0 <= number <= BIGGEST_ID else number


def _is_whole(number: Decimal) -> bool:
    return number.is_finite() and number.adjusted() < 30 and number == number.to_integral_value()


def money(value: Any) -> Decimal | Bad | None:
    """An amount, rounded to cents half away from zero."""
    if is_null(value):
        return None
    number: Decimal | None = None
    if isinstance(value, str):
        match = _MONEY.fullmatch(trimmed(value))
        number = Decimal(match[1] + match[2].replace(",", "") + (match[3] or "")) if match else None
    elif isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = Decimal(value)
    return Bad.UNPARSED if number is None or not number.is_finite() else _in_cents(number)


def _in_cents(number: Decimal) -> Decimal | Bad:
    if not number:
        return Decimal("0.00")
    if number.adjusted() >= MONEY_LIMIT:
        return Bad.OUT_OF_RANGE
    with localcontext() as context:
        context.prec = 2000
        rounded = number.quantize(CENT, ROUND_HALF_UP) + 0
    return Bad.OUT_OF_RANGE if rounded.adjusted() >= MONEY_LIMIT else rounded


def moment(value: Any) -> dt.datetime | Bad | None:
    """A timestamp in UTC, without its fraction of a second; a zero date is none."""
    if is_null(value):
        return None
    if not isinstance(value, str):
        return Bad.UNPARSED
    if match := _SLASHES.fullmatch(trimmed(value)):
        day, month, year = map(int, match.groups())
        return _moment(year, month, day)
    if match := _ISO.fullmatch(trimmed(value)):
        return _iso_moment(match)
    return Bad.UNPARSED


def _iso_moment(match: re.Match[str]) -> dt.datetime | Bad | None:
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    fraction, sign, hours, minutes = match.groups()[6:]
    if (year, month, day) == (0, 0, 0):
        return Bad.UNPARSED if hour or minute or second or int(fraction or 0) else None
    if hours and (int(hours) > 23 or int(minutes) > 59):
        return Bad.UNPARSED
    offset = dt.timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return _moment(year, month, day, hour, minute, second, -offset if sign == "-" else offset)


def _moment(
    year: int,
    month: int,
    day: int,
    hour: int = 0,
    minute: int = 0,
    second: int = 0,
    offset: dt.timedelta = dt.timedelta(0),
) -> dt.datetime | Bad:
    try:
        return dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC) - offset
    except (ValueError, OverflowError):
        return Bad.UNPARSED


def date(value: Any) -> dt.date | Bad | None:
    """A date; of a timestamp the day it has in UTC."""
    found = moment(value)
    return found.date() if isinstance(found, dt.datetime) else found


def boolean(value: Any) -> bool | Bad | None:
    """A yes or no."""
    if is_null(value):
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal):
        return bool(value) if value in (0, 1) else Bad.UNPARSED
    return _BOOLEANS.get(trimmed(value).lower(), Bad.UNPARSED) if isinstance(value, str) else Bad.UNPARSED


def text(value: Any) -> str | None:
    """A text; PostgreSQL holds no U+0000, so it is left out."""
    if value is None:
        return None
    if isinstance(value, Decimal):
        return f"{value:f}"
    written = value if isinstance(value, str) else json_text(value)
    return trimmed(written.replace("\x00", "")) or None


def label(value: Any) -> str | None:
    """A status, role or method in one spelling."""
    written = text(value)
    return None if written is None else _LABEL_RUN.sub(" ", written.lower()).strip(" ") or None


def bill_type(value: Any) -> str | None:
    """The type of a bill in one spelling."""
    written = text(value)
    return None if written is None else _LABEL_RUN.sub("_", written.upper())


def json_text(value: Any, *, escaped: bool = False) -> str:
    """JSON text without white space, decimals digit by digit."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        parts = [f"{json.dumps(k, ensure_ascii=escaped)}:{json_text(v, escaped=escaped)}" for k, v in value.items()]
        return "{" + ",".join(parts) + "}"
    if isinstance(value, list):
        return "[" + ",".join(json_text(each, escaped=escaped) for each in value) + "]"
    return json.dumps(value, ensure_ascii=escaped)
