"""Random dirty exports: small worlds of tenants with every kind of dirt of the contract, and the exports that follow.

Most links are sound, so that rows reach the steps; some cross tenants or dangle. Some tenants are tame: nothing in them
is spoiled, so that they reach the last step. Customers owe about what the oracle says, so that drifts are small.
"""

import csv
import datetime as dt
import gzip
import random
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.meter import meter_scalars as scalars
from tests.meter.meter_files import TABLES, Row
from tests.meter.meter_reference import Options, Reference
from tests.meter.meter_scalars import Bad, json_text
from tests.meter.meter_writing import Junk, Written, as_source_rows, encoded, header_of

FORMATS = ("json", "jsonl", "csv", "parquet")
FIRST_EXPORT, NEXT_EXPORT = "20260210T030000Z", "20260310T030000Z"

# --- values -----------------------------------------------------------------------------------------------------------

NOTHING: list[Any] = [None, None, "", "  ", "\u00a0\t", "\u3000\n"]
BAD_IDS: list[Any] = [
    *("abc", "-5", "5.5", "9223372036854775808", "5,0", "\u0665", "1e1", "0x5", "5..", ".5", "\u00b2", "+5", "5 5"),
    *(-5, True, Decimal("5.5"), 10**19, 10**40, [1], {"a": 1}, "NULL", "\\N", "null", " NULL", "5\u200b"),
]
ZEROS: list[Any] = [0, "0", "0.0", Decimal("0.0"), "000"]
FAR_IDS: list[Any] = [9223372036854775807, "9223372036854775807.0", 999_999, "999999"]
BAD_MONEY: list[Any] = [
    *("N/A", "1,23", ".5", "5.", "1e3", "KES", "12,34,567", "1,2345", "--5", "KES\u00a05", "- 5", "\u0663"),
    *("KE\u017f 5", "1 000", "$5", "NaN", "Infinity", "-KES 5", "1,234,56.7", "KES 1.234,50", ",123", "5 KES"),
    *(True, False, [1], {"a": Decimal("1.5")}, "NULL", "\\N", "null"),
]
HUGE_MONEY: list[Any] = ["1000000000000", Decimal("1E+12"), "999999999999.995", 10**13, "-1,000,000,000,000", 10**30]
EDGE_MONEY: list[Any] = ["999999999999.994", Decimal("0.005"), "-0.004", "0.0049", Decimal("-0.005"), "KES  0", "-0.00"]
AMOUNTS = [Decimal(n) for n in ("0", "10", "50", "70", "70.01", "95", "99.99", "100", "300", "400", "500", "1234.5")]
DAYS: list[Any] = [
    *("2024-01-01", "2024-01-01", "01/01/2024", "2023-06-30", "2024-05-01T23:30:00-01:00", "2024-05-01 00:30:00+01:00"),
    *("2024-02-29", "2022-12-31 23:59:59.999Z", " 2024-03-01\u00a0", "2021-01-01T00:00:00", None, None),
]
BAD_DAYS: list[Any] = [
    *("2025-02-30", "0000-00-00", "0000-00-00 00:00:00", "00/00/0000", "2024-13-01", "2024-01-01 10:00", "yesterday"),
    *("2024-01-01t00:00:00", "2024-01-01 10:00:00z", "2024-01-01 10:00:00+0300", "2024-01-01 24:00:00", 20240101),
    *("2024-01-01 10:00:60", "9999-12-31 23:30:00-01:00", "0001-01-01 00:10:00+01:00", "2024-1-1", "1/1/2024", True),
    *("2024-01-01 10:00:00+24:00", "2024-01-01  10:00:00", "\u0662\u0660\u0662\u0664-01-01", Decimal("1.5"), "NULL"),
    *("0000-00-00 00:00:01", "31/04/2024", "2024/01/01", "", "2024-01-01 10:00:00.", ["2024-01-01"]),
]
MOMENTS: list[Any] = [
    *("2024-01-01 10:00:00", "2024-01-01 10:00:00", "2024-01-01T10:00:00.900Z", "2024-01-01T13:00:00+03:00"),
    *("2024-06-01", "01/06/2024", "2024-06-01 00:00:00", "2023-01-01 00:00:00.5", None, None),
]
TRUES: list[Any] = [True, True, 1, "1", "true", "T", " Yes ", "y", Decimal("1.0"), "TRUE"]
FALSES: list[Any] = [False, 0, "0", "false", "F", "no", " N", Decimal("0.00")]
BAD_BOOLEANS: list[Any] = ["2", 2, "on", "1.0", -1, Decimal("0.5"), [True], "ja", "NULL"]
NAMES: list[Any] = [
    *("Ann", " Bo \n", "", None, "\u00a0", 'O\'Neil, "Jr"', "a\nb", 7, Decimal("7.50"), Decimal("1E+3"), True),
    *([1, "a"], {"k": "v"}, "nul\u0000l", "\u00c5sa \u2603", "NULL", "\\N", "back\\slash", "tab\tbed", "x" * 300),
]
ROLES: list[Any] = ["customer"] * 12 + ["Customer ", "CUSTOMER", "\u00a0customer", "-customer_"]
OTHER_ROLES: list[Any] = ["tenant_admin", "super_admin", "Meter-Reader", "admin", None, "", "customers", 5, "cust omer"]
METER_STATUSES: list[Any] = ["active", "Inactive ", "DISCONNECTED", "faulty", "_retired_"]
BAD_METER_STATUSES: list[Any] = [None, "broken", "unknown", "act ive", 1, True, ""]
BILL_TYPES: list[Any] = ["METER_READING", "water-usage", "Service  Fee", "FIXED_CHARGE", "LATE_PAYMENT_PENALTY"]
CARRIED_TYPES: list[Any] = ["BALANCE", "BALANCE", " balance ", "Balance", "balance\u00a0"]
ODD_TYPES: list[Any] = ["-BALANCE", "BALANCE_", "bal ance", None, "", "-", 5, "balance-", True]
INVOICE_STATUSES: list[Any] = ["not paid", "Not_Paid", "partial-payment", "paid", "CLEARED", "pending", "fully paid"]
VOID_STATUSES: list[Any] = ["reversed", "Cancelled", "canceled", " VOID ", "voided"]
ODD_STATUSES: list[Any] = [None, "", "something else", 5, "-", True]
PAYMENT_STATUSES: list[Any] = ["paid", "PAID ", "completed", "complete", "Success", "pending", "paid", "paid"]
VOID_PAYMENTS: list[Any] = ["reversed", "failed", "Cancelled", "canceled"]
BAD_STATUSES: list[Any] = ["refunded?", "fully paid", "unknown", 1, True, "pa id", "paid.", ["paid"]]
METHODS: list[Any] = ["cash", "M-Pesa", "m pesa", "BANK transfer", "checque", "Check", "card", None, "bitcoin", 5, "_"]
CREDIT_STATUSES: list[Any] = ["available", "Applied", "used", "refunded", "REFUNDED ", "available"]
PERSONAL: Row = {"email": "ann@example.test", "phone": "0700", "address": {"street": "x"}, "password": "s3cret"}

