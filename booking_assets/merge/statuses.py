"""How a booking stands: what its payments say, and where operations are with it."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from booking_assets.merge.frames import TEXT, any_of_each, arrow_array, flags_of, microseconds
from booking_assets.merge.logs import RECOMPUTED, STATUS_RECOMPUTED, decisions
from booking_assets.parsing.keys import BSTADMIN
from booking_assets.parsing.statuses import (
    ATTENTION,
    CANCELLED,
    COMPLETED,
    DONE,
    DRAFT,
    NEW,
    NO_SHOW,
    PAID,
    PAYMENT_PRECEDENCE,
    PENDING,
    PENDING_PAYMENT,
    READY,
    REFUNDED,
    SETTLED,
    UPDATED,
)

_RANKS = {status: rank for rank, status in enumerate(PAYMENT_PRECEDENCE)}
_NO_SIGNAL = -1


# --- finance ----------------------------------------------------------------------------------------------------------


def settlements(finance_ids: pd.Series, items: pd.DataFrame) -> pd.Series:
    """SETTLED for a finance row that has items, all of them paid; else PENDING.

    Args:
        finance_ids: the finance rows.
        items: their `booking_finance_id` and whether they are `paid`; missing is not.
    """
    paid = pd.Series(flags_of(items["paid"]), index=items.index)
    all_paid = paid.groupby(items["booking_finance_id"].to_numpy(dtype=object)).all()
    settled = set(all_paid.index[all_paid.to_numpy(dtype=bool)])
    found = finance_ids.isin(settled).to_numpy(dtype=bool)
    return pd.Series(np.where(found, SETTLED, PENDING), index=finance_ids.index, dtype=TEXT)


def chosen_finances(finances: pd.DataFrame) -> np.ndarray:
    """Whether each finance row is the one that counts for its booking.

    Args:
        finances: `group`, `booking_finance_id`, `is_of_speaker` (whether it belongs to the row that speaks for the
            booking) and `updated_at`, valid or missing.
    """
    group = finances["group"].to_numpy(dtype=np.int64)
    ids = finances["booking_finance_id"].to_numpy(dtype=np.int64)
    order = np.lexsort((ids, microseconds(finances["updated_at"]), flags_of(finances["is_of_speaker"]), group))
    last = np.append(group[order][1:] != group[order][:-1], True) if len(order) else np.zeros(0, dtype=bool)
    chosen = np.zeros(len(group), dtype=bool)
    chosen[order[last]] = True
    return chosen


# --- payment ----------------------------------------------------------------------------------------------------------


def payment_statuses(
    has_website_row: np.ndarray,
    signals: pd.Series,
    payments: pd.DataFrame,
    settled: np.ndarray,
    stored: pd.Series | None = None,
) -> pd.Series:
    """What the guest has paid, by the booking's number.

    Args:
        has_website_row: whether the website has a row of the booking: then its own signals decide.
        signals: what the statuses of that row say, missing where nothing.
        payments: loaded payments: `group` and what their statuses mean, `payment_status`.
        settled: whether a booking that only the operations panel has is flagged as paid and its settlement is complete.
        stored: the payment status that the database has; what is PAID there is not unpaid by silence.
    """
    website = _website_statuses(signals, payments, len(has_website_row))
    found = np.where(has_website_row, website, np.where(settled, PAID, PENDING_PAYMENT)).astype(object)
    if stored is not None:
        was_paid = flags_of(stored == PAID)
        found[was_paid & np.isin(found, (PENDING_PAYMENT, DRAFT))] = PAID
    return pd.Series(found, dtype=TEXT)


def _website_statuses(signals: pd.Series, payments: pd.DataFrame, count: int) -> np.ndarray:
    ranks = np.array([_RANKS.get(signal, _NO_SIGNAL) for signal in arrow_array(signals).to_pylist()], dtype=np.int64)
    group = payments["group"].to_numpy(dtype=np.int64)
    for status, rank in _RANKS.items():
        has = any_of_each(group, flags_of(payments["payment_status"] == status), count)
        if status == REFUNDED:
            # A double charge of which one is paid back is still paid.
            has &= ~any_of_each(group, flags_of(payments["payment_status"] == PAID), count)
        ranks = np.where(has, np.maximum(ranks, rank), ranks)
    return np.where(ranks == _NO_SIGNAL, PENDING_PAYMENT, np.array(PAYMENT_PRECEDENCE, dtype=object)[ranks])


# --- operations -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operations:
    """What operations know of every booking, by its number.

    Attributes:
        has_row: whether the operations panel has a row of it.
        status: the status that the row has, one of the eight; missing where it has none or a strange one.
        is_cancelled: whether the website's row says that it will not take place.
        has_driver: whether a driver is assigned.
        settlement_status: SETTLED or PENDING of the finance row that counts, missing where there is none.
        is_validated: whether that finance row has been validated.
        has_pattern: whether it has a pattern.
    """

    has_row: np.ndarray = field(repr=False)
    status: pd.Series = field(repr=False)
    is_cancelled: np.ndarray = field(repr=False)
    has_driver: np.ndarray = field(repr=False)
    settlement_status: pd.Series = field(repr=False)
    is_validated: np.ndarray = field(repr=False)
    has_pattern: np.ndarray = field(repr=False)


def ops_statuses(operations: Operations, tour_date: pd.Series, today: object) -> tuple[pd.Series, pd.DataFrame]:
    """Where operations are with every booking, and which recorded statuses that replaces.

    Args:
        operations: what is known of the bookings.
        tour_date: when their tours are.
        today: the day of the export, in Bali.
    """
    own = np.where(operations.is_cancelled, CANCELLED, NEW)
    status = np.where(operations.has_row, operations.status.fillna(NEW).to_numpy(dtype=object), own)
    finance = operations.has_row
    rules = (
        (status == CANCELLED, CANCELLED),
        (status == NO_SHOW, NO_SHOW),
        (finance & flags_of(operations.settlement_status == SETTLED), DONE),
        (finance & operations.is_validated, COMPLETED),
        (flags_of(tour_date <= today), ATTENTION),
        (status == UPDATED, UPDATED),
        (finance & operations.has_driver & operations.has_pattern, READY),
    )
    found = np.select([flags for flags, _ in rules], [word for _, word in rules], default=NEW)
    replaced = np.flatnonzero(operations.has_row & operations.status.notna().to_numpy() & (status != found))
    decided = decisions(
        replaced,
        "ops_fulfillment_status",
        STATUS_RECOMPUTED,
        old_value=status[replaced],
        new_value=found[replaced],
        winner_source=BSTADMIN,
        resolution=RECOMPUTED,
    )
    return pd.Series(pa.array(found.tolist(), type=pa.string()), dtype=TEXT), decided
