"""The pace of a long step, as it tells it."""

import time

import pytest

from migration.declare.pace import Pace


def test_pace_and_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 110.0, 120.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    pace = Pace(rows=40_000, waiting=360_000, _started=time.perf_counter())
    assert pace.after(10_000) == (
        "10,000 of 40,000 rows, 1,000 rows/s, 0:00:30 left; 0:06:30 with the 360,000 rows that wait"
    )
    assert pace.after(30_000) == (
        "40,000 of 40,000 rows, 2,000 rows/s, 0:00:00 left; 0:03:00 with the 360,000 rows that wait"
    )


def test_last_step_waits_for_nothing() -> None:
    assert Pace(rows=5).after(5).endswith(" rows/s, 0:00:00 left")
