"""The assets of Booking: one module per subject; merging looks at whole files, tables are written by month."""

from booking_assets import sources, tables
from migration.declare.system import System

BOOKING = System("booking", tables.metadata, tables.books, sources.ALL)

SOURCE = "booking_source"
REFERENCE = "reference"
STAGING = "staging"
CATALOG = "catalog"
BOOKINGS = "booking"
PAYMENT_OPS = "payment_ops"
INGEST = "ingest"
QUALITY = "quality"
