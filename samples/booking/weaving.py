"""Weaving unusable rows, which no story tells about, into the others, over the whole table; and the other spelling."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from samples import weaving
from samples.weaving import ABSENT, Unusable
from samples.writing import Record, SampleTable


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
    most = weaving.wanted(len(unusable), size, whole_from=3)
    return weaving.woven(numbers, len(numbers), rows, unusable, most)


def drop_absent(row: dict[str, Any], *columns: str) -> None:
    """Take those of the columns out of a record that it lacks."""
    for column in columns:
        if row[column] is ABSENT:
            del row[column]


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
