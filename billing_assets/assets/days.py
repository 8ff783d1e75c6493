"""What of each bill falls on each day of its month, computed by set: an amount of c cents over n days, day by day.

Day k gets floor(c * k / n) - floor(c * (k - 1) / n), so the days add up to the cent. Nothing that is split is negative,
and quotient and remainder are taken apart, so that the products fit a bigint whatever the amount.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from billing_assets import checks, tables
from billing_assets.assets import BILLING, BILLS, periods
from billing_assets.assets.monthly import MONTHLY_KINDS, by_day, month_of
from billing_assets.assets.totals import line
from billing_assets.months import in_month
from billing_assets.sources import SERVICES
from billing_assets.tables import LEGACY, PERIODS
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.tables import Query
from migration.warehouse.statistics import analyze_if_stale
from migration.warehouse.upsert import Changes

Number = sa.ColumnElement[Any]

_CENT = sa.literal(Decimal("0.01"), sa.Numeric)
_MONEY = sa.Numeric(22, 2)
_CHARGE = sa.Numeric(10, 2)


def month_length() -> Number:
    """The days of a bill's month."""
    next_month = tables.bill_records.c.billing_month + sa.func.make_interval(0, 1)
    return sa.cast(sa.extract("day", next_month - sa.func.make_interval(0, 0, 0, 1)), sa.Integer)


def _bills(condition: sa.ColumnElement[bool]) -> sa.Subquery:
    bill = tables.bill_records
    return sa.select(bill, month_length().label("length")).where(condition).subquery("bills")


def _spans(condition: sa.ColumnElement[bool]) -> sa.Subquery:
    """One row per bill and day: what is in force that day, the days that its amounts are split over, and its place."""
    bill, period = _bills(condition), tables.bill_pricing_periods
    series = sa.func.generate_series(1, bill.c.length).table_valued("day").render_derived().lateral("days")
    day = sa.cast(series.c.day, sa.Integer)
    covers = sa.and_(period.c.bill_record_id == bill.c.id, day.between(period.c.start_day, period.c.end_day))
    by_periods = bill.c.total_source == PERIODS
    covered = sa.case((by_periods, period.c.end_day - period.c.start_day + 1), else_=bill.c.length)
    charges = [
        sa.cast(sa.case((by_periods, sa.func.coalesce(period.c[name], 0)), else_=bill.c[name]), _CHARGE).label(name)
        for name in (*(f"{s}{suffix}" for s in SERVICES for suffix in ("", "_price")), "discount")
    ]
    return (
        sa.select(
            bill.c.id,
            bill.c.billing_month,
            bill.c.export_id,
            bill.c.total_bill,
            (bill.c.total_source == LEGACY).label("is_legacy"),
            period.c.id.label("pricing_period_id"),
            day.label("day_number"),
            sa.func.coalesce(covered, 1).label("length"),
            sa.case((by_periods, sa.func.coalesce(day - period.c.start_day + 1, 1)), else_=day).label("place"),
            *charges,
        )
        .select_from(bill.join(series, sa.true()).outerjoin(period, covers))
        .subquery("spans")
    )


def _share(cents: Number, length: Number, place: Number) -> Number:
    """The cents of an amount that fall on one of the days that it is split over."""
    rest = cents % length
    return cents // length + (rest * place) // length - (rest * (place - 1)) // length


def _shares(spans: sa.Subquery) -> sa.Subquery:
    """One row per bill and day with the cents of each part of the bill."""
    amounts: dict[str, Number] = {service: line(spans, service) for service in SERVICES}
    amounts = {name: sa.case((spans.c.is_legacy, 0), else_=amount) for name, amount in amounts.items()}
    amounts["discount"] = sa.case((spans.c.is_legacy, 0), else_=spans.c.discount)
    amounts["other"] = sa.case((spans.c.is_legacy, spans.c.total_bill), else_=0)
    shares = [
        _share(sa.cast(amount * 100, sa.BigInteger), spans.c.length, spans.c.place).label(f"{name}_cents")
        for name, amount in amounts.items()
    ]
    return sa.select(spans, *shares).subquery("shares")


def _text_of(cents: Number) -> Number:
    return sa.cast(sa.cast(sa.cast(cents, sa.Numeric) * _CENT, _MONEY), sa.Text)


def _breakdown(shares: sa.Subquery) -> Number:
    """Per service what is in force that day and the day's share of it; all values are texts with two decimals."""
    parts: list[Any] = []
    for service in SERVICES:
        of_service = sa.func.jsonb_build_object(
            *("quantity", sa.cast(shares.c[service], sa.Text)),
            *("price", sa.cast(shares.c[f"{service}_price"], sa.Text)),
            *("amount", _text_of(shares.c[f"{service}_cents"])),
        )
        parts += [service, of_service]
    for name in ("other", "discount"):
        parts += [name, _text_of(shares.c[f"{name}_cents"])]
    return sa.func.jsonb_build_object(*parts, type_=pg.JSONB)


