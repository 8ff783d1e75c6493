"""The full pass over an export: what stops it, and the record it leaves."""

import gzip
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from upath import UPath

from migration.errors import (
    AmbiguousSource,
    EmptySource,
    ExportFormatError,
    ManifestMismatch,
    MissingSourceFile,
    SchemaDriftError,
)
from migration.exports import json_rows
from migration.exports.reading import read_batches
from migration.exports.sources import SourceTable
from migration.exports.verify import Export, content_hash, verify_export

CUSTOMERS = SourceTable(
    "customers", ("id", "name"), key="id", required_keys=("id",), may_be_empty=False, fallbacks=("customers_final",)
)
FINAL = SourceTable("customers_final", ("id",), required=False)
PAYMENTS = SourceTable("payments", ("customer_id", "customer", "amount"), required=True, checked_when="read")
BRANCHES = SourceTable("branches", ("name",), required=False)
SOURCES = (CUSTOMERS, FINAL, PAYMENTS, BRANCHES)


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> UPath:
    root = UPath(tmp_path) if request.param == "local" else UPath(f"memory://verify-{tmp_path.name}")
    (root / "20260219").mkdir(parents=True, exist_ok=True)
    return root / "20260219"


def put(folder: UPath, **files: bytes) -> None:
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)


def write_manifest(folder: UPath, *names: str, **changes: Any) -> None:
    files = [{"name": n, "sha256": hashlib.sha256((folder / n).read_bytes()).hexdigest()} for n in names]
    document = {"system": "any", "exported_at": "2026-02-19T00:00:00Z", "files": files, **changes}
    (folder / "manifest.json").write_text(json.dumps(document))


def test_the_record_of_an_export_survives_storing(folder: UPath) -> None:
    put(folder, customers__json=b'[{"id": 1, "zip": 2}, 5]', payments__csv__gz=gzip.compress(b"amount\n1\n"))
    write_manifest(folder, "customers.json", "payments.csv.gz")
    export = verify_export(folder, "any", SOURCES)
    assert (export.system, export.export_id) == ("any", "20260219")
    assert export.exported_at == datetime(2026, 2, 19, tzinfo=UTC)
    assert [file.name for file in export.files] == ["customers.json", "payments.csv.gz"]
    customers = export.file_for(CUSTOMERS)
    assert (customers.table, customers.format, customers.rows, customers.malformed) == ("customers", "json", 2, 1)
    assert customers.unknown_fields == ("zip",)
    assert customers.sha256 == hashlib.sha256((folder / "customers.json").read_bytes()).hexdigest()
    assert (export.has(PAYMENTS), export.has(BRANCHES)) == (True, False)
    again = Export.from_json(export.to_json())
    assert again == export
    (batch,) = read_batches(again.file_for(CUSTOMERS), CUSTOMERS)
    assert list(batch.rows["source_row"]) == [1, 2]
    with pytest.raises(msgspec.MsgspecError):
        Export.from_json("{}")


def test_the_content_hash_depends_on_the_tables_files_only(folder: UPath) -> None:
    put(folder, customers__json=b'[{"id": 1}]')
    first = verify_export(folder, "any", SOURCES)
    assert first.exported_at is None
    put(folder, notes__txt=b"ignored")
    write_manifest(folder, "customers.json")
    assert verify_export(folder, "any", SOURCES).content_hash == first.content_hash
    put(folder, customers__json=b'[{"id": 2}]')
    (folder / "manifest.json").unlink()
    assert verify_export(folder, "any", SOURCES).content_hash != first.content_hash
    assert content_hash([("a", "1"), ("b", "2")]) == content_hash([("b", "2"), ("a", "1")])


