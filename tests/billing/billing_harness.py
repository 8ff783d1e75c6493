"""A place to run BILLING's real jobs in: an installation of its own, runs in this process, tables read back.

Of the code location only this is expected: `billing_assets.definitions` has `defs` and `SYSTEM`; `SYSTEM.metadata`
holds the tables, `SYSTEM.declarations` the assets with their checks; the jobs are named as below.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from migration.declare.run import RANGE_END_TAG, RANGE_START_TAG, run_config
from migration.settings import Settings
from tests.billing.billing_reference import KEYS
from tests.billing.billing_writing import put_export
from tests.meter.meter_writing import Records, Written

MIGRATION_JOB, DRY_RUN_JOB, CHECKS_JOB = "billing_migration", "billing_dry_run", "billing_checks"
SHADOW = "billing__dry_run"
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

Row = dict[str, Any]


def location() -> Any:
    """The code location's module; imported late, because most of these modules need no Dagster assets."""
    return import_module("billing_assets.definitions")


@dataclass
class Ran:
    """How a run ended.

    Attributes:
        run_id: Dagster's id of the run.
        success: whether every step succeeded.
        failures: why steps failed, by asset, in the order they failed.
        checks: each check of an asset as `passed`, `WARN` or `ERROR`.
        metadata: what each check of an asset says.
    """

    run_id: str
    success: bool
    failures: dict[str, str] = field(default_factory=dict)
    checks: dict[tuple[str, str], str] = field(default_factory=dict)
    metadata: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def findings(self) -> dict[str, str]:
        """The checks that did not pass, with their level, whichever assets they are on."""
        return {name: level for (_, name), level in self.checks.items() if level != "passed"}

    def violations(self, name: str) -> int:
        """What a check counts, over all assets that it is on."""
        found = [facts["violations"] for (_, check), facts in self.metadata.items() if check == name]
        assert found, f"{name} has not been measured"
        return sum(found)


@dataclass
class Lab:
    """One installation in a scratch database.

    Attributes:
        settings: where its things are.
        engine: its database.
        instance: its Dagster, which knows the months that runs have registered.
    """

    settings: Settings
    engine: sa.Engine
    instance: dg.DagsterInstance

    @property
    def landing(self) -> Path:
        """The folder of BILLING's exports."""
        return Path(self.settings.landing.path) / "billing"

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
                asset_selection=[dg.AssetKey(["billing", name]) for name in selection] if selection else None,
            )
        return _ran(result)

    def migrate(self, export_id: str, **options: Any) -> Ran:
        """Carry an export through, all months in one run."""
        return self.run(MIGRATION_JOB, export_id=export_id, **options)

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        """The environment of a run."""
        with pytest.MonkeyPatch.context() as patch:
            for name in [n for n in os.environ if n.startswith(("MIGRATION_", "BILLING_"))]:
                patch.delenv(name)
            own = {
                "HOME": self.settings.home,
                "LANDING": self.settings.landing,
                "DATABASE_URL": self.settings.database_url,
            }
            for name, value in {f"MIGRATION_{n}": str(v) for n, v in own.items()}.items():
                patch.setenv(name, value)
            yield

    # --- tables -------------------------------------------------------------------------------------------------------

    def rows(self, table: str, schema: str = "billing") -> list[Row]:
        """Rows of a table, numbers exact."""
        with self.engine.connect() as connection:
            found = connection.execute(sa.text(f"SELECT * FROM {schema}.{table}")).mappings()
            return [dict(row) for row in found]

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
            name: self.fetch(f"SELECT ctid::text, xmin::text, t.* FROM billing.{name} t ORDER BY 1")
            for name in names or KEYS
        }


def declared_checks() -> list[Any]:
    """Every declared check of the location."""
    return [check for declaration in location().SYSTEM.declarations.values() for check in declaration.checks]


def _ran(result: dg.ExecuteInProcessResult) -> Ran:
    ran = Ran(result.run_id, result.success)
    for event in result.all_events:
        if event.is_step_failure and event.step_key:
            data = event.step_failure_data
            failure = data.user_failure_data
            text = failure.description if failure and failure.description else _innermost(data.error)
            ran.failures[event.step_key.split("__", 1)[-1]] = text
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            found = event.asset_check_evaluation_data
            key = (found.asset_key.path[-1], found.check_name)
            ran.checks[key] = "passed" if found.passed else found.severity.value
            ran.metadata[key] = {name: value.value for name, value in found.metadata.items()}
    return ran


def _innermost(error: Any) -> str:
    """What an error that is none of ours was about."""
    while error is not None and error.cause is not None:
        error = error.cause
    return str(error and error.message)
