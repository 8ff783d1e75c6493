"""Connections: the engine of the target database, Dagster's storage URL, and what a database error means.

Every message here is written by us from the error's class and code. The driver's own text is only matched,
never passed on: it may hold a row's values (`DETAIL`) or, for a mistyped URL, a piece of the password.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import sqlalchemy as sa
from psycopg.rows import class_row
from sqlalchemy import URL, Engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from migration import embedded
from migration.errors import DatabaseUnavailable, MigrationError, SetupError, TransientError
from migration.settings import Settings

OLDEST_VERSION = 15
CONNECT_SECONDS = 10

_WAREHOUSE_SETTING = "MIGRATION_DATABASE_URL"
_STORAGE_SETTING = "MIGRATION_DAGSTER_DATABASE_URL"

# A server that vanishes without a word is noticed within a minute, not after the kernel's two hours.
_KEEPALIVE = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}


def warehouse_engine(settings: Settings, application_name: str = "migration") -> Engine:
    """The engine of the target database, checked: reachable, new enough, with the rights a migration needs.

    Sessions are in UTC with ISO dates; parameters of a failed statement are not shown in errors.

    Raises:
        SetupError: the URL, the user, the database, the version or a right is wrong.
        DatabaseUnavailable: the server does not answer now, but may later.
    """
    target = _warehouse(settings)
    options = f"{target.url.query.get('options', '')} -c timezone=UTC -c datestyle=ISO".strip()
    defaults = {"application_name": application_name, "connect_timeout": str(CONNECT_SECONDS), **_KEEPALIVE}
    url = target.url.set(query={**defaults, **target.url.query, "options": options})
    _check(_Target(url, target.setting), _check_warehouse)
    # A prepared statement may keep the plan it got while the tables were small: the first load then turns quadratic.
    unprepared = {"prepare_threshold": None}
    return sa.create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=unprepared)


def psycopg_url(settings: Settings) -> str:
    """The target database's URL for psycopg, psql or any libpq client, with its password."""
    return _warehouse(settings).url.set(drivername="postgresql").render_as_string(hide_password=False)


def storage_url(settings: Settings) -> str:
    """The URL of Dagster's own storage, checked; for psycopg2, because that storage fails with psycopg 3.

    Raises:
        SetupError: the URL, the user, the database, the version or a right is wrong.
        DatabaseUnavailable: the server does not answer now, but may later.
    """
    if settings.dagster_database_url is None:
        url = embedded.ensure_running(settings).url(embedded.DAGSTER_DATABASE)
    else:
        url = _parse(settings.dagster_database_url, _STORAGE_SETTING)
        _check(_Target(url, _STORAGE_SETTING), _check_storage)
    return url.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)


def is_transient(error: BaseException) -> bool:
    """Whether a retry may help: connection lost, shutdown, deadlock, too many connections, full disk."""
    return isinstance(translate(error), TransientError)


