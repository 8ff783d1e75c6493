"""Staged frames: whole or not there, apart for dry runs, split by a key, exact in their types."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from upath import UPath

from migration.frames import FrameStore, MissingFrame, frame_batches


@pytest.fixture(params=["local", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> UPath:
    return UPath(tmp_path) if request.param == "local" else UPath(f"memory://frames-{tmp_path.name}")


def store(root: UPath, run: str = "r1", *, dry: bool = False, export: str = "e1") -> FrameStore:
    return FrameStore(root, export, run, dry)


def numbers(*values: int) -> pd.DataFrame:
    return pd.DataFrame({"n": list(values)})


def test_a_frame_is_read_as_it_was_written(root: UPath) -> None:
    store(root).write("a", [(None, numbers(1, 2)), (None, numbers(3))])
    assert store(root, "r2").read("a")["n"].tolist() == [1, 2, 3]
    assert store(root).parts("a") == {"all": 3}


def test_types_stay_exact_and_nulls_stay_nulls(root: UPath) -> None:
    schema = pa.schema(
        [
            ("money", pa.decimal128(14, 2)),
            ("day", pa.date32()),
            ("flag", pa.bool_()),
            ("n", pa.int64()),
            ("t", pa.string()),
        ]
    )
    rows = pd.DataFrame(
        {
            "money": [Decimal("0.10"), None],
            "day": [dt.date(2026, 1, 1), None],
            "flag": [True, None],
            "n": [2**62 + 1, None],
            "t": ["", None],
        },
        dtype=object,
    )
    store(root).write("a", [(None, rows)], schema)
    read = store(root).read("a")
    assert [None if pd.isna(v) else v for v in read["money"]] == [Decimal("0.10"), None]
    assert read["n"].iloc[0] == 2**62 + 1
    assert read["t"].iloc[0] == ""
    assert read.iloc[1].isna().all()
    assert read["day"].iloc[0] == dt.date(2026, 1, 1)


def test_parts_are_read_by_their_key(root: UPath) -> None:
    store(root).write("a", [("x", numbers(1)), ("y", numbers(2)), ("x", numbers(3))])
    assert store(root).parts("a") == {"x": 2, "y": 1}
    assert store(root).read("a", "x")["n"].tolist() == [1, 3]
    assert store(root).read("a", "z").empty
    assert sorted(store(root).read("a")["n"]) == [1, 2, 3]


def test_a_part_is_read_in_the_pieces_that_it_was_written_in(root: UPath) -> None:
    store(root).write("a", [("x", numbers(1, 2)), ("y", numbers(9)), ("x", numbers(3))], pa.schema([("n", pa.int64())]))
    assert [batch["n"].tolist() for batch in store(root).batches("a", "x")] == [[1, 2], [3]]
    assert [batch["n"].tolist() for batch in store(root).batches("a")] == [[1, 2], [3], [9]]
    assert list(store(root).batches("a", "z")) == []


def test_a_frame_that_was_never_made_says_what_to_do(root: UPath) -> None:
    with pytest.raises(MissingFrame, match="has not been made for export e1.*Materialize a"):
        store(root).read("a")
    store(root, export="e2").write("a", [(None, numbers(1))])
    with pytest.raises(MissingFrame):
        store(root).read("a")


def test_a_write_that_ends_in_the_middle_leaves_the_frame_before(root: UPath) -> None:
    store(root).write("a", [(None, numbers(1))])

    def breaks() -> Iterator[tuple[None, pd.DataFrame]]:
        yield None, numbers(2)
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError):
        store(root, "r2").write("a", breaks())
    assert store(root, "r3").read("a")["n"].tolist() == [1]


def test_a_reader_keeps_the_frame_it_has_begun_with(root: UPath) -> None:
    store(root).write("a", [("x", numbers(1)), ("y", numbers(2))])
    pointer = store(root).pointer("a")
    store(root, "r2").write("a", [("x", numbers(9))])
    assert pointer.run_id == "r1"
    assert store(root).parts("a") == {"x": 1}
    assert (root / "e1" / "a" / "r1" / "y.parquet").exists()


def test_a_dry_run_writes_apart_and_reads_the_live_frame_where_it_made_none(root: UPath) -> None:
    store(root).write("a", [(None, numbers(1))])
    store(root).write("b", [(None, numbers(5))])
    dry = store(root, "d1", dry=True)
    assert dry.read("a")["n"].tolist() == [1]
    dry.write("a", [(None, numbers(2))])
    assert dry.read("a")["n"].tolist() == [2]
    assert dry.read("b")["n"].tolist() == [5]
    assert store(root, "r2").read("a")["n"].tolist() == [1]
    assert store(root, "d2", dry=True).read("a")["n"].tolist() == [1]


def test_notes_are_kept_beside_the_frames(root: UPath) -> None:
    assert store(root).read_note("n") is None
    store(root).write_note("n", b"1")
    dry = store(root, "d", dry=True)
    assert dry.read_note("n") == b"1"
    dry.write_note("n", b"2")
    assert (dry.read_note("n"), store(root).read_note("n")) == (b"2", b"1")


def test_no_temporary_file_stays(tmp_path: Path) -> None:
    store(UPath(tmp_path)).write("a", [(None, numbers(1))])
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["all.parquet", "current.json"]


def test_batches() -> None:
    frame = numbers(*range(5))
    assert [batch["n"].tolist() for batch in frame_batches(frame, 2)] == [[0, 1], [2, 3], [4]]
    assert list(frame_batches(frame.iloc[:0], 2)) == []


def test_a_part_is_read_piece_by_piece_as_it_was_written(root: UPath) -> None:
    pieces = [pa.table({"n": [1, 2], "t": ["a", "b"]}), pa.table({"n": [3], "t": ["c"]})]
    schema = pieces[0].schema
    store(root).write("a", [("k", pieces[0]), ("other", pieces[1]), ("k", pieces[1])], schema)
    assert [piece.to_pydict() for piece in store(root).tables("a", "k", ["n"])] == [{"n": [1, 2]}, {"n": [3]}]
    assert [piece.num_rows for piece in store(root).tables("a", "other")] == [1]
    assert list(store(root).tables("a", "none")) == []
