"""What is old is cleared away, and which events may be replayed, on a real database with a clock that is moved."""

import datetime as dt
import uuid
from typing import Any

import pytest
import sqlalchemy as sa

from booking_assets import tables
from booking_assets.assets import BOOKING
from booking_assets.parsing.statuses import CHANNELS
from booking_assets.retention import Replay, clear_away, count_old, replay
from booking_assets.retention_job import JOBS, SCHEDULES
from migration.rollback import RollbackRequest, roll_back
from tests.booking.booking_harness import Lab

RECEIVED = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
SECOND, DAY = dt.timedelta(seconds=1), dt.timedelta(days=1)
NONE = {"ingest_event_log": 0, "ingest_dead_letter": 0, "unmapped_queue": 0}
EVENTS, LETTERS, QUESTIONS = tables.ingest_event_log, tables.ingest_dead_letter, tables.unmapped_queue

pytestmark = pytest.mark.database


@pytest.fixture
def engine(booking_lab: Lab) -> sa.Engine:
    """A database with the channels alone."""
    channels = [{"channel_code": code, "channel_name": name, "export_id": "e"} for code, name in CHANNELS.items()]
    with booking_lab.engine.begin() as connection:
        connection.execute(sa.insert(tables.channel_registry), channels)
    return booking_lab.engine


def key(number: int) -> uuid.UUID:
    """The key of a row by its number."""
    return uuid.UUID(int=number)


def put_event(engine: sa.Engine, number: int, **values: Any) -> None:
    """Store an event that came and was written at one time."""
    row = {
        "event_key": key(number),
        "idempotency_key": f"i{number}",
        "nonce": f"n{number}",
        "source_enum": "GYG",
        "channel_code": "GYG",
        "external_booking_ref": f"r{number}",
        "event_type": "CREATED",
        "event_time": RECEIVED,
        "event_time_normalized": RECEIVED,
        "payload_hash": "0",
        "process_status": "DONE",
        "request_received_at": RECEIVED,
        "idempotency_expires_at": RECEIVED + 35 * DAY,
        "nonce_expires_at": RECEIVED + dt.timedelta(minutes=10),
        "raw_payload": {},
        "export_id": "e",
        "created_at": RECEIVED,
        "updated_at": RECEIVED,
    }
    with engine.begin() as connection:
        connection.execute(sa.insert(EVENTS).values(row | values))


def put_letter(engine: sa.Engine, number: int, **values: Any) -> None:
    """Store a dead letter of the event of the same number."""
    row = {
        "dead_letter_key": key(number),
        "event_key": key(number),
        "reason_code": "SCHEMA_MISMATCH",
        "status": "RESOLVED",
        "first_failed_at": RECEIVED,
        "last_failed_at": RECEIVED,
        "raw_payload": {},
        "export_id": "e",
        "created_at": RECEIVED,
        "updated_at": RECEIVED,
    }
    with engine.begin() as connection:
        connection.execute(sa.insert(LETTERS).values(row | values))


def put_question(engine: sa.Engine, number: int, **values: Any) -> None:
    """Store an answered question."""
    row = {
        "queue_key": key(number),
        "queue_type": "CHANNEL_MAPPING",
        "reason_code": "UNKNOWN_SOURCE",
        "status": "RESOLVED",
        "resolved_at": RECEIVED,
        "export_id": "e",
        "created_at": RECEIVED,
        "updated_at": RECEIVED,
    }
    with engine.begin() as connection:
        connection.execute(sa.insert(QUESTIONS).values(row | values))


def left(engine: sa.Engine, table: sa.Table) -> set[int]:
    """The numbers of the rows that are there."""
    with engine.connect() as connection:
        return {found.int for found in connection.scalars(sa.select(table.primary_key.columns.values()[0]))}


def test_done_and_failed_events_go_after_both_their_lives(engine: sa.Engine) -> None:
    put_event(engine, 1)
    put_event(engine, 2, process_status="FAILED")
    put_event(engine, 3, process_status="RECEIVED")
    put_event(engine, 4, process_status="PROCESSING")
    put_event(engine, 5, created_at=RECEIVED + DAY)
    put_event(engine, 6, idempotency_expires_at=RECEIVED + 40 * DAY)
    put_event(engine, 7)
    put_letter(engine, 7, status="OPEN")
    end = RECEIVED + 35 * DAY
    assert count_old(engine, end) == NONE
    assert clear_away(engine, end, "r0") == NONE
    assert clear_away(engine, end + SECOND, "r1") == NONE | {EVENTS.name: 2}
    assert left(engine, EVENTS) == {3, 4, 5, 6, 7}
    assert clear_away(engine, end + DAY + SECOND, "r2") == NONE | {EVENTS.name: 1}
    assert clear_away(engine, end + 365 * DAY, "r3") == NONE | {EVENTS.name: 1}
    assert left(engine, EVENTS) == {3, 4, 7}


