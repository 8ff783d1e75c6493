"""Every check can fail: the data is broken behind its back, and that check says so, and others only where they must."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from migration import embedded
from tests.billing.billing_cases import (
    Export,
    bill,
    customer,
    daily,
    end_customer,
    export_of,
    home,
    mac_bill,
    mac_package,
    partner,
    payment,
    period,
    soho_bill,
    soho_package,
)
from tests.billing.billing_golden import example
from tests.billing.billing_harness import CHECKS_JOB, Lab, declared_checks, location
from tests.billing.billing_reference import LOADED
from tests.billing.conftest import installation

FIRST, SECOND = "20250301T000000Z", "20250401T000000Z"
TARGETS = (*LOADED, "daily_bill_amounts")
NUMBERS = {
    "sales_customers": "customer_number",
    "mac_partners": "mac_partner_number",
    "mac_end_customers": "mac_end_customer_number",
    "soho_customers": "soho_customer_number",
    "bill_records": "bill_number",
}
BILLS = {"bill_records": "bill_record_id", "mac_bills": "mac_bill_id", "soho_bills": "soho_bill_id"}
PARENTS = {
    "mac_end_customers": ("mac_partner_id", "package_id"),
    "soho_customers": ("package_id",),
    "bill_records": ("customer_id", "mac_partner_id", "soho_customer_id"),
    "bill_pricing_periods": ("bill_record_id",),
    "daily_bill_amounts": ("bill_record_id", "pricing_period_id"),
    "mac_bills": ("mac_partner_id",),
    "soho_bills": ("soho_customer_id", "package_id"),
    "payment_records": ("bill_record_id", "mac_bill_id", "soho_bill_id"),
}
WARNING_CHECKS = (
    *("bill_total_vs_legacy", "received_vs_legacy", "commission_vs_legacy", "mac_revenue_vs_end_customers"),
    *("soho_total_vs_rate", "overpaid_bills", "negative_total_bills", "carried_over_received", "emails_shared"),
    *("partner_without_share", "dates_outside_range", "customer_type_disagreement", "daily_vs_legacy"),
)
BLOCKING_CHECKS = (
    *("numbers_unique_and_wellformed", "numbers_read_only", "bill_fk_by_type", "email_unique", "packages_unique"),
    *("days_sum_to_bill", "days_complete", "breakdown_sums_to_day", "periods_no_overlap", "commission_exact"),
    *("received_equals_payments", "payment_type_matches", "last_payment_latest"),
    *(f"{table}_conservation" for table in LOADED),
    *(f"{table}_pk_unique_not_null" for table in TARGETS),
    *(f"{table}_orphans" for table in PARENTS),
)
RATES = tuple(f"{table}_reject_rate" for table in LOADED)


def clean() -> Export:
    """Rows of every table that no check has anything to say about."""
    return export_of(
        [
            customer(1, email="a@x.example"),
            customer(2, "Two", email="b@x.example"),
            partner(1, percentage_share=20),
            mac_package(1, "Starter 10 Mbps", 500),
            mac_package(2, "Second 10 Mbps", 500),
            soho_package(1, "Home 10 Mbps", 800),
            end_customer(1, 1, package=1),
            end_customer(2, 1, package=2),
            home(1, package=1),
            bill(1, customer=1, iig_qt=1, iig_qt_price=31, total_bill="31.05", total_received="10.01"),
            bill(2, soho_customer=1),
            bill(3, mac_partner=1),
            bill(4, customer=2),
            period(1, 2, 1, 15, fna=1, fna_price=60),
            period(2, 2, 16, 31, fna=1, fna_price=60),
            mac_bill(1, 1, commission="200.01"),
            mac_bill(2, 1),
            soho_bill(1, 1, package=1),
            soho_bill(2, 1),
            payment(1, bill_record=1),
            payment(2, mac_bill=1),
            payment(3, soho_bill=1),
            daily(1, 1, date="2025-01-01", daily_amount="31.05"),
        ]
    )


# --- a migrated database, to break ------------------------------------------------------------------------------------

LOOSEN = """
DO $$ DECLARE it record; BEGIN
  FOR it IN SELECT c.conrelid::regclass AS name, c.conname FROM pg_constraint c JOIN pg_namespace n
    ON n.oid = c.connamespace WHERE n.nspname = 'billing' AND c.contype IN ('f', 'u', 'c')
    AND c.conrelid::regclass::text = ANY ('{tables}'::text[])
  LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', it.name, it.conname); END LOOP;
  FOR it IN SELECT indexrelid::regclass AS name FROM pg_index WHERE indisunique AND NOT indisprimary
    AND indrelid::regclass::text = ANY ('{tables}'::text[])
  LOOP EXECUTE format('DROP INDEX %s', it.name); END LOOP;
  FOR it IN SELECT attrelid::regclass AS name, attname FROM pg_attribute WHERE attnotnull AND attnum > 0
    AND attname <> 'id' AND attrelid::regclass::text = ANY ('{tables}'::text[])
  LOOP EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', it.name, it.attname); END LOOP;
