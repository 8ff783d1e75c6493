"""The contract of the Skynet migration a second time: plain dicts and loops, record by record.

It shares only the scalar parsers with the migration. A `Reference` is an expected database: loading exports into it,
one after the other, gives the rows of every table, the outcome of every source row and the counts of every asset.
"""

import calendar
import datetime as dt
import ipaddress
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from skynet_assets.parsing.coordinates import coordinates
from skynet_assets.parsing.dates import billing_day, date, entry_time, period
from skynet_assets.parsing.identity import identity_number
from skynet_assets.parsing.money import money
from skynet_assets.parsing.phone import phone
from skynet_assets.parsing.photos import PhotoPolicy, photo_policy, photo_source
from skynet_assets.parsing.pppoe import pppoe_password
from skynet_assets.parsing.problem import Problem
from skynet_assets.parsing.statuses import (
    branch_count,
    connection_status,
    payment_method,
    payment_status,
    proof,
    speed_mbps,
)
from skynet_assets.parsing.text import name_key, text

NAMESPACE = uuid.UUID("c77d2dd8-e575-5726-b947-6d1597196fa8")
WIB = dt.timezone(dt.timedelta(hours=7))
CUSTOMER_COLUMNS = (
    "id_pelanggan",
    "nama_pelanggan",
    "nik",
    "kk",
    "alamat",
    "telepon",
    "paket",
    "harga",
    "tanggal_registrasi",
    "jatuh_tempo",
    "pppoe_username",
    "pppoe_password",
    "nama_lokasi",
    "nama_router",
    "koordinat",
    "ktp_photo_url",
    "connection_status",
)
COUNTS = {
    "jumlah_pelanggan": "customers_total",
    "pelanggan_baru": "customers_new",
    "pelanggan_free": "customers_free",
    "pelanggan_lunas": "customers_paid",
    "pelanggan_belum_lunas": "customers_unpaid",
}
AMOUNTS = {
    "total_pemasukan": "income_total",
    "total_pengeluaran": "expense_total",
    "balance": "balance",
    "total_estimasi": "estimated_total",
}
TOTALS = {"TOTAL", "GRAND TOTAL", "JUMLAH", "SUBTOTAL", "SUB TOTAL"}
NEVER_TRIED = {
    "stored_path": None,
    "sha256": None,
    "byte_size": None,
    "content_type": None,
    "attempts": 0,
    "last_attempt_at": None,
}
KEYS = {
    "packages": ("id",),
    "routers": ("id",),
    "customers": ("id",),
    "customer_merge_log": ("export_id", "customer_id", "merged_source_row"),
    "invoices": ("id",),
    "transactions": ("id",),
    "branch_summaries": ("id",),
    "identity_card_photos": ("customer_id",),
}

Row = dict[str, Any]
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Given:
    """One export as records, and the circumstances of the run that loads it.

    Attributes:
        export_id: name of the export.
        customers: records of the customer file.
        transactions: records of the payment history.
        branches: records of the branch dashboard.
        exported_at: when the export was made.
        months: the months that the run covers.
        customers_table: stem of the file that the customers come from.
        today: the day of the run.
        policy: where photos may come from.
        overlay: entries of the router overlay.
    """

    export_id: str
    customers: list[Any]
    transactions: list[Any]
    branches: list[Any]
    exported_at: dt.datetime | None
    months: frozenset[dt.date]
    today: dt.date
    customers_table: str = "customers"
    policy: PhotoPolicy = field(default_factory=lambda: photo_policy(None, None))
    overlay: list[Row] = field(default_factory=list)


def identifier(written: str) -> str:
    """The deterministic id of a key's text."""
    return str(uuid.uuid5(NAMESPACE, written))


def redacted(record: Any) -> Any:
    """A record as the quarantine keeps it."""
    return _redacted(record if isinstance(record, dict) else {"value": record})


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, list):
        return [_redacted(each) for each in value]
    if isinstance(value, dict):
        secret = {k: v for k, v in value.items() if k == "pppoe_password" and v is not None and v != ""}
        return {k.replace("\x00", ""): "[redacted]" if k in secret else _redacted(v) for k, v in value.items()}
    return value


