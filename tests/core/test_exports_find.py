"""Which folders are exports, which of them are complete, and which file holds a table."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from upath import UPath

from migration.errors import AmbiguousSource, MissingSourceFile, SetupError
from migration.exports.find import (
    find_export,
    find_file,
    is_complete,
    list_complete_exports,
    list_exports,
    newest_export,
    require_file,
)
from migration.exports.sources import SourceTable

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOURCE = SourceTable("customers", ("id",), fallbacks=("customers_final", "customers_clean"))


@pytest.fixture(params=["local", "memory"])
def landing(request: pytest.FixtureRequest, tmp_path: Path) -> UPath:
    root = UPath(tmp_path) if request.param == "local" else UPath(f"memory://{tmp_path.name}")
    (root / "landing" / "any").mkdir(parents=True, exist_ok=True)
    return root / "landing"


def export(landing: UPath, name: str, *files: str) -> UPath:
    folder = landing / "any" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("[]")
    return folder


def test_exports_are_listed_by_name_without_those_in_the_making(landing: UPath) -> None:
    for name in ("20260102", "20260101", ".tmp-20260103", "20260104.partial"):
        export(landing, name, "customers.json")
    (landing / "any" / "notes.txt").write_text("no folder")
    assert [folder.name for folder in list_exports(landing, "any")] == ["20260101", "20260102"]


def test_a_landing_zone_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="does not exist.*MIGRATION_LANDING"):
        list_exports(UPath(tmp_path / "nowhere"), "any")
    with pytest.raises(SetupError):
        newest_export(UPath("memory://exports-find-nowhere"), "any", NOW)


def test_a_system_without_exports(landing: UPath) -> None:
    with pytest.raises(MissingSourceFile, match="other"):
        list_exports(landing, "other")
    with pytest.raises(MissingSourceFile, match="no complete export"):
        newest_export(landing, "any", NOW)
    with pytest.raises(MissingSourceFile, match="no export 7"):
        find_export(landing, "any", "7")


def test_a_landing_zone_that_is_not_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "any" / "1").mkdir(parents=True)
    landing = UPath(tmp_path)

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(type(landing), "iterdir", refuse)
    with pytest.raises(SetupError, match="not readable"):
        list_exports(landing, "any")
    with pytest.raises(SetupError, match="not readable"):
        find_file(landing / "any" / "1", SOURCE)


def test_a_folder_is_complete_when_it_has_been_quiet(landing: UPath) -> None:
    folder = export(landing, "1", "customers.json", "sub/orders.json")
    changed = folder.fs.modified((folder / "customers.json").path)
    assert not is_complete(folder, changed + timedelta(seconds=59))
    assert is_complete(folder, changed + timedelta(seconds=65))


def test_a_change_in_a_sub_folder_is_a_change(tmp_path: Path) -> None:
    folder = UPath(tmp_path)
    (folder / "sub").mkdir()
    for name, age in (("a.json", 500), ("sub/b.json", 30)):
        (folder / name).write_text("")
        moment = NOW.timestamp() - age
        os.utime(tmp_path / name, (moment, moment))
    assert not is_complete(folder, NOW)
    assert is_complete(folder, NOW + timedelta(seconds=30))


def test_markers_make_a_folder_complete_at_once(landing: UPath) -> None:
    folder = export(landing, "1", "customers.json")
    now = folder.fs.modified((folder / "customers.json").path)
    assert not is_complete(folder, now)
    (folder / "_SUCCESS").write_text("")
    assert is_complete(folder, now)


@pytest.mark.parametrize(
    ("manifest", "complete"),
    [
        ('{"system": "any", "files": [{"name": "customers.json"}]}', True),
        ('{"system": "any", "files": []}', True),
        ('{"system": "any", "files": [{"name": "customers.json"}, {"name": "orders.json"}]}', False),
        ('{"system": "any", "fil', False),
        ("", False),
    ],
)
def test_a_manifest_makes_a_folder_complete_once_all_it_lists_is_there(
    landing: UPath, manifest: str, complete: bool
) -> None:
    folder = export(landing, "1", "customers.json")
    (folder / "manifest.json").write_text(manifest)
    now = folder.fs.modified((folder / "manifest.json").path)
    assert is_complete(folder, now) is complete
    # What is wrong with it is then told by the verification, not hidden by waiting for ever.
    assert is_complete(folder, now + timedelta(minutes=2))


def test_a_quiet_folder_is_complete_with_all_its_parts(landing: UPath) -> None:
    folder = export(landing, "1", "one/customers.json")
    later = folder.fs.modified((folder / "one" / "customers.json").path) + timedelta(minutes=2)
    assert is_complete(folder, later, ["one"])
    assert not is_complete(folder, later, ["one", "other"])
    assert list_complete_exports(landing, "any", later, ["one", "other"]) == []
    (folder / "_SUCCESS").write_text("")
    # What is missing of it is then told by the verification.
    assert is_complete(folder, later, ["one", "other"])


def test_a_folder_without_files_is_not_complete(landing: UPath) -> None:
    folder = export(landing, "1")
    assert not is_complete(folder, NOW + timedelta(days=999))
    assert not is_complete(landing / "any" / "gone", NOW)


def test_the_newest_export_is_the_last_complete_one(landing: UPath) -> None:
    for name in ("20260101", "20260102", "20260103"):
        export(landing, name, "customers.json", *([] if name.endswith("3") else ["_SUCCESS"]))
    now = landing.fs.modified((landing / "any" / "20260103" / "customers.json").path)
    assert newest_export(landing, "any", now).name == "20260102"
    assert [folder.name for folder in list_complete_exports(landing, "any", now)] == ["20260101", "20260102"]
    assert newest_export(landing, "any", now + timedelta(hours=1)).name == "20260103"
    assert find_export(landing, "any", "20260103").name == "20260103"


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "parquet"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_the_file_of_a_table_by_its_name(landing: UPath, kind: str, suffix: str) -> None:
    name = f"customers.{kind}{suffix}"
    folder = export(landing, "1", name, "customers2.json", "Customers.json", "customers.json.tmp", "customers.txt")
    file = require_file(folder, SOURCE)
    assert (file.name, file.stem, file.table) == (name, "customers", "customers")
    assert (file.format, file.gzipped) == (kind, suffix == ".gz")
    assert file.path.read_text() == "[]"


@pytest.mark.parametrize("other", ["customers.json.gz", "customers.jsonl", "customers.parquet"])
def test_two_files_of_one_table_are_ambiguous(landing: UPath, other: str) -> None:
    folder = export(landing, "1", "customers.json", other)
    with pytest.raises(AmbiguousSource, match="customers") as caught:
        find_file(folder, SOURCE)
    assert other in str(caught.value)


def test_fallbacks_stand_in_in_their_order_and_are_not_ambiguous(landing: UPath) -> None:
    folder = export(landing, "1", "customers_clean.csv")
    assert require_file(folder, SOURCE).name == "customers_clean.csv"
    export(landing, "1", "customers_final.json")
    assert require_file(folder, SOURCE).table == "customers_final"
    export(landing, "1", "customers.parquet")
    assert require_file(folder, SOURCE).name == "customers.parquet"
    export(landing, "1", "customers_final.csv")
    assert require_file(folder, SOURCE).name == "customers.parquet"
    (folder / "customers.parquet").unlink()
    with pytest.raises(AmbiguousSource, match="customers_final"):
        find_file(folder, SOURCE)


def test_aliases_are_the_same_table_and_sub_folders_other_ones(landing: UPath) -> None:
    source = SourceTable("bookings", ("id",), folder="bstadmin", aliases=("Booking",))
    folder = export(landing, "1", "bstadmin/Booking.json", "balisnap/Booking.json", "bookings.json")
    file = require_file(folder, source)
    assert (file.name, file.stem, file.table) == ("bstadmin/Booking.json", "Booking", "bstadmin.bookings")
    export(landing, "1", "bstadmin/bookings.csv")
    with pytest.raises(AmbiguousSource, match=r"bstadmin\.bookings"):
        find_file(folder, source)


def test_a_missing_file_is_named_with_its_folder(landing: UPath) -> None:
    folder = export(landing, "1", "orders.json", "customers.json/part-0")
    assert find_file(folder, SOURCE) is None
    with pytest.raises(MissingSourceFile, match="table customers in .*any/1 .*customers_final"):
        require_file(folder, SOURCE)
    with pytest.raises(MissingSourceFile, match="no folder .*bstadmin"):
        require_file(folder, SourceTable("bookings", ("id",), folder="bstadmin"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"columns": ("id", "id")},
        {"columns": ("id", "malformed")},
        {"columns": ("id",), "key": "pk"},
        {"columns": ("id",), "required_keys": (("id", "pk"),)},
    ],
)
def test_a_source_that_contradicts_itself_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="t:"):
        SourceTable("t", **wrong)  # type: ignore[arg-type]
