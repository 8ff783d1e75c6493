"""Small clean records that tests change one value of."""

from collections.abc import Iterable
from typing import Any

from tests.billing.billing_files import REQUIRED

Export = dict[str, list[Any]]
Record = tuple[str, Any]


def customer(key: Any, name: Any = "ABC Corp", /, **values: Any) -> Record:
    """A customer who buys bandwidth."""
    return "sales_customers", {"id": key, "name": name, **values}


def partner(key: Any, name: Any = "Shamim", /, **values: Any) -> Record:
    """A channel partner."""
    return "mac_partners", {"id": key, "mac_cust_name": name, **values}


def mac_package(key: Any, name: Any, rate: Any, /, **values: Any) -> Record:
    """A package of the partners' catalogue."""
    return "mac_packages", {"id": key, "name": name, "rate": rate, **values}


def soho_package(key: Any, name: Any, rate: Any, /, **values: Any) -> Record:
    """A package of the home catalogue."""
    return "soho_packages", {"id": key, "name": name, "rate": rate, **values}


def end_customer(key: Any, mac_partner: Any, name: Any = "John Doe", /, **values: Any) -> Record:
    """A partner's customer."""
    clean = {"id": key, "mac_partner": mac_partner, "name": name, "activation_date": "2025-01-01"}
    return "mac_end_customers", clean | values


def home(key: Any, name: Any = "Jane Doe", /, **values: Any) -> Record:
    """A home customer."""
    return "soho_customers", {"id": key, "cust_name": name, "activation_date": "2025-01-01", **values}


def bill(key: Any, date: Any = "2025-01-31", /, **values: Any) -> Record:
    """A bill; who it is for must be said."""
    return "bill_records", {"id": key, "billing_date": date, **values}


def period(key: Any, bill_record: Any, start_day: Any, end_day: Any, /, **values: Any) -> Record:
    """A pricing period of a bill."""
    days = {"start_day": start_day, "end_day": end_day}
    return "bill_pricing_periods", {"id": key, "bill_record": bill_record, **days, **values}


def mac_bill(key: Any, mac_partner: Any, date: Any = "2025-01-31", /, **values: Any) -> Record:
    """A partner's bill."""
    return "mac_bills", {"id": key, "mac_partner": mac_partner, "bill_date": date, **values}


def soho_bill(key: Any, soho_customer: Any, date: Any = "2025-01-31", /, **values: Any) -> Record:
    """A home customer's bill."""
    return "soho_bills", {"id": key, "soho_customer": soho_customer, "bill_date": date, **values}


def payment(key: Any, amount: Any = 10, date: Any = "2025-02-05", /, **values: Any) -> Record:
    """A payment; what it pays must be said."""
    return "payment_records", {"id": key, "amount": amount, "payment_date": date, **values}


def daily(key: Any, bill_record: Any, /, **values: Any) -> Record:
    """What the legacy system said of a day."""
    return "bill_daily_amounts", {"id": key, "bill_record": bill_record, **values}


def export_of(records: Iterable[Record]) -> Export:
    """Records by their tables; the optional table is there if it has any."""
    export: Export = {table: [] for table in REQUIRED}
    for table, record in records:
        export.setdefault(table, []).append(record)
    return export