def test_missing_tables(folder: UPath) -> None:
    with pytest.raises(MissingSourceFile, match="no export folder"):
        verify_export(folder / "gone", "any", SOURCES)
    put(folder, payments__json=b"[]")
    with pytest.raises(MissingSourceFile, match="table customers in"):
        verify_export(folder, "any", SOURCES)
    (folder / "payments.json").unlink()
    put(folder, customers__json=b'[{"id": 1}]')
    export = verify_export(folder, "any", SOURCES)
    for source in (PAYMENTS, BRANCHES):
        assert not export.has(source)
        with pytest.raises(MissingSourceFile, match=f"table {source.name} in"):
            export.file_for(source)


def test_a_fallback_is_verified_as_the_table_it_stands_in_for(folder: UPath) -> None:
    put(folder, customers_final__json=b'[{"id": 1}]')
    export = verify_export(folder, "any", SOURCES)
    assert len(export.files) == 1
    assert export.file_for(CUSTOMERS).table == export.file_for(FINAL).table == "customers_final"
    put(folder, customers_final__json=b"[]")
    with pytest.raises(EmptySource, match="customers_final"):
        verify_export(folder, "any", SOURCES)


def test_two_files_of_a_table(folder: UPath) -> None:
    put(folder, customers__json=b'[{"id": 1}]', customers__csv=b"id\n1\n")
    with pytest.raises(AmbiguousSource):
        verify_export(folder, "any", SOURCES)


@pytest.mark.parametrize(
    "files", [{"customers__json": b"[]"}, {"customers__csv": b"id\n"}, {"customers__jsonl": b"\n \n"}]
)
def test_a_table_that_is_never_empty(folder: UPath, files: dict[str, bytes]) -> None:
    put(folder, **files)
    with pytest.raises(EmptySource, match="table customers has no rows"):
        verify_export(folder, "any", SOURCES)


@pytest.mark.parametrize(
    "files",
    [
        {"customers__json": b'[{"name": "x"}]'},
        {"customers__jsonl": b'{"ID": 1}\n{"name": 1}'},
        {"customers__csv": b"Id,name\n1,x\n"},
        {"customers__json": b"[5]"},
    ],
)
def test_a_required_key_that_no_row_has(folder: UPath, files: dict[str, bytes]) -> None:
    put(folder, **files)
    with pytest.raises(SchemaDriftError, match="none has the column id"):
        verify_export(folder, "any", SOURCES)


@pytest.mark.parametrize(
    "files",
    [
        {"customers__json": b'[{"name": "x"}, {"id": null}]'},
        {"customers__csv": b"id,name\n1\n"},
        {"customers__jsonl": b'5\n{"id": 1}'},
    ],
)
def test_a_required_key_that_one_row_or_the_header_has(folder: UPath, files: dict[str, bytes]) -> None:
    put(folder, **files)
    verify_export(folder, "any", SOURCES)


def test_required_keys_may_have_alternatives_and_empty_tables_need_none(folder: UPath) -> None:
    source = SourceTable("payments", ("customer_id", "customer"), required_keys=(("customer_id", "customer"),))
    put(folder, payments__json=b'[{"customer": 1}]')
    verify_export(folder, "any", [source])
    put(folder, payments__json=b'[{"x": 1}]')
    with pytest.raises(SchemaDriftError, match=r"customer_id\|customer"):
        verify_export(folder, "any", [source])
    put(folder, payments__json=b"[]")
    verify_export(folder, "any", [source])


def test_format_errors_at_the_very_end_are_found(folder: UPath) -> None:
    put(folder, customers__json=b"[" + b'{"id": 1},' * 100_000 + b"{]")
    with pytest.raises(ExportFormatError, match="customers.json"):
        verify_export(folder, "any", SOURCES)


@pytest.mark.parametrize(("bad", "good", "fails"), [(10, 0, False), (11, 90, True), (11, 99, False), (11, 98, True)])
def test_more_malformed_rows_than_a_table_tolerates(folder: UPath, bad: int, good: int, fails: bool) -> None:
    source = SourceTable("customers", ("id",), max_malformed_percent=10)
    put(folder, customers__jsonl=b"{\n" * bad + b"{}\n" * good)
    if fails:
        with pytest.raises(ExportFormatError, match=f"{bad} of {bad + good} rows are malformed"):
            verify_export(folder, "any", [source])
    else:
        assert verify_export(folder, "any", [source]).files[0].malformed == bad


