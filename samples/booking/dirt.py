"""The dirt of the BOOKING export, column by column: each kind turns a clean value into what an export really holds.

Kinds named `KEPT_…` say the same thing in another spelling; the others lose the value, or make it doubtful. Kinds of
times get seconds since 1970. Text columns never hold JSON objects or numbers with a fraction, because a text cell of
CSV or Parquet would say something else: so all four formats mean the same.
"""

from decimal import Decimal
from typing import Any

from samples.booking.clock import iso
from samples.weaving import ABSENT, NBSP, Kind, Spelling, fixed, kind_in_turn

EMAIL_DOMAIN = "guests.example.org"
MAIL_HOST = "mail.example.test"
IMAGE_HOST = "images.example.test"
PASSPORT_MARK = "SAMPLE-PP-"
ADDRESS_MARK = "Sample Villa"

CUT_EMOJI = "\ud83d"
OLD = "2019-03-01T08:00:00.000Z"
FUTURE = "2031-01-01T00:00:00.000Z"
DANGLING = 987_654_321
NOT_OBJECTS: tuple[Any, ...] = ("broken line, {id: 7", 17, None, [1, "Made"], True)
OUT_OF_RANGE = Decimal("10000000000.00")
MISSING_PKS: tuple[Any, ...] = (*(None, "abc", 0, "", -7, "1,024", True, "2147483648", ABSENT, Decimal("5.5"), "1e3"),)


