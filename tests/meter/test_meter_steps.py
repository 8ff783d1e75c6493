"""How the steps behave around their figures: gates, options, dry runs, reruns, tenants apart, rollback, prune."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from meter_assets.assets import METER
from meter_assets.rollback import PARTS, roll_back_tenant
from migration import embedded
from migration.declare.parts import PartRollback
from migration.errors import Refused
from migration.rollback import RollbackRefused, RollbackRequest, roll_back
from tests.meter.conftest import installation
from tests.meter.meter_cases import invoice, invoiced, payment
from tests.meter.meter_harness import DRY_RUN_JOB, SHADOW, STEPS_JOB, Lab, location
from tests.meter.meter_small import (
    EVERYTHING,
    FIRST,
    LOADS,
    SECOND,
    STEPS,
    TARGETS,
    TENANTS,
    balances,
    copy_of,
    count,
    counts,
    drifting,
    findings,
    fingerprints,
    first_of,
    homeless,
    housed,
    observed,
    small,
    statuses,
    without,
    written_into,
)

SYNC_JOB, ROLLBACK_JOB = "meter_sync_job", "meter_rollback_job"
COMPUTED = [(60, 0, True)] * 3 + [(0, 40, True)]
UNTOUCHED = [(0, 0, False)] * 4
BLOCKED, DRIFTED = 2, 3


# --- installations to start from --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def first(server: embedded.EmbeddedServer, meter_template: str, tmp_path_factory: Any) -> Iterator[Lab]:
    """An export that is loaded: of tenant 2 a payment leads nowhere, of tenant 3 a customer will drift."""
    with installation(server, meter_template, tmp_path_factory.mktemp("first")) as lab:
        lab.put(FIRST, drifting(homeless(small(), BLOCKED), DRIFTED))
        assert lab.load(FIRST).failures == {}
        yield lab


@pytest.fixture(scope="module")
def stepped(server: embedded.EmbeddedServer, first: Lab, tmp_path_factory: Any) -> Iterator[Lab]:
    """The same after the steps of all tenants."""
    with copy_of(server, first, tmp_path_factory.mktemp("stepped")) as lab:
        ran = lab.steps(FIRST, TENANTS)
        assert [each.stopped_at for each in ran.values()] == [None, "payments_gate", "full_validation"]
        yield lab


@pytest.fixture(scope="module")
def refusing(server: embedded.EmbeddedServer, stepped: Lab, tmp_path_factory: Any) -> Iterator[Lab]:
    """A copy of it for runs that write nothing but the run log."""
    with copy_of(server, stepped, tmp_path_factory.mktemp("refusing")) as lab:
        yield lab


@pytest.fixture
def loaded(server: embedded.EmbeddedServer, first: Lab, tmp_path_factory: Any) -> Iterator[Lab]:
    """A copy of the loaded one."""
    with copy_of(server, first, tmp_path_factory.mktemp("loaded")) as lab:
        yield lab


@pytest.fixture
def done(server: embedded.EmbeddedServer, stepped: Lab, tmp_path_factory: Any) -> Iterator[Lab]:
    """A copy of the one whose steps have run."""
    with copy_of(server, stepped, tmp_path_factory.mktemp("done")) as lab:
        yield lab


def error_of(lab: Lab, partition: int, *selection: str, job: str = STEPS_JOB, **options: Any) -> str:
    """Why the first asset of a run failed; the run wrote nothing."""
    before = written_into(lab)
    ran = lab.run(job, str(partition), selection or None, **{"export_id": FIRST, **options})
    assert written_into(lab) == before
    assert ran.stopped_at is not None
    return ran.failures[ran.stopped_at]


# --- tenants apart ----------------------------------------------------------------------------------------------------


def test_tenants_end_each_for_itself(stepped: Lab) -> None:
    assert balances(stepped, 1) == COMPUTED
    assert balances(stepped, BLOCKED) == UNTOUCHED
    assert balances(stepped, DRIFTED) == COMPUTED, "the data of a failed validation stays, to be looked at"
    assert findings(stepped, 1) == {(5, "CUSTOMER_SPLIT")}
    assert findings(stepped, BLOCKED) == {(3, "PAYMENT_WITHOUT_METER")}
    assert findings(stepped, DRIFTED) == {(5, "CUSTOMER_DRIFT"), (5, "CUSTOMER_SPLIT"), (5, "TENANT_TOTAL_DRIFT")}
    assert count(stepped, "customer_balances_backup", f"tenant_id = {BLOCKED}") == 0


def test_run_log_says_how_each_step_of_each_tenant_ended(stepped: Lab) -> None:
    log = stepped.fetch(
        "SELECT partition, asset, status, source_rows, loaded, skipped, merged + rejected"
        " FROM meter.migration_run_log WHERE partition IS NOT NULL"
    )
    ended = {(int(row[0]), row[1]): (row[2], row[3:]) for row in log}
    for tenant, customers, payments, unassigned in ((1, 4, 5, 0), (BLOCKED, 5, 6, 1), (DRIFTED, 4, 5, 0)):
        entities, gate = payments + 1, "blocked" if unassigned else "success"
        assert ended[tenant, "payment_meter_ids"] == ("success", (entities, entities - unassigned, unassigned, 0))
        assert ended[tenant, "invoice_amounts"] == ("success", (4, 4, 0, 0))
        assert ended[tenant, "payments_gate"] == (gate, (payments, payments - unassigned, unassigned, 0))
        assert ((tenant, "customer_balances_backup") in ended) is not bool(unassigned)
        if not unassigned:
            assert ended[tenant, "customer_balances_backup"] == ("success", (customers, customers, 0, 0))
            assert ended[tenant, "meter_balances"] == ("success", (4, 4, 0, 0))
    assert ended[1, "full_validation"] == ("success", (1, 1, 0, 0))
    assert ended[DRIFTED, "full_validation"] == ("validation_failed", (3, 3, 0, 0))


def test_validation_says_what_comes_next(done: Lab) -> None:
    ran = done.run(STEPS_JOB, "1", ["full_validation"], export_id=FIRST)
    facts = ran.metadata["full_validation"]
    assert facts["findings"] == {"CUSTOMER_SPLIT": 1}
    assert facts["backup_table"] == "meter.customer_balances_backup"
    assert len(facts["follow_up"]) == 4
    assert float(facts["seconds_since_step_1"]) >= 0
    amounts = done.run(STEPS_JOB, "1", ["invoice_amounts"], export_id=FIRST).metadata["invoice_amounts"]
    names = ("total", "updated", "already_correct", "no_bills", "discrepancies", "sum_of_differences")
    assert tuple(amounts[name] for name in names) == (4, 1, 3, 0, 1, "20.00")


def test_tenants_are_repaired_by_a_new_export(done: Lab) -> None:
    done.put(SECOND, housed(small(), BLOCKED))
    assert done.load(SECOND).failures == {}
    ran = done.steps(SECOND, TENANTS)
    assert [each.failures for each in ran.values()] == [{}, {}, {}]
    assert balances(done, BLOCKED) == [*COMPUTED, (0, 50, True)]
    assert {step for tenant in TENANTS for step, _ in findings(done, tenant)} == {5}
    backups = "SELECT export_id, count(*) FROM meter.customer_balances_backup GROUP BY 1 ORDER BY 1"
    assert done.fetch(backups) == [(FIRST, 8), (SECOND, 13)]


# --- gates ------------------------------------------------------------------------------------------------------------


def test_gate_holds_in_later_runs_of_one_step(done: Lab) -> None:
    for step, gate in (("customer_balances_backup", "payments_gate"), ("meter_balances", "customer_balances_backup")):
        text = error_of(done, BLOCKED, step)
        assert text.startswith(f"GateShut: Gate shut: {gate}"), text
    assert "'blocked'" in error_of(done, BLOCKED, "customer_balances_backup")
    assert "'never ran'" in error_of(done, BLOCKED, "full_validation")


def test_gate_is_passed_only_by_name_and_the_log_says_so(done: Lab) -> None:
    text = error_of(done, BLOCKED, "full_validation", override_gate=["payments_gate"])
    assert text.startswith("GateShut: "), "another gate than the one that is shut"
    ran = done.run(STEPS_JOB, str(BLOCKED), ["full_validation"], export_id=FIRST, override_gate=["meter_balances"])
    assert ran.failures["full_validation"].startswith("[2] Found: ")
    log = f"SELECT overrides, status FROM meter.migration_run_log WHERE run_id = '{ran.run_id}'"
    assert done.fetch(log) == [(["meter_balances"], "validation_failed")]


@pytest.mark.parametrize(
    ("step", "gates"),
    [("customer_balances_backup", ["payments_gate"]), ("meter_balances", ["customer_balances_backup"])],
)
def test_money_never_passes_without_meters(done: Lab, step: str, gates: list[str]) -> None:
    text = error_of(done, BLOCKED, step, override_gate=gates, skip_validation=True)
    assert text.startswith("UNASSIGNED_PAYMENTS: 1 payments of tenant 2 "), text
    status = "SELECT status FROM meter.migration_run_log ORDER BY started_at DESC LIMIT 1"
    assert done.fetch(status) == [("blocked",)]


def test_skipped_validation_opens_the_gate_but_not_the_step_behind_it(done: Lab) -> None:
    ran = done.run(STEPS_JOB, str(BLOCKED), export_id=FIRST, skip_validation=True)
    assert list(ran.failures) == ["customer_balances_backup"]
    assert ran.failures["customer_balances_backup"].startswith("UNASSIGNED_PAYMENTS: ")
    ended = statuses(done, ran.run_id)
    assert (ended["payments_gate"], ended["customer_balances_backup"]) == ("success", "blocked")
    assert findings(done, BLOCKED) == set(), "the gate has removed its findings"
    assert balances(done, BLOCKED) == UNTOUCHED


def test_skipped_validation_compares_nothing(done: Lab) -> None:
    ran = done.run(STEPS_JOB, str(DRIFTED), export_id=FIRST, skip_validation=True)
    assert ran.failures == {}
    assert findings(done, DRIFTED) == set()
    assert error_of(done, DRIFTED, job=SYNC_JOB).startswith("VALIDATION_NOT_PASSED: ")


@pytest.mark.slow
def test_blocked_tenant_loses_its_older_validation_and_keeps_its_balances(done: Lab) -> None:
    done.put(SECOND, homeless(homeless(small(), 1), BLOCKED))
    assert done.load(SECOND).failures == {}
    ran = done.run(STEPS_JOB, "1", export_id=SECOND)
    assert ran.stopped_at == "payments_gate"
    assert findings(done, 1) == {(3, "PAYMENT_WITHOUT_METER")}
    assert balances(done, 1) == COMPUTED


# --- confirmation and options -----------------------------------------------------------------------------------------


def test_live_run_asks_for_confirmation_before_it_writes(done: Lab) -> None:
    # The last one first: what is refused shuts the gates of what comes after it.
    for step in ("customer_balance_sync", *reversed(STEPS)):
        job = SYNC_JOB if step == "customer_balance_sync" else STEPS_JOB
        text = error_of(done, 1, step, job=job, confirm=False)
        assert text.startswith("CONFIRMATION_REQUIRED: "), text


def test_refused_run_leaves_the_gates_as_they_were(done: Lab) -> None:
    assert error_of(done, 1, confirm=False).startswith("CONFIRMATION_REQUIRED: ")
    assert done.run(STEPS_JOB, "1", ["invoice_amounts"], export_id=FIRST).failures == {}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("drift_tolerance", value) for value in ("x", "", "-0.01", "NaN", "Infinity", "1,0")),
        ("fail_on", "warn"),
        ("fail_on", "ERROR"),
        ("billed_basis", "total"),
        ("no_bills_policy", ""),
    ],
)
def test_option_that_is_none_of_its_words_is_refused(refusing: Lab, option: str, value: str) -> None:
    text = error_of(refusing, 1, **{option: value})
    assert text.startswith("INVALID_OPTION: "), text
    assert option in text


@pytest.mark.parametrize(
    ("tolerance", "passes"), [("1", True), ("0.99", False), ("1.00", True), ("0", False), ("1e1", True)]
)
def test_exactly_the_tolerance_passes(done: Lab, tolerance: str, passes: bool) -> None:
    ran = done.run(STEPS_JOB, str(DRIFTED), ["full_validation"], export_id=FIRST, drift_tolerance=tolerance)
    assert (ran.failures == {}) is passes
    assert ((5, "CUSTOMER_DRIFT") in findings(done, DRIFTED)) is not passes


def test_only_critical_findings_fail_where_the_run_says_so(done: Lab) -> None:
    ran = done.run(STEPS_JOB, str(DRIFTED), ["full_validation"], export_id=FIRST, fail_on="critical")
    assert ran.failures == {}
    assert (5, "CUSTOMER_DRIFT") in findings(done, DRIFTED)
    assert ran.checks["customer_drift"] == "WARN"
    done.execute(f"UPDATE meter.meters SET balance = balance + 1 WHERE id = {first_of(DRIFTED)}")
    ran = done.run(STEPS_JOB, str(DRIFTED), ["full_validation"], export_id=FIRST, fail_on="critical")
    assert ran.failures["full_validation"] == "[3] Found: meter_balances_match, validation_passed."


@pytest.fixture(scope="module")
def arrears(server: embedded.EmbeddedServer, meter_template: str, tmp_path_factory: Any) -> Iterator[Lab]:
    """Tenant 1 with a second invoice that carries 60.00 over, and one without bills."""
    with installation(server, meter_template, tmp_path_factory.mktemp("arrears")) as lab:
        export, key = small((1,)), first_of(1)
        for table, row in invoiced(500, key, key, 30, 60, invoice_date="2024-03-01"):
            export[table].append(row)
        export["invoices"].append(invoice(501, key, key, (70, 5, 75), invoice_date="2024-04-01"))
        lab.put(FIRST, export)
        assert lab.load(FIRST).failures == {}
        yield lab


@pytest.mark.parametrize(
    ("options", "billed", "found"),
    [
        ({}, 130, {"CUSTOMER_DRIFT"}),
        ({"no_bills_policy": "keep"}, 200, {"CUSTOMER_DRIFT"}),
        ({"billed_basis": "total_amount"}, 190, {"CUSTOMER_DRIFT", "CARRY_FORWARD_EXPOSURE"}),
        (
            {"billed_basis": "total_amount", "no_bills_policy": "keep"},
            265,
            {"CUSTOMER_DRIFT", "CARRY_FORWARD_EXPOSURE"},
        ),
    ],
)
def test_what_is_billed_and_what_becomes_of_invoices_without_bills(
    server: embedded.EmbeddedServer,
    arrears: Lab,
    tmp_path_factory: Any,
    options: dict[str, str],
    billed: int,
    found: set[str],
) -> None:
    with copy_of(server, arrears, tmp_path_factory.mktemp("arrears")) as lab:
        ran = lab.run(STEPS_JOB, "1", export_id=FIRST, **options)
        assert ran.stopped_at == "full_validation"
        assert ran.checks["ledger_conservation"] == "passed"
        ((total,),) = lab.fetch(f"SELECT total_billed FROM meter.meters WHERE id = {first_of(1)}")
        assert total == billed
        assert {name for _, name in findings(lab, 1)} - {"CUSTOMER_SPLIT", "TENANT_TOTAL_DRIFT"} == found


# --- dry runs ---------------------------------------------------------------------------------------------------------


def test_dry_run_gives_the_numbers_of_the_live_run_and_writes_no_table(loaded: Lab) -> None:
    before = loaded.images(*EVERYTHING)
    dry = {tenant: loaded.run(DRY_RUN_JOB, str(tenant), export_id=FIRST) for tenant in TENANTS}
    assert loaded.images(*EVERYTHING) == before
    assert [each.failures for each in dry.values()] == [{}, {}, {}], "a dry run goes on whatever it finds"
    assert set(statuses(loaded, dry[1].run_id).values()) == {"dry_run_ok"}
    issues = {
        tenant: {a for a, s in statuses(loaded, dry[tenant].run_id).items() if s == "dry_run_issues"} for tenant in dry
    }
    assert issues[BLOCKED] >= {"payments_gate", "full_validation"}
    assert issues[DRIFTED] == {"full_validation"}
    live = loaded.steps(FIRST, TENANTS)
    for tenant in (1, DRIFTED):
        assert counts(loaded, dry[tenant].run_id) == counts(loaded, live[tenant].run_id)
    reached = counts(loaded, live[BLOCKED].run_id)
    assert {a: n for a, n in counts(loaded, dry[BLOCKED].run_id).items() if a in reached} == reached


def test_dry_run_says_what_the_live_run_would_change(loaded: Lab) -> None:
    dry = loaded.run(DRY_RUN_JOB, "1", export_id=FIRST)
    shadow = fingerprints(loaded, schema=SHADOW)
    said = {asset: facts["difference"] for asset, facts in observed(loaded, dry.run_id).items()}
    changes = {asset: (each["inserted"], each["updated"], each["deleted"]) for asset, each in said.items()}
    assert changes == {
        "payment_meter_ids": (0, 5, 0),
        "invoice_amounts": (0, 4, 0),
        "payments_gate": (0, 0, 0),
        "customer_balances_backup": (4, 0, 0),
        "meter_balances": (0, 4, 0),
        "full_validation": (1, 0, 0),
    }
    loaded.steps(FIRST, (1,))
    assert fingerprints(loaded) == shadow


def test_dry_run_needs_no_confirmation_and_no_open_gate(done: Lab) -> None:
    before = written_into(done)
    ran = done.run(DRY_RUN_JOB, str(BLOCKED), ["full_validation"], export_id=FIRST, confirm=False)
    assert ran.failures == {}
    assert written_into(done) == before


@pytest.mark.slow
def test_dry_run_of_a_load_counts_and_writes_nothing(done: Lab) -> None:
    done.put(SECOND, without(small(), first_of(1)))
    before = done.images(*EVERYTHING)
    dry = done.run("meter_load_dry_run", export_id=SECOND)
    assert dry.failures == {}
    assert done.images(*EVERYTHING) == before
    live = done.load(SECOND, allow_shrink=True)
    assert counts(done, dry.run_id) == counts(done, live.run_id)


# --- again ------------------------------------------------------------------------------------------------------------


def test_everything_again_writes_no_row(done: Lab) -> None:
    before = done.images(*EVERYTHING)
    assert done.load(FIRST).failures == {}
    done.steps(FIRST, TENANTS)
    assert done.images(*EVERYTHING) == before


@pytest.mark.slow
def test_load_again_without_its_memory_writes_no_row(done: Lab) -> None:
    before = done.images(*TARGETS, "rejected_row", "row_change")
    done.execute("UPDATE meter.migration_run_log SET inputs_digest = NULL")
    assert done.load(FIRST).failures == {}
    assert done.images(*TARGETS, "rejected_row", "row_change") == before


@pytest.mark.parametrize("step", STEPS)
def test_one_step_again_mends_what_was_changed_behind_its_back(done: Lab, step: str) -> None:
    whole = fingerprints(done)
    done.execute(TAMPERED[step])
    assert fingerprints(done) != whole
    assert done.run(STEPS_JOB, "1", [step], export_id=FIRST).failures == {}
    assert fingerprints(done) == whole


TAMPERED = {
    "payment_meter_ids": "UPDATE meter.payments SET meter_id = NULL, meter_id_source = NULL WHERE tenant_id = 1",
    "invoice_amounts": "UPDATE meter.invoices SET amount = 1, total_amount = 1 WHERE tenant_id = 1",
    "payments_gate": "INSERT INTO meter.validation_discrepancy VALUES"
    " (1, 3, 'PAYMENT_WITHOUT_METER', 'payment', 1, 'CRITICAL', 'x')",
    "customer_balances_backup": "DELETE FROM meter.customer_balances_backup WHERE tenant_id = 1",
    "meter_balances": "UPDATE meter.meters SET balance = 0, overpayment = 7 WHERE tenant_id = 1",
    "full_validation": "DELETE FROM meter.validation_discrepancy WHERE tenant_id = 1",
}


@pytest.mark.slow
def test_first_backup_of_an_export_is_never_overwritten(done: Lab) -> None:
    done.execute("UPDATE meter.customer_balances_backup SET balance = 7 WHERE tenant_id = 1")
    assert done.run(STEPS_JOB, "1", ["customer_balances_backup"], export_id=FIRST).failures == {}
    assert count(done, "customer_balances_backup", "tenant_id = 1 AND balance = 7") == 4


# --- rollback of a tenant ---------------------------------------------------------------------------------------------

TOUCHED = {
    "customer_balances": ("customers",),
    "meter_balances": ("meters",),
    "invoice_amounts": ("invoices",),
    "payment_meter_ids": ("payments", "overpayments"),
}


def undo(lab: Lab, tenant: Any = 1, *parts: str, export_id: str = "") -> dict[str, int]:
    request = PartRollback(str(tenant), parts, export_id, f"undo-{','.join(parts)}")
    return roll_back_tenant(lab.engine, request).changed


def of_tenant(lab: Lab, tenant: int = 1) -> dict[str, Any]:
    """The loaded rows of one tenant."""
    return {t: sorted(map(str, lab.rows(t, where=f"tenant_id = {tenant}"))) for t in LOADS if t != "tenants"}


@pytest.mark.parametrize("part", PARTS)
def test_each_part_goes_back_to_what_the_load_gave(first: Lab, done: Lab, part: str) -> None:
    assert done.run(SYNC_JOB, "1", export_id=FIRST).failures == {}
    before, others = of_tenant(done), of_tenant(done, DRIFTED)
    changed = undo(done, 1, part)
    assert set(changed) == set(TOUCHED[part])
    after, fresh = of_tenant(done), of_tenant(first)
    assert {t for t in after if after[t] == fresh[t] and before[t] != fresh[t]} == set(TOUCHED[part])
    assert {t for t in after if after[t] != before[t]} == set(TOUCHED[part]), "and nothing else changes"
    assert of_tenant(done, DRIFTED) == others
    assert count(done, "customer_balances_backup") == 8


@pytest.mark.slow
def test_all_parts_give_the_fingerprints_of_the_load(first: Lab, done: Lab) -> None:
    for tenant in (1, DRIFTED):
        undo(done, tenant)
    undo(done, BLOCKED, *PARTS[1:])
    assert fingerprints(done, LOADS) == fingerprints(first, LOADS)


@pytest.mark.parametrize(
    ("part", "step", "gate"),
    [
        ("meter_balances", "full_validation", "meter_balances"),
        ("invoice_amounts", "payments_gate", "invoice_amounts"),
        ("invoice_amounts", "full_validation", "meter_balances"),
        ("payment_meter_ids", "invoice_amounts", "payment_meter_ids"),
        ("payment_meter_ids", "customer_balances_backup", "payments_gate"),
    ],
)
def test_gates_are_shut_after_a_rollback(done: Lab, part: str, step: str, gate: str) -> None:
    undo(done, 1, part)
    text = error_of(done, 1, step)
    assert text.startswith(f"GateShut: Gate shut: {gate}"), text
    assert "'rolled_back'" in text
    assert done.run(STEPS_JOB, str(DRIFTED), ["invoice_amounts"], export_id=FIRST).failures == {}


def test_steps_after_a_rollback_give_the_same_bytes(done: Lab) -> None:
    whole = fingerprints(done)
    undo(done)
    assert done.run(STEPS_JOB, "1", export_id=FIRST).failures == {}
    assert fingerprints(done) == whole


def test_rollback_without_a_backup_changes_nothing(done: Lab) -> None:
    before = written_into(done)
    with pytest.raises(Refused, match="no backup") as refused:
        undo(done, BLOCKED)
    assert refused.value.kind == "BACKUP_MISSING"
    assert written_into(done) == before
    assert set(undo(done, BLOCKED, "payment_meter_ids", "invoice_amounts")) == {"payments", "overpayments", "invoices"}


@pytest.mark.parametrize(
    ("tenant", "parts", "kind"),
    [(1, ("meter_balances", "nosuch"), "UNKNOWN_PART"), (99, (), "UNKNOWN_TENANT"), ("01", (), "UNKNOWN_TENANT")],
)
def test_rollback_of_what_is_not_there_is_refused(stepped: Lab, tenant: Any, parts: tuple[str, ...], kind: str) -> None:
    before = written_into(stepped)
    with pytest.raises(Refused) as refused:
        undo(stepped, tenant, *parts)
    assert refused.value.kind == kind
    assert written_into(stepped) == before


@pytest.mark.parametrize("export_id", [FIRST, "nosuch"])
def test_rollback_of_an_unknown_tenant_is_refused_whatever_the_export(stepped: Lab, export_id: str) -> None:
    with pytest.raises(Refused) as refused:
        undo(stepped, 99, export_id=export_id)
    assert refused.value.kind == "UNKNOWN_TENANT"


def roll_back_by_job(lab: Lab, partition: str, **config: Any) -> tuple[bool, str]:
    """Run the rollback job; whether it succeeded, and why it did not."""
    lab.register(partition)
    with lab._surroundings():
        result = (
            location()
            .defs.resolve_job_def(ROLLBACK_JOB)
            .execute_in_process(
                run_config={"ops": {"meter_roll_back_tenant": {"config": config}}},
                instance=lab.instance,
                partition_key=partition,
                raise_on_error=False,
            )
        )
    failed = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return result.success, str(failed[0].user_failure_data.description) if failed else ""


def test_rollback_job(first: Lab, done: Lab) -> None:
    before = written_into(done)
    refused = {
        "CONFIRMATION_REQUIRED": ("1", {}),
        "UNKNOWN_PART": ("1", {"confirm": True, "parts": ["nosuch"]}),
        "BACKUP_MISSING": (str(BLOCKED), {"confirm": True}),
    }
    for kind, (partition, config) in refused.items():
        success, why = roll_back_by_job(done, partition, **config)
        assert (success, why.split(":")[0]) == (False, kind)
    for partition in ("99", "abc", "01"):
        assert roll_back_by_job(done, partition, confirm=True)[1].startswith("UNKNOWN_TENANT: ")
    assert written_into(done) == before
    assert roll_back_by_job(done, "1", confirm=True) == (True, "")
    assert of_tenant(done) == of_tenant(first)
    log = "SELECT partition, status, loaded FROM meter.migration_run_log WHERE asset = 'rollback'"
    assert done.fetch(log) == [("1", "success", 14)]


def test_rollback_to_the_backup_of_an_older_export(done: Lab) -> None:
    """The older export says what customers owed; what the load gave is what the loaded one gave."""
    export = housed(small(), BLOCKED)
    export["payments"][0]["meter_id"] = first_of(1)
    done.put(SECOND, export)
    assert done.load(SECOND).failures == {}
    fresh = of_tenant(done)
    undo(done, 1, "payment_meter_ids")
    initial = of_tenant(done)["payments"]
    assert done.run(STEPS_JOB, "1", export_id=SECOND).failures == {}
    undo(done, 1, export_id=FIRST)
    after = of_tenant(done)
    assert after["payments"] == initial
    assert after["customers"] == fresh["customers"]
    assert error_of(done, 1, "full_validation", export_id=SECOND).startswith("GateShut: ")


# --- customers' balances from their meters ----------------------------------------------------------------------------

CUSTOMERS = (
    "SELECT balance, overpayment, balances_synced_export_id FROM meter.customers WHERE tenant_id = 1 ORDER BY id"
)


def test_sync_only_after_a_validation_that_passed(done: Lab) -> None:
    for tenant in (BLOCKED, DRIFTED):
        for overridden in ([], ["full_validation"]):
            text = error_of(done, tenant, job=SYNC_JOB, override_gate=overridden)
            assert text.startswith("VALIDATION_NOT_PASSED: "), text


def test_sync_survives_a_load_and_ends_by_a_rollback(done: Lab) -> None:
    assert done.run(SYNC_JOB, "1", export_id=FIRST).failures == {}
    synced = [(60, 0, FIRST)] * 3 + [(0, 40, FIRST)]
    assert done.fetch(CUSTOMERS) == synced
    before = written_into(done)
    assert done.run(SYNC_JOB, "1", export_id=FIRST).failures == {}
    assert written_into(done) == before

    export = housed(small(), BLOCKED)
    for user in export["users"]:
        user["balance"] = 1000
    done.put(SECOND, export)
    assert done.load(SECOND).failures == {}
    assert done.fetch(CUSTOMERS) == synced, "a load leaves synced balances alone"
    assert done.fetch("SELECT DISTINCT balance FROM meter.customers WHERE tenant_id = 3") == [(1000,)]

    with pytest.raises(Refused, match="no backup"):
        undo(done, 1, "customer_balances")
    undo(done, 1, "customer_balances", export_id=FIRST)
    assert done.fetch(CUSTOMERS) == [(60, 0, None)] * 3 + [(10, 50, None)]
    # A load that remembers its inputs looks only at the columns that are always its own.
    done.execute("UPDATE meter.migration_run_log SET inputs_digest = NULL")
    assert done.load(SECOND).failures == {}
    assert done.fetch(CUSTOMERS)[0] == (1000, 0, None), "and then loads set them again"


@pytest.mark.slow
def test_dry_run_of_the_sync_needs_no_validation(done: Lab) -> None:
    tags = {"migration/dry_run": "true", "dagster/defer_asset_events": "true"}
    before = written_into(done)
    ran = done.run(SYNC_JOB, str(DRIFTED), tags=tags, export_id=FIRST)
    assert ran.failures == {}
    assert written_into(done) == before


# --- exports after each other -----------------------------------------------------------------------------------------


def test_load_of_another_export_shuts_the_steps_of_the_older_one(loaded: Lab) -> None:
    assert loaded.run(STEPS_JOB, "1", ["payment_meter_ids", "invoice_amounts"], export_id=FIRST).failures == {}
    loaded.put(SECOND, housed(small(), BLOCKED))
    assert loaded.load(SECOND).failures == {}
    for step in ("invoice_amounts", "payment_meter_ids"):
        text = error_of(loaded, 1, step, override_gate=["export_pruned"])
        assert text.startswith(f"GateShut: Gate shut: export {SECOND} "), text
    assert "GateShut: Gate shut: payment_meter_ids" in error_of(loaded, 1, "invoice_amounts", export_id=SECOND)
    assert loaded.run(STEPS_JOB, "1", export_id=SECOND).failures == {}


def test_prune_removes_rows_of_older_exports_and_lets_payments_forget_their_meters(done: Lab) -> None:
    key = first_of(1)
    gone = housed(without(small(), key), BLOCKED)
    # The customer's payment comes again, from somebody else; its meter goes.
    gone["payments"].append(payment(key, key + 1, 40))
    gone["users"][0]["balance"] = 20
    done.put(SECOND, gone)
    ran = done.load(SECOND, allow_shrink=True)
    assert ran.failures == {}
    facts = ran.metadata["export_pruned"]
    removed = {table: facts[f"removed_{table}"] for table in LOADS if facts[f"removed_{table}"]}
    assert removed == dict.fromkeys(
        ("customers", "meters", "meter_assignments", "bills", "invoices", "invoice_bills"), 1
    )
    assert done.fetch(f"SELECT meter_id, meter_id_source FROM meter.payments WHERE id = {key}") == [(None, None)]
    assert count(done, "customer_balances_backup", f"customer_id = {key}") == 1, "backups stay"
    assert {count(done, table, f"export_id <> '{SECOND}'") for table in LOADS} == {0}
    assert done.run(STEPS_JOB, "1", export_id=SECOND).failures == {}
    assert done.fetch(f"SELECT meter_id FROM meter.payments WHERE id = {key}") == [(key + 1,)]


@pytest.mark.slow
def test_pair_that_comes_under_another_id_takes_the_place_of_the_old_one(done: Lab) -> None:
    export = housed(small(), BLOCKED)
    for number, row in enumerate(export["invoice_bills"]):
        row["id"] = 5_000 + number
    done.put(SECOND, export)
    ran = done.load(SECOND)
    assert ran.failures == {}
    assert ran.metadata["invoice_bills"]["pairs_released"] == 12
    assert done.fetch("SELECT min(id), max(id), count(*) FROM meter.invoice_bills") == [(5_000, 5_011, 12)]


# --- rollback of a load -----------------------------------------------------------------------------------------------


def test_rollback_of_a_load_restores_what_was_there(done: Lab) -> None:
    before = fingerprints(done)
    done.put(SECOND, housed(without(small(), first_of(3)), BLOCKED))
    ran = done.load(SECOND, allow_shrink=True)
    assert ran.failures == {}
    assert fingerprints(done) != before
    report = roll_back(done.engine, METER, RollbackRequest(ran.run_id, "", force=False, by_run="undo"))
    assert report.proved
    assert fingerprints(done) == before
    assert error_of(done, 1, export_id=SECOND).startswith("GateShut: ")
    assert done.run(STEPS_JOB, "1", export_id=FIRST).failures == {}, "the first export is what is loaded again"
    assert fingerprints(done) == before


@pytest.mark.slow
def test_rollback_of_a_load_that_steps_have_built_on_is_refused(done: Lab) -> None:
    done.put(SECOND, housed(small(), BLOCKED))
    ran = done.load(SECOND)
    done.steps(SECOND, (1, BLOCKED))
    both = fingerprints(done)
    with pytest.raises(RollbackRefused, match="changed since"):
        roll_back(done.engine, METER, RollbackRequest(ran.run_id, "", force=False, by_run="undo"))
    assert fingerprints(done) == both


# --- cost -------------------------------------------------------------------------------------------------------------


def counting(run: Callable[[], Any]) -> int:
    """How many statements a run sends to PostgreSQL."""
    sent: list[str] = []

    def note(connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if connection.dialect.name == "postgresql":
            sent.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        run()
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    return len(sent)


def test_number_of_statements_does_not_depend_on_the_number_of_rows(meter_lab: Lab) -> None:
    few, many = small((1,), 5), small((2,), 100)
    meter_lab.put(FIRST, {table: [*few[table], *many[table]] for table in few})
    assert meter_lab.load(FIRST).failures == {}
    sent: dict[int, dict[str, int]] = {1: {}, 2: {}}
    for step in STEPS:
        for tenant in sent:
            run = lambda t=tenant, s=step: meter_lab.run(STEPS_JOB, str(t), [s], export_id=FIRST)  # noqa: E731
            sent[tenant][step] = counting(run)
    assert sent[1] == sent[2]
    assert max(sent[1].values()) < 45, sent[1]
