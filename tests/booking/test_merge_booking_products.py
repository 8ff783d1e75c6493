"""Products, variants, rates and references made of small catalogs, and the parsers that only the catalog has."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import pandas as pd
import pytest

from booking_assets import sources
from booking_assets.merge.bridge import Bridge
from booking_assets.merge.catalog import LegacyCatalog, Made, bridge_of, legacy_catalog
from booking_assets.merge.catalog_products import make_products
from booking_assets.merge.catalog_rates import make_rates
from booking_assets.merge.catalog_refs import catalog_references
from booking_assets.merge.catalog_variants import make_variants, variant_sources
from booking_assets.parsing import catalog as parsing
from booking_assets.parsing.keys import key
from booking_assets.parsing.numbers import natural, naturals
from booking_assets.parsing.problem import Problem
from booking_assets.parsing.urls import url, urls
from migration.exports.sources import SourceTable
from migration.outcome import Outcome
from tests.booking.booking_columns import assert_column_is_its_values
from tests.booking.booking_frames import table

URL = "https://pictures.test/a.jpg"
Records = Sequence[dict[str, Any]]


class Sample(NamedTuple):
    """A small catalog, read, and how its two sides fit."""

    catalog: LegacyCatalog
    bridge: Bridge
    plans: pd.DataFrame

    @property
    def products(self) -> Made:
        return make_products(self.catalog, self.bridge)

    @property
    def variants(self) -> Made:
        return make_variants(self.catalog, self.bridge)

    @property
    def rates(self) -> Made:
        return make_rates(self.plans, variant_sources(self.catalog, self.bridge), self.variants.rows)


def sample(
    products: Records = (),
    variants: Records = (),
    tours: Records = (),
    packages: Records = (),
    *,
    media: Records = (),
    images: Records = (),
    itineraries: Records = (),
    plans: Records = (),
) -> Sample:
    read = {
        "products": parsing.read_products(cells_of(sources.tour_products, products)),
        "variants": parsing.read_variants(cells_of(sources.tour_variants, variants)),
        "tours": parsing.read_tours(cells_of(sources.tours, tours)),
        "packages": parsing.read_packages(cells_of(sources.tour_packages, packages)),
    }
    catalog = legacy_catalog(
        **read,
        media=parsing.read_media(cells_of(sources.tour_product_media, media)),
        images=parsing.read_images(cells_of(sources.tour_images, images)),
        itineraries=parsing.read_itineraries(cells_of(sources.tour_itineraries, itineraries)),
    )
    bridge = bridge_of(read["products"], read["variants"], read["packages"], read["tours"])
    return Sample(catalog, bridge, parsing.read_rates(cells_of(sources.variant_rate_plans, plans)))


def cells_of(source: SourceTable, rows: Records) -> pd.DataFrame:
    """The cells of rows, whose keys are plain numbers in ascending order."""
    keys = pd.Series([row[source.columns[0]] for row in rows], dtype="int64[pyarrow]")
    return table(source, list(rows)).assign(pk=keys, source_pk=keys.astype("string[pyarrow]"))


def asked(made: Made) -> list[tuple[Any, ...]]:
    names = ("queue_type", "channel_code", "source_table", "source_pk", "reason_code")
    return [(*(row[name] for name in names), json.loads(row["payload"] or "")) for row in made.queue]


def decided(made: Made) -> set[tuple[Any, ...]]:
    return {(each.table.split(".")[1], each.pk, each.outcome, each.reason) for each in made.decisions}


def column(made: Made, name: str) -> list[Any]:
    return [row[name] for row in made.rows]


# --- products ---------------------------------------------------------------------------------------------------------


def test_equal_slugs_get_the_key_and_then_a_number() -> None:
    products = [{"product_id": n, "slug": "Ubud Tour!"} for n in (1, 2)]
    taken = [{"product_id": 3, "slug": "ubud-tour-p4"}, {"product_id": 4, "slug": "ubud tour"}]
    assert column(sample([*products, *taken]).products, "slug") == [
        "ubud-tour",
        "ubud-tour-p2",
        "ubud-tour-p4",
        "ubud-tour-p4-2",
    ]


def test_a_long_slug_is_cut_before_its_suffix() -> None:
    found = column(sample([{"product_id": n, "slug": "a" * 300} for n in (1, 2)]).products, "slug")
    assert found == ["a" * 191, "a" * 188 + "-p2"]


def test_without_any_name_a_product_is_called_after_its_row() -> None:
    tour = {"tour_id": 7, "tour_name": "Volcano", "is_active": "no"}
    packages = [{"package_id": 1, "tour_id": 7, "slug": "!"}, {"package_id": 2, "slug": " "}]
    found = sample([{"product_id": 5}], [], [tour], packages).products
    assert column(found, "name") == ["Product 5", "Volcano", "Package 2"]
    assert column(found, "slug") == ["balisnap-product-5", "bstadmin-tour-7", "bstadmin-package-2"]
    assert column(found, "is_active") == [True, False, False]
    assert column(found, "country_code") == ["ID"] * 3
    assert decided(found) == {
        ("TourProduct", 5, Outcome.LOADED, None),
        ("tours", 7, Outcome.LOADED, None),
        ("tour_packages", 1, Outcome.MERGED, "BRIDGED"),
        ("tour_packages", 2, Outcome.LOADED, None),
    }


def test_a_companion_completes_a_product_of_the_website() -> None:
    product = {
        "product_id": 5,
        "legacy_package_id": 1,
        "is_featured": "?",
        "short_description": " ",
        "country_code": "sg",
    }
    package = {"package_id": 1, "is_featured": 1, "short_description": "a\nb", "priority": "3", "color_code": "#fff"}
    (row,) = sample([product], packages=[package]).products.rows
    assert (row["is_featured"], row["short_description"], row["priority"]) == (True, "a\nb", 3)
    assert (row["color_code"], row["country_code"], row["is_active"]) == ("#fff", "SG", True)


def test_a_tour_between_two_products_is_skipped() -> None:
    packages = [{"package_id": n, "tour_id": 7} for n in (1, 2)]
    products = [{"product_id": n + 2, "legacy_package_id": n} for n in (1, 2)]
    found = sample(products, [], [{"tour_id": 7}, {"tour_id": 8}], packages).products
    skipped = {each for each in decided(found) if each[2] is Outcome.SKIPPED}
    assert skipped == {("tours", n, Outcome.SKIPPED, "TOUR_NOT_A_PRODUCT") for n in (7, 8)}


MEDIA = [
    {"media_id": 1, "product_id": 5, "url": f"{URL}?1", "sort_order": 1},
    {"media_id": 2, "product_id": 5, "url": f"{URL}?2", "is_cover": True},
    {"media_id": 3, "product_id": 5, "url": f"{URL}?3", "is_cover": "yes", "sort_order": 9},
]


@pytest.mark.parametrize(
    ("own", "of_package", "media", "expected"),
    [
        (URL, f"{URL}?p", MEDIA, URL),
        ("/a.jpg", f"{URL}?p", MEDIA, f"{URL}?p"),
        ("/a.jpg", None, MEDIA, f"{URL}?3"),
        (None, None, MEDIA[:2], f"{URL}?2"),
        (None, None, MEDIA[:1], f"{URL}?1"),
        (None, None, [MEDIA[0], MEDIA[1] | {"url": "a.jpg"}], f"{URL}?i"),
    ],
)
def test_the_first_valid_picture_counts(own: Any, of_package: Any, media: Records, expected: str) -> None:
    product = {"product_id": 5, "legacy_package_id": 1, "thumbnail_url": own}
    images = [{"image_id": n, "tour_id": 1, "url": f"{URL}?{'i' if n == 1 else 'other'}"} for n in (1, 2)]
    package = {"package_id": 1, "thumbnail_url": of_package}
    found = sample([product], packages=[package], media=media, images=images).products
    assert column(found, "thumbnail_url") == [expected]
    assert asked(found) == []


def test_only_pictures_that_lead_nowhere_are_asked_about() -> None:
    found = sample([{"product_id": 5, "thumbnail_url": "/a.jpg"}, {"product_id": 6}]).products
    product_key = key("balisnap:TourProduct:5")
    assert column(found, "thumbnail_url") == [None, None]
    assert asked(found) == [
        (
            *("CATALOG_EXTENDED_METADATA", "DIRECT", "TourProduct", "5", "INVALID_THUMBNAIL"),
            {"product_key": product_key},
        )
    ]


def test_galleries_and_itineraries_of_operations_are_put_off() -> None:
    images = [{"image_id": n, "tour_id": package, "url": URL} for n, package in ((1, 1), (2, 2), (3, 3))]
    packages = [{"package_id": 1, "tour_id": 7}, {"package_id": 2, "tour_id": 7}, {"package_id": 3}, {"package_id": 4}]
    found = sample(
        tours=[{"tour_id": 7}], packages=packages, images=images, itineraries=[{"itinerary_id": 1, "package_id": 4}]
    ).products
    assert [each[2:] for each in asked(found) if each[0] != "PRODUCT_MAPPING"] == [
        ("tours", "7", "DEFERRED_GALLERY_ITINERARY", {"gallery_images": 2, "itinerary_rows": 0}),
        ("tour_packages", "4", "DEFERRED_GALLERY_ITINERARY", {"gallery_images": 0, "itinerary_rows": 1}),
    ]


# --- variants ---------------------------------------------------------------------------------------------------------


def test_equal_codes_of_a_product_get_the_key_as_often_as_it_takes() -> None:
    variants = [
        {"variant_id": n, "product_id": 5, "variant_code": code} for n, code in ((1, "a-3"), (2, "a"), (3, " A "))
    ]
    found = sample([{"product_id": 5}], variants).variants
    assert column(found, "code") == ["A-3", "A", "A-3-3"]


def test_a_long_code_is_none_and_a_cut_one_fits() -> None:
    variants = [
        {"variant_id": n, "product_id": 5, "variant_code": "x" * size} for n, size in ((1, 65), (2, 64), (3, 64))
    ]
    found = sample([{"product_id": 5}], variants).variants
    assert column(found, "code") == ["VARIANT-1", "X" * 64, "X" * 62 + "-3"]
    assert ("TourVariant", 1, Outcome.LOADED, "invalid_variant_code") in decided(found)


def test_a_variant_takes_what_it_lacks_from_its_package() -> None:
    package = {"package_id": 1, "package_name": "Dawn", "duration_days": 0, "min_booking": "4", "base_currency": "idr"}
    variant = {"variant_id": 9, "product_id": 5, "legacy_package_id": 1, "max_pax": 3, "service_type": "bus"}
    found = sample([{"product_id": 5}], [variant], packages=[package]).variants
    (row,) = found.rows
    assert (row["name"], row["duration_days"], row["min_pax"], row["max_pax"]) == ("Dawn", 1, 4, None)
    assert (row["currency_code"], row["service_type"], row["booking_cutoff_hours"]) == ("IDR", "PRIVATE", 24)
    assert decided(found) == {
        ("TourVariant", 9, Outcome.LOADED, "invalid_service_type,max_pax_below_min_pax"),
        ("tour_packages", 1, Outcome.MERGED, "BRIDGED"),
    }


def test_packages_are_variants_of_their_own() -> None:
    packages = [
        {"package_id": 1, "tour_id": 7, "min_booking": "x"},
        {"package_id": 2, "tour_id": 7},
        {"package_id": 3, "tour_id": 8},
        {"package_id": 4, "tour_id": 8},
    ]
    products = [{"product_id": 5, "legacy_package_id": 3}]
    found = sample(products, [], [{"tour_id": 7}, {"tour_id": 8}], packages).variants
    assert column(found, "code") == ["PKG-1", "PKG-2", "PKG-3", "PKG-4"]
    assert column(found, "is_default") == [True, False, False, False]
    assert column(found, "is_active") == [True, True, False, False]
    assert ("tour_packages", 1, Outcome.LOADED, "invalid_min_booking") in decided(found)


def test_a_variant_without_a_product_is_rejected_and_asked_about() -> None:
    variants = [{"variant_id": 1, "product_id": "-6"}, {"variant_id": 2, "product_id": "six"}]
    found = sample([{"product_id": 5}], variants).variants
    assert found.rows == []
    assert decided(found) == {("TourVariant", n, Outcome.REJECTED, "ORPHAN_PRODUCT") for n in (1, 2)}
    assert [each[1:] for each in asked(found)] == [
        ("DIRECT", "TourVariant", "1", "NO_MATCH", {"product_id": -6}),
        ("DIRECT", "TourVariant", "2", "NO_MATCH", {"product_id": None}),
    ]


# --- rates ------------------------------------------------------------------------------------------------------------

SOLD = {"variant_id": 9, "product_id": 5, "legacy_package_id": 1, "currency_code": "EUR"}


def rated(plans: Records, **package: Any) -> Sample:
    return sample([{"product_id": 5}], [SOLD], packages=[{"package_id": 1, **package}], plans=plans)


def test_the_first_rule_that_a_rate_plan_breaks_decides() -> None:
    plans = [
        {"rate_plan_id": 1, "variant_id": 8, "traveler_type": "DOG", "price": "x"},
        {"rate_plan_id": 2, "variant_id": 9, "traveler_type": "DOG", "price": "x"},
        {"rate_plan_id": 3, "variant_id": 9, "traveler_type": "adult", "price": "x"},
        {"rate_plan_id": 4, "variant_id": 9, "traveler_type": "ADULT", "price": -1},
        {"rate_plan_id": 5, "variant_id": "9.0", "traveler_type": " infant", "price": "1,000.005"},
    ]
    found = rated(plans).rates
    codes = {each.pk: each.reason for each in found.decisions if each.outcome is Outcome.REJECTED}
    assert codes == {1: "ORPHAN_VARIANT", 2: "INVALID_TRAVELER_TYPE", 3: "INVALID_PRICE", 4: "NEGATIVE_PRICE"}
    assert [each[2:] for each in asked(found)] == [("VariantRatePlan", "3", "INVALID_SOURCE", {"variant_id": 9})]
    (row,) = found.rows
    assert (row["traveler_type"], row["price"], row["currency_code"]) == ("INFANT", Decimal("1000.01"), "EUR")
    assert (row["is_active"], row["is_synthetic"]) == (True, False)


def test_inverted_validity_is_kept_with_a_warning() -> None:
    plan = {"rate_plan_id": 1, "variant_id": 9, "traveler_type": "ADULT", "price": 1, "min_quantity": -1}
    found = rated([plan | {"valid_from": "2026-03-01", "valid_to": "2026-02-01"}]).rates
    assert found.decisions[0].reason == "invalid_min_quantity,valid_from_after_valid_to"
    assert found.rows[0]["valid_from"] > found.rows[0]["valid_to"]
    assert found.rows[0]["min_quantity"] is None


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ({"price_per_person": 80, "base_currency": "usd"}, [("ADULT", "80.00", "USD")]),
        ({"price_per_person": "80", "price_per_child": 0}, [("ADULT", "80.00", "EUR"), ("CHILD", "0.00", "EUR")]),
        ({"price_per_person": "80", "price_per_child": -1}, [("ADULT", "80.00", "EUR")]),
        ({"price_per_person": 0, "price_per_child": 5}, []),
        ({}, []),
    ],
)
def test_a_variant_without_plans_takes_the_prices_of_its_package(package: dict[str, Any], expected: list[Any]) -> None:
    found = rated([], **package).rates
    assert [(row["traveler_type"], str(row["price"]), row["currency_code"]) for row in found.rows] == expected
    assert all(row["is_synthetic"] for row in found.rows)
    variant_key = key("balisnap:TourVariant:9")
    missing = ("tour_packages", "1", "NO_RATE_AVAILABLE", {"variant_key": variant_key})
    assert [each[2:] for each in asked(found)] == ([] if expected else [missing])


def test_an_inactive_plan_is_a_plan() -> None:
    plan = {"rate_plan_id": 1, "variant_id": 9, "traveler_type": "CHILD", "price": 1, "is_active": False}
    (row,) = rated([plan], price_per_person=80).rates.rows
    assert (row["is_active"], row["is_synthetic"]) == (False, False)


def test_a_variant_without_a_package_asks_for_itself() -> None:
    found = sample([{"product_id": 5}], [{"variant_id": 9, "product_id": 5}]).rates
    assert [each[1:5] for each in asked(found)] == [("DIRECT", "TourVariant", "9", "NO_RATE_AVAILABLE")]


# --- references and links ---------------------------------------------------------------------------------------------


def test_both_systems_keep_their_ids() -> None:
    packages = [{"package_id": 1, "tour_id": 7}, {"package_id": 2, "tour_id": 7}]
    found = catalog_references(
        *sample([{"product_id": 5, "legacy_package_id": 1}], [SOLD], [{"tour_id": 7}], packages)[:2]
    )
    names = ["entity_type", "external_ref_kind", "channel_code", "external_ref", "entity_key"]
    product, variant = key("balisnap:TourProduct:5"), key("balisnap:TourVariant:9")
    assert {tuple(row) for row in found[names].itertuples(index=False)} == {
        ("PRODUCT", "BALISNAP_PRODUCT_ID", "DIRECT", "5", product),
        ("PRODUCT", "BSTADMIN_TOUR_ID", "MANUAL", "7", product),
        ("PRODUCT", "BSTADMIN_PACKAGE_ID", "MANUAL", "1", product),
        ("PRODUCT", "BSTADMIN_PACKAGE_ID", "MANUAL", "2", product),
        ("VARIANT", "BALISNAP_VARIANT_ID", "DIRECT", "9", variant),
        ("VARIANT", "BSTADMIN_PACKAGE_ID", "MANUAL", "1", variant),
        ("VARIANT", "BSTADMIN_PACKAGE_ID", "MANUAL", "2", key("bstadmin:tour_packages:2")),
    }


def test_nothing_makes_nothing() -> None:
    found = sample()
    assert found.products == found.variants == found.rates == Made()
    assert catalog_references(found.catalog, found.bridge).empty
    assert found.products.decided().empty


# --- parsers ----------------------------------------------------------------------------------------------------------

URLS: list[tuple[Any, Any]] = [
    (f" {URL} ", URL),
    ("http://a.b", "http://a.b"),
    ("https://a.b:8080?q=\u2603", "https://a.b:8080?q=\u2603"),
    ("https://a.b#x", "https://a.b#x"),
    ("https://a.b/" + "x" * 2036, "https://a.b/" + "x" * 2036),
    ("https://a.b/" + "x" * 2037, Problem.INVALID),
    ("https://localhost/a", Problem.INVALID),
    ("HTTPS://a.b", Problem.INVALID),
    ("https://a.b:123456", Problem.INVALID),
    ("https://a.b/c d", Problem.INVALID),
    ("https://\u0101.b", Problem.INVALID),
    ("/a.jpg", Problem.INVALID),
    (5, Problem.INVALID),
    (" ", Problem.NULL),
    ([URL], Problem.NULL),
]


@pytest.mark.parametrize(("value", "expected"), URLS)
def test_url(value: Any, expected: Any) -> None:
    assert url(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, 0), ("0.0", 0), ("7", 7), (-1, Problem.INVALID), ("x", Problem.INVALID), ("", Problem.NULL)],
)
def test_natural(value: Any, expected: Any) -> None:
    assert natural(value) == expected


def test_columns_are_their_values() -> None:
    assert_column_is_its_values((url, urls), [value for value, _ in URLS])
    assert_column_is_its_values((natural, naturals), [0, "7", -1, "x", None])


def test_codes_are_joined_at_the_end() -> None:
    warnings = pd.Series(["a", None, None], dtype="string[pyarrow]")
    flag, none = pd.Series([True, True, False]), pd.Series([False, False, False])
    found = parsing.with_codes(warnings, {"b": flag, "c": none})
    assert found.fillna("-").tolist() == ["a,b", "b", "-"]
    assert parsing.with_codes(warnings, {"c": none}) is warnings