def timed(period: int, offset: int, kinds: tuple[Kind, ...]) -> Spelling:
    """The same for a time in seconds, which is written as the legacy system writes it; None stays None."""

    def spell(value: Any, number: int) -> Any:
        if value is None:
            return None
        place = number + offset
        return iso(value) if place % period else kind_in_turn(kinds, place // period)(value)

    return spell


def _shifted(seconds: int, hours: int, offset: str) -> str:
    return f"{iso(seconds + hours * 3600)[:19]}{offset}"


# --- keys, numbers, words ---------------------------------------------------------------------------------------------

KEPT_IDS: tuple[Kind, ...] = (
    str,
    lambda v: f" {v} ",
    lambda v: Decimal(f"{v}.0"),
    lambda v: f"{v}.0",
    lambda v: f"+{v}",
    lambda v: f"00{v}",
    lambda v: f"{v}{NBSP}",
)
KEPT_INTS = KEPT_IDS
LOST_INTS = fixed(None, "", "two", "2,5", Decimal("2.5"), True, "99999999999", "-")
NEGATIVE_INTS = fixed(-1, "-3")

KEPT_MONEY: tuple[Kind, ...] = (
    str,
    lambda v: f"{v:,.2f}",
    lambda v: f" {v} ",
    lambda v: f"+{v}",
    lambda v: f"{v}00",
    lambda v: Decimal(f"{v}4"),
    lambda v: v.normalize(),
    lambda v: int(v) if v == int(v) else v,
)
LOST_MONEY = fixed(None, "", "N/A", "1,23", ".5", "12.5 USD", "1e3", True, OUT_OF_RANGE, "Rp 150.000")
NEGATIVE_MONEY = fixed(Decimal("-15.00"), "-0.01")

KEPT_CURRENCIES: tuple[Kind, ...] = (str.lower, lambda v: f" {v} ", str.title)
LOST_CURRENCIES = fixed(None, "", "US$", "DOLLAR", "U S", 840)

KEPT_TRUE = fixed("true", "1", 1, "TRUE", " Yes ", "y", "on", "t")
KEPT_FALSE = fixed("false", "0", 0, "FALSE", "No", "n", "off", " f ")
LOST_BOOLEANS = fixed(None, "", "maybe", 2, "ja", "-")

KEPT_CODES: tuple[Kind, ...] = (str.lower, str.title, lambda v: f" {v} ", lambda v: f"{v}\t")
ODD_CODES = fixed(None, "", "ARCHIVED", "on hold", 7)

TEXTS: tuple[Kind, ...] = (
    lambda v: f"  {v} ",
    lambda v: str(v).replace(" ", "  "),
    lambda v: str(v).replace(" ", NBSP),
    lambda v: f"{str(v)[:4]}\x00{str(v)[4:]}",
    lambda v: f"{v}\u2003\r\n",
    lambda v: f"{v} \U0001f334",
    lambda v: f"{v} {CUT_EMOJI}",
    lambda v: f'{v}, "new"',
    lambda v: f"{v}'s <b>best</b>",
)
LONG_TEXTS = (lambda v: f"{v} {'very ' * 60}long",)
LOST_TEXTS = fixed(None, "", "   ", True, 12345)
PARAGRAPHS: tuple[Kind, ...] = (
    lambda v: f"{v}\n\nBring a towel.",
    lambda v: f"  {v}\r\n",
    lambda v: f"{str(v)[:9]}\x00{str(v)[9:]}",
    lambda v: f"{v} {CUT_EMOJI}",
    *fixed(None, "", "  \n "),
)

# --- times ------------------------------------------------------------------------------------------------------------

KEPT_TIMES: tuple[Kind, ...] = (
    lambda s: iso(s)[:19].replace("T", " "),
    lambda s: s * 1000,
    lambda s: str(s * 1000),
    lambda s: _shifted(s, 8, "+08:00"),
    lambda s: _shifted(s, 7, ".250000+0700"),
    lambda s: _shifted(s, 8, "+08"),
    lambda s: _shifted(s, -3, "-03:00"),
    lambda s: f" {iso(s)[:19]}.123456Z ",
    lambda s: f"{iso(s)[:16]}Z",
)
LOST_TIMES = fixed(
    *(None, "", "0000-00-00 00:00:00", "yesterday", "2025-02-30T00:00:00.000Z", FUTURE, "1970-01-01T00:00:00.000Z"),
    *(45000, True, "25/12/2025", "2025-12-25T25:00:00Z", "2025-12-25T10:00:00+24:00"),
)
TIMES = KEPT_TIMES + LOST_TIMES

CLOCKS: tuple[Kind, ...] = (
    lambda v: f"{int(v[:2])}:{v[3:]} am" if v < "12:00" else f"{(int(v[:2]) - 1) % 12 + 1}:{v[3:]} PM",
    lambda v: v.replace(":", "."),
    lambda v: f"{v} - 18:00",
    lambda v: f"{v.replace(':', '.')} \u2013 18.00",
    lambda v: f"{v}:00",
    lambda v: f" {int(v[:2])}:{v[3:]} ",
    lambda v: f"1970-01-01T{v}:00.000Z",
    lambda v: f"2025-06-01 {v}:30+08:00",
    lambda v: f"{int(v[:2])} AM" if "01" <= v[:2] <= "11" else v,
    *fixed("Morning", "", None, "25:00", "13:00 PM", "TBA", "0:75", "by appointment", 900),
)
BIRTHDAYS: tuple[Kind, ...] = (
    lambda v: f"{v}T00:00:00.000Z",
    lambda v: f"{v} 00:00:00",
    lambda v: f"{v[8:]}/{v[5:7]}/{v[:4]}",
    *fixed(None, "", "1850-01-01", "1990-02-30", "unknown"),
)

# --- catalog ----------------------------------------------------------------------------------------------------------

IMAGES: tuple[Kind, ...] = (
    lambda v: str(v).removeprefix(f"https://{IMAGE_HOST}"),
    lambda v: str(v).removeprefix("https:"),
    lambda v: str(v).replace("https:", "http:"),
    lambda v: f" {v} ",
    lambda v: f"{v}?w=640&q=80#top",
    lambda v: str(v).replace(IMAGE_HOST, "localhost"),
    lambda v: str(v).replace("/", "/ ", 3),
    lambda v: f"{v}?{'x' * 2100}",
    *fixed(None, "", "n/a", "ftp://images.example.test/a.jpg", "data:image/png;base64,AAAA"),
)
COUNTRIES = fixed("id", " ID ", None, "", "IDN", "Indonesia", "I1", "SG")
COLOURS = (lambda v: f" {v} ", lambda v: f"linear-gradient({v} 10%, {v}00 90%)", *fixed(None, "", 112233))

# --- bookings ---------------------------------------------------------------------------------------------------------

KEPT_REFS: tuple[Kind, ...] = (
    str.lower,
    lambda v: f" {v} ",
    lambda v: f"{v}\t",
    lambda v: f"{v[:2].lower()}{v[2:]}",
    str.title,
    lambda v: f"{NBSP}{v.lower()}",
)
LOST_REFS = fixed(None, "", "   ", ABSENT)
LONG_REF = f"REF-{'9' * 130}"

PLACEHOLDER_NAMES = ("Guest", "CUSTOMER", "unknown", "Cancelled", "N/A", "na", "-", " guest ", "Test", None, "")
PLACEHOLDER_EMAILS = {
    "GYG": ("no-email@getyourguide.com", "cancelled@getyourguide.com", "No-Email@GetYourGuide.com"),
    "VIATOR": ("no-email@viator.com", " no-email@viator.com "),
    "TRIPDOTCOM": ("no-email@trip.com",),
    "BOKUN": ("no-email@unknown.com", "guest@example.com"),
    "MANUAL": ("test@test.com", "no-email@unknown.com", "", None),
    "DIRECT": ("test@test.com", "somebody@example.com"),
}
NAMES: tuple[Kind, ...] = (
    str.upper,
    lambda v: f"  {v}",
    lambda v: v.replace(" ", "  "),
    lambda v: v.replace(" ", NBSP),
    lambda v: f"{v[:3]}\x00{v[3:]}",
    lambda v: f"{v}, {v.split()[0]}",
    lambda v: f"{v} {'Panjang ' * 30}",
)
EMAILS: tuple[Kind, ...] = (
    str.upper,
    lambda v: f" {v} ",
    str.title,
    lambda v: v.replace("@", "(at)"),
    lambda v: v.replace("@", " @ "),
    lambda v: v.split("@")[0],
    lambda v: v.replace(".", "").replace("example", "local"),
    lambda v: f"{'x' * 190}{v}",
)
# All of them begin with the number as E.164 has it.
PHONES: tuple[Kind, ...] = (
    lambda v: f"GB{v[:3]} {v[3:7]} {v[7:]}",
    lambda v: f"00{v[1:]}",
    lambda v: f"{v[:3]} {v[3:6]}-{v[6:9]}-{v[9:]}",
    lambda v: f"({v}) ext",
    lambda v: f"{v}; {v[:-1]}9",
    lambda v: f"WA {v} / {v[:-2]}00",
    lambda v: int(v[1:]),
    *fixed("-", None, "", "12345", "no phone", "0", "+1", "see note", "1234567890123456789"),
)
LOCAL_PHONES: tuple[Kind, ...] = (
    lambda v: f"0{v[3:]}",
    lambda v: f"+62 0{v[3:6]} {v[6:10]} {v[10:]}",
    lambda v: v[3:],
    lambda v: v[1:],
    lambda v: f"0{v[3:6]}-{v[6:10]}-{v[10:]}",
    lambda v: f"620{v[3:]}",
    lambda v: f"+62 (0){v[3:]}, 0{v[3:]}",
)
ODD_SOURCES = fixed("AIRBNB", "WALK-IN", None, "", "klook", ABSENT)

# --- money and ops ----------------------------------------------------------------------------------------------------

PAYPAL = ("PAYPAL", "paypal", "PayPal Checkout", " Paypal ")
BY_HAND = ("MANUAL", "Bank transfer", "cash", "BANK_TRANSFER", "Transfer BCA")
ODD_METHODS = fixed("STRIPE", "", None, "card", "voucher")
