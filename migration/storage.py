"""Dagster's own storage: PostgreSQL, found by the same settings as everything else.

`dagster.yaml` names this class instead of a URL in a variable of its own, so that every Dagster command works in a
bare clone, and a process that finds the embedded server stopped starts it again.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import sqlalchemy as sa
from dagster import EventLogEntry
from dagster._config.config_schema import UserConfigSchema
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage

from migration.settings import read_settings
from migration.warehouse.connect import storage_url


class MigrationStorage(DagsterPostgresStorage):
    """Dagster's PostgreSQL storage at `MIGRATION_DAGSTER_DATABASE_URL`, or in the embedded server."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """There is nothing to configure in `dagster.yaml`."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> "DagsterPostgresStorage":
        """The storage that the environment names."""
        storage = cls(storage_url(read_settings()), inst_data=inst_data)
        storage._event_log_storage = BatchedEventLog(storage.postgres_url, should_autocreate_tables=False)
        for part in (storage.event_log_storage, storage.run_storage, storage.schedule_storage):
            _keep_connections(part, storage.postgres_url)
        return storage


class BatchedEventLog(PostgresEventLogStorage):
    """The event log, with the planned events of a run written in one statement.

    Dagster hands them over as a batch (`DAGSTER_EVENT_BATCH_SIZE`), but its PostgreSQL storage batches materializations
    only. A run over 83 months plans a thousand events, which took 4 s one by one, the half of what a run costs.
    """

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store a batch of events."""
        planned = [event for event in events if _kind(event) is dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED]
        others = [event for event in events if _kind(event) is not dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED]
        if planned:
            self._store_planned(planned)
        if others:
            super().store_event_batch(others)

    def _store_planned(self, events: Sequence[EventLogEntry]) -> None:
        insert = self.prepare_insert_event_batch(events).returning(SqlEventLogStorageTable.c.id)
        with self._connect() as connection:
            numbers = [int(row[0]) for row in connection.execute(insert)]
        # An asset's entry in the catalog says what happened to it last.
        last = {
            event.get_dagster_event().asset_key: (event, number) for event, number in zip(events, numbers, strict=True)
        }
        with self.index_transaction() as connection:
            for event, number in last.values():
                self._store_asset_event(connection, event, number)


def _kind(event: EventLogEntry) -> dg.DagsterEventType | None:
    return event.dagster_event_type


def _keep_connections(part: Any, url: str) -> None:
    """Give a storage an engine that keeps its connection.

    Dagster opens two connections per event; a run over all months writes a thousand planned events, and took 34 s for
    them instead of 10. A kept connection is tried before use, because the server may have been restarted meanwhile.
    """
    part._engine = sa.create_engine(
        url, isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=20, pool_pre_ping=True, pool_recycle=1800
    )
