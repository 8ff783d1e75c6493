"""What of Skynet runs by itself or by one click: jobs, month partitions, schedules, sensors."""

import dagster as dg

from migration.automation import (
    Automation,
    failure_notice,
    migration_jobs,
    new_export_sensor,
)
from migration.declare.run import RANGE_END_TAG, RANGE_START_TAG
from skynet_assets.assets import SKYNET
from skynet_assets.assets.export import export_refresh
from skynet_assets.assets.payments import invoices, transactions
from skynet_assets.assets.photos import identity_card_photo_files
from skynet_assets.months import MONTHS

WIB = "Asia/Jakarta"

_needs_network = dg.AssetSelection.assets(export_refresh, identity_card_photo_files)
_months_job = dg.define_asset_job(
    "skynet_months",
    dg.AssetSelection.assets(invoices, transactions),
    description="Invoices and transactions of chosen months, after the unpartitioned assets of the export.",
    tags={"migration/writer": SKYNET.name},
)
_photos_job = dg.define_asset_job(
    "skynet_photos",
    dg.AssetSelection.assets(identity_card_photo_files),
    description="Downloads queued identity-card photos.",
)
_refresh_job = dg.define_asset_job(
    "skynet_refresh",
    dg.AssetSelection.assets(export_refresh),
    description="Fetches a new export from the legacy server; the sensor then starts its migration.",
)


def all_months() -> dict[str, str]:
    """The tags that make one run cover every month partition; a month without rows succeeds with zeros."""
    keys = MONTHS.get_partition_keys()
    return {RANGE_START_TAG: keys[0], RANGE_END_TAG: keys[-1]}


_checks_job_name = f"{SKYNET.name}_checks"
_jobs = [
    *migration_jobs(SKYNET, dg.AssetSelection.key_prefixes([SKYNET.name]) - _needs_network),
    _months_job,
    _photos_job,
    _refresh_job,
]

AUTOMATION = Automation(
    jobs=_jobs,
    schedules=[
        dg.ScheduleDefinition(
            name="skynet_refresh_daily", job=_refresh_job, cron_schedule="0 2 * * *", execution_timezone=WIB
        ),
        dg.ScheduleDefinition(
            name="skynet_photos_hourly", job=_photos_job, cron_schedule="0 * * * *", execution_timezone=WIB
        ),
        dg.ScheduleDefinition(
            name="skynet_purge_weekly",
            job_name=f"{SKYNET.name}_purge",
            cron_schedule="0 5 * * 0",
            execution_timezone=WIB,
        ),
        dg.ScheduleDefinition(
            name="skynet_checks_nightly", job_name=_checks_job_name, cron_schedule="0 4 * * *", execution_timezone=WIB
        ),
    ],
    sensors=[new_export_sensor(SKYNET, f"{SKYNET.name}_migration", all_months), failure_notice(SKYNET)],
)
