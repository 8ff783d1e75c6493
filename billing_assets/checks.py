"""The measured checks of the billing migration with their limits, by the asset whose step they belong to.

Every check counts `violations`. A blocking one fails with the first; the others compare with what the legacy system
says, and warn.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pandas as pd
import sqlalchemy as sa

from billing_assets import tables
from billing_assets.months import in_month, months_of, outside_range
from billing_assets.parsing.account_numbers import (
    NumberKind,
    bill_number,
    customer_number,
    mac_end_customer_number,
    mac_partner_number,
    soho_customer_number,
)
from billing_assets.parsing.words import BANDWIDTH, MAC, SOHO
from billing_assets.sources import SERVICES
from billing_assets.tables import CARRIED_OVER
from billing_assets.tables import PAYMENTS as PAID
from migration.checks import (
    Check,
    Limits,
    RowsOfPartition,
    Scope,
    at_most,
    conservation,
    in_partition,
    none_of,
    orphans,
)
from migration.tables import Query, key_columns
from migration.warehouse.copying import copy_frame
from migration.warehouse.runlog import Status
from migration.warehouse.statistics import analyze
from migration.warehouse.upsert import STAGE_PREFIX, create_stage

Failing = Callable[[Scope], Query]
CENT_DRIFT, BILL_DRIFT = Decimal("0.01"), Decimal("0.05")

_KINDS: dict[sa.Table, NumberKind] = {
    tables.sales_customers: customer_number,
    tables.mac_partners: mac_partner_number,
    tables.mac_end_customers: mac_end_customer_number,
    tables.soho_customers: soho_customer_number,
    tables.bill_records: bill_number,
}
_NONE = none_of("violations")


# --- how violations are counted ---------------------------------------------------------------------------------------


def _count_of(failing: Query) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count()).select_from(failing.subquery()).scalar_subquery()


def _blocking(name: str, description: str, failing: Failing) -> Check:
    """A check that no row may fail.

    Args:
        name: name of the check.
        description: what a violation is.
        failing: statement of the keys of the rows that fail.
    """
    return Check(
        name,
        description,
        lambda scope: sa.select(_count_of(failing(scope)).label("violations")),
        error=_NONE,
        blocking=True,
        keys=failing,
    )


def _warning(
    name: str, description: str, failing: Failing, whole: Failing | None = None, *, past: str | None = None
) -> Check:
    """A check that warns: of any violation, or past a share of the rows of a statement."""

    def measure(scope: Scope) -> Query:
        violations = _count_of(failing(scope))
        if whole is None:
            return sa.select(violations.label("violations"))
        share = sa.cast(violations, sa.Numeric) / sa.func.nullif(_count_of(whole(scope)), 0)
        return sa.select(violations.label("violations"), share.label("share"))

    limits: Limits = _NONE if past is None else at_most(share=past)
    return Check(name, description, measure, warn=limits, keys=failing)


def _as_violations(check: Check, *measures: str) -> Check:
    """A check that every table has, its measures also added up as `violations`."""

    def measure(scope: Scope) -> Query:
        measured = check.measure(scope)
        assert not isinstance(measured, pd.DataFrame)  # noqa: S101 - those checks are statements
        found = measured.subquery("found")
        total = sa.func.abs(found.c[measures[0]])
        for name in measures[1:]:
            total = total + sa.func.abs(found.c[name])
        return sa.select(*found.c, total.label("violations"))

    return replace(check, measure=measure, error=_NONE)


# --- checks that every table has --------------------------------------------------------------------------------------


def _key_check(table: sa.Table, rows: RowsOfPartition | None) -> Check:
    key = key_columns(table)[0]

    def failing(scope: Scope) -> Query:
        here = in_partition(table, rows, scope)
        return sa.select(key).where(here).group_by(key).having((sa.func.count() > 1) | key.is_(None))

    return _blocking(f"{table.name}_pk_unique_not_null", f"Ids of {table.name} that are repeated or missing.", failing)


def _reject_rate(table: sa.Table) -> Check:
    ledger = tables.books.ledger

    def measure(scope: Scope) -> Query:
        rejected = sa.func.count()
        of_source = sa.func.nullif(sa.literal(scope.source_rows), 0)
        return sa.select(
            rejected.label("violations"), (sa.cast(rejected, sa.Numeric) / of_source).label("share")
        ).where(
            ledger.c.export_id == scope.export.export_id,
            ledger.c.source_table.in_(scope.source_tables),
            ledger.c.target_table == table.name,
            ledger.c.outcome == "rejected",
        )

    return Check(
        f"{table.name}_reject_rate",
        "Share of the source rows that were rejected.",
        measure,
        warn=at_most(share="0.02"),
        error=at_most(share="0.25"),
    )


def _of_table(table: sa.Table, rows: RowsOfPartition | None = None, *, loaded: bool = True) -> list[Check]:
    """The checks that every table has, under the names of this system."""
    found: list[Check] = []
    if loaded:
        conserved = conservation(f"{table.name}_conservation", table, partition_column=rows)
        found.append(_as_violations(conserved, "unaccounted", "target_difference"))
    found.append(replace(_key_check(table, rows), kind="key"))
    if table.foreign_keys:
        found.append(_as_violations(orphans(f"{table.name}_orphans", table, partition_column=rows), "orphans"))
    if loaded:
        found.append(_reject_rate(table))
    return found


def staging(table: sa.Table, frame: str) -> tuple[Check, ...]:
    """The check of a staging asset: no row of the file is lost on its way into the staged frame."""

    def measure(scope: Scope) -> pd.DataFrame:
        kept = sum(scope.frames.parts(frame).values())
        others = _labelled(scope, frame)
        lost = abs(scope.source_rows - kept - others)
        return _one(violations=lost, source_rows=scope.source_rows, staged=kept, labelled=others)

    return (
        Check(
            f"{frame}_conservation",
            f"Every row of the file is staged for {table.name}, merged, rejected or skipped.",
            measure,
            error=_NONE,
            blocking=True,
        ),
    )


def _labelled(scope: Scope, asset: str) -> int:
    """The rows that a staging step has given their last outcome: in this transaction, or as the run log has it."""
    if scope.staged_rows is not None:
        return scope.connection.scalar(sa.select(sa.func.count()).select_from(scope.staged_rows)) or 0
    log = tables.books.run_log
    newest = (
        sa.select(log.c.merged + log.c.rejected + log.c.skipped)
        .where(
            log.c.asset == asset,
            log.c.export_id == scope.export.export_id,
            log.c.status.in_([Status.SUCCESS.value, Status.BLOCKED.value]),
            log.c.finished_at.is_not(None),
        )
        .order_by(log.c.finished_at.desc())
        .limit(1)
    )
    return scope.connection.scalar(newest) or 0


def _one(**measures: Any) -> pd.DataFrame:
    return pd.DataFrame([measures], dtype=object)


# --- printed numbers --------------------------------------------------------------------------------------------------


def _is_real_day(digits: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether eight digits are a day of the calendar, the day first."""
    day, month, year = (
        sa.cast(sa.func.substr(digits, start, length), sa.Integer) for start, length in ((1, 2), (3, 2), (5, 4))
    )
    first = sa.func.make_date(year, month, 1)
    last = sa.extract("day", first + sa.func.make_interval(0, 1) - sa.func.make_interval(0, 0, 0, 1))
    return sa.case((sa.and_(month.between(1, 12), year > 0), day.between(1, last)), else_=False)


