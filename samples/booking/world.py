"""The tour operator that the BOOKING samples are made of: what it sells, and who books which tour through what channel.

Everything is arithmetic over the number of a booking or of a group of tours: no list grows with the scale, tables can
be generated in any order, and the following export differs from the first one only where the story says so. A *trip*
is a booking as the operator itself would know it, without dirt; the two systems tell about it, each in its own way.
"""

from datetime import UTC, datetime
from enum import Enum
from hashlib import blake2b
from typing import NamedTuple

from samples.booking.clock import BALI, DAY, bali_midnight, bali_time
from samples.pools import day_of, month_number
from samples.writing import SampleSpec

TRIPS = 10_500
GROUPS = 60
PRODUCTS_EACH, VARIANTS_EACH, PACKAGES_EACH = 2, 3, 3
DAYS = 548

SMALLEST = 0.02
SMALLEST_CATALOG = 0.25

_ROUND = 7
_STORY_ROUND = 50
_GROUP_ROUND = 20
_MASK = (1 << 64) - 1
_REF_STEP = 0x9E3779B1
_VIATOR_STEP = 48_271
_HOURS = (5 * 60, 6 * 60 + 30, 8 * 60, 8 * 60 + 30, 9 * 60, 13 * 60 + 15)
_RUPIAHS = 16_000
DEPARTURE_DAYS = 56


class Place(Enum):
    """Which of the two systems know a trip."""

    BOTH = "sold on the website, and copied to operations"
    WEB = "on the website only"
    OPS = "in operations only"


class Fate(Enum):
    """What became of a trip."""

    NOTHING = "takes place as booked"
    UNPAID = "was never paid on the website"
    CANCELLED = "cancelled"
    REFUNDED = "paid on the website, cancelled and refunded"
    NO_SHOW = "the guest did not come"
    UPDATED = "the guest changed the day"


class Story(Enum):
    """How the two systems differ about a trip that both know."""

    NOTHING = "they agree"
    MORE_GUESTS = "operations knows better: one more adult, and a higher price"
    UNKNOWN = "the same, but nobody can tell which is newer"
    SAME_TIME = "another day, written at the same time"
    GUEST_MOVED = "the website knows better: the guest changed the day there"
    NO_TOTAL = "the newer copy has no price"
    RUPIAHS = "the newer copy is priced in another currency"
    CANCELLED_ITEM = "a part of the booking was cancelled on the website"
    NOTES = "each has a note of its own"
    PLACEHOLDER = "the newer copy has a placeholder for the guest"
    OTHER_PHONE = "another phone number and e-mail, written at the same time"
    OTHER_GUESTS = "the newer copy counts other guests than the website's items do"
    OTHER_HOUR = "another hour than that of the departure"
    UNKNOWN_GUEST = "another guest, and nobody can tell which is newer"
    OTHER_PACKAGE = "operations has another package"


class Group(Enum):
    """How a tour of operations, its packages and two products of the website belong together."""

    PLAIN = "the packages are the first product; the second one is sold on the website only"
    PAIR = "the packages are both products"
    PAIR_AND_REST = "the packages are both products, and one is neither"
    OPERATIONS = "the website does not know the packages"
    BY_VARIANT = "only variants name their packages"
    BY_SLUG = "no ids: the slugs are the same"
    BY_NAME = "no ids: the names are the same"
    CLAIMED_TWICE = "both products claim the same package"
    VARIANTS_CLAIM = "two variants claim the same package"
    NO_TOUR = "the packages have no tour, and the tour no packages"
    UNKNOWN_TOUR = "the packages name a tour that does not exist, and both products the same package"
    SAME_SLUGS = "both products have the same slug"
    SWAPPED = "the products swap their slugs in the following export"
    NAMESAKES = "no ids: a package and both products have the same name"
    RETIRED = "a product names a package that operations no longer has; in every other such group a variant does too"


