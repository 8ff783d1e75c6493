"""Bookings and what belongs to them, written month by month from what was merged whole."""

from collections.abc import Callable, Iterable

import pandas as pd
import sqlalchemy as sa

from booking_assets import sources, tables
from booking_assets.assets import BOOKING, BOOKINGS
from booking_assets.assets.writing import Keys, keys_in, mark_displaced, mark_gone, merge_rows, settle_worklist
from booking_assets.checks import bookings as checks
from booking_assets.merge.booking_statuses import booking_statuses
from booking_assets.merge.frames import TEXT
from booking_assets.merge.logs import audit_rows
from booking_assets.months import BOOKING_MONTH, booking_months
from booking_assets.parsing.times import bali_day
from booking_assets.source_rows import reference_time
from migration.declare.asset import Partitioning
from migration.declare.step import Step
from migration.outcome import Labelled, Outcome

Made = Callable[[Step], Iterable[str]]

BY_MONTH = Partitioning(BOOKING_MONTH, split_by=booking_months)

BOOKING.frame_makers |= dict.fromkeys(
    (
        "bookings",
        "booking_contacts",
        "booking_outcomes",
        "booking_audit",
        "booking_questions",
        "booking_refs",
        "booking_items",
        "item_outcomes",
        "item_questions",
        "booking_parties",
        "traveler_outcomes",
        "source_bookings",
    ),
    "booking_identity",
)
BOOKING.frame_makers |= {"payments": "payments_clean", "finances": "finance_clean"}
BOOKING.frame_makers |= {"payment_outcomes": "payments_clean", "finance_outcomes": "finance_clean"}


def here(step: Step, table: sa.Table) -> sa.ColumnElement[bool]:
    """The condition that a row is of the step's month."""
    return booking_months(table, [str(step.partition)])


def _nothing_made(_step: Step) -> Iterable[str]:
    return ()


def marking(table: sa.Table, frame: str, *unique: str, made: Made = _nothing_made) -> Callable[[Step], None]:
    """What follows the upsert of a month: rows that the export no longer has are marked as deleted.

    Args:
        table: the table.
        frame: the staged frame that has all rows that this export produces, in whatever month; empty = none has.
        unique: the columns in which rows must differ unless they are deleted.
        made: gives the keys of rows that are made when a month is written.
    """

    def supersede(step: Step) -> None:
        key = table.primary_key.columns[0].name
        staged: Keys = keys_in(step, frame, key) if frame else set
        mark_gone(step, table, lambda: {*staged(), *made(step)}, here(step, table))
        if unique:
            mark_displaced(step, table, *unique)

    return supersede


def labelled(step: Step, rows: pd.DataFrame, outcomes: pd.DataFrame, **companions: pd.DataFrame) -> Labelled:
    """The rows of a month with the outcomes of the file's rows behind them; merged ones go into the merge log."""
    step.tally.source_rows = len(outcomes)
    merged = merge_rows(step.export.export_id, outcomes)
    return Labelled(rows, outcomes, companions={**companions, "merge_log": merged})


def counted(step: Step, rows: pd.DataFrame) -> Labelled:
    """The rows of a month that stand for bookings, not for rows of a file: all are loaded."""
    step.tally.source_rows = len(rows)
    step.tally.outcomes[Outcome.LOADED.value] += len(rows)
    return Labelled(rows, no_outcomes())


def no_outcomes() -> pd.DataFrame:
    """Ledger rows of an asset that no row of a file feeds."""
    return pd.DataFrame({name: pd.Series(dtype=TEXT) for name in ("outcome", "reason")})


# --- bookings ---------------------------------------------------------------------------------------------------------

_core = tables.booking_core


def _asked_of_bookings() -> sa.ColumnElement[bool]:
    return tables.unmapped_queue.c.queue_type.in_(["CHANNEL_MAPPING", "BOOKING_CONFLICT"])


def _after_bookings(step: Step) -> None:
    marking(_core, "bookings", "channel_code", "external_booking_ref")(step)
    settle_worklist(step, _asked_of_bookings(), keys_in(step, "booking_questions", "queue_key"))


