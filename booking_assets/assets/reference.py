"""The vocabularies that other tables refer to: fixed rows, the same for every export."""

from collections.abc import Mapping

import pandas as pd
import sqlalchemy as sa

from booking_assets import tables
from booking_assets.assets import BOOKING, REFERENCE
from booking_assets.checks import reference as checks
from booking_assets.parsing.statuses import CHANNELS, MAPPING_STATUSES
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.declare.system import EXPORT_ASSET
from migration.outcome import Outcome
from migration.tables import loaded_columns

KINDS = ("postgres", "table")


def channel_rows(channels: Mapping[str, str]) -> pd.DataFrame:
    """Rows of `channel_registry`, all active."""
    rows = [(code, name, True) for code, name in channels.items()]
    return pd.DataFrame(rows, columns=["channel_code", "channel_name", "is_active"])


def mapping_status_rows(statuses: Mapping[str, str]) -> pd.DataFrame:
    """Rows of `ref_mapping_status`."""
    return pd.DataFrame(list(statuses.items()), columns=["status_code", "status_label"])


def _seeded(step: Step, table: sa.Table, rows: pd.DataFrame) -> Write:
    columns = loaded_columns(table)
    stage = step.create_stage(table, columns)
    step.copy(table, stage, columns, rows)
    step.tally.source_rows = step.tally.outcomes[Outcome.LOADED.value] = len(rows)
    return lambda: step.upsert(table, stage, columns)


@BOOKING.step(
    group=REFERENCE,
    upstream=(EXPORT_ASSET,),
    target=tables.channel_registry,
    checks=checks.CHANNEL_REGISTRY,
    kinds=KINDS,
)
def channel_registry(step: Step) -> Write:
    """Sales channels: the website, those of partners, and bookings that were typed in."""
    return _seeded(step, tables.channel_registry, channel_rows(CHANNELS))


@BOOKING.step(
    group=REFERENCE,
    upstream=(EXPORT_ASSET,),
    target=tables.ref_mapping_status,
    checks=checks.REF_MAPPING_STATUS,
    kinds=KINDS,
)
def ref_mapping_status(step: Step) -> Write:
    """How far a booking has been matched with the catalog."""
    return _seeded(step, tables.ref_mapping_status, mapping_status_rows(MAPPING_STATUSES))
