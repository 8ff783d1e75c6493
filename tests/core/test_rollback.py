"""Rollback on tiny tables: every type comes back exactly, in every order of inserts, updates and deletes."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from migration.rollback import RollbackRefused, RollbackReport, RollbackRequest, roll_back
from migration.warehouse.upsert import delete_logged, update_logged
from tests.core.tiny import SYSTEM, books, children, load, log_success, opened, parent, parents, rows

JANUARY = dt.date(2026, 1, 1)
ROWS = "SELECT 'p', p::text FROM tiny.parents p UNION ALL SELECT 'c', c::text FROM tiny.children c ORDER BY 1, 2"
FULL = {
    "amount": Decimal("123456789012.30"),
    "status": "new",
    "seen_at": dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC),
    "tags": '{a,"b,\\"c",NULL,""}',
    "extra": '{"b": [1.50, null], "a": "ü"}',
}


def child(key: int, **values: Any) -> dict[str, Any]:
    return {"parent_id": key, "month": JANUARY, "amount": Decimal(1)} | values


def undo(engine: sa.Engine, run: str = "r2", *, force: bool = False) -> RollbackReport:
    return roll_back(engine, SYSTEM, RollbackRequest(run, "", force, f"undo {run}"))


@pytest.fixture
def before(engine: sa.Engine) -> list[tuple[Any, ...]]:
    """Two parents, one with a child that has every value, one with a child that has none."""
    with opened(engine) as connection:
        log_success(connection, "r1")
        load(connection, parents, [parent(1, "a"), parent(2, None)])
        load(connection, children, [child(1, **FULL), child(2)])
        return rows(connection, ROWS)


def state(engine: sa.Engine) -> list[tuple[Any, ...]]:
    with opened(engine) as connection:
        return rows(connection, ROWS)


def test_updates_of_every_type_come_back(engine: sa.Engine, before: list[Any]) -> None:
    with opened(engine) as connection:
        log_success(connection, "r2", "e2")
        load(connection, parents, [parent(1, "b"), parent(2, "c")], export="e2", run="r2")
        load(connection, children, [child(1), child(2, **FULL)], export="e2", run="r2")
    report = undo(engine)
    assert state(engine) == before
    assert report.restored == {
        "parents": {"deleted": 0, "restored": 2, "inserted": 0},
        "children": {"deleted": 0, "restored": 2, "inserted": 0},
    }


def test_deleted_rows_come_back(engine: sa.Engine, before: list[Any]) -> None:
    with opened(engine) as connection:
        log_success(connection, "r2")
        delete_logged(connection, children, sa.true(), books.change, "r2")
        delete_logged(connection, parents, sa.true(), books.change, "r2")
    assert undo(engine).restored["children"] == {"deleted": 0, "restored": 0, "inserted": 2}
    assert state(engine) == before


def test_inserted_rows_go_whoever_points_to_them_now(engine: sa.Engine, before: list[Any]) -> None:
    """A row that was there before the run points to one that the run brought."""
    with opened(engine) as connection:
        log_success(connection, "r2")
        load(connection, parents, [parent(3, "new")], run="r2")
        delete_logged(connection, children, children.c.parent_id == 2, books.change, "r2")
        load(connection, children, [child(3)], run="r2")
        delete_logged(connection, parents, parents.c.id == 2, books.change, "r2")
    undo(engine)
    assert state(engine) == before


def test_a_row_inserted_and_deleted_by_the_same_run_stays_away(engine: sa.Engine, before: list[Any]) -> None:
    with opened(engine) as connection:
        log_success(connection, "r2")
        load(connection, parents, [parent(3, "new")], run="r2")
        delete_logged(connection, parents, parents.c.id == 3, books.change, "r2")
    undo(engine)
    assert state(engine) == before


def test_a_row_deleted_and_brought_back_by_the_same_run(engine: sa.Engine, before: list[Any]) -> None:
    with opened(engine) as connection:
        log_success(connection, "r2")
        delete_logged(connection, children, children.c.parent_id == 1, books.change, "r2")
        load(connection, children, [child(1, amount=Decimal(9))], run="r2")
        update_logged(connection, children, {"amount": Decimal(8)}, children.c.parent_id == 1, books.change, "r2")
    undo(engine)
    assert state(engine) == before


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE tiny.parents SET note = 'x' WHERE id = 1",
        "DELETE FROM tiny.children WHERE parent_id = 1",
        "INSERT INTO tiny.children SELECT 2, '2026-01-01', 1, NULL, NULL, NULL, NULL, 'x', 'x'",
    ],
)
def test_any_change_since_is_refused_and_changes_nothing(engine: sa.Engine, before: list[Any], change: str) -> None:
    with opened(engine) as connection:
        log_success(connection, "r2")
        load(connection, parents, [parent(1, "b")], run="r2")
        load(connection, children, [child(1)], run="r2")
        delete_logged(connection, children, children.c.parent_id == 2, books.change, "r2")
    with opened(engine) as connection:
        connection.execute(sa.text(change))
    changed = state(engine)
    with pytest.raises(
        RollbackRefused, match=r"Rows were changed since run r2: (parents 1|children [12] 2026-01-01)\."
    ):
        undo(engine)
    assert state(engine) == changed


def test_runs_are_undone_one_by_one_newest_first(engine: sa.Engine, before: list[Any]) -> None:
    states = [before]
    for run, name in (("r2", "b"), ("r3", "c")):
        with opened(engine) as connection:
            log_success(connection, run, "e2")
            load(connection, parents, [parent(1, name)], run=run)
        states.append(state(engine))
    with pytest.raises(RollbackRefused):
        undo(engine, "r2")
    undo(engine, "r3")
    assert state(engine) == states[1]
    undo(engine, "r2")
    assert state(engine) == states[0]


def test_all_runs_of_an_export_at_once(engine: sa.Engine, before: list[Any]) -> None:
    for run, name in (("r2", "b"), ("r3", "c")):
        with opened(engine) as connection:
            log_success(connection, run, "e2")
            load(connection, parents, [parent(1, name)], run=run)
    report = roll_back(engine, SYSTEM, RollbackRequest("", "e2", False, "undo"))
    assert report.runs == ["r3", "r2"]
    assert state(engine) == before


def test_rows_that_stay_whatever_happens(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(parents.info, "keep_on_rollback", parents.c.note.is_not(None))
    monkeypatch.setitem(parents.info, "kept_columns", ("note",))
    with opened(engine) as connection:
        log_success(connection, "r1")
        load(connection, parents, [parent(1, "a"), parent(2, "b")])
        connection.execute(sa.text("UPDATE tiny.parents SET note = 'by hand' WHERE id = 2"))
    report = undo(engine, "r1")
    assert report.kept == {"parents": 1}
    with opened(engine) as connection:
        assert rows(connection, "SELECT id, note FROM tiny.parents") == [(2, "by hand")]


def test_keys_of_several_columns_are_named_in_their_order(engine: sa.Engine, before: list[Any]) -> None:
    with opened(engine) as connection:
        log_success(connection, "r2")
        load(connection, children, [child(1)], run="r2")
        connection.execute(sa.text("UPDATE tiny.children SET amount = 7"))
    with pytest.raises(RollbackRefused, match=r"children 1 2026-01-01\."):
        undo(engine)


def test_the_foreign_keys_are_as_before(engine: sa.Engine, before: list[Any]) -> None:
    with opened(engine) as connection:
        log_success(connection, "r2")
        load(connection, parents, [parent(1, "b")], run="r2")
    undo(engine)
    with opened(engine) as connection:
        assert rows(
            connection, "SELECT DISTINCT condeferrable, condeferred FROM pg_constraint WHERE contype = 'f'"
        ) == [(False, False)]


def test_the_ledger_of_a_run_goes_and_its_rejects_stay(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        log_success(connection, "r1")
        line = {"export_id": "e1", "source_table": "s", "target_table": "t", "source_pk": "x", "run_id": "r1"}
        lines = [line | {"source_row": 1, "outcome": "loaded"}, line | {"source_row": 2, "outcome": "rejected"}]
        connection.execute(sa.insert(books.ledger), lines)
    undo(engine, "r1")
    with opened(engine) as connection:
        assert rows(connection, "SELECT source_row FROM tiny.row_ledger") == [(2,)]
        assert rows(connection, "SELECT run_id, asset, status FROM tiny.migration_run_log ORDER BY started_at") == [
            ("r1", "parents", "rolled_back"),
            ("undo r1", "rollback", "success"),
        ]


def test_what_follows_from_restored_rows_is_derived_again(engine: sa.Engine, before: list[Any]) -> None:
    """After the rows are back, and before the proof."""
    with opened(engine) as connection:
        log_success(connection, "r2")
        load(connection, parents, [parent(1, "b")], run="r2")
    seen: list[Any] = []

    def derive(connection: sa.Connection, runs: Sequence[str]) -> None:
        seen.append((list(runs), rows(connection, "SELECT name FROM tiny.parents WHERE id = 1")))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SYSTEM, "derive_again", derive)
        undo(engine)
    assert seen == [(["r2"], [("a",)])]
    assert state(engine) == before
