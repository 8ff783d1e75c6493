import csv
import gzip
import io
import itertools
import json
import re
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from upath import UPath

from samples import DEFAULT_MONTH, booking, default_export_id, exported_at, month_after
from samples.booking import ALIASES, aliased, dirt
from samples.weaving import text_cell
from samples.writing import FORMATS, SampleSpec, publish
from tests.booking.booking_reference import Reference, conservation_faults

SMALL = 0.05
MEDIUM = 0.4
VOLUMES = {
    **{"balisnap/TourProduct": 120, "balisnap/TourProductMedia": 220, "balisnap/TourVariant": 180},
    **{"balisnap/VariantRatePlan": 500, "balisnap/VariantItinerary": 630, "balisnap/Departure": 660},
    **{"balisnap/Booking": 3000, "balisnap/BookingItem": 3000, "balisnap/BookingTraveler": 2600},
    **{"balisnap/Payment": 3200, "bstadmin/tours": 60, "bstadmin/tour_packages": 180, "bstadmin/tour_images": 270},
    **{"bstadmin/tour_itineraries": 540, "bstadmin/bookings": 9000, "bstadmin/booking_finances": 8200},
    **{"bstadmin/booking_finance_items": 25_000, "bstadmin/email_inbox": 14_000, "bstadmin/email_jobs": 3300},
    **{"bstadmin/booking_emails": 4500},
}
TABLES = tuple(VOLUMES)
KEYS = {
    **{"balisnap/Booking": "booking_id", "balisnap/BookingItem": "booking_item_id"},
    **{"balisnap/BookingTraveler": "traveler_id", "balisnap/Payment": "payment_id"},
    **{"bstadmin/bookings": "booking_id", "bstadmin/booking_finances": "booking_finance_id"},
    **{"bstadmin/booking_finance_items": "finance_item_id", "bstadmin/email_inbox": "id"},
    **{"balisnap/TourProduct": "product_id", "balisnap/TourVariant": "variant_id"},
    **{"balisnap/VariantRatePlan": "rate_plan_id", "balisnap/Departure": "departure_id"},
    **{"bstadmin/tours": "tour_id", "bstadmin/tour_packages": "package_id"},
}
CHANNELS = {"DIRECT", "GYG", "VIATOR", "TRIPDOTCOM", "BOKUN", "MANUAL"}

Rows = dict[str, list[Any]]


def spec(scale: float = 1, seed: int = 1, edition: int = 0) -> SampleSpec:
    month = month_after(DEFAULT_MONTH) if edition else DEFAULT_MONTH
    return SampleSpec(seed, Decimal(str(scale)), exported_at(month), edition)


def write(
    landing: Path, name: str, form: str = "json", packed: bool = False, *, scale: float = SMALL, **told: int
) -> UPath:
    return publish(booking.SYSTEM, UPath(landing), name, spec(scale, **told), format=form, gzip=packed)


def records(scale: float = 1, seed: int = 1, edition: int = 0) -> Rows:
    """A sample's records under their tables' own names, and with the tables' own columns."""
    told = spec(scale, seed, edition)
    own = {f"bstadmin/{model}": f"bstadmin/{table}" for table, model in ALIASES.items()}
    tables = {own.get(t.stem, t.stem): (t.stem in own, list(t.records())) for t in booking.tables(told)}
    return {
        name: [in_snake_case(name, row) for row in rows] if other else rows for name, (other, rows) in tables.items()
    }


def in_snake_case(table: str, row: Any) -> Any:
    if not isinstance(row, dict):
        return row
    names = {column: re.sub("[A-Z]", lambda m: f"_{m[0].lower()}", column) for column in row}
    return {KEYS.get(table, "id") if name == "id" else name: row[column] for column, name in names.items()}


@dataclass(frozen=True)
class Samples:
    """A sample and the one that follows it."""

    first: Rows
    following: Rows


@pytest.fixture(scope="module")
def samples() -> Samples:
    return Samples(records(), records(edition=1))


@pytest.fixture(scope="module")
def full(samples: Samples) -> Rows:
    return samples.first


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """What a sample becomes that is large enough to hold every kind of dirt."""
    reference = Reference()
    reference.load(Path(str(write(tmp_path_factory.mktemp("landing"), "a", scale=MEDIUM))))
    return reference


def objects(rows: list[Any]) -> list[dict[str, Any]]:
    return [row for row in rows if isinstance(row, dict)]


def content(path: UPath) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()


def read_rows(path: UPath) -> list[Any]:
    form = path.name.removesuffix(".gz").rsplit(".", 1)[1]
    if form == "parquet":
        return pq.read_table(io.BytesIO(content(path))).to_pylist()
    if form == "csv":
        header, *rows = csv.reader(io.StringIO(content(path).decode("utf-8-sig"), newline=""), strict=True)
        return [{key: cell or None for key, cell in zip(header, row, strict=True)} for row in rows]
    text = content(path).decode()
    if form == "jsonl":
        return [json.loads(line, parse_float=Decimal) for line in text.splitlines()]
    return json.loads(text, parse_float=Decimal)


def files(folder: UPath) -> dict[str, UPath]:
    """The files of the tables by the tables' names."""
    found = [path for system in ("balisnap", "bstadmin") for path in (folder / system).iterdir()]
    return {f"{path.parent.name}/{path.name.split('.')[0]}": path for path in found}


# Bytes, volumes, formats ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("packed", [False, True])
def test_same_seed_gives_the_same_bytes(tmp_path: Path, form: str, packed: bool) -> None:
    one, two = (write(tmp_path, name, form, packed) for name in ("a", "b"))
    assert {n: p.read_bytes() for n, p in files(one).items()} == {n: p.read_bytes() for n, p in files(two).items()}
    assert (one / "manifest.json").read_text() == (two / "manifest.json").read_text()
    assert len(files(one)) == len(TABLES)


