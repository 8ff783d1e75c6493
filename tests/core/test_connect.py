"""Connections: every spelling of a URL, every way a server can be wrong, and what a database error becomes."""

import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from dagster._utils.error import serializable_error_info_from_exc_info
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from migration import embedded
from migration.declare.failures import as_ours
from migration.errors import DatabaseUnavailable, MigrationError, SetupError, TransientError
from migration.settings import Settings, read_settings
from migration.warehouse.connect import (
    database_errors,
    is_transient,
    psycopg_url,
    storage_url,
    translate,
    warehouse_engine,
)

CANARY = re.compile("canary|Pa55|word@x|word%40x")


def at(url: str, storage: str = "") -> Settings:
    return read_settings({"MIGRATION_DATABASE_URL": url, "MIGRATION_DAGSTER_DATABASE_URL": storage or url})


def refused(url: str, error: type[MigrationError], connect: Callable[[Settings], object] = warehouse_engine) -> str:
    """The message of a refused URL, once it is known to be one line, of the right kind and without the password."""
    with pytest.raises(MigrationError) as caught:
        connect(at(url))
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)
    assert caught.value.problem.endswith(".") and caught.value.next_step.endswith((".", ";"))
    assert_hidden(caught.value)
    return str(caught.value)


def assert_hidden(error: MigrationError) -> None:
    """No canary in what a terminal, a log or Dagster's event log shows of an error and all it is chained to."""
    assert error.__cause__ is None and (error.__context__ is None or error.__suppress_context__)
    info = serializable_error_info_from_exc_info((type(error), error, error.__traceback__))  # pyright: ignore[reportArgumentType]
    while info:
        assert not CANARY.search(info.message)
        info = info.cause or info.context


@contextmanager
def between(url: str, before: list[str], after: list[str]) -> Iterator[None]:
    """Run statements, and in the end those that undo them."""
    run_all(url, before)
    try:
        yield
    finally:
        run_all(url, after)


def run_all(url: str, statements: list[str]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def as_clerk(url: str, database: str = "postgres") -> str:
    """The URL of another user and database of the same server."""
    return url.replace("owner:canary-Pa55%2Fword%40x", "clerk:canary").replace("/postgres", f"/{database}")


# --- what works -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2", "postgres+psycopg"]
)
def test_every_spelling_of_postgresql_works(database_url: str, scheme: str) -> None:
    settings = at(f"  {scheme}://{database_url.partition('://')[2]} ")
    engine = warehouse_engine(settings)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1
    engine.dispose()
    assert psycopg_url(settings).startswith("postgresql://")
    assert storage_url(settings).startswith("postgresql+psycopg2://")


def test_both_urls_are_usable_by_their_drivers(settings: Settings) -> None:
    with psycopg.connect(psycopg_url(settings)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    engine = sa.create_engine(storage_url(settings))
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1
    engine.dispose()


def test_sessions_are_in_utc_with_iso_dates_and_a_name(settings: Settings) -> None:
    engine = warehouse_engine(settings, application_name="migration skynet")
    with engine.connect() as connection:
        shown = [connection.scalar(sa.text(f"SHOW {name}")) for name in ("timezone", "datestyle", "application_name")]
    engine.dispose()
    assert shown == ["UTC", "ISO, MDY", "migration skynet"] or shown == ["UTC", "ISO, YMD", "migration skynet"]


def test_options_of_the_url_are_kept(settings: Settings, database_url: str) -> None:
    url = f"{database_url}&options=-c%20work_mem%3D7MB%20-c%20timezone%3DAsia/Jakarta&application_name=mine"
    engine = warehouse_engine(replace(settings, database_url=url))
    with engine.connect() as connection:
        shown = [connection.scalar(sa.text(f"SHOW {name}")) for name in ("work_mem", "timezone", "application_name")]
    engine.dispose()
    assert shown == ["7MB", "UTC", "mine"]


@pytest.mark.parametrize("fixture", ["password_server", "server15_url"])
def test_a_password_with_odd_characters_and_both_ends_of_the_supported_versions(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    settings = at(request.getfixturevalue(fixture))
    engine = warehouse_engine(settings)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT current_user")) == "owner"
    assert "Pa55" not in repr(engine) + str(engine.url)
    engine.dispose()
    with psycopg.connect(psycopg_url(settings)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


# --- what is wrong with a URL -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("canary", "not a database URL"),
        ("postgresql://u:canary@h:Pa55/db", "not a database URL"),
        ("mysql://u:canary@h/db", "not a PostgreSQL URL"),
        ("postgresql://u:canary@Pa55word@h/db", "more than one @"),
        ("postgresql://u:canary@127.0.0.1", "names no database"),
    ],
)
@pytest.mark.parametrize("connect", [warehouse_engine, storage_url, psycopg_url])
def test_a_url_that_is_none_is_not_repeated(url: str, says: str, connect: Callable[[Settings], object]) -> None:
    setting = "MIGRATION_DAGSTER_DATABASE_URL" if connect is storage_url else "MIGRATION_DATABASE_URL"
    message = refused(url, SetupError, connect)
    assert message.startswith(f"{setting} ") and says in message


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (("Pa55", "wrong"), SetupError, "refuses the user or the password"),
        (("owner", "nobody"), SetupError, "refuses the user or the password"),
        (("canary-Pa55%2Fword%40x", ""), SetupError, "refuses the user or the password"),
        (("127.0.0.1", "host.invalid"), SetupError, "is not known"),
        (("/postgres", "/missing"), SetupError, "missing does not exist"),
        (("/postgres", "/postgres?sslmode=require"), SetupError, "encrypted connection"),
        (("/postgres", "/postgres?sslmode=canary"), SetupError, "An option or the port"),
        (("/postgres", "/postgres?canary=1"), SetupError, "An option or the port"),
    ],
)
def test_what_a_server_refuses(
    password_server: str, change: tuple[str, str], error: type[MigrationError], says: str
) -> None:
    url = f"postgresql://{password_server.partition('://')[2].replace(*change)}"
    for connect in (warehouse_engine, storage_url):
        assert says in refused(url, error, connect)


