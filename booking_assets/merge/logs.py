"""Rows of the audit log, of the merge log and of the worklist, with their keys."""

from typing import Any

import pandas as pd
import pyarrow as pa

from booking_assets.merge.frames import TEXT
from booking_assets.parsing.keys import canonical_name, key, keys
from migration.parsing.cells import to_json

MERGE_CONFLICT, NOTE_MERGED, INVALID_EMAIL = "MERGE_CONFLICT", "NOTE_MERGED", "INVALID_EMAIL"
STATUS_RECOMPUTED = "STATUS_RECOMPUTED"
FRESHER, OWNER, REVIEW_REQUIRED, ACTIVE_ITEMS = "FRESHER", "OWNER", "REVIEW_REQUIRED", "ACTIVE_ITEMS"
APPEND, DROPPED, RECOMPUTED = "APPEND", "DROPPED", "RECOMPUTED"

AUDIT_COLUMNS = (
    "audit_key",
    "export_id",
    "entity_type",
    "entity_key",
    "field_name",
    "action",
    "winner_source",
    "old_value",
    "new_value",
    "resolution",
    "payload",
)
DECISION_COLUMNS = ("group", "field_name", "action", "winner_source", "old_value", "new_value", "resolution", "payload")
QUEUE_COLUMNS = (
    "queue_key",
    "queue_type",
    "channel_code",
    "source_system",
    "source_table",
    "source_pk",
    "reason_code",
    "payload",
)


def decisions(
    groups: Any,
    field_name: str,
    action: str,
    *,
    old_value: Any,
    new_value: Any,
    winner_source: Any,
    resolution: Any,
    payload: Any = None,
) -> pd.DataFrame:
    """What was decided against, one row each, by the number of the booking: the audit log without keys.

    Args:
        groups: the bookings, an array of numbers; every other argument is one value or as many.
        field_name: the field that it is about.
        action: what happened.
        old_value: the text of the value that was not written.
        new_value: the text of the value that was.
        winner_source: the system of the written value.
        resolution: why it was written.
        payload: JSON text of what else there is to say.
    """
    found = pd.DataFrame({"group": pd.Series(groups, dtype=pd.ArrowDtype(pa.int64()))})
    texts = {
        "field_name": field_name,
        "action": action,
        "winner_source": winner_source,
        "old_value": old_value,
        "new_value": new_value,
        "resolution": resolution,
        "payload": payload,
    }
    for name, text in texts.items():
        several = not isinstance(text, str | None)
        found[name] = pd.Series(list(text) if several else [text] * len(found), index=found.index, dtype=TEXT)
    return found


def joined_decisions(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """All decisions in one frame, whatever their number."""
    return pd.concat(
        [decisions([], "", "", old_value=None, new_value=None, winner_source=None, resolution=None), *parts]
    )


def audit_rows(decided: pd.DataFrame, booking_keys: pd.Series, export_id: str) -> pd.DataFrame:
    """The audit log's rows of decisions.

    Args:
        decided: rows of `decisions`.
        booking_keys: the key of each booking, by its number.
        export_id: the export in which it was decided.
    """
    entity = booking_keys.reindex(decided["group"].to_numpy(dtype="int64")).astype(TEXT).set_axis(decided.index)
    parts = zip(entity, decided["field_name"], decided["action"], decided["old_value"].fillna(""), strict=True)
    found = decided.assign(
        audit_key=pd.Series(
            keys(canonical_name("audit_log", [export_id, *map(str, each)]) for each in parts),
            index=decided.index,
            dtype=TEXT,
        ),
        export_id=export_id,
        entity_type="BOOKING",
        entity_key=entity,
    )
    return found[list(AUDIT_COLUMNS)]


def queue_row(
    queue_type: str,
    channel_code: str | None,
    source: tuple[str, str, object],
    reason_code: str,
    payload: dict[str, Any],
) -> dict[str, str | None]:
    """One row of the worklist.

    Args:
        queue_type: what kind of work it is.
        channel_code: the channel that it belongs to.
        source: system, table and key of the legacy row.
        reason_code: why it is there.
        payload: what a person needs to know.
    """
    parts = [queue_type, source[0], source[1], str(source[2]), reason_code]
    values = (queue_type, channel_code, *parts[1:4], reason_code, to_json(payload))
    return dict(zip(QUEUE_COLUMNS, (key(canonical_name("unmapped_queue", parts)), *values), strict=True))


def queue_rows(found: list[dict[str, str | None]]) -> pd.DataFrame:
    """A frame of rows of the worklist."""
    return pd.DataFrame(found, columns=list(QUEUE_COLUMNS), dtype=TEXT)


def merge_key(export_id: str, target_table: str, source_table: str, source_row: int) -> str:
    """The key of a row of the merge log; the source table with its system, such as `bstadmin.bookings`."""
    return key(canonical_name("merge_log", [export_id, target_table, source_table, str(source_row)]))
