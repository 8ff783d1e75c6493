"""E-mails as events, and those that nobody will try again."""

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.booking import booking_scalars as scalars
from tests.booking.booking_files import Row
from tests.booking.booking_identity import CHANNELS
from tests.booking.booking_records import LONG_AGO, Draft, Record, first

TARGET, DEAD = "ingest_event_log", "ingest_dead_letter"
IDEMPOTENT_FOR, NONCE_FOR = dt.timedelta(days=35), dt.timedelta(minutes=10)
_RANKS = {"MANUAL": 0, "BOKUN": 1}
_OF_JOB = {"COMPLETED": "DONE", "PROCESSING": "PROCESSING", "PENDING": "RECEIVED"}


@dataclass
class Mail:
    """An e-mail with what belongs to it.

    Attributes:
        record: its row.
        link: its tie to a booking.
        job: the last attempt to parse it.
        booking_ref: the reference of the booking that it is tied to.
    """

    record: Record
    link: Record | None
    job: Record | None
    booking_ref: str | None

    @property
    def parsed(self) -> Row:
        """What the parser found."""
        found = scalars.json_value(self.record.values.get("parsed_data"))
        return found if isinstance(found, dict) else {}

    @property
    def key(self) -> str:
        """The UUID of its event."""
        return scalars.key_of(self.record.name)

    @property
    def time(self) -> dt.datetime | None:
        """When it came."""
        return self.record.moment("received_at") or self.record.moment("created_at")

    @property
    def ref(self) -> str | None:
        """The reference of the booking that it is about."""
        return scalars.upper(self.parsed.get("bookingRef")) or self.booking_ref

    @property
    def idempotency_key(self) -> str:
        """What two copies of one e-mail have in common."""
        written = self.record.text("message_id") or ""
        return written if len(written) <= 128 else hashlib.sha256(written.encode()).hexdigest()

    @property
    def subject(self) -> str:
        """The subject in small letters."""
        return (self.record.text("subject") or "").lower()

    @property
    def channel(self) -> str:
        """The channel that it is about."""
        inbox = self.record.upper("source") or ""
        inbox = inbox if inbox in CHANNELS else "MANUAL"
        parser = scalars.upper(self.parsed.get("source"))
        parser = parser if parser in CHANNELS else None
        if parser is None and inbox == "BOKUN" and self._is_of_viator():
            parser = "VIATOR"
        return parser if parser and _RANKS.get(parser, 2) > _RANKS.get(inbox, 2) else inbox

    def _is_of_viator(self) -> bool:
        texts = (self.record.text(column) for column in ("subject", "body", "html_body"))
        named = any("viator" in (text or "").lower() for text in texts)
        return named or bool(re.fullmatch("VIA-[0-9]{8}", self.ref or ""))

    @property
    def event_type(self) -> str:
        """What happened to the booking."""
        if "cancel" in self.subject or scalars.text(self.parsed.get("tourName")) == "CANCELLATION":
            return "CANCELLED"
        changed = any(word in self.subject for word in ("updated", "detail change", "modified"))
        changed = changed or "[UPDATE]" in (scalars.text(self.parsed.get("note")) or "")
        return "UPDATED" if changed else "CREATED"

    @property
    def process_status(self) -> str:
        """How far the parser was."""
        status = self.job.upper("status") if self.job else None
        if status == "FAILED" or (self.record.raw("error_message") is not None and self.link is None):
            return "FAILED"
        return _OF_JOB.get(status or "") or ("DONE" if self.link else "RECEIVED")

    @property
    def attempts(self) -> int:
        """How often it was tried."""
        return first(self.job and self.job.natural("attempts"), 0)

    @property
    def most_attempts(self) -> int:
        """How often it may be tried."""
        return first(self.job and self.job.identifier("max_attempts"), 3)

    @property
    def error(self) -> str | None:
        """What went wrong."""
        return first(self.job and self.job.raw("error"), self.record.raw("error_message"))

    @property
    def reason(self) -> str:
        """What kind of failure it is."""
        return "SCHEMA_MISMATCH" if "pars" in (self.error or "").lower() else "TRANSIENT_ERROR"

    @property
    def is_dead(self) -> bool:
        """Whether trying again is of no use."""
        hopeless = self.reason == "SCHEMA_MISMATCH" or self.attempts >= self.most_attempts
        return self.process_status == "FAILED" and hopeless

    @property
    def payload(self) -> Row:
        """The e-mail itself."""
        parts = {"subject": "subject", "from": "from", "body": "body", "html": "html_body"}
        values = self.record.values
        return {
            **{name: scalars.unchanged(values.get(column)) for name, column in parts.items()},
            "parsed_data": scalars.json_value(values.get("parsed_data")),
            "booking_email_relation_type": self.link and self.link.upper("relation_type"),
        }


