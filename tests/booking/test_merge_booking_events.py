"""E-mails as events: what they say, what belongs to them, which of them are one event, which are dead."""

import datetime as dt
import hashlib
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from booking_assets import rules, sources
from booking_assets.merge.events import (
    Known,
    dead_letters,
    event_outcomes,
    event_rows,
    joined_mails,
)
from booking_assets.merge.frames import TEXT
from booking_assets.parsing.keys import key
from booking_assets.parsing.mails import (
    findings,
    idempotency_key,
    job_rows,
    link_rows,
    mail_rows,
    names_viator,
    payload,
    payloads,
    subject_event,
)
from booking_assets.parsing.problem import Problem
from migration.outcome import split_by_rules
from tests.booking.booking_frames import LATEST, table

MAIL: dict[str, Any] = {
    "id": "m1",
    "message_id": "<m1@mail.test>",
    "subject": "New booking",
    "from": "ota@mail.test",
    "received_at": "2026-01-02T03:04:05.678Z",
    "body": "Dear operator",
    "is_booking_email": True,
    "source": "GYG",
    "parsed_data": {"bookingRef": "ref1"},
    "created_at": "2026-01-02T04:00:00Z",
}
NOTHING_KNOWN = Known(
    pd.DataFrame(columns=["event_key", "idempotency_key", "source_enum", "external_booking_ref"]).assign(
        event_type=None, event_time_normalized=pd.Series(dtype="datetime64[us, UTC]")
    ),
    pd.DataFrame(columns=["source_row", "reason", "target_key"]),
)


