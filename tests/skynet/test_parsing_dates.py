"""Dates, periods, entry times and due days."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from skynet_assets.parsing.dates import billing_day, date, entry_time, period
from skynet_assets.parsing.problem import Problem

MISSING, INVALID = Problem.MISSING, Problem.INVALID


def shown(result: Any) -> Any:
    return result.isoformat() if isinstance(result, dt.date) else result


MONTHS = {
    1: "January JANUARI jan Jan.",
    2: "February Februari Pebruari feb peb",
    3: "March Maret mar",
    4: "April apr",
    5: "May Mei",
    6: "June Juni jun",
    7: "July Juli jul",
    8: "August Agustus aug agu ags agt agst",
    9: "September sep sept sept.",
    10: "October Oktober oct okt",
    11: "November Nopember nov nop",
    12: "December Desember dec des des.",
}


@pytest.mark.parametrize(("number", "name"), [(n, name) for n, names in MONTHS.items() for name in names.split()])
def test_month_names(number: Any, name: Any) -> None:
    assert date(f"05-{name}-2026") == dt.date(2026, number, 5)
    assert period(f"{name} 2026") == dt.date(2026, number, 1)
    assert entry_time(f"5 {name} 2026") == dt.datetime(2026, number, 4, 17, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("01-February-2026", "2026-02-01"),
        ("01-Pebruari-2026", "2026-02-01"),
        ("02/03/2026", "2026-03-02"),
        ("2.3.2026", "2026-03-02"),
        ("2026-3-2", "2026-03-02"),
        ("2026/03/02", "2026-03-02"),
        ("1 Feb. 2026", "2026-02-01"),
        ("1, feb.2026", "2026-02-01"),
        ("1--feb--2026", "2026-02-01"),
        ("Feb. 1, 2026", "2026-02-01"),
        ("february 1 2026", "2026-02-01"),
        ("2026-02-01T10:20:30", "2026-02-01"),
        ("01-02-2026 99:99", "2026-02-01"),
        ("01-02-2026 1:05 PM", "2026-02-01"),
        ("29-02-2024", "2024-02-29"),
        ("01-01-2000", "2000-01-01"),
        ("31-12-2099", "2099-12-31"),
        (None, MISSING),
        ("", MISSING),
        (0, MISSING),
        (Decimal("0.0"), MISSING),
        ("0", MISSING),
        ("00-00-0000", MISSING),
        ("00-00-0000 00:00:00", MISSING),
        ("00/00/0000", MISSING),
        ("0000-00-00", MISSING),
        ("30-November--0001", MISSING),
        ("01-January-1970", MISSING),
        ("1970-01-01 07:00:00", MISSING),
        (True, MISSING),
        ("00", INVALID),
        ("31-February-2026", INVALID),
        ("01-Foo-2026", INVALID),
        ("13/13/2026", INVALID),
        ("02-1970-01", INVALID),
        ("02-01-1970", INVALID),
        ("31-12-1999", INVALID),
        ("01-01-2100", INVALID),
        ("2026-02/01", INVALID),
        ("2026.02.01", INVALID),
        ("01-02/2026", INVALID),
        ("1feb2026", INVALID),
        ("february 1,2026", INVALID),
        ("2026-02-01T10:20:30Z", INVALID),
        ("001-02-2026", INVALID),
        ("٠١-02-2026", INVALID),
        ("01-02-26", INVALID),
        (20260201, INVALID),
    ],
)
def test_date(value: Any, expected: Any) -> None:
    assert shown(date(value)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("February 2026", "2026-02-01"),
        ("Februari 2026", "2026-02-01"),
        ("FEB.2026", "2026-02-01"),
        ("feb -/, 2026", "2026-02-01"),
        ("2026-02", "2026-02-01"),
        ("2026/2", "2026-02-01"),
        ("2026-02/99", "2026-02-01"),
        ("02-2026", "2026-02-01"),
        ("2/2026", "2026-02-01"),
        ("31-feb 2026", "2026-02-01"),
        ("2026-Feb.", "2026-02-01"),
        ("2026 Februari", "2026-02-01"),
        ("202602", "2026-02-01"),
        (202602, "2026-02-01"),
        (Decimal("202602.0"), "2026-02-01"),
        (None, MISSING),
        ("-", MISSING),
        ([2026], MISSING),
        ("Semua", INVALID),
        ("0", INVALID),
        ("00-00-0000", INVALID),
        ("2026", INVALID),
        ("2026-13", INVALID),
        ("0-2026", INVALID),
        ("202613", INVALID),
        ("1999-12", INVALID),
        ("Foo 2026", INVALID),
        ("2026--02", INVALID),
        ("2026_feb", INVALID),
        ("02 2026", INVALID),
        ("01-02-2026", INVALID),
        ("feb 20261", INVALID),
    ],
)
def test_period(value: Any, expected: Any) -> None:
    assert shown(period(value)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("25-07-2022 03:56:34 AM", "2022-07-24T20:56:34"),
        ("05-02-2026 10:10:00 AM", "2026-02-05T03:10:00"),
        ("01-02-2026 12:05:00 AM", "2026-01-31T17:05:00"),
        ("01-02-2026 12:05:00 PM", "2026-02-01T05:05:00"),
        ("01-02-2026 15:30:00 PM", "2026-02-01T08:30:00"),
        ("01-02-2026 15:30:00 AM", "2026-02-01T08:30:00"),
        ("01-02-2026 00:30 PM", "2026-01-31T17:30:00"),
        ("5 Feb. 2026 08:00", "2026-02-05T01:00:00"),
        ("2026-02-05T8:00pm", "2026-02-05T13:00:00"),
        ("5/2-2026", "2026-02-04T17:00:00"),
        ("1-jan-2000", "1999-12-31T17:00:00"),
        ("31-12-2099 23:59:59", "2099-12-31T16:59:59"),
        (None, None),
        ("", None),
        ("00-00-0000 00:00:00", None),
        ("0000-00-00", None),
        (True, None),
        ("0", INVALID),
        (0, INVALID),
        ("besok", INVALID),
        ("31-02-2026", INVALID),
        ("01-02-2026 24:00", INVALID),
        ("01-02-2026 10:60", INVALID),
        ("01-02-2026 10:10:60", INVALID),
        ("01-02-2026 10", INVALID),
        ("01-02-2026 10:10 XM", INVALID),
        ("2026/02/05", INVALID),
        ("5.2.2026", INVALID),
        ("01-01-1970", INVALID),
        ("01-01-2100", INVALID),
        ("1 foo 2026", INVALID),
        ("01-02-2026 10:10:00Z", INVALID),
    ],
)
def test_entry_time(value: Any, expected: Any) -> None:
    result = entry_time(value)
    assert (result.isoformat().removesuffix("+00:00") if isinstance(result, dt.datetime) else result) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("30", 30),
        (30, 30),
        (Decimal("30.0"), 30),
        ("30.00", 30),
        ("05", 5),
        ("tgl 5", 5),
        ("TGL. 5", 5),
        ("tanggal20", 20),
        ("20-February-2026", 20),
        ("2026-02-20 10:00", 20),
        (None, None),
        ("0", None),
        ("00", None),
        ("tgl 0", None),
        ("00-00-0000", None),
        ("01-January-1970", None),
        (True, None),
        ("45", INVALID),
        ("32", INVALID),
        ("tgl 45", INVALID),
        ("tgl 5.0", INVALID),
        ("-5", INVALID),
        ("300", INVALID),
        ("5.5", INVALID),
        ("31-February-2026", INVALID),
        ("٣", INVALID),
    ],
)
def test_billing_day(value: Any, expected: Any) -> None:
    assert billing_day(value) == expected
