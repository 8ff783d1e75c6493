"""Coordinates of a customer, repaired where the writing leaves no doubt and flagged where it does not.

A reader turns the text into a pair of numbers, in the order they were written; the pair is then tried as it is, with
mended signs, swapped, and with a mended decimal point, until it lies in the service area.
"""

import re
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Context, Decimal
from itertools import islice
from typing import NamedTuple

from migration.parsing.cells import Value
from skynet_assets.parsing.text import text


class Coordinates(NamedTuple):
    """A point rounded to seven decimals, or none; how it was come by; and the text it was read from."""

    latitude: Decimal | None
    longitude: Decimal | None
    status: str
    raw: str | None


Pair = tuple[Decimal, Decimal]

_AREA_LATITUDE = (Decimal(-9), Decimal(-6))
_AREA_LONGITUDE = (Decimal(110), Decimal(115))
_STEP = Decimal("0.0000001")
_ROUNDING = Context(prec=40, rounding=ROUND_HALF_UP)
_MAX_PRECISION = 2_000

_MARKS = str.maketrans(
    {
        "\N{EN DASH}": "-",
        "\N{MINUS SIGN}": "-",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{PRIME}": "'",
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "`": "'",
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
        "\N{DOUBLE PRIME}": '"',
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{MASCULINE ORDINAL INDICATOR}": "°",
        "\N{RING ABOVE}": "°",
    }
)
_ENCODED_COMMA = re.compile(r"%2c", re.IGNORECASE)

_NUM = r"(-?[0-9]+(?:\.[0-9]+)?)"
_PLAIN = re.compile(rf"{_NUM}\s*,\s*{_NUM}")
_LINK_POINTS = (
    re.compile(rf"@{_NUM},{_NUM}"),
    re.compile(rf"[?&](?:q|ll|query|destination)={_NUM},{_NUM}", re.IGNORECASE | re.ASCII),
)
_DIGIT_ABOVE_ZERO = re.compile(r"[1-9]")

_DECIMALS = r"(?:[.,][0-9]+)?"
_DEGREES = re.compile(
    rf"(?P<sign>-)?(?P<degrees>[0-9]{{1,3}}{_DECIMALS}) *°"
    rf"(?: *(?P<minutes>[0-9]{{1,2}}{_DECIMALS}) *')?"
    rf"(?: *(?P<seconds>[0-9]{{1,2}}{_DECIMALS}) *\")?"
    r"(?: *(?P<hemisphere>ls|lu|bt|bb|[nsewutb]|(?:(?:lintang|bujur) *)?(?:selatan|utara|timur|barat))"
    r"(?![^\W\d_]))?",
    re.IGNORECASE,
)
_NEGATIVE_HEMISPHERES = ("s", "ls", "w", "b", "bb", "selatan", "barat")
_SIXTY = Decimal(60)
_SECONDS_PER_DEGREE = Decimal(3600)

_WORD = re.compile(r"([^\W\d_]+)\.?")
_LABELS = frozenset({"lat", "latitude", "lon", "long", "lng", "longitude", "lintang", "bujur"})
_DIRECTIONS = frozenset({"selatan", "utara", "timur", "barat", "n", "s", "e", "w", "ls", "lu", "bt", "bb"})
_WORDS = _LABELS | _DIRECTIONS
_DECORATION = re.compile(r"[:=()\[\]\"'+]")
_DETACHED_MINUS = re.compile(r"- +(?=[0-9])")
_COMMAS = re.compile(r",+")
_NUMERIC = re.compile(r"[0-9.,;|/ -]+")
_PART_SEPARATOR = re.compile(r"[;|/]")
_NUMBER = re.compile(r"-?[.,]*[0-9][0-9.,]*")
_GLUED = re.compile(r"(-?[0-9]{1,2}\.[0-9]+)(1[01][0-9]\.[0-9]+)")


def coordinates(value: Value) -> Coordinates:
    """Point of a text such as `-7.858129, 112.686149`, a map link or degrees.

    The status is `ok`, `repaired`, `swapped`, `out_of_area`, or, without a point, `missing` or `invalid`.
    """
    if isinstance(value, list | dict):
        return Coordinates(None, None, "invalid", None)
    raw = text(value)
    if raw is None:
        return Coordinates(None, None, "missing", None)
    written = _with_plain_marks(raw)
    if _is_link(written):
        pair = _pair_of_link(written)
    elif not _DIGIT_ABOVE_ZERO.search(written):
        status = "invalid" if any(map(str.isalpha, written)) else "missing"
        return Coordinates(None, None, status, raw)
    elif "°" in written:
        pair = _pair_of_degrees(written)
    else:
        pair = _pair_of_decimals(written)
    return Coordinates(None, None, "invalid", raw) if pair is None else _resolve(pair, raw)


def _with_plain_marks(raw: str) -> str:
    return _ENCODED_COMMA.sub(",", raw.translate(_MARKS).replace("''", '"'))


def _is_link(written: str) -> bool:
    lower = written.casefold()
    return lower.startswith("http") or "maps." in lower


def _pair_of_link(written: str) -> Pair | None:
    for pattern in _LINK_POINTS:
        if match := pattern.search(written):
            return Decimal(match[1]), Decimal(match[2])
    return None


def _pair_of_degrees(written: str) -> Pair | None:
    # Enough precision that the area's borders are met exactly, however many decimals were written.
    context = Context(prec=min(len(written) + 40, _MAX_PRECISION))
    values = [_value_of_degrees(match, context) for match in islice(_DEGREES.finditer(written), 3)]
    if len(values) != 2 or values[0] is None or values[1] is None:
        return None
    return values[0], values[1]


