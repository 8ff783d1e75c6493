"""Law: the same export again writes no row; whatever the order of rows, months or runs, the fingerprints are equal."""

import random

import pytest

from tests.laws.conftest import FIRST, SECOND
from tests.laws.lab import BUSINESS, MONTHS, Lab, World, first_world, next_world, run_job

UNPARTITIONED = (
    "export",
    "customers_clean",
    "customers_final",
    "packages",
    "routers",
    "customers",
    "router_credentials",
    "identity_card_photo_queue",
    "payments_clean",
)
# Its key and values are rows of the file, so that another order of the file gives another log.
BY_ROW = "customer_merge_log"


def fingerprints(lab: Lab, *, but: str = "") -> dict[str, str]:
    return {name: value for name, value in lab.fingerprints().items() if name != but}


def test_the_same_export_again_writes_no_row(loaded: Lab, first_run: str) -> None:
    before = loaded.written()
    again = run_job()
    assert again.success, again.failures
    assert loaded.written() == before
    of_run = "SELECT asset, partition, fingerprint FROM skynet.migration_run_log WHERE run_id = :run ORDER BY 1, 2"
    assert loaded.fetch(of_run, run=again.run_id) == loaded.fetch(of_run, run=first_run)
    changed = [
        again.metadata(asset)[f"rows_{what}"] for asset in BUSINESS[:3] for what in ("inserted", "updated", "deleted")
    ]
    assert changed == [0] * 9
    made = [e.step_materialization_data.materialization for e in again.events if e.is_step_materialization]
    versions = {each.asset_key.path[-1]: (each.tags or {}).get("dagster/data_version") for each in made}
    for asset in ("packages", "routers", "customers", "branch_summaries"):
        assert versions[asset] == loaded.fingerprints()[asset]


def test_a_changed_value_changes_the_fingerprint_and_is_repaired(loaded: Lab) -> None:
    before = loaded.fingerprints()
    image = loaded.image()
    loaded.execute("UPDATE skynet.customers SET name = 'Changed' WHERE id = 'SRGD0005'")
    assert loaded.fingerprints()["customers"] != before["customers"]
    assert run_job().success
    assert loaded.fingerprints() == before
    assert {n: loaded.image()[n] for n in BUSINESS} == {n: image[n] for n in BUSINESS}


def test_only_what_differs_is_written(loaded: Lab) -> None:
    loaded.execute("UPDATE skynet.customers SET name = 'Changed' WHERE id = 'SRGD0005'")
    before = dict(loaded.fetch("SELECT id, xmin::text FROM skynet.customers"))
    assert run_job().success
    after = dict(loaded.fetch("SELECT id, xmin::text FROM skynet.customers"))
    assert [key for key in after if after[key] != before[key]] == ["SRGD0005"]


def shuffled(seed: int) -> World:
    world = first_world()
    mixer = random.Random(seed)
    for rows in (world.customers, world.transactions, world.branches):
        mixer.shuffle(rows)
    return world


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 8))])
def test_a_shuffled_file_gives_the_same_tables(loaded: Lab, seed: int) -> None:
    loaded.export(SECOND, shuffled(seed))
    expected = fingerprints(loaded, but=BY_ROW)
    assert run_job(export_id=SECOND).success
    assert fingerprints(loaded, but=BY_ROW) == expected


def test_the_same_content_under_another_export_id_changes_only_the_export_id(loaded: Lab) -> None:
    before = loaded.fingerprints()
    moved = loaded.fetch("SELECT id, migrated_at, first_export_id FROM skynet.customers ORDER BY 1")
    loaded.export(SECOND, first_world())
    assert run_job().success
    after = loaded.fingerprints()
    assert {**after, BY_ROW: ""} == {**before, BY_ROW: ""}
    assert loaded.fetch("SELECT id, migrated_at, first_export_id FROM skynet.customers ORDER BY 1") == moved
    assert loaded.fetch("SELECT DISTINCT export_id FROM skynet.customers") == [(SECOND,)]


ORDERS = [pytest.param(MONTHS[::-1], id="in reverse"), pytest.param(MONTHS, id="in order", marks=pytest.mark.slow)]


@pytest.mark.parametrize("months", ORDERS)
def test_months_split_over_runs_in_any_order_give_the_same_tables(
    lab: Lab, months: tuple[str, str], loaded_fingerprints: dict[str, str]
) -> None:
    lab.export(FIRST, first_world())
    assert run_job(only=UNPARTITIONED).success
    for month in months:
        ran = run_job("skynet_months", months=(month, month))
        assert ran.success, ran.failures
    assert run_job(only=("branch_summaries",)).success
    assert lab.fingerprints() == loaded_fingerprints


def test_a_month_without_rows_succeeds_with_zeros(loaded: Lab) -> None:
    ran = run_job("skynet_months", months=("2025-11-01", "2025-12-01"))
    assert ran.success, ran.failures
    assert set(loaded.statuses(ran.run_id).values()) == {"success"}
    assert loaded.fetch(
        "SELECT DISTINCT source_rows + loaded + merged + rejected + skipped FROM skynet.migration_run_log"
        " WHERE run_id = :run",
        run=ran.run_id,
    ) == [(0,)]


def test_an_older_export_run_on_purpose_comes_back_and_warns(loaded: Lab, loaded_fingerprints: dict[str, str]) -> None:
    loaded.export(SECOND, next_world())
    assert run_job().success
    back = run_job(export_id=FIRST)
    assert back.success, back.failures
    assert not back.checks["export_regression"].passed
    invoices = "SELECT count(*) FROM skynet.transactions WHERE customer_id = 'SRGD0002' AND period = '2026-01-01'"
    assert loaded.scalar(invoices) == 1
