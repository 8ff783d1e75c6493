"""The state of bookings for operations, and their drivers."""

import numpy as np
import pandas as pd
import pyarrow as pa

from booking_assets.merge.frames import TEXT, flags_of, looked_up
from booking_assets.parsing.keys import BALISNAP, BSTADMIN, keys
from booking_assets.parsing.statuses import CANCELLED, NO_SHOW, PAID

_FIRST_VERSION = 1


def states(bookings: pd.DataFrame, stored: pd.DataFrame, paid_at: pd.Series) -> pd.DataFrame:
    """Where bookings stand for operations.

    Args:
        bookings: the staged bookings.
        stored: `customer_payment_status` and `ops_fulfillment_status`, by booking key.
        paid_at: the time of the earliest verified payment, by booking key.
    """
    key = bookings["booking_key"]
    payment, operations = (
        looked_up(key, stored[name]) for name in ("customer_payment_status", "ops_fulfillment_status")
    )
    of_panel, of_website = (flags_of(bookings[name]) for name in ("has_panel_row", "has_website_row"))
    flagged = flags_of(bookings["is_paid"].astype("boolean"))
    return pd.DataFrame(
        {
            "booking_key": key,
            "ops_fulfillment_status": operations,
            "assigned_driver_id": bookings["assigned_driver_id"],
            "assigned_partner_id": pd.Series(None, index=bookings.index, dtype=pd.ArrowDtype(pa.int32())),
            "assigned_at": bookings["assigned_at"],
            "is_paid_flag": np.where(of_website, flags_of(payment == PAID), flagged),
            "paid_at": looked_up(key, paid_at),
            "state_version": _FIRST_VERSION,
            "updated_from_source": pd.Series(np.where(of_panel, BSTADMIN, BALISNAP), index=key.index, dtype=TEXT),
            "is_deleted": False,
        }
    )


def assignment_keys(bookings: pd.DataFrame) -> pd.Series:
    """The keys of the assignments of bookings that the operations panel has a row of."""
    names = (f"{BSTADMIN}:bookings:" + bookings["panel_pk"].astype(TEXT)).tolist()
    return pd.Series(keys(names), index=bookings.index, dtype=TEXT)


def assignments(bookings: pd.DataFrame, finances: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    """The driver of each booking that has one.

    Args:
        bookings: the staged bookings that the operations panel has a row of.
        finances: the finance rows that count: `booking_key`, `assigned_at`.
        stored: `ops_fulfillment_status`, by booking key.
    """
    driven = bookings[bookings["assigned_driver_id"].notna()].reset_index(drop=True)
    key = driven["booking_key"]
    of_finance = looked_up(key, finances.set_index("booking_key")["assigned_at"])
    assigned_at = driven["assigned_at"].fillna(of_finance).fillna(driven["panel_freshness"])
    status = looked_up(key, stored["ops_fulfillment_status"])
    return pd.DataFrame(
        {
            "assignment_key": assignment_keys(driven),
            "booking_key": key,
            "driver_id": driven["assigned_driver_id"],
            "partner_id": pd.Series(None, index=driven.index, dtype=pd.ArrowDtype(pa.int32())),
            "assignment_source": BSTADMIN,
            "assigned_at": assigned_at.fillna(driven["booking_created_at"]),
            "unassigned_at": pd.Series(None, index=driven.index, dtype=pd.ArrowDtype(pa.timestamp("us", tz="UTC"))),
            "is_active": ~flags_of(status.isin([CANCELLED, NO_SHOW])),
            "notes": pd.Series(None, index=driven.index, dtype=TEXT),
            "is_deleted": False,
        }
    )
