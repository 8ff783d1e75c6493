"""What the database holds against what the oracle says: tables, ledger, rejected rows, counts, report."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.dental import dental_scalars as scalars
from tests.dental.dental_files import Row
from tests.dental.dental_harness import UNKEYED, Lab, partition_of
from tests.dental.dental_reference import TARGETS, Reference

RANGED = "notifications"
UNRANGED = tuple(target for target in TARGETS if target != RANGED)
COUNTS = ("source_rows", "loaded", "merged", "rejected", "skipped", "rejected_by", "warnings")
# Where it is counted that a table is absent is left open.
_OF_TABLES = frozenset({"OPTIONAL_TABLE_ABSENT"})


def assert_same(what: str, expected: dict[Any, Any], actual: dict[Any, Any]) -> None:
    """Fail with the first differences."""
    keys = [key for key in expected | actual if _exact(expected.get(key)) != _exact(actual.get(key))]
    lines = [f"{what} {key}: {_difference(expected.get(key), actual.get(key))}" for key in keys]
    assert not lines, f"{len(lines)} differ\n" + "\n".join(lines[:10])


def _exact(value: Any) -> Any:
    """A value in which true is not 1."""
    if isinstance(value, dict):
        return {name: _exact(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(each) for each in value]
    return ("boolean", value) if isinstance(value, bool) else value


def _difference(expected: Any, actual: Any) -> str:
    if isinstance(expected, dict) and isinstance(actual, dict):
        names = [n for n in {**expected, **actual} if _exact(expected.get(n, "-")) != _exact(actual.get(n, "-"))]
        return str({name: (expected.get(name, "absent"), actual.get(name, "absent")) for name in names})
    return f"expected {expected}, found {actual}"


def assert_tables(lab: Lab, reference: Reference, schema: str = "dental", targets: Iterable[str] = TARGETS) -> None:
    """The tables hold exactly the rows of the oracle; columns of their own they may have."""
    for target in targets:
        expected = {row["id"]: row for row in reference.tables[target].values()}
        found = lab.rows(target, schema)
        rows = {row["id"]: row for row in found}
        assert len(rows) == len(found)
        actual = {key: _columns_of(row, expected.get(key)) for key, row in rows.items()}
        assert_same(f"{schema}.{target}", expected, actual)


def _columns_of(row: Row, expected: Row | None) -> Row:
    return row if expected is None else {name: value for name, value in row.items() if name in expected}


def assert_ledger(lab: Lab, reference: Reference) -> None:
    """Every source row has the outcome of the oracle; notifications that are plainly loaded are not written down."""
    rows = lab.fetch(
        "SELECT export_id, source_table, source_row, target_table, source_pk, outcome, reason, target_key"
        " FROM dental.row_ledger"
    )
    actual = {row[:4]: _outcome(*row[4:]) for row in rows}
    expected = {key: _outcome(*row) for key, row in reference.ledger.items()}
    plain = [
        key
        for key, (_, outcome, codes, _) in expected.items()
        if key[3] == RANGED and outcome == "loaded" and not codes
    ]
    assert [key for key in plain if key in actual] == []
    expected = {key: row for key, row in expected.items() if key not in plain}
    stored = {target: {row["id"] for row in each.values()} for target, each in reference.tables.items()}
    for key, (pk, outcome, _, into) in expected.items():
        # The key of a row that was merged into one that is not there is left open.
        if outcome == "merged" and into not in stored[key[3]] and key in actual:
            actual[key] = (*actual[key][:3], into) if actual[key][:2] == (pk, outcome) else actual[key]
    assert_same("ledger", expected, actual)


def _outcome(pk: str, outcome: str, reason: str | None, key: str | None) -> tuple[Any, ...]:
    """An outcome: the reason of a rejected row, the warnings of a loaded one, and the key of what there is."""
    if outcome == "rejected":
        return pk, outcome, reason, None
    if outcome == "loaded":
        return pk, outcome, sorted(set((reason or "").split(",")) - {""} - _OF_TABLES), key
    return pk, outcome, None, key


def assert_rejected(lab: Lab, reference: Reference) -> None:
    """The quarantine holds the rows of the oracle, redacted."""
    rows = lab.rows("rejected_row")
    names = ("export_id", "source_table", "source_row", "target_table")
    actual = {
        tuple(row[name] for name in names): (row["source_pk"], row["reason_code"], kept(row["raw"])) for row in rows
    }
    assert len(actual) == len(rows)
    expected = {key: (reference.ledger[key][0], reason, kept(raw)) for key, (reason, raw) in reference.rejected.items()}
    assert_same("rejected", expected, actual)


def kept(raw: Row) -> Row:
    """A quarantined row, however a file says null; its numbers redacted, an unreadable text without white space."""
    if set(raw) == {"text"} and isinstance(raw["text"], str):
        return {"text": "".join(raw["text"].split())}
    return {name: value for name, value in scalars.redacted_document(raw).items() if not scalars.is_null(value)}


def assert_counts(lab: Lab, reference: Reference, run_ids: Iterable[str], targets: Iterable[str] = TARGETS) -> None:
    """The run log counts what the oracle counts, the partitions of a table together."""
    of_runs = ", ".join(f"'{run_id}'" for run_id in run_ids)
    names = ", ".join(COUNTS)
    rows = lab.fetch(f"SELECT asset, status, {names} FROM dental.migration_run_log WHERE run_id IN ({of_runs})")
    assert {row[1] for row in rows} == {"success"}
    for target in targets:
        logged = [dict(zip(COUNTS, row[2:], strict=True)) for row in rows if row[0] == target]
        expected = reference.counts[(reference.export_id, target)].flat()
        if target == RANGED and not expected["source_rows"]:
            continue
        assert logged, target
        actual = {name: _sum(name, logged) for name in COUNTS}
        assert_same(f"counts of {target}", expected, actual)


def _sum(name: str, logged: list[Row]) -> Any:
    """The sum of numbers, or of counts by code."""
    if not isinstance(logged[0][name], dict):
        return sum(each[name] for each in logged)
    total: Counter[str] = sum((Counter(each[name]) for each in logged), Counter())
    return {code: number for code, number in total.items() if number and code not in _OF_TABLES}


def assert_report(lab: Lab, reference: Reference) -> None:
    """The success report says what the oracle says."""
    rows = lab.rows("migration_success_report")
    names = ("source_count", "migrated", "success_rate", "minimum_rate", "status")
    actual = {(row["export_id"], row["component"]): {name: row[name] for name in names} for row in rows}
    assert_same("report", reference.report, actual)


def keys_of(reference: Reference) -> list[str]:
    """The partitions of the notifications that the last export holds."""
    found = {
        UNKEYED if row[0].startswith("row:") else partition_of(int(row[0]))
        for key, row in reference.ledger.items()
        if key[0] == reference.export_id and key[3] == RANGED
    }
    return sorted(found)
