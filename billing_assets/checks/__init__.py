"""The measured checks of the billing migration with their limits, by the asset whose step they belong to.

Every check counts `violations`. A blocking one fails with the first; the others compare with what the legacy system
says, and warn.
"""

from billing_assets.checks.bills import (
    BILL_PRICING_PERIODS,
    BILL_RECORDS,
    BILL_TOTALS,
    DAILY_BILL_AMOUNTS,
    LEGACY_DAYS_STAGED,
)
from billing_assets.checks.counting import staging
from billing_assets.checks.customers import (
    MAC_END_CUSTOMERS,
    MAC_PARTNERS,
    PACKAGES,
    SALES_CUSTOMERS,
    SOHO_CUSTOMERS,
)
from billing_assets.checks.payments import PAYMENT_RECORDS, PAYMENT_ROLLUP, RECONCILIATION, drift_figures
from billing_assets.checks.service_bills import MAC_BILLS, SOHO_BILLS

__all__ = [
    "BILL_PRICING_PERIODS",
    "BILL_RECORDS",
    "BILL_TOTALS",
    "DAILY_BILL_AMOUNTS",
    "LEGACY_DAYS_STAGED",
    "MAC_BILLS",
    "MAC_END_CUSTOMERS",
    "MAC_PARTNERS",
    "PACKAGES",
    "PAYMENT_RECORDS",
    "PAYMENT_ROLLUP",
    "RECONCILIATION",
    "SALES_CUSTOMERS",
    "SOHO_BILLS",
    "SOHO_CUSTOMERS",
    "drift_figures",
    "staging",
]
