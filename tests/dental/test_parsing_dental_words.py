"""Texts, times, JSON, groups: one legacy value to one of ours."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from dental_assets.parsing.groups import group, specialty
from dental_assets.parsing.json_values import json_texts, structure
from dental_assets.parsing.problem import Problem
from dental_assets.parsing.text import email, emails, spaced, text, texts
from dental_assets.parsing.times import day, timestamp, timestamps
from migration.parsing.cells import encode_cell, from_json

NULL, INVALID = Problem.NULL, Problem.INVALID


def cells(*values: Any) -> pd.Series:
    return pd.Series([encode_cell(value) for value in values], dtype="str")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("  a  b ", "a  b"),
        ("\u2003x\u00a0", "x"),
        (Decimal("12.50"), "12.50"),
        (Decimal("1E+3"), "1000"),
        (True, "true"),
        (7, "7"),
        ([], INVALID),
        ({"a": 1}, INVALID),
        ("\\N", NULL),
        ("NULL", NULL),
        ("Null", "Null"),
    ],
)
def test_text(value: Any, expected: Any) -> None:
    assert text(value) == expected
    found = texts(cells(value))
    assert found.value.tolist() == [pd.NA if isinstance(expected, Problem) else expected]
    assert found.invalid.tolist() == [expected is INVALID]


def test_spaced_text_has_single_spaces() -> None:
    assert spaced(" a \u00a0\n b ") == "a b"


@pytest.mark.parametrize(
    ("value", "expected"), [(" A@B.c ", "a@b.c"), ("a@b", INVALID), ("a b@c.d", INVALID), ("a@b@c.d", INVALID)]
)
def test_email(value: str, expected: Any) -> None:
    assert email(value) == expected


def test_object_is_no_bad_email_but_no_text() -> None:
    assert emails(cells({}, "x")).invalid.tolist() == [False, True]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-03-01 10:00:00.99+02:00", "2024-03-01 08:00:00"),
        ("2024-02-29", "2024-02-29 00:00:00"),
        ("2024-03-01T10:00 +0230", "2024-03-01 07:30:00"),
        ("2024-03-01T10:00:01-01", "2024-03-01 11:00:01"),
        ("2024-03-01T10:00:00Z", "2024-03-01 10:00:00"),
        ("1999-12-31T23:30:00-01:00", "2000-01-01 00:30:00"),
    ],
)
def test_timestamp(value: str, expected: str) -> None:
    moment = dt.datetime.fromisoformat(f"{expected}+00:00")
    assert timestamp(value) == moment
    assert timestamps(cells(value)).value.tolist() == [moment]


@pytest.mark.parametrize(
    "value",
    [
        "2023-02-29",
        "2024-03-01t10:00:00",
        "2024-03-01T10:00:00z",
        "2024-03-01T24:00",
        "2024-03-01T10:00:60",
        "2024-03-01T10:00:00+24:00",
        "2024-03-01T10:00:00+01:60",
        "2024-03-01T10:00:00.",
        "2024-03-01 10",
        "0001-01-01T00:00:00+10:00",
        "1970-01-01",
        "2099-12-31T23:00:00-02:00",
        1700000000,
        True,
    ],
)
def test_no_timestamp(value: Any) -> None:
    assert timestamp(value) == INVALID
    assert timestamps(cells(value)).invalid.tolist() == [True]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1990-05-06", "1990-05-06"),
        ("05/06/1990", "1990-05-06"),
        ("1990-05-06T23:59:59-23:00", "1990-05-06"),
        ("1899-12-31", INVALID),
        ("2100-01-01", INVALID),
        ("1990-05-06T25:00", INVALID),
        ("5/6/1990", INVALID),
        ("13/01/1990", INVALID),
        (19900506, INVALID),
    ],
)
def test_day(value: Any, expected: Any) -> None:
    assert day(value) == (dt.date.fromisoformat(expected) if isinstance(expected, str) else expected)


@pytest.mark.parametrize(
    ("value", "expected", "unusable"),
    [
        (None, {}, False),
        (
            {"a": Decimal("1.50"), "Password": "x", "b": [{"CARD_BIN": 1, "c": 2}]},
            {"a": Decimal("1.50"), "b": [{"c": 2}]},
            False,
        ),
        ('[1, {"password": 2}]', [1, {}], False),
        (" not json ", {"raw": "not json"}, True),
        ('"text"', {"raw": '"text"'}, True),
        ("NaN", {"raw": "NaN"}, True),
        (Decimal("12.50"), {"raw": "12.50"}, True),
        (True, {"raw": "true"}, True),
        ('{"a": "\\u0000x\\ud800"}', {"a": "x"}, False),
    ],
)
def test_json(value: Any, expected: Any, unusable: bool) -> None:
    found = json_texts(cells(value))
    assert from_json(found.value.iloc[0]) == expected
    assert found.invalid.tolist() == [unusable]


def test_deep_json_does_not_break_the_parser() -> None:
    assert structure("[" * 100_000) is None


def test_known_groups_and_specialties_have_one_spelling() -> None:
    assert group(" aDMin ") == "Administrator"
    assert group("technician") == "Technician"
    assert group("Archive  Room") == "Archive Room"
    assert specialty("  sectioning   TECHNICIAN ") == "Sectioning Technician"
    assert specialty("Polisher") == "Polisher"
