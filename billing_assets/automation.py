"""What of the billing migration runs by itself or by one click: jobs, months, schedules, sensors."""

import dagster as dg

from billing_assets.assets import BILLING
from billing_assets.months import MONTHS, month_before
from migration.automation import WRITER_TAG, Automation, failure_notice, migration_jobs, new_export_sensor
from migration.declare.run import RANGE_END_TAG, RANGE_START_TAG

_everything = dg.AssetSelection.key_prefixes([BILLING.name]).materializable()
_months_job = dg.define_asset_job(
    "billing_months",
    _everything,
    description="The newest export for chosen months: customers and staging first, then these months alone.",
    tags={WRITER_TAG: BILLING.name},
)


def all_months() -> dict[str, str]:
    """The tags that make one run cover every month partition; a month without rows succeeds with zeros."""
    keys = MONTHS.get_partition_keys()
    return {RANGE_START_TAG: keys[0], RANGE_END_TAG: keys[-1]}


@dg.schedule(
    name="billing_previous_month",
    job=_months_job,
    cron_schedule="0 2 2 * *",
    execution_timezone="UTC",
    description="Materializes the month before, on the second day of each month.",
)
def previous_month(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """One run for the month before the tick's."""
    month = month_before(context.scheduled_execution_time.date()).isoformat()
    return dg.RunRequest(run_key=f"{BILLING.name}:{month}", partition_key=month)


AUTOMATION = Automation(
    jobs=[*migration_jobs(BILLING, _everything, all_months()), _months_job],
    schedules=[
        previous_month,
        dg.ScheduleDefinition(
            name="billing_checks_nightly",
            job_name=f"{BILLING.name}_checks",
            cron_schedule="0 4 * * *",
            execution_timezone="UTC",
        ),
        dg.ScheduleDefinition(
            name="billing_purge_weekly",
            job_name=f"{BILLING.name}_purge",
            cron_schedule="0 5 * * 0",
            execution_timezone="UTC",
        ),
    ],
    sensors=[new_export_sensor(BILLING, f"{BILLING.name}_migration", all_months), failure_notice(BILLING)],
)
