"""The bridge between the two catalogs, and all that follows from it, staged for the tables and for the bookings."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from booking_assets import sources, tables
from booking_assets.assets import BOOKING, STAGING
from booking_assets.merge.bridge import VARIANT_TABLE, Bridge
from booking_assets.merge.catalog import LegacyCatalog, Made, bridge_of, legacy_catalog
from booking_assets.merge.catalog_products import make_products
from booking_assets.merge.catalog_rates import make_rates
from booking_assets.merge.catalog_refs import catalog_references
from booking_assets.merge.catalog_variants import make_variants, variant_sources
from booking_assets.parsing import catalog as parsing
from booking_assets.parsing.keys import BALISNAP, key, row_name
from booking_assets.source_rows import (
    OUTCOME_SCHEMA,
    REJECT_SCHEMA,
    SourceRows,
    outcomes,
    outcomes_of_others,
    read_source,
    rejects_of,
    total_rows,
    unusable_lookups,
)
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.declare.system import EXPORT_ASSET
from migration.exports.sources import SourceTable
from migration.outcome import Outcome
from migration.tables import arrow_schema, loaded_columns

_READERS: Mapping[SourceTable, Callable[[pd.DataFrame], pd.DataFrame]] = {
    sources.tour_products: parsing.read_products,
    sources.tour_variants: parsing.read_variants,
    sources.variant_rate_plans: parsing.read_rates,
    sources.tours: parsing.read_tours,
    sources.tour_packages: parsing.read_packages,
    sources.tour_product_media: parsing.read_media,
    sources.tour_images: parsing.read_images,
    sources.tour_itineraries: parsing.read_itineraries,
}
_LOOKUPS = (sources.tour_product_media, sources.tour_images, sources.tour_itineraries)

# Where bookings find their packages, variants and meeting points.
_LINKS = {
    "package_refs": [("package_id", pa.int64()), ("variant_key", pa.string()), ("product_key", pa.string())],
    "loaded_variants": [("variant_id", pa.int64()), ("variant_key", pa.string())],
    "product_meeting_points": [("product_key", pa.string()), ("base_meeting_point", pa.string())],
    "variant_products": [("variant_key", pa.string()), ("product_key", pa.string())],
}


@dataclass(frozen=True)
class CatalogFiles:
    """The catalog's legacy tables.

    Attributes:
        rows: the rows of each.
        read: those that count, as they are read.
    """

    rows: Mapping[SourceTable, SourceRows] = field(repr=False)
    read: Mapping[SourceTable, pd.DataFrame] = field(repr=False)

    @classmethod
    def of(cls, step: Step) -> "CatalogFiles":
        """Read them all."""
        rows = {source: read_source(step, source) for source in _READERS}
        return cls(rows, {source: reader(rows[source].rows) for source, reader in _READERS.items()})

    @property
    def catalog(self) -> LegacyCatalog:
        """The rows by key."""
        return legacy_catalog(
            products=self.read[sources.tour_products],
            variants=self.read[sources.tour_variants],
            tours=self.read[sources.tours],
            packages=self.read[sources.tour_packages],
            media=self.read[sources.tour_product_media],
            images=self.read[sources.tour_images],
            itineraries=self.read[sources.tour_itineraries],
        )

    @property
    def bridge(self) -> Bridge:
        """How the two catalogs fit together."""
        fitted = (sources.tour_products, sources.tour_variants, sources.tour_packages, sources.tours)
        return bridge_of(*(self.read[source] for source in fitted))


@BOOKING.step(group=STAGING, upstream=(EXPORT_ASSET,), kinds=("pandas", "parquet"))
def catalog_bridge(step: Step) -> Write:
    """Which package and tour of the operations panel is which product and variant of the website.

    Stages the rows of the catalog's tables with what became of every legacy row, the ids under which both systems know
    them, and where each package id of a booking leads.
    """
    files = CatalogFiles.of(step)
    catalog, bridge = files.catalog, files.bridge
    products, variants = make_products(catalog, bridge), make_variants(catalog, bridge)
    rates = make_rates(files.read[sources.variant_rate_plans], variant_sources(catalog, bridge), variants.rows)
    packages, tours = sources.tour_packages, sources.tours
    staging = _Staging(step, files)
    staging.stage("catalog_products", tables.catalog_product, products, (sources.tour_products, tours, packages))
    staging.stage("catalog_variants", tables.catalog_variant, variants, (sources.tour_variants, packages))
    staging.stage("catalog_rates", tables.catalog_variant_rate, rates, (sources.variant_rate_plans,))
    references = catalog_references(catalog, bridge)
    staging.write("catalog_refs", references, arrow_schema(loaded_columns(tables.channel_external_refs)))
    for name, links in _links(catalog, bridge, products, variants).items():
        staging.write(name, links, pa.schema(_LINKS[name]))
    step.tally.source_rows = total_rows(list(files.rows.values()))
    step.tally.warnings.update(unusable_lookups((source, files.rows[source]) for source in _LOOKUPS))
    step.tally.warnings.update(_warnings_of_bridged(catalog, products, "warnings"))
    step.tally.warnings.update(_warnings_of_bridged(catalog, variants, "variant_warnings"))
    return step.nothing


def _warnings_of_bridged(catalog: LegacyCatalog, made: Made, column: str) -> Counter[str]:
    """The warnings of tours and packages that are no row of their own: their reason in the ledger is why."""
    rows = {sources.tours.label: catalog.tours, sources.tour_packages.label: catalog.packages}
    bridged = [each for each in made.decisions if each.outcome is Outcome.MERGED]
    return Counter(code for each in bridged for code in (rows[each.table][each.pk][column] or "").split(",") if code)


def _links(catalog: LegacyCatalog, bridge: Bridge, products: Made, variants: Made) -> dict[str, pd.DataFrame]:
    """Where bookings find their packages, variants and meeting points, by the names of `_LINKS`."""
    loaded = [(row["pk"], key(row_name(BALISNAP, VARIANT_TABLE, row["pk"]))) for row in catalog.loaded_variants]
    return {
        "package_refs": bridge.refs,
        "loaded_variants": pd.DataFrame(loaded, columns=["variant_id", "variant_key"]),
        "product_meeting_points": pd.DataFrame(products.rows, columns=["product_key", "base_meeting_point"]),
        "variant_products": pd.DataFrame(variants.rows, columns=["variant_key", "product_key"]),
    }


@dataclass(frozen=True)
class _Staging:
    """Writes the staged frames of a step."""

    step: Step
    files: CatalogFiles

    def stage(self, name: str, target: sa.Table, made: Made, fed_by: tuple[SourceTable, ...]) -> None:
        """Stage the rows of a table with the outcomes of what feeds it, its rejects and its questions."""
        decided = made.decided()
        found = {source: self._outcomes(target, source, decided) for source in fed_by}
        rejects = [rejects_of(self.step, source, self.files.rows[source], ledger) for source, ledger in found.items()]
        columns = loaded_columns(target)
        self.write(
            name, pd.DataFrame(made.rows, columns=[c.name for c in columns], dtype=object), arrow_schema(columns)
        )
        self.write(f"{name}_outcomes", pd.concat(found.values(), ignore_index=True), OUTCOME_SCHEMA)
        self.write(f"{name}_rejects", pd.concat(rejects, ignore_index=True), REJECT_SCHEMA)
        queue = made.queue_frame().assign(reason_detail=None)
        self.write(f"{name}_queue", queue, arrow_schema(loaded_columns(tables.unmapped_queue)))

    def _outcomes(self, target: sa.Table, source: SourceTable, decided: pd.DataFrame) -> pd.DataFrame:
        """Ledger rows of all rows of a legacy table."""
        rows = self.files.rows[source]
        mine = decided[decided["table"] == source.label].set_index("pk").loc[rows.rows["pk"]].set_axis(rows.rows.index)
        known = outcomes(
            target.name, rows, rows.rows, mine["outcome"], reason=mine["reason"], target_key=mine["target_key"]
        )
        # A package that cannot be read at all is counted once, for the products.
        counts_unreadable = (source, target) != (sources.tour_packages, tables.catalog_variant)
        others = outcomes_of_others(target.name, rows, known, malformed=counts_unreadable)
        return pd.concat([known, others], ignore_index=True)

    def write(self, name: str, frame: pd.DataFrame, schema: pa.Schema) -> None:
        """Make a staged frame current."""
        self.step.frames.write(name, [(None, frame)], schema)
