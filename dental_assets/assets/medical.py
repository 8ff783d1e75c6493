"""Treatment: cases, orders, the tasks and files of orders, and what was said about them."""

import pandas as pd
import sqlalchemy as sa

from dental_assets import lookups, sources, tables
from dental_assets.assets import MEDICAL, Traced, driven_table, legacy_table
from dental_assets.card_checks import no_card_numbers
from dental_assets.parsing.cards import redacted_texts
from dental_assets.parsing.column import truth
from dental_assets.parsing.json_values import json_texts
from dental_assets.parsing.numbers import amounts, booleans, ids, integers
from dental_assets.parsing.rows import parsed_rows
from dental_assets.parsing.text import texts
from dental_assets.parsing.times import timestamps
from dental_assets.rules import dropped, missing, unknown
from dental_assets.sql import named, prefixed, words

patients_, orders_, profiles_, templates_ = tables.patients, tables.orders, tables.profiles, tables.templates

CASE_STATUSES = {
    1: "consultation",
    2: "diagnosis",
    3: "treatment_plan",
    4: "active",
    5: "refinement",
    6: "retention",
    7: "completed",
    8: "cancelled",
    9: "on_hold",
    10: "transferred",
    11: "revision",
}
COURSES = {1: "main", 2: "refinement", 3: "replacement", 4: "any", 7: "invoice", 8: "merchandise"}
ORDER_STATUSES = {0: "no_product", 1: "submitted", 2: "approved", 3: "in_production", 4: "shipped"}
APPROVED, SHIPPED = (2, 3, 4), 4
JAWS = range(10)
MIME_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".stl": "model/stl",
    ".zip": "application/zip",
    ".dxf": "application/dxf",
    ".dcm": "application/dicom",
    ".pdf": "application/pdf",
    ".txt": "text/plain",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
OTHER_MIME_TYPE = "application/octet-stream"


# --- cases ------------------------------------------------------------------------------------------------------------


@driven_table(tables.cases, patients_, sources.dispatch_patient, group=MEDICAL, lookups=(lookups.patient_statuses,))
def cases(stage: sa.Table, statuses: sa.Table) -> Traced:
    """Treatment cases, one per patient."""
    patient, own = patients_, patients_.c.legacy_patient_id
    joined = stage.join(patient, patient.c.id == stage.c.id).outerjoin(statuses, statuses.c.id == own)
    return Traced(
        joined,
        {
            "patient_id": patient.c.id,
            "primary_doctor_id": patient.c.primary_doctor_id,
            "office_id": patient.c.assigned_office_id,
            "case_number": sa.func.concat("CASE-", patient.c.suffix + "-", own),
            "status": named(statuses.c.status, CASE_STATUSES, "consultation"),
            "deleted": sa.or_(patient.c.archived, patient.c.suspended),
            "opened_at": patient.c.enrolled_at,
            "updated_at": patient.c.updated_at,
            "legacy_patient_id": own,
        },
        warnings={"BAD_INT": statuses.c.warnings.is_not(None)},
        notes={"legacy_status": statuses.c.status},
    )


# --- orders -----------------------------------------------------------------------------------------------------------


