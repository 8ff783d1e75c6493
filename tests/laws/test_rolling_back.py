"""Law: a rollback puts back what was there before, byte for byte, proves it, and loses nobody's later work."""

import pytest

from migration.rollback import RollbackRefused, RollbackReport, RollbackRequest, roll_back
from skynet_assets.assets import SKYNET
from tests.laws.conftest import FIRST, SECOND
from tests.laws.lab import BUSINESS, Image, Lab, Ran, next_world, run_job


def undo(lab: Lab, run_id: str = "", export_id: str = "", *, force: bool = False) -> RollbackReport:
    return roll_back(
        lab.engine, SKYNET, RollbackRequest(run_id, export_id, force, f"rollback-of-{run_id or export_id}")
    )


def business(lab: Lab) -> Image:
    """Every business row with its provenance and its times."""
    return {name: lab.fetch(f'SELECT t::text FROM skynet.{name} t ORDER BY t::text COLLATE "C"') for name in BUSINESS}


def load_second(lab: Lab) -> Ran:
    lab.export(SECOND, next_world())
    ran = run_job()
    assert ran.success, ran.failures
    return ran


def test_rolling_back_a_run_restores_every_byte_and_proves_it(loaded: Lab) -> None:
    before = business(loaded)
    ran = load_second(loaded)
    assert all(business(loaded)[name] != before[name] for name in BUSINESS if name != "customer_merge_log")

    report = undo(loaded, ran.run_id)

    assert business(loaded) == before
    assert report.proved
    assert {proof["asset"] for proof in report.proofs} >= {"customers", "invoices", "transactions", "packages"}
    assert report.restored["transactions"]["inserted"] == 1, "the superseded transaction comes back"
    assert set(loaded.statuses(ran.run_id).values()) == {"rolled_back"}
    assert loaded.statuses(f"rollback-of-{ran.run_id}") == {"rollback": "success"}


def test_rolling_back_the_first_run_leaves_empty_tables_and_the_rejects(loaded: Lab, first_run: str) -> None:
    report = undo(loaded, first_run)
    assert report.proved
    assert {name: loaded.count(name) for name in BUSINESS} == dict.fromkeys(BUSINESS, 0)
    assert loaded.count("rejected_row") == 5
    assert set(loaded.fetch("SELECT outcome FROM skynet.row_ledger")) == {("rejected",)}


@pytest.mark.slow
def test_rolling_back_an_export_undoes_all_its_runs(loaded: Lab) -> None:
    before = business(loaded)
    load_second(loaded)
    loaded.execute("UPDATE skynet.customers SET name = 'x' WHERE id = 'SRGD0009'")
    assert run_job(only=("customers",)).success

    report = undo(loaded, export_id=SECOND, force=True)

    assert len(report.runs) == 2
    after = business(loaded)
    assert {n: r for n, r in after.items() if n != "customers"} == {n: r for n, r in before.items() if n != "customers"}


def test_the_gate_is_shut_after_a_rollback_and_a_rerun_equals_the_first_run(loaded: Lab) -> None:
    ran = load_second(loaded)
    image = loaded.image()
    undo(loaded, ran.run_id)

    shut = run_job(only=("invoices", "transactions"))
    assert not shut.success
    assert "Gate shut" in shut.failures["invoices"]
    assert "'rolled_back'" in shut.failures["invoices"]

    assert run_job().success
    assert loaded.image() == image


def test_rows_changed_since_stop_a_rollback_with_their_keys(loaded: Lab) -> None:
    ran = load_second(loaded)
    loaded.execute("UPDATE skynet.customers SET name = 'By hand' WHERE id = 'SRGD0003'")
    changed = business(loaded)

    with pytest.raises(RollbackRefused, match="customers SRGD0003") as refused:
        undo(loaded, ran.run_id)

    assert "By hand" not in str(refused.value)
    assert business(loaded) == changed
    assert set(loaded.statuses(ran.run_id).values()) == {"success"}


@pytest.mark.slow
def test_force_overwrites_what_was_changed_since(loaded: Lab) -> None:
    before = business(loaded)
    ran = load_second(loaded)
    loaded.execute("UPDATE skynet.customers SET name = 'By hand' WHERE id = 'SRGD0003'")
    undo(loaded, ran.run_id, force=True)
    assert business(loaded) == before


