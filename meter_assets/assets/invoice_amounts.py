"""Step 2: the money of every invoice is recomputed from its bills, and what differs from the stored is listed."""

from typing import Any

import sqlalchemy as sa

from meter_assets import checks, tables
from meter_assets.assets.tenant_steps import of_tenant, tenant_of, tenant_step
from meter_assets.options import KEEP, options_of
from meter_assets.parsing.statuses import BALANCE_BILL
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.outcome import Outcome
from migration.tables import Query

AMOUNTS = ("amount", "balance_brought_forward", "total_amount")
OWNED = (*AMOUNTS, "amounts_recalculated")
_MONEY = sa.Numeric(16, 2)


def _sums(step: Step) -> sa.Subquery:
    """Per invoice the sums of its bills: new charges, arrears, all."""
    link, bill = tables.invoice_bills, tables.bills
    arrears = bill.c.bill_type == BALANCE_BILL
    return (
        sa.select(
            link.c.invoice_id,
            sa.func.coalesce(sa.func.sum(link.c.amount).filter(sa.not_(arrears)), 0).label("amount"),
            sa.func.coalesce(sa.func.sum(link.c.amount).filter(arrears), 0).label("balance_brought_forward"),
            sa.func.sum(link.c.amount).label("total_amount"),
        )
        .select_from(link.join(bill, bill.c.id == link.c.bill_id))
        .where(of_tenant(step, link))
        .group_by(link.c.invoice_id)
        .subquery("sums")
    )


def _recalculated(step: Step) -> Query:
    """One row per invoice of the tenant: stored and computed money, and whether it has bills."""
    invoice, sums = tables.invoices, _sums(step)
    stored = {name: invoice.c[f"legacy_{name}"] for name in AMOUNTS}
    without: dict[str, sa.ColumnElement[Any]] = dict.fromkeys(AMOUNTS, sa.literal(0, _MONEY))
    if options_of(step).no_bills_policy == KEEP:
        without = {name: sa.func.coalesce(column, 0) for name, column in stored.items()}
        without["total_amount"] = without["amount"] + without["balance_brought_forward"]
    computed = [sa.cast(sa.func.coalesce(sums.c[name], without[name]), _MONEY).label(name) for name in AMOUNTS]
    return (
        sa.select(
            invoice.c.id,
            *(column.label(f"legacy_{name}") for name, column in stored.items()),
            *computed,
            sums.c.invoice_id.is_not(None).label("has_bills"),
            sa.true().label("amounts_recalculated"),
        )
        .select_from(invoice.outerjoin(sums, sums.c.invoice_id == invoice.c.id))
        .where(of_tenant(step, invoice))
    )


def _changed(rows: sa.Table) -> sa.ColumnElement[bool]:
    return sa.or_(*(rows.c[f"legacy_{name}"].is_distinct_from(rows.c[name]) for name in AMOUNTS))


def _stored(rows: sa.Table, name: str) -> sa.ColumnElement[Any]:
    return sa.func.coalesce(rows.c[f"legacy_{name}"], 0)


def _breaks_identity(rows: sa.Table) -> sa.ColumnElement[bool]:
    return _stored(rows, "amount") + _stored(rows, "balance_brought_forward") != _stored(rows, "total_amount")


def _discrepancies(step: Step, rows: sa.Table) -> sa.Subquery:
    """One row per invoice and kind of discrepancy."""
    loud = sa.case((_stored(rows, "total_amount") != 0, "ERROR"), else_="WARN")
    kinds = (
        ("NO_BILLS", loud, sa.not_(rows.c.has_bills)),
        ("CHANGED", sa.literal("WARN"), rows.c.has_bills & _changed(rows)),
        ("LEGACY_IDENTITY", sa.literal("INFO"), _breaks_identity(rows)),
    )
    return sa.union_all(
        *(
            sa.select(
                rows.c.id.label("invoice_id"),
                sa.literal(kind, sa.Text).label("kind"),
                sa.cast(severity, sa.Text).label("severity"),
                sa.literal(step.export.export_id, sa.Text).label("export_id"),
                sa.literal(tenant_of(step), sa.BigInteger).label("tenant_id"),
                *(rows.c[f"legacy_{name}"] for name in AMOUNTS),
                *(rows.c[name].label(f"calc_{name}") for name in AMOUNTS),
                (rows.c.total_amount - _stored(rows, "total_amount")).label("diff_total"),
            ).where(condition)
            for kind, severity, condition in kinds
        )
    ).subquery("discrepancies")


@tenant_step(
    target=tables.invoices,
    owned=OWNED,
    upstream=["payment_meter_ids"],
    checks=[checks.invoice_amount_identity, checks.invoices_without_bills],
)
def invoice_amounts(step: Step) -> Write:
    """The money of every invoice of a tenant, as its bills have it: new charges, arrears, total.

    An invoice without bills gets zero, or keeps what was stored if the run says so. What differs from the stored
    figures is in `invoice_amount_discrepancy`.
    """

    def write() -> None:
        rows = step.gather("recalculated", _recalculated(step))
        step.update_from(tables.invoices, rows, [tables.invoices.c[name] for name in OWNED])
        report = tables.invoice_amount_discrepancy
        step.replace(report, _discrepancies(step, rows), of_tenant(step, report))
        _count(step, rows)

    return write


def _count(step: Step, rows: sa.Table) -> None:
    total, updated, no_bills, broken, difference = step.connection.execute(
        sa.select(
            sa.func.count(),
            sa.func.count().filter(_changed(rows)),
            sa.func.count().filter(sa.not_(rows.c.has_bills)),
            sa.func.count().filter(_breaks_identity(rows)),
            sa.func.coalesce(sa.func.sum(rows.c.total_amount - _stored(rows, "total_amount")), 0),
        )
    ).one()
    step.tally.source_rows = total
    step.tally.outcomes[Outcome.LOADED.value] = total
    step.facts |= {
        "total": total,
        "updated": updated,
        "already_correct": total - updated,
        "no_bills": no_bills,
        "discrepancies": broken,
        "sum_of_differences": str(difference),
    }
