"""Rows of a source file on their way to a table: repeats of an id merged, rows that fail a rule quarantined.

The file is read twice. The first pass looks at nothing but ids and times, and finds which rows of the same id lose;
the second one judges the others, batch by batch, with their records at hand.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from billing_assets.parsing.dates import timestamps
from billing_assets.parsing.numbers import ids
from billing_assets.parsing.rows import TEXT
from migration.declare.step import Step
from migration.exports.sources import SourceTable
from migration.outcome import (
    LEDGER_COLUMNS,
    REJECT_COLUMNS,
    Outcome,
    Rule,
    failed_ledger,
    label,
    rejects,
    split_by_rules,
)
from migration.parsing.records import raw_json
from migration.tables import Query

Parse = Callable[[pd.DataFrame], pd.DataFrame]

NO_REJECTS = pd.DataFrame(columns=list(REJECT_COLUMNS))
NO_LEDGER = pd.DataFrame(columns=list(LEDGER_COLUMNS))
_FETCHED_ROWS = 50_000
_NEVER = np.iinfo(np.int64).min


def passing(
    step: Step, source: SourceTable, target: sa.Table, parse: Parse, rules: Sequence[Rule], *, first_key: int = 0
) -> Iterator[pd.DataFrame]:
    """The rows of a file that pass every rule, batch by batch; all others get their outcome on the way.

    Args:
        step: the bench; its tally counts the rows of the file.
        source: the legacy table.
        target: the table that the rows are meant for.
        parse: cells in, a parsed frame out.
        rules: the row rules, in order.
        first_key: what the keys of the target are higher than the legacy ids.
    """
    step.tally.source_rows += step.export.file_for(source).rows
    repeated = repeats(step, source)
    for batch in step.read(source):
        rows = parse(batch.rows)
        again = rows["source_row"].isin(repeated)
        kept_key = key_text(rows[again]["id"] + first_key)
        step.label(label(target.name, rows[again], Outcome.MERGED, target_key=kept_key), NO_REJECTS)
        passed, failed = split_by_rules(rules, rows[~again])
        raw = [raw_json(batch.records[at], _is_secret) for at in failed.index]
        step.label(failed_ledger(target.name, failed), rejects(target.name, failed, raw))
        yield passed


def collected(batches: Iterable[pd.DataFrame], parse: Parse, source: SourceTable) -> pd.DataFrame:
    """All batches as one frame, for tables that must be looked at as a whole; typed also when there is no row."""
    return pd.concat([parse(no_cells(source)).iloc[:0], *batches], ignore_index=True)


def no_cells(source: SourceTable) -> pd.DataFrame:
    """The cells of a file without rows."""
    columns = {name: pd.Series(dtype="str") for name in (*source.columns, "malformed")}
    return pd.DataFrame({"source_row": pd.Series(dtype="int64"), **columns})


def key_text(keys: pd.Series) -> pd.Series:
    """Keys as the ledger holds them."""
    return keys.astype(TEXT)


def repeats(step: Step, source: SourceTable) -> np.ndarray:
    """The rows of a file that lose to another row of the same id.

    The latest `updated_at` wins, none is the lowest; of equal ones the later row.
    """
    keys = replace(source, columns=("id", "updated_at"), required_keys=())
    found = [_keys(batch.rows) for batch in step.read(keys)]
    if not found:
        return np.empty(0, dtype=np.int64)
    key, time, row = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((row, time, key))
    key, row = key[order], row[order]
    return row[:-1][key[:-1] == key[1:]]


def _keys(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ids, times and numbers of the rows that have an id."""
    key = ids(rows["id"])
    time = pa.array(timestamps(rows["updated_at"]).value, from_pandas=True).cast(pa.int64()).fill_null(_NEVER)
    known = key.problem.eq(0).to_numpy()
    values = key.value.fillna(0).to_numpy(dtype=np.int64)
    return values[known], time.to_numpy()[known], rows["source_row"].to_numpy()[known]


def quarantine_later(step: Step, source: SourceTable, target: sa.Table, failed: pd.DataFrame) -> None:
    """Reject rows that only the whole file has shown to be wrong; it is read once more, for their records.

    Args:
        step: the bench.
        source: the legacy table.
        target: the table that the rows are meant for.
        failed: what `split_by_rules` took out.
    """
    if failed.empty:
        return
    step.label(failed_ledger(target.name, failed), NO_REJECTS)
    by_row = failed.set_index("source_row", drop=False)
    for batch in step.read(replace(source, columns=("id",), required_keys=())):
        numbers = batch.rows["source_row"]
        places = np.flatnonzero(numbers.isin(by_row.index))
        raw = [raw_json(batch.records[place], _is_secret) for place in places.tolist()]
        rejected = rejects(target.name, by_row.loc[numbers.iloc[places]], raw)
        step.outcomes.add_rejects(step.connection, rejected)


def _is_secret(key: str) -> bool:
    """No column of the billing system is a secret; the quarantine is a table like the others."""
    del key
    return False


# --- what is loaded already -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lookup:
    """Values of loaded rows by key.

    Attributes:
        keys: the keys.
        values: their values, Arrow-backed.
    """

    keys: pd.Index
    values: pa.Array

    @classmethod
    def read(cls, step: Step, statement: Query, kind: pa.DataType) -> "Lookup":
        """What a statement of two columns, a unique key and its value, gives."""
        keys: list[np.ndarray] = []
        values: list[pa.Array] = [pa.array([], type=kind)]
        result = step.connection.execute(statement, execution_options={"yield_per": _FETCHED_ROWS})
        for part in result.partitions():
            keys.append(np.fromiter((row[0] for row in part), dtype=np.int64, count=len(part)))
            values.append(pa.array([row[1] for row in part], type=kind))
        found = np.concatenate(keys) if keys else np.empty(0, dtype=np.int64)
        return cls(pd.Index(found), pa.concat_arrays(values))

    @classmethod
    def ids(cls, step: Step, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> "Lookup":
        """The ids of a table's rows, as their own values."""
        return cls.read(step, sa.select(table.c.id, table.c.id).where(*conditions), pa.int64())

    def of(self, keys: pd.Series) -> pd.Series:
        """The value of each key, missing where there is none."""
        wanted = keys.fillna(-1).to_numpy(dtype=np.int64)
        at = self.keys.get_indexer(wanted)
        found = self.values.take(pa.array(at, mask=at < 0))
        return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([found])), index=keys.index)
