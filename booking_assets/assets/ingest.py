"""E-mails of the operations panel: the events that they are, and the dead letters among those that failed."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from booking_assets import rules, sources, tables
from booking_assets.assets import BOOKING, INGEST, STAGING
from booking_assets.assets.writing import log_merges, merge_rows, split_by_month
from booking_assets.checks import ingest as checks
from booking_assets.merge.events import (
    RETRYABLE,
    SAME_IDEMPOTENCY_KEY,
    SECOND_KEY,
    SECONDARY_DEDUP,
    Known,
    dead_letters,
    event_outcomes,
    event_rows,
    joined_mails,
)
from booking_assets.months import INGEST_MONTH, ingest_months, month_of, months_of
from booking_assets.parsing.mails import job_rows, link_rows, mail_rows, payloads
from booking_assets.parsing.statuses import FAILED
from booking_assets.parsing.texts import uppers
from booking_assets.source_rows import (
    SourceRows,
    latest_record,
    outcomes,
    outcomes_of_others,
    read_source,
    rejects_of,
    unusable_lookups,
)
from migration.checks import derived_checks
from migration.declare.asset import Partitioning, Registers, Write
from migration.declare.step import Step, stage_labelled
from migration.declare.system import EXPORT_ASSET
from migration.exports.reading import RawBatch
from migration.outcome import Labelled, Outcome, label, rejects, split_by_rules
from migration.parsing.records import raw_json
from migration.tables import arrow_schema, loaded_columns

EVENTS, LETTERS = tables.ingest_event_log, tables.ingest_dead_letter
FRAME = "ingest_clean"
BY_MONTH = Partitioning(INGEST_MONTH, split_by=ingest_months, frame=FRAME)
KINDS = ("postgres", "table")

MAIL_SCHEMA = pa.schema(
    [
        ("source_row", pa.int64()),
        *((name, pa.string()) for name in ("source_pk", "outcome", "reason", "target_key")),
        *arrow_schema(loaded_columns(EVENTS)),
        ("dead_letter_key", pa.string()),
        ("dead_reason", pa.string()),
    ]
)


# --- which e-mails are events -----------------------------------------------------------------------------------------


@BOOKING.step(
    group=STAGING,
    upstream=[EXPORT_ASSET],
    source=sources.email_inbox,
    registers=Registers(str(INGEST_MONTH.name), sa.select(month_of(EVENTS.c.event_time_normalized)).distinct(), FRAME),
    kinds=("pandas", "parquet"),
)
def ingest_clean(step: Step) -> Write:
    """E-mails that are events, by month, with those that repeat them; the others are rejected or skipped here.

    The inbox is read twice: for what decides, then for the e-mails themselves, batch by batch.
    """
    inbox = read_source(step, sources.email_inbox, partial(mail_rows, latest=latest_record(step)))
    passed, failed = split_by_rules(rules.ingest_event_log, _joined(step, inbox))
    found = event_rows(passed)
    events = found.join(event_outcomes(found, known_events(step, found)))
    ledger = mail_ledger(inbox, events, failed)
    step.tally.source_rows = inbox.count
    step.tally.add(ledger)
    apart = ledger[ledger["month"].isna()].drop(columns="month")
    unread = apart[apart["source_row"].isin(inbox.unusable["source_row"])]
    step.label_apart(EVENTS.name, apart, rejects_of(step, sources.email_inbox, inbox, unread))
    step.count_apart(LETTERS.name)
    step.frames.write(FRAME, _months(step, inbox.table, ledger, events, failed), MAIL_SCHEMA)
    return log_merges(step, merge_rows(step.export.export_id, apart))


def _joined(step: Step, inbox: SourceRows) -> pd.DataFrame:
    """The e-mails with their jobs, their ties to bookings and the references of those."""
    jobs = read_source(step, sources.email_jobs, partial(job_rows, latest=latest_record(step)))
    links = read_source(step, sources.booking_emails, link_rows)
    step.tally.warnings.update(unusable_lookups([(sources.email_jobs, jobs), (sources.booking_emails, links)]))
    bookings = read_source(step, sources.panel_bookings, lambda cells: cells[["booking_ref"]])
    refs = uppers(bookings.rows["booking_ref"]).value.set_axis(pd.Index(bookings.rows["pk"]))
    return joined_mails(inbox.rows, jobs.rows, links.rows, refs)


def known_events(step: Step, events: pd.DataFrame) -> Known:
    """What the database knows of events that this export repeats."""
    columns = [EVENTS.c[name] for name in ("event_key", "idempotency_key", *SECOND_KEY)]
    stage = step.create_stage(EVENTS, columns)
    if len(events):
        step.copy(EVENTS, stage, columns, events)
    other = EVENTS.c.event_key != stage.c.event_key
    same_second_key = sa.and_(*(EVENTS.c[name] == stage.c[name] for name in SECOND_KEY))
    twins = [
        sa.select(*columns).where(other, same)
        for same in (EVENTS.c.idempotency_key == stage.c.idempotency_key, same_second_key)
    ]
    stored = pd.DataFrame(step.connection.execute(sa.union(*twins)).all(), columns=[each.name for each in columns])
    return Known(stored.assign(event_key=stored["event_key"].astype(str)), _merged_before(step))


def _merged_before(step: Step) -> pd.DataFrame:
    """The e-mails that an earlier run has merged into events which are still there."""
    ledger = step.books.ledger
    rows = sa.select(ledger.c.source_row, ledger.c.reason, ledger.c.target_key).where(
        ledger.c.export_id == step.export.export_id,
        ledger.c.target_table == EVENTS.name,
        ledger.c.reason.in_([SAME_IDEMPOTENCY_KEY, SECONDARY_DEDUP]),
        sa.select(EVENTS.c.event_key).where(sa.cast(EVENTS.c.event_key, sa.Text) == ledger.c.target_key).exists(),
    )
    return pd.DataFrame(step.connection.execute(rows).all(), columns=["source_row", "reason", "target_key"])


def mail_ledger(inbox: SourceRows, events: pd.DataFrame, failed: pd.DataFrame) -> pd.DataFrame:
    """The outcome of every row of the inbox, with the month of those that are events or repeat one.

    Args:
        inbox: the inbox.
        events: its rows that are events, with `outcome`, `reason` and `target_key`.
        failed: its rows that are none, as `split_by_rules` gives them.
    """
    reason = events["reason"].fillna(events["warnings"])
    of_events = outcomes(
        EVENTS.name, inbox, events, events["outcome"], reason=reason, target_key=events["target_key"]
    ).assign(month=months_of(events["event_time_normalized"]))
    of_failed = outcomes(EVENTS.name, inbox, failed, failed["outcome"], reason=failed["code"]).assign(month=None)
    decided = pd.concat([of_events, of_failed], ignore_index=True)
    return pd.concat([decided, outcomes_of_others(EVENTS.name, inbox, decided)], ignore_index=True)


def _months(
    step: Step, source_table: str, ledger: pd.DataFrame, events: pd.DataFrame, failed: pd.DataFrame
) -> Iterator[tuple[str, pd.DataFrame]]:
    """The frame's parts: rows that were merged, then the events with their e-mails; quarantines what is rejected."""
    has_month = ledger["month"].notna()
    is_event = has_month & (ledger["outcome"] == Outcome.LOADED.value)
    no_event = dict.fromkeys(set(MAIL_SCHEMA.names).difference(ledger.columns))
    yield from split_by_month(ledger[has_month & ~is_event].assign(**no_event))
    own = ["source_row", "month", "reason"]
    kept = events.drop(columns="reason").merge(ledger.loc[is_event, own], on="source_row").set_index("source_row")
    for batch in step.read(sources.email_inbox):
        _quarantine(step, batch, failed.assign(source_table=source_table))
        numbers = batch.rows["source_row"]
        cells = batch.rows[numbers.isin(kept.index)].set_index("source_row")
        here = kept.loc[cells.index]
        yield from split_by_month(here.join(payloads(cells, here["relation"])).reset_index())


