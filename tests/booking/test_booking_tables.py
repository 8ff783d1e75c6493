"""The target tables: names, types, defaults and constraints as agreed, held by a real server."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from booking_assets import tables
from booking_assets.tables import ENTITIES, books, metadata
from migration.tables import Role, business_columns, loaded_columns, role_of
from migration.warehouse.ddl import ensure_schema
from migration.warehouse.upsert import Upsert, create_stage

SOFT_DELETED = {
    *("channel_external_refs", "catalog_product", "catalog_variant", "catalog_variant_rate", "booking_core"),
    *("booking_contact", "booking_party", "booking_item_snapshot", "payment_event", "ops_booking_state"),
    *("ops_assignment", "ops_finance_bridge"),
}
WITHOUT_PROVENANCE = {"ref_mapping_status", "audit_log", "merge_log"}

# A column a line: name, type, `!` = not null, `=` its default, `k` = key, `>` = the table it refers to.
AGREED = {
    "channel_registry": """
        channel_code varchar(32) k
        channel_name varchar(128) !
        is_active boolean ! =true
    """,
    "ref_mapping_status": """
        status_code varchar(32) k
        status_label varchar(128)
    """,
    "channel_external_refs": """
        external_ref_key uuid k
        entity_type varchar(32) !
        entity_key uuid !
        channel_code varchar(32) ! >channel_registry
        external_ref_kind varchar(64) !
        external_ref varchar(128) !
        source_system varchar(32) !
        source_table varchar(64) !
        source_pk varchar(128) !
    """,
    "catalog_product": """
        product_key uuid k
        slug varchar(191) !
        name varchar(255) !
        product_category varchar(128)
        short_description text
        description text
        is_active boolean ! =true
        is_featured boolean ! =false
        thumbnail_url text
        color_code varchar(32)
        priority integer
        country_code varchar(2) ! =ID
        region varchar(128)
        base_meeting_point text
    """,
    "catalog_variant": """
        variant_key uuid k
        product_key uuid ! >catalog_product
        code varchar(64) !
        name varchar(255) !
        service_type varchar(32) !
        duration_days integer !
        duration_nights integer
        min_pax integer ! =1
        max_pax integer
        currency_code varchar(3) ! =USD
        is_default boolean ! =false
        is_active boolean ! =true
        booking_cutoff_hours integer ! =24
        cancellation_policy text
    """,
    "catalog_variant_rate": """
        variant_rate_key uuid k
        variant_key uuid ! >catalog_variant
        traveler_type varchar(16) !
        currency_code varchar(3) ! =USD
        price numeric(12,2) !
        min_quantity integer
        max_quantity integer
        valid_from timestamptz
        valid_to timestamptz
        is_active boolean ! =true
        is_synthetic boolean ! =false
    """,
    "booking_core": """
        booking_key uuid k
        channel_code varchar(32) ! >channel_registry
        source_enum_compat varchar(32)
        external_booking_ref varchar(128) !
        booking_created_at timestamptz !
        booking_date date
        tour_date date !
        tour_time time
        currency_code varchar(3) ! =USD
        total_price numeric(12,2) ! =0
        number_of_adult integer ! =0
        number_of_child integer ! =0
        customer_payment_status varchar(32) !
        ops_fulfillment_status varchar(32) !
        package_ref_type varchar(32) !
        package_ref_key uuid
        legacy_package_id bigint
        note text
        mapping_status varchar(32) ! >ref_mapping_status
    """,
    "booking_contact": """
        booking_key uuid k >booking_core
        main_name varchar(191)
        main_email varchar(191)
        phone varchar(64)
        pickup_location text
        meeting_point text
        is_placeholder_name boolean ! =false
        is_placeholder_email boolean ! =false
        updated_from_source varchar(32)
    """,
    "booking_party": """
        booking_key uuid k >booking_core
        adult_qty integer ! =0
        child_qty integer ! =0
        infant_qty integer ! =0
        traveler_rows jsonb
    """,
    "booking_item_snapshot": """
        booking_item_key uuid k
        booking_key uuid ! >booking_core
        variant_key uuid >catalog_variant
        variant_external_id varchar(128)
        departure_external_id varchar(128)
        currency_code varchar(3) ! =USD
        adult_qty integer ! =0
        child_qty integer ! =0
        infant_qty integer ! =0
        adult_unit_price numeric(12,2) ! =0
        child_unit_price numeric(12,2) ! =0
        discount_amount numeric(12,2) ! =0
        tax_amount numeric(12,2) ! =0
        total_amount numeric(12,2) ! =0
        snapshot_json jsonb
        is_synthetic boolean ! =false
    """,
    "payment_event": """
        payment_key uuid k
        booking_key uuid ! >booking_core
        payment_time timestamptz !
        amount numeric(12,2) !
        currency_code varchar(3) ! =USD
        method varchar(32)
        gateway varchar(64)
        gateway_order_id varchar(128)
        gateway_capture_id varchar(128)
        payment_ref varchar(128)
        status_raw varchar(64)
        payment_status_v2 varchar(64)
        raw_payload jsonb
        is_synthetic boolean ! =false
    """,
    "ops_booking_state": """
        booking_key uuid k >booking_core
        ops_fulfillment_status varchar(32) !
        assigned_driver_id integer
        assigned_partner_id integer
        assigned_at timestamptz
        is_paid_flag boolean ! =false
        paid_at timestamptz
        state_version integer ! =1
        updated_from_source varchar(32)
    """,
    "ops_assignment": """
        assignment_key uuid k
        booking_key uuid ! >booking_core
        driver_id integer
        partner_id integer
        assignment_source varchar(32) !
        assigned_at timestamptz !
        unassigned_at timestamptz
        is_active boolean ! =true
        notes text
    """,
    "ops_finance_bridge": """
        finance_bridge_key uuid k
        booking_key uuid ! >booking_core
        booking_finance_id bigint
        pattern_id bigint
        validated_at timestamptz
        is_locked boolean ! =false
        settlement_status varchar(32)
        last_reconciled_at timestamptz !
    """,
    "ingest_event_log": """
        event_key uuid k
        idempotency_key varchar(128) !
        nonce varchar(128) !
        source_enum varchar(32) !
        channel_code varchar(32) ! >channel_registry
        external_booking_ref varchar(128) !
        event_type varchar(32) !
        event_time timestamptz !
        event_time_normalized timestamptz !
        payload_hash varchar(64) !
        signature_verified boolean ! =false
        process_status varchar(32) !
        attempt_count integer ! =0
        next_retry_at timestamptz
        request_received_at timestamptz !
        processed_at timestamptz
        idempotency_expires_at timestamptz !
        nonce_expires_at timestamptz !
        raw_payload jsonb !
        error_message text
    """,
    "ingest_dead_letter": """
        dead_letter_key uuid k
        event_key uuid ! >ingest_event_log
        reason_code varchar(64) !
        reason_detail text
        poison_message boolean ! =false
        replay_count integer ! =0
        status varchar(32) ! =OPEN
        first_failed_at timestamptz !
        last_failed_at timestamptz !
        next_replay_at timestamptz
        raw_payload jsonb !
    """,
    "unmapped_queue": """
        queue_key uuid k
        queue_type varchar(64) !
        channel_code varchar(32) >channel_registry
        source_system varchar(32)
        source_table varchar(64)
        source_pk varchar(128)
        reason_code varchar(64) !
        reason_detail text
        status varchar(32) ! =OPEN
        payload jsonb
        resolved_by varchar(128)
        resolved_at timestamptz
    """,
    "audit_log": """
        audit_key uuid k
        export_id text !
        entity_type varchar(32) !
        entity_key uuid !
        field_name varchar(64) !
        action varchar(32) !
        winner_source varchar(32)
        old_value text
        new_value text
        resolution varchar(32) !
        payload jsonb
        created_at timestamptz ! =now()
    """,
    "merge_log": """
        merge_key uuid k
        export_id text !
        source_system varchar(32) !
        source_table varchar(64) !
        source_pk varchar(128) !
        source_row integer !
        target_table varchar(64) !
        target_key uuid
        reason_code varchar(64) !
        created_at timestamptz ! =now()
    """,
}
UNIQUE = {
    "channel_external_refs": [("entity_type", "channel_code", "external_ref_kind", "external_ref")],
    "catalog_product": [("slug",)],
    "catalog_variant": [("product_key", "code")],
    "booking_core": [("channel_code", "external_booking_ref")],
    "payment_event": [("payment_ref",)],
    "ops_finance_bridge": [("booking_key",)],
}
INDEXES = {
    "catalog_variant_rate (variant_key, is_active)",
    "booking_core (tour_date)",
    "booking_core (customer_payment_status, ops_fulfillment_status)",
    "booking_core (booking_created_at)",
    "booking_item_snapshot (booking_key)",
    "payment_event (booking_key, payment_time DESC)",
    "ops_assignment (booking_key, is_active)",
    "ingest_event_log (process_status, next_retry_at)",
    "ingest_event_log (nonce, request_received_at DESC)",
    "ingest_event_log (created_at)",
    "ingest_dead_letter (status, last_failed_at)",
    "unmapped_queue (status, queue_type, created_at)",
    "audit_log (entity_key)",
}
_SHORT = {"timestamp with time zone": "timestamptz", "time without time zone": "time"}
_MISSING = object()


def agreed_lines(name: str) -> list[str]:
    lines = [line.strip() for line in AGREED[name].strip().splitlines()]
    if name in SOFT_DELETED:
        lines.append("is_deleted boolean ! =false")
    if name not in WITHOUT_PROVENANCE:
        lines += ["export_id text !", "created_at timestamptz ! =now()", "updated_at timestamptz ! =now()"]
    return lines


@pytest.fixture
def connection(engine: sa.Engine) -> Iterator[sa.Connection]:
    with engine.connect() as opened:
        ensure_schema(opened, metadata)
        yield opened


def described(connection: sa.Connection, name: str) -> list[str]:
    """The columns of a table in the catalog of the server, written as they were agreed."""
    inspector = sa.inspect(connection)
    keys = inspector.get_pk_constraint(name, schema="booking")["constrained_columns"]
    parents = {
        key["constrained_columns"][0]: key["referred_table"]
        for key in inspector.get_foreign_keys(name, schema="booking")
    }
    statement = sa.text(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid) FROM pg_attribute"
        " LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
        " WHERE attrelid = CAST(:name AS regclass) AND attnum > 0 ORDER BY attnum"
    )
    lines = []
    for column, kind, required, default in connection.execute(statement, {"name": f"booking.{name}"}):
        kind = _SHORT.get(kind, kind.replace("character varying", "varchar"))
        parts = [column, kind, "k" if column in keys else "!" if required else ""]
        parts.append("" if default is None else "=" + re.sub(r"^'(.*)'::.*$", r"\1", default))
        parts.append(f">{parents[column]}" if column in parents else "")
        lines.append(" ".join(filter(None, parts)))
    return lines


def test_the_tables_are_the_agreed_ones() -> None:
    assert {table.name for table in metadata.tables.values()} == {*AGREED, *(table.name for table in books.tables)}
    assert len(ENTITIES) == 17
    assert {table.name for table in ENTITIES} == {*AGREED} - {"audit_log", "merge_log"}


def test_the_columns_are_the_agreed_ones(connection: sa.Connection) -> None:
    for name in AGREED:
        assert described(connection, name) == agreed_lines(name), name


def test_the_indexes_are_the_agreed_ones(connection: sa.Connection) -> None:
    statement = sa.text("SELECT indexdef FROM pg_indexes WHERE schemaname = 'booking' AND tablename = ANY(:names)")
    definitions = connection.scalars(statement, {"names": list(AGREED)})
    plain = {
        re.sub(r"^.* ON booking\.(\w+) USING btree (.*)$", r"\1 \2", each)
        for each in definitions
        if "UNIQUE" not in each
    }
    assert {each for each in plain if "WHERE" not in each} == INDEXES


def test_what_is_unique_is_so_among_rows_that_are_not_deleted(connection: sa.Connection) -> None:
    statement = sa.text(
        "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'x' AND connamespace = 'booking'::regnamespace"
    )
    found = {(name.removeprefix("booking."), definition) for name, definition in connection.execute(statement)}
    assert found == {
        (
            name,
            f"EXCLUDE USING btree ({', '.join(f'{column} WITH =' for column in columns)}) WHERE ((NOT is_deleted))"
            " DEFERRABLE INITIALLY DEFERRED",
        )
        for name, uniques in UNIQUE.items()
        for columns in uniques
    }


def test_what_a_load_writes() -> None:
    for table in ENTITIES:
        loaded = {column.name for column in loaded_columns(table)}
        assert not loaded & {"export_id", "created_at", "updated_at"}, table.name
        assert ("is_deleted" in loaded) == (table.name in SOFT_DELETED)
        assert table.comment
    assert {"status", "resolved_by", "resolved_at"} & {
        c.name for c in business_columns(tables.unmapped_queue.c)
    } == set()
    assert role_of(tables.unmapped_queue.c.status) is Role.STEP


# --- rows that hold, and rows that do not -----------------------------------------------------------------------------

KEYS = {name: uuid.UUID(int=number) for number, name in enumerate(AGREED, start=1)}
NOW = sa.func.now()


def good_rows() -> dict[str, dict[str, Any]]:
    """One row of each table that its constraints accept, parents first."""
    product, variant = KEYS["catalog_product"], KEYS["catalog_variant"]
    booking, event = KEYS["booking_core"], KEYS["ingest_event_log"]
    return {
        "channel_registry": {"channel_code": "DIRECT", "channel_name": "Direct Website"},
        "ref_mapping_status": {"status_code": "UNMAPPED", "status_label": "Waiting Mapping"},
        "catalog_product": {"product_key": product, "slug": "ubud", "name": "Ubud"},
        "catalog_variant": {
            "variant_key": variant,
            "product_key": product,
            "code": "A",
            "name": "A",
            "service_type": "PRIVATE",
            "duration_days": 1,
        },
        "catalog_variant_rate": {
            "variant_rate_key": KEYS["catalog_variant_rate"],
            "variant_key": variant,
            "traveler_type": "ADULT",
            "price": 80,
        },
        "booking_core": {
            "booking_key": booking,
            "channel_code": "DIRECT",
            "external_booking_ref": "X",
            "booking_created_at": NOW,
            "tour_date": NOW,
            "customer_payment_status": "PAID",
            "ops_fulfillment_status": "NEW",
            "package_ref_type": "LEGACY_PACKAGE",
            "mapping_status": "UNMAPPED",
        },
        "booking_contact": {"booking_key": booking},
        "booking_party": {"booking_key": booking},
        "booking_item_snapshot": {"booking_item_key": KEYS["booking_item_snapshot"], "booking_key": booking},
        "channel_external_refs": {
            "external_ref_key": KEYS["channel_external_refs"],
            "entity_type": "BOOKING",
            "entity_key": booking,
            "channel_code": "DIRECT",
            "external_ref_kind": "BOOKING_REF",
            "external_ref": "X",
            "source_system": "canonical",
            "source_table": "booking_core",
            "source_pk": str(booking),
        },
        "payment_event": {
            "payment_key": KEYS["payment_event"],
            "booking_key": booking,
            "payment_time": NOW,
            "amount": -5,
            "payment_ref": "P",
        },
        "ops_booking_state": {"booking_key": booking, "ops_fulfillment_status": "NEW"},
        "ops_assignment": {
            "assignment_key": KEYS["ops_assignment"],
            "booking_key": booking,
            "assignment_source": "bstadmin",
            "assigned_at": NOW,
        },
        "ops_finance_bridge": {
            "finance_bridge_key": KEYS["ops_finance_bridge"],
            "booking_key": booking,
            "last_reconciled_at": NOW,
        },
        "ingest_event_log": {
            "event_key": event,
            **dict.fromkeys(("idempotency_key", "nonce", "external_booking_ref", "payload_hash"), "x"),
            "source_enum": "DIRECT",
            "channel_code": "DIRECT",
            "event_type": "CREATED",
            "process_status": "DONE",
            **dict.fromkeys(("event_time", "event_time_normalized", "request_received_at"), NOW),
            **dict.fromkeys(("idempotency_expires_at", "nonce_expires_at"), NOW),
            "raw_payload": {},
        },
        "ingest_dead_letter": {
            "dead_letter_key": KEYS["ingest_dead_letter"],
            "event_key": event,
            "reason_code": "SCHEMA_MISMATCH",
            "first_failed_at": NOW,
            "last_failed_at": NOW,
            "raw_payload": {},
        },
        "unmapped_queue": {
            "queue_key": KEYS["unmapped_queue"],
            "queue_type": "VARIANT_MAPPING",
            "reason_code": "NO_MATCH",
        },
        "audit_log": {
            "audit_key": KEYS["audit_log"],
            "entity_type": "BOOKING",
            "entity_key": booking,
            "field_name": "tour_date",
            "action": "MERGE_CONFLICT",
            "resolution": "FRESHER",
        },
        "merge_log": {
            "merge_key": KEYS["merge_log"],
            "source_system": "bstadmin",
            "source_table": "bookings",
            "source_pk": "1",
            "source_row": 1,
            "target_table": "booking_core",
            "reason_code": "SAME_IDENTITY",
        },
    }


def insert(connection: sa.Connection, name: str, **changes: Any) -> None:
    table = metadata.tables[f"booking.{name}"]
    row = good_rows()[name] | changes
    if "export_id" in table.c:
        row = {"export_id": "e1"} | row
    connection.execute(sa.insert(table).values({key: value for key, value in row.items() if value is not _MISSING}))


@pytest.fixture
def filled(connection: sa.Connection) -> sa.Connection:
    for name in good_rows():
        insert(connection, name)
    connection.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
    connection.execute(sa.text("SET CONSTRAINTS ALL DEFERRED"))
    return connection


BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("channel_external_refs", {"entity_type": "RATE"}),
    ("channel_external_refs", {"channel_code": "FAX"}),
    ("catalog_product", {"slug": None}),
    ("catalog_product", {"thumbnail_url": "ftp://x"}),
    ("catalog_variant", {"product_key": KEYS["booking_core"]}),
    ("catalog_variant", {"service_type": "GROUP"}),
    ("catalog_variant", {"duration_days": 0}),
    ("catalog_variant", {"min_pax": 0}),
    ("catalog_variant", {"min_pax": 3, "max_pax": 2}),
    ("catalog_variant", {"booking_cutoff_hours": -1}),
    ("catalog_variant_rate", {"traveler_type": "SENIOR"}),
    ("catalog_variant_rate", {"price": -1}),
    ("catalog_variant_rate", {"price": None}),
    ("booking_core", {"tour_date": None}),
    ("booking_core", {"number_of_adult": -1}),
    ("booking_core", {"number_of_child": -1}),
    ("booking_core", {"customer_payment_status": "CONFIRMED"}),
    ("booking_core", {"ops_fulfillment_status": "OPEN"}),
    ("booking_core", {"package_ref_type": "TOUR"}),
    ("booking_core", {"package_ref_type": "CATALOG_PRODUCT"}),
    ("booking_core", {"package_ref_key": KEYS["catalog_product"]}),
    ("booking_core", {"mapping_status": "LOST"}),
    ("booking_core", {"external_booking_ref": "x" * 129}),
    ("booking_item_snapshot", {"adult_unit_price": -1}),
    ("booking_item_snapshot", {"child_unit_price": -1}),
    ("booking_item_snapshot", {"variant_key": KEYS["booking_core"]}),
    ("payment_event", {"method": "CARD"}),
    ("payment_event", {"amount": None}),
    ("ops_finance_bridge", {"settlement_status": "OPEN"}),
    ("ingest_event_log", {"event_type": "MOVED"}),
    ("ingest_event_log", {"process_status": "NEW"}),
    ("ingest_event_log", {"raw_payload": sa.null()}),
    ("ingest_dead_letter", {"status": "NEW"}),
    ("unmapped_queue", {"queue_type": "OTHER"}),
    ("unmapped_queue", {"status": "NEW"}),
    ("merge_log", {"source_row": None}),
]


@pytest.mark.parametrize("name", [name for name in AGREED if name not in {"channel_registry", "ref_mapping_status"}])
def test_what_breaks_a_constraint_is_refused(filled: sa.Connection, name: str) -> None:
    (key,) = metadata.tables[f"booking.{name}"].primary_key.columns
    own_key = {} if key.foreign_keys else {key.name: uuid.uuid4()}
    for changes in [changes for broken, changes in BROKEN if broken == name]:
        with pytest.raises((sa.exc.IntegrityError, sa.exc.DataError)), filled.begin_nested():
            insert(filled, name, **own_key, **changes)
    with pytest.raises(sa.exc.IntegrityError), filled.begin_nested():
        insert(filled, name)


@pytest.mark.parametrize("name", list(UNIQUE))
def test_a_value_is_unique_once_all_is_written(filled: sa.Connection, name: str) -> None:
    table = metadata.tables[f"booking.{name}"]
    (key,) = table.primary_key.columns
    insert(filled, name, **{key.name: uuid.uuid4(), "is_deleted": True})
    filled.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
    filled.execute(sa.text("SET CONSTRAINTS ALL DEFERRED"))
    insert(filled, name, **{key.name: uuid.uuid4()})
    with pytest.raises(sa.exc.IntegrityError):
        filled.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))


def test_payments_without_a_reference_are_many(filled: sa.Connection) -> None:
    for _ in range(2):
        insert(filled, "payment_event", payment_key=uuid.uuid4(), payment_ref=None)
    filled.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))


def test_two_slugs_are_swapped_by_one_upsert(filled: sa.Connection) -> None:
    table = tables.catalog_product
    other = uuid.uuid4()
    insert(filled, "catalog_product", product_key=other, slug="canggu")
    columns = [table.c.product_key, table.c.slug, table.c.name]
    stage = create_stage(filled, columns, table.name)
    swapped = [(KEYS["catalog_product"], "canggu", "Ubud"), (other, "ubud", "Ubud")]
    filled.execute(sa.insert(stage), [{"product_key": k, "slug": s, "name": n} for k, s, n in swapped])
    assert Upsert(table, stage, columns, "e2").run(filled, books.change, "r2").updated == 2
    filled.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
    found = filled.execute(sa.select(table.c.slug, table.c.export_id).where(table.c.product_key == other)).one()
    assert tuple(found) == ("ubud", "e2")


def test_the_run_log_names_batch_and_script(connection: sa.Connection) -> None:
    log = books.run_log
    row = {"run_id": "r1", "export_id": "e1", "asset": "booking_core", "dry_run": False, "status": "failed"}
    connection.execute(sa.insert(log).values(**row, started_at=NOW, error="Broken"))
    found = connection.execute(
        sa.select(log.c.batch_code, log.c.script_name, log.c.script_checksum, log.c.error_message, log.c.rows_affected)
    ).one()
    assert tuple(found) == ("phase2", "booking/booking_core", "", "Broken", None)
