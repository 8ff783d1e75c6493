"""Card numbers: found in texts and JSON, and only there; what is kept of a card."""

from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dental_assets.parsing.cards import brand, is_card, last4, last_digits, redacted, redacted_json, redacted_texts
from dental_assets.parsing.text import texts
from dental_assets.quarantine import raw_record
from dental_assets.sources import auth_user, dispatch_operation, dispatch_payment
from migration.exports.sources import FIELD_COUNT, UNPARSEABLE
from migration.parsing.cells import encode_cell, from_json

MARK = "[PAN-REDACTED]"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("paid with 4111 1111 1111 1111 12/25", f"paid with {MARK} 12/25"),
        ("order 4111-1111-1111-1111.", f"order {MARK}."),
        ("3782 822463 10005", MARK),
        ("4111.1111.1111.1111", MARK),
        ("4111\u00a0 1111 1111  1111", MARK),
        ("x4111111111111111y 4111111111111111", f"x{MARK}y {MARK}"),
        ("5500 0000 0000 0004 123", f"{MARK} 123"),
    ],
)
def test_card_numbers_go(written: str, expected: str) -> None:
    assert redacted(written) == expected


@pytest.mark.parametrize(
    "written",
    [
        "ref 4111111111111112",
        "41111111111111111234567",
        "teeth 11 12 13 14 15 16 17 18",
        "2024-01-15 2024-02-03",
        "1700000000000",
        "4111   1111 1111 1111",
        "4111--1111-1111-1111",
        "1111 4111 1111 1111 111",
    ],
)
def test_other_numbers_stay(written: str) -> None:
    assert redacted(written) == written


@given(st.text(alphabet="0123456789-. \u00a0ab4", max_size=60))
def test_nothing_is_found_twice(written: str) -> None:
    assert redacted(redacted(written)) == redacted(written)


def test_json_is_redacted_at_every_depth_but_not_in_keys() -> None:
    document = {"4111111111111111": [4111111111111111, Decimal("4111111111111111"), "4111 1111 1111 1111", 1.5, True]}
    assert redacted_json(document) == {"4111111111111111": [MARK, MARK, MARK, 1.5, True]}
    assert redacted_json(-4111111111111111) == MARK
    assert redacted_json(Decimal("4111111111111111.0")) == Decimal("4111111111111111.0")


def test_column_keeps_other_texts_and_missing_ones() -> None:
    column = redacted_texts(texts(pd.Series(["a", None, "x 4111111111111111"])))
    assert column.value.tolist() == ["a", pd.NA, f"x {MARK}"]


@pytest.mark.parametrize(
    ("digits", "expected"), [("4111111111111111", True), ("4111111111111", False), ("1" * 16, False)]
)
def test_is_card(digits: str, expected: bool) -> None:
    assert is_card(digits) is expected


@pytest.mark.parametrize(
    ("value", "kept", "too_long"),
    [
        ("5555 5555 5555 4444", "4444", True),
        (42, "0042", False),
        ("42.0", "0042", False),
        ("-7", "0007", False),
        ("xx", None, False),
        (None, None, False),
        (Decimal("4111.5"), "1115", True),
        (6011000990139424000, "4000", True),
        (True, None, False),
        ({}, None, False),
    ],
)
def test_last_digits(value: Any, kept: Any, too_long: bool) -> None:
    assert last4(value) == kept
    column, long = last_digits(pd.Series([encode_cell(value)], dtype="str"))
    assert column.value.tolist() == [pd.NA if kept is None else kept]
    assert column.invalid.tolist() == [value == {}]
    assert long.tolist() == [too_long]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Master Card", "MASTERCARD"),
        ("mc", "MASTERCARD"),
        ("Amex", "AMERICAN_EXPRESS"),
        ("discover - diners", "DISCOVER_DINERS"),
        ("Maestro", "OTHER_BRAND"),
    ],
)
def test_brand(value: str, expected: str) -> None:
    assert brand(value) == expected


def test_quarantine_keeps_nothing_of_a_card_but_its_last_digits() -> None:
    record = {"id": 4, "card_bin": "555555", "Card_BIN": 1, "card_last": "5555 5555 5555 4444", "x": "4111111111111111"}
    assert from_json(raw_record(dispatch_operation)(record, None)) == {"id": 4, "card_last": "4444", "x": MARK}


def test_quarantine_keeps_json_columns_as_values() -> None:
    record = {"installments": '{"a": 1, "password": "x"}', "made_at": '{"a": 1}'}
    assert from_json(raw_record(dispatch_payment)(record, None)) == {"installments": {"a": 1}, "made_at": '{"a": 1}'}


@pytest.mark.parametrize(
    ("malformed", "record", "text"),
    [
        (UNPARSEABLE, '{"id": 5,', '{"id": 5,'),
        (UNPARSEABLE, "[1, 2]", "[1, 2]"),
        (FIELD_COUNT, "1,4111111111111111", f"1,{MARK}"),
    ],
)
def test_quarantine_keeps_the_text_of_what_is_no_row(malformed: str, record: str, text: str) -> None:
    assert from_json(raw_record(dispatch_payment)(record, malformed)) == {"text": text}
    assert from_json(raw_record(auth_user)(record, malformed)) == {"text": "[WITHHELD]"}
