"""Pricing periods: spans of days of a bill with charges of their own."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from billing_assets import checks, rules, sources, tables
from billing_assets.assets import BILLING, BILLS, EXPORT, STAGING, TABLE_KINDS, bills
from billing_assets.assets.bills import charges, staged_schema
from billing_assets.assets.customers import plain_texts
from billing_assets.assets.monthly import by_month, counted_for, month_of, part_of
from billing_assets.assets.reading import NO_REJECTS, Lookup, Parse, passing, quarantine_later
from billing_assets.assets.writing import as_loaded, in_turn, merged_or_loaded, staged, with_warnings
from billing_assets.months import in_month, of_bills_in, partition_keys, split_by_month
from billing_assets.parsing.numbers import day_numbers, ids
from billing_assets.parsing.rows import cells, keyed_rows
from billing_assets.sources import CHARGES
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.outcome import Outcome, label, split_by_rules

FRAME = "bill_pricing_periods_staged"
_PASSED = "bill_pricing_periods_passed"
_LOADED = ("id", "bill_record_id", "start_day", "end_day", *CHARGES, "notes", "created_at", "updated_at")
SCHEMA = staged_schema(tables.bill_pricing_periods, _LOADED)


# --- judged -----------------------------------------------------------------------------------------------------------


def periods_parser(months: Lookup) -> Parse:
    """How pricing periods are read, given the months of the loaded bills."""

    def parse(rows: pd.DataFrame) -> pd.DataFrame:
        bill = ids(cells(rows, "bill_record"))
        frame = keyed_rows(
            rows,
            {
                "bill_record": bill,
                "start_day": day_numbers(rows["start_day"]),
                "end_day": day_numbers(rows["end_day"]),
                **charges(rows),
                **plain_texts(rows, "notes"),
            },
        )
        month = months.of(bill.value)
        return frame.assign(
            bill_record_id=bill.value.where(month.notna()),
            billing_month=month,
            days_in_month=month.dt.days_in_month,
        )

    return parse


def clamped(rows: pd.DataFrame) -> pd.DataFrame:
    """Periods that passed, none longer than its month."""
    beyond = rows["end_day"] > rows["days_in_month"]
    end = rows["end_day"].where(~beyond, rows["days_in_month"].astype(rows["end_day"].dtype))
    return with_warnings(rows.assign(end_day=end), periods_clamped=beyond)


def period_survivors(rows: pd.DataFrame) -> pd.Series:
    """The id that each period ends in: of periods that are equal in days and charges, the lowest."""
    same = [rows[name] for name in ("bill_record_id", "start_day", "end_day", *CHARGES)]
    return rows["id"].groupby(same, sort=False).transform("min")


def overlapping(rows: pd.DataFrame) -> pd.Series:
    """Whether each period overlaps one of its bill that comes before it; in order of their first day, then their id."""
    ordered = rows.sort_values(["bill_record_id", "start_day", "id"])
    columns = [ordered[name].to_numpy(dtype=np.int64) for name in ("bill_record_id", "start_day", "end_day")]
    overlaps = np.zeros(len(ordered), dtype=bool)
    bill, covered_to = -1, 0
    for at, (own, start, end) in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        if own != bill:
            bill, covered_to = own, 0
        overlaps[at] = start <= covered_to
        if start > covered_to:
            covered_to = end
    return pd.Series(overlaps, index=ordered.index).reindex(rows.index)


@BILLING.step(
    group=STAGING,
    upstream=[EXPORT, "bill_records"],
    source=sources.bill_pricing_periods,
    checks=checks.staging(tables.bill_pricing_periods, FRAME),
    kinds=("pandas", "parquet"),
)
def bill_pricing_periods_staged(step: Step) -> Write:
    """Pricing periods that can be loaded, split by the month of their bill; repeats and overlaps are taken out.

    A month of bills without any period has a part of its own: the periods of its bills are gone, or now those of bills
    of other months.
    """
    table, source = tables.bill_pricing_periods, sources.bill_pricing_periods
    bill = tables.bill_records
    parse = periods_parser(Lookup.read(step, sa.select(bill.c.id, bill.c.billing_month), pa.date32()))
    further = pa.schema([*SCHEMA, ("billing_month", pa.date32())])
    earlier = Lookup.read(
        step, sa.select(table.c.id, bill.c.billing_month).join(bill, bill.c.id == table.c.bill_record_id), pa.date32()
    )
    left: set[str] = set()

    def passed() -> Iterator[tuple[str, pd.DataFrame]]:
        for rows in passing(step, source, table, parse, rules.bill_pricing_period):
            left.update(partition_keys(earlier.of(rows["id"]).dropna()))
            yield from split_by_month(clamped(rows), "billing_month")

    step.frames.write(_PASSED, passed(), further)
    overlaps: list[pd.DataFrame] = []
    step.frames.write(FRAME, _in_order(step, left, overlaps), SCHEMA)
    if overlaps:
        quarantine_later(step, source, table, pd.concat(overlaps, ignore_index=True))
    return counted_for(step, table)


def _in_order(step: Step, left: set[str], overlaps: list[pd.DataFrame]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Month by month the periods that are loaded; the merged ones are labelled, the overlapping ones put aside.

    Args:
        step: the bench.
        left: the months in which the periods of the file have been so far.
        overlaps: gets the overlapping ones.
    """
    table = tables.bill_pricing_periods
    for month in sorted({*step.frames.parts(_PASSED), *step.frames.parts(bills.FRAME), *left}):
        rows = step.frames.read(_PASSED, month)
        if rows.empty:
            yield month, SCHEMA.empty_table().to_pandas()
            continue
        survivors = period_survivors(rows)
        own = survivors.eq(rows["id"]).astype(bool)
        step.label(merged_or_loaded(table, rows[~own], survivors[~own]), NO_REJECTS)
        kept, failed = split_by_rules((rules.period_overlap,), rows[own].assign(overlaps=overlapping(rows[own])))
        overlaps.append(failed)
        step.tally.add(label(table.name, kept, Outcome.LOADED))
        yield month, kept


# --- loaded -----------------------------------------------------------------------------------------------------------


def _delete_replaced(step: Step) -> None:
    """Delete the periods that this export no longer has for its bills."""
    period, bill = tables.bill_pricing_periods, tables.bill_records
    stage = step.stage_of(period)
    of_export = sa.select(bill.c.id).where(
        in_month(bill.c.billing_month, month_of(step)), bill.c.export_id == step.export.export_id
    )
    replaced = period.c.bill_record_id.in_(of_export) | period.c.bill_record_id.in_(sa.select(stage.c.bill_record_id))
    step.facts["superseded"] = step.delete(period, replaced & period.c.id.not_in(sa.select(stage.c.id)))


@BILLING.step(
    group=BILLS,
    upstream=["bill_pricing_periods_staged", "bill_records"],
    source=sources.bill_pricing_periods,
    target=tables.bill_pricing_periods,
    checks=checks.BILL_PRICING_PERIODS,
    partitioning=by_month(FRAME, of_bills_in),
    kinds=TABLE_KINDS,
)
def bill_pricing_periods(step: Step) -> Write:
    """Pricing periods, replaced as a set per bill; those of a bill never overlap.

    Partitioned by the month of the bill.
    """
    table = tables.bill_pricing_periods
    rows = part_of(step, FRAME)
    write = staged(step, table, [as_loaded(table, rows)])
    return in_turn(lambda: _delete_replaced(step), write)