def test_another_seed_gives_another_sample() -> None:
    one, two = records(0.3), records(0.3, seed=2)
    for table in ("balisnap/Booking", "balisnap/Payment", "bstadmin/bookings", "bstadmin/email_inbox"):
        assert one[table] != two[table]
    assert aliased(spec()) != aliased(spec(seed=2))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_volumes(seed: int) -> None:
    rows = {table: len(each) for table, each in records(seed=seed).items()}
    assert rows.keys() == VOLUMES.keys()
    for table, expected in VOLUMES.items():
        assert abs(rows[table] - expected) <= 0.1 * expected, table
    assert 70_000 < sum(rows.values()) < 85_000


def test_scale_multiplies_rows() -> None:
    counts = [{table: len(rows) for table, rows in records(scale).items()} for scale in (0.5, 2)]
    for table in TABLES:
        assert 3.6 < counts[1][table] / counts[0][table] < 4.4, table


def test_half_of_the_website_is_in_operations_too(loaded: Reference) -> None:
    groups: dict[str, set[str]] = {}
    for row in loaded.live("channel_external_refs"):
        if row["entity_type"] == "BOOKING":
            groups.setdefault(str(row["entity_key"]), set()).add(row["external_ref_kind"])
    both = sum({"BALISNAP_BOOKING_ID", "BSTADMIN_BOOKING_ID"} <= kinds for kinds in groups.values())
    assert 1400 * MEDIUM < both < 1600 * MEDIUM


@pytest.mark.parametrize("stem", TABLES)
def test_millions_of_rows_stream(stem: str) -> None:
    other = f"bstadmin/{ALIASES.get(stem.split('/')[1])}"
    # Their first rows are about late trips, and finding the first of them takes a while.
    scale = 30 if stem in ("bstadmin/email_jobs", "bstadmin/booking_emails") else 3000
    tracemalloc.start()
    try:
        tables = {table.stem: table for table in booking.tables(spec(scale))}
        rows = (tables[stem] if stem in tables else tables[other]).records()
        read = sum(1 for _ in itertools.islice(rows, 400))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert read == 400
    assert peak < 8 << 20


@pytest.mark.parametrize("stem", ["balisnap/BookingItem", "bstadmin/bookings", "bstadmin/email_inbox"])
def test_rows_do_not_wait_for_each_other(stem: str) -> None:
    """What is kept while a table streams does not grow with the rows that have passed."""
    rows = {table.stem: table for table in booking.tables(spec(3000))}[stem].records()
    sizes = []
    tracemalloc.start()
    try:
        for _ in range(3):
            for _ in itertools.islice(rows, 1500):
                pass
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[2] - sizes[0] < 100_000


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("packed", [False, True])
def test_formats_carry_the_same_records(tmp_path: Path, form: str, packed: bool) -> None:
    plain, other = files(write(tmp_path, "json")), files(write(tmp_path, "other", form, packed))
    columns = {table.stem: table.columns for table in booking.tables(spec(SMALL))}
    assert plain.keys() == other.keys() == columns.keys()
    for table, path in plain.items():
        expected, rows = read_rows(path), read_rows(other[table])
        if form != "jsonl":
            expected = [as_cells(row, columns[table]) for row in expected]
            rows = [as_cells(row, columns[table]) for row in rows]
        assert rows == expected, table


def as_cells(record: Any, columns: tuple[str, ...]) -> dict[str, str | None]:
    """What text cells hold of a JSON record."""
    record = record if isinstance(record, dict) else {}
    return {column: text_cell(record.get(column)) or None for column in columns}


def test_formats_mean_the_same(tmp_path: Path) -> None:
    outcomes = []
    for form in FORMATS:
        reference = Reference()
        reference.load(Path(str(write(tmp_path / form, "a", form))))
        outcomes.append(reference.tables)
    for table, rows in outcomes[0].items():
        for other in outcomes[1:]:
            assert other[table] == rows, table


@pytest.mark.parametrize("form", FORMATS)
def test_manifest_counts_every_row(tmp_path: Path, form: str) -> None:
    folder = write(tmp_path, "a", form)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["system"] == "booking"
    rows = {entry["name"]: entry["rows"] for entry in manifest["files"]}
    found = {f"{path.parent.name}/{path.name}": len(read_rows(path)) for path in files(folder).values()}
    assert rows == found


def test_one_table_is_in_the_other_spelling_by_turns() -> None:
    assert {aliased(spec(seed=seed)) for seed in range(5)} == set(ALIASES)
    assert aliased(spec()) != aliased(spec(edition=1))
    stems = {table.stem: table for table in booking.tables(spec(SMALL))}
    model = ALIASES[aliased(spec())]
    assert f"bstadmin/{model}" in stems
    assert f"bstadmin/{aliased(spec())}" not in stems
    assert {"id", "bookingId", "validatedAt"} < set(stems[f"bstadmin/{model}"].columns)


@pytest.mark.parametrize("scale", [0.001, SMALL, 1])
@pytest.mark.parametrize("edition", [0, 1])
def test_no_table_is_too_broken_to_read(scale: float, edition: int) -> None:
    """More than a tenth of unreadable rows, or no key in any row, would abort a migration."""
    for table, rows in records(scale, edition=edition).items():
        broken = [row for row in rows if not isinstance(row, dict)]
        assert rows, table
        assert len(broken) <= 0.02 * len(rows), table
        assert any(KEYS.get(table, next(iter(rows[0]))) in row for row in objects(rows))


# Thresholds -----------------------------------------------------------------------------------------------------------


def drift(reference: Reference) -> float:
    done = [row for row in reference.live("booking_core") if row["ops_fulfillment_status"] == "DONE"]
    return sum(row["customer_payment_status"] != "PAID" for row in done) / max(1, len(done))


def open_mappings(reference: Reference, *tables: str) -> Counter[str]:
    rows = [r for r in reference.tables["unmapped_queue"].values() if r["queue_type"] == "VARIANT_MAPPING"]
    return Counter(r["channel_code"] for r in rows if r["status"] == "OPEN" and r["source_table"] in tables)


