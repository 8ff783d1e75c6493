"""Bad input through the real jobs: exports that stop a run, rows that are rejected, and orders that change nothing."""

import gzip
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from booking_assets import tables
from booking_assets.months import BOOKING_MONTH
from booking_assets.parsing.keys import key
from tests.booking.booking_cases import (
    OLD,
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
    package,
    payment,
    product,
    rate,
    tour,
    traveller,
    variant,
)
from tests.booking.booking_harness import SHADOW, Lab
from tests.booking.booking_writing import Junk, encoded, put_export

# --- exports that stop the run ----------------------------------------------------------------------------------------

SMALL = export_of(product(1), variant(1, 1), rate(1, 1), tour(7), direct(5, "one"), booked(80, "one"))


def _without_folder(folder: Path) -> None:
    shutil.rmtree(folder / "bstadmin")


def _without_file(folder: Path) -> None:
    (folder / "balisnap" / "Payment.json").unlink()


def _second_file(folder: Path) -> None:
    (folder / "bstadmin" / "Tour.csv").write_text("id\n1\n")


def _cut_gzip(folder: Path) -> None:
    file = folder / "balisnap" / "Booking.json"
    (folder / "balisnap" / "Booking.json.gz").write_bytes(gzip.compress(file.read_bytes())[:-9])
    file.unlink()


