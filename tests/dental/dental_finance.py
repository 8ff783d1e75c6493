"""Payments with their operations, and the report on how much was migrated."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from tests.dental import dental_scalars as scalars
from tests.dental.dental_files import Row
from tests.dental.dental_people import id_of
from tests.dental.dental_records import Counts, Draft, Record, Rejected

MINIMUM_RATES = {
    "payments": Decimal("99.98"),
    "payment_operations": Decimal("100.00"),
    "template_products": Decimal("56.02"),
    "template_view_groups": Decimal("100.00"),
    "technicians": Decimal("100.00"),
    "shipments": Decimal("100.00"),
    "teams": Decimal("100.00"),
    "team_communications": Decimal("81.31"),
}
PHASE_6 = (
    *("storages", "ware", "roles", "role_permissions", "templates", "template_edit_roles", "template_view_roles"),
    "template_predecessors",
)


class Finance:
    """The tables about money."""

    def __init__(self, draft: Draft) -> None:
        self.stored = draft.tables
        self.patients = {row["id"]: row for row in draft.tables["patients"].values()}
        self.profiles = {row["id"]: row for row in draft.tables["profiles"].values()}
        draft.carry("dispatch_payment", "payments", self._payment)
        draft.carry("dispatch_operation", "payment_operations", self._operation)

    def _payment(self, record: Record) -> Row:
        order = record.required("instruction_id", self.stored["orders"], "ORDER_NOT_FOUND")
        paid_price, amount = record.money("paid_price"), record.money("total_price")
        if amount is None:
            amount = paid_price
            record.warnings.add("AMOUNT_FALLBACK")
        if amount is None:
            raise Rejected("INVALID_AMOUNT")
        if amount < 0:
            raise Rejected("NEGATIVE_AMOUNT")
        canceled, paid = record.boolean("canceled"), record.boolean("paid")
        free, netsuite = record.boolean("free"), record.boolean("netsuite")
        profile = self.profiles[self.patients[order["patient_id"]]["profile_id"]]
        if profile["profile_type"] != "patient":
            record.warnings.add("PATIENT_PROFILE_MISMATCH")
        return {
            "order_id": order["id"],
            "patient_id": profile["id"] if profile["profile_type"] == "patient" else None,
            "doctor_id": id_of(record.resolved("doctor_id", self.stored["doctors"], "DOCTOR_NOT_FOUND")),
            "office_id": id_of(record.resolved("office_id", self.stored["offices"], "OFFICE_NOT_FOUND")),
            "amount": amount,
            "currency": "USD",
            "status": "cancelled" if canceled else "completed" if paid else "pending",
            "payment_method": None if free else "other" if netsuite else "card",
            "subtotal_amount": record.money("subtotal_price"),
            "additional_amount": record.money("additional_price"),
            "tax_amount": record.money("tax_value"),
            "used_credit": record.money("used_credit"),
            "paid_amount": paid_price,
            "custom_amount": record.money("custom_price"),
            "tax_rate": record.rate("tax_rate"),
            "is_free": free,
            "installments": scalars.redacted_document(record.document("installments")),
            "processed_at": record.moment("made_at"),
            "legacy_payment_id": record.pk,
            "legacy_instruction_id": record.integer("instruction_id"),
            "metadata": {
                "netsuite": netsuite,
                "legacy_doctor_id": record.integer("doctor_id"),
                "legacy_office_id": record.integer("office_id"),
                "legacy_order_id": record.integer("order_id"),
            },
        }

    def _operation(self, record: Record) -> Row:
        payment = record.required("payment_id", self.stored["payments"], "PAYMENT_NOT_FOUND")
        refund_id, number = record.text("sq_refund_id"), record.integer("type")
        kind = {1: "payment", 2: "refund"}.get(number or 0)
        if kind is None:
            record.warnings.add("UNKNOWN_OPERATION_TYPE")
            kind = "refund" if refund_id else "payment"
        price = record.money("price")
        if price is None:
            raise Rejected("INVALID_AMOUNT")
        if price < 0 and kind == "payment":
            raise Rejected("NEGATIVE_AMOUNT")
        return {
            "payment_id": payment["id"],
            "operation_type": kind,
            "amount": abs(price),
            "square_order_id": record.text("sq_order_id"),
            "square_payment_id": record.text("sq_payment_id"),
            "square_refund_id": refund_id,
            "card_brand": scalars.brand(record.text("card_brand")),
            "card_last4": record.last4("card_last"),
            "office_card": record.boolean("office_card"),
            "attempts": max(record.integer("attempts") or 0, 0),
            "processed_at": record.moment("made_at"),
            "legacy_operation_id": record.pk,
            "legacy_payment_id": payment["legacy_payment_id"],
        }


# --- the report -------------------------------------------------------------------------------------------------------


def success_report(counts: Mapping[str, Counts]) -> dict[str, Row]:
    """The rows of the report by component."""
    numbers = {name: _numbers(counts[name]) for name in (*MINIMUM_RATES, *PHASE_6)}
    rows = {name: _component(*numbers[name], minimum) for name, minimum in MINIMUM_RATES.items()}
    rates = [row["success_rate"] for row in rows.values() if row["success_rate"] is not None]
    mean = scalars.rounded(sum(rates, Decimal(0)) / len(rates), 2) if rates else None
    phase_7 = _sums(numbers[name] for name in MINIMUM_RATES)
    phase_6 = _sums(numbers[name] for name in PHASE_6)
    return rows | {
        "PHASE7_TOTAL": _information(*phase_7),
        "PHASE7_AVERAGE": _information(None, None) | {"success_rate": mean},
        "PHASE6_TOTAL": _information(*phase_6),
        "COMBINED_TOTAL": _information(*_sums([phase_6, phase_7])),
    }


def _numbers(counts: Counts) -> tuple[int, int]:
    return counts.source_rows - counts.outcomes["skipped"], counts.outcomes["loaded"]


def _sums(pairs: Iterable[tuple[int, int]]) -> tuple[int, int]:
    sources, migrated = zip(*pairs, strict=True)
    return sum(sources), sum(migrated)


def success_rate(source: int | None, migrated: int | None) -> Decimal | None:
    """The share that was migrated, in percent."""
    if not source or migrated is None:
        return None
    return scalars.rounded(Decimal(100 * migrated) / source, 2)


def _component(source: int, migrated: int, minimum: Decimal) -> Row:
    rate = success_rate(source, migrated)
    status = "NO_SOURCE" if rate is None else "COMPLETE" if rate >= minimum else "BELOW_MINIMUM"
    numbers = {"source_count": source, "migrated": migrated, "success_rate": rate}
    return {**numbers, "minimum_rate": minimum, "status": status}


def _information(source: int | None, migrated: int | None) -> Row:
    rate = success_rate(source, migrated)
    numbers = {"source_count": source, "migrated": migrated, "success_rate": rate}
    return {**numbers, "minimum_rate": None, "status": "INFO"}
