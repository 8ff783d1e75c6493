"""A place to break the migration in: tiny exports with known dirt, runs of the real jobs, tables read back."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa

from migration.declare.run import RANGE_END_TAG, RANGE_START_TAG, run_config
from migration.settings import Settings, read_settings
from migration.tables import Role, business_columns, loaded_columns, role_of
from migration.warehouse.fingerprint import fingerprint_of
from skynet_assets import tables
from skynet_assets.definitions import defs

MONTHS = ("2026-01-01", "2026-02-01")
BUSINESS = (
    "packages",
    "routers",
    "customers",
    "customer_merge_log",
    "invoices",
    "transactions",
    "branch_summaries",
    "identity_card_photos",
)
MIGRATED_ASSETS = (
    "export",
    "customers_clean",
    "customers_final",
    "packages",
    "routers",
    "customers",
    "router_credentials",
    "identity_card_photo_queue",
    "payments_clean",
    "invoices",
    "transactions",
    "branch_summaries",
    "branch_reconciliation",
)
VARIABLES = ("SKYNET_PHOTO_BASE_URL", "SKYNET_ROUTER_CREDENTIALS_FILE", "SKYNET_BASELINE_CUSTOMERS", "MIGRATION_WORK")
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_TIMES = (Role.CHANGED_AT,)

Row = dict[str, Any]
Image = dict[str, list[tuple[str, ...]]]


# --- exports ----------------------------------------------------------------------------------------------------------


@dataclass
class World:
    """What an export says: its three tables, as the legacy system writes them."""

    customers: list[Any] = field(default_factory=list)
    transactions: list[Any] = field(default_factory=list)
    branches: list[Any] = field(default_factory=list)
    exported_at: str = "2026-02-25T19:00:00Z"

    def files(self) -> dict[str, bytes]:
        """The files of the export and their content."""
        found = {"customers": self.customers, "transactions": self.transactions, "branches": self.branches}
        return {f"{name}.json": json.dumps(rows).encode() for name, rows in found.items()}


def customer(number: int, **changed: Any) -> Row:
    """A good customer."""
    return {
        "id_pelanggan": f"SRGD{number:04d}",
        "nama_pelanggan": f"Customer {number}",
        "nik": f"35070101010{number:05d}",
        "alamat": f"Street {number}",
        "telepon": f"0812345{number:05d}",
        "paket": f"Paket {10 + number % 3 * 10}M",
        "harga": 150000 + number % 3 * 50000,
        "tanggal_registrasi": f"{1 + number % 28:02d}-January-2024",
        "jatuh_tempo": str(1 + number % 28),
        "pppoe_username": f"user{number}",
        "pppoe_password": f"secret{number}",
        "nama_lokasi": "SKYNET-SRIGADING",
        "nama_router": f"SKYNET-R{number % 4}",
        "koordinat": f"-7.85{number:04d}, 112.68{number:04d}",
        "ktp_photo_url": f"https://photos.example.test/{number}.jpg" if number % 2 else None,
        "connection_status": "Active",
    } | changed


def payment(number: int, month: str = "January 2026", **changed: Any) -> Row:
    """A good payment of a customer's month."""
    day = f"{1 + number % 27:02d}-{'01' if month.startswith('Jan') else '02'}-2026"
    return {
        "id_pelanggan": f"SRGD{number:04d}",
        "nominal_harus_dibayar": 150000,
        "nominal_pembayaran": 150000,
        "status_pembayaran": "Lunas",
        "bukti_pembayaran_url": None,
        "periode": month,
        "metode": "Cash",
        "waktu_entry": f"{day} 10:10:00 AM",
    } | changed


def first_world(customers: int = 24) -> World:
    """A first export: mostly good, with a merged and a rejected customer, and payments of every outcome."""
    rows = [customer(n) for n in range(1, customers + 1)]
    rows += [customer(1, connection_status="Isolated"), customer(2, nama_pelanggan="Nobody", id_pelanggan=None)]
    paid = [payment(n, month) for month in ("January 2026", "February 2026") for n in range(1, customers + 1)]
    paid += [
        payment(1),
        payment(3, "February 2026", status_pembayaran="Sebagian", nominal_pembayaran=50000, metode="BCA 1"),
        payment(4, "Semua"),
        payment(9999),
    ]
    paid[5] |= {"status_pembayaran": "Belum Lunas", "nominal_pembayaran": 0}
    paid[6] |= {"waktu_entry": "soon"}
    return World(rows, paid, [{"cabang": "SKYNET SRIGADING", "jumlah_pelanggan": str(customers)}, {"cabang": "TOTAL"}])