# What each column is, by table; the kinds are the keys of `_GOOD` and `_SPOILED`.
COLUMNS: dict[str, dict[str, str]] = {
    "tenants": {"name": "name"},
    "users": {
        "tenant_id": "id",
        "role": "role",
        "name": "name",
        "status": "name",
        "balance": "money",
        "overpayment": "money",
    },
    "meters": {
        "tenant_id": "id",
        "meter_number": "name",
        "status": "meter_status",
        "balance": "money",
        "overpayment": "money",
    },
    "meter_assignments": {
        "tenant_id": "id",
        "customer_id": "id",
        "meter_id": "id",
        "is_active": "boolean",
        "assigned_at": "date",
        "unassigned_at": "date",
    },
    "bills": {
        "tenant_id": "id",
        "customer_id": "id",
        "meter_assignment_id": "id",
        "bill_type": "bill_type",
        "amount": "money",
        "rate_used": "money",
        "total_amount": "money",
        "status": "name",
        "generation_date": "date",
    },
    "invoices": {
        "tenant_id": "id",
        "customer_id": "id",
        "meter_id": "id",
        "invoice_number": "name",
        "invoice_date": "date",
        "due_date": "date",
        "amount": "money",
        "balance_brought_forward": "money",
        "total_amount": "money",
        "paid_amount": "money",
        "balance": "money",
        "overpayment_applied": "money",
        "status": "invoice_status",
        "state": "name",
    },
    "invoice_bills": {"invoice_id": "id", "bill_id": "id", "amount": "money"},
    "payments": {
        "tenant_id": "id",
        "customer_id": "id",
        "invoice_id": "id",
        "meter_id": "id",
        "amount": "money",
        "method": "method",
        "reference": "name",
        "status": "payment_status",
        "date": "date",
        "reversed_at": "moment",
    },
    "overpayments": {
        "tenant_id": "id",
        "customer_id": "id",
        "payment_id": "id",
        "meter_id": "id",
        "amount": "money",
        "status": "credit_status",
        "date": "date",
    },
}
STAMPS = {"created_at": "moment", "updated_at": "moment"}
_GOOD: dict[str, list[Any]] = {
    "name": NAMES,
    "role": ROLES,
    "money": [*AMOUNTS, 0, 0, None],
    "meter_status": METER_STATUSES,
    "boolean": [*TRUES, *TRUES, *FALSES],
    "date": DAYS,
    "moment": MOMENTS,
    "bill_type": [*BILL_TYPES, *BILL_TYPES, *CARRIED_TYPES],
    "invoice_status": [*INVOICE_STATUSES, *INVOICE_STATUSES, *VOID_STATUSES],
    "method": METHODS,
    "payment_status": [*PAYMENT_STATUSES, *PAYMENT_STATUSES, *VOID_PAYMENTS],
    "credit_status": CREDIT_STATUSES,
}
_SPOILED: dict[str, list[Any]] = {
    "id": [*BAD_IDS, *ZEROS, *FAR_IDS, *NOTHING, *NOTHING],
    "name": NAMES,
    "role": OTHER_ROLES,
    "money": [*BAD_MONEY, *HUGE_MONEY, *EDGE_MONEY, *EDGE_MONEY, *NOTHING, -10, "KES -5", "-1,234.50"],
    "meter_status": BAD_METER_STATUSES,
    "boolean": [*BAD_BOOLEANS, *NOTHING, *NOTHING],
    "date": BAD_DAYS,
    "moment": BAD_DAYS,
    "bill_type": ODD_TYPES,
    "invoice_status": ODD_STATUSES,
    "method": NAMES,
    "payment_status": [*BAD_STATUSES, *NOTHING],
    "credit_status": [*BAD_STATUSES, *NOTHING],
}


