"""Notifications, range by range, in batches that are each a transaction of their own.

A range that is killed goes on after its last batch. Of a legacy id that comes several times the last row of the file
counts; a range has so few ids that the choice fits in memory.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from dental_assets import lookups, notification_checks, rules, sources, tables
from dental_assets.assets import DENTAL, NOTIFICATIONS
from dental_assets.parsing.json_values import json_texts
from dental_assets.parsing.numbers import booleans, ids
from dental_assets.parsing.rows import SYSTEM, TEXT, parsed_rows
from dental_assets.parsing.text import texts
from dental_assets.parsing.times import timestamps
from dental_assets.partitions import BY_RANGE, CHUNKS, UNKEYED
from dental_assets.quarantine import raw_record
from migration.declare.ahead import ReadAhead
from migration.declare.asset import Write
from migration.declare.lookups import stage_lookup
from migration.declare.pace import Pace
from migration.declare.step import Step
from migration.exports.reading import LineBatches, RawBatch
from migration.outcome import Labelled, Outcome, Rule, failed_ledger, label, rejects, split_by_rules
from migration.parsing.keys import legacy_uuids
from migration.tables import loaded_columns

BATCH_ROWS = 10_000
COUNTS = ("source_rows", "loaded", "merged", "rejected", "skipped")
RUNNING, DONE = "RUNNING", "DONE"

notifications_, progress_ = tables.notifications, tables.notification_progress
_SOURCE = sources.dispatch_notification
_RAW = raw_record(_SOURCE)
_INT = pd.ArrowDtype(pa.int64())


# --- pure: a batch of rows --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """What notifications name, as far as it is loaded.

    Attributes:
        profiles: legacy ids of the loaded profiles.
        models: names of the legacy content types by id.
    """

    profiles: frozenset[int]
    models: dict[int, str]


def parsed_notifications(rows: pd.DataFrame, known: Known) -> pd.DataFrame:
    """Notifications, read; recipients are found by their keys, which follow from the legacy ids."""
    recipient, kind = ids(rows["recipient_id"]), ids(rows["item_type_id"])
    columns = {
        "recipient_ref": recipient,
        "notification_type": texts(rows["template_name"]).filled("unknown"),
        "sender": texts(rows["sender"]),
        "context": json_texts(rows["template_context"], redact=True),
        "is_read": booleans(rows["read"]),
        "item_type_ref": kind,
        "legacy_item_id": ids(rows["item_id"]),
        "created_at": timestamps(rows["created_at"]),
        **{name: booleans(rows[name]) for name in ("sent", "send")},
    }
    frame = parsed_rows(rows, _SOURCE, "legacy_notification_id", columns)
    return frame.assign(
        recipient_id=legacy_uuids(f"{SYSTEM}:{sources.auth_user.name}:", recipient.value),
        item_type=kind.value.map(known.models, na_action="ignore").astype(TEXT),
    )


def notification_rules(known: Known) -> tuple[Rule, ...]:
    """The rules of a notification, in order; only what was sent and was to be sent is carried."""
    return (
        *rules.KEYED,
        Rule("not_sent", lambda rows: ~(rows["sent"] & rows["send"]), outcome=Outcome.SKIPPED),
        Rule("MISSING_REQUIRED", lambda rows: rows["recipient_ref"].isna(), "recipient_id"),
        Rule("PROFILE_NOT_FOUND", lambda rows: ~rows["recipient_ref"].isin(known.profiles), "recipient_id"),
        Rule("INVALID_TIMESTAMP", lambda rows: rows["created_at"].isna(), "created_at"),
    )


def labelled_notifications(batch: RawBatch, known: Known) -> Labelled:
    """A batch's rows with their outcomes; rows that are plainly loaded have no line in the ledger."""
    target, malformed = notifications_.name, batch.rows["malformed"]
    passed, failed = split_by_rules(notification_rules(known), parsed_notifications(batch.rows, known))
    rejected = (failed["outcome"] == Outcome.REJECTED.value).tolist()
    kinds = malformed.loc[failed.index].tolist()
    raw = [
        _RAW(batch.records[at], kind if isinstance(kind, str) else None) if is_rejected else "{}"
        for at, kind, is_rejected in zip(failed.index, kinds, rejected, strict=True)
    ]
    warned = passed[passed["warnings"].notna()]
    with_warnings = label(target, warned, Outcome.LOADED, reason=warned["warnings"], target_key=warned["id"])
    ledger = pd.concat([with_warnings, failed_ledger(target, failed)], ignore_index=True)
    return Labelled(passed, ledger, rejects(target, failed, raw))


