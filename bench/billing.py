"""One measurement of Billing, in a process of its own: `python -m bench.billing prepare|ours|by_hand|whole BILLS`.

Prints one JSON line. `prepare` fills a database of the embedded server with bills; `ours` and `by_hand` each let their
days follow from them, month by month, on a copy of it. `whole` carries the export of the landing zone instead.
"""

import sys
import time
from pathlib import Path

import psycopg
import sqlalchemy as sa
from psycopg import ClientCursor

from bench.billing_rows import EXPORT_ID, MONTHS, fill, note_export
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
from billing_assets import tables
from billing_assets.assets import BILLING
from migration.runs import Request, carry_through, load_location
from migration.settings import read_settings
from migration.tables import business_columns
from migration.warehouse.fingerprint import fingerprint_of

BY_HAND = Path(__file__).with_name("billing_by_hand.sql")
MEASURED = "measured"
DAYS = tables.daily_bill_amounts


def prepare(bills: int) -> Measured:
    """Fill a database with bills, and leave it as vacuumed as a server does by and by."""
    keep_still()
    filled = f"filled_{bills}"
    make_database(filled)
    with engine_for(filled) as engine:
        fill(engine, bills)
    with psycopg.connect(as_libpq(url_of(filled)), autocommit=True) as connection:
        connection.execute("VACUUM FULL billing.bill_records")
        connection.execute("VACUUM ANALYZE")
    note_export(read_settings())
    return {}


def break_down_ours() -> Measured:
    """The asset of the days, with its checks and fingerprints, as `migrate run` carries it out."""
    location, settings, statements = load_location(BILLING.name), read_settings(), Statements()
    request = Request({"export_id": EXPORT_ID}, only=(DAYS.name,))
    with statements.counted():
        started = time.perf_counter()
        finished = list(carry_through(location, settings, request, statements.on_step))
        wall = time.perf_counter() - started
    require_success(finished)
    lines = lines_of(BILLING, finished)
    written = sum(seconds for seconds, text in statements.seconds[DAYS.name] if "INSERT INTO billing.daily" in text)
    return {"steps": sum(line.seconds for line in lines), "insert": written, "wall": wall} | statements.told()


def break_down_by_hand() -> Measured:
    """The same as one INSERT … SELECT for each month, each a transaction."""
    started = time.perf_counter()
    with psycopg.connect(as_libpq(url_of(MEASURED)), autocommit=True, cursor_factory=ClientCursor) as connection:
        for month in MONTHS:
            connection.execute(BY_HAND.read_bytes(), {"month": month})
    return {"wall": time.perf_counter() - started}


def measure_days(what: str, bills: int) -> Measured:
    """Break the bills down on a copy of the filled database."""
    make_database(MEASURED, f"filled_{bills}")
    with engine_for(MEASURED) as engine:
        before = server_cpu_seconds()
        measured = break_down_ours() if what == "ours" else break_down_by_hand()
        measured["server_cpu"] = server_cpu_seconds() - before
        with engine.connect() as connection:
            measured["rows"] = connection.scalar(sa.select(sa.func.count()).select_from(DAYS))
            measured["result"] = str(connection.scalar(fingerprint_of(DAYS, business_columns(DAYS.columns))))
    return measured


def carry_whole() -> Measured:
    """The export of the landing zone, end to end; seconds inside the steps from the run log."""
    location, settings = load_location(BILLING.name), read_settings()
    started = time.perf_counter()
    finished = list(carry_through(location, settings, Request(), lambda step, state: None))
    wall = time.perf_counter() - started
    require_success(finished)
    lines = lines_of(BILLING, finished)
    return {"wall": wall, "inside": sum(line.seconds for line in lines), "assets": len(lines)}


def main() -> None:
    """Run one measurement and print it."""
    what, bills = sys.argv[1], int(sys.argv[2])
    if what == "prepare":
        measured = prepare(bills)
    elif what == "whole":
        measured = carry_whole()
    else:
        measured = measure_days(what, bills)
    print_measured(measured)


if __name__ == "__main__":
    main()
