"""The files of an export folder as source rows: which record has which number, and which cannot be read."""

import datetime as dt
import gzip
import io
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.booking import booking_scalars as scalars

FORMATS = tuple(f"{kind}{packed}" for kind in ("json", "jsonl", "csv", "parquet") for packed in ("", ".gz"))

_QUOTED = re.compile(r'"((?:[^"]|"")*)"(?=,|$)')
_BARE = re.compile(r"[^,]*")
_SPACE = " \t\r\n"

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A legacy table.

    Attributes:
        name: its name with that of its system, as in `balisnap.Booking`.
        columns: what each column is, by name; the primary key comes first.
        targets: the tables that its rows are counted for.
        alias: another stem of its file.
        required: whether an export must hold it.
    """

    name: str
    columns: Mapping[str, str]
    targets: tuple[str, ...] = ()
    alias: str | None = None
    required: bool = True

    @property
    def system(self) -> str:
        """The legacy system."""
        return self.name.partition(".")[0]

    @property
    def stem(self) -> str:
        """The table's own name."""
        return self.name.partition(".")[2]

    @property
    def key(self) -> str:
        """The primary key."""
        return next(iter(self.columns))

    @property
    def age(self) -> str | None:
        """The column that says which of two rows with one key is newer."""
        return next((column for column in ("updated_at", "created_at") if column in self.columns), None)

    def column(self, written: str) -> str | None:
        """The column that a key of a record means."""
        if written in self.columns:
            return written
        if self.system != "bstadmin":
            return None
        meant = self.key if written == "id" else re.sub("([A-Z])", r"_\1", written).lower()
        return meant if meant in self.columns else None


def _table(name: str, columns: str, *targets: str, alias: str | None = None, required: bool = True) -> Table:
    """A table from words such as `booking_id:int`; a word without a kind is a text."""
    kinds = {word.partition(":")[0]: word.partition(":")[2] or "text" for word in columns.split()}
    return Table(name, kinds, targets, alias, required)


