"""What runs by itself: sensors, previews, the schedule, partitions, the job of all stages, and the command line."""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from upath import UPath

import samples
from meter_assets.automation import NIGHTLY_CONFIRM
from meter_assets.definitions import defs
from migration import embedded
from migration.declare.run import EXPORT_TAG, PREVIEW_TAG
from tests.cli.conftest import Answer, Installation
from tests.cli.conftest import installation as cli_installation
from tests.meter.conftest import installation
from tests.meter.meter_harness import DRY_RUN_JOB, LOAD_JOB, PARTITIONS, SHADOW, STEPS_JOB, Lab
from tests.meter.meter_small import (
    EVERYTHING,
    FIRST,
    SECOND,
    STEPS,
    TENANTS,
    balances,
    count,
    drifting,
    homeless,
    small,
    statuses,
    written_into,
)
from tests.meter.meter_writing import put_export

NEW_EXPORT = defs.resolve_sensor_def("meter_new_export")
PREVIEW = defs.resolve_sensor_def("meter_preview")
NIGHTLY = defs.resolve_schedule_def("meter_nightly_steps")
PRUNED = dg.AssetKey(["meter", "export_pruned"])


def config_of(request: dg.RunRequest) -> dict[str, Any]:
    """The run options that a request sets."""
    return dict(request.run_config["resources"]["migration_run"]["config"])


def tags_of(job: str) -> dict[str, str]:
    """The tags that every run of a job has."""
    return dict(defs.resolve_job_def(job).tags)


# --- a new export -----------------------------------------------------------------------------------------------------


def test_new_export_is_loaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIGRATION_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MIGRATION_LANDING", str(tmp_path / "landing"))
    put_export(tmp_path / "landing" / "meter" / FIRST, small((1,)))
    assert NEW_EXPORT.job_name == LOAD_JOB
    assert NEW_EXPORT.default_status == dg.DefaultSensorStatus.RUNNING
    result = NEW_EXPORT(dg.build_sensor_context())
    assert isinstance(result, dg.SensorResult)
    (request,) = result.run_requests or []
    assert request.run_key is not None
    assert request.run_key.startswith(f"meter:{FIRST}:")
    assert (config_of(request), request.tags) == ({"export_id": FIRST}, {EXPORT_TAG: FIRST})
    assert isinstance(NEW_EXPORT(dg.build_sensor_context(cursor=result.cursor)), dg.SkipReason)


def test_jobs_that_are_dry_say_so_and_the_others_do_not() -> None:
    dry = {job.name for job in defs.resolve_all_job_defs() if tags_of(job.name).get("migration/dry_run") == "true"}
    assert dry == {"meter_dry_run", "meter_load_dry_run"}


# --- a loaded one -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded(server: embedded.EmbeddedServer, meter_template: str, tmp_path_factory: Any) -> Iterator[Lab]:
    """An installation that has loaded an export; tests only look at it, or preview."""
    with installation(server, meter_template, tmp_path_factory.mktemp("loaded")) as lab:
        lab.put(FIRST, drifting(homeless(small(), 2), 3))
        assert lab.load(FIRST).failures == {}
        yield lab


def previews(lab: Lab) -> list[dg.RunRequest]:
    """What the preview sensor asks for after everything that has happened."""
    with lab._surroundings():
        found = PREVIEW(dg.build_sensor_context(instance=lab.instance, definitions=defs))
        asked = [found] if isinstance(found, dg.RunRequest | dg.SkipReason) else list(found or [])
    return [each for each in asked if isinstance(each, dg.RunRequest)]


def test_live_load_makes_its_tenants_known(loaded: Lab) -> None:
    assert sorted(loaded.instance.get_dynamic_partitions(PARTITIONS)) == ["1", "2", "3"]


def test_loaded_export_is_previewed_for_every_tenant_on_one_shadow(loaded: Lab) -> None:
    requests = previews(loaded)
    assert PREVIEW.job_name == DRY_RUN_JOB
    assert PREVIEW.default_status == dg.DefaultSensorStatus.RUNNING
    assert sorted(request.partition_key or "" for request in requests) == ["1", "2", "3"]
    assert {str(config_of(request)) for request in requests} == {str({"export_id": FIRST})}, "and nobody has confirmed"
    assert len({request.tags[PREVIEW_TAG] for request in requests}) == 1
    assert len({request.run_key for request in requests}) == 3
    assert {request.job_name for request in requests} <= {None, DRY_RUN_JOB}


def test_previews_share_a_shadow_and_write_no_table(loaded: Lab) -> None:
    before = written_into(loaded, EVERYTHING)
    for request in previews(loaded):
        ran = loaded.run(DRY_RUN_JOB, request.partition_key, tags=request.tags, **config_of(request))
        assert ran.failures == {}
    assert written_into(loaded, EVERYTHING) == before
    calculated = f"SELECT DISTINCT tenant_id FROM {SHADOW}.meters WHERE balance_calculated ORDER BY 1"
    assert loaded.fetch(calculated) == [(1,), (2,), (3,)]
    assert count(loaded, "meters", "balance_calculated") == 0


