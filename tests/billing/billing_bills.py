"""Bills of all three kinds, and the pricing periods that some of them have."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal

from tests.billing import billing_scalars as scalars
from tests.billing.billing_customers import Tables
from tests.billing.billing_days import PRICED, days_in, total
from tests.billing.billing_files import Row, Rows
from tests.billing.billing_records import ZERO, Draft, Record, RejectedError, parsed, rate
from tests.billing.billing_scalars import AMOUNT, BILL_STATUSES, CUSTOMER_TYPES, round2

# The reference that a bill of a type must have, the table it leads to, and the code where it leads nowhere.
OWNERS = {
    "Bandwidth": ("customer", "sales_customers", "ORPHAN_CUSTOMER"),
    "MAC": ("mac_partner", "mac_partners", "ORPHAN_MAC_PARTNER"),
    "SOHO": ("soho_customer", "soho_customers", "ORPHAN_SOHO_CUSTOMER"),
}


class Bills:
    """Loads bills and their periods; what was received for them comes later."""

    def __init__(self, tables: Tables, draft: Draft, rows: Rows) -> None:
        self.tables = tables
        self.draft = draft
        self.rows = rows
        self.redirect = {key: row["target_id"] for key, row in tables["legacy_redirect"].items()}
        self.own: dict[int, Row] = {}

    def run(self) -> None:
        self._each("bill_records", self._bill_record)
        self._periods()
        self._totals()
        self._each("mac_bills", self._mac_bill)
        self._each("soho_bills", self._soho_bill)

    def _each(self, table: str, made: Callable[[Record], Row]) -> None:
        for record in self.draft.winners(table, table, self.rows[table]):
            try:
                row = made(record)
            except RejectedError as error:
                self.draft.reject(record, table, str(error))
            else:
                before = self.tables[table].get(record.id, {})
                self.tables[table][record.id] = {**before, "id": record.id, **row, **record.stamps()}
                self.draft.load(record, table, record.id)

    # --- bill records -------------------------------------------------------------------------------------------------

    def _bill_record(self, record: Record) -> Row:
        kind = record.enum("customer_type", CUSTOMER_TYPES, "UNKNOWN_CUSTOMER_TYPE")
        references = {column: record.reference(column) for column, _, _ in OWNERS.values()}
        given = [kind for kind, (column, _, _) in OWNERS.items() if references[column] is not None]
        kind, owner = self._owner(kind, references, given)
        billed = record.required_date("billing_date")
        own = record.services()
        status = record.enum("status", BILL_STATUSES)
        self.own[record.id] = own
        return {
            "customer_type": kind,
            **{f"{column}_id": owner["id"] if OWNERS[kind][0] == column else None for column in references},
            "bill_number": self._bill_number(record, owner, billed),
            "nttn_cap": record.text("nttn_cap"),
            "nttn_com": record.text("nttn_com"),
            "active_date": record.date("active_date"),
            "billing_date": billed,
            "billing_month": billed.replace(day=1),
            "termination_date": record.date("termination_date"),
            "status": status or "Active",
            "remarks": record.text("remarks"),
        }

    def _owner(self, kind: str | None, references: Row, given: list[str]) -> tuple[str, Row]:
        """The type of a bill and the row of its customer."""
        if kind not in given and (kind is not None or not given):
            raise RejectedError("BILL_FK_MISSING")
        if len(given) > 1:
            raise RejectedError("BILL_FK_CONFLICT")
        kind = given[0]
        column, table, orphan = OWNERS[kind]
        found = references[column]
        if table == "sales_customers":
            found = self.redirect.get((table, found))
        if found not in self.tables[table]:
            raise RejectedError(orphan)
        return kind, self.tables[table][found]

    def _bill_number(self, record: Record, owner: Row, billed: dt.date) -> str:
        kept = record.counted_number("bill_number", scalars.kept_bill_number(record.raw("bill_number"), record.id))
        before = self.tables["bill_records"].get(record.id)
        if before:
            return before["bill_number"]
        names = ("company_name", "name", "mac_cust_name", "cust_name")
        called = next(owner[column] for column in names if owner.get(column))
        return kept or f"KTL-BL-{scalars.part(called, 5)}-{record.id}-{billed:%d%m%Y}"

    def _totals(self) -> None:
        """Totals of the bills of this export, and of others whose periods it replaces."""
        periods: dict[int, list[Row]] = defaultdict(list)
        for period in self.tables["bill_pricing_periods"].values():
            periods[period["bill_record_id"]].append(period)
        for key, bill in self.tables["bill_records"].items():
            record = self.draft.records["bill_records"].get(key)
            if record is not None:
                bill |= total(self.own[key], record.amount("total_bill"), periods[key])
            elif periods[key]:
                bill |= total({}, None, periods[key])
            elif bill["total_source"] == "periods":
                bill |= total({column: bill[column] for column in PRICED}, None, [])

    # --- periods ------------------------------------------------------------------------------------------------------

    def _periods(self) -> None:
        table = "bill_pricing_periods"
        by_bill: dict[int, list[tuple[Record, Row]]] = defaultdict(list)
        for record in self.draft.winners(table, table, self.rows[table]):
            try:
                row = self._period(record)
            except RejectedError as error:
                self.draft.reject(record, table, str(error))
            else:
                by_bill[row["bill_record_id"]].append((record, row))
        stored = self.tables[table]
        replaced = {*by_bill, *self.draft.records["bill_records"]}
        # A period may also have moved here from a bill that this export says nothing about.
        moved = {record.id for found in by_bill.values() for record, _ in found}
        for key in [key for key, row in stored.items() if row["bill_record_id"] in replaced or key in moved]:
            del stored[key]
        for found in by_bill.values():
            self._without_overlaps(self._without_copies(found))

    def _period(self, record: Record) -> Row:
        bill = record.required_reference("bill_record")
        if bill not in self.tables["bill_records"]:
            raise RejectedError("ORPHAN_BILL_RECORD")
        start, end = (record.required(column, scalars.integer, "BAD_NUMBER") for column in ("start_day", "end_day"))
        last = days_in(self.tables["bill_records"][bill]["billing_month"])
        if not (1 <= start <= 31 and 1 <= end <= 31):
            raise RejectedError("PERIOD_DAY_OUT_OF_RANGE")
        if end < start:
            raise RejectedError("PERIOD_END_BEFORE_START")
        if start > last:
            raise RejectedError("PERIOD_OUTSIDE_MONTH")
        services = record.services()
        if end > last:
            record.warnings["periods_clamped"] += 1
        days = {"start_day": start, "end_day": min(end, last)}
        return {"bill_record_id": bill, **days, **services, "notes": record.text("notes")}

    def _without_copies(self, found: Iterable[tuple[Record, Row]]) -> list[tuple[Record, Row]]:
        kept: dict[tuple[object, ...], tuple[Record, Row]] = {}
        for record, row in sorted(found, key=lambda each: each[0].id):
            same = tuple(row[column] for column in ("start_day", "end_day", *PRICED))
            if same in kept:
                self.draft.merge(record, "bill_pricing_periods", kept[same][0].id)
            else:
                kept[same] = (record, row)
        return list(kept.values())

    def _without_overlaps(self, found: list[tuple[Record, Row]]) -> None:
        table, free_from = "bill_pricing_periods", 1
        for record, row in sorted(found, key=lambda each: (each[1]["start_day"], each[0].id)):
            if row["start_day"] < free_from:
                self.draft.reject(record, table, "PERIOD_OVERLAP")
                continue
            free_from = row["end_day"] + 1
            self.tables[table][record.id] = {"id": record.id, **row, **record.stamps()}
            self.draft.load(record, table, record.id)

    # --- bills of partners and homes ----------------------------------------------------------------------------------

    def _mac_bill(self, record: Record) -> Row:
        partner = self._loaded(record, "mac_partner", "mac_partners", "ORPHAN_MAC_PARTNER")
        billed = record.required_date("bill_date")
        clients = parsed(scalars.count(record.raw("total_client")), "BAD_NUMBER")
        if clients is not None and clients < 0:
            raise RejectedError("NEGATIVE_VALUE")
        revenue = record.positive("total_revenue", AMOUNT)
        percent = record.percentage("percentage_share")
        number, sold = self.computed(partner["id"], billed)
        revenue = sold if revenue is None else revenue
        percent = partner["percentage_share"] if percent is None else percent
        commission = round2(revenue * percent / 100)
        return {
            "mac_partner_id": partner["id"],
            "bill_date": billed,
            "total_client": number if clients is None else clients,
            "total_revenue": revenue,
            "percentage_share": percent,
            "commission": commission,
            "total_bill": revenue - commission,
            "notes": record.text("notes"),
        }

    def computed(self, partner: int, billed: dt.date) -> tuple[int, Decimal]:
        """The number of a partner's customers on a day, and what they pay."""
        counted = [
            customer
            for customer in self.tables["mac_end_customers"].values()
            if customer["mac_partner_id"] == partner
            and customer["status"] == "Active"
            and customer["activation_date"] <= billed
            and (customer["bill_date"] is None or customer["bill_date"] <= billed)
        ]
        return len(counted), sum(map(self._effective_rate, counted), ZERO)

    def _effective_rate(self, customer: Row) -> Decimal:
        if customer["custom_rate"]:
            return customer["custom_rate"]
        package = customer["package_id"]
        return self.tables["packages"][package]["rate"] if package is not None else ZERO

    def _soho_bill(self, record: Record) -> Row:
        customer = self._loaded(record, "soho_customer", "soho_customers", "ORPHAN_SOHO_CUSTOMER")
        billed = record.required_date("bill_date")
        price = rate(record, "rate") or customer["rate"]
        stated = record.positive("total_bill", AMOUNT) or price
        return {
            "soho_customer_id": customer["id"],
            "bill_date": billed,
            "package_id": record.package("soho_packages", self.redirect),
            "rate": price,
            "total_bill": stated,
            "notes": record.text("notes"),
        }

    def _loaded(self, record: Record, column: str, table: str, orphan: str) -> Row:
        found = self.tables[table].get(record.required_reference(column))
        if found is None:
            raise RejectedError(orphan)
        return found
