"""What the website of a BOOKING sample sells: products with their media, variants, prices, days and departures."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any

from samples.booking import dirt
from samples.booking.clock import DAY, bali_time, day_text, iso
from samples.booking.dirt import timed
from samples.booking.weaving import woven
from samples.booking.world import (
    PRODUCTS_EACH,
    VARIANTS_EACH,
    Group,
    World,
    child_cents,
    variant_currency,
)
from samples.pools import pick
from samples.weaving import Unusable, altered, fixed, lacks, overrides, repeated, sometimes
from samples.writing import Record

PRODUCT_COLUMNS = (
    *("product_id", "legacy_package_id", "product_name", "slug", "short_description", "description", "category"),
    *("country_code", "region", "base_meeting_point", "is_featured", "is_active", "thumbnail_url", "color_code"),
    *("priority", "created_at", "updated_at"),
)
MEDIA_COLUMNS = ("media_id", "product_id", "url", "alt_text", "sort_order", "is_cover", "created_at")
VARIANT_COLUMNS = (
    *("variant_id", "product_id", "legacy_package_id", "variant_code", "variant_name", "service_type"),
    *("duration_days", "duration_nights", "min_pax", "max_pax", "currency_code", "is_default", "is_active"),
    *("booking_cutoff_hours", "cancellation_policy", "created_at", "updated_at"),
)
RATE_COLUMNS = (
    *("rate_plan_id", "variant_id", "traveler_type", "price", "currency_code", "min_quantity", "max_quantity"),
    *("valid_from", "valid_to", "season_start", "season_end", "is_active", "created_at", "updated_at"),
)
ITINERARY_COLUMNS = ("itinerary_id", "variant_id", "day", "sort_order", "title", "start_time", "description")
DEPARTURE_COLUMNS = (*("departure_id", "variant_id", "start_date", "end_date", "status", "meeting_point", "capacity"),)

TOPICS = (
    *("Ubud Rice Terrace", "Mount Batur Sunrise", "Nusa Penida Snorkelling", "Waterfall Hike", "Temple Sunset"),
    *("River Rafting", "Cooking Class", "Island Hopping", "Cycling Downhill", "Dolphin Watching", "Volcano Jeep"),
    *("Hidden Canyon", "Silver Workshop", "Whale Bay", "Village Trek"),
)
_CATEGORIES = ("Adventure", "Culture", "Water", "Nature", "Food")
_REGIONS = ("Ubud", "Kintamani", "Nusa Penida", "Sanur", "Lovina")
_SERVICES = ("PRIVATE", "SHARED", "PRIVATE", "CUSTOM")
_STOPS = ("Pickup", "Breakfast stop", "Main activity", "Drop-off")
_STALE_PRODUCT = {"product_name": "Old name", "slug": "old-slug", "legacy_package_id": None}
_STALE_VARIANT = {"variant_name": "Old variant", "variant_code": "OLD"}
_STALE_RATE = {"price": Decimal("1.00")}
_NEGATIVE = (Decimal("-15.00"), "-0.01")

_name = sometimes(7, 2, (*dirt.TEXTS, *dirt.LONG_TEXTS, *dirt.LOST_TEXTS))
_slug = sometimes(31, 5, (str.upper, lambda v: f" /{v}!/ ", lambda v: f"{v}-{'far' * 70}", *fixed("", "!!!")))
_text = sometimes(5, 1, dirt.PARAGRAPHS)
_image = sometimes(3, 1, dirt.IMAGES)
_country = sometimes(11, 2, dirt.COUNTRIES)
_colour = sometimes(13, 6, dirt.COLOURS)
_integer = sometimes(5, 4, (*dirt.KEPT_INTS, *dirt.LOST_INTS, *dirt.NEGATIVE_INTS))
_id = sometimes(17, 8, dirt.KEPT_IDS)
_reference = sometimes(17, 3, dirt.KEPT_IDS)
_true = sometimes(9, 2, dirt.KEPT_TRUE)
_false = sometimes(9, 4, dirt.KEPT_FALSE)
_lost_flag = sometimes(23, 7, dirt.LOST_BOOLEANS)
_created = timed(13, 2, dirt.TIMES)
_updated = timed(17, 6, dirt.TIMES)
_service = sometimes(11, 5, (*dirt.KEPT_CODES, *dirt.ODD_CODES))
_currency = sometimes(13, 1, (*dirt.KEPT_CURRENCIES, *dirt.LOST_CURRENCIES))
_code = sometimes(
    7, 3, (str.lower, lambda v: f" {v}", lambda v: f"{v}{'X' * 60}", *fixed(None, "", "STANDARD", "standard"))
)
_type = sometimes(19, 4, dirt.KEPT_CODES)
_price = sometimes(11, 7, dirt.KEPT_MONEY)
_valid = timed(5, 1, dirt.KEPT_TIMES)
_clock = sometimes(7, 2, dirt.CLOCKS)
_departs = timed(23, 3, (*dirt.KEPT_TIMES[:4], lambda s: iso(s)[:10], *fixed(None, "soon")))


def topic(number: int) -> str:
    """Name of a tour."""
    return f"{pick(TOPICS, number)} {number // len(TOPICS) + 1}"


def slug_of(name: str) -> str:
    """A name as a part of an address."""
    return name.lower().replace(" ", "-")


def image(kind: str, number: int) -> str:
    """Address of a picture."""
    return f"https://{dirt.IMAGE_HOST}/{kind}/{number}.jpg"


class ProductTable:
    """The products of one world, and their media."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, changes) for changes in overrides("product_id", dirt.MISSING_PKS[:4])),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS[:2]),
        )

    def rows(self) -> Iterator[Record]:
        """The products."""
        numbers = range(self._world.groups * PRODUCTS_EACH)
        return woven(numbers, self._world.catalog_size, self._product_rows, self._unusable)

    def media(self) -> Iterator[Record]:
        """Two pictures of most products."""
        world = self._world
        for product in range(world.groups * PRODUCTS_EACH):
            for number in range(2 + (product % 5 == 0) if product % 6 != 1 else 0):
                n = product * 2 + number
                yield {
                    "media_id": _id(product * 3 + number + 9, n),
                    "product_id": dirt.DANGLING if n % 61 == 7 else _reference(world.product_id(product), n),
                    "url": _image(image("products", n), n),
                    "alt_text": f"A picture {dirt.CUT_EMOJI}" if n % 43 == 4 else "A picture",
                    "sort_order": _integer(number, n),
                    "is_cover": number == 1 if n % 4 else pick(("1", "no", None), n // 4),
                    "created_at": _created(world.begin, n),
                }

    def _product_rows(self, product: int) -> Iterator[Record]:
        row = self._row(product)
        if product % 53 == 17:
            yield from repeated(row, 23 + 229 * (product // 53), _STALE_PRODUCT)
        else:
            yield row

    def _row(self, product: int) -> dict[str, Any]:
        world, n = self._world, product
        package = world.product_package(product)
        name, slug = self._names(product)
        active: Any = _lost_flag(_true(True, n), n) if n % 12 else _false(False, n)
        row = {
            "product_id": _id(world.product_id(product), n),
            "legacy_package_id": package
            if package is None
            else _reference(world.package_id(package, product // PRODUCTS_EACH * VARIANTS_EACH), n),
            "product_name": name,
            "slug": slug,
            "short_description": _text(f"A day of {name}.", n),
            "description": _text(f"{name}: with a guide, lunch and a driver.", n + 2),
            "category": pick((*_CATEGORIES, None), n),
            "country_code": _country("ID", n),
            "region": pick(_REGIONS, n),
            "base_meeting_point": None if n % 4 else f"{dirt.ADDRESS_MARK} lobby {n}, Ubud",
            "is_featured": _lost_flag(_false(False, n), n + 9) if n % 5 else _true(True, n),
            "is_active": active,
            "thumbnail_url": _image(image("thumbnails", product), n + 1),
            "color_code": _colour(f"#{n * 7919 % 0xFFFFFF:06x}", n),
            "priority": _integer(n % 10, n),
            "created_at": _created(world.begin - (n % 200) * DAY, n),
            "updated_at": iso(self._changed_at(n)) if n % 53 == 17 else _updated(self._changed_at(n), n),
        }
        lacks(row, n, ("category", "priority", "base_meeting_point", "is_featured"), period=19)
        return row

    def _changed_at(self, product: int) -> int:
        world = self._world
        if world.edition and product % 17 == 2:
            return world.now - DAY
        return world.begin + product % 400 * DAY

    def _names(self, product: int) -> tuple[Any, Any]:
        """Name and slug; some groups have no other link between the two systems."""
        number, second = divmod(product, PRODUCTS_EACH)
        group = self._world.group(number)
        own = topic(number) if not second else f"{topic(number)} Private"
        if group is Group.BY_SLUG and not second:
            return f"{own} (new)", f"  {slug_of(package_name(number, 0)).upper()} "
        if group is Group.BY_NAME and not second:
            return f"{package_name(number, 0)}!!".upper(), f"named-{number}"
        if group is Group.NAMESAKES:
            return package_name(number, 0).replace(" ", " - "), f"namesake-{product}"
        if group is Group.SAME_SLUGS:
            return own, "Same Tour!"
        if group is Group.SWAPPED:
            return own, f"swapped-{number}-{second ^ self._world.edition}"
        if self._world.edition and product % 17 == 2:
            own = f"{own} (2026)"
        return _name(own, product), _slug(f"{slug_of(own)}-web", product)

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "product_id": self._world.spare_id(number),
            "product_name": "Nobody's product",
            "slug": f"nobody-{number}",
            "is_active": True,
            "created_at": dirt.OLD,
            "updated_at": dirt.OLD,
        }
        return altered(row, changes)


class VariantTable:
    """The variants of one world, with their prices, days and departures."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable: tuple[Unusable, ...] = (
            partial(self._unusable_row, {}),
            *(partial(self._unusable_row, changes) for changes in overrides("variant_id", dirt.MISSING_PKS[:3])),
            partial(self._unusable_row, {"product_id": None}),
            lambda _: dirt.NOT_OBJECTS[0],
        )
        self._unusable_rates: tuple[Unusable, ...] = (
            *(partial(self._unusable_rate, changes) for changes in overrides("variant_id", (dirt.DANGLING, "none"))),
            *(partial(self._unusable_rate, changes) for changes in overrides("traveler_type", ("SENIOR", None))),
            *(partial(self._unusable_rate, changes) for changes in overrides("price", ("N/A", None, "1,23"))),
            *(partial(self._unusable_rate, changes) for changes in overrides("price", _NEGATIVE)),
            *(partial(self._unusable_rate, changes) for changes in overrides("rate_plan_id", dirt.MISSING_PKS[:3])),
            lambda _: dirt.NOT_OBJECTS[3],
        )

    def rows(self) -> Iterator[Record]:
        """The variants."""
        numbers = range(self._world.groups * VARIANTS_EACH)
        return woven(numbers, self._world.catalog_size, self._variant_rows, self._unusable)

    def rates(self) -> Iterator[Record]:
        """The price lists."""
        numbers = range(self._world.groups * VARIANTS_EACH)
        return woven(numbers, self._world.catalog_size, self._rate_rows, self._unusable_rates)

    def itineraries(self) -> Iterator[Record]:
        """What happens on the days of a variant."""
        for variant in range(self._world.groups * VARIANTS_EACH):
            for stop in range(4 if variant % 8 else 0):
                n = variant * 4 + stop
                yield {
                    "itinerary_id": _id(n + 3, n),
                    "variant_id": dirt.DANGLING if n % 97 == 9 else _reference(self._world.variant_id(variant), n),
                    "day": 1 if n % 59 else None,
                    "sort_order": _integer(stop, n),
                    "title": _STOPS[stop],
                    "start_time": _clock(f"{7 + stop * 2 + variant % 3:02d}:{variant % 4 * 15:02d}", n),
                    "description": None,
                }

    def departures(self) -> Iterator[Record]:
        """The fixed days that some variants are sold for."""
        world = self._world
        for slot in range(world.departure_slots()):
            for variant in range(1, world.groups * VARIANTS_EACH, VARIANTS_EACH):
                n = slot + variant
                start = bali_time(*world.departure(variant, slot))
                yield {
                    "departure_id": _id(world.departure_id(variant, slot), n),
                    "variant_id": world.variant_id(variant),
                    "start_date": _departs(start, n),
                    "end_date": iso(start + 8 * 3600),
                    "status": "OPEN" if start > world.now else pick(("CLOSED", "CANCELLED", "OPEN"), n),
                    "meeting_point": None,
                    "capacity": 12,
                }

    def _variant_rows(self, variant: int) -> Iterator[Record]:
        row = self._row(variant)
        if variant % 59 == 31:
            yield from repeated(row, 23 + 229 * (variant // 59), _STALE_VARIANT)
        else:
            yield row

    def _row(self, variant: int) -> dict[str, Any]:
        world, n = self._world, variant
        number, slot = divmod(variant, VARIANTS_EACH)
        product = number * PRODUCTS_EACH + (slot == 2)
        package = world.variant_package(variant)
        service = "SHARED" if world.departs(variant) else pick(_SERVICES, n)
        return {
            "variant_id": _id(world.variant_id(variant), n),
            "product_id": _reference(world.product_id(product), n),
            "legacy_package_id": None if package is None else _reference(world.package_id(package, variant), n + 5),
            "variant_code": _code(f"{('STD', 'SHARED', 'PREMIUM')[slot]}-{number}", n),
            "variant_name": _name(f"{topic(number)} {service.title()}", n + 7),
            "service_type": _service(service, n),
            "duration_days": _integer(1 + n % 3, n),
            "duration_nights": _integer(n % 3, n + 3),
            "min_pax": _integer(1 + n % 2, n + 6),
            "max_pax": _integer(1 if n % 43 == 6 else 8 + n % 9, n + 8),
            "currency_code": _currency(variant_currency(variant), n),
            "is_default": slot != 1,
            "is_active": _lost_flag(_true(True, n), n + 3) if n % 14 else _false(False, n),
            "booking_cutoff_hours": _integer(pick((12, 24, 48), n), n + 2),
            "cancellation_policy": _text("Free until 24 hours before.", n + 4),
            "created_at": _created(world.begin - n % 150 * DAY, n + 1),
            "updated_at": iso(self._changed_at(n)) if n % 59 == 31 else _updated(self._changed_at(n), n + 4),
        }

    def _changed_at(self, variant: int) -> int:
        world = self._world
        return world.now - 2 * DAY if world.edition and variant % 31 == 4 else world.begin + variant % 390 * DAY

    def _rate_rows(self, variant: int) -> Iterator[Record]:
        plans = self._plans(variant)
        for number, (kind, cents, active, seasonal) in enumerate(plans):
            n = variant * 5 + number
            row = self._rate(variant, number, kind, Decimal(cents).scaleb(-2), active)
            if seasonal:
                row |= self._season(n)
            if n % 241 == 60:
                yield from repeated(row, 23 + 229 * (n // 241), _STALE_RATE)
            else:
                yield row

    def _plans(self, variant: int) -> list[tuple[str, int, bool, bool]]:
        """Kind, price, whether it is active, whether it is for a season only."""
        adult = self._world.adult_cents(variant)
        if variant % 29 == 7 or variant % 45 == 20:
            return []
        if variant % 29 == 13:
            return [("CHILD", child_cents(adult), False, False)]
        plans = [("ADULT", adult, True, False), ("CHILD", child_cents(adult), True, False)]
        if variant % 3 != 1:
            plans.append(("INFANT", 0, True, False))
        if variant % 4 == 0:
            plans.append(("ADULT", adult + 1000, variant % 8 != 0, True))
        return plans

    def _rate(self, variant: int, number: int, kind: str, price: Decimal, active: bool) -> dict[str, Any]:
        world, n = self._world, variant * 5 + number
        changed = world.now - 2 * DAY if world.edition and variant % 31 == 4 else world.begin
        return {
            "rate_plan_id": _id(n + 301, n),
            "variant_id": _reference(world.variant_id(variant), n),
            "traveler_type": _type(kind, n),
            "price": _price(price, n),
            "currency_code": _currency(variant_currency(variant), n + 3),
            "min_quantity": None if n % 3 else _integer(1, n),
            "max_quantity": None if n % 4 else _integer(20, n),
            "valid_from": None,
            "valid_to": None,
            "season_start": None,
            "season_end": None,
            "is_active": _true(True, n) if active else _false(False, n),
            "created_at": _created(world.begin - 40 * DAY, n),
            "updated_at": iso(changed),
        }

    def _season(self, n: int) -> dict[str, Any]:
        first = self._world.begin + 60 * DAY
        last = first + 90 * DAY
        if n % 7 == 3:
            first, last = last, first
        return {
            "valid_from": _valid(first, n),
            "valid_to": _valid(last, n + 2),
            "season_start": day_text(first // DAY),
            "season_end": day_text(last // DAY),
        }

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        """A variant of a product that does not exist, and worse."""
        row = {
            "variant_id": self._world.spare_id(number),
            "product_id": dirt.DANGLING,
            "legacy_package_id": None,
            "variant_code": "LOST",
            "variant_name": "Nobody's variant",
            "service_type": "PRIVATE",
            "duration_days": 1,
            "currency_code": "USD",
            "is_default": False,
            "is_active": True,
            "booking_cutoff_hours": 24,
            "created_at": dirt.OLD,
            "updated_at": dirt.OLD,
        }
        return altered(row, changes)

    def _unusable_rate(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "rate_plan_id": self._world.spare_id(number),
            "variant_id": self._world.variant_id(number % VARIANTS_EACH),
            "traveler_type": "ADULT",
            "price": Decimal("10.00"),
            "currency_code": "USD",
            "is_active": True,
            "created_at": dirt.OLD,
            "updated_at": dirt.OLD,
        }
        return altered(row, changes)


def package_name(group: int, slot: int) -> str:
    """Name of a package of operations."""
    return f"{topic(group)} {('Package', 'Group Package', 'VIP Package')[slot]}"
