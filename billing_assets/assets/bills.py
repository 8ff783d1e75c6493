"""Bills: judged and split by month once per export, then loaded month by month."""

from collections.abc import Iterator

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from billing_assets import checks, rules, sources, tables
from billing_assets.assets import BILLING, BILLS, EXPORT, STAGING, TABLE_KINDS
from billing_assets.assets.customers import plain_texts, redirects, statuses
from billing_assets.assets.monthly import by_month, counted_for, part_of
from billing_assets.assets.reading import Lookup, Parse, passing
from billing_assets.assets.writing import (
    as_loaded,
    known_numbers,
    numbered,
    staged,
    with_known_numbers,
    with_warnings,
)
from billing_assets.months import first_days, months_of, split_by_month
from billing_assets.parsing import account_numbers
from billing_assets.parsing.dates import dates
from billing_assets.parsing.numbers import AMOUNT, SMALL, decimal_type, ids, numbers
from billing_assets.parsing.problem import Problem
from billing_assets.parsing.rows import cells, keyed_rows
from billing_assets.parsing.words import (
    BILL_STATUSES,
    OTHER,
    customer_type_words,
    payment_method_words,
    words,
)
from billing_assets.rules import BILL_REFERENCES
from billing_assets.sources import CHARGES
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.outcome import Outcome, label
from migration.parsing.vectors import Parsed
from migration.tables import arrow_type

FRAME = "bill_records_staged"
# What the legacy system says of totals and receipts: carried over where nothing better is known, and compared.
LEGACY_FIGURES = (
    ("legacy_total_bill", decimal_type(AMOUNT)),
    ("legacy_total_received", decimal_type(AMOUNT)),
    ("legacy_last_payment_date", pa.date32()),
    ("legacy_last_payment_mode", pa.string()),
)
_LOADED = (
    *("id", "customer_type", "customer_id", "mac_partner_id", "soho_customer_id", "bill_number"),
    *("nttn_cap", "nttn_com", "active_date", "billing_date", "billing_month", "termination_date"),
    *CHARGES,
    *("status", "remarks", "created_at", "updated_at"),
)


def staged_schema(table: sa.Table, columns: tuple[str, ...], *further: tuple[str, pa.DataType]) -> pa.Schema:
    """The schema of a staged frame: columns of its table, what the ledger needs, and others."""
    ledger = [("source_row", pa.int64()), ("source_pk", pa.string()), ("warnings", pa.string())]
    return pa.schema([*ledger, *((name, arrow_type(table.c[name])) for name in columns), *further])


SCHEMA = staged_schema(tables.bill_records, _LOADED, *LEGACY_FIGURES)


# --- judged -----------------------------------------------------------------------------------------------------------


def charges(rows: pd.DataFrame) -> dict[str, Parsed]:
    """The six services, their prices and the discount, read; what is not given is 0."""
    return {name: numbers(cells(rows, name), SMALL).with_default(0, Problem.BLANK) for name in CHARGES}


def bills_parser(loaded: dict[str, Lookup]) -> Parse:
    """How bills are read, given where references to customers, partners and home customers lead.

    A bill without a type is of the kind of its only reference.
    """

    def parse(rows: pd.DataFrame) -> pd.DataFrame:
        references = {name: ids(cells(rows, name)) for name in BILL_REFERENCES.values()}
        frame = keyed_rows(
            rows,
            {
                "customer_type": words(rows["customer_type"], customer_type_words),
                **references,
                **plain_texts(rows, "bill_number", "nttn_cap", "nttn_com", "remarks"),
                **{name: dates(rows[name]) for name in ("active_date", "billing_date", "termination_date")},
                **charges(rows),
                "status": statuses(rows, BILL_STATUSES),
                "legacy_total_bill": numbers(rows["total_bill"], AMOUNT),
                "legacy_total_received": numbers(rows["total_received"], AMOUNT),
                "legacy_last_payment_date": dates(rows["last_payment_date"]),
                "legacy_last_payment_mode": words(rows["last_payment_mode"], payment_method_words).with_default(
                    OTHER, Problem.UNPARSEABLE
                ),
            },
        )
        ended = {f"{name}_id": loaded[name].of(found.value) for name, found in references.items()}
        count = frame[list(references)].notna().sum(axis=1)
        kind = frame["customer_type"].fillna(_only_kind(frame, count))
        return frame.assign(**ended, references=count, customer_type=kind)

    return parse


