"""Every check can fail: the data is broken behind its back, and exactly that check says so, with its level and keys."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
import pytest

from meter_assets.assets import METER
from meter_assets.definitions import defs
from migration import embedded
from migration.declare.run import run_config
from tests.meter.conftest import installation
from tests.meter.meter_cases import bill, customer, link, meter, payment
from tests.meter.meter_harness import LOAD_JOB, Lab
from tests.meter.meter_small import (
    FIRST,
    LOADS,
    SECOND,
    STEPS,
    TENANTS,
    copy_of,
    first_of,
    forget_connections,
    migrate,
    small,
    without,
)

Found = dict[str, tuple[str, list[str]]]
A, B = first_of(1), first_of(2)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def every_check() -> set[str]:
    """Every declared check of the location, as `<asset>.<check>`."""
    return {f"{asset}.{check.name}" for asset, each in METER.declarations.items() for check in each.checks}


def evaluated(result: dg.ExecuteInProcessResult) -> Found:
    """Each check of a run with its level, and its first keys."""
    found: Found = {}
    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            data = event.asset_check_evaluation_data
            keys = data.metadata.get("first_keys")
            level = "passed" if data.passed else data.severity.value
            found[f"{data.asset_key.path[-1]}.{data.check_name}"] = (level, list(keys.value) if keys else [])  # type: ignore[call-overload]
    return found


def measure(lab: Lab, job: str = "meter_checks", selection: Sequence[str] = (), **options: Any) -> Found:
    """Run a job and give what its checks found."""
    with lab._surroundings():
        result = defs.resolve_job_def(job).execute_in_process(
            run_config=run_config(options) | QUIET,
            instance=lab.instance,
            raise_on_error=False,
            asset_selection=[dg.AssetKey(["meter", name]) for name in selection] or None,
        )
    return evaluated(result)


def wrong(found: Found) -> dict[str, str]:
    """The checks that did not pass, with their level."""
    return {name: level for name, (level, _) in found.items() if level != "passed"}


# --- what is in the tables --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clean(server: embedded.EmbeddedServer, meter_template: str, tmp_path_factory: Any) -> Iterator[Lab]:
    """A migrated export that no check has anything to say about."""
    with installation(server, meter_template, tmp_path_factory.mktemp("clean")) as lab:
        lab.put(FIRST, small())
        assert [ran.failures for ran in migrate(lab, FIRST).values()] == [{}, {}, {}]
        forget_connections(lab)
        yield lab


@pytest.fixture
def copy(server: embedded.EmbeddedServer, clean: Lab, tmp_path_factory: Any) -> Iterator[Lab]:
    """A copy of it, to break."""
    with copy_of(server, clean, tmp_path_factory.mktemp("copy")) as lab:
        yield lab


def test_nothing_is_found_where_nothing_is_wrong(copy: Lab) -> None:
    found = measure(copy)
    assert wrong(found) == {}
    assert set(found) == every_check()


def drop(table: str, constraint: str) -> str:
    return f"ALTER TABLE meter.{table} DROP CONSTRAINT IF EXISTS {constraint} CASCADE"


def orphaned(table: str, column: str) -> tuple[str, list[str], list[str] | None]:
    """A row whose parent is gone."""
    key = first_of(3) if table != "overpayments" else first_of(3) + 3
    row = key * 10 if table in ("bills", "invoice_bills") else key
    update = f"UPDATE meter.{table} SET {column} = 9 WHERE id = {row}"
    return "ERROR", [drop(table, f"{table}_{column}_fkey"), update], [str(row)]


# A second row of a key: another export's, which the counts of this one do not hold, and without money or numbers.
WORTHLESS = {
    **dict.fromkeys(
        ("amount", "balance_brought_forward", "total_amount", "balance", "overpayment", "credit_effect"), 0
    ),
    **dict.fromkeys(("reference", "invoice_number", "meter_number")),
    "export_id": "x",
}


def duplicated(table: str) -> tuple[str, list[str], list[str] | None]:
    """A row that is there twice, and its ledger row too, so that nothing but the key is wrong."""
    keys = {"tenants": 1, "bills": A * 10, "invoice_bills": A * 10, "overpayments": A + 3}
    row = keys.get(table, A)
    statements = [
        drop(table, f"{table}_pkey"),
        *([drop(table, "invoice_bills_invoice_id_bill_id_key")] if table == "invoice_bills" else []),
        f"INSERT INTO meter.{table} SELECT (jsonb_populate_record(t, '{json.dumps(WORTHLESS)}')).* FROM meter.{table} t"
        f" WHERE id = {row}",
    ]
    return "ERROR", statements, [str(row)]


def without_outcome(table: str) -> str:
    """One row of the ledger is lost."""
    where = f"target_table = '{table}' AND outcome = 'loaded'"
    return f"DELETE FROM meter.row_ledger WHERE ctid = (SELECT min(ctid) FROM meter.row_ledger WHERE {where})"


def finding(name: str, kind: str, key: int, severity: str) -> str:
    """A finding of the full validation of tenant 1."""
    return (
        "INSERT INTO meter.validation_discrepancy (tenant_id, step, check_name, entity_type, entity_id, severity,"
        f" export_id, difference) VALUES (1, 5, '{name}', '{kind}', {key}, '{severity}', '{FIRST}', -5)"
    )


BROKEN: dict[str, tuple[str, list[str], list[str] | None]] = {
    **{f"{table}.conservation": ("ERROR", [without_outcome(table)], None) for table in LOADS},
    **{
        f"{table}.{table}_orphans": orphaned(table, column)
        for table, column in {
            "customers": "tenant_id",
            "meters": "tenant_id",
            "meter_assignments": "customer_id",
            "bills": "customer_id",
            "invoices": "customer_id",
            "invoice_bills": "bill_id",
            "payments": "customer_id",
            "overpayments": "payment_id",
        }.items()
    },
    "customers.null_rate_customer_balance": (
        "WARN",
        [f"UPDATE meter.customers SET legacy_balance = NULL WHERE id = {A}"],
        [str(A)],
    ),
    "meters.duplicate_meter_numbers": (
        "WARN",
        [f"UPDATE meter.meters SET meter_number = 'twice' WHERE id IN ({A}, {A + 1}, {B})"],
        [str(A)],
    ),
    "invoices.duplicate_invoice_numbers": (
        "WARN",
        [f"UPDATE meter.invoices SET invoice_number = 'twice' WHERE id IN ({A}, {A + 1}, {B})"],
        [str(A)],
    ),
    "invoice_bills.bill_on_multiple_invoices": (
        "WARN",
        [f"UPDATE meter.invoice_bills SET bill_id = {A * 10} WHERE id = {A * 10 + 10}"],
        [str(A * 10)],
    ),
    "payments.duplicate_payment_references": (
        "WARN",
        [f"UPDATE meter.payments SET reference = 'twice' WHERE id IN ({A}, {A + 1}, {B})"],
        None,
    ),
    "payments.pending_payments_counted": (
        "WARN",
        [f"UPDATE meter.payments SET status = 'pending' WHERE id = {A}"],
        None,
    ),
    "export_pruned.only_this_export": (
        "ERROR",
        ["INSERT INTO meter.tenants (id, name, export_id) VALUES (50, 'x', 'older')"],
        None,
    ),
    "payment_meter_ids.multi_meter_review": (
        "WARN",
        [
            "INSERT INTO meter.meter_id_review VALUES"
            f" ('payment', {A}, 'MULTI_METER_CUSTOMER', '{FIRST}', 1, {A}, {A}, '[]')"
        ],
        [f"payment {A} MULTI_METER_CUSTOMER"],
    ),
    "invoice_amounts.invoice_amount_identity": (
        "ERROR",
        [
            drop("invoices", "invoices_amounts_add_up_check"),
            f"UPDATE meter.invoices SET total_amount = total_amount + 0.01 WHERE id = {A}",
        ],
        [str(A)],
    ),
    "invoice_amounts.invoices_without_bills": (
        "ERROR",
        [
            "INSERT INTO meter.invoice_amount_discrepancy (invoice_id, kind, severity, export_id, tenant_id,"
            " calc_amount, calc_balance_brought_forward, calc_total_amount, diff_total)"
            f" VALUES ({A + 1}, 'NO_BILLS', 'ERROR', '{FIRST}', 1, 0, 0, 0, 0)"
        ],
        [f"{A + 1} NO_BILLS"],
    ),
    "customer_balances_backup.backup_complete": (
        "ERROR",
        [f"DELETE FROM meter.customer_balances_backup WHERE customer_id = {A}"],
        [str(A)],
    ),
    "meter_balances.ledger_conservation": (
        "ERROR",
        [f"UPDATE meter.meters SET balance = balance + 0.01 WHERE id = {A}"],
        None,
    ),
    "full_validation.meter_balances_match": (
        "ERROR",
        [finding("METER_BALANCE_MISMATCH", "meter", A, "CRITICAL")],
        [f"1 5 METER_BALANCE_MISMATCH meter {A}"],
    ),
    "full_validation.tenant_isolation": (
        "ERROR",
        [finding("TENANT_ISOLATION", "payment", A, "CRITICAL")],
        [f"1 5 TENANT_ISOLATION payment {A}"],
    ),
    "full_validation.customer_drift": ("ERROR", [finding("CUSTOMER_DRIFT", "customer", A, "ERROR")], [str(A)]),
}
# What is wrong in more ways than one: the checks that say so beside the one it is about.
BESIDE: dict[str, dict[str, str]] = {
    # Its balance is no tenant's any more.
    "meters.meters_orphans": {"meter_balances.ledger_conservation": "ERROR"},
} | {
    name: {"full_validation.validation_passed": "ERROR"}
    for name in (
        "full_validation.meter_balances_match",
        "full_validation.tenant_isolation",
        "full_validation.customer_drift",
    )
}
NEGATIVE_METER = [
    drop("meters", "meters_balance_check"),
    drop("meters", "meters_overpayment_check"),
    drop("meters", "meters_one_side_check"),
    f"UPDATE meter.meters SET balance = -1, overpayment = -61 WHERE id = {A}",
]
NO_METER = [
    f"UPDATE meter.payments SET meter_id = NULL WHERE id = {A}",
    f"UPDATE meter.meters SET balance = balance + 40 WHERE id = {A}",
]
MORE: dict[str, tuple[str, list[str], list[str] | None]] = {
    **{f"{table}.pk_unique": duplicated(table) for table in LOADS},
    "meter_balances.meter_sign": ("ERROR", NEGATIVE_METER, [str(A)]),
    "payment_meter_ids.payment_meter_coverage": ("WARN", NO_METER, [str(A)]),
    "payments_gate.payments_have_meter": ("ERROR", NO_METER, [str(A)]),
    "full_validation.validation_passed": (
        "ERROR",
        [finding("UNASSIGNED_OVERPAYMENT", "overpayment", A, "ERROR")],
        [f"UNASSIGNED_OVERPAYMENT overpayment {A}"],
    ),
}
_BESIDE_KEY = {"export_pruned.only_this_export": "ERROR"}


def broken(name: str) -> tuple[str, list[str], list[str] | None]:
    return BROKEN.get(name) or MORE[name]


def beside(name: str) -> dict[str, str]:
    """What else is found when a check is broken."""
    if name.endswith(".pk_unique"):
        return _BESIDE_KEY
    same = {
        "payment_meter_ids.payment_meter_coverage": {"payments_gate.payments_have_meter": "ERROR"},
        "payments_gate.payments_have_meter": {"payment_meter_ids.payment_meter_coverage": "WARN"},
    }
    return BESIDE.get(name) or same.get(name, {})


# Tables broken at once, each in a way that leaves the others' checks alone: one look finds them all.
BATCHES = [list(BROKEN)[start::4] for start in range(4)]


def assert_found(lab: Lab, names: Sequence[str]) -> None:
    for name in names:
        lab.execute(*broken(name)[1])
    found = measure(lab)
    expected = {name: broken(name)[0] for name in names}
    for name in names:
        expected |= {other: level for other, level in beside(name).items() if other not in expected}
    assert wrong(found) == expected
    for name in names:
        keys = broken(name)[2]
        assert keys is None or set(keys) <= set(found[name][1]), name


@pytest.mark.parametrize("names", BATCHES, ids=lambda names: names[0])
def test_broken_tables_are_found_by_exactly_their_checks(copy: Lab, names: list[str]) -> None:
    assert_found(copy, names)


FAST_ALONE = ("payments.pk_unique", "meter_balances.meter_sign", "payments_gate.payments_have_meter")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in FAST_ALONE else pytest.mark.slow) for name in (*BROKEN, *MORE)],
)
def test_broken_table_is_found_by_exactly_its_check(copy: Lab, name: str) -> None:
    assert_found(copy, [name])


PASSING = [
    # The same number in another tenant, no number, a void payment with the same reference: none of them is twice.
    f"UPDATE meter.meters SET meter_number = 'both' WHERE id IN ({A}, {B})",
    f"UPDATE meter.meters SET meter_number = NULL WHERE id IN ({A + 1}, {A + 2})",
    f"UPDATE meter.invoices SET invoice_number = 'both' WHERE id IN ({A}, {B})",
    f"UPDATE meter.payments SET reference = NULL WHERE id IN ({A}, {A + 1})",
    f"UPDATE meter.payments SET reference = 'both' WHERE id IN ({A + 2}, {B})",
    f"UPDATE meter.payments SET reference = 'both', method = 'bank' WHERE id = {A + 3}",
    "UPDATE meter.meter_id_review SET reason_code = 'NO_ACTIVE_METER'",
    finding("CUSTOMER_SPLIT", "customer", A, "INFO"),
    finding("SHARED_METER", "meter", A, "WARN"),
]


OF_THE_EXPORT = (
    "null_rate_customer_balance",
    "duplicate_meter_numbers",
    "duplicate_invoice_numbers",
    "bill_on_multiple_invoices",
    "duplicate_payment_references",
    "pending_payments_counted",
)


def test_rows_that_the_export_no_longer_has_are_not_counted(copy: Lab) -> None:
    """While an export is loaded the tables still hold what it lacks: numbers that have moved are not there twice."""
    export = without(small(), A)
    numbered = ("meters", "invoices", "payments")
    heir = {name: next(row for row in export[name] if row["id"] == A + 1) for name in numbered}
    heir["meters"]["meter_number"], heir["invoices"]["invoice_number"] = f"M-{A}", f"INV-{A}"
    heir["payments"]["reference"] = f"R{A}"
    export["bills"].append(bill(A * 10, A + 1, 5))
    export["invoice_bills"].append(link(A * 10 + 1, A + 1, A * 10))
    copy.execute(
        f"UPDATE meter.customers SET legacy_balance = NULL WHERE id = {A}",
        f"UPDATE meter.payments SET status = 'pending' WHERE id = {A}",
    )
    copy.put(SECOND, export)
    ran = copy.load(SECOND, allow_shrink=True)
    assert ran.failures == {}
    assert {name: ran.checks[name] for name in OF_THE_EXPORT} == dict.fromkeys(OF_THE_EXPORT, "passed")


@pytest.mark.slow
def test_what_only_looks_wrong_passes(copy: Lab) -> None:
    copy.execute(*PASSING)
    assert wrong(measure(copy)) == {}


def test_drift_only_warns_where_critical_findings_fail(copy: Lab) -> None:
    copy.execute(finding("CUSTOMER_DRIFT", "customer", A, "ERROR"))
    assert wrong(measure(copy, fail_on="critical")) == {"full_validation.customer_drift": "WARN"}


@pytest.mark.slow
def test_ten_worst_drifts_are_named_the_worst_first(copy: Lab) -> None:
    for number in range(12):
        copy.execute(
            finding("CUSTOMER_DRIFT", "customer", number, "ERROR").replace(
                "-5)", f"{number if number % 2 else -number})"
            )
        )
    assert measure(copy)["full_validation.customer_drift"][1] == [str(number) for number in range(11, 1, -1)]


def test_tenants_that_have_not_run_are_not_judged(meter_lab: Lab) -> None:
    """The checks of the steps are about the tenants whose steps have run."""
    meter_lab.put(FIRST, small())
    assert [ran.failures for ran in migrate(meter_lab, FIRST, (1,)).values()] == [{}]
    assert wrong(measure(meter_lab)) == {}


def test_steps_are_not_judged_on_an_export_that_they_have_not_seen(copy: Lab) -> None:
    """Between a load and the steps new payments have no meter, and new customers no backup: as it should be."""
    key, export = A + 50, small()
    export["users"].append(customer(key, 1))
    export["payments"].append(payment(key, key))
    copy.put(SECOND, export)
    assert copy.load(SECOND).failures == {}
    assert wrong(measure(copy)) == {}


def test_nothing_has_run_and_nothing_is_found(meter_lab: Lab) -> None:
    found = measure(meter_lab)
    assert (wrong(found), set(found)) == ({}, every_check())


# --- what an export brings --------------------------------------------------------------------------------------------

SIZE = 100


def meters(bad: int, record: Any) -> dict[str, list[Any]]:
    """A hundred meters, so many of which are as given."""
    good = [meter(key, 1) for key in range(1, SIZE - bad + 1)]
    tenants = [{"id": 1, "name": "One"}, {"id": 2, "name": "Two"}]
    return {"tenants": tenants, "meters": [*good, *([record] * bad)]}


ORPHAN, REJECT = meter(900, 99), meter(901, "x")


def orphans(bad: int) -> dict[str, list[Any]]:
    """A hundred meters, so many of which are of no tenant."""
    export = meters(bad, ORPHAN)
    for number, row in enumerate(export["meters"]):
        row_id = row["id"] if row["tenant_id"] == 1 else 1_000 + number
        export["meters"][number] = {**row, "id": row_id, "meter_number": f"N{number}"}
    return export


def rated(lab: Lab, export_id: str, files: dict[str, list[Any]]) -> dict[str, str]:
    """What the checks of a load of meters find, by the check's name."""
    lab.put(export_id, files)
    return of_meters(measure(lab, LOAD_JOB, ["export", "tenants", "meters"], export_id=export_id))


