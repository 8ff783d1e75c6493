"""Checks that compare with figures of the legacy system, which only the staged frames hold."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from billing_assets.checks.counting import NONE, Failing, warning
from migration.checks import (
    Check,
    Scope,
    at_most,
)
from migration.tables import Query
from migration.warehouse.copying import copy_frame
from migration.warehouse.statistics import analyze
from migration.warehouse.upsert import STAGE_PREFIX, create_stage

CENT_DRIFT, BILL_DRIFT = Decimal("0.01"), Decimal("0.05")


def beside(scope: Scope, name: str, frame: str, columns: Sequence[sa.Column[Any]], **renamed: str) -> sa.Table:
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


LEGACY_ID = sa.Column("id", sa.BigInteger)
FIGURE = sa.Column("legacy", sa.Numeric(15, 2))
BILL_TABLE = sa.Column("bill_table", sa.Text)


def drift(
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
        return warning(name, description, lambda _: found, whole, past=past).measure(scope)  # type: ignore[return-value]

    # The keys are asked for after the count, in the same transaction.
    staged = sa.table(STAGE_PREFIX + name, *(sa.column(c.name, c.type) for c in (BILL_TABLE, LEGACY_ID, FIGURE)))
    limits = NONE if past is None else at_most(share=past)
    return Check(name, description, measure, warn=limits, keys=lambda _: failing(staged))


def amount_drift(
    name: str, description: str, frame: str, figure: str, column: sa.Column[Any], tolerated: Decimal
) -> Check:
    """Rows of a table whose amount is further from the legacy figure than is tolerated, past 1 % of those loaded."""
    table: Any = column.table

    def failing(stage: sa.FromClause) -> Query:
        differs = sa.func.abs(column - stage.c.legacy) > tolerated
        return sa.select(table.c.id).select_from(table.join(stage, stage.c.id == table.c.id)).where(differs)

    def stage(scope: Scope) -> sa.Table:
        return beside(scope, name, frame, (LEGACY_ID, FIGURE), **{figure: "legacy"})

    return drift(name, description, stage, failing, of_export(table), past="0.01")


def of_export(*loaded: sa.Table) -> Failing:
    """The rows of tables that the export of the run has loaded."""

    def rows(scope: Scope) -> Query:
        each = [sa.select(table.c.id).where(table.c.export_id == scope.export.export_id) for table in loaded]
        return each[0] if len(each) == 1 else sa.select(*sa.union_all(*each).subquery("loaded").c)

    return rows
