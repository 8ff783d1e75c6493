"""Items of bookings and their travellers: what was bought, and for whom."""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.booking import booking_scalars as scalars
from tests.booking.booking_bridge import Bridge
from tests.booking.booking_files import Row
from tests.booking.booking_records import Draft, Inputs, Record, Source, first
from tests.booking.booking_scalars import BIGGEST_INT, MONEY_LIMIT, shared

if TYPE_CHECKING:
    from tests.booking.booking_identity import Group, Identities

ZERO = Decimal("0.00")


@dataclass(eq=False)
class Item:
    """An item of a website booking.

    Attributes:
        record: its source row.
        booking: the row of Booking that it belongs to.
        values: its columns that depend on nothing else.
    """

    record: Record
    booking: Record
    values: Row

    @property
    def is_cancelled(self) -> bool:
        """Whether it does not count."""
        return self.record.upper("item_status") == "CANCELLED"


def loaded_items(inputs: Inputs) -> dict[int, list[Item]]:
    """The items of each row of Booking."""
    items: dict[int, list[Item]] = defaultdict(list)
    for booking_id, records in inputs.by_link("balisnap.BookingItem", "booking_id").items():
        booking = inputs.of("balisnap.Booking").get(booking_id)
        if booking:
            alone = len(records) == 1
            items[booking_id] = [Item(record, booking, _values(record, booking, alone)) for record in records]
    return items


def _values(record: Record, booking: Record, alone: bool) -> Row:
    adults, children = (
        first(record.count(f"{who}_qty"), booking.count(f"number_of_{who}") if alone else None, 0)
        for who in ("adult", "child")
    )
    discount, tax = (first(record.money(f"{what}_amount"), ZERO) for what in ("discount", "tax"))
    total = first(record.price("total_amount"), booking.price("total_price") if alone else None)
    if total is None:
        adult_price, child_price = (first(record.price(f"{who}_unit_price"), ZERO) for who in ("adult", "child"))
        total = max(ZERO, adults * adult_price + children * child_price - discount + tax)
        total = ZERO if total >= MONEY_LIMIT else total
    share = shared(total, adults + children) if adults + children else ZERO
    return {
        "variant_external_id": _external_id(record, "variant_id"),
        "departure_external_id": _external_id(record, "departure_id"),
        "currency_code": record.currency() or booking.currency() or "USD",
        "adult_qty": adults,
        "child_qty": children,
        "infant_qty": first(record.count("infant_qty"), 0),
        "adult_unit_price": first(record.price("adult_unit_price"), share),
        "child_unit_price": first(record.price("child_unit_price"), share if children else ZERO),
        "discount_amount": discount,
        "tax_amount": tax,
        "total_amount": total,
    }


def _external_id(record: Record, column: str) -> str | None:
    number = record.integer(column)
    return record.text(column, 128) if number is None else str(number)


def snapshot(source: Source, legacy_package_id: int | None, tour_name: str | None, row: Row) -> Row:
    """What stands in for the snapshot of an item that has none."""
    return {
        "synthetic": True,
        "source_system": source.system,
        "source_table": source.table,
        "source_pk": source.pk,
        "legacy_package_id": legacy_package_id,
        "tour_name": tour_name,
        "total_price": f"{row['total_amount']:.2f}",
        "currency_code": row["currency_code"],
        "adult": row["adult_qty"],
        "child": row["child_qty"],
    }


