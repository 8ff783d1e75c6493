"""The internet provider that the BILLING samples are made of: its customers of three kinds, and its packages.

Everything is arithmetic over numbers: no list grows with the scale, tables can be generated in any order, and the
following export differs from the first one only where it says so. Money is in hundredths, quantities in hundredths of a
Mbps, and days are ordinals.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from samples.pools import day_of, month_number, rolls
from samples.writing import SampleSpec

MONTHS = 12
CLIENTS, PARTNERS, ENDS, HOMES, MAC_PACKAGES, SOHO_PACKAGES = 120, 8, 1750, 300, 30, 20
SMALLEST = 0.05
SOHO_OFFSET = 1_000_000

# The order in which bills state their services.
SERVICES = ("iig_qt", "fna", "ggc", "cdn", "bdix", "baishan")

_RIVERS = (
    *("Padma", "Meghna", "Jamuna", "Surma", "Karnaphuli", "Teesta", "Rupsha", "Titas", "Gomti", "Kushiyara"),
    *("Atrai", "Mahananda", "Dhaleshwari", "Sangu", "Halda", "Turag", "Kirtankhola", "Bhairab", "Muhuri"),
)
_TRADES = (
    *("Online", "Broadband", "Cyber Link", "Fibre Net", "Communications", "IT & Systems", "Net Point"),
    *("Digital", "Cable Vision", "Data Com"),
)
_FORMS = ("Ltd.", "", "BD", "& Sons", "Pvt. Ltd.")
_GIVEN = (
    *("Abdul", "Afsana", "Anika", "Arif", "Ayesha", "Babul", "Farhana", "Habib", "Imran", "Jahanara", "Kamal"),
    *("Liton", "Mahfuz", "Mitu", "Nasrin", "Nazmul", "Parvez", "Rafiq", "Rina", "Rokeya", "Sabbir", "Salma"),
    *("Shamim", "Shirin", "Sumon", "Tania", "Tareq", "Yasmin", "Zahid", "Zinia"),
)
_FAMILY = (
    *("Ahmed", "Akter", "Alam", "Begum", "Bhuiyan", "Chowdhury", "Das", "Haque", "Hossain", "Islam", "Karim"),
    *("Khan", "Khatun", "Mia", "Mollah", "Rahman", "Roy", "Sarker", "Sheikh", "Sikder", "Talukder", "Uddin"),
)
_PLANS = ("Starter", "Basic", "Family", "Gold", "Turbo", "Student", "Night Owl")
_SPEEDS = (5, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 100)
# One of them has not been agreed upon.
_SHARES = (2000, 2500, 1500, 3000, 2250, 0, 2000, 3333)


def money(cents: int) -> Decimal:
    """Hundredths as an amount with two decimals."""
    return Decimal(cents).scaleb(-2)


@lru_cache(maxsize=8192)
def day_text(ordinal: int) -> str:
    """A day as ISO text."""
    return date.fromordinal(ordinal).isoformat()


class Package(NamedTuple):
    """A package; a twin is the same package entered once more."""

    number: int
    id: int
    name: str
    mbps: int
    cents: int
    active: bool
    twin: bool


class Client(NamedTuple):
    """A bandwidth customer. A share has its e-mail from the client before; a twin is entered twice."""

    number: int
    id: int
    contact: str
    company: str | None
    start: int
    end: int | None
    day: int
    word: int

    @property
    def shares(self) -> bool:
        """Whether it uses the e-mail address of the client before, which is another firm."""
        return self.number % 53 == 11

    @property
    def twin_id(self) -> int | None:
        """The id under which the same customer is in the table again, if it is."""
        return self.id + 500_000 if self.number % 41 == 7 else None

    @property
    def keeps_email(self) -> bool:
        """Whether its address tells it from others, or that it is another: no dirt may befall it."""
        return self.number % 53 in (10, 11) or self.twin_id is not None

    @property
    def name(self) -> str:
        """The name on its bills."""
        return self.company or self.contact


class Partner(NamedTuple):
    """A channel partner; its share is in hundredths of a percent."""

    number: int
    id: int
    name: str
    contact: str
    share: int
    word: int


class End(NamedTuple):
    """An end customer of a partner; `cents` is what it pays a month."""

    number: int
    id: int
    partner: int
    name: str
    start: int
    own_day: int | None
    status: str
    package: int | None
    custom: int | None
    cents: int
    word: int


class Home(NamedTuple):
    """A home customer; `own` is a rate of its own, `cents` the rate that it pays."""

    number: int
    id: int
    name: str
    start: int
    first_day: int
    end: int | None
    package: int | None
    own: int | None
    cents: int
    word: int


class World:
    """Everything that one sample tells about."""

    def __init__(self, spec: SampleSpec) -> None:
        self.spec = spec
        self.month = month_number(spec.exported_at.date())
        self.first_sample_month = self.month - spec.edition
        self.first_month = self.first_sample_month - MONTHS + 1
        self.today = spec.exported_at.toordinal()
        self.size = size = max(float(spec.scale), SMALLEST)
        self.clients, self.new_clients = max(4, round(CLIENTS * size)), max(1, round(2 * size))
        self.partners = max(1, round(PARTNERS * size))
        self.ends, self.new_ends = max(30, round(ENDS * size)), max(1, round(25 * size))
        self.homes, self.new_homes = max(10, round(HOMES * size)), max(1, round(6 * size))
        self.mac_packages = max(6, round(MAC_PACKAGES * size))
        self.soho_packages = max(6, round(SOHO_PACKAGES * size))
        self.partner_ends = lru_cache(maxsize=4)(self._partner_ends)

    # When -------------------------------------------------------------------------------------------------------------

    def months(self) -> range:
        """The months of the bills, as month numbers."""
        return range(self.first_month, self.month + 1)

    def ordinal(self, month: int, day: int) -> int:
        """A day of a month, its last one where the month is too short."""
        return day_of(month, day).toordinal()

    # Who --------------------------------------------------------------------------------------------------------------

    def client_numbers(self) -> range:
        """The bandwidth customers of the export."""
        return range(self.clients + (self.new_clients if self.spec.edition else 0))

    def partner_numbers(self) -> range:
        """The partners."""
        return range(self.partners)

    def end_numbers(self) -> range:
        """The partners' customers in the export."""
        return range(self.ends + (self.new_ends if self.spec.edition else 0))

    def home_numbers(self) -> Iterator[int]:
        """The home customers of the export; the later one lacks some with all that belonged to them."""
        everyone = range(self.homes + (self.new_homes if self.spec.edition else 0))
        return (number for number in everyone if not (self.spec.edition and number % 97 == 31))

    def client(self, number: int) -> Client:
        """The bandwidth customer of a number."""
        w = rolls(self.spec.seed, "client", number)
        company = f"{_RIVERS[number % len(_RIVERS)]} {_TRADES[number // 3 % len(_TRADES)]} {_FORMS[w[0] % 5]}".strip()
        if number >= len(_RIVERS) * len(_TRADES):
            company = f"{company} {number}"
        start, end = self._life(number, self.clients, w[1], 93, leavers=5)
        day = (1, 1, 5, 10, 15, 31)[w[2] % 6]
        return Client(number, 101 + number, _person(w[3]), company if w[4] % 12 else None, start, end, day, w[5])

    def partner(self, number: int) -> Partner:
        """The partner of a number."""
        w = rolls(self.spec.seed, "partner", number)
        name = f"{_GIVEN[(w[0] + number) % len(_GIVEN)]} {_TRADES[number % len(_TRADES)]}"
        return Partner(number, 3 + number, name, _person(w[1]), _SHARES[number % len(_SHARES)], w[2])

    def end(self, number: int) -> End:
        """The partners' customer of a number."""
        w = rolls(self.spec.seed, "end", number)
        if number >= self.ends:
            start = self.ordinal(self.first_sample_month + 1, 2 + w[0] % 20)
        else:
            start = self.ordinal(self.first_month, 1) - 900 + w[0] % 1000
        status = "Active" if w[1] % 100 < 93 else ("Inactive", "Suspended")[w[1] % 2]
        package = None if w[2] % 16 == 3 else w[3] % self.mac_packages
        custom = None
        if package is None or w[4] % 7 == 0:
            custom = 30_000 + w[5] % 30 * 2_500 + (50 if w[5] % 11 == 0 else 0)
        elif w[4] % 29 == 1:
            custom = 0
        own = start + 10 + w[6] % 20 if w[6] % 9 == 0 else None
        cents = custom or (self.mac_package(package).cents if package is not None else 0)
        partner = number % self.partners
        return End(number, 51 + number, partner, _person(w[7]), start, own, status, package, custom, cents, w[6])

    def home(self, number: int) -> Home:
        """The home customer of a number."""
        w = rolls(self.spec.seed, "home", number)
        start, end = self._life(number, self.homes, w[0], 96, leavers=2)
        package = None if w[1] % 20 == 7 else w[2] % self.soho_packages
        own = 50_000 + w[3] % 40 * 2_500 if package is None or w[4] % 4 == 0 else None
        cents = own or (self.soho_package(package).cents if package is not None else 0)
        return Home(number, 31 + number, _person(w[5]), start, 2 + w[6] % 25, end, package, own, cents, w[7])

    def _life(self, number: int, count: int, word: int, old: int, *, leavers: int) -> tuple[int, int | None]:
        """First and last month that is billed; `old` of a hundred were customers before the sample begins."""
        if number >= count:
            return self.first_sample_month + 1, None
        word, lot = divmod(word, 100)
        word, months = divmod(word, 40)
        if lot >= old:
            return self.first_month + 1 + months % 10, None
        return self.first_month - 1 - months, self.first_month + 2 + word % 8 if lot < leavers else None

    def _partner_ends(self, partner: int) -> list[tuple[int, int]]:
        """Of a partner's active customers: from which day on each counts, and what it pays."""
        found = []
        for number in range(partner, len(self.end_numbers()), self.partners):
            end = self.end(number)
            if end.status == "Active":
                found.append((max(end.start, end.own_day or 0), end.cents))
        return found

    # Packages ---------------------------------------------------------------------------------------------------------

    def mac_package(self, number: int) -> Package:
        """A package of the partners' catalogue."""
        return self._package("mac", number, 20_000, 1_200)

    def soho_package(self, number: int) -> Package:
        """A package of the homes' catalogue; the two catalogues number alike."""
        return self._package("soho", number, 45_000, 2_000)

    def _package(self, catalogue: str, number: int, base: int, slope: int) -> Package:
        first = number - 1 if number % 9 == 8 else number
        w = rolls(self.spec.seed, catalogue, first)
        speed, plan = _SPEEDS[first % len(_SPEEDS)], _PLANS[(first + w[0]) % len(_PLANS)]
        area = f" Zone {first // 12}" if first >= 12 else ""
        cents = base + slope * speed + w[1] % 8 * 1_000
        twin = first != number
        return Package(number, number + 1, f"{plan}{area} {speed} Mbps", speed, cents, not twin and w[2] % 9 > 0, twin)

    # Ids --------------------------------------------------------------------------------------------------------------

    @property
    def records_each_month(self) -> int:
        """How many ids of bill records a month has."""
        return self.clients + self.new_clients + self.partners + self.homes + self.new_homes

    @property
    def statements_each_month(self) -> int:
        """How many ids of partners' and homes' monthly bills a month has."""
        return self.partners + self.homes + self.new_homes

    def record_id(self, month: int, place: int) -> int:
        """Id of a bill record; later bills have greater ids."""
        return (month - self.first_month) * self.records_each_month + place + 2_001

    def mac_bill_id(self, month: int, partner: int) -> int:
        """Id of a partner's monthly bill."""
        return (month - self.first_month) * self.partners + partner + 71

    def soho_bill_id(self, month: int, home: int) -> int:
        """Id of a home's monthly bill."""
        return (month - self.first_month) * (self.homes + self.new_homes) + home + 301

    def payment_id(self, month: int, place: int, number: int) -> int:
        """Id of a payment for the bill of a month that has a place among all its bills."""
        each = self.records_each_month + self.statements_each_month
        return ((month - self.first_month) * each + place) * 4 + number + 9_001

    def spare_id(self, number: int) -> int:
        """An id that no row of the story has, in any table but the packages'."""
        return 9_000_000_000 + number


def _person(word: int) -> str:
    word, given = divmod(word, len(_GIVEN))
    return f"{_GIVEN[given]} {_FAMILY[word % len(_FAMILY)]}"
