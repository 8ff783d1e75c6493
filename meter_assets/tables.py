"""The target tables of Meter: columns, keys, foreign keys, domains and comments, said once.

A load writes most columns. Those that a step owns get their first value from the load and are the step's from then on.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from meter_assets.parsing.statuses import METER_STATUSES, OVERPAYMENT_STATUSES, PAYMENT_METHODS, PAYMENT_STATUSES
from migration.tables import Domain, Role, at_least, one_of, owned_by_step, target, target_metadata
from migration.warehouse.bookkeeping import bookkeeping

SCHEMA = "meter"
PAYMENT_METER_SOURCES = ("EXISTING", "INVOICE", "SINGLE_ACTIVE", "FIRST_ACTIVE", "FIRST_INACTIVE", "UNASSIGNED")
CREDIT_METER_SOURCES = ("EXISTING", "PAYMENT", "SINGLE_ACTIVE", "FIRST_ACTIVE", "FIRST_INACTIVE", "UNASSIGNED")
FINANCIAL_STATUSES = ("Clear", "Outstanding", "Credit")
SEVERITIES = ("CRITICAL", "ERROR", "WARN", "INFO")

metadata = target_metadata(SCHEMA)
books = bookkeeping(metadata)


def _key() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False, comment="Legacy id")


def _parent(name: str, table: str, *, nullable: bool = False, **options: Any) -> sa.Column[int]:
    key = sa.ForeignKey(f"{SCHEMA}.{table}.id")
    return sa.Column(name, sa.BigInteger, key, nullable=nullable, **options)


def _money(
    name: str, digits: int = 14, *, nullable: bool = True, comment: str, info: dict[str, Domain] | None = None
) -> sa.Column[Any]:
    return sa.Column(name, sa.Numeric(digits, 2), nullable=nullable, comment=comment, info=dict(info or {}))


def _computed_money(name: str, comment: str, info: dict[str, Domain] | None = None) -> sa.Column[Any]:
    kept = owned_by_step() | (info or {})
    return sa.Column(name, sa.Numeric(16, 2), nullable=False, server_default="0", comment=comment, info=kept)


def _loaded() -> list[sa.Column[Any]]:
    """The columns that every loaded table ends with."""
    time = sa.DateTime(timezone=True)
    return [
        sa.Column("created_at", time, comment="When the legacy row was made"),
        sa.Column("updated_at", time, comment="When the legacy row was last changed"),
        sa.Column(
            "export_id",
            sa.Text,
            nullable=False,
            info={"role": Role.EXPORT},
            comment="Last export that contained the row",
        ),
        sa.Column(
            "loaded_at",
            time,
            nullable=False,
            server_default=sa.func.now(),
            info={"role": Role.CHANGED_AT},
            comment="When a load last changed the row",
        ),
    ]


# --- loaded tables ----------------------------------------------------------------------------------------------------

tenants = target(
    "tenants",
    metadata,
    _key(),
    sa.Column("name", sa.Text, nullable=False),
    *_loaded(),
    comment="Tenants: the utilities that share the legacy database; each is a partition of the steps",
)

customers = target(
    "customers",
    metadata,
    _key(),
    _parent("tenant_id", "tenants", index=True),
    sa.Column("name", sa.Text),
    sa.Column("status", sa.Text),
    _money("legacy_balance", comment="Owed, as stored per customer; NULL = unreadable"),
    _money("legacy_overpayment", comment="Credit, as stored per customer; NULL = unreadable"),
    _computed_money("balance", "Owed: the legacy figure, or the sum of the meters once they are synced"),
    _computed_money("overpayment", "Credit: the legacy figure, or the sum of the meters once they are synced"),
    sa.Column(
        "balances_synced_export_id",
        sa.Text,
        info={"role": Role.OTHER_WRITER},
        comment="Export whose meter balances the two columns hold; NULL = the legacy figures",
    ),
    *_loaded(),
    comment="Customers: the users whose role is customer",
)

meters = target(
    "meters",
    metadata,
    _key(),
    _parent("tenant_id", "tenants"),
    sa.Column("meter_number", sa.Text, comment="Printed number; not unique"),
    sa.Column("status", sa.Text, nullable=False, server_default="unknown", info=one_of(*METER_STATUSES)),
    _money("legacy_balance", comment="As stored; never trusted"),
    _money("legacy_overpayment", comment="As stored; never trusted"),
    _computed_money("balance", "Owed on the meter", at_least(0)),
    _computed_money("overpayment", "Credit on the meter", at_least(0)),
    _computed_money("total_billed", "Sum of what its invoices bill"),
    _computed_money("total_paid", "Sum of its payments"),
    _computed_money("overpayment_credit", "Sum of the effects of its credits"),
    sa.Column("last_invoice_date", sa.Date, info=owned_by_step()),
    sa.Column(
        "financial_status",
        sa.Text,
        nullable=False,
        server_default="Clear",
        info=owned_by_step() | one_of(*FINANCIAL_STATUSES),
    ),
    sa.Column("balance_calculated", sa.Boolean, nullable=False, server_default=sa.false(), info=owned_by_step()),
    *_loaded(),
    sa.CheckConstraint("balance = 0 OR overpayment = 0", name="one_side"),
    comment="Meters: each with what is owed on it",
)
sa.Index("meters_tenant_id_idx", meters.c.tenant_id)
sa.Index("meters_tenant_id_meter_number_idx", meters.c.tenant_id, meters.c.meter_number)

meter_assignments = target(
    "meter_assignments",
    metadata,
    _key(),
    _parent("tenant_id", "tenants"),
    _parent("customer_id", "customers"),
    _parent("meter_id", "meters", index=True),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("assigned_at", sa.Date),
    sa.Column("unassigned_at", sa.Date),
    *_loaded(),
    comment="Which customer has, or had, which meter",
)
sa.Index(
    "meter_assignments_tenant_id_customer_id_is_active_idx",
    meter_assignments.c.tenant_id,
    meter_assignments.c.customer_id,
    meter_assignments.c.is_active,
)

bills = target(
    "bills",
    metadata,
    _key(),
    _parent("tenant_id", "tenants", index=True),
    _parent("customer_id", "customers"),
    _parent("meter_assignment_id", "meter_assignments", nullable=True),
    sa.Column("bill_type", sa.Text, nullable=False, comment="BALANCE restates what was billed before; others are new"),
    _money("total_amount", comment="Money of the bill"),
    sa.Column("status", sa.Text),
    sa.Column("generation_date", sa.Date),
    *_loaded(),
    comment="Bills: the charges that invoices are made of",
)
sa.Index("bills_tenant_id_balance_idx", bills.c.tenant_id, postgresql_where=bills.c.bill_type == "BALANCE")

invoices = target(
    "invoices",
    metadata,
    _key(),
    _parent("tenant_id", "tenants"),
    _parent("customer_id", "customers", index=True),
    sa.Column("legacy_meter_id", sa.BigInteger, comment="As stored, whether or not there is such a meter"),
    _parent("meter_id", "meters", nullable=True),
    sa.Column("invoice_number", sa.Text),
    sa.Column("state", sa.Text),
    sa.Column("invoice_date", sa.Date),
    sa.Column("due_date", sa.Date),
    sa.Column("status", sa.Text, nullable=False, server_default="unknown"),
    sa.Column("is_void", sa.Boolean, nullable=False, server_default=sa.false(), comment="Reversed or cancelled"),
    _money("legacy_amount", comment="New charges as stored"),
    _money("legacy_balance_brought_forward", comment="Arrears as stored"),
    _money("legacy_total_amount", comment="Total as stored"),
    _money("paid_amount", comment="As stored"),
    _money("balance", comment="As stored"),
    _money("overpayment_applied", comment="As stored"),
    _computed_money("amount", "New charges: sum of its bills that carry nothing over"),
    _computed_money("balance_brought_forward", "Arrears: sum of its BALANCE bills"),
    _computed_money("total_amount", "Sum of all its bills"),
    sa.Column("amounts_recalculated", sa.Boolean, nullable=False, server_default=sa.false(), info=owned_by_step()),
    *_loaded(),
    sa.CheckConstraint(
        "NOT amounts_recalculated OR amount + balance_brought_forward = total_amount", name="amounts_add_up"
    ),
    comment="Invoices, with their money recomputed from their bills",
)
sa.Index("invoices_tenant_id_meter_id_idx", invoices.c.tenant_id, invoices.c.meter_id)
sa.Index("invoices_meter_id_invoice_date_idx", invoices.c.meter_id, invoices.c.invoice_date)
sa.Index("invoices_tenant_id_invoice_number_idx", invoices.c.tenant_id, invoices.c.invoice_number)

invoice_bills = target(
    "invoice_bills",
    metadata,
    _key(),
    _parent("tenant_id", "tenants"),
    _parent("invoice_id", "invoices"),
    _parent("bill_id", "bills", index=True),
    _money("amount", nullable=False, comment="Money of the bill on this invoice; negative = adjustment"),
    sa.Column("amount_source", sa.Text, nullable=False, info=one_of("LINK", "BILL"), comment="Where the money is from"),
    *_loaded(),
    sa.UniqueConstraint("invoice_id", "bill_id"),
    comment="Which bill is on which invoice",
)
sa.Index("invoice_bills_tenant_id_invoice_id_idx", invoice_bills.c.tenant_id, invoice_bills.c.invoice_id)

payments = target(
    "payments",
    metadata,
    _key(),
    _parent("tenant_id", "tenants"),
    _parent("customer_id", "customers"),
    sa.Column("customer_source", sa.Text, nullable=False, info=one_of("PAYMENT", "INVOICE")),
    sa.Column("legacy_invoice_id", sa.BigInteger, comment="As stored"),
    sa.Column("legacy_meter_id", sa.BigInteger, comment="As stored"),
    _parent("invoice_id", "invoices", nullable=True, index=True),
    _parent("meter_id", "meters", nullable=True, info=owned_by_step()),
    sa.Column(
        "meter_id_source",
        sa.Text,
        info=owned_by_step() | one_of(*PAYMENT_METER_SOURCES),
        comment="How the meter was found; NULL = the step has not run",
    ),
    _money("amount", nullable=False, comment="Money paid", info=at_least(0)),
    sa.Column("method", sa.Text, nullable=False, info=one_of(*PAYMENT_METHODS)),
    sa.Column("reference", sa.Text),
    sa.Column("status", sa.Text, nullable=False, info=one_of(*PAYMENT_STATUSES)),
    sa.Column("is_void", sa.Boolean, nullable=False, comment="Reversed, failed or cancelled"),
    sa.Column("payment_date", sa.Date),
    sa.Column("reversed_at", sa.DateTime(timezone=True)),
    *_loaded(),
    comment="Payments, each on a meter",
)
sa.Index("payments_tenant_id_meter_id_idx", payments.c.tenant_id, payments.c.meter_id)
sa.Index("payments_tenant_id_no_meter_idx", payments.c.tenant_id, postgresql_where=payments.c.meter_id.is_(None))
sa.Index("payments_tenant_id_customer_id_idx", payments.c.tenant_id, payments.c.customer_id)

overpayments = target(
    "overpayments",
    metadata,
    _key(),
    _parent("tenant_id", "tenants"),
    _parent("customer_id", "customers"),
    _parent("payment_id", "payments", nullable=True, index=True),
    sa.Column("legacy_meter_id", sa.BigInteger, comment="As stored"),
    _parent("meter_id", "meters", nullable=True, info=owned_by_step()),
    sa.Column("meter_id_source", sa.Text, info=owned_by_step() | one_of(*CREDIT_METER_SOURCES)),
    _money("amount", nullable=False, comment="Money of the credit", info=at_least(0)),
    sa.Column("status", sa.Text, nullable=False, info=one_of(*OVERPAYMENT_STATUSES)),
    _money("credit_effect", nullable=False, comment="What it adds to the credit that payments already give"),
    sa.Column("recorded_on", sa.Date),
    *_loaded(),
    comment="Ledger of customer credits",
)
sa.Index("overpayments_tenant_id_meter_id_idx", overpayments.c.tenant_id, overpayments.c.meter_id)

LOADED = (tenants, customers, meters, meter_assignments, bills, invoices, invoice_bills, payments, overpayments)


# --- reports ----------------------------------------------------------------------------------------------------------


def _of_export() -> sa.Column[str]:
    return sa.Column("export_id", sa.Text, nullable=False, comment="Export that the row is about")


def _id(name: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=nullable, primary_key=primary_key, autoincrement=False)


customer_balances_backup = target(
    "customer_balances_backup",
    metadata,
    sa.Column("export_id", sa.Text, primary_key=True, comment="Export that the figures are from"),
    _id("customer_id", primary_key=True),
    _id("tenant_id"),
    _money("balance", comment="Owed before"),
    _money("overpayment", comment="Credit before"),
    sa.Column(
        "backed_up_at",
        sa.DateTime(timezone=True),
        nullable=False,
        server_default=sa.func.now(),
        info={"role": Role.CHANGED_AT},
    ),
    comment="Customer balances as they were before the meters took over; never overwritten",
)

meter_id_review = target(
    "meter_id_review",
    metadata,
    sa.Column("entity_type", sa.Text, primary_key=True, info=one_of("payment", "overpayment")),
    _id("entity_id", primary_key=True),
    sa.Column("reason_code", sa.Text, primary_key=True),
    _of_export(),
    _id("tenant_id"),
    _id("customer_id"),
    _id("chosen_meter_id", nullable=True),
    sa.Column("candidate_meter_ids", JSONB, nullable=False, server_default="[]"),
    comment="Payments and credits whose meter a person should look at",
)
sa.Index("meter_id_review_tenant_id_idx", meter_id_review.c.tenant_id)

invoice_amount_discrepancy = target(
    "invoice_amount_discrepancy",
    metadata,
    _id("invoice_id", primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True, info=one_of("NO_BILLS", "CHANGED", "LEGACY_IDENTITY")),
    sa.Column("severity", sa.Text, nullable=False, info=one_of("ERROR", "WARN", "INFO")),
    _of_export(),
    _id("tenant_id"),
    *(_money(f"legacy_{name}", comment="As stored") for name in ("amount", "balance_brought_forward", "total_amount")),
    *(
        _money(f"calc_{name}", 16, nullable=False, comment="As recomputed")
        for name in ("amount", "balance_brought_forward", "total_amount")
    ),
    _money("diff_total", 16, nullable=False, comment="Recomputed total less the stored one"),
    comment="Invoices whose stored money is not what their bills say",
)
sa.Index("invoice_amount_discrepancy_tenant_id_idx", invoice_amount_discrepancy.c.tenant_id)

validation_discrepancy = target(
    "validation_discrepancy",
    metadata,
    _id("tenant_id", primary_key=True),
    sa.Column("step", sa.SmallInteger, primary_key=True, autoincrement=False, comment="3 = gate, 5 = full validation"),
    sa.Column("check_name", sa.Text, primary_key=True),
    sa.Column(
        "entity_type",
        sa.Text,
        primary_key=True,
        info=one_of("payment", "invoice", "overpayment", "meter", "customer", "tenant"),
    ),
    _id("entity_id", primary_key=True),
    sa.Column("severity", sa.Text, nullable=False, info=one_of(*SEVERITIES)),
    _of_export(),
    _money("expected", 16, comment="What it should be"),
    _money("actual", 16, comment="What it is"),
    _money("difference", 16, comment="Actual less expected"),
    sa.CheckConstraint("step IN (3, 5)", name="step"),
    comment="What the gate and the full validation have found",
)
