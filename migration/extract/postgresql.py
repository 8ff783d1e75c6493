"""PostgreSQL, by psycopg: every value is cast to text on the server, which is exact for every type it has."""

from typing import Any

import sqlalchemy as sa
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from migration.errors import SetupError
from migration.extract import failures as because
from migration.extract import values
from migration.extract.failures import URL_NAME, Meaning
from migration.extract.servers import CONNECT_SECONDS, Server, engine_at
from migration.extract.values import Convert, Tally

# What a role's own settings may say otherwise. Local to the transaction, so that a pooler does not mind.
_SESSION = (
    "SET LOCAL timezone = 'UTC'",
    "SET LOCAL datestyle = 'ISO'",
    "SET LOCAL intervalstyle = 'iso_8601'",
    "SET LOCAL extra_float_digits = 1",
    "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
)
_NO_ENCODING = (
    "SELECT set_config('client_encoding', 'SQL_ASCII', true) WHERE current_setting('server_encoding') = 'SQL_ASCII'"
)
# A server that vanishes without a word is noticed within a minute, not after the kernel's two hours.
_PATIENCE = {
    "connect_timeout": str(CONNECT_SECONDS),
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}


class _BytesOfText(Loader):
    """Gives a text as its bytes: a database without an encoding may hold some that are not UTF-8."""

    def load(self, data: Buffer) -> bytes:
        """The bytes."""
        return bytes(data)


class PostgreSQL(Server):
    """A database of a PostgreSQL server."""

    default_port = 5432
    meanings = (
        Meaning(r"authentication failed|no password supplied|role \".*\" does not exist", *because.REFUSED),
        Meaning(r"no pg_hba\.conf entry|pg_hba\.conf rejects", *because.NOT_LET_IN),
        Meaning(r"^3D000 |database \".*\" does not exist", *because.NO_SUCH_DATABASE),
        Meaning(r"^42501 |permission denied for database", *because.NO_RIGHT),
        Meaning(
            r"failed to resolve host|could not translate host name|Name or service not known", *because.UNKNOWN_HOST
        ),
        Meaning(r"Connection refused|No such file or directory|timeout expired|No route to host", *because.NO_ANSWER),
        Meaning(r"^(53300|55P03|40P01|40001) |too many (clients|connections)|connection slots", *because.BUSY),
        Meaning(r"^(42P01|42703|0A000|XX000) ", *because.CHANGED),
        Meaning(
            r"invalid (connection option|URI query parameter|\w+ value|port number)",
            SetupError,
            "An option or the port of the legacy database's URL is not one PostgreSQL knows.",
            f"Correct what follows the ? or the port in {URL_NAME}.",
        ),
        Meaning(r"^none .*(SSL error|certificate|does not support SSL)", *because.NO_TLS),
        Meaning(r"^(08...|57P0.|57014|53...|25P0[34]) |^none .*(OperationalError|InterfaceError)", *because.LOST),
    )

    def engine(self) -> sa.Engine:
        """An engine whose transactions are read-only and see one moment."""
        url = self.url.set(
            drivername="postgresql+psycopg", query={**_PATIENCE, **self.url.query, "client_encoding": "utf8"}
        )
        engine = engine_at(url, isolation_level="REPEATABLE READ")
        return engine.execution_options(postgresql_readonly=True)

    def begin(self, connection: sa.Connection) -> None:
        """Start the transaction; its first query takes the snapshot."""
        for statement in _SESSION:
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql("SELECT 1")

    def give_raw(self, connection: sa.Connection) -> None:
        """Have psycopg give the bytes of every text; the server would refuse those that are not UTF-8."""
        connection.exec_driver_sql(_NO_ENCODING)
        driver: Any = connection.connection.driver_connection
        driver.adapters.register_loader("text", _BytesOfText)

    def expression(self, column: sa.ColumnElement[Any], kind: TypeEngine[Any]) -> sa.ColumnElement[Any]:
        """The column as text; bytes as they are, arrays as JSON, money without its currency sign."""
        kind = _plain(kind)
        if isinstance(kind, postgresql.BYTEA):
            return column
        if isinstance(kind, postgresql.MONEY):
            column = sa.cast(column, sa.Numeric)
        if isinstance(kind, sa.ARRAY):
            column = sa.func.array_to_json(column)
        return sa.cast(column, sa.Text)

    def converter(self, kind: TypeEngine[Any], tally: Tally) -> Convert:
        """By the declared type; a domain counts as the type it is made of."""
        kind = _plain(kind)
        if isinstance(kind, postgresql.MONEY):
            return values.exact_number
        if isinstance(kind, sa.JSON | sa.ARRAY):
            return values.nested(tally)
        if isinstance(kind, sa.DateTime):
            return values.moment
        if isinstance(kind, sa.Boolean):
            return values.truth
        return values.by_python_type(kind, tally)

    def description(self, error: BaseException) -> str:
        """`42501 permission denied …`; `none` for an error without a code, as a refused connection is."""
        return f"{getattr(error, 'sqlstate', None) or 'none'} {type(error).__name__} {error}"


def _plain(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    while isinstance(kind, postgresql.DOMAIN):
        kind = kind.data_type
    return kind
