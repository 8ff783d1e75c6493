"""What holds of every parser for every value; above all that a column is read as its values are one by one."""

import datetime as dt
import string
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_assets.parsing.json_values import json_value
from booking_assets.parsing.numbers import integer, money
from booking_assets.parsing.payloads import canonical_json
from booking_assets.parsing.phones import e164
from booking_assets.parsing.problem import Problem
from booking_assets.parsing.texts import WHITE_SPACE, raw_text, text
from booking_assets.parsing.times import BALI_AHEAD, bali_date, dates_only, is_date_only, timestamp, timestamps
from migration.parsing.cells import encode_cell, from_json, to_json
from tests.booking.booking_columns import (
    ALL,
    BALI,
    BIRTHS,
    CLOCKS,
    INTEGERS,
    KEYS,
    MONEY,
    TEXTS,
    TIMES,
    UPPERS,
    Pair,
    assert_column_is_its_values,
    cells,
)

NASTY = [
    *("\x00", "n", "s", "b", "j", "\t", "\n", "\u00a0", "\u2003", "\u200b", "\x1c", "\u0665", "\u212a", "+", "-", "."),
    *(",", "/", ":", "0", "9", "T", "t", "Z", "z", "AM", "e", "E", "\u00df", "\u0130", "+03:00", "+08", " ", ""),
]
INSERTED = st.sampled_from(NASTY)
DIGITS = st.text("0123456789", min_size=1, max_size=20)
NUMBERS = (
    st.integers(-(10**30), 10**30)
    | st.integers(-3, 12)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.decimals(-(10**11), 10**11, places=3)
    | st.sampled_from([Decimal("5.0"), Decimal("1E+400"), Decimal("-0.0"), Decimal("1E-400"), 2**31 - 1, 2**31])
    | st.sampled_from([Decimal("9999999999.994"), Decimal("9999999999.995"), Decimal("-0.005"), 10**10])
)
MONEY_TEXTS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "-", "+"]),
    DIGITS | st.integers(0, 10**12).map("{:,}".format),
    st.just("") | DIGITS.map(".{}".format),
)
MOMENTS = st.timedeltas(dt.timedelta(days=1), dt.timedelta(days=36_500)).map(
    lambda passed: dt.datetime(2000, 1, 1, tzinfo=dt.UTC) + passed
)
TWO = st.integers(0, 99).map("{:02d}".format)
DAYS = st.dates(dt.date(1999, 12, 30), dt.date(2100, 1, 2)).map(str) | st.builds(
    "{}-{:02d}-{:02d}".format,
    st.sampled_from(["0000", "0001", "1899", "1900", "1999", "2000", "2023", "2024", "2099", "2100", "9999"]),
    st.integers(0, 13),
    st.integers(0, 32),
)
TIMES_OF_DAY = st.times().map(str) | st.builds("{}:{}:{}".format, TWO, TWO, TWO) | st.builds("{}:{}".format, TWO, TWO)
ZONES = st.sampled_from(["", "Z", "+00:00", "+00", "-00", "+0000", "+08:00", "-2359", "+24:00", "+07"]) | st.builds(
    "{}{}:{}".format, INSERTED, TWO, TWO
)
DATE_TEXTS = (
    DAYS
    | st.builds("{}{}{}{}".format, DAYS, st.sampled_from(" T"), TIMES_OF_DAY, ZONES)
    | st.builds("{}{}{}.{}{}".format, DAYS, st.sampled_from(" T"), TIMES_OF_DAY, DIGITS, ZONES)
    | st.integers(946684799990, 946684800010).map(str)
    | st.integers(4102444799990, 4102444800010).map(str)
)
CLOCK_TEXTS = st.builds(
    "{}{}{}{}{}".format,
    st.integers(0, 25),
    st.sampled_from([":", ".", " ", ""]),
    TWO,
    st.sampled_from(["", " am", "PM", ":30", ".59 pm"]),
    st.sampled_from(["", " - 16:00", "\u201317.00", "-"]),
)
WORDS = st.sampled_from(["true", "NO", "1", "0", "usd", "IDR", " Ubud Tour!", "N/A", "NULL", "-", "", " ", "[]", "{"])
JSON_TEXTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
).map(to_json)
CONTACTS = st.builds(
    "{}{}{}{}".format, INSERTED, st.sampled_from(["", "+", "+62", "00", "GB+44", "a@b."]), DIGITS, INSERTED
)
SPELLINGS = CONTACTS | DIGITS | MONEY_TEXTS | DATE_TEXTS | CLOCK_TEXTS | WORDS | JSON_TEXTS | st.text(max_size=8)


@st.composite
def disturbed(draw: st.DrawFn) -> str:
    """A usual spelling with a nasty piece somewhere in it, mostly at an end."""
    written, piece = draw(SPELLINGS), draw(INSERTED)
    at = draw(st.sampled_from([0, len(written)]) | st.integers(0, len(written)))
    return written[:at] + piece + written[at:]


SCALARS = st.none() | st.booleans() | NUMBERS | SPELLINGS | disturbed() | st.text(string.printable, max_size=12)
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)


@pytest.mark.parametrize("pair", ALL, ids=lambda pair: pair[1].__name__)
@given(values=st.lists(VALUES, max_size=30))
def test_a_column_is_read_as_its_values_are(pair: Pair, values: list[Any]) -> None:
    assert_column_is_its_values(pair, values)


