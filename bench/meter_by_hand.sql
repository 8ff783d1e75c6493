-- The five steps of Meter for one tenant, as a person would write them with the default options: what our steps are
-- measured against. Each step is one transaction, and each leaves exactly the rows that ours leaves.

-- step: payment_meter_ids
CREATE TEMP TABLE resolver ON COMMIT DROP AS
WITH place AS (
  SELECT customer_id, meter_id, min(place) AS place, min(place) FILTER (WHERE is_active) AS active_place
  FROM (
    SELECT customer_id, meter_id, is_active,
           row_number() OVER (PARTITION BY customer_id ORDER BY assigned_at NULLS LAST, id) AS place
    FROM meter.meter_assignments
    WHERE tenant_id = %(tenant)s
  ) ranked
  GROUP BY customer_id, meter_id
), held AS (
  SELECT customer_id,
         array_agg(meter_id ORDER BY place) AS anyone,
         array_agg(meter_id ORDER BY active_place) FILTER (WHERE active_place IS NOT NULL) AS active
  FROM place
  GROUP BY customer_id
)
SELECT customer_id,
       coalesce(active[1], anyone[1]) AS meter_id,
       CASE WHEN active IS NULL THEN 'FIRST_INACTIVE' WHEN cardinality(active) > 1 THEN 'FIRST_ACTIVE'
            ELSE 'SINGLE_ACTIVE' END AS source,
       CASE WHEN active IS NULL THEN 'NO_ACTIVE_METER' WHEN cardinality(active) > 1 THEN 'MULTI_METER_CUSTOMER' END
         AS review,
       CASE WHEN active IS NULL THEN to_jsonb(anyone) WHEN cardinality(active) > 1 THEN to_jsonb(active) END
         AS candidates
FROM held;
ANALYZE resolver;

CREATE TEMP TABLE decision ON COMMIT DROP AS
SELECT p.id, p.customer_id,
       coalesce(m.id, i_meter, r.meter_id) AS meter_id,
       CASE WHEN m.id IS NOT NULL THEN 'EXISTING' WHEN i_meter IS NOT NULL THEN 'INVOICE'
            ELSE coalesce(r.source, 'UNASSIGNED') END AS meter_id_source,
       array_remove(ARRAY[
         CASE WHEN i_meter <> m.id THEN 'METER_DIFFERS_FROM_INVOICE' END,
         CASE WHEN m.id IS NULL AND p.invoice_id IS NOT NULL AND i.meter_id IS NULL THEN 'INVOICE_WITHOUT_METER' END,
         CASE WHEN p.legacy_invoice_id IS NOT NULL AND i.id IS NULL THEN 'ORPHAN_INVOICE' END,
         CASE WHEN i.tenant_id <> p.tenant_id THEN 'INVOICE_TENANT_MISMATCH' END,
         CASE WHEN p.invoice_id IS NOT NULL AND i.customer_id <> p.customer_id THEN 'INVOICE_CUSTOMER_MISMATCH' END,
         CASE WHEN p.customer_source = 'INVOICE' THEN 'CUSTOMER_FROM_INVOICE' END,
         CASE WHEN p.legacy_meter_id IS NOT NULL AND m.id IS NULL THEN 'INVALID_EXISTING_METER' END,
         CASE WHEN m.id IS NULL AND i_meter IS NULL
              THEN CASE WHEN r.customer_id IS NULL THEN 'NO_METER' ELSE r.review END END
       ], NULL) AS reasons,
       r.candidates
FROM meter.payments p
LEFT JOIN meter.meters m ON m.id = p.legacy_meter_id AND m.tenant_id = p.tenant_id
LEFT JOIN meter.invoices i ON i.id = p.legacy_invoice_id
LEFT JOIN resolver r ON r.customer_id = p.customer_id,
     LATERAL (SELECT CASE WHEN p.invoice_id IS NOT NULL THEN i.meter_id END AS i_meter) followed
