"""What the warning checks and the shares of rejected rows must find, counted from the oracle and the source rows."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tests.billing import billing_scalars as scalars
from tests.billing.billing_bills import Bills
from tests.billing.billing_files import Row, Rows
from tests.billing.billing_records import ZERO, Draft, Record
from tests.billing.billing_reference import LOADED, Reference

CENT, NICKEL = Decimal("0.01"), Decimal("0.05")
BILLS = ("bill_records", "mac_bills", "soho_bills")
DATED = {
    "bill_records": "billing_date",
    "mac_bills": "bill_date",
    "soho_bills": "bill_date",
    "payment_records": "payment_date",
}
FIRST_DAY = dt.date(2020, 1, 1)

# How many rows a check has found, and of how many.
Found = dict[str, tuple[int, int]]
PAST = {name: Decimal(share) for name, share in (("one", "0.01"), ("five", "0.05"))}
LIMITS = {
    **dict.fromkeys(("bill_total_vs_legacy", "received_vs_legacy", "commission_vs_legacy", "overpaid_bills"), "one"),
    **dict.fromkeys(("mac_revenue_vs_end_customers", "soho_total_vs_rate"), "five"),
}


def drift(db: Reference, draft: Draft, rows: Rows, exported: dt.date) -> Found:
    """What each warning check finds after an export, and of how many rows."""
    counts = {table: len(db.tables[table]) for table in BILLS}
    bills, partners, homes = (list(db.tables[table].values()) for table in BILLS)
    found = {
        "bill_total_vs_legacy": (_differing(db, draft, "bill_records", "total_bill", NICKEL), counts["bill_records"]),
        "received_vs_legacy": (
            sum(_differing(db, draft, table, "total_received", CENT) for table in BILLS),
            sum(counts.values()),
        ),
        "commission_vs_legacy": (_differing(db, draft, "mac_bills", "commission", CENT), counts["mac_bills"]),
        "mac_revenue_vs_end_customers": (_sold_otherwise(db, draft, rows), counts["mac_bills"]),
        "soho_total_vs_rate": (sum(row["total_bill"] != row["rate"] for row in homes), counts["soho_bills"]),
        "overpaid_bills": (sum(row["total_due"] < 0 for row in _bills(db)), sum(counts.values())),
        "negative_total_bills": (sum(row["total_bill"] < 0 for row in bills), 1),
        "carried_over_received": (sum(row["received_source"] == "carried_over" for row in _bills(db)), 1),
        "emails_shared": (_shared_emails(draft), 1),
        "partner_without_share": (
            sum(row["is_active"] and not row["percentage_share"] for row in db.tables["mac_partners"].values()),
            1,
        ),
        "dates_outside_range": (_outside(db, exported), 1),
        "customer_type_disagreement": (_disagreeing(db), 1),
    }
    if "bill_daily_amounts" in rows:
        found["daily_vs_legacy"] = (_days_otherwise(db, rows), 1)
    return found | _reject_rates(db)


def level(name: str, number: int, of: int) -> str:
    """How a check ends that has found so many."""
    share = Decimal(number) / of if of else ZERO
    if name.endswith("_reject_rate"):
        return "ERROR" if share > Decimal("0.25") else "WARN" if share > Decimal("0.02") else "passed"
    return "WARN" if share > PAST.get(LIMITS.get(name, ""), ZERO) else "passed"


def _bills(db: Reference) -> Iterator[Row]:
    for table in BILLS:
        yield from db.tables[table].values()


def _differing(db: Reference, draft: Draft, table: str, column: str, limit: Decimal) -> int:
    """Rows that differ from what their source row says."""
    stated = {key: record.amount(column) for key, record in draft.records[table].items()}
    pairs = [(amount, db.tables[table][key][column]) for key, amount in stated.items() if amount is not None]
    return sum(abs(amount - ours) > limit for amount, ours in pairs)


def _sold_otherwise(db: Reference, draft: Draft, rows: Rows) -> int:
    computed = Bills(db.tables, draft, rows).computed
    bills = db.tables["mac_bills"].values()
    sold = [(row["total_revenue"], computed(row["mac_partner_id"], row["bill_date"])[1]) for row in bills]
    return sum(abs(revenue - ours) > CENT for revenue, ours in sold)


def _shared_emails(draft: Draft) -> int:
    """E-mails that customers of several names have given; whose row was merged has no name of its own."""
    firms: Counter[Any] = Counter()
    for record in draft.records["sales_customers"].values():
        email = scalars.email(record.raw("email"))
        if isinstance(email, str):
            firms[email] += 1
    return sum(number > 1 for number in firms.values())


def _outside(db: Reference, exported: dt.date) -> int:
    months = exported.year * 12 + exported.month - 1 + 13
    last = dt.date(months // 12, months % 12 + 1, 1)
    days = [row[column] for table, column in DATED.items() for row in db.tables[table].values()]
    return sum(day < FIRST_DAY or day.replace(day=1) > last for day in days)


def _disagreeing(db: Reference) -> int:
    customers = db.tables["sales_customers"]
    owners = [row["customer_id"] for row in db.tables["bill_records"].values() if row["customer_id"] is not None]
    return sum(customers[key]["customer_type"] != "Bandwidth" for key in owners)


def _days_otherwise(db: Reference, rows: Rows) -> int:
    sums: dict[int, Decimal] = defaultdict(Decimal)
    records: Iterator[Record] = Draft("").winners("bill_daily_amounts", "", rows["bill_daily_amounts"])
    for record in records:
        bill = record.identifier("bill_record")
        if bill in db.tables["bill_records"]:
            sums[bill] += record.amount("daily_amount") or ZERO
    return sum(abs(db.tables["bill_records"][key]["total_bill"] - amount) > NICKEL for key, amount in sums.items())


def _reject_rates(db: Reference) -> Found:
    counts = {table: db.counts[db.export_id, table] for table in LOADED}
    return {f"{table}_reject_rate": (c.outcomes["rejected"], c.source_rows) for table, c in counts.items()}
