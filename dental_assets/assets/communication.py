"""Words: notes about doctors, notes to the team, messages to users and about patients."""

import pandas as pd
import sqlalchemy as sa

from dental_assets import checks, lookups, sources, tables
from dental_assets.assets import COMMUNICATION, Traced, legacy_table
from dental_assets.card_checks import no_card_numbers
from dental_assets.parsing.cards import redacted_texts
from dental_assets.parsing.groups import TEAMS
from dental_assets.parsing.numbers import booleans, ids, integers
from dental_assets.parsing.rows import parsed_rows
from dental_assets.parsing.text import texts
from dental_assets.parsing.times import timestamps
from dental_assets.rules import dropped, missing, unknown
from dental_assets.sql import named, words
from migration.exports.sources import SourceTable

profiles_, patients_ = tables.profiles, tables.patients

MESSAGE_TYPES = {3: "user_communication", 5: "clinical_note", 6: "patient_communication", 8: "status_update"}
TEAM_OF_DOCTORS = TEAMS["Doctor"][0]
PATIENT, USER = "patient", "user"


def _said(rows: pd.DataFrame, source: SourceTable, legacy: str, content: str, *references: str) -> pd.DataFrame:
    """Rows that are words of somebody: content without card numbers, author, time, and further references."""
    columns = {
        content: redacted_texts(texts(rows["text"])),
        "author_ref": ids(rows["author_id"]),
        "created_at": timestamps(rows["created_at"]),
        **{f"{name}_ref": ids(rows[f"{name}_id"]) for name in references},
    }
    return parsed_rows(rows, source, legacy, columns)


# --- notes ------------------------------------------------------------------------------------------------------------


def _resolved_doctor_notes(stage: sa.Table) -> Traced:
    doctor, author = tables.doctors, profiles_
    return Traced(
        stage.outerjoin(doctor, doctor.c.legacy_user_id == stage.c.doctor_ref).outerjoin(
            author, author.c.legacy_user_id == stage.c.author_ref
        ),
        {"doctor_id": doctor.c.id, "author_id": author.c.id},
        [
            missing(stage.c.doctor_ref),
            unknown("DOCTOR_NOT_FOUND", doctor),
            ("EMPTY_TEXT", stage.c.note_text.is_(None)),
        ],
        dropped("PROFILE_NOT_FOUND", stage.c.author_ref, author),
    )


@legacy_table(
    tables.doctor_notes,
    sources.dispatch_note,
    group=COMMUNICATION,
    resolve=_resolved_doctor_notes,
    own_checks=[no_card_numbers(tables.doctor_notes, "note_text")],
)
def doctor_notes(rows: pd.DataFrame) -> pd.DataFrame:
    """Notes about a doctor."""
    return _said(rows, sources.dispatch_note, "legacy_note_id", "note_text", "doctor")


def _resolved_team_communications(stage: sa.Table) -> Traced:
    """Only doctors who have finished their registration speak to the team."""
    team, author = tables.teams, profiles_
    return Traced(
        stage.outerjoin(author, author.c.legacy_user_id == stage.c.author_ref).outerjoin(
            team, team.c.name == TEAM_OF_DOCTORS
        ),
        {
            "team_id": team.c.id,
            "author_id": author.c.id,
            "communication_type": words("production_note"),
            "visibility": words("team"),
        },
        [
            ("EMPTY_TEXT", stage.c.body.is_(None)),
            ("AUTHOR_MISSING", stage.c.author_ref.is_(None)),
            unknown("AUTHOR_NOT_FOUND", author),
            ("AUTHOR_NOT_DOCTOR", author.c.profile_type != "doctor"),
            ("AUTHOR_NOT_VERIFIED", sa.not_(author.c.is_verified)),
            unknown("TEAM_NOT_FOUND", team),
        ],
    )


@legacy_table(
    tables.team_communications,
    sources.dispatch_note,
    group=COMMUNICATION,
    resolve=_resolved_team_communications,
    own_checks=[
        checks.success_rate("team_communications"),
        no_card_numbers(tables.team_communications, "body"),
    ],
)
def team_communications(rows: pd.DataFrame) -> pd.DataFrame:
    """Notes of verified doctors to their team."""
    return _said(rows, sources.dispatch_note, "legacy_note_id", "body")


# --- messages ---------------------------------------------------------------------------------------------------------


def _resolved_messages(stage: sa.Table, content_types: sa.Table) -> Traced:
    user, sender = profiles_.alias("recipient"), profiles_.alias("sender")
    patient = patients_
    kind = content_types.c.model
    joined = (
        stage.outerjoin(content_types, content_types.c.id == stage.c.target_type_ref)
        .outerjoin(patient, sa.and_(kind == PATIENT, patient.c.legacy_patient_id == stage.c.target_ref))
        .outerjoin(user, sa.and_(kind == USER, user.c.legacy_user_id == stage.c.target_ref))
        .outerjoin(sender, sender.c.legacy_user_id == stage.c.author_ref)
    )
    return Traced(
        joined,
        {
            "message_type": named(stage.c.legacy_type, MESSAGE_TYPES, "general"),
            "sender_id": sender.c.id,
            "recipient_type": kind,
            "recipient_profile_id": sa.func.coalesce(user.c.id, patient.c.profile_id),
            "patient_id": patient.c.id,
            "is_read": sa.false(),
        },
        [
            ("UNSUPPORTED_TARGET", sa.func.coalesce(kind.not_in((PATIENT, USER)), sa.true())),
            missing(stage.c.target_ref),
            ("PATIENT_NOT_FOUND", sa.and_(kind == PATIENT, patient.c.id.is_(None))),
            ("PROFILE_NOT_FOUND", sa.and_(kind == USER, user.c.id.is_(None))),
            ("EMPTY_TEXT", stage.c.content.is_(None)),
        ],
        dropped("PROFILE_NOT_FOUND", stage.c.author_ref, sender),
        notes={name: stage.c[name] for name in ("legacy_type", "legacy_group_id")},
    )


@legacy_table(
    tables.messages,
    sources.dispatch_record,
    group=COMMUNICATION,
    resolve=_resolved_messages,
    lookups=(lookups.content_types,),
    own_checks=[no_card_numbers(tables.messages, "content")],
)
def messages(rows: pd.DataFrame) -> pd.DataFrame:
    """Messages to users and about patients."""
    columns = {
        "target_type_ref": ids(rows["target_type_id"]),
        "target_ref": ids(rows["target_id"]),
        "legacy_type": integers(rows["type"]),
        "legacy_group_id": ids(rows["group_id"]),
        "author_ref": ids(rows["author_id"]),
        "content": redacted_texts(texts(rows["text"])),
        "is_public": booleans(rows["public"]),
        "created_at": timestamps(rows["created_at"]),
    }
    return parsed_rows(rows, sources.dispatch_record, "legacy_record_id", columns)
