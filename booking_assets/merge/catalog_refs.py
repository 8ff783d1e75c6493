"""Under which ids both systems know products and variants."""

from collections.abc import Iterator

import pandas as pd

from booking_assets.merge.bridge import (
    PACKAGE_TABLE,
    PRODUCT_TABLE,
    TOUR_TABLE,
    VARIANT_TABLE,
    Bridge,
    product_name,
    variant_name,
)
from booking_assets.merge.catalog import LegacyCatalog, channel_of
from booking_assets.parsing.keys import BALISNAP, BSTADMIN, canonical_name, key, row_name

PRODUCT, VARIANT = "PRODUCT", "VARIANT"
PRODUCT_ID, VARIANT_ID = "BALISNAP_PRODUCT_ID", "BALISNAP_VARIANT_ID"
PACKAGE_ID, TOUR_ID = "BSTADMIN_PACKAGE_ID", "BSTADMIN_TOUR_ID"

REF_COLUMNS = (
    "external_ref_key",
    "entity_type",
    "entity_key",
    "channel_code",
    "external_ref_kind",
    "external_ref",
    "source_system",
    "source_table",
    "source_pk",
    "is_deleted",
)

Reference = tuple[str, str, str, str, str, int]
"""What is known, the name that its key is made from, the kind of id, and system, table and key of the legacy row."""


def catalog_references(catalog: LegacyCatalog, bridge: Bridge) -> pd.DataFrame:
    """Rows of `channel_external_refs` for products and variants, without provenance."""
    return pd.DataFrame([_row(*each) for each in _references(catalog, bridge)], columns=list(REF_COLUMNS))


def _references(catalog: LegacyCatalog, bridge: Bridge) -> Iterator[Reference]:
    for product in catalog.products:
        yield PRODUCT, product_name(product), PRODUCT_ID, BALISNAP, PRODUCT_TABLE, product
    for variant in catalog.loaded_variants:
        name = row_name(BALISNAP, VARIANT_TABLE, variant["pk"])
        yield VARIANT, name, VARIANT_ID, BALISNAP, VARIANT_TABLE, variant["pk"]
    for package in catalog.packages:
        yield PRODUCT, bridge.products[package], PACKAGE_ID, BSTADMIN, PACKAGE_TABLE, package
        yield VARIANT, variant_name(bridge, package), PACKAGE_ID, BSTADMIN, PACKAGE_TABLE, package
    for tour, product_of_tour in bridge.tours.items():
        if product_of_tour is not None:
            yield PRODUCT, product_of_tour, TOUR_ID, BSTADMIN, TOUR_TABLE, tour


def _row(entity: str, name: str, kind: str, system: str, table: str, pk: int) -> tuple[str | bool, ...]:
    channel, ref = channel_of(system), str(pk)
    row_key = key(canonical_name("channel_external_refs", [entity, channel, kind, ref]))
    return row_key, entity, key(name), channel, kind, ref, system, table, ref, False
