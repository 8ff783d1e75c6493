"""The dirt of the BILLING export, column by column: each kind turns a clean value into what an export really holds.

Kinds named `KEPT_…` say the same thing in another spelling; the others lose the value, or make it doubtful. Only
`KEPT_…` kinds meet what a bill's money depends on, so that legacy and new totals differ only where a story says so.
Values of columns that become text are the same in all four formats.
"""

from decimal import Decimal
from typing import Any

from samples.pools import MONTHS_EN
from samples.weaving import ABSENT, NBSP, Kind, fixed

EMAIL_DOMAIN = "customers.example.test"
PHONE_MARK = "+8801000"
ADDRESS_MARK = "Sample Road"

CUT_EMOJI = "\ud83d"
DANGLING = 987_654_321
NOT_OBJECTS: tuple[Any, ...] = ("broken line, {id: 7", 17, None, [1, "Padma"], True)
_HUGE = Decimal("100000000")

NULLS = (None, "", "  ", "nan", "None", "NULL", "N/A", "-", f"{NBSP}", ABSENT)
BAD_IDS: tuple[Any, ...] = (
    *(None, "abc", 0, "", -7, "1,024", True, "nan", ABSENT, Decimal("5.5"), "1e3", 10**15, "৫", {"id": 7}),
)
BAD_REFERENCES: tuple[Any, ...] = ("C-17", -3, "12a", Decimal("7.25"), "1000000000000000", False)
BAD_AMOUNTS: tuple[Any, ...] = (
    *("Tk", ".5", "1e3", "-Tk 5", "১২০০", "5.", "see ledger", True, "10 000 USD", "BDT Tk 5", {"amount": 5}),
)
NEGATIVE_AMOUNTS: tuple[Any, ...] = (Decimal("-50.00"), "-0.01", "Tk -1,250/-", -7)
HUGE_AMOUNTS: tuple[Any, ...] = (_HUGE, "৳100,000,000/-", "99999999.995")
BAD_DATES: tuple[Any, ...] = (
    *("5/2/2024", "2025-02-30", "31/02/2025", "2024-1-5", "20240105", "1999-12-31", "2101-01-01", "Jan 5, 2025"),
    *(45000, True, "5-Jan-2025", "12/25/2025", "2025-13-01"),
)
NO_DATES: tuple[Any, ...] = (None, "", "0000-00-00", "0000-00-00 00:00:00", "n/a", ABSENT)
BAD_STATUSES: tuple[Any, ...] = ("Closed", "Activ", 1, "in active", True)
BAD_BOOLEANS: tuple[Any, ...] = (2, "maybe", "on", "Active", -1, Decimal("0.5"))
BAD_PERCENTAGES: tuple[Any, ...] = ("120%", Decimal("100.01"), -5, "-0.01", 1_000_000_000)

# --- keys, money, dates -----------------------------------------------------------------------------------------------

KEPT_IDS: tuple[Kind, ...] = (
    str,
    lambda v: f" {v} ",
    lambda v: Decimal(f"{v}.0"),
    lambda v: f"{v}.0",
    lambda v: f"+{v}",
    lambda v: f"00{v}",
    lambda v: f"{v}.00{NBSP}",
    lambda v: Decimal(v).normalize(),
)
LOST_IDS = fixed(None, "", "nan", "somebody", 0, "U-4", Decimal("2.5"), ABSENT)

KEPT_MONEY: tuple[Kind, ...] = (
    str,
    lambda v: f"{v:,.2f}",
    lambda v: f"Tk {v:,.2f}",
    lambda v: f"Tk. {v:,.2f}/-",
    lambda v: f"BDT{v}",
    lambda v: f"৳{v:,.2f}",
    lambda v: f" {v}\t",
    lambda v: f"{v:,.2f}".replace(",", " "),
    lambda v: f"{v:,.2f}".replace(",", NBSP),
    lambda v: f"tk{v}",
    lambda v: f"+{v}" if v >= 0 else str(v),
    lambda v: f"{v}00",
    lambda v: Decimal(f"{v}4"),
    lambda v: v.normalize(),
    lambda v: int(v) if v == int(v) else v,
    lambda v: f"{v} /-",
)
KEPT_ZEROS = fixed(*NULLS, "0", "0.00", 0, Decimal("0.000"), "Tk 0/-", "-0.00", "-0.004", "0.004")
# Legacy totals that no number can be read from: they count as absent.
LOST_TOTALS = fixed(None, "", "nan", "Tk", "see ledger", "#REF!", ABSENT)
KEPT_PERCENTAGES: tuple[Kind, ...] = (
    lambda v: f"{v}%",
    lambda v: f"{v} %",
    lambda v: f" {v:.4f} ",
    str,
    lambda v: int(v) if v == int(v) else v,
)

