"""Making a Dagster run from the command line, in this process, and following it."""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from uuid import uuid4

import dagster as dg

from migration.automation import RANGE_END_TAG, RANGE_START_TAG, run_config
from migration.declare.run import EXPORT_TAG
from migration.declare.system import System
from migration.dev import prepare_dagster_home
from migration.errors import SetupError
from migration.settings import Settings

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
    """

    run_id: str
    success: bool
    failures: dict[str, str] = field(default_factory=dict)
    checks: dict[str, dict[str, int]] = field(default_factory=dict)
    error_checks: list[str] = field(default_factory=list)
    differences: dict[str, dict[str, Any]] = field(default_factory=dict)


def run_job(
    location: Location,
    job_name: str,
    settings: Settings,
    options: Mapping[str, Any],
    on_step: Callable[[str, str], None],
    selection: list[dg.AssetKey] | None = None,
) -> Finished:
    """Run a job in this process, as a run of the Dagster instance that the UI shows.

    Args:
        location: the code location.
        job_name: the job.
        settings: the installation.
        options: run options that differ from their defaults.
        on_step: called with a step's name and `started`, `succeeded`, `failed` or `skipped`.
        selection: only these assets of the job.
    """
    os.environ.update(prepare_dagster_home(settings))
    job = location.definitions.resolve_job_def(job_name)
    tags = {EXPORT_TAG: str(options["export_id"])} if options.get("export_id") else {}
    if job.partitions_def is not None:
        keys = job.partitions_def.get_partition_keys()
        tags |= {RANGE_START_TAG: keys[0], RANGE_END_TAG: keys[-1]}
    with dg.DagsterInstance.get() as instance:
        run_id = str(uuid4())
        instance.add_event_listener(run_id, _step_listener(on_step))
        result = job.execute_in_process(
            run_config=run_config(options) | _QUIET,
            instance=instance,
            tags=tags,
            raise_on_error=False,
            run_id=run_id,
            asset_selection=selection,
        )
    return _finished(run_id, result)


_STEP_EVENTS = {
    dg.DagsterEventType.STEP_START: "started",
    dg.DagsterEventType.STEP_SUCCESS: "succeeded",
    dg.DagsterEventType.STEP_FAILURE: "failed",
    dg.DagsterEventType.STEP_SKIPPED: "skipped",
}


def _step_listener(on_step: Callable[[str, str], None]) -> Callable[[dg.EventLogEntry], None]:
    lock = threading.Lock()

    def listen(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is not None and event.event_type in _STEP_EVENTS and event.step_key:
            with lock:
                on_step(event.step_key.split("__", 1)[-1], _STEP_EVENTS[event.event_type])

    return listen


def _finished(run_id: str, result: dg.ExecuteInProcessResult) -> Finished:
    finished = Finished(run_id, result.success)
    for event in result.all_events:
        if event.is_step_failure and event.step_key:
            finished.failures[event.step_key.split("__", 1)[-1]] = _why(event)
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            _count_check(finished, event.asset_check_evaluation_data)
        elif event.event_type == dg.DagsterEventType.ASSET_OBSERVATION:
            _note_difference(finished, event.asset_observation_data.asset_observation)
    return finished


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
