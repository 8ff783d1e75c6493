"""Small clean records that tests change one value of."""

import datetime as dt
from typing import Any

from tests.skynet.harness import Lab, Row

FEBRUARY = dt.date(2026, 2, 1)


def customer(customer_id: Any = "SRGD0001", **values: Any) -> Row:
    """A clean customer."""
    return {
        "id_pelanggan": customer_id,
        "nama_pelanggan": "Budi",
        "nik": "3507010101010001",
        "kk": None,
        "alamat": "Jalan Satu",
        "telepon": "081234567890",
        "paket": "Paket Hemat 10M",
        "harga": 150000,
        "tanggal_registrasi": "01-January-2024",
        "jatuh_tempo": "30",
        "pppoe_username": f"{customer_id}@skynet",
        "pppoe_password": "s3cret",
        "nama_lokasi": "SKYNET-SRIGADING",
        "nama_router": "SKYNET-SRIGADING",
        "koordinat": "-7.858129, 112.686149",
        "ktp_photo_url": None,
        "connection_status": "Active",
        **values,
    }


def payment(customer_id: Any = "SRGD0001", **values: Any) -> Row:
    """A paid invoice of February."""
    return {
        "id_pelanggan": customer_id,
        "nominal_harus_dibayar": 150000,
        "nominal_pembayaran": 150000,
        "status_pembayaran": "Lunas",
        "bukti_pembayaran_url": None,
        "periode": "Februari 2026",
        "metode": "BCA 123",
        "waktu_entry": "05-02-2026 10:10:00 AM",
        **values,
    }


def branch(name: Any = "skynet srigading", **values: Any) -> Row:
    """A branch whose numbers agree with nothing in particular."""
    return {"cabang": name, "jumlah_pelanggan": "1", "total_pemasukan": "Rp 150.000", "total_pengeluaran": 0, **values}


def numbered(count: int) -> list[str]:
    """Ids of so many customers."""
    return [f"SRGD{number:04}" for number in range(1, count + 1)]


def clean_export(count: int = 3) -> dict[str, list[Any]]:
    """An export in which every check is content but those on volume."""
    ids = numbered(count)
    return {
        "customers": [customer(each) for each in ids],
        "transactions": [payment(each) for each in ids],
        "branches": [branch(jumlah_pelanggan=count, total_pemasukan=150000 * count)],
    }


def only(lab: Lab, table: str, **where: Any) -> Row:
    """The one row of a table with these values."""
    found = [row for row in lab.rows(table) if all(row[name] == value for name, value in where.items())]
    assert len(found) == 1, (table, where, len(found))
    return found[0]
