"""Bills to channel partners and to home customers, and what their legacy rows leave to be computed."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from billing_assets import checks, rules, sources, tables
from billing_assets.assets import BILLING, BILLS, EXPORT, STAGING, TABLE_KINDS
from billing_assets.assets.bills import staged_schema
from billing_assets.assets.customers import plain_texts, redirects
from billing_assets.assets.monthly import beside, by_day, counted_for, part_of
from billing_assets.assets.reading import NO_REJECTS, Lookup, Parse, passing
from billing_assets.assets.writing import as_loaded, count_absent, package_orphans, with_warnings
from billing_assets.months import in_month, split_by_month
from billing_assets.parsing.dates import dates
from billing_assets.parsing.numbers import AMOUNT, RATE, counts, decimal_type, ids, numbers, percentages
from billing_assets.parsing.rows import cells, keyed_rows
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.exports.sources import SourceTable
from migration.outcome import Outcome, Rule, label
from migration.tables import Query, loaded_columns

MAC_FRAME = "mac_bills_staged"
SOHO_FRAME = "soho_bills_staged"
_AMOUNT = decimal_type(AMOUNT)
_MONEY = sa.Numeric(22, 2)
_PERCENT = sa.literal(Decimal("0.01"), sa.Numeric)
_KEPT = ("id", "bill_date", "notes", "created_at", "updated_at")

MAC_SCHEMA = staged_schema(
    tables.mac_bills,
    (*_KEPT, "mac_partner_id", "total_client", "percentage_share"),
    ("total_revenue", _AMOUNT),
    ("legacy_commission", _AMOUNT),
    ("legacy_total_received", _AMOUNT),
)
SOHO_SCHEMA = staged_schema(
    tables.soho_bills,
    (*_KEPT, "soho_customer_id", "package_id", "rate"),
    ("total_bill", _AMOUNT),
    ("legacy_total_received", _AMOUNT),
)


# --- judged -----------------------------------------------------------------------------------------------------------


def mac_bills_parser(partners: Lookup) -> Parse:
    """How bills to channel partners are read, given the loaded partners."""

    def parse(rows: pd.DataFrame) -> pd.DataFrame:
        partner = ids(cells(rows, "mac_partner"))
        frame = keyed_rows(
            rows,
            {
                "mac_partner": partner,
                "bill_date": dates(rows["bill_date"]),
                "total_client": counts(rows["total_client"]),
                "total_revenue": numbers(rows["total_revenue"], AMOUNT),
                "percentage_share": percentages(rows["percentage_share"]),
                "legacy_commission": numbers(rows["commission"], AMOUNT),
                "legacy_total_received": numbers(rows["total_received"], AMOUNT),
                **plain_texts(rows, "notes"),
            },
        )
        return frame.assign(mac_partner_id=partners.of(partner.value))

    return parse


def soho_bills_parser(customers: Lookup, packages: Lookup) -> Parse:
    """How bills to home customers are read, given the loaded customers and where the packages have ended."""

    def parse(rows: pd.DataFrame) -> pd.DataFrame:
        customer, package = ids(cells(rows, "soho_customer")), ids(cells(rows, "package"))
        frame = keyed_rows(
            rows,
            {
                "soho_customer": customer,
                "package": package,
                "bill_date": dates(rows["bill_date"]),
                "rate": numbers(rows["rate"], RATE),
                "total_bill": numbers(rows["total_bill"], AMOUNT),
                "legacy_total_received": numbers(rows["total_received"], AMOUNT),
                **plain_texts(rows, "notes"),
            },
        )
        return frame.assign(soho_customer_id=customers.of(customer.value), package_id=packages.of(package.value))

    return parse


def _stage_by_month(
    step: Step, table: sa.Table, source: SourceTable, parse: Parse, judged: tuple[Rule, ...], schema: pa.Schema
) -> Write:
    """Split the bills of a file that pass by month."""

    def months() -> Iterator[tuple[str, pd.DataFrame]]:
        for passed in passing(step, source, table, parse, judged):
            rows = with_warnings(passed, **package_orphans(passed))
            step.tally.add(label(table.name, rows, Outcome.LOADED))
            yield from split_by_month(rows, "bill_date")

    step.frames.write(f"{table.name}_staged", months(), schema)
    return counted_for(step, table)


@BILLING.step(
    group=STAGING,
    upstream=[EXPORT, "mac_partners"],
    source=sources.mac_bills,
    checks=checks.staging(tables.mac_bills, MAC_FRAME),
    kinds=("pandas", "parquet"),
)
def mac_bills_staged(step: Step) -> Write:
    """Bills to channel partners that can be loaded, split by month; the others are rejected over the file."""
    parse = mac_bills_parser(Lookup.ids(step, tables.mac_partners))
    return _stage_by_month(step, tables.mac_bills, sources.mac_bills, parse, rules.mac_bill, MAC_SCHEMA)


@BILLING.step(
    group=STAGING,
    upstream=[EXPORT, "soho_customers", "packages"],
    source=sources.soho_bills,
    checks=checks.staging(tables.soho_bills, SOHO_FRAME),
    kinds=("pandas", "parquet"),
)
def soho_bills_staged(step: Step) -> Write:
    """Bills to home customers that can be loaded, split by month; the others are rejected over the file."""
    parse = soho_bills_parser(Lookup.ids(step, tables.soho_customers), redirects(step, sources.soho_packages.name))
    return _stage_by_month(step, tables.soho_bills, sources.soho_bills, parse, rules.soho_bill, SOHO_SCHEMA)


# --- completed --------------------------------------------------------------------------------------------------------


def revenues() -> sa.Subquery:
    """Per channel partner what its active end customers pay together, from one first day to the next.

    Columns: mac_partner_id, from_day, to_day (excluded, NULL = open), clients, revenue. An end customer counts from its
    activation, or from its own bill date if that is later; a rate of its own of 0 is none.
    """
    end, package = tables.mac_end_customers, tables.packages
    effective = sa.func.coalesce(sa.func.nullif(end.c.custom_rate, 0), package.c.rate, 0)
    first_day = sa.func.greatest(end.c.activation_date, end.c.bill_date)
    starting = (
        sa.select(
            end.c.mac_partner_id,
            first_day.label("from_day"),
            sa.func.count().label("clients"),
            sa.func.sum(effective).label("revenue"),
        )
        .select_from(end.outerjoin(package, package.c.id == end.c.package_id))
        .where(end.c.status == "Active")
        .group_by(end.c.mac_partner_id, first_day)
        .subquery("starting")
    )

    def running(function: Any, name: str) -> sa.ColumnElement[Any]:
        over = function.over(partition_by=starting.c.mac_partner_id, order_by=starting.c.from_day)
        return over.label(name)

    return sa.select(
        starting.c.mac_partner_id,
        starting.c.from_day,
        running(sa.func.lead(starting.c.from_day), "to_day"),
        running(sa.func.sum(starting.c.clients), "clients"),
        running(sa.func.sum(starting.c.revenue), "revenue"),
    ).subquery("revenues")


def bills_at(bill: sa.FromClause, revenue: sa.Subquery) -> sa.ColumnElement[bool]:
    """The condition that a partner's revenue is the one of the day of a bill."""
    day = bill.c.bill_date
    return sa.and_(
        revenue.c.mac_partner_id == bill.c.mac_partner_id,
        revenue.c.from_day <= day,
        revenue.c.to_day.is_(None) | (day < revenue.c.to_day),
    )


