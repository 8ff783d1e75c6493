"""The contract's golden examples, through the oracle and through the real jobs into PostgreSQL."""

from functools import cache

import pytest

from tests.billing.billing_cases import Export
from tests.billing.billing_golden import BASES, EXAMPLES, EXPORT_ID, View, example, see, view_of, world
from tests.billing.billing_harness import Lab
from tests.billing.billing_reference import Reference, faults


def carried(export: Export, *, alone: bool) -> View:
    """What the oracle makes of an export."""
    db = Reference()
    db.load_records(EXPORT_ID, export)
    assert faults(db) == []
    return view_of(db, alone=alone)


@pytest.fixture(scope="module")
def expected() -> View:
    """What the oracle makes of all examples in one export."""
    return carried(world(), alone=False)


@pytest.fixture(scope="module")
def migrated(module_billing_lab: Lab) -> View:
    """What the jobs make of them, in one run over all months."""
    module_billing_lab.put(EXPORT_ID, world())
    assert module_billing_lab.migrate(EXPORT_ID).failures == {}
    return View(cache(module_billing_lab.rows))


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_alone_by_the_oracle(name: str) -> None:
    see(name, carried(example(name), alone=True), 0)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_among_others_by_the_oracle(expected: View, name: str) -> None:
    see(name, expected, BASES[name])


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_by_the_jobs(migrated: View, name: str) -> None:
    see(name, migrated, BASES[name])
