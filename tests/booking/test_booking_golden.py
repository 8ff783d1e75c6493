"""The contract's golden examples, through the oracle and through the real jobs into PostgreSQL."""

from functools import cache

import pytest

from booking_assets.decisions import PERSONAL_FIELDS
from migration.explain import Explanation, explain
from tests.booking.booking_golden import CHECKS, EXPORT_ID, EXPORTED_AT, View, view_of, world
from tests.booking.booking_harness import Lab, location
from tests.booking.booking_reference import Reference, conservation_faults
from tests.booking.booking_scalars import key_of


@pytest.fixture(scope="module")
def expected() -> View:
    """What the oracle makes of the examples."""
    db = Reference()
    db.load_records(EXPORT_ID, world(), EXPORTED_AT)
    assert conservation_faults(db) == []
    return view_of(db)


@pytest.fixture(scope="module")
def migrated(module_booking_lab: Lab) -> View:
    """What the jobs make of them, in one run over all months."""
    lab = module_booking_lab
    # The examples are mostly unmapped and one of them is drift, which is what they are about.
    lab.tolerant = True
    lab.put(EXPORT_ID, world(), exported_at=EXPORTED_AT)
    assert lab.migrate(EXPORT_ID).failures == {}
    return View(cache(lab.rows))


@pytest.mark.parametrize("name", CHECKS)
def test_example_by_the_oracle(expected: View, name: str) -> None:
    CHECKS[name](expected)


@pytest.mark.parametrize("name", CHECKS)
def test_example_by_the_jobs(migrated: View, name: str) -> None:
    CHECKS[name](migrated)


# --- where a booking comes from ---------------------------------------------------------------------------------------


def explained(lab: Lab, subject: str) -> list[Explanation]:
    with lab.engine.connect() as connection:
        return explain(connection, location().SYSTEM, subject, None)


@pytest.mark.usefixtures("migrated")
def test_a_booking_is_explained_by_its_rows_and_by_which_value_won(module_booking_lab: Lab) -> None:
    website, panel = explained(module_booking_lab, f"booking_core:{key_of('balisnap:Booking:2005')}")
    assert (website.source_pk, website.outcome, website.lost_to) == ("2005", "loaded", None)
    assert (panel.source_pk, panel.outcome, panel.reason) == ("2080", "merged", "SAME_IDENTITY")
    assert panel.lost_to == website.source
    won = {"action": "MERGE_CONFLICT", "won": "bstadmin", "why": "FRESHER"}
    assert website.further == (
        {"decided": "number_of_adult", **won, "written": "3", "not": "2"},
        {"decided": "total_price", **won, "written": "USD 120.00", "not": "USD 100.00"},
        {"merged": panel.source, "key": "2080", "why": "SAME_IDENTITY"},
    )
    assert explained(module_booking_lab, panel.source.replace(" ", ":"))[0] == panel


@pytest.mark.usefixtures("migrated")
def test_a_contact_is_explained_without_its_values(module_booking_lab: Lab) -> None:
    audited = module_booking_lab.rows("audit_log")
    personal = {row["entity_key"] for row in audited if row["field_name"] in PERSONAL_FIELDS and row["old_value"]}
    assert personal
    for booking in personal:
        for told in explained(module_booking_lab, f"booking_core:{booking}")[0].further:
            assert told.get("decided") not in PERSONAL_FIELDS or not told.keys() & {"written", "not"}
