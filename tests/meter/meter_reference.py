"""The contract of the METER migration a second time: plain dicts and loops, row by row.

It shares nothing with the migration, not even the scalar parsers. A `Reference` is an expected database: `load` carries
an export folder in (upserts by id, then removes what older exports left), `run_steps` carries one tenant through the
five steps. Tables, ledger, rejected rows, log counts and statuses are then what the real database must hold.

Where the contract leaves something open, this is what is expected here:

- An unreadable row is kept as `{"text": ...}` with its text as it stands in the file, whatever it holds; of an element
  that is no object the text is its JSON text.
- Personal columns are removed from a rejected row by their exact name at the top level of the row.
- U+0000 is left out of texts and of rejected rows: PostgreSQL cannot hold it.
- A warning code counts once per row, and only on rows that are loaded (merged and rejected rows count none).
- The money of meters (`legacy_balance`, `legacy_overpayment`) never warns, unlike that of bills and invoices.
- A row merged by its id names its own id as the key, also when the survivor is rejected, or merged by its pair later.
- A zero amount written with a minus sign, or that rounds to zero, is not negative.
- A zero date may carry an offset, as long as its time is all zeros.
- Numbers of a Parquet file are numbers, not texts: 1.0 is a boolean, and as a text it is `1.0`.
- Reports are keyed by entity, not by tenant: when an entity moves to another tenant, the step of the new tenant
  replaces the report row of the old one.
- `loaded` in the counts of the backup: backup rows of the tenant's customers for this export.
- With `skip_validation` the gate counts nothing special; its counts are not compared. Nor is what the log says of
  steps that a blocked tenant never reaches.
- A run that ends at the precondition of step 4 (`skip_validation` with unassigned payments) is a blocked run too: the
  tenant's old step-5 rows go.
- A dry run has issues where the live run would have stopped: at the gate and in the full validation. Whether its other
  steps say `dry_run_ok` or `dry_run_issues` is not compared.
"""

import copy
import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.meter import meter_scalars as scalars
from tests.meter.meter_files import Row, SourceRow, read_export
from tests.meter.meter_scalars import Bad

ZERO = Decimal("0.00")
NO_TIME = dt.datetime.min.replace(tzinfo=dt.UTC)
METER_STATUSES = frozenset({"active", "inactive", "disconnected", "faulty", "retired"})
VOID_INVOICES = frozenset({"reversed", "cancelled", "void", "voided"})
PAYMENT_STATUSES = frozenset({"paid", "completed", "pending", "reversed", "failed", "cancelled"})
VOID_PAYMENTS = frozenset({"reversed", "failed", "cancelled"})
CREDIT_STATUSES = frozenset({"available", "applied", "refunded"})
METHODS = frozenset({"cash", "mpesa", "bank", "card", "cheque"})
SPELLINGS = {"canceled": "cancelled", "complete": "completed", "success": "completed", "used": "applied"}
METHOD_SPELLINGS = {"checque": "cheque", "check": "cheque", "banktransfer": "bank"}

# Source table, target table and the assets that load them, in the order of the loads.
SOURCES = {
    "tenants": "tenants",
    "customers": "users",
    "meters": "meters",
    "meter_assignments": "meter_assignments",
    "bills": "bills",
    "invoices": "invoices",
    "invoice_bills": "invoice_bills",
    "payments": "payments",
    "overpayments": "overpayments",
}
LOADED = tuple(SOURCES)
KEYS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(LOADED, ("id",)),
    "customer_balances_backup": ("export_id", "customer_id"),
    "meter_id_review": ("entity_type", "entity_id", "reason_code"),
    "invoice_amount_discrepancy": ("invoice_id", "kind"),
    "validation_discrepancy": ("tenant_id", "step", "check_name", "entity_type", "entity_id"),
}
# Warnings that the contract names; others are only expected to be there.
NAMED_WARNINGS = frozenset({"CUSTOMER_BALANCE_UNPARSED", "INVOICE_METER_DROPPED", "ASSIGNMENT_CONTRADICTION"})
STEPS = (
    "payment_meter_ids",
    "invoice_amounts",
    "payments_gate",
    "customer_balances_backup",
    "meter_balances",
    "full_validation",
)
# What a step owns of a loaded row, with its value on insert where that does not depend on the row.
S4_DEFAULTS: Row = {
    "balance": ZERO,
    "overpayment": ZERO,
    "total_billed": ZERO,
    "total_paid": ZERO,
    "overpayment_credit": ZERO,
    "last_invoice_date": None,
    "financial_status": "Clear",
    "balance_calculated": False,
}

Key = tuple[Any, ...]


class RejectedError(Exception):
    """The row cannot be loaded; the argument is the reason code."""


class SkippedError(Exception):
    """The row is of no interest; the argument is the rule."""


@dataclass(frozen=True)
class Options:
    """Options of a run of the steps."""

    no_bills_policy: str = "zero"
    billed_basis: str = "charges_plus_opening"
    drift_tolerance: Decimal = Decimal("0.01")
    fail_on: str = "error"
    skip_validation: bool = False
    dry_run: bool = False

    def config(self) -> Row:
        """As the options of a real run; whether it is dry is for the job to say."""
        names = ("no_bills_policy", "billed_basis", "fail_on", "skip_validation")
        return {name: getattr(self, name) for name in names} | {"drift_tolerance": str(self.drift_tolerance)}


@dataclass
class Counts:
    """What the run log says of one asset and partition."""

    source_rows: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    rejected_by: Counter[str] = field(default_factory=Counter)
    skipped_by: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)

    def flat(self) -> Row:
        """As the columns of the run log, named warnings only."""
        found = {name: self.outcomes[name] for name in ("loaded", "merged", "rejected", "skipped")}
        parts = {name: dict(getattr(self, name)) for name in ("rejected_by", "skipped_by")}
        named = {code: n for code, n in self.warnings.items() if code in NAMED_WARNINGS}
        return {"source_rows": self.source_rows, **found, **parts, "warnings": named}


