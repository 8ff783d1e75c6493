"""The e-mails of operations, as a BOOKING sample tells them: the inbox, its jobs, and the bookings that came of it."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from samples.booking import dirt
from samples.booking.catalog import package_name
from samples.booking.clock import DAY, day_text, iso
from samples.booking.dirt import timed
from samples.booking.guests import guest, pickup
from samples.booking.weaving import woven
from samples.booking.website import money
from samples.booking.world import PACKAGES_EACH, Fate, Place, Trip, World, mix
from samples.pools import pick
from samples.weaving import ABSENT, Unusable, altered, fixed, overrides, repeats, sometimes
from samples.writing import Record

INBOX_COLUMNS = (
    *("id", "message_id", "subject", "from", "to", "received_at", "body", "html_body", "is_booking_email", "source"),
    *("parsed_data", "error_message", "created_at"),
)
JOB_COLUMNS = (
    *("id", "email_inbox_id", "status", "attempts", "max_attempts", "error", "created_at", "processed_at"),
    "next_retry_at",
)
LINK_COLUMNS = ("id", "booking_id", "email_id", "relation_type", "created_at")

CREATED, UPDATED, CANCELLED, RESENT, COPIED, NOISE = range(6)
_EACH = 6
_JOBS_KEPT = 180
_LINKS_SINCE = 270
_RELATIONS = ("CREATED", "UPDATED", "CANCELLED")
_SUBJECTS = (
    ("New booking: {}", "Booking confirmed {}", "You have a new reservation {}"),
    ("Updated booking: {}", "Booking detail change {}", "Reservation modified {}", "Booking {}"),
    ("Cancelled booking: {}", "Booking {} has been canceled", "Cancellation of {}"),
)
_NOISE = ("Newsletter: more guests in low season", "Invoice for your phone", "Question about prices", "Re: Re: staff")
_ERRORS = (
    *("Failed to parse tour date", "connect ETIMEDOUT", "PARSER: no template matches", "Database is locked"),
    "socket hang up",
)
_FILLER = "Please be ready ten minutes early. The guide will send a message on the day. " * 4
_OFFICE = f"bookings@{dirt.MAIL_HOST}"

_flag = sometimes(7, 2, dirt.KEPT_TRUE)
_no_flag = sometimes(5, 2, (*dirt.KEPT_FALSE, *dirt.LOST_BOOLEANS))
_source = sometimes(13, 3, (*dirt.KEPT_CODES, *dirt.ODD_CODES))
_ref = sometimes(8, 3, dirt.KEPT_REFS)
_received = timed(17, 4, dirt.KEPT_TIMES)
_lost_received = sometimes(47, 6, dirt.LOST_TIMES)
_message = sometimes(
    151, 5, (lambda v: f"<{'x' * 130}{v[1:]}", lambda v: f" {v} ", lambda v: v.replace("<", "").replace(">", ""))
)
_html = sometimes(9, 4, (*fixed(None, "", 12345), lambda v: f"{v}<p>{dirt.CUT_EMOJI}</p>"))
_tries = sometimes(7, 2, (*dirt.KEPT_INTS, *dirt.LOST_INTS, *dirt.NEGATIVE_INTS))
_job_status = sometimes(11, 5, (*dirt.KEPT_CODES, *dirt.ODD_CODES))
_processed = timed(19, 3, dirt.TIMES)
_relation = sometimes(9, 5, (*dirt.KEPT_CODES, *fixed(None, "SEEN")))
_link_id = sometimes(53, 9, dirt.KEPT_IDS)
_booking = sometimes(43, 8, dirt.KEPT_IDS)


class Mail(NamedTuple):
    """An e-mail about a trip, or about none."""

    trip: Trip
    kind: int
    at: int

    @property
    def subject_of(self) -> int:
        """What a booking e-mail is about; repeated ones are about the beginning."""
        return self.kind if self.kind <= CANCELLED else CREATED


def mails(world: World, trip: Trip) -> Iterator[Mail]:
    """The e-mails of a trip's number, whether they are about the trip or not."""
    number = trip.number
    if number % 7 in (1, 3, 5):
        yield Mail(trip, NOISE, trip.created - 500)
    if trip.place is Place.WEB or trip.channel == "MANUAL" or (trip.place is Place.OPS and trip.channel == "DIRECT"):
        return
    if trip.created + 60 > world.now:
        return
    if not (world.edition and number % 40 == 13 and number % 3 == 0 and number < world.trips):
        yield Mail(trip, CREATED, trip.created + 20)
    if trip.fate is Fate.UPDATED:
        yield Mail(trip, UPDATED, trip.fate_at)
    elif trip.fate in (Fate.CANCELLED, Fate.REFUNDED):
        yield Mail(trip, CANCELLED, trip.fate_at)
    if number % 40 == 13:
        yield Mail(trip, RESENT, trip.created + 40)
    elif number % 60 == 25:
        yield Mail(trip, COPIED, trip.created + 20)