def later(month: dt.date, months: int) -> dt.date:
    """The first of the month so many months later."""
    for _ in range(months):
        month = (month.replace(day=28) + dt.timedelta(days=4)).replace(day=1)
    return month


def known(value: Any) -> Any:
    """A parsed value, None where it is missing or invalid."""
    return None if isinstance(value, Problem) else value


@dataclass
class Counts:
    """What the run log says of one asset and partition."""

    source_rows: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    rejected_by: Counter[str] = field(default_factory=Counter)
    skipped_by: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)

    def flat(self) -> Row:
        """As the columns of the run log."""
        found = {name: self.outcomes[name] for name in ("loaded", "merged", "rejected", "skipped")}
        parts = {n: dict(getattr(self, n)) for n in ("rejected_by", "skipped_by", "warnings")}
        return {"source_rows": self.source_rows, **found, **parts}


@dataclass
class Reference:
    """The expected database.

    Attributes:
        tables: rows by table and key.
        ledger: outcome, reason (codes as a frozenset where they are warnings) and target key of each source row.
        rejected: reason code and raw record of each rejected row.
        counts: run-log counts by export, asset and partition.
        changed: the export that last changed a row's business data, by table and key.
        superseded: transactions deleted, by export.
    """

    tables: dict[str, dict[Key, Row]] = field(default_factory=lambda: {name: {} for name in KEYS})
    ledger: dict[Key, tuple[str, Any, str | None]] = field(default_factory=dict)
    rejected: dict[Key, tuple[str, Any]] = field(default_factory=dict)
    counts: dict[Key, Counts] = field(default_factory=lambda: defaultdict(Counts))
    changed: dict[tuple[str, Key], str] = field(default_factory=dict)
    superseded: Counter[str] = field(default_factory=Counter)

    def load(self, given: Given) -> None:
        """Carry one export through."""
        _Load(self, given).run()

    def customers_of(self) -> dict[str, Row]:
        """The customers table by id."""
        return {key[0]: row for key, row in self.tables["customers"].items()}


