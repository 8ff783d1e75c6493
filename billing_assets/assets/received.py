"""What was received for each bill: the payments that count for it, or what the legacy system has carried over."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from billing_assets import checks, tables
from billing_assets.assets import BILLING, PAYMENTS
from billing_assets.assets.monthly import MONTHLY_KINDS, beside, by_month, month_of
from billing_assets.assets.payments import BILL_TABLES, RECEIPTS
from billing_assets.months import in_month, months_of
from billing_assets.tables import CARRIED_OVER, NOTHING
from billing_assets.tables import PAYMENTS as PAID
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.outcome import Outcome
from migration.tables import Query

OWNED = ("total_received", "total_due", "received_source")
_LAST_PAYMENT = ("last_payment_date", "last_payment_mode")
_RECEIPTS = (
    sa.Column("bill_table", sa.Text),
    sa.Column("id", sa.BigInteger),
    sa.Column("legacy_total_received", sa.Numeric(15, 2)),
    sa.Column("legacy_last_payment_date", sa.Date),
    sa.Column("legacy_last_payment_mode", sa.Text),
)
_MONEY = sa.Numeric(22, 2)


def owned_by_rollup(table: sa.Table) -> tuple[str, ...]:
    """The columns of a bill table that the roll-up writes."""
    return (*OWNED, *_LAST_PAYMENT) if table is tables.bill_records else (*OWNED, "status")


def latest_payments(name: str, condition: sa.ColumnElement[bool]) -> sa.Subquery:
    """Per bill the payment that is the latest: by its day, then by when it was made (unknown first), then by its id."""
    payment = tables.payment_records
    bill_id = payment.c[f"{name}_id"]
    return (
        sa.select(bill_id.label("id"), payment.c.payment_date, payment.c.payment_method)
        .ext(pg.distinct_on(bill_id))
        .where(payment.c.allocated_to == name, condition)
        .order_by(
            bill_id,
            payment.c.payment_date.desc(),
            payment.c.created_at.desc().nulls_last(),
            payment.c.id.desc(),
        )
        .subquery("latest")
    )


def paid_amounts(name: str, condition: sa.ColumnElement[bool]) -> sa.Subquery:
    """Per bill what the payments that count for it add up to."""
    payment = tables.payment_records
    bill_id = payment.c[f"{name}_id"]
    return (
        sa.select(bill_id.label("id"), sa.func.sum(payment.c.amount).label("amount"))
        .where(payment.c.allocated_to == name, condition)
        .group_by(bill_id)
        .subquery("paid")
    )


def paid_status(received: Any, total: Any) -> sa.ColumnElement[str]:
    """How far a bill is paid."""
    return sa.case(
        (sa.and_(received >= total, total > 0), "Paid"),
        (received > 0, "Partial"),
        (total > 0, "Unpaid"),
        else_="Pending",
    )


def received_rows(name: str, receipts: sa.Table, partition: str) -> Query:
    """What was received for the bills of a month.

    A bill that only an older export has follows its payments. If they now count for other bills, nothing is received
    for it; what was carried over stays, for nothing else is known of it.

    Args:
        name: the kind of bill, as payments name it.
        receipts: the legacy receipts of the bills of this export.
        partition: the month.
    """
    table, day, _ = BILL_TABLES[name]
    here = in_month(day, partition)
    of_month = tables.payment_records.c[f"{name}_id"].in_(sa.select(table.c.id).where(here))
    paid, latest = paid_amounts(name, of_month), latest_payments(name, of_month)
    is_paid, carried = paid.c.id.is_not(None), receipts.c.legacy_total_received > 0
    received = sa.cast(sa.case((is_paid, paid.c.amount), (carried, receipts.c.legacy_total_received), else_=0), _MONEY)
    columns: dict[str, Any] = {
        "total_received": received,
        "total_due": sa.cast(table.c.total_bill - received, _MONEY),
        "received_source": sa.case((is_paid, PAID), (carried, CARRIED_OVER), else_=NOTHING),
        "status": paid_status(received, table.c.total_bill),
        "last_payment_date": sa.case((is_paid, latest.c.payment_date), (carried, receipts.c.legacy_last_payment_date)),
        "last_payment_mode": sa.case(
            (is_paid, latest.c.payment_method), (carried, receipts.c.legacy_last_payment_mode)
        ),
    }
    return (
        sa.select(
            table.c.id,
            *(sa.cast(columns[owned], table.c[owned].type).label(owned) for owned in owned_by_rollup(table)),
        )
        .select_from(
            table.outerjoin(paid, paid.c.id == table.c.id)
            .outerjoin(latest, latest.c.id == table.c.id)
            .outerjoin(receipts, sa.and_(receipts.c.id == table.c.id, receipts.c.bill_table == name))
        )
        .where(here, sa.or_(is_paid, receipts.c.id.is_not(None), table.c.received_source == PAID))
    )


@BILLING.step(
    group=PAYMENTS,
    upstream=["payment_records", "bill_totals", "mac_bills", "soho_bills"],
    target=tables.bill_records,
    owned=(*OWNED, *_LAST_PAYMENT),
    checks=checks.PAYMENT_ROLLUP,
    partitioning=by_month(RECEIPTS, months_of(tables.bill_records.c.billing_month)),
    kinds=MONTHLY_KINDS,
)
def payment_rollup(step: Step) -> Write:
    """What was received for each bill of all three kinds, what is still owed, and how far it is paid.

    Partitioned by the month of the bill; payments of every month count.
    """

    def write() -> None:
        month = month_of(step)
        receipts = beside(step, RECEIPTS, _RECEIPTS, step.frames.read(RECEIPTS, month))
        for name, (table, _, _) in BILL_TABLES.items():
            rows = step.gather(f"received_{name}", received_rows(name, receipts, month))
            step.update_from(table, rows, [table.c[owned] for owned in owned_by_rollup(table)], logged=True)
            step.tally.source_rows += step.connection.scalar(sa.select(sa.func.count()).select_from(rows)) or 0
        step.tally.outcomes[Outcome.LOADED.value] = step.tally.source_rows

    return write