def of_meters(found: Found) -> dict[str, str]:
    """The checks of the load of meters that did not pass, by name, with their level."""
    return {name.partition(".")[2]: level for name, level in wrong(found).items() if name.startswith("meters.")}


@pytest.mark.parametrize(
    ("number", "files", "expected"),
    [
        (0, orphans(1), {}),
        (1, orphans(2), {"orphan_rate": "WARN"}),
        (2, orphans(5), {"orphan_rate": "WARN", "reject_rate": "WARN"}),
        (3, orphans(6), {"orphan_rate": "ERROR", "reject_rate": "WARN"}),
        (4, meters(2, REJECT), {}),
        (5, meters(3, REJECT), {"reject_rate": "WARN"}),
        (6, meters(10, REJECT), {"reject_rate": "WARN"}),
        (7, meters(11, REJECT), {"reject_rate": "ERROR"}),
        (8, meters(1, meter(1, 1)), {}),
        (9, meters(2, meter(1, 1)), {"duplicate_rate": "WARN"}),
    ],
)
def test_share_past_its_limit_is_found_and_one_at_it_is_not(
    module_meter_lab: Lab, number: int, files: dict[str, list[Any]], expected: dict[str, str]
) -> None:
    assert rated(module_meter_lab, f"rate-{number}", files) == expected


