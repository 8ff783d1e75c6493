"""Bad input, one test per kind: exports that abort, rows that are rejected or warned about, reruns and regressions."""

import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from migration.exports.reading import BATCH_ROWS
from skynet_assets.assets import customers as customers_module
from tests.skynet.cases import branch, clean_export, customer, only, payment
from tests.skynet.harness import BUSINESS_TABLES, Lab, Ran, encoded, put_export

ID = "20260210T030000Z"
NEXT = "20260310T030000Z"
CANARY = "canary7291"
BOOKS = ("row_ledger", "rejected_row")


def written(lab: Lab) -> dict[str, int]:
    """How many rows each table holds, empty ones left out."""
    counts = {name: lab.count(name) for name in (*BUSINESS_TABLES, *BOOKS)}
    return {name: count for name, count in counts.items() if count}


def assert_aborted(lab: Lab, ran: Ran, asset: str, kind: str, *words: str) -> None:
    text = ran.failures.get(asset, "no failure")
    assert text.startswith(f"{kind}: "), ran.failures
    for word in words:
        assert word in text
    assert CANARY not in text
    logged = lab.fetch(
        f"SELECT status, error FROM skynet.migration_run_log WHERE run_id = '{ran.run_id}' AND asset = '{asset}'"
    )
    assert [status for status, _ in logged] == ["failed"]
    assert logged[0][1].startswith(f"{kind}: ")


# --- exports that abort -----------------------------------------------------------------------------------------------

Change = Callable[[Path], None]


