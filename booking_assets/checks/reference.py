"""Checks of the vocabularies."""

from booking_assets import tables
from migration.checks import unique

CHANNEL_REGISTRY = (unique("channel_registry_key_unique", tables.channel_registry),)
REF_MAPPING_STATUS = (unique("ref_mapping_status_key_unique", tables.ref_mapping_status),)
