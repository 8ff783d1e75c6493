"""The target tables of the dental migration: columns, keys, domains, comments.

Every business table has the same frame: a UUID that follows from the legacy row, the columns of its own, the legacy id,
where the row came from, and which export wrote it last.
"""

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from migration.rollback import BULK, GOES_WITH
from migration.tables import Role, above, at_least, between, one_of, target, target_metadata
from migration.warehouse.bookkeeping import bookkeeping

SCHEMA = "dental"
LEGACY = "legacy"  # in a table's info: its column of the legacy id
PROFILE_TYPES = ("patient", "doctor", "technician", "admin", "master")
TEAM_TYPES = (
    "Administrative",
    "Financial",
    "Medical",
    "Data",
    "External",
    "Management",
    "Sales",
    "Support",
    "Technical",
)
ORDER_COURSES = ("main", "refinement", "replacement", "any", "invoice", "merchandise")
ORDER_STATUSES = (
    "no_product",
    "submitted",
    "approved",
    "in_production",
    "shipped",
    "cancelled",
    "on_hold",
    "add_plan",
)

metadata = target_metadata(SCHEMA)
books = bookkeeping(metadata)

_TIME = sa.DateTime(timezone=True)
_MONEY = sa.Numeric(12, 2)
_RATE = sa.Numeric(6, 4)


def _table(name: str, legacy: str, *items: sa.schema.SchemaItem, comment: str, legacy_unique: bool = True) -> sa.Table:
    """A business table: its own columns between the UUID and the legacy id, provenance last."""
    table = target(
        name,
        metadata,
        sa.Column("id", sa.Uuid, primary_key=True, comment="Follows from the legacy row: the same in every run"),
        *(item for item in items if isinstance(item, sa.Column)),
        sa.Column(legacy, sa.BigInteger, nullable=False, unique=legacy_unique or None, comment="Legacy id"),
        sa.Column("metadata", JSONB, nullable=False, comment="Legacy table, key and codes without a column"),
        *_written_by(),
        *(item for item in items if not isinstance(item, sa.Column)),
        comment=comment,
    )
    table.info[LEGACY] = legacy
    return table


def _written_by() -> list[sa.Column[Any]]:
    return [
        sa.Column(
            "export_id", sa.Text, nullable=False, info={"role": Role.WRITER}, comment="Export that last changed the row"
        ),
        sa.Column(
            "loaded_at",
            _TIME,
            nullable=False,
            server_default=sa.func.now(),
            info={"role": Role.CHANGED_AT},
            comment="When a load last changed the row",
        ),
    ]


def _text(name: str, *, required: bool = False, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=not required, **options)


def _flag(name: str, **options: Any) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False, **options)


def _whole(name: str, *, required: bool = False, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=not required, **options)


def _money(name: str, *, required: bool = False, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, _MONEY, nullable=not required, **options)


def _json(name: str, *, required: bool = True, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, JSONB, nullable=not required, **options)


def _times(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, _TIME) for name in names]


def _parent(name: str, table: str, *, required: bool = True, **options: Any) -> sa.Column[Any]:
    key = sa.ForeignKey(f"{SCHEMA}.{table}.id")
    indexed: dict[str, Any] = {"index": True} | options
    return sa.Column(name, sa.Uuid, key, nullable=not required, **indexed)


def _one_of_each(*names: str) -> sa.UniqueConstraint:
    """A natural key; checked at the end of a transaction, for rows may swap theirs."""
    return sa.UniqueConstraint(*names, deferrable=True, initially="DEFERRED")


# --- people -----------------------------------------------------------------------------------------------------------

profiles = _table(
    "profiles",
    "legacy_user_id",
    _text("profile_type", required=True, index=True, info=one_of(*PROFILE_TYPES)),
    _text("username", required=True),
    _text("first_name"),
    _text("last_name"),
    _text("email"),
    _flag("is_active"),
    _flag("is_verified", comment="A doctor who has finished the registration"),
    *_times("created_at", "updated_at", "last_login_at"),
    comment="People, one per legacy user",
)

offices = _table(
    "offices",
    "legacy_office_id",
    _text("name", required=True),
    *(_text(name) for name in ("address", "apartment", "city", "state", "zip_code")),
    _text("country", required=True),
    _text("phone"),
    sa.Column("tax_rate", _RATE, nullable=False, info=between(0, Decimal("0.9999")), comment="Fraction"),
    _text("square_customer_id"),
    _flag("email_notifications"),
    _flag("is_active"),
    comment="Offices of doctors that are valid",
)

doctors = _table(
    "doctors",
    "legacy_user_id",
    _parent("profile_id", "profiles", index=None, unique=True),
    _text("doctor_number", required=True, unique=True),
    _text("status", required=True, info=one_of("active", "inactive")),
    _parent("primary_office_id", "offices", required=False),
    *_times("joined_practice_at"),
    comment="Doctors, one per profile of that type",
)