@dataclass
class TenantRun:
    """How the steps of one tenant ended.

    Attributes:
        tenant: the tenant.
        success: whether the run did.
        stopped_at: the asset that stopped it.
        statuses: statuses that the run log may show, by asset that ran.
        counts: source_rows, loaded and skipped by asset that ran, where they are compared.
        amounts: what step 2 says of its work.
        after: the database that the run leaves; of a dry run its shadow.
    """

    tenant: int
    success: bool = True
    stopped_at: str | None = None
    statuses: dict[str, frozenset[str]] = field(default_factory=dict)
    counts: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    amounts: Row = field(default_factory=dict)
    after: "Reference | None" = None


@dataclass
class Reference:
    """The expected database.

    Attributes:
        tables: rows by table and key (of loaded tables the id alone).
        ledger: by export, source table, source row and target table: source_pk, outcome, reason (of loaded rows the
            warning codes) and target key.
        rejected: reason code and raw record of each rejected row, by the same key.
        counts: counts of the loads, by export and asset.
        export_id: the export that was loaded last.
    """

    tables: dict[str, dict[Any, Row]] = field(default_factory=lambda: {name: {} for name in KEYS})
    ledger: dict[Key, tuple[str, str, Any, str | None]] = field(default_factory=dict)
    rejected: dict[Key, tuple[str, Row]] = field(default_factory=dict)
    counts: dict[tuple[str, str], Counts] = field(default_factory=dict)
    export_id: str = ""

    def load(self, folder: Path) -> None:
        """Load an export folder; its name is the export's id."""
        self.load_rows(folder.name, read_export(folder))

    def load_rows(self, export_id: str, rows: Mapping[str, list[SourceRow]]) -> None:
        """Load an export whose files have been read."""
        _Loads(self, export_id, rows).run()
        self.export_id = export_id

    def run_steps(self, tenant: int, options: Options | None = None) -> TenantRun:
        """Carry one tenant through the five steps; a dry run leaves this database as it is."""
        options = options or Options()
        database = copy.deepcopy(self) if options.dry_run else self
        return _Steps(database, tenant, options).run()

    def tenants(self) -> list[int]:
        """The tenants of the last export."""
        return sorted(self.tables["tenants"])

    def of_tenant(self, table: str, tenant: int) -> list[Row]:
        """The rows of a tenant, by key."""
        return [row for _, row in sorted(self.tables[table].items()) if row["tenant_id"] == tenant]


# --- loads ------------------------------------------------------------------------------------------------------------


@dataclass
class _Cells:
    """The values of one source row, and what was wrong with those that do not reject it."""

    values: Row
    warnings: set[str] = field(default_factory=set)

    def warn(self, column: str) -> None:
        self.warnings.add(f"({column})")

    def required(self, column: str) -> int:
        found = self.derivable(column)
        if found is None:
            raise RejectedError("MISSING_REQUIRED")
        return found

    def derivable(self, column: str) -> int | None:
        found = scalars.identifier(self.values.get(column))
        if isinstance(found, Bad):
            raise RejectedError("INVALID_REFERENCE")
        return found

    def nullable(self, column: str) -> int | None:
        return self.derivable(column) or None

    def optional(self, column: str) -> int | None:
        found = scalars.identifier(self.values.get(column))
        if isinstance(found, Bad):
            self.warn(column)
            return None
        return found or None

    def lenient(self, column: str, parser: Callable[[Any], Any]) -> Any:
        """A parsed value, or nothing and a warning."""
        found = parser(self.values.get(column))
        if isinstance(found, Bad):
            self.warn(column)
            return None
        return found

    def money(self, column: str) -> Decimal | None:
        return self.lenient(column, scalars.money)

    def date(self, column: str) -> dt.date | None:
        return self.lenient(column, scalars.date)

    def text(self, column: str) -> str | None:
        return scalars.text(self.values.get(column))

    def label(self, column: str) -> str | None:
        return scalars.label(self.values.get(column))

    def amount(self, column: str = "amount") -> Decimal | None:
        """An amount that decides about its row; none where it is null."""
        found = scalars.money(self.values.get(column))
        if found is Bad.OUT_OF_RANGE:
            raise RejectedError("AMOUNT_OUT_OF_RANGE")
        if isinstance(found, Bad):
            raise RejectedError("INVALID_AMOUNT")
        return found

    def positive_amount(self) -> Decimal:
        found = self.amount()
        if found is None:
            raise RejectedError("INVALID_AMOUNT")
        if found < 0:
            raise RejectedError("NEGATIVE_AMOUNT")
        return found

    def status(self, known: Iterable[str], default: str) -> str:
        found = self.label("status")
        if found is None:
            self.warn("status")
            return default
        found = SPELLINGS.get(found, found)
        if found not in known:
            raise RejectedError("INVALID_STATUS")
        return found


@dataclass
class _Candidate:
    """A source row that has passed the checks on itself."""

    source: SourceRow
    id: int
    cells: _Cells
    parsed: Row


