"""Values as the legacy tables have them, by the kind of their column: sound ones, and spoiled ones."""

import random
from decimal import Decimal
from typing import Any

D = Decimal
NOTHING: list[Any] = [None, None, "", "  ", "nan", "None", "NULL ", "n/a", "-", "\u00a0\t", "\u3000N/A\n", "nu\x00ll"]

IDS_BAD: list[Any] = [
    *("abc", "-5", "5.5", "1000000000000000", "5,0", "٥", "1e1", "0x5", "5.", ".5", "²", "5 5", "5\u200b", "0", "0.0"),
    *(-5, 0, True, False, D("5.5"), 10**15, 10**40, [1], {"a": 1}, [], {}, "12.50", D("12.50"), "5.0.0", D("1E+15")),
]
IDS_FAR: list[Any] = [999_999, "999999.0", 10**15 - 1, "999999999999999", 1_000_000, "1000001", 2_000_001]
MONEY: list[Any] = [D(n) for n in ("10", "10", "100", "100", "450.50", "500", "33.33", "1234.5", "0", "7.77", "0.05")]
MONEY_ODD: list[Any] = [
    *("Tk 8,000/-", "tk.500", "BDT 1,234.50", "৳100", "100/-", "Tk 100 /-", "1 160.40", "1\u00a0160.40", " 12 "),
    *("+5", "0.005", "0.004", "-0.004", "1,,2", "Tk -0.001", "007", "Tk\u00a05", "10.", "bdt+5", D("0.005"), D("1E+2")),
    *("5/-", "T k 5", "1.005", D("2.675"), D("1E-7"), D("-0.0049"), D("99999999.994"), "99999999.994", 99999999),
]
MONEY_BAD: list[Any] = [
    *("Tk", ".5", "5.", "1e3", "-Tk 5", "৫", "abc", "Tk Tk 5", "$5", "5 Tk", "/-", "--5", "Infinity", ",", "1.2.3"),
    *("NaN 5", "5/-/-", "- 5x", True, False, [1], {"a": D("1.5")}, "Tk -", "100000000000000", D("1E+30"), 10**30),
    *("5%%", "99999999999999999999999999999999999"),
]
MONEY_EDGE: list[Any] = [
    *("99999999.995", 10**8, "9999999999.99", "9999999999.995", 10**10, D("9999999999999.99"), 10**13),
    *("9999999999999.995", "99,999,999.99", D("1E+9"), "-100000000", -(10**13)),
]
MONEY_NEGATIVE: list[Any] = [-1, "-0.01", "Tk -5", D("-0.005"), "-1,234.50", "- 5"]
SHARES: list[Any] = ["20.00", "20%", 20, "15 %", "100", 0, D("12.345"), "33.33\u00a0%", "0%", D("100.004"), "-0.004"]
SHARES_BAD: list[Any] = ["100.005", "101", "-1%", 10**9, "10 percent", "%", "20%%", True, "1e1%", D("1E+30"), "-0.005"]
SPEEDS: list[Any] = [
    10,
    "10 Mbps",
    "20mbps",
    "5M",
    "5 MB",
    D("7.5"),
    "100",
    "1,000 mbps",
    "0",
    "10\u00a0mbps",
    None,
    None,
]
SPEEDS_BAD: list[Any] = ["fast", "mbps", "-5 Mbps", "10 Gbps", "10 M M", 10**8, "100000000 mbps", True, "m", ".5 mbps"]

