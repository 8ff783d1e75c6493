"""Where operations stand: settlements, drivers, and the state of every booking."""

from collections.abc import Iterable

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from booking_assets import sources, tables
from booking_assets.assets import BOOKING, PAYMENT_OPS, STAGING
from booking_assets.assets.bookings import BY_MONTH, counted, here, labelled, marking, no_outcomes
from booking_assets.assets.writing import label_without_month, log_merges, split_by_month
from booking_assets.checks import payment_ops as checks
from booking_assets.merge.finances import (
    decided_finances,
    decided_items,
    finance_items,
    finance_rows,
    settled_finances,
)
from booking_assets.merge.operations import assignment_keys, assignments, states
from booking_assets.parsing.statuses import PAID
from booking_assets.parsing.times import TIMESTAMP
from booking_assets.source_rows import (
    OUTCOME_SCHEMA,
    decided_outcomes,
    joined_warnings,
    latest_record,
    outcomes_of_others,
    read_source,
    reference_time,
    total_rows,
    warnings_of_merged,
)
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.outcome import Labelled, Outcome
from migration.tables import arrow_schema, loaded_columns

TARGET = tables.ops_finance_bridge.name
NO_DRIVER = "NO_DRIVER"

FINANCE_SCHEMA = pa.schema(
    [
        *arrow_schema(loaded_columns(tables.ops_finance_bridge)),
        ("assigned_at", TIMESTAMP),
        ("last_item_paid_at", TIMESTAMP),
    ]
)


@BOOKING.step(
    group=STAGING,
    upstream=["export", "booking_identity"],
    source=sources.booking_finances,
    further_sources=(sources.booking_finance_items,),
    kinds=("pandas", "parquet"),
)
def finance_clean(step: Step) -> Write:
    """Settlements with their booking and month, one per booking; those that reach no booking are rejected here."""
    latest = latest_record(step)
    read, read_items = (read_source(step, each) for each in (sources.booking_finances, sources.booking_finance_items))
    step.tally.source_rows = total_rows([read, read_items])
    bookings = step.frames.read("source_bookings")
    finances, flags = finance_rows(read.rows, latest)
    rows = decided_finances(finances, bookings[bookings["source_table"] == sources.panel_bookings.label])
    items = finance_items(read_items.rows, latest)
    step.tally.warnings.update(warnings_of_merged(rows["outcome"], joined_warnings(flags, rows)))
    of_finances = decided_outcomes(TARGET, read, rows, flags)
    of_items = decided_outcomes(TARGET, read_items, decided_items(items, rows), {})
    # Items are parts of a settlement, not rows of their own that went into another: the merge log leaves them out.
    other_items = outcomes_of_others(TARGET, read_items, of_items)
    merged = (other_items["outcome"] == Outcome.MERGED.value).to_numpy(dtype=bool)
    every = pd.concat(
        [
            of_finances,
            outcomes_of_others(TARGET, read, of_finances),
            of_items,
            other_items.assign(reason=other_items["reason"].mask(merged)),
        ],
        ignore_index=True,
    )
    settled = settled_finances(rows, items).assign(last_reconciled_at=reference_time(step), is_deleted=False)
    step.frames.write("finances", split_by_month(settled), FINANCE_SCHEMA)
    step.frames.write("finance_outcomes", split_by_month(every), OUTCOME_SCHEMA)
    files = [(sources.booking_finances, read), (sources.booking_finance_items, read_items)]
    return log_merges(step, label_without_month(step, TARGET, every, files))


@BOOKING.target_table(
    tables.ops_booking_state,
    source=None,
    group=PAYMENT_OPS,
    upstream=["payment_event"],
    partitioning=BY_MONTH,
    checks=checks.OPS_BOOKING_STATE,
    supersede=marking(tables.ops_booking_state, "bookings"),
)
def ops_booking_state(step: Step, bookings: pd.DataFrame) -> Labelled:
    """Where a booking stands for operations; paid when a verified payment says so."""
    return counted(step, states(bookings, _stored_core(step), _paid_at(step)))


def _stored_core(step: Step) -> pd.DataFrame:
    """Both statuses of the month's bookings, by key."""
    core = tables.booking_core
    columns = [core.c.customer_payment_status, core.c.ops_fulfillment_status]
    rows = step.connection.execute(sa.select(sa.cast(core.c.booking_key, sa.Text), *columns).where(here(step, core)))
    names = ["booking_key", *(column.name for column in columns)]
    return pd.DataFrame(rows.all(), columns=names).astype("string[pyarrow]").set_index("booking_key")


def _paid_at(step: Step) -> pd.Series:
    """The time of the earliest verified payment of the month's bookings, by key."""
    payment = tables.payment_event
    key = sa.cast(payment.c.booking_key, sa.Text)
    paid = sa.and_(payment.c.payment_status_v2 == PAID, sa.not_(payment.c.is_deleted), here(step, payment))
    rows = step.connection.execute(sa.select(key, sa.func.min(payment.c.payment_time)).where(paid).group_by(key)).all()
    times = pa.array([time for _, time in rows], type=TIMESTAMP)
    return pd.Series(times, index=[each for each, _ in rows], dtype=pd.ArrowDtype(TIMESTAMP))


def _driven_keys(step: Step) -> Iterable[str]:
    bookings = step.frames.read("bookings")
    return assignment_keys(bookings[bookings["assigned_driver_id"].notna()])


@BOOKING.target_table(
    tables.ops_assignment,
    source=None,
    group=PAYMENT_OPS,
    upstream=["ops_booking_state"],
    partitioning=BY_MONTH,
    checks=checks.OPS_ASSIGNMENT,
    supersede=marking(tables.ops_assignment, "", made=_driven_keys),
)
def ops_assignment(step: Step, bookings: pd.DataFrame, finances: pd.DataFrame) -> Labelled:
    """Drivers assigned to bookings; a booking of the operations panel without a driver is skipped."""
    of_panel = bookings[bookings["has_panel_row"].to_numpy(dtype=bool)].reset_index(drop=True)
    rows = assignments(of_panel, finances, _stored_core(step))
    step.tally.source_rows = len(of_panel)
    step.tally.outcomes[Outcome.LOADED.value] = len(rows)
    without = len(of_panel) - len(rows)
    if without:
        step.tally.outcomes[Outcome.SKIPPED.value] = without
        step.tally.skipped_by[NO_DRIVER] = without
    return Labelled(rows, no_outcomes())


@BOOKING.target_table(
    tables.ops_finance_bridge,
    source=sources.booking_finances,
    further_sources=[sources.booking_finance_items],
    group=PAYMENT_OPS,
    upstream=["ops_assignment"],
    companions=[tables.merge_log],
    partitioning=BY_MONTH,
    checks=checks.OPS_FINANCE_BRIDGE,
    supersede=marking(tables.ops_finance_bridge, "finances", "booking_key"),
)
def ops_finance_bridge(step: Step, finances: pd.DataFrame, finance_outcomes: pd.DataFrame) -> Labelled:
    """The operations panel's cost settlement of a booking."""
    return labelled(step, finances, finance_outcomes)
