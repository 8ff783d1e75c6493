"""Not one of the five steps, and only on request: customers' balances become the sums of their meters."""

import sqlalchemy as sa

from meter_assets import tables
from meter_assets.assets import OPTIONAL
from meter_assets.assets.full_validation import SKIPPED
from meter_assets.assets.tenant_steps import of_tenant, tenant_step
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.errors import Refused
from migration.outcome import Outcome
from migration.tables import Query
from migration.warehouse.runlog import Status

OWNED = ("balance", "overpayment", "balances_synced_export_id")


def _require_validation(step: Step) -> None:
    """Ask whether the newest validation of the tenant and export has passed, and has looked.

    Raises:
        Refused: it has not.
    """
    log = step.books.run_log
    newest = (
        sa.select(log.c.status, log.c.warnings)
        .where(
            log.c.asset == "full_validation",
            log.c.partition == step.partition,
            log.c.export_id == step.export.export_id,
            log.c.dry_run.is_(False),
            log.c.status != Status.RUNNING.value,
        )
        .order_by(log.c.finished_at.desc())
        .limit(1)
    )
    found = step.connection.execute(newest).one_or_none()
    if found is None or found.status != Status.SUCCESS.value or SKIPPED in found.warnings:
        raise Refused(
            "VALIDATION_NOT_PASSED",
            f"The full validation of tenant {step.partition} has not passed for export {step.export.export_id}.",
            "Run it, without skip_validation, and mend what it finds.",
            blocks=True,
        )


def _sums(step: Step) -> Query:
    """One row per customer: the sums over the distinct meters that are actively assigned."""
    assignment, meter, customer = tables.meter_assignments, tables.meters, tables.customers
    pairs = sa.select(assignment.c.customer_id, assignment.c.meter_id).distinct()
    active = pairs.where(of_tenant(step, assignment), assignment.c.is_active).subquery("active")
    joined = customer.outerjoin(active, active.c.customer_id == customer.c.id).outerjoin(
        meter, meter.c.id == active.c.meter_id
    )
    return (
        sa.select(
            customer.c.id,
            sa.func.coalesce(sa.func.sum(meter.c.balance), 0).label("balance"),
            sa.func.coalesce(sa.func.sum(meter.c.overpayment), 0).label("overpayment"),
            sa.literal(step.export.export_id, sa.Text).label("balances_synced_export_id"),
        )
        .select_from(joined)
        .where(of_tenant(step, customer))
        .group_by(customer.c.id)
    )


# It asks more of the validation than a gate does, and no run may override that.
@tenant_step(target=tables.customers, owned=OWNED, group=OPTIONAL, upstream=["full_validation"], has_gates=False)
def customer_balance_sync(step: Step) -> Write:
    """Sets what customers owe to the sums of their meters; later loads then leave the two columns alone.

    Only after a full validation that has passed. A rollback of the customer balances puts the legacy figures back.
    """
    if not step.run.dry_run:
        _require_validation(step)

    def write() -> None:
        rows = _sums(step).subquery("sums")
        step.update_from(tables.customers, rows, [tables.customers.c[name] for name in OWNED])
        total = step.connection.scalar(sa.select(sa.func.count()).where(of_tenant(step, tables.customers))) or 0
        step.tally.source_rows = total
        step.tally.outcomes[Outcome.LOADED.value] = total

    return write
