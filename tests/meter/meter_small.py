"""A small export that every check passes on, ways to change it, and ways to look at what became of it."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa

from meter_assets import tables
from meter_assets.assets import METER
from migration import embedded
from migration.declare import run as declared_run
from migration.tables import Role, role_of
from migration.warehouse.connect import warehouse_engine
from migration.warehouse.fingerprint import fingerprint_of
from tests.conftest import scratch_database, settings_at
from tests.meter.meter_cases import (
    Export,
    assignment,
    customer,
    export_of,
    invoiced,
    meter,
    overpayment,
    payment,
    tenant,
)
from tests.meter.meter_harness import PARTITIONS, Lab, Ran

FIRST, SECOND = "20260210T030000Z", "20260310T030000Z"
TENANTS = (1, 2, 3)
CUSTOMERS = 4
LOADS = tuple(table.name for table in tables.LOADED)
STEPS = (
    "payment_meter_ids",
    "invoice_amounts",
    "payments_gate",
    "customer_balances_backup",
    "meter_balances",
    "full_validation",
)
REPORTS = ("customer_balances_backup", "meter_id_review", "invoice_amount_discrepancy", "validation_discrepancy")
TARGETS = (*LOADS, *REPORTS)
BOOKS = ("row_ledger", "rejected_row", "row_change")
EVERYTHING = (*TARGETS, *BOOKS)

Row = dict[str, Any]


# --- the export -------------------------------------------------------------------------------------------------------


def first_of(number: int) -> int:
    """The id of a tenant's first customer, and of that customer's meter, invoice and payment."""
    return number * 100_000 + 1


def small(tenants: Iterable[int] = TENANTS, customers: int = CUSTOMERS) -> Export:
    """Tenants whose customers have a meter each, owe 60.00 on it, and did so before; the last one has credit."""
    return export_of(*(record for number in tenants for record in _tenant(number, customers)))


def _tenant(number: int, customers: int) -> Iterator[tuple[str, Row]]:
    first = first_of(number)
    last = first + customers - 1
    yield "tenants", tenant(number)
    for key in range(first, last + 1):
        # The last one paid in advance: billed 100, paid 140; before, debt and credit stood beside each other.
        owed = {"balance": 10, "overpayment": 50} if key == last else {"balance": 60}
        yield "users", customer(key, number, **owed)
        yield "meters", meter(key, number)
        yield "meter_assignments", assignment(key, key, key, at="2024-01-01")
        # What is stored of the first one's invoice is wrong; its bills are right.
        for table, row in invoiced(key, key, key, 100, invoice_number=f"INV-{key}", invoice_date="2024-02-01"):
            wrong = {"amount": 80, "balance_brought_forward": 5, "total_amount": 80}
            yield table, row | wrong if table == "invoices" and key == first else row
        yield "payments", payment(key, key, 40, invoice_id=key, reference=f"R{key}")
    yield "payments", payment(last + 1, last, 100, reference=f"R{last + 1}")
    yield "overpayments", overpayment(last, last, 40, last + 1, status="available")


def homeless(export: Export, number: int) -> Export:
    """The export with a payment of a tenant that leads to no meter: its customer has no assignment."""
    key = first_of(number) + 900
    export["users"].append(customer(key, number, overpayment=50))
    export["payments"].append(payment(key, key, 50, reference="advance"))
    return export


def housed(export: Export, number: int) -> Export:
    """The export with a meter for that customer."""
    key = first_of(number) + 900
    homeless(export, number)
    export["meters"].append(meter(key, number))
    export["meter_assignments"].append(assignment(key, key, key))
    return export


def drifting(export: Export, number: int, by: Any = 1) -> Export:
    """The export with a customer of a tenant who owed more than the meter will say."""
    user = next(row for row in export["users"] if row["id"] == first_of(number))
    user["balance"] = 60 + by
    return export


def without(export: Export, *keys: int) -> Export:
    """The export without customers and everything that is theirs."""
    return {
        table: [row for row in rows if row.get("customer_id", row["id"]) not in keys]
        if table != "invoice_bills"
        else [row for row in rows if row["invoice_id"] not in keys]
        for table, rows in {**export, "meters": [m for m in export["meters"] if m["id"] not in keys]}.items()
    }


# --- installations ----------------------------------------------------------------------------------------------------


@contextmanager
def copy_of(server: embedded.EmbeddedServer, source: Lab, home: Path, *tenants: Any) -> Iterator[Lab]:
    """A copy of an installation, with Dagster knowing these tenants (by default all of its own)."""
    forget_connections(source)
    known = tenants or tuple(source.instance.get_dynamic_partitions(PARTITIONS))
    template = str(source.settings.database_url).rpartition("/")[2].partition("?")[0]
    for name in ("landing", "work"):
        if (source.settings.home / name).exists():
            shutil.copytree(source.settings.home / name, home / name)
    with scratch_database(server, template) as url, dg.DagsterInstance.ephemeral() as instance:
        settings = settings_at(home, url, url)
        engine = warehouse_engine(settings)
        lab = Lab(settings, engine, instance)
        lab.register(*known)
        yield lab
        engine.dispose()
        declared_run.engine_of.cache_clear()


def forget_connections(lab: Lab) -> None:
    """Let go of a database, so that it can be copied."""
    lab.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    lab.engine.dispose()


def migrate(lab: Lab, export_id: str, tenants: Iterable[int] = TENANTS, **options: Any) -> dict[int, Ran]:
    """Load an export and run the steps of tenants."""
    ran = lab.load(export_id)
    assert ran.failures == {}
    return lab.steps(export_id, tenants, **options)


# --- looking ----------------------------------------------------------------------------------------------------------


def fingerprints(lab: Lab, names: Sequence[str] = TARGETS, schema: str = "meter") -> dict[str, str]:
    """The fingerprint of every column of tables but clocks: export ids and computed columns are in it."""
    with lab.engine.connect() as connection:
        translated = connection.execution_options(schema_translate_map={"meter": schema})
        return {name: str(translated.scalar(_fingerprint(METER.metadata.tables[f"meter.{name}"]))) for name in names}


def _fingerprint(table: sa.Table) -> sa.Select[Any]:
    return fingerprint_of(table, [c for c in table.columns if role_of(c) is not Role.CHANGED_AT])


def statuses(lab: Lab, run_id: str) -> dict[str, str]:
    """How the assets of a run ended, as the run log says."""
    found = lab.fetch(f"SELECT asset, status FROM meter.migration_run_log WHERE run_id = '{run_id}'")
    return {row[0]: row[1] for row in found}


def counts(lab: Lab, run_id: str) -> dict[str, tuple[int, ...]]:
    """Source rows, loaded, merged, rejected and skipped rows of the assets of a run."""
    names = "asset, source_rows, loaded, merged, rejected, skipped"
    rows = lab.fetch(f"SELECT {names} FROM meter.migration_run_log WHERE run_id = '{run_id}'")
    return {row[0]: row[1:] for row in rows}


def balances(lab: Lab, number: int) -> list[tuple[Any, ...]]:
    """Balance, credit and whether they have been computed, of a tenant's meters."""
    columns = "balance, overpayment, balance_calculated"
    return lab.fetch(f"SELECT {columns} FROM meter.meters WHERE tenant_id = {number} ORDER BY id")


