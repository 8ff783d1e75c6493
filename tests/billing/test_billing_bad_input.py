"""Bad input, one test per kind: exports that abort, rows that are rejected, skipped or merged, values given up."""

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.billing.billing_cases import (
    Export,
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
from tests.billing.billing_compare import assert_all
from tests.billing.billing_files import OPTIONAL, REQUIRED, spellings
from tests.billing.billing_golden import View, day
from tests.billing.billing_harness import Lab
from tests.billing.billing_reference import KEYS, Reference
from tests.billing.billing_writing import put_export
from tests.meter.meter_writing import Junk, encoded

CANARY = "canary7291"
EXPORT_ID = "20250301T000000Z"
BOOKS = ("row_ledger", "rejected_row")

Change = Callable[[Path], Any]


def clean() -> Export:
    """A row or two of every table, and nothing wrong with them."""
    return export_of(
        [
            customer(1, email="a@x.example"),
            partner(1, percentage_share=20),
            mac_package(1, "Starter 10 Mbps", 500),
            soho_package(1, "Home 10 Mbps", 800),
            end_customer(1, 1, package=1),
            home(1, package=1),
            bill(1, customer=1, iig_qt=1, iig_qt_price=31),
            bill(2, soho_customer=1),
            period(1, 2, 1, 31, fna=1, fna_price=62),
            mac_bill(1, 1),
            soho_bill(1, 1),
            payment(1, bill_record=1),
            daily(1, 1, date="2025-01-01", daily_amount=1),
        ]
    )


# --- exports that abort -----------------------------------------------------------------------------------------------


def replaced(name: str, content: bytes, old: str | None = None) -> Change:
    """A file with other content, perhaps under another name."""

    def change(folder: Path) -> None:
        (folder / (old or name)).unlink()
        (folder / name).write_bytes(content)

    return change


def without_column(table: str, column: str) -> Change:
    rows = [{k: v for k, v in row.items() if k not in spellings(column)} for row in clean()[table]]
    return replaced(f"{table}.json", encoded(rows).content)


def manifest(**changes: Any) -> Change:
    def change(folder: Path) -> None:
        files = [{"name": path.name} for path in sorted(folder.glob("*.json"))]
        document = {"system": "billing", "exported_at": None, "files": files} | changes
        (folder / "manifest.json").write_text(json.dumps(document))

    return change


def mentioned(**facts: Any) -> Change:
    return manifest(files=[{"name": "payment_records.json", **facts}])


def gone(table: str) -> Change:
    return lambda folder: (folder / f"{table}.json").unlink()


BROKEN = json.dumps([{"id": 1, "name": CANARY}]).encode()
COLUMNS = [(table, column) for table, columns in {**REQUIRED, **OPTIONAL}.items() for column in columns]
PAYMENTS = "payment_records.json"
ABORTS: dict[str, tuple[Change, str, tuple[str, ...]]] = {
    **{f"no {table}": (gone(table), "MissingSourceFile", (table,)) for table in REQUIRED},
    "two files for a table": (
        lambda folder: (folder / "payment_records.csv.gz").write_bytes(b""),
        "AmbiguousSource",
        (PAYMENTS, "payment_records.csv.gz"),
    ),
    "two files for the optional table": (
        lambda folder: (folder / "bill_daily_amounts.jsonl").write_bytes(b""),
        "AmbiguousSource",
        ("bill_daily_amounts.json", "bill_daily_amounts.jsonl"),
    ),
    "other sha256": (mentioned(sha256="0" * 64), "ManifestMismatch", (PAYMENTS,)),
    "other row count": (mentioned(rows=4), "ManifestMismatch", (PAYMENTS,)),
    "listed file absent": (manifest(files=[{"name": "gone.json"}]), "ManifestMismatch", ("gone.json",)),
    "another system": (manifest(system="meter"), "ManifestMismatch", ()),
    "cut gzip": (
        replaced(f"{PAYMENTS}.gz", gzip.compress(BROKEN)[:-9], PAYMENTS),
        "ExportFormatError",
        (f"{PAYMENTS}.gz",),
    ),
    "no gzip": (replaced(f"{PAYMENTS}.gz", BROKEN, PAYMENTS), "ExportFormatError", (f"{PAYMENTS}.gz",)),
    "cut JSON": (replaced(PAYMENTS, BROKEN[:-3]), "ExportFormatError", (PAYMENTS,)),
    "more after JSON": (replaced(PAYMENTS, BROKEN + b"]"), "ExportFormatError", (PAYMENTS,)),
    "NaN": (replaced(PAYMENTS, b'[{"id": NaN}]'), "ExportFormatError", (PAYMENTS,)),
    "object on top": (replaced(PAYMENTS, BROKEN[1:-1]), "ExportFormatError", (PAYMENTS,)),
    "nothing in it": (replaced(PAYMENTS, b""), "ExportFormatError", (PAYMENTS,)),
    "no Parquet": (
        replaced("payment_records.parquet", b"PAR1", PAYMENTS),
        "ExportFormatError",
        ("payment_records.parquet",),
    ),
    "not UTF-8": (
        replaced("sales_customers.json", BROKEN.replace(b"7291", b"\xe9")),
        "ExportFormatError",
        ("sales_customers.json",),
    ),
    **{
        f"no column {table}.{column}": (without_column(table, column), "SchemaDriftError", (table, column))
        for table, column in COLUMNS
    },
}
# One column of some tables is enough for every day.
_FAST_COLUMNS = {f"no column {table}.{column}" for table, column in COLUMNS if column in ("bill_date", "amount")}
_FAST = {"no bill_records", "no sales_customers"} | _FAST_COLUMNS


def _case(name: str) -> Any:
    slow = name.startswith("no ") and name not in _FAST | {"no gzip", "no Parquet"}
    return pytest.param(name, marks=pytest.mark.slow) if slow else name


def count(lab: Lab, table: str) -> int:
    """How many rows a table has."""
    return int(lab.fetch(f"SELECT count(*) FROM billing.{table}")[0][0])


@pytest.mark.parametrize("case", [_case(name) for name in ABORTS])
def test_export_that_cannot_be_used_aborts_and_nothing_is_written(module_billing_lab: Lab, case: str) -> None:
    change, kind, words = ABORTS[case]
    lab, export_id = module_billing_lab, f"abort-{list(ABORTS).index(case):03}"
    change(put_export(lab.landing / export_id, clean(), manifest=False))
    ran = lab.migrate(export_id)
    assert len(ran.failures) == 1
    ((asset, text),) = ran.failures.items()
    assert text.startswith(f"{kind}: "), text
    assert [word for word in words if word not in text] == []
    assert CANARY not in text
    logged = lab.fetch(f"SELECT asset, status FROM billing.migration_run_log WHERE run_id = '{ran.run_id}'")
    assert logged == [(asset, "failed")]
    assert {table for table in (*KEYS, *BOOKS) if count(lab, table)} == set()


def test_dry_run_of_an_export_that_cannot_be_used_fails_too(billing_lab: Lab) -> None:
    gone("bill_records")(put_export(billing_lab.landing / EXPORT_ID, clean(), manifest=False))
    ran = billing_lab.run("billing_dry_run", export_id=EXPORT_ID)
    assert [text.partition(":")[0] for text in ran.failures.values()] == ["MissingSourceFile"]


# --- rows -------------------------------------------------------------------------------------------------------------

D = Decimal
BIG = 10**15
# What the rows below refer to.
GOOD: list[Record] = [
    customer(1, email="a@x.example"),
    partner(1, percentage_share=20),
    home(1, rate=800),
    bill(1, "2025-04-30", customer=1),
    bill(2, "2025-04-30", customer=1, status="odd"),
    mac_bill(1, 1),
    soho_bill(1, 1),
    soho_bill(2, 99),
    period(1, 1, 1, 10),
]
REJECTED: list[tuple[Record, str]] = [
    *((("payment_records", Junk(text)), "MALFORMED_ROW") for text in ("[1]", '"text"', "null", "5")),
    *((partner(key), "BAD_ID") for key in (None, 0, -1, "1.5", "abc", BIG, True, "-", D("1.5"), [1])),
    (mac_package(1_000_000, "A 10 Mbps", 1), "BAD_ID"),
    (soho_package("1000001.0", "A 10 Mbps", 1), "BAD_ID"),
    (customer(101, " n/a "), "MISSING_REQUIRED"),
    (partner(101, None), "MISSING_REQUIRED"),
    (mac_package(101, "-", 1), "MISSING_REQUIRED"),
    (mac_package(102, "Gold", 1), "MISSING_REQUIRED"),
    (mac_package(103, "Gold 10 Mbps", ""), "MISSING_REQUIRED"),
    (end_customer(101, 1, None), "MISSING_REQUIRED"),
    (end_customer(102, None), "MISSING_REQUIRED"),
    (end_customer(103, 1, activation_date=None), "MISSING_REQUIRED"),
    (home(101, None, rate=1), "MISSING_REQUIRED"),
    (home(102, rate=1, activation_date="0000-00-00"), "MISSING_REQUIRED"),
    (home(103), "MISSING_REQUIRED"),
    (bill(101, None, customer=1), "MISSING_REQUIRED"),
    (period(101, None, 1, 2), "MISSING_REQUIRED"),
    (period(102, 1, None, 2), "MISSING_REQUIRED"),
    (period(103, 1, 1, None), "MISSING_REQUIRED"),
    (mac_bill(101, None), "MISSING_REQUIRED"),
    (mac_bill(102, 1, None), "MISSING_REQUIRED"),
    (soho_bill(101, None), "MISSING_REQUIRED"),
    (soho_bill(102, 1, None), "MISSING_REQUIRED"),
    (payment(101, None, bill_record=1), "MISSING_REQUIRED"),
    (payment(102, 5, None, bill_record=1), "MISSING_REQUIRED"),
    (end_customer(111, 1, activation_date="5/2/2024"), "BAD_DATE"),
    (home(111, rate=1, activation_date=20250101), "BAD_DATE"),
    (bill(111, "2025-02-30", customer=1), "BAD_DATE"),
    (mac_bill(111, 1, "1999-12-31"), "BAD_DATE"),
    (soho_bill(111, 1, "2101-01-01"), "BAD_DATE"),
    (payment(111, 5, "soon", bill_record=1), "BAD_DATE"),
    (mac_package(121, "A", 1, mbps="fast"), "BAD_NUMBER"),
    (mac_package(122, "A 10 Mbps", 10**10), "BAD_NUMBER"),
    (partner(121, percentage_share="ten"), "BAD_NUMBER"),
    (end_customer(121, 1, custom_rate="x"), "BAD_NUMBER"),
    (home(121, rate="1e3"), "BAD_NUMBER"),
    (bill(121, customer=1, iig_qt="99999999.995"), "BAD_NUMBER"),
    (bill(122, customer=1, discount=True), "BAD_NUMBER"),
    (period(121, 1, "x", 2), "BAD_NUMBER"),
    (period(122, 1, 1, "2.5"), "BAD_NUMBER"),
    (period(123, 1, 11, 12, baishan_price="x"), "BAD_NUMBER"),
    (mac_bill(121, 1, total_client=2**31), "BAD_NUMBER"),
    (mac_bill(122, 1, total_revenue="x"), "BAD_NUMBER"),
    (mac_bill(123, 1, percentage_share="x"), "BAD_NUMBER"),
    (soho_bill(121, 1, rate="x"), "BAD_NUMBER"),
    (soho_bill(122, 1, total_bill="x"), "BAD_NUMBER"),
    (payment(121, 10**13, bill_record=1), "BAD_NUMBER"),
    (mac_package(131, "A 10 Mbps", -1), "NEGATIVE_VALUE"),
    (mac_package(132, "A", 1, mbps=-1), "NEGATIVE_VALUE"),
    (end_customer(131, 1, custom_rate="-0.005"), "NEGATIVE_VALUE"),
    (home(131, rate=-1), "NEGATIVE_VALUE"),
    (bill(131, customer=1, cdn_price=-1), "NEGATIVE_VALUE"),
    (period(131, 1, 11, 12, discount=-1), "NEGATIVE_VALUE"),
    (mac_bill(131, 1, total_client=-1), "NEGATIVE_VALUE"),
    (mac_bill(132, 1, total_revenue=-1), "NEGATIVE_VALUE"),
    (soho_bill(131, 1, rate=-1), "NEGATIVE_VALUE"),
    (soho_bill(132, 1, total_bill=-1), "NEGATIVE_VALUE"),
    (payment(131, -1, bill_record=1), "NEGATIVE_VALUE"),
    (partner(141, percentage_share="100.01"), "PERCENT_OUT_OF_RANGE"),
    (partner(142, percentage_share="-1%"), "PERCENT_OUT_OF_RANGE"),
    (mac_bill(141, 1, percentage_share=101), "PERCENT_OUT_OF_RANGE"),
    (customer(151, status="odd"), "BAD_ENUM"),
    (partner(151, is_active="2"), "BAD_ENUM"),
    (soho_package(151, "A 10 Mbps", 1, is_active="maybe"), "BAD_ENUM"),
    (end_customer(151, 1, status="Lost"), "BAD_ENUM"),
    (home(151, rate=1, status=1), "BAD_ENUM"),
    (bill(151, customer=1, status="Suspended"), "BAD_ENUM"),
    (customer(161, customer_type="Corporate"), "UNKNOWN_CUSTOMER_TYPE"),
    (bill(161, customer=1, customer_type="Corporate"), "UNKNOWN_CUSTOMER_TYPE"),
    (bill(162), "BILL_FK_MISSING"),
    (bill(163, customer_type="Bandwidth", mac_partner=1), "BILL_FK_MISSING"),
    (bill(164, customer_type="Bandwidth", customer=1, mac_partner=1), "BILL_FK_CONFLICT"),
    (bill(165, customer=1, mac_partner=1), "BILL_FK_CONFLICT"),
    (end_customer(171, "x"), "BAD_REFERENCE"),
    (bill(171, customer=BIG), "BAD_REFERENCE"),
    (period(171, 0, 1, 2), "BAD_REFERENCE"),
    (mac_bill(171, "1.5"), "BAD_REFERENCE"),
    (soho_bill(171, True), "BAD_REFERENCE"),
    (payment(171, bill_record=1, mac_bill="x"), "BAD_REFERENCE"),
    (end_customer(181, 99), "ORPHAN_MAC_PARTNER"),
    (bill(181, customer=99), "ORPHAN_CUSTOMER"),
    (bill(182, mac_partner=99), "ORPHAN_MAC_PARTNER"),
    (bill(183, soho_customer=99), "ORPHAN_SOHO_CUSTOMER"),
    (period(181, 2, 1, 2), "ORPHAN_BILL_RECORD"),
    (mac_bill(181, 99), "ORPHAN_MAC_PARTNER"),
    (soho_bill(181, 99), "ORPHAN_SOHO_CUSTOMER"),
    (payment(181, bill_record=2), "ORPHAN_BILL_RECORD"),
    (payment(182, mac_bill=99), "ORPHAN_MAC_BILL"),
    (payment(183, soho_bill=2), "ORPHAN_SOHO_BILL"),
    (mac_package(191, "A 10 Mbps", 1, type="SOHO"), "PACKAGE_TYPE_MISMATCH"),
    (soho_package(191, "A 10 Mbps", 1, type="odd"), "PACKAGE_TYPE_MISMATCH"),
    (period(191, 1, 0, 2), "PERIOD_DAY_OUT_OF_RANGE"),
    (period(192, 1, 1, 32), "PERIOD_DAY_OUT_OF_RANGE"),
    (period(193, 1, 9, 3), "PERIOD_END_BEFORE_START"),
    (period(194, 1, 31, 31), "PERIOD_OUTSIDE_MONTH"),
    (period(195, 1, 10, 12), "PERIOD_OVERLAP"),
    (payment(191), "PAYMENT_NO_BILL"),
    (payment(192, bill_record=1, payment_type="odd"), "UNKNOWN_PAYMENT_TYPE"),
    (payment(193, bill_record=1, payment_type="Other"), "PAYMENT_TYPE_MISMATCH"),
    (payment(194, bill_record=1, payment_type="SOHO"), "PAYMENT_TYPE_MISMATCH"),
    (payment(195, mac_bill=1, payment_type="Bandwidth"), "PAYMENT_TYPE_MISMATCH"),
    (payment(196, bill_record=1, mac_bill=1), "PAYMENT_TYPE_MISMATCH"),
]
# Rows that are kept, or are one with another: the outcome, where they ended, and columns of the row there.
KEPT: list[tuple[Record, str, int, dict[str, Any]]] = [
    (customer(201, "Two", email="A@X.example "), "loaded", 201, {"email": None}),
    (customer(202, "abc  corp", email="a@x.EXAMPLE"), "merged", 1, {"email": "a@x.example"}),
    (customer(203, "No mail", email="no mail"), "loaded", 203, {"email": None}),
    (customer(204, assigned_sales_person="x"), "loaded", 204, {"assigned_sales_person_id": None}),
    (customer(205, customer_number="KTL-X-9"), "loaded", 205, {"customer_number": "KTL-ABCCORPX-205"}),
    (end_customer(201, 1, package=99), "loaded", 201, {"package_id": None}),
    (end_customer(202, 1, package="x", bill_date="x"), "loaded", 202, {"package_id": None, "bill_date": None}),
    (home(201, rate=1, package=99), "loaded", 201, {"package_id": None, "rate": D(1)}),
    (bill(201, customer=1, active_date="x", termination_date=5), "loaded", 201, {"active_date": None}),
    (bill(202, customer=1, total_bill="x", total_received=-5), "loaded", 202, {"received_source": "none"}),
    (period(201, 1, 21, 31, notes="-"), "loaded", 201, {"end_day": 30, "notes": None}),
    (period(202, 1, 21, 30), "merged", 201, {"end_day": 30}),
    (mac_bill(201, 1, commission="x", status="odd"), "loaded", 201, {"commission": D(0), "status": "Pending"}),
    (soho_bill(201, 1, package=99, total_received="x"), "loaded", 201, {"package_id": None, "total_due": D(800)}),
    (payment(201, 5, bill_record=1, payment_method="gold"), "loaded", 201, {"payment_method": "Other"}),
    (payment(202, 5, bill_record=1, created_by="x", reference_number="T"), "loaded", 202, {"created_by_id": None}),
    (payment(203, 5, bill_record=1, reference_number="t"), "merged", 202, {"payment_date": day("2025-02-05")}),
    (partner(201, updated_at="2025-02-01"), "loaded", 201, {"is_active": True}),
]


def world() -> Export:
    """All of these rows in one export."""
    rows = [*GOOD, *(record for record, _ in REJECTED), *(record for record, *_ in KEPT)]
    more = [payment(301, 0, bill_record=1), payment(302, "-0.004", bill_record=1), daily("x", 1), daily(None, None)]
    return export_of([*rows, *more])


@pytest.fixture(scope="module")
def migrated(module_billing_lab: Lab) -> View:
    """What the jobs make of them."""
    lab, reference = module_billing_lab, Reference()
    reference.load(lab.put(EXPORT_ID, world()))
    assert_all(lab, reference, lab.migrate(EXPORT_ID))
    return View(cache(lab.rows))


def place(record: Record) -> tuple[str, int]:
    """The table of a record, and its row number there."""
    table, values = record
    return table, next(number for number, row in enumerate(world()[table], start=1) if _is(row, values))


def _is(row: Any, values: Any) -> bool:
    # Equality would take 1 for True.
    return repr(row) == repr(values)


def label(view: View, record: Record) -> dict[str, Any]:
    """What became of a record."""
    found = [row for row in view.rows("row_ledger") if (row["source_table"], row["source_row"]) == place(record)]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(("record", "code"), REJECTED)
def test_row_is_rejected(migrated: View, record: Record, code: str) -> None:
    row = label(migrated, record)
    assert (row["outcome"], row["reason"]) == ("rejected", code)
    quarantined = [(each["source_table"], each["source_row"]) for each in migrated.rows("rejected_row")]
    assert quarantined.count(place(record)) == 1


@pytest.mark.parametrize(("record", "outcome", "key", "values"), KEPT)
def test_row_is_kept(migrated: View, record: Record, outcome: str, key: int, values: dict[str, Any]) -> None:
    row = label(migrated, record)
    assert (row["outcome"], row["target_key"]) == (outcome, str(key))
    migrated.has(record[0], key, **values)


def test_rows_are_skipped(migrated: View) -> None:
    assert [migrated.outcome("payment_records", key) for key in (301, 302)] == [("skipped", "ZERO_AMOUNT")] * 2
    skipped = [row["reason"] for row in migrated.rows("row_ledger") if row["source_table"] == "bill_daily_amounts"]
    assert skipped == ["RECOMPUTED"] * 2


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_records_that_cannot_be_read_are_counted(billing_lab: Lab, kind: str) -> None:
    lines = {"jsonl": ['{"id": 7', "[]", '{"id": NaN}', "x"], "csv": ["7", "   ", "1,2,3,4,5,6,7,8,9"]}[kind]
    rows = [row for _, row in (partner(1), partner(2))]
    files = {"mac_partners": encoded([rows[0], *map(Junk, lines), rows[1]], kind)}
    reference = Reference()
    reference.load(billing_lab.put(EXPORT_ID, files))
    assert_all(billing_lab, reference, billing_lab.migrate(EXPORT_ID))
    found = billing_lab.fetch("SELECT source_pk, reason_code FROM billing.rejected_row ORDER BY source_row")
    assert found == [(f"row:{number}", "MALFORMED_ROW") for number in range(2, len(lines) + 2)]


def test_export_without_any_row_is_an_export(billing_lab: Lab) -> None:
    reference = Reference()
    reference.load(billing_lab.put(EXPORT_ID, {}))
    assert_all(billing_lab, reference, billing_lab.migrate(EXPORT_ID))
