"""The contract's golden examples through the real jobs into PostgreSQL."""

from functools import cache

import pytest

from tests.dental.dental_golden import CHECKS, EXPORT_ID, View, world
from tests.dental.dental_harness import Lab


@pytest.fixture(scope="module")
def migrated(module_dental_lab: Lab) -> View:
    """What the jobs make of the examples."""
    lab = module_dental_lab
    lab.put(EXPORT_ID, world())
    assert lab.migrate(EXPORT_ID).failures == {}
    assert lab.partitions() == ["000000000", "000100000"]
    assert [ran.failures for ran in lab.notify(EXPORT_ID, lab.partitions())] == [{}, {}]
    return View(cache(lab.rows))


@pytest.mark.parametrize("name", CHECKS)
def test_example(migrated: View, name: str) -> None:
    CHECKS[name](migrated)
