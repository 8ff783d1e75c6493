"""The Definitions of the booking location: empty, because this migration is not built yet."""

from dagster import Definitions

defs = Definitions()
