"""Small clean records that tests change one value of."""

from typing import Any

from tests.booking.booking_files import TABLES, Row

Export = dict[str, list[Any]]
Record = tuple[str, Row]

NOW = "2026-02-19T00:00:00Z"
OLD, NEW = "2026-02-10T00:00:00Z", "2026-02-12T00:00:00Z"
STAMPS = {"created_at": "2026-01-01T00:00:00Z", "updated_at": OLD}


def product(key: int, /, **values: Any) -> Record:
    """A product of the website."""
    clean = {"product_id": key, "product_name": f"Product number {key}", "slug": f"product-{key}", "is_active": True}
    return "balisnap.TourProduct", clean | STAMPS | values


def media(key: int, product_id: Any, url: Any, /, **values: Any) -> Record:
    """An image of a product."""
    return "balisnap.TourProductMedia", {"media_id": key, "product_id": product_id, "url": url, **values}


def variant(key: int, product_id: Any, /, **values: Any) -> Record:
    """A variant of a product."""
    clean = {"variant_id": key, "product_id": product_id, "variant_code": f"V{key}", "service_type": "PRIVATE"}
    return "balisnap.TourVariant", clean | {"currency_code": "USD", "is_active": True} | STAMPS | values


def rate(key: int, variant_id: Any, price: Any = 10, /, **values: Any) -> Record:
    """A rate plan of a variant."""
    clean = {"rate_plan_id": key, "variant_id": variant_id, "traveler_type": "ADULT", "price": price}
    return "balisnap.VariantRatePlan", clean | {"currency_code": "USD", "is_active": True} | STAMPS | values


def itinerary(key: int, variant_id: Any, start_time: Any, /, **values: Any) -> Record:
    """A stop of a variant."""
    clean = {"itinerary_id": key, "variant_id": variant_id, "day": 1, "sort_order": 1, "start_time": start_time}
    return "balisnap.VariantItinerary", clean | values


def departure(key: int, start_date: Any, /, **values: Any) -> Record:
    """A departure."""
    return "balisnap.Departure", {"departure_id": key, "start_date": start_date, **values}


def direct(key: int, ref: Any, /, **values: Any) -> Record:
    """A booking of the website."""
    clean = {
        "booking_id": key,
        "booking_ref": ref,
        "booking_date": "2026-03-01T02:00:00Z",
        "total_price": 100,
        "currency_code": "USD",
        "number_of_adult": 2,
        "number_of_child": 0,
        "status": "pending",
        "main_contact_name": "Ann Lee",
        "main_contact_email": "ann@mail.test",
        "phone_number": "+62 811 0000 001",
    }
    return "balisnap.Booking", clean | STAMPS | values


def item(key: int, booking_id: Any, total: Any, /, **values: Any) -> Record:
    """An item of a website booking."""
    clean = {"booking_item_id": key, "booking_id": booking_id, "item_status": "ACTIVE", "currency_code": "USD"}
    return "balisnap.BookingItem", clean | {"adult_qty": 2, "child_qty": 0, "total_amount": total} | STAMPS | values


def traveller(key: int, item_id: Any, /, **values: Any) -> Record:
    """A traveller of an item."""
    clean = {"traveler_id": key, "booking_item_id": item_id, "traveler_type": "ADULT", "first_name": "Ann"}
    return "balisnap.BookingTraveler", clean | values


def payment(key: int, booking_id: Any, status: Any = "COMPLETED", /, **values: Any) -> Record:
    """A payment of a website booking."""
    clean = {
        "payment_id": key,
        "booking_id": booking_id,
        "payment_date": "2026-01-03T00:00:00Z",
        "amount": 100,
        "payment_method": "PayPal",
        "payment_status": "pending",
        "payment_status_v2": status,
        "currency_code": "USD",
    }
    return "balisnap.Payment", clean | STAMPS | values


def tour(key: int, /, **values: Any) -> Record:
    """A tour of operations."""
    clean = {"tour_id": key, "tour_name": f"Tour number {key}", "slug": f"tour-{key}", "is_active": True}
    return "bstadmin.tours", clean | STAMPS | values


def package(key: int, tour_id: Any = None, /, **values: Any) -> Record:
    """A package of operations."""
    clean = {"package_id": key, "tour_id": tour_id, "package_name": f"Package number {key}", "slug": f"package-{key}"}
    return "bstadmin.tour_packages", clean | {"price_per_person": 50, "base_currency": "USD"} | STAMPS | values


def image(key: int, package_id: Any, url: Any = "https://img.test/a.jpg", /, **values: Any) -> Record:
    """An image of a package."""
    return "bstadmin.tour_images", {"image_id": key, "url": url, "tour_id": package_id, **values}


def stop(key: int, package_id: Any, /, **values: Any) -> Record:
    """An activity of a package."""
    return "bstadmin.tour_itineraries", {"itinerary_id": key, "package_id": package_id, **values}


def booked(key: int, ref: Any, source: Any = "DIRECT", /, **values: Any) -> Record:
    """A booking of operations; what it says by itself is what `direct` says."""
    clean = {
        "booking_id": key,
        "booking_ref": ref,
        "source": source,
        "booking_date": "2026-03-01T02:00:00Z",
        "tour_name": "Ubud",
        "tour_date": "2026-03-01",
        "total_price": 100,
        "currency": "USD",
        "number_of_adult": 2,
        "number_of_child": 0,
        "status": "NEW",
        "main_contact_name": "Ann Lee",
        "main_contact_email": "ann@mail.test",
        "phone_number": "+62 811 0000 001",
        "is_paid": True,
    }
    return "bstadmin.bookings", clean | STAMPS | values


def finance(key: int, booking_id: Any, /, **values: Any) -> Record:
    """A settlement of a booking."""
    return "bstadmin.booking_finances", {"booking_finance_id": key, "booking_id": booking_id} | STAMPS | values


def cost(key: int, finance_id: Any, paid: Any = True, /, **values: Any) -> Record:
    """An item of a settlement."""
    clean = {"finance_item_id": key, "booking_finance_id": finance_id, "paid": paid, "amount": 100_000}
    return "bstadmin.booking_finance_items", clean | STAMPS | values


def mail(key: str, ref: Any, source: Any = "GYG", /, **values: Any) -> Record:
    """An e-mail about a booking."""
    clean = {
        "id": key,
        "message_id": f"<{key}@mail.test>",
        "subject": "New booking",
        "from": "bot@mail.test",
        "to": "ops@mail.test",
        "received_at": "2026-01-02T03:04:05Z",
        "body": "A booking.",
        "is_booking_email": True,
        "source": source,
        "parsed_data": {"bookingRef": ref},
        "created_at": "2026-01-02T03:04:06Z",
    }
    return "bstadmin.email_inbox", clean | values


def job(key: str, mail_id: Any, status: Any = "COMPLETED", /, **values: Any) -> Record:
    """An attempt to parse an e-mail."""
    clean = {"id": key, "email_inbox_id": mail_id, "status": status, "attempts": 1, "max_attempts": 3}
    return "bstadmin.email_jobs", clean | {"created_at": "2026-01-02T03:05:00Z"} | values


def tie(key: int, booking_id: Any, mail_id: Any, /, **values: Any) -> Record:
    """A tie between a booking and an e-mail."""
    clean = {"id": key, "booking_id": booking_id, "email_id": mail_id, "relation_type": "CREATED"}
    return "bstadmin.booking_emails", clean | values


def export_of(*records: Record) -> Export:
    """Records by their tables."""
    export: Export = {table: [] for table in TABLES}
    for table, record in records:
        export[table].append(record)
    return export
