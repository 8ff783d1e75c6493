"""Measured checks: a statement or a staged frame gives a small frame of measures, pandera judges it.

A check costs one statement whatever the table's size, and its limits are declarations that the UI and the docs show.
Two limits are possible: past the first it warns, past the second it is an error; an error of a blocking check keeps the
asset's rows from being published. What comes into a check's metadata are counts and the first ten failing keys, never a
row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

import pandas as pd
import pandera.pandas as pandera
import sqlalchemy as sa
from pandera.errors import SchemaErrors

from migration.exports.verify import Export
from migration.frames import FrameStore
from migration.tables import Query, Role, SplitBy, key_columns, role_of, rows_of_partitions
from migration.warehouse.bookkeeping import Bookkeeping

KEYS_SHOWN = 10
Limits = dict[str, pandera.Check]


@dataclass(frozen=True)
class Scope:
    """What a check may look at.

    Attributes:
        connection: the step's transaction, so that a check sees what is about to be published.
        books: the system's bookkeeping tables.
        export: the export of the run.
        frames: the staged frames of the run.
        source_tables: the tables of the export that the asset's rows come from.
        source_rows: independent count of the records that were to be labelled.
        partition: the partition that is about to be published; None = the whole table.
        staged_rows: the ledger stage of the transaction; None when nothing is being written.
        options: the options of the run.
        partitions: of independent partitions, those that the asset has published; None = there are no such.
    """

    connection: sa.Connection
    books: Bookkeeping
    export: Export
    frames: FrameStore
    source_tables: tuple[str, ...]
    source_rows: int
    partition: str | None = None
    staged_rows: sa.Table | None = None
    options: Any = None
    partitions: tuple[str, ...] | None = None

    def fetch(self, statement: Query) -> pd.DataFrame:
        """The rows of a statement as a frame of objects: numbers stay exact."""
        result = self.connection.execute(statement)
        return pd.DataFrame(result.all(), columns=list(result.keys()), dtype=object)


Measure = Callable[[Scope], "Query | pd.DataFrame"]


@dataclass(frozen=True)
class Check:
    """One measured check.

    Attributes:
        name: as the UI and the docs show it.
        description: what is measured, and why it matters.
        measure: gives the measures: one row, or one per channel, table or month.
        warn: limits past which the check warns, per measure.
        error: limits past which the check is an error, per measure.
        blocking: an error keeps the asset's rows from being published.
        kind: which of the checks that every target table has this one is, if it is one of them.
        keys: statement of the keys that fail.
    """

    name: str
    description: str
    measure: Measure
    warn: Limits = field(default_factory=dict)
    error: Limits = field(default_factory=dict)
    blocking: bool = False
    kind: Literal["conservation", "key", "orphans"] | None = None
    keys: Callable[[Scope], "Query | list[str]"] | None = None

    def limits_text(self) -> str:
        """The limits in words, for metadata and docs."""
        parts = [
            f"{level}: {measure} {limit.error}" for level, limits in self._levels() for measure, limit in limits.items()
        ]
        return "; ".join(parts) or "reported only"

    def _levels(self) -> list[tuple[str, Limits]]:
        return [("WARN past", self.warn), ("ERROR past", self.error)]


@dataclass(frozen=True)
class Judgement:
    """What a check found.

    Attributes:
        check: the check.
        measures: the frame of measures.
        level: None = passed, else `WARN` or `ERROR`.
        keys: the first failing keys.
    """

    check: Check
    measures: pd.DataFrame
    level: str | None
    keys: list[str]

    @property
    def passed(self) -> bool:
        """Whether no limit was passed."""
        return self.level is None

    @property
    def blocks(self) -> bool:
        """Whether the asset's rows must not be published."""
        return self.level == "ERROR" and self.check.blocking


def judge(check: Check, scope: Scope) -> Judgement:
    """Measure a check and hold the measures against its limits; an empty measure passes."""
    measured = check.measure(scope)
    measures = measured if isinstance(measured, pd.DataFrame) else scope.fetch(measured)
    level = None
    if not within(measures, check.error):
        level = "ERROR"
    elif not within(measures, check.warn):
        level = "WARN"
    return Judgement(check, measures, level, [] if level is None else _failing_keys(check, scope))


def within(measures: pd.DataFrame, limits: Limits) -> bool:
    """Whether every measure is inside its limits; pandera is the judge, a missing measure passes."""
    if not limits or measures.empty:
        return True
    columns = {name: pandera.Column(checks=limit, nullable=True) for name, limit in limits.items()}
    try:
        pandera.DataFrameSchema(columns).validate(measures, lazy=True)
    except SchemaErrors:
        return False
    return True


def _failing_keys(check: Check, scope: Scope) -> list[str]:
    if check.keys is None:
        return []
    found = check.keys(scope)
    if isinstance(found, list):
        return found[:KEYS_SHOWN]
    return [" ".join(str(part) for part in row) for row in scope.connection.execute(found.limit(KEYS_SHOWN))]