def _quarantine(step: Step, batch: RawBatch, failed: pd.DataFrame) -> None:
    """Keep the rejected e-mails of a batch as they are."""
    numbers = batch.rows["source_row"]
    places = pd.Series(np.arange(len(numbers)), index=numbers.to_numpy())
    mine = failed[failed["source_row"].isin(numbers) & (failed["outcome"] == Outcome.REJECTED.value)]
    raw = [raw_json(batch.records[at], lambda column: False) for at in places.loc[mine["source_row"]]]
    step.outcomes.add_rejects(step.connection, rejects(EVENTS.name, mine, raw))


# --- events and dead letters ------------------------------------------------------------------------------------------


@BOOKING.step(
    group=INGEST,
    upstream=[FRAME, "channel_registry", "ops_finance_bridge"],
    source=sources.email_inbox,
    target=EVENTS,
    checks=(*derived_checks(EVENTS, checks.EVENT_LOG, split_by=ingest_months), *checks.EVENT_LOG),
    partitioning=BY_MONTH,
    kinds=KINDS,
)
def ingest_event_log(step: Step) -> Write:
    """Booking events that came by e-mail, one per e-mail and event; an e-mail that repeats one is merged.

    Partitioned by the month of the event.
    """
    step.tally.source_rows = step.frames.parts(FRAME)[str(step.partition)]
    labelled = (labelled_events(step, mails) for mails in step.frames.batches(FRAME, step.partition))
    return stage_labelled(step, EVENTS, labelled, {tables.merge_log.name: tables.merge_log})


