import csv
import gzip
import hashlib
import html
import io
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

import samples
from samples import default_export_id, next_sample, write_sample
from samples.corruptions import CORRUPTIONS, file_format, missing_file, table_file, without_manifest
from samples.writing import FORMATS, SampleSystem, SampleTable

SMALL = 0.1
TABLES = ("customers", "customers_clean", "customers_final", "transactions", "branches")
NO_TEXT = {"", "-", "--", "null", "none", "n/a", "nan", "undefined"}


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> UPath:
    return UPath(tmp_path_factory.mktemp("landing"))


@pytest.fixture(scope="module")
def full(landing: UPath) -> dict[str, list[Any]]:
    folder = write_sample("skynet", landing, default_export_id())
    return {table: json_rows(folder, table) for table in TABLES}


@pytest.fixture(scope="module")
def following(landing: UPath) -> dict[str, list[Any]]:
    folder = next_sample("skynet", landing, default_export_id(date(2026, 3, 1)))
    return {table: json_rows(folder, table) for table in TABLES}


def content(path: UPath) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()


def json_rows(folder: UPath, table: str) -> list[Any]:
    text = content(table_file(folder, table)).decode("utf-8")
    return json.loads(text, parse_float=Decimal, parse_constant=refuse)


def refuse(constant: str) -> None:
    raise ValueError(constant)


def read_rows(folder: UPath, table: str) -> list[Any]:
    path = table_file(folder, table)
    if file_format(path) == "json":
        rows = json_rows(folder, table)
        if not isinstance(rows, list):
            raise TypeError("not an array")
        return rows
    if file_format(path) == "jsonl":
        lines = content(path).decode("utf-8").splitlines(keepends=False)
        return [json.loads(line, parse_float=Decimal, parse_constant=refuse) for line in lines]
    if file_format(path) == "parquet":
        return pq.read_table(pa.BufferReader(content(path))).to_pylist()
    header, *rows = csv.reader(io.StringIO(content(path).decode("utf-8-sig"), newline=""), strict=True)
    if any(len(row) != len(header) for row in rows):
        raise ValueError("a row is too long")
    return [{key: cell or None for key, cell in zip(header, row, strict=True)} for row in rows]


def text(value: Any) -> str | None:
    if value is None or isinstance(value, bool | list | dict):
        return None
    if isinstance(value, Decimal):
        value = int(value) if value == int(value) else value
    words = " ".join(html.unescape(str(value).replace("\x00", "")).split())
    return None if words.casefold() in NO_TEXT else words


def customer_key(record: Any) -> str | None:
    key = text(record.get("id_pelanggan")) if isinstance(record, dict) else None
    return key.upper() if key and len(key) <= 50 else None


def tabular(record: Any, columns: list[str]) -> dict[str, str | None]:
    """What a text cell can carry of a JSON record."""
    record = record if isinstance(record, dict) else {}
    return {column: tabular_cell(record.get(column)) for column in columns}


def tabular_cell(value: Any) -> str | None:
    if value is None or value == "" or isinstance(value, bool | list | dict):
        return None
    if isinstance(value, Decimal):
        return str(int(value)) if value == int(value) else str(value)
    return re.sub("[\ud800-\udfff]", "\ufffd", str(value))


def manifest(folder: UPath) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_text())


# Bytes, volumes, formats ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("packed", [False, True])
def test_same_seed_gives_the_same_bytes(tmp_path: Path, format: str, packed: bool) -> None:
    folders = [
        write_sample("skynet", UPath(tmp_path), name, format=format, gzip=packed, scale=SMALL) for name in ("a", "b")
    ]
    files = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    assert files[0] == files[1]
    assert len(files[0]) == len(TABLES) + 1


def test_another_seed_gives_another_sample(tmp_path: Path) -> None:
    one, two = (write_sample("skynet", UPath(tmp_path), f"s{seed}", seed=seed, scale=SMALL) for seed in (1, 2))
    for table in TABLES:
        assert table_file(one, table).read_bytes() != table_file(two, table).read_bytes()


def test_volumes(full: dict[str, list[Any]]) -> None:
    keys = [customer_key(record) for record in full["customers"]]
    assert len(set(keys) - {None}) == 1743
    assert 1.03 <= len(keys) / 1743 <= 1.12
    assert 5 <= keys.count(None) < 0.01 * len(keys)
    assert len(full["customers_clean"]) == len(full["customers_final"]) == 1743
    assert 40_000 <= len(full["transactions"]) <= 100_000
    assert 45 <= len({place(r.get("cabang")) for r in full["branches"] if isinstance(r, dict)}) <= 60
    assert {place(r.get("nama_lokasi")) for r in objects(full["customers"])} >= {"SKYNET-SRIGADING"}
    assert 48 <= len({place(r.get("nama_lokasi")) for r in objects(full["customers"])} - {None}) <= 52
    assert 28 <= len({place(r.get("nama_router")) for r in objects(full["customers"])} - {None}) <= 35
    periods = {r["periode"] for r in objects(full["transactions"]) if isinstance(r.get("periode"), str)}
    assert {"January 2021", "February 2026", "March 2026", "April 2026"} <= periods