def dressed_id(rng: random.Random, number: int | None) -> Any:
    """An id as some legacy table may have written it."""
    if number is None or rng.random() < 0.7:
        return number if number is not None or rng.random() < 0.7 else rng.choice(NOTHING)
    forms = [str(number), f"{number:05}", f"{number}.0", f"{number}.", f" {number}\u00a0", Decimal(f"{number}.00")]
    return rng.choice(forms)


def dressed_money(rng: random.Random, amount: Any) -> Any:
    """Money as some legacy table may have written it; what is no plain number stays as it is."""
    if not isinstance(amount, int | Decimal) or isinstance(amount, bool) or rng.random() < 0.5:
        return amount
    if Decimal(amount).adjusted() > 11 or not -3 < Decimal(amount).as_tuple().exponent <= 0:  # type: ignore[operator]
        return amount
    forms = [f"{amount}", f"KES {amount:,.2f}", f"kes{amount}", f"\t{amount:+,.2f} ", f"{amount:.3f}", f"{amount}000"]
    return rng.choice(forms[:5] if "." not in f"{amount}" else forms)


# --- worlds -----------------------------------------------------------------------------------------------------------


@dataclass
class World:
    """The records of an export before they are written, and which tenants nothing is spoiled in."""

    tables: dict[str, list[Row]]
    tame: frozenset[int]