END $$
"""


@pytest.fixture(scope="module")
def migrated(server: embedded.EmbeddedServer, billing_template: str, tmp_path_factory: Any) -> Iterator[Lab]:
    """A migrated export that no check has anything to say about, in a database with keys and no other constraint."""
    with installation(server, billing_template, tmp_path_factory.mktemp("clean")) as lab:
        lab.put(FIRST, clean())
        ran = lab.migrate(FIRST)
        assert (ran.failures, ran.findings()) == ({}, {})
        lab.execute(LOOSEN.format(tables="{" + ",".join(f"billing.{table}" for table in TARGETS) + "}"))
        lab.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        lab.engine.dispose()
        yield lab


@pytest.fixture
def copy(server: embedded.EmbeddedServer, migrated: Lab, tmp_path_factory: Any) -> Iterator[Lab]:
    """A copy of it."""
    template = str(migrated.settings.database_url).rpartition("/")[2].partition("?")[0]
    home_of_copy: Path = tmp_path_factory.mktemp("copy")
    for name in ("landing", "work"):
        if (migrated.settings.home / name).exists():
            shutil.copytree(migrated.settings.home / name, home_of_copy / name)
    with installation(server, template, home_of_copy) as lab:
        yield lab


def findings(lab: Lab) -> dict[str, str]:
    """What the job of checks finds, by the check's name."""
    ran = lab.run(CHECKS_JOB)
    # A blocking check that fails is a failed step; nothing else may be one.
    assert [text for text in ran.failures.values() if "blocking asset check" not in text] == []
    return ran.findings()


def test_checks_are_those_of_the_contract() -> None:
    if not hasattr(location(), "SYSTEM"):
        pytest.skip("The billing migration is not built yet.")
    declared = {check.name for check in declared_checks()}
    assert {*WARNING_CHECKS, *BLOCKING_CHECKS, *RATES} <= declared
    blocking = {check.name for check in declared_checks() if check.blocking}
    assert set(BLOCKING_CHECKS) <= blocking
    assert blocking.isdisjoint({*WARNING_CHECKS, *RATES})


def test_nothing_is_found_where_nothing_is_wrong(copy: Lab) -> None:
    ran = copy.run(CHECKS_JOB)
    assert (ran.failures, ran.findings()) == ({}, {})
    assert {name for _, name in ran.checks} >= {*WARNING_CHECKS, *BLOCKING_CHECKS, *RATES} - {"numbers_read_only"}


# --- what is in the tables --------------------------------------------------------------------------------------------


def changed(table: str, values: str, where: str = "id = 1") -> str:
    return f"UPDATE billing.{table} SET {values} WHERE {where}"


def twice(table: str) -> str:
    """A row is there a second time."""
    return f"{keyless(table)}; INSERT INTO billing.{table} SELECT * FROM billing.{table} ORDER BY id LIMIT 1"


def keyless(table: str) -> str:
    """A table without its key."""
    key = f"ALTER TABLE billing.{table} DROP CONSTRAINT {table}_pkey CASCADE"
    return f"{key}; ALTER TABLE billing.{table} ALTER COLUMN id DROP NOT NULL"


def unlabelled(table: str) -> str:
    """One row of the ledger is lost."""
    return f"DELETE FROM billing.row_ledger WHERE target_table = '{table}' AND source_row = 1"


