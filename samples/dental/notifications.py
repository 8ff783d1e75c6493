"""The notifications of a DENTAL sample: by far its largest table, in no order, its ids over many ranges."""

from collections.abc import Iterator
from functools import partial
from math import gcd
from typing import Any

from samples.booking.weaving import woven
from samples.dental import dirt
from samples.dental.dirt import flags, sometimes, timed
from samples.dental.people import ORDER_TYPE, PATIENT_TYPE
from samples.dental.world import World
from samples.pools import pick
from samples.weaving import Unusable, altered, overrides
from samples.writing import Record

COLUMNS = (
    *("id", "created_at", "sender", "template_name", "template_context", "read", "item_id", "item_type_id"),
    *("recipient_id", "sent", "send"),
)

# Where a sample has few rows, their ids leave gaps, so that they are in several ranges all the same.
_WIDEST_GAP, _RANGE_OF_IDS = 20, 1_200_000
_FAR_ID = 1_234_567_890
_COPIES = 25
_TEMPLATES = ("order_submitted", "order_shipped", "plan_ready", "plan_approved", "payment_due", " reminder ")

_id = sometimes(67, 9, dirt.KEPT_IDS)
_reference = sometimes(83, 6, dirt.KEPT_IDS)
_created = timed(31, 4)
_template = sometimes(91, 5, dirt.NULLS)
_context = sometimes(37, 8, dirt.CARD_DOCUMENTS)
_lost_context = sometimes(509, 6, dirt.LOST_DOCUMENTS)
_yes = flags(47, 3)
_no = flags(53, 2)
_lost_flag = sometimes(613, 7, dirt.LOST_BOOLEANS)
_nobody = sometimes(701, 5, dirt.fixed(*dirt.NO_REFERENCES[:8], dirt.DANGLING, dirt.DANGLING))
_never = sometimes(809, 4, (*dirt.LOST_TIMES, *dirt.NULLS))
_item = sometimes(59, 4, (*dirt.KEPT_IDS, *dirt.NULLS))

_CHANGES: tuple[dict[str, Any], ...] = (
    *overrides("id", dirt.MISSING_KEYS),
    *overrides("recipient_id", (*dirt.NO_REFERENCES, dirt.DANGLING)),
    *overrides("created_at", (*(kind(None) for kind in dirt.LOST_TIMES), dirt.ABSENT)),
)


class NotificationTable:
    """The notifications."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._gap = max(1, min(_WIDEST_GAP, _RANGE_OF_IDS // world.notifications.first))
        self._stride = _coprime(world.notifications.now)

    def rows(self) -> Iterator[Record]:
        """The notifications, first some copies that lose against what comes much later."""
        now = self._world.notifications.now
        for number in range(0, now, now // _COPIES + 1):
            yield {**self._row(number), "sent": True, "send": True, "recipient_id": None}
        unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, changes) for changes in _CHANGES),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS),
        )
        yield from woven(range(now), self._world.size, self._rows_at, unusable)
        yield {**self._row(0), "id": _FAR_ID}

    def _rows_at(self, place: int) -> Iterator[Record]:
        number = (place * self._stride + self._world.seed) % self._world.notifications.now
        return dirt.repeated(self._row(number), number, {"template_name": "stale", "recipient_id": None}, period=997)

    def _row(self, n: int) -> dict[str, Any]:
        world = self._world
        order, whom, *_ = world.rolls("notification", n)
        order %= world.orders.first
        item = world.order_id(order)
        user = (
            world.patient_user(whom % world.patients.first) if n % 5 else world.doctor_user(whom % world.doctors.first)
        )
        sent_at = world.begin + (world.first_now - world.begin) * n // world.notifications.first
        context = {"order": item, "link": f"/orders/{item}", "days": n % 30}
        row = {
            "id": _id((n + 1) * self._gap, n),
            "created_at": _never(_created(sent_at, n), n),
            "sender": None if n % 7 == 3 else f"practice-{whom % 90}",
            "template_name": _template(pick(_TEMPLATES, whom), n),
            "template_context": _lost_context(_context(context, n), n),
            "read": _no(n % 3 != 0, n),
            "item_id": _item(item, n),
            "item_type_id": pick((ORDER_TYPE, PATIENT_TYPE, ORDER_TYPE, None, 999), n),
            "recipient_id": _nobody(_reference(user, n), n),
            "sent": _lost_flag(_yes(n % 12 != 5, n), n),
            "send": _yes(n % 40 != 9, n + 11),
        }
        if row["recipient_id"] is dirt.ABSENT:
            del row["recipient_id"]
        dirt.lacks(row, n, ("sender", "item_type_id", "read"))
        return row

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        world = self._world
        row = {
            "id": world.spare_id(number),
            "created_at": dirt.stamp(world.begin),
            "template_name": "lost",
            "template_context": {"text": f"charged {pick(dirt.PANS, number)}", "password": dirt.password(number)},
            "recipient_id": world.patient_user(0),
            "sent": True,
            "send": "t",
        }
        return altered(row, changes)


def _coprime(count: int) -> int:
    """A stride that meets every number below a count once, far apart."""
    stride = count * 61 // 100 or 1
    while gcd(stride, count) != 1:
        stride += 1
    return stride
