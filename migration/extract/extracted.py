"""What an extract has written, whatever it read."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from upath import UPath

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ExtractedTable:
    """A table as it was written.

    Attributes:
        table: its name in the export, with its sub-folder.
        file: its file in the export.
        rows: number of rows.
        bytes: size of the file as stored.
        seconds: how long it took.
    """

    table: str
    file: str
    rows: int
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Extracted:
    """A published export.

    Attributes:
        export_id: its id.
        folder: where it is.
        exported_at: the moment that the rows are of, in UTC.
        tables: what was written.
        left_out: optional tables that the legacy system does not have.
        notes: what somebody should know of the rows; counts and names, never a value.
    """

    export_id: str
    folder: UPath
    exported_at: datetime
    tables: tuple[ExtractedTable, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


def default_export_id(now: datetime) -> str:
    """The export id of a moment, such as `20260225T190000Z`."""
    return now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