def next_world() -> World:
    """The export after the first: new, changed and gone rows in every table, and a new price that customers move to."""
    world = first_world()
    world.customers[2]["nama_pelanggan"] = "Renamed"
    world.customers[3]["harga"] = 999000
    world.customers[4]["nama_router"] = "SKYNET-NEW"
    world.customers.append(customer(100, paket="Paket Baru 77M"))
    world.transactions[1] |= {"nominal_pembayaran": 149000}
    world.transactions.append(payment(100, "February 2026"))
    world.branches[0]["jumlah_pelanggan"] = "25"
    return world


def blocked_world() -> World:
    """An export of which more than a tenth of the customers are rejected."""
    world = first_world()
    world.customers += [customer(0, id_pelanggan=None) for _ in range(6)]
    return world


def write_export(landing: Path, export_id: str, world: World) -> Path:
    """Write an export folder with its manifest."""
    folder = landing / "skynet" / export_id
    folder.mkdir(parents=True)
    listed = []
    for name, content in world.files().items():
        (folder / name).write_bytes(content)
        listed.append({"name": name, "sha256": hashlib.sha256(content).hexdigest()})
    manifest = {"system": "skynet", "exported_at": world.exported_at, "files": listed}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


# --- runs -------------------------------------------------------------------------------------------------------------


@dataclass
class Ran:
    """How a run ended."""

    run_id: str
    success: bool
    events: list[dg.DagsterEvent]
    logs: list[dg.EventLogEntry]
    tags: dict[str, str]

    @property
    def failures(self) -> dict[str, str]:
        """Per failed step, the line that says why."""
        return {_step(e): _why(e) for e in self.events if e.is_step_failure}

    @property
    def retried(self) -> list[str]:
        """The steps that were tried again."""
        return [_step(e) for e in self.events if e.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY]

    @property
    def materialized(self) -> list[str]:
        """The assets with a materialization event."""
        return [e.asset_key.path[-1] for e in self.events if e.is_step_materialization and e.asset_key]

    @property
    def observed(self) -> dict[str, Row]:
        """Metadata of each observed asset."""
        found = [e.asset_observation_data.asset_observation for e in self.events if _is_observation(e)]
        return {o.asset_key.path[-1]: {k: v.value for k, v in o.metadata.items()} for o in found}

    @property
    def checks(self) -> dict[str, dg.AssetCheckEvaluation]:
        """The check evaluations by name."""
        data = [e.asset_check_evaluation_data for e in self.events if _is_check(e)]
        return {each.check_name: each for each in data}

    def metadata(self, asset: str) -> Row:
        """Metadata of an asset's materialization, the last one's."""
        made = [e for e in self.events if e.is_step_materialization and e.asset_key and e.asset_key.path[-1] == asset]
        return {k: v.value for k, v in made[-1].step_materialization_data.materialization.metadata.items()}


def _is_observation(event: dg.DagsterEvent) -> bool:
    return event.event_type == dg.DagsterEventType.ASSET_OBSERVATION


def _is_check(event: dg.DagsterEvent) -> bool:
    return event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION


def _step(event: dg.DagsterEvent) -> str:
    return str(event.step_key).split("__", 1)[-1]


