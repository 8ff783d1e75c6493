"""Extracting from SQLite: every path that needs no server, and those that are easiest to break here."""

import base64
import gzip
import json
import multiprocessing
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from upath import UPath

from migration.errors import AmbiguousSource, EmptySource, MigrationError, SchemaDriftError, SetupError, TransientError
from migration.exports.find import FORMATS, Format, list_exports, newest_export
from migration.exports.sources import SourceTable
from migration.exports.verify import verify_export
from migration.extract import exporting
from migration.extract.exporting import Shape, extract_export
from migration.extract.extracted import Extracted, default_export_id
from migration.extract.failures import LegacyCountMismatch, LegacyTableMissing, LegacyUnavailable
from migration.extract.plan import _same_name
from migration.extract.snapshot import open_snapshot, server_of
from tests.extract.conftest import hidden, read_back, visible
from tests.extract.interrupted import extract_and_die, peak_memory

PEOPLE = SourceTable("people", columns=("id", "name", "balance"), required_keys=("id", "name"))
PEOPLE_IDS = SourceTable("people", columns=("id",))
VISITS = SourceTable("visits", columns=("id", "person_id"), required=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "legacy.db"


@pytest.fixture
def legacy(file: Path) -> Iterator[sqlite3.Connection]:
    with sqlite3.connect(file, isolation_level=None) as connection:
        connection.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, balance NUMERIC, password TEXT)")
        connection.execute("INSERT INTO people VALUES (2, 'Bo', 1.5, 'canary'), (1, 'Al', 7, 'canary')")
        yield connection


def extract(file: Path, landing: UPath, *sources: SourceTable, **options: Any) -> Extracted:
    export_id = options.pop("export_id", "a")
    return extract_export(f"sqlite:///{file}", "meter", sources or [PEOPLE], landing, export_id, **options)


# --- what is written --------------------------------------------------------------------------------------------------


def test_an_export_is_what_readers_expect(legacy: sqlite3.Connection, file: Path, landing: UPath) -> None:
    before = datetime.now(UTC)
    done = extract(file, landing, PEOPLE, VISITS)
    assert (done.left_out, done.notes) == (("visits",), ())
    assert [path.name for path in list_exports(landing, "meter")] == ["a"]
    assert newest_export(landing, "meter", datetime.now(UTC)) == done.folder
    export = verify_export(done.folder, "meter", [PEOPLE, VISITS])
    assert export.exported_at is not None
    assert before.replace(microsecond=0) <= export.exported_at <= datetime.now(UTC)
    assert [(found.name, found.rows, found.unknown_fields) for found in export.files] == [("people.jsonl.gz", 2, ())]
    assert [(table.table, table.rows, table.bytes) for table in done.tables] == [
        ("people", 2, (Path(done.folder.path) / "people.jsonl.gz").stat().st_size)
    ]
    assert read_back(done.folder, [PEOPLE])["people"] == [
        {"id": 1, "name": "Al", "balance": 7},
        {"id": 2, "name": "Bo", "balance": Decimal("1.5")},
    ]
    assert Path(done.folder.path).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("packed", [False, True])
def test_every_format_is_verified_and_read_back(
    legacy: sqlite3.Connection, file: Path, landing: UPath, format: Format, packed: bool
) -> None:
    done = extract(file, landing, shape=Shape(format, packed))
    assert [table.file for table in done.tables] == [f"people.{format}{'.gz' if packed else ''}"]
    rows = read_back(done.folder, [PEOPLE])["people"]
    assert [(str(row["id"]), row["name"], str(row["balance"])) for row in rows] == [
        ("1", "Al", "7"),
        ("2", "Bo", "1.5"),
    ]


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_table_is_a_file_without_rows(
    legacy: sqlite3.Connection, file: Path, landing: UPath, format: Format
) -> None:
    legacy.execute("DELETE FROM people")
    assert read_back(extract(file, landing, shape=Shape(format)).folder, [PEOPLE]) == {"people": []}


def test_undeclared_columns_stay_where_they_are_unless_asked_for(
    legacy: sqlite3.Connection, file: Path, landing: UPath
) -> None:
    done = extract(file, landing, shape=Shape(gzip=False))
    assert b"canary" not in (Path(done.folder.path) / "people.jsonl").read_bytes()
    done = extract(file, landing, export_id="b", shape=Shape(gzip=False, all_columns=True))
    assert read_back(done.folder, [PEOPLE])["people"][0]["password"] == "canary"
    assert verify_export(done.folder, "meter", [PEOPLE]).files[0].unknown_fields == ("password",)


