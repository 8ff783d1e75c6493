"""What the provider of a BILLING sample billed and was paid: the bills of every month and the money for them.

All amounts are in hundredths and are exact: what a bill states is what the rules of the target give for it, except
where dirt says otherwise.
"""

from collections.abc import Iterator
from enum import Enum
from itertools import chain
from typing import NamedTuple

from samples.billing.world import SERVICES, Client, Home, Partner, World
from samples.pools import day_of, pick, rolls

# Quantities and prices of the services: whether a client has one (of ten), and its usual price.
_HAVING = (10, 6, 8, 5, 7, 2)
_PRICES = (28_000, 6_000, 4_500, 5_000, 1_500, 7_000)
_DISCOUNTS = (0, 0, 0, 0, 0, 0, 50_000, 100_000, 12_550, 0)
_METHODS = (
    *("Bank Transfer", "Bank Transfer", "Bank Transfer", "Cash", "Cash", "Mobile Banking", "Mobile Banking", "Check"),
    "Other",
)
_NOTHING: tuple[tuple[int, int], ...] = ((0, 0),) * len(SERVICES)
# A spreadsheet had prices, but no quantities.
_TYPED_IN: tuple[tuple[int, int], ...] = ((0, 500_000), (0, 300_000), *_NOTHING[2:])


class Shape(Enum):
    """How a bill record came about."""

    COMPONENTS = "quantities times prices"
    PERIODS = "prices changed within the month"
    SPREADSHEET = "imported from a spreadsheet: a total without quantities"
    EMPTY = "nothing was used"
    NEGATIVE = "a discount on nothing"


class Period(NamedTuple):
    """Some days of a bill's month with prices of their own."""

    start: int
    end: int
    services: tuple[tuple[int, int], ...]
    discount: int

    @property
    def net(self) -> int:
        """What the days cost."""
        return net(self.services, self.discount)


class Payment(NamedTuple):
    """Money for a bill."""

    id: int
    day: int
    cents: int
    method: str
    word: int


class Bill(NamedTuple):
    """A bill record: `total` is what it comes to, `payments` are those until the export, `received` is their sum.

    Of a spreadsheet's bills nothing is known of the payments but what was received.
    """

    id: int
    kind: str
    owner: Client | Partner | Home
    month: int
    day: int
    shape: Shape
    services: tuple[tuple[int, int], ...]
    discount: int
    periods: tuple[Period, ...]
    total: int
    received: int
    payments: tuple[Payment, ...]
    word: int


class MacBill(NamedTuple):
    """A partner's monthly bill."""

    id: int
    partner: Partner
    month: int
    day: int
    clients: int
    revenue: int
    commission: int
    total: int
    payments: tuple[Payment, ...]
    word: int


class SohoBill(NamedTuple):
    """A home's monthly bill."""

    id: int
    home: Home
    month: int
    day: int
    rate: int
    total: int
    payments: tuple[Payment, ...]
    word: int


def line(quantity: int, price: int) -> int:
    """Quantity times price, both in hundredths, rounded half up."""
    return (quantity * price + 50) // 100


def net(services: tuple[tuple[int, int], ...], discount: int) -> int:
    """The services' amounts less the discount."""
    return sum(line(quantity, price) for quantity, price in services) - discount


