"""Law: checks can fail. Each check of bookings, payments, operations and quality sees its own damage, and no other."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from booking_assets import checks
from booking_assets.assets import BOOKINGS, PAYMENT_OPS, QUALITY
from booking_assets.options import BookingRun
from migration.checks import Judgement, judge
from migration.declare.run import RunFacts
from tests.booking.booking_cases import (
    booked,
    cost,
    direct,
    export_of,
    finance,
    item,
    package,
    payment,
    product,
    rate,
    tour,
    traveller,
    variant,
)
from tests.booking.booking_harness import Lab, location

EXPORT = "20260219T000000Z"
WORLD = (
    *(product(1, legacy_package_id=9), variant(1, 1, legacy_package_id=9), rate(1, 1)),
    *(tour(7), package(9, 7)),
    # In both systems, with an item, a traveller, a payment and a driver.
    *(direct(5, "kx7q2m"), item(1, 5, 100, variant_id=1), traveller(1, 1), payment(1, 5, payment_ref="p1")),
    booked(80, "KX7Q2M", assigned_driver_id=3, assigned_at="2026-01-05"),
    # The website's, without items.
    *(direct(6, "web", package_id=9), payment(2, 6, payment_ref="p2")),
    # Of another channel: settled, and not.
    *(booked(90, "gyg1", "GYG", package_id=9, paid_at="2026-01-06"), finance(1, 90), cost(1, 1), cost(2, 1)),
    booked(91, "gyg2", "GYG", package_id=9, number_of_child=1),
)
GROUPS = (BOOKINGS, PAYMENT_OPS, QUALITY)
Named = tuple[str, str]


@pytest.fixture(scope="module")
def loaded(module_booking_lab: Lab) -> Lab:
    """An installation that has loaded the bookings."""
    module_booking_lab.put(EXPORT, export_of(*WORLD))
    ran = module_booking_lab.migrate(EXPORT)
    assert (ran.failures, ran.findings()) == ({}, {})
    return module_booking_lab


@pytest.fixture
def connection(loaded: Lab) -> Iterator[sa.Connection]:
    """A transaction that is rolled back."""
    with loaded.engine.connect() as opened:
        yield opened


def judged(lab: Lab, connection: sa.Connection) -> dict[Named, Judgement]:
    """What every check finds in the database now."""
    system = location().SYSTEM
    run = RunFacts("check", dry_run=False, options=BookingRun(), settings=lab.settings)
    found = {}
    for declaration in (each for each in system.in_order() if each.group in GROUPS):
        scope = system.scope_of_last_run(declaration, connection, run)
        found |= {(declaration.name, check.name): judge(check, scope) for check in declaration.checks}
    return found


def findings(found: dict[Named, Judgement]) -> dict[Named, str | None]:
    """The levels of the checks that have not passed."""
    return {name: judgement.level for name, judgement in found.items() if not judgement.passed}


def test_a_good_export_passes_every_check(loaded: Lab, connection: sa.Connection) -> None:
    assert findings(judged(loaded, connection)) == {}


# --- damage -----------------------------------------------------------------------------------------------------------

_COPIED = "booking_core", "booking_contact", "booking_party", "booking_item_snapshot", "ops_booking_state"
_FIFTH = "(SELECT booking_key FROM booking.booking_core WHERE external_booking_ref = 'KX7Q2M')"
_COPY = "'00000000-0000-5000-8000-000000000001'::uuid"


def copied_without(missing: str) -> list[str]:
    """A booking of an older export, copied with all that belongs to it but its row in one table."""
    statements = []
    for table in _COPIED:
        if table == missing:
            continue
        named = [str(column.name) for column in location().SYSTEM.metadata.tables[f"booking.{table}"].columns]
        changed = {"booking_key": _COPY, "booking_item_key": _COPY, "external_booking_ref": "'COPY'"}
        values = ", ".join((changed | {"export_id": "'20260101T000000Z'"}).get(name, name) for name in named)
        statements.append(
            f"INSERT INTO booking.{table} ({', '.join(named)}) SELECT {values} FROM booking.{table}"
            f" WHERE booking_key = {_FIFTH}"
        )
    return statements


def orphaned(table: str, **values: str) -> list[str]:
    """A row of an older export whose booking is not there."""
    given = {"booking_key": "gen_random_uuid()", "export_id": "'20260101T000000Z'"} | values
    return [
        f"ALTER TABLE booking.{table} DROP CONSTRAINT {table}_booking_key_fkey",
        f"INSERT INTO booking.{table} ({', '.join(given)}) VALUES ({', '.join(given.values())})",
    ]


def without_rule(table: str, column: str, *constraints: str) -> list[str]:
    """A column in which nothing is refused."""
    return [
        f"ALTER TABLE booking.{table} ALTER {column} DROP NOT NULL",
        *(f"ALTER TABLE booking.{table} DROP CONSTRAINT {name}" for name in constraints),
    ]


def of_older_export(table: str) -> str:
    """The row of the booking without a driver is another export's."""
    booking = "SELECT booking_key FROM booking.booking_core WHERE external_booking_ref = 'WEB'"
    return f"UPDATE booking.{table} SET export_id = '20260101T000000Z' WHERE booking_key = ({booking})"