def with_keys(cells: pd.DataFrame, rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Rows with their keys, as the reader of source rows gives them."""
    return rows.assign(source_row=cells["source_row"], pk=cells[column].astype(TEXT), source_pk=cells[column])


def joined(
    mails: list[dict[str, Any]],
    jobs: list[dict[str, Any]] | None = None,
    links: list[dict[str, Any]] | None = None,
    refs: dict[int, str] | None = None,
) -> pd.DataFrame:
    """E-mails that differ from a clean one, with their jobs and ties."""
    inbox = table(sources.email_inbox, [MAIL | each for each in mails])
    job_cells, link_cells = table(sources.email_jobs, jobs or []), table(sources.booking_emails, links or [])
    return joined_mails(
        with_keys(inbox, mail_rows(inbox, LATEST), "id"),
        with_keys(job_cells, job_rows(job_cells, LATEST), "id"),
        with_keys(link_cells, link_rows(link_cells), "id"),
        pd.Series(refs or {}, dtype=TEXT),
    )


def events(*mails: dict[str, Any], **further: Any) -> pd.DataFrame:
    """Events of e-mails of which none fails a rule."""
    passed, failed = split_by_rules(rules.ingest_event_log, joined(list(mails), **further))
    assert failed.empty
    return event_rows(passed)


def one(mail: dict[str, Any], **further: Any) -> dict[str, Any]:
    """The event of an e-mail."""
    (row,) = events(mail, **further).to_dict("records")
    return {name: None if pd.isna(value) else value for name, value in row.items()}


# --- what an e-mail says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "event_type"),
    [
        ("Booking CANCELLED", "CANCELLED"),
        ("Updated booking: Ubud", "UPDATED"),
        ("Detail   change of your tour", "UPDATED"),
        ("modified, then cancelled", "CANCELLED"),
        ("New booking", Problem.NULL),
        (None, Problem.NULL),
        (["cancel"], Problem.NULL),
    ],
)
def test_subject_says_what_happened(subject: Any, event_type: Any) -> None:
    assert subject_event(subject) == event_type


def test_findings_of_the_parser_are_those_of_an_object_also_as_text() -> None:
    found = {"source": "viator ", "bookingRef": " ab  1 ", "tourName": "Ubud", "note": "see [UPDATE] below"}
    assert findings(found) == ("VIATOR", "AB 1", "UPDATED")
    assert findings('{"bookingRef": 12345, "tourName": " CANCELLATION "}') == (None, "12345", "CANCELLED")
    assert findings({"source": "odd", "note": "[update]"}) == (None, None, None)
    assert findings({"note": ["[UPDATE]"]}) == (None, None, None)
    assert findings('[{"bookingRef": "x"}]') == findings("x") == findings(None) == (None, None, None)


def test_message_ids_are_cut_to_their_hash() -> None:
    assert idempotency_key(" <a@b> ") == "<a@b>"
    assert idempotency_key("é" * 128) == "é" * 128
    assert idempotency_key("é" * 129) == hashlib.sha256(("é" * 129).encode()).hexdigest()
    assert idempotency_key(" ") is Problem.NULL


def test_viator_is_found_in_any_case() -> None:
    assert names_viator("From VIATOR with love")
    assert not names_viator("via tor")
    assert not names_viator({"a": "viator"})


def test_payload_keeps_texts_unchanged_and_numbers_as_they_were_read() -> None:
    made = payload([" Hi\n", "", Decimal("12.50"), ["x"], '{"price": 10.50, "n": 1e3}'], "CREATED")
    assert made == {
        "subject": " Hi\n",
        "from": None,
        "body": "12.5",
        "html": None,
        "parsed_data": {"price": Decimal("10.50"), "n": Decimal("1e3")},
        "booking_email_relation_type": "CREATED",
    }
    cells = table(sources.email_inbox, [MAIL | {"subject": "é", "parsed_data": {"b": Decimal("10.50"), "a": "x"}}])
    (row,) = payloads(cells, pd.Series([None])).to_dict("records")
    written = (
        '{"body":"Dear operator","booking_email_relation_type":null,"from":"ota@mail.test","html":null,'
        '"parsed_data":{"a":"x","b":10.50},"subject":"é"}'
    )
    assert row["payload_hash"] == hashlib.sha256(written.encode()).hexdigest()


# --- what belongs to it -----------------------------------------------------------------------------------------------


def test_golden_mail() -> None:
    row = one(
        {
            "id": "g16",
            "source": "BOKUN",
            "subject": "Updated booking: Ubud",
            "parsed_data": {"bookingRef": "via-12345678"},
        }
    )
    found = (row["source_enum"], row["channel_code"], row["external_booking_ref"], row["event_type"])
    assert found == ("VIATOR", "VIATOR", "VIA-12345678", "UPDATED")
    assert row["event_key"] == key("bstadmin:email_inbox:g16")
    assert row["nonce"] == "legacy:g16"
    assert row["event_time_normalized"] == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    assert row["idempotency_expires_at"] == dt.datetime(2026, 2, 6, 3, 4, 5, 678000, tzinfo=dt.UTC)
    assert row["nonce_expires_at"] == dt.datetime(2026, 1, 2, 3, 14, 5, 678000, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("mail", "channel"),
    [
        ({"source": "BOKUN"}, "BOKUN"),
        ({"source": "BOKUN", "html_body": "<b>Viator</b>"}, "VIATOR"),
        ({"source": "BOKUN", "html_body": "viator", "parsed_data": {"bookingRef": "x", "source": "BOKUN"}}, "BOKUN"),
        ({"source": "BOKUN", "html_body": "viator", "parsed_data": {"bookingRef": "x", "source": "odd"}}, "VIATOR"),
        ({"source": "GYG", "body": "viator"}, "GYG"),
        ({"source": "GYG", "parsed_data": {"bookingRef": "x", "source": "VIATOR"}}, "GYG"),
        ({"source": "odd", "parsed_data": {"bookingRef": "x", "source": "bokun"}}, "BOKUN"),
        ({"source": None, "parsed_data": {"bookingRef": "x", "source": "MANUAL"}}, "MANUAL"),
    ],
)
def test_channel_is_the_one_that_says_more(mail: dict[str, Any], channel: str) -> None:
    assert one(mail)["source_enum"] == channel


def test_reference_of_the_first_tied_booking_stands_in() -> None:
    links = [
        {"id": 3, "email_id": "m1", "booking_id": 7, "relation_type": "created"},
        {"id": 4, "email_id": "m1", "booking_id": 8, "relation_type": "UPDATED"},
    ]
    row = one({"parsed_data": None}, links=links, refs={7: "SEVEN", 8: "EIGHT"})
    assert (row["external_booking_ref"], row["relation"], row["process_status"]) == ("SEVEN", "CREATED", "DONE")
    without = joined([{"parsed_data": None}], links=links, refs={8: "EIGHT"})
    assert split_by_rules(rules.ingest_event_log, without)[1]["code"].tolist() == ["NO_BOOKING_REF"]


def test_rules_in_their_order() -> None:
    nothing = {"message_id": None, "received_at": "x", "created_at": "2031-01-01", "parsed_data": None}
    rows = joined(
        [
            {"id": "a", "is_booking_email": "no", **nothing},
            {"id": "b", "is_booking_email": None, **nothing},
            {"id": "c", **nothing},
            {"id": "d", **nothing, "message_id": "<d>"},
            {"id": "e", "received_at": "x", "parsed_data": None},
            {"id": "f", "parsed_data": {"bookingRef": "r" * 129}},
            {"id": "g", "parsed_data": {"bookingRef": "r" * 128}},
        ]
    )
    passed, failed = split_by_rules(rules.ingest_event_log, rows)
    assert failed["code"].tolist() == [
        "NOT_BOOKING_EMAIL",
        "NOT_BOOKING_EMAIL",
        "MISSING_MESSAGE_ID",
        "INVALID_EVENT_TIME",
        "NO_BOOKING_REF",
        "REF_TOO_LONG",
    ]
    assert failed["outcome"].tolist() == ["skipped"] * 2 + ["rejected"] * 4
    assert passed["pk"].tolist() == ["g"]


LINK = [{"id": 1, "email_id": "m1", "booking_id": 7, "relation_type": "CREATED"}]


@pytest.mark.parametrize(
    ("job", "error", "links", "status"),
    [
        ("failed", None, LINK, "FAILED"),
        ("COMPLETED", "lost", None, "FAILED"),
        ("COMPLETED", "lost", LINK, "DONE"),
        ("PROCESSING", None, LINK, "PROCESSING"),
        ("PENDING", None, LINK, "RECEIVED"),
        ("odd", None, LINK, "DONE"),
        (None, None, LINK, "DONE"),
        (None, None, None, "RECEIVED"),
        (None, "lost", None, "FAILED"),
    ],
)
def test_how_far_an_event_was_processed(job: str | None, error: str | None, links: Any, status: str) -> None:
    jobs = [{"id": "j1", "email_inbox_id": "m1", "status": job}] if job else None
    assert one({"error_message": error}, jobs=jobs, links=links)["process_status"] == status


def test_last_job_counts() -> None:
    jobs = [
        {"id": "j9", "email_inbox_id": "m1", "status": "COMPLETED", "created_at": None},
        {"id": "j2", "email_inbox_id": "m1", "status": "PENDING", "created_at": "2026-01-03", "attempts": 2},
        {"id": "j3", "email_inbox_id": "m1", "status": "FAILED", "created_at": "2026-01-03", "attempts": -1},
        {"id": "j4", "email_inbox_id": "m2", "status": "COMPLETED", "created_at": "2026-01-04"},
    ]
    row = one({}, jobs=jobs)
    assert (row["job_id"], row["process_status"], row["attempt_count"]) == ("j3", "FAILED", 0)


def job(**values: Any) -> list[dict[str, Any]]:
    """A failed job."""
    again = {"next_retry_at": "2026-01-05T00:00:00Z", "processed_at": "2026-01-04T00:00:00Z"}
    return [{"id": "j1", "email_inbox_id": "m1", "status": "FAILED", **again, **values}]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"error": "Could not PARSE", "attempts": 0}, "SCHEMA_MISMATCH"),
        ({"error": "timeout", "attempts": 3}, "TRANSIENT_ERROR"),
        ({"error": "timeout", "attempts": 2}, None),
        ({"error": "timeout", "attempts": 2, "max_attempts": 2}, "TRANSIENT_ERROR"),
        ({"error": None, "attempts": 9, "max_attempts": 0}, "TRANSIENT_ERROR"),
        ({"error": "parser", "attempts": 0, "status": "PENDING"}, None),
    ],
)
def test_dead_events_are_not_tried_again(values: dict[str, Any], reason: str | None) -> None:
    row = one({}, jobs=job(**values))
    assert row["dead_reason"] == reason
    assert (row["next_retry_at"] is None) == (reason is not None)


def test_dead_letters() -> None:
    found = events({}, {"id": "m2", "message_id": "2", "error_message": "no parser"}, jobs=job(error="parse"))
    letters = dead_letters(found.assign(raw_payload="{}")).to_dict("records")
    assert [each["dead_letter_key"] for each in letters] == [
        key("bstadmin:email_jobs:j1"),
        key("bstadmin:email_inbox:m2"),
    ]
    assert [each["reason_detail"] for each in letters] == ["parse", "no parser"]
    times = [each["first_failed_at"].isoformat() for each in letters]
    assert times == ["2026-01-04T00:00:00+00:00", "2026-01-02T03:04:05.678000+00:00"]


def test_warnings_of_the_mail_and_of_its_job_are_told_together() -> None:
    row = one(
        {"id": "i" * 200, "received_at": "junk"},
        jobs=[{"id": "j1", "email_inbox_id": "i" * 200, "status": "PENDING", "attempts": "many"}],
    )
    assert row["warnings"] == "invalid_received_at,invalid_attempts,cut_nonce"
    assert one({})["warnings"] is None


# --- which e-mails are one event --------------------------------------------------------------------------------------


def decided(found: pd.DataFrame, known: Known = NOTHING_KNOWN) -> list[tuple[Any, ...]]:
    """Key of the e-mail, reason, and the e-mail that stands for it."""
    names = {key(f"bstadmin:email_inbox:{pk}"): pk for pk in [*found["pk"], "old"]}
    rows = found.join(event_outcomes(found, known))
    return [
        (row.pk, None if pd.isna(row.reason) else row.reason, names[str(row.target_key)])
        for row in rows.itertuples(index=False)
    ]


def test_first_of_several_is_kept_by_either_key() -> None:
    found = events(
        {"id": "c", "message_id": "1", "received_at": "2026-01-03", "parsed_data": {"bookingRef": "x"}},
        {"id": "b", "message_id": "1", "received_at": "2026-01-02"},
        {"id": "a", "message_id": "2", "received_at": "2026-01-02T00:00:00.9Z"},
        {"id": "d", "message_id": "2", "received_at": "2026-01-04"},
    )
    assert decided(found) == [
        ("c", "SAME_IDEMPOTENCY_KEY", "b"),
        ("b", None, "b"),
        ("a", "SECONDARY_DEDUP", "b"),
        ("d", None, "d"),
    ]


def test_of_two_at_one_time_the_lower_id_by_code_point_is_kept() -> None:
    found = events({"id": "a", "message_id": "1"}, {"id": "B", "message_id": "1"})
    assert decided(found) == [("a", "SAME_IDEMPOTENCY_KEY", "B"), ("B", None, "B")]


def test_stored_event_of_another_key_stands_for_a_new_one() -> None:
    stored = events({"id": "old", "message_id": "1", "received_at": "2026-05-01"})
    known = Known(stored, NOTHING_KNOWN.merged)
    found = events(
        {"id": "a", "message_id": "1"}, {"id": "b", "message_id": "2", "received_at": "2026-05-01T00:00:00.5Z"}
    )
    assert decided(found, known) == [("a", "SAME_IDEMPOTENCY_KEY", "old"), ("b", "SECONDARY_DEDUP", "old")]
    itself = events({"id": "old", "message_id": "1", "received_at": "2026-05-02"})
    assert decided(itself, known) == [("old", None, "old")]


def test_what_was_decided_before_stays_although_the_events_are_stored_by_now() -> None:
    found = events(
        {"id": "a", "message_id": "1"},
        {"id": "b", "message_id": "2", "received_at": "2026-01-02T03:04:05.7Z"},
        {"id": "c", "message_id": "2", "received_at": "2026-01-03"},
    )
    first = [("a", None, "a"), ("b", "SECONDARY_DEDUP", "a"), ("c", None, "c")]
    assert decided(found) == first
    rows = found.join(event_outcomes(found, NOTHING_KNOWN))
    merged = rows[rows["outcome"] == "merged"][["source_row", "reason", "target_key"]]
    stored = rows[rows["outcome"] == "loaded"]
    assert decided(found, Known(stored, NOTHING_KNOWN.merged)) != first
    assert decided(found, Known(stored, merged)) == first
