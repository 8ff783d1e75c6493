"""Ranges of legacy ids as partitions: notifications are carried range by range."""

from collections.abc import Sequence

import dagster as dg
import sqlalchemy as sa

from dental_assets.parsing.numbers import BIGINT_LIMIT
from migration.declare.asset import Partitioning

PARTITIONS_NAME = "dental_notification_ranges"
RANGE = 100_000
UNKEYED = "unkeyed"
CHUNKS = "notification_chunks"

RANGES = dg.DynamicPartitionsDefinition(name=PARTITIONS_NAME)


def key_of(first_id: int) -> str:
    """The partition of the range that begins with an id."""
    return f"{first_id:09}"


def ids_of(key: str) -> range:
    """The legacy ids of a partition; rows without an id have none, and the last range ends where bigint does."""
    return range(0) if key == UNKEYED else range(int(key), min(int(key) + RANGE, BIGINT_LIMIT))


def in_range(table: sa.FromClause, keys: Sequence[str]) -> sa.ColumnElement[bool]:
    """The condition that a notification is in one of these partitions."""
    ranges = [ids_of(key) for key in keys if key != UNKEYED]
    return sa.or_(sa.false(), *(table.c.legacy_notification_id.between(ids.start, ids.stop - 1) for ids in ranges))


BY_RANGE = Partitioning(RANGES, split_by=in_range, frame=CHUNKS, independent=True)
