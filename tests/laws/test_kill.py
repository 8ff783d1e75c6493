"""Law: all or nothing. A run killed at any boundary, and run again, ends as a run that was never killed."""

from collections.abc import Iterator

import pytest

from migration import embedded
from tests.laws.drill import Point, Reference, Runner, kill_and_recover, reference, runner, spread
from tests.laws.lab import first_world

AT_ONCE = 2
CHUNKS = 24

# Where the fast drill kills: beginning of the statement, moment, share of such boundaries that lie before it.
SPREAD = [
    ("COPY", "during", 0.2),
    ("COMMIT", "before", 0.35),
    ("COMMIT", "after", 0.5),
    ("WITH", "after", 0.6),
    ("RELEASE", "before", 0.75),
    ("COMMIT", "before", 0.9),
]


@pytest.fixture(scope="module")
def running() -> Iterator[Runner]:
    with runner() as started:
        yield started


@pytest.fixture(scope="module")
def whole(server: embedded.EmbeddedServer, running: Runner) -> Reference:
    return reference(server, running, first_world())


def drill(server: embedded.EmbeddedServer, running: Runner, whole: Reference, points: list[Point]) -> None:
    """Kill and recover at each point, two at a time."""
    for start in range(0, len(points), AT_ONCE):
        kill_and_recover(server, running, first_world(), whole, points[start : start + AT_ONCE])


def test_a_run_killed_here_and_there(server: embedded.EmbeddedServer, running: Runner, whole: Reference) -> None:
    kinds = {point.statement.split(" ")[0] for point in whole.points}
    assert {"CREATE", "INSERT", "WITH", "COPY", "COMMIT", "SAVEPOINT", "RELEASE", "SELECT", "UPDATE"} <= kinds
    assert {point.moment for point in whole.points} == {"before", "during", "after"}
    drill(server, running, whole, spread(whole.points, SPREAD))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_run_killed_at_every_boundary(
    server: embedded.EmbeddedServer, running: Runner, whole: Reference, chunk: int
) -> None:
    drill(server, running, whole, whole.points[chunk::CHUNKS])
