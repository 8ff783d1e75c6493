"""The assets of Meter: one module per subject; loads find their parents by set, steps are sets alone."""

from typing import Any

import sqlalchemy as sa

from meter_assets import sources, tables
from meter_assets.partitions import PARTITIONS_NAME
from migration.declare.system import Stage, System
from migration.parsing.records import raw_without

METER = System(
    "meter",
    tables.metadata,
    tables.books,
    sources.ALL,
    stages=(
        Stage("meter_load_job", "meter_load_dry_run"),
        Stage("meter_steps_job", "meter_dry_run", PARTITIONS_NAME, sa.select(tables.tenants.c.id).order_by("id")),
    ),
)

SOURCE = "meter_source"
LOAD = "meter_load"
STEPS = "meter_steps"
OPTIONAL = "meter_optional"


def raw_record(record: Any, malformed: str | None) -> str:
    """A source record as the quarantine keeps it: without personal columns."""
    return raw_without(record, malformed, sources.PERSONAL_COLUMNS)


def loaded(parent: sa.Table, key: sa.ColumnElement[int], export_id: str) -> sa.ColumnElement[bool]:
    """The condition of a join with a parent that this export holds; what older exports left does not count."""
    return sa.and_(parent.c.id == key, parent.c.export_id == export_id)
