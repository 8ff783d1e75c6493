"""The oracle itself: its parsers, its reading of files, what its rows must keep, and what later exports change."""

import datetime as dt
import random
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.booking import booking_scalars as scalars
from tests.booking.booking_cases import (
    NEW,
    Export,
    booked,
    cost,
    departure,
    direct,
    export_of,
    finance,
    image,
    item,
    itinerary,
    job,
    mail,
    media,
    package,
    payment,
    product,
    rate,
    stop,
    tie,
    tour,
    traveller,
    variant,
)
from tests.booking.booking_files import TABLES, Row, read_export
from tests.booking.booking_golden import EXPORTED_AT, View, view_of, world
from tests.booking.booking_nasty import FORMATS, Nasty, follow_up, nasty
from tests.booking.booking_records import KEYS, NoReferenceTimeError
from tests.booking.booking_reference import Reference, StaleExportError, conservation_faults
from tests.booking.booking_scalars import key_of
from tests.booking.booking_writing import Junk, encoded, put_export

MIDNIGHT = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
LATER = "2026-03-19T00:00:00Z"


def loaded(export: Export, db: Reference | None = None, exported_at: Any = EXPORTED_AT, name: str = "first") -> View:
    db = db or Reference()
    db.load_records(name, export, exported_at)
    assert conservation_faults(db) == []
    return view_of(db)


def first_then(first: Export, second: Export) -> View:
    db = Reference()
    loaded(first, db)
    return loaded(second, db, LATER, "second")


# --- scalars ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parse", "value", "expected"),
    [
        (scalars.text, " a \n b\u00a0", "a b"),
        (scalars.text, 62811, "62811"),
        (scalars.text, Decimal("12.50"), "12.5"),
        (scalars.text, Decimal("1E+3"), "1000"),
        (scalars.text, 10**30, f"1{'0' * 30}"),
        (scalars.text, True, "true"),
        (scalars.text, [1], None),
        (scalars.raw, " a  b ", "a  b"),
        (scalars.upper, " ab 12cd ", "AB 12CD"),
        (scalars.integer, "+5.00", 5),
        (scalars.integer, "5.", None),
        (scalars.integer, 2**31, None),
        (scalars.integer, "-2147483647", -2147483647),
        (scalars.integer, True, None),
        (scalars.integer, "\u0665", None),
        (scalars.identifier, 0, None),
        (scalars.identifier, " 12 ", 12),
        (scalars.boolean, " Yes ", True),
        (scalars.boolean, "1.0", None),
        (scalars.boolean, Decimal("0.0"), False),
        (scalars.money, "1,234,567.005", Decimal("1234567.01")),
        (scalars.money, "-0.004", Decimal("0.00")),
        (scalars.money, "-0.005", Decimal("-0.01")),
        (scalars.money, "1,23", None),
        (scalars.money, "9999999999.994", Decimal("9999999999.99")),
        (scalars.money, "9999999999.995", None),
        (scalars.money, Decimal("1E+40"), None),
        (scalars.currency, " usd ", "USD"),
        (scalars.currency, "US", None),
        (scalars.moment, "2026-01-05", MIDNIGHT),
        (scalars.moment, "2026-01-05 08:00+08", MIDNIGHT),
        (scalars.moment, "2026-01-04T20:30:00.000000-0330", MIDNIGHT),
        (scalars.moment, "2026-01-05T00:00:00.0000000Z", None),
        (scalars.moment, "2026-01-05T24:00Z", None),
        (scalars.moment, "2026-01-05T00:00+24:00", None),
        (scalars.moment, 1767571200000, MIDNIGHT),
        (scalars.moment, "1767571200000", MIDNIGHT),
        (scalars.moment, 946684799999, None),
        (scalars.moment, "1999-12-31T23:00:00-02:00", dt.datetime(2000, 1, 1, 1, tzinfo=dt.UTC)),
        (scalars.moment, "2099-12-31T23:00:00-02:00", None),
        (scalars.moment, True, None),
        (scalars.iso_date, "1990-05-01T99", dt.date(1990, 5, 1)),
        (scalars.iso_date, "1990-02-30", None),
        (scalars.iso_date, "1899-12-31", None),
        (scalars.clock, "12 am", dt.time(0)),
        (scalars.clock, "12:15 PM", dt.time(12, 15)),
        (scalars.clock, "13 PM", None),
        (scalars.clock, "8.30.15", dt.time(8, 30, 15)),
        (scalars.clock, "08:00\u201316:00", dt.time(8)),
        (scalars.clock, "1970-01-01T09:00:00.000Z", dt.time(9)),
        (scalars.clock, "2026-03-01 10:15-05:00", dt.time(10, 15)),
        (scalars.clock, "24:00", None),
        (scalars.clock, "-08:00", None),
        (scalars.json_value, '{"a": 1.50}', {"a": Decimal("1.50")}),
        (scalars.json_value, "5", {"raw": "5"}),
        (scalars.json_value, '{"a": NaN}', {"raw": '{"a": NaN}'}),
        (scalars.json_value, " \n", None),
        (scalars.json_value, '["a\\u0000b"]', ["ab"]),
        (scalars.e164, "123/0812 0000 002", "+628120000002"),
        (scalars.e164, "+0 1234 5678", None),
        (scalars.e164, "99 1234 56789", "+99123456789"),
        (scalars.e164, "5551234567", None),
        (scalars.url, "https://img.test?x", "https://img.test?x"),
        (scalars.url, "https://localhost/a", None),
        (scalars.slug, " Ubud  Tour! ", "ubud-tour"),
        (scalars.name, "Rafting & Spa", "rafting spa"),
    ],
)
def test_parsers(parse: Callable[[Any], Any], value: Any, expected: Any) -> None:
    found = parse(value)
    assert found == expected
    assert type(found) is type(expected)


