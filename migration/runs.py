"""Making Dagster runs in this process and following them: one job, or a whole migration, stage by stage."""

import datetime as dt
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any
from uuid import uuid4

import dagster as dg
import sqlalchemy as sa

from migration.declare.run import (
    EXPORT_TAG,
    PREVIEW_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    MigrationRun,
    engine_of,
    run_config,
)
from migration.declare.system import Stage, System
from migration.dev import prepare_dagster_home
from migration.errors import SetupError
from migration.exports.find import newest_export
from migration.settings import Settings
from migration.warehouse.shadow import shadow_name

SYSTEMS = ("skynet", "meter", "booking", "billing", "dental")
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Location:
    """A code location: its system and its Definitions."""

    system: System
    definitions: dg.Definitions


def load_location(name: str) -> Location:
    """The code location of a system.

    Raises:
        SetupError: there is no such system, or it has not been built yet.
    """
    if name not in SYSTEMS:
        raise SetupError(f"There is no system {name}.", f"Choose one of {', '.join(SYSTEMS)}.")
    assets = import_module(f"{name}_assets.definitions")
    system = getattr(assets, "SYSTEM", None)
    if system is None:
        raise SetupError(f"The migration of {name} has not been built yet.", "Built so far: " + ", ".join(built()))
    return Location(system, assets.defs)


def options_type(location: Location) -> type[MigrationRun]:
    """The class of the location's run options."""
    options = (location.definitions.resources or {}).get("migration_run")
    return type(options) if isinstance(options, MigrationRun) else MigrationRun


def built() -> list[str]:
    """The systems whose migration is there."""
    return [name for name in SYSTEMS if hasattr(import_module(f"{name}_assets.definitions"), "SYSTEM")]


@dataclass
class Finished:
    """How a run ended.

    Attributes:
        run_id: the Dagster run.
        success: whether every step succeeded.
        failures: per failed step, the line that says why.
        checks: per asset, how many checks passed, warned and were errors.
        error_checks: names of checks that were errors.
        differences: of a dry run, what a live run would change, by asset.
        job: the job.
        partition: the partition, for a run of one.
        facts: what the assets say of themselves beside their counts.
    """

    run_id: str
    success: bool
    failures: dict[str, str] = field(default_factory=dict)
    checks: dict[str, dict[str, int]] = field(default_factory=dict)
    error_checks: list[str] = field(default_factory=list)
    differences: dict[str, dict[str, Any]] = field(default_factory=dict)
    job: str = ""
    partition: str = ""
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def stopped_at(self) -> str:
        """The asset that failed, empty where none did."""
        return next(iter(self.failures), "")


@dataclass(frozen=True)
class Request:
    """What is to be carried through.

    Attributes:
        options: run options that differ from their defaults.
        dry_run: whether to write to the shadow schema only.
        only: names of assets; empty = all.
        partitions: the independent partitions; empty = all that there are.
        tags: tags of every run that is made.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    dry_run: bool = False
    only: Sequence[str] = ()
    partitions: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Planned:
    """One run of a migration.

    Attributes:
        job: its job.
        selection: the assets, None = all of the job.
        partition: the partition, empty for none.
    """

    job: str
    selection: list[dg.AssetKey] | None
    partition: str = ""


def stages_of(system: System) -> tuple[Stage, ...]:
    """The stages of a system's migration: most have one."""
    return system.stages or (Stage(f"{system.name}_migration", f"{system.name}_dry_run"),)


def carry_through(
    location: Location,
    settings: Settings,
    request: Request,
    on_step: Callable[[str, str], None],
    instance: dg.DagsterInstance | None = None,
) -> Iterator[Finished]:
    """Run a migration, stage by stage; independent partitions one by one, whatever becomes of the others.

    A stage that fails ends the migration, but for stages that run whatever happens.

    Raises:
        SetupError: a name is no asset of the system.
    """
    _require_assets(location, request)
    request = _of_one_export(location, settings, request)
    tags = {**request.tags, **({PREVIEW_TAG: str(uuid4())} if request.dry_run else {})}
    began = False
    with _instance_or_own(settings, instance) as dagster:
        stopped = False
        for stage in stages_of(location.system):
            if stopped and not stage.whatever_happens:
                continue
            for planned in _planned(location, settings, stage, request, dagster, previewed=began and request.dry_run):
                finished = run_job(location, planned, request.options, on_step, tags, dagster)
                stopped = stopped or not finished.success
                began = True
                yield finished


