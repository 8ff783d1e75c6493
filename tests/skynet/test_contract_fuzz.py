"""Random dirty exports through the real jobs into PostgreSQL, every table compared row by row with the reference."""

import datetime as dt
import json
import os
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.skynet.harness import BUSINESS_TABLES, Lab, Ran, utc_now
from tests.skynet.nasty import Nasty, nasty, overlay_text
from tests.skynet.reference import KEYS, Reference

FAST_SEEDS = range(6)
SLOW_SEEDS = range(100, 100 + int(os.environ.get("SKYNET_FUZZ_SEEDS", "40")))
COUNTS = ("source_rows", "loaded", "merged", "rejected", "skipped", "rejected_by", "skipped_by", "warnings")
# Counts of these assets are their own business: the contract says what they do, not what they count.
UNCOUNTED = ("export", "router_credentials", "branch_reconciliation")


# --- comparing --------------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    return str(value) if type(value).__name__ == "UUID" else value


def credentials_status(row: dict[str, Any]) -> str:
    given = [row[name] is not None for name in ("ip_address", "username", "password")]
    return "complete" if all(given) else "partial" if any(given) else "missing"


def expected_rows(reference: Reference, table: str) -> dict[Any, dict[str, Any]]:
    rows = reference.tables[table]
    if table == "routers":
        return {key: {**row, "credentials_status": credentials_status(row)} for key, row in rows.items()}
    return rows


def actual_rows(lab: Lab, table: str) -> dict[Any, dict[str, Any]]:
    rows = [{name: plain(value) for name, value in row.items() if name != "migrated_at"} for row in lab.rows(table)]
    keyed = {tuple(row[name] for name in KEYS[table]): row for row in rows}
    assert len(keyed) == len(rows)
    return keyed


def assert_same(what: str, expected: dict[Any, Any], actual: dict[Any, Any]) -> None:
    lines = [f"{what} {key}: {_difference(expected.get(key), actual.get(key))}" for key in expected | actual]
    wrong = [line for line, key in zip(lines, expected | actual, strict=True) if expected.get(key) != actual.get(key)]
    assert not wrong, "\n".join(wrong[:10])


def _difference(expected: Any, actual: Any) -> str:
    if isinstance(expected, dict) and isinstance(actual, dict):
        names = [n for n in {**expected, **actual} if expected.get(n, "absent") != actual.get(n, "absent")]
        return str({name: (expected.get(name, "absent"), actual.get(name, "absent")) for name in names})
    return f"expected {expected}, found {actual}"


def ledger_of(lab: Lab) -> dict[Any, Any]:
    rows = lab.fetch(
        "SELECT export_id, source_table, source_row, target_table, source_pk, outcome, reason, target_key"
        " FROM skynet.row_ledger"
    )
    found = {}
    for export, source, row, target, pk, outcome, reason, key in rows:
        assert pk == f"row:{row}"
        codes = frozenset(reason.split(",")) if outcome == "loaded" and reason else reason
        found[(export, source, row, target)] = (outcome, codes, key)
    return found


def rejected_of(lab: Lab) -> dict[Any, Any]:
    rows = lab.fetch(
        "SELECT export_id, source_table, source_row, target_table, source_pk, reason_code, raw::text"
        " FROM skynet.rejected_row"
    )
    assert all(row[4] == f"row:{row[2]}" for row in rows)
    return {row[:4]: (row[5], without_empty(json.loads(row[6], parse_float=Decimal))) for row in rows}


def without_empty(raw: Any) -> Any:
    """A record of a CSV file keeps its empty cells as such or as null: both are fine."""
    return {k: None if v == "" else v for k, v in raw.items()}


def counts_of(lab: Lab, export_id: str) -> dict[Any, Any]:
    names = ", ".join(COUNTS)
    rows = lab.fetch(
        f"SELECT asset, partition, status, {names} FROM skynet.migration_run_log WHERE export_id='{export_id}'"
    )
    assert {row[2] for row in rows} == {"success"}
    found = {row[:2]: dict(zip(COUNTS, row[3:], strict=True)) for row in rows}
    assert len(found) == len(rows)
    return {key: counts for key, counts in found.items() if key[0] not in UNCOUNTED}


def assert_everything(lab: Lab, reference: Reference, export_id: str) -> None:
    for table in BUSINESS_TABLES:
        assert_same(table, expected_rows(reference, table), actual_rows(lab, table))
    assert_same("ledger", reference.ledger, ledger_of(lab))
    rejected = {key: (code, without_empty(raw)) for key, (code, raw) in reference.rejected.items()}
    assert_same("rejected", rejected, rejected_of(lab))
    counts = {key[1:]: found.flat() for key, found in reference.counts.items() if key[0] == export_id}
    assert_same("counts", counts, counts_of(lab, export_id))


# --- running ----------------------------------------------------------------------------------------------------------


def put(lab: Lab, export: Nasty) -> None:
    """Write an export, and set up what its run finds around it."""
    lab.tolerant = True
    lab.put(export.given.export_id, export.files, exported_at=export.exported_at, manifest=export.manifest)
    lab.environment = dict(export.environment)
    if export.overlay:
        path = lab.settings.home / "overlay.json"
        path.write_text(overlay_text(export.overlay))
        lab.environment["SKYNET_ROUTER_CREDENTIALS_FILE"] = str(path)


