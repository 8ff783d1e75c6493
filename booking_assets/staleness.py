"""Exports are loaded in the order in which they were taken, unless a run insists."""

import datetime as dt

import sqlalchemy as sa

from booking_assets import tables
from booking_assets.options import options_of
from booking_assets.source_rows import reference_time
from migration.declare.step import Step
from migration.declare.system import EXPORT_ASSET
from migration.errors import StaleExport
from migration.warehouse.runlog import Status


def refuse_stale(step: Step) -> None:
    """Let no export follow a newer one, in whatever order its assets are run; a dry run may look at any.

    Raises:
        NoReferenceTime: nothing says when the export was taken.
        StaleExport: the export is older than the one that was loaded last.
    """
    now = reference_time(step)
    if step.run.dry_run or options_of(step).allow_stale:
        return
    last = _last_loaded(step)
    if last is not None and now < last[1]:
        raise StaleExport(
            f"Export {step.export.export_id} was taken before export {last[0]}, which was loaded last.",
            "Load a newer export; to load this one all the same, run with allow_stale: true.",
        )


def keep_reference_time(step: Step) -> None:
    """Say in the run log when the export was taken, which later exports are held against; a dry run is not kept."""
    if step.run.dry_run:
        return
    log = step.books.run_log
    mine = sa.and_(log.c.run_id == step.run.run_id, log.c.asset == EXPORT_ASSET)
    step.connection.execute(sa.update(log).where(mine).values(reference_time=reference_time(step)))


def _last_loaded(step: Step) -> tuple[str, dt.datetime] | None:
    """The export that a table was loaded from last, and when it was taken."""
    log = step.books.run_log
    loads = [table.name for table in tables.ENTITIES]
    live = sa.and_(log.c.status == Status.SUCCESS.value, sa.not_(log.c.dry_run))
    newest = sa.select(log.c.export_id).where(live, log.c.asset.in_(loads)).order_by(log.c.finished_at.desc()).limit(1)
    taken = sa.select(log.c.export_id, log.c.reference_time).where(
        live, log.c.asset == EXPORT_ASSET, log.c.export_id == newest.scalar_subquery()
    )
    found = step.connection.execute(taken.order_by(log.c.finished_at.desc()).limit(1)).one_or_none()
    return None if found is None else (found.export_id, found.reference_time)