@dataclass
class _Load:
    """One export being carried through."""

    db: Reference
    given: Given
    final: list[Row] = field(default_factory=list)
    merged: list[Row] = field(default_factory=list)
    accepted: list[Row] = field(default_factory=list)

    def run(self) -> None:
        self._clean_customers()
        self._final_customers()
        self._packages()
        self._routers()
        self._customers()
        self._photos()
        self._overlay()
        self._clean_payments()
        for month in sorted(self.given.months):
            self._month(month)
        self._branches()

    # --- bookkeeping --------------------------------------------------------------------------------------------------

    def _counts(self, asset: str, partition: str | None = None) -> Counts:
        return self.db.counts[(self.given.export_id, asset, partition)]

    def _label(
        self, source: str, row: int, target: str, outcome: str, reason: Any = None, key: str | None = None
    ) -> None:
        self.db.ledger[(self.given.export_id, source, row, target)] = (outcome, reason or None, key)

    def _reject(self, source: str, row: int, target: str, code: str, record: Any) -> None:
        self._label(source, row, target, "rejected", code)
        self.db.rejected[(self.given.export_id, source, row, target)] = (code, redacted(record))

    def _upsert(self, table: str, values: Row, source_row: int | None = None) -> None:
        key = tuple(values[name] for name in KEYS[table])
        rows = self.db.tables[table]
        before = rows.get(key)
        if before is None or any(before[name] != value for name, value in values.items()):
            self.db.changed[(table, key)] = self.given.export_id
        first = before["first_export_id"] if before else self.given.export_id
        merged = {**(before or {}), **values, "first_export_id": first, "export_id": self.given.export_id}
        if source_row is not None:
            merged["source_row"] = source_row
        rows[key] = merged

    # --- customers ----------------------------------------------------------------------------------------------------

    def _clean_customers(self) -> None:
        counts = self._counts("customers_clean")
        groups: dict[str, list[Row]] = {}
        for row, record in enumerate(self.given.customers, start=1):
            counts.source_rows += 1
            code, customer_id = _identified(record)
            if code:
                counts.outcomes["rejected"] += 1
                counts.rejected_by[code] += 1
                self._reject(self.given.customers_table, row, "customers", code, record)
                continue
            values = {name: record.get(name) for name in CUSTOMER_COLUMNS}
            if self.given.customers_table != "customers" and record.get("koordinat_original") is not None:
                values["koordinat"] = record["koordinat_original"]
            groups.setdefault(customer_id, []).append({**values, "row": row, "id": customer_id})
        for customer_id in sorted(groups):
            survivor = min(groups[customer_id], key=_rank)
            counts.outcomes["loaded"] += 1
            self.final.append(survivor)
            for loser in groups[customer_id]:
                if loser is not survivor:
                    counts.outcomes["merged"] += 1
                    differing = sorted(c for c in CUSTOMER_COLUMNS if text(loser[c]) != text(survivor[c]))
                    self.merged.append({**loser, "kept": survivor["row"], "differing": differing})

    def _final_customers(self) -> None:
        prices: dict[str, set[Decimal]] = defaultdict(set)
        spellings: dict[str, Counter[str]] = defaultdict(Counter)
        for row in self.final:
            package = text(row["paket"])
            if package is not None:
                spellings[package.upper()][package] += 1
                if _price(row["harga"]) is not None:
                    prices[package.upper()].add(_price(row["harga"]))
        counts = self._counts("customers_final")
        for row in self.final:
            row["clean"], row["warnings"] = _clean_customer(row, self.given.policy)
            _choose_package(row, prices, spellings)
            router = name_key(row["nama_router"])
            row["clean"]["router_id"] = router and identifier(f"skynet:routers:{router}")
            counts.source_rows += 1
            counts.outcomes["loaded"] += 1
            counts.warnings.update(row["warnings"])

    def _customers(self) -> None:
        counts = self._counts("customers")
        upstream = self._counts("customers_clean")
        counts.source_rows = upstream.source_rows
        counts.outcomes.update(upstream.outcomes)
        counts.rejected_by.update(upstream.rejected_by)
        counts.warnings.update(self._counts("customers_final").warnings)
        table = self.given.customers_table
        for row in self.final:
            before = self.db.tables["customers"].get((row["id"],), {})
            path = before.get("identity_card_photo_path")
            self._upsert("customers", {**row["clean"], "identity_card_photo_path": path}, row["row"])
            self._label(table, row["row"], "customers", "loaded", frozenset(row["warnings"]), row["id"])
        for row in self.merged:
            self._label(table, row["row"], "customers", "merged", None, row["id"])
            log = {"export_id": self.given.export_id, "customer_id": row["id"], "merged_source_row": row["row"]}
            self._upsert(
                "customer_merge_log", log | {"kept_source_row": row["kept"], "differing_fields": row["differing"]}
            )

    def _derived(self, asset: str, table: str, row: Row, key: str | None, rule: str, seen: set[str]) -> bool:
        """Label one clean customer for a table derived from them; says whether its row is the key's first."""
        counts = self._counts(asset)
        counts.source_rows += 1
        outcome = "skipped" if key is None else "merged" if key in seen else "loaded"
        counts.outcomes[outcome] += 1
        if key is None:
            counts.skipped_by[rule] += 1
        else:
            seen.add(key)
        reason = rule if key is None else None
        self._label(self.given.customers_table, row["row"], table, outcome, reason, key)
        return outcome == "loaded"

    def _packages(self) -> None:
        seen: set[str] = set()
        self._counts("packages")
        for row in self.final:
            if self._derived("packages", "packages", row, row["clean"]["package_id"], "no_package", seen):
                self._upsert("packages", {"id": row["clean"]["package_id"], **row["package"]})
            about_prices = {"package_price_invalid", "package_price_inferred"}
            self._counts("packages").warnings.update(row["warnings"] & about_prices)

    def _routers(self) -> None:
        seen: set[str] = set()
        self._counts("routers")
        for row in self.final:
            key = row["clean"]["router_id"]
            if self._derived("routers", "routers", row, key, "no_router", seen):
                blank = {"ip_address": None, "port": 8728, "username": None, "password": None}
                before = self.db.tables["routers"].get((key,), blank)
                by_hand = {name: before[name] for name in blank}
                self._upsert("routers", {"id": key, "name": name_key(row["nama_router"]), **by_hand})

    def _photos(self) -> None:
        seen: set[str] = set()
        asset, table = "identity_card_photo_queue", "identity_card_photos"
        self._counts(asset)
        for row in self.final:
            photo = photo_source(row["ktp_photo_url"], self.given.policy)
            if not self._derived(asset, table, row, row["id"] if photo else None, "no_photo", seen) or not photo:
                continue
            values = {"customer_id": row["id"], **photo._asdict(), **NEVER_TRIED}
            before = self.db.tables[table].get((row["id"],))
            if before and before["source_url"] == photo.source_url:
                values |= {name: before[name] for name in NEVER_TRIED}
                if before["status"] == "downloaded" or (before["status"] == "failed" and photo.status == "pending"):
                    values |= {name: before[name] for name in ("status", "error_code")}
            self._upsert(table, values)

    def _overlay(self) -> None:
        by_name = {row["name"]: row for row in self.db.tables["routers"].values()}
        for entry in self.given.overlay:
            router = by_name.get(name_key(entry.get("name")) or "")
            if router is not None:
                for name, value in _overlay_values(entry).items():
                    empty = router[name] is None or (name == "port" and router[name] == 8728)
                    if empty or entry.get("overwrite") is True:
                        router[name] = value

    # --- payments -----------------------------------------------------------------------------------------------------

    def _clean_payments(self) -> None:
        counts = self._counts("payments_clean")
        customers = self.db.customers_of()
        self._forget_rejected_payments()
        for row, record in enumerate(self.given.transactions, start=1):
            counts.source_rows += 1
            code = self._payment_problem(record, customers)
            if code:
                counts.outcomes["rejected"] += 1
                counts.rejected_by[code] += 1
                for target in ("invoices", "transactions"):
                    self._reject("transactions", row, target, code, record)
                continue
            payment = {**_payment(record), "row": row}
            counts.outcomes["loaded"] += 1
            counts.warnings.update(payment["warnings"])
            self.accepted.append(payment)

    def _forget_rejected_payments(self) -> None:
        mine = (self.given.export_id, "transactions")
        for key in [key for key in self.db.rejected if key[:2] == mine]:
            del self.db.rejected[key], self.db.ledger[key]

    def _payment_problem(self, record: Any, customers: Mapping[str, Row]) -> str | None:
        code, customer_id = _identified(record)
        if code:
            return code
        month = period(record.get("periode"))
        due, paid = money(record.get("nominal_harus_dibayar")), money(record.get("nominal_pembayaran"))
        tests = (
            ("MISSING_PERIOD", month is Problem.MISSING),
            ("INVALID_PERIOD", month is Problem.INVALID),
            ("PERIOD_OUT_OF_RANGE", not (isinstance(month, dt.date) and self._in_range(month))),
            ("MISSING_AMOUNT", due is Problem.MISSING),
            ("INVALID_AMOUNT", due is Problem.INVALID or (isinstance(due, Decimal) and due < 0)),
            ("INVALID_PAYMENT", paid is Problem.INVALID or (isinstance(paid, Decimal) and paid < 0)),
            ("UNKNOWN_STATUS", payment_status(record.get("status_pembayaran")) is Problem.INVALID),
            ("ORPHAN_CUSTOMER", customer_id not in customers),
        )
        return next((code for code, failed in tests if failed), None)

    def _reference_month(self) -> dt.date | None:
        moment = self.given.exported_at
        return None if moment is None else moment.astimezone(WIB).date().replace(day=1)

    def _in_range(self, month: dt.date) -> bool:
        last = later(self._reference_month() or self.given.today.replace(day=1), 12)
        return dt.date(2021, 1, 1) <= month <= last

    def _month(self, month: dt.date) -> None:
        rows = [row for row in self.accepted if row["period"] == month]
        invoices, transactions = self._counts("invoices", str(month)), self._counts("transactions", str(month))
        invoices.source_rows = transactions.source_rows = len(rows)
        groups: dict[str, list[Row]] = {}
        for row in rows:
            self._note_payment(row, groups, transactions)
        for invoice_id in sorted({row["invoice_id"] for row in rows}):
            mine = [row for row in rows if row["invoice_id"] == invoice_id]
            self._invoice(mine, groups, invoices)
            for key in [k for k, t in self.db.tables["transactions"].items() if t["invoice_id"] == invoice_id]:
                if key[0] not in groups:
                    del self.db.tables["transactions"][key]
                    self.db.superseded[self.given.export_id] += 1
        for transaction_id, group in groups.items():
            self._transaction(transaction_id, group)

    def _note_payment(self, row: Row, groups: dict[str, list[Row]], counts: Counts) -> None:
        key = row["transaction_id"]
        outcome = "skipped" if row["skip"] else "merged" if key in groups else "loaded"
        counts.outcomes[outcome] += 1
        reason = row["skip"]
        if outcome == "skipped":
            counts.skipped_by[row["skip"]] += 1
        else:
            groups.setdefault(key, []).append(row)
        if outcome == "loaded":
            reason = frozenset(row["warnings"])
            counts.warnings.update(row["warnings"])
        self._label("transactions", row["row"], "transactions", outcome, reason, key)

    def _invoice(self, rows: list[Row], groups: Mapping[str, list[Row]], counts: Counts) -> None:
        lowest = dt.datetime.min.replace(tzinfo=dt.UTC)
        winner = max(rows, key=lambda r: (r["rank"], r["paid_at"] or lowest, -r["row"]))
        paid = sum((g[0]["payment"] for g in groups.values() if g[0]["invoice_id"] == winner["invoice_id"]), Decimal(0))
        status = "partial" if winner["status"] == "unpaid" and paid > 0 else winner["status"]
        month, customer_id = winner["period"], winner["customer_id"]
        day = self.db.customers_of()[customer_id]["billing_day"] or 20
        values = {
            "id": winner["invoice_id"],
            "code": f"INV-{month:%Y%m}-{customer_id}",
            "customer_id": customer_id,
            "period": month,
            "amount": winner["amount"],
            "amount_paid": paid,
            "status": status,
            "due_date": month.replace(day=min(day, calendar.monthrange(month.year, month.month)[1])),
        }
        self._upsert("invoices", values, winner["row"])
        for row in rows:
            outcome = "loaded" if row is winner else "merged"
            counts.outcomes[outcome] += 1
            self._label("transactions", row["row"], "invoices", outcome, None, winner["invoice_id"])

    def _transaction(self, transaction_id: str, group: list[Row]) -> None:
        first = group[0]
        values = {
            "id": transaction_id,
            "invoice_id": first["invoice_id"],
            "customer_id": first["customer_id"],
            "period": first["period"],
            "amount": first["payment"],
            "status": "paid" if any(row["status"] == "paid" for row in group) else "partial",
            "payment_method": first["method"],
            "payment_method_raw": first["method_raw"],
            "proof_of_payment": next((row["proof"] for row in group if row["proof"] is not None), None),
            "paid_at": first["paid_at"],
        }
        self._upsert("transactions", values, first["row"])

    # --- branches -----------------------------------------------------------------------------------------------------

    def _branches(self) -> None:
        counts = self._counts("branch_summaries")
        month = self._reference_month() or max((row["period"] for row in self.accepted), default=None)
        seen: dict[str, Row] = {}
        summaries = self.db.tables["branch_summaries"]
        for key, each in list(summaries.items()):
            if each["export_id"] == self.given.export_id and each["period"] != month:
                del summaries[key]
        for row, record in enumerate(self.given.branches, start=1):
            counts.source_rows += 1
            outcome, reason = self._branch(row, record, month, seen, counts)
            counts.outcomes[outcome] += 1
            if outcome == "rejected":
                counts.rejected_by[reason] += 1
                self._reject("branches", row, "branch_summaries", reason, record)
            if outcome == "skipped":
                counts.skipped_by[reason] += 1
                self._label("branches", row, "branch_summaries", outcome, reason)

    def _branch(
        self, row: int, record: Any, month: dt.date | None, seen: dict[str, Row], counts: Counts
    ) -> tuple[str, str]:
        if not isinstance(record, dict):
            return "rejected", "NOT_AN_OBJECT"
        key = name_key(record.get("cabang"))
        if key is None:
            return "rejected", "MISSING_BRANCH"
        if key in TOTALS:
            return "skipped", "total_row"
        values, warnings = _branch_values(record)
        counts.warnings.update(warnings)
        branch_id = identifier(f"skynet:branches:{key}|{month:%Y-%m}" if month else f"skynet:branches:{key}|")
        if key in seen:
            if seen[key] != values:
                return "rejected", "DUPLICATE_CONFLICT"
            self._label("branches", row, "branch_summaries", "merged", None, branch_id)
            return "merged", ""
        seen[key] = values
        mismatch = _mismatch(values)
        named = {"id": branch_id, "branch_name": text(record["cabang"]), "branch_key": key, "period": month}
        self._upsert("branch_summaries", {**named, **values, "balance_mismatch": mismatch}, row)
        self._label("branches", row, "branch_summaries", "loaded", frozenset(warnings), branch_id)
        return "loaded", ""


