"""What each kind of legacy server must say of itself."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.types import TypeEngine

from migration.errors import MigrationError, SetupError
from migration.extract.failures import URL_NAME, Meaning, explain_failure
from migration.extract.values import Convert, Tally

CONNECT_SECONDS = 10


class Server(ABC):
    """One kind of legacy server, and the database that a URL names on it.

    Attributes:
        url: where the database is; nothing prints it.
        meanings: what the driver's errors mean.
    """

    meanings: ClassVar[Sequence[Meaning]]
    default_port: ClassVar[int | None] = None

    def __init__(self, url: sa.URL) -> None:
        self.url = url

    @property
    def place(self) -> str:
        """Host, port and database as messages show them: no user, no password."""
        host = self.url.host or "localhost"
        return f"{host}:{self.url.port or self.default_port}/{self.url.database}"

    @abstractmethod
    def engine(self) -> sa.Engine:
        """The engine of the database; its sessions cannot write where the server knows how to prevent it."""

    @abstractmethod
    def begin(self, connection: sa.Connection) -> None:
        """Start one read-only transaction in which every statement sees the same moment."""

    @abstractmethod
    def give_raw(self, connection: sa.Connection) -> None:
        """Have the driver give values as `converter` expects them, from the next statement on."""

    @abstractmethod
    def expression(self, column: sa.ColumnElement[Any], kind: TypeEngine[Any]) -> sa.ColumnElement[Any]:
        """What to select for a column."""

    @abstractmethod
    def converter(self, kind: TypeEngine[Any], tally: Tally) -> Convert:
        """What turns a selected value, never None, into one of JSON."""

    @abstractmethod
    def description(self, error: BaseException) -> str:
        """Code and text of a driver's error, for the patterns of `meanings`."""

    def without_snapshot(self, connection: sa.Connection, schema: str | None, tables: Collection[str]) -> list[str]:
        """Which of some tables the transaction does not hold still; none where the server has no such tables."""
        del connection, schema, tables
        return []

    def drop_rest(self, driver: Any) -> None:
        """Have a driver's connection forget a table that was not read to its end; most need no telling."""
        del driver

    def failure(self, error: BaseException) -> MigrationError:
        """Our error for one of SQLAlchemy or the driver; one of our own is returned as it is."""
        if isinstance(error, MigrationError):
            return error
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        code = next((arg for arg in cause.args if isinstance(arg, int)), None) or getattr(cause, "sqlstate", None)
        kind = f"{type(cause).__name__} {code}" if code else type(cause).__name__
        return explain_failure(self.meanings, self.description(cause), self.place, kind)


def engine_at(url: sa.URL, **options: Any) -> sa.Engine:
    """An engine whose only connection is the one that is asked for, and whose errors show no parameters.

    Raises:
        SetupError: the driver is not installed, or the URL has an option that it does not know.
    """
    try:
        return sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True, **options)
    except ImportError as error:
        raise SetupError(f"The driver {error.name} is not installed.", "Install it: `make setup`.") from None
    except (ArgumentError, TypeError, ValueError):
        raise SetupError(f"An option of {URL_NAME} is not known.", "Correct what follows the ? in it.") from None
