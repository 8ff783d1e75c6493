"""The assets of the billing migration: one module per subject, each with its pure frame functions and declarations.

Rows of a file are judged while it is streamed; what follows from loaded rows (totals, days, what was received) is
computed by set, month by month.
"""

from billing_assets import sources, tables
from migration.declare.system import System

EXPORT = "billing_export"
BILLING = System("billing", tables.metadata, tables.books, sources.ALL, export_name=EXPORT)

SOURCE = "billing_source"
STAGING = "billing_staging"
CUSTOMERS = "billing_customers"
BILLS = "billing_bills"
PAYMENTS = "billing_payments"
REPORT = "billing_report"
TABLE_KINDS = ("postgres", "table")
