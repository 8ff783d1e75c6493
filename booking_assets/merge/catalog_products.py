"""Products: one per product of the website, and one per tour or package that only the operations panel has."""

from dataclasses import dataclass

from booking_assets.merge.bridge import PACKAGE_TABLE, PRODUCT_TABLE, TOUR_TABLE, Bridge, OwnProduct
from booking_assets.merge.catalog import (
    BRIDGED,
    METADATA,
    Decision,
    LegacyCatalog,
    Made,
    QueueRow,
    Row,
    channel_of,
    first,
    label_of,
    of,
)
from booking_assets.merge.logs import queue_row
from booking_assets.parsing.currencies import DEFAULT_COUNTRY
from booking_assets.parsing.keys import BALISNAP, BSTADMIN, key, row_name
from migration.outcome import Outcome

INVALID_THUMBNAIL, DEFERRED = "INVALID_THUMBNAIL", "DEFERRED_GALLERY_ITINERARY"
TOUR_NOT_A_PRODUCT = "TOUR_NOT_A_PRODUCT"
SLUG_LENGTH = 191

_SUFFIXES = {PRODUCT_TABLE: "p", TOUR_TABLE: "t", PACKAGE_TABLE: "k"}
_KINDS = {PRODUCT_TABLE: "product", TOUR_TABLE: "tour", PACKAGE_TABLE: "package"}


@dataclass(frozen=True)
class ProductSource:
    """What a product is made of.

    Attributes:
        system: the system of its own legacy row.
        table: the table of that row.
        pk: its key.
        website: the website's product.
        tour: the tour, where the product is one.
        package: the package that completes or represents it.
        package_ids: of a product that only the operations panel has, the packages that form it.
    """

    system: str
    table: str
    pk: int
    website: Row | None = None
    tour: Row | None = None
    package: Row | None = None
    package_ids: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        """Its key."""
        return key(row_name(self.system, self.table, self.pk))

    @property
    def own_row(self) -> Row:
        """The legacy row that it is named after."""
        row = self.website or self.tour or self.package
        assert row is not None  # noqa: S101 - every product has one
        return row


def product_sources(catalog: LegacyCatalog, bridge: Bridge) -> list[ProductSource]:
    """What the products are made of, in the order in which they are created."""
    of_website = [
        ProductSource(
            BALISNAP, PRODUCT_TABLE, pk, website=row, package=catalog.packages.get(bridge.companions.get(pk, 0))
        )
        for pk, row in catalog.products.items()
    ]
    return [*of_website, *(_own_source(catalog, own) for own in bridge.own_products)]


def _own_source(catalog: LegacyCatalog, own: OwnProduct) -> ProductSource:
    return ProductSource(
        BSTADMIN,
        own.table,
        own.pk,
        tour=catalog.tours[own.pk] if own.table == TOUR_TABLE else None,
        package=catalog.packages[own.package_ids[0]],
        package_ids=tuple(own.package_ids),
    )


def make_products(catalog: LegacyCatalog, bridge: Bridge) -> Made:
    """The rows of `catalog_product`, and what became of products, tours and packages."""
    made = Made(queue=[row for row in bridge.queue if row["queue_type"] == "PRODUCT_MAPPING"])
    taken: set[str] = set()
    for source in product_sources(catalog, bridge):
        slug = free_slug(source, taken)
        taken.add(slug)
        made.rows.append(_product(catalog, source, slug))
        made.queue.extend([*_thumbnail_queue(catalog, source), *_deferred_queue(catalog, source)])
        table = label_of(source.system, source.table)
        made.decisions.append(Decision(table, source.pk, Outcome.LOADED, source.own_row["warnings"], source.key))
    made.decisions.extend([*_tour_decisions(bridge), *_package_decisions(bridge)])
    return made


def _product(catalog: LegacyCatalog, source: ProductSource, slug: str) -> Row:
    website, tour, package = source.website, source.tour, source.package
    return {
        "product_key": source.key,
        "slug": slug,
        "name": _name(source),
        "product_category": of(website, "category"),
        "short_description": first(of(website, "short_description"), of(package, "short_description")),
        "description": first(*(of(row, "description") for row in (website, package, tour))),
        "is_active": _is_active(source),
        "is_featured": first(of(website, "is_featured"), of(package, "is_featured"), False),
        "thumbnail_url": first(*(url for url, _ in _thumbnails(catalog, source))),
        "color_code": first(of(website, "color_code"), of(package, "color_code")),
        "priority": first(of(website, "priority"), of(package, "priority")),
        "country_code": first(of(website, "country_code"), DEFAULT_COUNTRY),
        "region": of(website, "region"),
        "base_meeting_point": of(website, "base_meeting_point"),
        "is_deleted": False,
    }


