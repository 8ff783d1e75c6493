"""One legacy value to one of ours, as the contract says it, written a second time and sharing nothing.

A value is what JSON has: None, bool, int, Decimal, str, list or dict. What cannot be parsed is None, as if it were not
there.
"""

import datetime as dt
import json
import re
import uuid
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "legacy-migrations")
BIGGEST_INT = 2_147_483_647
MONEY_LIMIT = Decimal(10**10)
CENT = Decimal("0.01")
BALI = dt.timezone(dt.timedelta(hours=8))
DAY = dt.timedelta(days=1)
EPOCHS = range(946_684_800_000, 4_102_444_799_999 + 1)

_LONE = re.compile("[\x00\ud800-\udfff]")
_INT = re.compile(r"[+-]?[0-9]+(\.0+)?")
_DEC = re.compile(r"[+-]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)(\.[0-9]+)?")
_CUR = re.compile(r"[A-Z]{3}")
_OFFSET = r"(?:Z|([+-])([0-9]{2})(?::?([0-9]{2}))?)?"
_TS = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?" + _OFFSET + ")?"
)
_DATE_ONLY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ].*)?", re.DOTALL)
_ISO_CLOCK = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)?" + _OFFSET)
_CLOCK = re.compile(r"([0-9]{1,2})[:.]([0-9]{2})(?:[:.]([0-9]{2}))?\s*(AM|PM)?")
_HOUR = re.compile(r"([0-9]{1,2})\s*(AM|PM)")
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_URL = re.compile(r"https?://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]{1,5})?([/?#]\S*)?")
_BOOLEANS = dict.fromkeys(("1", "true", "yes", "y", "on", "t"), True) | dict.fromkeys(
    ("0", "false", "no", "n", "off", "f"), False
)
_PLACEHOLDER_NAMES = frozenset({"guest", "customer", "unknown", "cancelled", "n/a", "na", "-", "test"})
_PLACEHOLDER_EMAILS = frozenset(
    {
        "no-email@getyourguide.com",
        "cancelled@getyourguide.com",
        "no-email@unknown.com",
        "no-email@viator.com",
        "no-email@trip.com",
        "test@test.com",
    }
)


def key_of(name: str) -> str:
    """The UUID of a name."""
    return str(uuid.uuid5(NAMESPACE, name))


# --- text -------------------------------------------------------------------------------------------------------------


def storable(value: Any) -> Any:
    """A value without what PostgreSQL cannot hold: U+0000 and lone surrogates."""
    if isinstance(value, str):
        return _LONE.sub("", value)
    if isinstance(value, list):
        return [storable(each) for each in value]
    return {storable(k): storable(v) for k, v in value.items()} if isinstance(value, dict) else value


def plain_number(number: int | Decimal) -> str:
    """A number in plain decimal notation without trailing zeros after the point."""
    # Python would write a whole number by way of a binary float.
    written = f"{Decimal(number):f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def _written(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return plain_number(value)
    return value if isinstance(value, str) else None


def text(value: Any) -> str | None:
    """TXT: runs of white space become one space."""
    written = _written(value)
    return None if written is None else re.sub(r"\s+", " ", written).strip() or None


def raw(value: Any) -> str | None:
    """RAW: only the ends are trimmed."""
    written = _written(value)
    return None if written is None else written.strip() or None


def upper(value: Any) -> str | None:
    """UP: upper-case text."""
    written = text(value)
    return None if written is None else written.upper()


def unchanged(value: Any) -> str | None:
    """A text as it is, for the raw payload; an empty one is none."""
    return (value or None) if isinstance(value, str) else text(value)


def cut(written: str | None, length: int) -> str | None:
    """A text no longer than its column."""
    return None if written is None else written[:length]


def slug(value: Any) -> str:
    """SLUG; empty when nothing is left."""
    return re.sub(r"[^a-z0-9]+", "-", (text(value) or "").lower()).strip("-")


def name(value: Any) -> str:
    """NAME, to compare names; empty when nothing is left."""
    return re.sub(r"[^a-z0-9]+", " ", (text(value) or "").lower()).strip()


