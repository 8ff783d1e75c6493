"""Vocabularies: what the words of both systems mean, as tables, and the parsers that look them up."""

import pandas as pd
import pyarrow as pa

from booking_assets.parsing.problem import Problem
from booking_assets.parsing.texts import upper
from migration.parsing.cells import Value
from migration.parsing.vectors import Parsed, parse_vector

# --- what the core holds ----------------------------------------------------------------------------------------------

DIRECT, MANUAL, VIATOR, BOKUN = "DIRECT", "MANUAL", "VIATOR", "BOKUN"
CHANNELS = {
    DIRECT: "Direct Website",
    "GYG": "GetYourGuide",
    VIATOR: "Viator",
    BOKUN: "Bokun",
    "TRIPDOTCOM": "Trip.com",
    MANUAL: "Manual Ops Input",
}
UNMAPPED, MAPPED, REVIEW_REQUIRED = "UNMAPPED", "MAPPED", "REVIEW_REQUIRED"
MAPPING_STATUSES = {UNMAPPED: "Waiting Mapping", MAPPED: "Mapped", REVIEW_REQUIRED: "Needs Manual Review"}

DRAFT, PENDING_PAYMENT, PAID, FAILED, REFUNDED = "DRAFT", "PENDING_PAYMENT", "PAID", "FAILED", "REFUNDED"
PAYMENT_STATUSES = (DRAFT, PENDING_PAYMENT, PAID, FAILED, REFUNDED)
# The higher a signal stands, the more it counts.
PAYMENT_PRECEDENCE = (DRAFT, PENDING_PAYMENT, FAILED, PAID, REFUNDED)

NEW, READY, ATTENTION, UPDATED = "NEW", "READY", "ATTENTION", "UPDATED"
COMPLETED, DONE, CANCELLED, NO_SHOW = "COMPLETED", "DONE", "CANCELLED", "NO_SHOW"
OPS_STATUSES = (NEW, READY, ATTENTION, UPDATED, COMPLETED, DONE, CANCELLED, NO_SHOW)
SETTLED, PENDING = "SETTLED", "PENDING"

PRIVATE = "PRIVATE"
SERVICE_TYPES = (PRIVATE, "SHARED", "CUSTOM")
TRAVELER_TYPES = ("ADULT", "CHILD", "INFANT")
PAYMENT_METHODS = ("PAYPAL", "MANUAL", "OTHER")

# --- what the legacy words mean ---------------------------------------------------------------------------------------

BOOKING_STATUS_V2 = {
    "REFUNDED": REFUNDED,
    "PAID": PAID,
    "CONFIRMED": PAID,
    "COMPLETED": PAID,
    "CANCELLED": FAILED,
    "EXPIRED": FAILED,
    "PENDING_PAYMENT": PENDING_PAYMENT,
    "DRAFT": DRAFT,
}
BOOKING_STATUS = {
    "PAID": PAID,
    "COMPLETED": PAID,
    "CONFIRMED": PAID,
    "REFUNDED": REFUNDED,
    "DRAFT": DRAFT,
    "CANCELLED": FAILED,
    "CANCELED": FAILED,
    "EXPIRED": FAILED,
    "FAILED": FAILED,
    "PENDING": PENDING_PAYMENT,
    "WAITING": PENDING_PAYMENT,
    "PENDING_PAYMENT": PENDING_PAYMENT,
}
CANCELLED_STATUS_V2 = frozenset({"CANCELLED", "EXPIRED"})
CANCELLED_STATUS = frozenset({"CANCELLED", "CANCELED", "EXPIRED"})
CANCELLED_ITEM = "CANCELLED"
PAYMENT_STATUS_V2 = {
    "COMPLETED": PAID,
    "REFUNDED": REFUNDED,
    "FAILED": FAILED,
    "CANCELLED": FAILED,
    "PENDING": PENDING_PAYMENT,
    "AUTHORIZED": PENDING_PAYMENT,
    "PARTIALLY_REFUNDED": PAID,
}
PAYMENT_STATUS = {
    "PAID": PAID,
    "COMPLETED": PAID,
    "CAPTURED": PAID,
    "SUCCESS": PAID,
    "CONFIRMED": PAID,
    "REFUNDED": REFUNDED,
    "FAILED": FAILED,
    "CANCELLED": FAILED,
    "CANCELED": FAILED,
}
# A method is what it mentions first in this list.
_METHOD_WORDS = (("PAYPAL", "PAYPAL"), *((word, "MANUAL") for word in ("MANUAL", "CASH", "BANK", "TRANSFER")))


def channel(value: Value) -> str | Problem:
    """One of the six channels; nothing given is NULL, every other word INVALID."""
    return _known(value, CHANNELS)


