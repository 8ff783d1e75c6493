"""The two package catalogues of a BILLING sample, whose ids are alike."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from samples.billing import dirt
from samples.billing.customers import times
from samples.billing.world import SOHO_OFFSET, Package, World, money
from samples.weaving import (
    Unusable,
    altered,
    overrides,
    repeated,
    repeats,
    sometimes,
    wanted,
    without_absent,
    woven,
)
from samples.writing import Record

COLUMNS = ("id", "name", "mbps", "rate", "type", "description", "is_active", "created_at", "updated_at")

_COPIES = 11

_id = sometimes(11, 6, dirt.KEPT_IDS)
_name = sometimes(7, 3, dirt.NAMES)
_speed = sometimes(2, 1, dirt.SPEEDS)
_money = sometimes(3, 1, dirt.KEPT_MONEY)
_note = sometimes(3, 2, dirt.NOTES)
_true = sometimes(3, 2, dirt.KEPT_TRUE)
_false = sometimes(2, 0, dirt.KEPT_FALSE)


class PackageTable:
    """The packages of one catalogue.

    Args:
        world: what the sample tells about.
        kind: whose packages they are, `MAC` or `SOHO`.
    """

    def __init__(self, world: World, kind: str) -> None:
        self._world, self._kind = world, kind
        partners = kind == "MAC"
        self._count = world.mac_packages if partners else world.soho_packages
        self._package: Callable[[int], Package] = world.mac_package if partners else world.soho_package
        self._type = sometimes(3, 1, (*dirt.TYPES[kind], *dirt.NO_TEXTS))
        self._unusable: tuple[Unusable, ...] = (
            partial(self._unusable_row, {"mbps": None, "name": "Gold"}),
            partial(self._unusable_row, {"type": "SOHO" if partners else "Franchise"}),
            partial(self._unusable_row, {"id": SOHO_OFFSET + 7}),
            partial(self._unusable_row, {"rate": "n/a"}),
            partial(self._unusable_row, {"mbps": None, "name": "Giga 100000000 Mbps"}),
            partial(self._unusable_row, {"rate": "-500.00"}),
            partial(self._unusable_row, {"mbps": "10 Mbps up"}),
            partial(self._unusable_row, {"mbps": -5}),
            partial(self._unusable_row, {"name": None}),
            partial(self._unusable_row, {"is_active": "maybe"}),
            partial(self._unusable_row, {"type": "Corporate"}),
            lambda _: dirt.NOT_OBJECTS[2],
            *(partial(self._unusable_row, changes) for changes in overrides("id", dirt.BAD_IDS)),
            *(partial(self._unusable_row, changes) for changes in overrides("rate", dirt.BAD_AMOUNTS)),
        )

    def rows(self) -> Iterator[Record]:
        """The packages, some of them entered twice."""
        most = min(wanted(len(self._unusable), self._world.size), self._count // 5)
        return woven(range(self._count), self._count, self._package_rows, self._unusable, most)

    def _package_rows(self, number: int) -> Iterator[Record]:
        package = self._package(number)
        name: Any = package.name.replace(" ", "  ").lower() if package.twin else _name(package.name, number)
        row = {
            "id": _id(package.id, number),
            "name": name,
            "mbps": _speed(package.mbps, number),
            "rate": _money(money(package.cents), number),
            "type": self._type(self._kind, number),
            "description": _note("Shared, fair use", number),
            "is_active": _true(True, number) if package.active else _false(False, number),
            **times(self._world, number, exact=repeats(number, _COPIES)),
        }
        row = without_absent(row)
        stale = {"name": "Old 3 Mbps", "mbps": 3}
        yield from repeated(row, number, stale, _COPIES) if repeats(number, _COPIES) else (row,)

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {"id": 700_000 + number, "name": f"Nobody's {number}", "mbps": 10, "rate": 500, "is_active": True}
        return altered(row, changes)
