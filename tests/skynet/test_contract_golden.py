"""The contract's golden examples, through the real job into PostgreSQL, with their exact identifiers."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest

from tests.skynet.cases import branch, clean_export, customer, only, payment
from tests.skynet.harness import Lab, Row, put_export

FIRST, SECOND, THIRD = "20260210T030000Z", "20260211T030000Z", "20260212T030000Z"
UTC = dt.UTC

# id, what differs from a clean customer, what the row must say
POINT = (Decimal("-7.8581290"), Decimal("112.6861490"))
DEGREES = (Decimal("-7.8581389"), Decimal("112.6861389"))
COORDINATES: dict[str, tuple[str, tuple[Any, Any], str]] = {
    "K01": ("-7.858129, 112.686149", POINT, "ok"),
    "K02": ("112.686149,-7.858129", POINT, "swapped"),
    "K03": ("-7,788014,112.752410", (Decimal("-7.7880140"), Decimal("112.7524100")), "repaired"),
    "K04": ("-7.858.129;112.686.149", POINT, "repaired"),
    "K05": ("-7858129,112686149", POINT, "repaired"),
    "K06": ("-7.858129112.686149", POINT, "repaired"),
    "K07": ("7.858129 S, 112.686149 E", POINT, "repaired"),
    "K08": ("-7,858129 112,686149", POINT, "repaired"),
    "K09": ("7°51'29.3&quot;S 112°41'10.1&quot;E", DEGREES, "repaired"),
    "K10": ("0,0", (None, None), "missing"),
    "K11": ("0", (None, None), "missing"),
    "K12": ("https://short.example/x", (None, None), "invalid"),
    "K13": ("-6.2,106.8", (Decimal("-6.2000000"), Decimal("106.8000000")), "out_of_area"),
    "K14": ("-95.5,200.1", (None, None), "invalid"),
    "K15": ("7°51'29.3'' lintang selatan 112°41'10.1'' bujur timur", DEGREES, "repaired"),
}
VALUES: dict[str, tuple[Row, Row, set[str]]] = {
    "V01": ({"tanggal_registrasi": "01-Pebruari-2026"}, {"registered_at": dt.date(2026, 2, 1)}, set()),
    "V02": ({"tanggal_registrasi": "31-February-2026"}, {"registered_at": None}, {"registered_at_unparsed"}),
    "V03": ({"tanggal_registrasi": "01-January-1970"}, {"registered_at": None}, set()),
    "V04": ({"tanggal_registrasi": "02/03/2026"}, {"registered_at": dt.date(2026, 3, 2)}, set()),
    "V05": (
        {"telepon": "0812-3456-7890 / 62812 9999 0000"},
        {"phone_number": "+6281234567890", "phone_number_alt": "+6281299990000"},
        set(),
    ),
    "V06": (
        {"telepon": "081234567890atau0856111122"},
        {"phone_number": "+6281234567890", "phone_number_alt": "+62856111122"},
        set(),
    ),
    "V07": ({"jatuh_tempo": "30"}, {"billing_day": 30}, set()),
    "V08": ({"jatuh_tempo": "tgl 5"}, {"billing_day": 5}, set()),
    "V09": ({"jatuh_tempo": "45"}, {"billing_day": None}, {"billing_day_invalid"}),
    "V10": ({"jatuh_tempo": "0"}, {"billing_day": None}, set()),
    "V11": ({"jatuh_tempo": "20-February-2026"}, {"billing_day": 20}, set()),
    "V12": ({"nik": "3.50701E+15"}, {"nik": None, "nik_valid": None}, {"nik_unusable"}),
    "V13": ({"nik": "3,50701E+15"}, {"nik": None, "nik_valid": None}, {"nik_unusable"}),
    "V14": ({"nik": "3507 0101 0101 0001"}, {"nik": "3507010101010001", "nik_valid": True}, set()),
    "V15": ({"nik": "0"}, {"nik": None, "nik_valid": None}, set()),
}
PHOTOS = {
    "F01": ("https://photos.example.test/a.jpg", "pending", None),
    "F02": ("http://169.254.169.254/x", "blocked", "PRIVATE_ADDRESS"),
    "F03": ("https://photos.example.test:8443/a", "blocked", "PORT_NOT_ALLOWED"),
    "F04": ("foto/a.jpg", "blocked", "RELATIVE_URL"),
}
ROUTERS = {"R01": "skynet - srigading", "R02": "SKYNET_SRIGADING", "R03": "Skynet Srigading"}
PRICES = {"P01": 150000, "P02": "Rp 175.000", "P03": ""}
DUPLICATES = [
    customer("srgd0012 ", connection_status="Isolated", tanggal_registrasi="01-March-2026"),
    customer("SRGD0012", connection_status="Active", tanggal_registrasi="01-January-2024"),
    customer("SRGD0012", connection_status="active", tanggal_registrasi="01-Januari-2024"),
]
TIMES = {
    "V01": ("01-02-2026 12:05:00 AM", dt.datetime(2026, 1, 31, 17, 5, tzinfo=UTC)),
    "V02": ("01-02-2026 15:30:00 PM", dt.datetime(2026, 2, 1, 8, 30, tzinfo=UTC)),
    "V03": ("5 Feb. 2026 08:00", dt.datetime(2026, 2, 5, 1, 0, tzinfo=UTC)),
}


def customers() -> list[Row]:
    plain = {"paket": "Lain", "harga": 1, "nama_router": "OTHER"}
    return [
        *(row | plain for row in DUPLICATES),
        *(customer(each, **plain | {"koordinat": text}) for each, (text, _, _) in COORDINATES.items()),
        *(customer(each, **plain | given) for each, (given, _, _) in VALUES.items()),
        *(customer(each, **plain, ktp_photo_url=url) for each, (url, _, _) in PHOTOS.items()),
        *(customer(each, **plain | {"nama_router": name}) for each, name in ROUTERS.items()),
        *(customer(each, **plain | {"paket": "Paket Hemat 10M", "harga": price}) for each, price in PRICES.items()),
    ]


def payments() -> list[Row]:
    times = [payment(each, periode="2026-Feb.", waktu_entry=text) for each, (text, _) in TIMES.items()]
    return [payment("SRGD0012"), payment("SRGD0012"), *times, payment("SRGD0012", periode="Semua")]


@pytest.fixture(scope="module")
def golden(module_lab: Lab) -> Lab:
    """An installation that has loaded the examples, except those that need an export of their own."""
    module_lab.tolerant = True
    module_lab.environment = {"SKYNET_PHOTO_ALLOWED_HOSTS": "photos.example.test"}
    dashboard = branch(jumlah_pelanggan=5, total_pemasukan="Rp 1.000.000", total_pengeluaran=250000, balance="")
    files = {"customers": customers(), "transactions": payments(), "branches": [dashboard]}
    put_export(module_lab.landing / FIRST, files)
    ran = module_lab.run(FIRST)
    assert ran.failures == {}
    return module_lab


@pytest.mark.parametrize("customer_id", COORDINATES)
def test_coordinates(golden: Lab, customer_id: str) -> None:
    _, point, status = COORDINATES[customer_id]
    row = only(golden, "customers", id=customer_id)
    assert ((row["latitude"], row["longitude"]), row["coordinate_status"]) == (point, status)


@pytest.mark.parametrize("customer_id", VALUES)
def test_values_and_their_warnings(golden: Lab, customer_id: str) -> None:
    _, expected, warnings = VALUES[customer_id]
    row = only(golden, "customers", id=customer_id)
    assert {name: row[name] for name in expected} == expected
    ((reason,),) = golden.fetch(
        f"SELECT reason FROM skynet.row_ledger WHERE target_table = 'customers' AND target_key = '{customer_id}'"
    )
    assert set((reason or "").split(",")) - {""} == warnings


def test_of_duplicates_the_active_one_that_comes_first_survives(golden: Lab) -> None:
    row = only(golden, "customers", id="SRGD0012")
    assert (row["source_row"], row["connection_status"], row["registered_at"]) == (2, "active", dt.date(2024, 1, 1))
    merges = {
        (r["merged_source_row"], r["kept_source_row"]): r["differing_fields"] for r in golden.rows("customer_merge_log")
    }
    assert set(merges) == {(1, 2), (3, 2)}
    assert merges[(3, 2)] == ["connection_status", "tanggal_registrasi"]


def test_packages_by_name_and_price(golden: Lab) -> None:
    found = {
        str(row["id"]): (row["name"], row["price"], row["speed_mbps"])
        for row in golden.rows("packages")
        if row["name"] != "Lain"
    }
    unknown = found.pop("3986937f-d838-54c2-8c3a-f79e8a2bb08d")
    assert unknown == ("Paket Hemat 10M", None, 10)
    assert found.pop("1845e238-4b90-5c66-bf5c-e129009df11a") == ("Paket Hemat 10M", Decimal("150000.00"), 10)
    assert list(found.values()) == [("Paket Hemat 10M", Decimal("175000.00"), 10)]


def test_router_spellings_are_one_router(golden: Lab) -> None:
    row = only(golden, "routers", name="SKYNET-SRIGADING")
    assert (str(row["id"]), row["credentials_status"]) == ("601c196d-bbaf-5761-848f-b4862b9ff8cf", "missing")
    assert {only(golden, "customers", id=each)["router_id"] for each in ROUTERS} == {row["id"]}


@pytest.mark.parametrize("customer_id", PHOTOS)
def test_photo_queue(golden: Lab, customer_id: str) -> None:
    url, status, code = PHOTOS[customer_id]
    row = only(golden, "identity_card_photos", customer_id=customer_id)
    assert (row["source_url"], row["status"], row["error_code"], row["attempts"]) == (url, status, code, 0)


@pytest.mark.parametrize("customer_id", TIMES)
def test_entry_times(golden: Lab, customer_id: str) -> None:
    row = only(golden, "transactions", customer_id=customer_id)
    assert (row["paid_at"], row["period"]) == (TIMES[customer_id][1], dt.date(2026, 2, 1))


def test_branch_summary(golden: Lab) -> None:
    row = only(golden, "branch_summaries")
    assert str(row["id"]) == "4dbf4236-28a7-5129-9981-f4d3ad6e1725"
    assert (row["branch_key"], row["period"]) == ("SKYNET-SRIGADING", dt.date(2026, 2, 1))
    assert (row["balance"], row["balance_mismatch"]) == (Decimal("750000.00"), False)


def test_period_that_is_none_is_rejected_for_both_tables(golden: Lab) -> None:
    rejected = golden.fetch("SELECT target_table, reason_code FROM skynet.rejected_row ORDER BY 1")
    assert rejected == [("invoices", "INVALID_PERIOD"), ("transactions", "INVALID_PERIOD")]


INVOICE = "d740d252-efd2-524b-a123-06354200fcb5"
PAID = "b050fea6-7826-5dfa-85d2-ef5adca2e159"
PART_PAID = "f6bea464-b43d-54ae-a8b2-fe45a6f39063"


def test_repeated_payment_is_one_transaction(golden: Lab) -> None:
    invoice = only(golden, "invoices", customer_id="SRGD0012")
    transaction = only(golden, "transactions", customer_id="SRGD0012")
    assert (str(invoice["id"]), invoice["code"], invoice["status"]) == (INVOICE, "INV-202602-SRGD0012", "paid")
    assert (invoice["amount_paid"], invoice["due_date"]) == (Decimal("150000.00"), dt.date(2026, 2, 28))
    assert (str(transaction["id"]), transaction["payment_method"]) == (PAID, "transfer")
    assert transaction["paid_at"] == dt.datetime(2026, 2, 5, 3, 10, tzinfo=UTC)
    counts = golden.fetch(
        "SELECT source_rows, loaded, merged, rejected, skipped FROM skynet.migration_run_log"
        " WHERE asset = 'transactions' AND partition = '2026-02-01'"
    )
    assert counts == [(5, 4, 1, 0, 0)]


def test_part_payment_then_none_replace_the_transaction(lab: Lab) -> None:
    lab.tolerant = True
    part = payment("SRGD0012", status_pembayaran="Belum Lunas", nominal_pembayaran=50000, waktu_entry=None, metode=None)
    for export_id, row in ((FIRST, payment("SRGD0012")), (SECOND, part), (THIRD, part | {"nominal_pembayaran": 0})):
        lab.put(export_id, {"customers": DUPLICATES, "transactions": [row], "branches": [branch()]})
        assert lab.run(export_id).failures == {}
        invoice = only(lab, "invoices")
        transactions = [(str(r["id"]), r["status"], r["payment_method"]) for r in lab.rows("transactions")]
        expected = {
            FIRST: ("paid", "150000.00", [(PAID, "paid", "transfer")]),
            SECOND: ("partial", "50000.00", [(PART_PAID, "partial", None)]),
            THIRD: ("unpaid", "0.00", []),
        }[export_id]
        assert (str(invoice["id"]), invoice["first_export_id"]) == (INVOICE, FIRST)
        assert (invoice["status"], str(invoice["amount_paid"]), transactions) == expected
    skipped = lab.fetch(
        f"SELECT reason FROM skynet.row_ledger WHERE export_id = '{THIRD}'"
        " AND outcome = 'skipped' AND target_table = 'transactions'"
    )
    assert skipped == [("no_payment",)]


def test_overlay_fills_then_keeps_then_overwrites(lab: Lab) -> None:
    lab.tolerant = True
    path = lab.settings.home / "overlay.json"
    lab.environment = {"SKYNET_ROUTER_CREDENTIALS_FILE": str(path)}
    first = {"name": "skynet - srigading", "ip_address": "192.0.2.1", "port": 8777, "username": "u1"}
    second = {"name": "SKYNET_SRIGADING", "ip_address": "192.0.2.9", "port": 9000, "username": "u2", "password": "p"}
    steps = (
        (FIRST, first, ("partial", "192.0.2.1", 8777, "u1")),
        (SECOND, second, ("complete", "192.0.2.1", 8777, "u1")),
        (THIRD, second | {"overwrite": True}, ("complete", "192.0.2.9", 9000, "u2")),
    )
    for export_id, entry, expected in steps:
        path.write_text(json.dumps({"routers": [entry]}))
        lab.put(export_id, clean_export(1))
        ran = lab.run(export_id)
        assert ran.failures == {}
        row = only(lab, "routers")
        assert (row["credentials_status"], row["ip_address"], row["port"], row["username"]) == expected
        incomplete = {"SKYNET-SRIGADING": ["password"]} if export_id == FIRST else {}
        assert ran.metadata["router_credentials"]["routers_incomplete"] == incomplete
