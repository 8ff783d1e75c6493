"""Payments of guests: those of the website, and those that a settlement of the operations panel stands for."""

from collections.abc import Iterable

import pandas as pd

from booking_assets import sources, tables
from booking_assets.assets import BOOKING, PAYMENT_OPS, STAGING
from booking_assets.assets.bookings import BY_MONTH, labelled, marking
from booking_assets.assets.writing import label_without_month, log_merges, split_by_month
from booking_assets.checks import payment_ops as checks
from booking_assets.merge.frames import looked_up
from booking_assets.merge.payments import (
    decided_payments,
    settled_elsewhere,
    synthetic_payments,
    website_payments,
)
from booking_assets.source_rows import (
    OUTCOME_SCHEMA,
    decided_outcomes,
    joined_warnings,
    latest_record,
    outcomes_of_others,
    read_source,
    warnings_of_merged,
)
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.outcome import Labelled, Outcome
from migration.tables import arrow_schema, loaded_columns

TARGET = tables.payment_event.name


@BOOKING.step(
    group=STAGING, upstream=["export", "booking_identity"], source=sources.payments, kinds=("pandas", "parquet")
)
def payments_clean(step: Step) -> Write:
    """Payments of the website with their booking and month; those that reach no booking are rejected here."""
    read = read_source(step, sources.payments)
    step.tally.source_rows = read.count
    payments, flags = website_payments(read.rows, latest_record(step))
    bookings = step.frames.read("source_bookings")
    website = bookings[bookings["source_table"] == sources.website_bookings.label]
    rows = decided_payments(payments, website)
    loaded = rows[rows["outcome"] == Outcome.LOADED.value].assign(is_synthetic=False, is_deleted=False)
    step.tally.warnings.update(warnings_of_merged(rows["outcome"], joined_warnings(flags, rows)))
    decided = decided_outcomes(TARGET, read, rows, flags)
    every = pd.concat([decided, outcomes_of_others(TARGET, read, decided)], ignore_index=True)
    step.frames.write("payments", split_by_month(loaded), arrow_schema(loaded_columns(tables.payment_event)))
    step.frames.write("payment_outcomes", split_by_month(every), OUTCOME_SCHEMA)
    return log_merges(step, label_without_month(step, TARGET, every, [(sources.payments, read)]))


def _made(bookings: pd.DataFrame, finances: pd.DataFrame) -> pd.DataFrame:
    """The payments that settled bookings of other channels stand for."""
    settlements = finances.set_index("booking_key")
    settled = settled_elsewhere(bookings, looked_up(bookings["booking_key"], settlements["settlement_status"]))
    chosen = bookings[settled].reset_index(drop=True)
    made = synthetic_payments(chosen, looked_up(chosen["booking_key"], settlements["last_item_paid_at"]))
    return made.assign(is_deleted=False)


def _made_keys(step: Step) -> Iterable[str]:
    return _made(step.frames.read("bookings"), step.frames.read("finances"))["payment_key"]


@BOOKING.target_table(
    tables.payment_event,
    source=sources.payments,
    group=PAYMENT_OPS,
    upstream=["booking_contact", "booking_party", "booking_item_snapshot"],
    companions=[tables.merge_log],
    partitioning=BY_MONTH,
    checks=checks.PAYMENT_EVENT,
    supersede=marking(tables.payment_event, "payments", "payment_ref", made=_made_keys),
)
def payment_event(
    step: Step,
    payments: pd.DataFrame,
    payment_outcomes: pd.DataFrame,
    bookings: pd.DataFrame,
    finances: pd.DataFrame,
) -> Labelled:
    """Payments of guests: the website's, and one for every settled booking of another channel."""
    rows = pd.concat([payments, _made(bookings, finances)], ignore_index=True)
    return labelled(step, rows, payment_outcomes)
