"""The upsert: from a stage into a target table, writing only what differs and logging each change.

The difference is found first, by one join, so that an unchanged row costs no write at all, not even a dead tuple. The
change log is written by the same statement as the rows it describes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.schema import CreateTable

from migration.tables import Query, Role, business_columns, key_columns, role_of
from migration.warehouse.fingerprint import row_text

STAGE_PREFIX = "stage_"


def _text(value: str) -> sa.ColumnElement[str]:
    return sa.literal(str(value), sa.Text)


@dataclass(frozen=True)
class Changes:
    """How many rows of a target table a statement changed."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    def __add__(self, other: "Changes") -> "Changes":
        return Changes(self.inserted + other.inserted, self.updated + other.updated, self.deleted + other.deleted)


@cache
def _stage_table(columns: tuple[sa.Column[Any], ...], name: str) -> sa.Table:
    """One table object per stage, so that the statements built on it are compiled once."""
    return sa.Table(
        STAGE_PREFIX + name,
        sa.MetaData(),
        *(sa.Column(c.name, c.type) for c in columns),
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
    )


def create_stage(connection: sa.Connection, columns: Sequence[sa.Column[Any]], name: str) -> sa.Table:
    """Create a temporary table with these columns, dropped at the end of the transaction."""
    stage = _stage_table(tuple(columns), name)
    connection.execute(CreateTable(stage))
    return stage


def _same_key(left: sa.FromClause, right: sa.FromClause, keys: Sequence[sa.Column[Any]]) -> sa.ColumnElement[bool]:
    return sa.and_(*(left.c[k.name] == right.c[k.name] for k in keys))


def _differs(left: sa.FromClause, right: sa.FromClause, names: Sequence[str]) -> sa.ColumnElement[bool]:
    if not names:
        return sa.false()
    pair = [sa.func.row(*(side.c[n] for n in names)) for side in (left, right)]
    return pair[0].is_distinct_from(pair[1])


