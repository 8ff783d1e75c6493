"""Random dirty exports through the jobs of batches B and C, every row of the catalog compared with the oracle."""

import os
import random
from typing import Any

import pytest

from migration.frames import FrameStore
from tests.booking.booking_bridge import Bridge
from tests.booking.booking_files import read_export
from tests.booking.booking_harness import Lab, Ran
from tests.booking.booking_nasty import Nasty, follow_up, nasty
from tests.booking.booking_records import KEYS, Inputs
from tests.booking.booking_reference import Reference
from tests.booking.test_booking_fuzz import COUNTS, _columns_of, _outcome, _said, assert_same, take_up

FAST_SEEDS = range(2)
SLOW_SEEDS = range(300, 300 + int(os.environ.get("BOOKING_FUZZ_SEEDS", "30")))
TARGETS = ("catalog_product", "catalog_variant", "catalog_variant_rate")
VOCABULARIES = ("channel_registry", "ref_mapping_status")
TABLES = (*VOCABULARIES, *TARGETS, "unmapped_queue", "merge_log")
VARIANT_TABLES = ("TourVariant", "tour_packages")
OF_CATALOG = ("PRODUCT_MAPPING", "CATALOG_EXTENDED_METADATA")


# --- comparing --------------------------------------------------------------------------------------------------------


def is_of_catalog(table: str, row: dict[str, Any]) -> bool:
    """Whether a row of a table that others write, too, is the catalog's."""
    if table == "merge_log":
        return row["target_table"] in TARGETS
    if table == "unmapped_queue":
        of_variants = row["queue_type"] == "VARIANT_MAPPING" and row["source_table"] in VARIANT_TABLES
        return of_variants or row["queue_type"] in OF_CATALOG
    return True


def assert_rows(lab: Lab, reference: Reference) -> None:
    for table in TABLES:
        expected = {k: _said(row) for k, row in reference.tables[table].items() if is_of_catalog(table, row)}
        rows = {row[KEYS[table]]: row for row in lab.rows(table)}
        assert_same(table, expected, {key: _columns_of(row, expected.get(key)) for key, row in rows.items()})


def assert_outcomes(lab: Lab, reference: Reference) -> None:
    names = "export_id, source_table, source_row, target_table, source_pk"
    ledger = lab.fetch(f"SELECT {names}, outcome, reason, target_key FROM booking.row_ledger")
    expected = {key: _outcome(*row) for key, row in reference.ledger.items() if key[3] in TARGETS}
    assert_same("ledger", expected, {row[:4]: _outcome(*row[4:]) for row in ledger})
    rejected = {row[:4]: row[4:] for row in lab.fetch(f"SELECT {names}, reason_code FROM booking.rejected_row")}
    assert_same("rejected", {k: row for k, row in reference.rejected().items() if k[3] in TARGETS}, rejected)


def assert_logged(lab: Lab, reference: Reference, ran: Ran) -> None:
    names = ", ".join(COUNTS)
    rows = lab.fetch(f"SELECT asset, status, {names} FROM booking.migration_run_log WHERE run_id = '{ran.run_id}'")
    assert {row[1] for row in rows} == {"success"}
    logged = {row[0]: dict(zip(COUNTS, row[2:], strict=True)) for row in rows}
    for asset in TARGETS:
        counts = reference.counts[(reference.export_id, asset)]
        assert_same(f"counts of {asset}", counts.flat(), logged[asset])
    synthetic = [row for row in lab.rows("catalog_variant_rate") if row["is_synthetic"] and not row["is_deleted"]]
    assert len(synthetic) == reference.counts[(reference.export_id, "catalog_variant_rate")].derived


