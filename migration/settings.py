"""The settings of an installation, read from the environment (prefix `MIGRATION_`) and nowhere else."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from upath import UPath

DEFAULT_HOME = ".migration"


@dataclass(frozen=True)
class Settings:
    """Where an installation keeps its things.

    Attributes:
        home: folder of the embedded server's data, Dagster's files, reports and, by default, work and landing.
        landing: the landing zone, an fsspec URL; exports are folders `<landing>/<system>/<export_id>/`.
        work: intermediate frames, an fsspec URL.
        database_url: the target database as the user gave it; None means the embedded server.
        dagster_database_url: Dagster's own storage; None means the embedded server.
    """

    home: Path
    landing: UPath
    work: UPath
    database_url: str | None
    dagster_database_url: str | None

    @property
    def reports(self) -> Path:
        """Folder of the written reports."""
        return self.home / "reports"

    @property
    def dagster_home(self) -> Path:
        """Folder that `DAGSTER_HOME` points to."""
        return self.home / "dagster"

    @property
    def embedded_data(self) -> Path:
        """Data folder of the embedded PostgreSQL server."""
        return self.home / "postgres"


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings that an environment gives; an empty variable counts as unset."""
    env = {k: v for k, v in (os.environ if environment is None else environment).items() if v.strip()}
    home = Path(env.get("MIGRATION_HOME", DEFAULT_HOME)).expanduser().resolve()
    return Settings(
        home=home,
        landing=UPath(env.get("MIGRATION_LANDING", str(home / "landing"))),
        work=UPath(env.get("MIGRATION_WORK", str(home / "work"))),
        database_url=env.get("MIGRATION_DATABASE_URL"),
        dagster_database_url=env.get("MIGRATION_DAGSTER_DATABASE_URL"),
    )
