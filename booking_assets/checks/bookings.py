"""Checks of bookings and what belongs to them: nothing is lost, nothing is twice there, nothing hangs in the air."""

import sqlalchemy as sa

from booking_assets import tables
from booking_assets.checks import CONSERVATION, exactly, kept
from booking_assets.months import booking_months
from booking_assets.parsing.statuses import REVIEW_REQUIRED
from migration.checks import Check, Scope, at_most, conservation, in_partition, none_of, orphans, unique
from migration.outcome import Outcome
from migration.tables import Query, key_columns

MOST_UNMAPPED = "0.05"
MOST_MISMATCHES = "0.01"

_core, _contact, _party = tables.booking_core, tables.booking_contact, tables.booking_party
_item, _refs, _queue = tables.booking_item_snapshot, tables.channel_external_refs, tables.unmapped_queue


def here(table: sa.Table, scope: Scope) -> sa.ColumnElement[bool]:
    """The condition that a row counts and is of the scope's month."""
    return sa.and_(kept(table), in_partition(table, booking_months, scope))


def count(table: sa.FromClause, *conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    """How many rows of a table meet conditions, as part of a statement."""
    return sa.select(sa.func.count()).select_from(table).where(*conditions).scalar_subquery()


def counting_bookings(table: sa.Table, expected: sa.ColumnElement[bool] | None = None) -> Check:
    """Conservation of a table that has one row per booking: as many of this export as there are bookings of it.

    Args:
        table: the table.
        expected: which bookings have a row; None = all.
    """

    def measure(scope: Scope) -> Query:
        mine, of_export = here(table, scope), table.c.export_id == scope.export.export_id
        wanted = [here(_core, scope), _core.c.export_id == scope.export.export_id]
        bookings = count(_core, *wanted, *([] if expected is None else [expected]))
        rows = count(table, mine, of_export)
        return sa.select(bookings.label("bookings"), rows.label("target_rows"), (bookings - rows).label("unaccounted"))

    return Check(
        CONSERVATION,
        "Every booking of this export has its row, and no row is without a booking of it.",
        measure,
        error=none_of("unaccounted"),
        blocking=True,
        kind="conservation",
    )


def nothing_found(name: str, description: str, table: sa.Table, condition: sa.ColumnElement[bool]) -> Check:
    """A blocking check that no row of a month meets a condition."""

    def failing(scope: Scope) -> Query:
        return sa.select(*key_columns(table)).where(condition, here(table, scope))

    return Check(
        name,
        description,
        lambda scope: sa.select(sa.func.count().label("rows")).select_from(failing(scope).subquery()),
        error=none_of("rows"),
        blocking=True,
        keys=failing,
    )


def without_child(child: sa.Table, *, deleted_count: bool = False) -> sa.ColumnElement[bool]:
    """The condition that a booking has no row in a table.

    Args:
        child: the table.
        deleted_count: whether rows that are marked as deleted count, too.
    """
    mine = sa.select(sa.literal(1)).where(child.c.booking_key == _core.c.booking_key)
    return sa.not_((mine if deleted_count else mine.where(kept(child))).exists())


# --- bookings ---------------------------------------------------------------------------------------------------------


def _reviewed(scope: Scope) -> Query:
    age = sa.func.min(_core.c.booking_created_at).label("oldest")
    waiting = sa.and_(_core.c.mapping_status == REVIEW_REQUIRED, here(_core, scope))
    return sa.select(sa.func.count().label("bookings"), sa.cast(age, sa.Text)).where(waiting)


review_required = Check(
    "review_required",
    "Bookings of which a person has to decide a field, and when the oldest of them was made.",
    _reviewed,
    warn=none_of("bookings"),
    keys=lambda scope: (
        sa.select(_core.c.booking_key)
        .where(_core.c.mapping_status == REVIEW_REQUIRED, here(_core, scope))
        .order_by(_core.c.booking_created_at)
    ),
)

BOOKING_CORE = (
    conservation(CONSERVATION, _core, split_by=booking_months),
    nothing_found(
        "null_critical",
        "Every booking has a channel and a reference.",
        _core,
        sa.or_(_core.c.channel_code.is_(None), _core.c.external_booking_ref.is_(None)),
    ),
    unique(
        "duplicate_external_refs",
        _core,
        ["channel_code", "external_booking_ref"],
        split_by=booking_months,
        among=kept(_core),
    ),
    nothing_found(
        "package_ref_type_null",
        "Every booking says what kind of thing was booked.",
        _core,
        _core.c.package_ref_type.is_(None),
    ),
    review_required,
)

# --- contacts and parties ---------------------------------------------------------------------------------------------

BOOKING_CONTACT = (
    counting_bookings(_contact),
    orphans("orphan_contact", _contact, split_by=booking_months, counts=kept),
    nothing_found("contact_missing", "Every booking has a contact.", _core, without_child(_contact)),
)


def _travelers(scope: Scope) -> Query:
    """The travellers of the file by their outcome, and those that parties hold."""
    ledger = scope.books.ledger
    mine = sa.and_(
        ledger.c.export_id == scope.export.export_id,
        ledger.c.target_table == _party.name,
        sa.true() if scope.staged_rows is None else _staged(scope, ledger),
    )
    labelled = {outcome: count(ledger, mine, ledger.c.outcome == outcome.value) for outcome in Outcome}
    held = sa.select(sa.func.coalesce(sa.func.sum(sa.func.jsonb_array_length(_party.c.traveler_rows)), 0)).where(
        here(_party, scope), _party.c.export_id == scope.export.export_id
    )
    total = sum(labelled.values(), sa.literal(0))
    return sa.select(
        sa.literal(scope.source_rows).label("source_rows"),
        *(number.label(outcome.value) for outcome, number in labelled.items()),
        held.scalar_subquery().label("target_rows"),
        (sa.literal(scope.source_rows) - total).label("unaccounted"),
        (labelled[Outcome.LOADED] - held.scalar_subquery()).label("target_difference"),
    )


def _staged(scope: Scope, ledger: sa.Table) -> sa.ColumnElement[bool]:
    staged = scope.staged_rows
    assert staged is not None  # noqa: S101 - asked by the caller
    return ledger.c.source_row.in_(sa.select(staged.c.source_row))


BOOKING_PARTY = (
    Check(
        CONSERVATION,
        "Every traveller of the file has one outcome, and parties hold as many of them as were loaded.",
        _travelers,
        error=none_of("unaccounted", "target_difference"),
        blocking=True,
        kind="conservation",
    ),
    orphans("orphan_party", _party, split_by=booking_months, counts=kept),
    nothing_found("party_missing", "Every booking has a party.", _core, without_child(_party)),
    Check(
        "pax_mismatch",
        "Share of bookings whose party counts other people than the booking does.",
        lambda scope: _pax_mismatch(scope),
        warn=at_most(mismatch_ratio=MOST_MISMATCHES),
        keys=lambda scope: sa.select(_core.c.booking_key).select_from(_with_party()).where(_differs(scope)),
    ),
)


def _with_party() -> sa.FromClause:
    return _core.join(_party, _party.c.booking_key == _core.c.booking_key)


def _differs(scope: Scope) -> sa.ColumnElement[bool]:
    people = sa.func.row(_party.c.adult_qty, _party.c.child_qty)
    return sa.and_(
        people.is_distinct_from(sa.func.row(_core.c.number_of_adult, _core.c.number_of_child)),
        kept(_party),
        here(_core, scope),
    )


def _pax_mismatch(scope: Scope) -> Query:
    differing = count(_with_party(), _differs(scope))
    bookings = count(_core, here(_core, scope))
    return sa.select(
        differing.label("mismatches"), bookings.label("bookings"), exactly(differing, bookings).label("mismatch_ratio")
    )


# --- items ------------------------------------------------------------------------------------------------------------

OF_ITEMS = sa.and_(
    _queue.c.queue_type == "VARIANT_MAPPING", _queue.c.source_table.in_(["BookingItem", "Booking", "bookings"])
)
"""The questions of the worklist that items ask."""


def _unmapped_items(scope: Scope) -> Query:
    """Per channel, how many items wait for their variant, of how many there are."""
    items = (
        sa.select(_core.c.channel_code, sa.func.count().label("kept_items"))
        .select_from(_item.join(_core, _core.c.booking_key == _item.c.booking_key))
        .where(kept(_item))
        .group_by(_core.c.channel_code)
        .subquery()
    )
    asked = (
        sa.select(_queue.c.channel_code, sa.func.count().label("unmapped"))
        .where(OF_ITEMS, _queue.c.status == "OPEN")
        .group_by(_queue.c.channel_code)
        .subquery()
    )
    unmapped = sa.func.coalesce(asked.c.unmapped, 0)
    join = items.outerjoin(asked, asked.c.channel_code == items.c.channel_code)
    return sa.select(
        items.c.channel_code,
        unmapped.label("unmapped"),
        items.c.kept_items,
        exactly(unmapped, items.c.kept_items).label("unmapped_ratio"),
    ).select_from(join)


BOOKING_ITEM_SNAPSHOT = (
    conservation(CONSERVATION, _item, split_by=booking_months, derived=_item.c.is_synthetic),
    orphans("orphan_item", _item, split_by=booking_months, counts=kept),
    nothing_found(
        "item_missing",
        "Every booking has an item; all items of a booking may be cancelled.",
        _core,
        without_child(_item, deleted_count=True),
    ),
    Check(
        "unmapped_item_ratio",
        "Share of items, per channel, that lead to no variant: imported bookings of other channels name no package.",
        _unmapped_items,
        warn=at_most(unmapped_ratio=MOST_UNMAPPED),
    ),
)

CHANNEL_EXTERNAL_REFS = (conservation(CONSERVATION, _refs, ledger_of_loaded=False),)