def _is_well_formed(table: sa.Table) -> sa.ColumnElement[bool]:
    """Whether a printed number has the form of its kind and names its own row."""
    kind, number = _KINDS[table], table.c[tables.NUMBERED[table]]
    before = f"^{kind.prefix}-[A-Z0-9]{{{kind.shortest},{kind.length}}}-"
    after = "-[0-9]{8}$" if kind.dated else "$"
    formed = number.regexp_match(sa.func.concat(before, table.c.id, after))
    return sa.case((formed, _is_real_day(sa.func.right(number, 8))), else_=False) if kind.dated else formed


def _numbers(table: sa.Table, rows: RowsOfPartition | None = None) -> list[Check]:
    column, change = table.c[tables.NUMBERED[table]], tables.books.change

    def broken(scope: Scope) -> Query:
        here = in_partition(table, rows, scope)
        repeated = sa.select(column).group_by(column).having(sa.func.count() > 1)
        return sa.select(table.c.id).where(here, sa.not_(_is_well_formed(table)) | column.in_(repeated))

    def changed(scope: Scope) -> Query:
        same = sa.cast(change.c.row_key["id"].astext, sa.BigInteger) == table.c.id
        before = change.c.before[column.name].astext
        logged = sa.and_(change.c.table_name == table.name, change.c.before.is_not(None), same)
        return (
            sa.select(table.c.id)
            .distinct()
            .select_from(change.join(table, logged))
            .where(before != column, in_partition(table, rows, scope))
        )

    return [
        _blocking(
            "numbers_unique_and_wellformed",
            "Printed numbers that are repeated, do not have their form or do not name their own row.",
            broken,
        ),
        _blocking("numbers_read_only", "Printed numbers that are not what they were before a run.", changed),
    ]


