"""What of the dental migration runs by itself or by one click: jobs, sensors, schedules."""

import dagster as dg

from dental_assets.assets import DENTAL
from migration.automation import Automation, failure_notice, migration_jobs, new_export_sensor

NAME = DENTAL.name

AUTOMATION = Automation(
    jobs=migration_jobs(DENTAL, dg.AssetSelection.key_prefixes([NAME]).materializable()),
    schedules=[],
    sensors=[new_export_sensor(DENTAL, f"{NAME}_migration"), failure_notice(DENTAL)],
)