def objects(rows: list[Any]) -> list[dict[str, Any]]:
    return [row for row in rows if isinstance(row, dict)]


def place(value: Any) -> str | None:
    name = text(value)
    if name is None:
        return None
    name = re.sub(r" *- *", "-", " ".join(name.upper().replace("_", " ").split()))
    return re.sub(r"^(SKYNET|SUBNET) ", r"\1-", name) or None


def test_full_scale_is_quick(tmp_path: Path) -> None:
    started = time.process_time()
    write_sample("skynet", UPath(tmp_path), "a")
    assert time.process_time() - started < 10


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("packed", [False, True])
def test_formats_carry_the_same_records(tmp_path: Path, format: str, packed: bool) -> None:
    plain = write_sample("skynet", UPath(tmp_path), "json", scale=SMALL)
    other = write_sample("skynet", UPath(tmp_path), "other", scale=SMALL, format=format, gzip=packed)
    for table in TABLES:
        expected, rows = json_rows(plain, table), read_rows(other, table)
        if format != "jsonl":
            columns = list(rows[0])
            expected = [tabular(record, columns) for record in expected]
            rows = [tabular(record, columns) for record in rows]
        assert rows == expected


@pytest.mark.parametrize("format", FORMATS)
def test_manifest_has_exact_digests_and_rows(tmp_path: Path, format: str) -> None:
    folder = write_sample("skynet", UPath(tmp_path), "a", scale=SMALL, format=format, gzip=format == "jsonl")
    entries = {entry["name"]: entry for entry in manifest(folder)["files"]}
    assert set(entries) | {"manifest.json"} == {path.name for path in folder.iterdir()}
    for table in TABLES:
        path = table_file(folder, table)
        assert entries[path.name]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert entries[path.name]["rows"] == len(read_rows(folder, table))
    assert manifest(folder)["system"] == "skynet"
    assert manifest(folder)["exported_at"] == "2026-02-25T19:00:00Z"


def test_month_moves_the_history(tmp_path: Path) -> None:
    folder = write_sample("skynet", UPath(tmp_path), "a", scale=SMALL, month=date(2024, 7, 1))
    periods = Counter(str(r.get("periode")) for r in objects(json_rows(folder, "transactions")))
    assert periods["July 2024"] > 10 * periods["September 2024"]
    assert periods["January 2025"] == 0
    assert manifest(folder)["exported_at"].startswith("2024-07")


# Publication ------------------------------------------------------------------------------------------------------


def test_a_published_export_is_never_touched(tmp_path: Path) -> None:
    folder = write_sample("skynet", UPath(tmp_path), "a", scale=SMALL)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(FileExistsError):
        write_sample("skynet", UPath(tmp_path), "a", scale=SMALL, seed=2)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in (tmp_path / "skynet").iterdir()] == ["a"]


def test_nothing_appears_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[Any]:
        yield {"a": 1}
        raise OSError("disk full")

    system = SampleSystem("skynet", lambda _: [SampleTable("customers", ("a",), broken)])
    monkeypatch.setitem(samples.SYSTEMS, "skynet", system)
    with pytest.raises(OSError, match="disk full"):
        write_sample("skynet", UPath(tmp_path), "a")
    assert list((tmp_path / "skynet").iterdir()) == []


def test_object_stores_get_the_manifest_last() -> None:
    landing = UPath("memory://samples-landing")
    folder = write_sample("skynet", landing, "a", scale=0.02)
    written = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
    assert written[-1].name == "manifest.json"
    assert len(written) == len(TABLES) + 1


@pytest.mark.parametrize("export_id", ["", ".hidden", "a/b", "a.partial"])
def test_invisible_export_ids_are_refused(tmp_path: Path, export_id: str) -> None:
    with pytest.raises(ValueError, match="export id"):
        write_sample("skynet", UPath(tmp_path), export_id)


def test_unknown_system_and_format_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="payroll"):
        write_sample("payroll", UPath(tmp_path), "a")
    with pytest.raises(ValueError, match="xml"):
        write_sample("skynet", UPath(tmp_path), "a", format="xml")


# Dirt -------------------------------------------------------------------------------------------------------------

Detector = Callable[[Any], Any]
RUPIAH = ("Rp 150.000", "150.000,00", "150,000", "Rp150.000,-", "IDR 150000", "150000.00")


