"""What an item says that was sold, filled up from its booking where it says nothing; and the items made of bookings."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from booking_assets.merge.frames import TEXT, amounts_of, arrow_array, cents, looked_up
from booking_assets.parsing.currencies import DEFAULT_CURRENCY, currencies
from booking_assets.parsing.json_values import json_texts
from booking_assets.parsing.numbers import MONEY_LIMIT, amounts, integers, primary_keys
from booking_assets.parsing.statuses import are_active_items
from booking_assets.parsing.texts import cuts, texts
from booking_assets.parsing.warnings import invalid
from migration.parsing.cells import to_json
from migration.parsing.vectors import Parsed

EXTERNAL_ID_LENGTH = 128
PEOPLE = ("adult", "child")
QUANTITIES = ("adult_qty", "child_qty", "infant_qty")

_LIMIT = int(MONEY_LIMIT) * 100
_INTEGER = pd.ArrowDtype(pa.int64())


def booked_items(cells: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, pd.Series]]:
    """What the items say themselves.

    Args:
        cells: cells of the items, with `pk`, `source_pk` and `source_row`.

    Returns:
        `pk`, `source_pk`, `source_row`, `booking_id`, `variant_id`, `departure_id` (keys or missing), `is_active`,
        both external ids, the quantities, prices and amounts (missing where not usable), `currency_code` and
        `snapshot` as JSON text; and per warning code whether a row has it.
    """
    numbers = {name: integers(cells[name]) for name in QUANTITIES}
    prices = {f"{who}_unit_price": amounts(cells[f"{who}_unit_price"]) for who in PEOPLE}
    money = {name: amounts(cells[name]) for name in ("discount_amount", "tax_amount", "total_amount")}
    currency = currencies(cells["currency_code"])
    rows = cells[["pk", "source_pk", "source_row"]].assign(
        booking_id=primary_keys(cells["booking_id"]).value,
        variant_id=primary_keys(cells["variant_id"]).value,
        departure_id=primary_keys(cells["departure_id"]).value,
        is_active=are_active_items(cells["item_status"]),
        variant_external_id=_external_ids(cells["variant_id"]),
        departure_external_id=_external_ids(cells["departure_id"]),
        currency_code=currency.value,
        snapshot=json_texts(cells["snapshot"]).value,
        **{name: column.value for name, column in (numbers | prices | money).items()},
    )
    read: Mapping[str, Parsed] = {"currency_code": currency} | numbers | prices | money
    return rows, invalid(**read)


def _external_ids(cells: pd.Series) -> pd.Series:
    """An id as text: the number that it is, else the text that it has."""
    written = cuts(texts(cells).value, EXTERNAL_ID_LENGTH)[0]
    return integers(cells).value.astype(TEXT).fillna(written)


def filled_items(items: pd.DataFrame, bookings: pd.DataFrame) -> pd.DataFrame:
    """Items with everything that their row of the target has, from their booking where they do not say it.

    Args:
        items: rows of `booked_items` whose booking is there.
        bookings: the website's bookings: `pk`, `currency_code`, `total_price`, `number_of_adult`, `number_of_child`.
    """
    known = bookings.set_index("pk")
    of_booking = {
        name: looked_up(items["booking_id"], known[name])
        for name in ("currency_code", "total_price", "number_of_adult", "number_of_child")
    }
    alone = ~items["booking_id"].duplicated(keep=False).to_numpy()
    filled = items.assign(
        currency_code=items["currency_code"].fillna(of_booking["currency_code"]).fillna(DEFAULT_CURRENCY),
        infant_qty=items["infant_qty"].clip(lower=0).fillna(0),
        discount_amount=items["discount_amount"].fillna(0),
        tax_amount=items["tax_amount"].fillna(0),
    )
    for who in PEOPLE:
        of_alone = of_booking[f"number_of_{who}"].clip(lower=0).where(alone).fillna(0)
        filled[f"{who}_qty"] = filled[f"{who}_qty"].clip(lower=0).fillna(of_alone)
    filled["total_amount"] = _totals(filled, of_booking["total_price"].where(alone))
    return _with_prices(filled)


def _totals(items: pd.DataFrame, of_booking: pd.Series) -> pd.Series:
    """The total of each item: its own, that of a booking which has no other item, or what its prices add up to."""
    found = _not_negative(items["total_amount"]).fillna(_not_negative(of_booking))
    for at in np.flatnonzero(found.isna()).tolist():
        found.iloc[at] = _computed_total(items.iloc[at])
    return found


def _computed_total(item: pd.Series) -> object:
    """What the prices of an item add up to; 0 for what is less, or has no room in its column."""
    total = item["tax_amount"] - item["discount_amount"]
    for who in PEOPLE:
        price = item[f"{who}_unit_price"]
        if not pd.isna(price) and price > 0:
            total += int(item[f"{who}_qty"]) * price
    return total if 0 <= total < MONEY_LIMIT else 0


def _with_prices(items: pd.DataFrame) -> pd.DataFrame:
    """Items with unit prices: their own, else the share of each person in the total."""
    adults, children = (items[f"{who}_qty"].to_numpy(dtype=np.int64) for who in PEOPLE)
    shared = shares(cents(items["total_amount"]), adults + children)
    adult = _not_negative(items["adult_unit_price"]).fillna(_money(shared))
    child = _not_negative(items["child_unit_price"]).fillna(_money(np.where(children == 0, 0, shared)))
    return items.assign(adult_unit_price=adult, child_unit_price=child)


def shares(hundredths: np.ndarray, people: np.ndarray) -> np.ndarray:
    """The share of each person in an amount that is not negative, halves up; 0 where there is nobody."""
    heads = np.maximum(people, 1)
    return np.where(people > 0, (2 * hundredths + heads) // (2 * heads), 0)


def _not_negative(values: pd.Series) -> pd.Series:
    return values.mask((values < 0).fillna(value=False).to_numpy(dtype=bool))


def _money(hundredths: np.ndarray) -> pd.Series:
    return amounts_of(hundredths, np.zeros(len(hundredths), dtype=bool))


# --- made of bookings -------------------------------------------------------------------------------------------------


def synthetic_items(bookings: pd.DataFrame) -> pd.DataFrame:
    """The item of each booking that has none.

    Args:
        bookings: `booking_key`, `system`, `table`, `pk` and `tour_name` of the row that speaks for each, and as merged
            `currency_code`, `total_price`, `number_of_adult`, `number_of_child`, `legacy_package_id`, `variant_key`
            (where that package leads).
    """
    total = cents(bookings["total_price"])
    adults, children = (bookings[f"number_of_{who}"].to_numpy(dtype=np.int64) for who in PEOPLE)
    people = adults + children
    shared = shares(total, people)
    rows = bookings[["booking_key", "system", "table", "pk", "variant_key", "currency_code"]].assign(
        variant_external_id=bookings["legacy_package_id"].astype(TEXT),
        departure_external_id=pd.Series(None, index=bookings.index, dtype=TEXT),
        adult_qty=bookings["number_of_adult"],
        child_qty=bookings["number_of_child"],
        infant_qty=pd.Series(0, index=bookings.index, dtype=_INTEGER),
        adult_unit_price=_at(bookings, np.where(people == 0, total, np.where(adults == 0, 0, shared))),
        child_unit_price=_at(bookings, np.where(children == 0, 0, shared)),
        discount_amount=_at(bookings, np.zeros(len(bookings), dtype=np.int64)),
        tax_amount=_at(bookings, np.zeros(len(bookings), dtype=np.int64)),
        total_amount=bookings["total_price"],
        legacy_package_id=bookings["legacy_package_id"],
        tour_name=bookings["tour_name"],
    )
    return rows.assign(snapshot=snapshots(rows))


def _at(bookings: pd.DataFrame, hundredths: np.ndarray) -> pd.Series:
    return _money(hundredths).set_axis(bookings.index)


def snapshots(rows: pd.DataFrame) -> pd.Series:
    """What stands in for the snapshot of an item that has none, as JSON text.

    Args:
        rows: `system`, `table`, `pk`, `legacy_package_id`, `tour_name`, and the item's `total_amount`,
            `currency_code`, `adult_qty`, `child_qty`.
    """
    names = ("system", "table", "pk", "legacy_package_id", "tour_name", "currency_code", "adult_qty", "child_qty")
    columns = [arrow_array(rows[name]).to_pylist() for name in names]
    totals = arrow_array(rows["total_amount"]).cast(pa.string()).to_pylist()
    found = [_snapshot(*row) for row in zip(totals, *columns, strict=True)]
    return pd.Series(found, index=rows.index, dtype=TEXT)


def _snapshot(
    total: str,
    system: str,
    table: str,
    pk: object,
    package: int | None,
    tour: str | None,
    currency: str,
    adult: int,
    child: int,
) -> str:
    return to_json(
        {
            "synthetic": True,
            "source_system": system,
            "source_table": table,
            "source_pk": str(pk),
            "legacy_package_id": package,
            "tour_name": tour,
            "total_price": total,
            "currency_code": currency,
            "adult": adult,
            "child": child,
        }
    )
