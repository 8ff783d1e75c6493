"""Reports: the reconciliation of an export as typed rows, for the terminal, for Markdown and for machines."""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from migration.checks import judge
from migration.declare.run import MigrationRun, RunFacts
from migration.settings import Settings
from migration.warehouse.runlog import Status

if TYPE_CHECKING:
    from migration.declare.system import System

COUNTS = ("source_rows", "loaded", "merged", "rejected", "skipped")


@dataclass(frozen=True)
class AssetLine:
    """How an asset stands: its counts over all partitions of its last run for the export."""

    asset: str
    status: str
    source_rows: int
    loaded: int
    merged: int
    rejected: int
    skipped: int
    rejected_by: dict[str, int]
    skipped_by: dict[str, int]
    warnings: dict[str, int]
    seconds: float
    partitions: int
    error: str | None


@dataclass(frozen=True)
class CheckLine:
    """How a check stands now: its measures against its limits."""

    asset: str
    check: str
    status: str
    blocking: bool
    limits: str
    measures: str
    first_keys: str


@dataclass(frozen=True)
class Reconciliation:
    """The reconciliation of one system and export."""

    system: str
    export_id: str
    measured_at: str
    assets: list[AssetLine]
    checks: list[CheckLine]

    @property
    def sound(self) -> bool:
        """Whether every asset has succeeded and no check is an error."""
        good = all(line.status in ("success", "dry_run_ok") for line in self.assets)
        return good and not any(line.status == "ERROR" for line in self.checks)


def asset_lines(connection: sa.Connection, system: "System", where: sa.ColumnElement[bool]) -> list[AssetLine]:
    """The run log's lines that a condition selects, partitions added up, the newest run of each."""
    log = system.books.run_log
    newest = (
        sa.select(log)
        .ext(distinct_on(log.c.asset, sa.func.coalesce(log.c.partition, sa.literal_column("''"))))
        .where(where)
        .order_by(log.c.asset, sa.func.coalesce(log.c.partition, sa.literal_column("''")), log.c.started_at.desc())
    )
    by_asset: dict[str, list[Any]] = {}
    for row in connection.execute(newest):
        by_asset.setdefault(row.asset, []).append(row)
    return [_asset_line(each.name, by_asset[each.name]) for each in system.in_order() if each.name in by_asset]


def _asset_line(name: str, rows: Sequence[Any]) -> AssetLine:
    statuses = {row.status for row in rows}
    bad = [row for row in rows if row.status not in ("success", "dry_run_ok")]
    errors = [row.error for row in bad if row.error]
    return AssetLine(
        asset=name,
        status=bad[0].status if bad else statuses.pop(),
        rejected_by=_added(row.rejected_by for row in rows),
        skipped_by=_added(row.skipped_by for row in rows),
        warnings=_added(row.warnings for row in rows),
        seconds=round(sum((row.finished_at - row.started_at).total_seconds() for row in rows if row.finished_at), 3),
        partitions=sum(row.partition is not None for row in rows),
        error=errors[0] if errors else None,
        **{count: sum(getattr(row, count) for row in rows) for count in COUNTS},
    )


def _added(counters: Any) -> dict[str, int]:
    total: dict[str, int] = {}
    for counter in counters:
        for name, rows in counter.items():
            total[name] = total.get(name, 0) + rows
    return dict(sorted(total.items()))


def reconcile(
    engine: sa.Engine, system: "System", settings: Settings, export_id: str, now: dt.datetime
) -> Reconciliation:
    """Bring together what the run log has of an export and what every check measures now."""
    log = system.books.run_log
    run = RunFacts("report", dry_run=False, options=MigrationRun(export_id=export_id), settings=settings)
    checks: list[CheckLine] = []
    with engine.connect() as connection:
        assets = asset_lines(connection, system, (log.c.export_id == export_id) & log.c.dry_run.is_(False))
        for declaration in system.in_order():
            scope = system.scope_of_last_run(declaration, connection, run) if declaration.checks else None
            # What a newer export has taken over is no longer this export's to be measured.
            if scope is None or _newest_export_of(connection, system, declaration.name) != export_id:
                continue
            for check in declaration.checks:
                judged = judge(check, scope)
                checks.append(
                    CheckLine(
                        asset=declaration.name,
                        check=check.name,
                        status=judged.level or "passed",
                        blocking=check.blocking,
                        limits=check.limits_text(),
                        measures=_measures_text(judged.measures.head(3).to_dict("records")),
                        first_keys=", ".join(judged.keys),
                    )
                )
    return Reconciliation(system.name, export_id, now.isoformat(timespec="seconds"), assets, checks)


def _newest_export_of(connection: sa.Connection, system: "System", asset: str) -> str | None:
    """The export of an asset's last successful live run."""
    log = system.books.run_log
    return connection.scalar(
        sa.select(log.c.export_id)
        .where(log.c.asset == asset, log.c.status == Status.SUCCESS.value, log.c.dry_run.is_(False))
        .order_by(log.c.finished_at.desc())
        .limit(1)
    )


def _measures_text(rows: list[dict[Any, Any]]) -> str:
    return "; ".join(
        ", ".join(f"{name} {_short(value)}" for name, value in row.items() if value is not None) for row in rows
    )


def _short(value: Any) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".") if not isinstance(value, int | str | bool) else str(value)


_MARKDOWN = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True).from_string(  # noqa: S701 - Markdown, no HTML
    """# Reconciliation of {{ r.system }}, export {{ r.export_id }}

Measured {{ r.measured_at }}. {{ "Sound." if r.sound else "NOT sound: see the lines below." }}

| asset | status | source | loaded | merged | rejected | skipped | reasons |
|---|---|--:|--:|--:|--:|--:|---|
{% for a in r.assets %}
| {{ a.asset }} | {{ a.status }} | {{ a.source_rows }} | {{ a.loaded }} | {{ a.merged }} | {{ a.rejected }} | \
{{ a.skipped }} | {{ a.rejected_by | items | map("join", " ") | join(", ") }} |
{% endfor %}

| check | asset | status | limits | measures | first keys |
|---|---|---|---|---|---|
{% for c in r.checks %}
| {{ c.check }} | {{ c.asset }} | {{ c.status }} | {{ c.limits }} | {{ c.measures }} | {{ c.first_keys }} |
{% endfor %}
"""
)


def to_markdown(reconciliation: Reconciliation) -> str:
    """A reconciliation as Markdown."""
    return _MARKDOWN.render(r=reconciliation)


def to_json(reconciliation: Reconciliation) -> str:
    """A reconciliation as JSON."""
    return json.dumps(asdict(reconciliation) | {"sound": reconciliation.sound}, indent=1)


def write_report(reconciliation: Reconciliation, folder: Path) -> Path:
    """Write both forms below the reports folder; gives the Markdown file."""
    place = folder / reconciliation.system
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{reconciliation.export_id}.md"
    path.write_text(to_markdown(reconciliation), encoding="utf-8")
    path.with_suffix(".json").write_text(to_json(reconciliation), encoding="utf-8")
    return path
