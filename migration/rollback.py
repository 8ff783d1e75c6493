"""Rollback: what a run changed is put back from the change log, in one transaction, and the result is proved.

Rows that somebody changed since the run stop the rollback with their keys, unless it is forced. A table may name rows
that stay whatever happens (`keep_on_rollback` in its info), such as those a person has completed by hand, and columns
whose values stay in rows that are restored (`kept_columns`). A report, or another table that is written without a
change log and says of each row which export it is about, names the asset that its rows go with (`goes_with`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError

from migration.errors import MigrationError
from migration.tables import Role, key_columns, role_of
from migration.warehouse.ddl import ensure_schema, lock_for_transaction
from migration.warehouse.fingerprint import fingerprint_of, row_text
from migration.warehouse.runlog import Status
from migration.warehouse.upsert import key_json

if TYPE_CHECKING:
    from migration.declare.system import System

KEYS_SHOWN = 10
ASSET = "rollback"
KEEP = "keep_on_rollback"
KEPT_COLUMNS = "kept_columns"
BULK = "bulk"
GOES_WITH = "goes_with"


class RollbackRefused(MigrationError):
    """Rows were changed since, or there is nothing to roll back."""


@dataclass(frozen=True)
class RollbackRequest:
    """What to roll back.

    Attributes:
        run_id: one run; empty with `export_id`.
        export_id: all runs of an export; empty with `run_id`.
        force: also overwrite rows that were changed since.
        by_run: the run that asks, for the run log.
    """

    run_id: str
    export_id: str
    force: bool
    by_run: str


@dataclass
class RollbackReport:
    """What a rollback did: per table the rows deleted, restored and inserted again, and how it was proved."""

    runs: list[str]
    restored: dict[str, dict[str, int]] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    proofs: list[dict[str, str | None]] = field(default_factory=list)

    @property
    def proved(self) -> bool:
        """Whether every table has the fingerprint it had before."""
        return all(proof["expected"] in (None, proof["actual"]) for proof in self.proofs)

    def metadata(self) -> dict[str, Any]:
        """For Dagster and the CLI."""
        return {
            "runs": self.runs,
            "restored": self.restored,
            "kept": self.kept,
            "proved": self.proved,
            "fingerprints": self.proofs,
        }


def roll_back(engine: sa.Engine, system: "System", request: RollbackRequest) -> RollbackReport:
    """Restore what was there before a run, or before all runs of an export.

    Raises:
        RollbackRefused: nothing to roll back, or rows were changed since and `force` is not set.
    """
    with engine.begin() as connection:
        ensure_schema(connection, system.metadata)
        runs = _runs(connection, system, request)
        if system.has_independent_partitions:
            lock_for_transaction(connection, system.name)
        for table in system.metadata.sorted_tables:
            lock_for_transaction(connection, f"{system.name}.{table.name}")
        report = RollbackReport(runs)
        with _foreign_keys_checked_last(connection, system):
            for run_id in runs:
                _undo(connection, system, run_id, request.force, report)
            if system.derive_again is not None:
                system.derive_again(connection, runs)
        report.proofs = _proofs(connection, system, runs)
        _close_log(connection, system, runs, request)
        if not report.proved and not report.kept and not request.force:
            raise RollbackRefused(
                "The restored tables do not have the fingerprints they had before; nothing was changed.",
                "Somebody wrote to them outside of any run: look at `migrate report`, or force the rollback.",
            )
        return report


@contextmanager
def _foreign_keys_checked_last(connection: sa.Connection, system: "System") -> Iterator[None]:
    """Let rows point nowhere until all is restored: a row may be gone before those that point to it are put back.

    Raises:
        RollbackRefused: in the end a row still points to one that is gone.
    """
    keys = [key for table in system.metadata.sorted_tables for key in table.foreign_key_constraints]
    _alter(connection, keys, "DEFERRABLE INITIALLY DEFERRED")
    yield
    try:
        connection.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
    except IntegrityError as error:
        table = error.orig.diag.table_name if isinstance(error.orig, psycopg.Error) else None
        raise RollbackRefused(
            f"Rows of {table} that other runs wrote point to rows that would go; nothing was changed.",
            "Roll back the later run first.",
        ) from None
    _alter(connection, keys, "NOT DEFERRABLE")


def _alter(connection: sa.Connection, keys: Sequence[sa.ForeignKeyConstraint], how: str) -> None:
    quoted = connection.dialect.identifier_preparer
    for key in keys:
        table, name = quoted.format_table(key.table), quoted.format_constraint(key)
        connection.execute(sa.text(f"ALTER TABLE {table} ALTER CONSTRAINT {name} {how}"))


def _undoable(log: sa.Table) -> sa.ColumnElement[bool]:
    """The lines of the run log that a rollback may undo."""
    return sa.and_(log.c.dry_run.is_(False), log.c.asset != ASSET, log.c.status != Status.ROLLED_BACK.value)


def _runs(connection: sa.Connection, system: "System", request: RollbackRequest) -> list[str]:
    """The runs to roll back, newest first."""
    log = system.books.run_log
    wanted = log.c.run_id == request.run_id if request.run_id else log.c.export_id == request.export_id
    started = sa.func.max(log.c.started_at)
    found = connection.scalars(
        sa.select(log.c.run_id).where(wanted, _undoable(log)).group_by(log.c.run_id).order_by(started.desc())
    ).all()
    if not found:
        raise RollbackRefused(
            f"There is no live run {request.run_id or 'of export ' + request.export_id} of {system.name}.",
            "`migrate status` lists the runs.",
        )
    return list(found)


def _undo(connection: sa.Connection, system: "System", run_id: str, force: bool, report: RollbackReport) -> None:
    change = system.books.change
    touched = set(connection.scalars(sa.select(change.c.table_name).where(change.c.run_id == run_id).distinct()))
    tables = [t for t in system.metadata.sorted_tables if t.name in touched]
    undos = [_TableUndo(connection, table, change, run_id) for table in tables]
    if not force:
        _refuse_if_changed(undos, run_id)
    for table in _bulk_tables(connection, system, run_id):
        report.restored.setdefault(table.name, {"deleted": 0, "restored": 0, "inserted": 0})["deleted"] += _delete_bulk(
            connection, system, table, run_id, force
        )
    for table in system.metadata.sorted_tables:
        if GOES_WITH in table.info:
            _delete_with_asset(connection, system.books.run_log, table, run_id)
    for undo in reversed(undos):
        counts = report.restored.setdefault(undo.table.name, {"deleted": 0, "restored": 0, "inserted": 0})
        counts["deleted"] += undo.delete_inserted()
        kept = undo.count_kept()
        if kept:
            report.kept[undo.table.name] = report.kept.get(undo.table.name, 0) + kept
    for undo in undos:
        report.restored[undo.table.name]["inserted"] += undo.insert_deleted()
        report.restored[undo.table.name]["restored"] += undo.restore_updated()
    connection.execute(sa.delete(change).where(change.c.run_id == run_id))


def _bulk_tables(connection: sa.Connection, system: "System", run_id: str) -> list[sa.Table]:
    """The tables without a change log that a run has loaded."""
    log = system.books.run_log
    ran = set(
        connection.scalars(sa.select(log.c.asset).where(log.c.run_id == run_id, log.c.status == Status.SUCCESS.value))
    )
    targets = [each.target for each in system.declarations.values() if each.name in ran and each.target is not None]
    return [table for table in targets if table.info.get(BULK)]


def _delete_bulk(connection: sa.Connection, system: "System", table: sa.Table, run_id: str, force: bool) -> int:
    """Delete what an export brought to a table without a change log.

    Raises:
        RollbackRefused: the export also updated rows of earlier ones, which nothing can put back.
    """
    log = system.books.run_log
    exports = sa.select(log.c.export_id).where(log.c.run_id == run_id)
    writer = next((c for c in table.columns if role_of(c) is Role.WRITER), None)
    if writer is not None:
        return _delete_written(connection, system, table, run_id, writer.in_(exports))
    first, last = (next(c for c in table.columns if role_of(c) is role) for role in (Role.FIRST_EXPORT, Role.EXPORT))
    updated = connection.scalar(sa.select(sa.func.count()).where(last.in_(exports), first.not_in(exports))) or 0
    if updated and not force:
        raise RollbackRefused(
            f"{updated} rows of {table.name} were there before and have no earlier image: the table has no change log.",
            "Load the earlier export again instead, or force the rollback to delete only the rows that were new.",
        )
    return connection.execute(sa.delete(table).where(first.in_(exports))).rowcount


def _delete_written(
    connection: sa.Connection, system: "System", table: sa.Table, run_id: str, of_export: sa.ColumnElement[bool]
) -> int:
    """Delete what a run has copied into a table that logs no copied rows: rows that no run of the export has logged."""
    log, change, keys = system.books.run_log, system.books.change, key_columns(table)
    of_table = [each for each in system.declarations.values() if each.target is table]
    ran = sa.select(log.c.partition).where(log.c.run_id == run_id, log.c.asset.in_([each.name for each in of_table]))
    partitions = connection.scalars(ran).all()
    mine = sa.or_(sa.false(), *(each.of_partition(partition) for each in of_table for partition in partitions))
    logged = sa.select(sa.literal(1)).where(
        change.c.table_name == table.name, change.c.row_key == key_json(table, keys)
    )
    return connection.execute(sa.delete(table).where(of_export, mine, sa.not_(logged.exists()))).rowcount


def _delete_with_asset(connection: sa.Connection, log: sa.Table, table: sa.Table, run_id: str) -> None:
    """Delete the rows of a table that go with an asset: those about the export, and the partition, that a run ran."""
    ran = sa.and_(log.c.run_id == run_id, log.c.asset == table.info[GOES_WITH], log.c.export_id == table.c.export_id)
    if "partition_key" in table.c:
        ran = sa.and_(ran, sa.or_(log.c.partition.is_(None), log.c.partition == table.c.partition_key))
    connection.execute(sa.delete(table).where(sa.select(sa.literal(1)).where(ran).exists()))


def _refuse_if_changed(undos: Sequence["_TableUndo"], run_id: str) -> None:
    changed = [f"{undo.table.name} {key}" for undo in undos for key in undo.changed_since()]
    if changed:
        raise RollbackRefused(
            f"Rows were changed since run {run_id}: {', '.join(changed[:KEYS_SHOWN])}.",
            "Roll back the later run first, or force the rollback to lose those changes.",
        )


@dataclass(frozen=True)
class _TableUndo:
    """Undoing what one run did to one table."""

    connection: sa.Connection
    table: sa.Table
    change: sa.Table
    run_id: str

    @property
    def _mine(self) -> sa.ColumnElement[bool]:
        return (self.change.c.run_id == self.run_id) & (self.change.c.table_name == self.table.name)

    @property
    def _same_key(self) -> sa.ColumnElement[bool]:
        keys = key_columns(self.table)
        return sa.and_(*(k == sa.cast(self.change.c.row_key[k.name].astext, k.type) for k in keys))

    @property
    def _kept(self) -> sa.ColumnElement[bool]:
        keep = self.table.info.get(KEEP)
        return sa.false() if keep is None else keep

    def changed_since(self) -> list[str]:
        """Keys of rows that are no longer as the run left them."""
        after = sa.func.md5(row_text(list(self.table.columns)))
        join = self.change.outerjoin(self.table, self._same_key)
        present = key_columns(self.table)[0].is_not(None)
        now = sa.case((present, after))
        rows = self.connection.execute(
            sa.select(self.change.c.row_key)
            .select_from(join)
            .where(
                self._mine, now.is_distinct_from(self.change.c.after_md5), sa.not_(sa.func.coalesce(self._kept, False))
            )
            .limit(KEYS_SHOWN)
        )
        names = [key.name for key in key_columns(self.table)]
        return [" ".join(str(row.row_key[name]) for name in names) for row in rows]

    def delete_inserted(self) -> int:
        """Delete the rows that the run inserted."""
        gone = sa.delete(self.table).where(
            self._mine, self._same_key, self.change.c.before.is_(None), sa.not_(self._kept)
        )
        return self.connection.execute(gone).rowcount

    def count_kept(self) -> int:
        """Inserted rows that stay because somebody has completed them."""
        if KEEP not in self.table.info:
            return 0
        kept = sa.select(sa.func.count()).where(self._mine, self._same_key, self.change.c.before.is_(None), self._kept)
        return self.connection.scalar(kept) or 0

    def restore_updated(self) -> int:
        """Give the rows that the run updated their earlier values."""
        columns = [c for c in self.table.columns if c.computed is None and not c.primary_key]
        keep = self.table.info.get(KEPT_COLUMNS, ())
        restored = (
            sa.update(self.table)
            .where(self._mine, self._same_key, self.change.c.before.is_not(None), self.change.c.after_md5.is_not(None))
            .values({c.name: self._before(c) for c in columns if c.name not in keep})
        )
        return self.connection.execute(restored).rowcount

    def insert_deleted(self) -> int:
        """Insert the rows that the run deleted."""
        columns = [c for c in self.table.columns if c.computed is None]
        gone = self.change.c.after_md5.is_(None) & self.change.c.before.is_not(None)
        rows = sa.select(*(self._before(c) for c in columns)).where(self._mine, gone)
        insert = sa.insert(self.table).from_select([c.name for c in columns], rows, include_defaults=False)
        return self.connection.execute(insert, execution_options={"preserve_rowcount": True}).rowcount

    def _before(self, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
        """A column of the row's earlier image, in its own type."""
        image = self.change.c.before[column.name]
        if isinstance(column.type, JSONB):
            return sa.func.nullif(image, sa.cast(sa.literal("null"), JSONB(none_as_null=True)))
        if isinstance(column.type, sa.ARRAY):
            elements = sa.func.jsonb_array_elements_text(image).table_valued("value")
            array = sa.cast(sa.func.array(sa.select(elements.c.value).scalar_subquery()), column.type)
            return sa.case((sa.func.jsonb_typeof(image) == "array", array))
        return sa.cast(image.astext, column.type)


