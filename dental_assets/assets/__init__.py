"""The assets of the dental system: one module per subject; rows find their parents by set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any

import dagster as dg
import pandas as pd
import sqlalchemy as sa

from dental_assets import checks, rules, sources, tables
from dental_assets.quarantine import raw_record
from dental_assets.sql import json_object
from migration.checks import Check
from migration.declare.resolving import Resolution
from migration.declare.system import System
from migration.exports.sources import SourceTable

EXPORT = "export_validation"
REFERENCE, PEOPLE, TEMPLATES, MEDICAL = "reference", "people", "templates", "medical"
FINANCE, LOGISTICS, COMMUNICATION = "finance", "logistics", "communication"
NOTIFICATIONS, REPORT = "notifications", "report"

DENTAL = System("dental", tables.metadata, tables.books, sources.ALL, export_name=EXPORT)

Asset = dg.AssetsDefinition


@dataclass(frozen=True)
class Traced(Resolution):
    """How staged rows become rows of the target, by set.

    Attributes:
        notes: what the rows' metadata holds besides where they came from.
    """

    notes: Mapping[str, sa.ColumnElement[Any]] = field(default_factory=dict)


Resolve = Callable[..., Traced]


def legacy_table(
    table: sa.Table,
    source: SourceTable,
    *,
    group: str,
    resolve: Resolve = Traced,
    own_checks: Sequence[Check] = (),
    upstream: Sequence[str] | None = None,
    **further: Any,
) -> Callable[[Callable[[pd.DataFrame], pd.DataFrame]], Asset]:
    """Declare a target table that is fed by a legacy table; the function reads a batch of its cells.

    Args:
        table: the target table.
        source: the legacy table.
        group: group in the catalog.
        resolve: what becomes of the staged rows, given the stage and the lookups; by default all are loaded as read.
        own_checks: checks beside those that every table has.
        upstream: assets beside the tables of the foreign keys; by default, where there are none, the export.
        **further: what else a `resolved_table` takes.
    """
    has_parents = any(key.column.table is not table for key in table.foreign_keys)
    return DENTAL.resolved_table(
        table,
        source=source,
        rules=rules.KEYED,
        raw=raw_record(source),
        newest="source_row",
        group=group,
        resolve=_traced(source, resolve),
        checks=[*checks.of_table(table), *own_checks],
        upstream=upstream if upstream is not None else [] if has_parents else [EXPORT],
        absent_warning="" if source.required else rules.OPTIONAL_TABLE_ABSENT,
        **further,
    )


def driven_table(
    table: sa.Table,
    driver: sa.Table,
    source: SourceTable,
    *,
    group: str,
    condition: sa.ColumnElement[bool] | None = None,
    own_checks: Sequence[Check] = (),
    **further: Any,
) -> Callable[[Resolve], Asset]:
    """Declare a target table with a row for each row of another one that this export has loaded.

    The function says what becomes of these rows, given the stage and the lookups.
    """

    def declare(function: Resolve) -> Asset:
        return DENTAL.driven_table(
            table,
            driver=driver,
            condition=sa.true() if condition is None else condition,
            source=source,
            group=group,
            checks=[*checks.of_table(table), *own_checks],
            **further,
        )(_traced(source, function))

    return declare


def _traced(source: SourceTable, resolve: Resolve) -> Callable[..., Resolution]:
    """A resolution whose rows also say where they came from."""

    @wraps(resolve)
    def resolved(stage: sa.Table, export_id: str, *lookups: sa.Table) -> Resolution:
        found = resolve(stage, *lookups)
        trace = {"source_table": source.name, "source_pk": stage.c.source_pk, **found.notes}
        return replace(found, computed={**found.computed, "metadata": json_object(trace)})

    return resolved
