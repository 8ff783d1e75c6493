"""The practice that the DENTAL samples are made of: how many of everything there is, its ids, its times, its stories.

Everything is arithmetic over the numbers of things: no list grows with the scale, tables can be generated in any order,
and the following export differs from the first one only by a month's newcomers and by what `Status` tells.
"""

from datetime import UTC, datetime
from enum import IntEnum
from typing import NamedTuple

from samples.booking.clock import DAY
from samples.pools import month_number, month_start, rolls
from samples.writing import SampleSpec

SMALLEST = 0.01
MONTHS = 96

# What does not grow with the business.
STAFF = 63
TECHNICIANS = 32
ROLES = 46
ROLE_PERMISSIONS = 1_244
TEMPLATES = 152
PREDECESSORS = 191
EDIT_ROLES = 603
VIEW_ROLES = 1_036
VIEW_GROUPS = 183

# At scale 1, in the first export.
DOCTORS = 1_165
OFFICES = 800
PATIENTS = 7_880
ORDERS = 23_000
SHIPMENTS = 2_453
PAYMENTS = 16_014
LOST_PAYMENTS = 3
NOTES = 963
LOST_NOTES = 180
COMMENTS = 6_000
WARE = 16_552

# Far larger than the rest: by default a sample holds a share of them.
TASKS = 770_000
FILES = 300_000
RECORDS = 61_000
NOTIFICATIONS = 5_100_000
BULK = 0.05
FEW_NOTIFICATIONS = 60_000

TECHNICIAN_ID, DOCTOR_ID = 201, 501
SPARE_ID = 600_000_000


class Status(IntEnum):
    """Where an order is, as the legacy system numbers it."""

    NO_PRODUCT = 0
    SUBMITTED = 1
    APPROVED = 2
    IN_PRODUCTION = 3
    SHIPPED = 4


class Count(NamedTuple):
    """How many of a thing there are.

    Attributes:
        first: in the first export.
        now: in this export.
    """

    first: int
    now: int