def like(pattern: str) -> Detector:
    return lambda v: isinstance(v, str) and re.fullmatch(pattern, v, re.DOTALL)


def holds(*parts: str) -> Detector:
    return lambda v: isinstance(v, str) and all(part in v for part in parts)


def exactly(*values: Any) -> Detector:
    return lambda v: any(v == value and type(v) is type(value) for value in values)


def of_type(*types: type) -> Detector:
    return lambda v: type(v) in types


CUSTOMER_DIRT: dict[str, dict[str, Detector]] = {
    "id_pelanggan": {
        "trailing space": like(r"\S+ "),
        "lower case": like(r"[a-z]+\d+\s*"),
        "NBSP": holds("\u00a0"),
        "entity": holds("&nbsp;"),
        "NUL": holds("\x00"),
        "integer": of_type(int),
        "whole decimal": of_type(Decimal),
        "empty": exactly(""),
        "N/A": exactly("N/A"),
        "null": exactly(None),
        "list": of_type(list),
        "too long": lambda v: isinstance(v, str) and len(v.strip()) > 50,
    },
    "nama_pelanggan": {
        "entity": holds("&amp;"),
        "numeric entity": holds("&#39;"),
        "double entity": holds("&amp;amp;"),
        "double space": holds("  "),
        "NBSP": holds("\u00a0"),
        "NUL": holds("\x00"),
        "empty": exactly(""),
        "list": of_type(list),
    },
    "nik": {
        "spaces": like(r"\d{4} \d{4} \d{4} \d{4}"),
        "dots": like(r"\d+\.\d+\.\d+"),
        "quote": like(r"'\d{16}"),
        "integer": of_type(int),
        "whole decimal": of_type(Decimal),
        "zero": exactly("0"),
        "dash": exactly("-"),
        "scientific": like(r"\d\.\d+E\+15"),
        "scientific comma": like(r"\d,\d+E\+15"),
        "short": like(r"\d{15}"),
        "all the same": exactly("1" * 16),
        "too many digits": like(r"\d{16} / \d{16}"),
        "no digit": exactly("belum ada"),
        "boolean": of_type(bool),
        "object": of_type(dict),
    },
    "kk": {"empty": exactly(""), "valid": like(r"\d{16}"), "scientific": like(r".*E\+15")},
    "alamat": {
        "entity": holds("&quot;"),
        "line break": holds("\n"),
        "CRLF": holds("\r\n"),
        "half an emoji": holds("\ud83d"),
        "NUL": holds("\x00"),
        "undefined": exactly("undefined"),
    },
    "telepon": {
        "0": like(r"0\d+"),
        "62": like(r"62\d+"),
        "+62": like(r"\+62\d+"),
        "8": like(r"8\d+"),
        "62 0": like(r"620\d+"),
        "integer": of_type(int),
        "decimal tail": like(r"\d+\.0"),
        "two by slash": like(r"\d+ / \d+"),
        "two by comma": like(r"\d+,\d+"),
        "two by semicolon": like(r"\d+;\d+"),
        "two by bar": like(r"\d+\|\d+"),
        "two by ampersand": holds("&amp;"),
        "two by word": like(r"\d+atau\d+"),
        "two by dan": like(r"\d+ dan \d+"),
        "second one usable": like(r"12345 / 0\d+"),
        "zero": exactly("0"),
        "no digit": exactly("tidak ada"),
        "too short": exactly("12345"),
        "list": of_type(list),
    },
    "paket": {
        "upper": like(r"PAKET [A-Z ]+\d+M"),
        "lower": like(r"[a-z &;]+\d*m?(bps)?[a-z &;]*"),
        "spaces": holds("  "),
        "entity": holds("&amp;"),
        "empty": exactly(""),
        "no speed": exactly("Reseller A"),
        "speed 0": holds("0M"),
        "mbps": holds("mbps"),
    },
    "harga": {
        **{f"like {v}": like(re.sub(r"\d+", r"\\d+", re.escape(v))) for v in RUPIAH},
        "integer": of_type(int),
        "decimal": of_type(Decimal),
        "both separators": like(r".*\d+\.\d{3}\.\d{3},\d\d"),
        "zero": exactly(0),
        "empty": exactly(""),
        "words": exactly("gratis"),
        "bad groups": exactly("1500.000"),
        "negative": exactly(-150000),
        "negative before the mark": like(r"-Rp \d.*"),
        "negative behind the mark": like(r"Rp -\d.*"),
        "negative twice": exactly("-Rp -150000"),
        "too large": exactly("1000000000000"),
        "boolean": of_type(bool),
    },
    "tanggal_registrasi": {
        "Indonesian": like(r"\d\d-(Januari|Februari|Mei|Agustus|Oktober|Desember)-\d{4}"),
        "Pebruari": holds("Pebruari"),
        "slashes": like(r"\d\d/\d\d/\d{4}"),
        "ISO": like(r"\d{4}-\d\d-\d\d"),
        "dots": like(r"\d+\.\d+\.\d{4}"),
        "month first": like(r"[A-Z][a-z]+ \d+, \d{4}"),
        "with time": like(r".* \d\d:\d\d:\d\d"),
        "with am/pm": holds(" PM"),
        "short month": like(r"\d+ [A-Z][a-z]+\. \d{4}"),
        "zeros": exactly("00-00-0000"),
        "year -1": exactly("30-November--0001"),
        "epoch": exactly("01-January-1970"),
        "31 February": holds("31-February"),
        "month 13": like(r"\d\d-(1[3-9]|2\d)-\d{4}"),
        "words": exactly("kemarin"),
        "serial number": of_type(int),
        "year 1899": holds("1899"),
        "future": exactly("01-February-2027"),
        "null": exactly(None),
    },
    "jatuh_tempo": {
        "integer": of_type(int),
        "tgl": like(r"tgl \d+"),
        "tanggal": like(r"Tanggal \d+"),
        "decimal": like(r"\d+\.0"),
        "full date": like(r"\d\d-February-2026"),
        "zero": exactly("0"),
        "45": exactly("45"),
        "zeros": exactly("00-00-0000"),
        "words": exactly("akhir bulan"),
    },
    "pppoe_username": {
        "empty": exactly(""),
        "placeholder": like(r"NOPPPOE_.*"),
        "shared": exactly("bersama@skynet"),
    },
    "pppoe_password": {
        "empty": exactly(""),
        "entity": holds("&amp;"),
        "spaces around": like(r"  sample.* "),
        "inner spaces": holds("two  words"),
        "NUL": holds("\x00"),
        "CSV trouble": holds('"', ",", "\\"),
        "dash": exactly("-"),
        "word null": exactly("null"),
        "number": of_type(int),
        "boolean": of_type(bool),
        "list": of_type(list),
    },
    "nama_lokasi": {
        "lower": like(r"skynet-[a-z]+"),
        "underscore": holds("_"),
        "spaced dash": holds(" - "),
        "space for dash": like(r"(SKYNET|Skynet) [A-Za-z]+"),
        "no network": like(r"[A-Z]+"),
        "subnet": like(r"SUBNET-[A-Z]+"),
        "empty": exactly(""),
        "null": exactly(None),
    },
    "nama_router": {
        "lower": like(r"skynet-[a-z]+"),
        "underscore": holds("_"),
        "spaced dash": holds(" - "),
        "empty": exactly(""),
    },
    "koordinat": {
        "clean": like(r"-7\.\d+, 11\d\.\d+"),
        "swapped": like(r"11\d\.\d+,-[78]\.\d+"),
        "decimal comma in latitude": like(r"-\d,\d+,\d+\.\d+"),
        "decimal comma in longitude": like(r"-\d\.\d+,\d{3},\d+"),
        "decimal commas": like(r"-\d,\d+,\d{3},\d+"),
        "decimal commas and a space": like(r"-\d,\d+ \d{3},\d+"),
        "thousands dots": like(r"-\d\.\d{3}\.\d{3};\d{3}\.\d{3}\.\d{3}"),
        "no points": like(r"-\d{7},\d{9}"),
        "no points, swapped": like(r"\d{9},-\d{7}"),
        "no separator": like(r"-\d\.\d{6}\d{3}\.\d{6}"),
        "hemispheres": like(r"\d\.\d+ S, \d+\.\d+ E"),
        "degrees with entities": holds("°", "&quot;S"),
        "degrees in words": holds("lintang selatan", "bujur timur"),
        "degrees with primes": holds("°", "′", "″", "º"),
        "degrees LS BT": holds("˚", "LS", "BT"),
        "map link @": holds("/@-"),
        "map link q": holds("?q=-", "&amp;hl"),
        "map link destination": holds("destination="),
        "link without a pair": exactly("https://short.example.test/x"),
        "maps. without a pair": holds("lihat di maps."),
        "minus lost": like(r"\d\.\d+, \d{3}\.\d+"),
        "U+2212": holds("\u2212"),
        "en dash": holds("\u2013"),
        "%2C": holds("%2C"),
        "parentheses": like(r"\(.*\)"),
        "labels": holds("lat: ", " long: "),
        "labels with a dot": holds("Lintang. "),
        "bar": holds(" | "),
        "slash": like(r"-\d\.\d+/\d+\.\d+"),
        "lone minus": like(r"- \d.*"),
        "commas around": like(r", .*,,"),
        "dash between": like(r"-\d\.\d+-\d{3}\.\d+"),
        "point moved": like(r"-\d{3}\.\d+,1.*"),
        "NBSP": holds("\u00a0"),
        "empty": exactly(""),
        "0,0": exactly("0,0"),
        "0": exactly("0"),
        "-,-": exactly("-,-"),
        "out of area": exactly("-6.2,106.8"),
        "out of area, swapped": exactly("106.8,-6.2"),
        "nowhere": exactly("-95.5,200.1"),
        "one zero": like(r"0,\d+\.\d+"),
        "words": exactly("rumah pak RT"),
        "five parts": like(r"(-\d\.\d,){4}-\d\.\d"),
        "strange character": holds("^"),
        "61 minutes": holds("61'"),
        "one angle": lambda v: isinstance(v, str) and v.count("°") == 1,
        "list": of_type(list),
        "number": of_type(Decimal),
        "comma and point in a number": like(r"-\d,\d+\.\d+ .*"),
    },
    "ktp_photo_url": {
        "pending": like(r"https://photos\.example\.test/ktp/\S+\.jpg"),
        "null": exactly(None),
        "placeholder": holds("noimage.png"),
        "placeholder with query": holds("no-image.jpg?"),
        "placeholder without extension": exactly("uploads/no_image"),
        "RELATIVE_URL": exactly("foto/a.jpg"),
        "leftover text": exactly("belum ada"),
        "UNSUPPORTED_SCHEME ftp": like(r"ftp:.*"),
        "UNSUPPORTED_SCHEME javascript": like(r"javascript:.*"),
        "UNSUPPORTED_SCHEME data": like(r"data:.*"),
        "UNSUPPORTED_SCHEME file": like(r"file:.*"),
        "INVALID_URL backslash": holds("\\"),
        "INVALID_URL no slashes": like(r"https:[a-z].*"),
        "INVALID_URL no host": holds("https:///"),
        "INVALID_URL empty port": holds(".test:/"),
        "INVALID_URL port": holds(":70000/"),
        "INVALID_URL zone": holds("%25"),
        "URL_HAS_CREDENTIALS": like(r"https://\w+:\w+@.*"),
        "PRIVATE_ADDRESS metadata": holds("//169.254.169.254/"),
        "PRIVATE_ADDRESS loopback": holds("//127.0.0.1/"),
        "PRIVATE_ADDRESS localhost": holds("//localhost/"),
        "PRIVATE_ADDRESS internal": holds(".internal/"),
        "PRIVATE_ADDRESS IPv6": holds("[::1]"),
        "PRIVATE_ADDRESS mapped": holds("[::ffff:"),
        "PRIVATE_ADDRESS integer": like(r"http://\d+/.*"),
        "PRIVATE_ADDRESS hex": holds("//0x"),
        "PRIVATE_ADDRESS multicast": holds("//224."),
        "HOST_NOT_ALLOWED": holds("//foreign.example.test/"),
        "HOST_NOT_ALLOWED suffix": holds("photos.example.test.foreign"),
        "PORT_NOT_ALLOWED": holds(":8443/"),
        "upper-case scheme": like(r"HTTP://.*"),
        "upper-case host": holds("PHOTOS.EXAMPLE.TEST."),
    },
    "connection_status": {
        **{v: exactly(v) for v in ("Active", "Isolated", "Offline", "Unknown", "active", "On", "Off", "isolir")},
        **{v: exactly(v) for v in ("Aktif", "suspended", "Terminated", "berhenti", "Putus", "nonaktif")},
        "null": exactly(None),
        "unrecognised": exactly("Ditangguhkan sementara"),
    },
}

