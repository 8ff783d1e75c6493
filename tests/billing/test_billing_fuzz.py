"""Random dirty exports through the real jobs into PostgreSQL, every table compared row by row with the oracle."""

import datetime as dt
import os
from copy import deepcopy

import pytest

from tests.billing.billing_compare import assert_all, assert_checks, assert_counts, assert_tables, assert_warnings
from tests.billing.billing_drift import drift
from tests.billing.billing_files import read_export
from tests.billing.billing_harness import DRY_RUN_JOB, SHADOW, Lab
from tests.billing.billing_nasty import Nasty, follow_up, nasty, rows_of
from tests.billing.billing_nasty_files import FORMATS
from tests.billing.billing_reference import Reference, collisions, faults

FAST_SEEDS = range(2)
SLOW_SEEDS = range(100, 100 + int(os.environ.get("BILLING_FUZZ_SEEDS", "30")))
BOOKS = ("row_ledger", "rejected_row")


def exported_on(export_id: str) -> dt.date:
    """The day of an export, as its id says."""
    return dt.datetime.strptime(export_id, "%Y%m%dT%H%M%S%z").date()


def load(lab: Lab, reference: Reference, export: Nasty) -> None:
    """Carry an export through and compare everything."""
    place = lab.landing / export.export_id
    if not place.exists():
        lab.put(export.export_id, export.files, manifest=export.manifest)
    rows = read_export(place)
    draft = reference.load_rows(export.export_id, rows)
    assert faults(reference) == []
    ran = lab.migrate(export.export_id)
    assert_all(lab, reference, ran)
    assert_checks(ran, drift(reference, draft, rows, exported_on(export.export_id)))


def dry_run(lab: Lab, reference: Reference, export: Nasty) -> None:
    """A dry run writes its shadow and counts as the live run would, and writes no table."""
    place = lab.put(export.export_id, export.files, manifest=export.manifest)
    expected = reference.after(place)
    before = lab.images()
    ran = lab.run(DRY_RUN_JOB, export_id=export.export_id)
    assert ran.failures == {}
    assert lab.images() == before
    assert_tables(lab, expected, SHADOW)
    assert_counts(lab, expected, ran)
    assert_warnings(lab, expected, ran)


def rerun(lab: Lab, reference: Reference, export: Nasty) -> None:
    """The same export again gives what it gave, and no row is written."""
    tables, images, books = deepcopy(reference.tables), lab.images(), lab.images(*BOOKS)
    load(lab, reference, export)
    assert reference.tables == tables
    assert lab.images() == images
    assert lab.images(*BOOKS) == books


def check_one(lab: Lab, seed: int, kind: str | None = None) -> None:
    export, reference = nasty(seed, kind), Reference()
    dry_run(lab, reference, export)
    load(lab, reference, export)
    rerun(lab, reference, export)


def check_two(lab: Lab, seed: int) -> None:
    """An export and the next one: a dry run of it, itself, and once more."""
    first, reference = nasty(seed), Reference()
    load(lab, reference, first)
    second = follow_up(first, reference, seed)
    dry_run(lab, reference, second)
    load(lab, reference, second)
    rerun(lab, reference, second)


@pytest.mark.parametrize("seed", range(12))
def test_oracle_keeps_its_own_laws(seed: int) -> None:
    first, reference = nasty(seed), Reference()
    reference.load_rows(first.export_id, rows_of(first.world))
    assert faults(reference) == []
    second = follow_up(first, reference, seed)
    reference.load_rows(second.export_id, rows_of(second.world))
    assert faults(reference) == []
    assert collisions(reference) == []


@pytest.mark.parametrize("seed", FAST_SEEDS)
def test_random_export_gives_the_rows_of_the_oracle(billing_lab: Lab, seed: int) -> None:
    check_one(billing_lab, seed, FORMATS[seed])


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_many_random_exports_give_the_rows_of_the_oracle(billing_lab: Lab, seed: int) -> None:
    check_one(billing_lab, seed)


@pytest.mark.parametrize("seed", range(10, 11))
def test_next_export_updates_what_it_holds_and_leaves_the_rest(billing_lab: Lab, seed: int) -> None:
    check_two(billing_lab, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 200 + len(SLOW_SEEDS)))
def test_many_next_exports_update_what_they_hold_and_leave_the_rest(billing_lab: Lab, seed: int) -> None:
    check_two(billing_lab, seed)
