"""Which rows of the two systems are one booking, and what becomes of them: merged whole, then handed on by month."""

from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from booking_assets import sources, tables
from booking_assets.assets import BOOKING, STAGING
from booking_assets.assets.writing import Read, label_without_month, log_merges, split_by_month
from booking_assets.checks.control import CONTROL_FRAME
from booking_assets.merge.booking_rows import (
    booking_audit,
    booking_outcomes,
    booking_questions,
    booking_refs,
    item_outcomes,
    item_questions,
    item_rows,
    of_accepted,
    party_rows,
    traveler_outcomes,
)
from booking_assets.merge.canonical import Canonical, CatalogRefs, merge_bookings
from booking_assets.merge.frames import TEXT, looked_up
from booking_assets.merge.identity import REF_TOO_LONG, all_rows, too_long
from booking_assets.merge.item_values import booked_items
from booking_assets.merge.items import itinerary_times
from booking_assets.merge.parties import named_travelers
from booking_assets.months import BOOKING_MONTH, month_of
from booking_assets.parsing.bookings import panel_rows, website_rows
from booking_assets.parsing.keys import BALISNAP, BSTADMIN
from booking_assets.parsing.numbers import MONEY, integers, primary_keys
from booking_assets.parsing.times import TIMESTAMP, clocks, dates_only, timestamps
from booking_assets.source_rows import (
    OUTCOME_SCHEMA,
    SourceRows,
    joined_warnings,
    latest_record,
    outcomes,
    outcomes_of_others,
    read_source,
    total_rows,
    unusable_lookups,
    warnings_of_merged,
)
from migration.declare.asset import Registers, Write
from migration.declare.step import Step
from migration.exports.sources import SourceTable
from migration.outcome import Outcome
from migration.tables import arrow_schema, loaded_columns

STATUS_COLUMNS = ("customer_payment_status", "ops_fulfillment_status")
BOOKING_SCHEMA = pa.schema(
    [
        *(each for each in arrow_schema(loaded_columns(tables.booking_core)) if each.name not in STATUS_COLUMNS),
        ("has_website_row", pa.bool_()),
        ("has_panel_row", pa.bool_()),
        ("panel_pk", pa.int64()),
        ("panel_freshness", TIMESTAMP),
        ("signal", pa.string()),
        ("is_cancelled", pa.bool_()),
        ("ops_status", pa.string()),
        ("assigned_driver_id", pa.int64()),
        ("assigned_at", TIMESTAMP),
        ("is_paid", pa.bool_()),
        ("paid_at", TIMESTAMP),
    ]
)
# Where each row of the two booking tables ended: payments and settlements find their booking by it.
ROW_SCHEMA = pa.schema(
    [
        ("source_table", pa.string()),
        ("pk", pa.int64()),
        ("booking_key", pa.string()),
        ("month", pa.string()),
        ("is_speaker", pa.bool_()),
        ("currency_code", pa.string()),
    ]
)


_months_stored = sa.select(month_of(tables.booking_core.c.booking_created_at)).distinct()


CONTROL_SCHEMA = pa.schema(
    [
        ("source_table", pa.string()),
        ("source_row", pa.int64()),
        ("currency_code", pa.string()),
        ("total_price", MONEY),
        ("tour_date", pa.date32()),
    ]
)


@dataclass(frozen=True)
class BookingFiles:
    """What is read of bookings, their items and travellers.

    Attributes:
        website: the website's bookings.
        panel: the operations panel's.
        items: the items.
        travelers: the travellers.
    """

    website: SourceRows = field(repr=False)
    panel: SourceRows = field(repr=False)
    items: SourceRows = field(repr=False)
    travelers: SourceRows = field(repr=False)

    @property
    def bookings_read(self) -> list[Read]:
        """The two booking tables."""
        return [(sources.website_bookings, self.website), (sources.panel_bookings, self.panel)]


