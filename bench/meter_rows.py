"""The schema of Meter, filled as a load leaves it: by SQL alone, with rows as a utility has them, for six tenants.

Rows are arithmetic over their numbers, so that two fillings of one size are equal. Every tenant passes: each customer's
stored balance is what the hand-written steps find for its meters. What people should look at is in a few rows of each
hundred.
"""

from typing import Any

import psycopg
import sqlalchemy as sa
from upath import UPath

from meter_assets import tables
from meter_assets.assets import METER
from migration.declare.system import EXPORT_ASSET, EXPORT_NOTE
from migration.exports.verify import Export
from migration.frames import FrameStore
from migration.outcome import Tally
from migration.settings import Settings
from migration.warehouse.ddl import build_after_bulk, drop_for_bulk, ensure_schema
from migration.warehouse.runlog import RunLog, Status

EXPORT_ID = "bench"
LOADS = (EXPORT_ASSET, *(table.name for table in tables.LOADED), "export_pruned")

# What the customers are like; legacy ids of one tenant are scattered over the tables, as they were given out.
_PEOPLE = """
CREATE TEMP TABLE person AS
SELECT id, tenant_id, several, replaced, moved, CASE WHEN replaced THEN id + {customers} ELSE id END AS first_meter
FROM (
  SELECT c AS id,
         CASE WHEN t < 30 THEN 1 WHEN t < 55 THEN 2 WHEN t < 73 THEN 3 WHEN t < 85 THEN 4 WHEN t < 95 THEN 5
              ELSE 6 END AS tenant_id,
         kind < 8 AS several, kind BETWEEN 8 AND 12 AS replaced, kind BETWEEN 13 AND 14 AS moved
  FROM (SELECT c, c * 37 % 100 AS t, (c * 61 + c / 100) % 100 AS kind
        FROM generate_series(1::bigint, {customers}) c) numbers
) kinds
"""
_INVOICED = """
CREATE TEMP TABLE invoiced AS
SELECT i AS id, p.tenant_id, p.id AS customer_id, k,
       CASE WHEN p.several AND k % 2 = 1 OR p.replaced AND k > 0 THEN p.id + {customers} ELSE p.id END AS meter_id,
       i % 100 = 13 AS is_void, i % 100 = 7 AS without_bills, i % 2 = 0 AS two_bills,
       k > 0 OR i % 20 = 0 AS carries_over,
       CASE WHEN i % 100 = 7 THEN 0 ELSE 200 + (i * 7919 % 300000) / 100.0 END AS charge,
       CASE WHEN i % 2 = 0 THEN (i * 104729 % 200000) / 100.0 ELSE 0 END AS second
FROM (SELECT i, (i - 1) / {customers} AS k, 1 + (i - 1) % {customers} AS c
      FROM generate_series(1::bigint, {invoices}) i) n
JOIN person p ON p.id = n.c
"""
_PAID = """
CREATE TEMP TABLE paid AS
SELECT n.p AS id, person.tenant_id, person.id AS customer_id, n.named_invoice, person.first_meter,
       CASE WHEN v.tenant_id = person.tenant_id THEN v.id END AS invoice_id,
       coalesce(CASE WHEN v.tenant_id = person.tenant_id AND NOT (v.is_void AND v.id % 200 = 13) THEN v.meter_id END,
                person.first_meter) AS true_meter
FROM (
  SELECT p, CASE WHEN own THEN p WHEN p % 500 = 23 THEN 1 + p * 17 % {invoices} WHEN p % 200 = 43 THEN p + {far} END
              AS named_invoice,
         CASE WHEN own THEN 1 + (p - 1) % {customers} ELSE 1 + p * 31 % {customers} END AS customer_id
  FROM (SELECT p, p <= {invoices} AND p % 20 <> 3 AS own FROM generate_series(1::bigint, {payments}) p) numbers
) n
JOIN person ON person.id = n.customer_id
LEFT JOIN invoiced v ON v.id = n.named_invoice
"""
_ROWS = {
    "tenants": "SELECT t AS id, 'Tenant ' || t AS name FROM generate_series(1, 6) t",
    "customers": """
SELECT id, tenant_id, 'Customer ' || id AS name, 'active' AS status, 0 AS legacy_balance, 0 AS legacy_overpayment
FROM person""",
    "meters": """
SELECT id, tenant_id, 'M-' || id AS meter_number, 'active' AS status FROM person
UNION ALL SELECT id + {customers}, tenant_id, 'M-' || id + {customers}, 'active' FROM person WHERE several OR replaced
""",
    "meter_assignments": """
SELECT id, tenant_id, id AS customer_id, id AS meter_id, NOT (replaced OR moved) AS is_active,
       date '2020-01-01' + (id % 900)::int AS assigned_at,
       CASE WHEN replaced OR moved THEN date '2024-01-31' END AS unassigned_at
FROM person
UNION ALL SELECT id + {customers}, tenant_id, id, id + {customers}, true, date '2024-02-01', NULL
FROM person WHERE several OR replaced""",
    "bills": """
SELECT 2 * id - 1 AS id, tenant_id, customer_id, customer_id AS meter_assignment_id, 'WATER_USAGE' AS bill_type,
       charge AS total_amount, 'invoiced' AS status, date '2024-01-01' + (k * 30)::int AS generation_date
FROM invoiced WHERE NOT without_bills
UNION ALL
SELECT 2 * id, tenant_id, customer_id, customer_id, CASE WHEN carries_over THEN 'BALANCE' ELSE 'SERVICE_FEE' END,
       second, 'invoiced', date '2024-01-01' + (k * 30)::int FROM invoiced WHERE two_bills""",
    "invoices": """
SELECT id, tenant_id, customer_id, named AS legacy_meter_id, named AS meter_id, 'INV-' || id AS invoice_number,
       'open' AS state, date '2024-01-01' + (k * 30)::int AS invoice_date,
       date '2024-01-15' + (k * 30)::int AS due_date, CASE WHEN is_void THEN 'reversed' ELSE 'not paid' END AS status,
       is_void, amount AS legacy_amount, arrears AS legacy_balance_brought_forward, total AS legacy_total_amount,
       0 AS paid_amount, total AS balance, 0 AS overpayment_applied,
       amount, arrears AS balance_brought_forward, total AS total_amount
FROM (
  SELECT *, CASE WHEN is_void AND id % 200 = 13 THEN NULL ELSE meter_id END AS named,
         charge + CASE WHEN carries_over THEN 0 ELSE second END + off AS amount,
         CASE WHEN carries_over THEN second ELSE 0 END AS arrears,
         charge + second + CASE WHEN id % 99 = 5 THEN off ELSE 0 END AS total
  FROM (SELECT *, CASE WHEN id % 33 = 5 AND NOT without_bills THEN 1 ELSE 0 END AS off FROM invoiced) wrong
) stored""",
    "invoice_bills": """
SELECT 2 * id - 1 AS id, tenant_id, id AS invoice_id, 2 * id - 1 AS bill_id, charge AS amount, 'LINK' AS amount_source
FROM invoiced WHERE NOT without_bills
UNION ALL SELECT 2 * id, tenant_id, id, 2 * id, second, 'LINK' FROM invoiced WHERE two_bills""",
    "payments": """
SELECT id, tenant_id, customer_id, CASE WHEN id % 1000 = 9 AND invoice_id IS NOT NULL THEN 'INVOICE' ELSE 'PAYMENT' END
         AS customer_source,
       named_invoice AS legacy_invoice_id,
       CASE WHEN id % 25 = 1 THEN true_meter WHEN id % 200 = 2 THEN id + {far} END AS legacy_meter_id,
       invoice_id, CASE WHEN id % 25 = 1 THEN true_meter END AS meter_id,
       100 + (id * 6151 % 300000) / 100.0 AS amount, 'mpesa' AS method, 'REF' || id AS reference,
       CASE WHEN id % 33 = 4 THEN 'reversed' WHEN id % 50 = 6 THEN 'pending' ELSE 'paid' END AS status,
       id % 33 = 4 AS is_void, date '2024-01-05' + (id % 700)::int AS payment_date,
       CASE WHEN id % 33 = 4 THEN timestamptz '2025-06-01 10:00:00+00' END AS reversed_at
FROM paid""",
    "overpayments": """
SELECT o AS id, p.tenant_id, p.customer_id, CASE WHEN o % 3 > 0 THEN p.id END AS payment_id,
       50 + o % 1000 AS amount, CASE WHEN o % 10 = 1 THEN 'refunded' ELSE 'available' END AS status,
       CASE WHEN o % 3 = 0 AND o % 10 <> 1 THEN 50 + o % 1000
            WHEN o % 3 > 0 AND o % 10 = 1 AND p.id % 33 <> 4 THEN -(50 + o % 1000) ELSE 0 END AS credit_effect,
       date '2024-03-01' + (o % 600)::int AS recorded_on
FROM generate_series(1::bigint, {credits}) o JOIN paid p ON p.id = 1 + o * 13 % {payments}""",
}