def asked(table: str) -> str:
    """An open question about a variant."""
    return (
        "INSERT INTO booking.unmapped_queue (queue_key, queue_type, channel_code, source_table, reason_code, export_id)"
        f" VALUES (gen_random_uuid(), 'VARIANT_MAPPING', 'DIRECT', '{table}', 'NO_MATCH', '{EXPORT}')"
    )


_ITEM = {"booking_item_key": "gen_random_uuid()", "is_synthetic": "true"}
_PAYMENT = {"payment_key": "gen_random_uuid()", "payment_time": "now()", "amount": "1"}
_ASSIGNED = {"assignment_key": "gen_random_uuid()", "assignment_source": "'x'", "assigned_at": "now()"}
_SETTLED = {"finance_bridge_key": "gen_random_uuid()", "last_reconciled_at": "now()"}
_OPEN_STATE = {"ops_fulfillment_status": "'NEW'"}

BREAKS: list[tuple[str, str, str, list[str]]] = [
    (
        "booking_core",
        "null_critical",
        "ERROR",
        [
            *without_rule("booking_core", "external_booking_ref"),
            f"UPDATE booking.booking_core SET external_booking_ref = NULL WHERE booking_key = {_FIFTH}",
        ],
    ),
    (
        "booking_core",
        "duplicate_external_refs",
        "ERROR",
        [
            "ALTER TABLE booking.booking_core DROP CONSTRAINT booking_core_channel_code_external_booking_ref_key",
            "UPDATE booking.booking_core SET external_booking_ref = 'WEB' WHERE external_booking_ref = 'KX7Q2M'",
        ],
    ),
    (
        "booking_core",
        "package_ref_type_null",
        "ERROR",
        [
            *without_rule("booking_core", "package_ref_type"),
            f"UPDATE booking.booking_core SET package_ref_type = NULL WHERE booking_key = {_FIFTH}",
        ],
    ),
    (
        "booking_core",
        "review_required",
        "WARN",
        [f"UPDATE booking.booking_core SET mapping_status = 'REVIEW_REQUIRED' WHERE booking_key = {_FIFTH}"],
    ),
    (
        "booking_core",
        "conservation",
        "ERROR",
        [
            "UPDATE booking.row_ledger SET outcome = 'skipped' WHERE target_table = 'booking_core'"
            " AND source_pk = '91' AND source_table = 'bstadmin.bookings'",
        ],
    ),
    ("booking_contact", "conservation", "ERROR", [of_older_export("booking_contact")]),
    ("booking_contact", "orphan_contact", "ERROR", orphaned("booking_contact")),
    ("booking_contact", "contact_missing", "ERROR", copied_without("booking_contact")),
    ("booking_party", "conservation", "ERROR", ["UPDATE booking.booking_party SET traveler_rows = NULL"]),
    ("booking_party", "orphan_party", "ERROR", orphaned("booking_party")),
    ("booking_party", "party_missing", "ERROR", copied_without("booking_party")),
    (
        "booking_party",
        "pax_mismatch",
        "WARN",
        [f"UPDATE booking.booking_party SET child_qty = 1 WHERE booking_key = {_FIFTH}"],
    ),
    (
        "booking_item_snapshot",
        "conservation",
        "ERROR",
        ["UPDATE booking.booking_item_snapshot SET is_synthetic = true"],
    ),
    ("booking_item_snapshot", "orphan_item", "ERROR", orphaned("booking_item_snapshot", **_ITEM)),
    ("booking_item_snapshot", "item_missing", "ERROR", copied_without("booking_item_snapshot")),
    ("booking_item_snapshot", "unmapped_item_ratio", "WARN", [asked("BookingItem")]),
    (
        "channel_external_refs",
        "conservation",
        "ERROR",
        ["DELETE FROM booking.channel_external_refs WHERE external_ref_kind = 'BOOKING_REF' AND external_ref = 'WEB'"],
    ),
    ("payment_event", "conservation", "ERROR", ["UPDATE booking.payment_event SET is_synthetic = false"]),
    ("payment_event", "payment_orphan", "ERROR", orphaned("payment_event", **_PAYMENT)),
    (
        "payment_event",
        "duplicate_payment_ref",
        "ERROR",
        [
            "ALTER TABLE booking.payment_event DROP CONSTRAINT payment_event_payment_ref_key",
            "UPDATE booking.payment_event SET payment_ref = 'p1' WHERE payment_ref = 'p2'",
        ],
    ),
    ("ops_booking_state", "conservation", "ERROR", [of_older_export("ops_booking_state")]),
    ("ops_booking_state", "ops_booking_state_orphans", "ERROR", orphaned("ops_booking_state", **_OPEN_STATE)),
    ("ops_booking_state", "state_missing", "ERROR", copied_without("ops_booking_state")),
    (
        "ops_booking_state",
        "status_equal",
        "ERROR",
        [f"UPDATE booking.ops_booking_state SET ops_fulfillment_status = 'NO_SHOW' WHERE booking_key = {_FIFTH}"],
    ),
    ("ops_assignment", "conservation", "ERROR", ["UPDATE booking.ops_assignment SET is_deleted = true"]),
    ("ops_assignment", "ops_assignment_orphans", "ERROR", orphaned("ops_assignment", **_ASSIGNED)),
    (
        "ops_finance_bridge",
        "conservation",
        "ERROR",
        ["DELETE FROM booking.row_ledger WHERE source_table = 'bstadmin.booking_finance_items' AND source_row = 1"],
    ),
    ("ops_finance_bridge", "ops_finance_bridge_orphans", "ERROR", orphaned("ops_finance_bridge", **_SETTLED)),
    (
        "quality_report",
        "ops_status_drift",
        "ERROR",
        ["UPDATE booking.booking_core SET customer_payment_status = 'PENDING_PAYMENT' WHERE channel_code = 'GYG'"],
    ),
    (
        "quality_report",
        "control_totals",
        "ERROR",
        [f"UPDATE booking.booking_core SET total_price = total_price + 0.01 WHERE booking_key = {_FIFTH}"],
    ),
]