doctor_offices = _table(
    "doctor_offices",
    "legacy_id",
    _parent("doctor_id", "doctors"),
    _parent("office_id", "offices"),
    _flag("is_primary"),
    _one_of_each("doctor_id", "office_id"),
    comment="Which doctor works in which office",
)

patients = _table(
    "patients",
    "legacy_patient_id",
    _parent("profile_id", "profiles"),
    _text("patient_number", required=True, unique=True),
    _text("suffix"),
    _text("sex", required=True, info=one_of("male", "female", "other", "unknown")),
    sa.Column("date_of_birth", sa.Date),
    _parent("primary_doctor_id", "doctors", required=False),
    _parent("assigned_office_id", "offices", required=False),
    _text("status", required=True, info=one_of("active", "inactive", "archived")),
    _flag("archived"),
    _flag("suspended"),
    _json("schemes"),
    *_times("enrolled_at", "updated_at"),
    _whole("legacy_user_id", required=True),
    comment="Patients",
)

cases = _table(
    "cases",
    "legacy_patient_id",
    _parent("patient_id", "patients"),
    _parent("primary_doctor_id", "doctors", required=False),
    _parent("office_id", "offices", required=False),
    _text("case_number", required=True, unique=True),
    _text("status", required=True),
    _flag("deleted"),
    *_times("opened_at", "updated_at"),
    comment="Treatment cases, one per patient",
)

# --- reference --------------------------------------------------------------------------------------------------------

categories = _table(
    "categories",
    "legacy_category_id",
    _text("name", required=True),
    _parent("parent_id", "categories", required=False),
    _whole("display_order", required=True),
    sa.CheckConstraint("parent_id <> id", name="parent"),
    comment="Categories of templates, in a tree",
)

roles = _table(
    "roles",
    "legacy_role_id",
    _text("name", required=True),
    _text("description", required=True),
    _text("abbreviation"),
    _whole("role_type"),
    _whole("sort_order"),
    _text("group_name"),
    comment="Roles that people have in the workflow",
)

role_permissions = _table(
    "role_permissions",
    "legacy_id",
    _parent("role_id", "roles"),
    _text("permission", required=True),
    _text("resource", required=True),
    _flag("is_active"),
    _one_of_each("role_id", "resource"),
    comment="What a role may do",
)

storages = _table("storages", "legacy_storage_id", _text("name", required=True), comment="Places where ware is kept")

ware = _table(
    "ware",
    "legacy_ware_id",
    _parent("storage_id", "storages", required=False),
    _text("name", required=True),
    _whole("quantity", info=at_least(0)),
    *_times("created_at"),
    comment="Stock",
)

# --- templates --------------------------------------------------------------------------------------------------------

templates = _table(
    "templates",
    "legacy_template_id",
    _text("name", required=True),
    _text("action_name"),
    _parent("category_id", "categories", required=False),
    _flag("is_active"),
    _whole("estimated_duration_minutes"),
    comment="Templates of tasks",
)

template_predecessors = _table(
    "template_predecessors",
    "legacy_id",
    _parent("template_id", "templates"),
    _parent("predecessor_id", "templates"),
    _one_of_each("template_id", "predecessor_id"),
    sa.CheckConstraint("template_id <> predecessor_id", name="predecessor"),
    comment="Which template comes after which",
)

template_edit_roles, template_view_roles = (
    _table(
        f"template_{right}_roles",
        "legacy_id",
        _parent("template_id", "templates"),
        _parent("role_id", "roles"),
        _one_of_each("template_id", "role_id"),
        comment=f"Which roles may {right} a template",
    )
    for right in ("edit", "view")
)

template_view_groups = _table(
    "template_view_groups",
    "legacy_id",
    _parent("template_id", "templates"),
    _text("group_name", required=True),
    _text("access_level", required=True),
    _whole("legacy_group_id", required=True),
    _one_of_each("template_id", "group_name"),
    comment="Which groups may view a template",
)

products = _table(
    "products",
    "legacy_product_id",
    _text("name", required=True),
    _text("description"),
    _text("course_type", required=True, info=one_of("main", "refinement", "replacement", "invoice")),
    _money("base_price"),
    _json("customization"),
    _flag("is_active"),
    _whole("legacy_course_id", required=True),
    _one_of_each("legacy_course_id"),
    comment="Products, one per course",
)

template_products = _table(
    "template_products",
    "legacy_id",
    _parent("template_id", "templates"),
    _parent("product_id", "products"),
    sa.Column("quantity", sa.Integer, nullable=False, info=above(0)),
    *(_whole(name) for name in ("legacy_template_id", "legacy_product_id", "legacy_course_id")),
    _one_of_each("template_id", "product_id"),
    comment="Which product a template is for",
)

