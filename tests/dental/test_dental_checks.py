"""Every check can fail: the data is broken behind its back, and exactly that check says so, with its level."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from migration import embedded
from migration.declare import run as declared_run
from migration.declare.run import run_config
from migration.warehouse.connect import warehouse_engine
from tests.conftest import scratch_database, settings_at
from tests.dental.conftest import installation
from tests.dental.dental_cases import Export, link, operation, payment, product, role, template
from tests.dental.dental_files import Row
from tests.dental.dental_harness import CHECKS_JOB, MIGRATION_JOB, Lab, location
from tests.dental.dental_reference import TARGETS
from tests.dental.dental_small import FIRST, SECOND, grown, small

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
CARD = "4111 1111 1111 1111"
LEGACY_IDS = {
    **{f"template_{name}": "legacy_id" for name in ("predecessors", "edit_roles", "view_roles", "view_groups")},
    **dict.fromkeys(("template_products", "role_permissions", "doctor_offices"), "legacy_id"),
    **dict.fromkeys(("profiles", "doctors"), "legacy_user_id"),
    **dict.fromkeys(("patients", "cases"), "legacy_patient_id"),
    **dict.fromkeys(("orders", "shipments"), "legacy_instruction_id"),
    **dict.fromkeys(("doctor_notes", "team_communications"), "legacy_note_id"),
    **dict.fromkeys(("roles", "technicians"), "legacy_role_id"),
    "offices": "legacy_office_id",
    "products": "legacy_product_id",
    "tasks": "legacy_task_id",
    "treatment_discussions": "legacy_comment_id",
    "messages": "legacy_record_id",
    "categories": "legacy_category_id",
    "templates": "legacy_template_id",
    "files": "legacy_file_id",
    "storages": "legacy_storage_id",
    "ware": "legacy_ware_id",
    "payments": "legacy_payment_id",
    "payment_operations": "legacy_operation_id",
    "teams": "legacy_group_id",
    "notifications": "legacy_notification_id",
}
NAMED_ORPHANS = {
    ("payments", "order_id"): "payments_orders_orphans",
    ("payment_operations", "payment_id"): "payment_operations_payments_orphans",
    ("template_products", "template_id"): "template_products_templates_orphans",
    ("shipments", "order_id"): "shipments_orders_orphans",
    ("team_communications", "team_id"): "team_communications_teams_orphans",
}
COMPONENTS = (
    *("payments", "payment_operations", "template_products", "template_view_groups", "technicians", "shipments"),
    *("teams", "team_communications"),
)
# Checks of one table beside those of every table; the others of rule P's columns have `no_card_numbers` too.
OWN = {
    "payments": {"payment_amount_reconciliation", "payment_amount_mean", "patient_link_rate", "no_card_numbers"},
    "payment_operations": {"payment_operation_amount_mean", "no_card_numbers"},
    "shipments": {"shipment_per_shipped_order", "estimated_delivery"},
    "teams": {"team_set"},
    "template_view_groups": {"view_group_set"},
    "technicians": {"specialty_set", "technician_profile"},
    "template_predecessors": {"template_cycle"},
    "notifications": {"notification_partitions_complete", "no_card_numbers"},
    "migration_success_report": {"phase6_complete"},
    **{name: {"no_card_numbers"} for name in ("orders", "doctor_notes", "messages", "team_communications")},
}
OF_EVERY_TABLE = {
    *("conservation", "pk_unique", "legacy_id_unique", "required_not_null", "row_count_drift", "warning_rate"),
    "stale_rows",
}

Found = dict[str, str]


# --- running ----------------------------------------------------------------------------------------------------------


def evaluations(lab: Lab, job: str, partition: str | None = None, **options: Any) -> list[dg.AssetCheckEvaluation]:
    """Run a job and give what its checks found."""
    with lab._surroundings():
        result = (
            location()
            .defs.resolve_job_def(job)
            .execute_in_process(
                run_config=run_config(options) | QUIET,
                instance=lab.instance,
                partition_key=partition,
                raise_on_error=False,
            )
        )
    events = [each for each in result.all_events if each.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION]
    return [event.asset_check_evaluation_data for event in events]


def measure(lab: Lab, job: str = CHECKS_JOB, partition: str | None = None, **options: Any) -> Found:
    """Run a job and give the level of each of its checks, by asset and check."""
    return {
        f"{each.asset_key.path[-1]}.{each.check_name}": "passed" if each.passed else each.severity.value
        for each in evaluations(lab, job, partition, **options)
    }


def wrong(found: Found) -> Found:
    """The checks that did not pass, with their level."""
    return {name: level for name, level in found.items() if level != "passed"}


def assert_wrong(found: Found, expected: Found) -> None:
    """Exactly these checks did not pass."""
    actual = wrong(found)
    names = [name for name in actual | expected if actual.get(name) != expected.get(name)]
    lines = [f"{name}: expected {expected.get(name)}, found {found.get(name, 'nothing')}" for name in names]
    assert not lines, "\n".join(lines)


def declared() -> set[str]:
    """Every declared check, as `<asset>.<check>`."""
    return {f"{asset}.{check.name}" for asset, each in location().SYSTEM.declarations.items() for check in each.checks}


@pytest.fixture(scope="module")
def clean(server: embedded.EmbeddedServer, dental_template: str, tmp_path_factory: Any) -> Iterator[Lab]:
    """A migrated export that no check has anything to say about."""
    with installation(server, dental_template, tmp_path_factory.mktemp("clean")) as lab:
        lab.put(FIRST, small())
        assert wrong(measure(lab, MIGRATION_JOB, export_id=FIRST)) == {}
        assert [ran.failures for ran in lab.notify(FIRST, lab.partitions())] == [{}, {}]
        yield lab


@contextmanager
def copied(server: embedded.EmbeddedServer, source: Lab, home: Path) -> Iterator[Lab]:
    """A copy of an installation, to break."""
    source.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    source.engine.dispose()
    template_name = str(source.settings.database_url).rpartition("/")[2].partition("?")[0]
    for name in ("landing", "work"):
        if (source.settings.home / name).exists():
            shutil.copytree(source.settings.home / name, home / name)
    with scratch_database(server, template_name) as url, dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("dental_notification_ranges", source.partitions())
        settings = settings_at(home, url, url)
        engine = warehouse_engine(settings)
        yield Lab(settings, engine, instance)
        engine.dispose()
        declared_run.engine_of.cache_clear()


@pytest.fixture
def copy(server: embedded.EmbeddedServer, clean: Lab, tmp_path: Path) -> Iterator[Lab]:
    with copied(server, clean, tmp_path) as lab:
        yield lab


# --- ways to break a table --------------------------------------------------------------------------------------------


def columns_of(table: str) -> list[str]:
    return [column.name for column in location().SYSTEM.metadata.tables[f"dental.{table}"].columns]


def foreign_keys() -> list[tuple[str, str]]:
    """Table and column of every foreign key between business tables."""
    tables = location().SYSTEM.metadata.tables
    return [(name, key.parent.name) for name in TARGETS for key in tables[f"dental.{name}"].foreign_keys]


def without_constraints(table: str) -> str:
    """Nothing holds a table's keys together any more."""
    return (
        "DO $$ DECLARE c text; BEGIN FOR c IN SELECT conname FROM pg_constraint"
        f" WHERE conrelid = 'dental.{table}'::regclass AND contype IN ('p', 'u', 'f')"
        f" LOOP EXECUTE 'ALTER TABLE dental.{table} DROP CONSTRAINT IF EXISTS ' || quote_ident(c) || ' CASCADE';"
        " END LOOP; END $$"
    )


