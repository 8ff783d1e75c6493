"""The checks of bills, their periods, totals and days."""

from typing import Any

import sqlalchemy as sa

from billing_assets import tables
from billing_assets.checks.counting import (
    NONE,
    blocking,
    dates_outside_range,
    labelled,
    of_month,
    of_table,
    one,
    warning,
)
from billing_assets.checks.legacy import BILL_DRIFT, amount_drift
from billing_assets.checks.numbers import number_checks
from billing_assets.months import months_of, of_bills_in
from billing_assets.parsing.words import BANDWIDTH, MAC, SOHO
from billing_assets.sources import SERVICES
from migration.checks import (
    Check,
    Scope,
)
from migration.tables import Query

_bill = tables.bill_records
_BILLS_OF_MONTH = months_of(_bill.c.billing_month)


def _wrong_references(scope: Scope) -> Query:
    own = {BANDWIDTH: _bill.c.customer_id, MAC: _bill.c.mac_partner_id, SOHO: _bill.c.soho_customer_id}
    right = [
        sa.and_(
            _bill.c.customer_type == kind,
            column.is_not(None),
            *(other.is_(None) for other in own.values() if other is not column),
        )
        for kind, column in own.items()
    ]
    return sa.select(_bill.c.id).where(of_month(scope, _bill.c.billing_month), sa.not_(sa.or_(*right)))


def _disagreeing_types(scope: Scope) -> Query:
    del scope
    customer = tables.sales_customers
    return (
        sa.select(_bill.c.id)
        .select_from(_bill.join(customer, customer.c.id == _bill.c.customer_id))
        .where(_bill.c.customer_type == BANDWIDTH, customer.c.customer_type != BANDWIDTH)
    )


def _overlapping_periods(scope: Scope) -> Query:
    period, later = tables.bill_pricing_periods, tables.bill_pricing_periods.alias("later")
    same_bill = sa.and_(later.c.bill_record_id == period.c.bill_record_id, later.c.id > period.c.id)
    shared = sa.and_(later.c.start_day <= period.c.end_day, period.c.start_day <= later.c.end_day)
    pairs = sa.select(period.c.id, later.c.id.label("other")).select_from(period.join(later, same_bill & shared))
    here = sa.select(_bill.c.id).where(of_month(scope, _bill.c.billing_month))
    return pairs.where(period.c.bill_record_id.in_(here))


BILL_RECORDS = (
    *of_table(_bill, _BILLS_OF_MONTH),
    *number_checks(_bill, _BILLS_OF_MONTH),
    blocking(
        "bill_fk_by_type", "Bills without the reference that their kind asks for, or with another.", _wrong_references
    ),
    dates_outside_range(_bill.c.billing_date),
    warning(
        "customer_type_disagreement", "Bandwidth bills whose customer has another customer type.", _disagreeing_types
    ),
)
BILL_PRICING_PERIODS = (
    *of_table(tables.bill_pricing_periods, of_bills_in),
    blocking("periods_no_overlap", "Pairs of periods of a bill that share a day.", _overlapping_periods),
)
BILL_TOTALS = (
    amount_drift(
        "bill_total_vs_legacy",
        "Bills whose total differs from the legacy one by more than 0.05.",
        "bill_records_staged",
        "legacy_total_bill",
        _bill.c.total_bill,
        BILL_DRIFT,
    ),
    warning(
        "negative_total_bills",
        "Bills whose discount is larger than their charges.",
        lambda scope: sa.select(_bill.c.id).where(_bill.c.total_bill < 0),
    ),
)


# --- days -------------------------------------------------------------------------------------------------------------

_day = tables.daily_bill_amounts


def _per_bill(scope: Scope, measure: sa.ColumnElement[Any], expected: sa.ColumnElement[Any]) -> Query:
    """The bills of the month for which a measure of their days is not what it has to be."""
    return (
        sa.select(_bill.c.id)
        .select_from(_bill.outerjoin(_day, _day.c.bill_record_id == _bill.c.id))
        .where(of_month(scope, _bill.c.billing_month))
        .group_by(_bill.c.id, _bill.c.total_bill, _bill.c.billing_month)
        .having(measure != expected)
    )


def _days_off_total(scope: Scope) -> Query:
    return _per_bill(scope, sa.func.coalesce(sa.func.sum(_day.c.daily_amount), 0), _bill.c.total_bill)


def _days_missing(scope: Scope) -> Query:
    next_month = _bill.c.billing_month + sa.func.make_interval(0, 1)
    length = sa.extract("day", next_month - sa.func.make_interval(0, 0, 0, 1))
    return _per_bill(scope, sa.func.count(_day.c.id), length)


def _breakdown_off_day(scope: Scope) -> Query:
    parts = _day.c.service_breakdown
    services = [parts[service]["amount"].astext for service in SERVICES]
    total = sa.cast(parts["other"].astext, sa.Numeric) - sa.cast(parts["discount"].astext, sa.Numeric)
    for amount in services:
        total = total + sa.cast(amount, sa.Numeric)
    return sa.select(_day.c.id).where(of_month(scope, _day.c.date), total.is_distinct_from(_day.c.daily_amount))


DAILY_BILL_AMOUNTS = (
    *of_table(_day, months_of(_day.c.date), loaded=False),
    blocking("days_sum_to_bill", "Bills whose days do not add up to their total.", _days_off_total),
    blocking("days_complete", "Bills that do not have one row for each day of their month.", _days_missing),
    blocking("breakdown_sums_to_day", "Days whose parts do not add up to their amount.", _breakdown_off_day),
)
LEGACY_DAYS_STAGED = (
    Check(
        "bill_daily_amounts_staged_conservation",
        "Every legacy daily amount is skipped.",
        lambda scope: one(
            violations=abs(scope.source_rows - labelled(scope, "bill_daily_amounts_staged")),
            source_rows=scope.source_rows,
        ),
        error=NONE,
        blocking=True,
    ),
)
