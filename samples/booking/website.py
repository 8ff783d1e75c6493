"""The bookings of the website, as a BOOKING sample tells them: bookings, their items, travellers and payments."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from samples.booking import dirt
from samples.booking.clock import DAY, bali_midnight, bali_time, day_text, iso
from samples.booking.dirt import timed
from samples.booking.guests import contact, guest, pickup
from samples.booking.weaving import drop_absent, woven
from samples.booking.world import Fate, Place, Story, Trip, World, child_cents
from samples.pools import FIRST_NAMES, pick
from samples.weaving import Unusable, altered, fixed, lacks, overrides, repeated, repeats, sometimes
from samples.writing import Record

BOOKING_COLUMNS = (
    *("booking_id", "user_id", "package_id", "booking_date", "total_price", "number_of_adult", "number_of_child"),
    *("status", "status_v2", "currency_code", "created_at", "updated_at", "booking_ref", "main_contact_name"),
    *("main_contact_email", "phone_number", "meeting_point", "note"),
)
ITEM_COLUMNS = (
    *("booking_item_id", "booking_id", "variant_id", "departure_id", "item_status", "currency_code", "adult_qty"),
    *("child_qty", "infant_qty", "adult_unit_price", "child_unit_price", "infant_unit_price", "subtotal"),
    *("discount_amount", "tax_amount", "total_amount", "snapshot", "created_at", "updated_at"),
)
TRAVELLER_COLUMNS = (
    *("traveler_id", "booking_item_id", "traveler_type", "title", "first_name", "last_name", "email", "phone"),
    *("birth_date", "nationality", "passport_number", "special_request", "created_at", "updated_at"),
)
PAYMENT_COLUMNS = (
    *("payment_id", "booking_id", "user_id", "payment_date", "amount", "payment_method", "payment_status"),
    *("payment_status_v2", "currency_code", "gateway", "gateway_order_id", "gateway_capture_id", "raw_payload"),
    *("payment_ref", "created_at", "updated_at"),
)

ITEMS_EACH = 4
PAYMENTS_EACH = 4
TRAVELLERS_EACH = 4
_DISCOUNT = Decimal("5.00")

_BARE_STORIES = (Story.MORE_GUESTS, Story.UNKNOWN, Story.RUPIAHS, Story.NO_TOTAL)
_NOTES = ("Vegetarian lunch, please.", "We have a pram.", "Early flight:\nplease be on time!", "Honeymoon \u2764")
_STALE = {"booking_ref": "STALE", "total_price": Decimal("1.00")}
_STALE_ITEM = {"total_amount": Decimal("1.00"), "item_status": "CANCELLED"}
_STALE_TRAVELLER = {"first_name": "Nobody"}
_STALE_PAYMENT = {"amount": Decimal("1.00"), "payment_ref": None}

_id = sometimes(67, 9, dirt.KEPT_IDS)
_reference = sometimes(61, 6, dirt.KEPT_IDS)
_ref = sometimes(6, 2, dirt.KEPT_REFS)
_lost_ref = sometimes(47, 5, dirt.LOST_REFS)
_day = timed(13, 2, (*dirt.KEPT_TIMES, lambda s: day_text((s + 8 * 3600) // DAY)))
_money = sometimes(11, 4, dirt.KEPT_MONEY)
_total = sometimes(53, 9, (*dirt.LOST_MONEY, *dirt.NEGATIVE_MONEY))
_currency = sometimes(19, 3, dirt.KEPT_CURRENCIES)
_lost_currency = sometimes(59, 8, dirt.LOST_CURRENCIES)
_count = sometimes(37, 1, dirt.KEPT_INTS)
_lost_count = sometimes(179, 8, (*dirt.LOST_INTS, *dirt.NEGATIVE_INTS))
_status = sometimes(17, 6, (str.upper, str.title, lambda v: f" {v} "))
_odd_status = sometimes(71, 2, dirt.ODD_CODES)
_code = sometimes(13, 5, dirt.KEPT_CODES)
_odd_code = sometimes(83, 4, dirt.ODD_CODES)
_created = timed(31, 8, dirt.TIMES)
_updated = timed(29, 1, dirt.TIMES)
_note = sometimes(4, 1, dirt.PARAGRAPHS)
_place = sometimes(23, 7, (*dirt.TEXTS, *fixed(None, "", "  ")))
_variant = sometimes(67, 3, fixed(dirt.DANGLING, None, "V-7", Decimal("7.5"), ""))
_price = sometimes(41, 5, (*dirt.LOST_MONEY, *dirt.NEGATIVE_MONEY))
_extra = sometimes(17, 2, (*dirt.KEPT_MONEY, *dirt.LOST_MONEY))
_birth = sometimes(7, 1, dirt.BIRTHDAYS)
_text = sometimes(11, 3, (*dirt.TEXTS, *dirt.LOST_TEXTS))
_type = sometimes(9, 2, (*dirt.KEPT_CODES, *fixed(None, "", "SENIOR")))
_paid_day = timed(23, 5, dirt.KEPT_TIMES)
_lost_day = sometimes(43, 9, dirt.LOST_TIMES)
_method = sometimes(29, 8, dirt.ODD_METHODS)


class Item(NamedTuple):
    """A part of a booking on the website."""

    number: int
    status: str
    adults: int
    children: int
    infants: int
    discount: Decimal
    amount: Decimal


def money(cents: int) -> Decimal:
    """Hundredths as an amount of two decimals."""
    return Decimal(cents).scaleb(-2)


def updated_at(world: World, trip: Trip) -> int:
    """When the website last changed a booking."""
    last = max(trip.created, trip.fate_at, trip.paid_at or 0)
    if trip.story in (Story.SAME_TIME, Story.OTHER_PHONE, Story.GUEST_MOVED, Story.NO_TOTAL, Story.OTHER_GUESTS):
        return min(last + 2 * DAY, world.now)
    over = bali_time(trip.day + 1, trip.minute)
    return over if trip.paid and over <= world.now and trip.story is Story.NOTHING else last


def travel_day(trip: Trip) -> int:
    """The day that the website knows."""
    return trip.day + 3 if trip.story is Story.GUEST_MOVED else trip.day


def items(world: World, trip: Trip) -> list[Item]:
    """The parts of a booking: mostly one; some old bookings have none."""
    old = trip.number % 101 < 7 and (trip.package is not None or trip.number % 4 == 0)
    if trip.story in _BARE_STORIES or (trip.story is Story.NOTHING and old):
        return []
    adult, child = _unit_cents(world, trip)
    first = money(trip.adults * adult + trip.children * child)
    lot = trip.number % 89
    infants = int(lot % 9 == 2)
    status = _item_status(world, trip)
    if trip.story is Story.CANCELLED_ITEM:
        return [
            Item(0, "ACTIVE", trip.adults, trip.children, infants, Decimal(0), first),
            Item(1, "COMPLETED", 0, 0, 1, Decimal(0), Decimal("35.50")),
            Item(2, "CANCELLED", 1, 0, 0, Decimal(0), Decimal("10.00")),
        ]
    if lot == 5 and trip.adults > 1:
        one = money(adult)
        return [
            Item(0, status, trip.adults - 1, trip.children, infants, Decimal(0), first - one),
            Item(1, status, 1, 0, 0, Decimal(0), one),
        ]
    if lot == 11:
        return [Item(0, status, trip.adults, trip.children, infants, _DISCOUNT, first - _DISCOUNT)]
    whole = Item(0, status, trip.adults, trip.children, infants, Decimal(0), first)
    return [whole, Item(1, "CANCELLED", 1, 0, 0, Decimal(0), money(adult))] if lot in (17, 18) else [whole]


def total(world: World, trip: Trip) -> Decimal:
    """What the website asks for."""
    active = [item.amount for item in items(world, trip) if item.status != "CANCELLED"]
    return sum(active, Decimal(0)) if active else money(trip.cents)


def _unit_cents(world: World, trip: Trip) -> tuple[int, int]:
    del world
    # Children pay three fifths, so the adults' price follows from the total.
    adult = trip.cents * 5 // (trip.adults * 5 + trip.children * 3)
    return adult, child_cents(adult)


def _item_status(world: World, trip: Trip) -> str:
    if trip.fate in (Fate.CANCELLED, Fate.REFUNDED):
        return "CANCELLED" if trip.number % 3 else "ACTIVE"
    return "COMPLETED" if trip.paid and bali_midnight(trip.day + 1) <= world.now else "ACTIVE"


class BookingTable:
    """The bookings of the website."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable: tuple[Unusable, ...] = (
            partial(self._unusable_row, {"booking_ref": dirt.LONG_REF}),
            *(partial(self._unusable_row, {"booking_date": day}) for day in ("soon", None, "1999-12-31")),
            partial(self._unusable_row, {"booking_date": None, "created_at": "?", "updated_at": dirt.FUTURE}),
            *(partial(self._unusable_row, changes) for changes in overrides("booking_id", dirt.MISSING_PKS)),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS[:4]),
        )

    def rows(self) -> Iterator[Record]:
        """The bookings."""
        world = self._world
        return woven(range(world.all_trips), world.size, self._booking_rows, self._unusable)

    def _booking_rows(self, number: int) -> Iterator[Record]:
        if number % 7 > 1:
            return
        trip = self._world.trip(number)
        if not self._world.in_web(trip):
            return
        row, n = self._row(trip), number
        if repeats(n):
            yield from repeated(row, n, _STALE)
        else:
            yield row
        if has_twin(trip):
            yield self._twin(trip, row)

    def _row(self, trip: Trip) -> dict[str, Any]:
        world, n = self._world, trip.number
        updated = updated_at(world, trip)
        plain = trip.story is not Story.NOTHING or repeats(n)
        package = trip.package
        row = {
            "booking_id": _id(world.web_id(trip), n),
            "user_id": f"user{trip.rank % 4000:06d}",
            "package_id": None if package is None else _reference(world.package_id(package, trip.variant), n),
            "booking_date": self._booking_date(trip),
            "total_price": _total(_money(total(world, trip), n), n),
            "number_of_adult": _lost_count(_count(trip.adults, n), n),
            "number_of_child": None if not trip.children and n % 3 else _count(trip.children, n + 2),
            **self._statuses(trip),
            "currency_code": _lost_currency(_currency(trip.currency, n), n),
            "created_at": _created(trip.created, n),
            "updated_at": iso(updated) if plain else _updated(updated, n),
            "booking_ref": self._ref(trip),
            **contact(world, trip, 0),
            "meeting_point": _place(pickup(trip, 0), n),
            "note": self._note_of(trip),
        }
        if trip.story is not Story.NOTHING:
            row |= self._told_plainly(trip)
        lacks(row, n, ("package_id", "number_of_child", "note", "status_v2"))
        drop_absent(row, "booking_ref")
        return row

    def _booking_date(self, trip: Trip) -> Any:
        return _day(bali_midnight(travel_day(trip)), trip.number)

    def _told_plainly(self, trip: Trip) -> dict[str, Any]:
        """Where a story is told, other dirt must not hide it."""
        who = guest(self._world, trip)
        return {
            "total_price": total(self._world, trip),
            "number_of_adult": trip.adults,
            "currency_code": trip.currency,
            "created_at": iso(trip.created),
            "main_contact_name": who.name,
            "main_contact_email": who.email,
            "phone_number": who.phone,
        }

    def _statuses(self, trip: Trip) -> dict[str, Any]:
        n = trip.number
        newer, older = self._status(trip)
        # The newer column came later, and the oldest bookings never got it.
        v2: Any = None if trip.created < self._world.begin + 120 * DAY else _odd_code(_code(newer, n), n)
        return {"status": _odd_status(_status(older, n), n), "status_v2": v2}

    def _status(self, trip: Trip) -> tuple[str, str]:
        """Status in both columns."""
        world = self._world
        if trip.fate is Fate.REFUNDED:
            return "REFUNDED", "cancelled"
        if trip.fate is Fate.CANCELLED:
            return "CANCELLED", "cancelled"
        if trip.paid:
            over = bali_midnight(trip.day + 1) <= world.now
            return ("COMPLETED", "completed") if over else (("PAID", "CONFIRMED")[trip.word % 2], "paid")
        if trip.fate is Fate.UNPAID and trip.word % 13 == 1:
            return "DRAFT", "draft"
        if world.now - trip.created > 2 * DAY:
            return "EXPIRED", ("pending", "waiting", "expired", "failed")[trip.word % 4]
        return "PENDING_PAYMENT", ("pending", "waiting")[trip.word % 2]

    def _ref(self, trip: Trip) -> Any:
        world, n = self._world, trip.number
        ref = world.ref(trip)
        if world.mistyped(trip):
            return f"{ref[:-1]}?"
        # References came later too; a copy of operations would not be recognised without.
        return _lost_ref(_ref(ref, n), n) if trip.place is Place.WEB else _ref(ref, n)

    def _note_of(self, trip: Trip) -> Any:
        if trip.story is Story.NOTES:
            return "Website: bring a hat."
        return _note(pick(_NOTES, trip.word), trip.number) if trip.number % 9 < 2 else None

    def _twin(self, trip: Trip, row: dict[str, Any]) -> Record:
        """The first attempt of a guest who pressed the button twice."""
        changes = {
            "booking_id": self._world.web_id(trip, 1),
            "booking_ref": f" {self._world.ref(trip).lower()}",
            "status": "pending",
            "status_v2": "EXPIRED",
            "created_at": iso(trip.created - 300),
            "updated_at": iso(trip.created - 200),
        }
        return {**row, **changes}

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "booking_id": self._world.spare_id(number),
            "user_id": "user0",
            "package_id": None,
            "booking_date": "2025-12-01T16:00:00.000Z",
            "total_price": Decimal("10.00"),
            "number_of_adult": 2,
            "number_of_child": 0,
            "status": "pending",
            "status_v2": "EXPIRED",
            "currency_code": "USD",
            "created_at": "2025-11-01T16:00:00.000Z",
            "updated_at": "2025-11-01T16:00:00.000Z",
            "booking_ref": f"LOST{number}",
            "main_contact_name": "Sample Guest",
            "main_contact_email": f"lost{number}@{dirt.EMAIL_DOMAIN}",
            "phone_number": "+628120000000",
            "meeting_point": dirt.ADDRESS_MARK,
        }
        return altered(row, changes)


