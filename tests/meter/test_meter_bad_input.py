"""Bad input, one test per kind: exports that abort, rows that are rejected or warned about, no tenants."""

import gzip
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meter_assets import sources
from tests.meter.meter_cases import assignment, bill, customer, invoice, link, meter, overpayment, payment, tenant
from tests.meter.meter_files import PERSONAL, REQUIRED
from tests.meter.meter_harness import LOAD_JOB, PARTITIONS, STEPS_JOB, Lab, Ran
from tests.meter.meter_small import (
    EVERYTHING,
    FIRST,
    LOADS,
    SECOND,
    STEPS,
    TARGETS,
    counts,
    fingerprints,
    first_of,
    homeless,
    observed,
    small,
    statuses,
    without,
)
from tests.meter.meter_small import count as number_of
from tests.meter.meter_writing import Junk, encoded, put_export

CANARY, UNREADABLE_CANARY = "canary7291", "canary8302"

Change = Callable[[Path], Any]


# --- exports that abort -----------------------------------------------------------------------------------------------


def replaced(name: str, content: bytes, old: str | None = None) -> Change:
    def change(folder: Path) -> None:
        (folder / (old or name)).unlink()
        (folder / name).write_bytes(content)

    return change


def without_column(table: str, column: str) -> Change:
    rows = [{k: v for k, v in row.items() if k != column} for row in small((1,))[table]]
    return replaced(f"{table}.json", encoded(rows).content)


def manifest(**changes: Any) -> Change:
    def change(folder: Path) -> None:
        files = [{"name": path.name} for path in sorted(folder.glob("*.json"))]
        document = {"system": "meter", "exported_at": None, "files": files} | changes
        (folder / "manifest.json").write_text(json.dumps(document))

    return change


def mentioned(**facts: Any) -> Change:
    return manifest(files=[{"name": "payments.json", **facts}])


BROKEN = json.dumps([{"id": 1, "name": CANARY}]).encode()
REQUIRED_COLUMNS = (
    ("tenants", "id"),
    *(("users", name) for name in ("id", "tenant_id", "role", "balance", "overpayment")),
    *(("meters", name) for name in ("id", "tenant_id")),
    *(("meter_assignments", name) for name in ("id", "customer_id", "meter_id", "is_active")),
    *(("bills", name) for name in ("id", "customer_id", "bill_type", "total_amount")),
    *(("invoices", name) for name in ("id", "customer_id", "meter_id", "amount", "balance_brought_forward")),
    *(("invoices", name) for name in ("total_amount", "status")),
    *(("invoice_bills", name) for name in ("id", "invoice_id", "bill_id", "amount")),
    *(("payments", name) for name in ("id", "customer_id", "invoice_id", "meter_id", "amount", "status")),
    *(("overpayments", name) for name in ("id", "customer_id", "payment_id", "amount")),
)
ABORTS: dict[str, tuple[Change, str, tuple[str, ...]]] = {
    **{
        f"no {table}": (lambda folder, t=table: (folder / f"{t}.json").unlink(), "MissingSourceFile", (table,))  # type: ignore[misc]
        for table in REQUIRED
    },
    "two files for a table": (
        lambda folder: (folder / "payments.csv.gz").write_bytes(b""),
        "AmbiguousSource",
        ("payments.json", "payments.csv.gz"),
    ),
    "two files for the optional table": (
        lambda folder: (folder / "overpayments.jsonl").write_bytes(b""),
        "AmbiguousSource",
        ("overpayments.json", "overpayments.jsonl"),
    ),
    "other sha256": (mentioned(sha256="0" * 64), "ManifestMismatch", ("payments.json",)),
    "other row count": (mentioned(rows=4), "ManifestMismatch", ("payments.json",)),
    "listed file absent": (manifest(files=[{"name": "gone.json"}]), "ManifestMismatch", ("gone.json",)),
    "another system": (manifest(system="skynet"), "ManifestMismatch", ()),
    "manifest no JSON": (
        lambda folder: (folder / "manifest.json").write_bytes(b"{"),
        "ManifestMismatch",
        ("manifest.json",),
    ),
    "cut gzip": (
        replaced("payments.json.gz", gzip.compress(BROKEN)[:-9], "payments.json"),
        "ExportFormatError",
        ("payments.json.gz",),
    ),
    "no gzip": (replaced("payments.json.gz", BROKEN, "payments.json"), "ExportFormatError", ("payments.json.gz",)),
    "cut JSON": (replaced("payments.json", BROKEN[:-3]), "ExportFormatError", ("payments.json",)),
    "NaN": (replaced("payments.json", b'[{"id": NaN}]'), "ExportFormatError", ("payments.json",)),
    "object on top": (replaced("payments.json", BROKEN[1:-1]), "ExportFormatError", ("payments.json",)),
    "nothing in it": (replaced("payments.json", b""), "ExportFormatError", ("payments.json",)),
    "no Parquet": (
        replaced("payments.parquet", b"PAR1", "payments.json"),
        "ExportFormatError",
        ("payments.parquet",),
    ),
    "not UTF-8": (
        replaced("users.json", BROKEN.replace(b"7291", b"\xe9")),
        "ExportFormatError",
        ("users.json",),
    ),
    **{
        f"no column {table}.{column}": (
            without_column(table, column),
            "SchemaDriftError",
            (f"{table}.json", column),
        )
        for table, column in REQUIRED_COLUMNS
    },
}
# One column of each table is enough for every day.
_FAST_COLUMNS = {f"no column {table}.{column}" for table, column in dict(REQUIRED_COLUMNS).items()}