PAYMENT_DIRT: dict[str, dict[str, Detector]] = {
    "id_pelanggan": {
        "space": like(r"[A-Z]+\d+ "),
        "lower": like(r"[a-z]+\d+"),
        "integer": of_type(int),
        "orphan": like(r"DEL\d+"),
        "empty": exactly(""),
        "too long": lambda v: isinstance(v, str) and len(v) > 50,
    },
    "nominal_harus_dibayar": {
        **{f"like {v}": like(re.sub(r"\d+", r"\\d+", re.escape(v))) for v in RUPIAH},
        "zero": exactly(0),
        "missing": exactly(""),
        "words": exactly("gratis"),
        "bad groups": exactly("1500.000"),
        "negative": exactly(-150000),
        "boolean": of_type(bool),
        "too large": lambda v: isinstance(v, Decimal) and v >= 10**12,
    },
    "nominal_pembayaran": {
        "missing": exactly(""),
        "null": exactly(None),
        "zero": exactly(0),
        "words": exactly("lunas"),
        "negative": exactly(-50000),
        "object": of_type(dict),
    },
    "status_pembayaran": {
        **{v: exactly(v) for v in ("Lunas", "LUNAS", "Sudah Lunas", "Paid", "Sebagian", "Cicil", "Angsuran")},
        **{v: exactly(v) for v in ("Belum Lunas", "BELUM LUNAS", "Belum Bayar", "Tunggakan", "Menunggak", "")},
        **{v: exactly(v) for v in ("Batal", "VOID", "Cancel", "Kurang Bayar", "Proses", "Lunas?")},
        "null": exactly(None),
        "number": of_type(int),
    },
    "bukti_pembayaran_url": {
        "empty": exactly(""),
        "https": like(r"https://photos\.example\.test/bukti/.*"),
        "javascript": like(r"javascript:.*"),
        "data": like(r"data:.*"),
        "file": like(r"(?i:file):.*"),
        "relative": like(r"bukti/.*"),
        "placeholder": holds("noimage.png"),
    },
    "periode": {
        "Indonesian": exactly("Februari 2026"),
        "MM-YYYY": like(r"\d\d-\d{4}"),
        "YYYY-MM": like(r"\d{4}-\d\d"),
        "YYYYMM": like(r"\d{6}"),
        "integer": lambda v: type(v) is int and v > 202000,
        "short month": like(r"\d{4}-[A-Z][a-z]+\."),
        "with a day": like(r"01-[A-Z][a-z]+-\d{4}"),
        "Pebruari": holds("Peb"),
        "Semua": exactly("Semua"),
        "missing": exactly(""),
        "month 13": exactly("13-2026"),
        "month 0": exactly("2026-00"),
        "before the history": exactly("December 2020"),
        "too far ahead": exactly("March 2027"),
        "list": of_type(list),
    },
    "metode": {
        "cash": exactly("Cash"),
        "account number": like(r"BCA \d+"),
        "glued on": like(r"SEABANK\d+"),
        "qris": exactly("QRIS"),
        "tunai": exactly("Tunai"),
        "tf": exactly("TF bank"),
        "va": holds("BRI VA"),
        "free text": exactly("bayar di rumah"),
        "number": of_type(int),
        "null": exactly(None),
    },
    "waktu_entry": {
        "12 hours": like(r"\d\d-\d\d-\d{4} (0\d|1[0-2]):\d\d:\d\d [AP]M"),
        "12:xx AM": like(r"\d\d-\d\d-\d{4} 12:\d\d:\d\d AM"),
        "24 hours with PM": like(r"\d\d-\d\d-\d{4} (1[3-9]|2[0-3]):\d\d:\d\d PM"),
        "00 hours with AM": like(r"\d\d-\d\d-\d{4} 00:\d\d:\d\d AM"),
        "no time": like(r"\d\d-\d\d-\d{4}"),
        "ISO": like(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"),
        "short month": like(r"\d+ [A-Z][a-z]+\. \d{4} \d\d:\d\d"),
        "lower am": like(r".* am"),
        "zeros": like(r"00-00-0000.*"),
        "words": exactly("kemarin sore"),
        "impossible": like(r"31-02-.*"),
        "hour 24": holds(" 24:10"),
        "null": exactly(None),
    },
}

BRANCH_DIRT: dict[str, dict[str, Detector]] = {
    "cabang": {
        "total": exactly("TOTAL"),
        "grand total": exactly("Grand  Total"),
        "missing": exactly(None),
        "dash": exactly(" - "),
        "underscore": holds("_"),
        "lower": like(r"skynet.*"),
    },
    "jumlah_pelanggan": {
        "text": like(r"\d+"),
        "integer": of_type(int),
        "Plg": like(r"\d+ Plg"),
        "org": like(r"\d+org"),
    },
    "pelanggan_lunas": {"thousands": like(r"\d\.\d{3}")},
    "pelanggan_baru": {"words": exactly("banyak")},
    "total_pemasukan": {"Rp": like(r"Rp \d+\.\d+.*"), "text": like(r"\d+\.00")},
    "balance": {"missing": exactly(""), "null": exactly(None), "negative": like(r"-Rp .*")},
    "total_estimasi": {"words": exactly("1.2.3 jt")},
}


def cases(dirt: dict[str, dict[str, Detector]]) -> list[Any]:
    return [
        pytest.param(column, found, id=f"{column}-{name}") for column, d in dirt.items() for name, found in d.items()
    ]


@pytest.mark.parametrize(("column", "found"), cases(CUSTOMER_DIRT))
def test_customers_have(full: dict[str, list[Any]], column: str, found: Detector) -> None:
    assert any(found(row[column]) for row in objects(full["customers"]) if column in row)


@pytest.mark.parametrize(("column", "found"), cases(PAYMENT_DIRT))
def test_payments_have(full: dict[str, list[Any]], column: str, found: Detector) -> None:
    assert any(found(row[column]) for row in objects(full["transactions"]) if column in row)


@pytest.mark.parametrize(("column", "found"), cases(BRANCH_DIRT))
def test_branches_have(full: dict[str, list[Any]], column: str, found: Detector) -> None:
    assert any(found(row[column]) for row in objects(full["branches"]) if column in row)


@pytest.mark.parametrize("table", ["customers", "transactions", "branches"])
def test_some_records_are_no_objects(full: dict[str, list[Any]], table: str) -> None:
    assert any(not isinstance(row, dict) for row in full[table])


@pytest.mark.parametrize(("table", "column"), [("customers", "id_pelanggan"), ("transactions", "nominal_pembayaran")])
def test_some_records_lack_a_key(full: dict[str, list[Any]], table: str, column: str) -> None:
    assert any(column not in row for row in objects(full[table]))


def test_duplicate_customers_differ_in_every_way(full: dict[str, list[Any]]) -> None:
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in full["customers"]:
        if (key := customer_key(record)) is not None:
            groups.setdefault(key, []).append(record)
    copies = [group for group in groups.values() if len(group) > 1]
    assert any(group[0] == group[1] for group in copies)
    assert any(len(group) > 2 for group in copies)
    for column in ("id_pelanggan", "telepon", "connection_status", "tanggal_registrasi", "nama_pelanggan"):
        assert any(group[0].get(column) != group[1].get(column) for group in copies)
    assert any(
        group[0]["connection_status"] == "Isolated" and group[1]["connection_status"] == "Active" for group in copies
    )


def test_packages_have_several_prices_and_none(full: dict[str, list[Any]]) -> None:
    prices: dict[str, set[Any]] = {}
    for record in objects(full["customers"]):
        if isinstance(record.get("paket"), str) and text(record["paket"]):
            known = isinstance(record.get("harga"), int) and not isinstance(record["harga"], bool)
            prices.setdefault(text(record["paket"]).upper(), set()).add(record["harga"] if known else None)  # type: ignore[union-attr]
    assert len(prices["PAKET HEMAT 10M"] - {None}) >= 2
    assert prices["PAKET LAMA"] == {None}
    assert 15 <= len(prices) <= 25


def test_payments_repeat(full: dict[str, list[Any]]) -> None:
    rows = Counter(json.dumps(row, default=str, sort_keys=True) for row in objects(full["transactions"]))
    assert sum(n - 1 for n in rows.values()) > 0.01 * len(full["transactions"])


def test_branches_repeat_and_contradict(full: dict[str, list[Any]]) -> None:
    rows = objects(full["branches"])
    names = Counter(place(row["cabang"]) for row in rows)
    twice = [name for name, n in names.items() if n > 1 and name]
    pairs = [[row for row in rows if place(row["cabang"]) == name] for name in twice]
    assert any(pair[0] == pair[1] for pair in pairs)
    assert any(pair[0]["cabang"] == pair[1]["cabang"] and pair[0] != pair[1] for pair in pairs)
    assert any(pair[0]["cabang"] != pair[1]["cabang"] for pair in pairs)


def test_blocking_rates_stay_green(full: dict[str, list[Any]]) -> None:
    known = {customer_key(record) for record in full["customers"]} - {None}
    rows = full["transactions"]
    orphans = sum(customer_key(row) not in known for row in rows)
    assert 0 < orphans <= 0.01 * len(rows)
    no_point = sum(text(row.get("koordinat")) in (None, "0", "0,0") for row in objects(full["customers"]))
    assert no_point < 0.1 * len(full["customers"])


def test_final_list_drifts_by_one_customer(full: dict[str, list[Any]]) -> None:
    chain = {customer_key(record) for record in full["customers"]} - {None}
    assert {record["id_pelanggan"] for record in full["customers_clean"]} == chain
    final = {record["id_pelanggan"] for record in full["customers_final"]}
    assert len(final - chain) == len(chain - final) == 1


def test_personal_data_is_synthetic(full: dict[str, list[Any]]) -> None:
    for record in objects(full["customers_clean"]):
        url = str(record.get("ktp_photo_url") or "")
        assert "://" not in url or re.search(r"example\.test|internal|localhost|//[\[\d]|///|//0x", url, re.IGNORECASE)
        digits = re.sub(r"\D", "", str(record.get("telepon")))
        assert "860000" in digits or len(digits) < 8 or set(digits) == {"0"} or digits.startswith("0800")


# The export that follows ------------------------------------------------------------------------------------------


def by_id(rows: list[Any]) -> dict[str, dict[str, Any]]:
    return {record["id_pelanggan"]: record for record in rows}


def test_next_sample_adds_a_month(full: dict[str, list[Any]], following: dict[str, list[Any]]) -> None:
    first, second = (Counter(str(r.get("periode")) for r in objects(t["transactions"])) for t in (full, following))
    assert second["March 2026"] > 10 * first["March 2026"] > 0
    assert 0.97 < second["June 2023"] / first["June 2023"] < 1.03


def test_next_sample_changes_the_customers(full: dict[str, list[Any]], following: dict[str, list[Any]]) -> None:
    old, new = by_id(full["customers_clean"]), by_id(following["customers_clean"])
    assert 0 < len(old.keys() - new.keys()) < 0.01 * len(old)
    assert 0 < len(new.keys() - old.keys()) < 0.01 * len(old)
    changed = Counter(c for key in old.keys() & new.keys() for c in new[key] if old[key].get(c) != new[key][c])
    assert {"alamat", "ktp_photo_url", "connection_status", "harga", "telepon"} <= changed.keys()
    assert sum(changed.values()) < 0.2 * len(old)
    routers = [{place(r.get("nama_router")) for r in t.values()} - {None} for t in (old, new)]
    assert len(routers[0] - routers[1]) == 1
    assert routers[1] < routers[0]


def test_next_sample_has_new_duplicates(full: dict[str, list[Any]], following: dict[str, list[Any]]) -> None:
    counts = [Counter(customer_key(record) for record in t["customers"]) for t in (full, following)]
    assert any(n > 1 and counts[0][key] == 1 for key, n in counts[1].items())


def test_next_sample_settles_open_bills(full: dict[str, list[Any]], following: dict[str, list[Any]]) -> None:
    open_bills = [
        sum(
            r.get("periode") == "February 2026" and r.get("status_pembayaran") == "Belum Lunas"
            for r in objects(t["transactions"])
        )
        for t in (full, following)
    ]
    assert open_bills[1] < open_bills[0]


def test_export_ids_sort_by_month() -> None:
    assert default_export_id(date(2026, 2, 1)) == "20260225T190000Z"
    assert (
        default_export_id(date(2026, 1, 31))
        < default_export_id(date(2026, 2, 1))
        < default_export_id(date(2026, 12, 1))
    )


# Corruptions ------------------------------------------------------------------------------------------------------


def findings(folder: UPath) -> set[str]:
    """What is wrong with an export: a reader in miniature."""
    names = [path.name for path in folder.iterdir() if path.name != "manifest.json"]
    stems = [name.split(".")[0] for name in names]
    found = {"MissingSourceFile"} if "customers" not in stems or "transactions" not in stems else set()
    if len(set(stems)) < len(stems):
        found.add("AmbiguousSource")
    for entry in manifest(folder)["files"]:
        path = folder / entry["name"]
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
            found.add("ManifestMismatch")
    if not found:
        for table in ("customers", "transactions"):
            found |= table_findings(folder, table)
    return found - {"MissingSourceFile"} if "ManifestMismatch" in found else found


def table_findings(folder: UPath, table: str) -> set[str]:
    try:
        rows = read_rows(folder, table)
    except (ValueError, TypeError, EOFError, csv.Error, pa.ArrowException):
        return {"ExportFormatError"}
    listed = {entry["name"]: entry["rows"] for entry in manifest(folder)["files"]}[table_file(folder, table).name]
    found = {"ManifestMismatch"} if listed != len(rows) else set()
    if not rows:
        found.add("EmptySource")
    elif not any("id_pelanggan" in row for row in objects(rows)):
        found.add("SchemaDriftError")
    return found


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("table", ["customers", "transactions"])
@pytest.mark.parametrize(
    ("name", "format"), [(name, format) for name, c in CORRUPTIONS.items() for format in c.formats]
)
def test_a_corruption_breaks_one_thing(tmp_path: Path, name: str, format: str, table: str, packed: bool) -> None:
    folder = write_sample("skynet", UPath(tmp_path), "a", scale=0.02, format=format, gzip=packed)
    assert findings(folder) == set()
    CORRUPTIONS[name].apply(folder, table)
    assert findings(folder) == {CORRUPTIONS[name].error.__name__}


def test_a_corruption_that_a_format_cannot_have_is_refused(tmp_path: Path) -> None:
    folder = write_sample("skynet", UPath(tmp_path), "a", scale=0.02, format="parquet")
    with pytest.raises(ValueError, match="cannot be broken"):
        CORRUPTIONS["not_utf8"].apply(folder, "customers")


def test_optional_files_can_be_taken_away(tmp_path: Path) -> None:
    folder = write_sample("skynet", UPath(tmp_path), "a", scale=0.02)
    missing_file(folder, "branches", "customers_clean")
    assert findings(folder) == set()
    without_manifest(folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "customers.json",
        "customers_final.json",
        "transactions.json",
    ]
    CORRUPTIONS["empty_list"].apply(folder, "customers")
    assert not (folder / "manifest.json").exists()
