"""How long events, dead letters and answered questions are kept, and which events may be replayed.

Nothing here looks at a clock: what is old is decided for a given now. It is no part of a migration, which loads every
e-mail whatever its age.
"""

import datetime as dt
import uuid
from enum import StrEnum

import sqlalchemy as sa

from booking_assets import tables
from booking_assets.parsing.statuses import DONE, FAILED
from migration.outcome import Tally
from migration.warehouse.ddl import ensure_schema, lock_for_transaction
from migration.warehouse.runlog import RunLog, Status
from migration.warehouse.upsert import delete_logged

EVENT_LIFE = dt.timedelta(days=35)
LETTER_LIFE = dt.timedelta(days=30)
QUESTION_LIFE = dt.timedelta(days=90)

ASSET = "retention"

_event, _letter, _question = tables.ingest_event_log, tables.ingest_dead_letter, tables.unmapped_queue


# --- what is old ------------------------------------------------------------------------------------------------------


def old_events(now: dt.datetime) -> sa.ColumnElement[bool]:
    """Events that are done with: 35 days after they were written, and no longer told apart, without a dead letter."""
    dead_letter = sa.select(_letter.c.event_key).where(_letter.c.event_key == _event.c.event_key)
    return sa.and_(
        _event.c.process_status.in_([DONE, FAILED]),
        _event.c.created_at < now - EVENT_LIFE,
        _event.c.idempotency_expires_at < now,
        sa.not_(dead_letter.exists()),
    )


def old_dead_letters(now: dt.datetime) -> sa.ColumnElement[bool]:
    """Dead letters that came to an end and were not touched for 30 days."""
    ended = _letter.c.status.in_(["RESOLVED", "SUCCEEDED", "CLOSED", "FAILED"])
    return sa.and_(ended, _letter.c.updated_at < now - LETTER_LIFE)


def old_questions(now: dt.datetime) -> sa.ColumnElement[bool]:
    """Rows of the worklist that were answered, and not touched for 90 days."""
    touched = sa.func.greatest(_question.c.updated_at, _question.c.resolved_at)
    return sa.and_(_question.c.status.in_(["RESOLVED", "CLOSED"]), touched < now - QUESTION_LIFE)


def _old_rows(now: dt.datetime) -> list[tuple[sa.Table, sa.ColumnElement[bool]]]:
    """What is cleared away of each table, in this order: the event of a dead letter goes a day after it."""
    return [(_event, old_events(now)), (_letter, old_dead_letters(now)), (_question, old_questions(now))]


# --- clearing away ----------------------------------------------------------------------------------------------------


def count_old(engine: sa.Engine, now: dt.datetime) -> dict[str, int]:
    """How many rows of each table would be cleared away; nothing is changed but for missing tables being created."""
    with engine.begin() as connection:
        ensure_schema(connection, tables.metadata)
        return {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table).where(old)) or 0
            for table, old in _old_rows(now)
        }


def clear_away(engine: sa.Engine, now: dt.datetime, run_id: str) -> dict[str, int]:
    """Delete what is old, in one transaction; every row goes to the change log, so the run can be rolled back.

    Args:
        engine: the target database.
        now: the time that ages are counted to.
        run_id: the run that clears away.

    Returns:
        How many rows of each table were deleted.
    """
    log = RunLog(tables.books.run_log, run_id, export_id="", dry_run=False)
    deleted: dict[str, int] = {}
    with engine.begin() as connection:
        ensure_schema(connection, tables.metadata)
        log.start(connection, ASSET, {None: ()})
        for table, _ in _old_rows(now):
            lock_for_transaction(connection, f"{tables.SCHEMA}.{table.name}")
        for table, old in _old_rows(now):
            deleted[table.name] = delete_logged(connection, table, old, tables.books.change, run_id).deleted
        log.finish(connection, ASSET, None, Status.SUCCESS, Tally())
    return deleted


# --- replaying --------------------------------------------------------------------------------------------------------


class Replay(StrEnum):
    """Whether a request to process an event again is granted, or why not."""

    GRANTED = "granted"
    UNKNOWN_EVENT = "unknown event"
    NONCE_SEEN = "nonce seen within ten minutes"
    TOO_EARLY = "nonce of the event not expired"
    TOO_LATE = "event no longer told apart from others"


def replayable(now: dt.datetime) -> sa.ColumnElement[bool]:
    """Events that may be replayed: their nonce has expired, and they are still told apart from others."""
    return sa.and_(_event.c.nonce_expires_at < now, _event.c.idempotency_expires_at >= now)


def seen(nonce: str, now: dt.datetime) -> sa.ColumnElement[bool]:
    """Events that bear a nonce which has not expired."""
    return sa.and_(_event.c.nonce == nonce, _event.c.nonce_expires_at >= now)


def replay(connection: sa.Connection, event_key: uuid.UUID, nonce: str, now: dt.datetime) -> Replay:
    """Whether an event may be processed again.

    Args:
        connection: any connection to the target database.
        event_key: the event.
        nonce: the nonce of the request.
        now: the time of the request.
    """
    event = connection.execute(
        sa.select(
            replayable(now).label("is_replayable"),
            (_event.c.nonce_expires_at >= now).label("is_early"),
        ).where(_event.c.event_key == event_key)
    ).one_or_none()
    if event is None:
        return Replay.UNKNOWN_EVENT
    if event.is_early:
        return Replay.TOO_EARLY
    if connection.scalar(sa.select(sa.exists().where(seen(nonce, now)))):
        return Replay.NONCE_SEEN
    return Replay.GRANTED if event.is_replayable else Replay.TOO_LATE