def _close_log(connection: sa.Connection, system: "System", runs: Sequence[str], request: RollbackRequest) -> None:
    """Say in the run log that the runs are undone, and so is every later success that only confirmed them."""
    log, ledger, change = system.books.run_log, system.books.ledger, system.books.change
    assets = sa.select(log.c.asset).where(log.c.run_id.in_(runs))
    wrote_itself = sa.select(sa.literal(1)).where(change.c.run_id == log.c.run_id).exists()
    first = (
        sa.select(log.c.export_id, sa.func.min(log.c.started_at).label("since"))
        .where(log.c.run_id.in_(runs))
        .group_by(log.c.export_id)
        .subquery("first")
    )
    confirmed = sa.and_(
        log.c.export_id == first.c.export_id,
        log.c.started_at >= first.c.since,
        log.c.dry_run.is_(False),
        log.c.asset.in_(assets),
        sa.or_(log.c.run_id.in_(runs), sa.not_(wrote_itself)),
    )
    rolled_back = connection.execute(
        sa.update(log).where(confirmed).values(status=Status.ROLLED_BACK.value).returning(log.c.export_id)
    ).scalars()
    exports = sorted(set(rolled_back))
    connection.execute(sa.delete(ledger).where(ledger.c.run_id.in_(runs), ledger.c.outcome != "rejected"))
    connection.execute(
        sa.insert(log).values(
            run_id=request.by_run,
            export_id=",".join(exports),
            asset=ASSET,
            dry_run=False,
            started_at=sa.func.now(),
            finished_at=sa.func.clock_timestamp(),
            status=Status.SUCCESS.value,
        )
    )