def _of_one_export(location: Location, settings: Settings, request: Request) -> Request:
    """Let all stages read one export, whatever arrives meanwhile."""
    if request.options.get("export_id") or len(stages_of(location.system)) == 1:
        return request
    newest = newest_export(settings.landing, location.system.name, dt.datetime.now(dt.UTC)).name
    return replace(request, options={**request.options, "export_id": newest})


def _planned(
    location: Location,
    settings: Settings,
    stage: Stage,
    request: Request,
    instance: dg.DagsterInstance,
    *,
    previewed: bool,
) -> list[Planned]:
    """The runs of a stage; none where it has no asset that was asked for."""
    job = stage.dry_run_job if request.dry_run else stage.job
    selection = _selected(location, job, request.only)
    if selection == []:
        return []
    if stage.keys is None:
        runnable = (
            _of_no_partition(location, job, selection) if _has_no_partition(location, job, instance) else selection
        )
        return [] if runnable == [] else [Planned(job, runnable)]
    keys = _partitions(location, settings, stage.keys, request, previewed=previewed)
    instance.add_dynamic_partitions(stage.partitions, keys)
    return [Planned(job, selection, key) for key in keys]


def _has_no_partition(location: Location, job: str, instance: dg.DagsterInstance) -> bool:
    """Whether a job is for partitions, and none is known: the export has no row for it."""
    partitions = location.definitions.resolve_job_def(job).partitions_def
    return partitions is not None and not partitions.get_partition_keys(dynamic_partitions_store=instance)


def _of_no_partition(location: Location, job: str, selection: Sequence[dg.AssetKey] | None) -> list[dg.AssetKey]:
    """Of the assets of a job that were asked for, those that run once, whatever partitions there are."""
    layer = location.definitions.resolve_job_def(job).asset_layer
    wanted = layer.selected_asset_keys if selection is None else selection
    return [key for key in wanted if layer.get(key).partitions_def is None]


def _require_assets(location: Location, request: Request) -> None:
    if request.partitions and all(stage.keys is None for stage in stages_of(location.system)):
        raise SetupError(
            f"{location.system.name} has no independent partitions.", "Leave out --partition: a run takes them all."
        )
    jobs = [stage.dry_run_job if request.dry_run else stage.job for stage in stages_of(location.system)]
    known = {key.path[-1] for job in jobs for key in _keys_of(location, job)}
    for name in request.only:
        if name not in known:
            raise SetupError(f"{' or '.join(jobs)} has no asset {name}.", f"Its assets: {', '.join(sorted(known))}.")


def _keys_of(location: Location, job: str) -> Iterable[dg.AssetKey]:
    return location.definitions.resolve_job_def(job).asset_layer.selected_asset_keys


def _selected(location: Location, job: str, names: Sequence[str]) -> list[dg.AssetKey] | None:
    """The assets of a job that were asked for; None = all."""
    return [key for key in _keys_of(location, job) if key.path[-1] in names] if names else None


def _partitions(
    location: Location, settings: Settings, stored: sa.Select[Any], request: Request, *, previewed: bool
) -> list[str]:
    """The partitions to run: those asked for, or all that the tables hold.

    Raises:
        SetupError: a partition that was asked for is none of them.
    """
    system = location.system
    with engine_of(settings.database_url, settings).connect() as connection:
        if previewed:
            schema = str(system.metadata.schema)
            connection.execution_options(schema_translate_map={schema: shadow_name(schema)})
        keys = [str(key) for key in connection.scalars(stored)]
    unknown = [key for key in request.partitions if key not in keys]
    if unknown:
        raise SetupError(
            f"{system.name} holds no partition {', '.join(unknown)}.", "Load an export that has it, or mend the key."
        )
    return [key for key in keys if key in request.partitions] if request.partitions else keys


@contextmanager
def _instance_or_own(settings: Settings, instance: dg.DagsterInstance | None) -> Iterator[dg.DagsterInstance]:
    if instance is not None:
        yield instance
        return
    os.environ.update(prepare_dagster_home(settings))
    with dg.DagsterInstance.get() as own:
        yield own