def test_a_manifest_that_agrees(folder: UPath) -> None:
    put(folder, customers__jsonl=b'{"id": 1}\n\n{"id": 2}\n5', notes__txt=b"x")
    write_manifest(folder, "customers.jsonl", "notes.txt")
    document = json.loads((folder / "manifest.json").read_text())
    document["files"][0]["rows"] = 3
    (folder / "manifest.json").write_text(json.dumps(document))
    assert verify_export(folder, "any", SOURCES).files[0].rows == 3
    document["files"][0]["rows"] = 2
    (folder / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(ManifestMismatch, match="holds 3 rows; the manifest says 2"):
        verify_export(folder, "any", SOURCES)


@pytest.mark.parametrize("content", [b'[{"id": 2}]', b'[{"id": 1}', b"\xff", b"[]"])
def test_bytes_that_the_manifest_does_not_know(folder: UPath, content: bytes) -> None:
    put(folder, customers__json=b'[{"id": 1}]')
    write_manifest(folder, "customers.json")
    put(folder, customers__json=content)
    with pytest.raises(ManifestMismatch, match=r"customers\.json .*sha256"):
        verify_export(folder, "any", SOURCES)


def test_other_files_of_the_manifest_are_held_to_it_too(folder: UPath) -> None:
    put(folder, customers__json=b'[{"id": 1}]', notes__txt=b"x")
    write_manifest(folder, "customers.json", "notes.txt")
    put(folder, notes__txt=b"y")
    with pytest.raises(ManifestMismatch, match=r"notes\.txt"):
        verify_export(folder, "any", SOURCES)
    (folder / "notes.txt").unlink()
    with pytest.raises(ManifestMismatch, match=r"lists notes\.txt, which is not there"):
        verify_export(folder, "any", SOURCES)


def test_a_manifest_of_another_system_or_none_at_all(folder: UPath) -> None:
    put(folder, customers__json=b'[{"id": 1}]')
    write_manifest(folder, "customers.json", system="other")
    with pytest.raises(ManifestMismatch):
        verify_export(folder, "any", SOURCES)
    (folder / "manifest.json").write_text("{")
    with pytest.raises(ManifestMismatch):
        verify_export(folder, "any", SOURCES)


def test_tables_in_sub_folders(folder: UPath) -> None:
    one = SourceTable("Booking", ("id",), folder="balisnap", required_keys=("id",))
    two = SourceTable("bookings", ("id",), folder="bstadmin", aliases=("Booking",))
    (folder / "balisnap").mkdir()
    (folder / "balisnap" / "Booking.jsonl").write_bytes(b'{"id": 1}\n')
    with pytest.raises(MissingSourceFile, match="no folder .*bstadmin, which must hold table bstadmin.bookings"):
        verify_export(folder, "any", [one, two])
    (folder / "bstadmin").mkdir()
    (folder / "bstadmin" / "Booking.json").write_bytes(b"[]")
    write_manifest(folder, "balisnap/Booking.jsonl", "bstadmin/Booking.json")
    export = Export.from_json(verify_export(folder, "any", [one, two]).to_json())
    assert [file.table for file in export.files] == ["balisnap.Booking", "bstadmin.bookings"]
    assert export.file_for(one).rows == 1
    assert export.file_for(two).rows == 0


def test_a_reader_that_lost_a_row_would_be_found_out(folder: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, customers__jsonl=b'{"id": 1}\n{"id": 2}\n')
    decode = json_rows._plain_lines
    monkeypatch.setattr(json_rows, "_plain_lines", lambda text, lines: decode(text, lines[1:]))
    with pytest.raises(ExportFormatError, match="1 rows were read but 2 counted"):
        verify_export(folder, "any", SOURCES)
