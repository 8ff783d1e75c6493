"""`migrate dev` in a home of its own, and a real browser in front of it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from playwright.sync_api import Page, sync_playwright
from upath import UPath

import samples
from migration import embedded
from migration.dev import PROJECT
from tests.conftest import free_port, settings_at

START_SECONDS, RUN_SECONDS, UI_SECONDS = 240, 420, 90
EXPORT_ID = samples.default_export_id()
SCALE, CUSTOMERS = 0.05, 87
REPOSITORY = {"repositoryLocationName": "skynet_assets", "repositoryName": "__repository__"}
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_RUNS = "{runsOrError(limit: 50) {... on Runs {results {runId jobName status startTime endTime tags {key value}}}}}"
_EVENTS = """query Events($id: ID!) {runOrError(runId: $id) {... on Run {
  stats {... on RunStatsSnapshot {materializations stepsSucceeded stepsFailed}}
  eventConnection(limit: 1000) {events {__typename}}}}}"""
_LAUNCH = """mutation Launch($p: ExecutionParams!) {launchPipelineExecution(executionParams: $p) {
  __typename ... on LaunchRunSuccess {run {runId}}}}"""

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """A Dagster run as the webserver tells of it."""

    run_id: str
    job: str
    status: str
    start: float
    end: float
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Dev:
    """A running `migrate dev`.

    Attributes:
        home: its MIGRATION_HOME.
        url: the UI.
        log: what it printed.
        seconds: how long it took until the UI answered.
    """

    home: Path
    url: str
    log: Path
    seconds: float

    def ask(self, query: str, **variables: Any) -> Any:
        """The data that a GraphQL query gives."""
        answer = httpx.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def runs(self, job: str = "") -> list[Run]:
        """The runs of a job, the newest first."""
        found = self.ask(_RUNS)["runsOrError"]["results"]
        return [
            Run(
                run["runId"],
                run["jobName"],
                run["status"],
                run["startTime"] or 0,
                run["endTime"] or 0,
                {tag["key"]: tag["value"] for tag in run["tags"]},
            )
            for run in found
            if job in ("", run["jobName"])
        ]

    def finished(self, job: str, known: int = 0) -> Run:
        """The newest run of a job, once there are more than were known and it has ended."""

        def look() -> Run | None:
            runs = self.runs(job)
            return runs[0] if len(runs) > known and runs[0].status in ("SUCCESS", "FAILURE", "CANCELED") else None

        return wait_for(look, RUN_SECONDS, f"a run of {job} to end; see {self.log}")

    def launch(self, job: str, tags: Mapping[str, str]) -> str:
        """Launch a job as a client of the webserver; its run id."""
        metadata = {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
        params = {
            "selector": REPOSITORY | {"jobName": job},
            "runConfigData": "{}",
            "mode": "default",
            "executionMetadata": metadata,
        }
        return str(self.ask(_LAUNCH, p=params)["launchPipelineExecution"]["run"]["runId"])

    def stats(self, run: Run) -> tuple[dict[str, int], dict[str, int]]:
        """A run's counts of steps and materializations, and of its first 1000 events by type."""
        told = self.ask(_EVENTS, id=run.run_id)["runOrError"]
        events = [event["__typename"] for event in told["eventConnection"]["events"]]
        return told["stats"], {name: events.count(name) for name in set(events)}


def wait_for(look: Callable[[], T | None], seconds: float, what: str) -> T:
    """What `look` gives as soon as it gives something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(1)
    pytest.fail(f"Waited {seconds:.0f} s for {what}")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser of the machine; nothing is downloaded and nothing installed by a test."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.fail("These tests need a browser: apt-get update && apt-get install -y chromium")


@pytest.fixture(scope="module")
def dev(chromium: str) -> Iterator[Dev]:
    """`migrate dev` on a free port with an empty home and the embedded server; nothing of it is left afterwards."""
    del chromium  # asked for first, so that a machine without it hears so at once
    home = Path(tempfile.mkdtemp(prefix="migration-browser-"))
    port, log = free_port(), home / "dev.log"
    began = time.monotonic()
    with log.open("w") as sink:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("migrate")), "dev", "--port", str(port)],
            env=_environment(home),
            cwd=PROJECT,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: _up(url, process, log), START_SECONDS, f"the UI; see {log}")
        yield Dev(home, url, log, time.monotonic() - began)
    finally:
        _end(process, home)


def _environment(home: Path) -> dict[str, str]:
    """The caller's environment without its settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MIGRATION_", "DAGSTER_", "SKYNET_"))}
    return kept | {"MIGRATION_HOME": str(home), "SKYNET_BASELINE_CUSTOMERS": str(CUSTOMERS)}


def _up(url: str, process: subprocess.Popen[bytes], log: Path) -> bool | None:
    if process.poll() is not None:
        pytest.fail(f"migrate dev ended with code {process.returncode}: {log.read_text()[-2000:]}")
    try:
        return httpx.get(f"{url}/server_info", timeout=5).is_success or None
    except httpx.HTTPError:
        return None


def _end(process: subprocess.Popen[bytes], home: Path) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        code = process.wait(timeout=90)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
    left = processes_of(home)
    deadline = time.monotonic() + 20  # multiprocessing's helpers end when they notice that their parent has
    while left and time.monotonic() < deadline:
        time.sleep(0.5)
        left = processes_of(home)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    embedded.stop(settings_at(home))
    shutil.rmtree(home, ignore_errors=True)
    assert not left, f"migrate dev left processes behind: {left}"
    assert code == 0


def processes_of(home: Path) -> dict[int, str]:
    """Processes that were started with this home, with their command lines; the embedded server is not among them."""
    mark, found = f"MIGRATION_HOME={home}\0".encode(), {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark in (entry / "environ").read_bytes():
                    found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:  # it has ended, or is somebody else's
                continue
    return found


@pytest.fixture(scope="module")
def migrated(dev: Dev) -> Run:
    """The run that the sensor started by itself when an export was put into the landing zone."""
    samples.write_sample("skynet", UPath(dev.home / "landing"), EXPORT_ID, scale=SCALE)
    return dev.finished("skynet_migration")


@pytest.fixture
def page(dev: Dev, chromium: str) -> Iterator[Page]:
    """A page of a fresh browser, 1440 x 900."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=list(_FLAGS))
        context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=dev.url)
        context.set_default_timeout(UI_SECONDS * 1000)
        opened = context.new_page()
        try:
            yield opened
        finally:
            opened.screenshot(path=dev.home / "last-page.png")
            browser.close()


@pytest.fixture
def picture(page: Page, tmp_path: Path) -> Callable[[str], None]:
    """Takes a screenshot once the page has come to rest; into $SCREENSHOTS, or away with the test."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)

    def take(name: str) -> None:
        page.mouse.move(1439, 899)
        page.wait_for_timeout(2000)
        page.screenshot(path=folder / f"{name}.png")

    return take
