"""The report on how much of each component was migrated."""

from typing import Any

import sqlalchemy as sa

from dental_assets import card_checks, checks, tables
from dental_assets.assets import DENTAL, REPORT
from dental_assets.checks import MINIMUM_RATES, counted, percent, two_decimals
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.outcome import Outcome
from migration.tables import Query

PHASE_6 = (
    "storages",
    "ware",
    "roles",
    "role_permissions",
    "templates",
    "template_edit_roles",
    "template_view_roles",
    "template_predecessors",
)
COMPLETE, BELOW, NO_SOURCE, INFO = "COMPLETE", "BELOW_MINIMUM", "NO_SOURCE", "INFO"

_NUMBER, _RATE = sa.BigInteger, sa.Numeric(6, 2)


def _components(step: Step, names: tuple[str, ...]) -> sa.CTE:
    """What became of components; one that was fed nothing has zeros."""
    listed = sa.select(
        sa.func.unnest(sa.cast(list(names), sa.ARRAY(sa.Text)), type_=sa.Text).label("component")
    ).subquery()
    rows = counted(step.books, step.export.export_id, names)
    return (
        sa.select(
            listed.c.component,
            sa.cast(sa.func.coalesce(rows.c.source_count, 0), _NUMBER).label("source_count"),
            sa.cast(sa.func.coalesce(rows.c.migrated, 0), _NUMBER).label("migrated"),
        )
        .select_from(listed.outerjoin(rows, rows.c.component == listed.c.component))
        .cte(f"components_{len(names)}_{names[0]}")
    )


def _judged(components: sa.CTE) -> sa.CTE:
    """Components with their rates and whether these suffice."""
    minimum = sa.cast(
        sa.case({name: sa.literal(rate, _RATE) for name, rate in MINIMUM_RATES.items()}, value=components.c.component),
        _RATE,
    )
    rate = percent(components.c.migrated, components.c.source_count)
    status = sa.case((rate.is_(None), NO_SOURCE), (rate >= minimum, COMPLETE), else_=BELOW)
    return sa.select(components, rate.label("success_rate"), minimum.label("minimum_rate"), status.label("status")).cte(
        "judged"
    )


def _total(name: str, components: sa.FromClause) -> Query:
    source = sa.cast(sa.func.sum(components.c.source_count), _NUMBER)
    migrated = sa.cast(sa.func.sum(components.c.migrated), _NUMBER)
    return _information(name, source, migrated, percent(migrated, source))


def _information(name: str, *figures: sa.ColumnElement[Any]) -> Query:
    return sa.select(sa.literal(name), *figures, sa.cast(sa.null(), _RATE), sa.literal(INFO))


@DENTAL.step(
    name="migration_success_report",
    group=REPORT,
    upstream=[*MINIMUM_RATES, *PHASE_6],
    target=tables.migration_success_report,
    kinds=("postgres", "table"),
    checks=[checks.phase6_complete, card_checks.no_card_numbers_rejected()],
)
def migration_success_report(step: Step) -> Write:
    """How much of each component of an export was migrated, and of all together; merged rows do not count."""
    report = tables.migration_success_report
    phase_7, phase_6 = _components(step, tuple(MINIMUM_RATES)), _components(step, PHASE_6)
    judged = _judged(phase_7)
    nothing = sa.cast(sa.null(), _NUMBER)
    mean = two_decimals(sa.func.avg(judged.c.success_rate))
    both = sa.union_all(sa.select(phase_7), sa.select(phase_6)).subquery("both")
    rows = sa.union_all(
        sa.select(judged),
        _total("PHASE7_TOTAL", phase_7),
        _information("PHASE7_AVERAGE", nothing, nothing, mean),
        _total("PHASE6_TOTAL", phase_6),
        _total("COMBINED_TOTAL", both),
    ).subquery("rows")
    export = sa.literal(step.export.export_id, sa.Text).label("export_id")
    staged = step.gather("success_report", sa.select(export, *rows.c))
    step.tally.source_rows = step.connection.scalar(sa.select(sa.func.count()).select_from(staged)) or 0
    step.tally.outcomes[Outcome.LOADED.value] = step.tally.source_rows
    return lambda: step.replace(report, staged, report.c.export_id == step.export.export_id)
