"""The contract's golden examples, through the oracle and through the real jobs into PostgreSQL."""

from functools import cache

import pytest

from tests.booking.booking_golden import CHECKS, EXPORT_ID, EXPORTED_AT, View, view_of, world
from tests.booking.booking_harness import Lab
from tests.booking.booking_reference import Reference, conservation_faults


@pytest.fixture(scope="module")
def expected() -> View:
    """What the oracle makes of the examples."""
    db = Reference()
    db.load_records(EXPORT_ID, world(), EXPORTED_AT)
    assert conservation_faults(db) == []
    return view_of(db)


@pytest.fixture(scope="module")
def migrated(module_booking_lab: Lab) -> View:
    """What the jobs make of them, in one run over all months."""
    lab = module_booking_lab
    # The examples are mostly unmapped and one of them is drift, which is what they are about.
    lab.tolerant = True
    lab.put(EXPORT_ID, world(), exported_at=EXPORTED_AT)
    assert lab.migrate(EXPORT_ID).failures == {}
    return View(cache(lab.rows))


@pytest.mark.parametrize("name", CHECKS)
def test_example_by_the_oracle(expected: View, name: str) -> None:
    CHECKS[name](expected)


@pytest.mark.parametrize("name", CHECKS)
def test_example_by_the_jobs(migrated: View, name: str) -> None:
    CHECKS[name](migrated)
