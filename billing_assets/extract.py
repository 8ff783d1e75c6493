"""What the legacy billing system serves by its REST interface, and the command that makes an export of it."""

from datetime import datetime

from upath import UPath

from migration.extract.extracted import Extracted, Progress
from migration.extract.rest import RestClient, RestConfig, Variables
from migration.extract.rest_export import RestTable, extract_rest

SYSTEM = "billing"
VARIABLES = Variables(
    base_url="BILLING_API_BASE_URL",
    token="BILLING_API_TOKEN",  # noqa: S106 - the name of the variable, not its value
    auth_scheme="BILLING_API_AUTH_SCHEME",
    page_size="BILLING_API_PAGE_SIZE",
    timeout="BILLING_API_TIMEOUT_S",
)

_BILLS = "/api/bills/"
_CUSTOMER_TYPES = ("Bandwidth", "MAC", "SOHO")

TABLES = (
    RestTable("sales_customers", "/api/customers/"),
    RestTable("mac_partners", f"{_BILLS}mac-partners/"),
    # One list holds both catalogues, whose ids overlap.
    RestTable("mac_packages", f"{_BILLS}packages/", ({"type": "MAC"},)),
    RestTable("soho_packages", f"{_BILLS}packages/", ({"type": "SOHO"},)),
    RestTable("mac_end_customers", f"{_BILLS}mac-end-customers/"),
    RestTable("soho_customers", f"{_BILLS}soho-customers/"),
    # A bill of the first generation has no type, so that no query finds it.
    RestTable("bill_records", _BILLS, tuple({"customer_type": kind} for kind in _CUSTOMER_TYPES), rest_unfiltered=True),
    RestTable("bill_pricing_periods", f"{_BILLS}pricing-periods/"),
    RestTable("bill_daily_amounts", f"{_BILLS}daily-amounts/", optional=True),
    RestTable("mac_bills", f"{_BILLS}mac-bills/"),
    RestTable("soho_bills", f"{_BILLS}soho-bills/"),
    RestTable("payment_records", f"{_BILLS}payments/"),
)


def extract(landing: UPath, export_id: str, started: datetime, progress: Progress) -> Extracted:
    """Fetch all tables from the server that the environment names, and publish them as an export.

    Args:
        landing: the landing zone.
        export_id: name of the new export.
        started: the moment of the export, with its time zone.
        progress: called with a table, its rows so far, and how many the server says there are.

    Raises:
        ExtractConfigError: a setting is missing or wrong.
        ExtractError, TransientError, SetupError: as `extract_rest` raises them.
    """
    client = RestClient(RestConfig.from_environment(VARIABLES))
    return extract_rest(client, SYSTEM, TABLES, landing, export_id, started, progress=progress)
