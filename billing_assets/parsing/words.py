"""Closed vocabularies: customer types, statuses, payment methods, in any case."""

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa

from billing_assets.parsing.blanks import trimmed
from billing_assets.parsing.problem import Problem
from migration.parsing.cells import Value
from migration.parsing.vectors import Parsed, parse_vector

BANDWIDTH, MAC, SOHO, OTHER = "Bandwidth", "MAC", "SOHO", "Other"
CUSTOMER_TYPES = (BANDWIDTH, MAC, SOHO)
BANK_TRANSFER = "Bank Transfer"
PAYMENT_METHODS = ("Cash", BANK_TRANSFER, "Check", "Mobile Banking", OTHER)

CUSTOMER_STATUSES = ("Active", "Inactive", "Lost")
BILL_STATUSES = ("Active", "Inactive")
SERVICE_STATUSES = ("Active", "Inactive", "Suspended")
PAID_STATUSES = ("Pending", "Unpaid", "Paid", "Partial")

Vocabulary = Mapping[str, str]


def _spellings(**words: tuple[str, ...]) -> dict[str, str]:
    return {spelling: canonical for canonical, spellings in words.items() for spelling in spellings}


customer_type_words: Vocabulary = _spellings(
    Bandwidth=("bandwidth", "reseller", "bandwidth/reseller"),
    MAC=("mac", "mac partner", "channel partner", "franchise"),
    SOHO=("soho", "home", "soho/home"),
)
payment_type_words: Vocabulary = {**customer_type_words, "other": OTHER}
payment_method_words: Vocabulary = _spellings(
    **{
        "Cash": ("cash",),
        BANK_TRANSFER: ("bank transfer", "bank", "bank_transfer", "beftn", "npsb", "rtgs"),
        "Check": ("check", "cheque"),
        "Mobile Banking": ("mobile banking", "mobile_banking", "bkash", "nagad", "rocket", "mfs"),
        OTHER: ("other",),
    }
)


def same_words(words: tuple[str, ...]) -> Vocabulary:
    """The vocabulary of words that are only spelled in another case."""
    return {word.lower(): word for word in words}


def word(value: Value, vocabulary: Vocabulary) -> str | Problem:
    """The canonical spelling of a word; one that the vocabulary does not hold is UNPARSEABLE."""
    given = trimmed(value)
    if given is None:
        return Problem.BLANK
    known = vocabulary.get(given.lower()) if isinstance(given, str) else None
    return Problem.UNPARSEABLE if known is None else known


def words(cells: pd.Series, vocabulary: Vocabulary) -> Parsed:
    """A column of `word` as string; problems are BLANK and UNPARSEABLE."""
    return parse_vector(cells, pa.string(), lambda value: word(value, vocabulary))