def test_dry_run_reports_a_check_that_stops_nothing_as_severe_as_it_is(module_meter_lab: Lab) -> None:
    module_meter_lab.put("rate-dry", meters(11, REJECT))
    found = measure(module_meter_lab, "meter_load_dry_run", ["export", "tenants", "meters"], export_id="rate-dry")
    assert of_meters(found) == {"reject_rate": "ERROR"}


def test_row_that_names_two_tenants_is_found(module_meter_lab: Lab) -> None:
    files = {
        "tenants": [{"id": 1}, {"id": 2}],
        "users": [customer(1, 1), customer(2, 2)],
        "payments": [*(payment(key, 1) for key in range(1, 60)), payment(60, 2, tenant_id=1)],
    }
    module_meter_lab.put("two-tenants", files)
    found = wrong(measure(module_meter_lab, LOAD_JOB, export_id="two-tenants", allow_shrink=True))
    assert found["payments.tenant_consistency"] == "WARN"
    assert [name for name in found if name.endswith("tenant_consistency")] == ["payments.tenant_consistency"]


# --- all of them ------------------------------------------------------------------------------------------------------

ELSEWHERE = {
    # by what an export brings, above: the check is the same for every table
    *(f"{table}.{name}" for table in LOADS for name in ("reject_rate", "duplicate_rate", "tenant_consistency")),
    *(f"{table}.orphan_rate" for table in LOADS if table != "tenants"),
    "overpayments.overpayments_file",  # with the bad input
}


def test_every_check_is_broken_somewhere() -> None:
    assert set(BROKEN) | set(MORE) | ELSEWHERE == every_check()
    assert {name.partition(".")[0] for name in every_check()} == {*LOADS, *STEPS, "export_pruned"}
    assert len(TENANTS) > 1
