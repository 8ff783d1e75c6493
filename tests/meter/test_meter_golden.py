"""The contract's golden examples, through the oracle and through the real jobs into PostgreSQL."""

from functools import cache

import pytest

from tests.meter.meter_golden import CHECKS, EXPORT_ID, OPTIONS, View, view_of, world
from tests.meter.meter_harness import Lab
from tests.meter.meter_reference import Options, Reference
from tests.meter.meter_writing import as_source_rows


def tenants() -> list[int]:
    return [row["id"] for row in world()["tenants"]]


@pytest.fixture(scope="module")
def expected() -> View:
    """What the oracle makes of the examples."""
    db = Reference()
    db.load_rows(EXPORT_ID, {table: as_source_rows(records) for table, records in world().items()})
    return view_of(db, {tenant: db.run_steps(tenant, OPTIONS.get(tenant)).success for tenant in tenants()})


@pytest.fixture(scope="module")
def migrated(module_meter_lab: Lab) -> View:
    """What the jobs make of them: one load, then one run of the steps for each tenant."""
    lab = module_meter_lab
    lab.put(EXPORT_ID, world())
    assert lab.load(EXPORT_ID).failures == {}
    succeeded = {}
    for tenant in tenants():
        ran = lab.steps(EXPORT_ID, [tenant], **OPTIONS.get(tenant, Options()).config())[tenant]
        succeeded[tenant] = ran.success
    return View(cache(lab.rows), succeeded)


@pytest.mark.parametrize("name", CHECKS)
def test_example_by_the_oracle(expected: View, name: str) -> None:
    CHECKS[name](expected)


@pytest.mark.parametrize("name", CHECKS)
def test_example_by_the_jobs(migrated: View, name: str) -> None:
    CHECKS[name](migrated)


def test_only_the_tenants_that_must_not_pass_fail(expected: View, migrated: View) -> None:
    assert migrated.succeeded == expected.succeeded
