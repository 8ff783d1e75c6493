"""What was migrated against what the legacy system says: the drift figures, and its daily amounts, never loaded."""

from collections.abc import Iterator

import pandas as pd
import pyarrow as pa

from billing_assets import checks, rules, sources, tables
from billing_assets.assets import BILLING, EXPORT, REPORT, STAGING
from billing_assets.assets.monthly import counted_for
from billing_assets.assets.reading import NO_REJECTS, repeats
from billing_assets.parsing.numbers import AMOUNT, decimal_type, ids, numbers
from billing_assets.parsing.rows import cells, keyed_rows
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.outcome import failed_ledger, split_by_rules

LEGACY_DAYS = "legacy_days"
_SCHEMA = pa.schema([("bill_record", pa.int64()), ("daily_amount", decimal_type(AMOUNT))])


def parsed_legacy_days(rows: pd.DataFrame) -> pd.DataFrame:
    """The legacy system's daily amounts, read."""
    return keyed_rows(
        rows,
        {"bill_record": ids(cells(rows, "bill_record")), "daily_amount": numbers(rows["daily_amount"], AMOUNT)},
    )


@BILLING.step(
    group=STAGING,
    upstream=[EXPORT],
    source=sources.bill_daily_amounts,
    checks=checks.LEGACY_DAYS_STAGED,
    kinds=("pandas", "parquet"),
)
def bill_daily_amounts_staged(step: Step) -> Write:
    """The legacy daily amounts, of which no row is loaded: each is skipped, and kept aside to be compared."""
    source, target = sources.bill_daily_amounts, tables.daily_bill_amounts.name
    given = step.export.has(source)
    step.facts["file_missing"] = int(not given)

    def compared() -> Iterator[tuple[None, pd.DataFrame]]:
        step.tally.source_rows = step.export.file_for(source).rows
        repeated = repeats(step, source)
        for batch in step.read(source):
            rows = parsed_legacy_days(batch.rows)
            _, skipped = split_by_rules(rules.recomputed, rows)
            step.label(failed_ledger(target, skipped), NO_REJECTS)
            counts = rows["id"].notna() & rows["bill_record"].notna() & ~rows["source_row"].isin(repeated)
            yield None, rows[counts]

    step.frames.write(LEGACY_DAYS, compared() if given else (), _SCHEMA)
    return counted_for(step, tables.daily_bill_amounts)


@BILLING.step(
    group=REPORT,
    upstream=["payment_rollup", "daily_bill_amounts", "bill_daily_amounts_staged"],
    checks=checks.RECONCILIATION,
    kinds=("postgres", "sql"),
)
def billing_reconciliation(step: Step) -> Write:
    """How far the migrated bills are from what the legacy system says: number of bills, totals and sums per kind."""
    step.facts.update(checks.drift_figures(step.scope()))
    return step.nothing
