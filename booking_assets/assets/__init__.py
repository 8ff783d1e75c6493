"""The assets of Booking: one module per subject; merging looks at whole files, tables are written by month."""

from booking_assets import sources, tables
from booking_assets.decisions import TELLERS
from booking_assets.staleness import refuse_stale
from migration.declare.system import System

_CATALOG_FRAMES = ("catalog_products", "catalog_variants", "catalog_rates")
_OF_BRIDGE = (
    *_CATALOG_FRAMES,
    *(f"{name}_{part}" for name in _CATALOG_FRAMES for part in ("outcomes", "rejects", "queue")),
    "catalog_refs",
    "package_refs",
    "loaded_variants",
    "product_meeting_points",
    "variant_products",
)

BOOKING = System(
    "booking",
    tables.metadata,
    tables.books,
    sources.ALL,
    frame_makers=dict.fromkeys(_OF_BRIDGE, "catalog_bridge"),
    guard=refuse_stale,
    tellers=TELLERS,
)

SOURCE = "booking_source"
REFERENCE = "reference"
STAGING = "staging"
CATALOG = "catalog"
BOOKINGS = "booking"
PAYMENT_OPS = "payment_ops"
INGEST = "ingest"
QUALITY = "quality"
