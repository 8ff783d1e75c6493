"""The Definitions of the billing location: empty, because this migration is not built yet."""

from dagster import Definitions

defs = Definitions()
