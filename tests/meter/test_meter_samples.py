import csv
import gzip
import io
import itertools
import json
import re
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from upath import UPath

from samples import DEFAULT_MONTH, default_export_id, exported_at, meter, next_sample, write_sample
from samples.corruptions import file_format, table_file
from samples.meter import dirt
from samples.writing import FORMATS, SampleSpec
from tests.meter.meter_reference import Reference

SMALL = 0.1
TABLES = (
    *("tenants", "users", "meters", "meter_assignments", "bills", "invoices", "invoice_bills", "payments"),
    "overpayments",
)
VOLUMES = {
    **{"tenants": 6, "users": 1300, "meters": 1400, "meter_assignments": 1450, "invoices": 3500, "bills": 5000},
    **{"invoice_bills": 5000, "payments": 3000, "overpayments": 150},
}
PERSONAL = ("email", "telephone", "phone", "address", "id_number", "password", "remember_token")


@dataclass(frozen=True)
class Exports:
    """A sample and the one that follows it, as they stand in their files."""

    first: UPath
    following: UPath


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Exports:
    landing = UPath(tmp_path_factory.mktemp("landing"))
    return Exports(
        write_sample("meter", landing, default_export_id()),
        next_sample("meter", landing, default_export_id(date(2026, 3, 1))),
    )


@pytest.fixture(scope="module")
def full(exports: Exports) -> dict[str, list[Any]]:
    return {table: read_rows(exports.first, table) for table in TABLES}


@pytest.fixture(scope="module")
def following(exports: Exports) -> dict[str, list[Any]]:
    return {table: read_rows(exports.following, table) for table in TABLES}


@pytest.fixture(scope="module")
def loaded(exports: Exports) -> Reference:
    """Both exports, one after the other."""
    reference = Reference()
    reference.load(Path(str(exports.first)))
    reference.load(Path(str(exports.following)))
    return reference


@pytest.fixture(scope="module")
def apart(exports: Exports) -> tuple[Reference, Reference]:
    """Each export in a database of its own."""
    one, two = Reference(), Reference()
    one.load(Path(str(exports.first)))
    two.load(Path(str(exports.following)))
    return one, two


def content(path: UPath) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()


def read_rows(folder: UPath, table: str) -> list[Any]:
    path = table_file(folder, table)
    if file_format(path) == "parquet":
        return pq.read_table(io.BytesIO(content(path))).to_pylist()
    if file_format(path) == "csv":
        header, *rows = csv.reader(io.StringIO(content(path).decode("utf-8-sig"), newline=""), strict=True)
        return [{key: cell or None for key, cell in zip(header, row, strict=True)} for row in rows]
    text = content(path).decode()
    if file_format(path) == "jsonl":
        return [json.loads(line, parse_float=Decimal) for line in text.splitlines()]
    return json.loads(text, parse_float=Decimal)


def objects(rows: list[Any]) -> list[dict[str, Any]]:
    return [row for row in rows if isinstance(row, dict)]


def spec(scale: float = 1, seed: int = 1, edition: int = 0) -> SampleSpec:
    return SampleSpec(seed, Decimal(str(scale)), exported_at(DEFAULT_MONTH), edition)


# Bytes, volumes, formats ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("packed", [False, True])
def test_same_seed_gives_the_same_bytes(tmp_path: Path, format: str, packed: bool) -> None:
    folders = [
        write_sample("meter", UPath(tmp_path), name, format=format, gzip=packed, scale=SMALL) for name in ("a", "b")
    ]
    files = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    assert files[0] == files[1]
    assert len(files[0]) == len(TABLES) + 1


def test_another_seed_gives_another_sample(tmp_path: Path) -> None:
    one, two = (write_sample("meter", UPath(tmp_path), f"s{seed}", seed=seed, scale=SMALL) for seed in (1, 2))
    for table in TABLES[1:]:
        assert table_file(one, table).read_bytes() != table_file(two, table).read_bytes()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_volumes(seed: int) -> None:
    for table in meter.tables(spec(seed=seed)):
        rows = sum(1 for _ in table.records())
        spread = 1 if table.stem == "tenants" else 0.25 if table.stem == "overpayments" else 0.1
        assert abs(rows - VOLUMES[table.stem]) <= max(1, spread * VOLUMES[table.stem]), table.stem


