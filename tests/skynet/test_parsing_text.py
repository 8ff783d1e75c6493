"""Plain text, keys, the PPPoE account and its secret."""

from decimal import Decimal
from typing import Any

import pytest

from skynet_assets.parsing.pppoe import pppoe_password, pppoe_username
from skynet_assets.parsing.text import name_key, plain_number, text, upper_key


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, None),
        (False, None),
        ([], None),
        (["a"], None),
        ({"a": "b"}, None),
        (0, "0"),
        (-5, "-5"),
        (Decimal("10023.0"), "10023"),
        (Decimal("-0.0"), "0"),
        (Decimal("0E+999999999"), "0"),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1.5E-7"), "0.00000015"),
        (Decimal("NaN"), None),
        (Decimal("Infinity"), "Infinity"),
        ("  a \t\r\n b  ", "a b"),
        ("a\u00a0\u2003\u0085\u001c\u3000b", "a b"),
        ("a\u200bb", "a\u200bb"),
        ("S&amp;B &lt;x&gt;", "S&B <x>"),
        ("&amp;amp;", "&amp;"),
        ("a&nbsp;b", "a b"),
        ("&nbsp;", None),
        ("&#" + "9" * 5000 + ";", "\ufffd"),
        ("&#" + "0" * 5000 + "65;", "A"),
        ("&am\x00p;", "&"),
        ("a\x00b", "ab"),
        ("", None),
        (" - ", None),
        ("--", None),
        ("---", "---"),
        ("NULL", None),
        ("None", None),
        ("n/A", None),
        ("NaN", None),
        ("Undefined", None),
        ("nul\x00l", None),
        ("0", "0"),
    ],
)
def test_text(value: Any, expected: Any) -> None:
    assert text(value) == expected


def test_numbers_of_any_size_are_short_work() -> None:
    assert text(10**5000) == "1" + "0" * 5000
    assert len(plain_number(Decimal("7E+999999999999")) or "") == 5001
    assert (plain_number(Decimal("-7E-999999999999")) or "").endswith("0007")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("skynet - srigading", "SKYNET-SRIGADING"),
        ("SKYNET_SRIGADING", "SKYNET-SRIGADING"),
        ("Skynet Srigading", "SKYNET-SRIGADING"),
        ("subnet  batu _ kota", "SUBNET-BATU KOTA"),
        ("a - b -c- d", "A-B-C-D"),
        ("srigading skynet x", "SRIGADING SKYNET X"),
        ("SKYNET", "SKYNET"),
        ("skynet skynet a", "SKYNET-SKYNET A"),
        ("_", None),
        ("n/a", None),
        (None, None),
        (12, "12"),
    ],
)
def test_name_key(value: Any, expected: Any) -> None:
    assert name_key(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [("srgd0012 ", "SRGD0012"), (Decimal("10023.0"), "10023"), ("N/A", None), (None, None)]
)
def test_upper_key(value: Any, expected: Any) -> None:
    assert upper_key(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("budi@sky", ("budi@sky", False)),
        (None, ("NOPPPOE_SRGD0012", True)),
        ("-", ("NOPPPOE_SRGD0012", True)),
        ("NOPPPOE_OTHER", ("NOPPPOE_SRGD0012", True)),
        ("noppppoe_x", ("noppppoe_x", False)),
        ("nopppoe_x", ("nopppoe_x", False)),
        (1234, ("1234", False)),
    ],
)
def test_pppoe_username(value: Any, expected: Any) -> None:
    assert pppoe_username(value, "SRGD0012") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" a&amp;b  C ", "a&amp;b  C"),
        ("p\x00w", "pw"),
        ("null", "null"),
        ("None", "None"),
        ("--", "--"),
        (" - ", None),
        ("\x00", None),
        ("", None),
        (Decimal("1234.0"), "1234"),
        (7, "7"),
        (True, None),
        (["x"], None),
        ({}, None),
        (None, None),
    ],
)
def test_pppoe_password(value: Any, expected: Any) -> None:
    assert pppoe_password(value) == expected