def _resolved_orders(stage: sa.Table) -> Traced:
    patient, own = patients_, stage.c.legacy_instruction_id
    status, course = stage.c.status_code, stage.c.course_code
    return Traced(
        stage.outerjoin(patient, patient.c.legacy_patient_id == stage.c.patient_ref),
        {
            "order_number": sa.func.concat(patient.c.suffix + "-", own),
            "patient_id": patient.c.id,
            "doctor_id": patient.c.primary_doctor_id,
            "office_id": patient.c.assigned_office_id,
            "course_type": named(course, COURSES, "main"),
            "status": named(status, ORDER_STATUSES, "no_product"),
            "approved_at": sa.case((status.in_(APPROVED), stage.c.updated_at)),
            "shipped_at": sa.case((status == SHIPPED, stage.c.updated_at)),
        },
        [
            missing(stage.c.patient_ref),
            unknown("PATIENT_NOT_FOUND", patient),
            ("DOCTOR_NOT_FOUND", patient.c.primary_doctor_id.is_(None)),
        ],
        {
            "UNKNOWN_COURSE": sa.func.coalesce(course.not_in(COURSES), sa.true()),
            "UNKNOWN_STATUS": sa.func.coalesce(status.not_in(ORDER_STATUSES), sa.true()),
        },
        [("order_deleted", stage.c.deleted)],
        notes={
            "legacy_status": status,
            "legacy_course_id": course,
            **{name: stage.c[name] for name in ("upper_jaw_id", "lower_jaw_id")},
        },
    )


@legacy_table(
    orders_,
    sources.dispatch_instruction,
    group=MEDICAL,
    resolve=_resolved_orders,
    own_checks=[no_card_numbers(orders_, "notes", "complaint", "exports")],
)
def orders(rows: pd.DataFrame) -> pd.DataFrame:
    """Orders: the legacy instructions; a negative amount is none."""
    amount, exports = amounts(rows["price"]), json_texts(rows["exports"], redact=True)
    columns = {
        "patient_ref": ids(rows["patient_id"]),
        "course_code": ids(rows["course_id"]),
        "status_code": integers(rows["status"]),
        "notes": redacted_texts(texts(rows["notes"])),
        "complaint": redacted_texts(texts(rows["complaint"])),
        "amount": amount.without(truth(amount.value < 0)),
        "submitted_at": timestamps(rows["submitted_at"]),
        "updated_at": timestamps(rows["updated_at"]),
        "deleted": booleans(rows["deleted"]),
        "exports": exports.masked(exports.value.isin(["{}", "[]"])),
        "upper_jaw_id": ids(rows["upper_jaw_id"]),
        "lower_jaw_id": ids(rows["lower_jaw_id"]),
    }
    return parsed_rows(rows, sources.dispatch_instruction, "legacy_instruction_id", columns)


# --- tasks and files --------------------------------------------------------------------------------------------------


def _resolved_tasks(stage: sa.Table) -> Traced:
    joined = (
        stage.outerjoin(orders_, orders_.c.legacy_instruction_id == stage.c.order_ref)
        .outerjoin(templates_, templates_.c.legacy_template_id == stage.c.legacy_template_id)
        .outerjoin(profiles_, profiles_.c.legacy_user_id == stage.c.actor_ref)
    )
    by_id = sa.case(
        (stage.c.legacy_template_id.is_(None), words("Unknown Template")),
        else_=prefixed("Template ", stage.c.legacy_template_id),
    )
    done = stage.c.completed_at.is_not(None)
    return Traced(
        joined,
        {
            "order_id": orders_.c.id,
            "template_id": templates_.c.id,
            "template_name": sa.func.coalesce(templates_.c.name, by_id),
            "assigned_to": profiles_.c.id,
            "status": sa.case((sa.and_(stage.c.checked, done), "completed"), (done, "in_progress"), else_="pending"),
        },
        [missing(stage.c.order_ref), unknown("ORDER_NOT_FOUND", orders_)],
        {
            **dropped("TEMPLATE_NOT_FOUND", stage.c.legacy_template_id, templates_),
            **dropped("PROFILE_NOT_FOUND", stage.c.actor_ref, profiles_),
        },
        notes={name: stage.c[name] for name in ("legacy_file_id", "legacy_plan_id", "legacy_template_id")},
    )