def run_job(
    location: Location,
    planned: Planned,
    options: Mapping[str, Any],
    on_step: Callable[[str, str], None],
    tags: Mapping[str, str],
    instance: dg.DagsterInstance,
) -> Finished:
    """Run a job in this process, as a run of the Dagster instance that the UI shows.

    Args:
        location: the code location.
        planned: the job, its assets and its partition.
        options: run options that differ from their defaults.
        on_step: called with a step's name and `started`, one of `STEP_ENDS`, or what the step tells of its pace.
        tags: further tags of the run.
        instance: the Dagster instance.
    """
    job = location.definitions.resolve_job_def(planned.job)
    export = {EXPORT_TAG: str(options["export_id"])} if options.get("export_id") else {}
    run_id = str(uuid4())
    instance.add_event_listener(run_id, _step_listener(on_step))
    result = job.execute_in_process(
        run_config=run_config(options) | _QUIET,
        instance=instance,
        tags={**tags, **export, **({} if planned.partition else _whole_range(job, instance))},
        partition_key=planned.partition or None,
        raise_on_error=False,
        run_id=run_id,
        asset_selection=planned.selection,
    )
    return _finished(planned, run_id, result)


def _whole_range(job: dg.JobDefinition, instance: dg.DagsterInstance) -> dict[str, str]:
    """The tags that make one run cover all partitions of a job that has any."""
    if job.partitions_def is None:
        return {}
    keys = job.partitions_def.get_partition_keys(dynamic_partitions_store=instance)
    return {RANGE_START_TAG: keys[0], RANGE_END_TAG: keys[-1]} if keys else {}


STEP_ENDS = ("succeeded", "failed", "skipped")
_STEP_EVENTS = {
    dg.DagsterEventType.STEP_START: "started",
    dg.DagsterEventType.STEP_SUCCESS: "succeeded",
    dg.DagsterEventType.STEP_FAILURE: "failed",
    dg.DagsterEventType.STEP_SKIPPED: "skipped",
}


def _step_listener(on_step: Callable[[str, str], None]) -> Callable[[dg.EventLogEntry], None]:
    lock = threading.Lock()

    def listen(entry: dg.EventLogEntry) -> None:
        event, told = entry.dagster_event, None
        if event is None:
            told = entry.user_message if entry.level == logging.INFO else None
        elif event.event_type in _STEP_EVENTS:
            told = _STEP_EVENTS[event.event_type]
        if told and entry.step_key:
            with lock:
                on_step(entry.step_key.split("__", 1)[-1], told)

    return listen


def _finished(planned: Planned, run_id: str, result: dg.ExecuteInProcessResult) -> Finished:
    finished = Finished(run_id, result.success, job=planned.job, partition=planned.partition)
    for event in result.all_events:
        if event.is_step_failure and event.step_key:
            name = event.step_key.split("__", 1)[-1]
            finished.failures[name] = _why(event)
            failed = event.step_failure_data.user_failure_data
            finished.facts[name] = _plain(failed.metadata if failed else {})
        elif event.is_step_materialization:
            made = event.step_materialization_data.materialization
            finished.facts[made.asset_key.path[-1]] = _plain(made.metadata)
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            _count_check(finished, event.asset_check_evaluation_data)
        elif event.event_type == dg.DagsterEventType.ASSET_OBSERVATION:
            _note_difference(finished, event.asset_observation_data.asset_observation)
    return finished


def _plain(metadata: Mapping[str, dg.MetadataValue[Any]]) -> dict[str, Any]:
    return {name: entry.value for name, entry in metadata.items()}


def _note_difference(finished: Finished, observation: dg.AssetObservation) -> None:
    difference = observation.metadata.get("difference")
    if difference is not None:
        found: Any = difference.value
        finished.differences[observation.asset_key.path[-1]] = dict(found)


def _why(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return data.user_failure_data.description
    return data.error.message.strip() if data.error else "no reason was recorded"


def _count_check(finished: Finished, evaluation: Any) -> None:
    level = "passed" if evaluation.passed else evaluation.severity.value
    counts = finished.checks.setdefault(evaluation.asset_key.path[-1], {})
    counts[level] = counts.get(level, 0) + 1
    if level == "ERROR":
        finished.error_checks.append(evaluation.check_name)
