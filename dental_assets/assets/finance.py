"""Money: payments for orders, and what was done at the payment service."""

import pandas as pd
import sqlalchemy as sa

from dental_assets import checks, sources, tables
from dental_assets.assets import FINANCE, Traced, legacy_table
from dental_assets.card_checks import no_card_numbers
from dental_assets.parsing.cards import brands, last_digits
from dental_assets.parsing.column import truth
from dental_assets.parsing.json_values import json_texts
from dental_assets.parsing.numbers import amounts, booleans, ids, integers, rates, stated_amounts
from dental_assets.parsing.rows import parsed_rows
from dental_assets.parsing.text import texts
from dental_assets.parsing.times import timestamps
from dental_assets.rules import dropped, missing, unknown
from dental_assets.sql import named, words

orders_, patients_, profiles_ = tables.orders, tables.patients, tables.profiles
payments_, operations_ = tables.payments, tables.payment_operations

OPERATION_TYPES = {1: "payment", 2: "refund"}


def _resolved_payments(stage: sa.Table) -> Traced:
    """A patient is linked only by a profile of that type; the money is kept in any case."""
    doctor, office = tables.doctors, tables.offices
    joined = (
        stage.outerjoin(orders_, orders_.c.legacy_instruction_id == stage.c.legacy_instruction_id)
        .outerjoin(patients_, patients_.c.id == orders_.c.patient_id)
        .outerjoin(profiles_, sa.and_(profiles_.c.id == patients_.c.profile_id, profiles_.c.profile_type == "patient"))
        .outerjoin(doctor, doctor.c.legacy_user_id == stage.c.legacy_doctor_id)
        .outerjoin(office, office.c.legacy_office_id == stage.c.legacy_office_id)
    )
    return Traced(
        joined,
        {
            "order_id": orders_.c.id,
            "patient_id": profiles_.c.id,
            "doctor_id": doctor.c.id,
            "office_id": office.c.id,
            "amount": stage.c.stated_amount,
            "currency": words("USD"),
            "status": sa.case((stage.c.canceled, "cancelled"), (stage.c.paid, "completed"), else_="pending"),
            "payment_method": sa.case((sa.not_(stage.c.is_free), sa.case((stage.c.netsuite, "other"), else_="card"))),
        },
        [
            missing(stage.c.legacy_instruction_id),
            unknown("ORDER_NOT_FOUND", orders_),
            ("INVALID_AMOUNT", stage.c.stated_amount.is_(None)),
            ("NEGATIVE_AMOUNT", stage.c.stated_amount < 0),
        ],
        {
            "PATIENT_PROFILE_MISMATCH": profiles_.c.id.is_(None),
            **dropped("DOCTOR_NOT_FOUND", stage.c.legacy_doctor_id, doctor),
            **dropped("OFFICE_NOT_FOUND", stage.c.legacy_office_id, office),
        },
        notes={name: stage.c[name] for name in ("netsuite", "legacy_doctor_id", "legacy_office_id", "legacy_order_id")},
    )


@legacy_table(
    payments_,
    sources.dispatch_payment,
    group=FINANCE,
    resolve=_resolved_payments,
    upstream=["patients"],
    own_checks=[
        checks.success_rate("payments"),
        checks.payment_amount_reconciliation,
        checks.payment_amount_mean,
        checks.patient_link_rate,
        no_card_numbers(payments_, "installments"),
    ],
)
def payments(rows: pd.DataFrame) -> pd.DataFrame:
    """Payments for orders; where there is no total the price that was paid is the amount."""
    total, paid = amounts(rows["total_price"]), amounts(rows["paid_price"])
    columns = {
        "stated_amount": stated_amounts(rows),
        "paid_amount": paid,
        **{
            target: amounts(rows[column])
            for target, column in (
                ("subtotal_amount", "subtotal_price"),
                ("additional_amount", "additional_price"),
                ("tax_amount", "tax_value"),
                ("used_credit", "used_credit"),
                ("custom_amount", "custom_price"),
            )
        },
        "tax_rate": rates(rows["tax_rate"]),
        "is_free": booleans(rows["free"]),
        **{name: booleans(rows[name]) for name in ("canceled", "paid", "netsuite")},
        "installments": json_texts(rows["installments"], redact=True),
        "processed_at": timestamps(rows["made_at"]),
        **{f"legacy_{name}_id": ids(rows[f"{name}_id"]) for name in ("instruction", "doctor", "office", "order")},
    }
    fallback = {"AMOUNT_FALLBACK": total.missing}
    return parsed_rows(rows, sources.dispatch_payment, "legacy_payment_id", columns, fallback)


def _resolved_operations(stage: sa.Table) -> Traced:
    known = stage.c.type_code.in_(OPERATION_TYPES)
    by_refund = sa.case((stage.c.square_refund_id.is_not(None), "refund"), else_="payment")
    kind = named(stage.c.type_code, OPERATION_TYPES, by_refund)
    return Traced(
        stage.outerjoin(payments_, payments_.c.legacy_payment_id == stage.c.legacy_payment_id),
        {"payment_id": payments_.c.id, "operation_type": kind, "amount": sa.func.abs(stage.c.price)},
        [
            missing(stage.c.legacy_payment_id),
            unknown("PAYMENT_NOT_FOUND", payments_),
            ("INVALID_AMOUNT", stage.c.price.is_(None)),
            ("NEGATIVE_AMOUNT", sa.and_(stage.c.price < 0, kind == "payment")),
        ],
        {"UNKNOWN_OPERATION_TYPE": sa.not_(sa.func.coalesce(known, sa.false()))},
    )


@legacy_table(
    operations_,
    sources.dispatch_operation,
    group=FINANCE,
    resolve=_resolved_operations,
    own_checks=[
        checks.success_rate("payment_operations"),
        checks.payment_operation_amount_mean,
        no_card_numbers(operations_),
    ],
)
def payment_operations(rows: pd.DataFrame) -> pd.DataFrame:
    """What was done at the payment service; of a card its brand and last four digits are kept."""
    last4, too_long = last_digits(rows["card_last"])
    attempts = integers(rows["attempts"])
    columns = {
        "legacy_payment_id": ids(rows["payment_id"]),
        "type_code": integers(rows["type"]),
        "price": amounts(rows["price"]),
        **{f"square_{name}_id": texts(rows[f"sq_{name}_id"]) for name in ("order", "payment", "refund")},
        "card_brand": brands(rows["card_brand"]),
        "card_last4": last4,
        "office_card": booleans(rows["office_card"]),
        "attempts": attempts.masked(truth(attempts.value < 0)).filled(0),
        "processed_at": timestamps(rows["made_at"]),
    }
    truncated = {"PAN_TRUNCATED": too_long}
    return parsed_rows(rows, sources.dispatch_operation, "legacy_operation_id", columns, truncated)
