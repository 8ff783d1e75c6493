"""The bookings of operations, as a BOOKING sample tells them: bookings of all channels, and what they cost."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from samples.booking import dirt
from samples.booking.catalog import package_name
from samples.booking.clock import DAY, bali_midnight, bali_time, clock_text, day_text, iso
from samples.booking.dirt import timed
from samples.booking.guests import contact, differing, guest, pickup
from samples.booking.weaving import drop_absent, woven
from samples.booking.website import money, total, updated_at
from samples.booking.world import PACKAGES_EACH, Fate, Place, Story, Trip, World, rupiahs
from samples.pools import pick
from samples.weaving import Unusable, altered, fixed, lacks, overrides, repeated, repeats, sometimes
from samples.writing import Record

BOOKING_COLUMNS = (
    *("booking_id", "booking_ref", "user_id", "package_id", "booking_date", "tour_name", "tour_date", "tour_time"),
    *("total_price", "currency", "number_of_adult", "number_of_child", "status", "source", "main_contact_name"),
    *("main_contact_email", "phone_number", "pickup_location", "meeting_point", "note", "assigned_driver_id"),
    *("assigned_at", "is_paid", "paid_at", "created_at", "updated_at", "total_price_usd", "fx_rate", "raw_email_id"),
)
FINANCE_COLUMNS = (
    *("booking_finance_id", "booking_id", "pattern_id", "assigned_at", "validated_at", "is_locked", "notes"),
    *("created_at", "updated_at"),
)
ITEM_COLUMNS = (
    *("finance_item_id", "booking_finance_id", "direction", "amount", "paid", "paid_at", "created_at", "updated_at"),
    "category",
)

ITEMS_EACH = 6
_DRIVERS = 40
_PATTERNS = 12
_COSTS = ("DRIVER", "GUIDE", "TICKETS", "LUNCH", "COMMISSION", "PARKING")
_AMOUNTS = (650_000, 400_000, 250_000, 180_000, 320_000, 20_000)
_UNTOUCHED = (Story.UNKNOWN, Story.SAME_TIME, Story.GUEST_MOVED, Story.OTHER_PHONE, Story.UNKNOWN_GUEST)
_LATER = (
    *(Story.MORE_GUESTS, Story.NO_TOTAL, Story.RUPIAHS, Story.NOTES, Story.PLACEHOLDER, Story.OTHER_GUESTS),
    *(Story.OTHER_HOUR, Story.CANCELLED_ITEM, Story.OTHER_PACKAGE),
)
_STALE = {"booking_ref": "STALE", "total_price": Decimal("1.00"), "source": "MANUAL", "status": "CANCELLED"}
_STALE_FINANCE = {"validated_at": None, "pattern_id": 99}
_STALE_ITEM = {"paid": False}
_NO_DAYS = (None, "", "0000-00-00 00:00:00", "to be agreed", "2025-02-30", "1999-12-31")
_NOTES = ("Guide speaks German.", "[UPDATE] pickup earlier", "Paid the ticket in advance.", "Big luggage")

_id = sometimes(71, 9, dirt.KEPT_IDS)
_reference = sometimes(59, 6, dirt.KEPT_IDS)
_ref = sometimes(9, 2, dirt.KEPT_REFS)
_day = timed(3, 1, (*dirt.KEPT_TIMES, lambda s: iso(s + 8 * 3600), lambda s: day_text((s + 8 * 3600) // DAY)))
_booked = timed(17, 2, dirt.TIMES)
_clock = sometimes(5, 1, dirt.CLOCKS)
_money = sometimes(13, 4, dirt.KEPT_MONEY)
_total = sometimes(73, 9, (*dirt.LOST_MONEY, *dirt.NEGATIVE_MONEY))
_currency = sometimes(23, 3, (*dirt.KEPT_CURRENCIES, *dirt.LOST_CURRENCIES))
_count = sometimes(37, 1, dirt.KEPT_INTS)
_lost_count = sometimes(181, 8, (*dirt.LOST_INTS, *dirt.NEGATIVE_INTS))
_status = sometimes(19, 6, dirt.KEPT_CODES)
_odd_status = sometimes(107, 2, dirt.ODD_CODES)
_source = sometimes(17, 5, dirt.KEPT_CODES)
_odd_source = sometimes(43, 7, dirt.ODD_SOURCES)
_created = timed(37, 8, dirt.TIMES)
_updated = timed(31, 1, dirt.TIMES)
_place = sometimes(29, 7, (*dirt.TEXTS, *fixed(None, "")))
_true = sometimes(5, 2, dirt.KEPT_TRUE)
_false = sometimes(3, 1, (*dirt.KEPT_FALSE, *dirt.LOST_BOOLEANS))
_driver = sometimes(41, 3, (*dirt.KEPT_INTS, *fixed(0, "driver 7", -2)))
_pattern = sometimes(23, 4, (*dirt.KEPT_INTS, *fixed(0, "none", -1)))
_assigned = timed(29, 5, dirt.TIMES)
_validated = timed(31, 3, dirt.KEPT_TIMES)
_paid_at = timed(17, 9, dirt.TIMES)
_amount = sometimes(43, 6, (*dirt.KEPT_MONEY, *dirt.LOST_MONEY))


class Settlement(NamedTuple):
    """What a trip costs the operator, as far as it is known when the export is taken.

    Attributes:
        assigned_at: when a driver and the costs were assigned.
        validated_at: when somebody checked the costs; None while nobody has.
        settled_at: when the last of the costs was paid; None while some are not.
        items: how many costs there are.
    """

    assigned_at: int
    validated_at: int | None
    settled_at: int | None
    items: int


def assigned_at(world: World, trip: Trip) -> int | None:
    """When a trip got its driver, if it has one: mostly two days before, sometimes right after the booking."""
    copied = world.copied_at(trip)
    early = trip.word % 10 == 0
    at = max(copied + 600, 0 if early else bali_time(trip.day - 2, 10 * 60 + trip.word % 300))
    if at > world.now or trip.fate is Fate.UNPAID:
        return None
    if trip.fate in (Fate.CANCELLED, Fate.REFUNDED) and at > trip.fate_at and not refunded_afterwards(trip):
        return None
    return at


def refunded_afterwards(trip: Trip) -> bool:
    """Whether the guest got the money back although the tour took place: the costs are settled all the same."""
    return trip.place is Place.BOTH and trip.fate is Fate.REFUNDED and trip.rank % 11 == 4


def settlement(world: World, trip: Trip, assigned: int | None) -> Settlement | None:
    """The costs of a trip with a driver, if there are any yet."""
    if assigned is None or trip.word % 40 == 7:
        return None
    lot = trip.word // 40
    validated = bali_time(trip.day + 1, 9 * 60 + lot % 200)
    settled = bali_time(trip.day + 3 + lot % 18, 15 * 60 + lot % 90)
    # Some costs are never paid, and some paid ones never checked.
    done = settled <= world.now and lot % 25 != 3
    return Settlement(
        assigned,
        validated if validated <= world.now and lot % 23 != 5 else None,
        settled if done else None,
        0 if lot % 61 == 8 else (2, 3, 3, 4)[lot % 4],
    )


def drifts(trip: Trip) -> bool:
    """Whether a trip counts as unpaid although all its costs are settled; the checks allow for few."""
    return trip.place is Place.OPS and trip.number % 400 == 303


class BookingTable:
    """The bookings of operations."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable: tuple[Unusable, ...] = (
            partial(self._unusable_row, {"booking_ref": dirt.LONG_REF}),
            *(partial(self._unusable_row, changes) for changes in overrides("tour_date", _NO_DAYS)),
            partial(self._unusable_row, {"booking_date": None, "created_at": "?", "updated_at": dirt.FUTURE}),
            *(partial(self._unusable_row, changes) for changes in overrides("booking_id", dirt.MISSING_PKS)),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS[:4]),
        )

    def rows(self) -> Iterator[Record]:
        """The bookings."""
        world = self._world
        return woven(range(world.all_trips), world.size, self._booking_rows, self._unusable)

    def _booking_rows(self, number: int) -> Iterator[Record]:
        if number % 7 == 1:
            return
        trip = self._world.trip(number)
        if not self._world.in_ops(trip):
            return
        row = self._row(trip)
        yield from repeated(row, number, _STALE) if repeats(number) else (row,)
        if has_twin(trip):
            yield self._twin(trip, row)

    def _row(self, trip: Trip) -> dict[str, Any]:
        world, n = self._world, trip.number
        driver = assigned_at(world, trip)
        costs = settlement(world, trip, driver)
        updated, package = self._changed_at(trip, driver, costs), trip.package
        told = trip.story is not Story.NOTHING
        row = {
            "booking_id": _id(world.ops_id(trip), n),
            "booking_ref": self._ref(trip),
            "user_id": "ops",
            "package_id": None if package is None else _reference(world.package_id(package, trip.variant), n),
            "booking_date": self._booking_date(trip),
            "tour_name": package_name(trip.variant // PACKAGES_EACH, trip.variant % PACKAGES_EACH),
            "tour_date": _day(bali_midnight(trip.day), n),
            "tour_time": _clock(clock_text(trip.minute), n) if n % 4 else None,
            "total_price": self._total_price(trip),
            "currency": _currency(trip.currency, n),
            "number_of_adult": _lost_count(_count(trip.adults, n), n),
            "number_of_child": None if not trip.children and n % 4 == 1 else _count(trip.children, n + 2),
            "status": self._status(trip, driver, costs),
            "source": self._source(trip),
            **contact(world, trip, 3),
            "pickup_location": _place(pickup(trip, 0), n),
            "meeting_point": "Hotel lobby" if n % 3 else "",
            "note": pick(_NOTES, trip.word) if n % 13 == 5 else None,
            "assigned_driver_id": None if driver is None else _driver(trip.word % _DRIVERS + 1, n),
            "assigned_at": None if driver is None else _assigned(driver, n),
            **self._paid(trip, costs),
            "created_at": _created(world.copied_at(trip), n),
            "updated_at": iso(updated) if told or repeats(n) else _updated(updated, n),
            "total_price_usd": None,
            "fx_rate": Decimal("16000.00") if trip.currency == "IDR" else None,
            "raw_email_id": None,
        }
        if told:
            row |= self._told(trip)
        elif n % 83 == 6:
            # Both spellings of a column: the database's own name wins.
            row |= {"tourDate": "2001-01-01", "numberOfAdult": 99}
        lacks(row, n, ("package_id", "note", "meeting_point", "raw_email_id"))
        drop_absent(row, "booking_ref", "source")
        return row

    def _told(self, trip: Trip) -> dict[str, Any]:
        """What a copy says of which the story tells, undisturbed by other dirt."""
        world, story, who = self._world, trip.story, guest(self._world, trip)
        price = total(world, trip)
        changes: dict[str, Any] = {
            "number_of_adult": trip.adults,
            "total_price": price,
            "currency": trip.currency,
            "tour_date": iso(bali_midnight(trip.day)),
            "created_at": iso(world.copied_at(trip)),
            "main_contact_name": who.name,
            "main_contact_email": who.email,
            "phone_number": who.phone,
            **differing(world, trip),
        }
        if story in (Story.MORE_GUESTS, Story.UNKNOWN, Story.OTHER_GUESTS):
            changes |= {"number_of_adult": trip.adults + 1, "total_price": price + 20}
            changes["number_of_child"] = trip.children + 1 if story is Story.MORE_GUESTS else trip.children
        elif story is Story.OTHER_PACKAGE:
            other = trip.variant // PACKAGES_EACH * PACKAGES_EACH + (trip.variant + 1) % PACKAGES_EACH
            changes["package_id"] = world.package_id(other)
        elif story is Story.SAME_TIME:
            changes["tour_date"] = iso(bali_midnight(trip.day + 1))
        elif story is Story.CANCELLED_ITEM:
            changes["total_price"] = money(trip.cents)
        elif story is Story.NO_TOTAL:
            changes["total_price"] = Decimal("0.00")
        elif story is Story.RUPIAHS:
            changes |= {"total_price": money(rupiahs(trip.cents)), "currency": "IDR"}
        elif story is Story.NOTES:
            changes["note"] = "Operations: has a pram."
        elif story is Story.OTHER_HOUR:
            changes["tour_time"] = "04:45"
        if story in (Story.UNKNOWN, Story.UNKNOWN_GUEST):
            changes |= {"created_at": None, "updated_at": dirt.FUTURE}
        return changes

    def _changed_at(self, trip: Trip, driver: int | None, costs: Settlement | None) -> int:
        world, copied = self._world, self._world.copied_at(trip)
        if trip.story in (Story.SAME_TIME, Story.OTHER_PHONE):
            return updated_at(world, trip)
        if trip.story in _UNTOUCHED:
            return copied
        if trip.story in _LATER:
            return min(updated_at(world, trip) + 3 * DAY, world.now)
        times = (trip.fate_at, driver, costs and costs.validated_at, costs and costs.settled_at)
        return max(copied, *(at for at in times if at))

    def _ref(self, trip: Trip) -> Any:
        world, n = self._world, trip.number
        ref = world.ref(trip)
        if world.mistyped(trip):
            return f"{ref[:-1]}?"
        if trip.channel == "MANUAL" and n % 10 < 3:
            # Nobody writes down a reference for a guest who calls, or only later.
            late = n % 10 == 2 and world.edition
            return f"WA {day_text(trip.day)} {n}" if late else pick(dirt.LOST_REFS, n)(ref)
        return int(ref) if trip.channel == "TRIPDOTCOM" and n % 6 == 1 else _ref(ref, n)

    def _source(self, trip: Trip) -> Any:
        source = _source(trip.channel, trip.number)
        # Somebody typed in the odd ones, and chose a package.
        return _odd_source(source, trip.number) if trip.place is Place.OPS and trip.package is not None else source

    def _booking_date(self, trip: Trip) -> Any:
        """Copies mostly have the website's, the day of the tour; imports have the time of the booking."""
        if trip.place is Place.BOTH and trip.rank % 10 < 8:
            return iso(bali_midnight(trip.day))
        return _booked(trip.created, trip.number)

    def _total_price(self, trip: Trip) -> Any:
        n = trip.number
        if trip.place is Place.BOTH:
            return Decimal("0.00") if trip.rank % 31 == 5 else _money(total(self._world, trip), n)
        return _total(_money(money(trip.cents), n), n)

    def _status(self, trip: Trip, driver: int | None, costs: Settlement | None) -> Any:
        world, n = self._world, trip.number
        if trip.fate in (Fate.CANCELLED, Fate.REFUNDED):
            return "DONE" if refunded_afterwards(trip) else _status("CANCELLED", n)
        if trip.fate is Fate.NO_SHOW:
            return _status("NO_SHOW", n)
        if costs and costs.settled_at:
            status = "DONE"
        elif costs and costs.validated_at:
            status = "COMPLETED"
        elif bali_midnight(trip.day) <= world.now:
            status = "ATTENTION"
        elif trip.fate is Fate.UPDATED:
            status = "UPDATED"
        else:
            status = "READY" if driver else "NEW"
        # Some statuses were never brought up to date.
        return pick(("NEW", "READY", "DONE"), n) if n % 29 == 3 else _odd_status(_status(status, n), n)

    def _paid(self, trip: Trip, costs: Settlement | None) -> dict[str, Any]:
        """Every import is paid by default, so only settled ones have to be right."""
        n = trip.number
        settled = costs is not None and costs.settled_at is not None
        if drifts(trip) or (not settled and n % 11 == 3):
            return {"is_paid": False if drifts(trip) else _false(False, n), "paid_at": None}
        at = costs.settled_at if costs and n % 3 else None
        return {"is_paid": _true(True, n), "paid_at": _paid_at(at, n)}

    def _twin(self, trip: Trip, row: dict[str, Any]) -> Record:
        """The same e-mail, typed in again: another row with the same reference."""
        changes = {
            "booking_id": self._world.ops_id(trip, 1),
            "booking_ref": f" {str(row['booking_ref']).strip().lower()} ",
            "note": "typed in twice",
            "updated_at": iso(self._world.copied_at(trip)) if trip.number % 2 else row.get("updated_at"),
        }
        return {**row, **changes}

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "booking_id": self._world.spare_id(number),
            "booking_ref": f"LOST{number}",
            "user_id": "ops",
            "booking_date": "2025-12-01T16:00:00.000Z",
            "tour_name": "Nobody's tour",
            "tour_date": "2025-12-20T16:00:00.000Z",
            "total_price": Decimal("10.00"),
            "currency": "USD",
            "number_of_adult": 2,
            "number_of_child": 0,
            "status": "NEW",
            "source": "GYG",
            "main_contact_name": "Sample Guest",
            "main_contact_email": f"lost{number}@{dirt.EMAIL_DOMAIN}",
            "phone_number": "+628120000000",
            "pickup_location": dirt.ADDRESS_MARK,
            "meeting_point": "",
            "is_paid": True,
            "created_at": "2025-11-01T16:00:00.000Z",
            "updated_at": "2025-11-01T16:00:00.000Z",
        }
        return altered(row, changes)


