"""The oracle itself: its parsers, its reading of files, its report, and what later exports change."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.dental import dental_scalars as scalars
from tests.dental.dental_cases import (
    doctor,
    doctor_office,
    export_of,
    groups,
    link,
    office,
    order,
    patient,
    payment,
    role,
    template,
    user,
)
from tests.dental.dental_files import TABLES, Row, read_export, read_file
from tests.dental.dental_golden import CHECKS, EXPORT_ID, NOTES, View, report_on, view_of, world
from tests.dental.dental_reference import Reference, conservation_faults
from tests.dental.dental_scalars import Unusable, key_of
from tests.dental.dental_writing import Junk, encoded, put_export

MIDNIGHT = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> View:
    db = Reference()
    db.load(put_export(tmp_path_factory.mktemp("golden") / EXPORT_ID, world()))
    assert conservation_faults(db) == []
    return view_of(db)


@pytest.mark.parametrize("name", CHECKS)
def test_golden_example(golden: View, name: str) -> None:
    CHECKS[name](golden)


def test_report_on_the_real_numbers() -> None:
    found = {name: (row["success_rate"], row["status"]) for name, row in report_on().items()}
    assert found["template_products"] == (Decimal("56.02"), "COMPLETE")
    assert found["team_communications"] == (Decimal("81.31"), "COMPLETE")
    assert found["PHASE7_AVERAGE"] == (Decimal("92.16"), "INFO")
    totals = {name: report_on()[name] for name in ("PHASE7_TOTAL", "PHASE6_TOTAL", "COMBINED_TOTAL")}
    numbers = {name: (row["source_count"], row["migrated"], row["success_rate"]) for name, row in totals.items()}
    assert numbers == {
        "PHASE7_TOTAL": (23_342, 23_086, Decimal("98.90")),
        "PHASE6_TOTAL": (19_825, 19_825, Decimal("100.00")),
        "COMBINED_TOTAL": (43_167, 42_911, Decimal("99.41")),
    }
    for migrated, rate, status in ((16_010, "99.98", "COMPLETE"), (16_009, "99.97", "BELOW_MINIMUM")):
        row = report_on(payments=(16_014, migrated))["payments"]
        assert (row["success_rate"], row["status"]) == (Decimal(rate), status)
    assert report_on(teams=(0, 0))["teams"]["status"] == "NO_SOURCE"


# --- scalars ----------------------------------------------------------------------------------------------------------


def read(rule: str, value: Any) -> Any:
    """A value by a rule, or its warning and what stands in its place."""
    parsers = {
        **{"T": scalars.text, "T+": scalars.spaced, "I": scalars.integer, "ID": scalars.identifier},
        **{"M": scalars.money, "R": scalars.rate, "TS": scalars.moment, "D": scalars.date, "J": scalars.document},
        **{"E": scalars.email, "G": scalars.group_name, "B": lambda given: scalars.boolean(given, default=False)},
    }
    try:
        return parsers[rule](value)
    except Unusable as found:
        return found.code, found.instead


NULLS = [
    (rule, nothing, None) for rule in ("T", "I", "M", "TS", "D", "E", "G") for nothing in (None, " \u00a0", "NULL")
]


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        *NULLS,
        ("T", " \\N ", None),
        ("T", "null", "null"),
        ("T", Decimal("12.50"), "12.50"),
        ("T", Decimal("1E+3"), "1000"),
        ("T", True, "true"),
        ("T", [1], ("BAD_TEXT", None)),
        ("T", " a \n b ", "a \n b"),
        ("T+", " a \n b ", "a b"),
        ("I", Decimal("5.0"), 5),
        ("I", Decimal("1E+3"), 1000),
        ("I", " +5.00 ", 5),
        ("I", "5.", ("BAD_INT", None)),
        ("I", True, ("BAD_INT", None)),
        ("I", 2**63, ("BAD_INT", None)),
        ("I", -(2**63) + 1, -(2**63) + 1),
        ("I", "\u0665", ("BAD_INT", None)),
        ("I", 0, 0),
        ("ID", 0, ("BAD_INT", None)),
        ("B", " Yes ", True),
        ("B", Decimal("1.0"), True),
        ("B", "1.0", ("BAD_BOOL", False)),
        ("B", 2, ("BAD_BOOL", False)),
        ("B", "", False),
        ("M", "$ 1,234.505", Decimal("1234.51")),
        ("M", "-0.004", Decimal("0.00")),
        ("M", ".5", Decimal("0.50")),
        ("M", "5.", Decimal("5.00")),
        ("M", "1e3", ("BAD_MONEY", None)),
        ("M", "9999999999.995", ("BAD_MONEY", None)),
        ("M", True, ("BAD_MONEY", None)),
        ("M", "$", ("BAD_MONEY", None)),
        ("R", None, Decimal("0.0000")),
        ("R", "8.25", Decimal("0.0825")),
        ("R", "0.0825", Decimal("0.0825")),
        ("R", 1, ("BAD_RATE", Decimal("0.0000"))),
        ("R", 100, ("BAD_RATE", Decimal("0.0000"))),
        ("R", "99.995", ("BAD_RATE", Decimal("0.0000"))),
        ("R", "-1", ("BAD_RATE", Decimal("0.0000"))),
        ("R", Decimal("1.5"), Decimal("0.0150")),
        ("TS", "2026-01-05", MIDNIGHT),
        ("TS", "2026-01-05 02:00:00.999  +0200", MIDNIGHT),
        ("TS", "2026-01-04T20:30-03:30", MIDNIGHT),
        ("TS", "2026-01-05T00:00:00.", ("BAD_TIMESTAMP", None)),
        ("TS", "2026-01-05T24:00Z", ("BAD_TIMESTAMP", None)),
        ("TS", "2026-01-05t00:00", ("BAD_TIMESTAMP", None)),
        ("TS", "1999-12-31T23:00:00-02:00", dt.datetime(2000, 1, 1, 1, tzinfo=dt.UTC)),
        ("TS", "0001-01-01T00:00:00+01:00", ("BAD_TIMESTAMP", None)),
        ("TS", 20260105, ("BAD_TIMESTAMP", None)),
        ("D", "05/01/1990", dt.date(1990, 5, 1)),
        ("D", "1990-05-01T23:00:00-05:00", dt.date(1990, 5, 1)),
        ("D", "1990-05-01T25:00:00", ("BAD_DATE", None)),
        ("D", "1899-12-31", ("BAD_DATE", None)),
        ("J", "NULL", {}),
        ("J", '{"a": 1.50, "Password": 1, "b": [{"CARD_BIN": 2}]}', {"a": Decimal("1.50"), "b": [{}]}),
        ("J", " not json ", ("BAD_JSON", {"raw": "not json"})),
        ("J", Decimal("2.50"), ("BAD_JSON", {"raw": "2.50"})),
        ("J", '["a\\u0000b"]', ["ab"]),
        ("E", " Ann@Mail.TEST ", "ann@mail.test"),
        ("E", "ann(at)mail", ("BAD_EMAIL", None)),
        ("G", " admin ", "Administrator"),
        ("G", "Data  team", "Data team"),
    ],
)
def test_value(rule: str, value: Any, expected: Any) -> None:
    assert read(rule, value) == expected


@pytest.mark.parametrize(("text", "expected"), [*NOTES.items(), ("5500 0000 0000 0004 123", "[PAN-REDACTED] 123")])
def test_card_numbers_in_text(text: str, expected: str) -> None:
    assert scalars.redacted(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5555 5555 5555 4444", ("4444", True)),
        (42, ("0042", False)),
        ("+42.0", ("0042", False)),
        ("4.2", ("0042", False)),
        (-12345, ("2345", True)),
        ("xx", (None, False)),
        (None, (None, False)),
        (0, ("0000", False)),
    ],
)
def test_last_digits(value: Any, expected: Any) -> None:
    assert scalars.last4(value) == expected


def test_brands() -> None:
    given = ["mc", "Master-Card", "amex", " Visa", "Discover Diners", "odd", None]
    expected = ["MASTERCARD", "MASTERCARD", "AMERICAN_EXPRESS", "VISA", "DISCOVER_DINERS", "OTHER_BRAND", None]
    assert [scalars.brand(scalars.text(value)) for value in given] == expected


# --- files ------------------------------------------------------------------------------------------------------------


def records_of(path: Path) -> list[Any]:
    return [(row.number, row.line if row.values is None else row.values) for row in read_file(path)]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "parquet"])
def test_every_format_gives_the_same_rows(tmp_path: Path, kind: str, packed: bool) -> None:
    rows: list[Row] = [{"id": "1", "name": 'a "b",\nc'}, {"id": "2", "name": "\u2028"}]
    file = encoded(rows, kind, packed=packed)
    path = tmp_path / f"auth_group.{file.suffix}"
    path.write_bytes(file.content)
    assert records_of(path) == list(enumerate(rows, start=1))


def test_lines_that_are_no_rows_and_lines_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "auth_group.jsonl"
    path.write_bytes('\ufeff{"id": 1}\r\n \u00a0\r\n{"id": 2,\n[3]\n{"id": NaN}\n{"id": 1, "id": 4}'.encode())
    assert records_of(path) == [(1, {"id": 1}), (2, '{"id": 2,'), (3, "[3]"), (4, '{"id": NaN}'), (5, {"id": 4})]
    path = tmp_path / "auth_group.csv"
    path.write_bytes(b'id,name\r\n1,a\r\n  \r\n2\r\n3,"  \n "\r\n')
    assert records_of(path) == [(1, {"id": "1", "name": "a"}), (2, "2"), (3, {"id": "3", "name": "  \n "})]
    path.write_bytes(b'id\n1\n""\n')
    assert records_of(path) == [(1, {"id": "1"}), (2, {"id": ""})]


def test_exports_that_abort(tmp_path: Path) -> None:
    folder = put_export(tmp_path / "first", {})
    (folder / "dispatch_plan.json").unlink()
    with pytest.raises(FileNotFoundError, match="MISSING_TABLE dispatch_plan"):
        read_export(folder)
    folder = put_export(tmp_path / "second", {"auth_user": encoded([{"name": 1}])})
    with pytest.raises(ValueError, match="MISSING_COLUMN id"):
        read_export(folder)
    folder = put_export(tmp_path / "third", {}, absent=frozenset({"dispatch_ware"}))
    assert read_export(folder).of("dispatch_ware") == []
    (folder / "auth_user.csv").touch()
    with pytest.raises(ValueError, match="AMBIGUOUS_TABLE auth_user"):
        read_export(folder)


def test_quarantine_keeps_no_secret(tmp_path: Path) -> None:
    rows = [
        *({"id": number} for number in (1, 2)),
        {
            "id": "x",
            "PASSWORD": "a",
            "card_last": "4111111111111111",
            "exports": '{"password": 1, "b": "4111-1111-1111-1111"}',
        },
        Junk('{"id": 4, "notes": "4111-1111-1111-1111"'),
    ]
    db = Reference()
    files = {"dispatch_instruction": encoded(rows, "jsonl"), "auth_user": encoded(rows, "jsonl")}
    db.load(put_export(tmp_path / "first", files))
    kept = {key[1:]: raw for key, (_, raw) in db.rejected.items()}
    orders = {key[1]: raw for key, raw in kept.items() if key[0] == "dispatch_instruction"}
    assert orders[3] == {"id": "x", "card_last": "1111", "exports": {"b": "[PAN-REDACTED]"}}
    assert orders[4] == {"text": '{"id": 4, "notes": "[PAN-REDACTED]"'}
    assert kept[("auth_user", 4, "profiles")] == {"text": "[WITHHELD]"}


# --- later exports ----------------------------------------------------------------------------------------------------


def people() -> list[Any]:
    return [groups(), *doctor(1), *user(2, "Patient"), office(1), office(2), patient(1, 2, 1)]


def test_next_export_changes_what_it_holds_and_leaves_the_rest() -> None:
    db = Reference()
    db.load_records("first", export_of(*people(), order(1, 1, 4), order(2, 1), payment(1, 1), payment(2, 1)))
    db.load_records("second", export_of(groups(), order(1, 1, 4), order(2, 1, 3), payment(2, 1, 5), payment(3, 9)))
    assert {pk: row["export_id"] for pk, row in db.tables["payments"].items()} == {1: "first", 2: "second"}
    assert {pk: row["export_id"] for pk, row in db.tables["orders"].items()} == {1: "first", 2: "second"}
    assert db.outcome("dispatch_payment", 2, "payments") == ("rejected", "ORDER_NOT_FOUND")
    assert len(db.tables["profiles"]) == 2


def test_shipment_goes_with_its_status() -> None:
    db = Reference()
    db.load_records("first", export_of(*people(), order(1, 1, 4), order(2, 1, 4)))
    assert set(db.tables["shipments"]) == {1, 2}
    db.load_records("second", export_of(groups(), order(1, 1, 3)))
    assert set(db.tables["shipments"]) == {2}


def test_lowest_id_of_a_pair_stays() -> None:
    db = Reference()
    first = [doctor_office(5, 1, 1), doctor_office(6, 1, 2)]
    db.load_records("first", export_of(*people(), *first))
    db.load_records("second", export_of(*people(), doctor_office(7, 1, 1), doctor_office(3, 1, 2)))
    assert {pk: row["office_id"] for pk, row in db.tables["doctor_offices"].items()} == {
        5: key_of("dispatch_office", 1),
        3: key_of("dispatch_office", 2),
    }
    assert db.outcome("dispatch_office_doctors", 1, "doctor_offices") == ("merged", None)
    assert db.outcome("dispatch_office_doctors", 2, "doctor_offices") == ("loaded", None)


def test_pairs_that_change_places_are_no_collision() -> None:
    db = Reference()
    for export_id, pairs in (("first", {1: 10, 2: 20}), ("second", {1: 20, 2: 10})):
        links = [link("template_edit_roles", key, template_id=1, role_id=number) for key, number in pairs.items()]
        db.load_records(export_id, export_of(template(1), role(10, "A"), role(20, "B"), *links))
    found = {pk: row["role_id"] for pk, row in db.tables["template_edit_roles"].items()}
    assert found == {1: key_of("dispatch_role", 20), 2: key_of("dispatch_role", 10)}


def test_every_target_has_a_driving_table() -> None:
    assert {target for table in TABLES.values() for target in table.targets} < set(Reference().tables)