def translate(error: BaseException) -> MigrationError:
    """Our error for one of SQLAlchemy or psycopg: its kind and place, never a value, statement or password.

    One of our own errors is returned as it is.
    """
    if isinstance(error, MigrationError):
        return error
    if isinstance(error, PoolTimeout):
        return DatabaseUnavailable(
            "No database connection became free in time.", "Try again when fewer runs are at work."
        )
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    # Dagster's storage uses psycopg2, which calls it so.
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if state:
        return _statement_failure(state, cause)
    if isinstance(error, OperationalError) or isinstance(cause, psycopg.OperationalError):
        return _connect_failure(str(cause), None)
    return MigrationError(
        f"A database call failed ({type(cause).__name__}).", "This is a mistake in the program: report it."
    )


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn database errors raised inside into ours.

    The original is not chained: its text, which may hold a row's values, would show up in every traceback.
    """
    try:
        yield
    except (SQLAlchemyError, psycopg.Error) as error:
        raise translate(error) from None


# --- where ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Target:
    """A database to connect to, and the setting that names it."""

    url: URL
    setting: str

    @property
    def place(self) -> str:
        """Host, port and database as messages show them: no user, no password."""
        host = self.url.host or self.url.query.get("host", "localhost")
        return f"{host}:{self.url.port or 5432}/{self.url.database}"


def _warehouse(settings: Settings) -> _Target:
    if settings.database_url is None:
        return _Target(embedded.ensure_running(settings).url(), _WAREHOUSE_SETTING)
    return _Target(_parse(settings.database_url, _WAREHOUSE_SETTING), _WAREHOUSE_SETTING)


def _parse(text: str, setting: str) -> URL:
    """Read a URL that a user gave; nothing of it is repeated, since what is mistyped may be the password."""
    advice = (
        "Write postgresql://user:password@host:5432/database;"
        " in the password write @ as %40, : as %3A, / as %2F, # as %23, % as %25."
    )
    try:
        url = sa.make_url(text.strip())
    except (ArgumentError, ValueError):
        raise SetupError(f"{setting} is not a database URL.", advice) from None
    if not re.fullmatch(r"postgres(ql)?(\+\w+)?", url.drivername):
        raise SetupError(f"{setting} is not a PostgreSQL URL.", advice)
    if "@" in (url.host or "") or "@" in (url.database or ""):
        raise SetupError(f"{setting} holds more than one @.", advice)
    if not url.database:
        raise SetupError(f"{setting} names no database.", advice)
    return url.set(drivername="postgresql+psycopg")


# --- checks of a server -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Facts:
    """What one query tells about a database and our rights in it."""

    user: str
    database: str
    encoding: str
    standby: bool
    may_create: bool
    may_use_temporary: bool
    may_create_in_schema: bool


_FACTS = """
SELECT current_user::text AS user,
       current_database()::text AS database,
       current_setting('server_encoding') AS encoding,
       pg_is_in_recovery() AS standby,
       has_database_privilege(current_database(), 'CREATE') AS may_create,
       has_database_privilege(current_database(), 'TEMPORARY') AS may_use_temporary,
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create_in_schema
"""


def _check(target: _Target, check_rights: Callable[[_Facts, _Target], None]) -> None:
    """Connect once, outside any pool, so that a failure is told by its cause, not by a later statement."""
    _, arguments = PGDialect_psycopg().create_connect_args(target.url)
    arguments.setdefault("connect_timeout", CONNECT_SECONDS)
    try:
        with psycopg.connect(**arguments, autocommit=True) as connection:
            _check_version(connection.info.server_version, target)
            facts = connection.cursor(row_factory=class_row(_Facts)).execute(_FACTS).fetchone()
    except psycopg.Error as error:
        raise _connect_failure(str(error), target) from None
    if facts:
        _check_usable(facts, target)
        check_rights(facts, target)


def _check_version(number: int, target: _Target) -> None:
    if number // 10_000 < OLDEST_VERSION:
        raise SetupError(
            f"PostgreSQL at {target.place} is version {number // 10_000}, older than {OLDEST_VERSION}.",
            f"Upgrade it, or set {target.setting} to a newer server.",
        )


def _check_usable(facts: _Facts, target: _Target) -> None:
    if facts.standby:
        raise SetupError(
            f"PostgreSQL at {target.place} is a read-only standby.", f"Set {target.setting} to the primary."
        )
    if facts.encoding != "UTF8":
        raise SetupError(
            f"Database {target.place} is encoded in {facts.encoding}, which cannot hold every name.",
            "Create it with ENCODING 'UTF8' TEMPLATE template0.",
        )


def _check_warehouse(facts: _Facts, target: _Target) -> None:
    for right, granted in (("CREATE", facts.may_create), ("TEMPORARY", facts.may_use_temporary)):
        if not granted:
            raise SetupError(
                f"User {facts.user} lacks the right {right} on database {target.place}.",
                f'As its owner run: GRANT {right} ON DATABASE "{facts.database}" TO "{facts.user}";',
            )


def _check_storage(facts: _Facts, target: _Target) -> None:
    if not facts.may_create_in_schema:
        raise SetupError(
            f"User {facts.user} may not create tables in the default schema of {target.place}.",
            f'As its owner run: GRANT CREATE ON SCHEMA public TO "{facts.user}";',
        )


# --- what went wrong --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Meaning:
    """What an error's text or code means: our error, the problem and the next step."""

    matches: str
    error: type[MigrationError]
    problem: str
    next_step: str

    def at(self, target: _Target | None) -> MigrationError:
        """The error, naming the place and the setting where they are known."""
        place = target.place if target else "the configured place"
        setting = target.setting if target else "the database URL"
        texts = (text.format(place=place, setting=setting) for text in (self.problem, self.next_step))
        return self.error(*texts)


