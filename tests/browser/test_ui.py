"""The UI in a real browser: `migrate dev`, an export that is dropped, a backfill, a dry run, checks, a rollback.

The browser is the machine's Chromium, driven by Playwright, which is told where it is and downloads nothing. Where
there is none the tests fail and name the package: a test that installs software on a machine would be a surprise, and
one that skips would prove nothing. One `migrate dev` serves the module, in a temporary home with its own PostgreSQL,
and the tests take the order of this file: the rollback undoes what the others look at, so it comes last.

`SCREENSHOTS=docs/images pytest tests/browser` takes the pictures of the documentation anew.
"""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from skynet_assets.months import MONTHS
from tests.browser.backfills import choose_months, launch
from tests.browser.conftest import EXPORT_ID, REPOSITORY, RUN_SECONDS, Dev, Run, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

ASSETS = 13
GROUPS = ("source", "staging", "core", "billing", "reporting", "photos")
MONTH_RANGE = "[2026-01-01...2026-03-01]"
_SENSOR = """query Sensor($s: SensorSelector!) {sensorOrError(sensorSelector: $s) {... on Sensor {
  sensorState {status ticks(limit: 20) {status runIds skipReason}}}}}"""
_BACKFILLS = "{partitionBackfillsOrError(limit: 5) {... on PartitionBackfills {results {id status numPartitions}}}}"
_PARTITIONS = "{assetNodes {assetKey {path} partitionStats {numMaterialized numPartitions}}}"

Picture = Callable[[str], None]


def job_page(page: Page, job: str, tab: str = "") -> None:
    page.goto(f"/locations/skynet_assets/jobs/{job}{tab}")
    expect(page.get_by_text(job).first).to_be_visible()


def launch_months(page: Page, job: str, months: str | None, picture: Picture | None = None) -> None:
    """Launch a job for a range of months from its Materialize dialog; None = all of them."""
    dialog = choose_months(page, "skynet_assets", job, months)
    if picture is not None:
        picture("skynet-backfill-dialog")
    launch(dialog)


def launch_config(page: Page, job: str, config: str | None = None) -> None:
    """Launch a job from its launchpad, with the default or the given run config."""
    job_page(page, job, "/playground")
    launch = page.get_by_role("button", name="Launch run")
    expect(launch).to_be_enabled()
    if config is not None:
        page.locator(".CodeMirror").first.click()
        page.keyboard.press("Control+A")
        page.keyboard.insert_text(config)
        expect(page.locator(".CodeMirror").first).to_contain_text(config.splitlines()[-1].strip())
    expect(page.get_by_text("No errors")).to_be_visible()
    launch.click()
    page.wait_for_url("**/runs/*")


def test_a_dropped_export_is_migrated_by_itself(dev: Dev, migrated: Run) -> None:
    assert migrated.status == "SUCCESS", dev.log.read_text()[-4000:]
    assert migrated.tags["dagster/sensor_name"] == "skynet_new_export"
    assert migrated.tags["migration/export_id"] == EXPORT_ID
    sensor = dev.ask(_SENSOR, s=REPOSITORY | {"sensorName": "skynet_new_export"})["sensorOrError"]["sensorState"]
    assert sensor["status"] == "RUNNING"
    assert [tick["runIds"] for tick in sensor["ticks"] if tick["runIds"]] == [[migrated.run_id]]
    assert all(tick["skipReason"] for tick in sensor["ticks"] if tick["status"] == "SKIPPED")
    stats, _ = dev.stats(migrated)
    months = len(MONTHS.get_partition_keys())
    assert stats == {"materializations": ASSETS - 2 + 2 * months, "stepsSucceeded": ASSETS, "stepsFailed": 0}
    parts = {node["assetKey"]["path"][-1]: node["partitionStats"] for node in dev.ask(_PARTITIONS)["assetNodes"]}
    for asset in ("invoices", "transactions"):
        assert parts[asset] == {"numMaterialized": months, "numPartitions": months}


def test_the_asset_graph_is_green(page: Page, migrated: Run, picture: Picture) -> None:
    page.goto("/locations/skynet_assets/asset-groups/skynet_core")
    expect(page.get_by_text("Materialized", exact=True)).to_have_count(4)
    expect(page.get_by_text(re.compile(r"\d+ / \d+ Passed"))).to_have_count(4)
    page.get_by_role("button", name="Hide navigation").click()
    picture("skynet-core")
    page.goto("/asset-groups?expanded=" + ",".join(f"global@global:skynet_{group}" for group in GROUPS))
    expect(page.get_by_text("branch_summaries").first).to_be_visible()
    expect(page.get_by_text("router_credentials").first).to_be_visible()
    picture("skynet-graph")


