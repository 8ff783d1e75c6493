"""The schema of a system in the database: created when it is absent, never migrated behind its owner's back."""

import sqlalchemy as sa
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateSchema, DropConstraint, DropIndex


def lock_for_transaction(connection: sa.Connection, name: str) -> None:
    """Wait for, and hold until the transaction ends, the advisory lock of a name."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))


def share_for_transaction(connection: sa.Connection, name: str) -> None:
    """Wait for, and share with others until the transaction ends, the advisory lock of a name."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(sa.func.hashtextextended(name, 0))))


def ensure_schema(connection: sa.Connection, metadata: sa.MetaData) -> None:
    """Create the schema and every table of it that is missing; two callers at once do not collide."""
    if _complete(connection, metadata):
        return
    lock_for_transaction(connection, f"schema {metadata.schema}")
    connection.execute(CreateSchema(str(metadata.schema), if_not_exists=True))
    metadata.create_all(connection)


def _complete(connection: sa.Connection, metadata: sa.MetaData) -> bool:
    present = sa.text("SELECT count(*) FROM pg_tables WHERE schemaname = :schema AND tablename = ANY(:names)")
    names = [table.name for table in metadata.tables.values()]
    return connection.scalar(present, {"schema": metadata.schema, "names": names}) == len(names)


def is_referenced(table: sa.Table) -> bool:
    """Whether a foreign key points to the table; its primary key then has to stay."""
    return any(key.references(table) for other in table.metadata.tables.values() for key in other.foreign_keys)


def droppable_for_bulk(table: sa.Table) -> tuple[list[sa.Constraint], list[sa.Index]]:
    """The constraints and indexes of a table that may be built after its first bulk load instead of during it."""
    kinds: tuple[type[sa.Constraint], ...] = (sa.UniqueConstraint, sa.ForeignKeyConstraint)
    if not is_referenced(table):
        kinds += (sa.PrimaryKeyConstraint,)
    return [c for c in table.constraints if isinstance(c, kinds)], list(table.indexes)


def drop_for_bulk(connection: sa.Connection, table: sa.Table) -> None:
    """Drop what `build_after_bulk` builds."""
    constraints, indexes = droppable_for_bulk(table)
    for index in indexes:
        connection.execute(DropIndex(index))
    for constraint in constraints:
        connection.execute(DropConstraint(constraint))


def truncate_empty(connection: sa.Connection, table: sa.Table) -> None:
    """Give an empty table a new file: what is copied into it in this transaction needs no write-ahead log twice.

    A server with `wal_level = minimal` then logs none of it, and any server takes `COPY … FREEZE`.
    """
    connection.execute(sa.text(f"TRUNCATE {connection.dialect.identifier_preparer.format_table(table)}"))


def build_after_bulk(connection: sa.Connection, table: sa.Table) -> None:
    """Build keys, indexes and foreign keys over rows that are already there."""
    constraints, indexes = droppable_for_bulk(table)
    for constraint in sorted(constraints, key=lambda c: isinstance(c, sa.ForeignKeyConstraint)):
        connection.execute(AddConstraint(constraint, isolate_from_table=False))
    for index in indexes:
        connection.execute(CreateIndex(index))
