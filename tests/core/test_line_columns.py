"""JSON lines read as columns give what decoding them row by row gives, whatever the lines hold."""

import json
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from migration.errors import ExportFormatError
from migration.exports.find import ExportFile
from migration.exports.line_columns import LineColumns
from migration.exports.reading import LineBatches, RowReader, lines_of
from migration.exports.sources import SourceTable

SOURCE = SourceTable("t", ("a", "b", "c"))
STRICT = SourceTable("t", ("a", "b", "c"), malformed_rows="abort")
PLACE = UPath("memory://line-columns/1")
PLACE.mkdir(parents=True, exist_ok=True)

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=6) | st.sampled_from(["}\n{", "\x00n5", "\\u0000"])
columns = st.sampled_from([texts, st.integers(-(2**70), 2**70), st.integers(0, 9), st.booleans(), st.just(1.5)])
lines = st.lists(
    st.sampled_from([b'{"a":1}{"a":2', b"}", b"{", b'{"a":01}', b'{"a":"x","a":"y"}', b"", b" ", b"[1]", b'{"a":NaN}'])
    | st.sampled_from([b'{"d":NaN}', b'{"a":"x","d": -Infinity}', b'{"d":[1,Inf]}'])
    | st.builds(lambda a: json.dumps({"a": a}).encode(), st.none() | st.integers() | st.booleans() | texts),
    max_size=6,
)


@st.composite
def alike(draw: st.DrawFn) -> bytes:
    """Lines whose columns hold one kind of value each, for the most part."""
    kinds = {name: draw(columns) for name in "abcd"}
    rows = draw(st.lists(st.fixed_dictionaries({}, optional={n: st.none() | k for n, k in kinds.items()}), max_size=8))
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def read(content: bytes, source: SourceTable, batch_rows: int, *, exact: bool) -> Any:
    path = PLACE / "t.jsonl"
    path.write_bytes(content)
    reader = RowReader(
        ExportFile(path, path.name, "t", "t", "jsonl", gzipped=False), source, chunk_bytes=40, count=exact
    )
    try:
        batches = list(reader.batches(batch_rows))
    except ExportFormatError as error:
        return str(error)
    if not batches:
        return None
    frame = pd.concat([batch.rows for batch in batches], ignore_index=True)
    records = [record for batch in batches for record in batch.records]
    return frame.astype(object).where(frame.notna(), None).to_dict("records"), records


@settings(deadline=None, max_examples=300)
@given(content=alike() | st.builds(b"\n".join, lines), batch_rows=st.integers(1, 5), strict=st.booleans())
def test_columns_agree_with_rows(content: bytes, batch_rows: int, strict: bool) -> None:
    source = STRICT if strict else SOURCE
    assert read(content, source, batch_rows, exact=False) == read(content, source, batch_rows, exact=True)


@pytest.mark.parametrize(
    "text",
    [b'{"a":"x"}\n{"b":"y"}\n', b'{"a":null}', b'{"a":"\\u00e9","d":[1,{"a":2}]}\n'],
    ids=["plain", "no line end", "unknown keys"],
)
def test_plain_lines_are_read_as_columns(text: bytes) -> None:
    table = LineColumns(SOURCE).read(text)
    assert table is not None
    assert table.num_rows == text.count(b"\n") or text == b'{"a":null}'


@pytest.mark.parametrize("number", [b"NaN", b"-Infinity", b"Inf", b"[1, NaN]", b'{"e": Infinity}'])
def test_what_is_no_number_in_an_unknown_key_makes_a_line_malformed(number: bytes) -> None:
    line = b'{"a":"y","d":%s}' % number
    frame, records = read(b'{"a":"x"}\n' + line, SOURCE, 5, exact=False)
    assert [row["malformed"] for row in frame] == [None, "unparseable"]
    assert records[1] == line.decode()


def test_whole_numbers_and_booleans_are_learnt() -> None:
    text = b'{"a":12,"b":true}\n{"a":null,"b":false}\n'
    reader = LineColumns(SOURCE)
    assert reader.read(text) is None
    reader.learn([{"a": 12, "b": True}, {"a": None, "b": False}])
    table = reader.read(text)
    assert table is not None
    assert table.to_pydict() == {"a": ["\x00n12", None], "b": ["\x00btrue", "\x00bfalse"], "c": [None, None]}


def test_a_column_of_decimals_is_left_to_the_exact_reader() -> None:
    reader = LineColumns(SOURCE)
    reader.learn([{"a": 1.5}])
    assert reader.read(b'{"b":"x"}\n') is None


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv"])
def test_rows_given_as_lines_come_back_as_they_were(kind: str) -> None:
    contents = {
        "jsonl": b'{"a":1,"b":"x","d":2.50}\n{"a":2,"c":[1,{"k":null}]}\n{"a":\n[1]\n{"b":true}\n',
        "json": b'[{"a":1,"b":"x","d":2.50},{"a":2,"c":[1,{"k":null}]},[1],"x",{"b":true}]',
        "csv": b'a,b,c\n1,x,\n2,"y\nz",3\n4,5\n',
    }
    path = PLACE / f"lines.{kind}"
    path.write_bytes(contents[kind])
    file = ExportFile(path, path.name, "t", "t", kind, gzipped=False)  # type: ignore[arg-type]
    (batch,) = RowReader(file, SOURCE).batches()
    malformed = batch.rows["malformed"].notna()
    again = LineBatches(SOURCE).batch(
        pa.array(batch.rows["source_row"]), pa.array(lines_of(batch), pa.large_binary()), pa.array(malformed)
    )
    columns = ["source_row", "a", "b", "c"]
    good = ~malformed.to_numpy()
    expected, found = (each.rows.loc[good, columns].astype(object) for each in (batch, again))
    # A CSV text that means null is a text again.
    assert found.where(found != "", None).equals(expected.where(expected.notna(), None))
    assert again.rows["malformed"].notna().tolist() == malformed.tolist()
    assert [again.records[at] for at in range(len(good)) if good[at]] == [
        batch.records[at] for at in range(len(good)) if good[at]
    ]
