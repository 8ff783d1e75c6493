"""Billing in a real browser: an export that is migrated by itself, and three of its months again by a backfill."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from upath import UPath

import samples
from billing_assets.months import MONTHS
from tests.browser.backfills import choose_months, ended_backfill, launch, writers_of
from tests.browser.conftest import EXPORT_ID, Dev, Run

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

SCALE = 0.05
BEFORE, CHOSEN = "2025-12-01", ["2026-01-01", "2026-02-01", "2026-03-01"]
MONTHLY = (
    *("bill_records", "bill_pricing_periods", "bill_totals", "daily_bill_amounts"),
    *("mac_bills", "soho_bills", "payment_records", "payment_rollup"),
)
_STATS = """query Stats($k: AssetKeyInput!) {assetNodeOrError(assetKey: $k) {... on AssetNode {
  partitionStats {numMaterialized numFailed numPartitions}}}}"""

Picture = Callable[[str], None]


@pytest.fixture(scope="module")
def migrated(dev: Dev) -> Run:
    """The run that the sensor started by itself when an export was put into the landing zone."""
    samples.write_sample("billing", UPath(dev.home / "landing"), EXPORT_ID, scale=SCALE)
    return dev.finished("billing_migration")


@pytest.fixture(scope="module")
def months() -> int:
    return len(MONTHS.get_partition_keys())


def stats_of(dev: Dev, asset: str) -> dict[str, int]:
    """How many partitions an asset has, and how many of them are green and red."""
    return dev.ask(_STATS, k={"path": ["billing", asset]})["assetNodeOrError"]["partitionStats"]


def test_a_dropped_export_is_migrated_over_all_months(dev: Dev, migrated: Run, months: int) -> None:
    assert migrated.status == "SUCCESS", dev.log.read_text()[-4000:]
    assert migrated.tags["dagster/sensor_name"] == "billing_new_export"
    assert migrated.tags["migration/export_id"] == EXPORT_ID
    for asset in MONTHLY:
        assert stats_of(dev, asset) == {"numMaterialized": months, "numFailed": 0, "numPartitions": months}


def test_three_months_are_backfilled_from_the_ui(
    dev: Dev, page: Page, migrated: Run, months: int, picture: Picture
) -> None:
    dialog = choose_months(page, "billing_assets", "billing_months", f"[{CHOSEN[0]}...{CHOSEN[-1]}]")
    launch(dialog)
    run = dev.finished("billing_months")
    assert run.status == "SUCCESS", dev.log.read_text()[-4000:]
    assert run.tags["dagster/asset_partition_range_start"] == CHOSEN[0]
    assert run.tags["dagster/asset_partition_range_end"] == CHOSEN[-1]
    backfill, status = ended_backfill(dev, CHOSEN)
    assert status == "COMPLETED_SUCCESS"
    for asset in MONTHLY:
        written = writers_of(dev, "billing", asset, [BEFORE, *CHOSEN])
        assert written == {BEFORE: migrated.run_id, **dict.fromkeys(CHOSEN, run.run_id)}
        assert stats_of(dev, asset) == {"numMaterialized": months, "numFailed": 0, "numPartitions": months}
    page.goto(f"/runs/b/{backfill}")
    expect(page.get_by_text("100% completed")).to_be_visible()
    picture("billing-backfill")


def test_its_months_are_green_in_the_ui(page: Page, migrated: Run, months: int) -> None:
    page.goto("/assets/billing/bill_records?view=partitions")
    expect(page.get_by_text(f"{months} Partitions Selected")).to_be_visible()
    expect(page.get_by_text(f"Materialized ({months})")).to_be_visible()
    expect(page.get_by_text("Failed (0)")).to_be_visible()
