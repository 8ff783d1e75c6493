"""Payments, and the ledger of credits that overpayments and goodwill have given."""

import pandas as pd
import sqlalchemy as sa

from meter_assets import checks, rules, sources, tables
from meter_assets.assets import LOAD, METER, loaded, raw_record
from meter_assets.parsing.dates import dates, timestamps
from meter_assets.parsing.ids import ids
from meter_assets.parsing.money import amounts
from meter_assets.parsing.problem import Problem
from meter_assets.parsing.rows import optional_ids, parsed_rows, unparsed
from meter_assets.parsing.statuses import (
    VOID_PAYMENT_STATUSES,
    overpayment_statuses,
    payment_methods,
    payment_statuses,
)
from meter_assets.parsing.text import texts
from migration.declare.resolving import Resolution
from migration.parsing.vectors import Parsed


def parsed_payments(rows: pd.DataFrame) -> pd.DataFrame:
    """Payments, read; one with a time of reversal is reversed, whatever its status says."""
    stated, reversed_at = payment_statuses(rows["status"]), timestamps(rows["reversed_at"])
    status = Parsed(stated.value.mask(reversed_at.value.notna(), "reversed"), stated.problem)
    invoice, meter, paid = optional_ids(rows["invoice_id"]), optional_ids(rows["meter_id"]), dates(rows["date"])
    frame = parsed_rows(
        rows,
        {
            "tenant_id": ids(rows["tenant_id"]),
            "customer_id": optional_ids(rows["customer_id"]),
            "legacy_invoice_id": invoice,
            "legacy_meter_id": meter,
            "amount": amounts(rows["amount"]),
            "method": payment_methods(rows["method"]),
            "reference": texts(rows["reference"]),
            "status": status,
            "payment_date": paid,
            "reversed_at": reversed_at,
        },
        {
            **unparsed(invoice_id=invoice, meter_id=meter, date=paid, reversed_at=reversed_at),
            "STATUS_MISSING": stated.has(Problem.NULL),
        },
    )
    return frame.assign(is_void=status.value.isin(VOID_PAYMENT_STATUSES))


def _resolved_payments(stage: sa.Table, export_id: str) -> Resolution:
    """A payment without a loaded customer takes that of its invoice, unless the invoice is another tenant's."""
    tenant, payer = tables.tenants, tables.customers
    invoice, meter = tables.invoices, tables.meters
    stated = stage.c.tenant_id
    lends = sa.and_(payer.c.id.is_(None), invoice.c.id.is_not(None), stated.is_(None) | (stated == invoice.c.tenant_id))
    customer_id = sa.case((payer.c.id.is_not(None), payer.c.id), (lends, invoice.c.customer_id))
    # An invoice and its customer are of one tenant: the invoice was rejected otherwise.
    customers_tenant = sa.case((payer.c.id.is_not(None), payer.c.tenant_id), (lends, invoice.c.tenant_id))
    own = sa.func.coalesce(stated, customers_tenant)
    joined = (
        stage.outerjoin(tenant, loaded(tenant, stated, export_id))
        .outerjoin(payer, loaded(payer, stage.c.customer_id, export_id))
        .outerjoin(invoice, loaded(invoice, stage.c.legacy_invoice_id, export_id))
        .outerjoin(meter, loaded(meter, stage.c.legacy_meter_id, export_id))
    )
    return Resolution(
        joined,
        {
            "tenant_id": own,
            "customer_id": customer_id,
            "customer_source": sa.case((payer.c.id.is_(None), "INVOICE"), else_="PAYMENT"),
            "invoice_id": sa.case((invoice.c.tenant_id == own, invoice.c.id)),
            "meter_id": sa.case((meter.c.tenant_id == own, meter.c.id)),
        },
        [
            ("ORPHAN_TENANT", stated.is_not(None) & tenant.c.id.is_(None)),
            ("ORPHAN_CUSTOMER", customer_id.is_(None)),
            ("TENANT_MISMATCH", own != customers_tenant),
        ],
    )


@METER.resolved_table(
    tables.payments,
    source=sources.payments,
    rules=rules.payment,
    about=rules.ABOUT,
    raw=raw_record,
    newest="updated_at",
    group=LOAD,
    resolve=_resolved_payments,
    checks=[
        *checks.of_load(tables.payments, sources.payments),
        checks.duplicate_payment_references,
        checks.pending_payments_counted,
    ],
)
def payments(rows: pd.DataFrame) -> pd.DataFrame:
    """Payments; which meter each is for, a step decides."""
    return parsed_payments(rows)


def parsed_overpayments(rows: pd.DataFrame) -> pd.DataFrame:
    """Credits, read."""
    status, meter, recorded = (
        overpayment_statuses(rows["status"]),
        optional_ids(rows["meter_id"]),
        dates(rows["date"]),
    )
    return parsed_rows(
        rows,
        {
            "tenant_id": ids(rows["tenant_id"]),
            "customer_id": ids(rows["customer_id"]),
            "payment_id": optional_ids(rows["payment_id"]),
            "legacy_meter_id": meter,
            "amount": amounts(rows["amount"]),
            "status": status,
            "recorded_on": recorded,
        },
        {**unparsed(meter_id=meter, date=recorded), "STATUS_MISSING": status.has(Problem.NULL)},
    )


def _resolved_overpayments(stage: sa.Table, export_id: str) -> Resolution:
    tenant, customer, payment, meter = tables.tenants, tables.customers, tables.payments, tables.meters
    own = sa.func.coalesce(stage.c.tenant_id, customer.c.tenant_id)
    joined = (
        stage.outerjoin(tenant, loaded(tenant, stage.c.tenant_id, export_id))
        .outerjoin(customer, loaded(customer, stage.c.customer_id, export_id))
        .outerjoin(payment, loaded(payment, stage.c.payment_id, export_id))
        .outerjoin(meter, loaded(meter, stage.c.legacy_meter_id, export_id) & (meter.c.tenant_id == own))
    )
    refunded = stage.c.status == "refunded"
    # The excess of a payment is in its amount already: only money that went back, or came without a payment, counts.
    effect = sa.case(
        (stage.c.payment_id.is_(None), sa.case((refunded, 0), else_=stage.c.amount)),
        (sa.and_(refunded, sa.not_(payment.c.is_void)), -stage.c.amount),
        else_=0,
    )
    return Resolution(
        joined,
        {"tenant_id": own, "meter_id": meter.c.id, "credit_effect": effect},
        [
            ("ORPHAN_TENANT", stage.c.tenant_id.is_not(None) & tenant.c.id.is_(None)),
            ("ORPHAN_CUSTOMER", customer.c.id.is_(None)),
            ("ORPHAN_PAYMENT", stage.c.payment_id.is_not(None) & payment.c.id.is_(None)),
            ("TENANT_MISMATCH", (own != customer.c.tenant_id) | (own != payment.c.tenant_id)),
        ],
    )


@METER.resolved_table(
    tables.overpayments,
    source=sources.overpayments,
    rules=rules.overpayment,
    about=rules.ABOUT,
    raw=raw_record,
    newest="updated_at",
    group=LOAD,
    resolve=_resolved_overpayments,
    checks=[*checks.of_load(tables.overpayments, sources.overpayments), checks.overpayments_file],
)
def overpayments(rows: pd.DataFrame) -> pd.DataFrame:
    """Customer credits, with what each adds to the credit that payments already give."""
    return parsed_overpayments(rows)
