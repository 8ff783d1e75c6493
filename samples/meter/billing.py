"""The bills of a METER sample, the invoices that they are on, and the links between the two."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any

from samples.meter import dirt
from samples.meter.dirt import repeated, sometimes
from samples.meter.history import CARRIED, READING, ZERO, History, Invoice, Line
from samples.meter.world import Customer, Story, World
from samples.weaving import Unusable, altered, fixed, lacks, overrides, repeats
from samples.writing import Record

BILL_COLUMNS = (
    *("id", "tenant_id", "customer_id", "meter_assignment_id", "bill_type", "amount", "rate_used", "total_amount"),
    *("status", "generation_date", "created_at", "updated_at"),
)
INVOICE_COLUMNS = (
    *("id", "tenant_id", "customer_id", "meter_id", "invoice_number", "invoice_date", "due_date", "amount"),
    *("balance_brought_forward", "total_amount", "paid_amount", "balance", "overpayment_applied", "status", "state"),
    *("created_at", "updated_at"),
)
LINK_COLUMNS = ("id", "invoice_id", "bill_id", "amount", "created_at", "updated_at")

_NO_AMOUNT = 61
_NO_TOTAL = 53
_LINE_STEP = 13
_STALE_BILL = {"total_amount": Decimal("1.00"), "bill_type": "METER_READING"}
_STALE_INVOICE = {"amount": "N/A", "status": "pending", "meter_id": None}
_STALE_LINK = {"amount": Decimal("1.00")}
_BILL_EXTRAS = ("tenant_id", "amount", "rate_used", "generation_date", "meter_assignment_id", "created_at", "status")
_INVOICE_EXTRAS = ("tenant_id", "due_date", "paid_amount", "balance", "overpayment_applied", "state", "created_at")

_id = sometimes(67, 9, dirt.KEPT_IDS)
_tenant = sometimes(17, 2, fixed(None, ""))
_customer = sometimes(43, 6, dirt.KEPT_IDS)
_assignment = sometimes(31, 4, dirt.LOST_IDS + fixed("A-7", 987_654_321, 1))
_charge = sometimes(13, 3, dirt.CHARGES)
_carried = sometimes(5, 1, dirt.KEPT_BALANCES)
_total = sometimes(_NO_TOTAL, 0, dirt.LOST_MONEY)
_money = sometimes(19, 5, dirt.KEPT_MONEY)
_bill_status = sometimes(41, 2, dirt.BILL_STATUSES)
_day = sometimes(23, 7, dirt.TIMES)
_kept_day = sometimes(23, 7, dirt.KEPT_DATES)
_stored = sometimes(37, 3, dirt.WRONG_MONEY)
_informational = sometimes(29, 8, dirt.WRONG_MONEY)
_open_status = sometimes(17, 4, dirt.KEPT_OPEN)
_void_status = sometimes(2, 0, dirt.KEPT_VOID)
_state = sometimes(31, 5, dirt.INVOICE_STATES)
_number = sometimes(61, 7, dirt.INVOICE_NUMBERS)
_created = sometimes(47, 6, dirt.TIMES)
_updated = sometimes(59, 2, dirt.TIMES)

_BILL_CHANGES: tuple[dict[str, Any], ...] = (
    *overrides("id", dirt.MISSING_KEYS),
    *overrides("tenant_id", (*dirt.GARBAGE_REFERENCES, 0, 987654)),
    *overrides("customer_id", (None, "", *dirt.GARBAGE_REFERENCES, 0, 987_654_321, 1)),
)
_INVOICE_CHANGES = _BILL_CHANGES
_LINK_CHANGES: tuple[dict[str, Any], ...] = (
    *overrides("id", dirt.MISSING_KEYS),
    *overrides("invoice_id", (None, "", *dirt.GARBAGE_REFERENCES[:3], 0, 987_654_321, 987_654_322)),
    *overrides("bill_id", (None, *dirt.GARBAGE_REFERENCES[:3], 0, 987_654_321)),
    *overrides("amount", (*dirt.GARBAGE_AMOUNTS, *dirt.HUGE_AMOUNTS)),
)


class BillTable:
    """The bills of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, changes) for changes in _BILL_CHANGES),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS),
            *(partial(_foreign, world, self._unusable_row) for _ in range(2)),
        )

    def rows(self) -> Iterator[Record]:
        """The bills on the invoices, and those that wait for one."""
        return self._world.woven(self._bill_rows, self._unusable)

    def _bill_rows(self, index: int) -> Iterator[Record]:
        customer = self._world.customer(index)
        for invoice in History(self._world, customer).invoices if customer.spans else ():
            n = _number_of(index, invoice)
            for line in invoice.lines:
                row = self._row(customer, invoice, line, n + _LINE_STEP * line.number)
                turn = n + 5 * line.number
                if repeats(turn):
                    yield from repeated(row, turn, _STALE_BILL)
                else:
                    yield row
        if index == self._world.plain[0]:
            yield {**self._pending(customer), "total_amount": "N/A"}
        elif index % 23 == 4 and not (self._world.spec.edition and index % 46 == 27):
            yield self._pending(customer)

    def _row(self, customer: Customer, invoice: Invoice, line: Line, n: int) -> dict[str, Any]:
        world, index = self._world, customer.number
        day = world.day(invoice.month, invoice.day)
        meter = invoice.meter
        assignment = None if meter is None else _assignment(world.assignment_id(index, meter), n)
        row = {
            "id": _id(world.bill_id(index, invoice.slot, line.number), n),
            "tenant_id": _tenant(customer.tenant, n),
            "customer_id": _customer(world.user_id(index), n),
            "meter_assignment_id": assignment,
            "bill_type": (_carried if line.number == CARRIED else _charge)(line.type, n),
            "amount": line.units or None,
            "rate_used": line.amount / line.units if line.units else None,
            "total_amount": _total(_money(line.amount, n), n),
            "status": _bill_status("invoiced", n),
            "generation_date": _day(day, n),
            "created_at": _created(f"{day} 05:00:00", n),
            "updated_at": f"{day} 05:30:00",
        }
        lacks(row, n, _BILL_EXTRAS)
        return row

    def _pending(self, customer: Customer) -> Record:
        world, index = self._world, customer.number
        day = world.day(world.first_sample_month, 24)
        return {
            "id": world.pending_bill_id(index),
            "tenant_id": customer.tenant,
            "customer_id": world.user_id(index),
            "meter_assignment_id": None,
            "bill_type": "METER_READING",
            "amount": 7,
            "rate_used": Decimal("55.00"),
            "total_amount": Decimal("385.00"),
            "status": "pending",
            "generation_date": day,
            "created_at": f"{day} 05:00:00",
            "updated_at": None,
        }

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        world = self._world
        index = world.plain[number % len(world.plain)]
        row = {
            "id": world.spare_id(number),
            "tenant_id": world.tenant(index),
            "customer_id": world.user_id(index),
            "meter_assignment_id": None,
            "bill_type": "SERVICE_FEE",
            "amount": 1,
            "rate_used": None,
            "total_amount": Decimal("150.00"),
            "status": "invoiced",
            "generation_date": None,
            "created_at": None,
            "updated_at": None,
        }
        return altered(row, changes)


