"""Export folders: records written in every format, and a manifest beside them."""

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

from tests.meter.meter_files import REQUIRED, SourceRow
from tests.meter.meter_scalars import json_text

EXPORTED_AT = "2026-02-10T03:00:00Z"

Records = Sequence[Any]


@dataclass(frozen=True)
class Junk:
    """A record that is written as it stands: a broken line, or JSON text that is no object."""

    text: str


@dataclass(frozen=True)
class Written:
    """One file of an export: what it holds, and how it is kept."""

    content: bytes
    rows: int
    suffix: str


def _json(record: Any) -> str:
    return record.text if isinstance(record, Junk) else json_text(record, escaped=True)


def header_of(records: Records) -> list[str]:
    """The columns of records, in the order met."""
    return list(dict.fromkeys(key for record in records if isinstance(record, dict) for key in record))


def _as_csv(records: Records, end: str = "\r\n", quoting: Any = csv.QUOTE_MINIMAL) -> bytes:
    header = header_of(records)
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, lineterminator=end, quoting=quoting)
    writer.writerow(header)
    for record in records:
        if isinstance(record, Junk):
            sink.write(record.text + end)
        else:
            writer.writerow(["" if record.get(name) is None else record[name] for name in header])
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


def encoded(records: Records, kind: str = "json", *, packed: bool = False, **csv_options: Any) -> Written:
    """Records as a file of the given format."""
    content = _as_csv(records, **csv_options) if csv_options else ENCODERS[kind](records)
    return Written(gzip.compress(content) if packed else content, len(records), f"{kind}{'.gz' if packed else ''}")


def put_export(
    folder: Path, files: Mapping[str, Records | Written], exported_at: Any = EXPORTED_AT, *, manifest: bool = True
) -> Path:
    """Write an export folder: records per table as JSON, or files as they are; required tables not given are empty."""
    folder.mkdir(parents=True)
    listed = []
    for stem, given in {**dict.fromkeys(REQUIRED, ()), **files}.items():
        file = given if isinstance(given, Written) else encoded(given)
        name = f"{stem}.{file.suffix}"
        (folder / name).write_bytes(file.content)
        listed.append({"name": name, "sha256": hashlib.sha256(file.content).hexdigest(), "rows": file.rows})
    if manifest:
        document = {"system": "meter", "exported_at": exported_at, "files": listed}
        (folder / "manifest.json").write_text(json.dumps(document))
    else:
        (folder / "_SUCCESS").touch()
    return folder


def as_source_rows(records: Records) -> list[SourceRow]:
    """Records as a file of JSON lines would give them, without writing one."""
    return [_source_row(number, record) for number, record in enumerate(records, start=1)]


def _source_row(number: int, record: Any) -> SourceRow:
    if isinstance(record, Junk):
        return SourceRow(number, None, {"text": record.text})
    return SourceRow(number, record, record)
