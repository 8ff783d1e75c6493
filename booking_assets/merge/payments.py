"""Payments of guests: which of the website's are loaded, and those that a settlement stands for."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa

from booking_assets.merge.frames import TEXT, arrow_array, flags_of, looked_up
from booking_assets.parsing.currencies import DEFAULT_CURRENCY, currencies
from booking_assets.parsing.json_values import json_texts
from booking_assets.parsing.keys import BALISNAP, BSTADMIN, keys
from booking_assets.parsing.numbers import amounts, primary_keys
from booking_assets.parsing.statuses import MANUAL, PAID, SETTLED, payment_method, payment_status
from booking_assets.parsing.texts import cuts, texts
from booking_assets.parsing.times import timestamps
from booking_assets.parsing.warnings import cut, invalid
from migration.outcome import Outcome
from migration.parsing.cells import parse_each, parse_pairs

PAYMENT_TABLE = "Payment"
ORPHAN_BOOKING, INVALID_PAYMENT_TIME = "ORPHAN_BOOKING", "INVALID_PAYMENT_TIME"
INVALID_AMOUNT, DUPLICATE_PAYMENT_REF = "INVALID_AMOUNT", "DUPLICATE_PAYMENT_REF"

_LENGTHS = {"gateway": 64, "gateway_order_id": 128, "gateway_capture_id": 128, "payment_ref": 128}
_STATUS_LENGTH = 64
_NOT_IN_SYNTHETIC = (*_LENGTHS, "raw_payload")


def website_payments(cells: pd.DataFrame, latest: dt.datetime) -> tuple[pd.DataFrame, dict[str, pd.Series]]:
    """What the website's payments say.

    Args:
        cells: cells of the payments, with `pk`, `source_pk` and `source_row`.
        latest: the latest time that a record may bear.

    Returns:
        Rows with `pk`, `source_pk`, `source_row`, `booking_id` and the columns of the target that do not depend on
        the booking; and per warning code whether a row has it.
    """
    paid_at, created_at = (timestamps(cells[name], latest) for name in ("payment_date", "created_at"))
    amount, currency = amounts(cells["amount"]), currencies(cells["currency_code"])
    cuts_of = {name: cuts(texts(cells[name]).value, length) for name, length in _LENGTHS.items()}
    status_raw, status_cut = cuts(_status_raw(cells), _STATUS_LENGTH)
    statuses = [cells["payment_status_v2"], cells["payment_status"]]
    rows = cells[["pk", "source_pk", "source_row"]].assign(
        booking_id=primary_keys(cells["booking_id"]).value,
        payment_time=paid_at.value.fillna(created_at.value),
        amount=amount.value,
        currency_code=currency.value,
        method=parse_each(cells["payment_method"], payment_method).astype(TEXT),
        **{name: value for name, (value, _) in cuts_of.items()},
        status_raw=status_raw,
        payment_status_v2=parse_pairs(statuses, payment_status).astype(TEXT),
        raw_payload=json_texts(cells["raw_payload"]).value,
    )
    too_long = {name: flag for name, (_, flag) in cuts_of.items()} | {"payment_status": status_cut}
    return rows, invalid(payment_date=paid_at, amount=amount, currency_code=currency) | cut(**too_long)


def _status_raw(cells: pd.DataFrame) -> pd.Series:
    first, second = (texts(cells[name]).value for name in ("payment_status", "payment_status_v2"))
    return (first.fillna("") + "|" + second.fillna("")).mask(first.isna() & second.isna())


def decided_payments(payments: pd.DataFrame, bookings: pd.DataFrame) -> pd.DataFrame:
    """What becomes of the website's payments.

    Args:
        payments: rows of `website_payments`, ascending by `pk`.
        bookings: the website's rows: `pk`, `booking_key`, `month` (both missing where not loaded), `currency_code`.

    Returns:
        The same rows with `booking_key`, `month`, `payment_key`, a `currency_code` everywhere, and `outcome`,
        `reason` and `target_key` as the ledger has them, warnings left aside.
    """
    of = bookings.set_index("pk")
    found = {name: looked_up(payments["booking_id"], of[name]) for name in ("booking_key", "month", "currency_code")}
    names = (f"{BALISNAP}:{PAYMENT_TABLE}:" + payments["pk"].astype(TEXT)).tolist()
    rows = payments.assign(
        booking_key=found["booking_key"],
        month=found["month"].where(found["booking_key"].notna()),
        payment_key=pd.Series(keys(names), index=payments.index, dtype=TEXT),
        currency_code=payments["currency_code"].fillna(found["currency_code"]).fillna(DEFAULT_CURRENCY),
    )
    faults = (
        (rows["booking_key"].isna(), ORPHAN_BOOKING),
        (rows["payment_time"].isna(), INVALID_PAYMENT_TIME),
        (rows["amount"].isna(), INVALID_AMOUNT),
    )
    reason = np.select([flags_of(fails) for fails, _ in faults], [code for _, code in faults], default="")
    return _without_repeats(rows.assign(reason=pd.Series(pa.array(reason, mask=reason == ""), dtype=TEXT)))


def _without_repeats(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with their outcome; of those with one reference the lowest key survives, equal ones are merged into it."""
    sound = rows[rows["reason"].isna() & rows["payment_ref"].notna()]
    survivors = sound.drop_duplicates("payment_ref").set_index("payment_ref")
    again = flags_of(rows.index.to_series().isin(sound.index[sound["payment_ref"].duplicated()]))
    reference = rows["payment_ref"].where(again)
    same = again.copy()
    for name in ("booking_key", "amount", "currency_code"):
        kept = looked_up(reference, survivors[name])
        same &= flags_of(rows[name] == kept)
    reason = rows["reason"].mask(again, DUPLICATE_PAYMENT_REF)
    rejected = flags_of(reason.notna()) & ~same
    outcome = np.where(rejected, Outcome.REJECTED.value, np.where(same, Outcome.MERGED.value, Outcome.LOADED.value))
    into = looked_up(reference, survivors["payment_key"])
    return rows.assign(
        outcome=pd.Series(outcome, index=rows.index, dtype=TEXT),
        reason=reason,
        target_key=rows["payment_key"].mask(again, into).mask(rejected),
        month=rows["month"].mask(rejected),
    )