def test_scale_multiplies_rows_but_not_tenants() -> None:
    counts = []
    for scale in (1, 5):
        tables = {table.stem: table for table in meter.tables(spec(scale))}
        counts.append({stem: sum(1 for _ in tables[stem].records()) for stem in ("tenants", "users", "meters")})
    assert 4.8 < counts[1]["users"] / counts[0]["users"] < 5.2
    assert 4.8 < counts[1]["meters"] / counts[0]["meters"] < 5.2
    assert counts[1]["tenants"] < 3 * counts[0]["tenants"]


@pytest.mark.parametrize(("scale", "tenants"), [(0.01, 6), (1, 6), (100, 50)])
def test_number_of_tenants(scale: float, tenants: int) -> None:
    rows = objects(list(meter.tables(spec(scale))[0].records()))
    assert len({row["id"] for row in rows if isinstance(row["id"], int)}) == tenants


@pytest.mark.parametrize("stem", TABLES)
def test_millions_of_rows_stream(stem: str) -> None:
    tracemalloc.start()
    try:
        table = {table.stem: table for table in meter.tables(spec(3000))}[stem]
        read = sum(1 for _ in itertools.islice(table.records(), 400))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert read == 400 or stem == "tenants"
    assert peak < 8 << 20


def test_rows_do_not_wait_for_each_other() -> None:
    """What is kept while a table streams does not grow with the rows that have passed."""
    table = {table.stem: table for table in meter.tables(spec(3000))}["payments"]
    rows = table.records()
    sizes = []
    tracemalloc.start()
    try:
        for _ in range(3):
            for _ in itertools.islice(rows, 1500):
                pass
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[2] - sizes[0] < 100_000


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("packed", [False, True])
def test_formats_carry_the_same_records(tmp_path: Path, format: str, packed: bool) -> None:
    plain = write_sample("meter", UPath(tmp_path), "json", scale=SMALL)
    other = write_sample("meter", UPath(tmp_path), "other", scale=SMALL, format=format, gzip=packed)
    for table in TABLES:
        expected, rows = read_rows(plain, table), read_rows(other, table)
        if format != "jsonl":
            columns = list(rows[0])
            expected, rows = ([tabular(row, columns) for row in each] for each in (expected, rows))
        assert rows == expected


def tabular(record: Any, columns: list[str]) -> dict[str, str | None]:
    """What a text cell can carry of a JSON record."""
    record = record if isinstance(record, dict) else {}
    return {column: tabular_cell(record.get(column)) for column in columns}


def tabular_cell(value: Any) -> str | None:
    if value is None or value == "" or isinstance(value, bool | list | dict):
        return None
    if isinstance(value, Decimal):
        return f"{int(value) if value == int(value) else value:f}" if value != int(value) else str(int(value))
    return str(value)


def test_formats_give_the_same_money(tmp_path: Path) -> None:
    outcomes = []
    for format in FORMATS:
        reference = Reference()
        reference.load(Path(str(write_sample("meter", UPath(tmp_path), format, scale=0.3, format=format))))
        runs = [reference.run_steps(tenant) for tenant in reference.tenants()]
        ends = [(run.tenant, run.success, run.stopped_at) for run in runs]
        # Only the export's name, and the texts that a cell cannot tell apart, are of the format.
        meters = {key: (row["balance"], row["overpayment"]) for key, row in reference.tables["meters"].items()}
        payments = {key: (row["meter_id"], row["amount"]) for key, row in reference.tables["payments"].items()}
        findings = set(reference.tables["validation_discrepancy"])
        outcomes.append((ends, meters, payments, findings))
    assert all(outcome == outcomes[0] for outcome in outcomes)


@pytest.mark.parametrize("format", FORMATS)
def test_manifest_counts_every_row(tmp_path: Path, format: str) -> None:
    folder = write_sample("meter", UPath(tmp_path), "a", scale=SMALL, format=format)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["system"] == "meter"
    rows = {entry["name"].split(".")[0]: entry["rows"] for entry in manifest["files"]}
    assert rows == {table: len(read_rows(folder, table)) for table in TABLES}


# What the steps find --------------------------------------------------------------------------------------------------

ERRORS = {"ERROR", "CRITICAL"}
WARNINGS = {
    *("SHARED_METER", "INACTIVE_METER_BALANCE", "CUSTOMER_SPLIT", "NO_BASELINE", "INVOICE_WITHOUT_METER"),
    "TENANT_TOTAL_DRIFT",
}


