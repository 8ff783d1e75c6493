"""Rates of variants: the website's rate plans, and a package's price where a variant has no rate plan at all."""

from decimal import Decimal
from typing import Any

import pandas as pd

from booking_assets.merge.bridge import PACKAGE_TABLE, VARIANT_TABLE
from booking_assets.merge.catalog import METADATA, Decision, Made, QueueRow, Row, channel_of, first, label_of
from booking_assets.merge.catalog_variants import VariantSource
from booking_assets.merge.frames import TEXT, looked_up, records
from booking_assets.merge.logs import queue_row
from booking_assets.parsing.catalog import with_codes
from booking_assets.parsing.keys import BALISNAP, BSTADMIN, key, row_name
from booking_assets.rules import INVALID_PRICE, catalog_variant_rate
from migration.outcome import Outcome, split_by_rules

RATE_TABLE = "VariantRatePlan"
INVALID_SOURCE, NO_RATE_AVAILABLE = "INVALID_SOURCE", "NO_RATE_AVAILABLE"
VALIDITY_INVERTED = "valid_from_after_valid_to"
ADULT, CHILD = "ADULT", "CHILD"

_TABLE = label_of(BALISNAP, RATE_TABLE)


def make_rates(plans: pd.DataFrame, sources: list[VariantSource], variants: list[Row]) -> Made:
    """The rows of `catalog_variant_rate`, and what became of the rate plans.

    Args:
        plans: the rate plans as they are read, ascending by key.
        sources: what the variants were made of.
        variants: the rows of `catalog_variant`, in the same order.
    """
    loaded, failed = split_by_rules(catalog_variant_rate, _of_variants(plans, sources, variants))
    rated = set(loaded["variant_key"])
    made = Made([_rate(plan) for plan in records(loaded)])
    made.decisions.extend(_decisions(loaded, failed))
    made.queue.extend(
        _queue((BALISNAP, RATE_TABLE, plan["pk"]), INVALID_SOURCE, {"variant_id": plan["variant_id"]})
        for plan in records(failed[failed["code"] == INVALID_PRICE])
    )
    for source, variant in zip(sources, variants, strict=True):
        if source.key not in rated:
            prices = _prices(source.package)
            made.rows.extend(_synthetic(source, variant, kind, price) for kind, price in prices.items())
            made.queue.extend([] if prices else [_no_rate(source)])
    return made


def _of_variants(plans: pd.DataFrame, sources: list[VariantSource], variants: list[Row]) -> pd.DataFrame:
    """The rate plans with the key of their variant, its currency where they have none, and their warnings."""
    of_website = [
        (source.pk, row["variant_key"], row["currency_code"])
        for source, row in zip(sources, variants, strict=True)
        if source.variant is not None
    ]
    known = pd.DataFrame(of_website, columns=["pk", "variant_key", "currency_code"])
    known = known.astype({"pk": "int64[pyarrow]", "variant_key": TEXT, "currency_code": TEXT}).set_index("pk")
    inverted = (plans["valid_from"] > plans["valid_to"]).fillna(value=False)
    return plans.assign(
        variant_key=looked_up(plans["variant_id"], known["variant_key"]),
        currency_code=plans["currency_code"].fillna(looked_up(plans["variant_id"], known["currency_code"])),
        warnings=with_codes(plans["warnings"], {VALIDITY_INVERTED: inverted}),
    )


def _rate(plan: Row) -> Row:
    same = ("variant_key", "traveler_type", "currency_code", "price", "min_quantity", "max_quantity")
    return {
        "variant_rate_key": _key(plan["pk"]),
        **{name: plan[name] for name in (*same, "valid_from", "valid_to")},
        "is_active": first(plan["is_active"], True),
        "is_synthetic": False,
        "is_deleted": False,
    }


def _key(plan: int) -> str:
    return key(row_name(BALISNAP, RATE_TABLE, plan))


def _decisions(loaded: pd.DataFrame, failed: pd.DataFrame) -> list[Decision]:
    kept = [
        Decision(_TABLE, plan["pk"], Outcome.LOADED, plan["warnings"], _key(plan["pk"])) for plan in records(loaded)
    ]
    codes = zip(failed["pk"], failed["code"], strict=True)
    return [*kept, *(Decision(_TABLE, int(pk), Outcome.REJECTED, code, None) for pk, code in codes)]


# --- variants without a rate plan -------------------------------------------------------------------------------------


def _prices(package: Row | None) -> dict[str, Decimal]:
    """The prices of a package by kind of traveller; none where adults have none."""
    if package is None or package["price_per_person"] is None or package["price_per_person"] <= 0:
        return {}
    adult, child = package["price_per_person"], package["price_per_child"]
    return {ADULT: adult} | ({} if child is None or child < 0 else {CHILD: child})


def _synthetic(source: VariantSource, variant: Row, kind: str, price: Decimal) -> Row:
    package: dict[str, Any] = source.package or {}
    return {
        "variant_rate_key": key(row_name(BSTADMIN, PACKAGE_TABLE, package["pk"], kind)),
        "variant_key": source.key,
        "traveler_type": kind,
        "currency_code": first(package["base_currency"], variant["currency_code"]),
        "price": price,
        **dict.fromkeys(("min_quantity", "max_quantity", "valid_from", "valid_to")),
        "is_active": True,
        "is_synthetic": True,
        "is_deleted": False,
    }


def _no_rate(source: VariantSource) -> QueueRow:
    package = source.package
    own = (BALISNAP, VARIANT_TABLE, source.pk)
    place = own if package is None else (BSTADMIN, PACKAGE_TABLE, package["pk"])
    return _queue(place, NO_RATE_AVAILABLE, {"variant_key": source.key})


def _queue(place: tuple[str, str, int], reason: str, payload: Row) -> QueueRow:
    return queue_row(METADATA, channel_of(place[0]), place, reason, payload)
