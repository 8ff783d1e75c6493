-- What falls on each day of the bills of one month, written as one would write it in psql.
-- share(c, n, k) = floor(c * k / n) - floor(c * (k - 1) / n), in cents, so that the days add up to the amount.
INSERT INTO billing.daily_bill_amounts
  (id, bill_record_id, pricing_period_id, date, day_number, daily_amount, service_breakdown, export_id)
WITH days AS (
  SELECT b.id, b.billing_month, b.export_id, p.id AS period, d AS day,
         b.total_source = 'legacy' AS is_legacy, b.total_bill,
         CASE WHEN b.total_source <> 'periods' THEN extract(day FROM b.billing_month + interval '1 month - 1 day')::int
              ELSE coalesce(p.end_day - p.start_day + 1, 1) END AS n,
         CASE WHEN b.total_source <> 'periods' THEN d ELSE coalesce(d - p.start_day + 1, 1) END AS k,
         c.*
  FROM billing.bill_records b
  CROSS JOIN LATERAL generate_series(1, extract(day FROM b.billing_month + interval '1 month - 1 day')::int) d
  LEFT JOIN billing.bill_pricing_periods p ON p.bill_record_id = b.id AND d BETWEEN p.start_day AND p.end_day
  CROSS JOIN LATERAL (
    SELECT (CASE WHEN b.total_source = 'periods' THEN coalesce(p.iig_qt, 0) ELSE b.iig_qt END)::numeric(10,2) AS iig_qt,
           (CASE WHEN b.total_source = 'periods' THEN coalesce(p.iig_qt_price, 0) ELSE b.iig_qt_price END)::numeric(10,2) AS iig_qt_price,
           (CASE WHEN b.total_source = 'periods' THEN coalesce(p.fna, 0) ELSE b.fna END)::numeric(10,2) AS fna,
           (CASE WHEN b.total_source = 'periods' THEN coalesce(p.fna_price, 0) ELSE b.fna_price END)::numeric(10,2) AS fna_price,
           (CASE WHEN b.total_source = 'periods' THEN coalesce(p.ggc, 0) ELSE b.ggc END)::numeric(10,2) AS ggc,
           (CASE WHEN b.total_source = 'periods' THEN coalesce(p.ggc_price, 0) ELSE b.ggc_price END)::numeric(10,2) AS ggc_price,
           (CASE WHEN b.total_source = 'periods' THEN coalesce(p.cdn, 0) ELSE b.cdn END)::numeric(10,2) AS cdn,
           (CASE WHEN b.total_source = 'periods' THEN coalesce(p.cdn_price, 0) ELSE b.cdn_price END)::numeric(10,2) AS cdn_price,
           (CASE WHEN b.total_source = 'periods' THEN coalesce(p.bdix, 0) ELSE b.bdix END)::numeric(10,2) AS bdix,
           (CASE WHEN b.total_source = 'periods' THEN coalesce(p.bdix_price, 0) ELSE b.bdix_price END)::numeric(10,2) AS bdix_price,
           (CASE WHEN b.total_source = 'periods' THEN coalesce(p.baishan, 0) ELSE b.baishan END)::numeric(10,2) AS baishan,
           (CASE WHEN b.total_source = 'periods' THEN coalesce(p.baishan_price, 0) ELSE b.baishan_price END)::numeric(10,2) AS baishan_price,
           (CASE WHEN b.total_source = 'periods' THEN coalesce(p.discount, 0) ELSE b.discount END)::numeric(10,2) AS discount
  ) c
  WHERE b.billing_month = %(month)s
), cents AS (
  SELECT days.*,
         CASE WHEN is_legacy THEN 0 ELSE round(iig_qt * iig_qt_price, 2) * 100 END AS iig_qt_c,
         CASE WHEN is_legacy THEN 0 ELSE round(fna * fna_price, 2) * 100 END AS fna_c,
         CASE WHEN is_legacy THEN 0 ELSE round(ggc * ggc_price, 2) * 100 END AS ggc_c,
         CASE WHEN is_legacy THEN 0 ELSE round(cdn * cdn_price, 2) * 100 END AS cdn_c,
         CASE WHEN is_legacy THEN 0 ELSE round(bdix * bdix_price, 2) * 100 END AS bdix_c,
         CASE WHEN is_legacy THEN 0 ELSE round(baishan * baishan_price, 2) * 100 END AS baishan_c,
         CASE WHEN is_legacy THEN 0 ELSE discount * 100 END AS discount_c,
         CASE WHEN is_legacy THEN total_bill * 100 ELSE 0 END AS other_c
  FROM days
), shares AS (
  SELECT cents.*,
         ((floor(iig_qt_c * k / n) - floor(iig_qt_c * (k - 1) / n)) / 100)::numeric(22,2) AS iig_qt_s,
         ((floor(fna_c * k / n) - floor(fna_c * (k - 1) / n)) / 100)::numeric(22,2) AS fna_s,
         ((floor(ggc_c * k / n) - floor(ggc_c * (k - 1) / n)) / 100)::numeric(22,2) AS ggc_s,
         ((floor(cdn_c * k / n) - floor(cdn_c * (k - 1) / n)) / 100)::numeric(22,2) AS cdn_s,
         ((floor(bdix_c * k / n) - floor(bdix_c * (k - 1) / n)) / 100)::numeric(22,2) AS bdix_s,
         ((floor(baishan_c * k / n) - floor(baishan_c * (k - 1) / n)) / 100)::numeric(22,2) AS baishan_s,
         ((floor(discount_c * k / n) - floor(discount_c * (k - 1) / n)) / 100)::numeric(22,2) AS discount_s,
         ((floor(other_c * k / n) - floor(other_c * (k - 1) / n)) / 100)::numeric(22,2) AS other_s
  FROM cents
)
SELECT id * 100 + day, id, period, billing_month + (day - 1), day,
       iig_qt_s + fna_s + ggc_s + cdn_s + bdix_s + baishan_s + other_s - discount_s,
       jsonb_build_object(
         'iig_qt', jsonb_build_object('quantity', iig_qt::text, 'price', iig_qt_price::text, 'amount', iig_qt_s::text),
         'fna', jsonb_build_object('quantity', fna::text, 'price', fna_price::text, 'amount', fna_s::text),
         'ggc', jsonb_build_object('quantity', ggc::text, 'price', ggc_price::text, 'amount', ggc_s::text),
         'cdn', jsonb_build_object('quantity', cdn::text, 'price', cdn_price::text, 'amount', cdn_s::text),
         'bdix', jsonb_build_object('quantity', bdix::text, 'price', bdix_price::text, 'amount', bdix_s::text),
         'baishan', jsonb_build_object('quantity', baishan::text, 'price', baishan_price::text, 'amount', baishan_s::text),
         'other', other_s::text, 'discount', discount_s::text),
       export_id
FROM shares