_STAMPS = " created_at:ts updated_at:ts"
TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        _table(
            "balisnap.TourProduct",
            "product_id:int legacy_package_id:int product_name slug short_description description category country_code"
            " region base_meeting_point is_featured:bool is_active:bool thumbnail_url:url color_code priority:int"
            + _STAMPS,
            "catalog_product",
        ),
        _table(
            "balisnap.TourProductMedia",
            "media_id:int product_id:int url:url alt_text sort_order:int is_cover:bool created_at:ts",
            required=False,
        ),
        _table(
            "balisnap.TourVariant",
            "variant_id:int product_id:int legacy_package_id:int variant_code variant_name service_type"
            " duration_days:int duration_nights:int min_pax:int max_pax:int currency_code:currency is_default:bool"
            " is_active:bool booking_cutoff_hours:int cancellation_policy" + _STAMPS,
            "catalog_variant",
        ),
        _table(
            "balisnap.VariantRatePlan",
            "rate_plan_id:int variant_id:int traveler_type price:money currency_code:currency min_quantity:int"
            " max_quantity:int valid_from:ts valid_to:ts season_start season_end is_active:bool" + _STAMPS,
            "catalog_variant_rate",
        ),
        _table(
            "balisnap.VariantItinerary",
            "itinerary_id:int variant_id:int day:int sort_order:int title start_time:time",
            required=False,
        ),
        _table(
            "balisnap.Departure",
            "departure_id:int variant_id:int start_date:ts end_date:ts status meeting_point",
            required=False,
        ),
        _table(
            "balisnap.Booking",
            "booking_id:int user_id package_id:int booking_date:ts total_price:money number_of_adult:int"
            " number_of_child:int status status_v2 currency_code:currency created_at:ts updated_at:ts booking_ref"
            " main_contact_name main_contact_email phone_number meeting_point note",
            "booking_core",
        ),
        _table(
            "balisnap.BookingItem",
            "booking_item_id:int booking_id:int variant_id:int departure_id:int item_status currency_code:currency"
            " adult_qty:int child_qty:int infant_qty:int adult_unit_price:money child_unit_price:money"
            " infant_unit_price:money subtotal:money discount_amount:money tax_amount:money total_amount:money"
            " snapshot:json" + _STAMPS,
            "booking_item_snapshot",
        ),
        _table(
            "balisnap.BookingTraveler",
            "traveler_id:int booking_item_id:int traveler_type title first_name last_name email phone birth_date"
            " nationality passport_number special_request" + _STAMPS,
            "booking_party",
            required=False,
        ),
        _table(
            "balisnap.Payment",
            "payment_id:int booking_id:int user_id payment_date:ts amount:money payment_method payment_status"
            " payment_status_v2 currency_code:currency gateway gateway_order_id gateway_capture_id raw_payload:json"
            " payment_ref" + _STAMPS,
            "payment_event",
        ),
        _table(
            "bstadmin.tours",
            "tour_id:int tour_name slug description is_active:bool" + _STAMPS,
            "catalog_product",
            alias="Tour",
        ),
        _table(
            "bstadmin.tour_packages",
            "package_id:int tour_id:int package_name slug short_description description duration_days:int"
            " price_per_person:money price_per_child:money base_currency:currency min_booking:int max_booking:int"
            " is_featured:bool thumbnail_url:url color_code priority:int" + _STAMPS,
            "catalog_product",
            "catalog_variant",
            alias="TourPackage",
        ),
        _table(
            "bstadmin.tour_images",
            "image_id:int url:url tour_id:int created_at:ts",
            alias="TourImage",
            required=False,
        ),
        _table(
            "bstadmin.tour_itineraries",
            "itinerary_id:int package_id:int activity_id:int start_time day:int",
            alias="TourItinerary",
            required=False,
        ),
        _table(
            "bstadmin.bookings",
            "booking_id:int booking_ref user_id package_id:int booking_date:ts tour_name tour_date:ts tour_time"
            " total_price:money currency:currency number_of_adult:int number_of_child:int status source"
            " main_contact_name main_contact_email phone_number pickup_location meeting_point note"
            " assigned_driver_id:int assigned_at:ts is_paid:bool paid_at:ts" + _STAMPS,
            "booking_core",
            alias="Booking",
        ),
        _table(
            "bstadmin.booking_finances",
            "booking_finance_id:int booking_id:int pattern_id:int assigned_at:ts validated_at:ts is_locked:bool notes"
            + _STAMPS,
            "ops_finance_bridge",
            alias="BookingFinance",
        ),
        _table(
            "bstadmin.booking_finance_items",
            "finance_item_id:int booking_finance_id:int direction amount:money paid:bool paid_at:ts" + _STAMPS,
            "ops_finance_bridge",
            alias="BookingFinanceItem",
        ),
        _table(
            "bstadmin.email_inbox",
            "id:key message_id subject from to received_at:ts body html_body is_booking_email:bool source"
            " parsed_data:json error_message created_at:ts",
            "ingest_event_log",
            alias="EmailInbox",
        ),
        _table(
            "bstadmin.email_jobs",
            "id:key email_inbox_id:key status attempts:int max_attempts:int error created_at:ts processed_at:ts"
            " next_retry_at:ts",
            alias="EmailJob",
            required=False,
        ),
        _table(
            "bstadmin.booking_emails",
            "id:int booking_id:int email_id:key relation_type created_at:ts",
            alias="BookingEmail",
            required=False,
        ),
    )
}


@dataclass(frozen=True)
class SourceRow:
    """One record of a file.

    Attributes:
        number: its row number, from 1.
        values: its values by column, under the database's names; None when it cannot be read.
    """

    number: int
    values: Row | None


