"""What operations settled, and who drives."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field

from tests.booking import booking_scalars as scalars
from tests.booking.booking_identity import Group, Identities, freshness
from tests.booking.booking_records import LONG_AGO, Draft, Record, first

TARGET = "ops_finance_bridge"


@dataclass
class Finance:
    """The chosen finance row of a booking.

    Attributes:
        record: the row.
        items: its items.
    """

    record: Record
    items: list[Record] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Its UUID."""
        return scalars.key_of(self.record.name)

    @property
    def pattern_id(self) -> int | None:
        """The pattern of its costs."""
        return self.record.identifier("pattern_id")

    @property
    def validated_at(self) -> dt.datetime | None:
        """When somebody approved it."""
        return self.record.moment("validated_at")

    @property
    def is_settled(self) -> bool:
        """Whether everything in it is paid."""
        return bool(self.items) and all(item.boolean("paid") is True for item in self.items)


class Finances:
    """The finance rows of one export.

    Attributes:
        chosen: the finance row of each booking that has one.
    """

    def __init__(self, draft: Draft, identities: Identities) -> None:
        self.draft = draft
        self.chosen: dict[Group, Finance] = {}
        of_group: dict[Group, list[Record]] = defaultdict(list)
        for record in draft.inputs.of("bstadmin.booking_finances").values():
            group = identities.of_booking("bstadmin.bookings", record.identifier("booking_id"))
            if group:
                of_group[group].append(record)
            else:
                draft.rejected(record, TARGET, "ORPHAN_BOOKING")
        # The key that each finance row ended in.
        ended: dict[int, Finance] = {}
        for group, records in of_group.items():
            finance = self.chosen[group] = Finance(_preferred(group, records))
            ended |= {record.key: finance for record in records}
            for record in records:
                if record is not finance.record:
                    draft.merged(record, TARGET, "SAME_IDENTITY", finance.key)
        self._items(ended)

    def _items(self, ended: dict[int, Finance]) -> None:
        for record in self.draft.inputs.of("bstadmin.booking_finance_items").values():
            finance_id = record.identifier("booking_finance_id") or 0
            finance = ended.get(finance_id)
            if finance is None:
                self.draft.rejected(record, TARGET, "ORPHAN_FINANCE")
                continue
            self.draft.merged(record, TARGET, "FINANCE_ITEM", finance.key)
            if finance.record.key == finance_id:
                finance.items.append(record)

    def run(self, group: Group) -> None:
        """Write state, assignment and settlement of a booking."""
        finance = self.chosen.get(group)
        self._state(group)
        self._assignment(group, finance)
        if finance:
            self._bridge(group, finance)

    def _state(self, group: Group) -> None:
        core, a = self.draft.tables["booking_core"][group.key], group.a
        is_paid = core["customer_payment_status"] == "PAID" if group.b else bool(a and a.boolean("is_paid"))
        payments = self.draft.tables["payment_event"].values()
        paid = [p for p in payments if p["booking_key"] == group.key and p["payment_status_v2"] == "PAID"]
        self.draft.put(
            "ops_booking_state",
            group.key,
            ops_fulfillment_status=core["ops_fulfillment_status"],
            assigned_driver_id=a and a.identifier("assigned_driver_id"),
            assigned_partner_id=None,
            assigned_at=a and a.moment("assigned_at"),
            is_paid_flag=is_paid,
            paid_at=min((payment["payment_time"] for payment in paid), default=None),
            state_version=1,
            updated_from_source="bstadmin" if a else "balisnap",
        )
        _count(self.draft, "ops_booking_state", "loaded")

    def _assignment(self, group: Group, finance: Finance | None) -> None:
        a, core = group.a, self.draft.tables["booking_core"][group.key]
        if a is None:
            return
        driver = a.identifier("assigned_driver_id")
        if driver is None:
            _count(self.draft, "ops_assignment", "skipped", "NO_DRIVER")
            return
        of_finance = finance.record.moment("assigned_at") if finance else None
        self.draft.put(
            "ops_assignment",
            scalars.key_of(a.name),
            booking_key=group.key,
            driver_id=driver,
            partner_id=None,
            assignment_source="bstadmin",
            assigned_at=first(a.moment("assigned_at"), of_finance, freshness(a), core["booking_created_at"]),
            unassigned_at=None,
            is_active=core["ops_fulfillment_status"] not in ("CANCELLED", "NO_SHOW"),
            notes=None,
        )
        _count(self.draft, "ops_assignment", "loaded")

    def _bridge(self, group: Group, finance: Finance) -> None:
        self.draft.put(
            TARGET,
            finance.key,
            booking_key=group.key,
            booking_finance_id=finance.record.key,
            pattern_id=finance.pattern_id,
            validated_at=finance.validated_at,
            is_locked=finance.record.boolean("is_locked") is True,
            settlement_status="SETTLED" if finance.is_settled else "PENDING",
            last_reconciled_at=self.draft.inputs.now,
        )
        self.draft.loaded(finance.record, TARGET, finance.key)


def _preferred(group: Group, records: list[Record]) -> Record:
    def place(record: Record) -> tuple[bool, dt.datetime, int]:
        of_a = group.a is not None and record.identifier("booking_id") == group.a.key
        return of_a, record.moment("updated_at") or LONG_AGO, record.key

    return max(records, key=place)


def _count(draft: Draft, asset: str, outcome: str, rule: str | None = None) -> None:
    """Count a row of an asset whose source rows are not rows of a file."""
    counts = draft.counts[asset]
    counts.source_rows += 1
    counts.add(outcome, rule)
