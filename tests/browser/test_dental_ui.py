"""Dental in a real browser: a migration makes the ranges of notifications known, and a backfill carries two of them."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from upath import UPath

import samples
from dental_assets.partitions import UNKEYED, key_of
from tests.browser.backfills import choose_keys, ended_backfill, ended_runs, launch, partitions_of
from tests.browser.conftest import EXPORT_ID, Dev, Run

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

SCALE, BULK = 0.05, 0.01
JOB = "dental_notifications"
FIRST, FAR = key_of(0), key_of(1_234_500_000)

Picture = Callable[[str], None]


@pytest.fixture(scope="module")
def migrated(dev: Dev) -> Run:
    """The run that the sensor started by itself when an export was put into the landing zone."""
    samples.write_sample("dental", UPath(dev.home / "landing"), EXPORT_ID, scale=SCALE, bulk=BULK)
    return dev.finished("dental_migration")


def test_a_dropped_export_makes_its_ranges_known(dev: Dev, page: Page, migrated: Run) -> None:
    assert migrated.status == "SUCCESS", dev.log.read_text()[-4000:]
    assert migrated.tags["dagster/sensor_name"] == "dental_new_export"
    assert migrated.tags["migration/export_id"] == EXPORT_ID
    ranges, carried = partitions_of(dev, "dental", "notifications")
    assert {FIRST, FAR, UNKEYED} <= set(ranges)
    assert carried == []
    assert not dev.runs(JOB), "ranges are carried at night, or when somebody says so"
    page.goto("/assets/dental/notifications?view=partitions")
    expect(page.get_by_text(f"{len(ranges)} Partitions Selected")).to_be_visible()
    expect(page.get_by_text(f"Missing ({len(ranges)})")).to_be_visible()


def test_two_ranges_are_backfilled_from_the_ui(dev: Dev, page: Page, migrated: Run, picture: Picture) -> None:
    ranges, _ = partitions_of(dev, "dental", "notifications")
    launch(choose_keys(page, "dental_assets", JOB, [FIRST, FAR], len(ranges)))
    runs = ended_runs(dev, JOB, 2)
    assert {key: run.status for key, run in runs.items()} == {FIRST: "SUCCESS", FAR: "SUCCESS"}
    for run in runs.values():
        assert dev.stats(run)[0] == {"materializations": 1, "stepsSucceeded": 1, "stepsFailed": 0}
    assert partitions_of(dev, "dental", "notifications") == (ranges, [FIRST, FAR])
    backfill, status = ended_backfill(dev, [FIRST, FAR])
    assert status == "COMPLETED_SUCCESS"
    page.goto(f"/runs/b/{backfill}")
    expect(page.get_by_text("100% completed")).to_be_visible()
    picture("dental-backfill")
    page.goto("/assets/dental/notifications?view=partitions")
    expect(page.get_by_text("Materialized (2)")).to_be_visible()
    expect(page.get_by_text(f"Missing ({len(ranges) - 2})")).to_be_visible()
