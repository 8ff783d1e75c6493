"""The boundaries of a run: right before and after each SQL statement and commit, and in the middle of each COPY.

While the hooks are installed, every boundary is written to a journal, and one of them can be chosen to do something
there: kill the process, end the session, fail.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

_TEXT = 90


@dataclass
class Boundaries:
    """Counts boundaries, keeps the journal, and acts at the chosen one.

    Attributes:
        journal: file that each boundary is written to as it is reached: `<number> <moment> <statement>`.
        number: the boundary to act at, counted from 1; 0 = none.
        moment: `before`, `during` (a COPY only) or `after`.
        act: what to do there.
    """

    journal: Path
    number: int = 0
    moment: str = "before"
    act: Callable[[], None] = lambda: None
    count: int = 0

    def reach(self, moment: str, statement: str) -> None:
        """Write a boundary down; act at the chosen one."""
        if moment == "before":
            self.count += 1
        text = f"{self.count} {moment} {' '.join(statement.split())[:_TEXT]}\n"
        chosen = self.count == self.number and moment == self.moment
        with self.journal.open("a", encoding="utf-8") as file:
            file.write(f"HERE {text}" if chosen else text)
        if chosen:
            self.act()


def kill() -> None:
    """End this process as `kill -9` does: nothing is closed, nothing is flushed."""
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def watched(boundaries: Boundaries) -> Iterator[Boundaries]:
    """Watch every statement, COPY and commit of this process."""

    def before(connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if connection.dialect.name == "postgresql":
            boundaries.reach("before", statement)

    def after(connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if connection.dialect.name == "postgresql":
            boundaries.reach("after", statement)

    originals = (psycopg.Cursor.copy, psycopg.Connection.execute, PGDialect_psycopg.do_commit)
    sa.event.listen(sa.Engine, "before_cursor_execute", before)
    sa.event.listen(sa.Engine, "after_cursor_execute", after)
    psycopg.Cursor.copy = _copy(boundaries, psycopg.Cursor.copy)  # type: ignore[method-assign]
    psycopg.Connection.execute = _call(boundaries, psycopg.Connection.execute)  # type: ignore[method-assign]
    PGDialect_psycopg.do_commit = _commit(boundaries, PGDialect_psycopg.do_commit)  # type: ignore[method-assign]
    try:
        yield boundaries
    finally:
        psycopg.Cursor.copy, psycopg.Connection.execute, PGDialect_psycopg.do_commit = originals  # type: ignore[method-assign]
        sa.event.remove(sa.Engine, "before_cursor_execute", before)
        sa.event.remove(sa.Engine, "after_cursor_execute", after)


def _copy(boundaries: Boundaries, original: Any) -> Any:
    @contextmanager
    def copy(cursor: Any, statement: Any, *arguments: Any, **options: Any) -> Iterator[Any]:
        text = statement if isinstance(statement, str) else statement.as_string(cursor)
        boundaries.reach("before", text)
        with original(cursor, statement, *arguments, **options) as opened:
            yield _Watched(opened, lambda: boundaries.reach("during", text))
        boundaries.reach("after", text)

    return copy


@dataclass
class _Watched:
    """A COPY whose first rows have been sent when the boundary inside it is reached."""

    opened: Any
    reached: Callable[[], None]

    def write(self, data: Any) -> None:
        self.opened.write(data)
        self.reached()


def _call(boundaries: Boundaries, original: Any) -> Any:
    def execute(connection: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        text = query if isinstance(query, str) else query.as_string(connection)
        boundaries.reach("before", text)
        result = original(connection, query, *arguments, **options)
        boundaries.reach("after", text)
        return result

    return execute


def _commit(boundaries: Boundaries, original: Any) -> Any:
    def do_commit(dialect: Any, connection: Any) -> None:
        boundaries.reach("before", "COMMIT")
        original(dialect, connection)
        boundaries.reach("after", "COMMIT")

    return do_commit
