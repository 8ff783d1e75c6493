"""What a bill is made of: its lines, its total, and the share of every day."""

import calendar
import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from tests.billing.billing_files import Row
from tests.billing.billing_records import SERVICE_COLUMNS, SERVICES, ZERO
from tests.billing.billing_scalars import round2

PRICED = (*SERVICE_COLUMNS, "discount")


def days_in(month: dt.date) -> int:
    """The number of days of a month."""
    return calendar.monthrange(month.year, month.month)[1]


def lines(row: Row) -> dict[str, Decimal]:
    """What each service costs."""
    return {service: round2(row[service] * row[f"{service}_price"]) for service in SERVICES}


def net(row: Row) -> Decimal:
    """All services without the discount."""
    return sum(lines(row).values(), ZERO) - row["discount"]


def share(amount: Decimal, days: int, day: int) -> Decimal:
    """The part of an amount that falls on a day, counted from 1."""
    cents = int(amount * 100)
    return Decimal(cents * day // days - cents * (day - 1) // days) / 100


def total(own: Row, stated: Decimal | None, periods: Iterable[Row]) -> Row:
    """The total of a bill and where it comes from, with the quantities and prices that the bill keeps.

    Args:
        own: the bill's quantities, prices and discount.
        stated: what the legacy system said of its total.
        periods: its loaded periods.
    """
    found = sorted(periods, key=lambda period: period["end_day"])
    if found:
        kept = {column: found[-1][column] for column in PRICED}
        return {**kept, "total_bill": sum(map(net, found), ZERO), "total_source": "periods"}
    if stated is not None and stated > 0 and not any(lines(own).values()):
        return {**own, "total_bill": stated, "total_source": "legacy"}
    return {**own, "total_bill": net(own), "total_source": "components"}


def days_of(bill: Row, periods: Iterable[Row]) -> list[Row]:
    """A row for every day of the billing month."""
    month = bill["billing_month"]
    covering = {day: period for period in periods for day in range(period["start_day"], period["end_day"] + 1)}
    return [_day(bill, month.replace(day=day), covering.get(day)) for day in range(1, days_in(month) + 1)]


def _day(bill: Row, date: dt.date, period: Row | None) -> Row:
    breakdown = _breakdown(bill, date.day, period)
    services = sum((Decimal(breakdown[service]["amount"]) for service in SERVICES), ZERO)
    return {
        "id": bill["id"] * 100 + date.day,
        "bill_record_id": bill["id"],
        "pricing_period_id": period["id"] if period else None,
        "date": date,
        "day_number": date.day,
        "daily_amount": services + Decimal(breakdown["other"]) - Decimal(breakdown["discount"]),
        "service_breakdown": breakdown,
    }


def _breakdown(bill: Row, day: int, period: Row | None) -> dict[str, Any]:
    length = days_in(bill["billing_month"])
    if bill["total_source"] == "periods":
        if period is None:
            return _parts(dict.fromkeys(PRICED, ZERO), 1, 1)
        return _parts(period, period["end_day"] - period["start_day"] + 1, day - period["start_day"] + 1)
    if bill["total_source"] == "components":
        return _parts(bill, length, day)
    # Neither services nor a discount are in a total that stands for itself.
    whole = _parts({**bill, "discount": ZERO}, length, day)
    return whole | {"other": _written(share(bill["total_bill"], length, day))}


def _parts(row: Row, days: int, day: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        service: {
            "quantity": _written(row[service]),
            "price": _written(row[f"{service}_price"]),
            "amount": _written(share(line, days, day)),
        }
        for service, line in lines(row).items()
    }
    return found | {"other": _written(ZERO), "discount": _written(share(row["discount"], days, day))}


def _written(amount: Decimal) -> str:
    return f"{amount:.2f}"
