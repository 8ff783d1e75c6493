"""Source tables without a target of their own, as the loads look into them: usable rows, the last of each id."""

from collections.abc import Callable, Mapping

import pandas as pd
import sqlalchemy as sa

from dental_assets import sources
from dental_assets.parsing.column import Column
from dental_assets.parsing.groups import groups as group_names
from dental_assets.parsing.numbers import ids, integers
from dental_assets.parsing.rows import TEXT, lookup_rows, warned
from dental_assets.parsing.text import texts
from migration.declare.lookups import Lookup
from migration.exports.sources import SourceTable

_ID, _WORD = sa.BigInteger, sa.Text


def _lookup(source: SourceTable, read: Callable[[pd.DataFrame], Mapping[str, Column]], **columns: type) -> Lookup:
    staged = (sa.Column("id", _ID), *(sa.Column(name, kind) for name, kind in columns.items()))
    return Lookup(source, staged, lambda rows: lookup_rows(rows, read(rows)))


def _ids(source: SourceTable, *names: str) -> Lookup:
    return _lookup(source, lambda rows: {name: ids(rows[name]) for name in names}, **dict.fromkeys(names, _ID))


group_members = _ids(sources.auth_user_groups, "user_id", "group_id")
doctor_settings = _ids(sources.dispatch_doctorsetting, "user_id")
office_doctors = _ids(sources.dispatch_office_doctors, "office_id", "user_id")
plans = _ids(sources.dispatch_plan, "instruction_id")
products = _ids(sources.dispatch_product, "course_id")
groups = _lookup(sources.auth_group, lambda rows: {"name": group_names(rows["name"])}, name=_WORD)
permissions = _lookup(
    sources.auth_permission,
    lambda rows: {"name": texts(rows["name"]), "codename": texts(rows["codename"])},
    name=_WORD,
    codename=_WORD,
)


def _lower(column: Column) -> Column:
    return column.mapped(str.lower)


content_types = _lookup(sources.django_content_type, lambda rows: {"model": _lower(texts(rows["model"]))}, model=_WORD)


def _patient_status(rows: pd.DataFrame) -> pd.DataFrame:
    read = {"status": integers(rows["status"])}
    found = lookup_rows(rows, read)
    return found.assign(warnings=warned(read, rows.index).astype(TEXT).loc[found.index])


patient_statuses = Lookup(
    sources.dispatch_patient,
    (sa.Column("id", _ID), sa.Column("status", _ID), sa.Column("warnings", _WORD)),
    _patient_status,
)
