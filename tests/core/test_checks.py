"""Law: checks can fail. Each factory is broken behind its back and sees exactly that; limits are exact."""

import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from upath import UPath

from migration.checks import (
    Check,
    Judgement,
    Scope,
    at_least,
    at_most,
    conservation,
    derived_checks,
    judge,
    none_of,
    orphans,
    share,
    unique,
    within,
)
from migration.exports.verify import Export
from migration.frames import FrameStore
from tests.core.tiny import books, children, load, opened, parent, parents

JANUARY, FEBRUARY = dt.date(2026, 1, 1), dt.date(2026, 2, 1)


def scope_of(connection: sa.Connection, source_rows: int = 0, **changes: Any) -> Scope:
    export = Export("tiny", "e1", UPath("/nowhere"), None, (), "hash")
    frames = FrameStore(UPath("/nowhere"), "e1", "r1")
    return Scope(connection, books, export, frames, ("s",), source_rows, **changes)


@pytest.fixture
def connection(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Two parents, a child each in another month, and a ledger that says so."""
    with opened(engine) as filled:
        load(filled, parents, [parent(1, "a"), parent(2, "b")])
        rows = [{"parent_id": n, "month": month, "amount": Decimal(1)} for n, month in ((1, JANUARY), (2, FEBRUARY))]
        load(filled, children, rows)
        for number, outcome in enumerate(["loaded", "loaded", "merged", "rejected", "skipped"], 1):
            filled.execute(sa.insert(books.ledger).values(line(number, outcome)))
        yield filled


def line(number: int, outcome: str, **changes: Any) -> dict[str, Any]:
    fixed = {"export_id": "e1", "source_table": "s", "target_table": "parents", "source_pk": "x", "run_id": "r"}
    return fixed | {"source_row": number, "outcome": outcome} | changes


def measured(connection: sa.Connection, check: Check, source_rows: int = 5, **changes: Any) -> Judgement:
    return judge(check, scope_of(connection, source_rows, **changes))


def numbers(found: Judgement) -> dict[str, Any]:
    return {str(name): value for name, value in found.measures.iloc[0].items()}


# --- conservation -----------------------------------------------------------------------------------------------------

CONSERVATION = conservation("conservation", parents)


def test_conservation_holds(connection: sa.Connection) -> None:
    found = measured(connection, CONSERVATION)
    assert found.passed
    assert numbers(found) == {
        "source_rows": 5,
        "loaded": 2,
        "merged": 1,
        "rejected": 1,
        "skipped": 1,
        "target_rows": 2,
        "unaccounted": 0,
        "target_difference": 0,
    }


BREAKS: list[tuple[str, int, int, int]] = [
    ("SELECT 1", 6, 1, 0),
    ("SELECT 1", 4, -1, 0),
    ("DELETE FROM tiny.row_ledger WHERE outcome = 'merged'", 5, 1, 0),
    ("DELETE FROM tiny.row_ledger WHERE source_row = 1", 5, 1, -1),
    ("UPDATE tiny.row_ledger SET outcome = 'loaded' WHERE outcome = 'merged'", 5, 0, 1),
    ("DELETE FROM tiny.children; DELETE FROM tiny.parents WHERE id = 1", 5, 0, 1),
    ("UPDATE tiny.parents SET export_id = 'e0' WHERE id = 1", 5, 0, 1),
    ("INSERT INTO tiny.parents (id, source_row, first_export_id, export_id) VALUES (9, 1, 'e1', 'e1')", 5, 0, -1),
]


@pytest.mark.parametrize(("broken", "source_rows", "unaccounted", "difference"), BREAKS)
def test_any_loss_is_found(
    connection: sa.Connection, broken: str, source_rows: int, unaccounted: int, difference: int
) -> None:
    connection.execute(sa.text(broken))
    found = measured(connection, CONSERVATION, source_rows)
    assert found.blocks
    assert (numbers(found)["unaccounted"], numbers(found)["target_difference"]) == (unaccounted, difference)


def test_other_exports_targets_and_sources_do_not_count(connection: sa.Connection) -> None:
    for changes in ({"export_id": "e2"}, {"target_table": "children"}, {"source_table": "other"}):
        connection.execute(sa.insert(books.ledger).values(line(1, "loaded", **changes)))
    load(connection, parents, [parent(7, "of another export")], export="e2")
    assert measured(connection, CONSERVATION).passed


def test_a_ledger_without_loaded_rows_is_compared_with_the_table(connection: sa.Connection) -> None:
    check = conservation("c", parents, ledger_of_loaded=False)
    connection.execute(sa.text("DELETE FROM tiny.row_ledger WHERE outcome = 'loaded'"))
    assert measured(connection, check).passed
    connection.execute(sa.text("DELETE FROM tiny.children; DELETE FROM tiny.parents WHERE id = 2"))
    found = measured(connection, check)
    assert found.blocks
    assert numbers(found)["unaccounted"] == 1


def test_rows_without_a_source_row_are_counted_apart(connection: sa.Connection) -> None:
    check = conservation("c", parents, derived=parents.c.name == "made up")
    load(connection, parents, [parent(8, "made up")])
    found = measured(connection, check)
    assert found.passed
    assert (numbers(found)["target_rows"], numbers(found)["derived_rows"]) == (2, 1)
    connection.execute(sa.text("UPDATE tiny.parents SET name = 'made up' WHERE id = 1"))
    found = measured(connection, check)
    assert found.blocks
    assert (numbers(found)["target_difference"], numbers(found)["derived_rows"]) == (1, 2)


# --- keys and orphans -------------------------------------------------------------------------------------------------


def test_unique_finds_what_a_dropped_key_let_in(connection: sa.Connection) -> None:
    check = unique("u", parents)
    assert measured(connection, check).passed
    connection.execute(sa.text("ALTER TABLE tiny.parents DROP CONSTRAINT parents_pkey CASCADE"))
    connection.execute(
        sa.text("INSERT INTO tiny.parents (id, source_row, first_export_id, export_id) VALUES (1, 1, 'e', 'e')")
    )
    found = measured(connection, check)
    assert (found.blocks, numbers(found), found.keys) == (True, {"duplicates": 1}, ["1"])


def test_unique_by_other_columns_and_within_a_partition(connection: sa.Connection) -> None:
    check = unique("u", children, ["month"], split_by="month")
    row = {"parent_id": 1, "month": FEBRUARY, "amount": 1, "first_export_id": "e", "export_id": "e"}
    assert measured(connection, check).passed
    connection.execute(sa.insert(children).values(row))
    assert measured(connection, check, partition="2026-01-01").passed
    found = measured(connection, check, partition="2026-02-01")
    assert (found.blocks, found.keys) == (True, ["2026-02-01"])


def test_a_partition_may_be_known_by_a_condition(connection: sa.Connection) -> None:
    def in_months(table: sa.FromClause, months: Sequence[str]) -> sa.ColumnElement[bool]:
        return table.c.month == sa.any_(sa.cast(list(months), sa.ARRAY(sa.Date)))

    check = unique("u", children, ["month"], split_by=in_months)
    row = {"parent_id": 1, "month": FEBRUARY, "amount": 1, "first_export_id": "e", "export_id": "e"}
    connection.execute(sa.insert(children).values(row))
    assert measured(connection, check, partition="2026-01-01").passed
    assert measured(connection, check, partition="2026-02-01").keys == ["2026-02-01"]
    assert measured(connection, check).keys == ["2026-02-01"]


def test_orphans_finds_what_a_dropped_foreign_key_let_go(connection: sa.Connection) -> None:
    check = orphans("o", children, split_by="month")
    assert measured(connection, check).passed
    connection.execute(sa.text("ALTER TABLE tiny.children DROP CONSTRAINT children_parent_id_fkey"))
    connection.execute(sa.text("DELETE FROM tiny.parents WHERE id = 2"))
    found = measured(connection, check)
    assert (found.blocks, numbers(found), found.keys) == (True, {"orphans": 1}, ["2 2026-02-01"])
    assert measured(connection, check, partition="2026-01-01").passed
    assert measured(connection, check, partition="2026-02-01").blocks


def test_unique_and_orphans_look_only_at_rows_that_count(connection: sa.Connection) -> None:
    among = unique("u", parents, ["source_row"], among=parents.c.name != "b")
    dangling = orphans("o", children, counts=lambda rows: rows.c.export_id != "gone")
    assert measured(connection, among).passed
    assert measured(connection, dangling).passed
    connection.execute(sa.text("UPDATE tiny.parents SET export_id = 'gone', name = 'c' WHERE id = 2"))
    assert measured(connection, among).keys == ["1"]
    assert measured(connection, dangling).keys == ["2 2026-02-01"]
    connection.execute(sa.text("UPDATE tiny.children SET export_id = 'gone' WHERE parent_id = 2"))
    assert measured(connection, dangling).passed


def test_a_table_has_the_checks_that_its_declaration_implies() -> None:
    assert [c.name for c in derived_checks(children, [])] == [
        "children_conservation",
        "children_key_unique",
        "children_orphans",
    ]
    assert [c.name for c in derived_checks(parents, [conservation("own", parents)])] == ["parents_key_unique"]
    assert all(check.blocking for check in derived_checks(children, []))


# --- limits -----------------------------------------------------------------------------------------------------------


def ratio(value: Any, *, blocking: bool = True) -> Check:
    return Check(
        "ratio",
        "A ratio.",
        lambda scope: pd.DataFrame([{"share": value}], dtype=object),
        warn=at_most(share="0.01"),
        error=at_most(share="0.10"),
        blocking=blocking,
        keys=lambda scope: [str(n) for n in range(50)],
    )


LEVELS = [
    (Decimal("0.01"), None),
    (Decimal("0.0100000000000000000001"), "WARN"),
    (Decimal("0.10"), "WARN"),
    (Decimal("0.1000000000000000000001"), "ERROR"),
    (0, None),
    (None, None),
]


@pytest.mark.parametrize(("value", "level"), LEVELS)
def test_limits_are_exact_and_a_missing_measure_passes(
    connection: sa.Connection, value: Any, level: str | None
) -> None:
    found = measured(connection, ratio(value))
    assert (found.level, found.blocks) == (level, level == "ERROR")
    assert len(found.keys) == (0 if level is None else 10)


def test_only_a_blocking_check_blocks(connection: sa.Connection) -> None:
    found = measured(connection, ratio(1, blocking=False))
    assert (found.level, found.blocks) == ("ERROR", False)


@pytest.mark.parametrize(
    ("limits", "measures", "inside"),
    [
        (at_least(n=2), [{"n": 2}], True),
        (at_least(n=2), [{"n": 1}], False),
        (none_of("a", "b"), [{"a": 0, "b": 0}], True),
        (none_of("a", "b"), [{"a": 0, "b": -1}], False),
        (at_most(n=1), [{"n": 1}, {"n": 2}], False),
        (at_most(n=1), [], True),
        ({}, [{"n": 99}], True),
        (at_most(n=1), [{"other": 0}], False),
        (at_most(n="0.5"), [{"n": Decimal("0.5"), "more": 7}], True),
    ],
)
def test_limits_of_a_frame_of_measures(limits: Any, measures: list[dict[str, Any]], inside: bool) -> None:
    assert within(pd.DataFrame(measures, dtype=object), limits) is inside


def test_shares_are_exact_and_undefined_without_rows(connection: sa.Connection) -> None:
    name_is_a = parents.c.name == "a"
    assert connection.scalar(sa.select(share(name_is_a))) == Decimal("0.5")
    assert connection.scalar(sa.select(share(name_is_a, parents.c.id == 1))) == 1
    assert connection.scalar(sa.select(share(name_is_a)).where(sa.false())) is None


def test_the_limits_in_words() -> None:
    assert ratio(0).limits_text() == "WARN past: share above 0.01; ERROR past: share above 0.10"
    assert Check("c", "d", lambda scope: pd.DataFrame()).limits_text() == "reported only"


def test_a_check_that_passes_costs_one_statement(connection: sa.Connection) -> None:
    statements: list[str] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *call: statements.append(call[2]))
    for check in (CONSERVATION, unique("u", parents), orphans("o", children)):
        statements.clear()
        assert measured(connection, check).passed
        assert len(statements) == 1, check.name