def test_nobody_listens_there(unused_port: int) -> None:
    message = refused(f"postgresql://u:canary@127.0.0.1:{unused_port}/db", DatabaseUnavailable)
    assert f"No PostgreSQL server answers at 127.0.0.1:{unused_port}/db" in message
    refused("postgresql://u:canary@/db?host=/nowhere", DatabaseUnavailable)


# --- what is wrong with a server --------------------------------------------------------------------------


@contextmanager
def imitation(version: str) -> Iterator[int]:
    """A port that greets like a PostgreSQL of some version and then says nothing."""

    def message(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("!I", len(body) + 4) + body

    greeting = message(b"R", struct.pack("!I", 0))
    for name, value in (("server_version", version), ("client_encoding", "UTF8")):
        greeting += message(b"S", f"{name}\0{value}\0".encode())
    greeting += message(b"Z", b"I")

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                # The request for encryption comes first; then the start-up message, which carries the user.
                while b"user" not in client.recv(4096):
                    client.sendall(b"N")
                client.sendall(greeting)
                client.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


@pytest.mark.parametrize("connect", [warehouse_engine, storage_url])
def test_a_server_older_than_15_is_refused(connect: Callable[[Settings], object]) -> None:
    with imitation("14.22") as port:
        message = refused(f"postgresql://u:canary@127.0.0.1:{port}/db", SetupError, connect)
    assert "is version 14, older than 15" in message


@pytest.mark.parametrize("fixture", ["password_server", "server15_url"])
@pytest.mark.parametrize(
    ("grant", "connect", "says"),
    [
        ("GRANT CONNECT, TEMPORARY ON DATABASE narrow TO clerk", warehouse_engine, "lacks the right CREATE"),
        ("GRANT CONNECT, CREATE ON DATABASE narrow TO clerk", warehouse_engine, "lacks the right TEMPORARY"),
        ("GRANT CREATE ON DATABASE narrow TO clerk", warehouse_engine, "may not connect"),
        ("GRANT CONNECT ON DATABASE narrow TO clerk", storage_url, "may not create tables"),
    ],
)
def test_a_missing_right_comes_with_the_grant_that_mends_it(
    fixture: str, request: pytest.FixtureRequest, grant: str, connect: Callable[[Settings], object], says: str
) -> None:
    url = request.getfixturevalue(fixture)
    before = [
        "CREATE ROLE clerk LOGIN PASSWORD 'canary'",
        "CREATE DATABASE narrow",
        "REVOKE ALL ON DATABASE narrow FROM public",
        grant,
    ]
    with between(url, before, ["DROP DATABASE narrow WITH (FORCE)", "DROP ROLE clerk"]):
        message = refused(as_clerk(url, "narrow"), SetupError, connect)
    assert says in message and "GRANT " in message


def test_a_database_that_cannot_hold_every_name_is_refused(password_server: str) -> None:
    narrow = "CREATE DATABASE narrow ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
    with between(password_server, [narrow], ["DROP DATABASE narrow WITH (FORCE)"]):
        url = password_server.replace("/postgres", "/narrow")
        assert "is encoded in LATIN1" in refused(url, SetupError)


def test_a_server_without_a_free_connection_may_have_one_later(password_server: str) -> None:
    role = "CREATE ROLE clerk LOGIN CONNECTION LIMIT 0 PASSWORD 'canary'"
    with between(password_server, [role], ["DROP ROLE clerk"]):
        assert "no free connection" in refused(as_clerk(password_server), DatabaseUnavailable)


# --- what a failed statement becomes ----------------------------------------------------------------------


def raised(engine: Engine, state: str) -> Exception:
    """What SQLAlchemy raises when PostgreSQL reports a state, with canaries where values may stand."""
    block = f"DO $$ BEGIN RAISE EXCEPTION 'canary' USING ERRCODE = '{state}', DETAIL = 'Key (a)=(canary)'; END $$"
    with pytest.raises(DBAPIError) as caught, engine.begin() as connection:
        connection.execute(sa.text(block))
    return caught.value


@pytest.mark.parametrize("state", ["40001", "40P01", "53300", "53100", "53200", "55P03", "57P01", "57P02", "08006"])
def test_states_that_a_retry_may_heal(engine: Engine, state: str) -> None:
    ours = translate(raised(engine, state))
    assert isinstance(ours, TransientError)
    assert "canary" not in str(ours) and "\n" not in str(ours)


@pytest.mark.parametrize("state", ["23505", "23503", "23514", "22P02", "42P01", "42601", "57014", "XX000", "P0001"])
def test_states_that_no_retry_heals(engine: Engine, state: str) -> None:
    ours = translate(raised(engine, state))
    assert not is_transient(ours) and not isinstance(ours, SetupError)
    assert state in ours.problem
    assert "canary" not in str(ours) and "\n" not in str(ours)


@pytest.mark.parametrize("state", ["42501", "28P01", "3D000", "25006"])
def test_states_that_the_administrator_mends(engine: Engine, state: str) -> None:
    assert type(translate(raised(engine, state))) is SetupError


def test_a_full_disk_has_its_own_words(engine: Engine) -> None:
    assert "disk of the PostgreSQL server is full" in str(translate(raised(engine, "53100")))


def test_what_dagsters_storage_meets_is_told_as_ours_is(engine: Engine) -> None:
    other_driver = sa.create_engine(engine.url.set(drivername="postgresql+psycopg2"))
    wrapped = RuntimeError("canary: too many retries")
    wrapped.__cause__ = raised(other_driver, "53100")
    assert "disk of the PostgreSQL server is full" in str(as_ours(wrapped))
    assert "canary" not in str(as_ours(wrapped))


def test_a_violated_constraint_is_named_and_its_row_is_not(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE person (email text CONSTRAINT one_person UNIQUE)"))
        connection.execute(sa.text("INSERT INTO person VALUES ('canary@example.org')"))
    with pytest.raises(MigrationError) as caught, database_errors(), engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO person VALUES (:email)"), {"email": "canary@example.org"})
    assert "unique violation (23505), table public.person, constraint one_person" in caught.value.problem
    assert_hidden(caught.value)


def test_our_own_errors_pass_unchanged() -> None:
    mine = SetupError("a", "b")
    with pytest.raises(SetupError) as caught, database_errors():
        raise mine
    assert caught.value is mine and translate(mine) is mine


def test_a_connection_that_is_cut_is_transient(engine: Engine) -> None:
    with pytest.raises(DatabaseUnavailable), database_errors(), engine.connect() as connection:
        own = connection.scalar(sa.text("SELECT pg_backend_pid()"))
        with engine.connect() as other:
            other.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": own})
        connection.execute(sa.text("SELECT 1"))


def test_a_server_that_goes_away_is_transient(short_home: Path) -> None:
    settings = read_settings({"MIGRATION_HOME": str(short_home)})
    engine = warehouse_engine(settings)
    connection = engine.connect()
    embedded.stop(settings)
    with pytest.raises(DatabaseUnavailable), database_errors():
        connection.execute(sa.text("SELECT 1"))
    with pytest.raises(DatabaseUnavailable, match="No PostgreSQL server answers"), database_errors():
        engine.connect()


def test_a_pool_without_a_free_connection_is_transient(engine: Engine) -> None:
    narrow = sa.create_engine(engine.url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    with pytest.raises(DatabaseUnavailable), database_errors(), narrow.connect():
        narrow.connect()
    narrow.dispose()
