"""The legacy tables: which files they are, and in which spellings their columns come."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from booking_assets import sources
from migration.errors import AmbiguousSource, ExportFormatError
from migration.exports.find import find_file, require_file
from migration.exports.reading import RowReader, read_batches
from migration.exports.sources import SourceTable
from migration.parsing.cells import decode_cell


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def encoded(rows: list[dict[str, Any]], kind: str) -> bytes:
    if kind == "json":
        return json.dumps(rows).encode()
    if kind == "jsonl":
        return "\n".join(map(json.dumps, rows)).encode()
    if kind == "csv":
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().encode()
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def stored(export: UPath, source: SourceTable, stem: str, kind: str, content: bytes) -> None:
    folder = export / source.folder
    folder.mkdir(exist_ok=True)
    data = gzip.compress(content) if kind.endswith(".gz") else content
    (folder / f"{stem}.{kind}").write_bytes(data)


def read(export: UPath, source: SourceTable) -> list[dict[str, Any]]:
    file = require_file(export, source)
    verified = RowReader(file, source, count=True)
    assert sum(len(batch.rows) for batch in verified.batches()) == verified.facts.counted
    assert source.missing_keys(verified.facts.keys_seen) == []
    frames = [batch.rows for batch in read_batches(file, source)]
    return [
        {name: decode_cell(row[name] if isinstance(row[name], str) else None) for name in source.columns}
        for frame in frames
        for row in frame.to_dict("records")
    ]


@pytest.fixture
def export(tmp_path: Path) -> UPath:
    return UPath(tmp_path)


@pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "parquet", "json.gz", "jsonl.gz", "csv.gz", "parquet.gz"])
@pytest.mark.parametrize("source", sources.ALL, ids=lambda source: source.label)
def test_every_table_is_read_in_both_spellings(export: UPath, source: SourceTable, kind: str) -> None:
    row = {name: f"value of {name}" for name in source.columns}
    stored(export, source, source.name, kind, encoded([row], kind.removesuffix(".gz")))
    assert read(export, source) == [row]
    if source.folder == sources.BALISNAP:
        assert not source.aliases
        return
    (export / source.folder / f"{source.name}.{kind}").unlink()
    spelled = {"id" if name == source.key else camel(name): value for name, value in row.items()}
    stored(export, source, source.aliases[0], kind, encoded([spelled], kind.removesuffix(".gz")))
    assert read(export, source) == [row]
    named = {camel(name): value for name, value in row.items()}
    (export / source.folder / f"{source.aliases[0]}.{kind}").unlink()
    stored(export, source, source.name, kind, encoded([named], kind.removesuffix(".gz")))
    assert read(export, source) == [row]


def test_the_database_name_wins_and_other_keys_are_ignored(export: UPath) -> None:
    rows = [{"tourDate": "new", "tour_date": None, "id": 7, "booking_id": 8, "tourPrice": 1, "Tour_date": "x"}]
    stored(export, sources.panel_bookings, "bookings", "json", encoded(rows, "json"))
    (found,) = read(export, sources.panel_bookings)
    assert (found["booking_id"], found["tour_date"]) == (8, None)


def test_the_website_has_one_spelling(export: UPath) -> None:
    rows = [{"booking_id": 1, "bookingRef": "X", "id": 5}]
    stored(export, sources.website_bookings, "Booking", "json", encoded(rows, "json"))
    (found,) = read(export, sources.website_bookings)
    assert (found["booking_id"], found["booking_ref"]) == (1, None)


def test_a_table_and_its_model_cannot_both_be_there(export: UPath) -> None:
    for stem in ("tours", "Tour"):
        stored(export, sources.tours, stem, "json", b"[]")
    with pytest.raises(AmbiguousSource):
        find_file(export, sources.tours)


def test_the_two_booking_tables_are_not_mixed_up(export: UPath) -> None:
    stored(export, sources.website_bookings, "Booking", "jsonl", b'{"booking_id": 1}')
    stored(export, sources.panel_bookings, "Booking", "jsonl", b'{"bookingId": 2}')
    assert [read(export, each)[0]["booking_id"] for each in (sources.website_bookings, sources.panel_bookings)] == [
        1,
        2,
    ]


def test_short_and_long_csv_records_are_rows(export: UPath) -> None:
    stored(export, sources.tours, "tours", "csv", b"tour_id,tour_name\n1\n2,B,surplus\n\n3,C\n")
    found = [(row["tour_id"], row["tour_name"]) for row in read(export, sources.tours)]
    assert found == [("1", None), ("2", "B"), ("3", "C")]


def test_numbers_that_are_none_and_lone_surrogates(export: UPath) -> None:
    lines = b'{"tour_id": NaN}\n{"tour_id": 2, "tour_name": "a\\ud83d\\u0000b"}\n[]\n'
    stored(export, sources.tours, "tours", "jsonl", lines)
    reader = RowReader(require_file(export, sources.tours), sources.tours)
    (batch,) = reader.batches()
    assert batch.rows["malformed"].notna().tolist() == [True, False, True]
    assert batch.rows["tour_name"].iloc[1] == "ab"
    stored(export, sources.tours, "tours", "jsonl", b"\xff")
    with pytest.raises(ExportFormatError):
        list(RowReader(require_file(export, sources.tours), sources.tours).batches())


def test_required_tables() -> None:
    optional = {source.label for source in sources.ALL if not source.required}
    assert optional == {
        *("balisnap.TourProductMedia", "balisnap.VariantItinerary", "balisnap.Departure", "balisnap.BookingTraveler"),
        *("bstadmin.tour_images", "bstadmin.tour_itineraries", "bstadmin.email_jobs", "bstadmin.booking_emails"),
    }
    assert all(source.max_malformed_percent == 10 for source in sources.ALL)
    assert all(source.required_keys == (source.key,) == source.columns[:1] for source in sources.ALL)
