"""Properties of reading: chunk borders do not show, and the independent count equals the rows, whatever the file."""

import csv
import gzip
import io
import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from upath import UPath

from migration.errors import ExportFormatError
from migration.exports.counting import RecordCounter
from migration.exports.find import ExportFile, Format
from migration.exports.reading import FileFacts, RowReader
from migration.exports.sources import SourceTable

PLACE = UPath("memory://exports-properties/1")
PLACE.mkdir(parents=True, exist_ok=True)
COLUMNS = ("a", "b", "c")

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=8) | st.sampled_from(
    [
        '"',
        "\\",
        '\\"',
        ",",
        "\n",
        "\r",
        "\r\n",
        "\u2028",
        "\x85",
        "{[",
        "]}",
        "\x00",
        "\U0001f600",
        "\\ud83d",
        "u0000",
        "",
    ]
)
scalars = st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | texts
nested = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
objects = st.dictionaries(st.sampled_from([*COLUMNS, "d"]), nested, max_size=4)
sizes = st.integers(1, 12) | st.just(1 << 20)
spaces = st.sampled_from(["", " ", "\n", "\t\r\n"])


def json_text(value: Any, *, ascii_only: bool = False) -> str:
    if isinstance(value, dict):
        parts = (
            f"{json_text(k, ascii_only=ascii_only)}:{json_text(v, ascii_only=ascii_only)}" for k, v in value.items()
        )
        return "{" + ",".join(parts) + "}"
    if isinstance(value, list):
        return "[" + ",".join(json_text(item, ascii_only=ascii_only) for item in value) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=ascii_only)


def read(
    kind: Format, content: bytes, source: SourceTable, chunk_bytes: int, *, gz: bool = False
) -> tuple[Any, FileFacts]:
    path = PLACE / f"t.{kind}"
    path.write_bytes(gzip.compress(content, 1) if gz else content)
    reader = RowReader(ExportFile(path, path.name, "t", "t", kind, gz), source, chunk_bytes=chunk_bytes, count=True)
    blocks = list(reader.blocks())
    kinds = [block.malformed.get(at) for block in blocks for at in range(len(block.records))]
    return ([record for block in blocks for record in block.records], kinds), reader.facts


def outcome(kind: Format, content: bytes, source: SourceTable, chunk_bytes: int) -> Any:
    """The rows, or that the file is none; the counter must agree with whatever is accepted."""
    try:
        rows, facts = read(kind, content, source, chunk_bytes)
    except ExportFormatError:
        return ExportFormatError
    assert facts.counted == facts.rows == len(rows[0])
    return rows


SOURCES = [
    SourceTable("t", COLUMNS),
    SourceTable("t", COLUMNS, surrogates="remove", blank_csv_lines="skip"),
    SourceTable("t", COLUMNS, malformed_rows="abort", short_csv_rows="pad"),
]


@settings(deadline=None)
@given(
    rows=st.lists(nested | objects, max_size=6), space=spaces, chunk=sizes, ascii_only=st.booleans(), gz=st.booleans()
)
def test_an_array_gives_back_what_was_written(
    rows: list[Any], space: str, chunk: int, ascii_only: bool, gz: bool
) -> None:
    elements = f"{space},{space}".join(json_text(row, ascii_only=ascii_only) for row in rows)
    content = f"{space}[{space}{elements}{space}]{space}".encode()
    (records, kinds), facts = read("json", content, SOURCES[0], chunk, gz=gz)
    assert records == rows
    assert kinds == [None if isinstance(row, dict) else "not_an_object" for row in rows]
    assert facts.counted == len(rows)


@settings(deadline=None)
@given(
    rows=st.lists(nested | objects, max_size=6),
    blanks=st.lists(st.sampled_from(["", " ", "\t", "\u00a0", "\u3000 \x0c", "\x1c"]), max_size=3),
    end=st.sampled_from(["\n", "\r\n"]),
    chunk=sizes,
    ascii_only=st.booleans(),
    gz=st.booleans(),
)
def test_lines_give_back_what_was_written(
    rows: list[Any], blanks: list[str], end: str, chunk: int, ascii_only: bool, gz: bool
) -> None:
    between = end + "".join(blank + end for blank in blanks)
    content = between.join(json_text(row, ascii_only=ascii_only) for row in rows).encode()
    (records, kinds), facts = read("jsonl", content, SOURCES[0], chunk, gz=gz)
    assert records == rows
    assert kinds == [None if isinstance(row, dict) else "not_an_object" for row in rows]
    assert facts.counted == len(rows)


@settings(deadline=None)
@given(
    rows=st.lists(st.lists(texts, min_size=2, max_size=2), max_size=6),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    chunk=sizes,
    gz=st.booleans(),
)
def test_csv_gives_back_what_was_written(rows: list[list[str]], end: str, quoting: Any, chunk: int, gz: bool) -> None:
    if any("\r" in text for row in rows for text in row):
        quoting = csv.QUOTE_ALL  # Left to itself, this writer leaves some carriage returns unquoted.
    sink = io.StringIO(newline="")
    csv.writer(sink, lineterminator=end, quoting=quoting).writerows([["a", "b"], *rows])
    (records, kinds), facts = read("csv", sink.getvalue().encode(), SOURCES[0], chunk, gz=gz)
    assert records == [dict(zip(("a", "b"), row, strict=True)) for row in rows]
    assert kinds == [None] * len(rows)
    assert facts.counted == len(rows)


def pieces(*extra: str) -> st.SearchStrategy[bytes]:
    common = ["\n", "\r", "\r\n", ",", '"', '""', " ", "a", "é", "\u00a0", "\u2028", "\x00", "x"]
    return st.lists(st.sampled_from([*common, *extra]), max_size=30).map(lambda parts: "".join(parts).encode())