def test_numbers_of_a_payload_are_hashed_as_read() -> None:
    value = scalars.decoded('{"b": 10.50, "a": [1e3, "\u00e9\\n"], "c": {}}')
    assert scalars.json_text(value, ordered=True) == '{"a":[1000,"\u00e9\\n"],"b":10.50,"c":{}}'


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("packed", [False, True])
def test_every_format_gives_the_same_rows(tmp_path: Path, kind: str, packed: bool) -> None:
    records = [{"tour_id": "1", "tour_name": "a,\nb"}, {"tour_id": "2", "tour_name": "\u2603"}]
    place = put_export(tmp_path / "x", {"bstadmin.tours": encoded(records, kind, packed=packed)})
    assert [row.values for row in read_export(place).of("bstadmin.tours")] == records


def test_columns_and_files_of_operations_have_two_spellings(tmp_path: Path) -> None:
    records = [
        {"id": 5, "tourDate": "x", "bookingRef": "lie", "booking_ref": None, "BookingDate": "x", "rawEmailId": 1}
    ]
    files = {
        "bstadmin.bookings": encoded(records, stem="Booking"),
        "balisnap.Booking": encoded([{"bookingId": 5, "booking_id": 6}]),
    }
    export = read_export(put_export(tmp_path / "x", files))
    assert export.of("bstadmin.bookings")[0].values == {"booking_id": 5, "tour_date": "x", "booking_ref": None}
    assert export.of("balisnap.Booking")[0].values == {"booking_id": 6}


def test_what_is_no_record_cannot_be_read(tmp_path: Path) -> None:
    records = [{"tour_id": 1}, Junk("[1]"), Junk('{"tour_id": NaN}'), Junk("  "), {"tour_id": 2}]
    place = put_export(tmp_path / "x", {"bstadmin.tours": encoded(records, "jsonl")}, manifest=False)
    rows = read_export(place).of("bstadmin.tours")
    assert [(row.number, row.values) for row in rows] == [
        (1, {"tour_id": 1}),
        (2, None),
        (3, None),
        (4, {"tour_id": 2}),
    ]


