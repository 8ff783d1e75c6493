"""The export itself: verified before anything is read from it, and refused where a newer one is loaded."""

from booking_assets.assets import BOOKING, SOURCE
from booking_assets.staleness import keep_reference_time, refuse_stale
from migration.declare.step import Step


def in_order(step: Step) -> None:
    """Let no export follow a newer one, and keep its own time for those that come."""
    refuse_stale(step)
    keep_reference_time(step)


export = BOOKING.export_asset(group=SOURCE, guard=in_order)
