"""What runs by itself: the new-export sensor, the schedules, the failure notice, and the names of everything.

The sensor's function is called directly and its SensorResult looked at; `tests/browser` has a real daemon do it. The
names of assets, checks, jobs, schedules and sensors are in `names.txt`, because run history, schedules that somebody
switched on and links hang on them: a rename shows in the review. `UPDATE_NAMES=1 pytest tests/core/test_automation.py`
writes the file anew.
"""

import datetime as dt
import json
import os
import threading
import time
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from upath import UPath

import meter_assets.definitions as meter
import samples
from booking_assets.definitions import defs as booking
from meter_assets import automation
from meter_assets.partitions import PARTITIONS_NAME
from migration.automation import WEBHOOK_VARIABLE, rollback_job
from migration.declare.run import RANGE_END_TAG, RANGE_START_TAG
from migration.dev import PROJECT
from migration.errors import TransientError
from skynet_assets.assets import SKYNET
from skynet_assets.definitions import defs
from skynet_assets.months import MONTHS

NAMES = Path(__file__).with_name("names.txt")
SENSOR = defs.resolve_sensor_def("skynet_new_export")


# --- the sensor -------------------------------------------------------------------------------------------------------


@pytest.fixture
def landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A landing zone with an empty folder for Skynet; the folder."""
    monkeypatch.setenv("MIGRATION_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MIGRATION_LANDING", str(tmp_path / "landing"))
    folder = tmp_path / "landing" / "skynet"
    folder.mkdir(parents=True)
    return folder


def tick(cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    result = SENSOR(dg.build_sensor_context(cursor=cursor))
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    return result


def found(cursor: str | None = None) -> dg.SensorResult:
    result = tick(cursor)
    assert isinstance(result, dg.SensorResult), result
    return result


def skipped(cursor: str | None = None) -> str:
    result = tick(cursor)
    assert isinstance(result, dg.SkipReason), result
    return str(result.skip_message)


def put(folder: Path, export_id: str, seconds_old: float = 0, text: str = "[]") -> Path:
    """An export without a manifest, last changed so long ago."""
    made = folder / export_id
    made.mkdir(exist_ok=True)
    file = made / "customers.json"
    file.write_text(text)
    moment = time.time() - seconds_old
    os.utime(file, (moment, moment))
    return made


def export_ids(result: dg.SensorResult) -> list[str]:
    return [
        request.run_config["resources"]["migration_run"]["config"]["export_id"] for request in result.run_requests or []
    ]


def test_a_complete_export_gets_one_run_over_all_months(landing: Path) -> None:
    samples.write_sample("skynet", UPath(landing.parent), "20260225T190000Z", scale=0.01)
    (request,) = found().run_requests or []
    months = MONTHS.get_partition_keys()
    assert request.job_name is None, "the sensor's own job"
    assert SENSOR.job_name == "skynet_migration"
    assert request.partition_key is None
    assert request.tags == {
        RANGE_START_TAG: months[0],
        RANGE_END_TAG: months[-1],
        "migration/export_id": "20260225T190000Z",
    }
    assert request.run_config == {"resources": {"migration_run": {"config": {"export_id": "20260225T190000Z"}}}}
    assert request.run_key is not None
    assert request.run_key.startswith("skynet:20260225T190000Z:")


def test_the_observation_carries_the_content_as_data_version(landing: Path) -> None:
    put(landing, "a", seconds_old=61)
    result = found()
    (observation,) = result.asset_events
    assert isinstance(observation, dg.AssetObservation)
    assert observation.asset_key == dg.AssetKey(["skynet", "landing_zone"])
    version = observation.tags["dagster/data_version"]
    assert json.loads(str(result.cursor)) == {"a": version}
    assert (result.run_requests or [])[0].run_key == f"skynet:a:{version[:12]}"


@pytest.mark.parametrize(
    ("seconds_old", "complete"), [(0, False), (50, False), (61, True), (86_400, True)], ids=lambda value: str(value)
)
def test_without_a_manifest_an_export_counts_after_a_quiet_minute(
    landing: Path, seconds_old: float, complete: bool
) -> None:
    put(landing, "a", seconds_old)
    if complete:
        assert export_ids(found()) == ["a"]
    else:
        assert skipped() == "No new complete export among 0."


def test_an_export_of_two_systems_counts_when_both_folders_are_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MIGRATION_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MIGRATION_LANDING", str(tmp_path / "landing"))
    folder = tmp_path / "landing" / "booking" / "a"
    sensor = booking.resolve_sensor_def("booking_new_export")
    runs = []
    for part in ("balisnap", "bstadmin"):
        (folder / part).mkdir(parents=True)
        put(folder, part, seconds_old=61)
        result = sensor(dg.build_sensor_context())
        runs.append(len(result.run_requests or []) if isinstance(result, dg.SensorResult) else 0)
    assert runs == [0, 1]


def test_a_marker_or_a_fulfilled_manifest_needs_no_quiet_minute(landing: Path) -> None:
    (put(landing, "a") / "_SUCCESS").touch()
    samples.write_sample("skynet", UPath(landing.parent), "b", scale=0.01)
    samples.write_sample("skynet", UPath(landing.parent), "c", scale=0.01)
    (landing / "c" / "customers.json").unlink()
    assert export_ids(found()) == ["a", "b"]


@pytest.mark.parametrize("name", [".tmp-20260225T190000Z", "20260225T190000Z.partial"])
def test_an_export_in_the_making_is_ignored(landing: Path, name: str) -> None:
    put(landing, name, seconds_old=600)
    assert skipped() == "No new complete export among 0."


def test_a_file_or_an_empty_folder_is_no_export(landing: Path) -> None:
    (landing / "README").write_text("exports go here")
    (landing / "empty").mkdir()
    assert skipped() == "No new complete export among 0."


def test_the_oldest_export_runs_first(landing: Path) -> None:
    for name in ("20260325T190000Z", "20260125T190000Z", "20260225T190000Z"):
        put(landing, name, seconds_old=600)
    assert export_ids(found()) == ["20260125T190000Z", "20260225T190000Z", "20260325T190000Z"]


def test_a_seen_export_does_not_run_again(landing: Path) -> None:
    put(landing, "a", seconds_old=600)
    cursor = found().cursor
    assert skipped(cursor) == "No new complete export among 1."
    put(landing, "b", seconds_old=600)
    assert export_ids(found(cursor)) == ["b"]


def test_changed_content_is_a_new_run_of_the_same_export(landing: Path) -> None:
    put(landing, "a", seconds_old=600)
    first = found()
    put(landing, "a", seconds_old=300, text='[{"id_pelanggan": 1}]')
    second = found(first.cursor)
    assert export_ids(second) == ["a"]
    keys = [(result.run_requests or [])[0].run_key for result in (first, second)]
    assert len(set(keys)) == 2


def test_an_export_that_comes_late_but_sorts_first_is_not_missed(landing: Path) -> None:
    put(landing, "20260225T190000Z", seconds_old=600)
    cursor = found().cursor
    put(landing, "20260125T190000Z", seconds_old=600)
    assert export_ids(found(cursor)) == ["20260125T190000Z"]


def test_a_cursor_that_is_none_of_ours_counts_as_none(landing: Path) -> None:
    put(landing, "a", seconds_old=600)
    assert found("20260225T190000Z").run_requests == found().run_requests


def test_every_quiet_path_says_why(landing: Path) -> None:
    landing.rmdir()
    assert "There is no folder" in skipped()
    landing.parent.rmdir()
    assert "does not exist. Create it, or set MIGRATION_LANDING" in skipped()


def test_an_export_that_vanishes_while_it_is_looked_at_is_a_skip(
    landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(folder: UPath) -> str:
        raise FileNotFoundError(2, "No such file or directory", str(folder))

    monkeypatch.setattr("migration.automation.listing_hash", gone)
    put(landing, "a", seconds_old=600)
    assert skipped().startswith("No such file or directory at ")


# --- schedules --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cron", "job"),
    [
        ("skynet_refresh_daily", "0 2 * * *", "skynet_refresh"),
        ("skynet_photos_hourly", "0 * * * *", "skynet_photos"),
        ("skynet_checks_nightly", "0 4 * * *", "skynet_checks"),
    ],
)
def test_schedules_run_in_wib_and_are_off_until_somebody_switches_them_on(name: str, cron: str, job: str) -> None:
    schedule = defs.resolve_schedule_def(name)
    assert (schedule.cron_schedule, schedule.job_name) == (cron, job)
    assert schedule.execution_timezone == "Asia/Jakarta"
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    assert len(schedule.evaluate_tick(dg.build_schedule_context()).run_requests or []) == 1


@pytest.mark.parametrize(
    ("name", "cron", "zone", "job"),
    [
        ("meter_nightly_steps", "0 1 * * *", "Africa/Nairobi", "meter_steps_job"),
        ("meter_checks_nightly", "0 4 * * *", None, "meter_checks"),
        ("meter_purge_weekly", "0 5 * * 0", None, "meter_purge"),
    ],
)
def test_schedules_of_meter_are_off_until_somebody_switches_them_on(
    name: str, cron: str, zone: str | None, job: str
) -> None:
    schedule = meter.defs.resolve_schedule_def(name)
    assert (schedule.cron_schedule, schedule.execution_timezone, schedule.job_name) == (cron, zone, job)
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED


@pytest.mark.parametrize(("setting", "confirmed"), [(None, False), ("", False), ("yes", False), ("true", True)])
def test_nightly_steps_of_meter_are_confirmed_by_the_environment_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, setting: str | None, confirmed: bool
) -> None:
    if setting is None:
        monkeypatch.delenv("METER_NIGHTLY_CONFIRM", raising=False)
    else:
        monkeypatch.setenv("METER_NIGHTLY_CONFIRM", setting)
    monkeypatch.setattr(
        automation, "_loaded_tenants", lambda instance: instance.get_dynamic_partitions(PARTITIONS_NAME)
    )
    schedule = meter.defs.resolve_schedule_def("meter_nightly_steps")
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.add_dynamic_partitions(PARTITIONS_NAME, ["3", "11"])
        night = dt.datetime(2026, 3, 1, 22, tzinfo=dt.UTC)
        requests: Any = schedule(dg.build_schedule_context(instance, scheduled_execution_time=night))
    assert [request.partition_key for request in requests] == ["3", "11"]
    assert len({request.run_key for request in requests}) == 2
    for request in requests:
        assert request.run_config["resources"]["migration_run"]["config"] == {"confirm": confirmed}


@pytest.mark.parametrize(
    ("definitions", "names"),
    [
        (defs, ("skynet_new_export", "skynet_run_failure")),
        (meter.defs, ("meter_new_export", "meter_preview", "meter_run_failure")),
    ],
    ids=("skynet", "meter"),
)
def test_sensors_are_on_from_the_start(definitions: dg.Definitions, names: tuple[str, ...]) -> None:
    for name in names:
        assert definitions.resolve_sensor_def(name).default_status == dg.DefaultSensorStatus.RUNNING


def test_a_new_export_of_meter_is_loaded_and_nothing_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIGRATION_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MIGRATION_LANDING", str(tmp_path / "landing"))
    samples.write_sample("meter", UPath(tmp_path / "landing"), "20260225T190000Z", scale=0.02)
    sensor = meter.defs.resolve_sensor_def("meter_new_export")
    result = sensor(dg.build_sensor_context())
    assert isinstance(result, dg.SensorResult)
    (request,) = result.run_requests or []
    assert sensor.job_name == "meter_load_job"
    assert request.run_config == {"resources": {"migration_run": {"config": {"export_id": "20260225T190000Z"}}}}
    assert request.tags == {"migration/export_id": "20260225T190000Z"}


# --- failure notice ---------------------------------------------------------------------------------------------------


class Hook:
    """A webhook on the loopback interface: what was posted to it, and the status that it answers."""

    def __init__(self) -> None:
        self.posted: list[dict[str, Any]] = []
        self.status = 204
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Keep quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/canary-hook-secret"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    made = Hook()
    threading.Thread(target=made.server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv(WEBHOOK_VARIABLE, made.url)
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def failed_run() -> Iterator[dg.RunFailureSensorContext]:
    """The context of the failure sensor after a run that failed with a message full of personal data."""

    @dg.op
    def breaks() -> None:
        raise ValueError("canary-customer-name")

    @dg.job(tags={"migration/export_id": "20260225T190000Z"})
    def fails() -> None:
        breaks()

    with dg.DagsterInstance.ephemeral() as instance:
        result = fails.execute_in_process(instance=instance, raise_on_error=False)
        yield dg.build_run_status_sensor_context(
            "skynet_run_failure", result.get_run_failure_event(), instance, result.dagster_run
        ).for_run_failure()


def notify(context: dg.RunFailureSensorContext) -> Any:
    sensor = defs.resolve_sensor_def("skynet_run_failure")
    assert isinstance(sensor, dg.RunStatusSensorDefinition)
    return sensor(context)


def test_a_failed_run_is_posted_without_what_it_said(hook: Hook, failed_run: dg.RunFailureSensorContext) -> None:
    notify(failed_run)
    assert hook.posted == [
        {
            "system": "skynet",
            "job": "fails",
            "run_id": failed_run.dagster_run.run_id,
            "export_id": "20260225T190000Z",
            "failed_steps": ["breaks"],
        }
    ]


def test_without_a_webhook_nothing_is_posted(
    failed_run: dg.RunFailureSensorContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(WEBHOOK_VARIABLE, raising=False)
    reason = notify(failed_run)
    assert isinstance(reason, dg.SkipReason)
    assert reason.skip_message == f"{WEBHOOK_VARIABLE} is not set."


@pytest.mark.parametrize(
    ("away", "told"), [(False, "The webhook answered 404."), (True, "could not be reached (ConnectError)")]
)
def test_a_webhook_that_fails_is_told_without_its_address(
    hook: Hook, failed_run: dg.RunFailureSensorContext, away: bool, told: str
) -> None:
    hook.status = 404
    if away:
        hook.server.server_close()
    with pytest.raises(TransientError) as raised:
        notify(failed_run)
    shown = "".join(traceback.format_exception(raised.value))
    assert told in shown
    assert "canary-hook-secret" not in shown


# --- rollback ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [{}, {"run_id": "r", "export_id": "e"}], ids=["neither", "both"])
def test_a_rollback_names_either_a_run_or_an_export(config: dict[str, Any]) -> None:
    result = rollback_job(SKYNET).execute_in_process(
        run_config={"ops": {"skynet_roll_back": {"config": config}}}, raise_on_error=False
    )
    assert failure_of(result).startswith("SetupError: Name either a run or an export.")


def test_a_rollback_without_its_database_fails_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIGRATION_HOME", str(tmp_path))
    monkeypatch.setenv("MIGRATION_DATABASE_URL", "postgresql://owner:canary-pw@127.0.0.1:1/none")
    result = rollback_job(SKYNET).execute_in_process(
        run_config={"ops": {"skynet_roll_back": {"config": {"run_id": "r"}}}}, raise_on_error=False
    )
    told = failure_of(result)
    assert "\n" not in told
    assert "canary-pw" not in told


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    data = event.step_failure_data.user_failure_data
    assert data is not None
    return str(data.description)


# --- names ------------------------------------------------------------------------------------------------------------


def test_names_are_those_that_were_reviewed() -> None:
    now = "".join(f"{line}\n" for line in all_names())
    if os.environ.get("UPDATE_NAMES"):
        NAMES.write_text(now)
    assert now == NAMES.read_text(), (
        "If the change of names is meant: UPDATE_NAMES=1 pytest tests/core/test_automation.py"
    )


def all_names() -> list[str]:
    """One line per asset, check, job, schedule and sensor of every code location of the workspace."""
    lines = []
    for entry in yaml.safe_load((PROJECT / "workspace.yaml").read_text())["load_from"]:
        location = entry["python_module"]["location_name"]
        repository = import_module(entry["python_module"]["module_name"]).defs.get_repository_def()
        graph = repository.asset_graph
        names = [
            *(f"asset {key.to_user_string()}" for key in graph.get_all_asset_keys()),
            *(f"check {key.asset_key.to_user_string()} {key.name}" for key in graph.asset_check_keys),
            *(f"job {name}" for name in repository.job_names if not name.startswith("__")),
            *(f"schedule {schedule.name}" for schedule in repository.schedule_defs),
            *(f"sensor {sensor.name}" for sensor in repository.sensor_defs),
        ]
        lines += [f"{location} {name}" for name in sorted(names)]
    return lines
