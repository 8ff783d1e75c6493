"""Natural keys across exports: what becomes of a row that comes under another id than an older export gave it.

The lower legacy id stays. Where that is the older row, the new one is merged into it, even if the older row's own
source row is now rejected or skipped, for the table still holds it. Where it is the new one, the older row goes, and
rows that name it name the new one from then on; of two that thereby become equal in a natural key of their own, the
lower stays, too. The natural key must be a deferrable constraint, because for a moment both rows are there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from migration.tables import key_columns

if TYPE_CHECKING:
    from migration.declare.step import Step


NATURAL_KEY = "natural_key"  # in a table's info: its `NaturalKey`


@dataclass(frozen=True)
class NaturalKey:
    """By what the rows of a table differ, across exports.

    Attributes:
        columns: names of the columns in which they must differ.
        older_by: name of the column by which, of two rows that do not differ, the lower stays.
    """

    columns: tuple[str, ...]
    older_by: str


@dataclass(frozen=True)
class Displaced:
    """Rows of older exports that new rows take the place of.

    Attributes:
        table: the table.
        rows: their keys (`old`), and those of the rows that take their place (`new`).
    """

    table: sa.Table
    rows: sa.Table

    def remove(self, step: "Step") -> None:
        """Let the rows that name them name the new ones, then delete them; each change is logged."""
        old, new = self.rows.c.old, self.rows.c.new
        if not step.connection.scalar(sa.select(sa.func.count()).select_from(self.rows)):
            return
        children = [each for each in self.table.metadata.sorted_tables if each is not self.table]
        naming = [key.parent for child in children for key in child.foreign_keys if key.references(self.table)]
        for column in naming:
            successor = sa.select(new).where(old == column).scalar_subquery()
            self._remove_equal(step, column, sa.func.coalesce(successor, column))
            step.update(column.table, {column.name: successor}, column.in_(sa.select(old)))
        step.facts["displaced"] = step.delete(self.table, key_columns(self.table)[0].in_(sa.select(old)))

    def _remove_equal(self, step: "Step", column: sa.Column[Any], named: sa.ColumnElement[Any]) -> None:
        """Of rows that will name the same row, and then be equal in their natural key, keep the lowest."""
        child = column.table
        natural: NaturalKey | None = child.info.get(NATURAL_KEY)
        if natural is None or column.name not in natural.columns:
            return
        equal = [named, *(child.c[name] for name in natural.columns if name != column.name)]
        place = sa.func.row_number().over(partition_by=equal, order_by=child.c[natural.older_by]).label("place")
        key = key_columns(child)[0]
        ranked = sa.select(key.label("id"), place).where(named.in_(sa.select(self.rows.c.new))).subquery("ranked")
        step.delete(child, key.in_(sa.select(ranked.c.id).where(ranked.c.place > 1)))


def merge_into_older(
    table: sa.Table, stage: sa.Table, resolved: sa.Table, pair: Sequence[str], older_by: str
) -> sa.Subquery:
    """The new rows that older ones with the same natural key and a lower value of `older_by` make superfluous.

    An older row that this export loads, or merges into another of its rows, does not count: its key is settled anew.
    """
    key = key_columns(table)[0].name
    newer, other = resolved.alias("newer"), resolved.alias("other")
    staged = sa.select(sa.literal(1)).where(stage.c[key] == table.c[key]).exists()
    left_out = sa.select(sa.literal(1)).where(other.c[key] == table.c[key], sa.not_(_is_loaded(other))).exists()
    same = sa.and_(*(newer.c[name] == table.c[name] for name in pair), newer.c[key] != table.c[key])
    found = sa.select(newer.c[key].label("loser"), table.c[key].label("survivor")).select_from(newer.join(table, same))
    stays = sa.or_(sa.not_(staged), left_out)
    return found.where(table.c[older_by] < newer.c[older_by], stays).subquery("older")


def displaced_rows(step: "Step", table: sa.Table, resolved: sa.Table, pair: Sequence[str]) -> Displaced:
    """The rows of older exports that the rows to be loaded take the place of."""
    key, loaded = key_columns(table)[0].name, resolved.alias("loaded")
    same = sa.and_(*(resolved.c[name] == table.c[name] for name in pair), resolved.c[key] != table.c[key])
    stays = sa.select(sa.literal(1)).where(loaded.c[key] == table.c[key], _is_loaded(loaded)).exists()
    taken = sa.and_(_is_loaded(resolved), sa.not_(stays))
    found = sa.select(table.c[key].label("old"), resolved.c[key].label("new")).select_from(resolved.join(table, same))
    return Displaced(table, step.gather(f"displaced_{table.name}", found.where(taken)))


def _is_loaded(resolved: sa.FromClause) -> sa.ColumnElement[bool]:
    return sa.and_(resolved.c.skip.is_(None), resolved.c.code.is_(None))
