"""Users, offices, doctors, patients, technicians and teams."""

from collections import defaultdict
from typing import Any

from tests.dental.dental_files import Row
from tests.dental.dental_records import Draft, Record, Rejected, Skipped

_TYPING = {
    "Patient": "patient",
    "Doctor": "doctor",
    "Technician": "technician",
    "Administrator": "admin",
    "Master": "master",
}
_STAFF = {"Sales", "Support", "Billing", "Export", "External"}
_SEXES = {1: "male", 2: "female", 0: "other"}
_CASE_STATUSES = (
    *("consultation", "diagnosis", "treatment_plan", "active", "refinement", "retention", "completed"),
    *("cancelled", "on_hold", "transferred", "revision"),
)
_CASES = dict(enumerate(_CASE_STATUSES, start=1))
_SPECIALTIES = {
    name.lower(): name
    for name in (
        *("Sectioning Technician", "Designing Technician", "Remote Technician", "Manufacturing Technician"),
        *("Remote Technician Sectioning Approver", "Japan Aligner Technician"),
    )
}
_TEAMS = {
    "Administrator": ("Administrator Team", "Administrative"),
    "Billing": ("Billing Team", "Financial"),
    "Doctor": ("Medical Team", "Medical"),
    "Export": ("Export Team", "Data"),
    "External": ("External Partners", "External"),
    "Master": ("Master Team", "Management"),
    "Sales": ("Sales Team", "Sales"),
    "Support": ("Support Team", "Support"),
    "Technician": ("Technician Team", "Technical"),
}
_HOME = {"US", "USA", "UNITED STATES", "UNITED STATES OF AMERICA", ""}