def one_of(table: str) -> str:
    """The condition of one row of a table."""
    return f"ctid = (SELECT ctid FROM dental.{table} ORDER BY {LEGACY_IDS[table]} LIMIT 1)"


def lost_outcome(table: str) -> list[str]:
    if table == "notifications":
        # What is plainly loaded of them is counted, not written down.
        return [f"UPDATE dental.{table.removesuffix('s')}_progress SET loaded = loaded - 1 WHERE loaded = 2"]
    where = f"target_table = '{table}' AND outcome = 'loaded'"
    return [f"DELETE FROM dental.row_ledger WHERE ctid = (SELECT min(ctid) FROM dental.row_ledger WHERE {where})"]


def twice(table: str, column: str, other: str) -> list[str]:
    """A row a second time, of another export, in which one column differs."""
    values = {name: name for name in columns_of(table)} | {column: other, "export_id": "'0'"}
    names = ", ".join(values)
    return [
        without_constraints(table),
        f"INSERT INTO dental.{table} ({names}) SELECT {', '.join(values.values())} FROM dental.{table}"
        f" WHERE {one_of(table)}",
    ]


def emptied(table: str) -> list[str]:
    column = "notification_type" if table == "notifications" else "metadata"
    return [
        f"ALTER TABLE dental.{table} ALTER COLUMN {column} DROP NOT NULL",
        f"UPDATE dental.{table} SET {column} = NULL WHERE {one_of(table)}",
    ]


