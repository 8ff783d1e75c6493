"""What the items of each website booking that count (not cancelled) add up to, and when their tour begins."""

import numpy as np
import pandas as pd
import pyarrow as pa

from booking_assets.merge.frames import (
    DAY,
    UNKNOWN,
    amounts_of,
    at_positions,
    cents,
    days,
    first_of_each,
    flags_of,
    looked_up,
    microseconds,
)
from booking_assets.parsing.numbers import MAX_INTEGER, MONEY_LIMIT
from booking_assets.parsing.times import BALI_AHEAD, CLOCK

_SECOND = 1_000_000
_AHEAD = int(BALI_AHEAD.total_seconds()) * _SECOND
_LIMIT = int(MONEY_LIMIT) * 100
_QUANTITIES = ("adult_qty", "child_qty", "infant_qty")


def active_summaries(items: pd.DataFrame) -> pd.DataFrame:
    """What the active items of each booking add up to, one row per `booking_id` that has any, as its index.

    `total_price` is missing where the sum has no room in its column, `currency_code` where the items differ in it.
    `variant_id` and `variant_key` are those of the item with the lowest key. `tour_date` and `tour_time` are those, in
    Bali, of the earliest departure; a departure at midnight, there or in UTC, or without a time has no time of day.

    Args:
        items: loaded items: `booking_id`, `booking_item_id`, `is_active`, `currency_code`, `total_amount`, the three
            quantities, `variant_id`, `variant_key`, and of their departures `starts_at` and `is_date_only`.
    """
    active = items[flags_of(items["is_active"])]
    order = np.lexsort(
        (active["booking_item_id"].to_numpy(dtype=np.int64), active["booking_id"].to_numpy(dtype=np.int64))
    )
    rows = active.take(order).reset_index(drop=True)  # type: ignore[arg-type]
    bookings, starts, group = np.unique(
        rows["booking_id"].to_numpy(dtype=np.int64), return_index=True, return_inverse=True
    )
    sums = _sums(cents(rows["total_amount"]), starts)
    found = pd.DataFrame(
        {
            "items": np.diff(np.append(starts, len(rows))),
            "total_price": amounts_of(sums, sums >= _LIMIT),
            "currency_code": _common(rows["currency_code"], group, starts),
            "variant_id": at_positions(rows["variant_id"], starts),
            "variant_key": at_positions(rows["variant_key"], starts),
        }
    )
    for name in _QUANTITIES:
        counted = np.minimum(_sums(rows[name].to_numpy(dtype=np.int64), starts), MAX_INTEGER)
        found[name] = pd.Series(counted, dtype=pd.ArrowDtype(pa.int64()))
    dates, times = _departures(rows, group, len(bookings))
    return found.assign(tour_date=dates, tour_time=times).set_index(pd.Index(bookings, name="booking_id"))


def itinerary_times(itineraries: pd.DataFrame) -> pd.Series:
    """When the first stop of each variant begins, by `variant_id`; missing where the first one has no time.

    Args:
        itineraries: `itinerary_id`, `variant_id`, `day`, `sort_order`, `start_time`.
    """
    known = itineraries[itineraries["variant_id"].notna()]
    ordered = known.sort_values(["variant_id", "day", "sort_order", "itinerary_id"], na_position="last", kind="stable")
    return ordered.drop_duplicates("variant_id").set_index("variant_id")["start_time"]


def of_bookings(summaries: pd.DataFrame, booking_ids: pd.Series) -> pd.DataFrame:
    """The summaries of these bookings, row by row; missing where a booking has no active items."""
    return pd.DataFrame({str(name): looked_up(booking_ids, summaries[name]) for name in summaries.columns})


def _sums(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    return np.add.reduceat(values, starts) if len(starts) else values


def _common(values: pd.Series, group: np.ndarray, starts: np.ndarray) -> pd.Series:
    """The value that all rows of a group share, else missing."""
    first = at_positions(values, starts)
    differs = (values.reset_index(drop=True) != at_positions(first, group)).fillna(value=True).to_numpy(dtype=bool)
    mixed = np.zeros(len(starts), dtype=bool)
    mixed[group[differs]] = True
    return first.mask(mixed)


def _departures(rows: pd.DataFrame, group: np.ndarray, count: int) -> tuple[pd.Series, pd.Series]:
    moments = microseconds(rows["starts_at"])
    order = np.lexsort((rows["booking_item_id"].to_numpy(dtype=np.int64), moments, group))
    first = first_of_each(group[order], (moments != UNKNOWN)[order], count)
    chosen = np.where(first >= 0, order[first] if len(order) else -1, -1)
    at = np.where(chosen >= 0, moments[chosen] if len(moments) else UNKNOWN, UNKNOWN)
    return days(at, _AHEAD), _clock(at, flags_of(at_positions(rows["is_date_only"], chosen)))


def _clock(at: np.ndarray, date_only: np.ndarray) -> pd.Series:
    known = np.where(at == UNKNOWN, 0, at)
    in_utc, in_bali = (known % DAY // _SECOND, (known + _AHEAD) % DAY // _SECOND)
    none = (at == UNKNOWN) | date_only | (in_utc == 0) | (in_bali == 0)
    return pd.Series(pa.array(in_bali * _SECOND, mask=none).cast(CLOCK), dtype=pd.ArrowDtype(CLOCK))