def findings(lab: Lab, number: int) -> set[tuple[int, str]]:
    """Step and name of what the gate and the validation have found of a tenant."""
    rows = lab.fetch(f"SELECT step, check_name FROM meter.validation_discrepancy WHERE tenant_id = {number}")
    return {(step, name) for step, name in rows}


def count(lab: Lab, table: str, where: str = "true") -> int:
    """How many rows of a table fulfil a condition."""
    return int(lab.fetch(f"SELECT count(*) FROM meter.{table} WHERE {where}")[0][0])


def observed(lab: Lab, run_id: str) -> dict[str, Row]:
    """What the assets of a dry run said of themselves."""
    events = [entry.dagster_event for entry in lab.instance.all_logs(run_id, dg.DagsterEventType.ASSET_OBSERVATION)]
    found = [event.asset_observation_data.asset_observation for event in events if event is not None]
    return {each.asset_key.path[-1]: {k: v.value for k, v in each.metadata.items()} for each in found}


def written_into(lab: Lab, names: Sequence[str] = EVERYTHING) -> dict[str, list[tuple[Any, ...]]]:
    """Place and writer of every row, to prove that nothing was written."""
    return {name: lab.fetch(f"SELECT ctid::text, xmin::text FROM meter.{name} ORDER BY 1") for name in names}
