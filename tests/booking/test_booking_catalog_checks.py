"""Law: checks can fail. Each check of the catalog is broken behind its back and sees exactly that; refused exports."""

import shutil
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from booking_assets.options import BookingRun
from booking_assets.parsing.keys import key
from migration.checks import Judgement, judge
from migration.declare.run import DRY_RUN_TAGS, RunFacts
from tests.booking.booking_harness import Lab, location
from tests.booking.test_booking_catalog_jobs import TARGETS

FIRST, SECOND = "20260219T000000Z", "20260319T000000Z"
URL = "https://pictures.test/a.jpg"
FILES: dict[str, list[dict[str, Any]]] = {
    "balisnap.TourProduct": [{"product_id": n, "slug": f"tour {n}", "thumbnail_url": URL} for n in (1, 2)],
    "balisnap.TourVariant": [{"variant_id": n, "product_id": n, "variant_code": f"v{n}"} for n in (1, 2)],
    "balisnap.VariantRatePlan": [
        {"rate_plan_id": n, "variant_id": n, "traveler_type": "ADULT", "price": 10} for n in (1, 2)
    ],
    "bstadmin.tours": [{"tour_id": 7, "tour_name": "Volcano", "slug": "volcano"}],
    "bstadmin.tour_packages": [{"package_id": 3, "tour_id": 7, "slug": "dawn", "price_per_person": 80}],
}


def batches(lab: Lab, export_id: str, **options: Any) -> dict[str, str]:
    """Run batches B and C; returns what failed."""
    first = lab.run("booking_batch_b", export_id=export_id, **options)
    return first.failures or lab.run("booking_batch_c", export_id=export_id, **options).failures


@pytest.fixture(scope="module")
def loaded(module_booking_lab: Lab) -> Lab:
    """An installation that has loaded the catalog, without a finding."""
    module_booking_lab.put(FIRST, FILES)
    assert batches(module_booking_lab, FIRST) == {}
    return module_booking_lab


@pytest.fixture
def connection(loaded: Lab) -> Iterator[sa.Connection]:
    """A transaction that is rolled back."""
    with loaded.engine.connect() as opened:
        yield opened


def judged(lab: Lab, connection: sa.Connection) -> dict[tuple[str, str], Judgement]:
    """What every check of the catalog finds in the database now, if it finds anything."""
    system = location().SYSTEM
    run = RunFacts("check", dry_run=False, options=BookingRun(), settings=lab.settings)
    found = {}
    for name in TARGETS:
        declaration = system.declarations[name]
        scope = system.scope_of_last_run(declaration, connection, run)
        for check in declaration.checks:
            judgement = judge(check, scope)
            if not judgement.passed:
                found[(name, check.name)] = judgement
    return found


def test_a_good_export_passes_every_check(loaded: Lab, connection: sa.Connection) -> None:
    assert judged(loaded, connection) == {}


BREAKS: list[tuple[list[str], tuple[str, str], str]] = [
    (
        ["DELETE FROM booking.row_ledger WHERE source_table = 'bstadmin.tours'"],
        ("catalog_product", "conservation"),
        "ERROR",
    ),
    (
        ["UPDATE booking.row_ledger SET outcome = 'skipped' WHERE target_table = 'catalog_variant' AND source_row = 2"],
        ("catalog_variant", "conservation"),
        "ERROR",
    ),
    (
        ["UPDATE booking.catalog_variant_rate SET is_synthetic = true"],
        ("catalog_variant_rate", "conservation"),
        "ERROR",
    ),
    (
        [
            "ALTER TABLE booking.catalog_product DROP CONSTRAINT catalog_product_slug_key",
            "UPDATE booking.catalog_product SET slug = 'tour-1' WHERE slug = 'tour-2'",
        ],
        ("catalog_product", "duplicate_slug"),
        "ERROR",
    ),
    (
        [
            "ALTER TABLE booking.catalog_variant DROP CONSTRAINT catalog_variant_product_key_code_key",
            "UPDATE booking.catalog_variant SET code = 'X', product_key = (SELECT min(product_key::text)::uuid"
            " FROM booking.catalog_product)",
        ],
        ("catalog_variant", "duplicate_variant_code"),
        "ERROR",
    ),
    (
        ["UPDATE booking.catalog_product SET is_deleted = true WHERE slug = 'tour-1'"],
        ("catalog_variant", "orphan_variant"),
        "ERROR",
    ),
    (
        ["UPDATE booking.catalog_variant SET is_deleted = true WHERE code = 'V1'"],
        ("catalog_variant_rate", "orphan_rate"),
        "ERROR",
    ),
    (
        ["UPDATE booking.catalog_variant_rate SET is_active = false WHERE price = 80"],
        ("catalog_variant_rate", "variant_without_rate"),
        "WARN",
    ),
]


