"""The target tables of Skynet: columns, keys, foreign keys, domains and comments, said once."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import INET

from migration.tables import (
    above,
    at_least,
    between,
    first_of_month,
    one_of,
    provenance,
    source_row,
    target,
    target_metadata,
    written_elsewhere,
)
from migration.warehouse.bookkeeping import bookkeeping

SCHEMA = "skynet"
DEFAULT_ROUTER_PORT = 8728

metadata = target_metadata(SCHEMA)
books = bookkeeping(metadata)


def _customer_id(*, primary_key: bool = False, index: bool = False) -> sa.Column[str]:
    key = sa.ForeignKey("skynet.customers.id")
    return sa.Column("customer_id", sa.String(50), key, nullable=False, primary_key=primary_key, index=index)


def _period() -> sa.Column:
    return sa.Column("period", sa.Date, nullable=False, info=first_of_month(), comment="First day of the billed month")


packages = target(
    "packages",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, comment="Most frequent spelling"),
    sa.Column("name_key", sa.Text, nullable=False, comment="Upper-case name, what makes a package the same"),
    sa.Column("price", sa.Numeric(14, 2), info=at_least(0), comment="Monthly price in rupiah; NULL = unknown"),
    sa.Column("speed_mbps", sa.Integer, info=above(0), comment="Speed that the name states"),
    *provenance(),
    comment="Price packages: one per name and price",
)
sa.Index("packages_name_key_price_key", packages.c.name_key, sa.func.coalesce(packages.c.price, -1), unique=True)

routers = target(
    "routers",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("ip_address", INET, info=written_elsewhere(), comment="By hand or overlay only"),
    sa.Column(
        "port",
        sa.Integer,
        nullable=False,
        server_default=str(DEFAULT_ROUTER_PORT),
        info=between(1, 65535) | written_elsewhere(),
        comment="By hand or overlay only",
    ),
    sa.Column("username", sa.Text, info=written_elsewhere(), comment="By hand or overlay only"),
    sa.Column("password", sa.Text, info=written_elsewhere(), comment="Secret; by hand or overlay only"),
    sa.Column(
        "credentials_status",
        sa.Text,
        sa.Computed(
            "CASE WHEN ip_address IS NOT NULL AND username IS NOT NULL AND password IS NOT NULL THEN 'complete'"
            " WHEN ip_address IS NULL AND username IS NULL AND password IS NULL THEN 'missing'"
            " ELSE 'partial' END",
            persisted=True,
        ),
        nullable=False,
        comment="Whether somebody has supplied what the export does not hold",
    ),
    *provenance(),
    comment="Access routers; their credentials are not in any export and are supplied by a person",
)

# Whoever supplied credentials must not lose them: such routers stay when the run that brought them is rolled back.
routers.info["keep_on_rollback"] = routers.c.credentials_status != "missing"
routers.info["kept_columns"] = ("ip_address", "port", "username", "password")

customers = target(
    "customers",
    metadata,
    sa.Column("id", sa.String(50), primary_key=True, comment="Legacy customer id, upper case"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("address", sa.Text),
    sa.Column("phone_number", sa.Text, comment="E.164"),
    sa.Column("phone_number_alt", sa.Text, comment="Second number of the same field, E.164"),
    sa.Column("nik", sa.Text, comment="National identity number, digits"),
    sa.Column("nik_valid", sa.Boolean, comment="NULL exactly when nik is"),
    sa.Column("kk", sa.Text, comment="Family card number, digits"),
    sa.Column("kk_valid", sa.Boolean, comment="NULL exactly when kk is"),
    sa.Column("latitude", sa.Numeric(10, 7), info=between(-90, 90)),
    sa.Column("longitude", sa.Numeric(10, 7), info=between(-180, 180)),
    sa.Column("coordinates_raw", sa.Text, comment="The text that the coordinates were read from"),
    sa.Column(
        "coordinate_status",
        sa.Text,
        nullable=False,
        info=one_of("ok", "repaired", "swapped", "out_of_area", "missing", "invalid"),
    ),
    sa.Column("pppoe_username", sa.Text, nullable=False, index=True, comment="Not unique: accounts are shared"),
    sa.Column("pppoe_username_missing", sa.Boolean, nullable=False, comment="True = the username is a placeholder"),
    sa.Column("pppoe_password", sa.Text, comment="Secret, verbatim"),
    sa.Column("identity_card_source_url", sa.Text),
    sa.Column("identity_card_photo_path", sa.Text, info=written_elsewhere(), comment="Written by the photo download"),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column(
        "connection_status",
        sa.Text,
        nullable=False,
        info=one_of("active", "isolated", "offline", "terminated", "unknown"),
    ),
    sa.Column("registered_at", sa.Date),
    sa.Column("billing_day", sa.SmallInteger, info=between(1, 31), comment="Day of the month a bill is due"),
    sa.Column("package_id", sa.Uuid, sa.ForeignKey("skynet.packages.id"), index=True),
    sa.Column("router_id", sa.Uuid, sa.ForeignKey("skynet.routers.id"), index=True),
    sa.Column("location_name", sa.Text, index=True),
    source_row(),
    *provenance(),
    sa.CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", name="coordinates_paired"),
    sa.CheckConstraint("(nik IS NULL) = (nik_valid IS NULL)", name="nik_judged"),
    sa.CheckConstraint("(kk IS NULL) = (kk_valid IS NULL)", name="kk_judged"),
    comment="Customers: one per legacy id, the survivor of its duplicates",
)

customer_merge_log = target(
    "customer_merge_log",
    metadata,
    sa.Column("export_id", sa.Text, primary_key=True, comment="Export in which the rows were merged"),
    sa.Column("customer_id", sa.String(50), primary_key=True),
    sa.Column("merged_source_row", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kept_source_row", sa.Integer, nullable=False),
    sa.Column(
        "differing_fields", sa.ARRAY(sa.Text), nullable=False, comment="Names of source columns that differ, sorted"
    ),
    *[column for column in provenance() if column.name != "export_id"],
    comment="Each duplicate customer row that was merged into another",
)

invoices = target(
    "invoices",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("code", sa.Text, nullable=False, unique=True, comment="INV-YYYYMM-<customer_id>"),
    _customer_id(),
    _period(),
    sa.Column("amount", sa.Numeric(14, 2), nullable=False, info=at_least(0), comment="Amount due in rupiah"),
    sa.Column("amount_paid", sa.Numeric(16, 2), nullable=False, server_default="0", comment="Sum of its transactions"),
    sa.Column("status", sa.Text, nullable=False, info=one_of("paid", "partial", "unpaid", "void")),
    sa.Column("due_date", sa.Date, nullable=False),
    source_row(),
    *provenance(),
    sa.UniqueConstraint("customer_id", "period"),
    comment="Invoices: one per customer and month",
)
sa.Index("invoices_period_status_idx", invoices.c.period, invoices.c.status)

transactions = target(
    "transactions",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("invoice_id", sa.Uuid, sa.ForeignKey("skynet.invoices.id"), nullable=False, index=True),
    _customer_id(index=True),
    _period(),
    sa.Column("amount", sa.Numeric(14, 2), nullable=False, info=above(0), comment="Amount paid in rupiah"),
    sa.Column("status", sa.Text, nullable=False, info=one_of("paid", "partial")),
    sa.Column("payment_method", sa.Text, info=one_of("cash", "transfer", "qris", "other")),
    sa.Column("payment_method_raw", sa.Text),
    sa.Column("proof_of_payment", sa.Text),
    sa.Column("paid_at", sa.DateTime(timezone=True)),
    source_row(),
    *provenance(),
    comment="Payments: one per distinct payment of an invoice; repeats of a row are merged",
)
sa.Index("transactions_period_idx", transactions.c.period)

branch_summaries = target(
    "branch_summaries",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("branch_name", sa.Text, nullable=False),
    sa.Column("branch_key", sa.Text, nullable=False),
    sa.Column("period", sa.Date, comment="Month of the export; the dashboard itself names none"),
    *(
        sa.Column(name, sa.Integer)
        for name in ("customers_total", "customers_new", "customers_free", "customers_paid", "customers_unpaid")
    ),
    *(sa.Column(name, sa.Numeric(16, 2)) for name in ("income_total", "expense_total", "balance", "estimated_total")),
    sa.Column("balance_mismatch", sa.Boolean, comment="Balance is not income less expense"),
    source_row(),
    *provenance(),
    comment="Branch dashboard: one row per branch and export month",
)
sa.Index(
    "branch_summaries_branch_key_period_key",
    branch_summaries.c.branch_key,
    sa.func.coalesce(branch_summaries.c.period, sa.literal_column("DATE '0001-01-01'")),
    unique=True,
)

identity_card_photos = target(
    "identity_card_photos",
    metadata,
    _customer_id(primary_key=True),
    sa.Column("source_url", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False, info=one_of("pending", "blocked", "downloaded", "failed")),
    sa.Column("error_code", sa.Text),
    sa.Column("stored_path", sa.Text, info=written_elsewhere()),
    sa.Column("sha256", sa.CHAR(64), info=written_elsewhere()),
    sa.Column("byte_size", sa.Integer, info=written_elsewhere()),
    sa.Column("content_type", sa.Text, info=written_elsewhere()),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0", info=written_elsewhere()),
    sa.Column("last_attempt_at", sa.DateTime(timezone=True), info=written_elsewhere()),
    *provenance(),
    comment="Identity-card photos: the queue of the download, and its state",
)
