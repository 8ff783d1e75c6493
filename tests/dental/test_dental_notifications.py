"""Notifications by range: partitions in any order, killed inside one and resumed, run again."""

import datetime as dt
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from dental_assets.automation import notifications_nightly
from migration import embedded
from migration.declare import run as declared_run
from migration.warehouse.connect import warehouse_engine
from tests.conftest import scratch_database, settings_at
from tests.dental.conftest import installation
from tests.dental.dental_cases import Export, notification
from tests.dental.dental_comparing import (
    RANGED,
    assert_counts,
    assert_ledger,
    assert_rejected,
    assert_tables,
    keys_of,
)
from tests.dental.dental_harness import NOTIFICATIONS_JOB, PARTITIONS, UNKEYED, Lab
from tests.dental.dental_reference import Reference
from tests.dental.dental_small import FIRST, SECOND, small
from tests.dental.dental_writing import Junk, Written, encoded
from tests.laws.drill import KILLED, ROOT, Point

BATCH, MANY = 10_000, 25_000
BOOKS = (RANGED, "notification_progress", "row_ledger", "rejected_row")
GREATEST_ID = 2**63 - 1
KEYS = ["000000000", "000100000", "000200000", "10000000000", "9223372036854700000", UNKEYED]


def told(key: Any, **values: Any) -> dict[str, Any]:
    """A notification."""
    return notification(key, 1, **values)[1]


def ranged() -> dict[str, Any]:
    """The small export with notifications of several ranges, not sorted, some repeated, some bad."""
    rows = [
        *(told(key, sender=f"s{key}") for key in (250_000, 100_000, 99_999, 1, 199_999, 10**10 + 5, 2, GREATEST_ID)),
        told(1, sender="the last one counts"),
        told(100_000, recipient_id=999_999),
        told(3, send=False),
        told(4, created_at="never"),
        Junk('{"id": 7'),
        told("x"),
        told(0),
    ]
    return {**small(), "dispatch_notification": encoded(rows, "jsonl")}


def compare(lab: Lab, reference: Reference, run_ids: list[str]) -> None:
    """Everything about notifications, and what they need."""
    assert_tables(lab, reference)
    assert_ledger(lab, reference)
    assert_rejected(lab, reference)
    assert_counts(lab, reference, run_ids)


# --- partitions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turned", [False, True])
def test_partitions_in_any_order_give_one_table(dental_lab: Lab, turned: bool) -> None:
    lab, reference = dental_lab, Reference()
    reference.load(lab.put(FIRST, ranged()))
    ran = lab.migrate(FIRST)
    assert ran.failures == {}
    assert sorted(lab.partitions()) == KEYS == keys_of(reference)
    ranges = lab.notify(FIRST, sorted(KEYS, reverse=turned))
    assert [each.failures for each in ranges] == [{}] * len(KEYS)
    compare(lab, reference, [ran.run_id, *(each.run_id for each in ranges)])
    progress = {row["partition_key"]: row for row in lab.rows("notification_progress")}
    assert {row["status"] for row in progress.values()} == {"DONE"}
    assert set(progress) == set(KEYS)
    names = ("source_rows", "loaded", "merged", "rejected", "skipped")
    assert tuple(progress["000000000"][name] for name in names) == (6, 3, 1, 1, 1)
    assert tuple(progress[UNKEYED][name] for name in names) == (3, 0, 0, 3, 0)
    assert progress["000100000"]["last_legacy_id"] == 199_999


def asked_for(lab: Lab) -> list[tuple[str | None, str]]:
    """Partition and export of the runs that the nightly schedule asks for; none where it skips."""
    night = dt.datetime(2026, 2, 20, 2, tzinfo=dt.UTC)
    with dg.instance_for_test() as instance, lab._surroundings():
        found = notifications_nightly(dg.build_schedule_context(instance=instance, scheduled_execution_time=night))
        if isinstance(found, dg.SkipReason):
            return []
        assert isinstance(found, list)
        assert {each.partition_key for each in found} == set(instance.get_dynamic_partitions(PARTITIONS))
    options = [each.run_config["resources"]["migration_run"]["config"] for each in found]
    return [(each.partition_key, of_run["export_id"]) for each, of_run in zip(found, options, strict=True)]