# --- orders and work on them ------------------------------------------------------------------------------------------

orders = _table(
    "orders",
    "legacy_instruction_id",
    _text("order_number", required=True, unique=True),
    _parent("patient_id", "patients"),
    _parent("doctor_id", "doctors"),
    _parent("office_id", "offices", required=False),
    _text("course_type", required=True, info=one_of(*ORDER_COURSES)),
    _text("status", required=True, info=one_of(*ORDER_STATUSES)),
    _text("notes"),
    _text("complaint"),
    _money("amount", info=at_least(0)),
    *_times("submitted_at", "approved_at", "shipped_at", "updated_at"),
    _json("exports", required=False),
    comment="Orders: the legacy instructions",
)

tasks = _table(
    "tasks",
    "legacy_task_id",
    _parent("order_id", "orders"),
    _parent("template_id", "templates", required=False),
    _text("template_name", required=True),
    _parent("assigned_to", "profiles", required=False),
    _text("description"),
    sa.Column("jaw", sa.SmallInteger),
    _text("status", required=True, info=one_of("pending", "in_progress", "completed")),
    _flag("checked"),
    *_times("completed_at"),
    comment="Tasks of an order",
)

treatment_discussions = _table(
    "treatment_discussions",
    "legacy_comment_id",
    _parent("order_id", "orders"),
    _parent("author_id", "profiles", required=False),
    _text("author_role"),
    _text("content", required=True),
    *_times("created_at"),
    _whole("legacy_plan_id", required=True),
    comment="What was said about the plan of an order",
)

files = _table(
    "files",
    "legacy_file_id",
    _text("file_uid", required=True, index=True),
    _parent("order_id", "orders", required=False),
    _text("filename", required=True),
    _text("file_type"),
    _whole("file_size_bytes", info=at_least(0)),
    _text("mime_type", required=True),
    *_times("uploaded_at"),
    comment="Files of orders; the files themselves are elsewhere",
)

# --- finance ----------------------------------------------------------------------------------------------------------

payments = _table(
    "payments",
    "legacy_payment_id",
    _parent("order_id", "orders"),
    _parent("patient_id", "profiles", required=False, comment="Only a profile of the type patient"),
    _parent("doctor_id", "doctors", required=False),
    _parent("office_id", "offices", required=False),
    _money("amount", required=True, info=at_least(0)),
    sa.Column("currency", sa.CHAR(3), nullable=False),
    _text(
        "status",
        required=True,
        index=True,
        info=one_of("pending", "completed", "failed", "cancelled", "refunded"),
    ),
    _text("payment_method", info=one_of("card", "check", "insurance", "cash", "other")),
    *(
        _money(f"{name}_amount" if name != "used_credit" else name)
        for name in ("subtotal", "additional", "tax", "used_credit", "paid", "custom")
    ),
    sa.Column("tax_rate", _RATE, nullable=False, comment="Fraction, below 1"),
    _flag("is_free"),
    _json("installments"),
    *_times("processed_at"),
    _whole("legacy_instruction_id", required=True, index=True),
    comment="Payments for orders",
)

payment_operations = _table(
    "payment_operations",
    "legacy_operation_id",
    _parent("payment_id", "payments"),
    _text("operation_type", required=True, info=one_of("payment", "refund")),
    _money("amount", required=True, info=at_least(0)),
    *(_text(f"square_{name}_id") for name in ("order", "payment", "refund")),
    _text("card_brand"),
    sa.Column("card_last4", sa.CHAR(4), comment="All that is kept of a card's number"),
    _flag("office_card"),
    _whole("attempts", required=True, info=at_least(0)),
    *_times("processed_at"),
    _whole("legacy_payment_id", required=True),
    sa.CheckConstraint("card_last4 ~ '^[0-9]{4}$'", name="card_last4"),
    comment="What was done at the payment service; never a full card number, never a BIN",
)

# --- logistics --------------------------------------------------------------------------------------------------------

shipments = _table(
    "shipments",
    "legacy_instruction_id",
    _parent("order_id", "orders", index=None, unique=True),
    _text("tracking_number", required=True, unique=True),
    _text("carrier", required=True),
    _text("status", required=True),
    *_times("shipped_at"),
    sa.Column("estimated_delivery_date", sa.Date),
    *_times("delivered_at"),
    _json("shipping_address"),
    legacy_unique=False,
    comment="Shipments, made up from the orders that are shipped",
)

# --- teams and messages -----------------------------------------------------------------------------------------------

