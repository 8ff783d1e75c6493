"""The contract of the BILLING migration a second time: plain dicts and loops, row by row.

It shares nothing with the migration, not even the scalar parsers. A `Reference` is an expected database: `load` carries
an export folder in, on top of what earlier exports left. Tables, ledger, rejected rows and counts are then what the
real database must hold after a run over all months.

Where the contract leaves something open, this is what is expected here:

Rows
- A row merged by its id names its own id as the key, also where the survivor is rejected, or merged into another row.
- A legacy number that does not match is counted as regenerated on every load, also where the target has a number.
- An e-mail given up because another name holds it counts as `emails_shared`, not as `emails_nulled`.
- A payment method or last payment mode of a JSON type that is no text is an unknown one.

Later exports
- A row is loaded if it is in the target, whichever export brought it, and whatever became of it in the newest one.
- A row that a newer export rejects, skips or merges stays as it is.
- Periods are replaced of each bill that the export loads, or has a period for that can be used.
- The total of a bill that the export does not hold follows its periods. Where they are now those of other bills, it
  follows the charges that the bill has, those of its last period.
- What was received for a bill that the export does not hold follows its payments. Without any it is what an earlier
  export carried over, or nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.billing.billing_bills import Bills
from tests.billing.billing_customers import Customers
from tests.billing.billing_days import days_in, days_of
from tests.billing.billing_files import TABLES, Row, Rows, as_source_rows, read_export
from tests.billing.billing_payments import BILLS, Payments
from tests.billing.billing_records import Counts, Draft, Label, LedgerKey, shown_key

LOADED = (
    "sales_customers",
    "mac_partners",
    "packages",
    "mac_end_customers",
    "soho_customers",
    "bill_records",
    "bill_pricing_periods",
    "mac_bills",
    "soho_bills",
    "payment_records",
)
# The key of every table; all but one have a single column.
KEYS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((*LOADED, "daily_bill_amounts"), ("id",)),
    "legacy_redirect": ("source_table", "legacy_id"),
}
WARNINGS = (
    "numbers_regenerated",
    "emails_nulled",
    "emails_shared",
    "package_orphans",
    "payment_method_other",
    "periods_clamped",
    "period_gap_days",
)


@dataclass
class Reference:
    """The expected database.

    Attributes:
        tables: rows by table and key.
        ledger: what became of each source row, by export, source table, source row and target table.
        counts: counts by export and asset.
        warnings: counts of the loaded rows by code, by export.
    """

    tables: dict[str, dict[Any, Row]] = field(default_factory=lambda: {name: {} for name in KEYS})
    ledger: dict[LedgerKey, Label] = field(default_factory=dict)
    counts: dict[tuple[str, str], Counts] = field(default_factory=dict)
    warnings: dict[str, Counter[str]] = field(default_factory=dict)
    export_id: str = ""

    def load(self, folder: Path) -> Draft:
        """Load an export folder; its name is the export's id."""
        return self.load_rows(folder.name, read_export(folder))

    def load_records(self, export_id: str, records: Mapping[str, list[Any]]) -> Draft:
        """Load an export from its records by table."""
        return self.load_rows(export_id, {name: as_source_rows(records.get(name, [])) for name in TABLES})

    def load_rows(self, export_id: str, rows: Rows) -> Draft:
        """Load an export whose files have been read."""
        draft = Draft(export_id)
        Customers(self.tables, draft, rows).run()
        Bills(self.tables, draft, rows).run()
        for row in rows.get("bill_daily_amounts", []):
            skipped = Label(shown_key(row), "skipped", "RECOMPUTED")
            draft.label("bill_daily_amounts", row.number, "daily_bill_amounts", skipped)
        Payments(self.tables, draft, rows).run()
        self._days(draft)
        self.export_id = export_id
        self.ledger = {key: row for key, row in self.ledger.items() if key[0] != export_id} | draft.labels
        self.counts |= {(export_id, asset): draft.counts[asset] for asset in (*LOADED, "daily_bill_amounts")}
        self.warnings[export_id] = draft.warnings
        return draft

    def after(self, folder: Path) -> "Reference":
        """The database after one more export; this one stays as it is."""
        database = deepcopy(self)
        database.load(folder)
        return database

    def _days(self, draft: Draft) -> None:
        periods: dict[int, list[Row]] = defaultdict(list)
        for period in self.tables["bill_pricing_periods"].values():
            periods[period["bill_record_id"]].append(period)
        days = [day for bill in self.tables["bill_records"].values() for day in days_of(bill, periods[bill["id"]])]
        self.tables["daily_bill_amounts"] = {day["id"]: day for day in days}
        for key in draft.records["bill_records"]:
            bill = self.tables["bill_records"][key]
            if bill["total_source"] == "periods":
                covered = sum(row["end_day"] - row["start_day"] + 1 for row in periods[key])
                draft.warnings["period_gap_days"] += days_in(bill["billing_month"]) - covered

    def rejected(self) -> dict[LedgerKey, tuple[str, str]]:
        """Key as shown and reason of the rejected rows."""
        return {key: (row.source_pk, str(row.reason)) for key, row in self.ledger.items() if row.outcome == "rejected"}


# --- laws -------------------------------------------------------------------------------------------------------------


def faults(db: Reference) -> list[str]:
    """What must not be true of any expected database, and is true of none."""
    found = [asset for (_, asset), counts in db.counts.items() if counts.source_rows != counts.outcomes.total()]
    received: Counter[tuple[str, int]] = Counter()
    for row in db.tables["payment_records"].values():
        table = BILLS[row["allocated_to"]][0]
        received[table, row[f"{row['allocated_to']}_id"]] += row["amount"]
    for table in ("bill_records", "mac_bills", "soho_bills"):
        for key, row in db.tables[table].items():
            if (row["received_source"] == "payments") != ((table, key) in received):
                found.append(f"{table} {key}: received from {row['received_source']}")
            if row["received_source"] == "payments" and row["total_received"] != received[table, key]:
                found.append(f"{table} {key}: received")
    billed: Counter[int] = Counter()
    for day in db.tables["daily_bill_amounts"].values():
        billed[day["bill_record_id"]] += day["daily_amount"]
    for key, row in db.tables["bill_records"].items():
        if billed[key] != row["total_bill"]:
            found.append(f"bill_records {key}: days")
    return found


def collisions(db: Reference) -> list[str]:
    """Rows that the target could not hold beside each other, because an older one gives way to none."""
    emails = Counter(row["email"] for row in db.tables["sales_customers"].values() if row["email"])
    names = ("type", "mbps", "rate")
    packages = Counter((*(row[name] for name in names), row["name"].lower()) for row in db.tables["packages"].values())
    starts = Counter((row["bill_record_id"], row["start_day"]) for row in db.tables["bill_pricing_periods"].values())
    return [str(key) for found in (emails, packages, starts) for key, number in found.items() if number > 1]
