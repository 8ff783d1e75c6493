"""The customers of a BILLING sample: bandwidth customers, partners, the partners' customers, and homes."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from samples.billing import dirt
from samples.billing.world import Client, World, day_text, money
from samples.pools import pick
from samples.weaving import (
    ABSENT,
    Unusable,
    altered,
    fixed,
    lacks,
    overrides,
    repeated,
    repeats,
    sometimes,
    wanted,
    without_absent,
    woven,
)
from samples.writing import Record

_TIMES = ("created_at", "updated_at")
CLIENT_COLUMNS = (
    *("id", "name", "company_name", "email", "phone", "address", "link_id", "customer_type", "assigned_sales_person"),
    *("assigned_sales_person_id", "kam", "customer_number", "status", *_TIMES),
)
PARTNER_COLUMNS = (
    *("id", "mac_cust_name", "email", "phone", "address", "contact_person", "notes", "mac_partner_number"),
    *("percentage_share", "is_active", "total_client", *_TIMES),
)
END_COLUMNS = (
    *("id", "mac_partner", "mac_partner_id", "mac_partner_name", "name", "email", "phone", "address", "notes"),
    *("mac_end_customer_number", "package", "package_id", "custom_rate", "effective_rate", "activation_date"),
    *("bill_date", "status", *_TIMES),
)
HOME_COLUMNS = (
    *("id", "cust_name", "email", "phone", "address", "notes", "soho_customer_number", "package", "package_id"),
    *("package_name", "rate", "activation_date", "status", *_TIMES),
)

_STALE_NAME = {"name": "Old Name"}
_COPIES, _FEW_COPIES, _MANY = 37, 8, 229

_id = sometimes(31, 6, dirt.KEPT_IDS)
_reference = sometimes(23, 4, dirt.KEPT_IDS)
_name = sometimes(17, 3, dirt.NAMES)
_odd_name = sometimes(13, 5, dirt.ODD_NAMES)
_email = sometimes(7, 2, dirt.EMAILS)
_phone = sometimes(5, 1, dirt.PHONES)
_note = sometimes(4, 1, dirt.NOTES)
_type = sometimes(3, 1, (*dirt.TYPES["Bandwidth"], *dirt.NO_TEXTS))
_status = sometimes(11, 2, dirt.STATUSES)
_no_status = sometimes(17, 4, dirt.NO_TEXTS)
_sales_person = sometimes(5, 3, (*dirt.KEPT_IDS, *dirt.LOST_IDS))
_share = sometimes(3, 1, dirt.KEPT_PERCENTAGES)
_true = sometimes(3, 2, dirt.KEPT_TRUE)
_false = sometimes(2, 0, dirt.KEPT_FALSE)
_money = sometimes(9, 4, dirt.KEPT_MONEY)
_no_rate = sometimes(2, 0, (*dirt.NO_TEXTS, *fixed(0, "0.00", "Tk 0/-")))
_no_custom = sometimes(2, 1, dirt.NO_TEXTS)
_custom_zero = sometimes(2, 1, fixed("0", "0.00", 0))
_no_package = sometimes(2, 0, fixed("", "nan", dirt.DANGLING, "P-7", "5.5", ABSENT))
_day = sometimes(8, 3, dirt.KEPT_DATES)
_lost_day = sometimes(3, 1, dirt.LOST_DATES)
_created = sometimes(9, 4, dirt.TIMES)
_updated = sometimes(7, 5, dirt.TIMES)


def contact(kind: str, number: int) -> dict[str, Any]:
    """E-mail, phone and address; all of them are made up and look it."""
    return {
        "email": _email(f"{kind}.{number}@{dirt.EMAIL_DOMAIN}", number),
        "phone": _phone(f"{dirt.PHONE_MARK}{number % 1_000_000:06d}", number),
        "address": f"House {number % 97 + 1}, {dirt.ADDRESS_MARK} {number % 12 + 1}, Dhaka",
    }


def times(world: World, number: int, *, exact: bool) -> dict[str, Any]:
    """When a row was entered and last changed."""
    created = f"{day_text(world.ordinal(world.first_month, 1) - 90 - number % 400)}T{number % 24:02d}:15:20Z"
    updated = f"{day_text(world.ordinal(world.first_sample_month, 1 + number % 20))}T08:{number % 60:02d}:00Z"
    return {"created_at": _created(created, number), "updated_at": updated if exact else _updated(updated, number)}


def _copies(row: dict[str, Any], number: int, period: int, changes: dict[str, Any]) -> Iterator[Record]:
    row = without_absent(row)
    return repeated(row, number, changes, period) if repeats(number, period) else iter((row,))


class ClientTable:
    """The bandwidth customers."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable: tuple[Unusable, ...] = (
            partial(self._unusable_row, {"name": "nan"}),
            partial(self._unusable_row, {"customer_type": "Corporate"}),
            partial(self._unusable_row, {"status": "Closed"}),
            lambda _: dirt.NOT_OBJECTS[0],
            *(partial(self._unusable_row, changes) for changes in overrides("id", dirt.BAD_IDS)),
            *(partial(self._unusable_row, changes) for changes in overrides("name", dirt.NULLS)),
            *(partial(self._unusable_row, changes) for changes in overrides("status", dirt.BAD_STATUSES)),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS[1:]),
        )

    def rows(self) -> Iterator[Record]:
        """The customers, some of them entered twice."""
        numbers = self._world.client_numbers()
        most = min(wanted(len(self._unusable), self._world.size), len(numbers) // 12)
        return woven(numbers, len(numbers), self._client_rows, self._unusable, most)

    def _client_rows(self, number: int) -> Iterator[Record]:
        client = self._world.client(number)
        row = self._row(client)
        company = row["company_name"]
        yield from _copies(row, number, _COPIES, _STALE_NAME)
        if client.twin_id is not None:
            # Entered again by a colleague: the same firm under the same address, written differently.
            twin = {"id": client.twin_id, "email": f" {str(row['email']).title()}", "customer_number": None}
            yield without_absent({**row, **twin, "company_name": company and company.upper()})

    def _row(self, client: Client) -> dict[str, Any]:
        n, world = client.number, self._world
        odd = n % 29 == 9
        company = pick(dirt.FOREIGN_NAMES, n // 29) if odd else client.company
        row = {
            "id": _id(client.id, n),
            "name": _name(client.contact, n),
            "company_name": None if company is None else company if client.keeps_email else _odd_name(company, n),
            **contact("office", n),
            "link_id": _note(f"LINK-{n:05d}", n),
            # One of them is no bandwidth customer, although it is billed as one.
            "customer_type": "Home" if n == 3 else _type("Bandwidth", n),
            **_sold_by(n),
            "customer_number": pick(dirt.numbers("KTL", company or client.contact, client.id), client.word),
            "status": _no_status(_status(self._status(client), n), n),
            **times(world, n, exact=repeats(n, _COPIES)),
        }
        if client.keeps_email:
            row["email"] = f"office.{n - client.shares}@{dirt.EMAIL_DOMAIN}"
        if world.spec.edition and n % 11 == 6:
            row["phone"] = f"{dirt.PHONE_MARK}9{n % 100_000:05d}"
        return row

    def _status(self, client: Client) -> str:
        if client.end is None or client.end >= self._world.month:
            return "Active"
        return "Lost" if client.number % 2 else "Inactive"

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "id": self._world.spare_id(number),
            "name": "Nobody Sample",
            **contact("nobody", 900_000 + number),
            "customer_type": "Bandwidth",
            "status": "Active",
        }
        return altered(row, changes)


def _sold_by(number: int) -> dict[str, Any]:
    """Who looks after a customer: newer rows name the column differently."""
    person = _sales_person(4 + number % 9, number)
    column = pick(("assigned_sales_person", "kam", "assigned_sales_person_id"), number)
    return {column: person} if person is not ABSENT else {}


class PartnerTable:
    """The partners."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable: tuple[Unusable, ...] = (
            partial(self._unusable_row, {"percentage_share": "120%"}),
            partial(self._unusable_row, {"mac_cust_name": " None "}),
            partial(self._unusable_row, {"percentage_share": "a fifth"}),
            partial(self._unusable_row, {"is_active": "maybe"}),
            lambda _: dirt.NOT_OBJECTS[3],
            *(partial(self._unusable_row, changes) for changes in overrides("id", dirt.BAD_IDS)),
            *(partial(self._unusable_row, c) for c in overrides("percentage_share", dirt.BAD_PERCENTAGES)),
            *(partial(self._unusable_row, changes) for changes in overrides("is_active", dirt.BAD_BOOLEANS)),
        )

    def rows(self) -> Iterator[Record]:
        """The partners."""
        numbers = self._world.partner_numbers()
        most = min(wanted(len(self._unusable), self._world.size), len(numbers) // 4)
        return woven(numbers, len(numbers), self._partner_rows, self._unusable, most)

    def _partner_rows(self, number: int) -> Iterator[Record]:
        partner = self._world.partner(number)
        share = money(partner.share)
        active = number % 8 != 6
        row = {
            "id": _id(partner.id, number),
            "mac_cust_name": _name(partner.name, number),
            **contact("partner", number),
            "contact_person": partner.contact,
            "notes": _note("Pays by the tenth", number),
            "mac_partner_number": pick(dirt.numbers("KTL-MAC", partner.name, partner.id), partner.word),
            "percentage_share": _share(share, number) if partner.share else "",
            "is_active": _true(True, number) if active else _false(False, number),
            "total_client": 200,
            **times(self._world, number, exact=repeats(number, _FEW_COPIES)),
        }
        return _copies(row, number, _FEW_COPIES, {"percentage_share": "5%", "mac_cust_name": "Old Name"})

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {"id": self._world.spare_id(number), "mac_cust_name": "Nobody Sample", "percentage_share": 10}
        return altered(row, changes)


class EndTable:
    """The partners' customers."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable: tuple[Unusable, ...] = (
            *(partial(self._unusable_row, changes) for changes in overrides("id", dirt.BAD_IDS[:4])),
            *(partial(self._unusable_row, changes) for changes in overrides("name", ("", "nan"))),
            *(partial(self._unusable_row, c) for c in overrides("mac_partner", (None, "M-3", 0, dirt.DANGLING))),
            *(partial(self._unusable_row, c) for c in overrides("activation_date", (None, *dirt.BAD_DATES[:4]))),
            *(partial(self._unusable_row, c) for c in overrides("custom_rate", ("Tk", "-1", *dirt.BAD_AMOUNTS[5:7]))),
            *(partial(self._unusable_row, changes) for changes in overrides("status", dirt.BAD_STATUSES[:2])),
            partial(self._unusable_row, {"custom_rate": "10,000,000,000"}),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS[:3]),
        )

    def rows(self) -> Iterator[Record]:
        """The partners' customers."""
        numbers = self._world.end_numbers()
        most = min(wanted(len(self._unusable), self._world.size), len(numbers) // 40)
        return woven(numbers, len(numbers), self._end_rows, self._unusable, most)

    def _end_rows(self, number: int) -> Iterator[Record]:
        world, n = self._world, number
        end = world.end(number)
        partner = world.partner(end.partner)
        own = None if end.own_day is None else _day(day_text(end.own_day), n + 5)
        row = {
            "id": _id(end.id, n),
            "mac_partner_id" if n % 3 == 1 else "mac_partner": _reference(partner.id, n),
            "mac_partner_name": partner.name,
            "name": _odd_name(end.name, n),
            **contact("end", n),
            "notes": None,
            "mac_end_customer_number": pick(dirt.numbers("KTL-MACEC", end.name, end.id), end.word),
            **self._package(n, end.package, end.custom),
            "custom_rate": self._custom(n, end.custom),
            "effective_rate": money(end.cents),
            "activation_date": _day(day_text(end.start), n),
            "bill_date": _lost_day(None, n) if own is None else own,
            "status": end.status if end.status != "Active" else _no_status(_status(end.status, n), n),
            **times(world, n, exact=repeats(n, _MANY)),
        }
        lacks(row, n, ("notes", "email", "created_at", "address"))
        yield from _copies(row, n, _MANY, {**_STALE_NAME, "status": "Suspended", "custom_rate": 1})

    def _package(self, n: int, package: int | None, custom: int | None) -> dict[str, Any]:
        """The package, which may be lost where nothing depends on it."""
        column = "package_id" if n % 3 == 2 else "package"
        if package is None:
            return {column: _no_package(None, n)}
        number = self._world.mac_package(package).id
        return {column: dirt.DANGLING if custom and n % 37 == 3 else _reference(number, n + 7)}

    def _custom(self, n: int, custom: int | None) -> Any:
        if custom is None:
            return _no_custom(None, n)
        return _money(money(custom), n) if custom else _custom_zero("0.0", n)

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "id": self._world.spare_id(number),
            "mac_partner": self._world.partner(0).id,
            "name": "Nobody Sample",
            **contact("nobody", 800_000 + number),
            "activation_date": "2024-03-01",
            "status": "Active",
        }
        return altered(row, changes)