def assert_tenants_keep_their_promise(reference: Reference, *, complete: bool) -> None:
    stops = {1: None, 2: None, 3: None, 4: "payments_gate", 5: "full_validation", 6: None}
    for tenant in reference.tenants():
        run = reference.run_steps(tenant)
        rows = reference.of_tenant("validation_discrepancy", tenant)
        assert run.stopped_at == stops.get(tenant), (tenant, rows)
        assert run.success is (run.stopped_at is None)
        found = {row["check_name"] for row in rows}
        if tenant in (1, 2) or tenant > 5:
            assert not rows
        elif tenant == 3:
            assert not ERRORS & {row["severity"] for row in rows}
            assert found == WARNINGS if complete else found <= WARNINGS
        elif tenant == 4:
            assert found == {"PAYMENT_WITHOUT_METER"}
        else:
            assert "CUSTOMER_DRIFT" in found
            failures = {row["check_name"] for row in rows if row["severity"] in ERRORS}
            assert failures <= {"CUSTOMER_DRIFT", "INVOICE_WITHOUT_METER", "UNASSIGNED_OVERPAYMENT"}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("write", [write_sample, next_sample])
def test_tenants_keep_their_promise(tmp_path: Path, write: Callable[..., UPath], seed: int) -> None:
    reference = Reference()
    reference.load(Path(str(write("meter", UPath(tmp_path), "a", seed=seed))))
    assert_tenants_keep_their_promise(reference, complete=True)


@pytest.mark.parametrize("scale", [0.001, SMALL, 0.4, 1.6])
def test_tenants_keep_their_promise_at_every_scale(tmp_path: Path, scale: float) -> None:
    for write, name in ((write_sample, "a"), (next_sample, "b")):
        reference = Reference()
        reference.load(Path(str(write("meter", UPath(tmp_path), name, scale=scale, seed=9))))
        assert_tenants_keep_their_promise(reference, complete=False)


def test_money_is_worth_the_migration(loaded: Reference) -> None:
    for tenant in loaded.tenants():
        loaded.run_steps(tenant)
    states = Counter(row["financial_status"] for row in loaded.tables["meters"].values())
    assert min(states.values()) > 30 and len(states) == 3
    sources = Counter(row["meter_id_source"] for row in loaded.tables["payments"].values())
    assert set(sources) == {"EXISTING", "INVOICE", "SINGLE_ACTIVE", "FIRST_ACTIVE", "FIRST_INACTIVE", "UNASSIGNED"}
    reviews = {row["reason_code"] for row in loaded.tables["meter_id_review"].values()}
    assert reviews == {
        *("METER_DIFFERS_FROM_INVOICE", "INVALID_EXISTING_METER", "INVOICE_WITHOUT_METER", "ORPHAN_INVOICE"),
        *("INVOICE_TENANT_MISMATCH", "INVOICE_CUSTOMER_MISMATCH", "CUSTOMER_FROM_INVOICE", "MULTI_METER_CUSTOMER"),
        *("NO_ACTIVE_METER", "NO_METER"),
    }
    amounts = {(row["kind"], row["severity"]) for row in loaded.tables["invoice_amount_discrepancy"].values()}
    assert amounts == {("NO_BILLS", "ERROR"), ("NO_BILLS", "WARN"), ("CHANGED", "WARN"), ("LEGACY_IDENTITY", "INFO")}
    effects = {(row["payment_id"] is None, row["status"]) for row in loaded.tables["overpayments"].values()}
    assert effects == set(itertools.product((True, False), ("available", "applied", "refunded")))


def test_carried_balances_are_much_of_the_billing(loaded: Reference) -> None:
    carried = [row for row in loaded.tables["bills"].values() if row["bill_type"] == "BALANCE"]
    assert 0.05 < len(carried) / len(loaded.tables["bills"]) < 0.3


# Dirt -----------------------------------------------------------------------------------------------------------------