class InvoiceTable:
    """The invoices of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, changes) for changes in _INVOICE_CHANGES),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS),
            *(partial(_foreign, world, self._unusable_row) for _ in range(2)),
        )

    def rows(self) -> Iterator[Record]:
        """The invoices."""
        return self._world.woven(self._invoice_rows, self._unusable)

    def _invoice_rows(self, index: int) -> Iterator[Record]:
        customer = self._world.customer(index)
        for place, invoice in enumerate(History(self._world, customer).invoices if customer.spans else ()):
            row = self._row(customer, invoice, first=place == 0)
            n = _number_of(index, invoice)
            if repeats(n):
                yield from repeated(row, n, _STALE_INVOICE)
            else:
                yield row

    def _row(self, customer: Customer, invoice: Invoice, *, first: bool) -> dict[str, Any]:
        world, index = self._world, customer.number
        n = _number_of(index, invoice)
        day = world.day(invoice.month, invoice.day)
        carried, charges = invoice.stored_carried, invoice.stored_charges
        invoice_id = world.invoice_id(index, invoice.slot)
        # A customer's opening invoice is told by its date.
        dated = _kept_day if first or not customer.plain else _day
        row = {
            "id": _id(invoice_id, n),
            "tenant_id": _tenant(customer.tenant, n),
            "customer_id": _customer(world.user_id(index), n),
            "meter_id": self._meter(customer, invoice),
            "invoice_number": _number(f"INV-{invoice.month // 12}-{invoice_id:06d}", n),
            "invoice_date": dated(day, n),
            "due_date": _day(world.day(invoice.month, invoice.day + 14), n + 11),
            "amount": _kept(charges, n),
            "balance_brought_forward": _kept(carried, n + 9),
            "total_amount": _kept(charges + carried, n + 21),
            "paid_amount": _informational(invoice.paid, n),
            "balance": _informational(charges + carried - invoice.paid, n + 5),
            "overpayment_applied": _informational(invoice.credit, n + 9),
            "status": _void_status("cancelled", n) if invoice.void else _open_status(_status(invoice), n),
            "state": _state("closed" if invoice.void or invoice.paid else "open", n),
            "created_at": _created(f"{day} 06:00:00", n),
            "updated_at": self._updated(invoice, n, day),
        }
        lacks(row, n, _INVOICE_EXTRAS)
        return row

    def _updated(self, invoice: Invoice, n: int, day: str) -> Any:
        updated = f"{self._world.day(invoice.month, 28)} 06:00:00" if invoice.paid else f"{day} 06:00:00"
        return updated if repeats(n) else _updated(updated, n)

    def _meter(self, customer: Customer, invoice: Invoice) -> Any:
        world = self._world
        if invoice.meter is not None:
            return _customer(world.meter_id(customer.number, invoice.meter), customer.number + 19)
        if customer.story is Story.VOID_DANGLING:
            return 987_654_321
        if customer.story is Story.VOID_FOREIGN:
            return world.meter_id(world.foreigner(customer.tenant), 0)
        return "none" if customer.rank // 30 % 2 else None

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        world = self._world
        index = world.plain[number % len(world.plain)]
        row = {
            "id": world.spare_id(number),
            "tenant_id": world.tenant(index),
            "customer_id": world.user_id(index),
            "meter_id": world.meter_id(index, 0),
            "invoice_number": f"INV-X-{number}",
            "invoice_date": "2024-01-01",
            "due_date": None,
            "amount": Decimal("150.00"),
            "balance_brought_forward": ZERO,
            "total_amount": Decimal("150.00"),
            "paid_amount": ZERO,
            "balance": Decimal("150.00"),
            "overpayment_applied": ZERO,
            "status": "not paid",
            "state": "open",
            "created_at": None,
            "updated_at": None,
        }
        return altered(row, changes)


class LinkTable:
    """The places of the bills on the invoices of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, changes) for changes in _LINK_CHANGES),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS),
            self._foreign_row,
            self._untold_amount_row,
        )

    def rows(self) -> Iterator[Record]:
        """The links."""
        return self._world.woven(self._link_rows, self._unusable)

    def _link_rows(self, index: int) -> Iterator[Record]:
        customer = self._world.customer(index)
        invoices = History(self._world, customer).invoices if customer.spans else []
        for invoice in invoices:
            n = _number_of(index, invoice)
            for line in invoice.lines:
                row = self._row(customer, invoice, line, n + _LINE_STEP * line.number)
                turn = n + 5 * line.number
                if repeats(turn):
                    yield from repeated(row, turn, _STALE_LINK)
                else:
                    yield row
                if n % 151 == 9:
                    # The same bill on the same invoice once more, with another amount.
                    again = self._world.link_id(index, invoice.slot, line.number, 2)
                    yield {**row, "id": again, "amount": line.amount + 5}
            if invoice.void and invoice.meter is not None:
                yield self._elsewhere(index, invoices[0], invoice)

    def _row(self, customer: Customer, invoice: Invoice, line: Line, n: int) -> dict[str, Any]:
        world, index = self._world, customer.number
        # The later export has some links that were deleted and written anew.
        generation = 1 if world.spec.edition and n % 307 == 12 else 0
        day = world.day(invoice.month, invoice.day)
        return {
            "id": _id(world.link_id(index, invoice.slot, line.number, generation), n),
            "invoice_id": _customer(world.invoice_id(index, invoice.slot), n + 8),
            "bill_id": _customer(world.bill_id(index, invoice.slot, line.number), n + 21),
            # Then the bill's total counts, which is right where this one is missing.
            "amount": _money(line.amount, n + 3) if n % _NO_AMOUNT or not n % _NO_TOTAL else None,
            "created_at": _created(f"{day} 06:00:00", n),
            "updated_at": f"{day} 06:30:00",
        }

    def _elsewhere(self, index: int, first: Invoice, void: Invoice) -> Record:
        """A bill that is on a reversed invoice as well."""
        world = self._world
        return {
            "id": world.link_id(index, void.slot, 0, 3),
            "invoice_id": world.invoice_id(index, void.slot),
            "bill_id": world.bill_id(index, first.slot, READING),
            "amount": first.lines[0].amount,
            "created_at": None,
            "updated_at": None,
        }

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        world = self._world
        index = world.plain[number % len(world.plain)]
        slot = world.slot(world.customer(index).start, 0)
        row = {
            "id": world.spare_id(number),
            "invoice_id": world.invoice_id(index, slot),
            "bill_id": world.bill_id(index, slot, 0),
            "amount": Decimal("10.00"),
            "created_at": None,
            "updated_at": None,
        }
        return altered(row, changes)

    def _foreign_row(self, number: int) -> Record:
        """Bill and invoice of two tenants."""
        world = self._world
        stranger = world.foreigner(world.tenant(world.plain[number % len(world.plain)]))
        slot = world.slot(world.customer(stranger).start, 0)
        return self._unusable_row({"bill_id": world.bill_id(stranger, slot, 0)}, number)

    def _untold_amount_row(self, number: int) -> Record:
        """An amount that neither the link nor its bill tells."""
        world = self._world
        index = world.plain[0]
        slot = world.slot(world.customer(index).start, 0)
        changes = {"invoice_id": world.invoice_id(index, slot), "bill_id": world.pending_bill_id(index), "amount": None}
        return self._unusable_row(changes, number)


def _number_of(index: int, invoice: Invoice) -> int:
    """The number of an invoice, in the file of each table."""
    return index + 31 * invoice.slot


def _kept(amount: Decimal, number: int) -> Any:
    """An amount as the invoice's own column has it: now and then a wrong one."""
    stored = _stored(amount, number)
    return _money(amount, number) if stored is amount else stored


def _status(invoice: Invoice) -> str:
    due = invoice.stored_charges + invoice.stored_carried - invoice.credit
    if invoice.paid >= due:
        return "fully paid"
    return "partial payment" if invoice.paid else "not paid"


def _foreign(world: World, make: Any, number: int) -> Record:
    """A row whose tenant is not its customer's."""
    stranger = world.foreigner(world.tenant(world.plain[number % len(world.plain)]))
    return make({"tenant_id": world.tenant(stranger)}, number)
