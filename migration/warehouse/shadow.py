"""The shadow schema of a dry run: a copy of the live tables to write into, and what would change against them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateSchema, DropSchema

from migration.errors import Refused
from migration.tables import PartitionColumn, business_columns, key_columns, rows_of_partition
from migration.warehouse.ddl import ensure_schema, lock_for_transaction

KEYS_SHOWN = 10


def shadow_name(schema: str) -> str:
    """The name of a schema's shadow."""
    return f"{schema}__dry_run"


def _owner_table(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "shadow_owner", sa.MetaData(), sa.Column("preview", sa.Text), schema=shadow_name(str(metadata.schema))
    )


_prepared: set[tuple[sa.URL, str]] = set()


def prepare_shadow(engine: sa.Engine, metadata: sa.MetaData, preview: str) -> None:
    """Clone the live tables into the shadow schema, once per preview; it stays until the next one.

    Args:
        engine: the target database.
        metadata: the tables of the schema.
        preview: the dry run, or several that share one; a shadow that it has prepared already is left as it is.

    Raises:
        Refused: this preview had a shadow, and another one has replaced it meanwhile.
    """
    owner = _owner_table(metadata)
    with engine.begin() as connection:
        ensure_schema(connection, metadata)
        lock_for_transaction(connection, f"schema {owner.schema}")
        if sa.inspect(connection).has_table(owner.name, schema=owner.schema) and (
            connection.scalar(sa.select(owner.c.preview)) == preview
        ):
            return
        if (engine.url, preview) in _prepared:
            raise Refused(
                "DRY_RUN_DISTURBED",
                f"Another dry run has taken over the schema {owner.schema}: what this one had found is gone.",
                "Start the dry run again, one at a time.",
            )
        connection.execute(DropSchema(str(owner.schema), cascade=True, if_exists=True))
        connection.execute(CreateSchema(str(owner.schema)))
        owner.create(connection)
        connection.execute(sa.insert(owner).values(preview=preview))
        _clone(connection, metadata, str(owner.schema))
    _prepared.add((engine.url, preview))


def _clone(connection: sa.Connection, metadata: sa.MetaData, shadow: str) -> None:
    """Copy the live tables as they are now: structure from the declaration, rows from the live schema."""
    translate = {"schema_translate_map": {metadata.schema: shadow}}
    metadata.create_all(connection.execution_options(**translate), checkfirst=False)
    connection.execution_options(schema_translate_map={})
    for table in metadata.sorted_tables:
        names = [c.name for c in table.columns if c.computed is None]
        copy = sa.Table(table.name, sa.MetaData(), *(sa.Column(n) for n in names), schema=shadow)
        connection.execute(sa.insert(copy).from_select(names, sa.select(*(table.c[n] for n in names))))
        for column in table.columns:
            if column.identity is not None:
                _continue_numbers(connection, copy, column.name)


def _continue_numbers(connection: sa.Connection, copy: sa.Table, column: str) -> None:
    """Let new rows be numbered after those that were copied."""
    sequence = sa.func.pg_get_serial_sequence(f"{copy.schema}.{copy.name}", column)
    after_last = sa.func.coalesce(sa.func.max(copy.c[column]), 0) + 1
    connection.execute(sa.select(sa.func.setval(sequence, after_last, sa.false())).select_from(copy))


@dataclass(frozen=True)
class Difference:
    """What a dry run would change in a live table: counts, and the first keys that change."""

    inserted: int
    updated: int
    deleted: int
    unchanged: int
    keys: list[str]


@dataclass(frozen=True)
class Part:
    """The rows of one partition.

    Attributes:
        column: the column that holds the partition's key, or the condition for a key.
        key: the partition.
    """

    column: PartitionColumn
    key: str

    def rows_of(self, table: sa.Table) -> sa.Subquery:
        """The rows of a table that belong to the partition."""
        return sa.select(table).where(rows_of_partition(table, self.column, self.key)).subquery()


def compare_with_live(
    connection: sa.Connection, table: sa.Table, columns: Sequence[sa.Column[Any]] = (), part: Part | None = None
) -> Difference:
    """Compare the shadow of a table with the live one.

    Args:
        connection: any connection to the target database; its schema translation is not used.
        table: the live table.
        columns: what is compared; by default all business data.
        part: compare only these rows.
    """
    keys = key_columns(table)
    columns = columns or business_columns(c for c in table.columns if c.computed is None)
    shadow = sa.Table(
        table.name,
        sa.MetaData(),
        *(sa.Column(c.name, c.type) for c in table.columns),
        schema=shadow_name(str(table.schema)),
    )
    shadow, live = (side.alias() if part is None else part.rows_of(side) for side in (shadow, table))
    same_key = sa.and_(*(shadow.c[k.name] == live.c[k.name] for k in keys))
    first = keys[0].name
    in_both = sa.and_(shadow.c[first].is_not(None), live.c[first].is_not(None))
    rows = [sa.func.row(*(side.c[c.name] for c in columns)) for side in (shadow, live)]
    differs = rows[0].is_distinct_from(rows[1])
    joined = live.join(shadow, same_key, full=True)
    states = {
        "inserted": live.c[first].is_(None),
        "updated": sa.and_(in_both, differs),
        "deleted": shadow.c[first].is_(None),
        "unchanged": sa.and_(in_both, sa.not_(differs)),
    }
    untranslated = {"schema_translate_map": {}}
    counts = connection.execute(
        sa.select(*(sa.func.count().filter(state).label(name) for name, state in states.items())).select_from(joined),
        execution_options=untranslated,
    ).one()
    named = [sa.func.coalesce(shadow.c[k.name], live.c[k.name]) for k in keys]
    changed = sa.select(*named).select_from(joined).where(sa.or_(in_both.self_group() & differs, ~in_both))
    first_keys = connection.execute(changed.order_by(*named).limit(KEYS_SHOWN), execution_options=untranslated).all()
    shown = [" ".join(str(part) for part in key) for key in first_keys]
    return Difference(counts.inserted, counts.updated, counts.deleted, counts.unchanged, shown)