def test_csv_records_may_be_short_or_long(tmp_path: Path) -> None:
    content = b'tour_id,tour_name\r\n1\r\n\r\n2,"a ""b""",surplus\r\n'
    place = tmp_path / "tours.csv"
    place.write_bytes(content)
    folder = put_export(tmp_path / "x", {})
    (folder / "bstadmin" / "tours.json").unlink()
    place.rename(folder / "bstadmin" / "tours.csv")
    rows = read_export(folder).of("bstadmin.tours")
    assert [row.values for row in rows] == [{"tour_id": "1", "tour_name": None}, {"tour_id": "2", "tour_name": 'a "b"'}]


def test_two_files_of_one_table_are_ambiguous_and_a_required_one_must_be_there(tmp_path: Path) -> None:
    folder = put_export(tmp_path / "x", {})
    (folder / "bstadmin" / "Tour.csv").write_text("tour_id\n")
    with pytest.raises(ValueError, match="AmbiguousSource"):
        read_export(folder)
    for name in ("Tour.csv", "tours.json"):
        (folder / "bstadmin" / name).unlink()
    with pytest.raises(FileNotFoundError, match="MissingSourceTable"):
        read_export(folder)


def test_reference_time_falls_back_to_the_newest_booking() -> None:
    db = Reference()
    db.load_records("x", export_of(direct(1, "a", updated_at="2031-01-01"), booked(2, "b", updated_at="junk")), "soon")
    assert db.now == dt.datetime(2031, 1, 1, tzinfo=dt.UTC)
    with pytest.raises(NoReferenceTimeError):
        Reference().load_records("x", export_of(direct(1, "a", updated_at=None)), None)


# --- what every export keeps ------------------------------------------------------------------------------------------

LENGTHS = {
    "slug": 191,
    "name": 255,
    "product_category": 128,
    "color_code": 32,
    "country_code": 2,
    "region": 128,
    "code": 64,
    "service_type": 32,
    "currency_code": 3,
    "channel_code": 32,
    "source_enum_compat": 32,
    "external_booking_ref": 128,
    "main_name": 191,
    "main_email": 191,
    "phone": 64,
    "variant_external_id": 128,
    "departure_external_id": 128,
    "gateway": 64,
    "gateway_order_id": 128,
    "gateway_capture_id": 128,
    "payment_ref": 128,
    "status_raw": 64,
    "idempotency_key": 128,
    "nonce": 128,
    "source_pk": 128,
    "external_ref": 128,
}
UNIQUE = {
    "catalog_product": ("slug",),
    "catalog_variant": ("product_key", "code"),
    "booking_core": ("channel_code", "external_booking_ref"),
    "ops_finance_bridge": ("booking_key",),
    "payment_event": ("payment_ref",),
    "channel_external_refs": ("entity_type", "channel_code", "external_ref_kind", "external_ref"),
}
UNIQUE_EVENTS = (
    ("idempotency_key",),
    ("source_enum", "external_booking_ref", "event_type", "event_time_normalized"),
)
PARENTS = {
    "catalog_variant": ("product_key", "catalog_product"),
    "catalog_variant_rate": ("variant_key", "catalog_variant"),
    "booking_contact": ("booking_key", "booking_core"),
    "booking_party": ("booking_key", "booking_core"),
    "booking_item_snapshot": ("booking_key", "booking_core"),
    "payment_event": ("booking_key", "booking_core"),
    "ops_booking_state": ("booking_key", "booking_core"),
    "ops_assignment": ("booking_key", "booking_core"),
    "ops_finance_bridge": ("booking_key", "booking_core"),
    "ingest_dead_letter": ("event_key", "ingest_event_log"),
}
AT_LEAST = {
    "catalog_variant": {"duration_days": 1, "min_pax": 1, "booking_cutoff_hours": 0},
    "catalog_variant_rate": {"price": 0},
    "booking_core": {"total_price": 0, "number_of_adult": 0, "number_of_child": 0},
    "booking_item_snapshot": {"adult_unit_price": 0, "child_unit_price": 0, "total_amount": 0},
}


