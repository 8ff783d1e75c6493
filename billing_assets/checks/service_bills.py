"""The checks of bills to channel partners and to home customers."""

from decimal import Decimal

import sqlalchemy as sa

from billing_assets import tables
from billing_assets.checks.counting import blocking, dates_outside_range, of_month, of_table, warning
from billing_assets.checks.legacy import CENT_DRIFT, amount_drift
from billing_assets.months import months_of
from migration.checks import (
    Scope,
)
from migration.tables import Query

_mac, _soho = tables.mac_bills, tables.soho_bills
_MAC_OF_MONTH, _SOHO_OF_MONTH = months_of(_mac.c.bill_date), months_of(_soho.c.bill_date)


def _wrong_commissions(scope: Scope) -> Query:
    exact = _mac.c.total_revenue * _mac.c.percentage_share * sa.literal(Decimal("0.01"), sa.Numeric)
    return sa.select(_mac.c.id).where(of_month(scope, _mac.c.bill_date), _mac.c.commission != sa.func.round(exact, 2))


def _revenue_drift(scope: Scope) -> Query:
    """Partner bills whose revenue is not what the end customers that count on their day pay together."""
    del scope
    end, package = tables.mac_end_customers, tables.packages
    own_rate = sa.case((end.c.custom_rate != 0, end.c.custom_rate), else_=package.c.rate)
    first_day = sa.func.greatest(end.c.activation_date, end.c.bill_date)
    paying = (
        sa.select(
            end.c.mac_partner_id, first_day.label("day"), sa.func.sum(sa.func.coalesce(own_rate, 0)).label("rate")
        )
        .select_from(end.outerjoin(package, package.c.id == end.c.package_id))
        .where(end.c.status == "Active")
        .group_by(end.c.mac_partner_id, first_day)
        .subquery("paying")
    )
    counts = sa.and_(paying.c.mac_partner_id == _mac.c.mac_partner_id, paying.c.day <= _mac.c.bill_date)
    computed = sa.func.coalesce(sa.func.sum(paying.c.rate), 0)
    return (
        sa.select(_mac.c.id)
        .select_from(_mac.outerjoin(paying, counts))
        .group_by(_mac.c.id, _mac.c.total_revenue)
        .having(sa.func.abs(_mac.c.total_revenue - computed) > CENT_DRIFT)
    )


MAC_BILLS = (
    *of_table(_mac, _MAC_OF_MONTH),
    blocking("commission_exact", "Bills whose commission is not the share of the revenue.", _wrong_commissions),
    amount_drift(
        "commission_vs_legacy",
        "Bills whose commission differs from the legacy one by more than 0.01.",
        "mac_bills_staged",
        "legacy_commission",
        _mac.c.commission,
        CENT_DRIFT,
    ),
    warning(
        "mac_revenue_vs_end_customers",
        "Bills whose revenue differs from what the end customers pay by more than 0.01.",
        _revenue_drift,
        lambda scope: sa.select(_mac.c.id),
        past="0.05",
    ),
    dates_outside_range(_mac.c.bill_date),
)
SOHO_BILLS = (
    *of_table(_soho, _SOHO_OF_MONTH),
    warning(
        "soho_total_vs_rate",
        "Bills whose total is not their rate.",
        lambda scope: sa.select(_soho.c.id).where(_soho.c.total_bill != _soho.c.rate),
        lambda scope: sa.select(_soho.c.id),
        past="0.05",
    ),
    dates_outside_range(_soho.c.bill_date),
)
