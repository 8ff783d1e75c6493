"""The UUIDs of canonical rows, made of the legacy rows they come from."""

import hashlib
from collections.abc import Iterable, Sequence

from migration.parsing.keys import NAMESPACE, legacy_uuid

BALISNAP, BSTADMIN, CANONICAL = "balisnap", "bstadmin", "canonical"

# The bits of a UUID that say "version 5" and "RFC 4122".
_VERSION_MASK, _VERSION = ~(0xF000 << 64), 5 << 76
_VARIANT_MASK, _VARIANT = ~(0xC000 << 48), 0x8000 << 48


def key(name: str) -> str:
    """The key of a name such as `balisnap:Booking:5`, as the text of a UUID."""
    return str(legacy_uuid(name))


def keys(names: Iterable[str]) -> list[str]:
    """The keys of many names; several times faster than one by one."""
    seed = hashlib.sha1(NAMESPACE.bytes, usedforsecurity=False)
    return [_uuid_text(seed, name) for name in names]


def row_name(system: str, table: str, pk: object, *suffixes: str) -> str:
    """The name of a legacy row, from which its key is made."""
    return ":".join((system, table, str(pk), *suffixes))


def canonical_name(table: str, parts: Sequence[str]) -> str:
    """The name of a row that has no legacy row of its own."""
    return f"{CANONICAL}:{table}:{'|'.join(parts)}"


def _uuid_text(seed: "hashlib._Hash", name: str) -> str:
    digest = seed.copy()
    digest.update(name.encode())
    number = int.from_bytes(digest.digest()[:16], "big")
    number = number & _VERSION_MASK & _VARIANT_MASK | _VERSION | _VARIANT
    written = f"{number:032x}"
    return f"{written[:8]}-{written[8:12]}-{written[12:16]}-{written[16:20]}-{written[20:]}"
