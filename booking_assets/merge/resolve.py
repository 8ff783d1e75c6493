"""One value of two: what a booking's row in each system says, which of them is written, and what that decides against.

A value that only one system has is taken. Of two that differ the fresher row's is; of equally fresh ones that of the
field's owner; and where it is not known which is fresher the owner's is written and a person has to look at it.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from booking_assets.merge.frames import (
    TEXT,
    UNKNOWN,
    amounts_of,
    arrow_array,
    at_positions,
    cents,
    days,
    looked_up,
    microseconds,
)
from booking_assets.merge.identity import Groups
from booking_assets.merge.items import of_bookings
from booking_assets.merge.logs import (
    ACTIVE_ITEMS,
    APPEND,
    FRESHER,
    MERGE_CONFLICT,
    NOTE_MERGED,
    OWNER,
    REVIEW_REQUIRED,
    decisions,
    joined_decisions,
)
from booking_assets.parsing.currencies import DEFAULT_CURRENCY
from booking_assets.parsing.keys import BALISNAP, BSTADMIN
from booking_assets.parsing.statuses import MAPPED, UNMAPPED
from booking_assets.parsing.times import CLOCK
from migration.parsing.cells import to_json

CATALOG_VARIANT, CATALOG_PRODUCT, LEGACY_PACKAGE = "CATALOG_VARIANT", "CATALOG_PRODUCT", "LEGACY_PACKAGE"

_CLOCK_LENGTH = len("08:30:00")


@dataclass(frozen=True)
class Sides:
    """The two rows that speak for each booking, by its number.

    Attributes:
        b: the website's rows, all missing where there is none.
        a: the operations panel's.
        b_freshness: their freshness, in microseconds.
        a_freshness: the same of the operations panel's.
    """

    b: pd.DataFrame = field(repr=False)
    a: pd.DataFrame = field(repr=False)
    b_freshness: np.ndarray = field(repr=False)
    a_freshness: np.ndarray = field(repr=False)

    @property
    def both_known(self) -> np.ndarray:
        """Whether the freshness of both rows is known."""
        return (self.b_freshness != UNKNOWN) & (self.a_freshness != UNKNOWN)

    def a_wins(self, owner: str) -> np.ndarray:
        """Whether the operations panel's value is written where the two differ."""
        fresher = self.both_known & (self.a_freshness > self.b_freshness)
        undecided = ~self.both_known | (self.a_freshness == self.b_freshness)
        return fresher | undecided if owner == BSTADMIN else fresher

    def resolutions(self) -> np.ndarray:
        """Why one of two different values is written."""
        known = np.where(self.b_freshness == self.a_freshness, OWNER, FRESHER)
        return np.where(self.both_known, known, REVIEW_REQUIRED).astype(object)

    def payloads(self, groups: np.ndarray) -> list[str]:
        """The keys of both rows, as the audit log has them."""
        return source_pks(self.b["pk"], self.a["pk"], groups)


@dataclass(frozen=True)
class Merged:
    """A field of every booking.

    Attributes:
        value: what is written, by the booking's number.
        decided: what that decided against.
        review: whether a person has to look at it.
    """

    value: pd.Series = field(repr=False)
    decided: pd.DataFrame = field(repr=False)
    review: np.ndarray = field(repr=False)


def sides_of(groups: Groups) -> Sides:
    """The rows that speak for each booking."""
    freshness = (groups.freshness_at(positions) for positions in (groups.b, groups.a))
    return Sides(groups.website_rows(), groups.panel_rows(), *freshness)


def source_pks(b: pd.Series, a: pd.Series, groups: np.ndarray) -> list[str]:
    """The payload of an audit row: the keys of the rows that speak for the bookings."""
    texts = ([None if pk is None else str(pk) for pk in arrow_array(each).take(groups).to_pylist()] for each in (b, a))
    return [to_json({"balisnap_pk": mine, "bstadmin_pk": theirs}) for mine, theirs in zip(*texts, strict=True)]


