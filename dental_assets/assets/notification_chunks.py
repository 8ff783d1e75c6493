"""Notifications, split: one pass over the file that puts each row into the chunk of its range of legacy ids.

Chunks stay on disk, so card numbers and members that are never kept are taken out before they are written.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from dental_assets import rules, sources, tables
from dental_assets.assets import DENTAL, EXPORT, NOTIFICATIONS
from dental_assets.parsing.cards import SUSPECT, redacted, redacted_json
from dental_assets.parsing.json_values import structure, without_withheld
from dental_assets.parsing.numbers import ids
from dental_assets.partitions import CHUNKS, PARTITIONS_NAME, RANGE, UNKEYED, key_of
from migration.checks import Check, Scope, none_of
from migration.declare.asset import Registers, Write
from migration.declare.step import Step
from migration.exports.reading import RawBatch, lines_of
from migration.outcome import Outcome
from migration.parsing.cells import from_json, to_json
from migration.tables import Query

HELD_BYTES = 64 << 20
NO_ID = 0
CONTEXT = "template_context"
# What may hold a card number, or a member that is never kept; in escapes anything may hide.
_DOUBTFUL = rf"(?i){SUSPECT}|password|card_bin|\\u"

CHUNK_SCHEMA = pa.schema(
    [("source_row", pa.int64()), ("id", pa.int64()), ("malformed", pa.bool_()), ("line", pa.large_binary())]
)
# All else of a row waits in its line until its range is carried.
_ONLY_ID = replace(sources.dispatch_notification, columns=("id",))

Piece = tuple[str, pa.Table]


def split_by_range(batch: RawBatch) -> Iterator[Piece]:
    """The rows of a batch by the partition that they belong to, in file order: number, id (0 = none), line."""
    key = ids(batch.rows["id"]).value.fillna(NO_ID).to_numpy(dtype=np.int64)
    malformed = batch.rows["malformed"].notna().to_numpy(dtype=bool)
    columns = [
        pa.array(batch.rows["source_row"], type=pa.int64()),
        pa.array(key),
        pa.array(malformed),
        cleaned_lines(lines_of(batch), malformed),
    ]
    first = np.where(key == NO_ID, -1, key - key % RANGE)
    order = np.argsort(first, kind="stable")
    table = pa.Table.from_arrays(columns, schema=CHUNK_SCHEMA).take(pa.array(order))
    starts, places = np.unique(first[order], return_index=True)
    for start, place, end in zip(starts.tolist(), places, [*places[1:], len(order)], strict=True):
        yield UNKEYED if start < 0 else key_of(start), table.slice(place, end - place)


def cleaned_lines(lines: list[bytes], malformed: np.ndarray) -> pa.Array:
    """Lines without what must not be written anywhere; most need no look."""
    array = pa.array(lines, type=pa.large_binary())
    doubtful = pc.call_function(
        "match_substring_regex", [array.cast(pa.large_string())], pc.MatchSubstringOptions(_DOUBTFUL)
    )
    if not pc.call_function("any", [doubtful]).as_py():
        return array
    kept = list(lines)
    for place in np.flatnonzero(doubtful.to_numpy(zero_copy_only=False)):
        kept[place] = _cleaned_text(lines[place]) if malformed[place] else _cleaned_line(lines[place])
    return pa.array(kept, type=pa.large_binary())


def _cleaned_text(line: bytes) -> bytes:
    return redacted(line.decode()).encode()


def _cleaned_line(line: bytes) -> bytes:
    """A row without members that are never kept; columns that are carried as they are may hold any number."""
    record: Any = from_json(line)
    return to_json(without_withheld({key: _cleaned(key, value) for key, value in record.items()})).encode()


def _cleaned(key: str, value: Any) -> Any:
    if key == CONTEXT:
        found = structure(value)
        return redacted_json(value if found is None else found)
    return value if key in sources.dispatch_notification.columns else redacted_json(value)


def gathered(pieces: Iterable[Piece], held_bytes: int = HELD_BYTES) -> Iterator[Piece]:
    """Pieces of the same key joined to larger ones, in their order; never more is held than asked for."""
    held: defaultdict[str, list[pa.Table]] = defaultdict(list)
    size = 0
    for key, piece in pieces:
        held[key].append(piece)
        size += piece.nbytes
        if size >= held_bytes:
            yield from ((name, pa.concat_tables(each).combine_chunks()) for name, each in held.items())
            held.clear()
            size = 0
    yield from ((name, pa.concat_tables(each).combine_chunks()) for name, each in held.items())


def _split_rows(scope: Scope) -> Query:
    chunk = tables.notification_chunks
    held = sa.func.coalesce(sa.func.sum(chunk.c.source_rows), 0)
    return sa.select(
        sa.literal(scope.source_rows).label("source_rows"),
        held.label("split"),
        (sa.literal(scope.source_rows) - held).label("unaccounted"),
    ).where(chunk.c.export_id == scope.export.export_id)


conservation = Check(
    "conservation", "Every row of the file is in one chunk.", _split_rows, error=none_of("unaccounted"), blocking=True
)


@DENTAL.step(
    name=CHUNKS,
    group=NOTIFICATIONS,
    upstream=[EXPORT],
    source=sources.dispatch_notification,
    target=tables.notification_chunks,
    kinds=("parquet",),
    checks=[conservation],
    registers=Registers(PARTITIONS_NAME, sa.select(tables.notification_chunks.c.partition_key).distinct()),
)
def notification_chunks(step: Step) -> Write:
    """Notifications split by ranges of 100,000 legacy ids, each of which is a partition of what follows."""
    given = step.export.has(sources.dispatch_notification)
    batches = step.read(_ONLY_ID) if given else ()
    pieces = gathered(piece for batch in batches for piece in split_by_range(batch))
    rows = step.frames.write(CHUNKS, pieces, CHUNK_SCHEMA).rows
    step.tally.source_rows = sum(rows.values())
    step.tally.outcomes[Outcome.LOADED.value] = step.tally.source_rows
    if given:
        step.tally.source_rows = step.export.file_for(sources.dispatch_notification).rows
    else:
        step.tally.warnings[rules.OPTIONAL_TABLE_ABSENT] += 1
    chunk, export_id = tables.notification_chunks, step.export.export_id
    listed = sa.values(*chunk.columns, name="listed").data([(export_id, key, count) for key, count in rows.items()])
    nothing = sa.select(*chunk.columns).where(sa.false()).subquery("nothing")
    return lambda: step.replace(chunk, listed if rows else nothing, chunk.c.export_id == export_id)
