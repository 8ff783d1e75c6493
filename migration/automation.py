"""Automation that every code location has: jobs, the new-export sensor, check schedules, failure notices, purging.

A location's `automation.py` says which assets and partitions these are about; how they work is said here once.
"""

import datetime as dt
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import httpx
import msgspec
from upath import UPath

from migration.declare.failures import as_ours
from migration.declare.run import (
    DRY_RUN_TAGS,
    EXPORT_TAG,
    MigrationRun,
    engine_of,
    run_config,
)
from migration.declare.system import System
from migration.errors import MigrationError, SetupError, TransientError
from migration.exports.find import list_complete_exports
from migration.exports.fingerprinting import listing_hash
from migration.rollback import RollbackRequest, roll_back
from migration.runs import Request, carry_through, load_location
from migration.settings import read_settings

WRITER_TAG = "migration/writer"
WEBHOOK_VARIABLE = "MIGRATION_WEBHOOK_URL"
KEEP_RUNS_DAYS = 90


@dataclass(frozen=True)
class Automation:
    """What of a location runs by itself or by one click.

    Attributes:
        jobs: the jobs.
        schedules: the schedules.
        sensors: the sensors.
    """

    jobs: Sequence[Any]
    schedules: Sequence[Any]
    sensors: Sequence[Any]


def migration_jobs(system: System, selection: dg.AssetSelection, tags: Mapping[str, str] | None = None) -> list[Any]:
    """The jobs that every location has: migration, dry run, checks, rollback.

    Args:
        system: the system.
        selection: the assets of a migration.
        tags: further tags of migration and dry run, such as the range of partitions that a launch without one takes.
    """
    name, tags = system.name, dict(tags or {})
    every_check = dg.AssetSelection.checks_for_assets(
        *(declaration.key for declaration in system.declarations.values() if declaration.checks)
    )
    return [
        dg.define_asset_job(
            f"{name}_migration",
            selection,
            description="Carries one export through, from its verification to the last check.",
            tags={**tags, WRITER_TAG: name},
        ),
        dg.define_asset_job(
            f"{name}_dry_run",
            selection,
            description="The same on a shadow schema: writes no live table, says what a live run would change.",
            tags={**tags, **DRY_RUN_TAGS, WRITER_TAG: f"{name}-dry-run"},
        ),
        dg.define_asset_job(
            f"{name}_checks", every_check, description="Measures every check on what is in the database now."
        ),
        rollback_job(system),
        purge_job(system),
    ]


def staged_migration_job(system: System, *, dry_run: bool = False) -> dg.JobDefinition:
    """The job that carries one export through all stages of a system that has several, each in runs of its own.

    Args:
        system: the system.
        dry_run: whether the stages write to the shadow schema.
    """
    name = f"{system.name}_{'dry_run' if dry_run else 'migration'}"

    @dg.op(name=f"{name}_carry_through", description="Runs stage after stage; partitions independently.")
    def carry(context: dg.OpExecutionContext, migration_run: MigrationRun) -> None:
        location, settings = load_location(system.name), read_settings()
        request = Request(migration_run.model_dump(), dry_run=dry_run, tags=_tags_of_a_person(context.run.tags))
        try:
            ended = list(carry_through(location, settings, request, lambda step, state: None, context.instance))
        except Exception as error:
            # Whatever it is: a database's own message quotes rows.
            ours = as_ours(error)
            raise dg.Failure(f"{ours.kind}: {ours}", allow_retries=False) from None
        found = {f"{each.job} {each.partition}".strip(): each.stopped_at or "success" for each in ended}
        links = {name: dg.MetadataValue.dagster_run(each.run_id) for name, each in zip(found, ended, strict=True)}
        if not all(each.success for each in ended):
            stopped = ", ".join(f"{name} at {where}" for name, where in found.items() if where != "success")
            raise dg.Failure(f"Stopped: {stopped}.", metadata=links, allow_retries=False)
        context.add_output_metadata(links)

    where = "on a shadow schema" if dry_run else "into the tables"
    writer = f"{system.name}-dry-run" if dry_run else system.name

    @dg.job(
        name=name,
        description=f"Carries one export through {where}, stage by stage, each in runs of its own.",
        tags={**(DRY_RUN_TAGS if dry_run else {}), WRITER_TAG: writer},
    )
    def stages() -> None:
        carry()

    return stages


