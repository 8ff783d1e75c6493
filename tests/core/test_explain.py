"""Explain: a source row or a target key to its outcomes, its file, and the row it lost to."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from migration.errors import SetupError
from migration.explain import Explanation, Teller, explain
from tests.core.tiny import SYSTEM, books, opened

FIXED = {"source_table": "payments", "target_table": "t", "run_id": "r"}
LINES = [
    FIXED | {"export_id": "e1", "source_row": 1, "source_pk": "P1", "outcome": "loaded", "target_key": "K"},
    FIXED
    | {"export_id": "e2", "source_row": 1, "source_pk": "P1", "outcome": "loaded", "target_key": "K", "reason": "w"},
    FIXED | {"export_id": "e2", "source_row": 2, "source_pk": "P2", "outcome": "merged", "target_key": "K"},
    FIXED | {"export_id": "e2", "source_row": 3, "source_pk": "P3", "outcome": "rejected", "reason": "BAD"},
    FIXED
    | {
        "export_id": "e2",
        "source_row": 3,
        "source_pk": "x",
        "outcome": "skipped",
        "reason": "s",
        "source_table": "other",
    },
]


@pytest.fixture
def connection(engine: sa.Engine) -> sa.Connection:
    with opened(engine) as filled:
        for line in LINES:
            filled.execute(sa.insert(books.ledger).values(line))
        filled.execute(
            sa.insert(books.rejected).values(
                export_id="e2",
                source_table="payments",
                source_row=3,
                source_pk="P3",
                target_table="t",
                reason_code="BAD",
                detail="v: BAD",
                raw={"v": "secret"},
            )
        )
    return engine.connect()


def told(connection: sa.Connection, subject: str, export: str | None = None) -> list[Explanation]:
    with connection:
        return explain(connection, SYSTEM, subject, export)


def test_a_rejected_row_with_its_rule_and_never_its_values(connection: sa.Connection) -> None:
    (found,) = told(connection, "payments:row:3")
    assert (found.outcome, found.reason, found.detail, found.source) == ("rejected", "BAD", "v: BAD", "payments row:3")
    assert "secret" not in repr(found)


def test_a_merged_row_names_the_row_it_lost_to(connection: sa.Connection) -> None:
    (found,) = told(connection, "payments:row:2")
    assert (found.outcome, found.target_key, found.lost_to) == ("merged", "K", "payments row:1")


def test_a_target_key_gives_every_row_behind_it_of_the_newest_export(connection: sa.Connection) -> None:
    assert [(e.export_id, e.source, e.outcome) for e in told(connection, "K")] == [
        ("e2", "payments row:1", "loaded"),
        ("e2", "payments row:2", "merged"),
    ]


def test_an_export_may_be_named(connection: sa.Connection) -> None:
    assert [(e.export_id, e.reason) for e in told(connection, "K", "e1")] == [("e1", None)]


def test_a_row_number_without_a_table_gives_all_tables(connection: sa.Connection) -> None:
    assert [e.source for e in told(connection, "row:3")] == ["other row:3", "payments row:3"]


def test_a_legacy_key(connection: sa.Connection) -> None:
    assert [e.source for e in told(connection, "P1")] == ["payments row:1"]


@pytest.mark.parametrize(
    "subject", ["nobody", "row:99", "none:row:1", "row:", "row:²", "row:" + "9" * 30, "", "row:-1"]
)
def test_what_nobody_knows_says_how_to_ask(connection: sa.Connection, subject: str) -> None:
    with pytest.raises(SetupError, match="knows nothing of"):
        told(connection, subject)


# --- what tables of a system say --------------------------------------------------------------------------------------

DECISIONS = sa.table("decisions", *(sa.column(name, sa.Text) for name in ("export_id", "key", "field", "won")))


@pytest.fixture
def telling(connection: sa.Connection, monkeypatch: pytest.MonkeyPatch) -> sa.Connection:
    """A system that has a table of decisions."""
    rows = ["('e2', 'K', 'name', 'ours')", "('e2', 'K', 'day', NULL)", "('e1', 'K', 'x', 'y')", "('e2', 'L', 'x', 'y')"]
    connection.execute(sa.text("CREATE TEMPORARY TABLE decisions (export_id text, key text, field text, won text)"))
    connection.execute(sa.text(f"INSERT INTO decisions VALUES {', '.join(rows)}"))
    says = {"field": DECISIONS.c.field, "won": DECISIONS.c.won}
    teller = Teller(says, DECISIONS.c.export_id, DECISIONS.c.key, sa.literal("t"))
    monkeypatch.setattr(SYSTEM, "tellers", (teller,))
    return connection


def test_tables_of_the_system_say_more_of_the_target_row_in_the_same_export(telling: sa.Connection) -> None:
    found = told(telling, "K")
    assert [each.source for each in found] == ["payments row:1", "payments row:2"]
    assert {each.further for each in map(_comparable, found)} == {
        ((("field", "day"),), (("field", "name"), ("won", "ours")))
    }


def test_a_row_without_a_target_has_nothing_further(telling: sa.Connection) -> None:
    assert [each.further for each in told(telling, "payments:row:3")] == [()]


def _comparable(found: Explanation) -> Explanation:
    return replace(found, further=tuple(tuple(says.items()) for says in found.further))  # type: ignore[arg-type]


def test_a_target_table_and_its_key(connection: sa.Connection) -> None:
    line = FIXED | {"export_id": "e2", "source_row": 9, "source_pk": "P9", "outcome": "loaded", "target_key": "K"}
    connection.execute(sa.insert(books.ledger).values(line | {"target_table": "parents"}))
    assert [each.source for each in told(connection, "parents:K")] == ["payments row:9"]


def test_of_several_rows_that_make_a_target_the_one_with_the_same_legacy_key_has_won(connection: sa.Connection) -> None:
    line = FIXED | {"export_id": "e2", "target_key": "M"}
    for row, pk, outcome in ((21, "A", "loaded"), (22, "B", "loaded"), (23, "B", "merged"), (24, "C", "merged")):
        values = {"source_row": row, "source_pk": pk, "outcome": outcome}
        connection.execute(sa.insert(books.ledger).values(line | values))
    lost = {each.source: each.lost_to for each in told(connection, "M")}
    assert lost == {
        "payments row:21": None,
        "payments row:22": None,
        "payments row:23": "payments row:22",
        "payments row:24": "payments row:21",
    }
