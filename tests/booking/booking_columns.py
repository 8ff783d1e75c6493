"""The scalar and the column parser of each kind of value, and the check that they agree."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from booking_assets.parsing.contacts import email, emails
from booking_assets.parsing.currencies import countries, country, currencies, currency
from booking_assets.parsing.json_values import json_texts, json_value
from booking_assets.parsing.names import name_key, name_keys, slug, slugs
from booking_assets.parsing.numbers import (
    amounts,
    boolean,
    booleans,
    integer,
    integers,
    money,
    primary_key,
    primary_keys,
)
from booking_assets.parsing.phones import e164, e164s, fallback_phone, fallback_phones
from booking_assets.parsing.problem import Problem
from booking_assets.parsing.texts import raw_text, raw_texts, text, texts, upper, uppers
from booking_assets.parsing.times import (
    bali_date,
    bali_dates,
    birth_date,
    birth_dates,
    clock,
    clocks,
    timestamp,
    timestamps,
)
from migration.parsing.cells import Value, cell_array, to_json
from migration.parsing.vectors import Parsed

Pair = tuple[Callable[[Value], Any], Callable[[pd.Series], Parsed]]


def json_text(value: Value) -> str | Problem:
    found = json_value(value)
    return found if isinstance(found, Problem) else to_json(found)


TEXTS: Pair = (text, texts)
RAWS: Pair = (raw_text, raw_texts)
UPPERS: Pair = (upper, uppers)
INTEGERS: Pair = (integer, integers)
KEYS: Pair = (primary_key, primary_keys)
MONEY: Pair = (money, amounts)
BOOLEANS: Pair = (boolean, booleans)
TIMES: Pair = (timestamp, timestamps)
BALI: Pair = (bali_date, bali_dates)
BIRTHS: Pair = (birth_date, birth_dates)
CLOCKS: Pair = (clock, clocks)
ALL = [
    *(TEXTS, RAWS, UPPERS, INTEGERS, KEYS, MONEY, BOOLEANS, TIMES, BALI, BIRTHS, CLOCKS),
    *((currency, currencies), (country, countries), (slug, slugs), (name_key, name_keys), (json_text, json_texts)),
    *((e164, e164s), (fallback_phone, fallback_phones), (email, emails)),
]


def cells(values: Sequence[Any]) -> pd.Series:
    """A column of the values of one source column, as the reader makes it."""
    return pd.Series(cell_array(values), dtype="str")


def assert_column_is_its_values(pair: Pair, values: Sequence[Any]) -> None:
    scalar, column = pair
    parsed = column(cells(values))
    for value, found, code in zip(values, pa.array(parsed.value).to_pylist(), parsed.problem.tolist(), strict=True):
        expected = scalar(value)
        if isinstance(expected, Problem):
            assert (found, code) == (None, expected.value), repr(value)
        else:
            assert (found, code) == (expected, 0), repr(value)
            assert str(found) == str(expected), repr(value)