# --- customers --------------------------------------------------------------------------------------------------------


def _shared_email_rows(scope: Scope) -> pd.DataFrame:
    return scope.frames.read("shared_emails")


def _partners_without_share(scope: Scope) -> Query:
    partner = tables.mac_partners
    return sa.select(partner.c.id).where(partner.c.is_active, partner.c.percentage_share == 0)


def _repeated(table: sa.Table, *columns: sa.ColumnElement[Any]) -> Failing:
    """The first row of each group that shares values; rows without the first value do not count."""
    return lambda scope: (
        sa.select(sa.func.min(table.c.id)).where(columns[0].is_not(None)).group_by(*columns).having(sa.func.count() > 1)
    )


_package = tables.packages

SALES_CUSTOMERS = (
    *_of_table(tables.sales_customers),
    *_numbers(tables.sales_customers),
    _blocking(
        "email_unique",
        "E-mail addresses of several customers.",
        _repeated(tables.sales_customers, tables.sales_customers.c.email),
    ),
    Check(
        "emails_shared",
        "E-mail addresses that are used under several names; the customer with the lowest id keeps each.",
        lambda scope: _one(violations=_shared_email_rows(scope)["keeper"].nunique()),
        warn=_NONE,
        keys=lambda scope: [str(key) for key in sorted(_shared_email_rows(scope)["id"].tolist())],
    ),
)
MAC_PARTNERS = (
    *_of_table(tables.mac_partners),
    *_numbers(tables.mac_partners),
    _warning("partner_without_share", "Active partners whose share is 0.", _partners_without_share),
)
PACKAGES = (
    *_of_table(tables.packages),
    _blocking(
        "packages_unique",
        "Packages of the same type, name in any case, speed and rate.",
        _repeated(
            _package, _package.c.type, sa.func.lower(_package.c.name.collate("C")), _package.c.mbps, _package.c.rate
        ),
    ),
)
MAC_END_CUSTOMERS = (*_of_table(tables.mac_end_customers), *_numbers(tables.mac_end_customers))
SOHO_CUSTOMERS = (*_of_table(tables.soho_customers), *_numbers(tables.soho_customers))


# --- figures of the legacy system -------------------------------------------------------------------------------------


def _beside(scope: Scope, name: str, frame: str, columns: Sequence[sa.Column[Any]], **renamed: str) -> sa.Table:
    """Some columns of a staged frame as a temporary table of the check's transaction, part by part.

    Args:
        scope: what the check may look at.
        name: name of the temporary table.
        frame: the staged frame.
        columns: the columns of the table.
        renamed: which column of the frame is meant, where it has another name.
    """
    stage = create_stage(scope.connection, columns, name)
    for part in scope.frames.parts(frame):
        rows = scope.frames.read(frame, None if part == "all" else part)
        if len(rows):
            copy_frame(scope.connection, stage, list(stage.columns), rows.rename(columns=renamed))
    analyze(scope.connection, stage)
    return stage


_LEGACY_ID = sa.Column("id", sa.BigInteger)
_FIGURE = sa.Column("legacy", sa.Numeric(15, 2))
_BILL_TABLE = sa.Column("bill_table", sa.Text)


