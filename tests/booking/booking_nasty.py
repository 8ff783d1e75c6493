"""Random dirty exports: small worlds of two systems with every kind of dirt of the contract, and exports that follow.

Ids, references, names, slugs and times are drawn from small pools, so that rows meet: in one booking, in one product,
in one event. Most links are sound; some cross or dangle. Values are dressed as some legacy table may have written them,
and a few are spoiled.
"""

import random
from copy import deepcopy
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from tests.booking import booking_scalars as scalars
from tests.booking.booking_files import TABLES, Export, Row, as_source_rows
from tests.booking.booking_nasty_files import FORMATS, write_file
from tests.booking.booking_records import NoReferenceTimeError, reference_time
from tests.booking.booking_writing import EXPORTED_AT, Written

FIRST_EXPORT, NEXT_EXPORT = "20260219T000000Z", "20260319T000000Z"
NEXT_EXPORTED_AT = "2026-03-19T00:00:00Z"

# --- values -----------------------------------------------------------------------------------------------------------

NOTHING: list[Any] = [None, None, None, "", "  ", "\u00a0\t", "\u3000"]
BAD_KEYS: list[Any] = [
    *("abc", "-5", "5.5", "2147483648", "5,0", "\u0665", "1e1", "0x5", "5.", ".5", "0", "0.0", "5 5", "null"),
    *(-5, 0, True, False, Decimal("5.5"), 2**31, 10**20, [1], {"a": 1}, *NOTHING),
]
BAD_MONEY: list[Any] = [
    *("N/A", "1,23", ".5", "5.", "1e3", "USD 5", "12,34,567", "1,2345", "--5", "- 5", "\u0663", "1 000", "NaN"),
    *(True, [1], {"a": 1}, "10000000000", 10**10, Decimal("9999999999.995"), "-10,000,000,000", 10**30, *NOTHING),
    *(-10, "-5", "-1,234.50", "-0.004", "9999999999.994", "9,999,999,999.99", Decimal("0.005"), "-0.005"),
]
BAD_TIMES: list[Any] = [
    *("2026-02-30", "yesterday", "2026-01-05T24:00:00Z", "1999-12-31", "2100-01-01", "2026-01-05T10:00:00+24:00"),
    *("2026-01-05T10:00:00.1234567Z", "2026-01-05t10:00:00", "2026-01-05T10:00:00z", 12345, "12345", True, "2026-01"),
    *("2026-01-05T10", "2026-01-05Z", "2026-01-05T10:60Z", "2026-01-05  10:00", "0000-00-00", "2026-01-05T10:00:60Z"),
    *("2031-01-01T00:00:00Z", "2026-02-20T00:00:00Z", "2026-02-20T00:00:00.000001Z", "1999-12-31T23:00:00-02:00"),
    *("2099-12-31T23:00:00-02:00", "\u0662\u0660\u0662\u0666-01-01", [1], "05/01/2026", *NOTHING),
]
BAD_BOOLEANS: list[Any] = ["2", 2, "1.0", -1, Decimal("0.5"), [True], "ja", "null", *NOTHING]
TIMES: list[Any] = [
    *("2026-01-05T10:00:00Z", "2026-01-05 10:00", "2026-01-05T18:00:00+08:00", "2026-01-05T10:00:00.123456Z"),
    *("2026-01-05", "2026-02-01T00:00:00Z", "2025-12-31T16:00:00.000Z", "2025-12-31T15:59:59Z", 1767607200000),
    *("1767607200000", "2026-02-10T12:30:15.5-0330", " 2026-02-10T16:00:15+0030 ", "2026-02-10 23:00:00+07"),
]
TOUR_TIMES: list[Any] = [
    *("2026-03-01T01:30:00Z", "2026-02-18T16:00:00Z", "2026-02-18T16:00:00.400Z", "2026-02-19", "2026-02-20"),
    *("2026-02-19T15:59:59Z", "2026-02-19T16:00:00Z", "2026-03-01T00:00:00Z", "2026-03-01T08:30:00+08:00"),
    *("2026-03-02", "2099-12-31T20:00:00Z", 1772323200000, "2026-03-05", "2026-04-01T02:00:00Z", "2026-05-01"),
]
WORDS: list[Any] = [
    *("Ubud tour", "  Nusa  Penida\n", 'O\'Neil, "Jr"', "a\nb", 7, Decimal("7.50"), Decimal("1E+3"), True, "x" * 300),
    *("nul\u0000l", "half\ud800", "\u00c5sa \u2603", "caf\u00e9", "tab\tbed", "a,b;c", [1, "a"], {"k": "v"}, "\u0000"),
]
CODES: list[Any] = ["USD", "USD", "USD", "IDR", "IDR", "usd", " eur ", "US", "U5D", "\u20ac", 5, None, ""]
STATES: list[Any] = [True, True, 1, "1", "true", " Yes ", "T", "on", False, 0, "0", "no", "OFF", Decimal("1.0"), None]
SLUGS: list[Any] = ["Ubud Tour!", "ubud-tour", "UBUD  tour", "nusa penida", "Nusa-Penida", "rafting", "!!!", None, ""]
NAMES: list[Any] = ["Ubud Day Tour", "ubud day-tour", "Nusa Penida", "Rafting & Spa", "rafting  spa", "\u2603", None]
LONG_SLUGS: list[Any] = ["ab " * 70, "ab-" * 66, "x" * 191]
VARIANT_CODES: list[Any] = ["STD", "std ", "PKG-1", "PKG-2", "VARIANT-3", "x" * 64, "x" * 65, "y" * 62, None, ""]
URLS: list[Any] = [
    *("https://img.test/a.jpg", "http://img.test:8080?x=1", "HTTPS://img.test", "/relative.jpg", "https://local/a"),
    *("https://img.test/a b.jpg", "ftp://img.test/a", f"https://img.test/{'a' * 2040}", "https://img.test:123456/"),
    *("https://a.b-c.test#x", None, None, "", 5),
]
REFS: list[Any] = [f"ref{number}" for number in range(1, 7)]
ODD_REFS: list[Any] = [None, None, "", "  ", "r" * 128, "r" * 129, "BS-1", "ops-2", "BS-3", "caf\u00e9", 12345, "null"]
SOURCES: list[Any] = [
    *(["DIRECT"] * 12 + ["direct ", "GYG", "GYG", "gyg", "VIATOR", "BOKUN", "TRIPDOTCOM", "MANUAL", "Klook", "Klook"]),
    *(None, "", 5, "x" * 40),
]
STATUSES_V2: list[Any] = [
    *(
        "DRAFT",
        "PENDING_PAYMENT",
        "PAID",
        "CONFIRMED",
        "CANCELLED",
        "COMPLETED",
        "EXPIRED",
        "REFUNDED",
        "pending_payment",
    ),
    *(None, None, None, "UNKNOWN", "", " paid "),
]
STATUSES: list[Any] = [
    *("pending", "waiting", "paid", "completed", "cancelled", "Canceled", "expired", "refunded", "draft", "failed"),
    *("confirmed", None, "odd", ""),
]
OPS_STATUSES: list[Any] = [
    *("NEW", "NEW", "READY", "ATTENTION", "UPDATED", "UPDATED", "COMPLETED", "DONE", "CANCELLED", "NO_SHOW"),
    *("done", " new ", "odd", None),
]
PAYMENT_STATUSES_V2: list[Any] = [
    *("PENDING", "AUTHORIZED", "COMPLETED", "COMPLETED", "FAILED", "CANCELLED", "REFUNDED", "PARTIALLY_REFUNDED"),
    *("completed ", None, None, "odd"),
]
PAYMENT_STATUSES: list[Any] = [
    *("pending", "COMPLETED", "captured", "Success", "paid", "refunded", "failed", "canceled", None, "odd", "x" * 70),
]
METHODS: list[Any] = ["PayPal", "paypal_card", "manual", "Cash", "bank transfer", "Transfer", "card", None, 5, ""]
PEOPLE: list[Any] = [
    *("Ann Lee", "ann lee", "Bo  Chen", "Guest", "CUSTOMER", "n/a", "-", " Test ", "unknown", None, "", "Cancelled"),
    *("N" * 195, "nul\u0000l"),
]
MAILS: list[Any] = [
    *("Ann@Mail.test", "ann@mail.test", "bo@mail.test", "no-email@viator.com", "No-Email@GetYourGuide.com"),
    *("x@EXAMPLE.com", "ann(at)mail", "a@b", "a @b.c", "test@test.com", None, "", f"{'a' * 190}@mail.test", "a@@b.c"),
]
PHONES: list[Any] = [
    *("GB+44 7700 900123", "0812-0000-001", "+62 0812 0000 001", "0061 400 000 000", "8120000001", "12345", "-", None),
    *(
        "123/0812 0000 002",
        "62 811 0000 001; 0812",
        "+0 1234 5678",
        "99 1234 56789",
        "8123",
        628110000001,
        "+1+2345678",
    ),
    *("(021) 555 0000", "+123456789012345678", "00", "62081200000", "tel 0812 0000 001, home 021 555 000", ""),
]
PLACES: list[Any] = ["Hotel  Ubud\nlobby", " Hotel Ubud ", "Airport", None, "", "  ", 5, "x" * 300]
NOTES: list[Any] = ["call me", " call me ", "allergic\nto nuts", "late", None, None, None, "", "nul\u0000l"]
CLOCKS: list[Any] = [
    *("8:30 am", "08.00 - 16.00", "Morning", "12 AM", "12:15pm", "13 PM", "0:30", "24:00", "08:60", "8.30.15", "7 pm"),
    *("1970-01-01T09:00:00.000Z", "2026-03-01 10:15", "2026-02-30T11:00:30+08:00", "09:00\u201310:00", "-08:00"),
    *("08:00:61", "8", 8, Decimal("8.30"), None, "", "9:5", "09:30 - soon", "1970-01-01T25:00:00Z", "00:00 AM"),
]
DOCUMENTS: list[Any] = [
    *('{"a": 1.50, "b": [1e3, null]}', "[1, 2]", "{broken", "text", "5", "null", '"quoted"', '{"n": NaN}', "  ", None),
    *('{"nul": "a\\u0000b", "half": "\\ud800x"}', {"a": Decimal("1.50"), "b": None}, [Decimal("0.10"), "\u2603"], True),
    *({"deep": {"a": [{"b": "c\u0000d"}]}}, [], {}, 5, Decimal("2.50"), "", " [1] "),
]
BIRTHS: list[Any] = [
    "1990-05-01",
    "1990-05-01T00:00:00Z",
    "1990-02-30",
    "01/05/1990",
    "1899-12-31",
    "1990-05-0",
    None,
    5,
]
SUBJECTS: list[Any] = [
    *("New booking", "Updated booking: Ubud", "Booking CANCELED", "Detail change", "modified", "", None, "via Viator"),
]
BODIES: list[Any] = ["A booking.", "From VIATOR with love", "", "  ", None, 5, True, {"a": 1}, "nul\u0000l \u2603"]
ERRORS: list[Any] = ["Could not PARSE it", "timeout", None, None, None, "", " \n", "parsing\nfailed "]
MESSAGE_IDS: list[Any] = [f"<m{number}@mail.test>" for number in range(1, 6)]
ODD_MESSAGE_IDS: list[Any] = ["m" * 129, "m" * 128, None, "", " <m1@mail.test> ", "caf\u00e9" * 40]
MAIL_TIMES: list[Any] = [
    *("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.1Z"),
    *("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.100Z", "2026-01-02T03:04:05Z", "2026-01-02T11:04:05+08:00"),
    *("2026-01-03T00:00:00Z", "2025-12-31T23:59:59.999999Z"),
]
JOB_STATUSES: list[Any] = ["PENDING", "PROCESSING", "COMPLETED", "FAILED", "FAILED", "failed", "odd", None]

