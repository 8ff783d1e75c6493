"""The DENTAL samples: their counts, worked out here from the files alone, and the dirt that is in them."""

import gzip
import itertools
import json
import re
import tracemalloc
from collections import Counter
from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from upath import UPath

from samples import DEFAULT_MONTH, default_export_id, dental, exported_at, month_after, next_sample, write_sample
from samples.corruptions import table_file
from samples.dental import dirt
from samples.writing import SampleSpec

SMALL = 0.05
GROUPS = ("patient", "doctor", "sales", "administrator", "master", "support", "billing", "export", "external")
CENT = Decimal("0.01")

Rows = dict[str, list[Any]]


def spec(scale: float = 1, seed: int = 1, edition: int = 0, bulk: Decimal | None = None) -> SampleSpec:
    month = month_after(DEFAULT_MONTH) if edition else DEFAULT_MONTH
    return SampleSpec(seed, Decimal(str(scale)), exported_at(month), edition, bulk)


def records(scale: float = 1, seed: int = 1, edition: int = 0) -> Rows:
    return {table.stem: list(table.records()) for table in dental.tables(spec(scale, seed, edition))}


def objects(rows: list[Any]) -> list[dict[str, Any]]:
    return [row for row in rows if isinstance(row, dict)]


def read(folder: UPath) -> Rows:
    """The rows of a sample in JSON or JSON lines."""
    found = {}
    for path in folder.iterdir():
        content = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
        if path.name != "manifest.json":
            lines = ".jsonl" in path.name
            text = f"[{','.join(content.decode().split(chr(10))[:-1])}]" if lines else content.decode()
            found[path.name.split(".")[0]] = json.loads(text, parse_float=Decimal)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> UPath:
    """A sample with few rows in the tables that no count is about."""
    return write_sample("dental", UPath(tmp_path_factory.mktemp("landing")), default_export_id(), bulk=0.002)


@pytest.fixture(scope="module")
def rows(folder: UPath) -> Rows:
    return read(folder)


@pytest.fixture(scope="module")
def counted(rows: Rows) -> "Counted":
    return Counted(rows)


# What the rules make of it --------------------------------------------------------------------------------------------


def text(value: Any) -> str | None:
    if value is None or isinstance(value, dict | list):
        return None
    stripped = re.sub("[\x00\ud800-\udfff]", "", value if isinstance(value, str) else str(value)).strip()
    return None if stripped in ("", "NULL", "\\N") else stripped


def key_of(value: Any) -> int | None:
    told = text(value) if not isinstance(value, bool) else None
    if told is None:
        return None
    if isinstance(value, str):
        return int(float(told)) if re.fullmatch(r"\+?\d+(\.0+)?", told) and 0 < float(told) < 2**63 else None
    number = Decimal(told)
    return int(number) if number == number.to_integral_value() and 0 < number < 2**63 else None


def number_of(value: Any) -> int | None:
    return 0 if value in (0, "0") and not isinstance(value, bool) else key_of(value)


def money(value: Any) -> Decimal | None:
    told = None if isinstance(value, bool) else text(value)
    if told is not None and isinstance(value, str):
        told = re.sub(r"[$,\s]", "", told)
        told = told if re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)", told) else None
    amount = None if told is None else Decimal(told).quantize(CENT, ROUND_HALF_UP)
    return None if amount is None or abs(amount) >= 10**10 else amount


def flag(value: Any, default: bool = False) -> bool:
    told = (text(value) or "").lower()
    return (
        told in ("t", "true", "1", "y", "yes")
        if told in ["t", "true", "1", "y", "yes", "f", "false", "0", "n", "no"]
        else default
    )


class Split(NamedTuple):
    """The rows of a table by their ids, and how many were no candidates."""

    live: dict[int, dict[str, Any]]
    bad: int
    merged: int

    @property
    def source(self) -> int:
        return len(self.live) + self.bad + self.merged


