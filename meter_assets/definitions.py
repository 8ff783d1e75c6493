"""The Definitions of the Meter code location."""

from meter_assets.assets import METER
from meter_assets.assets.billing import bills, invoice_bills, invoices
from meter_assets.assets.customer_balance_sync import customer_balance_sync
from meter_assets.assets.export import export, export_pruned
from meter_assets.assets.full_validation import full_validation
from meter_assets.assets.invoice_amounts import invoice_amounts
from meter_assets.assets.meter_balances import customer_balances_backup, meter_balances
from meter_assets.assets.meters import meter_assignments, meters
from meter_assets.assets.payment_meter_ids import payment_meter_ids
from meter_assets.assets.payments import overpayments, payments
from meter_assets.assets.payments_gate import payments_gate
from meter_assets.assets.people import customers, tenants
from meter_assets.automation import AUTOMATION
from meter_assets.options import MeterRun
from migration.automation import build_definitions

defs = build_definitions(
    METER,
    [
        export,
        tenants,
        customers,
        meters,
        meter_assignments,
        bills,
        invoices,
        invoice_bills,
        payments,
        overpayments,
        export_pruned,
        payment_meter_ids,
        invoice_amounts,
        payments_gate,
        customer_balances_backup,
        meter_balances,
        full_validation,
        customer_balance_sync,
    ],
    AUTOMATION,
    MeterRun(),
)

SYSTEM = METER