def fill(engine: sa.Engine, payments: int) -> None:
    """Make the schema anew and fill it: 0.8 invoices, 1.2 bills and links, 0.4 customers per payment."""
    numbers = {
        "payments": payments,
        "invoices": payments * 8 // 10,
        "customers": payments * 4 // 10,
        "credits": payments // 20,
        "far": 10**12,
    }
    with engine.begin() as connection:
        connection.execution_options(no_parameters=True)
        METER.metadata.drop_all(connection)
        ensure_schema(connection, METER.metadata)
        for statement in (_PEOPLE, _INVOICED, _PAID):
            connection.exec_driver_sql(statement.format(**numbers))
        connection.exec_driver_sql("ANALYZE person, invoiced, paid")
        for table in reversed(tables.LOADED):
            drop_for_bulk(connection, table)
        for table in tables.LOADED:
            _insert(connection, table.name, _ROWS[table.name].format(**numbers))
            build_after_bulk(connection, table)
        _log_loads(connection)


def _insert(connection: sa.Connection, table: str, rows: str) -> None:
    """The rows of a table in the order of their ids, with what every load adds to them."""
    names = ", ".join(connection.exec_driver_sql(f"SELECT * FROM ({rows}) r LIMIT 0").keys())
    connection.exec_driver_sql(
        f"INSERT INTO meter.{table} ({names}, created_at, updated_at, export_id) "
        f"SELECT {names}, timestamptz '2024-01-01', timestamptz '2024-06-01', '{EXPORT_ID}' FROM ({rows}) r ORDER BY id"
    )