WHERE p.tenant_id = %(tenant)s;
ANALYZE decision;

UPDATE meter.payments p
SET meter_id = d.meter_id, meter_id_source = d.meter_id_source
FROM decision d
WHERE p.id = d.id AND (p.meter_id, p.meter_id_source) IS DISTINCT FROM (d.meter_id, d.meter_id_source);

CREATE TEMP TABLE credit_decision ON COMMIT DROP AS
SELECT o.id, o.customer_id,
       coalesce(m.id, p.meter_id, r.meter_id) AS meter_id,
       CASE WHEN m.id IS NOT NULL THEN 'EXISTING' WHEN p.meter_id IS NOT NULL THEN 'PAYMENT'
            ELSE coalesce(r.source, 'UNASSIGNED') END AS meter_id_source,
       array_remove(ARRAY[
         CASE WHEN o.legacy_meter_id IS NOT NULL AND m.id IS NULL THEN 'INVALID_EXISTING_METER' END,
         CASE WHEN m.id IS NULL AND p.meter_id IS NULL
              THEN CASE WHEN r.customer_id IS NULL THEN 'NO_METER' ELSE r.review END END
       ], NULL) AS reasons,
       r.candidates
FROM meter.overpayments o
LEFT JOIN meter.meters m ON m.id = o.legacy_meter_id AND m.tenant_id = o.tenant_id
LEFT JOIN meter.payments p ON p.id = o.payment_id
LEFT JOIN resolver r ON r.customer_id = o.customer_id
WHERE o.tenant_id = %(tenant)s;

UPDATE meter.overpayments o
SET meter_id = d.meter_id, meter_id_source = d.meter_id_source
FROM credit_decision d
WHERE o.id = d.id AND (o.meter_id, o.meter_id_source) IS DISTINCT FROM (d.meter_id, d.meter_id_source);

DELETE FROM meter.meter_id_review WHERE tenant_id = %(tenant)s;
INSERT INTO meter.meter_id_review
  (entity_type, entity_id, reason_code, export_id, tenant_id, customer_id, chosen_meter_id, candidate_meter_ids)
SELECT kind, id, reason, %(export)s, %(tenant)s, customer_id, meter_id,
       CASE WHEN reason IN ('MULTI_METER_CUSTOMER', 'NO_ACTIVE_METER') THEN candidates ELSE '[]' END
FROM (SELECT 'payment' AS kind, * FROM decision UNION ALL SELECT 'overpayment', * FROM credit_decision) d,
     unnest(reasons) reason;

-- step: invoice_amounts
CREATE TEMP TABLE recalculated ON COMMIT DROP AS
SELECT i.id, i.legacy_amount, i.legacy_balance_brought_forward, i.legacy_total_amount,
       coalesce(s.total - s.arrears, 0)::numeric(16, 2) AS amount,
       coalesce(s.arrears, 0)::numeric(16, 2) AS arrears,
       coalesce(s.total, 0)::numeric(16, 2) AS total,
       s.invoice_id IS NOT NULL AS has_bills
FROM meter.invoices i
LEFT JOIN (
  SELECT l.invoice_id, sum(l.amount) AS total, coalesce(sum(l.amount) FILTER (WHERE b.bill_type = 'BALANCE'), 0) AS arrears
  FROM meter.invoice_bills l JOIN meter.bills b ON b.id = l.bill_id
  WHERE l.tenant_id = %(tenant)s
  GROUP BY l.invoice_id
) s ON s.invoice_id = i.id
WHERE i.tenant_id = %(tenant)s;
ANALYZE recalculated;

UPDATE meter.invoices i
SET amount = r.amount, balance_brought_forward = r.arrears, total_amount = r.total, amounts_recalculated = true
FROM recalculated r
WHERE i.id = r.id
  AND (i.amount, i.balance_brought_forward, i.total_amount, i.amounts_recalculated)
      IS DISTINCT FROM (r.amount, r.arrears, r.total, true);