def test_each_value_has_its_own_type(legacy: sqlite3.Connection, file: Path, landing: UPath) -> None:
    texts = ["", "\x00", "a\x00b", "\ue000 😀", "\u2028 \x85 \r \n", "0" * 20_000]
    given = [9223372036854775807, -1, 0.1, 1e300, 5e-324, float("inf"), b"\xff\x00", b"text", *texts]
    legacy.execute("CREATE TABLE plain (n INTEGER PRIMARY KEY, value)")
    legacy.executemany("INSERT INTO plain (value) VALUES (?)", [(value,) for value in given])
    legacy.execute("INSERT INTO plain (value) VALUES (cast(x'41ff42' AS text)), (NULL)")
    source = SourceTable("plain", columns=("n", "value"))
    done = extract(file, landing, source)
    found = [row["value"] for row in read_back(done.folder, [source])["plain"]]
    numbers = [9223372036854775807, -1, Decimal("0.1"), Decimal("1e300"), Decimal("5e-324"), "Infinity"]
    blobs = [base64.b64encode(b"\xff\x00").decode(), "text"]
    assert found == [*numbers, *blobs, *texts, "A\ufffdB", None]
    assert done.notes == (
        "plain.value: binary values written as base64: 1",
        "plain.value: texts with bytes that are not UTF-8, which are now U+FFFD: 1",
    )


@pytest.mark.parametrize("format", FORMATS)
def test_texts_survive_every_format(legacy: sqlite3.Connection, file: Path, landing: UPath, format: Format) -> None:
    texts = ["a,b", 'say "hi"', "two\nlines", "cr\ralone", "crlf\r\n", " spaces ", "\x00", "\\N", "NULL", "=1+1"]
    legacy.execute("DELETE FROM people")
    legacy.executemany("INSERT INTO people (name) VALUES (?)", [(text,) for text in texts])
    done = extract(file, landing, shape=Shape(format))
    assert [row["name"] for row in read_back(done.folder, [PEOPLE])["people"]] == texts


# --- which tables and columns -----------------------------------------------------------------------------------------


def test_names_are_found_by_spelling_case_alias_and_key(legacy: sqlite3.Connection, file: Path, landing: UPath) -> None:
    legacy.execute('CREATE TABLE "Tour Dates" (tourDate TEXT, ID INTEGER)')
    legacy.execute("INSERT INTO \"Tour Dates\" VALUES ('2026-01-01', 4)")
    source = SourceTable(
        "dates",
        columns=("id", "tour_date", "other"),
        aliases=("tour dates",),
        rename_key=lambda key: "tour_date" if key == "tourDate" else key,
    )
    done = extract(file, landing, source)
    assert [table.file for table in done.tables] == ["tour dates.jsonl.gz"]
    assert json.loads(read_file(done, "tour dates.jsonl.gz")) == {"id": 4, "tour_date": "2026-01-01"}
    assert read_back(done.folder, [source])["dates"] == [{"id": 4, "tour_date": "2026-01-01"}]


def read_file(done: Extracted, name: str) -> bytes:
    return gzip.decompress((Path(done.folder.path) / name).read_bytes())


def test_a_fallback_has_what_all_its_readers_want(legacy: sqlite3.Connection, file: Path, landing: UPath) -> None:
    raw = SourceTable("customers", columns=("id", "name"), required_keys=("id",), fallbacks=("gone", "people"))
    final = SourceTable("people", columns=("id", "balance"), required=False)
    done = extract(file, landing, raw, final)
    assert [(table.table, table.rows) for table in done.tables] == [("people", 2)]
    assert read_back(done.folder, [raw])["customers"][0] == {"id": 1, "name": "Al", "balance": 7}


def test_what_does_not_fit_the_sources_is_told_before_anything_is_written(
    legacy: sqlite3.Connection, file: Path, landing: UPath
) -> None:
    with pytest.raises(LegacyTableMissing, match="has no table gone"):
        extract(file, landing, PEOPLE, SourceTable("gone", columns=("id",)))
    with pytest.raises(SchemaDriftError, match=r"table people lacks the column ktp, a\|b"):
        extract(
            file, landing, SourceTable("people", columns=("id", "ktp", "a", "b"), required_keys=("ktp", ("a", "b")))
        )
    with pytest.raises(SchemaDriftError, match="lacks every declared column"):
        extract(file, landing, SourceTable("people", columns=("nothing",)))
    with pytest.raises(LegacyTableMissing, match="no schema or database bstadmin"):
        extract(file, landing, SourceTable("people", columns=("id",), folder="bstadmin"))
    assert visible(landing, "meter") == hidden(landing, "meter") == []


