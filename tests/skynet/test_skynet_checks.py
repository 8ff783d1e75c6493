"""Every check can fail: the data is broken behind its back, and exactly that check says so, with its level and keys."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from migration import embedded
from migration.errors import SetupError
from migration.warehouse.connect import warehouse_engine
from skynet_assets.checks import expected_customers
from tests.conftest import scratch_database
from tests.skynet.cases import branch, customer, numbered, payment
from tests.skynet.conftest import installation
from tests.skynet.harness import Lab, Row, checks_by_name

ID = "20260210T030000Z"
NEXT = "20260310T030000Z"
COUNT = 20
PAYING = 18
PHOTOS = {"SKYNET_PHOTO_ALLOWED_HOSTS": "photos.example.test", "SKYNET_BASELINE_CUSTOMERS": str(COUNT)}


def customers() -> list[Row]:
    """Twenty customers with two packages, two routers and one photo; the last two pay nothing."""
    rows = [customer(each) for each in numbered(COUNT)]
    rows[0]["ktp_photo_url"] = "https://photos.example.test/a.jpg"
    rows[1] |= {"paket": "Home 20M", "harga": 200000, "nama_router": "B"}
    return rows


def payments() -> list[Row]:
    return [payment(each) for each in numbered(PAYING)]


def export(**changes: list[Any]) -> dict[str, list[Any]]:
    dashboard = {"jumlah_pelanggan": COUNT, "pelanggan_lunas": PAYING, "total_pemasukan": 150000 * PAYING}
    branches = [branch(**dashboard), branch("Elsewhere", jumlah_pelanggan=0, total_pemasukan=0)]
    return {"customers": customers(), "transactions": payments(), "branches": branches} | changes


# --- what is in the tables --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded(
    server: embedded.EmbeddedServer, skynet_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """An installation with a clean export that no check has anything to say about."""
    with installation(server, skynet_template, tmp_path_factory.mktemp("home")) as lab:
        lab.environment = PHOTOS
        lab.put(ID, export())
        assert lab.run(ID).success
        lab.execute("UPDATE skynet.routers SET ip_address = '192.0.2.1', username = 'u', password = 'p'")
        forget_connections(lab)
        yield lab


def forget_connections(lab: Lab) -> None:
    """Let go of a database, so that it can be copied."""
    lab.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    lab.engine.dispose()


@pytest.fixture
def copy(server: embedded.EmbeddedServer, loaded: Lab) -> Iterator[Lab]:
    """A copy of the loaded database, to break."""
    template = str(loaded.settings.database_url).rpartition("/")[2].partition("?")[0]
    with scratch_database(server, template) as url:
        settings = replace(loaded.settings, database_url=url)
        engine = warehouse_engine(settings)
        yield Lab(settings, engine, environment=loaded.environment)
        engine.dispose()


def test_nothing_is_found_where_nothing_is_wrong(copy: Lab) -> None:
    ran = copy.run(job="skynet_checks")
    assert ran.success
    assert ran.findings() == {}
    assert set(ran.checks) == set(checks_by_name())


FIRST = "(SELECT min(id::text)::uuid FROM skynet.{0})"
LAST = "(SELECT max(id::text)::uuid FROM skynet.{0})"


def same_id(table: str) -> str:
    return f"UPDATE skynet.{table} SET id = {FIRST.format(table)} WHERE id = {LAST.format(table)}"


def without_outcome(target: str) -> str:
    return (
        f"DELETE FROM skynet.row_ledger WHERE ctid = (SELECT min(ctid) FROM skynet.row_ledger"
        f" WHERE target_table = '{target}' AND outcome = 'loaded')"
    )


def logged(asset: str, export_id: str) -> str:
    return (
        "INSERT INTO skynet.migration_run_log (run_id, export_id, asset, dry_run, started_at, finished_at, status)"
        f" VALUES ('r', '{export_id}', '{asset}', false, '2020-01-01', '2020-01-01', 'success')"
    )


def drop(table: str, constraint: str) -> str:
    return f"ALTER TABLE skynet.{table} DROP CONSTRAINT IF EXISTS {constraint} CASCADE"


FEW = "('SRGD0003', 'SRGD0004', 'SRGD0005')"
CONSERVED = (
    "packages",
    "routers",
    "customers",
    "identity_card_photos",
    "invoices",
    "transactions",
    "branch_summaries",
)
BROKEN: dict[str, tuple[str, list[str], list[str] | None]] = {
    **{f"{table}_conservation": ("ERROR", [without_outcome(table)], None) for table in CONSERVED},
    "export_regression": ("WARN", [logged("customers", "99991231T000000Z")], None),
    "customers_fk": (
        "ERROR",
        [
            drop("customers", "customers_package_id_fkey"),
            "UPDATE skynet.customers SET package_id = gen_random_uuid() WHERE id = 'SRGD0003'",
        ],
        ["SRGD0003"],
    ),
    "customers_key_unique": (
        "ERROR",
        [drop("customers", "customers_pkey"), "UPDATE skynet.customers SET id = 'SRGD0019' WHERE id = 'SRGD0020'"],
        ["SRGD0019"],
    ),
    "packages_key_unique": (
        "ERROR",
        [
            drop("packages", "packages_pkey"),
            f"UPDATE skynet.customers SET package_id = {FIRST.format('packages')}",
            same_id("packages"),
        ],
        None,
    ),
    "routers_key_unique": (
        "ERROR",
        [
            drop("routers", "routers_pkey"),
            f"UPDATE skynet.customers SET router_id = {FIRST.format('routers')}",
            same_id("routers"),
        ],
        None,
    ),
    "invoices_key_unique": (
        "ERROR",
        [
            drop("invoices", "invoices_pkey"),
            f"UPDATE skynet.transactions SET invoice_id = {FIRST.format('invoices')}",
            same_id("invoices"),
        ],
        None,
    ),
    "invoices_unique": (
        "ERROR",
        [
            drop("invoices", "invoices_customer_id_period_key"),
            "UPDATE skynet.invoices SET customer_id = 'SRGD0003' WHERE customer_id = 'SRGD0004'",
        ],
        ["SRGD0003 2026-02-01"],
    ),
    "transactions_key_unique": ("ERROR", [drop("transactions", "transactions_pkey"), same_id("transactions")], None),
    "branch_summaries_key_unique": (
        "ERROR",
        [drop("branch_summaries", "branch_summaries_pkey"), same_id("branch_summaries")],
        None,
    ),
    "invoice_orphans": (
        "ERROR",
        [
            drop("invoices", "invoices_customer_id_fkey"),
            "UPDATE skynet.invoices SET customer_id = 'GONE' WHERE customer_id = 'SRGD0003'",
        ],
        None,
    ),
    "transaction_orphans": (
        "ERROR",
        [
            drop("transactions", "transactions_invoice_id_fkey"),
            "UPDATE skynet.transactions SET invoice_id = gen_random_uuid() WHERE customer_id = 'SRGD0003'",
        ],
        None,
    ),
    "identity_card_photos_orphans": (
        "ERROR",
        [
            drop("identity_card_photos", "identity_card_photos_customer_id_fkey"),
            "UPDATE skynet.identity_card_photos SET customer_id = 'GONE'",
        ],
        ["GONE"],
    ),
    "paid_total_drift": (
        "ERROR",
        ["UPDATE skynet.invoices SET amount_paid = amount_paid + 0.01 WHERE customer_id = 'SRGD0006'"],
        ["2026-02-01 0.01"],
    ),
    "paid_but_underpaid": (
        "WARN",
        ["UPDATE skynet.invoices SET amount = amount + 0.01 WHERE customer_id = 'SRGD0007'"],
        None,
    ),
    "paid_at_nulls": ("WARN", ["UPDATE skynet.transactions SET paid_at = NULL WHERE customer_id = 'SRGD0003'"], None),
    "pppoe_username_duplicates": (
        "WARN",
        ["UPDATE skynet.customers SET pppoe_username = 'one' WHERE id IN ('SRGD0003', 'SRGD0004')"],
        ["SRGD0003"],
    ),
    "pppoe_password_missing": ("WARN", ["UPDATE skynet.customers SET pppoe_password = NULL"], None),
    "customers_without_router": ("WARN", [f"UPDATE skynet.customers SET router_id = NULL WHERE id IN {FEW}"], None),
    "customers_without_package": ("WARN", [f"UPDATE skynet.customers SET package_id = NULL WHERE id IN {FEW}"], None),
    "package_multiple_prices": ("WARN", ["UPDATE skynet.packages SET name_key = 'P'"], ["P"]),
    "package_price_known": (
        "WARN",
        ["UPDATE skynet.packages SET price = NULL WHERE name_key = 'HOME 20M'"],
        ["HOME 20M"],
    ),
    "routers_credentials_complete": (
        "WARN",
        ["UPDATE skynet.routers SET password = NULL, username = NULL WHERE name = 'B'"],
        ["B username,password"],
    ),
    "branch_balance": (
        "WARN",
        ["UPDATE skynet.branch_summaries SET balance_mismatch = true WHERE branch_key = 'ELSEWHERE'"],
        ["ELSEWHERE"],
    ),
    "branch_reconciliation": (
        "WARN",
        [
            "UPDATE skynet.branch_summaries SET customers_paid = 15, income_total = 2672999.99"
            " WHERE branch_key <> 'ELSEWHERE'"
        ],
        ["SKYNET-SRIGADING customers_paid", "SKYNET-SRIGADING income_total"],
    ),
    "photos_blocked": (
        "WARN",
        ["UPDATE skynet.identity_card_photos SET status = 'blocked', error_code = 'X'"],
        ["SRGD0001 X"],
    ),
    "photos_failed": (
        "WARN",
        [
            logged("identity_card_photo_files", ID),
            "UPDATE skynet.identity_card_photos SET status = 'failed', error_code = 'X'",
        ],
        ["SRGD0001 X"],
    ),
}


# Tables broken at once, each in a way that leaves the others' checks alone: one look finds them all.
BATCHES = [list(BROKEN)[start::6] for start in range(6)]


def assert_found(lab: Lab, names: list[str]) -> None:
    for name in names:
        lab.execute(*BROKEN[name][1])
    ran = lab.run(job="skynet_checks")
    assert ran.findings() == {name: BROKEN[name][0] for name in names}
    for name in names:
        keys = BROKEN[name][2]
        assert keys is None or ran.keys[name] == keys


@pytest.mark.parametrize("names", BATCHES, ids=lambda names: names[0])
def test_broken_tables_are_found_by_exactly_their_checks(copy: Lab, names: list[str]) -> None:
    assert_found(copy, names)


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_broken_table_is_found_by_exactly_its_check(copy: Lab, name: str) -> None:
    assert_found(copy, [name])


WITHIN = [
    "UPDATE skynet.customers SET router_id = NULL WHERE id IN ('SRGD0003', 'SRGD0004')",
    "UPDATE skynet.customers SET package_id = NULL WHERE id IN ('SRGD0003', 'SRGD0004')",
    "UPDATE skynet.customers SET pppoe_password = NULL WHERE id <> 'SRGD0003'",
    "UPDATE skynet.branch_summaries SET customers_paid = 16, customers_total = 22, customers_unpaid = 2,"
    " income_total = 2673000 WHERE branch_key <> 'ELSEWHERE'",
]


def test_shares_exactly_at_their_limits_pass(copy: Lab) -> None:
    copy.execute(*WITHIN)
    assert copy.run(job="skynet_checks").findings() == {}


# --- what is in the staged frames -------------------------------------------------------------------------------------


def frame_of(lab: Lab, name: str) -> tuple[Path, dict[str, Any]]:
    """A frame's folder and pointer."""
    folder = Path(lab.settings.work.path) / "skynet" / ID / name
    return folder, json.loads((folder / "current.json").read_bytes())


