"""Files that are not what their names say: each stops the run, says where, and shows nothing of what is in it."""

import gzip
import io
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from migration.errors import ExportFormatError, ManifestMismatch, MissingSourceFile, SetupError, TransientError
from migration.exports.find import ExportFile, find_file
from migration.exports.reading import RowReader, read_batches
from migration.exports.sources import SourceTable
from migration.exports.verify import verify_export

CANARY = "canary-4417"
SOURCE = SourceTable("t", ("id", "name"), malformed_rows="abort")
ROW = f'{{"id": 1, "name": "{CANARY}"}}'.encode()


def file_of(folder: UPath, name: str, content: bytes) -> ExportFile:
    (folder / name).write_bytes(content)
    file = find_file(folder, SOURCE)
    assert file is not None
    return file


def failure(file: ExportFile, source: SourceTable = SOURCE, **options: Any) -> ExportFormatError:
    with pytest.raises(ExportFormatError) as caught:
        list(RowReader(file, source, count=True, **options).batches())
    error = caught.value
    assert "\n" not in str(error)
    assert file.name in error.problem
    assert CANARY not in str(error)
    # What is chained is printed with a traceback, and parsers put the text around a fault into their messages.
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__
    return error


@pytest.fixture
def folder(tmp_path: Path) -> UPath:
    return UPath(tmp_path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no JSON array"),
        (b" \n", "no JSON array"),
        (b"{}", "top level is not an array"),
        (ROW, "top level is not an array"),
        (b'"x"', "top level is not an array"),
        (b"null", "top level is not an array"),
        (b"[", "ends before"),
        (b"[" + ROW, "ends before"),
        (b"[" + ROW + b",", "ends before"),
        (b"[" + ROW + b",]", "broken JSON after row 1"),
        (b"[," + ROW + b"]", "broken JSON after row 0"),
        (b"[" + ROW + b",," + ROW + b"]", "broken JSON after row 0"),
        (b"[" + ROW + b" " + ROW + b"]", "broken JSON after row 0"),
        (b"[" + ROW + b"] x", "content after"),
        (b"[" + ROW + b"][" + ROW + b"]", "content after"),
        (b"[" + ROW + b"]]", "content after"),
        (b"[" + ROW + b"}", "do not match"),
        (b"[" + ROW[:-1] + b"]]", "broken JSON"),
        (b"[" + ROW[:-2] + b"}]", "ends before"),
        (b'[{"id": NaN}]', "broken JSON"),
        (b'[{"id": -Infinity}]', "broken JSON"),
        (b'[{"id": 01}]', "broken JSON"),
        (b"[{'id': 1}]", "broken JSON"),
        (b'[{"id": 1 /* x */}]', "broken JSON"),
        (b'[{"id": "a\nb"}]', "broken JSON"),
        (b'[{"id": "\\x"}]', "broken JSON"),
        (b'[{"id": "\\ud83"}]', "broken JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "broken JSON"),
        (b"[" + b"9" * 5_000 + b"]", "broken JSON"),
        (b"[1.0e99999999999999999999]", "broken JSON"),
    ],
)
@pytest.mark.parametrize("chunk_bytes", [1 << 20, 3])
def test_a_json_file_that_is_no_array(folder: UPath, content: bytes, problem: str, chunk_bytes: int) -> None:
    if chunk_bytes == 3 and len(content) > 200:
        pytest.skip("the chunks would be too many")
    message = failure(file_of(folder, "t.json", content), chunk_bytes=chunk_bytes).problem
    assert problem in message or (chunk_bytes == 3 and ("broken JSON" in message or "content after" in message))


@pytest.mark.parametrize("line", [b"{", b'{"id": 1,}', b"[1", b"NaN", b'"', b'{"id": 1} {"id": 2}', b"x", b"9" * 5_000])
def test_a_json_line_that_does_not_parse_stops_where_the_contract_says_so(folder: UPath, line: bytes) -> None:
    error = failure(file_of(folder, "t.jsonl", ROW + b"\n\n" + line + b"\n" + ROW))
    assert "row 2 is not JSON" in error.problem


def test_a_json_line_that_is_no_object_is_labelled_even_so(folder: UPath) -> None:
    file = file_of(folder, "t.jsonl", b"[1]\nnull\n" + ROW)
    (batch,) = read_batches(file, SOURCE)
    assert list(batch.rows["malformed"].fillna("")) == ["not_an_object", "not_an_object", ""]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no header"),
        (b"\n\r\n", "no header"),
        (b'id,name\n1,"open', "broken quoting"),
        (b'id,name\n1,"a"b\n', "broken quoting"),
        (b'id,name\n1,"a" \n', "broken quoting"),
        (b"id,name\n1,b\n1\n", "row 2 has another number of fields"),
        (b"id,name\n1,b,c\n", "row 1 has another number of fields"),
    ],
)
def test_a_csv_file_that_is_none(folder: UPath, content: bytes, problem: str) -> None:
    assert problem in failure(file_of(folder, "t.csv", content)).problem


def test_quotes_inside_an_unquoted_csv_field_are_text(folder: UPath) -> None:
    (batch,) = read_batches(file_of(folder, "t.csv", b'id,name\n1,5" pipe\n2," ""x"" "\n'), SOURCE)
    assert list(batch.rows["name"]) == ['5" pipe', ' "x" ']


def parquet_bytes() -> bytes:
    sink = io.BytesIO()
    pq.write_table(
        pa.table({"id": list(range(1000)), "name": [CANARY] * 1000}), sink, compression="zstd", write_page_checksum=True
    )
    return sink.getvalue()


