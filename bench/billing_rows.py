"""The bills of Billing to measure with, as the steps before the daily breakdown leave them: filled by SQL alone.

Rows are arithmetic over their numbers, so that two fillings of one size are equal: twelve months of bills with three
services each, a fifth of the bills with two pricing periods, one in a hundred with nothing but a legacy total.
"""

import sqlalchemy as sa
from upath import UPath

from billing_assets import months
from billing_assets.assets import BILLING, periods
from billing_assets.tables import COMPONENTS, LEGACY, PERIODS
from migration.declare.system import EXPORT_NOTE
from migration.exports.verify import Export
from migration.frames import FrameStore
from migration.settings import Settings
from migration.warehouse.ddl import build_after_bulk, drop_for_bulk, ensure_schema
from migration.warehouse.runlog import RunLog

EXPORT_ID = "bench"
MONTHS = [f"2024-{month:02}-01" for month in range(1, 13)]

_CUSTOMER = f"""
INSERT INTO billing.sales_customers (id, name, customer_number, status, export_id)
VALUES (1, 'Customer', 'KTL-CUSTOMER-1', 'Active', '{EXPORT_ID}')
"""
_BILLS = f"""
INSERT INTO billing.bill_records (id, customer_type, customer_id, bill_number, billing_date, billing_month,
  iig_qt, iig_qt_price, fna, fna_price, ggc, ggc_price, discount, total_source, status, export_id)
SELECT b, 'Bandwidth', 1, 'KTL-BL-' || b, date '2024-01-10' + make_interval(0, (b % 12)::int),
  date '2024-01-01' + make_interval(0, (b % 12)::int),
  CASE WHEN b % 100 = 99 THEN 0 ELSE 10 + b % 90 END, (b * 7919 % 100000) / 100.0,
  CASE WHEN b % 100 = 99 THEN 0 ELSE (b % 700) / 100.0 END, 7.77,
  CASE WHEN b % 100 = 99 THEN 0 ELSE b % 3 END, 0.05,
  CASE WHEN b % 100 = 99 THEN 0 ELSE (b % 1000) / 100.0 END,
  CASE WHEN b % 100 = 99 THEN '{LEGACY}' WHEN b % 5 = 0 THEN '{PERIODS}' ELSE '{COMPONENTS}' END,
  'Active', '{EXPORT_ID}'
FROM generate_series(1::bigint, {{bills}}) b
"""
_PERIODS = f"""
INSERT INTO billing.bill_pricing_periods (id, bill_record_id, start_day, end_day, iig_qt, iig_qt_price, fna, fna_price,
  ggc, ggc_price, discount, export_id)
SELECT id * 2 + half, id, CASE half WHEN 0 THEN 1 ELSE 16 END, CASE half WHEN 0 THEN 15 ELSE 28 END,
  iig_qt + half, iig_qt_price, fna, fna_price, ggc, ggc_price, discount, '{EXPORT_ID}'
FROM billing.bill_records CROSS JOIN generate_series(0, 1) half WHERE total_source = '{PERIODS}' ORDER BY 1
"""
_TOTALS = f"""
WITH summed AS (
  SELECT bill_record_id AS id,
         sum(round(iig_qt * iig_qt_price, 2) + round(fna * fna_price, 2) + round(ggc * ggc_price, 2) - discount)
           AS total
  FROM billing.bill_pricing_periods GROUP BY 1
), total AS (
  SELECT b.id, CASE b.total_source
                 WHEN '{PERIODS}' THEN s.total
                 WHEN '{LEGACY}' THEN 100 + b.id % 1000 / 100.0
                 ELSE round(iig_qt * iig_qt_price, 2) + round(fna * fna_price, 2) + round(ggc * ggc_price, 2) - discount
               END AS total
  FROM billing.bill_records b LEFT JOIN summed s USING (id)
)
UPDATE billing.bill_records b SET total_bill = t.total, total_due = t.total FROM total t WHERE t.id = b.id
"""


def fill(engine: sa.Engine, bills: int) -> None:
    """Make the schema anew and fill it with so many bills, their periods and their totals."""
    filled = [BILLING.metadata.tables[f"billing.{name}"] for name in ("bill_records", "bill_pricing_periods")]
    with engine.begin() as connection:
        connection.execution_options(no_parameters=True)
        BILLING.metadata.drop_all(connection)
        ensure_schema(connection, BILLING.metadata)
        connection.exec_driver_sql(_CUSTOMER)
        for table in reversed(filled):
            drop_for_bulk(connection, table)
        for statement in (_BILLS, _PERIODS, _TOTALS):
            connection.exec_driver_sql(statement.format(bills=bills))
        for table in filled:
            build_after_bulk(connection, table)
        _log_totals(connection)


def _log_totals(connection: sa.Connection) -> None:
    """What opens the gates of the daily breakdown: every month's totals have succeeded."""
    log = RunLog(BILLING.books.run_log, "bench-totals", EXPORT_ID, dry_run=False)
    log.log_empty_partitions(connection, "bill_totals", months.MONTHS.get_partition_keys())


def note_export(settings: Settings) -> None:
    """The record of the verified export, without which no step runs, and the months that it has bills of."""
    export = Export(BILLING.name, EXPORT_ID, UPath(settings.landing / BILLING.name / EXPORT_ID), None, (), "")
    frames = FrameStore(settings.work / BILLING.name, EXPORT_ID, "bench-totals")
    frames.write_note(EXPORT_NOTE, export.to_json().encode())
    frames.write(periods.FRAME, [(month, periods.SCHEMA.empty_table()) for month in MONTHS], periods.SCHEMA)
