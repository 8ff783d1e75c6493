import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from samples import DEFAULT_MONTH, billing, exported_at, month_after, next_sample, write_sample
from samples.billing import dirt
from samples.billing.ledger import Ledger, Payment
from samples.billing.world import World, money
from samples.writing import FORMATS, SampleSpec
from tests.billing.billing_reference import KEYS, LOADED, Reference, collisions, faults

SMALL = 0.05
FIRST, FOLLOWING = "20260225T190000Z", "20260325T190000Z"
BILLS = ("bill_records", "mac_bills", "soho_bills")
# What is loaded at the scale 1: some counts to the row, others within a twentieth of the figure.
EXACT = {"sales_customers": 120, "mac_partners": 8, "mac_end_customers": 1750, "soho_customers": 300}
ABOUT = {
    **{"packages": 46, "bill_records": 1500, "bill_pricing_periods": 700, "mac_bills": 100, "soho_bills": 3500},
    "payment_records": 5400,
}
REASONS = {
    *("MALFORMED_ROW", "BAD_ID", "BAD_DATE", "BAD_NUMBER", "BAD_ENUM", "BAD_REFERENCE", "MISSING_REQUIRED"),
    *("NEGATIVE_VALUE", "PERCENT_OUT_OF_RANGE", "UNKNOWN_CUSTOMER_TYPE", "PACKAGE_TYPE_MISMATCH", "BILL_FK_MISSING"),
    *("BILL_FK_CONFLICT", "ORPHAN_CUSTOMER", "ORPHAN_MAC_PARTNER", "ORPHAN_SOHO_CUSTOMER", "ORPHAN_BILL_RECORD"),
    *("ORPHAN_MAC_BILL", "ORPHAN_SOHO_BILL", "PERIOD_DAY_OUT_OF_RANGE", "PERIOD_END_BEFORE_START"),
    *("PERIOD_OUTSIDE_MONTH", "PERIOD_OVERLAP", "PAYMENT_NO_BILL", "UNKNOWN_PAYMENT_TYPE", "PAYMENT_TYPE_MISMATCH"),
}
LARGE = ("mac_end_customers", "bill_records", "bill_pricing_periods", "soho_bills", "payment_records")

Rows = dict[str, list[Any]]


def spec(scale: float = 1, seed: int = 1, edition: int = 0) -> SampleSpec:
    month = month_after(DEFAULT_MONTH) if edition else DEFAULT_MONTH
    return SampleSpec(seed, Decimal(str(scale)), exported_at(month), edition)


def records(told: SampleSpec) -> Rows:
    return {table.stem: list(table.records()) for table in billing.tables(told)}


def carried(*exports: tuple[str, Rows]) -> Reference:
    database = Reference()
    for export_id, rows in exports:
        database.load_records(export_id, rows)
    return database


@dataclass(frozen=True)
class Sample:
    """A sample at the real volumes, and what the rules make of it."""

    rows: Rows
    database: Reference

    def table(self, name: str) -> dict[Any, dict[str, Any]]:
        return self.database.tables[name]

    def objects(self, name: str) -> list[dict[str, Any]]:
        return [row for row in self.rows[name] if isinstance(row, dict)]


@pytest.fixture(scope="module")
def sample() -> Sample:
    rows = records(spec())
    return Sample(rows, carried((FIRST, rows)))


@pytest.fixture(scope="module")
def following() -> tuple[Sample, Sample]:
    """A small sample, and the same database after the one that follows it."""
    first, second = records(spec(0.2)), records(spec(0.2, edition=1))
    return Sample(first, carried((FIRST, first))), Sample(second, carried((FIRST, first), (FOLLOWING, second)))


# Bytes, volumes, formats ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_same_seed_gives_the_same_bytes(tmp_path: Path, form: str) -> None:
    one, two, other = (
        write_sample("billing", UPath(tmp_path), name, format=form, gzip=True, scale=SMALL, seed=seed)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    files = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in (one, two, other)]
    assert files[0] == files[1]
    assert len(files[0]) == 13
    assert not [name for name, content in files[0].items() if files[2][name] == content]


