"""Step 4: what customers owed is kept, then the balance of every meter is computed from its transactions."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from meter_assets import checks, tables
from meter_assets.assets.payments_gate import require_assigned
from meter_assets.assets.tenant_steps import of_tenant, tenant_step
from meter_assets.options import CHARGES_PLUS_OPENING, options_of
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.outcome import Outcome
from migration.tables import Query
from migration.warehouse.statistics import analyze

OWNED = (
    "total_billed",
    "total_paid",
    "overpayment_credit",
    "balance",
    "overpayment",
    "last_invoice_date",
    "financial_status",
    "balance_calculated",
)


# --- backup -----------------------------------------------------------------------------------------------------------


@tenant_step(target=tables.customer_balances_backup, upstream=["payments_gate"], checks=[checks.backup_complete])
def customer_balances_backup(step: Step) -> Write:
    """What every customer of a tenant owed before, per export; the first backup of an export is never overwritten."""
    require_assigned(step)

    def write() -> None:
        customer, backup = tables.customers, tables.customer_balances_backup
        rows = sa.select(
            sa.literal(step.export.export_id, sa.Text),
            customer.c.id,
            customer.c.tenant_id,
            customer.c.legacy_balance,
            customer.c.legacy_overpayment,
        ).where(of_tenant(step, customer))
        names = ["export_id", "customer_id", "tenant_id", "balance", "overpayment"]
        insert = pg.insert(backup).from_select(names, rows, include_defaults=False).on_conflict_do_nothing()
        added = step.connection.execute(insert, execution_options={"preserve_rowcount": True}).rowcount
        if added:
            # Of a tenant that the statistics have not met the planner expects no row, and takes hours for its many.
            analyze(step.connection, backup)
        mine = of_tenant(step, backup) & (backup.c.export_id == step.export.export_id)
        step.tally.source_rows = _number(step, of_tenant(step, customer))
        step.tally.outcomes[Outcome.LOADED.value] = _number(step, mine)

    return write


def _number(step: Step, condition: sa.ColumnElement[bool]) -> int:
    return step.connection.scalar(sa.select(sa.func.count()).where(condition)) or 0


# --- balances ---------------------------------------------------------------------------------------------------------


def counted_invoices(step: Step) -> sa.ColumnElement[bool]:
    """The invoices that bill something to a meter of the tenant."""
    invoice = tables.invoices
    return sa.and_(of_tenant(step, invoice), sa.not_(invoice.c.is_void), invoice.c.meter_id.is_not(None))


def opening_invoices(step: Step) -> sa.Subquery:
    """The first counted invoice of each customer: only its arrears were billed nowhere else."""
    invoice = tables.invoices
    return (
        sa.select(invoice.c.id, invoice.c.meter_id, invoice.c.balance_brought_forward)
        .ext(pg.distinct_on(invoice.c.customer_id))
        .where(counted_invoices(step))
        .order_by(invoice.c.customer_id, invoice.c.invoice_date.asc().nulls_last(), invoice.c.id)
        .subquery("opening")
    )


def _billed(step: Step) -> sa.Subquery:
    """Per meter what was billed on it, and its last invoice: one pass over the invoices of the tenant."""
    invoice = tables.invoices
    billed: sa.ColumnElement[Any] = invoice.c.total_amount
    if options_of(step).billed_basis == CHARGES_PLUS_OPENING:
        place = sa.func.row_number().over(
            partition_by=invoice.c.customer_id, order_by=(invoice.c.invoice_date.asc().nulls_last(), invoice.c.id)
        )
        billed = invoice.c.amount + sa.case((place == 1, invoice.c.balance_brought_forward), else_=0)
    counted = (
        sa.select(invoice.c.meter_id, invoice.c.invoice_date, billed.label("billed"))
        .where(counted_invoices(step))
        .subquery("counted")
    )
    return (
        sa.select(
            counted.c.meter_id,
            sa.func.sum(counted.c.billed).label("billed"),
            sa.func.max(counted.c.invoice_date).label("last_invoice_date"),
        )
        .group_by(counted.c.meter_id)
        .subquery("billed")
    )


def _per_meter(step: Step, table: sa.Table, amount: sa.Column[Any], *conditions: sa.ColumnElement[bool]) -> sa.Subquery:
    summed = sa.select(table.c.meter_id, sa.func.sum(amount).label("amount"))
    here = summed.where(of_tenant(step, table), table.c.meter_id.is_not(None), *conditions)
    return here.group_by(table.c.meter_id).subquery()


def meter_sums(step: Step) -> sa.Subquery:
    """One row per meter of the tenant: what was billed, paid and credited on it, and the last invoice."""
    meter, payment, credit = tables.meters, tables.payments, tables.overpayments
    billed = _billed(step)
    paid = _per_meter(step, payment, payment.c.amount, sa.not_(payment.c.is_void))
    credited = _per_meter(step, credit, credit.c.credit_effect)
    joined = meter
    for part in (billed, paid, credited):
        joined = joined.outerjoin(part, part.c.meter_id == meter.c.id)  # type: ignore[assignment]
    return (
        sa.select(
            meter.c.id,
            sa.func.coalesce(billed.c.billed, 0).label("total_billed"),
            sa.func.coalesce(paid.c.amount, 0).label("total_paid"),
            sa.func.coalesce(credited.c.amount, 0).label("overpayment_credit"),
            billed.c.last_invoice_date,
        )
        .select_from(joined)
        .where(of_tenant(step, meter))
        .subquery("sums")
    )


def net_of(sums: sa.FromClause) -> sa.ColumnElement[Any]:
    """What is owed on a meter; negative = credit."""
    return sums.c.total_billed - sums.c.total_paid - sums.c.overpayment_credit


def _balances(step: Step) -> Query:
    sums = meter_sums(step)
    net = net_of(sums)
    status = sa.case((net > 0, "Outstanding"), (net < 0, "Credit"), else_="Clear")
    return sa.select(
        *sums.c,
        sa.func.greatest(net, 0).label("balance"),
        sa.func.greatest(-net, 0).label("overpayment"),
        sa.cast(status, sa.Text).label("financial_status"),
        sa.true().label("balance_calculated"),
    )


@tenant_step(
    target=tables.meters,
    owned=OWNED,
    upstream=["customer_balances_backup", "invoice_amounts", "payment_meter_ids"],
    checks=[checks.meter_sign, checks.ledger_conservation],
)
def meter_balances(step: Step) -> Write:
    """The balance of every meter of a tenant: billed less paid less credited; what is below zero is credit.

    Billed are the new charges of its invoices, and the arrears of each customer's first invoice: later arrears restate
    what earlier invoices have billed.
    """
    require_assigned(step)

    def write() -> None:
        rows = _balances(step).subquery("balances")
        step.update_from(tables.meters, rows, [tables.meters.c[name] for name in OWNED])
        step.tally.source_rows = _number(step, of_tenant(step, tables.meters))
        step.tally.outcomes[Outcome.LOADED.value] = step.tally.source_rows

    return write
