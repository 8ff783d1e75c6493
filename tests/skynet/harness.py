"""A place to run Skynet's real jobs in: exports written in every format, runs in this process, tables read back."""

import csv
import datetime as dt
import gzip
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from migration.declare.run import RANGE_END_TAG, RANGE_START_TAG, run_config
from migration.settings import Settings
from skynet_assets import tables
from skynet_assets.assets import SKYNET
from skynet_assets.definitions import defs

EXPORTED_AT = "2026-02-10T03:00:00Z"
BUSINESS_TABLES = (
    "packages",
    "routers",
    "customers",
    "customer_merge_log",
    "invoices",
    "transactions",
    "branch_summaries",
    "identity_card_photos",
)
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

Records = Sequence[Any]
Row = dict[str, Any]


# --- exports ----------------------------------------------------------------------------------------------------------


def json_text(value: Any) -> str:
    """JSON text with decimals digit by digit, and everything outside ASCII escaped, half surrogate pairs too."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{json_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(json_text, value)) + "]"
    return json.dumps(value)


def _as_csv(records: Records) -> bytes:
    header = list(dict.fromkeys(key for record in records for key in record))
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([["" if record.get(key) is None else record[key] for key in header] for record in records])
    return sink.getvalue().encode()


def _as_parquet(records: Records) -> bytes:
    header = dict.fromkeys(key for record in records for key in record)
    sink = io.BytesIO()
    pq.write_table(pa.table({key: [record.get(key) for record in records] for key in header}), sink)
    return sink.getvalue()


ENCODERS: dict[str, Callable[[Records], bytes]] = {
    "json": lambda records: json_text(list(records)).encode(),
    "jsonl": lambda records: "".join(f"{json_text(record)}\n" for record in records).encode(),
    "csv": _as_csv,
    "parquet": _as_parquet,
}


@dataclass(frozen=True)
class Written:
    """One file of an export: what it holds, and how it is kept."""

    content: bytes
    rows: int
    suffix: str


def encoded(records: Records, kind: str = "json", *, packed: bool = False) -> Written:
    """Records as a file of the given format."""
    content = ENCODERS[kind](records)
    return Written(gzip.compress(content) if packed else content, len(records), f"{kind}{'.gz' if packed else ''}")


def put_export(
    folder: Path, files: Mapping[str, Records | Written], exported_at: Any = EXPORTED_AT, *, manifest: bool = True
) -> Path:
    """Write an export folder: records per table as JSON, or files as they are."""
    folder.mkdir(parents=True)
    listed = []
    for stem, given in files.items():
        file = given if isinstance(given, Written) else encoded(given)
        name = f"{stem}.{file.suffix}"
        (folder / name).write_bytes(file.content)
        listed.append({"name": name, "sha256": hashlib.sha256(file.content).hexdigest(), "rows": file.rows})
    if manifest:
        document = {"system": "skynet", "exported_at": exported_at, "files": listed}
        (folder / "manifest.json").write_text(json.dumps(document))
    return folder


# --- runs -------------------------------------------------------------------------------------------------------------


@dataclass
class Ran:
    """How a run ended: why steps failed, and each check as `passed`, `WARN` or `ERROR` with its first keys."""

    run_id: str
    success: bool
    failures: dict[str, str] = field(default_factory=dict)
    checks: dict[str, str] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)

    def findings(self) -> dict[str, str]:
        """The checks that did not pass, with their level."""
        return {name: level for name, level in self.checks.items() if level != "passed"}


@dataclass
class Lab:
    """One installation in a scratch database.

    Attributes:
        settings: where its things are.
        engine: its database.
        tolerant: runs lift the limits on shares, which a small export full of dirt cannot keep.
        environment: variables of its runs.
    """

    settings: Settings
    engine: sa.Engine
    tolerant: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def landing(self) -> Path:
        """The folder of Skynet's exports."""
        return Path(self.settings.landing.path) / "skynet"

    def put(self, export_id: str, files: Mapping[str, Records | Written], **options: Any) -> Path:
        """Write an export into the landing zone."""
        return put_export(self.landing / export_id, files, **options)

    def run(
        self,
        export_id: str | None = None,
        months: tuple[str, str] = ("2026-02-01", "2026-02-01"),
        job: str = "skynet_migration",
        selection: Sequence[str] | None = None,
        **options: Any,
    ) -> Ran:
        """Run a job of the code location in this process."""
        definition = defs.resolve_job_def(job)
        tags = {}
        if definition.partitions_def is not None:
            tags = {RANGE_START_TAG: months[0], RANGE_END_TAG: months[1]}
        if export_id:
            options["export_id"] = export_id
        with self._surroundings(), dg.DagsterInstance.ephemeral() as instance:
            result = definition.execute_in_process(
                run_config=run_config(options) | _QUIET,
                instance=instance,
                tags=tags,
                raise_on_error=False,
                asset_selection=[dg.AssetKey(["skynet", name]) for name in selection] if selection else None,
            )
        return _ran(result)

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        """The environment of a run, and its limits."""
        with pytest.MonkeyPatch.context() as patch:
            for name in [n for n in os.environ if n.startswith(("MIGRATION_", "SKYNET_"))]:
                patch.delenv(name)
            own = {
                "HOME": self.settings.home,
                "LANDING": self.settings.landing,
                "DATABASE_URL": self.settings.database_url,
            }
            for name, value in ({f"MIGRATION_{n}": str(v) for n, v in own.items()} | self.environment).items():
                patch.setenv(name, value)
            for check in checks_by_name().values() if self.tolerant else ():
                for measure in ("share", "drop"):
                    patch.delitem(check.error, measure, raising=False)
            yield

    def rows(self, table: str, schema: str = "skynet") -> list[Row]:
        """All rows of a table, numbers exact."""
        columns = tables.metadata.tables[f"skynet.{table}"].columns
        chosen = ", ".join(f"host({c.name}) AS {c.name}" if c.name == "ip_address" else c.name for c in columns)
        with self.engine.connect() as connection:
            return [
                dict(row) for row in connection.execute(sa.text(f"SELECT {chosen} FROM {schema}.{table}")).mappings()
            ]

    def count(self, table: str) -> int:
        """How many rows a table holds; none when it does not exist yet."""
        with self.engine.connect() as connection:
            if connection.scalar(sa.text(f"SELECT to_regclass('skynet.{table}')")) is None:
                return 0
            return int(connection.scalar(sa.text(f"SELECT count(*) FROM skynet.{table}")) or 0)

    def execute(self, *statements: str) -> None:
        """Change the database behind the migration's back."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))

    def fetch(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement))]

    def images(self, *names: str) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of tables with its place and its writer, to prove that nothing was written."""
        return {
            name: self.fetch(f"SELECT ctid::text, xmin::text, t.* FROM skynet.{name} t ORDER BY 1") for name in names
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


def checks_by_name() -> dict[str, Any]:
    """Every declared check of the location."""
    return {check.name: check for declaration in SKYNET.declarations.values() for check in declaration.checks}


def utc_now(engine: sa.Engine) -> dt.datetime:
    """The database's clock."""
    with engine.connect() as connection:
        now = connection.scalar(sa.text("SELECT clock_timestamp()"))
    assert isinstance(now, dt.datetime)
    return now
