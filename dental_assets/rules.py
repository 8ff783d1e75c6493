"""What a good row of the dental system is: reason codes and warnings, and the conditions that give them.

Only what makes a row no row at all is judged while a file is read. Everything else is judged by set, once it is known
which of the rows with the same id counts.
"""

from typing import Any

import sqlalchemy as sa

from migration.declare.resolving import PROBLEM
from migration.outcome import Rule

Condition = sa.ColumnElement[bool]
Coded = tuple[str, Condition]

KEYED = (
    Rule("MALFORMED_ROW", lambda rows: rows["malformed"].notna()),
    Rule("INVALID_PK", lambda rows: rows[f"id{PROBLEM}"], "id"),
)
OPTIONAL_TABLE_ABSENT = "OPTIONAL_TABLE_ABSENT"


def missing(*columns: sa.ColumnElement[Any]) -> Coded:
    """A row lacks something that it needs."""
    return "MISSING_REQUIRED", sa.or_(*(column.is_(None) for column in columns))


def unknown(code: str, *parents: sa.FromClause) -> Coded:
    """A row names a parent, joined by its legacy id, that is not there."""
    return code, sa.or_(*(parent.c.id.is_(None) for parent in parents))


def dropped(code: str, named: sa.ColumnElement[int], parent: sa.FromClause) -> dict[str, Condition]:
    """The warning that a row names a parent that is not there, and does not need."""
    return {code: sa.and_(named.is_not(None), parent.c.id.is_(None))}