@pytest.mark.parametrize(("broken", "check", "level"), BREAKS)
def test_each_check_finds_its_damage(
    loaded: Lab, connection: sa.Connection, broken: list[str], check: tuple[str, str], level: str
) -> None:
    for statement in broken:
        connection.execute(sa.text(statement))
    found = judged(loaded, connection)
    assert {name: judgement.level for name, judgement in found.items()} == {check: level}
    assert found[check].keys or check[1] == "conservation"


def test_deleted_rows_count_nowhere(loaded: Lab, connection: sa.Connection) -> None:
    for table in ("catalog_product", "catalog_variant", "catalog_variant_rate"):
        connection.execute(sa.text(f"UPDATE booking.{table} SET is_deleted = true"))
    assert judged(loaded, connection) == {}


# --- variants that nobody has mapped ----------------------------------------------------------------------------------


def queue(count: int, table: str, status: str = "OPEN") -> str:
    return (
        "INSERT INTO booking.unmapped_queue (queue_key, queue_type, source_table, source_pk, reason_code, status,"
        f" export_id) SELECT gen_random_uuid(), 'VARIANT_MAPPING', '{table}', n, 'NO_MATCH', '{status}', '{FIRST}'"
        f" FROM generate_series(1, {count}) n"
    )


def variants(count: int, table: str, outcome: str, reason: str = "NULL") -> str:
    return (
        "INSERT INTO booking.row_ledger (export_id, source_table, source_row, target_table, source_pk, outcome, reason,"
        f" run_id) SELECT '{FIRST}', '{table}', 1000 + n, 'catalog_variant', n, '{outcome}', {reason}, 'r'"
        f" FROM generate_series(1, {count}) n"
    )


RATIOS = [
    ([], {"DIRECT": 0, "MANUAL": 0}, None),
    # Two variants are there: one in twenty of 38 and 2 is at the limit.
    ([variants(36, "balisnap.TourVariant", "loaded"), queue(2, "TourVariant")], {"DIRECT": "0.05", "MANUAL": 0}, None),
    ([variants(35, "balisnap.TourVariant", "loaded"), queue(2, "TourVariant")], {"MANUAL": 0}, "ERROR"),
    # One package is there; those that are one of the website's variants count, repeated rows do not.
    ([variants(19, "bstadmin.tour_packages", "merged", "'BRIDGED'"), queue(1, "tour_packages")], {"DIRECT": 0}, None),
    ([variants(19, "bstadmin.tour_packages", "merged", "'DUPLICATE_PK'"), queue(1, "tour_packages")], {}, "ERROR"),
    ([queue(5, "TourVariant", "IN_REVIEW"), queue(5, "BookingItem")], {"DIRECT": 0, "MANUAL": 0}, None),
]


@pytest.mark.parametrize(("prepared", "ratios", "level"), RATIOS)
def test_unmapped_variants_per_channel(
    loaded: Lab, connection: sa.Connection, prepared: list[str], ratios: dict[str, Any], level: str | None
) -> None:
    for statement in prepared:
        connection.execute(sa.text(statement))
    system = location().SYSTEM
    declaration = system.declarations["catalog_variant"]
    scope = system.scope_of_last_run(declaration, connection, RunFacts("c", False, BookingRun(), loaded.settings))
    check = next(check for check in declaration.checks if check.name == "unmapped_variant_ratio")
    found = judge(check, scope)
    measured = dict(zip(found.measures["channel_code"], found.measures["unmapped_ratio"], strict=True))
    assert found.level == level
    assert {channel: measured[channel] for channel in ratios} == {c: Decimal(str(r)) for c, r in ratios.items()}
    assert bool(found.keys) == (level is not None)


def test_too_many_unmapped_variants_keep_the_batch_shut(booking_lab: Lab) -> None:
    orphan = {"variant_id": 3, "product_id": 99}
    booking_lab.put(FIRST, FILES | {"balisnap.TourVariant": [*FILES["balisnap.TourVariant"], orphan]})
    failed = batches(booking_lab, FIRST)
    assert failed == {"catalog_variant": "Blocked, no row published: unmapped_variant_ratio."}
    assert len(booking_lab.rows("catalog_product")) == 3
    assert booking_lab.rows("catalog_variant") == booking_lab.rows("catalog_variant_rate") == []
    rejected = booking_lab.fetch("SELECT source_pk, reason_code, detail FROM booking.rejected_row")
    assert rejected == [("3", "ORPHAN_PRODUCT", "product_id: ORPHAN_PRODUCT")]
    status = booking_lab.fetch("SELECT status FROM booking.migration_run_log WHERE asset = 'catalog_variant'")
    assert status == [("blocked",)]


