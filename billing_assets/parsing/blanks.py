"""White space, the texts that mean null, and columns that go by several names."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from migration.parsing.cells import Value

# White space as Unicode has it. Python's own idea adds four separators of old terminals.
WHITE_SPACE = (
    "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
NULL_TOKENS = ("", "null", "none", "nan", "n/a", "-")


def trimmed(value: Value) -> Value:
    """The value, text without the white space around it; None for null and for the texts that mean it."""
    if not isinstance(value, str):
        return value
    text = value.strip(WHITE_SPACE)
    return None if text.lower() in NULL_TOKENS else text


def blank_cells(cells: pd.Series) -> pd.Series:
    """Whether each cell holds nothing, as bool without missing entries."""
    return pd.Series(blank_array(text_array(cells)).to_numpy(zero_copy_only=False), index=cells.index, dtype=bool)


def blank_array(texts: pa.Array) -> pa.Array:
    """Whether each text of an Arrow array is null or means null."""
    bare = pc.call_function("utf8_trim", [texts], pc.TrimOptions(WHITE_SPACE))
    lowered = pc.call_function("utf8_lower", [bare])
    tokens = pa.array(NULL_TOKENS, type=lowered.type)
    means_null = pc.call_function("is_in", [lowered], pc.SetLookupOptions(value_set=tokens))
    return pc.call_function("or", [means_null, texts.is_null()])


def text_array(cells: pd.Series) -> pa.Array:
    """A column of cells as one Arrow array of large strings."""
    array = pa.array(cells, type=pa.large_string(), from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def first_given(rows: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """Of columns that mean the same, the first cell of each row that is not blank, whether or not it can be read."""
    found = rows[names[0]]
    for name in names[1:]:
        if rows[name].isna().all():
            continue
        blank = blank_cells(found)
        found = rows[name] if blank.all() else found.where(np.logical_not(blank), rows[name])
    return found
