"""The measured checks of Meter with their thresholds, by the asset whose step they belong to."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from meter_assets import tables
from meter_assets.options import CHARGES_PLUS_OPENING, CRITICAL, MeterRun
from migration.checks import Check, Scope, at_least, at_most, conservation, in_partition, none_of, unique
from migration.exports.sources import SourceTable
from migration.tables import Query, key_columns

TENANT = "tenant_id"


# --- loads ------------------------------------------------------------------------------------------------------------


def of_load(table: sa.Table, source: SourceTable) -> list[Check]:
    """The checks that every load has: nothing lost, keys unique, and not too much rejected or merged."""
    checks = [
        conservation("conservation", table),
        unique("pk_unique", table),
        _rate("reject_rate", table, "rejected", warn="0.02", error="0.10"),
        _rate("duplicate_rate", table, "merged", warn="0.01"),
    ]
    if table is not tables.tenants:
        checks.append(_rate("orphan_rate", table, "rejected", "ORPHAN_%", warn="0.01", error="0.05"))
    return [*checks, _tenant_consistency(table)]


def _of_ledger(scope: Scope, table: sa.Table, outcome: str, reason: str = "%") -> sa.ColumnElement[bool]:
    ledger = scope.books.ledger
    return sa.and_(
        ledger.c.export_id == scope.export.export_id,
        ledger.c.source_table.in_(scope.source_tables),
        ledger.c.target_table == table.name,
        ledger.c.outcome == outcome,
        sa.func.coalesce(ledger.c.reason, "").like(reason),
    )


def _rate(name: str, table: sa.Table, outcome: str, reason: str = "%", *, warn: str, error: str | None = None) -> Check:
    def measure(scope: Scope) -> Query:
        rows = sa.func.count()
        share = sa.cast(rows, sa.Numeric) / sa.func.nullif(sa.literal(scope.source_rows), 0)
        return sa.select(rows.label("rows"), share.label("share")).where(_of_ledger(scope, table, outcome, reason))

    what = "that name a row that is not loaded" if reason != "%" else f"that are {outcome}"
    return Check(
        name,
        f"Share of the source rows of {table.name} {what}.",
        measure,
        warn=at_most(share=warn),
        error=at_most(share=error) if error else {},
    )


def _tenant_consistency(table: sa.Table) -> Check:
    return Check(
        "tenant_consistency",
        f"No row of {table.name} names rows of two tenants.",
        lambda scope: sa.select(sa.func.count().label("mismatches")).where(
            _of_ledger(scope, table, "rejected", "TENANT\\_MISMATCH")
        ),
        warn=none_of("mismatches"),
    )


def _of_export(table: sa.Table, scope: Scope) -> sa.ColumnElement[bool]:
    """The condition that a row is of the export: what older ones have left stays until the load is over."""
    return table.c.export_id == scope.export.export_id


def _repeated(name: str, description: str, *columns: sa.Column[Any], where: sa.ColumnElement[bool]) -> Check:
    """Groups of rows that share some columns, of which the last is given; each is named by its lowest id."""
    table = columns[0].table
    first = sa.func.min(table.c.id)

    def groups(scope: Scope) -> Query:
        rows = sa.select(first).where(where, columns[-1].is_not(None), _of_export(table, scope))
        return rows.group_by(*columns).having(sa.func.count() > 1).order_by(first)

    return Check(
        name,
        description,
        lambda scope: sa.select(sa.func.count().label("groups")).select_from(groups(scope).subquery()),
        warn=none_of("groups"),
        keys=groups,
    )


def _unreadable(scope: Scope) -> sa.ColumnElement[bool]:
    return tables.customers.c.legacy_balance.is_(None) & _of_export(tables.customers, scope)


null_rate_customer_balance = Check(
    "null_rate_customer_balance",
    "Customers whose stored balance cannot be read: their drift cannot be judged.",
    lambda scope: sa.select(sa.func.count().label("unreadable")).where(_unreadable(scope)),
    warn=none_of("unreadable"),
    keys=lambda scope: sa.select(tables.customers.c.id).where(_unreadable(scope)),
)
duplicate_meter_numbers = _repeated(
    "duplicate_meter_numbers",
    "No two meters of a tenant share their printed number.",
    tables.meters.c.tenant_id,
    tables.meters.c.meter_number,
    where=sa.true(),
)
duplicate_invoice_numbers = _repeated(
    "duplicate_invoice_numbers",
    "No two invoices of a tenant share their number.",
    tables.invoices.c.tenant_id,
    tables.invoices.c.invoice_number,
    where=sa.true(),
)
bill_on_multiple_invoices = _repeated(
    "bill_on_multiple_invoices",
    "No bill is on more than one invoice.",
    tables.invoice_bills.c.bill_id,
    where=sa.true(),
)
duplicate_payment_references = _repeated(
    "duplicate_payment_references",
    "No two payments of a tenant that count share their method and reference.",
    tables.payments.c.tenant_id,
    tables.payments.c.method,
    tables.payments.c.reference,
    where=sa.not_(tables.payments.c.is_void),
)
pending_payments_counted = Check(
    "pending_payments_counted",
    "Payments that are pending count as money, as the legacy system applies them at once.",
    lambda scope: sa.select(
        sa.func.count().label("pending"), sa.func.coalesce(sa.func.sum(tables.payments.c.amount), 0).label("amount")
    ).where(tables.payments.c.status == "pending", _of_export(tables.payments, scope)),
    warn=none_of("pending"),
)
overpayments_file = Check(
    "overpayments_file",
    "The export holds the optional file of overpayments.",
    lambda scope: sa.select(sa.literal(0 if _has_file(scope, "overpayments") else 1).label("missing_files")),
    warn=none_of("missing_files"),
)


def _has_file(scope: Scope, table: str) -> bool:
    return any(file.table == table for file in scope.export.files)


def _older(scope: Scope) -> Query:
    """The rows that are left of older exports, over all tables."""
    rows = [
        sa.select(sa.func.count())
        .select_from(table)
        .where(table.c.export_id != scope.export.export_id)
        .scalar_subquery()
        for table in tables.LOADED
    ]
    return sa.select(sum(rows[1:], start=rows[0]).label("older_rows"))


only_this_export = Check(
    "only_this_export",
    "No loaded table holds a row of another export.",
    _older,
    error=none_of("older_rows"),
    blocking=True,
)


# --- steps ------------------------------------------------------------------------------------------------------------


def _options(scope: Scope) -> MeterRun:
    return scope.options if isinstance(scope.options, MeterRun) else MeterRun()


def _here(table: sa.Table, scope: Scope) -> sa.ColumnElement[bool]:
    """The rows of the tenant; looked at later, those of the tenants that the step has published.

    Of an export that has been loaded since, nothing is published yet.
    """
    here = in_partition(table, TENANT, scope)
    return here if scope.partition is not None else here & _of_export(table, scope)


def _without_meter(scope: Scope) -> sa.ColumnElement[bool]:
    return tables.payments.c.meter_id.is_(None) & _here(tables.payments, scope)


payment_meter_coverage = Check(
    "payment_meter_coverage",
    "Every payment has a meter; the gate stops the tenant where one has none.",
    lambda scope: sa.select(
        (sa.cast(sa.func.count(tables.payments.c.meter_id), sa.Numeric) / sa.func.nullif(sa.func.count(), 0)).label(
            "covered"
        )
    ).where(_here(tables.payments, scope)),
    warn=at_least(covered="1"),
    keys=lambda scope: sa.select(tables.payments.c.id).where(_without_meter(scope)),
)


def _counted(
    name: str,
    description: str,
    table: sa.Table,
    condition: sa.ColumnElement[bool],
    level: str,
    *,
    blocking: bool = False,
) -> Check:
    """Rows of a tenant for which a condition holds: there should be none."""

    def here(scope: Scope) -> sa.ColumnElement[bool]:
        return condition & _here(table, scope)

    limit = none_of("rows")
    return Check(
        name,
        description,
        lambda scope: sa.select(sa.func.count().label("rows")).select_from(table).where(here(scope)),
        warn=limit if level == "WARN" else {},
        error=limit if level == "ERROR" else {},
        blocking=blocking,
        keys=lambda scope: sa.select(*key_columns(table)).where(here(scope)),
    )


multi_meter_review = _counted(
    "multi_meter_review",
    "Payments and credits of customers with several active meters went to the first of them.",
    tables.meter_id_review,
    tables.meter_id_review.c.reason_code == "MULTI_METER_CUSTOMER",
    "WARN",
)
invoice_amount_identity = _counted(
    "invoice_amount_identity",
    "The charges and the arrears of every invoice add up to its total.",
    tables.invoices,
    tables.invoices.c.amount + tables.invoices.c.balance_brought_forward != tables.invoices.c.total_amount,
    "ERROR",
    blocking=True,
)
invoices_without_bills = _counted(
    "invoices_without_bills",
    "No invoice with money on it lacks bills.",
    tables.invoice_amount_discrepancy,
    (tables.invoice_amount_discrepancy.c.kind == "NO_BILLS")
    & (tables.invoice_amount_discrepancy.c.severity == "ERROR"),
    "ERROR",
)


def _ungated(scope: Scope) -> Query:
    waived = sa.literal(bool(_options(scope).skip_validation))
    return sa.select(sa.func.count().filter(sa.not_(waived)).label("without_meter")).where(_without_meter(scope))


payments_have_meter = Check(
    "payments_have_meter",
    "The gate: balances of meters are computed only when every payment has a meter.",
    _ungated,
    error=none_of("without_meter"),
    blocking=True,
    keys=lambda scope: sa.select(tables.payments.c.id).where(_without_meter(scope)),
)


def _not_backed_up(scope: Scope) -> Query:
    customer, backup = tables.customers, tables.customer_balances_backup
    kept = sa.and_(backup.c.customer_id == customer.c.id, backup.c.export_id == scope.export.export_id)
    there = sa.select(sa.literal(1)).where(kept).exists()
    return sa.select(customer.c.id).where(sa.not_(there), _here(customer, scope))


backup_complete = Check(
    "backup_complete",
    "Every customer's balances of this export are in the backup.",
    lambda scope: sa.select(sa.func.count().label("missing")).select_from(_not_backed_up(scope).subquery()),
    error=none_of("missing"),
    blocking=True,
    keys=_not_backed_up,
)
meter_sign = _counted(
    "meter_sign",
    "No meter has a negative figure, or both debt and credit.",
    tables.meters,
    sa.or_(
        tables.meters.c.balance < 0,
        tables.meters.c.overpayment < 0,
        (tables.meters.c.balance > 0) & (tables.meters.c.overpayment > 0),
    ),
    "ERROR",
    blocking=True,
)


def _total(amount: sa.ColumnElement[Any], table: sa.Table, scope: Scope, *conditions: Any) -> sa.ColumnElement[Any]:
    """The sum of an amount over the rows of a tenant that have a meter."""
    summed = sa.select(sa.func.coalesce(sa.func.sum(amount), 0)).select_from(table)
    return summed.where(table.c.meter_id.is_not(None), _here(table, scope), *conditions).scalar_subquery()


def _ledger_of_money(scope: Scope) -> Query:
    meter, invoice, payment, credit = tables.meters, tables.invoices, tables.payments, tables.overpayments
    nets = sa.select(sa.func.coalesce(sa.func.sum(meter.c.balance - meter.c.overpayment), 0)).where(_here(meter, scope))
    stands = sa.not_(invoice.c.is_void)
    charges = _total(invoice.c.amount, invoice, scope, stands) + _opening_arrears(scope)
    totals = _total(invoice.c.total_amount, invoice, scope, stands)
    paid = _total(payment.c.amount, payment, scope, sa.not_(payment.c.is_void))
    credited = _total(credit.c.credit_effect, credit, scope)
    # OFFSET 0 keeps the planner from computing a sum again wherever it is named.
    sums = (
        sa.select(
            nets.scalar_subquery().label("net"),
            charges.label("charges"),
            totals.label("totals"),
            paid.label("paid"),
            credited.label("credit"),
        )
        .offset(0)
        .subquery("sums")
    )
    billed = _billed(scope, sums)
    return sa.select(
        sums.c.net,
        billed.label("billed"),
        sums.c.paid,
        sums.c.credit,
        (sums.c.net - (billed - sums.c.paid - sums.c.credit)).label("difference"),
    )


def _billed(scope: Scope, sums: sa.Subquery) -> sa.ColumnElement[Any]:
    """What was billed, by the basis of the run; looked at later, by the one that the meters were computed with."""
    if scope.partition is not None:
        return sums.c.charges if _options(scope).billed_basis == CHARGES_PLUS_OPENING else sums.c.totals
    return sa.case((sums.c.net + sums.c.paid + sums.c.credit == sums.c.totals, sums.c.totals), else_=sums.c.charges)


def _opening_arrears(scope: Scope) -> sa.ColumnElement[Any]:
    """The arrears of each customer's first invoice that bills something to a meter."""
    invoice = tables.invoices
    first = (
        sa.select(invoice.c.balance_brought_forward)
        .ext(distinct_on(invoice.c.customer_id))
        .where(sa.not_(invoice.c.is_void), invoice.c.meter_id.is_not(None), _here(invoice, scope))
        .order_by(invoice.c.customer_id, invoice.c.invoice_date.asc().nulls_last(), invoice.c.id)
        .subquery("first")
    )
    return sa.select(sa.func.coalesce(sa.func.sum(first.c.balance_brought_forward), 0)).scalar_subquery()


