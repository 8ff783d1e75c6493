"""What the steps of the oracle share: the cells of a source row, its outcome, and one row per id."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.billing import billing_scalars as scalars
from tests.billing.billing_files import Row, SourceRow, spellings
from tests.billing.billing_scalars import BAD, RATE, SMALL, Bad

ZERO = Decimal("0.00")
SERVICES = ("iig_qt", "fna", "ggc", "cdn", "bdix", "baishan")
SERVICE_COLUMNS = tuple(f"{service}{kind}" for service in SERVICES for kind in ("", "_price"))
LONG_AGO = dt.datetime.min.replace(tzinfo=dt.UTC)

# Export, source table, source row, target table.
LedgerKey = tuple[str, str, int, str]


class RejectedError(Exception):
    """The row cannot be loaded; the argument is the reason code."""


class SkippedError(Exception):
    """The row is of no interest; the argument is the rule."""


@dataclass
class Counts:
    """What the run log says of one asset, all partitions together."""

    source_rows: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    rejected_by: Counter[str] = field(default_factory=Counter)
    skipped_by: Counter[str] = field(default_factory=Counter)

    def flat(self) -> Row:
        """As the columns of the run log."""
        found = {name: self.outcomes[name] for name in ("loaded", "merged", "rejected", "skipped")}
        return {
            "source_rows": self.source_rows,
            **found,
            "rejected_by": dict(self.rejected_by),
            "skipped_by": dict(self.skipped_by),
        }


@dataclass(frozen=True)
class Label:
    """What became of a source row: its key as shown, the outcome, the code or rule, the row it ended in."""

    source_pk: str
    outcome: str
    reason: str | None = None
    target_key: str | None = None


@dataclass(eq=False)
class Record:
    """The winning source row of an id.

    Attributes:
        table: the legacy table.
        number: its row number.
        id: its id.
        values: its values by column.
        losers: row numbers of the others with this id.
        warnings: what is counted if the row is loaded.
    """

    table: str
    number: int
    id: int
    values: Row
    losers: list[int]
    warnings: Counter[str] = field(default_factory=Counter)

    def raw(self, column: str) -> Any:
        """The value of a column under the first of its names that says something."""
        found = (self.values.get(written) for written in spellings(column))
        return next((value for value in found if not scalars.is_blank(value)), None)

    def text(self, column: str) -> str | None:
        return scalars.text(self.raw(column))

    def date(self, column: str) -> dt.date | None:
        """A day, none where it cannot be parsed."""
        return _found(scalars.date(self.raw(column)))

    def amount(self, column: str, limit: Decimal = scalars.AMOUNT) -> Decimal | None:
        """A number, none where it cannot be parsed."""
        return _found(scalars.number(self.raw(column), limit))

    def identifier(self, column: str) -> int | None:
        """A reference, none where it cannot be parsed."""
        return _found(scalars.identifier(self.raw(column)))

    def stamps(self) -> Row:
        """When the legacy system wrote the row."""
        return {column: scalars.moment(self.raw(column)) for column in ("created_at", "updated_at")}

    # --- rules --------------------------------------------------------------------------------------------------------

    def required_name(self, column: str) -> str:
        return self.required(column, scalars.name, "")

    def required_date(self, column: str) -> dt.date:
        return self.required(column, scalars.date, "BAD_DATE")

    def required_reference(self, column: str) -> int:
        return self.required(column, scalars.identifier, "BAD_REFERENCE")

    def required(self, column: str, parser: Callable[[Any], Any], code: str) -> Any:
        """A value that must be there and parse."""
        found = parser(self.raw(column))
        if found is None:
            raise RejectedError("MISSING_REQUIRED")
        return parsed(found, code)

    def reference(self, column: str) -> int | None:
        """A reference that may be absent, but must parse."""
        return parsed(scalars.identifier(self.raw(column)), "BAD_REFERENCE")

    def positive(self, column: str, limit: Decimal) -> Decimal | None:
        """A number that may be absent, but must parse and be at least 0."""
        return not_negative(scalars.number(self.raw(column), limit))

    def percentage(self, column: str) -> Decimal | None:
        """A share that may be absent, but must parse and be within 0 and 100."""
        found = parsed(scalars.percentage(self.raw(column)), "BAD_NUMBER")
        if found is not None and not 0 <= found <= 100:
            raise RejectedError("PERCENT_OUT_OF_RANGE")
        return found

    def enum(self, column: str, words: dict[str, str], code: str = "BAD_ENUM") -> str | None:
        """A word that may be absent, but must be known."""
        return parsed(scalars.enum(self.raw(column), words), code)

    def is_active(self) -> bool:
        found = parsed(scalars.boolean(self.raw("is_active")), "BAD_ENUM")
        return True if found is None else found

    def services(self) -> Row:
        """Quantities, prices and discount."""
        return {column: self.positive(column, SMALL) or ZERO for column in (*SERVICE_COLUMNS, "discount")}

    def email(self) -> str | None:
        """The e-mail address; one that is none is counted."""
        found = scalars.email(self.raw("email"))
        if found is BAD:
            self.warnings["emails_nulled"] += 1
        return _found(found)

    def package(self, catalogue: str, redirect: dict[tuple[str, int], int]) -> int | None:
        """The package's row; a reference that leads nowhere is counted."""
        found = self.identifier("package")
        if (catalogue, found) in redirect and found is not None:
            return redirect[catalogue, found]
        if self.raw("package") is not None:
            self.warnings["package_orphans"] += 1
        return None

    def number_kept(self, column: str, prefix: str, lengths: str) -> str | None:
        """A legacy number that is kept; one that is replaced is counted."""
        return self.counted_number(column, scalars.kept_number(self.raw(column), prefix, lengths, self.id))

    def counted_number(self, column: str, kept: str | None) -> str | None:
        if kept is None and self.raw(column) is not None:
            self.warnings["numbers_regenerated"] += 1
        return kept


