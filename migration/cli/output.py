"""What the CLI prints: tables for people, JSON for machines."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from migration.report import AssetLine, CheckLine

# A pipe has no width of its own; narrow columns would break reason codes apart.
_PIPE_WIDTH = 180
_width = None if sys.stdout.isatty() else _PIPE_WIDTH
out = Console(highlight=False, width=_width)
err = Console(stderr=True, highlight=False, width=_width)
_COLOURS = {"success": "green", "passed": "green", "dry_run_ok": "green", "WARN": "yellow", "skipped": "dim"}


def coloured(status: str, colour_of: str = "") -> Text:
    """A status in the colour of what it means, or in that of another status."""
    return Text(status, _COLOURS.get(colour_of or status, "red"))


def print_problem(name: str, why: str) -> None:
    """Print what went wrong, on one line of standard error; brackets in it are text, not markup."""
    err.print(Text.assemble((name, "red"), f": {why}"), soft_wrap=True)


def print_line(*parts: str | Text | tuple[str, str]) -> None:
    """Print one line, however long; brackets in it are text, not markup."""
    out.print(Text.assemble(*parts), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value for machines."""
    out.print_json(json.dumps(value, default=str))


def print_rows(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows as a table; numbers to the right."""
    table = Table(title=Text(title), title_justify="left", header_style="bold")
    rows = [list(row) for row in rows]
    for position, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[position], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold", no_wrap=numeric)
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    out.print(table)


def _cell(value: Any) -> Text:
    """A cell as text: legacy keys may hold brackets, which rich would take for markup."""
    if isinstance(value, Text):
        return value
    if value is None:
        return Text()
    if isinstance(value, Mapping):
        return Text("\n".join(f"{name} {number}" for name, number in value.items()))
    return Text(f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value))


def print_assets(title: str, lines: Sequence[AssetLine], checks: Mapping[str, Mapping[str, int]]) -> None:
    """Print the summary of a run: one line per asset."""
    print_rows(
        title,
        ("asset", "status", "source", "loaded", "merged", "rejected", "by reason", "skipped", "checks", "seconds"),
        [
            (
                line.asset + (f" ({line.partitions} partitions)" if line.partitions else ""),
                coloured(line.status),
                line.source_rows,
                line.loaded,
                line.merged,
                line.rejected,
                line.rejected_by,
                line.skipped,
                _checks_text(checks.get(line.asset, {})),
                line.seconds,
            )
            for line in lines
        ],
    )


def _checks_text(counts: Mapping[str, int]) -> Text:
    by_level = sorted(counts.items(), key=lambda item: item[0].lower())
    return Text(" ").join(Text.assemble(f"{number} ", coloured(level)) for level, number in by_level)


def print_checks(title: str, lines: Sequence[CheckLine]) -> None:
    """Print the checks of a reconciliation."""
    print_rows(
        title,
        ("check", "asset", "status", "limits", "measures", "first keys"),
        [(c.check, c.asset, coloured(c.status), c.limits, c.measures, c.first_keys) for c in lines],
    )