@dataclass
class _Loads:
    """One export being loaded."""

    db: Reference
    export_id: str
    rows: Mapping[str, list[SourceRow]]
    loaded: dict[str, dict[int, Row]] = field(default_factory=dict)

    def run(self) -> None:
        for table in LOADED:
            self.loaded[table] = {}
            self._load(table)
        self._forget_meters_that_go()
        for table in LOADED:
            rows = self.db.tables[table]
            for key in [key for key, row in rows.items() if row["export_id"] != self.export_id]:
                del rows[key]

    def _load(self, table: str) -> None:
        counts = self.db.counts[(self.export_id, table)] = Counts()
        survivors = self._without_repeats(table, self._candidates(table))
        settled: list[tuple[_Candidate, Row]] = []
        for candidate in survivors:
            try:
                settled.append((candidate, _SETTLERS[table](self, candidate)))
            except RejectedError as error:
                self._reject(table, candidate.source, str(candidate.id), str(error))
        if table == "invoice_bills":
            settled = list(self._merged_by_pair(settled))
        for candidate, values in settled:
            self._write(table, candidate, values)
        counts.source_rows = len(self.rows[SOURCES[table]])

    def _candidates(self, table: str) -> Iterable[_Candidate]:
        for source in self.rows[SOURCES[table]]:
            found = None if source.values is None else scalars.identifier(source.values.get("id"))
            if source.values is None or not isinstance(found, int) or not found:
                code = "UNPARSEABLE_ROW" if source.values is None else "MISSING_PK"
                self._reject(table, source, f"row:{source.number}", code)
                continue
            cells = _Cells(source.values)
            try:
                parsed = _PARSERS[table](cells)
            except SkippedError as error:
                self._label(table, source, str(found), "skipped", str(error))
            except RejectedError as error:
                self._reject(table, source, str(found), str(error))
            else:
                for column in ("created_at", "updated_at"):
                    parsed[column] = cells.lenient(column, scalars.moment)
                yield _Candidate(source, found, cells, parsed)

    def _without_repeats(self, table: str, candidates: Iterable[_Candidate]) -> list[_Candidate]:
        by_id: dict[int, list[_Candidate]] = defaultdict(list)
        for candidate in candidates:
            by_id[candidate.id].append(candidate)
        survivors = []
        for _, group in sorted(by_id.items()):
            survivor = max(group, key=lambda each: (each.parsed["updated_at"] or NO_TIME, each.source.number))
            survivors.append(survivor)
            for loser in group:
                if loser is not survivor:
                    self._label(table, loser.source, str(loser.id), "merged", None, str(survivor.id))
        return survivors

    def _merged_by_pair(self, settled: list[tuple[_Candidate, Row]]) -> Iterable[tuple[_Candidate, Row]]:
        kept: dict[Key, int] = {}
        for candidate, values in sorted(settled, key=lambda each: each[0].id):
            survivor = kept.setdefault((values["invoice_id"], values["bill_id"]), candidate.id)
            if survivor == candidate.id:
                yield candidate, values
            else:
                self._label("invoice_bills", candidate.source, str(candidate.id), "merged", None, str(survivor))

    def _write(self, table: str, candidate: _Candidate, values: Row) -> None:
        stamps = {name: candidate.parsed[name] for name in ("created_at", "updated_at")}
        row = {"id": candidate.id, **values, **stamps, "export_id": self.export_id}
        before = self.db.tables[table].get(candidate.id)
        row = {**self._owned_by_steps(table, row), **row} if before is None else {**before, **row}
        if table == "customers" and row["balances_synced_export_id"] is None:
            row |= {name: row[f"legacy_{name}"] or ZERO for name in ("balance", "overpayment")}
        self.db.tables[table][candidate.id] = self.loaded[table][candidate.id] = row
        warnings = frozenset(candidate.cells.warnings)
        self.db.counts[(self.export_id, table)].warnings.update(warnings)
        self._label(table, candidate.source, str(candidate.id), "loaded", warnings, str(candidate.id))

    def _owned_by_steps(self, table: str, row: Row) -> Row:
        if table == "customers":
            return {"balances_synced_export_id": None}
        if table == "meters":
            return dict(S4_DEFAULTS)
        if table == "invoices":
            money = ("amount", "balance_brought_forward", "total_amount")
            return {name: row[f"legacy_{name}"] or ZERO for name in money} | {"amounts_recalculated": False}
        if table in ("payments", "overpayments"):
            return {"meter_id": self._meter_of(row["legacy_meter_id"], row["tenant_id"]), "meter_id_source": None}
        return {}

    def _meter_of(self, meter_id: int | None, tenant: int) -> int | None:
        meter = self.loaded["meters"].get(meter_id or 0)
        return meter_id if meter and meter["tenant_id"] == tenant else None

    def _forget_meters_that_go(self) -> None:
        for table in ("payments", "overpayments"):
            for row in self.db.tables[table].values():
                if row["meter_id"] is not None and row["meter_id"] not in self.loaded["meters"]:
                    row |= {"meter_id": None, "meter_id_source": None}

    def _label(
        self, table: str, source: SourceRow, pk: str, outcome: str, reason: Any = None, key: str | None = None
    ) -> None:
        counts = self.db.counts[(self.export_id, table)]
        counts.outcomes[outcome] += 1
        if outcome in ("rejected", "skipped"):
            (counts.rejected_by if outcome == "rejected" else counts.skipped_by)[reason] += 1
        self.db.ledger[(self.export_id, SOURCES[table], source.number, table)] = (pk, outcome, reason or None, key)

    def _reject(self, table: str, source: SourceRow, pk: str, code: str) -> None:
        self._label(table, source, pk, "rejected", code)
        self.db.rejected[(self.export_id, SOURCES[table], source.number, table)] = (code, source.raw)

    # --- parents, and what they say of a row --------------------------------------------------------------------------

    def _parent(self, table: str, key: int, code: str) -> Row:
        found = self.loaded[table].get(key)
        if found is None:
            raise RejectedError(code)
        return found

    def _require_tenant(self, parsed: Row) -> None:
        if parsed["tenant_id"] is not None:
            self._parent("tenants", parsed["tenant_id"], "ORPHAN_TENANT")

    def _tenant(self, parsed: Row, derived_from: Row, *others: Row) -> int:
        tenant = derived_from["tenant_id"] if parsed["tenant_id"] is None else parsed["tenant_id"]
        if any(row["tenant_id"] != tenant for row in (derived_from, *others)):
            raise RejectedError("TENANT_MISMATCH")
        return tenant

    def settle_tenant(self, candidate: _Candidate) -> Row:
        """The row of a tenant."""
        if candidate.parsed["name"] is None:
            candidate.cells.warn("name")
        return {"name": candidate.parsed["name"] or f"Tenant {candidate.id}"}

    def settle_of_tenant(self, candidate: _Candidate) -> Row:
        """The row of a customer or a meter."""
        self._require_tenant(candidate.parsed)
        return candidate.parsed

    def settle_assignment(self, candidate: _Candidate) -> Row:
        """The row of an assignment."""
        parsed = candidate.parsed
        self._require_tenant(parsed)
        customer = self._parent("customers", parsed["customer_id"], "ORPHAN_CUSTOMER")
        meter = self._parent("meters", parsed["meter_id"], "ORPHAN_METER")
        return parsed | {"tenant_id": self._tenant(parsed, meter, customer)}

    def settle_bill(self, candidate: _Candidate) -> Row:
        """The row of a bill."""
        parsed = candidate.parsed
        self._require_tenant(parsed)
        customer = self._parent("customers", parsed["customer_id"], "ORPHAN_CUSTOMER")
        tenant = self._tenant(parsed, customer)
        assignment = parsed["meter_assignment_id"]
        found = self.loaded["meter_assignments"].get(assignment or 0)
        if assignment is not None and (found is None or found["tenant_id"] != tenant):
            candidate.cells.warn("meter_assignment_id")
            assignment = None
        return parsed | {"tenant_id": tenant, "meter_assignment_id": assignment}

    def settle_invoice(self, candidate: _Candidate) -> Row:
        """The row of an invoice."""
        parsed = candidate.parsed
        self._require_tenant(parsed)
        customer = self._parent("customers", parsed["customer_id"], "ORPHAN_CUSTOMER")
        tenant = self._tenant(parsed, customer)
        meter_id = self._meter_of(parsed["legacy_meter_id"], tenant)
        if parsed["legacy_meter_id"] is not None and meter_id is None:
            candidate.cells.warnings.add("INVOICE_METER_DROPPED")
        return parsed | {"tenant_id": tenant, "meter_id": meter_id}

    def settle_link(self, candidate: _Candidate) -> Row:
        """The row of a bill on an invoice."""
        parsed = candidate.parsed
        invoice = self._parent("invoices", parsed["invoice_id"], "ORPHAN_INVOICE")
        bill = self._parent("bills", parsed["bill_id"], "ORPHAN_BILL")
        tenant = self._tenant({"tenant_id": None}, invoice, bill)
        amount, source = parsed["amount"], "LINK"
        if amount is None:
            amount, source = bill["total_amount"], "BILL"
        if amount is None:
            raise RejectedError("INVALID_AMOUNT")
        return parsed | {"tenant_id": tenant, "amount": amount, "amount_source": source}

    def settle_payment(self, candidate: _Candidate) -> Row:
        """The row of a payment."""
        parsed = candidate.parsed
        self._require_tenant(parsed)
        customer_id, source = self._customer_of_payment(parsed)
        tenant = self._tenant(parsed, self.loaded["customers"][customer_id])
        invoice = self.loaded["invoices"].get(parsed["legacy_invoice_id"] or 0)
        invoice_id = parsed["legacy_invoice_id"] if invoice and invoice["tenant_id"] == tenant else None
        found = {"tenant_id": tenant, "customer_id": customer_id, "customer_source": source, "invoice_id": invoice_id}
        return parsed | found

    def _customer_of_payment(self, parsed: Row) -> tuple[int, str]:
        if parsed["customer_id"] in self.loaded["customers"]:
            return parsed["customer_id"], "PAYMENT"
        invoice = self.loaded["invoices"].get(parsed["legacy_invoice_id"] or 0)
        if invoice and parsed["tenant_id"] in (None, invoice["tenant_id"]):
            return invoice["customer_id"], "INVOICE"
        raise RejectedError("ORPHAN_CUSTOMER")

    def settle_overpayment(self, candidate: _Candidate) -> Row:
        """The row of a credit."""
        parsed = candidate.parsed
        self._require_tenant(parsed)
        parents = [self._parent("customers", parsed["customer_id"], "ORPHAN_CUSTOMER")]
        if parsed["payment_id"] is not None:
            parents.append(self._parent("payments", parsed["payment_id"], "ORPHAN_PAYMENT"))
        tenant = self._tenant(parsed, *parents)
        return parsed | {"tenant_id": tenant, "credit_effect": credit_effect(parsed, parents[1:])}


