"""What a sample is made of, and its publication as an export; the file formats are `migration.exports.writing`.

Samples of CSV and Parquet look as legacy exporters write them: numbers digit by digit (whole decimals without their
point), and what a text cell cannot hold is empty: booleans, arrays, objects, and every cell of a record that is no
object, whose row stays in its place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from upath import UPath

from migration.exports import writing
from migration.exports.find import FORMATS
from migration.exports.manifest import MANIFEST_NAME as MANIFEST
from migration.exports.writing import (
    Cell,
    Record,
    WrittenFile,
    is_export_id,
    publication,
    without_surrogates,
    write_manifest,
)
from migration.exports.writing import ExportTable as SampleTable

__all__ = [
    "FORMATS",
    "MANIFEST",
    "Record",
    "SampleSpec",
    "SampleSystem",
    "SampleTable",
    "WrittenFile",
    "publish",
    "text_cell",
    "write_manifest",
    "write_table",
]


@dataclass(frozen=True)
class SampleSpec:
    """What a sample is made from; equal specs give equal bytes.

    Attributes:
        seed: chooses among the samples.
        scale: 1 is the real volume.
        exported_at: when the legacy system wrote the export.
        edition: 0 is the first export, 1 the one that follows it.
        bulk: share of the rows of tables that are far larger than the rest; None is what the system writes by default.
    """

    seed: int
    scale: Decimal
    exported_at: datetime
    edition: int
    bulk: Decimal | None = None


@dataclass(frozen=True)
class SampleSystem:
    """A legacy system that samples are made of.

    Attributes:
        name: folder of its exports in the landing zone.
        tables: the tables of one sample.
        cell: makes the text cells of CSV and Parquet; None is `text_cell`.
    """

    name: str
    tables: Callable[[SampleSpec], list[SampleTable]]
    cell: Cell | None = None


def publish(
    system: SampleSystem, landing: UPath, export_id: str, spec: SampleSpec, *, format: str, gzip: bool
) -> UPath:
    """Write a sample so that no reader ever sees half of it.

    Args:
        system: whose export it is.
        landing: the landing zone.
        export_id: name of the export folder.
        spec: what the sample is made from.
        format: one of `FORMATS`.
        gzip: compress every table's file.

    Returns:
        The published folder.

    Raises:
        FileExistsError: the export is there already.
        ValueError: unknown format, or an export id that is no plain visible folder name.
    """
    if format not in FORMATS:
        raise ValueError(f"There is no format {format!r}. Known: {', '.join(FORMATS)}.")
    if not is_export_id(export_id):
        raise ValueError(f"{export_id!r} is no export id: readers of a landing zone would pass it over.")
    final = landing / system.name / export_id
    with publication(final, final.parent / f".tmp-{export_id}") as folder:
        cell = system.cell or text_cell
        files = [write_table(folder, table, format=format, gzip=gzip, cell=cell) for table in system.tables(spec)]
        write_manifest(folder, system.name, spec.exported_at, files)
    return final


def text_cell(value: Any) -> str | None:
    """A legacy value as a text cell of CSV or Parquet holds it; None is an empty cell."""
    if isinstance(value, str):
        return without_surrogates(value)
    if value is None or isinstance(value, bool | list | dict):
        return None
    if isinstance(value, Decimal):
        return f"{value.to_integral_value():f}" if value == value.to_integral_value() else f"{value:f}"
    return str(value)


write_table = partial(writing.write_table, cell=text_cell)