def test_two_tables_that_differ_only_in_case_are_not_guessed_at() -> None:
    assert _same_name("Users", ["users", "Users"], "x") == "Users"
    assert _same_name("USERS", ["Users"], "x") == "Users"
    with pytest.raises(AmbiguousSource):
        _same_name("USERS", ["users", "Users"], "x")


def test_a_table_that_is_never_empty_must_have_rows(legacy: sqlite3.Connection, file: Path, landing: UPath) -> None:
    legacy.execute("DELETE FROM people")
    with pytest.raises(EmptySource):
        extract(file, landing, SourceTable("people", columns=("id",), may_be_empty=False))
    assert visible(landing, "meter") == hidden(landing, "meter") == []


# --- snapshot ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_all_tables_are_of_one_moment(legacy: sqlite3.Connection, file: Path, landing: UPath, journal: str) -> None:
    legacy.execute(f"PRAGMA journal_mode = {journal}")
    legacy.execute("CREATE TABLE visits AS SELECT id, id AS person_id FROM people")
    refused = 0

    def change(table: str, rows: int, total: int) -> None:
        nonlocal refused
        try:
            legacy.execute("DELETE FROM visits")
        except sqlite3.OperationalError:  # without WAL a reader keeps writers away
            refused += 1

    legacy.execute("PRAGMA busy_timeout = 0")
    done = extract(file, landing, PEOPLE, VISITS, progress=change)
    assert len(read_back(done.folder, [VISITS])["visits"]) == 2
    assert refused == (0 if journal == "WAL" else 2)


def test_the_file_cannot_be_written(legacy: sqlite3.Connection, file: Path) -> None:
    with pytest.raises(MigrationError), open_snapshot(server_of(f"sqlite:///{file}")) as snapshot:
        snapshot.connection.exec_driver_sql("DELETE FROM people")
    assert legacy.execute("SELECT count(*) FROM people").fetchone() == (2,)


def test_rows_that_the_database_does_not_count_are_an_error(
    legacy: sqlite3.Connection, file: Path, landing: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_count", lambda connection, table: 3)
    with pytest.raises(LegacyCountMismatch, match="of table people 2 rows were read, but the database counts 3"):
        extract(file, landing)
    assert visible(landing, "meter") == hidden(landing, "meter") == []


# --- publication ------------------------------------------------------------------------------------------------------


def test_an_export_that_exists_is_never_touched(legacy: sqlite3.Connection, file: Path, landing: UPath) -> None:
    extract(file, landing)
    before = (Path(landing.path) / "meter/a/manifest.json").read_bytes()
    with pytest.raises(SetupError, match="exists already"):
        extract(file, landing)
    assert (Path(landing.path) / "meter/a/manifest.json").read_bytes() == before


@pytest.mark.parametrize("export_id", ["", ".hidden", "a/b", "../a", "a.partial", "a\nb"])
def test_ids_that_no_reader_sees_are_refused(file: Path, landing: UPath, export_id: str) -> None:
    with pytest.raises(SetupError, match="export id"):
        extract(file, landing, export_id=export_id)


def test_the_id_is_the_time_by_default() -> None:
    assert default_export_id(datetime.fromisoformat("2026-02-26T02:00:00+07:00")) == "20260225T190000Z"


def test_a_killed_extract_leaves_nothing_to_see_and_the_next_one_tidies_up(
    legacy: sqlite3.Connection, file: Path, landing: UPath
) -> None:
    extract_and_die(f"sqlite:///{file}", landing, "people", "id", "name")
    assert visible(landing, "meter") == []
    assert list_exports(landing, "meter") == []
    assert hidden(landing, "meter") == [".extract-killed.partial"]
    (Path(landing.path) / "meter" / ".tmp-20200101T000000Z").mkdir()
    (Path(landing.path) / "meter" / "other.partial").mkdir()
    extract(file, landing)
    assert visible(landing, "meter") == ["a", "other.partial"]
    assert hidden(landing, "meter") == [".tmp-20200101T000000Z"]


def _hold(lock: str, held: Any, done: Any) -> None:
    with FileLock(lock):
        held.set()
        done.wait(30)


def test_two_extracts_of_a_system_do_not_run_at_once(legacy: sqlite3.Connection, file: Path, landing: UPath) -> None:
    extract(file, landing)
    shelf = Path(landing.path) / "meter"
    (shelf / ".extract-b.partial").mkdir()
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(shelf / ".extract.lock"), held, done))
    other.start()
    try:
        assert held.wait(30)
        with pytest.raises(TransientError, match="Another extract of meter is at work"):
            extract(file, landing, export_id="c")
        assert hidden(landing, "meter") == [".extract-b.partial"]
    finally:
        done.set()
        other.join()