def test_schedule_asks_for_the_open_ranges_of_the_newest_export(dental_lab: Lab) -> None:
    lab = dental_lab
    for export_id in (SECOND, FIRST):
        lab.put(export_id, ranged())
        assert lab.migrate(export_id).failures == {}
    assert asked_for(lab) == [(key, SECOND) for key in KEYS]
    lab.notify(SECOND, KEYS[1:])
    assert asked_for(lab) == [(KEYS[0], SECOND)]
    lab.notify(SECOND, KEYS[:1])
    assert asked_for(lab) == []


def test_range_that_is_done_is_not_written_again(dental_lab: Lab) -> None:
    lab = dental_lab
    lab.put(FIRST, ranged())
    assert lab.migrate(FIRST).failures == {}
    lab.notify(FIRST, KEYS)
    before = lab.images(RANGED, "row_ledger", "rejected_row")
    assert [ran.failures for ran in lab.notify(FIRST, KEYS)] == [{}] * len(KEYS)
    assert lab.images(RANGED, "row_ledger", "rejected_row") == before


def test_next_export_changes_only_what_differs(dental_lab: Lab) -> None:
    lab, reference = dental_lab, Reference()
    rows = [told(1, sender="new"), told(2, sender="s2"), told(5), told(100_000, recipient_id=None)]
    for export_id, files in ((FIRST, ranged()), (SECOND, {**small(), "dispatch_notification": rows})):
        reference.load(lab.put(export_id, files))
        ran = lab.migrate(export_id)
        ranges = lab.notify(export_id, keys_of(reference))
        assert [each.failures for each in (ran, *ranges)] == [{}] * (len(ranges) + 1)
        compare(lab, reference, [each.run_id for each in (ran, *ranges)])
    export_ids = {row["legacy_notification_id"]: row["export_id"] for row in lab.rows(RANGED)}
    assert (export_ids[1], export_ids[2], export_ids[5], export_ids[250_000]) == (SECOND, FIRST, SECOND, FIRST)


def test_pace_is_told_while_a_range_is_carried(dental_lab: Lab) -> None:
    dental_lab.put(FIRST, ranged())
    assert dental_lab.migrate(FIRST).failures == {}
    (ran,) = dental_lab.notify(FIRST, ["000000000"])
    told_of = [entry.user_message for entry in dental_lab.instance.all_logs(ran.run_id) if "rows/s" in entry.message]
    chunks = {row["partition_key"]: row["source_rows"] for row in dental_lab.rows("notification_chunks")}
    waiting = sum(chunks.values()) - chunks["000000000"]
    assert len(told_of) == 1
    assert f"with the {waiting} rows that wait" in told_of[0]


def test_no_card_number_is_in_what_a_notification_says(dental_lab: Lab) -> None:
    context = {"text": "4111 1111 1111 1111", "pan": 4111111111111111, "Password": "x", "deep": [{"card_bin": 1}]}
    dental_lab.put(FIRST, {**small(), "dispatch_notification": [told(1, template_context=context)]})
    assert dental_lab.migrate(FIRST).failures == {}
    assert [ran.failures for ran in dental_lab.notify(FIRST, ["000000000"])] == [{}]
    (row,) = dental_lab.rows(RANGED)
    assert row["context"] == {"text": "[PAN-REDACTED]", "pan": "[PAN-REDACTED]", "deep": [{}]}


# --- killed and resumed -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded(server: embedded.EmbeddedServer, dental_template: str, tmp_path_factory: Any) -> Iterator[Lab]:
    """All but the notifications of an export is loaded; one range of them has three batches."""
    with installation(server, dental_template, tmp_path_factory.mktemp("loaded")) as lab:
        lab.put(FIRST, {**small(), "dispatch_notification": many()})
        assert lab.migrate(FIRST).failures == {}
        yield lab


def many() -> Written:
    """Notifications that fill two batches and half of a third, every hundredth of nobody."""
    rows: Export = {"": [told(key, recipient_id=999_999 if key % 100 == 0 else 1) for key in range(MANY, 0, -1)]}
    return encoded(rows[""], "jsonl", packed=True)


@contextmanager
def copied(server: embedded.EmbeddedServer, source: Lab, home: Path) -> Iterator[Lab]:
    """A copy of an installation."""
    source.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    source.engine.dispose()
    template = str(source.settings.database_url).rpartition("/")[2].partition("?")[0]
    for name in ("landing", "work"):
        if (source.settings.home / name).exists():
            shutil.copytree(source.settings.home / name, home / name)
    with scratch_database(server, template) as url, dg.DagsterInstance.ephemeral() as instance:
        settings = settings_at(home, url, url)
        engine = warehouse_engine(settings)
        yield Lab(settings, engine, instance)
        engine.dispose()
        declared_run.engine_of.cache_clear()


