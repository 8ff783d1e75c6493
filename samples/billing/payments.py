"""The payments of a BILLING sample, for bills of all three kinds."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from samples.billing import dirt
from samples.billing.customers import times
from samples.billing.ledger import Ledger, MacBill, Payment
from samples.billing.world import day_text, money
from samples.pools import pick
from samples.weaving import (
    Unusable,
    altered,
    fixed,
    lacks,
    overrides,
    repeated,
    repeats,
    sometimes,
    strewn,
    wanted,
    without_absent,
)
from samples.writing import Record

COLUMNS = (
    *("id", "bill_record", "bill_record_id", "mac_bill", "mac_bill_id", "soho_bill", "soho_bill_id", "payment_date"),
    *("amount", "payment_type", "payment_method", "reference_number", "notes", "created_by", "created_by_id"),
    *("created_by_username", "created_at", "updated_at"),
)

_COPIES = 229

_id = sometimes(41, 6, dirt.KEPT_IDS)
_reference = sometimes(37, 4, dirt.KEPT_IDS)
_day = sometimes(13, 3, dirt.KEPT_DATES)
_money = sometimes(9, 4, dirt.KEPT_MONEY)
_type = {kind: sometimes(5, 2, spelled) for kind, spelled in dirt.TYPES.items()}
_no_type = sometimes(11, 5, dirt.NO_TEXTS)
_no_method = sometimes(23, 7, dirt.NO_TEXTS)
_user = sometimes(7, 2, (*dirt.KEPT_IDS, *dirt.LOST_IDS))
_written = sometimes(6, 1, (str.lower, lambda v: f" {v} ", *fixed(998877), *dirt.NO_TEXTS))
_note = sometimes(8, 1, dirt.NOTES)
_nothing = sometimes(5, 1, fixed("", "nan", "None"))


class PaymentTable:
    """The payments."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._world = ledger, ledger.world
        world = self._world
        self._soho = next(ledger.soho_bills(world.first_month + 1)).id
        mac = world.mac_bill_id(world.first_month, 0)
        changes: tuple[dict[str, Any], ...] = (
            {"soho_bill": None},
            {"payment_type": "Bandwidth"},
            {"amount": 0},
            {"payment_type": "Crypto"},
            # A bill record that is rejected itself.
            {"soho_bill": None, "bill_record": world.spare_id(0)},
            {"soho_bill": None, "mac_bill": dirt.DANGLING},
            {"soho_bill": dirt.DANGLING},
            {"soho_bill": None, "mac_bill": mac, "payment_type": "Bandwidth"},
            {"mac_bill": mac, "payment_type": ""},
            {"payment_type": "Other"},
            {"payment_type": "Franchise"},
            *overrides("soho_bill", dirt.BAD_REFERENCES),
            *overrides("payment_date", (*dirt.BAD_DATES, *dirt.NO_DATES)),
            *overrides("amount", (*dirt.BAD_AMOUNTS, *dirt.NEGATIVE_AMOUNTS, "0.004", "-0.004", "Tk 0/-", None)),
            *overrides("amount", ("10,000,000,000,000.00",)),
            *overrides("id", dirt.BAD_IDS),
        )
        self._unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, change) for change in changes),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS),
        )

    def rows(self) -> Iterator[Record]:
        """The payments: for bill records, for partners' bills, for homes' bills."""
        world = self._world
        over = len(world.months()) * (world.clients + world.homes)
        return strewn(self._good(), over, self._unusable, min(wanted(len(self._unusable), world.size), over // 60))

    def _good(self) -> Iterator[Record]:
        ledger, world = self._ledger, self._world
        for month in world.months():
            for bill in ledger.records(month):
                for payment in bill.payments:
                    # Nobody minded as what a bill record was paid.
                    kind = "Bandwidth" if payment.id % 3 == 0 else bill.kind
                    yield from self._payment_rows(payment, "bill_record", bill.id, kind)
        for partner in world.partner_numbers():
            for bill in ledger.mac_bills(partner):
                for payment in bill.payments:
                    yield from self._for_partner(bill, payment)
        for month in world.months():
            for bill in ledger.soho_bills(month):
                for payment in bill.payments:
                    yield from self._payment_rows(payment, "soho_bill", bill.id, "SOHO")

    def _for_partner(self, bill: MacBill, payment: Payment) -> Iterator[Record]:
        world = self._world
        if payment.id % 7 or bill.month == world.month:
            return self._payment_rows(payment, "mac_bill", bill.id, "MAC")
        # It names the bill record of the same month as well; the money counts for one of them.
        record = world.record_id(bill.month, world.clients + world.new_clients + bill.partner.number)
        other = {"bill_record": record}
        return self._payment_rows(payment, "mac_bill", bill.id, "MAC", other)

    def _payment_rows(
        self, payment: Payment, column: str, bill: int, kind: str, other: dict[str, Any] | None = None
    ) -> Iterator[Record]:
        n = payment.id
        spelled = _type[kind](kind, n)
        row = {
            **self._row(payment),
            f"{column}_id" if n % 5 == 3 else column: _reference(bill, n),
            "payment_type": spelled if other else _no_type(spelled, n),
            **(other or {}),
        }
        row = without_absent(row)
        lacks(row, n, ("notes", "created_by_username", "created_at"))
        stale = {"amount": "1.00", "notes": "stale copy"}
        yield from repeated(row, n, stale, _COPIES) if repeats(n, _COPIES) else (row,)
        reference = row.get("reference_number")
        if n % 131 == 17 and isinstance(reference, str) and "TRX" in reference.upper():
            # The button was pressed twice.
            yield {**row, "id": n + 2, "reference_number": f" {reference.swapcase()}", "updated_at": None}

    def _row(self, payment: Payment) -> dict[str, Any]:
        n = payment.id
        method = pick(dirt.METHODS[payment.method], payment.word)
        cash = payment.method == "Cash"
        return {
            "id": _id(n, n),
            "payment_date": self._payment_date(payment),
            "amount": _money(money(payment.cents), n),
            "payment_method": _no_method(method, n) if payment.method == "Bank Transfer" else method,
            "reference_number": _nothing(None, n) if cash else _written(f"TRX{payment.word % 0xFFFFFF:06X}-{n}", n),
            "notes": _note("Received with thanks", n),
            "created_by_id" if n % 6 == 1 else "created_by": _user(2 + n % 7, n),
            "created_by_username": "office",
            **times(self._world, n, exact=repeats(n, _COPIES)),
            "created_at": f"{day_text(payment.day)}T{n % 12 + 4:02d}:{n % 60:02d}:00Z",
        }

    def _payment_date(self, payment: Payment) -> Any:
        day = day_text(payment.day)
        # A mistyped year.
        return f"{int(day[:4]) - 15}{day[4:8]}05" if payment.id % 2003 == 1000 else _day(day, payment.id)

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "id": self._world.spare_id(number),
            "soho_bill": self._soho,
            "payment_date": "2025-06-05",
            "amount": "500.00",
            "payment_type": "SOHO",
            "payment_method": "cash",
        }
        return altered(row, changes)