def _log_loads(connection: sa.Connection) -> None:
    """What opens the gates of the steps: the loads have succeeded."""
    log = RunLog(METER.books.run_log, "bench-load", EXPORT_ID, dry_run=False)
    for asset in LOADS:
        log.start(connection, asset, {None: []})
        log.finish(connection, asset, None, Status.SUCCESS, Tally())


def note_export(settings: Settings) -> None:
    """The record of the verified export, without which no step runs."""
    export = Export(METER.name, EXPORT_ID, UPath(settings.landing / METER.name / EXPORT_ID), None, (), "")
    frames = FrameStore(settings.work / METER.name, EXPORT_ID, "bench-load")
    frames.write_note(EXPORT_NOTE, export.to_json().encode())


_AFTER = """
SELECT c.id, coalesce(sum(m.balance), 0) - coalesce(sum(m.overpayment), 0)
FROM meter.customers c
LEFT JOIN (SELECT DISTINCT customer_id, meter_id FROM meter.meter_assignments WHERE is_active) a ON a.customer_id = c.id
LEFT JOIN meter.meters m ON m.id = a.meter_id
GROUP BY c.id
"""


def settle(filled: sa.Engine, computed: sa.Engine) -> None:
    """Let the stored balances be what the steps have found in a copy, so that every tenant passes."""
    with computed.connect() as there, filled.begin() as here:
        source: psycopg.Connection[Any] = there.connection.driver_connection  # type: ignore[assignment]
        target: psycopg.Connection[Any] = here.connection.driver_connection  # type: ignore[assignment]
        target.execute("CREATE TEMP TABLE net (id bigint PRIMARY KEY, net numeric)")
        with (
            source.cursor() as reading,
            target.cursor() as writing,
            reading.copy(f"COPY ({_AFTER}) TO STDOUT") as out,
            writing.copy("COPY net FROM STDIN") as into,
        ):
            for block in out:
                into.write(block)
        target.execute(
            "UPDATE meter.customers c SET legacy_balance = greatest(net, 0), legacy_overpayment = greatest(-net, 0), "
            "balance = greatest(net, 0), overpayment = greatest(-net, 0) FROM net WHERE net.id = c.id"
        )
