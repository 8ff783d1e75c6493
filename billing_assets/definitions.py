"""The Definitions of the billing code location."""

from billing_assets.assets import BILLING
from billing_assets.assets.bills import bill_records, bill_records_staged
from billing_assets.assets.customers import mac_end_customers, mac_partners, sales_customers, soho_customers
from billing_assets.assets.days import daily_bill_amounts
from billing_assets.assets.export import export
from billing_assets.assets.packages import packages
from billing_assets.assets.payments import payment_records, payment_records_staged
from billing_assets.assets.periods import bill_pricing_periods, bill_pricing_periods_staged
from billing_assets.assets.received import payment_rollup
from billing_assets.assets.report import bill_daily_amounts_staged, billing_reconciliation
from billing_assets.assets.service_bills import mac_bills, mac_bills_staged, soho_bills, soho_bills_staged
from billing_assets.assets.totals import bill_totals
from billing_assets.automation import AUTOMATION
from migration.automation import build_definitions

defs = build_definitions(
    BILLING,
    [
        export,
        sales_customers,
        mac_partners,
        packages,
        mac_end_customers,
        soho_customers,
        bill_records_staged,
        bill_records,
        bill_pricing_periods_staged,
        bill_pricing_periods,
        bill_totals,
        daily_bill_amounts,
        mac_bills_staged,
        mac_bills,
        soho_bills_staged,
        soho_bills,
        payment_records_staged,
        payment_records,
        payment_rollup,
        bill_daily_amounts_staged,
        billing_reconciliation,
    ],
    AUTOMATION,
)

SYSTEM = BILLING