class InboxTables:
    """The e-mails of one world, their jobs, and their links to bookings."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._salt = world.salts["mail"]
        self._unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, changes) for changes in overrides("message_id", (None, "", "  "))),
            partial(self._unusable_row, {"received_at": None, "created_at": "soon"}),
            partial(self._unusable_row, {"received_at": dirt.FUTURE, "created_at": None}),
            *(partial(self._unusable_row, {"parsed_data": p}) for p in (None, "{broken", {"tourName": "x"}, [1], "7")),
            partial(self._unusable_row, {"parsed_data": {"bookingRef": dirt.LONG_REF}}),
            *(partial(self._unusable_row, changes) for changes in overrides("id", (None, "", "  ", ABSENT))),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS[:4]),
        )

    def inbox(self) -> Iterator[Record]:
        """The e-mails."""
        world = self._world
        return woven(range(world.all_trips), world.size, self._mail_rows, self._unusable)

    def jobs(self) -> Iterator[Record]:
        """The jobs that read the e-mails; old ones are cleared away."""
        oldest = self._world.now - _JOBS_KEPT * DAY
        for mail in self._booking_mails(oldest):
            n = mail.trip.number + mail.kind
            yield self._job(mail, n)
            if n % 37 == 4:
                # It was put into the queue again.
                again = self._job(mail, n + 1) | {"id": f"{self._id(mail)}-again", "created_at": iso(mail.at + 900)}
                yield {**again, "status": "COMPLETED", "error": None}
            if n % 211 == 9:
                yield {**self._job(mail, n), "id": f"lost-{n}", "email_inbox_id": "cm-nowhere"}
            elif n % 211 == 12:
                yield {**self._job(mail, n), "id": None}

    def links(self) -> Iterator[Record]:
        """Which booking came of which e-mail; the operator began to keep that later than the e-mails themselves."""
        world = self._world
        for mail in self._booking_mails(world.first_now - _LINKS_SINCE * DAY):
            n = mail.trip.number + mail.kind
            if world.copied_at(mail.trip) > world.now or self._broken(mail) or n % 31 == 4:
                continue
            booking = dirt.DANGLING if n % 173 == 8 else world.ops_id(mail.trip)
            row = {
                "id": _link_id(mail.trip.number * _EACH + mail.kind + 1, n),
                "booking_id": _booking(booking, n),
                "email_id": self._id(mail),
                "relation_type": _relation(_RELATIONS[mail.subject_of], n),
                "created_at": iso(mail.at + 90),
            }
            yield row
            if n % 113 == 10:
                yield {**row, "relation_type": "UPDATED", "created_at": dirt.OLD}

    def _booking_mails(self, since: int) -> Iterator[Mail]:
        world = self._world
        # A trip's mails come within the time that guests book ahead.
        for number in world.trips_since(since - 120 * DAY):
            if number % 7 == 1:
                continue
            for mail in mails(world, world.trip(number)):
                if mail.kind != NOISE and mail.at >= since:
                    yield mail

    def _mail_rows(self, number: int) -> Iterator[Record]:
        trip = self._world.trip(number)
        for mail in mails(self._world, trip):
            row = self._noise_row(mail) if mail.kind == NOISE else self._row(mail)
            yield row
            if repeats(number) and mail.kind == CREATED:
                yield {**row, "subject": "stale copy", "created_at": dirt.OLD}

    def _id(self, mail: Mail) -> str:
        return f"cm{mix(self._salt, mail.trip.number * _EACH + mail.kind):016x}"

    def _message_id(self, mail: Mail) -> str:
        # A mail that was sent again keeps its message id.
        kind = CREATED if mail.kind == RESENT else mail.kind
        return f"<{mix(self._salt + 1, mail.trip.number * _EACH + kind):016x}@{dirt.MAIL_HOST}>"

    def _broken(self, mail: Mail) -> bool:
        return mail.trip.word % 33 == 5

    def _row(self, mail: Mail) -> dict[str, Any]:
        trip, about = mail.trip, mail.subject_of
        n = trip.number + mail.kind
        ref = self._world.ref(trip)
        by_bokun = trip.channel == "VIATOR" and trip.word % 5 < 3
        source = "BOKUN" if by_bokun else trip.channel
        who, tour = guest(self._world, trip), package_name(trip.variant // PACKAGES_EACH, trip.variant % PACKAGES_EACH)
        body = (
            f"Dear partner,\n\nReference: {ref}\nTour: {tour}\nDate: {day_text(trip.day)}\nGuests: {trip.adults}"
            f"\nName: {who.name}\nPhone: {who.phone}\nPickup: {pickup(trip, 0)}\n\n{_FILLER}"
        )
        received = iso(mail.at)
        received = _received(mail.at, n) if n % 17 == 13 else f"{received[:20]}{_millis(mail):03d}Z"
        return {
            "id": self._id(mail),
            "message_id": _message(self._message_id(mail), trip.number),
            "subject": pick(_SUBJECTS[about], trip.word).format(ref),
            "from": f"no-reply.{source.lower()}@{dirt.MAIL_HOST}",
            "to": _OFFICE,
            "received_at": _lost_received(received, n),
            "body": body,
            "html_body": _html(f"<html><body><p>{body}</p></body></html>", n) if n % 5 < 2 else None,
            "is_booking_email": _flag(True, n),
            "source": _source(source, n),
            "parsed_data": self._parsed(mail, ref, tour, n),
            "error_message": pick(_ERRORS, n) if n % 2 and self._broken(mail) else None,
            "created_at": iso(mail.at + 5),
        }

    def _parsed(self, mail: Mail, ref: str, tour: str, n: int) -> Any:
        """What the parser has found; some of it is stored as text, some lacks the reference."""
        trip, about = mail.trip, mail.subject_of
        if about == CANCELLED and n % 3 == 0:
            tour = "CANCELLATION"
        note = "[UPDATE] new date" if about == UPDATED and n % 2 else None
        spelled = _ref(ref, n)
        if n % 7 == 2:
            return f'{{"bookingRef": "{spelled.strip()}", "tourName": "{tour}", "price": {money(trip.cents)}}}'
        parsed: dict[str, Any] = {"bookingRef": spelled, "tourName": tour, "price": money(trip.cents)}
        if note:
            parsed["note"] = note
        if n % 6 == 1:
            parsed["source"] = pick((trip.channel, trip.channel.lower(), "BOKUN", "MANUAL", "email"), n // 6)
        if n % 71 == 8:
            # Only the link to the booking tells the reference.
            del parsed["bookingRef"]
        return parsed

    def _noise_row(self, mail: Mail) -> dict[str, Any]:
        n = mail.trip.number
        return {
            "id": self._id(mail),
            "message_id": self._message_id(mail) if n % 3 else None,
            "subject": pick(_NOISE, n),
            "from": f"somebody{n % 90}@{dirt.MAIL_HOST}",
            "to": _OFFICE,
            "received_at": iso(mail.at),
            "body": _FILLER if n % 4 else "",
            "html_body": None,
            "is_booking_email": _no_flag(False, n),
            "source": "MANUAL",
            "parsed_data": None,
            "error_message": None,
            "created_at": iso(mail.at + 5),
        }

    def _job(self, mail: Mail, n: int) -> dict[str, Any]:
        status, tries, limit, error = self._work(mail, n)
        done = status in ("COMPLETED", "FAILED")
        return {
            "id": f"{self._id(mail)}-job",
            "email_inbox_id": self._id(mail),
            "status": _job_status(status, n),
            "attempts": tries if error else _tries(tries, n),
            "max_attempts": limit,
            "error": error,
            "created_at": iso(mail.at + 10),
            "processed_at": _processed(mail.at + 60, n) if done else None,
            "next_retry_at": iso(mail.at + 3600) if error or status == "PENDING" else None,
        }

    def _work(self, mail: Mail, n: int) -> tuple[str, int, Any, str | None]:
        """Status, attempts, their limit and the error of a job."""
        if self._broken(mail):
            return "FAILED", 1 + n % 3, pick((3, 3, None, "three", 5), n), pick(_ERRORS, n)
        if mail.at > self._world.now - DAY:
            return ("PENDING", 0, 3, None) if n % 2 else ("PROCESSING", 1, 3, None)
        return "COMPLETED", 1, 3, None

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "id": f"lost{number:06d}",
            "message_id": f"<lost{number}@{dirt.MAIL_HOST}>",
            "subject": "New booking",
            "from": f"nobody@{dirt.MAIL_HOST}",
            "to": _OFFICE,
            "received_at": "2025-12-01T16:00:00.000Z",
            "body": "Nothing to see.",
            "html_body": None,
            "is_booking_email": True,
            "source": "GYG",
            "parsed_data": {"bookingRef": f"LOST-{number}"},
            "error_message": None,
            "created_at": "2025-12-01T16:00:00.000Z",
        }
        return altered(row, changes)


def _millis(mail: Mail) -> int:
    """A copy arrives in the same second."""
    return (mail.trip.number * 7 + (300 if mail.kind == COPIED else 0)) % 1000