@legacy_table(
    tables.tasks,
    sources.dispatch_task,
    group=MEDICAL,
    resolve=_resolved_tasks,
    own_checks=[no_card_numbers(tables.tasks, "description")],
)
def tasks(rows: pd.DataFrame) -> pd.DataFrame:
    """Tasks of an order."""
    jaw = integers(rows["jaw"])
    columns = {
        "order_ref": ids(rows["instruction_id"]),
        "actor_ref": ids(rows["actor_id"]),
        "checked": booleans(rows["checked"]),
        "completed_at": timestamps(rows["done_at"]),
        "description": redacted_texts(texts(rows["text"])),
        "jaw": jaw.masked(~jaw.value.isin(JAWS)),
        **{f"legacy_{name}_id": ids(rows[f"{name}_id"]) for name in ("file", "plan", "template")},
    }
    return parsed_rows(rows, sources.dispatch_task, "legacy_task_id", columns)


def _resolved_files(stage: sa.Table) -> Traced:
    by_id = sa.func.concat("file_", stage.c.legacy_file_id, stage.c.file_type)
    return Traced(
        stage.outerjoin(orders_, orders_.c.legacy_instruction_id == stage.c.order_ref),
        {"order_id": orders_.c.id, "filename": sa.func.coalesce(stage.c.filename, by_id)},
        [missing(stage.c.file_uid)],
        dropped("ORDER_NOT_FOUND", stage.c.order_ref, orders_),
        notes={name: stage.c[name] for name in ("legacy_type", "legacy_status")},
    )


@legacy_table(tables.files, sources.dispatch_file, group=MEDICAL, resolve=_resolved_files)
def files(rows: pd.DataFrame) -> pd.DataFrame:
    """Files of orders; a negative size is none."""
    extension, size = texts(rows["ext"]).mapped(str.lower), integers(rows["size"])
    mime_type = extension.mapped(lambda ext: MIME_TYPES.get(ext, OTHER_MIME_TYPE))
    columns = {
        "file_uid": texts(rows["uid"]),
        "order_ref": ids(rows["instruction_id"]),
        "filename": texts(rows["name"]),
        "file_type": extension,
        "mime_type": mime_type.filled(OTHER_MIME_TYPE),
        "file_size_bytes": size.without(truth(size.value < 0)),
        "uploaded_at": timestamps(rows["created_at"]),
        "legacy_type": integers(rows["type"]),
        "legacy_status": integers(rows["status"]),
    }
    return parsed_rows(rows, sources.dispatch_file, "legacy_file_id", columns)


# --- discussions ------------------------------------------------------------------------------------------------------


def _resolved_discussions(stage: sa.Table, plans: sa.Table) -> Traced:
    author = profiles_
    joined = (
        stage.outerjoin(plans, plans.c.id == stage.c.legacy_plan_id)
        .outerjoin(orders_, orders_.c.legacy_instruction_id == plans.c.instruction_id)
        .outerjoin(author, author.c.legacy_user_id == stage.c.author_ref)
    )
    return Traced(
        joined,
        {"order_id": orders_.c.id, "author_id": author.c.id, "author_role": author.c.profile_type},
        [
            missing(stage.c.legacy_plan_id),
            unknown("PLAN_NOT_FOUND", plans),
            unknown("ORDER_NOT_FOUND", orders_),
            ("EMPTY_TEXT", stage.c.content.is_(None)),
        ],
        dropped("PROFILE_NOT_FOUND", stage.c.author_ref, author),
    )


@legacy_table(
    tables.treatment_discussions,
    sources.dispatch_comment,
    group=MEDICAL,
    resolve=_resolved_discussions,
    lookups=(lookups.plans,),
    own_checks=[no_card_numbers(tables.treatment_discussions, "content")],
)
def treatment_discussions(rows: pd.DataFrame) -> pd.DataFrame:
    """What was said about the plan of an order."""
    columns = {
        "legacy_plan_id": ids(rows["plan_id"]),
        "author_ref": ids(rows["author_id"]),
        "content": redacted_texts(texts(rows["text"])),
        "created_at": timestamps(rows["created_at"]),
    }
    return parsed_rows(rows, sources.dispatch_comment, "legacy_comment_id", columns)
