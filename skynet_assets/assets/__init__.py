"""The assets of Skynet: one module per subject, each with its pure frame functions and its declarations."""

from migration.declare.system import System
from skynet_assets import sources, tables

SKYNET = System(
    "skynet",
    tables.metadata,
    tables.books,
    sources.ALL,
    frame_makers={"customers_merged": "customers_clean"},
)

SOURCE = "skynet_source"
STAGING = "skynet_staging"
CORE = "skynet_core"
BILLING = "skynet_billing"
REPORTING = "skynet_reporting"
PHOTOS = "skynet_photos"
REFRESH = "skynet_refresh"


def is_secret(key: str) -> bool:
    """Whether a source column holds a secret that the quarantine must not keep."""
    return key == "pppoe_password"
