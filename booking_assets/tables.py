"""The target tables of Booking: columns, keys, foreign keys, domains and comments, said once.

Uniqueness on tables with `is_deleted`. A value must be unique among the rows that are not deleted, and one export may
move it from one row to another: two slugs swapped, a reference freed by one booking and taken by the next. No order of
writing survives a swap under a unique index, which looks at each row as it is written; and a partial unique index
cannot wait. An exclusion constraint over B-tree equality can be both partial and deferred, so `_unique_among_kept`
declares one: rows may be written, and rolled back, in any order, and the table is looked at when the transaction
commits, or at `SET CONSTRAINTS ALL IMMEDIATE`. A writer should say that inside its savepoint, after its blocking
checks, so that a clash is the step's and not the commit's. `ON CONFLICT` cannot name such a constraint; the loads name
primary keys only.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, ExcludeConstraint

from booking_assets.parsing.currencies import DEFAULT_COUNTRY, DEFAULT_CURRENCY
from booking_assets.parsing.statuses import (
    OPS_STATUSES,
    PAYMENT_METHODS,
    PAYMENT_STATUSES,
    PENDING,
    SERVICE_TYPES,
    SETTLED,
    TRAVELER_TYPES,
)
from migration.tables import Domain, Role, at_least, one_of, owned_by_step, target, target_metadata, written_elsewhere
from migration.warehouse.bookkeeping import bookkeeping

SCHEMA = "booking"
DEFAULT_BATCH_CODE = "phase2"
PACKAGE_REF_TYPES = ("LEGACY_PACKAGE", "CATALOG_PRODUCT", "CATALOG_VARIANT")
ENTITY_TYPES = ("PRODUCT", "VARIANT", "BOOKING")
EVENT_TYPES = ("CREATED", "UPDATED", "CANCELLED")
PROCESS_STATUSES = ("RECEIVED", "PROCESSING", "DONE", "FAILED")
DEAD_LETTER_STATUSES = ("OPEN", "READY", "REPLAYING", "SUCCEEDED", "FAILED", "RESOLVED", "CLOSED")
QUEUE_TYPES = (
    "PRODUCT_MAPPING",
    "VARIANT_MAPPING",
    "CATALOG_EXTENDED_METADATA",
    "CHANNEL_MAPPING",
    "BOOKING_CONFLICT",
)
QUEUE_STATUSES = ("OPEN", "IN_REVIEW", "RESOLVED", "CLOSED")

_TIME = sa.DateTime(timezone=True)
_Info = Mapping[str, Domain | Role]


def _run_log_columns() -> list[sa.Column[Any]]:
    """What this system's run log has besides: the names that the legacy batch scripts gave to the same facts."""
    return [
        sa.Column("batch_code", sa.String(16), nullable=False, server_default=DEFAULT_BATCH_CODE),
        sa.Column(
            "script_name",
            sa.String(191),
            sa.Computed(f"left('{SCHEMA}/' || asset, 191)", persisted=True),
            nullable=False,
            comment="Key of the asset",
        ),
        sa.Column("script_checksum", sa.String(64), nullable=False, server_default="", comment="Version of the code"),
        sa.Column("rows_affected", sa.BigInteger, comment="Rows inserted, updated and deleted"),
        sa.Column("report_path", sa.Text),
        sa.Column("error_message", sa.Text, sa.Computed("error", persisted=True)),
        sa.Column("reference_time", _TIME, comment="Of the export's verification: when the export was taken"),
    ]


metadata = target_metadata(SCHEMA)
books = bookkeeping(metadata, _run_log_columns())


# --- kinds of columns -------------------------------------------------------------------------------------------------


def _key(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Uuid, primary_key=True)


def _reference(name: str, column: str, **options: Any) -> sa.Column[Any]:
    options = {"nullable": False} | options
    return sa.Column(name, sa.Uuid, sa.ForeignKey(f"{SCHEMA}.{column}"), **options)


