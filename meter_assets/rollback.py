"""Rollback of one tenant, part by part: computed columns go back to what the load gave them, or to their defaults.

Nothing here needs a change log: what a step has computed follows from other columns. The backup of the customers'
balances is read, and never deleted.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import sqlalchemy as sa

from meter_assets import tables
from meter_assets.assets import METER, loaded
from meter_assets.assets.tenant_steps import tenant_id_of
from migration.declare.parts import PartRollback, PartRollbackReport
from migration.errors import Refused
from migration.rollback import ASSET
from migration.warehouse.ddl import ensure_schema, lock_for_transaction, share_for_transaction
from migration.warehouse.fingerprint import fingerprint_of
from migration.warehouse.runlog import Status
from migration.warehouse.upsert import update_from

PARTS = ("customer_balances", "meter_balances", "invoice_amounts", "payment_meter_ids")
# What a part undoes, and what rests on it.
_UNDONE = {
    "customer_balances": ("customer_balance_sync",),
    "meter_balances": ("meter_balances", "full_validation", "customer_balance_sync"),
    "invoice_amounts": (
        "invoice_amounts",
        "payments_gate",
        "customer_balances_backup",
        "meter_balances",
        "full_validation",
        "customer_balance_sync",
    ),
}
_UNDONE["payment_meter_ids"] = ("payment_meter_ids", *_UNDONE["invoice_amounts"])


@METER.partition_rollback
def roll_back_tenant(engine: sa.Engine, request: PartRollback) -> PartRollbackReport:
    """Put the parts of a tenant back, in one transaction.

    Raises:
        Refused: a part or the tenant is unknown, or there is no backup to put back.
    """
    parts = list(request.parts) or list(PARTS)
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        raise Refused("UNKNOWN_PART", f"There is no part {', '.join(unknown)}.", f"Parts: {', '.join(PARTS)}.")
    with engine.begin() as connection:
        ensure_schema(connection, METER.metadata)
        share_for_transaction(connection, METER.name)
        lock_for_transaction(connection, f"{METER.name}:{request.partition}")
        tenant = tenant_id_of(request.partition)
        loaded_export = _loaded_export(connection, tenant)
        report = PartRollbackReport(request.export_id or loaded_export)
        for part in PARTS:
            if part in parts:
                _UNDO[part](connection, tenant, report)
        _close_log(connection, request, parts, {report.export_id, loaded_export}, report)
        for name in report.changed:
            table = METER.metadata.tables[f"{METER.name}.{name}"]
            mine = table.c.tenant_id == tenant
            report.fingerprints[name] = str(connection.scalar(fingerprint_of(table, _figures(table), mine)))
    return report


def _figures(table: sa.Table) -> list[sa.Column[Any]]:
    return [c for c in table.columns if c.name not in ("export_id", "loaded_at")]


def _loaded_export(connection: sa.Connection, tenant: int) -> str:
    found = connection.scalar(sa.select(tables.tenants.c.export_id).where(tables.tenants.c.id == tenant))
    if found is None:
        raise Refused("UNKNOWN_TENANT", f"There is no tenant {tenant}.", "`migrate status meter` shows what is loaded.")
    return found


def _customer_balances(connection: sa.Connection, tenant: int, report: PartRollbackReport) -> None:
    customer, backup = tables.customers, tables.customer_balances_backup
    mine = (backup.c.tenant_id == tenant) & (backup.c.export_id == report.export_id)
    there = connection.scalar(sa.select(sa.func.count()).where(mine))
    if not there and connection.scalar(sa.select(sa.func.count()).where(customer.c.tenant_id == tenant)):
        raise Refused(
            "BACKUP_MISSING",
            f"There is no backup of the customers of tenant {tenant} for export {report.export_id}.",
            "Nothing was changed. Name the other parts, or an export that has a backup.",
        )
    rows = sa.select(
        backup.c.customer_id.label("id"),
        sa.func.coalesce(backup.c.balance, 0).label("balance"),
        sa.func.coalesce(backup.c.overpayment, 0).label("overpayment"),
        sa.cast(sa.null(), sa.Text).label("balances_synced_export_id"),
    ).where(mine)
    names = ("balance", "overpayment", "balances_synced_export_id")
    report.changed[customer.name] = update_from(
        connection, customer, rows.subquery("kept"), [customer.c[n] for n in names]
    )


def _meter_balances(connection: sa.Connection, tenant: int, report: PartRollbackReport) -> None:
    meter = tables.meters
    zero = ("balance", "overpayment", "total_billed", "total_paid", "overpayment_credit")
    values: dict[str, sa.ColumnElement[Any]] = {name: sa.literal(0, sa.Numeric(16, 2)) for name in zero}
    values |= {
        "last_invoice_date": sa.cast(sa.null(), sa.Date),
        "financial_status": sa.literal("Clear", sa.Text),
        "balance_calculated": sa.false(),
    }
    report.changed[meter.name] = _reset(connection, meter, meter, tenant, values)


def _invoice_amounts(connection: sa.Connection, tenant: int, report: PartRollbackReport) -> None:
    invoice = tables.invoices
    names = ("amount", "balance_brought_forward", "total_amount")
    values: dict[str, sa.ColumnElement[Any]] = {n: sa.func.coalesce(invoice.c[f"legacy_{n}"], 0) for n in names}
    report.changed[invoice.name] = _reset(
        connection, invoice, invoice, tenant, values | {"amounts_recalculated": sa.false()}
    )


def _payment_meter_ids(connection: sa.Connection, tenant: int, report: PartRollbackReport) -> None:
    # The backup may be that of an older export; what the columns were at first follows from the one that is loaded.
    meter, export_id = tables.meters, _loaded_export(connection, tenant)
    for table in (tables.payments, tables.overpayments):
        named = loaded(meter, table.c.legacy_meter_id, export_id) & (meter.c.tenant_id == table.c.tenant_id)
        values = {"meter_id": meter.c.id, "meter_id_source": sa.cast(sa.null(), sa.Text)}
        report.changed[table.name] = _reset(connection, table, table.outerjoin(meter, named), tenant, values)


def _reset(
    connection: sa.Connection,
    table: sa.Table,
    joined: sa.FromClause,
    tenant: int,
    values: dict[str, sa.ColumnElement[Any]],
) -> int:
    """Give the tenant's rows of a table these values, where they differ."""
    columns = [expression.label(name) for name, expression in values.items()]
    rows = sa.select(table.c.id, *columns).select_from(joined).where(table.c.tenant_id == tenant)
    return update_from(connection, table, rows.subquery("first"), [table.c[name] for name in values])


