"""The run log and the gates that are read from it."""

from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa

from migration.outcome import Tally
from migration.warehouse.runlog import INTERRUPTED, RunLog, Status, read_gates
from tests.core.tiny import books, opened, rows

LINES = "SELECT run_id, asset, partition, status, error FROM tiny.migration_run_log ORDER BY started_at, partition"
Gates = list[tuple[str, str | None, str]]


def log(run: str = "r1", export: str = "e1", *, dry: bool = False) -> RunLog:
    return RunLog(books.run_log, run, export, dry)


def ended(connection: sa.Connection, run: RunLog, asset: str, status: Status, partition: str | None = None) -> None:
    run.start(connection, asset, {partition: []})
    run.finish(connection, asset, partition, status, Tally())


def gates(connection: sa.Connection, *upstream: str, export: str = "e1", partition: str | None = None) -> Gates:
    found = read_gates(connection, books.run_log, export, upstream).shut(partition)
    return [(v.asset, v.partition, v.status) for v in found]


def test_a_step_is_logged_from_its_start_to_its_end_with_its_counts(engine: sa.Engine) -> None:
    tally = Tally(
        9, Counter(loaded=3, merged=2, rejected=3, skipped=1), Counter(BAD=3), Counter(zero=1), Counter(odd=2)
    )
    with opened(engine) as connection:
        log().start(connection, "a", {None: ["gate"]})
        assert rows(connection, LINES) == [("r1", "a", None, "running", None)]
        log().finish(connection, "a", None, Status.SUCCESS, tally, fingerprint="1:2")
        line = connection.execute(sa.select(books.run_log)).mappings().one()
    assert {n: line[n] for n in ("source_rows", "loaded", "merged", "rejected", "skipped")} == {
        "source_rows": 9,
        "loaded": 3,
        "merged": 2,
        "rejected": 3,
        "skipped": 1,
    }
    assert (line["rejected_by"], line["skipped_by"], line["warnings"]) == ({"BAD": 3}, {"zero": 1}, {"odd": 2})
    assert (line["fingerprint"], line["overrides"], line["status"]) == ("1:2", ["gate"], "success")
    assert line["finished_at"] >= line["started_at"]


