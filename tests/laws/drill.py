"""The kill drill: kill a run at a boundary, prove that the kill landed, run again, compare with a run never killed."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from migration import embedded
from migration.warehouse.runlog import INTERRUPTED
from tests.conftest import scratch_database
from tests.laws.lab import MONTHS, Image, World, image_of, variables, write_export

ROOT = Path(__file__).parents[2]
KILLED = -9


@dataclass
class Runner:
    """The process that forks runs."""

    process: "subprocess.Popen[str]"

    def carry_out(self, orders: Sequence[dict[str, Any]]) -> list[int]:
        """Carry out orders at the same time; gives their exit codes, negative = the signal that ended them."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(json.dumps(list(orders)) + "\n")
        stdin.flush()
        return json.loads(stdout.readline())


@contextmanager
def runner() -> Iterator[Runner]:
    """A runner, ready."""
    command = [sys.executable, "-m", "tests.laws.runner"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield Runner(process)
        assert process.stdin is not None
        process.stdin.close()


@dataclass(frozen=True)
class Point:
    """A boundary of a run."""

    number: int
    moment: str
    statement: str

    def __str__(self) -> str:
        return f"{self.number} {self.moment} {self.statement[:40]}"


@dataclass(frozen=True)
class Aftermath:
    """What a run left behind."""

    image: Image
    run_log: dict[str, tuple[Any, ...]]
    relations: tuple[str, ...]


@dataclass
class Site:
    """A database and a home in which runs are made in other processes."""

    home: Path
    url: str
    runner: Runner
    months: tuple[str, str] = MONTHS

    def order(self, name: str, point: Point | None = None, **options: Any) -> dict[str, Any]:
        """An order to run the migration, killed at a point or not."""
        return {
            "environment": variables(self.home, self.url),
            "journal": str(self.home / f"{name}.journal"),
            "report": str(self.home / f"{name}.json"),
            "months": self.months,
            "number": point.number if point else 0,
            "moment": point.moment if point else "",
            "options": options,
        }

    def report(self, name: str) -> dict[str, Any]:
        """What a run said of itself; empty when it was killed."""
        path = self.home / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def journal(self, name: str) -> list[str]:
        """The boundaries that a run reached."""
        return (self.home / f"{name}.journal").read_text().splitlines()

    def aftermath(self, run_id: str = "") -> Aftermath:
        """What is in the database; the run log of one run."""
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        log = sa.text(
            "SELECT asset || coalesce(' ' || partition, ''), status, source_rows, loaded, merged, rejected, skipped,"
            " rejected_by::text, skipped_by::text, warnings::text, fingerprint, error"
            " FROM skynet.migration_run_log WHERE run_id = :run"
        )
        relations = sa.text(
            "SELECT relkind::text || ' ' || relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE n.nspname LIKE 'skynet%' ORDER BY 1"
        )
        with engine.connect() as connection:
            found = tuple(connection.scalars(relations))
            lines = connection.execute(log, {"run": run_id}) if found else []
            by_step = {line[0]: tuple(line[1:]) for line in lines}
        return Aftermath(image_of(engine), by_step, found)

    def untouched(self) -> bool:
        """Whether nothing is there yet: no schema, no staged frame."""
        return not self.aftermath().relations and not (self.home / "work").exists()

    def interrupted(self) -> list[tuple[str, str | None]]:
        """Status and error of every run log row that is not a success."""
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            rows = connection.execute(
                sa.text("SELECT status, error FROM skynet.migration_run_log WHERE status <> 'success'")
            )
            return [tuple(row) for row in rows]


@contextmanager
def site(server: embedded.EmbeddedServer, running: Runner, world: World, export_id: str = "first") -> Iterator[Site]:
    """An empty database, without even a schema, and a landing zone with one export."""
    with scratch_database(server) as url, tempfile.TemporaryDirectory(prefix="migration-drill-") as home:
        write_export(Path(home) / "landing", export_id, world)
        yield Site(Path(home), url, running)


@dataclass(frozen=True)
class Reference:
    """A run that was never killed: what it left, and its boundaries."""

    aftermath: Aftermath
    points: list[Point]


def reference(server: embedded.EmbeddedServer, running: Runner, world: World) -> Reference:
    """Make the run that others are compared with."""
    with site(server, running, world) as place:
        assert running.carry_out([place.order("whole")]) == [0], place.report("whole")
        lines = [line.split(" ", 2) for line in place.journal("whole")]
        points = [Point(int(number), moment, statement) for number, moment, statement in lines]
        return Reference(place.aftermath(place.report("whole")["run_id"]), points)


def kill_and_recover(
    server: embedded.EmbeddedServer, running: Runner, world: World, whole: Reference, points: Sequence[Point]
) -> None:
    """Kill runs at some points, all at once, and run again; each ends as if nothing had happened.

    A run that was killed before it left anything at all is not repeated: that is how the run never killed began.
    """
    with ExitStack() as stack:
        places = {point: stack.enter_context(site(server, running, world)) for point in points}
        killed = running.carry_out([place.order("killed", point) for point, place in places.items()])
        assert set(killed) == {KILLED}, [place.report("killed") for place in places.values()]
        for point, place in places.items():
            last = place.journal("killed")[-1]
            assert last == f"HERE {point.number} {point.moment} {point.statement}", "the kill did not land there"
            assert not place.report("killed")
            nothing_half_written(place.aftermath().image, whole.aftermath.image)
        touched = {point: place for point, place in places.items() if not place.untouched()}
        again = running.carry_out([place.order("again") for place in touched.values()])
        assert set(again) <= {0}, [place.report("again") for place in touched.values()]
        for point, place in touched.items():
            assert place.aftermath(place.report("again")["run_id"]) == whole.aftermath, point
            assert set(place.interrupted()) <= {("failed", INTERRUPTED)}, point


def nothing_half_written(after_kill: Image, whole: Image) -> None:
    """Each table (each month of it) has all of its rows or none; what was written is what should be."""
    for name in ("packages", "routers", "customers", "customer_merge_log", "branch_summaries", "identity_card_photos"):
        assert after_kill.get(name, []) in ([], whole[name]), name
    assert bool(after_kill.get("customers")) == bool(after_kill.get("customer_merge_log"))
    for name in ("invoices", "transactions"):
        for month in MONTHS:
            rows = [row for row in after_kill.get(name, []) if month in row[0]]
            assert rows in ([], [row for row in whole[name] if month in row[0]]), (name, month)


def spread(points: Sequence[Point], where: Sequence[tuple[str, str, float]]) -> list[Point]:
    """Points chosen by what is done there and how far into the run it is.

    Args:
        points: all boundaries.
        where: beginning of the statement, moment, and a share of the run from 0 to 1.
    """
    chosen = []
    for beginning, moment, share in where:
        matching = [p for p in points if p.moment == moment and p.statement.startswith(beginning)]
        chosen.append(matching[int(share * (len(matching) - 1))])
    return chosen
