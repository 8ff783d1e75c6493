"""Order-free fingerprints: a non-linear hash per row, summed, so that equal sets of rows have equal fingerprints."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa


def row_text(columns: Sequence[sa.ColumnElement[Any]]) -> sa.ColumnElement[str]:
    """A row of columns as PostgreSQL writes it; sessions pin time zone and date style, so the text is stable."""
    return sa.cast(sa.func.row(*columns), sa.Text)


def fingerprint_of(
    table: sa.FromClause,
    columns: Sequence[sa.ColumnElement[Any]],
    where: sa.ColumnElement[bool] | None = None,
) -> sa.Select[str]:
    """A statement that gives `<rows>:<sum of row hashes>` over some columns of a table.

    A sum, unlike an exclusive or, also changes when a row is there twice.
    """
    hashed = sa.cast(sa.func.hashtextextended(row_text(columns), 0), sa.Numeric)
    total = sa.func.coalesce(sa.func.sum(hashed), 0)
    statement = sa.select(sa.func.concat(sa.func.count(), ":", total)).select_from(table)
    return statement if where is None else statement.where(where)
