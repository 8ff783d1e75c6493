"""The oracle itself: its parsers, its reading of files, the golden examples, and that it loses no row."""

import csv
import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.meter import meter_scalars as scalars
from tests.meter.meter_cases import (
    Export,
    assignment,
    customer,
    export_of,
    invoiced,
    link,
    meter,
    overpayment,
    payment,
    tenant,
)
from tests.meter.meter_files import Row, SourceRow, read_file
from tests.meter.meter_golden import CHECKS, EXPORT_ID, OPTIONS, View, view_of, world
from tests.meter.meter_nasty import FORMATS, follow_up, nasty
from tests.meter.meter_reference import Options, Reference, conservation_faults
from tests.meter.meter_scalars import Bad
from tests.meter.meter_writing import Junk, as_source_rows, encoded, put_export

UNPARSED, TOO_MUCH = Bad.UNPARSED, Bad.OUT_OF_RANGE
MIDNIGHT = dt.datetime(2024, 2, 29, tzinfo=dt.UTC)


def loaded(export: Export, export_id: str = EXPORT_ID, db: Reference | None = None) -> Reference:
    db = db or Reference()
    db.load_rows(export_id, {table: as_source_rows(records) for table, records in export.items()})
    assert conservation_faults(db) == []
    return db


# --- scalars ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5),
        ("00012", 12),
        (" 5.00\u00a0", 5),
        ("5.", 5),
        (Decimal("5.0"), 5),
        (Decimal("1E+3"), 1000),
        (0, 0),
        (2**63 - 1, 2**63 - 1),
        (2**63, UNPARSED),
        (Decimal("1E+400"), UNPARSED),
        (True, UNPARSED),
        (-5, UNPARSED),
        ("5.5", UNPARSED),
        ("٥", UNPARSED),
        ("1e3", UNPARSED),
        ([1], UNPARSED),
        ("\u2003\t", None),
        (None, None),
    ],
)
def test_ids(value: Any, expected: Any) -> None:
    assert scalars.identifier(value) == expected
    assert type(scalars.identifier(value)) is type(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("KES 1,234.50", "1234.50"),
        ("kes1234.5", "1234.50"),
        (Decimal("99.995"), "100.00"),
        ("-0.005", "-0.01"),
        ("-0.004", "0.00"),
        ("+1,000", "1000.00"),
        ("KES -5", "-5.00"),
        ("999999999999.994", "999999999999.99"),
        ("0012", "12.00"),
        ("999999999999.995", TOO_MUCH),
        (10**12, TOO_MUCH),
        (Decimal("-1E+40"), TOO_MUCH),
        ("1,23", UNPARSED),
        ("1234,567", UNPARSED),
        ("12,34,567", UNPARSED),
        (".5", UNPARSED),
        ("5.", UNPARSED),
        ("1e3", UNPARSED),
        ("N/A", UNPARSED),
        ("KES\u00a05", UNPARSED),
        ("KE\u017f 5", UNPARSED),
        ("-KES 5", UNPARSED),
        (True, UNPARSED),
        (" ", None),
    ],
)
def test_money(value: Any, expected: Any) -> None:
    found = scalars.money(value)
    assert found == (Decimal(expected) if isinstance(expected, str) else expected)
    assert str(found) == str(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-02-29", MIDNIGHT),
        ("29/02/2024", MIDNIGHT),
        ("2024-02-29T00:00:00.999Z", MIDNIGHT),
        ("2024-02-29 03:00:00+03:00", MIDNIGHT),
        (" 2024-02-28T20:30:00-03:30\n", MIDNIGHT),
        ("0000-00-00", None),
        ("0000-00-00 00:00:00", None),
        ("0000-00-00 00:00:01", UNPARSED),
        ("2025-02-30", UNPARSED),
        ("2024-02-29 24:00:00", UNPARSED),
        ("2024-02-29 10:00", UNPARSED),
        ("2024-02-29 10:00:00+0300", UNPARSED),
        ("2024-02-29 10:00:00+24:00", UNPARSED),
        ("2024-02-29t10:00:00", UNPARSED),
        ("9999-12-31 23:30:00-01:00", UNPARSED),
        ("0001-01-01 00:30:00+01:00", UNPARSED),
        ("0000-01-01", UNPARSED),
        ("2024-2-29", UNPARSED),
        (20240229, UNPARSED),
        ("", None),
    ],
)
def test_timestamps_and_dates(value: Any, expected: Any) -> None:
    assert scalars.moment(value) == expected
    assert scalars.date(value) == (expected.date() if isinstance(expected, dt.datetime) else expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, True),
        (Decimal("0.0"), False),
        (" YES ", True),
        ("f", False),
        ("2", UNPARSED),
        (2, UNPARSED),
        ("1.0", UNPARSED),
    ],
)
def test_booleans(value: Any, expected: Any) -> None:
    assert scalars.boolean(value) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("7.50"), "7.50"),
        (Decimal("1E+3"), "1000"),
        (True, "true"),
        ([1, {"a": None}], '[1,{"a":null}]'),
        ("\u3000x ", "x"),
        ("\u00a0", None),
    ],
)
def test_texts(value: Any, expected: Any) -> None:
    assert scalars.text(value) == expected