KEPT_DATES: tuple[Kind, ...] = (
    lambda v: f"{v[8:10]}/{v[5:7]}/{v[:4]}",
    lambda v: f"{v[8:10]}-{v[5:7]}-{v[:4]}",
    lambda v: f"{v[8:10]}-{MONTHS_EN[int(v[5:7]) - 1][:3]}-{v[:4]}",
    lambda v: f"{v[8:10]}-{MONTHS_EN[int(v[5:7]) - 1][:3].upper()}-{v[:4]}",
    lambda v: f"{v} 00:00:00",
    lambda v: f"{v}T10:30:00+06:00",
    lambda v: f"{v}T00:00:00.000Z",
)
LOST_DATES = fixed(*BAD_DATES, *NO_DATES)
KEPT_TIMES: tuple[Kind, ...] = (
    lambda v: f"{v[:19].replace('T', ' ')}+00",
    lambda v: f"{v[:19]}.123456Z",
    lambda v: f"{v[:19].replace('T', ' ')}",
    lambda v: f"{v[:16]}+0600",
    lambda v: v[:10],
    lambda v: f"{v[:19]} -03:00",
)
LOST_TIMES = fixed(
    *(None, "", "0000-00-00 00:00:00", "soon", "2025-02-30T00:00:00Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    *("2024-05-05T24:00:00Z", "2024-05-05T10:61:00Z", 45000, True, "2024-05-05t10:00:00z", ABSENT),
)
TIMES = KEPT_TIMES + LOST_TIMES

# --- words ------------------------------------------------------------------------------------------------------------

TYPES: dict[str, tuple[Kind, ...]] = {
    "Bandwidth": fixed("bandwidth", "Reseller", "BANDWIDTH/RESELLER", " Bandwidth ", f"reseller{NBSP}"),
    "MAC": fixed("mac", "Mac Partner", "Channel Partner", "FRANCHISE", " MAC "),
    "SOHO": fixed("soho", "Home", "SOHO/Home", " Soho\t"),
}
STATUSES: tuple[Kind, ...] = (str.lower, str.upper, lambda v: f" {v} ", lambda v: f"{v}{NBSP}")
NO_TEXTS = fixed(*NULLS)
METHODS: dict[str, tuple[str, ...]] = {
    "Cash": ("Cash", "cash", "CASH "),
    "Bank Transfer": ("Bank Transfer", "bank", "bank_transfer", "BEFTN", "npsb", "RTGS", "Bank transfer"),
    "Check": ("Check", "Cheque", "CHEQUE"),
    "Mobile Banking": ("bKash", "Nagad", "rocket", "MFS", "Mobile Banking", "mobile_banking"),
    "Other": ("Other", "other", "Upay", "adjusted", "credit note"),
}
KEPT_TRUE = fixed("true", "1", 1, "TRUE", " Yes ", "y", "t", "1.0", Decimal("1.0"), *NULLS)
KEPT_FALSE = fixed("false", "0", 0, "FALSE", "No", "n", " f ", "0.0", Decimal("0.0"))

NAMES: tuple[Kind, ...] = (
    lambda v: f"  {v} ",
    lambda v: v.replace(" ", "  "),
    lambda v: v.replace(" ", NBSP),
    lambda v: f"{v[:3]}\x00{v[3:]}",
    lambda v: f"{v}\r\n",
    lambda v: f"{v} {CUT_EMOJI}",
)
ODD_NAMES: tuple[Kind, ...] = (*NAMES, str.upper, lambda v: f'{v}, "{v.split()[0]}"', lambda v: f"{v} \U0001f4e1")
FOREIGN_NAMES = ("Café Net", "ঢাকা অনলাইন", "Zoë Ltd", "3Net", "B")
EMAILS: tuple[Kind, ...] = (
    str.upper,
    lambda v: f" {v} ",
    str.title,
    lambda v: v.replace("@", "(at)"),
    lambda v: v.replace("@", " @ "),
    lambda v: v.split("@")[0],
    lambda v: v.replace(".", "").replace("example", "local"),
    *NO_TEXTS,
)
PHONES: tuple[Kind, ...] = (
    lambda v: f"0{v[4:]}",
    lambda v: int(v[1:]),
    lambda v: f"{v[:5]} {v[5:]}",
    lambda v: f"{v}, {v[:-1]}0",
    *NO_TEXTS,
)
NOTES: tuple[Kind, ...] = (
    lambda v: f"{v}\n\nCall first.",
    lambda v: f" {v}\r\n",
    lambda v: f"{v} {CUT_EMOJI}",
    lambda v: f"{v}, \u201cnew\u201d 📶",
    lambda v: f"{v[:4]}\x00{v[4:]}",
    *fixed(Decimal("12.50"), True, 7, ["a", 1]),
    *NO_TEXTS,
)
SPEEDS: tuple[Kind, ...] = (
    lambda v: f"{v} Mbps",
    lambda v: f"{v}mb",
    lambda v: f" {v}.00 M ",
    str,
    lambda v: Decimal(f"{v}.00"),
    lambda v: f"{v}MBPS",
    *NO_TEXTS,
)


def part(name: str, length: int) -> str:
    """The letters of a name in a number that the legacy system printed."""
    letters = "".join(each for each in name if each.isascii() and each.isalnum()).upper()
    return letters[:length].ljust(length, "X")


def numbers(prefix: str, name: str, number: int) -> tuple[Any, ...]:
    """What the legacy system may have in a column of printed numbers, a good one first."""
    good = f"{prefix}-{part(name, 8)}-{number}"
    odd = (
        *(good.lower(), f" {good} ", f"{prefix}-{part(name, 5)}-{number}", f"{prefix}-{part(name, 7)}-{number}"),
        *(f"{prefix}-{part(name, 8)}-{number + 1}", f"{prefix}-{part(name, 8)}X-{number}", "KTL/77", 77),
    )
    return (good, good, good, good, None, "", "nan", *odd)
