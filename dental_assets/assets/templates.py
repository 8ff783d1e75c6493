"""Templates of tasks, who may see and edit them, and the products they are for."""

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from dental_assets import checks, lookups, sources, tables
from dental_assets.assets import TEMPLATES, Asset, Traced, legacy_table
from dental_assets.parsing.column import truth
from dental_assets.parsing.json_values import json_texts
from dental_assets.parsing.numbers import booleans, ids, integers
from dental_assets.parsing.rows import parsed_rows
from dental_assets.parsing.text import spaced_texts, texts
from dental_assets.rules import Coded, dropped, missing, unknown
from dental_assets.sql import named, prefixed, words
from migration.exports.sources import SourceTable

templates_, roles_, products_ = tables.templates, tables.roles, tables.products

COURSES = {1: "main", 2: "refinement", 3: "replacement", 7: "invoice"}


# --- templates --------------------------------------------------------------------------------------------------------


def _resolved_templates(stage: sa.Table) -> Traced:
    category = tables.categories
    return Traced(
        stage.outerjoin(category, category.c.legacy_category_id == stage.c.category_ref),
        {"category_id": category.c.id},
        warnings=dropped("CATEGORY_NOT_FOUND", stage.c.category_ref, category),
        notes={name: stage.c[name] for name in ("function", "predefined", "read_only")},
    )


@legacy_table(templates_, sources.dispatch_template, group=TEMPLATES, resolve=_resolved_templates)
def templates(rows: pd.DataFrame) -> pd.DataFrame:
    """Templates of tasks; a negative duration is none."""
    task, text = spaced_texts(rows["task_name"]), spaced_texts(rows["text_name"])
    duration, status = integers(rows["duration"]), integers(rows["status"])
    columns = {
        "name": task.filled(text.value.fillna("Unnamed Template")),
        "text_name": text,
        "action_name": texts(rows["action_name"]),
        "category_ref": ids(rows["category_id"]),
        "status": status,
        "estimated_duration_minutes": duration.without(truth(duration.value < 0)),
        "function": integers(rows["function"]),
        **{name: booleans(rows[name]) for name in ("predefined", "read_only")},
    }
    frame = parsed_rows(rows, sources.dispatch_template, "legacy_template_id", columns)
    return frame.assign(is_active=truth(status.value == 1).astype(pd.ArrowDtype(pa.bool_())))


# --- junctions --------------------------------------------------------------------------------------------------------


def _of_template(
    stage: sa.Table, other: sa.ColumnElement[int]
) -> tuple[sa.FromClause, dict[str, sa.ColumnElement[object]], list[Coded]]:
    """What every junction begins with: its template, and that it names one and something else."""
    joined = stage.outerjoin(templates_, templates_.c.legacy_template_id == stage.c.template_ref)
    rejects = [missing(stage.c.template_ref, other), unknown("TEMPLATE_NOT_FOUND", templates_)]
    return joined, {"template_id": templates_.c.id}, rejects


def _resolved_predecessors(stage: sa.Table) -> Traced:
    template, before = templates_, templates_.alias("before")
    joined = stage.outerjoin(template, template.c.legacy_template_id == stage.c.template_ref).outerjoin(
        before, before.c.legacy_template_id == stage.c.predecessor_ref
    )
    return Traced(
        joined,
        {"template_id": template.c.id, "predecessor_id": before.c.id},
        [
            missing(stage.c.template_ref, stage.c.predecessor_ref),
            ("SELF_REFERENCE", stage.c.template_ref == stage.c.predecessor_ref),
            unknown("TEMPLATE_NOT_FOUND", template, before),
        ],
        first=[stage.c.legacy_id],
    )


@legacy_table(
    tables.template_predecessors,
    sources.dispatch_template_predecessors,
    group=TEMPLATES,
    resolve=_resolved_predecessors,
    merge_on=("template_id", "predecessor_id"),
    older_by="legacy_id",
    own_checks=[checks.template_cycle],
)
def template_predecessors(rows: pd.DataFrame) -> pd.DataFrame:
    """Which template comes after which."""
    columns = {"template_ref": ids(rows["from_template_id"]), "predecessor_ref": ids(rows["to_template_id"])}
    return parsed_rows(rows, sources.dispatch_template_predecessors, "legacy_id", columns)


def _resolved_template_roles(stage: sa.Table) -> Traced:
    joined, computed, rejects = _of_template(stage, stage.c.role_ref)
    return Traced(
        joined.outerjoin(roles_, roles_.c.legacy_role_id == stage.c.role_ref),
        {**computed, "role_id": roles_.c.id},
        [*rejects, unknown("ROLE_NOT_FOUND", roles_)],
        first=[stage.c.legacy_id],
    )


def _template_roles(table: sa.Table, source: SourceTable) -> Asset:
    def read(rows: pd.DataFrame) -> pd.DataFrame:
        columns = {"template_ref": ids(rows["template_id"]), "role_ref": ids(rows["role_id"])}
        return parsed_rows(rows, source, "legacy_id", columns)

    read.__name__, read.__doc__ = table.name, table.comment
    return legacy_table(
        table,
        source,
        group=TEMPLATES,
        resolve=_resolved_template_roles,
        merge_on=("template_id", "role_id"),
        older_by="legacy_id",
    )(read)


