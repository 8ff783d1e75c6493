"""The target tables of the billing migration: columns, keys, foreign keys, domains and comments, said once.

A load writes most columns. Those that a later step owns get their first value from the load and are the step's from
then on: the totals and charges of bills, and what was received for them.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from billing_assets.parsing.words import (
    BANDWIDTH,
    BILL_STATUSES,
    CUSTOMER_STATUSES,
    CUSTOMER_TYPES,
    MAC,
    PAID_STATUSES,
    PAYMENT_METHODS,
    SERVICE_STATUSES,
    SOHO,
)
from billing_assets.sources import CHARGES
from migration.tables import (
    Domain,
    Role,
    above,
    at_least,
    between,
    first_of_month,
    one_of,
    owned_by_step,
    target,
    target_metadata,
)
from migration.warehouse.bookkeeping import bookkeeping

SCHEMA = "billing"
# The ids of home packages begin here: the two legacy catalogues number their packages alike.
SOHO_PACKAGES_FROM = 1_000_000
PERIODS, COMPONENTS, LEGACY = "periods", "components", "legacy"
PAYMENTS, CARRIED_OVER, NOTHING = "payments", "carried_over", "none"
RECEIVED_SOURCES = (PAYMENTS, CARRIED_OVER, NOTHING)

metadata = target_metadata(SCHEMA)
books = bookkeeping(metadata)

Info = dict[str, Domain] | dict[str, Role] | None


def _key(comment: str = "Legacy id") -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False, comment=comment)


def _parent(
    name: str, table: str, *, nullable: bool = True, index: bool = True, ondelete: str | None = None
) -> sa.Column[int]:
    key = sa.ForeignKey(f"{SCHEMA}.{table}.id", ondelete=ondelete)
    return sa.Column(name, sa.BigInteger, key, nullable=nullable, index=index)


def _text(name: str, comment: str | None = None, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, comment=comment, **options)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [_text(name) for name in names]


def _money(name: str, digits: int, *, nullable: bool = False, info: Any = None, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.Numeric(digits, 2), nullable=nullable, info=dict(info or {}), **options)


def _derived(name: str, comment: str) -> sa.Column[Any]:
    """An amount that a step computes: sums and products of legal values always fit."""
    return _money(name, 22, info=owned_by_step(), server_default="0", comment=comment)


def _charges(role: dict[str, Role] | None = None) -> list[sa.Column[Any]]:
    """Quantities and prices of the six services, and the discount."""
    info = at_least(0) | (role or {})
    return [_money(name, 10, info=info, server_default="0") for name in CHARGES]


def _percentage() -> sa.Column[Any]:
    return _money("percentage_share", 5, info=between(0, 100), server_default="0", comment="20.00 is 20 percent")


def _received_source() -> sa.Column[str]:
    return _text(
        "received_source",
        "Where total_received comes from: loaded payments, the legacy figure, or nowhere",
        nullable=False,
        server_default=NOTHING,
        info=one_of(*RECEIVED_SOURCES) | owned_by_step(),
    )


def _paid_status() -> sa.Column[str]:
    return _text(
        "status", nullable=False, server_default="Pending", info=one_of(*PAID_STATUSES) | owned_by_step(), index=True
    )


def _export_id() -> sa.Column[str]:
    return _text("export_id", "Export that last wrote the row", nullable=False, info={"role": Role.EXPORT})


def _loaded() -> list[sa.Column[Any]]:
    """The columns that every loaded table ends with."""
    time = sa.DateTime(timezone=True)
    return [
        sa.Column("created_at", time, comment="When the legacy row was made"),
        sa.Column("updated_at", time, comment="When the legacy row was last changed"),
        _export_id(),
    ]


# --- customers --------------------------------------------------------------------------------------------------------

sales_customers = target(
    "sales_customers",
    metadata,
    _key(),
    _text("name", nullable=False),
    _text("company_name", "Preferred for the customer number"),
    _text("email", "Lower case; NULL where another customer has the address"),
    *_texts("phone", "address"),
    _text("customer_type", nullable=False, server_default=BANDWIDTH, info=one_of(*CUSTOMER_TYPES)),
    _text("customer_number", "Printed; never changes", nullable=False, unique=True),
    _text("status", nullable=False, info=one_of(*CUSTOMER_STATUSES)),
    sa.Column("assigned_sales_person_id", sa.BigInteger, comment="Legacy user; users are not migrated"),
    _text("link_id"),
    *_loaded(),
    # Two customers may exchange their addresses in one statement.
    sa.UniqueConstraint("email", deferrable=True, initially="IMMEDIATE"),
    comment="Bandwidth customers and resellers, the survivors of their duplicates",
)
sa.Index("sales_customers_customer_type_status_idx", sales_customers.c.customer_type, sales_customers.c.status)

mac_partners = target(
    "mac_partners",
    metadata,
    _key(),
    _text("mac_cust_name", nullable=False, index=True),
    *_texts("email", "phone", "address", "contact_person"),
    _text("mac_partner_number", "Printed; never changes", nullable=False, unique=True),
    _percentage(),
    sa.Column("is_active", sa.Boolean, nullable=False, server_default=sa.true(), index=True),
    _text("notes"),
    *_loaded(),
    comment="Channel partners with end customers of their own, paid by a share of the revenue",
)

packages = target(
    "packages",
    metadata,
    _key("Legacy id; of home packages 1,000,000 more"),
    _text("name", nullable=False),
    _money("mbps", 10, info=at_least(0), comment="Speed in Mbps"),
    _money("rate", 12, info=at_least(0), comment="Monthly rate"),
    _text("type", nullable=False, info=one_of(MAC, SOHO)),
    _text("description"),
    sa.Column("is_active", sa.Boolean, nullable=False),
    _text("legacy_source", nullable=False, info=one_of("mac_packages", "soho_packages")),
    sa.Column("legacy_id", sa.BigInteger, nullable=False),
    *_loaded(),
    sa.UniqueConstraint("legacy_source", "legacy_id"),
    comment="Packages of both legacy catalogues; equal ones are one",
)
# The lower case of one collation: what Python takes for equal is merged before, so the index never meets more.
sa.Index(
    "packages_type_name_mbps_rate_key",
    packages.c.type,
    sa.func.lower(packages.c.name.collate("C")),
    packages.c.mbps,
    packages.c.rate,
    unique=True,
)
sa.Index("packages_type_is_active_idx", packages.c.type, packages.c.is_active)

mac_end_customers = target(
    "mac_end_customers",
    metadata,
    _key(),
    _parent("mac_partner_id", "mac_partners", nullable=False, index=False),
    _text("name", nullable=False),
    *_texts("email", "phone", "address"),
    _text("mac_end_customer_number", "Printed; never changes", nullable=False, unique=True),
    _parent("package_id", "packages"),
    _money("custom_rate", 12, nullable=True, info=at_least(0), comment="Monthly rate; 0 and NULL: the package's"),
    sa.Column("activation_date", sa.Date, nullable=False, index=True),
    sa.Column("bill_date", sa.Date, comment="First day that is billed, where it has one of its own"),
    _text("status", nullable=False, info=one_of(*SERVICE_STATUSES), index=True),
    _text("notes"),
    *_loaded(),
    comment="End customers of channel partners",
)
sa.Index("mac_end_customers_mac_partner_id_status_idx", mac_end_customers.c.mac_partner_id, mac_end_customers.c.status)

soho_customers = target(
    "soho_customers",
    metadata,
    _key(),
    _text("cust_name", nullable=False),
    *_texts("email", "phone", "address"),
    _text("soho_customer_number", "Printed; never changes", nullable=False, unique=True),
    _parent("package_id", "packages"),
    _money("rate", 12, info=at_least(0), comment="Monthly rate"),
    sa.Column("activation_date", sa.Date, nullable=False, index=True),
    _text("status", nullable=False, info=one_of(*SERVICE_STATUSES), index=True),
    _text("notes"),
    *_loaded(),
    comment="Home and small-office customers with a flat rate",
)

legacy_redirect = target(
    "legacy_redirect",
    metadata,
    _text("source_table", primary_key=True),
    sa.Column("legacy_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("target_id", sa.BigInteger, nullable=False, comment="Id of the row that the legacy row ended in"),
    comment="Where each legacy customer and package ended: in its own row, or in the one it was merged into",
)

# --- bills ------------------------------------------------------------------------------------------------------------

bill_records = target(
    "bill_records",
    metadata,
    _key(),
    _text("customer_type", nullable=False, info=one_of(*CUSTOMER_TYPES)),
    _parent("customer_id", "sales_customers"),
    _parent("mac_partner_id", "mac_partners"),
    _parent("soho_customer_id", "soho_customers"),
    _text("bill_number", "Printed; never changes", nullable=False, unique=True),
    *_texts("nttn_cap", "nttn_com"),
    sa.Column("active_date", sa.Date),
    sa.Column("billing_date", sa.Date, nullable=False),
    sa.Column("billing_month", sa.Date, nullable=False, info=first_of_month(), index=True),
    sa.Column("termination_date", sa.Date),
    *_charges(owned_by_step()),
    _derived("total_bill", "Amount of the bill"),
    _derived("total_received", "What was received for it"),
    _derived("total_due", "What is still owed; negative = overpaid"),
    _text(
        "total_source",
        "What total_bill follows from: pricing periods, the bill's own charges, or the legacy figure",
        nullable=False,
        server_default=COMPONENTS,
        info=one_of(PERIODS, COMPONENTS, LEGACY) | owned_by_step(),
    ),
    _received_source(),
    sa.Column("last_payment_date", sa.Date, info=owned_by_step(), index=True),
    _text("last_payment_mode", info=one_of(*PAYMENT_METHODS) | owned_by_step()),
    _text("status", nullable=False, info=one_of(*BILL_STATUSES)),
    _text("remarks"),
    *_loaded(),
    sa.CheckConstraint("billing_month = date_trunc('month', billing_date)", name="billing_month_of_date"),
    sa.CheckConstraint(
        f"(customer_type = '{BANDWIDTH}' AND customer_id IS NOT NULL AND mac_partner_id IS NULL"
        " AND soho_customer_id IS NULL)"
        f" OR (customer_type = '{MAC}' AND mac_partner_id IS NOT NULL AND customer_id IS NULL"
        " AND soho_customer_id IS NULL)"
        f" OR (customer_type = '{SOHO}' AND soho_customer_id IS NOT NULL AND customer_id IS NULL"
        " AND mac_partner_id IS NULL)",
        name="bill_fk_by_type",
    ),
    sa.CheckConstraint("total_due = total_bill - total_received", name="total_due_sum"),
    comment="Bills of all three kinds of customer",
)
sa.Index("bill_records_customer_type_status_idx", bill_records.c.customer_type, bill_records.c.status)

bill_pricing_periods = target(
    "bill_pricing_periods",
    metadata,
    _key(),
    _parent("bill_record_id", "bill_records", nullable=False, index=False, ondelete="CASCADE"),
    *(sa.Column(name, sa.Integer, nullable=False, info=between(1, 31)) for name in ("start_day", "end_day")),
    *_charges(),
    _text("notes"),
    *_loaded(),
    sa.CheckConstraint("start_day <= end_day", name="days_in_order"),
    # The periods of a bill may exchange their places in one statement.
    sa.UniqueConstraint("bill_record_id", "start_day", deferrable=True, initially="IMMEDIATE"),
    comment="Spans of days of a bill with charges of their own; they never overlap",
)

daily_bill_amounts = target(
    "daily_bill_amounts",
    metadata,
    _key("bill_record_id * 100 + day_number"),
    _parent("bill_record_id", "bill_records", nullable=False, index=False, ondelete="CASCADE"),
    _parent("pricing_period_id", "bill_pricing_periods", ondelete="SET NULL"),
    sa.Column("date", sa.Date, nullable=False, index=True),
    sa.Column("day_number", sa.Integer, nullable=False, info=between(1, 31)),
    _money("daily_amount", 22, comment="The day's share of the bill; the days of a bill add up to it"),
    sa.Column("service_breakdown", JSONB, nullable=False, comment="Per service what is in force, and the day's share"),
    _export_id(),
    sa.UniqueConstraint("bill_record_id", "date"),
    comment="One row per bill and day of its month, computed",
)
sa.Index(
    "daily_bill_amounts_bill_record_id_day_number_idx",
    daily_bill_amounts.c.bill_record_id,
    daily_bill_amounts.c.day_number,
)

mac_bills = target(
    "mac_bills",
    metadata,
    _key(),
    _parent("mac_partner_id", "mac_partners", nullable=False, index=False),
    sa.Column("bill_date", sa.Date, nullable=False, index=True),
    sa.Column("total_client", sa.Integer, nullable=False, info=at_least(0)),
    _money("total_revenue", 22, info=at_least(0), comment="What the partner's end customers were billed"),
    _percentage(),
    _money("commission", 22, comment="The partner's share of the revenue"),
    _money("total_bill", 22, comment="Revenue less commission"),
    _derived("total_received", "What was received for it"),
    _derived("total_due", "What is still owed; negative = overpaid"),
    _received_source(),
    _paid_status(),
    _text("notes"),
    *_loaded(),
    sa.CheckConstraint("total_bill = total_revenue - commission", name="total_bill_sum"),
    comment="Bills to channel partners: the revenue of their end customers less their share",
)
sa.Index("mac_bills_mac_partner_id_bill_date_idx", mac_bills.c.mac_partner_id, mac_bills.c.bill_date)

soho_bills = target(
    "soho_bills",
    metadata,
    _key(),
    _parent("soho_customer_id", "soho_customers", nullable=False, index=False),
    sa.Column("bill_date", sa.Date, nullable=False, index=True),
    _parent("package_id", "packages"),
    _money("rate", 12, info=at_least(0)),
    _money("total_bill", 22),
    _derived("total_received", "What was received for it"),
    _derived("total_due", "What is still owed; negative = overpaid"),
    _received_source(),
    _paid_status(),
    _text("notes"),
    *_loaded(),
    comment="Bills to home and small-office customers",
)
sa.Index("soho_bills_soho_customer_id_bill_date_idx", soho_bills.c.soho_customer_id, soho_bills.c.bill_date)

# --- payments ---------------------------------------------------------------------------------------------------------

payment_records = target(
    "payment_records",
    metadata,
    _key(),
    _parent("bill_record_id", "bill_records"),
    _parent("mac_bill_id", "mac_bills"),
    _parent("soho_bill_id", "soho_bills"),
    sa.Column("payment_date", sa.Date, nullable=False, index=True),
    _money("amount", 15, info=above(0)),
    _text("payment_type", "As given", nullable=False, info=one_of(*CUSTOMER_TYPES), index=True),
    _text("payment_method", nullable=False, info=one_of(*PAYMENT_METHODS)),
    _text(
        "allocated_to",
        "The one bill that the money counts for",
        nullable=False,
        info=one_of("bill_record", "mac_bill", "soho_bill"),
    ),
    *_texts("reference_number", "notes"),
    sa.Column("created_by_id", sa.BigInteger, comment="Legacy user; users are not migrated"),
    *_loaded(),
    sa.CheckConstraint(
        "bill_record_id IS NOT NULL OR mac_bill_id IS NOT NULL OR soho_bill_id IS NOT NULL", name="names_a_bill"
    ),
    comment="Payments, each counted for one bill",
)

NUMBERED = {
    sales_customers: "customer_number",
    mac_partners: "mac_partner_number",
    mac_end_customers: "mac_end_customer_number",
    soho_customers: "soho_customer_number",
    bill_records: "bill_number",
}