OUTCOMES = {
    "tenants": {"merged"},
    "customers": {
        *("UNPARSEABLE_ROW", "MISSING_PK", "NOT_CUSTOMER", "MISSING_REQUIRED", "INVALID_REFERENCE"),
        *("ORPHAN_TENANT", "merged"),
    },
    "meters": {
        *("UNPARSEABLE_ROW", "MISSING_PK", "MISSING_REQUIRED", "INVALID_REFERENCE", "ORPHAN_TENANT", "merged"),
    },
    "meter_assignments": {
        *("UNPARSEABLE_ROW", "MISSING_PK", "MISSING_REQUIRED", "INVALID_REFERENCE", "INVALID_BOOLEAN", "merged"),
        *("ORPHAN_TENANT", "ORPHAN_CUSTOMER", "ORPHAN_METER", "TENANT_MISMATCH"),
    },
    "bills": {
        *("UNPARSEABLE_ROW", "MISSING_PK", "MISSING_REQUIRED", "INVALID_REFERENCE", "ORPHAN_TENANT"),
        *("ORPHAN_CUSTOMER", "TENANT_MISMATCH", "merged"),
    },
    "invoices": {
        *("UNPARSEABLE_ROW", "MISSING_PK", "MISSING_REQUIRED", "INVALID_REFERENCE", "ORPHAN_TENANT"),
        *("ORPHAN_CUSTOMER", "TENANT_MISMATCH", "merged"),
    },
    "invoice_bills": {
        *("UNPARSEABLE_ROW", "MISSING_PK", "MISSING_REQUIRED", "INVALID_REFERENCE", "INVALID_AMOUNT"),
        *("AMOUNT_OUT_OF_RANGE", "ORPHAN_INVOICE", "ORPHAN_BILL", "TENANT_MISMATCH", "merged"),
    },
    "payments": {
        *("UNPARSEABLE_ROW", "MISSING_PK", "INVALID_REFERENCE", "INVALID_AMOUNT", "AMOUNT_OUT_OF_RANGE"),
        *("NEGATIVE_AMOUNT", "INVALID_STATUS", "ORPHAN_TENANT", "ORPHAN_CUSTOMER", "TENANT_MISMATCH", "merged"),
    },
    "overpayments": {
        *("UNPARSEABLE_ROW", "MISSING_PK", "MISSING_REQUIRED", "INVALID_REFERENCE", "INVALID_AMOUNT"),
        *("AMOUNT_OUT_OF_RANGE", "NEGATIVE_AMOUNT", "INVALID_STATUS", "ORPHAN_TENANT", "ORPHAN_CUSTOMER"),
        *("ORPHAN_PAYMENT", "TENANT_MISMATCH", "merged"),
    },
}


@pytest.mark.parametrize("export", [0, 1])
@pytest.mark.parametrize("table", OUTCOMES)
def test_every_bad_row_is_there(loaded: Reference, exports: Exports, table: str, export: int) -> None:
    counts = loaded.counts[((exports.first, exports.following)[export].name, table)]
    found = {*counts.rejected_by, *counts.skipped_by, *(["merged"] if counts.outcomes["merged"] else [])}
    assert found == OUTCOMES[table]


def test_links_are_merged_by_id_and_by_pair(full: dict[str, list[Any]]) -> None:
    links = [row for row in objects(full["invoice_bills"]) if isinstance(row.get("id"), int)]
    ids = Counter(row["id"] for row in links)
    pairs: dict[tuple[str, str], set[int]] = {}
    for row in links:
        pairs.setdefault((str(row.get("invoice_id")), str(row.get("bill_id"))), set()).add(row["id"])
    assert max(ids.values()) > 1
    assert max(len(each) for each in pairs.values()) > 1


@pytest.mark.parametrize("scale", [0.05, SMALL, 0.5, 1])
def test_rates_stay_below_the_errors(tmp_path: Path, scale: float) -> None:
    reference = Reference()
    reference.load(Path(str(write_sample("meter", UPath(tmp_path), "a", scale=scale))))
    for (_, table), counts in reference.counts.items():
        orphans = sum(n for code, n in counts.rejected_by.items() if code.startswith("ORPHAN_"))
        assert orphans <= 0.05 * counts.source_rows, table
        assert counts.outcomes["rejected"] <= 0.1 * counts.source_rows, table


Detector = Callable[[Any], Any]


def like(pattern: str) -> Detector:
    return lambda v: isinstance(v, str) and re.fullmatch(pattern, v, re.DOTALL)


def exactly(*values: Any) -> Detector:
    return lambda v: any(v == value and type(v) is type(value) for value in values)


def of_type(*types: type) -> Detector:
    return lambda v: type(v) in types


