"""Orders and what is said and done about them: tasks, discussions, notes, messages, files, shipments, notifications."""

import datetime as dt

from tests.dental import dental_scalars as scalars
from tests.dental.dental_catalog import natural
from tests.dental.dental_files import Row
from tests.dental.dental_people import id_of
from tests.dental.dental_records import Draft, Record, Rejected, Skipped

_COURSES = {1: "main", 2: "refinement", 3: "replacement", 4: "any", 7: "invoice", 8: "merchandise"}
_STATUSES = {0: "no_product", 1: "submitted", 2: "approved", 3: "in_production", 4: "shipped"}
_MESSAGES = {3: "user_communication", 5: "clinical_note", 6: "patient_communication", 8: "status_update"}
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_MIME = {
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
    ".docx": _WORD,
}


class Medical:
    """The tables about orders, and those of communication."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.stored = draft.tables
        self.offices = {row["id"]: row for row in draft.tables["offices"].values()}

    def run(self) -> None:
        """Make the tables."""
        draft = self.draft
        draft.carry("dispatch_instruction", "orders", self._order)
        draft.carry("dispatch_task", "tasks", self._task)
        draft.carry("dispatch_comment", "treatment_discussions", self._discussion)
        draft.carry("dispatch_file", "files", self._file)
        draft.derive("orders", "shipments", self._shipment)
        draft.carry("dispatch_note", "doctor_notes", self._doctor_note)
        draft.carry("dispatch_note", "team_communications", self._team_communication)
        draft.carry("dispatch_record", "messages", self._message)
        draft.carry("dispatch_notification", "notifications", self._notification)

    def _author(self, record: Record) -> Row | None:
        return record.resolved("author_id", self.stored["profiles"], "PROFILE_NOT_FOUND")

    # --- orders -------------------------------------------------------------------------------------------------------

    def _order(self, record: Record) -> Row:
        if record.boolean("deleted"):
            raise Skipped
        patient = record.required("patient_id", self.stored["patients"], "PATIENT_NOT_FOUND")
        if patient["primary_doctor_id"] is None:
            raise Rejected("DOCTOR_NOT_FOUND")
        course, status = record.integer("course_id"), record.integer("status")
        if course not in _COURSES:
            record.warnings.add("UNKNOWN_COURSE")
        if status not in _STATUSES:
            record.warnings.add("UNKNOWN_STATUS")
        amount = record.money("price")
        if amount is not None and amount < 0:
            record.warnings.add("BAD_MONEY")
            amount = None
        updated = record.moment("updated_at")
        return {
            "order_number": f"{patient['suffix']}-{record.pk}" if patient["suffix"] else str(record.pk),
            "patient_id": patient["id"],
            "doctor_id": patient["primary_doctor_id"],
            "office_id": patient["assigned_office_id"],
            "course_type": _COURSES.get(course or 0, "main"),
            "status": "no_product" if status is None else _STATUSES.get(status, "no_product"),
            "notes": record.hidden("notes"),
            "complaint": record.hidden("complaint"),
            "amount": amount,
            "submitted_at": record.moment("submitted_at"),
            "approved_at": updated if status in (2, 3, 4) else None,
            "shipped_at": updated if status == 4 else None,
            "updated_at": updated,
            "exports": scalars.redacted_document(record.document("exports")) or None,
            "legacy_instruction_id": record.pk,
            "metadata": {
                "legacy_status": status,
                "legacy_course_id": course,
                "upper_jaw_id": record.integer("upper_jaw_id"),
                "lower_jaw_id": record.integer("lower_jaw_id"),
            },
        }

    def _shipment(self, record: Record) -> Row | None:
        order = self.stored["orders"][record.pk]
        if order["status"] != "shipped":
            self.stored["shipments"].pop(record.pk, None)
            return None
        at = order["shipped_at"] or order["submitted_at"]
        return {
            "order_id": order["id"],
            "tracking_number": f"LEGACY_{record.pk}",
            "carrier": "UPS",
            "status": "shipped",
            "shipped_at": at,
            "estimated_delivery_date": at.date() + dt.timedelta(days=3) if at else None,
            "delivered_at": None,
            "shipping_address": _address(self.offices.get(order["office_id"])),
            "legacy_instruction_id": record.pk,
            "metadata": {"generated": True},
        }

    def _task(self, record: Record) -> Row:
        order = record.required("instruction_id", self.stored["orders"], "ORDER_NOT_FOUND")
        template = record.resolved("template_id", self.stored["templates"], "TEMPLATE_NOT_FOUND")
        named, jaw = record.integer("template_id"), record.integer("jaw")
        checked, done = record.boolean("checked"), record.moment("done_at")
        unnamed = "Unknown Template" if named is None else f"Template {named}"
        return {
            "order_id": order["id"],
            "template_id": id_of(template),
            "template_name": template["name"] if template else unnamed,
            "assigned_to": id_of(record.resolved("actor_id", self.stored["profiles"], "PROFILE_NOT_FOUND")),
            "description": record.hidden("text"),
            "jaw": jaw if jaw is not None and 0 <= jaw <= 9 else None,
            "status": "pending" if done is None else "completed" if checked else "in_progress",
            "checked": checked,
            "completed_at": done,
            "legacy_task_id": record.pk,
            "metadata": {
                "legacy_file_id": record.integer("file_id"),
                "legacy_plan_id": record.integer("plan_id"),
                "legacy_template_id": named,
            },
        }

    def _file(self, record: Record) -> Row:
        uid = record.text("uid")
        if uid is None:
            raise Rejected("MISSING_REQUIRED")
        ext = record.text("ext")
        ext = ext.lower() if ext else None
        return {
            "file_uid": uid,
            "order_id": id_of(record.resolved("instruction_id", self.stored["orders"], "ORDER_NOT_FOUND")),
            "filename": record.text("name") or f"file_{record.pk}{ext or ''}",
            "file_type": ext,
            "file_size_bytes": natural(record, "size"),
            "mime_type": _MIME.get(ext or "", "application/octet-stream"),
            "uploaded_at": record.moment("created_at"),
            "legacy_file_id": record.pk,
            "metadata": {"legacy_type": record.integer("type"), "legacy_status": record.integer("status")},
        }

    # --- words --------------------------------------------------------------------------------------------------------

    def _discussion(self, record: Record) -> Row:
        plan = record.integer("plan_id")
        if plan is None:
            raise Rejected("MISSING_REQUIRED")
        plans = self.draft.lookup("dispatch_plan")
        if plan not in plans:
            raise Rejected("PLAN_NOT_FOUND")
        order = self.stored["orders"].get(plans[plan].integer("instruction_id") or 0)
        if order is None:
            raise Rejected("ORDER_NOT_FOUND")
        content = _required_text(record)
        author = self._author(record)
        return {
            "order_id": order["id"],
            "author_id": id_of(author),
            "author_role": author["profile_type"] if author else None,
            "content": content,
            "created_at": record.moment("created_at"),
            "legacy_comment_id": record.pk,
            "legacy_plan_id": plan,
        }

    def _doctor_note(self, record: Record) -> Row:
        doctor = record.required("doctor_id", self.stored["doctors"], "DOCTOR_NOT_FOUND")
        return {
            "doctor_id": doctor["id"],
            "note_text": _required_text(record),
            "author_id": id_of(self._author(record)),
            "created_at": record.moment("created_at"),
            "legacy_note_id": record.pk,
        }

    def _team_communication(self, record: Record) -> Row:
        body = _required_text(record)
        named = record.integer("author_id")
        if named is None:
            raise Rejected("AUTHOR_MISSING")
        author = self.stored["profiles"].get(named)
        if author is None:
            raise Rejected("AUTHOR_NOT_FOUND")
        if author["profile_type"] != "doctor":
            raise Rejected("AUTHOR_NOT_DOCTOR")
        if not author["is_verified"]:
            raise Rejected("AUTHOR_NOT_VERIFIED")
        team = next((row for row in self.stored["teams"].values() if row["name"] == "Medical Team"), None)
        if team is None:
            raise Rejected("TEAM_NOT_FOUND")
        return {
            "team_id": team["id"],
            "author_id": author["id"],
            "communication_type": "production_note",
            "visibility": "team",
            "body": body,
            "created_at": record.moment("created_at"),
            "legacy_note_id": record.pk,
        }

    def _message(self, record: Record) -> Row:
        kind = self._content_type(record, "target_type_id")
        if kind not in ("patient", "user"):
            raise Rejected("UNSUPPORTED_TARGET")
        parents = ("patients", "PATIENT_NOT_FOUND") if kind == "patient" else ("profiles", "PROFILE_NOT_FOUND")
        to = record.required("target_id", self.stored[parents[0]], parents[1])
        content = _required_text(record)
        number = record.integer("type")
        return {
            "message_type": _MESSAGES.get(number or 0, "general"),
            "sender_id": id_of(self._author(record)),
            "recipient_type": kind,
            "recipient_profile_id": to["profile_id"] if kind == "patient" else to["id"],
            "patient_id": to["id"] if kind == "patient" else None,
            "content": content,
            "is_public": record.boolean("public"),
            "is_read": False,
            "created_at": record.moment("created_at"),
            "legacy_record_id": record.pk,
            "metadata": {"legacy_type": number, "legacy_group_id": record.integer("group_id")},
        }

    def _notification(self, record: Record) -> Row:
        sent, send = record.boolean("sent"), record.boolean("send")
        if not (sent and send):
            raise Skipped
        to = record.required("recipient_id", self.stored["profiles"], "PROFILE_NOT_FOUND")
        created = record.moment("created_at")
        if created is None:
            raise Rejected("INVALID_TIMESTAMP")
        return {
            "recipient_id": to["id"],
            "notification_type": record.text("template_name") or "unknown",
            "sender": record.text("sender"),
            "context": scalars.redacted_document(record.document("template_context")),
            "is_read": record.boolean("read"),
            "item_type": self._content_type(record, "item_type_id"),
            "legacy_item_id": record.integer("item_id"),
            "created_at": created,
            "legacy_notification_id": record.pk,
        }

    def _content_type(self, record: Record, column: str) -> str | None:
        """The model that a column names, in lower case."""
        found = self.draft.lookup("django_content_type").get(record.integer(column) or 0)
        model = found.text("model") if found else None
        return model.lower() if model else None


def _required_text(record: Record) -> str:
    found = record.hidden("text")
    if found is None:
        raise Rejected("EMPTY_TEXT")
    return found


def _address(office: Row | None) -> Row:
    columns = {
        "recipient_name": "name",
        "line1": "address",
        "line2": "apartment",
        "city": "city",
        "state": "state",
        "postal_code": "zip_code",
        "country": "country",
        "legacy_office_id": "legacy_office_id",
    }
    if office is None:
        return dict.fromkeys(columns) | {"source": "none"}
    return {name: office[column] for name, column in columns.items()} | {"source": "office"}