OTHER = "jsonb_set(service_breakdown, '{other}', '\"0.01\"')"
# The check, what breaks the data, and the checks that may say so too.
BROKEN: dict[str, tuple[str, str, tuple[str, ...]]] = {
    **{f"{table} lost": (f"{table}_conservation", unlabelled(table), ()) for table in LOADED},
    **{f"{table} twice": (f"{table}_pk_unique_not_null", twice(table), ("*",)) for table in TARGETS},
    **{
        f"{table} no id": (
            f"{table}_pk_unique_not_null",
            f"{keyless(table)}; {changed(table, 'id = NULL', first)}",
            ("*",),
        )
        for table in TARGETS
        for first in (f"id = (SELECT min(id) FROM billing.{table})",)
    },
    **{
        f"{table} {column}": (
            f"{table}_orphans",
            changed(table, f"{column} = 99", f"id = (SELECT min(id) FROM billing.{table} WHERE {column} IS NOT NULL)"),
            ("*",),
        )
        for table, columns in PARENTS.items()
        for column in columns
    },
    **{
        f"{table} {how}": ("numbers_unique_and_wellformed", changed(table, f"{column} = '{number}'"), ())
        for table, column in NUMBERS.items()
        for how, number in (("no number", "KTL-1"), ("number of another", "KTL-ABCCORPX-9"))
    },
    "impossible date in a number": (
        "numbers_unique_and_wellformed",
        changed("bill_records", "bill_number = 'KTL-BL-ABCCO-1-31022025'"),
        (),
    ),
    "bill without customer": ("bill_fk_by_type", changed("bill_records", "customer_id = NULL", "id = 4"), ()),
    "bill with two owners": ("bill_fk_by_type", changed("bill_records", "mac_partner_id = 1"), ()),
    "email twice": ("email_unique", changed("sales_customers", "email = 'b@x.example'"), ()),
    "package twice": (
        "packages_unique",
        changed("packages", "name = 'SECOND 10 Mbps'"),
        (),
    ),
    "days do not add up": (
        "days_sum_to_bill",
        changed("daily_bill_amounts", f"daily_amount = daily_amount + 0.01, service_breakdown = {OTHER}", "id = 101"),
        (),
    ),
    "day gone": ("days_complete", "DELETE FROM billing.daily_bill_amounts WHERE id = 305", ()),
    "breakdown off": (
        "breakdown_sums_to_day",
        changed("daily_bill_amounts", f"service_breakdown = {OTHER}", "id = 102"),
        (),
    ),
    "periods overlap": ("periods_no_overlap", changed("bill_pricing_periods", "end_day = 16"), ()),
    "commission off": (
        "commission_exact",
        changed("mac_bills", "commission = commission + 0.01"),
        ("commission_vs_legacy",),
    ),
    **{
        f"{table} received": (
            "received_equals_payments",
            changed(table, "total_received = total_received + 0.01"),
            ("received_vs_legacy",),
        )
        for table in BILLS
    },
    **{
        f"{table} paid by another": (
            "received_equals_payments",
            changed("payment_records", "amount = amount + 0.01", f"{column} = 1"),
            (),
        )
        for table, column in BILLS.items()
    },
    "payment of another type": ("payment_type_matches", changed("payment_records", "payment_type = 'SOHO'"), ()),
    "payment of no type": ("payment_type_matches", changed("payment_records", "payment_type = 'Other'"), ()),
    "last payment's date": ("last_payment_latest", changed("bill_records", "last_payment_date = '2025-02-04'"), ()),
    "last payment's mode": ("last_payment_latest", changed("bill_records", "last_payment_mode = 'Cash'"), ()),
    "total unlike the legacy one": (
        "bill_total_vs_legacy",
        changed("bill_records", "total_bill = 30.99"),
        ("days_sum_to_bill", "daily_vs_legacy"),
    ),
    "received unlike the legacy one": (
        "received_vs_legacy",
        changed("bill_records", "total_received = 9.99"),
        ("received_equals_payments",),
    ),
    "commission unlike the legacy one": (
        "commission_vs_legacy",
        changed("mac_bills", "commission = 199.99"),
        ("commission_exact",),
    ),
    "revenue unlike the customers'": (
        "mac_revenue_vs_end_customers",
        changed("mac_end_customers", "custom_rate = 7"),
        (),
    ),
    "home bill unlike its rate": ("soho_total_vs_rate", changed("soho_bills", "rate = 7"), ()),
    **{f"{table} overpaid": ("overpaid_bills", changed(table, "total_due = -1"), ()) for table in BILLS},
    "negative total": (
        "negative_total_bills",
        changed("bill_records", "total_bill = -1", "id = 3"),
        ("days_sum_to_bill",),
    ),
    **{
        f"{table} carried over": (
            "carried_over_received",
            changed(table, "received_source = 'carried_over'", f"id = (SELECT max(id) FROM billing.{table})"),
            (),
        )
        for table in BILLS
    },
    "partner without share": ("partner_without_share", changed("mac_partners", "percentage_share = 0"), ()),
    "mac bill of long ago": ("dates_outside_range", changed("mac_bills", "bill_date = '2019-12-31'"), ("*",)),
    "home bill of long ago": ("dates_outside_range", changed("soho_bills", "bill_date = '2019-12-31'"), ()),
    "payment of the future": (
        "dates_outside_range",
        changed("payment_records", "payment_date = '2045-01-01'"),
        ("last_payment_latest",),
    ),
    "bill of another type": ("customer_type_disagreement", changed("sales_customers", "customer_type = 'MAC'"), ()),
    "days unlike the legacy ones": (
        "daily_vs_legacy",
        changed("bill_records", "total_bill = 30.99"),
        ("days_sum_to_bill", "bill_total_vs_legacy"),
    ),
}