MONEY: dict[str, Detector] = {
    "decimal": lambda v: isinstance(v, Decimal) and v.as_tuple().exponent == -2,
    "text": like(r"-?\d+\.\d\d"),
    "currency and groups": like(r"KES \d,\d{3}\.\d\d"),
    "lower case currency": like(r"kes \d+\.\d\d"),
    "currency without space": like(r"KES\d+\.\d\d"),
    "white space around": like(r"\u00a0KES +[\d,.]+\t"),
    "four decimals": like(r"\d+\.\d{4}"),
    "half a cent": lambda v: isinstance(v, Decimal) and v.as_tuple().exponent == -3 and v.as_tuple().digits[-1] == 5,
    "plus": like(r"\+\d+\.\d\d"),
    "whole": of_type(int),
}
STORED_MONEY: dict[str, Detector] = {
    **{"N/A": exactly("N/A"), "comma": exactly("1,23"), "no digit before": exactly(".5"), "null": exactly(None)},
    **{"exponent": exactly("1e3"), "out of range": exactly("KES 1,000,000,000,000.00"), "boolean": of_type(bool)},
    **{"negative": lambda v: isinstance(v, Decimal) and v < 0, "list": of_type(list)},
}
BAD_AMOUNTS: dict[str, Detector] = {
    **{"N/A": exactly("N/A"), "comma": exactly("1,23"), "exponent": exactly("1e3"), "object": of_type(dict)},
    **{"out of range": exactly("KES 1,000,000,000,000.00"), "rounds out of range": exactly("999999999999.999")},
    **{"boolean": of_type(bool), "bad groups": exactly("10,0000.00")},
}
DATES: dict[str, Detector] = {
    "ISO": like(r"\d{4}-\d\d-\d\d"),
    "slashes": like(r"\d\d/\d\d/\d{4}"),
    "with time": like(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"),
    "UTC": like(r".*T\d\d:\d\d:\d\dZ"),
    "offset": like(r".*\+03:00"),
    "day before": like(r".*T02:30:00\+03:00"),
    "zero": exactly("0000-00-00"),
    "zero with time": exactly("0000-00-00 00:00:00"),
    "impossible": exactly("2025-02-30", "31/02/2025"),
    "words": exactly("yesterday"),
    "number": of_type(int),
    "month first": exactly("12/25/2025"),
    "dots": like(r"\d\d\.\d\d\.\d{4}"),
    "no seconds": like(r".* \d\d:\d\d"),
    "hour 25": like(r".* 25:00:00"),
    "short offset": like(r".*\+0300"),
    "null": exactly(None),
    "empty": exactly(""),
}
IDS: dict[str, Detector] = {
    **{"text": like(r"[1-9]\d*"), "spaces": like(r" \d+ "), "decimal text": like(r"\d+\.00"), "point": like(r"\d+\.")},
    **{"number with fraction": of_type(Decimal), "zeros before": like(r"00\d+"), "NBSP": like("\\d+\u00a0")},
}
KEYS: dict[str, Detector] = {
    **{
        "null": exactly(None),
        "zero": exactly(0),
        "empty": exactly(""),
        "words": exactly("abc"),
        "negative": exactly(-7),
    },
    **{"grouped": exactly("1,024"), "boolean": exactly(True), "too large": exactly("9223372036854775808")},
    **{"fraction": exactly(Decimal("5.5"))},
}
PLAIN_KEY: dict[str, Detector] = {"null": exactly(None)}
REFERENCE: dict[str, Detector] = {"words": exactly("C-17"), "negative": exactly(-3), "dangling": exactly(987_654_321)}
TENANT: dict[str, Detector] = {"null": exactly(None), "words": exactly("C-17"), "dangling": exactly(987654)}


def prefixed(prefix: str, *groups: dict[str, Detector]) -> dict[str, Detector]:
    return {f"{prefix} {name}": found for group in groups for name, found in group.items()}


DIRT: dict[str, dict[str, dict[str, Detector]]] = {
    "tenants": {
        "name": {"blank": like(" +"), "old": exactly("Old Name")},
        "created_at": {"impossible": exactly("31/02/2023")},
    },
    "users": {
        "id": IDS | KEYS,
        "tenant_id": IDS | {"null": exactly(None), "blank": exactly("   "), "zero": exactly(0), "text 0": exactly("0")},
        "role": {
            **{role: exactly(role) for role in ("tenant_admin", "super_admin", "meter_reader", "admin", "owner")},
            **{"upper": exactly("CUSTOMER "), "title": exactly("Customer"), "space": exactly(" customer")},
            **{"underscore": exactly("_customer_"), "hyphen": exactly("-Customer"), "null": exactly(None)},
        },
        "name": {
            **{"empty": exactly(""), "null": exactly(None), "token": exactly("NULL"), "other token": exactly("\\N")},
            **{"quotes and comma": like('.*, ".*"'), "line break": like(".*\n.*"), "NBSP": like(".*\u00a0.*")},
            **{"number": of_type(int), "list": of_type(list), "emoji": like(".*\U0001f4a7"), "markup": like(".*<b>.*")},
        },
        "status": {"null": exactly(None), "hyphen": exactly("in-active"), "number": of_type(int)},
        "balance": MONEY
        | {"N/A": exactly("N/A"), "range": exactly(Decimal("1000000000000.00")), "null": exactly(None)},
        "overpayment": {"zero": exactly(0), "KES 0": exactly("KES 0.00"), "dash": exactly("-"), "blank": exactly("  ")},
        "created_at": DATES,
        "updated_at": {"null": exactly(None), "words": exactly("yesterday", "soon")},
    },
    "meters": {
        "id": IDS | KEYS,
        "tenant_id": TENANT,
        "meter_number": {"duplicate": exactly("KD-DUPLICATE"), "blank": exactly("   "), "number": of_type(int)},
        "status": {
            **{s: exactly(s) for s in ("active", "inactive", "disconnected", "faulty", "retired", "broken", "ACTIVE ")},
            "null": exactly(None),
        },
        "balance": {"zero": exactly(0), "garbage": exactly("N/A"), "value": exactly(Decimal("845.10"))},
        "overpayment": {"text": exactly("KES 12.00"), "null": exactly(None)},
    },
    "meter_assignments": {
        "id": IDS | KEYS,
        "tenant_id": {"null": exactly(None), "empty": exactly(""), **TENANT},
        "customer_id": IDS | REFERENCE | PLAIN_KEY,
        "meter_id": IDS | REFERENCE | PLAIN_KEY,
        "is_active": {
            **{str(v): exactly(v) for v in ("1", "true", "yes", "TRUE", " Y ", "t", "0", "false", "no", " N ", "f")},
            **{"one": exactly(1), "zero": exactly(0), "True": exactly(True), "False": exactly(False)},
            **{"null": exactly(None), "maybe": exactly("maybe"), "two": exactly(2), "list": of_type(list)},
        },
        "assigned_at": DATES,
        "unassigned_at": {"ISO": DATES["ISO"], "null": exactly(None)},
    },
    "bills": {
        "id": IDS | KEYS,
        "tenant_id": TENANT,
        "customer_id": IDS | REFERENCE | PLAIN_KEY,
        "meter_assignment_id": {"null": exactly(None), "words": exactly("A-7"), "dangling": exactly(987_654_321)},
        "bill_type": {
            **{t: exactly(t) for t in ("BALANCE", "METER_READING", "WATER_USAGE", "REGULAR_READING", "SERVICE_FEE")},
            **{t: exactly(t) for t in ("FIXED_CHARGE", "CONNECTION_FEE", "LATE_PAYMENT_PENALTY", "RECONNECTION")},
            **{t: exactly(t) for t in ("NEW_CONNECTION", "MISC. 7", "-BALANCE", "BALANCE-", "balance", "BALANCE\t")},
            **{"lower": exactly("water_usage"), "title": exactly("Water Usage"), "hyphens": like(" [A-Z]+-[A-Z]+ ")},
            **{"null": exactly(None), "number": of_type(int)},
        },
        "total_amount": MONEY | STORED_MONEY,
        "status": {"pending": exactly("pending"), "null": exactly(None)},
        "generation_date": DATES,
    },
    "invoices": {
        "id": IDS | KEYS,
        "tenant_id": TENANT,
        "customer_id": IDS | REFERENCE | PLAIN_KEY,
        "meter_id": {"null": exactly(None), "words": exactly("none"), "dangling": exactly(987_654_321)},
        "invoice_number": {"duplicate": exactly("INV-DUPLICATE"), "empty": exactly(""), "number": of_type(int)},
        "invoice_date": DATES,
        "due_date": DATES,
        "amount": MONEY | STORED_MONEY,
        "balance_brought_forward": STORED_MONEY,
        "total_amount": MONEY | STORED_MONEY,
        "paid_amount": STORED_MONEY,
        "status": {
            **{
                s: exactly(s) for s in ("not paid", "partial payment", "fully paid", "NOT PAID", "not_paid", "disputed")
            },
            **{s: exactly(s) for s in ("Reversed", "CANCELLED", "canceled", "voided", "cleared", "pending")},
            "null": exactly(None),
        },
        "state": {"open": exactly("open"), "closed": exactly("closed"), "spaced": exactly("CLOSED ")},
    },
    "invoice_bills": {
        "id": IDS | KEYS,
        "invoice_id": REFERENCE | PLAIN_KEY,
        "bill_id": REFERENCE | PLAIN_KEY,
        "amount": MONEY | BAD_AMOUNTS | {"null": exactly(None), "negative": exactly(Decimal("-40.00"))},
    },
    "payments": {
        "id": IDS | KEYS,
        "tenant_id": TENANT,
        "customer_id": IDS | REFERENCE | PLAIN_KEY | {"zero": exactly(0)},
        "invoice_id": {
            **{"null": exactly(None), "dangling": exactly(987_654_321), "words": like(r"INV-\d+"), "zero": exactly(0)},
        },
        "meter_id": {
            "null": exactly(None),
            "given": of_type(int),
            "dangling": exactly(987_654_321),
            "words": like("main"),
        },
        "amount": MONEY | BAD_AMOUNTS | {"negative": exactly(Decimal("-50.00")), "negative text": exactly("-0.01")},
        "method": {
            m: exactly(m) for m in ("cash", "mpesa", "M-PESA", "bank", "Bank Transfer", "card", "checque", "barter")
        },
        "reference": {"duplicate": exactly("Q-DUPLICATE"), "null": exactly(None), "number": of_type(int)},
        "status": {
            **{s: exactly(s) for s in ("paid", "completed", "pending", "failed", "Paid", "complete", "SUCCESS")},
            **{"reversed": like("(?i) ?reversed ?"), "cancelled": like("(?i)cancell?ed"), "null": exactly(None)},
            **{"unknown": exactly("bounced"), "number": of_type(int)},
        },
        "date": DATES,
        "reversed_at": {"time": DATES["with time"], "zero": exactly("0000-00-00 00:00:00"), "words": exactly("never")},
    },
    "overpayments": {
        "tenant_id": {"null": exactly(None)},
        "payment_id": {"null": exactly(None), "zero": exactly(0), "words": exactly("P-1"), "given": of_type(int)},
        "meter_id": {"null": exactly(None), "given": of_type(int), "words": exactly("none")},
        "status": {
            **{"available": like("(?i) ?available ?"), "applied": like("(?i)applied"), "used": exactly("used", "USED")},
            **{"refunded": like("(?i)refunded ?"), "unknown": exactly("lost")},
        },
        "amount": {"negative": exactly(Decimal("-5.00")), "garbage": exactly("N/A"), "text": like(".*KES.*")},
    },
}


def cases() -> Iterator[Any]:
    for table, columns in DIRT.items():
        for column, kinds in columns.items():
            for name, found in kinds.items():
                yield pytest.param(
                    table, column, found, id=f"{table}-{column}-{name.encode('unicode_escape').decode()}"
                )


@pytest.mark.parametrize(("table", "column", "found"), list(cases()))
def test_dirt_is_there(full: dict[str, list[Any]], table: str, column: str, found: Detector) -> None:
    assert any(found(row[column]) for row in objects(full[table]) if column in row)


@pytest.mark.parametrize("table", TABLES[1:])
def test_some_records_are_no_objects(full: dict[str, list[Any]], table: str) -> None:
    assert any(not isinstance(row, dict) for row in full[table])


@pytest.mark.parametrize(
    ("table", "column"),
    [("users", "tenant_id"), ("bills", "amount"), ("invoices", "state"), ("payments", "method"), ("meters", "balance")],
)
def test_some_records_lack_a_key(full: dict[str, list[Any]], table: str, column: str) -> None:
    assert any(column not in row for row in objects(full[table]))


def test_copies_lose_by_time_and_by_place(full: dict[str, list[Any]]) -> None:
    copies: dict[int, list[dict[str, Any]]] = {}
    for row in objects(full["payments"]):
        if type(row.get("id")) is int and row["id"] > 0:
            copies.setdefault(row["id"], []).append(row)
    groups = [group for group in copies.values() if len(group) > 1]
    assert any(len(group) == 3 for group in groups)
    assert any(group[0] == group[1] for group in groups)
    times = [tuple(row.get("updated_at") for row in group) for group in groups]
    assert any(dirt.OLD in each for each in times) and any(None in each for each in times)
    assert any(group[0] != group[1] and group[0]["updated_at"] == group[1]["updated_at"] for group in groups)


def test_active_assignments_with_an_end(loaded: Reference, exports: Exports) -> None:
    assert loaded.counts[(exports.first.name, "meter_assignments")].warnings["ASSIGNMENT_CONTRADICTION"] > 5
    assert loaded.counts[(exports.first.name, "invoices")].warnings["INVOICE_METER_DROPPED"] > 5
    assert loaded.counts[(exports.first.name, "customers")].warnings["CUSTOMER_BALANCE_UNPARSED"] > 5


def test_personal_values_are_recognisable(full: dict[str, list[Any]]) -> None:
    marks = {
        **{"email": f"@{dirt.EMAIL_DOMAIN}", "phone": dirt.PHONE_MARK, "telephone": dirt.PHONE_MARK},
        **{"address": dirt.ADDRESS_MARK, "id_number": dirt.ID_NUMBER_MARK, "password": dirt.PASSWORD_MARK},
        "remember_token": dirt.TOKEN_MARK,
    }
    seen = set()
    for table in TABLES:
        for row in objects(full[table]):
            for column in PERSONAL:
                if row.get(column):
                    assert marks[column] in row[column]
                    seen.add(column)
            others = json.dumps({k: v for k, v in row.items() if k not in PERSONAL}, default=str)
            assert not any(mark in others for mark in marks.values())
    assert seen == set(PERSONAL)


def test_unusable_users_carry_personal_values_too(full: dict[str, list[Any]]) -> None:
    assert any(row.get("email") and row.get("id") == "abc" for row in objects(full["users"]))


# The export that follows ----------------------------------------------------------------------------------------------


def by_id(loaded_table: list[Any]) -> dict[int, dict[str, Any]]:
    return {row["id"]: row for row in objects(loaded_table) if type(row.get("id")) is int and row["id"] > 0}


@pytest.mark.parametrize("table", TABLES)
def test_next_sample_loses_a_few_rows(apart: tuple[Reference, Reference], table: str) -> None:
    one, two = apart
    target = "customers" if table == "users" else table
    before, after = set(one.tables[target]), set(two.tables[target])
    assert len(before - after) <= 0.02 * len(before)
    if table not in ("tenants", "overpayments"):
        assert before - after
    if table != "tenants":
        assert after - before


@pytest.mark.parametrize("scale", [0.001, SMALL, 0.3])
def test_small_samples_never_shrink_too_much(tmp_path: Path, scale: float) -> None:
    reference = Reference()
    for write, name in ((write_sample, "a"), (next_sample, "b")):
        before = {table: set(rows) for table, rows in reference.tables.items()}
        reference.load(Path(str(write("meter", UPath(tmp_path), name, scale=scale, seed=4))))
        for table in VOLUMES:
            target = "customers" if table == "users" else table
            gone = before[target] - set(reference.tables[target])
            assert len(gone) <= 0.05 * len(before[target]), table


def test_next_sample_adds_a_month(full: dict[str, list[Any]], following: dict[str, list[Any]]) -> None:
    first, second = (Counter(str(r.get("invoice_date"))[:7] for r in objects(t["invoices"])) for t in (full, following))
    assert first["2026-03"] == 0 < second["2026-03"]
    assert 0.97 < second["2026-01"] / first["2026-01"] < 1.03
    new = by_id(following["payments"]).keys() - by_id(full["payments"]).keys()
    assert 500 < len(new) < 2000


def test_next_sample_changes_statuses(full: dict[str, list[Any]], following: dict[str, list[Any]]) -> None:
    changes: dict[str, set[tuple[Any, Any]]] = {}
    for table in ("invoices", "payments", "meters", "overpayments"):
        old, new = by_id(full[table]), by_id(following[table])
        pairs = {(old[key].get("status"), new[key].get("status")) for key in old.keys() & new.keys()}
        changes[table] = {(a, b) for a, b in pairs if a != b}
    assert ("not paid", "fully paid") in changes["invoices"]
    assert ("pending", "paid") in changes["payments"]
    assert ("paid", "reversed") in changes["payments"] or ("completed", "reversed") in changes["payments"]
    assert ("active", "disconnected") in changes["meters"]
    assert {b for _, b in changes["overpayments"]} & {"Applied", "applied", "used", "USED"}


def test_next_sample_leaves_old_money_alone(apart: tuple[Reference, Reference]) -> None:
    one, two = apart
    for table in ("bills", "payments", "invoice_bills", "overpayments"):
        old, new = one.tables[table], two.tables[table]
        column = "total_amount" if table == "bills" else "amount"
        assert all(old[key][column] == new[key][column] for key in old.keys() & new.keys()), table


def test_next_sample_writes_some_links_anew(apart: tuple[Reference, Reference]) -> None:
    pairs = [
        {(row["invoice_id"], row["bill_id"]): key for key, row in each.tables["invoice_bills"].items()}
        for each in apart
    ]
    anew = [pair for pair in pairs[0].keys() & pairs[1].keys() if pairs[0][pair] != pairs[1][pair]]
    assert 0 < len(anew) < 0.02 * len(pairs[0])


def test_latest_tenant_gets_its_first_customers(apart: tuple[Reference, Reference]) -> None:
    assert not apart[0].of_tenant("customers", 6)
    assert apart[1].of_tenant("customers", 6)
    assert apart[1].of_tenant("invoices", 6)
