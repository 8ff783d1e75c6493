"""Customers, partners and packages: what a row must have, which rows are one, and the numbers on paper."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from tests.billing import billing_scalars as scalars
from tests.billing.billing_files import Row, Rows
from tests.billing.billing_records import ZERO, Draft, Record, RejectedError, not_negative, parsed, rate
from tests.billing.billing_scalars import CUSTOMER_STATUSES, CUSTOMER_TYPES, END_STATUSES

SOHO_OFFSET = 1_000_000
CATALOGUES = {"mac_packages": "MAC", "soho_packages": "SOHO"}

Tables = dict[str, dict[Any, Row]]


class Customers:
    """Loads the tables that bills refer to."""

    def __init__(self, tables: Tables, draft: Draft, rows: Rows) -> None:
        self.tables = tables
        self.draft = draft
        self.rows = rows

    def run(self) -> None:
        self._sales_customers()
        self._packages()
        self._each("mac_partners", self._partner)
        self._each("mac_end_customers", self._end_customer)
        self._each("soho_customers", self._soho_customer)

    @property
    def redirect(self) -> dict[tuple[str, int], int]:
        """Where references to legacy rows lead."""
        return {key: row["target_id"] for key, row in self.tables["legacy_redirect"].items()}

    def _each(self, table: str, made: Any) -> None:
        for record in self.draft.winners(table, table, self.rows[table]):
            try:
                row = made(record)
            except RejectedError as error:
                self.draft.reject(record, table, str(error))
            else:
                self._write(table, record, row)

    def _write(self, table: str, record: Record, row: Row) -> None:
        """Load a row; a number that is in the target stays what it is."""
        before = self.tables[table].get(record.id)
        numbers = {name: before[name] for name in row if before and name.endswith("_number")}
        self.tables[table][record.id] = {"id": record.id, **row, **record.stamps(), **numbers}
        self.draft.load(record, table, record.id)

    def _lead(self, source: str, legacy_id: int, target_id: int) -> None:
        row = {"source_table": source, "legacy_id": legacy_id, "target_id": target_id}
        self.tables["legacy_redirect"][source, legacy_id] = row

    # --- bandwidth customers ------------------------------------------------------------------------------------------

    def _sales_customers(self) -> None:
        table = "sales_customers"
        groups: dict[Any, list[tuple[Record, Row]]] = defaultdict(list)
        for record in self.draft.winners(table, table, self.rows[table]):
            try:
                row = self._sales_customer(record)
            except RejectedError as error:
                self.draft.reject(record, table, str(error))
            else:
                called = (row["company_name"] or row["name"]).lower()
                groups[(row["email"], called) if row["email"] else record.id].append((record, row))
        taken: set[str] = set()
        for group in sorted(groups.values(), key=lambda group: group[0][0].id):
            (survivor, row), *others = group
            self._lead(table, survivor.id, survivor.id)
            for record, _ in others:
                self._lead(table, record.id, survivor.id)
                self.draft.merge(record, table, survivor.id)
            if row["email"] in taken:
                survivor.warnings["emails_shared"] += 1
                row["email"] = None
            elif row["email"]:
                taken.add(row["email"])
            self._write(table, survivor, row)

    def _sales_customer(self, record: Record) -> Row:
        called = record.required_name("name")
        kind = record.enum("customer_type", CUSTOMER_TYPES, "UNKNOWN_CUSTOMER_TYPE")
        status = record.enum("status", CUSTOMER_STATUSES)
        company = scalars.name(record.raw("company_name"))
        kept = record.number_kept("customer_number", "KTL", "1,8")
        return {
            "name": called,
            "company_name": company,
            "email": record.email(),
            "phone": record.text("phone"),
            "address": record.text("address"),
            "customer_type": kind or "Bandwidth",
            "customer_number": kept or f"KTL-{scalars.part(company or called, 8)}-{record.id}",
            "status": status or "Active",
            "assigned_sales_person_id": record.identifier("assigned_sales_person"),
            "link_id": record.text("link_id"),
        }

    # --- packages -----------------------------------------------------------------------------------------------------

    def _packages(self) -> None:
        for source, kind in CATALOGUES.items():
            offset = SOHO_OFFSET if kind == "SOHO" else 0
            groups: dict[Any, list[tuple[Record, Row]]] = defaultdict(list)
            for record in self.draft.winners(source, "packages", self.rows[source], offset):
                try:
                    row = self._package(record, kind)
                except RejectedError as error:
                    self.draft.reject(record, "packages", str(error))
                else:
                    groups[row["name"].lower(), row["mbps"], row["rate"]].append((record, row))
            for (survivor, row), *others in groups.values():
                row["is_active"] = row["is_active"] or any(other["is_active"] for _, other in others)
                target = survivor.id + offset
                self.tables["packages"][target] = {"id": target, **row, **survivor.stamps()}
                self.draft.load(survivor, "packages", target)
                self._lead(source, survivor.id, target)
                for record, _ in others:
                    self._lead(source, record.id, target)
                    self.draft.merge(record, "packages", target)

    def _package(self, record: Record, kind: str) -> Row:
        if record.id >= SOHO_OFFSET:
            raise RejectedError("BAD_ID")
        called = record.required_name("name")
        if record.enum("type", CUSTOMER_TYPES, "PACKAGE_TYPE_MISMATCH") not in (None, kind):
            raise RejectedError("PACKAGE_TYPE_MISMATCH")
        mbps = not_negative(scalars.speed(record.raw("mbps")))
        if mbps is None:
            mbps = parsed(scalars.speed_in(called), "BAD_NUMBER")
        price = rate(record, "rate") if mbps is not None else None
        if mbps is None or price is None:
            raise RejectedError("MISSING_REQUIRED")
        return {
            "name": called,
            "mbps": mbps,
            "rate": price,
            "type": kind,
            "description": record.text("description"),
            "is_active": record.is_active(),
            "legacy_source": record.table,
            "legacy_id": record.id,
        }

    # --- partners and homes -------------------------------------------------------------------------------------------

    def _partner(self, record: Record) -> Row:
        called = record.required_name("mac_cust_name")
        share = record.percentage("percentage_share")
        active = record.is_active()
        kept = record.number_kept("mac_partner_number", "KTL-MAC", "8")
        return {
            "mac_cust_name": called,
            "email": record.email(),
            **{column: record.text(column) for column in ("phone", "address", "contact_person", "notes")},
            "mac_partner_number": kept or f"KTL-MAC-{scalars.part(called, 8)}-{record.id}",
            "percentage_share": ZERO if share is None else share,
            "is_active": active,
        }

    def _end_customer(self, record: Record) -> Row:
        called = record.required_name("name")
        partner = record.required_reference("mac_partner")
        if partner not in self.tables["mac_partners"]:
            raise RejectedError("ORPHAN_MAC_PARTNER")
        activated = record.required_date("activation_date")
        custom = rate(record, "custom_rate")
        status = record.enum("status", END_STATUSES)
        kept = record.number_kept("mac_end_customer_number", "KTL-MACEC", "8")
        return {
            "mac_partner_id": partner,
            "name": called,
            "email": record.email(),
            **{column: record.text(column) for column in ("phone", "address", "notes")},
            "mac_end_customer_number": kept or f"KTL-MACEC-{scalars.part(called, 8)}-{record.id}",
            "package_id": record.package("mac_packages", self.redirect),
            "custom_rate": custom,
            "activation_date": activated,
            "bill_date": record.date("bill_date"),
            "status": status or "Active",
        }

    def _soho_customer(self, record: Record) -> Row:
        called = record.required_name("cust_name")
        activated = record.required_date("activation_date")
        package = record.package("soho_packages", self.redirect)
        price = self._soho_rate(rate(record, "rate"), package)
        status = record.enum("status", END_STATUSES)
        kept = record.number_kept("soho_customer_number", "KTL-SOHO", "8")
        return {
            "cust_name": called,
            "email": record.email(),
            **{column: record.text(column) for column in ("phone", "address", "notes")},
            "soho_customer_number": kept or f"KTL-SOHO-{scalars.part(called, 8)}-{record.id}",
            "package_id": package,
            "rate": price,
            "activation_date": activated,
            "status": status or "Active",
        }

    def _soho_rate(self, price: Decimal | None, package: int | None) -> Decimal:
        if price:
            return price
        if package is not None:
            return self.tables["packages"][package]["rate"]
        if price is None:
            raise RejectedError("MISSING_REQUIRED")
        return price