def assert_sound(db: Reference) -> None:
    """The rows of a database keep what its tables demand."""
    for table, rows in db.tables.items():
        for row in rows.values():
            too_long = [
                name for name, most in LENGTHS.items() if isinstance(row.get(name), str) and len(row[name]) > most
            ]
            assert table == "ingest_event_log" or not too_long, (table, too_long)
            assert all(row[name] >= least for name, least in AT_LEAST.get(table, {}).items())
            money = [value for value in row.values() if isinstance(value, Decimal)]
            assert all(abs(value) < 10**10 and value == round(value, 2) for value in money)
    for table, names in UNIQUE.items():
        assert repeated(db.live(table), names) == [], table
    for names in UNIQUE_EVENTS:
        assert repeated(db.live("ingest_event_log"), names) == []
    for table, (column, parent) in PARENTS.items():
        live = {row[KEYS[parent]] for row in db.live(parent)}
        assert {row[column] for row in db.live(table)} <= live, table
    for table in ("booking_contact", "booking_party", "ops_booking_state"):
        assert {row["booking_key"] for row in db.live(table)} == {row["booking_key"] for row in db.live("booking_core")}
    states = {row["booking_key"]: row["ops_fulfillment_status"] for row in db.live("ops_booking_state")}
    for row in db.live("booking_core"):
        assert states[row["booking_key"]] == row["ops_fulfillment_status"]
        assert (row["package_ref_key"] is None) == (row["package_ref_type"] == "LEGACY_PACKAGE")


def repeated(rows: Iterable[Row], names: tuple[str, ...]) -> list[Any]:
    counted = Counter(tuple(row[name] for name in names) for row in rows)
    return [key for key, count in counted.items() if count > 1 and None not in key]


def put(tmp_path: Path, export: Nasty) -> Path:
    return put_export(tmp_path / export.export_id, export.files, export.exported_at, manifest=export.manifest)


@pytest.mark.parametrize("seed", range(40))
def test_no_row_is_lost_and_every_row_fits(tmp_path: Path, seed: int) -> None:
    db, first = Reference(), nasty(seed)
    db.load(put(tmp_path, first))
    assert conservation_faults(db) == []
    assert_sound(db)
    db.load(put(tmp_path, follow_up(first, seed)))
    assert conservation_faults(db) == []
    assert_sound(db)


@pytest.mark.parametrize("seed", range(20))
def test_same_export_again_changes_nothing(tmp_path: Path, seed: int) -> None:
    db, place = Reference(), put(tmp_path, nasty(seed))
    db.load(place)
    before = repr(db)
    db.load(place)
    assert repr(db) == before


def without_numbers(db: Reference) -> tuple[Any, Any]:
    """Tables and outcomes without the row numbers of a file."""
    tables = {table: rows for table, rows in db.tables.items() if table != "merge_log"}
    ledger = Counter((key[1], key[3], *row) for key, row in db.ledger.items())
    return tables, ledger


@pytest.mark.parametrize("seed", range(20))
def test_order_of_the_rows_of_a_file_does_not_matter(seed: int) -> None:
    records = nasty(seed).world if seed else world()
    rng = random.Random(seed)
    # Of rows that share a key the later one may win, and a row without a key is known by its number.
    only = {name: [row for row in rows if _is_only(name, row, rows)] for name, rows in records.items()}
    found = []
    for _ in range(2):
        db = Reference()
        db.load_records("x", only, EXPORTED_AT)
        found.append(without_numbers(db))
        for rows in only.values():
            rng.shuffle(rows)
    assert found[0] == found[1]


def _is_only(name: str, row: Row, rows: list[Row]) -> bool:
    def key(record: Row) -> Any:
        value = record.get(TABLES[name].key)
        return scalars.text(value) if isinstance(value, str) and "mail" in value else scalars.identifier(value)

    return key(row) is not None and [key(each) for each in rows].count(key(row)) == 1