class People:
    """What is known of people, and the tables made of it."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.stored = draft.tables
        groups = draft.lookup("auth_group")
        self.group_names = {pk: record.group("name") for pk, record in groups.items()}
        self.groups_of: dict[int, set[str]] = defaultdict(set)
        for record in draft.lookup("auth_user_groups").values():
            user, group = record.integer("user_id"), record.integer("group_id")
            name = self.group_names.get(group) if group is not None else None
            if user is not None and name is not None:
                self.groups_of[user].add(name)
        settings = draft.lookup("dispatch_doctorsetting").values()
        self.registered = {record.integer("user_id") for record in settings}

    def run(self) -> None:
        """Make the tables."""
        draft = self.draft
        draft.carry("auth_user", "profiles", self._profile)
        draft.carry("dispatch_office", "offices", _office)
        draft.derive("profiles", "doctors", self._doctor)
        pair = ("doctor_id", "office_id")
        draft.carry("dispatch_office_doctors", "doctor_offices", self._doctor_office, pair)
        draft.carry("dispatch_patient", "patients", self._patient)
        draft.derive("patients", "cases", self._case)
        draft.carry("dispatch_role", "technicians", self._technician, ("profile_id",), _rank)
        draft.carry("auth_group", "teams", self._team, ("name",))

    # --- users --------------------------------------------------------------------------------------------------------

    def _profile(self, record: Record) -> Row:
        groups = self.groups_of[record.pk]
        kind = _profile_type(groups, record.boolean("is_superuser"), record.boolean("is_staff"))
        joined, last = record.moment("date_joined"), record.moment("last_login")
        return {
            "profile_type": kind,
            "username": record.text("username") or f"user_{record.pk}",
            "first_name": record.text("first_name"),
            "last_name": record.text("last_name"),
            "email": record.email("email"),
            "is_active": record.boolean("is_active", default=True),
            "is_verified": kind == "doctor" and record.pk in self.registered,
            "created_at": joined,
            "updated_at": last or joined,
            "last_login_at": last,
            "legacy_user_id": record.pk,
            "metadata": {"groups": sorted(groups)},
        }

    def _doctor(self, record: Record) -> Row | None:
        profile = self.stored["profiles"][record.pk]
        if profile["profile_type"] != "doctor":
            return None
        return {
            "profile_id": profile["id"],
            "doctor_number": f"DOC-{record.pk:06}",
            "status": "active" if profile["is_active"] else "inactive",
            "primary_office_id": self._primary_office(record.pk),
            "joined_practice_at": profile["created_at"],
            "legacy_user_id": record.pk,
        }

    def _primary_office(self, doctor: int) -> str | None:
        for _, record in sorted(self.draft.lookup("dispatch_office_doctors").items()):
            office = record.integer("office_id")
            if record.integer("user_id") == doctor and office in self.stored["offices"]:
                return self.stored["offices"][office]["id"]
        return None

    def _doctor_office(self, record: Record) -> Row:
        record.require("user_id", "office_id")
        doctor = record.required("user_id", self.stored["doctors"], "DOCTOR_NOT_FOUND")
        office = record.required("office_id", self.stored["offices"], "OFFICE_NOT_FOUND")
        return {
            "doctor_id": doctor["id"],
            "office_id": office["id"],
            "is_primary": office["id"] == doctor["primary_office_id"],
            "legacy_id": record.pk,
        }

    # --- patients -----------------------------------------------------------------------------------------------------

    def _patient(self, record: Record) -> Row:
        profile = record.required("user_id", self.stored["profiles"], "PROFILE_NOT_FOUND")
        archived, suspended = record.boolean("archived"), record.boolean("suspended")
        sex = record.integer("sex")
        doctor = record.resolved("doctor_id", self.stored["doctors"], "DOCTOR_NOT_FOUND")
        office = record.resolved("office_id", self.stored["offices"], "OFFICE_NOT_FOUND")
        return {
            "profile_id": profile["id"],
            "patient_number": f"PAT-{record.pk}",
            "suffix": record.text("suffix"),
            "sex": _SEXES.get(sex, "unknown") if sex is not None else "unknown",
            "date_of_birth": record.date("birthdate"),
            "primary_doctor_id": id_of(doctor),
            "assigned_office_id": id_of(office),
            "status": "archived" if archived else "inactive" if suspended else "active",
            "archived": archived,
            "suspended": suspended,
            "schemes": record.document("schemes"),
            "enrolled_at": record.moment("submitted_at"),
            "updated_at": record.moment("updated_at"),
            "legacy_patient_id": record.pk,
            "legacy_user_id": record.integer("user_id"),
        }

    def _case(self, record: Record) -> Row:
        patient = self.stored["patients"][record.pk]
        status = record.integer("status")
        middle = f"{patient['suffix']}-" if patient["suffix"] else ""
        return {
            "patient_id": patient["id"],
            "primary_doctor_id": patient["primary_doctor_id"],
            "office_id": patient["assigned_office_id"],
            "case_number": f"CASE-{middle}{record.pk}",
            "status": _CASES.get(status, "consultation") if status is not None else "consultation",
            "deleted": patient["archived"] or patient["suspended"],
            "opened_at": patient["enrolled_at"],
            "updated_at": patient["updated_at"],
            "legacy_patient_id": record.pk,
            "metadata": {"legacy_status": status},
        }

    # --- technicians and teams ----------------------------------------------------------------------------------------

    def _technician(self, record: Record) -> Row:
        group = record.integer("group_id")
        if group is None or self.group_names.get(group) != "Technician" or record.integer("user_id") is None:
            raise Skipped
        profile = record.required("user_id", self.stored["profiles"], "PROFILE_NOT_FOUND")
        name = record.spaced("name")
        record.integer("order")
        if name is None:
            raise Rejected("MISSING_REQUIRED")
        if profile["profile_type"] != "technician":
            record.warnings.add("PROFILE_TYPE_MISMATCH")
        created = profile["created_at"]
        return {
            "profile_id": profile["id"],
            "employee_id": profile["username"],
            "first_name": profile["first_name"],
            "last_name": profile["last_name"],
            "email": profile["email"],
            "specialty": _SPECIALTIES.get(name.lower(), name),
            "is_active": profile["is_active"],
            "status": "active" if profile["is_active"] else "inactive",
            "hire_date": created.date() if created else None,
            "legacy_user_id": profile["legacy_user_id"],
            "legacy_role_id": record.pk,
        }

    def _team(self, record: Record) -> Row:
        name = record.group("name")
        if name == "Patient":
            raise Skipped
        if name is None:
            raise Rejected("MISSING_REQUIRED")
        if name not in _TEAMS:
            raise Rejected("GROUP_NOT_MAPPED")
        members = [user for user, groups in self.groups_of.items() if name in groups]
        return {
            "name": _TEAMS[name][0],
            "team_type": _TEAMS[name][1],
            "member_count": len([user for user in members if user in self.stored["profiles"]]),
            "is_active": True,
            "legacy_group_id": record.pk,
            "metadata": {"legacy_group_name": record.spaced("name")},
        }


def _profile_type(groups: set[str], is_superuser: bool, is_staff: bool) -> str:
    for group, kind in _TYPING.items():
        if group in groups:
            return kind
    if is_superuser:
        return "master"
    return "admin" if is_staff or groups & _STAFF else "patient"


def _office(record: Record) -> Row:
    if not record.boolean("valid"):
        raise Skipped
    state = record.text("state")
    country = (record.text("country") or "").upper().replace(".", "").strip()
    return {
        "name": record.spaced("name") or f"Office {record.pk}",
        "address": record.spaced("address"),
        "apartment": record.text("apt"),
        "city": record.spaced("city"),
        "state": state.upper() if state else None,
        "zip_code": record.text("zip"),
        "country": "US" if country in _HOME else country,
        "phone": record.text("phone"),
        "tax_rate": record.rate("tax_rate"),
        "square_customer_id": record.text("sq_customer_id"),
        "email_notifications": record.boolean("emails", default=True),
        "is_active": True,
        "legacy_office_id": record.pk,
    }


def _rank(record: Record) -> Any:
    order = record.integer("order")
    return order is None, order or 0, record.pk


def id_of(row: Row | None) -> str | None:
    """The UUID of a stored row."""
    return None if row is None else row["id"]
