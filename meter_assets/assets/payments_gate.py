"""Step 3: the gate. Balances of meters are computed only when every payment of the tenant has a meter."""

import sqlalchemy as sa

from meter_assets import checks, tables
from meter_assets.assets.tenant_steps import of_tenant, tenant_of, tenant_step
from meter_assets.options import options_of
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.errors import Refused
from migration.outcome import Outcome
from migration.tables import Query
from migration.warehouse.runlog import Status

STEP = 3


def findings_of(step: Step, number: int) -> sa.ColumnElement[bool]:
    """The tenant's findings of a step."""
    found = tables.validation_discrepancy
    return of_tenant(step, found) & (found.c.step == number)


def count_unassigned(step: Step) -> int:
    """How many payments of the tenant have no meter."""
    payment = tables.payments
    counted = sa.select(sa.func.count()).where(of_tenant(step, payment), payment.c.meter_id.is_(None))
    return step.connection.scalar(counted) or 0


def require_assigned(step: Step) -> None:
    """Ask whether balances may be computed; a dry run only reports.

    Raises:
        Refused: payments have no meter.
    """
    unassigned = count_unassigned(step)
    step.facts["unassigned_payments"] = unassigned
    if unassigned and not step.run.dry_run:
        raise Refused(
            "UNASSIGNED_PAYMENTS",
            f"{unassigned} payments of tenant {step.partition} have no meter.",
            "Look at `meter_id_review`, assign meters in the legacy system, and load a new export.",
            blocks=True,
        )


def _without_meter(step: Step) -> Query:
    payment = tables.payments
    nothing = sa.cast(sa.null(), sa.Numeric(16, 2))
    return sa.select(
        sa.literal(tenant_of(step), sa.BigInteger).label("tenant_id"),
        sa.literal(STEP, sa.SmallInteger).label("step"),
        sa.literal("PAYMENT_WITHOUT_METER", sa.Text).label("check_name"),
        sa.literal("payment", sa.Text).label("entity_type"),
        payment.c.id.label("entity_id"),
        sa.literal("CRITICAL", sa.Text).label("severity"),
        sa.literal(step.export.export_id, sa.Text).label("export_id"),
        nothing.label("expected"),
        payment.c.amount.label("actual"),
        nothing.label("difference"),
    ).where(of_tenant(step, payment), payment.c.meter_id.is_(None))


@tenant_step(
    target=tables.validation_discrepancy,
    upstream=["payment_meter_ids", "invoice_amounts"],
    checks=[checks.payments_have_meter],
    fails_after_publishing=Status.BLOCKED,
)
def payments_gate(step: Step) -> Write:
    """The gate: lists every payment without a meter, and stays shut for the tenant while there is one.

    With `skip_validation` nothing is listed and the gate is open; the balances keep the same condition themselves.
    """

    def write() -> None:
        unassigned = count_unassigned(step)
        found = tables.validation_discrepancy
        listed = _without_meter(step).where(sa.not_(sa.literal(options_of(step).skip_validation)))
        step.replace(found, listed.subquery("without_meter"), findings_of(step, STEP))
        if unassigned and not step.run.dry_run:
            # The tenant's balances will not be computed: what an earlier validation said of them holds no more.
            step.connection.execute(sa.delete(found).where(findings_of(step, 5)))
        total = sa.select(sa.func.count()).where(of_tenant(step, tables.payments))
        step.tally.source_rows = step.connection.scalar(total) or 0
        step.tally.outcomes[Outcome.LOADED.value] = step.tally.source_rows - unassigned
        step.tally.outcomes[Outcome.SKIPPED.value] = unassigned
        if unassigned:
            step.tally.skipped_by["PAYMENT_WITHOUT_METER"] = unassigned

    return write
