"""The users of a DENTAL sample, their groups and what the groups may do."""

from collections.abc import Iterator
from datetime import date
from functools import partial
from typing import Any, NamedTuple

from samples.booking.clock import DAY
from samples.booking.weaving import woven
from samples.dental import dirt
from samples.dental.dirt import flags, sometimes, timed
from samples.dental.world import STAFF, TECHNICIAN_ID, TECHNICIANS, World
from samples.pools import FIRST_NAMES, LAST_NAMES, pick
from samples.weaving import Unusable, altered, overrides
from samples.writing import Record

USER_COLUMNS = (
    *("id", "username", "first_name", "last_name", "email", "password", "is_superuser", "is_staff", "is_active"),
    *("date_joined", "last_login"),
)
GROUP_COLUMNS = ("id", "name")
MEMBER_COLUMNS = ("id", "user_id", "group_id")
PERMISSION_COLUMNS = ("id", "name", "codename")
TYPE_COLUMNS = ("id", "app_label", "model")

# Spelled as people have typed them; each is one of the ten that the business knows.
GROUPS = {
    **{1: "Patient", 2: " doctor ", 3: "SALES", 4: "Admin", 5: "Master", 6: f"support{dirt.NBSP}", 7: "Billing"},
    **{8: "export", 9: "External", 11: "  Technician\t"},
}
PATIENT, DOCTOR, SALES, ADMINISTRATOR, MASTER, TECHNICIAN = 1, 2, 3, 4, 5, 11

# Name, how many there are, how many of them still work here.
SPECIALTIES = (
    *(("Sectioning Technician", 11, 2), ("Designing Technician", 9, 3), ("Remote Technician", 6, 4)),
    *(("Manufacturing Technician", 4, 3), ("Remote Technician Sectioning Approver", 1, 1)),
    ("Japan Aligner Technician", 1, 1),
)
_JOBS = tuple((name, rank < active) for name, count, active in SPECIALTIES for rank in range(count))
_FIRST_HIRED, _LAST_HIRED = date(2018, 2, 22), date(2025, 7, 29)
_EPOCH = date(1970, 1, 1).toordinal()

_MODELS = (
    *("patient", "instruction", "task", "plan", "comment", "note", "record", "template", "product", "role", "office"),
    *("payment", "operation", "file", "storage", "ware", "notification", "category", "setting", "case", "event"),
    *("report", "label", "shipment", "printer", "resin", "machine", "course", "discount", "campaign", "lead"),
    *("invoice", "address", "holiday", "shift", "batch", "scan", "mesh", "segment", "attachment", "device"),
)
_DEEDS = ("add", "change", "delete", "view")
PERMISSIONS = len(_MODELS) * len(_DEEDS)
USER_TYPE, PATIENT_TYPE, ORDER_TYPE = 4, 7, 8

_STAFF_GROUPS: tuple[tuple[int, ...], ...] = ((3,), (4,), (5,), (6,), (7,), (8,), (9,), (), (), (3, 7), (6, 9), (4, 5))
_STALE = {"username": "stale", "is_active": False}

_id = sometimes(67, 9, dirt.KEPT_IDS)
_name = sometimes(23, 4, dirt.TEXTS)
_lost_name = sometimes(61, 7, dirt.LOST_TEXTS)
_email = sometimes(113, 3, dirt.EMAILS)
_yes = flags(17, 5, dirt.SAID_FALSE)
_no = flags(13, 2)
_odd_flag = sometimes(311, 6, dirt.LOST_BOOLEANS)
_joined = timed(11, 8)
_login = timed(19, 1)
_lost_login = sometimes(251, 2, dirt.LOST_TIMES)
_reference = sometimes(41, 6, dirt.KEPT_IDS)

_CHANGES: tuple[dict[str, Any], ...] = overrides("id", dirt.MISSING_KEYS)
_MEMBER_CHANGES: tuple[dict[str, Any], ...] = (
    *overrides("id", dirt.MISSING_KEYS[:3]),
    *overrides("user_id", (None, "abc", dirt.DANGLING)),
    *overrides("group_id", (None, 0, 99)),
)


class User(NamedTuple):
    """A user without dirt.

    Attributes:
        id: the user's id.
        groups: ids of the groups it is in.
        active: whether it may sign in.
        joined: when it came, in seconds.
        superuser: whether it may do everything.
        staff: whether it may use the administration.
    """

    id: int
    groups: tuple[int, ...]
    active: bool
    joined: int
    superuser: bool = False
    staff: bool = False


def job(technician: int) -> tuple[str, bool]:
    """What a technician does, and whether it still does."""
    return _JOBS[technician * 13 % TECHNICIANS]


