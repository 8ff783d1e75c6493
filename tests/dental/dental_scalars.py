"""One legacy value to one of ours, as the contract says it, written a second time and sharing nothing.

A value is what JSON has: None, bool, int, Decimal, str, list or dict. A value that a rule cannot use raises `Unusable`,
which holds the warning and what stands in its place.
"""

import datetime as dt
import re
import uuid
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from tests.booking.booking_scalars import decoded, storable

NAMESPACE = uuid.UUID("c77d2dd8-e575-5726-b947-6d1597196fa8")
REDACTED = "[PAN-REDACTED]"
FORBIDDEN = frozenset({"password", "card_bin"})

_INT = re.compile(r"[+-]?[0-9]+(\.0+)?")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_TS = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)? *(?:Z|([+-])([0-9]{2})(?::?([0-9]{2}))?)?)?"
)
_US_DATE = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})")
_GROUP = re.compile("[0-9]+")
_SEPARATOR = re.compile("[-.]|[ \u00a0]{1,2}")
_GROUPS = {
    name.lower(): name
    for name in (
        *("Patient", "Doctor", "Sales", "Administrator", "Master", "Support", "Billing", "Export", "External"),
        "Technician",
    )
} | {"admin": "Administrator"}
_SHAPES = ([4, 4, 4, 4, 1], [4, 4, 4, 4, 2], [4, 4, 4, 4, 3], [4, 4, 4, 4], [4, 6, 5], [4, 6, 4])
_BOOLEANS = dict.fromkeys(("t", "true", "1", "y", "yes"), True) | dict.fromkeys(("f", "false", "0", "n", "no"), False)


class Unusable(Exception):
    """A value that its rule calls invalid.

    Attributes:
        code: the warning.
        instead: what takes the value's place.
    """

    def __init__(self, code: str, instead: Any = None) -> None:
        super().__init__(code)
        self.code, self.instead = code, instead


def key_of(table: str, pk: int) -> str:
    """The UUID of a source row."""
    return str(uuid.uuid5(NAMESPACE, f"dental:{table}:{pk}"))


def is_null(value: Any) -> bool:
    """Whether a value says nothing."""
    return value is None or (isinstance(value, str) and value.strip() in ("", "\\N", "NULL"))


# --- text -------------------------------------------------------------------------------------------------------------


