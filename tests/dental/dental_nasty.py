"""Random dirty exports: small worlds with every kind of dirt of the contract, and exports that follow.

Ids are drawn from small pools, so that rows meet. Most links are sound; some dangle. Values are dressed as some legacy
table may have written them, and a few are spoiled.
"""

import random
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from tests.booking.booking_nasty import (
    BAD_BOOLEANS,
    BAD_KEYS,
    BAD_MONEY,
    BAD_TIMES,
    DOCUMENTS,
    NOTHING,
    STATES,
    TIMES,
    WORDS,
)
from tests.dental.dental_files import TABLES, Row, Table
from tests.dental.dental_nasty_files import FORMATS, write_file
from tests.dental.dental_writing import Written

FIRST_EXPORT, NEXT_EXPORT = "20260219T000000Z", "20260319T000000Z"
# Tables without a target to look into: every export holds them whole.
WHOLE = frozenset(
    {
        *("auth_group", "auth_user_groups", "auth_permission", "django_content_type", "dispatch_doctorsetting"),
        *("dispatch_office_doctors", "dispatch_plan", "dispatch_product"),
    }
)

# --- values -----------------------------------------------------------------------------------------------------------

CARDS = [
    *("4111 1111 1111 1111", "4111-1111-1111-1111.", "5555.5555.5555.4444", "3782 822463 10005", "4111111111111111"),
    *("3056 930902 5904", "4111\u00a01111 \u00a01111  1111 12", "4222222222222 x", "6011 0009 9013 9424 123"),
]
NUMBERS = [
    *("4111111111111112", "41111111111111111234567", "teeth 11 12 13 14 15 16 17 18", "2024-01-15 2024-02-03"),
    *("1700000000000", "+1 (415) 555-0100", "4111_1111_1111_1111", "4111 - 1111 1111 1111", "9111 1111 1111 1111"),
]
TEXTS: list[Any] = [*WORDS, *NUMBERS, *CARDS, *(f"a {card} b {card}" for card in CARDS[:3]), *NOTHING, "NULL", " \\N "]
JSONS: list[Any] = [
    *DOCUMENTS,
    *({"card": 4111111111111111, "n": -5555555555554444, "deep": [{"pan": CARDS[0]}, CARDS[1]]}, "NULL", "{}", "[]"),
    *('{"Password": "x", "a": {"CARD_BIN": 1, "b": 2}}', {"password": "x", "bins": [{"Card_Bin": 2}]}, f"x {CARDS[0]}"),
    *(f'{{"note": "{CARDS[3]}", "amount": 10.50}}', "[4111111111111111, 4111111111111112, 1.5e3]", None, None),
]
MOMENTS: list[Any] = [
    *(value for value in TIMES if isinstance(value, str) and not value.isdigit()),
    *("2024-03-01 10:00:00.99+02:00", "2025-02-27T23:30:00-01:00", "2025-01-30", "2024-02-29 00:00  Z", None),
]
BAD_MOMENTS: list[Any] = [*BAD_TIMES, "0001-01-01T00:00:00", "1970-01-01", "2026-01-05T10:00:00.", 1767607200000, {}]
DATES: list[Any] = ["1990-05-01", "05/01/1990", "2010-12-31T23:00:00-05:00", " 1999-01-01 ", "1900-01-01", None]
BAD_DATES: list[Any] = [
    *("1990-02-30", "13/01/1990", "1/5/1990", "1899-12-31", "2100-01-01", "1990-05-01T25:00", "05/01/90", 19900501),
    *("0001-01-01", "12/31/2099", "2099-12-31 23:59:59-12:00", "1990-05-01T10:00+24:00", True, [1], *NOTHING),
]
RATES: list[Any] = [0, "8.25", Decimal("8.25"), Decimal("0.0825"), "0.0725", "7.5", "1.5", None, "$8.25", "99.99"]
BAD_RATES: list[Any] = [1, 100, "99.995", "0.99995", "-1", "-0.00001", "8.25%", True, "1e3", 10**20, [8], "-0", ".5"]
AMOUNTS: list[Any] = [100, "100.00", "$1,234.505", "0", Decimal("0.005"), "12.5", "-20", "-0.004", Decimal("99.995")]
COUNTS: list[Any] = [0, 1, 2, 3, "4", 5, 8, Decimal("2.0"), "1.00", None]
LAST: list[Any] = [
    *("5555 5555 5555 4444", 42, "0042", "xx", "", None, "4111111111111111", 4111111111111111, "1234", "-12345"),
    *(Decimal("12.5"), "+7.0", True, [1234], "12-34", "\u0661\u0662\u0663\u0664", 0, "5" * 25, Decimal("9.0")),
]
GROUPS: list[Any] = [
    *("Patient", "Doctor", "Sales", "Administrator", "Master", "Support", "Billing", "Export", "External"),
    *("Technician", " doctor ", "ADMIN", "technician", "Archive", "Data  team", None, "PATIENT", ["Doctor"]),
]
ROLES: list[Any] = [
    *("  sectioning   TECHNICIAN ", "Remote Technician", "Japan Aligner Technician", "Odd  Technician", None, "Seller"),
]
EXTENSIONS: list[Any] = [".jpg", ".JPEG", " .Stl ", ".docx", ".dcm", "jpg", ".xyz", None, "", 5]
BRANDS: list[Any] = ["Visa", "mc", "Master-Card", "AMEX", "discover  diners", "odd", None, "", "square gift-card", 5]
COUNTRIES: list[Any] = ["us", "U.S.A.", "United States", " . ", "de", "U.K.", None, "", "united states of america", 5]
MAILS: list[Any] = ["Ann@Mail.test", " bo@mail.test ", "ann(at)mail", "a@b", "a @b.c", None, "", "a@@b.c", 5, [1]]
MODELS: list[Any] = ["patient", "User", " PATIENT ", "user", "order", None, "", 5]
NOTICES = [1, 2, 99_999, 100_000, 100_001, 199_999, 250_000, 10**10, 10**10 + 1, 3, 4, 5]

