"""What operations sells, as a BOOKING sample tells it: tours, their packages, pictures and itineraries."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any

from samples.booking import dirt
from samples.booking.catalog import image, package_name, slug_of, topic
from samples.booking.clock import DAY, iso
from samples.booking.dirt import timed
from samples.booking.weaving import woven
from samples.booking.world import PACKAGES_EACH, Group, World, child_cents, rupiahs
from samples.weaving import Unusable, altered, fixed, lacks, overrides, repeated, sometimes
from samples.writing import Record

TOUR_COLUMNS = ("tour_id", "tour_name", "slug", "description", "is_active", "created_at", "updated_at")
PACKAGE_COLUMNS = (
    *("package_id", "tour_id", "package_name", "slug", "short_description", "description", "duration_days"),
    *("price_per_person", "price_per_child", "base_currency", "min_booking", "max_booking", "is_featured"),
    *("thumbnail_url", "color_code", "priority", "created_at", "updated_at"),
)
IMAGE_COLUMNS = ("image_id", "url", "tour_id", "created_at")
ITINERARY_COLUMNS = ("itinerary_id", "package_id", "activity_id", "start_time", "day")

_STALE_TOUR = {"tour_name": "Old tour", "is_active": False}
_STALE_PACKAGE = {"package_name": "Old package", "price_per_person": Decimal("1.00"), "tour_id": None}

_name = sometimes(23, 6, (*dirt.TEXTS, *dirt.LONG_TEXTS, *fixed("", None)))
_slug = sometimes(29, 2, (str.upper, lambda v: f" {v} ", *fixed("", "---")))
_text = sometimes(5, 3, dirt.PARAGRAPHS)
_image = sometimes(4, 2, dirt.IMAGES)
_colour = sometimes(11, 3, dirt.COLOURS)
_integer = sometimes(9, 5, (*dirt.KEPT_INTS, *dirt.LOST_INTS, *dirt.NEGATIVE_INTS))
_id = sometimes(31, 4, dirt.KEPT_IDS)
_reference = sometimes(13, 7, dirt.KEPT_IDS)
_price = sometimes(8, 3, dirt.KEPT_MONEY)
_child_price = sometimes(6, 1, (*dirt.KEPT_MONEY, *dirt.LOST_MONEY, *dirt.NEGATIVE_MONEY))
_currency = sometimes(9, 4, (*dirt.KEPT_CURRENCIES, *dirt.LOST_CURRENCIES))
_true = sometimes(7, 3, (*dirt.KEPT_TRUE, *dirt.LOST_BOOLEANS))
_false = sometimes(7, 5, (*dirt.KEPT_FALSE, *dirt.LOST_BOOLEANS))
_created = timed(11, 4, dirt.TIMES)
_updated = timed(13, 8, dirt.TIMES)
_clock = sometimes(5, 3, dirt.CLOCKS)


class PackageTables:
    """The tours of one world, with their packages, pictures and itineraries."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable_tours: tuple[Unusable, ...] = (
            lambda n: {"tour_id": dirt.MISSING_PKS[n % 4], "tour_name": "Nobody's tour", "slug": "nobody"},
            lambda n: {"tour_id": world.spare_id(n), "tour_name": "Empty tour", "slug": f"empty-{n}"},
            lambda _: dirt.NOT_OBJECTS[0],
        )
        self._unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, changes) for changes in overrides("package_id", dirt.MISSING_PKS[:5])),
            partial(self._unusable_row, {"tour_id": dirt.DANGLING}),
            lambda _: dirt.NOT_OBJECTS[3],
        )

    def tours(self) -> Iterator[Record]:
        """The tours."""
        return woven(range(self._world.groups), self._world.catalog_size, self._tour_rows, self._unusable_tours)

    def packages(self) -> Iterator[Record]:
        """The packages."""
        numbers = range(self._world.groups * PACKAGES_EACH)
        return woven(numbers, self._world.catalog_size, self._package_rows, self._unusable)

    def images(self) -> Iterator[Record]:
        """Pictures, whose column `tour_id` holds a package."""
        for package in range(self._world.groups * PACKAGES_EACH):
            for number in range((1, 2, 0, 3)[package % 4]):
                n = package * 3 + number
                yield {
                    "image_id": _id(n + 5, n),
                    "url": _image(image("packages", n), n),
                    "tour_id": dirt.DANGLING if n % 67 == 6 else _reference(self._world.package_id(package), n),
                    "created_at": _created(self._world.begin, n),
                }

    def itineraries(self) -> Iterator[Record]:
        """What happens on the days of a package."""
        for package in range(self._world.groups * PACKAGES_EACH):
            for stop in range((4, 3, 0, 5)[package % 4]):
                n = package * 5 + stop
                yield {
                    "itinerary_id": _id(n + 5, n),
                    "package_id": dirt.DANGLING if n % 71 == 9 else _reference(self._world.package_id(package), n),
                    "activity_id": n % 40 + 1,
                    "start_time": _clock(f"{7 + stop * 2:02d}:30", n),
                    "day": 1,
                }

    def _tour_rows(self, group: int) -> Iterator[Record]:
        row = {
            "tour_id": _id(self._world.tour_id(group), group),
            "tour_name": _name(topic(group), group),
            "slug": _slug(f"{slug_of(topic(group))}-tour", group),
            "description": _text(f"All about {topic(group)}.", group),
            "is_active": _true(True, group) if group % 6 else _false(False, group),
            "created_at": _created(self._world.begin - 30 * DAY, group),
            "updated_at": iso(self._world.begin + group % 300 * DAY),
        }
        yield from repeated(row, 23 + 229 * (group // 41), _STALE_TOUR) if group % 41 == 25 else (row,)

    def _package_rows(self, package: int) -> Iterator[Record]:
        row = self._row(package)
        if package % 67 == 50:
            yield from repeated(row, 23 + 229 * (package // 67), _STALE_PACKAGE)
        else:
            yield row

    def _row(self, package: int) -> dict[str, Any]:
        world, n = self._world, package
        group, slot = divmod(package, PACKAGES_EACH)
        name = package_name(group, slot)
        row = {
            "package_id": _id(world.package_id(package), n),
            "tour_id": self._tour(package),
            "package_name": _name(name, n),
            "slug": _slug(slug_of(name), n),
            "short_description": _text(f"{name}, all inclusive.", n),
            "description": _text(f"{name} with a driver.", n + 1),
            "duration_days": _integer(1 + n % 3, n),
            **self._prices(package),
            "min_booking": _integer(1 + n % 2, n + 2),
            "max_booking": _integer(10 + n % 5, n + 4),
            "is_featured": _true(True, n) if n % 5 == 0 else _false(False, n),
            "thumbnail_url": _image(image("packages/thumbnails", n), n + 1),
            "color_code": _colour(f"#{n * 104_729 % 0xFFFFFF:06x}", n),
            "priority": _integer(n % 9, n + 1),
            "created_at": _created(world.begin - 20 * DAY, n),
            "updated_at": iso(self._changed_at(n)) if n % 67 == 50 else _updated(self._changed_at(n), n),
        }
        lacks(row, n, ("priority", "description", "price_per_child"), period=97)
        return row

    def _tour(self, package: int) -> Any:
        number = package // PACKAGES_EACH
        group = self._world.group(number)
        if group is Group.NO_TOUR:
            return None
        return dirt.DANGLING if group is Group.UNKNOWN_TOUR else _reference(self._world.tour_id(number), package)

    def _prices(self, package: int) -> dict[str, Any]:
        cents, n = self._world.adult_cents(package), package
        in_rupiahs = package % 3 == 2
        price = Decimal(rupiahs(cents) if in_rupiahs else cents).scaleb(-2)
        child = Decimal(rupiahs(child_cents(cents)) if in_rupiahs else child_cents(cents)).scaleb(-2)
        # Without a price here and without a price list on the website a variant has no price at all.
        lost = package % 45 == 20 or package % 37 == 5
        return {
            "price_per_person": (None, Decimal("0.00"), "N/A")[n % 3] if lost else _price(price, n),
            "price_per_child": None if n % 4 == 1 else _child_price(child, n),
            "base_currency": _currency("IDR" if in_rupiahs else "USD", n),
        }

    def _changed_at(self, package: int) -> int:
        world = self._world
        return world.now - DAY if world.edition and package % 31 == 4 else world.begin + package % 380 * DAY

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "package_id": self._world.spare_id(number),
            "tour_id": None,
            "package_name": "Nobody's package",
            "slug": f"nobodys-package-{number}",
            "base_currency": "USD",
            "is_featured": False,
            "created_at": dirt.OLD,
            "updated_at": dirt.OLD,
        }
        return altered(row, changes)
