"""What the parts of the oracle share: source rows by id, what becomes of them, and the tables that they fill."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.dental import dental_scalars as scalars
from tests.dental.dental_files import TABLES, WITHHELD, Export, Row, SourceRow, Table
from tests.dental.dental_scalars import Unusable, key_of

LedgerKey = tuple[str, str, int, str]
RUN_OF_ROWS = ("source_rows", "loaded", "merged", "rejected", "skipped")


class Skipped(Exception):
    """A rule of the target leaves the row out."""


class Rejected(Exception):
    """The row cannot be loaded; its text is the reason."""


@dataclass
class Counts:
    """Counts of an asset."""

    source_rows: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    rejected_by: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)

    def flat(self) -> Row:
        """As the run log has them."""
        numbers = {name: self.outcomes[name] for name in RUN_OF_ROWS[1:]}
        reasons = {"rejected_by": dict(self.rejected_by), "warnings": dict(self.warnings)}
        return {"source_rows": self.source_rows, **numbers, **reasons}


@dataclass(eq=False)
class Record:
    """A source row with an id, as one target reads it.

    Attributes:
        table: the table it is of.
        number: its row number.
        pk: its id.
        values: its values.
        warnings: codes of what could not be used.
    """

    table: Table
    number: int
    pk: int
    values: Row
    warnings: set[str] = field(default_factory=set)

    def _read(self, parser: Callable[..., Any], column: str, *arguments: Any) -> Any:
        assert column in self.table.columns, (self.table.name, column)
        try:
            return parser(self.values.get(column), *arguments)
        except Unusable as found:
            self.warnings.add(found.code)
            return found.instead

    def text(self, column: str) -> str | None:
        """T."""
        return self._read(scalars.text, column)

    def spaced(self, column: str) -> str | None:
        """T+."""
        return self._read(scalars.spaced, column)

    def email(self, column: str) -> str | None:
        """E."""
        return self._read(scalars.email, column)

    def integer(self, column: str) -> int | None:
        """I, which names a row where the column's name says so."""
        return self._read(scalars.identifier if column.endswith("_id") else scalars.integer, column)

    def boolean(self, column: str, default: bool = False) -> bool:
        """B."""
        return self._read(scalars.boolean, column, default)

    def money(self, column: str) -> Decimal | None:
        """M."""
        return self._read(scalars.money, column)

    def rate(self, column: str) -> Decimal:
        """R."""
        return self._read(scalars.rate, column)

    def moment(self, column: str) -> dt.datetime | None:
        """TS."""
        return self._read(scalars.moment, column)

    def date(self, column: str) -> dt.date | None:
        """D."""
        return self._read(scalars.date, column)

    def document(self, column: str) -> Any:
        """J."""
        return self._read(scalars.document, column)

    def group(self, column: str) -> str | None:
        """G."""
        return self._read(scalars.group_name, column)

    def last4(self, column: str) -> str | None:
        """The last digits of a card."""
        found = self._read(scalars.last4, column)
        if found and found[1]:
            self.warnings.add("PAN_TRUNCATED")
        return found[0] if found else None

    def hidden(self, column: str) -> str | None:
        """T without card numbers."""
        found = self.text(column)
        return None if found is None else scalars.redacted(found)

    def resolved(self, column: str, stored: dict[int, Row], code: str) -> Row | None:
        """The stored row that a column names; a name of nothing is a warning."""
        named = self.integer(column)
        if named is not None and named not in stored:
            self.warnings.add(code)
        return stored.get(named) if named is not None else None

    def required(self, column: str, stored: dict[int, Row], code: str) -> Row:
        """The stored row that a column must name."""
        named = self.integer(column)
        if named is None:
            raise Rejected("MISSING_REQUIRED")
        if named not in stored:
            raise Rejected(code)
        return stored[named]

    def require(self, *columns: str) -> None:
        """Reject the row when one of these columns says nothing."""
        if any(self.integer(column) is None for column in columns):
            raise Rejected("MISSING_REQUIRED")