def test_labels_and_bill_types() -> None:
    assert scalars.label(" Not__-\u00a0PAID- ") == "not paid"
    assert scalars.label(" _-_ ") is None
    assert scalars.label("m-pesa") == "m pesa"
    assert scalars.bill_type(" late payment--penalty ") == "LATE_PAYMENT_PENALTY"
    assert scalars.bill_type("-BALANCE") == "_BALANCE"
    assert scalars.bill_type(" balance\t") == "BALANCE"


# --- files ------------------------------------------------------------------------------------------------------------


def in_file(tmp_path: Path, name: str, content: bytes) -> list[SourceRow]:
    path = tmp_path / name
    path.write_bytes(content)
    return read_file(path)


def test_json_lines_are_numbered_without_blank_ones(tmp_path: Path) -> None:
    content = '\ufeff{"id": 1.50}\r\n \u00a0\n{"id": NaN}\n[1]\n{"id": 2, "email": "x"}\u2028\n{"a": "b\u2028c"}'
    rows = in_file(tmp_path, "users.jsonl", content.encode())
    assert [row.number for row in rows] == [1, 2, 3, 4, 5]
    assert rows[0].values == {"id": Decimal("1.50")}
    assert [row.raw for row in rows[1:3]] == [{"text": '{"id": NaN}'}, {"text": "[1]"}]
    assert rows[3].values is None
    assert rows[4].raw == {"a": "b\u2028c"}


def test_csv_records_are_numbered_without_empty_lines(tmp_path: Path) -> None:
    content = 'id,name,email\r\n\r\n1,"a ""b"",\nc",x\n \n2,NULL,\\N\n3,"NULL", NULL\n4\n'
    rows = in_file(tmp_path, "users.csv", content.encode())
    assert [row.values for row in rows] == [
        {"id": "1", "name": 'a "b",\nc', "email": "x"},
        None,
        {"id": "2", "name": None, "email": None},
        {"id": "3", "name": None, "email": " NULL"},
        None,
    ]
    assert rows[0].raw == {"id": "1", "name": 'a "b",\nc'}
    assert [rows[1].raw, rows[4].raw] == [{"text": " "}, {"text": "4"}]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("packed", [False, True])
def test_every_format_gives_the_same_rows(tmp_path: Path, kind: str, packed: bool) -> None:
    records = [{"id": "1", "name": 'x, "y"\nz'}, {"id": "2", "name": None}]
    file = encoded(records, kind, packed=packed)
    rows = in_file(tmp_path, f"tenants.{file.suffix}", file.content)
    assert [{k: v or None for k, v in (row.values or {}).items()} for row in rows] == records


def test_parquet_floats_are_their_shortest_text(tmp_path: Path) -> None:
    records = [{"a": 99.995, "b": dt.date(2024, 1, 2)}, {"a": float("nan"), "b": None}]
    rows = in_file(tmp_path, "bills.parquet", encoded(records, "parquet").content)
    assert [row.values for row in rows] == [{"a": Decimal("99.995"), "b": "2024-01-02"}, {"a": None, "b": None}]


def test_unreadable_records_of_each_format(tmp_path: Path) -> None:
    records = [{"id": 1}, Junk("5"), Junk('"x"')]
    assert [row.values for row in in_file(tmp_path, "a.json", encoded(records).content)] == [{"id": 1}, None, None]
    texts = [{"id": "1", "b": "2"}, Junk("1,2,3")]
    quoted = encoded(texts, "csv", quoting=csv.QUOTE_ALL, end="\n")
    assert [row.values for row in in_file(tmp_path, "a.csv", quoted.content)] == [{"id": "1", "b": "2"}, None]


# --- golden examples --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def golden() -> View:
    db = loaded(world())
    return view_of(db, {key: db.run_steps(key, OPTIONS.get(key)).success for key in db.tenants()})


@pytest.mark.parametrize("name", CHECKS)
def test_golden_example(golden: View, name: str) -> None:
    CHECKS[name](golden)


