"""Databases for tests: one embedded server a run, a scratch database a test, and servers with passwords."""

import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from filelock import FileLock
from psycopg import sql
from sqlalchemy import Engine
from upath import UPath

from migration import embedded
from migration.settings import Settings
from migration.warehouse.connect import warehouse_engine

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
PASSWORD = "canary-Pa55/word@x"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for the server is a database test, marked or not."""
    for item in items:
        if {"server", "password_server", "server15_url"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("database")


def settings_at(home: Path, database_url: str | None = None, storage_url: str | None = None) -> Settings:
    """Settings with everything below one folder."""
    return Settings(
        home=home,
        landing=UPath(home / "landing"),
        work=UPath(home / "work"),
        database_url=database_url,
        dagster_database_url=storage_url,
    )


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.EmbeddedServer]:
    """The run's embedded server, shared by all xdist workers; the last one to leave stops it."""
    base = tmp_path_factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with FileLock(root / "server.lock"):
        home = _join(root / "server.json")
        running = embedded.ensure_running(settings_at(home))
        _forget_durability(running)
    yield running
    with FileLock(root / "server.lock"):
        if _leave(root / "server.json"):
            embedded.stop(settings_at(home))
            shutil.rmtree(home)


def _join(state: Path) -> Path:
    # Not below pytest's own folder: it closes that to other accounts whenever another run of tests begins.
    known = json.loads(state.read_text()) if state.exists() else {"users": 0}
    home = str(known.get("home") or tempfile.mkdtemp(prefix="migration-tests-"))
    state.write_text(json.dumps({"home": home, "users": known["users"] + 1}))
    return Path(home)


def _leave(state: Path) -> bool:
    known = json.loads(state.read_text())
    known["users"] -= 1
    state.write_text(json.dumps(known if known["users"] else {"users": 0}))
    return known["users"] == 0


def _forget_durability(running: embedded.EmbeddedServer) -> None:
    with psycopg.connect(libpq_url(running, "postgres"), autocommit=True) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(name)))
        connection.execute("SELECT pg_reload_conf()")


def libpq_url(running: embedded.EmbeddedServer, database: str) -> str:
    """A database's URL for psycopg."""
    return running.url(database).set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def scratch_database(running: embedded.EmbeddedServer, template: str = "template1") -> Iterator[str]:
    """A fresh database, as SQLAlchemy's URL; dropped afterwards, whoever is still connected."""
    name = f"scratch_{uuid.uuid4().hex}"
    with psycopg.connect(libpq_url(running, "postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    try:
        yield running.url(name).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(libpq_url(running, "postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database_url(server: embedded.EmbeddedServer) -> Iterator[str]:
    """A scratch database of this test's own."""
    with scratch_database(server) as url:
        yield url


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings of a home of this test's own; target and Dagster's storage are its scratch database."""
    made = settings_at(tmp_path / "home", database_url, database_url)
    for folder in (made.home, made.home / "landing", made.home / "work"):
        folder.mkdir()
    return made


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """The engine of the scratch database."""
    made = warehouse_engine(settings)
    yield made
    made.dispose()


@contextmanager
def server_with_password(programs: Path) -> Iterator[str]:
    """A server on 127.0.0.1 that asks for a password, from the given programs; its URL."""
    home = Path(tempfile.mkdtemp(prefix="migration-pw-"))
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    data, secret = home / "data", home / "password"
    data.mkdir(mode=0o700)
    secret.write_text(PASSWORD)
    if account:
        for path in (home, data, secret):
            os.chown(path, account.pw_uid, account.pw_gid)
    port = free_port()

    def run(tool: str, *arguments: str) -> None:
        subprocess.run(
            [str(programs / tool), *arguments],
            env={"PGDATA": str(data), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            cwd=data,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            check=True,
            capture_output=True,
        )

    try:
        run("initdb", "-U", "owner", "--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        run("pg_ctl", "start", "-w", "-l", "log", "-o", options)
        try:
            yield f"postgresql://owner:canary-Pa55%2Fword%40x@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "stop", "-m", "immediate", "-w")
    finally:
        shutil.rmtree(home)


def free_port() -> int:
    """A TCP port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def password_server(server: embedded.EmbeddedServer) -> Iterator[str]:
    """The URL of a server of the newest supported version that asks for a password.

    After the embedded one, whose start lets other accounts run the wheel's programs.
    """
    with server_with_password(embedded.binaries()) as url:
        yield url


@pytest.fixture(scope="session")
def server15_url() -> Iterator[str]:
    """The URL of a server of the oldest supported version, where the machine has its programs."""
    if not DEBIAN_15.is_dir():
        pytest.skip("PostgreSQL 15 is not installed under /usr/lib/postgresql/15")
    with server_with_password(DEBIAN_15) as url:
        yield url


@pytest.fixture
def unused_port() -> int:
    """A TCP port nobody listens on."""
    return free_port()


@pytest.fixture
def short_home() -> Iterator[Path]:
    """A folder below /tmp itself for homes with servers of their own, which are stopped in the end."""
    made = Path(tempfile.mkdtemp(prefix="migration-home-"))
    yield made
    for pid_file in made.rglob("postmaster.pid"):
        embedded.stop(settings_at(pid_file.parent.parent))
    shutil.rmtree(made)
