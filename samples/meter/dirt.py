"""The dirt of the METER export, column by column: each kind turns a clean value into what an export really holds.

Kinds named `KEPT_…` say the same thing in another spelling; the others lose the value, or make it doubtful. Only
`KEPT_…` kinds meet values that money depends on, so that the dirt never decides which tenant passes. JSON booleans
appear only where an empty cell says the same, because CSV and Parquet have no others.
"""

from decimal import Decimal
from functools import partial
from typing import Any

from samples import weaving
from samples.weaving import ABSENT, NBSP, Kind, Spelling, fixed

EMAIL_DOMAIN = "customers.example.test"
PHONE_MARK = "+254000"
ADDRESS_MARK = "Sample Estate"
ID_NUMBER_MARK = "SAMPLE-ID-"
PASSWORD_MARK = "sample-pw-"  # noqa: S105 - a marker, nobody's password
TOKEN_MARK = "sample-token-"  # noqa: S105 - a marker, nobody's token

OLD = "2019-03-01 08:00:00"
NOT_OBJECTS: tuple[Any, ...] = ("broken line, {id: 7", 17, None, [1, "Asha"], True)

_HALF_CENT = Decimal("0.005")
_MILLION_MILLIONS = Decimal("1000000000000.00")


def sometimes(period: int, offset: int, kinds: tuple[Kind, ...]) -> Spelling:
    """A spelling that befalls one cell in so many, each kind in turn."""
    count = len(kinds)

    def spell(value: Any, number: int) -> Any:
        turn, rest = divmod(number + offset, period)
        return value if rest else kinds[turn % count](value)

    return spell


repeated = partial(weaving.repeated, old=OLD)

KEPT_MONEY: tuple[Kind, ...] = (
    lambda v: f"{v:.2f}",
    lambda v: f"KES {v:,.2f}",
    lambda v: f" {v:,.2f} ",
    lambda v: f"kes {v:.2f}",
    lambda v: f"KES{v:.2f}",
    lambda v: f"{NBSP}KES   {v:,.2f}\t",
    lambda v: f"{v:.2f}00",
    lambda v: Decimal(f"{v:.2f}000"),
    lambda v: int(v) if v == int(v) else v,
    lambda v: v - _HALF_CENT if v > 0 else v,
    lambda v: f"+{v:.2f}" if v >= 0 else f"{v:.2f}",
    lambda v: v.normalize(),
)
KEPT_ZEROS: tuple[Kind, ...] = fixed(None, "", "0", "0.00", "KES 0.00", 0, Decimal("0.000"), "  ", "-0.00", ABSENT)
LOST_MONEY: tuple[Kind, ...] = (
    *fixed("N/A", "1,23", ".5", "5.", "1e3", "see ledger", "-", "KES", "12.5 KES", "USD 5.00", True, [100]),
    *fixed(_MILLION_MILLIONS, "KES 1,000,000,000,000.00", None),
)
WRONG_MONEY: tuple[Kind, ...] = (
    lambda v: v + 5,
    lambda v: v - Decimal("0.01"),
    lambda v: -v,
    lambda v: Decimal("0.00"),
    lambda v: v * 10,
    *LOST_MONEY,
)

KEPT_IDS: tuple[Kind, ...] = (
    str,
    lambda v: f" {v} ",
    lambda v: Decimal(f"{v}.0"),
    lambda v: f"{v}.00",
    lambda v: f"{v}.",
    lambda v: f"00{v}",
    lambda v: f"{v}{NBSP}",
)
LOST_IDS = fixed(None, "", 0, "0", "n/a", "#12")
MISSING_KEYS: tuple[Any, ...] = (None, "", 0, "abc", -7, "1,024", True, "9223372036854775808", ABSENT, Decimal("5.5"))
GARBAGE_REFERENCES: tuple[Any, ...] = ("C-17", -3, "12a", Decimal("7.25"), {"id": 7}, "99999999999999999999")
NO_REFERENCES: tuple[Any, ...] = (None, "", "   ", ABSENT)
GARBAGE_AMOUNTS: tuple[Any, ...] = (
    *("N/A", "1,23", ".5", "5.", "1e3", "twelve", True, "KES", "10,0000.00", "5.00 KES", {"amount": 5}, "--5"),
)
HUGE_AMOUNTS: tuple[Any, ...] = (_MILLION_MILLIONS, "KES 1,000,000,000,000.00", "999999999999.999", Decimal("1E+15"))
NEGATIVE_AMOUNTS: tuple[Any, ...] = (Decimal("-50.00"), "-0.01", "KES -1,250.00", -7)
GARBAGE_BOOLEANS: tuple[Any, ...] = ("maybe", 2, "on", "Y/N", -1, "active", [True])

KEPT_DATES: tuple[Kind, ...] = (
    lambda v: f"{v[8:10]}/{v[5:7]}/{v[:4]}",
    lambda v: f"{v} 00:00:00",
    lambda v: f"{v}T10:30:00Z",
    lambda v: f"{v}T10:30:00.123456+03:00",
    lambda v: f" {v} ",
    lambda v: f"{v} 23:59:59",
)
LOST_DATES: tuple[Kind, ...] = (
    *fixed(None, "", "0000-00-00", "0000-00-00 00:00:00", "2025-02-30", "31/02/2025", "yesterday", 45000, "2025-13-01"),
    # A good time, but of the day before.
    lambda v: f"{v}T02:30:00+03:00",
    lambda v: f"{v[5:7]}-{v[8:10]}-{v[:4]}",
    lambda v: f"{v} 10:30",
    lambda v: f"{v}t10:30:00z",
    lambda v: f"{v} 25:00:00",
    lambda v: f"{v}T10:00:00+0300",
    lambda v: f"{v[8:10]}.{v[5:7]}.{v[:4]}",
    *fixed("12/25/2025", False),
)
TIMES = KEPT_DATES + LOST_DATES

