"""Bills, invoices, and which bill is on which invoice."""

import pandas as pd
import sqlalchemy as sa

from meter_assets import checks, rules, sources, tables
from meter_assets.assets import LOAD, METER, loaded, raw_record
from meter_assets.parsing.dates import dates
from meter_assets.parsing.ids import ids
from meter_assets.parsing.labels import labels
from meter_assets.parsing.money import amounts
from meter_assets.parsing.problem import Problem
from meter_assets.parsing.rows import optional_ids, parsed_rows, unparsed
from meter_assets.parsing.statuses import VOID_INVOICE_STATUSES, bill_types, invoice_statuses
from meter_assets.parsing.text import texts
from migration.declare.resolving import Resolution
from migration.declare.step import Step


def parsed_bills(rows: pd.DataFrame) -> pd.DataFrame:
    """Bills, read; the quantity consumed is not money and not carried."""
    kind, total, made = bill_types(rows["bill_type"]), amounts(rows["total_amount"]), dates(rows["generation_date"])
    assignment = optional_ids(rows["meter_assignment_id"])
    return parsed_rows(
        rows,
        {
            "tenant_id": ids(rows["tenant_id"]),
            "customer_id": ids(rows["customer_id"]),
            "meter_assignment_id": assignment,
            "bill_type": kind,
            "total_amount": total,
            "status": labels(rows["status"]),
            "generation_date": made,
        },
        {
            **unparsed(meter_assignment_id=assignment, total_amount=total, generation_date=made),
            "BILL_TYPE_MISSING": kind.has(Problem.NULL),
        },
    )


def _of_customer(
    stage: sa.Table, export_id: str
) -> tuple[sa.FromClause, sa.ColumnElement[int], list[tuple[str, sa.ColumnElement[bool]]]]:
    """Rows with an explicit or derived tenant and a customer of it: the join, the tenant, and what is rejected."""
    tenant, customer = tables.tenants, tables.customers
    own = sa.func.coalesce(stage.c.tenant_id, customer.c.tenant_id)
    joined = stage.outerjoin(tenant, loaded(tenant, stage.c.tenant_id, export_id)).outerjoin(
        customer, loaded(customer, stage.c.customer_id, export_id)
    )
    rejects = [
        ("ORPHAN_TENANT", stage.c.tenant_id.is_not(None) & tenant.c.id.is_(None)),
        ("ORPHAN_CUSTOMER", customer.c.id.is_(None)),
        ("TENANT_MISMATCH", own != customer.c.tenant_id),
    ]
    return joined, own, rejects


def _resolved_bills(stage: sa.Table, export_id: str) -> Resolution:
    assignment = tables.meter_assignments
    joined, own, rejects = _of_customer(stage, export_id)
    same = loaded(assignment, stage.c.meter_assignment_id, export_id) & (assignment.c.tenant_id == own)
    return Resolution(
        joined.outerjoin(assignment, same),
        {"tenant_id": own, "meter_assignment_id": assignment.c.id},
        rejects,
        {"METER_ASSIGNMENT_DROPPED": stage.c.meter_assignment_id.is_not(None) & assignment.c.id.is_(None)},
    )


@METER.resolved_table(
    tables.bills,
    source=sources.bills,
    rules=rules.bill,
    about=rules.ABOUT,
    raw=raw_record,
    newest="updated_at",
    group=LOAD,
    resolve=_resolved_bills,
    checks=checks.of_load(tables.bills, sources.bills),
)
def bills(rows: pd.DataFrame) -> pd.DataFrame:
    """Bills; one of type BALANCE restates what earlier invoices have billed."""
    return parsed_bills(rows)


def parsed_invoices(rows: pd.DataFrame) -> pd.DataFrame:
    """Invoices, read; their stored money is kept beside what a step will compute."""
    status, meter = invoice_statuses(rows["status"]), optional_ids(rows["meter_id"])
    stored = ("amount", "balance_brought_forward", "total_amount")
    money = {f"legacy_{name}": amounts(rows[name]) for name in stored}
    money |= {name: amounts(rows[name]) for name in ("paid_amount", "balance", "overpayment_applied")}
    made = {name: dates(rows[name]) for name in ("invoice_date", "due_date")}
    frame = parsed_rows(
        rows,
        {
            "tenant_id": ids(rows["tenant_id"]),
            "customer_id": ids(rows["customer_id"]),
            "legacy_meter_id": meter,
            "invoice_number": texts(rows["invoice_number"]),
            "state": labels(rows["state"]),
            "status": status,
            **made,
            **money,
        },
        {**unparsed(meter_id=meter, **made, **money), "STATUS_MISSING": status.has(Problem.NULL)},
    )
    return frame.assign(is_void=status.value.isin(VOID_INVOICE_STATUSES))