@BOOKING.step(
    group=STAGING,
    upstream=["export", "catalog_bridge"],
    kinds=("pandas", "parquet"),
    registers=Registers(str(BOOKING_MONTH.name), _months_stored, frame="bookings"),
)
def booking_identity(step: Step) -> Write:
    """Bookings of both systems, merged: one per channel and reference, with key and month, items, contacts, parties.

    Makes the months known. Rows that reach no booking are rejected here.
    """
    files = BookingFiles(
        *(
            read_source(step, source)
            for source in (
                sources.website_bookings,
                sources.panel_bookings,
                sources.booking_items,
                sources.booking_travelers,
            )
        )
    )
    step.tally.source_rows = total_rows([files.website, files.panel, files.items, files.travelers])
    rows = source_bookings(step, files)
    long = too_long(rows)
    items = _items(step, files.items)
    itineraries = _itineraries(step)
    step.frames.write(CONTROL_FRAME, [(None, _control(rows))], CONTROL_SCHEMA)
    found = merge_bookings(rows[~long].reset_index(drop=True), items, itineraries, _catalog(step), _known(step))
    merged = [
        _hand_on_bookings(step, files, found, rows[long]),
        _hand_on_items(step, files, found, items),
        _hand_on_travelers(step, files, found),
    ]
    for table in tables.BY_MONTH:
        step.count_apart(table.name)
    return log_merges(step, pd.concat(merged, ignore_index=True))


# --- what is read -----------------------------------------------------------------------------------------------------


def source_bookings(step: Step, files: BookingFiles) -> pd.DataFrame:
    """The rows of both booking tables that have a key, each with its warnings."""
    latest = latest_record(step)
    website, panel = website_rows(files.website.rows, latest), panel_rows(files.panel.rows, latest)
    return all_rows(*(rows.assign(warnings=joined_warnings(flags, rows)) for rows, flags in (website, panel)))


def _control(rows: pd.DataFrame) -> pd.DataFrame:
    """What each row says of money and travel, to be held against the tables later."""
    table = rows["system"].map({BALISNAP: sources.website_bookings.label, BSTADMIN: sources.panel_bookings.label})
    return rows[["source_row", "currency_code", "total_price", "tour_date"]].assign(source_table=table)


def _items(step: Step, read: SourceRows) -> pd.DataFrame:
    """The items with what they find of the catalog and of departures."""
    rows, flags = booked_items(read.rows)
    departures = _lookup(step, sources.departures)
    starts = timestamps(departures["start_date"]).value.set_axis(departures["pk"])
    date_only = dates_only(departures["start_date"]).set_axis(departures["pk"])
    variants = step.frames.read("loaded_variants").set_index("variant_id")["variant_key"].astype(TEXT)
    return rows.assign(
        warnings=joined_warnings(flags, rows),
        variant_key=looked_up(rows["variant_id"], variants),
        starts_at=looked_up(rows["departure_id"], starts),
        is_date_only=looked_up(rows["departure_id"], date_only),
    )


def _lookup(step: Step, source: SourceTable) -> pd.DataFrame:
    """The rows of a table without a target; those that cannot be used are warnings."""
    read = read_source(step, source)
    step.tally.warnings.update(unusable_lookups([(source, read)]))
    return read.rows


def _itineraries(step: Step) -> pd.Series:
    cells = _lookup(step, sources.variant_itineraries)
    return itinerary_times(
        pd.DataFrame(
            {
                "itinerary_id": cells["pk"],
                "variant_id": primary_keys(cells["variant_id"]).value,
                "day": integers(cells["day"]).value,
                "sort_order": integers(cells["sort_order"]).value,
                "start_time": clocks(cells["start_time"]).value,
            }
        )
    )


def _catalog(step: Step) -> CatalogRefs:
    names = ("package_refs", "loaded_variants", "variant_products", "product_meeting_points")
    return CatalogRefs(*(_with_texts(step.frames.read(name)) for name in names))


def _with_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """A staged frame with its text columns backed by Arrow, as the merge has them."""
    return frame.astype({str(name): TEXT for name in frame.columns if frame[name].dtype == "str"})


def _known(step: Step) -> pd.DataFrame:
    core = tables.booking_core
    columns = [
        core.c.channel_code,
        core.c.external_booking_ref,
        sa.cast(core.c.booking_key, sa.Text),
        core.c.is_deleted,
    ]
    rows = step.connection.execute(sa.select(*columns)).all()
    return pd.DataFrame(rows, columns=["channel_code", "external_booking_ref", "booking_key", "is_deleted"])


# --- what is handed on ------------------------------------------------------------------------------------------------