# --- single records ---------------------------------------------------------------------------------------------------


def _identified(record: Any) -> tuple[str | None, str]:
    if not isinstance(record, dict):
        return "NOT_AN_OBJECT", ""
    found = text(record.get("id_pelanggan"))
    if found is None:
        return "MISSING_ID", ""
    return ("ID_TOO_LONG" if len(found.upper()) > 50 else None), found.upper()


def _rank(row: Row) -> tuple[bool, int, int]:
    """Smaller is better: active first, the latest registration, the first in the file."""
    registered = known(date(row["tanggal_registrasi"]))
    active = connection_status(row["connection_status"]).status == "active"
    return not active, -(registered.toordinal() if registered else 0), row["row"]


def _price(value: Any) -> Decimal | None:
    found = known(money(value))
    return None if found is None or found < 0 else found


def _clean_customer(row: Row, policy: PhotoPolicy) -> tuple[Row, set[str]]:
    phones, nik, kk = phone(row["telepon"]), identity_number(row["nik"]), identity_number(row["kk"])
    point, status = coordinates(row["koordinat"]), connection_status(row["connection_status"])
    registered, due = date(row["tanggal_registrasi"]), billing_day(row["jatuh_tempo"])
    photo, username = photo_source(row["ktp_photo_url"], policy), text(row["pppoe_username"])
    placeholder = username is None or username.startswith("NOPPPOE_")
    clean = {
        "id": row["id"],
        "name": text(row["nama_pelanggan"]) or row["id"],
        "address": text(row["alamat"]),
        "phone_number": phones.phone,
        "phone_number_alt": phones.alt,
        "nik": nik.digits,
        "nik_valid": nik.valid,
        "kk": kk.digits,
        "kk_valid": kk.valid,
        "latitude": point.latitude,
        "longitude": point.longitude,
        "coordinates_raw": point.raw,
        "coordinate_status": point.status,
        "pppoe_username": f"NOPPPOE_{row['id']}" if placeholder else username,
        "pppoe_username_missing": placeholder,
        "pppoe_password": pppoe_password(row["pppoe_password"]),
        "identity_card_source_url": photo.source_url if photo else None,
        "is_active": status.status == "active",
        "connection_status": status.status,
        "registered_at": known(registered),
        "billing_day": known(due),
        "location_name": name_key(row["nama_lokasi"]),
    }
    flags = {
        "name_defaulted": text(row["nama_pelanggan"]) is None,
        "phone_invalid": phones.invalid,
        "nik_unusable": nik.unusable,
        "kk_unusable": kk.unusable,
        f"coordinate_{point.status}": point.status not in ("ok", "missing"),
        "status_unrecognised": not status.recognised,
        "registered_at_unparsed": registered is Problem.INVALID,
        "billing_day_invalid": due is Problem.INVALID,
    }
    return clean, {code for code, raised in flags.items() if raised}