def removed(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def replaced(name: str, content: bytes, old: str | None = None) -> Change:
    def change(folder: Path) -> None:
        (folder / (old or name)).unlink()
        (folder / name).write_bytes(content)

    return change


def records(stem: str, rows: list[Any], kind: str = "json") -> Change:
    made = encoded(rows, kind)
    return replaced(f"{stem}.{made.suffix}", made.content, f"{stem}.json")


def without(stem: str, key: str) -> Change:
    rows = [{k: v for k, v in row.items() if k != key} for row in clean_export()[stem]]
    return records(stem, rows)


def manifest(**changes: Any) -> Change:
    def change(folder: Path) -> None:
        files = [{"name": path.name} for path in sorted(folder.glob("*.json"))]
        document = {"system": "skynet", "exported_at": None, "files": files} | changes
        (folder / "manifest.json").write_text(json.dumps(document))

    return change


BROKEN = json.dumps([customer(CANARY)]).encode()
ABORTS: dict[str, tuple[Change, str, tuple[str, ...]]] = {
    "no customers": (removed("customers.json"), "MissingSourceFile", ("customers",)),
    "no customers, empty list": (records("customers", []), "EmptySource", ("customers.json",)),
    "no transactions, empty list": (records("transactions", []), "EmptySource", ("transactions.json",)),
    "empty CSV": (replaced("customers.csv", b"id_pelanggan\r\n", "customers.json"), "EmptySource", ("customers.csv",)),
    "cut JSON": (replaced("customers.json", BROKEN[:-5]), "ExportFormatError", ("customers.json",)),
    "NaN": (replaced("customers.json", b'[{"id_pelanggan": NaN}]'), "ExportFormatError", ("customers.json",)),
    "two values": (replaced("customers.json", BROKEN + b"[]"), "ExportFormatError", ("customers.json",)),
    "object on top": (replaced("customers.json", BROKEN[1:-1]), "ExportFormatError", ("customers.json",)),
    "text on top": (replaced("branches.json", b'"x"'), "ExportFormatError", ("branches.json",)),
    "nothing in it": (replaced("branches.json", b""), "ExportFormatError", ("branches.json",)),
    "not UTF-8": (replaced("customers.json", BROKEN.replace(b"Budi", b"B\xe9")), "ExportFormatError", ("byte",)),
    "broken line": (
        replaced("transactions.jsonl", b'{"id_pelanggan":"canary7291"}\n{"a":\n', "transactions.json"),
        "ExportFormatError",
        ("transactions.jsonl", "row 2"),
    ),
    "ragged CSV": (
        replaced("customers.csv", b"id_pelanggan,nik\r\na,1\r\ncanary7291\r\n", "customers.json"),
        "ExportFormatError",
        ("customers.csv", "row 2"),
    ),
    "open quote": (
        replaced("customers.csv", b'id_pelanggan,nik\r\n"canary7291,1\r\n', "customers.json"),
        "ExportFormatError",
        ("customers.csv",),
    ),
    "no Parquet": (
        replaced("customers.parquet", b"PAR1", "customers.json"),
        "ExportFormatError",
        ("customers.parquet",),
    ),
    "cut gzip": (
        replaced("customers.json.gz", gzip.compress(BROKEN)[:-9], "customers.json"),
        "ExportFormatError",
        ("customers.json.gz",),
    ),
    "no gzip": (replaced("customers.json.gz", BROKEN, "customers.json"), "ExportFormatError", ("customers.json.gz",)),
    "other sha256": (
        manifest(files=[{"name": "customers.json", "sha256": "0" * 64}]),
        "ManifestMismatch",
        ("customers.json",),
    ),
    "other row count": (
        manifest(files=[{"name": "customers.json", "rows": 4}]),
        "ManifestMismatch",
        ("customers.json",),
    ),
    "listed file absent": (manifest(files=[{"name": "gone.json"}]), "ManifestMismatch", ("gone.json",)),
    "another system": (manifest(system="meter"), "ManifestMismatch", ()),
    "manifest no JSON": (replaced("manifest.json", b"{", "manifest.json"), "ManifestMismatch", ("manifest.json",)),
    "two files for a table": (
        lambda folder: (folder / "customers.csv.gz").write_bytes(b""),  # type: ignore[dict-item,return-value]
        "AmbiguousSource",
        ("customers.json", "customers.csv.gz"),
    ),
    "two files for payments": (
        lambda folder: (folder / "transactions.json.gz").write_bytes(b""),  # type: ignore[dict-item,return-value]
        "AmbiguousSource",
        ("transactions.json", "transactions.json.gz"),
    ),
    "no customer id anywhere": (without("customers", "id_pelanggan"), "SchemaDriftError", ("id_pelanggan",)),
    "no branch name anywhere": (without("branches", "cabang"), "SchemaDriftError", ("cabang",)),
    **{
        f"no {key} anywhere": (without("transactions", key), "SchemaDriftError", ("transactions.json", key))
        for key in ("id_pelanggan", "periode", "nominal_harus_dibayar", "status_pembayaran")
    },
    "nothing but non-objects": (records("customers", ["x", 5]), "SchemaDriftError", ("id_pelanggan",)),
}
NEEDS_MANIFEST = ("manifest no JSON",)


@pytest.mark.parametrize("case", ABORTS)
def test_export_that_cannot_be_used_aborts_and_nothing_is_written(module_lab: Lab, case: str) -> None:
    change, kind, words = ABORTS[case]
    export_id = f"abort-{list(ABORTS).index(case)}"
    folder = put_export(module_lab.landing / export_id, clean_export(), manifest=case in NEEDS_MANIFEST)
    change(folder)
    ran = module_lab.run(export_id)
    assert_aborted(module_lab, ran, "export", kind, *words)
    assert set(ran.failures) == {"export"}
    assert written(module_lab) == {}


def test_missing_export_folder_aborts(module_lab: Lab) -> None:
    ran = module_lab.run("nowhere")
    assert_aborted(module_lab, ran, "export", "MissingSourceFile", "nowhere")
    assert written(module_lab) == {}


def test_missing_payments_stop_the_billing_side_only(lab: Lab) -> None:
    lab.put(ID, {name: rows for name, rows in clean_export().items() if name != "transactions"})
    ran = lab.run(ID)
    assert_aborted(lab, ran, "payments_clean", "MissingSourceFile", "transactions")
    assert set(ran.failures) == {"payments_clean"}
    assert {name: lab.count(name) for name in ("customers", "packages", "routers", "invoices", "transactions")} == {
        "customers": 3,
        "packages": 1,
        "routers": 1,
        "invoices": 0,
        "transactions": 0,
    }


@pytest.mark.parametrize("branches", [None, []], ids=["missing", "empty"])
def test_without_branches_there_are_no_rows_and_a_warning(lab: Lab, branches: list[Any] | None) -> None:
    files = {name: rows for name, rows in clean_export().items() if name != "branches"}
    lab.put(ID, files if branches is None else {**files, "branches": branches})
    ran = lab.run(ID)
    assert ran.failures == {}
    assert ran.checks["branches_given"] == "WARN"
    assert lab.count("branch_summaries") == 0
    assert lab.count("invoices") == 3


def test_reference_lists_stand_in_for_missing_customers(lab: Lab) -> None:
    export = clean_export()
    rows = [
        row | {"koordinat": "0", "koordinat_original": "-7.5,112.5", "geo_lat": 1} for row in export.pop("customers")
    ]
    lab.put(ID, {**export, "customers_clean": [], "customers_final": [*rows, {"id_pelanggan": ""}]})
    lab.tolerant = True
    assert lab.run(ID).failures == {}
    assert [str(row["latitude"]) for row in lab.rows("customers")] == ["-7.5000000"] * 3
    assert lab.fetch("SELECT source_table, source_row FROM skynet.rejected_row") == [("customers_final", 4)]


def test_only_keys_that_nothing_is_known_of_are_unknown_fields(lab: Lab) -> None:
    export = clean_export()
    known = {"nama_pelanggan": "Budi", "alamat": "Jalan Satu"}
    transactions = [row | known | {"catatan": "x"} for row in export["transactions"]]
    lab.put(ID, {**export, "transactions": transactions, "customers_final": export["customers"]})
    assert lab.run(ID, selection=["export"]).metadata["export"]["unknown_fields"] == {"transactions.json": ["catatan"]}


def test_every_payment_rejected_leaves_the_customers_and_no_invoice(lab: Lab) -> None:
    lab.tolerant = True
    lab.put(ID, {**clean_export(), "transactions": [payment(periode="Semua")]})
    ran = lab.run(ID)
    assert ran.failures == {}
    assert (lab.count("customers"), lab.count("invoices"), lab.count("rejected_row")) == (3, 0, 2)


def test_every_customer_rejected_leaves_nothing_to_load(lab: Lab) -> None:
    lab.tolerant = True
    lab.put(ID, {**clean_export(), "customers": [customer(""), "text"]})
    ran = lab.run(ID)
    assert ran.failures == {}
    assert (lab.count("customers"), lab.count("packages"), lab.count("invoices")) == (0, 0, 0)
    assert ran.metadata["payments_clean"]["rejected_by"] == {"ORPHAN_CUSTOMER": 3}


# --- places that fail -------------------------------------------------------------------------------------------------


def test_export_that_vanishes_after_it_was_verified(lab: Lab) -> None:
    folder = lab.put(ID, clean_export())
    assert lab.run(ID, selection=["export"]).success
    (folder / "customers.json").unlink()
    ran = lab.run(ID, selection=["customers_clean"])
    assert_aborted(lab, ran, "customers_clean", "MissingSourceFile", "customers.json")
    assert written(lab) == {}


def test_export_that_changes_after_it_was_verified(lab: Lab) -> None:
    folder = lab.put(ID, clean_export())
    assert lab.run(ID, selection=["export"]).success
    (folder / "customers.json").write_bytes(encoded([customer(CANARY)]).content)
    ran = lab.run(ID, selection=["customers_clean"])
    assert_aborted(lab, ran, "customers_clean", "ManifestMismatch", "customers.json")
    assert written(lab) == {}


def test_export_that_vanishes_while_it_is_read(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    # More than one batch, so that the first is at work while the file has not been read to its end.
    folder = lab.put(ID, clean_export() | {"customers": [{"id_pelanggan": "A"}] * (BATCH_ROWS + 1)})
    identified = customers_module.identified

    def vanishing(*arguments: Any, **options: Any) -> Any:
        (folder / "customers.json").unlink(missing_ok=True)
        return identified(*arguments, **options)

    monkeypatch.setattr(customers_module, "identified", vanishing)
    ran = lab.run(ID)
    assert_aborted(lab, ran, "customers_clean", "MissingSourceFile", "customers.json")
    assert written(lab) == {}


def test_missing_landing_zone_is_named(lab: Lab) -> None:
    for folder in (lab.landing, lab.landing.parent):
        folder.rmdir()
    ran = lab.run()
    assert ran.failures["export"].startswith("SetupError: ")
    assert "MIGRATION_LANDING" in ran.failures["export"]
    assert written(lab) == {}


def test_no_complete_export_is_named(lab: Lab) -> None:
    ran = lab.run()
    assert ran.failures["export"].startswith("MissingSourceFile: ")
    assert written(lab) == {}


@pytest.mark.parametrize("what", ["folder", "file"])
def test_landing_zone_without_rights_is_named(lab: Lab, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    forbidden = lab.put(ID, clean_export())
    if what == "file":
        forbidden /= "customers.json"
    listdir, scandir, opened = os.listdir, os.scandir, io.open

    def refusing(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any = ".", *arguments: Any, **options: Any) -> Any:
            if isinstance(path, str | Path) and Path(path) == forbidden:
                raise PermissionError(13, "Permission denied")
            return real(path, *arguments, **options)

        return call

    monkeypatch.setattr(os, "listdir", refusing(listdir))
    monkeypatch.setattr(os, "scandir", refusing(scandir))
    monkeypatch.setattr(io, "open", refusing(opened))
    ran = lab.run(ID)
    assert_aborted(lab, ran, "export", "SetupError", "not readable")
    assert written(lab) == {}


# --- rows -------------------------------------------------------------------------------------------------------------

LONG = "x" * 51
DIRTY: dict[str, list[Any]] = {
    "customers": [
        customer("C1", paket="P 5M"),
        "no object",
        customer(" N/A ", pppoe_password=CANARY, nama_pelanggan="nul\x00"),
        customer(LONG),
        customer("c1", connection_status="Isolated", harga=1),
        customer("C6", nama_pelanggan="-"),
        customer(
            "C7", telepon="12", nik="1e5", kk=True, tanggal_registrasi="besok", jatuh_tempo="45", koordinat="di rumah"
        ),
        customer("C8", connection_status="aneh"),
        customer("C9", paket=None, nama_router="-"),
        customer("C10", paket="p 5m", harga="gratis"),
        customer("C11", paket="Q", harga=None),
        customer("C12", ktp_photo_url="https://elsewhere.test/a.jpg"),
        customer("C13", ktp_photo_url="file:///etc/passwd"),
        customer("C14", nama_pelanggan="Bu\x00di", pppoe_password=" \x00s "),
    ],
    "transactions": [
        payment("C1"),
        5,
        payment(None),
        payment(LONG),
        payment("C1", periode=None),
        payment("C1", periode="Semua"),
        payment("C1", periode="12-2020"),
        payment("C1", periode="03-2027"),
        payment("C1", nominal_harus_dibayar=None),
        payment("C1", nominal_harus_dibayar="-1"),
        payment("C1", nominal_harus_dibayar=[1]),
        payment("C1", nominal_pembayaran="gratis"),
        payment("C1", nominal_pembayaran=-1),
        payment("C1", status_pembayaran="aneh"),
        payment("GONE"),
        payment("C6", waktu_entry="kemarin"),
        payment("C7", bukti_pembayaran_url="javascript:alert(1)", metode="OVO"),
        payment("C8", nominal_pembayaran=0),
        payment("C9", status_pembayaran="batal"),
        payment("C10", status_pembayaran="belum", nominal_pembayaran=None),
    ],
    "branches": [
        branch("A"),
        branch(""),
        branch("Grand_Total"),
        branch(" a ", jumlah_pelanggan=2),
        branch("a", jumlah_pelanggan="1 Plg"),
        branch("B", jumlah_pelanggan="banyak", total_pemasukan="gratis"),
        [1],
    ],
}


@pytest.fixture(scope="module")
def dirty(module_lab: Lab) -> Lab:
    """The shared installation after an export with every kind of bad row."""
    module_lab.tolerant = True
    module_lab.put("zz-dirty", DIRTY)
    ran = module_lab.run("zz-dirty")
    assert ran.failures == {}
    return module_lab


def outcome(lab: Lab, table: str, row: int) -> dict[str, tuple[str, str | None]]:
    found = lab.fetch(
        "SELECT target_table, outcome, reason FROM skynet.row_ledger"
        f" WHERE export_id = 'zz-dirty' AND source_table = '{table}' AND source_row = {row}"
    )
    return {target: (what, reason) for target, what, reason in found}


REJECTED = {
    ("customers", 2): "NOT_AN_OBJECT",
    ("customers", 3): "MISSING_ID",
    ("customers", 4): "ID_TOO_LONG",
    ("transactions", 2): "NOT_AN_OBJECT",
    ("transactions", 3): "MISSING_ID",
    ("transactions", 4): "ID_TOO_LONG",
    ("transactions", 5): "MISSING_PERIOD",
    ("transactions", 6): "INVALID_PERIOD",
    ("transactions", 7): "PERIOD_OUT_OF_RANGE",
    ("transactions", 8): "PERIOD_OUT_OF_RANGE",
    ("transactions", 9): "MISSING_AMOUNT",
    ("transactions", 10): "INVALID_AMOUNT",
    ("transactions", 11): "INVALID_AMOUNT",
    ("transactions", 12): "INVALID_PAYMENT",
    ("transactions", 13): "INVALID_PAYMENT",
    ("transactions", 14): "UNKNOWN_STATUS",
    ("transactions", 15): "ORPHAN_CUSTOMER",
    ("branches", 2): "MISSING_BRANCH",
    ("branches", 4): "DUPLICATE_CONFLICT",
    ("branches", 7): "NOT_AN_OBJECT",
}
TARGETS = {"customers": ["customers"], "transactions": ["invoices", "transactions"], "branches": ["branch_summaries"]}


@pytest.mark.parametrize(("table", "row"), REJECTED)
def test_bad_row_is_rejected_with_its_code(dirty: Lab, table: str, row: int) -> None:
    code = REJECTED[(table, row)]
    assert outcome(dirty, table, row) == dict.fromkeys(TARGETS[table], ("rejected", code))
    kept = dirty.fetch(
        "SELECT target_table, source_pk, reason_code, raw FROM skynet.rejected_row"
        f" WHERE source_table = '{table}' AND source_row = {row} ORDER BY 1"
    )
    assert [each[:3] for each in kept] == [(target, f"row:{row}", code) for target in TARGETS[table]]
    record = DIRTY[table][row - 1]
    assert all(set(raw) == (set(record) if isinstance(record, dict) else {"value"}) for *_, raw in kept)


def test_quarantine_keeps_no_secret_and_no_nul(dirty: Lab) -> None:
    ((raw,),) = dirty.fetch("SELECT raw FROM skynet.rejected_row WHERE source_table = 'customers' AND source_row = 3")
    assert raw["pppoe_password"] == "[redacted]"
    assert raw["nama_pelanggan"] == "nul"
    everything = dirty.fetch("SELECT raw::text || coalesce(detail, '') FROM skynet.rejected_row")
    assert not [text for (text,) in everything if CANARY in text]
    assert dirty.fetch("SELECT raw->>'value' FROM skynet.rejected_row WHERE source_table = 'customers'")[0] is not None


OTHER_OUTCOMES = {
    ("customers", 5): {"customers": ("merged", None)},
    ("customers", 9): {
        "customers": ("loaded", None),
        "packages": ("skipped", "no_package"),
        "routers": ("skipped", "no_router"),
        "identity_card_photos": ("skipped", "no_photo"),
    },
    ("transactions", 18): {"invoices": ("loaded", None), "transactions": ("skipped", "zero_payment")},
    ("transactions", 19): {"invoices": ("loaded", None), "transactions": ("skipped", "void_invoice")},
    ("transactions", 20): {"invoices": ("loaded", None), "transactions": ("skipped", "no_payment")},
    ("branches", 3): {"branch_summaries": ("skipped", "total_row")},
    ("branches", 5): {"branch_summaries": ("merged", None)},
}


@pytest.mark.parametrize(("table", "row"), OTHER_OUTCOMES)
def test_row_is_merged_or_skipped_by_its_rule(dirty: Lab, table: str, row: int) -> None:
    assert outcome(dirty, table, row) == OTHER_OUTCOMES[(table, row)]


NULLED = ("phone_number", "nik", "nik_valid", "kk", "kk_valid", "registered_at", "billing_day", "latitude", "longitude")
CLEANED: dict[str, tuple[dict[str, Any], set[str]]] = {
    "C6": ({"name": "C6"}, {"name_defaulted"}),
    "C7": (
        {**dict.fromkeys(NULLED), "coordinate_status": "invalid", "coordinates_raw": "di rumah"},
        {
            "phone_invalid",
            "nik_unusable",
            "kk_unusable",
            "registered_at_unparsed",
            "billing_day_invalid",
            "coordinate_invalid",
        },
    ),
    "C8": ({"connection_status": "unknown", "is_active": False}, {"status_unrecognised"}),
    "C9": ({"package_id": None, "router_id": None}, set()),
    "C10": ({}, {"package_price_invalid", "package_price_inferred"}),
    "C11": ({}, set()),
    "C14": ({"name": "Budi", "pppoe_password": "s"}, set()),
}


@pytest.mark.parametrize("customer_id", CLEANED)
def test_bad_value_is_null_with_a_warning_and_the_row_is_loaded(dirty: Lab, customer_id: str) -> None:
    values, warnings = CLEANED[customer_id]
    row = only(dirty, "customers", id=customer_id)
    assert {name: row[name] for name in values} == values
    ((reason,),) = dirty.fetch(
        "SELECT coalesce(reason, '') FROM skynet.row_ledger"
        f" WHERE target_table = 'customers' AND target_key = '{customer_id}' AND outcome = 'loaded'"
    )
    assert set(reason.split(",")) - {""} == warnings


def test_packages_of_bad_and_missing_prices(dirty: Lab) -> None:
    of = {row["id"]: row["package_id"] for row in dirty.rows("customers")}
    assert of["C10"] == of["C1"]
    assert only(dirty, "packages", id=of["C11"])["price"] is None


def test_photos_that_may_not_be_fetched_are_blocked_and_their_customers_loaded(dirty: Lab) -> None:
    found = {
        r["customer_id"]: (r["status"], r["error_code"], r["source_url"]) for r in dirty.rows("identity_card_photos")
    }
    assert found == {
        "C12": ("blocked", "HOST_NOT_ALLOWED", "https://elsewhere.test/a.jpg"),
        "C13": ("blocked", "UNSUPPORTED_SCHEME", "file:"),
    }


def test_bad_time_and_unsafe_proof_are_null_with_a_warning(dirty: Lab) -> None:
    assert only(dirty, "transactions", customer_id="C6")["paid_at"] is None
    assert outcome(dirty, "transactions", 16)["transactions"] == ("loaded", "paid_at_unparsed")
    unsafe = only(dirty, "transactions", customer_id="C7")
    assert (unsafe["proof_of_payment"], unsafe["payment_method"]) == (None, "other")
    reason = outcome(dirty, "transactions", 17)["transactions"][1] or ""
    assert set(reason.split(",")) == {"proof_unsafe", "method_other"}


def test_bad_branch_numbers_are_null_with_warnings(dirty: Lab) -> None:
    row = only(dirty, "branch_summaries", branch_key="B")
    assert (row["customers_total"], row["income_total"], row["balance"], row["balance_mismatch"]) == (None,) * 4
    ((warnings,),) = dirty.fetch(
        "SELECT warnings FROM skynet.migration_run_log WHERE asset = 'branch_summaries' AND status = 'success'"
    )
    assert warnings == {"branch_count_invalid": 1, "branch_money_invalid": 1}


# --- again, newer, older ----------------------------------------------------------------------------------------------

ALL = (*BUSINESS_TABLES, "row_ledger", "rejected_row", "row_change")


def test_same_export_again_writes_no_row(lab: Lab) -> None:
    lab.tolerant = True
    lab.put(ID, DIRTY)
    assert lab.run(ID).success
    before = lab.images(*ALL)
    assert lab.run(ID).success
    assert lab.images(*ALL) == before


def test_same_content_under_a_new_id_only_moves_the_export_columns(lab: Lab) -> None:
    lab.tolerant = True
    for export_id in (ID, NEXT):
        lab.put(export_id, DIRTY)
        assert lab.run(export_id).success
    for table in BUSINESS_TABLES:
        if table != "customer_merge_log":
            exports = {(row["first_export_id"], row["export_id"]) for row in lab.rows(table)}
            assert exports == {(ID, NEXT)}
            assert len({row["migrated_at"] for row in lab.rows(table)}) <= 2


def test_older_export_on_purpose_wins_and_warns(lab: Lab) -> None:
    lab.put(NEXT, clean_export(), exported_at="2026-03-10T03:00:00Z")
    lab.put(ID, {**clean_export(), "customers": [customer(f"SRGD000{n}", nama_pelanggan="Old") for n in (1, 2, 3)]})
    assert lab.run(NEXT).checks["export_regression"] == "passed"
    ran = lab.run(ID)
    assert ran.success
    assert ran.checks["export_regression"] == "WARN"
    assert {row["name"] for row in lab.rows("customers")} == {"Old"}
    assert {row["export_id"] for row in lab.rows("customers")} == {ID}


def test_orphan_whose_customer_has_come_since_is_loaded_by_a_rerun(lab: Lab) -> None:
    lab.tolerant = True
    orphan = payment("SRGD0099", periode="Maret 2026")
    lab.put(NEXT, clean_export() | {"transactions": [*clean_export()["transactions"], orphan]}, manifest=False)
    lab.put(ID, clean_export() | {"customers": [*clean_export()["customers"], customer("SRGD0099")]})
    months = ("2026-02-01", "2026-03-01")
    assert lab.run(NEXT, months).failures == {}
    assert {row["reason_code"] for row in lab.rows("rejected_row")} == {"ORPHAN_CUSTOMER"}
    assert str(only(lab, "branch_summaries")["period"]) == "2026-02-01"
    for export_id in (ID, NEXT):
        assert lab.run(export_id, months).failures == {}
    assert lab.rows("rejected_row") == []
    assert "rejected" not in {row["outcome"] for row in lab.rows("row_ledger")}
    assert only(lab, "transactions", customer_id="SRGD0099")["invoice_id"]
    # Without a date the export stands for the month of its latest payment, which now is a later one.
    assert str(only(lab, "branch_summaries", export_id=NEXT)["period"]) == "2026-03-01"


def test_rows_that_earlier_code_had_merged_do_not_block_a_rerun(lab: Lab) -> None:
    lab.put(ID, clean_export())
    assert lab.run(ID).success
    lab.execute("UPDATE skynet.row_ledger SET outcome = 'merged' WHERE target_table = 'customers' AND source_row = 1")
    assert lab.run(ID).success
    assert {row["outcome"] for row in lab.rows("row_ledger") if row["target_table"] == "customers"} == {"loaded"}


def test_default_is_the_newest_complete_export(lab: Lab) -> None:
    lab.put(ID, clean_export())
    lab.put(NEXT, clean_export())
    lab.put(".tmp-29990101T000000Z", clean_export())
    lab.put("29990101T000000Z.partial", clean_export())
    assert lab.run().success
    assert {row["export_id"] for row in lab.rows("customers")} == {NEXT}


def test_unknown_reference_month_falls_back(lab: Lab) -> None:
    export = clean_export() | {"transactions": [payment(periode="Maret 2026"), payment(periode="Januari 2026")]}
    lab.put(ID, export, manifest=False)
    assert lab.run(ID).failures == {}
    assert str(only(lab, "branch_summaries")["period"]) == "2026-03-01"


def test_no_month_at_all_leaves_the_branch_without_period(lab: Lab) -> None:
    lab.tolerant = True
    lab.put(ID, clean_export() | {"transactions": [payment("GONE")]}, exported_at="not a date")
    assert lab.run(ID).failures == {}
    assert only(lab, "branch_summaries")["period"] is None


# --- overlay ----------------------------------------------------------------------------------------------------------


def run_with_overlay(lab: Lab, content: Any, *, raw: bytes | None = None, **environment: str) -> Ran:
    path = lab.settings.home / "overlay.json"
    path.write_bytes(json.dumps(content).encode() if raw is None else raw)
    lab.environment = {"SKYNET_ROUTER_CREDENTIALS_FILE": str(path), **environment}
    return lab.run(ID, selection=["router_credentials"])


@pytest.fixture(scope="module")
def overlay_lab(module_lab: Lab) -> Lab:
    """The shared installation with one router, as loaded."""
    put_export(module_lab.landing / ID, clean_export())
    assert module_lab.run(ID).success
    return module_lab


NAME = "skynet - srigading"
BAD_OVERLAYS: dict[str, tuple[Any, bytes | None]] = {
    "no JSON": (None, b'{"routers": [{"password": "canary7291"'),
    "not UTF-8": (None, b'{"routers": [], "x": "\xff"}'),
    "a list": ([], None),
    "routers no list": ({"routers": {}}, None),
    "no routers": ({}, None),
    "entry no object": ({"routers": ["x"]}, None),
    "entry without name": ({"routers": [{"password": CANARY}]}, None),
    "entry with an empty name": ({"routers": [{"name": " - ", "password": CANARY}]}, None),
    "twice one router": ({"routers": [{"name": NAME, "password": CANARY}, {"name": "SKYNET_SRIGADING"}]}, None),
    "twice an unknown router": ({"routers": [{"name": "X"}, {"name": "x"}]}, None),
}


@pytest.mark.parametrize("case", BAD_OVERLAYS)
def test_bad_overlay_aborts_and_leaves_the_routers_alone(overlay_lab: Lab, case: str) -> None:
    content, raw = BAD_OVERLAYS[case]
    before = overlay_lab.images("routers")
    ran = run_with_overlay(overlay_lab, content, raw=raw)
    assert_aborted(overlay_lab, ran, "router_credentials", "RouterOverlayError")
    assert overlay_lab.images("routers") == before


def test_missing_overlay_file_aborts(overlay_lab: Lab) -> None:
    overlay_lab.environment = {"SKYNET_ROUTER_CREDENTIALS_FILE": "/nowhere/overlay.json"}
    ran = overlay_lab.run(ID, selection=["router_credentials"])
    assert_aborted(overlay_lab, ran, "router_credentials", "RouterOverlayError")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, (None, 8728, None, None)),
        ({"ip_address": "192.0.2.0/24", "port": 0, "username": " "}, (None, 8728, None, None)),
        ({"ip_address": "fe80::1%eth0", "port": "70000"}, (None, 8728, None, None)),
        ({"ip_address": " 2001:DB8::1 ", "port": "8728", "username": "&amp;"}, ("2001:db8::1", 8728, "&", None)),
        ({"password_env": "SKYNET_ROUTER_A"}, (None, 8728, None, "from-env")),
        ({"password_env": " SKYNET_ROUTER_A"}, (None, 8728, None, None)),
        ({"password": " &amp; ", "password_env": "SKYNET_ROUTER_A"}, (None, 8728, None, " &amp; ")),
        ({"password": "", "password_env": "SKYNET_ROUTER_A"}, (None, 8728, None, "from-env")),
        ({"password": 123456, "password_env": "SKYNET_ROUTER_A"}, (None, 8728, None, None)),
    ],
)
def test_overlay_takes_what_can_be_used(overlay_lab: Lab, entry: dict[str, Any], expected: tuple[Any, ...]) -> None:
    blank = "UPDATE skynet.routers SET ip_address = NULL, port = 8728, username = NULL, password = NULL"
    overlay_lab.execute(blank)
    unknown = {"name": "nowhere", "username": "x"}
    ran = run_with_overlay(overlay_lab, {"routers": [{"name": NAME, **entry}, unknown]}, SKYNET_ROUTER_A="from-env")
    row = only(overlay_lab, "routers")
    assert tuple(row[name] for name in ("ip_address", "port", "username", "password")) == expected
    facts = ran.metadata["router_credentials"]
    assert facts["unknown_routers"] == ["NOWHERE"]
    assert ("password" in str(facts["unusable_fields"])) is isinstance(entry.get("password"), int)
    assert "from-env" not in str(facts)
    overlay_lab.execute(blank)


def test_values_by_hand_survive_a_rerun_and_a_new_export(lab: Lab) -> None:
    lab.put(ID, clean_export())
    assert lab.run(ID).success
    lab.execute("UPDATE skynet.routers SET ip_address = '192.0.2.7', port = 1, username = 'u', password = 'p'")
    lab.put(NEXT, {**clean_export(), "customers": [customer(f"SRGD000{n}", nama_router="B") for n in (1, 2, 3)]})
    for export_id in (ID, NEXT):
        assert lab.run(export_id).success
    row = only(lab, "routers", name="SKYNET-SRIGADING")
    assert (row["ip_address"], row["port"], row["username"], row["password"]) == ("192.0.2.7", 1, "u", "p")
    assert only(lab, "routers", name="B")["credentials_status"] == "missing"
