"""UUIDs of legacy keys: one by one and as a column, the same."""

import pandas as pd
import pyarrow as pa

from migration.parsing.keys import legacy_uuid, legacy_uuids

KEYS = pd.ArrowDtype(pa.int64())


def test_column_of_keys_has_the_uuids_of_each() -> None:
    keys = pd.Series([501, None, 1, 2**63 - 1], dtype=KEYS, index=[7, 8, 9, 3])
    found = legacy_uuids("dental:auth_user:", keys)
    assert found.index.tolist() == [7, 8, 9, 3]
    expected = [None if key is pd.NA else str(legacy_uuid(f"dental:auth_user:{key}")) for key in keys]
    assert [None if value is pd.NA else value for value in found] == expected
    assert found.iloc[0] == "dfd13d88-ad35-516c-9e0b-6ebbe4be46a4"


def test_column_without_keys() -> None:
    assert legacy_uuids("x:", pd.Series([], dtype=KEYS)).tolist() == []
