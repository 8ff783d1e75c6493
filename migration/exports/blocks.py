"""Blocks: the decoded rows of a stretch of a file, before they are cut into batches."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Block:
    """Consecutive rows of a file; their values do not show when it is printed.

    Attributes:
        records: what each row is: a dict of its keys, or for a malformed row its text or value.
        malformed: kind of malformation by position in `records`.
        size: about how many bytes of the file the rows took.
        header: the columns of the file, where it has them apart from its rows (CSV, Parquet).
    """

    records: list[Any] = field(repr=False)
    size: int
    malformed: dict[int, str] = field(default_factory=dict)
    header: tuple[str, ...] | None = None