class Ingest:
    """The events of one export."""

    def __init__(self, draft: Draft, stored: Mapping[str, Row], merged: Mapping[int, tuple[str, str]]) -> None:
        """Begin.

        Args:
            draft: the export.
            stored: the events that are there.
            merged: reason and event of the e-mails that the same export has merged before, by row number.
        """
        self.draft, self.merged = draft, merged
        self.inputs = draft.inputs
        self.by_idempotency = {row["idempotency_key"]: key for key, row in stored.items()}
        self.by_second_key = {_second_key(row): key for key, row in stored.items()}

    def run(self) -> None:
        """Write events and dead letters."""
        mails = [mail for mail in self._mails() if self._is_event(mail)]
        for mail in sorted(mails, key=lambda mail: (mail.time or LONG_AGO, mail.record.key)):
            row = self._event(mail)
            kept = self.merged.get(mail.record.number) or self._kept(row)
            if kept is None:
                self.by_idempotency[row["idempotency_key"]] = mail.key
                self.by_second_key[_second_key(row)] = mail.key
                self.draft.put(TARGET, mail.key, **{name: value for name, value in row.items() if name != "event_key"})
                self.draft.loaded(mail.record, TARGET, mail.key)
                self._dead_letter(mail, row)
            else:
                reason, key = kept
                self.draft.merged(mail.record, TARGET, reason, key)

    def _mails(self) -> Iterable[Mail]:
        links = self.inputs.by_link("bstadmin.booking_emails", "email_id")
        jobs = self.inputs.by_link("bstadmin.email_jobs", "email_inbox_id")
        for key, record in self.inputs.of("bstadmin.email_inbox").items():
            link = links[key][0] if key in links else None
            booking = self.inputs.of("bstadmin.bookings").get(link.identifier("booking_id") or 0) if link else None
            job = max(jobs[key], key=lambda job: (job.moment("created_at") or LONG_AGO, job.key), default=None)
            yield Mail(record, link, job, booking.upper("booking_ref") if booking else None)

    def _is_event(self, mail: Mail) -> bool:
        """Whether an e-mail is an event; labels it if not."""
        if mail.record.boolean("is_booking_email") is not True:
            self.draft.skipped(mail.record, TARGET, "NOT_BOOKING_EMAIL")
            return False
        faults = (
            (mail.record.text("message_id") is None, "MISSING_MESSAGE_ID"),
            (mail.time is None, "INVALID_EVENT_TIME"),
            (mail.ref is None, "NO_BOOKING_REF"),
            (len(mail.ref or "") > 128, "REF_TOO_LONG"),
        )
        reason = next((code for holds, code in faults if holds), None)
        if reason:
            self.draft.rejected(mail.record, TARGET, reason)
        return reason is None

    def _kept(self, row: Row) -> tuple[str, str] | None:
        """The event that stands for this one, with the reason."""
        own = row["event_key"]
        for reason, key in (
            ("SAME_IDEMPOTENCY_KEY", self.by_idempotency.get(row["idempotency_key"])),
            ("SECONDARY_DEDUP", self.by_second_key.get(_second_key(row))),
        ):
            if key is not None and key != own:
                return reason, key
        return None

    def _event(self, mail: Mail) -> Row:
        at = mail.time
        assert at is not None
        payload = mail.payload
        status, job = mail.process_status, mail.job
        waits = status == "RECEIVED" or (status == "FAILED" and not mail.is_dead)
        hashed = scalars.json_text(payload, ordered=True)
        return {
            "event_key": mail.key,
            "idempotency_key": mail.idempotency_key,
            "nonce": f"legacy:{mail.record.key}"[:128],
            "source_enum": mail.channel,
            "channel_code": mail.channel,
            "external_booking_ref": mail.ref,
            "event_type": mail.event_type,
            "event_time": at,
            "event_time_normalized": at.replace(microsecond=0),
            "payload_hash": hashlib.sha256(hashed.encode()).hexdigest(),
            "signature_verified": False,
            "process_status": status,
            "attempt_count": mail.attempts,
            "next_retry_at": job.moment("next_retry_at") if job and waits else None,
            "request_received_at": at,
            "processed_at": job and job.moment("processed_at"),
            "idempotency_expires_at": at + IDEMPOTENT_FOR,
            "nonce_expires_at": at + NONCE_FOR,
            "raw_payload": payload,
            "error_message": mail.error,
        }

    def _dead_letter(self, mail: Mail, row: Row) -> None:
        if row["process_status"] != "FAILED":
            return
        counts = self.draft.counts[DEAD]
        counts.source_rows += 1
        if not mail.is_dead:
            counts.add("skipped", "RETRYABLE")
            return
        counts.add("loaded")
        failed_at = row["processed_at"] or row["event_time"]
        self.draft.put(
            DEAD,
            scalars.key_of((mail.job or mail.record).name),
            event_key=mail.key,
            reason_code=mail.reason,
            reason_detail=mail.error,
            poison_message=True,
            replay_count=0,
            status="OPEN",
            first_failed_at=failed_at,
            last_failed_at=failed_at,
            next_replay_at=None,
            raw_payload=row["raw_payload"],
        )


def _second_key(row: Row) -> tuple[Any, ...]:
    names = ("source_enum", "external_booking_ref", "event_type", "event_time_normalized")
    return tuple(row[name] for name in names)
