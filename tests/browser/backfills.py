"""Partitions in the UI: choosing them in a job's Materialize dialog, launching them, and what became of them."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import RUN_SECONDS, Dev, Run, wait_for

_BACKFILLS = "{partitionBackfillsOrError(limit: 9) {... on PartitionBackfills {results {id status partitionNames}}}}"
_STATUSES = """query Partitions($k: AssetKeyInput!) {assetNodeOrError(assetKey: $k) {... on AssetNode {
  partitionKeys assetPartitionStatuses {... on DefaultPartitionStatuses {
    materializedPartitions failedPartitions unmaterializedPartitions}}}}}"""
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


def choose_keys(page: Page, location: str, job: str, chosen: list[str], known: int) -> Locator:
    """Open the dialog of a job whose partitions are a list of so many keys and choose some; gives the dialog."""
    page.goto(f"/locations/{location}/jobs/{job}")
    page.get_by_role("button", name=re.compile("Materialize( all|…|$)")).first.click()
    dialog = page.locator(".dagster-dialog").filter(has_text="Launch runs to materialize")
    dialog.get_by_text("Select a partition").click()
    offered = page.locator(".dagster-popover")
    expect(offered.get_by_text(f"Select all ({known})")).to_be_visible()
    for key in chosen:
        offered.get_by_text(key, exact=True).first.click()
    # Folded away, the list is gone; it may lie over the heading that a click folds.
    dialog.get_by_text("Partition selection").dispatch_event("click")
    expect(offered).to_be_hidden()
    expect(dialog.get_by_text(re.compile(rf"^{len(chosen)} partitions?$"))).to_be_visible()
    return dialog


def launch(dialog: Locator) -> None:
    """Launch what was chosen."""
    dialog.get_by_role("button", name=re.compile("^Launch (backfill|1 run)$")).click()
    expect(dialog).to_be_hidden()


def ended_runs(dev: Dev, job: str, number: int) -> dict[str, Run]:
    """The runs of a job by their partition, the newest of each, once so many runs have ended."""

    def look() -> dict[str, Run] | None:
        ended = [run for run in dev.runs(job) if run.status in ("SUCCESS", "FAILURE", "CANCELED")]
        if len(ended) < number:
            return None
        return {run.tags["dagster/partition"]: run for run in reversed(ended)}

    return wait_for(look, RUN_SECONDS, f"{number} runs of {job} to end; see {dev.log}")


def ended_backfill(dev: Dev, partitions: list[str]) -> tuple[str, str]:
    """Id and status of the newest backfill, which is of these partitions, once it has ended."""

    def look() -> tuple[str, str] | None:
        newest = dev.ask(_BACKFILLS)["partitionBackfillsOrError"]["results"][0]
        assert newest["partitionNames"] == partitions
        ended = newest["status"].startswith(("COMPLETED", "FAILED"))
        return (newest["id"], newest["status"]) if ended else None

    return wait_for(look, RUN_SECONDS, "the backfill")


def partitions_of(dev: Dev, system: str, asset: str) -> tuple[list[str], list[str]]:
    """The partitions of an asset whose partitions are a list of keys, and those that are materialized."""
    node = dev.ask(_STATUSES, k={"path": [system, asset]})["assetNodeOrError"]
    return node["partitionKeys"], node["assetPartitionStatuses"]["materializedPartitions"]


def writers_of(dev: Dev, system: str, asset: str, partitions: list[str]) -> dict[str, str]:
    """By partition the run that materialized it last."""
    node = dev.ask(_WRITERS, k={"path": [system, asset]}, p=partitions)["assetNodeOrError"]
    return {each["partition"]: each["runId"] for each in node["latestMaterializationByPartition"] if each}
