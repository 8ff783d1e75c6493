"""SQLite: a file, opened read-only."""

import sqlite3
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from migration.errors import SetupError
from migration.extract import values
from migration.extract.failures import BUSY, URL_NAME, LegacyUnavailable, Meaning
from migration.extract.servers import CONNECT_SECONDS, Server, engine_at
from migration.extract.values import Convert, Tally


class SQLite(Server):
    """A SQLite file."""

    meanings = (
        Meaning(
            r"unable to open|readonly database",
            SetupError,
            "The SQLite file {place} is not there or not readable.",
            f"Correct the path in {URL_NAME}, or the rights on the file and its folder.",
        ),
        Meaning(
            r"not a database|malformed|encrypted",
            SetupError,
            "{place} is not a SQLite database, or is damaged.",
            f"Correct the path in {URL_NAME}, or repair the file.",
        ),
        Meaning(r"locked|busy", *BUSY),
        Meaning(
            r"disk I/O error|interrupted",
            LegacyUnavailable,
            "The SQLite file {place} could not be read to its end.",
            "Check the disk it is on, then extract again; nothing was published.",
        ),
    )

    @property
    def place(self) -> str:
        """The file."""
        return str(self.url.database)

    def engine(self) -> sa.Engine:
        """An engine that opens the file read-only and leaves transactions to us."""
        uri = f"{Path(self.place).resolve().as_uri()}?mode=ro"

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(uri, uri=True, timeout=CONNECT_SECONDS, isolation_level=None)

        return engine_at(sa.make_url("sqlite://"), creator=connect)

    def begin(self, connection: sa.Connection) -> None:
        """Start a deferred transaction; its first query takes the snapshot."""
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")

    def give_raw(self, connection: sa.Connection) -> None:
        """Have bytes that are not UTF-8 come through."""
        driver: Any = connection.connection.driver_connection
        driver.text_factory = lambda data: data.decode("utf-8", "surrogateescape")

    def expression(self, column: sa.ColumnElement[Any], kind: TypeEngine[Any]) -> sa.ColumnElement[Any]:
        """The column itself."""
        del kind
        return column

    def converter(self, kind: TypeEngine[Any], tally: Tally) -> Convert:
        """By each value's own type: what a column declares is only a hint."""
        del kind
        return values.by_own_type(tally)

    def description(self, error: BaseException) -> str:
        """The text; SQLite's codes say no more."""
        return str(error)
