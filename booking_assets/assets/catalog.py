"""Products, variants and rates: the rows that the bridge has made of both catalogs."""

from collections.abc import Callable

import pandas as pd
import sqlalchemy as sa

from booking_assets import sources, tables
from booking_assets.assets import BOOKING, CATALOG
from booking_assets.assets.writing import mark_gone, merge_rows, settle_worklist
from booking_assets.checks import catalog as checks
from booking_assets.merge.catalog import METADATA
from booking_assets.merge.catalog_products import DEFERRED, INVALID_THUMBNAIL
from booking_assets.merge.catalog_rates import INVALID_SOURCE, NO_RATE_AVAILABLE
from migration.declare.step import Step
from migration.exports.sources import SourceTable
from migration.outcome import Labelled

_COMPANIONS = (tables.unmapped_queue, tables.merge_log)
_CHANNELS = (tables.channel_registry.name,)


def _labelled(
    step: Step, rows: pd.DataFrame, outcomes: pd.DataFrame, rejects: pd.DataFrame, queue: pd.DataFrame
) -> Labelled:
    """What the bridge has staged for a table, with the merge log of its outcomes."""
    companions = {
        tables.unmapped_queue.name: queue,
        tables.merge_log.name: merge_rows(step.export.export_id, outcomes),
    }
    return Labelled(rows, outcomes, rejects, companions)


def _count_rows(step: Step, *fed_by: SourceTable) -> None:
    step.tally.source_rows = sum(step.export.file_for(source).rows for source in fed_by)


def _settled(table: sa.Table, mine: sa.ColumnElement[bool]) -> Callable[[Step], None]:
    """What becomes of rows and questions that this export no longer has."""

    def settle(step: Step) -> None:
        mark_gone(step, table)
        settle_worklist(step, mine)

    return settle


def _asks(*reasons: str) -> sa.ColumnElement[bool]:
    queue = tables.unmapped_queue
    return sa.and_(queue.c.queue_type == METADATA, queue.c.reason_code.in_(reasons))


_OF_PRODUCTS = sa.or_(tables.unmapped_queue.c.queue_type == "PRODUCT_MAPPING", _asks(INVALID_THUMBNAIL, DEFERRED))
_OF_RATES = _asks(INVALID_SOURCE, NO_RATE_AVAILABLE)


@BOOKING.target_table(
    tables.catalog_product,
    source=sources.tour_products,
    further_sources=(sources.tours, sources.tour_packages),
    group=CATALOG,
    upstream=_CHANNELS,
    companions=_COMPANIONS,
    checks=checks.PRODUCT,
    supersede=_settled(tables.catalog_product, _OF_PRODUCTS),
)
def catalog_product(
    step: Step,
    catalog_products: pd.DataFrame,
    catalog_products_outcomes: pd.DataFrame,
    catalog_products_rejects: pd.DataFrame,
    catalog_products_queue: pd.DataFrame,
) -> Labelled:
    """Products: the website's, and one for each tour or lone package that only the operations panel has."""
    _count_rows(step, sources.tour_products, sources.tours, sources.tour_packages)
    return _labelled(
        step, catalog_products, catalog_products_outcomes, catalog_products_rejects, catalog_products_queue
    )


@BOOKING.target_table(
    tables.catalog_variant,
    source=sources.tour_variants,
    further_sources=(sources.tour_packages,),
    group=CATALOG,
    upstream=_CHANNELS,
    companions=_COMPANIONS,
    checks=checks.VARIANT,
    supersede=_settled(tables.catalog_variant, checks.OF_VARIANTS),
)
def catalog_variant(
    step: Step,
    catalog_variants: pd.DataFrame,
    catalog_variants_outcomes: pd.DataFrame,
    catalog_variants_rejects: pd.DataFrame,
    catalog_variants_queue: pd.DataFrame,
) -> Labelled:
    """Variants: the website's, and one for each package that none of these sells."""
    _count_rows(step, sources.tour_variants, sources.tour_packages)
    # A package that cannot be read at all is counted once, for the products.
    step.tally.source_rows -= step.export.file_for(sources.tour_packages).malformed
    return _labelled(
        step, catalog_variants, catalog_variants_outcomes, catalog_variants_rejects, catalog_variants_queue
    )


@BOOKING.target_table(
    tables.catalog_variant_rate,
    source=sources.variant_rate_plans,
    group=CATALOG,
    upstream=_CHANNELS,
    companions=_COMPANIONS,
    checks=checks.RATE,
    supersede=_settled(tables.catalog_variant_rate, _OF_RATES),
)
def catalog_variant_rate(
    step: Step,
    catalog_rates: pd.DataFrame,
    catalog_rates_outcomes: pd.DataFrame,
    catalog_rates_rejects: pd.DataFrame,
    catalog_rates_queue: pd.DataFrame,
) -> Labelled:
    """Rates: the website's plans; a variant without any takes the prices of its package."""
    _count_rows(step, sources.variant_rate_plans)
    step.facts["derived_rows"] = int(catalog_rates["is_synthetic"].sum())
    return _labelled(step, catalog_rates, catalog_rates_outcomes, catalog_rates_rejects, catalog_rates_queue)