def channels(cells: pd.Series) -> Parsed:
    """A column of `channel` as string, MANUAL where there is none; the problems NULL and INVALID stay on record."""
    return parse_vector(cells, pa.string(), channel).with_default(MANUAL, Problem.NULL, Problem.INVALID)


def booking_signal(status_v2: Value, status: Value) -> str | None:
    """What the two statuses of a website booking say of its payment; the older one only where the newer is silent."""
    found = _meaning(status_v2, BOOKING_STATUS_V2)
    return found if found is not None else _meaning(status, BOOKING_STATUS)


def booking_is_cancelled(status_v2: Value, status: Value) -> bool:
    """Whether the two statuses of a website booking say that it will not take place."""
    if _meaning(status_v2, BOOKING_STATUS_V2) is not None:
        return upper(status_v2) in CANCELLED_STATUS_V2
    return upper(status) in CANCELLED_STATUS


def booking_signals(status_v2: pd.Series, status: pd.Series) -> pd.Series:
    """`booking_signal` of the rows of two columns, missing where they say nothing."""
    newer, older = (_meanings(*each) for each in ((status_v2, BOOKING_STATUS_V2), (status, BOOKING_STATUS)))
    return newer.fillna(older)


def bookings_are_cancelled(status_v2: pd.Series, status: pd.Series) -> pd.Series:
    """`booking_is_cancelled` of the rows of two columns, as bool without missing entries."""
    known = _meanings(status_v2, BOOKING_STATUS_V2).notna()
    newer = parse_vector(status_v2, pa.bool_(), lambda value: upper(value) in CANCELLED_STATUS_V2).value
    older = parse_vector(status, pa.bool_(), lambda value: upper(value) in CANCELLED_STATUS).value
    return newer.where(known, older)


def payment_meanings(status_v2: pd.Series, status: pd.Series) -> pd.Series:
    """`payment_status` of the rows of two columns."""
    newer, older = (_meanings(*each) for each in ((status_v2, PAYMENT_STATUS_V2), (status, PAYMENT_STATUS)))
    return newer.fillna(older).fillna(PENDING_PAYMENT)


def payment_status(status_v2: Value, status: Value) -> str:
    """What the two statuses of a payment say of it; PENDING_PAYMENT when neither says anything."""
    found = _meaning(status_v2, PAYMENT_STATUS_V2)
    return found or _meaning(status, PAYMENT_STATUS) or PENDING_PAYMENT


def payment_method(value: Value) -> str:
    """PAYPAL, MANUAL or OTHER, by the words that a method holds."""
    found = upper(value)
    if isinstance(found, Problem):
        return "OTHER"
    return next((method for word, method in _METHOD_WORDS if word in found), "OTHER")


def ops_status(value: Value) -> str | Problem:
    """One of the eight statuses of a trip; nothing given is NULL, every other word INVALID."""
    return _known(value, OPS_STATUSES)


def ops_statuses(cells: pd.Series) -> Parsed:
    """A column of `ops_status` as string, NEW where there is none; the problems NULL and INVALID stay on record."""
    return parse_vector(cells, pa.string(), ops_status).with_default(NEW, Problem.NULL, Problem.INVALID)


def is_active_item(value: Value) -> bool:
    """Whether a booked item counts: every status but cancelled, also none and strange ones."""
    return upper(value) != CANCELLED_ITEM


def are_active_items(cells: pd.Series) -> pd.Series:
    """Whether each item of a column of statuses counts, as bool without missing entries."""
    return parse_vector(cells, pa.bool_(), is_active_item).value


def service_type(value: Value) -> str | Problem:
    """PRIVATE, SHARED or CUSTOM; nothing given is NULL, every other word INVALID."""
    return _known(value, SERVICE_TYPES)


def traveler_type(value: Value) -> str | Problem:
    """ADULT, CHILD or INFANT; nothing given is NULL, every other word INVALID."""
    return _known(value, TRAVELER_TYPES)


def service_types(cells: pd.Series) -> Parsed:
    """A column of `service_type` as string, PRIVATE where there is none; the problems stay on record."""
    return parse_vector(cells, pa.string(), service_type).with_default(PRIVATE, Problem.NULL, Problem.INVALID)


def traveler_types(cells: pd.Series) -> Parsed:
    """A column of `traveler_type` as string; problems are NULL and INVALID."""
    return parse_vector(cells, pa.string(), traveler_type)


def _known(value: Value, vocabulary: dict[str, str] | tuple[str, ...]) -> str | Problem:
    found = Problem.INVALID if isinstance(value, list | dict) else upper(value)
    return found if isinstance(found, Problem) or found in vocabulary else Problem.INVALID


def _meanings(cells: pd.Series, words: dict[str, str]) -> pd.Series:
    return parse_vector(cells, pa.string(), lambda value: _meaning(value, words)).value


def _meaning(value: Value, words: dict[str, str]) -> str | None:
    found = upper(value)
    return None if isinstance(found, Problem) else words.get(found)