@dataclass(frozen=True)
class Upsert:
    """One upsert of a stage into its target.

    Attributes:
        target: the target table; its primary key decides what is the same row.
        stage: the temporary table that holds the incoming rows.
        written: the target columns that the stage brings.
        export_id: the export that the rows come from.
        keys: the columns that decide what is the same row; by default the primary key.
        uncompared: names of written columns whose difference alone is no reason to write.
        initial: target columns that the stage brings for new rows only.
    """

    target: sa.Table
    stage: sa.Table
    written: Sequence[sa.Column[Any]]
    export_id: str
    keys: Sequence[sa.Column[Any]] = ()
    uncompared: frozenset[str] = frozenset()
    initial: Sequence[sa.Column[Any]] = ()

    @property
    def _keys(self) -> Sequence[sa.Column[Any]]:
        return self.keys or key_columns(self.target)

    @property
    def _others(self) -> list[sa.Column[Any]]:
        names = {k.name for k in self._keys}
        return [c for c in self.written if c.name not in names]

    def _column(self, role: Role) -> sa.Column[Any] | None:
        return next((c for c in self.target.columns if role_of(c) is role), None)

    def _changed(self) -> sa.CTE:
        """The staged rows that are new, or differ from the target in anything that a load writes."""
        keys = self._keys
        compared = [c.name for c in self._others if c.name not in self.uncompared]
        differs = _differs(self.target, self.stage, compared)
        export = self._column(Role.EXPORT)
        if export is not None:
            differs = differs | (export != self.export_id)
        join = self.stage.outerjoin(self.target, _same_key(self.stage, self.target, keys))
        is_new = self.target.c[keys[0].name].is_(None)
        return sa.select(*self.stage.c).select_from(join).where(is_new | differs).cte("changed")

    def _insert(self, changed: sa.CTE) -> pg.Insert:
        names = [c.name for c in (*self.written, *self.initial)]
        values: list[sa.ColumnElement[Any]] = [changed.c[n] for n in names]
        for role in (Role.FIRST_EXPORT, Role.EXPORT, Role.WRITER):
            column = self._column(role)
            if column is not None:
                names.append(column.name)
                values.append(sa.literal(self.export_id))
        insert = pg.insert(self.target).from_select(names, sa.select(*values), include_defaults=False)
        return insert.on_conflict_do_update(index_elements=list(self._keys), set_=self._assignments(insert))

    def _assignments(self, insert: pg.Insert) -> dict[str, Any]:
        set_: dict[str, Any] = {c.name: insert.excluded[c.name] for c in self._others}
        export = self._column(Role.EXPORT)
        if export is not None:
            set_[export.name] = insert.excluded[export.name]
        names = [c.name for c in business_columns(self._others)]
        incoming = [insert.excluded[n] for n in names]
        differs = sa.func.row(*(self.target.c[n] for n in names)).is_distinct_from(sa.func.row(*incoming))
        writer, changed_at = self._column(Role.WRITER), self._column(Role.CHANGED_AT)
        if writer is not None:
            set_[writer.name] = sa.case((differs, insert.excluded[writer.name]), else_=writer) if names else writer
        if changed_at is not None:
            set_[changed_at.name] = sa.case((differs, sa.func.now()), else_=changed_at) if names else changed_at
        return set_ or {k.name: insert.excluded[k.name] for k in self._keys}

    def run(self, connection: sa.Connection, change_log: sa.Table | None, run_id: str) -> Changes:
        """Execute it.

        Args:
            connection: the step's transaction.
            change_log: where the changes are logged; None for a table that declares itself too large for it.
            run_id: the run that the changes are logged for.
        """
        changed = self._changed()
        insert = self._insert(changed)
        if change_log is None:
            written = insert.returning(sa.literal_column("(xmax = 0)").label("inserted")).cte("written")
            counted = written
        else:
            counted = self._logged(insert, changed, change_log, run_id)
        total = sa.select(sa.func.count(), sa.func.count().filter(counted.c.inserted)).select_from(counted)
        rows, inserted = connection.execute(total).one()
        return Changes(inserted=inserted, updated=rows - inserted)

    def _logged(self, insert: pg.Insert, changed: sa.CTE, change_log: sa.Table, run_id: str) -> sa.CTE:
        keys = self._keys
        before = (
            sa.select(*keys, row_json(self.target).label("before"))
            .select_from(self.target.join(changed, _same_key(self.target, changed, keys)))
            .cte("before")
        )
        after = sa.func.md5(row_text(list(self.target.columns))).label("after_md5")
        written = insert.returning(*keys, after).cte("written")
        join = written.outerjoin(before, _same_key(written, before, keys))
        rows = sa.select(
            _text(run_id),
            _text(self.target.name),
            key_json(written, keys),
            before.c.before,
            written.c.after_md5,
        ).select_from(join)
        return log_changes(change_log, rows).cte("logged")


def key_json(source: sa.FromClause, keys: Sequence[sa.Column[Any]]) -> sa.ColumnElement[Any]:
    """The key of a row as the change log holds it."""
    pairs = [part for k in keys for part in (_text(k.name), source.c[k.name])]
    return sa.func.jsonb_build_object(*pairs, type_=pg.JSONB)


def row_json(table: sa.Table) -> sa.ColumnElement[Any]:
    """A whole row as the change log holds it: every column that can be written."""
    parts: list[sa.ColumnElement[Any]] = []
    names = [c for c in table.columns if c.computed is None]
    for start in range(0, len(names), 50):
        pairs = [part for c in names[start : start + 50] for part in (_text(c.name), c)]
        parts.append(sa.func.jsonb_build_object(*pairs, type_=pg.JSONB))
    joined = parts[0]
    for part in parts[1:]:
        joined = joined.op("||")(part)
    return joined


def log_changes(change_log: sa.Table, rows: Query) -> Any:
    """An insert into the change log; a row that the same run changed before keeps its first `before`."""
    insert = pg.insert(change_log).from_select(
        ["run_id", "table_name", "row_key", "before", "after_md5"], rows, include_defaults=False
    )
    return insert.on_conflict_do_update(
        index_elements=[change_log.c.run_id, change_log.c.table_name, change_log.c.row_key],
        set_={"after_md5": insert.excluded.after_md5, "changed_at": sa.func.now()},
    ).returning(change_log.c.before.is_(None).label("inserted"))


