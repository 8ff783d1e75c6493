"""Small clean records that tests change one value of."""

from typing import Any

from tests.dental.dental_files import TABLES, Row

Export = dict[str, list[Any]]
Record = tuple[str, Row]

GROUPS = {
    name: number
    for number, name in enumerate(
        ("Patient", "Doctor", "Sales", "Administrator", "Master", "Support", "Billing", "Export", "External"), start=1
    )
} | {"Technician": 11}
AT = "2024-01-01T00:00:00Z"


def groups() -> list[Record]:
    """The usual groups."""
    return [("auth_group", {"id": number, "name": name}) for name, number in GROUPS.items()]


def user(key: int, *names: str, **values: Any) -> list[Record]:
    """A user and the groups that they are in."""
    clean = {
        "id": key,
        "username": f"name{key}",
        "first_name": "Ann",
        "last_name": "Lee",
        "email": f"user{key}@mail.test",
        "is_active": True,
        "is_superuser": False,
        "is_staff": False,
        "date_joined": AT,
    }
    links = [
        ("auth_user_groups", {"id": key * 10 + place, "user_id": key, "group_id": GROUPS[name]})
        for place, name in enumerate(names)
    ]
    return [("auth_user", clean | values), *links]


def doctor(key: int, *, verified: bool = True, **values: Any) -> list[Record]:
    """A doctor, verified or not."""
    setting = [("dispatch_doctorsetting", {"id": key, "user_id": key})] if verified else []
    return [*user(key, "Doctor", **values), *setting]


def office(key: int, /, **values: Any) -> Record:
    """An office."""
    clean = {"id": key, "name": f"Office number {key}", "valid": True, "tax_rate": "8.25", "city": "Reno"}
    return "dispatch_office", clean | values


def doctor_office(key: int, user_id: Any, office_id: Any) -> Record:
    """A doctor's place in an office."""
    return "dispatch_office_doctors", {"id": key, "user_id": user_id, "office_id": office_id}


def patient(key: int, user_id: Any, doctor_id: Any = None, /, **values: Any) -> Record:
    """A patient."""
    clean = {"id": key, "user_id": user_id, "doctor_id": doctor_id, "sex": 2, "status": 4, "submitted_at": AT}
    return "dispatch_patient", clean | values


def product(key: int, course_id: Any, /, **values: Any) -> Record:
    """A product."""
    return "dispatch_product", {"id": key, "name": f"Product number {key}", "course_id": course_id, **values}


def order(key: int, patient_id: Any, status: Any = 2, /, **values: Any) -> Record:
    """An order."""
    clean = {"id": key, "patient_id": patient_id, "course_id": 1, "status": status, "updated_at": AT}
    return "dispatch_instruction", clean | values


def payment(key: Any, instruction_id: Any, total: Any = "100.00", /, **values: Any) -> Record:
    """A payment."""
    clean = {"id": key, "instruction_id": instruction_id, "total_price": total, "paid": True, "made_at": AT}
    return "dispatch_payment", clean | values


def operation(key: int, payment_id: Any, price: Any = "100.00", /, **values: Any) -> Record:
    """An operation on a payment."""
    return "dispatch_operation", {"id": key, "payment_id": payment_id, "type": 1, "price": price, **values}


def template(key: int, /, **values: Any) -> Record:
    """A template."""
    return "dispatch_template", {"id": key, "task_name": f"Template number {key}", "status": 1, **values}


def role(key: int, name: Any, /, **values: Any) -> Record:
    """A role."""
    return "dispatch_role", {"id": key, "name": name, **values}


def note(key: int, doctor_id: Any, author_id: Any, text: Any = "Check molar", /, **values: Any) -> Record:
    """A note about a doctor."""
    return "dispatch_note", {"id": key, "doctor_id": doctor_id, "author_id": author_id, "text": text, **values}


def notification(key: int, recipient_id: Any, /, **values: Any) -> Record:
    """A notification that was sent."""
    clean = {"id": key, "recipient_id": recipient_id, "created_at": AT, "sent": True, "send": True, "read": False}
    return "dispatch_notification", clean | values


def link(table: str, key: int, /, **values: Any) -> Record:
    """A row of a table that ties others."""
    return f"dispatch_{table}", {"id": key, **values}


def export_of(*given: "Record | list[Record]") -> Export:
    """Records by their tables; every table is there."""
    export: Export = {table: [] for table in TABLES}
    for each in given:
        for table, row in each if isinstance(each, list) else [each]:
            export[table].append(row)
    return export