def at_most(**bounds: str | int) -> Limits:
    """Limits: each measure at most so much."""
    return {name: pandera.Check.le(Decimal(str(b)), error=f"above {b}") for name, b in bounds.items()}


def at_least(**bounds: str | int) -> Limits:
    """Limits: each measure at least so much."""
    return {name: pandera.Check.ge(Decimal(str(b)), error=f"below {b}") for name, b in bounds.items()}


def none_of(*measures: str) -> Limits:
    """Limits: each measure is zero."""
    return {name: pandera.Check.eq(0, error="other than 0") for name in measures}


def share(part: sa.ColumnElement[bool], whole: sa.ColumnElement[bool] | None = None) -> sa.ColumnElement[Any]:
    """The share of rows for which a condition holds, as an exact number; NULL where there are no rows."""
    counted = sa.func.count() if whole is None else sa.func.count().filter(whole)
    matching = part if whole is None else sa.and_(part, whole)
    return sa.cast(sa.func.count().filter(matching), sa.Numeric) / sa.func.nullif(counted, 0)


def in_partition(table: sa.Table, split_by: SplitBy | None, scope: Scope) -> sa.ColumnElement[bool]:
    """The condition that a row of a table is in the scope's partition, or in one of its partitions.

    Where partitions are conditions, all of them together are the whole table, rows in none of them too.
    """
    if split_by is None or (scope.partition is None and scope.partitions is None):
        return sa.true()
    if scope.partition is not None:
        return rows_of_partitions(table, split_by, (scope.partition,))
    return rows_of_partitions(table, split_by, scope.partitions or ()) if isinstance(split_by, str) else sa.true()


def conservation(
    name: str,
    target: sa.Table,
    *,
    split_by: SplitBy | None = None,
    ledger_of_loaded: bool = True,
    derived: sa.ColumnElement[bool] | None = None,
) -> Check:
    """Source = loaded + merged + rejected + skipped, from three counts that share no code.

    The ledger says what became of each row, the records of the file were counted by themselves, and what the target
    holds of this export is counted by SQL.

    Args:
        name: name of the check.
        target: the target table.
        split_by: how the rows of the target are split into partitions.
        ledger_of_loaded: False for a table whose ledger holds only rows that were not plainly loaded.
        derived: which rows of the target come from no source row of their own; they are counted apart.
    """

    def measure(scope: Scope) -> Query:
        counts = _ledger_counts(scope, target).cte("counts")
        here = in_partition(target, split_by, scope)
        held = _of_export(target, scope, here if derived is None else sa.and_(here, sa.not_(derived)))
        extra = [] if derived is None else [_of_export(target, scope, sa.and_(here, derived)).label("derived_rows")]
        loaded = counts.c.loaded if ledger_of_loaded else held
        others = counts.c.merged + counts.c.rejected + counts.c.skipped
        return sa.select(
            sa.literal(scope.source_rows).label("source_rows"),
            loaded.label("loaded"),
            *(counts.c[outcome] for outcome in ("merged", "rejected", "skipped")),
            held.label("target_rows"),
            *extra,
            (sa.literal(scope.source_rows) - loaded - others).label("unaccounted"),
            (loaded - held).label("target_difference"),
        )

    return Check(
        name,
        "Every source row has exactly one outcome, and the table holds as many rows of this export as were loaded.",
        measure,
        error=none_of("unaccounted", "target_difference"),
        blocking=True,
        kind="conservation",
    )