# --- a range as batches -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Batch:
    """The rows that one transaction carries.

    Attributes:
        rows: the rows that count.
        merged: ledger rows of those that a later row of the same id replaces.
        last_id: the greatest legacy id; None where rows have none.
    """

    rows: RawBatch
    merged: pd.DataFrame
    last_id: int | None

    @property
    def source_rows(self) -> list[int]:
        """The numbers of all rows that the batch is about."""
        return [*self.rows.rows["source_row"].tolist(), *self.merged["source_row"].tolist()]


def keyed_batches(step: Step, key: str, after: int) -> Iterator[Batch]:
    """The rows of a range, ascending by legacy id, beginning after an id."""
    pieces = [piece.to_pandas() for piece in step.frames.tables(CHUNKS, key, ["source_row", "id"])]
    order = pd.concat(pieces).sort_values(["id", "source_row"], ignore_index=True)
    order = order[order["id"] > after]
    earlier = order["id"].duplicated(keep="last")
    kept, merged = order[~earlier], _merged(order[earlier])
    lines = _lines_of(step, key, kept["source_row"].to_numpy())
    reader = LineBatches(_SOURCE)
    for start in range(0, len(kept), BATCH_ROWS):
        part = lines.slice(start, BATCH_ROWS)
        numbers = kept["id"].iloc[start : start + BATCH_ROWS]
        of_batch = merged["id"].between(numbers.iloc[0], numbers.iloc[-1])
        yield Batch(_raw_batch(reader, part), merged[of_batch].drop(columns="id"), int(numbers.iloc[-1]))


def unkeyed_batches(step: Step, done: int) -> Iterator[Batch]:
    """The rows without a legacy id, as they come, beginning after some batches; memory is bounded by a piece."""
    reader, number = LineBatches(_SOURCE), 0
    for piece in step.frames.tables(CHUNKS, UNKEYED):
        for start in range(0, piece.num_rows, BATCH_ROWS):
            number += 1
            if number > done:
                yield Batch(_raw_batch(reader, piece.slice(start, BATCH_ROWS)), _merged(None), None)


def _lines_of(step: Step, key: str, source_rows: np.ndarray) -> pa.Table:
    """Chosen rows of a chunk, in the order of their numbers as given."""
    chosen = np.sort(source_rows)
    pieces = [
        piece.filter(pa.array(np.isin(piece["source_row"].to_numpy(), chosen, assume_unique=True)))
        for piece in step.frames.tables(CHUNKS, key)
    ]
    table = pa.concat_tables(pieces).combine_chunks()
    by_number = np.argsort(table["source_row"].to_numpy())
    return table.take(pa.array(by_number[np.searchsorted(chosen, source_rows)]))


def _raw_batch(reader: LineBatches, part: pa.Table) -> RawBatch:
    part = part.combine_chunks()
    numbers, malformed, lines = (_whole(part[name]) for name in ("source_row", "malformed", "line"))
    return reader.batch(numbers, lines, malformed)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole if isinstance(whole, pa.Array) else whole.chunk(0)


def _merged(rows: pd.DataFrame | None) -> pd.DataFrame:
    """Ledger rows, with the legacy id, of rows that a later one replaces."""
    rows = pd.DataFrame({"id": [], "source_row": []}, dtype="int64") if rows is None else rows
    key = rows["id"].astype(_INT)
    into = legacy_uuids(f"{SYSTEM}:{_SOURCE.name}:", key)
    named = rows.assign(source_pk=key.astype(TEXT))
    return label(notifications_.name, named, Outcome.MERGED, target_key=into).assign(id=rows["id"])