def _only_kind(frame: pd.DataFrame, count: pd.Series) -> pd.Series:
    """The kind of customer that a bill's only reference names, missing where there are none or several."""
    kind = pd.Series(None, index=frame.index, dtype=frame["customer_type"].dtype)
    for name, column in BILL_REFERENCES.items():
        kind = kind.mask(count.eq(1) & frame[column].notna(), name)
    return kind


def bill_rows(rows: pd.DataFrame, called: dict[str, Lookup]) -> pd.DataFrame:
    """Bills that passed, with their month and number, and only the reference that their kind asks for.

    Args:
        rows: bills that passed.
        called: names of the loaded customers, by the column that names them.
    """
    names = pd.Series(None, index=rows.index, dtype=rows["source_pk"].dtype)
    for column, lookup in called.items():
        names = names.fillna(lookup.of(rows[f"{column}_id"]))
    rows, regenerated = numbered(rows, "bill_number", account_numbers.bill_number, names, rows["billing_date"])
    return with_warnings(rows.assign(billing_month=first_days(rows["billing_date"])), numbers_regenerated=regenerated)


def _references(step: Step) -> dict[str, Lookup]:
    return {
        "customer": redirects(step, sources.sales_customers.name),
        "mac_partner": Lookup.ids(step, tables.mac_partners),
        "soho_customer": Lookup.ids(step, tables.soho_customers),
    }


def _names(step: Step) -> dict[str, Lookup]:
    customer, partner, home = tables.sales_customers, tables.mac_partners, tables.soho_customers
    named = {
        "customer": sa.select(customer.c.id, sa.func.coalesce(customer.c.company_name, customer.c.name)),
        "mac_partner": sa.select(partner.c.id, partner.c.mac_cust_name),
        "soho_customer": sa.select(home.c.id, home.c.cust_name),
    }
    return {column: Lookup.read(step, statement, pa.string()) for column, statement in named.items()}


@BILLING.step(
    group=STAGING,
    upstream=[EXPORT, "sales_customers", "mac_partners", "soho_customers"],
    source=sources.bill_records,
    checks=checks.staging(tables.bill_records, FRAME),
    kinds=("pandas", "parquet"),
)
def bill_records_staged(step: Step) -> Write:
    """Bills that can be loaded, split by billing month; repeats are merged and the others rejected over the file."""
    called = _names(step)
    parse = bills_parser(_references(step))

    def months() -> Iterator[tuple[str, pd.DataFrame]]:
        for passed in passing(step, sources.bill_records, tables.bill_records, parse, rules.bill_record):
            rows = bill_rows(passed, called)
            step.tally.add(label("bill_records", rows, Outcome.LOADED))
            yield from split_by_month(rows, "billing_date")

    step.frames.write(FRAME, months(), SCHEMA)
    return counted_for(step, tables.bill_records)


# --- loaded -----------------------------------------------------------------------------------------------------------

BY_MONTH = by_month(FRAME, months_of(tables.bill_records.c.billing_month))


@BILLING.step(
    group=BILLS,
    upstream=["bill_records_staged", "sales_customers", "mac_partners", "soho_customers"],
    source=sources.bill_records,
    target=tables.bill_records,
    checks=checks.BILL_RECORDS,
    partitioning=BY_MONTH,
    kinds=TABLE_KINDS,
)
def bill_records(step: Step) -> Write:
    """Bills, one per legacy id; totals, and what was received, later steps compute.

    Partitioned by the billing month.
    """
    table, rows = tables.bill_records, part_of(step, FRAME)
    known = known_numbers(step, table, "bill_number", rows["id"])
    return staged(step, table, [as_loaded(table, with_known_numbers(rows, "bill_number", known))], initial=CHARGES)