def hired(technician: int) -> int:
    """When a technician came, in seconds."""
    first, last = _FIRST_HIRED.toordinal(), _LAST_HIRED.toordinal()
    return (first + technician * (last - first) // (TECHNICIANS - 1) - _EPOCH) * DAY + 15 * 3600


class UserTable:
    """The users and their memberships."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = range(STAFF + TECHNICIANS + world.doctors.now + world.patients.now)
        self._unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, changes) for changes in _CHANGES),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS),
        )

    def rows(self) -> Iterator[Record]:
        """The users."""
        return woven(self._numbers, self._world.size, self._user_rows, self._unusable)

    def members(self) -> Iterator[Record]:
        """Who is in which group."""
        unusable = (
            *(partial(self._unusable_member, changes) for changes in _MEMBER_CHANGES),
            lambda _: dirt.NOT_OBJECTS[0],
        )
        return woven(self._numbers, self._world.size, self._member_rows, unusable)

    def _user(self, number: int) -> User:
        world = self._world
        if number < STAFF:
            groups = pick(_STAFF_GROUPS, number)
            active, joined = number % 7 != 3, world.begin + number * 31 * DAY
            return User(number + 1, groups, active, joined, superuser=number % 12 == 7, staff=number % 12 == 8)
        number -= STAFF
        if number < TECHNICIANS:
            # One of them is a patient too, and is taken for one.
            groups = (TECHNICIAN, PATIENT) if number == 5 else (TECHNICIAN,)
            return User(TECHNICIAN_ID + number, groups, job(number)[1], hired(number))
        number -= TECHNICIANS
        span = world.first_now - world.begin
        if number < world.doctors.now:
            groups = (DOCTOR, PATIENT) if world.is_own_patient(number) else (DOCTOR,)
            joined = world.begin + span * number // world.doctors.first
            return User(world.doctor_user(number), groups, number % 11 != 6, joined)
        number -= world.doctors.now
        groups = (DOCTOR,) if world.is_colleague(number) else () if number % 300 == 7 else (PATIENT,)
        joined = world.begin + span * number // world.patients.first
        return User(world.patient_user(number), groups, number % 13 != 4, joined)

    def _user_rows(self, number: int) -> Iterator[Record]:
        user = self._user(number)
        n = user.id
        first, last, _, login, *_ = self._world.rolls("user", n)
        technician = TECHNICIAN_ID <= n < TECHNICIAN_ID + TECHNICIANS
        row = {
            "id": _id(n, n),
            "username": _name(f"user{n}.{login % 997}", n),
            "first_name": _lost_name(_name(pick(FIRST_NAMES, first), n), n),
            "last_name": _name(pick(LAST_NAMES, last), n),
            "email": _email(f"user.{n}@{dirt.EMAIL_DOMAIN}", n),
            "password": dirt.password(n),
            "is_superuser": _no(user.superuser, n),
            "is_staff": _no(user.staff, n + 5),
            "is_active": _yes(user.active, n) if technician else _odd_flag(_yes(user.active, n), n),
            "date_joined": _joined(user.joined, n),
            "last_login": _lost_login(_login(user.joined + login % (200 * DAY) if n % 6 else None, n), n),
        }
        dirt.lacks(row, n, ("last_name", "email", "last_login"))
        yield from (row,) if technician else dirt.repeated(row, n, _STALE)

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "id": self._world.spare_id(number),
            "username": f"nobody{number}",
            "email": f"nobody.{number}@{dirt.EMAIL_DOMAIN}",
            "password": dirt.password(number),
            "is_active": True,
            "date_joined": dirt.stamp(self._world.begin),
        }
        return altered(row, changes)

    def _member_rows(self, number: int) -> Iterator[Record]:
        user = self._user(number)
        for slot, group in enumerate(user.groups):
            n = 3 * user.id + slot
            row = {"id": _id(n, n), "user_id": _reference(user.id, n), "group_id": _reference(group, n + 3)}
            yield from dirt.repeated(row, n, {"group_id": 9})

    def _unusable_member(self, changes: dict[str, Any], number: int) -> Record:
        return altered({"id": self._world.spare_id(number), "user_id": 1, "group_id": 3}, changes)


def groups() -> Iterator[Record]:
    """The ten groups; each of them counts in a success rate, so that none is unusable."""
    return ({"id": str(key) if key % 4 == 3 else key, "name": name} for key, name in GROUPS.items())


def permissions() -> Iterator[Record]:
    """What roles may do; only looked up, so that its unusable rows count nowhere."""
    for number in range(PERMISSIONS):
        model, deed = _MODELS[number // 4], _DEEDS[number % 4]
        name = pick(dirt.NULLS, number // 37)(None) if number % 37 == 11 else f"Can {deed} {model}"
        yield from dirt.repeated(
            {"id": _id(number + 1, number), "name": name, "codename": f"{deed}_{model}"}, number, {"codename": "stale"}
        )
    yield from (dirt.NOT_OBJECTS[0], {"id": None, "name": "Can nothing", "codename": "nothing"})


def content_types() -> Iterator[Record]:
    """The models that messages and notifications point at."""
    models = {1: "logentry", 2: "permission", 3: "group", USER_TYPE: "User", 5: "session"}
    models |= {PATIENT_TYPE + number: model for number, model in enumerate(_MODELS)}
    for key, model in models.items():
        app = "auth" if key < 6 else "dispatch"
        yield {"id": _id(key, key), "app_label": app, "model": f" {model} " if key % 9 == 7 else model}
    yield from ({"id": 0, "app_label": "x", "model": "user"}, dirt.NOT_OBJECTS[3])
