"""Source tables that a step only looks into: staged once, without outcomes of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import sqlalchemy as sa

from migration.exports.sources import SourceTable
from migration.warehouse.copying import copy_frame
from migration.warehouse.statistics import analyze
from migration.warehouse.upsert import create_stage

if TYPE_CHECKING:
    from migration.declare.step import Step


@dataclass(frozen=True)
class Lookup:
    """A source table that is only looked into.

    Attributes:
        source: the table.
        columns: what is staged of it, its key first; `source_row` is staged besides.
        transform: cells in, these columns of the usable rows and `source_row` out.
    """

    source: SourceTable
    columns: tuple[sa.Column[Any], ...]
    transform: Callable[[pd.DataFrame], pd.DataFrame]


def stage_lookup(step: "Step", lookup: Lookup) -> sa.Table:
    """Stage a lookup in the step's transaction; of rows with the same key the last of the file counts."""
    columns = [*lookup.columns, sa.Column("source_row", sa.BigInteger)]
    stage = create_stage(step.connection, columns, f"lookup_{lookup.source.name}")
    for batch in step.read(lookup.source):
        copy_frame(step.connection, stage, columns, lookup.transform(batch.rows))
    analyze(step.connection, stage)
    key, later = lookup.columns[0].name, stage.alias("later")
    repeated = sa.select(sa.literal(1)).where(later.c[key] == stage.c[key], later.c.source_row > stage.c.source_row)
    step.connection.execute(sa.delete(stage).where(repeated.exists()))
    return stage