def orphaned(table: str, column: str) -> list[str]:
    change = f"UPDATE dental.{table} SET {column} = gen_random_uuid() WHERE {one_of(table)}"
    return [without_constraints(table), change]


def orphan_check(table: str, column: str) -> str:
    return f"{table}.{NAMED_ORPHANS.get((table, column), 'fk_orphans')}"


# --- what is in the tables --------------------------------------------------------------------------------------------


def test_every_check_of_the_contract_is_declared() -> None:
    expected = {f"{table}.{check}" for table in TARGETS for check in OF_EVERY_TABLE}
    expected |= {orphan_check(*key) for key in foreign_keys()}
    expected |= {f"{table}.success_rate" for table in COMPONENTS}
    expected |= {f"{table}.{check}" for table, checks in OWN.items() for check in checks}
    assert expected - declared() == set()


def test_nothing_is_found_where_nothing_is_wrong(copy: Lab) -> None:
    found = measure(copy)
    assert wrong(found) == {}
    assert declared() - set(found) == set()


@pytest.mark.parametrize(
    ("check", "breaks"),
    [
        ("conservation", lost_outcome),
        ("pk_unique", lambda table: twice(table, LEGACY_IDS[table], "99998")),
        ("legacy_id_unique", lambda table: twice(table, "id", "gen_random_uuid()")),
        ("required_not_null", emptied),
    ],
)
def test_broken_tables_are_found_by_exactly_their_checks(copy: Lab, check: str, breaks: Any) -> None:
    for table in TARGETS:
        copy.execute(*breaks(table))
    # Where the outcome of a payment is lost, its money is too.
    beside = {"payments.payment_amount_reconciliation": "ERROR"} if check == "conservation" else {}
    assert_wrong(measure(copy), {f"{table}.{check}": "ERROR" for table in TARGETS} | beside)


@pytest.mark.parametrize("turn", [0, *(pytest.param(turn, marks=pytest.mark.slow) for turn in range(1, 5))])
def test_orphans_are_found_by_exactly_their_checks(copy: Lab, turn: int) -> None:
    """One foreign key of every table at once; those of a table take turns."""
    keys: dict[str, list[str]] = {}
    for table, column in foreign_keys():
        keys.setdefault(table, []).append(column)
    broken = {table: columns[turn] for table, columns in keys.items() if turn < len(columns)}
    for table, column in broken.items():
        copy.execute(*orphaned(table, column))
    expected = {orphan_check(table, column): "ERROR" for table, column in broken.items()}
    if broken.get("shipments") == "order_id":
        expected["shipments.shipment_per_shipped_order"] = "ERROR"
    assert_wrong(measure(copy), expected)


def change(table: str, what: str, key: Any) -> str:
    return f"UPDATE dental.{table} SET {what} WHERE {LEGACY_IDS[table]} = {key}"


