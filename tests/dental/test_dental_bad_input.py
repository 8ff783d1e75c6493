"""Bad input, one case per kind: exports that abort, rows that are rejected, values that only warn."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.dental.dental_cases import (
    doctor_office,
    link,
    note,
    notification,
    office,
    operation,
    order,
    patient,
    payment,
    product,
    role,
    template,
    user,
)
from tests.dental.dental_comparing import UNRANGED
from tests.dental.dental_files import TABLES
from tests.dental.dental_golden import View
from tests.dental.dental_harness import UNKEYED, Lab
from tests.dental.dental_reference import TARGETS
from tests.dental.dental_small import FIRST, SECOND, grown, small
from tests.dental.dental_writing import Junk, Written, encoded, put_export

CANARY = "canary7291"
Change = Callable[[Path], Any]


# --- exports that abort -----------------------------------------------------------------------------------------------


def replaced(name: str, content: bytes, old: str | None = None) -> Change:
    def change(folder: Path) -> None:
        (folder / (old or name)).unlink()
        (folder / name).write_bytes(content)

    return change


def without(table: str) -> Change:
    return lambda folder: (folder / f"{table}.json").unlink()


def manifest(**changes: Any) -> Change:
    def change(folder: Path) -> None:
        files = [{"name": path.name} for path in sorted(folder.glob("*.json"))]
        document = {"system": "dental", "exported_at": None, "files": files} | changes
        (folder / "manifest.json").write_text(json.dumps(document))

    return change


def mentioned(**facts: Any) -> Change:
    return manifest(files=[{"name": "dispatch_payment.json", **facts}])


PAYMENTS = "dispatch_payment.json"
BROKEN = json.dumps([{"id": 1, "name": CANARY}]).encode()
ABORTS: dict[str, tuple[Change, str, tuple[str, ...]]] = {
    **{
        f"no {table.name}": (without(table.name), "MissingSourceFile", (table.name,))
        for table in TABLES.values()
        if table.required
    },
    "two files for a table": (
        lambda folder: (folder / "dispatch_payment.csv.gz").write_bytes(b""),
        "AmbiguousSource",
        (PAYMENTS, "dispatch_payment.csv.gz"),
    ),
    "two files for an optional table": (
        lambda folder: (folder / "dispatch_ware.jsonl").write_bytes(b""),
        "AmbiguousSource",
        ("dispatch_ware.json",),
    ),
    "other sha256": (mentioned(sha256="0" * 64), "ManifestMismatch", (PAYMENTS,)),
    "other row count": (mentioned(rows=400), "ManifestMismatch", (PAYMENTS,)),
    "listed file absent": (manifest(files=[{"name": "gone.json"}]), "ManifestMismatch", ("gone.json",)),
    "another system": (manifest(system="meter"), "ManifestMismatch", ()),
    "cut gzip": (
        replaced(f"{PAYMENTS}.gz", gzip.compress(BROKEN)[:-9], PAYMENTS),
        "ExportFormatError",
        (f"{PAYMENTS}.gz",),
    ),
    "no gzip": (replaced(f"{PAYMENTS}.gz", BROKEN, PAYMENTS), "ExportFormatError", (f"{PAYMENTS}.gz",)),
    "cut JSON": (replaced(PAYMENTS, BROKEN[:-3]), "ExportFormatError", (PAYMENTS,)),
    "NaN": (replaced(PAYMENTS, b'[{"id": NaN}]'), "ExportFormatError", (PAYMENTS,)),
    "object on top": (replaced(PAYMENTS, BROKEN[1:-1]), "ExportFormatError", (PAYMENTS,)),
    "nothing in it": (replaced(PAYMENTS, b""), "ExportFormatError", (PAYMENTS,)),
    "no Parquet": (
        replaced("dispatch_payment.parquet", b"PAR1", PAYMENTS),
        "ExportFormatError",
        ("dispatch_payment.parquet",),
    ),
    "not UTF-8": (
        replaced("auth_user.json", BROKEN.replace(b"7291", b"\xe9")),
        "ExportFormatError",
        ("auth_user.json",),
    ),
    "no id in any row": (
        replaced(PAYMENTS, json.dumps([{"name": CANARY}, {"ID": 1}]).encode()),
        "SchemaDriftError",
        (PAYMENTS, "id"),
    ),
    "no id in the header": (
        replaced("dispatch_payment.csv", f"name\n{CANARY}\n".encode(), PAYMENTS),
        "SchemaDriftError",
        ("dispatch_payment.csv", "id"),
    ),
    "no id in an optional table": (
        replaced("dispatch_notification.json", BROKEN.replace(b'"id"', b'"key"')),
        "SchemaDriftError",
        ("dispatch_notification.json", "id"),
    ),
}
# The absence of one required table is enough for every day.
_SLOW = [name for name in ABORTS if name.startswith("no dispatch_") or name.startswith("no auth_")][1:]


@pytest.mark.parametrize("case", [pytest.param(n, marks=pytest.mark.slow) if n in _SLOW else n for n in ABORTS])
def test_export_that_cannot_be_used_aborts_and_nothing_is_written(module_dental_lab: Lab, case: str) -> None:
    change, kind, words = ABORTS[case]
    lab, export_id = module_dental_lab, f"abort-{list(ABORTS).index(case):03}"
    change(put_export(lab.landing / export_id, small(), manifest=False))
    ran = lab.migrate(export_id)
    assert set(ran.failures) == {"export_validation"}
    text = ran.failures["export_validation"]
    assert text.startswith(f"{kind}: "), text
    assert [word for word in words if word not in text] == []
    assert CANARY not in text
    assert {table for table in (*TARGETS, "row_ledger", "rejected_row") if lab.rows(table)} == set()
    assert lab.partitions() == []


# --- little or nothing in it ------------------------------------------------------------------------------------------


def test_optional_tables_may_be_absent(dental_lab: Lab) -> None:
    absent = frozenset(name for name, table in TABLES.items() if not table.required)
    dental_lab.put(FIRST, small(), absent=absent)
    ran = dental_lab.migrate(FIRST)
    assert ran.failures == {}
    assert {name for name in ("files", "storages", "ware") if dental_lab.rows(name)} == set()
    assert dental_lab.rows("payments")
    warnings = dental_lab.fetch("SELECT asset, warnings FROM dental.migration_run_log")
    assert {name for name, codes in warnings if "OPTIONAL_TABLE_ABSENT" in codes} >= {"files", "storages", "ware"}
    assert dental_lab.partitions() == []


@pytest.mark.parametrize(
    "empty",
    [Written(b"[]", 0, "json"), Written(b"", 0, "jsonl"), Written(b"id,name\n", 0, "csv"), encoded([], "json.gz"[:4])],
    ids=["array", "lines", "header", "records"],
)
@pytest.mark.slow
def test_export_without_rows_is_fine(dental_lab: Lab, empty: Written) -> None:
    dental_lab.put(FIRST, dict.fromkeys(TABLES, empty))
    assert dental_lab.migrate(FIRST).failures == {}
    assert {table for table in (*TARGETS, "row_ledger", "rejected_row") if dental_lab.rows(table)} == set()
    report = {
        row["component"]: (row["status"], row["success_rate"]) for row in dental_lab.rows("migration_success_report")
    }
    assert {report[name] for name in ("payments", "teams", "shipments")} == {("NO_SOURCE", None)}
    assert {status for status, _ in report.values()} == {"NO_SOURCE", "INFO"}
    assert {rate for _, rate in report.values()} == {None}


# --- rows that are rejected -------------------------------------------------------------------------------------------

GONE = 999_999
# A bad row for every reason, by target and id.
REJECTS: dict[tuple[str, int], tuple[Any, str]] = {
    ("doctor_offices", 901): (doctor_office(901, None, 1), "MISSING_REQUIRED"),
    ("doctor_offices", 902): (doctor_office(902, 1, "x"), "MISSING_REQUIRED"),
    ("doctor_offices", 903): (doctor_office(903, 11, 1), "DOCTOR_NOT_FOUND"),
    ("doctor_offices", 904): (doctor_office(904, 1, GONE), "OFFICE_NOT_FOUND"),
    ("patients", 901): (patient(901, 0), "MISSING_REQUIRED"),
    ("patients", 902): (patient(902, GONE), "PROFILE_NOT_FOUND"),
    ("products", 901): (product(901, " "), "MISSING_REQUIRED"),
    ("products", 902): (product(902, 4), "COURSE_NOT_MAPPED"),
    ("orders", 901): (order(901, None), "MISSING_REQUIRED"),
    ("orders", 902): (order(902, GONE), "PATIENT_NOT_FOUND"),
    ("orders", 903): (order(903, 900), "DOCTOR_NOT_FOUND"),
    ("tasks", 901): (link("task", 901), "MISSING_REQUIRED"),
    ("tasks", 902): (link("task", 902, instruction_id=GONE), "ORDER_NOT_FOUND"),
    ("treatment_discussions", 901): (link("comment", 901, text="x"), "MISSING_REQUIRED"),
    ("treatment_discussions", 902): (link("comment", 902, plan_id=GONE, text="x"), "PLAN_NOT_FOUND"),
    ("treatment_discussions", 903): (link("comment", 903, plan_id=900, text="x"), "ORDER_NOT_FOUND"),
    ("treatment_discussions", 904): (link("comment", 904, plan_id=901, text="x"), "ORDER_NOT_FOUND"),
    ("treatment_discussions", 905): (link("comment", 905, plan_id=1, text=" \u00a0"), "EMPTY_TEXT"),
    ("doctor_notes", 901): (note(901, None, 1), "MISSING_REQUIRED"),
    ("doctor_notes", 902): (note(902, 11, 1), "DOCTOR_NOT_FOUND"),
    ("doctor_notes", 903): (note(903, 1, 1, {"a": 1}), "EMPTY_TEXT"),
    ("team_communications", 904): (note(904, 1, 1, "NULL"), "EMPTY_TEXT"),
    ("team_communications", 905): (note(905, 1, None), "AUTHOR_MISSING"),
    ("team_communications", 906): (note(906, 1, GONE), "AUTHOR_NOT_FOUND"),
    ("team_communications", 907): (note(907, 1, 11), "AUTHOR_NOT_DOCTOR"),
    ("team_communications", 908): (note(908, 1, 4), "AUTHOR_NOT_VERIFIED"),
    ("messages", 901): (link("record", 901, target_id=1, text="x"), "UNSUPPORTED_TARGET"),
    ("messages", 902): (link("record", 902, target_id=1, target_type_id=3, text="x"), "UNSUPPORTED_TARGET"),
    ("messages", 903): (link("record", 903, target_type_id=1, text="x"), "MISSING_REQUIRED"),
    ("messages", 904): (link("record", 904, target_id=GONE, target_type_id=1, text="x"), "PATIENT_NOT_FOUND"),
    ("messages", 905): (link("record", 905, target_id=GONE, target_type_id=2, text="x"), "PROFILE_NOT_FOUND"),
    ("messages", 906): (link("record", 906, target_id=1, target_type_id=2), "EMPTY_TEXT"),
    ("roles", 901): (role(901, "  "), "MISSING_REQUIRED"),
    ("technicians", 902): (role(902, "Remote Technician", user_id=GONE, group_id=11), "PROFILE_NOT_FOUND"),
    ("technicians", 903): (role(903, None, user_id=1, group_id=11), "MISSING_REQUIRED"),
    ("role_permissions", 901): (link("role_permissions", 901, role_id=1), "MISSING_REQUIRED"),
    ("role_permissions", 902): (link("role_permissions", 902, role_id=GONE, permission_id=1), "ROLE_NOT_FOUND"),
    ("role_permissions", 903): (link("role_permissions", 903, role_id=1, permission_id=GONE), "PERMISSION_NOT_FOUND"),
    ("role_permissions", 904): (link("role_permissions", 904, role_id=1, permission_id=900), "PERMISSION_NOT_FOUND"),
    ("files", 901): (link("file", 901, uid=""), "MISSING_REQUIRED"),
    ("template_predecessors", 901): (link("template_predecessors", 901, from_template_id=1), "MISSING_REQUIRED"),
    ("template_predecessors", 902): (
        link("template_predecessors", 902, from_template_id=1, to_template_id="1"),
        "SELF_REFERENCE",
    ),
    ("template_predecessors", 903): (
        link("template_predecessors", 903, from_template_id=1, to_template_id=GONE),
        "TEMPLATE_NOT_FOUND",
    ),
    **{
        (f"template_{kind}_roles", number): (link(f"template_{kind}_roles", number, **values), code)
        for kind in ("edit", "view")
        for number, values, code in (
            (901, {"role_id": 1}, "MISSING_REQUIRED"),
            (902, {"template_id": GONE, "role_id": GONE}, "TEMPLATE_NOT_FOUND"),
            (903, {"template_id": 1, "role_id": GONE}, "ROLE_NOT_FOUND"),
        )
    },
    ("template_view_groups", 901): (link("template_view_groups", 901, template_id=1), "MISSING_REQUIRED"),
    ("template_view_groups", 902): (
        link("template_view_groups", 902, template_id=GONE, group_id=1),
        "TEMPLATE_NOT_FOUND",
    ),
    ("template_view_groups", 903): (link("template_view_groups", 903, template_id=1, group_id=GONE), "GROUP_NOT_FOUND"),
    ("template_view_groups", 904): (link("template_view_groups", 904, template_id=1, group_id=900), "GROUP_NOT_FOUND"),
    ("template_products", 901): (link("template_products", 901, product_id=1), "MISSING_REQUIRED"),
    ("template_products", 902): (
        link("template_products", 902, template_id=GONE, product_id=1),
        "TEMPLATE_NOT_FOUND",
    ),
    ("template_products", 903): (link("template_products", 903, template_id=1, product_id=GONE), "PRODUCT_NOT_FOUND"),
    ("template_products", 904): (link("template_products", 904, template_id=1, product_id=902), "COURSE_NOT_MAPPED"),
    ("template_products", 905): (link("template_products", 905, template_id=1, product_id=901), "COURSE_NOT_MAPPED"),
    ("payments", 901): (payment(901, "x"), "MISSING_REQUIRED"),
    ("payments", 902): (payment(902, GONE), "ORDER_NOT_FOUND"),
    ("payments", 903): (payment(903, 1, None), "INVALID_AMOUNT"),
    ("payments", 904): (payment(904, 1, "10000000000"), "INVALID_AMOUNT"),
    ("payments", 905): (payment(905, 1, "-0.01"), "NEGATIVE_AMOUNT"),
    ("payments", 906): (payment(906, 1, "x", paid_price="-5"), "NEGATIVE_AMOUNT"),
    ("payment_operations", 901): (operation(901, None), "MISSING_REQUIRED"),
    ("payment_operations", 902): (operation(902, 901), "PAYMENT_NOT_FOUND"),
    ("payment_operations", 903): (operation(903, 1, "1e3"), "INVALID_AMOUNT"),
    ("payment_operations", 904): (operation(904, 1, "-1", type=7), "NEGATIVE_AMOUNT"),
    ("teams", 900): (("auth_group", {"id": 900, "name": None}), "MISSING_REQUIRED"),
    ("teams", 901): (("auth_group", {"id": 901, "name": "Archive"}), "GROUP_NOT_MAPPED"),
    ("notifications", 901): (notification(901, "abc"), "MISSING_REQUIRED"),
    ("notifications", 902): (notification(902, GONE), "PROFILE_NOT_FOUND"),
    ("notifications", 903): (notification(903, 1, created_at=20240101), "INVALID_TIMESTAMP"),
    ("notifications", 904): (notification(904, 1, created_at=None), "INVALID_TIMESTAMP"),
}
# What bad rows need beside the small export: a patient without doctor, plans without order, a doctor not registered.
NEEDED = [
    patient(900, 12),
    ("dispatch_plan", {"id": 900}),
    ("dispatch_plan", {"id": 901, "instruction_id": GONE}),
    *user(4, "Doctor"),
    ("auth_permission", {"id": 900, "name": "Odd", "codename": "  "}),
]

# --- values that only warn --------------------------------------------------------------------------------------------

WARNS: dict[tuple[str, int], tuple[Any, set[str]]] = {
    ("profiles", 951): (
        user(951, email="a@b", is_active="ja", date_joined="1970-01-01", first_name=[1]),
        {"BAD_EMAIL", "BAD_BOOL", "BAD_TIMESTAMP", "BAD_TEXT"},
    ),
    ("offices", 951): (office(951, tax_rate="100"), {"BAD_RATE"}),
    ("patients", 951): (
        patient(951, 11, GONE, office_id=GONE, birthdate="30/02/1990", schemes="{x", sex="x"),
        {"DOCTOR_NOT_FOUND", "OFFICE_NOT_FOUND", "BAD_DATE", "BAD_JSON", "BAD_INT"},
    ),
    ("cases", 952): (patient(952, 11, 1, status="x"), {"BAD_INT"}),
    ("orders", 951): (order(951, 1, 9, course_id=5, price="-1"), {"UNKNOWN_STATUS", "UNKNOWN_COURSE", "BAD_MONEY"}),
    ("tasks", 951): (
        link("task", 951, instruction_id=1, template_id=GONE, actor_id=GONE),
        {"TEMPLATE_NOT_FOUND", "PROFILE_NOT_FOUND"},
    ),
    ("treatment_discussions", 951): (
        link("comment", 951, plan_id=1, text="x", author_id=GONE),
        {"PROFILE_NOT_FOUND"},
    ),
    ("doctor_notes", 951): (note(951, 1, GONE), {"PROFILE_NOT_FOUND"}),
    ("messages", 951): (
        link("record", 951, target_id=1, target_type_id=2, text="x", author_id=GONE),
        {"PROFILE_NOT_FOUND"},
    ),
    ("categories", 951): (link("category", 951, parent_id=951), {"SELF_REFERENCE"}),
    ("categories", 952): (link("category", 952, parent_id=GONE), {"CATEGORY_NOT_FOUND"}),
    ("templates", 951): (template(951, category_id=GONE, duration=-1), {"CATEGORY_NOT_FOUND", "BAD_INT"}),
    ("ware", 951): (link("ware", 951, storage_id=GONE, quantity=-1), {"STORAGE_NOT_FOUND", "BAD_INT"}),
    ("files", 951): (link("file", 951, uid="u", instruction_id=GONE, size=-1), {"ORDER_NOT_FOUND", "BAD_INT"}),
    ("payments", 951): (
        payment(951, 1, "n/a", paid_price="12.5", doctor_id=GONE, office_id=GONE),
        {"BAD_MONEY", "AMOUNT_FALLBACK", "DOCTOR_NOT_FOUND", "OFFICE_NOT_FOUND"},
    ),
    ("payment_operations", 951): (
        operation(951, 1, type=None, card_last="12345"),
        {"UNKNOWN_OPERATION_TYPE", "PAN_TRUNCATED"},
    ),
    ("technicians", 951): (
        role(951, "Remote Technician", user_id=2, group_id=11),
        {"PROFILE_TYPE_MISMATCH"},
    ),
    ("notifications", 951): (notification(951, 1, template_context="not json"), {"BAD_JSON"}),
}


@pytest.fixture(scope="module")
def spoiled(module_dental_lab: Lab) -> View:
    """An export with every bad row, carried through after the aborted ones."""
    lab = module_dental_lab
    lab.put(SECOND, grown(*NEEDED, *(row for row, _ in REJECTS.values()), *(row for row, _ in WARNS.values())))
    assert lab.migrate(SECOND).failures == {}
    assert [ran.failures for ran in lab.notify(SECOND, ["000000000", "000100000"])] == [{}, {}]
    return View(lab.rows)


def test_bad_rows_are_rejected_for_their_reason(spoiled: View) -> None:
    found = {(row["target_table"], int(row["source_pk"])): row["reason_code"] for row in spoiled.rows("rejected_row")}
    expected = {key: code for key, (_, code) in REJECTS.items()}
    assert {key: code for key, code in found.items() if key in expected} == expected
    targets = {key: [other for other in TARGETS if (other, key[1]) in found] for key in expected}
    assert {key: others for key, others in targets.items() if key[0] not in others} == {}


def test_bad_values_are_warned_of(spoiled: View) -> None:
    found = {key: spoiled.warnings(*key) for key in WARNS}
    assert found == {key: codes for key, (_, codes) in WARNS.items()}


def test_no_good_row_is_lost_beside_bad_ones(spoiled: View) -> None:
    # Notifications that are plainly loaded have no line in the ledger.
    for target in UNRANGED:
        ledger = [row for row in spoiled.rows("row_ledger") if row["target_table"] == target]
        good = [row for row in ledger if row["source_pk"].isdigit() and int(row["source_pk"]) < 900]
        outcomes = {row["outcome"] for row in good} | {"loaded", "skipped"}
        assert good, target
        assert outcomes == {"loaded", "skipped"}, target


# --- rows that cannot be read -----------------------------------------------------------------------------------------


def test_unreadable_rows_are_rejected_once_per_target(dental_lab: Lab) -> None:
    files: dict[str, Written] = {}
    for table, rows in small().items():
        records = [*rows, Junk('{"id": 5,'), {"id": "abc"}, Junk('[1,  "4111 1111 1111 1111"]'), {"surplus": 1}]
        files[table] = encoded(records, "jsonl")
    dental_lab.put(FIRST, files)
    assert dental_lab.migrate(FIRST).failures == {}
    assert UNKEYED in dental_lab.partitions()
    assert [ran.failures for ran in dental_lab.notify(FIRST, dental_lab.partitions())] == [{}] * 3
    rows = [row for row in dental_lab.rows("rejected_row") if row["source_pk"].startswith("row:")]
    for table in TABLES.values():
        first = len(small()[table.name]) + 1
        codes = ("MALFORMED_ROW", "INVALID_PK", "MALFORMED_ROW", "INVALID_PK")
        for target in table.targets:
            found = {
                (row["source_pk"], row["reason_code"])
                for row in rows
                if (row["source_table"], row["target_table"]) == (table.name, target)
            }
            assert found == {(f"row:{first + place}", code) for place, code in enumerate(codes)}, target
    texts = {row["source_table"]: set() for row in rows}
    for row in rows:
        if row["reason_code"] == "MALFORMED_ROW":
            texts[row["source_table"]].add(row["raw"]["text"])
    for table in texts:
        hidden = table in ("auth_user", "dispatch_operation")
        assert texts[table] == ({"[WITHHELD]"} if hidden else {'{"id": 5,', '[1,  "[PAN-REDACTED]"]'}), table
    assert {row["target_table"] for row in rows} == {target for table in TABLES.values() for target in table.targets}
    assert set(UNRANGED) > {row["target_table"] for row in rows} - {"notifications"}
