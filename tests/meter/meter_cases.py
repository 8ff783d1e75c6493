"""Small clean records that tests change one value of."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tests.meter.meter_files import TABLES, Row

Export = dict[str, list[Any]]


def tenant(key: int = 1, /, **values: Any) -> Row:
    """A tenant."""
    return {"id": key, "name": f"Tenant number {key}", **values}


def customer(key: int, tenant_id: Any = 1, /, **values: Any) -> Row:
    """A user who is a customer and owes nothing."""
    clean = {"id": key, "tenant_id": tenant_id, "role": "customer", "name": "Ann", "balance": 0, "overpayment": 0}
    return clean | values


def meter(key: int, tenant_id: Any = 1, /, **values: Any) -> Row:
    """A meter."""
    return {"id": key, "tenant_id": tenant_id, "meter_number": f"M-{key}", "status": "active", **values}


def assignment(key: int, customer_id: Any, meter_id: Any, active: Any = True, at: Any = None, /, **values: Any) -> Row:
    """An assignment of a meter to a customer, of the meter's tenant."""
    clean = {"id": key, "tenant_id": None, "customer_id": customer_id, "meter_id": meter_id}
    return clean | {"is_active": active, "assigned_at": at, **values}


def bill(key: int, customer_id: Any, total: Any, kind: Any = "METER_READING", /, **values: Any) -> Row:
    """A bill of a customer."""
    return {"id": key, "customer_id": customer_id, "bill_type": kind, "total_amount": total, "amount": 7, **values}


def invoice(
    key: int, customer_id: Any, meter_id: Any, stored: tuple[Any, Any, Any] = (0, 0, 0), /, **values: Any
) -> Row:
    """An invoice with its three stored amounts."""
    names = ("amount", "balance_brought_forward", "total_amount")
    clean = {"id": key, "tenant_id": None, "customer_id": customer_id, "meter_id": meter_id, "status": "not paid"}
    return clean | dict(zip(names, stored, strict=True)) | values


def link(key: int, invoice_id: Any, bill_id: Any, amount: Any = None, /, **values: Any) -> Row:
    """A bill on an invoice."""
    return {"id": key, "invoice_id": invoice_id, "bill_id": bill_id, "amount": amount, **values}


def payment(key: int, customer_id: Any, amount: Any = 10, /, **values: Any) -> Row:
    """A payment, by default in advance."""
    clean = {"id": key, "tenant_id": None, "customer_id": customer_id, "invoice_id": None, "meter_id": None}
    return clean | {"amount": amount, "status": "paid", "method": "cash", **values}


def overpayment(key: int, customer_id: Any, amount: Any, payment_id: Any = None, /, **values: Any) -> Row:
    """A credit of a customer."""
    return {"id": key, "customer_id": customer_id, "payment_id": payment_id, "amount": amount, **values}


def invoiced(
    key: int, customer_id: int, meter_id: Any, charges: Any, carried: Any = 0, **values: Any
) -> Iterator[tuple[str, Row]]:
    """An invoice that is right, with its bills and their links; ids of these follow from that of the invoice."""
    total = Decimal(charges) + Decimal(carried)
    yield "invoices", invoice(key, customer_id, meter_id, (charges, carried, total), **values)
    for number, (amount, kind) in enumerate([(charges, "WATER_USAGE"), (carried, "BALANCE")]):
        if amount:
            yield "bills", bill(key * 10 + number, customer_id, amount, kind)
            yield "invoice_bills", link(key * 10 + number, key, key * 10 + number, amount)


def export_of(*records: tuple[str, Row]) -> Export:
    """Records by their tables."""
    export: Export = {table: [] for table in TABLES}
    for table, record in records:
        export[table].append(record)
    return export
