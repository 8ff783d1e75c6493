"""Weaving unusable rows, which no story tells about, into those of the customers, over the whole table."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from samples.meter.dirt import ABSENT
from samples.meter.world import World
from samples.writing import Record

Unusable = Callable[[int], Record]


def woven(world: World, rows: Callable[[int], Iterable[Record]], unusable: tuple[Unusable, ...]) -> Iterator[Record]:
    """Every customer's rows, and every kind of unusable row as often as the scale asks for.

    Args:
        world: what the sample tells about.
        rows: the rows of a customer's number.
        unusable: makes an unusable row from its number.
    """
    wanted = int(len(unusable) * min(1.0, world.size)) * max(1, round(world.size))
    # Small tables of small samples have none: one would be too large a share of them.
    stride = max(1, world.customers // max(1, wanted))
    made = 0
    for index in world.numbers():
        yield from rows(index)
        if index % stride == stride // 2 and made < wanted:
            yield unusable[made % len(unusable)](made)
            made += 1


def overrides(column: str, values: Iterable[Any]) -> tuple[dict[str, Any], ...]:
    """One change of a column for each value."""
    return tuple({column: value} for value in values)


def altered(row: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy of a row with changes; the keys that it then lacks are left out."""
    return {column: value for column, value in {**row, **changes}.items() if value is not ABSENT}
