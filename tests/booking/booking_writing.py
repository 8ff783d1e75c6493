"""Export folders: records of both systems written in every format, and a manifest beside them."""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.booking.booking_files import TABLES
from tests.booking.booking_scalars import json_text

EXPORTED_AT = "2026-02-19T00:00:00Z"

Records = Sequence[Any]


@dataclass(frozen=True)
class Junk:
    """A record that is written as it stands: a broken line, or JSON text that is no object."""

    text: str


@dataclass(frozen=True)
class Written:
    """One file of an export.

    Attributes:
        content: what it holds.
        rows: how many records that are.
        suffix: how it is kept.
        stem: its name without suffix, where it is not that of its table.
    """

    content: bytes
    rows: int
    suffix: str
    stem: str | None = None


def _json(record: Any) -> str:
    return record.text if isinstance(record, Junk) else json_text(record, escaped=True)


def header_of(records: Records) -> list[str]:
    """The columns of records, in the order met."""
    return list(dict.fromkeys(key for record in records if isinstance(record, dict) for key in record))


def cell(value: Any) -> str:
    """A value as CSV text."""
    return "" if value is None else value if isinstance(value, str) else json_text(value)


def _as_csv(records: Records, end: str = "\r\n", quoting: Any = csv.QUOTE_MINIMAL) -> bytes:
    header = header_of(records)
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator=end, quoting=quoting)
    writer.writerow(header)
    for record in records:
        if isinstance(record, Junk):
            sink.write(record.text + end)
        else:
            writer.writerow([cell(record.get(name)) for name in header])
    return sink.getvalue().encode()


def _as_parquet(records: Records) -> bytes:
    sink = io.BytesIO()
    columns = {name: [record.get(name) for record in records] for name in header_of(records)}
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


ENCODERS: dict[str, Callable[[Records], bytes]] = {
    "json": lambda records: ("[" + ",\n".join(map(_json, records)) + "]").encode(),
    "jsonl": lambda records: "".join(f"{_json(record)}\n" for record in records).encode(),
    "csv": _as_csv,
    "parquet": _as_parquet,
}


def encoded(
    records: Records, kind: str = "json", *, packed: bool = False, stem: str | None = None, **csv_options: Any
) -> Written:
    """Records as a file of the given format."""
    content = _as_csv(records, **csv_options) if csv_options else ENCODERS[kind](records)
    packed_content = gzip.compress(content, mtime=0) if packed else content
    return Written(packed_content, len(records), f"{kind}{'.gz' if packed else ''}", stem)


def put_export(
    folder: Path,
    files: Mapping[str, Records | Written],
    exported_at: Any = EXPORTED_AT,
    *,
    manifest: bool = True,
) -> Path:
    """Write an export folder: records per table as JSON, or files as they are; required tables not given are empty."""
    required = dict.fromkeys(name for name, table in TABLES.items() if table.required)
    listed = []
    for system in ("balisnap", "bstadmin"):
        (folder / system).mkdir(parents=True)
    for name, given in {**dict.fromkeys(required, ()), **files}.items():
        file = given if isinstance(given, Written) else encoded(given)
        place = f"{TABLES[name].system}/{file.stem or TABLES[name].stem}.{file.suffix}"
        (folder / place).write_bytes(file.content)
        listed.append({"name": place, "sha256": hashlib.sha256(file.content).hexdigest(), "rows": file.rows})
    if manifest:
        document = {"system": "booking", "files": listed} | (
            {} if exported_at is None else {"exported_at": exported_at}
        )
        (folder / "manifest.json").write_text(json.dumps(document))
    else:
        (folder / "_SUCCESS").touch()
    return folder
