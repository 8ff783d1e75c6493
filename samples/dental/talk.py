"""What people write in a DENTAL sample: notes about doctors, which feed two targets, and messages."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from samples.booking.clock import DAY
from samples.booking.weaving import woven
from samples.dental import dirt
from samples.dental.dirt import flags, sometimes, timed
from samples.dental.people import ORDER_TYPE, PATIENT_TYPE, USER_TYPE
from samples.dental.world import TECHNICIAN_ID, World
from samples.pools import pick
from samples.weaving import Unusable, altered, overrides
from samples.writing import Record

NOTE_COLUMNS = ("id", "created_at", "text", "author_id", "doctor_id")
RECORD_COLUMNS = (
    *("id", "target_id", "target_type_id", "type", "created_at", "text", "author_id", "group_id", "public"),
)

_LINES = ("Prefers small attachments.", "Ask before printing.", "Uses scanner 3.", "Molars as in the last case.")
_TYPES = (3, 5, 6, 8, 6, 5, 4, 8)
_STALE = {"text": "stale", "target_id": None}

_id = sometimes(67, 9, dirt.KEPT_IDS)
_reference = sometimes(41, 6, dirt.KEPT_IDS)
_text = sometimes(5, 2, dirt.NOTES)
_created = timed(11, 4)
_lost_time = sometimes(131, 5, dirt.LOST_TIMES)
_nobody = sometimes(97, 5, dirt.fixed(dirt.DANGLING, "system"))
_type = sometimes(23, 4, (*dirt.KEPT_IDS, *dirt.fixed(None, "", 9)))
_public = flags(13, 6)
_lost_public = sometimes(251, 6, dirt.LOST_BOOLEANS)

_RECORD_CHANGES: tuple[dict[str, Any], ...] = (
    *overrides("id", dirt.MISSING_KEYS[:5]),
    *overrides("target_type_id", (None, ORDER_TYPE, 999, "patient", 0)),
    *overrides("target_id", (*dirt.NO_REFERENCES, dirt.DANGLING)),
    {"target_type_id": USER_TYPE, "target_id": dirt.DANGLING},
    *overrides("text", (*(kind(None) for kind in dirt.NULLS), dirt.ABSENT)),
)


class NoteTable:
    """The notes; each counts in a success rate, so that none is unusable but for those that the team may not have."""

    def __init__(self, world: World) -> None:
        self._world = world

    def rows(self) -> Iterator[Record]:
        """The notes."""
        for n in range(self._world.notes.now):
            late, *_ = self._world.rolls("note", n)
            row = {
                "id": _id(n + 1, n),
                "created_at": _lost_time(_created(self._world.moment(n, "note"), n), n),
                "text": _text(pick(_LINES, late), n),
                "author_id": _reference(self._world.doctor_user(self._world.verified_doctor(n)), n),
                "doctor_id": _reference(self._world.doctor_user(self._world.treating_doctor(n)), n + 3),
            }
            rank = n * self._world.lost_notes // self._world.notes.first
            if (n + 1) * self._world.lost_notes // self._world.notes.first > rank:
                row |= self._spoilt(rank)
            yield row

    def _spoilt(self, rank: int) -> dict[str, Any]:
        """What keeps a note from the team; only the empty one is lost for the doctor too."""
        world = self._world
        if rank % 180 == 90:
            return {"text": " \t "}
        if rank % 9 == 0:
            return {"author_id": pick((None, "", 0, "\\N", "n/a"), rank // 9)}
        if rank % 20 == 7:
            return {"author_id": dirt.DANGLING}
        if rank % 9 in (3, 6):
            return {"author_id": world.doctor_user(world.unverified_doctor(rank))}
        staff, technician, patient = rank % 60 + 1, TECHNICIAN_ID + rank % 32, world.patient_user(rank // 3)
        return {"author_id": staff if rank % 2 else patient if rank % 8 == 4 else technician}


class RecordTable:
    """The messages to patients and users."""

    def __init__(self, world: World) -> None:
        self._world = world

    def rows(self) -> Iterator[Record]:
        """The messages."""
        unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, changes) for changes in _RECORD_CHANGES),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS[:2]),
        )
        return woven(range(self._world.records.now), self._world.size, self._record_rows, unusable)

    def _record_rows(self, n: int) -> Iterator[Record]:
        world = self._world
        whom, late, *_ = world.rolls("record", n)
        patient = whom % world.patients.first
        to_user = n % 4 == 3
        row = {
            "id": _id(n + 1, n),
            "target_id": _reference(world.patient_user(patient) if to_user else world.patient_id(patient), n),
            "target_type_id": _reference(USER_TYPE if to_user else PATIENT_TYPE, n + 5),
            "type": _type(pick(_TYPES, n), n),
            "created_at": _lost_time(_created(world.begin + (n * 3607 + late % DAY) % (2900 * DAY), n), n),
            "text": _text(pick(_LINES, late), n),
            "author_id": _nobody(whom % 60 + 1 if n % 6 else None, n),
            "group_id": pick((None, 2, 4, "3"), n),
            "public": _lost_public(_public(n % 3 == 0, n), n),
        }
        dirt.lacks(row, n, ("group_id", "public", "type"))
        yield from dirt.repeated(row, n, _STALE)

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "id": self._world.spare_id(number),
            "target_id": self._world.patient_id(0),
            "target_type_id": PATIENT_TYPE,
            "type": 6,
            "text": f"Card on file: {pick(dirt.PANS, number)}",
        }
        return altered(row, changes)