def delete_logged(
    connection: sa.Connection,
    target: sa.Table,
    condition: sa.ColumnElement[bool],
    change_log: sa.Table,
    run_id: str,
) -> Changes:
    """Delete the rows that a condition selects, each with its image in the change log."""
    keys = key_columns(target)
    gone = sa.delete(target).where(condition).returning(*keys, row_json(target).label("before")).cte("gone")
    rows = sa.select(
        _text(run_id),
        _text(target.name),
        key_json(gone, keys),
        gone.c.before,
        sa.cast(sa.null(), sa.Text),
    ).select_from(gone)
    logged = log_changes(change_log, rows).cte("logged")
    return Changes(deleted=connection.scalar(sa.select(sa.func.count()).select_from(logged)) or 0)


def update_logged(
    connection: sa.Connection,
    target: sa.Table,
    values: dict[str, Any],
    condition: sa.ColumnElement[bool],
    change_log: sa.Table,
    run_id: str,
) -> Changes:
    """Update the rows that a condition selects, each with its earlier image in the change log."""
    keys = key_columns(target)
    before = sa.select(*keys, row_json(target).label("before")).where(condition).cte("before")
    update = sa.update(target).where(condition).values(values)
    logged = _logged_update(update, before, target, change_log, run_id)
    return Changes(updated=connection.scalar(sa.select(sa.func.count()).select_from(logged)) or 0)


def update_from(
    connection: sa.Connection,
    target: sa.Table,
    rows: sa.FromClause,
    columns: Sequence[sa.Column[Any]],
    *,
    change_log: sa.Table | None = None,
    run_id: str = "",
) -> int:
    """Give rows of a table the values that other rows have for them, where they differ; returns how many it changed.

    Without a change log such columns are put back by computing or resetting them: they follow from the others.

    Args:
        connection: the step's transaction.
        target: the table.
        rows: its key and the new values, under the columns' names, at most one row per key.
        columns: the columns to set.
        change_log: where each row's earlier image is kept, if it is.
        run_id: the run that the changes are logged for.
    """
    names = [c.name for c in columns]
    keys = key_columns(target)
    changing = sa.and_(_same_key(target, rows, keys), _differs(target, rows, names))
    update = sa.update(target).where(changing).values({name: rows.c[name] for name in names})
    if change_log is None:
        return connection.execute(update).rowcount
    before = sa.select(*keys, row_json(target).label("before")).select_from(target.join(rows, changing)).cte("before")
    logged = _logged_update(update, before, target, change_log, run_id)
    return connection.scalar(sa.select(sa.func.count()).select_from(logged)) or 0


def _logged_update(update: sa.Update, before: sa.CTE, target: sa.Table, change_log: sa.Table, run_id: str) -> sa.CTE:
    """The changes that an update makes, put into the change log by the same statement."""
    keys = key_columns(target)
    after = sa.func.md5(row_text(list(target.columns))).label("after_md5")
    written = update.returning(*keys, after).cte("written")
    rows = sa.select(
        _text(run_id),
        _text(target.name),
        key_json(written, keys),
        before.c.before,
        written.c.after_md5,
    ).select_from(written.join(before, _same_key(written, before, keys)))
    return log_changes(change_log, rows).cte("logged")


def replace_rows(
    connection: sa.Connection, target: sa.Table, rows: sa.FromClause, scope: sa.ColumnElement[bool]
) -> Changes:
    """Let a scope of a table hold just these rows: others go, and only what differs is written.

    Args:
        connection: the step's transaction.
        target: the table; a row of the same key outside the scope is taken over.
        rows: what the scope is to hold, under the columns' names.
        scope: which rows of the table are replaced.
    """
    keys = key_columns(target)
    wanted = sa.select(sa.literal(1)).select_from(rows).where(_same_key(target, rows, keys)).exists()
    gone = connection.execute(sa.delete(target).where(scope, sa.not_(wanted))).rowcount
    names = list(rows.c.keys())
    others = [name for name in names if name not in {k.name for k in keys}]
    insert = pg.insert(target).from_select(names, sa.select(*rows.c), include_defaults=False)
    current = sa.func.row(*(target.c[n] for n in others))
    incoming = sa.func.row(*(insert.excluded[n] for n in others))
    upsert = insert.on_conflict_do_update(
        index_elements=keys, set_={n: insert.excluded[n] for n in others}, where=current.is_distinct_from(incoming)
    )
    written = connection.execute(upsert, execution_options={"preserve_rowcount": True}).rowcount
    return Changes(inserted=written, deleted=gone)
