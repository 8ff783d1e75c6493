"""Export folders: records written in every format, and a manifest beside them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from tests.booking.booking_writing import Junk, Records, Written, cell, encoded, header_of
from tests.dental.dental_files import TABLES

__all__ = ["Junk", "Records", "Written", "cell", "encoded", "header_of", "put_export"]

EXPORTED_AT = "2026-02-19T00:00:00Z"


def put_export(
    folder: Path, files: Mapping[str, Records | Written], *, manifest: bool = True, absent: frozenset[str] = frozenset()
) -> Path:
    """Write an export folder: records per table as JSON, or files as they are; tables not given are empty.

    Args:
        folder: its name is the export's id.
        files: what each table holds.
        manifest: whether there is a manifest, or only a marker.
        absent: tables without a file.
    """
    folder.mkdir(parents=True)
    listed = []
    for table in TABLES:
        given = files.get(table, ())
        file = given if isinstance(given, Written) else encoded(given)
        if table in absent:
            continue
        name = f"{table}.{file.suffix}"
        (folder / name).write_bytes(file.content)
        listed.append({"name": name, "sha256": hashlib.sha256(file.content).hexdigest(), "rows": file.rows})
    if manifest:
        document = {"system": "dental", "exported_at": EXPORTED_AT, "files": listed}
        (folder / "manifest.json").write_text(json.dumps(document))
    else:
        (folder / "_SUCCESS").touch()
    return folder