@dataclass(frozen=True)
class Nasty:
    """A random export: its files, its world, and the options of its steps."""

    export_id: str
    files: dict[str, Written]
    world: World
    options: Options
    manifest: bool


def nasty(seed: int, kind: str | None = None) -> Nasty:
    """The random export of a seed; its format follows from the seed unless it is given."""
    rng = random.Random(f"first {seed}")
    world = _Builder(rng).build()
    return _exported(rng, FIRST_EXPORT, world, kind or FORMATS[seed % len(FORMATS)])


def follow_up(first: Nasty, seed: int, kind: str | None = None) -> Nasty:
    """The next export of a world: rows changed, gone, new, moved, and links under other ids."""
    rng = random.Random(f"next {seed}")
    world = _Changes(rng, deepcopy(first.world)).apply()
    return _exported(rng, NEXT_EXPORT, world, kind or rng.choice(FORMATS))


def _exported(rng: random.Random, export_id: str, world: World, kind: str) -> Nasty:
    options = Options(
        no_bills_policy=rng.choice(("zero", "zero", "keep")),
        billed_basis=rng.choice(("charges_plus_opening", "charges_plus_opening", "total_amount")),
        drift_tolerance=Decimal(rng.choice(("0.01", "0.01", "0", "1.00"))),
        fail_on=rng.choice(("error", "error", "critical")),
        skip_validation=rng.random() < 0.1,
    )
    _let_customers_owe(rng, world, options)
    files = {table: _file(rng, table, records, kind) for table, records in world.tables.items()}
    if rng.random() < 0.1:
        del files["overpayments"]
    return Nasty(export_id, files, world, options, rng.random() < 0.8)


