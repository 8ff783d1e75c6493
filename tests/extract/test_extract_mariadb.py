"""Extracting from a real MariaDB server: types, snapshot, rights, interruptions."""

import base64
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from migration.errors import MigrationError, SchemaDriftError, SetupError
from migration.exports.find import FORMATS, Format
from migration.exports.sources import SourceTable
from migration.extract.exporting import Shape, extract_export
from migration.extract.failures import LegacyTableMissing, LegacyUnavailable
from migration.extract.snapshot import open_snapshot, server_of
from tests.extract.conftest import PASSWORD, MariaDB, hidden, read_back, visible
from tests.extract.interrupted import extract_and_die, peak_memory

pytestmark = pytest.mark.slow

TYPES = """
CREATE TABLE every_type (
  id BIGINT UNSIGNED PRIMARY KEY, tiny TINYINT(1), small SMALLINT, filled INT(6) UNSIGNED ZEROFILL, years YEAR,
  bits BIT(10), money DECIMAL(30, 10), single FLOAT, doubled DOUBLE, born DATE, seen DATETIME(6),
  stamped TIMESTAMP NULL, lasted TIME(3), letters CHAR(5),
  words VARCHAR(200), novel LONGTEXT, latin VARCHAR(20) CHARACTER SET latin1,
  chosen ENUM('a', 'b'), several SET('x', 'y'), document JSON, raw VARBINARY(40), picture LONGBLOB, uuid BINARY(16),
  place POINT
) CHARACTER SET utf8mb4
"""
COLUMNS = (
    *("id", "tiny", "small", "filled", "years", "bits", "money", "single", "doubled", "born", "seen", "stamped"),
    *(
        "lasted",
        "letters",
        "words",
        "novel",
        "latin",
        "chosen",
        "several",
        "document",
        "raw",
        "picture",
        "uuid",
        "place",
    ),
)
EVERY_TYPE = SourceTable("every_type", columns=COLUMNS, required_keys=("id",))
UUID = bytes(range(16))
POINT = bytes.fromhex("000000000101000000000000000000f03f0000000000000040")
ROWS: list[dict[str, Any]] = [
    dict.fromkeys(COLUMNS) | {"id": 1},
    {
        "id": 18446744073709551615,
        "tiny": 1,
        "small": -32768,
        "filled": 42,
        "years": 2026,
        "bits": 513,
        "money": Decimal("12345678901234567890.0123456789"),
        "single": Decimal("0.1"),
        "doubled": Decimal("0.30000000000000004"),
        "born": "2026-02-25",
        "seen": "2026-02-25T19:00:00.000123",
        "stamped": "2026-02-25T19:00:00",
        "lasted": "-838:59:59.000",
        "letters": "ab",
        "words": 'naïve 😀 \x00 " \\ \r\n end',
        "novel": "x" * 100_000,
        "latin": "café",
        "chosen": "b",
        "several": "x,y",
        "document": '{"a": 1.10, "b": [1, 2]}',
        "raw": "plain text",
        "picture": base64.b64encode(b"\x89PNG\xff\x00").decode(),
        "uuid": base64.b64encode(UUID).decode(),
        "place": base64.b64encode(POINT).decode(),
    },
]


def fill_types(legacy: MariaDB) -> None:
    given = dict(ROWS[1]) | {"bits": b"\x02\x01", "raw": b"plain text", "picture": b"\x89PNG\xff\x00", "uuid": UUID}
    given |= {"seen": "2026-02-25 19:00:00.000123", "stamped": "2026-02-25 19:00:00", "place": POINT}
    with legacy.connect("legacy") as connection, connection.cursor() as cursor:
        cursor.execute(TYPES)
        cursor.execute("INSERT INTO every_type (id) VALUES (1)")
        places = ", ".join("%s" for _ in given)
        cursor.execute(f"INSERT INTO every_type ({', '.join(given)}) VALUES ({places})", list(given.values()))


