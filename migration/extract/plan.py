"""Which tables and columns of a legacy database go into an export, by the system's source declarations."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from migration.errors import AmbiguousSource, SchemaDriftError
from migration.exports.sources import SourceTable
from migration.extract.failures import LegacyTableMissing


@dataclass(frozen=True)
class LegacyColumn:
    """A column that is exported.

    Attributes:
        name: as the export has it, which is how the source declares it.
        legacy: as the database has it.
        kind: its type there.
    """

    name: str
    legacy: str
    kind: TypeEngine[Any]


@dataclass(frozen=True)
class LegacyTable:
    """A table that is exported.

    Attributes:
        stem: its file in the export, with the sub-folder, without extensions.
        schema: where it is in the database; None means where the connection looks first.
        name: as the database has it.
        columns: the columns that are exported.
        key: its primary key in the database; empty when it has none.
        may_be_empty: False when zero rows mean that something is wrong.
    """

    stem: str
    schema: str | None
    name: str
    columns: tuple[LegacyColumn, ...]
    key: tuple[str, ...]
    may_be_empty: bool


@dataclass
class Plan:
    """What is exported.

    Attributes:
        tables: the tables, in the order of their declarations.
        left_out: labels of optional tables that the database does not have.
    """

    tables: list[LegacyTable] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def plan_export(
    connection: sa.Connection, place: str, sources: Iterable[SourceTable], *, all_columns: bool = False
) -> Plan:
    """Find the tables of a system in a legacy database.

    A table is looked for by its name, then by its aliases, then by those of its fallbacks, each exactly and then
    without regard to case; a source with a sub-folder, in the schema of that name. A column that is not declared stays
    in the database: personal data leaves it only where a migration has a use for it.

    Args:
        connection: the snapshot.
        place: the database, for messages.
        sources: the tables of the system.
        all_columns: export columns that are not declared as well.

    Raises:
        LegacyTableMissing: a required table, or its schema, is not there.
        SchemaDriftError: a table lacks a required key column, or has none of the declared columns.
        AmbiguousSource: two tables or columns differ only in case, and neither is spelled as declared.
    """
    catalog = _Catalog(sa.inspect(connection), place)
    plan = Plan()
    readers: dict[tuple[str, str], list[SourceTable]] = {}
    for source in sources:
        found = catalog.stem_of(source)
        if found is not None:
            readers.setdefault((source.folder, found), []).append(source)
        elif source.required:
            raise catalog.missing(source)
        else:
            plan.left_out.append(source.label)
    plan.tables = [_table(catalog, stem, by, all_columns) for (_, stem), by in readers.items()]
    return plan


class _Catalog:
    """The tables of a database, looked up once per schema."""

    def __init__(self, inspector: sa.Inspector, place: str) -> None:
        self.inspector = inspector
        self.place = place
        self._tables: dict[str, list[str]] = {}

    def tables(self, folder: str) -> list[str]:
        """The tables and views of a schema; of the one the connection looks in first where the folder is empty."""
        if folder not in self._tables:
            here = not folder or folder in self.inspector.get_schema_names()
            schema = folder or None
            names = [*self.inspector.get_table_names(schema), *self.inspector.get_view_names(schema)] if here else []
            self._tables[folder] = names
        return self._tables[folder]

    def stem_of(self, source: SourceTable) -> str | None:
        """The first of a source's stems that is a table."""
        stems = (*source.stems, *source.fallbacks)
        return next((stem for stem in stems if self.table_of(source, stem) is not None), None)

    def table_of(self, source: SourceTable, stem: str) -> str | None:
        """The table that a stem of a source means."""
        return _same_name(stem, self.tables(source.folder), f"{self.place}: table {source.label_of(stem)}")

    def missing(self, source: SourceTable) -> LegacyTableMissing:
        """The error that a required table is not there."""
        if source.folder and not self.tables(source.folder):
            problem = f"{self.place} has no schema or database {source.folder}, which must hold table {source.label}."
        else:
            problem = f"{self.place} has no table {source.label}."
        return LegacyTableMissing(
            problem,
            "Check that the URL names the right database and that the user may see the table; nothing was written.",
        )


def _table(catalog: _Catalog, stem: str, sources: Sequence[SourceTable], all_columns: bool) -> LegacyTable:
    """The table of a stem, with what each source that reads its file wants of it."""
    first = sources[0]
    name, schema = catalog.table_of(first, stem) or stem, first.folder or None
    kinds = {column["name"]: column["type"] for column in catalog.inspector.get_columns(name, schema)}
    columns: dict[str, LegacyColumn] = {}
    for source in sources:
        label = f"{catalog.place}: table {source.label_of(stem)}"
        mine = _columns(source, kinds, label)
        _require_columns(source, mine, label)
        columns |= mine
    if all_columns:
        taken = {column.legacy for column in columns.values()}
        columns |= {n: LegacyColumn(n, n, kind) for n, kind in kinds.items() if n not in taken}
    return LegacyTable(
        stem=f"{first.folder}/{stem}" if first.folder else stem,
        schema=schema,
        name=name,
        columns=tuple(columns.values()),
        key=tuple(catalog.inspector.get_pk_constraint(name, schema)["constrained_columns"]),
        may_be_empty=all(source.may_be_empty for source in sources),
    )


def _columns(source: SourceTable, kinds: dict[str, TypeEngine[Any]], label: str) -> dict[str, LegacyColumn]:
    """The declared columns that the database has, by the name they are declared with."""
    renamed = _renamed(source.rename_key, kinds, source.columns) if source.rename_key else {}
    found: dict[str, LegacyColumn] = {}
    for column in source.columns:
        legacy = _same_name(column, kinds, f"{label}, column {column}") or renamed.get(column)
        if legacy is not None:
            found[column] = LegacyColumn(column, legacy, kinds[legacy])
    return found


def _renamed(rename: Callable[[str], str], names: Iterable[str], columns: Sequence[str]) -> dict[str, str]:
    return {rename(name): name for name in names if rename(name) in columns}


def _require_columns(source: SourceTable, found: dict[str, LegacyColumn], label: str) -> None:
    missing = source.missing_keys(frozenset(found))
    if missing or not found:
        raise SchemaDriftError(
            f"{label} lacks {'the column ' + ', '.join(missing) if missing else 'every declared column'}.",
            "Adapt the source declaration to the legacy system's change, or check the URL; nothing was written.",
        )


def _same_name(name: str, names: Iterable[str], label: str) -> str | None:
    """A name as it is spelled, else the only one that differs from it in nothing but case."""
    if name in names:
        return name
    alike = [each for each in names if each.casefold() == name.casefold()]
    if len(alike) > 1:
        raise AmbiguousSource(
            f"{label} is there {len(alike)} times, in spellings that differ only in case.",
            "Declare it exactly as the one that counts is spelled.",
        )
    return alike[0] if alike else None
