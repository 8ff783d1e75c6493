"""Meter in a real browser: an export that is loaded and previewed by itself, and a backfill of two tenants.

A module of its own, and so a `migrate dev` of its own. The tests take the order of this file: what is previewed and
refused comes before what is confirmed.
"""

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect
from upath import UPath

import samples
from tests.browser.backfills import choose_keys, ended_backfill, ended_runs, launch, partitions_of
from tests.browser.conftest import EXPORT_ID, Dev, Run

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

SCALE = 0.05
TENANTS = ["1", "2", "3", "4", "5", "6"]
PASSES, BLOCKED, UNTOUCHED = "3", "4", "1"
STEPS = 6
GATE = "payments_have_meter"
CONFIRMED = "resources:\n  migration_run:\n    config:\n      confirm: true"

Picture = Callable[[str], None]


@pytest.fixture(scope="module")
def loaded(dev: Dev) -> Run:
    """The load that the sensor started by itself when an export was put into the landing zone."""
    samples.write_sample("meter", UPath(dev.home / "landing"), EXPORT_ID, scale=SCALE)
    return dev.finished("meter_load_job")


@pytest.fixture(scope="module")
def previews(dev: Dev, loaded: Run) -> dict[str, Run]:
    """By tenant the dry run that the second sensor started by itself when the export was loaded."""
    return ended_runs(dev, "meter_dry_run", len(TENANTS))


def choose(page: Page, *tenants: str) -> Locator:
    """Open the Materialize dialog of the steps and choose tenants; gives the dialog."""
    return choose_keys(page, "meter_assets", "meter_steps_job", list(tenants), len(TENANTS))


def confirm(page: Page, dialog: Locator) -> None:
    """Give the runs of a backfill their run config, in the dialog's own editor."""
    dialog.get_by_text("Config", exact=True).click()
    dialog.get_by_role("button", name="Add config").click()
    editor = page.locator(".dagster-dialog").filter(has_text="Config Editor")
    editor.locator(".CodeMirror").first.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(CONFIRMED)
    expect(editor.locator(".CodeMirror").first).to_contain_text("confirm: true")
    expect(editor.get_by_text("No errors")).to_be_visible()
    editor.get_by_role("button", name="Save config").click()
    expect(dialog.get_by_text("Config saved")).to_be_visible()


def test_a_dropped_export_is_loaded_by_itself(dev: Dev, loaded: Run) -> None:
    assert loaded.status == "SUCCESS", dev.log.read_text()[-4000:]
    assert loaded.tags["dagster/sensor_name"] == "meter_new_export"
    assert loaded.tags["migration/export_id"] == EXPORT_ID
    assert partitions_of(dev, "meter", "meter_balances") == (TENANTS, [])


def test_every_tenant_is_previewed_by_itself(
    dev: Dev, page: Page, loaded: Run, previews: dict[str, Run], picture: Picture
) -> None:
    assert sorted(previews) == TENANTS
    for run in previews.values():
        assert run.status == "SUCCESS", "a dry run ends well, whatever it finds"
        assert run.tags["dagster/sensor_name"] == "meter_preview"
        assert run.tags["migration/dry_run"] == "true"
        assert run.tags["migration/preview"] == loaded.run_id
        stats, events = dev.stats(run)
        assert (stats["materializations"], events["ObservationEvent"]) == (0, STEPS)
    assert partitions_of(dev, "meter", "meter_balances") == (TENANTS, [])
    assert not dev.runs("meter_steps_job"), "nothing is applied by itself"
    page.goto(f"/runs?q[0]=job:meter_dry_run&q[1]=tag:migration/preview={loaded.run_id}")
    expect(page.get_by_role("link", name="meter_dry_run")).to_have_count(len(TENANTS))
    picture("meter-previews")


def test_tenants_are_partitions_in_the_ui(page: Page, loaded: Run) -> None:
    page.goto("/assets/meter/meter_balances?view=partitions")
    expect(page.get_by_text("6 Partitions Selected")).to_be_visible()
    expect(page.get_by_text("Missing (6)")).to_be_visible()


def test_what_nobody_confirmed_is_refused(dev: Dev, page: Page, previews: dict[str, Run]) -> None:
    launch(choose(page, UNTOUCHED))
    run = dev.finished("meter_steps_job")
    assert (run.status, run.tags["dagster/partition"]) == ("FAILURE", UNTOUCHED)
    assert dev.stats(run)[0] == {"materializations": 0, "stepsSucceeded": 0, "stepsFailed": 1}
    page.goto(f"/runs/{run.run_id}")
    page.get_by_placeholder("Filter…").fill("type:STEP_FAILURE")
    expect(page.get_by_text("CONFIRMATION_REQUIRED").first).to_be_visible()


@pytest.fixture(scope="module")
def known(dev: Dev, previews: dict[str, Run]) -> int:
    """How many runs of the steps there were before the backfill."""
    return len(dev.runs("meter_steps_job"))


def test_two_tenants_are_backfilled_with_confirmation(dev: Dev, page: Page, known: int, picture: Picture) -> None:
    dialog = choose(page, PASSES, BLOCKED)
    confirm(page, dialog)
    picture("meter-backfill-dialog")
    launch(dialog)
    runs = ended_runs(dev, "meter_steps_job", known + 2)
    assert {tenant: runs[tenant].status for tenant in (PASSES, BLOCKED)} == {PASSES: "SUCCESS", BLOCKED: "FAILURE"}
    assert dev.stats(runs[PASSES])[0] == {"materializations": STEPS, "stepsSucceeded": STEPS, "stepsFailed": 0}
    assert partitions_of(dev, "meter", "meter_balances") == (TENANTS, [PASSES])
    backfill, _ = ended_backfill(dev, [PASSES, BLOCKED])
    page.goto(f"/runs/b/{backfill}")
    expect(page.get_by_text("100% completed")).to_be_visible()
    picture("meter-backfill")


def test_the_shut_gate_is_shown_by_its_check(dev: Dev, page: Page, known: int, picture: Picture) -> None:
    runs = ended_runs(dev, "meter_steps_job", known + 2)
    assert dev.stats(runs[BLOCKED])[0]["stepsFailed"] == 1
    page.goto(f"/runs/{runs[BLOCKED].run_id}")
    expect(page.get_by_text("Errored (1)")).to_be_visible()
    page.get_by_placeholder("Filter…").fill("type:STEP_FAILURE")
    expect(page.get_by_text(f"[{BLOCKED}] Found: {GATE}.").first).to_be_visible()
    picture("meter-gate")
    # The previews of all tenants and two live runs have measured it; the history tells them apart by their runs.
    page.goto(f"/assets/meter/payments_gate?view=checks&checkDetail={GATE}")
    expect(
        page.get_by_text("The gate: balances of meters are computed only when every payment has a meter.")
    ).to_be_visible()
    expect(page.get_by_text("ERROR past: without_meter other than 0").first).to_be_visible()


def test_the_other_tenants_are_as_they_were(dev: Dev, known: int) -> None:
    assert len(dev.runs("meter_steps_job")) == known + 2
    assert partitions_of(dev, "meter", "payment_meter_ids") == (TENANTS, [PASSES, BLOCKED])
    assert httpx.get(f"{dev.url}/server_info", timeout=10).is_success
