"""One measurement of Dental's notifications, in a process of its own: `python -m bench.dental WHAT ROWS`.

Prints one JSON line. `prepare` writes the generated export; `ours` carries its notifications into an empty schema, by
the real assets; `copy` brings the rows that it has left by plain COPY into the same table, emptied; `pandas` writes
rows of the same file by `to_sql` for a minute.
"""

import gzip
import itertools
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa

from bench.copying import seconds_by_copy, table_as_csv
from bench.dental_rows import NOTIFICATION, write_export
from dental_assets import tables
from dental_assets.assets import DENTAL
from migration.declare.run import engine_of
from migration.report import asset_lines
from migration.runs import Finished, Request, carry_through, load_location
from migration.settings import Settings, read_settings

CHUNKS, TABLE = tables.notification_chunks.name, tables.notifications
PANDAS_SECONDS = 60
PANDAS_ROWS = 10_000


def load_through_assets(settings: Settings, engine: sa.Engine, rows: int) -> dict[str, Any]:
    """Gzipped JSON lines → chunks → partitions → verified table; the recipients are there already."""
    export_id = write_export(settings.landing, rows)
    with engine.begin() as connection:
        DENTAL.metadata.drop_all(connection)
    carry(settings, export_id, DENTAL.export_name, "profiles")
    started = time.perf_counter()
    finished = carry(settings, export_id, CHUNKS, TABLE.name)
    wall = time.perf_counter() - started
    log = DENTAL.books.run_log
    with engine.connect() as connection:
        lines = asset_lines(connection, DENTAL, log.c.run_id.in_([run.run_id for run in finished]))
        loaded = connection.scalar(sa.select(sa.func.count()).select_from(TABLE))
    return {
        "wall": wall,
        "steps": {line.asset: line.seconds for line in lines},
        "runs": len(finished),
        "rows": rows,
        "loaded": loaded,
    }


def prepare(settings: Settings, engine: sa.Engine, rows: int) -> dict[str, Any]:
    """Write the export, in a process of its own, so that its memory is not taken for that of the migration."""
    return {"export": write_export(settings.landing, rows)}


def carry(settings: Settings, export_id: str, *assets: str) -> list[Finished]:
    """Carry assets of an export through, as `migrate run` does."""
    request = Request({"export_id": export_id}, only=assets)
    finished = list(carry_through(load_location(DENTAL.name), settings, request, lambda step, state: None))
    failures = [f"{run.partition} {name}: {why}" for run in finished for name, why in run.failures.items()]
    if failures:
        sys.exit("\n".join(failures))
    return finished


def load_by_copy(settings: Settings, engine: sa.Engine, rows: int) -> dict[str, Any]:
    """The rows that the assets have left, by plain COPY into the same table, then its keys and indexes."""
    columns = [column.name for column in TABLE.columns]
    path = Path(str(settings.landing)) / DENTAL.name / f".rows-{rows}.copy"
    path.unlink(missing_ok=True)
    content = table_as_csv(engine, TABLE, columns, path)
    with engine.begin() as connection:
        before = connection.scalar(sa.select(sa.func.count()).select_from(TABLE))
        connection.execute(sa.text(f"TRUNCATE {TABLE}"))
    wall = seconds_by_copy(engine, TABLE, columns, content)
    with engine.connect() as connection:
        if connection.scalar(sa.select(sa.func.count()).select_from(TABLE)) != before:
            sys.exit("COPY has not brought the same rows.")
    return {"wall": wall}


def load_by_pandas(settings: Settings, engine: sa.Engine, rows: int) -> dict[str, Any]:
    """Rows of the same file by `to_sql`, as texts into a table without keys, for a minute or to the file's end."""
    path = Path(str(settings.landing)) / DENTAL.name / write_export(settings.landing, rows) / f"{NOTIFICATION}.jsonl.gz"
    written, started = 0, time.perf_counter()
    with gzip.open(path, "rt", encoding="utf-8") as file:
        while (lines := list(itertools.islice(file, PANDAS_ROWS))) and time.perf_counter() - started < PANDAS_SECONDS:
            records = [record for record in map(json.loads, lines) if isinstance(record, dict)]
            frame = pd.DataFrame(records, dtype=object).map(_as_text)
            frame.to_sql("by_pandas", engine, if_exists="append" if written else "replace", index=False)
            written += len(lines)
    return {"wall": time.perf_counter() - started, "rows": written}


def _as_text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def main() -> None:
    """Run one measurement and print it."""
    what, rows = sys.argv[1], int(sys.argv[2])
    settings = read_settings()
    measurements = {"prepare": prepare, "ours": load_through_assets, "copy": load_by_copy, "pandas": load_by_pandas}
    measured = measurements[what](settings, engine_of(settings.database_url, settings), rows)
    measured["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
