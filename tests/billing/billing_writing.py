"""Export folders: records of the legacy tables as files, and a manifest beside them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.billing.billing_files import REQUIRED
from tests.meter.meter_writing import Records, Written, encoded

EXPORTED_AT = "2025-03-01T00:00:00Z"


def put_export(
    folder: Path, files: Mapping[str, Records | Written], exported_at: Any = EXPORTED_AT, *, manifest: bool = True
) -> Path:
    """Write an export folder: records per table as JSON, or files as they are; required tables not given are empty."""
    folder.mkdir(parents=True)
    listed = []
    for table, given in {**dict.fromkeys(REQUIRED, ()), **files}.items():
        file = given if isinstance(given, Written) else encoded(given)
        name = f"{table}.{file.suffix}"
        (folder / name).write_bytes(file.content)
        listed.append({"name": name, "sha256": hashlib.sha256(file.content).hexdigest(), "rows": file.rows})
    if manifest:
        document = {"system": "billing", "exported_at": exported_at, "files": listed}
        (folder / "manifest.json").write_text(json.dumps(document))
    else:
        (folder / "_SUCCESS").touch()
    return folder