def load(lab: Lab, reference: Reference, export: Nasty) -> Ran:
    reference.load(export.given)
    ran = lab.run(export.given.export_id, export.months)
    assert ran.failures == {}
    assert_everything(lab, reference, export.given.export_id)
    return ran


def check_one(lab: Lab, seed: int) -> None:
    export = nasty(seed)
    put(lab, export)
    load(lab, Reference(), export)


@pytest.mark.parametrize("seed", FAST_SEEDS)
def test_random_export_gives_the_rows_of_the_reference(lab: Lab, seed: int) -> None:
    check_one(lab, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_many_random_exports_give_the_rows_of_the_reference(lab: Lab, seed: int) -> None:
    check_one(lab, seed)


def check_two(lab: Lab, seed: int) -> None:
    reference = Reference()
    first = nasty(seed, "20260210T030000Z")
    second = nasty(seed + 100_000, "20260310T030000Z") if seed % 3 else nasty(seed, "20260310T030000Z")
    put(lab, first)
    load(lab, reference, first)
    simulate_downloads(lab, reference)
    between = utc_now(lab.engine)
    put(lab, second)
    ran = load(lab, reference, second)
    assert_changed_rows(lab, reference, between, second.given.export_id)
    superseded = sum(v for k, v in ran.metadata.get("transactions", {}).items() if k.startswith("superseded"))
    assert superseded == reference.superseded[second.given.export_id]


def check_again(lab: Lab, seed: int) -> None:
    """An older export once more: what a newer one has brought may settle what was rejected then."""
    reference = Reference()
    first, second = nasty(seed, "20260210T030000Z"), nasty(seed + 100_000, "20260310T030000Z")
    for export in (first, second):
        put(lab, export)
        load(lab, reference, export)
    again = replace(first, overlay=None, given=replace(first.given, overlay=[]))
    lab.environment = dict(first.environment)
    reference.counts.clear()
    reference.load(again.given)
    lab.execute("DELETE FROM skynet.migration_run_log")
    ran = lab.run(again.given.export_id, again.months)
    assert ran.failures == {}
    assert_everything(lab, reference, again.given.export_id)


def assert_changed_rows(lab: Lab, reference: Reference, between: dt.datetime, export_id: str) -> None:
    """`migrated_at` moves exactly where business data changed."""
    for table in BUSINESS_TABLES:
        for row in lab.rows(table):
            key = tuple(plain(row[name]) for name in KEYS[table])
            by_last = reference.changed.get((table, key)) == export_id
            assert (row["migrated_at"] > between) == by_last, (table, key)


def simulate_downloads(lab: Lab, reference: Reference) -> None:
    """Some photos are downloaded, some fail, as the download asset leaves them."""
    photos = sorted(reference.tables["identity_card_photos"])
    for position, (customer_id,) in enumerate(photos):
        _simulate_download(lab, reference, customer_id, ("downloaded", "failed", None)[position % 3])


def _simulate_download(lab: Lab, reference: Reference, customer_id: str, state: str | None) -> None:
    if state is None:
        return
    values: dict[str, Any] = {"status": state, "error_code": "TIMEOUT" if state == "failed" else None, "attempts": 1}
    if state == "downloaded":
        values |= {"stored_path": "a.jpg", "sha256": "0" * 64, "byte_size": 3, "content_type": "image/jpeg"}
        reference.tables["customers"][(customer_id,)]["identity_card_photo_path"] = "a.jpg"
    reference.tables["identity_card_photos"][(customer_id,)].update(values)
    quoted = customer_id.replace("'", "''").replace(":", "\\:")
    settings = ", ".join(f"{k} = {literal(v)}" for k, v in values.items())
    lab.execute(
        f"UPDATE skynet.identity_card_photos SET {settings} WHERE customer_id = '{quoted}'",
        f"UPDATE skynet.customers SET identity_card_photo_path = {literal(values.get('stored_path'))}"
        f" WHERE id = '{quoted}'",
    )


def literal(value: Any) -> str:
    return "NULL" if value is None else repr(value)


def seeds(first: int, count: int) -> Iterable[int]:
    return range(first, first + count)


@pytest.mark.parametrize("seed", seeds(0, 2))
def test_second_export_updates_what_it_holds_and_keeps_the_rest(lab: Lab, seed: int) -> None:
    check_two(lab, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(200, len(SLOW_SEEDS) // 2))
def test_many_second_exports_update_what_they_hold_and_keep_the_rest(lab: Lab, seed: int) -> None:
    check_two(lab, seed)


@pytest.mark.parametrize("seed", seeds(20, 1))
def test_older_export_again_gives_the_rows_of_the_reference(lab: Lab, seed: int) -> None:
    check_again(lab, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(400, len(SLOW_SEEDS) // 2))
def test_many_older_exports_again_give_the_rows_of_the_reference(lab: Lab, seed: int) -> None:
    check_again(lab, seed)
