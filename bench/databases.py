"""What measurements in a database of their own share: databases made from templates, processor time, statements."""

import json
import os
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import psutil
import psycopg
import sqlalchemy as sa
from psycopg import sql

from migration import embedded
from migration.declare.run import engine_of
from migration.declare.system import System
from migration.report import AssetLine, asset_lines
from migration.runs import STEP_ENDS, Finished
from migration.settings import read_settings
from migration.warehouse.connect import warehouse_engine

SHOWN = 400
Measured: TypeAlias = dict[str, Any]


def url_of(database: str) -> str:
    """The URL of a database of the embedded server."""
    return (
        embedded.ensure_running(read_settings({"MIGRATION_HOME": os.environ["MIGRATION_HOME"]}))
        .url(database)
        .render_as_string(hide_password=False)
    )


def as_libpq(url: str) -> str:
    """A URL as psycopg takes it."""
    return sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def make_database(name: str, template: str = "template1") -> None:
    """Make a database anew, as a copy of another; both then have the same pages, none of them in the server's cache."""
    with psycopg.connect(as_libpq(url_of("postgres")), autocommit=True) as connection:
        for statement in (
            "DROP DATABASE IF EXISTS {name} WITH (FORCE)",
            "CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy",
        ):
            connection.execute(sql.SQL(statement).format(name=sql.Identifier(name), template=sql.Identifier(template)))


def server_cpu_seconds() -> float:
    """Processor time of the server, of those of its processes that have ended too; other load does not change it."""
    server = psutil.Process(
        embedded.ensure_running(read_settings({"MIGRATION_HOME": os.environ["MIGRATION_HOME"]})).pid
    )
    while True:
        try:
            times = [each.cpu_times() for each in (server, *server.children())]
        except psutil.NoSuchProcess:  # a session's process has just ended; the server's own times count it now
            continue
        ended = times[0].children_user + times[0].children_system
        return ended + sum(each.user + each.system for each in times)


@contextmanager
def engine_for(database: str) -> Iterator[sa.Engine]:
    """The engine of a database of the embedded server; this process then has it as its target database."""
    os.environ["MIGRATION_DATABASE_URL"] = url_of(database)
    engine = warehouse_engine(read_settings())
    yield engine
    engine.dispose()


def keep_still(database: str = "postgres") -> None:
    """Switch automatic vacuum off: whether it comes in between is chance, and it would come for both alike."""
    with psycopg.connect(as_libpq(url_of(database)), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET autovacuum = off")
        connection.execute("SELECT pg_reload_conf()")


@dataclass
class Statements:
    """The statements sent to the target database, by the asset whose step was running.

    Attributes:
        seconds: by asset, how long each took and how it begins, in their order.
    """

    asset: str = ""
    seconds: dict[str, list[tuple[float, str]]] = field(default_factory=lambda: defaultdict(list))

    def on_step(self, asset: str, state: str) -> None:
        """Take notice of a step that has begun or ended."""
        if state == "started":
            self.asset = asset
        elif state in STEP_ENDS:
            self.asset = ""

    def told(self, number: int = 8) -> Measured:
        """Seconds in SQL by asset, and the statements that took longest: seconds, how often, how they begin."""
        slowest, total = {}, {}
        for asset, sent in self.seconds.items():
            by_text: dict[str, list[float]] = defaultdict(list)
            for seconds, text in sent:
                by_text[" ".join(text.split())[:SHOWN]].append(seconds)
            rows = [(round(sum(each), 2), len(each), text) for text, each in by_text.items()]
            slowest[asset], total[asset] = sorted(rows, reverse=True)[:number], sum(row[0] for row in rows)
        return {"in_sql": total, "slowest": slowest}

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what psycopg executes."""
        plain = psycopg.Cursor.execute

        def execute(cursor: Any, query: Any, *arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return plain(cursor, query, *arguments, **options)
            finally:
                text = query if isinstance(query, str) else query.as_string(cursor)
                self.seconds[self.asset].append((time.perf_counter() - started, text))

        psycopg.Cursor.execute = execute  # type: ignore[method-assign,assignment]
        try:
            yield
        finally:
            psycopg.Cursor.execute = plain  # type: ignore[method-assign]


def require_success(finished: Sequence[Finished]) -> None:
    """End the measurement where a run has failed."""
    failures = [f"{each.partition} {name}: {why}" for each in finished for name, why in each.failures.items()]
    if failures:
        sys.exit("\n".join(failures))


def lines_of(system: System, finished: Sequence[Finished]) -> list[AssetLine]:
    """What the run log has of runs, by asset; their seconds are those inside the steps."""
    settings, log = read_settings(), system.books.run_log
    with engine_of(settings.database_url, settings).connect() as connection:
        return asset_lines(connection, system, log.c.run_id.in_([each.run_id for each in finished]))


def print_measured(measured: Measured) -> None:
    """Print a measurement as one JSON line, with the most memory that its process has held."""
    print(json.dumps(measured | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
