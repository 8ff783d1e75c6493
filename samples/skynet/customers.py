"""The customer list of a Skynet sample: dirty, with duplicates, and the two cleaned lists of the legacy."""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

from samples.pools import AREAS, dice, pick, spread
from samples.skynet import dirt
from samples.skynet.dirt import ABSENT, Kind
from samples.skynet.world import PACKAGES, Account, World, place_name
from samples.writing import Record

COLUMNS = (
    *("id_pelanggan", "nama_pelanggan", "nik", "kk", "alamat", "telepon", "paket", "harga", "tanggal_registrasi"),
    *("jatuh_tempo", "pppoe_username", "pppoe_password", "nama_lokasi", "nama_router", "koordinat"),
    *("ktp_photo_url", "connection_status", "keterangan"),
)
FINAL_COLUMNS = (*COLUMNS, "koordinat_original", "geo_lat", "geo_long")

_LATER = 40
_DRIFTED = 12

# Every kind once, each column beginning at another account so that dirt meets dirt in many combinations.
_PLACED: dict[str, tuple[Kind, ...]] = {
    "nama_pelanggan": dirt.NAMES,
    "nik": dirt.IDENTITY_NUMBERS,
    "kk": dirt.IDENTITY_NUMBERS,
    "alamat": dirt.ADDRESSES,
    "telepon": dirt.KEPT_PHONES + dirt.PHONES,
    "paket": dirt.KEPT_PACKAGES + dirt.LOST_PACKAGES,
    "harga": dirt.PRICES,
    "tanggal_registrasi": dirt.KEPT_DATES + dirt.DATES,
    "jatuh_tempo": dirt.KEPT_BILLING_DAYS + dirt.BILLING_DAYS,
    "pppoe_username": dirt.USERNAMES,
    "pppoe_password": dirt.PASSWORDS,
    "nama_lokasi": dirt.KEPT_PLACES + dirt.LOST_PLACES,
    "nama_router": dirt.KEPT_PLACES + dirt.LOST_PLACES,
    "koordinat": dirt.REPAIRABLE_COORDINATES + dirt.LOST_COORDINATES,
    "ktp_photo_url": dirt.PHOTOS,
    "connection_status": dirt.STATUSES,
}
# (share in per cent, kinds): what befalls the cells of a column that no kind was placed on.
_COMMON: dict[str, tuple[tuple[int, tuple[Kind, ...]], ...]] = {
    "nama_pelanggan": ((4, dirt.NAMES[:4]),),
    "nik": ((3, dirt.fixed("", "0", None)), (5, dirt.IDENTITY_NUMBERS[:5]), (2, dirt.IDENTITY_NUMBERS[6:9])),
    "kk": ((97, dirt.fixed("", "", None)),),
    "telepon": ((60, dirt.KEPT_PHONES), (2, dirt.PHONES[:3]), (2, dirt.fixed("", "0", None))),
    "paket": ((5, dirt.KEPT_PACKAGES), (1, dirt.LOST_PACKAGES[:2])),
    "tanggal_registrasi": ((6, dirt.KEPT_DATES), (1, dirt.DATES[1:4])),
    "jatuh_tempo": ((15, dirt.KEPT_BILLING_DAYS), (1, dirt.BILLING_DAYS[:2])),
    "pppoe_username": ((4, dirt.fixed("", None)),),
    "pppoe_password": ((60, dirt.fixed("", "", None)),),
    "nama_lokasi": ((6, dirt.KEPT_PLACES),),
    "nama_router": ((8, dirt.KEPT_PLACES), (2, dirt.LOST_PLACES[:2])),
    "koordinat": ((8, dirt.REPAIRABLE_COORDINATES), (7, dirt.LOST_COORDINATES[:4]), (2, dirt.LOST_COORDINATES[7:10])),
    "ktp_photo_url": ((25, dirt.fixed("", None)), (3, dirt.fixed(f"https://{dirt.PHOTO_HOST}/img/noimage.png"))),
    "connection_status": ((5, dirt.fixed("active", "Aktif")),),
}

# How an undisturbed cell is written where that is not the value itself.
_PLAIN: dict[str, Kind] = {
    "telepon": lambda v: f"0{v}",
    "tanggal_registrasi": dirt.date_text,
    "jatuh_tempo": str,
}


