"""The oracle itself: its values, the order of its rules, and what a later export changes."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.billing import billing_scalars as scalars
from tests.billing.billing_cases import (
    Record,
    bill,
    customer,
    daily,
    end_customer,
    export_of,
    home,
    mac_bill,
    mac_package,
    partner,
    payment,
    period,
    soho_bill,
    soho_package,
)
from tests.billing.billing_days import share
from tests.billing.billing_files import ExportFormatError, as_source_rows, read_export, read_file
from tests.billing.billing_golden import View, view_of
from tests.billing.billing_nasty import nasty
from tests.billing.billing_nasty_files import FORMATS
from tests.billing.billing_reference import Reference, faults
from tests.billing.billing_scalars import AMOUNT, BAD, RATE, SMALL
from tests.billing.billing_writing import put_export
from tests.meter.meter_writing import encoded

D = Decimal


def loaded(*records: Record, db: Reference | None = None, export_id: str = "one") -> View:
    """What the oracle makes of records."""
    db = db or Reference()
    db.load_records(export_id, export_of(records))
    assert faults(db) == []
    return view_of(db)


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((value, 12) for value in (12, D("12.0"), "12", "12.0", " +12\u00a0", "012", D("1.2E+1"))),
        *((value, None) for value in (None, "", " NaN ", "-", "N/A", "None")),
        *((value, BAD) for value in (0, -1, 10**15, "10" * 9, True, "1.5", D("1.5"), "1e1", "٥", [], {})),
        (10**15 - 1, 10**15 - 1),
    ],
)
def test_identifier(value: Any, expected: Any) -> None:
    assert scalars.identifier(value) == expected


@pytest.mark.parametrize(
    ("value", "limit", "expected"),
    [
        ("1\u00a0160.40", AMOUNT, D("1160.40")),
        ("Tk 8,000/-", AMOUNT, D(8000)),
        ("tk.5", AMOUNT, D(5)),
        ("৳ 5 /-", AMOUNT, D(5)),
        ("Tk -5", AMOUNT, D(-5)),
        (D("1E+3"), AMOUNT, D(1000)),
        (D("2.675"), AMOUNT, D("2.68")),
        (D("-0.005"), AMOUNT, D("-0.01")),
        ("-0.004", AMOUNT, D(0)),
        ("99999999.994", SMALL, D("99999999.99")),
        ("99999999.995", SMALL, BAD),
        (10**10, RATE, BAD),
        (10**13 - 1, AMOUNT, D(10**13 - 1)),
        *((value, AMOUNT, BAD) for value in ("Tk", ".5", "5.", "1e3", "-Tk 5", "৫", True, [5], "5/-/-", "NaN 5")),
        ("n/a", AMOUNT, None),
    ],
)
def test_number(value: Any, limit: Decimal, expected: Any) -> None:
    found = scalars.number(value, limit)
    assert (found, str(found).startswith("-0.00")) == (expected, False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("20 %", D(20)),
        ("Tk 20%", D(20)),
        (D("100.004"), D(100)),
        ("20%%", BAD),
        ("%", BAD),
        ("", None),
        (10**9, D(10**9)),
    ],
)
def test_percentage(value: Any, expected: Any) -> None:
    assert scalars.percentage(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("10 Mbps", D(10)), ("5M", D(5)), ("7.5mb", D("7.5")), ("mbps", BAD), ("5 M M", BAD), (10**8, BAD), (None, None)],
)
def test_speed(value: Any, expected: Any) -> None:
    assert scalars.speed(value) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Home 10 Mbps", D(10)),
        ("1.2.3 MB", D("2.3")),
        ("10 Mbpsx", None),
        ("Giga 100000000 mbps", BAD),
        ("5 20Mb", D(20)),
    ],
)
def test_speed_in_a_name(name: str, expected: Any) -> None:
    assert scalars.speed_in(name) == expected


DAY = dt.date(2025, 1, 5)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((v, DAY) for v in ("2025-01-05", "05/01/2025", "05-01-2025", "05-jAn-2025", "2025-01-05 x", "2025-01-05T")),
        *((v, None) for v in ("0000-00-00", "0000-00-00 00:00:00", "-", None)),
        *((v, BAD) for v in ("5/1/2025", "20250105", "2025-02-30", "1999-12-31", "2101-01-01", 20250105, "05/01-2025")),
        *((v, BAD) for v in ("2025-01-05t10:00", "0000-00-01", "05-Foo-2025")),
    ],
)
def test_date(value: Any, expected: Any) -> None:
    assert scalars.date(value) == expected


TEN = dt.datetime(2024, 1, 5, 10, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((v, TEN) for v in ("2024-01-05 10:00:00.5+00", "2024-01-05T16:00+0600", "2024-01-05T10:00Z")),
        *((v, TEN) for v in ("2024-01-05 10:00:00.999 ", "2024-01-05 04:30  -05:30")),
        ("2024-01-05", dt.datetime(2024, 1, 5, tzinfo=dt.UTC)),
        *((v, None) for v in ("1970-01-01T00:00:00Z", "2024-05-05T24:00:00Z", "2024-01-05t10:00", "2024-01-05Z", 5)),
        *((v, None) for v in ("2000-01-01T00:30+01:00", "2100-12-31T23:30-01", "2024-01-05T10:00+06:60", "05/01/2024")),
    ],
)
def test_moment(value: Any, expected: Any) -> None:
    assert scalars.moment(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1.0", True),
        (D("1.00"), True),
        (" N ", False),
        ("", None),
        ("2", BAD),
        ("1.00", BAD),
        ([True], BAD),
        (0, False),
    ],
)
def test_boolean(value: Any, expected: Any) -> None:
    assert scalars.boolean(value) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((1712345678, "1712345678"), (D("12.50"), "12.50"), (D("1E+3"), "1000"), (True, "true"), (" a ", "a")),
        *(([1, {"a": None}], '[1,{"a":null}]'), ({"k": "é"}, '{"k":"é"}'), ("NULL", None), ([], "[]")),
    ],
)
def test_text(value: Any, expected: Any) -> None:
    assert scalars.text(value) == expected


@pytest.mark.parametrize(("amount", "days"), [("1000", 31), ("-10", 28), ("0.05", 30), ("9999999899000000.01", 31)])
def test_shares_add_up(amount: str, days: int) -> None:
    assert sum(share(D(amount), days, day) for day in range(1, days + 1)) == D(amount)


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("packed", [False, True])
def test_formats_give_the_same_rows(tmp_path: Path, kind: str, packed: bool) -> None:
    records = [{"id": "1", "name": 'a "b"\n,c'}, {"id": "2", "name": None}]
    file = encoded(records, kind, packed=packed)
    place = tmp_path / f"sales_customers.{file.suffix}"
    place.write_bytes(file.content)
    found = as_source_rows(read_file(place)[1])
    assert [row.number for row in found] == [1, 2]
    assert [scalars.text((row.values or {}).get("name")) for row in found] == ['a "b"\n,c', None]


def test_records_are_counted_and_broken_ones_are_known(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbfid,name\r\n1,a\r\n\r\n   \r\n2,"b\r\nc"\r\n3\r\n')
    (tmp_path / "b.jsonl").write_bytes(b'{"id":1,"id":2}\r\n\n \t\n[1]\n{"id":NaN}\n{"id":3')
    assert read_file(tmp_path / "a.csv")[1] == [{"id": "1", "name": "a"}, None, {"id": "2", "name": "b\r\nc"}, None]
    assert read_file(tmp_path / "b.jsonl")[1] == [{"id": 2}, [1], None, None]


def test_export_as_a_whole(tmp_path: Path) -> None:
    folder = put_export(tmp_path / "one", {"sales_customers": [{"id": 1, "company_name": "x"}]})
    with pytest.raises(ExportFormatError, match="sales_customers: required column name missing"):
        read_export(folder)
    (folder / "sales_customers.json").unlink()
    with pytest.raises(ExportFormatError, match="sales_customers: no file"):
        read_export(folder)
    (folder / "sales_customers.json").write_text("[]")
    assert "bill_daily_amounts" not in read_export(folder)
    (folder / "sales_customers.csv").write_text("id,name\n")
    with pytest.raises(ExportFormatError, match="several files"):
        read_export(folder)


def test_random_exports_are_the_same_every_time() -> None:
    assert nasty(3).files == nasty(3).files


# --- rules ------------------------------------------------------------------------------------------------------------


def test_references_and_columns_have_several_names() -> None:
    view = loaded(
        customer(1, kam=" ", kam_id="7"),
        customer(2, assigned_sales_person="x", kam=7),
        bill(1, customer_id="", customer=1, iig_qt="", ipt=2, iig_qt_price="3", ipt_price=9, nix=5, nix_price=1),
        bill(2, customer_id="x", customer=1),
    )
    assert [view.row("sales_customers", key)["assigned_sales_person_id"] for key in (1, 2)] == [7, None]
    view.has("bill_records", 1, iig_qt=D(2), iig_qt_price=D(3), bdix=D(5), total_bill=D(11))
    view.rejected("bill_records", {2: "BAD_REFERENCE"})


def test_keys_as_the_books_show_them() -> None:
    view = loaded(
        *(partner(key) for key in (D("12.50"), " x ", None, "-", [1], D("1E+15"), 0)),
        daily(D("1.5"), 1),
        daily(" 2.0", 1),
    )
    found = [(row["source_pk"], row["outcome"]) for row in view.rows("row_ledger")]
    shown = ["12.50", "x", "row:3", "row:4", "[1]", "1000000000000000", "0"]
    assert found == [*((key, "rejected") for key in shown), ("1.5", "skipped"), ("2", "skipped")]


def test_first_failing_rule_decides() -> None:
    view = loaded(
        partner(1),
        partner(2, None, percentage_share="x"),
        partner(3, percentage_share="101", is_active="x"),
        home(1, rate=1),
        home(2, activation_date="x", rate="x"),
        home(3, rate="-1", status="x"),
        end_customer(1, "x", activation_date="x"),
        end_customer(2, 9, activation_date="x"),
        end_customer(3, 1, activation_date="0000-00-00", custom_rate=-1),
        customer(1),
        bill(1, "x", customer=9),
        bill(2, "x", customer=1, iig_qt="x"),
        bill(3, customer=1, iig_qt_price=-1, fna="x"),
        bill(4, customer_type="x", customer="x"),
        bill(5, mac_partner="x", customer_type="MAC", customer=1),
        bill(6, customer=1, soho_customer=1),
        bill(7),
        bill(8, customer=1),
        period(1, 8, "x", 0),
        period(2, 8, 40, 1),
        period(3, 8, 5, 4, iig_qt="x"),
        mac_bill(1, 1, total_client="x", total_revenue=-1),
        mac_bill(2, 1, total_client=-1, total_revenue="x"),
        soho_bill(1, 1, rate="x", total_bill=-1),
        payment(1, 0, bill_record=8, payment_type="x"),
        payment(2, "x", "x", bill_record=8),
        payment(3, "x", bill_record=8, payment_type="x"),
        payment(4, bill_record=8, mac_bill=9, soho_bill="x"),
        payment(5, bill_record=8, mac_bill=9, soho_bill=9),
        payment(6, bill_record=8, payment_type="x"),
        payment(7, soho_bill=9, mac_bill=9),
    )
    partners = {2: "MISSING_REQUIRED", 3: "PERCENT_OUT_OF_RANGE"}
    ends = {1: "BAD_REFERENCE", 2: "ORPHAN_MAC_PARTNER", 3: "MISSING_REQUIRED"}
    bills = {1: "ORPHAN_CUSTOMER", 2: "BAD_DATE", 3: "NEGATIVE_VALUE", 4: "UNKNOWN_CUSTOMER_TYPE", 5: "BAD_REFERENCE"}
    payments = {2: "BAD_DATE", 3: "BAD_NUMBER", 4: "BAD_REFERENCE", 5: "ORPHAN_MAC_BILL", 6: "UNKNOWN_PAYMENT_TYPE"}
    expected = {
        "mac_partners": partners,
        "soho_customers": {2: "BAD_DATE", 3: "NEGATIVE_VALUE"},
        "mac_end_customers": ends,
        "bill_records": {**bills, 6: "BILL_FK_CONFLICT", 7: "BILL_FK_MISSING"},
        "bill_pricing_periods": {1: "BAD_NUMBER", 2: "PERIOD_DAY_OUT_OF_RANGE", 3: "PERIOD_END_BEFORE_START"},
        "mac_bills": {1: "BAD_NUMBER", 2: "NEGATIVE_VALUE"},
        "soho_bills": {1: "BAD_NUMBER"},
        "payment_records": {**payments, 7: "ORPHAN_MAC_BILL"},
    }
    for table, codes in expected.items():
        view.rejected(table, codes)
    assert view.outcome("payment_records", 1) == ("skipped", "ZERO_AMOUNT")


def test_home_takes_the_rate_of_its_package() -> None:
    view = loaded(
        soho_package(1, "Home 10 Mbps", 800),
        *(home(key, rate=value, package=1) for key, value in ((1, None), (2, 0), (3, "900"))),
        home(4, rate="0", package=9),
        home(5, package=9),
    )
    assert [view.row("soho_customers", key)["rate"] for key in (1, 2, 3, 4)] == [800, 800, 900, 0]
    view.rejected("soho_customers", {5: "MISSING_REQUIRED"})
    view.counted(package_orphans=1)


def test_copies_of_a_period_are_one_before_overlaps_are_looked_for() -> None:
    view = loaded(
        customer(1),
        bill(1, "2025-04-30", customer=1),
        *(period(key, 1, 21, end, fna=1, fna_price=5) for key, end in ((4, 31), (3, 30))),
        period(2, 1, 1, 21, fna=1, fna_price=7),
    )
    assert view.outcome("bill_pricing_periods", 4) == ("merged", "3")
    view.rejected("bill_pricing_periods", {3: "PERIOD_OVERLAP"})
    view.has("bill_records", 1, total_bill=D(7), fna_price=D(7))
    view.counted(periods_clamped=0, period_gap_days=9)


# --- later exports ----------------------------------------------------------------------------------------------------


def test_numbers_on_paper_never_change() -> None:
    db = Reference()
    records = [customer(1), partner(1), home(1, rate=1), bill(1, customer=1), end_customer(1, 1)]
    loaded(*records, db=db)
    before = {row["id"]: dict(row) for row in db.tables["sales_customers"].values()}
    view = loaded(
        customer(1, "Another", customer_number="KTL-NEW-1"),
        partner(1, "Another"),
        home(1, "Another", rate=1),
        end_customer(1, 1, "Another"),
        bill(1, "2025-02-01", customer=1, bill_number="KTL-BL-NEW-1-01022025"),
        db=db,
        export_id="two",
    )
    view.has("sales_customers", 1, name="Another", customer_number=before[1]["customer_number"])
    view.has("mac_partners", 1, mac_partner_number="KTL-MAC-SHAMIMXX-1")
    view.has("soho_customers", 1, soho_customer_number="KTL-SOHO-JANEDOEX-1")
    view.has("mac_end_customers", 1, mac_end_customer_number="KTL-MACEC-JOHNDOEX-1")
    view.has("bill_records", 1, bill_number="KTL-BL-ABCCO-1-31012025", billing_date=dt.date(2025, 2, 1))
    assert len(view.days(1)) == 28


def test_periods_and_days_are_replaced_and_other_rows_stay() -> None:
    db = Reference()
    loaded(
        customer(1),
        customer(2, "Two"),
        *(bill(key, customer=1, iig_qt=1, iig_qt_price=31) for key in (1, 2)),
        *(period(key, key, 1, 10, fna=1, fna_price=100) for key in (1, 2)),
        payment(1, 40, bill_record=1),
        payment(2, 50, bill_record=2),
        db=db,
    )
    view = loaded(
        customer(1),
        bill(1, customer=1, iig_qt=1, iig_qt_price=31),
        payment(2, 60, bill_record=1),
        db=db,
        export_id="two",
    )
    assert sorted(db.tables["bill_pricing_periods"]) == [2]
    assert sorted(db.tables["sales_customers"]) == [1, 2]
    view.has("bill_records", 1, total_source="components", total_bill=D(31), total_received=D(100))
    view.has("bill_records", 2, total_source="periods", total_bill=D(100), total_received=D(0), received_source="none")
    assert set(view.amounts(1).values()) == {D(1)}


def test_package_of_an_earlier_export_is_still_known() -> None:
    db = Reference()
    loaded(mac_package(1, "A 10 Mbps", 5), mac_package(2, "a 10 mbps", 5), partner(1), db=db)
    view = loaded(end_customer(1, 1, package=2), db=db, export_id="two")
    view.has("mac_end_customers", 1, package_id=1)
