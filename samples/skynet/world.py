"""The provider that the Skynet samples are made of: its places, packages and accounts, and who pays what when.

Everything is a pure function of the sample's spec, so tables can be generated in any order and as often as needed, and
the following export differs from the first one only where the story says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from samples.pools import AREAS, day_of, dice, month_number, month_start, person, pick, rolls, street_address
from samples.skynet.dirt import Money
from samples.writing import SampleSpec

CUSTOMERS = 1743
ROUTERS = 31
FIRST_MONTH = month_number(date(2021, 1, 1))
LONGEST_HISTORY = 66
ADVANCE_MONTHS = 4

_WIB = timedelta(hours=7)
_DELETED_ACCOUNTS, _DELETED_MONTHS = 24, 9
_GONE = (101, 202, 303)
_NEW_ACCOUNTS = 8


@dataclass(frozen=True)
class Package:
    """A package of the price list; no price at all means that the export never tells it."""

    name: str
    prices: tuple[Money, ...]
    told: bool = True


PACKAGES = (
    Package("Paket Hemat 10M", (150000, 175000)),
    Package("Paket Keluarga 20M", (200000,)),
    Package("Paket Keluarga Plus 30 Mbps", (250000,)),
    Package("Home 15 MB Srigading", (165000,)),
    Package("Home 25mbps", (225000, 235000)),
    Package("Paket Pelajar 5M", (100000,)),
    Package("Bisnis 50 Mbps", (500000, 550000)),
    Package("Bisnis 100 Mbps", (1000000,)),
    Package("Dedicated 50M", (Decimal("1500000.50"),)),
    Package("Paket Karyawan", (0,)),
    Package("UpTo 20 Mbps &amp; TV", (275000,)),
    Package("Reseller A", (75000,)),
    Package("Reseller B", (85000, 90000)),
    Package("Warnet 40M", (400000,)),
    Package("Paket Lama", (120000,), told=False),
    Package("Voucher 0M", (50000,)),
    Package("Promo Merdeka 17M", (170000,)),
    Package("Gigabit 1000M", (2500000,)),
)
_POPULARITY = (30, 22, 12, 8, 8, 8, 2, 1, 1, 2, 3, 2, 2, 2, 3, 1, 4, 1)


@dataclass(frozen=True, slots=True)
class Account:
    """A customer as the provider itself would know it, without dirt.

    Attributes:
        index: number of the account; negative for accounts deleted before the export.
        id: the customer id in its clean spelling.
        location: index of its place.
        package: index of its package.
        price: monthly price; `old_price` was due before `repriced`.
        first: first month that is billed, as a month number.
        last: last month that is billed.
    """

    index: int
    id: str
    name: str
    address: str
    location: int
    router: int
    package: int
    price: Money
    old_price: Money
    repriced: int
    registered: date
    first: int
    last: int
    billing_day: int
    status: str

    def due(self, month: int) -> Money:
        """What a month costs."""
        return self.price if month >= self.repriced else self.old_price


@dataclass(frozen=True, slots=True)
class Payment:
    """Money taken, at a time on the provider's clocks (UTC+7)."""

    amount: Money
    at: datetime
    status: str


@dataclass(frozen=True, slots=True)
class Bill:
    """One account's month: status `paid`, `partial`, `unpaid` or `void`, and the payments until the export."""

    status: str
    due: Money
    payments: tuple[Payment, ...]


