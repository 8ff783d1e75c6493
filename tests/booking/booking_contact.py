"""Whom to call about a booking, and where to fetch them."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.booking import booking_scalars as scalars
from tests.booking.booking_bridge import Bridge
from tests.booking.booking_files import Row
from tests.booking.booking_identity import Group, freshness
from tests.booking.booking_merge import Merge
from tests.booking.booking_records import Draft, Record, first

Usable = list[tuple[Record, str]]


@dataclass
class Contact:
    """The contact of one booking.

    Attributes:
        draft: what is written.
        bridge: the bridges.
        group: the rows of the booking.
        merge: where differences are noted.
    """

    draft: Draft
    bridge: Bridge
    group: Group
    merge: Merge

    def run(self, package: tuple[str, str | None]) -> None:
        """Write the contact; `package` is what the booking is of."""
        rows = self.group.in_order
        name = self._settled("main_name", self._usable(_name))
        written = name or first(*(row.text("main_contact_name", 191) for row in rows))
        email = self._settled("main_email", self._usable(_email))
        phone = self._settled("phone", self._usable(lambda row: scalars.e164(row.values.get("phone_number"))))
        self._invalid_emails(rows)
        self.draft.put(
            "booking_contact",
            self.group.key,
            main_name=written,
            main_email=email,
            phone=phone or first(*(_digits_at_least(row) for row in rows)),
            pickup_location=_first_raw(rows, ("bstadmin", "pickup_location"), ("balisnap", "meeting_point")),
            meeting_point=_first_raw(rows, ("balisnap", "meeting_point"), ("bstadmin", "meeting_point"))
            or self._base_meeting_point(*package),
            is_placeholder_name=scalars.is_placeholder_name(written),
            is_placeholder_email=email is None,
            updated_from_source=rows[0].system,
        )
        counts = self.draft.counts["booking_contact"]
        counts.source_rows += 1
        counts.add("loaded")

    def _usable(self, value: Callable[[Record], str | None]) -> Usable:
        """The rows that have a usable value, in their order."""
        found = [(row, value(row)) for row in self.group.in_order]
        return [(row, written) for row, written in found if written is not None]

    def _settled(self, name: str, usable: Usable) -> str | None:
        """The first usable value, and an audit row if a later one differs."""
        if not usable:
            return None
        winner, written = usable[0]
        loser = next(((row, other) for row, other in usable if other != written), None)
        if loser:
            times = [freshness(winner), freshness(loser[0])]
            resolution = "REVIEW_REQUIRED" if None in times else "OWNER" if times[0] == times[1] else "FRESHER"
            if resolution == "REVIEW_REQUIRED":
                self.merge.review.add(name)
            self.merge.conflict(name, loser[1], written, winner.system, resolution)
        return written

    def _invalid_emails(self, rows: list[Record]) -> None:
        holders: dict[str, str] = {}
        for row in rows:
            written = row.text("main_contact_email")
            if written is not None and not scalars.is_email(written.lower()):
                holders.setdefault(written, row.system)
        for written, system in holders.items():
            decision = {"winner_source": system, "resolution": "DROPPED"}
            self.draft.audit(self.group.key, "main_email", "INVALID_EMAIL", written, **decision)

    def _base_meeting_point(self, kind: str, key: str | None) -> str | None:
        tables = self.draft.tables
        if kind == "CATALOG_VARIANT":
            key = tables["catalog_variant"][key or ""]["product_key"]
        product: Row = tables["catalog_product"].get(key or "", {})
        return product.get("base_meeting_point")


def _name(row: Record) -> str | None:
    written = row.text("main_contact_name")
    return None if scalars.is_placeholder_name(written) else scalars.cut(written, 191)


def _email(row: Record) -> str | None:
    written = (row.text("main_contact_email") or "").lower()
    return written if scalars.is_email(written) and not scalars.is_placeholder_email(written) else None


def _digits_at_least(row: Record) -> str | None:
    written = row.text("phone_number")
    return written[:64] if written and len(scalars.digits(written)) >= 5 else None


def _first_raw(rows: list[Record], *places: tuple[str, str]) -> str | None:
    """The first text among columns of rows, one column after the other."""
    return first(*(row.raw(column) for system, column in places for row in rows if row.system == system))