def _hand_on_bookings(step: Step, files: BookingFiles, found: Canonical, long: pd.DataFrame) -> pd.DataFrame:
    decided = booking_outcomes(found)
    step.tally.warnings.update(warnings_of_merged(decided["outcome"], found.groups.rows["warnings"]))
    read = dict(zip((files.website.table, files.panel.table), (files.website, files.panel), strict=True))
    parts = [decided]
    for table, source in read.items():
        mine = long[(long["system"] == table.split(".")[0]).to_numpy(dtype=bool)]
        named = mine.assign(source_pk=mine["pk"].astype(TEXT))
        refused = outcomes("booking_core", source, named, Outcome.REJECTED, reason=_same(REF_TOO_LONG, named))
        of_table = pd.concat([decided[decided["source_table"] == table], refused], ignore_index=True)
        parts += [refused, outcomes_of_others("booking_core", source, of_table)]
    all_outcomes = pd.concat(parts, ignore_index=True)
    contacts = of_accepted(found, found.contacts.rows)
    _write(step, "bookings", of_accepted(found, found.bookings).assign(is_deleted=False), BOOKING_SCHEMA)
    _write(step, "booking_contacts", contacts.assign(is_deleted=False), _columns(tables.booking_contact))
    _write(step, "booking_outcomes", all_outcomes, OUTCOME_SCHEMA)
    _write(step, "booking_audit", booking_audit(found, step.export.export_id), _columns(tables.audit_log))
    _write(step, "booking_questions", booking_questions(found), _columns(tables.unmapped_queue))
    step.frames.write("booking_refs", [(None, booking_refs(found))], _columns(tables.channel_external_refs))
    step.frames.write("source_bookings", [(None, _source_bookings(found))], ROW_SCHEMA)
    return label_without_month(step, "booking_core", all_outcomes, files.bookings_read)


def _source_bookings(found: Canonical) -> pd.DataFrame:
    """Where each row of both booking tables ended, if it did."""
    decided, groups = booking_outcomes(found), found.groups
    speaking = pd.Series(False, index=decided.index)
    speaking.iloc[groups.b[groups.b >= 0]] = True
    speaking.iloc[groups.a[groups.a >= 0]] = True
    return decided.rename(columns={"target_key": "booking_key"}).assign(
        pk=groups.rows["pk"], is_speaker=speaking, currency_code=groups.rows["currency_code"]
    )


def _hand_on_items(step: Step, files: BookingFiles, found: Canonical, items: pd.DataFrame) -> pd.DataFrame:
    rows = item_rows(found)
    decided = item_outcomes(found, items)
    all_outcomes = pd.concat(
        [decided, outcomes_of_others("booking_item_snapshot", files.items, decided)], ignore_index=True
    )
    _write(step, "booking_items", rows, _columns(tables.booking_item_snapshot))
    _write(step, "item_outcomes", all_outcomes, OUTCOME_SCHEMA)
    _write(step, "item_questions", item_questions(rows), _columns(tables.unmapped_queue))
    return label_without_month(step, "booking_item_snapshot", all_outcomes, [(sources.booking_items, files.items)])


def _hand_on_travelers(step: Step, files: BookingFiles, found: Canonical) -> pd.DataFrame:
    travelers, flags = named_travelers(files.travelers.rows)
    decided = traveler_outcomes(found, travelers.assign(warnings=joined_warnings(flags, travelers)))
    all_outcomes = pd.concat(
        [decided, outcomes_of_others("booking_party", files.travelers, decided)], ignore_index=True
    )
    parties = party_rows(found, travelers, decided).assign(is_deleted=False)
    _write(step, "booking_parties", parties, _columns(tables.booking_party))
    _write(step, "traveler_outcomes", all_outcomes, OUTCOME_SCHEMA)
    return label_without_month(step, "booking_party", all_outcomes, [(sources.booking_travelers, files.travelers)])


def _write(step: Step, name: str, rows: pd.DataFrame, schema: pa.Schema) -> None:
    step.frames.write(name, split_by_month(rows), schema)


def _columns(table: sa.Table) -> pa.Schema:
    return arrow_schema(loaded_columns(table))


def _same(value: str, rows: pd.DataFrame) -> pd.Series:
    return pd.Series([value] * len(rows), index=rows.index, dtype=TEXT)