def test_a_check_shows_its_measures(page: Page, migrated: Run, picture: Picture) -> None:
    page.goto("/assets/skynet/payments_clean?view=checks")
    expect(page.get_by_text("payments_clean_conservation").first).to_be_visible()
    expect(page.get_by_text("Passed", exact=True).first).to_be_visible()
    for measure in ("source_rows", "kept", "unaccounted", "limits"):
        expect(page.get_by_role("cell", name=measure, exact=True)).to_be_visible()
    expect(page.get_by_text("ERROR past: unaccounted other than 0")).to_be_visible()
    picture("skynet-check")


def test_three_months_are_backfilled_from_the_ui(dev: Dev, page: Page, migrated: Run, picture: Picture) -> None:
    launch_months(page, "skynet_months", MONTH_RANGE, picture)
    run = dev.finished("skynet_months")
    assert run.status == "SUCCESS"
    assert (run.tags["dagster/asset_partition_range_start"], run.tags["dagster/asset_partition_range_end"]) == (
        "2026-01-01",
        "2026-03-01",
    )
    assert dev.stats(run)[0]["materializations"] == 6, "one run, three months of two assets"

    def completed() -> str | None:
        (backfill,) = dev.ask(_BACKFILLS)["partitionBackfillsOrError"]["results"]
        assert backfill["numPartitions"] == 3
        return backfill["id"] if backfill["status"] == "COMPLETED_SUCCESS" else None

    page.goto(f"/runs/b/{wait_for(completed, RUN_SECONDS, 'the backfill')}")
    expect(page.get_by_text("Succeeded", exact=True).first).to_be_visible()
    expect(page.get_by_text("100% completed")).to_be_visible()
    picture("skynet-backfill")


def test_a_dry_run_leaves_observations_only(dev: Dev, page: Page, migrated: Run, picture: Picture) -> None:
    before = dev.ask(_PARTITIONS)
    launch_months(page, "skynet_dry_run", None)
    run = dev.finished("skynet_dry_run")
    stats, events = dev.stats(run)
    assert (run.status, run.tags["migration/dry_run"]) == ("SUCCESS", "true")
    assert stats == {"materializations": 0, "stepsSucceeded": ASSETS, "stepsFailed": 0}
    assert events["ObservationEvent"] == ASSETS
    assert not {"MaterializationEvent", "AssetMaterializationPlannedEvent"} & set(events)
    assert dev.ask(_PARTITIONS) == before
    page.goto(f"/runs/{run.run_id}")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()
    page.get_by_placeholder("Filter…").fill("type:ASSET_OBSERVATION")
    expect(page.get_by_text("skynet / transactions").first).to_be_visible()
    picture("skynet-dry-run")


def test_the_migration_can_be_launched_for_one_month(dev: Dev, page: Page, migrated: Run) -> None:
    known = len(dev.runs("skynet_migration"))
    launch_months(page, "skynet_migration", "2026-02-01")
    run = dev.finished("skynet_migration", known)
    assert (run.status, run.tags["dagster/partition"]) == ("SUCCESS", "2026-02-01")
    assert dev.stats(run)[0]["materializations"] == ASSETS


def test_checks_run_alone_from_the_launchpad(dev: Dev, page: Page, migrated: Run) -> None:
    launch_config(page, "skynet_checks")
    run = dev.finished("skynet_checks")
    stats, events = dev.stats(run)
    assert (run.status, stats["materializations"]) == ("SUCCESS", 0)
    assert events["AssetCheckEvaluationEvent"] == events["AssetCheckEvaluationPlannedEvent"] > 0


def test_the_queue_lets_one_writer_run_at_a_time(dev: Dev, migrated: Run) -> None:
    launched = [dev.launch(job, {"dagster/partition": "2026-02-01"}) for job in ("skynet_migration", "skynet_months")]
    beside = dev.launch("skynet_checks", {})

    def ended() -> dict[str, Run] | None:
        runs = {run.run_id: run for run in dev.runs()}
        done = all(runs[run_id].status in ("SUCCESS", "FAILURE") for run_id in (*launched, beside))
        return runs if done else None

    runs = wait_for(ended, RUN_SECONDS, "three runs")
    assert {runs[run_id].status for run_id in (*launched, beside)} == {"SUCCESS"}
    first, second = sorted((runs[run_id] for run_id in launched), key=lambda run: run.start)
    assert first.end <= second.start


def test_a_rollback_is_launched_with_its_config(dev: Dev, page: Page, migrated: Run) -> None:
    launch_config(page, "skynet_rollback", f"ops:\n  skynet_roll_back:\n    config:\n      export_id: {EXPORT_ID}")
    assert dev.finished("skynet_rollback").status == "SUCCESS"
    page.get_by_placeholder("Filter…").fill("type:STEP_OUTPUT")
    expect(page.get_by_role("cell", name="proved", exact=True)).to_be_visible()
    time.sleep(35)  # longer than the sensor's interval: a rollback must not make it start the export again
    assert len(dev.runs("skynet_migration")) == 3