DAYS: list[Any] = [
    *("2025-01-31", "2025-01-15", "2025-02-28", "2025-02-01", "2024-02-29", "2025-04-30", "15/01/2025", "28-02-2025"),
    *("30-Apr-2025", "01-jan-2025", "2025-01-05T10:00:00Z", "2025-02-14 23:59:59+06:00", " 2025-01-20\u00a0"),
    *("2025-01-01", "2025-04-01 whatever\nelse", "05-FEB-2025", "2025-02-05"),
]
DAYS_FAR: list[Any] = ["2019-12-31", "2000-01-01", "2100-12-31", "31/12/2045", "2027-06-15", "2020-01-01"]
DAYS_BAD: list[Any] = [
    *(
        "0000-00-00",
        "0000-00-00 00:00:00",
        "5/2/2024",
        "2024-1-5",
        "20240105",
        "2025-02-30",
        "31-04-2025",
        "1999-12-31",
    ),
    *(
        "2101-01-01",
        "2025-13-01",
        "13/13/2025",
        "31-Foo-2025",
        "2025/01/31",
        "2025-01-31t10:00",
        "yesterday",
        "٢٠٢٥-٠١-٠١",
    ),
    *(
        20250131,
        D("45000.5"),
        True,
        ["2025-01-31"],
        "01-January-2025",
        "1-Jan-2025",
        "15/01-2025",
        "0000-00-01",
        "01/13/2025",
    ),
]
MOMENTS: list[Any] = [
    *("2025-01-01T10:00:00Z", "2025-01-01 10:00:00", "2025-01-01T16:00:00+06:00", "2025-01-01 10:00:00.999999+00"),
    *("2025-02-01", "2025-02-01T00:00", "2025-02-01 05:30 +0530", "2025-03-01T09:59:59.5Z", None, None, "2024-06-01"),
]
MOMENTS_BAD: list[Any] = [
    *("1970-01-01T00:00:00Z", "0001-01-01", "2024-05-05T24:00:00Z", "2024-05-05T10:60", "2024-05-05 10:00:60", "junk"),
    *("2024-05-05T10:00:00+24:00", "2024-05-05T10:00:00+05:60", "2024-05-05t10:00:00Z", "2024-05-05T10:00:00z"),
    *("2024-02-30T10:00:00Z", "2000-01-01T00:30:00+01:00", "2100-12-31T23:30:00-01:00", "05/02/2025", 1735725600, True),
    *("2024-05-05T10:00:00.", "2024-05-05T10", "2024-05-05  10:00", "2101-01-01T00:30+01:00", "1999-12-31T23:30:00-01"),
    *("2024-05-05Z", "2024-05-05 +06", "2024-05-05T10:00+6", "2024-05-05T10:00:00 Z", "0000-00-00 00:00:00"),
]
ACTIVE: list[Any] = [
    True,
    1,
    "1",
    "t",
    "TRUE",
    " yes ",
    "Y",
    "1.0",
    D("1.0"),
    False,
    0,
    "0",
    "f",
    "No",
    "0.0",
    "n",
    None,
    "",
]
ACTIVE_BAD: list[Any] = ["2", 2, "on", "1.00", -1, D("0.5"), [True], "ja", "00", "truee", {}]

NAMES: list[Any] = [
    *("ABC Corp", "abc  corp", "Café Net", "東京", "Rahim", "Rahim Traders ", "Global Fibre & Co.", "Ünïcode é"),
    *(
        "a\nb\tc",
        "\u00a0Shamim\u00a0 Net",
        7,
        D("7.50"),
        D("1E+3"),
        True,
        ["x", 1],
        {"k": "v"},
        "nul\x00l",
        "lone\ud800x",
    ),
    *('O\'Neil, "Jr"', "x" * 300, "back\\slash", "12345678901"),
]
TEXTS: list[Any] = [
    *NAMES,
    *NOTHING,
    "+880 1711-000000",
    1712345678,
    D("12.50"),
    False,
    [1, {"a": None}],
    "<b>html</b>",
]
EMAILS: list[Any] = [
    *("a@x.example", " A@X.example", "b@y.example", "B@Y.EXAMPLE", "c@z.example", None, "", "info@abc.example", "-"),
    *("ÉMILE@x.example", "d@w.example", "e@v.example", "f@u.example", "machine_12@import.invalid"),
]
EMAILS_BAD: list[Any] = [
    "no at",
    "a@b",
    "@x.example",
    "a b@x.example",
    "a@x .example",
    "a@@x.example",
    5,
    True,
    ["a@x.y"],
]
PACKAGES: list[Any] = [
    "Starter 10 Mbps",
    "starter  10 MBPS",
    "Home 20mb",
    "Gold",
    "Gold ",
    "Silver 5.5 Mb plus",
    "10 20 Mbps",
]
PACKAGES_ODD: list[Any] = ["Giga 100000000 Mbps", "100 Mbpsx", "1.2.3 mbps", "Mbps 10", "٥ Mbps", "10\u00a0Mbps", 10]
CUSTOMER_TYPES: list[Any] = [
    "Bandwidth",
    "reseller",
    " Bandwidth/Reseller ",
    "MAC",
    "mac partner",
    "Franchise",
    "SOHO",
    "home",
]
CUSTOMER_TYPES_BAD: list[Any] = ["Corporate", "macs", 5, True, ["MAC"], "mac  partner", "Other", "SOHO / Home"]
STATUSES: list[Any] = ["Active", "active", " INACTIVE ", "Active", "active", None, ""]
STATUSES_BAD: list[Any] = ["unknown", 1, True, "Act ive", ["Active"], "Paid", "Lost", "Suspended"]
METHODS: list[Any] = [
    "Cash",
    "cheque",
    "bKash",
    "NPSB",
    "bank_transfer",
    "Rocket ",
    None,
    "other",
    "Other",
    "check",
    "MFS",
]
METHODS_ODD: list[Any] = ["gold", 5, True, ["Cash"], "bank  transfer", "Bank-Transfer", {}, "cash."]
PAYMENT_TYPES: list[Any] = ["Bandwidth", "reseller", "MAC", "franchise", "SOHO", "home", None, "", "Other"]
REFERENCES: list[Any] = ["TRX-9", "trx-9", None, None, "", "TRX-10", 900, "900", " TRX-9 "]

