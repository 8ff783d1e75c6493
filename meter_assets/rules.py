"""What a good Meter row is by itself: ordered row rules with their reason codes, over parsed frames.

What a row says of others (its tenant, its parents) is judged by set, in the modules of the tables.
"""

from collections.abc import Callable

import pandas as pd

from meter_assets.parsing.problem import Problem
from migration.declare.resolving import PROBLEM
from migration.outcome import Outcome, Rule

Predicate = Callable[[pd.DataFrame], pd.Series]


def _has(column: str, *problems: Problem) -> Predicate:
    codes = [problem.value for problem in problems]
    return lambda rows: rows[f"{column}{PROBLEM}"].isin(codes)


def _negative(column: str) -> Predicate:
    return lambda rows: (rows[column] < 0).fillna(value=False).astype(bool)


def _required(column: str) -> tuple[Rule, ...]:
    return (
        Rule("MISSING_REQUIRED", _has(column, Problem.NULL), column),
        Rule("INVALID_REFERENCE", _has(column, Problem.UNPARSABLE), column),
    )


def _readable(column: str) -> tuple[Rule, ...]:
    return (Rule("INVALID_REFERENCE", _has(column, Problem.UNPARSABLE), column),)


def _amount(column: str) -> tuple[Rule, ...]:
    return (
        Rule("INVALID_AMOUNT", _has(column, Problem.NULL, Problem.UNPARSABLE), column),
        Rule("AMOUNT_OUT_OF_RANGE", _has(column, Problem.OUT_OF_RANGE), column),
        Rule("NEGATIVE_AMOUNT", _negative(column), column),
    )


def _status(column: str) -> Rule:
    return Rule("INVALID_STATUS", _has(column, Problem.UNPARSABLE), column)


_KEYED = (
    Rule("UNPARSEABLE_ROW", lambda rows: rows["malformed"].notna()),
    Rule("MISSING_PK", lambda rows: rows[f"id{PROBLEM}"], "id"),
)
_not_a_customer = Rule("NOT_CUSTOMER", lambda rows: ~rows[f"is_customer{PROBLEM}"], "role", outcome=Outcome.SKIPPED)

tenant = _KEYED
customer = (*_KEYED, _not_a_customer, *_required("tenant_id"))
meter = (*_KEYED, *_required("tenant_id"))
meter_assignment = (
    *_KEYED,
    *_readable("tenant_id"),
    *_required("customer_id"),
    *_required("meter_id"),
    Rule("INVALID_BOOLEAN", _has("is_active", Problem.UNPARSABLE), "is_active"),
)
bill = (*_KEYED, *_readable("tenant_id"), *_required("customer_id"))
invoice = (*_KEYED, *_readable("tenant_id"), *_required("customer_id"))
invoice_bill = (
    *_KEYED,
    *_required("invoice_id"),
    *_required("bill_id"),
    Rule("INVALID_AMOUNT", _has("amount", Problem.UNPARSABLE), "amount"),
    Rule("AMOUNT_OUT_OF_RANGE", _has("amount", Problem.OUT_OF_RANGE), "amount"),
)
payment = (*_KEYED, *_readable("tenant_id"), *_readable("customer_id"), *_amount("amount"), _status("status"))
overpayment = (
    *_KEYED,
    *_readable("tenant_id"),
    *_required("customer_id"),
    *_readable("payment_id"),
    *_amount("amount"),
    _status("status"),
)

# Where the sets that look for parents reject a row: the column that this is about.
ABOUT = {
    "ORPHAN_TENANT": "tenant_id",
    "ORPHAN_CUSTOMER": "customer_id",
    "ORPHAN_METER": "meter_id",
    "ORPHAN_INVOICE": "invoice_id",
    "ORPHAN_BILL": "bill_id",
    "ORPHAN_PAYMENT": "payment_id",
    "TENANT_MISMATCH": "tenant_id",
    "INVALID_AMOUNT": "amount",
}
