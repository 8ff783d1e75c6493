"""The quality report of a batch: written whatever has happened, with every check, and with what people should see."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from booking_assets.assets.quality import BATCH_CODE_TAG
from booking_assets.checks import CONSERVATION
from booking_assets.parsing.keys import key
from migration.declare.code import code_digest
from tests.booking.booking_cases import (
    booked,
    cost,
    direct,
    export_of,
    finance,
    mail,
    package,
    product,
    rate,
    tour,
    variant,
)
from tests.booking.booking_harness import Lab, Ran, location

EXPORT, BLOCKED = "20260219T000000Z", "20260319T000000Z"
WORLD = (
    *(product(1, legacy_package_id=9), variant(1, 1, legacy_package_id=9), rate(1, 1)),
    *(tour(7), package(9, 7)),
    direct(5, "web", package_id=9),
    *(booked(90, "gyg", "GYG", package_id=9, paid_at="2026-01-06"), finance(1, 90), cost(1, 1)),
    mail("m1", "gyg"),
)
DONE = key("bstadmin:bookings:90")


@pytest.fixture(scope="module")
def loaded(module_booking_lab: Lab) -> Lab:
    """An installation that has carried an export through."""
    module_booking_lab.put(EXPORT, export_of(*WORLD))
    ran = module_booking_lab.migrate(EXPORT)
    assert (ran.failures, ran.findings()) == ({}, {})
    return module_booking_lab


def reports(lab: Lab, *folders: str) -> list[Path]:
    """The reports of a batch, oldest first."""
    return sorted(Path(lab.settings.reports, "recon", "quality", *folders).glob("*.json"))


def report(lab: Lab, *folders: str) -> dict[str, Any]:
    """The newest report of a batch."""
    return json.loads(reports(lab, *folders)[-1].read_text(encoding="utf-8"))


def measured_anew(lab: Lab, batch: str) -> Ran:
    """Write a report of what is in the tables now."""
    ran = lab.run("booking_quality", tags={BATCH_CODE_TAG: batch}, export_id=EXPORT)
    assert ran.failures == {}
    return ran


def test_a_migration_writes_one_report_in_two_forms(loaded: Lab) -> None:
    (path,) = reports(loaded, "phase2")
    found = json.loads(path.read_text(encoding="utf-8"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{6}Z", path.stem)
    assert path.stem == found["startedAt"].replace("+00:00", "Z").replace(":", "-").replace(".", "-")
    assert (found["batchCode"], found["exportId"], found["result"]) == ("phase2", EXPORT, "PASS")
    assert found["startedAt"] <= found["endedAt"]
    assert found["exceptions"] == {"opsStatusDrift": []}
    text = path.with_suffix(".md").read_text(encoding="utf-8")
    assert text.startswith("# Quality of batch phase2: PASS\n")
    assert "| Check | Result | Detail |" in text
    rows = re.findall(r"^\| (\S.*?) \| (PASS|FAIL) \| ", text, re.MULTILINE)
    assert rows == [(check["name"], "PASS") for check in found["checks"]]
    assert f"```\n{found['checks'][0]['name']}: {found['metrics'][found['checks'][0]['name']]}\n" in text


def test_every_check_of_every_asset_is_in_it_and_every_gate(loaded: Lab) -> None:
    found = report(loaded, "phase2")
    declared = location().SYSTEM.in_order()
    names = [
        f"{check.name} {each.name}" if check.name == CONSERVATION else check.name
        for each in declared
        for check in each.checks
    ]
    names += [f"gate {each.name}" for each in declared if each.name != "quality_report"]
    shown = [check["name"] for check in found["checks"]]
    assert sorted(shown) == sorted(names)
    assert found["metrics"].keys() == set(names)
    assert all(isinstance(number, int | float) for number in found["metrics"].values())
    assert found["thresholds"]["ops_status_drift"] == "ERROR past: drift_ratio above 0.01"


def test_the_run_log_says_what_the_legacy_scripts_said(loaded: Lab) -> None:
    rows = loaded.fetch(
        "SELECT asset, batch_code, script_name, script_checksum, rows_affected, report_path, error_message"
        " FROM booking.migration_run_log"
    )
    by_asset = {row[0]: row[1:] for row in rows}
    assert {row[1:4:2] for row in rows} == {("phase2", code_digest("booking"))}
    assert all(row[1] == f"booking/{asset}" for asset, row in by_asset.items())
    assert all(row[5] is None for row in by_asset.values())
    # The product, and in the merge log the tour and the package that are it.
    assert by_asset["catalog_product"][3] == 3
    (path,) = reports(loaded, "phase2")
    assert {asset: row[4] for asset, row in by_asset.items() if row[4]} == {"quality_report": str(path)}


def test_a_tag_names_the_batch(loaded: Lab) -> None:
    ran = measured_anew(loaded, "phase2-d")
    assert report(loaded, "phase2-d")["batchCode"] == "phase2-d"
    logged = loaded.fetch(f"SELECT batch_code FROM booking.migration_run_log WHERE run_id = '{ran.run_id}'")
    assert logged == [("phase2-d",)]


def test_the_tag_of_a_migration_names_the_batch_in_all_its_runs(loaded: Lab) -> None:
    before = loaded.fetch("SELECT run_id FROM booking.migration_run_log")
    assert loaded.run(tags={BATCH_CODE_TAG: "whole"}, export_id=EXPORT).failures == {}
    assert report(loaded, "whole")["batchCode"] == "whole"
    logged = loaded.fetch("SELECT run_id, batch_code FROM booking.migration_run_log")
    assert {code for run_id, code in logged if (run_id,) not in before} == {"whole"}


def test_a_tag_that_is_no_name_of_a_folder_is_refused(loaded: Lab) -> None:
    ran = loaded.run("booking_quality", tags={BATCH_CODE_TAG: "../elsewhere"}, export_id=EXPORT)
    assert ran.failures["quality_report"].startswith("SetupError: ")
    assert not (loaded.settings.reports / "recon" / "elsewhere").exists()


def test_a_cent_that_was_changed_fails_the_report(loaded: Lab) -> None:
    changed = "UPDATE booking.booking_core SET total_price = total_price {} 0.01 WHERE channel_code = 'GYG'"
    loaded.execute(changed.format("+"))
    ran = measured_anew(loaded, "cent")
    loaded.execute(changed.format("-"))
    found = report(loaded, "cent")
    assert ran.findings() == {"control_totals": "ERROR"}
    assert (found["result"], found["metrics"]["control_totals"]) == ("FAIL", 0)
    failed = {check["name"]: check["detail"] for check in found["checks"] if not check["passed"]}
    assert failed.keys() == {"control_totals"}
    assert "difference_cents" in failed["control_totals"]


def test_bookings_that_are_done_and_not_paid_are_listed(loaded: Lab) -> None:
    status = f"UPDATE booking.booking_core SET customer_payment_status = '{{}}' WHERE booking_key = '{DONE}'"
    loaded.execute(status.format("PENDING_PAYMENT"))
    ran = measured_anew(loaded, "drift")
    loaded.execute(status.format("PAID"))
    found = report(loaded, "drift")
    assert ran.findings() == {"ops_status_drift": "ERROR"}
    assert (found["result"], found["metrics"]["ops_status_drift"]) == ("FAIL", 1)
    assert found["exceptions"] == {"opsStatusDrift": [DONE]}
    text = reports(loaded, "drift")[-1].with_suffix(".md").read_text(encoding="utf-8")
    assert f"- bookings done and not paid: 1\n  - {DONE}\n" in text


def test_a_dry_run_has_a_folder_of_its_own(loaded: Lab) -> None:
    before = reports(loaded, "phase2")
    assert loaded.migrate(EXPORT, dry_run=True).failures == {}
    assert report(loaded, "phase2", "dry-run")["result"] == "PASS"
    assert reports(loaded, "phase2") == before


def test_a_batch_that_was_stopped_is_reported(loaded: Lab) -> None:
    before = reports(loaded, "phase2")
    orphans = [variant(number, 99) for number in range(2, 9)]
    loaded.put(BLOCKED, export_of(*WORLD, *orphans), exported_at="2026-03-19T00:00:00Z")
    ran = loaded.migrate(BLOCKED)
    assert ran.failures["catalog_variant"].startswith("Blocked, no row published: unmapped_variant_ratio")
    (path,) = set(reports(loaded, "phase2")) - set(before)
    found = json.loads(path.read_text(encoding="utf-8"))
    gates = {check["name"]: check for check in found["checks"] if check["name"].startswith("gate ")}
    assert (found["result"], found["exportId"]) == ("FAIL", BLOCKED)
    assert [name for name, gate in gates.items() if not gate["passed"]] == ["gate catalog_variant"]
    assert "unmapped_variant_ratio" in gates["gate catalog_variant"]["detail"]
    assert "booking_core" not in ran.metadata