def written(value: Any) -> str | None:
    """A scalar as text, untrimmed; None for an object or an array."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value if isinstance(value, str) else None


def text(value: Any) -> str | None:
    """T."""
    if is_null(value):
        return None
    found = written(value)
    if found is None:
        raise Unusable("BAD_TEXT")
    return found.strip()


def spaced(value: Any) -> str | None:
    """T+."""
    found = text(value)
    return None if found is None else re.sub(r"\s+", " ", found)


def email(value: Any) -> str | None:
    """E."""
    found = text(value)
    if found is not None and not _EMAIL.fullmatch(found.lower()):
        raise Unusable("BAD_EMAIL")
    return found and found.lower()


def group_name(value: Any) -> str | None:
    """G."""
    found = spaced(value)
    return None if found is None else _GROUPS.get(found.lower(), found)


# --- numbers ----------------------------------------------------------------------------------------------------------


def integer(value: Any) -> int | None:
    """I."""
    if is_null(value):
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise Unusable("BAD_INT")
    if isinstance(value, str):
        if not _INT.fullmatch(value.strip()):
            raise Unusable("BAD_INT")
        found = int(value.strip().partition(".")[0])
    elif value != int(value):
        raise Unusable("BAD_INT")
    else:
        found = int(value)
    if abs(found) >= 2**63:
        raise Unusable("BAD_INT")
    return found


def identifier(value: Any) -> int | None:
    """I of a column that names a row."""
    found = integer(value)
    if found is not None and found < 1:
        raise Unusable("BAD_INT")
    return found


def boolean(value: Any, default: bool) -> bool:
    """B."""
    if is_null(value):
        return default
    if isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal) and value in (0, 1):
        return value == 1
    found = _BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise Unusable("BAD_BOOL", default)
    return found


def _number(value: Any) -> Decimal | None:
    """An exact number; None when it is not one."""
    if isinstance(value, str):
        bare = re.sub(r"[$,\s]", "", value)
        return Decimal(bare) if _NUMBER.fullmatch(bare) else None
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value)
    return None


def rounded(number: Decimal, places: int) -> Decimal:
    """A number rounded half away from zero; minus zero is zero."""
    with localcontext() as context:
        context.prec = 5000
        return number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP) + 0


def money(value: Any) -> Decimal | None:
    """M."""
    if is_null(value):
        return None
    number = _number(value)
    found = None if number is None else rounded(number, 2)
    if found is None or abs(found) >= 10**10:
        raise Unusable("BAD_MONEY")
    return found


def rate(value: Any) -> Decimal:
    """R."""
    none = Decimal("0.0000")
    if is_null(value):
        return none
    number = _number(value)
    if number is None or number < 0:
        raise Unusable("BAD_RATE", none)
    with localcontext() as context:
        context.prec = 5000
        share = number / 100 if number > 1 else number
    found = rounded(share, 4)
    if found >= 1:
        raise Unusable("BAD_RATE", none)
    return found


# --- time -------------------------------------------------------------------------------------------------------------


def _date_and_time(match: re.Match[str]) -> tuple[dt.datetime, dt.timedelta] | None:
    """The date and time as written, without fraction, and the offset; None when they are not real."""
    *parts, sign, zone_hours, zone_minutes = match.groups()
    year, month, day, hour, minute, second = (int(part or 0) for part in parts)
    hours, minutes = int(zone_hours or 0), int(zone_minutes or 0)
    if hours > 23 or minutes > 59:
        return None
    offset = dt.timedelta(hours=hours, minutes=minutes)
    try:
        return dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC), -offset if sign == "-" else offset
    except ValueError:
        return None


def moment(value: Any) -> dt.datetime | None:
    """TS, in UTC."""
    if is_null(value):
        return None
    match = _TS.fullmatch(value.strip()) if isinstance(value, str) else None
    found = _date_and_time(match) if match else None
    try:
        at = found[0] - found[1] if found else None
    except OverflowError:
        at = None
    if at is None or not 2000 <= at.year <= 2099:
        raise Unusable("BAD_TIMESTAMP")
    return at


def date(value: Any) -> dt.date | None:
    """D."""
    if is_null(value):
        return None
    found: dt.date | None = None
    if isinstance(value, str) and (match := _US_DATE.fullmatch(value.strip())):
        month, day, year = map(int, match.groups())
        try:
            found = dt.date(year, month, day)
        except ValueError:
            found = None
    elif isinstance(value, str) and (match := _TS.fullmatch(value.strip())):
        at = _date_and_time(match)
        found = at[0].date() if at else None
    if found is None or not 1900 <= found.year <= 2099:
        raise Unusable("BAD_DATE")
    return found


# --- JSON -------------------------------------------------------------------------------------------------------------


def document(value: Any) -> Any:
    """J."""
    if is_null(value):
        return {}
    if isinstance(value, dict | list):
        return allowed(value)
    found = parsed(value)
    if found is None:
        raise Unusable("BAD_JSON", {"raw": (written(value) or "").strip()})
    return allowed(found)


def parsed(value: Any) -> Any:
    """The object or array that a text holds; None when it holds none."""
    try:
        found = decoded(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return None
    return storable(found) if isinstance(found, dict | list) else None


def allowed(value: Any) -> Any:
    """A document without the members that nobody may keep."""
    if isinstance(value, dict):
        return {name: allowed(each) for name, each in value.items() if name.lower() not in FORBIDDEN}
    return [allowed(each) for each in value] if isinstance(value, list) else value


# --- cards ------------------------------------------------------------------------------------------------------------


def redacted(found: str) -> str:
    """P on a text."""
    groups = [(match.start(), match.end()) for match in _GROUP.finditer(found)]
    result, done, position = "", 0, 0
    while position < len(groups):
        used = _card_at(found, groups[position:])
        if used:
            result += found[done : groups[position][0]] + REDACTED
            done = groups[position + used - 1][1]
        position += used or 1
    return result + found[done:]


def _card_at(found: str, groups: list[tuple[int, int]]) -> int:
    """How many groups from the first on are a card."""
    for shape in _SHAPES:
        if len(groups) >= len(shape) and [b - a for a, b in groups[: len(shape)]] == shape:
            taken = groups[: len(shape)]
            gaps = [found[end:start] for (_, end), (start, _) in zip(taken, taken[1:], strict=False)]
            digits = "".join(found[a:b] for a, b in taken)
            if all(_SEPARATOR.fullmatch(gap) for gap in gaps) and _is_card(digits):
                return len(shape)
    start, end = groups[0]
    return 1 if _is_card(found[start:end]) else 0


def _is_card(digits: str) -> bool:
    if not 13 <= len(digits) <= 19 or digits[0] not in "23456":
        return False
    doubled = [int(d) * (2 if place % 2 else 1) for place, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def redacted_document(value: Any, *, numbers: bool = True) -> Any:
    """P on JSON.

    Args:
        value: the document.
        numbers: whether integers count too.
    """
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {name: redacted_document(each, numbers=numbers) for name, each in value.items()}
    if isinstance(value, list):
        return [redacted_document(each, numbers=numbers) for each in value]
    is_number = numbers and isinstance(value, int) and not isinstance(value, bool)
    return REDACTED if is_number and _is_card(str(abs(value))) else value


def last4(value: Any) -> tuple[str | None, bool]:
    """The last digits of a card, and whether there were more.

    Raises:
        Unusable: the value is no text.
    """
    try:
        number = integer(value)
        digits = "" if number is None else str(abs(number))
    except Unusable:
        digits = re.sub("[^0-9]", "", text(value) or "")
    return (digits.rjust(4, "0")[-4:] if digits else None), len(digits) > 4


def brand(found: str | None) -> str | None:
    """A card's brand."""
    if found is None:
        return None
    name = re.sub("[ -]+", "_", found.upper())
    name = {"MC": "MASTERCARD", "MASTER_CARD": "MASTERCARD", "AMEX": "AMERICAN_EXPRESS"}.get(name, name)
    known = {
        *("VISA", "MASTERCARD", "AMERICAN_EXPRESS", "DISCOVER", "DISCOVER_DINERS", "JCB", "CHINA_UNIONPAY"),
        *("SQUARE_GIFT_CARD", "INTERAC", "EFTPOS"),
    }
    return name if name in known else "OTHER_BRAND"


def quarantined(table: str, values: Mapping[str, Any], documents: frozenset[str]) -> Any:
    """What is kept of a rejected row; integers are left for the reader to redact or not.

    Args:
        table: the source table.
        values: the row as it is in the file.
        documents: the table's JSON columns.
    """
    found = {name: parsed(values[name]) for name in documents if name in values}
    row = dict(values) | {name: value for name, value in found.items() if value is not None}
    if "card_last" in row:
        try:
            row["card_last"] = last4(row["card_last"])[0]
        except Unusable:
            row["card_last"] = None
    return redacted_document(allowed(row), numbers=False)