_STORIES: dict[int, Story] = {2 + 3 * number: story for number, story in enumerate(list(Story)[1:])}
_GROUPS: dict[int, Group] = {1 + number: group for number, group in enumerate(list(Group)[1:])}
_CHANNELS = (
    *(("GYG",) * 35 + ("VIATOR",) * 24 + ("TRIPDOTCOM",) * 12 + ("BOKUN",) * 12 + ("MANUAL",) * 12),
    *(("DIRECT",) * 5),
)
_OPS_FATES = (Fate.CANCELLED,) * 8 + (Fate.NO_SHOW,) * 2 + (Fate.UPDATED,) * 15 + (Fate.NOTHING,) * 75
_WEB_FATES = (
    *((Fate.UNPAID,) * 14 + (Fate.REFUNDED,) * 3 + (Fate.CANCELLED,) * 3 + (Fate.NO_SHOW,) + (Fate.UPDATED,) * 9),
    *((Fate.NOTHING,) * 70),
)
_BOTH_FATES = (
    *((Fate.UNPAID,) * 2 + (Fate.REFUNDED,) * 3 + (Fate.CANCELLED,) * 3 + (Fate.NO_SHOW,) + (Fate.UPDATED,) * 9),
    *((Fate.NOTHING,) * 82),
)
_EARLY_FATES = (Fate.CANCELLED, Fate.REFUNDED, Fate.UPDATED)


def mix(salt: int, number: int) -> int:
    """64 bits that look like chance; cut into small numbers by `divmod` they serve several questions."""
    state = (salt + number * 0x9E3779B97F4A7C15) & _MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
    return state ^ (state >> 31)


class Trip(NamedTuple):
    """A booking as it stands when the export is taken.

    Attributes:
        number: number of the trip over all channels, in the order of time.
        rank: its number among the trips of its place.
        created: when it was booked, in seconds.
        first_day: the day that was booked.
        day: the day that it takes place, in the islands' days.
        minute: when it begins, in minutes of the day.
        fate: what has become of it so far.
        fate_at: when that happened.
        paid_at: when the website took the money; None where it did not, or has not yet.
        variant: number of the variant that was booked.
        package: number of the package, if the booking names one; -1 for one that operations no longer has.
        cents: the price, in hundredths of the currency.
        word: chance that is left for the tables.
    """

    number: int
    rank: int
    place: Place
    channel: str
    story: Story
    created: int
    first_day: int
    day: int
    minute: int
    fate: Fate
    fate_at: int
    paid_at: int | None
    adults: int
    children: int
    variant: int
    package: int | None
    currency: str
    cents: int
    word: int

    @property
    def paid(self) -> bool:
        """Whether the website holds the guest's money."""
        return self.paid_at is not None and self.fate is not Fate.REFUNDED


