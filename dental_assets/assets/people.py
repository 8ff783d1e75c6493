"""People and where they work: users, offices, doctors, patients."""

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from dental_assets import lookups, sources, tables
from dental_assets.assets import PEOPLE, Traced, driven_table, legacy_table
from dental_assets.parsing.json_values import json_texts
from dental_assets.parsing.numbers import booleans, ids, integers, rates
from dental_assets.parsing.rows import parsed_rows
from dental_assets.parsing.text import emails, spaced_texts, texts
from dental_assets.parsing.times import days, timestamps
from dental_assets.rules import dropped, missing, unknown
from dental_assets.sql import named, prefixed

profiles_, offices_, doctors_ = tables.profiles, tables.offices, tables.doctors

TELLING_GROUPS = ("Patient", "Doctor", "Technician", "Administrator", "Master")
STAFF_GROUPS = ("Sales", "Support", "Billing", "Export", "External")
SEXES = {1: "male", 2: "female", 0: "other"}
US = ("", "US", "USA", "UNITED STATES", "UNITED STATES OF AMERICA")


# --- users ------------------------------------------------------------------------------------------------------------


def _resolved_profiles(stage: sa.Table, members: sa.Table, groups: sa.Table, settings: sa.Table) -> Traced:
    """The groups of a user say what kind of person it is; without one of the telling groups, the staff flags do."""

    def belongs(*names: str) -> sa.ColumnElement[bool]:
        return sa.func.coalesce(sa.func.bool_or(groups.c.name.in_(names)), sa.false())

    name = groups.c.name.collate("C")
    of_user = (
        sa.select(
            members.c.user_id,
            sa.func.to_jsonb(sa.func.array_agg(sa.distinct(name)).filter(groups.c.name.is_not(None))).label("names"),
            *(belongs(each).label(each.lower()) for each in TELLING_GROUPS),
            belongs(*STAFF_GROUPS).label("staff"),
        )
        .select_from(members.join(groups, groups.c.id == members.c.group_id))
        .group_by(members.c.user_id)
        .subquery("of_user")
    )
    kind = sa.case(
        (of_user.c.patient, "patient"),
        (of_user.c.doctor, "doctor"),
        (of_user.c.technician, "technician"),
        (of_user.c.administrator, "admin"),
        (of_user.c.master, "master"),
        (stage.c.is_superuser, "master"),
        (stage.c.is_staff, "admin"),
        (of_user.c.staff, "admin"),
        else_="patient",
    )
    verified = sa.exists().where(settings.c.user_id == stage.c.legacy_user_id)
    return Traced(
        stage.outerjoin(of_user, of_user.c.user_id == stage.c.legacy_user_id),
        {
            "profile_type": kind,
            "username": sa.func.coalesce(stage.c.username, prefixed("user_", stage.c.legacy_user_id)),
            "is_verified": sa.and_(kind == "doctor", verified),
            "updated_at": sa.func.coalesce(stage.c.last_login_at, stage.c.created_at),
        },
        notes={"groups": sa.func.coalesce(of_user.c.names, sa.literal([], JSONB))},
    )


@legacy_table(
    profiles_,
    sources.auth_user,
    group=PEOPLE,
    resolve=_resolved_profiles,
    lookups=(lookups.group_members, lookups.groups, lookups.doctor_settings),
)
def profiles(rows: pd.DataFrame) -> pd.DataFrame:
    """People, one per legacy user; passwords are not read."""
    columns = {
        **{name: texts(rows[name]) for name in ("username", "first_name", "last_name")},
        "email": emails(rows["email"]),
        "is_active": booleans(rows["is_active"], default=True),
        **{name: booleans(rows[name]) for name in ("is_superuser", "is_staff")},
        "created_at": timestamps(rows["date_joined"]),
        "last_login_at": timestamps(rows["last_login"]),
    }
    no_text = {"BAD_TEXT": texts(rows["email"]).invalid}
    return parsed_rows(rows, sources.auth_user, "legacy_user_id", columns, no_text)


# --- offices ----------------------------------------------------------------------------------------------------------


def _country(written: str) -> str:
    """A country in upper case without dots; every spelling of the United States is `US`."""
    found = written.upper().replace(".", "").strip()
    return "US" if found in US else found


def _resolved_offices(stage: sa.Table) -> Traced:
    return Traced(
        stage,
        {
            "name": sa.func.coalesce(stage.c.name, prefixed("Office ", stage.c.legacy_office_id)),
            "is_active": sa.true(),
        },
        skips=[("office_not_valid", sa.not_(stage.c.valid))],
    )


@legacy_table(offices_, sources.dispatch_office, group=PEOPLE, resolve=_resolved_offices)
def offices(rows: pd.DataFrame) -> pd.DataFrame:
    """Offices that are valid."""
    columns = {
        **{name: spaced_texts(rows[name]) for name in ("name", "address", "city")},
        "apartment": texts(rows["apt"]),
        "state": texts(rows["state"]).mapped(str.upper),
        "zip_code": texts(rows["zip"]),
        "country": texts(rows["country"]).mapped(_country).filled("US"),
        "phone": texts(rows["phone"]),
        "tax_rate": rates(rows["tax_rate"]),
        "square_customer_id": texts(rows["sq_customer_id"]),
        "email_notifications": booleans(rows["emails"], default=True),
        "valid": booleans(rows["valid"]),
    }
    return parsed_rows(rows, sources.dispatch_office, "legacy_office_id", columns)


