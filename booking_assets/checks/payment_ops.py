"""Checks of payments and operations."""

import sqlalchemy as sa

from booking_assets import tables
from booking_assets.checks import CONSERVATION, kept
from booking_assets.checks.bookings import count, counting_bookings, here, nothing_found, without_child
from booking_assets.months import booking_months
from migration.checks import Check, Scope, conservation, none_of, orphans, unique
from migration.tables import Query

_core, _payment, _state = tables.booking_core, tables.payment_event, tables.ops_booking_state
_assignment, _bridge = tables.ops_assignment, tables.ops_finance_bridge

PAYMENT_EVENT = (
    conservation(CONSERVATION, _payment, split_by=booking_months, derived=_payment.c.is_synthetic),
    orphans("payment_orphan", _payment, split_by=booking_months, counts=kept),
    unique(
        "duplicate_payment_ref",
        _payment,
        ["payment_ref"],
        split_by=booking_months,
        among=sa.and_(_payment.c.payment_ref.is_not(None), kept(_payment)),
    ),
)

_other_status = sa.exists().where(
    _core.c.booking_key == _state.c.booking_key,
    _core.c.ops_fulfillment_status != _state.c.ops_fulfillment_status,
)

OPS_BOOKING_STATE = (
    counting_bookings(_state),
    orphans("ops_booking_state_orphans", _state, split_by=booking_months, counts=kept),
    nothing_found("state_missing", "Every booking has a state.", _core, without_child(_state)),
    nothing_found(
        "status_equal",
        "A booking and its state say the same of where operations are.",
        _state,
        _other_status,
    ),
)


def _drivers(scope: Scope) -> Query:
    """The bookings whose state names a driver, and the assignments."""
    of_export = scope.export.export_id
    driven = count(
        _state, here(_state, scope), _state.c.export_id == of_export, _state.c.assigned_driver_id.is_not(None)
    )
    rows = count(_assignment, here(_assignment, scope), _assignment.c.export_id == of_export)
    return sa.select(driven.label("bookings"), rows.label("target_rows"), (driven - rows).label("unaccounted"))


OPS_ASSIGNMENT = (
    Check(
        CONSERVATION,
        "Every booking of this export that has a driver has its assignment, and no other has one.",
        _drivers,
        error=none_of("unaccounted"),
        blocking=True,
        kind="conservation",
    ),
    orphans("ops_assignment_orphans", _assignment, split_by=booking_months, counts=kept),
)

OPS_FINANCE_BRIDGE = (
    conservation(CONSERVATION, _bridge, split_by=booking_months),
    orphans("ops_finance_bridge_orphans", _bridge, split_by=booking_months, counts=kept),
)
