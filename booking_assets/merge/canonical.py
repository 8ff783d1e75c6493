"""The bookings of an export, merged: every canonical booking with what belongs to it, statuses left aside."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from booking_assets.merge.contact import Contacts, merge_contacts
from booking_assets.merge.frames import TEXT, at_positions, flags_of, looked_up, moments, rows_at
from booking_assets.merge.identity import (
    PANEL_TABLE,
    WEBSITE_TABLE,
    Groups,
    booking_created_at,
    booking_keys,
    group_problems,
    group_rows,
)
from booking_assets.merge.item_values import filled_items
from booking_assets.merge.items import active_summaries
from booking_assets.merge.resolve import (
    CATALOG_PRODUCT,
    CATALOG_VARIANT,
    Core,
    active_of,
    mapping_statuses,
    resolve_core,
    website_tours,
)

# What only the operations panel's row says.
_OF_PANEL = ("ops_status", "assigned_driver_id", "assigned_at", "is_paid", "paid_at")


@dataclass(frozen=True)
class CatalogRefs:
    """Where bookings find the catalog.

    Attributes:
        packages: `package_id`, `variant_key`, `product_key` of every package id that leads somewhere.
        variants: `variant_id`, `variant_key` of the website's loaded variants.
        variant_products: `variant_key`, `product_key` of every loaded variant.
        meeting_points: `product_key`, `base_meeting_point`.
    """

    packages: pd.DataFrame = field(repr=False)
    variants: pd.DataFrame = field(repr=False)
    variant_products: pd.DataFrame = field(repr=False)
    meeting_points: pd.DataFrame = field(repr=False)


@dataclass(frozen=True)
class Canonical:
    """Every booking of an export, by its number; those with a problem are rejected with all their rows.

    Attributes:
        groups: the source rows by booking.
        problems: why bookings are rejected.
        keys: their keys, missing for rejected ones.
        core: the merged values and what they decided against.
        contacts: the merged contacts and what they decided against.
        active: what the active items of each booking add up to.
        items: the items of all its website rows, with `group`, and `counts` where they are active.
        bookings: the rows of the staged frame: the columns of `booking_core` but for both statuses, and what those
            are made of.
    """

    groups: Groups
    problems: pd.Series = field(repr=False)
    keys: pd.Series = field(repr=False)
    core: Core = field(repr=False)
    contacts: Contacts = field(repr=False)
    active: pd.DataFrame = field(repr=False)
    items: pd.DataFrame = field(repr=False)
    bookings: pd.DataFrame = field(repr=False)

    @property
    def accepted(self) -> np.ndarray:
        """Whether each booking is loaded."""
        return self.problems.isna().to_numpy()

    @property
    def review(self) -> dict[str, np.ndarray]:
        """Per field that needs a person, for which bookings."""
        return self.core.review | self.contacts.review


def merge_bookings(
    rows: pd.DataFrame, items: pd.DataFrame, itineraries: pd.Series, catalog: CatalogRefs, known: pd.DataFrame
) -> Canonical:
    """Merge the bookings of both systems.

    Args:
        rows: the rows of both systems (`all_rows`) whose reference fits its column.
        items: rows of `booked_items` with `variant_key`, and of their departures `starts_at` and `is_date_only`.
        itineraries: when the first stop of each variant begins, by `variant_id`.
        catalog: where bookings find the catalog.
        known: what the database has: `channel_code`, `external_booking_ref`, `booking_key`, `is_deleted`.
    """
    groups = group_rows(rows)
    of_groups = _items_of(groups, items)
    active = active_of(groups, active_summaries(of_groups.assign(booking_item_id=of_groups["pk"])))
    tours = website_tours(groups, active, itineraries)
    problems = group_problems(groups, tours.tour_date, groups.panel_rows()["tour_date"])
    keys = booking_keys(groups, problems, known)
    core = resolve_core(groups, active, tours, catalog.packages)
    contacts = merge_contacts(groups, _meeting_points(core.rows, catalog))
    review = core.review | contacts.review
    variants = catalog.packages.set_index("package_id")["variant_key"]
    bookings = _bookings(groups, core, keys).assign(
        mapping_status=mapping_statuses(core.rows["package_ref_key"], review),
        variant_key=looked_up(core.rows["legacy_package_id"], variants),
    )
    return Canonical(groups, problems, keys, core, contacts, active, _counted(groups, of_groups), bookings)


def _items_of(groups: Groups, items: pd.DataFrame) -> pd.DataFrame:
    """The items whose booking is there, with the number of their booking."""
    website = groups.rows[groups.website]
    numbers = pd.Series(groups.group[groups.website], index=website["pk"].to_numpy(dtype=np.int64))
    group = looked_up(items["booking_id"], numbers)
    mine = items.assign(group=group)[group.notna().to_numpy()]
    return filled_items(mine.reset_index(drop=True), website)


def _counted(groups: Groups, items: pd.DataFrame) -> pd.DataFrame:
    """Items with whether they count: active ones of the website's row that speaks for the booking."""
    speaking = at_positions(groups.rows["pk"], groups.b)
    of_speaker = items["booking_id"] == at_positions(speaking, items["group"].to_numpy(dtype=np.int64))
    return items.assign(counts=flags_of(items["is_active"]) & flags_of(of_speaker))


def _meeting_points(core: pd.DataFrame, catalog: CatalogRefs) -> pd.Series:
    """Where the tour of each booking begins by the catalog."""
    product_of = catalog.variant_products.set_index("variant_key")["product_key"]
    key, kind = core["package_ref_key"], core["package_ref_type"]
    product = key.where((kind == CATALOG_PRODUCT).to_numpy(dtype=bool))
    by_variant = looked_up(key.where((kind == CATALOG_VARIANT).to_numpy(dtype=bool)), product_of)
    points = catalog.meeting_points.set_index("product_key")["base_meeting_point"]
    return looked_up(product.fillna(by_variant), points)


def _bookings(groups: Groups, core: Core, keys: pd.Series) -> pd.DataFrame:
    created = booking_created_at(groups)
    speaker = rows_at(groups.rows[["system", "pk"]], groups.speaking)
    panel = groups.panel_rows()
    website = groups.website_rows()
    of_website = groups.b >= 0
    return core.rows.assign(
        booking_key=keys,
        booking_created_at=created,
        month=created.dt.strftime("%Y-%m").astype(TEXT),
        system=speaker["system"],
        table=pd.Series(np.where(of_website, WEBSITE_TABLE, PANEL_TABLE), dtype=TEXT),
        pk=speaker["pk"],
        has_website_row=of_website,
        has_panel_row=groups.a >= 0,
        panel_pk=panel["pk"],
        # Of the row that speaks, and the website's have none.
        tour_name=panel["tour_name"].mask(of_website),
        panel_freshness=moments(groups.freshness_at(groups.a)),
        signal=website["signal"],
        is_cancelled=flags_of(website["is_cancelled"]),
        **{name: panel[name] for name in _OF_PANEL},
    )
