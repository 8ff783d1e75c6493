"""Names and e-mails of guests, and which of them the parsers of the legacy system have made up."""

import re

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from booking_assets.parsing.problem import Problem
from booking_assets.parsing.texts import text
from migration.parsing.cells import Value
from migration.parsing.vectors import Parsed, only_matching, parse_vector

NAME_LENGTH = 191
EMAIL_LENGTH = 191

PLACEHOLDER_NAMES = frozenset({"guest", "customer", "unknown", "cancelled", "n/a", "na", "-", "test"})
PLACEHOLDER_EMAILS = frozenset(
    {
        "no-email@getyourguide.com",
        "cancelled@getyourguide.com",
        "no-email@unknown.com",
        "no-email@viator.com",
        "no-email@trip.com",
        "test@test.com",
    }
)
PLACEHOLDER_DOMAIN = "@example.com"

_USUAL = r"^[A-Za-z0-9._%+-]{1,60}@[A-Za-z0-9.-]{1,60}\.[A-Za-z0-9-]{1,60}$"
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")


def is_placeholder_name(name: str | None) -> bool:
    """Whether a name, or none, says nothing about who the guest is."""
    return name is None or name.lower() in PLACEHOLDER_NAMES


def email(value: Value) -> str | Problem:
    """E-mail address in lower case, placeholders among them; nothing given is NULL, all else INVALID."""
    found = text(value)
    if isinstance(found, Problem):
        return found
    address = found.lower()
    return address if len(address) <= EMAIL_LENGTH and _EMAIL.fullmatch(address) else Problem.INVALID


def emails(cells: pd.Series) -> Parsed:
    """A column of `email` as string; problems are NULL and INVALID."""
    return parse_vector(cells, pa.string(), email, _quick)


def _quick(cells: pa.Array) -> pa.Array:
    return pc.call_function("ascii_lower", [only_matching(cells, _USUAL)]).cast(pa.string())


def is_placeholder_email(address: str) -> bool:
    """Whether an address, in lower case, is one that the parsers write when there is none."""
    return address in PLACEHOLDER_EMAILS or address.endswith(PLACEHOLDER_DOMAIN)
