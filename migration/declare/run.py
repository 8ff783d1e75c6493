"""What all steps of one run share: its options, whether it is dry, and the one export that it reads."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import dagster as dg
import sqlalchemy as sa
from upath import UPath

from migration.errors import SetupError
from migration.exports.find import newest_export
from migration.settings import Settings, read_settings
from migration.warehouse.connect import warehouse_engine

EXPORT_TAG = "migration/export_id"
DRY_RUN_TAG = "migration/dry_run"
PREVIEW_TAG = "migration/preview"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
DEFER_EVENTS_TAG = "dagster/defer_asset_events"
DRY_RUN_TAGS = {DRY_RUN_TAG: "true", DEFER_EVENTS_TAG: "true"}


class MigrationRun(dg.ConfigurableResource):
    """The options of a run, in one place.

    Attributes:
        export_id: the export to read; empty = the newest complete one.
        confirm: yes to a live run, for systems that ask for it.
        skip_validation: leave out the steps that only validate, for systems that have them.
        override_gate: names of upstream assets whose shut gate this run passes all the same; logged.
    """

    export_id: str = ""
    confirm: bool = False
    skip_validation: bool = False
    override_gate: list[str] = []


def run_config(options: Mapping[str, Any]) -> dict[str, Any]:
    """The run config that sets the options of a run."""
    return {"resources": {"migration_run": {"config": dict(options)}}}


@cache
def engine_of(database_url: str | None, settings: Settings) -> sa.Engine:
    """One engine per database and process."""
    del database_url  # part of the key: settings alone do not say where an embedded server moved
    return warehouse_engine(settings)


@dataclass(frozen=True)
class RunFacts:
    """The facts of the run that a step belongs to.

    Attributes:
        run_id: Dagster's run id.
        dry_run: decided by the run's tags alone, because launch config replaces a job's preset.
        options: the run's options.
        settings: the installation's settings.
        preview: of a dry run, what shares one shadow: this run, or several that preview one migration together.
        tags: the run's tags.
    """

    run_id: str
    dry_run: bool
    options: MigrationRun
    settings: Settings
    preview: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def engine(self) -> sa.Engine:
        """The engine of the target database."""
        return engine_of(self.settings.database_url, self.settings)

    def landing(self, system: str) -> UPath:
        """The folder of a system's exports."""
        return self.settings.landing / system


def run_facts(context: dg.AssetExecutionContext, options: MigrationRun) -> RunFacts:
    """The facts of the run that a context belongs to.

    Raises:
        SetupError: one of the two tags of a dry run is there without the other.
    """
    tags = context.run.tags
    run_id = context.run.run_id
    return RunFacts(run_id, is_dry(tags), options, read_settings(), tags.get(PREVIEW_TAG, run_id), tags)


def is_dry(tags: Mapping[str, str]) -> bool:
    """Whether a run's tags make it a dry run.

    Raises:
        SetupError: one of the two tags is there without the other, so it is unclear what was wanted.
    """
    present = [tags.get(tag) == "true" for tag in DRY_RUN_TAGS]
    if any(present) and not all(present):
        raise SetupError(
            f"The run carries only one of the tags {' and '.join(DRY_RUN_TAGS)}.",
            "Launch the system's dry-run job instead of setting tags by hand.",
        )
    return all(present)


_resolved: dict[str, str] = {}


def resolve_export_id(context: dg.AssetExecutionContext, facts: RunFacts, system: str) -> str:
    """The export of this run: decided once, by the first step that asks, and kept as a tag of the run.

    Raises:
        MissingSourceFile: no export was named and there is no complete one.
    """
    if facts.run_id in _resolved:
        return _resolved[facts.run_id]
    stored = context.instance.get_run_by_id(facts.run_id)
    tags = stored.tags if stored else context.run.tags
    # The option first: a run launched again from the UI copies the tags of the one before.
    export_id = facts.options.export_id or tags.get(EXPORT_TAG, "")
    if not export_id:
        export_id = newest_export(facts.settings.landing, system, dt.datetime.now(dt.UTC)).name
    if stored and stored.tags.get(EXPORT_TAG) != export_id:
        context.instance.add_run_tags(facts.run_id, {EXPORT_TAG: export_id})
    _resolved[facts.run_id] = export_id
    return export_id
