"""Booking in a real browser: a migration that starts by itself, its graph, and an export that a gate stops.

The tests take the order of this file: each export follows the one before.
"""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from upath import UPath

import samples
from tests.booking.booking_cases import export_of, package, product, rate, tour, variant
from tests.booking.booking_writing import put_export
from tests.browser.conftest import EXPORT_ID, Dev, Run

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

SCALE = 0.05
STAGES = ["booking_load", "booking_months", "booking_events", "booking_quality"]
ASSETS = ("booking_core", "booking_contact", "booking_party", "booking_item_snapshot")
UNMAPPED = "20260419T000000Z"
WORLD = (product(1, legacy_package_id=9), variant(1, 1, legacy_package_id=9), rate(1, 1), tour(7), package(9, 7))
# Of three variants two are of a product that is not there.
ORPHANS = (variant(20, 99), variant(21, 99))
Picture = Callable[[str], None]


@pytest.fixture(scope="module")
def migrated(dev: Dev) -> Run:
    """The run that the sensor started by itself when an export was put into the landing zone."""
    samples.write_sample("booking", UPath(dev.home / "landing"), EXPORT_ID, scale=SCALE)
    return dev.finished("booking_migration")


@pytest.fixture(scope="module")
def unmapped(dev: Dev, migrated: Run) -> Run:
    """The migration of an export most of whose variants have no product."""
    files = export_of(*WORLD, *ORPHANS)
    put_export(dev.home / "landing" / "booking" / UNMAPPED, files, exported_at="2026-04-19T00:00:00Z")
    return dev.finished("booking_migration", 1)


def stages_of(dev: Dev, export_id: str) -> dict[str, Run]:
    """The runs of an export's stages by their job, in their order."""
    runs = [run for run in reversed(dev.runs()) if run.tags.get("migration/export_id") == export_id]
    return {run.job: run for run in runs if run.job != "booking_migration"}


def test_a_dropped_export_is_migrated_by_itself(dev: Dev, migrated: Run) -> None:
    assert migrated.status == "SUCCESS", dev.log.read_text()[-4000:]
    assert migrated.tags["dagster/sensor_name"] == "booking_new_export"
    assert migrated.tags["migration/export_id"] == EXPORT_ID
    stages = stages_of(dev, EXPORT_ID)
    assert list(stages) == STAGES
    assert {run.status for run in stages.values()} == {"SUCCESS"}


def test_the_asset_graph_shows_the_batch_of_bookings(page: Page, migrated: Run, picture: Picture) -> None:
    page.goto("/locations/booking_assets/asset-groups/booking")
    for asset in ASSETS:
        expect(page.get_by_text(asset, exact=True).first).to_be_visible()
    page.get_by_role("button", name="Hide navigation").click()
    picture("booking-graph")


def test_unmapped_variants_shut_the_gate(dev: Dev, page: Page, unmapped: Run) -> None:
    assert unmapped.status == "FAILURE"
    stages = stages_of(dev, UNMAPPED)
    assert {job: run.status for job, run in stages.items()} == {
        "booking_load": "FAILURE",
        "booking_quality": "SUCCESS",
    }, "no batch follows one that was stopped, and the report is written all the same"
    page.goto(f"/runs/{stages['booking_load'].run_id}")
    page.get_by_placeholder("Filter…").fill("type:STEP_FAILURE")
    expect(page.get_by_text("Blocked, no row published: unmapped_variant_ratio.").first).to_be_visible()


def test_the_check_shows_which_variants(page: Page, unmapped: Run, picture: Picture) -> None:
    page.goto("/assets/booking/catalog_variant?view=checks&checkDetail=unmapped_variant_ratio")
    expect(page.get_by_text("Share of variants, per channel, that a person still has to map").first).to_be_visible()
    expect(page.get_by_text("ERROR past: unmapped_ratio above 0.05; rows not published").first).to_be_visible()
    page.get_by_role("row", name="first_keys").get_by_text("[Show JSON]").click()
    for variant_id in (20, 21):
        expect(page.get_by_text(f"TourVariant {variant_id}").first).to_be_visible()
    picture("booking-gate")