# --- rules that no golden example has ---------------------------------------------------------------------------------


def test_thumbnail_is_the_first_valid_one() -> None:
    view = loaded(
        export_of(
            product(1, thumbnail_url="/a.jpg", legacy_package_id=5),
            media(1, 1, "https://img.test/late.jpg", sort_order=1),
            media(2, 1, "https://img.test/cover.jpg", sort_order=2, is_cover="yes"),
            package(5, thumbnail_url="bad"),
            package(6, thumbnail_url="bad"),
            image(2, 6, "worse"),
            image(3, 6),
            stop(1, 6),
        )
    )
    assert view.one("catalog_product", slug="product-1")["thumbnail_url"] == "https://img.test/cover.jpg"
    assert view.one("catalog_product", slug="package-6")["thumbnail_url"] is None
    reasons = {reason: payload for _, reason, payload in view.questions(6)}
    assert reasons["DEFERRED_GALLERY_ITINERARY"] == {"gallery_images": 2, "itinerary_rows": 1}
    assert set(reasons) == {"DEFERRED_GALLERY_ITINERARY", "INVALID_THUMBNAIL", "NO_MATCH"}


def test_package_that_two_variants_claim_is_a_variant_of_its_own() -> None:
    view = loaded(
        export_of(product(1), *(variant(n, 1, legacy_package_id=5) for n in (2, 3)), package(5), variant(4, 9))
    )
    assert view.one("catalog_variant", code="PKG-5")["is_default"] is True
    assert ("VARIANT_MAPPING", "MULTI_MATCH", {"variant_ids": [2, 3]}) in view.questions(5)
    assert view.questions(4) == [("VARIANT_MAPPING", "NO_MATCH", {"product_id": 9})]


def test_rates_that_cannot_be_used() -> None:
    bad = {"traveler_type": "SENIOR"}
    view = loaded(export_of(product(1), variant(1, 1), rate(1, 1, **bad), rate(2, 1, "x"), rate(3, 1, -1), rate(4, 7)))
    reasons = [
        view.one("row_ledger", source_table="balisnap.VariantRatePlan", source_pk=str(n))["reason"] for n in range(1, 5)
    ]
    assert reasons == ["INVALID_TRAVELER_TYPE", "INVALID_PRICE", "NEGATIVE_PRICE", "ORPHAN_VARIANT"]
    assert [reason for _, reason, _ in view.questions(1)] == ["NO_RATE_AVAILABLE"]


def test_departure_gives_date_and_time() -> None:
    view = loaded(
        export_of(
            departure(1, "2026-03-05T23:30:00.500Z"),
            departure(2, "2026-03-05T16:00:00Z"),
            direct(1, "a"),
            item(1, 1, 50, departure_id=1),
            direct(2, "b"),
            item(2, 2, 50, departure_id=2, variant_id=7),
            item(3, 2, 50, departure_id=1),
            itinerary(1, 7, "late"),
            itinerary(2, 7, "1970-01-01T09:00:00Z", day=None),
            direct(3, "c"),
            item(4, 3, 50, variant_id=8),
            itinerary(3, 8, "1970-01-01T09:00:00Z"),
        )
    )
    found = [(core["tour_date"].day, core["tour_time"]) for core in map(view.website, (1, 2, 3))]
    assert found == [(6, dt.time(7, 30)), (6, None), (1, dt.time(9))]


def test_zero_never_beats_a_price_unless_items_say_so() -> None:
    view = loaded(
        export_of(
            direct(1, "a"),
            booked(1, "A", total_price=0, updated_at=NEW),
            direct(2, "b"),
            item(2, 2, 0),
            booked(2, "B", updated_at=NEW),
        )
    )
    assert [view.website(n)["total_price"] for n in (1, 2)] == [100, 0]
    assert view.audits(view.website(1)) == {}
    assert view.audits(view.website(2)) == {"total_price": ("USD 100.00", "USD 0.00", "balisnap", "ACTIVE_ITEMS")}