@dataclass
class Items:
    """The items and travellers of one export.

    Attributes:
        draft: what is written.
        bridge: the bridges.
        identities: the bookings.
    """

    draft: Draft
    bridge: Bridge
    identities: "Identities"

    def run(self) -> None:
        """Write items, synthetic ones too, and parties."""
        for record in self.draft.inputs.of("balisnap.BookingItem").values():
            if self.identities.of_booking("balisnap.Booking", record.identifier("booking_id")) is None:
                self.draft.rejected(record, "booking_item_snapshot", "ORPHAN_BOOKING")
        travellers = self._travellers()
        for group in self.identities.groups:
            for item in group.items:
                self._item(group, item)
            if not any(item.booking is group.b for item in group.items):
                self._synthetic(group)
            self._party(group, travellers)

    def _item(self, group: "Group", item: Item) -> None:
        counts = item in group.active
        key = scalars.key_of(item.record.name)
        source = Source.of(item.record)
        variant_key = self.bridge.loaded_variant(item.record.identifier("variant_id"))
        external_id = item.values["variant_external_id"]
        if variant_key is None and counts:
            self._ask_variant(group, source, external_id, None, missing=external_id is None)
        kept = scalars.json_value(item.record.values.get("snapshot"))
        self.draft.put(
            "booking_item_snapshot",
            key,
            booking_key=group.key,
            variant_key=variant_key,
            **item.values,
            snapshot_json=snapshot(source, None, None, item.values) if kept is None else kept,
            is_synthetic=False,
            is_deleted=not counts,
        )
        self.draft.loaded(item.record, "booking_item_snapshot", key)

    def _synthetic(self, group: "Group") -> None:
        record, core = group.loaded, self.draft.tables["booking_core"][group.key]
        adults, children, total = core["number_of_adult"], core["number_of_child"], core["total_price"]
        people = adults + children
        share = shared(total, people) if people else ZERO
        package_id = core["legacy_package_id"]
        source = Source.of(record)
        variant_key = None if package_id is None else self.bridge.variant_key(package_id)
        external_id = None if package_id is None else str(package_id)
        if variant_key is None:
            self._ask_variant(group, source, external_id, package_id, missing=package_id is None)
        values: dict[str, Any] = {
            "variant_external_id": external_id,
            "departure_external_id": None,
            "currency_code": core["currency_code"],
            "adult_qty": adults,
            "child_qty": children,
            "infant_qty": 0,
            "adult_unit_price": total if not people else share if adults else ZERO,
            "child_unit_price": share if children else ZERO,
            "discount_amount": ZERO,
            "tax_amount": ZERO,
            "total_amount": total,
        }
        tour_name = None if record.of_website else record.text("tour_name")
        self.draft.put(
            "booking_item_snapshot",
            scalars.key_of(f"{record.name}:item"),
            booking_key=group.key,
            variant_key=variant_key,
            **values,
            snapshot_json=snapshot(source, package_id, tour_name, values),
            is_synthetic=True,
        )
        self.draft.counts["booking_item_snapshot"].derived += 1

    def _ask_variant(
        self, group: "Group", source: Source, external_id: str | None, package_id: int | None, *, missing: bool
    ) -> None:
        payload = {"booking_key": group.key, "variant_external_id": external_id, "package_id": package_id}
        reason = "MISSING_REF" if missing else "NO_MATCH"
        self.draft.queue("VARIANT_MAPPING", source, reason, group.channel, payload)

    # --- parties ------------------------------------------------------------------------------------------------------

    def _travellers(self) -> dict[int, list[Row]]:
        """The travellers of each active item, by their ids."""
        groups = {item.record.key: group for group in self.identities.groups for item in group.items}
        active = {item.record.key for group in self.identities.groups for item in group.active}
        found: dict[int, list[Row]] = defaultdict(list)
        for record in self.draft.inputs.of("balisnap.BookingTraveler").values():
            item_id = record.identifier("booking_item_id") or 0
            if item_id not in groups:
                self.draft.rejected(record, "booking_party", "ORPHAN_BOOKING_ITEM")
            elif item_id not in active:
                self.draft.skipped(record, "booking_party", "TRAVELER_OF_INACTIVE_ITEM")
            else:
                self.draft.loaded(record, "booking_party", groups[item_id].key)
                found[item_id].append(_traveller(record, item_id))
        return found

    def _party(self, group: "Group", travellers: dict[int, list[Row]]) -> None:
        core = self.draft.tables["booking_core"][group.key]
        quantities = {"adult_qty": core["number_of_adult"], "child_qty": core["number_of_child"], "infant_qty": 0}
        if group.active:
            quantities = {n: min(sum(i.values[n] for i in group.active), BIGGEST_INT) for n in quantities}
        rows = [row for item in group.active for row in travellers.get(item.record.key, [])]
        self.draft.put("booking_party", group.key, **quantities, traveler_rows=rows or None)


def _traveller(record: Record, item_id: int) -> Row:
    born = scalars.iso_date(record.values.get("birth_date"))
    texts = ("title", "first_name", "last_name", "email", "phone", "nationality", "passport_number", "special_request")
    return {
        "traveler_id": record.key,
        "booking_item_id": item_id,
        "traveler_type": record.upper("traveler_type") or "ADULT",
        "birth_date": born and born.isoformat(),
        **{name: record.text(name) for name in texts},
    }