def _value_of_degrees(match: re.Match[str], context: Context) -> Decimal | None:
    degrees, minutes, seconds = (
        Decimal((match[part] or "0").replace(",", ".")) for part in ("degrees", "minutes", "seconds")
    )
    if minutes >= _SIXTY or seconds >= _SIXTY:
        return None
    total = context.fma(degrees, _SECONDS_PER_DEGREE, context.fma(minutes, _SIXTY, seconds))
    value = context.divide(total, _SECONDS_PER_DEGREE)
    hemisphere = (match["hemisphere"] or "").casefold()
    direction = hemisphere.removeprefix("lintang").removeprefix("bujur").strip()
    return value.copy_negate() if match["sign"] or direction in _NEGATIVE_HEMISPHERES else value


def _pair_of_decimals(written: str) -> Pair | None:
    if any(word.casefold() not in _WORDS for word in _WORD.findall(written)):
        return None
    bare = _DECORATION.sub(" ", _WORD.sub(" ", written))
    bare = _COMMAS.sub(",", _DETACHED_MINUS.sub("-", bare).strip(" ,"))
    if not _NUMERIC.fullmatch(bare):
        return None
    if _PART_SEPARATOR.search(bare):
        return _two_numbers([part.strip(" ") for part in _PART_SEPARATOR.split(bare)])
    if " " in bare:
        parts = [part.strip(",") for part in bare.split(" ")]
        if sum(map(bool, parts)) == 2:
            return _two_numbers(parts)
        bare = _COMMAS.sub(",", bare.replace(" ", ""))
    return _pair_by_commas(bare)


def _pair_by_commas(bare: str) -> Pair | None:
    parts = bare.split(",")
    if len(parts) == 1:
        return _pair_without_comma(bare)
    if len(parts) == 2:
        return _numbers(*parts)
    if len(parts) == 3:
        return _pair_of_three(*parts)
    if len(parts) == 4 and "." not in bare:
        return _numbers(f"{parts[0]}.{parts[1]}", f"{parts[2]}.{parts[3]}")
    return None


def _pair_of_three(first: str, second: str, third: str) -> Pair | None:
    readings = []
    if "." not in first + second:
        readings.append((f"{first}.{second}", third))
    if "." not in second + third:
        readings.append((first, f"{second}.{third}"))
    for reading in readings:
        pair = _numbers(*reading)
        if pair and _place_in_area(pair):
            return pair
    return None


def _pair_without_comma(bare: str) -> Pair | None:
    if "-" in bare[1:]:
        split = bare.index("-", 1)
        # A second minus is left in the right part, which then is no number.
        return _numbers(bare[:split], bare[split + 1 :]) if bare.count("-", 1) == 1 else None
    glued = _GLUED.fullmatch(bare)
    return _numbers(glued[1], glued[2]) if glued else None


def _two_numbers(parts: list[str]) -> Pair | None:
    given = [part for part in parts if part]
    return _numbers(given[0], given[1]) if len(given) == 2 else None


def _numbers(first: str, second: str) -> Pair | None:
    left, right = _number(first), _number(second)
    return None if left is None or right is None else (left, right)


def _number(part: str) -> Decimal | None:
    if not _NUMBER.fullmatch(part) or ("," in part and "." in part):
        return None
    whole, point, rest = part.replace(",", ".").partition(".")
    # Further dots group the decimals by thousands: they hold no value, the digits do.
    return Decimal(f"{whole}{point}{rest.replace('.', '')}")


def _resolve(pair: Pair, raw: str) -> Coordinates:
    first, second = pair
    if not first and not second:
        return Coordinates(None, None, "missing", raw)
    if not first or not second:
        return Coordinates(None, None, "invalid", raw)
    if place := _place_in_area(pair):
        latitude, longitude, status = place
        if status == "as_written":
            status = "ok" if _PLAIN.fullmatch(raw) else "repaired"
        return _point(latitude, longitude, status, raw)
    for latitude, longitude in (pair, (second, first)):
        if -90 <= latitude <= 90 and -180 <= longitude <= 180:
            return _point(latitude, longitude, "out_of_area", raw)
    return Coordinates(None, None, "invalid", raw)


def _place_in_area(pair: Pair) -> tuple[Decimal, Decimal, str] | None:
    for latitude, longitude, status in _attempts(*pair):
        if _AREA_LATITUDE[0] <= latitude <= _AREA_LATITUDE[1] and _AREA_LONGITUDE[0] <= longitude <= _AREA_LONGITUDE[1]:
            return latitude, longitude, status
    return None


def _attempts(first: Decimal, second: Decimal) -> Iterator[tuple[Decimal, Decimal, str]]:
    yield first, second, "as_written"
    yield first.copy_abs().copy_negate(), second.copy_abs(), "repaired"
    yield second.copy_abs().copy_negate(), first.copy_abs(), "swapped"
    yield _with_point(first, 90, 1).copy_negate(), _with_point(second, 180, 3), "repaired"
    yield _with_point(second, 90, 1).copy_negate(), _with_point(first, 180, 3), "swapped"


def _with_point(number: Decimal, limit: int, places: int) -> Decimal:
    """The number without sign; beyond the limit its decimal point goes after the first `places` digits."""
    size = number.copy_abs()
    if size <= limit:
        return size
    digits = size.as_tuple().digits
    return Decimal((0, digits, places - len(digits)))


def _point(latitude: Decimal, longitude: Decimal, status: str, raw: str) -> Coordinates:
    return Coordinates(_rounded(latitude), _rounded(longitude), status, raw)


def _rounded(degrees: Decimal) -> Decimal:
    rounded = degrees.quantize(_STEP, context=_ROUNDING)
    return rounded if rounded else rounded.copy_abs()