def test_payments_that_reuse_a_reference() -> None:
    records = [payment(n, 1, payment_ref="P") for n in (1, 2)]
    view = loaded(export_of(direct(1, "a"), *records, payment(3, 1, payment_ref="P ", amount=5)))
    key = key_of("balisnap:Payment:1")
    assert view.outcome("balisnap.Payment", 2, "payment_event") == ("merged", key)
    assert view.outcome("balisnap.Payment", 3, "payment_event") == ("rejected", None)
    assert view.one("ops_booking_state")["paid_at"] == dt.datetime(2026, 1, 3, tzinfo=dt.UTC)


def test_travellers_of_items_that_do_not_count_are_skipped() -> None:
    items = [item(1, 1, 50), item(2, 1, 50, item_status="CANCELLED")]
    people = [
        traveller(2, 1, birth_date="1990-05-01T00:00:00Z"),
        traveller(1, 1, last_name=" Lee "),
        traveller(3, 2),
        traveller(4, 9),
    ]
    view = loaded(export_of(direct(1, "a"), *items, *people))
    rows = view.one("booking_party")["traveler_rows"]
    assert [(row["traveler_id"], row["last_name"], row["birth_date"]) for row in rows] == [
        (1, "Lee", None),
        (2, None, "1990-05-01"),
    ]
    outcomes = [view.outcome("balisnap.BookingTraveler", n, "booking_party")[0] for n in range(1, 5)]
    assert outcomes == ["loaded", "loaded", "skipped", "rejected"]


def test_finance_of_the_row_that_stands_for_the_booking_is_chosen() -> None:
    view = loaded(
        export_of(
            tour(1),
            booked(1, "a", "GYG", updated_at=NEW),
            booked(2, "A", "GYG"),
            finance(1, 1),
            finance(2, 2, updated_at=NEW),
            cost(1, 1, False),
            cost(2, 2),
            cost(3, 9),
        )
    )
    assert view.one("ops_finance_bridge")["settlement_status"] == "PENDING"
    chosen = key_of("bstadmin:booking_finances:1")
    assert view.outcome("bstadmin.booking_finances", 2, "ops_finance_bridge") == ("merged", chosen)
    assert view.outcome("bstadmin.booking_finance_items", 2, "ops_finance_bridge") == ("merged", chosen)
    assert view.outcome("bstadmin.booking_finance_items", 3, "ops_finance_bridge") == ("rejected", None)


def test_failed_mails_are_dead_or_tried_again() -> None:
    retried = {"attempts": 1, "next_retry_at": "2026-01-04T00:00:00Z", "error": "timeout"}
    view = loaded(
        export_of(
            mail("a", "r1"),
            job("ja", "a", "FAILED", **retried),
            mail("b", "r2"),
            job("jb", "b", "FAILED", **(retried | {"attempts": 3})),
            mail("c", "r3", error_message="Cannot parse"),
            mail("d", None),
            booked(7, "tied", "GYG"),
            tie(1, 7, "d"),
        )
    )
    events = {row["external_booking_ref"]: row for row in view.rows("ingest_event_log")}
    assert [events[ref]["process_status"] for ref in ("R1", "R2", "R3", "TIED")] == ["FAILED"] * 3 + ["DONE"]
    assert events["R1"]["next_retry_at"] and not events["R2"]["next_retry_at"]
    reasons = {row["dead_letter_key"]: row["reason_code"] for row in view.rows("ingest_dead_letter")}
    assert reasons == {
        key_of("bstadmin:email_jobs:jb"): "TRANSIENT_ERROR",
        key_of("bstadmin:email_inbox:c"): "SCHEMA_MISMATCH",
    }


# --- later exports ----------------------------------------------------------------------------------------------------


def test_known_booking_keeps_its_key() -> None:
    view = first_then(export_of(booked(9, "r")), export_of(booked(9, "r"), direct(5, "R")))
    assert view.core(9)["source_enum_compat"] == "DIRECT"
    assert view.refs(view.core(9)) >= {("DIRECT", "BALISNAP_BOOKING_ID", "5")}