KEPT_CUSTOMER_ROLES = fixed("Customer", " customer", "CUSTOMER ", "_customer_", f"customer{NBSP}", "-Customer")
STAFF_ROLES = (
    *("tenant_admin", "meter_reader", "super_admin", "admin", "Tenant Admin", "METER-READER ", "Super_Admin"),
    *(None, "", "  ", "customers", "owner"),
)
NAMES: tuple[Kind, ...] = (
    lambda v: f"  {v} ",
    lambda v: str(v).upper(),
    lambda v: str(v).replace(" ", NBSP),
    lambda v: f'{v}, "Mama {str(v)[:4]}"',
    lambda v: f"{v}\nShop 4",
    lambda v: f"{v} \U0001f4a7",
    lambda v: f"{v}'s <b>house</b>",
    *fixed("", None, "NULL", "\\N", 12345, Decimal("7.50"), ["Asha"], "-"),
)
CUSTOMER_STATUSES = fixed("Active", " ACTIVE ", "in-active", None, "", "Suspended__Pending", 1)

METER_NUMBERS: tuple[Kind, ...] = (
    lambda v: f" {v}",
    lambda v: str(v).lower(),
    lambda v: int(str(v)[-6:]),
    *fixed("", None, "   ", "KD-DUPLICATE", "KD-DUPLICATE", "kd-duplicate"),
)
METER_STATUSES = fixed(
    *(
        "Active",
        "ACTIVE ",
        "inactive",
        "Disconnected",
        "faulty",
        "retired",
        "broken",
        None,
        "",
        "In_Active",
        "-faulty-",
    ),
)
METER_MONEY = fixed(0, Decimal("0.00"), ABSENT, None, "N/A", Decimal("845.10"), "KES 12.00")

KEPT_TRUE = fixed("1", "true", "yes", "TRUE", " Y ", "t", Decimal("1.0"))
KEPT_FALSE = fixed("0", "false", "no", "FALSE", " N ", "f", False, None, Decimal("0.0"), "", ABSENT)

CHARGES: tuple[Kind, ...] = (
    lambda v: str(v).lower(),
    lambda v: str(v).replace("_", " ").title(),
    lambda v: f" {str(v).replace('_', '-')} ",
    lambda v: str(v).replace("_", "  "),
    *fixed("MISC. 7", None, "", "-BALANCE", "BALANCE_ADJ", "BALANCE-", "balances", "SEWERAGE", 42),
)
KEPT_BALANCES: tuple[Kind, ...] = fixed("balance", " Balance ", "BALANCE\t", f"{NBSP}bAlAnCe", "Balance\n")
BILL_STATUSES = fixed("Invoiced", "INVOICED ", None, "pending_review", "")

KEPT_OPEN: tuple[Kind, ...] = (
    lambda v: str(v).upper(),
    lambda v: str(v).replace(" ", "_"),
    lambda v: f" {str(v).title()} ",
    lambda v: str(v).replace(" ", "-"),
    *fixed("cleared", "invoiced", "pending", "disputed", None, "", "paid", "void?"),
)
KEPT_VOID: tuple[Kind, ...] = fixed("Reversed", "CANCELLED", "canceled", " Void ", "voided", "reversed")
INVOICE_STATES = fixed("Open", "CLOSED ", None, "", "archived")
INVOICE_NUMBERS: tuple[Kind, ...] = (
    lambda v: f" {v} ",
    lambda v: str(v).lower(),
    *fixed("INV-DUPLICATE", "INV-DUPLICATE", "", None, 20250017),
)

METHODS = (
    *("mpesa", "mpesa", "mpesa", "M-PESA", "cash", "cash", "bank", "Bank Transfer", "card", "cheque", "m pesa"),
    *("Cash", "MPESA ", "checque", "CHECK"),
)
ODD_METHODS = fixed("airtel money", None, "", "voucher", "barter", 1, "M_Pesa", "bank__transfer")
REFERENCES: tuple[Kind, ...] = (
    lambda v: str(v).lower(),
    lambda v: f" {v} ",
    *fixed(None, "", "CASH", "CASH", "Q-DUPLICATE", "Q-DUPLICATE", 998877),
)
KEPT_STATUSES: dict[str, tuple[Kind, ...]] = {
    "paid": fixed("Paid", " PAID ", None, "", "_paid"),
    "completed": fixed("Completed", "complete", "SUCCESS", "COMPLETED "),
    "pending": fixed("Pending", " PENDING"),
    "failed": fixed("Failed", "FAILED "),
    "cancelled": fixed("canceled", "Cancelled", "CANCELED"),
    "reversed": fixed("Reversed", " reversed "),
    "available": fixed("Available", None, "AVAILABLE ", ""),
    "applied": fixed("used", "Applied", "USED"),
    "refunded": fixed("Refunded", "REFUNDED "),
}
GARBAGE_STATUSES = ("bounced", "paid?", "partially paid", 3, "unknown", "void")
