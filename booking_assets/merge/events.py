"""E-mails as events: what they are about, which of them are one event, how far they were processed, which are dead."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce
from typing import Literal

import numpy as np
import pandas as pd

from booking_assets.merge.frames import TEXT, flags_of, looked_up, microseconds, moments
from booking_assets.parsing.keys import BSTADMIN, keys, row_name
from booking_assets.parsing.statuses import BOKUN, CANCELLED, DONE, FAILED, MANUAL, UPDATED, VIATOR
from booking_assets.parsing.texts import cuts
from booking_assets.parsing.warnings import cut, joined_warnings
from migration.outcome import Outcome

NONCE_LENGTH = 128
DEFAULT_MAX_ATTEMPTS = 3
SECOND = 1_000_000
IDEMPOTENT_FOR = 35 * 24 * 3600 * SECOND
NONCE_FOR = 10 * 60 * SECOND

CREATED = "CREATED"
RECEIVED, PROCESSING = "RECEIVED", "PROCESSING"
SAME_IDEMPOTENCY_KEY, SECONDARY_DEDUP = "SAME_IDEMPOTENCY_KEY", "SECONDARY_DEDUP"
SCHEMA_MISMATCH, TRANSIENT_ERROR, RETRYABLE = "SCHEMA_MISMATCH", "TRANSIENT_ERROR", "RETRYABLE"
SECOND_KEY = ("source_enum", "external_booking_ref", "event_type", "event_time_normalized")

_INBOX_TABLE, _JOBS_TABLE = "email_inbox", "email_jobs"
_OF_JOB = {"FAILED": FAILED, "COMPLETED": DONE, "PROCESSING": PROCESSING, "PENDING": RECEIVED}
_RANKS = {MANUAL: 0, BOKUN: 1}
_OTHERS_RANK = 2
_VIATOR_REF = r"^VIA-[0-9]{8}$"
_PARSER_FAILED = "pars"


def _true(flags: pd.Series) -> pd.Series:
    return flags.fillna(value=False).astype(bool)


# --- what belongs to an e-mail ----------------------------------------------------------------------------------------


def joined_mails(mails: pd.DataFrame, jobs: pd.DataFrame, links: pd.DataFrame, booking_refs: pd.Series) -> pd.DataFrame:
    """E-mails with their last job, their first tie to a booking, and the reference that they are about.

    Args:
        mails: rows of `mail_rows` with `pk`.
        jobs: rows of `job_rows` with `pk`, in any order; of an e-mail's jobs the one made last counts, of several the
            greatest key.
        links: rows of `link_rows`, ascending by key; of an e-mail's ties the first counts.
        booking_refs: the references of the operations panel's bookings by `booking_id`.
    """
    by_age = jobs.assign(made=microseconds(jobs["job_created_at"])).sort_values(["made", "pk"], kind="stable")
    last = _by_email(by_age.assign(job_id=by_age["pk"]), "last").drop(columns="made")
    first = _by_email(links.assign(is_linked=True), "first")
    found = mails.merge(last, on="pk", how="left").merge(first, on="pk", how="left")
    refs = found["parser_ref"].fillna(looked_up(found["booking_id"], booking_refs))
    return found.assign(is_linked=_true(found["is_linked"]), external_booking_ref=refs)


def _by_email(rows: pd.DataFrame, keep: Literal["first", "last"]) -> pd.DataFrame:
    """One row per e-mail, under the e-mail's key."""
    named = rows[rows["email"].notna()].drop_duplicates("email", keep=keep)
    return named.drop(columns=["pk", "source_pk", "source_row"]).rename(columns={"email": "pk"})


def event_rows(mails: pd.DataFrame) -> pd.DataFrame:
    """E-mails that are events, with the columns of the event log that do not hold the e-mail itself.

    Args:
        mails: rows of `joined_mails` that pass every rule.
    """
    at = microseconds(mails["event_time"])
    status, error = process_statuses(mails), mails["job_error"].fillna(mails["error_message"])
    attempts = mails["attempts"].fillna(0)
    dead = dead_reasons(status, error, attempts, mails["max_attempts"].fillna(DEFAULT_MAX_ATTEMPTS))
    waits = (status == RECEIVED) | ((status == FAILED) & dead.isna())
    own, channel = _keys_of(_INBOX_TABLE, mails["pk"]), event_channels(mails)
    nonce, too_long = cuts("legacy:" + mails["pk"], NONCE_LENGTH)
    warnings = [mails["warnings"], mails["job_warnings"], joined_warnings(cut(nonce=too_long), mails)]
    return mails.assign(
        event_key=own,
        nonce=nonce,
        source_enum=channel,
        channel_code=channel,
        event_type=event_types(mails),
        request_received_at=mails["event_time"],
        event_time_normalized=moments(at - at % SECOND).set_axis(mails.index),
        signature_verified=False,
        process_status=status,
        attempt_count=attempts,
        next_retry_at=mails["next_retry_at"].where(waits.to_numpy(dtype=bool), None),
        idempotency_expires_at=moments(at + IDEMPOTENT_FOR).set_axis(mails.index),
        nonce_expires_at=moments(at + NONCE_FOR).set_axis(mails.index),
        error_message=error,
        warnings=reduce(_both, warnings),
        dead_letter_key=_keys_of(_JOBS_TABLE, mails["job_id"].fillna("")).where(mails["job_id"].notna(), own),
        dead_reason=dead,
    )


def _both(one: pd.Series, other: pd.Series) -> pd.Series:
    """Two columns of comma lists as one."""
    return (one + "," + other).fillna(one).fillna(other)