def _rewritten(name: str, content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return change


def _lines(name: str, good: int, bad: int) -> Callable[[Path], None]:
    """A file of JSON lines of which some are no objects."""
    rows = [json.dumps({"product_id": number}) for number in range(1, good + 1)] + ["5"] * bad

    def change(folder: Path) -> None:
        (folder / f"{name}.json").unlink()
        (folder / f"{name}.jsonl").write_text("\n".join(rows))

    return change


def _no_times(folder: Path) -> None:
    for name in ("balisnap/Booking.json", "bstadmin/bookings.json"):
        rows = json.loads((folder / name).read_bytes())
        (folder / name).write_text(json.dumps([row | {"updated_at": "soon"} for row in rows]))


def _in_manifest(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        change(next(file for file in manifest["files"] if file["name"] == "balisnap/Booking.json"))
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return changed


STOPPED: list[tuple[str, bool, Callable[[Path], None], str, str]] = [
    ("folder", False, _without_folder, "MissingSourceFile", "tours"),
    ("file", False, _without_file, "MissingSourceFile", "Payment"),
    ("second", False, _second_file, "AmbiguousSource", "tours"),
    ("hash", True, _in_manifest(lambda file: file.update(sha256="0" * 64)), "ManifestMismatch", "Booking"),
    ("rows", True, _in_manifest(lambda file: file.update(rows=2)), "ManifestMismatch", "Booking"),
    ("listed", True, _in_manifest(lambda file: file.update(name="balisnap/x.json")), "ManifestMismatch", "x.json"),
    ("gzip", False, _cut_gzip, "ExportFormatError", "Booking"),
    ("array", False, _rewritten("balisnap/Booking.json", b'[{"booking_id": 5},'), "ExportFormatError", "Booking"),
    ("text", False, _rewritten("balisnap/Booking.json", b'[{"booking_id": "\xff"}]'), "ExportFormatError", "Booking"),
    ("lines", False, _lines("balisnap/TourProduct", 89, 11), "ExportFormatError", "TourProduct"),
    ("key", False, _rewritten("balisnap/Booking.json", b'[{"booking_ref": "x"}]'), "SchemaDriftError", "booking_id"),
    ("times", False, _no_times, "NoReferenceTime", "updated_at"),
]


@pytest.mark.parametrize(("name", "manifest", "spoil", "error", "named"), STOPPED, ids=[name for name, *_ in STOPPED])
def test_an_export_that_cannot_be_trusted_stops_the_run(
    module_booking_lab: Lab, name: str, manifest: bool, spoil: Callable[[Path], None], error: str, named: str
) -> None:
    lab = module_booking_lab
    spoil(put_export(lab.landing / f"stopped-{name}", SMALL, manifest=manifest))
    failures = lab.run("booking_batch_b", export_id=f"stopped-{name}").failures
    assert set(failures) == {"export"}
    assert failures["export"].startswith(f"{error}: ")
    assert named in failures["export"]
    assert not any(
        lab.fetch(f"SELECT count(*) FROM booking.{table}")[0][0] for table in ("channel_registry", "row_ledger")
    )


@pytest.mark.parametrize(("good", "bad"), [(90, 10), (5, 10)])
def test_few_malformed_rows_stop_nothing(module_booking_lab: Lab, good: int, bad: int) -> None:
    lab, export_id = module_booking_lab, f"malformed-{good}-{bad}"
    _lines("balisnap/TourProduct", good, bad)(put_export(lab.landing / export_id, SMALL, manifest=False))
    assert lab.run("booking_batch_b", selection=["export"], export_id=export_id).failures == {}


@pytest.mark.parametrize(
    ("stated", "taken"),
    [
        (1771545600000, "2026-02-20T00:00:00Z"),
        ("2026-02-20T08:00:00+0800", "2026-02-20T00:00:00Z"),
        ("2026-02-20T00:00:00.1234567Z", OLD),
        ("20260220T000000Z", OLD),
        (None, OLD),
    ],
)
def test_the_time_of_an_export_is_read_as_every_other_time(module_booking_lab: Lab, stated: Any, taken: str) -> None:
    lab, export_id = module_booking_lab, f"taken-{stated}".replace(":", "")
    put_export(lab.landing / export_id, SMALL, stated)
    assert lab.run("booking_batch_b", selection=["export"], export_id=export_id).failures == {}
    found = lab.fetch(
        f"SELECT reference_time = '{taken}' FROM booking.migration_run_log WHERE export_id = '{export_id}'"
    )
    assert found == [(True,)]


# --- rows that are rejected -------------------------------------------------------------------------------------------

FIRST, SHUFFLED, HALF = "20260219T000000Z", "20260220T000000Z", "20260221T000000Z"
LONG = "x" * 129
NEVER = {"created_at": None, "updated_at": None}

GOOD = (
    *(product(1), variant(1, 1), rate(1, 1), tour(7), package(9, 7)),
    *(direct(5, "one"), booked(80, "ONE"), item(1, 5, 100, variant_id=1), traveller(1, 1)),
    *(payment(1, 5, payment_ref="p"), finance(1, 80), cost(1, 1)),
    *(direct(6, None), booked(81, None, "GYG"), booked(82, "unheard", "expedia", package_id=9)),
    *(departure(1, "2026-03-01T01:00:00Z"), image(1, 9), mail("m1", "ONE"), job("j1", "m1")),
)
# One row per line of what may be wrong, with the outcomes that it has: target and reason.
BAD: list[tuple[Any, list[tuple[str, str]]]] = [
    (package("x"), [("catalog_product", "INVALID_PK"), ("catalog_variant", "INVALID_PK")]),  # type: ignore[arg-type]
    (product(0), [("catalog_product", "INVALID_PK")]),
    (variant(2, 99), [("catalog_variant", "ORPHAN_PRODUCT")]),
    (rate(2, 99), [("catalog_variant_rate", "ORPHAN_VARIANT")]),
    (rate(3, 1, traveler_type="PET"), [("catalog_variant_rate", "INVALID_TRAVELER_TYPE")]),
    (rate(4, 1, "cheap"), [("catalog_variant_rate", "INVALID_PRICE")]),
    (rate(5, 1, -1), [("catalog_variant_rate", "NEGATIVE_PRICE")]),
    (direct(20, LONG), [("booking_core", "REF_TOO_LONG")]),
    (direct(21, "no time", booking_date=None, **NEVER), [("booking_core", "NO_VALID_TIMESTAMP")]),
    (booked(90, "no date", "GYG", tour_date="soon"), [("booking_core", "NO_TOUR_DATE")]),
    (item(2, 99, 1), [("booking_item_snapshot", "ORPHAN_BOOKING")]),
    (item(3, 20, 1), [("booking_item_snapshot", "ORPHAN_BOOKING")]),
    (traveller(2, 99), [("booking_party", "ORPHAN_BOOKING_ITEM")]),
    (traveller(3, 2), [("booking_party", "ORPHAN_BOOKING_ITEM")]),
    (payment(2, 99), [("payment_event", "ORPHAN_BOOKING")]),
    (payment(3, 5, payment_date="x", created_at="2031-01-01"), [("payment_event", "INVALID_PAYMENT_TIME")]),
    (payment(4, 5, amount="much"), [("payment_event", "INVALID_AMOUNT")]),
    (payment(5, 5, payment_ref="p", amount=1), [("payment_event", "DUPLICATE_PAYMENT_REF")]),
    (finance(2, 99), [("ops_finance_bridge", "ORPHAN_BOOKING")]),
    (finance(3, 90), [("ops_finance_bridge", "ORPHAN_BOOKING")]),
    (cost(2, 99), [("ops_finance_bridge", "ORPHAN_FINANCE")]),
    (mail("m2", "ONE", message_id=None), [("ingest_event_log", "MISSING_MESSAGE_ID")]),
    (mail("m3", "ONE", received_at=None, created_at=None), [("ingest_event_log", "INVALID_EVENT_TIME")]),
    (mail("m4", None), [("ingest_event_log", "NO_BOOKING_REF")]),
    (mail("m5", LONG), [("ingest_event_log", "REF_TOO_LONG")]),
    (mail(None, "ONE"), [("ingest_event_log", "INVALID_PK")]),  # type: ignore[arg-type]
]
MALFORMED = {
    "balisnap.TourProduct": "catalog_product",
    "bstadmin.tours": "catalog_product",
    "bstadmin.tour_packages": "catalog_product",
    "balisnap.TourVariant": "catalog_variant",
    "balisnap.VariantRatePlan": "catalog_variant_rate",
    "balisnap.Booking": "booking_core",
    "bstadmin.bookings": "booking_core",
    "balisnap.BookingItem": "booking_item_snapshot",
    "balisnap.BookingTraveler": "booking_party",
    "balisnap.Payment": "payment_event",
    "bstadmin.booking_finances": "ops_finance_bridge",
    "bstadmin.booking_finance_items": "ops_finance_bridge",
    "bstadmin.email_inbox": "ingest_event_log",
}
LOOKUPS = ("bstadmin.email_jobs", "balisnap.Departure", "bstadmin.tour_images")


def world() -> Export:
    """Good rows, one row for each reason, and in each table a row that is no object."""
    export = export_of(*GOOD, *(record for record, _ in BAD))
    for table in (*MALFORMED, *LOOKUPS):
        export[table].append(Junk('"no object"'))
    return export


@pytest.fixture(scope="module")
def loaded(module_booking_lab: Lab) -> Lab:
    """An installation that has loaded good and bad rows."""
    lab = module_booking_lab
    lab.tolerant = True
    lab.put(FIRST, world(), exported_at="2026-02-19T00:00:00Z")
    assert lab.migrate(FIRST).failures == {}
    return lab


def test_every_bad_row_is_in_the_quarantine_under_its_reason(loaded: Lab) -> None:
    found = loaded.fetch(
        "SELECT source_table, source_row, source_pk, target_table, reason_code FROM booking.rejected_row"
        f" WHERE export_id = '{FIRST}'"
    )
    rows, expected = world(), set()
    for (table, record), outcomes in BAD:
        number = rows[table].index(record) + 1
        pk = next(iter(record.values()))
        name = f"row:{number}" if pk is None else str(pk)
        expected |= {(table, number, name, target, reason) for target, reason in outcomes}
    for table, target in MALFORMED.items():
        number = len(rows[table])
        expected.add((table, number, f"row:{number}", target, "MALFORMED_ROW"))
    assert set(found) == expected
    assert len(found) == len(expected)


def test_raw_is_the_record_and_nothing_for_what_could_not_be_read(loaded: Lab) -> None:
    found = loaded.fetch(
        "SELECT reason_code = 'MALFORMED_ROW', raw IS NULL, count(*) FROM booking.rejected_row GROUP BY 1, 2"
    )
    assert {(malformed, empty) for malformed, empty, _ in found} == {(True, True), (False, False)}


def test_a_booking_without_a_reference_gets_one_and_a_warning(loaded: Lab) -> None:
    refs = {row["booking_key"]: row["external_booking_ref"] for row in loaded.rows("booking_core")}
    assert (refs[key("balisnap:Booking:6")], refs[key("bstadmin:bookings:81")]) == ("BS-6", "OPS-81")
    warned = loaded.fetch(
        "SELECT source_table, source_pk FROM booking.row_ledger WHERE reason = 'synthetic_booking_ref' ORDER BY 1"
    )
    assert warned == [("balisnap.Booking", "6"), ("bstadmin.bookings", "81")]


def test_warnings_of_merged_and_of_looked_up_rows_are_counted(booking_lab: Lab) -> None:
    booking_lab.tolerant = True
    lost = Junk('"no object"')
    dirty = export_of(
        *(direct(5, "one"), booked(80, "ONE", updated_at="2031-01-01", created_at="soon")),
        *(product(1, legacy_package_id=9), variant(1, 1, legacy_package_id=9), package(9, min_booking="few")),
        *(finance(1, 80), finance(2, 80, pattern_id="p", updated_at=None)),
        *(payment(1, 5, payment_ref="p"), payment(2, 5, payment_ref="p", payment_date="x")),
        *(departure("x", "2026-03-01"), itinerary(0, 1, "09:00")),  # type: ignore[arg-type]
    )
    dirty["balisnap.Departure"].append(lost)
    booking_lab.put(FIRST, dirty, exported_at="2026-02-19T00:00:00Z")
    assert booking_lab.migrate(FIRST).failures == {}
    found = dict(booking_lab.fetch("SELECT asset, warnings FROM booking.migration_run_log WHERE warnings <> '{}'"))
    lookups = {"invalid_departure_id": 1, "malformed_row": 1, "invalid_itinerary_id": 1}
    assert found == {
        "catalog_bridge": {"invalid_min_booking": 1},
        "booking_identity": {"invalid_updated_at": 1, "invalid_created_at": 1} | lookups,
        "payments_clean": {"invalid_payment_date": 1},
        "finance_clean": {"invalid_pattern_id": 1},
    }


def test_an_unknown_channel_is_manual_and_a_question(loaded: Lab) -> None:
    (booking,) = [row for row in loaded.rows("booking_core") if row["external_booking_ref"] == "UNHEARD"]
    assert (booking["channel_code"], booking["source_enum_compat"]) == ("MANUAL", "EXPEDIA")
    (asked,) = [row for row in loaded.rows("unmapped_queue") if row["queue_type"] == "CHANNEL_MAPPING"]
    assert (asked["source_pk"], asked["reason_code"], asked["payload"]) == (
        "82",
        "UNKNOWN_SOURCE",
        {"source": "EXPEDIA"},
    )


@pytest.mark.parametrize("dry_run", [True, False])
def test_an_export_without_bookings_has_references_of_its_catalog(booking_lab: Lab, dry_run: bool) -> None:
    catalog = (product(1), variant(1, 1), rate(1, 1), tour(7), package(9, 7))
    rejected = direct(5, "no date", booking_date=None)
    booking_lab.put(FIRST, export_of(*catalog, rejected), exported_at="2026-02-19T00:00:00Z")
    assert booking_lab.migrate(FIRST, dry_run=dry_run).failures == {}
    rows = booking_lab.rows("channel_external_refs", SHADOW if dry_run else "booking")
    assert sorted((row["entity_type"], row["external_ref_kind"], row["external_ref"]) for row in rows) == [
        ("PRODUCT", "BALISNAP_PRODUCT_ID", "1"),
        ("PRODUCT", "BSTADMIN_PACKAGE_ID", "9"),
        ("PRODUCT", "BSTADMIN_TOUR_ID", "7"),
        ("VARIANT", "BALISNAP_VARIANT_ID", "1"),
        ("VARIANT", "BSTADMIN_PACKAGE_ID", "9"),
    ]


# --- orders -----------------------------------------------------------------------------------------------------------


def fingerprints(lab: Lab, export_id: str) -> dict[tuple[str, str | None], str]:
    """The fingerprint of each table and month after an export was loaded."""
    rows = lab.fetch(
        "SELECT asset, partition, fingerprint FROM booking.migration_run_log"
        f" WHERE export_id = '{export_id}' AND fingerprint IS NOT NULL"
    )
    return {(asset, month): fingerprint for asset, month, fingerprint in rows}


def test_the_order_of_rows_and_the_format_change_nothing(loaded: Lab) -> None:
    rows = world()
    for number, records in enumerate(rows.values()):
        random.Random(number).shuffle(records)
    kinds = {table: encoded(records, "jsonl", packed=True) for table, records in rows.items()}
    loaded.put(SHUFFLED, kinds, exported_at="2026-02-19T00:00:00Z")
    before = fingerprints(loaded, FIRST)
    assert {asset for asset, _ in before} >= {table.name for table in tables.BY_MONTH}
    assert loaded.migrate(SHUFFLED).failures == {}
    assert fingerprints(loaded, SHUFFLED) == before


def test_a_booking_whose_rows_come_in_two_exports_is_one(loaded: Lab) -> None:
    known = {row["booking_key"] for row in loaded.rows("booking_core")}
    panel = [record for record in GOOD if record[0].startswith("bstadmin.")]
    loaded.put(HALF, export_of(*panel, product(1), variant(1, 1), rate(1, 1)), exported_at="2026-02-21T00:00:00Z")
    assert loaded.run("booking_load", export_id=HALF).failures == {}
    months = loaded.instance.get_dynamic_partitions(str(BOOKING_MONTH.name))
    assert loaded.run("booking_months", (min(months), max(months)), export_id=HALF).failures == {}
    rows = {row["booking_key"]: row for row in loaded.rows("booking_core")}
    assert rows.keys() == known
    both, website = rows[key("balisnap:Booking:5")], rows[key("balisnap:Booking:6")]
    assert (both["external_booking_ref"], both["is_deleted"], both["export_id"]) == ("ONE", False, HALF)
    assert (website["is_deleted"], website["export_id"]) == (True, SHUFFLED)
    assert [row["is_deleted"] for row in loaded.rows("payment_event") if row["payment_ref"] == "p"] == [True]
    refs = {
        row["external_ref_kind"]: row["is_deleted"]
        for row in loaded.rows("channel_external_refs")
        if row["entity_key"] == both["booking_key"]
    }
    assert refs == {"BALISNAP_BOOKING_ID": True, "BSTADMIN_BOOKING_ID": False, "BOOKING_REF": False}
