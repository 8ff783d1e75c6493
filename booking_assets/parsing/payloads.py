"""The canonical JSON of a payload, and its hash: equal payloads have equal hashes, however they were written."""

import hashlib
import json
from decimal import Decimal
from typing import Any


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no blanks; non-ASCII letters as they are, numbers in plain notation as they were read.

    10.50 stays 10.50, 1e3 is 1000; no number passes through a binary float.
    """
    if isinstance(value, dict):
        members = (f"{json.dumps(key, ensure_ascii=False)}:{canonical_json(value[key])}" for key in sorted(value))
        return f"{{{','.join(members)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(canonical_json, value))}]"
    if isinstance(value, Decimal):
        return format(value, "f")
    return json.dumps(value, ensure_ascii=False)


def payload_hash(payload: dict[str, Any]) -> str:
    """The SHA-256 of a payload's canonical JSON, in hexadecimal."""
    return text_hash(canonical_json(payload))


def text_hash(text: str) -> str:
    """The SHA-256 of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
