"""The dirt of the Skynet export, column by column: each kind turns a clean value into what an export really holds.

`KEPT_…` kinds say the same thing in another spelling; the other kinds lose the value, or make it doubtful. A kind that
ignores its argument is a fixed cell.
"""

from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from samples.pools import MONTHS_EN, MONTHS_ID, MONTHS_SHORT

Kind = Callable[[Any], Any]
Money = int | Decimal

PHOTO_HOST = "photos.example.test"
CUT_EMOJI = "\ud83d"
NBSP = "\u00a0"


class Absent:
    """Stands for a key that its record lacks."""


ABSENT = Absent()


def fixed(*values: Any) -> tuple[Kind, ...]:
    """Kinds that always give these cells."""
    return tuple(lambda _, value=value: value for value in values)


def dotted(amount: Money) -> str:
    """Digits with dots between the thousands, without decimals."""
    return f"{int(amount):,}".replace(",", ".")


def date_text(day: date) -> str:
    """A date as the legacy system writes it."""
    return f"{day.day:02d}-{MONTHS_EN[day.month - 1]}-{day.year}"


KEPT_IDS: tuple[Kind, ...] = (
    lambda v: f"{v} ",
    lambda v: str(v).lower(),
    lambda v: f"  {v}",
    lambda v: f"{NBSP}{v}",
    lambda v: f"{v}&nbsp;",
    lambda v: f"{str(v)[:2]}\x00{str(v)[2:]}",
    lambda v: f"{str(v).lower()}\t",
    lambda v: f"{str(v)[:3].lower()}{str(v)[3:]}\u2003",
)
KEPT_NUMERIC_IDS: tuple[Kind, ...] = (int, str, lambda v: Decimal(f"{v}.0"), lambda v: f" {v}", int)

MISSING_IDS = ("", "N/A", None, "-", ABSENT, True, ["SRGD0001"], "&nbsp;", " null ")
LONG_IDS = ("X" * 51, f"SRGD{'0' * 60}1")
NOT_OBJECTS = ("baris rusak", 17, None, ["SRGD0001", "Budi"], True)

NAMES: tuple[Kind, ...] = (
    lambda v: f"{v} &amp; Keluarga",
    lambda v: f"{v} (d&#39;Contoh)",
    lambda v: str(v).replace(" ", "  "),
    lambda v: str(v).replace(" ", NBSP),
    lambda v: f"  {v}\r\n",
    lambda v: f"{str(v)[:3]}\x00{str(v)[3:]}",
    lambda v: f"{v} &amp;amp; Toko",
    lambda v: str(v).upper(),
    lambda v: f"{v} &lt;kos&gt;",
    *fixed("", None, "N/A", "-", ["Budi"], 12345, "&nbsp;"),
)

IDENTITY_NUMBERS: tuple[Kind, ...] = (
    lambda v: f"{v[:4]} {v[4:8]} {v[8:12]} {v[12:]}",
    lambda v: f"{v[:6]}.{v[6:12]}.{v[12:]}",
    lambda v: f"'{v}",
    int,
    lambda v: f"{v}.0",
    lambda v: Decimal(f"{v}.0"),
    lambda v: v[:15],
    lambda v: f"{v}7",
    lambda v: f"{v[0]}.{v[1:6]}E+15",
    lambda v: f"{v[0]},{v[1:6]}E+15",
    lambda v: f"'{v[0]}.{v[1:6]}e+15",
    lambda v: f"{v} / {v}",
    *fixed("0", 0, "-", "", None, "0000000000000000", "1111111111111111", "belum ada", True, [], {"no": 1}),
)

ADDRESSES: tuple[Kind, ...] = (
    lambda v: str(v).replace(",", "\n"),
    lambda v: str(v).replace(",", "\r\n"),
    lambda v: f"{v} &ndash; blok &quot;B&quot;",
    lambda v: f"{v} {CUT_EMOJI}",
    lambda v: f"{str(v)[:5]}\x00{str(v)[5:]}",
    lambda v: str(v).replace(" ", NBSP),
    *fixed("", None, "undefined", 17, {"jalan": "Mawar"}),
)

