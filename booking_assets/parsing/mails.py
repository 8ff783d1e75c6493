"""The rows of the e-mail tables, read into the columns that events are made of, and the payload of an event."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from booking_assets.parsing.json_values import json_value
from booking_assets.parsing.numbers import booleans, integers, primary_keys
from booking_assets.parsing.payloads import payload_hash, text_hash
from booking_assets.parsing.problem import Problem
from booking_assets.parsing.statuses import BOKUN, CANCELLED, UPDATED, channel, channels
from booking_assets.parsing.texts import raw_texts, text, texts, upper, uppers, without_unstorable
from booking_assets.parsing.times import timestamps
from booking_assets.parsing.warnings import invalid, joined_warnings
from migration.parsing.cells import Value, decode_cell, field_of, parse_each, to_json
from migration.parsing.vectors import parse_vector

IDEMPOTENCY_KEY_LENGTH = 128

_CANCEL_WORD = "cancel"
_UPDATE_WORDS = ("updated", "detail change", "modified")
_CANCELLED_TOUR = "CANCELLATION"
_UPDATE_MARK = "[UPDATE]"
_VIATOR_WORD = "viator"
_WRITTEN = ("subject", "body", "html_body")
# The parts of a payload, and the columns that they are.
_PAYLOAD_TEXTS = {"subject": "subject", "from": "from", "body": "body", "html": "html_body"}
_TEXT = pd.ArrowDtype(pa.string())


class Findings(NamedTuple):
    """What the legacy parser found in an e-mail; missing where it found nothing usable.

    Attributes:
        channel: one of the six channels.
        ref: the reference of a booking, in upper case.
        event_type: CANCELLED or UPDATED.
    """

    channel: str | None
    ref: str | None
    event_type: str | None


def findings(value: Value) -> Findings:
    """What `parsed_data` says; anything but an object, also one written as text, says nothing."""
    found = json_value(value)
    if not isinstance(found, dict):
        return Findings(None, None, None)
    note = _known(text(found.get("note")))
    is_cancelled = text(found.get("tourName")) == _CANCELLED_TOUR
    is_updated = note is not None and _UPDATE_MARK in note
    event_type = CANCELLED if is_cancelled else UPDATED if is_updated else None
    return Findings(_known(channel(found.get("source"))), _known(upper(found.get("bookingRef"))), event_type)


def subject_event(value: Value) -> str | Problem:
    """CANCELLED or UPDATED, by the words of a subject in any case; all else is NULL."""
    words = (_known(text(value)) or "").lower()
    if _CANCEL_WORD in words:
        return CANCELLED
    return UPDATED if any(word in words for word in _UPDATE_WORDS) else Problem.NULL


def names_viator(value: Value) -> bool:
    """Whether a text mentions Viator, in any case."""
    return _VIATOR_WORD in (_known(text(value)) or "").lower()


def idempotency_key(value: Value) -> str | Problem:
    """What all copies of one e-mail share: its message id, or the SHA-256 of a longer one; nothing given is NULL."""
    found = text(value)
    if isinstance(found, Problem) or len(found) <= IDEMPOTENCY_KEY_LENGTH:
        return found
    return text_hash(found)


def mail_rows(cells: pd.DataFrame, latest: dt.datetime) -> pd.DataFrame:
    """Rows of the inbox without their texts.

    Args:
        cells: cells of the table.
        latest: the latest time that a record may bear.

    Returns:
        Same index: `is_booking`, `idempotency_key`, `event_time`; `inbox_channel`, `parser_channel` and whether the
        text `names_viator`, which is looked for only where it counts; `parser_ref`; `subject_event` and
        `parser_event`; `error_message`; `warnings` as a comma list.
    """
    received, created = (timestamps(cells[name], latest) for name in ("received_at", "created_at"))
    is_booking, source = booleans(cells["is_booking_email"]), channels(cells["source"])
    parser = parse_each(cells["parsed_data"], findings)
    parser_channel = field_of(parser, "channel").astype(_TEXT)
    unsure = (source.value == BOKUN).to_numpy(dtype=bool) & parser_channel.isna().to_numpy(dtype=bool)
    warned = invalid(is_booking_email=is_booking, received_at=received, created_at=created, source=source)
    return pd.DataFrame(
        {
            "is_booking": is_booking.value,
            "idempotency_key": parse_vector(cells["message_id"], pa.string(), idempotency_key).value,
            "event_time": received.value.fillna(created.value),
            "inbox_channel": source.value,
            "parser_channel": parser_channel,
            "names_viator": _viator_named(cells[unsure]).reindex(cells.index, fill_value=False),
            "parser_ref": field_of(parser, "ref").astype(_TEXT),
            "subject_event": parse_vector(cells["subject"], pa.string(), subject_event).value,
            "parser_event": field_of(parser, "event_type").astype(_TEXT),
            "error_message": raw_texts(cells["error_message"]).value,
            "warnings": joined_warnings(warned, cells),
        }
    )


def _viator_named(cells: pd.DataFrame) -> pd.Series:
    named = [parse_each(cells[column], names_viator).astype(bool) for column in _WRITTEN]
    return named[0] | named[1] | named[2]


def job_rows(cells: pd.DataFrame, latest: dt.datetime) -> pd.DataFrame:
    """Rows of the parser's jobs, by the e-mail that they are for.

    Returns:
        `email`, `job_created_at`, `job_status`, `attempts` (missing below 0), `max_attempts` (missing below 1),
        `job_error`, `processed_at`, `next_retry_at`; `job_warnings` as a comma list.
    """
    read = {
        "attempts": integers(cells["attempts"]),
        "max_attempts": primary_keys(cells["max_attempts"]),
        "processed_at": timestamps(cells["processed_at"], latest),
        "next_retry_at": timestamps(cells["next_retry_at"]),
    }
    attempts = read["attempts"].value
    return pd.DataFrame(
        {
            "email": texts(cells["email_inbox_id"]).value,
            "job_created_at": timestamps(cells["created_at"], latest).value,
            "job_status": uppers(cells["status"]).value,
            **{name: column.value for name, column in read.items()},
            "attempts": attempts.where((attempts >= 0).fillna(value=False), None),
            "job_error": raw_texts(cells["error"]).value,
            "job_warnings": joined_warnings(invalid(**read), cells),
        }
    )


def link_rows(cells: pd.DataFrame) -> pd.DataFrame:
    """Ties between e-mails and bookings: `email`, `booking_id`, and what the e-mail did to it as `relation`."""
    return pd.DataFrame(
        {
            "email": texts(cells["email_id"]).value,
            "booking_id": primary_keys(cells["booking_id"]).value,
            "relation": uppers(cells["relation_type"]).value,
        }
    )


def payloads(cells: pd.DataFrame, relations: pd.Series) -> pd.DataFrame:
    """The e-mails themselves as `raw_payload`, JSON text, with `payload_hash`; the index of the cells.

    Args:
        cells: cells of the inbox.
        relations: what each e-mail did to the booking that it is tied to, missing without a tie.
    """
    columns = [cells[name] for name in (*_PAYLOAD_TEXTS.values(), "parsed_data")]
    rows = zip(*(column.astype(object).where(column.notna(), None) for column in columns), strict=True)
    made = [
        payload([decode_cell(cell) for cell in row], None if pd.isna(relation) else relation)
        for row, relation in zip(rows, relations, strict=True)
    ]
    return pd.DataFrame(
        {
            "raw_payload": pd.Series([to_json(each) for each in made], index=cells.index, dtype=_TEXT),
            "payload_hash": pd.Series([payload_hash(each) for each in made], index=cells.index, dtype=_TEXT),
        }
    )


def payload(values: Sequence[Value], relation: str | None) -> dict[str, Any]:
    """The payload of one e-mail: subject, from, body and html unchanged, and what the legacy parser made of it."""
    *written, parsed = values
    found = dict(zip(_PAYLOAD_TEXTS, map(_unchanged, written), strict=True))
    return found | {"parsed_data": _known(json_value(parsed)), "booking_email_relation_type": relation}


def _unchanged(value: Value) -> str | None:
    """Text as it is, also white space alone; empty text is none, and so are arrays and objects."""
    return without_unstorable(value) or None if isinstance(value, str) else _known(text(value))


def _known(found: Any) -> Any:
    return None if isinstance(found, Problem) else found
