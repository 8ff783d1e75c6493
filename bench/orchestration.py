"""What orchestration costs: the Skynet sample end to end, less the time inside its steps; prints one JSON line."""

import json
import time

import sqlalchemy as sa

from migration.declare.run import engine_of
from migration.report import asset_lines
from migration.runs import Request, carry_through, load_location
from migration.settings import read_settings


def main() -> None:
    """Run the migration of the sample once and print wall seconds, seconds inside the steps, and assets."""
    settings = read_settings()
    location = load_location("skynet")
    started = time.perf_counter()
    (finished,) = carry_through(location, settings, Request(), lambda step, state: None)
    wall = time.perf_counter() - started
    log = location.system.books.run_log
    with engine_of(settings.database_url, settings).connect() as connection:
        lines = asset_lines(connection, location.system, log.c.run_id == finished.run_id)
        empty = connection.scalar(sa.select(sa.func.count()).where(log.c.run_id == finished.run_id))
    inside = sum(line.seconds for line in lines)
    print(json.dumps({"success": finished.success, "wall": wall, "inside": inside, "assets": len(lines), "log": empty}))


if __name__ == "__main__":
    main()