@given(st.lists(NUMBERS | DIGITS | MONEY_TEXTS | disturbed(), min_size=1, max_size=50))
def test_numbers_in_columns(values: list[Any]) -> None:
    for pair in (INTEGERS, KEYS, MONEY, TEXTS, UPPERS):
        assert_column_is_its_values(pair, values)


@given(st.lists(DATE_TEXTS | CLOCK_TEXTS | disturbed() | st.integers(0, 5 * 10**12), min_size=1, max_size=50))
def test_dates_and_times_in_columns(values: list[Any]) -> None:
    for pair in (TIMES, BALI, BIRTHS, CLOCKS):
        assert_column_is_its_values(pair, values)
    assert dates_only(cells(values)).tolist() == [is_date_only(value) for value in values]


def test_every_day_of_the_calendar_and_around_it_in_columns() -> None:
    years = ("1900", "1999", "2000", "2001", "2023", "2024", "2098", "2099", "2100")
    days = [f"{year}-{month:02d}-{day:02d}" for year in years for month in range(14) for day in range(33)]
    for pair in (TIMES, BALI, BIRTHS):
        assert_column_is_its_values(pair, days)
        assert_column_is_its_values(pair, [f"{day} 23:59:59.999999" for day in days])
        assert_column_is_its_values(pair, [f"{day}T00:00:00+03:00" for day in days])
        assert_column_is_its_values(pair, [f"{day}T16:00:00.678Z" for day in days])


def test_every_white_space_in_columns() -> None:
    spaces = [chr(code) for code in range(0x11000) if chr(code).isspace() or code in range(0x2000, 0x2070)]
    assert {space for space in spaces if space.isspace()} == set(WHITE_SPACE)
    for pair in ALL:
        assert_column_is_its_values(pair, [f"{space}1{space}" for space in spaces])
        assert_column_is_its_values(pair, [f"a{space}b" for space in spaces])
        assert_column_is_its_values(pair, spaces)


@pytest.mark.parametrize("pair", ALL, ids=lambda pair: pair[1].__name__)
@given(values=st.lists(SCALARS.map(encode_cell), min_size=2, max_size=8), data=st.data())
def test_order_and_neighbours_do_not_matter(pair: Pair, values: list[Any], data: st.DataObject) -> None:
    _, column = pair
    order = data.draw(st.permutations(range(len(values))))
    parsed = column(pd.Series(values, dtype="str"))
    shuffled = column(pd.Series([values[i] for i in order], dtype="str", index=order)).problem.sort_index()
    assert shuffled.tolist() == parsed.problem.tolist()


@given(VALUES)
def test_texts_are_stable(value: Any) -> None:
    for parser in (text, raw_text):
        found = parser(value)
        if isinstance(found, str):
            assert parser(found) == found == found.strip() != ""
            assert "\x00" not in found


@given(VALUES)
def test_amounts_have_two_decimals_and_are_read_back(value: Any) -> None:
    amount = money(value)
    if isinstance(amount, Decimal):
        assert amount.as_tuple().exponent == -2
        assert abs(amount) < 10**10
        assert money(amount) == money(str(amount)) == money(f"{amount:,}") == amount


@given(st.integers(-(10**13), 10**13))
def test_halves_are_rounded_away_from_zero(thousandths: int) -> None:
    cents = (abs(thousandths) + 5) // 10
    expected = Problem.INVALID if cents >= 10**12 else Decimal(cents if thousandths > 0 else -cents) / 100
    assert money(Decimal(thousandths) / 1000) == expected


@given(st.integers(-(10**10), 10**10))
def test_whole_numbers_have_a_limit(number: int) -> None:
    expected = number if abs(number) <= 2147483647 else Problem.INVALID
    assert integer(number) == integer(str(number)) == integer(f" {number}.00 ") == integer(Decimal(number)) == expected


@given(MOMENTS, st.integers(-1439, 1439))
def test_times_with_offsets_are_read_back(moment: dt.datetime, minutes: int) -> None:
    written = moment.astimezone(dt.timezone(dt.timedelta(minutes=minutes))).isoformat()
    assert timestamp(written) == moment
    assert bali_date(written) == (moment + BALI_AHEAD).date()
    assert timestamp(written, moment) == moment
    assert timestamp(written, moment - dt.timedelta(microseconds=1)) is Problem.INVALID


@given(st.lists(DATE_TEXTS, max_size=20), MOMENTS)
def test_a_latest_time_holds_in_columns(values: list[str], limit: dt.datetime) -> None:
    parsed = timestamps(cells(values), limit)
    expected = [timestamp(value, limit) for value in values]
    assert parsed.problem.tolist() == [each.value if isinstance(each, Problem) else 0 for each in expected]
    assert parsed.value.notna().tolist() == [not isinstance(each, Problem) for each in expected]


@given(VALUES)
def test_phone_numbers_are_stable(value: Any) -> None:
    found = e164(value)
    if isinstance(found, str):
        assert e164(found) == found
        assert found[0] == "+"
        assert found[1:].isdigit()
        assert 8 <= len(found[1:]) <= 15


@given(VALUES)
def test_json_values_are_stored_and_hashed(value: Any) -> None:
    found = json_value(value)
    if not isinstance(found, Problem):
        assert json_value(to_json(found)) == found
        assert from_json(canonical_json(found)) == found
        assert "\x00" not in to_json(found)