def unmapped_variants(reference: Reference) -> dict[str, float]:
    missing = open_mappings(reference, "TourVariant", "tour_packages")
    refs = [row for row in reference.live("channel_external_refs") if row["entity_type"] == "VARIANT"]
    known = Counter(row["channel_code"] for row in refs)
    known["DIRECT"] += missing["DIRECT"]
    return {channel: missing[channel] / max(1, known[channel]) for channel in ("DIRECT", "MANUAL")}


def unmapped_items(reference: Reference, channel: str) -> float:
    core = reference.tables["booking_core"]
    items = reference.live("booking_item_snapshot")
    of_channel = [row for row in items if core[str(row["booking_key"])]["channel_code"] == channel]
    return open_mappings(reference, "BookingItem", "Booking", "bookings")[channel] / len(of_channel)


def pax_mismatch(reference: Reference) -> float:
    party = {str(row["booking_key"]): row for row in reference.live("booking_party")}
    core = reference.live("booking_core")
    same = [
        (party[str(row["booking_key"])][f"{kind}_qty"] == row[f"number_of_{kind}"] for kind in ("adult", "child"))
        for row in core
    ]
    return sum(not all(each) for each in same) / len(core)


def assert_thresholds(reference: Reference) -> None:
    assert conservation_faults(reference) == []
    assert max(unmapped_variants(reference).values()) <= 0.05
    assert drift(reference) <= 0.01
    assert pax_mismatch(reference) <= 0.01
    events = reference.tables["ingest_event_log"].values()
    assert len({row["nonce"] for row in events}) == len({row["idempotency_key"] for row in events}) == len(events)


def test_thresholds_hold(loaded: Reference) -> None:
    assert_thresholds(loaded)
    assert drift(loaded) > 0
    assert min(unmapped_variants(loaded).values()) > 0
    assert unmapped_items(loaded, "DIRECT") <= 0.05
    assert unmapped_items(loaded, "MANUAL") <= 0.05
    assert unmapped_items(loaded, "GYG") > 0.5


@pytest.mark.parametrize(("scale", "seed"), [(0.001, 1), (SMALL, 2), (SMALL, 3), (0.12, 4), (0.3, 5)])
def test_thresholds_hold_at_every_scale_and_in_later_exports(tmp_path: Path, scale: float, seed: int) -> None:
    reference = Reference()
    for edition, name in enumerate("ab"):
        reference.load(Path(str(write(tmp_path, name, scale=scale, seed=seed, edition=edition))))
        assert_thresholds(reference)


# What a migration meets -----------------------------------------------------------------------------------------------

REJECTED = {
    "catalog_product": {"MALFORMED_ROW", "INVALID_PK"},
    "catalog_variant": {"MALFORMED_ROW", "INVALID_PK", "ORPHAN_PRODUCT"},
    "catalog_variant_rate": {
        *("MALFORMED_ROW", "INVALID_PK", "ORPHAN_VARIANT", "INVALID_TRAVELER_TYPE", "INVALID_PRICE"),
        "NEGATIVE_PRICE",
    },
    "booking_core": {"MALFORMED_ROW", "INVALID_PK", "REF_TOO_LONG", "NO_VALID_TIMESTAMP", "NO_TOUR_DATE"},
    "booking_item_snapshot": {"MALFORMED_ROW", "INVALID_PK", "ORPHAN_BOOKING"},
    "booking_party": {"MALFORMED_ROW", "INVALID_PK", "ORPHAN_BOOKING_ITEM"},
    "payment_event": {
        *("MALFORMED_ROW", "INVALID_PK", "ORPHAN_BOOKING", "INVALID_PAYMENT_TIME", "INVALID_AMOUNT"),
        "DUPLICATE_PAYMENT_REF",
    },
    "ops_finance_bridge": {"MALFORMED_ROW", "INVALID_PK", "ORPHAN_BOOKING", "ORPHAN_FINANCE"},
    "ingest_event_log": {
        *("MALFORMED_ROW", "INVALID_PK", "MISSING_MESSAGE_ID", "INVALID_EVENT_TIME", "NO_BOOKING_REF"),
        "REF_TOO_LONG",
    },
}
CONFLICTS = {
    **{"tour_date": {"FRESHER", "OWNER"}, "tour_time": {"FRESHER", "OWNER"}, "booking_date": {"FRESHER", "OWNER"}},
    **{"number_of_adult": {"FRESHER", "REVIEW_REQUIRED"}, "number_of_child": {"FRESHER"}},
    **{"legacy_package_id": {"FRESHER"}, "total_price": {"FRESHER", "ACTIVE_ITEMS", "REVIEW_REQUIRED"}},
    **{"main_name": {"FRESHER", "REVIEW_REQUIRED"}, "main_email": {"FRESHER", "OWNER", "REVIEW_REQUIRED"}},
    "phone": {"FRESHER", "OWNER", "REVIEW_REQUIRED"},
}
QUEUED = {
    *(("PRODUCT_MAPPING", table, why) for table in ("tours", "tour_packages") for why in ("NO_MATCH", "MULTI_MATCH")),
    *(("VARIANT_MAPPING", "TourVariant", "NO_MATCH"), ("VARIANT_MAPPING", "tour_packages", "MULTI_MATCH")),
    *(("VARIANT_MAPPING", "BookingItem", why) for why in ("NO_MATCH", "MISSING_REF")),
    *(("VARIANT_MAPPING", table, "MISSING_REF") for table in ("Booking", "bookings")),
    ("CATALOG_EXTENDED_METADATA", "TourProduct", "INVALID_THUMBNAIL"),
    ("CATALOG_EXTENDED_METADATA", "VariantRatePlan", "INVALID_SOURCE"),
    *(("CATALOG_EXTENDED_METADATA", table, "NO_RATE_AVAILABLE") for table in ("TourVariant", "tour_packages")),
    *(("CATALOG_EXTENDED_METADATA", t, "DEFERRED_GALLERY_ITINERARY") for t in ("tours", "tour_packages")),
    *(("CHANNEL_MAPPING", "bookings", "UNKNOWN_SOURCE"), ("BOOKING_CONFLICT", "booking_core", "REVIEW_REQUIRED")),
}


