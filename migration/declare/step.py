"""One step: what an asset does for one export and partition, in one transaction.

The order is always the same. Lock the table, stage, then inside a savepoint upsert, write the outcomes and measure the
blocking checks; if one of them is an error, the savepoint is rolled back and only the rejects and the run log remain.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from migration.checks import Check, Judgement, Scope, judge
from migration.declare.run import RunFacts
from migration.exports.reading import RawBatch, read_batches
from migration.exports.sources import SourceTable
from migration.exports.verify import Export
from migration.frames import FrameStore
from migration.outcome import Labelled, Outcome, Tally
from migration.tables import Query, frame_schema, loaded_columns
from migration.warehouse.bookkeeping import Bookkeeping
from migration.warehouse.copying import copy_arrow, to_arrow
from migration.warehouse.fingerprint import fingerprint_of
from migration.warehouse.ledger import OutcomeStages
from migration.warehouse.statistics import analyze, analyze_if_stale
from migration.warehouse.upsert import (
    Changes,
    Upsert,
    create_stage,
    delete_logged,
    replace_rows,
    update_from,
    update_logged,
)


@dataclass(frozen=True)
class StepReport:
    """What a step did, for metadata and the run's summary."""

    partition: str | None
    tally: Tally
    changes: Changes
    judgements: list[Judgement]
    blocked: bool
    fingerprint: str | None
    facts: dict[str, Any]
    seconds: float


