"""Turns a good export folder into a broken one, in every way that stops a migration before it reads a row.

Each function changes a local folder in place and breaks exactly one thing: where the manifest would betray the damage
first, it is brought up to date, so that the reader meets the damage itself. `CORRUPTIONS` names them all with the error
that a reader should raise.
"""

import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from migration.errors import (
    AmbiguousSource,
    EmptySource,
    ExportError,
    ExportFormatError,
    ManifestMismatch,
    MissingSourceFile,
    SchemaDriftError,
)
from samples.writing import FORMATS, MANIFEST

_NOTHING = {"json": b"[]\n", "jsonl": b""}


@dataclass(frozen=True)
class Corruption:
    """A way to break an export, and what a reader should say about it.

    Attributes:
        apply: breaks the file of a table in a folder.
        error: the error that should stop the run.
        formats: the formats in which this can happen.
    """

    apply: Callable[[UPath, str], None]
    error: type[ExportError]
    formats: tuple[str, ...] = FORMATS


def table_file(folder: UPath, table: str) -> UPath:
    """The file of a table.

    Raises:
        FileNotFoundError: the folder has none.
    """
    for path in sorted(folder.iterdir(), key=lambda p: p.name):
        if path.name.split(".")[0] == table:
            return path
    raise FileNotFoundError(f"There is no file of {table} in {folder.name}.")


def file_format(path: UPath) -> str:
    """The format of a table's file, from its name."""
    return path.name.removesuffix(".gz").rsplit(".", 1)[1]


def missing_file(folder: UPath, *tables: str) -> None:
    """The export never had these tables: neither files nor manifest entries."""
    for table in tables:
        path = table_file(folder, table)
        path.unlink()
        _change_entry(folder, path.name, None)


def missing_with_fallbacks(folder: UPath, table: str) -> None:
    """Neither the table nor a file that a reader may take instead (`<table>_…`) is in the export."""
    stems = sorted({path.name.split(".")[0] for path in folder.iterdir()})
    missing_file(folder, *(stem for stem in stems if stem == table or stem.startswith(f"{table}_")))


def listed_file_absent(folder: UPath, table: str) -> None:
    """The manifest lists the table's file, but it is not there."""
    table_file(folder, table).unlink()


def second_file(folder: UPath, table: str) -> None:
    """Two good files for one table: a plain one and a compressed one."""
    path = table_file(folder, table)
    content = _read(path)
    if path.name.endswith(".gz"):
        other = folder / path.name.removesuffix(".gz")
        other.write_bytes(content)
    else:
        other = folder / f"{path.name}.gz"
        other.write_bytes(gzip.compress(content, mtime=0))
    _change_entry(folder, other.name, _entry(folder, path.name) | {"name": other.name, "sha256": _sha256(other)})


def empty_list(folder: UPath, table: str) -> None:
    """The table has no rows, as a failed legacy scrape leaves it; of CSV and Parquet the header stays."""
    path = table_file(folder, table)
    form = file_format(path)
    if form == "parquet":
        _write(path, _parquet_bytes(_parquet(path).schema.empty_table()))
    elif form == "csv":
        _write(path, _read(path).split(b"\r\n", 1)[0] + b"\r\n")
    else:
        _write(path, _NOTHING[form])
    _change_entry(folder, path.name, {"sha256": _sha256(path), "rows": 0})