def settled_elsewhere(bookings: pd.DataFrame, settlement: pd.Series) -> np.ndarray:
    """Whether each booking that only the operations panel has is flagged as paid, and its settlement is complete."""
    paid = flags_of(bookings["is_paid"].astype("boolean")) & ~flags_of(bookings["has_website_row"])
    return paid & flags_of(settlement == SETTLED)


def synthetic_payments(bookings: pd.DataFrame, last_paid_at: pd.Series) -> pd.DataFrame:
    """The payment that each settled booking of another channel stands for.

    Args:
        bookings: bookings of `settled_elsewhere`: `booking_key`, `panel_pk`, `paid_at`, `booking_created_at`,
            `total_price`, `currency_code`.
        last_paid_at: when the last item of their settlement was paid, same index.
    """
    names = (f"{BSTADMIN}:bookings:" + bookings["panel_pk"].astype(TEXT)).tolist()
    nothing = pd.Series(None, index=bookings.index, dtype=TEXT)
    return pd.DataFrame(
        {
            "payment_key": pd.Series(keys(names), index=bookings.index, dtype=TEXT),
            "booking_key": bookings["booking_key"],
            "payment_time": bookings["paid_at"].fillna(last_paid_at).fillna(bookings["booking_created_at"]),
            "amount": bookings["total_price"],
            "currency_code": bookings["currency_code"],
            "method": MANUAL,
            "status_raw": ("true|" + _utc_texts(bookings["paid_at"])).astype(TEXT),
            "payment_status_v2": PAID,
            "is_synthetic": True,
            **dict.fromkeys(_NOT_IN_SYNTHETIC, nothing),
        },
        index=bookings.index,
    )


def _utc_texts(moments: pd.Series) -> pd.Series:
    """Moments as `2026-01-05T00:00:00Z`, empty where there is none."""
    shown = [f"{at:%Y-%m-%dT%H:%M:%S}Z" if at is not None else "" for at in arrow_array(moments).to_pylist()]
    return pd.Series(shown, index=moments.index, dtype=TEXT)