def test_every_type_comes_out_exactly(legacy: MariaDB, landing: UPath) -> None:
    fill_types(legacy)
    done = extract_export(legacy.url("legacy"), "meter", [EVERY_TYPE], landing, "a")
    assert read_back(done.folder, [EVERY_TYPE]) == {"every_type": ROWS}
    assert [(table.table, table.file, table.rows) for table in done.tables] == [
        ("every_type", "every_type.jsonl.gz", 2)
    ]
    assert done.notes == tuple(
        f"every_type.{c}: binary values written as base64: 1" for c in ("picture", "uuid", "place")
    )


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("gzip", [False, True])
def test_every_format_reads_back(legacy: MariaDB, landing: UPath, format: Format, gzip: bool) -> None:
    fill_types(legacy)
    done = extract_export(legacy.url("legacy"), "meter", [EVERY_TYPE], landing, "a", shape=Shape(format, gzip))
    texts = [{name: None if value is None else str(value) for name, value in row.items()} for row in ROWS]
    if format == "csv":  # which knows no null
        texts = [{name: value or "" for name, value in row.items()} for row in texts]
    expected = ROWS if format in ("json", "jsonl") else texts
    assert read_back(done.folder, [EVERY_TYPE]) == {"every_type": expected}


def test_zero_dates_stay_what_they_are(legacy: MariaDB, landing: UPath) -> None:
    legacy.run(
        "SET sql_mode = ''",
        "CREATE TABLE dates (id INT PRIMARY KEY, d DATE, t DATETIME, s TIMESTAMP NULL)",
        "INSERT INTO dates VALUES (1, '0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00')",
        "INSERT INTO dates VALUES (2, '2026-00-15', '2026-02-00 10:00:00', NULL)",
        database="legacy",
    )
    source = SourceTable("dates", columns=("id", "d", "t", "s"))
    done = extract_export(legacy.url("legacy"), "meter", [source], landing, "a")
    zero = "0000-00-00 00:00:00"
    assert read_back(done.folder, [source])["dates"] == [
        {"id": 1, "d": "0000-00-00", "t": zero, "s": zero},
        {"id": 2, "d": "2026-00-15", "t": "2026-02-00T10:00:00", "s": None},
    ]


# --- snapshot ---------------------------------------------------------------------------------------------------------

PEOPLE = SourceTable("people", columns=("id", "purse"), required_keys=("id",))
SHOPS = SourceTable("shops", columns=("id", "purse"), required_keys=("id",))


def fill_purses(legacy: MariaDB, engine: str = "InnoDB", rows: int = 5_000) -> None:
    for table in ("people", "shops"):
        legacy.run(
            f"CREATE TABLE {table} (id INT PRIMARY KEY, purse DECIMAL(12, 2)) ENGINE={engine}",
            f"INSERT INTO {table} SELECT seq, 10.50 FROM seq_1_to_{rows}",
            database="legacy",
        )


def test_all_tables_are_of_one_moment(legacy: MariaDB, landing: UPath) -> None:
    fill_purses(legacy)
    shopped: list[str] = []

    def shop(table: str, rows: int, total: int) -> None:
        if not shopped:
            shopped.append(table)
            legacy.run("UPDATE shops SET purse = purse + 5", "DELETE FROM shops WHERE id > 4000", database="legacy")
            legacy.run("UPDATE people SET purse = purse - 5", database="legacy")

    done = extract_export(legacy.url("legacy"), "meter", [PEOPLE, SHOPS], landing, "a", progress=shop)
    assert shopped == ["people"]
    rows = read_back(done.folder, [PEOPLE, SHOPS])
    assert rows["people"] == rows["shops"] == [{"id": n, "purse": Decimal("10.50")} for n in range(1, 5_001)]