def _choose_package(row: Row, prices: Mapping[str, set[Decimal]], spellings: Mapping[str, Counter[str]]) -> None:
    name = text(row["paket"])
    row["clean"]["package_id"], row["package"] = None, None
    if name is None:
        return
    key, found, price = name.upper(), money(row["harga"]), _price(row["harga"])
    if price is None and found is not Problem.MISSING:
        row["warnings"].add("package_price_invalid")
    if price is None and len(prices.get(key, ())) == 1:
        price = next(iter(prices[key]))
        row["warnings"].add("package_price_inferred")
    spelled = spellings[key]
    display = min(spelled, key=lambda s: (-spelled[s], s))
    written = "" if price is None else f"{price:.2f}"
    row["clean"]["package_id"] = identifier(f"skynet:packages:{key}|{written}")
    row["package"] = {"name": display, "name_key": key, "price": price, "speed_mbps": speed_mbps(display)}


def _payment(record: Row) -> Row:
    customer_id, month = _identified(record)[1], period(record["periode"])
    due, stated = money(record["nominal_harus_dibayar"]), known(money(record.get("nominal_pembayaran")))
    status, when = payment_status(record.get("status_pembayaran")), entry_time(record.get("waktu_entry"))
    method, proven = payment_method(record.get("metode")), proof(record.get("bukti_pembayaran_url"))
    amount, skip = _paid(status.status, due, stated)
    paid_at = None if when is Problem.INVALID else when
    stamp = f"{paid_at:%Y-%m-%dT%H:%M:%SZ}" if paid_at else ""
    of_month = f"skynet:transactions:{customer_id}|{month:%Y-%m}"
    flags = {
        "paid_at_unparsed": when is Problem.INVALID,
        "method_other": method == "other",
        "proof_unsafe": proven.unsafe,
    }
    return {
        "customer_id": customer_id,
        "period": month,
        "amount": due,
        "status": status.status,
        "rank": ("void", "unpaid", "partial", "paid").index(status.status),
        "payment": amount,
        "skip": skip,
        "method": method,
        "method_raw": text(record.get("metode")),
        "proof": proven.value,
        "paid_at": paid_at,
        "warnings": {code for code, raised in flags.items() if raised},
        "invoice_id": identifier(of_month),
        "transaction_id": None if skip else identifier(f"{of_month}|{amount:.2f}|{stamp}|{method or ''}"),
    }