def _channel(*, nullable: bool = False) -> sa.Column[Any]:
    key = sa.ForeignKey(f"{SCHEMA}.channel_registry.channel_code")
    return sa.Column("channel_code", sa.String(32), key, nullable=nullable)


def _word(
    name: str, length: int, *, nullable: bool = True, info: _Info | None = None, **options: Any
) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=nullable, info=dict(info or {}), **options)


def _flag(name: str, *, default: bool, comment: str | None = None) -> sa.Column[Any]:
    standard = sa.true() if default else sa.false()
    return sa.Column(name, sa.Boolean, nullable=False, server_default=standard, comment=comment)


def _number(name: str, default: int, minimum: int | None = None) -> sa.Column[Any]:
    info = {} if minimum is None else at_least(minimum)
    return sa.Column(name, sa.Integer, nullable=False, server_default=str(default), info=info)


def _money(name: str, *, default: bool = True, info: _Info | None = None) -> sa.Column[Any]:
    standard = "0" if default else None
    return sa.Column(name, sa.Numeric(12, 2), nullable=False, server_default=standard, info=dict(info or {}))


def _currency() -> sa.Column[Any]:
    return _word("currency_code", 3, nullable=False, server_default=DEFAULT_CURRENCY)


def _time(name: str, *, nullable: bool = False, comment: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, _TIME, nullable=nullable, comment=comment)


def _created_at() -> sa.Column[Any]:
    return sa.Column(
        "created_at",
        _TIME,
        nullable=False,
        server_default=sa.func.now(),
        info=written_elsewhere(),
        comment="When the row was first written",
    )


def _provenance() -> list[sa.Column[Any]]:
    """The columns that every table of rows made from an export ends with."""
    return [
        sa.Column(
            "export_id", sa.Text, nullable=False, info={"role": Role.EXPORT}, comment="Last export that had the row"
        ),
        _created_at(),
        sa.Column(
            "updated_at",
            _TIME,
            nullable=False,
            server_default=sa.func.now(),
            info={"role": Role.CHANGED_AT},
            comment="When business data of the row last changed",
        ),
    ]


def _kept() -> list[sa.Column[Any]]:
    """The last columns of a table whose rows are marked as deleted, never dropped."""
    gone = _flag("is_deleted", default=False, comment="Gone from the newest export, cancelled or superseded")
    return [gone, *_provenance()]


def _unique_among_kept(table: str, *columns: str, name: str | None = None) -> ExcludeConstraint:
    """No two rows that are not deleted have these values; nulls are never equal; looked at when all is written."""
    return ExcludeConstraint(
        *((sa.column(each), "=") for each in columns),
        name=f"{table}_{name or '_'.join(columns)}_key",
        using="btree",
        where=sa.text("NOT is_deleted"),
        deferrable=True,
        initially="DEFERRED",
    )


def _index(table: sa.Table, *columns: str | sa.ColumnElement[Any], name: str | None = None) -> None:
    named = [table.c[each] if isinstance(each, str) else each for each in columns]
    suffix = name or "_".join(str(each) for each in columns)
    sa.Index(f"{table.name}_{suffix}_idx", *named)


# --- vocabularies -----------------------------------------------------------------------------------------------------

channel_registry = target(
    "channel_registry",
    metadata,
    sa.Column("channel_code", sa.String(32), primary_key=True),
    _word("channel_name", 128, nullable=False),
    _flag("is_active", default=True),
    *_provenance(),
    comment="Sales channels",
)

ref_mapping_status = target(
    "ref_mapping_status",
    metadata,
    sa.Column("status_code", sa.String(32), primary_key=True),
    _word("status_label", 128),
    comment="How far a booking has been matched with the catalog",
)

# --- catalog ----------------------------------------------------------------------------------------------------------

