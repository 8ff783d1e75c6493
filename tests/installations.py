"""Installations of a system for its contract tests: scratch databases that already have its empty schema."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import dagster as dg
import sqlalchemy as sa

from migration import embedded
from migration.declare import run as declared_run
from migration.settings import Settings
from migration.warehouse.connect import warehouse_engine
from migration.warehouse.ddl import ensure_schema
from tests.conftest import scratch_database, settings_at

Lab = TypeVar("Lab")


@contextmanager
def template_of(server: embedded.EmbeddedServer, metadata: sa.MetaData) -> Iterator[str]:
    """The name of a database with a system's empty schema, to copy."""
    with scratch_database(server) as url:
        made = sa.create_engine(url)
        with made.begin() as connection:
            ensure_schema(connection, metadata)
        made.dispose()
        yield url.rpartition("/")[2].partition("?")[0]


@contextmanager
def installation(
    server: embedded.EmbeddedServer,
    template: str,
    home: Path,
    system: str,
    lab: Callable[[Settings, sa.Engine, dg.DagsterInstance], Lab],
) -> Iterator[Lab]:
    """An installation in a copy of a database, with an empty landing zone and a Dagster of its own.

    Args:
        server: the server.
        template: the database to copy.
        home: its home.
        system: the system whose exports it takes.
        lab: makes what the tests work in.
    """
    with scratch_database(server, template) as url, dg.DagsterInstance.ephemeral() as instance:
        settings = settings_at(home, url, url)
        (home / "landing" / system).mkdir(parents=True, exist_ok=True)
        engine = warehouse_engine(settings)
        yield lab(settings, engine, instance)
        engine.dispose()
        declared_run.engine_of.cache_clear()
