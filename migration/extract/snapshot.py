"""One consistent, read-only view of the legacy database that a URL names."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SAWarning, SQLAlchemyError

from migration.errors import SetupError
from migration.extract.failures import URL_NAME
from migration.extract.mysql import MySQL
from migration.extract.postgresql import PostgreSQL
from migration.extract.servers import Server
from migration.extract.sqlite import SQLite

_KINDS: dict[str, type[Server]] = {r"mysql|mariadb": MySQL, r"postgres(ql)?": PostgreSQL, r"sqlite": SQLite}
_ADVICE = (
    "Write mysql://user:password@host:3306/database, postgresql://user:password@host:5432/database or"
    " sqlite:///file; in the password write @ as %40, : as %3A, / as %2F, # as %23, % as %25."
)


@dataclass(frozen=True)
class Snapshot:
    """A legacy database as it was at one moment.

    Attributes:
        server: whose database it is.
        connection: the one connection that sees that moment.
        taken_at: the moment, in UTC, by this machine's clock; what was committed before it is in the snapshot.
    """

    server: Server
    connection: sa.Connection
    taken_at: datetime


def server_of(text: str) -> Server:
    """The server that a URL names; nothing of the URL is repeated, since what is mistyped may be the password.

    Raises:
        SetupError: it is no URL, of a kind that is not known, or names no database.
    """
    url = _parsed(text)
    for pattern, kind in _KINDS.items():
        if re.fullmatch(rf"({pattern})(\+\w+)?", url.drivername):
            return kind(url)
    raise SetupError(f"{URL_NAME} names a kind of database that cannot be extracted.", _ADVICE)


def _parsed(text: str) -> sa.URL:
    if not text.strip():
        raise SetupError(f"No legacy database is named by {URL_NAME}.", _ADVICE)
    try:
        url = sa.make_url(text.strip())
    except (ArgumentError, ValueError):
        raise SetupError(f"{URL_NAME} is not a database URL.", _ADVICE) from None
    if "@" in (url.host or "") or "@" in (url.database or ""):
        raise SetupError(f"{URL_NAME} holds more than one @.", _ADVICE)
    if not url.database:
        raise SetupError(f"{URL_NAME} names no database.", _ADVICE)
    return url


@contextmanager
def open_snapshot(server: Server) -> Iterator[Snapshot]:
    """Connect to a legacy database and hold one moment of it until the block ends.

    Raises:
        SetupError: the URL, the user, the database or a right is wrong.
        LegacyUnavailable: the server does not answer, or was lost, in the block too.
        MigrationError: a statement failed otherwise, in the block too.
    """
    engine = server.engine()
    try:
        with _connected(engine) as connection, warnings.catch_warnings():
            # A type that SQLAlchemy does not know is read as text or bytes.
            warnings.simplefilter("ignore", SAWarning)
            driver = connection.connection.driver_connection
            taken_at = datetime.now(UTC)
            try:
                server.begin(connection)
                yield Snapshot(server, connection, taken_at)
            finally:
                # There is nothing to commit, and a regular end may fail after all is done.
                server.drop_rest(driver)
                connection.invalidate()
    except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
        raise server.failure(error) from None


def _connected(engine: sa.Engine) -> sa.Connection:
    try:
        return engine.connect()
    except (TypeError, ValueError, OSError) as error:
        # Drivers take the URL's options as arguments, among them files of certificates.
        raise SetupError(
            f"An option of {URL_NAME} cannot be used ({type(error).__name__}).", "Correct what follows the ? in it."
        ) from None
