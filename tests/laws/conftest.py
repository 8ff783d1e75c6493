"""Fixtures of the law tests: installations in scratch databases, empty or with a first export already loaded."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from migration import embedded
from migration.declare import run as declared_run
from migration.settings import read_settings
from migration.warehouse.connect import warehouse_engine
from migration.warehouse.ddl import ensure_schema
from skynet_assets import tables
from tests.conftest import scratch_database, settings_at
from tests.laws.lab import Image, Lab, copy_home, environment, first_world, image_of, run_job, write_export

FIRST = "20260225T190000Z"
SECOND = "20260325T190000Z"


@dataclass(frozen=True)
class Template:
    """A database and a home to start tests from."""

    database: str
    home: Path


def database_name(url: str) -> str:
    """The database that a URL names."""
    return url.rpartition("/")[2].partition("?")[0]


def disconnect() -> None:
    """Close the connections of the runs that this process made in the installation of its environment."""
    settings = read_settings()
    declared_run.engine_of(settings.database_url, settings).dispose()
    declared_run.engine_of.cache_clear()


@pytest.fixture(scope="session")
def empty_template(server: embedded.EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """The schema without a row."""
    with scratch_database(server) as url:
        engine = create_engine(url)
        with engine.begin() as connection:
            ensure_schema(connection, tables.metadata)
        engine.dispose()
        yield Template(database_name(url), tmp_path_factory.mktemp("empty"))


@pytest.fixture(scope="session")
def loaded_template(
    server: embedded.EmbeddedServer, empty_template: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Template]:
    """The first export, loaded by one run."""
    with scratch_database(server, empty_template.database) as url:
        home = tmp_path_factory.mktemp("loaded")
        write_export(home / "landing", FIRST, first_world())
        settings = settings_at(home, url, url)
        with environment(settings):
            ran = run_job()
            disconnect()
        assert ran.success, ran.failures
        yield Template(database_name(url), home)


def _lab(server: embedded.EmbeddedServer, template: Template, home: Path) -> Iterator[Lab]:
    copy_home(template.home, home)
    (home / "landing").mkdir(exist_ok=True)
    with scratch_database(server, template.database) as url:
        settings = settings_at(home, url, url)
        engine = warehouse_engine(settings)
        with environment(settings):
            yield Lab(settings, engine)
            disconnect()
        engine.dispose()


@pytest.fixture
def lab(server: embedded.EmbeddedServer, empty_template: Template, tmp_path: Path) -> Iterator[Lab]:
    """An installation with empty tables."""
    yield from _lab(server, empty_template, tmp_path)


@pytest.fixture
def loaded(server: embedded.EmbeddedServer, loaded_template: Template, tmp_path: Path) -> Iterator[Lab]:
    """An installation that has loaded the first export."""
    yield from _lab(server, loaded_template, tmp_path)


@pytest.fixture
def first_run(loaded: Lab) -> str:
    """The run that loaded the first export."""
    return str(loaded.scalar("SELECT DISTINCT run_id FROM skynet.migration_run_log"))


@pytest.fixture(scope="session")
def loaded_fingerprints(server: embedded.EmbeddedServer, loaded_template: Template) -> dict[str, str]:
    """The fingerprints of the tables after the first export."""
    with scratch_database(server, loaded_template.database) as url:
        engine = create_engine(url)
        found = Lab(settings_at(loaded_template.home, url, url), engine).fingerprints()
        engine.dispose()
        return found


@pytest.fixture(scope="session")
def loaded_image(server: embedded.EmbeddedServer, loaded_template: Template) -> Image:
    """Every row after the first export."""
    with scratch_database(server, loaded_template.database) as url:
        engine = create_engine(url)
        found = image_of(engine)
        engine.dispose()
        return found