class CustomerTables:
    """The three customer tables of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._placed = {
            column: {at: kinds[n] for at, n in spread(len(kinds), world.customers, 7 * i).items()}
            for i, (column, kinds) in enumerate(_PLACED.items())
        }
        self._ids = spread(len(dirt.KEPT_IDS), world.customers, 5)
        # A few codes stay present in small samples, where a dozen rejects would block the migration.
        self._rejects = _rejects()[: max(1, world.customers // 12)]
        self._future = spread(dirt.FUTURE_DATES, world.customers, 61)
        self._duplicated = spread(len(_LOSERS), world.customers, 23)
        self._shared = spread(3, world.customers, 17)

    def raw(self) -> Iterator[Record]:
        """The raw list, with duplicates and unusable records among the customers."""
        waiting: list[tuple[int, Record]] = []
        rejects = {at: self._rejects[n] for at, n in spread(len(self._rejects), self._world.customers, 29).items()}
        for account in self._world.listed():
            while waiting and waiting[0][0] + _LATER <= account.index:
                yield waiting.pop(0)[1]
            if account.index in rejects:
                yield rejects[account.index]
            record = self._record(account)
            before, after = self._duplicates(account, record)
            yield from before
            yield record
            waiting.extend((account.index, copy) for copy in after)
        yield from (record for _, record in waiting)

    def clean(self) -> Iterator[Record]:
        """The deduplicated list as the legacy cleaning script left it."""
        for account in self._world.listed():
            yield {**self._record(account), "id_pelanggan": account.id}

    def final(self) -> Iterator[Record]:
        """The sanitised list, in which one id has lost its leading zeros since."""
        drifted = min(_DRIFTED, self._world.customers - 1)
        for account in self._world.listed():
            record = self._record(account)
            latitude, longitude = _position(self._world.spec.seed, account)
            record["id_pelanggan"] = f"{account.id[:4]}{account.index + 1}" if account.index == drifted else account.id
            record["koordinat_original"] = record.get("koordinat")
            record["koordinat"] = f"{latitude},{longitude}"
            record["geo_lat"], record["geo_long"] = latitude, longitude
            yield record

    def _record(self, account: Account) -> dict[str, Any]:
        """The record of an account that survives the removal of duplicates."""
        generator = dice(self._world.spec.seed, "customer", account.index)
        clean = _clean_values(account, generator, _position(self._world.spec.seed, account))
        record = {column: self._dirty(column, value, account.index, generator) for column, value in clean.items()}
        record["harga"] = self._price(account, generator)
        record["id_pelanggan"] = self._id(account)
        if account.index in self._future:
            record["tanggal_registrasi"] = dirt.date_text(_years_later(self._world.now.date()))
        if account.index in self._shared:
            record["pppoe_username"] = "bersama@skynet"
        self._next_edition(account, record)
        return {column: value for column, value in record.items() if value is not ABSENT}

    def _dirty(self, column: str, value: Any, index: int, generator: Random) -> Any:
        kind = self._placed.get(column, {}).get(index)
        lot, choice = generator.randrange(100), generator.random()
        if kind is not None:
            return kind(value)
        for share, kinds in _COMMON.get(column, ()):
            if lot < share:
                return kinds[int(choice * len(kinds))](value)
            lot -= share
        return _PLAIN[column](value) if column in _PLAIN else value

    def _price(self, account: Account, generator: Random) -> Any:
        kind = self._placed["harga"].get(account.index)
        lot, choice = generator.randrange(100), generator.randrange(1 << 16)
        if kind is not None:
            return kind(account.price)
        if not PACKAGES[account.package].told:
            return pick(("", None, "-", ABSENT), choice)
        if isinstance(account.price, Decimal):
            return pick(dirt.KEPT_BIG_MONEY, choice)(account.price)
        return pick(dirt.KEPT_MONEY, choice)(account.price) if lot < 20 else account.price

    def _id(self, account: Account) -> Any:
        if account.id.isdigit():
            return pick(dirt.KEPT_NUMERIC_IDS, account.index // 167)(account.id)
        kind = self._ids.get(account.index)
        return account.id if kind is None else dirt.KEPT_IDS[kind](account.id)

    def _next_edition(self, account: Account, record: dict[str, Any]) -> None:
        if not self._world.spec.edition:
            return
        if account.index % 211 == 3:
            record["ktp_photo_url"] = f"https://{dirt.PHOTO_HOST}/ktp/{account.id.lower()}-baru.jpg"
        if account.index % 433 == 8:
            record["ktp_photo_url"] = ""
        if account.index % 113 == 9:
            record["telepon"] = f"0860001{account.index % 100000:05d}"

    def _duplicates(self, account: Account, record: dict[str, Any]) -> tuple[list[Record], list[Record]]:
        """Copies of a record that come before and after it in the file and lose against it."""
        generator = dice(self._world.spec.seed, "duplicate", account.index)
        is_new = self._world.spec.edition > 0 and account.index % 389 == 5
        number = self._duplicated.get(account.index, generator.randrange(len(_LOSERS)))
        if generator.randrange(1000) >= 60 and not is_new and account.index not in self._duplicated:
            return [], []
        wins = record["connection_status"] == "Active" and record["tanggal_registrasi"] == dirt.date_text(
            account.registered
        )
        losers = _LOSERS if wins else _COPIES
        before, after = losers[number % len(losers)](record, account)
        if generator.randrange(10) == 0:
            after = [*after, record]
        return before, after


def _clean_values(account: Account, generator: Random, position: tuple[Decimal, Decimal]) -> dict[str, Any]:
    serial = account.index % 100_000
    # Region 99 is given to no province, and no network begins with 860.
    nik = f"99{generator.randrange(10**8, 10**9)}{serial:05d}"
    return {
        "id_pelanggan": account.id,
        "nama_pelanggan": account.name,
        "nik": nik,
        "kk": f"99{generator.randrange(10**8, 10**9)}{(serial + 1) % 100_000:05d}",
        "alamat": account.address,
        "telepon": f"860000{serial:05d}",
        "paket": PACKAGES[account.package].name,
        "harga": account.price,
        "tanggal_registrasi": account.registered,
        "jatuh_tempo": account.billing_day,
        "pppoe_username": f"{account.id.lower()}@skynet",
        "pppoe_password": f"sample-pw-{generator.randrange(16**6):06x}",
        "nama_lokasi": place_name(account.location),
        "nama_router": place_name(account.router),
        "koordinat": f"{position[0]}, {position[1]}",
        "ktp_photo_url": f"https://{dirt.PHOTO_HOST}/ktp/{account.id.lower()}.jpg",
        "connection_status": account.status,
        "keterangan": pick(("", "", "pindahan", ABSENT), serial),
    }


def _position(seed: int, account: Account) -> tuple[Decimal, Decimal]:
    """A point near the account's area, with six decimals of which the last is not 0."""
    generator = dice(seed, "position", account.index)
    area = account.location
    latitude = 7_300_000 + area * 19_000 + generator.randrange(900) * 10 + generator.randrange(1, 10)
    longitude = 111_200_000 + (area * 7 % len(AREAS)) * 50_000 + generator.randrange(900) * 10
    return Decimal(-latitude).scaleb(-6), Decimal(longitude + generator.randrange(1, 10)).scaleb(-6)