DELETE FROM meter.invoice_amount_discrepancy WHERE tenant_id = %(tenant)s;
INSERT INTO meter.invoice_amount_discrepancy
  (invoice_id, kind, severity, export_id, tenant_id, legacy_amount, legacy_balance_brought_forward, legacy_total_amount,
   calc_amount, calc_balance_brought_forward, calc_total_amount, diff_total)
SELECT id, k.kind, k.severity, %(export)s, %(tenant)s, legacy_amount, legacy_balance_brought_forward,
       legacy_total_amount, amount, arrears, total, total - coalesce(legacy_total_amount, 0)
FROM recalculated,
     LATERAL (VALUES
       ('NO_BILLS', CASE WHEN coalesce(legacy_total_amount, 0) <> 0 THEN 'ERROR' ELSE 'WARN' END, NOT has_bills),
       ('CHANGED', 'WARN', has_bills AND (legacy_amount, legacy_balance_brought_forward, legacy_total_amount)
                                         IS DISTINCT FROM (amount, arrears, total)),
       ('LEGACY_IDENTITY', 'INFO', coalesce(legacy_amount, 0) + coalesce(legacy_balance_brought_forward, 0)
                                   <> coalesce(legacy_total_amount, 0))
     ) k (kind, severity, found)
WHERE k.found;

-- step: payments_gate
DELETE FROM meter.validation_discrepancy WHERE tenant_id = %(tenant)s AND step = 3;
INSERT INTO meter.validation_discrepancy (tenant_id, step, check_name, entity_type, entity_id, severity, export_id, actual)
SELECT tenant_id, 3, 'PAYMENT_WITHOUT_METER', 'payment', id, 'CRITICAL', %(export)s, amount
FROM meter.payments
WHERE tenant_id = %(tenant)s AND meter_id IS NULL;

-- step: customer_balances_backup
INSERT INTO meter.customer_balances_backup (export_id, customer_id, tenant_id, balance, overpayment)
SELECT %(export)s, id, tenant_id, legacy_balance, legacy_overpayment
FROM meter.customers
WHERE tenant_id = %(tenant)s
ON CONFLICT DO NOTHING;
ANALYZE meter.customer_balances_backup;

-- step: meter_balances
WITH counted AS MATERIALIZED (
  SELECT meter_id, invoice_date,
         amount + CASE WHEN row_number() OVER (PARTITION BY customer_id ORDER BY invoice_date NULLS LAST, id) = 1
                       THEN balance_brought_forward ELSE 0 END AS billed
  FROM meter.invoices
  WHERE tenant_id = %(tenant)s AND NOT is_void AND meter_id IS NOT NULL
), billed AS (
  SELECT meter_id, sum(billed) AS amount, max(invoice_date) AS last_date FROM counted GROUP BY meter_id
), paid AS (
  SELECT meter_id, sum(amount) AS amount FROM meter.payments
  WHERE tenant_id = %(tenant)s AND NOT is_void GROUP BY meter_id
), credited AS (
  SELECT meter_id, sum(credit_effect) AS amount FROM meter.overpayments WHERE tenant_id = %(tenant)s GROUP BY meter_id
), sums AS (
  SELECT m.id, coalesce(b.amount, 0) AS billed, coalesce(p.amount, 0) AS paid, coalesce(c.amount, 0) AS credited,
         coalesce(b.amount, 0) - coalesce(p.amount, 0) - coalesce(c.amount, 0) AS net, b.last_date
  FROM meter.meters m
  LEFT JOIN billed b ON b.meter_id = m.id
  LEFT JOIN paid p ON p.meter_id = m.id
  LEFT JOIN credited c ON c.meter_id = m.id
  WHERE m.tenant_id = %(tenant)s
)
UPDATE meter.meters m
SET total_billed = s.billed, total_paid = s.paid, overpayment_credit = s.credited,
    balance = greatest(net, 0), overpayment = greatest(-net, 0), last_invoice_date = s.last_date,
    financial_status = CASE WHEN net > 0 THEN 'Outstanding' WHEN net < 0 THEN 'Credit' ELSE 'Clear' END,
    balance_calculated = true