def _case(name: str) -> Any:
    slow = name.startswith("no column") and name not in _FAST_COLUMNS
    return pytest.param(name, marks=pytest.mark.slow) if slow else name


@pytest.mark.parametrize("case", [_case(name) for name in ABORTS])
def test_export_that_cannot_be_used_aborts_and_nothing_is_written(module_meter_lab: Lab, case: str) -> None:
    change, kind, words = ABORTS[case]
    lab, export_id = module_meter_lab, f"abort-{list(ABORTS).index(case):03}"
    change(put_export(lab.landing / export_id, small((1,)), manifest=False))
    ran = lab.load(export_id)
    assert set(ran.failures) == {"export"}
    text = ran.failures["export"]
    assert text.startswith(f"{kind}: "), text
    assert [word for word in words if word not in text] == []
    assert CANARY not in text
    assert statuses(lab, ran.run_id) == {"export": "failed"}
    assert {table for table in EVERYTHING if number_of(lab, table)} == set()
    assert lab.instance.get_dynamic_partitions(PARTITIONS) == []


@pytest.mark.slow
def test_file_that_goes_after_it_was_verified_aborts_the_load_of_its_table(meter_lab: Lab) -> None:
    folder = meter_lab.put(FIRST, small((1,)))
    assert meter_lab.run(LOAD_JOB, selection=["export"], export_id=FIRST).success
    (folder / "payments.json").unlink()
    ran = meter_lab.run(LOAD_JOB, selection=[*LOADS, "export_pruned"], export_id=FIRST)
    assert ran.failures["payments"].startswith("MissingSourceFile: ")
    assert (number_of(meter_lab, "invoices"), number_of(meter_lab, "payments")) == (4, 0)
    shut = meter_lab.run(STEPS_JOB, "1", export_id=FIRST)
    assert shut.failures["payment_meter_ids"].startswith("GateShut: ")


# --- snapshots that shrank --------------------------------------------------------------------------------------------


def test_a_tenth_of_the_rows_may_go(meter_lab: Lab) -> None:
    meter_lab.put(FIRST, small((1,), 10))
    meter_lab.put(SECOND, without(small((1,), 10), first_of(1)))
    assert meter_lab.load(FIRST).failures == {}
    ran = meter_lab.load(SECOND)
    assert ran.failures == {}
    facts = ran.metadata["export_pruned"]
    removed = {table: facts[f"removed_{table}"] for table in LOADS}
    assert removed == {**dict.fromkeys(LOADS, 1), "tenants": 0, "overpayments": 0}
    assert facts["shrunk_tables"] == []


