"""Legacy keys."""

from decimal import Decimal
from typing import Any

import pytest

from meter_assets.parsing.ids import MAX_ID, legacy_id
from meter_assets.parsing.problem import Problem
from tests.meter.columns import IDS, assert_column_is_its_values


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5),
        (0, 0),
        (Decimal("5.0"), 5),
        (Decimal("1E+3"), 1000),
        (Decimal("-0.0"), 0),
        (Decimal("0E+400"), 0),
        (MAX_ID, 9223372036854775807),
        (Decimal("9223372036854775807.000"), MAX_ID),
        ("5", 5),
        ("5.", 5),
        ("5.000", 5),
        ("007", 7),
        ("0", 0),
        (" \t5\u00a0\n", 5),
        ("9223372036854775807", MAX_ID),
        ("0" * 9000 + "12", 12),
    ],
)
def test_ids(value: Any, expected: int) -> None:
    assert legacy_id(value) == expected
    assert_column_is_its_values(IDS, [value])


@pytest.mark.parametrize("value", [None, "", " ", "\u2003\t\r\n"])
def test_nothing_given(value: Any) -> None:
    assert legacy_id(value) is Problem.NULL
    assert_column_is_its_values(IDS, [value])


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        -1,
        MAX_ID + 1,
        Decimal("5.5"),
        Decimal("-5.0"),
        Decimal("9223372036854775808.0"),
        Decimal("1E+999999999"),
        Decimal("1E-999999999"),
        Decimal("NaN"),
        Decimal("Infinity"),
        "-1",
        "-0",
        "+5",
        "5.5",
        "5.01",
        ".0",
        ".",
        "5,0",
        "1e3",
        "9223372036854775808",
        "1 2",
        "0x5",
        "\u0665",
        "5\x1c",
        "\u200b5",
        "5\x00",
        "\x00",
        "\x00n5",
        "NULL",
        "1" * 9000,
        [5],
        {"id": 5},
    ],
)
def test_no_ids(value: Any) -> None:
    assert legacy_id(value) is Problem.UNPARSABLE
    assert_column_is_its_values(IDS, [value])


def test_integers_too_long_for_python_to_print_are_no_ids() -> None:
    assert legacy_id(10**6000) is Problem.UNPARSABLE