def credit_effect(parsed: Row, payments: list[Row]) -> Decimal:
    """What a credit adds to its meter's credit beyond what its payment has added."""
    refunded = parsed["status"] == "refunded"
    if not payments:
        return ZERO if refunded else parsed["amount"]
    return -parsed["amount"] if refunded and not payments[0]["is_void"] else ZERO


def _parse_tenant(cells: _Cells) -> Row:
    return {"name": cells.text("name")}


def _parse_customer(cells: _Cells) -> Row:
    if cells.label("role") != "customer":
        raise SkippedError("NOT_CUSTOMER")
    row: Row = {"tenant_id": cells.required("tenant_id"), "name": cells.text("name"), "status": cells.label("status")}
    for name in ("balance", "overpayment"):
        found = scalars.money(cells.values.get(name))
        if isinstance(found, Bad):
            cells.warnings.add("CUSTOMER_BALANCE_UNPARSED")
        row[f"legacy_{name}"] = None if isinstance(found, Bad) else ZERO if found is None else found
    return row


def _parse_meter(cells: _Cells) -> Row:
    row: Row = {"tenant_id": cells.required("tenant_id"), "meter_number": cells.text("meter_number")}
    status = cells.label("status")
    if status not in METER_STATUSES:
        cells.warn("status")
    row["status"] = status if status in METER_STATUSES else "unknown"
    for name in ("balance", "overpayment"):
        found = scalars.money(cells.values.get(name))
        row[f"legacy_{name}"] = None if isinstance(found, Bad) else found
    return row


def _parse_assignment(cells: _Cells) -> Row:
    row: Row = {"tenant_id": cells.derivable("tenant_id")}
    row |= {name: cells.required(name) for name in ("customer_id", "meter_id")}
    active = scalars.boolean(cells.values.get("is_active"))
    if isinstance(active, Bad):
        raise RejectedError("INVALID_BOOLEAN")
    if active is None:
        cells.warn("is_active")
    row |= {name: cells.date(name) for name in ("assigned_at", "unassigned_at")}
    if active and row["unassigned_at"] is not None:
        cells.warnings.add("ASSIGNMENT_CONTRADICTION")
    return row | {"is_active": bool(active)}


