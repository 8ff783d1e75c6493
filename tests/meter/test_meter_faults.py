"""A run killed at any boundary and run again ends as one never killed; runs at once end as one after another."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from migration import embedded
from migration.warehouse.runlog import INTERRUPTED
from tests.laws.drill import KILLED, ROOT, Point, Runner
from tests.meter.conftest import installation
from tests.meter.meter_harness import LOAD_JOB, STEPS_JOB, Lab
from tests.meter.meter_small import FIRST, SECOND, TARGETS, copy_of, fingerprints, housed, small

AT_ONCE = 2
CHUNKS = 12
Bytes = dict[str, Any]


@pytest.fixture(scope="module")
def running() -> Iterator[Runner]:
    command = [sys.executable, "-m", "tests.meter.meter_runner"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Runner(process)
        process.stdin.close()


@pytest.fixture(scope="module")
def loaded(server: embedded.EmbeddedServer, meter_template: str, tmp_path_factory: Any) -> Iterator[Lab]:
    """The first export is loaded; the next one, with a customer more, waits."""
    with installation(server, meter_template, tmp_path_factory.mktemp("loaded")) as lab:
        lab.put(FIRST, small())
        lab.put(SECOND, housed(small(), 2))
        assert lab.load(FIRST).failures == {}
        yield lab


@dataclass(frozen=True)
class Task:
    """What is run, and from where."""

    job: str
    partition: str | None
    export_id: str

    def order(self, lab: Lab, name: str, point: Point | None = None, **options: Any) -> dict[str, Any]:
        """An order to run it in an installation, killed at a point or not."""
        home = lab.settings.home
        return {
            "home": str(home),
            "url": str(lab.settings.database_url),
            "journal": str(home / f"{name}.journal"),
            "report": str(home / f"{name}.json"),
            "number": point.number if point else 0,
            "moment": point.moment if point else "",
            "job": self.job,
            "partition": self.partition,
            "options": {"export_id": self.export_id, **options},
        }


STEPS_OF_1 = Task(STEPS_JOB, "1", FIRST)
NEXT_STEPS = Task(STEPS_JOB, "1", SECOND)
NEXT_LOAD = Task(LOAD_JOB, None, SECOND)


def report(lab: Lab, name: str) -> dict[str, Any]:
    """What a run said of itself; empty when it was killed."""
    path = lab.settings.home / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def bytes_of(lab: Lab) -> Bytes:
    """Every row of every table, without times, serial numbers and run ids."""
    ledger = (
        "SELECT export_id, source_table, source_row, target_table, outcome, reason, target_key FROM meter.row_ledger"
    )
    changes = "SELECT table_name, row_key::text, (before - 'loaded_at')::text FROM meter.row_change"
    found: Bytes = dict(fingerprints(lab, (*TARGETS,)))
    for name, query in {"row_ledger": ledger, "row_change": changes}.items():
        found[name] = sorted(map(str, lab.fetch(query)))
    return found


@contextmanager
def site(server: embedded.EmbeddedServer, source: Lab, home: Path) -> Iterator[Lab]:
    with copy_of(server, source, home) as lab:
        yield lab


@dataclass(frozen=True)
class Whole:
    """A run that was never killed: what it left, and its boundaries."""

    task: Task
    bytes: Bytes
    points: list[Point]

    def of_asset(self, number: int) -> list[Point]:
        """The boundaries inside one asset's transaction, counted by the locks that they begin with."""
        starts = [p.number for p in self.points if p.moment == "before" and _is_first_lock(p, self.task)]
        ends = [*starts[1:], self.points[-1].number + 1]
        return [p for p in self.points if starts[number] <= p.number < ends[number]]


def _is_first_lock(point: Point, task: Task) -> bool:
    kind = "pg_advisory_xact_lock_shared" if task.partition else "pg_advisory_xact_lock("
    return kind in point.statement