def with_row(rows: pa.Table, row: int, column: str, value: Any) -> pa.Table:
    at = rows.schema.get_field_index(column)
    values = rows[column].to_pylist()
    values[row] = value
    return rows.set_column(at, rows.schema.field(at), pa.array(values, rows.schema.field(at).type))


FRAMES: dict[str, tuple[str, Callable[[pa.Table], pa.Table]]] = {
    "customers_schema": ("ERROR", lambda rows: with_row(rows, 3, "billing_day", 32)),
    "customers_id_unique": ("ERROR", lambda rows: with_row(rows, 3, "id", "SRGD0001")),
    "status_recognised": ("WARN", lambda rows: with_row(rows, 3, "warnings", "phone_invalid,status_unrecognised")),
}


@pytest.mark.parametrize("name", FRAMES)
def test_broken_frame_is_found_by_exactly_its_check(copy: Lab, name: str) -> None:
    level, change = FRAMES[name]
    folder, pointer = frame_of(copy, "customers_final")
    path = folder / pointer["run_id"] / "all.parquet"
    whole = path.read_bytes()
    try:
        pq.write_table(change(pq.read_table(path)), path)
        ran = copy.run(job="skynet_checks")
    finally:
        path.write_bytes(whole)
    assert ran.findings() == {name: level}


