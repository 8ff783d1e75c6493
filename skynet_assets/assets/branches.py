"""Branch summaries from the legacy dashboard, and what they say against what was migrated."""

import datetime as dt

import numpy as np
import pandas as pd
import sqlalchemy as sa

from migration.declare.asset import Write
from migration.declare.step import Step, stage_labelled
from migration.outcome import Labelled, Outcome, failed_ledger, join_codes, label, rejects, split_by_rules
from migration.parsing.cells import parse_each
from migration.parsing.keys import legacy_uuid
from migration.parsing.records import raw_json
from skynet_assets import checks, rules, sources, tables
from skynet_assets.assets import REPORTING, SKYNET, is_secret
from skynet_assets.months import reference_month
from skynet_assets.parsing.money import money
from skynet_assets.parsing.problem import Problem
from skynet_assets.parsing.statuses import branch_count, is_total_row
from skynet_assets.parsing.text import name_key, text
from skynet_assets.reconciliation import reconciliation

COUNTS = {
    "jumlah_pelanggan": "customers_total",
    "pelanggan_baru": "customers_new",
    "pelanggan_free": "customers_free",
    "pelanggan_lunas": "customers_paid",
    "pelanggan_belum_lunas": "customers_unpaid",
}
AMOUNTS = {
    "total_pemasukan": "income_total",
    "total_pengeluaran": "expense_total",
    "balance": "balance",
    "total_estimasi": "estimated_total",
}
VALUES = (*COUNTS.values(), *AMOUNTS.values())


def parsed_branches(rows: pd.DataFrame) -> pd.DataFrame:
    """Branch rows with their values read, and how each compares with the first row of its branch.

    Args:
        rows: cells of the branch file.

    Returns:
        Columns of the target, `is_total`, `repeats`, `conflicts` and `warnings`.
    """
    found = pd.DataFrame(
        {
            "source_row": rows["source_row"],
            "source_pk": "row:" + rows["source_row"].astype(str),
            "malformed": rows["malformed"],
            "branch_name": parse_each(rows["cabang"], text),
            "branch_key": parse_each(rows["cabang"], name_key),
        }
    )
    invalid = {"branch_count_invalid": _false(rows), "branch_money_invalid": _false(rows)}
    for code, columns, parser in (
        ("branch_count_invalid", COUNTS, branch_count),
        ("branch_money_invalid", AMOUNTS, money),
    ):
        for source, column in columns.items():
            value = parse_each(rows[source], parser)
            invalid[code] |= value == Problem.INVALID
            found[column] = value.where(~value.map(lambda v: isinstance(v, Problem)), None).astype(object)
    found["warnings"] = join_codes(invalid)
    return _with_repeats(_with_balance(found))


def _false(rows: pd.DataFrame) -> pd.Series:
    return pd.Series(np.zeros(len(rows), dtype=bool), index=rows.index)


def _with_balance(found: pd.DataFrame) -> pd.DataFrame:
    """Derive a balance that is not known, and say whether the balance is what income and expense make it."""
    both = found["income_total"].notna() & found["expense_total"].notna()
    difference = pd.Series(None, index=found.index, dtype=object)
    difference[both] = found.loc[both, "income_total"] - found.loc[both, "expense_total"]
    balance = found["balance"].where(found["balance"].notna(), difference)
    mismatch = pd.Series(None, index=found.index, dtype=object)
    judged = both & balance.notna()
    mismatch[judged] = balance[judged] != difference[judged]
    return found.assign(balance=balance, balance_mismatch=mismatch)


def _with_repeats(found: pd.DataFrame) -> pd.DataFrame:
    key = found["branch_key"]
    total = pd.Series([k is not None and is_total_row(k) for k in key], index=key.index, dtype=bool)
    named = key.notna() & ~total
    repeated = named & key.where(named).duplicated()
    values = pd.Series([tuple(row) for row in found[list(VALUES)].to_numpy()], index=found.index, dtype=object)
    first = dict(zip(key[named & ~repeated], values[named & ~repeated], strict=True))
    same = pd.Series([first.get(k) == v for k, v in zip(key, values, strict=True)], index=found.index, dtype=bool)
    return found.assign(is_total=total, repeats=repeated & same, conflicts=repeated & ~same)


