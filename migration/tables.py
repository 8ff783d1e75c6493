"""How a target table is declared: columns with their domains and roles, said once.

DDL, CHECK constraints, the pandera schema, the Arrow schema of the COPY, the catalog's column schema and the docs all
come from the SQLAlchemy table built here. What is written into a table lives in `migration.warehouse`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any

import pandas as pd
import pandera.pandas as pa_schema
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

NAMING = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "ck": "%(table_name)s_%(constraint_name)s_check",
}


Query = sa.Select[*tuple[Any, ...]]


class Role(StrEnum):
    """What a column that is not business data is for; such columns are left out of fingerprints.

    `EXPORT` is the last export that held the row, `WRITER` the one that last changed it: a table has one of the two.
    """

    FIRST_EXPORT = "first_export"
    EXPORT = "export"
    WRITER = "writer"
    CHANGED_AT = "changed_at"
    SOURCE_ROW = "source_row"
    OTHER_WRITER = "other_writer"
    STEP = "step"


@dataclass(frozen=True)
class Domain:
    """The values a column may hold; becomes a CHECK constraint and a pandera check.

    Attributes:
        minimum: least value, included.
        maximum: greatest value, included.
        above: the value must be greater than this.
        one_of: the values allowed.
        day: the day of the month a date must have.
    """

    minimum: Decimal | int | None = None
    maximum: Decimal | int | None = None
    above: Decimal | int | None = None
    one_of: tuple[str, ...] = ()
    day: int | None = None

    def condition(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        """The domain as an SQL condition on a column."""
        parts: list[sa.ColumnElement[bool]] = []
        if self.minimum is not None:
            parts.append(column >= self.minimum)
        if self.maximum is not None:
            parts.append(column <= self.maximum)
        if self.above is not None:
            parts.append(column > self.above)
        if self.one_of:
            parts.append(column.in_(self.one_of))
        if self.day is not None:
            parts.append(sa.extract("day", column) == self.day)
        return sa.and_(*parts)

    def checks(self) -> list[pa_schema.Check]:
        """The domain as pandera checks on a frame's column."""
        found: list[pa_schema.Check] = []
        if self.minimum is not None:
            found.append(pa_schema.Check.ge(self.minimum))
        if self.maximum is not None:
            found.append(pa_schema.Check.le(self.maximum))
        if self.above is not None:
            found.append(pa_schema.Check.gt(self.above))
        if self.one_of:
            found.append(pa_schema.Check.isin(self.one_of))
        if self.day is not None:
            found.append(pa_schema.Check(_has_day(self.day), name=f"day is {self.day}"))
        return found


def _has_day(day: int) -> Any:
    return lambda dates: dates.dt.day == day


def at_least(minimum: Decimal | int) -> dict[str, Domain]:
    """Column info: no value below `minimum`."""
    return {"domain": Domain(minimum=minimum)}


def above(bound: Decimal | int) -> dict[str, Domain]:
    """Column info: every value greater than `bound`."""
    return {"domain": Domain(above=bound)}


def between(minimum: Decimal | int, maximum: Decimal | int) -> dict[str, Domain]:
    """Column info: every value in a closed range."""
    return {"domain": Domain(minimum=minimum, maximum=maximum)}


def one_of(*values: str) -> dict[str, Domain]:
    """Column info: every value in a fixed list."""
    return {"domain": Domain(one_of=values)}


def first_of_month() -> dict[str, Domain]:
    """Column info: every date is the first of its month."""
    return {"domain": Domain(day=1)}


def written_elsewhere() -> dict[str, Role]:
    """Column info: another asset, or a person, writes this column; loads of the table leave it alone."""
    return {"role": Role.OTHER_WRITER}


def owned_by_step() -> dict[str, Role]:
    """Column info: a later step computes this column; a load only gives a new row its first value."""
    return {"role": Role.STEP}


def source_row() -> sa.Column[int]:
    """The row of the export's file that a target row comes from."""
    return sa.Column(
        "source_row",
        sa.Integer,
        nullable=False,
        info={"role": Role.SOURCE_ROW},
        comment="Row of the source file, counted from 1",
    )


def provenance() -> list[sa.Column[Any]]:
    """The columns that say which exports a row was in, and when its business data last changed."""
    return [
        sa.Column(
            "first_export_id",
            sa.Text,
            nullable=False,
            info={"role": Role.FIRST_EXPORT},
            comment="First export that contained the row",
        ),
        sa.Column(
            "export_id",
            sa.Text,
            nullable=False,
            info={"role": Role.EXPORT},
            comment="Last export that contained the row",
        ),
        sa.Column(
            "migrated_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
            info={"role": Role.CHANGED_AT},
            comment="When business data of the row last changed",
        ),
    ]


def target_metadata(schema: str) -> sa.MetaData:
    """The metadata that the tables of one system's schema belong to."""
    return sa.MetaData(schema=schema, naming_convention=NAMING)