KEPT_PHONES: tuple[Kind, ...] = (
    lambda v: f"0{v}",
    lambda v: f"62{v}",
    lambda v: f"+62{v}",
    lambda v: v,
    int,
    lambda v: f"0{v[:3]}-{v[3:7]}-{v[7:]}",
    lambda v: f"+62 {v[:3]} {v[3:7]} {v[7:]}",
    lambda v: f"(0{v[:3]}) {v[3:]}",
)
PHONES: tuple[Kind, ...] = (
    lambda v: f"0{v} / 62{v[:-1]}9",
    lambda v: f"0{v},0{v[:-1]}8",
    lambda v: f"0{v};0{v[:-1]}7",
    lambda v: f"0{v}|0{v[:-1]}6",
    lambda v: f"0{v} &amp; 0{v[:-1]}5",
    lambda v: f"0{v}atau0{v[:-1]}4",
    lambda v: f"0{v} dan 0{v[:-1]}3",
    lambda v: f"0{v} / +62{v}",
    lambda v: f"620{v}",
    lambda v: f"{v}.0",
    lambda v: f"12345 / 0{v}",
    *fixed("0", 0, "-", "", None, "12345", "tidak ada", "021", "08001234567890123", "000000000", [8600000001]),
)

KEPT_MONEY: tuple[Kind, ...] = (
    lambda v: f"Rp {dotted(v)}",
    lambda v: f"{dotted(v)},00",
    lambda v: f"{int(v):,}",
    lambda v: f"Rp{dotted(v)},-",
    lambda v: f"Rp. {dotted(v)}",
    lambda v: f"IDR {v}",
    lambda v: Decimal(f"{v}.0"),
    lambda v: f"{v}.00",
    lambda v: f"rp{NBSP}{dotted(v)}",
    lambda v: f"{int(v):,}.00",
    str,
)
KEPT_BIG_MONEY: tuple[Kind, ...] = (
    lambda v: f"{dotted(v)},{str(v)[-2:]}",
    lambda v: f"{v:,}",
    lambda v: f"Rp {dotted(v)},{str(v)[-2:]}",
    lambda v: v,
)
PRICES: tuple[Kind, ...] = (
    lambda v: f"-Rp {dotted(v or 150000)}",
    lambda v: f"Rp -{dotted(v or 150000)}",
    *fixed(None, "", "gratis", "1500.000", -150000, "-Rp -150000", True, "1e5", "1000000000000", "r p 5", "1,2,3"),
)

KEPT_DATES: tuple[Kind, ...] = (
    lambda d: f"{d.day:02d}-{MONTHS_ID[d.month - 1]}-{d.year}",
    lambda d: f"{d.day:02d}/{d.month:02d}/{d.year}",
    lambda d: d.isoformat(),
    lambda d: f"{d.year}/{d.month}/{d.day}",
    lambda d: f"{d.day}.{d.month}.{d.year}",
    lambda d: f"{MONTHS_EN[d.month - 1]} {d.day}, {d.year}",
    lambda d: f"{MONTHS_ID[d.month - 1]} {d.day} {d.year}",
    lambda d: f"{d.isoformat()} 08:15:00",
    lambda d: f"{d.day} {MONTHS_SHORT[d.month - 1]}. {d.year}",
    lambda d: f"{d.day:02d}-{d.month:02d}-{d.year} 03:15 PM",
    lambda d: date_text(d).upper(),
    lambda d: f"{d.day:02d}-{'Pebruari' if d.month == 2 else MONTHS_ID[d.month - 1]}-{d.year}",
)
DATES: tuple[Kind, ...] = (
    lambda d: f"{d.month:02d}-{d.day % 10 + 13}-{d.year}",
    *fixed("00-00-0000", "0000-00-00", "30-November--0001", "01-January-1970", "31-February-2025", "0", "", None),
    *fixed("01-January-1899", "kemarin", 45000, "01-Januarius-2024", "00/00/0000 00:00:00", "31/04/2024"),
    *fixed("01-Pebruari-2024", "12-13-2024", "05-Mei-2024", "2024-02-30"),
)
FUTURE_DATES = 2

KEPT_BILLING_DAYS: tuple[Kind, ...] = (
    lambda v: v,
    lambda v: f"tgl {v}",
    lambda v: f"Tanggal {v}",
    lambda v: f"tgl. {v}",
    lambda v: f"{v}.0",
    lambda v: f"{v:02d}-February-2026",
    lambda v: f"2026-01-{v:02d}",
)
BILLING_DAYS: tuple[Kind, ...] = fixed(
    *("0", 0, "45", "00-00-0000", "akhir bulan", "", None, "-5", "tgl 32", "31-February-2026", "31")
)