@dataclass(frozen=True)
class Export:
    """An export that has been read.

    Attributes:
        export_id: its id.
        exported_at: what the manifest says of its time.
        rows: the rows of each table.
    """

    export_id: str
    exported_at: Any = None
    rows: Mapping[str, list[SourceRow]] = field(default_factory=dict)

    def of(self, table: str) -> list[SourceRow]:
        """The rows of a table."""
        return self.rows.get(table, [])


def read_export(folder: Path) -> Export:
    """An export; its id is the folder's name.

    Raises:
        FileNotFoundError: a required table has no file.
        ValueError: a file as a whole is broken, or a table has two.
    """
    manifest = folder / "manifest.json"
    exported_at = json.loads(manifest.read_bytes()).get("exported_at") if manifest.exists() else None
    return Export(folder.name, exported_at, {name: _read_table(folder, table) for name, table in TABLES.items()})


def _read_table(folder: Path, table: Table) -> list[SourceRow]:
    stems = [table.stem, *([table.alias] if table.alias else [])]
    places = [folder / table.system / f"{stem}.{suffix}" for stem in stems for suffix in FORMATS]
    found = [place for place in places if place.exists()]
    if len(found) > 1:
        raise ValueError(f"AmbiguousSource: {table.name}")
    if not found and table.required:
        raise FileNotFoundError(f"MissingSourceTable: {table.name}")
    return read_file(found[0], table) if found else []


def read_file(path: Path, table: Table) -> list[SourceRow]:
    """The rows of one file."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        records = _parquet_records(content)
    else:
        reader = {"json": _array_records, "jsonl": _line_records, "csv": _csv_records}[kind]
        records = reader(content.decode("utf-8-sig"))
    return as_source_rows(records, table)


def as_source_rows(records: Any, table: Table) -> list[SourceRow]:
    """Records under the database's names of their columns; what is no object cannot be read."""
    return [
        SourceRow(number, _renamed(record, table) if isinstance(record, dict) else None)
        for number, record in enumerate(records, start=1)
    ]


def _renamed(record: Row, table: Table) -> Row:
    """A record by column; where a column is there twice its own name wins."""
    clean = scalars.storable(record)
    other = {table.column(written): value for written, value in clean.items()}
    own = {written: value for written, value in clean.items() if written in table.columns}
    return {name: value for name, value in (other | own).items() if name is not None}


def _array_records(content: str) -> list[Any]:
    elements = scalars.decoded(content)
    if not isinstance(elements, list):
        raise ValueError("CorruptSource: no array")
    return elements


def _line_records(content: str) -> Iterator[Any]:
    for line in content.split("\n"):
        if not line.strip(_SPACE):
            continue
        try:
            yield scalars.decoded(line.strip(_SPACE))
        except ValueError:
            yield None


def _csv_records(content: str) -> Iterator[Row]:
    header: list[str] | None = None
    for written in csv_lines(content):
        fields = list(_fields(written))
        if header is None:
            header = fields
        else:
            # A record may be short or long: the rest is null, what is too much is ignored.
            yield dict.fromkeys(header) | dict(zip(header, fields, strict=False))


def csv_lines(content: str) -> Iterator[str]:
    """The records of a CSV text as they stand there, empty lines left out."""
    record = ""
    for line in content.split("\n"):
        record = f"{record}\n{line}" if record else line
        if record.count('"') % 2:
            continue
        if record.removesuffix("\r"):
            yield record.removesuffix("\r")
        record = ""


def _fields(record: str) -> Iterator[str]:
    place = 0
    while True:
        match = _QUOTED.match(record, place) or _BARE.match(record, place)
        assert match is not None
        yield match[1].replace('""', '"') if match.re is _QUOTED else match[0]
        if match.end() == len(record):
            return
        place = match.end() + 1


def _parquet_records(content: bytes) -> list[Row]:
    rows = pq.read_table(io.BytesIO(content)).to_pylist()
    return [{name: _of_parquet(value) for name, value in row.items()} for row in rows]


def _of_parquet(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else Decimal(repr(value)) if math.isfinite(value) else repr(value)
    return value.isoformat() if isinstance(value, dt.date | dt.time) else value
