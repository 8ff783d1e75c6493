"""Which package of the operations panel is which product and variant of the website."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from tests.booking import booking_scalars as scalars
from tests.booking.booking_records import Draft, Inputs, Record, Source


@dataclass
class Product:
    """A product that is about to be made.

    Attributes:
        record: the row that it is named after: of TourProduct, tours or tour_packages.
        website: its row of TourProduct.
        tour: its tour, when it is made from one.
        package: its companion or representative.
        packages: of a product of operations only, the packages that form it.
    """

    record: Record
    website: Record | None = None
    tour: Record | None = None
    package: Record | None = None
    packages: list[Record] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Its UUID."""
        return scalars.key_of(self.record.name)


class Bridge:
    """The bridges of one export.

    Attributes:
        products: the products, in the order in which they are created.
        product_of: the product of each package.
        tour_product: the product of each tour that has one.
        variants: the loaded rows of TourVariant.
        claimants: the variants that claim a package, by its id.
    """

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.website = inputs.of("balisnap.TourProduct")
        self.packages = inputs.of("bstadmin.tour_packages")
        self.tours = inputs.of("bstadmin.tours")
        variants = inputs.of("balisnap.TourVariant").values()
        self.variants = {v.key: v for v in variants if v.identifier("product_id") in self.website}
        self.claimants = _by_link(self.variants.values(), "legacy_package_id")
        self.claiming_products = _by_link(self.website.values(), "legacy_package_id")
        self.multi: set[int] = set()
        self.matches: dict[int, tuple[int, int]] = {}
        for package in self.packages.values():
            self._match(package)
        self.products: dict[str, Product] = {}
        self.product_of: dict[int, Product] = {}
        self.tour_product: dict[int, Product] = {}
        self.formed: list[tuple[Product, str]] = []
        self._make_products()

    # --- packages -----------------------------------------------------------------------------------------------------

    def _match(self, package: Record) -> None:
        """Find the product that a package is, with the step that found it."""
        for step, candidates in enumerate(self._candidates(package), start=1):
            found = set(candidates)
            if len(found) == 1:
                self.matches[package.key] = (step, found.pop())
            if len(found) > 1:
                self.multi.add(package.key)
            if candidates:
                return

    def _candidates(self, package: Record) -> Iterable[list[int]]:
        yield [product.key for product in self.claiming_products.get(package.key, [])]
        claimants = self.claimants.get(package.key, [])
        yield [v.identifier("product_id") or 0 for v in claimants] if len(claimants) == 1 else []
        yield self.products_by_slug.get(scalars.slug(package.values.get("slug")), [])
        yield self.products_by_name.get(scalars.name(package.values.get("package_name")), [])

    @cached_property
    def products_by_slug(self) -> dict[str, list[int]]:
        """The ids of products by what is compared of their slugs."""
        return _ids_by({p.key: scalars.slug(p.values.get("slug")) for p in self.website.values()})

    @cached_property
    def products_by_name(self) -> dict[str, list[int]]:
        """The ids of products by what is compared of their names."""
        return _ids_by({p.key: scalars.name(p.values.get("product_name")) for p in self.website.values()})

    # --- products -----------------------------------------------------------------------------------------------------

    def _make_products(self) -> None:
        companions: dict[int, tuple[int, int]] = {}
        for package, (step, product) in self.matches.items():
            companions[product] = min(companions.get(product, (9, 0)), (step, package))
        for record in self.website.values():
            companion = companions.get(record.key)
            package = self.packages[companion[1]] if companion else None
            self._add(Product(record, website=record, package=package))
        for package, (_, product) in self.matches.items():
            self.product_of[package] = self._of_website(product)
        of_tour = _by_link(self.packages.values(), "tour_id")
        for tour in self.tours.values():
            self._bridge_tour(tour, of_tour.get(tour.key, []))
        for package in self.packages.values():
            if package.key not in self.product_of:
                reason = "MULTI_MATCH" if package.key in self.multi else "NO_MATCH"
                self._form(Product(package, package=package, packages=[package]), reason)

    def _bridge_tour(self, tour: Record, packages: list[Record]) -> None:
        matched = {self.matches[p.key][1] for p in packages if p.key in self.matches}
        unmatched = [package for package in packages if package.key not in self.matches]
        if len(matched) == 1:
            product = self._of_website(matched.pop())
            self.tour_product[tour.key] = product
            for package in unmatched:
                self.product_of[package.key] = product
        elif unmatched:
            product = Product(tour, tour=tour, package=unmatched[0], packages=unmatched)
            multi = bool(matched) or any(package.key in self.multi for package in unmatched)
            self.tour_product[tour.key] = product
            self._form(product, "MULTI_MATCH" if multi else "NO_MATCH")

    def _form(self, product: Product, reason: str) -> None:
        """A new product of operations only."""
        self._add(product)
        self.formed.append((product, reason))
        for package in product.packages:
            self.product_of[package.key] = product

    def _add(self, product: Product) -> None:
        self.products[product.key] = product

    def _of_website(self, product_id: int) -> Product:
        return self.products[scalars.key_of(self.website[product_id].name)]

    # --- variants -----------------------------------------------------------------------------------------------------

    def claimant(self, package_id: int) -> Record | None:
        """The only variant that sells a package."""
        claimants = self.claimants.get(package_id, [])
        return claimants[0] if len(claimants) == 1 else None

    def package_of(self, variant: Record) -> Record | None:
        """The package that is bridged to a variant."""
        package = self.packages.get(variant.identifier("legacy_package_id") or 0)
        return package if package and self.claimant(package.key) is variant else None

    def own_variants(self) -> list[Record]:
        """The packages that are variants of their own."""
        return [package for package in self.packages.values() if self.claimant(package.key) is None]

    def variant_key(self, package_id: int) -> str | None:
        """The variant that a package id means, whether operations know the package or not."""
        variant = self.claimant(package_id) or self.packages.get(package_id)
        return scalars.key_of(variant.name) if variant else None

    def product_key(self, package_id: int) -> str | None:
        """The product that a package id means, whether operations know the package or not."""
        if package_id in self.product_of:
            return self.product_of[package_id].key
        claiming = self.claiming_products.get(package_id, [])
        return scalars.key_of(claiming[0].name) if len(claiming) == 1 else None

    def loaded_variant(self, variant_id: int | None) -> str | None:
        """The variant with an id of the website."""
        variant = self.variants.get(variant_id or 0)
        return scalars.key_of(variant.name) if variant else None

    # --- the queue ----------------------------------------------------------------------------------------------------

    def queue(self, draft: Draft) -> None:
        """Ask for the products and variants that could not be found."""
        for product, reason in self.formed:
            assert product.package is not None
            payload = {
                "package_ids": [package.key for package in product.packages],
                "slug": scalars.slug(product.package.values.get("slug")) or None,
            }
            draft.queue("PRODUCT_MAPPING", Source.of(product.record), reason, "MANUAL", payload)


def _by_link(records: Iterable[Record], column: str) -> dict[int, list[Record]]:
    groups: dict[int, list[Record]] = defaultdict(list)
    for record in records:
        link = record.identifier(column)
        if link is not None:
            groups[link].append(record)
    return groups


def _ids_by(names: dict[int, str]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for key, name in names.items():
        if name:
            groups[name].append(key)
    return groups
