"""Random dirty exports through the real jobs into PostgreSQL, every table compared row by row with the oracle."""

import os
import random
from copy import deepcopy

import pytest

from tests.dental.dental_cases import link, product
from tests.dental.dental_comparing import (
    UNRANGED,
    assert_counts,
    assert_ledger,
    assert_rejected,
    assert_report,
    assert_tables,
    keys_of,
)
from tests.dental.dental_harness import DRY_RUN_JOB, SHADOW, Lab
from tests.dental.dental_nasty import Nasty, follow_up, nasty
from tests.dental.dental_reference import TARGETS, Reference
from tests.dental.dental_small import FIRST, SECOND, small

FAST_SEEDS = range(2)
SLOW_SEEDS = range(100, 100 + int(os.environ.get("DENTAL_FUZZ_SEEDS", "30")))
BOOKS = ("row_ledger", "rejected_row", "migration_success_report")


def put(lab: Lab, export: Nasty) -> None:
    if not (lab.landing / export.export_id).exists():
        lab.put(export.export_id, export.files, manifest=export.manifest, absent=export.absent)


def load(lab: Lab, reference: Reference, export: Nasty, seed: int) -> None:
    """Carry an export through, its notifications in any order, and compare everything."""
    put(lab, export)
    reference.load(lab.landing / export.export_id)
    ran = lab.migrate(export.export_id)
    assert ran.failures == {}
    keys = keys_of(reference)
    assert set(keys) <= set(lab.partitions())
    random.Random(seed).shuffle(keys)
    ranges = lab.notify(export.export_id, keys)
    assert [each.failures for each in ranges] == [{}] * len(keys)
    assert_tables(lab, reference)
    assert_ledger(lab, reference)
    assert_rejected(lab, reference)
    assert_report(lab, reference)
    assert_counts(lab, reference, [each.run_id for each in (ran, *ranges)])


def dry_run(lab: Lab, reference: Reference, export: Nasty) -> None:
    """A dry run writes its shadow as the live run would write the tables, and no table."""
    put(lab, export)
    expected = deepcopy(reference)
    expected.load(lab.landing / export.export_id)
    before = lab.images(*TARGETS, *BOOKS)
    ran = lab.run(DRY_RUN_JOB, export_id=export.export_id)
    assert ran.failures == {}
    assert lab.images(*TARGETS, *BOOKS) == before
    assert_tables(lab, expected, SHADOW, UNRANGED)


def rerun(lab: Lab, reference: Reference, export: Nasty, seed: int) -> None:
    """The same export again gives what it gave, and writes no row."""
    images = lab.images(*TARGETS, *BOOKS)
    load(lab, reference, export, seed)
    assert lab.images(*TARGETS, *BOOKS) == images


def check_one(lab: Lab, seed: int) -> None:
    export, reference = nasty(seed), Reference()
    dry_run(lab, reference, export)
    load(lab, reference, export, seed)
    rerun(lab, reference, export, seed + 1)


def check_two(lab: Lab, seed: int) -> None:
    """An export and the next one, which holds some changed rows, some new ones, and lacks many."""
    first, reference = nasty(seed), Reference()
    load(lab, reference, first, seed)
    second = follow_up(first, seed)
    dry_run(lab, reference, second)
    load(lab, reference, second, seed)
    rerun(lab, reference, second, seed + 1)


def test_course_of_two_products_of_a_template_goes_to_the_lower_one(dental_lab: Lab) -> None:
    """The template names both of them, and from then on one product twice: the row with the lowest id stays."""
    lab, reference = dental_lab, Reference()
    rows = [link("template_products", 3 * key, template_id=1, product_id=key) for key in (9, 7)]
    later = [link("template_products", 4, template_id=2, product_id=9)]
    for export_id, courses, links in ((FIRST, {7: 3, 9: 2}, rows), (SECOND, {7: 2, 9: 2}, later)):
        products = [values for key, course in courses.items() for _, values in [product(key, course)]]
        files = {**small(), "dispatch_product": products, "dispatch_template_products": [each for _, each in links]}
        reference.load(lab.put(export_id, files))
        ran = lab.migrate(export_id)
        assert ran.failures == {}
        assert_tables(lab, reference, targets=UNRANGED)
    kept = [(row["legacy_id"], row["legacy_product_id"]) for row in lab.rows("template_products")]
    assert sorted(kept) == [(4, 9), (21, 7)]


@pytest.mark.parametrize("seed", FAST_SEEDS)
def test_random_export_gives_the_rows_of_the_oracle(dental_lab: Lab, seed: int) -> None:
    check_one(dental_lab, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_many_random_exports_give_the_rows_of_the_oracle(dental_lab: Lab, seed: int) -> None:
    check_one(dental_lab, seed)


@pytest.mark.parametrize("seed", range(200, 201))
def test_next_export_changes_what_it_holds_and_leaves_the_rest(dental_lab: Lab, seed: int) -> None:
    check_two(dental_lab, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(300, 300 + len(SLOW_SEEDS)))
def test_many_next_exports_change_what_they_hold_and_leave_the_rest(dental_lab: Lab, seed: int) -> None:
    check_two(dental_lab, seed)
