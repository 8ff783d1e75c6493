"""The quality report of a batch: every gate and check with its figures, written for people and for machines."""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import sqlalchemy as sa

from booking_assets.assets import BOOKING, QUALITY
from booking_assets.checks import CONSERVATION
from booking_assets.checks import quality as checks
from booking_assets.quality import Finding, QualityReport, write_quality_report
from booking_assets.tables import DEFAULT_BATCH_CODE
from migration.checks import Judgement, judge
from migration.declare.asset import Declaration, Write
from migration.declare.code import code_digest
from migration.declare.run import RunFacts
from migration.declare.step import Step
from migration.errors import SetupError
from migration.report import asset_lines
from migration.warehouse.runlog import Status

BATCH_CODE_TAG = "PHASE2_BATCH_CODE"
_NAME_OF_FOLDER = re.compile(r"\w[\w.-]*")
_NUMBERS = (int, Decimal)
_GOOD = (Status.SUCCESS.value, Status.DRY_RUN_OK.value)


def batch_code(run: RunFacts) -> str:
    """The code under which the run's batch is known."""
    return run.tags.get(BATCH_CODE_TAG, DEFAULT_BATCH_CODE)


def _facts_of_run(run: RunFacts) -> dict[str, object]:
    """What the legacy batch scripts logged of a run, beside what every system logs."""
    return {"batch_code": batch_code(run)[:16], "script_checksum": code_digest(BOOKING.name)}


def _further_facts(step: Step) -> dict[str, object]:
    """What they logged of a script that had ended."""
    changes = step.changes
    return {
        "rows_affected": changes.inserted + changes.updated + changes.deleted,
        "report_path": step.facts.get("report_path"),
    }


BOOKING.facts_of_run, BOOKING.further_facts = _facts_of_run, _further_facts


@BOOKING.step(
    group=QUALITY,
    upstream=[
        "catalog_variant_rate",
        "channel_external_refs",
        "booking_party",
        "ops_finance_bridge",
        "ingest_dead_letter",
    ],
    checks=checks.QUALITY_REPORT,
    kinds=("python", "markdown"),
    has_gates=False,
)
def quality_report(step: Step) -> Write:
    """The quality of what is in the tables: gates, checks, figures and the exceptions that a person should see.

    Has no gates of its own: a batch that was blocked is what it reports on.

    Raises:
        SetupError: the code of the batch is no name of a folder.
    """
    if not _NAME_OF_FOLDER.fullmatch(batch_code(step.run)):
        raise SetupError(
            f"The tag {BATCH_CODE_TAG} names no batch.", "Use letters, digits, dots, hyphens and underscores."
        )
    # The report's own times are when it was made; nothing that is migrated follows from them.
    started = dt.datetime.now(dt.UTC)
    own = [_finding(judge(check, step.scope()), check.name) for check in checks.QUALITY_REPORT]
    found = [*_gates(step), *_measured(step), *own]
    report = QualityReport(
        batch_code(step.run),
        started,
        dt.datetime.now(dt.UTC),
        step.export.export_id,
        found,
        [str(key) for key in step.connection.scalars(checks.drifting_bookings())],
    )
    folder = step.run.settings.reports / "recon" / "quality" / report.batch_code
    path = write_quality_report(report, folder / "dry-run" if step.run.dry_run else folder)
    step.facts |= {"report_path": str(path), "result": report.result, "failed": report.failed}
    return step.nothing


def _gates(step: Step) -> Iterator[Finding]:
    """The assets that have been run for this export: a gate is shut where the last run has not succeeded."""
    log = BOOKING.books.run_log
    mine = sa.and_(log.c.export_id == step.export.export_id, log.c.dry_run.is_(step.run.dry_run))
    mine = sa.and_(mine, log.c.asset != "quality_report")
    with step.run.engine.connect() as live:
        lines = asset_lines(live, BOOKING, mine)
    for line in lines:
        level = None if line.status in _GOOD else "ERROR"
        yield Finding(f"gate {line.asset}", {}, "", level, line.error or line.status)


def _measured(step: Step) -> Iterator[Finding]:
    """Every check of every asset, measured on the tables as they are."""
    with step.run.engine.connect() as live:
        for declaration in BOOKING.in_order():
            if declaration.name != "quality_report":
                yield from _measured_of(step, live, declaration)


def _measured_of(step: Step, live: sa.Connection, declaration: Declaration) -> Iterator[Finding]:
    scope = BOOKING.scope_of_last_run(declaration, live, step.run)
    for check in declaration.checks if scope is not None else ():
        assert scope is not None  # noqa: S101 - the loop is empty otherwise
        name = check.name if check.name != CONSERVATION else f"{check.name} {declaration.name}"
        yield _finding(judge(check, replace(scope, connection=step.connection)), name)


def _finding(judged: Judgement, name: str) -> Finding:
    """What a check has found; of several channels or months the greatest of each figure."""
    numbers = judged.measures.select_dtypes("object").map(lambda value: value if isinstance(value, _NUMBERS) else None)
    greatest = {str(column): max(numbers[column].dropna(), default=None) for column in numbers.columns}
    measures = {column: value for column, value in greatest.items() if value is not None}
    return Finding(name, measures, judged.check.limits_text(), judged.level, f"{len(judged.measures)} measured")
