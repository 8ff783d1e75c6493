r"""Escapes in JSON text that PostgreSQL, or UTF-8 itself, cannot hold: unpaired surrogates and U+0000.

JSON allows `\ud83d` alone (a cut emoji), which no UTF-8 text can hold and which decoders refuse. So the bytes are
mended before they are decoded, and only where such an escape occurs. A surrogate that is to vanish is first turned
into `\u0000`, which is taken out of the decoded texts: taking it out of the bytes could turn broken JSON into valid.
"""

import re
from collections.abc import Callable
from typing import Any, Literal

_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
# Pairs and escaped backslashes are matched so that they are stepped over whole; group 1 is an unpaired surrogate.
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)
_NUL = "\x00"

Clean = Callable[[Any], Any]


def has_suspects(text: bytes) -> bool:
    """Whether JSON text may hold an escape that `mend_escapes` changes, or a U+0000."""
    return _SUSPECT.search(text) is not None


def mend_escapes(text: bytes, surrogates: Literal["replace", "remove"]) -> bytes:
    """JSON text without unpaired surrogate escapes: each is now U+FFFD, or U+0000 for `without_nul` to remove."""
    substitute = rb"\ufffd" if surrogates == "replace" else rb"\u0000"
    return _ESCAPE.sub(lambda escape: substitute if escape.group(1) else escape.group(), text)


def hide_surrogates(text: bytes) -> tuple[bytes, bytes]:
    r"""JSON text whose unpaired surrogate escapes no decoder refuses, with nothing lost.

    Returns:
        The text with another sign in place of their backslashes, and the sign: replacing it by a backslash, anywhere
        in a piece of the text, gives what was there before.
    """
    number = 0
    # It begins and ends with characters of its own, so that it overlaps with nothing.
    while (sign := b"<\x7f%d>" % number) in text:
        number += 1
    return _ESCAPE.sub(lambda escape: sign + escape.group(1)[1:] if escape.group(1) else escape.group(), text), sign


def without_nul(value: Any) -> Any:
    """A decoded value without U+0000 in its texts and keys, at every depth; of keys then equal the last counts."""
    if isinstance(value, str):
        return value.replace(_NUL, "")
    if isinstance(value, list):
        return [without_nul(item) for item in value]
    if isinstance(value, dict):
        return {key.replace(_NUL, ""): without_nul(item) for key, item in value.items()}
    return value