def commission_of(revenue: Any, share: Any) -> sa.ColumnElement[Any]:
    """A share of a revenue in percent, rounded to the cent, halves away from zero.

    Multiplied, not divided: PostgreSQL cuts the digits of a quotient, and a product is exact.
    """
    return sa.func.round(revenue * share * _PERCENT, 2)


def completed_mac_bills(given: sa.Table) -> Query:
    """Bills to partners as they are loaded: what a row leaves blank is what follows from the end customers.

    A figure that the row gives is a snapshot and counts. The commission is always computed.
    """
    partner, revenue = tables.mac_partners, revenues()
    total = sa.cast(sa.func.coalesce(given.c.total_revenue, revenue.c.revenue, 0), _MONEY)
    share = sa.func.coalesce(given.c.percentage_share, partner.c.percentage_share)
    completed = (
        sa.select(
            *(given.c[name] for name in _KEPT),
            given.c.mac_partner_id,
            sa.cast(sa.func.coalesce(given.c.total_client, revenue.c.clients, 0), sa.Integer).label("total_client"),
            total.label("total_revenue"),
            share.label("percentage_share"),
            sa.cast(commission_of(total, share), _MONEY).label("commission"),
        )
        .select_from(
            given.join(partner, partner.c.id == given.c.mac_partner_id).outerjoin(revenue, bills_at(given, revenue))
        )
        .subquery("completed")
    )
    return _owed(completed, completed.c.total_revenue - completed.c.commission)


