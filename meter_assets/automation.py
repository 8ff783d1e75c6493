"""What of Meter runs by itself or by one click: jobs, the sensors that load and preview, schedules.

A new export is loaded and previewed by itself; the steps are applied only where somebody has confirmed them.
"""

import os
from collections.abc import Iterator
from dataclasses import asdict

import dagster as dg
import sqlalchemy as sa

from meter_assets import tables
from meter_assets.assets import LOAD, METER, SOURCE, STEPS
from meter_assets.assets.customer_balance_sync import customer_balance_sync
from meter_assets.partitions import PARTITIONS_NAME, TENANTS
from meter_assets.rollback import roll_back_tenant
from migration.automation import (
    WRITER_TAG,
    Automation,
    failure_notice,
    new_export_sensor,
    purge_job,
    rollback_job,
    staged_migration_job,
)
from migration.declare.failures import as_ours
from migration.declare.parts import PartRollback
from migration.declare.run import DRY_RUN_TAGS, EXPORT_TAG, PREVIEW_TAG, engine_of, run_config
from migration.errors import Refused
from migration.settings import read_settings
from migration.warehouse.ddl import ensure_schema

NAME = METER.name
NIGHTLY_CONFIRM = "METER_NIGHTLY_CONFIRM"
_DRY_WRITER = {**DRY_RUN_TAGS, WRITER_TAG: f"{NAME}-dry-run"}

_loads = dg.AssetSelection.groups(SOURCE, LOAD).materializable()
_steps = dg.AssetSelection.groups(STEPS)
_every_check = dg.AssetSelection.checks_for_assets(
    *(declaration.key for declaration in METER.declarations.values() if declaration.checks)
)

load_job = dg.define_asset_job(
    "meter_load_job", _loads, description="Loads one export, all tenants.", tags={WRITER_TAG: NAME}
)
load_dry_run = dg.define_asset_job(
    "meter_load_dry_run",
    _loads,
    description="Loads one export into a shadow schema and says what a live load would change.",
    tags=_DRY_WRITER,
)
steps_job = dg.define_asset_job(
    "meter_steps_job", _steps, description="The five steps, one run for each tenant; asks for confirm: true."
)
dry_run = dg.define_asset_job(
    "meter_dry_run",
    _steps,
    description="The five steps on a shadow schema, one run for each tenant; says what a live run would change.",
    tags=_DRY_WRITER,
)
sync_job = dg.define_asset_job(
    "meter_sync_job",
    dg.AssetSelection.assets(customer_balance_sync),
    description="Sets customers' balances to the sums of their meters; asks for confirm: true.",
)
checks_job = dg.define_asset_job(
    "meter_checks", _every_check, description="Measures every check on what is in the database now."
)


# --- rollback of a tenant ---------------------------------------------------------------------------------------------


class TenantRollbackConfig(dg.Config):
    """What of a tenant to roll back.

    Attributes:
        parts: customer_balances, meter_balances, invoice_amounts, payment_meter_ids; empty = all.
        export_id: the export whose backup counts; empty = the one that is loaded.
        confirm: yes to putting back what was there before.
    """

    parts: list[str] = []
    export_id: str = ""
    confirm: bool = False


@dg.op(name="meter_roll_back_tenant", description="Puts parts of a tenant back, in one transaction.")
def _restore(context: dg.OpExecutionContext, config: TenantRollbackConfig) -> None:
    settings = read_settings()
    try:
        if not config.confirm:
            raise Refused("CONFIRMATION_REQUIRED", "A rollback changes balances.", "Launch it with confirm: true.")
        request = PartRollback(context.partition_key, config.parts, config.export_id, context.run_id)
        report = roll_back_tenant(engine_of(settings.database_url, settings), request)
    except Exception as error:
        # Whatever it is: a database's own message quotes rows.
        ours = as_ours(error)
        raise dg.Failure(f"{ours.kind}: {ours}", allow_retries=False) from None
    context.add_output_metadata(asdict(report))


@dg.job(
    name="meter_rollback_job",
    partitions_def=TENANTS,
    description="Puts parts of a tenant's computed figures back; the backup stays. Asks for confirm: true.",
)
def tenant_rollback() -> None:
    """Puts parts of a tenant back."""
    _restore()


# --- previews and schedules -------------------------------------------------------------------------------------------


def _loaded_tenants(instance: dg.DagsterInstance) -> list[str]:
    """The tenants that the tables hold now; a partition of one that is gone stays for its history only."""
    settings = read_settings()
    with engine_of(settings.database_url, settings).begin() as connection:
        ensure_schema(connection, METER.metadata)
        loaded = connection.scalars(sa.select(tables.tenants.c.id).order_by(tables.tenants.c.id)).all()
    known = set(instance.get_dynamic_partitions(PARTITIONS_NAME))
    return [str(tenant) for tenant in loaded if str(tenant) in known]


@dg.asset_sensor(
    asset_key=dg.AssetKey([NAME, "export_pruned"]),
    name="meter_preview",
    job=dry_run,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a dry run of the steps for every tenant when an export has been loaded; never a live one.",
)
def preview_sensor(
    context: dg.SensorEvaluationContext, asset_event: dg.EventLogEntry
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One dry run per tenant, all on one shadow of what was loaded."""
    run = context.instance.get_run_by_id(asset_event.run_id)
    tenants = _loaded_tenants(context.instance)
    if run is None or not tenants:
        yield dg.SkipReason("No tenant is loaded.")
        return
    export_id = run.tags.get(EXPORT_TAG, "")
    for tenant in tenants:
        yield dg.RunRequest(
            run_key=f"{NAME}:{export_id}:{asset_event.run_id}:{tenant}",
            partition_key=tenant,
            run_config=run_config({"export_id": export_id}),
            tags={EXPORT_TAG: export_id, PREVIEW_TAG: asset_event.run_id},
        )


@dg.schedule(
    name="meter_nightly_steps",
    job=steps_job,
    cron_schedule="0 1 * * *",
    execution_timezone="Africa/Nairobi",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description=f"The steps of all tenants; refused unless {NIGHTLY_CONFIRM}=true says that they may run live.",
)
def nightly_steps(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
    """One live run per tenant."""
    confirmed = os.environ.get(NIGHTLY_CONFIRM, "").lower() == "true"
    day = context.scheduled_execution_time.date()
    return [
        dg.RunRequest(run_key=f"{day}:{tenant}", partition_key=tenant, run_config=run_config({"confirm": confirmed}))
        for tenant in _loaded_tenants(context.instance)
    ]


AUTOMATION = Automation(
    jobs=[
        staged_migration_job(METER),
        load_job,
        load_dry_run,
        steps_job,
        dry_run,
        sync_job,
        checks_job,
        tenant_rollback,
        rollback_job(METER),
        purge_job(METER),
    ],
    schedules=[
        nightly_steps,
        dg.ScheduleDefinition(name="meter_checks_nightly", job=checks_job, cron_schedule="0 4 * * *"),
        dg.ScheduleDefinition(name="meter_purge_weekly", job_name=f"{NAME}_purge", cron_schedule="0 5 * * 0"),
    ],
    sensors=[new_export_sensor(METER, "meter_load_job"), preview_sensor, failure_notice(METER)],
)
