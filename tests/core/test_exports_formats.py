"""What the rows of a file are, in each format, plain and gzipped, whatever the size of the chunks."""

import gzip
import hashlib
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from migration.errors import ExportFormatError
from migration.exports.find import ExportFile, find_file
from migration.exports.reading import FileFacts, RawBatch, RowReader, read_batches
from migration.exports.sources import SourceTable
from migration.parsing.cells import decode_cell

SOURCE = SourceTable("t", ("id", "name", "amount"), key="id")


def table(**changes: Any) -> SourceTable:
    return SourceTable(**{"name": "t", "columns": ("id", "name", "amount"), **changes})


def stored(folder: UPath, name: str, content: bytes, source: SourceTable = SOURCE) -> ExportFile:
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    file = find_file(folder, source)
    assert file is not None
    return file


def everything(file: ExportFile, source: SourceTable = SOURCE, **options: Any) -> tuple[list[RawBatch], FileFacts]:
    reader = RowReader(file, source, count=True, **options)
    batches = list(reader.batches())
    assert reader.facts.counted == reader.facts.rows
    return batches, reader.facts


def values(file: ExportFile, source: SourceTable = SOURCE, **options: Any) -> list[tuple[Any, ...]]:
    """Each row as (source_row, values of the columns …, malformed)."""
    rows: list[tuple[Any, ...]] = []
    for batch in everything(file, source, **options)[0]:
        frame = batch.rows
        assert len(frame) == len(batch.records)
        cells = frame.astype(object).where(frame.notna(), None)
        for number, *row, malformed in cells.itertuples(index=False, name=None):
            rows.append((number, *map(decode_cell, row), malformed))
    return rows


