"""The contract of the BOOKING migration a second time: plain dicts and loops, row by row.

It shares nothing with the migration, not even the scalar parsers. A `Reference` is an expected database: `load` carries
an export folder in, on top of what earlier exports left. Tables, ledger, rejected rows and counts are then what the
real database must hold after a run over all months.

Where the contract leaves something open, this is what is expected here:

Files and values
- The reference time is looked for among all rows of the two booking tables, repeated ones and those without a key too.
- A number that equals 0 or 1, however it is written, is a boolean; a number without a fraction is an integer, also as
  epoch milliseconds.
- Where JSONV keeps a scalar that is no text as `{"raw": ...}`, its text is that of TXT.
- A birth date may have white space before it.
- An ISO timestamp that serves as a time of day may hold an impossible date, but no impossible offset.
- Tables that have neither `updated_at` nor `created_at` keep the later of two rows with one key.

Catalog
- A tour with products on several sides whose packages all match has no product, and so nothing to map: no queue row.
- Names and texts of the catalog are cut to their columns; slugs are compared after the cut.

Bookings
- A sum of active items of 10^10 or more leaves the website without a pair; its stated total does not step in.
- The itinerary of the first active item counts by the item's variant id, whether that variant was loaded or not.
- Fractions of a second are dropped before a departure's time of day is held against midnight.
- Fields of the contact that need review are named in the payload of BOOKING_CONFLICT beside the others.
- A name is cut before it is compared and audited.
- Of one invalid e-mail the winner source is the system of the freshest row that holds it.
- A payment reference is cut before it is compared.
- Of several finance rows an unknown `updated_at` is the oldest.

Later exports
- A known identity is known whether its row is deleted or not.
- A booking that this export rejects holds no key: another booking that wants the key renames the row in place.
- PAID is kept by booking_key, also where the row comes back or is renamed.
- A row that this export no longer produces keeps all its values; which export it names is left open.
- A queue row that the migration itself resolved is opened again when its cause is back. A row that a person touched
  keeps its status, whatever becomes of its cause.
- Which export a resolved queue row names is left open.
- Events are dealt with in the order of their times; each is held against what was stored before the export and against
  those of the export that were kept before it. An event that is stored under its own key and is now merged into
  another one stays as it is. Events and dead letters are never deleted.
- The same export again merges the same e-mails into the same events, although all its events are stored by now.
- Rows of `audit_log`, `merge_log`, ledger and rejected rows of earlier exports stay.

Accounts
- An unreadable row of `tour_packages` is counted for the products only; one without a valid key for the variants too.
- A finance item counts as merged into the chosen finance row of its booking, and so does its repetition.
- Counts are those of all months together.
"""

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.booking.booking_bridge import Bridge
from tests.booking.booking_catalog import Catalog
from tests.booking.booking_contact import Contact
from tests.booking.booking_files import TABLES, Export, Row, as_source_rows, read_export
from tests.booking.booking_finance import Finances
from tests.booking.booking_identity import CHANNELS, Group, Identities
from tests.booking.booking_ingest import Ingest
from tests.booking.booking_items import Items
from tests.booking.booking_merge import Merge
from tests.booking.booking_payments import Payments
from tests.booking.booking_records import KEYS, SOFT_DELETED, Counts, Draft, Inputs, LedgerKey
from tests.booking.booking_statuses import OPS_STATUSES, customer_payment_status, ops_fulfillment_status

# Columns that say nothing once a row is no longer produced.
ANY = "any"
MAPPING_STATUSES = {"UNMAPPED": "Waiting Mapping", "MAPPED": "Mapped", "REVIEW_REQUIRED": "Needs Manual Review"}
# Assets whose source rows are rows of a file, and those that count something else.
OF_FILES = tuple(dict.fromkeys(target for table in TABLES.values() for target in table.targets))
OF_BOOKINGS = ("booking_contact", "ops_booking_state", "ops_assignment", "ingest_dead_letter", "channel_external_refs")
# Of each month all bookings are run, so what an export says replaces these tables as a whole.
UPSERTED = ("ingest_event_log", "ingest_dead_letter", "audit_log", "merge_log")


