"""The measured checks of notifications: each looks at the partitions that it is asked about."""

import sqlalchemy as sa

from dental_assets import tables
from dental_assets.card_checks import no_card_numbers
from dental_assets.checks import DRIFT, WARNED, required_not_null, stale_rows
from dental_assets.partitions import in_range
from migration.checks import Check, Scope, at_most, in_partition, none_of, orphans, unique
from migration.tables import Query

_TABLE, _CHUNK, _PROGRESS = tables.notifications, tables.notification_chunks, tables.notification_progress
_COUNTS = ("source_rows", "loaded", "merged", "rejected", "skipped")


def _here(table: sa.Table, scope: Scope) -> sa.ColumnElement[bool]:
    """The rows of a table that are about the partitions of the export."""
    mine = table.c.export_id == scope.export.export_id
    if scope.partition is not None:
        return mine & (table.c.partition_key == scope.partition)
    return mine if scope.partitions is None else mine & table.c.partition_key.in_(scope.partitions)


def _conserved(scope: Scope) -> Query:
    """The rows of the chunks, against what became of them, and the rows that the table holds."""
    split = sa.select(sa.func.coalesce(sa.func.sum(_CHUNK.c.source_rows), 0)).where(_here(_CHUNK, scope))
    sums = [sa.func.coalesce(sa.func.sum(_PROGRESS.c[name]), 0).label(name) for name in _COUNTS]
    became = sa.select(*sums).where(_here(_PROGRESS, scope)).subquery("became")
    held = sa.select(sa.func.count()).select_from(_TABLE).where(in_partition(_TABLE, in_range, scope))
    outcomes = became.c.loaded + became.c.merged + became.c.rejected + became.c.skipped
    return sa.select(
        split.scalar_subquery().label("split"),
        *became.c,
        held.scalar_subquery().label("target_rows"),
        (split.scalar_subquery() - outcomes).label("unaccounted"),
        sa.func.greatest(became.c.loaded - held.scalar_subquery(), 0).label("not_there"),
    )


def _open_partitions(scope: Scope) -> Query:
    done = sa.and_(
        _PROGRESS.c.export_id == _CHUNK.c.export_id,
        _PROGRESS.c.partition_key == _CHUNK.c.partition_key,
        _PROGRESS.c.status == "DONE",
    )
    finished = sa.select(sa.literal(1)).where(done).exists()
    return sa.select(_CHUNK.c.partition_key).where(_CHUNK.c.export_id == scope.export.export_id, sa.not_(finished))


def _fewer(scope: Scope) -> Query:
    """What was loaded, against what the export before has loaded of the same partitions."""
    mine = _PROGRESS.c.export_id == scope.export.export_id
    before = sa.select(sa.func.max(_PROGRESS.c.export_id)).where(_PROGRESS.c.export_id < scope.export.export_id)
    earlier = _PROGRESS.c.export_id == before.scalar_subquery()
    partition = sa.true() if scope.partition is None else _PROGRESS.c.partition_key == scope.partition
    now, then = (sa.func.sum(_PROGRESS.c.loaded).filter(which) for which in (mine, earlier))
    dropped = 1 - sa.cast(now, sa.Numeric) / sa.func.nullif(then, 0)
    return sa.select(now.label("loaded"), then.label("before"), dropped.label("dropped")).where(partition)


def _warned(scope: Scope) -> Query:
    ledger, progress = scope.books.ledger, _PROGRESS
    warned = sa.select(sa.func.count()).where(
        ledger.c.export_id == scope.export.export_id,
        ledger.c.target_table == _TABLE.name,
        ledger.c.outcome == "loaded",
    )
    rows = sa.select(sa.func.sum(progress.c.source_rows)).where(progress.c.export_id == scope.export.export_id)
    share = sa.cast(warned.scalar_subquery(), sa.Numeric) / sa.func.nullif(rows.scalar_subquery(), 0)
    return sa.select(warned.scalar_subquery().label("warned"), share.label("rate"))


ALL = (
    Check(
        "conservation",
        "Every row of the chunk has exactly one outcome, and the table holds the rows that were loaded.",
        _conserved,
        error=none_of("unaccounted", "not_there"),
        blocking=True,
        kind="conservation",
    ),
    unique("pk_unique", _TABLE, split_by=in_range),
    unique("legacy_id_unique", _TABLE, ["legacy_notification_id"], split_by=in_range),
    required_not_null(_TABLE, in_range),
    orphans("fk_orphans", _TABLE, split_by=in_range),
    no_card_numbers(_TABLE, "context", split_by=in_range),
    Check(
        "row_count_drift",
        "By how much fewer notifications were loaded than from the export before.",
        _fewer,
        warn=at_most(dropped=DRIFT),
    ),
    Check(
        "warning_rate",
        "Share of the notifications of an export that were loaded with a warning.",
        _warned,
        warn=at_most(rate=WARNED),
    ),
    stale_rows(_TABLE),
    Check(
        "notification_partitions_complete",
        "Every range of the export's notifications is done.",
        lambda scope: sa.select(sa.func.count().label("not_done")).select_from(_open_partitions(scope).subquery()),
        warn=none_of("not_done"),
        keys=_open_partitions,
    ),
)