@pytest.mark.parametrize(
    ("asset", "check", "level", "broken"), BREAKS, ids=[f"{asset}-{check}" for asset, check, *_ in BREAKS]
)
def test_each_check_finds_its_damage(
    loaded: Lab, connection: sa.Connection, asset: str, check: str, level: str, broken: list[str]
) -> None:
    for statement in broken:
        connection.execute(sa.text(statement))
    found = judged(loaded, connection)
    assert findings(found) == {(asset, check): level}
    says_keys = {each.name for each in location().SYSTEM.declarations[asset].checks if each.keys is not None}
    assert bool(found[(asset, check)].keys) == (check in says_keys)


def test_every_check_is_broken_once() -> None:
    declared = {
        (declaration.name, check.name)
        for declaration in location().SYSTEM.in_order()
        if declaration.group in GROUPS
        for check in declaration.checks
        if not check.name.endswith("_key_unique")
    }
    of_core = {("booking_core", "booking_core_orphans"), ("channel_external_refs", "channel_external_refs_orphans")}
    reported_only = {("quality_report", "unmapped_queue_open")}
    assert {(asset, check) for asset, check, *_ in BREAKS} == declared - of_core - reported_only


# --- figures ----------------------------------------------------------------------------------------------------------


def measures(lab: Lab, connection: sa.Connection, asset: str, check: str) -> list[dict[Any, Any]]:
    """The measures of one check."""
    return judged(lab, connection)[(asset, check)].measures.to_dict("records")


