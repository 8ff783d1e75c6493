"""Random dirty exports through the real jobs into PostgreSQL, every table compared row by row with the oracle."""

import os
import random
from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import pytest

from tests.booking.booking_files import Row
from tests.booking.booking_harness import SHADOW, Lab, Ran
from tests.booking.booking_nasty import Nasty, follow_up, nasty
from tests.booking.booking_records import KEYS
from tests.booking.booking_reference import ANY, OF_BOOKINGS, OF_FILES, Reference

FAST_SEEDS = range(2)
SLOW_SEEDS = range(100, 100 + int(os.environ.get("BOOKING_FUZZ_SEEDS", "30")))
COUNTS = ("source_rows", "loaded", "merged", "rejected", "skipped", "rejected_by", "skipped_by")
DERIVED = ("catalog_variant_rate", "booking_item_snapshot", "payment_event")


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


def assert_tables(lab: Lab, reference: Reference, schema: str = "booking") -> None:
    """Every table of the contract holds exactly the rows of the oracle; columns of its own it may have."""
    for table, key in KEYS.items():
        expected = {each: _said(row) for each, row in reference.tables[table].items()}
        found = lab.rows(table, schema)
        rows = {row[key]: row for row in found}
        assert len(rows) == len(found)
        actual = {each: _columns_of(row, expected.get(each)) for each, row in rows.items()}
        assert_same(f"{schema}.{table}", expected, actual)


def _said(row: Row) -> Row:
    """What the oracle says of a row, without what it leaves open."""
    return {name: value for name, value in row.items() if value != ANY}


def _columns_of(row: Row, expected: Row | None) -> Row:
    return row if expected is None else {name: value for name, value in row.items() if name in expected}


def assert_ledger(lab: Lab, reference: Reference) -> None:
    rows = lab.fetch(
        "SELECT export_id, source_table, source_row, target_table, source_pk, outcome, reason, target_key"
        " FROM booking.row_ledger"
    )
    actual = {row[:4]: _outcome(*row[4:]) for row in rows if row[3] in OF_FILES}
    assert_same("ledger", {key: _outcome(*row) for key, row in reference.ledger.items()}, actual)


def _outcome(pk: str, outcome: str, reason: str | None, key: str | None) -> tuple[Any, ...]:
    """An outcome; the reasons of loaded rows are warnings, those of merged ones are in the merge log."""
    if outcome in ("rejected", "skipped"):
        return pk, outcome, reason
    return pk, outcome, key


def assert_rejected(lab: Lab, reference: Reference) -> None:
    names = "export_id, source_table, source_row, target_table, source_pk, reason_code"
    rows = lab.fetch(f"SELECT {names} FROM booking.rejected_row")
    actual = {row[:4]: row[4:] for row in rows}
    assert len(actual) == len(rows)
    assert_same("rejected", reference.rejected(), actual)


def assert_counts(lab: Lab, reference: Reference, ran: Ran) -> None:
    """The run log counts what the oracle counts, all months of a run together."""
    names = ", ".join(COUNTS)
    runs = "', '".join(ran.run_ids)
    rows = lab.fetch(f"SELECT asset, status, {names} FROM booking.migration_run_log WHERE run_id IN ('{runs}')")
    assert {row[1] for row in rows} == {"success"}
    for asset in (*OF_FILES, *OF_BOOKINGS):
        logged = [dict(zip(COUNTS, row[2:], strict=True)) for row in rows if row[0] == asset]
        assert logged, asset
        counts = reference.counts[(reference.export_id, asset)].flat()
        assert_same(f"counts of {asset}", counts, {name: _sum(row[name] for row in logged) for name in COUNTS})
    for asset in DERIVED:
        found = [row for row in lab.rows(asset) if row["is_synthetic"] and not row["is_deleted"]]
        assert len(found) == reference.counts[(reference.export_id, asset)].derived, asset


def _sum(values: Iterable[Any]) -> Any:
    """The sum of numbers, or of counts by reason."""
    found = list(values)
    if not isinstance(found[0], dict):
        return sum(found)
    return {reason: sum(each.get(reason, 0) for each in found) for reason in {r for each in found for r in each}}


# --- running ----------------------------------------------------------------------------------------------------------


def load(lab: Lab, reference: Reference, export: Nasty) -> None:
    """Carry an export through and compare everything."""
    lab.tolerant = True
    place = lab.landing / export.export_id
    if not place.exists():
        lab.put(export.export_id, export.files, exported_at=export.exported_at, manifest=export.manifest)
    reference.load(place)
    ran = lab.migrate(export.export_id)
    assert ran.failures == {}
    assert_tables(lab, reference)
    assert_ledger(lab, reference)
    assert_rejected(lab, reference)
    assert_counts(lab, reference, ran)


def dry_run(lab: Lab, reference: Reference, export: Nasty) -> None:
    """A dry run writes its shadow as the live run would write the tables, and no table."""
    lab.tolerant = True
    place = lab.put(export.export_id, export.files, exported_at=export.exported_at, manifest=export.manifest)
    expected = deepcopy(reference)
    expected.load(place)
    before = lab.images(*KEYS)
    ran = lab.migrate(export.export_id, dry_run=True)
    assert ran.failures == {}
    assert lab.images(*KEYS) == before
    assert_tables(lab, expected, SHADOW)


def take_up(lab: Lab, reference: Reference, rng: random.Random) -> None:
    """Let a person take up some of the questions."""
    stored = reference.tables["unmapped_queue"]
    for key in rng.sample(sorted(stored), min(len(stored), 3)):
        status = rng.choice(("IN_REVIEW", "RESOLVED", "CLOSED"))
        by = None if status == "IN_REVIEW" else "ann"
        stored[key] |= {"status": status, "resolved_by": by}
        written = "NULL" if by is None else f"'{by}'"
        lab.execute(
            f"UPDATE booking.unmapped_queue SET status = '{status}', resolved_by = {written} WHERE queue_key = '{key}'"
        )


def rerun(lab: Lab, reference: Reference, export: Nasty) -> None:
    """The same export again gives what it gave; where nothing is to change, no row is written."""
    tables, images = deepcopy(reference.tables), lab.images(*KEYS)
    load(lab, reference, export)
    if reference.tables == tables:
        assert lab.images(*KEYS) == images


def check_one(lab: Lab, seed: int) -> None:
    export, reference = nasty(seed), Reference()
    dry_run(lab, reference, export)
    load(lab, reference, export)
    rerun(lab, reference, export)


def check_two(lab: Lab, seed: int) -> None:
    """An export and the next one, of which a person has already looked at some questions."""
    first, reference = nasty(seed), Reference()
    load(lab, reference, first)
    take_up(lab, reference, random.Random(seed))
    second = follow_up(first, seed)
    load(lab, reference, second)
    rerun(lab, reference, second)


@pytest.mark.parametrize("seed", FAST_SEEDS)
def test_random_export_gives_the_rows_of_the_oracle(booking_lab: Lab, seed: int) -> None:
    check_one(booking_lab, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_many_random_exports_give_the_rows_of_the_oracle(booking_lab: Lab, seed: int) -> None:
    check_one(booking_lab, seed)


@pytest.mark.parametrize("seed", range(1))
def test_next_export_replaces_what_it_holds_and_deletes_the_rest(booking_lab: Lab, seed: int) -> None:
    check_two(booking_lab, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 200 + len(SLOW_SEEDS)))
def test_many_next_exports_replace_what_they_hold_and_delete_the_rest(booking_lab: Lab, seed: int) -> None:
    check_two(booking_lab, seed)
