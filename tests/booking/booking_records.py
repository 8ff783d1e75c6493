"""What the steps of the oracle share: source rows by key, and the draft of what an export makes of the database."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.booking import booking_scalars as scalars
from tests.booking.booking_files import TABLES, Export, Row, Table
from tests.booking.booking_scalars import key_of

LONG_AGO = dt.datetime.min.replace(tzinfo=dt.UTC)
RECORD_TIMES = frozenset(
    {
        *("created_at", "updated_at", "payment_date", "paid_at", "received_at", "processed_at", "validated_at"),
        "assigned_at",
    }
)
# Tables without a target of their own, but for the finance items: their repeated rows are dropped silently.
MERGED_SILENTLY = frozenset({"bstadmin.booking_finance_items"})


class NoReferenceTimeError(Exception):
    """Nothing says when the export was taken."""


@dataclass(eq=False)
class Record:
    """A source row with a valid key, the newest one with that key.

    Attributes:
        table: the table it is of.
        number: its row number.
        key: its key.
        values: its values by column.
        latest: the latest time that a record time can have.
        losers: row numbers of older rows with the same key.
    """

    table: Table
    number: int
    key: Any
    values: Row
    latest: dt.datetime
    losers: list[int] = field(default_factory=list)

    @property
    def pk(self) -> str:
        """The key as text."""
        return str(self.key)

    @property
    def system(self) -> str:
        """The legacy system."""
        return self.table.system

    @property
    def name(self) -> str:
        """The name that UUIDs of this row are made from."""
        return f"{self.system}:{self.table.stem}:{self.pk}"

    @property
    def of_website(self) -> bool:
        """Whether the row is the website's."""
        return self.system == "balisnap"

    @property
    def catalog_channel(self) -> str:
        """The channel of what the catalog says about this row."""
        return "DIRECT" if self.of_website else "MANUAL"

    def raw(self, column: str) -> str | None:
        """A text with its inner white space."""
        return scalars.raw(self.values.get(column))

    def text(self, column: str, length: int | None = None) -> str | None:
        """A text, perhaps cut."""
        found = scalars.text(self.values.get(column))
        return found if length is None else scalars.cut(found, length)

    def upper(self, column: str) -> str | None:
        """A text in capitals."""
        return scalars.upper(self.values.get(column))

    def integer(self, column: str) -> int | None:
        """A whole number."""
        return scalars.integer(self.values.get(column))

    def natural(self, column: str) -> int | None:
        """A whole number of at least 0."""
        return scalars.natural(self.values.get(column))

    def count(self, column: str) -> int | None:
        """A number of people."""
        return scalars.count(self.values.get(column))

    def identifier(self, column: str) -> int | None:
        """The key of another row."""
        return scalars.identifier(self.values.get(column))

    def boolean(self, column: str) -> bool | None:
        """A yes or no."""
        return scalars.boolean(self.values.get(column))

    def money(self, column: str) -> Any:
        """An amount."""
        return scalars.money(self.values.get(column))

    def price(self, column: str) -> Any:
        """An amount of at least 0."""
        return scalars.price(self.values.get(column))

    def currency(self, column: str = "currency_code") -> str | None:
        """A currency."""
        return scalars.currency(self.values.get(column))

    def moment(self, column: str) -> dt.datetime | None:
        """A timestamp; one of a record cannot be later than the export."""
        found = scalars.moment(self.values.get(column))
        return None if found and column in RECORD_TIMES and found > self.latest else found


def first(*values: Any) -> Any:
    """The first value that is not None."""
    return next((value for value in values if value is not None), None)


class Inputs:
    """The source rows of an export, by key.

    Attributes:
        export: the export.
        now: its reference time, the only now there is.
        bad: rows without a valid key, by table: number, key as shown, reason.
    """

    def __init__(self, export: Export) -> None:
        self.export = export
        self.now = reference_time(export)
        self.bad: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
        self._records = {name: self._read(table) for name, table in TABLES.items()}

    def of(self, table: str) -> dict[Any, Record]:
        """The rows of a table by key, in the order of the keys."""
        return self._records[table]

    @property
    def today(self) -> dt.date:
        """The day in Bali."""
        return scalars.bali_date(self.now)

    def by_link(self, table: str, column: str) -> dict[Any, list[Record]]:
        """The rows of a table by the key that they refer to, each group in the order of the keys."""
        text_key = TABLES[table].columns[column] == "key"
        groups: dict[Any, list[Record]] = defaultdict(list)
        for record in self.of(table).values():
            link = record.text(column) if text_key else record.identifier(column)
            if link is not None:
                groups[link].append(record)
        return groups

    def _read(self, table: Table) -> dict[Any, Record]:
        groups: dict[Any, list[Record]] = defaultdict(list)
        parse = scalars.text if table.columns[table.key] == "key" else scalars.identifier
        for row in self.export.of(table.name):
            key = None if row.values is None else parse(row.values.get(table.key))
            if row.values is None:
                self.bad[table.name].append((row.number, f"row:{row.number}", "MALFORMED_ROW"))
            elif key is None:
                shown = scalars.text(row.values.get(table.key)) or f"row:{row.number}"
                self.bad[table.name].append((row.number, shown, "INVALID_PK"))
            else:
                groups[key].append(Record(table, row.number, key, row.values, self.now + scalars.DAY))
        return {key: _newest(table, rows) for key, rows in sorted(groups.items())}