def test_more_than_a_tenth_is_refused_unless_it_is_allowed(meter_lab: Lab) -> None:
    lab = meter_lab
    lab.put(FIRST, small((1, 2)))
    lab.put(SECOND, without(small((1, 2)), first_of(1)))
    assert lab.load(FIRST).failures == {}
    refused = lab.load(SECOND)
    assert list(refused.failures) == ["export_pruned"]
    assert refused.failures["export_pruned"].startswith("EXPORT_SHRANK: ")
    assert "customers, invoice_bills, invoices, meter_assignments, meters" in refused.failures["export_pruned"]
    assert number_of(lab, "customers") == 8
    for export_id in (FIRST, SECOND):
        ran = lab.run(STEPS_JOB, "1", export_id=export_id)
        assert ran.failures["payment_meter_ids"].startswith("GateShut: "), "neither export is whole in the tables"

    dry = lab.run("meter_load_dry_run", export_id=SECOND)
    assert dry.failures == {}, "a dry run says so and goes on"
    assert "customers" in observed(lab, dry.run_id)["export_pruned"]["shrunk_tables"]
    assert number_of(lab, "customers") == 8

    assert lab.load(SECOND, allow_shrink=True).failures == {}
    assert number_of(lab, "customers") == 7
    assert lab.run(STEPS_JOB, "1", export_id=SECOND).failures == {}


# --- rows -------------------------------------------------------------------------------------------------------------