# What a column of a kind may hold: sound values, then spoiled ones.
KINDS: dict[str, tuple[list[Any], list[Any]]] = {
    "name": (NAMES, [*NOTHING, "  ", [], 0]),
    "text": (TEXTS, TEXTS),
    "email": (EMAILS, EMAILS_BAD),
    "speed": (SPEEDS, [*SPEEDS_BAD, *MONEY_ODD, *MONEY_EDGE]),
    "money": (MONEY, [*MONEY_ODD, *MONEY_BAD, *MONEY_EDGE, *MONEY_NEGATIVE, *NOTHING]),
    "share": (SHARES, [*SHARES_BAD, *MONEY_ODD, *NOTHING]),
    "date": (DAYS, [*DAYS_BAD, *DAYS_FAR, *NOTHING]),
    "optional_date": ([*DAYS, None, None, None, ""], [*DAYS_BAD, *DAYS_FAR]),
    "moment": (MOMENTS, [*MOMENTS_BAD, *NOTHING]),
    "active": (ACTIVE, [*ACTIVE_BAD, *NOTHING]),
    "package_name": (PACKAGES, [*PACKAGES_ODD, *NOTHING]),
    "customer_type": (CUSTOMER_TYPES, [*CUSTOMER_TYPES_BAD, *NOTHING]),
    "status": (STATUSES, [*STATUSES_BAD, *NOTHING]),
    "method": (METHODS, [*METHODS_ODD, *NOTHING]),
    "payment_type": (PAYMENT_TYPES, [*CUSTOMER_TYPES_BAD, *NOTHING]),
    "reference": (REFERENCES, NOTHING),
    "day": (list(range(1, 32)), [0, 32, "31.0", "abc", D("1.5"), -1, 10**20, "99999999999999999999", True, *NOTHING]),
    "count": (
        [0, 3, "12", "12.0", D("7.0"), None, None],
        ["x", -1, 2**31, D("1.5"), True, "2147483647", -(2**31), "1e3"],
    ),
    "ref": ([], [*IDS_BAD, *IDS_FAR, *NOTHING]),
    "number": ([], TEXTS),
    "id": ([], [*IDS_BAD, *IDS_FAR, *NOTHING]),
}


def dressed_id(rng: random.Random, number: int) -> Any:
    """An id as some legacy table may have written it."""
    if rng.random() < 0.7:
        return number
    return rng.choice([str(number), f"{number:05}", f"{number}.0", f" {number}\u00a0", D(f"{number}.00"), f"+{number}"])


def dressed_money(rng: random.Random, amount: Any) -> Any:
    """Money as some legacy table may have written it; what is no plain number stays as it is."""
    if not isinstance(amount, Decimal) or rng.random() < 0.5:
        return amount
    forms = [f"{amount}", f"Tk {amount:,.2f}", f"bdt{amount}/-", f"\t{amount:+,.2f} ", f"{amount:.3f}", f"৳ {amount}"]
    return rng.choice(forms)