class StaleExportError(Exception):
    """The export is older than the one that was loaded last."""


@dataclass
class Reference:
    """The expected database.

    Attributes:
        tables: rows by table and key.
        ledger: source_pk, outcome, reason and target key by export, source table, source row and target table.
        counts: counts by export and asset.
        now: the reference time of the export that was loaded last.
        export_id: that export.
    """

    tables: dict[str, dict[str, Row]] = field(default_factory=lambda: {name: {} for name in KEYS})
    ledger: dict[LedgerKey, tuple[str, str, str | None, str | None]] = field(default_factory=dict)
    counts: dict[tuple[str, str], Counts] = field(default_factory=dict)
    now: dt.datetime | None = None
    export_id: str = ""

    def __post_init__(self) -> None:
        if not self.tables["channel_registry"]:
            for code, name in CHANNELS.items():
                row = {"channel_code": code, "channel_name": name, "is_active": True}
                self.tables["channel_registry"][code] = row
            for code, label in MAPPING_STATUSES.items():
                self.tables["ref_mapping_status"][code] = {"status_code": code, "status_label": label}

    def load(self, folder: Path, *, forced: bool = False) -> Draft:
        """Load an export folder; its name is the export's id."""
        return self.load_export(read_export(folder), forced=forced)

    def load_records(
        self, export_id: str, records: Mapping[str, list[Any]], exported_at: Any = None, *, forced: bool = False
    ) -> Draft:
        """Load an export from its records by table."""
        rows = {name: as_source_rows(records.get(name, []), table) for name, table in TABLES.items()}
        return self.load_export(Export(export_id, exported_at, rows), forced=forced)

    def load_export(self, export: Export, *, forced: bool = False) -> Draft:
        """Load an export that has been read.

        Raises:
            StaleExportError: it is older than the last one, and nobody insists.
        """
        inputs = Inputs(export)
        if self.now and inputs.now < self.now and not forced:
            raise StaleExportError(export.export_id)
        draft = self._draft(inputs)
        self.now, self.export_id = inputs.now, export.export_id
        for table in SOFT_DELETED:
            self._replace(table, draft.tables[table])
        for table in UPSERTED:
            self.tables[table] |= draft.tables[table]
        self._queue(draft.tables["unmapped_queue"])
        self.ledger = {key: row for key, row in self.ledger.items() if key[0] != export.export_id} | draft.ledger
        self.counts |= {(export.export_id, asset): draft.counts[asset] for asset in (*OF_FILES, *OF_BOOKINGS)}
        return draft

    def rejected(self) -> dict[LedgerKey, tuple[str, str]]:
        """Source_pk and reason of the rejected rows."""
        return {key: (row[0], str(row[2])) for key, row in self.ledger.items() if row[1] == "rejected"}

    def live(self, table: str) -> list[Row]:
        """The rows of a table that are not deleted."""
        return [row for row in self.tables[table].values() if not row.get("is_deleted")]

    # --- one export ---------------------------------------------------------------------------------------------------

    def _draft(self, inputs: Inputs) -> Draft:
        draft = Draft(inputs)
        bridge = Bridge(inputs)
        Catalog(draft, bridge).run()
        identities = Identities(draft, self._known())
        payments, finances = Payments(draft, identities), Finances(draft, identities)
        for group in identities.groups:
            self._booking(draft, bridge, group, payments, finances)
        Items(draft, bridge, identities).run()
        Ingest(draft, self.tables["ingest_event_log"], self._merged_mails(inputs)).run()
        draft.label_the_rest()
        refs = draft.counts["channel_external_refs"]
        refs.source_rows = len(draft.tables["channel_external_refs"])
        refs.outcomes["loaded"] = refs.source_rows
        return draft

    def _booking(self, draft: Draft, bridge: Bridge, group: Group, payments: Payments, finances: Finances) -> None:
        merge, finance = Merge(draft, bridge, group), finances.chosen.get(group)
        row = merge.row()
        Contact(draft, bridge, group, merge).run((row["package_ref_type"], row["package_ref_key"]))
        before = self.tables["booking_core"].get(group.key, {}).get("customer_payment_status")
        row |= {
            "customer_payment_status": customer_payment_status(group, payments.statuses(group), finance, before),
            "ops_fulfillment_status": ops_fulfillment_status(group, finance, row["tour_date"], draft.inputs.today),
            "mapping_status": merge.mapping_status(row),
        }
        _audit_status(draft, group, row["ops_fulfillment_status"])
        draft.put("booking_core", group.key, **row)
        payments.run(group, finance)
        finances.run(group)

    def _merged_mails(self, inputs: Inputs) -> dict[int, tuple[str, str]]:
        """What an earlier run of the same export has found to repeat another event."""
        of_export = {key: row for key, row in self.ledger.items() if key[0] == inputs.export.export_id}
        reasons = ("SAME_IDEMPOTENCY_KEY", "SECONDARY_DEDUP")
        return {
            key[2]: (str(row[2]), str(row[3]))
            for key, row in of_export.items()
            if key[3] == "ingest_event_log" and row[2] in reasons
        }

    def _known(self) -> dict[tuple[str, str], str]:
        rows = self.tables["booking_core"].items()
        return {(row["channel_code"], row["external_booking_ref"]): key for key, row in rows}

    # --- what was there before ----------------------------------------------------------------------------------------

    def _replace(self, table: str, rows: Mapping[str, Row]) -> None:
        """Rows that are no longer produced are deleted softly."""
        for key, row in self.tables[table].items():
            if key not in rows:
                row |= {"is_deleted": True, "export_id": ANY}
        self.tables[table] |= deepcopy(dict(rows))

    def _queue(self, rows: Mapping[str, Row]) -> None:
        stored = self.tables["unmapped_queue"]
        for key, row in stored.items():
            if key not in rows and row["status"] == "OPEN":
                resolved = {"status": "RESOLVED", "resolved_by": "migration", "resolved_at": self.now}
                row |= {**resolved, "export_id": ANY}
        for key, row in rows.items():
            before = stored.get(key)
            by_person = before and before["status"] != "OPEN" and before["resolved_by"] != "migration"
            # What a person works on stays theirs; whether its other columns follow the export is left open.
            kept = {name: before[name] for name in ("status", "resolved_by", "resolved_at")} if by_person else {}
            stored[key] = {**row, **kept, **({"export_id": ANY} if by_person else {})}


