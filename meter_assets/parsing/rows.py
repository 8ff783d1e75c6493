"""A batch of source rows, read: what is staged, and what the row rules look at."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from meter_assets.parsing.dates import timestamps
from meter_assets.parsing.ids import ids
from meter_assets.parsing.problem import Problem
from migration.declare.resolving import PROBLEM
from migration.outcome import join_codes
from migration.parsing.vectors import Parsed

TEXT = pd.ArrowDtype(pa.string())


def parsed_rows(
    rows: pd.DataFrame, columns: Mapping[str, Parsed], warnings: Mapping[str, pd.Series] | None = None
) -> pd.DataFrame:
    """The frame of a batch.

    Args:
        rows: cells of a source table that has `id`, `created_at` and `updated_at`.
        columns: its other columns, read.
        warnings: per warning code, whether a row has it; a date or time that cannot be read always warns.

    Returns:
        `source_row`, `source_pk`, `warnings`, `malformed`, `id`, the columns and the two times, all Arrow-backed, and
        the problem of each under its name with `.problem` behind it.
    """
    key = ids(rows["id"])
    no_key = key.problem.ne(0) | key.value.eq(0).fillna(value=False).astype(bool)
    times = {name: timestamps(rows[name]) for name in ("created_at", "updated_at")}
    read = {**columns, **times}
    unread = {f"{name.upper()}_UNPARSED": column.has(Problem.UNPARSABLE) for name, column in times.items()}
    frame = {
        "source_row": rows["source_row"],
        "source_pk": _source_pk(rows["source_row"], key.value, no_key),
        "warnings": _joined({**unread, **(warnings or {})}, rows.index),
        "malformed": rows["malformed"],
        "id": key.value,
        f"id{PROBLEM}": no_key,
    }
    for name, column in read.items():
        frame[name] = column.value
        frame[f"{name}{PROBLEM}"] = column.problem
    return pd.DataFrame(frame)


def unparsed(**columns: Parsed) -> dict[str, pd.Series]:
    """The warning `<COLUMN>_UNPARSED` of columns whose value is given but cannot be used."""
    return {f"{n.upper()}_UNPARSED": c.has(Problem.UNPARSABLE, Problem.OUT_OF_RANGE) for n, c in columns.items()}


def optional_ids(cells: pd.Series) -> Parsed:
    """A column of keys of which none is asked for: 0 is no key."""
    found = ids(cells)
    return Parsed(found.value.mask(found.value.eq(0).fillna(value=False).astype(bool)), found.problem)


def _source_pk(source_row: pd.Series, key: pd.Series, no_key: pd.Series) -> pd.Series:
    by_row = "row:" + source_row.astype(TEXT)
    return key.astype(TEXT).mask(no_key, by_row)


def _joined(warnings: Mapping[str, pd.Series], index: pd.Index) -> pd.Series:
    met = {code: flag for code, flag in warnings.items() if flag.to_numpy(dtype=bool).any()}
    if not met:
        return pd.Series(np.full(len(index), None, dtype=object), index=index).astype(TEXT)
    return join_codes(met).astype(TEXT)
