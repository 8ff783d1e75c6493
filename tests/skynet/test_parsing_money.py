"""Amounts of money."""

from decimal import Decimal
from typing import Any

import pytest

from skynet_assets.parsing.money import money
from skynet_assets.parsing.problem import Problem

MISSING, INVALID = Problem.MISSING, Problem.INVALID


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Rp 150.000", "150000.00"),
        ("150,000", "150000.00"),
        ("1.500.000,50", "1500000.50"),
        ("150.5", "150.50"),
        ("Rp150.000,-", "150000.00"),
        ("Rp 1.000.000", "1000000.00"),
        ("Rp 175.000", "175000.00"),
        ("150.000,00", "150000.00"),
        ("1,500,000.5", "1500000.50"),
        ("RP. 5", "5.00"),
        ("idr 1 500", "1500.00"),
        ("Rp.1.500", "1500.00"),
        ("0.500", "500.00"),
        ("1500.00", "1500.00"),
        ("-5", "-5.00"),
        ("-Rp 5", "-5.00"),
        ("- Rp 5", "-5.00"),
        ("Rp -5,-", "-5.00"),
        ("-0", "0.00"),
        ("0", "0.00"),
        ("007", "7.00"),
        ("999999999999.99", "999999999999.99"),
        (150000, "150000.00"),
        (Decimal("150000.005"), "150000.01"),
        (Decimal("-0.005"), "-0.01"),
        (Decimal("-0.004"), "0.00"),
        (Decimal("0E+400"), "0.00"),
        (Decimal("1E-999999999999"), "0.00"),
        (Decimal("999999999999.994"), "999999999999.99"),
        (0, "0.00"),
    ],
)
def test_amounts(value: Any, expected: Any) -> None:
    result = money(value)
    assert str(result) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, MISSING),
        ("", MISSING),
        ("-", MISSING),
        ("N/A", MISSING),
        (Decimal("NaN"), MISSING),
        (True, INVALID),
        (False, INVALID),
        ([], INVALID),
        ({"a": 1}, INVALID),
        ("1500.000", INVALID),
        ("gratis", INVALID),
        ("Rp .5", INVALID),
        ("r p 5", INVALID),
        ("Rp", INVALID),
        ("Rp rp 5", INVALID),
        (",-", INVALID),
        ("5,-,-", INVALID),
        ("-Rp -5", INVALID),
        ("--5", INVALID),
        ("1.2.3", INVALID),
        ("1.234,567", INVALID),
        ("1,234.56.7", INVALID),
        ("1.23,456", INVALID),
        ("1.500.00", INVALID),
        ("5.", INVALID),
        (".", INVALID),
        ("1,5000", INVALID),
        ("+5", INVALID),
        ("1e5", INVALID),
        ("٥", INVALID),
        ("1000000000000", INVALID),
        (10**12, INVALID),
        (-(10**12), INVALID),
        pytest.param(10**5000, INVALID, id="huge"),
        (Decimal("999999999999.995"), INVALID),
        (Decimal("1E+400"), INVALID),
        (Decimal("1E+999999999999"), INVALID),
        (Decimal("Infinity"), INVALID),
    ],
)
def test_no_amounts(value: Any, expected: Any) -> None:
    assert money(value) is expected