USERNAMES: tuple[Kind, ...] = (lambda v: f" {v} ", *fixed("", None, "-", "NOPPPOE_OLD"))

PASSWORDS: tuple[Kind, ...] = (
    lambda v: f"{v}&amp;x",
    lambda v: f"  {v} ",
    lambda v: f"{v} two  words",
    lambda v: f"{v[:4]}\x00{v[4:]}",
    lambda v: f'{v}",\\{{}}',
    *fixed("-", "", None, "null", "none", 12345678, True, ["sample-pw"], "0"),
)

KEPT_PLACES: tuple[Kind, ...] = (
    lambda v: str(v).lower(),
    lambda v: str(v).replace("-", " - "),
    lambda v: str(v).replace("-", "_").replace(" ", "_"),
    lambda v: str(v).replace("-", " ").title(),
    lambda v: f" {v} ",
    lambda v: str(v).replace("-", f"{NBSP}-"),
    lambda v: str(v).replace("-", "_-_"),
    lambda v: str(v).replace("-", " "),
)
LOST_PLACES: tuple[Kind, ...] = fixed("", None, "-", "_", "N/A")

KEPT_PACKAGES: tuple[Kind, ...] = (
    lambda v: str(v).upper(),
    lambda v: str(v).lower(),
    lambda v: str(v).replace(" ", "  "),
    lambda v: f" {v}",
    lambda v: str(v).replace(" ", NBSP),
)
LOST_PACKAGES: tuple[Kind, ...] = fixed("", None, "-", ["Paket"])

STATUSES: tuple[Kind, ...] = fixed(
    *("active", "ACTIVE ", "On", "Aktif", "online", "Isolated", "isolir", "Terisolir", "Off", "suspended"),
    *("Offline", "Unknown", "unknown", None, "", "Terminated", "berhenti", "Putus", "nonaktif", "inactive"),
    *("Ditangguhkan sementara", "Aktif?"),
)


def _decimals(text: str) -> tuple[Decimal, Decimal]:
    latitude, longitude = text.split(",")
    return Decimal(latitude), Decimal(longitude)


def _bare(text: str) -> tuple[str, str]:
    latitude, longitude = text.split(",")
    return latitude.strip(), longitude.strip()


def _comma(number: str) -> str:
    return number.replace(".", ",")


def _thousands(number: str) -> str:
    whole, decimals = number.split(".")
    return f"{whole}.{decimals[:3]}.{decimals[3:]}"


