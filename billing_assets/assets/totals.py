"""What bills amount to, and what of that falls on each day of their month."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from billing_assets import checks, tables
from billing_assets.assets import BILLING, BILLS, bills, periods
from billing_assets.assets.monthly import MONTHLY_KINDS, beside, by_month, count_computed, month_of
from billing_assets.months import in_month, months_of, of_bills_in
from billing_assets.sources import CHARGES, SERVICES
from billing_assets.tables import COMPONENTS, LEGACY, PERIODS
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.tables import Query

OWNED = (*CHARGES, "total_bill", "total_source")
# What is due also depends on what was received: the roll-up has the last word, and the fingerprint.
_WRITTEN = (*OWNED, "total_due")
_OWN_CHARGES = (
    tables.bill_records.c.id,
    *(tables.bill_records.c[name] for name in CHARGES),
    sa.Column("legacy_total_bill", sa.Numeric(15, 2)),
)
_BY_MONTH = by_month(periods.FRAME, months_of(tables.bill_records.c.billing_month))


def line(charges: sa.FromClause, service: str) -> sa.ColumnElement[Any]:
    """Quantity times price of a service, rounded to the cent, halves away from zero."""
    return sa.func.round(charges.c[service] * charges.c[f"{service}_price"], 2)


def lines(charges: sa.FromClause) -> sa.ColumnElement[Any]:
    """The six services of a bill or a period together."""
    total = line(charges, SERVICES[0])
    for service in SERVICES[1:]:
        total = total + line(charges, service)
    return total


def _of_periods(step: Step) -> tuple[sa.Subquery, sa.Subquery]:
    """Per bill of the month what its periods amount to, and its last period."""
    period = tables.bill_pricing_periods
    here = of_bills_in(tables.bill_pricing_periods, [month_of(step)])
    summed = (
        sa.select(
            period.c.bill_record_id.label("id"),
            sa.func.sum(lines(period) - period.c.discount).label("total"),
        )
        .where(here)
        .group_by(period.c.bill_record_id)
        .subquery("summed")
    )
    last = (
        sa.select(period)
        .ext(pg.distinct_on(period.c.bill_record_id))
        .where(here)
        .order_by(period.c.bill_record_id, period.c.end_day.desc())
        .subquery("last")
    )
    return summed, last


def total_rows(step: Step, own: sa.Table) -> Query:
    """The totals and charges of the month's bills.

    A bill that only an older export has, and whose periods are now those of other bills, keeps its charges: nothing
    else is known of it.

    Args:
        step: the bench.
        own: the charges that each bill of the export brings itself, and the legacy total.
    """
    bill = tables.bill_records
    summed, last = _of_periods(step)
    has_periods, is_given = summed.c.id.is_not(None), own.c.id.is_not(None)
    keeps_legacy = sa.and_(lines(own) == 0, own.c.legacy_total_bill > 0)
    total = sa.case(
        (has_periods, summed.c.total),
        (keeps_legacy, own.c.legacy_total_bill),
        (is_given, lines(own) - own.c.discount),
        else_=lines(bill) - bill.c.discount,
    )
    source = sa.case((has_periods, PERIODS), (keeps_legacy, LEGACY), else_=COMPONENTS)
    money = bill.c.total_bill.type
    return (
        sa.select(
            bill.c.id,
            *(
                sa.case((has_periods, last.c[name]), (is_given, own.c[name]), else_=bill.c[name]).label(name)
                for name in CHARGES
            ),
            sa.cast(total, money).label("total_bill"),
            sa.cast(total - bill.c.total_received, money).label("total_due"),
            sa.cast(source, sa.Text).label("total_source"),
        )
        .select_from(
            bill.outerjoin(own, own.c.id == bill.c.id)
            .outerjoin(summed, summed.c.id == bill.c.id)
            .outerjoin(last, last.c.bill_record_id == bill.c.id)
        )
        .where(
            in_month(bill.c.billing_month, month_of(step)),
            sa.or_(is_given, has_periods, bill.c.total_source == PERIODS),
        )
    )


@BILLING.step(
    group=BILLS,
    upstream=["bill_records", "bill_pricing_periods"],
    target=tables.bill_records,
    owned=OWNED,
    checks=checks.BILL_TOTALS,
    partitioning=_BY_MONTH,
    kinds=MONTHLY_KINDS,
)
def bill_totals(step: Step) -> Write:
    """What each bill amounts to: by its pricing periods, else by its own charges, else as the legacy system says.

    A bill with periods takes over the charges of the last one. Partitioned by the billing month.
    """

    def write() -> None:
        bill = tables.bill_records
        own = beside(step, "own_charges", _OWN_CHARGES, step.frames.read(bills.FRAME, month_of(step)))
        rows = step.gather("bill_totals", total_rows(step, own))
        step.update_from(bill, rows, [bill.c[name] for name in _WRITTEN], logged=True)
        count_computed(step, rows)

    return write