def test_a_run_that_a_later_export_built_on_is_not_rolled_back(loaded: Lab, first_run: str) -> None:
    load_second(loaded)
    both = business(loaded)
    with pytest.raises(RollbackRefused, match=f"changed since run {first_run}"):
        undo(loaded, first_run)
    assert business(loaded) == both


def test_rows_that_later_rows_point_to_stay(loaded: Lab) -> None:
    """A run of the customers alone, then one of the payments: the first cannot go without the second."""
    loaded.export(SECOND, next_world())
    customers = run_job(only=("export", "customers_clean", "customers_final", "packages", "routers", "customers"))
    assert customers.success
    assert run_job(only=("payments_clean", "invoices", "transactions")).success
    both = business(loaded)
    with pytest.raises(RollbackRefused, match="point to rows"):
        undo(loaded, customers.run_id)
    assert business(loaded) == both


def test_a_change_outside_of_any_run_is_found_by_the_proof(loaded: Lab) -> None:
    ran = load_second(loaded)
    loaded.execute(
        "INSERT INTO skynet.packages (id, name, name_key, first_export_id, export_id)"
        " VALUES (gen_random_uuid(), 'By hand', 'BY HAND', 'none', 'none')"
    )
    with pytest.raises(RollbackRefused, match="fingerprints"):
        undo(loaded, ran.run_id)
    assert set(loaded.statuses(ran.run_id).values()) == {"success"}


def test_credentials_that_a_person_supplied_survive(loaded: Lab, first_run: str) -> None:
    loaded.execute(
        "UPDATE skynet.routers SET ip_address = '192.0.2.1', username = 'u', password = 'p' WHERE name = 'SKYNET-R1'"
    )
    report = undo(loaded, first_run)
    assert report.kept == {"routers": 1}
    assert loaded.fetch("SELECT name, host(ip_address), username, password FROM skynet.routers") == [
        ("SKYNET-R1", "192.0.2.1", "u", "p")
    ]
    assert run_job().success
    assert loaded.count("routers") == 4
    assert loaded.scalar("SELECT password FROM skynet.routers WHERE name = 'SKYNET-R1'") == "p"


def test_credentials_supplied_after_the_run_survive_its_rollback(loaded: Lab) -> None:
    ran = load_second(loaded)
    loaded.execute(
        "UPDATE skynet.routers SET ip_address = '192.0.2.1', username = 'u', password = 'p' WHERE name = 'SKYNET-R1'"
    )
    undo(loaded, ran.run_id)
    assert loaded.scalar("SELECT password FROM skynet.routers WHERE name = 'SKYNET-R1'") == "p"
    assert loaded.scalar("SELECT export_id FROM skynet.routers WHERE name = 'SKYNET-R1'") == FIRST


@pytest.mark.slow
def test_rolling_back_twice_is_refused(loaded: Lab) -> None:
    ran = load_second(loaded)
    undo(loaded, ran.run_id)
    with pytest.raises(RollbackRefused, match="no live run"):
        undo(loaded, ran.run_id)


@pytest.mark.slow
def test_an_export_loaded_again_after_a_rollback_is_rolled_back_again(loaded: Lab) -> None:
    before = business(loaded)
    first = load_second(loaded)
    undo(loaded, first.run_id)
    assert run_job().success
    report = undo(loaded, export_id=SECOND)
    assert report.proved
    assert business(loaded) == before


@pytest.mark.parametrize("request_", [RollbackRequest("nobody", "", False, "x"), RollbackRequest("", "x", False, "y")])
def test_what_never_ran_is_refused(loaded: Lab, request_: RollbackRequest) -> None:
    with pytest.raises(RollbackRefused, match="no live run"):
        roll_back(loaded.engine, SKYNET, request_)


@pytest.mark.slow
def test_a_dry_run_is_nothing_to_roll_back(loaded: Lab) -> None:
    dry = run_job("skynet_dry_run")
    with pytest.raises(RollbackRefused, match="no live run"):
        undo(loaded, dry.run_id)
