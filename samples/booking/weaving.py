"""Weaving unusable rows, which no story tells about, into the others, over the whole table; and the other spelling."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from migration.exports.writing import exact_cell
from samples.booking.dirt import ABSENT
from samples.writing import Record, SampleTable

Unusable = Callable[[int], Record]

_HALF_EMOJI = re.compile("[\ud800-\udfff]")


def woven(
    numbers: range, size: float, rows: Callable[[int], Iterable[Record]], unusable: tuple[Unusable, ...]
) -> Iterator[Record]:
    """The rows of every number, and every kind of unusable row as often as the scale asks for.

    Args:
        numbers: the numbers of what the table tells about.
        size: the scale; below a third only the first kinds of unusable rows appear.
        rows: the rows of a number.
        unusable: makes an unusable row from its own number.
    """
    wanted = int(len(unusable) * min(1.0, 3 * size)) * max(1, round(size))
    stride = max(1, len(numbers) // max(1, wanted))
    made = 0
    for number in numbers:
        yield from rows(number)
        if number % stride == stride // 2 and made < wanted:
            yield unusable[made % len(unusable)](made)
            made += 1


def overrides(column: str, values: Iterable[Any]) -> tuple[dict[str, Any], ...]:
    """One change of a column for each value."""
    return tuple({column: value} for value in values)


def altered(row: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy of a row with changes; the keys that it then lacks are left out."""
    return {column: value for column, value in {**row, **changes}.items() if value is not ABSENT}


def drop_absent(row: dict[str, Any], *columns: str) -> None:
    """Take those of the columns out of a record that it lacks."""
    for column in columns:
        if row[column] is ABSENT:
            del row[column]


def text_cell(value: Any) -> str | None:
    """A value as a text cell that says the same as JSON: exact, and without what no text can hold."""
    return _HALF_EMOJI.sub("", value) if isinstance(value, str) else exact_cell(value)


def in_camel_case(table: SampleTable, stem: str) -> SampleTable:
    """The table as the exporter's other version writes it: the model's name, `id`, and columns like `tourDate`."""
    key = table.columns[0]
    names = {column: "id" if column == key else _camel(column) for column in table.columns}

    def records() -> Iterator[Record]:
        for record in table.records():
            yield {names[c]: value for c, value in record.items()} if isinstance(record, dict) else record

    return SampleTable(stem, tuple(names.values()), records)


def _camel(column: str) -> str:
    first, *others = column.split("_")
    return first + "".join(word.capitalize() for word in others)