def assert_staged(lab: Lab, reference: Reference, export: Nasty) -> None:
    """What the bookings read of the catalog."""
    frames = FrameStore(lab.settings.work / "booking", export.export_id, "")
    entities = ("PRODUCT", "VARIANT")
    found = reference.live("channel_external_refs")
    expected = {row["external_ref_key"]: _said(row) for row in found if row["entity_type"] in entities}
    staged = {row["external_ref_key"]: row | {"export_id": export.export_id} for row in rows_of(frames, "catalog_refs")}
    assert_same("catalog_refs", expected, staged)
    bridge = Bridge(Inputs(read_export(lab.landing / export.export_id)))
    packages = {*bridge.packages, *bridge.claimants, *bridge.claiming_products}
    wanted = {package: (bridge.variant_key(package), bridge.product_key(package)) for package in packages}
    leads = {row["package_id"]: (row["variant_key"], row["product_key"]) for row in rows_of(frames, "package_refs")}
    assert_same("package_refs", leading(wanted), leading(leads))
    variants = {row["variant_id"]: row["variant_key"] for row in rows_of(frames, "loaded_variants")}
    assert variants == {key: bridge.loaded_variant(key) for key in bridge.variants}
    products, points = reference.live("catalog_product"), rows_of(frames, "product_meeting_points")
    assert {row["product_key"]: row["base_meeting_point"] for row in points} == {
        row["product_key"]: row["base_meeting_point"] for row in products
    }
    of_products = {row["variant_key"]: row["product_key"] for row in rows_of(frames, "variant_products")}
    assert of_products == {row["variant_key"]: row["product_key"] for row in reference.live("catalog_variant")}


def leading(refs: dict[int, tuple[str | None, str | None]]) -> dict[int, tuple[str | None, str | None]]:
    """The package ids that lead anywhere."""
    return {package: keys for package, keys in refs.items() if any(keys)}


def rows_of(frames: FrameStore, name: str) -> list[dict[str, Any]]:
    frame = frames.read(name)
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


# --- running ----------------------------------------------------------------------------------------------------------


def run_batches(lab: Lab, export_id: str, **options: Any) -> Ran:
    """Batch B, then batch C."""
    lab.tolerant = True
    assert lab.run("booking_batch_b", export_id=export_id, **options).failures == {}
    return lab.run("booking_batch_c", export_id=export_id, **options)


def load(lab: Lab, reference: Reference, export: Nasty, **options: Any) -> None:
    place = lab.landing / export.export_id
    if not place.exists():
        lab.put(export.export_id, export.files, exported_at=export.exported_at, manifest=export.manifest)
    reference.load(place)
    ran = run_batches(lab, export.export_id, **options)
    assert ran.failures == {}
    assert_rows(lab, reference)
    assert_outcomes(lab, reference)
    assert_logged(lab, reference, ran)
    assert_staged(lab, reference, export)


def rerun(lab: Lab, reference: Reference, export: Nasty) -> None:
    """The same export again writes no row."""
    books = ("row_ledger", "rejected_row")
    before = lab.images(*TABLES, *books)
    changes = lab.fetch("SELECT count(*) FROM booking.row_change")
    load(lab, reference, export)
    assert lab.images(*TABLES, *books) == before
    assert lab.fetch("SELECT count(*) FROM booking.row_change") == changes


def of_catalog(reference: Reference) -> Reference:
    """An oracle whose worklist holds the catalog's questions only, so that a person can take them up."""
    queue = reference.tables["unmapped_queue"]
    reference.tables["unmapped_queue"] = {k: row for k, row in queue.items() if is_of_catalog("unmapped_queue", row)}
    return reference


def check(lab: Lab, seed: int) -> None:
    """An export, the same again, and the next one, of which a person has already looked at some questions."""
    first, reference = nasty(seed), Reference()
    load(lab, reference, first)
    rerun(lab, reference, first)
    take_up(lab, of_catalog(reference), random.Random(seed))
    second = follow_up(first, seed)
    load(lab, reference, second)
    rerun(lab, reference, second)


@pytest.mark.parametrize("seed", FAST_SEEDS)
def test_random_exports_give_the_rows_of_the_oracle(booking_lab: Lab, seed: int) -> None:
    check(booking_lab, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
def test_many_random_exports_give_the_rows_of_the_oracle(booking_lab: Lab, seed: int) -> None:
    check(booking_lab, seed)
