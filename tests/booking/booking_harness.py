"""A place to run BOOKING's real jobs in: an installation of its own, runs in this process, tables read back.

Of the code location only this is expected: `booking_assets.definitions` has `defs` and `SYSTEM`; `SYSTEM.metadata`
holds the tables, `SYSTEM.declarations` the assets with their checks; the jobs are named as below.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from migration.declare.run import RANGE_END_TAG, RANGE_START_TAG, run_config
from migration.runs import Finished, Location, Request, carry_through
from migration.settings import Settings
from tests.booking.booking_writing import Records, Written, put_export

MIGRATION_JOB, QUALITY_JOB = "booking_migration", "booking_quality"
BATCH_JOBS = tuple(f"booking_batch_{batch}" for batch in "bcdef")
SHADOW = "booking__dry_run"
# Limits on shares, which a small export full of dirt cannot keep.
SHARES = ("unmapped_variant_ratio", "unmapped_item_ratio", "pax_mismatch", "ops_status_drift")
_CLOCKS = frozenset({"created_at", "updated_at"})
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

Row = dict[str, Any]


def location() -> Any:
    """The code location's module; imported late, because most of these modules need no Dagster assets."""
    return import_module("booking_assets.definitions")


@dataclass
class Ran:
    """How a run ended.

    Attributes:
        run_ids: Dagster's ids of the runs that it took.
        success: whether every step succeeded.
        failures: why steps failed, by asset, in the order they failed.
        checks: each check as `passed`, `WARN` or `ERROR`.
        keys: the first keys that a check has found.
        metadata: metadata of the materializations, by asset.
    """

    run_ids: list[str]
    success: bool
    failures: dict[str, str] = field(default_factory=dict)
    checks: dict[str, str] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """Dagster's id of the only run."""
        (only,) = self.run_ids
        return only

    def findings(self) -> dict[str, str]:
        """The checks that did not pass, with their level."""
        return {name: level for name, level in self.checks.items() if level != "passed"}


@dataclass
class Lab:
    """One installation in a scratch database.

    Attributes:
        settings: where its things are.
        engine: its database.
        instance: its Dagster, which knows the months that runs have registered.
        tolerant: runs lift the limits on shares.
        environment: variables of its runs.
    """

    settings: Settings
    engine: sa.Engine
    instance: dg.DagsterInstance
    tolerant: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def landing(self) -> Path:
        """The folder of BOOKING's exports."""
        return Path(self.settings.landing.path) / "booking"

    def put(self, export_id: str, files: Mapping[str, Records | Written], **options: Any) -> Path:
        """Write an export into the landing zone."""
        return put_export(self.landing / export_id, files, **options)

    # --- runs ---------------------------------------------------------------------------------------------------------

    def run(
        self,
        job: str = MIGRATION_JOB,
        months: tuple[str, str] | None = None,
        selection: Sequence[str] | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Ran:
        """Run a job of the code location in this process, as a live run unless its tags say otherwise.

        Args:
            job: name of the job.
            months: first and last month; without them all months are run.
            selection: names of the assets to run, by default all of the job.
            tags: further tags of the run.
            **options: options of the run; `confirm` is given unless it is set here.
        """
        definition = location().defs.resolve_job_def(job)
        of_months = {RANGE_START_TAG: months[0], RANGE_END_TAG: months[1]} if months else {}
        with self._surroundings():
            result = definition.execute_in_process(
                run_config=run_config({"confirm": True} | options) | _QUIET,
                instance=self.instance,
                tags={**of_months, **(tags or {})},
                raise_on_error=False,
                asset_selection=[dg.AssetKey(["booking", name]) for name in selection] if selection else None,
            )
        return _ran(result)

    def migrate(self, export_id: str, *, dry_run: bool = False, **options: Any) -> Ran:
        """Carry an export through, stage by stage, all months in one run."""
        request = Request({"export_id": export_id, "confirm": True} | options, dry_run=dry_run)
        place = Location(location().SYSTEM, location().defs)
        with self._surroundings():
            return _joined(carry_through(place, self.settings, request, lambda step, state: None, self.instance))

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        """The environment of a run, and its limits."""
        with pytest.MonkeyPatch.context() as patch:
            for name in [n for n in os.environ if n.startswith(("MIGRATION_", "BOOKING_"))]:
                patch.delenv(name)
            own = {
                "HOME": self.settings.home,
                "LANDING": self.settings.landing,
                "DATABASE_URL": self.settings.database_url,
            }
            for name, value in ({f"MIGRATION_{n}": str(v) for n, v in own.items()} | self.environment).items():
                patch.setenv(name, value)
            for name, check in checks_by_name().items() if self.tolerant else ():
                for measure in list(check.error) if name in SHARES else ():
                    patch.delitem(check.error, measure)
            yield

    # --- tables -------------------------------------------------------------------------------------------------------

    def rows(self, table: str, schema: str = "booking") -> list[Row]:
        """Rows of a table: numbers exact, also in JSON, UUIDs as text, without the columns that clocks fill."""
        columns = location().SYSTEM.metadata.tables[f"booking.{table}"].columns
        documents = {column.name for column in columns if isinstance(column.type, JSONB)}
        names = [column.name for column in columns if column.name not in _CLOCKS]
        chosen = ", ".join(f"{name}::text AS {name}" if name in documents else name for name in names)
        with self.engine.connect() as connection:
            found = connection.execute(sa.text(f"SELECT {chosen} FROM {schema}.{table}")).mappings()
            return [{name: _plain(value, name in documents) for name, value in row.items()} for row in found]

    def fetch(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement))]

    def execute(self, *statements: str) -> None:
        """Change the database behind the migration's back."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))

    def images(self, *names: str) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of tables with its place and its writer, to prove that nothing was written."""
        return {
            name: self.fetch(f"SELECT ctid::text, xmin::text, t.* FROM booking.{name} t ORDER BY 1") for name in names
        }


def _plain(value: Any, is_document: bool) -> Any:
    if is_document and value is not None:
        return json.loads(value, parse_float=Decimal)
    return str(value) if type(value).__name__ == "UUID" else value


def checks_by_name() -> dict[str, Any]:
    """Every declared check of the location."""
    declared = location().SYSTEM.declarations.values()
    return {check.name: check for declaration in declared for check in declaration.checks}


def _joined(stages: Iterable[Finished]) -> Ran:
    """How the stages of a migration ended together."""
    ran = Ran([], success=True)
    for finished in stages:
        ran.run_ids.append(finished.run_id)
        ran.success &= finished.success
        ran.failures |= finished.failures
        ran.checks |= dict.fromkeys(finished.error_checks, "ERROR")
        ran.metadata |= finished.facts
    return ran


def _ran(result: dg.ExecuteInProcessResult) -> Ran:
    ran = Ran([result.run_id], result.success)
    for event in result.all_events:
        if event.is_step_failure and event.step_key:
            data = event.step_failure_data
            failure = data.user_failure_data
            text = failure.description if failure and failure.description else str(data.error and data.error.message)
            ran.failures[event.step_key.split("__", 1)[-1]] = text
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            found = event.asset_check_evaluation_data
            ran.checks[found.check_name] = "passed" if found.passed else found.severity.value
            keys = found.metadata.get("first_keys")
            ran.keys[found.check_name] = list(keys.value) if keys is not None else []
        elif event.is_step_materialization:
            made = event.step_materialization_data.materialization
            ran.metadata[made.asset_key.path[-1]] = {k: v.value for k, v in made.metadata.items()}
    return ran