@dataclass
class _Builder:
    """Builds a world table by table."""

    rng: random.Random

    def build(self) -> World:
        rng = self.rng
        self.tenant_ids = rng.sample(range(1, 9), rng.randint(2, 4))
        self.tame = frozenset(key for key in self.tenant_ids if rng.random() < 0.5)
        self.tables: dict[str, list[Row]] = {table: [] for table in TABLES}
        self.home: dict[tuple[str, int], int] = {}
        for tenant in self.tenant_ids:
            self._add("tenants", tenant, tenant)
            for _ in range(rng.randint(2, 6)):
                self._add("users", tenant)
            for _ in range(rng.randint(2, 6)):
                self._add("meters", tenant)
        for tenant in self.tenant_ids:
            self._tenant(tenant)
        for table in TABLES:
            self._repeat(table)
            rng.shuffle(self.tables[table])
        for _ in range(rng.randint(0, 6)):
            self.tables["users"].append({"id": rng.randint(1, 30), "role": rng.choice(OTHER_ROLES), **PERSONAL})
        return World(self.tables, self.tame)

    def _tenant(self, tenant: int) -> None:
        rng = self.rng
        for user in self._of("users", tenant):
            for number in range(rng.choice((0, 1, 1, 1, 2, 3)) or (tenant in self.tame)):
                meter = self._link("meters", tenant)
                self._add("meter_assignments", tenant, customer_id=user, meter_id=meter, **self._active(tenant, number))
            for _ in range(rng.randint(0, 3)):
                self._invoice(tenant, user)
        for _ in range(rng.randint(1, 9)):
            self._payment(tenant)
        for _ in range(rng.randint(0, 4)):
            payment = (
                rng.choice((None, *self._of("payments", tenant))) if rng.random() < 0.9 else self._stray("payments")
            )
            customer = self._link("users", tenant)
            meter = self._link("meters", tenant) if rng.random() < 0.3 else None
            self._add("overpayments", tenant, customer_id=customer, payment_id=payment, meter_id=meter)

    def _active(self, tenant: int, number: int) -> Row:
        return {"is_active": True} if tenant in self.tame and not number else {}

    def _invoice(self, tenant: int, user: int) -> None:
        rng = self.rng
        meter = None if rng.random() < 0.1 else self._link("meters", tenant)
        bills = []
        for _ in range(rng.choice((0, 1, 1, 2, 3))):
            amount = rng.choice(AMOUNTS)
            assignment = rng.choice((None, *self._of("meter_assignments", tenant)))
            values = {"customer_id": user, "meter_assignment_id": assignment, "total_amount": amount}
            bills.append((self._add("bills", tenant, **values), amount))
        values = {} if rng.random() < 0.4 else self._stored(bills)
        invoice = self._add("invoices", tenant, customer_id=user, meter_id=meter, **values)
        for bill, amount in bills:
            to = bill if rng.random() < 0.95 else self._stray("bills")
            paid = rng.choice((amount, amount, amount, None, -amount, amount + 1))
            self._add("invoice_bills", tenant, invoice_id=invoice, bill_id=to, amount=paid)

    def _stored(self, bills: list[tuple[int, Decimal]]) -> Row:
        """The stored amounts of an invoice that is right."""
        types = {scalars.identifier(row["id"]): row["bill_type"] for row in self.tables["bills"]}
        carried = sum((a for key, a in bills if scalars.bill_type(types.get(key)) == "BALANCE"), Decimal(0))
        total = sum((amount for _, amount in bills), Decimal(0))
        return {"amount": total - carried, "balance_brought_forward": carried, "total_amount": total}

    def _payment(self, tenant: int) -> None:
        rng = self.rng
        invoices = self._of("invoices", tenant)
        invoice = rng.choice(invoices) if invoices and rng.random() < 0.6 else None
        if rng.random() < 0.06:
            invoice = self._stray("invoices")
        customer = None if invoice and rng.random() < 0.15 else self._link("users", tenant)
        meter = self._link("meters", tenant) if rng.random() < 0.2 else None
        reversed_at = rng.choice(MOMENTS) if rng.random() < 0.1 else None
        links = {"customer_id": customer, "invoice_id": invoice, "meter_id": meter}
        self._add("payments", tenant, **links, reversed_at=reversed_at)

    def _of(self, table: str, tenant: int) -> list[int]:
        return [key for (name, key), home in self.home.items() if name == table and home == tenant]

    def _link(self, table: str, tenant: int) -> int | None:
        """The id of a row of the tenant, now and then of another one."""
        keys = self._of(table, tenant)
        return (
            self.rng.choice(keys) if keys and (tenant in self.tame or self.rng.random() < 0.94) else self._stray(table)
        )

    def _stray(self, table: str) -> int:
        """The id of any row, or of none."""
        keys = [key for name, key in self.home if name == table]
        return self.rng.choice(keys) if keys and self.rng.random() < 0.7 else self.rng.randint(500, 503)

    def _add(self, table: str, tenant: int, key: int | None = None, **given: Any) -> int:
        rng = self.rng
        if key is None:
            key = len([1 for name, _ in self.home if name == table]) + 1
        self.home[(table, key)] = tenant
        row: Row = {"id": key}
        for column, kind in (COLUMNS[table] | STAMPS).items():
            row[column] = given[column] if column in given else self._value(table, tenant, column, kind)
        if table == "users" and rng.random() < 0.7:
            row |= PERSONAL
        if tenant not in self.tame:
            spoil(rng, table, row)
        self.tables[table].append({column: _dressed(rng, table, column, value) for column, value in row.items()})
        return key

    def _value(self, table: str, tenant: int, column: str, kind: str) -> Any:
        rng = self.rng
        if column == "tenant_id":
            if table in ("users", "meters") or rng.random() < 0.7:
                return tenant
            return rng.choice(self.tenant_ids) if tenant not in self.tame and rng.random() < 0.15 else None
        if table == "users" and column in ("balance", "overpayment"):
            return rng.choice(_SPOILED["money"]) if rng.random() < 0.05 else rng.choice((0, None, Decimal("70")))
        if column == "unassigned_at" and rng.random() < 0.7:
            return None
        return None if kind == "id" else rng.choice(_GOOD[kind])

    def _repeat(self, table: str) -> None:
        """Repeat some rows of a table under the same id, changed or not."""
        rng = self.rng
        for row in list(self.tables[table]):
            if rng.random() < 0.08:
                again = dict(row)
                again["updated_at"] = rng.choice([row["updated_at"], *MOMENTS, "junk"])
                if rng.random() < 0.3 and scalars.identifier(row.get("tenant_id")) not in self.tame:
                    spoil(rng, table, again, 0.3)
                self.tables[table].append(again)
        if table == "invoice_bills" and self.tables[table]:
            for _ in range(rng.randint(0, 3)):
                again = {**rng.choice(self.tables[table]), "id": rng.randint(1, 200), "amount": rng.choice(AMOUNTS)}
                self.tables[table].append(again)


