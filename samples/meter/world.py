"""The utilities that the METER samples are made of: who is a customer of which tenant, since when, with which meters.

Everything is arithmetic over the number of a customer: no list grows with the scale, tables can be generated in any
order, and the following export differs from the first one only where the story says so.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from hashlib import blake2b
from math import gcd
from typing import NamedTuple

from samples.pools import day_of, month_number
from samples.weaving import Unusable, wanted, woven
from samples.writing import Record, SampleSpec

CUSTOMERS = 1190
STAFF = 95
MONTHS = 6
METERS_EACH = 3
LINES_EACH = 4
PAYMENTS_EACH = 3
OLDEST = 40

SMALLEST = 0.05
TENANTS = 6
LATEST_TENANT = 6

_TENANT_GROWTH = 0.46  # 6 tenants at scale 1, 50 at scale 100
_NEWCOMERS = 9
_WEIGHTS = (35, 25, 15, 13, 12, 0)
_PLAIN = 24
_LENGTHS = (1, 1, 2, 2, 2, 3, 3, 4, 4, 6)
_BLOCKS = (MONTHS + 1) * METERS_EACH
_WORD = (1 << 64) - 1
_FIRST_CUSTOMER_ID = 31


class Kind(Enum):
    """What a customer has in the way of meters."""

    SINGLE = "one meter"
    SEVERAL = "two or three meters"
    REPLACED = "an old meter, and the one that came in its place"
    MOVED = "has moved out: no meter is active any more"
    NONE = "never had a meter"
    SHARES = "uses the meter of another customer"


class Story(Enum):
    """What is special about a customer; `samples.meter` tells which tenant has which of them."""

    NOTHING = "nothing"
    PENNY = "the stored balance is off by exactly the tolerance"
    SHARED = "the meter is shared with the next customer of the tenant"
    WRITTEN_OFF = "the replaced meter still owes, the customer does not"
    MOVED_OWING = "moved out owing, the debt was written off"
    MOVED_CREDIT = "moved out, paid in advance all the same"
    SPLIT = "one meter owes, another has credit; the stored balance is the net"
    BALANCE_LOST = "the stored balance is no money"
    OVERPAYMENT_LOST = "the stored overpayment is no money"
    VOID_BULK = "a reversed invoice without a meter, paid before"
    VOID_DANGLING = "the same, with a meter that does not exist"
    VOID_FOREIGN = "the same, with a meter of another tenant"
    NOTHING_BILLED = "an invoice over nothing, without bills"
    NEGATIVE = "credit kept as a negative balance"
    GATE = "paid in advance, but never had a meter"
    TWO_CENTS = "the stored balance is off by more than the tolerance"
    STALE = "the stored balance misses a payment"
    UNBILLED = "an invoice over money whose bills are lost"
    COLUMN_ONLY = "brought forward in the invoice's column only"
    CARRIED_OVER = "the replaced meter's debt is still in the stored balance"
    OPEN_BULK = "an open invoice without a meter"
    UNASSIGNED_CREDIT = "credit of a customer who never had a meter"


_S = Story
# Per tenant: after how many customers the stories begin anew, and the rank of each.
_STORIES: dict[int, tuple[int, dict[int, Story]]] = {
    2: (1 << 60, {5: _S.PENNY}),
    3: (
        30,
        {
            **{2: _S.SHARED, 5: _S.WRITTEN_OFF, 7: _S.MOVED_OWING, 9: _S.MOVED_CREDIT, 11: _S.SPLIT},
            **{13: _S.BALANCE_LOST, 14: _S.OVERPAYMENT_LOST, 16: _S.VOID_BULK, 18: _S.VOID_DANGLING},
            **{19: _S.VOID_FOREIGN, 21: _S.NOTHING_BILLED, 23: _S.NEGATIVE},
        },
    ),
    4: (60, {4: _S.GATE}),
    5: (
        24,
        {
            **{3: _S.TWO_CENTS, 6: _S.STALE, 9: _S.UNBILLED, 12: _S.COLUMN_ONLY, 15: _S.CARRIED_OVER},
            **{18: _S.OPEN_BULK, 21: _S.UNASSIGNED_CREDIT},
        },
    ),
}
_KINDS: dict[Story, Kind] = {
    _S.WRITTEN_OFF: Kind.REPLACED,
    _S.MOVED_OWING: Kind.MOVED,
    _S.MOVED_CREDIT: Kind.MOVED,
    _S.SPLIT: Kind.SEVERAL,
    _S.GATE: Kind.NONE,
    _S.CARRIED_OVER: Kind.REPLACED,
    _S.UNASSIGNED_CREDIT: Kind.NONE,
}


_LOTS = (
    *((Kind.SEVERAL,) * 8 + (Kind.REPLACED,) * 7 + (Kind.MOVED,) * 4 + (Kind.NONE,) * 2),
    *((Kind.SINGLE,) * 79),
)


class Draw:
    """A stream of numbers that costs next to nothing to begin, unlike `random.Random`."""

    __slots__ = ("_state",)

    def __init__(self, salt: int, number: int) -> None:
        state = (salt ^ (number * 0x9E3779B97F4A7C15)) & _WORD
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
        self._state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _WORD

    def below(self, limit: int) -> int:
        """The next number from 0 to `limit` - 1."""
        return self.word() % limit

    def word(self) -> int:
        """The next 48 bits; cut into small numbers by `divmod` they serve several questions at once."""
        self._state = state = (self._state * 6364136223846793005 + 1442695040888963407) & _WORD
        return (state ^ (state >> 29)) >> 16


class Customer(NamedTuple):
    """A customer as the utility itself would know it, without dirt.

    Attributes:
        number: number of the customer over all tenants.
        tenant: id of the tenant.
        rank: number of the customer within its tenant.
        kind: what it has in the way of meters.
        story: what is special about it.
        start: first month that is billed, as a month number.
        change: last month of the old meter, or of the customer who moved out.
        spans: per meter the first month that is billed, and the last one where it has an end.
    """

    number: int
    tenant: int
    rank: int
    kind: Kind
    story: Story
    start: int
    change: int
    spans: tuple[tuple[int, int | None], ...]

    @property
    def plain(self) -> bool:
        """Whether all its money can only be that of one meter."""
        return self.kind is Kind.SINGLE and self.story is Story.NOTHING


class World:
    """Everything that one sample tells about."""

    def __init__(self, spec: SampleSpec) -> None:
        self.spec = spec
        self.month = month_number(spec.exported_at.date())
        self.first_sample_month = self.month - spec.edition
        self.first_month = self.first_sample_month - MONTHS + 1
        self.size = max(float(spec.scale), SMALLEST)
        self.tenants = max(TENANTS, round(TENANTS * self.size**_TENANT_GROWTH))
        self.customers = round(CUSTOMERS * self.size)
        self.newcomers = max(3, round(_NEWCOMERS * self.size))
        self.staff = max(6, round(STAFF * self.size))
        self._capacity = self.customers + self.newcomers
        self._salt = self.salt("customer")
        self.history_salt = self.salt("history")
        self._cycle, self._ranks, self._places = _cycle(self.tenants)
        # Formatting the same few days again for every row would cost more than all the rest of a row.
        self._days = {
            month: [day_of(month, day).isoformat() for day in range(1, 32)]
            for month in range(self.first_month - OLDEST, self.month + 3)
        }
        self.plain = self._plain_customers()

    def salt(self, label: str) -> int:
        """What makes the draws of one thing differ from those of another, and one seed's from another's."""
        return int.from_bytes(blake2b(f"{self.spec.seed}:{label}".encode(), digest_size=8).digest())

    def day(self, month: int, day: int) -> str:
        """A day as ISO text."""
        return self._days[month][day - 1]

    def woven(self, rows: Callable[[int], Iterable[Record]], unusable: tuple[Unusable, ...]) -> Iterator[Record]:
        """Every customer's rows, and every kind of unusable row as often as the scale asks for."""
        # Small tables of small samples have none: one would be too large a share of them.
        most = wanted(len(unusable), self.size)
        return woven(self.numbers(), self.customers, rows, unusable, most)

    # Who there is ---------------------------------------------------------------------------------------------------

    def numbers(self) -> Iterator[int]:
        """The numbers of the customers in the export."""
        everyone = range(self._capacity if self.spec.edition else self.customers)
        return (index for index in everyone if not self.gone(index))

    def gone(self, index: int) -> bool:
        """Whether the later export lacks the customer, with all that belonged to it."""
        if not self.spec.edition or index % 211 != 57 or self.customers <= 100 or index >= self.customers:
            return False
        return self.customer(index).plain

    def tenant(self, index: int) -> int:
        """Whose customer a number is; the latest tenant has none before the later export."""
        if index >= self.customers and (index - self.customers) % 3 == 0:
            return LATEST_TENANT
        return self._cycle[index % len(self._cycle)]

    def neighbour(self, index: int) -> int | None:
        """Another customer of the same tenant, if there is one not too far away."""
        other = index - len(self._cycle) if index >= len(self._cycle) else index + len(self._cycle)
        return other if other < self.customers and index < self.customers else None

    def previous(self, customer: Customer) -> int:
        """Number of the customer before this one in its tenant."""
        places = self._places[customer.tenant]
        rounds, place = divmod(customer.rank - 1, len(places))
        return rounds * len(self._cycle) + places[place]

    def foreigner(self, tenant: int) -> int:
        """A plain customer of another tenant."""
        return next(index for index in self.plain if self.tenant(index) != tenant)

    def customer(self, index: int) -> Customer:
        """The customer of a number."""
        tenant = self.tenant(index)
        last = self.first_sample_month
        if index >= self.customers:
            # Ranks of the story's tenants are not continued: nothing special happens to newcomers.
            start = last + 1
            return Customer(index, tenant, index, Kind.SINGLE, Story.NOTHING, start, start, ((start, None),))
        rounds, place = divmod(index, len(self._cycle))
        rank = rounds * len(self._places[tenant]) + self._ranks[place]
        word, length = divmod(Draw(self._salt, index).word(), len(_LENGTHS))
        story, follows = _stories(tenant, rank) if tenant in _STORIES else (Story.NOTHING, False)
        if story is not Story.NOTHING:
            start, change = last - 3, last - 2
            kind = _KINDS.get(story, Kind.SINGLE)
        else:
            start = last - _LENGTHS[length] + 1
            word, months = divmod(word, _LENGTHS[length])
            change = start + months
            word, lot = divmod(word, len(_LOTS))
            kind = Kind.SHARES if follows else _LOTS[lot]
        return Customer(index, tenant, rank, kind, story, start, change, _spans(kind, start, change, word))

    def _plain_customers(self) -> tuple[int, ...]:
        """Customers of the first two tenants that other rows can point to: both exports have them."""
        found = []
        for index in range(self.customers):
            customer = self.customer(index)
            if customer.plain and customer.tenant <= 2 and index % 211 != 57:
                found.append(index)
            if len(found) == _PLAIN:
                break
        return tuple(found)

    # Ids ------------------------------------------------------------------------------------------------------------

    @property
    def first_customer_id(self) -> int:
        """Customers' ids follow those of the staff."""
        return _FIRST_CUSTOMER_ID + self.staff

    def user_id(self, index: int) -> int:
        """Id of a customer."""
        return self.first_customer_id + index

    def meter_id(self, index: int, number: int) -> int:
        """Id of a customer's meter; the number behind the last is a meter in stock."""
        return number * self._capacity + index + 11

    def assignment_id(self, index: int, number: int) -> int:
        """Id of an assignment."""
        return index * (METERS_EACH + 3) + number + 1

    def invoice_id(self, index: int, slot: int) -> int:
        """Id of an invoice; a slot is a month and a meter, so that later invoices have greater ids."""
        return slot * self._capacity + index + 1001

    def bill_id(self, index: int, slot: int, line: int) -> int:
        """Id of a bill."""
        return (slot * LINES_EACH + line) * self._capacity + index + 503

    def pending_bill_id(self, index: int) -> int:
        """Id of a bill that waits for an invoice."""
        return self.bill_id(index, _BLOCKS, 0)

    def link_id(self, index: int, slot: int, line: int, generation: int = 0) -> int:
        """Id of a bill's place on an invoice; of a later generation where the legacy system wrote it anew."""
        return ((slot + generation * _BLOCKS) * LINES_EACH + line + 2) * self._capacity + index + 77

    def payment_id(self, index: int, slot: int, number: int) -> int:
        """Id of a payment."""
        return (slot * PAYMENTS_EACH + number) * self._capacity + index + 211

    def credit_id(self, index: int, number: int) -> int:
        """Id of an overpayment."""
        return number * self._capacity + index + 9

    def spare_id(self, number: int) -> int:
        """An id that no row of the story has, in any table."""
        return 6 * _BLOCKS * LINES_EACH * self._capacity + number + 100_000

    def slot(self, month: int, meter: int) -> int:
        """Where a month's invoice of a meter is among the ids."""
        return (month - self.first_month) * METERS_EACH + meter


