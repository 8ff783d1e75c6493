"""Rows that have passed, on their way into a table: their warnings, the numbers that never change, stage and write."""

from collections.abc import Iterable, Sequence

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from billing_assets.assets.reading import NO_REJECTS, Lookup, key_text
from billing_assets.parsing.account_numbers import NumberKind
from billing_assets.parsing.problem import Problem
from billing_assets.parsing.rows import warnings_of
from migration.declare.asset import Write
from migration.declare.resolving import PROBLEM
from migration.declare.step import Step
from migration.outcome import Labelled, Outcome, label
from migration.tables import Role, loaded_columns, role_of


def unreadable(rows: pd.DataFrame, column: str) -> pd.Series:
    """Whether something was given that cannot be read."""
    return rows[f"{column}{PROBLEM}"].eq(Problem.UNPARSEABLE.value)


def package_orphans(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """The warning of rows whose package is given and leads nowhere, for tables that have packages."""
    if "package_id" not in rows:
        return {}
    return {"package_orphans": rows["package_id"].isna() & rows[f"package{PROBLEM}"].ne(Problem.BLANK.value)}


def with_warnings(rows: pd.DataFrame, **flags: pd.Series) -> pd.DataFrame:
    """The rows with their warning codes as column `warnings`."""
    return rows.assign(warnings=warnings_of(flags, rows.index))


def numbered(
    rows: pd.DataFrame, column: str, kind: NumberKind, names: pd.Series, days: pd.Series | None = None
) -> tuple[pd.DataFrame, pd.Series]:
    """Rows with their printed numbers: the legacy ones that may be kept, new ones for the others.

    Returns:
        The rows, and whether a legacy number was given that is not kept.
    """
    kept = kind.legacy(rows[column], rows["id"])
    regenerated = kept.isna() & rows[column].notna()
    return rows.assign(**{column: kept.fillna(kind.generated(names, rows["id"], days))}), regenerated


def with_known_numbers(rows: pd.DataFrame, column: str, known: Lookup) -> pd.DataFrame:
    """Rows whose number is the one that is in the target, where there is one: a printed number never changes."""
    return rows.assign(**{column: known.of(rows["id"]).fillna(rows[column])})


def known_numbers(step: Step, table: sa.Table, column: str, ids: pd.Series | None = None) -> Lookup:
    """The numbers in a target table, of all rows or of those with these ids."""
    statement = sa.select(table.c.id, table.c[column])
    if ids is not None:
        wanted = sa.literal(ids.astype("int64").tolist(), sa.ARRAY(sa.BigInteger))
        statement = statement.where(table.c.id == sa.any_(wanted))
    return Lookup.read(step, statement, pa.string())


def as_loaded(table: sa.Table, rows: pd.DataFrame) -> Labelled:
    """Rows that are all loaded, with their outcomes."""
    ledger = label(table.name, rows, Outcome.LOADED, reason=rows["warnings"], target_key=key_text(rows["id"]))
    return Labelled(rows, ledger)


def merged_or_loaded(table: sa.Table, rows: pd.DataFrame, survivors: pd.Series) -> pd.DataFrame:
    """The ledger of rows of which some are merged into others.

    Args:
        table: the target table.
        rows: rows that passed; `id` is the key of the target.
        survivors: the key of the row that each ends in, same index.
    """
    own = survivors.eq(rows["id"]).astype(bool)
    outcome = own.map({True: Outcome.LOADED.value, False: Outcome.MERGED.value})
    return label(table.name, rows, outcome, reason=rows["warnings"].where(own), target_key=key_text(survivors))


def staged(step: Step, table: sa.Table, batches: Iterable[Labelled], initial: Sequence[str] = ()) -> Write:
    """Stage labelled rows as they come; returns what upserts them.

    Args:
        step: the bench.
        table: the target table.
        batches: the rows and their outcomes.
        initial: columns that a later step owns, of which new rows get a first value.
    """
    first = [table.c[name] for name in initial]
    stage = step.create_stage(table, [*loaded_columns(table), *first])
    for labelled in batches:
        step.label(labelled.ledger, NO_REJECTS)
        if len(labelled.rows):
            step.copy(table, stage, [*loaded_columns(table), *first], labelled.rows)

    def upsert() -> None:
        step.upsert(table, stage, loaded_columns(table), initial=first)
        if any(role_of(column) is Role.EXPORT for column in table.columns):
            count_absent(step, table)

    return upsert


def count_absent(step: Step, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> None:
    """Count the rows of a table that this export no longer has; they stay."""
    absent = sa.select(sa.func.count()).where(table.c.export_id != step.export.export_id, *conditions)
    step.facts["absent_from_export"] = step.connection.scalar(absent) or 0


def in_turn(*writes: Write) -> Write:
    """One write that does several after each other."""

    def write() -> None:
        for each in writes:
            each()

    return write
