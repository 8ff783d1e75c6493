"""A place to run METER's real jobs in: an installation of its own, runs in this process, tables read back."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from migration.automation import run_config
from migration.settings import Settings
from tests.meter.meter_writing import Records, Written, put_export

LOAD_JOB, STEPS_JOB, DRY_RUN_JOB = "meter_load_job", "meter_steps_job", "meter_dry_run"
PARTITIONS = "meter_tenants"
SHADOW = "meter__dry_run"
_CLOCKS = frozenset({"loaded_at", "backed_up_at"})
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

Row = dict[str, Any]


def location() -> Any:
    """The code location's module; imported late, because most of these modules need no Dagster assets."""
    return import_module("meter_assets.definitions")


@dataclass
class Ran:
    """How a run ended.

    Attributes:
        run_id: Dagster's id of the run.
        success: whether every step succeeded.
        failures: why steps failed, by asset, in the order they failed.
        checks: each check as `passed`, `WARN` or `ERROR`.
        keys: the first keys that a check has found.
        metadata: metadata of the materializations, by asset.
    """

    run_id: str
    success: bool
    failures: dict[str, str] = field(default_factory=dict)
    checks: dict[str, str] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def stopped_at(self) -> str | None:
        """The asset that failed first."""
        return next(iter(self.failures), None)

    def findings(self) -> dict[str, str]:
        """The checks that did not pass, with their level."""
        return {name: level for name, level in self.checks.items() if level != "passed"}


@dataclass
class Lab:
    """One installation in a scratch database.

    Attributes:
        settings: where its things are.
        engine: its database.
        instance: its Dagster, which knows the tenants that loads have registered.
        environment: variables of its runs.
    """

    settings: Settings
    engine: sa.Engine
    instance: dg.DagsterInstance
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def landing(self) -> Path:
        """The folder of METER's exports."""
        return Path(self.settings.landing.path) / "meter"

    def put(self, export_id: str, files: Mapping[str, Records | Written], **options: Any) -> Path:
        """Write an export into the landing zone."""
        return put_export(self.landing / export_id, files, **options)

    # --- runs ---------------------------------------------------------------------------------------------------------

    def run(
        self,
        job: str,
        partition: str | None = None,
        selection: Sequence[str] | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Ran:
        """Run a job of the code location in this process, as a live run unless its tags say otherwise.

        Args:
            job: name of the job.
            partition: the tenant, for jobs that have partitions.
            selection: names of the assets to run, by default all of the job.
            tags: further tags of the run.
            **options: options of the run; `confirm` is given unless it is set here.
        """
        definition = location().defs.resolve_job_def(job)
        with self._surroundings():
            result = definition.execute_in_process(
                run_config=run_config({"confirm": True} | options) | _QUIET,
                instance=self.instance,
                partition_key=partition,
                tags=dict(tags or {}),
                raise_on_error=False,
                asset_selection=[dg.AssetKey(["meter", name]) for name in selection] if selection else None,
            )
        return _ran(result)

    def load(self, export_id: str, **options: Any) -> Ran:
        """Load an export."""
        return self.run(LOAD_JOB, export_id=export_id, **options)

    def steps(self, export_id: str, tenants: Iterable[int], *, dry_run: bool = False, **options: Any) -> dict[int, Ran]:
        """Run the steps of some tenants, one run for each, whatever becomes of the others."""
        job = DRY_RUN_JOB if dry_run else STEPS_JOB
        return {tenant: self.run(job, str(tenant), export_id=export_id, **options) for tenant in tenants}

    def register(self, *tenants: Any) -> None:
        """Make partitions known that no load has registered."""
        self.instance.add_dynamic_partitions(PARTITIONS, [str(tenant) for tenant in tenants])

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        """The environment of a run."""
        with pytest.MonkeyPatch.context() as patch:
            for name in [n for n in os.environ if n.startswith(("MIGRATION_", "METER_"))]:
                patch.delenv(name)
            own = {
                "HOME": self.settings.home,
                "LANDING": self.settings.landing,
                "DATABASE_URL": self.settings.database_url,
            }
            for name, value in ({f"MIGRATION_{n}": str(v) for n, v in own.items()} | self.environment).items():
                patch.setenv(name, value)
            yield

    # --- tables -------------------------------------------------------------------------------------------------------

    def rows(self, table: str, schema: str = "meter", where: str = "true") -> list[Row]:
        """Rows of a table, numbers exact, without the columns that say when they were written."""
        statement = sa.text(f"SELECT * FROM {schema}.{table} WHERE {where}")
        with self.engine.connect() as connection:
            found = connection.execute(statement).mappings()
            return [{name: value for name, value in row.items() if name not in _CLOCKS} for row in found]

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
            name: self.fetch(f"SELECT ctid::text, xmin::text, t.* FROM meter.{name} t ORDER BY 1") for name in names
        }


def _ran(result: dg.ExecuteInProcessResult) -> Ran:
    ran = Ran(result.run_id, result.success)
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