def _years_later(day: date) -> date:
    return date(day.year + 1, day.month, 1)


def _rejects() -> list[Record]:
    """Records without a usable id, the three codes first."""
    template = {"nama_pelanggan": "Baris Contoh", "pppoe_password": "sample-pw-reject", "telepon": "086000000000"}
    ids = [dirt.MISSING_IDS[0], dirt.LONG_IDS[0]]
    with_ids = [*dirt.MISSING_IDS[1:], dirt.LONG_IDS[1]]
    first = [{"id_pelanggan": i, **template} for i in ids]
    others = [({"id_pelanggan": i} if i is not ABSENT else {}) | template for i in with_ids]
    return [first[0], dirt.NOT_OBJECTS[0], first[1], *dirt.NOT_OBJECTS[1:3], *others]


def _spelled(record: dict[str, Any]) -> Any:
    return f"{str(record['id_pelanggan']).strip().lower()} "


def _stale(record: dict[str, Any], account: Account, **changes: Any) -> dict[str, Any]:
    return {**record, "telepon": "086000199999", "alamat": f"Alamat lama, {AREAS[account.location]}", **changes}


Loser = Callable[[dict[str, Any], Account], tuple[list[Record], list[Record]]]

_COPIES: tuple[Loser, ...] = (
    lambda record, _: ([], [dict(record)]),
    lambda record, _: ([], [{**record, "id_pelanggan": _spelled(record)}]),
)
_OLD = "01-January-2015"
_LOSERS: tuple[Loser, ...] = (
    *_COPIES,
    lambda r, a: ([_stale(r, a, connection_status="Isolated", tanggal_registrasi="01-March-2026")], []),
    lambda r, a: ([_stale(r, a, tanggal_registrasi=_OLD, id_pelanggan=_spelled(r))], []),
    lambda r, a: ([_stale(r, a, tanggal_registrasi="00-00-0000")], []),
    lambda r, a: ([_stale(r, a, tanggal_registrasi="31-February-2025")], [{**r, "id_pelanggan": _spelled(r)}]),
    lambda r, _: ([], [{**r, "nik": "", "nama_pelanggan": ""}]),
)