class World:
    """Everything that one sample tells about."""

    def __init__(self, spec: SampleSpec) -> None:
        self.spec = spec
        self.edition = spec.edition
        self.now = int(spec.exported_at.timestamp())
        self.first_now = _a_month_before(spec.exported_at) if spec.edition else self.now
        self.size = max(float(spec.scale), SMALLEST)
        self.catalog_size = max(self.size, SMALLEST_CATALOG)
        self.trips = round(TRIPS * self.size)
        self._span = DAYS * DAY
        self.begin = self.first_now - self._span
        self._step = max(1, self._span // self.trips)
        newcomers = self.trips * (self.now - self.first_now) // self._span
        self.all_trips = self.trips + newcomers
        self.first_groups = round(GROUPS * self.catalog_size)
        self.groups = self.first_groups + (max(1, self.first_groups // 60) if spec.edition else 0)
        self.variants = self.first_groups * VARIANTS_EACH
        self.salts = {label: self.salt(label) for label in ("trip", "more", "guest", "ref", "finance", "mail")}
        self._trip_salt, self._more_salt, self._ref_salt = (self.salts[label] for label in ("trip", "more", "ref"))

    def salt(self, label: str) -> int:
        """What makes the draws of one thing differ from those of another, and one seed's from another's."""
        return int.from_bytes(blake2b(f"{self.spec.seed}:{label}".encode(), digest_size=8).digest())

    # What is sold -----------------------------------------------------------------------------------------------------

    def group(self, number: int) -> Group:
        """How a group of tours belongs together."""
        if number >= self.first_groups:
            return Group.PLAIN
        return _GROUPS.get(number % _GROUP_ROUND, Group.PLAIN)

    def product_package(self, product: int) -> int | None:
        """The package that a product names as its own; -1 is one that operations no longer has."""
        number, second = divmod(product, PRODUCTS_EACH)
        first_package = number * PACKAGES_EACH
        named = _PRODUCT_PACKAGES.get(self.group(number), (0, None))[second]
        return None if named is None else first_package + named if named >= 0 else named

    def variant_package(self, variant: int) -> int | None:
        """The package that a variant names; -1 is one that operations no longer has."""
        named = self.booked_package(variant)
        forgotten = named == -1 and variant // VARIANTS_EACH // _GROUP_ROUND % 2 == 0
        return None if forgotten else named

    def booked_package(self, variant: int) -> int | None:
        """The package that the website's bookings of a variant name."""
        number, slot = divmod(variant, VARIANTS_EACH)
        named = _VARIANT_PACKAGES.get(self.group(number), (0, 1, None))[slot]
        return None if named is None else number * PACKAGES_EACH + named if named >= 0 else named

    def adult_cents(self, variant: int) -> int:
        """What an adult pays, in hundredths of the variant's currency; later exports have a few higher prices."""
        raised = 500 if self.edition and variant % 31 == 4 else 0
        return _adult_cents(variant) + raised

    def tour_id(self, group: int) -> int:
        """Id of a tour."""
        return group + 3

    def package_id(self, package: int, variant: int = 0) -> int:
        """Id of a package; -1 is the one that operations no longer has, of the variant's group."""
        return package + 11 if package >= 0 else 900_001 + variant // VARIANTS_EACH

    def product_id(self, product: int) -> int:
        """Id of a product."""
        return product + 5

    def variant_id(self, variant: int) -> int:
        """Id of a variant."""
        return variant + 101

    def departs(self, variant: int) -> bool:
        """Whether a variant is sold for fixed departures."""
        return variant % VARIANTS_EACH == 1

    def departure_id(self, variant: int, slot: int) -> int:
        """Id of a departure."""
        return slot * 2 * self.first_groups + variant // VARIANTS_EACH + 7001

    def departure(self, variant: int, slot: int) -> tuple[int, int]:
        """Day and minute of a departure."""
        return self.begin // DAY + slot * DEPARTURE_DAYS + variant % 19, _HOURS[variant % len(_HOURS)]

    def departure_slots(self) -> int:
        """How many departures every variant that has any has."""
        return (self.now - self.begin) // DAY // DEPARTURE_DAYS + 2

    def slot_of(self, trip: Trip) -> int | None:
        """The departure that a trip goes with."""
        if not self.departs(trip.variant) or trip.story is Story.GUEST_MOVED:
            return None
        slot, rest = divmod(trip.day - self.begin // DAY - trip.variant % 19, DEPARTURE_DAYS)
        return slot if rest == 0 else None

    # Who books --------------------------------------------------------------------------------------------------------

    def trips_since(self, seconds: int) -> range:
        """The numbers of the trips that were booked after a time, and some before."""
        return range(max(0, (seconds - self.begin) * self.trips // self._span - 1), self.all_trips)

    def trip(self, number: int) -> Trip:
        """The trip of a number, as it stands when the export is taken."""
        rounds, turn = divmod(number, _ROUND)
        word, jitter = divmod(mix(self._trip_salt, number), self._step)
        created = self.begin + self._span * number // self.trips + jitter
        word, lot = divmod(word, 100)
        if turn == 0:
            place, rank, channel, fate = Place.BOTH, rounds, "DIRECT", _BOTH_FATES[lot]
            story = _STORIES.get(rounds % _STORY_ROUND, Story.NOTHING)
            if story is not Story.NOTHING:
                fate = Fate.NOTHING
        elif turn == 1:
            place, rank, channel, fate, story = Place.WEB, rounds, "DIRECT", _WEB_FATES[lot], Story.NOTHING
        else:
            place, rank, fate, story = Place.OPS, rounds * (_ROUND - 2) + turn - 2, _OPS_FATES[lot], Story.NOTHING
            word, lot = divmod(word, len(_CHANNELS))
            channel = _CHANNELS[lot]
        word, lead = divmod(word, 60)
        first_day = (created + BALI) // DAY + 1 + lead * lead // 60
        more, variant = divmod(mix(self._more_salt, number), self.variants)
        first_day = self._departing(variant, first_day, place)
        more, share = divmod(more, 60)
        day, fate, fate_at = self._as_of_now(fate, created, first_day, share)
        paid_at = None
        if place is not Place.OPS and fate not in (Fate.UNPAID, Fate.CANCELLED) and created + 900 <= self.now:
            paid_at = created + 240 + share * 9
        more, minute = divmod(more, len(_HOURS))
        word, adults = divmod(word, 9)
        word, children = divmod(word, 8)
        adults, children = _ADULTS[adults], _CHILDREN[children]
        package = self._package(place, channel, variant, word)
        currency, cents = _price(channel, place, variant, adults, children)
        return Trip(
            *(number, rank, place, channel, story, created, first_day, day, _HOURS[minute], fate, fate_at, paid_at),
            *(adults, children, variant, package, currency, cents, more),
        )

    def _departing(self, variant: int, day: int, place: Place) -> int:
        """Half of the variants that depart on fixed days are booked for these days only."""
        if place is Place.OPS or variant % (2 * VARIANTS_EACH) != 1:
            return day
        late = (day - self.begin // DAY - variant % 19) % DEPARTURE_DAYS
        return day + DEPARTURE_DAYS - late if late else day

    def _as_of_now(self, fate: Fate, created: int, day: int, share: int) -> tuple[int, Fate, int]:
        """Day, fate and its time, as far as they have come about."""
        if fate in _EARLY_FATES:
            at = created + (bali_midnight(day) - created) * (20 + share) // 100
            if at > self.now:
                return day, Fate.NOTHING, created
            return (day + 1 + share % 3 if fate is Fate.UPDATED else day), fate, at
        if fate is Fate.NO_SHOW:
            at = bali_time(day, 11 * 60 + share)
            return (day, fate, at) if at <= self.now else (day, Fate.NOTHING, created)
        return day, fate, created

    def _package(self, place: Place, channel: str, variant: int, word: int) -> int | None:
        if place is not Place.OPS:
            return self.booked_package(variant)
        # Imported bookings carry no package; sometimes somebody has chosen one by hand.
        chosen = word % 100 < (98 if channel in ("MANUAL", "DIRECT") else 25)
        return variant if chosen else None

    # Ids and references -----------------------------------------------------------------------------------------------

    def web_id(self, trip: Trip, twin: int = 0) -> int:
        """Id of a booking on the website."""
        return (trip.rank * 2 + (trip.place is Place.WEB)) * 2 + twin + 41

    def ops_id(self, trip: Trip, twin: int = 0) -> int:
        """Id of a booking in operations."""
        rank = trip.rank * 6 + 5 if trip.place is Place.BOTH else trip.rank // 5 * 6 + trip.rank % 5
        return rank * 2 + twin + 23

    def spare_id(self, number: int) -> int:
        """Id of a row that no story tells about."""
        return 1_900_000_000 + number

    def ref(self, trip: Trip) -> str:
        """The reference of a trip as the channel gives it; no two trips have the same."""
        number, channel = trip.number, trip.channel
        code = (number * _REF_STEP + self._ref_salt) & 0xFFFFFFFF
        if channel == "GYG":
            return f"GYG{code:08X}B"
        if channel == "VIATOR":
            return f"VIA-{(number * _VIATOR_STEP + self._ref_salt) % 100_000_000:08d}"
        if channel == "TRIPDOTCOM":
            return f"11{code:014d}"
        if channel == "BOKUN":
            return f"BOK-{code:08X}"
        return f"MAN-{number:06d}" if channel == "MANUAL" else f"{code:08X}"

    def mistyped(self, trip: Trip) -> bool:
        """Whether the first export has a wrong reference, which the following one corrects."""
        return not self.edition and trip.place is not Place.BOTH and trip.number % 307 == 11

    # What is in the export --------------------------------------------------------------------------------------------

    def gone(self, trip: Trip) -> bool:
        """Whether the later export lacks the booking."""
        if not self.edition or trip.number >= self.trips:
            return False
        if trip.place is Place.OPS:
            return trip.number % 211 == 58
        return trip.place is Place.WEB and trip.fate is Fate.UNPAID and trip.rank % 11 == 3

    def copied_at(self, trip: Trip) -> int:
        """When operations got to know a trip: imported e-mails at once, copies of the website's later."""
        return trip.created + (3600 + trip.word % 25 * 3600 if trip.place is Place.BOTH else 60 + trip.word % 120)

    def in_web(self, trip: Trip) -> bool:
        """Whether the website has the trip."""
        return trip.place is not Place.OPS and not self.gone(trip)

    def in_ops(self, trip: Trip) -> bool:
        """Whether operations has the trip."""
        return trip.place is not Place.WEB and self.copied_at(trip) <= self.now and not self.gone(trip)


# Per group: the packages that its two products, and its three variants, name; -1 is one that operations lacks.
_PRODUCT_PACKAGES: dict[Group, tuple[int | None, int | None]] = {
    Group.PAIR: (0, 2),
    Group.PAIR_AND_REST: (0, 1),
    Group.OPERATIONS: (None, None),
    Group.BY_VARIANT: (None, None),
    Group.BY_SLUG: (None, None),
    Group.BY_NAME: (None, None),
    Group.CLAIMED_TWICE: (0, 0),
    Group.UNKNOWN_TOUR: (0, 0),
    Group.NAMESAKES: (None, None),
    Group.RETIRED: (0, -1),
}
_VARIANT_PACKAGES: dict[Group, tuple[int | None, int | None, int | None]] = {
    Group.PAIR: (0, 1, 2),
    Group.PAIR_AND_REST: (0, None, 1),
    Group.OPERATIONS: (None, None, None),
    Group.BY_SLUG: (None, None, None),
    Group.BY_NAME: (None, None, None),
    Group.CLAIMED_TWICE: (None, None, None),
    Group.VARIANTS_CLAIM: (0, 0, None),
    Group.NAMESAKES: (None, None, None),
    Group.RETIRED: (0, 1, -1),
}
_ADULTS = (2, 2, 2, 1, 2, 4, 3, 2, 6)
_CHILDREN = (0, 0, 0, 0, 0, 1, 2, 0)


def variant_currency(variant: int) -> str:
    """The currency that the website sells a variant in."""
    return "EUR" if variant % 6 == 5 else "USD"


def child_cents(adult: int) -> int:
    """What a child pays."""
    return adult * 3 // 5


def rupiahs(cents: int) -> int:
    """Hundredths of a dollar in hundredths of a rupiah."""
    return cents * _RUPIAHS


def _adult_cents(variant: int) -> int:
    # Now and then it is a boat of one's own.
    return 2500 + variant * 37 % 60 * 250 + (variant % 4) * 25 + (100_000 if variant % 20 == 9 else 0)


def _price(channel: str, place: Place, variant: int, adults: int, children: int) -> tuple[str, int]:
    adult = _adult_cents(variant)
    cents = adults * adult + children * child_cents(adult)
    if place is not Place.OPS or channel == "DIRECT":
        return variant_currency(variant), cents
    if channel == "TRIPDOTCOM":
        # Its e-mails do not tell the price.
        return "USD", 0
    if channel == "MANUAL":
        return "IDR", rupiahs(cents)
    return ("EUR" if channel == "GYG" else "USD"), cents


def _a_month_before(exported_at: datetime) -> int:
    day = day_of(month_number(exported_at.date()) - 1, exported_at.day)
    return int(datetime(day.year, day.month, day.day, exported_at.hour, tzinfo=UTC).timestamp())