def day_rows(condition: sa.ColumnElement[bool]) -> Query:
    """The rows of `daily_bill_amounts` of the bills that a condition selects."""
    shares = _shares(_spans(condition))
    total = shares.c.other_cents - shares.c.discount_cents
    for service in SERVICES:
        total = total + shares.c[f"{service}_cents"]
    return sa.select(
        (shares.c.id * 100 + shares.c.day_number).label("id"),
        shares.c.id.label("bill_record_id"),
        shares.c.pricing_period_id,
        sa.cast(shares.c.billing_month + (shares.c.day_number - 1), sa.Date).label("date"),
        shares.c.day_number,
        sa.cast(sa.cast(total, sa.Numeric) * _CENT, _MONEY).label("daily_amount"),
        _breakdown(shares).label("service_breakdown"),
        shares.c.export_id,
    )


def write_days(connection: sa.Connection, bills: sa.ColumnElement[bool], known: sa.ColumnElement[bool]) -> Changes:
    """Let the days of bills be what follows from them; a day that is so already is not touched.

    Args:
        connection: the transaction.
        bills: which bills.
        known: where their days lie in the table, for the comparison.
    """
    day, bill = tables.daily_bill_amounts, tables.bill_records
    beyond = sa.delete(day).where(day.c.bill_record_id == bill.c.id, bills, day.c.day_number > month_length())
    deleted = connection.execute(beyond).rowcount
    wanted = day_rows(bills).cte("wanted")
    names = list(wanted.c.keys())
    differs = sa.func.row(*(day.c[n] for n in names)).is_distinct_from(sa.func.row(*wanted.c))
    joined = wanted.outerjoin(day, sa.and_(day.c.id == wanted.c.id, known))
    changed = sa.select(*wanted.c).select_from(joined).where(day.c.id.is_(None) | differs)
    insert = pg.insert(day).from_select(names, changed, include_defaults=False)
    upsert = insert.on_conflict_do_update(
        index_elements=[day.c.id], set_={n: insert.excluded[n] for n in names if n != "id"}
    )
    written = connection.execute(upsert, execution_options={"preserve_rowcount": True}).rowcount
    analyze_if_stale(connection, day, written)
    return Changes(inserted=written, deleted=deleted)


@BILLING.step(
    group=BILLS,
    upstream=["bill_totals"],
    target=tables.daily_bill_amounts,
    checks=checks.DAILY_BILL_AMOUNTS,
    partitioning=by_day(periods.FRAME, tables.daily_bill_amounts.c.date),
    kinds=MONTHLY_KINDS,
)
def daily_bill_amounts(step: Step) -> Write:
    """What of each bill falls on each day of its month; replaced as a set per bill, never copied.

    Partitioned by the day's month.
    """

    def write() -> None:
        day, month = tables.daily_bill_amounts, month_of(step)
        bills = in_month(tables.bill_records.c.billing_month, month)
        step.changes += write_days(step.connection, bills, in_month(day.c.date, month))
        derived = sa.select(sa.func.count()).select_from(day).where(in_month(day.c.date, month))
        step.facts["derived"] = step.connection.scalar(derived) or 0
        step.tally.warnings["period_gap_days"] = _gap_days(step, bills)

    return write


@BILLING.after_rollback
def days_of_restored_bills(connection: sa.Connection, runs: Sequence[str]) -> None:
    """Compute the days again of all months that the runs have computed: they follow from bills that are put back."""
    log, day = BILLING.books.run_log, tables.daily_bill_amounts
    computed = sa.select(log.c.partition).distinct().where(log.c.run_id.in_(runs), log.c.partition.is_not(None))
    for month in connection.scalars(computed.where(log.c.asset == day.name).order_by(log.c.partition)).all():
        bills = in_month(tables.bill_records.c.billing_month, month)
        write_days(connection, bills, in_month(day.c.date, month))


def _gap_days(step: Step, bills: sa.ColumnElement[bool]) -> int:
    """Days of this export's bills with periods that no period covers."""
    day, bill = tables.daily_bill_amounts, tables.bill_records
    mine = bill.c.export_id == step.export.export_id
    uncovered = sa.and_(bills, mine, bill.c.total_source == PERIODS, day.c.pricing_period_id.is_(None))
    counted = sa.select(sa.func.count()).select_from(day.join(bill, bill.c.id == day.c.bill_record_id)).where(uncovered)
    return step.connection.scalar(counted) or 0
