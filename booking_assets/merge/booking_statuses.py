"""Both statuses of the bookings of a month, from what was staged of their payments and settlements."""

import datetime as dt
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from booking_assets.merge.frames import flags_of, looked_up
from booking_assets.merge.payments import settled_elsewhere
from booking_assets.merge.statuses import Operations, ops_statuses, payment_statuses


@dataclass(frozen=True)
class Statuses:
    """The statuses of bookings, in their order.

    Attributes:
        payment: what the guest has paid.
        operations: where operations are.
        decided: the recorded statuses that were replaced, by position.
    """

    payment: pd.Series = field(repr=False)
    operations: pd.Series = field(repr=False)
    decided: pd.DataFrame = field(repr=False)


def booking_statuses(
    bookings: pd.DataFrame, payments: pd.DataFrame, finances: pd.DataFrame, stored: pd.Series, today: dt.date
) -> Statuses:
    """Both statuses of bookings.

    Args:
        bookings: the staged bookings, numbered from 0.
        payments: their loaded payments: `booking_key`, `payment_status_v2`.
        finances: the finance rows that count: `booking_key`, `settlement_status`, `validated_at`, `pattern_id`.
        stored: the payment status that the database has, by booking key.
        today: the day of the export, in Bali.
    """
    of = finances.set_index("booking_key")
    settlement, validated, pattern = (
        looked_up(bookings["booking_key"], of[name]) for name in ("settlement_status", "validated_at", "pattern_id")
    )
    positions = pd.Series(np.arange(len(bookings)), index=pd.Index(bookings["booking_key"]))
    paid = pd.DataFrame(
        {
            "group": looked_up(payments["booking_key"], positions).to_numpy(dtype=np.int64),
            "payment_status": payments["payment_status_v2"].to_numpy(),
        }
    )
    payment = payment_statuses(
        flags_of(bookings["has_website_row"]),
        bookings["signal"],
        paid,
        settled_elsewhere(bookings, settlement),
        looked_up(bookings["booking_key"], stored),
    )
    operations, decided = ops_statuses(
        Operations(
            has_row=flags_of(bookings["has_panel_row"]),
            status=bookings["ops_status"],
            is_cancelled=flags_of(bookings["is_cancelled"]),
            has_driver=flags_of(bookings["assigned_driver_id"].notna()),
            settlement_status=settlement,
            is_validated=flags_of(validated.notna()),
            has_pattern=flags_of(pattern.notna()),
        ),
        bookings["tour_date"],
        today,
    )
    return Statuses(payment, operations, decided)
