"""Dagster's own storage: PostgreSQL, found by the same settings as everything else.

`dagster.yaml` names this class instead of a URL in a variable of its own, so that every Dagster command works in a
bare clone, and a process that finds the embedded server stopped starts it again.
"""

from typing import Any

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
        return cls(storage_url(read_settings()), inst_data=inst_data)
