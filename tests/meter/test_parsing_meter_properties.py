"""What holds of every parser for every value; above all that a column is read as its values are one by one."""

import datetime as dt
import string
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from meter_assets.parsing.dates import date, timestamp
from meter_assets.parsing.labels import label
from meter_assets.parsing.money import money
from meter_assets.parsing.problem import Problem
from meter_assets.parsing.statuses import bill_type, bill_types
from migration.parsing.cells import encode_cell
from tests.meter.columns import ALL, DATES, IDS, MONEY, TEXTS, TIMESTAMPS, Pair, assert_column_is_its_values

NASTY = [
    *("\x00", "n", "s", "b", "j", "\t", "\n", "\u00a0", "\u2003", "\u200b", "\x1c", "\u0665", "\u212a", "+", "-", "."),
    *(",", "/", ":", "0", "9", "T", "t", "Z", "z", "K", "e", "E", "KES", "+03:00", " ", ""),
]
INSERTED = st.sampled_from(NASTY)

DIGITS = st.text("0123456789", min_size=1, max_size=20)
NUMBERS = (
    st.integers(-(10**30), 10**30)
    | st.integers(0, 12)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.decimals(-(10**13), 10**13, places=3)
    | st.sampled_from([Decimal("5.0"), Decimal("1E+400"), Decimal("-0.0"), Decimal("1E-400"), 2**63 - 1, 2**63])
    | st.sampled_from([Decimal("999999999999.994"), Decimal("999999999999.995"), Decimal("-0.005"), 10**12])
)
MONEY_TEXTS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "KES", "kes  ", "KES "]),
    st.sampled_from(["", "-", "+"]),
    DIGITS | st.integers(0, 10**14).map("{:,}".format),
    st.just("") | DIGITS.map(".{}".format),
)
TWO = st.integers(0, 99).map("{:02d}".format)
DAYS = st.dates().map(str) | st.builds(
    "{}-{:02d}-{:02d}".format,
    st.sampled_from(["0000", "0001", "0999", "1000", "1900", "2000", "2023", "2024", "2999", "3000", "9999"]),
    st.integers(0, 13),
    st.integers(0, 32),
)
CLOCKS = st.times().map(str) | st.builds("{}:{}:{}".format, TWO, TWO, TWO) | st.just("00:00:00")
ZONES = st.sampled_from(["", "Z", "+00:00", "+03:00", "-23:59", "+24:00"]) | st.builds(
    "{}{}:{}".format, INSERTED, TWO, TWO
)
DATE_TEXTS = (
    DAYS
    | st.builds("{}{}{}{}".format, DAYS, st.sampled_from(" T"), CLOCKS, ZONES)
    | st.builds("{}{}{}.{}{}".format, DAYS, st.sampled_from(" T"), CLOCKS, DIGITS, ZONES)
    | st.builds("{}/{}/{}".format, TWO, TWO, st.integers(0, 9999).map("{:04d}".format))
)
WORDS = st.sampled_from(["true", "NO", "1", "0", "Paid", "m-pesa", " BALANCE", "N/A", "NULL", "-", "", " ", "_\u00a0"])
SPELLINGS = DIGITS | MONEY_TEXTS | DATE_TEXTS | WORDS | st.text(max_size=8)


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
    for pair in (IDS, MONEY, TEXTS):
        assert_column_is_its_values(pair, values)


@given(st.lists(DATE_TEXTS | disturbed(), min_size=1, max_size=50))
def test_dates_and_times_in_columns(values: list[Any]) -> None:
    for pair in (DATES, TIMESTAMPS):
        assert_column_is_its_values(pair, values)


def test_every_day_of_the_calendar_and_around_it_in_columns() -> None:
    years = ("1000", "1900", "1969", "1970", "2000", "2023", "2024", "2999")
    days = [f"{year}-{month:02d}-{day:02d}" for year in years for month in range(14) for day in range(33)]
    for pair in (DATES, TIMESTAMPS):
        assert_column_is_its_values(pair, days)
        assert_column_is_its_values(pair, [f"{day} 23:59:59.999999" for day in days])
        assert_column_is_its_values(pair, [f"{day}T00:00:00+03:00" for day in days])


def test_every_white_space_in_columns() -> None:
    spaces = [chr(code) for code in range(0x11000) if chr(code).isspace() or code in range(0x2000, 0x2070)]
    for pair in ALL:
        assert_column_is_its_values(pair, [f"{space}1{space}" for space in spaces])
        assert_column_is_its_values(pair, spaces)


@pytest.mark.parametrize("pair", ALL, ids=lambda pair: pair[1].__name__)
@given(cells=st.lists(SCALARS.map(encode_cell), min_size=2, max_size=8), data=st.data())
def test_order_and_neighbours_do_not_matter(pair: Pair, cells: list[Any], data: st.DataObject) -> None:
    _, column = pair
    order = data.draw(st.permutations(range(len(cells))))
    parsed = column(pd.Series(cells, dtype="str"))
    shuffled = column(pd.Series([cells[i] for i in order], dtype="str", index=order)).problem.sort_index()
    assert shuffled.tolist() == parsed.problem.tolist()


@given(VALUES)
def test_amounts_have_two_decimals_and_are_read_back(value: Any) -> None:
    amount = money(value)
    if isinstance(amount, Decimal):
        assert amount.as_tuple().exponent == -2
        assert abs(amount) < 10**12
        assert money(amount) == money(str(amount)) == money(f"KES {amount:,}") == amount


@given(st.integers(-(10**15), 10**15))
def test_halves_are_rounded_away_from_zero(thousandths: int) -> None:
    amount = money(Decimal(thousandths) / 1000)
    cents = (abs(thousandths) + 5) // 10
    if cents >= 10**14:
        assert amount is Problem.OUT_OF_RANGE
    else:
        assert amount == Decimal(cents if thousandths > 0 else -cents) / 100


@given(st.datetimes(timezones=st.just(dt.UTC)), st.integers(-1439, 1439))
def test_times_with_offsets_are_read_back(moment: dt.datetime, minutes: int) -> None:
    assume(1 < moment.year < 9999)
    written = moment.astimezone(dt.timezone(dt.timedelta(minutes=minutes))).isoformat()
    assert timestamp(written) == moment.replace(microsecond=0)
    assert date(written) == moment.date()


@given(VALUES)
def test_labels_and_bill_types_are_stable(value: Any) -> None:
    found = label(value)
    if isinstance(found, str):
        assert label(found) == found == found.strip(" ")
        assert "  " not in found
    if isinstance(kind := bill_type(value), str):
        assert not {" ", "-", "\x00"} & set(kind)


def test_bill_types_in_columns() -> None:
    assert_column_is_its_values((bill_type, bill_types), ["a b", "-a", "\u00df", 5, True, [1]])
