"""The rows of a legacy table by key: which of them count, and what becomes of the others."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

from booking_assets import sources
from booking_assets.merge.frames import TEXT, microseconds
from booking_assets.parsing.numbers import primary_keys
from booking_assets.parsing.texts import texts
from booking_assets.parsing.times import record_limit, timestamp, timestamps
from booking_assets.parsing.warnings import INVALID_PREFIX, joined_warnings
from booking_assets.rules import DUPLICATE_PK, INVALID_PK, MALFORMED_ROW, detail
from migration.declare.step import Step, table_read
from migration.errors import ExportError
from migration.exports.reading import RawBatch
from migration.exports.sources import SourceTable
from migration.outcome import LEDGER_COLUMNS, REJECT_COLUMNS, Outcome, label
from migration.parsing.records import raw_json
from migration.parsing.vectors import Parsed

OUTCOME_SCHEMA, REJECT_SCHEMA = (
    pa.schema([(name, pa.int64() if name == "source_row" else pa.string()) for name in ("source_table", *columns)])
    for columns in (LEDGER_COLUMNS, REJECT_COLUMNS)
)
"""How outcomes and quarantine rows are staged."""

Keep = Callable[[pd.DataFrame], pd.DataFrame]

_REFERENCE_NOTE = "export_taken.json"
_TEXT_KEYS = frozenset({sources.email_inbox.name, sources.email_jobs.name})
_AGES = ("updated_at", "created_at")


class _ReferenceNote(msgspec.Struct, frozen=True):
    """The reference time of an export, and what it was found in: an export may be delivered again under its id."""

    at: dt.datetime
    exported_at: str | None
    content_hash: str


class NoReferenceTime(ExportError):
    """Neither the manifest nor any booking says when the export was taken."""


@dataclass(frozen=True)
class SourceRows:
    """The rows of one legacy table.

    Attributes:
        table: its label, such as `balisnap.Booking`.
        rows: the cells of the newest row of each key, with `pk` (int64; text for e-mails and jobs), `source_pk` and
            `source_row`; ascending by key, numbered from 0.
        repeated: the older rows of the same keys: `source_row`, `source_pk`, and as `winner` the row that counts.
        unusable: rows without a key: `source_row`, `source_pk`, `code`, and `raw`, the record as JSON text, missing
            for a malformed one.
    """

    table: str
    rows: pd.DataFrame = field(repr=False)
    repeated: pd.DataFrame = field(repr=False)
    unusable: pd.DataFrame = field(repr=False)

    @property
    def count(self) -> int:
        """How many rows the file has."""
        return len(self.rows) + len(self.repeated) + len(self.unusable)


def reference_time(step: Step) -> dt.datetime:
    """The only now of a migration: when the export was taken, else when its newest booking was changed.

    Raises:
        NoReferenceTime: nothing says so.
    """
    exported_at, content_hash = step.export.exported_at_text, step.export.content_hash
    note = step.frames.read_note(_REFERENCE_NOTE)
    known = None if note is None else msgspec.json.decode(note, type=_ReferenceNote)
    if known is not None and (known.exported_at, known.content_hash) == (exported_at, content_hash):
        return known.at
    stated = timestamp(exported_at)
    found = stated if isinstance(stated, dt.datetime) else _newest_booking(step)
    step.frames.write_note(_REFERENCE_NOTE, msgspec.json.encode(_ReferenceNote(found, exported_at, content_hash)))
    return found


def _newest_booking(step: Step) -> dt.datetime:
    newest = [
        timestamps(batch.rows["updated_at"]).value.max()
        for source in (sources.website_bookings, sources.panel_bookings)
        for batch in step.read(source)
    ]
    known = [moment for moment in newest if not pd.isna(moment)]
    if not known:
        raise NoReferenceTime(
            f"Export {step.export.export_id} does not say when it was taken, and no booking has a valid updated_at.",
            "Add exported_at to its manifest.json, or export again.",
        )
    return max(known).to_pydatetime()


def latest_record(step: Step) -> dt.datetime:
    """The latest time that a record of the export may bear."""
    return record_limit(reference_time(step))


def read_source(step: Step, source: SourceTable, keep: Keep | None = None) -> SourceRows:
    """Read a legacy table whole; an optional one that is missing has no rows.

    Args:
        step: the workbench.
        source: the table.
        keep: what is kept of the cells of a batch, with their index; None = all cells.
    """
    latest = latest_record(step)
    batches = step.read(source) if step.export.has(source) else ()
    read = [_keyed(source, batch, latest, keep) for batch in batches]
    cells = pd.concat([_no_cells(source, keep), *(usable for usable, _ in read)], ignore_index=True)
    unusable = pd.concat([_no_unusable(), *(others for _, others in read)], ignore_index=True)
    rows, repeated = _newest_of_each(cells)
    return SourceRows(table_read(step.export, source), rows, repeated, unusable)


def _keyed(
    source: SourceTable, batch: RawBatch, latest: dt.datetime, keep: Keep | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of a batch that have a key, and those that have none."""
    cells, key = batch.rows, keys_of(source, batch.rows)
    malformed = cells["malformed"].notna()
    usable = ~malformed & key.value.notna().to_numpy(dtype=bool)
    age = next((name for name in _AGES if name in source.columns), None)
    ages = np.zeros(len(cells), np.int64) if age is None else microseconds(timestamps(cells[age], latest).value)
    kept = cells.drop(columns="malformed") if keep is None else keep(cells).assign(source_row=cells["source_row"])
    kept = kept.assign(pk=key.value, source_pk=key.value.astype(TEXT), age=ages)
    shown = texts(cells[source.columns[0]]).value.fillna("row:" + cells["source_row"].astype(TEXT))
    lost = np.flatnonzero(~usable)
    others = pd.DataFrame(
        {
            "source_row": cells["source_row"].to_numpy()[lost],
            "source_pk": shown.mask(malformed, "row:" + cells["source_row"].astype(TEXT)).iloc[lost].to_numpy(),
            "code": np.where(malformed.to_numpy()[lost], MALFORMED_ROW, INVALID_PK),
            "raw": [None if malformed.iloc[at] else raw_json(batch.records[at], _not_secret) for at in lost.tolist()],
        }
    )
    return kept[usable], others.astype(_UNUSABLE)


