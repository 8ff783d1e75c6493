"""Extracting from PostgreSQL: types, snapshot, rights, interruptions."""

import base64
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from upath import UPath

from migration import embedded
from migration.errors import MigrationError, SetupError
from migration.exports.find import FORMATS, Format
from migration.exports.sources import SourceTable
from migration.extract.exporting import Shape, extract_export
from migration.extract.failures import LegacyTableMissing, LegacyUnavailable
from migration.extract.snapshot import open_snapshot, server_of
from tests.conftest import libpq_url
from tests.extract.conftest import hidden, read_back, visible
from tests.extract.interrupted import extract_and_die, peak_memory

TYPES = """
CREATE DOMAIN price AS numeric(12, 2);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a int, b text);
CREATE TABLE every_type (
  id bigint PRIMARY KEY, small smallint, flag boolean, amount numeric, cost price, cash money,
  single real, doubled double precision, born date, seen timestamp, stamped timestamptz, at_time time,
  lasted interval, word text, padded char(4), raw bytea, key uuid, doc json, docb jsonb, list int[],
  prices numeric(8, 2)[], feeling mood, joined pair, address inet, span int4range, bits bit(3)
)
"""
KEY = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
VALUES = {
    "id": ("9223372036854775807", 9223372036854775807),
    "small": ("-32768", -32768),
    "flag": ("true", True),
    "amount": ("'12345678901234567890123456789.10'", Decimal("12345678901234567890123456789.10")),
    "cost": ("1.50", Decimal("1.50")),
    "cash": ("'1234.56'", Decimal("1234.56")),
    "single": ("0.1", Decimal("0.1")),
    "doubled": ("0.30000000000000004", Decimal("0.30000000000000004")),
    "born": ("'2026-02-25'", "2026-02-25"),
    "seen": ("'2026-02-25 19:00:00.123'", "2026-02-25T19:00:00.123"),
    "stamped": ("'2026-02-25 19:00:00+07'", "2026-02-25T12:00:00+00:00"),
    "at_time": ("'10:00'", "10:00:00"),
    "lasted": ("'1 day 2 hours'", "P1DT2H"),
    "word": (r"E'naïve 😀 \" \\ \r\n\t end'", 'naïve 😀 " \\ \r\n\t end'),
    "padded": ("'ab'", "ab"),
    "raw": (r"'\x89504e4700ff'", base64.b64encode(b"\x89PNG\x00\xff").decode()),
    "key": (f"'{KEY}'", KEY),
    "doc": ("""'{"a": 1.10,\n "b": "\\u00e9"}'""", {"a": Decimal("1.10"), "b": "é"}),
    "docb": ("'[1, {}, null, 1e2]'", [1, {}, None, 100]),
    "list": ("'{1,NULL,3}'", [1, None, 3]),
    "prices": ("'{1.50,2.00}'", [Decimal("1.50"), Decimal("2.00")]),
    "feeling": ("'ok'", "ok"),
    "joined": ("'(1,x)'", "(1,x)"),
    "address": ("'192.0.2.1'", "192.0.2.1/32"),
    "span": ("'[1,5)'", "[1,5)"),
    "bits": ("B'101'", "101"),
}
EVERY_TYPE = SourceTable("every_type", columns=tuple(VALUES), required_keys=("id",))
ROWS: list[dict[str, Any]] = [
    dict.fromkeys(VALUES) | {"id": 1},
    {name: found for name, (_, found) in VALUES.items()},
]
PEOPLE = SourceTable("people", columns=("id", "purse"), required_keys=("id",))
SHOPS = SourceTable("shops", columns=("id", "purse"), required_keys=("id",))


@pytest.fixture
def legacy(database_url: str) -> Iterator[psycopg.Connection]:
    """An administrator's connection to the legacy database."""
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def run(connection: psycopg.Connection, *statements: str) -> None:
    for statement in statements:
        connection.execute(statement.encode())


def fill_types(legacy: psycopg.Connection) -> None:
    run(legacy, "SET lc_monetary = 'C'", TYPES, "INSERT INTO every_type (id) VALUES (1)")
    run(legacy, f"INSERT INTO every_type VALUES ({', '.join(given for given, _ in VALUES.values())})")


def fill_purses(legacy: psycopg.Connection, rows: int = 5_000) -> None:
    for table in ("people", "shops"):
        run(legacy, f"CREATE TABLE {table} (id int PRIMARY KEY, purse numeric(12, 2))")
        run(legacy, f"INSERT INTO {table} SELECT n, 10.50 FROM generate_series(1, {rows}) AS n ORDER BY random()")