_BY_TYPE: dict[str, list[Any]] = {
    "I": COUNTS,
    "T": TEXTS,
    "B": STATES,
    "M": AMOUNTS,
    "R": RATES,
    "TS": MOMENTS,
    "D": DATES,
    "J": JSONS,
}
_SPOILED: dict[str, list[Any]] = {
    "I": [*BAD_KEYS, 2**63, -(2**63) + 1, "-7"],
    "T": TEXTS,
    "B": BAD_BOOLEANS,
    "M": BAD_MONEY,
    "R": [*BAD_RATES, *NOTHING],
    "TS": BAD_MOMENTS,
    "D": BAD_DATES,
    "J": JSONS,
}
_YES: list[Any] = [True] * 7 + ["t", 1, False]
_NO: list[Any] = [False] * 8 + ["f", None, 0, True]
_BY_COLUMN: dict[str, list[Any]] = {
    "auth_group.name": GROUPS,
    "auth_user.password": ["pbkdf2-canary", None],
    "auth_user.email": MAILS,
    "auth_user.is_superuser": _NO,
    "auth_user.is_staff": _NO,
    "auth_permission.codename": ["add_order", "view_order", "add_order", " view_order ", None, 5],
    "django_content_type.model": MODELS,
    "dispatch_office.valid": _YES,
    "dispatch_office.country": COUNTRIES,
    "dispatch_patient.suffix": ["A", "B-1", None, None, " c ", 7],
    "dispatch_product.deleted": _NO,
    "dispatch_product.course_id": [1, 2, 2, 3, 7, "7", 4, 8, None, 0],
    "dispatch_instruction.deleted": _NO,
    "dispatch_instruction.course_id": [1, 2, 3, 4, 7, 8, 5, None],
    "dispatch_instruction.status": [0, 1, 2, 3, 4, 4, 4, 4, 5, None],
    "dispatch_task.jaw": [0, 1, 9, 10, -1, None],
    "dispatch_template.duration": [5, 0, -5, None],
    "dispatch_role.name": ROLES,
    "dispatch_record.type": [3, 5, 6, 8, 1, None],
    "dispatch_payment.canceled": _NO,
    "dispatch_operation.type": [1, 1, 2, 2, None, 3],
    "dispatch_operation.sq_refund_id": ["rf_1", None, None, ""],
    "dispatch_operation.card_brand": BRANDS,
    "dispatch_operation.card_bin": ["555555", 411111, None],
    "dispatch_operation.card_last": LAST,
    "dispatch_operation.attempts": [1, 2, None, -1, "x"],
    "dispatch_file.uid": ["u1", "u2", None, 7],
    "dispatch_file.ext": EXTENSIONS,
    "dispatch_file.size": [0, 100, -1, None, 2**40],
    "dispatch_ware.quantity": [0, 3, -1, None],
    "dispatch_notification.sent": _YES,
    "dispatch_notification.send": _YES,
    **{f"dispatch_{table}.text": ["Check molar", *TEXTS] for table in ("comment", "note", "record")},
}
# The table that a column names a row of.
_NAMED: dict[str, str] = {
    "auth_user_groups.group_id": "auth_group",
    "dispatch_record.group_id": "auth_group",
    "dispatch_record.target_id": "dispatch_patient",
    "dispatch_note.doctor_id": "auth_user",
    "dispatch_notification.item_id": "dispatch_patient",
    **{f"{table}.template_id": "dispatch_template" for table in TABLES},
    **{f"{table}.group_id": "auth_group" for table in TABLES},
    **{f"{table}.role_id": "dispatch_role" for table in TABLES},
    **{f"{table}.instruction_id": "dispatch_instruction" for table in TABLES},
    **{f"{table}.plan_id": "dispatch_plan" for table in TABLES},
    **{f"{table}.office_id": "dispatch_office" for table in TABLES},
    **{
        f"{table}.{column}": "auth_user"
        for table in TABLES
        for column in ("user_id", "doctor_id", "author_id", "actor_id", "recipient_id")
    },
    "dispatch_role_permissions.permission_id": "auth_permission",
    "dispatch_record.target_type_id": "django_content_type",
    "dispatch_notification.item_type_id": "django_content_type",
    "dispatch_instruction.patient_id": "dispatch_patient",
    "dispatch_category.parent_id": "dispatch_category",
    "dispatch_template.category_id": "dispatch_category",
    "dispatch_template_predecessors.from_template_id": "dispatch_template",
    "dispatch_template_predecessors.to_template_id": "dispatch_template",
    "dispatch_template_products.product_id": "dispatch_product",
    "dispatch_operation.payment_id": "dispatch_payment",
    "dispatch_ware.storage_id": "dispatch_storage",
}
_SIZES = {
    "auth_user": 14,
    "auth_group": 13,
    "auth_user_groups": 22,
    "dispatch_doctorsetting": 10,
    "dispatch_patient": 10,
    "dispatch_instruction": 14,
    "dispatch_payment": 14,
    "dispatch_notification": 14,
}
_USUAL_SIZE = 8
DOCTORS, PATIENTS = (1, 2, 3, 4), (5, 6, 7, 8, 9)


