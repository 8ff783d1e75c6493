"""Payments, the bills that they pay, and what was received for each bill."""

import datetime as dt
from collections import defaultdict
from decimal import Decimal
from typing import Any

from tests.billing import billing_scalars as scalars
from tests.billing.billing_customers import Tables
from tests.billing.billing_files import Row, Rows
from tests.billing.billing_records import LONG_AGO, ZERO, Draft, Label, Record, RejectedError, SkippedError
from tests.billing.billing_scalars import AMOUNT, METHODS, PAYMENT_TYPES

# The references of a payment in their order, the code where they lead nowhere, and the type that they stand for.
BILLS = {
    "bill_record": ("bill_records", "ORPHAN_BILL_RECORD", "Bandwidth"),
    "mac_bill": ("mac_bills", "ORPHAN_MAC_BILL", "MAC"),
    "soho_bill": ("soho_bills", "ORPHAN_SOHO_BILL", "SOHO"),
}
OWN_BILL = {"MAC": "mac_bill", "SOHO": "soho_bill"}


class Payments:
    """Loads payments, then rolls them up."""

    def __init__(self, tables: Tables, draft: Draft, rows: Rows) -> None:
        self.tables = tables
        self.draft = draft
        self.rows = rows

    def run(self) -> None:
        table = "payment_records"
        submitted: dict[Any, int] = {}
        for record in self.draft.winners(table, table, self.rows[table]):
            try:
                row = self._payment(record)
            except RejectedError as error:
                self.draft.reject(record, table, str(error))
                continue
            except SkippedError as rule:
                self.draft.label(table, record.number, table, Label(str(record.id), "skipped", str(rule)))
                continue
            survivor = submitted.setdefault(_submission(record, row), record.id)
            if survivor != record.id:
                self.draft.merge(record, table, survivor)
            else:
                self.tables[table][record.id] = {"id": record.id, **row, **record.stamps()}
                self.draft.load(record, table, record.id)
        self._roll_up()

    def _payment(self, record: Record) -> Row:
        references = {column: record.reference(column) for column in BILLS}
        given = [column for column in BILLS if references[column] is not None]
        if not given:
            raise RejectedError("PAYMENT_NO_BILL")
        for column in given:
            if references[column] not in self.tables[BILLS[column][0]]:
                raise RejectedError(BILLS[column][1])
        paid = record.required_date("payment_date")
        amount = self._amount(record)
        kind = record.enum("payment_type", PAYMENT_TYPES, "UNKNOWN_PAYMENT_TYPE")
        if kind is None:
            if len(given) > 1:
                raise RejectedError("PAYMENT_TYPE_MISMATCH")
            kind = BILLS[given[0]][2]
        return {
            **{f"{column}_id": references[column] for column in BILLS},
            "payment_date": paid,
            "amount": amount,
            "payment_type": kind,
            "payment_method": self._method(record),
            "allocated_to": self._allocated(kind, references),
            "reference_number": record.text("reference_number"),
            "notes": record.text("notes"),
            "created_by_id": record.identifier("created_by"),
        }

    def _amount(self, record: Record) -> Decimal:
        found = record.required("amount", lambda value: scalars.number(value, AMOUNT), "BAD_NUMBER")
        if found < 0:
            raise RejectedError("NEGATIVE_VALUE")
        if not found:
            raise SkippedError("ZERO_AMOUNT")
        return found

    def _method(self, record: Record) -> str:
        value = record.raw("payment_method")
        found = scalars.enum(value, METHODS)
        if isinstance(found, scalars.Bad):
            record.warnings["payment_method_other"] += 1
            return "Other"
        return found or "Bank Transfer"

    def _allocated(self, kind: str, references: Row) -> str:
        own, bill = OWN_BILL.get(kind), references["bill_record"]
        if own and references[own] is not None:
            return own
        if bill is not None and kind == "Bandwidth":
            return "bill_record"
        if bill is not None and own and self.tables["bill_records"][bill]["customer_type"] == kind:
            return "bill_record"
        raise RejectedError("PAYMENT_TYPE_MISMATCH")

    # --- what was received --------------------------------------------------------------------------------------------

    def _roll_up(self) -> None:
        paid: dict[tuple[str, int], list[Row]] = defaultdict(list)
        for row in self.tables["payment_records"].values():
            paid[row["allocated_to"], row[f"{row['allocated_to']}_id"]].append(row)
        for column, (table, _, _) in BILLS.items():
            for key, bill in self.tables[table].items():
                record = self.draft.records[table].get(key)
                bill |= self._received(bill, record, paid[column, key], dated=column == "bill_record")
                bill["total_due"] = bill["total_bill"] - bill["total_received"]
                if column != "bill_record":
                    bill["status"] = _status(bill)

    def _received(self, bill: Row, record: Record | None, paid: list[Row], *, dated: bool) -> Row:
        if paid:
            found: Row = {"total_received": sum((row["amount"] for row in paid), ZERO), "received_source": "payments"}
            latest = max(paid, key=_lateness)
            last = {"last_payment_date": latest["payment_date"], "last_payment_mode": latest["payment_method"]}
        elif record is None and bill["received_source"] != "payments":
            # What an earlier export carried over for a bill that this one does not hold.
            return {}
        else:
            stated = record.amount("total_received") if record else None
            carried = record is not None and stated is not None and stated > 0
            found = {
                "total_received": stated if carried else ZERO,
                "received_source": "carried_over" if carried else "none",
            }
            last = _carried(record if carried else None)
        return found | (last if dated else {})


def _carried(record: Record | None) -> Row:
    if record is None:
        return {"last_payment_date": None, "last_payment_mode": None}
    mode = scalars.enum(record.raw("last_payment_mode"), METHODS)
    return {
        "last_payment_date": record.date("last_payment_date"),
        "last_payment_mode": "Other" if isinstance(mode, scalars.Bad) else mode,
    }


def _lateness(row: Row) -> tuple[dt.date, dt.datetime, int]:
    return row["payment_date"], row["created_at"] or LONG_AGO, row["id"]


def _status(bill: Row) -> str:
    if bill["total_received"] >= bill["total_bill"] > 0:
        return "Paid"
    if bill["total_received"] > 0:
        return "Partial"
    return "Unpaid" if bill["total_bill"] > 0 else "Pending"


def _submission(record: Record, row: Row) -> Any:
    """What two submissions of one payment have in common; without a reference number each is its own."""
    if row["reference_number"] is None:
        return record.id
    paid = row["allocated_to"]
    same = ("payment_date", "amount", "payment_method")
    return paid, row[f"{paid}_id"], *(row[name] for name in same), row["reference_number"].lower()
