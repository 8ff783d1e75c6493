"""From any exception to one of our errors: its kind and place, never a value of a row."""

import traceback
from collections.abc import Iterator
from pathlib import Path

import psycopg
from pandera.errors import SchemaError, SchemaErrors
from sqlalchemy.exc import SQLAlchemyError

from migration.errors import MigrationError
from migration.warehouse.connect import translate

_REPORT = "This is a mistake in the program: report it with the run id."


class ProgramError(MigrationError):
    """Something that no export should be able to cause."""


def as_ours(error: BaseException) -> MigrationError:
    """The error as one of ours."""
    if isinstance(error, MigrationError):
        return error
    of_database = next((each for each in _causes(error) if isinstance(each, SQLAlchemyError | psycopg.Error)), None)
    if of_database is not None:
        return translate(of_database)
    if isinstance(error, SchemaError | SchemaErrors):
        return ProgramError(f"Rows do not fit their declared table: {_broken_columns(error)}.", _REPORT)
    if isinstance(error, OSError):
        return MigrationError(
            f"{error.strerror or type(error).__name__} at {_place(error)}.",
            "Check the disk, the rights and the folders under MIGRATION_HOME, then run again.",
        )
    return ProgramError(f"{type(error).__name__} at {_place(error)}.", _REPORT)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it: Dagster wraps what its storage meets."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _broken_columns(error: SchemaError | SchemaErrors) -> str:
    """Which checks of which columns failed; pandera's own failure cases hold the values."""
    single = error.schema_errors if isinstance(error, SchemaErrors) else [error]
    broken = {f"{each.schema.name}.{_check_name(each)}" for each in single if isinstance(each, SchemaError)}
    return ", ".join(sorted(broken)) or "unknown"


def _check_name(error: SchemaError) -> str:
    check = error.check
    return str(getattr(check, "name", None) or check)


def _place(error: BaseException) -> str:
    """Where the error came from: the innermost line of code of ours."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "site-packages" not in f.filename] or list(frames)
    return f"{Path(ours[-1].filename).stem}:{ours[-1].lineno}" if ours else "an unknown place"
