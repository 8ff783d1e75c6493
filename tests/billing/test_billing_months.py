"""Which days belong to which months, and when an export was taken."""

import datetime as dt

import pytest
from upath import UPath

from billing_assets.months import taken_at
from migration.exports.verify import Export

MANIFEST = dt.datetime(2025, 3, 1, 6, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("export_id", "exported_at", "expected"),
    [
        ("20250401T120000Z", MANIFEST, MANIFEST),
        ("20250401T120000Z", None, dt.datetime(2025, 4, 1, 12, tzinfo=dt.UTC)),
        ("2025-04-01", None, dt.datetime(2025, 4, 1, tzinfo=dt.UTC)),
        ("spring", None, None),
    ],
    ids=["manifest", "name", "day", "neither"],
)
def test_export_was_taken_when_its_manifest_or_its_name_says(
    export_id: str, exported_at: dt.datetime | None, expected: dt.datetime | None
) -> None:
    export = Export("billing", export_id, UPath("memory://billing"), exported_at, (), "")
    assert taken_at(export) == expected