def keys_of(source: SourceTable, cells: pd.DataFrame) -> Parsed:
    """The primary keys of a table's rows: whole numbers from 1, but texts for e-mails and jobs."""
    key = cells[source.columns[0]]
    return texts(key) if source.name in _TEXT_KEYS else primary_keys(key)


def _not_secret(_column: str) -> bool:
    return False


_UNUSABLE = {"source_row": "int64", "source_pk": TEXT, "code": TEXT, "raw": TEXT}


def _no_unusable() -> pd.DataFrame:
    return pd.DataFrame(columns=list(_UNUSABLE)).astype(_UNUSABLE)


def _no_cells(source: SourceTable, keep: Keep | None) -> pd.DataFrame:
    kind = TEXT if source.name in _TEXT_KEYS else pd.ArrowDtype(pa.int64())
    cells = pd.DataFrame(columns=list(source.columns), dtype="str")
    return (cells if keep is None else keep(cells)).assign(
        source_row=pd.Series(dtype="int64"),
        pk=pd.Series(dtype=kind),
        source_pk=pd.Series(dtype=TEXT),
        age=pd.Series(dtype="int64"),
    )


def _newest_of_each(cells: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The row of each key that was changed last, of equal ones the later; and the others with the row that counts."""
    ordered = cells.sort_values(["pk", "age", "source_row"], kind="stable").drop(columns="age")
    older = ordered["pk"].duplicated(keep="last").to_numpy()
    rows = ordered[~older].reset_index(drop=True)
    winners = rows.set_index("pk")["source_row"]
    lost = ordered.loc[older, ["source_row", "source_pk", "pk"]]
    repeated = lost.assign(winner=lost["pk"].map(winners).astype("int64")).drop(columns="pk")
    return rows, repeated.reset_index(drop=True)


# --- outcomes ---------------------------------------------------------------------------------------------------------


def outcomes(
    target: str,
    source: SourceRows,
    rows: pd.DataFrame,
    outcome: Outcome | pd.Series,
    *,
    reason: pd.Series | str | None = None,
    target_key: pd.Series | None = None,
) -> pd.DataFrame:
    """Ledger rows of rows that count; `rows` has their `source_row` and `source_pk`."""
    named = rows[["source_row", "source_pk"]].assign(source_table=source.table)
    return label(target, named, outcome, reason=reason, target_key=target_key)


def decided_outcomes(
    target: str, source: SourceRows, rows: pd.DataFrame, warnings: dict[str, pd.Series]
) -> pd.DataFrame:
    """Ledger rows of rows that say their `outcome`, `reason`, `target_key` and `month` themselves.

    The reason of a loaded row are its warnings.
    """
    loaded = (rows["outcome"] == Outcome.LOADED.value).to_numpy(dtype=bool)
    reason = rows["reason"].where(~loaded, joined_warnings(warnings, rows))
    decided = outcomes(target, source, rows, rows["outcome"], reason=reason, target_key=rows["target_key"])
    return decided.assign(month=rows["month"])


def warnings_of_merged(outcome: pd.Series, warnings: pd.Series) -> Counter[str]:
    """The warnings of rows that went into another, whose reason in the ledger is why; each code with its rows.

    Args:
        outcome: what became of each row.
        warnings: their warnings as comma lists, in the same order.
    """
    merged = (outcome == Outcome.MERGED.value).to_numpy(dtype=bool)
    return Counter(code for codes in warnings[merged].dropna() for code in codes.split(","))


def unusable_lookups(read: Iterable[tuple[SourceTable, SourceRows]]) -> Counter[str]:
    """How many rows of tables without a target had to be left out, by warning."""
    found: Counter[str] = Counter()
    for source, rows in read:
        for code in rows.unusable["code"]:
            found[INVALID_PREFIX + source.columns[0] if code == INVALID_PK else MALFORMED_ROW.lower()] += 1
    return found


def outcomes_of_others(
    target: str, source: SourceRows, decided: pd.DataFrame, *, malformed: bool = True
) -> pd.DataFrame:
    """Ledger rows of a table's repeated and unusable rows, given those of every row that counts.

    A repeated row is merged into what its winner became: into nothing where that was rejected or skipped. Whatever
    else the decided rows bear, such as a month, a repeated row takes over from its winner.

    Args:
        target: the target table.
        source: the legacy table.
        decided: ledger rows of every row of it that counts, for this target.
        malformed: whether rows that cannot be read at all are counted for this target.
    """
    winners = decided.set_index("source_row").loc[source.repeated["winner"]].reset_index(drop=True)
    ended = winners["outcome"].isin([Outcome.LOADED.value, Outcome.MERGED.value])
    merged = winners.assign(
        source_row=source.repeated["source_row"],
        source_pk=source.repeated["source_pk"],
        outcome=Outcome.MERGED.value,
        reason=DUPLICATE_PK,
        target_key=winners["target_key"].where(ended, None),
    )
    bad = source.unusable if malformed else source.unusable[source.unusable["code"] != MALFORMED_ROW]
    rejected = outcomes(target, source, bad, Outcome.REJECTED, reason=bad["code"])
    return pd.concat([merged, rejected], ignore_index=True)


def rejects_of(step: Step, source: SourceTable, rows: SourceRows, ledger: pd.DataFrame) -> pd.DataFrame:
    """Quarantine rows of the rejected rows among these ledger rows of one table, with their records.

    The file is read once more for the records of rows that have a key, and only if there are any.
    """
    failed = ledger[(ledger["outcome"] == Outcome.REJECTED.value) & (ledger["source_table"] == rows.table)]
    raw = dict(zip(rows.unusable["source_row"], rows.unusable["raw"], strict=True))
    raw |= _records(step, source, set(failed["source_row"]) - raw.keys())
    return pd.DataFrame(
        {
            "source_table": failed["source_table"],
            "target_table": failed["target_table"],
            "source_row": failed["source_row"],
            "source_pk": failed["source_pk"],
            "reason_code": failed["reason"],
            "detail": [detail(code, source.columns[0]) for code in failed["reason"]],
            "raw": [raw[number] for number in failed["source_row"]],
        }
    )


def _records(step: Step, source: SourceTable, wanted: set[int]) -> dict[int, str | None]:
    """The records of rows as JSON text, by row number."""
    found: dict[int, str | None] = {}
    for batch in step.read(source) if wanted else ():
        numbers = batch.rows["source_row"]
        for at in np.flatnonzero(numbers.isin(wanted)).tolist():
            found[int(numbers.iloc[at])] = raw_json(batch.records[at], _not_secret)
    return found


def total_rows(parts: Sequence[SourceRows]) -> int:
    """How many rows several tables have together."""
    return sum(part.count for part in parts)
