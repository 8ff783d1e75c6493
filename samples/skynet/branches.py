"""The branch dashboard of a Skynet sample: mostly what customers and payments say, with stale and dirty rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from samples.pools import AREAS, rolls
from samples.skynet import dirt
from samples.skynet.dirt import Kind, Money
from samples.skynet.world import World, place_name
from samples.writing import Record

_COUNTS = ("jumlah_pelanggan", "pelanggan_baru", "pelanggan_free", "pelanggan_lunas", "pelanggan_belum_lunas")
_SUMS = ("total_pemasukan", "total_pengeluaran", "balance", "total_estimasi")
COLUMNS = ("cabang", *_COUNTS, *_SUMS)

_COUNT_KINDS: tuple[Kind, ...] = (
    str,
    int,
    str,
    lambda n: f"{n} Plg",
    lambda n: dirt.dotted(n),
    lambda n: f"{n}org",
    lambda n: f" {n} ",
)
_STALE = (3, 11, 19, 27, 35, 43)
_UNBALANCED, _UNTOLD_BALANCE, _BAD_COUNT, _BAD_MONEY, _NO_BRANCH = 5, (8, 22, 36), 13, 21, len(AREAS) - 1
_REPEATED, _RESPELLED, _CONFLICTING = 2, 4, 6


@dataclass
class _Totals:
    customers: int = 0
    new: int = 0
    free: int = 0
    paid: int = 0
    unpaid: int = 0
    income: Money = 0
    estimate: Money = 0


def rows(world: World) -> Iterator[Record]:
    """The dashboard's rows."""
    totals = _totals(world)
    yield "Data Cabang"
    for place, sums in enumerate(totals):
        if place != _NO_BRANCH:
            yield from _branch(world, place, sums)
    yield {"cabang": "SKYNET-CABANG LAMA", **_numbers(_Totals(customers=1234, paid=1100, unpaid=134), 450000, 4)}
    yield {"cabang": None, **_numbers(_Totals(), 0, 0)}
    yield {"cabang": " - ", **_numbers(_Totals(customers=3), 0, 1)}
    grand = _Totals(*(sum(getattr(t, field) for t in totals) for field in vars(_Totals())))
    for number, name in enumerate(("TOTAL", "Grand  Total", "Jumlah", "sub_total")):
        yield {"cabang": name, **_numbers(grand, 0, number)}


def _totals(world: World) -> list[_Totals]:
    totals = [_Totals() for _ in AREAS]
    for account in world.accounts:
        sums = totals[account.location]
        bill = world.bill(account, world.month)
        if bill is not None:
            sums.paid += bill.status == "paid"
            sums.unpaid += bill.status in ("unpaid", "partial")
            sums.income += sum((p.amount for p in bill.payments), 0)
    for account in world.listed():
        sums = totals[account.location]
        sums.customers += 1
        sums.new += (account.registered.year * 12 + account.registered.month - 1) == world.month
        sums.free += account.price == 0
        sums.estimate += account.price
    return totals


def _branch(world: World, place: int, sums: _Totals) -> Iterator[Record]:
    name = place_name(place)
    lot = rolls(world.spec.seed, "branch", place, world.month)
    expense = lot[0] % 4000 * 1000
    if place in _STALE:
        sums = _Totals(**{**vars(sums), "customers": sums.customers + 9, "income": int(sums.income) * 11 // 10 + 75000})
    kinds = dirt.KEPT_PLACES
    spelled = kinds[lot[1] % len(kinds)](name) if lot[2] % 3 else name
    row = {"cabang": spelled, **_numbers(sums, expense, place)}
    if place == _UNBALANCED:
        row["balance"] = int(sums.income) - expense + 12345
    if place in _UNTOLD_BALANCE:
        row["balance"] = None if place % 4 else ""
    if place == _BAD_COUNT:
        row["pelanggan_baru"], row["pelanggan_free"] = "banyak", "1.2"
    if place == _BAD_MONEY:
        row["total_estimasi"] = "1.2.3 jt"
    yield row
    if place == _REPEATED:
        yield dict(row)
    if place == _RESPELLED:
        yield {"cabang": name.lower().replace("-", " "), **_numbers(sums, expense, place + 3)}
    if place == _CONFLICTING:
        yield {**row, "jumlah_pelanggan": str(sums.customers + 40)}


def _numbers(sums: _Totals, expense: int, kind: int) -> dict[str, Any]:
    counts = (sums.customers, sums.new, sums.free, sums.paid, sums.unpaid)
    money = (sums.income, expense, sums.income - expense, sums.estimate)
    texts = [_COUNT_KINDS[(kind + i) % len(_COUNT_KINDS)](n) for i, n in enumerate(counts)]
    cells = [_money(amount, kind + i) for i, amount in enumerate(money)]
    return dict(zip((*_COUNTS, *_SUMS), [*texts, *cells], strict=True))


def _money(amount: Money, kind: int) -> Any:
    if amount < 0:
        return f"-Rp {dirt.dotted(-amount)}" if amount == int(amount) else amount
    kinds = dirt.KEPT_BIG_MONEY if isinstance(amount, Decimal) else dirt.KEPT_MONEY
    return kinds[kind % len(kinds)](amount)