def spoil(rng: random.Random, table: str, row: Row, chance: float = 0.035) -> None:
    """Spoil some values of a record; ids less often, because what depends on them is lost."""
    if rng.random() < chance:
        row["id"] = rng.choice(_SPOILED["id"])
    for column, kind in (COLUMNS[table] | STAMPS).items():
        if rng.random() < (chance / 2 if kind == "id" else chance):
            row[column] = rng.choice(_SPOILED[kind])


def _dressed(rng: random.Random, table: str, column: str, value: Any) -> Any:
    kind = "id" if column == "id" else COLUMNS[table].get(column)
    if kind == "id" and (value is None or type(value) is int):
        return dressed_id(rng, value)
    return dressed_money(rng, value) if kind == "money" else value


# --- the next export --------------------------------------------------------------------------------------------------


@dataclass
class _Changes:
    """Changes a world into its next state."""

    rng: random.Random
    world: World

    def apply(self) -> World:
        rng = self.rng
        for table, rows in self.world.tables.items():
            chance = 0.05 if table in ("tenants", "users", "meters") else 0.12
            rows[:] = [row for row in rows if rng.random() >= chance]
            for row in rows:
                if rng.random() < 0.25:
                    self._change(table, row)
            if table not in ("tenants", "users") and rows:
                rows += [self._renewed(rng.choice(rows)) for _ in range(rng.randint(0, 3))]
            rng.shuffle(rows)
        self._rekey_links()
        for table in ("payments", "invoices", "overpayments", "bills"):
            self._move(table)
        return self.world

    def _change(self, table: str, row: Row) -> None:
        columns = COLUMNS[table] | STAMPS
        for column in self.rng.sample(list(columns), min(2, len(columns))):
            if columns[column] != "id":
                value = self.rng.choice(_GOOD[columns[column]])
                row[column] = (
                    value if table == "users" and column == "role" else _dressed(self.rng, table, column, value)
                )
        if "meter_id" in columns and table != "meter_assignments" and self.rng.random() < 0.3:
            row["meter_id"] = self._any_id("meters")
        if self.rng.random() < 0.1 and scalars.identifier(row.get("tenant_id")) not in self.world.tame:
            spoil(self.rng, table, row, 0.2)

    def _any_id(self, table: str) -> Any:
        rows = self.world.tables[table]
        return self.rng.choice(rows)["id"] if rows else None

    def _renewed(self, row: Row) -> Row:
        return {**row, "id": self.rng.randint(300, 330)}

    def _rekey_links(self) -> None:
        """Give pairs of links each other's bills, and others a new id."""
        rows = self.world.tables["invoice_bills"]
        for _ in range(3):
            if len(rows) > 1:
                one, other = self.rng.sample(rows, 2)
                names = ("invoice_id", "bill_id")
                swapped = {name: (other.get(name), one.get(name)) for name in names}
                for name, (mine, theirs) in swapped.items():
                    one[name], other[name] = mine, theirs
        for row in rows:
            if self.rng.random() < 0.15:
                row["id"] = self.rng.randint(1, 250)

    def _move(self, table: str) -> None:
        """Move some rows to any customer, who may be of another tenant."""
        for row in self.world.tables[table]:
            if self.rng.random() < 0.08:
                row |= {"customer_id": self._any_id("users"), "tenant_id": None}