def batches() -> list[list[str]]:
    """Ways to break the data that can be looked at together: no check of one may be found because of another."""
    found: list[list[str]] = []
    for name, (check, _, beside) in BROKEN.items():
        if "*" not in beside:
            home = next((batch for batch in found if _goes_with(check, beside, batch)), None)
            found.append([name]) if home is None else home.append(name)
    return found


def _goes_with(check: str, beside: tuple[str, ...], batch: list[str]) -> bool:
    theirs = [BROKEN[name] for name in batch]
    return all(check not in (other, *also) and other not in beside for other, _, also in theirs)


def assert_found(lab: Lab, names: list[str]) -> None:
    """Break the data in these ways, and see the checks that they are about."""
    for name in names:
        lab.execute(BROKEN[name][1])
    found = findings(lab)
    checks = {BROKEN[name][0]: "WARN" if BROKEN[name][0] in WARNING_CHECKS else "ERROR" for name in names}
    assert {check: found.get(check) for check in checks} == checks
    beside = {check for name in names for check in BROKEN[name][2]}
    assert "*" in beside or set(found) - set(checks) <= beside


@pytest.mark.parametrize("names", batches(), ids=lambda names: names[0])
def test_broken_data_is_found_by_its_checks(copy: Lab, names: list[str]) -> None:
    assert_found(copy, names)


ALONE = ("payment_records twice", "mac_bills no id", "payment_records mac_bill_id", "mac bill of long ago")


@pytest.mark.parametrize(
    "name", [each if each in ALONE else pytest.param(each, marks=pytest.mark.slow) for each in BROKEN]
)
def test_broken_data_is_found_by_its_check(copy: Lab, name: str) -> None:
    assert_found(copy, [name])


def test_every_check_is_broken_somewhere() -> None:
    elsewhere = {"numbers_read_only", "emails_shared", *RATES}
    assert {check for check, _, _ in BROKEN.values()} == {*WARNING_CHECKS, *BLOCKING_CHECKS} - elsewhere


# --- what only a run can break ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("table", "column"), NUMBERS.items())
def test_number_that_a_run_would_change_is_not_published(billing_lab: Lab, table: str, column: str) -> None:
    lab = billing_lab
    lab.put(FIRST, clean())
    assert lab.migrate(FIRST).failures == {}
    before = lab.fetch(f"SELECT id, {column} FROM billing.{table} ORDER BY id")
    number = "KTL-BL-OTHER-' || NEW.id || '-01012025" if table == "bill_records" else _prefix(table)
    lab.execute(
        f"CREATE FUNCTION billing.spoil() RETURNS trigger LANGUAGE plpgsql AS $$"
        f" BEGIN NEW.{column} := '{number}'; RETURN NEW; END $$",
        f"CREATE TRIGGER spoil BEFORE UPDATE ON billing.{table} FOR EACH ROW EXECUTE FUNCTION billing.spoil()",
    )
    lab.put(SECOND, clean())
    ran = lab.migrate(SECOND)
    assert "numbers_read_only" in ran.findings()
    assert table in ran.failures
    assert lab.fetch(f"SELECT id, {column} FROM billing.{table} ORDER BY id") == before


def _prefix(table: str) -> str:
    prefixes = {"mac_partners": "KTL-MAC", "mac_end_customers": "KTL-MACEC", "soho_customers": "KTL-SOHO"}
    return f"{prefixes.get(table, 'KTL')}-OTHERXXX-' || NEW.id || '"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "check", "number"),
    [
        ("G1", "overpaid_bills", 1),
        ("G9", "negative_total_bills", 1),
        ("G10", "carried_over_received", 1),
        ("G11", "mac_revenue_vs_end_customers", 1),
        ("G11", "commission_vs_legacy", 1),
        ("G15", "emails_shared", 1),
        ("G16", "soho_total_vs_rate", 1),
    ],
)
def test_example_is_warned_about(billing_lab: Lab, name: str, check: str, number: int) -> None:
    billing_lab.put(FIRST, example(name))
    ran = billing_lab.migrate(FIRST)
    assert ran.failures == {}
    assert ran.findings()[check] == "WARN"
    assert ran.violations(check) == number


@pytest.mark.slow
@pytest.mark.parametrize(("bad", "expected"), [(2, None), (3, "WARN"), (25, "WARN"), (26, "ERROR")])
def test_rejected_rows_past_a_limit_are_found_and_those_at_it_are_not(
    billing_lab: Lab, bad: int, expected: Any
) -> None:
    rows = [partner(key, percentage_share=1 if key > bad else "x") for key in range(1, 101)]
    billing_lab.put(FIRST, export_of(rows))
    ran = billing_lab.migrate(FIRST)
    assert ran.failures == {}
    assert ran.findings() == ({"mac_partners_reject_rate": expected} if expected else {})
    assert ran.violations("mac_partners_reject_rate") == bad
