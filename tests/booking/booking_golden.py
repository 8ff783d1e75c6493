"""The golden examples of the contract: one export that holds them all, each with ids of its own.

Booking 5 of example 2 is 2005 here, and so on. What an example must give is said about a `View`, which shows the oracle
or a real database.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.booking.booking_cases import (
    NEW,
    NOW,
    OLD,
    Export,
    Record,
    booked,
    cost,
    direct,
    export_of,
    finance,
    item,
    mail,
    package,
    payment,
    product,
    rate,
    tour,
    variant,
)
from tests.booking.booking_files import Row
from tests.booking.booking_reference import Reference
from tests.booking.booking_scalars import key_of

EXPORT_ID = "20260219T000000Z"
EXPORTED_AT = NOW

Records = Iterator[Record]


@dataclass(frozen=True)
class View:
    """What is to be seen of a migrated database.

    Attributes:
        rows: the rows of a table of the schema, UUIDs as text.
    """

    rows: Callable[[str], list[Row]]

    def some(self, table: str, **where: Any) -> list[Row]:
        """The rows of a table with these values."""
        return [row for row in self.rows(table) if all(row[name] == value for name, value in where.items())]

    def one(self, table: str, **where: Any) -> Row:
        """The one row of a table with these values."""
        found = self.some(table, **where)
        assert len(found) == 1, (table, where, len(found))
        return found[0]

    def core(self, booking_id: int, name: str = "bstadmin:bookings") -> Row:
        """The booking made of a row of a legacy system."""
        return self.one("booking_core", booking_key=key_of(f"{name}:{booking_id}"))

    def website(self, booking_id: int) -> Row:
        """The booking made of a row of the website."""
        return self.core(booking_id, "balisnap:Booking")

    def of(self, table: str, booking: Row) -> Row:
        """The one row that a table has for a booking."""
        return self.one(table, booking_key=booking["booking_key"])

    def audits(self, booking: Row, action: str = "MERGE_CONFLICT") -> dict[str, tuple[Any, ...]]:
        """Old and new value, winner and resolution of what was decided about a booking, by field."""
        found = self.some("audit_log", entity_key=booking["booking_key"], action=action)
        names = ("old_value", "new_value", "winner_source", "resolution")
        return {row["field_name"]: tuple(row[name] for name in names) for row in found}

    def refs(self, booking: Row) -> set[tuple[str, str, str]]:
        """The names that legacy systems have for a booking."""
        rows = self.some("channel_external_refs", entity_key=booking["booking_key"], entity_type="BOOKING")
        return {(row["channel_code"], row["external_ref_kind"], row["external_ref"]) for row in rows}

    def questions(self, source_pk: Any) -> list[tuple[str, str, Any]]:
        """What a person is asked about a source row."""
        rows = self.some("unmapped_queue", source_pk=str(source_pk), status="OPEN")
        return [(row["queue_type"], row["reason_code"], row["payload"]) for row in rows]

    def outcome(self, table: str, pk: Any, target: str) -> tuple[str, Any]:
        """What became of a source row, and the key of its target row."""
        row = self.one("row_ledger", source_table=table, source_pk=str(pk), target_table=target)
        return row["outcome"], row["target_key"]


def view_of(db: Reference) -> View:
    """The oracle as a view."""
    ledger_names = ("export_id", "source_table", "source_row", "target_table")
    ledger = [
        dict(zip(ledger_names, key, strict=True))
        | dict(zip(("source_pk", "outcome", "reason", "target_key"), value, strict=True))
        for key, value in db.ledger.items()
    ]
    return View(lambda table: ledger if table == "row_ledger" else list(db.tables[table].values()))


# --- the export -------------------------------------------------------------------------------------------------------


def world() -> Export:
    """The export of all examples."""
    return export_of(*(record for example in _EXAMPLES for record in example()))


def _g1() -> Records:
    yield direct(1001, " ab 12cd ")
    yield direct(1041, None)
    yield booked(1009, None, "MANUAL")


def _g2() -> Records:
    yield direct(2005, "kx7q2m", updated_at=OLD)
    yield booked(2080, "KX7Q2M", number_of_adult=3, total_price="120.00", updated_at=NEW)


def _g3() -> Records:
    yield direct(3005, "g3ref", updated_at=OLD)
    yield booked(3080, "G3REF", number_of_adult=3, total_price="120.00", updated_at=NEW)
    yield item(3001, 3005, "60.00")
    yield item(3002, 3005, "35.50", item_status="COMPLETED")
    yield item(3003, 3005, "10.00", item_status="CANCELLED")


def _g4() -> Records:
    yield direct(4005, "g4ref", updated_at=OLD)
    late = {"created_at": None, "updated_at": "2031-01-01"}
    yield booked(4080, "G4REF", number_of_adult=3, total_price="120.00", **late)


def _g5() -> Records:
    yield direct(5005, "g5ref", booking_date="2026-03-01", updated_at=OLD)
    yield booked(5080, "G5REF", booking_date="2026-03-01", tour_date="2026-03-02", updated_at=OLD)


def _g6() -> Records:
    yield direct(6005, "g6ref", booking_date="2026-02-18T16:00:00Z")


def _g7() -> Records:
    cases: list[tuple[Any, Any, list[str]]] = [
        ("PENDING_PAYMENT", None, ["FAILED", "COMPLETED"]),
        ("PAID", None, ["REFUNDED"]),
        (None, "waiting", []),
        ("EXPIRED", None, []),
        (None, None, ["COMPLETED", "REFUNDED"]),
    ]
    for number, (status_v2, status, payments) in enumerate(cases, start=7001):
        yield direct(number, f"g7ref{number}", status_v2=status_v2, status=status)
        for each, payment_status in enumerate(payments):
            yield payment(number * 10 + each, number, payment_status)


def _settled(number: int, *paid: bool, **values: Any) -> Records:
    """A booking of operations by GetYourGuide, and what of its costs is paid."""
    about = {name: values.pop(name) for name in ("pattern_id", "validated_at") if name in values}
    yield booked(number, f"gyg{number}", "GYG", **values)
    if paid or about:
        yield finance(number, number, **about)
    for each, is_paid in enumerate(paid):
        yield cost(number * 10 + each, number, is_paid)


def _g8() -> Records:
    yield from _settled(8001, True, True, paid_at="2026-01-05T00:00:00Z")
    yield from _settled(8002, True, False, paid_at="2026-01-05T00:00:00Z")
    yield from _settled(8003, True, is_paid=False)


def _g9() -> Records:
    yield from _settled(9001, True, False, status="DONE", validated_at="2026-02-01T00:00:00Z")
    yield from _settled(9002, status="UPDATED", tour_date="2026-02-19")
    yield from _settled(9003, status="UPDATED", tour_date="2026-02-20")
    yield from _settled(9004, status="NEW", assigned_driver_id=3, pattern_id=4, tour_date="2026-03-01")
    yield from _settled(9005, True, status="CANCELLED")


def _g10() -> Records:
    guest = {"main_contact_name": "Guest", "main_contact_email": "no-email@viator.com"}
    yield booked(10080, "G10REF", updated_at=NEW, phone_number="GB+44 7700 900123", **guest)
    known = {"main_contact_name": "Ann Lee", "main_contact_email": "Ann@Mail.test"}
    yield direct(10005, "g10ref", updated_at=OLD, phone_number="0812-0000-001", **known)
    yield direct(10006, "g10other", main_contact_email="ann(at)mail")


PHONES = {
    "+62 0812 0000 001": "+628120000001",
    "0061 400 000 000": "+61400000000",
    "8120000001": "+628120000001",
    "12345": "12345",
    "-": None,
}


def _g11() -> Records:
    for number, phone in enumerate(PHONES, start=11001):
        yield direct(number, f"g11ref{number}", phone_number=phone)


def _g12() -> Records:
    for number in (12001, 12002):
        yield product(number, legacy_package_id=number)
        yield variant(number, number, legacy_package_id=number)
        yield package(number, price_per_person=80, price_per_child=None, base_currency="usd")
    yield rate(12002, 12002, traveler_type="CHILD", is_active=False)


def _g13() -> Records:
    for start in (13000, 13500):
        yield tour(start + 7)
        yield product(start + 3, legacy_package_id=start + 1)
        for key in (start + 1, start + 2):
            yield package(key, start + 7)
    yield product(13504, slug="Package 13502")


def _g14() -> Records:
    for number in (14001, 14002):
        yield product(number, slug="Ubud Tour!")


def _g15() -> Records:
    yield booked(15001, "g15ref", "GYG", total_price="100.00", number_of_child=1, package_id=15009)


def _g16() -> Records:
    subject = "Updated booking: Ubud"
    yield mail("g16", "via-12345678", "BOKUN", subject=subject, received_at="2026-01-02T03:04:05.678Z")


TIMES = {"8:30 am": dt.time(8, 30), "08.00 - 16.00": dt.time(8), "Morning": None}


def _g17() -> Records:
    for number, written in enumerate(TIMES, start=17001):
        yield booked(number, f"g17ref{number}", "GYG", tour_time=written)


_EXAMPLES = (_g1, _g2, _g3, _g4, _g5, _g6, _g7, _g8, _g9, _g10, _g11, _g12, _g13, _g14, _g15, _g16, _g17)


# --- what they must give ----------------------------------------------------------------------------------------------


def _check_g1(view: View) -> None:
    assert view.website(1001)["external_booking_ref"] == "AB 12CD"
    assert view.website(1041)["external_booking_ref"] == "BS-1041"
    assert view.core(1009)["external_booking_ref"] == "OPS-1009"


def _check_g2(view: View) -> None:
    core = view.website(2005)
    assert (core["number_of_adult"], core["currency_code"], core["total_price"]) == (3, "USD", 120)
    assert (core["channel_code"], core["source_enum_compat"]) == ("DIRECT", "DIRECT")
    assert view.audits(core) == {
        "number_of_adult": ("2", "3", "bstadmin", "FRESHER"),
        "total_price": ("USD 100.00", "USD 120.00", "bstadmin", "FRESHER"),
    }
    row = view.one("audit_log", entity_key=core["booking_key"], field_name="total_price")
    assert row["payload"] == {"balisnap_pk": "2005", "bstadmin_pk": "2080"}
    assert view.refs(core) == {
        ("DIRECT", "BALISNAP_BOOKING_ID", "2005"),
        ("DIRECT", "BSTADMIN_BOOKING_ID", "2080"),
        ("DIRECT", "BOOKING_REF", "KX7Q2M"),
    }
    merged = view.one("merge_log", source_system="bstadmin", source_table="bookings", source_pk="2080")
    assert (merged["reason_code"], merged["target_key"]) == ("SAME_IDENTITY", core["booking_key"])
    assert view.outcome("bstadmin.bookings", 2080, "booking_core") == ("merged", core["booking_key"])
    assert view.outcome("balisnap.Booking", 2005, "booking_core") == ("loaded", core["booking_key"])


def _check_g3(view: View) -> None:
    core = view.website(3005)
    assert core["total_price"] == Decimal("95.50")
    assert view.audits(core)["total_price"] == ("USD 120.00", "USD 95.50", "balisnap", "ACTIVE_ITEMS")
    deleted = {row["total_amount"]: row["is_deleted"] for row in view.some("booking_item_snapshot", **_key(core))}
    assert deleted == {60: False, Decimal("35.50"): False, 10: True}


def _check_g4(view: View) -> None:
    core = view.website(4005)
    assert (core["number_of_adult"], core["total_price"]) == (2, 100)
    assert core["mapping_status"] == "REVIEW_REQUIRED"
    assert {row[2:] for row in view.audits(core).values()} == {("balisnap", "REVIEW_REQUIRED")}
    conflict = ("BOOKING_CONFLICT", "REVIEW_REQUIRED", {"fields": ["number_of_adult", "total_price"]})
    assert view.questions(core["booking_key"]) == [conflict]


def _check_g5(view: View) -> None:
    core = view.website(5005)
    assert core["tour_date"] == dt.date(2026, 3, 2)
    assert view.audits(core) == {"tour_date": ("2026-03-01", "2026-03-02", "bstadmin", "OWNER")}


def _check_g6(view: View) -> None:
    core = view.website(6005)
    assert (core["booking_date"], core["tour_date"]) == (dt.date(2026, 2, 18), dt.date(2026, 2, 19))


def _check_g7(view: View) -> None:
    found = [view.website(number)["customer_payment_status"] for number in range(7001, 7006)]
    assert found == ["PAID", "REFUNDED", "PENDING_PAYMENT", "FAILED", "PAID"]


def _check_g8(view: View) -> None:
    settled, half, drifting = (view.core(number) for number in (8001, 8002, 8003))
    assert settled["customer_payment_status"] == "PAID"
    assert view.of("ops_finance_bridge", settled)["settlement_status"] == "SETTLED"
    event = view.of("payment_event", settled)
    assert (event["method"], event["status_raw"]) == ("MANUAL", "true|2026-01-05T00:00:00Z")
    assert (event["is_synthetic"], event["amount"], event["payment_status_v2"]) == (True, 100, "PAID")
    assert view.of("ops_finance_bridge", half)["settlement_status"] == "PENDING"
    assert half["customer_payment_status"] == "PENDING_PAYMENT"
    assert view.of("ops_booking_state", half)["is_paid_flag"] is True
    assert view.some("payment_event", **_key(half)) == []
    assert (drifting["ops_fulfillment_status"], drifting["customer_payment_status"]) == ("DONE", "PENDING_PAYMENT")


def _check_g9(view: View) -> None:
    found = [view.core(number)["ops_fulfillment_status"] for number in range(9001, 9006)]
    assert found == ["COMPLETED", "ATTENTION", "UPDATED", "READY", "CANCELLED"]
    recomputed = view.audits(view.core(9001), "STATUS_RECOMPUTED")
    assert recomputed == {"ops_fulfillment_status": ("DONE", "COMPLETED", "bstadmin", "RECOMPUTED")}
    assert view.audits(view.core(9005), "STATUS_RECOMPUTED") == {}


def _check_g10(view: View) -> None:
    row = view.of("booking_contact", view.website(10005))
    assert (row["main_name"], row["main_email"], row["phone"]) == ("Ann Lee", "ann@mail.test", "+447700900123")
    core = view.website(10006)
    row = view.of("booking_contact", core)
    assert (row["main_email"], row["is_placeholder_email"]) == (None, True)
    invalid = view.audits(core, "INVALID_EMAIL")
    assert invalid == {"main_email": ("ann(at)mail", None, "balisnap", "DROPPED")}


def _check_g11(view: View) -> None:
    rows = [view.of("booking_contact", view.website(11001 + number)) for number in range(len(PHONES))]
    assert [row["phone"] for row in rows] == list(PHONES.values())


def _check_g12(view: View) -> None:
    row = view.one("catalog_variant_rate", variant_key=key_of("balisnap:TourVariant:12001"))
    names = ("traveler_type", "price", "currency_code", "is_synthetic", "is_active")
    assert tuple(row[name] for name in names) == ("ADULT", 80, "USD", True, True)
    assert row["variant_rate_key"] == key_of("bstadmin:tour_packages:12001:ADULT")
    other = view.one("catalog_variant_rate", variant_key=key_of("balisnap:TourVariant:12002"))
    assert (other["traveler_type"], other["is_synthetic"], other["is_active"]) == ("CHILD", False, False)


def _check_g13(view: View) -> None:
    product_key = key_of("balisnap:TourProduct:13003")
    for pk in (13001, 13002):
        assert view.outcome("bstadmin.tour_packages", pk, "catalog_product") == ("merged", product_key)
    own = view.one("catalog_variant", variant_key=key_of("bstadmin:tour_packages:13002"))
    assert (own["product_key"], own["code"]) == (product_key, "PKG-13002")
    assert view.outcome("bstadmin.tours", 13007, "catalog_product") == ("merged", product_key)
    assert view.some("unmapped_queue", source_table="tours", source_pk="13007") == []
    row = view.one("row_ledger", source_table="bstadmin.tours", source_pk="13507")
    assert (row["outcome"], row["reason"]) == ("skipped", "TOUR_NOT_A_PRODUCT")
    other = key_of("balisnap:TourProduct:13504")
    assert view.outcome("bstadmin.tour_packages", 13502, "catalog_product") == ("merged", other)


def _check_g14(view: View) -> None:
    keys = [key_of(f"balisnap:TourProduct:{number}") for number in (14001, 14002)]
    assert [view.one("catalog_product", product_key=key)["slug"] for key in keys] == ["ubud-tour", "ubud-tour-p14002"]


def _check_g15(view: View) -> None:
    core = view.core(15001)
    row = view.of("booking_item_snapshot", core)
    third = Decimal("33.33")
    assert (row["adult_unit_price"], row["child_unit_price"], row["is_synthetic"]) == (third, third, True)
    assert (row["variant_external_id"], row["variant_key"]) == ("15009", None)
    payload = {"booking_key": core["booking_key"], "variant_external_id": "15009", "package_id": 15009}
    assert view.questions(15001) == [("VARIANT_MAPPING", "NO_MATCH", payload)]
    assert row["snapshot_json"]["total_price"] == "100.00"


def _check_g16(view: View) -> None:
    row = view.one("ingest_event_log", event_key=key_of("bstadmin:email_inbox:g16"))
    found = (row["source_enum"], row["external_booking_ref"], row["event_type"])
    assert found == ("VIATOR", "VIA-12345678", "UPDATED")
    assert row["event_time_normalized"] == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    assert row["idempotency_expires_at"] == dt.datetime(2026, 2, 6, 3, 4, 5, 678000, tzinfo=dt.UTC)


def _check_g17(view: View) -> None:
    found = [view.core(17001 + number)["tour_time"] for number in range(len(TIMES))]
    assert found == list(TIMES.values())


def _key(booking: Row) -> Row:
    return {"booking_key": booking["booking_key"]}


CHECKS: dict[str, Callable[[View], None]] = {
    name.removeprefix("_check_").upper(): check for name, check in globals().items() if name.startswith("_check_g")
}
