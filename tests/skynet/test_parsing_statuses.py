"""Statuses, payment methods, proofs, package speeds and branch counts."""

from decimal import Decimal
from typing import Any

import pytest

from skynet_assets.parsing.problem import Problem
from skynet_assets.parsing.statuses import (
    branch_count,
    connection_status,
    is_total_row,
    payment_method,
    payment_status,
    proof,
    speed_mbps,
)

INVALID = Problem.INVALID


@pytest.mark.parametrize(
    ("words", "status", "recognised"),
    [
        (["Active", "aktif", "ON", " online "], "active", True),
        (["Isolated", "Isolir", "terisolir", "Off", "suspended"], "isolated", True),
        (["Offline"], "offline", True),
        (["terminated", "berhenti", "putus", "nonaktif", "inactive"], "terminated", True),
        ([None, "", "Unknown", True, []], "unknown", True),
        (["aktif sekali", "0", 1, "un known"], "unknown", False),
    ],
)
def test_connection_status(words: Any, status: Any, recognised: Any) -> None:
    assert {connection_status(word) for word in words} == {(status, recognised)}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["Lunas", "SUDAH  LUNAS", "paid", "sudah bayar"], ("paid", 3)),
        (["sebagian", "cicil", "dicicil", "angsuran", "partial", "kurang bayar"], ("partial", 2)),
        (["Belum Lunas", "belum", "belum bayar", "unpaid", "tunggakan", "menunggak", None, "-", True], ("unpaid", 1)),
        (["batal", "dibatalkan", "void", "cancel", "Cancelled"], ("void", 0)),
        (["lunas?", "tidak lunas", 1], INVALID),
    ],
)
def test_payment_status(words: Any, expected: Any) -> None:
    assert {payment_status(word) for word in words} == {expected}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("-", None),
        ("Transfer QRIS", "qris"),
        ("Cash / BCA", "cash"),
        ("setor tunai", "cash"),
        ("BCA 123", "transfer"),
        ("bca123", "transfer"),
        ("TF", "transfer"),
        ("VirtualAccount", "transfer"),
        ("va-99", "transfer"),
        ("seabanks", "transfer"),
        ("bank", "transfer"),
        ("ebanking", "other"),
        ("abca", "other"),
        ("dana", "other"),
        (123, "other"),
    ],
)
def test_payment_method(value: Any, expected: Any) -> None:
    assert payment_method(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, (None, False)),
        ("bukti/no-image.png", (None, False)),
        ("JAVASCRIPT:alert(1)", (None, True)),
        (" data:image/png;base64,AA", (None, True)),
        ("file:///etc/x", (None, True)),
        ("bukti/a.jpg", ("bukti/a.jpg", False)),
        ("https://x/a?b=1&amp;c", ("https://x/a?b=1&c", False)),
    ],
)
def test_proof(value: Any, expected: Any) -> None:
    assert proof(value) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Paket Hemat 10M", 10),
        ("UP TO 20 Mbps", 20),
        ("5mb keluarga", 5),
        ("paket 3 Malam 7M", 7),
        ("0M 10M", None),
        ("10Mbit", None),
        ("12345M", 2345),
        ("Gratis", None),
        ("", None),
        (None, None),
        ("٥M", None),
    ],
)
def test_speed_mbps(name: Any, expected: Any) -> None:
    assert speed_mbps(name) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("12", 12),
        (12, 12),
        (Decimal("12.0"), 12),
        ("12 Plg", 12),
        ("12plg", 12),
        ("1.234", 1234),
        ("1.234.567 orang", 1234567),
        ("0", 0),
        ("0002147483647", 2147483647),
        (None, None),
        ("-", None),
        (True, None),
        ("2147483648", INVALID),
        ("9" * 5000, INVALID),
        ("-1", INVALID),
        ("1,234", INVALID),
        ("1234.567", INVALID),
        ("12.5", INVALID),
        ("12 Plg aktif", INVALID),
        ("12 Plg.", INVALID),
        ("12 é", INVALID),
        ("banyak", INVALID),
    ],
)
def test_branch_count(value: Any, expected: Any) -> None:
    assert branch_count(value) == expected


@pytest.mark.parametrize(("key", "expected"), [("TOTAL", True), ("SUB TOTAL", True), ("TOTAL BATU", False)])
def test_is_total_row(key: Any, expected: Any) -> None:
    assert is_total_row(key) is expected