class Ledger:
    """All bills of one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    # Bill records -----------------------------------------------------------------------------------------------------

    def records(self, month: int) -> Iterator[Bill]:
        """The bill records of a month until the export."""
        world = self.world
        drafts = chain(
            (self._client_bill(number, month) for number in world.client_numbers()),
            (self._partner_bill(number, month) for number in world.partner_numbers()),
            (self._home_bill(number, month) for number in world.home_numbers()),
        )
        return (bill for bill in drafts if bill is not None and bill.day <= world.today)

    def _client_bill(self, number: int, month: int) -> Bill | None:
        world, client = self.world, self.world.client(number)
        if month < client.start or (client.end is not None and month > client.end):
            return None
        w = rolls(world.spec.seed, "bill", number, month)
        shape = self._shape(w[0], month)
        services, discount = self._services(client, month), pick(_DISCOUNTS, w[1])
        if shape in (Shape.SPREADSHEET, Shape.EMPTY, Shape.NEGATIVE):
            services, discount = _NOTHING, 25_000 if shape is Shape.NEGATIVE else 0
        bill = self._bill("Bandwidth", client, month, number, client.day, shape, w[7])
        if shape is Shape.PERIODS:
            periods = self._periods(services, month, w)
            total = sum(period.net for period in periods)
            last = periods[-1]
            bill = bill._replace(services=last.services, discount=last.discount, periods=periods, total=total)
            return self._paid(bill, number, w)
        if shape is Shape.SPREADSHEET:
            total = 800_000 + w[1] % 60 * 50_000
            # The spreadsheet knew what was received, not when and how.
            received = (total if w[7] % 3 else 300_000) if w[7] % 2 else 0
            return bill._replace(services=_TYPED_IN, total=total, received=received)
        return self._paid(bill._replace(services=services, discount=discount, total=net(services, discount)), number, w)

    def _partner_bill(self, number: int, month: int) -> Bill:
        """What a partner pays for the caches, besides its share."""
        world = self.world
        w = rolls(world.spec.seed, "cache", number, month)
        ggc, cdn = 20_000 + w[0] % 20 * 1_000, 5_000 + w[1] % 10 * 500
        services = ((0, 0), (0, 0), (ggc, 4_000), (cdn, 5_000), (0, 0), (0, 0))
        place = world.clients + world.new_clients + number
        bill = self._bill("MAC", world.partner(number), month, place, 20, Shape.COMPONENTS, w[7])
        return self._paid(bill._replace(services=services, total=net(services, 0)), place, w)

    def _home_bill(self, number: int, month: int) -> Bill | None:
        """A connection or relocation fee: typed in as a total."""
        world, home = self.world, self.world.home(number)
        w = rolls(world.spec.seed, "fee", number, month)
        if month < home.start or (month > home.start and w[0] % 90) or (home.end is not None and month > home.end):
            return None
        place = world.clients + world.new_clients + world.partners + number
        bill = self._bill("SOHO", home, month, place, home.first_day, Shape.SPREADSHEET, w[7])
        return self._paid(bill._replace(total=100_000 + w[1] % 4 * 25_000), place, w)

    def _bill(
        self, kind: str, owner: Client | Partner | Home, month: int, place: int, day: int, shape: Shape, word: int
    ) -> Bill:
        """A bill over nothing."""
        world = self.world
        number, since = world.record_id(month, place), world.ordinal(month, day)
        return Bill(number, kind, owner, month, since, shape, _NOTHING, 0, (), 0, 0, (), word)

    def _paid(self, bill: Bill, place: int, w: tuple[int, ...]) -> Bill:
        payments = self._payments(bill.month, place, bill.day, bill.total, w)
        return bill._replace(payments=payments, received=sum(payment.cents for payment in payments))

    def _shape(self, word: int, month: int) -> Shape:
        word, lot = divmod(word, 100)
        if lot < 28:
            return Shape.PERIODS
        if month <= self.world.first_month + 1 and lot < 44:
            return Shape.SPREADSHEET
        if lot == 99:
            return Shape.NEGATIVE if word % 9 == 0 else Shape.EMPTY
        return Shape.COMPONENTS

    def _services(self, client: Client, month: int) -> tuple[tuple[int, int], ...]:
        """What a client uses: more every half a year, and cheaper every year."""
        w = rolls(self.world.spec.seed, "services", client.number)
        age = month - client.start
        services = []
        for having, usual, word in zip(_HAVING, _PRICES, w, strict=False):
            word, lot = divmod(word, 10)
            word, size = divmod(word, 40)
            quantity = (5 + size) * (10 + age // 6) * 100 + (50 if word % 17 == 0 else 0)
            price = usual * (95 + word % 12) // 100 - age // 12 * 100
            services.append((quantity, max(price, 500)) if lot < having else (0, 0))
        return tuple(services)

    def _periods(self, services: tuple[tuple[int, int], ...], month: int, w: tuple[int, ...]) -> tuple[Period, ...]:
        """The days before and after a change; each period has the part of the prices that its days are of the month."""
        length = day_of(month, 31).day
        change, lot = 5 + w[2] % 18, w[3] % 20
        spans = [(1, change), (change + 1 + (lot == 3), length)]
        if lot in (5, 6):
            spans = [(1, length)]
        elif lot in (8, 9):
            spans = [(1, change), (change + 1, change + 4), (change + 5, length)]
        periods = []
        for number, (start, end) in enumerate(spans):
            part = tuple(
                (quantity * (10 + number) // 10, price * (end - start + 1) // length) for quantity, price in services
            )
            periods.append(Period(start, end, part, 5_000 if lot == 10 and not number else 0))
        return tuple(periods)

    # Monthly bills ----------------------------------------------------------------------------------------------------

    def mac_bills(self, partner: int) -> Iterator[MacBill]:
        """A partner's bills of all months until the export."""
        world, who = self.world, self.world.partner(partner)
        for month in world.months():
            day = world.ordinal(month, 22 + partner % 3)
            w = rolls(world.spec.seed, "share", partner, month)
            counted = [cents for since, cents in world.partner_ends(partner) if since <= day]
            revenue = sum(counted)
            commission = (revenue * who.share + 5_000) // 10_000
            total, place = revenue - commission, world.records_each_month + partner
            payments = self._payments(month, place, day, total, w)
            number = world.mac_bill_id(month, partner)
            yield MacBill(number, who, month, day, len(counted), revenue, commission, total, payments, w[7])

    def soho_bills(self, month: int) -> Iterator[SohoBill]:
        """The homes' bills of a month."""
        world = self.world
        for number in world.home_numbers():
            home = world.home(number)
            day = world.ordinal(month, home.first_day if month == home.start else 1 + number % 5)
            if month < home.start or (home.end is not None and month > home.end) or day > world.today:
                continue
            w = rolls(world.spec.seed, "home bill", number, month)
            raised = number % 12 == 5 and month < world.first_month + 4
            rate = home.cents - 5_000 if raised else home.cents
            # The first month costs what is left of it; now and then somebody gets a discount.
            total = rate * (31 - home.first_day) // 30 if month == home.start else rate
            total = rate - 10_000 if w[4] % 80 == 0 else total
            place = world.records_each_month + world.partners + number
            payments = self._payments(month, place, day, total, w)
            yield SohoBill(world.soho_bill_id(month, number), home, month, day, rate, total, payments, w[7])

    # Money ------------------------------------------------------------------------------------------------------------

    def _payments(self, month: int, place: int, since: int, total: int, w: tuple[int, ...]) -> tuple[Payment, ...]:
        """What was paid until the export for a bill of a day: mostly all of it, at once."""
        word, lot = divmod(w[5], 100)
        word, delay = divmod(word, 25)
        if total <= 0 or lot < 3:
            parts: tuple[int, ...] = ()
        elif lot < 12:
            parts = (total * 2 // 5, total - total * 2 // 5)
        elif lot < 15:
            parts = (total * 3 // 5,)
        else:
            parts = (total + 10_000 if word % 300 == 0 else total,)
        payments = (
            Payment(
                self.world.payment_id(month, place, number),
                since + 2 + delay + 9 * number,
                cents,
                pick(_METHODS, w[6] + number),
                w[6] // 9 + number,
            )
            for number, cents in enumerate(parts)
        )
        return tuple(payment for payment in payments if payment.day <= self.world.today)
