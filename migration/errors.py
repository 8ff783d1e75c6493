"""The errors a user of a migration can meet, in their three kinds: of the export, transient, and of the set-up.

A row that is wrong is never an exception: it is a rejected row with a reason code. Messages name what is wrong, where,
and what to do next; they never hold a value of a source row.
"""


class MigrationError(Exception):
    """Something the user can mend.

    Args:
        problem: what is wrong and where, in one line, without any value of a source row.
        next_step: what the user should do about it, in one line.
    """

    def __init__(self, problem: str, next_step: str) -> None:
        self.problem = problem
        self.next_step = next_step
        super().__init__(f"{problem} {next_step}")

    @property
    def kind(self) -> str:
        """The error's name as logs and the run log show it."""
        return type(self).__name__


class ExportError(MigrationError):
    """The export as a whole cannot be used: the run stops, nothing is quarantined, nothing is retried."""


class MissingSourceFile(ExportError):
    """A required table has no file in the export, or the export folder is not there."""


class AmbiguousSource(ExportError):
    """Two files of the export claim to be the same table."""


class EmptySource(ExportError):
    """A table that is never empty has no rows, which is what a failed legacy export writes."""


class ExportFormatError(ExportError):
    """A file is not what its name says: not JSON, CSV or Parquet, not UTF-8, or a cut gzip stream."""


class ManifestMismatch(ExportError):
    """The files differ from what the manifest, or an earlier step of the same run, has recorded of them."""


class SchemaDriftError(ExportError):
    """A required key is in none of a table's rows."""


class StaleExport(ExportError):
    """The export is older than one that has been loaded, and the run was told not to accept that."""


class TransientError(MigrationError):
    """Trying the same again later may work: the step is retried."""


class DatabaseUnavailable(TransientError):
    """The PostgreSQL server cannot be reached, or went away."""


class SetupError(MigrationError):
    """A setting, a right or a version is wrong; no retry will help."""


class Refused(MigrationError):
    """A run that must not go on as it was asked for: unconfirmed, on a state it may not touch, or with a bad option.

    Args:
        code: what the refusal is called in logs and docs, such as `CONFIRMATION_REQUIRED`.
        problem: see `MigrationError`.
        next_step: see `MigrationError`.
        blocks: whether the run log calls it blocked (a gate or precondition of the data) instead of failed.
    """

    def __init__(self, code: str, problem: str, next_step: str, *, blocks: bool = False) -> None:
        self.code = code
        self.blocks = blocks
        super().__init__(problem, next_step)

    @property
    def kind(self) -> str:
        """The refusal's own code."""
        return self.code


class GateShut(MigrationError):
    """An upstream asset has not succeeded for this export, in this or an earlier run.

    Args:
        problem: see `MigrationError`.
        next_step: see `MigrationError`.
        blocked_by_run: the run in which the upstream asset ended otherwise, empty when it never ran.
    """

    def __init__(self, problem: str, next_step: str, blocked_by_run: str = "") -> None:
        self.blocked_by_run = blocked_by_run
        super().__init__(problem, next_step)
