"""The bill records of a BILLING sample, their pricing periods, and the legacy system's own daily amounts."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from samples.billing import dirt
from samples.billing.customers import times
from samples.billing.ledger import Bill, Ledger, Period, Shape
from samples.billing.world import SERVICES, Client, day_text, money
from samples.pools import day_of, pick
from samples.weaving import (
    Unusable,
    altered,
    lacks,
    overrides,
    repeated,
    repeats,
    sometimes,
    strewn,
    wanted,
    without_absent,
)
from samples.writing import Record

_NEW_NAMES = {"iig_qt": "ipt", "iig_qt_price": "ipt_price", "bdix": "nix", "bdix_price": "nix_price"}
_PRICED = tuple(name for service in SERVICES for name in (service, f"{service}_price"))
_REFERENCES = {"Bandwidth": "customer", "MAC": "mac_partner", "SOHO": "soho_customer"}
RECORD_COLUMNS = (
    *("id", "customer_type", "customer", "customer_id", "customer_details", "mac_partner", "mac_partner_id"),
    *("soho_customer", "soho_customer_id", "bill_number", "nttn_cap", "nttn_com", "remarks", "active_date"),
    *("termination_date", "billing_date", *_PRICED, *_NEW_NAMES.values(), "discount", "total_bill", "total_received"),
    *("total_due", "last_payment_date", "last_payment_mode", "status", "created_at", "updated_at"),
)
PERIOD_COLUMNS = (
    *("id", "bill_record", "bill_record_id", "start_day", "end_day", *_PRICED, *_NEW_NAMES.values(), "discount"),
    *("notes", "period_total", "days_in_period", "created_at", "updated_at"),
)
DAY_COLUMNS = (
    *("id", "bill_record", "pricing_period", "date", "day_number", *SERVICES, "daily_amount", "service_breakdown"),
    *("is_calculated", "notes", "created_at", "updated_at"),
)

PERIODS_EACH = 5
_COPIES = 229
_CARRIERS = ("Summit", "Fiber@Home", "BTCL", "Bahon")

_id = sometimes(41, 6, dirt.KEPT_IDS)
_reference = sometimes(37, 4, dirt.KEPT_IDS)
_day = sometimes(13, 3, dirt.KEPT_DATES)
_lost_day = sometimes(9, 4, dirt.LOST_DATES)
_money = sometimes(11, 4, dirt.KEPT_MONEY)
_zero = sometimes(3, 1, dirt.KEPT_ZEROS)
_total = sometimes(19, 7, dirt.KEPT_MONEY)
_lost_total = sometimes(61, 8, dirt.LOST_TOTALS)
_type = {kind: sometimes(7, 2, spelled) for kind, spelled in dirt.TYPES.items()}
_no_type = sometimes(23, 5, dirt.NO_TEXTS)
_status = sometimes(11, 2, (*dirt.STATUSES, *dirt.NO_TEXTS))
_note = sometimes(5, 1, dirt.NOTES)
_created = sometimes(31, 8, dirt.TIMES)


def _services(services: tuple[tuple[int, int], ...], n: int, *, newer: bool) -> dict[str, Any]:
    """The twelve columns; newer dumps have other names for four of them."""
    cells: dict[str, Any] = {}
    for place, (service, (quantity, price)) in enumerate(zip(SERVICES, services, strict=True)):
        for column, cents in ((service, quantity), (f"{service}_price", price)):
            cell = _money(money(cents), n + place) if cents else _zero(money(0), n + 7 * place)
            cells[_NEW_NAMES.get(column, column) if newer else column] = cell
    return cells


def _discount(cents: int, n: int) -> Any:
    return _money(money(cents), n) if cents else _zero(money(0), n + 5)


class RecordTable:
    """The bill records."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._world = ledger, ledger.world
        two = {"customer": self._world.client(0).id, "mac_partner": self._world.partner(0).id}
        self._unusable: tuple[Unusable, ...] = (
            partial(self._unusable_row, {"customer": None}),
            partial(self._unusable_row, two),
            partial(self._unusable_row, {"customer_type": "Corporate"}),
            partial(self._unusable_row, {"customer": dirt.DANGLING}),
            partial(self._unusable_row, {"billing_date": "5/2/2024"}),
            partial(self._unusable_row, {"customer_type": "Reseller", "customer": None, "mac_partner": 3}),
            partial(self._unusable_row, {"customer_type": "MAC", "customer": None, "mac_partner": dirt.DANGLING}),
            partial(self._unusable_row, {"customer_type": "home", "customer": "", "soho_customer": dirt.DANGLING}),
            partial(self._unusable_row, {"customer_type": None, "customer": None}),
            partial(self._unusable_row, {**two, "customer_type": "nan"}),
            *(partial(self._unusable_row, changes) for changes in overrides("customer", dirt.BAD_REFERENCES[:3])),
            *(partial(self._unusable_row, changes) for changes in overrides("id", dirt.BAD_IDS[:4])),
            *(partial(self._unusable_row, changes) for changes in overrides("billing_date", dirt.NO_DATES[2:4])),
            partial(self._unusable_row, {"fna": "1e3"}),
            partial(self._unusable_row, {"cdn_price": -1}),
            partial(self._unusable_row, {"discount": dirt.HUGE_AMOUNTS[1]}),
            partial(self._unusable_row, {"status": "Closed"}),
            *(lambda _, record=record: record for record in dirt.NOT_OBJECTS[:2]),
        )

    def rows(self) -> Iterator[Record]:
        """The bill records, month after month."""
        world = self._world
        bills = (bill for month in world.months() for bill in self._ledger.records(month))
        rows = (record for bill in bills for record in self._bill_rows(bill))
        over = len(world.months()) * world.clients
        return strewn(rows, over, self._unusable, min(wanted(len(self._unusable), world.size), over // 40))

    def _bill_rows(self, bill: Bill) -> Iterator[Record]:
        n = bill.id
        row = without_absent(self._row(bill))
        lacks(row, n, ("remarks", "nttn_com", "termination_date"))
        stale = {"remarks": "stale copy", "discount": "999", "status": "Inactive"}
        yield from repeated(row, n, stale, _COPIES) if repeats(n, _COPIES) else (row,)

    def _row(self, bill: Bill) -> dict[str, Any]:
        n, world = bill.id, self._world
        day = day_text(bill.day)
        active = day_text(world.ordinal(bill.month - 14, 1 + n % 20))
        return {
            "id": _id(n, n),
            "customer_type": _no_type(_type[bill.kind](bill.kind, n), n),
            **self._references(bill),
            "customer_details": {"name": bill.owner.name} if n % 3 else None,
            "bill_number": pick(_numbers(bill, day), bill.word),
            "nttn_cap": _note(f"{n % 9 + 1}G", n),
            "nttn_com": pick(_CARRIERS, n),
            "remarks": _note("As agreed", n + 2),
            "active_date": _lost_day(_day(active, n + 1), n),
            "termination_date": _lost_day(None, n + 3),
            "billing_date": self._billing_date(bill, day),
            **_services(bill.services, n, newer=bill.month > world.first_month + 6),
            "discount": _discount(bill.discount, n),
            **self._totals(bill),
            "status": _status("Active", n),
            **times(world, n, exact=repeats(n, _COPIES)),
        }

    def _references(self, bill: Bill) -> dict[str, Any]:
        n, column = bill.id, _REFERENCES[bill.kind]
        owner = bill.owner
        number = owner.id
        if isinstance(owner, Client) and owner.twin_id and n % 3 == 1:
            number = owner.twin_id
        others = {other: None for other in _REFERENCES.values() if other != column} if n % 2 else {}
        return {f"{column}_id" if n % 5 == 2 else column: _reference(number, n), **others}

    def _billing_date(self, bill: Bill, day: str) -> Any:
        if bill.id % 997 == 400 and bill.shape is Shape.COMPONENTS:
            # A mistyped year.
            return f"{int(day[:4]) + 10}{day[4:8]}01"
        return _day(day, bill.id)

    def _totals(self, bill: Bill) -> dict[str, Any]:
        """Total, received and due as the legacy system has them: now and then they have drifted, or are no number."""
        n = bill.id
        by_hand = bill.shape is Shape.SPREADSHEET
        drifts = n % 251 == 7 and bill.shape in (Shape.COMPONENTS, Shape.PERIODS)
        total = bill.total + (12_345 if drifts else 0)
        received = bill.received - (5_000 if n % 307 == 11 and bill.payments else 0)
        last = bill.payments[-1] if bill.payments else None
        mode = last.method if last else pick(("bKash", "Cheque", "cash", None), n) if received else None
        paid = day_text(last.day) if last else day_text(bill.day + 9) if received else None
        cell = _total(money(total), n)
        return {
            "total_bill": cell if by_hand else _lost_total(cell, n),
            "total_received": _total(money(received), n + 3),
            "total_due": money(total - received),
            "last_payment_date": None if paid is None else _lost_day(_day(paid, n + 2), n + 5),
            "last_payment_mode": mode,
        }

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        row = {
            "id": self._world.spare_id(number),
            "customer_type": "Bandwidth",
            "customer": self._world.client(0).id,
            "billing_date": day_text(self._world.ordinal(self._world.first_month + number % 12, 10)),
            "iig_qt": 10,
            "iig_qt_price": 100,
            "total_bill": "1000.00",
        }
        return altered(row, changes)


def _numbers(bill: Bill, day: str) -> tuple[Any, ...]:
    """What the legacy system may have printed; numbers keep the date that they had."""
    digits = f"{day[8:10]}{day[5:7]}{day[:4]}"
    good = f"KTL-BL-{dirt.part(bill.owner.name, 5)}-{bill.id}-{digits}"
    odd = (
        *(good.lower(), f" {good}", f"KTL-BL-ABC-{bill.id}-{digits}", f"KTL-BL-ABCDE-{bill.id}-01012024"),
        *(f"KTL-BL-ABCDE-{bill.id}-31022024", f"KTL-BL-ABCDE-{bill.id + 1}-{digits}", "KTL 02 2026/17"),
    )
    return (good, good, good, good, None, "", "None", *odd)


class PeriodTable:
    """The pricing periods."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._world = ledger, ledger.world
        self._unusable: tuple[Unusable, ...] = (
            partial(self._unusable_row, {"bill_record": dirt.DANGLING}),
            partial(self._unusable_row, {"start_day": 9, "end_day": 3}),
            partial(self._unusable_row, {"end_day": 32}),
            partial(self._unusable_row, {"bill_record": "B-1"}),
            partial(self._unusable_row, {"start_day": None}),
            partial(self._unusable_row, {"end_day": "ten"}),
            partial(self._unusable_row, {"iig_qt": "Tk"}),
            partial(self._unusable_row, {"discount": "-0.01"}),
            partial(self._unusable_row, {"bill_record": " nan "}),
            lambda _: dirt.NOT_OBJECTS[1],
            *(partial(self._unusable_row, changes) for changes in overrides("id", dirt.BAD_IDS[:2])),
        )

    def rows(self) -> Iterator[Record]:
        """The periods, month after month."""
        world = self._world
        bills = (bill for month in world.months() for bill in self._ledger.records(month) if bill.periods)
        rows = (record for bill in bills for record in self._bill_rows(bill))
        over = len(world.months()) * world.clients // 2
        return strewn(rows, over, self._unusable, min(wanted(len(self._unusable), world.size), over // 70))

    def _bill_rows(self, bill: Bill) -> Iterator[Record]:
        length = day_of(bill.month, 31).day
        rows = [self._row(bill, number, period, length) for number, period in enumerate(bill.periods)]
        n = bill.id
        yield from repeated(rows[0], n, {"notes": "stale copy"}, 97) if repeats(n, 97) else (rows[0],)
        yield from rows[1:]
        if n % 61 == 3:
            # Submitted twice, written differently.
            again = {"id": self._id(bill, 3), "discount": f"Tk {money(bill.periods[-1].discount)}/-", "notes": ""}
            yield {**rows[-1], **again}
        if n % 401 == 5:
            yield {**rows[-1], "id": self._id(bill, 4), "end_day": length, "start_day": length, "discount": 77}
        elif n % 409 == 9 and length < 31:
            yield {**rows[-1], "id": self._id(bill, 4), "start_day": 31, "end_day": 31}

    def _id(self, bill: Bill, number: int) -> int:
        return bill.id * PERIODS_EACH + number

    def _row(self, bill: Bill, number: int, period: Period, length: int) -> dict[str, Any]:
        n = self._id(bill, number)
        # Many say 31 whatever the month.
        end = 31 if period.end == length and bill.id % 3 else period.end
        row = {
            "id": _id(n, n),
            "bill_record_id" if n % 4 == 3 else "bill_record": _reference(bill.id, n),
            "start_day": _reference(period.start, n + 1),
            "end_day": _reference(end, n + 2),
            **_services(period.services, n, newer=bill.month > self._world.first_month + 6),
            "discount": _discount(period.discount, n),
            "notes": _note("Upgrade", n),
            "period_total": money(period.net),
            "days_in_period": period.end - period.start + 1,
            **times(self._world, n, exact=repeats(bill.id, 97)),
        }
        return without_absent(row)

    def _unusable_row(self, changes: dict[str, Any], number: int) -> Record:
        bill = next(self._ledger.records(self._world.first_month + 2))
        row = {
            "id": self._world.spare_id(number),
            "bill_record": bill.id,
            "start_day": 1,
            "end_day": 9,
            "iig_qt": 10,
            "iig_qt_price": 100,
        }
        return altered(row, changes)


class DayTable:
    """The legacy system's daily amounts, of last month only: nobody kept those of earlier months."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def rows(self) -> Iterator[Record]:
        """The days; where a bill has no periods each repeats the whole bill."""
        month = self._ledger.world.month - 1
        for bill in self._ledger.records(month):
            if bill.kind == "Bandwidth" and (bill.periods or bill.id % 29 == 4):
                yield from self._day_rows(bill, day_of(month, 31).day)

    def _day_rows(self, bill: Bill, length: int) -> Iterator[Record]:
        first = bill.day - (int(day_text(bill.day)[8:]) - 1)
        for day in range(1, length + 1):
            amount = self._amount(bill, day)
            n = bill.id * 31 + day
            row = {
                "id": _id(n, n),
                "bill_record": _reference(bill.id, n),
                "pricing_period": None,
                "date": day_text(first + day - 1),
                "day_number": day,
                "iig_qt": money(bill.services[0][0]),
                "daily_amount": amount,
                "service_breakdown": json.dumps({"iig_qt": str(amount)}),
                "is_calculated": True,
                "created_at": f"{day_text(first)}T03:00:00Z",
                "updated_at": f"{day_text(first + day)}T03:00:00Z",
            }
            yield from repeated(row, n, {"daily_amount": "1.00"}, 499) if repeats(n, 499) else (row,)

    def _amount(self, bill: Bill, day: int) -> Any:
        if not bill.periods:
            return money(bill.total)
        for period in bill.periods:
            length = period.end - period.start + 1
            if period.start <= day <= period.end:
                k = day - period.start + 1
                return money(period.net * k // length - period.net * (k - 1) // length)
        return money(0)