def test_volumes(sample: Sample) -> None:
    loaded = {name: len(sample.table(name)) for name in LOADED}
    assert {name: loaded[name] for name in EXACT} == EXACT
    assert not {name: loaded[name] for name, rows in ABOUT.items() if abs(loaded[name] - rows) > rows // 20}
    assert 14_000 < sum(map(len, sample.rows.values())) < 16_000
    assert 44_000 < len(sample.table("daily_bill_amounts")) < 46_000


def test_scale_multiplies_rows(sample: Sample) -> None:
    small = records(spec(0.25))
    for table, rows in small.items():
        assert 2.5 < len(sample.rows[table]) / len(rows) < 6, table


def test_rows_stream() -> None:
    """Millions of rows need no more memory than a few."""
    table = next(each for each in billing.tables(spec(500)) if each.stem == "payment_records")
    tracemalloc.start()
    try:
        assert len(list(islice(table.records(), 500))) == 500
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_formats_mean_the_same(tmp_path: Path) -> None:
    databases = []
    for form in FORMATS:
        folder = write_sample("billing", UPath(tmp_path) / form, FIRST, format=form, scale=SMALL)
        databases.append(Reference())
        databases[-1].load(Path(str(folder)))
    # What is no object in JSON is a row of empty cells elsewhere: the codes differ, not the numbers.
    assert len({len(each.rejected()) for each in databases}) == 1
    assert [each.tables for each in databases[1:]] == [databases[0].tables] * (len(FORMATS) - 1)


# Outcomes -------------------------------------------------------------------------------------------------------------


def test_every_reason_to_reject_occurs(sample: Sample) -> None:
    assert {code for _, code in sample.database.rejected().values()} == REASONS


def test_every_table_has_merged_rows(sample: Sample) -> None:
    outcomes = {asset: counts.outcomes for (_, asset), counts in sample.database.counts.items()}
    assert not [asset for asset in LOADED if not outcomes[asset]["merged"]]
    assert outcomes["payment_records"]["skipped"] > 0
    assert outcomes["daily_bill_amounts"] == Counter(skipped=len(sample.rows["bill_daily_amounts"]))


def test_some_customers_and_packages_were_entered_twice(sample: Sample) -> None:
    twins = {name for (name, key), row in sample.table("legacy_redirect").items() if row["target_id"] % 10**6 != key}
    assert twins == {"sales_customers", "mac_packages", "soho_packages"}
    customers = (str(row.get("customer") or row.get("customer_id")) for row in sample.objects("bill_records"))
    assert [number for number in customers if number.startswith("500")]


def test_rejected_rows_are_few(sample: Sample) -> None:
    shares = {
        asset: counts.outcomes["rejected"] / counts.source_rows
        for (_, asset), counts in sample.database.counts.items()
        if counts.source_rows
    }
    assert not {asset: share for asset, share in shares.items() if share > 0.25}
    assert not {asset: share for asset, share in shares.items() if asset in LARGE and share > 0.02}


def test_nothing_contradicts_the_target(sample: Sample, following: tuple[Sample, Sample]) -> None:
    for database in (sample.database, following[1].database):
        assert faults(database) == []
        assert collisions(database) == []


# Money ----------------------------------------------------------------------------------------------------------------


def paid(payments: tuple[Payment, ...]) -> Decimal:
    return money(sum(payment.cents for payment in payments))


def told(scale: float, edition: int) -> Iterator[tuple[str, int, Decimal, Decimal]]:
    """Table, id, total and what was received, as the samples' own story has them."""
    world = World(spec(scale, edition=edition))
    ledger = Ledger(world)
    for month in world.months():
        for bill in ledger.records(month):
            yield "bill_records", bill.id, money(bill.total), money(bill.received)
        for bill in ledger.soho_bills(month):
            yield "soho_bills", bill.id, money(bill.total), paid(bill.payments)
    for partner in world.partner_numbers():
        for bill in ledger.mac_bills(partner):
            yield "mac_bills", bill.id, money(bill.total), paid(bill.payments)


def test_dirt_does_not_touch_money(sample: Sample) -> None:
    """The rules give what the story says, but for the partners' bills that were snapshots of something else."""
    loaded = {(table, key): row for table in BILLS for key, row in sample.table(table).items()}
    wrong = Counter()
    for table, key, total, received in told(1, 0):
        row = loaded.pop((table, key))
        wrong[table] += (row["total_bill"], row["total_received"]) != (total, received)
    assert loaded == {}
    assert wrong == {"bill_records": 0, "soho_bills": 0, "mac_bills": 3}


def test_every_kind_of_bill_occurs(sample: Sample) -> None:
    records, everything = sample.table("bill_records"), [row for table in BILLS for row in sample.table(table).values()]
    assert {row["total_source"] for row in records.values()} == {"periods", "legacy", "components"}
    assert {row["customer_type"] for row in records.values()} == {"Bandwidth", "MAC", "SOHO"}
    assert {row["received_source"] for row in everything} == {"payments", "carried_over", "none"}
    assert {row["status"] for row in everything} >= {"Paid", "Partial", "Unpaid", "Active"}
    assert {row["allocated_to"] for row in sample.table("payment_records").values()} == {each[:-1] for each in BILLS}


def test_drift_stays_within_the_limits(sample: Sample) -> None:
    everything = [row for table in BILLS for row in sample.table(table).values()]
    assert 0 < sum(row["total_due"] < 0 for row in everything) <= len(everything) // 100
    assert 0 < sum(row["total_bill"] < 0 for row in everything) < 5
    odd = [row for row in sample.table("soho_bills").values() if row["total_bill"] != row["rate"]]
    assert 0 < len(odd) <= len(sample.table("soho_bills")) // 20
    late = [row for row in sample.table("bill_records").values() if row["billing_date"] > date(2027, 3, 25)]
    assert 0 < len(late) < 5


def test_every_warning_occurs(sample: Sample) -> None:
    assert set(sample.database.warnings[FIRST]) >= {
        *("numbers_regenerated", "emails_nulled", "emails_shared", "package_orphans", "payment_method_other"),
        *("periods_clamped", "period_gap_days"),
    }
    assert min(sample.database.warnings[FIRST].values()) > 0
    types = {key: row["customer_type"] for key, row in sample.table("sales_customers").items()}
    bills = sample.table("bill_records").values()
    assert [row for row in bills if row["customer_id"] and types[row["customer_id"]] != "Bandwidth"]


# Dirt -----------------------------------------------------------------------------------------------------------------

Detector = Callable[[dict[str, Any]], bool]


def text(column: str, part: str) -> Detector:
    return lambda row: part in str(row.get(column, ""))


DIRT: dict[str, tuple[str, Detector]] = {
    "blank generation": ("bill_records", lambda row: row.get("customer_type", "") in (None, "", "nan")),
    "older names": ("bill_records", lambda row: "iig_qt" in row and "ipt" not in row),
    "newer names": ("bill_records", lambda row: "ipt" in row and "iig_qt" not in row),
    "reference by its other name": ("payment_records", lambda row: "soho_bill_id" in row and "soho_bill" not in row),
    "sign of the currency": ("bill_records", text("total_bill", "৳")),
    "no-break space in money": ("bill_records", text("total_bill", "\u00a0")),
    "day first": ("bill_records", lambda row: str(row["billing_date"])[2:3] == "/"),
    "short month": ("soho_bills", text("bill_date", "-Jun-")),
    "other zone": ("payment_records", text("updated_at", "+0600")),
    "sentinel": ("payment_records", text("updated_at", "0001-01-01")),
    "percent sign": ("mac_bills", text("percentage_share", "%")),
    "speed with its unit": ("mac_packages", text("mbps", "mb")),
    "speed in the name only": ("soho_packages", lambda row: row.get("mbps", "") in (None, "", "nan", "-", "None")),
    "name of another script": ("sales_customers", text("company_name", "ঢাকা")),
    "half an emoji": ("mac_end_customers", text("name", dirt.CUT_EMOJI)),
    "NUL": ("mac_end_customers", text("name", "\x00")),
    "method of nobody": ("payment_records", text("payment_method", "Upay")),
    "read-only extras": ("mac_end_customers", lambda row: "effective_rate" in row and "mac_partner_name" in row),
    "lower-case number": ("mac_end_customers", text("mac_end_customer_number", "ktl-macec")),
}


def test_dirt_is_there(sample: Sample) -> None:
    missing = {kind for kind, (table, found) in DIRT.items() if not any(found(row) for row in sample.objects(table))}
    assert missing == set()


def test_personal_values_are_recognisable(sample: Sample) -> None:
    for table in ("sales_customers", "mac_partners", "mac_end_customers", "soho_customers"):
        rows = sample.database.tables[table].values()
        assert not [row["email"] for row in rows if row["email"] and not row["email"].endswith("example.test")]
        assert not [row["phone"] for row in rows if row["phone"] and "1000" not in row["phone"].replace(" ", "")]


# The following export -------------------------------------------------------------------------------------------------


def test_next_sample_adds_a_month(following: tuple[Sample, Sample]) -> None:
    first, second = following
    months = [{row["billing_month"] for row in each.table("bill_records").values()} for each in following]
    assert months[1] - months[0] == {date(2026, 3, 1)}
    for table in (*BILLS, "payment_records", "mac_end_customers"):
        assert len(second.table(table)) > len(first.table(table))


def test_next_sample_keeps_ids_and_pays_open_bills(following: tuple[Sample, Sample]) -> None:
    first, second = following
    for table in KEYS:
        assert set(first.table(table)) <= set(second.table(table)), table
    due = {key for key, row in first.table("soho_bills").items() if row["total_due"] > 0}
    assert [key for key in due if second.table("soho_bills")[key]["total_due"] == 0]


def test_next_sample_lacks_a_few_customers(following: tuple[Sample, Sample]) -> None:
    counts = following[1].database.counts[FOLLOWING, "soho_customers"]
    assert 0 < len(following[1].table("soho_customers")) - counts.outcomes["loaded"] < 3


def test_next_sample_is_written(tmp_path: Path) -> None:
    folder = next_sample("billing", UPath(tmp_path), FOLLOWING, scale=SMALL, gzip=True)
    assert len(list(folder.iterdir())) == 13