def split(rows: list[Any]) -> Split:
    live: dict[int, dict[str, Any]] = {}
    bad = merged = 0
    for row in rows:
        key = key_of(row.get("id")) if isinstance(row, dict) else None
        bad += key is None
        merged += key in live
        if key is not None:
            live[key] = row
    return Split(live, bad, merged)


class Counted:
    """What a sample becomes, as far as the legacy project's numbers need it."""

    def __init__(self, rows: Rows) -> None:
        self.tables = {name: split(each) for name, each in rows.items()}

    def live(self, table: str) -> dict[int, dict[str, Any]]:
        return self.tables[table].live

    def keys(self, table: str, *columns: str) -> list[tuple[int, ...]]:
        """The references of a table's rows; 0 is none."""
        return [tuple(key_of(row.get(column)) or 0 for column in columns) for row in self.live(table).values()]

    @cached_property
    def groups(self) -> dict[int, str]:
        named = {
            key: " ".join((text(row["name"]) or "").lower().split()) for key, row in self.live("auth_group").items()
        }
        return {key: "administrator" if name == "admin" else name for key, name in named.items()}

    @cached_property
    def types(self) -> dict[int, str]:
        of_user: dict[int, set[str]] = {}
        for user, group in self.keys("auth_user_groups", "user_id", "group_id"):
            of_user.setdefault(user, set()).add(self.groups.get(group, ""))
        return {key: self._type(row, of_user.get(key, set())) for key, row in self.live("auth_user").items()}

    @staticmethod
    def _type(row: dict[str, Any], groups: set[str]) -> str:
        for group in ("patient", "doctor", "technician", "administrator", "master"):
            if group in groups:
                return "admin" if group == "administrator" else group
        if flag(row.get("is_superuser")):
            return "master"
        return "admin" if flag(row.get("is_staff")) or groups & set(GROUPS) else "patient"

    @cached_property
    def verified(self) -> set[int]:
        users = {user for (user,) in self.keys("dispatch_doctorsetting", "user_id")}
        return {user for user in users if self.types.get(user) == "doctor"}

    @cached_property
    def patients(self) -> dict[int, tuple[int, int]]:
        """User and doctor of every loaded patient; 0 is no doctor."""
        found = {}
        for key, row in self.live("dispatch_patient").items():
            user, doctor = key_of(row.get("user_id")), key_of(row.get("doctor_id")) or 0
            if user in self.types:
                found[key] = (user, doctor if self.types.get(doctor) == "doctor" else 0)
        return found

    @cached_property
    def orders(self) -> dict[int, dict[str, Any]]:
        return {
            key: row
            for key, row in self.live("dispatch_instruction").items()
            if not flag(row.get("deleted")) and self.patients.get(key_of(row.get("patient_id")) or 0, (0, 0))[1]
        }

    @cached_property
    def payments(self) -> dict[int, Decimal]:
        found = {}
        for key, row in self.live("dispatch_payment").items():
            amount = money(row.get("total_price"))
            amount = money(row.get("paid_price")) if amount is None else amount
            if key_of(row.get("instruction_id")) in self.orders and amount is not None and amount >= 0:
                found[key] = amount
        return found

    @cached_property
    def operations(self) -> list[Decimal]:
        amounts = []
        for row in self.live("dispatch_operation").values():
            kind, amount = number_of(row.get("type")), money(row.get("price"))
            refund = kind == 2 or (kind != 1 and text(row.get("sq_refund_id")) is not None)
            if key_of(row.get("payment_id")) in self.payments and amount is not None and (refund or amount >= 0):
                amounts.append(abs(amount))
        return amounts

    @cached_property
    def template_products(self) -> int:
        courses = {key: key_of(row.get("course_id")) for key, row in self.live("dispatch_product").items()}
        kept = {
            course
            for key, course in courses.items()
            if not flag(self.live("dispatch_product")[key].get("deleted")) and course in (1, 2, 3, 7)
        }
        pairs = {
            (template, courses.get(product))
            for template, product in self.keys("dispatch_template_products", "template_id", "product_id")
            if template in self.live("dispatch_template")
        }
        return len([pair for pair in pairs if pair[1] in kept])

    @cached_property
    def technicians(self) -> list[dict[str, Any]]:
        found = []
        for row in self.live("dispatch_role").values():
            user = key_of(row.get("user_id"))
            if self.groups.get(key_of(row.get("group_id")) or 0) == "technician" and user:
                person = self.live("auth_user")[user]
                name = " ".join((text(row["name"]) or "").lower().split())
                found.append({"user": user, "name": name, "active": flag(person.get("is_active"), True), "row": person})
        return found

    def pairs(self, table: str, left: str, right: str, lefts: Any, rights: Any) -> int:
        """How many different pairs of two references that both resolve a table has."""
        return len({(one, two) for one, two in self.keys(table, left, right) if one in lefts and two in rights})

    @cached_property
    def communications(self) -> int:
        return sum(
            text(row.get("text")) is not None and key_of(row.get("author_id")) in self.verified
            for row in self.live("dispatch_note").values()
        )

    @property
    def doctor_notes(self) -> int:
        return sum(
            text(row.get("text")) is not None and self.types.get(key_of(row.get("doctor_id")) or 0) == "doctor"
            for row in self.live("dispatch_note").values()
        )

    @property
    def shipments(self) -> int:
        return sum(number_of(row.get("status")) == 4 for row in self.orders.values())


