"""COPY: frames to the server, through Arrow's CSV writer and psycopg, the fastest exact way measured."""

import io
from collections.abc import Sequence
from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.csv as pa_csv
import sqlalchemy as sa
from psycopg import sql

from migration.tables import arrow_schema

_WRITE_OPTIONS = pa_csv.WriteOptions(include_header=False)


def to_arrow(frame: pd.DataFrame, columns: Sequence[sa.Column[Any]]) -> pa.Table:
    """A frame as an Arrow table of the columns' types.

    Raises:
        pa.ArrowInvalid: a value does not fit its column exactly (a decimal with too many digits, a float as money).
    """
    schema = arrow_schema(columns)
    columns_in_order = [_array(frame[field.name], field.type) for field in schema]
    return pa.Table.from_arrays(columns_in_order, schema=schema)


def _array(series: pd.Series, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if series.dtype != object:
        if pd.api.types.is_float_dtype(series.dtype) and series.notna().any():
            raise pa.ArrowInvalid(f"column {series.name}: a float where {kind} is declared")
        array = pa.array(series, from_pandas=True)
        return array if array.type == kind else array.cast(kind)
    if pa.types.is_string(kind):
        series = series.map(str, na_action="ignore")
    return pa.array(series, type=kind, from_pandas=True)


def copy_frame(
    connection: sa.Connection, table: sa.Table, columns: Sequence[sa.Column[Any]], frame: pd.DataFrame
) -> None:
    """COPY a frame into a table; see `copy_arrow`."""
    copy_arrow(connection, table, columns, to_arrow(frame, columns))


def copy_arrow(
    connection: sa.Connection,
    table: sa.Table,
    columns: Sequence[sa.Column[Any]],
    rows: pa.Table,
    *,
    frozen: bool = False,
) -> None:
    """COPY rows into a table, inside the connection's transaction.

    Args:
        connection: decides the transaction and, by its schema translation, the schema.
        table: where to.
        columns: the columns that the rows bring, in their order.
        rows: what `to_arrow` gives.
        frozen: the table was truncated in this transaction, so its rows can be marked as seen by all at once.
    """
    raw: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    names = sql.SQL(", ").join(sql.Identifier(c.name) for c in columns)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, FREEZE {})").format(
        qualified(connection, table), names, sql.Literal(frozen)
    )
    with raw.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(_csv(rows))


def _csv(table: pa.Table) -> bytes | memoryview:
    sink = io.BytesIO()
    # Where a column begins with an empty chunk, as `pd.concat` leaves it, Arrow 26 writes garbage before the rows.
    pa_csv.write_csv(table.combine_chunks(), sink, _WRITE_OPTIONS)
    return sink.getbuffer()


def qualified(connection: sa.Connection, table: sa.Table) -> sql.Identifier:
    """A table's name as psycopg quotes it, in the schema that the connection translates its own to."""
    translation = connection.get_execution_options().get("schema_translate_map") or {}
    schema = translation.get(table.schema, table.schema)
    return sql.Identifier(schema, table.name) if schema else sql.Identifier(table.name)
