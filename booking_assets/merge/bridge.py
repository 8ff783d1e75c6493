"""Which package of the operations panel is which product and variant of the website.

The catalog is small, so this is written package by package; what bookings need of it is a table to join with.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa

from booking_assets.merge.frames import TEXT, records
from booking_assets.merge.logs import queue_row
from booking_assets.parsing.keys import BALISNAP, BSTADMIN, key, row_name
from booking_assets.parsing.statuses import MANUAL

BY_LEGACY_ID, BY_VARIANT, BY_SLUG, BY_NAME = 1, 2, 3, 4
NO_MATCH, MULTI_MATCH = "NO_MATCH", "MULTI_MATCH"

PRODUCT_TABLE, TOUR_TABLE, PACKAGE_TABLE, VARIANT_TABLE = "TourProduct", "tours", "tour_packages", "TourVariant"


@dataclass(frozen=True)
class Match:
    """The product of the website that a package is, by the first step that found any.

    Attributes:
        step: the step, None when none found any.
        product_id: the product; None when there is none, or when the step found several.
    """

    step: int | None = None
    product_id: int | None = None

    @property
    def is_multiple(self) -> bool:
        """Whether a step found several products."""
        return self.step is not None and self.product_id is None


@dataclass
class OwnProduct:
    """A product that only the operations panel has.

    Attributes:
        table: `tours` or `tour_packages`, whose row it is made of.
        pk: the key of that row.
        package_ids: the packages that form it, ascending; the first one represents it.
    """

    table: str
    pk: int
    package_ids: list[int]

    @property
    def name(self) -> str:
        """The name that its key is made from."""
        return row_name(BSTADMIN, self.table, self.pk)


@dataclass(frozen=True)
class Bridge:
    """How the two catalogs fit together.

    Attributes:
        products: per package, the name from which the key of its product is made.
        variants: per package that is bridged to one, the variant of the website; the others have their own.
        matches: per package, the product of the website that it was matched with directly.
        own_products: products that only the operations panel has: those of tours, then those of packages, ascending.
        tours: per tour, the name of its product; None for a tour that is no product.
        bridged_tours: the tours whose product is the website's.
        companions: per product of the website, the directly matched package that completes it.
        refs: `package_id`, `variant_key`, `product_key` of every package id that leads somewhere, also of ids that
            only the website knows.
        queue: rows of the worklist.
    """

    products: Mapping[int, str]
    variants: Mapping[int, int]
    matches: Mapping[int, Match]
    own_products: tuple[OwnProduct, ...]
    tours: Mapping[int, str | None]
    bridged_tours: frozenset[int]
    companions: Mapping[int, int]
    refs: pd.DataFrame = field(repr=False)
    queue: list[dict[str, str | None]] = field(repr=False)


def build_bridge(products: pd.DataFrame, variants: pd.DataFrame, packages: pd.DataFrame, tours: pd.DataFrame) -> Bridge:
    """Fit the catalogs together.

    Args:
        products: the website's loaded products: `product_id`, `legacy_package_id`, `slug`, `name`, the last two as
            they are compared; missing ones match nothing.
        variants: its loaded variants: `variant_id`, `product_id`, `legacy_package_id`.
        packages: the operations panel's packages: `package_id`, `tour_id`, `slug`, `name`.
        tours: its tours: `tour_id`.
    """
    rows = sorted(records(packages), key=lambda row: row["package_id"])
    slugs = {row["package_id"]: row["slug"] for row in rows}
    matches = _matches(rows, records(products), records(variants))
    found = _Found(matches, slugs)
    by_tour = defaultdict(list)
    known_tours = {int(tour) for tour in tours["tour_id"]}
    for row in rows:
        by_tour[row["tour_id"] if row["tour_id"] in known_tours else None].append(row["package_id"])
    for tour in sorted(known_tours):
        found.add_tour(tour, by_tour.get(tour, []))
    for package in by_tour[None]:
        found.add_package(package)
    bridged, queue = _variants(rows, records(variants))
    return Bridge(
        products=found.products,
        variants=bridged,
        matches=matches,
        own_products=tuple(found.own),
        tours=found.tours,
        bridged_tours=frozenset(found.bridged),
        companions=_companions(matches),
        refs=_refs(found.products, bridged, records(products), records(variants)),
        queue=[*found.queue, *queue],
    )


def product_name(product_id: int) -> str:
    """The name that the key of a product of the website is made from."""
    return row_name(BALISNAP, PRODUCT_TABLE, product_id)


def variant_name(bridge: Bridge, package_id: int) -> str:
    """The name that the key of a package's variant is made from."""
    variant = bridge.variants.get(package_id)
    return _variant_name(package_id, variant)


# --- package to product -----------------------------------------------------------------------------------------------


def _matches(
    packages: list[dict[str, Any]], products: list[dict[str, Any]], variants: list[dict[str, Any]]
) -> dict[int, Match]:
    by_id = _grouped((row["legacy_package_id"], row["product_id"]) for row in products)
    by_variant = _grouped((row["legacy_package_id"], row["product_id"]) for row in variants)
    only_variant = {package: found for package, found in by_variant.items() if len(found) == 1}
    by_slug = _grouped((row["slug"], row["product_id"]) for row in products)
    by_name = _grouped((row["name"], row["product_id"]) for row in products)
    matches: dict[int, Match] = {}
    for row in packages:
        candidates = (
            (BY_LEGACY_ID, by_id.get(row["package_id"], [])),
            (BY_VARIANT, only_variant.get(row["package_id"], [])),
            (BY_SLUG, by_slug.get(row["slug"], [])),
            (BY_NAME, by_name.get(row["name"], [])),
        )
        step, found = next(((step, found) for step, found in candidates if found), (None, []))
        matches[row["package_id"]] = Match(step, found[0] if len(found) == 1 else None)
    return matches


