"""Who travels on a booking: the people of its active items, and the travellers that are named."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pyarrow as pa

from booking_assets.merge.frames import TEXT, arrow_array
from booking_assets.merge.item_values import QUANTITIES
from booking_assets.parsing.numbers import primary_keys
from booking_assets.parsing.texts import texts, uppers
from booking_assets.parsing.times import birth_dates
from booking_assets.parsing.warnings import invalid
from migration.parsing.cells import to_json

_TEXTS = ("title", "first_name", "last_name", "email", "phone", "nationality", "passport_number", "special_request")
_INTEGER = pd.ArrowDtype(pa.int64())


def named_travelers(cells: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, pd.Series]]:
    """The travellers of items.

    Args:
        cells: cells of the travellers, with `pk`, `source_pk` and `source_row`.

    Returns:
        `pk`, `source_pk`, `source_row`, `booking_item_id` (a key or missing) and what the party says of each; and per
        warning code whether a row has it.
    """
    born = birth_dates(cells["birth_date"])
    rows = cells[["pk", "source_pk", "source_row"]].assign(
        booking_item_id=primary_keys(cells["booking_item_id"]).value,
        traveler_type=uppers(cells["traveler_type"]).value.fillna("ADULT"),
        birth_date=born.value,
        **{name: texts(cells[name]).value for name in _TEXTS},
    )
    return rows, invalid(birth_date=born)


def traveler_rows(travelers: pd.DataFrame) -> pd.Series:
    """The travellers of each booking as the JSON text of an array, by booking key.

    Args:
        travelers: rows of `named_travelers` that count, with the `booking_key` of their item.
    """
    ordered = travelers.sort_values(["booking_key", "booking_item_id", "pk"], kind="stable")
    documents = pd.Series([to_json(each) for each in _documents(ordered)], index=ordered.index, dtype=TEXT)
    joined = documents.groupby(ordered["booking_key"].to_numpy(dtype=object), sort=False).agg(",".join)
    return "[" + joined.astype(TEXT) + "]"


def _documents(travelers: pd.DataFrame) -> Iterator[dict[str, Any]]:
    names = ["pk", "booking_item_id", "traveler_type", "birth_date", *_TEXTS]
    columns = [arrow_array(travelers[name]).to_pylist() for name in names]
    for pk, item, kind, born, *written in zip(*columns, strict=True):
        yield {
            "traveler_id": pk,
            "booking_item_id": item,
            "traveler_type": kind,
            "birth_date": None if born is None else born.isoformat(),
            **dict(zip(_TEXTS, written, strict=True)),
        }


def parties(bookings: pd.DataFrame, active: pd.DataFrame, travelers: pd.Series) -> pd.DataFrame:
    """The party of each booking: what its active items add up to, or the people that the booking itself counts.

    Args:
        bookings: `booking_key`, `number_of_adult`, `number_of_child` as merged.
        active: what the active items of each booking add up to, same index; missing where it has none.
        travelers: the named travellers, by booking key (`traveler_rows`).
    """
    has_items = active["items"].notna()
    counted = {"adult_qty": bookings["number_of_adult"], "child_qty": bookings["number_of_child"]}
    counted["infant_qty"] = pd.Series(0, index=bookings.index, dtype=_INTEGER)
    return bookings[["booking_key"]].assign(
        **{name: active[name].where(has_items, counted[name]) for name in QUANTITIES},
        traveler_rows=bookings["booking_key"].map(travelers).astype(TEXT),
    )
