"""Plain COPY, to compare with: a table's rows as a CSV file, and the same rows back into the empty table."""

import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import psycopg
import sqlalchemy as sa
from psycopg import sql

from migration.warehouse.copying import qualified
from migration.warehouse.ddl import build_after_bulk, drop_for_bulk
from migration.warehouse.statistics import analyze


def table_as_csv(engine: sa.Engine, table: sa.Table, columns: Sequence[str], path: Path) -> io.BufferedReader:
    """A table's rows as a CSV file, written once."""
    if not path.exists():
        with engine.connect() as connection, path.open("wb") as file:
            raw: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
            with raw.cursor() as cursor, cursor.copy(_statement(connection, table, columns, "TO STDOUT")) as copy:
                for chunk in copy:
                    file.write(chunk)
    return path.open("rb")


def seconds_by_copy(engine: sa.Engine, table: sa.Table, columns: Sequence[str], content: io.BufferedReader) -> float:
    """How long COPY of a file into an empty table takes, with its keys, indexes and statistics."""
    started = time.perf_counter()
    with engine.begin() as connection:
        drop_for_bulk(connection, table)
        raw: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
        with raw.cursor() as cursor, cursor.copy(_statement(connection, table, columns, "FROM STDIN")) as copy:
            while chunk := content.read(1 << 20):
                copy.write(chunk)
        build_after_bulk(connection, table)
        analyze(connection, table)
    return time.perf_counter() - started


def _statement(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], direction: Literal["FROM STDIN", "TO STDOUT"]
) -> sql.Composed:
    names = sql.SQL(", ").join(sql.Identifier(name) for name in columns)
    return sql.SQL("COPY {} ({}) {} (FORMAT csv)").format(qualified(connection, table), names, sql.SQL(direction))