@pytest.mark.parametrize(
    ("frame", "part", "name"),
    [
        ("customers_clean", "all", "customers_clean_conservation"),
        ("payments_clean", "2026-02-01", "payments_clean_conservation"),
    ],
)
def test_row_lost_from_a_frame_is_found(copy: Lab, frame: str, part: str, name: str) -> None:
    folder, pointer = frame_of(copy, frame)
    path = folder / "current.json"
    whole = path.read_bytes()
    try:
        pointer["rows"][part] -= 1
        path.write_text(json.dumps(pointer))
        ran = copy.run(job="skynet_checks")
    finally:
        path.write_bytes(whole)
    assert ran.findings() == {name: "ERROR"}


# --- what an export brings --------------------------------------------------------------------------------------------

STAGED = ["export", "customers_clean", "customers_final"]


def changed(count: int, **values: Any) -> list[Row]:
    """The customers, so many of them with other values."""
    rows = customers()
    return [row | values for row in rows[:count]] + rows[count:]


def doubled(count: int) -> list[Row]:
    return [*customers(), *customers()[:count]]


def more(count: int, *rows: Any) -> list[Any]:
    return [*customers(), *(list(rows) * count)]


# The check, its limit's far and near side: customers past it, and customers just within it.
SHARES: dict[str, tuple[list[Any], list[Any]]] = {
    "duplicate_rate": (doubled(7), doubled(6)),
    "coordinates_quality": (changed(3, koordinat="-6.2,106.8"), changed(2, koordinat="di rumah")),
    "registered_at_nulls": (changed(3, tanggal_registrasi="besok"), changed(2, tanggal_registrasi=None)),
    "billing_day_nulls": (changed(2, jatuh_tempo="45"), changed(1, jatuh_tempo="0")),
    "phone_nulls": (changed(3, telepon="0"), changed(2, telepon="12")),
    "nik_invalid": (changed(5, nik="123"), changed(4, nik="1e15")),
    "registered_in_future": (changed(1, tanggal_registrasi="11-02-2026"), changed(1, tanggal_registrasi="10-02-2026")),
    "status_recognised": (changed(1, connection_status="aneh"), changed(1, connection_status="Unknown")),
    "customers_row_drift": (customers()[:15], customers()[:16]),
}