@BOOKING.target_table(
    _core,
    source=sources.website_bookings,
    further_sources=[sources.panel_bookings],
    group=BOOKINGS,
    upstream=["catalog_variant_rate", "ref_mapping_status"],
    companions=[tables.audit_log, tables.unmapped_queue, tables.merge_log],
    partitioning=BY_MONTH,
    checks=checks.BOOKING_CORE,
    supersede=_after_bookings,
)
def booking_core(
    step: Step,
    bookings: pd.DataFrame,
    payments: pd.DataFrame,
    finances: pd.DataFrame,
    booking_outcomes: pd.DataFrame,
    booking_audit: pd.DataFrame,
    booking_questions: pd.DataFrame,
) -> Labelled:
    """Bookings: one per channel and reference, whichever of the two systems had it, with both statuses.

    Partitioned by the month in which the booking was made.
    """
    today = bali_day(reference_time(step))
    found = booking_statuses(bookings, payments, finances, _stored_statuses(step, bookings), today)
    rows = bookings.assign(customer_payment_status=found.payment, ops_fulfillment_status=found.operations)
    recomputed = audit_rows(found.decided, bookings["booking_key"], step.export.export_id)
    audit = pd.concat([booking_audit, recomputed], ignore_index=True)
    return labelled(step, rows, booking_outcomes, audit_log=audit, unmapped_queue=booking_questions)


def _stored_statuses(step: Step, bookings: pd.DataFrame) -> pd.Series:
    """The payment status that the database has of each booking, by key."""
    keys = sa.cast(bookings["booking_key"].tolist(), sa.ARRAY(sa.Uuid))
    stored = sa.select(sa.cast(_core.c.booking_key, sa.Text), _core.c.customer_payment_status)
    rows = step.connection.execute(stored.where(_core.c.booking_key == sa.any_(keys))).all()
    return pd.Series({str(key): status for key, status in rows}, dtype=TEXT)


@BOOKING.target_table(
    tables.booking_contact,
    source=None,
    group=BOOKINGS,
    partitioning=BY_MONTH,
    checks=checks.BOOKING_CONTACT,
    supersede=marking(tables.booking_contact, "booking_contacts"),
)
def booking_contact(step: Step, booking_contacts: pd.DataFrame) -> Labelled:
    """How to reach the guest of a booking: of each value the freshest usable one, whichever row has it."""
    return counted(step, booking_contacts)


@BOOKING.target_table(
    tables.booking_party,
    source=sources.booking_travelers,
    group=BOOKINGS,
    upstream=["booking_item_snapshot"],
    companions=[tables.merge_log],
    partitioning=BY_MONTH,
    checks=checks.BOOKING_PARTY,
    supersede=marking(tables.booking_party, "booking_parties"),
)
def booking_party(step: Step, booking_parties: pd.DataFrame, traveler_outcomes: pd.DataFrame) -> Labelled:
    """Who travels on a booking: the people of its active items, and the travellers that are named."""
    return labelled(step, booking_parties, traveler_outcomes)


def _after_items(step: Step) -> None:
    marking(tables.booking_item_snapshot, "booking_items")(step)
    settle_worklist(step, checks.OF_ITEMS, keys_in(step, "item_questions", "queue_key"))


@BOOKING.target_table(
    tables.booking_item_snapshot,
    source=sources.booking_items,
    group=BOOKINGS,
    companions=[tables.unmapped_queue, tables.merge_log],
    partitioning=BY_MONTH,
    checks=checks.BOOKING_ITEM_SNAPSHOT,
    supersede=_after_items,
)
def booking_item_snapshot(
    step: Step, booking_items: pd.DataFrame, item_outcomes: pd.DataFrame, item_questions: pd.DataFrame
) -> Labelled:
    """Items of a booking as they were sold; a booking that has none gets one made of itself."""
    return labelled(step, booking_items, item_outcomes, unmapped_queue=item_questions)


# --- references -------------------------------------------------------------------------------------------------------


@BOOKING.target_table(
    tables.channel_external_refs,
    source=None,
    group=BOOKINGS,
    upstream=["booking_core", "catalog_variant"],
    checks=checks.CHANNEL_EXTERNAL_REFS,
    supersede=lambda step: mark_gone(step, tables.channel_external_refs),
)
def channel_external_refs(step: Step, catalog_refs: pd.DataFrame, booking_refs: pd.DataFrame) -> Labelled:
    """Under which ids the legacy systems and channels know a product, a variant or a booking.

    Not partitioned: products and variants belong to no month.
    """
    return counted(step, pd.concat([catalog_refs, booking_refs], ignore_index=True))