# --- numbers ----------------------------------------------------------------------------------------------------------


def integer(value: Any) -> int | None:
    """INT."""
    number: Decimal | None = None
    if isinstance(value, str) and _INT.fullmatch(value.strip()):
        number = Decimal(value.strip())
    elif isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = Decimal(value)
    if number is None or not number.is_finite() or abs(number) > BIGGEST_INT or number != number.to_integral_value():
        return None
    return int(number)


def identifier(value: Any) -> int | None:
    """PK."""
    number = integer(value)
    return number if number is not None and number >= 1 else None


def count(value: Any) -> int | None:
    """A number of people: a negative one is 0."""
    number = integer(value)
    return None if number is None else max(number, 0)


def natural(value: Any) -> int | None:
    """INT of at least 0."""
    number = integer(value)
    return number if number is not None and number >= 0 else None


def boolean(value: Any) -> bool | None:
    """BOOL."""
    if isinstance(value, str):
        return _BOOLEANS.get(value.strip().lower())
    if isinstance(value, bool | int | Decimal) and value in (0, 1):
        return bool(value)
    return None


def cents(number: Decimal) -> Decimal:
    """A number rounded to cents half away from zero; −0 is 0."""
    with localcontext() as context:
        context.prec = 1000
        return number.quantize(CENT, ROUND_HALF_UP) + 0


def shared(total: Decimal, people: int) -> Decimal:
    """What each of some people pays."""
    with localcontext() as context:
        context.prec = 100
        return cents(total / people)


def money(value: Any) -> Decimal | None:
    """DEC."""
    number: Decimal | None = None
    if isinstance(value, str) and _DEC.fullmatch(value.strip()):
        number = Decimal(value.strip().replace(",", ""))
    elif isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = Decimal(value)
    if number is None or not number.is_finite() or (number and number.adjusted() > 10):
        return None
    rounded = cents(number)
    return rounded if abs(rounded) < MONEY_LIMIT else None


def price(value: Any) -> Decimal | None:
    """DEC of at least 0."""
    number = money(value)
    return number if number is not None and number >= 0 else None


def currency(value: Any) -> str | None:
    """CUR."""
    code = upper(value)
    return code if code and _CUR.fullmatch(code) else None


# --- time -------------------------------------------------------------------------------------------------------------


def moment(value: Any) -> dt.datetime | None:
    """TS, in UTC."""
    if isinstance(value, str):
        written = value.strip()
        if re.fullmatch(r"[0-9]{12,13}", written):
            return _of_epoch(int(written))
        match = _TS.fullmatch(written)
        return _of_match(match) if match else None
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and value == int(value):
        return _of_epoch(int(value))
    return None


def _of_epoch(milliseconds: int) -> dt.datetime | None:
    if milliseconds not in EPOCHS:
        return None
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=milliseconds)


def _offset(match: re.Match[str]) -> dt.timedelta | None:
    """The offset that a match ends with; None when it is impossible."""
    sign, hours, minutes = match.groups()[-3:]
    if int(hours or 0) > 23 or int(minutes or 0) > 59:
        return None
    offset = dt.timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return -offset if sign == "-" else offset


def _of_match(match: re.Match[str]) -> dt.datetime | None:
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    offset = _offset(match)
    try:
        local = dt.datetime(year, month, day, hour, minute, second, int((match[7] or "").ljust(6, "0")), tzinfo=dt.UTC)
        found = local - (offset if offset is not None else dt.timedelta.max)
    except (ValueError, OverflowError):
        return None
    return found if 2000 <= found.year <= 2099 else None


def is_date_only(value: Any) -> bool:
    """Whether a timestamp is written without a time of day."""
    return isinstance(value, str) and bool(_DATE_ONLY.fullmatch(value.strip()))


def bali_date(at: dt.datetime) -> dt.date:
    """The calendar date in Bali; that of a date-only text is the date itself, because Bali is ahead of UTC."""
    return at.astimezone(BALI).date()