@pytest.mark.parametrize("name", SHARES)
def test_export_past_a_limit_warns_and_one_at_it_does_not(module_lab: Lab, name: str) -> None:
    module_lab.environment = PHOTOS
    found = []
    for side, rows in zip(("past", "at"), SHARES[name], strict=True):
        export_id = f"{name}-{side}"
        module_lab.put(export_id, export(customers=rows))
        module_lab.execute("DELETE FROM skynet.migration_run_log")
        ran = module_lab.run(export_id, selection=STAGED)
        assert ran.failures == {}
        found.append(ran.findings())
    assert found == [{name: "WARN"}, {}]


def test_day_of_the_export_is_that_of_the_branches(lab: Lab) -> None:
    lab.environment = PHOTOS
    for export_id, registered, level in (("1", "11-02-2026", "passed"), ("2", "12-02-2026", "WARN")):
        rows = changed(1, tanggal_registrasi=registered)
        lab.put(export_id, export(customers=rows), exported_at="2026-02-10T19:00:00Z")
        assert lab.run(export_id, selection=STAGED).checks["registered_in_future"] == level


@pytest.mark.parametrize(
    ("stem", "ids", "keys"),
    [
        ("customers_final", numbered(COUNT), None),
        ("customers_final", [" srgd0001&nbsp;", *numbered(COUNT)[1:]], None),
        ("customers_final", numbered(COUNT - 1), ["SRGD0020"]),
        ("customers_clean", [*numbered(COUNT), "NEW"], ["NEW"]),
    ],
)
def test_legacy_list_with_other_ids_warns(lab: Lab, stem: str, ids: list[str], keys: list[str] | None) -> None:
    lab.environment = PHOTOS
    lab.put(ID, export(**{stem: [{"id_pelanggan": each} for each in ids]}))
    ran = lab.run(ID, selection=STAGED)
    assert ran.findings() == ({"legacy_final_drift": "WARN"} if keys else {})
    assert ran.keys["legacy_final_drift"] == (keys or [])


