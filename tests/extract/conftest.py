"""Legacy databases to extract from, and exports read back."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pytest
from upath import UPath

from migration.exports.reading import RowReader
from migration.exports.sources import SourceTable
from migration.exports.verify import verify_export
from tests.conftest import free_port
from tests.http_server import LocalServer

PASSWORD = "canary-Pa55/word@x"
QUOTED_PASSWORD = "canary-Pa55%2Fword%40x"
START_SECONDS = 30


@pytest.fixture
def landing(tmp_path: Path) -> UPath:
    return UPath(tmp_path / "landing")


@pytest.fixture
def http_server() -> Iterator[LocalServer]:
    """An HTTP server without any page yet."""
    with LocalServer() as running:
        yield running


def read_back(folder: UPath, sources: Sequence[SourceTable]) -> dict[str, list[dict[str, Any]]]:
    """The rows of a verified export, by table."""
    export = verify_export(folder, folder.parent.name, sources)
    found = {}
    for source in sources:
        blocks = RowReader(export.file_for(source), source).blocks()
        found[source.name] = [record for block in blocks for record in block.records]
    return found


def visible(landing: UPath, system: str) -> list[str]:
    """What readers of a landing zone see of a system."""
    shelf = Path(landing.path) / system
    return sorted(p.name for p in shelf.iterdir() if not p.name.startswith(".")) if shelf.exists() else []


def hidden(landing: UPath, system: str) -> list[str]:
    """What they do not, but the lock."""
    shelf = Path(landing.path) / system
    names = [p.name for p in shelf.iterdir() if p.name.startswith(".")] if shelf.exists() else []
    return sorted(set(names) - {".extract.lock"})


@dataclass(frozen=True)
class MariaDB:
    """A MariaDB server of the tests' own.

    Attributes:
        port: where it listens on 127.0.0.1.
        socket: where it listens on this machine.
    """

    port: int
    socket: Path

    def connect(self, database: str = "") -> pymysql.Connection:
        """A connection of the administrator."""
        return pymysql.connect(
            unix_socket=str(self.socket), user="root", database=database or None, charset="utf8mb4", autocommit=True
        )

    def run(self, *statements: str, database: str = "") -> None:
        """Run statements as the administrator."""
        with self.connect(database) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def url(self, database: str, user: str = "reader", password: str = QUOTED_PASSWORD) -> str:
        """The URL of a database for a user who may only read."""
        return f"mysql://{user}:{password}@127.0.0.1:{self.port}/{database}"


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A MariaDB server where the machine has its programs."""
    programs = [shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") for name in ("mariadbd", "mysqld")]
    server, installer = next(filter(None, programs), None), shutil.which("mariadb-install-db")
    if server is None or installer is None:
        pytest.skip("no MariaDB server is installed (mariadbd, mariadb-install-db)")
    home = Path(tempfile.mkdtemp(prefix="migration-mariadb-"))
    common = ["--no-defaults", f"--datadir={home / 'data'}", *(["--user=root"] if os.geteuid() == 0 else [])]
    try:
        setup = [installer, *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(setup, check=True, capture_output=True)
        running = MariaDB(free_port(), home / "socket")
        options = [f"--socket={running.socket}", f"--port={running.port}", "--bind-address=127.0.0.1"]
        quick = ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M", f"--pid-file={home / 'pid'}"]
        with (
            (home / "log").open("wb") as log,
            subprocess.Popen([server, *common, *options, *quick], stdout=log, stderr=log) as process,
        ):
            try:
                _await(running)
                yield running
            finally:
                process.kill()
    finally:
        shutil.rmtree(home)


def _await(server: MariaDB) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            server.run(f"CREATE USER reader@'%' IDENTIFIED BY '{PASSWORD}'")
        except pymysql.MySQLError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


@pytest.fixture
def legacy(mariadb: MariaDB) -> Iterator[MariaDB]:
    """The server with an empty database `legacy` that `reader` may read."""
    mariadb.run("CREATE DATABASE legacy CHARACTER SET utf8mb4", "GRANT SELECT ON legacy.* TO reader@'%'")
    yield mariadb
    mariadb.run("DROP DATABASE legacy")