REJECT = (
    "INSERT INTO dental.rejected_row (export_id, source_table, source_row, source_pk, target_table, reason_code, raw)"
    f" VALUES ('{FIRST}', 'dispatch_payment', 0, '0', 'other', 'X', '%s')"
)
BIN, SECRET = """'{"a": [{"Card_Bin": 1}]}'""", """'{"PASSWORD": "x"}'"""
SPECIAL: list[dict[str, tuple[str, str]]] = [
    {
        "payments.payment_amount_reconciliation": ("ERROR", change("payments", "amount = amount + 0.01", 1)),
        "payments.patient_link_rate": ("WARN", change("payments", "patient_id = NULL", 2)),
        "payments.no_card_numbers": ("ERROR", change("payments", f"""installments = '["{CARD}"]'""", 3)),
        "payment_operations.no_card_numbers": ("ERROR", change("payment_operations", f"metadata = {BIN}", 1)),
        "orders.no_card_numbers": ("ERROR", change("orders", f"notes = 'x {CARD}'", 1)),
        "doctor_notes.no_card_numbers": ("ERROR", change("doctor_notes", f"note_text = '{CARD} x'", 1)),
        "messages.no_card_numbers": ("ERROR", change("messages", f"content = '{CARD}'", 1)),
        "team_communications.no_card_numbers": ("ERROR", change("team_communications", f"body = '{CARD}'", 1)),
        "notifications.no_card_numbers": (
            "ERROR",
            change("notifications", """context = '{"a": 4111111111111111}'""", 1),
        ),
        "teams.team_set": ("WARN", change("teams", "name = 'Odd Team'", 3)),
        "template_view_groups.view_group_set": ("WARN", change("template_view_groups", "group_name = 'Sale'", 1)),
        "technicians.specialty_set": ("WARN", change("technicians", "specialty = 'Odd'", 1)),
        "shipments.shipment_per_shipped_order": ("ERROR", change("orders", "status = 'approved'", 4)),
        "shipments.estimated_delivery": (
            "ERROR",
            change("shipments", "estimated_delivery_date = estimated_delivery_date + 1", 5),
        ),
        "template_predecessors.template_cycle": (
            "WARN",
            change(
                "template_predecessors",
                "predecessor_id = (SELECT id FROM dental.templates WHERE legacy_template_id = 3)",
                1,
            ),
        ),
        "notifications.notification_partitions_complete": (
            "WARN",
            "UPDATE dental.notification_progress SET status = 'RUNNING' WHERE partition_key = '000100000'",
        ),
    },
    {
        "orders.no_card_numbers": ("ERROR", change("orders", f"""exports = '{{"a": ["{CARD}"]}}'""", 2)),
        "payments.no_card_numbers": ("ERROR", change("payments", f"metadata = {SECRET}", 1)),
        "payment_operations.no_card_numbers": ("ERROR", change("payment_operations", f"metadata = {SECRET}", 1)),
        "notifications.no_card_numbers": ("ERROR", change("notifications", f"context = {BIN}", 1)),
        "shipments.shipment_per_shipped_order": ("ERROR", change("orders", "status = 'shipped'", 1)),
        "shipments.estimated_delivery": ("ERROR", change("shipments", "estimated_delivery_date = NULL", 4)),
        "migration_success_report.phase6_complete": (
            "WARN",
            "UPDATE dental.migration_success_report SET success_rate = 99.99 WHERE component = 'PHASE6_TOTAL'",
        ),
    },
]


@pytest.mark.parametrize("broken", SPECIAL, ids=["values", "others"])
def test_broken_values_are_found_by_exactly_their_checks(copy: Lab, broken: dict[str, tuple[str, str]]) -> None:
    for _, statement in broken.values():
        copy.execute(statement)
    assert_wrong(measure(copy), {name: level for name, (level, _) in broken.items()})


@pytest.mark.parametrize(
    "raw",
    [f'{{"a": [{{"b": "{CARD}"}}]}}', '{"a": {"Password": "x"}}', '{"card_bin": "1"}'],
    ids=["card", "word", "bin"],
)
def test_card_number_in_the_quarantine_is_found(copy: Lab, raw: str) -> None:
    copy.execute(REJECT % raw)
    found = wrong(measure(copy))
    names = {name.partition(".")[2] for name in found}
    assert names == {"no_card_numbers"}
    assert set(found.values()) == {"ERROR"}


def test_digits_that_are_no_card_are_not_found(copy: Lab) -> None:
    copy.execute(
        change("orders", "notes = 'ref 4111111111111112, teeth 11 12 13 14 15 16 17 18'", 1),
        change("notifications", """context = '{"a": 4111111111111112, "b": "1700000000000"}'""", 1),
        change("payments", 'installments = \'{"passwords": 1, "n": 12.5}\'', 1),
    )
    assert wrong(measure(copy)) == {}


# --- what an export brings --------------------------------------------------------------------------------------------

GONE = 999_999


def levels(lab: Lab, export_id: str, files: Export, check: str) -> Row:
    """The levels of a check's findings in a migration, by asset."""
    lab.put(export_id, files)
    found = wrong(measure(lab, MIGRATION_JOB, export_id=export_id))
    return {name.partition(".")[0]: level for name, level in found.items() if name.partition(".")[2] == check}