def _audit_status(draft: Draft, group: Group, found: str) -> None:
    """Write down that operations had another status."""
    written = group.a.upper("status") if group.a else None
    if written in OPS_STATUSES and written != found:
        decision = {"new_value": found, "winner_source": "bstadmin", "resolution": "RECOMPUTED"}
        draft.audit(group.key, "ops_fulfillment_status", "STATUS_RECOMPUTED", written, **decision)


# --- conservation -----------------------------------------------------------------------------------------------------


def conservation_faults(db: Reference) -> list[str]:
    """Assets of the last export whose source rows are not all accounted for; there are none."""
    faults = []
    labelled = Counter((key[3], row[1]) for key, row in db.ledger.items() if key[0] == db.export_id)
    for asset in OF_FILES:
        counts = db.counts[(db.export_id, asset)]
        if counts.source_rows != sum(counts.outcomes.values()):
            faults.append(asset)
        if any(labelled[(asset, outcome)] != n for outcome, n in counts.outcomes.items()):
            faults.append(f"{asset} in the ledger")
    for asset in (*OF_FILES, *OF_BOOKINGS):
        counts = db.counts[(db.export_id, asset)]
        written = [row for row in db.tables[asset].values() if row["export_id"] == db.export_id]
        if asset == "booking_party":
            loaded = sum(len(row["traveler_rows"] or []) for row in written)
        else:
            loaded = len(written) - counts.derived
        if loaded != counts.outcomes["loaded"]:
            faults.append(f"{asset} in the target")
    return faults