_BY_KIND: dict[str, list[Any]] = {
    "int": [1, 2, 3, 3, None, 0],
    "money": [100, "100.00", 60, "35.50", Decimal("99.995"), 0, "0.00", "1,500,000", "33.33", None],
    "ts": TIMES,
    "bool": STATES,
    "currency": CODES,
    "url": URLS,
    "json": DOCUMENTS,
    "time": CLOCKS,
    "text": [*WORDS, *NOTHING],
}
_SPOILED: dict[str, list[Any]] = {
    "int": [*BAD_KEYS, 2**31 - 1, "2147483647.0", "+7"],
    "money": BAD_MONEY,
    "ts": BAD_TIMES,
    "bool": BAD_BOOLEANS,
    "currency": CODES,
    "url": URLS,
    "json": DOCUMENTS,
    "time": CLOCKS,
    "text": [*WORDS, *NOTHING],
    "key": NOTHING,
}
_BY_COLUMN: dict[str, list[Any]] = {
    **dict.fromkeys(("product_name", "package_name"), NAMES),
    "slug": [*SLUGS, *SLUGS, *LONG_SLUGS],
    "variant_code": VARIANT_CODES,
    "service_type": ["PRIVATE", "shared", "CUSTOM ", "odd", None],
    "traveler_type": ["ADULT", "ADULT", "child", " INFANT", "SENIOR", None],
    "country_code": ["ID", "id ", "SG", "IDN", "I1", "\u0130D", None, 5],
    "color_code": ["#fff", "c" * 40, None, 5],
    "price": [10, "80.00", 0, -1, "-0.004", "bad", None, Decimal("12.345")],
    "validated_at": [None, None, None, None, *TIMES[:2], "junk"],
    "duration_days": [1, 2, 0, -3, None, "3"],
    "duration_nights": [0, 1, -1, None],
    "min_pax": [1, 2, 0, -1, None],
    "max_pax": [1, 2, 10, None],
    "max_booking": [1, 2, 10, None],
    "min_booking": [1, 2, 0, None],
    "sort_order": [1, 2, 2, None, -1],
    "day": [1, 1, 2, None],
    "is_cover": [True, False, None, "yes"],
    **dict.fromkeys(("tour_date", "start_date"), TOUR_TIMES),
    **dict.fromkeys(("created_at", "updated_at"), [*TIMES[:6], TIMES[0], TIMES[0], None]),
    "source": SOURCES,
    "status_v2": STATUSES_V2,
    "item_status": ["ACTIVE", "ACTIVE", "ACTIVE", "completed", "CANCELLED", " cancelled ", None, "odd"],
    "payment_status": PAYMENT_STATUSES,
    "payment_status_v2": PAYMENT_STATUSES_V2,
    "payment_method": METHODS,
    "payment_ref": ["PR-1", "PR-1 ", "PR-2", None, None, None, ""],
    "main_contact_name": PEOPLE,
    "main_contact_email": MAILS,
    "phone_number": PHONES,
    **dict.fromkeys(("pickup_location", "meeting_point", "base_meeting_point"), PLACES),
    "note": NOTES,
    "tour_time": CLOCKS,
    "number_of_adult": [2, 2, 2, 3, "2", -1, None],
    "number_of_child": [0, 0, 1, None],
    **dict.fromkeys(("adult_qty", "child_qty", "infant_qty"), [2, 1, 0, -1, None, "3"]),
    "total_price": [100, 100, "100.00", "120.00", 0, None, 1500000],
    **dict.fromkeys(("discount_amount", "tax_amount"), [0, 0, 5, None, -5]),
    "birth_date": BIRTHS,
    "paid": [True, True, True, "1", False, None],
    "is_paid": [True, True, True, False, None, "yes"],
    "subject": SUBJECTS,
    **dict.fromkeys(("body", "html_body"), BODIES),
    "from": [*BODIES, "bot@mail.test"],
    **dict.fromkeys(("error_message", "error"), ERRORS),
    "received_at": MAIL_TIMES,
    "is_booking_email": [True, True, True, True, True, True, "yes", 1, False, None],
    "relation_type": ["CREATED", "updated", None],
    "attempts": [0, 1, 3, 5, -1, None],
    "max_attempts": [3, 3, 1, 0, None],
    "user_id": ["user-1"],
}
_BY_TABLE: dict[tuple[str, str], list[Any]] = {
    ("balisnap.Booking", "booking_date"): [*TOUR_TIMES, *TOUR_TIMES, *TIMES],
    ("balisnap.Booking", "status"): STATUSES,
    ("bstadmin.bookings", "status"): OPS_STATUSES,
    ("bstadmin.email_jobs", "status"): JOB_STATUSES,
    ("bstadmin.tour_packages", "price_per_child"): [40, 0, None, -1, "bad"],
    ("bstadmin.tour_packages", "price_per_person"): [80, "80.00", 0, None, -1, "0.004"],
}
# Which table's ids a column holds.
_LINKS = {
    "balisnap.TourProduct": {"legacy_package_id": "bstadmin.tour_packages"},
    "balisnap.TourProductMedia": {"product_id": "balisnap.TourProduct"},
    "balisnap.TourVariant": {"product_id": "balisnap.TourProduct", "legacy_package_id": "bstadmin.tour_packages"},
    "balisnap.VariantRatePlan": {"variant_id": "balisnap.TourVariant"},
    "balisnap.VariantItinerary": {"variant_id": "balisnap.TourVariant"},
    "balisnap.Departure": {"variant_id": "balisnap.TourVariant"},
    "balisnap.Booking": {"package_id": "bstadmin.tour_packages"},
    "balisnap.BookingItem": {
        "booking_id": "balisnap.Booking",
        "variant_id": "balisnap.TourVariant",
        "departure_id": "balisnap.Departure",
    },
    "balisnap.BookingTraveler": {"booking_item_id": "balisnap.BookingItem"},
    "balisnap.Payment": {"booking_id": "balisnap.Booking"},
    "bstadmin.tour_packages": {"tour_id": "bstadmin.tours"},
    "bstadmin.tour_images": {"tour_id": "bstadmin.tour_packages"},
    "bstadmin.tour_itineraries": {"package_id": "bstadmin.tour_packages"},
    "bstadmin.bookings": {"package_id": "bstadmin.tour_packages"},
    "bstadmin.booking_finances": {"booking_id": "bstadmin.bookings"},
    "bstadmin.booking_finance_items": {"booking_finance_id": "bstadmin.booking_finances"},
    "bstadmin.email_jobs": {"email_inbox_id": "bstadmin.email_inbox"},
    "bstadmin.booking_emails": {"booking_id": "bstadmin.bookings", "email_id": "bstadmin.email_inbox"},
}
# How many rows a table has, at least and at most; in the order in which links need them.
_SIZES = {
    "bstadmin.tours": (1, 4),
    "bstadmin.tour_packages": (3, 8),
    "balisnap.TourProduct": (2, 6),
    "balisnap.TourProductMedia": (0, 6),
    "balisnap.TourVariant": (2, 7),
    "balisnap.VariantRatePlan": (0, 8),
    "balisnap.VariantItinerary": (0, 6),
    "balisnap.Departure": (0, 6),
    "balisnap.Booking": (3, 12),
    "balisnap.BookingItem": (2, 14),
    "balisnap.BookingTraveler": (0, 8),
    "balisnap.Payment": (1, 12),
    "bstadmin.tour_images": (0, 6),
    "bstadmin.tour_itineraries": (0, 4),
    "bstadmin.bookings": (4, 16),
    "bstadmin.booking_finances": (1, 10),
    "bstadmin.booking_finance_items": (1, 16),
    "bstadmin.email_inbox": (2, 12),
    "bstadmin.email_jobs": (0, 10),
    "bstadmin.booking_emails": (0, 8),
}
_OPTIONAL_LINKS = frozenset({"legacy_package_id", "package_id", "departure_id", "tour_id"})

