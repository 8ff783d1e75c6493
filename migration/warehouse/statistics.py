"""Planner statistics: kept true inside a run, because what a run loads it also joins before autovacuum has looked."""

from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql

from migration.warehouse.copying import qualified

_FEW_ROWS = 500
_STALE_SHARE = 0.2


def analyze(connection: sa.Connection, table: sa.Table) -> None:
    """Refresh the statistics of a table, inside the transaction; documents are slow, and never joined by."""
    raw: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    names = sql.SQL(", ").join(sql.Identifier(c.name) for c in table.columns if not isinstance(c.type, sa.JSON))
    raw.execute(sql.SQL("ANALYZE {} ({})").format(qualified(connection, table), names))


def analyze_if_stale(connection: sa.Connection, table: sa.Table, rows_written: int) -> None:
    """Refresh the statistics of a table when a step has written a good part of it."""
    if rows_written < _FEW_ROWS:
        return
    name = qualified(connection, table).as_string()
    known = connection.scalar(sa.text("SELECT reltuples FROM pg_class WHERE oid = to_regclass(:name)"), {"name": name})
    if known is None or rows_written > _STALE_SHARE * known:
        analyze(connection, table)