catalog_product = target(
    "catalog_product",
    metadata,
    _key("product_key"),
    _word("slug", 191, nullable=False),
    _word("name", 255, nullable=False),
    _word("product_category", 128),
    sa.Column("short_description", sa.Text),
    sa.Column("description", sa.Text),
    _flag("is_active", default=True),
    _flag("is_featured", default=False),
    sa.Column("thumbnail_url", sa.Text),
    _word("color_code", 32),
    sa.Column("priority", sa.Integer),
    _word("country_code", 2, nullable=False, server_default=DEFAULT_COUNTRY),
    _word("region", 128),
    sa.Column("base_meeting_point", sa.Text),
    *_kept(),
    sa.CheckConstraint("thumbnail_url LIKE 'http%'", name="thumbnail_url"),
    _unique_among_kept("catalog_product", "slug"),
    comment="Products: the website's, and tours or packages that only the operations panel has",
)

catalog_variant = target(
    "catalog_variant",
    metadata,
    _key("variant_key"),
    _reference("product_key", "catalog_product.product_key"),
    _word("code", 64, nullable=False),
    _word("name", 255, nullable=False),
    _word("service_type", 32, nullable=False, info=one_of(*SERVICE_TYPES)),
    sa.Column("duration_days", sa.Integer, nullable=False, info=at_least(1)),
    sa.Column("duration_nights", sa.Integer),
    _number("min_pax", 1, minimum=1),
    sa.Column("max_pax", sa.Integer),
    _currency(),
    _flag("is_default", default=False),
    _flag("is_active", default=True),
    _number("booking_cutoff_hours", 24, minimum=0),
    sa.Column("cancellation_policy", sa.Text),
    *_kept(),
    sa.CheckConstraint("max_pax IS NULL OR max_pax >= min_pax", name="max_pax"),
    _unique_among_kept("catalog_variant", "product_key", "code"),
    comment="Variants of a product: the website's, and the operations panel's packages",
)

catalog_variant_rate = target(
    "catalog_variant_rate",
    metadata,
    _key("variant_rate_key"),
    _reference("variant_key", "catalog_variant.variant_key"),
    _word("traveler_type", 16, nullable=False, info=one_of(*TRAVELER_TYPES)),
    _currency(),
    _money("price", default=False, info=at_least(0)),
    sa.Column("min_quantity", sa.Integer),
    sa.Column("max_quantity", sa.Integer),
    _time("valid_from", nullable=True),
    _time("valid_to", nullable=True),
    _flag("is_active", default=True),
    _flag("is_synthetic", default=False, comment="Made of a package's price, not of a rate plan"),
    *_kept(),
    comment="Prices of a variant per kind of traveller",
)
_index(catalog_variant_rate, "variant_key", "is_active")

# --- bookings ---------------------------------------------------------------------------------------------------------

booking_core = target(
    "booking_core",
    metadata,
    _key("booking_key"),
    _channel(),
    _word("source_enum_compat", 32, comment="Channel as the operations panel has it"),
    _word("external_booking_ref", 128, nullable=False),
    _time("booking_created_at"),
    sa.Column("booking_date", sa.Date, comment="Day in UTC"),
    sa.Column("tour_date", sa.Date, nullable=False, comment="Day in Bali"),
    sa.Column("tour_time", sa.Time, comment="Time of day in Bali"),
    _currency(),
    _money("total_price"),
    _number("number_of_adult", 0, minimum=0),
    _number("number_of_child", 0, minimum=0),
    _word("customer_payment_status", 32, nullable=False, info=one_of(*PAYMENT_STATUSES)),
    _word("ops_fulfillment_status", 32, nullable=False, info=one_of(*OPS_STATUSES)),
    _word("package_ref_type", 32, nullable=False, info=one_of(*PACKAGE_REF_TYPES)),
    sa.Column("package_ref_key", sa.Uuid, comment="Key of the product or variant; none where neither is known"),
    sa.Column("legacy_package_id", sa.BigInteger),
    sa.Column("note", sa.Text),
    sa.Column(
        "mapping_status",
        sa.String(32),
        sa.ForeignKey(f"{SCHEMA}.ref_mapping_status.status_code"),
        nullable=False,
    ),
    *_kept(),
    sa.CheckConstraint("(package_ref_type = 'LEGACY_PACKAGE') = (package_ref_key IS NULL)", name="package_ref_key"),
    _unique_among_kept("booking_core", "channel_code", "external_booking_ref"),
    comment="Bookings: one per channel and reference, whichever of the two systems had it",
)
_index(booking_core, "tour_date")
_index(booking_core, "customer_payment_status", "ops_fulfillment_status")
_index(booking_core, "booking_created_at")