World = dict[str, list[Row]]


def dressed_key(rng: random.Random, number: Any) -> Any:
    """A key as some legacy table may have written it."""
    if type(number) is not int or rng.random() < 0.75:
        return number
    return rng.choice([str(number), f"{number:03}", f"{number}.0", f" {number}\u00a0", Decimal(f"{number}.00")])


def ref_like(rng: random.Random, ref: Any) -> Any:
    """A reference as another system may have written it."""
    if not isinstance(ref, str) or rng.random() < 0.4:
        return ref
    return rng.choice([ref.upper(), f" {ref} ", ref.title(), f"{ref}\n"])


# --- worlds -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Nasty:
    """A random export: its files, its world, and what its manifest says of its time."""

    export_id: str
    files: dict[str, Written]
    world: World
    exported_at: Any
    manifest: bool


def nasty(seed: int, kind: str | None = None) -> Nasty:
    """The random export of a seed; its format follows from the seed unless it is given."""
    rng = random.Random(f"booking {seed}")
    world = _Builder(rng).build()
    stated = rng.choices([EXPORTED_AT, None, "soon", "2026-02-19T08:00:00+08:00"], [12, 1, 1, 2])[0]
    return _exported(rng, FIRST_EXPORT, world, stated, kind or FORMATS[seed % len(FORMATS)])


