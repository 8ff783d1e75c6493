"""Which bookings of the two systems are one, which row stands for each system, and the key of the one booking."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.booking import booking_scalars as scalars
from tests.booking.booking_items import Item, loaded_items
from tests.booking.booking_records import LONG_AGO, Draft, Inputs, Record, Source

CHANNELS = {
    "DIRECT": "Direct Website",
    "GYG": "GetYourGuide",
    "VIATOR": "Viator",
    "BOKUN": "Bokun",
    "TRIPDOTCOM": "Trip.com",
    "MANUAL": "Manual Ops Input",
}
Identity = tuple[str, str]


def freshness(record: Record) -> dt.datetime | None:
    """When a row was last touched, as far as that is known."""
    return record.moment("updated_at") or record.moment("created_at")


def channel_of(record: Record) -> str:
    """The channel that a booking came by."""
    if record.of_website:
        return "DIRECT"
    source = record.upper("source")
    return source if source in CHANNELS else "MANUAL"


def ref_of(record: Record) -> str:
    """The reference of a booking, a made-up one if it has none."""
    return record.upper("booking_ref") or f"{'BS' if record.of_website else 'OPS'}-{record.pk}"


@dataclass(eq=False)
class Group:
    """All rows of one booking.

    Attributes:
        identity: channel and reference.
        website: its rows of the website, by id.
        panel: its rows of the operations panel, by id.
        items: the items of its website rows.
        key: its booking_key.
    """

    identity: Identity
    website: list[Record] = field(default_factory=list)
    panel: list[Record] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    key: str = ""

    @property
    def channel(self) -> str:
        """The channel."""
        return self.identity[0]

    @property
    def rows(self) -> list[Record]:
        """All rows, those of the website first."""
        return [*self.website, *self.panel]

    @property
    def in_order(self) -> list[Record]:
        """All rows, the freshest first."""

        def place(record: Record) -> tuple[dt.datetime, bool, int]:
            return freshness(record) or LONG_AGO, record.of_website, record.key

        return sorted(self.rows, key=place, reverse=True)

    @property
    def b(self) -> Record | None:
        """The row that stands for the website."""
        return _representative(self.website)

    @property
    def a(self) -> Record | None:
        """The row that stands for operations."""
        return _representative(self.panel)

    @property
    def loaded(self) -> Record:
        """The row that counts as loaded."""
        found = self.b or self.a
        assert found is not None
        return found

    @property
    def active(self) -> list[Item]:
        """The items that count, by id."""
        return [item for item in self.items if item.booking is self.b and not item.is_cancelled]


def _representative(rows: list[Record]) -> Record | None:
    return max(rows, key=lambda record: (freshness(record) or LONG_AGO, record.key), default=None)


class Identities:
    """The bookings of one export.

    Attributes:
        groups: the bookings that are loaded.
        of_row: the booking of each loaded or merged row, by table and key.
    """

    def __init__(self, draft: Draft, known: Mapping[Identity, str]) -> None:
        self.draft = draft
        self.inputs = draft.inputs
        self.groups: list[Group] = []
        self.of_row: dict[tuple[str, int], Group] = {}
        items = loaded_items(self.inputs)
        for group in self._formed().values():
            group.items = sorted((i for r in group.website for i in items[r.key]), key=lambda item: item.record.key)
            reason = self._fault(group)
            for record in group.rows if reason else ():
                draft.rejected(record, "booking_core", str(reason))
            if not reason:
                self.groups.append(group)
                self.of_row |= {(record.table.name, record.key): group for record in group.rows}
        self._give_keys(known)
        for group in self.groups:
            self._label(group)

    def of_booking(self, table: str, booking_id: int | None) -> Group | None:
        """The booking that a row's link means."""
        return self.of_row.get((table, booking_id or 0))

    def _formed(self) -> dict[Identity, Group]:
        groups: dict[Identity, Group] = {}
        for table in ("balisnap.Booking", "bstadmin.bookings"):
            for record in self.inputs.of(table).values():
                identity = (channel_of(record), ref_of(record))
                if len(identity[1]) > 128:
                    self.draft.rejected(record, "booking_core", "REF_TOO_LONG")
                    continue
                group = groups.setdefault(identity, Group(identity))
                (group.website if record.of_website else group.panel).append(record)
        return groups

    def _fault(self, group: Group) -> str | None:
        """Why a booking cannot be loaded."""
        times = ("created_at", "updated_at", "booking_date")
        if not any(record.moment(column) for record in group.rows for column in times):
            return "NO_VALID_TIMESTAMP"
        if website_tour_date(self.inputs, group) is None and panel_tour_date(group) is None:
            return "NO_TOUR_DATE"
        return None

    def _give_keys(self, known: Mapping[Identity, str]) -> None:
        taken: set[str] = set()
        for group in self.groups:
            if group.identity in known:
                group.key = known[group.identity]
                taken.add(group.key)
        for group in self.groups:
            if not group.key:
                names = [record.name for record in group.rows]
                own = f"canonical:booking_core:{group.channel}|{group.identity[1]}"
                group.key = next(key for key in map(scalars.key_of, [*names, own]) if key not in taken)
        assert len({group.key for group in self.groups}) == len(self.groups)

    def _label(self, group: Group) -> None:
        for record in group.rows:
            if record is group.loaded:
                self.draft.loaded(record, "booking_core", group.key)
            else:
                self.draft.merged(record, "booking_core", "SAME_IDENTITY", group.key)
            self._ask_channel(record)
            kind = f"{record.system.upper()}_BOOKING_ID"
            self.draft.reference("BOOKING", group.key, group.channel, kind, record.pk, Source.of(record))
        source = Source("canonical", "booking_core", group.key)
        self.draft.reference("BOOKING", group.key, group.channel, "BOOKING_REF", group.identity[1], source)

    def _ask_channel(self, record: Record) -> None:
        source = record.upper("source")
        if not record.of_website and source is not None and source not in CHANNELS:
            self.draft.queue("CHANNEL_MAPPING", Source.of(record), "UNKNOWN_SOURCE", "MANUAL", {"source": source})


# --- tour dates -------------------------------------------------------------------------------------------------------


def departure_of(inputs: Inputs, group: Group) -> Record | None:
    """The departure that says when the tour of a website booking begins."""
    departures = inputs.of("balisnap.Departure")
    found = [departures.get(item.record.identifier("departure_id") or 0) for item in group.active]
    dated = [departure for departure in found if departure and departure.moment("start_date")]
    return min(dated, key=lambda departure: departure.moment("start_date") or LONG_AGO, default=None)


def website_tour_date(inputs: Inputs, group: Group) -> dt.date | None:
    """The tour date as the website has it."""
    departure = departure_of(inputs, group)
    at = departure.moment("start_date") if departure else group.b and group.b.moment("booking_date")
    return scalars.bali_date(at) if at else None


def panel_tour_date(group: Group) -> dt.date | None:
    """The tour date as operations have it."""
    at = group.a and group.a.moment("tour_date")
    return scalars.bali_date(at) if at else None