def _drift(
    name: str,
    description: str,
    stage: Callable[[Scope], sa.Table],
    failing: Callable[[sa.FromClause], Query],
    whole: Failing | None = None,
    *,
    past: str | None = None,
) -> Check:
    """A check that compares with figures which only the staged frames hold.

    Args:
        name: name of the check.
        description: what a violation is.
        stage: puts the figures beside the tables, under the check's name.
        failing: the keys of the rows that differ, given the figures.
        whole: the rows that the share is one of.
        past: the share that is still good; None = no row may differ.
    """

    def measure(scope: Scope) -> Query:
        found = failing(stage(scope))
        return _warning(name, description, lambda _: found, whole, past=past).measure(scope)  # type: ignore[return-value]

    # The keys are asked for after the count, in the same transaction.
    staged = sa.table(STAGE_PREFIX + name, *(sa.column(c.name, c.type) for c in (_BILL_TABLE, _LEGACY_ID, _FIGURE)))
    limits = _NONE if past is None else at_most(share=past)
    return Check(name, description, measure, warn=limits, keys=lambda _: failing(staged))


def _amount_drift(
    name: str, description: str, frame: str, figure: str, column: sa.Column[Any], tolerated: Decimal
) -> Check:
    """Rows of a table whose amount is further from the legacy figure than is tolerated, past 1 % of those loaded."""
    table: Any = column.table

    def failing(stage: sa.FromClause) -> Query:
        differs = sa.func.abs(column - stage.c.legacy) > tolerated
        return sa.select(table.c.id).select_from(table.join(stage, stage.c.id == table.c.id)).where(differs)

    def stage(scope: Scope) -> sa.Table:
        return _beside(scope, name, frame, (_LEGACY_ID, _FIGURE), **{figure: "legacy"})

    return _drift(name, description, stage, failing, _of_export(table), past="0.01")


def _of_export(*loaded: sa.Table) -> Failing:
    """The rows of tables that the export of the run has loaded."""

    def rows(scope: Scope) -> Query:
        each = [sa.select(table.c.id).where(table.c.export_id == scope.export.export_id) for table in loaded]
        return each[0] if len(each) == 1 else sa.select(*sa.union_all(*each).subquery("loaded").c)

    return rows


# --- bills ------------------------------------------------------------------------------------------------------------

BILLS = (tables.bill_records, tables.mac_bills, tables.soho_bills)
_BILL_REFERENCES = {
    tables.bill_records: "bill_record",
    tables.mac_bills: "mac_bill",
    tables.soho_bills: "soho_bill",
}
_bill = tables.bill_records
_BILLS_OF_MONTH = months_of(_bill.c.billing_month)