def _paid(status: str, due: Decimal, stated: Decimal | None) -> tuple[Decimal | None, str | None]:
    if status == "void":
        return None, "void_invoice"
    if status == "paid":
        amount = due if stated is None else stated
        return (amount, None) if amount > 0 else (None, "zero_payment")
    return (stated, None) if stated is not None and stated > 0 else (None, "no_payment")


def _branch_values(record: Row) -> tuple[Row, set[str]]:
    values: Row = {}
    warnings = set()
    for source, column in COUNTS.items():
        found = branch_count(record.get(source))
        values[column] = known(found)
        if found is Problem.INVALID:
            warnings.add("branch_count_invalid")
    for source, column in AMOUNTS.items():
        amount = money(record.get(source))
        values[column] = known(amount)
        if amount is Problem.INVALID:
            warnings.add("branch_money_invalid")
    if values["balance"] is None and None not in (values["income_total"], values["expense_total"]):
        values["balance"] = values["income_total"] - values["expense_total"]
    return values, warnings


def _mismatch(values: Row) -> bool | None:
    income, expense, balance = values["income_total"], values["expense_total"], values["balance"]
    return None if None in (income, expense, balance) else balance != income - expense


def _overlay_values(entry: Row) -> Row:
    address, port, username = (text(entry.get(name)) for name in ("ip_address", "port", "username"))
    values: Row = {}
    try:
        values["ip_address"] = str(ipaddress.ip_address(address or ""))
    except ValueError:
        values = {}
    if port and port.isdecimal() and port.isascii() and 1 <= int(port) <= 65535:
        values["port"] = int(port)
    if username:
        values["username"] = username
    if entry.get("password"):
        values["password"] = entry["password"]
    return values


def months_between(first: dt.date, last: dt.date) -> Iterable[dt.date]:
    """The months of a range, its ends included."""
    while first <= last:
        yield first
        first = later(first, 1)
