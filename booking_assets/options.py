"""The options of a Booking run, beside those that every run has."""

from migration.declare.run import MigrationRun
from migration.declare.step import Step


class BookingRun(MigrationRun):
    """The options of a Booking run, in one place.

    Attributes:
        allow_stale: load an export although it is older than the one that was loaded last.
    """

    allow_stale: bool = False


def options_of(step: Step) -> BookingRun:
    """The options of the run that a step belongs to."""
    options = step.run.options
    return options if isinstance(options, BookingRun) else BookingRun(**options.model_dump())
