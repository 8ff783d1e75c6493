"""Checks of the catalog: nothing is lost, nothing is twice there, nothing hangs in the air, little is unmapped."""

import sqlalchemy as sa

from booking_assets import sources, tables
from booking_assets.checks import CONSERVATION, exactly, kept
from booking_assets.parsing.statuses import DIRECT, MANUAL
from booking_assets.rules import DUPLICATE_PK
from migration.checks import Check, Scope, at_most, conservation, none_of, orphans, unique
from migration.outcome import Outcome
from migration.tables import Query

MOST_UNMAPPED = "0.05"

_product, _variant, _rate = tables.catalog_product, tables.catalog_variant, tables.catalog_variant_rate
_queue = tables.unmapped_queue

_BY_CHANNEL = {DIRECT: sources.tour_variants, MANUAL: sources.tour_packages}

OF_VARIANTS = sa.and_(
    _queue.c.queue_type == "VARIANT_MAPPING",
    _queue.c.source_table.in_([source.name for source in _BY_CHANNEL.values()]),
)
"""The questions of the worklist that the variants ask."""


# --- products ---------------------------------------------------------------------------------------------------------

PRODUCT = (
    conservation(CONSERVATION, _product),
    unique("duplicate_slug", _product, ["slug"], among=kept(_product)),
)

# --- variants ---------------------------------------------------------------------------------------------------------


def _unmapped_variants(scope: Scope) -> Query:
    """Per channel, how many variants wait to be mapped, of how many there are."""
    ledger = scope.books.ledger
    open_rows = sa.and_(OF_VARIANTS, _queue.c.status == "OPEN")
    parts = []
    for channel, source in _BY_CHANNEL.items():
        asked = _count(_queue, open_rows, _queue.c.source_table == source.name)
        known = _count(ledger, *_known_rows(scope, source.label))
        whole = known + asked if channel == DIRECT else known
        parts.append(
            sa.select(
                sa.literal(channel).label("channel_code"),
                asked.label("unmapped"),
                whole.label("variants"),
                exactly(asked, whole).label("unmapped_ratio"),
            )
        )
    return sa.select(*sa.union_all(*parts).subquery().c)


def _known_rows(scope: Scope, source_table: str) -> list[sa.ColumnElement[bool]]:
    """The rows of a table that this export has made variants of, or has found to be one of another system."""
    ledger = scope.books.ledger
    found = [Outcome.LOADED.value, Outcome.MERGED.value]
    return [
        ledger.c.export_id == scope.export.export_id,
        ledger.c.target_table == _variant.name,
        ledger.c.source_table == source_table,
        ledger.c.outcome.in_(found),
        ledger.c.reason.is_distinct_from(DUPLICATE_PK),
    ]


def _count(table: sa.Table, *conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count()).select_from(table).where(*conditions).scalar_subquery()


unmapped_variant_ratio = Check(
    "unmapped_variant_ratio",
    "Share of variants, per channel, that a person still has to map: too many, and bookings would find no variant.",
    _unmapped_variants,
    error=at_most(unmapped_ratio=MOST_UNMAPPED),
    blocking=True,
    keys=lambda scope: (
        sa.select(_queue.c.source_table, _queue.c.source_pk)
        .where(OF_VARIANTS, _queue.c.status == "OPEN")
        .order_by(_queue.c.source_table, _queue.c.source_pk)
    ),
)

VARIANT = (
    conservation(CONSERVATION, _variant),
    unique("duplicate_variant_code", _variant, ["product_key", "code"], among=kept(_variant)),
    orphans("orphan_variant", _variant, counts=kept),
    unmapped_variant_ratio,
)

# --- rates ------------------------------------------------------------------------------------------------------------


def _without_rate(scope: Scope) -> Query:
    active_rate = sa.exists().where(_rate.c.variant_key == _variant.c.variant_key, _rate.c.is_active, kept(_rate))
    return sa.select(_variant.c.variant_key).where(_variant.c.is_active, kept(_variant), sa.not_(active_rate))


variant_without_rate = Check(
    "variant_without_rate",
    "Active variants without an active rate: they cannot be sold.",
    lambda scope: sa.select(sa.func.count().label("variants")).select_from(_without_rate(scope).subquery()),
    warn=none_of("variants"),
    keys=lambda scope: _without_rate(scope).order_by(_variant.c.variant_key),
)

RATE = (
    conservation(CONSERVATION, _rate, derived=_rate.c.is_synthetic),
    orphans("orphan_rate", _rate, counts=kept),
    variant_without_rate,
)