def test_a_writer_is_never_seen_half_done(legacy: MariaDB, landing: UPath) -> None:
    fill_purses(legacy, rows=20_000)
    with legacy.connect("legacy") as writer, writer.cursor() as cursor:
        moves = 0

        def move(table: str, rows: int, total: int) -> None:
            nonlocal moves
            moves += 1
            writer.begin()
            cursor.execute(f"UPDATE people SET purse = purse - 1 WHERE id = {moves}")
            cursor.execute(f"UPDATE shops SET purse = purse + 1 WHERE id = {moves}")
            writer.commit()

        done = extract_export(legacy.url("legacy"), "meter", [PEOPLE, SHOPS], landing, "a", progress=move)
    assert moves > 10
    rows = read_back(done.folder, [PEOPLE, SHOPS])
    assert sum(row["purse"] for table in rows.values() for row in table) == 2 * 20_000 * Decimal("10.50")


def test_tables_without_row_versions_are_named(legacy: MariaDB, landing: UPath) -> None:
    fill_purses(legacy, "MyISAM", 10)
    done = extract_export(legacy.url("legacy"), "meter", [PEOPLE, SHOPS], landing, "a")
    assert [note.split(":")[0] for note in done.notes] == ["people", "shops"]


def test_the_transaction_cannot_write(legacy: MariaDB) -> None:
    fill_purses(legacy, rows=1)
    legacy.run("GRANT ALL ON legacy.* TO reader@'%'")
    try:
        with (
            pytest.raises(MigrationError, match="1792"),
            open_snapshot(server_of(legacy.url("legacy"))) as snapshot,
        ):
            snapshot.connection.exec_driver_sql("DELETE FROM people")
    finally:
        legacy.run("REVOKE ALL ON legacy.* FROM reader@'%'", "GRANT SELECT ON legacy.* TO reader@'%'")


# --- names ------------------------------------------------------------------------------------------------------------


def test_names_are_matched_without_regard_to_case(legacy: MariaDB, landing: UPath) -> None:
    legacy.run(
        "CREATE TABLE Payments (ID INT PRIMARY KEY, Amount DECIMAL(8, 2), email TEXT)",
        "INSERT INTO Payments VALUES (7, 1.5, 'a@b.test')",
        database="legacy",
    )
    source = SourceTable("payments", columns=("id", "amount"), required_keys=("id",))
    done = extract_export(legacy.url("legacy"), "meter", [source], landing, "a")
    assert read_back(done.folder, [source])["payments"] == [{"id": 7, "amount": Decimal("1.50")}]
    assert b"a@b.test" not in b"".join(path.read_bytes() for path in Path(done.folder.path).iterdir())


def test_a_sub_folder_is_a_database_of_that_name(legacy: MariaDB, landing: UPath) -> None:
    legacy.run("CREATE TABLE legacy.bookings (bookingId INT PRIMARY KEY)", "INSERT INTO legacy.bookings VALUES (3)")
    source = SourceTable(
        "bookings", columns=("booking_id",), folder="legacy", rename_key=lambda key: key.replace("I", "_i")
    )
    done = extract_export(legacy.url("information_schema"), "booking", [source], landing, "a")
    assert [table.file for table in done.tables] == ["legacy/bookings.jsonl.gz"]
    assert read_back(done.folder, [source])["bookings"] == [{"booking_id": 3}]


def test_what_is_missing_is_told_before_anything_is_written(legacy: MariaDB, landing: UPath) -> None:
    fill_purses(legacy, rows=1)
    gone = SourceTable("gone", columns=("id",))
    with pytest.raises(LegacyTableMissing, match="no table gone"):
        extract_export(legacy.url("legacy"), "meter", [PEOPLE, gone], landing, "a")
    keyless = SourceTable("people", columns=("id", "name"), required_keys=("name",))
    with pytest.raises(SchemaDriftError, match="people lacks the column name"):
        extract_export(legacy.url("legacy"), "meter", [keyless], landing, "a")
    assert visible(landing, "meter") == hidden(landing, "meter") == []


# --- what goes wrong --------------------------------------------------------------------------------------------------


def fill_wide(legacy: MariaDB) -> None:
    """More than the buffers between a server and its client hold."""
    legacy.run(
        "CREATE TABLE people (id INT PRIMARY KEY, purse LONGTEXT)",
        "INSERT INTO people SELECT seq, repeat('x', 5000) FROM seq_1_to_20000",
        database="legacy",
    )


