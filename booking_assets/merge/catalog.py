"""What products, variants and rates are made of: the legacy catalog by key, and what became of its rows.

The catalog is small, so products and variants are made one by one, which lets their rules be read as they are stated.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from booking_assets.merge.bridge import Bridge, build_bridge
from booking_assets.merge.frames import TEXT, records
from booking_assets.merge.logs import queue_rows
from booking_assets.parsing.keys import BALISNAP, BSTADMIN
from booking_assets.parsing.statuses import DIRECT, MANUAL
from migration.outcome import Outcome

BRIDGED = "BRIDGED"
METADATA = "CATALOG_EXTENDED_METADATA"

Row = dict[str, Any]
QueueRow = dict[str, str | None]


@dataclass(frozen=True)
class LegacyCatalog:
    """The legacy catalog, read; rows by key, ascending.

    Attributes:
        products: the website's products.
        variants: its variants, those without a product among them.
        tours: the operations panel's tours.
        packages: its packages.
        covers: the picture that stands for each product of the website that has any.
        images: the pictures of each package, ascending.
        activities: how many activities each package has.
    """

    products: Mapping[int, Row]
    variants: Mapping[int, Row]
    tours: Mapping[int, Row]
    packages: Mapping[int, Row]
    covers: Mapping[int, Row]
    images: Mapping[int, list[Row]]
    activities: Mapping[int, int]

    @property
    def loaded_variants(self) -> list[Row]:
        """The variants whose product is there."""
        return [row for row in self.variants.values() if row["product_id"] in self.products]


class Decision(NamedTuple):
    """What became of a legacy row for one target.

    Attributes:
        table: its table, with its system.
        pk: its key.
        outcome: what became of it.
        reason: why; of a loaded row a comma list of its warnings.
        target_key: the key of the row that it was written or merged into.
    """

    table: str
    pk: int
    outcome: Outcome
    reason: str | None
    target_key: str | None


@dataclass(frozen=True)
class Made:
    """Rows of one target table.

    Attributes:
        rows: the rows, without provenance.
        decisions: what became of each legacy row that counts.
        queue: rows of the worklist.
    """

    rows: list[Row] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    queue: list[QueueRow] = field(default_factory=list)

    def queue_frame(self) -> pd.DataFrame:
        """The rows of the worklist as a frame."""
        return queue_rows(self.queue)

    def decided(self) -> pd.DataFrame:
        """The decisions as a frame."""
        kinds = {"pk": pd.ArrowDtype(pa.int64())} | dict.fromkeys(("table", "outcome", "reason", "target_key"), TEXT)
        return pd.DataFrame(self.decisions, columns=list(Decision._fields)).astype(kinds)


def legacy_catalog(
    *,
    products: pd.DataFrame,
    variants: pd.DataFrame,
    tours: pd.DataFrame,
    packages: pd.DataFrame,
    media: pd.DataFrame,
    images: pd.DataFrame,
    itineraries: pd.DataFrame,
) -> LegacyCatalog:
    """The legacy catalog of its tables as `booking_assets.parsing.catalog` reads them, ascending by key."""
    images_of = defaultdict(list)
    for image in records(images):
        images_of[image["package_id"]].append(image)
    return LegacyCatalog(
        products=_by_key(products),
        variants=_by_key(variants),
        tours=_by_key(tours),
        packages=_by_key(packages),
        covers=_covers(records(media)),
        images=images_of,
        activities=Counter(row["package_id"] for row in records(itineraries)),
    )


def _by_key(rows: pd.DataFrame) -> dict[int, Row]:
    return {row["pk"]: row for row in records(rows)}


def _covers(media: Iterable[Row]) -> dict[int, Row]:
    """The first picture of each product: the cover, then by place, those without one last, then by key."""
    found: dict[int, Row] = {}
    for row in sorted(media, key=_media_order):
        found.setdefault(row["product_id"], row)
    return found


def _media_order(row: Row) -> tuple[bool, bool, int, int]:
    place = row["sort_order"]
    return row["is_cover"] is not True, place is None, place or 0, row["pk"]


def bridge_of(products: pd.DataFrame, variants: pd.DataFrame, packages: pd.DataFrame, tours: pd.DataFrame) -> Bridge:
    """How the two catalogs fit together, of their tables as they are read."""
    known = variants[variants["product_id"].isin(products["pk"])]
    return build_bridge(
        products.rename(columns={"pk": "product_id", "name_key": "name"})[
            ["product_id", "legacy_package_id", "slug", "name"]
        ],
        known.rename(columns={"pk": "variant_id"})[["variant_id", "product_id", "legacy_package_id"]],
        packages.rename(columns={"pk": "package_id", "name_key": "name"})[["package_id", "tour_id", "slug", "name"]],
        tours.rename(columns={"pk": "tour_id"})[["tour_id"]],
    )


# --- what the makers share --------------------------------------------------------------------------------------------


def label_of(system: str, table: str) -> str:
    """The name of a legacy table with its system."""
    return f"{system}.{table}"


def channel_of(system: str) -> str:
    """The channel of what the catalog asks and says about rows of a system."""
    return {BALISNAP: DIRECT, BSTADMIN: MANUAL}[system]


def first(*values: Any) -> Any:
    """The first value that is there."""
    return next((value for value in values if value is not None), None)


def of(row: Row | None, column: str) -> Any:
    """A value of a row, if there is a row."""
    return None if row is None else row[column]
