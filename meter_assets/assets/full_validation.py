"""Step 5: everything is checked once more against what it was before; the findings are published, then judged."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from meter_assets import checks, tables
from meter_assets.assets.meter_balances import counted_invoices, meter_sums, net_of, opening_invoices
from meter_assets.assets.payments_gate import findings_of
from meter_assets.assets.tenant_steps import of_tenant, tenant_of, tenant_step
from meter_assets.options import TOTAL_AMOUNT, options_of
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.outcome import Outcome
from migration.tables import Query
from migration.warehouse.runlog import Status

STEP = 5
SKIPPED = "VALIDATION_SKIPPED"
FOLLOW_UP = (
    "A new invoice raises the balance of its meter.",
    "A new payment lowers the balance of its meter.",
    "The payment screen asks for the meter.",
    "Messages and statements show the figures of each meter.",
)
_MONEY = sa.Numeric(16, 2)
_NOTHING = sa.cast(sa.null(), _MONEY)


@dataclass(frozen=True)
class _Finding:
    """One kind of finding.

    Attributes:
        check_name: what it is called.
        entity_type: what kind of row it is about.
        severity: how bad it is; text, or an expression.
        entity_id: the row.
        rows: where the findings are looked for.
        conditions: what makes a row one.
        expected: what should be, if that can be said.
        actual: what is.
        difference: how much they differ.
    """

    check_name: str
    entity_type: str
    severity: str | sa.ColumnElement[str]
    entity_id: sa.ColumnElement[Any]
    rows: sa.FromClause
    conditions: Sequence[sa.ColumnElement[bool]]
    expected: sa.ColumnElement[Any] = field(default_factory=lambda: _NOTHING)
    actual: sa.ColumnElement[Any] = field(default_factory=lambda: _NOTHING)
    difference: sa.ColumnElement[Any] = field(default_factory=lambda: _NOTHING)

    def statement(self, step: Step) -> Query:
        """The findings as rows of the report."""
        severity = sa.literal(self.severity, sa.Text) if isinstance(self.severity, str) else self.severity
        return (
            sa.select(
                sa.literal(tenant_of(step), sa.BigInteger).label("tenant_id"),
                sa.literal(STEP, sa.SmallInteger).label("step"),
                sa.literal(self.check_name, sa.Text).label("check_name"),
                sa.literal(self.entity_type, sa.Text).label("entity_type"),
                sa.cast(self.entity_id, sa.BigInteger).label("entity_id"),
                sa.cast(severity, sa.Text).label("severity"),
                sa.literal(step.export.export_id, sa.Text).label("export_id"),
                sa.cast(self.expected, _MONEY).label("expected"),
                sa.cast(self.actual, _MONEY).label("actual"),
                sa.cast(self.difference, _MONEY).label("difference"),
            )
            .select_from(self.rows)
            .where(*self.conditions)
        )


def _beyond(difference: sa.ColumnElement[Any], step: Step) -> sa.ColumnElement[bool]:
    return sa.func.abs(difference) > sa.literal(options_of(step).tolerance, sa.Numeric)


# --- rows without a meter ---------------------------------------------------------------------------------------------


def _without_meter(step: Step) -> list[_Finding]:
    payment, invoice, credit = tables.payments, tables.invoices, tables.overpayments
    loud = sa.case((invoice.c.is_void, "WARN"), else_="ERROR")
    return [
        _Finding(
            "PAYMENT_WITHOUT_METER",
            "payment",
            "CRITICAL",
            payment.c.id,
            payment,
            [of_tenant(step, payment), payment.c.meter_id.is_(None)],
            actual=payment.c.amount,
        ),
        _Finding(
            "INVOICE_WITHOUT_METER",
            "invoice",
            loud,
            invoice.c.id,
            invoice,
            [of_tenant(step, invoice), invoice.c.meter_id.is_(None)],
            actual=invoice.c.total_amount,
        ),
        _Finding(
            "UNASSIGNED_OVERPAYMENT",
            "overpayment",
            "ERROR",
            credit.c.id,
            credit,
            [of_tenant(step, credit), credit.c.meter_id.is_(None), credit.c.credit_effect != 0],
            actual=credit.c.credit_effect,
        ),
    ]


def _isolation(step: Step) -> list[_Finding]:
    """Rows that are tied to a meter, a customer or an invoice of another tenant."""
    meter, customer, invoice = tables.meters, tables.customers, tables.invoices.alias("followed")
    found = []
    for kind, table in (
        ("payment", tables.payments),
        ("invoice", tables.invoices),
        ("overpayment", tables.overpayments),
    ):
        joined = table.outerjoin(meter, meter.c.id == table.c.meter_id).outerjoin(
            customer, customer.c.id == table.c.customer_id
        )
        foreign = [meter.c.tenant_id != table.c.tenant_id, customer.c.tenant_id != table.c.tenant_id]
        if table is tables.payments:
            joined = joined.outerjoin(invoice, invoice.c.id == table.c.invoice_id)
            foreign.append(invoice.c.tenant_id != table.c.tenant_id)
        conditions = [of_tenant(step, table), sa.or_(*foreign)]
        found.append(_Finding("TENANT_ISOLATION", kind, "CRITICAL", table.c.id, joined, conditions))
    return found


# --- meters -----------------------------------------------------------------------------------------------------------


def _active_pairs(step: Step) -> sa.Table:
    """The distinct pairs of a customer and a meter with an active assignment."""
    assignment = tables.meter_assignments
    pairs = sa.select(assignment.c.customer_id, assignment.c.meter_id).distinct()
    return step.gather("active", pairs.where(of_tenant(step, assignment), assignment.c.is_active))


def _meter_findings(step: Step, active: sa.Table) -> list[_Finding]:
    meter, sums = tables.meters, meter_sums(step)
    stored, net = meter.c.balance - meter.c.overpayment, net_of(sums)
    assigned = sa.select(sa.literal(1)).where(active.c.meter_id == meter.c.id).exists()
    holders = sa.func.count().label("holders")
    shared = sa.select(active.c.meter_id, holders).group_by(active.c.meter_id).subquery("shared")
    return [
        _Finding(
            "METER_BALANCE_MISMATCH",
            "meter",
            "CRITICAL",
            meter.c.id,
            meter.join(sums, sums.c.id == meter.c.id),
            [_beyond(stored - net, step)],
            net,
            stored,
            stored - net,
        ),
        _Finding(
            "INACTIVE_METER_BALANCE",
            "meter",
            "WARN",
            meter.c.id,
            meter,
            [of_tenant(step, meter), sa.not_(assigned), (meter.c.balance > 0) | (meter.c.overpayment > 0)],
            actual=stored,
        ),
        _Finding(
            "SHARED_METER",
            "meter",
            "WARN",
            shared.c.meter_id,
            shared,
            [shared.c.holders > 1],
            sa.literal(1),
            shared.c.holders,
            shared.c.holders - 1,
        ),
        *_exposure(step),
    ]


def _exposure(step: Step) -> list[_Finding]:
    """Arrears that are billed once more, where totals are billed: those of every invoice but the opening ones."""
    if options_of(step).billed_basis != TOTAL_AMOUNT:
        return []
    invoice, opening = tables.invoices, opening_invoices(step)
    total = sa.func.sum(invoice.c.balance_brought_forward).label("arrears")
    repeated = (
        sa.select(invoice.c.meter_id, total)
        .where(counted_invoices(step), invoice.c.id.not_in(sa.select(opening.c.id)))
        .group_by(invoice.c.meter_id)
        .subquery("repeated")
    )
    return [
        _Finding(
            "CARRY_FORWARD_EXPOSURE",
            "meter",
            "ERROR",
            repeated.c.meter_id,
            repeated,
            [repeated.c.arrears != 0],
            actual=repeated.c.arrears,
        )
    ]


# --- customers --------------------------------------------------------------------------------------------------------


def _before_and_after(step: Step, active: sa.Table) -> sa.Table:
    """One row per customer in the backup: balance and net before, and over the meters actively assigned now."""
    backup, meter = tables.customer_balances_backup, tables.meters
    now = (
        sa.select(
            active.c.customer_id,
            sa.func.sum(meter.c.balance).label("balance"),
            sa.func.sum(meter.c.overpayment).label("overpayment"),
        )
        .select_from(active.join(meter, meter.c.id == active.c.meter_id))
        .group_by(active.c.customer_id)
        .subquery("now")
    )
    after = {name: sa.func.coalesce(now.c[name], 0) for name in ("balance", "overpayment")}
    rows = (
        sa.select(
            backup.c.customer_id,
            backup.c.balance.label("balance_before"),
            (backup.c.balance - backup.c.overpayment).label("net_before"),
            after["balance"].label("balance_after"),
            (after["balance"] - after["overpayment"]).label("net_after"),
        )
        .select_from(backup.outerjoin(now, now.c.customer_id == backup.c.customer_id))
        .where(of_tenant(step, backup), backup.c.export_id == step.export.export_id)
    )
    return step.gather("before_and_after", rows)


def _customer_findings(step: Step, customer: sa.Table) -> list[_Finding]:
    drift = customer.c.net_after - customer.c.net_before
    split = customer.c.balance_after - customer.c.balance_before
    return [
        _Finding(
            "CUSTOMER_DRIFT",
            "customer",
            "ERROR",
            customer.c.customer_id,
            customer,
            [_beyond(drift, step)],
            customer.c.net_before,
            customer.c.net_after,
            drift,
        ),
        _Finding(
            "CUSTOMER_SPLIT",
            "customer",
            "INFO",
            customer.c.customer_id,
            customer,
            [sa.not_(_beyond(drift, step)), _beyond(split, step)],
            customer.c.balance_before,
            customer.c.balance_after,
            split,
        ),
        _Finding(
            "NO_BASELINE",
            "customer",
            "WARN",
            customer.c.customer_id,
            customer,
            [customer.c.net_before.is_(None)],
            actual=customer.c.net_after,
        ),
    ]


def _tenant_finding(step: Step, customer: sa.Table) -> _Finding:
    meter = tables.meters
    before = sa.select(sa.func.coalesce(sa.func.sum(customer.c.net_before), 0).label("net")).subquery("before")
    after = (
        sa.select(sa.func.coalesce(sa.func.sum(meter.c.balance - meter.c.overpayment), 0).label("net"))
        .where(of_tenant(step, meter))
        .subquery("after")
    )
    difference = after.c.net - before.c.net
    return _Finding(
        "TENANT_TOTAL_DRIFT",
        "tenant",
        "WARN",
        sa.literal(tenant_of(step)),
        before.join(after, sa.true()),
        [_beyond(difference, step)],
        before.c.net,
        after.c.net,
        difference,
    )


# --- the step ---------------------------------------------------------------------------------------------------------


@tenant_step(
    target=tables.validation_discrepancy,
    upstream=["meter_balances"],
    checks=[checks.meter_balances_match, checks.customer_drift, checks.tenant_isolation, checks.validation_passed],
    fails_after_publishing=Status.VALIDATION_FAILED,
)
def full_validation(step: Step) -> Write:
    """Compares what meters and customers owe with what they owed before, and lists everything that is not right.

    Fails on a critical or an error finding, unless the run says that only critical ones fail. The data of the steps
    before stays, to be looked at or rolled back. With `skip_validation` nothing is compared and nothing listed.
    """

    def write() -> None:
        report = tables.validation_discrepancy
        if options_of(step).skip_validation:
            step.connection.execute(sa.delete(report).where(findings_of(step, STEP)))
            step.tally.warnings[SKIPPED] = 1
        else:
            found = step.gather("findings", sa.union_all(*(f.statement(step) for f in _all_findings(step))))
            step.replace(report, found, findings_of(step, STEP))
        _report(step)

    return write


def _all_findings(step: Step) -> list[_Finding]:
    active = _active_pairs(step)
    customer = _before_and_after(step, active)
    return [
        *_without_meter(step),
        *_isolation(step),
        *_meter_findings(step, active),
        *_customer_findings(step, customer),
        _tenant_finding(step, customer),
    ]


def _report(step: Step) -> None:
    report = tables.validation_discrepancy
    counted = sa.select(report.c.check_name, sa.func.count().label("rows")).where(findings_of(step, STEP))
    found = step.connection.execute(counted.group_by(report.c.check_name).order_by(report.c.check_name))
    by_check = {row.check_name: row.rows for row in found}
    step.tally.source_rows = sum(by_check.values())
    step.tally.outcomes[Outcome.LOADED.value] = step.tally.source_rows
    step.facts |= {
        "findings": by_check,
        "backup_table": f"{tables.SCHEMA}.{tables.customer_balances_backup.name}",
        "follow_up": list(FOLLOW_UP),
        "seconds_since_step_1": _seconds_since_first_step(step),
    }


def _seconds_since_first_step(step: Step) -> str:
    log = step.books.run_log
    mine = (log.c.asset == "payment_meter_ids") & (log.c.partition == step.partition)
    started = sa.select(sa.func.max(log.c.started_at)).where(mine, log.c.export_id == step.export.export_id)
    since = sa.extract("epoch", sa.func.clock_timestamp() - started.scalar_subquery())
    seconds = step.connection.scalar(sa.select(sa.cast(since, sa.Numeric(12, 1))))
    return "unknown" if seconds is None else str(seconds)