A, B = first_of(1), first_of(2)
RANGE = 10**12
REJECTED: list[tuple[str, Any, str]] = [
    ("payments", Junk('{"id": 1, "amount":'), "UNPARSEABLE_ROW"),
    ("payments", Junk(f'["{UNREADABLE_CANARY}"]'), "UNPARSEABLE_ROW"),
    ("payments", Junk('{"id": 2, "amount": NaN}'), "UNPARSEABLE_ROW"),
    ("bills", Junk("1,2"), "UNPARSEABLE_ROW"),
    ("users", Junk('"text"'), "UNPARSEABLE_ROW"),
    ("tenants", tenant(None), "MISSING_PK"),  # type: ignore[arg-type]
    ("meters", meter(0), "MISSING_PK"),
    ("invoices", invoice("INV-1", A, A), "MISSING_PK"),  # type: ignore[arg-type]
    ("users", customer(701, None), "MISSING_REQUIRED"),
    ("meters", meter(701, " "), "MISSING_REQUIRED"),
    ("meter_assignments", assignment(701, None, A), "MISSING_REQUIRED"),
    ("meter_assignments", assignment(702, A, None), "MISSING_REQUIRED"),
    ("bills", bill(701, None, 5), "MISSING_REQUIRED"),
    ("invoices", invoice(701, None, A), "MISSING_REQUIRED"),
    ("invoice_bills", link(701, None, A * 10, 5), "MISSING_REQUIRED"),
    ("invoice_bills", link(702, A, None, 5), "MISSING_REQUIRED"),
    ("overpayments", overpayment(701, None, 5), "MISSING_REQUIRED"),
    ("users", customer(711, "x"), "INVALID_REFERENCE"),
    ("meters", meter(711, -1), "INVALID_REFERENCE"),
    ("meter_assignments", assignment(711, A, "x"), "INVALID_REFERENCE"),
    ("bills", bill(711, A, 5, tenant_id="x"), "INVALID_REFERENCE"),
    ("invoices", invoice(711, "x", A), "INVALID_REFERENCE"),
    ("invoice_bills", link(711, A, "x", 5), "INVALID_REFERENCE"),
    ("payments", payment(711, "x"), "INVALID_REFERENCE"),
    ("payments", payment(712, A, tenant_id="x"), "INVALID_REFERENCE"),
    ("overpayments", overpayment(711, A, 5, "x"), "INVALID_REFERENCE"),
    ("payments", payment(721, A, None), "INVALID_AMOUNT"),
    ("payments", payment(722, A, "1,23"), "INVALID_AMOUNT"),
    ("overpayments", overpayment(721, A, "N/A"), "INVALID_AMOUNT"),
    ("invoice_bills", link(721, A, A * 10, "abc"), "INVALID_AMOUNT"),
    ("payments", payment(731, A, RANGE), "AMOUNT_OUT_OF_RANGE"),
    ("overpayments", overpayment(731, A, RANGE), "AMOUNT_OUT_OF_RANGE"),
    ("invoice_bills", link(731, A, A * 10, -RANGE), "AMOUNT_OUT_OF_RANGE"),
    ("payments", payment(741, A, -1), "NEGATIVE_AMOUNT"),
    ("overpayments", overpayment(741, A, Decimal("-0.01")), "NEGATIVE_AMOUNT"),
    ("payments", payment(751, A, status="odd"), "INVALID_STATUS"),
    ("overpayments", overpayment(751, A, 5, status="odd"), "INVALID_STATUS"),
    ("meter_assignments", assignment(761, A, A, "perhaps"), "INVALID_BOOLEAN"),
    ("users", customer(771, 99), "ORPHAN_TENANT"),
    ("meters", meter(771, 99), "ORPHAN_TENANT"),
    ("payments", payment(771, A, tenant_id=99), "ORPHAN_TENANT"),
    ("bills", bill(771, A, 5, tenant_id=0), "ORPHAN_TENANT"),
    ("meter_assignments", assignment(772, 9, A), "ORPHAN_CUSTOMER"),
    ("bills", bill(772, 9, 5), "ORPHAN_CUSTOMER"),
    ("invoices", invoice(772, 9, A), "ORPHAN_CUSTOMER"),
    ("payments", payment(772, 9), "ORPHAN_CUSTOMER"),
    ("payments", payment(773, None, invoice_id=9), "ORPHAN_CUSTOMER"),
    ("overpayments", overpayment(772, 9, 5), "ORPHAN_CUSTOMER"),
    ("meter_assignments", assignment(773, A, 9), "ORPHAN_METER"),
    ("invoice_bills", link(771, 9, A * 10, 5), "ORPHAN_INVOICE"),
    ("invoice_bills", link(772, A, 9, 5), "ORPHAN_BILL"),
    ("overpayments", overpayment(773, A, 5, 9), "ORPHAN_PAYMENT"),
    ("meter_assignments", assignment(781, A, B), "TENANT_MISMATCH"),
    ("bills", bill(781, A, 5, tenant_id=2), "TENANT_MISMATCH"),
    ("invoices", invoice(781, A, None, tenant_id=2), "TENANT_MISMATCH"),
    ("invoice_bills", link(781, A, B * 10, 5), "TENANT_MISMATCH"),
    ("payments", payment(781, A, tenant_id=2), "TENANT_MISMATCH"),
    ("overpayments", overpayment(781, A, 5, B), "TENANT_MISMATCH"),
]
# Rows that are kept: the columns that they must have then, and a warning of theirs.
KEPT: list[tuple[str, Any, dict[str, Any], str | None]] = [
    ("payments", payment(601, A, invoice_id="x"), {"invoice_id": None}, "INVOICE_ID_UNPARSED"),
    ("payments", payment(602, A, meter_id="x"), {"meter_id": A}, "METER_ID_UNPARSED"),
    ("payments", payment(603, A, invoice_id=9), {"invoice_id": None, "legacy_invoice_id": 9, "meter_id": A}, None),
    ("payments", payment(604, A, meter_id=9), {"legacy_meter_id": 9, "meter_id": A}, None),
    ("payments", payment(605, A, invoice_id=B), {"invoice_id": None, "legacy_invoice_id": B, "meter_id": A}, None),
    ("payments", payment(606, A, meter_id=B), {"legacy_meter_id": B, "meter_id": A}, None),
    ("payments", payment(607, A, date="31/02/2024"), {"payment_date": None}, "DATE_UNPARSED"),
    ("payments", payment(608, A, status="Canceled "), {"status": "cancelled", "is_void": True}, None),
    ("users", customer(601, 1, balance="N/A"), {"legacy_balance": None, "balance": 0}, "CUSTOMER_BALANCE_UNPARSED"),
    ("users", customer(602, 1, overpayment=RANGE), {"legacy_overpayment": None}, "CUSTOMER_BALANCE_UNPARSED"),
    ("meters", meter(601, 1, status="lost"), {"status": "unknown"}, "STATUS_UNKNOWN"),
    (
        "meter_assignments",
        assignment(601, A, A, None, "soon"),
        {"is_active": False, "assigned_at": None},
        "IS_ACTIVE_MISSING",
    ),
    (
        "invoices",
        invoice(601, A, A, ("x", None, RANGE)),
        {"legacy_amount": None, "legacy_total_amount": None, "amount": 0, "amounts_recalculated": True},
        "LEGACY_AMOUNT_UNPARSED",
    ),
    ("invoices", invoice(602, A, 9), {"meter_id": None, "legacy_meter_id": 9}, "INVOICE_METER_DROPPED"),
    ("invoices", invoice(603, A, B), {"meter_id": None, "legacy_meter_id": B}, "INVOICE_METER_DROPPED"),
    ("invoices", invoice(604, A, A, status="Odd-One"), {"status": "odd one", "is_void": False}, None),
    ("invoices", invoice(605, A, A, invoice_date="2024-13-01"), {"invoice_date": None}, "INVOICE_DATE_UNPARSED"),
    ("bills", bill(601, A, "x", "odd-kind"), {"bill_type": "ODD_KIND", "total_amount": None}, "TOTAL_AMOUNT_UNPARSED"),
    ("bills", bill(602, A, 5, meter_assignment_id=B), {"meter_assignment_id": None}, "METER_ASSIGNMENT_DROPPED"),
]
SKIPPED = [customer(801, 1, role="Meter_Reader"), customer(802, None, role=None)]
MERGED: list[tuple[str, Any, str]] = [
    ("payments", payment(A, A, 99, updated_at="2020-01-01"), str(A)),
    ("invoice_bills", link(A * 10 + 7, A, A * 10, 99), str(A * 10)),
]
EMPTY = 4


