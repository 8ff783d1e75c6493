"""Explain: what became of a source row, or where a target row comes from, told from the ledger and the quarantine.

Tables that a system names may say more of a target row: which values were decided against, what was merged into it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from migration.errors import SetupError

if TYPE_CHECKING:
    from migration.declare.system import System

ROW_PREFIX = "row:"
MAX_DIGITS = 18
MOST_SHOWN = 200


@dataclass(frozen=True)
class Teller:
    """A table of a system that says more of its target rows.

    Attributes:
        says: what is shown of a row, by name; nothing personal. Texts, or what can be shown as one.
        export_id: the column with the export in which it was decided.
        target_key: the column with the key of the target row.
        target: the target table that the key is of: a column that names it, or the same for all rows.
    """

    says: Mapping[str, sa.ColumnElement[Any]]
    export_id: sa.ColumnElement[str]
    target_key: sa.ColumnElement[Any]
    target: sa.ColumnElement[str]


@dataclass(frozen=True)
class Explanation:
    """One outcome of one source row.

    Attributes:
        export_id: the export.
        source: source table and row.
        source_pk: the legacy key.
        target: the target table that the outcome is about.
        outcome: loaded, merged, rejected or skipped.
        reason: reason code, skip rule, or comma list of warnings.
        detail: column and rule of a rejected row.
        target_key: the key of the target row.
        run_id: the run that decided.
        lost_to: for a merged row, the source row that was loaded instead.
        further: what tables of the system say of the target row in this export, by name.
    """

    export_id: str
    source: str
    source_pk: str
    target: str
    outcome: str
    reason: str | None
    detail: str | None
    target_key: str | None
    run_id: str
    lost_to: str | None
    further: tuple[Mapping[str, str], ...] = ()


def explain(connection: sa.Connection, system: "System", subject: str, export_id: str | None) -> list[Explanation]:
    """What the ledger says of a subject.

    Args:
        connection: the target database.
        system: the system.
        subject: `row:17`, `payments:row:17` (a source table and row), a legacy key, a target key, or
            `invoices:KEY` (a target table and key).
        export_id: only this export; None = the newest that knows the subject.

    Raises:
        SetupError: nothing is known of the subject.
    """
    ledger, rejected = system.books.ledger, system.books.rejected
    condition = _matches(ledger, subject, {table.name for table in system.metadata.tables.values()})
    newest = sa.select(sa.func.max(ledger.c.export_id)).where(condition).scalar_subquery()
    same_row = sa.and_(
        *(rejected.c[n] == ledger.c[n] for n in ("export_id", "source_table", "source_row", "target_table"))
    )
    rows = connection.execute(
        sa.select(
            ledger.c.export_id,
            sa.func.concat(ledger.c.source_table, " ", ROW_PREFIX, ledger.c.source_row),
            ledger.c.source_pk,
            ledger.c.target_table,
            ledger.c.outcome,
            ledger.c.reason,
            rejected.c.detail,
            ledger.c.target_key,
            ledger.c.run_id,
            _winner(ledger),
        )
        .select_from(ledger.outerjoin(rejected, same_row))
        .where(condition, ledger.c.export_id == (newest if export_id is None else export_id))
        .order_by(ledger.c.source_table, ledger.c.source_row, ledger.c.target_table)
        .limit(MOST_SHOWN)
    ).all()
    if not rows:
        raise SetupError(
            f"The ledger of {system.name} knows nothing of {subject}.",
            "Give a source row as row:17 or table:row:17, or the key of a target row as KEY or table:KEY.",
        )
    return _with_further(connection, system.tellers, [Explanation(*row) for row in rows])


def _winner(ledger: sa.Table) -> sa.ScalarSelect[str]:
    """The source row that was loaded where this one was merged: the one of its own key, if several make the target."""
    winner = ledger.alias("winner")
    return (
        sa.select(sa.func.concat(winner.c.source_table, " row:", winner.c.source_row))
        .where(
            winner.c.export_id == ledger.c.export_id,
            winner.c.target_table == ledger.c.target_table,
            winner.c.target_key == ledger.c.target_key,
            winner.c.outcome == "loaded",
            ledger.c.outcome == "merged",
        )
        .order_by(
            sa.case(((winner.c.source_table == ledger.c.source_table) & (winner.c.source_pk == ledger.c.source_pk), 0)),
            winner.c.source_table,
            winner.c.source_row,
        )
        .limit(1)
        .correlate(ledger)
        .scalar_subquery()
    )


def _with_further(connection: sa.Connection, tellers: Iterable[Teller], found: list[Explanation]) -> list[Explanation]:
    """The outcomes with what the tables of the system say of their target rows; one statement per table."""
    exports = {each.export_id for each in found}
    targets = {each.target_key for each in found if each.target_key}
    told: dict[tuple[str, str, str], list[Mapping[str, str]]] = {}
    for teller in tellers if targets else ():
        key = sa.cast(teller.target_key, sa.Text)
        about = [teller.export_id, teller.target, key]
        shown = [sa.cast(column, sa.Text) for column in teller.says.values()]
        rows = connection.execute(
            sa.select(*about, *shown)
            .where(teller.export_id.in_(exports), key.in_(targets))
            .order_by(*about, *shown)
            .limit(MOST_SHOWN)
        )
        for export_id, target, target_key, *values in rows:
            says = {name: value for name, value in zip(teller.says, values, strict=True) if value is not None}
            told.setdefault((export_id, target, target_key), []).append(says)
    return [
        replace(each, further=tuple(told.get((each.export_id, each.target, each.target_key or ""), ())))
        for each in found
    ]


def _matches(ledger: sa.Table, subject: str, targets: Iterable[str]) -> sa.ColumnElement[bool]:
    table, prefix, row = subject.rpartition(ROW_PREFIX)
    if prefix and row.isdecimal() and len(row) <= MAX_DIGITS and (not table or table.endswith(":")):
        number = ledger.c.source_row == int(row)
        return number if not table else number & (ledger.c.source_table == table.rstrip(":"))
    target, colon, target_key = subject.partition(":")
    if colon and target in targets:
        return (ledger.c.target_table == target) & (ledger.c.target_key == target_key)
    return sa.or_(ledger.c.target_key == subject, ledger.c.source_pk == subject)
