"""What a good Skynet row is: ordered row rules with their reason codes, over parsed frames.

How a single value is read lives in `skynet_assets.parsing`; what the target columns may hold is declared with them in
`skynet_assets.tables`.
"""

import datetime as dt

import pandas as pd

from migration.outcome import Outcome, Rule
from skynet_assets.parsing.problem import Problem

MAX_ID_LENGTH = 50
FIRST_PERIOD = dt.date(2021, 1, 1)
ADVANCE_MONTHS = 12
DEFAULT_BILLING_DAY = 20

_not_an_object = Rule("NOT_AN_OBJECT", lambda rows: rows["malformed"].notna())
_identified = (
    _not_an_object,
    Rule("MISSING_ID", lambda rows: rows["customer_id"].isna(), "id_pelanggan"),
    Rule("ID_TOO_LONG", lambda rows: rows["customer_id"].map(_length) > MAX_ID_LENGTH, "id_pelanggan"),
)

customer = _identified
branch = (
    _not_an_object,
    Rule("MISSING_BRANCH", lambda rows: rows["branch_key"].isna(), "cabang"),
    Rule("total_row", lambda rows: rows["is_total"], outcome=Outcome.SKIPPED),
    Rule("DUPLICATE_CONFLICT", lambda rows: rows["conflicts"], "cabang"),
)


def payment(last_period: dt.date, known_customers: frozenset[str]) -> tuple[Rule, ...]:
    """The rules of a payment row.

    Args:
        last_period: the latest month a payment may be for.
        known_customers: ids in the customers table, after this export's customers were loaded.
    """
    return (
        *_identified,
        Rule("MISSING_PERIOD", lambda rows: rows["period"] == Problem.MISSING, "periode"),
        Rule("INVALID_PERIOD", lambda rows: rows["period"] == Problem.INVALID, "periode"),
        Rule("PERIOD_OUT_OF_RANGE", lambda rows: _outside(rows["period"], last_period), "periode"),
        Rule("MISSING_AMOUNT", lambda rows: rows["amount"] == Problem.MISSING, "nominal_harus_dibayar"),
        Rule("INVALID_AMOUNT", lambda rows: _unusable(rows["amount"]), "nominal_harus_dibayar"),
        Rule("INVALID_PAYMENT", lambda rows: _unusable(rows["paid"]), "nominal_pembayaran"),
        Rule("UNKNOWN_STATUS", lambda rows: rows["status"] == Problem.INVALID, "status_pembayaran"),
        Rule("ORPHAN_CUSTOMER", lambda rows: ~rows["customer_id"].isin(known_customers), "id_pelanggan"),
    )


def _length(text: str | None) -> int:
    return len(text) if isinstance(text, str) else 0


def _outside(periods: pd.Series, last_period: dt.date) -> pd.Series:
    return periods.map(lambda p: isinstance(p, dt.date) and not FIRST_PERIOD <= p <= last_period)


def _unusable(amounts: pd.Series) -> pd.Series:
    return amounts.map(lambda a: a is Problem.INVALID or (not isinstance(a, Problem) and a < 0))