@dataclass
class Step:
    """The workbench of one step: everything its function may touch.

    Attributes:
        run: the run that the step belongs to.
        books: the system's bookkeeping tables.
        export: the export that the run reads.
        frames: the staged frames as this run sees them.
        source: the source table that the step's rows come from, if it labels rows.
        further_sources: other source tables that feed the same target.
        partition: the partition, None for an unpartitioned asset.
        tally: counts of outcomes.
        changes: rows inserted, updated, deleted.
        facts: what the step wants to show beside its counts; numbers and short texts, no row values.
        apart: counts of rows that this step labels for a partitioned asset, because they are in no partition of it.
        tell: says in the run's log, and where the run is followed, how a long step gets on.
    """

    run: RunFacts
    books: Bookkeeping
    export: Export
    frames: FrameStore
    source: SourceTable | None
    further_sources: tuple[SourceTable, ...] = ()
    partition: str | None = None
    tally: Tally = field(default_factory=Tally)
    changes: Changes = field(default_factory=Changes)
    facts: dict[str, Any] = field(default_factory=dict)
    apart: dict[str, Tally] = field(default_factory=dict)
    tell: Callable[[str], None] = lambda text: None
    _connection: sa.Connection | None = None
    _outcomes: OutcomeStages | None = None
    _stages: dict[str, sa.Table] = field(default_factory=dict)
    _when_blocked: list[Callable[[], None]] = field(default_factory=list)

    @property
    def connection(self) -> sa.Connection:
        """The step's transaction."""
        if self._connection is None:
            raise RuntimeError("the step's transaction has not begun")
        return self._connection

    @cached_property
    def source_table(self) -> str:
        """The table of the export that is really read: the source's own, or the first fallback that is there."""
        return "" if self.source is None else table_read(self.export, self.source)

    @property
    def source_tables(self) -> tuple[str, ...]:
        """All tables of the export that feed the step's target."""
        return tables_read(self.export, self.source, self.further_sources)

    @property
    def outcomes(self) -> OutcomeStages:
        """The stages of the ledger and the quarantine."""
        if self._outcomes is None:
            self._outcomes = OutcomeStages.create(
                self.connection,
                self.books,
                export_id=self.export.export_id,
                source_table=self.source_table,
                run_id=self.run.run_id,
            )
        return self._outcomes

    def read(self, source: SourceTable) -> Iterator[RawBatch]:
        """The rows of a source table, batch by batch; other bytes than those verified raise.

        Raises:
            ExportError: the file is missing, changed since it was verified, or not readable.
        """
        return read_batches(self.export.file_for(source), source)

    def nothing(self) -> None:
        """What a step returns that has nothing to write inside the savepoint but its outcomes."""

    def count_rejects_of(self, target: sa.Table) -> None:
        """Add the rows that an earlier asset of this export rejected or skipped for the target to the tally."""
        ledger = self.books.ledger
        counted = sa.select(ledger.c.outcome, ledger.c.reason, sa.func.count()).where(
            ledger.c.export_id == self.export.export_id,
            ledger.c.source_table == self.source_table,
            ledger.c.target_table == target.name,
            ledger.c.outcome == Outcome.REJECTED.value,
        )
        for outcome, reason, rows in self.connection.execute(counted.group_by(ledger.c.outcome, ledger.c.reason)):
            self.tally.outcomes[outcome] += rows
            self.tally.rejected_by[reason] += rows

    def label(self, ledger: pd.DataFrame, rejects: pd.DataFrame) -> None:
        """Keep a batch of outcomes: in the stages for the ledger, and in the tally."""
        self.tally.add(ledger)
        self.outcomes.add(self.connection, ledger, rejects)

    def forget_former(self, targets: Sequence[str], *outcomes: Outcome) -> None:
        """Forget what an earlier run of this export found of rows, where this run has not labelled them so.

        For a step that labels only some of its rows, once it has labelled them all. It takes effect also where the
        step is then blocked, as what is rejected does.
        """
        self.outcomes.forget_former(self.connection, targets, outcomes)

    def count_apart(self, asset: str) -> Tally:
        """The counts that the run log gets for a partitioned asset under no partition, zeros to begin with."""
        return self.apart.setdefault(asset, Tally())

    def label_apart(self, asset: str, ledger: pd.DataFrame, rejects: pd.DataFrame) -> None:
        """Label rows that are in no partition of a partitioned asset; the run log counts them under no partition."""
        tally = self.count_apart(asset)
        tally.source_rows += len(ledger)
        tally.add(ledger)
        self.outcomes.add(self.connection, ledger, rejects)

    def tally_staged(self) -> None:
        """Take the counts of outcomes from what is staged for the ledger."""
        self.tally = self.outcomes.tally(self.connection, self.tally.source_rows)

    def copy_staged(self, table: sa.Table, stage: sa.Table, rows: pa.Table) -> None:
        """Copy parsed rows into a stage; those columns that the table takes as they are fit its pandera schema."""
        taken = [table.c[name] for name in rows.column_names if name in table.c]
        domains = frame_schema(taken, table.name, nulls_allowed=True)
        domains.validate(rows.select([c.name for c in taken]).to_pandas(types_mapper=pd.ArrowDtype))
        copy_arrow(self.connection, stage, list(stage.columns), rows)

    def create_stage(self, table: sa.Table, columns: Sequence[sa.Column[Any]]) -> sa.Table:
        """Create the stage of a table."""
        self._stages[table.name] = create_stage(self.connection, columns, table.name)
        return self._stages[table.name]

    def stage_of(self, table: sa.Table) -> sa.Table:
        """The stage of a table that this step has staged rows for."""
        return self._stages[table.name]

    def copy(
        self,
        table: sa.Table,
        stage: sa.Table,
        columns: Sequence[sa.Column[Any]],
        rows: pd.DataFrame,
        *,
        frozen: bool = False,
    ) -> None:
        """Copy rows into a table's stage (or the table itself), validated by the table's pandera schema first."""
        arrow = to_arrow(rows, columns)
        frame_schema(columns, table.name).validate(arrow.to_pandas(types_mapper=pd.ArrowDtype))
        copy_arrow(self.connection, stage, columns, arrow, frozen=frozen)

    def relabel(self, ledger: pd.DataFrame) -> None:
        """Give rows that were labelled as loaded another outcome, found out by set."""
        self.tally.outcomes[Outcome.LOADED.value] -= len(ledger)
        self.tally.add(ledger)
        stage = self.outcomes.ledger
        rows = sa.select(sa.func.unnest(sa.literal(ledger["source_row"].tolist(), sa.ARRAY(sa.BigInteger))))
        self.connection.execute(sa.delete(stage).where(stage.c.source_row.in_(rows)))
        self.outcomes.add(self.connection, ledger, ledger.iloc[:0])

    def on_block(self, undo: Callable[[], None]) -> None:
        """Register what takes back rows that were written before the savepoint, should the step be blocked."""
        self._when_blocked.append(undo)

    def upsert(
        self,
        table: sa.Table,
        stage: sa.Table,
        columns: Sequence[sa.Column[Any]],
        *,
        logged: bool = True,
        initial: Sequence[sa.Column[Any]] = (),
    ) -> None:
        """Upsert a stage into its table, logging every change unless the table is too large for a change log."""
        analyze(self.connection, stage)
        upsert = Upsert(table, stage, columns, self.export.export_id, initial=initial)
        changes = upsert.run(self.connection, self.books.change if logged else None, self.run.run_id)
        analyze_if_stale(self.connection, table, changes.inserted)
        self.changes += changes

    def count_inserted(self, rows: int) -> None:
        """Count rows that were copied straight into a table."""
        self.changes += Changes(inserted=rows)

    def gather(self, name: str, rows: "Query | sa.CompoundSelect[Any]") -> sa.Table:
        """Keep the rows of a statement in a temporary table of the transaction, under their columns' names."""
        columns = [sa.Column(column.name, column.type) for column in rows.selected_columns]
        stage = create_stage(self.connection, columns, name)
        self.connection.execute(sa.insert(stage).from_select([c.name for c in columns], rows, include_defaults=False))
        analyze(self.connection, stage)
        return stage

    def update_from(
        self, table: sa.Table, rows: sa.FromClause, columns: Sequence[sa.Column[Any]], *, logged: bool = False
    ) -> int:
        """Set columns that this step owns to computed values, where they differ; returns how many rows changed."""
        log = self.books.change if logged else None
        updated = update_from(self.connection, table, rows, columns, change_log=log, run_id=self.run.run_id)
        self.changes += Changes(updated=updated)
        return updated

    def replace(self, table: sa.Table, rows: sa.FromClause, scope: sa.ColumnElement[bool]) -> None:
        """Let a scope of a report hold just these rows."""
        self.changes += replace_rows(self.connection, table, rows, scope)

    def delete(self, table: sa.Table, condition: sa.ColumnElement[bool]) -> int:
        """Delete rows, logging each; returns how many."""
        gone = delete_logged(self.connection, table, condition, self.books.change, self.run.run_id)
        self.changes += gone
        return gone.deleted

    def update(self, table: sa.Table, values: dict[str, Any], condition: sa.ColumnElement[bool]) -> int:
        """Update rows, logging each; returns how many."""
        done = update_logged(self.connection, table, values, condition, self.books.change, self.run.run_id)
        self.changes += done
        return done.updated

    def beside(self) -> "Step":
        """A workbench for a transaction beside this one, for a step that commits in parts."""
        return Step(self.run, self.books, self.export, self.frames, self.source, self.further_sources, self.partition)

    def scope(self) -> Scope:
        """What the step's checks may look at."""
        return Scope(
            connection=self.connection,
            books=self.books,
            export=self.export,
            frames=self.frames,
            source_tables=self.source_tables,
            source_rows=self.tally.source_rows,
            partition=self.partition,
            staged_rows=self._outcomes.ledger if self._outcomes else None,
            options=self.run.options,
        )

    @contextmanager
    def transaction(self, lock: Callable[[sa.Connection], None]) -> Iterator[sa.Connection]:
        """Open the step's one transaction; a dry run's goes to the shadow schema."""
        with self.run.engine.begin() as connection:
            if self.run.dry_run:
                schema = self.books.run_log.schema
                connection = connection.execution_options(schema_translate_map={schema: f"{schema}__dry_run"})
            self._connection = connection
            lock(connection)
            try:
                yield connection
            finally:
                self._connection = None
                self._outcomes = None

    def write_and_audit(
        self, write: Callable[[], None], checks: Sequence[Check], *, may_block: bool
    ) -> tuple[list[Judgement], bool]:
        """Write inside a savepoint, measure the checks, and take the rows back if a blocking one is an error.

        Returns:
            What the checks found, and whether the step is blocked.
        """
        savepoint = self.connection.begin_nested()
        write()
        if self._outcomes is not None:
            self._outcomes.write(self.connection)
        scope = self.scope()
        judgements = [judge(check, scope) for check in checks]
        blocked = may_block and any(j.blocks for j in judgements)
        if blocked:
            savepoint.rollback()
            for undo in self._when_blocked:
                undo()
            self.changes = Changes()
            if self._outcomes is not None:
                self._outcomes.write_rejects_only(self.connection)
        else:
            savepoint.commit()
        return judgements, blocked

    def fingerprint(self, table: sa.Table, columns: Sequence[sa.Column[Any]], where: sa.ColumnElement[bool]) -> str:
        """The fingerprint of some columns of a table's rows."""
        return str(self.connection.scalar(fingerprint_of(table, columns, where)))


