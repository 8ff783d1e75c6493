"""E-mails through the real jobs into PostgreSQL: events, dead letters and their accounts, as the oracle has them."""

import datetime as dt
import os
from collections.abc import Iterator
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from booking_assets.assets import BOOKING
from booking_assets.assets.export import export
from booking_assets.assets.ingest import ASSETS, FRAME, ingest_dead_letter, ingest_event_log
from booking_assets.assets.reference import channel_registry
from booking_assets.months import INGEST_MONTH
from booking_assets.options import BookingRun
from booking_assets.retention import clear_away
from migration.automation import Automation, build_definitions, rollback_job
from migration.declare.run import DRY_RUN_TAGS
from tests.booking import booking_harness
from tests.booking.booking_cases import export_of, job, mail
from tests.booking.booking_files import Row
from tests.booking.booking_golden import CHECKS, EXPORT_ID, EXPORTED_AT, View, world
from tests.booking.booking_harness import SHADOW, Lab, Ran
from tests.booking.booking_nasty import Nasty, follow_up, nasty
from tests.booking.booking_records import KEYS
from tests.booking.booking_reference import Reference
from tests.booking.booking_scalars import key_of
from tests.booking.test_booking_fuzz import COUNTS, assert_same

FAST_SEEDS = range(2)
SLOW_SEEDS = range(100, 100 + int(os.environ.get("BOOKING_FUZZ_SEEDS", "30")))
EVENTS, LETTERS, MERGES = "ingest_event_log", "ingest_dead_letter", "merge_log"
TABLES = (EVENTS, LETTERS, MERGES)
STAGING_JOB, MONTHS_JOB, DRY = "mails", "mail_months", "_dry_run"
# Bookings are not loaded here, so the batch before this one never ran.
GATE = {"override_gate": ["ops_finance_bridge"]}


def _jobs() -> list[Any]:
    before = dg.AssetSelection.assets(export, channel_registry, FRAME_KEY)
    months = dg.AssetSelection.assets(ingest_event_log, ingest_dead_letter)
    checks = [
        dg.define_asset_job(f"{asset}_checks", dg.AssetSelection.checks_for_assets(dg.AssetKey(["booking", asset])))
        for asset in (EVENTS, LETTERS)
    ]
    return checks + [
        dg.define_asset_job(name + suffix, selection, tags=tags)
        for name, selection in ((STAGING_JOB, before), (MONTHS_JOB, months))
        for suffix, tags in (("", {}), (DRY, DRY_RUN_TAGS))
    ]


FRAME_KEY = dg.AssetKey(["booking", FRAME])
LOCATION = SimpleNamespace(
    defs=build_definitions(
        BOOKING,
        [export, channel_registry, *ASSETS],
        Automation(jobs=[*_jobs(), rollback_job(BOOKING)], schedules=[], sensors=[]),
        BookingRun(),
    ),
    SYSTEM=BOOKING,
)