def has_twin(trip: Trip) -> bool:
    """Whether operations has two bookings of the same reference."""
    has_ref = trip.channel != "MANUAL" and trip.number % 307 != 11
    return has_ref and trip.story is Story.NOTHING and trip.number % 83 == 33 and not repeats(trip.number)


class FinanceTables:
    """The costs of the bookings."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable: tuple[Unusable, ...] = (
            *(
                partial(self._unusable_row, changes)
                for changes in overrides("booking_id", (dirt.DANGLING, None, "A-7"))
            ),
            lambda n: self._unusable_row({"booking_id": world.spare_id(0)}, n),
            *(partial(self._unusable_row, changes) for changes in overrides("booking_finance_id", dirt.MISSING_PKS)),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS[:2]),
        )
        self._unusable_items: tuple[Unusable, ...] = (
            *(partial(self._unusable_item, {"booking_finance_id": key}) for key in (dirt.DANGLING, None, "F-7")),
            # The finance is there, but it has no booking.
            lambda n: self._unusable_item({"booking_finance_id": world.spare_id(0)}, n),
            *(partial(self._unusable_item, changes) for changes in overrides("finance_item_id", dirt.MISSING_PKS)),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS[:3]),
        )

    def rows(self) -> Iterator[Record]:
        """The finances."""
        world = self._world
        return woven(range(world.all_trips), world.size, self._finance_rows, self._unusable)

    def items(self) -> Iterator[Record]:
        """The finances' items."""
        world = self._world
        return woven(range(world.all_trips), world.size, self._item_rows, self._unusable_items)

    def _settled(self, number: int) -> tuple[Trip, Settlement] | None:
        if number % 7 == 1:
            return None
        trip = self._world.trip(number)
        if not self._world.in_ops(trip):
            return None
        costs = settlement(self._world, trip, assigned_at(self._world, trip))
        return None if costs is None else (trip, costs)

    def _finance_id(self, trip: Trip, second: int = 0) -> int:
        return self._world.ops_id(trip) * 2 + second

    def _finance_rows(self, number: int) -> Iterator[Record]:
        found = self._settled(number)
        if found is None:
            return
        trip, costs = found
        row = self._row(trip, costs)
        yield from repeated(row, number, _STALE_FINANCE) if repeats(number) else (row,)
        if has_second(trip):
            twin = has_twin(trip) and trip.number % 2
            yield {
                **row,
                "booking_finance_id": self._finance_id(trip, 1),
                "booking_id": self._world.ops_id(trip, 1 if twin else 0),
                "validated_at": None,
                "updated_at": iso(costs.assigned_at - 60),
            }

    def _row(self, trip: Trip, costs: Settlement) -> dict[str, Any]:
        world, n = self._world, trip.number
        changed = max(costs.assigned_at, costs.validated_at or 0, costs.settled_at or 0)
        return {
            "booking_finance_id": _id(self._finance_id(trip), n),
            "booking_id": _reference(world.ops_id(trip), n + 3),
            "pattern_id": None if n % 8 == 1 else _pattern(trip.word % _PATTERNS + 1, n),
            "assigned_at": _assigned(costs.assigned_at, n + 4),
            "validated_at": _validated(costs.validated_at, n),
            "is_locked": _true(True, n) if costs.settled_at else _false(False, n + 1),
            "notes": None,
            "created_at": iso(costs.assigned_at),
            "updated_at": iso(changed),
        }

    def _item_rows(self, number: int) -> Iterator[Record]:
        found = self._settled(number)
        if found is None:
            return
        trip, costs = found
        for place in range(costs.items):
            n = trip.number + 3 * place
            row = self._item(trip, costs, place, n)
            if repeats(n) and n % 2:
                yield from repeated(row, n, _STALE_ITEM)
            else:
                yield row
        if has_second(trip):
            # Unpaid costs of the other finance do not count.
            row = self._item(trip, costs._replace(settled_at=None), 0, number)
            other = {
                "finance_item_id": self._item_id(trip, ITEMS_EACH),
                "booking_finance_id": self._finance_id(trip, 1),
            }
            yield row | other

    def _item_id(self, trip: Trip, place: int) -> int:
        return self._finance_id(trip) * ITEMS_EACH + place

    def _item(self, trip: Trip, costs: Settlement, place: int, n: int) -> dict[str, Any]:
        settled = costs.settled_at
        # As long as not all is paid, the first costs may be.
        paid = settled is not None or (place == 0 and costs.items > 1 and costs.validated_at is not None)
        at = (settled or costs.validated_at) if paid else None
        return {
            "finance_item_id": _id(self._item_id(trip, place), n),
            "booking_finance_id": _reference(self._finance_id(trip), n),
            "direction": "IN" if place == 4 else "OUT",
            "amount": _amount(money(_AMOUNTS[place] * 100), n),
            "paid": _true(True, n) if paid else _false(False, n),
            "paid_at": _paid_at(at, n),
            "created_at": iso(costs.assigned_at),
            "updated_at": iso(at or costs.assigned_at),
            "category": _COSTS[place],
        }

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "booking_finance_id": self._world.spare_id(number),
            "booking_id": dirt.DANGLING,
            "pattern_id": 1,
            "assigned_at": dirt.OLD,
            "is_locked": False,
            "created_at": dirt.OLD,
            "updated_at": dirt.OLD,
        }
        return altered(row, changes)

    def _unusable_item(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "finance_item_id": self._world.spare_id(number),
            "booking_finance_id": dirt.DANGLING,
            "direction": "OUT",
            "amount": Decimal("20000.00"),
            "paid": True,
            "created_at": dirt.OLD,
            "updated_at": dirt.OLD,
        }
        return altered(row, changes)


def has_second(trip: Trip) -> bool:
    """Whether a trip has a second finance, which is not the one that counts."""
    return has_twin(trip) or trip.number % 97 == 12
