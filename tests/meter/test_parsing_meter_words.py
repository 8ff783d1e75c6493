"""Booleans, texts, labels and the vocabularies."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from meter_assets.parsing.booleans import boolean
from meter_assets.parsing.labels import label, labels
from meter_assets.parsing.problem import Problem
from meter_assets.parsing.statuses import (
    are_customers,
    bill_type,
    bill_types,
    invoice_statuses,
    is_customer,
    meter_statuses,
    overpayment_statuses,
    payment_methods,
    payment_statuses,
)
from meter_assets.parsing.text import text
from migration.parsing.cells import cell_array
from migration.parsing.vectors import Parsed
from tests.meter.columns import BOOLEANS, LABELS, TEXTS, assert_column_is_its_values

NULL, UNPARSABLE = Problem.NULL, Problem.UNPARSABLE


@pytest.mark.parametrize("value", [True, 1, Decimal("1.0"), Decimal("1"), "1", "true", " TRUE ", "t", "Yes", "y\u00a0"])
def test_true(value: Any) -> None:
    assert boolean(value) is True
    assert_column_is_its_values(BOOLEANS, [value])


@pytest.mark.parametrize("value", [False, 0, Decimal("0.00"), Decimal("-0.0"), "0", "False", "F", "NO", "n"])
def test_false(value: Any) -> None:
    assert boolean(value) is False
    assert_column_is_its_values(BOOLEANS, [value])


@pytest.mark.parametrize("value", [2, -1, Decimal("0.5"), "2", "1.0", "on", "fal\u017fe", "yes no", "\x001", [], {}])
def test_neither(value: Any) -> None:
    assert boolean(value) is UNPARSABLE
    assert_column_is_its_values(BOOLEANS, [value])


@pytest.mark.parametrize("value", [None, "", " \n"])
def test_no_boolean_given(value: Any) -> None:
    assert boolean(value) is NULL
    assert_column_is_its_values(BOOLEANS, [value])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" \u00a0a  b\t", "a  b"),
        (7, "7"),
        (Decimal("7.50"), "7.50"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-7"), "0.0000001"),
        (Decimal("-0.10"), "-0.10"),
        (Decimal("-0.0"), "-0.0"),
        (-5, "-5"),
        (True, "true"),
        (False, "false"),
        ([1, Decimal("2.50"), None], "[1,2.50,null]"),
        ({"a": " b "}, '{"a":" b "}'),
        ([], "[]"),
        ("NULL", "NULL"),
        ("\x1ca\x1f", "\x1ca\x1f"),
        ("\x00n5\x00", "n5"),
        (None, NULL),
        ("", NULL),
        ("\u2003\r\n", NULL),
        (" \x00 ", NULL),
    ],
)
def test_text(value: Any, expected: Any) -> None:
    assert text(value) == expected
    assert_column_is_its_values(TEXTS, [value])


def test_text_of_monstrous_numbers_stays_short() -> None:
    assert text(Decimal("1E+999999999")) == "1E+999999999"
    assert text(Decimal("1E-999999999")) == "1E-999999999"
    assert text(Decimal("1E+5000")) == "1" + "0" * 5000
    assert text(10**6000) == "1" + "0" * 6000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Fully_Paid", "fully paid"),
        (" -_ Tenant -\t\u00a0ADMIN_-", "tenant admin"),
        ("not paid", "not paid"),
        (5, "5"),
        (-5, "5"),
        (True, "true"),
        (" - _ ", NULL),
        ("_\x1c", "\x1c"),
        ("", NULL),
        (None, NULL),
    ],
)
def test_label(value: Any, expected: Any) -> None:
    assert label(value) == expected
    assert_column_is_its_values(LABELS, [value])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" balance ", "BALANCE"),
        ("-BALANCE", "_BALANCE"),
        ("late - payment\tpenalty_", "LATE_PAYMENT_PENALTY_"),
        ("--", "_"),
        (12, "12"),
        (" ", NULL),
        (None, NULL),
    ],
)
def test_bill_type(value: Any, expected: Any) -> None:
    assert bill_type(value) == expected


def rows(parser: Callable[[pd.Series], Parsed], *values: Any) -> list[tuple[str | None, int]]:
    """Value and problem code of each value, read as a column."""
    parsed = parser(pd.Series(cell_array(values), dtype="str"))
    return list(zip(pa.array(parsed.value).to_pylist(), parsed.problem.tolist(), strict=True))


OK, N, U = 0, NULL.value, UNPARSABLE.value


def test_bill_types_without_a_type_are_unknown() -> None:
    assert rows(bill_types, "Water Usage", None, " ") == [("WATER_USAGE", OK), ("UNKNOWN", N), ("UNKNOWN", N)]


def test_meter_statuses_outside_the_five_are_unknown() -> None:
    assert rows(meter_statuses, " Active", "FAULTY", "Unknown", "broken", None, 1) == [
        ("active", OK),
        ("faulty", OK),
        ("unknown", U),
        ("unknown", U),
        ("unknown", N),
        ("unknown", U),
    ]


def test_invoice_statuses_are_an_open_list() -> None:
    assert rows(invoice_statuses, "Not_Paid", "CANCELED", "strange one", "-", None) == [
        ("not paid", OK),
        ("cancelled", OK),
        ("strange one", OK),
        ("unknown", N),
        ("unknown", N),
    ]


def test_payment_statuses_are_a_closed_list() -> None:
    values = ("PAID", "Complete", "success", "canceled", "reversed", "failed", "pending", "completed", "cancelled")
    assert [value for value, _ in rows(payment_statuses, *values)] == [
        *("paid", "completed", "completed", "cancelled", "reversed", "failed", "pending", "completed", "cancelled")
    ]
    assert rows(payment_statuses, None, "", "refunded", "pa id", 1) == [
        ("paid", N),
        ("paid", N),
        (None, U),
        (None, U),
        (None, U),
    ]


def test_payment_methods_outside_the_list_are_other() -> None:
    values = ("M-Pesa", "m pesa", "Bank_Transfer", "checque", "CHECK", "cheque", "cash", "c ard", "bank")
    assert rows(payment_methods, *values) == [
        (word, OK) for word in ("mpesa", "mpesa", "bank", "cheque", "cheque", "cheque", "cash", "card", "bank")
    ]
    assert rows(payment_methods, "other", "airtel", None) == [("other", U), ("other", U), ("other", N)]


def test_overpayment_statuses_are_a_closed_list() -> None:
    assert rows(overpayment_statuses, "Used", "APPLIED", "refunded", "available", None, "gone") == [
        ("applied", OK),
        ("applied", OK),
        ("refunded", OK),
        ("available", OK),
        ("available", N),
        (None, U),
    ]


def test_labels_as_a_column() -> None:
    assert rows(labels, "Open ", None, "CLOSED", "_") == [("open", OK), (None, N), ("closed", OK), (None, N)]


def test_customers_are_told_by_their_role() -> None:
    roles = ("customer", " Customer_", "super-admin", "customers", None, True)
    assert [is_customer(role) for role in roles] == [True, True, False, False, False, False]
    assert are_customers(pd.Series(cell_array(roles), dtype="str")).tolist() == [True, True, False, False, False, False]
