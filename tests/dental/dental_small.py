"""A small clean export that no check has anything to say about, with one row of everything at least."""

from typing import Any

from tests.dental.dental_cases import (
    AT,
    GROUPS,
    Export,
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

FIRST, SECOND, THIRD = "20260219T000000Z", "20260319T000000Z", "20260419T000000Z"
DOCTORS, PATIENTS, TECHNICIANS = (1, 2, 3), (11, 12, 13), (21, 22)
CONTENT_TYPES = {"patient": 1, "user": 2, "order": 3}
# The targets whose rows another table's loaded rows are.
DERIVED = ("doctors", "cases", "shipments")


def small() -> Export:
    """The export."""
    return export_of(*_people(), *_reference(), *_medical(), *_finance(), *_communication())


def grown(*further: Any) -> Export:
    """The export with further rows at the end of their tables."""
    export = small()
    for table, rows in export_of(*further).items():
        export[table] += rows
    return export


def _people() -> list[Any]:
    return [
        groups(),
        *(doctor(key) for key in DOCTORS),
        *(user(key, "Patient") for key in PATIENTS),
        *(user(key, "Technician") for key in TECHNICIANS),
        user(31, "Administrator"),
        user(32, "Billing"),
        office(1),
        office(2, country="DE"),
        *(doctor_office(key, key, 1 + key % 2) for key in DOCTORS),
        *(patient(key - 10, key, key - 10, office_id=1, birthdate="1990-05-01", schemes={"a": 1}) for key in PATIENTS),
        role(1, "Sectioning Technician", abbrev="ST", type=1, order=1, user_id=21, group_id=GROUPS["Technician"]),
        role(2, "Remote Technician", order=2, user_id=22, group_id=GROUPS["Technician"]),
        role(3, "Seller", group_id=GROUPS["Sales"]),
    ]


def _reference() -> list[Any]:
    return [
        *(("auth_permission", {"id": key, "name": f"Can {key}", "codename": f"can_{key}"}) for key in (1, 2)),
        *(link("role_permissions", key, role_id=key, permission_id=1 + key % 2) for key in (1, 2)),
        ("dispatch_category", {"id": 1, "name": "All"}),
        ("dispatch_category", {"id": 2, "name": "Some", "parent_id": 1}),
        *(template(key, category_id=2, duration=5, function=1) for key in (1, 2, 3)),
        link("template_predecessors", 1, from_template_id=2, to_template_id=1),
        link("template_predecessors", 2, from_template_id=3, to_template_id=2),
        *(link("template_edit_roles", key, template_id=key, role_id=1) for key in (1, 2)),
        *(link("template_view_roles", key, template_id=key, role_id=2) for key in (1, 2)),
        link("template_view_groups", 1, template_id=1, group_id=GROUPS["Doctor"]),
        link("template_view_groups", 2, template_id=1, group_id=GROUPS["Master"]),
        product(1, 1, free=True, customization={"b": 2}),
        product(2, 2),
        *(link("template_products", key, template_id=key, product_id=1) for key in (1, 2, 3)),
        ("dispatch_storage", {"id": 1, "name": "Shelf"}),
        *(("dispatch_ware", {"id": key, "storage_id": 1, "name": "Glue", "quantity": 3}) for key in (1, 2)),
        *(
            ("django_content_type", {"id": key, "app_label": "dispatch", "model": model})
            for model, key in CONTENT_TYPES.items()
        ),
    ]


def _medical() -> list[Any]:
    return [
        *(order(key, key, 2, price="10.00", exports={"c": [1]}) for key in (1, 2, 3)),
        *(order(key, 1, 4, updated_at="2025-02-27T12:00:00Z") for key in (4, 5)),
        *(("dispatch_plan", {"id": key, "instruction_id": key}) for key in (1, 2)),
        *(("dispatch_comment", {"id": key, "text": "Fine", "author_id": 1, "plan_id": key}) for key in (1, 2)),
        *(
            ("dispatch_task", {"id": key, "instruction_id": 1, "template_id": 1, "actor_id": 21, "checked": True})
            for key in (1, 2)
        ),
        *(
            ("dispatch_file", {"id": key, "uid": f"u{key}", "ext": ".jpg", "size": 9, "instruction_id": 1})
            for key in (1, 2)
        ),
    ]


def _finance() -> list[Any]:
    return [
        *(payment(key, key, tax_rate="8.25", installments=[{"n": 1}]) for key in (1, 2, 3)),
        *(operation(key, key, card_brand="visa", card_last="1234", attempts=1, made_at=AT) for key in (1, 2, 3)),
    ]


def _communication() -> list[Any]:
    return [
        *(note(key, key, key, f"Note number {key}") for key in (1, 2, 3)),
        *(
            ("dispatch_record", {"id": key, "target_id": key, "target_type_id": 1, "type": 3, "text": "Hello"})
            for key in (1, 2)
        ),
        ("dispatch_record", {"id": 3, "target_id": 1, "target_type_id": 2, "type": 5, "text": "Hello", "author_id": 2}),
        *(notification(key, 1, template_context={"d": 1}, item_type_id=1, item_id=1) for key in (1, 2, 100_001)),
    ]