def test_a_retry_of_a_step_goes_on_with_its_line(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        ended(connection, log(), "a", Status.FAILED)
        log().start(connection, "a", {None: []})
        assert rows(connection, "SELECT status, finished_at FROM tiny.migration_run_log") == [("running", None)]


def test_only_the_line_of_the_partition_is_finished(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        for partition in (None, "p1", "p2"):
            log().start(connection, "a", {partition: []})
        log().finish(connection, "a", "p1", Status.SUCCESS, Tally())
        log().finish(connection, "a", None, Status.BLOCKED, Tally(), error="why")
        assert {row[2:] for row in rows(connection, LINES)} == {
            (None, "blocked", "why"),
            ("p1", "success", None),
            ("p2", "running", None),
        }


def test_interrupted_lines_of_the_same_asset_and_partition_are_closed(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        log("dead").start(connection, "a", {"p": []})
        log("dead").start(connection, "a", {"q": []})
        log("dead").start(connection, "b", {"p": []})
        log("dry", dry=True).start(connection, "a", {"p": []})
        log("me").start(connection, "a", {"p": []})
        log("me").close_interrupted(connection, "a", "p")
        assert {row[:3]: row[3:] for row in rows(connection, LINES)} == {
            ("dead", "a", "p"): ("failed", INTERRUPTED),
            ("dead", "a", "q"): ("running", None),
            ("dead", "b", "p"): ("running", None),
            ("dry", "a", "p"): ("running", None),
            ("me", "a", "p"): ("running", None),
        }


@pytest.mark.parametrize(("dry", "status"), [(False, "success"), (True, "dry_run_ok")])
def test_empty_partitions_succeed_with_zeros(engine: sa.Engine, dry: bool, status: str) -> None:
    with opened(engine) as connection:
        log(dry=dry).log_empty_partitions(connection, "a", ["p1", "p2"])
        log(dry=dry).log_empty_partitions(connection, "a", ["p1"])
        log(dry=dry).log_empty_partitions(connection, "a", [])
        found = rows(connection, "SELECT partition, status, loaded, finished_at IS NULL FROM tiny.migration_run_log")
        assert sorted(found) == [("p1", status, 0, False), ("p2", status, 0, False)]


def test_the_log_is_live_also_for_a_dry_run(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        shadow = connection.execution_options(schema_translate_map={"tiny": "nowhere"})
        log(dry=True).start(shadow, "a", {None: []})
        log(dry=True).close_interrupted(shadow, "a", None)
        log(dry=True).finish(shadow, "a", None, Status.DRY_RUN_OK, Tally())
        assert rows(connection, LINES) == [("r1", "a", None, "dry_run_ok", None)]


# --- gates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [s for s in Status if s not in (Status.SUCCESS, Status.RUNNING)])
def test_a_gate_is_shut_by_every_end_but_success(engine: sa.Engine, status: Status) -> None:
    with opened(engine) as connection:
        ended(connection, log(), "a", status)
        assert gates(connection, "a") == [("a", None, status.value)]


def test_the_newest_end_counts(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        ended(connection, log("r1"), "a", Status.BLOCKED)
        ended(connection, log("r2"), "a", Status.SUCCESS)
        assert gates(connection, "a") == []
        ended(connection, log("r3"), "a", Status.FAILED)
        found = read_gates(connection, books.run_log, "e1", ["a"]).shut(None)
        assert [(v.status, v.run_id) for v in found] == [("failed", "r3")]


def test_a_run_that_goes_on_or_was_dry_or_of_another_export_opens_nothing(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        log("r1").start(connection, "a", {None: []})
        ended(connection, log("r2", dry=True), "a", Status.DRY_RUN_OK)
        ended(connection, log("r3", "e2"), "a", Status.SUCCESS)
        assert gates(connection, "a") == [("a", None, "never ran")]
        assert gates(connection, "a", export="e2") == []
        assert gates(connection) == []


def test_a_run_that_goes_on_does_not_shut_what_has_succeeded(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        ended(connection, log("r1"), "a", Status.SUCCESS)
        log("r2").start(connection, "a", {None: []})
        assert gates(connection, "a") == []


CASES: list[tuple[str | None, Gates]] = [
    ("p1", []),
    ("p2", [("a", "p2", "blocked")]),
    ("p3", [("a", "p3", "never ran")]),
    (None, [("a", "p2", "blocked")]),
]


@pytest.mark.parametrize(("partition", "expected"), CASES)
def test_partitions_have_gates_of_their_own(engine: sa.Engine, partition: str | None, expected: Gates) -> None:
    with opened(engine) as connection:
        ended(connection, log(), "a", Status.SUCCESS, "p1")
        ended(connection, log(), "a", Status.BLOCKED, "p2")
        ended(connection, log(), "whole", Status.SUCCESS)
        assert gates(connection, "a", "whole", partition=partition) == expected


def test_partitions_of_another_kind_count_with_all_that_they_ran(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        ended(connection, log(), "a", Status.SUCCESS, "2026-01")
        found = read_gates(connection, books.run_log, "e1", ["a", "b"])
        assert [(v.asset, v.status) for v in found.shut("north", {"a", "b"})] == [("b", "never ran")]
        ended(connection, log(), "a", Status.BLOCKED, "2026-02")
        found = read_gates(connection, books.run_log, "e1", ["a"])
        assert [(v.partition, v.status) for v in found.shut("2026-01", {"a"})] == [("2026-02", "blocked")]
        assert found.shut("2026-01") == []


def test_the_last_success_gives_its_counts(engine: sa.Engine) -> None:
    tally = Tally(5, Counter(loaded=4, rejected=1), Counter(BAD=1))
    with opened(engine) as connection:
        assert log().last_success(connection, "a", None) is None
        log().start(connection, "a", {None: []})
        log().finish(connection, "a", None, Status.SUCCESS, tally, fingerprint="4:1", inputs_digest="d")
        ended(connection, log("r2"), "a", Status.FAILED)
        ended(connection, log("r3", dry=True), "a", Status.SUCCESS)
        last: Any = log("r4").last_success(connection, "a", None)
        assert (last.run_id, last.fingerprint, last.inputs_digest) == ("r1", "4:1", "d")
        assert (last.tally.source_rows, +last.tally.outcomes, last.tally.rejected_by) == (
            5,
            Counter(loaded=4, rejected=1),
            Counter(BAD=1),
        )
        assert log().fingerprints(connection, ["a", "b"]) == ["4:1", ""]