# --- a range in the database ------------------------------------------------------------------------------------------


@dataclass
class Progress:
    """How far a range has come.

    Attributes:
        batches: batches that are committed.
        last_id: the greatest legacy id that is committed.
        counts: rows by outcome, and all.
        again: whether rows of an earlier run may have outcomes.
    """

    batches: int = 0
    last_id: int | None = None
    counts: Counter[str] = field(default_factory=Counter)
    again: bool = False

    @classmethod
    def of(cls, step: Step, key: str) -> "Progress":
        """Where a range stands: a run that was killed is taken up, one that is done begins anew."""
        mine = sa.and_(progress_.c.export_id == step.export.export_id, progress_.c.partition_key == key)
        row = step.connection.execute(sa.select(progress_).where(mine)).one_or_none()
        if row is None or row.status == DONE:
            return cls(again=row is not None)
        counts = Counter({name: getattr(row, name) for name in COUNTS})
        return cls(row.last_batch, row.last_legacy_id, counts, again=True)

    def add(self, batch: Batch, labelled: Labelled) -> None:
        """Count a batch."""
        outcomes = Counter(labelled.ledger["outcome"].tolist())
        self.batches += 1
        self.last_id = batch.last_id
        self.counts.update({name: outcomes[name] for name in ("rejected", "skipped")})
        self.counts.update(loaded=len(labelled.rows), merged=len(batch.merged), source_rows=len(batch.source_rows))

    def write(self, step: Step, key: str, status: str) -> None:
        """Put it into the database."""
        values = {
            "last_batch": self.batches,
            "last_legacy_id": self.last_id,
            **{name: self.counts[name] for name in COUNTS},
            "status": status,
            "updated_at": sa.func.now(),
        }
        insert = pg.insert(progress_).values(export_id=step.export.export_id, partition_key=key, **values)
        step.connection.execute(
            insert.on_conflict_do_update(index_elements=list(progress_.primary_key.columns), set_=values)
        )


@DENTAL.step(
    name="notifications",
    group=NOTIFICATIONS,
    upstream=[CHUNKS, "profiles"],
    source=_SOURCE,
    target=notifications_,
    partitioning=BY_RANGE,
    kinds=("postgres", "table"),
    checks=notification_checks.ALL,
    remembers_inputs=True,
)
def notifications(step: Step) -> Write:
    """Notifications that were sent, one range of legacy ids for each partition.

    Each batch of 10,000 is committed by itself together with its rejected rows and the range's progress; a killed range
    goes on where it stopped.
    """
    key = str(step.partition)
    known, progress = _known(step), Progress.of(step, key)
    step.facts["resumed_after_batch"] = progress.batches
    pace = Pace(step.frames.parts(CHUNKS)[key] - progress.counts["source_rows"], _waiting(step, key))
    batches = _batches(step, key, progress)
    with ReadAhead((batch, labelled_notifications(batch.rows, known)) for batch in batches) as ready:
        for batch, labelled in ready:
            _commit(step, key, batch, labelled, progress)
            step.tell(pace.after(len(batch.source_rows)))
    _take_counts(step, key, progress)
    return lambda: progress.write(step, key, DONE)


def _waiting(step: Step, key: str) -> int:
    """The rows of the other ranges that are not done."""
    chunk = tables.notification_chunks
    same = sa.and_(progress_.c.export_id == chunk.c.export_id, progress_.c.partition_key == chunk.c.partition_key)
    left = chunk.c.source_rows - sa.func.coalesce(progress_.c.source_rows, 0)
    rows = sa.select(sa.func.sum(left)).select_from(chunk.outerjoin(progress_, same))
    others = sa.and_(chunk.c.export_id == step.export.export_id, chunk.c.partition_key != key)
    return int(step.connection.scalar(rows.where(others, progress_.c.status.is_distinct_from(DONE))) or 0)


