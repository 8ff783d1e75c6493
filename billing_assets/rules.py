"""What a good row of the billing system is: ordered row rules with their reason codes, over parsed frames.

How a single value is read lives in `billing_assets.parsing`. A parsed frame holds references twice: as given, under
the legacy name, and as the id of the loaded row that they lead to, under the target's name; so a reference that leads
nowhere is missing there.
"""

from collections.abc import Callable

import pandas as pd

from billing_assets.parsing.problem import Problem
from billing_assets.parsing.words import BANDWIDTH, MAC, SOHO
from billing_assets.sources import CHARGES
from billing_assets.tables import SOHO_PACKAGES_FROM
from migration.declare.resolving import PROBLEM
from migration.outcome import Outcome, Rule

Predicate = Callable[[pd.DataFrame], pd.Series]
FIRST_DAY, LAST_DAY = 1, 31
BILL_REFERENCES = {BANDWIDTH: "customer", MAC: "mac_partner", SOHO: "soho_customer"}
PAID_BILLS = ("bill_record", "mac_bill", "soho_bill")


def blank(column: str) -> Predicate:
    """Nothing was given."""
    return lambda rows: rows[f"{column}{PROBLEM}"].eq(Problem.BLANK.value)


def unparseable(column: str) -> Predicate:
    """Something was given that cannot be read."""
    return lambda rows: rows[f"{column}{PROBLEM}"].eq(Problem.UNPARSEABLE.value)


def _compared(test: Predicate) -> Predicate:
    """A comparison of values, false where one is missing."""
    return lambda rows: test(rows).fillna(value=False).astype(bool)


def _required(column: str, code: str) -> tuple[Rule, ...]:
    return (Rule("MISSING_REQUIRED", blank(column), column), Rule(code, unparseable(column), column))


def _required_text(column: str) -> Rule:
    return Rule("MISSING_REQUIRED", blank(column), column)


def _reference(column: str, code: str) -> tuple[Rule, ...]:
    return *_required(column, "BAD_REFERENCE"), Rule(code, lambda rows: rows[f"{column}_id"].isna(), column)


def _not_negative(column: str) -> tuple[Rule, ...]:
    negative = _compared(lambda rows: rows[column] < 0)
    return Rule("BAD_NUMBER", unparseable(column), column), Rule("NEGATIVE_VALUE", negative, column)


def _percentage(column: str) -> tuple[Rule, ...]:
    outside = _compared(lambda rows: (rows[column] < 0) | (rows[column] > 100))
    return Rule("BAD_NUMBER", unparseable(column), column), Rule("PERCENT_OUT_OF_RANGE", outside, column)


def _word(column: str, code: str = "BAD_ENUM") -> Rule:
    return Rule(code, unparseable(column), column)


_KEYED = (
    Rule("MALFORMED_ROW", lambda rows: rows["malformed"].notna()),
    Rule("BAD_ID", lambda rows: rows[f"id{PROBLEM}"].ne(0), "id"),
)
_CHARGES = tuple(rule for name in CHARGES for rule in _not_negative(name))

# --- customers --------------------------------------------------------------------------------------------------------

sales_customer = (
    *_KEYED,
    _required_text("name"),
    _word("customer_type", "UNKNOWN_CUSTOMER_TYPE"),
    _word("status"),
)
mac_partner = (
    *_KEYED,
    _required_text("mac_cust_name"),
    *_percentage("percentage_share"),
    _word("is_active"),
)
package = (
    *_KEYED,
    Rule("BAD_ID", _compared(lambda rows: rows["id"] >= SOHO_PACKAGES_FROM), "id"),
    _required_text("name"),
    Rule("PACKAGE_TYPE_MISMATCH", lambda rows: rows[f"type{PROBLEM}"].eq(Problem.UNPARSEABLE.value), "type"),
    *_not_negative("mbps"),
    Rule("MISSING_REQUIRED", blank("mbps"), "mbps"),
    Rule("MISSING_REQUIRED", blank("rate"), "rate"),
    *_not_negative("rate"),
    _word("is_active"),
)
mac_end_customer = (
    *_KEYED,
    _required_text("name"),
    *_reference("mac_partner", "ORPHAN_MAC_PARTNER"),
    *_required("activation_date", "BAD_DATE"),
    *_not_negative("custom_rate"),
    _word("status"),
)
soho_customer = (
    *_KEYED,
    _required_text("cust_name"),
    *_required("activation_date", "BAD_DATE"),
    *_not_negative("rate"),
    Rule("MISSING_REQUIRED", lambda rows: rows["rate"].isna(), "rate"),
    _word("status"),
)

