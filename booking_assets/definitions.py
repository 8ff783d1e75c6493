"""The Definitions of the Booking code location."""

from booking_assets.assets import BOOKING
from booking_assets.assets.booking_identity import booking_identity
from booking_assets.assets.bookings import (
    booking_contact,
    booking_core,
    booking_item_snapshot,
    booking_party,
    channel_external_refs,
)
from booking_assets.assets.catalog import catalog_product, catalog_variant, catalog_variant_rate
from booking_assets.assets.catalog_bridge import catalog_bridge
from booking_assets.assets.export import export
from booking_assets.assets.ingest import ingest_clean, ingest_dead_letter, ingest_event_log
from booking_assets.assets.operations import finance_clean, ops_assignment, ops_booking_state, ops_finance_bridge
from booking_assets.assets.payments import payment_event, payments_clean
from booking_assets.assets.quality import quality_report
from booking_assets.assets.reference import channel_registry, ref_mapping_status
from booking_assets.automation import AUTOMATION
from booking_assets.options import BookingRun
from migration.automation import build_definitions

defs = build_definitions(
    BOOKING,
    [
        export,
        channel_registry,
        ref_mapping_status,
        catalog_bridge,
        catalog_product,
        catalog_variant,
        catalog_variant_rate,
        booking_identity,
        payments_clean,
        finance_clean,
        booking_core,
        booking_contact,
        booking_item_snapshot,
        booking_party,
        channel_external_refs,
        payment_event,
        ops_booking_state,
        ops_assignment,
        ops_finance_bridge,
        ingest_clean,
        ingest_event_log,
        ingest_dead_letter,
        quality_report,
    ],
    AUTOMATION,
    BookingRun(),
)

SYSTEM = BOOKING