def test_slugs_and_codes_may_change_places(booking_lab: Lab) -> None:
    booking_lab.put(FIRST, FILES, exported_at="2026-02-19T00:00:00Z")
    swapped = [row | {"slug": f"tour {3 - row['product_id']}"} for row in FILES["balisnap.TourProduct"]]
    moved = [
        row | {"product_id": 1, "variant_code": f"v{3 - row['variant_id']}"} for row in FILES["balisnap.TourVariant"]
    ]
    booking_lab.put(
        SECOND,
        FILES | {"balisnap.TourProduct": swapped, "balisnap.TourVariant": moved},
        exported_at="2026-03-19T00:00:00Z",
    )
    assert batches(booking_lab, FIRST) == batches(booking_lab, SECOND) == {}
    slugs = {row["product_key"]: row["slug"] for row in booking_lab.rows("catalog_product")}
    assert (slugs[key("balisnap:TourProduct:1")], slugs[key("balisnap:TourProduct:2")]) == ("tour-2", "tour-1")
    codes = {row["variant_key"]: row["code"] for row in booking_lab.rows("catalog_variant")}
    assert (codes[key("balisnap:TourVariant:1")], codes[key("balisnap:TourVariant:2")]) == ("V2", "V1")


def test_what_is_gone_is_marked_and_comes_back(booking_lab: Lab) -> None:
    booking_lab.put(FIRST, FILES, exported_at="2026-02-19T00:00:00Z")
    shrunk = {name: rows[:1] for name, rows in FILES.items() if name.startswith("balisnap")}
    booking_lab.put(SECOND, shrunk, exported_at="2026-03-19T00:00:00Z")
    assert batches(booking_lab, FIRST) == batches(booking_lab, SECOND) == {}
    gone = [sum(row["is_deleted"] for row in booking_lab.rows(table)) for table in TARGETS]
    assert gone == [2, 2, 2]
    assert batches(booking_lab, FIRST, allow_stale=True) == {}
    assert not any(row["is_deleted"] for table in TARGETS for row in booking_lab.rows(table))


# --- older exports ----------------------------------------------------------------------------------------------------


def test_an_export_older_than_the_one_loaded_last_is_refused_unless_the_run_insists(booking_lab: Lab) -> None:
    booking_lab.put(FIRST, FILES, exported_at="2026-02-19T00:00:00Z")
    booking_lab.put(SECOND, FILES, exported_at="2026-03-19T00:00:00Z")
    assert batches(booking_lab, FIRST) == {}
    assert batches(booking_lab, SECOND) == {}
    failed = batches(booking_lab, FIRST)
    assert list(failed) == ["export"]
    assert failed["export"].startswith(f"StaleExport: Export {FIRST} was taken before export {SECOND}")
    assert {row["export_id"] for row in booking_lab.rows("catalog_product")} == {SECOND}
    assert batches(booking_lab, SECOND) == {}
    assert batches(booking_lab, FIRST, allow_stale=True) == {}
    assert {row["export_id"] for row in booking_lab.rows("catalog_product")} == {FIRST}
    assert batches(booking_lab, FIRST) == {}


def test_no_asset_takes_up_an_older_export_again(booking_lab: Lab) -> None:
    booking_lab.put(FIRST, FILES, exported_at="2026-02-19T00:00:00Z")
    booking_lab.put(SECOND, FILES, exported_at="2026-03-19T00:00:00Z")
    assert batches(booking_lab, FIRST) == batches(booking_lab, SECOND) == {}
    for asset in ("catalog_product", "catalog_bridge"):
        failed = booking_lab.run("booking_batch_c", selection=[asset], export_id=FIRST).failures
        assert failed[asset].startswith("StaleExport: ")
    dry = booking_lab.run("booking_batch_c", selection=["catalog_bridge"], tags=DRY_RUN_TAGS, export_id=FIRST)
    assert dry.failures == {}


def test_an_export_that_was_only_verified_makes_no_other_one_stale(booking_lab: Lab) -> None:
    booking_lab.put(FIRST, FILES, exported_at="2026-02-19T00:00:00Z")
    booking_lab.put(SECOND, FILES, exported_at="2026-03-19T00:00:00Z")
    assert booking_lab.run("booking_batch_b", selection=["export"], export_id=SECOND).failures == {}
    assert batches(booking_lab, FIRST) == {}
    times = booking_lab.fetch(
        "SELECT export_id, reference_time::date::text FROM booking.migration_run_log WHERE asset = 'export' ORDER BY 1"
    )
    assert times == [(FIRST, "2026-02-19"), (SECOND, "2026-03-19")]


def test_a_manifest_that_was_mended_says_when_the_export_was_taken(booking_lab: Lab) -> None:
    found = []
    for taken in ("2026-02-19T00:00:00Z", "2026-02-21T00:00:00Z"):
        shutil.rmtree(booking_lab.landing / FIRST, ignore_errors=True)
        booking_lab.put(FIRST, FILES, exported_at=taken)
        assert booking_lab.run("booking_batch_b", selection=["export"], export_id=FIRST).failures == {}
        logged = "SELECT max(reference_time)::date::text FROM booking.migration_run_log"
        found += [row[0] for row in booking_lab.fetch(logged)]
    assert found == ["2026-02-19", "2026-02-21"]