def test_every_type_comes_out_exactly(legacy: psycopg.Connection, database_url: str, landing: UPath) -> None:
    fill_types(legacy)
    done = extract_export(database_url, "dental", [EVERY_TYPE], landing, "a")
    assert read_back(done.folder, [EVERY_TYPE]) == {"every_type": ROWS}


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_reads_back(legacy: psycopg.Connection, database_url: str, landing: UPath, format: Format) -> None:
    fill_types(legacy)
    done = extract_export(database_url, "dental", [EVERY_TYPE], landing, "a", shape=Shape(format, gzip=False))
    found = read_back(done.folder, [EVERY_TYPE])["every_type"]
    if format in ("json", "jsonl"):
        assert found == ROWS
        return
    cells = found[1]
    assert cells["amount"] == "12345678901234567890123456789.10"
    assert (cells["flag"], cells["list"], cells["docb"]) == ("true", "[1,null,3]", "[1,{},null,100]")
    assert cells["doc"] == '{"a":1.10,"b":"é"}'


def test_what_no_calendar_and_no_number_has(legacy: psycopg.Connection, database_url: str, landing: UPath) -> None:
    run(
        legacy,
        "CREATE TABLE odd (id int PRIMARY KEY, d date, t timestamptz, n numeric, f float8)",
        "INSERT INTO odd VALUES (1, 'infinity', '-infinity', 'NaN', 'Infinity')",
        "INSERT INTO odd VALUES (2, '0044-03-15 BC', '20000-01-01 00:00+00', '-Infinity', '-0')",
    )
    source = SourceTable("odd", columns=("id", "d", "t", "n", "f"))
    done = extract_export(database_url, "dental", [source], landing, "a")
    assert read_back(done.folder, [source])["odd"] == [
        {"id": 1, "d": "infinity", "t": "-infinity", "n": "NaN", "f": "Infinity"},
        {"id": 2, "d": "0044-03-15 BC", "t": "20000-01-01T00:00:00+00:00", "n": "-Infinity", "f": 0},
    ]


