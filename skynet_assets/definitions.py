"""The Definitions of the Skynet code location."""

from migration.automation import build_definitions
from skynet_assets.assets import SKYNET
from skynet_assets.assets.branches import branch_reconciliation, branch_summaries
from skynet_assets.assets.customers import customers, customers_clean, customers_final
from skynet_assets.assets.export import export, export_refresh
from skynet_assets.assets.packages import packages
from skynet_assets.assets.payments import invoices, payments_clean, transactions
from skynet_assets.assets.photos import identity_card_photo_files, identity_card_photo_queue
from skynet_assets.assets.routers import router_credentials, routers
from skynet_assets.automation import AUTOMATION

defs = build_definitions(
    SKYNET,
    [
        export,
        customers_clean,
        customers_final,
        packages,
        routers,
        customers,
        router_credentials,
        payments_clean,
        invoices,
        transactions,
        branch_summaries,
        branch_reconciliation,
        identity_card_photo_queue,
        identity_card_photo_files,
        export_refresh,
    ],
    AUTOMATION,
)

SYSTEM = SKYNET