def _batches(step: Step, key: str, progress: Progress) -> Iterator[Batch]:
    if key == UNKEYED:
        return unkeyed_batches(step, progress.batches)
    return keyed_batches(step, key, progress.last_id or 0)


def _known(step: Step) -> Known:
    types = stage_lookup(step, lookups.content_types)
    named = sa.select(types.c.id, types.c.model).where(types.c.model.is_not(None))
    return Known(
        frozenset(step.connection.scalars(sa.select(tables.profiles.c.legacy_user_id))),
        {row.id: row.model for row in step.connection.execute(named)},
    )


def _commit(step: Step, key: str, batch: Batch, labelled: Labelled, progress: Progress) -> None:
    """Write a batch, its outcomes and the progress in a transaction of their own."""
    beside = step.beside()
    progress.add(batch, labelled)
    with beside.transaction(lambda connection: None):
        _write_rows(beside, labelled.rows)
        beside.outcomes.add(beside.connection, pd.concat([labelled.ledger, batch.merged]), labelled.rejects)
        if progress.again:
            _forget(beside, batch.source_rows)
        beside.outcomes.write(beside.connection)
        progress.write(beside, key, RUNNING)
    step.changes += beside.changes


def _write_rows(step: Step, rows: pd.DataFrame) -> None:
    """Copy rows into the table where no row has an id of theirs, which costs half of an upsert; upsert them else."""
    if rows.empty:
        return
    columns, legacy = loaded_columns(notifications_), notifications_.c.legacy_notification_id
    here = legacy.between(int(rows[legacy.name].min()), int(rows[legacy.name].max()))
    if step.connection.scalar(sa.select(sa.literal(1)).where(here).limit(1)) is None:
        written = rows.assign(export_id=step.export.export_id)
        step.copy(notifications_, notifications_, [*columns, notifications_.c.export_id], written)
        step.count_inserted(len(rows))
        return
    stage = step.create_stage(notifications_, columns)
    step.copy(notifications_, stage, columns, rows)
    step.upsert(notifications_, stage, columns)


def _forget(step: Step, source_rows: list[int]) -> None:
    """Remove what an earlier run said of rows that now are plainly loaded: those have no line."""
    numbers = sa.cast(source_rows, sa.ARRAY(sa.BigInteger))
    for book, staged in ((step.books.ledger, step.outcomes.ledger), (step.books.rejected, step.outcomes.rejected)):
        mine = sa.and_(
            book.c.export_id == step.export.export_id,
            book.c.source_table == step.source_table,
            book.c.target_table == notifications_.name,
            book.c.source_row == sa.any_(numbers),
        )
        step.connection.execute(sa.delete(book).where(mine, book.c.source_row.not_in(sa.select(staged.c.source_row))))


def _take_counts(step: Step, key: str, progress: Progress) -> None:
    """The counts of the whole range, also of batches that an earlier run has committed."""
    ledger = step.books.ledger
    pieces = step.frames.tables(CHUNKS, key, ["source_row"])
    of_export = sa.and_(
        ledger.c.export_id == step.export.export_id,
        ledger.c.source_table == step.source_table,
        ledger.c.target_table == notifications_.name,
    )
    for piece in pieces:
        numbers = sa.cast(piece["source_row"].to_pylist(), sa.ARRAY(sa.BigInteger))
        mine = of_export & (ledger.c.source_row == sa.any_(numbers))
        rows = sa.select(ledger.c.outcome, ledger.c.reason, sa.func.count()).where(mine)
        for outcome, reason, count in step.connection.execute(rows.group_by(ledger.c.outcome, ledger.c.reason)):
            step.tally.count_reason(outcome, reason, count)
    step.tally.source_rows = progress.counts["source_rows"]
    for outcome in Outcome:
        step.tally.outcomes[outcome.value] = progress.counts[outcome.value]
