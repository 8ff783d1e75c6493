"""Legacy bookings as the merge gets them: written as in the legacy systems, read by the parsers."""

import datetime as dt
from typing import Any

import pandas as pd

from booking_assets import sources
from booking_assets.merge.identity import Groups, all_rows, booking_keys, group_problems, group_rows
from booking_assets.merge.items import active_summaries
from booking_assets.merge.resolve import Core, TourTimes, active_of, resolve_core, website_tours
from booking_assets.parsing.bookings import panel_rows, website_rows
from booking_assets.parsing.numbers import amounts
from booking_assets.parsing.times import clocks, dates_only, record_limit, timestamps
from migration.exports.sources import SourceTable
from migration.parsing.cells import cell_array
from tests.booking.booking_columns import cells

REFERENCE = dt.datetime(2026, 2, 19, tzinfo=dt.UTC)
LATEST = record_limit(REFERENCE)

WEBSITE_ROW: dict[str, Any] = {
    "booking_id": 5,
    "booking_ref": "kx7q2m",
    "booking_date": "2026-03-01",
    "total_price": 100,
    "number_of_adult": 2,
    "number_of_child": 0,
    "currency_code": "USD",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-02-10T00:00:00Z",
    "main_contact_name": "Ann Lee",
    "main_contact_email": "ann@mail.test",
    "phone_number": "+628120000001",
}
PANEL_ROW: dict[str, Any] = {
    "booking_id": 80,
    "booking_ref": "KX7Q2M",
    "booking_date": "2026-03-01",
    "tour_date": "2026-03-01",
    "total_price": 100,
    "number_of_adult": 2,
    "number_of_child": 0,
    "currency": "USD",
    "source": "DIRECT",
    "status": "NEW",
    "created_at": "2026-01-02T00:00:00Z",
    "updated_at": "2026-02-12T00:00:00Z",
    "main_contact_name": "Ann Lee",
    "main_contact_email": "ann@mail.test",
    "phone_number": "+628120000001",
}
KNOWN_COLUMNS = ["channel_code", "external_booking_ref", "booking_key", "is_deleted"]
REFS_COLUMNS = ["package_id", "variant_key", "product_key"]


def table(source: SourceTable, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The cells of rows of a legacy table, as the reader makes them."""
    columns = {name: pd.Series(cell_array([row.get(name) for row in rows]), dtype="str") for name in source.columns}
    return pd.DataFrame({"source_row": range(1, len(rows) + 1), **columns})


def grouped(website: list[dict[str, Any]], panel: list[dict[str, Any]]) -> Groups:
    """Bookings of rows of both systems; each row says how it differs from the usual one."""
    mine = table(sources.website_bookings, [WEBSITE_ROW | row for row in website])
    theirs = table(sources.panel_bookings, [PANEL_ROW | row for row in panel])
    return group_rows(all_rows(website_rows(mine, LATEST)[0], panel_rows(theirs, LATEST)[0]))


def items(*rows: dict[str, Any]) -> pd.DataFrame:
    """Loaded items of bookings; each says how it differs from the usual one."""
    usual: dict[str, Any] = {
        "booking_id": 5,
        "is_active": True,
        "currency_code": "USD",
        "total_amount": "0",
        "adult_qty": 0,
        "child_qty": 0,
        "infant_qty": 0,
        "variant_id": None,
        "variant_key": None,
        "start_date": None,
    }
    found = pd.DataFrame([{"booking_item_id": number, **usual, **row} for number, row in enumerate(rows, start=1)])
    if found.empty:
        found = pd.DataFrame(columns=["booking_item_id", *usual])
    kinds = {"variant_id": "int64[pyarrow]", "variant_key": "string[pyarrow]", "currency_code": "string[pyarrow]"}
    start = cells(found["start_date"].tolist())
    total = amounts(cells(found["total_amount"].tolist())).value
    counted = found.astype({**kinds, **dict.fromkeys(("booking_id", "booking_item_id"), "int64")})
    return counted.assign(total_amount=total, starts_at=timestamps(start).value, is_date_only=dates_only(start))


def itineraries(**times: str) -> pd.Series:
    """When the first stop of variants begins: `v3="8:30 am"` for variant 3."""
    read = clocks(cells(list(times.values()))).value
    return read.set_axis(pd.Index([int(name[1:]) for name in times], dtype="int64"))


def packages(*rows: tuple[int, str | None, str | None]) -> pd.DataFrame:
    """Where package ids lead: id, key of the variant, key of the product."""
    found = pd.DataFrame(list(rows), columns=REFS_COLUMNS)
    kinds = {"package_id": "int64[pyarrow]", "variant_key": "string[pyarrow]", "product_key": "string[pyarrow]"}
    return found.astype(kinds)


def merged(
    groups: Groups,
    loaded: pd.DataFrame | None = None,
    starts: pd.Series | None = None,
    refs: pd.DataFrame | None = None,
) -> tuple[Core, TourTimes, pd.DataFrame]:
    """The bookings merged, when their tours begin by the website, and what their active items add up to."""
    active = active_of(groups, active_summaries(items() if loaded is None else loaded))
    tours = website_tours(groups, active, itineraries() if starts is None else starts)
    return resolve_core(groups, active, tours, packages() if refs is None else refs), tours, active


def keyed(groups: Groups, known: list[tuple[str, str, str, bool]] | None = None) -> pd.Series:
    """The key of each booking, given what the database knows."""
    _, tours, _ = merged(groups)
    problems = group_problems(groups, tours.tour_date, groups.panel_rows()["tour_date"])
    return booking_keys(groups, problems, pd.DataFrame(known or [], columns=KNOWN_COLUMNS))


def audited(decided: pd.DataFrame) -> list[tuple[Any, ...]]:
    """What was decided, in short."""
    names = ["field_name", "old_value", "new_value", "winner_source", "resolution"]
    return [tuple(None if pd.isna(each) else each for each in row) for row in decided[names].itertuples(index=False)]