def _found(value: Any) -> Any:
    return None if isinstance(value, Bad) else value


def parsed(value: Any, code: str) -> Any:
    """A value that parsed."""
    if isinstance(value, Bad):
        raise RejectedError(code)
    return value


def not_negative(value: Any) -> Decimal | None:
    """A number that parsed and is at least 0."""
    found = parsed(value, "BAD_NUMBER")
    if found is not None and found < 0:
        raise RejectedError("NEGATIVE_VALUE")
    return found


def rate(record: Record, column: str) -> Decimal | None:
    """A price per month."""
    return record.positive(column, RATE)


# --- one row per id ---------------------------------------------------------------------------------------------------


@dataclass
class Draft:
    """One export being loaded: labels and counts as they come.

    Attributes:
        export_id: the export.
        labels: what became of each source row.
        counts: counts by target table.
        warnings: counts of the loaded rows by code.
        records: the winning rows that were loaded, by legacy table and id.
    """

    export_id: str
    labels: dict[LedgerKey, Label] = field(default_factory=dict)
    counts: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    warnings: Counter[str] = field(default_factory=Counter)
    records: dict[str, dict[int, Record]] = field(default_factory=lambda: defaultdict(dict))

    def label(self, table: str, number: int, target: str, label: Label) -> None:
        """Write down what became of a row."""
        self.labels[self.export_id, table, number, target] = label
        counts = self.counts[target]
        counts.source_rows += 1
        counts.outcomes[label.outcome] += 1
        by = {"rejected": counts.rejected_by, "skipped": counts.skipped_by}.get(label.outcome)
        if by is not None:
            by[str(label.reason)] += 1

    def reject(self, record: Record, target: str, code: str) -> None:
        self.label(record.table, record.number, target, Label(str(record.id), "rejected", code))

    def merge(self, record: Record, target: str, survivor: int) -> None:
        self.label(record.table, record.number, target, Label(str(record.id), "merged", None, str(survivor)))

    def load(self, record: Record, target: str, key: int) -> None:
        self.label(record.table, record.number, target, Label(str(record.id), "loaded", None, str(key)))
        self.warnings += record.warnings
        self.records[record.table][record.id] = record

    def winners(self, table: str, target: str, rows: list[SourceRow], offset: int = 0) -> Iterator[Record]:
        """The winning rows by id; the others are labelled."""
        by_id: dict[int, list[SourceRow]] = defaultdict(list)
        for row in rows:
            found = None if row.values is None else scalars.identifier(row.values.get("id"))
            if isinstance(found, int):
                by_id[found].append(row)
            else:
                code = "MALFORMED_ROW" if row.values is None else "BAD_ID"
                self.label(table, row.number, target, Label(shown_key(row), "rejected", code))
        for key, group in sorted(by_id.items()):
            *losers, winner = sorted(group, key=_age)
            for loser in losers:
                self.label(table, loser.number, target, Label(str(key), "merged", None, str(key + offset)))
            yield Record(table, winner.number, key, winner.values or {}, [row.number for row in losers])


def shown_key(row: SourceRow) -> str:
    """The key of a row without a valid id, or of one that is not looked at, as the books show it."""
    value = None if row.values is None else row.values.get("id")
    if scalars.is_blank(value):
        return f"row:{row.number}"
    found = scalars.identifier(value)
    return str(found) if isinstance(found, int) else str(scalars.text(value))


def _age(row: SourceRow) -> tuple[dt.datetime, int]:
    return scalars.moment((row.values or {}).get("updated_at")) or LONG_AGO, row.number