def test_dry_run_of_a_load_is_not_previewed_and_makes_no_tenant_known(meter_lab: Lab) -> None:
    meter_lab.put(FIRST, small())
    assert meter_lab.run("meter_load_dry_run", export_id=FIRST).failures == {}
    assert meter_lab.instance.get_dynamic_partitions(PARTITIONS) == []
    assert meter_lab.instance.get_latest_materialization_event(PRUNED) is None
    assert previews(meter_lab) == []


def nightly(lab: Lab) -> list[dg.RunRequest]:
    """What the schedule asks for one night."""
    night = dt.datetime(2026, 2, 11, 1, tzinfo=dt.UTC)
    # The context of a schedule takes no instance that is in memory only.
    with dg.instance_for_test() as instance, lab._surroundings():
        instance.add_dynamic_partitions(PARTITIONS, lab.instance.get_dynamic_partitions(PARTITIONS))
        found = NIGHTLY(dg.build_schedule_context(instance=instance, scheduled_execution_time=night))
    assert isinstance(found, list)
    return found


def test_nightly_steps_are_off_and_confirmed_only_by_the_environment(loaded: Lab) -> None:
    assert NIGHTLY.default_status == dg.DefaultScheduleStatus.STOPPED
    assert NIGHTLY.job_name == STEPS_JOB
    for value, confirmed in ((None, False), ("", False), ("1", False), ("yes", False), ("true", True), ("TRUE", True)):
        loaded.environment = {} if value is None else {NIGHTLY_CONFIRM: value}
        requests = nightly(loaded)
        assert sorted(request.partition_key or "" for request in requests) == ["1", "2", "3"]
        assert {config_of(request)["confirm"] for request in requests} == {confirmed}, value
    loaded.environment = {}


# --- all stages in one job --------------------------------------------------------------------------------------------


def carry(lab: Lab, **options: Any) -> dg.ExecuteInProcessResult:
    """Run the job of all stages."""
    with lab._surroundings():
        return defs.resolve_job_def("meter_migration").execute_in_process(
            run_config={"resources": {"migration_run": {"config": options}}},
            instance=lab.instance,
            raise_on_error=False,
        )


def why(result: dg.ExecuteInProcessResult) -> str:
    """Why a job failed."""
    failed = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert len(failed) == 1
    assert failed[0].user_failure_data is not None
    return str(failed[0].user_failure_data.description)


def test_migration_job_runs_all_tenants_and_names_those_that_stopped(meter_lab: Lab) -> None:
    meter_lab.put(FIRST, drifting(homeless(small(), 2), 3))
    result = carry(meter_lab, export_id=FIRST, confirm=True)
    assert not result.success
    assert why(result) == "Stopped: meter_steps_job 2 at payments_gate, meter_steps_job 3 at full_validation."
    assert {row[3] if len(row) > 3 else row[2] for tenant in (1, 3) for row in balances(meter_lab, tenant)} == {True}
    runs = meter_lab.instance.get_runs()
    assert sorted((run.job_name, run.tags.get("dagster/partition")) for run in runs if run.run_id != result.run_id) == [
        (LOAD_JOB, None),
        *((STEPS_JOB, str(tenant)) for tenant in TENANTS),
    ]
    assert {run.tags[EXPORT_TAG] for run in runs if run.job_name == STEPS_JOB} == {FIRST}

    # A tenant that is in no newer export stays known, and is not migrated any more.
    meter_lab.put(SECOND, small((1, 2)))
    refused = carry(meter_lab, export_id=SECOND, confirm=True)
    assert why(refused) == "Stopped: meter_load_job at export_pruned.", "a load that failed ends the migration"
    assert carry(meter_lab, export_id=SECOND, confirm=True, allow_shrink=True).success
    assert sorted(meter_lab.instance.get_dynamic_partitions(PARTITIONS)) == ["1", "2", "3"]


# --- the command line -------------------------------------------------------------------------------------------------

SCALE = 0.03


@dataclass(frozen=True)
class Migrated:
    """An installation whose sample was migrated by the command line, and what it said."""

    place: Installation
    ran: Answer


@pytest.fixture(scope="module")
def migrated(server: embedded.EmbeddedServer, tmp_path_factory: Any) -> Iterator[Migrated]:
    with cli_installation(server, tmp_path_factory.mktemp("cli")) as place:
        samples.write_sample("meter", UPath(place.home / "landing"), samples.default_export_id(), scale=SCALE)
        yield Migrated(place, place.migrate("run", "meter", "--yes"))