def _personal(record: Any) -> Any:
    return record | dict.fromkeys(PERSONAL, CANARY) if isinstance(record, dict) else record


def dirty() -> dict[str, list[Any]]:
    """An export with every kind of bad row in tenant 1; tenant 3 has a payment that leads nowhere, 4 has nothing."""
    export = homeless(small(), 3)
    export["tenants"].append(tenant(EMPTY))
    for row in export["payments"]:
        row["updated_at"] = "2024-01-01"
    for table, record, *_ in (*REJECTED, *KEPT, *MERGED, *(("users", row) for row in SKIPPED)):
        export[table].append(record)
    return {table: [_personal(record) for record in records] for table, records in export.items()}


@pytest.fixture(scope="module")
def world() -> dict[str, list[Any]]:
    return dirty()


@pytest.fixture(scope="module")
def runs(module_meter_lab: Lab, world: dict[str, list[Any]]) -> Iterator[dict[str, Ran]]:
    """The shared installation after a load of the dirty export and the steps of its tenants."""
    lab = module_meter_lab
    kinds = {"payments": encoded(world["payments"], "jsonl"), "bills": encoded(world["bills"], "csv")}
    lab.put("dirty", {**world, **kinds})
    load = lab.load("dirty", allow_shrink=True)
    assert load.failures == {}
    steps = lab.steps("dirty", (1, 2, 3, EMPTY))
    yield {"load": load, **{str(tenant): ran for tenant, ran in steps.items()}}


def outcome(lab: Lab, world: dict[str, list[Any]], table: str, record: Any) -> tuple[Any, ...]:
    """What the ledger says of a record."""
    row = next(number for number, each in enumerate(world[table], 1) if each == _personal(record))
    found = lab.fetch(
        "SELECT outcome, reason, source_pk, target_key, source_row FROM meter.row_ledger"
        f" WHERE export_id = 'dirty' AND source_table = '{table}' AND source_row = {row}"
    )
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("number", range(len(REJECTED)), ids=lambda n: f"{REJECTED[n][0]}-{REJECTED[n][2]}-{n}")
@pytest.mark.usefixtures("runs")
def test_bad_row_is_rejected_with_its_code(module_meter_lab: Lab, world: dict[str, list[Any]], number: int) -> None:
    table, record, code = REJECTED[number]
    what, reason, pk, _, row = outcome(module_meter_lab, world, table, record)
    assert (what, reason) == ("rejected", code)
    unnamed = isinstance(record, Junk) or code == "MISSING_PK"
    assert pk == (f"row:{row}" if unnamed else str(record["id"]))
    ((kept, detail, raw),) = module_meter_lab.fetch(
        "SELECT reason_code, detail, raw FROM meter.rejected_row"
        f" WHERE export_id = 'dirty' AND source_table = '{table}' AND source_row = {row}"
    )
    assert kept == code
    assert set(raw) & PERSONAL == set()
    if isinstance(record, Junk):
        assert (set(raw), detail) == ({"text"}, None)
        return
    column, _, rule = detail.partition(": ")
    assert rule == code
    assert column in next(source.columns for source in sources.ALL if source.name == table)
    if table != "bills":
        assert set(raw) == set(record)


