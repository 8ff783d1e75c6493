"""The contract of the DENTAL migration a second time: plain dicts and loops, row by row.

It shares nothing with the migration, not even the scalar parsers. A `Reference` is an expected database: `load` carries
an export folder in, on top of what earlier exports left. Tables, ledger, rejected rows, counts and report are then what
the real database must hold after all jobs.

Where the contract leaves something open, this is what is expected here:

- A target warns only of columns that it reads; a case reads `status`, the patient everything else of its row.
- A reference that cannot be read warns `BAD_INT` and counts as not given.
- Integers of a rejected row are kept or redacted, as the reader likes; its texts are redacted.
- A row that an older export loaded, and this one rejects, skips or merges, stays as it is.
- Of a row that collides with one of an older export the lower legacy id stays; a stored loser is removed, and what
  names it names the winner. A stored row that this export merges into another gives way to what collides with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.dental.dental_catalog import Catalog
from tests.dental.dental_files import TABLES, Export, Row, as_source_rows, read_export
from tests.dental.dental_finance import Finance, success_report
from tests.dental.dental_medical import Medical
from tests.dental.dental_people import People
from tests.dental.dental_records import Counts, Draft, LedgerKey

# The targets with the legacy table that drives each.
DRIVING = {target: name for name, table in TABLES.items() for target in table.targets} | {
    "doctors": "auth_user",
    "cases": "dispatch_patient",
    "shipments": "dispatch_instruction",
}
TARGETS = tuple(DRIVING)


@dataclass
class Reference:
    """The expected database.

    Attributes:
        tables: rows by table and driving id.
        ledger: source_pk, outcome, reason and target key by export, source table, source row and target table.
        rejected: reason and what is kept, by the same key.
        counts: counts by export and asset.
        report: the success report by export and component.
        export_id: the export that was loaded last.
    """

    tables: dict[str, dict[int, Row]] = field(default_factory=lambda: {target: {} for target in TARGETS})
    ledger: dict[LedgerKey, tuple[str, str, str | None, str | None]] = field(default_factory=dict)
    rejected: dict[LedgerKey, tuple[str, Any]] = field(default_factory=dict)
    counts: dict[tuple[str, str], Counts] = field(default_factory=dict)
    report: dict[tuple[str, str], Row] = field(default_factory=dict)
    export_id: str = ""

    def load(self, folder: Path) -> None:
        """Load an export folder; its name is the export's id."""
        self.load_export(read_export(folder))

    def load_records(self, export_id: str, records: Mapping[str, list[Any]]) -> None:
        """Load an export from its records by table."""
        self.load_export(Export(export_id, {name: as_source_rows(rows) for name, rows in records.items()}))

    def load_export(self, export: Export) -> None:
        """Load an export that has been read."""
        draft = Draft(export, self.tables)
        catalog = Catalog(draft)
        catalog.run_first()
        People(draft).run()
        catalog.run_templates()
        Medical(draft).run()
        Finance(draft)
        self.export_id = export.export_id
        self.ledger = {key: row for key, row in self.ledger.items() if key[0] != export.export_id} | draft.ledger
        self.rejected = {key: row for key, row in self.rejected.items() if key[0] != export.export_id} | draft.rejected
        self.counts |= {(export.export_id, target): draft.counts[target] for target in TARGETS}
        report = success_report(draft.counts)
        self.report |= {(export.export_id, component): row for component, row in report.items()}

    def of(self, target: str, pk: int) -> Row:
        """The row that a legacy row became."""
        return self.tables[target][pk]

    def outcome(self, table: str, number: int, target: str) -> tuple[str, str | None]:
        """What became of a source row of the last export, and why."""
        _, outcome, reason, _ = self.ledger[(self.export_id, table, number, target)]
        return outcome, reason


def conservation_faults(db: Reference) -> list[str]:
    """Assets of the last export whose source rows are not all accounted for; there are none."""
    counts = {target: db.counts[(db.export_id, target)] for target in TARGETS}
    return [target for target, each in counts.items() if each.source_rows != sum(each.outcomes.values())]