def _let_customers_owe(rng: random.Random, world: World, options: Options) -> None:
    """Let most customers owe about what their meters will."""
    db = Reference()
    db.load_rows(FIRST_EXPORT, {table: as_source_rows(records) for table, records in world.tables.items()})
    for tenant in db.tenants():
        db.run_steps(tenant, Options(options.no_bills_policy, options.billed_basis, skip_validation=True))
    owed: dict[int, Decimal] = {}
    for customer in db.tables["customers"]:
        held = [a for a in db.tables["meter_assignments"].values() if a["is_active"] and a["customer_id"] == customer]
        meters = [db.tables["meters"][key] for key in {each["meter_id"] for each in held}]
        owed[customer] = sum((meter["balance"] - meter["overpayment"] for meter in meters), Decimal(0))
    for row in world.tables["users"]:
        key = scalars.identifier(row["id"])
        garbled = any(isinstance(scalars.money(row.get(name)), Bad) for name in ("balance", "overpayment"))
        if key in owed and not garbled and rng.random() < 0.9:
            drift = rng.choice((*("0", "0", "0", "0.01", "-0.01", "0.00"), rng.choice(("0.02", "-0.02", "1.00", "30"))))
            row |= _owing(rng, owed[key] + Decimal(drift))


def _owing(rng: random.Random, net: Decimal) -> Row:
    """Balance and overpayment of a customer that make a net amount."""
    credit = rng.choice((Decimal(0), Decimal(0), max(-net, Decimal(0)), Decimal("12.50")))
    return {"balance": dressed_money(rng, net + credit), "overpayment": dressed_money(rng, credit)}


# --- files ------------------------------------------------------------------------------------------------------------

BROKEN_LINES = ['{"id": 5', '{"id": NaN, "name": "x"}', "nonsense", "[1, 2]", '"text"', "null", "5", '{"id": Infinity}']
STRANGERS = ["5", "null", '"text"', "[1,2]", "true", "1.50", '"a\\u00e9"']
REQUIRED_COLUMNS = {"users": ("tenant_id", "role", "balance", "overpayment")}


def _file(rng: random.Random, table: str, records: list[Row], kind: str) -> Written:
    rows = [_full(table, row) for row in records]
    if not rows:
        return _kept(rng, encoded([], "json" if kind in ("csv", "parquet") else kind))
    if kind == "parquet":
        return _kept(rng, encoded(_typed(rng, table, rows), kind))
    return _kept(rng, _csv_file(rng, rows) if kind == "csv" else _json_file(rng, rows, kind))


def _kept(rng: random.Random, file: Written) -> Written:
    """A file as it may be kept: with a byte order mark, packed."""
    content = file.content
    if file.suffix != "parquet" and rng.random() < 0.2:
        content = b"\xef\xbb\xbf" + content
    if rng.random() < 0.3:
        return Written(gzip.compress(content, mtime=0), file.rows, f"{file.suffix}.gz")
    return Written(content, file.rows, file.suffix)