FROM sums s
WHERE s.id = m.id
  AND (m.total_billed, m.total_paid, m.overpayment_credit, m.balance, m.overpayment, m.last_invoice_date,
       m.financial_status, m.balance_calculated)
      IS DISTINCT FROM (s.billed, s.paid, s.credited, greatest(net, 0), greatest(-net, 0), s.last_date,
       CASE WHEN net > 0 THEN 'Outstanding' WHEN net < 0 THEN 'Credit' ELSE 'Clear' END, true);

-- step: full_validation
CREATE TEMP TABLE held ON COMMIT DROP AS
SELECT DISTINCT customer_id, meter_id FROM meter.meter_assignments WHERE tenant_id = %(tenant)s AND is_active;
ANALYZE held;

CREATE TEMP TABLE customer ON COMMIT DROP AS
SELECT b.customer_id AS id, b.balance AS balance_before, b.balance - b.overpayment AS net_before,
       coalesce(a.balance, 0) AS balance_after, coalesce(a.balance, 0) - coalesce(a.overpayment, 0) AS net_after
FROM meter.customer_balances_backup b
LEFT JOIN (
  SELECT h.customer_id, sum(m.balance) AS balance, sum(m.overpayment) AS overpayment
  FROM held h JOIN meter.meters m ON m.id = h.meter_id
  GROUP BY h.customer_id
) a ON a.customer_id = b.customer_id
WHERE b.tenant_id = %(tenant)s AND b.export_id = %(export)s;
ANALYZE customer;

