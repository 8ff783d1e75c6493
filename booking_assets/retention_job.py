"""The job that clears away what is old, once a day, and its dry run."""

import datetime as dt

import dagster as dg

from booking_assets.assets import BOOKING
from booking_assets.retention import clear_away, count_old
from migration.automation import WRITER_TAG
from migration.declare.failures import as_ours
from migration.declare.run import DRY_RUN_TAGS, engine_of, is_dry
from migration.settings import read_settings


@dg.op(
    name=f"{BOOKING.name}_clear_away",
    description="Deletes old events, dead letters and answered questions; a dry run only counts them.",
)
def _clear(context: dg.OpExecutionContext) -> None:
    now, settings = dt.datetime.now(dt.UTC), read_settings()
    try:
        engine = engine_of(settings.database_url, settings)
        dry = is_dry(context.run.tags)
        found = count_old(engine, now) if dry else clear_away(engine, now, context.run_id)
    except Exception as error:
        # Whatever it is: a database's own message quotes rows.
        ours = as_ours(error)
        raise dg.Failure(f"{ours.kind}: {ours}", allow_retries=False) from None
    context.add_output_metadata({"dry_run": dry, **found})


@dg.job(
    name=f"{BOOKING.name}_retention",
    description="Deletes events, dead letters and answered questions that are old; a rollback brings them back.",
    tags={WRITER_TAG: BOOKING.name},
)
def booking_retention() -> None:
    """Clear away what is old."""
    _clear()


@dg.job(
    name=f"{BOOKING.name}_retention_dry_run",
    description="Counts what the next retention run would delete.",
    tags={**DRY_RUN_TAGS, WRITER_TAG: f"{BOOKING.name}-dry-run"},
)
def booking_retention_dry_run() -> None:
    """Count what is old."""
    _clear()


JOBS = (booking_retention, booking_retention_dry_run)
SCHEDULES = (
    dg.ScheduleDefinition(
        name=f"{BOOKING.name}_retention_daily",
        job=booking_retention,
        cron_schedule="30 3 * * *",
        execution_timezone="UTC",
    ),
)
