"""One legacy value to one of ours, alone and in a column: numbers, dates, texts, words."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from billing_assets.parsing import dates, numbers, texts, words
from billing_assets.parsing.blanks import blank_cells, first_given
from billing_assets.parsing.problem import Problem
from migration.parsing.cells import cell_array
from migration.parsing.vectors import Parsed

BLANK, BAD = Problem.BLANK, Problem.UNPARSEABLE


def cells(*values: Any) -> pd.Series:
    return cell_array(list(values)).to_pandas()


def check(value: Any, expected: Any, scalar: Callable[[Any], Any], column: Callable[[pd.Series], Parsed]) -> None:
    """A parser and its column say the same of a value, also beside others."""
    assert scalar(value) == expected
    read = column(cells(value, None, value))
    problem = expected.value if isinstance(expected, Problem) else 0
    assert read.problem.tolist() == [problem, BLANK.value, problem]
    given = read.value.iloc[0]
    assert pd.isna(given) if problem else given == expected


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Tk 8,000/-", "8000.00"),
        ("tk. 5", "5.00"),
        ("BDT1,160.4", "1160.40"),
        ("৳ 7", "7.00"),
        ("Tk -5", "-5.00"),
        ("1\u00a0160.40", "1160.40"),
        ("-0.004", "0.00"),
        ("0.005", "0.01"),
        ("-2.345", "-2.35"),
        (Decimal("1E+3"), "1000.00"),
        (Decimal("1E-999"), "0.00"),
        (99999999, "99999999.00"),
        ("99999999.994", "99999999.99"),
        ("0" * 500 + "1", "1.00"),
    ],
)
def test_numbers(value: Any, expected: str) -> None:
    check(value, Decimal(expected), lambda v: numbers.number(v, 8), lambda c: numbers.numbers(c, 8))


@pytest.mark.parametrize(
    "value",
    ["Tk", ".5", "5.", "1e3", "-Tk 5", "১২", "5 /- /-", "99999999.995", 10**8, Decimal("NaN"), True, [], {}, "1.2.3"],
)
def test_no_numbers(value: Any) -> None:
    check(value, BAD, lambda v: numbers.number(v, 8), lambda c: numbers.numbers(c, 8))


@pytest.mark.parametrize("value", [None, "", " NaN ", "N/A", "none", "-", "\u00a0null\u3000"])
def test_nothing_given(value: Any) -> None:
    check(value, BLANK, lambda v: numbers.number(v, 8), lambda c: numbers.numbers(c, 8))
    check(value, BLANK, texts.text, texts.texts)
    check(value, BLANK, numbers.legacy_id, numbers.ids)
    check(value, BLANK, dates.date, dates.dates)
    check(value, BLANK, dates.timestamp, dates.timestamps)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("12", 12), ("12.0", 12), (" +7 ", 7), (Decimal("12.00"), 12), (Decimal("1E+3"), 1000), (10**15 - 1, 10**15 - 1)],
)
def test_ids(value: Any, expected: int) -> None:
    check(value, expected, numbers.legacy_id, numbers.ids)


@pytest.mark.parametrize("value", [0, "-1", "12.5", Decimal("12.50"), 10**15, "1" * 5000, True, "x", [1], "1,000"])
def test_no_ids(value: Any) -> None:
    check(value, BAD, numbers.legacy_id, numbers.ids)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("20 %", "20.00"), ("20%", "20.00"), (Decimal("20.005"), "20.01"), (10**9, "1000.00"), ("-1e", None), ("%", None)],
)
def test_percentages(value: Any, expected: str | None) -> None:
    check(value, BAD if expected is None else Decimal(expected), numbers.percentage, numbers.percentages)


@pytest.mark.parametrize(("value", "expected"), [("10 Mbps", "10.00"), ("2.5mb", "2.50"), ("7 M", "7.00"), (3, "3.00")])
def test_speeds(value: Any, expected: str) -> None:
    check(value, Decimal(expected), numbers.speed, numbers.speeds)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Home 10 Mbps", Decimal("10.00")),
        ("5mb or 10 Mbps", Decimal("5.00")),
        ("Gold", BLANK),
        ("10 Mbpsx", BLANK),
        ("Giga 100000000 Mbps", BAD),
        (None, BLANK),
    ],
)
def test_speeds_in_names(name: str | None, expected: Any) -> None:
    assert numbers.speed_in_name(name) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(Decimal("1.0"), True), ("0.0", False), ("Y", True), (False, False), (2, BAD), ("ja", BAD)],
)
def test_booleans(value: Any, expected: Any) -> None:
    check(value, expected, numbers.boolean, numbers.booleans)


def test_zero_is_zero_whatever_its_exponent() -> None:
    check(Decimal("0E+50"), 0, numbers.count, numbers.counts)
    check(Decimal("0E+50"), BAD, numbers.legacy_id, numbers.ids)


def test_days_far_outside_a_month_are_numbers() -> None:
    check("1" * 40, 1000, numbers.day_number, numbers.day_numbers)
    check(Decimal("-1E+40"), -1000, numbers.day_number, numbers.day_numbers)


# --- dates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", ["2024-01-05", "2024-01-05Tx", "2024-01-05 \n", "05/01/2024", "05-01-2024", "05-JAN-2024"]
)
def test_dates(value: str) -> None:
    check(value, dt.date(2024, 1, 5), dates.date, dates.dates)


@pytest.mark.parametrize("value", ["0000-00-00", "0000-00-00 00:00:00"])
def test_the_zero_date_is_blank(value: str) -> None:
    check(value, BLANK, dates.date, dates.dates)


@pytest.mark.parametrize(
    "value",
    ["5/2/2024", "2024-1-5", "20240105", "2024-02-30", "1999-12-31", "2101-01-01", "05/01-2024", 20240105, True],
)
def test_no_dates(value: Any) -> None:
    check(value, BAD, dates.date, dates.dates)


@pytest.mark.parametrize(
    "value",
    [
        "2024-01-05 10:00:00.5+00",
        "2024-01-05T16:00+0600",
        "2024-01-05T10:00:00Z",
        "2024-01-05 10:00  Z",
        "2024-01-05T04:30:00-05:30",
    ],
)
def test_timestamps(value: str) -> None:
    check(value, dt.datetime(2024, 1, 5, 10, tzinfo=dt.UTC), dates.timestamp, dates.timestamps)


@pytest.mark.parametrize(
    "value",
    [
        *("1970-01-01T00:00:00Z", "2024-05-05T24:00:00Z", "2024-05-05T10:60", "2024-05-05t10:00", "2024-05-05T10:00z"),
        *("2024-05-05T10:00+24", "2024-05-05T10:00+01:60", "2100-12-31T23:30-01", "2024-02-30T10:00:00", 1714900000),
    ],
)
def test_no_timestamps(value: Any) -> None:
    check(value, BAD, dates.timestamp, dates.timestamps)


# --- texts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" a  b\u00a0", "a  b"),
        (1712345678, "1712345678"),
        (Decimal("12.50"), "12.50"),
        (Decimal("1E+3"), "1000"),
        (True, "true"),
        ([1, "x"], '[1,"x"]'),
        ({"a": None}, '{"a":null}'),
    ],
)
def test_texts(value: Any, expected: str) -> None:
    check(value, expected, texts.text, texts.texts)


def test_names_have_single_spaces() -> None:
    check(" Starter \u2003 10\tMbps ", "Starter 10 Mbps", texts.name, texts.names)
    check("Starter 10 Mbps", "Starter 10 Mbps", texts.name, texts.names)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(" Info@ABC.example", "info@abc.example"), ("a@b", BAD), ("a b@c.d", BAD), ("a@@b.c", BAD), (5, BAD)],
)
def test_emails(value: Any, expected: Any) -> None:
    check(value, expected, texts.email, texts.emails)


@pytest.mark.parametrize(
    ("value", "expected"), [("Channel Partner ", "MAC"), ("reseller", "Bandwidth"), ("Corporate", BAD), (1, BAD)]
)
def test_words(value: Any, expected: Any) -> None:
    vocabulary = words.customer_type_words
    check(value, expected, lambda v: words.word(v, vocabulary), lambda c: words.words(c, vocabulary))


# --- columns of several names -----------------------------------------------------------------------------------------


def test_the_first_name_wins_where_it_is_given_even_if_it_cannot_be_read() -> None:
    rows = pd.DataFrame({"x_id": cells("bad", None, "-", 5), "x": cells(1, 2, 3, 4)})
    read = numbers.ids(first_given(rows, ("x_id", "x")))
    assert read.value.isna().tolist() == [True, False, False, False]
    assert read.value.tolist()[1:] == [2, 3, 5]


def test_numbers_and_booleans_are_never_blank() -> None:
    assert blank_cells(cells(0, False, [], "", None)).tolist() == [False, False, False, True, True]
