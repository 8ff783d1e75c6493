"""Whether a booking is paid, and how far operations are with it."""

import datetime as dt

from tests.booking.booking_finance import Finance
from tests.booking.booking_identity import Group
from tests.booking.booking_records import Record

HIGHEST_FIRST = ("REFUNDED", "PAID", "FAILED", "PENDING_PAYMENT", "DRAFT")
OPS_STATUSES = frozenset({"NEW", "READY", "ATTENTION", "UPDATED", "COMPLETED", "DONE", "CANCELLED", "NO_SHOW"})
_V2 = {
    "REFUNDED": "REFUNDED",
    **dict.fromkeys(("PAID", "CONFIRMED", "COMPLETED"), "PAID"),
    **dict.fromkeys(("CANCELLED", "EXPIRED"), "FAILED"),
    "PENDING_PAYMENT": "PENDING_PAYMENT",
    "DRAFT": "DRAFT",
}
_LEGACY = {
    **dict.fromkeys(("PAID", "COMPLETED", "CONFIRMED"), "PAID"),
    "REFUNDED": "REFUNDED",
    "DRAFT": "DRAFT",
    **dict.fromkeys(("CANCELLED", "CANCELED", "EXPIRED", "FAILED"), "FAILED"),
    **dict.fromkeys(("PENDING", "WAITING", "PENDING_PAYMENT"), "PENDING_PAYMENT"),
}


def customer_payment_status(
    group: Group, payments: list[str], finance: Finance | None, before: str | None = None
) -> str:
    """Whether the guest has paid.

    Args:
        group: the booking.
        payments: the normalised statuses of its loaded payments.
        finance: what operations settled.
        before: the status that the database holds; PAID yields only to a refund or a failure.
    """
    found = _by_signals(group.b, payments) if group.b else _by_settlement(group, finance)
    return "PAID" if before == "PAID" and found in ("PENDING_PAYMENT", "DRAFT") else found


def _by_signals(b: Record, payments: list[str]) -> str:
    signals = {_V2.get(b.upper("status_v2") or "") or _LEGACY.get(b.upper("status") or "")}
    # A double charge of which one half was refunded is still paid.
    signals |= {status for status in payments if status != "REFUNDED" or "PAID" not in payments}
    return next((status for status in HIGHEST_FIRST if status in signals), "PENDING_PAYMENT")


def _by_settlement(group: Group, finance: Finance | None) -> str:
    assert group.a
    settled = finance is not None and finance.is_settled
    return "PAID" if settled and group.a.boolean("is_paid") else "PENDING_PAYMENT"


def legacy_ops_status(group: Group) -> str:
    """The status that operations wrote, or what the website's says about them."""
    if group.a:
        status = group.a.upper("status") or ""
        return status if status in OPS_STATUSES else "NEW"
    assert group.b
    status = group.b.upper("status_v2") or ""
    if status in _V2:
        return "CANCELLED" if status in ("CANCELLED", "EXPIRED") else "NEW"
    return "CANCELLED" if group.b.upper("status") in ("CANCELLED", "CANCELED", "EXPIRED") else "NEW"


def ops_fulfillment_status(group: Group, finance: Finance | None, tour_date: dt.date, today: dt.date) -> str:
    """How far operations are, found anew."""
    status = legacy_ops_status(group)
    driver = group.a and group.a.identifier("assigned_driver_id")
    rules = (
        (status == "CANCELLED", "CANCELLED"),
        (status == "NO_SHOW", "NO_SHOW"),
        (finance is not None and finance.is_settled, "DONE"),
        (finance is not None and finance.validated_at is not None, "COMPLETED"),
        (tour_date <= today, "ATTENTION"),
        (status == "UPDATED", "UPDATED"),
        (bool(driver) and finance is not None and finance.pattern_id is not None, "READY"),
    )
    return next((found for holds, found in rules if holds), "NEW")
