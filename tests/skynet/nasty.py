"""Small random exports, as nasty as the contract allows, and what each file format makes of their values."""

import datetime as dt
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from skynet_assets.parsing.photos import photo_policy
from tests.skynet.harness import Written, encoded, json_text
from tests.skynet.reference import WIB, Given, later, months_between

IDS = [
    *(
        "SRGD0001",
        "srgd0001 ",
        "Srgd0001",
        "SRGD0002",
        " srgd0002",
        "SRGD0003",
        "SRGD0003&nbsp;",
        "10023",
        "a|b",
        "A&amp;B",
    ),
    *(
        "stra\u00dfe1",
        "STRASSE1",
        "A\x00C1",
        "AC1",
        'D,E"F',
        "\\N",
        "x" * 50,
        "\u0130stan",
        "SRGD 0004",
        "SRGD\u00a00004",
    ),
    *(
        10023,
        Decimal("10023.0"),
        Decimal("1.5"),
        7,
        "SRGD0005",
        "SRGD0006",
        "SRGD0007",
        "SRGD0008",
        "SRGD0009",
        "SRGD0010",
    ),
]
BAD_IDS = ["", None, "N/A", "-", "null", True, [], {"a": 1}, "y" * 51, "\u00df" * 26, "\x00", " \t\u00a0", "&nbsp;"]
NAMES = [
    "Budi",
    "budi  &amp; Co",
    " Siti\tAminah ",
    "",
    None,
    "-",
    5,
    False,
    "\\N",
    'a,b"c',
    "x\r\ny",
    "cut \ud83d",
    "\\.",
    "a\rb",
]
NUMBERS_16 = ["3507010101010001", "3507.0101.0101.0001", "'3507010101010001", 3507010101010001, "0", "-", "", None]
IDENTITY = [
    *NUMBERS_16,
    "3.50701E+15",
    "3,50701e15",
    "123",
    "1" * 16,
    "1" * 21,
    "abc",
    True,
    [1],
    Decimal("3507010101010001.0"),
]
PHONES = [
    *("081234567890", "62812-3456-7890", "+62 812 9999 0000", "81234567890", "0", "", None, "-", 81234567890, "123"),
    *("0812-3456-7890 / 62812 9999 0000", "081234567890atau0856111122", "08111;0812345678|0812345678", "abc", True),
    Decimal("81234567890.0"),
]
PACKAGES = [
    *(
        "Paket Hemat 10M",
        "paket  hemat 10m",
        "PAKET HEMAT 10M",
        "Home 20 Mbps",
        "home 20 mbps",
        "Gratis",
        None,
        "-",
        "",
    ),
    *(
        "0M special",
        "VIP 9999Mbps",
        100,
        "Stra\u00dfe 5 MB",
        "STRASSE 5 MB",
        "a|b",
        "10 m",
        "&lt;b&gt; 7mb",
        True,
        "\\N",
    ),
]
MONEY = [
    *(150000, "Rp 150.000", "150.000,00", "150,000", "Rp 175.000", "175000", "", None, 0, "0", "Rp150.000,-", "-5", -5),
    *(
        "gratis",
        Decimal("150000.00"),
        Decimal("150000.005"),
        Decimal("0.004"),
        "999999999999,99",
        10**12,
        True,
        [],
        "1500.000",
    ),
    *("Rp -2.000", "- Rp 1", "null", "IDR 75.000", {"a": 1}, "-0", "999.999.999.999"),
]
DATES = [
    *(
        "01-February-2026",
        "01-Pebruari-2026",
        "31-February-2026",
        "01-January-1970",
        "02/03/2026",
        "2025-12-31",
        "",
        None,
    ),
    *(
        "00-00-0000",
        "30-November--0001",
        "2024-01-01 10:00:00",
        "January 5, 2024",
        "1 Jan. 2024",
        "besok",
        20240101,
        "0",
    ),
    *("01-January-2024", "01-Januari-2024", "2099-12-31", "1999-12-31", True),
]
DUE_DAYS = [
    "30",
    "tgl 5",
    "TANGGAL. 31",
    "45",
    "0",
    "20-February-2026",
    20,
    Decimal("20.0"),
    "",
    None,
    "29",
    "31",
    "x",
    [],
    "00",
]
USERNAMES = ["budi@skynet", "NOPPPOE_X", "noppoe_x", "NOPPPOE_", "", None, "shared", "shared", 12, "-", "\\N", "a b"]
PASSWORDS = [
    "s3cret",
    " pad ",
    "",
    "-",
    "null",
    "&amp;",
    None,
    1234,
    Decimal("1.50"),
    True,
    [1],
    "a\x00b",
    '",\n',
    "\\N",
    "\u00a0x",
]
PLACES = [
    *(
        "SKYNET-SRIGADING",
        "skynet - srigading",
        "SKYNET_SRIGADING",
        "Skynet Srigading",
        "subnet  utara",
        "",
        None,
        "-",
        "_",
    ),
    *("SKYNET", "skynet_", "A - B", "a-b", 5, "&amp;", "- x"),
]
POINTS = [
    *(
        "-7.858129, 112.686149",
        "112.686149,-7.858129",
        "-7,788014,112.752410",
        "-7.858.129;112.686.149",
        "0,0",
        "0",
        "",
        None,
    ),
    *(
        "https://short.example/x",
        "https://maps.example/?q=-7.5,112.5",
        "-6.2,106.8",
        "-95.5,200.1",
        "rumah",
        "-",
        [1],
        5,
    ),
    *(
        "7\u00b051'29.3&quot;S 112\u00b041'10.1&quot;E",
        "-7858129,112686149",
        "7.858129 S, 112.686149 E",
        "-7.85",
        "-9,110",
        "-6.0,115",
    ),
    *("-7,858129 112,686149", "- 7.5 112.5", True, "7.5 112.5", "-91,10", "10,-91", "0,112.5"),
]
PHOTOS = [
    *(
        "https://photos.example.test/a.jpg",
        "http://169.254.169.254/x",
        "https://photos.example.test:8443/a",
        "foto/a.jpg",
        "",
    ),
    *(
        "https://u:p@photos.example.test/a.jpg",
        "ftp://x/y",
        "https://other.test/a",
        "https://photos.example.test/no-image.png",
    ),
    *(
        "https:///x",
        "http://localhost/x",
        "https://[::1]/x",
        None,
        "-",
        "belum ada",
        "http:\\\\x",
        "https://photos.example.test/b.jpg",
    ),
    *("//photos.example.test/c.jpg", "javascript:alert(1)", 7, "https://PHOTOS.example.test./d", "default.jpg", "\\N"),
]
STATUSES = [
    "Active",
    "active",
    "AKTIF",
    "On",
    "Isolated",
    "isolir",
    "Off",
    "Offline",
    "Berhenti",
    "Unknown",
    "",
    None,
    "aneh",
    True,
    1,
]
PAYMENT_STATUSES = [
    "Lunas",
    "LUNAS",
    "Belum Lunas",
    "belum",
    "Sebagian",
    "cicil",
    "batal",
    "Void",
    None,
    "",
    "paid",
    "sudah bayar",
]
METHODS = [
    *(
        "Cash",
        "Tunai",
        "BCA 123",
        "bca",
        "QRIS bca",
        "Transfer",
        "OVO",
        "VA12",
        "tf",
        "nova",
        None,
        "",
        "-",
        "m-banking",
    ),
    *("BANK mandiri", 5, True, "\\N", "Rp \u00a0 cash"),
]
TIMES = [
    *(
        "05-02-2026 10:10:00 AM",
        "05-02-2026 10:10:00 AM",
        "05-02-2026 10:10:00",
        "2026-02-05",
        "01-02-2026 12:05:00 AM",
    ),
    *(
        "01-02-2026 15:30:00 PM",
        "5 Feb. 2026 08:00",
        "00-00-0000 00:00:00",
        "",
        None,
        None,
        None,
        "kemarin",
        "31-02-2026",
    ),
    *(
        "2026-02-05t03:10",
        "05-02-2026 25:00:00",
        "01-01-2000",
        "31-12-1999",
        True,
        "05-02-2026 10:10 pm",
        "2026-02-05 10:10:00",
    ),
]
PROOFS = [
    "https://x.test/p.jpg",
    "",
    None,
    "no-image.png",
    "javascript:x",
    "DATA:x",
    "bukti/1.jpg",
    "-",
    "file:///x",
    "\\N",
    3,
]
BRANCHES = [
    *(
        "skynet srigading",
        "SKYNET-SRIGADING",
        "Cabang A",
        "cabang_a",
        "",
        None,
        "TOTAL",
        "Sub Total",
        "jumlah",
        "-",
        "B - C",
        5,
    ),
]
BRANCH_COUNTS = [
    "12",
    "12 Plg",
    "1.234",
    12,
    "",
    None,
    "banyak",
    "-5",
    "2147483648",
    "2147483647",
    True,
    Decimal("12.0"),
    "1.23",
]
STRANGERS: list[Any] = ["text", 5, None, [1, {"pppoe_password": "x"}], True, Decimal("1.5"), "nul\x00", []]
MONTH_NAMES = {1: "Januari", 2: "Februari", 3: "March", 12: "Desember", 11: "Nop.", 10: "October", 4: "April", 5: "Mei"}
BAD_PERIODS = [
    "Semua",
    "",
    None,
    "13-2026",
    "2026",
    "December 2020",
    "January 2199",
    "2020-12",
    "March 2027",
    "Februari 2027",
    [],
    5,
]