class World:
    """Everything that one sample tells about."""

    def __init__(self, spec: SampleSpec) -> None:
        self.seed = spec.seed
        self.edition = spec.edition
        self.size = max(float(spec.scale), SMALLEST)
        self.now = int(spec.exported_at.timestamp())
        self.first_now = _months_earlier(spec.exported_at, spec.edition)
        self.begin = _months_earlier(spec.exported_at, spec.edition + MONTHS)
        self.doctors = self._grown(DOCTORS)
        self.offices = self._grown(OFFICES)
        self.patients = self._grown(PATIENTS)
        self.orders = self._grown(ORDERS)
        self.shipments = self._scaled(SHIPMENTS)
        # The lost share never exceeds the real one, so that every scale keeps the real success rates.
        payments = self._scaled(PAYMENTS)
        self.lost_payments = payments * LOST_PAYMENTS // PAYMENTS
        first = payments - self.lost_payments
        self.payments = Count(first, self._later(first))
        self.notes = self._grown(NOTES)
        self.lost_notes = self.notes.first * LOST_NOTES // NOTES
        self.comments = self._grown(COMMENTS)
        self.ware = self._grown(WARE)
        bulk = BULK if spec.bulk is None else float(spec.bulk)
        self.tasks, self.files, self.records = (self._grown(n * bulk) for n in (TASKS, FILES, RECORDS))
        self.notifications = self._grown(FEW_NOTIFICATIONS if spec.bulk is None else NOTIFICATIONS * bulk)

    def rolls(self, label: str, number: int) -> tuple[int, ...]:
        """Eight independent numbers for one thing."""
        return rolls(self.seed, label, number)

    def _scaled(self, number: float) -> int:
        return max(1, round(number * self.size))

    def _grown(self, number: float) -> Count:
        first = self._scaled(number)
        return Count(first, self._later(first))

    def _later(self, first: int) -> int:
        return first + self.edition * max(1, first // MONTHS)

    # People -----------------------------------------------------------------------------------------------------------

    def doctor_user(self, doctor: int) -> int:
        """User id of a doctor."""
        return DOCTOR_ID + doctor

    def patient_user(self, patient: int) -> int:
        """User id of a patient."""
        return DOCTOR_ID + 2 * self.doctors.first + patient

    def patient_id(self, patient: int) -> int:
        """Id of a patient, which is not that of the user."""
        return patient + 1_001

    def office_id(self, office: int) -> int:
        """Id of an office."""
        return office + 11

    def is_own_patient(self, doctor: int) -> bool:
        """Whether a doctor is a patient too, which makes the user a patient in the first place."""
        return doctor % 97 == 13

    def is_verified(self, doctor: int) -> bool:
        """Whether a doctor has finished the registration."""
        return doctor % 9 != 4

    def is_colleague(self, patient: int) -> bool:
        """Whether a patient is a doctor by its user's groups."""
        return patient % 200 == 57

    def has_no_doctor(self, patient: int) -> bool:
        """Whether nobody treats a patient, so that no order can be loaded."""
        return patient % 50 == 11

    def treating_doctor(self, number: int) -> int:
        """A doctor who is one after the migration too."""
        doctor = number * 7 % self.doctors.first
        return doctor - 1 if self.is_own_patient(doctor) else doctor

    def verified_doctor(self, number: int) -> int:
        """A doctor who may speak for the team."""
        doctor = self.treating_doctor(number)
        while self.is_own_patient(doctor) or not self.is_verified(doctor):
            doctor -= 1
        return doctor

    def unverified_doctor(self, number: int) -> int:
        """A doctor who has not finished the registration."""
        doctor = max(4, self.treating_doctor(number))
        while self.is_own_patient(doctor) or self.is_verified(doctor):
            doctor -= 1
        return doctor

    def usual_office(self, doctor: int) -> int:
        """The office of a doctor."""
        return doctor * 5 % self.offices.first

    # Orders -----------------------------------------------------------------------------------------------------------

    def order_id(self, order: int) -> int:
        """Id of an order."""
        return order + 901

    def order_time(self, order: int) -> int:
        """When an order was submitted; orders after the first export's come after that export."""
        return self.begin + (self.first_now - self.begin) * order // self.orders.first

    def order_patient(self, order: int) -> int:
        """Whose order it is; its patient has a doctor."""
        patient = order * 11 % self.patients.first
        return patient - 1 if self.has_no_doctor(patient) else patient

    def order_status(self, order: int) -> Status:
        """Where an order is; later exports know of some that have moved on, and of a few that came back."""
        came_back = self.edition and self.shipping_rank(order) % 500 == 250
        if self.is_shipped(order):
            return Status.IN_PRODUCTION if came_back else Status.SHIPPED
        word = self.rolls("status", order)[0]
        status = Status(word % 4)
        moved_on = self.edition and status is Status.IN_PRODUCTION and order * 50 > self.orders.first * 49
        return Status.SHIPPED if moved_on else status

    def is_shipped(self, order: int) -> bool:
        """Whether an order had been shipped when the first export was taken."""
        return self.shipping_rank(order + 1) > self.shipping_rank(order)

    def shipping_rank(self, order: int) -> int:
        """How many of the orders before it were shipped."""
        return order * self.shipments // self.orders.first

    def payment_order(self, payment: int) -> int:
        """The order that a payment is for; no order has two."""
        return payment * self.orders.first // self.payments.first

    def deleted_order_id(self, order: int) -> int:
        """Id of the deleted order that comes behind another one."""
        return self.spare_id(100_000_000 + order)

    def plan_id(self, order: int) -> int:
        """Id of an order's plan; an order with an odd number has that of the one before."""
        return order // 2 + 5

    def spare_id(self, number: int) -> int:
        """An id that no row of the story has, in any table."""
        return SPARE_ID + number

    def moment(self, number: int, label: str) -> int:
        """A time between the begin and the first export, for what has no order."""
        return self.begin + self.rolls(label, number)[7] % (self.first_now - self.begin - DAY)


def _months_earlier(moment: datetime, months: int) -> int:
    day = month_start(month_number(moment.date()) - months)
    return int(datetime(day.year, day.month, moment.day, moment.hour, tzinfo=UTC).timestamp())
