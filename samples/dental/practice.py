"""The practices of a DENTAL sample: offices, who works in which, which doctors are verified, and the patients."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any

from samples.booking.clock import DAY
from samples.booking.weaving import woven
from samples.dental import dirt
from samples.dental.dirt import flags, sometimes, timed
from samples.dental.world import World
from samples.pools import AREAS, STREETS, pick
from samples.weaving import altered, overrides
from samples.writing import Record

OFFICE_COLUMNS = (
    *("id", "name", "address", "apt", "city", "state", "zip", "country", "phone", "tax_rate", "valid"),
    *("sq_customer_id", "emails"),
)
PLACE_COLUMNS = ("id", "office_id", "user_id")
SETTING_COLUMNS = ("id", "user_id")
PATIENT_COLUMNS = (
    *("id", "user_id", "doctor_id", "office_id", "birthdate", "archived", "suspended", "status", "submitted_at"),
    *("updated_at", "suffix", "sex", "schemes"),
)

RATES = tuple(Decimal(rate) for rate in ("0.0825", "0.0000", "0.0625", "0.0875", "0.0700", "0.0951"))
_STATES = ("CA", "tx", " NY", "Wa", "FL", "il", "NJ ", "AZ", "or")
_COUNTRIES = (
    *("US", "USA", "U.S.A.", "united states", None, "", "United States of America", "us", "Canada", "CA", "Japan"),
)
_SUFFIXES = ("A", "B2", "JR", " S ", None, "", "7")
_SEXES = (1, 2, 1, 2, "1", 2, 0, 1, None, 2, 9)

_STALE_OFFICE = {"name": "Stale", "valid": False}
_STALE_PATIENT = {"user_id": dirt.DANGLING, "archived": True}
_OFFICE_CHANGES = overrides("id", dirt.MISSING_KEYS[:6])
_PLACE_CHANGES: tuple[dict[str, Any], ...] = (
    *overrides("id", dirt.MISSING_KEYS[:3]),
    *overrides("user_id", (*dirt.NO_REFERENCES[:5], dirt.DANGLING, 1)),
    *overrides("office_id", (None, 0, "abc", dirt.DANGLING)),
)
_PATIENT_CHANGES: tuple[dict[str, Any], ...] = (
    *overrides("id", dirt.MISSING_KEYS),
    *overrides("user_id", (*dirt.NO_REFERENCES, dirt.DANGLING, "987654321")),
)

_id = sometimes(67, 9, dirt.KEPT_IDS)
_reference = sometimes(41, 6, dirt.KEPT_IDS)
_text = sometimes(19, 3, dirt.TEXTS)
_lost_text = sometimes(67, 5, dirt.LOST_TEXTS)
_rate = sometimes(3, 1, dirt.KEPT_RATES)
_lost_rate = sometimes(101, 8, dirt.LOST_RATES)
_valid = flags(11, 4)
_emails = flags(13, 5, dirt.SAID_FALSE)
_flag = flags(17, 6)
_odd_flag = sometimes(307, 6, dirt.LOST_BOOLEANS)
_birthday = sometimes(7, 2, dirt.BIRTHDAYS)
_lost_birthday = sometimes(163, 8, dirt.LOST_BIRTHDAYS)
_status = sometimes(29, 3, dirt.KEPT_IDS)
_lost_status = sometimes(271, 3, dirt.LOST_INTS)
_submitted = timed(9, 4)
_updated = timed(13, 7)
_lost_time = sometimes(239, 9, dirt.LOST_TIMES)
_schemes = sometimes(5, 1, dirt.DOCUMENTS)
_lost_schemes = sometimes(347, 2, dirt.LOST_DOCUMENTS)
_no_office = sometimes(173, 5, dirt.fixed(dirt.DANGLING, "main", 0))


class OfficeTable:
    """The offices, and the doctors who work in them."""

    def __init__(self, world: World) -> None:
        self._world = world

    def rows(self) -> Iterator[Record]:
        """The offices; one in twenty is followed by one that has been closed."""
        unusable = (
            *(partial(self._unusable_office, changes) for changes in _OFFICE_CHANGES),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS[:2]),
        )
        return woven(range(self._world.offices.now), self._world.size, self._office_rows, unusable)

    def places(self) -> Iterator[Record]:
        """Which doctor works where; the second office of some, and the first one twice."""
        unusable = (
            *(partial(self._unusable_place, changes) for changes in _PLACE_CHANGES),
            lambda _: dirt.NOT_OBJECTS[0],
        )
        return woven(range(self._world.doctors.now), self._world.size, self._place_rows, unusable)

    def settings(self) -> Iterator[Record]:
        """The doctors who have finished the registration."""
        for doctor in range(self._world.doctors.now):
            if self._world.is_verified(doctor):
                row = {"id": doctor + 1, "user_id": _reference(self._world.doctor_user(doctor), doctor)}
                yield from dirt.repeated(row, doctor, {"user_id": None})
        yield from ({"id": None, "user_id": 505}, dirt.NOT_OBJECTS[0], {"id": dirt.DANGLING, "user_id": "n/a"})

    def _office_rows(self, office: int) -> Iterator[Record]:
        row = self._office(office, self._world.office_id(office), open=True)
        yield from dirt.repeated(row, office * 3, _STALE_OFFICE)
        if office % 20 == 7:
            yield self._office(office, self._world.spare_id(office), open=False)

    def _office(self, office: int, key: int, *, open: bool) -> dict[str, Any]:
        n, (street, area, house, *_) = office, self._world.rolls("office", office)
        row = {
            "id": _id(key, n),
            "name": _lost_text(_text(f"{pick(AREAS, area)}  Orthodontics", n), n),
            "address": _text(f"{house % 900} {dirt.ADDRESS_MARK} {pick(STREETS, street)}", n + 2),
            "apt": None if n % 3 else n % 40,
            "city": pick(AREAS, area),
            "state": pick(_STATES, n),
            "zip": f"{house % 90_000 + 10_000}" if n % 9 else house % 90_000 + 10_000,
            "country": pick(_COUNTRIES, n),
            "phone": f"{dirt.PHONE_MARK}{n % 10_000:04d}",
            "tax_rate": _lost_rate(_rate(pick(RATES, n), n), n),
            "valid": _valid(True, n) if open else pick((False, "f", None, 0, "maybe"), n // 20),
            "sq_customer_id": f"SQC{house:08X}" if n % 4 else "",
            "emails": _emails(n % 5 != 2, n),
        }
        dirt.lacks(row, n, ("apt", "phone", "sq_customer_id", "country"))
        return row

    def _unusable_office(self, changes: dict[str, Any], number: int) -> Record:
        return altered({"id": self._world.spare_id(number), "name": "Nowhere", "valid": True}, changes)

    def _place_rows(self, doctor: int) -> Iterator[Record]:
        world, user = self._world, self._world.doctor_user(doctor)
        if world.is_own_patient(doctor):
            return
        offices = [world.usual_office(doctor)]
        if doctor % 4 == 0:
            offices.append((offices[0] + 17) % world.offices.first)
        if doctor % 60 == 8:
            offices.append(offices[0])
        for slot, office in enumerate(offices):
            n = 3 * doctor + slot
            row = {"id": _id(n + 1, n), "office_id": world.office_id(office), "user_id": _reference(user, n)}
            yield from dirt.repeated(row, n, {"office_id": None})

    def _unusable_place(self, changes: dict[str, Any], number: int) -> Record:
        row = {"id": self._world.spare_id(number), "office_id": self._world.office_id(0), "user_id": 501}
        return altered(row, changes)


class PatientTable:
    """The patients."""

    def __init__(self, world: World) -> None:
        self._world = world

    def rows(self) -> Iterator[Record]:
        """The patients."""
        unusable = (
            *(partial(self._unusable_row, changes) for changes in _PATIENT_CHANGES),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS[:3]),
        )
        return woven(range(self._world.patients.now), self._world.size, self._patient_rows, unusable)

    def _patient_rows(self, patient: int) -> Iterator[Record]:
        world, n = self._world, patient
        born, visits, *_ = world.rolls("patient", n)
        doctor = world.treating_doctor(n)
        submitted = world.begin + (world.first_now - world.begin) * n // world.patients.first
        row = {
            "id": _id(world.patient_id(n), n),
            "user_id": _reference(world.patient_user(n), n),
            "doctor_id": _reference(world.doctor_user(doctor), n + 3),
            "office_id": _no_office(world.office_id(world.usual_office(doctor)) if n % 10 else None, n),
            "birthdate": _lost_birthday(_birthday(dirt.day_text(born % (17_000 * DAY)), n), n),
            "archived": _odd_flag(_flag(n % 31 == 8, n), n),
            "suspended": _flag(n % 37 == 9, n + 4),
            "status": _lost_status(_status(visits % 12 + 1, n), n),
            "submitted_at": _lost_time(_submitted(submitted if n % 8 else None, n), n),
            "updated_at": _updated(submitted + visits % (90 * DAY), n),
            "suffix": pick(_SUFFIXES, visits),
            "sex": pick(_SEXES, n),
            "schemes": _lost_schemes(_schemes({"upper": n % 14, "lower": visits % 14}, n), n),
        }
        if world.has_no_doctor(n):
            row["doctor_id"] = pick((None, dirt.DANGLING, "", 1, "Dr. Sample", 0), n // 50)
        dirt.lacks(row, n, ("schemes", "suffix", "sex", "birthdate"))
        yield from dirt.repeated(row, n, _STALE_PATIENT)

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {"id": self._world.spare_id(number), "user_id": self._world.patient_user(0), "sex": 1, "status": 1}
        return altered(row, changes)