WINDOWS = [
    ("2026-01-01", "2026-03-01"),
    ("2026-02-01", "2026-02-01"),
    ("2021-01-01", "2021-02-01"),
    ("2027-01-01", "2027-02-01"),
]
MOMENTS: list[Any] = ["2026-02-10T03:00:00Z", "2026-02-28T18:00:00+00:00", "2026-01-31T20:00:00", None, "kemarin", 5]
FORMATS = ("json", "jsonl", "csv", "parquet")
ALLOWED_HOSTS = [None, "photos.example.test", "photos.example.test:8443, photos.example.test", "other.test"]
BASE_URLS = [None, None, "https://photos.example.test/root/"]

CUSTOMER_POOLS: dict[str, list[Any]] = {
    "nama_pelanggan": NAMES,
    "nik": IDENTITY,
    "kk": IDENTITY,
    "alamat": NAMES,
    "telepon": PHONES,
    "paket": PACKAGES,
    "harga": MONEY,
    "tanggal_registrasi": DATES,
    "jatuh_tempo": DUE_DAYS,
    "pppoe_username": USERNAMES,
    "pppoe_password": PASSWORDS,
    "nama_lokasi": PLACES,
    "nama_router": PLACES,
    "koordinat": POINTS,
    "ktp_photo_url": PHOTOS,
    "connection_status": STATUSES,
}
BRANCH_POOLS: dict[str, list[Any]] = {
    "cabang": BRANCHES,
    **dict.fromkeys(
        ("jumlah_pelanggan", "pelanggan_baru", "pelanggan_free", "pelanggan_lunas", "pelanggan_belum_lunas"),
        BRANCH_COUNTS,
    ),
    **dict.fromkeys(("total_pemasukan", "total_pengeluaran", "balance", "total_estimasi"), MONEY),
}
# Columns that a Parquet file may keep in a type of their own.
TYPED: dict[str, Callable[[random.Random], list[Any]]] = {
    "telepon": lambda r: [81234567890, None, 0, 628123456789],
    "nik": lambda r: [3507010101010001.0, None, float("nan"), 12.5],
    "harga": lambda r: [150000.0, 175000.5, None, float("nan"), 0.0],
    "tanggal_registrasi": lambda r: [dt.date(2024, 1, 1), None, dt.date(1970, 1, 1)],
    "jatuh_tempo": lambda r: [1, 30, 31, 0, None, 45],
    "nominal_pembayaran": lambda r: [Decimal("150000.00"), None, Decimal("0.00"), Decimal("50000.50")],
    "waktu_entry": lambda r: [dt.datetime(2026, 2, 5, 10, 10), None],  # noqa: DTZ001 - as legacy files have it
    "connection_status": lambda r: [True, False, None],
}


