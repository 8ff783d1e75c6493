"""How the checks of billing count violations, and the checks that every table has."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import sqlalchemy as sa

from billing_assets import tables
from billing_assets.months import in_month, outside_range, taken_at
from migration.checks import (
    Check,
    Limits,
    Scope,
    at_most,
    conservation,
    in_partition,
    none_of,
    orphans,
)
from migration.tables import Query, SplitBy, key_columns
from migration.warehouse.runlog import Status

Failing = Callable[[Scope], Query]

NONE = none_of("violations")


# --- how violations are counted ---------------------------------------------------------------------------------------


def _count_of(failing: Query) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count()).select_from(failing.subquery()).scalar_subquery()


def blocking(name: str, description: str, failing: Failing) -> Check:
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
        error=NONE,
        blocking=True,
        keys=failing,
    )


def warning(
    name: str, description: str, failing: Failing, whole: Failing | None = None, *, past: str | None = None
) -> Check:
    """A check that warns: of any violation, or past a share of the rows of a statement."""

    def measure(scope: Scope) -> Query:
        violations = _count_of(failing(scope))
        if whole is None:
            return sa.select(violations.label("violations"))
        share = sa.cast(violations, sa.Numeric) / sa.func.nullif(_count_of(whole(scope)), 0)
        return sa.select(violations.label("violations"), share.label("share"))

    limits: Limits = NONE if past is None else at_most(share=past)
    return Check(name, description, measure, warn=limits, keys=failing)


def as_violations(check: Check, *measures: str) -> Check:
    """A check that every table has, its measures also added up as `violations`."""

    def measure(scope: Scope) -> Query:
        measured = check.measure(scope)
        assert not isinstance(measured, pd.DataFrame)  # noqa: S101 - those checks are statements
        found = measured.subquery("found")
        total = sa.func.abs(found.c[measures[0]])
        for name in measures[1:]:
            total = total + sa.func.abs(found.c[name])
        return sa.select(*found.c, total.label("violations"))

    return replace(check, measure=measure, error=NONE)


# --- checks that every table has --------------------------------------------------------------------------------------


def _key_check(table: sa.Table, split_by: SplitBy | None) -> Check:
    key = key_columns(table)[0]

    def failing(scope: Scope) -> Query:
        here = in_partition(table, split_by, scope)
        return sa.select(key).where(here).group_by(key).having((sa.func.count() > 1) | key.is_(None))

    return blocking(f"{table.name}_pk_unique_not_null", f"Ids of {table.name} that are repeated or missing.", failing)


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


def of_table(table: sa.Table, split_by: SplitBy | None = None, *, loaded: bool = True) -> list[Check]:
    """The checks that every table has, under the names of this system."""
    found: list[Check] = []
    if loaded:
        conserved = conservation(f"{table.name}_conservation", table, split_by=split_by)
        found.append(as_violations(conserved, "unaccounted", "target_difference"))
    found.append(replace(_key_check(table, split_by), kind="key"))
    if table.foreign_keys:
        found.append(as_violations(orphans(f"{table.name}_orphans", table, split_by=split_by), "orphans"))
    if loaded:
        found.append(_reject_rate(table))
    return found


def staging(table: sa.Table, frame: str) -> tuple[Check, ...]:
    """The check of a staging asset: no row of the file is lost on its way into the staged frame."""

    def measure(scope: Scope) -> pd.DataFrame:
        kept = sum(scope.frames.parts(frame).values())
        others = labelled(scope, frame)
        lost = abs(scope.source_rows - kept - others)
        return one(violations=lost, source_rows=scope.source_rows, staged=kept, labelled=others)

    return (
        Check(
            f"{frame}_conservation",
            f"Every row of the file is staged for {table.name}, merged, rejected or skipped.",
            measure,
            error=NONE,
            blocking=True,
        ),
    )


def labelled(scope: Scope, asset: str) -> int:
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


def one(**measures: Any) -> pd.DataFrame:
    """Measures that were taken outside the database."""
    return pd.DataFrame([measures], dtype=object)


def of_month(scope: Scope, column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """The condition that a day is in the month that is about to be published; always true for the whole table."""
    return sa.true() if scope.partition is None else in_month(column, scope.partition)


def dates_outside_range(day: sa.Column[Any]) -> Check:
    """The check that no row of a table is dated outside the months that are expected."""
    table: Any = day.table
    month = sa.func.to_char(day, "YYYY-MM")
    return warning(
        "dates_outside_range",
        "Rows dated before the partitions begin, or more than 13 months after the export; each with its month.",
        lambda scope: sa.select(table.c.id, month).where(outside_range(day, taken_at(scope.export))),
    )
