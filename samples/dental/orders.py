"""The orders of a DENTAL sample, with their plans, tasks, discussions and files."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any

from samples.booking.clock import DAY
from samples.booking.weaving import woven
from samples.dental import dirt
from samples.dental.catalog import template_id
from samples.dental.dirt import flags, sometimes, timed
from samples.dental.world import TEMPLATES, Status, World
from samples.pools import pick
from samples.weaving import Unusable, altered, overrides
from samples.writing import Record

ORDER_COLUMNS = (
    *("id", "patient_id", "course_id", "status", "notes", "complaint", "price", "submitted_at", "updated_at"),
    *("deleted", "exports", "upper_jaw_id", "lower_jaw_id"),
)
PLAN_COLUMNS = ("id", "instruction_id", "name")
TASK_COLUMNS = (
    *("id", "checked", "file_id", "template_id", "done_at", "text", "plan_id", "instruction_id", "actor_id", "jaw"),
    "order_id",
)
COMMENT_COLUMNS = ("id", "created_at", "text", "author_id", "plan_id")
FILE_COLUMNS = ("id", "uid", "name", "ext", "size", "type", "instruction_id", "created_at", "status")

_COURSES = (1, 1, 2, 1, 3, 2, 1, 4, 7, 8, 1, "1", "2.0")
_REMARKS = ("Please align the molars.", "Crowding in the lower arch.", "Check the bite, then print.", "As before.")
_EXTENSIONS = (
    *(".stl", ".JPG", ".png", " .dcm ", ".zip", ".pdf", ".docx", ".txt", ".dxf", ".gif", "", None, ".xyz", ".jpeg"),
)
_STALE_ORDER = {"patient_id": dirt.DANGLING, "status": 4, "deleted": False}
_NOBODY: tuple[Any, ...] = (dirt.DANGLING, "987654321", 199)

_id = sometimes(67, 9, dirt.KEPT_IDS)
_reference = sometimes(41, 6, dirt.KEPT_IDS)
_status = sometimes(17, 3, dirt.KEPT_IDS)
_odd_status = sometimes(149, 4, dirt.fixed(9, -1, None, "late", 5, "two"))
_odd_course = sometimes(113, 8, dirt.fixed(5, None, "x", 6, "n/a"))
_note = sometimes(7, 2, dirt.NOTES)
_lost_note = sometimes(163, 6, dirt.LOST_TEXTS)
_money = sometimes(5, 1, dirt.KEPT_MONEY)
_lost_money = sometimes(109, 7, (*dirt.LOST_AMOUNTS, *dirt.fixed(Decimal("-20.00"), "-0.01")))
_submitted = timed(11, 4)
_updated = timed(13, 7)
_lost_time = sometimes(211, 5, dirt.LOST_TIMES)
_no = flags(9, 4)
_exports = sometimes(6, 1, dirt.CARD_DOCUMENTS)
_lost_exports = sometimes(233, 2, dirt.LOST_DOCUMENTS)
_jaw_id = sometimes(29, 5, (*dirt.KEPT_IDS, *dirt.NULLS))
_done = timed(17, 3)
_nobody = sometimes(89, 5, dirt.fixed(*_NOBODY))
_checked = flags(23, 6)
_jaw = sometimes(31, 4, dirt.fixed("2", 12, -1, "upper", 0, Decimal("1.0"), "", 9))
_no_template = sometimes(127, 8, dirt.fixed(dirt.DANGLING, 4))
_size = sometimes(37, 5, (*dirt.KEPT_IDS, *dirt.NULLS))
_lost_size = sometimes(199, 3, dirt.fixed(-1, "12 kB", "9223372036854775808"))
_no_order = sometimes(151, 6, dirt.fixed(dirt.DANGLING, "none"))

_ORDER_CHANGES: tuple[dict[str, Any], ...] = (
    *overrides("id", dirt.MISSING_KEYS),
    *overrides("patient_id", (*dirt.NO_REFERENCES, dirt.DANGLING, 1)),
    {"patient_id": 1_012},  # has no doctor
    {"patient_id": " 1012 "},
)
_TASK_CHANGES: tuple[dict[str, Any], ...] = (
    *overrides("id", dirt.MISSING_KEYS),
    *overrides("instruction_id", (*dirt.NO_REFERENCES, dirt.DANGLING)),
)
_COMMENT_CHANGES: tuple[dict[str, Any], ...] = (
    *overrides("id", dirt.MISSING_KEYS[:4]),
    *overrides("plan_id", (*dirt.NO_REFERENCES[:4], dirt.DANGLING, 1, 2)),
    *overrides("text", (*(kind(None) for kind in dirt.LOST_TEXTS), dirt.ABSENT)),
)
_FILE_CHANGES: tuple[dict[str, Any], ...] = (
    *overrides("id", dirt.MISSING_KEYS[:4]),
    *overrides("uid", (None, "", "  ", "NULL", dirt.ABSENT)),
)


class OrderTable:
    """The orders and their plans."""

    def __init__(self, world: World) -> None:
        self._world = world

    def rows(self) -> Iterator[Record]:
        """The orders; one in forty is followed by one that was deleted."""
        unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, changes) for changes in _ORDER_CHANGES),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS),
        )
        return woven(range(self._world.orders.now), self._world.size, self._order_rows, unusable)

    def plans(self) -> Iterator[Record]:
        """The plans; only looked up, so that its unusable rows count nowhere."""
        yield from ({"id": 1, "instruction_id": None, "name": "Empty"}, {"id": 2, "instruction_id": dirt.DANGLING})
        for order in range(0, self._world.orders.now, 2):
            key, target = self._world.plan_id(order), self._world.order_id(order)
            row = {"id": _id(key, order), "instruction_id": _reference(target, order), "name": f"Plan {key}"}
            yield from dirt.repeated(row, order, {"instruction_id": None})
        yield from (dirt.NOT_OBJECTS[0], {"id": 0, "instruction_id": 901}, {"id": "plan", "name": "Nameless"})

    def _order_rows(self, order: int) -> Iterator[Record]:
        row = self._row(order, self._world.order_id(order))
        yield from dirt.repeated(row, order, _STALE_ORDER)
        if order % 40 == 7:
            yield {**self._row(order, self._world.deleted_order_id(order)), "deleted": pick((True, "t", 1), order)}

    def _row(self, order: int, key: int) -> dict[str, Any]:
        world, n = self._world, order
        price, jaws, changed, *_ = world.rolls("order", n)
        status = world.order_status(n)
        told: Any = _status(int(status), n)
        submitted = world.order_time(n)
        row = {
            "id": _id(key, n),
            "patient_id": _reference(world.patient_id(world.order_patient(n)), n),
            "course_id": _odd_course(pick(_COURSES, n), n),
            "status": told if status is Status.SHIPPED else _odd_status(told, n),
            "notes": _lost_note(_note(pick(_REMARKS, price), n), n),
            "complaint": _note(pick(_REMARKS, jaws), n + 3) if n % 3 == 0 else None,
            "price": _lost_money(_money(Decimal(price % 400_000).scaleb(-2), n), n),
            "submitted_at": _submitted(submitted, n),
            "updated_at": _lost_time(_updated(submitted + changed % (20 * DAY) if n % 50 else None, n), n),
            "deleted": _no(False, n),
            "exports": _lost_exports(_exports({"format": "stl", "parts": jaws % 40}, n), n),
            "upper_jaw_id": _jaw_id(jaws % 9_000 + 1, n),
            "lower_jaw_id": _jaw_id(jaws % 8_000 + 1, n + 9),
        }
        dirt.lacks(row, n, ("deleted", "exports", "complaint", "lower_jaw_id"))
        return row

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "id": self._world.spare_id(number),
            "patient_id": self._world.patient_id(0),
            "course_id": 1,
            "status": 4,
            "notes": f"Lost. Paid with {pick(dirt.PANS, number)}",
            "submitted_at": dirt.stamp(self._world.begin),
        }
        return altered(row, changes)


class TaskTable:
    """The tasks."""

    def __init__(self, world: World) -> None:
        self._world = world

    def rows(self) -> Iterator[Record]:
        """The tasks."""
        unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, changes) for changes in _TASK_CHANGES),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS),
        )
        return woven(range(self._world.tasks.now), self._world.size, self._task_rows, unusable)

    def _task_rows(self, n: int) -> Iterator[Record]:
        world = self._world
        late, actor, *_ = world.rolls("task", n)
        order = n * 17 % world.orders.first
        done = None if n % 4 == 3 else world.order_time(order) + late % (12 * DAY)
        row = {
            "id": _id(n + 1, n),
            "checked": _checked(n % 4 == 0 or n % 9 == 3, n),
            "file_id": _reference(late % 300_000 + 1, n + 5) if n % 3 == 0 else None,
            "template_id": _no_template(_reference(template_id(n % TEMPLATES), n + 2) if n % 11 else None, n),
            "done_at": _lost_time(_done(done, n), n),
            "text": _note(pick(_REMARKS, late), n) if n % 8 == 2 else None,
            "plan_id": world.plan_id(order) if n % 2 else None,
            "instruction_id": _reference(world.order_id(order), n),
            "actor_id": _nobody(actor % 60 + 1 if n % 5 else None, n),
            "jaw": _jaw(n % 3, n),
            "order_id": None if n % 6 else order + 1,
        }
        dirt.lacks(row, n, ("text", "jaw", "order_id", "plan_id"))
        yield from dirt.repeated(row, n, {"instruction_id": None})

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        text = f"teeth 11 12 13 14, card {pick(dirt.PANS, number)}"
        return altered({"id": self._world.spare_id(number), "instruction_id": 901, "text": text}, changes)


class CommentTable:
    """What doctors and technicians have said about plans."""

    def __init__(self, world: World) -> None:
        self._world = world

    def rows(self) -> Iterator[Record]:
        """The comments."""
        unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, changes) for changes in _COMMENT_CHANGES),
            lambda _: dirt.NOT_OBJECTS[0],
        )
        return woven(range(self._world.comments.now), self._world.size, self._comment_rows, unusable)

    def _comment_rows(self, n: int) -> Iterator[Record]:
        world = self._world
        order, late, *_ = world.rolls("comment", n)
        order %= world.orders.first
        author = world.doctor_user(world.treating_doctor(n)) if n % 3 else n % 60 + 1
        row = {
            "id": _id(n + 1, n),
            "created_at": _lost_time(_submitted(world.order_time(order) + late % DAY, n), n),
            "text": _note(pick(_REMARKS, late), n),
            "author_id": _nobody(_reference(author, n) if n % 7 else None, n),
            "plan_id": _reference(world.plan_id(order), n),
        }
        yield from dirt.repeated(row, n, {"text": None})

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {"id": self._world.spare_id(number), "plan_id": 5, "author_id": 1, "text": "Not to be kept."}
        return altered(row, changes)


class FileTable:
    """The files of orders."""

    def __init__(self, world: World) -> None:
        self._world = world

    def rows(self) -> Iterator[Record]:
        """The files."""
        unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, changes) for changes in _FILE_CHANGES),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS[:2]),
        )
        return woven(range(self._world.files.now), self._world.size, self._file_rows, unusable)

    def _file_rows(self, n: int) -> Iterator[Record]:
        world = self._world
        one, two, size, *_ = world.rolls("file", n)
        order = n * 19 % world.orders.first
        row = {
            "id": _id(n + 1, n),
            "uid": f"{one:08x}-{two:08x}",
            "name": f"scan {n}" if n % 4 else pick((None, "", "\\N", "upper  jaw"), n // 4),
            "ext": pick(_EXTENSIONS, n),
            "size": _lost_size(_size(size % 90_000_000, n), n),
            "type": n % 6,
            "instruction_id": _no_order(_reference(world.order_id(order), n) if n % 12 else None, n),
            "created_at": _lost_time(_submitted(world.order_time(order) + size % DAY, n), n),
            "status": pick((1, 2, "1", None), n),
        }
        dirt.lacks(row, n, ("type", "status", "ext"))
        yield from dirt.repeated(row, n, {"uid": None})

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        return altered({"id": self._world.spare_id(number), "uid": f"lost-{number}", "ext": ".stl"}, changes)
