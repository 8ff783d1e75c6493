"""What every table of Booking does when it is written: rows that are gone are marked, the worklist is settled."""

from collections.abc import Callable, Collection, Iterator, Sequence

import pandas as pd
import sqlalchemy as sa

from booking_assets import tables
from booking_assets.merge.logs import merge_key
from booking_assets.source_rows import SourceRows, reference_time, rejects_of
from migration.declare.step import Step
from migration.exports.sources import SourceTable
from migration.outcome import Outcome
from migration.tables import key_columns, loaded_columns

SOURCE_PK_LENGTH = 128
OPEN, RESOLVED, MIGRATION = "OPEN", "RESOLVED", "migration"

Keys = Callable[[], Collection[str]]
Read = tuple[SourceTable, SourceRows]


def mark_gone(
    step: Step, table: sa.Table, produced: Keys | None = None, here: sa.ColumnElement[bool] | None = None
) -> None:
    """Mark rows as deleted that this export no longer produces; runs after the upsert.

    Args:
        step: the workbench.
        table: a table with `is_deleted`.
        produced: the keys that this export produces in any partition; None = all of them have been written now.
        here: the rows of the partition; None = the whole table.
    """
    old = sa.and_(
        table.c.export_id != step.export.export_id, sa.not_(table.c.is_deleted), sa.true() if here is None else here
    )
    step.facts["marked_deleted"] = step.update(
        table, {"is_deleted": True, "updated_at": sa.func.now()}, _not_produced(step, table, old, produced)
    )


def settle_worklist(step: Step, mine: sa.ColumnElement[bool], produced: Keys | None = None) -> None:
    """Open rows whose cause is back, and resolve open ones whose cause is gone; a person's rows stay as they are.

    Args:
        step: the workbench; the rows of this export have been upserted.
        mine: which rows of the worklist the asset asks for.
        produced: the keys that this export asks for in any partition; None = all of them have been written now.
    """
    queue = tables.unmapped_queue
    changed = {"updated_at": sa.func.now()}
    asked = sa.and_(mine, queue.c.export_id == step.export.export_id)
    back = sa.and_(asked, queue.c.status == RESOLVED, queue.c.resolved_by == MIGRATION)
    step.update(queue, {"status": OPEN, "resolved_by": None, "resolved_at": None} | changed, back)
    gone = sa.and_(mine, queue.c.export_id != step.export.export_id, queue.c.status == OPEN)
    resolved = {"status": RESOLVED, "resolved_by": MIGRATION, "resolved_at": reference_time(step)} | changed
    step.update(queue, resolved, _not_produced(step, queue, gone, produced))


def _not_produced(
    step: Step, table: sa.Table, old: sa.ColumnElement[bool], produced: Keys | None
) -> sa.ColumnElement[bool]:
    """Of rows that an older export wrote last, those that this one does not write in another partition either."""
    if produced is None:
        return old
    key = key_columns(table)[0]
    candidates = [str(each) for each in step.connection.scalars(sa.select(key).where(old))]
    gone = sorted(set(candidates).difference(produced())) if candidates else []
    return key == sa.any_(sa.cast(gone, sa.ARRAY(key.type)))


def merge_rows(export_id: str, ledger: pd.DataFrame) -> pd.DataFrame:
    """The merge log's rows of the merged rows among ledger rows that have a reason."""
    merged = ledger[(ledger["outcome"] == Outcome.MERGED.value) & ledger["reason"].notna()]
    system = merged["source_table"].str.split(".", n=1, expand=True).reindex(columns=[0, 1])
    named = zip(merged["target_table"], merged["source_table"], merged["source_row"], strict=True)
    return pd.DataFrame(
        {
            "merge_key": [merge_key(export_id, target, table, number) for target, table, number in named],
            "export_id": export_id,
            "source_system": system[0],
            "source_table": system[1],
            "source_pk": merged["source_pk"].str.slice(0, SOURCE_PK_LENGTH),
            "source_row": merged["source_row"],
            "target_table": merged["target_table"],
            "target_key": merged["target_key"],
            "reason_code": merged["reason"],
        }
    )


def split_by_month(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows that have a `month`, keyed as the partitions are."""
    for month, of_month in rows.groupby("month", sort=True):
        yield str(month), of_month


def label_without_month(step: Step, asset: str, outcomes: pd.DataFrame, read: Sequence[Read]) -> pd.DataFrame:
    """Label the rows that reach no booking, and so no month; they count under no partition of the asset.

    Args:
        step: the workbench.
        asset: the asset that the rows are meant for.
        outcomes: ledger rows with a `month` that is missing for these.
        read: the source tables that they come from.

    Returns:
        Those of them that are merged, as rows of the merge log.
    """
    apart = outcomes[outcomes["month"].isna()].drop(columns="month")
    rejects = pd.concat([rejects_of(step, source, rows, apart) for source, rows in read], ignore_index=True)
    step.label_apart(asset, apart, rejects)
    return merge_rows(step.export.export_id, apart)


def log_merges(step: Step, merged: pd.DataFrame) -> Callable[[], None]:
    """Stage rows of the merge log; returns what writes them."""
    table = tables.merge_log
    columns = loaded_columns(table)
    stage = step.create_stage(table, columns)
    if len(merged):
        step.copy(table, stage, columns, merged)
    return lambda: step.upsert(table, stage, columns)


def mark_displaced(step: Step, table: sa.Table, *columns: str) -> None:
    """Free values that rows of this export take from rows that it has not written yet, whose own month follows.

    Such a row is marked as deleted until then: only rows that are not deleted must differ in these columns.
    """
    taker = table.alias("taker")
    key = key_columns(table)[0].name
    takes = sa.and_(
        *(taker.c[name] == table.c[name] for name in columns),
        taker.c[key] != table.c[key],
        taker.c.export_id == step.export.export_id,
        sa.not_(taker.c.is_deleted),
    )
    held = sa.and_(table.c.export_id != step.export.export_id, sa.not_(table.c.is_deleted))
    taken = sa.select(sa.literal(1)).where(takes).exists()
    step.update(table, {"is_deleted": True, "updated_at": sa.func.now()}, sa.and_(held, taken))


def keys_in(step: Step, frame: str, column: str) -> Keys:
    """The keys that a staged frame holds in all its parts; read only when they are asked for."""
    return lambda: set(step.frames.read(frame)[column])
