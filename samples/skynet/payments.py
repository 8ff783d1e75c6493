"""The payment history of a Skynet sample: every bill of every month, with repeats, dirt and unusable rows."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from samples.pools import MONTHS_EN, MONTHS_ID, MONTHS_SHORT, month_start, pick, rolls
from samples.skynet import dirt
from samples.skynet.dirt import ABSENT, Kind, Money
from samples.skynet.world import ADVANCE_MONTHS, Account, Bill, Payment, World
from samples.writing import Record

COLUMNS = (
    *("id_pelanggan", "nama_pelanggan", "alamat", "nominal_harus_dibayar", "nominal_pembayaran"),
    *("status_pembayaran", "bukti_pembayaran_url", "periode", "metode", "waktu_entry"),
)

_PERIODS: tuple[Kind, ...] = (
    lambda m: f"{MONTHS_ID[m % 12]} {m // 12}",
    lambda m: f"{m % 12 + 1:02d}-{m // 12}",
    lambda m: f"{m // 12}-{m % 12 + 1:02d}",
    lambda m: f"{m // 12}{m % 12 + 1:02d}",
    lambda m: m // 12 * 100 + m % 12 + 1,
    lambda m: f"{m % 12 + 1}/{m // 12}",
    lambda m: f"{m // 12}-{MONTHS_SHORT[m % 12]}.",
    lambda m: f"01-{MONTHS_ID[m % 12]}-{m // 12}",
    lambda m: f"{m // 12}-{m % 12 + 1:02d}-01",
    lambda m: f"{MONTHS_SHORT[m % 12]}-{m // 12}",
    lambda m: f"{MONTHS_EN[m % 12].upper()},  {m // 12}",
    lambda m: f"{MONTHS_EN[m % 12]}&nbsp;{m // 12}",
)
_TIMES: tuple[Kind, ...] = (
    lambda t: f"{t:%d-%m-%Y %H:%M:%S %p}",
    lambda t: f"{t:%d-%m-%Y %H:%M:%S %p}",
    lambda t: f"{t:%d-%m-%Y}",
    lambda t: f"{t:%Y-%m-%d %H:%M:%S}",
    lambda t: f"{t:%Y-%m-%dT%H:%M}",
    lambda t: f"{t.day} {MONTHS_SHORT[t.month - 1]}. {t.year} {t:%H:%M}",
    lambda t: f"{t:%d/%m/%Y %I:%M %p}".lower(),
    lambda t: f"{t.day}-{MONTHS_ID[t.month - 1]}-{t.year} {t:%I:%M:%S%p}",
)
_LOST_TIMES: tuple[Kind, ...] = dirt.fixed(
    *(
        "00-00-0000 00:00:00",
        "0000-00-00",
        "",
        None,
        "kemarin sore",
        "31-02-2022 08:00:00 AM",
        "05-13-2022 10:00:00 AM",
    ),
    *("25-07-2022 24:10:00 AM", "25-07-1922 03:56:34 AM", True),
)
_PAID = ("LUNAS", "lunas ", "Sudah Lunas", "Paid", "sudah bayar", "&nbsp;Lunas")
_PARTIAL = ("Sebagian", "Cicil", "Belum Lunas", "dicicil", "Angsuran", "Kurang Bayar", "partial", "Belum lunas")
_UNPAID = (
    *("Belum Lunas", "Belum Lunas", "Belum Lunas", "BELUM LUNAS", "belum", "Belum Bayar", "unpaid", "Tunggakan"),
    *("Menunggak", None, "", "Belum  Lunas"),
)
_VOID = ("Batal", "dibatalkan", "VOID", "Cancel", "cancelled")
_METHODS = (
    *("Cash", "Cash", "Cash", "Cash", "Tunai", "BCA 0000123456", "BCA 0000123456", "Transfer Mandiri", "QRIS"),
    *("BRI VA 88880000001", "Cash (kolektor)", "QRIS BCA", "TF bank", "Transfer BNI"),
)
_ODD_METHODS = (
    *("Dana 086000000000", "bayar di rumah", "-", None, "", "BRIVA", "SEABANK0000000099", "tunai via agen", "E-wallet"),
    *("Virtual Account 0000123", "CASH  ", "BSI0000077", "potong gaji &amp; bonus", 12345),
)
_PROOFS = (
    *(
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
        "FILE:///srv/bukti.jpg",
        "bukti/2022/a.jpg",
        "/uploads/b.png",
    ),
    *(f"https://{dirt.PHOTO_HOST}/img/noimage.png", "default.jpg", "-", "sudah ditransfer", None),
)
_NOTHING_PAID = (0, "0", "", None, "Rp 0", ABSENT, "-")

_UNUSABLE = (
    *({"periode": v} for v in ("Semua", "", "December 2020", None, "2099-12", "13-2026", "2026-00", "bulan lalu")),
    *({"nominal_harus_dibayar": v} for v in ("", "gratis", None, "-", "1500.000", -150000, "-Rp 150.000", True)),
    *({"nominal_pembayaran": v} for v in ("lunas", -50000, "12.34.5", {"jumlah": 150000}, "1000000000000")),
    *({"status_pembayaran": v} for v in ("Proses", "Lunas?", "Menunggu verifikasi", 1)),
    *({"id_pelanggan": v} for v in ("", dirt.LONG_IDS[0], None, "N/A", ABSENT, True)),
    *({"periode": v} for v in (ABSENT, ["February 2026"], "February 26", "00-00-0000", 45000)),
    {"nominal_harus_dibayar": Decimal("1000000000000.00")},
    {"id_pelanggan": "ZZZZ9999"},
)


class PaymentTable:
    """The payments of one world, month by month and fetch by fetch."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable = self._unusable_rows()

    def rows(self) -> Iterator[Record]:
        """The history as a yearly fetch gave it: the year filter leaked, so each year repeats some rows."""
        world = self._world
        last = world.month + ADVANCE_MONTHS
        months = range(world.first_month, last + 1)
        unusable = self._placed_unusable(world.month - world.first_month + 1)
        for month in months:
            yield from self._month(month)
            yield from unusable.get(month - world.first_month, ())
            if month % 12 == 11 or month == last:
                for repeated in range(max(world.first_month, month - month % 12), month + 1):
                    yield from self._repeats(repeated)

    def _month(self, month: int) -> Iterator[Record]:
        for account in (*self._world.accounts, *self._world.deleted):
            bill = self._world.bill(account, month)
            if bill is not None:
                yield from self._bill_rows(account, month, bill)

    def _repeats(self, month: int) -> Iterator[Record]:
        """Rows that the next fetch gave again: most of them exactly, some with the amounts spelled anew."""
        for account in self._world.accounts:
            lot = rolls(self._world.spec.seed, "repeat", account.index, month)[0] % 1000
            bill = self._world.bill(account, month) if lot < 33 else None
            for row in self._bill_rows(account, month, bill) if bill else ():
                yield row if lot < 30 else _respelled(row, bill)

    def _bill_rows(self, account: Account, month: int, bill: Bill) -> Iterator[dict[str, Any]]:
        dice_ = rolls(self._world.spec.seed, "row", account.index, month)
        if not bill.payments:
            yield _row(account, month, bill, None, dice_)
        for number, payment in enumerate(bill.payments):
            yield _row(account, month, bill, payment, dice_[number:] + dice_[:number])

    def _unusable_rows(self) -> list[Record]:
        world = self._world
        account = next(a for a in world.accounts if a.first <= world.first_sample_month)
        row = _row(account, world.first_sample_month, Bill("paid", account.price, ()), None, (0, 100) * 4)
        row |= {"nominal_harus_dibayar": 150000, "nominal_pembayaran": 150000, "status_pembayaran": "Lunas"}
        too_far = month_start(world.month + 13)
        overrides = [*_UNUSABLE, {"periode": f"{MONTHS_EN[too_far.month - 1]} {too_far.year}"}]
        rows = [_without_absent({**row, **override}) for override in overrides]
        return [*rows[:1], *dirt.NOT_OBJECTS, *rows[1:]]

    def _placed_unusable(self, months: int) -> dict[int, list[Record]]:
        """Unusable rows by the month they come after; small samples hold few, or they would block the migration."""
        rounds = 3 if self._world.customers > 800 else 1
        rows = (self._unusable * rounds)[: max(3, self._world.customers // 2)]
        placed: dict[int, list[Record]] = {}
        for number, row in enumerate(rows):
            placed.setdefault(number * 5 % months, []).append(row)
        return placed


def _row(account: Account, month: int, bill: Bill, payment: Payment | None, dice_: tuple[int, ...]) -> dict[str, Any]:
    row = {
        "id_pelanggan": _id(account, dice_[0]),
        "nama_pelanggan": account.name,
        "alamat": account.address,
        "nominal_harus_dibayar": _money(bill.due, dice_[1]),
        "nominal_pembayaran": pick(_NOTHING_PAID, dice_[2]) if payment is None else _paid(bill, payment, dice_[2]),
        "status_pembayaran": _status(bill, payment, dice_[3]),
        "bukti_pembayaran_url": "" if payment is None else _proof(account, month, dice_[4]),
        "periode": _period(month, dice_[5]),
        "metode": _method(payment, dice_[6]),
        "waktu_entry": _time(payment, dice_[7]),
    }
    return _without_absent(row)


def _without_absent(row: dict[str, Any]) -> dict[str, Any]:
    return {column: value for column, value in row.items() if value is not ABSENT}


def _respelled(row: dict[str, Any], bill: Bill | None) -> dict[str, Any]:
    return row if bill is None else {**row, "nominal_harus_dibayar": _text_money(bill.due)}


def _text_money(amount: Money) -> str:
    return str(amount) if isinstance(amount, Decimal) else f"Rp {dirt.dotted(amount)}"


def _id(account: Account, roll: int) -> Any:
    if account.id.isdigit():
        return pick(dirt.KEPT_NUMERIC_IDS, roll)(account.id)
    return pick(dirt.KEPT_IDS, roll >> 8)(account.id) if roll % 100 < 3 else account.id


def _money(amount: Money, roll: int) -> Any:
    if roll % 100 >= 12:
        return amount
    kinds = dirt.KEPT_BIG_MONEY if isinstance(amount, Decimal) else dirt.KEPT_MONEY
    return pick(kinds, roll >> 8)(amount)


def _paid(bill: Bill, payment: Payment, roll: int) -> Any:
    if payment.status == "paid" and payment.amount == bill.due and roll % 100 < 4:
        return pick(("", None, ABSENT, "-"), roll >> 8)
    return _money(payment.amount, roll)


def _status(bill: Bill, payment: Payment | None, roll: int) -> Any:
    if payment is None:
        return pick(_VOID if bill.status == "void" else _UNPAID, roll)
    if payment.status == "partial":
        return pick(_PARTIAL, roll)
    return pick(_PAID, roll >> 8) if roll % 100 < 6 else "Lunas"


def _proof(account: Account, month: int, roll: int) -> Any:
    if roll % 100 < 40:
        return ""
    if roll % 100 < 43:
        return pick(_PROOFS, roll >> 8)
    return f"https://{dirt.PHOTO_HOST}/bukti/{month // 12}/{account.index}-{month}.jpg"


def _period(month: int, roll: int) -> Any:
    return pick(_PERIODS, roll >> 8)(month) if roll % 100 < 8 else f"{MONTHS_EN[month % 12]} {month // 12}"


def _method(payment: Payment | None, roll: int) -> Any:
    if payment is None:
        return pick(("", None, "-"), roll)
    return pick(_ODD_METHODS, roll >> 8) if roll % 100 < 4 else pick(_METHODS, roll >> 8)


def _time(payment: Payment | None, roll: int) -> Any:
    if payment is None:
        return pick(("", None, "00-00-0000 00:00:00"), roll)
    return _paid_time(payment.at, roll)


def _paid_time(at: datetime, roll: int) -> Any:
    lot = roll % 1000
    if lot < 20:
        return pick(_LOST_TIMES, roll >> 10)(at)
    return pick(_TIMES, roll >> 10)(at) if lot < 120 else f"{at:%d-%m-%Y %I:%M:%S %p}"
