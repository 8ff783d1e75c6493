"""Checks of events and dead letters: nothing is lost, nothing is twice there, every dead letter has its event."""

import datetime as dt
from collections.abc import Callable

import sqlalchemy as sa

from booking_assets import tables
from booking_assets.checks import CONSERVATION
from booking_assets.merge.events import SECOND_KEY
from booking_assets.months import ingest_months
from booking_assets.parsing.statuses import FAILED
from migration.checks import Check, Scope, conservation, in_partition, none_of, orphans, unique
from migration.outcome import Outcome
from migration.tables import Query, key_columns

NONCE_LIFE = dt.timedelta(minutes=10)

_OUTCOMES = [outcome.value for outcome in Outcome]

_event, _letter = tables.ingest_event_log, tables.ingest_dead_letter


def _cleared(
    scope: Scope, target: sa.Table, before: Callable[[sa.Table], sa.ColumnElement[bool]] = lambda change: sa.true()
) -> sa.ScalarSelect[int]:
    """How many rows of the export were loaded, are gone now, and were logged as they went; none while it is loaded.

    Args:
        scope: what the check may look at.
        target: the table.
        before: a condition on what the change log has of them.
    """
    ledger, change, key = scope.books.ledger, scope.books.change, key_columns(target)[0]
    still_there = sa.select(key).where(sa.cast(key, sa.Text) == ledger.c.target_key).exists()
    went = sa.select(change.c.run_id).where(
        change.c.table_name == target.name,
        change.c.row_key[key.name].astext == ledger.c.target_key,
        change.c.after_md5.is_(None),
        before(change),
    )
    loaded = sa.and_(
        ledger.c.export_id == scope.export.export_id,
        ledger.c.target_table == target.name,
        ledger.c.outcome == Outcome.LOADED.value,
        sa.true() if scope.staged_rows is None else sa.false(),
    )
    rows = sa.select(sa.func.count()).select_from(ledger).where(loaded, sa.not_(still_there), went.exists())
    return rows.scalar_subquery()


def _counts(scope: Scope, target: sa.Table) -> sa.Subquery:
    """The counts that conservation of any table is about."""
    counted = conservation(CONSERVATION, target, split_by=ingest_months).measure(scope)
    assert isinstance(counted, sa.Select)  # noqa: S101 - it is one statement
    return counted.subquery("counts")


# --- events -----------------------------------------------------------------------------------------------------------


def _conserved_events(scope: Scope) -> Query:
    counts, cleared = _counts(scope, _event).c, _cleared(scope, _event)
    return sa.select(
        *(counts[name] for name in (*_OUTCOMES, "target_rows", "source_rows", "unaccounted")),
        cleared.label("cleared_rows"),
        (counts.target_difference - cleared).label("target_difference"),
    )


def _whole_seconds(scope: Scope) -> sa.ColumnElement[bool]:
    """Rows whose normalized time is not that of their event, to the second."""
    normalized = sa.func.date_trunc("second", _event.c.event_time, "UTC")
    return sa.and_(_event.c.event_time_normalized != normalized, in_partition(_event, ingest_months, scope))


event_time_normalized_seconds = Check(
    "event_time_normalized_seconds",
    "The normalized time of an event is its time to the second; two events of a second are told apart by it.",
    lambda scope: sa.select(sa.func.count().label("rows")).select_from(_event).where(_whole_seconds(scope)),
    error=none_of("rows"),
    blocking=True,
    keys=lambda scope: sa.select(_event.c.event_key).where(_whole_seconds(scope)),
)


def _reused_nonces(scope: Scope) -> Query:
    """Events whose nonce an earlier one has borne within its life."""
    earlier = sa.func.lag(_event.c.request_received_at).over(
        partition_by=_event.c.nonce, order_by=(_event.c.request_received_at, _event.c.event_key)
    )
    since = (_event.c.request_received_at - earlier).label("since")
    events = sa.select(_event.c.event_key, since).where(in_partition(_event, ingest_months, scope)).subquery()
    return sa.select(events.c.event_key).where(events.c.since <= NONCE_LIFE)


nonce_reuse = Check(
    "nonce_reuse",
    "No two events bear the same nonce within ten minutes: a request that is sent again must not count twice.",
    lambda scope: sa.select(sa.func.count().label("events")).select_from(_reused_nonces(scope).subquery()),
    error=none_of("events"),
    keys=_reused_nonces,
)

EVENT_LOG = (
    Check(
        CONSERVATION,
        "Every e-mail has exactly one outcome, and every event of this export is there, or was cleared away since.",
        _conserved_events,
        error=none_of("unaccounted", "target_difference"),
        blocking=True,
        kind="conservation",
    ),
    unique("ingest_idempotency", _event, ["idempotency_key"]),
    unique("ingest_secondary_dedup", _event, SECOND_KEY),
    event_time_normalized_seconds,
    nonce_reuse,
)

# --- dead letters -----------------------------------------------------------------------------------------------------


def _conserved_letters(scope: Scope) -> Query:
    """The failed events are counted in the event log itself."""
    counts, cleared = _counts(scope, _letter).c, _cleared(scope, _letter)
    failed = sa.select(sa.func.count()).where(
        _event.c.process_status == FAILED,
        _event.c.export_id == scope.export.export_id,
        in_partition(_event, ingest_months, scope),
    )
    gone = _cleared(scope, _event, lambda change: change.c.before["process_status"].astext == FAILED)
    source_rows = failed.scalar_subquery() + gone
    return sa.select(
        *(counts[name] for name in (*_OUTCOMES, "target_rows")),
        source_rows.label("source_rows"),
        cleared.label("cleared_rows"),
        (source_rows - sum(counts[name] for name in _OUTCOMES)).label("unaccounted"),
        (counts.target_difference - cleared).label("target_difference"),
    )


DEAD_LETTER = (
    Check(
        CONSERVATION,
        "Every failed event has a dead letter or will be tried again; what was cleared away since counts, too.",
        _conserved_letters,
        error=none_of("unaccounted", "target_difference"),
        blocking=True,
        kind="conservation",
    ),
    orphans("dead_letter_orphan", _letter, split_by=ingest_months),
)