def resolve(sides: Sides, name: str, b: pd.Series, a: pd.Series, owner: str) -> Merged:
    """One field of every booking.

    Args:
        sides: the rows that speak for the bookings.
        name: the field.
        b: what the website's rows say, Arrow-backed.
        a: what the operations panel's rows say, of the same type.
        owner: the system whose value is written when it is not decided by freshness.
    """
    differs = (b != a).fillna(value=False).to_numpy(dtype=bool)
    a_wins = differs & sides.a_wins(owner)
    value = a.where(a_wins, b).fillna(a)
    resolutions = sides.resolutions()
    decided = _conflicts(sides, name, differs, a_wins, (_texts(b), _texts(a)), resolutions)
    return Merged(value, decided, differs & (resolutions == REVIEW_REQUIRED))


def _conflicts(
    sides: Sides,
    name: str,
    differs: np.ndarray,
    a_wins: np.ndarray,
    texts: tuple[pa.Array, pa.Array],
    resolutions: np.ndarray,
) -> pd.DataFrame:
    places = np.flatnonzero(differs)
    mine, theirs = (np.array(each.take(places).to_pylist(), dtype=object) for each in texts)
    wins = a_wins[places]
    return decisions(
        places,
        name,
        MERGE_CONFLICT,
        old_value=np.where(wins, mine, theirs),
        new_value=np.where(wins, theirs, mine),
        winner_source=np.where(wins, BSTADMIN, BALISNAP),
        resolution=resolutions[places],
        payload=sides.payloads(places),
    )


def _texts(values: pd.Series) -> pa.Array:
    """Values as the audit log has them."""
    array = arrow_array(values)
    if array.type == CLOCK:
        return pa.array([None if each is None else each.isoformat()[:_CLOCK_LENGTH] for each in array.to_pylist()])
    return array.cast(pa.string())


# --- money ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """Currency and amount, which only mean something together; none where `missing`."""

    currency: np.ndarray
    hundredths: np.ndarray
    missing: np.ndarray

    def without(self, dropped: np.ndarray) -> "Pair":
        """The pairs without some of them."""
        return Pair(self.currency, self.hundredths, self.missing | dropped)

    def texts(self) -> pa.Array:
        """The pairs as the audit log has them."""
        amounts = arrow_array(amounts_of(self.hundredths, self.missing)).cast(pa.string()).to_pylist()
        shown = zip(self.currency, amounts, strict=True)
        return pa.array([None if amount is None else f"{code} {amount}" for code, amount in shown], type=pa.string())


@dataclass(frozen=True)
class MergedMoney:
    """Currency and total of every booking.

    Attributes:
        currency_code: the currencies.
        total_price: the totals.
        decided: what that decided against.
        review: whether a person has to look at it.
    """

    currency_code: pd.Series = field(repr=False)
    total_price: pd.Series = field(repr=False)
    decided: pd.DataFrame = field(repr=False)
    review: np.ndarray = field(repr=False)


def resolve_money(sides: Sides, active: pd.DataFrame) -> MergedMoney:
    """Currency and total as one value: what the active items add up to, else what the fresher row says.

    Args:
        sides: the rows that speak for the bookings; they have `currency_code` and `total_price`.
        active: what the active items of each booking add up to.
    """
    stated, of_items = _website_pairs(sides.b, active)
    a = _stated(sides.a)
    # A price of nothing says nothing beside a real one; but items that add up to nothing do.
    b_empty = ~of_items & (stated.hundredths == 0) & ~a.missing & (a.hundredths > 0)
    a_empty = (a.hundredths == 0) & ~stated.missing & (stated.hundredths > 0)
    b, a = stated.without(b_empty), a.without(a_empty)
    differs = ~b.missing & ~a.missing & ((b.currency != a.currency) | (b.hundredths != a.hundredths))
    a_wins = differs & ~of_items & sides.a_wins(BALISNAP)
    resolutions = np.where(of_items, ACTIVE_ITEMS, sides.resolutions())
    take_a = a_wins | b.missing
    none = b.missing & a.missing
    fallback = sides.b["currency_code"].fillna(sides.a["currency_code"]).fillna(DEFAULT_CURRENCY)
    currency = np.where(none, fallback.to_numpy(dtype=object), np.where(take_a, a.currency, b.currency))
    total = np.where(none, 0, np.where(take_a, a.hundredths, b.hundredths))
    return MergedMoney(
        currency_code=pd.Series(currency, dtype=TEXT),
        total_price=amounts_of(total, np.zeros(len(total), dtype=bool)),
        decided=_conflicts(sides, "total_price", differs, a_wins, (b.texts(), a.texts()), resolutions),
        review=differs & (resolutions == REVIEW_REQUIRED),
    )


