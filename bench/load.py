"""One measured load, in a process of its own: `python -m bench.load core|rerun|copy ROWS`; prints one JSON line."""

import gzip
import json
import resource
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec

from bench.copying import seconds_by_copy, table_as_csv
from bench.payments import BENCH, export, metadata, payments, records, table
from migration.automation import Automation, build_definitions, run_config
from migration.declare.run import engine_of
from migration.settings import read_settings
from migration.tables import loaded_columns
from migration.warehouse.ddl import ensure_schema

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
    path = Path(str(settings.landing)) / BENCH.name / f"rows-{rows}" / "payments.copy"
    content = table_as_csv(engine, table, _COLUMNS, path)
    empty()
    return {"payments": seconds_by_copy(engine, table, _COLUMNS, content)}


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