def target(name: str, metadata: sa.MetaData, *items: sa.schema.SchemaItem, comment: str) -> sa.Table:
    """Declare a target table: its columns' domains become named CHECK constraints."""
    table = sa.Table(name, metadata, *items, comment=comment)
    for column in table.columns:
        domain = column.info.get("domain")
        if domain is not None:
            table.append_constraint(sa.CheckConstraint(domain.condition(column), name=column.name))
    return table


def role_of(column: sa.Column[Any]) -> Role | None:
    """The role of a column, None for business data."""
    return column.info.get("role")


def business_columns(columns: Iterable[sa.Column[Any]]) -> list[sa.Column[Any]]:
    """Those of the columns that hold business data."""
    return [c for c in columns if role_of(c) is None]


def loaded_columns(table: sa.Table) -> list[sa.Column[Any]]:
    """The columns that a load of the table brings: business data and the source row, nothing that is computed."""
    return [c for c in table.columns if role_of(c) in (None, Role.SOURCE_ROW) and c.computed is None]


def first_values(table: sa.Table, brought: Iterable[str]) -> list[sa.Column[Any]]:
    """Those of the columns brought by a load that steps own: written into new rows, left alone in known ones."""
    names = set(brought)
    return [c for c in table.columns if role_of(c) is Role.STEP and c.name in names]


SplitBy = str | Callable[[sa.FromClause, Sequence[str]], sa.ColumnElement[bool]]
"""How rows are split into partitions: by the column that holds the key, or by the condition to be in some of them."""


def rows_of_partitions(table: sa.FromClause, split_by: SplitBy, keys: Sequence[str]) -> sa.ColumnElement[bool]:
    """The condition that a row of a table is in one of these partitions."""
    if not isinstance(split_by, str):
        return split_by(table, keys)
    column = table.c[split_by]
    if len(keys) == 1:
        return column == sa.cast(keys[0], column.type)
    return column == sa.any_(sa.cast(list(keys), sa.ARRAY(column.type)))


def key_columns(table: sa.Table) -> list[sa.Column[Any]]:
    """The columns of the primary key, in order."""
    return list(table.primary_key.columns)


def arrow_type(column: sa.Column[Any]) -> pa.DataType:
    """The Arrow type in which a column travels to the server; never a float.

    Raises:
        TypeError: the column has a type that no target table uses so far.
    """
    kind = column.type
    if isinstance(kind, sa.Numeric) and not isinstance(kind, sa.Float):
        return pa.decimal128(kind.precision or 38, kind.scale or 0)
    for sql_type, arrow in _ARROW_TYPES:
        if isinstance(kind, sql_type):
            return arrow
    raise TypeError(f"{column}: no Arrow type for {kind!r}")


_ARROW_TYPES: tuple[tuple[Any, pa.DataType], ...] = (
    (sa.BigInteger, pa.int64()),
    (sa.SmallInteger, pa.int16()),
    (sa.Integer, pa.int32()),
    (sa.Boolean, pa.bool_()),
    (sa.DateTime, pa.timestamp("us", tz="UTC")),
    (sa.Date, pa.date32()),
    (sa.Time, pa.time64("us")),
    (sa.Uuid, pa.string()),
    (pg.JSONB, pa.string()),
    (sa.ARRAY, pa.string()),
    (pg.INET, pa.string()),
    (sa.String, pa.string()),
)


def arrow_schema(columns: Sequence[sa.Column[Any]]) -> pa.Schema:
    """The Arrow schema of a frame that is to be copied into these columns."""
    return pa.schema([pa.field(c.name, arrow_type(c)) for c in columns])


def frame_schema(
    columns: Sequence[sa.Column[Any]], name: str, *, nulls_allowed: bool = False
) -> pa_schema.DataFrameSchema:
    """The pandera schema of a frame that is to be written into these columns: nulls and domains.

    Args:
        columns: the columns, all of the frame's.
        name: what errors call the frame.
        nulls_allowed: for rows that are still to be completed: missing values pass everywhere.
    """
    return _frame_schema(tuple(columns), name, nulls_allowed)


@cache
def _frame_schema(columns: tuple[sa.Column[Any], ...], name: str, nulls_allowed: bool) -> pa_schema.DataFrameSchema:
    described = {
        c.name: pa_schema.Column(
            nullable=nulls_allowed or bool(c.nullable), checks=c.info["domain"].checks() if "domain" in c.info else []
        )
        for c in columns
    }
    return pa_schema.DataFrameSchema(described, name=name, strict=True)


def empty_frame(columns: Sequence[sa.Column[Any]]) -> pd.DataFrame:
    """A frame of these columns without rows."""
    return arrow_schema(columns).empty_table().to_pandas(types_mapper=pd.ArrowDtype)
