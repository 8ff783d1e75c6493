"""The payments of a METER sample, and the ledger of its overpayments."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any

from samples.meter import dirt
from samples.meter.dirt import repeated, sometimes
from samples.meter.history import Credit, History, Payment
from samples.meter.world import Customer, World
from samples.pools import pick
from samples.weaving import ABSENT, Unusable, altered, fixed, lacks, overrides, repeats, without_absent
from samples.writing import Record

COLUMNS = (
    *("id", "tenant_id", "customer_id", "invoice_id", "meter_id", "amount", "method", "reference", "phone", "status"),
    *("date", "reversed_at", "created_at", "updated_at"),
)
CREDIT_COLUMNS = (
    *("id", "tenant_id", "customer_id", "payment_id", "meter_id", "amount", "status", "date"),
    *("created_at", "updated_at"),
)

_DANGLING = 987_654_321
_STALE = {"amount": Decimal("999.00"), "status": "paid"}
_STALE_CREDIT = {"amount": Decimal("999.00")}
_EXTRAS = ("tenant_id", "method", "reference", "date", "phone", "created_at")

_id = sometimes(67, 9, dirt.KEPT_IDS)
_tenant = sometimes(13, 2, fixed(None, ""))
_reference_id = sometimes(41, 6, dirt.KEPT_IDS)
_amount = sometimes(11, 5, dirt.KEPT_MONEY)
_odd_method = sometimes(29, 3, dirt.ODD_METHODS)
_reference = sometimes(37, 4, dirt.REFERENCES)
_day = sometimes(17, 7, dirt.TIMES)
_created = sometimes(31, 8, dirt.TIMES)
_updated = sometimes(43, 1, dirt.TIMES)
_statuses = {status: sometimes(9, 2, kinds) for status, kinds in dirt.KEPT_STATUSES.items()}
_rare_statuses = {status: sometimes(2, 0, kinds) for status, kinds in dirt.KEPT_STATUSES.items()}
_credit_amount = sometimes(5, 2, dirt.KEPT_MONEY)
_credit_day = sometimes(7, 3, dirt.TIMES)

_CHANGES: tuple[dict[str, Any], ...] = (
    *overrides("id", dirt.MISSING_KEYS),
    *overrides("tenant_id", (*dirt.GARBAGE_REFERENCES[:2], 0, 987654)),
    *overrides("customer_id", dirt.GARBAGE_REFERENCES[:4]),
    *({"customer_id": value, "invoice_id": None} for value in (None, 0, "", _DANGLING, 1)),
    {"customer_id": None, "invoice_id": _DANGLING},
    *overrides("amount", (None, "", *dirt.GARBAGE_AMOUNTS, *dirt.HUGE_AMOUNTS, *dirt.NEGATIVE_AMOUNTS)),
    *overrides("status", dirt.GARBAGE_STATUSES),
    {"status": "bounced", "reversed_at": "2025-01-02 10:00:00"},
)
_CREDIT_CHANGES: tuple[dict[str, Any], ...] = (
    {"id": None},
    {"customer_id": None},
    {"payment_id": "P-1"},
    {"amount": "N/A"},
    {"amount": Decimal("1000000000000.00")},
    {"amount": Decimal("-5.00")},
    {"status": "lost"},
    {"customer_id": _DANGLING},
    {"payment_id": _DANGLING},
    {"tenant_id": 987654},
)

Misdirection = Callable[["PaymentTable", Customer, dict[str, Any]], dict[str, Any]]


class PaymentTable:
    """The payments of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, changes) for changes in _CHANGES),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS),
            self._foreign_tenant_row,
            self._foreign_invoice_row,
        )

    def rows(self) -> Iterator[Record]:
        """The payments."""
        return self._world.woven(self._payment_rows, self._unusable)

    def _payment_rows(self, index: int) -> Iterator[Record]:
        customer = self._world.customer(index)
        for payment in History(self._world, customer).payments:
            n = index + 31 * payment.slot + 7 * payment.number
            row = self._row(customer, payment, n)
            if repeats(n):
                yield from repeated(row, n, _STALE)
            else:
                yield row

    def _row(self, customer: Customer, payment: Payment, n: int) -> dict[str, Any]:
        world, index = self._world, customer.number
        day = world.day(payment.month, payment.day)
        updated = f"{day} 13:00:00"
        row = {
            "id": _id(world.payment_id(index, payment.slot, payment.number), n),
            "tenant_id": _tenant(customer.tenant, n),
            "customer_id": _reference_id(world.user_id(index), n),
            "invoice_id": None if payment.invoice is None else world.invoice_id(index, payment.invoice),
            "meter_id": world.meter_id(index, payment.meter or 0) if payment.stated else None,
            "amount": _amount(payment.amount, n),
            "method": _odd_method(pick(dirt.METHODS, n), n),
            "reference": _reference(f"Q{payment.slot:02d}{index:07d}{payment.number}", n),
            "phone": f"{dirt.PHONE_MARK}{index % 1_000_000:06d}",
            "status": (_rare_statuses if payment.void else _statuses)[payment.status](payment.status, n),
            "date": _day(day, n),
            "reversed_at": self._reversed_at(payment, n),
            "created_at": _created(f"{day} 12:00:00", n),
            "updated_at": updated if repeats(n) else _updated(updated, n),
        }
        if payment.status == "reversed" and n % 3 == 0:
            # The reversal is in its own column only.
            row["status"], row["reversed_at"] = "Paid", self._taken_back(payment)
        turn, rest = divmod(n, 19)
        if rest == 1 and customer.plain and payment.invoice is not None:
            row |= _MISDIRECTIONS[turn % len(_MISDIRECTIONS)](self, customer, row)
        lacks(row, n, _EXTRAS)
        return row

    def _reversed_at(self, payment: Payment, n: int) -> Any:
        if payment.status == "reversed":
            return self._taken_back(payment) if n % 2 else None
        return pick(("", "0000-00-00 00:00:00", "never"), n // 53) if n % 53 == 6 else None

    def _taken_back(self, payment: Payment) -> str:
        return f"{self._world.day(payment.month + 1, 1)} 04:05:06"

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        world = self._world
        index = world.plain[number % len(world.plain)]
        row = {
            "id": world.spare_id(number),
            "tenant_id": world.tenant(index),
            "customer_id": world.user_id(index),
            "invoice_id": world.invoice_id(index, world.slot(world.customer(index).start, 0)),
            "meter_id": None,
            "amount": Decimal("250.00"),
            "method": "cash",
            "reference": None,
            "phone": f"{dirt.PHONE_MARK}000000",
            "status": "paid",
            "date": "2025-01-01",
            "reversed_at": None,
            "created_at": None,
            "updated_at": None,
        }
        return altered(row, changes)

    def _foreign_tenant_row(self, number: int) -> Record:
        """A payment to another tenant than its customer's."""
        stranger = self._world.foreigner(self._world.tenant(self._world.plain[number % len(self._world.plain)]))
        return self._unusable_row({"tenant_id": self._world.tenant(stranger)}, number)

    def _foreign_invoice_row(self, number: int) -> Record:
        """A payment without a customer on another tenant's invoice."""
        changes = {"customer_id": None, "invoice_id": self.foreign_invoice(number)}
        return self._unusable_row(changes, number)

    def foreign_invoice(self, number: int) -> int:
        """An invoice of another tenant than that of a plain customer's number."""
        world = self._world
        return self.invoice_abroad(world.tenant(world.plain[number % len(world.plain)]))

    def invoice_abroad(self, tenant: int) -> int:
        """An invoice of another tenant."""
        stranger = self._world.foreigner(tenant)
        return self._world.invoice_id(stranger, self._world.slot(self._world.customer(stranger).start, 0))

    def meter_abroad(self, tenant: int) -> int:
        """A meter of another tenant."""
        return self._world.meter_id(self._world.foreigner(tenant), 0)

    def meter_of(self, customer: Customer) -> int:
        """The customer's own meter."""
        return self._world.meter_id(customer.number, 0)

    def somebody(self, customer: Customer) -> dict[str, Any]:
        """Paid by another customer of the tenant, where there is one nearby."""
        other = self._world.neighbour(customer.number)
        return {} if other is None else {"customer_id": self._world.user_id(other)}


# Whatever is wrong with the way of a payment, a plain customer's money can only end at its one meter.
_MISDIRECTIONS: tuple[Misdirection, ...] = (
    lambda _, customer, row: {"invoice_id": _DANGLING},
    lambda table, customer, row: {"invoice_id": table.invoice_abroad(customer.tenant)},
    lambda _, customer, row: {"customer_id": None},
    lambda _, customer, row: {"customer_id": _DANGLING},
    lambda _, customer, row: {"customer_id": None, "tenant_id": None},
    lambda table, customer, row: {"meter_id": table.meter_of(customer)},
    lambda _, customer, row: {"meter_id": _DANGLING},
    lambda table, customer, row: {"meter_id": table.meter_abroad(customer.tenant)},
    lambda table, customer, row: table.somebody(customer),
    lambda _, customer, row: {"invoice_id": f"INV-{row['invoice_id']}"},
    lambda _, customer, row: {"meter_id": "main"},
    lambda _, customer, row: {"invoice_id": 0, "meter_id": 0},
    lambda _, customer, row: {"invoice_id": str(row["invoice_id"]), "customer_id": 0},
    lambda _, customer, row: {"invoice_id": None},
)


class CreditTable:
    """The overpayments of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, changes) for changes in _CREDIT_CHANGES),
            lambda _: dirt.NOT_OBJECTS[0],
            self._foreign_row,
        )

    def rows(self) -> Iterator[Record]:
        """The overpayments."""
        return self._world.woven(self._credit_rows, self._unusable)

    def _credit_rows(self, index: int) -> Iterator[Record]:
        customer = self._world.customer(index)
        for credit in History(self._world, customer).credits:
            row = self._row(customer, credit)
            # The rows are few: their own turn gives every kind of repetition a chance.
            turn = index * 23
            yield from repeated(row, turn, _STALE_CREDIT) if repeats(turn) else (row,)

    def _row(self, customer: Customer, credit: Credit) -> dict[str, Any]:
        world, index = self._world, customer.number
        n = index + credit.number
        day = world.day(credit.month, credit.day)
        paid = credit.payment
        row = {
            "id": world.credit_id(index, credit.number),
            "tenant_id": _tenant(customer.tenant, n),
            "customer_id": _reference_id(world.user_id(index), n),
            "payment_id": _no_payment(n) if paid is None else world.payment_id(index, paid.slot, paid.number),
            "meter_id": self._meter(customer, credit, n),
            "amount": _credit_amount(credit.amount, n),
            "status": _rare_statuses[credit.status](credit.status, n),
            "date": _credit_day(day, n),
            "created_at": _created(f"{day} 14:00:00", n),
            "updated_at": f"{day} 14:00:00",
        }
        return without_absent(row)

    def _meter(self, customer: Customer, credit: Credit, n: int) -> Any:
        """Mostly nothing; what is wrong leads to the same meter in the end."""
        meter = credit.payment.meter if credit.payment else 0
        if n % 9 or not customer.spans:
            return None
        right = self._world.meter_id(customer.number, meter or 0)
        return pick((right, _DANGLING, "none", 0, self._world.meter_id(self._world.foreigner(customer.tenant), 0)), n)

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        world = self._world
        index = world.plain[number % len(world.plain)]
        row = {
            "id": world.spare_id(number),
            "tenant_id": world.tenant(index),
            "customer_id": world.user_id(index),
            "payment_id": None,
            "meter_id": None,
            "amount": Decimal("80.00"),
            "status": "available",
            "date": "2025-01-01",
            "created_at": None,
            "updated_at": None,
        }
        return altered(row, changes)

    def _foreign_row(self, number: int) -> Record:
        """Credit of another tenant than the customer's."""
        stranger = self._world.foreigner(self._world.tenant(self._world.plain[number % len(self._world.plain)]))
        return self._unusable_row({"tenant_id": self._world.tenant(stranger)}, number)


def _no_payment(number: int) -> Any:
    return pick((None, 0, "", ABSENT), number)