def test_booking_whose_reference_changed_is_renamed_in_place() -> None:
    view = first_then(export_of(direct(5, "old")), export_of(direct(5, "new")))
    assert [row["external_booking_ref"] for row in view.rows("booking_core")] == ["NEW"]
    old = view.one("channel_external_refs", external_ref="OLD")
    assert old["is_deleted"] is True


def test_new_booking_takes_the_next_free_key() -> None:
    first = export_of(direct(5, "r1"))
    second = export_of(direct(5, "r2"), direct(6, "r1"), booked(3, "r2"))
    view = first_then(first, second)
    assert view.website(5)["external_booking_ref"] == "R1"
    assert view.core(3)["external_booking_ref"] == "R2"
    alone = first_then(first, export_of(direct(5, "r2"), direct(6, "r1")))
    key = key_of("canonical:booking_core:DIRECT|R2")
    assert alone.one("booking_core", booking_key=key)["external_booking_ref"] == "R2"


def test_paid_stays_paid_until_it_fails() -> None:
    first = export_of(direct(1, "a"), payment(1, 1), direct(2, "b"), payment(2, 2))
    view = first_then(first, export_of(direct(1, "a"), direct(2, "b", status_v2="EXPIRED")))
    assert [view.website(n)["customer_payment_status"] for n in (1, 2)] == ["PAID", "FAILED"]
    assert [row["is_deleted"] for row in view.rows("payment_event")] == [True, True]
    assert view.of("ops_booking_state", view.website(1))["paid_at"] is None


def test_what_is_gone_is_deleted_and_comes_back() -> None:
    db, export = Reference(), export_of(direct(1, "a"))
    loaded(export, db)
    view = loaded(export_of(), db, LATER, "second")
    assert view.website(1)["is_deleted"] is True
    view = loaded(export, db, "2026-04-01", "third")
    assert view.website(1)["is_deleted"] is False


def test_questions_are_resolved_opened_again_and_left_to_their_person() -> None:
    db, export = Reference(), export_of(direct(1, "a"), direct(2, "b"))
    loaded(export, db)
    taken = next(row for row in db.tables["unmapped_queue"].values() if row["source_pk"] == "2")
    taken |= {"status": "CLOSED", "resolved_by": "ann"}
    view = loaded(export_of(), db, LATER, "second")
    row = view.one("unmapped_queue", source_pk="1")
    assert (row["status"], row["resolved_by"], row["resolved_at"]) == ("RESOLVED", "migration", db.now)
    view = loaded(export, db, "2026-04-01", "third")
    assert {row["source_pk"]: row["status"] for row in view.rows("unmapped_queue")} == {"1": "OPEN", "2": "CLOSED"}


def test_stored_events_take_in_their_copies() -> None:
    first = export_of(mail("b", "r1"), mail("c", "r2", received_at="2026-01-05"))
    copies = [
        mail("a", "r9", message_id="<b@mail.test>", received_at="2026-01-01"),
        mail("d", "r2", received_at="2026-01-05"),
    ]
    view = first_then(first, export_of(*copies, mail("b", "r1", subject="Updated")))
    assert len(view.rows("ingest_event_log")) == 2
    kept = {pk: key_of(f"bstadmin:email_inbox:{of}") for pk, of in (("a", "b"), ("d", "c"))}
    for pk, key in kept.items():
        row = view.one("row_ledger", export_id="second", source_pk=pk)
        assert (row["outcome"], row["target_key"]) == ("merged", key)
    assert view.one("ingest_event_log", external_booking_ref="R1")["event_type"] == "UPDATED"


def test_older_export_is_refused_unless_forced() -> None:
    db = Reference()
    loaded(export_of(), db, LATER)
    with pytest.raises(StaleExportError):
        loaded(export_of(), db, EXPORTED_AT, "second")
    db.load_records("second", export_of(), EXPORTED_AT, forced=True)
