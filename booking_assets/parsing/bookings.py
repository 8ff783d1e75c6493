"""The rows of both booking tables, read into the columns that the merge works on."""

import datetime as dt

import pandas as pd
import pyarrow as pa

from booking_assets.parsing.contacts import NAME_LENGTH, emails
from booking_assets.parsing.currencies import currencies
from booking_assets.parsing.keys import BALISNAP, BSTADMIN
from booking_assets.parsing.numbers import amounts, booleans, integers, primary_keys
from booking_assets.parsing.phones import e164s, fallback_phones
from booking_assets.parsing.statuses import (
    DIRECT,
    MANUAL,
    booking_signals,
    bookings_are_cancelled,
    channels,
    ops_status,
)
from booking_assets.parsing.texts import cuts, raw_texts, texts, uppers
from booking_assets.parsing.times import CLOCK, bali_dates, clocks, timestamps
from booking_assets.parsing.warnings import cut, invalid, without_ref
from migration.parsing.vectors import Parsed, parse_vector

SOURCE_LENGTH = 32

_TEXT = pd.ArrowDtype(pa.string())

Read = tuple[pd.DataFrame, dict[str, pd.Series]]


def website_rows(cells: pd.DataFrame, latest: dt.datetime) -> Read:
    """Rows of the website's bookings.

    Args:
        cells: cells of the table.
        latest: the latest time that a record may bear.

    Returns:
        The rows, and per warning code whether a row has it. `pk` is missing where the key is not valid, `ref` where
        there is none. `tour_date` is the day in Bali that the guest picked.
    """
    common, warnings = _common(cells, latest, currency="currency_code", pickup="meeting_point")
    rows = common.assign(
        system=_same(BALISNAP, cells),
        channel_code=_same(DIRECT, cells),
        source_enum=_same(DIRECT, cells),
        tour_date=bali_dates(cells["booking_date"]).value,
        tour_time=_same(None, cells).astype(pd.ArrowDtype(CLOCK)),
        signal=booking_signals(cells["status_v2"], cells["status"]),
        is_cancelled=bookings_are_cancelled(cells["status_v2"], cells["status"]),
    )
    return rows, warnings


def panel_rows(cells: pd.DataFrame, latest: dt.datetime) -> Read:
    """Rows of the operations panel's bookings; as `website_rows`, with what only operations know."""
    common, warnings = _common(cells, latest, currency="currency", pickup="pickup_location")
    source, channel = uppers(cells["source"]).value, channels(cells["source"])
    read = {
        "tour_date": bali_dates(cells["tour_date"]),
        "tour_time": clocks(cells["tour_time"]),
        "ops_status": parse_vector(cells["status"], pa.string(), ops_status),
        "assigned_driver_id": primary_keys(cells["assigned_driver_id"]),
        "assigned_at": timestamps(cells["assigned_at"], latest),
        "is_paid": booleans(cells["is_paid"]),
        "paid_at": timestamps(cells["paid_at"], latest),
    }
    rows = common.assign(
        system=_same(BSTADMIN, cells),
        channel_code=channel.value,
        source_text=source,
        source_enum=source.fillna(MANUAL).str.slice(0, SOURCE_LENGTH),
        tour_name=texts(cells["tour_name"]).value,
        **{name: column.value for name, column in read.items()},
    )
    return rows, warnings | invalid(source=channel, **read)


def _common(cells: pd.DataFrame, latest: dt.datetime, *, currency: str, pickup: str) -> Read:
    read = {
        "created_at": timestamps(cells["created_at"], latest),
        "updated_at": timestamps(cells["updated_at"], latest),
        "booking_at": timestamps(cells["booking_date"]),
        "currency_code": currencies(cells[currency]),
        "total_price": amounts(cells["total_price"]),
        "number_of_adult": integers(cells["number_of_adult"]),
        "number_of_child": integers(cells["number_of_child"]),
        "legacy_package_id": primary_keys(cells["package_id"]),
        "email": emails(cells["main_contact_email"]),
        "phone": e164s(cells["phone_number"]),
    }
    name, too_long = cuts(texts(cells["main_contact_name"]).value, NAME_LENGTH)
    rows = pd.DataFrame(
        {
            "pk": primary_keys(cells["booking_id"]).value,
            "source_row": cells["source_row"],
            "ref": uppers(cells["booking_ref"]).value,
            **{column: parsed.value for column, parsed in read.items()},
            "note": raw_texts(cells["note"]).value,
            "name": name,
            "email_text": texts(cells["main_contact_email"]).value,
            "phone_text": fallback_phones(cells["phone_number"]).value,
            "pickup_location": raw_texts(cells[pickup]).value,
            "meeting_point": raw_texts(cells["meeting_point"]).value,
        }
    )
    warnings = invalid(**_named(read, currency)) | cut(main_contact_name=too_long) | without_ref(rows["ref"])
    return rows, warnings


def _named(read: dict[str, Parsed], currency: str) -> dict[str, Parsed]:
    """The columns under the names that the source has for them."""
    source_names = {
        "booking_at": "booking_date",
        "currency_code": currency,
        "legacy_package_id": "package_id",
        "email": "main_contact_email",
        "phone": "phone_number",
    }
    return {source_names.get(name, name): column for name, column in read.items()}


def _same(value: str | None, cells: pd.DataFrame) -> pd.Series:
    return pd.Series([value] * len(cells), index=cells.index, dtype=_TEXT)