def _name(source: ProductSource) -> str:
    known = first(of(source.website, "product_name"), of(source.package, "package_name"), of(source.tour, "tour_name"))
    return first(known, f"{_KINDS[source.table].title()} {source.pk}")


def _is_active(source: ProductSource) -> bool:
    """As the website or the tour says; nobody has published a package that belongs to no tour."""
    said_by = source.website or source.tour
    return said_by is not None and said_by["is_active"] is not False


def free_slug(source: ProductSource, taken: set[str]) -> str:
    """The slug of a product: its own where that is free, else with its key, else with a number, too."""
    named = of(source.website, "slug") if source.website else of(source.package, "slug")
    wanted = first(named, f"{source.system}-{_KINDS[source.table]}-{source.pk}")
    suffix = own = f"-{_SUFFIXES[source.table]}{source.pk}"
    slug, number = wanted[:SLUG_LENGTH], 1
    while slug in taken:
        slug = wanted[: SLUG_LENGTH - len(suffix)] + suffix
        number += 1
        suffix = f"{own}-{number}"
    return slug


# --- pictures and what else there is ----------------------------------------------------------------------------------


def _thumbnails(catalog: LegacyCatalog, source: ProductSource) -> list[tuple[str | None, bool]]:
    """The pictures that a product may have, in order: the address if it is valid, and whether there was any text."""
    found = [(row["thumbnail_url"], row["has_thumbnail"]) for row in (source.website, source.package) if row]
    if source.website and source.pk in catalog.covers:
        cover = catalog.covers[source.pk]
        found.append((cover["url"], cover["has_url"]))
    if source.package and (images := catalog.images.get(source.package["pk"])):
        found.append((images[0]["url"], images[0]["has_url"]))
    return found


def _thumbnail_queue(catalog: LegacyCatalog, source: ProductSource) -> list[QueueRow]:
    tried = _thumbnails(catalog, source)
    lost = any(given for _, given in tried) and all(url is None for url, _ in tried)
    return [_metadata_row(source, INVALID_THUMBNAIL, {"product_key": source.key})] if lost else []


def _deferred_queue(catalog: LegacyCatalog, source: ProductSource) -> list[QueueRow]:
    """A gallery or an itinerary that no table of ours holds."""
    images = sum(len(catalog.images.get(package, [])) for package in source.package_ids)
    activities = sum(catalog.activities.get(package, 0) for package in source.package_ids)
    payload = {"gallery_images": images, "itinerary_rows": activities}
    return [_metadata_row(source, DEFERRED, payload)] if images > 1 or activities else []


def _metadata_row(source: ProductSource, reason: str, payload: Row) -> QueueRow:
    place = (source.system, source.table, source.pk)
    return queue_row(METADATA, channel_of(source.system), place, reason, payload)


# --- outcomes ---------------------------------------------------------------------------------------------------------


def _tour_decisions(bridge: Bridge) -> list[Decision]:
    """Tours that are no product of their own."""
    table = label_of(BSTADMIN, TOUR_TABLE)
    own = {product.pk for product in bridge.own_products if product.table == TOUR_TABLE}
    return [
        Decision(table, tour, Outcome.SKIPPED, TOUR_NOT_A_PRODUCT, None)
        if name is None
        else Decision(table, tour, Outcome.MERGED, BRIDGED, key(name))
        for tour, name in bridge.tours.items()
        if tour not in own
    ]


def _package_decisions(bridge: Bridge) -> list[Decision]:
    """Packages that are no product of their own."""
    table = label_of(BSTADMIN, PACKAGE_TABLE)
    own = {product.pk for product in bridge.own_products if product.table == PACKAGE_TABLE}
    return [
        Decision(table, package, Outcome.MERGED, BRIDGED, key(name))
        for package, name in bridge.products.items()
        if package not in own
    ]
