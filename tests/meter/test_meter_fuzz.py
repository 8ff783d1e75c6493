"""Random dirty exports through the real jobs into PostgreSQL, every table compared row by row with the oracle."""

import json
import os
import random
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.meter.meter_files import CSV_NULLS, Row
from tests.meter.meter_harness import SHADOW, Lab, Ran
from tests.meter.meter_nasty import Nasty, follow_up, nasty
from tests.meter.meter_reference import KEYS, LOADED, NAMED_WARNINGS, Options, Reference, TenantRun

FAST_SEEDS = range(4)
SLOW_SEEDS = range(100, 100 + int(os.environ.get("METER_FUZZ_SEEDS", "30")))
COUNTS = ("source_rows", "loaded", "merged", "rejected", "skipped", "rejected_by", "skipped_by", "warnings")


# --- comparing --------------------------------------------------------------------------------------------------------


def assert_same(what: str, expected: dict[Any, Any], actual: dict[Any, Any]) -> None:
    keys = [key for key in expected | actual if expected.get(key) != actual.get(key)]
    lines = [f"{what} {key}: {_difference(expected.get(key), actual.get(key))}" for key in keys]
    assert not lines, f"{len(lines)} differ\n" + "\n".join(lines[:10])


def _difference(expected: Any, actual: Any) -> str:
    if isinstance(expected, dict) and isinstance(actual, dict):
        names = [n for n in {**expected, **actual} if expected.get(n, "absent") != actual.get(n, "absent")]
        return str({name: (expected.get(name, "absent"), actual.get(name, "absent")) for name in names})
    return f"expected {expected}, found {actual}"


def keyed(table: str, rows: Iterable[Row]) -> dict[Any, Row]:
    return {tuple(row[name] for name in KEYS[table]): row for row in rows}


def assert_tables(lab: Lab, reference: Reference, schema: str = "meter") -> None:
    """Every table of the contract holds exactly the rows of the oracle; columns of its own it may have."""
    for table in KEYS:
        expected = keyed(table, reference.tables[table].values())
        found = lab.rows(table, schema)
        names = set(next(iter(expected.values()), {}))
        actual = keyed(table, ({n: v for n, v in row.items() if n in names or n in KEYS[table]} for row in found))
        assert len(actual) == len(found)
        assert_same(f"{schema}.{table}", expected, actual)


def warned(codes: Iterable[str]) -> tuple[bool, frozenset[str]]:
    """Whether there are warnings, and those that have a name."""
    found = frozenset(codes)
    return bool(found), found & NAMED_WARNINGS


def assert_ledger(lab: Lab, reference: Reference) -> None:
    rows = lab.fetch(
        "SELECT export_id, source_table, source_row, target_table, source_pk, outcome, reason, target_key"
        " FROM meter.row_ledger"
    )
    actual = {row[:4]: row[4:] for row in rows}
    expected = dict(reference.ledger)
    for ledger in (expected, actual):
        for key, (pk, outcome, reason, target) in ledger.items():
            if outcome == "loaded":
                codes = reason.split(",") if isinstance(reason, str) else reason or ()
                ledger[key] = (pk, outcome, warned(codes), target)
    assert_same("ledger", expected, actual)


def assert_rejected(lab: Lab, reference: Reference) -> None:
    rows = lab.fetch(
        "SELECT export_id, source_table, source_row, target_table, source_pk, reason_code, raw::text"
        " FROM meter.rejected_row"
    )
    actual = {row[:4]: (row[5], plain_raw(json.loads(row[6], parse_float=Decimal))) for row in rows}
    assert len(actual) == len(rows)
    expected = {key: (code, plain_raw(raw)) for key, (code, raw) in reference.rejected.items()}
    assert_same("rejected", expected, actual)
    assert all(row[4] == reference.ledger[row[:4]][0] for row in rows)


def plain_raw(raw: Row) -> Row:
    """A quarantined record, however a file says null; the text of an unreadable one without its white space."""
    if set(raw) == {"text"} and isinstance(raw["text"], str):
        return {"text": "".join(raw["text"].split())}
    return {name: None if is_csv_null(value) else value for name, value in raw.items()}


def is_csv_null(value: Any) -> bool:
    return isinstance(value, str) and (value == "" or value in CSV_NULLS)