def run_alone(lab: Lab, name: str, point: Point | None = None) -> int:
    """Run the range in a process of its own, killed at a point or not; gives its exit code."""
    home = lab.settings.home
    order = {
        "home": str(home),
        "url": str(lab.settings.database_url),
        "journal": str(home / f"{name}.journal"),
        "report": str(home / f"{name}.json"),
        "number": point.number if point else 0,
        "moment": point.moment if point else "",
        "job": NOTIFICATIONS_JOB,
        "partition": KEYS[0],
        "partitions": [KEYS[0]],
        "options": {"export_id": FIRST},
    }
    command = [sys.executable, "-m", "tests.dental.dental_runner"]
    return subprocess.run(command, cwd=ROOT, input=json.dumps(order), text=True, check=False).returncode


def points_of(lab: Lab, name: str) -> list[Point]:
    """The boundaries that a run reached."""
    lines = (lab.settings.home / f"{name}.journal").read_text().splitlines()
    return [Point(int(number), moment, text) for number, moment, text in (line.split(" ", 2) for line in lines)]


def what_is_left(lab: Lab) -> dict[str, Any]:
    """Every row of every table that a range is written to, but for clocks, serial numbers and runs."""
    drop = ("run_id", "updated_at", "id")
    found: dict[str, Any] = {RANGED: sorted(map(str, lab.rows(RANGED)))}
    for name in BOOKS[1:]:
        rows = [{column: value for column, value in row.items() if column not in drop} for row in lab.rows(name)]
        found[name] = sorted(map(str, rows))
    return found


@pytest.fixture(scope="module")
def whole(server: embedded.EmbeddedServer, loaded: Lab, tmp_path_factory: Any) -> tuple[dict[str, Any], list[Point]]:
    """What a run that was never killed leaves, and its boundaries."""
    with copied(server, loaded, tmp_path_factory.mktemp("whole")) as lab:
        assert run_alone(lab, "whole") == 0
        return what_is_left(lab), points_of(lab, "whole")


def kill_and_resume(
    server: embedded.EmbeddedServer, source: Lab, whole: dict[str, Any], point: Point, home: Path
) -> int:
    """Kill a run at a point and run again; gives how many rows the killed run had written."""
    with copied(server, source, home) as lab:
        assert run_alone(lab, "killed", point) == KILLED
        assert (lab.settings.home / "killed.journal").read_text().splitlines()[-1].startswith(f"HERE {point.number} ")
        written = len(lab.rows(RANGED)) + len([r for r in lab.rows("rejected_row") if r["target_table"] == RANGED])
        assert written in (0, BATCH, 2 * BATCH, MANY), "only whole batches are there"
        progress = [row["last_legacy_id"] for row in lab.rows("notification_progress")]
        assert [number for number in progress if number] == ([written] if written else [])
        before = dict(lab.fetch("SELECT legacy_notification_id, xmin::text FROM dental.notifications"))
        assert run_alone(lab, "again") == 0
        assert what_is_left(lab) == whole
        after = dict(lab.fetch("SELECT legacy_notification_id, xmin::text FROM dental.notifications"))
        assert {key: after[key] for key in before} == before, "what was there is not written again"
        return written


def commits(points: list[Point], moment: str) -> list[Point]:
    return [point for point in points if (point.statement, point.moment) == ("COMMIT", moment)]


@pytest.mark.timeout(600)
def test_killed_between_batches_and_resumed(
    server: embedded.EmbeddedServer, loaded: Lab, whole: tuple[dict[str, Any], list[Point]], tmp_path: Path
) -> None:
    left, points = whole
    found = []
    for place, point in enumerate(commits(points, "after")):
        written = kill_and_resume(server, loaded, left, point, tmp_path / str(place))
        found.append(written)
        if written == 2 * BATCH:
            break
    assert {BATCH, 2 * BATCH} <= set(found)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_at_any_boundary_and_resumed(
    server: embedded.EmbeddedServer, loaded: Lab, whole: tuple[dict[str, Any], list[Point]], tmp_path: Path
) -> None:
    left, points = whole
    for place, point in enumerate(points[:: max(1, len(points) // 40)]):
        kill_and_resume(server, loaded, left, point, tmp_path / str(place))
