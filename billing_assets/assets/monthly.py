"""What the monthly assets share: a staged part of a month, and slim copies of it beside the tables in the database."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import sqlalchemy as sa

from billing_assets.months import MONTHS, months_of
from migration.declare.asset import Partitioning, Write
from migration.declare.step import Step
from migration.outcome import Outcome
from migration.tables import SplitBy
from migration.warehouse.copying import copy_frame
from migration.warehouse.statistics import analyze
from migration.warehouse.upsert import create_stage

MONTHLY_KINDS = ("postgres", "sql")


def by_month(frame: str, split_by: SplitBy) -> Partitioning:
    """The monthly partitions of an asset: those that a staged frame has a part for, one run for many."""
    return Partitioning(MONTHS, split_by=split_by, frame=frame)


def by_day(frame: str, column: sa.ColumnElement) -> Partitioning:
    """The monthly partitions of a table that holds a day."""
    return by_month(frame, months_of(column))


def month_of(step: Step) -> str:
    """The partition of a step.

    Raises:
        RuntimeError: the step belongs to an asset without partitions.
    """
    if step.partition is None:
        raise RuntimeError("a monthly step without a month")
    return step.partition


def part_of(step: Step, frame: str) -> pd.DataFrame:
    """The staged rows of a step's month, which are what it is to label."""
    rows = step.frames.read(frame, month_of(step))
    step.tally.source_rows = len(rows)
    return rows


def beside(step: Step, name: str, columns: Sequence[sa.Column], rows: pd.DataFrame) -> sa.Table:
    """A temporary table of the transaction with some columns of staged rows."""
    stage = create_stage(step.connection, columns, name)
    if len(rows):
        copy_frame(step.connection, stage, list(stage.columns), rows)
    analyze(step.connection, stage)
    return stage


def counted_for(step: Step, table: sa.Table) -> Write:
    """What a staging step writes: into the run log of its table, the rows that belong to no month.

    Those are the rows that are not loaded: the months then count the others, and all together the file.
    """

    def write() -> None:
        others = replace(step.tally, outcomes=Counter(step.tally.outcomes))
        others.source_rows -= others.outcomes.pop(Outcome.LOADED.value, 0)
        step.apart[table.name] = others

    return write


def count_computed(step: Step, rows: sa.FromClause) -> None:
    """Let the tally say how many rows a computing step has looked at."""
    step.tally.source_rows = step.connection.scalar(sa.select(sa.func.count()).select_from(rows)) or 0
    step.tally.outcomes[Outcome.LOADED.value] = step.tally.source_rows