@pytest.mark.parametrize("number", range(len(KEPT)), ids=lambda n: f"{KEPT[n][0]}-{KEPT[n][1]['id']}")
@pytest.mark.usefixtures("runs")
def test_bad_value_is_dropped_and_the_row_is_kept(
    module_meter_lab: Lab, world: dict[str, list[Any]], number: int
) -> None:
    table, record, values, warning = KEPT[number]
    what, reason, *_ = outcome(module_meter_lab, world, table, record)
    assert what == "loaded"
    codes = set((reason or "").split(","))
    assert warning is None or warning in codes, codes
    target = "customers" if table == "users" else table
    (row,) = module_meter_lab.rows(target, where=f"id = {record['id']}")
    assert {name: row[name] for name in values} == values


@pytest.mark.usefixtures("runs")
def test_users_who_are_no_customers_are_skipped(module_meter_lab: Lab, world: dict[str, list[Any]]) -> None:
    for record in SKIPPED:
        assert outcome(module_meter_lab, world, "users", record)[:2] == ("skipped", "NOT_CUSTOMER")


@pytest.mark.parametrize("number", range(len(MERGED)))
@pytest.mark.usefixtures("runs")
def test_row_that_comes_twice_is_merged(module_meter_lab: Lab, world: dict[str, list[Any]], number: int) -> None:
    table, record, survivor = MERGED[number]
    what, _, _, key, _ = outcome(module_meter_lab, world, table, record)
    assert (what, key) == ("merged", survivor)
    assert number_of(module_meter_lab, table, f"id = {survivor} AND amount IN (40, 100)") == 1


def _reviews(lab: Lab, payment_id: int) -> set[str]:
    rows = lab.fetch(f"SELECT reason_code FROM meter.meter_id_review WHERE entity_id = {payment_id}")
    return {code for (code,) in rows}


@pytest.mark.usefixtures("runs")
def test_links_that_lead_nowhere_or_to_another_tenant_are_for_review(module_meter_lab: Lab) -> None:
    expected = {
        603: {"ORPHAN_INVOICE"},
        604: {"INVALID_EXISTING_METER"},
        605: {"INVOICE_TENANT_MISMATCH"},
        606: {"INVALID_EXISTING_METER"},
    }
    assert {key: _reviews(module_meter_lab, key) for key in expected} == expected
    assert number_of(module_meter_lab, "validation_discrepancy", "check_name = 'TENANT_ISOLATION'") == 0


def test_what_could_not_be_judged_is_found_by_the_validation(module_meter_lab: Lab, runs: dict[str, Ran]) -> None:
    found = module_meter_lab.fetch(
        "SELECT check_name, entity_id, severity FROM meter.validation_discrepancy WHERE tenant_id = 1"
    )
    assert {(name, key, level) for name, key, level in found} >= {
        ("NO_BASELINE", 601, "WARN"),
        ("NO_BASELINE", 602, "WARN"),
        ("INVOICE_WITHOUT_METER", 602, "ERROR"),
        ("INVOICE_WITHOUT_METER", 603, "ERROR"),
    }
    assert runs["1"].stopped_at == "full_validation"
    assert runs["2"].failures == {}


def test_payment_that_leads_to_no_meter_stops_its_tenant_only(module_meter_lab: Lab, runs: dict[str, Ran]) -> None:
    assert runs["3"].stopped_at == "payments_gate"
    assert statuses(module_meter_lab, runs["3"].run_id)["payments_gate"] == "blocked"
    assert number_of(module_meter_lab, "customer_balances_backup", "tenant_id = 3") == 0
    assert number_of(module_meter_lab, "customer_balances_backup", "tenant_id = 2") == 4


def test_empty_tenant_passes_with_zero_rows(module_meter_lab: Lab, runs: dict[str, Ran]) -> None:
    assert runs[str(EMPTY)].failures == {}
    assert counts(module_meter_lab, runs[str(EMPTY)].run_id) == dict.fromkeys(STEPS, (0, 0, 0, 0, 0))


# --- personal columns -------------------------------------------------------------------------------------------------


