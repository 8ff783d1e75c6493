"""Dagster's own storage: PostgreSQL, found by the same settings as everything else.

`dagster.yaml` names this class instead of a URL in a variable of its own, so that every Dagster command works in a
bare clone, and a process that finds the embedded server stopped starts it again.
"""

from typing import Any

import sqlalchemy as sa
from dagster._config.config_schema import UserConfigSchema
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

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
        for part in (storage.event_log_storage, storage.run_storage, storage.schedule_storage):
            _keep_connections(part, storage.postgres_url)
        return storage


def _keep_connections(part: Any, url: str) -> None:
    """Give a storage an engine that keeps its connection.

    Dagster opens two connections per event; a run over all months writes a thousand planned events, and took 34 s for
    them instead of 10. A kept connection is tried before use, because the server may have been restarted meanwhile.
    """
    part._engine = sa.create_engine(
        url, isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=20, pool_pre_ping=True, pool_recycle=1800
    )
