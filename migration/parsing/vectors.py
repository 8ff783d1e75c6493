"""Whole columns of cells at once: Arrow reads the usual spellings, a scalar parser each distinct cell that is left.

`parse_each` is enough where cells repeat; keys, times and amounts of millions of rows hardly do. So a column may bring
a quick parser beside its scalar one. The quick one may decline any cell but must never read one differently.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from migration.parsing.cells import Value, decode_cell

# What precedes the digits in the cell of a JSON number; no text begins with it.
NUMBER_TAG = "\x00n"

ScalarParser = Callable[[Value], Any]
QuickParser = Callable[[pa.Array], pa.Array]


@dataclass(frozen=True)
class Parsed:
    """A column of legacy values, read.

    Attributes:
        value: the values, Arrow-backed, with the index of the cells; missing where there is a problem.
        problem: why there is no value, as int8 with the same index: 0, or the number of the parser's Enum member.
    """

    value: pd.Series
    problem: pd.Series

    def has(self, *problems: Enum) -> pd.Series:
        """Whether each row has one of the problems, as a column of bool without missing entries."""
        return self.problem.isin([problem.value for problem in problems])

    def with_default(self, value: Any, *problems: Enum) -> "Parsed":
        """The same column with a value where a row has one of the problems; the problem itself stays on record."""
        return replace(self, value=self.value.mask(self.has(*problems), value))


def parse_vector(cells: pd.Series, kind: pa.DataType, parser: ScalarParser, quick: QuickParser | None = None) -> Parsed:
    """Read a column of cells.

    Args:
        cells: a text column of cells, any index; missing entries are cells too.
        kind: the Arrow type of the values.
        parser: a pure function of one legacy value. It returns a value that `kind` holds exactly, or a member of an
            Enum, numbered from 1 to 127, that says why there is none.
        quick: a reader of Arrow text: an array of `kind` and of the same length, null where it declines the cell, as
            it must where the cell is null. None = every distinct cell goes to the parser.
    """
    texts = _texts(cells)
    values = pa.nulls(len(texts), kind) if quick is None else quick(texts)
    problems = np.zeros(len(texts), dtype=np.int8)
    if values.null_count:
        declined = values.is_null()
        found, codes = _parse_distinct(texts.filter(declined), kind, parser)
        values = pc.call_function("replace_with_mask", [values, declined, found])
        problems[declined.to_numpy(zero_copy_only=False)] = codes
    backed = pd.arrays.ArrowExtensionArray(pa.chunked_array([values]))
    return Parsed(pd.Series(backed, index=cells.index), pd.Series(problems, index=cells.index))


def only_matching(texts: pa.Array, pattern: str) -> pa.Array:
    """The texts that a pattern matches, null for the others.

    Args:
        texts: an Arrow text array.
        pattern: a regular expression as RE2 has them; anchor it, for it is searched.
    """
    matches = pc.call_function("match_substring_regex", [texts], pc.MatchSubstringOptions(pattern))
    return pc.call_function("if_else", [matches, texts, pa.scalar(None, texts.type)])


def without_number_tag(texts: pa.Array) -> pa.Array:
    """Texts of digits and cells of numbers, all as the bare digits; other texts may lose characters."""
    return pc.call_function("ascii_ltrim", [texts], pc.TrimOptions(NUMBER_TAG))


def _texts(cells: pd.Series) -> pa.Array:
    array = pa.array(cells, type=pa.large_string(), from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _parse_distinct(texts: pa.Array, kind: pa.DataType, parser: ScalarParser) -> tuple[pa.Array, np.ndarray]:
    encoded = texts.dictionary_encode(null_encoding="encode")
    results = [parser(decode_cell(cell)) for cell in encoded.dictionary.to_pylist()]
    values = pa.array([None if isinstance(each, Enum) else each for each in results], type=kind)
    problems = np.array([each.value if isinstance(each, Enum) else 0 for each in results], dtype=np.int8)
    return values.take(encoded.indices), problems[encoded.indices.to_numpy()]
