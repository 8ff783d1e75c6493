"""A tiny schema for tests of the core: parents and children with every kind of column, and the bookkeeping."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from migration.declare.system import System
from migration.tables import (
    at_least,
    loaded_columns,
    one_of,
    provenance,
    source_row,
    target,
    target_metadata,
    written_elsewhere,
)
from migration.warehouse.bookkeeping import bookkeeping
from migration.warehouse.copying import copy_frame
from migration.warehouse.ddl import ensure_schema
from migration.warehouse.upsert import Changes, Upsert, create_stage

metadata = target_metadata("tiny")
books = bookkeeping(metadata)

parents = target(
    "parents",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text),
    sa.Column("note", sa.Text, info=written_elsewhere()),
    sa.Column("shout", sa.Text, sa.Computed("upper(name)", persisted=True)),
    source_row(),
    *provenance(),
    comment="Parents",
)
children = target(
    "children",
    metadata,
    sa.Column("parent_id", sa.Integer, sa.ForeignKey("tiny.parents.id"), primary_key=True, autoincrement=False),
    sa.Column("month", sa.Date, primary_key=True),
    sa.Column("amount", sa.Numeric(14, 2), nullable=False, info=at_least(0)),
    sa.Column("status", sa.Text, info=one_of("new", "old")),
    sa.Column("seen_at", sa.DateTime(timezone=True)),
    sa.Column("tags", sa.ARRAY(sa.Text)),
    sa.Column("extra", JSONB(none_as_null=True)),
    *provenance(),
    comment="Children",
)

SYSTEM = System("tiny", metadata, books, ())


def parent(key: int, name: str | None, row: int = 1) -> dict[str, Any]:
    """A row of the parents."""
    return {"id": key, "name": name, "source_row": row}


@contextmanager
def opened(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction on a database that has the schema."""
    with engine.begin() as connection:
        ensure_schema(connection, metadata)
        yield connection


def load(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[dict[str, Any]],
    *,
    export: str = "e1",
    run: str = "r1",
    logged: bool = True,
) -> Changes:
    """Upsert rows into a table through a stage, as a step does."""
    columns = loaded_columns(table)
    stage = create_stage(connection, columns, table.name)
    frame = pd.DataFrame([{c.name: None for c in columns} | row for row in rows], dtype=object)
    if len(frame):
        copy_frame(connection, stage, columns, frame)
    changes = Upsert(table, stage, columns, export).run(connection, books.change if logged else None, run)
    connection.execute(sa.schema.DropTable(stage))
    return changes


def rows(connection: sa.Connection, statement: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    return [tuple(row) for row in connection.execute(sa.text(statement))]


def log_success(connection: sa.Connection, run: str, export: str = "e1", asset: str = "parents") -> None:
    """A line of the run log that says that an asset succeeded."""
    connection.execute(
        sa.insert(books.run_log).values(
            run_id=run,
            export_id=export,
            asset=asset,
            dry_run=False,
            started_at=sa.func.clock_timestamp(),
            finished_at=sa.func.clock_timestamp(),
            status="success",
        )
    )
