"""Deterministic keys: the same legacy row has the same UUID in every run and on every machine."""

import uuid

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "legacy-migrations")


def legacy_uuid(text: str) -> uuid.UUID:
    """The UUID (version 5) of a legacy key's text, such as `skynet:routers:SKYNET-A`."""
    return uuid.uuid5(NAMESPACE, text)
