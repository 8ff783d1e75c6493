"""The meters of a METER sample, and whom they were given to."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from samples.meter import dirt
from samples.meter.dirt import repeated, sometimes
from samples.meter.world import METERS_EACH, Customer, Kind, World
from samples.weaving import Unusable, altered, fixed, overrides, repeats, without_absent
from samples.writing import Record

METER_COLUMNS = (
    *("id", "tenant_id", "meter_number", "status", "balance", "overpayment", "address", "created_at", "updated_at"),
)
ASSIGNMENT_COLUMNS = (
    *("id", "tenant_id", "customer_id", "meter_id", "is_active", "assigned_at", "unassigned_at"),
    *("created_at", "updated_at"),
)

_AGAIN, _BEFORE = METERS_EACH, METERS_EACH + 1
_STOCK = METERS_EACH
_STALE_METER = {"status": "faulty", "meter_number": "?"}
_STALE_ASSIGNMENT = {"is_active": True, "unassigned_at": None}

_number = sometimes(43, 2, dirt.METER_NUMBERS)
_status = sometimes(23, 5, dirt.METER_STATUSES)
_balance = sometimes(17, 3, dirt.METER_MONEY)
_overpayment = sometimes(19, 4, dirt.METER_MONEY)
_id = sometimes(59, 9, dirt.KEPT_IDS)
_reference = sometimes(37, 6, dirt.KEPT_IDS)
_nothing = sometimes(13, 1, fixed(None, ""))
_true = sometimes(5, 2, dirt.KEPT_TRUE)
_false = sometimes(2, 1, dirt.KEPT_FALSE)
_day = sometimes(11, 7, dirt.KEPT_DATES)
_lost_day = sometimes(9, 4, dirt.LOST_DATES)
_created = sometimes(31, 8, dirt.TIMES)
_updated = sometimes(41, 5, dirt.TIMES)

_METER_CHANGES: tuple[dict[str, Any], ...] = (
    *overrides("id", dirt.MISSING_KEYS),
    *overrides("tenant_id", (None, "", *dirt.GARBAGE_REFERENCES, 0, 987654)),
)
_ASSIGNMENT_CHANGES: tuple[dict[str, Any], ...] = (
    *overrides("id", dirt.MISSING_KEYS),
    *overrides("tenant_id", (*dirt.GARBAGE_REFERENCES[:2], 0, 987654)),
    *overrides("customer_id", (None, "", *dirt.GARBAGE_REFERENCES[:3], 0, 987_654_321, 1)),
    *overrides("meter_id", (None, *dirt.GARBAGE_REFERENCES[:3], 0, 987_654_321)),
    *overrides("is_active", dirt.GARBAGE_BOOLEANS),
)


class MeterTable:
    """The meters of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, changes) for changes in _METER_CHANGES),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS),
        )

    def rows(self) -> Iterator[Record]:
        """The customers' meters, and some in stock."""
        return self._world.woven(self._meter_rows, self._unusable)

    def _meter_rows(self, index: int) -> Iterator[Record]:
        world = self._world
        customer = world.customer(index)
        numbers = [number for number, (first, _) in enumerate(customer.spans) if first <= world.month]
        if index % 26 == 8:
            numbers.append(_STOCK)
        for number in numbers:
            row, n = self._row(customer, number), index + 7 * number
            yield from repeated(row, n, _STALE_METER) if repeats(n) else (row,)

    def _row(self, customer: Customer, number: int) -> Record:
        world, n = self._world, customer.number + 71 * number
        meter_id = world.meter_id(customer.number, number)
        updated = f"{world.day(world.first_month, 2)} 10:00:00"
        row = {
            "id": _id(meter_id, n),
            "tenant_id": _reference(customer.tenant, n),
            "meter_number": _number(f"KD-{customer.tenant:02d}-{meter_id:06d}", n),
            "status": _status(self._status(customer, number), n),
            "balance": _balance(0, n),
            "overpayment": _overpayment(0, n),
            "address": f"{dirt.ADDRESS_MARK}, Plot {n % 500}",
            "created_at": _created(f"{world.day(world.first_month - 30, 1 + n % 28)} 10:00:00", n),
            "updated_at": updated if repeats(customer.number + 7 * number) else _updated(updated, n),
        }
        return without_absent(row)

    def _status(self, customer: Customer, number: int) -> str:
        if number == _STOCK:
            return "inactive"
        last = customer.spans[number][1]
        if last is not None and last < self._world.month:
            return "retired" if customer.kind is Kind.REPLACED else "disconnected"
        # The later export finds some meters cut off.
        cut = self._world.spec.edition and customer.number % 67 == 3
        return "disconnected" if cut else "active"

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "id": self._world.spare_id(number),
            "tenant_id": 2,
            "meter_number": f"KD-X-{number}",
            "status": "active",
            "address": f"{dirt.ADDRESS_MARK}, Plot 0",
            "created_at": None,
            "updated_at": None,
        }
        return altered(row, changes)