def labelled_events(step: Step, mails: pd.DataFrame) -> Labelled:
    """Events of a batch of the staged frame, and what became of its rows."""
    named = mails.assign(source_table=step.source_table)
    ledger = label(EVENTS.name, named, named["outcome"], reason=named["reason"], target_key=named["target_key"])
    events = mails[mails["outcome"] == Outcome.LOADED.value]
    return Labelled(events, ledger, companions={tables.merge_log.name: merge_rows(step.export.export_id, ledger)})


@BOOKING.step(
    group=INGEST,
    upstream=[FRAME, EVENTS.name],
    source=sources.email_inbox,
    target=LETTERS,
    checks=(*derived_checks(LETTERS, checks.DEAD_LETTER, split_by=ingest_months), *checks.DEAD_LETTER),
    partitioning=BY_MONTH,
    kinds=KINDS,
)
def ingest_dead_letter(step: Step) -> Write:
    """Events that failed and will not be tried again, for a person to look at.

    Partitioned by the month of the event. Failed events that will be tried again are skipped.
    """
    batches = step.frames.batches(FRAME, step.partition)
    return stage_labelled(step, LETTERS, (_counted(step, labelled_letters(mails)) for mails in batches), {})


def labelled_letters(mails: pd.DataFrame) -> Labelled:
    """Dead letters of a batch of the staged frame, and what became of its failed events."""
    failed = mails[(mails["outcome"] == Outcome.LOADED.value) & (mails["process_status"] == FAILED)]
    is_dead = failed["dead_reason"].notna()
    outcome = is_dead.map({True: Outcome.LOADED.value, False: Outcome.SKIPPED.value})
    reason = pd.Series(None, index=failed.index, dtype=object).where(is_dead, RETRYABLE)
    key = failed["dead_letter_key"].where(is_dead, None)
    return Labelled(dead_letters(failed[is_dead]), label(LETTERS.name, failed, outcome, reason=reason, target_key=key))


def _counted(step: Step, labelled: Labelled) -> Labelled:
    step.tally.source_rows += len(labelled.ledger)
    return labelled


ASSETS = (ingest_clean, ingest_event_log, ingest_dead_letter)
