"""The branch dashboard against what was migrated: one row per branch and measure."""

from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from migration.tables import Query
from skynet_assets import tables


def reconciliation(export_id: str) -> Query:
    """Per branch of an export and measure: what the dashboard says, what was migrated, and whether that is too far off.

    Columns: branch_key, measure, dashboard, migrated, difference, beyond. Counts may differ by two or 2 % of the larger
    one, money by 1 % of the larger amount.
    """
    branch = tables.branch_summaries
    parts = [
        sa.select(
            branch.c.branch_key,
            sa.literal(measure, sa.Text).label("measure"),
            sa.cast(branch.c[measure], sa.Numeric).label("dashboard"),
            sa.cast(migrated, sa.Numeric).label("migrated"),
        ).where(branch.c.export_id == export_id, branch.c[measure].is_not(None))
        for measure, migrated in _migrated_by_measure().items()
    ]
    both = sa.union_all(*parts).subquery("both")
    difference = sa.func.abs(both.c.dashboard - both.c.migrated)
    larger = sa.func.greatest(sa.func.abs(both.c.dashboard), sa.func.abs(both.c.migrated))
    allowed = sa.case(
        (both.c.measure == "income_total", larger * Decimal("0.01")),
        else_=sa.func.greatest(2, larger * Decimal("0.02")),
    )
    return sa.select(
        *both.c, (both.c.dashboard - both.c.migrated).label("difference"), (difference > allowed).label("beyond")
    ).order_by(both.c.branch_key, both.c.measure)


def _migrated_by_measure() -> dict[str, sa.ScalarSelect[Any]]:
    branch, customer, invoice, payment = (
        tables.branch_summaries,
        tables.customers,
        tables.invoices,
        tables.transactions,
    )
    located = customer.c.location_name == branch.c.branch_key

    def invoices_in(*statuses: str) -> sa.ScalarSelect[Any]:
        return (
            sa.select(sa.func.count())
            .select_from(invoice.join(customer, invoice.c.customer_id == customer.c.id))
            .where(located, invoice.c.period == branch.c.period, invoice.c.status.in_(statuses))
            .correlate(branch)
            .scalar_subquery()
        )

    income = (
        sa.select(sa.func.coalesce(sa.func.sum(payment.c.amount), Decimal(0)))
        .select_from(payment.join(customer, payment.c.customer_id == customer.c.id))
        .where(located, payment.c.period == branch.c.period)
        .correlate(branch)
        .scalar_subquery()
    )
    total = sa.select(sa.func.count()).select_from(customer).where(located).correlate(branch).scalar_subquery()
    return {
        "customers_total": total,
        "customers_paid": invoices_in("paid"),
        "customers_unpaid": invoices_in("unpaid", "partial"),
        "income_total": income,
    }
