"""Outcomes: the first failing rule decides, each row has one label, counts add up."""

from collections import Counter

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migration.outcome import (
    Outcome,
    Rule,
    Tally,
    failed_ledger,
    first_failing,
    join_codes,
    label,
    rejects,
    split_by_rules,
)

RULES = (
    Rule("MISSING", lambda rows: rows["v"].isna(), "v"),
    Rule("NEGATIVE", lambda rows: rows["v"] < 0, "v"),
    Rule("zero", lambda rows: rows["v"] == 0, outcome=Outcome.SKIPPED),
    Rule("EVEN", lambda rows: rows["v"] % 2 == 0),
)


def frame(*values: float | None) -> pd.DataFrame:
    rows = range(1, len(values) + 1)
    return pd.DataFrame({"v": list(values), "source_row": list(rows), "source_pk": [f"row:{n}" for n in rows]})


def test_the_first_failing_rule_decides() -> None:
    assert first_failing(RULES, frame(None, -2, 0, 2, 3)).tolist() == [0, 1, 2, 3, -1]


def test_rules_of_one_code_keep_their_columns_apart() -> None:
    rules = [
        Rule("MISSING", lambda rows: rows["a"].isna(), "a"),
        Rule("MISSING", lambda rows: rows["b"].isna(), "b"),
    ]
    rows = pd.DataFrame({"a": [1, None, 1], "b": [None, None, 1]})
    _, failed = split_by_rules(rules, rows)
    assert failed["detail"].tolist() == ["b: MISSING", "a: MISSING"]


def test_split_labels_and_rejects() -> None:
    passed, failed = split_by_rules(RULES, frame(None, 0, 3, 2))
    assert passed["source_row"].tolist() == [3]
    ledger = failed_ledger("t", failed)
    assert ledger[["source_row", "outcome", "reason"]].to_numpy().tolist() == [
        [1, "rejected", "MISSING"],
        [2, "skipped", "zero"],
        [4, "rejected", "EVEN"],
    ]
    found = rejects("t", failed, ["{}", "{}", '{"v": 2}'])
    assert found[["source_row", "reason_code", "raw"]].to_numpy().tolist() == [
        [1, "MISSING", "{}"],
        [4, "EVEN", '{"v": 2}'],
    ]
    assert found["detail"].tolist()[0] == "v: MISSING"
    assert pd.isna(found["detail"].tolist()[1])


def test_no_rows_at_all() -> None:
    passed, failed = split_by_rules(RULES, frame(1).iloc[:0])
    assert (len(passed), len(failed), len(failed_ledger("t", failed)), len(rejects("t", failed, []))) == (0, 0, 0, 0)


def test_no_rule_passes_everything() -> None:
    passed, failed = split_by_rules((), frame(None, 1))
    assert (len(passed), len(failed)) == (2, 0)


@given(st.lists(st.one_of(st.none(), st.integers(-5, 5)), max_size=30))
def test_every_row_has_exactly_one_outcome(values: list[int | None]) -> None:
    rows = frame(*(None if v is None else float(v) for v in values)).astype({"v": "float64"})
    passed, failed = split_by_rules(RULES, rows)
    assert sorted([*passed["source_row"], *failed["source_row"]]) == rows["source_row"].tolist()
    tally = Tally(len(rows))
    tally.add(failed_ledger("t", failed))
    tally.add(label("t", passed, Outcome.LOADED))
    assert sum(tally.outcomes.values()) == len(rows)
    assert sum(tally.rejected_by.values()) == tally.count(Outcome.REJECTED)
    assert sum(tally.skipped_by.values()) == tally.count(Outcome.SKIPPED)


def test_warnings_of_loaded_rows_are_counted_by_code() -> None:
    tally = Tally()
    rows = frame(1, 2, 3)
    tally.add(label("t", rows, Outcome.LOADED, reason=pd.Series(["a,b", None, "b"])))
    tally.add(label("t", rows.iloc[:1], Outcome.MERGED, reason="c"))
    assert tally.warnings == Counter(a=1, b=2)
    assert (tally.count(Outcome.LOADED), tally.count(Outcome.MERGED), tally.count(Outcome.SKIPPED)) == (3, 1, 0)


def test_tallies_add_up() -> None:
    first, second = Tally(2), Tally(3)
    first.add(label("t", frame(1, 2), Outcome.REJECTED, reason="X"))
    second.add(label("t", frame(1), Outcome.REJECTED, reason="X"))
    first.merge(second)
    assert (first.source_rows, first.rejected_by, first.count(Outcome.REJECTED)) == (5, Counter(X=3), 3)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"a": [True, False], "b": [True, False]}, ["a,b", None]),
        ({"a": [False, True], "b": [False, False]}, [None, "a"]),
    ],
)
def test_codes_are_joined_in_order(flags: dict[str, list[bool]], expected: list[str | None]) -> None:
    joined = join_codes({code: pd.Series(flag) for code, flag in flags.items()})
    assert [None if pd.isna(each) else each for each in joined] == expected
