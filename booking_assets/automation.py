"""What of Booking runs by itself or by one click: the migration, its batches, the sensor, the schedules."""

from collections.abc import Mapping

import dagster as dg

from booking_assets import retention_job
from booking_assets.assets import BOOKING, BOOKINGS, CATALOG, INGEST, PAYMENT_OPS, QUALITY, REFERENCE, SOURCE, STAGING
from booking_assets.months import BOOKING_MONTH
from migration.automation import (
    WRITER_TAG,
    Automation,
    failure_notice,
    new_export_sensor,
    purge_job,
    rollback_job,
    staged_migration_job,
)
from migration.declare.run import DRY_RUN_TAGS, RANGE_END_TAG, RANGE_START_TAG
from migration.declare.system import Stage

NAME = BOOKING.name
LAST_MONTHS = 3
_groups = dg.AssetSelection.groups
_bridge = dg.AssetSelection.assets(dg.AssetKey([NAME, "catalog_bridge"]))

# Batches are an order, not a slice: each is a job, and the asset gates keep the order.
BATCHES: Mapping[str, tuple[dg.AssetSelection, str]] = {
    "b": (_groups(SOURCE, REFERENCE).materializable(), "Verifies an export and seeds the vocabularies."),
    "c": (_bridge | _groups(CATALOG), "The catalog: products, variants and rates."),
    "d": (_groups(BOOKINGS), "Bookings, month by month: contacts, parties, items, references."),
    "e": (_groups(PAYMENT_OPS), "Payments and operations, month by month."),
    "f": (_groups(INGEST), "Events that came by e-mail, month by month, and dead letters."),
}
_STAGES: Mapping[str, tuple[dg.AssetSelection, str]] = {
    "booking_load": (
        _groups(SOURCE, REFERENCE, STAGING, CATALOG).materializable(),
        "Verifies an export, writes the catalog, and merges bookings, payments, settlements and e-mails.",
    ),
    "booking_months": (_groups(BOOKINGS, PAYMENT_OPS), "Bookings with all that belongs to them, month by month."),
    "booking_events": BATCHES["f"],
    "booking_quality": (_groups(QUALITY), "Measures every check, and writes the quality report of the batch."),
}

# The report is written whatever has become of the batches: it says which of them was stopped, and why.
BOOKING.stages = tuple(Stage(name, f"{name}_dry_run", whatever_happens=name == "booking_quality") for name in _STAGES)


def _job(name: str, selection: dg.AssetSelection, what: str, *, dry_run: bool = False) -> object:
    tags = {**DRY_RUN_TAGS, WRITER_TAG: f"{NAME}-dry-run"} if dry_run else {WRITER_TAG: NAME}
    return dg.define_asset_job(name, selection, description=what, tags=tags)


batch_jobs = [_job(f"{NAME}_batch_{batch}", *described) for batch, described in BATCHES.items()]
staging_job = _job(
    f"{NAME}_staging",
    _groups(STAGING) - _bridge,
    "Merges bookings, payments, settlements and e-mails; what batches D to F read.",
)
stage_jobs = [_job(name, *described) for name, described in _STAGES.items()]
stage_dry_runs = [
    _job(f"{name}_dry_run", selection, f"{what} On a shadow schema.", dry_run=True)
    for name, (selection, what) in _STAGES.items()
]
checks_job = dg.define_asset_job(
    f"{NAME}_checks",
    dg.AssetSelection.checks_for_assets(
        *(declaration.key for declaration in BOOKING.declarations.values() if declaration.checks)
    ),
    description="Measures every check on what is in the database now.",
)

quality_nightly = dg.ScheduleDefinition(
    name="booking_quality_nightly",
    job_name="booking_quality",
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    description="Writes a quality report of what is in the tables.",
)


@dg.schedule(
    name="booking_last_months_weekly",
    job_name="booking_months",
    cron_schedule="0 4 * * 0",
    execution_timezone="UTC",
    description=f"Writes the last {LAST_MONTHS} months of bookings again, in one run.",
)
def last_months_weekly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """One run over the last months that are known."""
    months = sorted(context.instance.get_dynamic_partitions(str(BOOKING_MONTH.name)))[-LAST_MONTHS:]
    if not months:
        return dg.SkipReason("No month of bookings is known yet.")
    return dg.RunRequest(tags={RANGE_START_TAG: months[0], RANGE_END_TAG: months[-1]})


AUTOMATION = Automation(
    jobs=[
        staged_migration_job(BOOKING),
        staged_migration_job(BOOKING, dry_run=True),
        *stage_jobs,
        *stage_dry_runs,
        *batch_jobs,
        staging_job,
        checks_job,
        rollback_job(BOOKING),
        purge_job(BOOKING),
        *retention_job.JOBS,
    ],
    schedules=[quality_nightly, last_months_weekly, *retention_job.SCHEDULES],
    sensors=[new_export_sensor(BOOKING, f"{NAME}_migration"), failure_notice(BOOKING)],
)