def assert_counts(lab: Lab, reference: Reference, run_id: str) -> None:
    names = ", ".join(COUNTS)
    rows = lab.fetch(f"SELECT asset, status, {names} FROM meter.migration_run_log WHERE run_id = '{run_id}'")
    logged = {row[0]: (row[1], dict(zip(COUNTS, row[2:], strict=True))) for row in rows}
    for asset in LOADED:
        status, counts = logged[asset]
        counts["warnings"] = {code: n for code, n in counts["warnings"].items() if code in NAMED_WARNINGS}
        assert status == "success"
        assert_same(f"counts of {asset}", reference.counts[(reference.export_id, asset)].flat(), counts)


def assert_steps(lab: Lab, expected: TenantRun, ran: Ran, *, dry_run: bool = False) -> None:
    """A tenant's run ended where it must, and the run log says so."""
    assert (ran.success, ran.stopped_at) == (expected.success, expected.stopped_at), ran.failures
    rows = lab.fetch(
        "SELECT asset, status, dry_run, source_rows, loaded, skipped, merged + rejected FROM meter.migration_run_log"
        f" WHERE run_id = '{ran.run_id}' AND partition = '{expected.tenant}'"
    )
    logged = {row[0]: row[1:] for row in rows}
    assert {row[1] for row in logged.values()} == {dry_run}
    wrong = {asset: logged[asset][0] for asset, allowed in expected.statuses.items() if logged[asset][0] not in allowed}
    assert wrong == {}
    counts = {asset: logged[asset][2:] for asset in expected.counts}
    assert_same(f"counts of tenant {expected.tenant}", {k: (*v, 0) for k, v in expected.counts.items()}, counts)


# --- running ----------------------------------------------------------------------------------------------------------


def load(lab: Lab, reference: Reference, export: Nasty) -> None:
    """Load an export and compare everything that loads write."""
    reference.load(lab.put(export.export_id, export.files, manifest=export.manifest))
    ran = lab.load(export.export_id, allow_shrink=True)
    assert ran.failures == {}
    assert_tables(lab, reference)
    assert_ledger(lab, reference)
    assert_rejected(lab, reference)
    assert_counts(lab, reference, ran.run_id)


def run_steps(lab: Lab, reference: Reference, options: Options, tenants: Iterable[int]) -> None:
    """Run the steps of tenants and compare everything that steps write."""
    for tenant, ran in lab.steps(reference.export_id, tenants, **options.config()).items():
        assert_steps(lab, reference.run_steps(tenant, options), ran)
    assert_tables(lab, reference)


def dry_run(lab: Lab, reference: Reference, options: Options, tenant: int) -> None:
    """A dry run writes its shadow as the live run would write the tables, and no table."""
    before = lab.images(*KEYS)
    dry = replace(options, dry_run=True)
    ran = lab.steps(reference.export_id, [tenant], dry_run=True, **options.config())[tenant]
    expected = reference.run_steps(tenant, dry)
    assert_steps(lab, expected, ran, dry_run=True)
    assert lab.images(*KEYS) == before
    assert expected.after is not None
    assert_tables(lab, expected.after, SHADOW)


def check_one(lab: Lab, seed: int) -> None:
    export, reference = nasty(seed), Reference()
    load(lab, reference, export)
    tenants = reference.tenants()
    if tenants:
        dry_run(lab, reference, export.options, random.Random(seed).choice(tenants))
    run_steps(lab, reference, export.options, tenants)


def check_two(lab: Lab, seed: int) -> None:
    """An export and the next one; of the first a tenant may be left out, of the second one may run twice."""
    rng = random.Random(seed)
    first, reference = nasty(seed), Reference()
    load(lab, reference, first)
    tenants = reference.tenants()
    run_steps(lab, reference, first.options, tenants[rng.randint(0, 1) :])
    second = follow_up(first, seed)
    load(lab, reference, second)
    tenants = reference.tenants()
    rng.shuffle(tenants)
    run_steps(lab, reference, second.options, tenants)
    run_steps(lab, reference, second.options, tenants[:1])


@pytest.mark.parametrize("seed", FAST_SEEDS)
def test_random_export_gives_the_rows_of_the_oracle(meter_lab: Lab, seed: int) -> None:
    check_one(meter_lab, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_many_random_exports_give_the_rows_of_the_oracle(meter_lab: Lab, seed: int) -> None:
    check_one(meter_lab, seed)


@pytest.mark.parametrize("seed", range(2))
def test_next_export_replaces_what_it_holds_and_prunes_the_rest(meter_lab: Lab, seed: int) -> None:
    check_two(meter_lab, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 200 + len(SLOW_SEEDS)))
def test_many_next_exports_replace_what_they_hold_and_prune_the_rest(meter_lab: Lab, seed: int) -> None:
    check_two(meter_lab, seed)