_UNDO: dict[str, Callable[[sa.Connection, int, PartRollbackReport], None]] = {
    "customer_balances": _customer_balances,
    "meter_balances": _meter_balances,
    "invoice_amounts": _invoice_amounts,
    "payment_meter_ids": _payment_meter_ids,
}


def _close_log(
    connection: sa.Connection,
    request: PartRollback,
    parts: Sequence[str],
    exports: Collection[str],
    report: PartRollbackReport,
) -> None:
    """Say in the run log that the steps are undone: what rests on them is shut until they have run again."""
    log, tenant = METER.books.run_log, request.partition
    undone = sorted({asset for part in parts for asset in _UNDONE[part]})
    connection.execute(
        sa.update(log)
        .where(log.c.asset.in_(undone), log.c.partition == tenant, log.c.export_id.in_(exports))
        .where(log.c.dry_run.is_(False), log.c.finished_at.is_not(None))
        .values(status=Status.ROLLED_BACK.value)
    )
    connection.execute(
        sa.insert(log).values(
            run_id=request.by_run,
            export_id=report.export_id,
            asset=ASSET,
            partition=tenant,
            dry_run=False,
            loaded=sum(report.changed.values()),
            source_rows=sum(report.changed.values()),
            started_at=sa.func.now(),
            finished_at=sa.func.clock_timestamp(),
            status=Status.SUCCESS.value,
        )
    )