def completed_soho_bills(given: sa.Table) -> Query:
    """Bills to home customers as they are loaded: without a rate the customer's, without a total the rate."""
    customer = tables.soho_customers
    rate = sa.func.coalesce(sa.func.nullif(given.c.rate, 0), customer.c.rate)
    completed = (
        sa.select(
            *(given.c[name] for name in _KEPT),
            given.c.soho_customer_id,
            given.c.package_id,
            sa.cast(rate, sa.Numeric(12, 2)).label("rate"),
            sa.cast(sa.func.coalesce(sa.func.nullif(given.c.total_bill, 0), rate), _MONEY).label("given_total"),
        )
        .select_from(given.join(customer, customer.c.id == given.c.soho_customer_id))
        .subquery("completed")
    )
    return _owed(completed, completed.c.given_total)


def _owed(completed: sa.Subquery, total: sa.ColumnElement[Any]) -> Query:
    """The bills with their totals, as long as nothing is known to be received."""
    kept = [column for column in completed.c if column.name != "given_total"]
    status = sa.cast(sa.case((total > 0, "Unpaid"), else_="Pending"), sa.Text)
    return sa.select(*kept, total.label("total_bill"), total.label("total_due"), status.label("status"))


def _load(step: Step, table: sa.Table, frame: str, columns: list[sa.Column[Any]], completed: Any) -> Write:
    """Label the bills of a month as loaded; returns what completes them by set and writes them."""
    rows = part_of(step, frame)
    step.label(as_loaded(table, rows).ledger, NO_REJECTS)
    given = beside(step, f"given_{table.name}", columns, rows)

    def write() -> None:
        stage = step.gather(table.name, completed(given))
        step.upsert(table, stage, loaded_columns(table), initial=[table.c.total_due, table.c.status])
        count_absent(step, table, in_month(table.c.bill_date, str(step.partition)))

    return write


def _given(table: sa.Table, *names: str) -> list[sa.Column[Any]]:
    return [table.c[name] for name in (*_KEPT, *names)]


_MAC_GIVEN = _given(tables.mac_bills, "mac_partner_id", "total_client", "total_revenue", "percentage_share")
_SOHO_GIVEN = _given(tables.soho_bills, "soho_customer_id", "package_id", "rate", "total_bill")


@BILLING.step(
    group=BILLS,
    upstream=["mac_bills_staged", "mac_partners", "mac_end_customers"],
    source=sources.mac_bills,
    target=tables.mac_bills,
    checks=checks.MAC_BILLS,
    partitioning=by_day(MAC_FRAME, tables.mac_bills.c.bill_date),
    kinds=TABLE_KINDS,
)
def mac_bills(step: Step) -> Write:
    """Bills to channel partners, one per legacy id: the revenue of their end customers less their commission.

    Partitioned by the month of the bill.
    """
    return _load(step, tables.mac_bills, MAC_FRAME, _MAC_GIVEN, completed_mac_bills)


@BILLING.step(
    group=BILLS,
    upstream=["soho_bills_staged", "soho_customers", "packages"],
    source=sources.soho_bills,
    target=tables.soho_bills,
    checks=checks.SOHO_BILLS,
    partitioning=by_day(SOHO_FRAME, tables.soho_bills.c.bill_date),
    kinds=TABLE_KINDS,
)
def soho_bills(step: Step) -> Write:
    """Bills to home and small-office customers, one per legacy id.

    Partitioned by the month of the bill.
    """
    return _load(step, tables.soho_bills, SOHO_FRAME, _SOHO_GIVEN, completed_soho_bills)