def _of_booking() -> sa.Column[Any]:
    """The key of a table with one row per booking."""
    return _reference("booking_key", "booking_core.booking_key", primary_key=True)


booking_contact = target(
    "booking_contact",
    metadata,
    _of_booking(),
    _word("main_name", 191),
    _word("main_email", 191),
    _word("phone", 64, comment="E.164 where a number could be made of it"),
    sa.Column("pickup_location", sa.Text),
    sa.Column("meeting_point", sa.Text),
    _flag("is_placeholder_name", default=False),
    _flag("is_placeholder_email", default=False),
    _word("updated_from_source", 32),
    *_kept(),
    comment="How to reach the guest of a booking",
)

booking_party = target(
    "booking_party",
    metadata,
    _of_booking(),
    *(_number(name, 0) for name in ("adult_qty", "child_qty", "infant_qty")),
    sa.Column("traveler_rows", JSONB, comment="Travellers of the active items"),
    *_kept(),
    comment="Who travels on a booking",
)

booking_item_snapshot = target(
    "booking_item_snapshot",
    metadata,
    _key("booking_item_key"),
    _reference("booking_key", "booking_core.booking_key", index=True),
    _reference("variant_key", "catalog_variant.variant_key", nullable=True),
    _word("variant_external_id", 128),
    _word("departure_external_id", 128),
    _currency(),
    *(_number(name, 0) for name in ("adult_qty", "child_qty", "infant_qty")),
    _money("adult_unit_price", info=at_least(0)),
    _money("child_unit_price", info=at_least(0)),
    *(_money(name) for name in ("discount_amount", "tax_amount", "total_amount")),
    sa.Column("snapshot_json", JSONB, comment="What was sold, as the website kept it"),
    _flag("is_synthetic", default=False, comment="Made of the booking, which has no items of its own"),
    *_kept(),
    comment="Items of a booking, as they were sold",
)

channel_external_refs = target(
    "channel_external_refs",
    metadata,
    _key("external_ref_key"),
    _word("entity_type", 32, nullable=False, info=one_of(*ENTITY_TYPES)),
    sa.Column("entity_key", sa.Uuid, nullable=False),
    _channel(),
    _word("external_ref_kind", 64, nullable=False),
    _word("external_ref", 128, nullable=False),
    _word("source_system", 32, nullable=False),
    _word("source_table", 64, nullable=False),
    _word("source_pk", 128, nullable=False),
    *_kept(),
    _unique_among_kept(
        "channel_external_refs", "entity_type", "channel_code", "external_ref_kind", "external_ref", name="external_ref"
    ),
    comment="Under which ids the legacy systems and channels know a product, a variant or a booking",
)

# --- payments and operations ------------------------------------------------------------------------------------------

payment_event = target(
    "payment_event",
    metadata,
    _key("payment_key"),
    _reference("booking_key", "booking_core.booking_key"),
    _time("payment_time"),
    _money("amount", default=False),
    _currency(),
    _word("method", 32, info=one_of(*PAYMENT_METHODS)),
    _word("gateway", 64),
    _word("gateway_order_id", 128),
    _word("gateway_capture_id", 128),
    _word("payment_ref", 128),
    _word("status_raw", 64),
    _word("payment_status_v2", 64, comment="What the legacy statuses mean"),
    sa.Column("raw_payload", JSONB),
    _flag("is_synthetic", default=False, comment="Made of a settled booking of another channel"),
    *_kept(),
    _unique_among_kept("payment_event", "payment_ref"),
    comment="Payments of guests",
)
_index(payment_event, "booking_key", payment_event.c.payment_time.desc(), name="booking_key_payment_time")