def follow_up(first: Nasty, seed: int, kind: str | None = None) -> Nasty:
    """The next export of a world: rows changed, gone, new, moved, and links under other ids."""
    rng = random.Random(f"booking next {seed}")
    world = _Changes(rng, deepcopy(first.world)).apply()
    before = _time_of(first.world, first.exported_at if first.manifest else None)
    stated = NEXT_EXPORTED_AT if before is None or before < NEXT_EXPORTED_AT else before
    return replace(_exported(rng, NEXT_EXPORT, world, stated, kind or rng.choice(FORMATS)), manifest=True)


def _time_of(world: World, stated: Any) -> str | None:
    """The reference time of a world, if it has one."""
    rows = {table: as_source_rows(records, TABLES[table]) for table, records in world.items()}
    try:
        return scalars.utc_text(reference_time(Export("", stated, rows)) + scalars.DAY)
    except NoReferenceTimeError:
        return None


def _exported(rng: random.Random, export_id: str, world: World, stated: Any, kind: str) -> Nasty:
    files = {}
    for name, table in TABLES.items():
        if table.required or rng.random() >= 0.1:
            files[name] = write_file(rng, table, world[name], kind)
    manifest = rng.random() < 0.93
    # What a file format does to a date cannot leave an export without any time.
    if _time_of(world, None) is None or kind == "parquet":
        manifest, stated = True, EXPORTED_AT if scalars.moment(stated) is None else stated
    return Nasty(export_id, files, world, stated, manifest)