@pytest.mark.parametrize(("kept", "level"), [(19, None), (18, "WARN"), (16, "WARN"), (15, "ERROR"), (40, None)])
def test_fewer_customers_than_in_the_export_before(lab: Lab, kept: int, level: str | None) -> None:
    lab.environment = PHOTOS
    lab.put(ID, export())
    lab.put(NEXT, export(customers=(customers() + [customer(f"X{n}") for n in range(20)])[:kept]))
    assert lab.run(ID, selection=STAGED).success
    ran = lab.run(NEXT, selection=STAGED)
    assert ran.findings() == ({"customers_row_drift": level} if level else {})
    assert ("customers_row_drift" in ran.failures.get("customers_final", "")) == (level == "ERROR")


@pytest.mark.parametrize(("bad", "level"), [(1, None), (2, "WARN"), (10, "WARN"), (11, "ERROR")])
def test_rejected_customers(lab: Lab, bad: int, level: str | None) -> None:
    lab.environment = PHOTOS | {"SKYNET_BASELINE_CUSTOMERS": str(100 - bad)}
    rows = [customer(each) for each in numbered(100 - bad)] + [customer("")] * bad
    lab.put(ID, export(customers=rows))
    ran = lab.run(ID, selection=[*STAGED, "packages", "routers", "customers"])
    expected = {"customers_reject_rate": level, "routers_credentials_complete": "WARN"}
    assert {k: v for k, v in expected.items() if v and k in ran.checks} == ran.findings()
    if level == "ERROR":
        assert_blocked(lab, ran.failures, "customers_clean", "customers_reject_rate")
        assert (lab.count("customers"), lab.count("rejected_row")) == (0, bad)


def assert_blocked(lab: Lab, failures: dict[str, str], asset: str, check: str) -> None:
    assert list(failures) == [asset]
    assert failures[asset] == f"Blocked, no row published: {check}."
    logged = lab.fetch(f"SELECT status, error FROM skynet.migration_run_log WHERE asset = '{asset}'")
    assert logged == [("blocked", f"Blocked by {check}")]


@pytest.mark.parametrize(
    ("bad", "count", "findings"),
    [
        (payment("GONE"), 1, {}),
        (payment("GONE"), 2, {"payments_orphan_rate": "WARN"}),
        (payment("GONE"), 5, {"payments_orphan_rate": "WARN"}),
        (payment("GONE"), 6, {"payments_orphan_rate": "ERROR"}),
        (payment(periode="Semua"), 1, {}),
        (payment(periode="Semua"), 2, {"payments_reject_rate": "WARN"}),
        (payment(periode="Semua"), 10, {"payments_reject_rate": "WARN"}),
        (payment(periode="Semua"), 11, {"payments_reject_rate": "ERROR"}),
    ],
)
def test_rejected_payments(copy: Lab, bad: Row, count: int, findings: dict[str, str]) -> None:
    export_id = f"{NEXT}-{bad['periode'][0]}{bad['id_pelanggan'][0]}{count}"
    copy.put(export_id, export(transactions=[payment()] * (100 - count) + [bad] * count))
    staged = [*STAGED, "packages", "routers", "customers", "payments_clean"]
    ran = copy.run(export_id, selection=staged)
    assert ran.findings() == findings
    if "ERROR" in findings.values():
        ((status,),) = copy.fetch(
            f"SELECT status FROM skynet.migration_run_log WHERE asset = 'payments_clean' AND export_id = '{export_id}'"
        )
        assert status == "blocked"
        assert copy.count("rejected_row") == 2 * count
        later = copy.run(export_id, job="skynet_months")
        assert later.failures["invoices"].startswith("GateShut: ")
        assert copy.count("invoices") == PAYING


# --- all of them ------------------------------------------------------------------------------------------------------

ELSEWHERE = {
    "customers_clean_conservation",
    "payments_clean_conservation",
    "legacy_final_drift",
    "customers_reject_rate",
    "payments_orphan_rate",
    "payments_reject_rate",
    "branches_given",  # with the bad input
}


def test_every_check_is_broken_somewhere_here() -> None:
    assert set(BROKEN) | set(FRAMES) | set(SHARES) | ELSEWHERE == set(checks_by_name())


_BASELINE = "SKYNET_BASELINE_CUSTOMERS"


@pytest.mark.parametrize(("environment", "expected"), [({}, 1743), ({_BASELINE: ""}, 1743), ({_BASELINE: "12"}, 12)])
def test_expected_customers(environment: dict[str, str], expected: int) -> None:
    assert expected_customers(environment) == expected


@pytest.mark.parametrize("given", ["0", "many", "-1", "1.5"])
def test_an_expectation_that_is_no_number_is_refused(given: str) -> None:
    with pytest.raises(SetupError, match=_BASELINE):
        expected_customers({_BASELINE: given})
