"""Amounts of money."""

from decimal import Decimal
from typing import Any

import pytest

from meter_assets.parsing.money import money
from meter_assets.parsing.problem import Problem
from tests.meter.columns import MONEY, assert_column_is_its_values


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("KES 1,234.50", "1234.50"),
        (Decimal("99.995"), "100.00"),
        ("KES  1,200.00", "1200.00"),
        ("kes1200", "1200.00"),
        ("Kes -5", "-5.00"),
        ("KES +5.1", "5.10"),
        (" 1,000,000 ", "1000000.00"),
        ("1234567.5", "1234567.50"),
        ("+5", "5.00"),
        ("-5", "-5.00"),
        ("-0", "0.00"),
        ("-0.004", "0.00"),
        ("0,123", "123.00"),
        ("007", "7.00"),
        ("0.004999999999999999999999999999999999999999999999999", "0.00"),
        ("0.005", "0.01"),
        ("-0.005", "-0.01"),
        ("2.345", "2.35"),
        ("-2.345", "-2.35"),
        ("\u00a0\t5\n", "5.00"),
        (0, "0.00"),
        (-7, "-7.00"),
        (Decimal("-0.0"), "0.00"),
        (Decimal("0E+400"), "0.00"),
        (Decimal("1E+3"), "1000.00"),
        (Decimal("1E-999999999"), "0.00"),
        ("999999999999.994", "999999999999.99"),
        ("-999,999,999,999.99", "-999999999999.99"),
        ("0" * 9000 + "1", "1.00"),
    ],
)
def test_amounts(value: Any, expected: str) -> None:
    assert str(money(value)) == expected
    assert_column_is_its_values(MONEY, [value])


@pytest.mark.parametrize("value", [None, "", " \u00a0"])
def test_nothing_given(value: Any) -> None:
    assert money(value) is Problem.NULL
    assert_column_is_its_values(MONEY, [value])


@pytest.mark.parametrize(
    "value",
    [
        10**12,
        -(10**12),
        Decimal("999999999999.995"),
        Decimal("1E+999999999"),
        "1000000000000",
        "-999,999,999,999.995",
        "KES 1,000,000,000,000.00",
        "1" * 9000,
    ],
)
def test_too_large(value: Any) -> None:
    assert money(value) is Problem.OUT_OF_RANGE
    assert_column_is_its_values(MONEY, [value])


@pytest.mark.parametrize(
    "value",
    [
        "N/A",
        "1,23",
        ".5",
        "5.",
        "1e3",
        "NaN",
        "Infinity",
        "KES",
        "KES N/A",
        "KES\u00a05",
        "KES\t5",
        "KES.5",
        "-KES 5",
        "KES - 5",
        "- 5",
        "--5",
        "KES KES 5",
        "5 KES",
        "USD 5",
        "\u212aES 5",
        "KE\u017f 5",
        "1,2345",
        "1234,567",
        "1,234,56",
        "1,,234",
        ",123",
        "1,234.567,8",
        "1.234,50",
        "1 234",
        "\u0665",
        "5\x00",
        "\x005",
        True,
        False,
        [],
        {"amount": 5},
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("-Infinity"),
    ],
)
def test_no_amounts(value: Any) -> None:
    assert money(value) is Problem.UNPARSABLE
    assert_column_is_its_values(MONEY, [value])


def test_integers_too_long_for_python_to_print_are_too_large() -> None:
    assert money(-(10**6000)) is Problem.OUT_OF_RANGE