ledger_conservation = Check(
    "ledger_conservation",
    "What the meters owe, all together, is what was billed less what was paid and credited on them.",
    _ledger_of_money,
    error=none_of("difference"),
    blocking=True,
)


# --- full validation --------------------------------------------------------------------------------------------------

_found = tables.validation_discrepancy


def _findings(scope: Scope, *conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.and_(_found.c.step == 5, _here(_found, scope), *conditions)


def _none_found(name: str, description: str, check_name: str) -> Check:
    return _counted(
        name, description, _found, (_found.c.step == 5) & (_found.c.check_name == check_name), "ERROR", blocking=True
    )


meter_balances_match = _none_found(
    "meter_balances_match",
    "The stored balance of every meter is what its transactions add up to.",
    "METER_BALANCE_MISMATCH",
)
tenant_isolation = _none_found(
    "tenant_isolation", "No payment, invoice or credit is tied to another tenant.", "TENANT_ISOLATION"
)


def _drift(scope: Scope) -> Query:
    drifted = _findings(scope, _found.c.check_name == "CUSTOMER_DRIFT")
    fails = sa.literal(_options(scope).fail_on != CRITICAL)
    return sa.select(
        sa.func.count().label("customers"),
        sa.func.count().filter(fails).label("failing"),
        sa.func.max(sa.func.abs(_found.c.difference)).label("largest"),
        sa.func.coalesce(sa.func.sum(_found.c.difference), 0).label("total"),
    ).where(drifted)


customer_drift = Check(
    "customer_drift",
    "No customer owes another sum than before. Keys: the ten worst.",
    _drift,
    warn=none_of("customers"),
    error=none_of("failing"),
    blocking=True,
    keys=lambda scope: (
        sa.select(_found.c.entity_id)
        .where(_findings(scope, _found.c.check_name == "CUSTOMER_DRIFT"))
        .order_by(sa.func.abs(_found.c.difference).desc(), _found.c.entity_id)
    ),
)


def _failing(scope: Scope) -> sa.ColumnElement[bool]:
    severities = ["CRITICAL"] if _options(scope).fail_on == CRITICAL else ["CRITICAL", "ERROR"]
    return _findings(scope, _found.c.severity.in_(severities))


validation_passed = Check(
    "validation_passed",
    "The full validation has found nothing critical, and no error unless only critical findings fail. "
    "Keys: check, kind and id.",
    lambda scope: sa.select(
        sa.func.count().filter(_failing(scope)).label("failing"), sa.func.count().label("findings")
    ).where(_findings(scope)),
    error=none_of("failing"),
    blocking=True,
    keys=lambda scope: sa.select(_found.c.check_name, _found.c.entity_type, _found.c.entity_id).where(_failing(scope)),
)