@dataclass(frozen=True)
class Nasty:
    """A random export: its files, what is in them, and the circumstances of its run."""

    files: dict[str, Written]
    given: Given
    months: tuple[str, str]
    exported_at: Any
    manifest: bool
    environment: dict[str, str]
    overlay: dict[str, Any] | None = None
    hand_made: list[str] = field(default_factory=list)


def nasty(seed: int, export_id: str = "20260210T030000Z", kind: str | None = None) -> Nasty:
    """The random export of a seed."""
    rng = random.Random(seed)
    kind = kind or FORMATS[seed % len(FORMATS)]
    months = rng.choice(WINDOWS)
    exported_at, manifest = rng.choice(MOMENTS), rng.random() < 0.8
    ids = rng.sample(IDS, rng.randint(1, 10))
    customers = _customers(rng, ids)
    transactions = _transactions(rng, ids, months)
    branches = _rows(rng, BRANCH_POOLS, rng.choice((0, 3, 12, 25)), repeats=0.3)
    stem = "customers"
    if rng.random() < 0.15:
        stem = rng.choice(("customers_final", "customers_clean"))
        for record in customers:
            record["koordinat_original"] = rng.choice(POINTS)
    files, carried = {}, {}
    for name, records in ((stem, customers), ("transactions", transactions), ("branches", branches)):
        files[name], carried[name] = _carried(rng, records, kind if records else "json")
    environment, policy = _photo_environment(rng)
    overlay = _overlay(rng)
    given = Given(
        export_id=export_id,
        customers=carried[stem],
        transactions=carried["transactions"],
        branches=carried["branches"],
        exported_at=_moment(exported_at) if manifest else None,
        months=frozenset(months_between(*map(dt.date.fromisoformat, months))),
        today=dt.datetime.now(WIB).date(),
        customers_table=stem,
        policy=policy,
        overlay=overlay["routers"] if overlay else [],
    )
    return Nasty(files, given, months, exported_at, manifest, environment, overlay)


