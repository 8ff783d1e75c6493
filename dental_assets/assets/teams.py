"""Teams and technicians: who works on what."""

import pandas as pd
import sqlalchemy as sa

from dental_assets import checks, lookups, sources, tables
from dental_assets.assets import PEOPLE, Traced, legacy_table
from dental_assets.parsing.groups import TEAMS, groups, specialties
from dental_assets.parsing.numbers import ids, integers
from dental_assets.parsing.rows import parsed_rows
from dental_assets.parsing.text import spaced_texts
from dental_assets.rules import missing, unknown
from dental_assets.sql import utc_day, words

profiles_ = tables.profiles


def _resolved_technicians(stage: sa.Table, groups: sa.Table) -> Traced:
    """Of several roles of a person the first in the roles' own order counts."""
    joined = stage.outerjoin(groups, groups.c.id == stage.c.group_ref).outerjoin(
        profiles_, profiles_.c.legacy_user_id == stage.c.legacy_user_id
    )
    return Traced(
        joined,
        {
            "profile_id": profiles_.c.id,
            "employee_id": profiles_.c.username,
            **{name: profiles_.c[name] for name in ("first_name", "last_name", "email", "is_active")},
            "status": sa.case((profiles_.c.is_active, "active"), else_="inactive"),
            "hire_date": utc_day(profiles_.c.created_at),
        },
        [unknown("PROFILE_NOT_FOUND", profiles_), missing(stage.c.specialty)],
        {"PROFILE_TYPE_MISMATCH": profiles_.c.profile_type != "technician"},
        [
            ("not_a_technician", groups.c.name.is_distinct_from("Technician")),
            ("role_without_person", stage.c.legacy_user_id.is_(None)),
        ],
        first=[stage.c.sort_order.asc().nulls_last(), stage.c.legacy_role_id],
    )


@legacy_table(
    tables.technicians,
    sources.dispatch_role,
    group=PEOPLE,
    resolve=_resolved_technicians,
    lookups=(lookups.groups,),
    merge_on=("legacy_user_id",),
    older_by="legacy_role_id",
    upstream=["profiles", "roles"],
    own_checks=[checks.success_rate("technicians"), checks.specialty_set, checks.technician_profile],
)
def technicians(rows: pd.DataFrame) -> pd.DataFrame:
    """Technicians: the people with a role of the group Technician."""
    columns = {
        "group_ref": ids(rows["group_id"]),
        "legacy_user_id": ids(rows["user_id"]),
        "specialty": specialties(rows["name"]),
        "sort_order": integers(rows["order"]),
    }
    return parsed_rows(rows, sources.dispatch_role, "legacy_role_id", columns)


def _resolved_teams(stage: sa.Table, members: sa.Table, groups: sa.Table) -> Traced:
    """Members of all groups of one name count, each once, if their profile is there."""
    here = (
        sa.select(groups.c.name, sa.func.count(sa.distinct(profiles_.c.id)).label("members"))
        .select_from(
            members.join(groups, groups.c.id == members.c.group_id).join(
                profiles_, profiles_.c.legacy_user_id == members.c.user_id
            )
        )
        .group_by(groups.c.name)
        .subquery("here")
    )
    name = stage.c.group_name

    def of_team(place: int) -> sa.ColumnElement[str]:
        return sa.case({group: words(team[place]) for group, team in TEAMS.items()}, value=name)

    return Traced(
        stage.outerjoin(here, here.c.name == name),
        {
            "name": of_team(0),
            "team_type": of_team(1),
            "member_count": sa.func.coalesce(here.c.members, 0),
            "is_active": sa.true(),
        },
        [missing(name), ("GROUP_NOT_MAPPED", name.not_in(TEAMS))],
        skips=[("group_of_patients", sa.func.coalesce(name == "Patient", sa.false()))],
        first=[stage.c.legacy_group_id],
        notes={"legacy_group_name": stage.c.legacy_name},
    )


@legacy_table(
    tables.teams,
    sources.auth_group,
    group=PEOPLE,
    resolve=_resolved_teams,
    lookups=(lookups.group_members, lookups.groups),
    merge_on=("name",),
    older_by="legacy_group_id",
    upstream=["profiles"],
    own_checks=[checks.success_rate("teams"), checks.team_set],
)
def teams(rows: pd.DataFrame) -> pd.DataFrame:
    """Teams, one per known group of staff."""
    columns = {"group_name": groups(rows["name"]), "legacy_name": spaced_texts(rows["name"])}
    return parsed_rows(rows, sources.auth_group, "legacy_group_id", columns)