def parquet(columns: dict[str, Any]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> UPath:
    return UPath(tmp_path)


JSON_ROWS = '{"id": 1, "name": "Ani", "amount": 150000.50}', '{"amount": 0.1, "id": "2"}', '{"name": null, "id": true}'
EXPECTED = [
    (1, 1, "Ani", Decimal("150000.50"), None),
    (2, "2", None, Decimal("0.1"), None),
    (3, True, None, None, None),
]


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("json", "[" + ",".join(JSON_ROWS) + "]"),
        ("json", " [\n " + " ,\r\n\t".join(JSON_ROWS) + "\n]\n"),
        ("jsonl", "\n".join(JSON_ROWS)),
        ("jsonl", "\n".join(JSON_ROWS) + "\n"),
        ("jsonl", "\r\n" + "\r\n \t\r\n\r\n".join(JSON_ROWS) + "\r\n"),
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_json_is_read_the_same_in_all_its_forms(folder: UPath, kind: str, content: str, suffix: str, mark: str) -> None:
    file = stored(folder, f"t.{kind}{suffix}", (mark + content).encode())
    assert values(file) == EXPECTED
    assert values(file, chunk_bytes=1) == EXPECTED


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_values_are_text_and_the_empty_one_is_null(folder: UPath, suffix: str, end: str, mark: str) -> None:
    lines = ["name,id,extra", "Ani,1,x", '"a ""b"", c",2,', '"two', 'lines",,', "", '"","3",y']
    file = stored(folder, f"t.csv{suffix}", (mark + end.join(lines)).encode())
    expected = [
        (1, "1", "Ani", None, None),
        (2, "2", 'a "b", c', None, None),
        (3, None, f"two{end}lines", None, None),
        (4, "3", None, None, None),
    ]
    assert values(file) == expected
    assert values(file, chunk_bytes=1) == expected
    assert everything(file)[1].unknown_fields == ("extra",)
    assert everything(file)[1].keys_seen == {"id", "name"}


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_parquet_values_are_what_json_would_have_given(folder: UPath, suffix: str) -> None:
    columns = {
        "i": pa.array([2**60, None], pa.int64()),
        "d": pa.array([Decimal("1.10"), None], pa.decimal128(10, 2)),
        "b": pa.array([True, None]),
        "f": pa.array([0.1, float("nan")], pa.float64()),
        "f32": pa.array([0.1, float("inf")], pa.float32()),
        "day": pa.array([date(2026, 2, 1), None]),
        "at": pa.array([datetime(2026, 2, 1, 3, 4, 5, 600, UTC), None], pa.timestamp("us", "UTC")),
        "naive": pa.array([datetime(2026, 2, 1, 3, 4, 5, tzinfo=UTC).replace(tzinfo=None), None], pa.timestamp("ms")),
        "text": pa.array(["x", ""]),
        "cat": pa.array(["x", None]).dictionary_encode(),
        "bytes": pa.array([b"x\xc3\xa9", None]),
        "list": pa.array([[0.5, None], None], pa.list_(pa.float32())),
        "part": pa.array([{"a": Decimal("1.0"), "at": date(2026, 1, 2)}, None]),
        "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
    }
    source = SourceTable("t", tuple(columns))
    first, second = values(stored(folder, f"t.parquet{suffix}", parquet(columns)), source)
    assert first[1:-1] == (
        2**60,
        Decimal("1.10"),
        True,
        Decimal("0.1"),
        Decimal("0.1"),
        "2026-02-01",
        "2026-02-01T03:04:05.000600+00:00",
        "2026-02-01T03:04:05",
        "x",
        "x",
        "xé",
        [Decimal("0.5"), None],
        {"a": Decimal("1.0"), "at": "2026-01-02"},
        {"k": 1},
    )
    assert str(first[2]) == "1.10"
    assert second[1:-1] == (None,) * 4 + ("Infinity",) + (None,) * 3 + ("",) + (None,) * 5


def test_a_parquet_date_beyond_what_python_knows_is_still_its_iso_text(folder: UPath) -> None:
    moments = pa.array([253_402_300_800_000, 0, None, 4_000_000_000_000_000], pa.timestamp("ms"))
    rows = values(stored(folder, "t.parquet", parquet({"id": moments})))
    assert [row[1] for row in rows[:3]] == ["10000-01-01T00:00:00.000", "1970-01-01T00:00:00.000", None]
    assert "out of range" in rows[3][1]


def test_a_parquet_file_without_rows_still_has_its_columns(folder: UPath) -> None:
    file = stored(folder, "t.parquet", parquet({"id": pa.array([], pa.int64()), "zip": pa.array([], pa.string())}))
    batches, facts = everything(file)
    assert batches == []
    assert (facts.rows, facts.keys_seen, facts.unknown_fields) == (0, {"id"}, ("zip",))


def test_numbers_never_pass_through_a_float(folder: UPath) -> None:
    numbers = ["0.10000000000000000000001", "123456789012345678901234567890", "1e400", "-0.00", "1E5"]
    for kind, content in (
        ("json", "[" + ",".join(f'{{"id": {n}}}' for n in numbers) + "]"),
        ("jsonl", "\n".join(f'{{"id": {n}}}' for n in numbers)),
    ):
        place = folder / kind
        place.mkdir()
        found = [row[1] for row in values(stored(place, f"t.{kind}", content.encode()))]
        assert [str(value) for value in found] == [str(Decimal(n)) for n in numbers]


def test_of_a_repeated_key_the_last_counts(folder: UPath) -> None:
    row = '{"id": 1, "name": "a", "id": 2}'
    assert values(stored(folder, "t.jsonl", row.encode()))[0][1] == 2
    (folder / "x").mkdir()
    assert values(stored(folder / "x", "t.json", f"[{row}]".encode()))[0][1] == 2
    (folder / "y").mkdir()
    assert values(stored(folder / "y", "t.csv", b"id,name,id\n1,a,2"))[0][1] == "2"


ESCAPES = [
    (r"\ud83d", "\ufffd", ""),
    (r"a\udc00b", "a\ufffdb", "ab"),
    (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600", "\U0001f600"),
    (r"\ud83d\ude00", "\U0001f600", "\U0001f600"),
    (r"\\ud83d", r"\ud83d", r"\ud83d"),
    (r"\\\ud83d", "\\\ufffd", "\\"),
    (r"\ud83d\\ude00", "\ufffd\\ude00", r"\ude00"),
    (r"\ud83d\"", '\ufffd"', '"'),
    (r"a\u0000b", "a\x00b", "ab"),
    (r"\\u0000", r"\u0000", r"\u0000"),
    (r"\uD83Dx\uDE00", "\ufffdx\ufffd", "x"),
]


@pytest.mark.parametrize(("escaped", "replaced", "removed"), ESCAPES)
@pytest.mark.parametrize("chunk_bytes", [1, 2, 5, 7, 4096])
@pytest.mark.parametrize("form", ["t.jsonl", "t.json"])
def test_unpaired_surrogates(
    folder: UPath, form: str, escaped: str, replaced: str, removed: str, chunk_bytes: int
) -> None:
    row = f'{{"id": 1, "name": "{escaped}", "amount": ["{escaped}", {{"{escaped}k": 1}}]}}'
    content = (f"[{row}, {row}]" if form == "t.json" else f"{row}\n{row}").encode()
    file = stored(folder, form, content)
    for treatment, text in (("replace", replaced), ("remove", removed)):
        found = values(file, table(surrogates=treatment), chunk_bytes=chunk_bytes)
        assert [row[2:4] for row in found] == [(text, [text, {f"{text}k": 1}])] * 2


def test_removed_characters_are_removed_from_keys_and_from_csv(folder: UPath) -> None:
    source = table(surrogates="remove")
    file = stored(folder, "t.jsonl", rb'{"i\u0000d": 1, "na\ud800me": "x"}')
    assert values(file, source) == [(1, 1, "x", None, None)]
    (folder / "x").mkdir()
    file = stored(folder / "x", "t.csv", b"i\x00d,name\n1\x00,\x00\n2,b\x00,c\n")
    assert values(file, source) == [(1, "1", None, None, None), (2, None, None, None, "field_count")]
    assert everything(file, source)[0][0].records[1] == "2,b,c"
    (folder / "y").mkdir()
    file = stored(folder / "y", "t.parquet", parquet({"id": pa.array(["a\x00"])}))
    assert values(file, source)[0][1] == "a"
    assert values(file)[0][1] == "a\x00"


def test_removing_an_escape_does_not_turn_broken_json_into_valid(folder: UPath) -> None:
    file = stored(folder, "t.jsonl", b'{"id": 1\\ud800}\n{"id": 1\\u0000}')
    assert [row[-1] for row in values(file, table(surrogates="remove"))] == ["unparseable"] * 2


def test_only_lf_and_crlf_end_a_line(folder: UPath) -> None:
    text = "a\u2028b\u0085c\x0bd\x1ce"
    file = stored(folder, "t.jsonl", json.dumps({"name": text}, ensure_ascii=False).replace("\\u000b", "").encode())
    assert len(values(file)) == 1
    (folder / "x").mkdir()
    file = stored(folder / "x", "t.csv", f'id,name\n1,{text}\r2\n"3\r",4\r\r\n'.encode())
    assert values(file) == [(1, "1", f"{text}\r2", None, None), (2, "3\r", "4\r", None, None)]
    assert values(file, chunk_bytes=1) == values(file)


def test_white_space_lines(folder: UPath) -> None:
    file = stored(folder, "t.jsonl", '{"id": 1}\n \t \n\u00a0\u2003\n\x0c\n{"id": 2}\n\u3000'.encode())
    assert [row[:2] for row in values(file)] == [(1, 1), (2, 2)]
    (folder / "x").mkdir()
    content = 'id\n1\n  \n""\n\n"  "\n\u00a0\n'.encode()
    file = stored(folder / "x", "t.csv", content)
    assert [row[1] for row in values(file)] == ["1", "  ", None, "  ", "\u00a0"]
    skipping = table(blank_csv_lines="skip")
    for chunk_bytes in (1, 3, 100):
        assert [row[1] for row in values(file, skipping, chunk_bytes=chunk_bytes)] == ["1", None, "  "]


def test_null_tokens_of_csv(folder: UPath) -> None:
    file = stored(folder, "t.csv", b'id,name,amount\nNULL,"\\N",\nnull, NULL,0\n')
    source = table(null_tokens_csv=("NULL", r"\N"))
    assert values(file, source) == [(1, None, None, "", None), (2, "null", " NULL", "0", None)]
    assert everything(file, source)[0][0].records[0] == {"id": "NULL", "name": "\\N", "amount": ""}


def test_rows_that_are_no_rows_are_labelled(folder: UPath) -> None:
    lines = [
        '{"id": 1}',
        '{"id": 2,',
        "[1.50]",
        "null",
        "7",
        '"x"',
        "NaN",
        '{"id": Infinity}',
        '{"id":1} {"id":2}',
        "[" * 5000,
    ]
    file = stored(folder, "t.jsonl", "\r\n".join(lines).encode())
    found = values(file)
    labels = [None, "unparseable", *["not_an_object"] * 4, *["unparseable"] * 4]
    assert [row[-1] for row in found] == labels
    assert [row[0] for row in found] == list(range(1, 11))
    (batch,), facts = everything(file)
    assert batch.records[1:7] == ['{"id": 2,', [Decimal("1.50")], None, 7, "x", "NaN"]
    assert facts.malformed == 9
    (folder / "x").mkdir()
    file = stored(folder / "x", "t.json", b'[{"id": 1}, [1], null, "x", {}, 5]')
    labels = [None, "not_an_object", "not_an_object", "not_an_object", None, "not_an_object"]
    assert [row[-1] for row in values(file, chunk_bytes=3)] == labels


@pytest.mark.parametrize(("name", "form"), [("t.jsonl", "{0}\r\n{1}"), ("t.json", "[{1} ,{0}\t, {0}]")])
def test_rows_that_are_no_objects_are_kept_as_they_stand_where_asked_for(folder: UPath, name: str, form: str) -> None:
    source, text = table(non_objects="text", surrogates="remove"), '[1,  2.50, "\\ud800\\u0000\\""]'
    file = stored(folder, name, form.format(text, '{"id": 1}').encode(), source)
    (batch,), facts = everything(file, source)
    kept = [record for record in batch.records if record != {"id": 1}]
    assert set(kept) == {text}
    assert facts.malformed == len(kept)


def test_csv_rows_of_another_length(folder: UPath) -> None:
    content = b'id,name\n1\n2,"b\nb",c\n3,c\n'
    file = stored(folder, "t.csv", content)
    assert values(file) == [
        (1, None, None, None, "field_count"),
        (2, None, None, None, "field_count"),
        (3, "3", "c", None, None),
    ]
    assert everything(file)[0][0].records[1] == '2,"b\nb",c'
    assert [row[1:3] for row in values(file, table(short_csv_rows="pad"))] == [("1", None), ("2", "b\nb"), ("3", "c")]
    with pytest.raises(ExportFormatError, match="row 1 "):
        values(file, table(malformed_rows="abort"))


def test_other_spellings_of_columns(folder: UPath) -> None:
    def snake(key: str) -> str:
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)

    source = SourceTable("t", ("tour_date", "id"), rename_key=snake)
    rows = [{"tourDate": 1}, {"tourDate": 1, "tour_date": 2}, {"tour_date": 2, "tourDate": 1, "fxRate": 3}]
    file = stored(folder, "t.jsonl", "\n".join(json.dumps(row) for row in rows).encode(), source)
    assert [row[1] for row in values(file, source)] == [1, 2, 2]
    (batch,), facts = everything(file, source)
    assert batch.records[0] == {"tour_date": 1}
    assert (facts.keys_seen, facts.unknown_fields) == ({"tour_date"}, ("fxRate",))


def test_batches_are_cut_at_the_row_limit_and_number_on(folder: UPath) -> None:
    file = stored(folder, "t.jsonl", b"".join(b'{"id": %d}\n' % n for n in range(1, 26)))
    batches = list(read_batches(file, SOURCE, batch_rows=10))
    assert [len(batch.rows) for batch in batches] == [10, 10, 5]
    assert [list(batch.rows["source_row"])[0] for batch in batches] == [1, 11, 21]
    assert batches[2].records[0] == {"id": 21}
    assert str(batches[0].rows["source_row"].dtype) == "int64"


def test_long_rows_make_short_batches(folder: UPath) -> None:
    row = json.dumps({"name": "x" * 3_000_000}).encode()
    file = stored(folder, "t.jsonl", b"\n".join([row] * 12))
    sizes = [len(batch.rows) for batch in read_batches(file, SOURCE)]
    assert sum(sizes) == 12
    assert max(sizes) < 12


@pytest.mark.parametrize("form", ["t.json", "t.jsonl", "t.csv"])
def test_one_row_of_fifty_megabytes(folder: UPath, form: str) -> None:
    text = "é" * 25_000_000
    content = {"t.json": f'[{{"name": "{text}"}}]', "t.jsonl": f'{{"name": "{text}"}}', "t.csv": f'name\n"{text}"'}
    file = stored(folder, form, content[form].encode())
    assert values(file)[0][2] == text


def test_the_sha256_is_of_the_bytes_as_stored(folder: UPath) -> None:
    file = stored(folder, "t.jsonl.gz", b'{"id": 1}')
    assert everything(file)[1].sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest()


def test_gzip_in_several_members_and_padded(folder: UPath) -> None:
    file = stored(folder, "t.jsonl.gz", b"")
    file.path.write_bytes(gzip.compress(b'{"id":') + gzip.compress(b" 1}\n") + b"\0\0\0")
    assert values(file) == [(1, 1, None, None, None)]
    assert values(file, chunk_bytes=1) == [(1, 1, None, None, None)]


def test_rows_do_not_show_when_a_batch_is_printed(folder: UPath) -> None:
    file = stored(folder, "t.jsonl", b'{"id": "canary"}')
    (batch,) = read_batches(file, SOURCE)
    (block,) = RowReader(file, SOURCE).blocks()
    assert "canary" not in repr(batch) + repr(block)


def test_the_facts_of_a_file_wait_for_its_end(folder: UPath) -> None:
    reader = RowReader(stored(folder, "t.jsonl", b'{"id": 1}\n{"id": 2}\n'), SOURCE)
    next(reader.batches(batch_rows=1))
    with pytest.raises(RuntimeError):
        _ = reader.facts


def test_a_file_in_another_file_system() -> None:
    place = UPath("memory://exports-formats/1")
    place.mkdir(parents=True, exist_ok=True)
    for name in ("t.jsonl.gz", "t.parquet"):
        content = parquet({"id": [1]}) if "parquet" in name else b'{"id": 1}'
        file = stored(place, name, content)
        assert values(file) == [(1, 1, None, None, None)]
        (place / name).unlink()