@dataclass(frozen=True)
class Nasty:
    """A random export.

    Attributes:
        export_id: its id.
        world: the records of each table.
        files: how they are kept.
        manifest: whether there is one.
    """

    export_id: str
    world: dict[str, list[Row]]
    files: dict[str, Written]
    manifest: bool

    @property
    def absent(self) -> frozenset[str]:
        """Optional tables without a file."""
        return frozenset(TABLES) - frozenset(self.files)


def nasty(seed: int, export_id: str = FIRST_EXPORT) -> Nasty:
    """A random export."""
    rng = random.Random(seed)
    maker = _Maker(rng, rng.choice((0.0, 0.05, 0.05, 0.2)))
    world = {table.name: maker.rows(table) for table in TABLES.values()}
    return Nasty(export_id, world, _files(rng, world, without=rng.random() < 0.3), rng.random() < 0.7)


def follow_up(before: Nasty, seed: int) -> Nasty:
    """The next export: some rows are as they were, some changed, some new, many absent."""
    rng = random.Random(f"{seed} next")
    maker = _Maker(rng, 0.05)
    world = deepcopy(before.world)
    for name, rows in world.items():
        table = TABLES[name]
        for row in rows:
            if rng.random() < 0.3:
                row |= {column: maker.value(table, column) for column in rng.sample(list(table.columns)[1:], 1)}
        kept = rows if name in WHOLE else [row for row in rows if rng.random() < 0.5]
        fresh = [maker.row(table, rng.randint(30, 40)) for _ in range(rng.randint(0, 3))]
        world[name] = [*kept, *fresh]
    return replace(before, export_id=NEXT_EXPORT, world=world, files=_files(rng, world, without=False))


