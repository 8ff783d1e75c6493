"""Reference data: the export itself, storages and ware, categories, roles and what they may do."""

import pandas as pd
import sqlalchemy as sa

from dental_assets import lookups, sources, tables
from dental_assets.assets import DENTAL, EXPORT, REFERENCE, Traced, legacy_table
from dental_assets.parsing.column import truth
from dental_assets.parsing.numbers import ids, integers
from dental_assets.parsing.rows import parsed_rows
from dental_assets.parsing.text import spaced_texts, texts
from dental_assets.parsing.times import timestamps
from dental_assets.rules import dropped, missing, unknown
from dental_assets.sql import prefixed

export_validation = DENTAL.export_asset(group=REFERENCE)


def _named_storages(stage: sa.Table) -> Traced:
    return Traced(stage, {"name": sa.func.coalesce(stage.c.name, prefixed("Storage ", stage.c.legacy_storage_id))})


@legacy_table(tables.storages, sources.dispatch_storage, group=REFERENCE, resolve=_named_storages)
def storages(rows: pd.DataFrame) -> pd.DataFrame:
    """Places where ware is kept."""
    return parsed_rows(rows, sources.dispatch_storage, "legacy_storage_id", {"name": texts(rows["name"])})


def _resolved_ware(stage: sa.Table) -> Traced:
    storage = tables.storages
    return Traced(
        stage.outerjoin(storage, storage.c.legacy_storage_id == stage.c.storage_ref),
        {
            "storage_id": storage.c.id,
            "name": sa.func.coalesce(stage.c.name, prefixed("Ware ", stage.c.legacy_ware_id)),
        },
        warnings=dropped("STORAGE_NOT_FOUND", stage.c.storage_ref, storage),
    )


@legacy_table(tables.ware, sources.dispatch_ware, group=REFERENCE, resolve=_resolved_ware, upstream=[EXPORT])
def ware(rows: pd.DataFrame) -> pd.DataFrame:
    """Stock; a negative quantity is none."""
    quantity = integers(rows["quantity"])
    columns = {
        "storage_ref": ids(rows["storage_id"]),
        "name": texts(rows["name"]),
        "quantity": quantity.without(truth(quantity.value < 0)),
        "created_at": timestamps(rows["created_at"]),
    }
    return parsed_rows(rows, sources.dispatch_ware, "legacy_ware_id", columns)


def _resolved_categories(stage: sa.Table) -> Traced:
    """The parent may be in the same file, or a category that an older export has loaded."""
    mine, older = stage.alias("mine"), tables.categories.alias("older")
    itself = stage.c.parent_ref == stage.c.legacy_category_id
    found = sa.func.coalesce(mine.c.id, older.c.id)
    joined = stage.outerjoin(mine, mine.c.legacy_category_id == stage.c.parent_ref).outerjoin(
        older, older.c.legacy_category_id == stage.c.parent_ref
    )
    return Traced(
        joined,
        {
            "name": sa.func.coalesce(stage.c.name, prefixed("Category ", stage.c.legacy_category_id)),
            "parent_id": sa.case((sa.not_(itself), found)),
            "display_order": stage.c.legacy_category_id,
        },
        warnings={
            "CATEGORY_NOT_FOUND": sa.and_(stage.c.parent_ref.is_not(None), found.is_(None)),
            "SELF_REFERENCE": itself,
        },
    )


@legacy_table(tables.categories, sources.dispatch_category, group=REFERENCE, resolve=_resolved_categories)
def categories(rows: pd.DataFrame) -> pd.DataFrame:
    """Categories of templates, in a tree."""
    columns = {"name": spaced_texts(rows["name"]), "parent_ref": ids(rows["parent_id"])}
    return parsed_rows(rows, sources.dispatch_category, "legacy_category_id", columns)


def _resolved_roles(stage: sa.Table, groups: sa.Table) -> Traced:
    return Traced(
        stage.outerjoin(groups, groups.c.id == stage.c.group_ref),
        {
            "description": sa.func.coalesce(stage.c.abbreviation, sa.func.concat("Role: ", stage.c.name)),
            "group_name": groups.c.name,
        },
        [missing(stage.c.name)],
    )


@legacy_table(tables.roles, sources.dispatch_role, group=REFERENCE, resolve=_resolved_roles, lookups=(lookups.groups,))
def roles(rows: pd.DataFrame) -> pd.DataFrame:
    """Roles that people have in the workflow."""
    columns = {
        "name": spaced_texts(rows["name"]),
        "abbreviation": texts(rows["abbrev"]),
        "role_type": integers(rows["type"]),
        "sort_order": integers(rows["order"]),
        "group_ref": ids(rows["group_id"]),
    }
    return parsed_rows(rows, sources.dispatch_role, "legacy_role_id", columns)


def _resolved_role_permissions(stage: sa.Table, permissions: sa.Table) -> Traced:
    role = tables.roles
    joined = stage.outerjoin(role, role.c.legacy_role_id == stage.c.role_ref).outerjoin(
        permissions, permissions.c.id == stage.c.permission_ref
    )
    return Traced(
        joined,
        {
            "role_id": role.c.id,
            "permission": sa.func.coalesce(permissions.c.name, permissions.c.codename),
            "resource": permissions.c.codename,
            "is_active": sa.true(),
        },
        [
            missing(stage.c.role_ref, stage.c.permission_ref),
            unknown("ROLE_NOT_FOUND", role),
            ("PERMISSION_NOT_FOUND", permissions.c.codename.is_(None)),
        ],
        first=[stage.c.legacy_id],
    )


@legacy_table(
    tables.role_permissions,
    sources.dispatch_role_permissions,
    group=REFERENCE,
    resolve=_resolved_role_permissions,
    lookups=(lookups.permissions,),
    merge_on=("role_id", "resource"),
    older_by="legacy_id",
)
def role_permissions(rows: pd.DataFrame) -> pd.DataFrame:
    """What a role may do."""
    columns = {"role_ref": ids(rows["role_id"]), "permission_ref": ids(rows["permission_id"])}
    return parsed_rows(rows, sources.dispatch_role_permissions, "legacy_id", columns)