def _companions(matches: Mapping[int, Match]) -> dict[int, int]:
    best: dict[int, tuple[int, int]] = {}
    for package, match in matches.items():
        if match.step is not None and match.product_id is not None:
            rank = (match.step, package)
            best[match.product_id] = min(rank, best.get(match.product_id, rank))
    return {product: package for product, (_, package) in best.items()}


class _Found:
    """What becomes of tours, and of packages by their tour."""

    def __init__(self, matches: Mapping[int, Match], slugs: Mapping[int, str | None]) -> None:
        self.products: dict[int, str] = {}
        self.tours: dict[int, str | None] = {}
        self.bridged: set[int] = set()
        self.own: list[OwnProduct] = []
        self.queue: list[dict[str, str | None]] = []
        self._matches = matches
        self._slugs = slugs

    def add_tour(self, tour: int, packages: list[int]) -> None:
        """Give a tour and its packages their products."""
        unmatched = self._match(packages)
        matched = {product for package in packages if (product := self._matches[package].product_id) is not None}
        self.tours[tour] = None
        if len(matched) == 1:
            self.bridged.add(tour)
            name = product_name(matched.pop())
            self.tours[tour] = name
            self.products |= dict.fromkeys(unmatched, name)
        elif unmatched:
            several = len(matched) > 1 or self._any_multiple(packages)
            self.tours[tour] = self._create(TOUR_TABLE, tour, unmatched, MULTI_MATCH if several else NO_MATCH)

    def add_package(self, package: int) -> None:
        """Give a package that belongs to no tour its product."""
        if self._match([package]):
            several = self._any_multiple([package])
            self._create(PACKAGE_TABLE, package, [package], MULTI_MATCH if several else NO_MATCH)

    def _match(self, packages: list[int]) -> list[int]:
        """Give the matched packages their products; returns the others."""
        for package in packages:
            product = self._matches[package].product_id
            if product is not None:
                self.products[package] = product_name(product)
        return [package for package in packages if package not in self.products]

    def _any_multiple(self, packages: list[int]) -> bool:
        return any(self._matches[package].is_multiple for package in packages)

    def _create(self, table: str, pk: int, packages: list[int], reason: str) -> str:
        own = OwnProduct(table, pk, packages)
        self.own.append(own)
        self.products |= dict.fromkeys(packages, own.name)
        payload = {"package_ids": packages, "slug": self._slugs[packages[0]]}
        self.queue.append(queue_row("PRODUCT_MAPPING", MANUAL, (BSTADMIN, table, pk), reason, payload))
        return own.name


# --- package to variant -----------------------------------------------------------------------------------------------


def _variants(
    packages: list[dict[str, Any]], variants: list[dict[str, Any]]
) -> tuple[dict[int, int], list[dict[str, str | None]]]:
    """The packages that are variants of the website, and rows of the worklist for those claimed several times."""
    claims = _grouped((row["legacy_package_id"], row["variant_id"]) for row in variants)
    bridged: dict[int, int] = {}
    queue: list[dict[str, str | None]] = []
    for row in packages:
        package = row["package_id"]
        claimants = claims.get(package, [])
        if len(claimants) == 1:
            bridged[package] = claimants[0]
        elif claimants:
            source = (BSTADMIN, PACKAGE_TABLE, package)
            queue.append(queue_row("VARIANT_MAPPING", MANUAL, source, MULTI_MATCH, {"variant_ids": sorted(claimants)}))
    return bridged, queue


def _refs(
    products: Mapping[int, str],
    variants: Mapping[int, int],
    website_products: list[dict[str, Any]],
    website_variants: list[dict[str, Any]],
) -> pd.DataFrame:
    """Where every package id leads, known to the operations panel or only claimed by the website."""
    by_variant = _grouped((row["legacy_package_id"], row["variant_id"]) for row in website_variants)
    by_product = _grouped((row["legacy_package_id"], row["product_id"]) for row in website_products)
    found: list[tuple[int, str | None, str | None]] = []
    for package in sorted({*products, *by_variant, *by_product}):
        if package in products:
            found.append((package, _variant_name(package, variants.get(package)), products[package]))
            continue
        variant, product = (_only(claims.get(package, [])) for claims in (by_variant, by_product))
        found.append(
            (
                package,
                None if variant is None else _variant_name(package, variant),
                None if product is None else product_name(product),
            )
        )
    keyed = [(package, *(None if name is None else key(name) for name in names)) for package, *names in found]
    frame = pd.DataFrame(keyed, columns=["package_id", "variant_key", "product_key"])
    return frame.astype({"package_id": pd.ArrowDtype(pa.int64()), "variant_key": TEXT, "product_key": TEXT})


def _variant_name(package_id: int, variant_id: int | None) -> str:
    if variant_id is None:
        return row_name(BSTADMIN, PACKAGE_TABLE, package_id)
    return row_name(BALISNAP, VARIANT_TABLE, variant_id)


# --- small helpers ----------------------------------------------------------------------------------------------------


def _grouped(pairs: Iterable[tuple[Any, int]]) -> dict[Any, list[int]]:
    """What each key has, in order; a missing key has nothing."""
    found: dict[Any, list[int]] = defaultdict(list)
    for key_, value in pairs:
        if key_ is not None:
            found[key_].append(value)
    return dict(found)


def _only(values: list[int]) -> int | None:
    return values[0] if len(values) == 1 else None