def mean(amounts: Any) -> Decimal:
    found = list(amounts)
    return (sum(found, Decimal(0)) / len(found)).quantize(CENT, ROUND_HALF_UP)


def test_phase_7_has_the_real_counts(counted: Counted) -> None:
    templates, source = counted.live("dispatch_template"), {name: each.source for name, each in counted.tables.items()}
    assert (source["dispatch_payment"], len(counted.payments)) == (16_014, 16_011)
    assert (source["dispatch_operation"], len(counted.operations)) == (3_522, 3_522)
    assert (source["dispatch_template_products"], counted.template_products) == (166, 93)
    groups = counted.pairs("dispatch_template_view_groups", "template_id", "group_id", templates, counted.groups)
    assert (source["dispatch_template_view_groups"], groups) == (183, 183)
    assert counted.shipments == 2_453
    assert (source["auth_group"], len(set(counted.groups.values()) & {*GROUPS, "technician"})) == (10, 10)
    assert (source["dispatch_note"], counted.communications, counted.doctor_notes) == (963, 783, 962)


def test_the_mean_amounts_are_the_real_ones(counted: Counted) -> None:
    assert mean(counted.payments.values()) == Decimal("255.48")
    assert mean(counted.operations) == Decimal("1147.85")
    assert min(counted.payments.values()) == 0 < min(counted.operations)


def test_the_technicians_are_the_real_ones(counted: Counted) -> None:
    found = counted.technicians
    assert len(found) == len({each["user"] for each in found}) == 32
    assert all(each["user"] in counted.types for each in found)
    assert Counter(each["name"] for each in found) == {
        **{"sectioning technician": 11, "designing technician": 9, "remote technician": 6},
        **{"manufacturing technician": 4, "remote technician sectioning approver": 1, "japan aligner technician": 1},
    }
    assert Counter(each["name"] for each in found if each["active"]) == {
        **{"sectioning technician": 2, "designing technician": 3, "remote technician": 4},
        **{"manufacturing technician": 3, "remote technician sectioning approver": 1, "japan aligner technician": 1},
    }
    hired = sorted(str(each["row"]["date_joined"])[:10] for each in found)
    assert (hired[0], hired[-1]) == ("2018-02-22", "2025-07-29")