def _parse_bill(cells: _Cells) -> Row:
    row: Row = {"tenant_id": cells.derivable("tenant_id"), "customer_id": cells.required("customer_id")}
    bill_type = scalars.bill_type(cells.values.get("bill_type"))
    if bill_type is None:
        cells.warn("bill_type")
    return row | {
        "meter_assignment_id": cells.optional("meter_assignment_id"),
        "bill_type": bill_type or "UNKNOWN",
        "total_amount": cells.money("total_amount"),
        "status": cells.label("status"),
        "generation_date": cells.date("generation_date"),
    }


def _parse_invoice(cells: _Cells) -> Row:
    row: Row = {"tenant_id": cells.derivable("tenant_id"), "customer_id": cells.required("customer_id")}
    status = cells.label("status")
    if status is None:
        cells.warn("status")
    status = SPELLINGS["canceled"] if status == "canceled" else status or "unknown"
    stored = ("amount", "balance_brought_forward", "total_amount")
    return row | {
        "legacy_meter_id": cells.optional("meter_id"),
        "invoice_number": cells.text("invoice_number"),
        "state": cells.label("state"),
        "status": status,
        "is_void": status in VOID_INVOICES,
        **{name: cells.date(name) for name in ("invoice_date", "due_date")},
        **{f"legacy_{name}": cells.money(name) for name in stored},
        **{name: cells.money(name) for name in ("paid_amount", "balance", "overpayment_applied")},
    }


def _parse_link(cells: _Cells) -> Row:
    row: Row = {name: cells.required(name) for name in ("invoice_id", "bill_id")}
    return row | {"amount": cells.amount()}


def _parse_payment(cells: _Cells) -> Row:
    row: Row = {"tenant_id": cells.derivable("tenant_id"), "customer_id": cells.nullable("customer_id")}
    row["amount"] = cells.positive_amount()
    status = cells.status(PAYMENT_STATUSES, "paid")
    reversed_at = cells.lenient("reversed_at", scalars.moment)
    status = "reversed" if reversed_at else status
    method = (cells.label("method") or "").replace(" ", "")
    method = METHOD_SPELLINGS.get(method, method)
    return row | {
        "legacy_invoice_id": cells.optional("invoice_id"),
        "legacy_meter_id": cells.optional("meter_id"),
        "method": method if method in METHODS else "other",
        "reference": cells.text("reference"),
        "status": status,
        "is_void": status in VOID_PAYMENTS,
        "payment_date": cells.date("date"),
        "reversed_at": reversed_at,
    }


def _parse_overpayment(cells: _Cells) -> Row:
    row: Row = {"tenant_id": cells.derivable("tenant_id"), "customer_id": cells.required("customer_id")}
    row["payment_id"] = cells.nullable("payment_id")
    row["amount"] = cells.positive_amount()
    row["status"] = cells.status(CREDIT_STATUSES, "available")
    return row | {"legacy_meter_id": cells.optional("meter_id"), "recorded_on": cells.date("date")}


_PARSERS: dict[str, Callable[[_Cells], Row]] = {
    "tenants": _parse_tenant,
    "customers": _parse_customer,
    "meters": _parse_meter,
    "meter_assignments": _parse_assignment,
    "bills": _parse_bill,
    "invoices": _parse_invoice,
    "invoice_bills": _parse_link,
    "payments": _parse_payment,
    "overpayments": _parse_overpayment,
}
_SETTLERS: dict[str, Callable[[_Loads, _Candidate], Row]] = {
    "tenants": _Loads.settle_tenant,
    "customers": _Loads.settle_of_tenant,
    "meters": _Loads.settle_of_tenant,
    "meter_assignments": _Loads.settle_assignment,
    "bills": _Loads.settle_bill,
    "invoices": _Loads.settle_invoice,
    "invoice_bills": _Loads.settle_link,
    "payments": _Loads.settle_payment,
    "overpayments": _Loads.settle_overpayment,
}


# --- steps ------------------------------------------------------------------------------------------------------------

OK, ISSUES = frozenset({"success"}), frozenset({"dry_run_issues"})
EITHER = frozenset({"dry_run_ok", "dry_run_issues"})


def ordered_meters(assignments: Iterable[Row]) -> list[int]:
    """The distinct meters of assignments, oldest assignment first."""
    late = dt.date.max
    in_order = sorted(assignments, key=lambda a: (a["assigned_at"] is None, a["assigned_at"] or late, a["id"]))
    return list(dict.fromkeys(a["meter_id"] for a in in_order))


@dataclass
class _Choice:
    """The meter of a payment or overpayment, why it is that one, and what is to be looked at."""

    meter: int | None
    source: str
    reviews: list[tuple[str, list[int]]] = field(default_factory=list)


