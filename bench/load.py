"""One measured load, in a process of its own: `python -m bench.load core|rerun|copy ROWS`; prints one JSON line."""

import gzip
import io
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any, Literal

import dagster as dg
import msgspec
import psycopg
import sqlalchemy as sa
from psycopg import sql

from bench.payments import BENCH, export, metadata, payments, records, table
from migration.automation import Automation, build_definitions, run_config
from migration.declare.run import engine_of
from migration.settings import read_settings
from migration.tables import loaded_columns
from migration.warehouse.copying import qualified
from migration.warehouse.ddl import build_after_bulk, drop_for_bulk, ensure_schema
from migration.warehouse.statistics import analyze

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_COLUMNS = [*(c.name for c in loaded_columns(table)), "first_export_id", "export_id"]


def write_export(rows: int) -> str:
    """Write the export of so many rows, once; gives its id."""
    folder = Path(str(read_settings().landing)) / BENCH.name / f"rows-{rows}"
    if not (folder / "_SUCCESS").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with gzip.open(folder / "payments.jsonl.gz", "wb", compresslevel=3) as file:
            for record in records(rows):
                file.write(msgspec.json.encode(record) + b"\n")
        (folder / "_SUCCESS").touch()
    return folder.name


def load_through_core(rows: int) -> dict[str, Any]:
    """Gzipped JSONL → rules → ledger → verified table, as a Dagster job; seconds by asset."""
    export_id = write_export(rows)
    job = dg.define_asset_job("bench_migration", "*")
    definitions = build_definitions(BENCH, [export, payments], Automation([job], [], []))
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def("bench_migration").execute_in_process(
            instance=instance, run_config=run_config({"export_id": export_id}) | _QUIET
        )
    seconds: dict[str, Any] = {}
    for event in result.all_events:
        if event.is_step_materialization:
            shown = event.step_materialization_data.materialization
            name = str(shown.asset_key.path[-1])
            seconds[name] = shown.metadata["asset_seconds"].value
            if name == "payments":
                seconds["loaded"] = shown.metadata["loaded"].value
                seconds["written"] = sum(int(str(shown.metadata[n].value)) for n in ("rows_inserted", "rows_updated"))
    return seconds


def load_by_copy(rows: int) -> dict[str, Any]:
    """The same rows, taken from the loaded table as CSV, by plain COPY into the same table, then its indexes."""
    settings = read_settings()
    engine = engine_of(settings.database_url, settings)
    content = _table_as_csv(engine, rows)
    empty()
    started = time.perf_counter()
    with engine.begin() as connection:
        drop_for_bulk(connection, table)
        raw: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
        with raw.cursor() as cursor, cursor.copy(_copy_statement(connection, "FROM STDIN")) as copy:
            while chunk := content.read(1 << 20):
                copy.write(chunk)
        build_after_bulk(connection, table)
        analyze(connection, table)
    return {"payments": time.perf_counter() - started}


def _copy_statement(connection: sa.Connection, direction: Literal["FROM STDIN", "TO STDOUT"]) -> sql.Composed:
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in _COLUMNS)
    return sql.SQL("COPY {} ({}) {} (FORMAT csv)").format(qualified(connection, table), columns, sql.SQL(direction))


def _table_as_csv(engine: sa.Engine, rows: int) -> io.BufferedReader:
    """The loaded rows as a CSV file beside the export, written once."""
    path = Path(str(read_settings().landing)) / BENCH.name / f"rows-{rows}" / "payments.copy"
    if not path.exists():
        with engine.connect() as connection, path.open("wb") as file:
            raw: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
            with raw.cursor() as cursor, cursor.copy(_copy_statement(connection, "TO STDOUT")) as copy:
                for chunk in copy:
                    file.write(chunk)
    return path.open("rb")


def empty() -> None:
    """Start from a schema without rows."""
    settings = read_settings()
    with engine_of(settings.database_url, settings).begin() as connection:
        metadata.drop_all(connection)
        ensure_schema(connection, metadata)


def main() -> None:
    """Run one measurement and print it."""
    what, rows = sys.argv[1], int(sys.argv[2])
    if what == "core":
        empty()
    measured = load_by_copy(rows) if what == "copy" else load_through_core(rows)
    measured["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