@pytest.fixture
def no_encoding(server: embedded.EmbeddedServer) -> Iterator[str]:
    """The URL of a database that takes any bytes for text."""
    with psycopg.connect(libpq_url(server, "postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE no_encoding ENCODING SQL_ASCII LOCALE 'C' TEMPLATE template0")
        yield server.url("no_encoding").render_as_string(hide_password=False)
        connection.execute("DROP DATABASE no_encoding WITH (FORCE)")


def test_a_database_without_an_encoding(no_encoding: str, landing: UPath) -> None:
    with psycopg.connect(no_encoding.replace("+psycopg", ""), autocommit=True) as connection:
        run(connection, "CREATE TABLE names (id int, name text)")
        run(connection, r"INSERT INTO names VALUES (1, E'caf\xe9'), (2, E'caf\xc3\xa9')")
    source = SourceTable("names", columns=("id", "name"))
    done = extract_export(no_encoding, "dental", [source], landing, "a")
    assert [row["name"] for row in read_back(done.folder, [source])["names"]] == ["caf\ufffd", "café"]
    assert done.notes == ("names.name: texts with bytes that are not UTF-8, which are now U+FFFD: 1",)


def test_all_tables_are_of_one_moment_and_in_order(
    legacy: psycopg.Connection, database_url: str, landing: UPath
) -> None:
    fill_purses(legacy)
    seen: list[str] = []

    def shop(table: str, rows: int, total: int) -> None:
        if not seen:
            run(
                legacy, "UPDATE shops SET purse = 0", "DELETE FROM shops WHERE id > 4000", "UPDATE people SET purse = 0"
            )
        seen.append(table)

    done = extract_export(database_url, "dental", [PEOPLE, SHOPS], landing, "a", progress=shop)
    rows = read_back(done.folder, [PEOPLE, SHOPS])
    assert rows["people"] == rows["shops"] == [{"id": n, "purse": Decimal("10.50")} for n in range(1, 5_001)]
    assert set(seen) == {"people", "shops"}


def test_the_transaction_cannot_write(legacy: psycopg.Connection, database_url: str) -> None:
    fill_purses(legacy, rows=1)
    with pytest.raises(MigrationError, match="25006"), open_snapshot(server_of(database_url)) as snapshot:
        snapshot.connection.exec_driver_sql("CREATE TEMPORARY TABLE t (id int); DELETE FROM people")


def test_schemas_views_and_odd_names(legacy: psycopg.Connection, database_url: str, landing: UPath) -> None:
    run(
        legacy,
        "CREATE SCHEMA balisnap",
        'CREATE TABLE balisnap."Booking" ("bookingId" int PRIMARY KEY, "total %% of" numeric, ":x" int, secret text)',
        """INSERT INTO balisnap."Booking" VALUES (2, 1.50, 3, 'canary'), (10, 2, 4, 'canary')""",
        'CREATE VIEW balisnap.latest AS SELECT "bookingId" FROM balisnap."Booking"',
    )
    booking = SourceTable("Booking", columns=("bookingId", "total %% of", ":x"), folder="balisnap")
    latest = SourceTable("latest", columns=("bookingid",), folder="balisnap")
    done = extract_export(database_url, "booking", [booking, latest], landing, "a")
    assert [table.file for table in done.tables] == ["balisnap/Booking.jsonl.gz", "balisnap/latest.jsonl.gz"]
    rows = read_back(done.folder, [booking, latest])
    assert rows["Booking"] == [
        {"bookingId": 2, "total %% of": Decimal("1.50"), ":x": 3},
        {"bookingId": 10, "total %% of": Decimal(2), ":x": 4},
    ]
    assert sorted(row["bookingid"] for row in rows["latest"]) == [2, 10]
    elsewhere = SourceTable("bookings", columns=("id",), folder="bstadmin")
    with pytest.raises(LegacyTableMissing, match="no schema or database bstadmin"):
        extract_export(database_url, "booking", [elsewhere], landing, "b")


# --- what goes wrong --------------------------------------------------------------------------------------------------


def refusal(url: str, landing: UPath) -> MigrationError:
    with pytest.raises(MigrationError) as caught:
        extract_export(url, "dental", [PEOPLE], landing, "a")
    assert "canary" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


def test_every_refusal_is_one_line_without_the_password(password_server: str, landing: UPath, unused_port: int) -> None:
    wrong = refusal(password_server.replace("canary-Pa55%2Fword%40x", "canary-wrong"), landing)
    assert isinstance(wrong, SetupError)
    assert "refuses the user or the password" in str(wrong)
    assert "does not exist" in str(refusal(password_server.replace("/postgres", "/nowhere"), landing))
    assert "no table people" in str(refusal(password_server, landing))
    port = password_server.rpartition(":")[2].partition("/")[0]
    refused = refusal(password_server.replace(port, str(unused_port)), landing)
    assert isinstance(refused, LegacyUnavailable)
    assert f"No server answers at 127.0.0.1:{unused_port}/postgres." in str(refused)
    assert "option" in str(refusal(password_server + "?no_such_option=1", landing))
    with psycopg.connect(password_server) as connection:
        run(connection, "CREATE TABLE people (id int, purse int)", "CREATE ROLE weak LOGIN PASSWORD 'canary'")
        connection.commit()
        assert "may not read" in str(
            refusal(password_server.replace("owner:canary-Pa55%2Fword%40x", "weak:canary"), landing)
        )
        run(connection, "DROP TABLE people", "DROP ROLE weak")


def test_a_connection_that_is_lost_in_the_middle(
    legacy: psycopg.Connection, database_url: str, landing: UPath, capfd: pytest.CaptureFixture[str]
) -> None:
    fill_purses(legacy)

    def kill(table: str, rows: int, total: int) -> None:
        run(
            legacy,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )

    with pytest.raises(LegacyUnavailable, match="lost"):
        extract_export(database_url, "dental", [PEOPLE, SHOPS], landing, "a", progress=kill)
    assert visible(landing, "dental") == hidden(landing, "dental") == []
    assert capfd.readouterr() == ("", "")


def test_a_killed_extract_leaves_nothing_to_see_and_the_next_one_tidies_up(
    legacy: psycopg.Connection, database_url: str, landing: UPath
) -> None:
    fill_purses(legacy)
    extract_and_die(database_url, landing, "people", "id", "purse")
    assert visible(landing, "meter") == []
    assert hidden(landing, "meter") == [".extract-killed.partial"]
    extract_export(database_url, "meter", [PEOPLE], landing, "killed")
    assert visible(landing, "meter") == ["killed"]
    assert hidden(landing, "meter") == []


@pytest.mark.slow
def test_memory_does_not_grow_with_the_table(legacy: psycopg.Connection, database_url: str, landing: UPath) -> None:
    run(
        legacy,
        "CREATE TABLE small (id int PRIMARY KEY, filler text)",
        "INSERT INTO small VALUES (1, 'x')",
        "CREATE TABLE big (id int PRIMARY KEY, filler text)",
        "INSERT INTO big SELECT n, repeat(md5(n::text), 16) FROM generate_series(1, 300000) AS n",
    )
    least = peak_memory(database_url, landing, "small", "id", "filler")
    most = peak_memory(database_url, landing, "big", "id", "filler")
    assert most - least < 64 << 20