def test_a_failing_write_leaves_nothing(
    legacy: sqlite3.Connection, file: Path, landing: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "write_manifest", full)
    with pytest.raises(OSError, match="No space"):
        extract(file, landing)
    assert visible(landing, "meter") == hidden(landing, "meter") == []


def test_object_stores_get_the_manifest_last(legacy: sqlite3.Connection, file: Path) -> None:
    landing = UPath("memory://extract-landing")
    done = extract(file, landing, PEOPLE_IDS)
    written = sorted(done.folder.iterdir(), key=lambda path: path.stat().st_mtime)
    assert [path.name for path in written] == ["people.jsonl.gz", "manifest.json"]
    assert [path.name for path in (landing / "meter").iterdir()] == ["a"]
    assert verify_export(done.folder, "meter", [PEOPLE_IDS]).files[0].rows == 2


def test_in_object_stores_only_what_is_old_is_tidied_up(legacy: sqlite3.Connection, file: Path) -> None:
    landing = UPath("memory://extract-tidy")
    for name in ("young", "old"):
        (landing / "meter" / f".extract-{name}.partial").mkdir(parents=True)
        (landing / "meter" / f".extract-{name}.partial" / "people.jsonl").write_bytes(b"{}")
    store: Any = landing.fs
    store.store["/extract-tidy/meter/.extract-old.partial/people.jsonl"].modified = datetime(2020, 1, 1, tzinfo=UTC)
    extract(file, landing, PEOPLE_IDS)
    assert sorted(path.name for path in (landing / "meter").iterdir()) == [".extract-young.partial", "a"]


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "No legacy database is named"),
        ("no url canary", "is not a database URL"),
        ("mysql://user:canary@host:port/db", "is not a database URL"),
        ("oracle://user:canary@host/db", "kind of database that cannot be extracted"),
        ("mysql://user:canary@word@host/db", "more than one @"),
        ("mysql://user:canary@host", "names no database"),
        ("sqlite://", "names no database"),
        ("mysql://user:canary@host/db?connect_timeout=soon", "option"),
        ("mysql://user:canary@host/db?ssl_ca=/no/such/file", "option"),
    ],
)
def test_a_url_that_cannot_be_used(landing: UPath, url: str, said: str) -> None:
    with pytest.raises(SetupError, match=said) as caught:
        extract_export(url, "meter", [PEOPLE], landing, "a")
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_files_that_are_no_database(tmp_path: Path, landing: UPath) -> None:
    with pytest.raises(SetupError, match="not there or not readable"):
        extract(tmp_path / "gone.db", landing)
    (tmp_path / "text.db").write_text("no database " * 1000)
    with pytest.raises(SetupError, match="not a SQLite database"):
        extract(tmp_path / "text.db", landing)


def test_a_locked_file_is_tried_again_later(
    legacy: sqlite3.Connection, file: Path, landing: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migration.extract.sqlite.CONNECT_SECONDS", 0)
    legacy.execute("BEGIN EXCLUSIVE")
    with pytest.raises(LegacyUnavailable):
        extract(file, landing)


def test_a_host_that_nobody_knows_and_a_port_that_nobody_listens_on(landing: UPath, unused_port: int) -> None:
    for scheme in ("mysql", "mariadb", "postgresql", "mysql+pymysql", "postgresql+psycopg2"):
        with pytest.raises(LegacyUnavailable, match=rf"No server answers at 127\.0\.0\.1:{unused_port}/db\."):
            extract_export(f"{scheme}://user:canary@127.0.0.1:{unused_port}/db", "meter", [PEOPLE], landing, "a")


# --- memory -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_memory_does_not_grow_with_the_table(legacy: sqlite3.Connection, file: Path, landing: UPath) -> None:
    legacy.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, filler TEXT)")
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
    legacy.execute(f"{numbers} INSERT INTO big SELECT i, hex(randomblob(250)) FROM n")
    least = peak_memory(f"sqlite:///{file}", landing, "people", "id", "name")
    most = peak_memory(f"sqlite:///{file}", landing, "big", "id", "filler")
    assert most - least < 64 << 20