def _stated(rows: pd.DataFrame) -> Pair:
    currency = rows["currency_code"].fillna(DEFAULT_CURRENCY).to_numpy(dtype=object)
    hundredths = cents(rows["total_price"])
    return Pair(currency, hundredths, rows["total_price"].isna().to_numpy() | (hundredths < 0))


def _website_pairs(rows: pd.DataFrame, active: pd.DataFrame) -> tuple[Pair, np.ndarray]:
    """The website's pairs, and which of them are sums of items; a sum without room in its column is no pair."""
    stated = _stated(rows)
    summed = (
        (active["currency_code"] == pd.Series(stated.currency, dtype=TEXT)).fillna(value=False).to_numpy(dtype=bool)
    )
    no_room = active["total_price"].isna().to_numpy()
    found = Pair(
        stated.currency,
        np.where(summed, cents(active["total_price"]), stated.hundredths),
        np.where(summed, no_room, stated.missing),
    )
    return found, summed & ~no_room


# --- notes ------------------------------------------------------------------------------------------------------------


def merge_notes(groups: Groups) -> tuple[pd.Series, pd.DataFrame]:
    """The note of every booking, and what was appended to what: every distinct note of its rows is kept.

    Args:
        groups: the bookings; their rows have `note`.
    """
    order = np.lexsort((groups.rows["pk"].to_numpy(dtype=np.int64), ~groups.website, groups.group))
    notes = pd.DataFrame({"group": groups.group, "note": groups.rows["note"], "website": groups.website})
    distinct = notes.take(order).dropna(subset=["note"]).drop_duplicates(["group", "note"])  # type: ignore[arg-type]
    found = np.full(groups.count, None, dtype=object)
    found[distinct["group"].to_numpy()] = distinct["note"].to_numpy(dtype=object)
    several = distinct[distinct["group"].duplicated(keep=False)]
    merged: dict[int, list[str]] = {}
    for group, note, website in several.itertuples(index=False, name=None):
        merged.setdefault(group, []).append(f"[{BALISNAP if website else BSTADMIN}] {note}")
    for group, lines in merged.items():
        found[group] = "\n".join(lines)
    appended = decisions(
        list(merged),
        "note",
        NOTE_MERGED,
        old_value=None,
        new_value=[found[group] for group in merged],
        winner_source=None,
        resolution=APPEND,
    )
    return pd.Series(found, dtype=TEXT), appended


# --- the whole booking ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Core:
    """The merged bookings, statuses left aside.

    Attributes:
        rows: columns of `booking_core`, by the booking's number.
        decided: what that decided against.
        review: per field that needs a person, for which bookings.
    """

    rows: pd.DataFrame = field(repr=False)
    decided: pd.DataFrame = field(repr=False)
    review: dict[str, np.ndarray] = field(repr=False)


@dataclass(frozen=True)
class TourTimes:
    """When the tours of the website's rows begin, by the booking's number."""

    tour_date: pd.Series = field(repr=False)
    tour_time: pd.Series = field(repr=False)


def website_tours(groups: Groups, active: pd.DataFrame, itineraries: pd.Series) -> TourTimes:
    """When the tour of each booking begins by the website: by its departures, else the day that the guest picked.

    Args:
        groups: the bookings; `tour_date` of the website's rows is the day that the guest picked.
        active: what the active items of each booking add up to (`active_of`).
        itineraries: when the first stop of each variant begins, by `variant_id`.
    """
    picked = at_positions(groups.rows["tour_date"], groups.b)
    by_itinerary = looked_up(active["variant_id"], itineraries)
    return TourTimes(active["tour_date"].fillna(picked), active["tour_time"].fillna(by_itinerary))


