"""Payments: which bill each counts for, and which are the same payment sent twice."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from billing_assets import checks, rules, sources, tables
from billing_assets.assets import BILLING, EXPORT, PAYMENTS, STAGING, TABLE_KINDS, bills, service_bills
from billing_assets.assets.bills import LEGACY_FIGURES, staged_schema
from billing_assets.assets.customers import plain_texts
from billing_assets.assets.monthly import by_day, counted_for, part_of
from billing_assets.assets.reading import Lookup, Parse, passing
from billing_assets.assets.writing import count_absent, in_turn, merged_or_loaded, staged, unreadable, with_warnings
from billing_assets.months import in_month, partition_keys, split_by_month
from billing_assets.parsing.dates import dates
from billing_assets.parsing.numbers import AMOUNT, ids, numbers
from billing_assets.parsing.problem import Problem
from billing_assets.parsing.rows import TEXT, cells, keyed_rows
from billing_assets.parsing.words import (
    BANDWIDTH,
    BANK_TRANSFER,
    MAC,
    OTHER,
    SOHO,
    payment_method_words,
    payment_type_words,
    words,
)
from billing_assets.rules import PAID_BILLS
from billing_assets.tables import PAYMENTS as PAID
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.outcome import Labelled, Outcome, label

FRAME = "payment_records_staged"
# The legacy receipts of the bills of each month; a month whose bills got or lost payments has a part of its own.
RECEIPTS = "legacy_receipts"

_LOADED = (
    *("id", "bill_record_id", "mac_bill_id", "soho_bill_id", "payment_date", "amount", "payment_type"),
    *("payment_method", "allocated_to", "reference_number", "notes", "created_by_id", "created_at", "updated_at"),
)
SCHEMA = staged_schema(tables.payment_records, _LOADED)
_FIGURES = LEGACY_FIGURES[1:]
RECEIPTS_SCHEMA = pa.schema([("bill_table", pa.string()), ("id", pa.int64()), *_FIGURES])
BILL_TABLES = {
    "bill_record": (tables.bill_records, tables.bill_records.c.billing_month, bills.FRAME),
    "mac_bill": (tables.mac_bills, tables.mac_bills.c.bill_date, service_bills.MAC_FRAME),
    "soho_bill": (tables.soho_bills, tables.soho_bills.c.bill_date, service_bills.SOHO_FRAME),
}


# --- judged -----------------------------------------------------------------------------------------------------------


def payments_parser(loaded: dict[str, Lookup], kinds: Lookup) -> Parse:
    """How payments are read, given the loaded bills, and the customer types of bill records."""

    def parse(rows: pd.DataFrame) -> pd.DataFrame:
        references = {name: ids(cells(rows, name)) for name in PAID_BILLS}
        method = words(rows["payment_method"], payment_method_words)
        frame = keyed_rows(
            rows,
            {
                **references,
                "payment_date": dates(rows["payment_date"]),
                "amount": numbers(rows["amount"], AMOUNT),
                "payment_type": words(rows["payment_type"], payment_type_words),
                "payment_method": method.with_default(BANK_TRANSFER, Problem.BLANK).with_default(
                    OTHER, Problem.UNPARSEABLE
                ),
                **plain_texts(rows, "reference_number", "notes"),
                "created_by_id": ids(cells(rows, "created_by")),
            },
        )
        frame = frame.assign(**{f"{name}_id": loaded[name].of(found.value) for name, found in references.items()})
        frame = frame.assign(payment_type=_derived_types(frame))
        return frame.assign(allocated_to=allocations(frame, kinds.of(frame["bill_record_id"])))

    return parse


def _is(values: pd.Series, word: str) -> np.ndarray:
    return values.eq(word).fillna(value=False).to_numpy(dtype=bool)


def _derived_types(rows: pd.DataFrame) -> pd.Series:
    """Payment types; one that is not given is that of the only bill that the payment names."""
    given = {name: rows[name].notna() for name in PAID_BILLS}
    only_one = sum(flag.astype(int) for flag in given.values()) == 1
    derived = rows["payment_type"]
    for name, kind in zip(PAID_BILLS, (BANDWIDTH, MAC, SOHO), strict=True):
        derived = derived.mask(derived.isna() & only_one & given[name], kind)
    return derived


def allocations(rows: pd.DataFrame, bill_kinds: pd.Series) -> pd.Series:
    """Which of its bills each payment counts for, by its type; missing where it counts for none of them.

    Args:
        rows: payments with their types and references.
        bill_kinds: the customer type of the bill record that each names.
    """
    kind = rows["payment_type"]
    bill, mac, soho = (rows[name].notna().to_numpy(dtype=bool) for name in PAID_BILLS)
    is_mac, is_soho = _is(kind, MAC), _is(kind, SOHO)
    cases = [
        (_is(kind, BANDWIDTH) & bill, "bill_record"),
        (is_mac & mac, "mac_bill"),
        (is_mac & ~mac & bill & _is(bill_kinds, MAC), "bill_record"),
        (is_soho & soho, "soho_bill"),
        (is_soho & ~soho & bill & _is(bill_kinds, SOHO), "bill_record"),
    ]
    found = np.full(len(rows), None, dtype=object)
    for applies, name in cases:
        found[applies] = name
    return pd.Series(found, index=rows.index).astype(TEXT)


def allocated_ids(rows: pd.DataFrame) -> pd.Series:
    """The id of the bill that each payment counts for."""
    found = rows["bill_record_id"]
    for name in PAID_BILLS[1:]:
        found = found.mask(_is(rows["allocated_to"], name), rows[f"{name}_id"])
    return found


def payment_survivors(rows: pd.DataFrame) -> pd.Series:
    """The id that each payment ends in: of those that share bill, day, amount, method and reference, the lowest."""
    same = [
        rows["allocated_to"],
        allocated_ids(rows),
        *(rows[name] for name in ("payment_date", "amount", "payment_method")),
        rows["reference_number"].str.lower(),
    ]
    lowest = rows["id"].groupby(same, sort=False).transform("min")
    return rows["id"].where(rows["reference_number"].isna(), lowest)


@BILLING.step(
    group=STAGING,
    upstream=[EXPORT, "bill_records", "mac_bills", "soho_bills"],
    source=sources.payment_records,
    checks=checks.staging(tables.payment_records, FRAME),
    kinds=("pandas", "parquet"),
)
def payment_records_staged(step: Step) -> Write:
    """Payments that can be loaded, split by the month of their day; the others are rejected over the file.

    Notes for each month of bills what the legacy system says was received for them.
    """
    loaded = {name: Lookup.ids(step, table) for name, (table, _, _) in BILL_TABLES.items()}
    bill = tables.bill_records
    parse = payments_parser(loaded, Lookup.read(step, sa.select(bill.c.id, bill.c.customer_type), pa.string()))
    paid_months = set(partition_keys(_unsettled_days(step)))
    months = {name: _months(step, name) for name in BILL_TABLES}
    earlier = _earlier_months(step)

    def parts() -> Iterator[tuple[str, pd.DataFrame]]:
        for passed in passing(step, sources.payment_records, tables.payment_records, parse, rules.payment_record):
            rows = with_warnings(passed, payment_method_other=unreadable(passed, "payment_method"))
            step.tally.add(label("payment_records", rows, Outcome.LOADED))
            for name, of_bills in months.items():
                paid_months.update(partition_keys(of_bills.of(rows[f"{name}_id"]).dropna()))
            paid_months.update(partition_keys(earlier.of(rows["id"]).dropna()))
            yield from split_by_month(rows, "payment_date")

    step.frames.write(FRAME, parts(), SCHEMA)
    step.frames.write(RECEIPTS, _receipts(step, paid_months), RECEIPTS_SCHEMA)
    return counted_for(step, tables.payment_records)


def _months(step: Step, name: str) -> Lookup:
    table, day, _ = BILL_TABLES[name]
    return Lookup.read(step, sa.select(table.c.id, day), pa.date32())


def _earlier_months(step: Step) -> Lookup:
    """The day of the bill that each loaded payment counts for so far; it may now count for another one."""
    payment = tables.payment_records
    each = [
        sa.select(payment.c.id, day.label("day"))
        .select_from(payment.join(table, table.c.id == payment.c[f"{name}_id"]))
        .where(payment.c.allocated_to == name)
        for name, (table, day, _) in BILL_TABLES.items()
    ]
    return Lookup.read(step, sa.select(*sa.union_all(*each).subquery("counted").c), pa.date32())


def _unsettled_days(step: Step) -> pd.Series:
    """The days of bills that are not what their payments add up to: a run that was killed has left them so."""
    payment = tables.payment_records
    each = []
    for name, (table, day, _) in BILL_TABLES.items():
        counted = sa.and_(payment.c[f"{name}_id"] == table.c.id, payment.c.allocated_to == name)
        amount = sa.select(sa.func.coalesce(sa.func.sum(payment.c.amount), 0)).where(counted).scalar_subquery()
        each.append(sa.select(day).where(table.c.received_source == PAID, table.c.total_received != amount))
    return pd.Series(step.connection.scalars(sa.union(*each)).all(), dtype=pd.ArrowDtype(pa.date32()))


def _receipts(step: Step, paid_months: set[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """The legacy receipts of all bills of the export, by the month of the bill."""
    for name, (_, _, frame) in BILL_TABLES.items():
        for month in step.frames.parts(frame):
            rows = step.frames.read(frame, month)
            unknown = {field: pd.Series(None, rows.index, pd.ArrowDtype(kind)) for field, kind in _FIGURES}
            yield month, rows.assign(bill_table=name, **{f: v for f, v in unknown.items() if f not in rows})
    for month in paid_months:
        yield month, RECEIPTS_SCHEMA.empty_table().to_pandas()


# --- loaded -----------------------------------------------------------------------------------------------------------


@BILLING.step(
    group=PAYMENTS,
    upstream=["payment_records_staged", "bill_records", "mac_bills", "soho_bills"],
    source=sources.payment_records,
    target=tables.payment_records,
    checks=checks.PAYMENT_RECORDS,
    partitioning=by_day(FRAME, tables.payment_records.c.payment_date),
    kinds=TABLE_KINDS,
)
def payment_records(step: Step) -> Write:
    """Payments, each counted for one bill; those sent twice, by their reference number, are one.

    Partitioned by the month of the payment.
    """
    table, rows = tables.payment_records, part_of(step, FRAME)
    survivors = payment_survivors(rows)
    own = survivors.eq(rows["id"]).astype(bool)
    write = staged(step, table, [Labelled(rows[own], merged_or_loaded(table, rows, survivors))])
    return in_turn(write, lambda: count_absent(step, table, in_month(table.c.payment_date, str(step.partition))))