# Whatever is thrown at them, all chunk sizes give the same, and what is accepted counts the same (see `outcome`).
@settings(max_examples=400, deadline=None)
@given(content=pieces('"a"', "a,b\n", '"\n'), chunk=st.integers(1, 6), source=st.sampled_from(SOURCES))
@example(content=b"a,b\n\r", chunk=1, source=SOURCES[0])
@example(content=b"a,b\n\r", chunk=1, source=SOURCES[1])
@example(content=b'a\n""', chunk=1, source=SOURCES[0])
@example(content=b'a\n  ""', chunk=3, source=SOURCES[1])
@example(content=b'a\n"  "\n', chunk=2, source=SOURCES[1])
@example(content=b"a\r\n\r\n \r\n", chunk=1, source=SOURCES[1])
@example(content=b'a,b\n1,""""\n,"\n"', chunk=1, source=SOURCES[0])
def test_any_csv_text(content: bytes, chunk: int, source: SourceTable) -> None:
    assert outcome("csv", content, source, chunk) == outcome("csv", content, source, 1 << 20)


JSON_PIECES = pieces(
    '{"a":', "}", "[", "]", "1", "1.50", "null", "\\", "\\ud83d", "\\ude00", "\\u0000", '{"a":1}', '"b":'
)


@settings(max_examples=400, deadline=None)
@given(content=JSON_PIECES, chunk=st.integers(1, 6), source=st.sampled_from(SOURCES))
def test_any_json_lines(content: bytes, chunk: int, source: SourceTable) -> None:
    assert outcome("jsonl", content, source, chunk) == outcome("jsonl", content, source, 1 << 20)


@settings(max_examples=400, deadline=None)
@given(content=JSON_PIECES, chunk=st.integers(1, 6), source=st.sampled_from(SOURCES))
@example(content=b'{"a":"\\ud83d"},{"a":"\\ud83d\\ude00"}', chunk=5, source=SOURCES[0])
def test_any_json_array(content: bytes, chunk: int, source: SourceTable) -> None:
    content = b"[" + content + b"]"
    assert outcome("json", content, source, chunk) == outcome("json", content, source, 1 << 20)


def stdlib_array(content: bytes) -> Any:
    def refuse(_: str) -> None:
        raise ValueError

    try:
        value = json.loads(content, parse_float=Decimal, parse_constant=refuse)
        json.dumps(value, default=str, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return ExportFormatError
    return value


@settings(max_examples=400, deadline=None)
@given(
    content=pieces("{", "}", "[", "]", "1", '{"a":1}', '"b":', ":", "\\", "\\n", '{"a":["x"]},', "true"), chunk=sizes
)
def test_an_array_is_accepted_when_and_as_the_standard_library_does(content: bytes, chunk: int) -> None:
    content = b"[" + content + b"]"
    found = outcome("json", content, SOURCES[0], chunk)
    expected = stdlib_array(content)
    assert (found if found is ExportFormatError else found[0]) == expected


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=200), cut=st.integers(0, 200), chunk=sizes)
@pytest.mark.parametrize("kind", ["json", "jsonl", "csv"])
def test_no_bytes_raise_anything_but_a_format_error(kind: Format, content: bytes, cut: int, chunk: int) -> None:
    for text in (content, b'[{"a": "' + content + b'"}]', content[:cut]):
        outcome(kind, text, SOURCES[0], chunk)


@settings(max_examples=100, deadline=None)
@given(flips=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=3), chunk=sizes)
@pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "parquet"])
def test_a_mutated_gzip_file_is_read_whole_or_refused(kind: Format, flips: list[tuple[int, int]], chunk: int) -> None:
    whole = bytearray(gzip.compress(SAMPLES[kind]()))
    for place, byte in flips:
        whole[place % len(whole)] = byte
    path = PLACE / f"m.{kind}.gz"
    path.write_bytes(bytes(whole))
    reader = RowReader(
        ExportFile(path, path.name, "m", "m", kind, True), SOURCES[0], chunk_bytes=max(chunk, 64), count=True
    )
    try:
        rows = sum(len(block.records) for block in reader.blocks())
    except ExportFormatError:
        return
    assert rows == reader.facts.counted == 50


def parquet_sample() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": list(range(50)), "b": [str(math.sqrt(n)) for n in range(50)]}), sink)
    return sink.getvalue()


SAMPLES: dict[str, Callable[[], bytes]] = {
    "json": lambda: json.dumps([{"a": n, "b": str(n)} for n in range(50)]).encode(),
    "jsonl": lambda: b"".join(b'{"a": %d, "b": "x"}\n' % n for n in range(50)),
    "csv": lambda: b"a,b\n" + b"".join(b'%d,"x\ny"\n' % n for n in range(50)),
    "parquet": parquet_sample,
}


@settings(deadline=None)
@given(content=pieces("{}", "[", "]"), cuts=st.lists(st.integers(0, 60), max_size=6))
@pytest.mark.parametrize("kind", ["json", "jsonl", "csv"])
@pytest.mark.parametrize("blank", ["row", "skip"])
def test_the_counter_does_not_see_chunk_borders(kind: Any, blank: Any, content: bytes, cuts: list[int]) -> None:
    content = b"[" + content if kind == "json" else content
    whole, cut = RecordCounter(kind, blank_csv_lines=blank), RecordCounter(kind, blank_csv_lines=blank)
    whole.feed(content)
    borders = sorted({min(c, len(content)) for c in cuts})
    for start, end in zip([0, *borders], [*borders, len(content)], strict=True):
        cut.feed(content[start:end])
    assert whole.count() == cut.count()