def test_all_golden_examples_are_there() -> None:
    assert set(CHECKS) == {f"G{number}" for number in range(1, 24)}


# --- rules that no golden example shows -------------------------------------------------------------------------------


def small(**further: list[Row]) -> Export:
    """Two tenants with a customer and a meter each, whose assignments are active."""
    export = export_of(
        *(("tenants", tenant(key)) for key in (1, 2)),
        *(("users", customer(key, key)) for key in (1, 2)),
        *(("meters", meter(key, key)) for key in (1, 2)),
        *(("meter_assignments", assignment(key, key, key)) for key in (1, 2)),
    )
    return {table: [*records, *further.get(table, [])] for table, records in export.items()}


def outcomes(db: Reference, table: str) -> list[tuple[str, str, Any, Any]]:
    return [value for key, value in sorted(db.ledger.items()) if key[3] == table]


def test_a_rejected_parent_takes_its_children_along() -> None:
    export = small(
        users=[customer(3, 9)],
        invoices=[{"id": 1, "customer_id": 3}],
        payments=[payment(1, 3, invoice_id=1), payment(2, 3, invoice_id=1, customer_id=1)],
    )
    db = loaded(export)
    assert outcomes(db, "customers")[2] == ("3", "rejected", "ORPHAN_TENANT", None)
    assert outcomes(db, "invoices") == [("1", "rejected", "ORPHAN_CUSTOMER", None)]
    assert [value[1:3] for value in outcomes(db, "payments")] == [("rejected", "ORPHAN_CUSTOMER"), ("loaded", None)]


def test_the_newest_of_repeated_ids_survives_even_to_be_rejected() -> None:
    rows = [
        payment(1, 1, updated_at="2024-01-02T00:00:00.9Z"),
        payment(1, 99, updated_at="2024-01-02"),
        payment(1, 1, updated_at="junk"),
        payment(1, 1, amount="N/A", updated_at="2030-01-01"),
    ]
    db = loaded(small(payments=rows))
    expected = [("merged", None), ("rejected", "ORPHAN_CUSTOMER"), ("merged", None), ("rejected", "INVALID_AMOUNT")]
    assert [value[1:3] for value in outcomes(db, "payments")] == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"tenant_id": 2}, ("rejected", "TENANT_MISMATCH")),
        ({"tenant_id": 0}, ("rejected", "ORPHAN_TENANT")),
        ({"tenant_id": "x"}, ("rejected", "INVALID_REFERENCE")),
        ({"customer_id": 0}, ("rejected", "ORPHAN_CUSTOMER")),
        ({"customer_id": -1, "amount": None}, ("rejected", "INVALID_REFERENCE")),
        ({"amount": None}, ("rejected", "INVALID_AMOUNT")),
        ({"amount": -1, "status": "x"}, ("rejected", "NEGATIVE_AMOUNT")),
        ({"amount": 10**12}, ("rejected", "AMOUNT_OUT_OF_RANGE")),
        ({"status": "x", "reversed_at": "2024-01-01"}, ("rejected", "INVALID_STATUS")),
        (
            {"status": None, "date": "x", "invoice_id": "x"},
            ("loaded", frozenset({"(status)", "(date)", "(invoice_id)"})),
        ),
        ({"id": "0"}, ("rejected", "MISSING_PK")),
    ],
)
def test_payments(changed: Row, expected: tuple[str, Any]) -> None:
    db = loaded(small(payments=[payment(1, 1) | changed]))
    assert [value[1:3] for value in outcomes(db, "payments")] == [expected]


def test_links_without_amount_take_that_of_their_bill_before_they_are_merged() -> None:
    bills = [{"id": 1, "customer_id": 1, "total_amount": None}, {"id": 2, "customer_id": 1, "total_amount": -3}]
    links = [link(1, 1, 1), link(3, 1, 1, 7), link(2, 1, 1, 8), link(4, 1, 2)]
    db = loaded(small(bills=bills, invoices=[{"id": 1, "customer_id": 1}], invoice_bills=links))
    assert [value[1:] for value in outcomes(db, "invoice_bills")] == [
        ("rejected", "INVALID_AMOUNT", None),
        ("merged", None, "2"),
        ("loaded", None, "2"),
        ("loaded", None, "4"),
    ]
    assert (db.tables["invoice_bills"][4]["amount"], db.tables["invoice_bills"][4]["amount_source"]) == (-3, "BILL")


