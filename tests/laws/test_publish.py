"""Laws: nothing bad is published, a gate stays shut, nothing is lost, and three kinds of error are never mixed."""

import json
from typing import Any

import dagster as dg
import pytest

from tests.laws.conftest import FIRST, SECOND
from tests.laws.lab import BUSINESS, Lab, blocked_world, first_world, next_world, payment, run_job

# --- nothing bad is published -----------------------------------------------------------------------------------------


def test_a_blocked_asset_publishes_no_row_but_its_findings(lab: Lab) -> None:
    lab.export(FIRST, blocked_world())
    ran = run_job()

    assert not ran.success
    assert list(ran.failures) == ["customers_clean"]
    assert "customers_reject_rate" in ran.failures["customers_clean"]
    assert {name: lab.count(name) for name in BUSINESS} == dict.fromkeys(BUSINESS, 0)
    assert lab.fetch("SELECT reason_code, count(*) FROM skynet.rejected_row GROUP BY 1") == [("MISSING_ID", 7)]
    assert lab.fetch("SELECT outcome, count(*) FROM skynet.row_ledger GROUP BY 1") == [("rejected", 7)]
    assert lab.statuses(ran.run_id) == {"export": "success", "customers_clean": "blocked"}
    error, rejected = lab.fetch("SELECT error, rejected FROM skynet.migration_run_log WHERE status = 'blocked'")[0]
    assert (error, rejected) == ("Blocked by customers_reject_rate", 7)

    found = ran.checks["customers_reject_rate"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "rows not published" in str(found.description)
    assert ran.checks["customers_clean_conservation"].passed
    assert ran.materialized == ["export"]


def test_a_blocked_table_keeps_the_rows_it_had(loaded: Lab) -> None:
    """Whatever a step has written when its check fails is taken back; rows of the earlier export stay."""
    loaded.export(SECOND, next_world())
    steps = ("export", "customers_clean", "customers_final", "packages", "routers")
    assert run_job(only=steps).success
    before = loaded.fetch("SELECT t::text FROM skynet.customers t ORDER BY 1")
    log = loaded.fetch("SELECT t::text FROM skynet.customer_merge_log t ORDER BY 1")
    loaded.execute(
        "CREATE FUNCTION skynet.lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
        "CREATE TRIGGER lose BEFORE INSERT ON skynet.customers FOR EACH ROW"
        " WHEN (NEW.id = 'SRGD0100') EXECUTE FUNCTION skynet.lose()",
    )

    ran = run_job(only=("customers",))

    assert ran.failures == {"customers": "Blocked, no row published: customers_conservation."}
    assert loaded.fetch("SELECT t::text FROM skynet.customers t ORDER BY 1") == before
    assert loaded.fetch("SELECT t::text FROM skynet.customer_merge_log t ORDER BY 1") == log
    assert loaded.scalar("SELECT count(*) FROM skynet.row_change WHERE run_id = :run", run=ran.run_id) == 0
    assert loaded.statuses(ran.run_id) == {"customers": "blocked"}
    assert ran.checks["customers_conservation"].metadata["target_difference"].value == 1

    loaded.execute("DROP TRIGGER lose ON skynet.customers")
    assert run_job(only=("customers",)).success
    assert loaded.count("customers") == 25


def test_one_blocked_month_does_not_keep_the_others_back(loaded: Lab) -> None:
    loaded.export(SECOND, next_world())
    loaded.execute(
        "CREATE FUNCTION skynet.lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
        "CREATE TRIGGER lose BEFORE INSERT ON skynet.invoices FOR EACH ROW"
        " WHEN (NEW.customer_id = 'SRGD0100') EXECUTE FUNCTION skynet.lose()",
    )
    ran = run_job()
    assert list(ran.failures) == ["invoices"]
    statuses = loaded.statuses(ran.run_id)
    assert (statuses["invoices 2026-01-01"], statuses["invoices 2026-02-01"]) == ("success", "blocked")
    assert set(loaded.fetch("SELECT DISTINCT period::text, export_id FROM skynet.invoices")) == {
        ("2026-01-01", SECOND),
        ("2026-02-01", FIRST),
    }
    assert "transactions" not in ran.materialized

    month = run_job("skynet_months", months=("2026-01-01", "2026-01-01"), only=("transactions",))
    assert month.success, month.failures
    shut = run_job("skynet_months", months=("2026-02-01", "2026-02-01"), only=("transactions",))
    assert "Gate shut: invoices (partition 2026-02-01) is 'blocked'" in shut.failures["transactions"]


# --- a gate stays shut ------------------------------------------------------------------------------------------------


def test_a_later_run_of_what_is_downstream_is_shut_unless_it_says_so(loaded: Lab) -> None:
    loaded.export(SECOND, blocked_world())
    blocked = run_job()
    before = loaded.written()

    shut = run_job(only=("customers_final",))

    assert not shut.success
    line = shut.failures["customers_final"]
    assert f"Gate shut: customers_clean is 'blocked' for export {SECOND} (run {blocked.run_id})." in line
    assert "override_gate: [customers_clean]" in line
    assert loaded.written() == before
    failure = next(e for e in shut.events if e.is_step_failure).step_failure_data.user_failure_data
    assert failure.metadata["blocked_by_run"].value == blocked.run_id

    passed = run_job(only=("customers_final",), override_gate=["customers_clean"])
    assert passed.success, passed.failures
    overrides = loaded.scalar("SELECT overrides FROM skynet.migration_run_log WHERE run_id = :run", run=passed.run_id)
    assert overrides == ["customers_clean"]


def test_an_override_of_another_gate_passes_nothing(loaded: Lab) -> None:
    loaded.export(SECOND, blocked_world())
    run_job()
    shut = run_job(only=("customers_final",), override_gate=["export", "customers"])
    assert "Gate shut" in shut.failures["customers_final"]


@pytest.mark.parametrize(
    ("asset", "upstream"), [("customers_final", "customers_clean"), ("routers", "customers_final")]
)
def test_what_never_ran_for_an_export_shuts_the_gate(loaded: Lab, asset: str, upstream: str) -> None:
    """The success of an earlier export does not count."""
    loaded.export(SECOND, next_world())
    assert run_job(only=("export",)).success
    shut = run_job(only=(asset,))
    assert f"{upstream} is 'never ran' for export {SECOND}" in shut.failures[asset]


def test_a_gate_opens_when_the_upstream_asset_succeeds(loaded: Lab) -> None:
    loaded.export(SECOND, blocked_world())
    run_job()
    third = "20260425T190000Z"
    loaded.export(third, next_world())
    assert run_job().success
    assert "Gate shut" in run_job(only=("customers_final",), export_id=SECOND).failures["customers_final"]


def test_an_export_error_is_logged_as_failed_and_shuts_the_gate(loaded: Lab) -> None:
    folder = loaded.export(SECOND, next_world())
    (folder / "customers.json").write_bytes(b"[{]")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = []
    (folder / "manifest.json").write_text(json.dumps(manifest))
    before = loaded.written()
    ran = run_job()
    assert "ExportFormatError" in ran.failures["export"]
    assert loaded.written() == before
    assert loaded.statuses(ran.run_id) == {"export": "failed"}
    assert "ExportFormatError" in loaded.scalar(
        "SELECT error FROM skynet.migration_run_log WHERE run_id = :run", run=ran.run_id
    )


# --- one export in, traceable rows out; nothing is lost ---------------------------------------------------------------


def test_every_written_row_names_its_exports(loaded: Lab) -> None:
    loaded.export(SECOND, next_world())
    assert run_job().success
    for name in BUSINESS:
        firsts = {row[0] for row in loaded.fetch(f"SELECT DISTINCT first_export_id FROM skynet.{name}")}
        assert firsts <= {FIRST, SECOND}, name
    assert set(loaded.fetch("SELECT id, first_export_id, export_id FROM skynet.customers WHERE id >= 'SRGD0100'")) == {
        ("SRGD0100", SECOND, SECOND)
    }
    assert loaded.scalar("SELECT count(*) FROM skynet.customers WHERE first_export_id = :e", e=FIRST) == 24


def test_a_run_reads_one_export_even_if_a_newer_one_arrives(loaded: Lab) -> None:
    assert run_job(only=("export", "customers_clean"), export_id=FIRST).tags["migration/export_id"] == FIRST
    loaded.export(SECOND, next_world())
    named = run_job(export_id=FIRST)
    assert named.success
    assert loaded.fetch(
        "SELECT DISTINCT export_id FROM skynet.migration_run_log WHERE run_id = :run", run=named.run_id
    ) == [(FIRST,)]
    newest = run_job()
    assert newest.tags["migration/export_id"] == SECOND


def test_each_source_row_has_exactly_one_outcome_per_target(loaded: Lab) -> None:
    files = {"customers": 26, "transactions": 52, "branches": 2}
    rows = loaded.fetch(
        "SELECT source_table, target_table, count(*), count(DISTINCT source_row), min(source_row), max(source_row)"
        " FROM skynet.row_ledger GROUP BY 1, 2"
    )
    complete = {(s, t): (n, distinct, first, last) for s, t, n, distinct, first, last in rows}
    for target, source in (
        ("customers", "customers"),
        ("invoices", "transactions"),
        ("transactions", "transactions"),
        ("branch_summaries", "branches"),
    ):
        n = files[source]
        assert complete[source, target] == (n, n, 1, n), target
    assert loaded.scalar(
        "SELECT count(*) FROM skynet.row_ledger WHERE target_table = 'customers' AND outcome = 'loaded'"
    ) == loaded.count("customers")


def test_a_row_that_vanishes_on_the_way_is_found(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transform that drops a row is caught by the independent count, and nothing is published."""
    from skynet_assets.assets import customers

    real = customers.survivors_and_merged

    def forgetful(rows: Any) -> Any:
        kept, merged = real(rows)
        return kept.iloc[1:], merged

    monkeypatch.setattr(customers, "survivors_and_merged", forgetful)
    lab.export(FIRST, first_world())
    ran = run_job()
    assert "customers_clean_conservation" in ran.failures["customers_clean"]
    assert lab.count("customers") == 0


@pytest.mark.parametrize("loss", ["DELETE FROM skynet.invoices WHERE customer_id = 'SRGD0020'"])
def test_a_target_row_that_vanishes_is_found_by_the_checks_job(loaded: Lab, loss: str) -> None:
    loaded.execute("DELETE FROM skynet.transactions WHERE customer_id = 'SRGD0020'", loss)
    ran = run_job("skynet_checks")
    bad = {name for name, found in ran.checks.items() if not found.passed and found.severity.value == "ERROR"}
    assert bad == {"invoices_conservation", "transactions_conservation"}


# --- three kinds of error ---------------------------------------------------------------------------------------------


def test_a_bad_row_stops_nothing_and_a_bad_export_quarantines_nothing(lab: Lab) -> None:
    world = first_world()
    world.transactions[9] = payment(10, nominal_harus_dibayar="gratis")
    lab.export(FIRST, world)
    assert run_job().success
    codes = dict(lab.fetch("SELECT reason_code, count(*) FROM skynet.rejected_row GROUP BY 1"))
    assert codes == {"MISSING_ID": 1, "INVALID_AMOUNT": 2, "INVALID_PERIOD": 2, "ORPHAN_CUSTOMER": 2}

    broken = lab.export(SECOND, next_world())
    (broken / "transactions.json").unlink()
    before = lab.written()
    ran = run_job(export_id=SECOND)
    assert "ManifestMismatch" in ran.failures["export"]
    assert not ran.retried
    assert lab.written() == before