technicians = _table(
    "technicians",
    "legacy_role_id",
    _parent("profile_id", "profiles", index=None),
    _text("employee_id", required=True),
    *(_text(name) for name in ("first_name", "last_name", "email")),
    _text("specialty", required=True),
    _flag("is_active"),
    _text("status", required=True, info=one_of("active", "inactive")),
    sa.Column("hire_date", sa.Date),
    _whole("legacy_user_id", required=True),
    _one_of_each("profile_id"),
    _one_of_each("legacy_user_id"),
    sa.CheckConstraint("(status = 'active') = is_active", name="active"),
    comment="Technicians: people with a role of the group Technician",
)

teams = _table(
    "teams",
    "legacy_group_id",
    _text("name", required=True),
    _text("team_type", required=True, info=one_of(*TEAM_TYPES)),
    sa.Column("member_count", sa.Integer, nullable=False),
    _flag("is_active"),
    _one_of_each("name"),
    comment="Teams, one per legacy group of staff",
)

team_communications = _table(
    "team_communications",
    "legacy_note_id",
    _parent("team_id", "teams"),
    _parent("author_id", "profiles"),
    *(_text(name, required=True) for name in ("communication_type", "visibility", "body")),
    *_times("created_at"),
    comment="Notes of verified doctors to their team",
)

doctor_notes = _table(
    "doctor_notes",
    "legacy_note_id",
    _parent("doctor_id", "doctors"),
    _parent("author_id", "profiles", required=False),
    _text("note_text", required=True),
    *_times("created_at"),
    comment="Notes about a doctor",
)

messages = _table(
    "messages",
    "legacy_record_id",
    _text("message_type", required=True),
    _parent("sender_id", "profiles", required=False),
    _text("recipient_type", required=True, info=one_of("patient", "user")),
    _parent("recipient_profile_id", "profiles"),
    _parent("patient_id", "patients", required=False),
    _text("content", required=True),
    _flag("is_public"),
    _flag("is_read", server_default=sa.false()),
    *_times("created_at"),
    comment="Messages to users and about patients",
)

# --- notifications ----------------------------------------------------------------------------------------------------

notifications = target(
    "notifications",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True, comment="Follows from the legacy row: the same in every run"),
    _parent("recipient_id", "profiles", index=None),
    _text("notification_type", required=True),
    _text("sender"),
    _json("context"),
    _flag("is_read"),
    _text("item_type"),
    _whole("legacy_item_id"),
    sa.Column("created_at", _TIME, nullable=False),
    _whole("legacy_notification_id", required=True, unique=True),
    *_written_by(),
    comment="Notifications that were sent",
)
notifications.info |= {LEGACY: "legacy_notification_id", BULK: True}
sa.Index("notifications_recipient_id_created_at_idx", notifications.c.recipient_id, notifications.c.created_at)

notification_chunks = target(
    "notification_chunks",
    metadata,
    sa.Column("export_id", sa.Text, primary_key=True, comment="Export that was split"),
    sa.Column("partition_key", sa.Text, primary_key=True, comment="First legacy id of the range, or unkeyed"),
    _whole("source_rows", required=True, comment="Rows of the chunk"),
    comment="The ranges of legacy ids that the notifications of an export were split into",
)
notification_chunks.info[GOES_WITH] = notification_chunks.name

notification_progress = target(
    "notification_progress",
    metadata,
    sa.Column("export_id", sa.Text, primary_key=True),
    sa.Column("partition_key", sa.Text, primary_key=True, comment="First legacy id of the range, or unkeyed"),
    sa.Column("last_batch", sa.Integer, nullable=False, comment="Batches that are committed"),
    _whole("last_legacy_id", comment="Greatest id that is committed"),
    *(_whole(name, required=True) for name in ("source_rows", "loaded", "merged", "rejected", "skipped")),
    _text("status", required=True, info=one_of("RUNNING", "DONE")),
    sa.Column("updated_at", _TIME, nullable=False, server_default=sa.func.now()),
    comment="How far each range of notifications has come",
)
notification_progress.info[GOES_WITH] = notifications.name

# --- report -----------------------------------------------------------------------------------------------------------

migration_success_report = target(
    "migration_success_report",
    metadata,
    sa.Column("export_id", sa.Text, primary_key=True),
    sa.Column("component", sa.Text, primary_key=True),
    _whole("source_count", comment="Source rows less skipped ones"),
    _whole("migrated", comment="Loaded rows; merged ones do not count"),
    sa.Column("success_rate", sa.Numeric(6, 2), comment="Percent"),
    sa.Column("minimum_rate", sa.Numeric(6, 2), comment="Percent"),
    _text("status", required=True, info=one_of("COMPLETE", "BELOW_MINIMUM", "NO_SOURCE", "INFO")),
    comment="What became of each component, and of all",
)
migration_success_report.info[GOES_WITH] = migration_success_report.name