ops_booking_state = target(
    "ops_booking_state",
    metadata,
    _of_booking(),
    _word("ops_fulfillment_status", 32, nullable=False),
    sa.Column("assigned_driver_id", sa.Integer),
    sa.Column("assigned_partner_id", sa.Integer),
    _time("assigned_at", nullable=True),
    _flag("is_paid_flag", default=False),
    _time("paid_at", nullable=True, comment="Time of the earliest verified payment"),
    _number("state_version", 1),
    _word("updated_from_source", 32),
    *_kept(),
    comment="Where a booking stands for operations",
)

ops_assignment = target(
    "ops_assignment",
    metadata,
    _key("assignment_key"),
    _reference("booking_key", "booking_core.booking_key"),
    sa.Column("driver_id", sa.Integer),
    sa.Column("partner_id", sa.Integer),
    _word("assignment_source", 32, nullable=False),
    _time("assigned_at"),
    _time("unassigned_at", nullable=True),
    _flag("is_active", default=True),
    sa.Column("notes", sa.Text),
    *_kept(),
    comment="Drivers assigned to bookings",
)
_index(ops_assignment, "booking_key", "is_active")

ops_finance_bridge = target(
    "ops_finance_bridge",
    metadata,
    _key("finance_bridge_key"),
    _reference("booking_key", "booking_core.booking_key"),
    sa.Column("booking_finance_id", sa.BigInteger),
    sa.Column("pattern_id", sa.BigInteger),
    _time("validated_at", nullable=True),
    _flag("is_locked", default=False),
    _word("settlement_status", 32, info=one_of(SETTLED, PENDING)),
    _time("last_reconciled_at", comment="Time of the export that was reconciled last"),
    *_kept(),
    _unique_among_kept("ops_finance_bridge", "booking_key"),
    comment="The operations panel's cost settlement of a booking",
)

# --- e-mails ----------------------------------------------------------------------------------------------------------

ingest_event_log = target(
    "ingest_event_log",
    metadata,
    _key("event_key"),
    _word("idempotency_key", 128, nullable=False, unique=True),
    _word("nonce", 128, nullable=False),
    _word("source_enum", 32, nullable=False),
    _channel(),
    _word("external_booking_ref", 128, nullable=False),
    _word("event_type", 32, nullable=False, info=one_of(*EVENT_TYPES)),
    _time("event_time"),
    _time("event_time_normalized", comment="Event time, to the second"),
    _word("payload_hash", 64, nullable=False, comment="SHA-256 of the payload's canonical JSON"),
    _flag("signature_verified", default=False),
    _word("process_status", 32, nullable=False, info=one_of(*PROCESS_STATUSES)),
    _number("attempt_count", 0),
    _time("next_retry_at", nullable=True),
    _time("request_received_at"),
    _time("processed_at", nullable=True),
    _time("idempotency_expires_at"),
    _time("nonce_expires_at"),
    sa.Column("raw_payload", JSONB, nullable=False),
    sa.Column("error_message", sa.Text),
    *_provenance(),
    sa.UniqueConstraint(
        "source_enum",
        "external_booking_ref",
        "event_type",
        "event_time_normalized",
        name="ingest_event_log_secondary_key",
    ),
    comment="Booking events that came by e-mail",
)
_index(ingest_event_log, "process_status", "next_retry_at")
_index(ingest_event_log, "nonce", ingest_event_log.c.request_received_at.desc(), name="nonce_request_received_at")
_index(ingest_event_log, "created_at")