@dataclass
class Source:
    """The rows of a legacy table in an export.

    Attributes:
        table: the table.
        last: number and values of the last row with each id.
        earlier: number and id of the rows that are repeated further down.
        bad: rows without a usable id, with the reason.
    """

    table: Table
    last: dict[int, SourceRow] = field(default_factory=dict)
    earlier: list[tuple[int, int]] = field(default_factory=list)
    bad: list[tuple[SourceRow, str]] = field(default_factory=list)

    def records(self) -> dict[int, Record]:
        """The rows by id, to be read anew."""
        return {pk: Record(self.table, row.number, pk, row.values or {}) for pk, row in self.last.items()}

    def __len__(self) -> int:
        return len(self.last) + len(self.earlier) + len(self.bad)


def source_of(table: Table, rows: Iterable[SourceRow]) -> Source:
    """The rows of a table by id."""
    source = Source(table)
    for row in rows:
        try:
            pk = scalars.identifier((row.values or {}).get("id"))
        except Unusable:
            pk = None
        if pk is None:
            source.bad.append((row, "MALFORMED_ROW" if row.values is None else "INVALID_PK"))
            continue
        if pk in source.last:
            source.earlier.append((source.last[pk].number, pk))
        source.last[pk] = row
    return source


@dataclass
class Draft:
    """What an export makes of the stored tables; they are changed in place.

    Attributes:
        export: the export.
        tables: rows by table and driving id.
        sources: the rows of the legacy tables.
        loaded: the records that this export has loaded, by target.
        ledger: source_pk, outcome, reason and target key.
        rejected: reason and what is kept of a rejected row.
        counts: counts by target.
    """

    export: Export
    tables: dict[str, dict[int, Row]]
    sources: dict[str, Source] = field(init=False)
    loaded: dict[str, dict[int, Record]] = field(default_factory=lambda: defaultdict(dict))
    ledger: dict[LedgerKey, tuple[str, str, str | None, str | None]] = field(default_factory=dict)
    rejected: dict[LedgerKey, tuple[str, Any]] = field(default_factory=dict)
    counts: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    lookups: dict[str, dict[int, Record]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sources = {name: source_of(table, self.export.of(name)) for name, table in TABLES.items()}

    def lookup(self, table: str) -> dict[int, Record]:
        """The rows of a table that is only looked into."""
        if table not in self.lookups:
            self.lookups[table] = self.sources[table].records()
        return self.lookups[table]

    # --- one target ---------------------------------------------------------------------------------------------------

    def carry(
        self,
        table: str,
        target: str,
        judge: Callable[[Record], Row],
        unique: Sequence[str] = (),
        rank: Callable[[Record], Any] = lambda record: record.pk,
        merged: Callable[[Row, list[Record]], None] | None = None,
    ) -> None:
        """Put the rows of a legacy table into a target.

        Args:
            table: the legacy table.
            target: the target.
            judge: the columns of a row; raises `Skipped` or `Rejected`.
            unique: columns in which rows of the target must differ.
            rank: of rows that do not differ the lowest is kept.
            merged: told of the rows that were merged into a row.
        """
        source = self.sources[table]
        self.counts[target].source_rows = len(source)
        for row, reason in source.bad:
            self._reject(table, target, row, f"row:{row.number}", reason)
        for number, pk in source.earlier:
            self._label(table, number, target, str(pk), "merged", None, key_of(table, pk))
        good: list[tuple[Record, Row]] = []
        for pk, record in sorted(source.records().items()):
            try:
                good.append((record, judge(record)))
            except Skipped:
                self._label(table, record.number, target, str(pk), "skipped")
            except Rejected as found:
                self._reject(table, target, source.last[pk], str(pk), str(found))
        self._put_differing(target, good, unique, rank, merged)

    def derive(self, parent: str, target: str, make: Callable[[Record], Row | None]) -> None:
        """Put what follows from the rows that another target has loaded into a target; None is no source row."""
        for pk, origin in sorted(self.loaded[parent].items()):
            record = Record(origin.table, origin.number, pk, origin.values)
            row = make(record)
            if row is not None:
                self.counts[target].source_rows += 1
                self._put(target, record, row)

    def _put_differing(
        self,
        target: str,
        good: list[tuple[Record, Row]],
        unique: Sequence[str],
        rank: Callable[[Record], Any],
        merged: Callable[[Row, list[Record]], None] | None,
    ) -> None:
        groups: dict[Any, list[tuple[Record, Row]]] = defaultdict(list)
        for record, row in good:
            groups[tuple(row[name] for name in unique) if unique else record.pk].append((record, row))
        winners: list[tuple[Record, Row]] = []
        losers: dict[int, Record] = {}
        for group in groups.values():
            (winner, row), *others = sorted(group, key=lambda pair: rank(pair[0]))
            if merged:
                merged(row, [record for record, _ in others])
            winners.append((winner, row))
            for record, _ in others:
                losers[record.pk] = record
                self._merge(target, record, winner.pk)
        if unique:
            winners = self._without_collisions(target, winners, unique, losers.keys())
        for record, row in winners:
            self._put(target, record, row)

    def _without_collisions(
        self, target: str, winners: list[tuple[Record, Row]], unique: Sequence[str], merged: Collection[int]
    ) -> list[tuple[Record, Row]]:
        """The rows that may stand beside those of older exports: of two with the same values the lowest id stays.

        A stored row that this export merges into another gives way.
        """
        stored = self.tables[target]
        settled = {record.pk for record, _ in winners} | set(merged)
        older = {_of(row, unique): pk for pk, row in stored.items() if pk not in settled}
        left: dict[Any, tuple[Record, Row]] = {}
        for record, row in winners:
            owner = older.get(_of(row, unique), record.pk)
            if owner < record.pk:
                self._merge(target, record, owner)
            else:
                left[_of(row, unique)] = record, row
        loaded = {record.pk for record, _ in left.values()}
        for pk, row in [(pk, row) for pk, row in stored.items() if pk not in loaded and _of(row, unique) in left]:
            successor = left[_of(row, unique)][0]
            self._rename(row["id"], key_of(successor.table.name, successor.pk))
            del stored[pk]
        return list(left.values())

    def _rename(self, old: str, new: str) -> None:
        """Let the rows that name a row name the one that took its place; of two that become equal the lowest stays."""
        for column in ("product_id", "team_id"):
            for row in [row for table in self.tables.values() for row in table.values() if row.get(column) == old]:
                row[column] = new
        pairs, stored = set[Any](), self.tables["template_products"]
        for pk, row in sorted(stored.items()):
            pair = _of(row, ("template_id", "product_id"))
            if pair in pairs:
                del stored[pk]
            pairs.add(pair)

    def _put(self, target: str, record: Record, row: Row) -> None:
        table, pk = record.table.name, record.pk
        extra = row.pop("metadata", {})
        made: Row = {"id": key_of(table, pk), **row}
        if target != "notifications":
            made["metadata"] = {"source_table": table, "source_pk": str(pk), **extra}
        before = self.tables[target].get(pk)
        same = before is not None and {**before, "export_id": None} == {**made, "export_id": None}
        made["export_id"] = before["export_id"] if before and same else self.export.export_id
        self.tables[target][pk] = made
        self.loaded[target][pk] = record
        self.counts[target].warnings.update(record.warnings)
        warned = ",".join(sorted(record.warnings)) or None
        self._label(table, record.number, target, str(pk), "loaded", warned, made["id"])

    def _merge(self, target: str, record: Record, into: int) -> None:
        table = record.table.name
        self._label(table, record.number, target, str(record.pk), "merged", None, key_of(table, into))

    def _reject(self, table: str, target: str, row: SourceRow, pk: str, reason: str) -> None:
        key = (self.export.export_id, table, row.number, target)
        if row.values is None:
            kept = {"text": "[WITHHELD]" if table in WITHHELD else scalars.redacted(row.line)}
        else:
            kept = scalars.quarantined(table, row.values, TABLES[table].documents)
        self.rejected[key] = reason, kept
        self.counts[target].rejected_by[reason] += 1
        self._label(table, row.number, target, pk, "rejected", reason)

    def _label(
        self,
        table: str,
        number: int,
        target: str,
        pk: str,
        outcome: str,
        reason: str | None = None,
        target_key: str | None = None,
    ) -> None:
        key = (self.export.export_id, table, number, target)
        assert key not in self.ledger
        self.ledger[key] = pk, outcome, reason, target_key
        self.counts[target].outcomes[outcome] += 1


def _of(row: Row, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)
