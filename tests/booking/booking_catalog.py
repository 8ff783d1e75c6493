"""Products, variants and rates."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.booking import booking_scalars as scalars
from tests.booking.booking_bridge import Bridge, Product
from tests.booking.booking_records import Draft, Record, Source, first

SERVICE_TYPES = frozenset({"PRIVATE", "SHARED", "CUSTOM"})
TRAVELER_TYPES = frozenset({"ADULT", "CHILD", "INFANT"})


@dataclass
class Catalog:
    """The catalog of one export.

    Attributes:
        draft: what is written.
        bridge: the bridges.
        variant_currency: the currency of each variant, by key.
        rated: the variants that have a loaded rate plan.
    """

    draft: Draft
    bridge: Bridge
    variant_currency: dict[str, str] = field(default_factory=dict)
    rated: set[str] = field(default_factory=set)

    def run(self) -> None:
        """Write products, variants, rates and references."""
        self.bridge.queue(self.draft)
        self._products()
        self._label_packages()
        self._label_tours()
        self._variants()
        self._rates()
        self._references()

    # --- products -----------------------------------------------------------------------------------------------------

    def _products(self) -> None:
        slugs: set[str] = set()
        for product in self.bridge.products.values():
            slug = _free_slug(product, slugs)
            slugs.add(slug)
            self._product(product, slug)
            self.draft.loaded(product.record, "catalog_product", product.key)

    def _product(self, product: Product, slug: str) -> None:
        # The fields of a website row and of a package have mostly the same names.
        sides = [record for record in (product.website, product.package) if record]
        country = product.website.upper("country_code") if product.website else None
        self.draft.put(
            "catalog_product",
            product.key,
            slug=slug,
            name=_product_name(product),
            product_category=_of_website(product, "category", 128),
            region=_of_website(product, "region", 128),
            base_meeting_point=_of_website(product, "base_meeting_point"),
            short_description=first(*(side.raw("short_description") for side in sides)),
            description=first(
                *(side.raw("description") for side in [*sides, *([product.tour] if product.tour else [])])
            ),
            is_active=_is_active(product),
            is_featured=first(*(side.boolean("is_featured") for side in sides), False),
            thumbnail_url=self._thumbnail(product),
            color_code=scalars.cut(first(*(side.text("color_code") for side in sides)), 32),
            priority=first(*(side.integer("priority") for side in sides)),
            country_code=country if country and len(country) == 2 and country.isascii() and country.isalpha() else "ID",
        )
        if product.website is None:
            self._deferred(product)

    def _thumbnail(self, product: Product) -> str | None:
        values = [side.values.get("thumbnail_url") for side in (product.website, product.package) if side]
        if product.website:
            media = self.bridge.inputs.by_link("balisnap.TourProductMedia", "product_id")[product.website.key]
            values += [min(media, key=_media_order).values.get("url")] if media else []
        if product.package:
            images = self.bridge.inputs.by_link("bstadmin.tour_images", "tour_id")[product.package.key]
            values += [images[0].values.get("url")] if images else []
        found = first(*map(scalars.url, values))
        if found is None and any(map(scalars.text, values)):
            self._ask_metadata(product, "INVALID_THUMBNAIL", {"product_key": product.key})
        return found

    def _deferred(self, product: Product) -> None:
        """What a product of operations has beside, and no table holds."""
        images = self.bridge.inputs.by_link("bstadmin.tour_images", "tour_id")
        itineraries = self.bridge.inputs.by_link("bstadmin.tour_itineraries", "package_id")
        shown = sum(len(images[package.key]) for package in product.packages)
        planned = sum(len(itineraries[package.key]) for package in product.packages)
        if shown > 1 or planned:
            payload = {"gallery_images": shown, "itinerary_rows": planned}
            self._ask_metadata(product, "DEFERRED_GALLERY_ITINERARY", payload)

    def _ask_metadata(self, product: Product, reason: str, payload: dict[str, Any]) -> None:
        record = product.record
        channel = record.catalog_channel
        self.draft.queue("CATALOG_EXTENDED_METADATA", Source.of(record), reason, channel, payload)

    def _label_packages(self) -> None:
        for package in self.bridge.packages.values():
            product = self.bridge.product_of[package.key]
            if product.record is not package:
                self.draft.merged(package, "catalog_product", "BRIDGED", product.key)

    def _label_tours(self) -> None:
        for tour in self.bridge.tours.values():
            product = self.bridge.tour_product.get(tour.key)
            if product is None:
                self.draft.skipped(tour, "catalog_product", "TOUR_NOT_A_PRODUCT")
            elif product.record is not tour:
                self.draft.merged(tour, "catalog_product", "BRIDGED", product.key)

    # --- variants -----------------------------------------------------------------------------------------------------

    def _variants(self) -> None:
        codes: set[tuple[str, str]] = set()
        for variant in self.bridge.inputs.of("balisnap.TourVariant").values():
            if variant.key in self.bridge.variants:
                self._website_variant(variant, codes)
                continue
            self.draft.rejected(variant, "catalog_variant", "ORPHAN_PRODUCT")
            payload = {"product_id": variant.integer("product_id")}
            self.draft.queue("VARIANT_MAPPING", Source.of(variant), "NO_MATCH", "DIRECT", payload)
        own = {package.key: package for package in self.bridge.own_variants()}
        for package in self.bridge.packages.values():
            if package.key in own:
                self._own_variant(package, codes)
            else:
                key = self.bridge.variant_key(package.key)
                self.draft.merged(package, "catalog_variant", "BRIDGED", key)

    def _website_variant(self, variant: Record, codes: set[tuple[str, str]]) -> None:
        package = self.bridge.package_of(variant)
        product_id = variant.identifier("product_id") or 0
        product_key = scalars.key_of(self.bridge.website[product_id].name)
        code = variant.upper("variant_code")
        if code is None or len(code) > 64:
            code = f"VARIANT-{variant.key}"
        values = {
            "product_key": product_key,
            "code": _free_code(product_key, code, variant.key, codes),
            "name": first(variant.text("variant_name"), package and package.text("package_name"))
            or f"Variant {variant.key}",
            "service_type": variant.upper("service_type"),
            "duration_days": first(variant.integer("duration_days"), package and package.integer("duration_days"), 1),
            "duration_nights": variant.natural("duration_nights"),
            "min_pax": first(variant.integer("min_pax"), package and package.integer("min_booking"), 1),
            "max_pax": first(variant.integer("max_pax"), package and package.integer("max_booking")),
            "currency_code": first(variant.currency(), package and package.currency("base_currency"), "USD"),
            "is_default": first(variant.boolean("is_default"), False),
            "is_active": first(variant.boolean("is_active"), True),
            "booking_cutoff_hours": first(variant.natural("booking_cutoff_hours"), 24),
            "cancellation_policy": variant.raw("cancellation_policy"),
        }
        self._variant(variant, values)

    def _own_variant(self, package: Record, codes: set[tuple[str, str]]) -> None:
        product = self.bridge.product_of[package.key]
        alone = product.website is None
        of_product = [p for p in self.bridge.own_variants() if self.bridge.product_of[p.key] is product]
        claimants = self.bridge.claimants.get(package.key, [])
        if len(claimants) > 1:
            payload = {"variant_ids": [variant.key for variant in claimants]}
            self.draft.queue("VARIANT_MAPPING", Source.of(package), "MULTI_MATCH", "MANUAL", payload)
        values = {
            "product_key": product.key,
            "code": _free_code(product.key, f"PKG-{package.key}", package.key, codes),
            "name": package.text("package_name") or f"Package {package.key}",
            "service_type": "PRIVATE",
            "duration_days": first(package.integer("duration_days"), 1),
            "duration_nights": None,
            "min_pax": first(package.integer("min_booking"), 1),
            "max_pax": package.integer("max_booking"),
            "currency_code": package.currency("base_currency") or "USD",
            "is_default": alone and package is of_product[0],
            "is_active": alone,
            "booking_cutoff_hours": 24,
            "cancellation_policy": None,
        }
        self._variant(package, values)

    def _variant(self, record: Record, values: dict[str, Any]) -> None:
        values["name"] = scalars.cut(values["name"], 255)
        values["service_type"] = values["service_type"] if values["service_type"] in SERVICE_TYPES else "PRIVATE"
        values["duration_days"] = max(1, values["duration_days"])
        values["min_pax"] = max(1, values["min_pax"])
        if values["max_pax"] is not None and values["max_pax"] < values["min_pax"]:
            values["max_pax"] = None
        key = scalars.key_of(record.name)
        self.variant_currency[key] = values["currency_code"]
        self.draft.put("catalog_variant", key, **values)
        self.draft.loaded(record, "catalog_variant", key)

    # --- rates --------------------------------------------------------------------------------------------------------

    def _rates(self) -> None:
        for plan in self.bridge.inputs.of("balisnap.VariantRatePlan").values():
            reason = self._rate(plan)
            if reason:
                self.draft.rejected(plan, "catalog_variant_rate", reason)
        for variant in self.bridge.variants.values():
            self._synthetic_rates(variant, self.bridge.package_of(variant))
        for package in self.bridge.own_variants():
            self._synthetic_rates(package, package)

    def _rate(self, plan: Record) -> str | None:
        """Write a rate plan, or say why not."""
        variant_key = self.bridge.loaded_variant(plan.identifier("variant_id"))
        price = plan.money("price")
        if variant_key is None:
            return "ORPHAN_VARIANT"
        if plan.upper("traveler_type") not in TRAVELER_TYPES:
            return "INVALID_TRAVELER_TYPE"
        if price is None:
            payload = {"variant_id": plan.identifier("variant_id")}
            self.draft.queue("CATALOG_EXTENDED_METADATA", Source.of(plan), "INVALID_SOURCE", "DIRECT", payload)
            return "INVALID_PRICE"
        if price < 0:
            return "NEGATIVE_PRICE"
        self.rated.add(variant_key)
        key = scalars.key_of(plan.name)
        self.draft.put(
            "catalog_variant_rate",
            key,
            variant_key=variant_key,
            traveler_type=plan.upper("traveler_type"),
            currency_code=plan.currency() or self.variant_currency[variant_key],
            price=price,
            min_quantity=plan.natural("min_quantity"),
            max_quantity=plan.natural("max_quantity"),
            valid_from=plan.moment("valid_from"),
            valid_to=plan.moment("valid_to"),
            is_active=first(plan.boolean("is_active"), True),
            is_synthetic=False,
        )
        self.draft.loaded(plan, "catalog_variant_rate", key)
        return None

    def _synthetic_rates(self, record: Record, package: Record | None) -> None:
        variant_key = scalars.key_of(record.name)
        if variant_key in self.rated:
            return
        adult: Decimal | None = package.money("price_per_person") if package else None
        if package is None or adult is None or adult <= 0:
            source = Source.of(package or record)
            channel = (package or record).catalog_channel
            payload = {"variant_key": variant_key}
            self.draft.queue("CATALOG_EXTENDED_METADATA", source, "NO_RATE_AVAILABLE", channel, payload)
            return
        child = package.price("price_per_child")
        prices = {"ADULT": adult} | ({} if child is None else {"CHILD": child})
        for traveler_type, price in prices.items():
            self.draft.put(
                "catalog_variant_rate",
                scalars.key_of(f"{package.name}:{traveler_type}"),
                variant_key=variant_key,
                traveler_type=traveler_type,
                currency_code=package.currency("base_currency") or self.variant_currency[variant_key],
                price=price,
                **dict.fromkeys(("min_quantity", "max_quantity", "valid_from", "valid_to")),
                is_active=True,
                is_synthetic=True,
            )
            self.draft.counts["catalog_variant_rate"].derived += 1

    # --- references ---------------------------------------------------------------------------------------------------

    def _references(self) -> None:
        bridge = self.bridge
        for product in bridge.website.values():
            self._reference("PRODUCT", scalars.key_of(product.name), "BALISNAP_PRODUCT_ID", product)
        for tour_id, product in bridge.tour_product.items():
            self._reference("PRODUCT", product.key, "BSTADMIN_TOUR_ID", bridge.tours[tour_id])
        for variant in bridge.variants.values():
            self._reference("VARIANT", scalars.key_of(variant.name), "BALISNAP_VARIANT_ID", variant)
        for package in bridge.packages.values():
            product = bridge.product_of[package.key]
            self._reference("PRODUCT", product.key, "BSTADMIN_PACKAGE_ID", package)
            self._reference("VARIANT", bridge.variant_key(package.key) or "", "BSTADMIN_PACKAGE_ID", package)

    def _reference(self, entity: str, key: str, kind: str, record: Record) -> None:
        self.draft.reference(entity, key, record.catalog_channel, kind, record.pk, Source.of(record))


# --- names ------------------------------------------------------------------------------------------------------------


def _kind(product: Product) -> str:
    return "product" if product.website else "tour" if product.tour else "package"


def _product_name(product: Product) -> str:
    found = first(
        product.website and product.website.text("product_name"),
        product.package and product.package.text("package_name"),
        product.tour and product.tour.text("tour_name"),
    )
    return (found or f"{_kind(product).title()} {product.record.key}")[:255]


def _is_active(product: Product) -> bool:
    record = product.website or product.tour
    return first(record.boolean("is_active"), True) if record else False


def _of_website(product: Product, column: str, length: int | None = None) -> str | None:
    return product.website.text(column, length) if product.website else None


def _free_slug(product: Product, taken: set[str]) -> str:
    record = product.website or product.package
    assert record is not None
    system = "balisnap" if product.website else "bstadmin"
    key = product.record.key
    wanted = scalars.slug(record.values.get("slug")) or f"{system}-{_kind(product)}-{key}"
    own = f"-{ {'product': 'p', 'tour': 't', 'package': 'k'}[_kind(product)] }{key}"
    suffix, number = "", 1
    while wanted[: 191 - len(suffix)] + suffix in taken:
        suffix = own if number == 1 else f"{own}-{number}"
        number += 1
    return wanted[: 191 - len(suffix)] + suffix


def _free_code(product_key: str, wanted: str, own: int, taken: set[tuple[str, str]]) -> str:
    suffix = ""
    while (product_key, wanted[: 64 - len(suffix)] + suffix) in taken:
        suffix += f"-{own}"
    code = wanted[: 64 - len(suffix)] + suffix
    taken.add((product_key, code))
    return code


def _media_order(record: Record) -> tuple[bool, bool, int, int]:
    order = record.integer("sort_order")
    return record.boolean("is_cover") is not True, order is None, order or 0, record.key
