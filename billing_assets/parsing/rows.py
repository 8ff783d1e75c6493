"""A batch of source rows, read: what is staged, and what the row rules look at."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from billing_assets.parsing.blanks import first_given
from billing_assets.parsing.dates import timestamps
from billing_assets.parsing.numbers import ids
from billing_assets.parsing.texts import texts
from billing_assets.sources import spellings
from migration.declare.resolving import PROBLEM
from migration.outcome import join_codes
from migration.parsing.vectors import Parsed

TEXT = pd.ArrowDtype(pa.string())


def cells(rows: pd.DataFrame, column: str) -> pd.Series:
    """The cells of a column, whatever the file calls it."""
    return first_given(rows, spellings(column))


def keyed_rows(rows: pd.DataFrame, columns: Mapping[str, Parsed]) -> pd.DataFrame:
    """The frame of a batch.

    Args:
        rows: cells of a source table.
        columns: its columns besides `id`, `created_at` and `updated_at`, read.

    Returns:
        `source_row`, `source_pk`, `malformed`, `id`, the columns and the two times, Arrow-backed; and why a value is
        missing under the column's name with `.problem` behind it. Times that cannot be read are missing.
    """
    key = ids(rows["id"])
    read = {"id": key, **columns, **{name: timestamps(rows[name]) for name in ("created_at", "updated_at")}}
    by_row = "row:" + rows["source_row"].astype(TEXT)
    as_given = key.value.astype(TEXT).fillna(texts(rows["id"]).value)
    frame = {"source_row": rows["source_row"], "source_pk": as_given.fillna(by_row), "malformed": rows["malformed"]}
    for name, column in read.items():
        frame[name] = column.value
        frame[f"{name}{PROBLEM}"] = column.problem
    return pd.DataFrame(frame)


def warnings_of(flags: Mapping[str, pd.Series], index: pd.Index) -> pd.Series:
    """The warning codes of each row as a comma list, missing where there is none."""
    met = {code: flag for code, flag in flags.items() if flag.to_numpy(dtype=bool).any()}
    if not met:
        return pd.Series(np.full(len(index), None, dtype=object), index=index).astype(TEXT)
    return join_codes(met).astype(TEXT)
