"""Settlements of the operations panel: which finance row counts for a booking, and whether it is settled."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa

from booking_assets.merge.frames import TEXT, UNKNOWN, flags_of, looked_up, microseconds, moments
from booking_assets.merge.statuses import chosen_finances, settlements
from booking_assets.parsing.keys import BSTADMIN, keys
from booking_assets.parsing.numbers import booleans, primary_keys
from booking_assets.parsing.times import timestamps
from booking_assets.parsing.warnings import invalid
from migration.outcome import Outcome

FINANCE_TABLE, FINANCE_ITEM_TABLE = "booking_finances", "booking_finance_items"
ORPHAN_BOOKING, ORPHAN_FINANCE, SAME_IDENTITY = "ORPHAN_BOOKING", "ORPHAN_FINANCE", "SAME_IDENTITY"


def finance_rows(cells: pd.DataFrame, latest: dt.datetime) -> tuple[pd.DataFrame, dict[str, pd.Series]]:
    """What the finance rows say: `pk`, `source_pk`, `source_row`, `booking_id`, times, pattern and lock; and warnings.

    Args:
        cells: cells of the finance rows, with `pk`, `source_pk` and `source_row`.
        latest: the latest time that a record may bear.
    """
    times = {name: timestamps(cells[name], latest) for name in ("updated_at", "assigned_at", "validated_at")}
    pattern, locked = primary_keys(cells["pattern_id"]), booleans(cells["is_locked"])
    rows = cells[["pk", "source_pk", "source_row"]].assign(
        booking_id=primary_keys(cells["booking_id"]).value,
        pattern_id=pattern.value,
        is_locked=flags_of(locked.value),
        **{name: column.value for name, column in times.items()},
    )
    return rows, invalid(**times, pattern_id=pattern, is_locked=locked)


def finance_items(cells: pd.DataFrame, latest: dt.datetime) -> pd.DataFrame:
    """What the finance items say: `pk`, `source_pk`, `source_row`, `booking_finance_id`, `paid`, `paid_at`."""
    return cells[["pk", "source_pk", "source_row"]].assign(
        booking_finance_id=primary_keys(cells["booking_finance_id"]).value,
        paid=flags_of(booleans(cells["paid"]).value),
        paid_at=timestamps(cells["paid_at"], latest).value,
    )


def decided_finances(finances: pd.DataFrame, bookings: pd.DataFrame) -> pd.DataFrame:
    """What becomes of the finance rows: the one that counts for a booking is loaded, the others merged into it.

    Args:
        finances: rows of `finance_rows`.
        bookings: the operations panel's rows: `pk`, `booking_key`, `month` (missing where not loaded), `is_speaker`.

    Returns:
        The same rows with `booking_key`, `month`, `finance_bridge_key`, and `outcome`, `reason`, `target_key` as the
        ledger has them, warnings left aside.
    """
    of = bookings.set_index("pk")
    found = {name: looked_up(finances["booking_id"], of[name]) for name in ("booking_key", "month", "is_speaker")}
    names = (f"{BSTADMIN}:{FINANCE_TABLE}:" + finances["pk"].astype(TEXT)).tolist()
    rows = finances.assign(**found, finance_bridge_key=pd.Series(keys(names), index=finances.index, dtype=TEXT))
    known = flags_of(rows["booking_key"].notna())
    chosen = np.zeros(len(rows), dtype=bool)
    chosen[known] = _chosen(rows[known])
    into = rows[chosen].set_index("booking_key")["finance_bridge_key"]
    outcome = np.where(chosen, Outcome.LOADED.value, np.where(known, Outcome.MERGED.value, Outcome.REJECTED.value))
    reason = np.where(chosen, "", np.where(known, SAME_IDENTITY, ORPHAN_BOOKING))
    return rows.assign(
        outcome=pd.Series(outcome, index=rows.index, dtype=TEXT),
        reason=pd.Series(pa.array(reason, mask=chosen), index=rows.index, dtype=TEXT),
        target_key=looked_up(rows["booking_key"], into),
        month=rows["month"].where(known),
    )


def _chosen(finances: pd.DataFrame) -> np.ndarray:
    rows = pd.DataFrame(
        {
            "group": pd.factorize(finances["booking_key"])[0],
            "booking_finance_id": finances["pk"].to_numpy(dtype=np.int64),
            "is_of_speaker": flags_of(finances["is_speaker"]),
        }
    )
    return chosen_finances(rows.assign(updated_at=finances["updated_at"].reset_index(drop=True)))


def decided_items(items: pd.DataFrame, finances: pd.DataFrame) -> pd.DataFrame:
    """What becomes of the finance items: merged into the finance row that counts for their booking.

    Args:
        items: rows of `finance_items`.
        finances: rows of `decided_finances`.
    """
    kept = finances[finances["outcome"] != Outcome.REJECTED.value].set_index("pk")
    target_key, month = (looked_up(items["booking_finance_id"], kept[name]) for name in ("target_key", "month"))
    orphan = flags_of(target_key.isna())
    outcome = np.where(orphan, Outcome.REJECTED.value, Outcome.MERGED.value)
    return items.assign(
        outcome=pd.Series(outcome, index=items.index, dtype=TEXT),
        reason=pd.Series(pa.array(np.full(len(items), ORPHAN_FINANCE), mask=~orphan), index=items.index, dtype=TEXT),
        target_key=target_key,
        month=month,
    )


def settled_finances(finances: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """The finance rows that count, with `booking_finance_id`, `settlement_status` and `last_item_paid_at`.

    Args:
        finances: rows of `decided_finances`.
        items: rows of `finance_items`.
    """
    chosen = finances[finances["outcome"] == Outcome.LOADED.value].reset_index(drop=True)
    of_finance = items[items["booking_finance_id"].notna()]
    paid_at = pd.Series(microseconds(of_finance["paid_at"]))
    latest = paid_at.groupby(of_finance["booking_finance_id"].to_numpy(dtype=np.int64)).max()
    last = looked_up(chosen["pk"], latest).fillna(UNKNOWN).to_numpy(dtype=np.int64)
    return chosen.assign(
        booking_finance_id=chosen["pk"],
        settlement_status=settlements(chosen["pk"], of_finance),
        last_item_paid_at=moments(last),
    )
