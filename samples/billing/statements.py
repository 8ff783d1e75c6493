"""The monthly bills of a BILLING sample: those of the partners, and those of the homes."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from samples.billing import dirt
from samples.billing.customers import times
from samples.billing.ledger import Ledger, MacBill, Payment, SohoBill
from samples.billing.world import day_text, money
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

_MONEY_COLUMNS = ("total_bill", "total_received", "total_due", "status", "notes", "created_at", "updated_at")
MAC_COLUMNS = (
    *("id", "mac_partner", "mac_partner_id", "mac_partner_name", "mac_partner_details", "bill_date", "total_client"),
    *("total_revenue", "percentage_share", "commission", *_MONEY_COLUMNS),
)
SOHO_COLUMNS = (
    *("id", "soho_customer", "soho_customer_id", "customer_name", "bill_date", "package", "package_id", "rate"),
    *_MONEY_COLUMNS,
)

_FEW_COPIES, _COPIES = 37, 229

_id = sometimes(43, 6, dirt.KEPT_IDS)
_reference = sometimes(29, 4, dirt.KEPT_IDS)
_day = sometimes(11, 3, dirt.KEPT_DATES)
_money = sometimes(13, 4, dirt.KEPT_MONEY)
_share = sometimes(3, 1, dirt.KEPT_PERCENTAGES)
_no_share = sometimes(5, 2, dirt.NO_TEXTS)
_computed = sometimes(3, 1, dirt.NO_TEXTS)
_clients = sometimes(7, 1, dirt.KEPT_IDS)
_commission = sometimes(16, 3, dirt.LOST_TOTALS)
_received = sometimes(53, 8, dirt.LOST_TOTALS)
_rate = sometimes(9, 4, (*dirt.NO_TEXTS, *fixed(0, "0.00")))
_package = sometimes(17, 4, dirt.NO_TEXTS)
_status = sometimes(5, 2, fixed("Pending", "UNPAID", "overdue", None, "", 1, "paid?"))
_note = sometimes(6, 1, dirt.NOTES)


def _money_cells(n: int, total: Any, received: int, due: int) -> dict[str, Any]:
    return {
        "total_bill": total,
        # Now and then the legacy figure has drifted, or is no number.
        "total_received": _received(_money(money(received - (5_000 if n % 397 == 17 and received else 0)), n + 3), n),
        "total_due": money(due),
        "status": _status("Paid" if due <= 0 else "Unpaid", n),
        "notes": _note("Monthly bill", n),
    }


def _sum(payments: tuple[Payment, ...]) -> int:
    return sum(payment.cents for payment in payments)


class MacBillTable:
    """The partners' monthly bills."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._world = ledger, ledger.world
        self._unusable: tuple[Unusable, ...] = (
            partial(self._unusable_row, {"mac_partner": dirt.DANGLING}),
            partial(self._unusable_row, {"bill_date": "31/02/2025"}),
            partial(self._unusable_row, {"percentage_share": 101}),
            partial(self._unusable_row, {"total_revenue": "see ledger"}),
            partial(self._unusable_row, {"total_client": -1}),
            partial(self._unusable_row, {"mac_partner": "nan"}),
            partial(self._unusable_row, {"total_client": "12.5"}),
            partial(self._unusable_row, {"total_revenue": "-0.01"}),
            lambda _: dirt.NOT_OBJECTS[4],
            *(partial(self._unusable_row, changes) for changes in overrides("id", dirt.BAD_IDS)),
        )

    def rows(self) -> Iterator[Record]:
        """The bills, partner after partner."""
        world = self._world
        bills = (bill for partner in world.partner_numbers() for bill in self._ledger.mac_bills(partner))
        rows = (record for bill in bills for record in self._bill_rows(bill))
        over = len(world.months()) * world.partners
        return strewn(rows, over, self._unusable, min(wanted(len(self._unusable), world.size), over // 24))

    def _bill_rows(self, bill: MacBill) -> Iterator[Record]:
        row = without_absent(self._row(bill))
        stale = {"percentage_share": 1, "notes": "stale copy"}
        return repeated(row, bill.id, stale, _FEW_COPIES) if repeats(bill.id, _FEW_COPIES) else iter((row,))

    def _row(self, bill: MacBill) -> dict[str, Any]:
        n, received = bill.id, _sum(bill.payments)
        # What was billed is not always what the customers of today would pay.
        revenue = bill.revenue + (25_000 if n % 37 == 5 else 0)
        commission = (revenue * bill.partner.share + 5_000) // 10_000
        stated_commission = money(commission + (100 if n % 131 == 40 else 0))
        stated = _computed(_money(money(revenue), n), n) if revenue == bill.revenue else money(revenue)
        return {
            "id": _id(n, n),
            "mac_partner_id" if n % 4 == 1 else "mac_partner": _reference(bill.partner.id, n),
            "mac_partner_name": bill.partner.name,
            "mac_partner_details": {"name": bill.partner.name},
            "bill_date": _day(day_text(bill.day), n),
            "total_client": _computed(_clients(bill.clients, n), n + 1),
            "total_revenue": stated,
            "percentage_share": _no_share(_share(money(bill.partner.share), n), n),
            "commission": _commission(stated_commission, n),
            **_money_cells(n, money(revenue - commission), received, revenue - commission - received),
            **times(self._world, n, exact=repeats(n, _FEW_COPIES)),
        }

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "id": self._world.spare_id(number),
            "mac_partner": self._world.partner(0).id,
            "bill_date": "2025-06-22",
            "total_client": 1,
            "total_revenue": "1000.00",
        }
        return altered(row, changes)


class SohoBillTable:
    """The homes' monthly bills."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._world = ledger, ledger.world
        self._unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, c) for c in overrides("soho_customer", (dirt.DANGLING, None, "H-1", "", 0))),
            *(partial(self._unusable_row, changes) for changes in overrides("bill_date", dirt.BAD_DATES)),
            *(partial(self._unusable_row, changes) for changes in overrides("bill_date", dirt.NO_DATES)),
            *(partial(self._unusable_row, changes) for changes in overrides("rate", dirt.BAD_AMOUNTS[:6])),
            *(partial(self._unusable_row, changes) for changes in overrides("rate", dirt.NEGATIVE_AMOUNTS)),
            *(partial(self._unusable_row, changes) for changes in overrides("total_bill", ("see ledger", "-1", True))),
            *(partial(self._unusable_row, changes) for changes in overrides("id", dirt.BAD_IDS)),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS),
        )

    def rows(self) -> Iterator[Record]:
        """The bills, month after month."""
        world = self._world
        bills = (bill for month in world.months() for bill in self._ledger.soho_bills(month))
        rows = (record for bill in bills for record in self._bill_rows(bill))
        over = len(world.months()) * world.homes * 9 // 10
        return strewn(rows, over, self._unusable, min(wanted(len(self._unusable), world.size), over // 60))

    def _bill_rows(self, bill: SohoBill) -> Iterator[Record]:
        row = without_absent(self._row(bill))
        lacks(row, bill.id, ("notes", "customer_name", "status"))
        stale = {"rate": "1.00", "total_bill": "1.00", "notes": "stale copy"}
        return repeated(row, bill.id, stale, _COPIES) if repeats(bill.id, _COPIES) else iter((row,))

    def _row(self, bill: SohoBill) -> dict[str, Any]:
        n, home, received = bill.id, bill.home, _sum(bill.payments)
        rate: Any = _money(money(bill.rate), n)
        package = None if home.package is None else self._world.soho_package(home.package).id
        return {
            "id": _id(n, n),
            "soho_customer_id" if n % 4 == 1 else "soho_customer": _reference(home.id, n),
            "customer_name": home.name,
            "bill_date": self._bill_date(bill),
            "package_id" if n % 3 == 1 else "package": _package(package and _reference(package, n + 2), n),
            # Where it says nothing the customer's rate is meant.
            "rate": _rate(rate, n) if bill.rate == home.cents else rate,
            **_money_cells(n, self._total(bill), received, bill.total - received),
            **times(self._world, n, exact=repeats(n, _COPIES)),
        }

    def _total(self, bill: SohoBill) -> Any:
        cell = _money(money(bill.total), bill.id + 5)
        return _rate(cell, bill.id + 3) if bill.total == bill.rate else cell

    def _bill_date(self, bill: SohoBill) -> Any:
        day = day_text(bill.day)
        # A mistyped year.
        return f"2052{day[4:8]}01" if bill.id % 1499 == 700 else _day(day, bill.id)

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "id": self._world.spare_id(number),
            "soho_customer": self._world.home(0).id,
            "bill_date": "2025-06-02",
            "rate": "800",
            "total_bill": "800",
        }
        return altered(row, changes)