def _cycle(tenants: int) -> tuple[list[int], list[int], dict[int, list[int]]]:
    """Tenants in the order in which the customers' numbers meet them, wide apart, and each place's rank."""
    weights = [*_WEIGHTS, *(5 + number * 7 % 11 for number in range(TENANTS, tenants))]
    ordered = [tenant for tenant, weight in enumerate(weights, 1) for _ in range(weight)]
    stride = next(s for s in range(round(0.61 * len(ordered)), 2 * len(ordered)) if gcd(s, len(ordered)) == 1)
    cycle = [ordered[place * stride % len(ordered)] for place in range(len(ordered))]
    ranks: list[int] = []
    places: dict[int, list[int]] = {tenant: [] for tenant in range(1, tenants + 1)}
    for place, tenant in enumerate(cycle):
        ranks.append(len(places[tenant]))
        places[tenant].append(place)
    return cycle, ranks, places


def _stories(tenant: int, rank: int) -> tuple[Story, bool]:
    """The story of a rank, and whether the one before is that of a shared meter."""
    period, stories = _STORIES[tenant]
    before = stories.get((rank - 1) % period) if rank else None
    return stories.get(rank % period, Story.NOTHING), before is Story.SHARED


def _spans(kind: Kind, start: int, change: int, word: int) -> tuple[tuple[int, int | None], ...]:
    if kind is Kind.SINGLE:
        return ((start, None),)
    if kind is Kind.SEVERAL:
        return ((start, None),) * (METERS_EACH if word % 4 == 0 else 2)
    if kind is Kind.REPLACED:
        return (start, change), (change + 1, None)
    return ((start, change),) if kind is Kind.MOVED else ()