def _newest(table: Table, rows: list[Record]) -> Record:
    def age(record: Record) -> tuple[dt.datetime, int]:
        return (record.moment(table.age) if table.age else None) or LONG_AGO, record.number

    winner = max(rows, key=age)
    winner.losers = [row.number for row in rows if row is not winner]
    return winner


def reference_time(export: Export) -> dt.datetime:
    stated = scalars.moment(export.exported_at)
    if stated:
        return stated
    rows = [*export.of("balisnap.Booking"), *export.of("bstadmin.bookings")]
    found = [scalars.moment(row.values.get("updated_at")) for row in rows if row.values is not None]
    known = [at for at in found if at]
    if not known:
        raise NoReferenceTimeError("NoReferenceTime")
    return max(known)


# --- what an export makes of the database -----------------------------------------------------------------------------

LedgerKey = tuple[str, str, int, str]


@dataclass
class Counts:
    """What the run log says of one asset, all partitions together."""

    source_rows: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    rejected_by: Counter[str] = field(default_factory=Counter)
    skipped_by: Counter[str] = field(default_factory=Counter)
    derived: int = 0

    def add(self, outcome: str, reason: str | None = None) -> None:
        """Count a row."""
        self.outcomes[outcome] += 1
        if outcome in ("rejected", "skipped"):
            (self.rejected_by if outcome == "rejected" else self.skipped_by)[str(reason)] += 1

    def flat(self) -> Row:
        """As the columns of the run log."""
        found = {name: self.outcomes[name] for name in ("loaded", "merged", "rejected", "skipped")}
        reasons = {name: dict(getattr(self, name)) for name in ("rejected_by", "skipped_by")}
        return {"source_rows": self.source_rows, **found, **reasons}


@dataclass(frozen=True)
class Source:
    """Where a row of the queue or a reference comes from."""

    system: str
    table: str
    pk: str

    @classmethod
    def of(cls, record: Record) -> "Source":
        """A source row."""
        return cls(record.system, record.table.stem, record.pk)