def refusal(url: str, landing: UPath, source: SourceTable = PEOPLE) -> MigrationError:
    with pytest.raises(MigrationError) as caught:
        extract_export(url, "meter", [source], landing, "a")
    assert PASSWORD not in str(caught.value)
    assert "reader" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


def test_every_refusal_is_one_line_without_the_password(legacy: MariaDB, landing: UPath, unused_port: int) -> None:
    fill_purses(legacy, rows=1)
    wrong = refusal(legacy.url("legacy", password="canary-Wrong"), landing)
    assert isinstance(wrong, SetupError)
    assert "refuses the user or the password" in str(wrong)
    assert "canary" not in str(wrong)
    assert "may not read" in str(refusal(legacy.url("mysql"), landing))
    unknown = refusal(legacy.url("nowhere", "root", ""), landing)
    assert "/nowhere does not exist" in str(unknown)
    refused = refusal(legacy.url("legacy").replace(str(legacy.port), str(unused_port)), landing)
    assert isinstance(refused, LegacyUnavailable)
    assert f"No server answers at 127.0.0.1:{unused_port}/legacy." in str(refused)
    assert "option" in str(refusal(legacy.url("legacy") + "?no_such_option=1", landing))


def test_a_connection_that_is_lost_in_the_middle(
    legacy: MariaDB, landing: UPath, capfd: pytest.CaptureFixture[str]
) -> None:
    fill_wide(legacy)

    def kill(table: str, rows: int, total: int) -> None:
        with legacy.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id FROM information_schema.processlist WHERE user = 'reader'")
            for (session,) in cursor.fetchall():
                cursor.execute(f"KILL {session}")

    with pytest.raises(LegacyUnavailable, match="lost") as caught:
        extract_export(legacy.url("legacy"), "meter", [PEOPLE], landing, "a", progress=kill)
    assert "canary" not in str(caught.value)
    assert visible(landing, "meter") == hidden(landing, "meter") == []
    del caught
    assert capfd.readouterr() == ("", "")


def test_a_mistake_of_ours_does_not_read_the_rest_of_the_table(
    legacy: MariaDB, landing: UPath, capfd: pytest.CaptureFixture[str]
) -> None:
    fill_wide(legacy)

    def stop(table: str, rows: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_export(legacy.url("legacy"), "meter", [PEOPLE], landing, "a", progress=stop)
    assert visible(landing, "meter") == hidden(landing, "meter") == []
    assert capfd.readouterr() == ("", "")


def test_a_killed_extract_leaves_nothing_to_see_and_the_next_one_tidies_up(legacy: MariaDB, landing: UPath) -> None:
    fill_purses(legacy, rows=50_000)
    extract_and_die(legacy.url("legacy"), landing, "people", "id", "purse")
    assert visible(landing, "meter") == []
    assert hidden(landing, "meter") == [".extract-killed.partial"]
    done = extract_export(legacy.url("legacy"), "meter", [PEOPLE], landing, "b")
    assert visible(landing, "meter") == ["b"]
    assert hidden(landing, "meter") == []
    assert len(read_back(done.folder, [PEOPLE])["people"]) == 50_000


@pytest.mark.parametrize(("rows", "width"), [(300_000, 500), (150, 1_000_000)])
def test_memory_does_not_grow_with_the_table(legacy: MariaDB, landing: UPath, rows: int, width: int) -> None:
    legacy.run(
        "CREATE TABLE small (id INT PRIMARY KEY, filler LONGTEXT)",
        "INSERT INTO small VALUES (1, 'x')",
        "CREATE TABLE big (id INT PRIMARY KEY, filler LONGTEXT)",
        f"INSERT INTO big SELECT seq, repeat(char(97 + seq % 26), {width}) FROM seq_1_to_{rows}",
        database="legacy",
    )
    least = peak_memory(legacy.url("legacy"), landing, "small", "id", "filler")
    most = peak_memory(legacy.url("legacy"), landing, "big", "id", "filler")
    assert most - least < 64 << 20, f"{rows * width >> 20} MiB took {most - least >> 20} MiB"
