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
_NOTHING = "0.00"


def month_length() -> Number:
    """The days of a bill's month."""
    next_month = tables.bill_records.c.billing_month + sa.func.make_interval(0, 1)
    return sa.cast(sa.extract("day", next_month - sa.func.make_interval(0, 0, 0, 1)), sa.Integer)


def _priced(charges: sa.FromClause, counts: sa.ColumnElement[bool]) -> list[Number]:
    """Of each service its quantity and price as texts and its amount in cents, of the discount its cents.

    Args:
        charges: bills or periods.
        counts: whether the amounts are what is split; they are 0 otherwise.
    """
    priced: list[Number] = []
    for service in SERVICES:
        priced += [sa.cast(charges.c[name], sa.Text).label(name) for name in (service, f"{service}_price")]
        priced.append(sa.case((counts, _cents(line(charges, service))), else_=0).label(f"{service}_cents"))
    return [*priced, sa.case((counts, _cents(charges.c.discount)), else_=0).label("discount_cents")]


def _bills(condition: sa.ColumnElement[bool]) -> sa.Subquery:
    """The bills that a condition selects, priced once, not once a day; a legacy total is in no service's amount."""
    bill = tables.bill_records
    is_legacy = bill.c.total_source == LEGACY
    other = sa.case((is_legacy, _cents(bill.c.total_bill)), else_=0).label("other_cents")
    columns = (bill.c.id, bill.c.billing_month, bill.c.export_id, bill.c.total_source, month_length().label("length"))
    return _once(sa.select(*columns, *_priced(bill, sa.not_(is_legacy)), other).where(condition)).subquery("bills")


def _periods(condition: sa.ColumnElement[bool]) -> sa.Subquery:
    """The pricing periods of these bills, each priced once."""
    bill, period = tables.bill_records, tables.bill_pricing_periods
    columns = (period.c.id, period.c.bill_record_id, period.c.start_day, period.c.end_day)
    joined = period.join(bill, bill.c.id == period.c.bill_record_id)
    rows = sa.select(*columns, *_priced(period, sa.true())).select_from(joined).where(condition)
    return _once(rows).subquery("periods")


def _once(rows: Query) -> Query:
    """Rows that the planner computes before it joins them: else each expression would be repeated for every day."""
    return rows.offset(0)


def _spans(condition: sa.ColumnElement[bool]) -> sa.Subquery:
    """One row per bill and day: what is in force that day, the days that its amounts are split over, and its place."""
    bill, period = _bills(condition), _periods(condition)
    series = sa.func.generate_series(1, bill.c.length).table_valued("day").render_derived().lateral("days")
    day = sa.cast(series.c.day, sa.Integer)
    covers = sa.and_(period.c.bill_record_id == bill.c.id, day.between(period.c.start_day, period.c.end_day))
    by_periods = bill.c.total_source == PERIODS
    covered = sa.case((by_periods, period.c.end_day - period.c.start_day + 1), else_=bill.c.length)

    def in_force(name: str, nothing: Any) -> Number:
        return sa.case((by_periods, sa.func.coalesce(period.c[name], nothing)), else_=bill.c[name]).label(name)

    return _once(
        sa.select(
            bill.c.id,
            bill.c.billing_month,
            bill.c.export_id,
            period.c.id.label("pricing_period_id"),
            day.label("day_number"),
            sa.func.coalesce(covered, 1).label("length"),
            sa.case((by_periods, sa.func.coalesce(day - period.c.start_day + 1, 1)), else_=day).label("place"),
            *(in_force(name, _NOTHING) for service in SERVICES for name in (service, f"{service}_price")),
            *(in_force(f"{name}_cents", 0) for name in (*SERVICES, "discount")),
            bill.c.other_cents,
        ).select_from(bill.join(series, sa.true()).outerjoin(period, covers))
    ).subquery("spans")


def _share(cents: Number, length: Number, place: Number) -> Number:
    """The cents of an amount that fall on one of the days that it is split over."""
    rest = cents % length
    return cents // length + (rest * place) // length - (rest * (place - 1)) // length


def _shares(spans: sa.Subquery) -> sa.Subquery:
    """One row per bill and day with the cents of each part of the bill."""
    shares = [
        _share(spans.c[f"{name}_cents"], spans.c.length, spans.c.place).label(f"{name}_share")
        for name in (*SERVICES, "discount", "other")
    ]
    return _once(sa.select(spans, *shares)).subquery("shares")


def _cents(amount: Number) -> Number:
    return sa.cast(amount * 100, sa.BigInteger)


def _text_of(cents: Number) -> Number:
    return sa.cast(sa.cast(cents, sa.Numeric) * _CENT, sa.Text)


def _breakdown(shares: sa.Subquery) -> Number:
    """Per service what is in force that day and the day's share of it; all values are texts with two decimals."""
    parts: list[Any] = []
    for service in SERVICES:
        of_service = sa.func.jsonb_build_object(
            *("quantity", shares.c[service]),
            *("price", shares.c[f"{service}_price"]),
            *("amount", _text_of(shares.c[f"{service}_share"])),
        )
        parts += [service, of_service]
    for name in ("other", "discount"):
        parts += [name, _text_of(shares.c[f"{name}_share"])]
    return sa.func.jsonb_build_object(*parts, type_=pg.JSONB)


def day_rows(condition: sa.ColumnElement[bool]) -> Query:
    """The rows of `daily_bill_amounts` of the bills that a condition selects."""
    shares = _shares(_spans(condition))
    total = shares.c.other_share - shares.c.discount_share
    for service in SERVICES:
        total = total + shares.c[f"{service}_share"]
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
