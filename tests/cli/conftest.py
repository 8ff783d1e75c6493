"""The command line in this process: installations in scratch databases, and everything that it ever said."""

import hashlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import psycopg
import pytest
from upath import UPath

import samples
from migration import embedded
from migration.cli import main
from migration.declare.run import engine_of
from migration.dev import prepare_dagster_home
from migration.settings import read_settings
from tests.conftest import scratch_database

EXPORT_ID = samples.default_export_id()
SCALE, CUSTOMERS = 0.05, 87
CANARY = "canary7f31"
_PERSONAL = {
    "customers": ("nama_pelanggan", "alamat", "keterangan", "pppoe_password"),
    "transactions": ("nama_pelanggan", "alamat", "bukti_pembayaran_url"),
}


@dataclass(frozen=True)
class Answer:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


@dataclass
class Installation:
    """A home, its environment, and all that the commands have said in it.

    Attributes:
        home: MIGRATION_HOME.
        environment: its settings.
        url: the target database for psycopg; empty for the embedded server.
        said: everything that was printed.
    """

    home: Path
    environment: dict[str, str]
    url: str = ""
    said: list[str] = field(default_factory=list)

    def migrate(self, *arguments: str, stdin: str = "") -> Answer:
        """Run `migrate` with these arguments, as the console script does."""
        out, err = io.StringIO(), io.StringIO()
        with (
            self.surroundings(),
            patch.object(sys, "argv", ["migrate", *arguments]),
            patch.object(sys, "stdin", io.StringIO(stdin)),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                main()
                code: Any = 0
            except SystemExit as exit_:
                code = exit_.code
        self.said += [out.getvalue(), err.getvalue()]
        return Answer(code or 0, out.getvalue(), err.getvalue())

    @contextmanager
    def surroundings(self) -> Iterator[None]:
        """The environment of a command."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MIGRATION_", "DAGSTER_", "SKYNET_"))}
        with patch.dict(os.environ, kept | self.environment, clear=True):
            yield

    @contextmanager
    def dagster(self) -> Iterator[dg.DagsterInstance]:
        """The Dagster instance that the UI of this installation would show."""
        with self.surroundings():
            os.environ.update(prepare_dagster_home(read_settings()))
            with dg.DagsterInstance.get() as instance:
                yield instance

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query on the target database."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def value(self, query: str, *values: Any) -> Any:
        """The one value of a query."""
        return self.rows(query, *values)[0][0]

    def sample(self, export_id: str = EXPORT_ID, change: Callable[[str, list[Any]], None] | None = None) -> Path:
        """Put a small sample export into the landing zone, its records changed and its manifest fitting again."""
        folder = Path(samples.write_sample("skynet", UPath(self.home / "landing"), export_id, scale=SCALE).path)
        if change is None:
            return folder
        manifest = json.loads((folder / "manifest.json").read_text())
        for entry in manifest["files"]:
            file = folder / entry["name"]
            records = json.loads(file.read_text())
            change(file.stem, records)
            file.write_text(json.dumps(records))
            entry |= {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "rows": len(records)}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder


def put_canaries(table: str, records: list[Any]) -> None:
    """Mark all personal data of a table's records."""
    people = [record for record in records if isinstance(record, dict)]
    for record in people:
        for column in _PERSONAL.get(table, ()):
            if record.get(column):
                record[column] = f"{record[column]} {CANARY}"
    if table == "customers":
        people[0] |= {"telepon": CANARY, "nik": CANARY}


@contextmanager
def installation(server: embedded.EmbeddedServer, home: Path) -> Iterator[Installation]:
    """An installation whose target and Dagster storage are one scratch database."""
    with scratch_database(server) as url:
        environment = {
            "MIGRATION_HOME": str(home),
            "MIGRATION_DATABASE_URL": url,
            "MIGRATION_DAGSTER_DATABASE_URL": url,
            "SKYNET_BASELINE_CUSTOMERS": str(CUSTOMERS),
        }
        yield Installation(home, environment, url.replace("postgresql+psycopg://", "postgresql://"))
        engine_of.cache_clear()


@pytest.fixture
def place(server: embedded.EmbeddedServer, tmp_path: Path) -> Iterator[Installation]:
    """An empty installation of this test's own."""
    with installation(server, tmp_path / "home") as made:
        yield made


@dataclass(frozen=True)
class Migrated:
    """An installation whose sample, marked with canaries, was migrated by `migrate run --json`, and the answer."""

    place: Installation
    ran: Answer

    @property
    def run_id(self) -> str:
        """The run."""
        return str(self.ran.json["run_id"])


@pytest.fixture(scope="module")
def migrated(server: embedded.EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migrated]:
    """One migrated installation; tests only look at it."""
    with installation(server, tmp_path_factory.mktemp("migrated")) as made:
        made.sample(change=put_canaries)
        yield Migrated(made, made.migrate("run", "skynet", "--yes", "--json"))
