"""Columns read by a quick parser, and by a scalar one where the quick one declines."""

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from migration.parsing.cells import Value, cell_array, encode_cell
from migration.parsing.vectors import NUMBER_TAG, only_matching, parse_vector, without_number_tag


class Why(Enum):
    NOTHING = 1
    STRANGE = 127


def length(value: Value) -> int | Why:
    if value is None:
        return Why.NOTHING
    return len(value) if isinstance(value, str) else Why.STRANGE


def quick_length(texts: pa.Array) -> pa.Array:
    """Lengths of words of lower-case letters."""
    return pc.call_function("utf8_length", [only_matching(texts, "^[a-z]+$")]).cast(pa.int64())


def column(*values: Any) -> pd.Series:
    return pd.Series(cell_array(values), dtype="str", index=range(10, 10 + len(values)))


VALUES = ("ab", None, "A\x00", 5, "\x00n5", "", [1], "abc", None)


@pytest.mark.parametrize("quick", [None, quick_length])
def test_values_and_problems_with_and_without_a_quick_parser(quick: Any) -> None:
    parsed = parse_vector(column(*VALUES), pa.int64(), length, quick)
    assert parsed.value.dtype == pd.ArrowDtype(pa.int64())
    assert parsed.value.array.to_numpy(dtype=object, na_value=None).tolist() == [2, None, 2, None, 3, 0, None, 3, None]
    assert parsed.problem.tolist() == [0, 1, 0, 127, 0, 0, 127, 0, 1]
    assert parsed.problem.dtype == "int8"
    for series in (parsed.value, parsed.problem, parsed.has(Why.NOTHING)):
        assert series.index.tolist() == list(range(10, 19))


def test_the_scalar_parser_sees_each_declined_cell_once() -> None:
    seen: list[Value] = []

    def noted(value: Value) -> int | Why:
        seen.append(value)
        return length(value)

    parse_vector(column("ab", "A", "A", None, None, "cd", "5", 5), pa.int64(), noted, quick_length)
    assert seen == ["A", None, "5", 5]


@pytest.mark.parametrize("text_type", ["str", "object", pd.ArrowDtype(pa.string()), pd.ArrowDtype(pa.large_string())])
def test_every_text_column_and_none_at_all(text_type: Any) -> None:
    cells = column("ab", None, "A").astype(text_type)
    parsed = parse_vector(cells, pa.int64(), length, quick_length)
    assert parsed.problem.tolist() == [0, 1, 0]
    assert parsed.value.dropna().tolist() == [2, 1]
    empty = parse_vector(cells.iloc[:0], pa.int64(), length, quick_length)
    assert (len(empty.value), len(empty.problem), empty.value.dtype) == (0, 0, parsed.value.dtype)


def test_columns_in_chunks_are_read_whole() -> None:
    cells = pd.concat([column("ab", "A"), column(None, "c")])
    assert parse_vector(cells, pa.int64(), length, quick_length).problem.tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.decimal128(14, 2), Decimal("1.50")),
        (pa.date32(), dt.date(2024, 2, 29)),
        (pa.timestamp("us", tz="UTC"), dt.datetime(2024, 2, 29, 1, 2, 3, tzinfo=dt.UTC)),
        (pa.bool_(), True),
        (pa.string(), "x"),
    ],
)
def test_every_kind_of_value_is_filled_in_beside_quick_ones(kind: pa.DataType, value: Any) -> None:
    def quick(texts: pa.Array) -> pa.Array:
        return pa.array([value if text == "quick" else None for text in texts.to_pylist()], type=kind)

    parsed = parse_vector(column("quick", "slow", None), kind, lambda v: value if v == "slow" else Why.NOTHING, quick)
    assert pa.array(parsed.value).to_pylist() == [value, value, None]
    assert pa.array(parsed.value).type == kind


def test_a_default_leaves_the_problem_on_record() -> None:
    parsed = parse_vector(column("ab", None, 5), pa.int64(), length)
    filled = parsed.with_default(-1, Why.NOTHING)
    assert filled.value.dtype == parsed.value.dtype
    assert pa.array(filled.value).to_pylist() == [2, -1, None]
    assert filled.problem.tolist() == [0, 1, 127]
    assert filled.has(Why.NOTHING, Why.STRANGE).tolist() == [False, True, True]
    assert pa.array(parsed.value).to_pylist() == [2, None, None]


def test_a_value_that_the_kind_does_not_hold_exactly_is_an_error() -> None:
    with pytest.raises(pa.ArrowInvalid):
        parse_vector(column("x"), pa.decimal128(14, 2), lambda _: Decimal("0.005"))


def test_number_cells_lose_their_tag() -> None:
    assert encode_cell(5) == f"{NUMBER_TAG}5"
    texts = only_matching(pa.array([f"{NUMBER_TAG}5", "5", "n5", "5\n", None, "\x00sn"]), f"^(?:{NUMBER_TAG})?[0-9]$")
    assert without_number_tag(texts).to_pylist() == ["5", "5", None, None, None, None]
