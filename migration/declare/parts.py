"""Putting parts of an independent partition back: what is asked for, and what was done."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa


@dataclass(frozen=True)
class PartRollback:
    """What of an independent partition to put back, in systems that can.

    Attributes:
        partition: the partition.
        parts: names of parts; empty = all.
        export_id: the export whose figures count; empty = the one that is loaded.
        by_run: the run that asks, for the run log.
    """

    partition: str
    parts: Sequence[str] = ()
    export_id: str = ""
    by_run: str = ""


@dataclass
class PartRollbackReport:
    """What a rollback of a partition did: rows changed per table, and the fingerprints of the tables after it."""

    export_id: str
    changed: dict[str, int] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)


RollBackPart = Callable[[sa.Engine, PartRollback], PartRollbackReport]
# The transaction of a rollback, and the runs that are rolled back.
DeriveAgain = Callable[[sa.Connection, Sequence[str]], None]
