"""The tenants of a METER sample and its users: staff and customers, with the balances that the legacy system keeps."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any

from samples.meter import dirt
from samples.meter.dirt import repeated, sometimes
from samples.meter.history import ZERO, History
from samples.meter.world import LATEST_TENANT, Customer, Kind, Story, World
from samples.pools import pick
from samples.weaving import ABSENT, Unusable, altered, overrides, repeats, without_absent
from samples.writing import Record

TENANT_COLUMNS = ("id", "name", "email", "phone", "address", "created_at", "updated_at")
USER_COLUMNS = (
    *("id", "tenant_id", "role", "name", "email", "phone", "telephone", "address", "id_number", "password"),
    *("remember_token", "status", "balance", "overpayment", "created_at", "updated_at"),
)

_FIRST = (
    *("Achieng", "Akinyi", "Amani", "Asha", "Atieno", "Baraka", "Barasa", "Chebet", "Cherono", "Ekiru", "Faraja"),
    *("Halima", "Imani", "Jabali", "Juma", "Kamau", "Karimi", "Kiprop", "Lulu", "Makena", "Mwende", "Naliaka"),
    *("Neema", "Nekesa", "Njeri", "Ouma", "Pendo", "Rehema", "Sanaipei", "Simba", "Tumaini", "Wambui", "Zawadi"),
)
_LAST = (
    *("Abuya", "Chelimo", "Gathoni", "Kariuki", "Kibet", "Kilonzo", "Kimani", "Koech", "Langat", "Maina", "Mbugua"),
    *("Muthoni", "Mutua", "Mwangi", "Ndungu", "Nyambura", "Obuya", "Odera", "Okello", "Omari", "Rotich", "Simiyu"),
    *("Wafula", "Wanjala", "Were"),
)
_TOWNS = ("Kilimo", "Mtoni", "Bahari", "Savanna", "Ziwani", "Mlimani")
_STALE = {"balance": Decimal("77.70"), "status": "old"}
_OUT_OF_RANGE = Decimal("1000000000000.00")
_BALANCES_LOST = ("N/A", "see ledger", "KES", _OUT_OF_RANGE, "1,23", ".5")
_OVERPAYMENTS_LOST = ("-", ".5", "N/A", "KES 1,000,000,000,000.00", "1e3")

_name = sometimes(41, 3, dirt.NAMES)
_role = sometimes(19, 5, dirt.KEPT_CUSTOMER_ROLES)
_status = sometimes(37, 8, dirt.CUSTOMER_STATUSES)
_zero = sometimes(7, 2, dirt.KEPT_ZEROS)
_money = sometimes(11, 4, dirt.KEPT_MONEY)
_id = sometimes(47, 9, dirt.KEPT_IDS)
_tenant = sometimes(53, 6, dirt.KEPT_IDS)
_created = sometimes(29, 1, dirt.TIMES)
_updated = sometimes(31, 7, dirt.TIMES)

_UNUSABLE: tuple[dict[str, Any], ...] = (
    *overrides("id", dirt.MISSING_KEYS),
    *overrides("tenant_id", (*dirt.NO_REFERENCES, *dirt.GARBAGE_REFERENCES, 0, 987654, "0")),
)


def tenants(world: World) -> Iterator[Record]:
    """The tenants, one of them without a name."""
    for number in range(1, world.tenants + 1):
        town = f"{pick(_TOWNS, number)} {number}" if number > len(_TOWNS) else pick(_TOWNS, number)
        row = {
            "id": number,
            "name": "  " if number == LATEST_TENANT else f"{town} Water & Sanitation",
            "email": f"office.{number}@{dirt.EMAIL_DOMAIN}",
            "phone": f"{dirt.PHONE_MARK}9{number:05d}",
            "address": f"{dirt.ADDRESS_MARK}, {town}",
            "created_at": "31/02/2023" if number == 3 else f"{world.day(world.first_month - 30, 1)} 09:00:00",
            "updated_at": f"{world.day(world.first_month, 1)} 09:00:00",
        }
        if number == 2:
            yield {**row, "name": "Old Name", "updated_at": dirt.OLD}
        yield row
    # Among few tenants a single unusable one would be too much.
    if world.tenants >= 2 * len(_TOWNS):
        yield {"id": "T-1", "name": "Nobody's"}


class UserTable:
    """The users of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, changes) for changes in _UNUSABLE),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS),
        )

    def rows(self) -> Iterator[Record]:
        """The staff first, then the customers."""
        for number in range(self._world.staff):
            yield self._staff_row(number)
        yield from self._world.woven(self._customer_rows, self._unusable)

    def _customer_rows(self, index: int) -> Iterator[Record]:
        world = self._world
        customer = world.customer(index)
        balance, overpayment = self._stored(customer)
        created = f"{world.day(world.first_month - 30 + index % 20, 1 + index % 27)} 08:{index % 60:02d}:00"
        updated = f"{world.day(world.month, 1 + index % 24)} 07:00:{index % 60:02d}"
        row = {
            "id": _id(world.user_id(index), index),
            "tenant_id": _tenant(customer.tenant, index),
            "role": _role("customer", index),
            "name": _name(f"{pick(_FIRST, index * 7)} {pick(_LAST, index * 5 + index // 33)}", index),
            **_personal(index),
            "status": _status("active", index),
            "balance": _zero(balance, index) if balance == 0 else _money(balance, index),
            "overpayment": _zero(overpayment, index + 3) if overpayment == 0 else _money(overpayment, index + 5),
            "created_at": _created(created, index),
            "updated_at": updated if repeats(index) else _updated(updated, index),
        }
        if customer.story is Story.BALANCE_LOST:
            row["balance"] = pick(_BALANCES_LOST, customer.rank // 30)
        elif customer.story is Story.OVERPAYMENT_LOST:
            row["overpayment"] = pick(_OVERPAYMENTS_LOST, customer.rank // 30)
        row = without_absent(row)
        return repeated(row, index, _STALE) if repeats(index) else iter((row,))

    def _stored(self, customer: Customer) -> tuple[Decimal, Decimal]:
        if customer.kind is Kind.SHARES:
            return self._stored(self._world.customer(self._world.previous(customer)))
        if customer.kind is Kind.NONE and customer.story is Story.NOTHING:
            return ZERO, ZERO
        return History(self._world, customer).stored()

    def _staff_row(self, number: int) -> Record:
        world = self._world
        role = pick(dirt.STAFF_ROLES, number)
        row = {
            "id": number + 1,
            "tenant_id": None if role in ("super_admin", "Super_Admin") else number % world.tenants + 1,
            "role": role,
            "name": f"{pick(_FIRST, number)} {pick(_LAST, number)}",
            **_personal(900_000_000 + number),
            "status": "active",
            "balance": pick((None, "N/A", Decimal("0.00"), ""), number),
            "overpayment": ABSENT if number % 3 else None,
            "created_at": f"{world.day(world.first_month - 30, 1)} 08:00:00",
            "updated_at": None,
        }
        return without_absent(row)

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "id": self._world.spare_id(number),
            "tenant_id": 1,
            "role": "customer",
            "name": "Nobody Sample",
            **_personal(800_000_000 + number),
            "status": "active",
            "balance": Decimal("10.00"),
            "overpayment": ZERO,
            "created_at": None,
            "updated_at": None,
        }
        return altered(row, changes)


def _personal(number: int) -> dict[str, Any]:
    """Values that must never leave the export; each is recognisable by its mark."""
    return {
        "email": f"customer.{number}@{dirt.EMAIL_DOMAIN}",
        "phone": f"{dirt.PHONE_MARK}{number % 1_000_000:06d}",
        "telephone": "" if number % 4 else f"{dirt.PHONE_MARK}{number % 999_983:06d}",
        "address": f"{dirt.ADDRESS_MARK}, House {number % 997}",
        "id_number": f"{dirt.ID_NUMBER_MARK}{number:09d}",
        "password": f"{dirt.PASSWORD_MARK}{number * 2654435761 % 4294967296:08x}",
        "remember_token": None if number % 3 else f"{dirt.TOKEN_MARK}{number:x}",
    }
