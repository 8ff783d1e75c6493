"""One booking out of the rows of two systems, field by field, with a note of every difference."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.booking import booking_scalars as scalars
from tests.booking.booking_bridge import Bridge
from tests.booking.booking_files import Row
from tests.booking.booking_identity import Group, departure_of, freshness, panel_tour_date, website_tour_date
from tests.booking.booking_items import ZERO
from tests.booking.booking_records import Draft, Inputs, Record, Source, first
from tests.booking.booking_scalars import MONEY_LIMIT

WEBSITE, PANEL = "balisnap", "bstadmin"
Pair = tuple[str, Decimal]


def shown(value: Any) -> str | None:
    """A value as the audit log has it."""
    if isinstance(value, tuple):
        return f"{value[0]} {value[1]:.2f}"
    return None if value is None else str(value)


@dataclass
class Merge:
    """The merging of one booking.

    Attributes:
        draft: what is written.
        bridge: the bridges.
        group: the rows of the booking.
        review: the fields that a person must look at.
    """

    draft: Draft
    bridge: Bridge
    group: Group
    review: set[str] = field(default_factory=set)

    @property
    def inputs(self) -> Inputs:
        """The export."""
        return self.draft.inputs

    def row(self) -> Row:
        """The columns of booking_core that do not depend on statuses or contacts."""
        group, a = self.group, self.group.a
        booking_date = self._resolved("booking_date", WEBSITE, _booking_date)
        tour_date = self._resolve("tour_date", PANEL, website_tour_date(self.inputs, group), panel_tour_date(group))
        tour_time = self._resolve(
            "tour_time", PANEL, self._website_time(), a and scalars.clock(a.values.get("tour_time"))
        )
        currency_code, total_price = self._money()
        adults = self._resolved("number_of_adult", WEBSITE, lambda record: record.count("number_of_adult"))
        children = self._resolved("number_of_child", WEBSITE, lambda record: record.count("number_of_child"))
        package_id = self._resolved("legacy_package_id", WEBSITE, lambda record: record.identifier("package_id"))
        kind, key = self._package(package_id)
        return {
            "channel_code": group.channel,
            "source_enum_compat": scalars.cut(a.upper("source") or "MANUAL", 32) if a else "DIRECT",
            "external_booking_ref": group.identity[1],
            "booking_created_at": self._created_at(),
            "booking_date": booking_date,
            "tour_date": tour_date,
            "tour_time": tour_time,
            "currency_code": currency_code,
            "total_price": total_price,
            "number_of_adult": adults or 0,
            "number_of_child": children or 0,
            "package_ref_type": kind,
            "package_ref_key": key,
            "legacy_package_id": package_id,
            "note": self._note(),
        }

    # --- resolving ----------------------------------------------------------------------------------------------------

    def _resolved(self, name: str, owner: str, value: Callable[[Record], Any]) -> Any:
        group = self.group
        return self._resolve(name, owner, group.b and value(group.b), group.a and value(group.a))

    def _resolve(self, name: str, owner: str, of_website: Any, of_panel: Any) -> Any:
        """The value that is written, and an audit row if the two differ."""
        if of_website is None or of_panel is None or of_website == of_panel:
            return of_panel if of_website is None else of_website
        winner, resolution = self._winner(owner)
        if resolution == "REVIEW_REQUIRED":
            self.review.add(name)
        values = {WEBSITE: of_website, PANEL: of_panel}
        losing = values[PANEL if winner == WEBSITE else WEBSITE]
        self.conflict(name, shown(losing), shown(values[winner]), winner, resolution)
        return values[winner]

    def _winner(self, owner: str) -> tuple[str, str]:
        assert self.group.b
        assert self.group.a
        mine, theirs = freshness(self.group.b), freshness(self.group.a)
        if mine is None or theirs is None:
            return owner, "REVIEW_REQUIRED"
        if mine == theirs:
            return owner, "OWNER"
        return (WEBSITE if mine > theirs else PANEL), "FRESHER"

    def conflict(self, name: str, old: str | None, new: str | None, winner: str, resolution: str) -> None:
        """Write down which of two values was written."""
        payload = {
            "balisnap_pk": self.group.b and self.group.b.pk,
            "bstadmin_pk": self.group.a and self.group.a.pk,
        }
        decision = {"new_value": new, "winner_source": winner, "resolution": resolution, "payload": payload}
        self.draft.audit(self.group.key, name, "MERGE_CONFLICT", old, **decision)

    # --- fields -------------------------------------------------------------------------------------------------------

    def _created_at(self) -> dt.datetime:
        for column in ("created_at", "updated_at", "booking_date"):
            found = [at for at in (record.moment(column) for record in self.group.rows) if at]
            if found:
                return min(found)
        raise AssertionError("A booking without any time is rejected.")

    def _website_time(self) -> dt.time | None:
        departure = departure_of(self.inputs, self.group)
        found = _departure_time(departure) if departure else None
        return found or self._itinerary_time()

    def _itinerary_time(self) -> dt.time | None:
        if not self.group.active:
            return None
        variant_id = self.group.active[0].record.identifier("variant_id")
        stops = self.inputs.by_link("balisnap.VariantItinerary", "variant_id").get(variant_id, [])
        return scalars.clock(min(stops, key=_stop_order).values.get("start_time")) if stops else None

    def _money(self) -> Pair:
        b, a = self.group.b, self.group.a
        mine, of_items = self._website_pair() if b else (None, False)
        theirs = _stated_pair(a, "currency") if a else None
        if theirs and mine and theirs[1] == 0 and mine[1] > 0:
            theirs = None
        elif theirs and mine and mine[1] == 0 and theirs[1] > 0 and not of_items:
            mine = None
        if mine and of_items:
            if theirs and theirs != mine:
                self.conflict("total_price", shown(theirs), shown(mine), WEBSITE, "ACTIVE_ITEMS")
            return mine
        found = self._resolve("total_price", WEBSITE, mine, theirs)
        return found or (first(b and b.currency(), a and a.currency("currency"), "USD"), ZERO)

    def _website_pair(self) -> tuple[Pair | None, bool]:
        """Currency and total of the website, and whether they are those of the active items."""
        assert self.group.b
        active, code = self.group.active, self.group.b.currency() or "USD"
        if active and all(item.values["currency_code"] == code for item in active):
            total = sum((item.values["total_amount"] for item in active), ZERO)
            return ((code, total), True) if total < MONEY_LIMIT else (None, False)
        return _stated_pair(self.group.b, "currency_code"), False

    def _package(self, package_id: int | None) -> tuple[str, str | None]:
        if package_id is not None:
            variant, product = self.bridge.variant_key(package_id), self.bridge.product_key(package_id)
            if variant or product:
                return ("CATALOG_VARIANT", variant) if variant else ("CATALOG_PRODUCT", product)
        if self.group.active:
            variant = self.bridge.loaded_variant(self.group.active[0].record.identifier("variant_id"))
            if variant:
                return "CATALOG_VARIANT", variant
        return "LEGACY_PACKAGE", None

    def _note(self) -> str | None:
        notes: dict[str, str] = {}
        for record in self.group.rows:
            written = record.raw("note")
            if written is not None:
                notes.setdefault(written, record.system)
        if len(notes) < 2:
            return next(iter(notes), None)
        merged = "\n".join(f"[{system}] {note}" for note, system in notes.items())
        self.draft.audit(self.group.key, "note", "NOTE_MERGED", None, new_value=merged, resolution="APPEND")
        return merged

    def mapping_status(self, row: Row) -> str:
        """Whether a person must look at the booking; asks one if so."""
        if self.review:
            source = Source("canonical", "booking_core", self.group.key)
            payload = {"fields": sorted(self.review)}
            self.draft.queue("BOOKING_CONFLICT", source, "REVIEW_REQUIRED", self.group.channel, payload)
            return "REVIEW_REQUIRED"
        return "UNMAPPED" if row["package_ref_key"] is None else "MAPPED"


def _booking_date(record: Record) -> dt.date | None:
    at = record.moment("booking_date")
    return at.date() if at else None


def _stated_pair(record: Record, currency: str) -> Pair | None:
    total = record.price("total_price")
    return None if total is None else (record.currency(currency) or "USD", total)


def _departure_time(departure: Record) -> dt.time | None:
    at = departure.moment("start_date")
    if at is None or scalars.is_date_only(departure.values.get("start_date")):
        return None
    clocks = [place.replace(microsecond=0).time() for place in (at, at.astimezone(scalars.BALI))]
    return None if dt.time(0) in clocks else clocks[1]


def _stop_order(record: Record) -> tuple[bool, int, bool, int, int]:
    day, order = record.integer("day"), record.integer("sort_order")
    return day is None, day or 0, order is None, order or 0, record.key
