"""Values of legacy columns: each kind of bytes, and what becomes of it."""

import base64
from decimal import Decimal
from typing import Any

import pytest

from migration.extract import values
from migration.extract.values import Tally


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (b"2026-02-25 19:00:00", "2026-02-25T19:00:00"),
        (b"2026-02-25 19:00:00.5", "2026-02-25T19:00:00.5"),
        (b"2026-02-25 19:00:00+00", "2026-02-25T19:00:00+00:00"),
        (b"2026-02-25 19:00:00+05:30", "2026-02-25T19:00:00+05:30"),
        (b"0000-00-00 00:00:00", "0000-00-00 00:00:00"),
        (b"0000-00-00", "0000-00-00"),
        (b"2026-02-25", "2026-02-25"),
        (b"infinity", "infinity"),
        (b"0044-03-15 10:00:00 BC", "0044-03-15T10:00:00 BC"),
    ],
)
def test_moments(given: bytes, found: str) -> None:
    assert values.moment(given) == found


@pytest.mark.parametrize("digits", ["0", "-0.00", "12.50", "1e300", "123456789012345678901234567890.123456789"])
def test_numbers_keep_their_digits(digits: str) -> None:
    found = values.exact_number(digits.encode())
    assert isinstance(found, Decimal)
    assert found.as_tuple() == Decimal(digits).as_tuple()


@pytest.mark.parametrize(
    ("given", "found", "encoded"),
    [
        (b"", "", 0),
        ("café\n".encode(), "café\n", 0),
        (b"\x00", base64.b64encode(b"\x00").decode(), 1),
        (b"\xff\xfe", base64.b64encode(b"\xff\xfe").decode(), 1),
        (b"ab\x1b", base64.b64encode(b"ab\x1b").decode(), 1),
    ],
)
def test_binary_values(given: bytes, found: str, encoded: int) -> None:
    tally = Tally()
    assert values.bytes_of(tally)(given) == found
    assert tally.encoded == encoded


def test_texts_that_are_not_utf_8_are_counted() -> None:
    tally = Tally()
    convert = values.text_of(tally)
    assert [convert(each) for each in (b"ok\x00", b"caf\xe9", b"\xed\xa0\x80")] == ["ok\x00", "caf\ufffd", "\ufffd" * 3]
    assert tally.mended == 2


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (b'{"a": 1.10, "a": 2}', {"a": 2}),
        (b"0.1000", Decimal("0.1000")),
        (b"null", None),
        (b'"text"', "text"),
        (b"{broken", "{broken"),
        (b'"\\ud800"', '"\\ud800"'),
        (b"[" * 100_000, "[" * 100_000),
    ],
)
def test_json(given: bytes, found: Any) -> None:
    assert values.nested(Tally())(given) == found


def test_bits() -> None:
    assert [values.bit_number(bits) for bits in (b"\x00", b"\x01", b"\x02\x01", b"\xff" * 8)] == [0, 1, 513, 2**64 - 1]