DELETE FROM meter.validation_discrepancy WHERE tenant_id = %(tenant)s AND step = 5;
WITH counted AS MATERIALIZED (
  SELECT meter_id,
         amount + CASE WHEN row_number() OVER (PARTITION BY customer_id ORDER BY invoice_date NULLS LAST, id) = 1
                       THEN balance_brought_forward ELSE 0 END AS billed
  FROM meter.invoices
  WHERE tenant_id = %(tenant)s AND NOT is_void AND meter_id IS NOT NULL
), meter AS (
  SELECT m.id, m.balance - m.overpayment AS stored,
         coalesce(b.amount, 0) - coalesce(p.amount, 0) - coalesce(c.amount, 0) AS net
  FROM meter.meters m
  LEFT JOIN (SELECT meter_id, sum(billed) AS amount FROM counted GROUP BY meter_id) b ON b.meter_id = m.id
  LEFT JOIN (SELECT meter_id, sum(amount) AS amount FROM meter.payments
             WHERE tenant_id = %(tenant)s AND NOT is_void GROUP BY meter_id) p ON p.meter_id = m.id
  LEFT JOIN (SELECT meter_id, sum(credit_effect) AS amount FROM meter.overpayments
             WHERE tenant_id = %(tenant)s GROUP BY meter_id) c ON c.meter_id = m.id
  WHERE m.tenant_id = %(tenant)s
), found (check_name, entity_type, entity_id, severity, expected, actual, difference) AS (
  SELECT 'PAYMENT_WITHOUT_METER', 'payment', id, 'CRITICAL', NULL::numeric, amount::numeric, NULL::numeric
  FROM meter.payments WHERE tenant_id = %(tenant)s AND meter_id IS NULL
  UNION ALL
  SELECT 'INVOICE_WITHOUT_METER', 'invoice', id, CASE WHEN is_void THEN 'WARN' ELSE 'ERROR' END, NULL, total_amount, NULL
  FROM meter.invoices WHERE tenant_id = %(tenant)s AND meter_id IS NULL
  UNION ALL
  SELECT 'UNASSIGNED_OVERPAYMENT', 'overpayment', id, 'ERROR', NULL, credit_effect, NULL
  FROM meter.overpayments WHERE tenant_id = %(tenant)s AND meter_id IS NULL AND credit_effect <> 0
  UNION ALL
  SELECT 'TENANT_ISOLATION', 'payment', p.id, 'CRITICAL', NULL, NULL, NULL
  FROM meter.payments p
  LEFT JOIN meter.meters m ON m.id = p.meter_id
  LEFT JOIN meter.customers c ON c.id = p.customer_id
  LEFT JOIN meter.invoices i ON i.id = p.invoice_id
  WHERE p.tenant_id = %(tenant)s
    AND (m.tenant_id <> p.tenant_id OR c.tenant_id <> p.tenant_id OR i.tenant_id <> p.tenant_id)
  UNION ALL
  SELECT 'TENANT_ISOLATION', 'invoice', i.id, 'CRITICAL', NULL, NULL, NULL
  FROM meter.invoices i
  LEFT JOIN meter.meters m ON m.id = i.meter_id
  LEFT JOIN meter.customers c ON c.id = i.customer_id
  WHERE i.tenant_id = %(tenant)s AND (m.tenant_id <> i.tenant_id OR c.tenant_id <> i.tenant_id)
  UNION ALL
  SELECT 'TENANT_ISOLATION', 'overpayment', o.id, 'CRITICAL', NULL, NULL, NULL
  FROM meter.overpayments o
  LEFT JOIN meter.meters m ON m.id = o.meter_id
  LEFT JOIN meter.customers c ON c.id = o.customer_id
  WHERE o.tenant_id = %(tenant)s AND (m.tenant_id <> o.tenant_id OR c.tenant_id <> o.tenant_id)
  UNION ALL
  SELECT 'METER_BALANCE_MISMATCH', 'meter', id, 'CRITICAL', net, stored, stored - net
  FROM meter WHERE abs(stored - net) > 0.01
  UNION ALL
  SELECT 'INACTIVE_METER_BALANCE', 'meter', id, 'WARN', NULL, balance - overpayment, NULL
  FROM meter.meters m
  WHERE tenant_id = %(tenant)s AND (balance > 0 OR overpayment > 0)
    AND NOT EXISTS (SELECT FROM held h WHERE h.meter_id = m.id)
  UNION ALL
  SELECT 'SHARED_METER', 'meter', meter_id, 'WARN', 1, count(*), count(*) - 1
  FROM held GROUP BY meter_id HAVING count(*) > 1
  UNION ALL
  SELECT 'CUSTOMER_DRIFT', 'customer', id, 'ERROR', net_before, net_after, net_after - net_before
  FROM customer WHERE abs(net_after - net_before) > 0.01
  UNION ALL
  SELECT 'CUSTOMER_SPLIT', 'customer', id, 'INFO', balance_before, balance_after, balance_after - balance_before
  FROM customer WHERE abs(net_after - net_before) <= 0.01 AND abs(balance_after - balance_before) > 0.01
  UNION ALL
  SELECT 'NO_BASELINE', 'customer', id, 'WARN', NULL, net_after, NULL
  FROM customer WHERE net_before IS NULL
  UNION ALL
  SELECT 'TENANT_TOTAL_DRIFT', 'tenant', %(tenant)s, 'WARN', before, after, after - before
  FROM (SELECT coalesce(sum(net_before), 0) AS before FROM customer) b,
       (SELECT coalesce(sum(balance - overpayment), 0) AS after FROM meter.meters WHERE tenant_id = %(tenant)s) a
  WHERE abs(after - before) > 0.01
)
INSERT INTO meter.validation_discrepancy
  (tenant_id, step, check_name, entity_type, entity_id, severity, export_id, expected, actual, difference)
SELECT %(tenant)s, 5, check_name, entity_type, entity_id, severity, %(export)s, expected, actual, difference
FROM found;
