"""The scalar and the column parser of each kind of value, and the check that they agree."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from meter_assets.parsing.booleans import boolean, booleans
from meter_assets.parsing.dates import date, dates, timestamp, timestamps
from meter_assets.parsing.ids import ids, legacy_id
from meter_assets.parsing.labels import label, labels
from meter_assets.parsing.money import amounts, money
from meter_assets.parsing.problem import Problem
from meter_assets.parsing.text import text, texts
from migration.parsing.cells import Value, cell_array
from migration.parsing.vectors import Parsed

Pair = tuple[Callable[[Value], Any], Callable[[pd.Series], Parsed]]

IDS: Pair = (legacy_id, ids)
MONEY: Pair = (money, amounts)
DATES: Pair = (date, dates)
TIMESTAMPS: Pair = (timestamp, timestamps)
BOOLEANS: Pair = (boolean, booleans)
TEXTS: Pair = (text, texts)
LABELS: Pair = (label, labels)
ALL = [IDS, MONEY, DATES, TIMESTAMPS, BOOLEANS, TEXTS, LABELS]


def assert_column_is_its_values(pair: Pair, values: Sequence[Any]) -> None:
    scalar, column = pair
    parsed = column(pd.Series(cell_array(values), dtype="str"))
    for value, found, code in zip(values, pa.array(parsed.value).to_pylist(), parsed.problem.tolist(), strict=True):
        expected = scalar(value)
        if isinstance(expected, Problem):
            assert (found, code) == (None, expected.value), repr(value)
        else:
            assert (found, code) == (expected, 0), repr(value)
            assert str(found) == str(expected), repr(value)
