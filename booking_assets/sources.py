"""The legacy tables of both booking systems: the public website (balisnap) and the operations panel (bstadmin)."""

import re
from functools import partial

from migration.exports.sources import SourceTable

BALISNAP, BSTADMIN = "balisnap", "bstadmin"

_TIMES = ("created_at", "updated_at")
_CAPITAL = re.compile("[A-Z]")


def database_name(key: str, primary_key: str) -> str:
    """The column that a key of a row means: `id` is the primary key, `tourDate` is `tour_date`."""
    return primary_key if key == "id" else _CAPITAL.sub(lambda letter: f"_{letter[0].lower()}", key)


def _website(name: str, *columns: str, required: bool = True) -> SourceTable:
    """A table of the website; its first column is the primary key."""
    return SourceTable(
        name,
        columns=columns,
        key=columns[0],
        required_keys=columns[:1],
        required=required,
        folder=BALISNAP,
        max_malformed_percent=10,
        short_csv_rows="pad",
        surrogates="remove",
    )


def _panel(name: str, model: str, *columns: str, required: bool = True) -> SourceTable:
    """A table of the operations panel, under its own name or its model's, with columns in either spelling."""
    return SourceTable(
        name,
        columns=columns,
        key=columns[0],
        required_keys=columns[:1],
        required=required,
        folder=BSTADMIN,
        aliases=(model,),
        rename_key=partial(database_name, primary_key=columns[0]),
        max_malformed_percent=10,
        short_csv_rows="pad",
        surrogates="remove",
    )


# --- website ----------------------------------------------------------------------------------------------------------

tour_products = _website(
    "TourProduct",
    "product_id",
    "legacy_package_id",
    "product_name",
    "slug",
    "short_description",
    "description",
    "category",
    "country_code",
    "region",
    "base_meeting_point",
    "is_featured",
    "is_active",
    "thumbnail_url",
    "color_code",
    "priority",
    *_TIMES,
)
tour_product_media = _website(
    "TourProductMedia",
    "media_id",
    "product_id",
    "url",
    "alt_text",
    "sort_order",
    "is_cover",
    "created_at",
    required=False,
)
tour_variants = _website(
    "TourVariant",
    "variant_id",
    "product_id",
    "legacy_package_id",
    "variant_code",
    "variant_name",
    "service_type",
    "duration_days",
    "duration_nights",
    "min_pax",
    "max_pax",
    "currency_code",
    "is_default",
    "is_active",
    "booking_cutoff_hours",
    "cancellation_policy",
    *_TIMES,
)
variant_rate_plans = _website(
    "VariantRatePlan",
    "rate_plan_id",
    "variant_id",
    "traveler_type",
    "price",
    "currency_code",
    "min_quantity",
    "max_quantity",
    "valid_from",
    "valid_to",
    "season_start",
    "season_end",
    "is_active",
    *_TIMES,
)
variant_itineraries = _website(
    "VariantItinerary",
    "itinerary_id",
    "variant_id",
    "day",
    "sort_order",
    "title",
    "start_time",
    required=False,
)
departures = _website(
    "Departure",
    "departure_id",
    "variant_id",
    "start_date",
    "end_date",
    "status",
    "meeting_point",
    required=False,
)
website_bookings = _website(
    "Booking",
    "booking_id",
    "user_id",
    "package_id",
    "booking_date",
    "total_price",
    "number_of_adult",
    "number_of_child",
    "status",
    "status_v2",
    "currency_code",
    *_TIMES,
    "booking_ref",
    "main_contact_name",
    "main_contact_email",
    "phone_number",
    "meeting_point",
    "note",
)
booking_items = _website(
    "BookingItem",
    "booking_item_id",
    "booking_id",
    "variant_id",
    "departure_id",
    "item_status",
    "currency_code",
    "adult_qty",
    "child_qty",
    "infant_qty",
    "adult_unit_price",
    "child_unit_price",
    "infant_unit_price",
    "subtotal",
    "discount_amount",
    "tax_amount",
    "total_amount",
    "snapshot",
    *_TIMES,
)
booking_travelers = _website(
    "BookingTraveler",
    "traveler_id",
    "booking_item_id",
    "traveler_type",
    "title",
    "first_name",
    "last_name",
    "email",
    "phone",
    "birth_date",
    "nationality",
    "passport_number",
    "special_request",
    *_TIMES,
    required=False,
)
payments = _website(
    "Payment",
    "payment_id",
    "booking_id",
    "user_id",
    "payment_date",
    "amount",
    "payment_method",
    "payment_status",
    "payment_status_v2",
    "currency_code",
    "gateway",
    "gateway_order_id",
    "gateway_capture_id",
    "raw_payload",
    "payment_ref",
    *_TIMES,
)