def has_twin(trip: Trip) -> bool:
    """Whether the website has two bookings of the same reference."""
    return trip.story is Story.NOTHING and trip.rank % 60 == 17 and not repeats(trip.number)


class ItemTables:
    """The items of the website's bookings, and the travellers on them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable: tuple[Unusable, ...] = (
            *(
                partial(self._unusable_row, changes)
                for changes in overrides("booking_id", (dirt.DANGLING, None, "B-7"))
            ),
            partial(self._item_of_rejected, 0),
            *(partial(self._unusable_row, changes) for changes in overrides("booking_item_id", dirt.MISSING_PKS[:5])),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS[:2]),
        )
        self._unusable_travellers: tuple[Unusable, ...] = (
            *(partial(self._unusable_traveller, {"booking_item_id": i}) for i in (dirt.DANGLING, None, "I-7")),
            *(partial(self._unusable_traveller, {"traveler_id": i}) for i in dirt.MISSING_PKS[:3]),
            lambda _: dirt.NOT_OBJECTS[1],
        )

    def rows(self) -> Iterator[Record]:
        """The items."""
        world = self._world
        return woven(range(world.all_trips), world.size, self._item_rows, self._unusable)

    def travellers(self) -> Iterator[Record]:
        """The travellers."""
        world = self._world
        return woven(range(world.all_trips), world.size, self._traveller_rows, self._unusable_travellers)

    def _trip(self, number: int) -> Trip | None:
        if number % 7 > 1:
            return None
        trip = self._world.trip(number)
        return trip if self._world.in_web(trip) else None

    def _item_id(self, trip: Trip, number: int) -> int:
        return self._world.web_id(trip) * ITEMS_EACH + number

    def _item_rows(self, number: int) -> Iterator[Record]:
        trip = self._trip(number)
        if trip is None:
            return
        for item in items(self._world, trip):
            n = trip.number + 11 * item.number
            row = self._row(trip, item, n)
            if repeats(n):
                yield from repeated(row, n, _STALE_ITEM)
            else:
                yield row
        if has_twin(trip) and trip.rank % 120 == 17:
            # The first attempt of a guest had an item too.
            first = Item(3, "ACTIVE", trip.adults, trip.children, 0, Decimal(0), money(trip.cents))
            yield self._row(trip, first, trip.number) | {"booking_id": self._world.web_id(trip, 1)}

    def _row(self, trip: Trip, item: Item, n: int) -> dict[str, Any]:
        world = self._world
        adult, child = _unit_cents(world, trip)
        slot = world.slot_of(trip)
        told = trip.story is not Story.NOTHING
        amount = item.amount if told else _price(_money(item.amount, n), n + 17)
        if n % 239 == 40:
            currency: Any = "IDR"
        else:
            currency = _lost_currency(_currency(trip.currency, n + 4), n + 5)
        return {
            "booking_item_id": _id(self._item_id(trip, item.number), n),
            "booking_id": _reference(world.web_id(trip), n),
            "variant_id": _variant(_reference(world.variant_id(trip.variant), n + 3), n),
            "departure_id": None if slot is None else _reference(world.departure_id(trip.variant, slot), n + 7),
            "item_status": item.status if told else _odd_code(_code(item.status, n + 4), n + 6),
            "currency_code": trip.currency if told else currency,
            "adult_qty": _lost_count(_count(item.adults, n), n + 9),
            "child_qty": _count(item.children, n + 4),
            "infant_qty": _lost_count(_count(item.infants, n + 6), n + 60),
            "adult_unit_price": _price(_money(money(adult), n), n + 20),
            "child_unit_price": _price(_money(money(child), n), n + 30),
            "infant_unit_price": Decimal("0.00"),
            "subtotal": item.amount + item.discount,
            "discount_amount": _extra(item.discount, n),
            "tax_amount": _extra(Decimal("0.00"), n + 3),
            "total_amount": amount,
            "snapshot": self._snapshot(trip, adult, n),
            "created_at": _created(trip.created, n + 2),
            "updated_at": iso(max(trip.created, trip.fate_at)),
        }

    def _snapshot(self, trip: Trip, adult: int, n: int) -> Any:
        """What the variant was when it was booked; the ORM stored some as text."""
        if n % 6 == 0:
            return None
        content = {"variant_id": trip.variant + 101, "adult_price": money(adult), "currency": trip.currency}
        if n % 6 == 1:
            return f'{{"variant_id": {trip.variant + 101}, "adult_price": {money(adult)}, "tags": ["day", "guide"]}}'
        if n % 19 == 2:
            return pick(('{"variant_id": 7, "adult', "", "   ", '"words"', "[]"), n // 19)
        return content

    def _traveller_rows(self, number: int) -> Iterator[Record]:
        trip = self._trip(number)
        if trip is None or trip.word % 5 > 1:
            return
        for item in items(self._world, trip):
            for place in range(min(TRAVELLERS_EACH - 1, item.adults + item.children)):
                n = trip.number + 5 * place + 13 * item.number
                row = self._traveller(trip, item, place, n)
                if repeats(n):
                    yield from repeated(row, n, _STALE_TRAVELLER)
                else:
                    yield row

    def _traveller(self, trip: Trip, item: Item, place: int, n: int) -> dict[str, Any]:
        world = self._world
        who = guest(world, trip)
        item_id = self._item_id(trip, item.number)
        child = place >= item.adults
        return {
            "traveler_id": _id(item_id * TRAVELLERS_EACH + place, n),
            "booking_item_id": _reference(item_id, n),
            "traveler_type": _type("CHILD" if child else "ADULT", n),
            "title": None if n % 3 else pick(("Mr", "Ms", ""), n // 3),
            "first_name": _text(pick(FIRST_NAMES, n), n),
            "last_name": None if n % 7 == 2 else who.name.split()[1],
            "email": who.email if place == 0 else None,
            "phone": who.phone if place == 0 else None,
            "birth_date": _birth(day_text(3650 + n * 37 % (15_000 if child else 9_000)), n),
            "nationality": pick(("AU", "GB", "ID", "de", None), n),
            "passport_number": f"{dirt.PASSPORT_MARK}{item_id}{place}" if n % 4 else None,
            "special_request": "No peanuts" if n % 19 == 4 else None,
            "created_at": iso(trip.created),
            "updated_at": iso(trip.created + 60),
        }

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "booking_item_id": self._world.spare_id(number),
            "booking_id": dirt.DANGLING,
            "variant_id": self._world.variant_id(0),
            "item_status": "ACTIVE",
            "currency_code": "USD",
            "adult_qty": 1,
            "child_qty": 0,
            "infant_qty": 0,
            "total_amount": Decimal("9.00"),
            "created_at": dirt.OLD,
            "updated_at": dirt.OLD,
        }
        return altered(row, changes)

    def _item_of_rejected(self, first: int, number: int) -> Record:
        """The booking is there, but it is rejected."""
        return self._unusable_row({"booking_id": self._world.spare_id(first)}, number)

    def _unusable_traveller(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "traveler_id": self._world.spare_id(number),
            "booking_item_id": dirt.DANGLING,
            "traveler_type": "ADULT",
            "first_name": "Nobody",
            "created_at": dirt.OLD,
            "updated_at": dirt.OLD,
        }
        return altered(row, changes)


class PaymentTable:
    """The payments of the website's bookings."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable: tuple[Unusable, ...] = (
            *(
                partial(self._unusable_row, changes)
                for changes in overrides("booking_id", (dirt.DANGLING, None, "B-7"))
            ),
            *(partial(self._unusable_row, changes) for changes in overrides("amount", ("N/A", None, "1,23", "1e3"))),
            partial(self._unusable_row, {"payment_date": None, "created_at": "soon"}),
            partial(self._unusable_row, {"payment_date": dirt.FUTURE, "created_at": None}),
            *(partial(self._unusable_row, changes) for changes in overrides("payment_id", dirt.MISSING_PKS[:6])),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS[:2]),
        )

    def rows(self) -> Iterator[Record]:
        """The payments."""
        world = self._world
        return woven(range(world.all_trips), world.size, self._payment_rows, self._unusable)

    def _payment_rows(self, number: int) -> Iterator[Record]:
        if number % 7 > 1:
            return
        trip = self._world.trip(number)
        if trip.paid_at is None:
            if trip.fate is Fate.UNPAID and trip.word % 3 == 0:
                # What was never completed stays, even when the booking itself is purged.
                yield self._row(trip, 0, "PENDING" if trip.word % 2 else "FAILED", trip.created + 120)
            return
        if trip.word % 9 == 0:
            yield self._row(trip, 0, "FAILED", trip.created + 90)
        status = "REFUNDED" if trip.fate is Fate.REFUNDED else "COMPLETED"
        row = self._row(trip, 1, status, trip.paid_at)
        yield from repeated(row, number, _STALE_PAYMENT) if repeats(number) else (row,)
        yield from self._more(trip, row)

    def _more(self, trip: Trip, row: dict[str, Any]) -> Iterator[Record]:
        """Payments beside the one that counts."""
        world, lot = self._world, trip.number % 211
        booking, later = world.web_id(trip), (trip.paid_at or 0) + 3600
        if lot == 9:
            # The gateway reported the same payment twice.
            yield {**row, "payment_id": self._payment_id(trip, 2), "payment_ref": f" PAY-{booking} "}
        elif lot == 20 and trip.paid and later <= world.now:
            # Charged twice, and one charge given back.
            yield self._row(trip, 2, "REFUNDED", later)
        elif lot == 30 and trip.number > 7:
            # Another booking's reference, typed in by hand.
            other = world.web_id(world.trip(trip.number - 7))
            yield self._row(trip, 2, "COMPLETED", later) | {"payment_ref": f"PAY-{other}"}
        elif lot == 41:
            yield self._row(trip, 2, "PARTIALLY_REFUNDED", later) | {"amount": money(-trip.cents // 2)}

    def _payment_id(self, trip: Trip, slot: int) -> int:
        return self._world.web_id(trip) * PAYMENTS_EACH + slot

    def _row(self, trip: Trip, slot: int, status: str, at: int) -> dict[str, Any]:
        world = self._world
        n = trip.number + 17 * slot
        booking = world.web_id(trip)
        by_paypal = trip.word % 11 > 1
        method = pick(dirt.PAYPAL if by_paypal else dirt.BY_HAND, n)
        return {
            "payment_id": _id(self._payment_id(trip, slot), n),
            "booking_id": world.web_id(trip, 1) if has_twin(trip) and slot == 0 else _reference(booking, n),
            "user_id": f"user{trip.rank % 4000:06d}",
            "payment_date": _lost_day(_paid_day(at, n), n),
            "amount": _money(money(trip.cents), n),
            "payment_method": _method(method, n),
            **self._statuses(status, at, n),
            "currency_code": _lost_currency(_currency(trip.currency, n + 2), n + 3),
            "gateway": "paypal" if by_paypal else None,
            "gateway_order_id": f"ORDER-{booking}-{slot}" if by_paypal else None,
            "gateway_capture_id": f"CAPTURE-{booking}-{slot}" if by_paypal and status == "COMPLETED" else None,
            "raw_payload": self._payload(trip, status, n) if by_paypal else None,
            "payment_ref": f"PAY-{booking}" if slot == 1 and n % 5 else None,
            "created_at": iso(at),
            "updated_at": iso(at + 5),
        }

    def _statuses(self, status: str, at: int, n: int) -> dict[str, Any]:
        """Status in both columns; whatever happens to the newer one, the older one says the same."""
        old = {"COMPLETED": ("COMPLETED", "paid", "captured", "Success")}.get(status, (status.lower(),))
        v2: Any = None if at < self._world.begin + 120 * DAY else _odd_code(_code(status, n + 1), n + 8)
        return {"payment_status": _status(pick(old, n), n + 3), "payment_status_v2": v2}

    def _payload(self, trip: Trip, status: str, n: int) -> Any:
        amount = money(trip.cents)
        if n % 4 == 0:
            return f'{{"intent": "CAPTURE", "status": "{status}", "amount": {{"value": {amount}}}}}'
        if n % 37 == 1:
            return pick(("{broken", "", "  ", "OK", "[1, 2.50]"), n // 37)
        return {"intent": "CAPTURE", "status": status, "amount": {"value": amount, "currency": trip.currency}}

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        trip = self._world.trip(0)
        row = {
            "payment_id": self._world.spare_id(number),
            "booking_id": self._world.web_id(trip),
            "user_id": "user0",
            "payment_date": dirt.OLD,
            "amount": Decimal("3.00"),
            "payment_method": "PAYPAL",
            "payment_status": "pending",
            "payment_status_v2": "PENDING",
            "currency_code": "USD",
            "payment_ref": f"LOST-{number}",
            "created_at": dirt.OLD,
            "updated_at": dirt.OLD,
        }
        return altered(row, changes)