def _files(rng: random.Random, world: dict[str, list[Row]], *, without: bool) -> dict[str, Written]:
    """The files of a world; an optional table may be left out."""
    kind = rng.choice([*FORMATS, None])
    absent = rng.choice([name for name, table in TABLES.items() if not table.required]) if without else None
    kinds = {name: kind or rng.choice(FORMATS) for name in world}
    return {name: write_file(rng, TABLES[name], rows, kinds[name]) for name, rows in world.items() if name != absent}


def _usual(rng: random.Random, table: str, pk: int) -> Row:
    """What a row mostly says, so that there are doctors who have patients who have orders."""
    if table == "auth_group":
        return {"name": GROUPS[pk - 1]} if pk <= len(GROUPS) else {}
    if table == "auth_user_groups":
        user = (pk - 1) % _SIZES["auth_user"] + 1
        return {"user_id": user, "group_id": 2 if user in DOCTORS else 1 if user in PATIENTS else rng.randint(3, 11)}
    if table == "dispatch_patient":
        return {"user_id": rng.choice((*PATIENTS, *PATIENTS, 12)), "doctor_id": rng.choice(DOCTORS)}
    if table == "dispatch_role" and rng.random() < 0.6:
        return {"group_id": rng.choice((10, 10, 13)), "user_id": rng.randint(1, 12)}
    column = {"dispatch_record": "author_id", "dispatch_office_doctors": "user_id", "dispatch_doctorsetting": "user_id"}
    if table == "dispatch_note":
        return {"author_id": rng.choice(DOCTORS), "doctor_id": rng.choice(DOCTORS)}
    return {column[table]: rng.choice(DOCTORS)} if table in column else {}


class _Maker:
    """Makes rows.

    Attributes:
        rng: where chance comes from.
        dirt: the share of spoiled values.
    """

    def __init__(self, rng: random.Random, dirt: float) -> None:
        self.rng, self.dirt = rng, dirt

    def rows(self, table: Table) -> list[Row]:
        """The rows of a table, some repeated."""
        ids = list(self._ids(table))
        rows = [self.row(table, pk) for pk in ids]
        for place in self.rng.sample(range(len(ids)), min(len(ids), self.rng.choice((0, 0, 1, 2)))):
            again = dict(rows[place]) if self.rng.random() < 0.3 else self.row(table, ids[place])
            rows.insert(self.rng.randint(0, len(rows)), again)
        return rows

    def row(self, table: Table, pk: Any) -> Row:
        """A row."""
        row = {column: self.value(table, column) for column in table.columns if column != "id"}
        if self.rng.random() < 0.95:
            row |= _usual(self.rng, table.name, pk)
        spoiled = self.rng.random() < self.dirt
        key = self.rng.choice(BAD_KEYS) if spoiled else self.rng.choice((pk, pk, pk, str(pk), f"{pk}.0"))
        return {"id": key, **row}

    def value(self, table: Table, column: str) -> Any:
        """A value of a column."""
        name = f"{table.name}.{column}"
        kind = table.columns[column]
        if self.rng.random() < self.dirt:
            return deepcopy(self.rng.choice(_SPOILED[kind]))
        if name in _NAMED:
            return self._reference(_NAMED[name])
        return deepcopy(self.rng.choice(_BY_COLUMN.get(name, _BY_TYPE[kind])))

    def _reference(self, table: str) -> Any:
        if self.rng.random() < 0.05:
            return self.rng.choice((None, None, 999, "", 0))
        return self.rng.randint(1, _SIZES.get(table, _USUAL_SIZE))

    def _ids(self, table: Table) -> Iterable[int]:
        size = _SIZES.get(table.name, _USUAL_SIZE)
        if table.name == "dispatch_notification":
            return self.rng.sample(NOTICES, k=min(size, len(NOTICES)))
        ids = [number for number in range(1, size + 1) if self.rng.random() < 0.95]
        if self.rng.random() < 0.5:
            self.rng.shuffle(ids)
        return ids