def event_channels(mails: pd.DataFrame) -> pd.Series:
    """The channel of the inbox, or that of the parser where it says more; Bokun sells for Viator, too."""
    inbox, parser = mails["inbox_channel"], mails["parser_channel"]
    named = flags_of(mails["names_viator"]) | flags_of(mails["external_booking_ref"].str.match(_VIATOR_REF))
    parser = parser.mask(parser.isna() & (inbox == BOKUN) & named, VIATOR)
    wins = (_ranks(parser) > _ranks(inbox)) & parser.notna()
    return parser.where(wins, inbox)


def _ranks(channels: pd.Series) -> pd.Series:
    return channels.map(_RANKS).astype("float64").fillna(_OTHERS_RANK)


def event_types(mails: pd.DataFrame) -> pd.Series:
    """CANCELLED if the subject or the parser says so, else UPDATED if one of them does, else CREATED."""
    said = [mails[name].fillna(CREATED) for name in ("subject_event", "parser_event")]
    types = pd.Series(CREATED, index=mails.index, dtype=TEXT)
    for event_type in (UPDATED, CANCELLED):
        types = types.mask((said[0] == event_type) | (said[1] == event_type), event_type)
    return types


def process_statuses(mails: pd.DataFrame) -> pd.Series:
    """How far each e-mail was processed: as its job says, but an error without a tie to a booking is a failure."""
    of_job = looked_up(mails["job_status"], pd.Series(_OF_JOB, dtype=TEXT))
    without_job = pd.Series(np.where(mails["is_linked"], DONE, RECEIVED), index=mails.index, dtype=TEXT)
    failed = mails["error_message"].notna() & ~mails["is_linked"]
    return of_job.fillna(without_job).mask(failed, FAILED)


def dead_reasons(status: pd.Series, error: pd.Series, attempts: pd.Series, max_attempts: pd.Series) -> pd.Series:
    """Why a failed event will not be tried again, missing where it will be, and for all others."""
    unreadable = _true(error.str.lower().str.contains(_PARSER_FAILED, regex=False))
    reasons = pd.Series(None, index=status.index, dtype=TEXT)
    reasons = reasons.mask(attempts >= max_attempts, TRANSIENT_ERROR).mask(unreadable, SCHEMA_MISMATCH)
    return reasons.where(status == FAILED, None)


def _keys_of(table: str, pks: pd.Series) -> pd.Series:
    return pd.Series(keys(row_name(BSTADMIN, table, pk) for pk in pks), index=pks.index, dtype=TEXT)


# --- which e-mails are one event --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """Events of earlier exports, and what was decided when this export was read before.

    Attributes:
        stored: `event_key`, `idempotency_key` and the second key of stored events.
        merged: of e-mails that this export was found to repeat, by `source_row`: `reason` and `target_key`. They stay
            where they are: by now the events of the export are stored themselves.
    """

    stored: pd.DataFrame = field(repr=False)
    merged: pd.DataFrame = field(repr=False)


def event_outcomes(events: pd.DataFrame, known: Known) -> pd.DataFrame:
    """Which e-mails are kept as events, and which are merged into which one.

    In the order of their times, then of their ids, each is held against stored events of other keys and against those
    kept before it: by idempotency key first, then by the second key.

    Returns:
        With the index of `events`: `outcome`, `reason` of the merged ones, `target_key`.
    """
    at = microseconds(events["event_time"])
    ordered = events.assign(at=at).sort_values(["at", "pk"], kind="stable")
    twins = _Twins(known)
    decided = [twins.decide(*row) for row in _compared(ordered, "source_row")]
    found = pd.DataFrame(decided, columns=["reason", "target_key"], index=ordered.index, dtype=TEXT)
    outcome = np.where(found["reason"].isna(), Outcome.LOADED.value, Outcome.MERGED.value)
    return found.assign(outcome=pd.Series(outcome, index=found.index, dtype=TEXT)).reindex(events.index)


def _compared(events: pd.DataFrame, *further: str) -> Iterator[tuple[object, ...]]:
    """Of each event its key, its idempotency key, its second key and further columns."""
    times = events.assign(event_time_normalized=microseconds(events["event_time_normalized"]))
    second = zip(*(times[name] for name in SECOND_KEY), strict=True)
    return zip(times["event_key"], times["idempotency_key"], second, *(times[name] for name in further), strict=True)


class _Twins:
    """The events that later ones are held against."""

    def __init__(self, known: Known) -> None:
        self._by_key: dict[object, object] = {}
        self._by_second_key: dict[object, object] = {}
        for event, key, second_key in _compared(known.stored):
            self._by_key[key] = event
            self._by_second_key[second_key] = event
        merged = known.merged
        self._merged = dict(
            zip(merged["source_row"], zip(merged["reason"], merged["target_key"], strict=True), strict=True)
        )

    def decide(self, event: object, key: object, second_key: object, source_row: object) -> tuple[object, object]:
        """The reason to merge an event, None to keep it, and the key of the event that stands for it."""
        before = self._merged.get(source_row)
        if before is not None:
            return before
        for reason, twin in (
            (SAME_IDEMPOTENCY_KEY, self._by_key.get(key, event)),
            (SECONDARY_DEDUP, self._by_second_key.get(second_key, event)),
        ):
            if twin != event:
                return reason, twin
        self._by_key[key] = self._by_second_key[second_key] = event
        return None, event


# --- dead letters -----------------------------------------------------------------------------------------------------


def dead_letters(events: pd.DataFrame) -> pd.DataFrame:
    """The dead letters of events that have a `dead_reason`; the table opens new ones."""
    failed_at = events["processed_at"].fillna(events["event_time"])
    return events.assign(
        reason_code=events["dead_reason"],
        reason_detail=events["error_message"],
        poison_message=True,
        first_failed_at=failed_at,
        last_failed_at=failed_at,
    )