def _why(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return data.user_failure_data.description
    error = data.error.cause or data.error if data.error else None
    return error.message if error else ""


def run_job(
    job: str = "skynet_migration",
    *,
    months: tuple[str, str] = MONTHS,
    only: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    **options: Any,
) -> Ran:
    """Run a job of the code location in this process, with the settings of its environment."""
    definition = defs.resolve_job_def(job)
    given = dict(tags or {})
    if definition.partitions_def is not None:
        given |= {RANGE_START_TAG: months[0], RANGE_END_TAG: months[1]}
    logs: list[dg.EventLogEntry] = []
    with dg.DagsterInstance.ephemeral() as instance:
        result = definition.execute_in_process(
            run_config=run_config(options) | _QUIET,
            instance=instance,
            tags=given,
            raise_on_error=False,
            asset_selection=[dg.AssetKey(["skynet", name]) for name in only] or None,
        )
        stored = instance.get_run_by_id(result.run_id)
        logs = instance.all_logs(result.run_id)
    return Ran(result.run_id, result.success, list(result.all_events), logs, dict(stored.tags if stored else {}))


@dataclass(frozen=True)
class Lab:
    """One installation in a scratch database."""

    settings: Settings
    engine: sa.Engine

    @property
    def landing(self) -> Path:
        """The landing zone."""
        return self.settings.home / "landing"

    def export(self, export_id: str, world: World) -> Path:
        """Write an export into the landing zone."""
        return write_export(self.landing, export_id, world)

    def fetch(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement), values)]

    def scalar(self, statement: str, **values: Any) -> Any:
        """The one value of a query."""
        return self.fetch(statement, **values)[0][0]

    def execute(self, *statements: str) -> None:
        """Change the database behind the migration's back."""
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))

    def count(self, table: str) -> int:
        """How many rows a table holds."""
        return int(self.scalar(f"SELECT count(*) FROM skynet.{table}"))

    def statuses(self, run_id: str) -> dict[str, str]:
        """Status of each asset (and partition) of a run in the run log."""
        found = self.fetch(
            "SELECT asset || coalesce(' ' || partition, ''), status FROM skynet.migration_run_log WHERE run_id = :run",
            run=run_id,
        )
        return dict(found)

    def image(self) -> Image:
        """Every business row with its provenance, and the bookkeeping without runs and times."""
        return image_of(self.engine)

    def written(self) -> Image:
        """Place and writer of every row, to prove that nothing was written."""
        return {
            name: self.fetch(f"SELECT ctid::text, xmin::text FROM skynet.{name} ORDER BY 1")
            for name in (*BUSINESS, "row_ledger", "rejected_row", "row_change")
        }

    def fingerprints(self) -> dict[str, str]:
        """The fingerprint of each business table."""
        with self.engine.connect() as connection:
            return {
                name: str(connection.scalar(fingerprint_of(table, business_columns(loaded_columns(table)))))
                for name, table in ((name, tables.metadata.tables[f"skynet.{name}"]) for name in BUSINESS)
            }


_BOOKS = {
    "row_ledger": "export_id, source_table, source_row, target_table, source_pk, outcome, reason, target_key",
    "rejected_row": "export_id, source_table, source_row, source_pk, target_table, reason_code, detail, raw",
    "row_change": "table_name, row_key, before - 'migrated_at'",
}


def image_of(engine: sa.Engine, schema: str = "skynet") -> Image:
    """Every row of every table as text, without times, serial numbers and run ids; no table where there is none yet."""
    with engine.connect() as connection:
        present = set(sa.inspect(connection).get_table_names(schema=schema))
        columns = {name: _columns_of(tables.metadata.tables[f"skynet.{name}"]) for name in BUSINESS} | _BOOKS
        return {
            name: [tuple(row) for row in connection.execute(sa.text(_rows_as_text(schema, name, chosen)))]
            for name, chosen in columns.items()
            if name in present
        }


def _rows_as_text(schema: str, name: str, chosen: str) -> str:
    return f'SELECT ROW({chosen})::text FROM {schema}.{name} ORDER BY ROW({chosen})::text COLLATE "C"'


def _columns_of(table: sa.Table) -> str:
    return ", ".join(c.name for c in table.columns if role_of(c) not in _TIMES)


@contextmanager
def environment(settings: Settings) -> Iterator[None]:
    """The environment of an installation, for as long as the context lasts."""
    kept = dict(os.environ)
    os.environ.update(variables(settings.home, str(settings.database_url)))
    for name in VARIABLES:
        os.environ.pop(name, None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


def variables(home: Path, url: str) -> dict[str, str]:
    """The environment variables of an installation."""
    return {
        "MIGRATION_HOME": str(home),
        "MIGRATION_LANDING": str(home / "landing"),
        "MIGRATION_DATABASE_URL": url,
        "SKYNET_PHOTO_ALLOWED_HOSTS": "photos.example.test",
    }


def copy_home(source: Path, target: Path) -> None:
    """Copy the landing zone and the staged frames of an installation."""
    for name in ("landing", "work"):
        if (source / name).exists():
            shutil.copytree(source / name, target / name)


__all__ = ["Lab", "Ran", "World", "read_settings", "run_job"]