def test_dead_letters_go_thirty_days_after_they_were_touched_and_their_events_the_day_after(engine: sa.Engine) -> None:
    statuses = ["RESOLVED", "SUCCEEDED", "CLOSED", "FAILED", "OPEN", "READY", "REPLAYING"]
    for number, status in enumerate(statuses, start=1):
        put_event(engine, number, process_status="FAILED")
        put_letter(engine, number, status=status, updated_at=RECEIVED + 10 * DAY)
    end = RECEIVED + 40 * DAY
    assert clear_away(engine, end, "r0") == NONE
    assert clear_away(engine, end + SECOND, "r1") == NONE | {LETTERS.name: 4}
    assert left(engine, LETTERS) == {5, 6, 7}
    assert clear_away(engine, end + DAY, "r2") == NONE | {EVENTS.name: 4}
    assert left(engine, EVENTS) == {5, 6, 7}


def test_answered_questions_go_ninety_days_after_they_were_touched(engine: sa.Engine) -> None:
    for number, status in enumerate(("RESOLVED", "CLOSED", "OPEN", "IN_REVIEW"), start=1):
        put_question(engine, number, status=status)
    put_question(engine, 5, resolved_at=None)
    put_question(engine, 6, resolved_at=RECEIVED + DAY)
    put_question(engine, 7, updated_at=RECEIVED + DAY)
    end = RECEIVED + 90 * DAY
    assert clear_away(engine, end, "r0") == NONE
    assert clear_away(engine, end + SECOND, "r1") == NONE | {QUESTIONS.name: 3}
    assert left(engine, QUESTIONS) == {3, 4, 6, 7}


def test_counting_changes_nothing_and_says_what_would_go(engine: sa.Engine) -> None:
    put_event(engine, 1)
    put_question(engine, 1)
    now = RECEIVED + 365 * DAY
    counted = count_old(engine, now)
    assert counted == NONE | {EVENTS.name: 1, QUESTIONS.name: 1}
    assert left(engine, EVENTS) == left(engine, QUESTIONS) == {1}
    assert clear_away(engine, now, "r1") == counted


def test_what_was_cleared_away_can_be_rolled_back(engine: sa.Engine) -> None:
    put_event(engine, 1, error_message="lost")
    put_event(engine, 2, process_status="FAILED")
    put_letter(engine, 2)
    put_question(engine, 3)
    clear_away(engine, RECEIVED + 365 * DAY, "r1")
    clear_away(engine, RECEIVED + 366 * DAY, "r2")
    assert not left(engine, EVENTS) | left(engine, LETTERS) | left(engine, QUESTIONS)
    for run_id in ("r2", "r1"):
        roll_back(engine, BOOKING, RollbackRequest(run_id, "", force=False, by_run=f"undo {run_id}"))
    assert (left(engine, EVENTS), left(engine, LETTERS), left(engine, QUESTIONS)) == ({1, 2}, {2}, {3})


def test_event_may_be_replayed_from_the_end_of_its_nonce_to_that_of_its_idempotency(engine: sa.Engine) -> None:
    put_event(engine, 1)
    early, late = RECEIVED + dt.timedelta(minutes=10), RECEIVED + 35 * DAY
    with engine.connect() as connection:
        verdicts = [
            replay(connection, key(1), "fresh", now) for now in (RECEIVED, early, early + SECOND, late, late + SECOND)
        ]
        assert replay(connection, key(9), "fresh", late) is Replay.UNKNOWN_EVENT
    assert verdicts == [Replay.TOO_EARLY, Replay.TOO_EARLY, Replay.GRANTED, Replay.GRANTED, Replay.TOO_LATE]


def test_nonce_that_was_seen_within_ten_minutes_is_refused(engine: sa.Engine) -> None:
    put_event(engine, 1)
    later = RECEIVED + DAY
    put_event(engine, 2, request_received_at=later, nonce_expires_at=later + dt.timedelta(minutes=10))
    with engine.connect() as connection:
        for after, verdict in ((0, Replay.NONCE_SEEN), (600, Replay.NONCE_SEEN), (601, Replay.GRANTED)):
            assert replay(connection, key(1), "n2", later + after * SECOND) is verdict
        assert replay(connection, key(1), "n3", later) is Replay.GRANTED


def test_jobs_clear_away_or_only_count(booking_lab: Lab, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    long_ago = dt.datetime.now(dt.UTC) - 36 * DAY
    put_event(engine, 1, created_at=long_ago, idempotency_expires_at=long_ago)
    monkeypatch.setenv("MIGRATION_HOME", str(booking_lab.settings.home))
    monkeypatch.setenv("MIGRATION_DATABASE_URL", str(booking_lab.settings.database_url))
    live, dry = JOBS
    assert dry.execute_in_process(instance=booking_lab.instance).success
    assert left(engine, EVENTS) == {1}
    assert live.execute_in_process(instance=booking_lab.instance).success
    assert left(engine, EVENTS) == set()
    assert [(each.job_name, each.cron_schedule) for each in SCHEDULES] == [("booking_retention", "30 3 * * *")]