def _moment(written: Any) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(written)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _photo_environment(rng: random.Random) -> tuple[dict[str, str], Any]:
    hosts, base = rng.choice(ALLOWED_HOSTS), rng.choice(BASE_URLS)
    given = {"SKYNET_PHOTO_ALLOWED_HOSTS": hosts, "SKYNET_PHOTO_BASE_URL": base}
    return {name: value for name, value in given.items() if value}, photo_policy(base, hosts)


def _overlay(rng: random.Random) -> dict[str, Any] | None:
    if rng.random() < 0.6:
        return None
    names = rng.sample(["skynet - srigading", "A-B", "nowhere", "SUBNET-UTARA"], 3)
    values = {
        "ip_address": ["192.0.2.1", "2001:DB8::1", "192.0.2.0/24", "", None, "x"],
        "port": [8777, "9000", 0, 65536, None, "8728"],
        "username": ["u1", "", None, " u 2 "],
        "password": ["p", "", None, " verbatim&amp; "],
        "overwrite": [True, False, "true", None],
    }
    return {"routers": [{"name": name, **{k: rng.choice(pool) for k, pool in values.items()}} for name in names]}


# --- records ----------------------------------------------------------------------------------------------------------


def _rows(rng: random.Random, pools: dict[str, list[Any]], count: int, repeats: float) -> list[Any]:
    """Records drawn from pools; some repeat an earlier one, whole or with one value changed."""
    rows: list[Any] = []
    for _ in range(count):
        if rows and rng.random() < repeats:
            row = dict(rng.choice(rows))
            if rng.random() < 0.5:
                name = rng.choice(list(pools))
                row[name] = rng.choice(pools[name])
        else:
            row = {name: rng.choice(pool) for name, pool in pools.items()}
        rows.append(row)
    return rows


def _customers(rng: random.Random, ids: Sequence[Any]) -> list[Any]:
    tame = {name: rng.sample(pool, min(len(pool), rng.randint(1, len(pool)))) for name, pool in CUSTOMER_POOLS.items()}
    rows = _rows(rng, tame, rng.randint(1, 40), repeats=0.2)
    for row in rows:
        row["id_pelanggan"] = rng.choice(ids) if rng.random() < 0.9 else rng.choice(BAD_IDS)
    rows[0]["id_pelanggan"] = ids[0]
    return rows