@dataclass
class _Builder:
    """Builds a world table by table."""

    rng: random.Random

    def build(self) -> World:
        rng = self.rng
        self.world: World = {name: [] for name in TABLES}
        for table, (least, most) in _SIZES.items():
            for number in range(1, rng.randint(least, most) + 1):
                self.world[table].append(self.row(table, number))
        self._pay_again()
        for table, rows in self.world.items():
            self._repeat(table, rows)
            rng.shuffle(rows)
        return self.world

    def row(self, table: str, number: int) -> Row:
        """A new row."""
        rng, columns = self.rng, TABLES[table].columns
        key = f"mail{number}" if columns[TABLES[table].key] == "key" else number
        row: Row = {TABLES[table].key: key}
        for column in list(columns)[1:]:
            row[column] = self.value(table, column)
        if table.endswith("ookings") or table.endswith("Booking"):
            self._booking(table, row)
        if table == "bstadmin.email_inbox":
            self._mail(row)
        self._spoil(table, row)
        return {column: dressed_key(rng, row[column]) if columns[column] == "int" else row[column] for column in row}

    def value(self, table: str, column: str) -> Any:
        """A value of a column, most often a good one."""
        rng, kind = self.rng, TABLES[table].columns[column]
        target = _LINKS.get(table, {}).get(column)
        if target:
            return self.link(target, optional=column in _OPTIONAL_LINKS)
        if column in ("assigned_driver_id", "pattern_id"):
            return rng.choice([None, 3, 4, 4])
        pool = _BY_TABLE.get((table, column)) or _BY_COLUMN.get(column) or _BY_KIND[kind]
        return rng.choice(pool)

    def link(self, target: str, *, optional: bool = False) -> Any:
        """The key of a row of another table, now and then of none."""
        rng, rows = self.rng, self.world[target]
        if optional and rng.random() < 0.3:
            return None
        if rows and rng.random() < 0.94:
            return rng.choice(rows)[TABLES[target].key]
        return rng.choice([50, 51]) if TABLES[target].columns[TABLES[target].key] == "int" else "mail50"

    def _booking(self, table: str, row: Row) -> None:
        rng = self.rng
        row["booking_ref"] = ref_like(rng, rng.choice([*REFS, *REFS, *REFS, *ODD_REFS]))
        # The two systems agree on most of a booking that both have.
        if rng.random() < 0.5:
            row |= {"number_of_adult": 2, "number_of_child": 0, "total_price": 100}
            row |= {"main_contact_name": "Ann Lee", "main_contact_email": "ann@mail.test", "updated_at": TIMES[0]}
            row["currency_code" if table == "balisnap.Booking" else "currency"] = "USD"
        if rng.random() < 0.1:
            row |= {"created_at": None, "updated_at": rng.choice([None, "junk", "2031-01-01"])}

    def _mail(self, row: Row) -> None:
        rng = self.rng
        row["message_id"] = rng.choice([*MESSAGE_IDS, *MESSAGE_IDS, *ODD_MESSAGE_IDS])
        row["received_at"] = rng.choice([*MAIL_TIMES, *MAIL_TIMES, None, "junk"])
        row["source"] = rng.choice(["BOKUN", "BOKUN", "BOKUN", "GYG", "VIATOR", "MANUAL", "odd", None])
        parsed = {
            "source": rng.choice([None, None, None, "VIATOR", "gyg ", "odd", "BOKUN", 5]),
            "bookingRef": ref_like(rng, rng.choice([*REFS[:2], *REFS[:2], "via-12345678", None, 12345, "r" * 129])),
            "tourName": rng.choice([None, "Ubud", " CANCELLATION ", "cancellation"]),
            "note": rng.choice([None, "x", "see [UPDATE] below", "[update]"]),
            "price": Decimal("10.50"),
        }
        if rng.random() < 0.3:
            parsed = {name: value for name, value in parsed.items() if value is not None}
        as_text = scalars.json_text(scalars.storable(parsed))
        row["parsed_data"] = rng.choice([parsed, parsed, as_text, as_text, rng.choice(DOCUMENTS)])

    def _pay_again(self) -> None:
        """Repeat some payments under other ids."""
        rng, rows = self.rng, self.world["balisnap.Payment"]
        for row in rng.sample(rows, min(len(rows), rng.randint(0, 3))):
            rows.append(row | {"payment_id": rng.randint(1, 40), "payment_ref": rng.choice(["PR-1", "PR-3", None])})
            row["payment_ref"] = rng.choice(["PR-3", row["payment_ref"]])

    def _spoil(self, table: str, row: Row, chance: float = 0.03) -> None:
        rng = self.rng
        if rng.random() < chance:
            row[TABLES[table].key] = rng.choice(NOTHING if isinstance(row[TABLES[table].key], str) else BAD_KEYS)
        for column, kind in list(TABLES[table].columns.items())[1:]:
            if rng.random() < chance:
                row[column] = rng.choice(_SPOILED[kind])

    def _repeat(self, table: str, rows: list[Row]) -> None:
        """Repeat some rows under the same key, changed or not."""
        rng = self.rng
        for row in list(rows):
            if rng.random() < 0.07:
                other = self.row(table, 1) if rng.random() < 0.5 else dict(row)
                other[TABLES[table].key] = row[TABLES[table].key]
                for column in ("updated_at", "created_at"):
                    if column in other and rng.random() < 0.5:
                        other[column] = rng.choice([row[column], *TIMES, "junk", "2031-01-01"])
                rows.append(other)


