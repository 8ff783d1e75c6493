"""Payments of website bookings, and those that a settlement of operations stands for."""

import datetime as dt
from collections import defaultdict
from decimal import Decimal
from typing import Any

from tests.booking import booking_scalars as scalars
from tests.booking.booking_files import Row
from tests.booking.booking_finance import Finance
from tests.booking.booking_identity import Group, Identities
from tests.booking.booking_records import Draft, Record, first

TARGET = "payment_event"
MANUAL_WORDS = ("MANUAL", "CASH", "BANK", "TRANSFER")
_V2 = {
    "COMPLETED": "PAID",
    "REFUNDED": "REFUNDED",
    **dict.fromkeys(("FAILED", "CANCELLED"), "FAILED"),
    **dict.fromkeys(("PENDING", "AUTHORIZED"), "PENDING_PAYMENT"),
    "PARTIALLY_REFUNDED": "PAID",
}
_LEGACY = {
    **dict.fromkeys(("PAID", "COMPLETED", "CAPTURED", "SUCCESS", "CONFIRMED"), "PAID"),
    "REFUNDED": "REFUNDED",
    **dict.fromkeys(("FAILED", "CANCELLED", "CANCELED"), "FAILED"),
}


class Payments:
    """The payments of one export, found before any booking is written.

    Attributes:
        of_group: the loaded payments of each booking, as rows without their booking's key.
    """

    def __init__(self, draft: Draft, identities: Identities) -> None:
        self.draft = draft
        self.of_group: dict[Group, list[Row]] = defaultdict(list)
        survivors: dict[str, tuple[str, Row]] = {}
        for record in draft.inputs.of("balisnap.Payment").values():
            group = identities.of_booking("balisnap.Booking", record.identifier("booking_id"))
            if group is None:
                draft.rejected(record, TARGET, "ORPHAN_BOOKING")
                continue
            row = self._row(record)
            reason = _fault(row)
            if reason:
                draft.rejected(record, TARGET, reason)
            elif not self._is_repeated(record, group, row, survivors):
                self.of_group[group].append(row)
                draft.loaded(record, TARGET, row["payment_key"])

    def _is_repeated(self, record: Record, group: Group, row: Row, survivors: dict[str, tuple[str, Row]]) -> bool:
        """Whether a payment reuses the reference of one with a lower id, and then is not loaded."""
        ref = row["payment_ref"]
        if ref is None or ref not in survivors:
            if ref is not None:
                survivors[ref] = (group.key, row)
            return False
        key, kept = survivors[ref]
        names = ("amount", "currency_code")
        if key == group.key and all(kept[name] == row[name] for name in names):
            self.draft.merged(record, TARGET, "DUPLICATE_PAYMENT_REF", kept["payment_key"])
        else:
            self.draft.rejected(record, TARGET, "DUPLICATE_PAYMENT_REF")
        return True

    def _row(self, record: Record) -> Row:
        booking = self.draft.inputs.of("balisnap.Booking")[record.identifier("booking_id")]
        return {
            "payment_key": scalars.key_of(record.name),
            "payment_time": record.moment("payment_date") or record.moment("created_at"),
            "amount": record.money("amount"),
            "currency_code": record.currency() or booking.currency() or "USD",
            "method": _method(record.upper("payment_method") or ""),
            "gateway": record.text("gateway", 64),
            "gateway_order_id": record.text("gateway_order_id", 128),
            "gateway_capture_id": record.text("gateway_capture_id", 128),
            "payment_ref": record.text("payment_ref", 128),
            "status_raw": _status_raw(record),
            "payment_status_v2": normalised_status(record),
            "raw_payload": scalars.json_value(record.values.get("raw_payload")),
            "is_synthetic": False,
        }

    def statuses(self, group: Group) -> list[str]:
        """The normalised statuses of a booking's loaded payments."""
        return [row["payment_status_v2"] for row in self.of_group.get(group, [])]

    def run(self, group: Group, finance: Finance | None) -> None:
        """Write the payments of a booking."""
        for row in self.of_group.get(group, []):
            values = {name: value for name, value in row.items() if name != "payment_key"}
            self.draft.put(TARGET, row["payment_key"], booking_key=group.key, **values)
        if group.b is None and group.a and group.a.boolean("is_paid") and finance and finance.is_settled:
            self._synthetic(group, group.a, finance)

    def _synthetic(self, group: Group, a: Record, finance: Finance) -> None:
        core = self.draft.tables["booking_core"][group.key]
        paid_at = a.moment("paid_at")
        of_items: list[dt.datetime] = [at for at in (item.moment("paid_at") for item in finance.items) if at]
        nothing: dict[str, Any] = dict.fromkeys(
            ("gateway", "gateway_order_id", "gateway_capture_id", "payment_ref", "raw_payload")
        )
        self.draft.put(
            TARGET,
            scalars.key_of(a.name),
            booking_key=group.key,
            payment_time=first(paid_at, max(of_items, default=None), core["booking_created_at"]),
            amount=core["total_price"],
            currency_code=core["currency_code"],
            method="MANUAL",
            status_raw=f"true|{scalars.utc_text(paid_at) if paid_at else ''}",
            payment_status_v2="PAID",
            is_synthetic=True,
            **nothing,
        )
        self.draft.counts[TARGET].derived += 1


def _fault(row: Row) -> str | None:
    if row["payment_time"] is None:
        return "INVALID_PAYMENT_TIME"
    amount: Decimal | None = row["amount"]
    return "INVALID_AMOUNT" if amount is None else None


def _method(written: str) -> str:
    if "PAYPAL" in written:
        return "PAYPAL"
    return "MANUAL" if any(word in written for word in MANUAL_WORDS) else "OTHER"


def _status_raw(record: Record) -> str | None:
    statuses = [record.text("payment_status"), record.text("payment_status_v2")]
    return "|".join(status or "" for status in statuses)[:64] if any(statuses) else None


def normalised_status(record: Record) -> str:
    """The status of a payment in one vocabulary."""
    found = _V2.get(record.upper("payment_status_v2") or "")
    return found or _LEGACY.get(record.upper("payment_status") or "", "PENDING_PAYMENT")
