"""The row ledger and the quarantine in the database: written with the rows they describe, only where they differ."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import sqlalchemy as sa

from migration.outcome import Outcome, Tally
from migration.warehouse.bookkeeping import Bookkeeping
from migration.warehouse.copying import copy_frame
from migration.warehouse.upsert import Upsert, create_stage

_REJECT_COLUMNS = (
    "export_id",
    "source_table",
    "source_row",
    "source_pk",
    "target_table",
    "reason_code",
    "detail",
    "raw",
)


@dataclass(frozen=True)
class OutcomeStages:
    """Temporary tables in which the outcomes of one asset and partition wait for the end of its transaction."""

    books: Bookkeeping
    export_id: str
    source_table: str
    run_id: str
    ledger: sa.Table
    rejected: sa.Table

    @classmethod
    def create(
        cls, connection: sa.Connection, books: Bookkeeping, *, export_id: str, source_table: str, run_id: str
    ) -> "OutcomeStages":
        """Create the stages in the connection's transaction."""
        ledger = create_stage(connection, list(books.ledger.columns), "row_ledger")
        rejected = create_stage(connection, [books.rejected.c[n] for n in _REJECT_COLUMNS], "rejected_row")
        return cls(books, export_id, source_table, run_id, ledger, rejected)

    def add(self, connection: sa.Connection, ledger: pd.DataFrame, rejects: pd.DataFrame) -> None:
        """Copy a batch of outcomes and rejected rows into the stages."""
        if len(ledger):
            of_run = self._of_run(ledger) | {"run_id": self.run_id}
            copy_frame(connection, self.ledger, list(self.books.ledger.columns), ledger.assign(**of_run))
        self.add_rejects(connection, rejects)

    def _of_run(self, rows: pd.DataFrame) -> dict[str, str]:
        """What rows do not say themselves; those of a target fed by several tables name theirs."""
        of_export = {"export_id": self.export_id}
        return of_export if "source_table" in rows else of_export | {"source_table": self.source_table}

    def add_rejects(self, connection: sa.Connection, rejects: pd.DataFrame) -> None:
        """Copy a batch of rejected rows into their stage, their outcomes being there already."""
        if len(rejects):
            of_run = self._of_run(rejects)
            columns = [self.books.rejected.c[n] for n in _REJECT_COLUMNS]
            copy_frame(connection, self.rejected, columns, rejects.assign(**of_run))

    def tally(self, connection: sa.Connection, source_rows: int) -> Tally:
        """The counts of what is staged."""
        stage = self.ledger
        loaded = stage.c.outcome == Outcome.LOADED.value
        counted = sa.select(stage.c.outcome, stage.c.reason, sa.func.count()).group_by(stage.c.outcome, stage.c.reason)
        tally = Tally(source_rows)
        for outcome, reason, rows in connection.execute(counted.where(sa.not_(loaded))):
            tally.outcomes[outcome] += rows
            if outcome != Outcome.MERGED.value:
                (tally.rejected_by if outcome == Outcome.REJECTED.value else tally.skipped_by)[reason] += rows
        tally.outcomes[Outcome.LOADED.value] = (
            connection.scalar(sa.select(sa.func.count()).select_from(stage).where(loaded)) or 0
        )
        codes = sa.func.unnest(sa.func.string_to_array(stage.c.reason, ",")).label("code")
        warned = sa.select(codes).where(loaded, stage.c.reason.is_not(None)).subquery("warned")
        for code, rows in connection.execute(sa.select(warned.c.code, sa.func.count()).group_by(warned.c.code)):
            tally.warnings[code] += rows
        return tally

    def write(self, connection: sa.Connection) -> None:
        """Write every staged outcome and rejected row, and remove rejected rows that no longer are."""
        self._write_ledger(connection)
        self._write_rejects(connection)
        connection.execute(self._no_longer_rejected())

    def write_rejects_only(self, connection: sa.Connection) -> None:
        """Write the rejected rows and their outcomes: all that a blocked asset publishes."""
        connection.execute(sa.delete(self.ledger).where(self.ledger.c.outcome != Outcome.REJECTED.value))
        self.write(connection)

    def forget_former(self, connection: sa.Connection, targets: Sequence[str], outcomes: Sequence[Outcome]) -> None:
        """Remove what an earlier run of the export found of rows of which this run does not find it.

        A step that labels only some of its rows would otherwise count those that it no longer labels.
        """
        of_ledger = self.books.ledger.c.outcome.in_([outcome.value for outcome in outcomes])
        self._forget_unstaged(connection, self.books.ledger, self.ledger, targets, of_ledger)
        if Outcome.REJECTED in outcomes:
            self._forget_unstaged(connection, self.books.rejected, self.rejected, targets, sa.true())

    def _forget_unstaged(
        self,
        connection: sa.Connection,
        table: sa.Table,
        stage: sa.Table,
        targets: Sequence[str],
        condition: sa.ColumnElement[bool],
    ) -> None:
        of_source = sa.and_(table.c.export_id == self.export_id, table.c.source_table == self.source_table)
        former = sa.select(table.c.source_row, table.c.target_table).where(
            of_source, table.c.target_table.in_(targets), condition
        )
        # A difference of sets, not an anti-join: its time does not hang on what the planner believes of the ledger.
        gone = sa.except_(former, sa.select(stage.c.source_row, stage.c.target_table)).subquery("gone")
        connection.execute(
            sa.delete(table).where(
                of_source, table.c.source_row == gone.c.source_row, table.c.target_table == gone.c.target_table
            )
        )

    def _write_ledger(self, connection: sa.Connection) -> None:
        ledger = self.books.ledger
        Upsert(ledger, self.ledger, list(ledger.columns), self.export_id, uncompared=frozenset({"run_id"})).run(
            connection, None, self.run_id
        )

    def _write_rejects(self, connection: sa.Connection) -> None:
        rejected = self.books.rejected
        keys = [rejected.c[n] for n in ("export_id", "source_table", "source_row", "target_table")]
        written = [rejected.c[n] for n in _REJECT_COLUMNS]
        Upsert(rejected, self.rejected, written, self.export_id, keys=keys).run(connection, None, self.run_id)

    def _no_longer_rejected(self) -> sa.Delete:
        rejected, stage = self.books.rejected, self.ledger
        return sa.delete(rejected).where(
            rejected.c.export_id == stage.c.export_id,
            rejected.c.source_table == stage.c.source_table,
            rejected.c.source_row == stage.c.source_row,
            rejected.c.target_table == stage.c.target_table,
            stage.c.outcome != Outcome.REJECTED.value,
        )