def _resolved_invoices(stage: sa.Table, export_id: str) -> Resolution:
    meter = tables.meters
    joined, own, rejects = _of_customer(stage, export_id)
    same = loaded(meter, stage.c.legacy_meter_id, export_id) & (meter.c.tenant_id == own)
    first = ("amount", "balance_brought_forward", "total_amount")
    return Resolution(
        joined.outerjoin(meter, same),
        {
            "tenant_id": own,
            "meter_id": meter.c.id,
            **{name: sa.func.coalesce(stage.c[f"legacy_{name}"], 0) for name in first},
        },
        rejects,
        {"INVOICE_METER_DROPPED": stage.c.legacy_meter_id.is_not(None) & meter.c.id.is_(None)},
    )


@METER.resolved_table(
    tables.invoices,
    source=sources.invoices,
    rules=rules.invoice,
    about=rules.ABOUT,
    raw=raw_record,
    newest="updated_at",
    group=LOAD,
    resolve=_resolved_invoices,
    checks=[*checks.of_load(tables.invoices, sources.invoices), checks.duplicate_invoice_numbers],
)
def invoices(rows: pd.DataFrame) -> pd.DataFrame:
    """Invoices; a meter that is not loaded, or another tenant's, is dropped from them."""
    return parsed_invoices(rows)


def parsed_links(rows: pd.DataFrame) -> pd.DataFrame:
    """Links of bills and invoices, read; an amount may be missing, and may be negative."""
    return parsed_rows(
        rows,
        {
            "invoice_id": ids(rows["invoice_id"]),
            "bill_id": ids(rows["bill_id"]),
            "amount": amounts(rows["amount"]),
        },
    )


def _resolved_links(stage: sa.Table, export_id: str) -> Resolution:
    invoice, bill = tables.invoices, tables.bills
    amount = sa.func.coalesce(stage.c.amount, bill.c.total_amount)
    return Resolution(
        stage.outerjoin(invoice, loaded(invoice, stage.c.invoice_id, export_id)).outerjoin(
            bill, loaded(bill, stage.c.bill_id, export_id)
        ),
        {
            "tenant_id": invoice.c.tenant_id,
            "amount": amount,
            "amount_source": sa.case((stage.c.amount.is_(None), "BILL"), else_="LINK"),
        },
        [
            ("ORPHAN_INVOICE", invoice.c.id.is_(None)),
            ("ORPHAN_BILL", bill.c.id.is_(None)),
            ("TENANT_MISMATCH", invoice.c.tenant_id != bill.c.tenant_id),
            ("INVALID_AMOUNT", amount.is_(None)),
        ],
    )


def _release_pairs(step: Step, resolved: sa.Table) -> None:
    """Remove older links that hold a pair which now comes under another id: pairs are unique."""
    link = tables.invoice_bills
    taken = (
        sa.select(sa.literal(1))
        .where(
            resolved.c.invoice_id == link.c.invoice_id,
            resolved.c.bill_id == link.c.bill_id,
            resolved.c.id != link.c.id,
        )
        .exists()
    )
    step.facts["pairs_released"] = step.delete(link, taken & (link.c.export_id != step.export.export_id))


@METER.resolved_table(
    tables.invoice_bills,
    source=sources.invoice_bills,
    rules=rules.invoice_bill,
    about=rules.ABOUT | {"TENANT_MISMATCH": "bill_id"},
    raw=raw_record,
    newest="updated_at",
    group=LOAD,
    resolve=_resolved_links,
    checks=[*checks.of_load(tables.invoice_bills, sources.invoice_bills), checks.bill_on_multiple_invoices],
    merge_on=("invoice_id", "bill_id"),
    before_upsert=_release_pairs,
)
def invoice_bills(rows: pd.DataFrame) -> pd.DataFrame:
    """Which bill is on which invoice, with the money of the bill on it."""
    return parsed_links(rows)
