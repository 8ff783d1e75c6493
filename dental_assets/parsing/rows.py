"""A batch of source rows, read: what is staged, and what the row rules look at."""

from collections.abc import Mapping
from functools import reduce

import numpy as np
import pandas as pd
import pyarrow as pa

from dental_assets.parsing.column import Column, truth
from dental_assets.parsing.numbers import ids
from migration.declare.resolving import PROBLEM
from migration.exports.sources import SourceTable
from migration.outcome import join_codes
from migration.parsing.keys import legacy_uuids

TEXT = pd.ArrowDtype(pa.string())
SYSTEM = "dental"


def parsed_rows(
    rows: pd.DataFrame,
    source: SourceTable,
    legacy: str,
    columns: Mapping[str, Column],
    warnings: Mapping[str, pd.Series] | None = None,
) -> pd.DataFrame:
    """The frame of a batch.

    Args:
        rows: cells of a source table.
        source: the table; its name is part of the rows' UUIDs.
        legacy: what the target calls the legacy id.
        columns: the other columns, read.
        warnings: further flags by warning code; unusable values warn by themselves.

    Returns:
        `source_row`, `source_pk`, `warnings`, `malformed`, `id` (UUID), the legacy id and the columns, Arrow-backed;
        and `id.problem`, whether the row has no usable id.
    """
    key = ids(rows["id"]).value
    frame = {
        "source_row": rows["source_row"],
        "source_pk": key.astype(TEXT).fillna("row:" + rows["source_row"].astype(TEXT)),
        "warnings": _codes(columns, warnings or {}, rows.index),
        "malformed": rows["malformed"],
        "id": legacy_uuids(f"{SYSTEM}:{source.name}:", key),
        f"id{PROBLEM}": key.isna(),
        legacy: key,
    }
    return pd.DataFrame(frame | {name: column.value for name, column in columns.items()})


def lookup_rows(rows: pd.DataFrame, columns: Mapping[str, Column]) -> pd.DataFrame:
    """The rows of a table that is only looked into: those with a usable id, with `source_row` and `id`."""
    key = ids(rows["id"]).value
    values = {name: column.value for name, column in columns.items()}
    return pd.DataFrame({"source_row": rows["source_row"], "id": key, **values})[key.notna()]


def warned(columns: Mapping[str, Column], index: pd.Index) -> pd.Series:
    """The warning codes of each row, as a comma list, that unusable values of columns give."""
    return _codes(columns, {}, index)


def _codes(columns: Mapping[str, Column], further: Mapping[str, pd.Series], index: pd.Index) -> pd.Series:
    """Each code once per row, however many columns give it."""
    flags: dict[str, list[pd.Series]] = {}
    for code, flag in (*((column.code, column.invalid) for column in columns.values()), *further.items()):
        known = truth(flag)
        if known.to_numpy(dtype=bool).any():
            flags.setdefault(code, []).append(known)
    if not flags:
        return pd.Series(np.full(len(index), None, dtype=object), index=index).astype(TEXT)
    return join_codes({code: reduce(lambda a, b: a | b, each) for code, each in flags.items()}).astype(TEXT)
