"""The golden examples of the contract: one export that holds them all.

What an example must give is said about a `View`, which shows the oracle or a real database.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.dental.dental_cases import (
    doctor,
    doctor_office,
    export_of,
    groups,
    link,
    note,
    notification,
    office,
    operation,
    order,
    patient,
    payment,
    product,
    role,
    template,
    user,
)
from tests.dental.dental_files import Row
from tests.dental.dental_finance import MINIMUM_RATES, success_report
from tests.dental.dental_records import Counts
from tests.dental.dental_reference import Reference
from tests.dental.dental_writing import Junk, Records, Written, encoded

EXPORT_ID = "20260219T000000Z"
PAN = "4111 1111 1111 1111"
# Text of an order's notes, and what is kept of it.
NOTES = {
    f"paid with {PAN} 12/25": "paid with [PAN-REDACTED] 12/25",
    "ref 4111111111111112": "ref 4111111111111112",
    "order 4111-1111-1111-1111.": "order [PAN-REDACTED].",
    "41111111111111111234567": "41111111111111111234567",
    "3782 822463 10005": "[PAN-REDACTED]",
    "4111.1111.1111.1111": "[PAN-REDACTED]",
    "teeth 11 12 13 14 15 16 17 18": "teeth 11 12 13 14 15 16 17 18",
    "2024-01-15 2024-02-03": "2024-01-15 2024-02-03",
    "1700000000000": "1700000000000",
}


@dataclass(frozen=True)
class View:
    """What is to be seen of a migrated database.

    Attributes:
        rows: the rows of a table of the schema, UUIDs as text.
    """

    rows: Callable[[str], list[Row]]

    def some(self, table: str, **where: Any) -> list[Row]:
        """The rows of a table with these values."""
        return [row for row in self.rows(table) if all(row[name] == value for name, value in where.items())]

    def one(self, table: str, **where: Any) -> Row:
        """The one row of a table with these values."""
        found = self.some(table, **where)
        assert len(found) == 1, (table, where, len(found))
        return found[0]

    def of(self, table: str, pk: int) -> Row:
        """The row that a legacy row became."""
        found = [row for row in self.rows(table) if row["metadata"]["source_pk"] == str(pk)]
        assert len(found) == 1, (table, pk, len(found))
        return found[0]

    def outcomes(self, target: str, pk: Any) -> list[tuple[str, str | None]]:
        """What became of the source rows with an id, and why, in the order of the file."""
        found = self.some("row_ledger", target_table=target, source_pk=str(pk))
        return [(row["outcome"], row["reason"]) for row in sorted(found, key=lambda row: row["source_row"])]

    def warnings(self, target: str, pk: int) -> set[str]:
        """The warnings of a loaded row."""
        ((outcome, reason),) = self.outcomes(target, pk)
        assert outcome == "loaded"
        return set((reason or "").split(",")) - {""}


def view_of(db: Reference) -> View:
    """The oracle as a view."""
    names = ("export_id", "source_table", "source_row", "target_table")
    ledger = [
        dict(zip(names, key, strict=True))
        | dict(zip(("source_pk", "outcome", "reason", "target_key"), value, strict=True))
        for key, value in db.ledger.items()
    ]
    rejected = [
        dict(zip(names, key, strict=True)) | {"source_pk": db.ledger[key][0], "reason_code": value[0], "raw": value[1]}
        for key, value in db.rejected.items()
    ]
    books = {"row_ledger": ledger, "rejected_row": rejected}
    return View(lambda table: books[table] if table in books else list(db.tables[table].values()))


# --- the export -------------------------------------------------------------------------------------------------------


def world() -> dict[str, Records | Written]:
    """The export of all examples."""
    export = export_of(
        *_people(),
        *_orders(),
        *_payments(),
        *_templates(),
        *_notes(),
        *_notifications(),
    )
    notes = export["dispatch_note"]
    # The third line of the notes that is not blank is cut.
    lines = [*notes[:1], Junk(""), *notes[1:2], Junk('{"id": 5,'), *notes[2:]]
    return {**export, "dispatch_note": Written(encoded(lines, "jsonl").content, len(lines) - 1, "jsonl")}


def _people() -> list[Any]:
    return [
        groups(),
        ("auth_group", {"id": 12, "name": " doctor "}),
        ("auth_group", {"id": 13, "name": "Archive"}),
        ("auth_user_groups", {"id": 1, "user_id": 501, "group_id": 12}),
        ("auth_user_groups", {"id": 2, "user_id": 503, "group_id": 12}),
        *doctor(501),
        ("auth_user", {"id": "abc", "username": "odd", "password": "pbkdf2-canary"}),
        *user(502, "Doctor"),
        *user(503),
        *user(601, "Patient"),
        *user(777, is_staff=True),
        *user(151, "Doctor", "Patient"),
        *user(152, is_superuser=True),
        *user(153, "Sales"),
        *user(154),
        office(5),
        doctor_office(1, 501, 5),
        patient(70, 601, 501, office_id=5),
        patient(71, 502, 501),
        role(9, "  sectioning   TECHNICIAN ", order=2, user_id=501, group_id=11),
        role(4, "Remote Technician", order=None, user_id=501, group_id=11),
        role(91, "Remote Technician", group_id=11),
        role(92, "Seller", user_id=503, group_id=3),
    ]


def _orders() -> list[Any]:
    written = [order(960 + place, 70, notes=text) for place, text in enumerate(NOTES)]
    return [
        order(900, 70, 4, updated_at="2025-02-27T23:30:00-01:00"),
        order(901, 70, 4, updated_at=None, submitted_at="2025-01-30"),
        order(902, 70, 3),
        order(910, 71),
        order(918, 70, course_id=5),
        *written,
        order(980, 70, exports={"card": 4111111111111111}),
    ]


def _payments() -> list[Any]:
    golden = {"paid": "t", "canceled": False, "free": 0, "netsuite": None, "tax_rate": Decimal("8.25")}
    card = {"card_brand": "Master Card", "card_bin": "555555", "card_last": "5555 5555 5555 4444"}
    return [
        payment("1", 900, "$1,234.505", made_at="2024-03-01 10:00:00.99+02:00", **golden),
        payment(31, 900, "n/a", paid_price="12.5"),
        payment(32, 900, "n/a", paid_price=" "),
        payment(33, 0),
        payment(34, 900, canceled=True, paid=True),
        payment(35, 900, free=True),
        payment(41, 910),
        payment(7, 999_999),
        payment(7, 900),
        operation(4, 1, "-20", **card | {"type": None, "sq_refund_id": "rf_1"}),
        operation(51, 1, "-20", card_bin="555555", card_last="5555 5555 5555 4444"),
        operation(52, 1, card_last=42),
        operation(53, 1, card_last="xx"),
    ]


def _templates() -> list[Any]:
    return [
        template(16),
        product(8, 2, free=True),
        product(9, 2),
        product(3, 2, deleted=True),
        product(40, 4),
        link("template_products", 5, template_id=16, product_id=3),
        link("template_products", 9, template_id=16, product_id=8),
        link("template_products", 10, template_id=16, product_id=40),
        link("template_products", 11, template_id=16, product_id=999),
        link("template_view_groups", 121, template_id=16, group_id=13),
    ]


def _notes() -> list[Any]:
    return [note(12, 501, 777), note(13, 501, 501), note(14, 501, 501, "   ")]


def _notifications() -> list[Any]:
    return [
        notification(100001, 501),
        notification(161, 501, send=False),
        notification(162, 999999),
        notification(163, 501, created_at="0001-01-01T00:00:00"),
        notification(164, 501, template_context="not json"),
    ]


# --- what they must give ----------------------------------------------------------------------------------------------


def _check_g1(view: View) -> None:
    for table in ("profiles", "doctors"):
        assert view.one(table, legacy_user_id=501)["id"] == "dfd13d88-ad35-516c-9e0b-6ebbe4be46a4"
    assert view.one("payments", legacy_payment_id=1)["id"] == "8b881ab0-97a8-5408-8909-317c6119a9d3"
    found = view.one("notifications", legacy_notification_id=100001)
    assert found["id"] == "ea03d0d3-7536-54f5-aef3-e2733c7056af"


def _check_g2(view: View) -> None:
    row = view.of("payments", 1)
    assert row["amount"] == Decimal("1234.51")
    assert (row["status"], row["payment_method"], row["tax_rate"]) == ("completed", "card", Decimal("0.0825"))
    assert row["processed_at"] == dt.datetime(2024, 3, 1, 8, tzinfo=dt.UTC)
    assert row["order_id"] == "3dbb5b6b-9ad6-52ee-8547-b4736a1fc864"
    assert row["installments"] == {}
    assert row["patient_id"] == view.of("profiles", 601)["id"]


def _check_g3(view: View) -> None:
    assert view.of("payments", 31)["amount"] == Decimal("12.50")
    assert view.warnings("payments", 31) == {"BAD_MONEY", "AMOUNT_FALLBACK"}
    assert view.outcomes("payments", 32) == [("rejected", "INVALID_AMOUNT")]
    assert view.outcomes("payments", 33) == [("rejected", "MISSING_REQUIRED")]
    assert view.of("payments", 34)["status"] == "cancelled"
    assert view.of("payments", 35)["payment_method"] is None


def _check_g4(view: View) -> None:
    assert view.of("payments", 41)["patient_id"] is None
    assert view.warnings("payments", 41) == {"PATIENT_PROFILE_MISMATCH"}


def _check_g5(view: View) -> None:
    row = view.of("payment_operations", 4)
    assert row["id"] == "fa479a14-6055-5937-8a20-667a0bba147f"
    assert (row["operation_type"], row["amount"]) == ("refund", Decimal("20.00"))
    assert (row["card_brand"], row["card_last4"]) == ("MASTERCARD", "4444")
    assert view.outcomes("payment_operations", 51) == [("rejected", "NEGATIVE_AMOUNT")]
    raw = view.one("rejected_row", source_table="dispatch_operation", source_pk="51")["raw"]
    assert (raw["card_last"], "card_bin" in raw) == ("4444", False)
    assert view.of("payment_operations", 52)["card_last4"] == "0042"
    assert view.of("payment_operations", 53)["card_last4"] is None


def _check_g6(view: View) -> None:
    assert [view.of("orders", 960 + place)["notes"] for place in range(len(NOTES))] == list(NOTES.values())
    assert view.of("orders", 980)["exports"] == {"card": "[PAN-REDACTED]"}


def _check_g7(view: View) -> None:
    row = view.of("template_products", 5)
    assert row["id"] == "c84095f7-e069-5c79-972f-1191e36e234a"
    assert (row["product_id"], row["legacy_course_id"]) == (view.of("products", 8)["id"], 2)
    assert view.outcomes("template_products", 9) == [("merged", None)]
    assert view.outcomes("template_products", 10) == [("rejected", "COURSE_NOT_MAPPED")]
    assert view.outcomes("template_products", 11) == [("rejected", "PRODUCT_NOT_FOUND")]


def _check_g8(view: View) -> None:
    row = view.one("products", legacy_course_id=2)
    assert (row["legacy_product_id"], row["base_price"]) == (8, Decimal("0.00"))
    assert row["metadata"]["merged_legacy_product_ids"] == [9]
    found = {pk: [outcome for outcome, _ in view.outcomes("products", pk)] for pk in (3, 8, 9)}
    assert found == {3: ["skipped"], 8: ["loaded"], 9: ["merged"]}


def _check_g9(view: View) -> None:
    row = view.one("technicians", legacy_user_id=501)
    assert (row["id"], row["legacy_role_id"]) == ("6aa71b95-7278-5da3-872f-67c2b56031a1", 9)
    assert row["specialty"] == "Sectioning Technician"
    found = {pk: [outcome for outcome, _ in view.outcomes("technicians", pk)] for pk in (4, 91, 92)}
    assert found == {4: ["merged"], 91: ["skipped"], 92: ["skipped"]}


def _check_g10(view: View) -> None:
    row = view.of("shipments", 900)
    assert row["shipped_at"] == dt.datetime(2025, 2, 28, 0, 30, tzinfo=dt.UTC)
    assert row["estimated_delivery_date"] == dt.date(2025, 3, 3)
    assert (row["tracking_number"], row["carrier"]) == ("LEGACY_900", "UPS")
    row = view.of("shipments", 901)
    assert row["shipped_at"] == dt.datetime(2025, 1, 30, tzinfo=dt.UTC)
    assert row["estimated_delivery_date"] == dt.date(2025, 2, 2)
    assert view.of("orders", 902)["status"] == "in_production"
    assert len(view.rows("shipments")) == 2


def _check_g11(view: View) -> None:
    assert view.of("doctor_notes", 12)["id"] == "22fd9e3f-44f7-53b6-8d71-e6ece4a87574"
    assert view.outcomes("team_communications", 12) == [("rejected", "AUTHOR_NOT_DOCTOR")]
    assert view.of("doctor_notes", 13)["note_text"] == "Check molar"
    team = view.one("teams", name="Medical Team")
    assert view.of("team_communications", 13)["team_id"] == team["id"]
    for target in ("doctor_notes", "team_communications"):
        assert view.outcomes(target, 14) == [("rejected", "EMPTY_TEXT")]


def _check_g12(view: View) -> None:
    row = view.one("teams", name="Medical Team")
    assert (row["id"], row["legacy_group_id"]) == ("eea1f56a-1524-5b6b-8d7e-4a5990282d91", 2)
    assert view.outcomes("teams", 12) == [("merged", None)]
    assert row["member_count"] == len({501, 502, 503, 151})
    assert view.outcomes("teams", 13) == [("rejected", "GROUP_NOT_MAPPED")]
    assert view.of("template_view_groups", 121)["group_name"] == "Archive"


def _check_g13(view: View) -> None:
    assert [outcome for outcome, _ in view.outcomes("payments", 7)] == ["merged", "loaded"]


def _check_g14(view: View) -> None:
    rows = view.some("rejected_row", source_table="dispatch_note", source_pk="row:3")
    found = {(row["target_table"], row["reason_code"]) for row in rows}
    assert found == {("doctor_notes", "MALFORMED_ROW"), ("team_communications", "MALFORMED_ROW")}
    row = view.one("rejected_row", source_table="auth_user", source_pk="row:2")
    assert (row["target_table"], row["reason_code"]) == ("profiles", "INVALID_PK")
    assert row["raw"] == {"id": "abc", "username": "odd"}


def _check_g15(view: View) -> None:
    kinds = [view.of("profiles", number)["profile_type"] for number in (151, 152, 153, 154)]
    assert kinds == ["patient", "master", "admin", "patient"]


def _check_g16(view: View) -> None:
    assert [outcome for outcome, _ in view.outcomes("notifications", 161)] == ["skipped"]
    assert view.outcomes("notifications", 162) == [("rejected", "PROFILE_NOT_FOUND")]
    assert view.outcomes("notifications", 163) == [("rejected", "INVALID_TIMESTAMP")]
    assert view.one("notifications", legacy_notification_id=164)["context"] == {"raw": "not json"}


def _check_g18(view: View) -> None:
    row = view.of("orders", 918)
    assert (row["course_type"], row["metadata"]["legacy_course_id"]) == ("main", 5)
    assert view.warnings("orders", 918) == {"UNKNOWN_COURSE"}


CHECKS: dict[str, Callable[[View], None]] = {
    name.removeprefix("_check_").upper(): check for name, check in globals().items() if name.startswith("_check_g")
}

# --- the report on the real numbers (example 17) ----------------------------------------------------------------------

REAL = {
    "payments": (16_014, 16_011),
    "payment_operations": (3_522, 3_522),
    "template_products": (166, 93),
    "template_view_groups": (183, 183),
    "technicians": (32, 32),
    "shipments": (2_453, 2_453),
    "teams": (9, 9),
    "team_communications": (963, 783),
    "storages": (1, 1),
    "ware": (16_552, 16_552),
    "roles": (46, 46),
    "role_permissions": (1_244, 1_244),
    "templates": (152, 152),
    "template_edit_roles": (603, 603),
    "template_view_roles": (1_036, 1_036),
    "template_predecessors": (191, 191),
}


def report_on(**numbers: tuple[int, int]) -> dict[str, Row]:
    """The report on rows and migrated rows per component, by default the real ones."""
    counts = {name: Counts(source) for name, (source, _) in (REAL | numbers).items()}
    for name, (_, migrated) in (REAL | numbers).items():
        counts[name].outcomes["loaded"] = migrated
    assert counts.keys() > MINIMUM_RATES.keys()
    return success_report(counts)