def test_deleted_rows_count_nowhere_but_as_items(loaded: Lab, connection: sa.Connection) -> None:
    connection.execute(sa.text("UPDATE booking.booking_item_snapshot SET is_deleted = true"))
    assert ("booking_item_snapshot", "item_missing") not in findings(judged(loaded, connection))


def test_open_questions_are_counted_by_channel(loaded: Lab, connection: sa.Connection) -> None:
    for table in ("TourVariant", "bookings"):
        connection.execute(sa.text(asked(table)))
    connection.execute(
        sa.text("UPDATE booking.unmapped_queue SET status = 'IN_REVIEW' WHERE source_table = 'bookings'")
    )
    found = measures(loaded, connection, "quality_report", "unmapped_queue_open")
    assert found == [{"channel_code": "DIRECT", "open": 1}]


def test_control_totals_add_up_what_the_sources_say(loaded: Lab, connection: sa.Connection) -> None:
    found = {row["total_of"]: row for row in measures(loaded, connection, "quality_report", "control_totals")}
    website, panel = found["balisnap.Booking"], found["bstadmin.bookings"]
    assert (website["rows"], website["cents"], website["loaded_cents"]) == (2, 20_000, 20_000)
    assert (panel["rows"], panel["cents"], panel["merged_cents"], panel["loaded_cents"]) == (3, 30_000, 10_000, 20_000)
    bookings = found["bookings USD 2026-03"]
    assert (bookings["rows"], bookings["cents"]) == (4, 40_000)
    assert not any(row[name] for row in found.values() for name in row if name.startswith("difference_"))


@pytest.mark.parametrize(
    ("statement", "total", "differences"),
    [
        ("UPDATE booking.booking_core SET total_price = 99.99 WHERE channel_code = 'DIRECT'", "USD 2026-03", (0, 2, 0)),
        ("UPDATE booking.booking_core SET tour_date = '2026-03-02'", "USD 2026-03", (0, 0, 1)),
        (
            "UPDATE booking.booking_core SET currency_code = 'IDR' WHERE channel_code = 'GYG'",
            "IDR 2026-03",
            (-2, -20_000, 1),
        ),
        ("UPDATE booking.booking_core SET is_deleted = true WHERE channel_code = 'GYG'", "USD 2026-03", (2, 20_000, 0)),
    ],
)
def test_control_totals_see_a_cent_a_day_a_currency_and_a_row(
    loaded: Lab, connection: sa.Connection, statement: str, total: str, differences: tuple[int, ...]
) -> None:
    connection.execute(sa.text(statement))
    found = {row["total_of"]: row for row in measures(loaded, connection, "quality_report", "control_totals")}
    row = found[f"bookings {total}"]
    assert tuple(row[f"difference_{of}"] for of in ("rows", "cents", "dates")) == differences


def test_rows_without_an_outcome_are_missing_money(loaded: Lab, connection: sa.Connection) -> None:
    lost = "DELETE FROM booking.row_ledger WHERE target_table = 'booking_core' AND source_table = 'balisnap.Booking'"
    connection.execute(sa.text(lost))
    found = {row["total_of"]: row for row in measures(loaded, connection, "quality_report", "control_totals")}
    assert (found["balisnap.Booking"]["difference_rows"], found["balisnap.Booking"]["difference_cents"]) == (2, 20_000)


def test_conservation_is_one_name_in_all_tables() -> None:
    declared = location().SYSTEM.in_order()
    named = {each.name for each in declared for check in each.checks if check.name == checks.CONSERVATION}
    assert named >= {asset for asset, check, *_ in BREAKS if check == "conservation"}
