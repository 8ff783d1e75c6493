"""The rows of the catalog's tables, of both systems, read into the columns that products, variants and rates need.

Every function takes the cells of a table and returns one row for each: the columns of the key that the cells have, what
was read, and `warnings`, a comma list of codes.
"""

from collections.abc import Callable, Mapping

import pandas as pd
import pyarrow as pa

from booking_assets.parsing.currencies import countries, currencies
from booking_assets.parsing.names import name_keys, slugs
from booking_assets.parsing.numbers import amounts, booleans, integers, naturals, primary_keys
from booking_assets.parsing.problem import Problem
from booking_assets.parsing.statuses import service_types, traveler_types
from booking_assets.parsing.texts import cuts, raw_texts, texts, uppers
from booking_assets.parsing.times import timestamps
from booking_assets.parsing.urls import urls
from booking_assets.parsing.warnings import cut, invalid
from migration.outcome import join_codes
from migration.parsing.vectors import Parsed

NAME_LENGTH, WORD_LENGTH, COLOR_LENGTH, CODE_LENGTH = 255, 128, 32, 64

_TEXT = pd.ArrowDtype(pa.string())
_KEY_COLUMNS = ("pk", "source_pk", "source_row")

Parser = Callable[[pd.Series], Parsed]


def read_products(cells: pd.DataFrame) -> pd.DataFrame:
    """The website's products."""
    read = {
        "legacy_package_id": primary_keys,
        "is_featured": booleans,
        "is_active": booleans,
        "thumbnail_url": urls,
        "priority": integers,
        "country_code": countries,
        "short_description": raw_texts,
        "description": raw_texts,
        "base_meeting_point": texts,
    }
    limits = {
        "product_name": NAME_LENGTH,
        "category": WORD_LENGTH,
        "region": WORD_LENGTH,
        "color_code": COLOR_LENGTH,
    }
    return _read(cells, read, limits).assign(
        slug=slugs(cells["slug"]).value,
        name_key=name_keys(cells["product_name"]).value,
        has_thumbnail=_given(cells["thumbnail_url"]),
    )


def read_packages(cells: pd.DataFrame) -> pd.DataFrame:
    """The operations panel's packages; `variant_warnings` are about what only variants and rates have."""
    read = {
        "tour_id": primary_keys,
        "is_featured": booleans,
        "thumbnail_url": urls,
        "priority": integers,
        "short_description": raw_texts,
        "description": raw_texts,
    }
    of_variant = {
        "duration_days": integers,
        "price_per_person": amounts,
        "price_per_child": amounts,
        "base_currency": currencies,
        "min_booking": integers,
        "max_booking": integers,
    }
    variant = _read(cells, of_variant, {"package_name": NAME_LENGTH})
    return _read(cells, read, {"package_name": NAME_LENGTH, "color_code": COLOR_LENGTH}).assign(
        slug=slugs(cells["slug"]).value,
        name_key=name_keys(cells["package_name"]).value,
        has_thumbnail=_given(cells["thumbnail_url"]),
        **{name: variant[name] for name in of_variant},
        variant_warnings=variant["warnings"],
    )


def read_tours(cells: pd.DataFrame) -> pd.DataFrame:
    """The operations panel's tours."""
    return _read(cells, {"is_active": booleans, "description": raw_texts}, {"tour_name": NAME_LENGTH})


def read_variants(cells: pd.DataFrame) -> pd.DataFrame:
    """The website's variants; `product_number` is the product's id where it is any number at all."""
    read = {
        "product_id": primary_keys,
        "legacy_package_id": primary_keys,
        "service_type": service_types,
        "duration_days": integers,
        "duration_nights": naturals,
        "min_pax": integers,
        "max_pax": integers,
        "currency_code": currencies,
        "is_default": booleans,
        "is_active": booleans,
        "booking_cutoff_hours": naturals,
        "cancellation_policy": raw_texts,
    }
    found = _read(cells, read, {"variant_name": NAME_LENGTH})
    code = uppers(cells["variant_code"]).value
    too_long = code.str.len().fillna(0) > CODE_LENGTH
    return found.assign(
        product_number=integers(cells["product_id"]).value,
        variant_code=code.mask(too_long, None),
        warnings=with_codes(found["warnings"], {"invalid_variant_code": too_long}),
    )


def read_rates(cells: pd.DataFrame) -> pd.DataFrame:
    """The website's rate plans."""
    read = {
        "variant_id": primary_keys,
        "traveler_type": traveler_types,
        "price": amounts,
        "currency_code": currencies,
        "min_quantity": naturals,
        "max_quantity": naturals,
        "valid_from": timestamps,
        "valid_to": timestamps,
        "is_active": booleans,
    }
    return _read(cells, read, {})


def read_media(cells: pd.DataFrame) -> pd.DataFrame:
    """Pictures of the website's products."""
    read = {"product_id": primary_keys, "url": urls, "sort_order": integers, "is_cover": booleans}
    return _read(cells, read, {}).assign(has_url=_given(cells["url"]))


def read_images(cells: pd.DataFrame) -> pd.DataFrame:
    """Pictures of the operations panel's packages, whose ids its column of tours holds."""
    found = _read(cells, {"tour_id": primary_keys, "url": urls}, {}).assign(has_url=_given(cells["url"]))
    return found.rename(columns={"tour_id": "package_id"})


def read_itineraries(cells: pd.DataFrame) -> pd.DataFrame:
    """Activities of the operations panel's packages."""
    return _read(cells, {"package_id": primary_keys}, {})


def _read(cells: pd.DataFrame, parsers: Mapping[str, Parser], limits: Mapping[str, int]) -> pd.DataFrame:
    """Columns read each by its parser, and columns of text cut to a length."""
    read = {name: parser(cells[name]) for name, parser in parsers.items()}
    short = {name: cuts(texts(cells[name]).value, length) for name, length in limits.items()}
    columns = {name: parsed.value for name, parsed in read.items()} | {name: text for name, (text, _) in short.items()}
    flags = invalid(**read) | cut(**{name: too_long for name, (_, too_long) in short.items()})
    found = pd.DataFrame({**{name: cells[name] for name in _KEY_COLUMNS}, **columns})
    return found.assign(warnings=with_codes(pd.Series(None, index=cells.index, dtype=_TEXT), flags))


def with_codes(warnings: pd.Series, flags: Mapping[str, pd.Series]) -> pd.Series:
    """Comma lists of warning codes with those of further flags at their ends."""
    if not any(flag.any() for flag in flags.values()):
        return warnings
    further = join_codes(dict(flags)).astype(_TEXT)
    both = warnings.str.cat(further, sep=",", na_rep="").str.strip(",")
    return both.mask(both == "", None)


def _given(cells: pd.Series) -> pd.Series:
    """Whether there is any text, as bool without missing entries."""
    return ~texts(cells).has(Problem.NULL)