def tenants_of(place: Installation) -> list[str]:
    return [str(key) for (key,) in place.rows("SELECT id FROM meter.tenants ORDER BY id")]


def test_command_line_runs_every_tenant_and_says_how_each_ended(migrated: Migrated) -> None:
    assert migrated.ran.code == 1, migrated.ran.err
    assert "Partitions" in migrated.ran.out
    ended = migrated.place.rows(
        "SELECT partition, bool_and(status = 'success') FROM meter.migration_run_log"
        " WHERE partition IS NOT NULL GROUP BY 1 ORDER BY partition::int"
    )
    assert [partition for partition, _ in ended] == tenants_of(migrated.place)
    table = migrated.ran.out[migrated.ran.out.index("Partitions") :]
    assert table.count("stopped at") == [success for _, success in ended].count(False) > 0
    assert "Then: A new payment lowers the balance of its meter." in migrated.ran.out


def some_tenant(place: Installation) -> str:
    return tenants_of(place)[0]


def test_command_line_runs_one_step_of_one_tenant(migrated: Migrated) -> None:
    place, tenant = migrated.place, some_tenant(migrated.place)
    answer = place.migrate(
        "run", "meter", "--yes", "--json", "--only", "invoice_amounts", "--partition", tenant, "--set",
        "no_bills_policy=keep",
    )  # fmt: skip
    told = answer.json
    assert [(run["job"], run["partition"], run["success"]) for run in told["runs"]] == [(STEPS_JOB, tenant, True)]
    assert [(line["asset"], line["status"]) for line in told["assets"]] == [("invoice_amounts", "success")]
    kept = "kind = 'NO_BILLS' AND calc_amount <> coalesce(legacy_amount, 0)"
    query = f"SELECT count(*) FROM meter.invoice_amount_discrepancy WHERE {kept} AND tenant_id = {tenant}"
    assert place.value(query) == 0


def test_command_line_asks_for_yes(migrated: Migrated) -> None:
    answer = migrated.place.migrate(
        "run", "meter", "--only", "full_validation", "--partition", some_tenant(migrated.place)
    )
    assert answer.code == 1
    assert "CONFIRMATION_REQUIRED" in answer.err or "GateShut" in answer.err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--set", "nosuch=1"], 2, "There is no run option in 'nosuch'."),
        (["--set", "allow_shrink=perhaps"], 2, "The option allow_shrink is true or false."),
        (["--only", "nosuch"], 2, "no asset nosuch."),
        (["--only", "payment_meter_ids", "--partition", "nosuch", "--yes"], 2, "meter holds no partition nosuch."),
    ],
)
def test_command_line_says_what_is_wrong(migrated: Migrated, arguments: list[str], code: int, told: str) -> None:
    answer = migrated.place.migrate("run", "meter", *arguments)
    assert (answer.code, told in answer.err, "Traceback" in answer.err) == (code, True, False), answer.err


def test_command_line_dry_run_writes_no_table(migrated: Migrated) -> None:
    place, tenant = migrated.place, some_tenant(migrated.place)
    place_of_rows = "SELECT array_agg(ctid::text || xmin::text ORDER BY id) FROM meter.meters"
    before = place.value(place_of_rows)
    answer = place.migrate(
        "run", "meter", "--dry-run", "--json", "--partition", tenant, *(f"--only={step}" for step in STEPS)
    )
    assert place.value(place_of_rows) == before
    told = answer.json
    assert answer.code == int(any(line["status"] == "dry_run_issues" for line in told["assets"]))
    assert {line["status"] for line in told["assets"]} <= {"dry_run_ok", "dry_run_issues"}
    assert [run["job"] for run in told["runs"]] == [DRY_RUN_JOB]
    assert set(told["differences"]) == set(STEPS)
    json.dumps(told)


@pytest.mark.slow
def test_command_line_dry_run_of_everything_on_empty_tables(server: embedded.EmbeddedServer, tmp_path: Path) -> None:
    with cli_installation(server, tmp_path) as place:
        samples.write_sample("meter", UPath(place.home / "landing"), samples.default_export_id(), scale=SCALE)
        told = place.migrate("run", "meter", "--dry-run", "--json").json
        assert place.value("SELECT count(*) FROM meter.tenants") == 0
        shadow = place.value("SELECT count(*) FROM meter__dry_run.tenants")
        assert [run["job"] for run in told["runs"]] == ["meter_load_dry_run", *[DRY_RUN_JOB] * shadow]
        with place.dagster() as instance:
            assert instance.get_latest_materialization_event(PRUNED) is None


def test_refused_run_leaves_no_line_in_the_log(loaded: Lab) -> None:
    ran = loaded.run(STEPS_JOB, "1", export_id=FIRST, confirm=False)
    assert statuses(loaded, ran.run_id) == {}