def stage_labelled(
    step: Step,
    table: sa.Table,
    batches: Iterable[Labelled],
    companions: Mapping[str, sa.Table],
) -> Callable[[], None]:
    """Stage labelled batches as they come; returns what upserts them, to be called inside the savepoint."""
    staged = [(each, loaded_columns(each)) for each in (table, *companions.values())]
    stages = {each.name: step.create_stage(each, columns) for each, columns in staged}
    for labelled in batches:
        step.label(labelled.ledger, labelled.rejects)
        for each, columns in staged:
            rows = labelled.rows if each is table else labelled.companions.get(each.name)
            if rows is not None and len(rows):
                step.copy(each, stages[each.name], columns, rows)

    def upsert() -> None:
        for each, columns in staged:
            step.upsert(each, stages[each.name], columns)

    return upsert


def table_read(export: Export, source: SourceTable) -> str:
    """The table of an export that a source is read from; its own name where an optional one is missing."""
    if not source.required and not export.has(source):
        return source.label
    return export.file_for(source).table


def tables_read(export: Export, source: SourceTable | None, further: Sequence[SourceTable]) -> tuple[str, ...]:
    """The tables of an export that a target is fed by."""
    return tuple(table_read(export, each) for each in (source, *further) if each is not None)


def elapsed(since: float) -> float:
    """Seconds since a monotonic instant."""
    return time.perf_counter() - since