def _tables_with(lab: Lab, text: str) -> set[str]:
    names = lab.fetch("SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname LIKE 'meter%'")
    return {name for (name,) in names if lab.fetch(f"SELECT 1 FROM {name} t WHERE t::text LIKE '%{text}%' LIMIT 1")}


def _said(lab: Lab, runs: dict[str, Ran]) -> str:
    """Everything that Dagster keeps of runs: messages, metadata, check results, failures, tags."""
    events = [str(entry) for ran in runs.values() for entry in lab.instance.all_logs(ran.run_id)]
    return "\n".join([*events, *(str(ran) for ran in runs.values())])


def test_personal_columns_are_nowhere(module_meter_lab: Lab, runs: dict[str, Ran]) -> None:
    lab = module_meter_lab
    assert _tables_with(lab, CANARY) == set()
    assert CANARY not in _said(lab, runs)
    staged = [path for path in (lab.settings.home / "work").rglob("*") if path.is_file()]
    assert [path for path in staged if CANARY.encode() in path.read_bytes()] == []


def test_unreadable_row_keeps_its_text_in_the_quarantine_only(module_meter_lab: Lab, runs: dict[str, Ran]) -> None:
    assert _tables_with(module_meter_lab, UNREADABLE_CANARY) == {"meter.rejected_row"}
    assert UNREADABLE_CANARY not in _said(module_meter_lab, runs)


# --- little or nothing in it ------------------------------------------------------------------------------------------


def test_without_overpayments_there_are_no_rows_and_a_warning(meter_lab: Lab) -> None:
    export = small((1,))
    meter_lab.put(FIRST, {table: rows for table, rows in export.items() if table != "overpayments"})
    ran = meter_lab.load(FIRST)
    assert ran.failures == {}
    assert ran.findings() == {"overpayments_file": "WARN"}
    assert counts(meter_lab, ran.run_id)["overpayments"] == (0, 0, 0, 0, 0)
    assert meter_lab.run(STEPS_JOB, "1", export_id=FIRST).failures == {}
    meter_lab.put(SECOND, export | {"overpayments": []})
    assert meter_lab.load(SECOND).findings() == {}, "a file without rows is fine"


@pytest.mark.slow
def test_export_of_empty_files_is_fine(meter_lab: Lab) -> None:
    meter_lab.put(FIRST, {})
    ran = meter_lab.load(FIRST)
    assert ran.failures == {}
    assert {table for table in TARGETS if number_of(meter_lab, table)} == set()


# --- tenants that are not there ---------------------------------------------------------------------------------------

NO_TENANTS = ("999", "abc", "01", "+1", " 1", "-1", "1.0", "\u0661", "9" * 30)


@pytest.fixture(scope="module")
def shrunk(module_meter_lab: Lab) -> Lab:
    """The shared installation after an export without tenant 2."""
    module_meter_lab.put("whole", small((1, 2)))
    module_meter_lab.put("without-2", small((1,)))
    for export_id in ("whole", "without-2"):
        assert module_meter_lab.load(export_id, allow_shrink=True).failures == {}
    return module_meter_lab


@pytest.mark.parametrize("partition", ["2", *NO_TENANTS])
def test_partition_that_is_no_tenant_is_refused(shrunk: Lab, partition: str) -> None:
    shrunk.register(partition)
    before = fingerprints(shrunk)
    ran = shrunk.run(STEPS_JOB, partition, export_id="without-2")
    assert list(ran.failures) == ["payment_meter_ids"]
    assert ran.failures["payment_meter_ids"].startswith("UNKNOWN_TENANT: ")
    dry = shrunk.run("meter_dry_run", partition, export_id="without-2")
    assert all(text.startswith("UNKNOWN_TENANT: ") for text in dry.failures.values())
    assert dry.failures
    assert fingerprints(shrunk) == before


def test_tenant_that_is_deleted_after_the_load_is_refused(shrunk: Lab) -> None:
    shrunk.execute("INSERT INTO meter.tenants (id, name, export_id) VALUES (50, 'x', 'without-2')")
    shrunk.register("50")
    assert shrunk.run(STEPS_JOB, "50", export_id="without-2").failures == {}
    shrunk.execute("DELETE FROM meter.tenants WHERE id = 50")
    ran = shrunk.run(STEPS_JOB, "50", export_id="without-2")
    assert ran.failures["payment_meter_ids"].startswith("UNKNOWN_TENANT: ")
