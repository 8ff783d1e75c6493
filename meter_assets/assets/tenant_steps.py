"""What every step of a tenant asks first, and how the steps are declared."""

import re
from collections.abc import Callable
from typing import Any

import dagster as dg
import sqlalchemy as sa

from meter_assets import tables
from meter_assets.assets import METER, STEPS
from meter_assets.options import options_of
from meter_assets.partitions import BY_TENANT
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.errors import GateShut, Refused
from migration.warehouse.runlog import Status

_TENANT_ID = re.compile("[1-9][0-9]{0,18}")
_GREATEST_ID = 2**63 - 1
_LOADS = (*(table.name for table in tables.LOADED), "export_pruned")


def tenant_id_of(partition: str) -> int:
    """The tenant that a partition is named after, and no other way of writing it: a tenant is locked by that name.

    Raises:
        Refused: the partition is no tenant's id.
    """
    if _TENANT_ID.fullmatch(partition) is None or int(partition) > _GREATEST_ID:
        raise Refused("UNKNOWN_TENANT", "The partition is no tenant's id.", "Choose one of the tenants.")
    return int(partition)


def tenant_of(step: Step) -> int:
    """The tenant that the step is for.

    Raises:
        Refused: the partition is no tenant's id.
    """
    return tenant_id_of(step.partition or "")


def of_tenant(step: Step, table: sa.Table) -> sa.ColumnElement[bool]:
    """The condition that a row of a table is the tenant's."""
    return table.c.tenant_id == tenant_of(step)


def require_tenant(step: Step) -> None:
    """Ask, before the first write, whether the run may work on its tenant.

    Raises:
        Refused: the run is live and not confirmed, an option is unknown, or there is no such tenant.
        GateShut: another export has been, or is being, loaded.
    """
    options = options_of(step)
    options.require_known()
    if not step.run.dry_run:
        if not options.confirm:
            raise Refused(
                "CONFIRMATION_REQUIRED",
                "A live run changes the balances of meters.",
                "Look at a dry run first; then launch with confirm: true, or with --yes.",
            )
        _require_load(step)
    tenant = tables.tenants
    known = sa.select(sa.literal(1)).where(tenant.c.id == tenant_of(step))
    if step.connection.scalar(known) is None:
        raise Refused("UNKNOWN_TENANT", f"There is no tenant {step.partition}.", "Load an export that has it first.")


def _require_load(step: Step) -> None:
    """The tables must hold the run's export: a load begun since, and not rolled back, makes them another's.

    Raises:
        GateShut: they do not.
    """
    log = step.books.run_log
    newest = (
        sa.select(log.c.export_id, log.c.run_id)
        .where(log.c.asset.in_(_LOADS), log.c.dry_run.is_(False), log.c.status != Status.ROLLED_BACK.value)
        .order_by(log.c.started_at.desc())
        .limit(1)
    )
    found = step.connection.execute(newest).one_or_none()
    if found is not None and found.export_id != step.export.export_id:
        raise GateShut(
            f"Gate shut: export {found.export_id} has been loaded, or is being, since {step.export.export_id} was.",
            f"Run the steps for export {found.export_id}, or load {step.export.export_id} again.",
            blocked_by_run=found.run_id,
        )


def tenant_step(
    *, target: sa.Table, owned: tuple[str, ...] = (), group: str = STEPS, **further: Any
) -> Callable[[Callable[[Step], Write]], dg.AssetsDefinition]:
    """Declare a step that runs tenant by tenant, in sets.

    Args:
        target: the table whose rows the step computes.
        owned: the columns of it that the step owns.
        group: group in the catalog.
        **further: see `System.step`.
    """
    return METER.step(
        group=group,
        target=target,
        owned=owned,
        partitioning=BY_TENANT,
        guard=require_tenant,
        kinds=("postgres", "sql"),
        **further,
    )