@dataclass
class Draft:
    """What an export makes of the database, before what is there already is looked at.

    Attributes:
        inputs: the export.
        tables: rows by table and key.
        ledger: outcome, reason, source_pk and target key of each source row and target.
        rejected: reason code and source_pk of each rejected row.
        counts: counts by asset.
    """

    inputs: Inputs
    tables: dict[str, dict[str, Row]] = field(default_factory=lambda: defaultdict(dict))
    ledger: dict[LedgerKey, tuple[str, str, str | None, str | None]] = field(default_factory=dict)
    counts: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))

    @property
    def export_id(self) -> str:
        """The export."""
        return self.inputs.export.export_id

    def put(self, table: str, key: str, **values: Any) -> Row:
        """Write a row."""
        row = {KEYS[table]: key, **values, "export_id": self.export_id}
        if table in SOFT_DELETED:
            row.setdefault("is_deleted", False)
        self.tables[table][key] = row
        return row

    # --- outcomes -----------------------------------------------------------------------------------------------------

    def loaded(self, record: Record, target: str, key: str) -> None:
        """Say that a source row was loaded."""
        self._label(record, target, "loaded", None, key)

    def merged(self, record: Record, target: str, reason: str, key: str | None) -> None:
        """Say that a source row went into another one's."""
        self._label(record, target, "merged", reason, key)

    def rejected(self, record: Record, target: str, reason: str) -> None:
        """Say that a source row was rejected."""
        self._label(record, target, "rejected", reason, None)

    def skipped(self, record: Record, target: str, rule: str) -> None:
        """Say that a source row is of no interest."""
        self._label(record, target, "skipped", rule, None)

    def outcome(self, record: Record, target: str) -> tuple[str, str | None]:
        """What became of a source row, and the key of its target row."""
        found = self.ledger[(self.export_id, record.table.name, record.number, target)]
        return found[1], found[3]

    def _label(self, record: Record, target: str, outcome: str, reason: str | None, key: str | None) -> None:
        self._note(record.table, record.number, record.pk, target, outcome, reason, key)

    def _note(
        self, table: Table, number: int, pk: str, target: str, outcome: str, reason: str | None, key: str | None
    ) -> None:
        place = (self.export_id, table.name, number, target)
        assert place not in self.ledger, place
        self.ledger[place] = (pk, outcome, reason, key)
        counts = self.counts[target]
        counts.source_rows += 1
        counts.add(outcome, reason)
        if outcome == "merged" and table.name not in MERGED_SILENTLY:
            self._merge_log(table, number, pk, target, reason, key)

    def _merge_log(self, table: Table, number: int, pk: str, target: str, reason: str | None, key: str | None) -> None:
        merge_key = key_of(f"canonical:merge_log:{self.export_id}|{target}|{table.name}|{number}")
        self.put(
            "merge_log",
            merge_key,
            source_system=table.system,
            source_table=table.stem,
            source_pk=scalars.cut(pk, 128),
            source_row=number,
            target_table=target,
            target_key=key,
            reason_code=reason,
        )

    def label_the_rest(self) -> None:
        """Label rows without a valid key, and those with the key of a newer one, once all others are labelled."""
        for name, table in TABLES.items():
            for target in table.targets:
                for number, pk, reason in self.inputs.bad[name]:
                    # What cannot be read at all is counted once.
                    if reason == "INVALID_PK" or target == table.targets[0]:
                        self._note(table, number, pk, target, "rejected", reason, None)
                for record in self.inputs.of(name).values():
                    outcome, key = self.outcome(record, target)
                    for number in record.losers:
                        of_winner = key if outcome in ("loaded", "merged") else None
                        self._note(table, number, record.pk, target, "merged", "DUPLICATE_PK", of_winner)

    # --- side tables --------------------------------------------------------------------------------------------------

    def queue(self, kind: str, source: Source, reason: str, channel: str, payload: Row) -> None:
        """Ask a person to look at something."""
        name = f"canonical:unmapped_queue:{kind}|{source.system}|{source.table}|{source.pk}|{reason}"
        self.put(
            "unmapped_queue",
            key_of(name),
            queue_type=kind,
            channel_code=channel,
            source_system=source.system,
            source_table=source.table,
            source_pk=source.pk,
            reason_code=reason,
            status="OPEN",
            payload=payload,
            resolved_by=None,
            resolved_at=None,
        )

    def audit(self, booking_key: str, field_name: str, action: str, old: str | None, **values: Any) -> None:
        """Write down a decision about a field of a booking."""
        name = f"canonical:audit_log:{self.export_id}|{booking_key}|{field_name}|{action}|{old or ''}"
        row = {"winner_source": None, "new_value": None, "payload": None} | values
        self.put(
            "audit_log",
            key_of(name),
            entity_type="BOOKING",
            entity_key=booking_key,
            field_name=field_name,
            action=action,
            old_value=old,
            **row,
        )

    def reference(self, entity: str, key: str, channel: str, kind: str, ref: str, source: Source) -> None:
        """Write down under which name a legacy system knows a row of ours."""
        self.put(
            "channel_external_refs",
            key_of(f"canonical:channel_external_refs:{entity}|{channel}|{kind}|{ref}"),
            entity_type=entity,
            entity_key=key,
            channel_code=channel,
            external_ref_kind=kind,
            external_ref=ref,
            source_system=source.system,
            source_table=source.table,
            source_pk=source.pk,
        )


KEYS = {
    "channel_registry": "channel_code",
    "ref_mapping_status": "status_code",
    "channel_external_refs": "external_ref_key",
    "catalog_product": "product_key",
    "catalog_variant": "variant_key",
    "catalog_variant_rate": "variant_rate_key",
    "booking_core": "booking_key",
    "booking_contact": "booking_key",
    "booking_party": "booking_key",
    "booking_item_snapshot": "booking_item_key",
    "payment_event": "payment_key",
    "ops_booking_state": "booking_key",
    "ops_assignment": "assignment_key",
    "ops_finance_bridge": "finance_bridge_key",
    "ingest_event_log": "event_key",
    "ingest_dead_letter": "dead_letter_key",
    "unmapped_queue": "queue_key",
    "audit_log": "audit_key",
    "merge_log": "merge_key",
}
SOFT_DELETED = frozenset(
    {
        *("channel_external_refs", "catalog_product", "catalog_variant", "catalog_variant_rate", "booking_core"),
        *("booking_contact", "booking_party", "booking_item_snapshot", "payment_event", "ops_booking_state"),
        *("ops_assignment", "ops_finance_bridge"),
    }
)


def text_pk(records: Iterable[Record]) -> str | None:
    """The key of the first record as text, if there is one."""
    return next((record.pk for record in records), None)
