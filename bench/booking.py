"""The Booking sample of the landing zone end to end, in a process of its own; prints one JSON line."""

import json
import resource
import time

import sqlalchemy as sa

from migration.declare.run import engine_of
from migration.declare.system import EXPORT_ASSET
from migration.report import asset_lines
from migration.runs import Request, carry_through, load_location
from migration.settings import read_settings


def main() -> None:
    """Carry the newest export through; print seconds, wall and inside the steps, rows read, and peak memory.

    `steps` are the seconds by asset; `row_seconds` what a source row took of them, from verification to the last check.
    """
    settings = read_settings()
    location = load_location("booking")
    started = time.perf_counter()
    stages = list(carry_through(location, settings, Request(), lambda step, state: None))
    wall = time.perf_counter() - started
    log = location.system.books.run_log
    with engine_of(settings.database_url, settings).connect() as connection:
        runs = log.c.run_id.in_([finished.run_id for finished in stages])
        lines = asset_lines(connection, location.system, runs)
        written = connection.scalar(sa.select(sa.func.sum(log.c.rows_affected)).where(runs))
    inside = sum(line.seconds for line in lines)
    rows = next(line.source_rows for line in lines if line.asset == EXPORT_ASSET)
    print(
        json.dumps(
            {
                "failures": {name: why for finished in stages for name, why in finished.failures.items()},
                "wall": wall,
                "inside": inside,
                "assets": len(lines),
                "rows": rows,
                "row_seconds": inside / rows,
                "written": int(written or 0),
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                "steps": {line.asset: line.seconds for line in lines},
            }
        )
    )


if __name__ == "__main__":
    main()
