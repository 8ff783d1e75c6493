"""The ledger and the quarantine: one outcome per row and target, rejects that come and go, nothing written twice."""

from typing import Any

import pandas as pd
import sqlalchemy as sa

from migration.outcome import Outcome, Rule, failed_ledger, label, rejects, split_by_rules
from migration.warehouse.ledger import OutcomeStages
from tests.core.tiny import books, opened, rows

RULES = (Rule("BAD", lambda r: r["v"] < 0, "v"), Rule("zero", lambda r: r["v"] == 0, outcome=Outcome.SKIPPED))
LEDGER = "SELECT source_row, target_table, outcome, reason, target_key, run_id FROM tiny.row_ledger ORDER BY 1, 2"
REJECTED = "SELECT source_row, target_table, reason_code, detail, raw->>'v' FROM tiny.rejected_row ORDER BY 1, 2"


def stage(
    connection: sa.Connection, values: list[int], *, run: str = "r1", export: str = "e1", target: str = "t"
) -> OutcomeStages:
    """Label source rows by their values and stage the outcomes."""
    numbers = range(1, len(values) + 1)
    frame = pd.DataFrame({"v": values, "source_row": list(numbers), "source_pk": [f"row:{n}" for n in numbers]})
    passed, failed = split_by_rules(RULES, frame)
    stages = OutcomeStages.create(connection, books, export_id=export, source_table="s", run_id=run)
    kept = label(target, passed, Outcome.LOADED, target_key=passed["v"].astype(str))
    raw = [f'{{"v": {v}}}' for v in failed["v"]]
    stages.add(connection, kept, rejects(target, failed, raw))
    stages.add(connection, failed_ledger(target, failed), frame.iloc[:0])
    return stages


def write(engine: sa.Engine, values: list[int], **options: Any) -> None:
    with opened(engine) as connection:
        stage(connection, values, **options).write(connection)


def fetch(engine: sa.Engine, statement: str) -> list[tuple[Any, ...]]:
    with opened(engine) as connection:
        return rows(connection, statement)


def test_outcomes_and_rejects_are_written(engine: sa.Engine) -> None:
    write(engine, [5, -1, 0])
    assert fetch(engine, LEDGER) == [
        (1, "t", "loaded", None, "5", "r1"),
        (2, "t", "rejected", "BAD", None, "r1"),
        (3, "t", "skipped", "zero", None, "r1"),
    ]
    assert fetch(engine, REJECTED) == [(2, "t", "BAD", "v: BAD", "-1")]


def test_the_same_outcomes_again_write_nothing_whatever_the_run(engine: sa.Engine) -> None:
    place = "SELECT ctid::text, xmin::text FROM tiny.{} ORDER BY 1"
    write(engine, [5, -1, 0])
    before = [fetch(engine, place.format(name)) for name in ("row_ledger", "rejected_row")]
    write(engine, [5, -1, 0], run="r2")
    assert [fetch(engine, place.format(name)) for name in ("row_ledger", "rejected_row")] == before


def test_a_row_that_is_no_longer_rejected_leaves_the_quarantine(engine: sa.Engine) -> None:
    write(engine, [5, -1, -2])
    serial = fetch(engine, "SELECT id FROM tiny.rejected_row WHERE source_row = 3")
    write(engine, [5, 7, -2], run="r2")
    assert fetch(engine, LEDGER)[1] == (2, "t", "loaded", None, "7", "r2")
    assert fetch(engine, REJECTED) == [(3, "t", "BAD", "v: BAD", "-2")]
    assert fetch(engine, "SELECT id FROM tiny.rejected_row WHERE source_row = 3") == serial


def test_a_rejected_row_that_changed_is_updated_and_keeps_its_number(engine: sa.Engine) -> None:
    write(engine, [-1])
    before = fetch(engine, "SELECT id, rejected_at FROM tiny.rejected_row")
    write(engine, [-9])
    after = fetch(engine, "SELECT id, rejected_at FROM tiny.rejected_row")
    assert fetch(engine, REJECTED) == [(1, "t", "BAD", "v: BAD", "-9")]
    assert after[0][0] == before[0][0]
    assert after[0][1] > before[0][1]


def test_exports_and_targets_do_not_touch_each_other(engine: sa.Engine) -> None:
    write(engine, [-1])
    write(engine, [1], export="e2")
    write(engine, [2], target="other")
    assert fetch(engine, "SELECT export_id, target_table, outcome FROM tiny.row_ledger ORDER BY 1, 2") == [
        ("e1", "other", "loaded"),
        ("e1", "t", "rejected"),
        ("e2", "t", "loaded"),
    ]
    assert len(fetch(engine, REJECTED)) == 1


def test_a_blocked_step_writes_its_rejects_only(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        stage(connection, [5, -1, 0]).write_rejects_only(connection)
    assert fetch(engine, LEDGER) == [(2, "t", "rejected", "BAD", None, "r1")]
    assert len(fetch(engine, REJECTED)) == 1


def test_two_bad_rows_with_the_same_legacy_key_are_both_kept(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        frame = pd.DataFrame({"v": [-1, -1], "source_row": [1, 2], "source_pk": ["same", "same"]})
        _, failed = split_by_rules(RULES, frame)
        stages = OutcomeStages.create(connection, books, export_id="e", source_table="s", run_id="r")
        stages.add(connection, failed_ledger("t", failed), rejects("t", failed, ["{}", "{}"]))
        stages.write(connection)
    assert len(fetch(engine, REJECTED)) == 2