@dataclass
class _Steps:
    """One tenant being carried through the steps."""

    db: Reference
    tenant: int
    options: Options
    ran: TenantRun = field(init=False)

    def __post_init__(self) -> None:
        self.ran = TenantRun(self.tenant, after=self.db)
        self.assignments = self.db.of_tenant("meter_assignments", self.tenant)
        self.payments = self.db.of_tenant("payments", self.tenant)
        self.overpayments = self.db.of_tenant("overpayments", self.tenant)
        self.invoices = self.db.of_tenant("invoices", self.tenant)
        self.meters = self.db.of_tenant("meters", self.tenant)
        self.customers = self.db.of_tenant("customers", self.tenant)

    def run(self) -> TenantRun:
        if self.tenant not in self.db.tables["tenants"]:
            self.ran.success, self.ran.stopped_at = False, STEPS[0]
            return self.ran
        for step in (self._payment_meter_ids, self._invoice_amounts, self._gate, self._backup, self._balances):
            step()
            if self.ran.stopped_at:
                self._clear_validation(5)
                return self.ran
        self._full_validation()
        return self.ran

    def _ended(self, asset: str, rows: int, loaded: int | None = None, statuses: frozenset[str] | None = None) -> None:
        """Note how a step ended: its counts, with what is not loaded skipped, and the statuses it may have."""
        loaded = rows if loaded is None else loaded
        self.ran.counts[asset] = (rows, loaded, rows - loaded)
        self.ran.statuses[asset] = statuses or (EITHER if self.options.dry_run else OK)

    def _stop(self, asset: str, *statuses: str) -> None:
        self.ran.success, self.ran.stopped_at = False, asset
        self.ran.statuses[asset] = frozenset(statuses)

    def _report(self, table: str, **values: Any) -> None:
        row = {"export_id": self.db.export_id, "tenant_id": self.tenant, **values}
        self.db.tables[table][tuple(row[name] for name in KEYS[table])] = row

    def _clear(self, table: str, keep: Callable[[Row], bool] = lambda row: False) -> None:
        rows = self.db.tables[table]
        for key in [k for k, row in rows.items() if row["tenant_id"] == self.tenant and not keep(row)]:
            del rows[key]

    def _clear_validation(self, step: int) -> None:
        self._clear("validation_discrepancy", lambda row: row["step"] != step)

    def _find(
        self,
        step: int,
        check: str,
        severity: str,
        entity: tuple[str, int],
        expected: Decimal | None = None,
        actual: Decimal | None = None,
        difference: Decimal | None = None,
    ) -> None:
        found = {"entity_type": entity[0], "entity_id": entity[1], "severity": severity}
        numbers = {"expected": expected, "actual": actual, "difference": difference}
        self._report("validation_discrepancy", step=step, check_name=check, **found, **numbers)

    # --- step 1 -------------------------------------------------------------------------------------------------------

    def _payment_meter_ids(self) -> None:
        self._clear("meter_id_review")
        by_customer: dict[int, list[Row]] = defaultdict(list)
        for assignment in self.assignments:
            by_customer[assignment["customer_id"]].append(assignment)
        for payment in self.payments:
            self._choose("payment", payment, self._choice_of_payment(payment, by_customer))
        for overpayment in self.overpayments:
            self._choose("overpayment", overpayment, self._choice_of_overpayment(overpayment, by_customer))
        rows = [*self.payments, *self.overpayments]
        self._ended("payment_meter_ids", len(rows), sum(row["meter_id"] is not None for row in rows))

    def _choose(self, entity: str, row: Row, choice: _Choice) -> None:
        row |= {"meter_id": choice.meter, "meter_id_source": choice.source}
        for code, candidates in choice.reviews:
            self._report(
                "meter_id_review",
                entity_type=entity,
                entity_id=row["id"],
                reason_code=code,
                customer_id=row["customer_id"],
                chosen_meter_id=choice.meter,
                candidate_meter_ids=candidates,
            )

    def _valid_meter(self, row: Row) -> bool:
        meter = self.db.tables["meters"].get(row["legacy_meter_id"] or 0)
        return meter is not None and meter["tenant_id"] == self.tenant

    def _choice_of_payment(self, payment: Row, by_customer: Mapping[int, list[Row]]) -> _Choice:
        invoice = self.db.tables["invoices"].get(payment["invoice_id"] or 0)
        reviews = list(self._reviews_of_links(payment, invoice))
        of_invoice = invoice["meter_id"] if invoice else None
        if self._valid_meter(payment):
            if of_invoice not in (None, payment["legacy_meter_id"]):
                reviews.append(("METER_DIFFERS_FROM_INVOICE", []))
            return _Choice(payment["legacy_meter_id"], "EXISTING", reviews)
        if payment["legacy_meter_id"] is not None:
            reviews.append(("INVALID_EXISTING_METER", []))
        if of_invoice is not None:
            return _Choice(of_invoice, "INVOICE", reviews)
        if invoice:
            reviews.append(("INVOICE_WITHOUT_METER", []))
        return self._choice_of_customer(by_customer.get(payment["customer_id"], []), reviews)

    def _reviews_of_links(self, payment: Row, invoice: Row | None) -> Iterable[tuple[str, list[int]]]:
        if payment["legacy_invoice_id"] is not None and payment["invoice_id"] is None:
            known = payment["legacy_invoice_id"] in self.db.tables["invoices"]
            yield ("INVOICE_TENANT_MISMATCH" if known else "ORPHAN_INVOICE", [])
        if invoice and invoice["customer_id"] != payment["customer_id"]:
            yield ("INVOICE_CUSTOMER_MISMATCH", [])
        if payment["customer_source"] == "INVOICE":
            yield ("CUSTOMER_FROM_INVOICE", [])

    def _choice_of_overpayment(self, overpayment: Row, by_customer: Mapping[int, list[Row]]) -> _Choice:
        if self._valid_meter(overpayment):
            return _Choice(overpayment["legacy_meter_id"], "EXISTING")
        reviews = [] if overpayment["legacy_meter_id"] is None else [("INVALID_EXISTING_METER", [])]
        payment = self.db.tables["payments"].get(overpayment["payment_id"] or 0)
        if payment and payment["meter_id"] is not None:
            return _Choice(payment["meter_id"], "PAYMENT", reviews)
        return self._choice_of_customer(by_customer.get(overpayment["customer_id"], []), reviews)

    def _choice_of_customer(self, assignments: list[Row], reviews: list[tuple[str, list[int]]]) -> _Choice:
        active = ordered_meters(a for a in assignments if a["is_active"])
        if len(active) == 1:
            return _Choice(active[0], "SINGLE_ACTIVE", reviews)
        if active:
            return _Choice(active[0], "FIRST_ACTIVE", [*reviews, ("MULTI_METER_CUSTOMER", active)])
        anyone = ordered_meters(assignments)
        if anyone:
            return _Choice(anyone[0], "FIRST_INACTIVE", [*reviews, ("NO_ACTIVE_METER", anyone)])
        return _Choice(None, "UNASSIGNED", [*reviews, ("NO_METER", [])])

    # --- step 2 -------------------------------------------------------------------------------------------------------

    def _invoice_amounts(self) -> None:
        self._clear("invoice_amount_discrepancy")
        links: dict[int, list[Row]] = defaultdict(list)
        for link in self.db.of_tenant("invoice_bills", self.tenant):
            links[link["invoice_id"]].append(link)
        found: Counter[str] = Counter()
        for invoice in self.invoices:
            legacy = [invoice[f"legacy_{n}"] for n in ("amount", "balance_brought_forward", "total_amount")]
            new = self._amounts(invoice, links.get(invoice["id"], []))
            invoice |= dict(zip(("amount", "balance_brought_forward", "total_amount"), new, strict=True))
            invoice["amounts_recalculated"] = True
            kinds = list(_amount_findings(legacy, new, has_links=invoice["id"] in links))
            for kind, severity in kinds:
                self._report_amounts(invoice, kind, severity, legacy, new)
            found.update(kind for kind, _ in kinds)
            found["updated"] += legacy != new
        self.ran.amounts = {
            "total": len(self.invoices),
            "updated": found["updated"],
            "already_correct": len(self.invoices) - found["updated"],
            "no_bills": found["NO_BILLS"],
            "discrepancies": found["LEGACY_IDENTITY"],
        }
        self._ended("invoice_amounts", len(self.invoices))

    def _amounts(self, invoice: Row, links: list[Row]) -> list[Decimal]:
        """Charges, brought forward and total of an invoice."""
        if not links:
            keep = self.options.no_bills_policy == "keep"
            names = ("legacy_amount", "legacy_balance_brought_forward")
            charges, carried = ((invoice[name] or ZERO) if keep else ZERO for name in names)
        else:
            bills = self.db.tables["bills"]
            carried = sum((n["amount"] for n in links if bills[n["bill_id"]]["bill_type"] == "BALANCE"), ZERO)
            charges = sum((n["amount"] for n in links if bills[n["bill_id"]]["bill_type"] != "BALANCE"), ZERO)
        return [charges, carried, charges + carried]

    def _report_amounts(
        self, invoice: Row, kind: str, severity: str, legacy: list[Decimal | None], new: list[Decimal]
    ) -> None:
        names = ("amount", "balance_brought_forward", "total_amount")
        self._report(
            "invoice_amount_discrepancy",
            invoice_id=invoice["id"],
            kind=kind,
            severity=severity,
            **{f"legacy_{name}": value for name, value in zip(names, legacy, strict=True)},
            **{f"calc_{name}": value for name, value in zip(names, new, strict=True)},
            diff_total=new[2] - (legacy[2] or ZERO),
        )

    # --- steps 3 and 4 ------------------------------------------------------------------------------------------------

    def _unassigned(self) -> list[Row]:
        return [payment for payment in self.payments if payment["meter_id"] is None]

    def _gate(self) -> None:
        self._clear_validation(3)
        if self.options.skip_validation:
            self.ran.statuses["payments_gate"] = EITHER if self.options.dry_run else OK
            return
        missing = self._unassigned()
        for payment in missing:
            entity = ("payment", payment["id"])
            self._find(3, "PAYMENT_WITHOUT_METER", "CRITICAL", entity, actual=payment["amount"])
        statuses = ISSUES if missing and self.options.dry_run else None
        self._ended("payments_gate", len(self.payments), len(self.payments) - len(missing), statuses)
        if missing and not self.options.dry_run:
            self._stop("payments_gate", "blocked", "validation_failed")

    def _backup(self) -> None:
        if self._unassigned() and not self.options.dry_run:
            self._stop("customer_balances_backup", "blocked")
            return
        backup = self.db.tables["customer_balances_backup"]
        for customer in self.customers:
            if (self.db.export_id, customer["id"]) not in backup:
                money = {name: customer[f"legacy_{name}"] for name in ("balance", "overpayment")}
                self._report("customer_balances_backup", customer_id=customer["id"], **money)
        self._ended("customer_balances_backup", len(self.customers))

    def _openings(self) -> set[int]:
        """The invoices whose brought-forward amount is the only record of a debt."""
        opening: dict[int, Row] = {}
        for invoice in sorted(self.invoices, key=_invoice_order):
            if not invoice["is_void"] and invoice["meter_id"] is not None:
                opening.setdefault(invoice["customer_id"], invoice)
        return {invoice["id"] for invoice in opening.values()}

    def _billed(self, invoice: Row, openings: set[int]) -> Decimal:
        if self.options.billed_basis == "total_amount":
            return invoice["total_amount"]
        return invoice["amount"] + (invoice["balance_brought_forward"] if invoice["id"] in openings else ZERO)

    def _balances(self) -> None:
        openings = self._openings()
        for meter in self.meters:
            invoices = [i for i in self.invoices if i["meter_id"] == meter["id"] and not i["is_void"]]
            payments = [p for p in self.payments if p["meter_id"] == meter["id"] and not p["is_void"]]
            credits = [o for o in self.overpayments if o["meter_id"] == meter["id"]]
            billed = sum((self._billed(invoice, openings) for invoice in invoices), ZERO)
            paid = sum((payment["amount"] for payment in payments), ZERO)
            credit = sum((row["credit_effect"] for row in credits), ZERO)
            net = billed - paid - credit
            meter |= {
                "total_billed": billed,
                "total_paid": paid,
                "overpayment_credit": credit,
                "balance": max(net, ZERO),
                "overpayment": max(-net, ZERO),
                "last_invoice_date": max((i["invoice_date"] for i in invoices if i["invoice_date"]), default=None),
                "financial_status": "Outstanding" if net > 0 else "Credit" if net < 0 else "Clear",
                "balance_calculated": True,
            }
        self._ended("meter_balances", len(self.meters))

    # --- step 5 -------------------------------------------------------------------------------------------------------

    def _full_validation(self) -> None:
        self._clear_validation(5)
        if self.options.skip_validation:
            self._ended("full_validation", 0)
            return
        self._validate_links()
        self._validate_meters()
        self._validate_customers()
        rows = [r for r in self.db.of_tenant("validation_discrepancy", self.tenant) if r["step"] == 5]
        fatal = {"CRITICAL"} if self.options.fail_on == "critical" else {"CRITICAL", "ERROR"}
        failed = any(row["severity"] in fatal for row in rows)
        dry = ISSUES if failed else EITHER if any(row["severity"] == "ERROR" for row in rows) else None
        self._ended("full_validation", len(rows), statuses=dry if self.options.dry_run else None)
        if failed and not self.options.dry_run:
            self._stop("full_validation", "validation_failed")

    def _validate_links(self) -> None:
        for payment in self._unassigned():
            self._find(5, "PAYMENT_WITHOUT_METER", "CRITICAL", ("payment", payment["id"]), actual=payment["amount"])
        for invoice in self.invoices:
            if invoice["meter_id"] is None:
                severity = "WARN" if invoice["is_void"] else "ERROR"
                entity = ("invoice", invoice["id"])
                self._find(5, "INVOICE_WITHOUT_METER", severity, entity, actual=invoice["total_amount"])
        for row in self.overpayments:
            if row["meter_id"] is None and row["credit_effect"]:
                entity = ("overpayment", row["id"])
                self._find(5, "UNASSIGNED_OVERPAYMENT", "ERROR", entity, actual=row["credit_effect"])

    def _validate_meters(self) -> None:
        openings = self._openings()
        for meter in self.meters:
            entity = ("meter", meter["id"])
            holders = {a["customer_id"] for a in self.assignments if a["is_active"] and a["meter_id"] == meter["id"]}
            net = meter["balance"] - meter["overpayment"]
            if not holders and net:
                self._find(5, "INACTIVE_METER_BALANCE", "WARN", entity, actual=net)
            if len(holders) > 1:
                count = Decimal(len(holders))
                self._find(5, "SHARED_METER", "WARN", entity, Decimal(1), count, count - 1)
            if self.options.billed_basis == "total_amount" and (carried := self._carried(meter["id"], openings)):
                self._find(5, "CARRY_FORWARD_EXPOSURE", "ERROR", entity, actual=carried)

    def _carried(self, meter_id: int, openings: set[int]) -> Decimal:
        later = [i for i in self.invoices if i["meter_id"] == meter_id and i["id"] not in openings]
        return sum((i["balance_brought_forward"] for i in later if not i["is_void"]), ZERO)

    def _validate_customers(self) -> None:
        before_of_tenant = ZERO
        backup = self.db.tables["customer_balances_backup"]
        for customer in self.customers:
            row = backup[(self.db.export_id, customer["id"])]
            if row["balance"] is None or row["overpayment"] is None:
                net = self._after(customer["id"])[1]
                self._find(5, "NO_BASELINE", "WARN", ("customer", customer["id"]), actual=net)
                continue
            before_of_tenant += row["balance"] - row["overpayment"]
            self._validate_drift(row)
        after = sum((meter["balance"] - meter["overpayment"] for meter in self.meters), ZERO)
        self._find_difference("TENANT_TOTAL_DRIFT", "WARN", ("tenant", self.tenant), before_of_tenant, after)

    def _after(self, customer_id: int) -> tuple[Decimal, Decimal]:
        """Balance, and balance minus overpayment, of the meters that a customer holds now."""
        held = {a["meter_id"] for a in self.assignments if a["is_active"] and a["customer_id"] == customer_id}
        meters = [self.db.tables["meters"][meter_id] for meter_id in held]
        balance = sum((meter["balance"] for meter in meters), ZERO)
        return balance, balance - sum((meter["overpayment"] for meter in meters), ZERO)

    def _validate_drift(self, row: Row) -> None:
        entity = ("customer", row["customer_id"])
        balance, net = self._after(row["customer_id"])
        before = row["balance"] - row["overpayment"]
        if not self._find_difference("CUSTOMER_DRIFT", "ERROR", entity, before, net):
            self._find_difference("CUSTOMER_SPLIT", "INFO", entity, row["balance"], balance)

    def _find_difference(
        self, check: str, severity: str, entity: tuple[str, int], before: Decimal, after: Decimal
    ) -> bool:
        if abs(after - before) <= self.options.drift_tolerance:
            return False
        self._find(5, check, severity, entity, before, after, after - before)
        return True


