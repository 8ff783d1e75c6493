"""Plain text: what every other parser starts from, and the keys made of it."""

import html
import re
from decimal import Decimal

from migration.parsing.cells import Value

_NULL_WORDS = frozenset({"", "-", "--", "null", "none", "n/a", "nan", "undefined"})
_DECIMAL_REFERENCE = re.compile(r"&#0*([0-9]+)")
_AROUND_DASH = re.compile(r" *- *")
_TRAILING_ZERO_FRACTION = re.compile(r"\.0+\Z")
_GROUP_PREFIXES = ("SKYNET ", "SUBNET ")

# More digits than any legacy field can hold: a hostile exponent must not become gigabytes of zeros.
_MAX_MAGNITUDE = 5_000
_MAX_QUICK_BITS = 10_000


def text(value: Value) -> str | None:
    """Text of a value: NUL removed, HTML entities decoded once, white space collapsed; words for null are null.

    Integral numbers become their digits, other numbers plain decimals; booleans, arrays and objects are null.
    """
    if isinstance(value, str):
        return _text_of_string(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return plain_number(value)


def plain_number(number: int | Decimal) -> str | None:
    """Digits of an integral number (`10023.0` is `10023`), else the plain decimal text; not-a-number is null."""
    if isinstance(number, int):
        # Python refuses to print very long integers; a Decimal prints them.
        return str(number) if number.bit_length() < _MAX_QUICK_BITS else format(Decimal(number), "f")
    if number.is_nan():
        return None
    if not number:
        return "0"
    whole, _, fraction = format(_bounded(number), "f").partition(".")
    return f"{whole}.{fraction}" if fraction.strip("0") else whole


def upper_key(value: Value) -> str | None:
    """Upper-case text: the key of a customer or of a package name."""
    found = text(value)
    return None if found is None else found.upper()


def name_key(value: Value) -> str | None:
    """Key of a router, location or branch name: upper case, `_` as space, no spaces at dashes, `SKYNET-`/`SUBNET-`."""
    found = text(value)
    if found is None:
        return None
    key = _AROUND_DASH.sub("-", " ".join(found.upper().replace("_", " ").split()))
    if key.startswith(_GROUP_PREFIXES):
        key = key.replace(" ", "-", 1)
    return key or None


def without_zero_fraction(digits: str) -> str:
    """The text without a trailing `.0`, `.00` …, which a spreadsheet adds to numbers."""
    return _TRAILING_ZERO_FRACTION.sub("", digits)


def _text_of_string(value: str) -> str | None:
    plain = value.replace("\x00", "")
    if "&" in plain:
        plain = _unescape(plain)
    plain = " ".join(plain.split())
    return None if plain.casefold() in _NULL_WORDS else plain


def _unescape(encoded: str) -> str:
    try:
        return html.unescape(encoded)
    except ValueError:
        # A numeric reference of thousands of digits: its first eight already say that it is no character.
        return html.unescape(_DECIMAL_REFERENCE.sub(lambda found: f"&#{found[1][:8]}", encoded))


def _bounded(number: Decimal) -> Decimal:
    magnitude = number.adjusted()
    # Infinity has no digits; its magnitude counts as 0.
    if abs(magnitude) <= _MAX_MAGNITUDE:
        return number
    sign, digits, _ = number.as_tuple()
    limit = _MAX_MAGNITUDE if magnitude > 0 else -_MAX_MAGNITUDE
    return Decimal((sign, digits, limit - len(digits) + 1))