def test_every_reason_to_reject_occurs(loaded: Reference) -> None:
    found: dict[str, set[str]] = {}
    for key, (_, reason) in loaded.rejected().items():
        found.setdefault(key[3], set()).add(reason)
    assert found == REJECTED


def test_every_reason_to_skip_or_merge_occurs(loaded: Reference) -> None:
    skipped = {row[2] for row in loaded.ledger.values() if row[1] == "skipped"}
    assert skipped >= {"TOUR_NOT_A_PRODUCT", "TRAVELER_OF_INACTIVE_ITEM", "NOT_BOOKING_EMAIL"}
    merged = {row["reason_code"] for row in loaded.tables["merge_log"].values()}
    assert merged >= {"DUPLICATE_PK", "SAME_IDENTITY", "BRIDGED", "DUPLICATE_PAYMENT_REF"}
    assert merged >= {"SAME_IDEMPOTENCY_KEY", "SECONDARY_DEDUP"}


def test_rejected_rows_are_few(loaded: Reference) -> None:
    assert len(loaded.rejected()) < 0.01 * len(loaded.ledger)


def test_every_conflict_occurs(loaded: Reference) -> None:
    found: dict[str, set[str]] = {}
    rows = loaded.tables["audit_log"].values()
    for row in rows:
        if row["action"] == "MERGE_CONFLICT":
            found.setdefault(row["field_name"], set()).add(row["resolution"])
    for field, resolutions in CONFLICTS.items():
        assert resolutions <= found[field], field
    assert {row["action"] for row in rows} == {"MERGE_CONFLICT", "NOTE_MERGED", "INVALID_EMAIL", "STATUS_RECOMPUTED"}


def test_every_kind_of_follow_up_occurs(loaded: Reference) -> None:
    rows = loaded.tables["unmapped_queue"].values()
    assert {(row["queue_type"], row["source_table"], row["reason_code"]) for row in rows} >= QUEUED


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("channel_code", CHANNELS),
        ("customer_payment_status", {"DRAFT", "PENDING_PAYMENT", "PAID", "FAILED", "REFUNDED"}),
        (
            "ops_fulfillment_status",
            {"NEW", "READY", "ATTENTION", "UPDATED", "COMPLETED", "DONE", "CANCELLED", "NO_SHOW"},
        ),
        ("package_ref_type", {"LEGACY_PACKAGE", "CATALOG_PRODUCT", "CATALOG_VARIANT"}),
        ("mapping_status", {"MAPPED", "UNMAPPED", "REVIEW_REQUIRED"}),
    ],
)
def test_bookings_are_of_every_kind(loaded: Reference, column: str, values: set[str]) -> None:
    found = Counter(row[column] for row in loaded.live("booking_core"))
    assert found.keys() == values
    assert min(found.values()) >= 2


def test_events_are_of_every_kind(loaded: Reference) -> None:
    rows = loaded.tables["ingest_event_log"].values()
    assert {row["source_enum"] for row in rows} == CHANNELS
    assert {row["event_type"] for row in rows} == {"CREATED", "UPDATED", "CANCELLED"}
    statuses = Counter(row["process_status"] for row in rows)
    assert statuses.keys() == {"RECEIVED", "PROCESSING", "DONE", "FAILED"}
    dead = Counter(row["reason_code"] for row in loaded.tables["ingest_dead_letter"].values())
    assert dead.keys() == {"SCHEMA_MISMATCH", "TRANSIENT_ERROR"}
    assert statuses["FAILED"] > dead.total()


def test_bookings_are_spread_over_eighteen_months(loaded: Reference) -> None:
    months = Counter(f"{row['booking_created_at']:%Y-%m}" for row in loaded.live("booking_core"))
    assert 18 <= len(months) <= 22
    assert sorted(months.values())[-17] > 400 * MEDIUM


# Dirt -----------------------------------------------------------------------------------------------------------------

Detector = Callable[[Any], Any]


def like(pattern: str) -> Detector:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.DOTALL)


def exactly(*values: Any) -> Detector:
    return lambda value: any(type(value) is type(other) and value == other for other in values)


def of_type(kind: type) -> Detector:
    return lambda value: type(value) is kind