def _transactions(rng: random.Random, ids: Sequence[Any], months: tuple[str, str]) -> list[Any]:
    first, last = map(dt.date.fromisoformat, months)
    periods = [
        _written_month(rng, month) for month in months_between(later(first, 0), later(last, 1)) for _ in range(2)
    ]
    pools = {
        "id_pelanggan": [*rng.sample(list(ids), min(3, len(ids))), *rng.sample(list(ids), min(3, len(ids))), "GONE9"],
        "nama_pelanggan": NAMES,
        "nominal_harus_dibayar": [150000, "Rp 150.000", 150000, 0, rng.choice(MONEY)],
        "nominal_pembayaran": [150000, "150.000", 50000, None, 0, rng.choice(MONEY)],
        "status_pembayaran": [*rng.sample(PAYMENT_STATUSES, 4), rng.choice(["aneh", True, 3])],
        "bukti_pembayaran_url": rng.sample(PROOFS, 5),
        "periode": [*periods, *periods, rng.choice(BAD_PERIODS), rng.choice(BAD_PERIODS)],
        "metode": rng.sample(METHODS, 4),
        "waktu_entry": rng.sample(TIMES, 4),
    }
    rows = _rows(rng, pools, rng.randint(1, 60), repeats=0.35)
    if rng.random() < 0.1:
        rows = [{name: value for name, value in row.items() if name != "nominal_pembayaran"} for row in rows]
    if rng.random() < 0.3:
        rows[rng.randrange(len(rows))]["id_pelanggan"] = rng.choice(BAD_IDS)
    return rows


def _written_month(rng: random.Random, month: dt.date) -> Any:
    named = MONTH_NAMES.get(month.month, f"{month:%B}")
    return rng.choice(
        [
            f"{named} {month.year}",
            f"{month:%m-%Y}",
            f"{month:%Y-%m}",
            f"{month:%Y%m}",
            int(f"{month:%Y%m}"),
            f" {month:%Y-%m-31} ",
            f"{month.year}-{named}",
        ]
    )


# --- formats ----------------------------------------------------------------------------------------------------------


def _carried(rng: random.Random, records: list[Any], kind: str) -> tuple[Written, list[Any]]:
    """A file of the records, and the records as the file has them."""
    packed = rng.random() < 0.3
    if kind in ("json", "jsonl"):
        full = records[0] if records else {}
        rest = [_frayed(rng, record) for record in records[1:]]
        mixed = [full, *rest] if records else []
        written = encoded(mixed, kind, packed=packed)
        return written, [_storable(record) for record in mixed]
    if kind == "csv":
        texts = [{**{k: _cell(v) for k, v in record.items()}, "catatan": "x"} for record in records]
        return encoded(texts, kind, packed=packed), [{k: v or None for k, v in row.items()} for row in texts]
    return _carried_by_parquet(rng, records, packed=packed)


def _carried_by_parquet(rng: random.Random, records: list[Any], *, packed: bool) -> tuple[Written, list[Any]]:
    rows = [{k: None if v is None else _cell(v) for k, v in record.items()} for record in records]
    for name in set(rows[0]) & set(TYPED):
        if rng.random() < 0.4:
            pool = TYPED[name](rng)
            for row in rows:
                row[name] = rng.choice(pool)
    return encoded(rows, "parquet", packed=packed), [{k: _of_parquet(v) for k, v in row.items()} for row in rows]


def _of_parquet(value: Any) -> Any:
    if isinstance(value, float):
        return None if value != value else Decimal(repr(value))
    return value.isoformat() if isinstance(value, dt.date) else value


def _frayed(rng: random.Random, record: Any) -> Any:
    """A record that is none, lacks keys or has strange ones, now and then."""
    if rng.random() < 0.05:
        return rng.choice(STRANGERS)
    frayed = {k: v for k, v in record.items() if rng.random() < 0.97}
    return frayed | {"extra\x00": [1, {"pppoe_password": "y"}]} if rng.random() < 0.1 else frayed


def _storable(value: Any) -> Any:
    """JSON values as a reader of UTF-8 gives them: half a surrogate pair is U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_storable(each) for each in value]
    return {k: _storable(v) for k, v in value.items()} if isinstance(value, dict) else value


def _cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return _storable(value or "")
    return json_text(value) if isinstance(value, bool | list | dict) else str(value)


def overlay_text(overlay: dict[str, Any]) -> str:
    """An overlay as a file."""
    return json.dumps(overlay)