def test_phase_6_has_the_real_counts(counted: Counted) -> None:
    templates, roles = counted.live("dispatch_template"), counted.live("dispatch_role")
    codes = {key: row["codename"] for key, row in counted.live("auth_permission").items()}
    rights = counted.pairs("dispatch_role_permissions", "role_id", "permission_id", roles, codes)
    assert all(text(row["name"]) for row in roles.values()) and len(set(codes.values())) == len(codes)
    assert (len(roles), rights, len(templates)) == (46, 1_244, 152)
    assert (len(counted.live("dispatch_ware")), len(counted.live("dispatch_storage"))) == (16_552, 1)
    ids = ("template_id", "role_id")
    assert counted.pairs("dispatch_template_edit_roles", *ids, templates, roles) == 603
    assert counted.pairs("dispatch_template_view_roles", *ids, templates, roles) == 1_036
    both = ("from_template_id", "to_template_id")
    assert counted.pairs("dispatch_template_predecessors", *both, templates, templates) == 191
    for table in ("role", "role_permissions", "ware", "storage", "template", "template_edit_roles"):
        assert counted.tables[f"dispatch_{table}"].source == len(counted.live(f"dispatch_{table}")), table


def test_the_rest_has_the_real_order_of_size(counted: Counted) -> None:
    doctors = sum(kind == "doctor" for kind in counted.types.values())
    offices = sum(flag(row.get("valid")) for row in counted.live("dispatch_office").values())
    sizes = [len(counted.types), len(counted.patients), doctors, offices, len(counted.orders)]
    assert [round(size, -2) for size in sizes] == [9_100, 7_900, 1_200, 800, 23_000]


def test_most_payments_lead_to_a_patient(counted: Counted) -> None:
    linked = 0
    for key in counted.payments:
        order = counted.orders[key_of(counted.live("dispatch_payment")[key]["instruction_id"]) or 0]
        linked += counted.types[counted.patients[key_of(order["patient_id"]) or 0][0]] == "patient"
    assert 0.99 <= linked / len(counted.payments) < 1


@pytest.mark.parametrize(("scale", "seed", "edition"), [(0.001, 1, 0), (0.13, 2, 0), (0.2, 3, 1)])
def test_no_sample_has_a_lower_success_rate(scale: float, seed: int, edition: int) -> None:
    counted = Counted(records(scale, seed, edition))
    source = {name: each.source for name, each in counted.tables.items()}
    assert len(counted.payments) / source["dispatch_payment"] >= 16_011 / 16_014
    assert len(counted.operations) == source["dispatch_operation"] > 0
    assert counted.template_products / source["dispatch_template_products"] >= 93 / 166
    assert counted.communications / source["dispatch_note"] >= 783 / 963
    assert len(counted.technicians) == 32 and counted.shipments > 0
    assert abs(mean(counted.payments.values()) - Decimal("255.48")) < 13
    assert abs(mean(counted.operations) - Decimal("1147.85")) < 20


# Bytes, volumes, formats ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["json", "csv"])
def test_same_seed_gives_the_same_bytes(tmp_path: Path, form: str) -> None:
    one, two = (
        write_sample("dental", UPath(tmp_path), name, scale=0.01, format=form, gzip=form == "csv") for name in "ab"
    )
    assert {p.name: p.read_bytes() for p in one.iterdir()} == {p.name: p.read_bytes() for p in two.iterdir()}
    assert len(list(one.iterdir())) == len(dental.tables(spec())) + 1
    entries = json.loads((one / "manifest.json").read_text())
    assert entries["system"] == "dental" and all(entry["rows"] for entry in entries["files"])


def test_another_seed_gives_another_sample() -> None:
    one, two = records(SMALL), records(SMALL, seed=2)
    for table in ("auth_user", "dispatch_payment", "dispatch_task", "dispatch_notification", "dispatch_instruction"):
        assert one[table] != two[table]


def test_the_following_export_has_a_month_more(tmp_path: Path) -> None:
    landing = UPath(tmp_path)
    before = Counted(read(write_sample("dental", landing, default_export_id(), scale=SMALL)))
    following = next_sample("dental", landing, default_export_id(date(2026, 3, 1)), scale=SMALL, format="jsonl")
    after = Counted(read(following))
    changed = {}
    for name in after.tables:
        old, new = before.live(name), after.live(name)
        assert old.keys() <= new.keys(), name
        changed[name] = sum(row != new[key] for key, row in old.items())
    assert 1.005 < len(after.payments) / len(before.payments) < 1.02
    assert before.orders.keys() < after.orders.keys() and after.shipments > before.shipments
    assert 0 < changed.pop("dispatch_instruction") < 0.02 * len(before.orders)
    assert not any(changed.values()), changed


