"""Deterministic keys: the same legacy row has the same UUID in every run and on every machine."""

import hashlib
import uuid

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "legacy-migrations")

_DIGEST_BYTES = 20
_UUID_BYTES = 16
_UUID_CHARACTERS = 36
_HYPHENS = (8, 13, 18, 23)
_DIGITS = np.delete(np.arange(_UUID_CHARACTERS), _HYPHENS)
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def legacy_uuid(text: str) -> uuid.UUID:
    """The UUID (version 5) of a legacy key's text, such as `skynet:routers:SKYNET-A`."""
    return uuid.uuid5(NAMESPACE, text)


def legacy_uuids(prefix: str, keys: pd.Series) -> pd.Series:
    """As `legacy_uuid` for a column of whole numbers, each behind the same prefix.

    Args:
        prefix: what stands before each key, such as `dental:auth_user:`.
        keys: int64, Arrow-backed; missing keys have no UUID.

    Returns:
        An Arrow-backed text column with the same index.
    """
    array = pa.array(keys, type=pa.int64(), from_pandas=True)
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    base = hashlib.sha1(NAMESPACE.bytes + prefix.encode(), usedforsecurity=False)
    digests = np.frombuffer(b"".join(_digests(base, array.fill_null(0).to_numpy().tolist())), dtype=np.uint8)
    uuids = digests.reshape(-1, _DIGEST_BYTES)[:, :_UUID_BYTES].copy()
    uuids[:, 6] = uuids[:, 6] & 0x0F | 0x50  # version 5
    uuids[:, 8] = uuids[:, 8] & 0x3F | 0x80  # the variant of RFC 4122
    texts = np.full((len(array), _UUID_CHARACTERS), ord("-"), dtype=np.uint8)
    texts[:, _DIGITS[0::2]], texts[:, _DIGITS[1::2]] = _HEX[uuids >> 4], _HEX[uuids & 15]
    offsets = np.arange(0, texts.size + 1, _UUID_CHARACTERS, dtype=np.int32)
    strings = pa.StringArray.from_buffers(len(array), pa.py_buffer(offsets), pa.py_buffer(texts))
    known = pc.call_function("if_else", [array.is_valid(), strings, pa.scalar(None, pa.string())])
    backed = pd.arrays.ArrowExtensionArray(pa.chunked_array([known]))
    return pd.Series(backed, index=keys.index)


def _digests(base: "hashlib._Hash", keys: list[int]) -> list[bytes]:
    found: list[bytes] = []
    for key in keys:
        digest = base.copy()
        digest.update(b"%d" % key)
        found.append(digest.digest())
    return found