def truncated_gzip(folder: UPath, table: str) -> None:
    """The table's file is a gzip stream that ends in the middle."""
    path = table_file(folder, table)
    entry = _entry(folder, path.name)
    packed = path.read_bytes() if path.name.endswith(".gz") else gzip.compress(path.read_bytes(), mtime=0)
    path.unlink()
    cut = folder / f"{path.name.removesuffix('.gz')}.gz"
    cut.write_bytes(packed[: len(packed) // 2])
    _change_entry(folder, path.name, None)
    _change_entry(folder, cut.name, entry | {"name": cut.name, "sha256": _sha256(cut)})


def invalid_format(folder: UPath, table: str) -> None:
    """The file is not what its name says: JSON and Parquet end too early, a CSV row has cells too many."""
    path = table_file(folder, table)
    content = _read(path)
    if file_format(path) == "csv":
        content += b"x," * 100 + b"x\r\n"
    else:
        content = content[: content.rstrip(b"]\r\n").rfind(b",")]
    _replace_content(folder, path, content)


def not_an_array(folder: UPath, table: str) -> None:
    """The top level of a JSON file is an object that holds the array."""
    path = table_file(folder, table)
    _only(path, "json")
    _replace_content(folder, path, b'{"data": ' + _read(path) + b"}\n")


def not_a_number(folder: UPath, table: str) -> None:
    """A JSON file holds `NaN`, which JSON does not have."""
    path = table_file(folder, table)
    _only(path, "json", "jsonl")
    _replace_content(folder, path, _read(path).replace(b"{", b'{"keterangan":NaN,', 1))


def not_utf8(folder: UPath, table: str) -> None:
    """One byte of the text is of another encoding."""
    path = table_file(folder, table)
    _only(path, "json", "jsonl", "csv")
    content = _read(path)
    at = content.index(b"\r\n") + 2 if file_format(path) == "csv" else content.index(b'":"') + 3
    _replace_content(folder, path, content[:at] + b"\xe9" + content[at:])


def key_absent(folder: UPath, table: str, key: str = "id_pelanggan") -> None:
    """No record has a key any more: a new version of the exporter gives it another name."""
    path = table_file(folder, table)
    form = file_format(path)
    if form == "parquet":
        content = _parquet(path)
        names = [f"{key}_baru" if name == key else name for name in content.column_names]
        _replace_content(folder, path, _parquet_bytes(content.rename_columns(names)))
    elif form == "csv":
        header, rows = _read(path).split(b"\r\n", 1)
        _replace_content(folder, path, header.replace(key.encode(), f"{key}_baru".encode(), 1) + b"\r\n" + rows)
    else:
        _replace_content(folder, path, _read(path).replace(f'"{key}":'.encode(), f'"{key}_baru":'.encode()))


def wrong_sha256(folder: UPath, table: str) -> None:
    """The manifest has another digest than the file."""
    name = table_file(folder, table).name
    _change_entry(folder, name, {"sha256": hashlib.sha256(b"another file").hexdigest()})


def wrong_rows(folder: UPath, table: str) -> None:
    """The manifest counts one row more than the file has."""
    name = table_file(folder, table).name
    _change_entry(folder, name, {"rows": _entry(folder, name)["rows"] + 1})


def without_manifest(folder: UPath) -> None:
    """The export has no manifest, which is allowed: its month is then unknown."""
    (folder / MANIFEST).unlink()


CORRUPTIONS: dict[str, Corruption] = {
    "missing_file": Corruption(missing_with_fallbacks, MissingSourceFile),
    "listed_file_absent": Corruption(listed_file_absent, ManifestMismatch),
    "second_file": Corruption(second_file, AmbiguousSource),
    "empty_list": Corruption(empty_list, EmptySource),
    "truncated_gzip": Corruption(truncated_gzip, ExportFormatError),
    "invalid_format": Corruption(invalid_format, ExportFormatError),
    "not_an_array": Corruption(not_an_array, ExportFormatError, ("json",)),
    "not_a_number": Corruption(not_a_number, ExportFormatError, ("json", "jsonl")),
    "not_utf8": Corruption(not_utf8, ExportFormatError, ("json", "jsonl", "csv")),
    "key_absent": Corruption(key_absent, SchemaDriftError),
    "wrong_sha256": Corruption(wrong_sha256, ManifestMismatch),
    "wrong_rows": Corruption(wrong_rows, ManifestMismatch),
}


def _only(path: UPath, *formats: str) -> None:
    if file_format(path) not in formats:
        raise ValueError(f"{path.name} cannot be broken in this way; {' or '.join(formats)} can.")


def _read(path: UPath) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.name.endswith(".gz") else content


def _write(path: UPath, content: bytes) -> None:
    path.write_bytes(gzip.compress(content, mtime=0) if path.name.endswith(".gz") else content)


def _replace_content(folder: UPath, path: UPath, content: bytes) -> None:
    _write(path, content)
    _change_entry(folder, path.name, {"sha256": _sha256(path)})


def _parquet(path: UPath) -> pa.Table:
    return pq.read_table(pa.BufferReader(_read(path)))


def _parquet_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def _sha256(path: UPath) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _manifest(folder: UPath) -> dict[str, Any]:
    path = folder / MANIFEST
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"files": []}


def _entry(folder: UPath, name: str) -> dict[str, Any]:
    return next((f for f in _manifest(folder)["files"] if f["name"] == name), {})


def _change_entry(folder: UPath, name: str, change: dict[str, Any] | None) -> None:
    """Change, add or (None) remove a file's entry; a folder without a manifest stays without one."""
    if not (folder / MANIFEST).exists():
        return
    manifest = _manifest(folder)
    entry = _entry(folder, name)
    files = [f for f in manifest["files"] if f["name"] != name]
    manifest["files"] = files if change is None else [*files, entry | change]
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