def test_a_parquet_file_that_is_none(folder: UPath) -> None:
    good = parquet_bytes()
    for content in (b"", b"PAR1", good[:-1], good[100:], good[:300] + b"\xff" * 300 + good[600:], CANARY.encode()):
        assert "not readable as Parquet" in failure(file_of(folder, "t.parquet", content)).problem


def test_parquet_bytes_that_are_no_utf8(folder: UPath) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array([b"a", b"\xff"])}), sink)
    assert "not readable as Parquet" in failure(file_of(folder, "t.parquet", sink.getvalue())).problem


@pytest.mark.parametrize("name", ["t.json.gz", "t.jsonl.gz", "t.csv.gz", "t.parquet.gz"])
def test_a_cut_gzip_stream(folder: UPath, name: str) -> None:
    content = {"t.json.gz": b"[" + ROW + b"]", "t.csv.gz": b"id,name\n1,2\n", "t.parquet.gz": parquet_bytes()}
    whole = gzip.compress(content.get(name, ROW * 3 if name == "t.csv.gz" else ROW))
    for length in (0, 1, 9, 12, len(whole) // 2, len(whole) - 8, len(whole) - 1):
        message = failure(file_of(folder, name, whole[:length])).problem
        assert f"the gzip stream is cut at stored byte {length}" in message


@pytest.mark.parametrize("chunk_bytes", [7, 1 << 20])
def test_a_broken_gzip_stream(folder: UPath, chunk_bytes: int) -> None:
    whole = gzip.compress(b"\n".join(b'{"id": "%s"}' % os.urandom(8).hex().encode() for _ in range(200)))
    for content in (whole[:-8] + b"\0" * 8, whole + b"x", ROW, whole[:100] + b"\xff\xff\xff\xff" + whole[104:]):
        message = failure(file_of(folder, "t.jsonl.gz", content), chunk_bytes=chunk_bytes).problem
        assert "gzip stream" in message or "not JSON" in message or "not UTF-8" in message


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x82"])
@pytest.mark.parametrize("name", ["t.json", "t.jsonl", "t.csv", "t.jsonl.gz"])
@pytest.mark.parametrize("chunk_bytes", [1, 4, 1 << 20])
def test_text_that_is_not_utf8(folder: UPath, name: str, bad: bytes, chunk_bytes: int) -> None:
    before = {"t.json": b'[{"id": "\xc3\xa9', "t.csv": b"id\n\xc3\xa9"}.get(name, b'{"id": "\xc3\xa9')
    after = {"t.json": b'"}]', "t.csv": b"\n"}.get(name, b'"}\n')
    content = before + bad + after
    file = file_of(folder, name, gzip.compress(content) if name.endswith("gz") else content)
    message = failure(file, SourceTable("t", ("id",)), chunk_bytes=chunk_bytes).problem
    assert f"not UTF-8 at byte {len(before)} of" in message


def test_text_that_ends_inside_a_character(folder: UPath) -> None:
    message = failure(file_of(folder, "t.csv", b"id\nab\xe2\x82"), SourceTable("t", ("id",))).problem
    assert "not UTF-8 at byte 5 of" in message


def test_a_line_that_neither_parses_nor_is_utf8_is_no_row_to_reject(folder: UPath) -> None:
    failure(file_of(folder, "t.jsonl", ROW + b"\n{\xff\n"), SourceTable("t", ("id",)))


def verified(folder: UPath, name: str, content: bytes) -> ExportFile:
    (folder / name).write_bytes(content)
    return verify_export(folder, "any", [SOURCE]).file_for(SOURCE)


@pytest.mark.parametrize(
    ("name", "content", "other"),
    [
        ("t.jsonl", ROW, b'{"id": 2}'),
        ("t.jsonl", ROW, b"{"),
        ("t.json.gz", gzip.compress(b"[" + ROW + b"]", mtime=0), gzip.compress(b"[]", mtime=0)),
        ("t.json.gz", gzip.compress(b"[" + ROW + b"]", mtime=0), b"cut"),
        ("t.csv", b"id\n1\n", b'id\n"'),
        ("t.parquet", parquet_bytes(), parquet_bytes() + b"x"),
    ],
)
def test_bytes_that_changed_since_verification(folder: UPath, name: str, content: bytes, other: bytes) -> None:
    file = verified(folder, name, content)
    assert list(read_batches(file, SOURCE))
    file.path.write_bytes(other)
    with pytest.raises(ManifestMismatch, match="no longer has the recorded sha256"):
        list(read_batches(file, SOURCE))


def test_a_file_that_is_gone_since_verification(folder: UPath) -> None:
    file = verified(folder, "t.jsonl", ROW)
    file.path.unlink()
    with pytest.raises(MissingSourceFile, match="no longer in the export"):
        list(read_batches(file, SOURCE))


def test_a_file_that_vanishes_while_it_is_read(folder: UPath) -> None:
    file = verified(folder, "t.jsonl", ROW + b"\n" + ROW)
    batches = read_batches(file, SOURCE, batch_rows=1)
    next(batches)
    file.path.unlink()
    with pytest.raises(MissingSourceFile, match="no longer in the export"):
        list(batches)


@pytest.mark.parametrize(("cause", "kind"), [(PermissionError(CANARY), SetupError), (OSError(CANARY), TransientError)])
def test_storage_that_fails(
    folder: UPath, monkeypatch: pytest.MonkeyPatch, cause: OSError, kind: type[Exception]
) -> None:
    file = file_of(folder, "t.jsonl", ROW)

    def fail(*_: Any, **__: Any) -> None:
        raise cause

    monkeypatch.setattr(type(file.path), "open", fail)
    with pytest.raises(kind) as caught:
        list(read_batches(file, SOURCE))
    assert CANARY not in str(caught.value)
