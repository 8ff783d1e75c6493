"""A place to run DENTAL's real jobs in: an installation of its own, runs in this process, tables read back.

Of the code location only this is expected: `dental_assets.definitions` has `defs` and `SYSTEM`; `SYSTEM.metadata`
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

from migration.declare.run import run_config
from migration.settings import Settings
from tests.booking.booking_harness import Ran, _ran
from tests.dental.dental_files import Row
from tests.dental.dental_writing import Records, Written, put_export

MIGRATION_JOB, DRY_RUN_JOB, CHECKS_JOB = "dental_migration", "dental_dry_run", "dental_checks"
NOTIFICATIONS_JOB = "dental_notifications"
PARTITIONS = "dental_notification_ranges"
UNKEYED = "unkeyed"
SHADOW = "dental__dry_run"
_CLOCKS = frozenset({"loaded_at", "rejected_at"})
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def location() -> Any:
    """The code location's module; imported late, because most of these modules need no Dagster assets."""
    return import_module("dental_assets.definitions")


@dataclass
class Lab:
    """One installation in a scratch database.

    Attributes:
        settings: where its things are.
        engine: its database.
        instance: its Dagster, which knows the partitions that runs have registered.
        environment: variables of its runs.
    """

    settings: Settings
    engine: sa.Engine
    instance: dg.DagsterInstance
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def landing(self) -> Path:
        """The folder of DENTAL's exports."""
        return Path(self.settings.landing.path) / "dental"

    def put(self, export_id: str, files: Mapping[str, Records | Written], **options: Any) -> Path:
        """Write an export into the landing zone."""
        return put_export(self.landing / export_id, files, **options)

    # --- runs ---------------------------------------------------------------------------------------------------------

    def run(
        self,
        job: str = MIGRATION_JOB,
        partition: str | None = None,
        selection: Sequence[str] | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Ran:
        """Run a job of the code location in this process, as a live run unless its tags say otherwise.

        Args:
            job: name of the job.
            partition: the partition, for jobs that have any.
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
                asset_selection=[dg.AssetKey(["dental", name]) for name in selection] if selection else None,
            )
        return _ran(result)

    def migrate(self, export_id: str, **options: Any) -> Ran:
        """Carry everything of an export but the notifications through."""
        return self.run(MIGRATION_JOB, export_id=export_id, **options)

    def notify(self, export_id: str, keys: Iterable[str], **options: Any) -> list[Ran]:
        """Carry partitions of an export's notifications through, one after the other."""
        return [self.run(NOTIFICATIONS_JOB, key, export_id=export_id, **options) for key in keys]

    def partitions(self) -> list[str]:
        """The ranges of notifications that runs have made known."""
        return list(self.instance.get_dynamic_partitions(PARTITIONS))

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        """The environment of a run."""
        with pytest.MonkeyPatch.context() as patch:
            for name in [n for n in os.environ if n.startswith(("MIGRATION_", "DENTAL_"))]:
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

    def rows(self, table: str, schema: str = "dental") -> list[Row]:
        """Rows of a table: numbers exact, also in JSON, UUIDs as text, without the columns that clocks fill."""
        columns = location().SYSTEM.metadata.tables[f"dental.{table}"].columns
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
            name: self.fetch(f"SELECT ctid::text, xmin::text, t.*::text FROM dental.{name} t ORDER BY 1")
            for name in names
        }


def _plain(value: Any, is_document: bool) -> Any:
    if is_document and value is not None:
        return json.loads(value, parse_float=Decimal)
    return str(value) if type(value).__name__ == "UUID" else value


def partition_of(pk: int) -> str:
    """The partition that a notification belongs to."""
    return f"{pk - pk % 100_000:09}"
