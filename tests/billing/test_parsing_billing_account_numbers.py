"""Printed numbers: which legacy ones are kept, and how new ones are made."""

import datetime as dt

import pandas as pd
import pyarrow as pa
import pytest

from billing_assets.parsing import account_numbers
from billing_assets.parsing.account_numbers import NumberKind
from billing_assets.parsing.rows import TEXT

CUSTOMER, PARTNER, BILL = (
    account_numbers.customer_number,
    account_numbers.mac_partner_number,
    account_numbers.bill_number,
)


def texts(*values: str | None) -> pd.Series:
    return pd.Series(list(values), dtype=TEXT)


def ids(*values: int) -> pd.Series:
    return pd.Series(list(values), dtype=pd.ArrowDtype(pa.int64()))


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        (CUSTOMER, "ABC Corp", "KTL-ABCCORPX-7"),
        (CUSTOMER, "Café Net", "KTL-CAFNETXX-7"),
        (CUSTOMER, "গ্রাহক", "KTL-XXXXXXXX-7"),
        (CUSTOMER, "Global Fibre & Co.", "KTL-GLOBALFI-7"),
        (PARTNER, "Shamim", "KTL-MAC-SHAMIMXX-7"),
    ],
)
def test_new_numbers(kind: NumberKind, name: str, expected: str) -> None:
    assert kind.generated(texts(name), ids(7)).tolist() == [expected]


def test_new_numbers_of_bills_have_their_day() -> None:
    day = pd.Series([dt.date(2025, 1, 31)], dtype=pd.ArrowDtype(pa.date32()))
    assert BILL.generated(texts("ABC Corp"), ids(1), day).tolist() == ["KTL-BL-ABCCO-1-31012025"]


@pytest.mark.parametrize(
    ("kind", "number", "kept"),
    [
        (CUSTOMER, "KTL-ABCCORP-1", "KTL-ABCCORP-1"),
        (CUSTOMER, "ktl-abcco-1", "KTL-ABCCO-1"),
        (CUSTOMER, "KTL-ABCCORPX-5", None),
        (CUSTOMER, "KTL-ABCCORPXY-1", None),
        (CUSTOMER, "KTL--1", None),
        (CUSTOMER, None, None),
        (PARTNER, "KTL-MAC-SHAMIM-1", None),
        (PARTNER, "KTL-MAC-SHAMIMXX-01", None),
        (PARTNER, "KTL-MAC-SHAMIMXX-1", "KTL-MAC-SHAMIMXX-1"),
        (BILL, "KTL-BL-ABC-1-29022024", "KTL-BL-ABC-1-29022024"),
        (BILL, "KTL-BL-ABC-1-29022025", None),
        (BILL, "KTL-BL-ABC-1-00002025", None),
        (BILL, "KTL-BL-ABC-1", None),
    ],
)
def test_legacy_numbers_are_kept_if_they_have_their_form_and_name_their_row(
    kind: NumberKind, number: str | None, kept: str | None
) -> None:
    found = kind.legacy(texts(number), ids(1))
    assert found.iloc[0] == kept if kept else found.isna().all()
