"""Checks over all batches: statuses that contradict each other, what is left to map, and money through the merge."""

import sqlalchemy as sa

from booking_assets import tables
from booking_assets.checks import exactly, kept
from booking_assets.checks.control import control_totals
from booking_assets.parsing.statuses import DONE, PAID
from migration.checks import Check, Scope, at_most
from migration.tables import Query

MOST_DRIFT = "0.01"

_core, _queue = tables.booking_core, tables.unmapped_queue
_done = sa.and_(kept(_core), _core.c.ops_fulfillment_status == DONE)


def drifting_bookings() -> Query:
    """Bookings that operations are done with and that nobody has paid."""
    return (
        sa.select(_core.c.booking_key)
        .where(_done, _core.c.customer_payment_status != PAID)
        .order_by(_core.c.booking_key)
    )


def _drift(_scope: Scope) -> Query:
    drifting = sa.func.count().filter(_core.c.customer_payment_status != PAID)
    done = sa.func.count()
    return sa.select(
        drifting.label("drifting"), done.label("done"), exactly(drifting, done).label("drift_ratio")
    ).where(_done)


def _open(_scope: Scope) -> Query:
    waiting = sa.and_(_queue.c.queue_type == "VARIANT_MAPPING", _queue.c.status == "OPEN")
    return (
        sa.select(_queue.c.channel_code, sa.func.count().label("open")).where(waiting).group_by(_queue.c.channel_code)
    )


QUALITY_REPORT = (
    Check(
        "ops_status_drift",
        "Share of bookings that operations are done with and that nobody has paid.",
        _drift,
        error=at_most(drift_ratio=MOST_DRIFT),
        keys=lambda scope: drifting_bookings(),
    ),
    Check("unmapped_queue_open", "Variants, per channel, that wait to be mapped.", _open),
    control_totals,
)