def _tags_of_a_person(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags of a run that were given to it, and not by Dagster or by us."""
    return {name: tag for name, tag in tags.items() if not name.startswith(("dagster/", ".dagster/", "migration/"))}


# --- sensor -----------------------------------------------------------------------------------------------------------


def new_export_sensor(
    system: System, job_name: str, run_tags: Callable[[], Mapping[str, str]] | None = None
) -> dg.SensorDefinition:
    """The sensor that starts one run per complete, unseen export, oldest first.

    Args:
        system: the system whose landing folder is watched.
        job_name: the job to start.
        run_tags: further tags of each run, such as the range of its partitions.
    """

    @dg.sensor(
        name=f"{system.name}_new_export",
        job_name=job_name,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Starts {job_name} for every complete export in the landing zone that it has not seen.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        try:
            landing, now = read_settings().landing, dt.datetime.now(dt.UTC)
            exports = list_complete_exports(landing, system.name, now, system.source_folders)
            found = {export.name: listing_hash(export) for export in exports}
        except (MigrationError, OSError) as error:
            # An OSError: an export was taken away, or closed to us, while it was looked at.
            return dg.SkipReason(str(as_ours(error)))
        seen = _seen(context.cursor)
        unseen = [name for name in found if seen.get(name) != found[name]]
        if not unseen:
            return dg.SkipReason(f"No new complete export among {len(found)}.")
        tags = dict(run_tags() if run_tags else {})
        return dg.SensorResult(
            run_requests=[_run_request(system, name, found[name], tags) for name in unseen],
            asset_events=[_observation(system, name, found[name]) for name in unseen],
            cursor=msgspec.json.encode(found).decode(),
        )

    return sensor


def _seen(cursor: str | None) -> dict[str, str]:
    """What earlier ticks have seen; a cursor set by hand to anything else counts as none: run keys prevent reruns."""
    try:
        return msgspec.json.decode(cursor, type=dict[str, str]) if cursor else {}
    except msgspec.DecodeError:
        return {}


def _run_request(system: System, export_id: str, content: str, tags: Mapping[str, str]) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{system.name}:{export_id}:{content[:12]}",
        run_config=run_config({"export_id": export_id}),
        tags={**tags, EXPORT_TAG: export_id},
    )


def _observation(system: System, export_id: str, content: str) -> dg.AssetObservation:
    return dg.AssetObservation(
        system.landing_asset.key, metadata={"export_id": export_id}, tags={"dagster/data_version": content}
    )


# --- failures ---------------------------------------------------------------------------------------------------------


def failure_notice(system: System) -> dg.SensorDefinition:
    """The sensor that posts a failed run of the system to the webhook that the environment names."""

    @dg.run_failure_sensor(
        name=f"{system.name}_run_failure",
        description=f"Posts failed runs to the webhook in {WEBHOOK_VARIABLE}.",
        default_status=dg.DefaultSensorStatus.RUNNING,
        monitor_all_code_locations=False,
    )
    def sensor(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        url = os.environ.get(WEBHOOK_VARIABLE)
        if not url:
            return dg.SkipReason(f"{WEBHOOK_VARIABLE} is not set.")
        run = context.dagster_run
        steps = [event.step_key for event in context.get_step_failure_events()]
        notice = {
            "system": system.name,
            "job": run.job_name,
            "run_id": run.run_id,
            "export_id": run.tags.get(EXPORT_TAG, ""),
            "failed_steps": steps,
        }
        _post(url, notice)
        return None

    return sensor


def _post(url: str, notice: Mapping[str, Any]) -> None:
    """Post a notice; what goes wrong is said without the URL, which is a secret of many chat systems."""
    try:
        answer = httpx.post(url, json=notice, timeout=10)
        problem = "" if answer.is_success else f"answered {answer.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        problem = f"could not be reached ({type(error).__name__})"
    if problem:
        raise TransientError(f"The webhook {problem}.", f"Check {WEBHOOK_VARIABLE}; the run itself is in the UI.")


# --- rollback and purge -----------------------------------------------------------------------------------------------


class RollbackConfig(dg.Config):
    """What to roll back.

    Attributes:
        run_id: one run; or empty.
        export_id: all runs of an export; or empty.
        force: also overwrite rows that somebody changed since.
    """

    run_id: str = ""
    export_id: str = ""
    force: bool = False


def _rollback_request(config: RollbackConfig, by_run: str) -> RollbackRequest:
    if bool(config.run_id) == bool(config.export_id):
        raise SetupError("Name either a run or an export.", "Set either run_id or export_id in the run config.")
    return RollbackRequest(config.run_id, config.export_id, config.force, by_run)


def rollback_job(system: System) -> dg.JobDefinition:
    """The job that restores what was there before a run, or before all runs of an export."""

    @dg.op(name=f"{system.name}_roll_back", description="Restores what was there before, in one transaction.")
    def restore(context: dg.OpExecutionContext, config: RollbackConfig) -> None:
        settings = read_settings()
        try:
            request = _rollback_request(config, context.run_id)
            report = roll_back(engine_of(settings.database_url, settings), system, request)
        except Exception as error:
            # Whatever it is: a database's own message quotes rows.
            ours = as_ours(error)
            raise dg.Failure(f"{ours.kind}: {ours}", allow_retries=False) from None
        context.add_output_metadata(report.metadata())

    @dg.job(
        name=f"{system.name}_rollback",
        tags={WRITER_TAG: system.name},
        description="Restores what was there before a run or an export, and proves it by the fingerprints.",
    )
    def rollback() -> None:
        restore()

    return rollback


def purge_job(system: System) -> dg.JobDefinition:
    """The job that forgets old Dagster runs of the system and staged frames that nothing points to."""

    @dg.op(name=f"{system.name}_forget_old_runs")
    def forget(context: dg.OpExecutionContext) -> None:
        before = dt.datetime.now(dt.UTC) - dt.timedelta(days=KEEP_RUNS_DAYS)
        old = context.instance.get_run_records(dg.RunsFilter(created_before=before, job_name=None), limit=1000)
        mine = [r.dagster_run for r in old if r.dagster_run.job_name.startswith(f"{system.name}_")]
        finished = [run for run in mine if run.is_finished]
        for run in finished:
            context.instance.delete_run(run.run_id)
        removed = _remove_old_frames(read_settings().work / system.name)
        context.add_output_metadata({"runs_deleted": len(finished), "frames_removed": removed})

    # The writer tag keeps it from running beside a migration, whose frames are not current yet.
    @dg.job(
        name=f"{system.name}_purge",
        description="Forgets old Dagster runs and stale staged frames.",
        tags={WRITER_TAG: system.name},
    )
    def purge() -> None:
        forget()

    return purge


def _remove_old_frames(root: UPath) -> int:
    """Remove frames more than a day old: those of dry runs, and those of live runs that no pointer names any more."""
    removed = 0
    yesterday = dt.datetime.now(dt.UTC).timestamp() - 24 * 3600
    if not root.exists():
        return 0
    for pointer in root.glob("*/*/current.json"):
        current = msgspec.json.decode(pointer.read_bytes())["run_id"]
        for folder in pointer.parent.iterdir():
            if folder.is_dir() and folder.name != current and folder.stat().st_mtime < yesterday:
                folder.fs.rm(folder.path, recursive=True)
                removed += 1
    dry_runs = root / "dry_run"
    for folder in dry_runs.iterdir() if dry_runs.exists() else ():
        if folder.stat().st_mtime < yesterday:
            folder.fs.rm(folder.path, recursive=True)
            removed += 1
    return removed


def build_definitions(
    system: System,
    assets: Sequence[dg.AssetsDefinition],
    automation: Automation,
    options: MigrationRun | None = None,
) -> dg.Definitions:
    """The Definitions of a code location; its runs take the options of every system, or those given here."""
    return dg.Definitions(
        assets=[system.landing_asset, *assets],
        jobs=list(automation.jobs),
        schedules=list(automation.schedules),
        sensors=list(automation.sensors),
        resources={"migration_run": MigrationRun() if options is None else options},
        executor=dg.in_process_executor,
    )