class AssignmentTable:
    """The assignments of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, changes) for changes in _ASSIGNMENT_CHANGES),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS),
            *(partial(self._foreign_row, column) for column in ("tenant_id", "customer_id", "meter_id")),
        )

    def rows(self) -> Iterator[Record]:
        """The assignments, former ones among them."""
        return self._world.woven(self._assignment_rows, self._unusable)

    def _assignment_rows(self, index: int) -> Iterator[Record]:
        world = self._world
        customer = world.customer(index)
        if customer.kind is Kind.SHARES:
            # Active for both: the meter is shared with the customer before.
            yield self._row(customer, 0, world.previous(customer), 0, active=True)
        for number, (first, last) in enumerate(customer.spans):
            if first <= world.month:
                active = last is None or last >= world.month
                row = self._row(customer, number, index, number, active=active)
                n = index + 3 * number
                yield from repeated(row, n, _STALE_ASSIGNMENT) if repeats(n) else (row,)
        if customer.plain and index < world.customers:
            yield from self._former(customer)

    def _former(self, customer: Customer) -> Iterator[Record]:
        """What was before: the customer had the same meter already, or somebody else had it."""
        index = customer.number
        if index % 17 == 3:
            row = self._row(customer, _AGAIN, index, 0, active=False)
            yield {**row, "assigned_at": "2019-02-01", "unassigned_at": "2020-01-31"}
        elif index % 41 == 5:
            # Said twice: the meter counts once.
            yield {**self._row(customer, _AGAIN, index, 0, active=True), "is_active": True}
        if index % 41 == 11:
            other = self._world.neighbour(index)
            if other is not None and self._world.customer(other).plain and not self._world.gone(other):
                row = self._row(customer, _BEFORE, index, 0, active=False)
                yield {**row, "customer_id": self._world.user_id(other), "assigned_at": "2018-05-01"}

    def _row(self, customer: Customer, number: int, owner: int, meter: int, *, active: bool) -> dict[str, Any]:
        world, index = self._world, customer.number
        n = index + 59 * number
        last = customer.spans[meter][1] if len(customer.spans) > meter else None
        # Days follow the numbers of the meters: the first one given to a customer is the first one here.
        day = world.day(max(customer.start - 1, world.first_month - 3) + (number if meter else 0), 3 + 9 * meter)
        until = None if last is None or active else world.day(last, 27)
        row = {
            "id": _id(world.assignment_id(index, number), n),
            "tenant_id": _nothing(_reference(customer.tenant, n), n),
            "customer_id": _reference(world.user_id(index), n + 3),
            "meter_id": _reference(world.meter_id(owner, meter), n + 7),
            "is_active": _true(1, n) if active else _false(0, n),
            "assigned_at": _lost_day(day, n) if customer.plain else _day(day, n),
            "unassigned_at": _contradiction(day, n) if active else _lost_day(until, n) if until else None,
            "created_at": f"{day} 11:00:00",
            "updated_at": f"{until or day} 11:00:00",
        }
        return without_absent(row)

    def _unusable_row(self, changes: dict[str, Any], number: int) -> dict[str, Any]:
        world = self._world
        index = world.plain[number % len(world.plain)]
        row = {
            "id": world.spare_id(number),
            "tenant_id": world.tenant(index),
            "customer_id": world.user_id(index),
            "meter_id": world.meter_id(index, 0),
            "is_active": 1,
            "assigned_at": "2021-01-01",
            "unassigned_at": None,
            "created_at": None,
            "updated_at": None,
        }
        return altered(row, changes)

    def _foreign_row(self, column: str, number: int) -> Record:
        """Tenant, customer and meter do not belong together."""
        world = self._world
        stranger = world.foreigner(world.tenant(world.plain[number % len(world.plain)]))
        foreign = {
            "tenant_id": world.tenant(stranger),
            "customer_id": world.user_id(stranger),
            "meter_id": world.meter_id(stranger, 0),
        }
        return self._unusable_row({column: foreign[column]}, number)


def _contradiction(day: str, number: int) -> str | None:
    """Now and then an active assignment has an end."""
    return day if number % 37 == 4 else None