def _json_file(rng: random.Random, rows: list[Row], kind: str) -> Written:
    # The first record stays whole, so that no required column is absent from all of them.
    frayed: list[Any] = [rows[0], *(_frayed(rng, row) for row in rows[1:])]
    _strew(rng, frayed, rng.choices(STRANGERS if kind == "json" else BROKEN_LINES, k=rng.randint(0, 2)))
    count = len(frayed)
    if kind == "jsonl":
        _strew(rng, frayed, rng.choices(("", "  ", "\u00a0\t"), k=rng.randint(0, 2)))
    written = encoded(frayed, kind)
    crlf = kind == "jsonl" and rng.random() < 0.3
    return Written(written.content.replace(b"\n", b"\r\n") if crlf else written.content, count, kind)


def _frayed(rng: random.Random, row: Row) -> Row:
    """A record in which some keys without a value are absent."""
    return {name: value for name, value in row.items() if value is not None or rng.random() < 0.7}


def _full(table: str, row: Row) -> Row:
    return {"id": row["id"], **{column: row.get(column) for column in COLUMNS[table] | STAMPS}, **row}


def _strew(rng: random.Random, records: list[Any], texts: Iterable[str]) -> None:
    """Put lines that are no records somewhere between them."""
    for text in texts:
        records.insert(rng.randint(0, len(records)), Junk(text))


def _csv_file(rng: random.Random, rows: list[Row]) -> Written:
    header = header_of(rows)
    texts: list[Any] = [{name: _cell(rng, row.get(name)) for name in header} for row in rows]
    _strew(rng, texts, rng.choices(("   ", "1,2", "," * len(header), "x"), k=rng.randint(0, 2)))
    count = len(texts)
    _strew(rng, texts, [""] * rng.randint(0, 2))
    quoting = rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    return Written(encoded(texts, "csv", end=rng.choice(("\n", "\r\n")), quoting=quoting).content, count, "csv")


def _cell(rng: random.Random, value: Any) -> str:
    if value is None:
        return rng.choice(("", "", "", "NULL", "\\N", "  "))
    return value if isinstance(value, str) else json_text(value)


def _typed(rng: random.Random, table: str, rows: list[Row]) -> list[Row]:
    """Rows whose columns are all text, or of a type that a database would export."""
    kinds = {"id": "id"} | COLUMNS[table] | STAMPS
    makers = {
        name: rng.choice(_TYPES[kinds[name]]) for name in kinds if kinds.get(name) in _TYPES and rng.random() < 0.5
    }
    return [
        {name: makers.get(name, _parquet_text)(value) for name, value in _full_row(rows, row).items()} for row in rows
    ]


def _full_row(rows: list[Row], row: Row) -> Row:
    return {name: row.get(name) for name in header_of(rows)}


def _parquet_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json_text(value)


def _parsed(parser: Callable[[Any], Any], make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def typed(value: Any) -> Any:
        found = parser(value)
        return None if found is None or isinstance(found, Bad) else make(found)

    return typed


_TYPES: dict[str, list[Callable[[Any], Any]]] = {
    "id": [
        _parsed(scalars.identifier, int),
        _parsed(scalars.identifier, lambda key: float(key) if key < 10**15 else float("nan")),
        _parsed(scalars.identifier, Decimal),
    ],
    "money": [
        _parsed(scalars.money, lambda amount: float(amount) if abs(amount) < 10**11 else float("nan")),
        _parsed(scalars.money, lambda amount: amount.quantize(Decimal("0.0001"))),
    ],
    "boolean": [_parsed(scalars.boolean, bool), _parsed(scalars.boolean, int), _parsed(scalars.boolean, float)],
    "date": [_parsed(scalars.date, lambda day: day), _parsed(scalars.moment, lambda at: at.replace(tzinfo=None))],
    "moment": [
        _parsed(scalars.moment, lambda at: at),
        _parsed(scalars.moment, lambda at: at.replace(tzinfo=None) + dt.timedelta(milliseconds=5)),
    ],
}
