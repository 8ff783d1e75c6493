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
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._serdes import ConfigurableClassData, serialize_value
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage

from migration.settings import read_settings
from migration.warehouse.connect import storage_url

_Numbered = tuple[EventLogEntry, int]


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
    """The event log, with the planned events of a run written in a few statements.

    Dagster hands them over as a batch (`DAGSTER_EVENT_BATCH_SIZE`), but its PostgreSQL storage batches materializations
    only. A run over 83 months plans a thousand events, which took more than half of what a run costs.
    """

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store a batch of events."""
        kinds = {
            dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED: self._store_planned_assets,
            dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED: self._store_planned_checks,
        }
        for kind, store in kinds.items():
            planned = [event for event in events if event.dagster_event_type is kind]
            if planned:
                store(list(zip(planned, self._insert(planned), strict=True)))
        others = [event for event in events if event.dagster_event_type not in kinds]
        if others:
            super().store_event_batch(others)

    def _insert(self, events: Sequence[EventLogEntry]) -> list[int]:
        """Insert events into the log; their numbers, in their order."""
        insert = self.prepare_insert_event_batch(events).returning(SqlEventLogStorageTable.c.id)
        with self._connect() as connection:
            return [int(row[0]) for row in connection.execute(insert)]

    def _store_planned_assets(self, stored: Sequence[_Numbered]) -> None:
        """An asset's entry in the catalog says what happened to it last."""
        last = {event.get_dagster_event().asset_key: (event, number) for event, number in stored}
        with self.index_transaction() as connection:
            for event, number in last.values():
                self._store_asset_event(connection, event, number)

    def _store_planned_checks(self, stored: Sequence[_Numbered]) -> None:
        """Plan one execution of each check, which its result is put into.

        Dagster plans one for each partition of the run, though results of checks have none: of a run over 83 months,
        six thousand copies of the events (10 MB) stay planned for ever.
        """
        with self.index_connection() as connection:
            connection.execute(AssetCheckExecutionsTable.insert(), [self._planned(*each) for each in stored])

    def _planned(self, event: EventLogEntry, number: int) -> dict[str, Any]:
        check = event.get_dagster_event().asset_check_planned_data
        return {
            "asset_key": check.asset_key.to_string(),
            "check_name": check.check_name,
            "partition": None,
            "run_id": event.run_id,
            "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
            "evaluation_event": serialize_value(event),
            "evaluation_event_timestamp": self._event_insert_timestamp(event),
            "evaluation_event_storage_id": number,
        }


def _keep_connections(part: Any, url: str) -> None:
    """Give a storage an engine that keeps its connection.

    Dagster opens two connections per event; a run over all months writes a thousand planned events, and took 34 s for
    them instead of 10. A kept connection is tried before use, because the server may have been restarted meanwhile.
    """
    part._engine = sa.create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=1,
        max_overflow=20,
        pool_pre_ping=True,
        pool_recycle=1800,
        hide_parameters=True,  # Dagster prints what it could not store
    )