@pytest.fixture
def lab(booking_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """An installation whose code location has the e-mails alone."""
    monkeypatch.setattr(booking_harness, "location", lambda: LOCATION)
    yield booking_lab


# --- running ----------------------------------------------------------------------------------------------------------


def months(lab: Lab) -> list[str]:
    """The months that runs have made known, in their order."""
    return list(lab.instance.get_dynamic_partitions(str(INGEST_MONTH.name)))


def put(lab: Lab, given: Nasty) -> None:
    """Write an export unless it is there."""
    if not (lab.landing / given.export_id).exists():
        lab.put(given.export_id, given.files, exported_at=given.exported_at, manifest=given.manifest)


def run(lab: Lab, export_id: str, suffix: str = "", tags: dict[str, str] | None = None) -> list[Ran]:
    """Carry the e-mails of an export through, all months in one run."""
    ran = [lab.run(STAGING_JOB + suffix, export_id=export_id, tags=tags)]
    known = months(lab)
    if known:
        ran.append(lab.run(MONTHS_JOB + suffix, (known[0], known[-1]), export_id=export_id, tags=tags, **GATE))
    assert [each.failures for each in ran] == [{}] * len(ran)
    return ran


def load(lab: Lab, reference: Reference, given: Nasty) -> list[Ran]:
    """Carry an export through and compare everything."""
    put(lab, given)
    reference.load(lab.landing / given.export_id)
    ran = run(lab, given.export_id)
    assert_tables(lab, reference)
    assert_accounts(lab, reference, ran)
    return ran


# --- comparing --------------------------------------------------------------------------------------------------------


def expected_rows(reference: Reference, table: str) -> dict[str, Row]:
    """The rows of the oracle; of the merge log those about events."""
    rows = reference.tables[table]
    return {key: row for key, row in rows.items() if table != MERGES or row["target_table"] == EVENTS}


def assert_tables(lab: Lab, reference: Reference, schema: str = "booking") -> None:
    """Events, dead letters and the log of merged e-mails are those of the oracle."""
    for table in TABLES:
        found = {row[KEYS[table]]: row for row in lab.rows(table, schema)}
        assert_same(f"{schema}.{table}", expected_rows(reference, table), found)


def assert_accounts(lab: Lab, reference: Reference, ran: list[Ran]) -> None:
    """Ledger, rejected rows and counts are those of the oracle."""
    ledger = lab.fetch(
        "SELECT export_id, source_table, source_row, target_table, source_pk, outcome,"
        " CASE WHEN outcome IN ('rejected', 'skipped') THEN reason END, target_key FROM booking.row_ledger"
        f" WHERE target_table = '{EVENTS}'"
    )
    wanted = {
        key: (*row[:2], row[2] if row[1] in ("rejected", "skipped") else None, row[3])
        for key, row in reference.ledger.items()
        if key[3] == EVENTS
    }
    assert_same("ledger", wanted, {row[:4]: row[4:] for row in ledger})
    rejected = lab.fetch(
        "SELECT export_id, source_table, source_row, target_table, source_pk, reason_code FROM booking.rejected_row"
    )
    of_events = {key: row for key, row in reference.rejected().items() if key[3] == EVENTS}
    assert_same("rejected", of_events, {row[:4]: row[4:] for row in rejected})
    for asset in (EVENTS, LETTERS):
        counts = reference.counts[(reference.export_id, asset)].flat()
        assert_same(f"counts of {asset}", counts, logged(lab, ran, asset))


def logged(lab: Lab, ran: list[Ran], asset: str) -> Row:
    """What the run log counts of an asset, all its rows of some runs together."""
    ids = ", ".join(f"'{each.run_id}'" for each in ran)
    rows = lab.fetch(
        f"SELECT {', '.join(COUNTS)} FROM booking.migration_run_log WHERE asset = '{asset}' AND run_id IN ({ids})"
    )
    assert rows, asset
    found: Row = dict.fromkeys(COUNTS, 0) | {"rejected_by": {}, "skipped_by": {}}
    for row in rows:
        for name, value in zip(COUNTS, row, strict=True):
            if isinstance(value, dict):
                found[name] = {code: found[name].get(code, 0) + value.get(code, 0) for code in {**found[name], **value}}
            else:
                found[name] += value
    return found


# --- tests ------------------------------------------------------------------------------------------------------------


def check_one(lab: Lab, seed: int) -> None:
    """An export as a dry run, live, and live again."""
    given, reference = nasty(seed), Reference()
    put(lab, given)
    preview = deepcopy(reference)
    preview.load(lab.landing / given.export_id)
    before = lab.images(*TABLES)
    run(lab, given.export_id, DRY, {"migration/preview": f"preview {seed}"})
    assert lab.images(*TABLES) == before
    assert_tables(lab, preview, SHADOW)
    load(lab, reference, given)
    images = lab.images(*TABLES)
    load(lab, reference, given)
    assert lab.images(*TABLES) == images


def check_two(lab: Lab, seed: int) -> None:
    """An export and the next one, twice."""
    first, reference = nasty(seed), Reference()
    load(lab, reference, first)
    second = follow_up(first, seed)
    load(lab, reference, second)
    images = lab.images(*TABLES)
    load(lab, reference, second)
    assert lab.images(*TABLES) == images


@pytest.mark.database
@pytest.mark.parametrize("seed", FAST_SEEDS)
def test_mails_of_a_random_export_give_the_rows_of_the_oracle(lab: Lab, seed: int) -> None:
    check_one(lab, seed)


@pytest.mark.database
@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_mails_of_many_random_exports_give_the_rows_of_the_oracle(lab: Lab, seed: int) -> None:
    check_one(lab, seed)


@pytest.mark.database
@pytest.mark.parametrize("seed", FAST_SEEDS)
def test_mails_of_the_next_export_are_held_against_stored_events(lab: Lab, seed: int) -> None:
    check_two(lab, seed)


@pytest.mark.database
@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_mails_of_many_next_exports_are_held_against_stored_events(lab: Lab, seed: int) -> None:
    check_two(lab, seed)


@pytest.mark.database
def test_same_export_again_merges_the_same_mails_into_the_same_events(lab: Lab) -> None:
    mails = export_of(
        mail("a", "r1"),
        mail("x", "r1", message_id="<c@mail.test>", received_at="2026-01-02T03:04:05.5Z"),
        mail("c", "r1", received_at="2026-02-02T03:04:05Z"),
    )
    reference = Reference()
    lab.put("e1", mails)
    for _ in range(2):
        reference.load(lab.landing / "e1")
        run(lab, "e1")
        assert_tables(lab, reference)
        assert [row["reason_code"] for row in lab.rows(MERGES)] == ["SECONDARY_DEDUP"]


@pytest.mark.database
def test_golden_mail(lab: Lab) -> None:
    lab.put(EXPORT_ID, world(), exported_at=EXPORTED_AT)
    run(lab, EXPORT_ID)
    CHECKS["G16"](View(lab.rows))


@pytest.mark.database
def test_ids_longer_than_their_columns_are_cut(lab: Lab) -> None:
    lab.put("e1", export_of(mail("a", "r1", message_id="1"), mail("b" * 200, "r2", message_id="1")))
    run(lab, "e1")
    assert [row["source_pk"] for row in lab.rows(MERGES)] == ["b" * 128]
    lab.put("e2", export_of(mail("c" * 200, "r3")), exported_at="2026-02-20T00:00:00Z")
    run(lab, "e2")
    assert [row["nonce"] for row in lab.rows(EVENTS)] == ["legacy:a", f"legacy:{'c' * 121}"]


# --- checks -----------------------------------------------------------------------------------------------------------

MAILS = export_of(
    mail("m1", "r1"),
    mail("m2", "r2", message_id="<m1@mail.test>"),
    mail("m3", "r3", received_at="2026-02-01T00:00:00.5Z"),
    mail("m4", "r4", is_booking_email=False),
    mail("m5", None),
    mail("m6", "r6"),
    mail("m7", "r7"),
    job("j6", "m6", "FAILED", error="cannot parse"),
    job("j7", "m7", "FAILED", error="timeout"),
)


@pytest.fixture
def loaded(lab: Lab) -> Lab:
    """An installation with a few e-mails in it, that no check finds fault with."""
    lab.put("e1", MAILS)
    run(lab, "e1")
    assert findings(lab, EVENTS) == findings(lab, LETTERS) == {}
    return lab


def findings(lab: Lab, asset: str) -> dict[str, str]:
    """What the checks of an asset find in the database now."""
    ran = lab.run(f"{asset}_checks")
    assert "conservation" in ran.checks
    return ran.findings()


def of(mail_id: str) -> str:
    """The condition on the event of an e-mail."""
    return f"event_key = '{key_of(f'bstadmin:email_inbox:{mail_id}')}'"


DROP_KEY = "ALTER TABLE booking.ingest_event_log DROP CONSTRAINT ingest_event_log_idempotency_key_key"
DROP_SECOND = "ALTER TABLE booking.ingest_event_log DROP CONSTRAINT ingest_event_log_secondary_key"
DROP_PARENT = "ALTER TABLE booking.ingest_dead_letter DROP CONSTRAINT ingest_dead_letter_event_key_fkey"
UPDATE = "UPDATE booking.ingest_event_log SET"
BROKEN = {
    "ingest_idempotency": (EVENTS, [DROP_KEY, f"{UPDATE} idempotency_key = '<m1@mail.test>' WHERE {of('m3')}"]),
    "ingest_secondary_dedup": (EVENTS, [DROP_SECOND, f"{UPDATE} external_booking_ref = 'R1' WHERE {of('m6')}"]),
    "event_time_normalized_seconds": (EVENTS, [f"{UPDATE} event_time_normalized = event_time WHERE {of('m3')}"]),
    "nonce_reuse": (
        EVENTS,
        [
            f"{UPDATE} nonce = 'legacy:m1', request_received_at = '2026-01-02T03:14:05Z' WHERE {of('m3')}",
        ],
    ),
    "dead_letter_orphan": (LETTERS, [DROP_PARENT, "UPDATE booking.ingest_dead_letter SET event_key = dead_letter_key"]),
    "conservation of events": (EVENTS, [f"DELETE FROM booking.ingest_event_log WHERE {of('m3')}"]),
    "conservation of dead letters": (LETTERS, ["DELETE FROM booking.ingest_dead_letter"]),
    "conservation of failed events": (LETTERS, [f"{UPDATE} process_status = 'FAILED' WHERE {of('m1')}"]),
}


@pytest.mark.database
@pytest.mark.parametrize("name", BROKEN)
def test_check_finds_what_was_broken_behind_its_back(loaded: Lab, name: str) -> None:
    asset, statements = BROKEN[name]
    loaded.execute(*statements)
    assert findings(loaded, asset) == {name.partition(" ")[0]: "ERROR"}


@pytest.mark.database
def test_nonces_ten_minutes_apart_are_no_reuse(loaded: Lab) -> None:
    loaded.execute(
        f"{UPDATE} nonce = 'legacy:m1', request_received_at = '2026-01-02T03:14:05.000001Z' WHERE {of('m3')}"
    )
    assert findings(loaded, EVENTS) == {}


@pytest.mark.database
def test_what_was_cleared_away_is_accounted_for_and_comes_back_with_the_next_load(loaded: Lab) -> None:
    loaded.execute("UPDATE booking.ingest_dead_letter SET status = 'CLOSED'")
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=40)
    assert clear_away(loaded.engine, later, "r1")[LETTERS] == 1
    assert clear_away(loaded.engine, later, "r2")[EVENTS] == 1
    assert findings(loaded, EVENTS) == findings(loaded, LETTERS) == {}
    run(loaded, "e1")
    assert findings(loaded, EVENTS) == findings(loaded, LETTERS) == {}
    assert len(loaded.rows(LETTERS)) == 1


@pytest.mark.database
def test_what_became_of_a_dead_letter_outlives_the_next_loads(loaded: Lab) -> None:
    after = "status = 'CLOSED', replay_count = 2, next_replay_at = '2026-03-01T00:00:00Z'"
    loaded.execute(f"UPDATE booking.ingest_dead_letter SET {after}")
    before = loaded.images(LETTERS)
    run(loaded, "e1")
    assert loaded.images(LETTERS) == before
    loaded.put("e2", MAILS, exported_at="2026-02-20T00:00:00Z")
    run(loaded, "e2")
    (letter,) = loaded.rows(LETTERS)
    assert (letter["export_id"], letter["status"], letter["replay_count"]) == ("e2", "CLOSED", 2)
