"""The check that no card number, password or BIN has come through: in words, in JSON, in the quarantine."""

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from dental_assets import tables
from dental_assets.parsing.cards import SUSPECT, redacted, redacted_json
from dental_assets.parsing.json_values import without_withheld
from migration.checks import Check, Scope, in_partition, none_of
from migration.parsing.cells import from_json
from migration.tables import SplitBy, key_columns

_WITHHELD_KEY = '"(card_bin|password)"\\s*:'
_ROWS_AT_ONCE = 1_000

Finding = tuple[str, str]
Findings = Callable[[Scope], Iterator[Finding]]


def no_card_numbers(table: sa.Table, *columns: str, split_by: SplitBy | None = None) -> Check:
    """Nothing of a card but its last four digits is in a table, nor in the rows that it has rejected.

    Args:
        table: the table.
        columns: its columns of words, and of JSON with words; of other JSON only the keys are looked at.
        split_by: how the rows of the table are split into partitions.
    """
    quarantine = tables.books.rejected

    def findings(scope: Scope) -> Iterator[Finding]:
        here = in_partition(table, split_by, scope)
        documents = [column.name for column in table.columns if isinstance(column.type, JSONB)]
        for name in dict.fromkeys((*columns, *documents)):
            yield from _in_column(scope, table.c[name], here, words=name in columns)
        if split_by is None:
            yield from _in_column(scope, quarantine.c.raw, quarantine.c.target_table == table.name)

    return _check(f"No card number, password or BIN is in {table.name}, nor in the rows that it rejected.", findings)


def no_card_numbers_rejected() -> Check:
    """As `no_card_numbers`, for the whole quarantine."""
    raw = tables.books.rejected.c.raw
    return _check(
        "No card number, password or BIN is in any rejected row.", lambda scope: _in_column(scope, raw, sa.true())
    )


def _check(description: str, findings: Findings) -> Check:
    def measure(scope: Scope) -> pd.DataFrame:
        return pd.DataFrame({"found": [sum(1 for _ in findings(scope))]})

    return Check(
        "no_card_numbers",
        description,
        measure,
        error=none_of("found"),
        blocking=True,
        keys=lambda scope: [f"{column} {key}" for column, key in findings(scope)],
    )


def _in_column(
    scope: Scope, column: sa.Column[Any], here: sa.ColumnElement[bool], *, words: bool = True
) -> Iterator[Finding]:
    """The rows of a column that hold what they must not; PostgreSQL finds the few that are worth a look."""
    is_document = isinstance(column.type, JSONB)
    text = sa.cast(column, sa.Text)
    suspect = text.regexp_match(SUSPECT) if words else sa.false()
    if is_document:
        suspect = suspect | sa.func.lower(text).regexp_match(_WITHHELD_KEY)
    key = key_columns(column.table)[0]
    rows = scope.connection.execute(
        sa.select(key, text).where(here, suspect).execution_options(yield_per=_ROWS_AT_ONCE)
    )
    for found, value in rows:
        if _holds(value, is_document=is_document, words=words):
            yield column.name, str(found)


def _holds(value: str, *, is_document: bool, words: bool) -> bool:
    if not is_document:
        return redacted(value) != value
    document = from_json(value)
    return without_withheld(document) != document or (words and redacted_json(document) != document)