class HomeTable:
    """The homes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unusable: tuple[Unusable, ...] = (
            partial(self._unusable_row, {"rate": -100}),
            partial(self._unusable_row, {"rate": "nan", "package": None}),
            partial(self._unusable_row, {"activation_date": "5/2/2024"}),
            partial(self._unusable_row, {"cust_name": "-"}),
            *(partial(self._unusable_row, changes) for changes in overrides("id", dirt.BAD_IDS)),
            *(partial(self._unusable_row, changes) for changes in overrides("rate", dirt.BAD_AMOUNTS)),
            *(partial(self._unusable_row, c) for c in overrides("activation_date", (*dirt.NO_DATES, *dirt.BAD_DATES))),
            *(partial(self._unusable_row, changes) for changes in overrides("status", dirt.BAD_STATUSES)),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS),
        )

    def rows(self) -> Iterator[Record]:
        """The homes."""
        world = self._world
        most = min(wanted(len(self._unusable), world.size), world.homes // 50)
        return woven(world.home_numbers(), world.homes, self._home_rows, self._unusable, most)

    def _home_rows(self, number: int) -> Iterator[Record]:
        world, n = self._world, number
        home = world.home(number)
        column = "package_id" if n % 4 == 1 else "package"
        package = world.soho_package(home.package) if home.package is not None else None
        row = {
            "id": _id(home.id, n),
            "cust_name": _name(home.name, n),
            **contact("home", n),
            "notes": _note("Third floor", n),
            "soho_customer_number": pick(dirt.numbers("KTL-SOHO", home.name, home.id), home.word),
            column: _reference(package.id, n) if package else _no_package(None, n),
            "package_name": package.name if package else None,
            "rate": _money(money(home.own), n) if home.own else _no_rate(None, n),
            "activation_date": _day(day_text(world.ordinal(home.start, home.first_day)), n),
            "status": _no_status(_status(self._status(n, home.end), n), n),
            **times(world, n, exact=repeats(n, _COPIES)),
        }
        yield from _copies(row, n, _COPIES, {"cust_name": "Old Name", "rate": "1.00"})

    def _status(self, number: int, end: int | None) -> str:
        if end is not None and end < self._world.month:
            return "Inactive"
        # The later export finds some cut off.
        return "Suspended" if number % 43 == 7 + self._world.spec.edition else "Active"

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "id": self._world.spare_id(number),
            "cust_name": "Nobody Sample",
            **contact("nobody", 700_000 + number),
            "rate": "800",
            "activation_date": "2024-03-01",
            "status": "Active",
        }
        return altered(row, changes)
