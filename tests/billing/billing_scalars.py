"""One legacy value to one of ours, as the contract says it, written a second time and sharing nothing.

A value is what JSON has: None, bool, int, Decimal, str, list or dict. A parser gives the value, None where there is
none, or `Bad`.
"""

import datetime as dt
import json
import re
from decimal import ROUND_HALF_UP, Decimal, localcontext
from enum import Enum
from typing import Any

SPACES = "\t\n\x0b\x0c\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
NULL_WORDS = frozenset({"", "null", "none", "nan", "n/a", "-"})
ID_LIMIT = 10**15
BIGGEST_COUNT = 2**31 - 1
SMALL, RATE, AMOUNT = (Decimal(10) ** power for power in (8, 10, 13))
CENT = Decimal("0.01")
YEARS = range(2000, 2101)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTHS = {name: number for number, name in enumerate(_MONTHS, start=1)}

_LONE = re.compile("[\x00\ud800-\udfff]")
_RUN = re.compile(f"[{SPACES}]+")
_INTEGER = re.compile(r"([+-]?)([0-9]+)(?:\.0+)?")
_NUMBER = re.compile(r"([+-]?)([0-9]+)((?:\.[0-9]+)?)")
_TOKENS = ("bdt", "tk.", "tk", "৳")
_SPEEDS = ("mbps", "mb", "m")
_SPEED_IN_NAME = re.compile(f"([0-9]+(?:\\.[0-9]+)?)[{SPACES}]*[Mm][Bb](?:[Pp][Ss])?\\b")
_EMAIL = re.compile(f"[^@{SPACES}]+@[^@{SPACES}]+\\.[^@{SPACES}]+")
_ISO_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ].*)?", re.DOTALL)
_LOCAL_DAY = re.compile(r"([0-9]{2})([/-])([0-9]{2})\2([0-9]{4})")
_NAMED_DAY = re.compile(r"([0-9]{2})-([A-Za-z]{3})-([0-9]{4})")
_MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)? *(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_TRUE = frozenset({"1", "1.0", "t", "true", "yes", "y"})
_FALSE = frozenset({"0", "0.0", "f", "false", "no", "n"})


class Bad(Enum):
    """What a value is that cannot be parsed."""

    UNPARSED = "unparsed"


BAD = Bad.UNPARSED


# --- text -------------------------------------------------------------------------------------------------------------


def storable(value: Any) -> Any:
    """A value without what PostgreSQL cannot hold: U+0000 and unpaired surrogates."""
    if isinstance(value, str):
        return _LONE.sub("", value)
    if isinstance(value, list):
        return [storable(each) for each in value]
    return {storable(k): storable(v) for k, v in value.items()} if isinstance(value, dict) else value


def trimmed(written: str) -> str:
    """Text without white space around it."""
    return written.strip(SPACES)


def is_blank(value: Any) -> bool:
    """Whether a value says nothing."""
    return value is None or (isinstance(value, str) and trimmed(value).lower() in NULL_WORDS)


def json_text(value: Any) -> str:
    """Compact JSON text, decimals digit by digit."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json_text(k)}:{json_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(json_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def text(value: Any) -> str | None:
    """A text; what is none becomes one."""
    if is_blank(value):
        return None
    return trimmed(value) if isinstance(value, str) else json_text(value)


def name(value: Any) -> str | None:
    """A text in which runs of white space are one space."""
    written = text(value)
    return None if written is None else _RUN.sub(" ", written)


def word(value: Any) -> str | None:
    """A text to compare with a list of words."""
    written = text(value)
    return None if written is None else written.lower()


def email(value: Any) -> str | Bad | None:
    """An e-mail address in lower case."""
    written = word(value)
    return BAD if written is not None and not _EMAIL.fullmatch(written) else written


# --- numbers ----------------------------------------------------------------------------------------------------------


def integer(value: Any) -> int | Bad | None:
    """A whole number of any size."""
    if is_blank(value):
        return None
    if isinstance(value, str):
        match = _INTEGER.fullmatch(trimmed(value))
        # Python refuses to read very long numbers; none of them is of any use.
        return int(match[1] + (match[2].lstrip("0")[:40] or "0")) if match else BAD
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return BAD
    number = Decimal(value)
    if number.adjusted() > 40:
        return int(number.scaleb(40 - number.adjusted()))
    return int(number) if number == number.to_integral_value() else BAD


def identifier(value: Any) -> int | Bad | None:
    """An id or a reference."""
    found = integer(value)
    return found if found is None or isinstance(found, Bad) or 1 <= found < ID_LIMIT else BAD


def count(value: Any) -> int | Bad | None:
    """A number of things, which may be negative."""
    found = integer(value)
    return found if found is None or isinstance(found, Bad) or abs(found) <= BIGGEST_COUNT else BAD


def round2(number: Decimal) -> Decimal:
    """Rounded to cents, half away from zero."""
    with localcontext() as context:
        context.prec = 2000
        # Adding zero makes no difference but to a negative zero.
        return number.quantize(CENT, ROUND_HALF_UP) + 0


def number(value: Any, limit: Decimal | None) -> Decimal | Bad | None:
    """A number in cents; from the limit on it is unparseable."""
    if is_blank(value):
        return None
    if isinstance(value, str):
        return _limited(_plain_number(value), limit)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return BAD
    return _limited(Decimal(value), limit)


def _plain_number(written: str) -> Decimal | None:
    rest = trimmed(written)
    for token in _TOKENS:
        if rest.lower().startswith(token):
            rest = rest[len(token) :]
            break
    rest = trimmed(rest).removesuffix("/-")
    match = _NUMBER.fullmatch(_RUN.sub("", rest.replace(",", "")))
    return Decimal(match[0]) if match else None


def _limited(found: Decimal | None, limit: Decimal | None) -> Decimal | Bad:
    if found is None:
        return BAD
    if found and found.adjusted() < -4:
        return Decimal("0.00")
    if found and found.adjusted() > 20:
        return BAD if limit is not None else found
    rounded = round2(found)
    return BAD if limit is not None and abs(rounded) >= limit else rounded


def percentage(value: Any) -> Decimal | Bad | None:
    """A number with or without a percent sign, of any size."""
    if isinstance(value, str) and not is_blank(value):
        value = trimmed(trimmed(value).removesuffix("%"))
        return _limited(_plain_number(value), None)
    return number(value, None)


def speed(value: Any) -> Decimal | Bad | None:
    """A number of megabits with or without its unit."""
    if isinstance(value, str) and not is_blank(value):
        rest = trimmed(value)
        for unit in _SPEEDS:
            if rest.lower().endswith(unit):
                rest = trimmed(rest[: -len(unit)])
                break
        return _limited(_plain_number(rest), SMALL)
    return number(value, SMALL)


def speed_in(package_name: str) -> Decimal | Bad | None:
    """The speed that a package's name tells."""
    match = _SPEED_IN_NAME.search(package_name)
    return _limited(Decimal(match[1]), SMALL) if match else None


def boolean(value: Any) -> bool | Bad | None:
    """A yes or no."""
    if is_blank(value):
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal):
        return bool(value) if value in (0, 1) else BAD
    written = trimmed(value).lower() if isinstance(value, str) else ""
    return True if written in _TRUE else False if written in _FALSE else BAD


