"""Measured checks with their limits: one module per batch, and what they share.

Rows that are marked as deleted count nowhere, unless a check says so.
"""

from typing import Any

import sqlalchemy as sa

CONSERVATION = "conservation"


def kept(rows: sa.FromClause) -> sa.ColumnElement[bool]:
    """The condition that a row is not marked as deleted; always true of tables without the mark."""
    return sa.not_(rows.c.is_deleted) if "is_deleted" in rows.c else sa.true()


def exactly(numerator: Any, denominator: Any) -> sa.ColumnElement[Any]:
    """A ratio as an exact number, 0 where there is nothing to divide by."""
    return sa.func.coalesce(sa.cast(numerator, sa.Numeric) / sa.func.nullif(denominator, 0), 0)
