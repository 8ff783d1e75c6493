"""Explain: what became of a source row, or where a target row comes from, told from the ledger and the quarantine."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from migration.errors import SetupError

if TYPE_CHECKING:
    from migration.declare.system import System

ROW_PREFIX = "row:"
MAX_DIGITS = 18


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


def explain(connection: sa.Connection, system: "System", subject: str, export_id: str | None) -> list[Explanation]:
    """What the ledger says of a subject.

    Args:
        connection: the target database.
        system: the system.
        subject: `row:17`, `payments:row:17` (a source table and row), a legacy key, or a target key.
        export_id: only this export; None = the newest that knows the subject.

    Raises:
        SetupError: nothing is known of the subject.
    """
    ledger, rejected = system.books.ledger, system.books.rejected
    winner = ledger.alias("winner")
    condition = _matches(ledger, subject)
    newest = sa.select(sa.func.max(ledger.c.export_id)).where(condition).scalar_subquery()
    same_row = sa.and_(
        *(rejected.c[n] == ledger.c[n] for n in ("export_id", "source_table", "source_row", "target_table"))
    )
    of_same_target = sa.and_(
        winner.c.export_id == ledger.c.export_id,
        winner.c.target_table == ledger.c.target_table,
        winner.c.target_key == ledger.c.target_key,
        winner.c.outcome == "loaded",
        ledger.c.outcome == "merged",
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
            sa.case(
                (winner.c.source_row.is_not(None), sa.func.concat(winner.c.source_table, " row:", winner.c.source_row))
            ),
        )
        .select_from(ledger.outerjoin(rejected, same_row).outerjoin(winner, of_same_target))
        .where(condition, ledger.c.export_id == (newest if export_id is None else export_id))
        .order_by(ledger.c.source_table, ledger.c.source_row, ledger.c.target_table)
        .limit(200)
    ).all()
    if not rows:
        raise SetupError(
            f"The ledger of {system.name} knows nothing of {subject}.",
            "Give a source row as row:17 or table:row:17, or the key of a target row.",
        )
    return [Explanation(*row) for row in rows]


def _matches(ledger: sa.Table, subject: str) -> sa.ColumnElement[bool]:
    table, prefix, row = subject.rpartition(ROW_PREFIX)
    if prefix and row.isdecimal() and len(row) <= MAX_DIGITS and (not table or table.endswith(":")):
        number = ledger.c.source_row == int(row)
        return number if not table else number & (ledger.c.source_table == table.rstrip(":"))
    return sa.or_(ledger.c.target_key == subject, ledger.c.source_pk == subject)