def _of_month(scope: Scope, column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return sa.true() if scope.partition is None else in_month(column, scope.partition)


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
    return sa.select(_bill.c.id).where(_of_month(scope, _bill.c.billing_month), sa.not_(sa.or_(*right)))


def _disagreeing_types(scope: Scope) -> Query:
    del scope
    customer = tables.sales_customers
    return (
        sa.select(_bill.c.id)
        .select_from(_bill.join(customer, customer.c.id == _bill.c.customer_id))
        .where(_bill.c.customer_type == BANDWIDTH, customer.c.customer_type != BANDWIDTH)
    )


def _dates_outside_range(day: sa.Column[Any]) -> Check:
    table: Any = day.table
    month = sa.func.to_char(day, "YYYY-MM")
    return _warning(
        "dates_outside_range",
        "Rows dated before the partitions begin, or more than 13 months after the export; each with its month.",
        lambda scope: sa.select(table.c.id, month).where(outside_range(day, scope.export.exported_at)),
    )


def _overlapping_periods(scope: Scope) -> Query:
    period, later = tables.bill_pricing_periods, tables.bill_pricing_periods.alias("later")
    same_bill = sa.and_(later.c.bill_record_id == period.c.bill_record_id, later.c.id > period.c.id)
    shared = sa.and_(later.c.start_day <= period.c.end_day, period.c.start_day <= later.c.end_day)
    pairs = sa.select(period.c.id, later.c.id.label("other")).select_from(period.join(later, same_bill & shared))
    here = sa.select(_bill.c.id).where(_of_month(scope, _bill.c.billing_month))
    return pairs.where(period.c.bill_record_id.in_(here))


def _periods_of(partition: str) -> sa.ColumnElement[bool]:
    here = sa.select(_bill.c.id).where(in_month(_bill.c.billing_month, partition))
    return tables.bill_pricing_periods.c.bill_record_id.in_(here)


BILL_RECORDS = (
    *_of_table(_bill, _BILLS_OF_MONTH),
    *_numbers(_bill, _BILLS_OF_MONTH),
    _blocking(
        "bill_fk_by_type", "Bills without the reference that their kind asks for, or with another.", _wrong_references
    ),
    _dates_outside_range(_bill.c.billing_date),
    _warning(
        "customer_type_disagreement", "Bandwidth bills whose customer has another customer type.", _disagreeing_types
    ),
)
BILL_PRICING_PERIODS = (
    *_of_table(tables.bill_pricing_periods, _periods_of),
    _blocking("periods_no_overlap", "Pairs of periods of a bill that share a day.", _overlapping_periods),
)
BILL_TOTALS = (
    _amount_drift(
        "bill_total_vs_legacy",
        "Bills whose total differs from the legacy one by more than 0.05.",
        "bill_records_staged",
        "legacy_total_bill",
        _bill.c.total_bill,
        BILL_DRIFT,
    ),
    _warning(
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
        .where(_of_month(scope, _bill.c.billing_month))
        .group_by(_bill.c.id)
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
    return sa.select(_day.c.id).where(_of_month(scope, _day.c.date), total.is_distinct_from(_day.c.daily_amount))


DAILY_BILL_AMOUNTS = (
    *_of_table(_day, months_of(_day.c.date), loaded=False),
    _blocking("days_sum_to_bill", "Bills whose days do not add up to their total.", _days_off_total),
    _blocking("days_complete", "Bills that do not have one row for each day of their month.", _days_missing),
    _blocking("breakdown_sums_to_day", "Days whose parts do not add up to their amount.", _breakdown_off_day),
)
LEGACY_DAYS_STAGED = (
    Check(
        "bill_daily_amounts_staged_conservation",
        "Every legacy daily amount is skipped.",
        lambda scope: _one(
            violations=abs(scope.source_rows - _labelled(scope, "bill_daily_amounts_staged")),
            source_rows=scope.source_rows,
        ),
        error=_NONE,
        blocking=True,
    ),
)


# --- bills to partners and home customers -----------------------------------------------------------------------------

_mac, _soho = tables.mac_bills, tables.soho_bills
_MAC_OF_MONTH, _SOHO_OF_MONTH = months_of(_mac.c.bill_date), months_of(_soho.c.bill_date)


def _wrong_commissions(scope: Scope) -> Query:
    exact = _mac.c.total_revenue * _mac.c.percentage_share * sa.literal(Decimal("0.01"), sa.Numeric)
    return sa.select(_mac.c.id).where(_of_month(scope, _mac.c.bill_date), _mac.c.commission != sa.func.round(exact, 2))


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
        .group_by(_mac.c.id)
        .having(sa.func.abs(_mac.c.total_revenue - computed) > CENT_DRIFT)
    )


MAC_BILLS = (
    *_of_table(_mac, _MAC_OF_MONTH),
    _blocking("commission_exact", "Bills whose commission is not the share of the revenue.", _wrong_commissions),
    _amount_drift(
        "commission_vs_legacy",
        "Bills whose commission differs from the legacy one by more than 0.01.",
        "mac_bills_staged",
        "legacy_commission",
        _mac.c.commission,
        CENT_DRIFT,
    ),
    _warning(
        "mac_revenue_vs_end_customers",
        "Bills whose revenue differs from what the end customers pay by more than 0.01.",
        _revenue_drift,
        lambda scope: sa.select(_mac.c.id),
        past="0.05",
    ),
    _dates_outside_range(_mac.c.bill_date),
)
SOHO_BILLS = (
    *_of_table(_soho, _SOHO_OF_MONTH),
    _warning(
        "soho_total_vs_rate",
        "Bills whose total is not their rate.",
        lambda scope: sa.select(_soho.c.id).where(_soho.c.total_bill != _soho.c.rate),
        lambda scope: sa.select(_soho.c.id),
        past="0.05",
    ),
    _dates_outside_range(_soho.c.bill_date),
)


# --- payments ---------------------------------------------------------------------------------------------------------

_payment = tables.payment_records


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
        .where(_of_month(scope, _payment.c.payment_date), sa.func.coalesce(sa.not_(sa.or_(*right)), True))
    )


PAYMENT_RECORDS = (
    *_of_table(_payment, months_of(_payment.c.payment_date)),
    _blocking("payment_type_matches", "Payments whose type does not match the bill they count for.", _misallocated),
    _dates_outside_range(_payment.c.payment_date),
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
            .where(_of_month(scope, _day_of(table)), table.c.received_source == PAID)
            .group_by(table.c.id)
            .having(sa.func.coalesce(sa.func.sum(_payment.c.amount), 0) != table.c.total_received)
        )

    return _each_bill_table(of_table)


def _not_the_latest(scope: Scope) -> Query:
    order = (_payment.c.payment_date.desc(), _payment.c.created_at.desc().nulls_last(), _payment.c.id.desc())
    place = sa.func.row_number().over(partition_by=_payment.c.bill_record_id, order_by=order)
    here = sa.select(_bill.c.id).where(_of_month(scope, _bill.c.billing_month))
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
            _of_month(scope, _bill.c.billing_month),
            _bill.c.received_source == PAID,
            said.is_distinct_from(sa.func.row(ranked.c.payment_date, ranked.c.payment_method)),
        )
    )