def _of_export(target: sa.Table, scope: Scope, condition: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    """How many rows of a table that meet a condition are of the export.

    Where a row names the export that last changed it, and not the last that held it, the keys in the ledger tell.
    """
    roles = {role_of(c): c for c in target.columns}
    rows = sa.select(sa.func.count())
    if Role.WRITER not in roles:
        mine = roles[Role.EXPORT] == scope.export.export_id if Role.EXPORT in roles else sa.true()
        return rows.select_from(target).where(mine, condition).scalar_subquery()
    ledger = scope.books.ledger
    same = ledger.c.target_key == sa.cast(key_columns(target)[0], sa.Text)
    there = sa.select(sa.literal(1)).select_from(target).where(same, condition).exists()
    loaded = sa.and_(
        ledger.c.export_id == scope.export.export_id,
        ledger.c.target_table == target.name,
        ledger.c.outcome == "loaded",
    )
    return rows.select_from(ledger).where(loaded, there).scalar_subquery()


def _ledger_counts(scope: Scope, target: sa.Table) -> Query:
    ledger = scope.books.ledger
    statement = sa.select(
        *(
            sa.func.count().filter(ledger.c.outcome == outcome).label(outcome)
            for outcome in ("loaded", "merged", "rejected", "skipped")
        )
    ).where(
        ledger.c.export_id == scope.export.export_id,
        ledger.c.target_table == target.name,
    )
    return statement.where(sa.or_(sa.false(), *(_of_source(scope, target, table) for table in scope.source_tables)))


def _of_source(scope: Scope, target: sa.Table, source_table: str) -> sa.ColumnElement[bool]:
    """The ledger rows of one source table: all, or those of the partition that is being written."""
    ledger, stage = scope.books.ledger, scope.staged_rows
    mine = ledger.c.source_table == source_table
    if scope.partition is None or stage is None:
        return mine
    # As an array the rows go into the ledger's index, however little the planner knows of a ledger that grows.
    staged = stage.c.source_table == source_table
    rows = sa.select(stage.c.source_row).where(stage.c.target_table == target.name, staged).scalar_subquery()
    return mine & (ledger.c.source_row == sa.any_(sa.type_coerce(sa.func.array(rows), sa.ARRAY(sa.BigInteger))))


def unique(
    name: str,
    target: sa.Table,
    columns: Sequence[str] | None = None,
    *,
    split_by: SplitBy | None = None,
    among: sa.ColumnElement[bool] | None = None,
) -> Check:
    """No two rows share the columns (by default the primary key).

    Args:
        name: name of the check.
        target: the target table.
        columns: the columns; None = the primary key.
        split_by: how the rows of the target are split into partitions.
        among: which rows count; None = all.
    """
    by = [target.c[n] for n in columns] if columns else key_columns(target)

    def repeated(scope: Scope) -> Query:
        here = sa.and_(in_partition(target, split_by, scope), sa.true() if among is None else among)
        return sa.select(*by).where(here).group_by(*by).having(sa.func.count() > 1)

    return Check(
        name,
        f"No two rows of {target.name} share {', '.join(c.name for c in by)}.",
        lambda scope: sa.select(sa.func.count().label("duplicates")).select_from(repeated(scope).subquery()),
        error=none_of("duplicates"),
        blocking=True,
        kind=None if columns else "key",
        keys=repeated,
    )


def orphans(
    name: str,
    target: sa.Table,
    columns: Sequence[str] | None = None,
    *,
    split_by: SplitBy | None = None,
    counts: Callable[[sa.FromClause], sa.ColumnElement[bool]] = lambda rows: sa.true(),
) -> Check:
    """Every declared foreign key of the table, or of some columns, finds its parent row.

    Args:
        name: name of the check.
        target: the target table.
        columns: the columns of the foreign keys; None = all.
        split_by: how the rows of the target are split into partitions.
        counts: says of the rows of a table, of the target as of a parent, which ones count; by default all.
    """
    named = [key for key in target.foreign_keys if columns is None or key.parent.name in columns]
    keys = sorted(named, key=lambda key: key.parent.name)

    def dangling(key: sa.ForeignKey, scope: Scope) -> Query:
        parent = key.column.table.alias("parent")
        join = target.outerjoin(parent, sa.and_(key.parent == parent.c[key.column.name], counts(parent)))
        missing = sa.and_(key.parent.is_not(None), parent.c[key.column.name].is_(None), counts(target))
        return sa.select(*key_columns(target)).select_from(join).where(missing, in_partition(target, split_by, scope))

    def measure(scope: Scope) -> Query:
        counts = [
            sa.select(sa.func.count()).select_from(dangling(key, scope).subquery()).scalar_subquery() for key in keys
        ]
        total = counts[0]
        for count in counts[1:]:
            total = total + count
        return sa.select(total.label("orphans"))

    parents = ", ".join(f"{key.parent.name} in {key.column.table.name}" for key in keys)
    return Check(
        name,
        f"Every row of {target.name} finds its parents: {parents}.",
        measure,
        error=none_of("orphans"),
        blocking=True,
        kind="orphans",
        keys=lambda scope: sa.union_all(*(dangling(key, scope) for key in keys)),  # type: ignore[arg-type,return-value]
    )


def derived_checks(
    target: sa.Table, declared: Sequence[Check], *, split_by: SplitBy | None = None, ledger_of_loaded: bool = True
) -> tuple[Check, ...]:
    """The checks that a target table's declaration implies, less those that are declared under another name.

    Args:
        target: the target table.
        declared: the asset's own checks.
        split_by: how the rows of the target are split into partitions.
        ledger_of_loaded: False for a table whose ledger holds only rows that were not plainly loaded.
    """
    name, kinds = target.name, {check.kind for check in declared}
    implied = [
        conservation(f"{name}_conservation", target, split_by=split_by, ledger_of_loaded=ledger_of_loaded),
        unique(f"{name}_key_unique", target, split_by=split_by),
    ]
    if target.foreign_keys:
        implied.append(orphans(f"{name}_orphans", target, split_by=split_by))
    return tuple(check for check in implied if check.kind not in kinds)