# --- bills ------------------------------------------------------------------------------------------------------------


def _own_reference_missing(rows: pd.DataFrame) -> pd.Series:
    """The reference that the type of a bill asks for; any, where no type is given."""
    missing = rows["references"].eq(0)
    for kind, column in BILL_REFERENCES.items():
        missing |= rows["customer_type"].eq(kind).fillna(value=False).astype(bool) & rows[column].isna()
    return missing


def _leads_nowhere(kind: str, column: str) -> Predicate:
    return _compared(lambda rows: rows["customer_type"].eq(kind) & rows[f"{column}_id"].isna())


bill_record = (
    *_KEYED,
    _word("customer_type", "UNKNOWN_CUSTOMER_TYPE"),
    *(Rule("BAD_REFERENCE", unparseable(column), column) for column in BILL_REFERENCES.values()),
    Rule("BILL_FK_MISSING", _own_reference_missing, "customer_type"),
    Rule("BILL_FK_CONFLICT", lambda rows: rows["references"].gt(1), "customer_type"),
    Rule("ORPHAN_CUSTOMER", _leads_nowhere(BANDWIDTH, "customer"), "customer"),
    Rule("ORPHAN_MAC_PARTNER", _leads_nowhere(MAC, "mac_partner"), "mac_partner"),
    Rule("ORPHAN_SOHO_CUSTOMER", _leads_nowhere(SOHO, "soho_customer"), "soho_customer"),
    *_required("billing_date", "BAD_DATE"),
    *_CHARGES,
    _word("status"),
)


def _outside_a_month(rows: pd.DataFrame) -> pd.Series:
    return ~(rows["start_day"].between(FIRST_DAY, LAST_DAY) & rows["end_day"].between(FIRST_DAY, LAST_DAY))


bill_pricing_period = (
    *_KEYED,
    *_reference("bill_record", "ORPHAN_BILL_RECORD"),
    *_required("start_day", "BAD_NUMBER"),
    *_required("end_day", "BAD_NUMBER"),
    Rule("PERIOD_DAY_OUT_OF_RANGE", _compared(_outside_a_month), "start_day, end_day"),
    Rule("PERIOD_END_BEFORE_START", _compared(lambda rows: rows["end_day"] < rows["start_day"]), "end_day"),
    Rule("PERIOD_OUTSIDE_MONTH", _compared(lambda rows: rows["start_day"] > rows["days_in_month"]), "start_day"),
    *_CHARGES,
)
period_overlap = Rule("PERIOD_OVERLAP", lambda rows: rows["overlaps"], "start_day")

mac_bill = (
    *_KEYED,
    *_reference("mac_partner", "ORPHAN_MAC_PARTNER"),
    *_required("bill_date", "BAD_DATE"),
    *_not_negative("total_client"),
    *_not_negative("total_revenue"),
    *_percentage("percentage_share"),
)
soho_bill = (
    *_KEYED,
    *_reference("soho_customer", "ORPHAN_SOHO_CUSTOMER"),
    *_required("bill_date", "BAD_DATE"),
    *_not_negative("rate"),
    *_not_negative("total_bill"),
)
recomputed = (Rule("RECOMPUTED", lambda rows: rows["source_row"].notna(), outcome=Outcome.SKIPPED),)

# --- payments ---------------------------------------------------------------------------------------------------------


def _bill_not_loaded(column: str) -> Predicate:
    return lambda rows: rows[column].notna() & rows[f"{column}_id"].isna()


payment_record = (
    *_KEYED,
    *(Rule("BAD_REFERENCE", unparseable(column), column) for column in PAID_BILLS),
    Rule("PAYMENT_NO_BILL", lambda rows: rows[list(PAID_BILLS)].isna().all(axis=1)),
    *(Rule(f"ORPHAN_{column.upper()}", _bill_not_loaded(column), column) for column in PAID_BILLS),
    *_required("payment_date", "BAD_DATE"),
    Rule("MISSING_REQUIRED", blank("amount"), "amount"),
    *_not_negative("amount"),
    Rule("ZERO_AMOUNT", _compared(lambda rows: rows["amount"] == 0), "amount", outcome=Outcome.SKIPPED),
    _word("payment_type", "UNKNOWN_PAYMENT_TYPE"),
    Rule("PAYMENT_TYPE_MISMATCH", lambda rows: rows["allocated_to"].isna(), "payment_type"),
)
