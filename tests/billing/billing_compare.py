"""What the real jobs have left in PostgreSQL, held row by row against the oracle."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.billing.billing_drift import Found, level
from tests.billing.billing_files import Row
from tests.billing.billing_harness import Lab, Ran
from tests.billing.billing_records import Label
from tests.billing.billing_reference import KEYS, LOADED, WARNINGS, Reference

COUNTS = ("source_rows", "loaded", "merged", "rejected", "skipped", "rejected_by", "skipped_by")
COUNTED = (*LOADED, "daily_bill_amounts")
# Columns that say where a row comes from; they are not the contract's, but for the export.
PROVENANCE = frozenset({"export_id", "first_export_id", "migrated_at", "source_row"})


def assert_same(what: str, expected: dict[Any, Any], actual: dict[Any, Any]) -> None:
    """Two mappings are equal; if not, the first differences are named."""
    keys = [key for key in expected | actual if expected.get(key) != actual.get(key)]
    lines = [f"{what} {key}: {_difference(expected.get(key), actual.get(key))}" for key in keys]
    assert not lines, f"{len(lines)} differ\n" + "\n".join(lines[:10])


def _difference(expected: Any, actual: Any) -> str:
    if isinstance(expected, dict) and isinstance(actual, dict):
        names = [n for n in {**expected, **actual} if expected.get(n, "absent") != actual.get(n, "absent")]
        return str({name: (expected.get(name, "absent"), actual.get(name, "absent")) for name in names})
    return f"expected {expected}, found {actual}"


def assert_tables(lab: Lab, reference: Reference, schema: str = "billing") -> None:
    """Every table of the contract holds exactly the rows of the oracle, in exactly its columns."""
    for table, key in KEYS.items():
        found = lab.rows(table, schema)
        actual = {_key(row, key): {name: row[name] for name in row if name not in PROVENANCE} for row in found}
        assert len(actual) == len(found), table
        assert_same(f"{schema}.{table}", reference.tables[table], actual)


def _key(row: Row, names: tuple[str, ...]) -> Any:
    return row[names[0]] if len(names) == 1 else tuple(row[name] for name in names)


def assert_ledger(lab: Lab, reference: Reference) -> None:
    """Every source row has the outcome that the oracle gives it."""
    rows = lab.fetch(
        "SELECT export_id, source_table, source_row, target_table, source_pk, outcome, reason, target_key"
        " FROM billing.row_ledger"
    )
    actual = {row[:4]: _outcome(Label(*row[4:])) for row in rows}
    assert len(actual) == len(rows)
    assert_same("ledger", {key: _outcome(label) for key, label in reference.ledger.items()}, actual)


def _outcome(label: Label) -> tuple[Any, ...]:
    """An outcome; the reasons of loaded rows are warnings."""
    if label.outcome in ("rejected", "skipped"):
        return label.source_pk, label.outcome, label.reason
    return label.source_pk, label.outcome, label.target_key


def assert_rejected(lab: Lab, reference: Reference) -> None:
    """The quarantine holds the rejected rows."""
    names = "export_id, source_table, source_row, target_table, source_pk, reason_code"
    rows = lab.fetch(f"SELECT {names} FROM billing.rejected_row")
    actual = {row[:4]: row[4:] for row in rows}
    assert len(actual) == len(rows)
    assert_same("rejected", reference.rejected(), actual)


def assert_counts(lab: Lab, reference: Reference, ran: Ran) -> None:
    """The run log counts what the oracle counts, all partitions of a run together."""
    names = ", ".join(COUNTS)
    rows = lab.fetch(f"SELECT asset, status, {names} FROM billing.migration_run_log WHERE run_id = '{ran.run_id}'")
    assert {row[1] for row in rows} <= {"success", "dry_run_ok", "dry_run_issues"}
    for asset in COUNTED:
        logged = [dict(zip(COUNTS, row[2:], strict=True)) for row in rows if row[0] == asset]
        assert logged, asset
        counts = reference.counts[(reference.export_id, asset)].flat()
        assert_same(f"counts of {asset}", counts, {name: _sum(row[name] for row in logged) for name in COUNTS})


def _sum(values: Iterable[Any]) -> Any:
    """The sum of numbers, or of counts by reason."""
    found = list(values)
    if not isinstance(found[0], dict):
        return sum(found)
    return {reason: sum(each.get(reason, 0) for each in found) for reason in {r for each in found for r in each}}


def assert_warnings(lab: Lab, reference: Reference, ran: Ran) -> None:
    """The run log counts the warning metrics."""
    found: Counter[str] = Counter()
    for (warnings,) in lab.fetch(f"SELECT warnings FROM billing.migration_run_log WHERE run_id = '{ran.run_id}'"):
        found.update(warnings or {})
    expected = reference.warnings[reference.export_id]
    assert {code: found[code] for code in WARNINGS} == {code: expected[code] for code in WARNINGS}


def assert_all(lab: Lab, reference: Reference, ran: Ran) -> None:
    """Tables, ledger, quarantine and counts after a live run."""
    assert ran.failures == {}
    assert_tables(lab, reference)
    assert_ledger(lab, reference)
    assert_rejected(lab, reference)
    assert_counts(lab, reference, ran)
    assert_warnings(lab, reference, ran)


def assert_checks(ran: Ran, expected: Found) -> None:
    """The warning checks find what the oracle counts and end as they must; no blocking check finds anything."""
    counted = {name: (ran.violations(name), ran.findings().get(name, "passed")) for name in expected}
    assert_same("check", {name: (n, level(name, n, of)) for name, (n, of) in expected.items()}, counted)
    assert set(ran.findings()) <= set(expected)