def branch_id(branch_key: str, month: dt.date | None) -> str:
    """The id of a branch summary."""
    return str(legacy_uuid(f"skynet:branches:{branch_key}|{'' if month is None else f'{month:%Y-%m}'}"))


def branch_rows(rows: pd.DataFrame, records: list[object], month: dt.date | None) -> Labelled:
    """Rows of the branch summaries and the outcome of each source row.

    Args:
        rows: cells of the branch file.
        records: the source records, aligned with the rows.
        month: the month that the dashboard stands for, if it is known.
    """
    passed, failed = split_by_rules(rules.branch, parsed_branches(rows))
    ids = pd.Series([branch_id(key, month) for key in passed["branch_key"]], index=passed.index, dtype=object)
    outcome = pd.Series(Outcome.LOADED.value, index=passed.index)
    outcome[passed["repeats"]] = Outcome.MERGED.value
    loaded = outcome == Outcome.LOADED.value
    ledger = pd.concat(
        [
            failed_ledger("branch_summaries", failed),
            label("branch_summaries", passed, outcome, reason=passed["warnings"].where(loaded, None), target_key=ids),
        ]
    )
    raw = [raw_json(records[position], is_secret) for position in failed.index]
    return Labelled(passed.assign(id=ids, period=month)[loaded], ledger, rejects("branch_summaries", failed, raw))


def warnings_of_repeats(rows: pd.DataFrame) -> list[str]:
    """Warning codes of the rows of a branch after its first: they count although they are not loaded."""
    parsed = parsed_branches(rows)
    repeated = parsed[parsed["repeats"] | parsed["conflicts"]]
    return [code for codes in repeated["warnings"].dropna() for code in codes.split(",")]


@SKYNET.step(
    group=REPORTING,
    upstream=["export", "payments_clean"],
    source=sources.branches,
    target=tables.branch_summaries,
    checks=checks.BRANCH_SUMMARIES,
    kinds=("postgres", "table"),
)
def branch_summaries(step: Step) -> Write:
    """Branch dashboard, one row per branch for the month of the export; without a file no rows and a warning."""
    month = reference_month(step.export.exported_at) or _latest_paid_month(step)
    batches = list(step.read(sources.branches)) if step.export.has(sources.branches) else []
    rows = [batch.rows for batch in batches]
    labelled = []
    if rows:
        frame = pd.concat(rows, ignore_index=True)
        labelled = [branch_rows(frame, [record for batch in batches for record in batch.records], month)]
        step.tally.source_rows = step.export.file_for(sources.branches).rows
        step.tally.warnings.update(warnings_of_repeats(frame))
    upsert = stage_labelled(step, tables.branch_summaries, labelled, {})

    def write() -> None:
        upsert()
        _supersede_other_months(step)

    return write


def _supersede_other_months(step: Step) -> None:
    """Remove rows of this export for another month: without a date of its own, its month follows its payments."""
    table = tables.branch_summaries
    still = sa.select(step.stage_of(table).c.id)
    gone = (table.c.export_id == step.export.export_id) & table.c.id.not_in(still)
    step.facts["superseded"] = step.delete(table, gone)


def _latest_paid_month(step: Step) -> dt.date | None:
    months = step.frames.parts("payments_clean")
    return dt.date.fromisoformat(max(months)) if months else None


# --- reconciliation ---------------------------------------------------------------------------------------------------


@SKYNET.step(
    group=REPORTING,
    upstream=["branch_summaries", "customers", "invoices", "transactions"],
    source=None,
    checks=checks.BRANCH_RECONCILIATION,
    kinds=("postgres",),
)
def branch_reconciliation(step: Step) -> Write:
    """What the branch dashboard says against what was migrated: customers, paid and unpaid invoices, income."""
    compared = step.scope().fetch(reconciliation(step.export.export_id))
    step.tally.source_rows = len(compared)
    step.tally.outcomes[Outcome.LOADED.value] = len(compared)
    step.facts["compared"] = len(compared)
    return step.nothing