def active_of(groups: Groups, summaries: pd.DataFrame) -> pd.DataFrame:
    """What the active items of the website's row of each booking add up to, by the booking's number."""
    return of_bookings(summaries, at_positions(groups.rows["pk"], groups.b))


def resolve_core(groups: Groups, active: pd.DataFrame, tours: TourTimes, refs: pd.DataFrame) -> Core:
    """Merge the bookings.

    Args:
        groups: the bookings.
        active: what the active items of each booking add up to.
        tours: when their tours begin by the website.
        refs: where package ids lead: `package_id`, `variant_key`, `product_key`.
    """
    sides = sides_of(groups)
    money = resolve_money(sides, active)
    merged = _fields(sides, tours)
    notes, appended = merge_notes(groups)
    rows = pd.DataFrame({name: each.value for name, each in merged.items()}).assign(
        source_enum_compat=sides.a["source_enum"].fillna(sides.b["source_enum"]),
        currency_code=money.currency_code,
        total_price=money.total_price,
        note=notes,
    )
    for name in ("number_of_adult", "number_of_child"):
        rows[name] = rows[name].fillna(0)
    rows = pd.concat([groups.identities, rows, package_refs(merged["legacy_package_id"].value, active, refs)], axis=1)
    review = {"total_price": money.review} | {name: each.review for name, each in merged.items()}
    parts = [money.decided, *(each.decided for each in merged.values()), appended]
    return Core(rows, joined_decisions(parts), review)


def _fields(sides: Sides, tours: TourTimes) -> dict[str, Merged]:
    b, a = sides.b, sides.a
    dates = [days(microseconds(side["booking_at"])) for side in (b, a)]
    found = {
        "booking_date": resolve(sides, "booking_date", dates[0], dates[1], BALISNAP),
        "tour_date": resolve(sides, "tour_date", tours.tour_date, a["tour_date"], BSTADMIN),
        "tour_time": resolve(sides, "tour_time", tours.tour_time, a["tour_time"], BSTADMIN),
        "legacy_package_id": resolve(
            sides, "legacy_package_id", b["legacy_package_id"], a["legacy_package_id"], BALISNAP
        ),
    }
    for name in ("number_of_adult", "number_of_child"):
        found[name] = resolve(sides, name, b[name].clip(lower=0), a[name].clip(lower=0), BALISNAP)
    return found


def package_refs(legacy_package_id: pd.Series, active: pd.DataFrame, refs: pd.DataFrame) -> pd.DataFrame:
    """What each booking has booked: `package_ref_type` and `package_ref_key`.

    Args:
        legacy_package_id: the package of each booking.
        active: what the active items of each booking add up to.
        refs: where package ids lead.
    """
    known = refs.set_index("package_id")
    variant, product = (looked_up(legacy_package_id, known[name]) for name in ("variant_key", "product_key"))
    by_package = variant.fillna(product)
    key = by_package.fillna(active["variant_key"])
    is_product = (variant.isna() & product.notna()).to_numpy()
    kind = np.where(key.isna(), LEGACY_PACKAGE, np.where(is_product, CATALOG_PRODUCT, CATALOG_VARIANT))
    return pd.DataFrame({"package_ref_type": pd.Series(kind, dtype=TEXT), "package_ref_key": key})


def mapping_statuses(package_ref_key: pd.Series, review: dict[str, np.ndarray]) -> pd.Series:
    """How far each booking is mapped; one that needs a person for any field is to be reviewed."""
    needed = np.logical_or.reduce([np.zeros(len(package_ref_key), dtype=bool), *review.values()])
    mapped = np.where(package_ref_key.isna(), UNMAPPED, MAPPED)
    return pd.Series(np.where(needed, REVIEW_REQUIRED, mapped), dtype=TEXT)


def fields_to_review(review: dict[str, np.ndarray]) -> dict[int, list[str]]:
    """The fields that need a person, sorted, of each booking that has any."""
    found: dict[int, list[str]] = {}
    for name in sorted(review):
        for group in np.flatnonzero(review[name]).tolist():
            found.setdefault(group, []).append(name)
    return found