def _amount_findings(legacy: list[Decimal | None], new: list[Decimal], *, has_links: bool) -> Iterable[tuple[str, str]]:
    """The kinds of discrepancy of an invoice, with their severities."""
    amount, carried, total = (value or ZERO for value in legacy)
    if not has_links:
        yield "NO_BILLS", "ERROR" if total else "WARN"
    elif legacy != new:
        yield "CHANGED", "WARN"
    if amount + carried != total:
        yield "LEGACY_IDENTITY", "INFO"


def _invoice_order(invoice: Row) -> tuple[bool, dt.date, int]:
    return invoice["invoice_date"] is None, invoice["invoice_date"] or dt.date.max, invoice["id"]


# --- conservation -----------------------------------------------------------------------------------------------------


def conservation_faults(db: Reference) -> list[str]:
    """Assets whose source rows are not all accounted for; there are none."""
    faults = []
    ledger = sorted((key[0], key[3], value[1]) for key, value in db.ledger.items())
    by_asset = {key: Counter(o for _, _, o in rows) for key, rows in groupby(ledger, key=lambda each: each[:2])}
    for (export_id, asset), counts in db.counts.items():
        labelled = by_asset.get((export_id, asset), Counter())
        if counts.source_rows != sum(counts.outcomes.values()) or labelled != counts.outcomes:
            faults.append(asset)
        if export_id == db.export_id and counts.outcomes["loaded"] != len(db.tables[asset]):
            faults.append(f"{asset} in the target")
    return faults
