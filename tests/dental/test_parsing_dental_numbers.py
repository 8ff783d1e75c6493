"""Integers, ids, booleans, money and rates: one legacy value to one of ours."""

from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from dental_assets.parsing.numbers import (
    amounts,
    boolean,
    booleans,
    ids,
    integer,
    integers,
    legacy_id,
    money,
    rate,
    rates,
    stated_amounts,
)
from dental_assets.parsing.problem import Problem
from migration.parsing.cells import encode_cell

NULL, INVALID = Problem.NULL, Problem.INVALID


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5),
        (Decimal("5.0"), 5),
        (Decimal("1E+3"), 1000),
        ("+7", 7),
        (" -7.000 ", -7),
        ("0012", 12),
        ("7.", INVALID),
        ("7.5", INVALID),
        (Decimal("7.5"), INVALID),
        ("1e3", INVALID),
        ("\u0661", INVALID),
        (True, INVALID),
        ([], INVALID),
        (2**63 - 1, 2**63 - 1),
        (2**63, INVALID),
        (-(2**63), INVALID),
        ("9" * 5000, INVALID),
        (Decimal("1E+999999"), INVALID),
        (None, NULL),
        ("  ", NULL),
        (" NULL ", NULL),
        ("\\N", NULL),
        ("null", INVALID),
    ],
)
def test_integer(value: Any, expected: Any) -> None:
    assert integer(value) == expected


@pytest.mark.parametrize(("value", "expected"), [(1, 1), (0, INVALID), ("-1", INVALID), (None, NULL)])
def test_id(value: Any, expected: Any) -> None:
    assert legacy_id(value) == expected


@pytest.mark.parametrize("word", ["t", "TRUE", " 1 ", "y", "Yes", True, 1, Decimal("1.0")])
def test_true(word: Any) -> None:
    assert boolean(word) is True


@pytest.mark.parametrize("word", ["f", "False", "0", "n", "NO", False, 0])
def test_false(word: Any) -> None:
    assert boolean(word) is False


@pytest.mark.parametrize(
    ("value", "expected"), [(None, NULL), ("", NULL), ("on", INVALID), (2, INVALID), ({}, INVALID), ("1.0", INVALID)]
)
def test_no_boolean(value: Any, expected: Any) -> None:
    assert boolean(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("$1,234.505", "1234.51"),
        ("-0.005", "-0.01"),
        ("-0.004", "0.00"),
        ("- 20", "-20.00"),
        (".5", "0.50"),
        ("5.", "5.00"),
        (Decimal("12.5"), "12.50"),
        (Decimal("1E-9999"), "0.00"),
        ("9999999999.994", "9999999999.99"),
    ],
)
def test_money(value: Any, expected: str) -> None:
    assert str(money(value)) == expected


@pytest.mark.parametrize(
    "value", ["9999999999.995", 10**10, Decimal("1E+99999"), "1e3", "$", ".", "n/a", True, [], "1 2 x", "9" * 4000]
)
def test_no_money(value: Any) -> None:
    assert money(value) == INVALID


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0.0825", "0.0825"),
        (Decimal("8.25"), "0.0825"),
        ("0.00005", "0.0001"),
        ("99.994", "0.9999"),
        ("-0", "0.0000"),
        ("$8.25", "0.0825"),
        (0, "0.0000"),
    ],
)
def test_rate(value: Any, expected: str) -> None:
    assert str(rate(value)) == expected


@pytest.mark.parametrize("value", ["1", "100", "99.995", "0.99995", "-1", "x", Decimal("1E+50"), False])
def test_no_rate(value: Any) -> None:
    assert rate(value) == INVALID


def test_columns_say_what_was_not_usable() -> None:
    cells = pd.Series([encode_cell(value) for value in (5, "7", "x", None, True, "0")])
    assert integers(cells).value.tolist() == [5, 7, pd.NA, pd.NA, pd.NA, 0]
    assert integers(cells).invalid.tolist() == [False, False, True, False, True, False]
    assert ids(cells).invalid.tolist() == [False, False, True, False, True, True]
    assert booleans(cells, default=True).value.tolist() == [True, True, True, True, True, False]
    assert booleans(cells).invalid.tolist() == [True, True, True, False, False, False]


def test_quick_and_slow_amounts_agree() -> None:
    written = ["1", "-1.5", "12.345", "0012.30", "$3", "-0.00", "10000000000", None, "x"]
    cells = pd.Series([encode_cell(value) for value in written])
    found = amounts(cells)
    expected = [money(value) for value in written]
    assert [None if value is pd.NA else value for value in found.value] == [
        None if isinstance(value, Problem) else value for value in expected
    ]
    assert found.invalid.tolist() == [value is INVALID for value in expected]
    assert rates(pd.Series([None, "x"])).value.tolist() == [Decimal("0.0000")] * 2


def test_amount_of_a_payment_is_its_total_or_else_what_was_paid() -> None:
    rows = pd.DataFrame({"total_price": ["10", "n/a", None], "paid_price": ["1", "12.5", "x"]})
    assert stated_amounts(rows).value.tolist() == [Decimal("10.00"), Decimal("12.50"), pd.NA]
