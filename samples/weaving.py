"""What the samples of all systems share: dirt that befalls some cells, copies of rows, and unusable rows.

Unusable rows, which no story tells about, are woven into the others over the whole table.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from migration.exports.writing import exact_cell
from samples.writing import Record

Kind = Callable[[Any], Any]
Spelling = Callable[[Any, int], Any]
Unusable = Callable[[int], Record]

_OLD = "2019-03-01T08:00:00.000Z"
NBSP = "\u00a0"

_HALF_EMOJI = re.compile("[\ud800-\udfff]")


class Absent:
    """Stands for a key that its record lacks."""


ABSENT = Absent()


# --- cells ------------------------------------------------------------------------------------------------------------


def fixed(*values: Any) -> tuple[Kind, ...]:
    """Kinds that always give these cells."""
    return tuple(lambda _, value=value: value for value in values)


def sometimes(period: int, offset: int, kinds: tuple[Kind, ...]) -> Spelling:
    """A spelling that befalls one cell in so many, each kind in turn."""

    def spell(value: Any, number: int) -> Any:
        place = number + offset
        return value if place % period else kind_in_turn(kinds, place // period)(value)

    return spell


def kind_in_turn(kinds: tuple[Kind, ...], turn: int) -> Kind:
    """The kind of a turn; every round begins one kind earlier.

    Otherwise a kind could meet the rows of one place only.
    """
    rounds, place = divmod(turn, len(kinds))
    return kinds[(place - rounds) % len(kinds)]


def text_cell(value: Any) -> str | None:
    """A value as a text cell that says the same as JSON: exact, and without what no text can hold."""
    return _HALF_EMOJI.sub("", value) if isinstance(value, str) else exact_cell(value)


# --- rows -------------------------------------------------------------------------------------------------------------


def lacks(row: dict[str, Any], number: int, columns: tuple[str, ...], period: int = 79) -> None:
    """Now and then a record lacks a key where nothing would be lost with it."""
    if number % period == 5:
        row.pop(columns[number // period % len(columns)], None)


def without_absent(row: dict[str, Any]) -> dict[str, Any]:
    """The record without the keys that it lacks."""
    return {column: value for column, value in row.items() if value is not ABSENT}


def altered(row: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy of a row with changes; the keys that it then lacks are left out."""
    return without_absent({**row, **changes})


def overrides(column: str, values: Iterable[Any]) -> tuple[dict[str, Any], ...]:
    """One change of a column for each value."""
    return tuple({column: value} for value in values)


def repeats(number: int, period: int = 229) -> bool:
    """Whether a record has copies; its `updated_at` has to be right then, because it tells them apart."""
    return number % period == 23 % period


def repeated(
    row: dict[str, Any], number: int, changes: dict[str, Any], period: int = 229, old: str = _OLD
) -> Iterator[Record]:
    """A record that `repeats`, with copies of the same id that lose against it."""
    updated, variant = row.get("updated_at"), number // period % 5
    stale = {**row, **changes}
    if variant == 0:
        yield from (row, {**stale, "updated_at": old})
    elif variant == 1:
        yield from ({**stale, "updated_at": None}, row)
    elif variant == 2:
        # At the same time the later row wins.
        yield from ({**stale, "updated_at": updated}, row)
    elif variant == 3:
        yield from (row, {**stale, "updated_at": "soon"}, {**stale, "updated_at": ""})
    else:
        yield from (row, row)


def wanted(kinds: int, size: float, *, whole_from: int = 1) -> int:
    """How many unusable rows a table should have.

    Args:
        kinds: number of kinds; each appears once for every whole step of the scale.
        size: the scale.
        whole_from: how many times smaller than 1 the scale may be before kinds are left out.
    """
    return int(kinds * min(1.0, whole_from * size)) * max(1, round(size))


def woven(
    numbers: Iterable[int],
    over: int,
    rows: Callable[[int], Iterable[Record]],
    unusable: tuple[Unusable, ...],
    most: int,
) -> Iterator[Record]:
    """The rows of every number, and between them unusable rows, each kind in turn.

    Args:
        numbers: the numbers of what the table tells about.
        over: how many numbers there are; the unusable rows are spread over them.
        rows: the rows of a number.
        unusable: makes an unusable row from its own number.
        most: at most so many unusable rows.
    """
    stride, made = max(1, over // max(1, most)), 0
    for number in numbers:
        yield from rows(number)
        if number % stride == stride // 2 and made < most:
            yield unusable[made % len(unusable)](made)
            made += 1


def strewn(rows: Iterable[Record], over: int, unusable: tuple[Unusable, ...], most: int) -> Iterator[Record]:
    """Rows, and between them unusable rows, each kind in turn.

    Args:
        rows: the rows of the story.
        over: how many they are, about.
        unusable: makes an unusable row from its own number.
        most: at most so many unusable rows.
    """
    stride, made = max(1, over // max(1, most)), 0
    for place, row in enumerate(rows):
        yield row
        if place % stride == stride // 2 and made < most:
            yield unusable[made % len(unusable)](made)
            made += 1
