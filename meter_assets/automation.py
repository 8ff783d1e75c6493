"""What of Meter runs by itself or by one click: jobs, the sensors that load and preview, schedules."""

import dagster as dg

from meter_assets.assets import LOAD, METER, SOURCE, STEPS
from meter_assets.assets.customer_balance_sync import customer_balance_sync
from migration.automation import (
    WRITER_TAG,
    Automation,
    failure_notice,
    new_export_sensor,
    purge_job,
    rollback_job,
)
from migration.declare.run import DRY_RUN_TAGS

NAME = METER.name

_loads = dg.AssetSelection.groups(SOURCE, LOAD).materializable()
_steps = dg.AssetSelection.groups(STEPS)
_checks = dg.AssetSelection.checks_for_assets(
    *(declaration.key for declaration in METER.declarations.values() if declaration.checks)
)

load_job = dg.define_asset_job(
    "meter_load_job", _loads, description="Loads one export, all tenants.", tags={WRITER_TAG: NAME}
)
steps_job = dg.define_asset_job(
    "meter_steps_job",
    _steps,
    description="The five steps for chosen tenants, one run each; needs confirm: true.",
)

AUTOMATION = Automation(
    jobs=[
        load_job,
        steps_job,
        dg.define_asset_job(
            "meter_load_dry_run",
            _loads,
            description="Loads one export into a shadow schema and says what a live load would change.",
            tags={**DRY_RUN_TAGS, WRITER_TAG: f"{NAME}-dry-run"},
        ),
        dg.define_asset_job(
            "meter_dry_run",
            _steps,
            description="The five steps for chosen tenants on a shadow schema: writes no live table.",
            tags={**DRY_RUN_TAGS, WRITER_TAG: f"{NAME}-dry-run"},
        ),
        dg.define_asset_job(
            "meter_sync_job",
            dg.AssetSelection.assets(customer_balance_sync),
            description="Sets customers' balances to the sums of their meters; needs confirm: true.",
        ),
        dg.define_asset_job(
            "meter_checks", _checks, description="Measures every check on what is in the database now."
        ),
        rollback_job(METER),
        purge_job(METER),
    ],
    schedules=[],
    sensors=[new_export_sensor(METER, "meter_load_job"), failure_notice(METER)],
)