class World:
    """Everything that one sample tells about."""

    def __init__(self, spec: SampleSpec) -> None:
        self.spec = spec
        self.now = (spec.exported_at + _WIB).replace(tzinfo=None)
        self.month = month_number(self.now.date())
        self.first_sample_month = self.month - spec.edition
        if self.first_sample_month < FIRST_MONTH:
            raise ValueError(f"A sample's month cannot be before {month_start(FIRST_MONTH):%Y-%m}.")
        self.first_month = max(FIRST_MONTH, self.first_sample_month - LONGEST_HISTORY + 1)
        self.customers = max(1, round(CUSTOMERS * spec.scale))
        self.accounts = [self._account(index) for index in range(self.customers)] + self._new_accounts()
        deleted = max(1, round(_DELETED_ACCOUNTS * spec.scale))
        self.deleted = [self._deleted_account(number) for number in range(deleted)]

    def listed(self) -> Iterator[Account]:
        """The accounts of the customer list: the later export lacks some whose payments are still there."""
        gone = {index % self.customers for index in _GONE} if self.spec.edition else set()
        return (account for account in self.accounts if account.index not in gone)

    def bill(self, account: Account, month: int) -> Bill | None:
        """What an account owes and has paid for a month; None where nothing is billed yet, or any more."""
        if not account.first <= month <= account.last:
            return None
        dice_ = rolls(self.spec.seed, "bill", account.index, month)
        due = account.due(month)
        payments = tuple(p for p in _payments(account, due, month, dice_) if p.at <= self.now)
        if not payments:
            if month > self.month:
                return None
            return Bill("void" if dice_[1] % 1000 < 5 else "unpaid", due, ())
        return Bill("paid" if any(p.status == "paid" for p in payments) else "partial", due, payments)

    def _account(self, index: int) -> Account:
        seed, edition = self.spec.seed, self.spec.edition
        generator = dice(seed, "account", index)
        location = generator.randrange(len(AREAS))
        package = generator.choices(range(len(PACKAGES)), _POPULARITY)[0]
        price = generator.choice(PACKAGES[package].prices)
        earliest = self.first_month - 6
        month = earliest + int(generator.random() * (self.first_sample_month - earliest + 1))
        day = generator.randrange(1, 24 if month == self.first_sample_month else 29)
        left = generator.random()
        account = Account(
            index=index,
            id=_customer_id(index, location),
            name=person(generator),
            address=street_address(generator, AREAS[location]),
            location=location,
            router=location % ROUTERS,
            package=package,
            price=price,
            old_price=price,
            repriced=0,
            registered=day_of(month, day),
            first=max(month, self.first_month),
            last=self.month + ADVANCE_MONTHS,
            billing_day=generator.choice((1, 5, 10, 15, 20, 20, 20, 25, 28, 30, 31)),
            status=generator.choices(("Active", "Isolated"), (93, 7))[0],
        )
        if left < 0.06:
            last = account.first + int(generator.random() * (self.first_sample_month - account.first + 1))
            account = replace(account, last=last, status="Offline" if left < 0.04 else "Terminated")
        return self._changed(account) if edition else account

    def _changed(self, account: Account) -> Account:
        """The account a month later: some moved house, changed their package's price or were cut off."""
        index = account.index
        if account.router == ROUTERS - 1:
            account = replace(account, router=0)
        if index % 97 == 5:
            generator = dice(self.spec.seed, "moved", index)
            account = replace(account, address=street_address(generator, AREAS[account.location]))
        if index % 433 == 7 and account.price:
            account = replace(account, price=int(account.price) + 10000, repriced=self.month)
        if index % 89 == 3 and account.status == "Active":
            account = replace(account, status="Isolated")
        return account

    def _new_accounts(self) -> list[Account]:
        if not self.spec.edition:
            return []
        count = max(1, round(_NEW_ACCOUNTS * self.spec.scale))
        registered = month_start(self.month)
        return [
            replace(
                self._account(self.customers + number),
                registered=registered + timedelta(days=number % 20),
                first=self.month,
                last=self.month + ADVANCE_MONTHS,
                status="Active",
            )
            for number in range(count)
        ]

    def _deleted_account(self, number: int) -> Account:
        account = self._account(-1 - number)
        first = self.first_month + (number * 7) % max(1, self.first_sample_month - self.first_month)
        last = min(first + _DELETED_MONTHS - 1, self.first_sample_month)
        return replace(account, id=f"DEL{number:04d}", first=first, last=last)


def place_name(index: int) -> str:
    """Name of a place: its network's prefix and its area."""
    area = AREAS[index].upper()
    return area if index % 9 == 8 else f"{'SUBNET' if index % 7 == 6 else 'SKYNET'}-{area}"


def _customer_id(index: int, location: int) -> str:
    # Accounts taken over from a smaller provider kept their bare numbers.
    if index % 167 == 11:
        return str(20000 + index)
    letters = AREAS[location].upper()
    consonants = "".join(c for c in letters if c not in "AEIOU")
    return f"{(consonants + letters)[:4]}{index + 1:04d}"


def _payments(account: Account, due: Money, month: int, dice_: tuple[int, ...]) -> tuple[Payment, ...]:
    """All payments that a month's bill will ever see."""
    timing, kind = dice_[0] % 1000, dice_[1] % 1000
    if timing < 20 or kind < 5:
        return ()
    at = _paid_at(account, month, timing, dice_)
    if kind < 14 and due:
        half = int(due) // 2
        return (
            Payment(half, at, "partial"),
            Payment(due - half, at + timedelta(days=6, minutes=7), pick(("paid", "partial"), dice_[2] >> 10)),
        )
    if kind < 24 and due:
        return (Payment(int(due) // 3 // 1000 * 1000 + 1000, at, "partial"),)
    if kind < 34 and due:
        return (Payment(due + pick((-5000, 25000), dice_[2] >> 10), at, "paid"),)
    return (Payment(due, at, "paid"),)


def _paid_at(account: Account, month: int, timing: int, dice_: tuple[int, ...]) -> datetime:
    if timing < 60:
        shift = 25 + dice_[3] % 75
    elif timing < 75:
        shift = -35 - dice_[3] % 75
    else:
        shift = dice_[3] % 14 - 8
    day = day_of(month, account.billing_day) + timedelta(days=shift)
    # The desk is open from half past five in the morning to a quarter past one at night.
    start = datetime(day.year, day.month, day.day, 5, 30)  # noqa: DTZ001 - a legacy clock without a zone
    return start + timedelta(seconds=dice_[2] % 71_100)