template_edit_roles = _template_roles(tables.template_edit_roles, sources.dispatch_template_edit_roles)
template_view_roles = _template_roles(tables.template_view_roles, sources.dispatch_template_view_roles)


def _resolved_view_groups(stage: sa.Table, groups: sa.Table) -> Traced:
    joined, computed, rejects = _of_template(stage, stage.c.legacy_group_id)
    return Traced(
        joined.outerjoin(groups, groups.c.id == stage.c.legacy_group_id),
        {**computed, "group_name": groups.c.name, "access_level": words("view")},
        [*rejects, ("GROUP_NOT_FOUND", groups.c.name.is_(None))],
        first=[stage.c.legacy_id],
    )


@legacy_table(
    tables.template_view_groups,
    sources.dispatch_template_view_groups,
    group=TEMPLATES,
    resolve=_resolved_view_groups,
    lookups=(lookups.groups,),
    merge_on=("template_id", "group_name"),
    older_by="legacy_id",
    own_checks=[checks.success_rate("template_view_groups"), checks.view_group_set],
)
def template_view_groups(rows: pd.DataFrame) -> pd.DataFrame:
    """Which groups may view a template; groups of any name are loaded."""
    columns = {"template_ref": ids(rows["template_id"]), "legacy_group_id": ids(rows["group_id"])}
    return parsed_rows(rows, sources.dispatch_template_view_groups, "legacy_id", columns)


# --- products ---------------------------------------------------------------------------------------------------------


def _resolved_products(stage: sa.Table) -> Traced:
    """Of the products of a course the one with the lowest id stands for all; it remembers the others."""
    deleted, course = stage.c.deleted, stage.c.legacy_course_id
    other = stage.alias("other")
    own = stage.c.legacy_product_id
    others = (
        sa.select(sa.func.jsonb_agg(aggregate_order_by(other.c.legacy_product_id, other.c.legacy_product_id)))
        .where(other.c.legacy_course_id == course, other.c.legacy_product_id != own, sa.not_(other.c.deleted))
        .scalar_subquery()
    )
    return Traced(
        stage,
        {
            "name": sa.func.coalesce(stage.c.name, prefixed("Product ", own)),
            "course_type": named(course, COURSES),
            "base_price": sa.case((stage.c.free, sa.literal(0, sa.Numeric(12, 2)))),
            "is_active": sa.true(),
        },
        [missing(course), ("COURSE_NOT_MAPPED", course.not_in(COURSES))],
        skips=[("product_deleted", deleted)],
        first=[own],
        notes={"merged_legacy_product_ids": sa.func.coalesce(others, sa.literal([], JSONB))},
    )


@legacy_table(
    products_,
    sources.dispatch_product,
    group=TEMPLATES,
    resolve=_resolved_products,
    merge_on=("legacy_course_id",),
    older_by="legacy_product_id",
)
def products(rows: pd.DataFrame) -> pd.DataFrame:
    """Products, one per course."""
    columns = {
        "name": spaced_texts(rows["name"]),
        "description": texts(rows["description"]),
        "legacy_course_id": ids(rows["course_id"]),
        "free": booleans(rows["free"]),
        "deleted": booleans(rows["deleted"]),
        "customization": json_texts(rows["customization"]),
    }
    return parsed_rows(rows, sources.dispatch_product, "legacy_product_id", columns)


def _resolved_template_products(stage: sa.Table, legacy_products: sa.Table) -> Traced:
    joined, computed, rejects = _of_template(stage, stage.c.legacy_product_id)
    course = legacy_products.c.course_id
    return Traced(
        joined.outerjoin(legacy_products, legacy_products.c.id == stage.c.legacy_product_id).outerjoin(
            products_, products_.c.legacy_course_id == course
        ),
        {**computed, "product_id": products_.c.id, "quantity": sa.literal(1, sa.Integer), "legacy_course_id": course},
        [*rejects, unknown("PRODUCT_NOT_FOUND", legacy_products), unknown("COURSE_NOT_MAPPED", products_)],
        first=[stage.c.legacy_id],
    )


@legacy_table(
    tables.template_products,
    sources.dispatch_template_products,
    group=TEMPLATES,
    resolve=_resolved_template_products,
    lookups=(lookups.products,),
    merge_on=("template_id", "product_id"),
    older_by="legacy_id",
    own_checks=[checks.success_rate("template_products")],
)
def template_products(rows: pd.DataFrame) -> pd.DataFrame:
    """Which product a template is for: the one that stands for the course of the legacy product."""
    columns = {"legacy_template_id": ids(rows["template_id"]), "legacy_product_id": ids(rows["product_id"])}
    frame = parsed_rows(rows, sources.dispatch_template_products, "legacy_id", columns)
    return frame.assign(template_ref=frame["legacy_template_id"])
