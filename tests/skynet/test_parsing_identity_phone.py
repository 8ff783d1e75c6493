"""Identity numbers and phone numbers."""

from decimal import Decimal
from typing import Any

import pytest

from skynet_assets.parsing.identity import identity_number
from skynet_assets.parsing.phone import phone

NIK = "3507010101010001"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("3507 0101 0101 0001", (NIK, True, False)),
        ("'3507.0101.0101.0001", (NIK, True, False)),
        (int(NIK), (NIK, True, False)),
        (Decimal(f"{NIK}.0"), (NIK, True, False)),
        (f"{NIK}.00", (NIK, True, False)),
        ("350701", ("350701", False, False)),
        ("1" * 16, ("1" * 16, False, False)),
        ("1" * 20, ("1" * 20, False, False)),
        ("0", (None, None, False)),
        ("0000-0000", (None, None, False)),
        ("-", (None, None, False)),
        (None, (None, None, False)),
        ("3.50701E+15", (None, None, True)),
        ("3,50701E+15", (None, None, True)),
        ("'-3e15", (None, None, True)),
        ("tidak ada", (None, None, True)),
        ("1" * 21, (None, None, True)),
        ("0" * 21, (None, None, True)),
        ("٣" * 16, (None, None, True)),
        (True, (None, None, True)),
        ([], (None, None, True)),
        ({}, (None, None, True)),
    ],
)
def test_identity_number(value: Any, expected: Any) -> None:
    assert identity_number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0812-3456-7890 / 62812 9999 0000", ("+6281234567890", "+6281299990000", False)),
        ("081234567890atau0856111122", ("+6281234567890", "+62856111122", False)),
        ("081234567890 DAN 0856111122", ("+6281234567890", "+62856111122", False)),
        ("081234567890bdan0856111122", (None, None, True)),
        ("+62 812-3456-7890", ("+6281234567890", None, False)),
        ("+62 0812 3456 7890", ("+6281234567890", None, False)),
        (6281234567890, ("+6281234567890", None, False)),
        (Decimal("81234567890.0"), ("+6281234567890", None, False)),
        ("81234567890.0", ("+6281234567890", None, False)),
        ("0812345678, 62812345678; 0812345679", ("+62812345678", "+62812345679", False)),
        ("123 & 0812345678", ("+62812345678", None, False)),
        ("021-5551234", ("+62215551234", None, False)),
        ("012345678", ("+6212345678", None, False)),
        ("01234567", (None, None, True)),
        ("0123456789012", ("+62123456789012", None, False)),
        ("01234567890123", (None, None, True)),
        ("006281234567", (None, None, True)),
        ("12345678", (None, None, True)),
        ("0", (None, None, False)),
        ("000/0", (None, None, False)),
        ("tidak ada", (None, None, False)),
        ("-", (None, None, False)),
        (None, (None, None, False)),
        (True, (None, None, False)),
        ([], (None, None, False)),
    ],
)
def test_phone(value: Any, expected: Any) -> None:
    assert phone(value) == expected