# --- time -------------------------------------------------------------------------------------------------------------


def date(value: Any) -> dt.date | Bad | None:
    """A day; the zero date is none."""
    if is_blank(value):
        return None
    if not isinstance(value, str):
        return BAD
    written = trimmed(value)
    if match := _ISO_DAY.fullmatch(written):
        if written.startswith("0000-00-00"):
            return None
        return _day(match[1], match[2], match[3])
    if match := _LOCAL_DAY.fullmatch(written):
        return _day(match[4], match[3], match[1])
    if match := _NAMED_DAY.fullmatch(written):
        return _day(match[3], MONTHS.get(match[2].lower(), 0), match[1])
    return BAD


def _day(year: Any, month: Any, day: Any) -> dt.date | Bad:
    try:
        found = dt.date(int(year), int(month), int(day))
    except ValueError:
        return BAD
    return found if found.year in YEARS else BAD


def moment(value: Any) -> dt.datetime | None:
    """A timestamp in UTC without its fraction; none where it cannot be parsed."""
    match = _MOMENT.fullmatch(trimmed(value)) if isinstance(value, str) else None
    if match is None:
        return None
    parts = [int(part or 0) for part in match.groups()[:6]]
    zone = (match[7] or "Z").replace(":", "")
    hours, minutes = (int(zone[1:3]), int(zone[3:] or 0)) if zone != "Z" else (0, 0)
    if hours > 23 or minutes > 59:
        return None
    offset = dt.timedelta(hours=hours, minutes=minutes)
    try:
        naive = dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[arg-type,misc]
        found = naive + offset if zone.startswith("-") else naive - offset
    except (ValueError, OverflowError):
        return None
    return found if found.year in YEARS else None


# --- words ------------------------------------------------------------------------------------------------------------

CUSTOMER_TYPES = {
    **dict.fromkeys(("bandwidth", "reseller", "bandwidth/reseller"), "Bandwidth"),
    **dict.fromkeys(("mac", "mac partner", "channel partner", "franchise"), "MAC"),
    **dict.fromkeys(("soho", "home", "soho/home"), "SOHO"),
}
PAYMENT_TYPES = CUSTOMER_TYPES | {"other": "Other"}
CUSTOMER_STATUSES = {each.lower(): each for each in ("Active", "Inactive", "Lost")}
BILL_STATUSES = {each.lower(): each for each in ("Active", "Inactive")}
END_STATUSES = {each.lower(): each for each in ("Active", "Inactive", "Suspended")}
METHODS = {
    "cash": "Cash",
    **dict.fromkeys(("bank transfer", "bank", "bank_transfer", "beftn", "npsb", "rtgs"), "Bank Transfer"),
    **dict.fromkeys(("check", "cheque"), "Check"),
    **dict.fromkeys(("mobile banking", "mobile_banking", "bkash", "nagad", "rocket", "mfs"), "Mobile Banking"),
    "other": "Other",
}


def enum(value: Any, spellings: dict[str, str]) -> str | Bad | None:
    """The canonical spelling of a word."""
    written = word(value)
    return None if written is None else spellings.get(written, BAD)


# --- numbers on paper -------------------------------------------------------------------------------------------------


def part(written: str, length: int) -> str:
    """What a name contributes to a number."""
    return re.sub("[^A-Za-z0-9]", "", written).upper()[:length].ljust(length, "X")


def kept_number(value: Any, prefix: str, lengths: str, row_id: int) -> str | None:
    """A legacy number in its stored form, if it is kept."""
    written = (text(value) or "").upper()
    return written if re.fullmatch(f"{prefix}-[A-Z0-9]{{{lengths}}}-{row_id}", written) else None


def kept_bill_number(value: Any, row_id: int) -> str | None:
    """A legacy bill number in its stored form, if it is kept."""
    written = (text(value) or "").upper()
    match = re.fullmatch(f"KTL-BL-[A-Z0-9]{{1,5}}-{row_id}-([0-9]{{2}})([0-9]{{2}})([0-9]{{4}})", written)
    try:
        return written if match and dt.date(int(match[3]), int(match[2]), int(match[1])) else None
    except ValueError:
        return None
