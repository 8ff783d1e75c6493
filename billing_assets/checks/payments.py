"""The checks of payments, of what was received, and of the reconciliation."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from billing_assets import tables
from billing_assets.checks.counting import Failing, blocking, dates_outside_range, of_month, of_table, warning
from billing_assets.checks.legacy import BILL_DRIFT, BILL_TABLE, CENT_DRIFT, FIGURE, LEGACY_ID, beside, drift, of_export
from billing_assets.months import months_of
from billing_assets.parsing.words import BANDWIDTH, MAC, SOHO
from billing_assets.tables import CARRIED_OVER
from billing_assets.tables import PAYMENTS as PAID
from migration.checks import (
    Scope,
)
from migration.tables import Query

# --- payments ---------------------------------------------------------------------------------------------------------

_bill, _payment = tables.bill_records, tables.payment_records
_BILL_REFERENCES = {
    tables.bill_records: "bill_record",
    tables.mac_bills: "mac_bill",
    tables.soho_bills: "soho_bill",
}


def _misallocated(scope: Scope) -> Query:
    """Payments that count for a bill which their type does not allow."""
    kind, allocated = _payment.c.payment_type, _payment.c.allocated_to
    to_bill = sa.and_(allocated == "bill_record", _payment.c.bill_record_id.is_not(None))
    right = [sa.and_(kind == BANDWIDTH, to_bill)]
    for name, word in (("mac_bill", MAC), ("soho_bill", SOHO)):
        named = _payment.c[f"{name}_id"].is_not(None)
        of_kind = sa.and_(sa.not_(named), to_bill, _bill.c.customer_type == word)
        right.append(sa.and_(kind == word, sa.or_(sa.and_(named, allocated == name), of_kind)))
    return (
        sa.select(_payment.c.id)
        .select_from(_payment.outerjoin(_bill, _bill.c.id == _payment.c.bill_record_id))
        .where(of_month(scope, _payment.c.payment_date), sa.func.coalesce(sa.not_(sa.or_(*right)), True))
    )


PAYMENT_RECORDS = (
    *of_table(_payment, months_of(_payment.c.payment_date)),
    blocking("payment_type_matches", "Payments whose type does not match the bill they count for.", _misallocated),
    dates_outside_range(_payment.c.payment_date),
)


def _day_of(table: sa.Table) -> sa.Column[Any]:
    return table.c.billing_month if table is _bill else table.c.bill_date


def _each_bill_table(query: Callable[[sa.Table, str], Query]) -> Query:
    parts = [query(table, name) for table, name in _BILL_REFERENCES.items()]
    return sa.select(*sa.union_all(*parts).subquery("of_all").c)


def _received_off_payments(scope: Scope) -> Query:
    def of_table(table: sa.Table, name: str) -> Query:
        reference = _payment.c[f"{name}_id"]
        counted = sa.and_(reference == table.c.id, _payment.c.allocated_to == name)
        return (
            sa.select(sa.literal(table.name).label("bill_table"), table.c.id)
            .select_from(table.outerjoin(_payment, counted))
            .where(of_month(scope, _day_of(table)), table.c.received_source == PAID)
            .group_by(table.c.id, table.c.total_received)
            .having(sa.func.coalesce(sa.func.sum(_payment.c.amount), 0) != table.c.total_received)
        )

    return _each_bill_table(of_table)


def _not_the_latest(scope: Scope) -> Query:
    order = (_payment.c.payment_date.desc(), _payment.c.created_at.desc().nulls_last(), _payment.c.id.desc())
    place = sa.func.row_number().over(partition_by=_payment.c.bill_record_id, order_by=order)
    here = sa.select(_bill.c.id).where(of_month(scope, _bill.c.billing_month))
    ranked = (
        sa.select(_payment.c.bill_record_id, _payment.c.payment_date, _payment.c.payment_method, place.label("place"))
        .where(_payment.c.allocated_to == "bill_record", _payment.c.bill_record_id.in_(here))
        .subquery("ranked")
    )
    latest = sa.and_(ranked.c.bill_record_id == _bill.c.id, ranked.c.place == 1)
    said = sa.func.row(_bill.c.last_payment_date, _bill.c.last_payment_mode)
    return (
        sa.select(_bill.c.id)
        .select_from(_bill.outerjoin(ranked, latest))
        .where(
            of_month(scope, _bill.c.billing_month),
            _bill.c.received_source == PAID,
            said.is_distinct_from(sa.func.row(ranked.c.payment_date, ranked.c.payment_method)),
        )
    )


def _bills_with(condition: Callable[[sa.Table], sa.ColumnElement[bool]]) -> Failing:
    return lambda scope: _each_bill_table(
        lambda table, name: sa.select(sa.literal(name).label("bill_table"), table.c.id).where(condition(table))
    )


def _receipts(scope: Scope) -> sa.Table:
    columns = (BILL_TABLE, LEGACY_ID, FIGURE)
    return beside(scope, "received_vs_legacy", "legacy_receipts", columns, legacy_total_received="legacy")


def _receipts_off_legacy(stage: sa.FromClause) -> Query:
    def of_table(table: sa.Table, name: str) -> Query:
        same = sa.and_(stage.c.bill_table == name, stage.c.id == table.c.id)
        differs = sa.func.abs(table.c.total_received - stage.c.legacy) > CENT_DRIFT
        return (
            sa.select(sa.literal(name).label("bill_table"), table.c.id)
            .select_from(table.join(stage, same))
            .where(differs)
        )

    return _each_bill_table(of_table)


PAYMENT_ROLLUP = (
    blocking(
        "received_equals_payments",
        "Bills whose total_received is not what the payments that count for them add up to.",
        _received_off_payments,
    ),
    blocking("last_payment_latest", "Bills whose last payment is not the latest one.", _not_the_latest),
    drift(
        "received_vs_legacy",
        "Bills for which the legacy system has received an amount that differs by more than 0.01.",
        _receipts,
        _receipts_off_legacy,
        of_export(*_BILL_REFERENCES),
        past="0.01",
    ),
    warning(
        "overpaid_bills",
        "Bills for which more was received than they amount to.",
        _bills_with(lambda table: table.c.total_due < 0),
        _bills_with(lambda table: sa.true()),
        past="0.01",
    ),
    warning(
        "carried_over_received",
        "Bills without payments for which the legacy system has received something.",
        _bills_with(lambda table: table.c.received_source == CARRIED_OVER),
    ),
)


# --- reconciliation ---------------------------------------------------------------------------------------------------


def _legacy_days(scope: Scope) -> sa.Table:
    renamed = {"bill_record": "id", "daily_amount": "legacy"}
    return beside(scope, "daily_vs_legacy", "legacy_days", (LEGACY_ID, FIGURE), **renamed)


def _days_off_legacy(stage: sa.FromClause) -> Query:
    total = sa.func.sum(sa.func.coalesce(stage.c.legacy, 0)).label("total")
    summed = sa.select(stage.c.id, total).group_by(stage.c.id).subquery("summed")
    return (
        sa.select(_bill.c.id)
        .select_from(_bill.join(summed, summed.c.id == _bill.c.id))
        .where(sa.func.abs(summed.c.total - _bill.c.total_bill) > BILL_DRIFT)
    )


RECONCILIATION = (
    drift(
        "daily_vs_legacy",
        "Bills whose legacy daily amounts add up to another total, by more than 0.05.",
        _legacy_days,
        _days_off_legacy,
    ),
)


def drift_figures(scope: Scope) -> dict[str, str]:
    """Per bill table what the loaded bills amount to, what was received and what is owed, as texts."""
    figures: dict[str, str] = {}
    for table in _BILL_REFERENCES:
        sums = [
            sa.func.coalesce(sa.func.sum(table.c[name]), 0) for name in ("total_bill", "total_received", "total_due")
        ]
        mine = table.c.export_id == scope.export.export_id
        found = scope.connection.execute(sa.select(sa.func.count(), *sums).where(mine)).one()
        figures[table.name] = "{} bills, total {}, received {}, due {}".format(*found)
    return figures