def _angle(number: Decimal) -> tuple[int, int, Decimal]:
    seconds = (abs(number) * 3600).quantize(Decimal("0.1"), ROUND_HALF_UP)
    return int(seconds // 3600), int(seconds % 3600 // 60), seconds % 60


def _sexagesimal(text: str, form: str, south: str, east: str) -> str:
    (a, b, c), (x, y, z) = map(_angle, _decimals(text))
    return form.format(a, b, c, south, x, y, z, east)


_DMS = "{0}°{1}'{2}\"{3} {4}°{5}'{6}\"{7}"

REPAIRABLE_COORDINATES: tuple[Kind, ...] = (
    lambda v: ",".join(reversed(_bare(v))),
    lambda v: f"{_comma(_bare(v)[0])},{_bare(v)[1]}",
    lambda v: f"{_bare(v)[0]},{_comma(_bare(v)[1])}",
    lambda v: f"{_comma(_bare(v)[0])},{_comma(_bare(v)[1])}",
    lambda v: ";".join(map(_thousands, _bare(v))),
    lambda v: v.replace(".", "").replace(" ", ""),
    lambda v: "".join(_bare(v)),
    lambda v: f"{_bare(v)[0][1:]} S, {_bare(v)[1]} E",
    lambda v: " ".join(map(_comma, _bare(v))),
    lambda v: _sexagesimal(v, _DMS, "S", "E").replace('"', "&quot;"),
    lambda v: _sexagesimal(v, _DMS.replace('"', "''"), " lintang selatan", " bujur timur"),
    lambda v: _sexagesimal(v, "-{0}° {1}′ {2}″, {4}º{5}’{6}”", "", ""),
    lambda v: _sexagesimal(v, _DMS, "LS", "BT").replace("°", "˚"),
    lambda v: f"https://maps.example.test/@{v.replace(' ', '')},17z",
    lambda v: f"https://maps.example.test/?q={v.replace(' ', '')}&amp;hl=id",
    lambda v: f"http://maps.example.test/dir?destination={v.replace(' ', '')}",
    lambda v: v[1:],
    lambda v: v.replace("-", "\u2212"),
    lambda v: v.replace("-", "\u2013"),
    lambda v: v.replace(", ", "%2C"),
    lambda v: f"({v})",
    lambda v: "lat: {} long: {}".format(*_bare(v)),
    lambda v: "Lintang. {}, Bujur {}".format(*_bare(v)),
    lambda v: " | ".join(_bare(v)),
    lambda v: "/".join(_bare(v)),
    lambda v: f"- {v[1:]}",
    lambda v: f", {v},,",
    lambda v: "-".join(_bare(v)),
    lambda v: f"{_bare(v)[0].replace('.', '')},{_bare(v)[1]}",
    lambda v: "{},{}".format(_bare(v)[1].replace(".", ""), _bare(v)[0].replace(".", "")),
    lambda v: f"{_decimals(v)[0] * 100},{_bare(v)[1]}",
    lambda v: v.replace(", ", f",{NBSP}"),
)
LOST_COORDINATES: tuple[Kind, ...] = (
    *fixed("", None, "-", "0,0", "0", "-,-", "0.0, 0.0"),
    *fixed("https://short.example.test/x", "lihat di maps.example.test", "-6.2,106.8", "2.5,102.1", "106.8,-6.2"),
    *fixed("-95.5,200.1", "0,112.686149", "rumah pak RT", "-7.1,-7.2,-7.3,-7.4,-7.5", "-7.85 ^ 112.6", "12,34,56"),
    *fixed("7°61'29.3\"S 112°41'10.1\"E", "7°51'29.3\"S", [-7.858129, 112.686149], Decimal("-7.858129"), "tidak ada"),
    *fixed("-7.858129", "-7.8.5,1.1,2", "-7.858129;112.686149;1", "-7,85.8129 112.6"),
)

_PHOTO = f"https://{PHOTO_HOST}"
UNQUEUED_PHOTOS = (
    *("", None, "-", f"{_PHOTO}/img/noimage.png", "img/no-image.jpg?v=2", f"{_PHOTO}/Default.PNG", "blank.gif"),
    *("uploads/no_image", "avatar.svg#top", f"{_PHOTO}/user.jpg", "/placeholder.webp"),
)
BLOCKED_PHOTOS = (
    *("foto/a.jpg", "belum ada", "//photos.example.test/a.jpg"),
    *("ftp://photos.example.test/a.jpg", "javascript:alert(1)", "data:image/png;base64,AAAA", "file:///srv/a.jpg"),
    *("https:\\\\photos.example.test\\a.jpg", "https:photos.example.test/a.jpg", "https:///a.jpg"),
    *("https://photos.example.test:/a.jpg", "https://photos.example.test:abc/a.jpg", f"{_PHOTO}:70000/a.jpg"),
    *("https://foto pelanggan.example.test/a.jpg", "https://[fe80::1%25eth0]/a.jpg"),
    *("https://sample:sample@photos.example.test/a.jpg",),
    *("http://169.254.169.254/latest", "http://127.0.0.1/a.jpg", "http://192.0.2.7/a.jpg", "http://localhost/a.jpg"),
    *("http://nas.internal/a.jpg", "http://[::1]/a.jpg", "http://[::ffff:192.0.2.7]/a.jpg", "http://2130706433/a.jpg"),
    *("http://0x7f000001/a.jpg", "http://10.0.0.8/a.jpg", "http://224.0.0.1/a.jpg"),
    *("https://foreign.example.test/a.jpg", "https://photos.example.test.foreign.example.test/a.jpg"),
    *(f"{_PHOTO}:8443/a.jpg",),
)
PHOTOS: tuple[Kind, ...] = (
    *fixed(*UNQUEUED_PHOTOS),
    *fixed(*BLOCKED_PHOTOS),
    lambda v: str(v).replace("https:", "HTTP:"),
    lambda v: str(v).replace(PHOTO_HOST, f"{PHOTO_HOST.upper()}."),
    lambda v: str(v).replace(PHOTO_HOST, f"{PHOTO_HOST}:0443"),
)