def _proofs(connection: sa.Connection, system: "System", runs: Sequence[str]) -> list[dict[str, str | None]]:
    """For each asset and partition of the runs: the fingerprint before them, and the one now."""
    log = system.books.run_log
    steps = connection.execute(
        sa.select(log.c.asset, log.c.partition, sa.func.min(log.c.started_at).label("since"))
        .where(log.c.run_id.in_(runs), log.c.fingerprint.is_not(None), _undoable(log))
        .group_by(log.c.asset, log.c.partition)
        .order_by(log.c.asset, log.c.partition)
    ).all()
    proofs: list[dict[str, str | None]] = []
    for asset, partition, since in steps:
        declaration = system.declarations.get(asset)
        if declaration is None or declaration.target is None:
            continue
        before = connection.scalar(
            sa.select(log.c.fingerprint)
            .where(
                log.c.asset == asset,
                log.c.partition.is_not_distinct_from(partition),
                log.c.started_at < since,
                log.c.status == Status.SUCCESS.value,
                log.c.fingerprint.is_not(None),
            )
            .order_by(log.c.finished_at.desc())
            .limit(1)
        )
        actual = connection.scalar(
            fingerprint_of(declaration.target, declaration.columns, declaration.of_partition(partition))
        )
        expected = None if before is None else str(before)
        proofs.append({"asset": asset, "partition": partition, "expected": expected or "0:0", "actual": str(actual)})
    return proofs
