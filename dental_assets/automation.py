"""What of the dental migration runs by itself or by one click: jobs, partitions, schedules, sensors.

A new export is loaded and its notifications are split by themselves; the ranges of notifications are carried at night,
or by a backfill, or by `migrate run`.
"""

import dagster as dg
import sqlalchemy as sa

from dental_assets import tables
from dental_assets.assets import DENTAL
from dental_assets.assets.notification_chunks import notification_chunks
from dental_assets.assets.notifications import notifications
from dental_assets.partitions import PARTITIONS_NAME
from migration.automation import WRITER_TAG, Automation, failure_notice, migration_jobs, new_export_sensor
from migration.declare.run import DRY_RUN_TAGS, EXPORT_TAG, engine_of, run_config
from migration.declare.system import Stage
from migration.settings import read_settings
from migration.tables import Query
from migration.warehouse.ddl import ensure_schema
from migration.warehouse.runlog import Status

NAME = DENTAL.name

_ranges = dg.AssetSelection.assets(notifications)
_all_but_ranges = dg.AssetSelection.key_prefixes([NAME]).materializable() - _ranges

notifications_job = dg.define_asset_job(
    "dental_notifications", _ranges, description="Notifications, one run for each range of legacy ids."
)
notifications_dry_run = dg.define_asset_job(
    "dental_notifications_dry_run",
    _ranges,
    description="The same on a shadow schema, one run for each range; says what a live run would change.",
    tags={**DRY_RUN_TAGS, WRITER_TAG: f"{NAME}-dry-run"},
)

DENTAL.stages = (
    Stage("dental_migration", "dental_dry_run"),
    Stage(
        "dental_notifications",
        "dental_notifications_dry_run",
        PARTITIONS_NAME,
        sa.select(tables.notification_chunks.c.partition_key).distinct().order_by("partition_key"),
    ),
)


def open_ranges() -> Query:
    """Statement of the newest split export, and its ranges that are not done."""
    chunk, progress, log = tables.notification_chunks, tables.notification_progress, tables.books.run_log
    newest = (
        sa.select(log.c.export_id)
        .where(log.c.asset == notification_chunks.key.path[-1], log.c.status == Status.SUCCESS.value)
        .where(log.c.dry_run.is_(False))
        .order_by(log.c.export_id.collate("C").desc())
        .limit(1)
    )
    same = sa.and_(progress.c.export_id == chunk.c.export_id, progress.c.partition_key == chunk.c.partition_key)
    done = sa.select(sa.literal(1)).where(same, progress.c.status == "DONE").exists()
    return (
        sa.select(chunk.c.export_id, chunk.c.partition_key)
        .where(chunk.c.export_id == newest.scalar_subquery(), sa.not_(done))
        .order_by(chunk.c.partition_key)
    )


@dg.schedule(
    name="dental_notifications_nightly",
    job=notifications_job,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    description="Carries the ranges of the newest export's notifications that are not done.",
)
def notifications_nightly(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
    """One run for each range that is not done."""
    settings = read_settings()
    with engine_of(settings.database_url, settings).begin() as connection:
        ensure_schema(connection, DENTAL.metadata)
        ranges = connection.execute(open_ranges()).all()
    if not ranges:
        return dg.SkipReason("Every range of the newest export is done.")
    context.instance.add_dynamic_partitions(PARTITIONS_NAME, [each.partition_key for each in ranges])
    day = context.scheduled_execution_time.date()
    return [
        dg.RunRequest(
            run_key=f"{NAME}:{each.export_id}:{each.partition_key}:{day}",
            partition_key=each.partition_key,
            run_config=run_config({"export_id": each.export_id}),
            tags={EXPORT_TAG: each.export_id},
        )
        for each in ranges
    ]


AUTOMATION = Automation(
    jobs=[*migration_jobs(DENTAL, _all_but_ranges), notifications_job, notifications_dry_run],
    schedules=[
        notifications_nightly,
        dg.ScheduleDefinition(
            name="dental_weekly_checks", job_name=f"{NAME}_checks", cron_schedule="0 4 * * 0", execution_timezone="UTC"
        ),
        dg.ScheduleDefinition(
            name="dental_purge_weekly", job_name=f"{NAME}_purge", cron_schedule="0 5 * * 0", execution_timezone="UTC"
        ),
    ],
    sensors=[new_export_sensor(DENTAL, f"{NAME}_migration"), failure_notice(DENTAL)],
)
