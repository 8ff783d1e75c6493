"""Checks of printed numbers: their form, and that none ever changes."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from billing_assets import tables
from billing_assets.checks.counting import blocking
from billing_assets.parsing.account_numbers import (
    NumberKind,
    bill_number,
    customer_number,
    mac_end_customer_number,
    mac_partner_number,
    soho_customer_number,
)
from migration.checks import (
    Check,
    Scope,
    in_partition,
)
from migration.tables import Query, SplitBy

_KINDS: dict[sa.Table, NumberKind] = {
    tables.sales_customers: customer_number,
    tables.mac_partners: mac_partner_number,
    tables.mac_end_customers: mac_end_customer_number,
    tables.soho_customers: soho_customer_number,
    tables.bill_records: bill_number,
}


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


def number_checks(table: sa.Table, split_by: SplitBy | None = None) -> list[Check]:
    """The checks of a table whose rows have printed numbers."""
    column, change = table.c[tables.NUMBERED[table]], tables.books.change

    def broken(scope: Scope) -> Query:
        here = in_partition(table, split_by, scope)
        repeated = sa.select(column).group_by(column).having(sa.func.count() > 1)
        return sa.select(table.c.id).where(here, sa.not_(_is_well_formed(table)) | column.in_(repeated))

    def changed(scope: Scope) -> Query:
        same = change.c.row_key == sa.func.jsonb_build_object("id", table.c.id, type_=JSONB)
        if scope.staged_rows is not None:
            # Of the run that is writing: its changes are found by the key of the change log.
            same &= change.c.run_id.in_(sa.select(scope.staged_rows.c.run_id).distinct())
        before = change.c.before[column.name].astext
        logged = sa.and_(change.c.table_name == table.name, change.c.before.is_not(None), same)
        return (
            sa.select(table.c.id)
            .distinct()
            .select_from(change.join(table, logged))
            .where(before != column, in_partition(table, split_by, scope))
        )

    return [
        blocking(
            "numbers_unique_and_wellformed",
            "Printed numbers that are repeated, do not have their form or do not name their own row.",
            broken,
        ),
        blocking("numbers_read_only", "Printed numbers that are not what they were before a run.", changed),
    ]
