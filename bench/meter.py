"""One measurement of Meter, in a process of its own: `python -m bench.meter prepare|ours|by_hand|load SIZE`.

Prints one JSON line. `prepare` fills a database of the embedded server; `ours` and `by_hand` each carry the five steps
out on a copy of it, for all tenants one after the other. `load` loads the generated export that is in the landing zone.
"""

import sys
import time
from collections import defaultdict
from pathlib import Path

import psycopg
from psycopg import ClientCursor

from bench.databases import (
    Measured,
    Statements,
    as_libpq,
    engine_for,
    keep_still,
    lines_of,
    make_database,
    print_measured,
    require_success,
    server_cpu_seconds,
    url_of,
)
from bench.meter_rows import EXPORT_ID, fill, note_export, settle
from meter_assets import tables
from meter_assets.assets import METER, STEPS
from migration.runs import Finished, Request, carry_through, load_location
from migration.settings import read_settings
from migration.tables import business_columns
from migration.warehouse.fingerprint import fingerprint_of

BY_HAND = Path(__file__).with_name("meter_by_hand.sql")
MEASURED = "measured"
RESULTS = (
    *tables.LOADED,
    tables.customer_balances_backup,
    tables.meter_id_review,
    tables.invoice_amount_discrepancy,
    tables.validation_discrepancy,
)


def prepare(payments: int) -> Measured:
    """Fill a database, in which every tenant passes, and leave it as vacuumed as a server does by and by."""
    keep_still()
    filled = f"filled_{payments}"
    make_database(filled)
    with engine_for(filled) as engine:
        fill(engine, payments)
    make_database(MEASURED, filled)
    carry_out_by_hand()
    with engine_for(filled) as engine, engine_for(MEASURED) as computed:
        settle(engine, computed)
    with psycopg.connect(as_libpq(url_of(filled)), autocommit=True) as connection:
        connection.execute("VACUUM FULL meter.customers")
        connection.execute("VACUUM ANALYZE")
    note_export(read_settings())
    return {}


# --- the steps --------------------------------------------------------------------------------------------------------


def carry_out_ours() -> Measured:
    """The steps of all tenants as `migrate run` carries them out; seconds inside the steps from the run log."""
    location, settings, statements = load_location(METER.name), read_settings(), Statements()
    steps = tuple(name for name, each in METER.declarations.items() if each.group == STEPS)
    request = Request({"confirm": True, "export_id": EXPORT_ID}, only=steps)
    with statements.counted():
        started = time.perf_counter()
        finished = list(carry_through(location, settings, request, statements.on_step))
        wall = time.perf_counter() - started
    require_success(finished)
    counts = {asset: len(sent) / len(finished) for asset, sent in statements.seconds.items() if asset}
    return _seconds_inside(finished) | {"wall": wall, "statements": counts} | statements.told()


def _seconds_inside(finished: list[Finished]) -> Measured:
    lines = lines_of(METER, finished)
    return {
        "steps": {line.asset: line.seconds for line in lines},
        "rows": {line.asset: line.source_rows for line in lines},
    }


def carry_out_by_hand() -> Measured:
    """The same in plain SQL, one transaction for each step and tenant."""
    sections = [part.split("\n", 1) for part in BY_HAND.read_text().split("-- step: ")[1:]]
    seconds: dict[str, float] = defaultdict(float)
    with psycopg.connect(as_libpq(url_of(MEASURED)), autocommit=True, cursor_factory=ClientCursor) as connection:
        tenants = [row[0] for row in connection.execute("SELECT id FROM meter.tenants ORDER BY id")]
        for tenant in tenants:
            for name, statements in sections:
                started = time.perf_counter()
                with connection.transaction():
                    connection.execute(statements.encode(), {"tenant": tenant, "export": EXPORT_ID})
                seconds[name] += time.perf_counter() - started
    return {"steps": dict(seconds), "wall": sum(seconds.values())}


def results() -> dict[str, str]:
    """A fingerprint of every table that the steps leave, but for the times of their writing."""
    found = {}
    with engine_for(MEASURED) as engine, engine.connect() as connection:
        for table in RESULTS:
            found[table.name] = str(connection.scalar(fingerprint_of(table, business_columns(table.columns))))
    return found


def measure_steps(what: str, payments: int) -> Measured:
    """Carry the steps out on a copy of the filled database."""
    make_database(MEASURED, f"filled_{payments}")
    with engine_for(MEASURED):
        before = server_cpu_seconds()
        measured = carry_out_ours() if what == "ours" else carry_out_by_hand()
        measured["server_cpu"] = server_cpu_seconds() - before
    return measured | {"results": results()}


# --- loads ------------------------------------------------------------------------------------------------------------


def load() -> Measured:
    """Load the newest export of the landing zone; seconds and rows by asset."""
    location, settings, statements = load_location(METER.name), read_settings(), Statements()
    loads = tuple(name for name, each in METER.declarations.items() if each.group != STEPS and not each.partitioning)
    with statements.counted():
        started, before = time.perf_counter(), server_cpu_seconds()
        finished = list(carry_through(location, settings, Request(only=loads), statements.on_step))
        found = {"wall": time.perf_counter() - started, "server_cpu": server_cpu_seconds() - before}
    require_success(finished)
    return found | _seconds_inside(finished) | statements.told()


def main() -> None:
    """Run one measurement and print it."""
    what, size = sys.argv[1], int(sys.argv[2])
    if what == "prepare":
        measured = prepare(size)
    elif what == "load":
        measured = load()
    else:
        measured = measure_steps(what, size)
    print_measured(measured)


if __name__ == "__main__":
    main()