# --- operations panel -------------------------------------------------------------------------------------------------

tours = _panel("tours", "Tour", "tour_id", "tour_name", "slug", "description", "is_active", *_TIMES)
tour_packages = _panel(
    "tour_packages",
    "TourPackage",
    "package_id",
    "tour_id",
    "package_name",
    "slug",
    "short_description",
    "description",
    "duration_days",
    "price_per_person",
    "price_per_child",
    "base_currency",
    "min_booking",
    "max_booking",
    "is_featured",
    "thumbnail_url",
    "color_code",
    "priority",
    *_TIMES,
)
# Its tour_id holds the id of a package.
tour_images = _panel("tour_images", "TourImage", "image_id", "url", "tour_id", "created_at", required=False)
tour_itineraries = _panel(
    "tour_itineraries",
    "TourItinerary",
    "itinerary_id",
    "package_id",
    "activity_id",
    "start_time",
    "day",
    required=False,
)
panel_bookings = _panel(
    "bookings",
    "Booking",
    "booking_id",
    "booking_ref",
    "user_id",
    "package_id",
    "booking_date",
    "tour_name",
    "tour_date",
    "tour_time",
    "total_price",
    "currency",
    "number_of_adult",
    "number_of_child",
    "status",
    "source",
    "main_contact_name",
    "main_contact_email",
    "phone_number",
    "pickup_location",
    "meeting_point",
    "note",
    "assigned_driver_id",
    "assigned_at",
    "is_paid",
    "paid_at",
    *_TIMES,
)
booking_finances = _panel(
    "booking_finances",
    "BookingFinance",
    "booking_finance_id",
    "booking_id",
    "pattern_id",
    "assigned_at",
    "validated_at",
    "is_locked",
    "notes",
    *_TIMES,
)
booking_finance_items = _panel(
    "booking_finance_items",
    "BookingFinanceItem",
    "finance_item_id",
    "booking_finance_id",
    "direction",
    "amount",
    "paid",
    "paid_at",
    *_TIMES,
)
email_inbox = _panel(
    "email_inbox",
    "EmailInbox",
    "id",
    "message_id",
    "subject",
    "from",
    "to",
    "received_at",
    "body",
    "html_body",
    "is_booking_email",
    "source",
    "parsed_data",
    "error_message",
    "created_at",
)
email_jobs = _panel(
    "email_jobs",
    "EmailJob",
    "id",
    "email_inbox_id",
    "status",
    "attempts",
    "max_attempts",
    "error",
    "created_at",
    "processed_at",
    "next_retry_at",
    required=False,
)
booking_emails = _panel(
    "booking_emails",
    "BookingEmail",
    "id",
    "booking_id",
    "email_id",
    "relation_type",
    "created_at",
    required=False,
)

WEBSITE = (
    tour_products,
    tour_product_media,
    tour_variants,
    variant_rate_plans,
    variant_itineraries,
    departures,
    website_bookings,
    booking_items,
    booking_travelers,
    payments,
)
PANEL = (
    tours,
    tour_packages,
    tour_images,
    tour_itineraries,
    panel_bookings,
    booking_finances,
    booking_finance_items,
    email_inbox,
    email_jobs,
    booking_emails,
)
ALL = (*WEBSITE, *PANEL)
