"""Outcomes: one label per source row and target, decided once, by rules in their declared order.

A rule is a predicate over a whole frame with the code that rows get when they fail it. Quarantine evaluates the rules
as masks and the first that fails decides; what is left is validated by the target table's pandera schema before it is
written. How outcomes are kept in the database lives in `migration.warehouse.ledger`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import pandas as pd


class Outcome(StrEnum):
    """What became of a source row for one target."""

    LOADED = "loaded"
    MERGED = "merged"
    REJECTED = "rejected"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Rule:
    """One row rule.

    Attributes:
        code: reason code of a rejected row, or name of the rule that skips it.
        fails: frame in, one boolean per row out: True where the row does not pass.
        column: the source column that the rule is about; goes into the rejected row's detail.
        outcome: what becomes of a row that fails.
    """

    code: str
    fails: Callable[[pd.DataFrame], pd.Series]
    column: str | None = None
    outcome: Outcome = Outcome.REJECTED

    @property
    def detail(self) -> str | None:
        """Column and rule, never a value."""
        return detail_of(self.code, self.column)


def detail_of(code: str, column: str | None) -> str | None:
    """What the quarantine says of a reason code beside it: the column that it is about; None where it is about none."""
    return None if column is None else f"{column}: {code}"


def first_failing(rules: Sequence[Rule], frame: pd.DataFrame) -> np.ndarray:
    """The position of the first rule that each row fails, -1 for rows that pass all of them."""
    decided = np.full(len(frame), -1)
    for position, rule in enumerate(rules):
        failed = (decided < 0) & rule.fails(frame).to_numpy(dtype=bool)
        decided[failed] = position
    return decided


LEDGER_COLUMNS = ("target_table", "source_row", "source_pk", "outcome", "reason", "target_key")
REJECT_COLUMNS = ("target_table", "source_row", "source_pk", "reason_code", "detail", "raw")


def label(
    target_table: str,
    rows: pd.DataFrame,
    outcome: Outcome | pd.Series,
    *,
    reason: pd.Series | str | None = None,
    target_key: pd.Series | None = None,
) -> pd.DataFrame:
    """Ledger rows for source rows that share an outcome, or have one each.

    Args:
        target_table: the table that the outcome is about.
        rows: frame with columns `source_row` and `source_pk`, one row per source row; and `source_table` where the
            target is fed by several.
        outcome: the outcome, or one per row.
        reason: reason code, rule name or comma list of warning codes; same index as `rows`.
        target_key: the key of the row that was written or merged into; same index as `rows`.
    """
    return pd.DataFrame(
        {
            **_source_table(rows),
            "target_table": target_table,
            "source_row": rows["source_row"],
            "source_pk": rows["source_pk"],
            "outcome": outcome if isinstance(outcome, pd.Series) else outcome.value,
            "reason": reason,
            "target_key": target_key,
        },
        index=rows.index,
    )


def _source_table(rows: pd.DataFrame) -> dict[str, pd.Series]:
    return {"source_table": rows["source_table"]} if "source_table" in rows else {}


@dataclass(frozen=True)
class Labelled:
    """Rows to write and what became of the source rows behind them.

    Attributes:
        rows: rows for the target table, its loaded columns.
        ledger: one row per source row and target (`LEDGER_COLUMNS`).
        rejects: the rejected ones with their redacted source record as JSON text (`REJECT_COLUMNS`).
        companions: rows for further tables that the same asset writes, by table name.
    """

    rows: pd.DataFrame
    ledger: pd.DataFrame
    rejects: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(REJECT_COLUMNS)))
    companions: dict[str, pd.DataFrame] = field(default_factory=dict)


@dataclass
class Tally:
    """Counts of one asset and partition, as the run log keeps them."""

    source_rows: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    rejected_by: Counter[str] = field(default_factory=Counter)
    skipped_by: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)

    def add(self, ledger: pd.DataFrame) -> None:
        """Count the outcomes of a batch of ledger rows."""
        self.outcomes.update(_counts(ledger["outcome"]))
        for outcome, counter in ((Outcome.REJECTED, self.rejected_by), (Outcome.SKIPPED, self.skipped_by)):
            reasons = ledger.loc[ledger["outcome"] == outcome.value, "reason"]
            counter.update(_counts(reasons))
        warned = ledger.loc[ledger["outcome"] == Outcome.LOADED.value, "reason"].dropna()
        for codes, rows in warned.value_counts().items():
            self.warnings.update({code: int(rows) for code in str(codes).split(",")})

    def count_reason(self, outcome: str, reason: str | None, rows: int) -> None:
        """Count rows of an outcome by their reason code, skip rule or comma list of warning codes."""
        if outcome == Outcome.REJECTED.value and reason is not None:
            self.rejected_by[reason] += rows
        elif outcome == Outcome.SKIPPED.value and reason is not None:
            self.skipped_by[reason] += rows
        elif outcome == Outcome.LOADED.value and reason is not None:
            self.warnings.update(dict.fromkeys(reason.split(","), rows))

    def merge(self, other: "Tally") -> None:
        """Add the counts of another partition."""
        self.source_rows += other.source_rows
        for mine, theirs in zip(self.counters(), other.counters(), strict=True):
            mine.update(theirs)

    def counters(self) -> tuple[Counter[str], ...]:
        """All counters, in a fixed order."""
        return self.outcomes, self.rejected_by, self.skipped_by, self.warnings

    def count(self, outcome: Outcome) -> int:
        """How many source rows had an outcome."""
        return int(self.outcomes.get(outcome.value, 0))


def _counts(values: pd.Series) -> dict[str, int]:
    return {str(value): int(rows) for value, rows in values.value_counts().items()}


def join_codes(flags: dict[str, pd.Series]) -> pd.Series:
    """Warning codes of each row as a comma list, missing where there is none.

    Args:
        flags: per code, one boolean per row.
    """
    index = next(iter(flags.values())).index
    joined = pd.Series("", index=index, dtype="object")
    for code, flag in flags.items():
        joined[flag.astype(bool)] += f",{code}"
    return joined.str.slice(1).where(joined != "", None)


def split_by_rules(rules: Sequence[Rule], rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split rows into those that pass every rule and those that do not.

    Returns:
        The rows that pass; and the others with columns `code`, `detail` and `outcome` of the rule that decided.
    """
    decided = first_failing(rules, rows)
    fails = decided >= 0
    deciding = [rules[position] for position in decided[fails]]
    failed = rows[fails].assign(
        code=[rule.code for rule in deciding],
        detail=[rule.detail for rule in deciding],
        outcome=[rule.outcome.value for rule in deciding],
    )
    return rows[~fails] if len(failed) else rows, failed


def failed_ledger(target_table: str, failed: pd.DataFrame) -> pd.DataFrame:
    """Ledger rows of the rows that `split_by_rules` took out."""
    return label(target_table, failed, failed["outcome"], reason=failed["code"])


def rejects(target_table: str, failed: pd.DataFrame, raw: Sequence[str]) -> pd.DataFrame:
    """Quarantine rows of the rejected ones among those that `split_by_rules` took out.

    Args:
        target_table: the table that the rows do not reach.
        failed: what `split_by_rules` took out.
        raw: redacted source record of each failed row, as JSON text, in the same order.
    """
    found = pd.DataFrame(
        {
            **_source_table(failed),
            "target_table": target_table,
            "source_row": failed["source_row"],
            "source_pk": failed["source_pk"],
            "reason_code": failed["code"],
            "detail": failed["detail"],
            "raw": list(raw),
        },
        index=failed.index,
    )
    return found[failed["outcome"] == Outcome.REJECTED.value]