def iso_date(value: Any) -> dt.date | None:
    """DATE."""
    match = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        found = dt.date(*map(int, match.groups())) if match else None
    except ValueError:
        return None
    return found if found and 1900 <= found.year <= 2099 else None


def clock(value: Any) -> dt.time | None:
    """TIME."""
    written = upper(value)
    if written is None:
        return None
    if match := _ISO_CLOCK.fullmatch(written):
        return None if _offset(match) is None else _time(match[1], match[2], match[3])
    written = re.split("[-–]", written)[0].strip()
    if match := _CLOCK.fullmatch(written):
        return _time(match[1], match[2], match[3], match[4])
    if match := _HOUR.fullmatch(written):
        return _time(match[1], None, None, match[2])
    return None


def _time(hours: str, minutes: str | None, seconds: str | None, half: str | None = None) -> dt.time | None:
    hour = int(hours)
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "PM" else 0)
    try:
        return dt.time(hour, int(minutes or 0), int(seconds or 0))
    except ValueError:
        return None


def utc_text(at: dt.datetime) -> str:
    """A moment as `YYYY-MM-DDTHH:MM:SSZ`."""
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- JSON -------------------------------------------------------------------------------------------------------------


def decoded(written: str) -> Any:
    """The value of a JSON text, numbers exact.

    Raises:
        ValueError: it is not JSON; NaN and Infinity are not.
    """

    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    return json.loads(written, parse_float=Decimal, parse_constant=refuse)


def json_value(value: Any) -> Any:
    """JSONV."""
    if value is None or isinstance(value, dict | list):
        return value
    if not isinstance(value, str):
        return {"raw": text(value)}
    if not value.strip():
        return None
    try:
        found = decoded(value)
    except ValueError:
        found = None
    return storable(found) if isinstance(found, dict | list) else {"raw": value}


def json_text(value: Any, *, escaped: bool = False, ordered: bool = False) -> str:
    """JSON text without white space, numbers in plain notation as read."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        items = sorted(value.items()) if ordered else value.items()
        parts = [
            f"{json.dumps(k, ensure_ascii=escaped)}:{json_text(v, escaped=escaped, ordered=ordered)}" for k, v in items
        ]
        return "{" + ",".join(parts) + "}"
    if isinstance(value, list):
        return "[" + ",".join(json_text(each, escaped=escaped, ordered=ordered) for each in value) + "]"
    return json.dumps(value, ensure_ascii=escaped)


# --- people and places ------------------------------------------------------------------------------------------------


def is_placeholder_name(written: str | None) -> bool:
    """Whether a name says nothing."""
    return written is None or written.lower() in _PLACEHOLDER_NAMES


def is_email(written: str) -> bool:
    """Whether a lower-case text is an e-mail address, a placeholder or not."""
    return len(written) <= 191 and bool(_EMAIL.fullmatch(written))


def is_placeholder_email(written: str) -> bool:
    """Whether a lower-case address belongs to nobody."""
    return written in _PLACEHOLDER_EMAILS or written.endswith("@example.com")


def url(value: Any) -> str | None:
    """A valid address of an image."""
    written = text(value)
    return written if written and len(written) <= 2048 and _URL.fullmatch(written) else None


def digits(written: str) -> str:
    """The digits of a text."""
    return re.sub("[^0-9]", "", written)


def e164(value: Any) -> str | None:
    """A phone number in E.164, None when it is none."""
    piece = next((p for p in re.split("[;,/]", text(value) or "") if len(digits(p)) >= 7), None)
    if piece is None:
        return None
    found = digits(piece[piece.find("+") :]) if "+" in piece else _without_plus(digits(piece))
    if found.startswith("620"):
        found = "62" + found[3:]
    return f"+{found}" if 8 <= len(found) <= 15 and not found.startswith("0") else None


def _without_plus(found: str) -> str:
    """The number with its country code; empty when it has none."""
    if found.startswith("00"):
        return found[2:]
    if found.startswith("0"):
        return "62" + found[1:]
    if found.startswith("62"):
        return found
    if found.startswith("8") and 9 <= len(found) <= 12:
        return "62" + found
    return found if 11 <= len(found) <= 15 else ""
