"""The export itself, and what is left of older ones once all of it is loaded."""

from collections.abc import Sequence

import sqlalchemy as sa

from meter_assets import checks, tables
from meter_assets.assets import LOAD, METER, SOURCE
from meter_assets.options import options_of
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.errors import Refused
from migration.tables import Query

MOST_REMOVED = 10  # one row in so many

export = METER.export_asset(group=SOURCE)


@METER.step(
    group=LOAD,
    upstream=[table.name for table in tables.LOADED],
    kinds=("postgres", "table"),
    checks=[checks.only_this_export],
)
def export_pruned(step: Step) -> Write:
    """Removes the rows that older exports have left, children first: exports are full snapshots.

    Reports, backups and logs stay. An export that lacks more than a tenth of a table's rows is refused, unless the run
    says `allow_shrink`.
    """

    def write() -> None:
        shrunk = _shrunk_tables(step)
        step.facts["shrunk_tables"] = shrunk
        if shrunk and not options_of(step).allow_shrink and not step.run.dry_run:
            raise Refused(
                "EXPORT_SHRANK",
                f"Export {step.export.export_id} lacks more than a tenth of the rows of {', '.join(shrunk)}.",
                "Export again; or, where so much is really gone, run with allow_shrink: true.",
            )
        _forget_meters(step)
        for table in reversed(tables.LOADED):
            step.facts[f"removed_{table.name}"] = step.delete(table, _is_older(step, table))

    return write


def _is_older(step: Step, table: sa.Table) -> sa.ColumnElement[bool]:
    return table.c.export_id != step.export.export_id


def _shrunk_tables(step: Step) -> list[str]:
    """The tables of which more than a tenth is about to go."""
    counts = [_shrinks(step, table) for table in tables.LOADED]
    return sorted(row.name for row in step.connection.execute(sa.union_all(*counts)) if row.shrinks)


def _shrinks(step: Step, table: sa.Table) -> Query:
    older = sa.func.count().filter(_is_older(step, table))
    shrinks = older * MOST_REMOVED > sa.func.count()
    return sa.select(sa.literal(table.name).label("name"), shrinks.label("shrinks")).select_from(table)


def _forget_meters(step: Step) -> None:
    """Let payments and credits forget meters that are about to go: a step finds them others."""
    meter = tables.meters
    going = sa.select(meter.c.id).where(_is_older(step, meter))
    for table in (tables.payments, tables.overpayments):
        _forget(step, table, [table.c.meter_id.in_(going), sa.not_(_is_older(step, table))])


def _forget(step: Step, table: sa.Table, conditions: Sequence[sa.ColumnElement[bool]]) -> None:
    step.update(table, {"meter_id": None, "meter_id_source": None}, sa.and_(*conditions))