# --- the next export --------------------------------------------------------------------------------------------------


class _Changes(_Builder):
    """Changes a world into its next state."""

    def __init__(self, rng: random.Random, world: World) -> None:
        super().__init__(rng)
        self.world = world

    def apply(self) -> World:
        rng = self.rng
        for table, rows in self.world.items():
            rows[:] = [row for row in rows if rng.random() >= 0.1]
            for row in rows:
                if rng.random() < 0.25:
                    self._change(table, row)
            if rng.random() < 0.5:
                rows += [self.row(table, rng.randint(1, 30)) for _ in range(rng.randint(1, 3))]
            rng.shuffle(rows)
        for table in ("balisnap.Booking", "bstadmin.bookings"):
            self._swap(table, "booking_ref")
            self._rename(table)
            self._move(table)
        self._swap("balisnap.TourProduct", "slug")
        self._swap("balisnap.Payment", "payment_ref")
        self._send_again()
        return self.world

    def _change(self, table: str, row: Row) -> None:
        columns = [column for column in list(row)[1:] if column in TABLES[table].columns]
        for column in self.rng.sample(columns, min(2, len(columns))):
            if column == "message_id":
                continue
            row[column] = self.value(table, column)

    def _swap(self, table: str, column: str) -> None:
        rows = self.world[table]
        if len(rows) > 1:
            one, other = self.rng.sample(rows, 2)
            one[column], other[column] = other.get(column), one.get(column)

    def _rename(self, table: str) -> None:
        """Give some bookings another reference, and some another channel."""
        rng = self.rng
        for row in self.world[table]:
            if rng.random() < 0.15:
                row["booking_ref"] = ref_like(rng, rng.choice([*REFS, "new1", "new2", None]))
            if "source" in row and rng.random() < 0.1:
                row["source"] = rng.choice(SOURCES)

    def _move(self, table: str) -> None:
        """Move some bookings to another month."""
        for row in self.world[table]:
            if self.rng.random() < 0.15:
                row["created_at"] = self.rng.choice(["2025-10-01T00:00:00Z", "2025-11-30T23:59:59Z", "2026-02-01"])

    def _send_again(self) -> None:
        """Repeat some e-mails under other ids, the same in one way or another."""
        rng, rows = self.rng, self.world["bstadmin.email_inbox"]
        for row in rng.sample(rows, min(len(rows), rng.randint(0, 3))):
            again = deepcopy(row) | {"id": f"{rng.choice('abz')}gain{rng.randint(1, 9)}"}
            if rng.random() < 0.5:
                again["message_id"] = f"<again{rng.randint(1, 9)}@mail.test>"
            rows.append(again)