def _bills_with(condition: Callable[[sa.Table], sa.ColumnElement[bool]]) -> Failing:
    return lambda scope: _each_bill_table(
        lambda table, name: sa.select(sa.literal(name).label("bill_table"), table.c.id).where(condition(table))
    )


def _receipts(scope: Scope) -> sa.Table:
    columns = (_BILL_TABLE, _LEGACY_ID, _FIGURE)
    return _beside(scope, "received_vs_legacy", "legacy_receipts", columns, legacy_total_received="legacy")


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
    _blocking(
        "received_equals_payments",
        "Bills whose total_received is not what the payments that count for them add up to.",
        _received_off_payments,
    ),
    _blocking("last_payment_latest", "Bills whose last payment is not the latest one.", _not_the_latest),
    _drift(
        "received_vs_legacy",
        "Bills for which the legacy system has received an amount that differs by more than 0.01.",
        _receipts,
        _receipts_off_legacy,
        _of_export(*BILLS),
        past="0.01",
    ),
    _warning(
        "overpaid_bills",
        "Bills for which more was received than they amount to.",
        _bills_with(lambda table: table.c.total_due < 0),
        _bills_with(lambda table: sa.true()),
        past="0.01",
    ),
    _warning(
        "carried_over_received",
        "Bills without payments for which the legacy system has received something.",
        _bills_with(lambda table: table.c.received_source == CARRIED_OVER),
    ),
)


# --- reconciliation ---------------------------------------------------------------------------------------------------


def _legacy_days(scope: Scope) -> sa.Table:
    renamed = {"bill_record": "id", "daily_amount": "legacy"}
    return _beside(scope, "daily_vs_legacy", "legacy_days", (_LEGACY_ID, _FIGURE), **renamed)


def _days_off_legacy(stage: sa.FromClause) -> Query:
    total = sa.func.sum(sa.func.coalesce(stage.c.legacy, 0)).label("total")
    summed = sa.select(stage.c.id, total).group_by(stage.c.id).subquery("summed")
    return (
        sa.select(_bill.c.id)
        .select_from(_bill.join(summed, summed.c.id == _bill.c.id))
        .where(sa.func.abs(summed.c.total - _bill.c.total_bill) > BILL_DRIFT)
    )


RECONCILIATION = (
    _drift(
        "daily_vs_legacy",
        "Bills whose legacy daily amounts add up to another total, by more than 0.05.",
        _legacy_days,
        _days_off_legacy,
    ),
)


def drift_figures(scope: Scope) -> dict[str, str]:
    """Per bill table what the loaded bills amount to, what was received and what is owed, as texts."""
    figures: dict[str, str] = {}
    for table in BILLS:
        sums = [
            sa.func.coalesce(sa.func.sum(table.c[name]), 0) for name in ("total_bill", "total_received", "total_due")
        ]
        mine = table.c.export_id == scope.export.export_id
        found = scope.connection.execute(sa.select(sa.func.count(), *sums).where(mine)).one()
        figures[table.name] = "{} bills, total {}, received {}, due {}".format(*found)
    return figures