def whole(server: embedded.EmbeddedServer, running: Runner, source: Lab, task: Task, home: Path) -> Whole:
    """Make the run that others are compared with."""
    with site(server, source, home) as lab:
        assert running.carry_out([task.order(lab, "whole")]) == [0], report(lab, "whole")
        lines = [line.split(" ", 2) for line in (home / "whole.journal").read_text().splitlines()]
        points = [Point(int(number), moment, statement) for number, moment, statement in lines]
        return Whole(task, bytes_of(lab), points)


@pytest.fixture(scope="module")
def steps(server: embedded.EmbeddedServer, running: Runner, loaded: Lab, tmp_path_factory: Any) -> Whole:
    return whole(server, running, loaded, STEPS_OF_1, tmp_path_factory.mktemp("steps"))


@pytest.fixture(scope="module")
def load(server: embedded.EmbeddedServer, running: Runner, loaded: Lab, tmp_path_factory: Any) -> Whole:
    return whole(server, running, loaded, NEXT_LOAD, tmp_path_factory.mktemp("load"))


def kill_and_recover(
    server: embedded.EmbeddedServer,
    running: Runner,
    source: Lab,
    never_killed: Whole,
    points: Sequence[Point],
    home: Path,
) -> None:
    """Kill runs at some points, two at a time, and run again; each ends as if nothing had happened."""
    for start in range(0, len(points), AT_ONCE):
        with ExitStack() as stack:
            places = {
                point: stack.enter_context(site(server, source, home / f"{point.number}-{point.moment}"))
                for point in points[start : start + AT_ONCE]
            }
            orders = [never_killed.task.order(lab, "killed", point) for point, lab in places.items()]
            assert set(running.carry_out(orders)) == {KILLED}, [report(lab, "killed") for lab in places.values()]
            for point, lab in places.items():
                last = (lab.settings.home / "killed.journal").read_text().splitlines()[-1]
                assert last == f"HERE {point.number} {point.moment} {point.statement}", "the kill did not land there"
                assert not report(lab, "killed")
            again = running.carry_out([never_killed.task.order(lab, "again") for lab in places.values()])
            assert set(again) == {0}, [report(lab, "again") for lab in places.values()]
            for point, lab in places.items():
                assert bytes_of(lab) == never_killed.bytes, point
                left = "SELECT DISTINCT status, error FROM meter.migration_run_log WHERE status <> 'success'"
                assert set(lab.fetch(left)) <= {("failed", INTERRUPTED)}, point


def inside(points: Sequence[Point], share: float, moment: str = "after") -> Point:
    """A boundary so far into some."""
    matching = [point for point in points if point.moment == moment]
    return matching[int(share * (len(matching) - 1))]


def test_steps_killed_inside_some_of_them(
    server: embedded.EmbeddedServer, running: Runner, loaded: Lab, steps: Whole, tmp_path: Path
) -> None:
    points = [inside(steps.of_asset(number), 0.3 + 0.1 * number) for number in (0, 3, 4, 5)]
    kill_and_recover(server, running, loaded, steps, points, tmp_path)


