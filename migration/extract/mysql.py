"""MySQL and MariaDB, by PyMySQL."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from migration.errors import SetupError
from migration.extract import failures as because
from migration.extract import values
from migration.extract.failures import URL_NAME, Meaning
from migration.extract.servers import CONNECT_SECONDS, Server, engine_at
from migration.extract.values import Convert, Tally

# A server that falls silent in the middle must not hold the extract for ever; sorting a large table may take long.
_SILENCE_SECONDS = 1800
_SNAPSHOT = (
    # The server would give up on an extract whose landing zone is slow.
    f"SET SESSION net_write_timeout = {_SILENCE_SECONDS}",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)
_VERSIONED_ENGINES = ("innodb", "rocksdb", "tokudb")


class MySQL(Server):
    """A database of a MySQL or MariaDB server."""

    default_port = 3306
    meanings = (
        Meaning(r"^(1045|1698|1862|1820) ", *because.REFUSED),
        Meaning(r"^1049 ", *because.NO_SUCH_DATABASE),
        Meaning(r"^(1044|1142|1143|1227|1370) ", *because.NO_RIGHT),
        Meaning(r"^(1129|1130) ", *because.NOT_LET_IN),
        Meaning(r"^2003 .*(not known|nodename|No address)", *because.UNKNOWN_HOST),
        Meaning(r"^(2003 .*(SSL|certificate)|2026 )", *because.NO_TLS),
        Meaning(r"^2003 ", *because.NO_ANSWER),
        Meaning(r"^(1040|1203|1226|1205|1213) ", *because.BUSY),
        Meaning(r"^(1146|1054|1412) ", *because.CHANGED),
        Meaning(
            r"^(1251|1275|2059) ",
            SetupError,
            "{place} asks for a way to sign in that is not known here.",
            f"Have its administrator give the user a password by mysql_native_password, and use it in {URL_NAME}.",
        ),
        Meaning(
            r"^1064 ",
            SetupError,
            "{place} is too old: it knows no read-only snapshots.",
            "Extract from a copy on MySQL 5.6, MariaDB 10.0 or newer.",
        ),
        Meaning(r"^(0|1053|1158|1159|1160|1161|1317|1927|1969|2006|2013|2014|2055|3024) ", *because.LOST),
        Meaning(r"^none .*(InterfaceError|OperationalError)", *because.LOST),
    )

    @property
    def place(self) -> str:
        """Host and port, or the socket, and the database."""
        socket = self.url.query.get("unix_socket")
        return f"{socket}/{self.url.database}" if socket else super().place

    def engine(self) -> sa.Engine:
        """An engine in autocommit: the transaction is one that only the server's own syntax can start."""
        defaults = {"connect_timeout": str(CONNECT_SECONDS), "read_timeout": str(_SILENCE_SECONDS)}
        query = {**defaults, **self.url.query, "charset": "utf8mb4"}
        return engine_at(self.url.set(drivername="mysql+pymysql", query=query), isolation_level="AUTOCOMMIT")

    def begin(self, connection: sa.Connection) -> None:
        """Start a read-only transaction whose snapshot is taken now, not by its first query."""
        for statement in _SNAPSHOT:
            connection.exec_driver_sql(statement)

    def give_raw(self, connection: sa.Connection) -> None:
        """Have PyMySQL give the bytes of every value: what it decodes, it decodes strictly or not at all."""
        driver: Any = connection.connection.driver_connection
        driver.use_unicode = False
        driver.decoders = {}

    def expression(self, column: sa.ColumnElement[Any], kind: TypeEngine[Any]) -> sa.ColumnElement[Any]:
        """The column itself: on the wire every value is text already."""
        del kind
        return column

    def converter(self, kind: TypeEngine[Any], tally: Tally) -> Convert:
        """Dates and times need none but their ISO form; BIT is bits; spatial types are bytes."""
        if isinstance(kind, mysql.BIT):
            return values.bit_number
        if isinstance(kind, mysql.YEAR):
            return values.whole_number
        if isinstance(kind, sa.JSON):
            return values.nested(tally)
        if isinstance(kind, sa.DateTime):
            return values.moment
        if isinstance(kind, sa.types.NullType):
            return values.bytes_of(tally)
        return values.by_python_type(kind, tally)

    def without_snapshot(self, connection: sa.Connection, schema: str | None, tables: Collection[str]) -> list[str]:
        """Tables of engines without row versions, such as MyISAM: a snapshot does not hold them still."""
        place = sa.func.database() if schema is None else sa.literal(schema)
        known = sa.table(
            "tables", *map(sa.column, ("table_schema", "table_name", "engine")), schema="information_schema"
        )
        found = connection.execute(
            sa.select(known.c.table_name, known.c.engine).where(known.c.table_schema == place)
        ).all()
        return sorted(n for n, engine in found if n in tables and engine and engine.lower() not in _VERSIONED_ENGINES)

    def drop_rest(self, driver: Any) -> None:
        """PyMySQL would read the rest of the table before it closes a cursor, from a lost connection too."""
        result = driver._result
        if result is not None:
            result.unbuffered_active = False

    def description(self, error: BaseException) -> str:
        """`1045 Access denied …`; `none` for an error without a code."""
        code = next((arg for arg in error.args if isinstance(arg, int)), "none")
        return f"{code} {type(error).__name__} {error}"