def test_the_large_tables_are_thinned_unless_asked_for() -> None:
    volumes = {"dispatch_task": 770_000, "dispatch_file": 300_000, "dispatch_record": 61_000}
    few = {t.stem: sum(1 for _ in t.records()) for t in dental.tables(spec()) if t.stem in volumes}
    assert all(abs(few[stem] * 20 / volume - 1) < 0.05 for stem, volume in volumes.items())
    tenth = dental.tables(spec(SMALL, bulk=Decimal("0.1")))
    more = {t.stem: sum(1 for _ in t.records()) for t in tenth if t.stem in (*volumes, "dispatch_notification")}
    expected = {**volumes, "dispatch_notification": 5_100_000}
    assert all(abs(more[stem] / (volume * SMALL / 10) - 1) < 0.1 for stem, volume in expected.items())


@pytest.mark.parametrize("stem", ["dispatch_notification", "dispatch_task", "dispatch_operation"])
def test_millions_of_rows_stream(stem: str) -> None:
    table = {table.stem: table for table in dental.tables(spec(100, bulk=Decimal(1)))}[stem]
    tracemalloc.start()
    try:
        assert sum(1 for _ in itertools.islice(table.records(), 2_000)) == 2_000
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


# Dirt -----------------------------------------------------------------------------------------------------------------


def test_notifications_are_unsorted_and_in_many_ranges() -> None:
    table = {table.stem: table for table in dental.tables(spec())}["dispatch_notification"]
    notifications = list(table.records())
    ids = [key for row in objects(notifications) if (key := key_of(row.get("id")))]
    assert len({key // 100_000 for key in ids}) > 10 and max(ids) > 10**9
    assert sum(a > b for a, b in itertools.pairwise(ids)) > len(ids) / 5
    assert len(ids) > len(set(ids)) and len(ids) < len(notifications)
    assert 60_000 < len(ids) < 61_000
    size = sum(len(msgspec.json.encode(row)) for row in objects(notifications)[:5_000]) / 5_000
    assert 230 < size < 270


def test_every_table_that_may_has_unusable_rows(counted: Counted) -> None:
    tables = (
        *("auth_user", "dispatch_office", "dispatch_office_doctors", "dispatch_patient", "dispatch_product"),
        *("dispatch_instruction", "dispatch_task", "dispatch_comment", "dispatch_record", "dispatch_category"),
        *("dispatch_file", "dispatch_template_products", "dispatch_notification"),
    )
    for table in tables:
        assert counted.tables[table].bad and counted.tables[table].merged, table


def test_secrets_are_there_to_be_kept_out(folder: UPath) -> None:
    users, operations, notes = (
        table_file(folder, table).read_text() for table in ("auth_user", "dispatch_operation", "dispatch_note")
    )
    assert users.count(dirt.PASSWORD_MARK) > 9_000
    assert all(number in operations and number in notes for number in dirt.PANS if "\u00a0" not in number)
    assert all(digits in operations for digits in dirt.BINS)
    assert {number for number in dirt.PANS if not luhn(number)} == set()


def luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(re.sub(r"\D", "", number))]
    doubled = [sum(divmod(2 * digit, 10)) if place % 2 else digit for place, digit in enumerate(digits)]
    return 13 <= len(digits) <= 19 and sum(doubled) % 10 == 0


@pytest.mark.parametrize(("column", "read_cell"), [("total_price", money), ("instruction_id", key_of)])
def test_good_values_come_in_many_spellings(rows: Rows, column: str, read_cell: Callable[[Any], Any]) -> None:
    cells = [row[column] for row in rows["dispatch_payment"]]
    spelled = Counter(re.sub(r"\d+", "9", repr(cell)) for cell in cells if read_cell(cell) is not None)
    assert len(spelled) > 6, spelled
