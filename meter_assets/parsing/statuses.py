"""Vocabularies: bill types, statuses, payment methods and the one role that counts.

A scalar parser gives the canonical word or says why there is none. A column parser also fills in the word that a
missing or a strange value stands for, where the load goes on with one; the problem stays on record for its warning.
"""

import pandas as pd
import pyarrow as pa

from meter_assets.parsing.labels import SEPARATORS, label
from meter_assets.parsing.problem import Problem
from meter_assets.parsing.text import text
from migration.parsing.cells import Value
from migration.parsing.vectors import Parsed, parse_vector

BALANCE_BILL = "BALANCE"
UNKNOWN_BILL = "UNKNOWN"
UNKNOWN = "unknown"

METER_STATUSES = ("active", "inactive", "disconnected", "faulty", "retired", UNKNOWN)
PAYMENT_STATUSES = ("paid", "completed", "pending", "reversed", "failed", "cancelled")
PAYMENT_METHODS = ("cash", "mpesa", "bank", "card", "cheque", "other")
OVERPAYMENT_STATUSES = ("available", "applied", "refunded")

VOID_INVOICE_STATUSES = ("reversed", "cancelled", "void", "voided")
VOID_PAYMENT_STATUSES = ("reversed", "failed", "cancelled")

_CUSTOMER = "customer"
_OTHER = "other"
_KNOWN_METER_STATUSES = frozenset(METER_STATUSES) - {UNKNOWN}
_INVOICE_SYNONYMS = {"canceled": "cancelled"}
_PAYMENT_SYNONYMS = {"canceled": "cancelled", "complete": "completed", "success": "completed"}
_METHOD_SYNONYMS = {"checque": "cheque", "check": "cheque", "banktransfer": "bank"}
_KNOWN_METHODS = frozenset(PAYMENT_METHODS) - {_OTHER}
_OVERPAYMENT_SYNONYMS = {"used": "applied"}


def bill_type(value: Value) -> str | Problem:
    """Bill type in upper case with single `_` for white space, hyphens and underscores, also at the ends.

    Any text is a type; nothing given is NULL.
    """
    found = text(value)
    return found if isinstance(found, Problem) else SEPARATORS.sub("_", found.upper())


def bill_types(cells: pd.Series) -> Parsed:
    """A column of bill types as string, `UNKNOWN` where the problem is NULL; there is no other."""
    return parse_vector(cells, pa.string(), bill_type).with_default(UNKNOWN_BILL, Problem.NULL)


def meter_status(value: Value) -> str | Problem:
    """Meter status; the word `unknown` itself is none, so it is UNPARSABLE like every strange one."""
    return _known(label(value), _KNOWN_METER_STATUSES)


def meter_statuses(cells: pd.Series) -> Parsed:
    """A column of meter statuses as string, `unknown` where the problem is NULL or UNPARSABLE."""
    return parse_vector(cells, pa.string(), meter_status).with_default(UNKNOWN, Problem.NULL, Problem.UNPARSABLE)


def invoice_status(value: Value) -> str | Problem:
    """Invoice status, an open vocabulary: any label; nothing given is NULL."""
    return _canonical(label(value), _INVOICE_SYNONYMS)


def invoice_statuses(cells: pd.Series) -> Parsed:
    """A column of invoice statuses as string, `unknown` where the problem is NULL; there is no other."""
    return parse_vector(cells, pa.string(), invoice_status).with_default(UNKNOWN, Problem.NULL)


def payment_status(value: Value) -> str | Problem:
    """Payment status as written, whether or not the payment has a time of reversal; strange words are UNPARSABLE."""
    return _known(_canonical(label(value), _PAYMENT_SYNONYMS), frozenset(PAYMENT_STATUSES))


def payment_statuses(cells: pd.Series) -> Parsed:
    """A column of payment statuses as string, `paid` where the problem is NULL, missing where it is UNPARSABLE."""
    return parse_vector(cells, pa.string(), payment_status).with_default("paid", Problem.NULL)


def payment_method(value: Value) -> str | Problem:
    """Payment method of a label whose spaces do not count; strange words, `other` among them, are UNPARSABLE."""
    found = label(value)
    joined = found if isinstance(found, Problem) else found.replace(" ", "")
    return _known(_canonical(joined, _METHOD_SYNONYMS), _KNOWN_METHODS)


def payment_methods(cells: pd.Series) -> Parsed:
    """A column of payment methods as string, `other` where the problem is NULL or UNPARSABLE."""
    return parse_vector(cells, pa.string(), payment_method).with_default(_OTHER, Problem.NULL, Problem.UNPARSABLE)


def overpayment_status(value: Value) -> str | Problem:
    """Status of a customer credit; strange words are UNPARSABLE."""
    return _known(_canonical(label(value), _OVERPAYMENT_SYNONYMS), frozenset(OVERPAYMENT_STATUSES))


def overpayment_statuses(cells: pd.Series) -> Parsed:
    """A column of credit statuses as string, `available` where the problem is NULL, missing where it is UNPARSABLE."""
    return parse_vector(cells, pa.string(), overpayment_status).with_default("available", Problem.NULL)


def is_customer(value: Value) -> bool:
    """Whether the role of a user is that of a customer; no role is not."""
    return label(value) == _CUSTOMER


def are_customers(cells: pd.Series) -> pd.Series:
    """Whether each user of a column of roles is a customer, as bool without missing entries."""
    return parse_vector(cells, pa.bool_(), is_customer).value


def _canonical(found: str | Problem, synonyms: dict[str, str]) -> str | Problem:
    return found if isinstance(found, Problem) else synonyms.get(found, found)


def _known(found: str | Problem, vocabulary: frozenset[str]) -> str | Problem:
    return found if isinstance(found, Problem) or found in vocabulary else Problem.UNPARSABLE
