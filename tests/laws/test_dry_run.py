"""Law: a dry run is the same code on a shadow; it changes nothing live, and its numbers are the live run's."""

import socket
from typing import Any

import dagster as dg
import pytest

from migration.declare.run import DEFER_EVENTS_TAG, DRY_RUN_TAG, DRY_RUN_TAGS
from skynet_assets.assets import SKYNET
from tests.laws.conftest import FIRST, SECOND
from tests.laws.lab import BUSINESS, MIGRATED_ASSETS, Lab, World, blocked_world, first_world, next_world, run_job

COUNTS = (
    "asset, partition, source_rows, loaded, merged, rejected, skipped, rejected_by, skipped_by, warnings, fingerprint"
)


def counts(lab: Lab, run_id: str) -> list[tuple[Any, ...]]:
    return lab.fetch(
        f"SELECT {COUNTS} FROM skynet.migration_run_log WHERE run_id = :run ORDER BY asset, partition", run=run_id
    )


def live(lab: Lab) -> dict[str, Any]:
    return {"written": lab.written(), "image": lab.image()}


WORLDS = [
    pytest.param(next_world(), id="next export"),
    pytest.param(first_world(), id="unchanged content", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("world", WORLDS)
def test_a_dry_run_gives_the_numbers_of_the_live_run_and_changes_nothing(loaded: Lab, world: World) -> None:
    loaded.export(SECOND, world)
    before = live(loaded)

    dry = run_job("skynet_dry_run")

    assert dry.success, dry.failures
    assert live(loaded) == before
    assert set(loaded.statuses(dry.run_id).values()) == {"dry_run_ok"}

    ran = run_job()
    assert ran.success, ran.failures
    assert counts(loaded, dry.run_id) == counts(loaded, ran.run_id)


def test_a_dry_run_says_what_the_live_run_then_does(loaded: Lab) -> None:
    loaded.export(SECOND, next_world())
    dry = run_job("skynet_dry_run")
    said = {asset: metadata.get("difference") for asset, metadata in dry.observed.items()}
    assert said["packages"] == {
        "inserted": 2,
        "updated": 0,
        "deleted": 0,
        "unchanged": 3,
        "keys": said["packages"]["keys"],
    }
    assert (said["customers"]["inserted"], said["customers"]["updated"]) == (1, 3)
    assert said["customers"]["keys"] == ["SRGD0003", "SRGD0004", "SRGD0005", "SRGD0100"]
    assert (said["routers"]["inserted"], said["routers"]["updated"], said["routers"]["deleted"]) == (1, 0, 0)
    run_job()
    live_image, shadow = loaded.fingerprints(), shadow_fingerprints(loaded)
    assert live_image == shadow


def shadow_fingerprints(lab: Lab) -> dict[str, str]:
    translated = lab.engine.execution_options(schema_translate_map={"skynet": "skynet__dry_run"})
    return Lab(lab.settings, translated).fingerprints()


def test_a_first_dry_run_writes_nothing_and_opens_no_gate(lab: Lab) -> None:
    lab.export(SECOND, first_world())
    dry = run_job("skynet_dry_run")
    assert dry.success, dry.failures
    shut = run_job(only=("customers",))
    assert not shut.success
    assert all(lab.count(name) == 0 for name in (*BUSINESS, "row_ledger", "rejected_row", "row_change"))


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The network addresses that somebody tries to reach."""
    real = socket.socket.connect
    tried: list[Any] = []

    def connect(this: socket.socket, address: Any) -> None:
        if this.family != socket.AF_UNIX:
            tried.append(address)
        real(this, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *names, **_: tried.append(names) or [])
    return tried


def test_a_dry_run_tells_dagster_of_no_materialization_and_uses_no_network(loaded: Lab, connections: list[Any]) -> None:
    """What the tag that defers events means is internal to Dagster; should it change, this fails."""
    before = live(loaded)
    dry = run_job("skynet_dry_run", tags={"team": "x"}, export_id=FIRST)
    assert {tag: dry.tags[tag] for tag in DRY_RUN_TAGS} == DRY_RUN_TAGS
    kinds = {entry.dagster_event.event_type for entry in dry.logs if entry.dagster_event}
    assert dg.DagsterEventType.ASSET_MATERIALIZATION not in kinds
    assert dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED not in kinds
    assert set(dry.observed) == set(MIGRATED_ASSETS)
    declared = {check.name for name in MIGRATED_ASSETS for check in SKYNET.declarations[name].checks}
    assert set(dry.checks) == declared
    assert connections == []
    assert live(loaded) == before


def test_only_one_of_the_two_tags_is_refused(loaded: Lab) -> None:
    before = live(loaded)
    for tag in (DRY_RUN_TAG, DEFER_EVENTS_TAG):
        refused = run_job(tags={tag: "true"})
        assert not refused.success
        assert "only one of the tags" in refused.failures["export"]
        assert not loaded.statuses(refused.run_id)
    assert live(loaded) == before


def test_a_dry_run_goes_on_after_a_failing_check_and_says_so(loaded: Lab) -> None:
    loaded.export(SECOND, blocked_world())
    before = live(loaded)
    dry = run_job("skynet_dry_run")
    assert dry.success, dry.failures
    assert set(dry.observed) == set(MIGRATED_ASSETS)
    found = dry.checks["customers_reject_rate"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    statuses = loaded.statuses(dry.run_id)
    assert statuses["customers_clean"] == "dry_run_issues"
    assert statuses["customers"] == "dry_run_ok"
    assert live(loaded) == before


@pytest.mark.slow
def test_the_next_dry_run_starts_from_the_live_tables(loaded: Lab) -> None:
    first = run_job("skynet_dry_run")
    loaded.execute("DELETE FROM skynet__dry_run.transactions")
    again = run_job("skynet_dry_run")
    assert counts(loaded, again.run_id) == counts(loaded, first.run_id)
    assert again.observed["transactions"]["rows_inserted"] == 0