@pytest.mark.slow
def test_load_over_an_older_one_killed_here_and_there(
    server: embedded.EmbeddedServer, running: Runner, loaded: Lab, load: Whole, tmp_path: Path
) -> None:
    points = [
        inside(load.points, 0.4, "during"),
        inside([p for p in load.points if p.statement == "COMMIT"], 0.5, "before"),
        inside([p for p in load.points if p.statement == "COMMIT"], 0.6),
        inside([p for p in load.points if p.statement.startswith("WITH")], 0.9),
    ]
    kill_and_recover(server, running, loaded, load, points, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_steps_killed_at_every_boundary(
    server: embedded.EmbeddedServer, running: Runner, loaded: Lab, steps: Whole, tmp_path: Path, chunk: int
) -> None:
    kill_and_recover(server, running, loaded, steps, steps.points[chunk::CHUNKS], tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("chunk", range(2 * CHUNKS))
def test_load_killed_at_every_boundary(
    server: embedded.EmbeddedServer, running: Runner, loaded: Lab, load: Whole, tmp_path: Path, chunk: int
) -> None:
    kill_and_recover(server, running, loaded, load, load.points[chunk :: 2 * CHUNKS], tmp_path)


# --- at once ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "runs", [2, *(pytest.param(3, marks=pytest.mark.slow, id=f"3-{attempt}") for attempt in range(6))]
)
def test_live_runs_of_one_tenant_at_once_end_as_one(
    server: embedded.EmbeddedServer, running: Runner, loaded: Lab, steps: Whole, tmp_path: Path, runs: int
) -> None:
    with site(server, loaded, tmp_path) as lab:
        orders = [STEPS_OF_1.order(lab, str(number)) for number in range(runs)]
        codes = running.carry_out(orders)
        assert codes == [0] * runs, [report(lab, str(number)) for number in range(runs)]
        assert bytes_of(lab) == steps.bytes
        assert lab.fetch("SELECT DISTINCT status FROM meter.migration_run_log") == [("success",)]


@pytest.mark.slow
def test_tenants_at_once_end_as_one_after_another(
    server: embedded.EmbeddedServer, running: Runner, loaded: Lab, tmp_path: Path
) -> None:
    found = []
    for name, at_once in (("turn", False), ("once", True)):
        with site(server, loaded, tmp_path / name) as lab:
            orders = [Task(STEPS_JOB, tenant, FIRST).order(lab, tenant) for tenant in ("1", "2", "3")]
            batches = [orders] if at_once else [[order] for order in orders]
            assert [code for batch in batches for code in running.carry_out(batch)] == [0, 0, 0]
            found.append(bytes_of(lab))
    assert found[0] == found[1]


@pytest.mark.parametrize("attempt", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 8))])
def test_load_of_the_next_export_while_steps_run(
    server: embedded.EmbeddedServer, running: Runner, loaded: Lab, load: Whole, tmp_path: Path, attempt: int
) -> None:
    with site(server, loaded, tmp_path) as lab:
        codes = running.carry_out([STEPS_OF_1.order(lab, "steps"), NEXT_LOAD.order(lab, "load")])
        assert codes[1] == 0, report(lab, "load")
        stopped = report(lab, "steps")["failures"]
        assert [text for text in stopped.values() if not text.startswith("GateShut: ")] == [], "nothing else stops them"
        assert running.carry_out([NEXT_STEPS.order(lab, "next")]) == [0], report(lab, "next")
        interleaved = fingerprints(lab, tuple(name for name in TARGETS if name != "customer_balances_backup"))
    with site(server, loaded, tmp_path / "in-turn") as lab:
        assert running.carry_out([NEXT_LOAD.order(lab, "load")]) == [0]
        assert running.carry_out([NEXT_STEPS.order(lab, "next")]) == [0]
        in_turn = fingerprints(lab, tuple(interleaved))
    assert interleaved == in_turn, attempt
    assert load.task is NEXT_LOAD


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(4))
def test_two_loads_at_once_end_as_one_of_them(
    server: embedded.EmbeddedServer, running: Runner, loaded: Lab, load: Whole, tmp_path: Path, attempt: int
) -> None:
    with site(server, loaded, tmp_path) as lab:
        orders = [Task(LOAD_JOB, None, export_id).order(lab, export_id) for export_id in (FIRST, SECOND)]
        assert set(running.carry_out(orders)) <= {0, 3}
        assert running.carry_out([NEXT_LOAD.order(lab, "last", allow_shrink=True)]) == [0], report(lab, "last")
        loads = {name: mark for name, mark in bytes_of(lab).items() if name in TARGETS}
        assert loads == {name: load.bytes[name] for name in loads}, attempt
