"""Dates and times."""

import datetime as dt
from typing import Any

import pytest

from meter_assets.parsing.dates import date, timestamp
from meter_assets.parsing.problem import Problem
from tests.meter.columns import DATES, TIMESTAMPS, assert_column_is_its_values


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-05-01 23:59:59", "2024-05-01T23:59:59"),
        ("2024-05-01T00:00:00Z", "2024-05-01T00:00:00"),
        ("2024-05-01T00:00:00.999999999999", "2024-05-01T00:00:00"),
        ("1969-12-31 23:59:59.9", "1969-12-31T23:59:59"),
        ("2024-05-01 01:00:00+03:00", "2024-04-30T22:00:00"),
        ("2024-05-01 01:00:00.5-23:59", "2024-05-02T00:59:00"),
        ("2024-05-01T01:00:00-00:00", "2024-05-01T01:00:00"),
        ("2024-05-01", "2024-05-01T00:00:00"),
        ("2024-02-29", "2024-02-29T00:00:00"),
        ("01/05/2024", "2024-05-01T00:00:00"),
        (" \t2024-05-01\u00a0\n", "2024-05-01T00:00:00"),
        ("0001-01-01", "0001-01-01T00:00:00"),
        ("9999-12-31 23:59:59", "9999-12-31T23:59:59"),
        ("0001-01-01 03:00:00+03:00", "0001-01-01T00:00:00"),
    ],
)
def test_times_and_their_days(value: str, expected: str) -> None:
    moment = dt.datetime.fromisoformat(expected).replace(tzinfo=dt.UTC)
    assert timestamp(value) == moment
    assert date(value) == moment.date()
    assert_column_is_its_values(TIMESTAMPS, [value])
    assert_column_is_its_values(DATES, [value])


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", " \u00a0", "0000-00-00", " 0000-00-00 ", "0000-00-00 00:00:00", "0000-00-00T00:00:00"),
        *("0000-00-00 00:00:00.000000", "0000-00-00T00:00:00Z", "0000-00-00 00:00:00+03:00"),
    ],
)
def test_nothing_given(value: Any) -> None:
    assert timestamp(value) is Problem.NULL
    assert date(value) is Problem.NULL
    assert_column_is_its_values(TIMESTAMPS, [value])
    assert_column_is_its_values(DATES, [value])


@pytest.mark.parametrize(
    "value",
    [
        *("2025-02-30", "2025-02-29", "1900-02-29", "2024-13-01", "2024-00-01", "2024-01-00", "2024-04-31"),
        *("31/04/2024", "29/02/2023", "05/13/2024", "1/5/2024", "01/05/24", "01/05/2024 10:00:00", "01-05-2024"),
        *("2024-5-1", "24-05-01", "2024/05/01", "20240501"),
        *("2024-05-01T", "2024-05-01 10:00", "2024-05-01 1:00:00", "2024-05-01 10:00:00.", "2024-05-01  10:00:00"),
        *("2024-05-01\t10:00:00", "2024-05-01t10:00:00", "2024-05-01T10:00:00z", "2024-05-01T10:00:00 Z"),
        *("2024-05-01T10:00:00+0300", "2024-05-01T10:00:00+03", "2024-05-01Z", "2024-05-01+03:00"),
        *("2024-05-01 24:00:00", "2024-05-01 23:60:00", "2024-05-01 23:59:60", "2024-05-01 10:00:00,5"),
        *("2024-05-01T10:00:00+24:00", "2024-05-01T10:00:00-00:60", "2024-05-01T10:00:00Z+03:00"),
        *("0001-01-01 00:00:00+00:01", "9999-12-31 23:59:59-00:01", "0000-01-01", "-2024-01-01", "12024-01-01"),
        *("0000-00-00 00:00:01", "0000-00-00 00:00", "00/00/0000", "0000-00-00+03:00", "0000-00-01"),
        *("\u0662024-05-01", "2024-05-01\x00", "\x00", "yesterday", 20240501, 0, True, [], {"date": "2024-05-01"}),
    ],
)
def test_no_times(value: Any) -> None:
    assert timestamp(value) is Problem.UNPARSABLE
    assert date(value) is Problem.UNPARSABLE
    assert_column_is_its_values(TIMESTAMPS, [value])
    assert_column_is_its_values(DATES, [value])