ingest_dead_letter = target(
    "ingest_dead_letter",
    metadata,
    _key("dead_letter_key"),
    _reference("event_key", "ingest_event_log.event_key"),
    _word("reason_code", 64, nullable=False),
    sa.Column("reason_detail", sa.Text),
    _flag("poison_message", default=False),
    # What people and replays make of a letter: an export that still has its e-mail does not undo it.
    sa.Column("replay_count", sa.Integer, nullable=False, server_default="0", info=written_elsewhere()),
    _word(
        "status", 32, nullable=False, info=written_elsewhere() | one_of(*DEAD_LETTER_STATUSES), server_default="OPEN"
    ),
    _time("first_failed_at"),
    _time("last_failed_at"),
    sa.Column("next_replay_at", _TIME, info=written_elsewhere()),
    sa.Column("raw_payload", JSONB, nullable=False),
    *_provenance(),
    comment="Events that failed for good and wait for a person",
)
_index(ingest_dead_letter, "status", "last_failed_at")

# --- worklists and logs -----------------------------------------------------------------------------------------------

unmapped_queue = target(
    "unmapped_queue",
    metadata,
    _key("queue_key"),
    _word("queue_type", 64, nullable=False, info=one_of(*QUEUE_TYPES)),
    _channel(nullable=True),
    _word("source_system", 32),
    _word("source_table", 64),
    _word("source_pk", 128),
    _word("reason_code", 64, nullable=False),
    sa.Column("reason_detail", sa.Text),
    # A person moves a row on, or the load whose export no longer has its cause; a row once seen is never reset.
    _word("status", 32, nullable=False, info=owned_by_step() | one_of(*QUEUE_STATUSES), server_default="OPEN"),
    sa.Column("payload", JSONB),
    _word("resolved_by", 128, info=owned_by_step()),
    sa.Column("resolved_at", _TIME, info=owned_by_step()),
    *_provenance(),
    comment="What a person has to map or to decide",
)
_index(unmapped_queue, "status", "queue_type", "created_at")

audit_log = target(
    "audit_log",
    metadata,
    _key("audit_key"),
    sa.Column("export_id", sa.Text, nullable=False),
    _word("entity_type", 32, nullable=False),
    sa.Column("entity_key", sa.Uuid, nullable=False),
    _word("field_name", 64, nullable=False),
    _word("action", 32, nullable=False),
    _word("winner_source", 32),
    sa.Column("old_value", sa.Text),
    sa.Column("new_value", sa.Text),
    _word("resolution", 32, nullable=False),
    sa.Column("payload", JSONB),
    _created_at(),
    comment="Every value that a merge or a rule has decided against; append-only",
)
_index(audit_log, "entity_key")

merge_log = target(
    "merge_log",
    metadata,
    _key("merge_key"),
    sa.Column("export_id", sa.Text, nullable=False),
    _word("source_system", 32, nullable=False),
    _word("source_table", 64, nullable=False),
    _word("source_pk", 128, nullable=False),
    sa.Column("source_row", sa.Integer, nullable=False),
    _word("target_table", 64, nullable=False),
    sa.Column("target_key", sa.Uuid, comment="Key of the row that it was merged into, where that was loaded"),
    _word("reason_code", 64, nullable=False),
    _created_at(),
    comment="Every source row that was merged into another",
)

ENTITIES: Sequence[sa.Table] = (
    channel_registry,
    ref_mapping_status,
    channel_external_refs,
    catalog_product,
    catalog_variant,
    catalog_variant_rate,
    booking_core,
    booking_contact,
    booking_party,
    booking_item_snapshot,
    payment_event,
    ops_booking_state,
    ops_assignment,
    ops_finance_bridge,
    ingest_event_log,
    ingest_dead_letter,
    unmapped_queue,
)

# Split by the month in which their booking was made.
BY_MONTH: Sequence[sa.Table] = (
    booking_core,
    booking_contact,
    booking_party,
    booking_item_snapshot,
    payment_event,
    ops_booking_state,
    ops_assignment,
    ops_finance_bridge,
)
