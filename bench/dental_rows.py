"""Exports of Dental to measure with: many notifications of about 250 bytes, and a small practice around them."""

from dataclasses import replace
from decimal import Decimal
from functools import partial

from upath import UPath

from samples import DEFAULT_MONTH, dental, exported_at
from samples.dental.notifications import COLUMNS, NotificationTable
from samples.dental.world import NOTIFICATIONS, World
from samples.writing import SampleSpec, SampleSystem, SampleTable, publish

NOTIFICATION = "dispatch_notification"
PRACTICE = Decimal("0.05")  # of the real one: about 460 users receive the notifications


def write_export(landing: UPath, rows: int) -> str:
    """Write the export with so many notifications as gzipped JSON lines, once; gives its id.

    A hundredth of the rows is dirty, a tenth was never sent; the ids are dense and the file is in no order.
    """
    export_id = f"rows-{rows}"
    if not (landing / dental.SYSTEM.name / export_id).exists():
        system = SampleSystem(dental.SYSTEM.name, partial(_tables, rows), dental.SYSTEM.cell)
        spec = SampleSpec(1, PRACTICE, exported_at(DEFAULT_MONTH), edition=0)
        publish(system, landing, export_id, spec, format="jsonl", gzip=True)
    return export_id


def _tables(rows: int, spec: SampleSpec) -> list[SampleTable]:
    others = [table for table in dental.tables(spec) if table.stem != NOTIFICATION]
    world = World(replace(spec, bulk=rows / (NOTIFICATIONS * PRACTICE)))
    return [*others, SampleTable(NOTIFICATION, COLUMNS, NotificationTable(world).rows)]