IDS: dict[str, Detector] = {
    **{"number": of_type(int), "text": like(r"\d+"), "spaces": like(r" \d+ "), "fraction": of_type(Decimal)},
    **{"text with zeros": like(r"00\d+"), "sign": like(r"\+\d+"), "NBSP": like("\\d+\u00a0"), "x.0": like(r"\d+\.0")},
}
BAD_IDS: dict[str, Detector] = {
    **{"null": exactly(None), "words": exactly("abc"), "zero": exactly(0), "empty": exactly("")},
    **{"negative": exactly(-7), "grouped": exactly("1,024"), "boolean": exactly(True)},
    **{"too large": exactly("2147483648"), "scientific": exactly("1e3")},
}
MONEY: dict[str, Detector] = {
    **{"number": of_type(Decimal), "text": like(r"\d+\.\d\d"), "commas": like(r"\d{1,3}(,\d{3})+\.\d\d")},
    **{"spaces": like(r" [\d.]+ "), "sign": like(r"\+[\d.]+"), "four decimals": like(r"\d+\.\d\d00")},
    "fraction of a cent": lambda v: isinstance(v, Decimal) and v.as_tuple().exponent == -3,
}
PLAIN_MONEY = {name: found for name, found in MONEY.items() if name != "commas"}
BAD_MONEY: dict[str, Detector] = {
    **{"words": exactly("N/A"), "cut": exactly("1,23"), "unit": exactly("12.5 USD"), "boolean": exactly(True)},
    **{"null": exactly(None), "rupiahs": exactly("Rp 150.000"), "too large": exactly(dirt.OUT_OF_RANGE)},
}
TIMES: dict[str, Detector] = {
    **{"Z": like(r"\S+T\S+\.000Z"), "naive": like(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "millis": of_type(int)},
    **{
        "text millis": like(r"\d{13}"),
        "+08:00": like(r".*\+08:00"),
        "+0700": like(r".*\+0700"),
        "+08": like(r".*\+08"),
    },
    **{"micros": like(r" .*\.123456Z "), "minutes": like(r"\S+T\d\d:\d\dZ"), "-03:00": like(r".*-03:00")},
}
BAD_TIMES: dict[str, Detector] = {
    **{"zeros": exactly("0000-00-00 00:00:00"), "words": exactly("yesterday"), "future": exactly(dirt.FUTURE)},
    **{"impossible": exactly("2025-02-30T00:00:00.000Z"), "1970": like("1970-.*"), "null": exactly(None)},
    **{"other": exactly("25/12/2025"), "offset": like(r".*\+24:00"), "number": exactly(45000)},
}
CURRENCIES: dict[str, Detector] = {
    **{"clean": exactly("USD"), "lower": exactly("usd"), "spaces": exactly(" USD "), "sign": exactly("US$")},
    **{"null": exactly(None), "word": exactly("DOLLAR"), "number": of_type(int)},
}
REFS: dict[str, Detector] = {
    **{"clean": like("[0-9A-F]{8}"), "lower": like("[0-9a-f]*[a-f][0-9a-f]*"), "spaces": like(" [0-9A-F]+ ")},
    **{"tab": like("\\S+\t"), "NBSP": like("\u00a0\\S+"), "null": exactly(None), "blank": exactly("   ")},
    "too long": lambda v: isinstance(v, str) and len(v) > 128,
}
PHONES: dict[str, Detector] = {
    **{
        "clean": like(r"\+62812\d+"),
        "GB": like(r"GB\+44 .*"),
        "local": like(r"0812\d+"),
        "+62 0812": like(r"\+62 0812.*"),
    },
    **{
        "00": like(r"0044\d+"),
        "two": like(r".+; .+"),
        "dash": exactly("-"),
        "short": exactly("12345"),
        "8": like(r"8\d+"),
    },
    **{"620": like(r"620812\d+"), "number": of_type(int), "null": exactly(None), "words": exactly("no phone")},
}
NAMES: dict[str, Detector] = {
    **{name or "empty": exactly(name) for name in ("Guest", "CUSTOMER", "Cancelled", "N/A", "-", "Test", "")},
    **{
        "null": exactly(None),
        "NUL": like(".*\x00.*"),
        "NBSP": like(".*\u00a0.*"),
        "long": lambda v: v and len(v) > 191,
    },
}
EMAILS: dict[str, Detector] = {
    **{
        "clean": like(r"[a-z.]+\d+@guests\.example\.org"),
        "upper": like("[A-Z].*@GUESTS.*"),
        "(at)": like(r".*\(at\).*"),
    },
    **{"spaces": like(r".* @ .*"), "no host": like("[a-z.0-9]+"), "no dot": like("[^.]*@[^.]*")},
    "too long": lambda v: isinstance(v, str) and len(v) > 191,
}
FLAGS: dict[str, Detector] = {
    **{str(v): exactly(v) for v in ("true", "1", "TRUE", " Yes ", "y", "on", "false", "0", "FALSE", "No", "off")},
    **{"True": exactly(True), "False": exactly(False), "one": exactly(1), "zero": exactly(0)},
}
BAD_FLAGS: dict[str, Detector] = {"null": exactly(None), "maybe": exactly("maybe"), "two": exactly(2)}
CLOCKS: dict[str, Detector] = {
    **{"am": like(r"\d+:\d\d am"), "PM": like(r"\d+:\d\d PM"), "dot": like(r"\d\d\.\d\d"), "hour": like(r"\d+ AM")},
    **{"span": like(r"\d\d:\d\d - 18:00"), "dash": like(".*\u2013.*"), "ISO": like("1970-01-01T.*Z")},
    **{"word": exactly("Morning"), "null": exactly(None), "impossible": exactly("25:00"), "13 PM": exactly("13:00 PM")},
}
IMAGES: dict[str, Detector] = {
    **{"good": like("https://images.example.test/[a-z/]+/\\d+.jpg"), "relative": like("/[a-z].*"), "//": like("//.*")},
    **{
        "localhost": like("https://localhost/.*"),
        "ftp": like("ftp:.*"),
        "data": like("data:.*"),
        "null": exactly(None),
    },
    "too long": lambda v: isinstance(v, str) and len(v) > 2048,
}
JSONS: dict[str, Detector] = {
    **{"object": of_type(dict), "text": like(r'\{".*\}'), "null": exactly(None)},
    "broken": lambda v: isinstance(v, str) and v.startswith("{") and not v.endswith("}"),
}
DANGLING: dict[str, Detector] = {"dangling": exactly(dirt.DANGLING)}
COPIES: dict[str, Detector] = {"old": exactly(dirt.OLD), "soon": exactly("soon"), "empty": exactly("")}

DIRT: dict[str, dict[str, dict[str, Detector]]] = {
    "balisnap/TourProduct": {
        "legacy_package_id": {
            "null": exactly(None),
            "text": like(r"\d+"),
            "retired": lambda v: type(v) is int and v > 900_000,
        },
        "product_name": {"null": exactly(None), "NUL": like(".*\x00.*"), "long": lambda v: v and len(str(v)) > 255},
        "slug": {
            "shared": exactly("Same Tour!"),
            "empty": exactly(""),
            "signs": exactly("!!!"),
            "swapped": like("swapped-.*"),
        },
        "country_code": {
            "lower": exactly("id"),
            "three": exactly("IDN"),
            "null": exactly(None),
            "digit": exactly("I1"),
        },
        "is_active": {"maybe": exactly("maybe"), "False": exactly(False)},
        "priority": {"words": exactly("two"), "negative": exactly(-1), "boolean": exactly(True)},
        "thumbnail_url": IMAGES,
        "color_code": {"long": lambda v: isinstance(v, str) and len(v) > 32, "number": of_type(int)},
        "description": {"half an emoji": like(".*\ud83d"), "blank": like(r"\s+"), "lines": like(".*\n\n.*")},
    },
    "balisnap/TourProductMedia": {"product_id": DANGLING, "url": IMAGES, "sort_order": {"words": exactly("two")}},
    "balisnap/TourVariant": {
        "product_id": DANGLING | {"null": exactly(None)},
        "variant_code": {"lower": like("std-.*"), "long": lambda v: v and len(v) > 64, "null": exactly(None)},
        "service_type": {"lower": like("private|shared|custom"), "unknown": exactly("ARCHIVED"), "null": exactly(None)},
        "max_pax": {"one": exactly(1), "null": exactly(None)},
        "booking_cutoff_hours": {"negative": exactly(-1, "-3")},
        "currency_code": CURRENCIES,
    },
    "balisnap/VariantRatePlan": {
        "price": PLAIN_MONEY | {"negative": exactly("-0.01"), "words": exactly("N/A"), "null": exactly(None)},
        "traveler_type": {"unknown": exactly("SENIOR"), "null": exactly(None), "lower": exactly("adult")},
        "variant_id": DANGLING,
        "rate_plan_id": IDS,
    },
    "balisnap/VariantItinerary": {"variant_id": DANGLING, "start_time": CLOCKS, "day": {"null": exactly(None)}},
    "balisnap/Departure": {
        "start_date": {"day": like(r"\d{4}-\d\d-\d\d"), "null": exactly(None), "soon": exactly("soon")}
    },
    "balisnap/Booking": {
        "booking_id": IDS | BAD_IDS,
        "booking_ref": REFS,
        "booking_date": TIMES | {"Bali midnight": like(r".*T16:00:00\.000Z"), "day": like(r"\d{4}-\d\d-\d\d")},
        "total_price": MONEY | BAD_MONEY | {"negative": exactly(Decimal("-15.00"))},
        "status": {
            s: exactly(s) for s in ("pending", "waiting", "paid", "completed", "cancelled", "PAID", "Paid", "on hold")
        },
        "status_v2": {
            **{s: exactly(s) for s in ("DRAFT", "PAID", "CONFIRMED", "CANCELLED", "COMPLETED", "EXPIRED", "REFUNDED")},
            **{"null": exactly(None), "lower": exactly("completed"), "unknown": exactly("ARCHIVED")},
        },
        "number_of_adult": {
            "words": exactly("two"),
            "negative": exactly(-1),
            "null": exactly(None),
            "text": like(r"\d+"),
        },
        "currency_code": CURRENCIES,
        "created_at": TIMES | BAD_TIMES,
        "updated_at": TIMES | BAD_TIMES | COPIES,
        "main_contact_name": NAMES,
        "main_contact_email": EMAILS
        | {"placeholder": exactly("test@test.com"), "example": exactly("somebody@example.com")},
        "phone_number": PHONES,
        "meeting_point": {"null": exactly(None), "blank": exactly("  ")},
    },
    "balisnap/BookingItem": {
        "booking_id": DANGLING | {"words": exactly("B-7")},
        "variant_id": DANGLING | {"words": exactly("V-7"), "null": exactly(None)},
        "departure_id": {"null": exactly(None), "given": of_type(int)},
        "item_status": {s: exactly(s) for s in ("ACTIVE", "CANCELLED", "COMPLETED", "active", None, "ARCHIVED")},  # type: ignore[misc]
        "currency_code": CURRENCIES | {"another": exactly("IDR")},
        "total_amount": MONEY | {"words": exactly("N/A"), "negative": exactly("-0.01")},
        "snapshot": JSONS | {"blank": exactly("   "), "list": exactly("[]"), "words": exactly('"words"')},
    },
    "balisnap/BookingTraveler": {
        "booking_item_id": DANGLING,
        "traveler_type": {"child": exactly("CHILD"), "null": exactly(None), "lower": exactly("adult")},
        "birth_date": {
            "with time": like(".*T.*"),
            "other": like(r"\d\d/\d\d/\d{4}"),
            "impossible": exactly("1990-02-30"),
        },
    },
    "balisnap/Payment": {
        "booking_id": DANGLING,
        "amount": MONEY | {"words": exactly("N/A"), "negative": lambda v: isinstance(v, Decimal) and v < 0},
        "payment_method": {m: exactly(m) for m in ("PAYPAL", "Bank transfer", "cash", "PayPal Checkout", "STRIPE")},
        "payment_status": {s: exactly(s) for s in ("COMPLETED", "paid", "captured", "pending", "failed", "refunded")},
        "payment_status_v2": {
            "null": exactly(None),
            "partly": like("PARTIALLY_REFUNDED"),
            "unknown": exactly("on hold"),
        },
        "payment_date": TIMES | {"null": exactly(None), "future": exactly(dirt.FUTURE)},
        "raw_payload": JSONS,
        "payment_ref": {"null": exactly(None), "spaces": like(" PAY-.* ")},
    },
    "bstadmin/tours": {
        "is_active": {"False": exactly(False)},
    },
    "bstadmin/tour_packages": {
        "tour_id": DANGLING | {"null": exactly(None)},
        "price_per_person": {
            "commas": MONEY["commas"],
            "null": exactly(None),
            "zero": exactly(Decimal("0.00")),
            "words": exactly("N/A"),
        },
        "base_currency": {"IDR": exactly("IDR"), "lower": exactly("usd", "idr"), "null": exactly(None)},
        "package_id": {"words": exactly("abc"), "null": exactly(None)},
    },
    "bstadmin/tour_images": {"tour_id": DANGLING, "url": {"relative": like("/.*")}},
    "bstadmin/tour_itineraries": {"package_id": DANGLING},
    "bstadmin/bookings": {
        "booking_id": IDS | BAD_IDS,
        "booking_ref": {
            **{
                "GYG": like("GYG[0-9A-F]{8}B"),
                "VIATOR": like(r"VIA-\d{8}"),
                "lower": like(r"via-\d{8}"),
                "null": exactly(None),
            },
            **{"number": of_type(int), "tab": like("\\S+\t"), "spaces": like(" .* "), "mistyped": like(r".*\?")},
            "too long": exactly(dirt.LONG_REF),
        },
        "package_id": {"null": exactly(None), "given": of_type(int)},
        "source": {
            **{s: exactly(s) for s in sorted(CHANNELS)},
            **{"lower": exactly("gyg"), "unknown": exactly("AIRBNB"), "null": exactly(None), "typed": exactly("klook")},
        },
        "tour_date": TIMES | {"Bali midnight": like(r".*T16:00:00\.000Z"), "day": like(r"\d{4}-\d\d-\d\d")},
        "tour_time": CLOCKS,
        "total_price": MONEY | BAD_MONEY | {"zero": exactly(Decimal("0.00"))},
        "currency": CURRENCIES,
        "status": {
            s: exactly(s) for s in ("NEW", "READY", "DONE", "CANCELLED", "NO_SHOW", "done", " DONE ", "on hold")
        },
        "is_paid": FLAGS | BAD_FLAGS,
        "paid_at": TIMES | BAD_TIMES,
        "assigned_driver_id": {"null": exactly(None), "zero": exactly(0), "words": exactly("driver 7")},
        "main_contact_name": NAMES,
        "main_contact_email": {
            e: exactly(e)
            for e in ("no-email@getyourguide.com", "no-email@viator.com", "no-email@trip.com", "no-email@unknown.com")
        },
        "phone_number": PHONES,
        "updated_at": TIMES | BAD_TIMES | COPIES,
        "tourDate": {"beside tour_date": exactly("2001-01-01")},
    },
    "bstadmin/booking_finances": {
        "booking_id": DANGLING,
        "pattern_id": {"null": exactly(None), "zero": exactly(0), "words": exactly("none")},
        "validated_at": {"null": exactly(None), "millis": of_type(int)},
    },
    "bstadmin/booking_finance_items": {"booking_finance_id": DANGLING, "paid": FLAGS | BAD_FLAGS, "amount": BAD_MONEY},
    "bstadmin/email_inbox": {
        "id": {"null": exactly(None), "blank": exactly("  ")},
        "message_id": {"null": exactly(None), "blank": exactly("  "), "long": lambda v: v and len(v) > 128},
        "received_at": {"millis": of_type(int), "words": exactly("yesterday"), "fraction": like(r".*\.\d\d[1-9]Z")},
        "is_booking_email": {
            "False": exactly(False),
            "null": exactly(None),
            "text": exactly("yes", " Yes ", "1", "true"),
        },
        "source": {"BOKUN": exactly("BOKUN"), "null": exactly(None), "unknown": exactly("ARCHIVED")},
        "parsed_data": JSONS | {"list": of_type(list), "scalar": exactly("7")},
        "subject": {
            "CANCELLED": like(".*(?i:cancel).*"),
            "UPDATED": like(".*modified.*"),
            "change": like(".*detail change.*"),
        },
        "error_message": {"parsing": like("Failed to parse.*"), "other": exactly("socket hang up")},
        "html_body": {"half an emoji": like(".*\ud83d.*"), "number": of_type(int), "null": exactly(None)},
    },
    "bstadmin/email_jobs": {
        "status": {s: exactly(s) for s in ("PENDING", "PROCESSING", "COMPLETED", "FAILED", "completed", "ARCHIVED")},
        "email_inbox_id": {"dangling": exactly("cm-nowhere")},
        "max_attempts": {"null": exactly(None), "words": exactly("three")},
        "id": {"null": exactly(None)},
    },
    "bstadmin/booking_emails": {
        "booking_id": DANGLING,
        "relation_type": {s: exactly(s) for s in ("CREATED", "UPDATED", "CANCELLED", "created", "SEEN")},
    },
}


def cases() -> Iterator[Any]:
    for table, columns in DIRT.items():
        for column, kinds in columns.items():
            for name, found in kinds.items():
                yield pytest.param(
                    table, column, found, id=f"{table}-{column}-{str(name).encode('unicode_escape').decode()}"
                )


@pytest.mark.parametrize(("table", "column", "found"), list(cases()))
def test_dirt_is_there(full: Rows, table: str, column: str, found: Detector) -> None:
    assert any(found(row[column]) for row in objects(full[table]) if column in row)


@pytest.mark.parametrize(
    "table", [t for t in KEYS if t not in ("balisnap/Departure",) and not t.endswith("s/TourProductMedia")]
)
def test_some_records_are_no_objects(full: Rows, table: str) -> None:
    assert any(not isinstance(row, dict) for row in full[table])


@pytest.mark.parametrize(
    ("table", "column"),
    [
        *(("balisnap/Booking", column) for column in ("booking_id", "package_id", "status_v2", "note", "booking_ref")),
        *(("bstadmin/bookings", column) for column in ("booking_id", "package_id", "source", "meeting_point")),
        *(("balisnap/TourProduct", "category"), ("bstadmin/email_inbox", "id")),
    ],
)
def test_some_records_lack_a_key(full: Rows, table: str, column: str) -> None:
    assert any(column not in row for row in objects(full[table]))


def test_copies_lose_by_time_and_by_place(full: Rows) -> None:
    copies: dict[int, list[dict[str, Any]]] = {}
    for row in objects(full["bstadmin/bookings"]):
        if type(row.get("booking_id")) is int and row["booking_id"] > 0:
            copies.setdefault(row["booking_id"], []).append(row)
    groups = [group for group in copies.values() if len(group) > 1]
    assert any(len(group) == 3 for group in groups)
    assert any(group[0] == group[1] for group in groups)
    times = [tuple(row.get("updated_at") for row in group) for group in groups]
    assert any(dirt.OLD in each for each in times) and any(None in each for each in times)
    assert any(group[0] != group[1] and group[0]["updated_at"] == group[1]["updated_at"] for group in groups)


@pytest.mark.parametrize(("table", "least"), [("balisnap/Booking", 20), ("bstadmin/bookings", 50)])
def test_one_system_has_a_reference_twice(full: Rows, table: str, least: int) -> None:
    keys: dict[str, set[str]] = {}
    for row in objects(full[table]):
        if row.get("booking_ref"):
            keys.setdefault(" ".join(str(row["booking_ref"]).split()).upper(), set()).add(
                str(row.get("booking_id")).strip()
            )
    assert sum(len(each) > 1 for each in keys.values()) >= least


def test_imports_of_one_channel_have_no_price(full: Rows) -> None:
    prices = [row["total_price"] for row in objects(full["bstadmin/bookings"]) if row.get("source") == "TRIPDOTCOM"]
    assert len(prices) > 500
    assert sum(price == 0 for price in prices) > 0.9 * len(prices)


def test_personal_values_are_recognisable(full: Rows) -> None:
    allowed = {mail for mails in dirt.PLACEHOLDER_EMAILS.values() for mail in mails}
    host = re.compile(r"guests\.?(example|local)\.?org", re.IGNORECASE)
    for table in ("balisnap/Booking", "bstadmin/bookings"):
        for row in objects(full[table]):
            mail = row["main_contact_email"]
            assert mail in allowed or host.search(mail) or "@" not in mail, mail
            digits = re.sub(r"\D", "", str(row["phone_number"] or ""))
            assert len(digits) < 7 or re.search("(812000|447700900|61491570|1234567890)", digits), row["phone_number"]
    for row in objects(full["balisnap/BookingTraveler"]):
        assert not row.get("passport_number") or row["passport_number"].startswith(dirt.PASSPORT_MARK)
        assert not row.get("email") or row["email"].endswith(f"@{dirt.EMAIL_DOMAIN}")
    for row in objects(full["bstadmin/email_inbox"]):
        assert row["from"].endswith(f"@{dirt.MAIL_HOST}")


# The export that follows ----------------------------------------------------------------------------------------------


def by_id(rows: list[Any], key: str) -> dict[Any, dict[str, Any]]:
    good = [row for row in objects(rows) if row.get(key) is not None and not isinstance(row[key], bool)]
    return {str(row[key]).strip().removeprefix("+").removesuffix(".0"): row for row in good}


@pytest.mark.parametrize("table", KEYS)
def test_next_sample_keeps_ids(samples: Samples, table: str) -> None:
    before, after = (by_id(rows[table], KEYS[table]) for rows in (samples.first, samples.following))
    assert len(before.keys() - after.keys()) <= 0.05 * len(before)
    assert after.keys() - before.keys()
    assert len(after) < 1.15 * len(before)


@pytest.mark.parametrize(
    "table", ["balisnap/Booking", "balisnap/BookingItem", "bstadmin/bookings", "bstadmin/email_inbox"]
)
def test_next_sample_loses_some_rows(samples: Samples, table: str) -> None:
    before, after = (by_id(rows[table], KEYS[table]) for rows in (samples.first, samples.following))
    assert before.keys() - after.keys()


def test_next_sample_moves_things_on(samples: Samples) -> None:
    changes: dict[str, set[tuple[Any, Any]]] = {}
    for table, column in (
        ("bstadmin/bookings", "status"),
        ("balisnap/Booking", "status_v2"),
        ("bstadmin/booking_finance_items", "paid"),
        ("balisnap/TourProduct", "slug"),
        ("bstadmin/bookings", "main_contact_name"),
    ):
        before, after = (by_id(rows[table], KEYS[table]) for rows in (samples.first, samples.following))
        pairs = {(before[key].get(column), after[key].get(column)) for key in before.keys() & after.keys()}
        changes[f"{table}.{column}"] = {(a, b) for a, b in pairs if a != b}
    assert changes["bstadmin/bookings.status"] >= {("NEW", "DONE"), ("READY", "DONE"), ("NEW", "CANCELLED")}
    assert ("PAID", "COMPLETED") in changes["balisnap/Booking.status_v2"]
    assert (False, True) in changes["bstadmin/booking_finance_items.paid"]
    swapped = changes["balisnap/TourProduct.slug"]
    assert any((b, a) in swapped for a, b in swapped)
    assert any(a == "Guest" for a, _ in changes["bstadmin/bookings.main_contact_name"])


def test_next_sample_corrects_references(samples: Samples) -> None:
    for table in ("balisnap/Booking", "bstadmin/bookings"):
        before, after = (by_id(rows[table], KEYS[table]) for rows in (samples.first, samples.following))
        wrong = [key for key, row in before.items() if str(row.get("booking_ref")).endswith("?")]
        assert wrong
        assert not any(str(after[key]["booking_ref"]).endswith("?") for key in wrong if key in after)


def test_next_sample_changes_what_it_should(tmp_path: Path) -> None:
    reference = Reference()
    reference.load(Path(str(write(tmp_path, "a", scale=0.3))))
    keys = {table: set(rows) for table, rows in reference.tables.items()}
    reference.load(Path(str(write(tmp_path, "b", scale=0.3, edition=1))))
    deleted = {table: len(rows) - len(reference.live(table)) for table, rows in reference.tables.items()}
    assert 0 < deleted["booking_core"] < 0.02 * len(keys["booking_core"])
    assert deleted["ops_finance_bridge"] and deleted["channel_external_refs"] and deleted["payment_event"]
    assert reference.tables["booking_core"].keys() - keys["booking_core"]
    assert any(row["status"] == "RESOLVED" for row in reference.tables["unmapped_queue"].values())


def test_default_id_sorts_behind() -> None:
    assert default_export_id(date(2026, 3, 1)) > default_export_id()
