"""What a good row is: ordered rules with their reason codes; the first that fails decides.

Rows without a key, or that cannot be read at all, never come here: see `source_rows`.
"""

from migration.outcome import Rule

ORPHAN_PRODUCT, ORPHAN_VARIANT = "ORPHAN_PRODUCT", "ORPHAN_VARIANT"
INVALID_TRAVELER_TYPE, INVALID_PRICE, NEGATIVE_PRICE = "INVALID_TRAVELER_TYPE", "INVALID_PRICE", "NEGATIVE_PRICE"

catalog_variant = (Rule(ORPHAN_PRODUCT, lambda rows: rows["product_key"].isna(), "product_id"),)

catalog_variant_rate = (
    Rule(ORPHAN_VARIANT, lambda rows: rows["variant_key"].isna(), "variant_id"),
    Rule(INVALID_TRAVELER_TYPE, lambda rows: rows["traveler_type"].isna(), "traveler_type"),
    Rule(INVALID_PRICE, lambda rows: rows["price"].isna(), "price"),
    Rule(NEGATIVE_PRICE, lambda rows: (rows["price"] < 0).fillna(value=False), "price"),
)
