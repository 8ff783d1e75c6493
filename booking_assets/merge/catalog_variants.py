"""Variants of products: the website's, and the packages of the operations panel that are none of these."""

from dataclasses import dataclass

from booking_assets.merge.bridge import NO_MATCH, PACKAGE_TABLE, VARIANT_TABLE, Bridge, product_name
from booking_assets.merge.catalog import (
    BRIDGED,
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
from booking_assets.parsing.catalog import CODE_LENGTH
from booking_assets.parsing.currencies import DEFAULT_CURRENCY
from booking_assets.parsing.keys import BALISNAP, BSTADMIN, key, row_name
from booking_assets.parsing.statuses import PRIVATE
from booking_assets.rules import ORPHAN_PRODUCT
from migration.outcome import Outcome

VARIANT_MAPPING = "VARIANT_MAPPING"
MAX_PAX_TOO_SMALL = "max_pax_below_min_pax"
DEFAULT_CUTOFF_HOURS = 24


@dataclass(frozen=True)
class VariantSource:
    """What a variant is made of.

    Attributes:
        system: the system of its own legacy row.
        table: the table of that row.
        pk: its key.
        product_key: the product that it belongs to.
        variant: the website's variant, where it is one.
        package: the package that it sells; of a variant that only the operations panel has, its own row.
        is_public: whether its product is one of the website's.
        is_first: whether it is the first variant of a product that the website does not have.
    """

    system: str
    table: str
    pk: int
    product_key: str
    variant: Row | None
    package: Row | None
    is_public: bool = True
    is_first: bool = False

    @property
    def key(self) -> str:
        """Its key."""
        return key(row_name(self.system, self.table, self.pk))


def variant_sources(catalog: LegacyCatalog, bridge: Bridge) -> list[VariantSource]:
    """What the variants are made of, in the order in which they get their codes."""
    package_of = {variant: package for package, variant in bridge.variants.items()}
    of_website = [
        VariantSource(
            BALISNAP,
            VARIANT_TABLE,
            row["pk"],
            key(product_name(row["product_id"])),
            row,
            catalog.packages.get(package_of.get(row["pk"], 0)),
        )
        for row in catalog.loaded_variants
    ]
    return [*of_website, *_own_sources(catalog, bridge)]


def _own_sources(catalog: LegacyCatalog, bridge: Bridge) -> list[VariantSource]:
    own_products = {product.name for product in bridge.own_products}
    begun: set[str] = set()
    found: list[VariantSource] = []
    for package, row in catalog.packages.items():
        if package in bridge.variants:
            continue
        product = bridge.products[package]
        is_public = product not in own_products
        is_first = not is_public and product not in begun
        begun.add(product)
        found.append(VariantSource(BSTADMIN, PACKAGE_TABLE, package, key(product), None, row, is_public, is_first))
    return found


def make_variants(catalog: LegacyCatalog, bridge: Bridge) -> Made:
    """The rows of `catalog_variant`, and what became of variants and packages."""
    made = Made(queue=[row for row in bridge.queue if row["queue_type"] == VARIANT_MAPPING])
    taken: set[tuple[str, str]] = set()
    for source in variant_sources(catalog, bridge):
        code = free_code(source, taken)
        taken.add((source.product_key, code))
        row, warnings = _variant(source, code)
        made.rows.append(row)
        made.decisions.append(
            Decision(label_of(source.system, source.table), source.pk, Outcome.LOADED, warnings, source.key)
        )
    for row in catalog.variants.values():
        if row["product_id"] not in catalog.products:
            made.decisions.append(Decision(_TABLE, row["pk"], Outcome.REJECTED, ORPHAN_PRODUCT, None))
            made.queue.append(_orphan_queue(row))
    made.decisions.extend(
        Decision(label_of(BSTADMIN, PACKAGE_TABLE), package, Outcome.MERGED, BRIDGED, _website_key(variant))
        for package, variant in bridge.variants.items()
    )
    return made


_TABLE = label_of(BALISNAP, VARIANT_TABLE)


def _website_key(variant_id: int) -> str:
    return key(row_name(BALISNAP, VARIANT_TABLE, variant_id))


def _orphan_queue(row: Row) -> QueueRow:
    place = (BALISNAP, VARIANT_TABLE, row["pk"])
    payload = {"product_id": row["product_number"]}
    return queue_row(VARIANT_MAPPING, channel_of(BALISNAP), place, NO_MATCH, payload)


def _variant(source: VariantSource, code: str) -> tuple[Row, str | None]:
    """The row of a variant, and its warnings."""
    variant, package = source.variant, source.package
    min_pax = max(1, first(of(variant, "min_pax"), of(package, "min_booking"), 1))
    max_pax = first(of(variant, "max_pax"), of(package, "max_booking"))
    too_small = max_pax is not None and max_pax < min_pax
    row = {
        "variant_key": source.key,
        "product_key": source.product_key,
        "code": code,
        "name": _name(source),
        "service_type": first(of(variant, "service_type"), PRIVATE),
        "duration_days": max(1, first(of(variant, "duration_days"), of(package, "duration_days"), 1)),
        "duration_nights": of(variant, "duration_nights"),
        "min_pax": min_pax,
        "max_pax": None if too_small else max_pax,
        "currency_code": first(of(variant, "currency_code"), of(package, "base_currency"), DEFAULT_CURRENCY),
        "is_default": source.is_first if variant is None else first(variant["is_default"], False),
        "is_active": not source.is_public if variant is None else first(variant["is_active"], True),
        "booking_cutoff_hours": first(of(variant, "booking_cutoff_hours"), DEFAULT_CUTOFF_HOURS),
        "cancellation_policy": of(variant, "cancellation_policy"),
        "is_deleted": False,
    }
    said = of(package, "variant_warnings") if variant is None else variant["warnings"]
    codes = [*([said] if said else []), *([MAX_PAX_TOO_SMALL] if too_small else [])]
    return row, ",".join(codes) or None


def _name(source: VariantSource) -> str:
    known = first(of(source.variant, "variant_name"), of(source.package, "package_name"))
    return first(known, f"{'Package' if source.variant is None else 'Variant'} {source.pk}")


def free_code(source: VariantSource, taken: set[tuple[str, str]]) -> str:
    """The code of a variant, unique in its product: its own, with its key appended as often as it takes."""
    wanted = f"PKG-{source.pk}" if source.variant is None else source.variant["variant_code"]
    wanted = first(wanted, f"VARIANT-{source.pk}")
    suffix, code = "", wanted
    while (source.product_key, code) in taken:
        suffix += f"-{source.pk}"
        code = wanted[: CODE_LENGTH - len(suffix)] + suffix
    return code
