"""Seeded randomness, months, and small pools of Indonesian names: nothing here is about a real person or place."""

import random
import struct
from calendar import monthrange
from collections.abc import Sequence
from datetime import date
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

FIRST_NAMES = (
    *("Adi", "Agus", "Ahmad", "Andi", "Arif", "Bambang", "Budi", "Dedi", "Dewi", "Dian", "Eko", "Endang"),
    *("Fitri", "Gunawan", "Hadi", "Hendra", "Indah", "Joko", "Kartika", "Lestari", "Lina", "Made", "Maya"),
    *("Nining", "Nur", "Putri", "Rahmat", "Ratna", "Rini", "Rudi", "Siti", "Slamet", "Sri", "Sugeng", "Tri"),
    *("Umi", "Wahyu", "Wati", "Yanto", "Yuli", "Zainal"),
)
LAST_NAMES = (
    *("Aminah", "Anggraini", "Ardiansyah", "Astuti", "Handayani", "Hartono", "Hidayat", "Irawan", "Kurniawan"),
    *("Kusuma", "Maharani", "Mulyadi", "Nugroho", "Pamungkas", "Permata", "Prasetyo", "Pratama", "Purnomo"),
    *("Rahayu", "Rahmawati", "Safitri", "Santoso", "Saputra", "Setiawan", "Suharto", "Suryani", "Susanto"),
    *("Sutrisno", "Utami", "Wibowo", "Widodo", "Wijaya", "Wulandari", "Yulianto"),
)
STREETS = (
    *("Anggrek", "Bougenville", "Cempaka", "Contoh", "Dahlia", "Flamboyan", "Kamboja", "Kenanga", "Mawar"),
    *("Melati", "Merpati", "Nusa Indah", "Rajawali", "Sakura", "Sampel", "Seruni", "Tanjung", "Teratai"),
)
AREAS = (
    *("Srigading", "Karangrejo", "Sumbersari", "Wonosari", "Tegalrejo", "Purwodadi", "Banjarejo", "Kedungwaru"),
    *("Gondanglegi", "Bululawang", "Pakisaji", "Kepanjen", "Turen", "Dampit", "Wajak", "Poncokusumo"),
    *("Tumpang", "Jabung", "Singosari", "Lawang", "Karangploso", "Dau", "Wagir", "Ngajum"),
    *("Kromengan", "Sumberpucung", "Kalipare", "Donomulyo", "Pagak", "Bantur", "Gedangan", "Ampelgading"),
    *("Tirtoyudo", "Pujon", "Ngantang", "Kasembon", "Bumiaji", "Junrejo", "Sidomulyo", "Sukorejo"),
    *("Mojosari", "Randuagung", "Tamanharjo", "Watugede", "Klampok", "Losari", "Toyomarto", "Gunungrejo"),
    *("Baturetno", "Dengkol"),
)
MONTHS_EN = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
MONTHS_ID = (
    *("Januari", "Februari", "Maret", "April", "Mei", "Juni"),
    *("Juli", "Agustus", "September", "Oktober", "November", "Desember"),
)
MONTHS_SHORT = ("Jan", "Peb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agt", "Sept", "Okt", "Nop", "Des")

_WORDS = struct.Struct("<8I")


def dice(seed: int, *labels: object) -> random.Random:
    """A generator of its own for one thing of the sample, so that adding another thing moves nothing."""
    return random.Random(":".join(map(str, (seed, *labels))))


def rolls(seed: int, *labels: object) -> tuple[int, ...]:
    """Eight independent 32-bit numbers for one thing: far cheaper than `dice`, for tables of millions of rows."""
    text = ":".join(map(str, (seed, *labels)))
    return _WORDS.unpack(blake2b(text.encode(), digest_size=32).digest())


def pick(options: Sequence[T], number: int) -> T:
    """The option that a non-negative number falls on."""
    return options[number % len(options)]


def spread(count: int, over: int, offset: int = 0) -> dict[int, int]:
    """Distinct positions below `over` for the numbers 0 to `count`, wide apart: `{position: number}`.

    What does not fit is left out, the last numbers first.
    """
    fitting = min(count, over)
    stride = max(1, over // fitting) if fitting else 1
    return {(offset + number * stride) % over: number for number in range(fitting)}


def person(generator: random.Random) -> str:
    """A name."""
    return f"{generator.choice(FIRST_NAMES)} {generator.choice(LAST_NAMES)}"


def street_address(generator: random.Random, area: str) -> str:
    """A street, a number, the neighbourhood unit and the area."""
    street, number = generator.choice(STREETS), generator.randrange(1, 120)
    return f"Jl. {street} No. {number} RT {generator.randrange(1, 12):02d}, {area}"


def month_number(day: date) -> int:
    """Months since the year 0: the numbers of following months follow each other."""
    return day.year * 12 + day.month - 1


def month_start(number: int) -> date:
    """First day of a month, from its number."""
    return date(number // 12, number % 12 + 1, 1)


def month_after(month: date) -> date:
    """First day of the following month."""
    return month_start(month_number(month) + 1)


def day_of(number: int, day: int) -> date:
    """A day of a month, the month's last day where the month is too short."""
    first = month_start(number)
    return first.replace(day=min(day, monthrange(first.year, first.month)[1]))
