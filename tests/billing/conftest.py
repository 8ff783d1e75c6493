"""Fixtures of BILLING's contract tests: installations in scratch databases that already have the schema."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import create_engine

from migration import embedded
from migration.declare import run as declared_run
from migration.warehouse.connect import warehouse_engine
from migration.warehouse.ddl import ensure_schema
from tests.billing.billing_harness import Lab, location
from tests.conftest import scratch_database, settings_at


@pytest.fixture(scope="session")
def billing_template(server: embedded.EmbeddedServer) -> Iterator[str]:
    """A database with BILLING's empty schema, to copy."""
    if not hasattr(location(), "SYSTEM"):
        pytest.skip("The billing migration is not built yet.")
    with scratch_database(server) as url:
        made = create_engine(url)
        with made.begin() as connection:
            ensure_schema(connection, location().SYSTEM.metadata)
        made.dispose()
        yield url.rpartition("/")[2].partition("?")[0]


@contextmanager
def installation(server: embedded.EmbeddedServer, template: str, home: Path) -> Iterator[Lab]:
    """An installation in a copy of a database."""
    with scratch_database(server, template) as url, dg.DagsterInstance.ephemeral() as instance:
        settings = settings_at(home, url, url)
        (home / "landing" / "billing").mkdir(parents=True, exist_ok=True)
        engine = warehouse_engine(settings)
        yield Lab(settings, engine, instance)
        engine.dispose()
        declared_run.engine_of.cache_clear()


@pytest.fixture
def billing_lab(
    server: embedded.EmbeddedServer, billing_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """An installation of this test's own."""
    with installation(server, billing_template, tmp_path_factory.mktemp("home")) as made:
        yield made


@pytest.fixture(scope="module")
def module_billing_lab(
    server: embedded.EmbeddedServer, billing_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """An installation that the tests of a module share."""
    with installation(server, billing_template, tmp_path_factory.mktemp("home")) as made:
        yield made