def test_warnings_that_have_a_name() -> None:
    db = loaded(
        small(
            users=[customer(3, 1, balance="N/A", overpayment="N/A"), customer(4, 1, role="admin", balance="N/A")],
            meter_assignments=[assignment(3, 1, 1, unassigned_at="2024-01-01")],
            invoices=[{"id": 1, "customer_id": 1, "meter_id": 2, "status": "paid"}],
        )
    )
    named = [db.counts[(EXPORT_ID, t)].flat()["warnings"] for t in ("customers", "meter_assignments", "invoices")]
    assert named == [{"CUSTOMER_BALANCE_UNPARSED": 1}, {"ASSIGNMENT_CONTRADICTION": 1}, {"INVOICE_METER_DROPPED": 1}]
    assert outcomes(db, "customers")[3] == ("4", "skipped", "NOT_CUSTOMER", None)


def test_next_export_replaces_what_loads_own_and_keeps_what_steps_own() -> None:
    first = small(payments=[payment(1, 1), payment(2, 2)], overpayments=[overpayment(1, 1, 5)])
    first = {table: [*first[table], *records] for table, records in export_of(*invoiced(1, 1, 1, 50)).items()}
    db = loaded(first)
    assert all(db.run_steps(key, Options(fail_on="critical")).success for key in (1, 2))
    assert db.tables["meters"][1]["balance"] == Decimal("35.00")
    second = {table: [row for row in rows if row["id"] == 1] for table, rows in first.items()}
    second["meters"] = [meter(1, 1, status="faulty"), meter(3, 1)]
    second["meter_assignments"], second["payments"][0]["meter_id"] = [], 3
    loaded(second, "20260310T030000Z", db)
    kept = db.tables["meters"][1]
    assert (kept["status"], kept["balance"], kept["balance_calculated"]) == ("faulty", Decimal("35.00"), True)
    assert (db.tables["payments"][1]["meter_id"], db.tables["payments"][1]["legacy_meter_id"]) == (1, 3)
    assert set(db.tables["payments"]) == {1}
    assert db.run_steps(2).success is False
    third = {**second, "meters": [meter(3, 1)]}
    loaded(third, "20260410T030000Z", db)
    assert (db.tables["payments"][1]["meter_id"], db.tables["payments"][1]["meter_id_source"]) == (None, None)
    assert db.tables["overpayments"][1]["meter_id"] is None


def test_dry_run_changes_nothing_and_goes_on_to_the_end() -> None:
    db = loaded(small(payments=[payment(1, 1, amount=5)], users=[customer(3, 1)]))
    db.tables["payments"][1]["customer_id"] = 3
    dry = db.run_steps(1, Options(dry_run=True))
    assert dry.success
    assert dry.statuses["payments_gate"] == dry.statuses["full_validation"] == frozenset({"dry_run_issues"})
    assert set(dry.counts) == set(dry.statuses)
    assert (db.tables["validation_discrepancy"], db.tables["payments"][1]["meter_id_source"]) == ({}, None)
    live = db.run_steps(1)
    assert (live.success, live.stopped_at) == (False, "payments_gate")
    assert {asset: dry.counts[asset] for asset in live.counts} == live.counts


def test_skipping_validation_does_not_skip_the_precondition() -> None:
    db = loaded(small(payments=[payment(1, 1)], users=[customer(3, 1)]))
    assert db.run_steps(1, Options(fail_on="critical", skip_validation=True)).success
    assert db.tables["validation_discrepancy"] == {}
    db.tables["payments"][1]["customer_id"] = 3
    ran = db.run_steps(1, Options(skip_validation=True))
    assert (ran.success, ran.stopped_at) == (False, "customer_balances_backup")


# --- random exports ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_random_exports_are_conserved(tmp_path: Path, seed: int) -> None:
    db = Reference()
    first = nasty(seed)
    for export in (first, follow_up(first, seed)):
        db.load(put_export(tmp_path / export.export_id, export.files, manifest=export.manifest))
        assert conservation_faults(db) == []
        for key in db.tenants():
            ran = db.run_steps(key, export.options)
            assert ran.success or ran.stopped_at
            assert_ledger_of_money(db, key)


def assert_ledger_of_money(db: Reference, key: int) -> None:
    """Balances are never both positive, and no meter invents or loses money."""
    for row in db.of_tenant("meters", key):
        net = row["total_billed"] - row["total_paid"] - row["overpayment_credit"]
        assert min(row["balance"], row["overpayment"]) == 0
        assert row["balance"] - row["overpayment"] == net


def test_random_exports_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    assert nasty(3).files == nasty(3).files
    assert follow_up(nasty(3), 3).files == follow_up(nasty(3), 3).files
