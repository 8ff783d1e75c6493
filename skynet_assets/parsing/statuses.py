"""Closed vocabularies and small fields: connection and payment status, payment method, proof, speed, branch counts."""

import re
from typing import Literal, NamedTuple

from migration.parsing.cells import Value
from skynet_assets.parsing.photos import is_placeholder_image
from skynet_assets.parsing.problem import Problem
from skynet_assets.parsing.text import text

_CONNECTION = {
    "active": "active|aktif|on|online",
    "isolated": "isolated|isolir|terisolir|off|suspended",
    "offline": "offline",
    "terminated": "terminated|berhenti|putus|nonaktif|inactive",
    "unknown": "unknown",
}
_PAYMENT = {
    "paid": "lunas|sudah lunas|paid|sudah bayar",
    "partial": "sebagian|cicil|dicicil|angsuran|partial|kurang bayar",
    "unpaid": "belum lunas|belum|belum bayar|unpaid|tunggakan|menunggak",
    "void": "batal|dibatalkan|void|cancel|cancelled",
}
_RANKS = {"void": 0, "unpaid": 1, "partial": 2, "paid": 3}

_TRANSFER = re.compile(r"transfer|mandiri|permata|danamon|seabank|virtual")
_TRANSFER_WORDS = frozenset({"bca", "bni", "bri", "bsi", "btn", "cimb", "bank", "va", "tf", "trf"})
_LETTER_RUN = re.compile(r"[a-z]+")
_UNSAFE_SCHEMES = ("javascript:", "data:", "file:")

_SPEED = re.compile(r"([0-9]{1,4})\s*(?:mbps|mb|m)\b", re.IGNORECASE)
_COUNT = re.compile(r"([0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+)(?: ?[A-Za-z]+)?")
_MAX_COUNT = 2_147_483_647
_TOTAL_ROWS = frozenset({"TOTAL", "GRAND TOTAL", "JUMLAH", "SUBTOTAL", "SUB TOTAL"})


class ConnectionStatus(NamedTuple):
    """A canonical connection status, and whether the word was one we know."""

    status: str
    recognised: bool


class PaymentStatus(NamedTuple):
    """A canonical payment status; of several rows for one invoice the highest rank counts."""

    status: str
    rank: int


class Proof(NamedTuple):
    """A proof of payment as a URL or path, and whether one was dropped because opening it could run code."""

    value: str | None
    unsafe: bool


def _by_word(vocabulary: dict[str, str]) -> dict[str, str]:
    return {word: canonical for canonical, words in vocabulary.items() for word in words.split("|")}


_CONNECTION_OF = {word: ConnectionStatus(status, recognised=True) for word, status in _by_word(_CONNECTION).items()}
_PAYMENT_OF = {word: PaymentStatus(status, _RANKS[status]) for word, status in _by_word(_PAYMENT).items()}


def connection_status(value: Value) -> ConnectionStatus:
    """Canonical connection status of a whole word in any case; nothing is `unknown`, a strange word unrecognised."""
    found = text(value)
    word = "unknown" if found is None else found.casefold()
    return _CONNECTION_OF.get(word) or ConnectionStatus("unknown", recognised=False)


def payment_status(value: Value) -> PaymentStatus | Literal[Problem.INVALID]:
    """Canonical payment status of the whole value in any case; nothing is `unpaid`, a strange value INVALID."""
    found = text(value)
    word = "unpaid" if found is None else found.casefold()
    return _PAYMENT_OF.get(word, Problem.INVALID)


def payment_method(value: Value) -> str | None:
    """`qris`, `cash`, `transfer` or `other` by the words in the free text; None if there is none."""
    found = text(value)
    if found is None:
        return None
    written = found.casefold()
    if "qris" in written:
        return "qris"
    if "cash" in written or "tunai" in written:
        return "cash"
    if _TRANSFER.search(written) or not _TRANSFER_WORDS.isdisjoint(_LETTER_RUN.findall(written)):
        return "transfer"
    return "other"


def proof(value: Value) -> Proof:
    """Proof of payment as written; placeholder images are none, and so, flagged, are URLs that can run code."""
    found = text(value)
    if found is None or is_placeholder_image(found):
        return Proof(None, unsafe=False)
    if found.casefold().startswith(_UNSAFE_SCHEMES):
        return Proof(None, unsafe=True)
    return Proof(found, unsafe=False)


def speed_mbps(name: str | None) -> int | None:
    """Speed in a package name: the first number before `M`, `MB` or `Mbps`; zero and nothing are None."""
    match = _SPEED.search(name or "")
    return int(match[1]) or None if match else None


def branch_count(value: Value) -> int | Literal[Problem.INVALID] | None:
    """Count of `12`, `1.234` or `12 Plg`, as far as an integer column holds it; None if nothing was given."""
    found = text(value)
    if found is None:
        return None
    match = _COUNT.fullmatch(found)
    if match is None:
        return Problem.INVALID
    digits = match[1].replace(".", "").lstrip("0") or "0"
    # Python refuses to read very long integers, so the length is looked at first.
    if len(digits) > len(str(_MAX_COUNT)) or int(digits) > _MAX_COUNT:
        return Problem.INVALID
    return int(digits)


def is_total_row(branch_key: str) -> bool:
    """Whether a branch key names the sum of the dashboard instead of a branch."""
    return branch_key in _TOTAL_ROWS