# A refused connection carries no SQLSTATE, only text; the first pattern found in it decides.
_CONNECT_MEANINGS = [
    _Meaning(
        r"authentication failed|no password supplied|role \".*\" does not exist",
        SetupError,
        "PostgreSQL at {place} refuses the user or the password.",
        "Check both in {setting}.",
    ),
    _Meaning(
        r"no pg_hba\.conf entry|pg_hba\.conf rejects",
        SetupError,
        "PostgreSQL at {place} does not let this user in from this machine.",
        "Have its administrator add a line to pg_hba.conf, or add ?sslmode=require to {setting}.",
    ),
    _Meaning(
        r"database \".*\" does not exist",
        SetupError,
        "The database {place} does not exist.",
        "Create it with createdb, or correct {setting}.",
    ),
    _Meaning(
        r"permission denied for database",
        SetupError,
        "The user may not connect to {place}.",
        "Have its owner run GRANT CONNECT ON DATABASE for the user in {setting}.",
    ),
    _Meaning(
        r"Temporary failure in name resolution",
        DatabaseUnavailable,
        "The name of the host of {place} cannot be resolved now.",
        "Check the network and the host in {setting}, then try again.",
    ),
    _Meaning(
        r"failed to resolve host|could not translate host name|Name or service not known",
        SetupError,
        "The host of {place} is not known.",
        "Correct the host in {setting}.",
    ),
    _Meaning(
        r"Connection refused|No such file or directory",
        DatabaseUnavailable,
        "No PostgreSQL server answers at {place}.",
        "Start it, or correct host and port in {setting}.",
    ),
    _Meaning(
        r"timeout expired|timed out|No route to host|Network is unreachable",
        DatabaseUnavailable,
        f"PostgreSQL at {{place}} does not answer within {CONNECT_SECONDS} s.",
        "Check the network, the firewall, and host and port in {setting}.",
    ),
    _Meaning(
        r"starting up|shutting down|recovery mode|not yet accepting connections",
        DatabaseUnavailable,
        "PostgreSQL at {place} is starting or stopping.",
        "Try again in a moment.",
    ),
    _Meaning(
        r"too many clients|too many connections|remaining connection slots",
        DatabaseUnavailable,
        "PostgreSQL at {place} has no free connection.",
        "Close other programs or raise its max_connections, then try again.",
    ),
    _Meaning(
        r"unsupported startup parameter",
        SetupError,
        "A connection pooler at {place} refuses session options.",
        "Point {setting} at PostgreSQL itself.",
    ),
    _Meaning(
        r"SSL|certificate",
        SetupError,
        "The encrypted connection to {place} could not be set up.",
        "Check sslmode and the certificates in {setting}.",
    ),
    _Meaning(
        r"invalid (connection option|URI query parameter|\w+ value|port number)",
        SetupError,
        "An option or the port of {setting} is not one PostgreSQL knows.",
        "Correct what follows the ? or the port in it.",
    ),
    _Meaning(
        r"",
        DatabaseUnavailable,
        "The connection to PostgreSQL at {place} failed or was lost.",
        "Check that the server runs (`psql` with the same URL tells more), then try again.",
    ),
]

# SQLSTATEs, or their first letters, of a statement that failed.
_STATE_MEANINGS = [
    _Meaning(
        r"53100",
        TransientError,
        "The disk of the PostgreSQL server is full; nothing of this step was kept.",
        "Free space there (`migrate database-url` names the server), then run the same command again.",
    ),
    _Meaning(
        r"40001|40P01",
        TransientError,
        "Another transaction was in the way (serialization failure or deadlock).",
        "Run the same command again.",
    ),
    _Meaning(
        r"55P03",
        TransientError,
        "A table is locked by another transaction.",
        "Run the same command again when it has ended.",
    ),
    _Meaning(
        r"53300",
        DatabaseUnavailable,
        "PostgreSQL has no free connection.",
        "Close other programs or raise its max_connections, then try again.",
    ),
    _Meaning(
        r"53200|53400|54P",
        DatabaseUnavailable,
        "The PostgreSQL server is out of memory or over one of its limits.",
        "Free memory there, then run the same command again.",
    ),
    _Meaning(
        r"08|57P0[1-5]|25P03|25P04",
        DatabaseUnavailable,
        "The connection to PostgreSQL was lost or the server is stopping; nothing of this step was kept.",
        "When the server runs again, run the same command again.",
    ),
    _Meaning(
        r"28",
        SetupError,
        "PostgreSQL refuses the user or the password.",
        "Check both in the database URL.",
    ),
    _Meaning(
        r"3D000",
        SetupError,
        "The database does not exist.",
        "Create it with createdb, or correct the database URL.",
    ),
]


def _connect_failure(text: str, target: _Target | None) -> MigrationError:
    meaning = next(m for m in _CONNECT_MEANINGS if re.search(m.matches, text))
    return meaning.at(target)


def _statement_failure(state: str, cause: BaseException) -> MigrationError:
    for meaning in _STATE_MEANINGS:
        if re.match(meaning.matches, state):
            return meaning.at(None)
    problem = f"PostgreSQL refused a statement: {_name_of(state)} ({state}){_where(cause)}."
    if state == "42501":
        return SetupError(problem, "Grant the user of the database URL that right.")
    if state == "25006":
        return SetupError(problem, "Point the database URL at the primary.")
    return MigrationError(problem, "Nothing of this step was kept. If the table was not changed by hand, report it.")


def _name_of(state: str) -> str:
    try:
        name = psycopg.errors.lookup(state).__name__
    except KeyError:
        return "error"
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()


def _where(cause: BaseException) -> str:
    """The table, column and constraint an error names; names only, its texts hold values."""
    diagnostics = cause.diag if isinstance(cause, psycopg.Error) else None
    if diagnostics is None:
        return ""
    table = ".".join(part for part in (diagnostics.schema_name, diagnostics.table_name) if part)
    named = (
        ("table", table),
        ("column", diagnostics.column_name),
        ("constraint", diagnostics.constraint_name),
    )
    return "".join(f", {kind} {name}" for kind, name in named if name)
