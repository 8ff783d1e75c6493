"""Fingerprints: equal for equal sets of rows in any order, different for any difference."""

import itertools
from typing import Any

import pytest
import sqlalchemy as sa

from migration.warehouse.fingerprint import fingerprint_of

Rows = list[tuple[Any, ...]]


def fingerprint(engine: sa.Engine, rows: Rows) -> str:
    values = sa.values(sa.column("a", sa.Text), sa.column("b", sa.Numeric), name="t").data(rows or [(None, None)])
    statement = fingerprint_of(values, list(values.c), None if rows else sa.false())
    with engine.connect() as connection:
        return str(connection.scalar(statement))


DIFFERENT: list[Rows] = [
    [],
    [("x", 1)],
    [("x", 2)],
    [("y", 1)],
    [("x", None)],
    [(None, 1)],
    [("", 1)],
    [("x", 1), ("x", 1)],
    [("x", 1), ("y", 2)],
    [("x", 2), ("y", 1)],
    [("x", 1), ("y", 2), ("x", 1)],
    [("x,1", None)],
    [("NULL", 1)],
]


def test_any_difference_shows(engine: sa.Engine) -> None:
    found = [fingerprint(engine, rows) for rows in DIFFERENT]
    assert len(set(found)) == len(DIFFERENT)
    assert found[0] == "0:0"
    assert [int(each.split(":")[0]) for each in found] == [len(rows) for rows in DIFFERENT]


def test_the_order_of_rows_does_not_matter(engine: sa.Engine) -> None:
    rows: Rows = [("a", 1), ("b", None), ("b", None)]
    assert len({fingerprint(engine, list(order)) for order in itertools.permutations(rows)}) == 1


@pytest.mark.parametrize("setting", ["SET timezone = 'Asia/Jakarta'", "SET datestyle = 'SQL, DMY'"])
def test_the_session_decides_how_times_are_written_so_the_engine_pins_it(engine: sa.Engine, setting: str) -> None:
    at = sa.select(sa.literal_column("timestamptz '2026-01-02 03:04:05Z'").label("at")).subquery()
    with engine.connect() as connection:
        pinned = connection.scalar(fingerprint_of(at, list(at.c)))
        connection.execute(sa.text(setting))
        assert connection.scalar(fingerprint_of(at, list(at.c))) != pinned