# --- doctors ----------------------------------------------------------------------------------------------------------


@driven_table(
    doctors_,
    profiles_,
    sources.auth_user,
    group=PEOPLE,
    condition=profiles_.c.profile_type == "doctor",
    lookups=(lookups.office_doctors,),
)
def doctors(stage: sa.Table, links: sa.Table) -> Traced:
    """Doctors, one per profile of that type; the primary office is that of the oldest link to a loaded one."""
    profile = profiles_
    primary = (
        sa.select(offices_.c.id)
        .select_from(links.join(offices_, offices_.c.legacy_office_id == links.c.office_id))
        .where(links.c.user_id == profile.c.legacy_user_id)
        .order_by(links.c.id)
        .limit(1)
        .scalar_subquery()
    )
    number = sa.cast(profile.c.legacy_user_id, sa.Text)
    width = sa.func.greatest(6, sa.func.length(number))
    return Traced(
        stage.join(profile, profile.c.id == stage.c.id),
        {
            "profile_id": profile.c.id,
            "doctor_number": sa.func.concat("DOC-", sa.func.lpad(number, width, "0")),
            "status": sa.case((profile.c.is_active, "active"), else_="inactive"),
            "primary_office_id": primary,
            "joined_practice_at": profile.c.created_at,
            "legacy_user_id": profile.c.legacy_user_id,
        },
    )


def _resolved_doctor_offices(stage: sa.Table) -> Traced:
    joined = stage.outerjoin(doctors_, doctors_.c.legacy_user_id == stage.c.user_ref).outerjoin(
        offices_, offices_.c.legacy_office_id == stage.c.office_ref
    )
    return Traced(
        joined,
        {
            "doctor_id": doctors_.c.id,
            "office_id": offices_.c.id,
            "is_primary": sa.func.coalesce(offices_.c.id == doctors_.c.primary_office_id, sa.false()),
        },
        [
            missing(stage.c.user_ref, stage.c.office_ref),
            unknown("DOCTOR_NOT_FOUND", doctors_),
            unknown("OFFICE_NOT_FOUND", offices_),
        ],
        first=[stage.c.legacy_id],
    )


@legacy_table(
    tables.doctor_offices,
    sources.dispatch_office_doctors,
    group=PEOPLE,
    resolve=_resolved_doctor_offices,
    merge_on=("doctor_id", "office_id"),
    older_by="legacy_id",
)
def doctor_offices(rows: pd.DataFrame) -> pd.DataFrame:
    """Which doctor works in which office."""
    columns = {"user_ref": ids(rows["user_id"]), "office_ref": ids(rows["office_id"])}
    return parsed_rows(rows, sources.dispatch_office_doctors, "legacy_id", columns)


# --- patients ---------------------------------------------------------------------------------------------------------


def _resolved_patients(stage: sa.Table) -> Traced:
    joined = (
        stage.outerjoin(profiles_, profiles_.c.legacy_user_id == stage.c.legacy_user_id)
        .outerjoin(doctors_, doctors_.c.legacy_user_id == stage.c.doctor_ref)
        .outerjoin(offices_, offices_.c.legacy_office_id == stage.c.office_ref)
    )
    return Traced(
        joined,
        {
            "profile_id": profiles_.c.id,
            "patient_number": prefixed("PAT-", stage.c.legacy_patient_id),
            "sex": named(stage.c.sex_code, SEXES, "unknown"),
            "primary_doctor_id": doctors_.c.id,
            "assigned_office_id": offices_.c.id,
            "status": sa.case((stage.c.archived, "archived"), (stage.c.suspended, "inactive"), else_="active"),
        },
        [missing(stage.c.legacy_user_id), unknown("PROFILE_NOT_FOUND", profiles_)],
        {
            **dropped("DOCTOR_NOT_FOUND", stage.c.doctor_ref, doctors_),
            **dropped("OFFICE_NOT_FOUND", stage.c.office_ref, offices_),
        },
    )


@legacy_table(tables.patients, sources.dispatch_patient, group=PEOPLE, resolve=_resolved_patients)
def patients(rows: pd.DataFrame) -> pd.DataFrame:
    """Patients."""
    columns = {
        "legacy_user_id": ids(rows["user_id"]),
        "doctor_ref": ids(rows["doctor_id"]),
        "office_ref": ids(rows["office_id"]),
        "date_of_birth": days(rows["birthdate"]),
        "archived": booleans(rows["archived"]),
        "suspended": booleans(rows["suspended"]),
        "enrolled_at": timestamps(rows["submitted_at"]),
        "updated_at": timestamps(rows["updated_at"]),
        "suffix": texts(rows["suffix"]),
        "sex_code": integers(rows["sex"]),
        "schemes": json_texts(rows["schemes"]),
    }
    return parsed_rows(rows, sources.dispatch_patient, "legacy_patient_id", columns)