def test_success_rate_below_its_minimum_is_found_and_stops_nothing(copy: Lab) -> None:
    export = grown(
        payment(901, GONE),
        operation(901, GONE),
        *(link("template_products", 900 + key, template_id=1, product_id=GONE) for key in range(3)),
        link("template_view_groups", 901, template_id=1, group_id=GONE),
        role(901, "Remote Technician", user_id=GONE, group_id=11),
        ("auth_group", {"id": 901, "name": "Archive"}),
        ("dispatch_note", {"id": 901, "doctor_id": 1, "author_id": 11, "text": "x"}),
    )
    copy.put(SECOND, export)
    found = wrong(measure(copy, MIGRATION_JOB, export_id=SECOND))
    rates = {name: level for name, level in found.items() if name.endswith((".success_rate", ".phase6_complete"))}
    assert rates == {f"{name}.success_rate": "ERROR" for name in COMPONENTS if name != "shipments"}
    statuses = copy.fetch(f"SELECT DISTINCT status FROM dental.migration_run_log WHERE export_id = '{SECOND}'")
    assert statuses == [("success",)]


def test_shipments_below_their_minimum_are_found(copy: Lab) -> None:
    copy.execute(
        "UPDATE dental.row_ledger SET outcome = 'rejected' WHERE target_table = 'shipments' AND source_pk = '4'"
    )
    found = wrong(measure(copy))
    assert found["shipments.success_rate"] == "ERROR"
    assert {name.partition(".")[0] for name in found} == {"shipments"}


def test_incomplete_phase_6_is_found(copy: Lab) -> None:
    files = grown(link("template_edit_roles", 901, template_id=GONE, role_id=1))
    assert levels(copy, SECOND, files, "phase6_complete") == {"migration_success_report": "WARN"}


def test_fewer_rows_than_from_the_export_before_are_found(copy: Lab) -> None:
    files = small()
    # One of three payments, two of ten users.
    files["dispatch_payment"].pop()
    del files["auth_user"][-2:]
    assert levels(copy, SECOND, files, "row_count_drift") == {"payments": "WARN", "profiles": "WARN"}


def test_rows_that_the_newest_export_has_not_changed_are_counted(copy: Lab) -> None:
    files = small()
    files["dispatch_payment"][0]["total_price"] = "101.00"
    copy.put(SECOND, files)
    found = [each for each in evaluations(copy, MIGRATION_JOB, export_id=SECOND) if each.check_name == "stale_rows"]
    stale = {each.asset_key.path[-1]: each.metadata["stale"].value for each in found}
    assert (stale["payments"], stale["orders"]) == (2, 5)


def test_many_warnings_are_found(copy: Lab) -> None:
    files = small()
    files["dispatch_patient"][0]["birthdate"] = "never"
    files["dispatch_category"][1]["parent_id"] = GONE
    assert levels(copy, SECOND, files, "warning_rate") == {"patients": "WARN", "categories": "WARN"}


@pytest.mark.parametrize(("total", "expected"), [("130.00", {}), ("131.00", {"payments": "WARN"})])
def test_mean_that_moves_is_found(copy: Lab, total: str, expected: Row) -> None:
    """Of three payments of 100.00 one becomes 130.00: the mean moves by a tenth."""
    files = small()
    files["dispatch_payment"][0]["total_price"] = total
    assert levels(copy, SECOND, files, "payment_amount_mean") == expected


@pytest.mark.parametrize(("price", "expected"), [("70.00", {}), ("69.00", {"payment_operations": "WARN"})])
def test_mean_of_operations_that_moves_is_found(copy: Lab, price: str, expected: Row) -> None:
    files = small()
    files["dispatch_operation"][0]["price"] = price
    assert levels(copy, SECOND, files, "payment_operation_amount_mean") == expected


# --- blocking ---------------------------------------------------------------------------------------------------------


def test_blocking_check_stops_what_comes_after(dental_lab: Lab) -> None:
    """An order whose loaded row something changes on the way: its money is not that of the file any more."""
    lab = dental_lab
    lab.put(FIRST, grown(product(3, 3), template(4)))
    lab.execute(
        "CREATE FUNCTION dental.skim() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.amount = NEW.amount - 0.01; RETURN NEW; END $$",
        "CREATE TRIGGER skim BEFORE INSERT ON dental.payments FOR EACH ROW EXECUTE FUNCTION dental.skim()",
    )
    ran = lab.migrate(FIRST)
    assert "payments" in ran.failures
    assert lab.rows("payments") == []
    assert lab.rows("payment_operations") == []
    assert len(lab.rows("orders")) == 5
    statuses = dict(lab.fetch("SELECT asset, status FROM dental.migration_run_log WHERE asset = 'payments'"))
    assert statuses == {"payments": "blocked"}
    lab.execute("DROP TRIGGER skim ON dental.payments")
    again = lab.migrate(FIRST)
    assert again.failures == {}
    assert len(lab.rows("payment_operations")) == 3
