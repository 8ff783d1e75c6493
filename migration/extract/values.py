"""From what a driver gives to what JSON holds, with nothing rounded: one conversion for each kind of column.

MySQL and PostgreSQL are asked for the text of every value, as bytes, so that no driver can turn a decimal into a float,
refuse a date that no calendar has, or stumble over text that is not UTF-8.
"""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy.types import TypeEngine

Convert = Callable[[Any], Any]

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ESCAPED_BYTES = re.compile("[\udc80-\udcff]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NO_NUMBERS = ("NaN", "Infinity", "-Infinity")
_ZERO_DATE = "0000-00-00"
_SHORT_OFFSET = re.compile(r"[+-]\d\d$")


@dataclass
class Tally:
    """Values of a column that could not be written as they are; the values themselves are not kept.

    Attributes:
        encoded: binary values written as base64.
        mended: texts in which bytes that are not UTF-8 became U+FFFD.
    """

    encoded: int = 0
    mended: int = 0


def text_of(tally: Tally) -> Convert:
    """Bytes of a text column to text."""

    def convert(value: bytes) -> str:
        try:
            return str(value, "utf-8")
        except UnicodeDecodeError:
            tally.mended += 1
            return str(value, "utf-8", "replace")

    return convert


def bytes_of(tally: Tally) -> Convert:
    """Bytes of a binary column to text where they are one, else to base64."""

    def convert(value: bytes) -> str:
        try:
            text = str(value, "utf-8")
        except UnicodeDecodeError:
            text = None
        # A key such as a binary UUID may be UTF-8 by chance; control characters mostly tell.
        if text is None or _CONTROL.search(text):
            tally.encoded += 1
            return base64.b64encode(value).decode()
        return text

    return convert


def whole_number(value: bytes) -> int:
    """The digits of an integer."""
    return int(value)


def bit_number(value: bytes) -> int:
    """MySQL's BIT, which comes as its bits."""
    return int.from_bytes(value, "big")


def exact_number(value: bytes) -> Decimal | str:
    """The digits of a number; what JSON has no number for stays a text."""
    text = value.decode()
    return text if text in _NO_NUMBERS else Decimal(text)


def truth(value: bytes) -> bool:
    """PostgreSQL's text of a boolean."""
    return value == b"true"


def moment(value: bytes) -> str:
    """The text of a timestamp in ISO form; a zero date stays as the server writes it."""
    text = value.decode()
    if text.startswith(_ZERO_DATE):
        return text
    text = text.replace(" ", "T", 1)
    return f"{text}:00" if "T" in text and _SHORT_OFFSET.search(text) else text


def nested(tally: Tally) -> Convert:
    """The JSON value of a JSON column, its numbers exact; its text where no decoder takes it."""
    as_text = text_of(tally)

    def convert(value: bytes) -> Any:
        try:
            return _DECODER.decode(value)
        except (msgspec.MsgspecError, UnicodeDecodeError, ArithmeticError, RecursionError):
            return as_text(value)

    return convert


def by_own_type(tally: Tally) -> Convert:
    """A value of SQLite, where each value has a type of its own whatever its column declares."""
    as_bytes = bytes_of(tally)

    def convert(value: Any) -> Any:
        if isinstance(value, float):
            text = repr(value)
            return {"inf": "Infinity", "-inf": "-Infinity"}.get(text) or Decimal(text)
        if isinstance(value, bytes):
            return as_bytes(value)
        if isinstance(value, str) and not value.isascii() and _ESCAPED_BYTES.search(value):
            tally.mended += 1
            return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return value

    return convert


def by_python_type(kind: TypeEngine[Any], tally: Tally) -> Convert:
    """The conversion of a type that every server has: numbers, bytes; all else is text."""
    python = kind.python_type
    if python is int:
        return whole_number
    if python in (Decimal, float):
        return exact_number
    return bytes_of(tally) if python is bytes else text_of(tally)
