"""Cells: whatever a legacy value is, its cell gives it back."""

from decimal import Decimal
from typing import Any

import msgspec
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migration.parsing.cells import cell_array, decode_cell, encode_cell, from_json, parse_each, parse_pairs, to_json

texts = st.text(st.characters(exclude_categories=("Cs",))) | st.text("\x00nbjs5{}true").map(lambda text: "\x00" + text)
exact = st.decimals(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers() | exact | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))


def same(left: Any, right: Any) -> bool:
    """Equal and of the same type at every depth: True is not 1, and 1 not 1.0; decimals alike to the last digit."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        return str(left) == str(right)
    return type(left) is type(right) and left == right


@settings(deadline=None)
@given(values)
def test_a_cell_gives_its_value_back(value: Any) -> None:
    if isinstance(value, list | dict):
        # In JSON a decimal without fraction or exponent is an integer.
        assert decode_cell(encode_cell(value)) == value
    elif isinstance(value, Decimal):
        assert decode_cell(encode_cell(value)) == value
    else:
        assert same(decode_cell(encode_cell(value)), value)


@settings(deadline=None)
@given(values, values)
def test_two_values_have_one_cell_only_if_they_are_the_same(left: Any, right: Any) -> None:
    if encode_cell(left) == encode_cell(right):
        assert left == right


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, None),
        ("", ""),
        ("5", "5"),
        (5, "\x00n5"),
        (-5, "\x00n-5"),
        (Decimal("5.00"), "\x00n5.00"),
        (Decimal("1E+5"), "\x00n1E+5"),
        (True, "\x00btrue"),
        (False, "\x00bfalse"),
        ([Decimal("1.10"), None], "\x00j[1.10,null]"),
        ({"a": "é"}, '\x00j{"a":"é"}'),
        ("\x00n5", "\x00s\x00n5"),
        ("\x00", "\x00s\x00"),
    ],
)
def test_what_cells_look_like(value: Any, cell: str | None) -> None:
    assert encode_cell(value) == cell
    assert same(decode_cell(cell), value)


columns = st.one_of(
    st.lists(scalars),
    st.lists(values),
    st.lists(st.none() | texts),
    st.lists(st.none() | st.integers()),
    st.lists(st.none() | exact | st.integers()),
    st.lists(st.booleans() | st.integers()),
    st.lists(st.none()),
)


@settings(deadline=None)
@given(columns)
def test_a_column_of_cells_is_the_cells_of_its_values(column: list[Any]) -> None:
    assert cell_array(column).to_pylist() == [encode_cell(value) for value in column]
    assert str(cell_array(column).type) == "string"


@settings(deadline=None)
@given(columns)
def test_parsers_see_each_value_and_are_called_once_per_distinct_cell(column: list[Any]) -> None:
    cells = cell_array(column).to_pandas()
    cells.index = pd.Index(range(7, 7 + len(column)))
    calls: list[Any] = []

    def parser(value: Any) -> Any:
        calls.append(value)
        return (value,)

    found = parse_each(cells, parser)
    assert list(found.index) == list(cells.index)
    assert [value for (value,) in found] == [decode_cell(encode_cell(value)) for value in column]
    assert len(calls) <= len({encode_cell(value) for value in column}) + 1


@settings(deadline=None)
@given(st.lists(st.tuples(scalars, scalars)))
def test_parsers_of_several_values_see_each_row(rows: list[tuple[Any, Any]]) -> None:
    left, right = (cell_array([row[at] for row in rows]).to_pandas() for at in (0, 1))
    found = parse_pairs([left, right], lambda *row: row)
    assert list(found) == [tuple(decode_cell(encode_cell(value)) for value in row) for row in rows]


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.50", Decimal("1.50")), ("1e2", Decimal("1E+2")), ("12", 12), ('{"a":1,"a":2}', {"a": 2}), ("null", None)],
)
def test_json_is_read_exactly(text: str, value: Any) -> None:
    assert same(from_json(text), value)
    assert same(from_json(text.encode()), value)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "[1,]", "01", "1 2", "", '"\\ud800"', "'a'"])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        from_json(text)


@settings(deadline=None)
@given(values)
def test_json_text_gives_its_value_back(value: Any) -> None:
    assert from_json(to_json(value)) == value
