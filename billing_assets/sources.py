"""The legacy tables of the billing system: dumps or pages of its REST API, whose columns go by several names."""

from collections.abc import Sequence

from migration.exports.sources import SourceTable

SERVICES = ("iig_qt", "fna", "ggc", "cdn", "bdix", "baishan")
# Each service with its price, in the order in which they are judged and stored.
SERVICE_COLUMNS = tuple(name for service in SERVICES for name in (service, f"{service}_price"))
CHARGES = (*SERVICE_COLUMNS, "discount")

# What newer dumps call the columns of older ones.
_RENAMED = {"iig_qt": "ipt", "iig_qt_price": "ipt_price", "bdix": "nix", "bdix_price": "nix_price"}
_TIMES = ("created_at", "updated_at")


def spellings(column: str) -> tuple[str, ...]:
    """The names that a column may have in a file, the one that wins first.

    A reference carries `_id` or not; the sales person also has a newer name.
    """
    if column == "assigned_sales_person":
        return (*spellings_of_reference(column), *spellings_of_reference("kam"))
    if column in _REFERENCES:
        return spellings_of_reference(column)
    return (column, _RENAMED[column]) if column in _RENAMED else (column,)


def spellings_of_reference(column: str) -> tuple[str, str]:
    """The two names of a reference, the one that wins first."""
    return f"{column}_id", column


_REFERENCES = frozenset(
    {"package", "customer", "mac_partner", "soho_customer", "bill_record", "mac_bill", "soho_bill", "created_by"}
)


def _source(name: str, columns: Sequence[str], required: Sequence[str], *, optional: bool = False) -> SourceTable:
    """A table with an id and the two times of its rows, under all the names that its columns may have."""
    named = ("id", *columns, *_TIMES)
    return SourceTable(
        name,
        columns=tuple(dict.fromkeys(spelling for column in named for spelling in spellings(column))),
        key="id",
        required_keys=("id", *(_one_of(spellings(column)) for column in required)),
        required=not optional,
        surrogates="remove",
    )


def _one_of(names: tuple[str, ...]) -> str | tuple[str, ...]:
    return names[0] if len(names) == 1 else names


sales_customers = _source(
    "sales_customers",
    (
        *("name", "company_name", "email", "phone", "address", "link_id"),
        *("customer_type", "assigned_sales_person", "customer_number", "status"),
    ),
    ["name"],
)
mac_partners = _source(
    "mac_partners",
    (
        *("mac_cust_name", "email", "phone", "address", "contact_person", "notes"),
        *("mac_partner_number", "percentage_share", "is_active"),
    ),
    ["mac_cust_name"],
)
_PACKAGE = ("name", "mbps", "rate", "type", "description", "is_active")
mac_packages = _source("mac_packages", _PACKAGE, ["name", "rate"])
soho_packages = _source("soho_packages", _PACKAGE, ["name", "rate"])
mac_end_customers = _source(
    "mac_end_customers",
    (
        *("mac_partner", "name", "email", "phone", "address", "notes", "mac_end_customer_number"),
        *("package", "custom_rate", "activation_date", "bill_date", "status"),
    ),
    ["name", "mac_partner", "activation_date"],
)
soho_customers = _source(
    "soho_customers",
    (
        *("cust_name", "email", "phone", "address", "notes", "soho_customer_number"),
        *("package", "rate", "activation_date", "status"),
    ),
    ["cust_name", "activation_date"],
)
bill_records = _source(
    "bill_records",
    (
        *("customer_type", "customer", "mac_partner", "soho_customer", "bill_number"),
        *("nttn_cap", "nttn_com", "remarks", "active_date", "termination_date", "billing_date"),
        *CHARGES,
        *("total_bill", "total_received", "last_payment_date", "last_payment_mode", "status"),
    ),
    ["billing_date"],
)
bill_pricing_periods = _source(
    "bill_pricing_periods",
    ("bill_record", "start_day", "end_day", *CHARGES, "notes"),
    ["bill_record", "start_day", "end_day"],
)
# Never loaded: its rows are computed again, and only compared.
bill_daily_amounts = _source("bill_daily_amounts", ("bill_record", "daily_amount"), [], optional=True)
mac_bills = _source(
    "mac_bills",
    (
        *("mac_partner", "bill_date", "total_client", "total_revenue", "percentage_share"),
        *("commission", "total_received", "notes"),
    ),
    ["mac_partner", "bill_date"],
)
soho_bills = _source(
    "soho_bills",
    ("soho_customer", "bill_date", "package", "rate", "total_bill", "total_received", "notes"),
    ["soho_customer", "bill_date"],
)
payment_records = _source(
    "payment_records",
    (
        *("bill_record", "mac_bill", "soho_bill", "payment_date", "amount"),
        *("payment_type", "payment_method", "reference_number", "notes", "created_by"),
    ),
    ["payment_date", "amount"],
)

ALL = (
    sales_customers,
    mac_partners,
    mac_packages,
    soho_packages,
    mac_end_customers,
    soho_customers,
    bill_records,
    bill_pricing_periods,
    bill_daily_amounts,
    mac_bills,
    soho_bills,
    payment_records,
)
