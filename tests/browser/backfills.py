"""Partitions in the UI: choosing them in a job's Materialize dialog, launching them, and what became of them."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import RUN_SECONDS, Dev, wait_for

_BACKFILLS = "{partitionBackfillsOrError(limit: 9) {... on PartitionBackfills {results {id status partitionNames}}}}"
_WRITERS = """query Writers($k: AssetKeyInput!, $p: [String!]) {assetNodeOrError(assetKey: $k) {... on AssetNode {
  latestMaterializationByPartition(partitions: $p) {partition runId}}}}"""


def choose_months(page: Page, location: str, job: str, months: str | None) -> Locator:
    """Open the dialog of a job with monthly partitions and choose a range of them, None = all; gives the dialog."""
    page.goto(f"/locations/{location}/jobs/{job}")
    page.get_by_role("button", name="Materialize all").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Show all partitions").click()
    if months is None:
        dialog.get_by_role("button", name="All", exact=True).click()
    else:
        box = dialog.get_by_role("textbox").first
        box.fill(months)
        box.press("Enter")
    expect(dialog.get_by_text(re.compile(r"^[1-9]\d* partitions?$"))).to_be_visible()
    return dialog


def launch(dialog: Locator) -> None:
    """Launch what was chosen."""
    dialog.get_by_role("button", name=re.compile("^Launch (backfill|1 run)$")).click()
    expect(dialog).to_be_hidden()


def ended_backfill(dev: Dev, partitions: list[str]) -> tuple[str, str]:
    """Id and status of the newest backfill, which is of these partitions, once it has ended."""

    def look() -> tuple[str, str] | None:
        newest = dev.ask(_BACKFILLS)["partitionBackfillsOrError"]["results"][0]
        assert newest["partitionNames"] == partitions
        ended = newest["status"].startswith(("COMPLETED", "FAILED"))
        return (newest["id"], newest["status"]) if ended else None

    return wait_for(look, RUN_SECONDS, "the backfill")


def writers_of(dev: Dev, system: str, asset: str, partitions: list[str]) -> dict[str, str]:
    """By partition the run that materialized it last."""
    node = dev.ask(_WRITERS, k={"path": [system, asset]}, p=partitions)["assetNodeOrError"]
    return {each["partition"]: each["runId"] for each in node["latestMaterializationByPartition"] if each}
