"""The dirt of the DENTAL export, column by column: each kind turns a clean value into what an export really holds.

Kinds named `KEPT_…` say the same thing in another spelling; the others lose the value, or make it doubtful. Kinds of
times get seconds since 1970. Card numbers are the card companies' own test numbers.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from samples.booking.clock import DAY, iso
from samples.booking.dirt import ABSENT, CUT_EMOJI, DANGLING, KEPT_IDS, KEPT_MONEY, NBSP, NOT_OBJECTS, TEXTS
from samples.weaving import Kind, Spelling, fixed, sometimes
from samples.writing import Record

__all__ = ["ABSENT", "DANGLING", "KEPT_IDS", "NBSP", "NOT_OBJECTS", "TEXTS", "Kind", "fixed", "sometimes"]

EMAIL_DOMAIN = "practice.example.test"
PHONE_MARK = "+1555000"
ADDRESS_MARK = "Sample Street"
PASSWORD_MARK = "pbkdf2_sha256$600000$samplesalt$"  # noqa: S105 - a marker, nobody's password
BINS = ("41111188", "55555577", "37828266", "60111155")
PANS = (
    *("4242424242424242", "5555 5555 5555 4444", "3782 822463 10005", "4012-8888-8888-1881", "6011.1111.1111.1117"),
    *("3530  1113  3330  0000", f"5105{NBSP}1051{NBSP}0510{NBSP}5100", "3056 930902 5904", "4222222222222"),
)
# They look like card numbers, and are none.
NO_PANS = (
    *("teeth 11 12 13 14 15 16 17 18", "2024-01-15 2024-02-03", "1700000000000", "ref 4111111111111112"),
    *("41111111111111111234567", "call 555-000-1234", "7111 1111 1111 1111", "scan 20240115 093000"),
)


# --- keys, numbers, words ---------------------------------------------------------------------------------------------

MISSING_KEYS: tuple[Any, ...] = (
    *(None, "", "abc", 0, -7, "1,024", "9223372036854775808", ABSENT, Decimal("5.5"), "NULL", "\\N"),
)
NO_REFERENCES: tuple[Any, ...] = (None, "", 0, "  ", "NULL", "\\N", "n/a", -3, ABSENT, Decimal("7.5"))
LOST_INTS = fixed("two", "2,5", Decimal("2.5"), "-", "9223372036854775808")
NULLS = fixed(None, "", "   ", "NULL", "\\N", " \\N ", NBSP)

DOLLARS: tuple[Kind, ...] = (
    lambda v: f"${v:,.2f}",
    lambda v: f"$ {v}",
    lambda v: Decimal(f"{v}0000"),
    # Rounding away from zero finds the value again.
    lambda v: v - Decimal("0.005") if v > 0 else v,
    lambda v: f"${v - Decimal('0.005')}" if v > 0 else str(v),
    lambda v: f"+{v:,.2f}",
)
KEPT_MONEY = (*KEPT_MONEY, *DOLLARS)
LOST_MONEY = fixed("n/a", "12.5 USD", "1e3", Decimal("10000000000.00"), "1.234.50", "-", ".", "(12.00)", [12])
LOST_AMOUNTS = (*NULLS, *LOST_MONEY)
KEPT_RATES: tuple[Kind, ...] = (
    lambda v: v * 100,
    lambda v: str(v * 100),
    lambda v: f" {v} ",
    lambda v: f"{v}00",
    lambda v: v.normalize(),
)
LOST_RATES = fixed("8.25%", -1, 100, "none", "-0.08", Decimal("250"))

KEPT_TRUE = fixed("t", "true", "1", 1, "TRUE", " Yes ", "y", "T")
SAID_FALSE = fixed("f", "false", "0", 0, "FALSE", "no", " N ", "F")
KEPT_FALSE = (*SAID_FALSE, *NULLS)
LOST_BOOLEANS = fixed("maybe", 2, "on", "-")

LOST_TEXTS = (*NULLS, *fixed({"text": "broken"}, ["broken"]))
EMAILS: tuple[Kind, ...] = (
    str.upper,
    lambda v: f" {v} ",
    str.title,
    lambda v: v.replace("@", "(at)"),
    lambda v: v.split("@")[0],
    lambda v: v.replace(".", ""),
    *fixed("", None, "none"),
)

# --- times ------------------------------------------------------------------------------------------------------------


def stamp(seconds: int) -> str:
    """A time as the legacy database dumps it."""
    text = iso(seconds)
    return f"{text[:10]} {text[11:19]}+00:00"


KEPT_TIMES: tuple[Kind, ...] = (
    iso,
    lambda s: f"{stamp(s)[:19]}.987654+00",
    lambda s: f"{stamp(s + 2 * 3600)[:19]}.99+02:00",
    lambda s: f"{iso(s - 5 * 3600)[:19]}-0500",
    lambda s: stamp(s)[:19],
    lambda s: f"{iso(s)[:19]}   Z",
    lambda s: f"{iso(s + 19_800)[:19]} +05:30",
)
LOST_TIMES = fixed(
    *("0001-01-01 00:00:00", "1970-01-01T00:00:00Z", "2024-02-30 10:00:00", "yesterday", 1_700_000_000),
    *("2024-03-01t10:00:00z", "2024-03-01 25:00:00", "2150-01-01T00:00:00Z", "2024-03-01T10:00:00+24:00"),
)


def timed(period: int, offset: int, kinds: tuple[Kind, ...] = KEPT_TIMES) -> Spelling:
    """A time in seconds as the legacy system writes it, now and then in another way; None stays None."""
    spelled = sometimes(period, offset, kinds)

    def spell(value: Any, number: int) -> Any:
        if value is None:
            return None
        text = spelled(value, number)
        return stamp(text) if text is value else text

    return spell


def flags(period: int, offset: int, false: tuple[Kind, ...] = KEPT_FALSE) -> Spelling:
    """A boolean, now and then in another way.

    Args:
        period: one cell in so many.
        offset: where the first of them is.
        false: how no is said; for a column that means yes when it is empty, `SAID_FALSE`.
    """
    yes, no = sometimes(period, offset, KEPT_TRUE), sometimes(period, offset, false)
    return lambda value, number: (yes if value else no)(value, number)


BIRTHDAYS: tuple[Kind, ...] = (
    lambda v: f"{v[5:7]}/{v[8:]}/{v[:4]}",
    lambda v: f"{v} 00:00:00",
    lambda v: f"{v}T23:30:00-05:00",
)
LOST_BIRTHDAYS = fixed("1850-01-01", "1990-02-30", "31/12/1990", "unknown", "2150-01-01")

# --- texts and JSON ---------------------------------------------------------------------------------------------------

NOTES: tuple[Kind, ...] = (
    *(lambda v, pan=pan: f"{v} Paid with {pan} 12/25." for pan in PANS),
    *(lambda v, text=text: f"{v} {text}." for text in NO_PANS),
    lambda v: f"{v}\r\nsecond line \u2028 third",
    lambda v: f"  {v} ",
    lambda v: f"{v[:5]}\x00{v[5:]}",
    lambda v: f"{v} {CUT_EMOJI}",
    lambda v: f'{v}, "urgent", \U0001f9b7',
)
DOCUMENTS: tuple[Kind, ...] = fixed(
    *({}, [], "{}", "[]", None, "", '{"n": 3, "due": [1.50, 2.50]}', '[{"amount": 120.00}]'),
    {"plan": {"Password": f"{PASSWORD_MARK}json", "card_bin": BINS[0], "months": 12}},
)
# For the columns from which card numbers are removed.
CARD_DOCUMENTS: tuple[Kind, ...] = (
    *DOCUMENTS,
    *fixed(
        {"n": 2, "card": 4242424242424242, "note": "5555 5555 5555 4444"},
        '{"CARD_BIN": "55555577", "card": "4012-8888-8888-1881"}',
    ),
)
LOST_DOCUMENTS = fixed("not json", "3 payments", 5, True, '"text"', "{broken", "12")


def password(number: int) -> str:
    """A password hash, which must never leave the export."""
    return f"{PASSWORD_MARK}{number * 2654435761 % 4294967296:08x}"


def repeated(row: dict[str, Any], number: int, changes: dict[str, Any], period: int = 229) -> Iterator[Record]:
    """A record; now and then with copies of the same id before it, which lose against it."""
    turn, rest = divmod(number, period)
    if rest == 23:
        stale = {**row, **changes}
        yield from ((stale,), (row,), (stale, {**stale, "id": f" {row['id']} "}))[turn % 3]
    yield row


def lacks(row: dict[str, Any], number: int, columns: tuple[str, ...]) -> None:
    """Now and then a record lacks a key where nothing would be lost with it."""
    turn, rest = divmod(number, 79)
    if rest == 5:
        row.pop(columns[turn % len(columns)], None)


def day_text(seconds: int) -> str:
    """The day of a time."""
    return iso(seconds // DAY * DAY)[:10]
