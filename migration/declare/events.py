"""What Dagster is told about a step: materializations, check results, observations, failures, and their metadata."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from migration.checks import Check, Judgement, judge
from migration.declare.run import MigrationRun, RunFacts, run_facts
from migration.declare.step import StepReport
from migration.errors import GateShut, MigrationError
from migration.outcome import Outcome, Tally
from migration.warehouse.shadow import Difference
from migration.warehouse.upsert import Changes

if TYPE_CHECKING:
    from migration.declare.asset import Declaration

FAILURES_TOLD = 5

Failures = Sequence[tuple[str | None, MigrationError]]


def declared_metadata(target: sa.Table | None) -> dict[str, Any]:
    """The catalog's facts of a target table: its name and its columns."""
    if target is None:
        return {}
    columns = [
        dg.TableColumn(
            column.name,
            type=str(column.type.compile(dialect=postgresql.dialect())),
            description=column.comment,
            constraints=dg.TableColumnConstraints(nullable=bool(column.nullable), unique=bool(column.unique)),
        )
        for column in target.columns
    ]
    return {
        "dagster/table_name": f"{target.schema}.{target.name}",
        "dagster/column_schema": dg.TableSchema(columns=columns),
    }


def error_metadata(error: MigrationError) -> dict[str, Any]:
    """The metadata of a failure: what to do next, and the run that shut a gate."""
    metadata: dict[str, Any] = {"problem": error.problem, "next_step": error.next_step, "kind": error.kind}
    if isinstance(error, GateShut) and error.blocked_by_run:
        metadata["blocked_by_run"] = dg.MetadataValue.dagster_run(error.blocked_by_run)
    return metadata


def outcome_events(
    declaration: "Declaration",
    context: dg.AssetExecutionContext,
    run: RunFacts,
    reports: Sequence[StepReport],
    empty: Sequence[str],
    failures: Failures,
    seconds: float,
) -> Iterator[Any]:
    """The events of an execution, the failure last."""
    judgements = _all_judgements(declaration, run, reports)
    only = reports[0].partition if len(reports) == 1 else None
    results = [
        check_result(declaration, j, published=_published(j, reports), dry_run=run.dry_run, partition=only)
        for j in judgements
    ]
    metadata = report_metadata(reports, seconds)
    bad = _bad_partitions(declaration, reports, failures)
    if run.dry_run:
        yield from results
        context.log_event(dg.AssetObservation(declaration.key, metadata=metadata))
        yield dg.MaterializeResult(asset_key=declaration.key, metadata=metadata)
        return
    if not bad and not failures:
        yield from _materialized(declaration, context, reports, results, metadata)
        return
    stopped = {partition for partition, _ in bad}
    for report in reports:
        if report.partition is not None and report.partition not in stopped:
            context.log_event(_partition_event(declaration, report))
    for partition in empty:
        context.log_event(dg.AssetMaterialization(declaration.key, partition=partition))
    yield from results
    raise dg.Failure(_failure_text(declaration, bad, failures), metadata=metadata, allow_retries=False)


def _published(judgement: Judgement, reports: Sequence[StepReport]) -> bool:
    return not (judgement.blocks and any(r.blocked for r in reports))


def _materialized(
    declaration: "Declaration",
    context: dg.AssetExecutionContext,
    reports: Sequence[StepReport],
    results: list[dg.AssetCheckResult],
    metadata: dict[str, Any],
) -> Iterator[Any]:
    fingerprints = [r.fingerprint for r in reports if r.fingerprint]
    version = dg.DataVersion(fingerprints[0]) if len(fingerprints) == 1 else None
    if declaration.partitioning is not None:
        for report in reports:
            context.add_asset_metadata(
                counts_metadata(report.tally), asset_key=declaration.key, partition_key=report.partition
            )
    yield dg.MaterializeResult(
        asset_key=declaration.key, metadata=metadata, check_results=results, data_version=version
    )


def _partition_event(declaration: "Declaration", report: StepReport) -> dg.AssetMaterialization:
    tags = {"dagster/data_version": report.fingerprint} if report.fingerprint else {}
    return dg.AssetMaterialization(
        declaration.key, partition=report.partition, metadata=counts_metadata(report.tally), tags=tags
    )


def _bad_partitions(
    declaration: "Declaration", reports: Sequence[StepReport], failures: Failures
) -> list[tuple[str | None, list[str]]]:
    bad = [(r.partition, [j.check.name for j in r.judgements if j.blocks]) for r in reports if r.blocked]
    if declaration.fails_after_publishing is not None:
        found = [(r.partition, [j.check.name for j in r.judgements if j.blocks]) for r in reports]
        bad.extend((partition, names) for partition, names in found if names)
    return bad


def _failure_text(declaration: "Declaration", bad: Sequence[tuple[str | None, list[str]]], failures: Failures) -> str:
    lines = [f"{_named(partition)}{error.kind}: {error}" for partition, error in failures]
    for partition, names in bad:
        what = "Found" if declaration.fails_after_publishing is not None else "Blocked, no row published"
        lines.append(f"{_named(partition)}{what}: {', '.join(names)}.")
    more = len(lines) - FAILURES_TOLD
    return " ".join([*lines[:FAILURES_TOLD], *([f"So did {more} more partitions."] if more > 0 else [])])


def _named(partition: str | None) -> str:
    return f"[{partition}] " if partition else ""


# --- checks -----------------------------------------------------------------------------------------------------------


def _all_judgements(declaration: "Declaration", run: RunFacts, reports: Sequence[StepReport]) -> list[Judgement]:
    """One judgement per declared check: those of the partitions combined, the others measured over the whole table."""
    by_name: dict[str, list[Judgement]] = {}
    for report in reports:
        for judgement in report.judgements:
            by_name.setdefault(judgement.check.name, []).append(judgement)
    missing = [check for check in declaration.checks if check.name not in by_name]
    # What is audited per partition has nothing to say where no partition of the run has rows.
    nothing = {
        c.name: Judgement(c, pd.DataFrame(), None, []) for c in missing if declaration.partitioning and c.blocking
    }
    missing = [check for check in missing if check.name not in nothing]
    afterwards = nothing | (_measure_afterwards(declaration, run, missing) if missing else {})
    return [
        _combined(by_name[check.name]) if check.name in by_name else afterwards[check.name]
        for check in declaration.checks
    ]


def _measure_afterwards(declaration: "Declaration", run: RunFacts, checks: Sequence[Check]) -> dict[str, Judgement]:
    with run.engine.connect() as connection:
        scope = declaration.system.scope_of_last_run(declaration, connection, run)
        if run.dry_run:
            schema = str(declaration.system.metadata.schema)
            connection.execution_options(schema_translate_map={schema: f"{schema}__dry_run"})
        if scope is None:
            return {check.name: Judgement(check, pd.DataFrame(), None, []) for check in checks}
        return {check.name: judge(check, scope) for check in checks}


def _combined(judgements: list[Judgement]) -> Judgement:
    """The judgements of one check over many partitions: measures added up, the worst level, the first keys."""
    if len(judgements) == 1:
        return judgements[0]
    measures = pd.concat([j.measures for j in judgements], ignore_index=True)
    numeric = [c for c in measures.columns if measures[c].map(lambda v: isinstance(v, int | Decimal)).all()]
    total = pd.DataFrame([{c: sum(measures[c].tolist()) for c in numeric}], dtype=object)
    worst = max(judgements, key=lambda j: ("WARN", "ERROR").index(j.level) + 1 if j.level else 0)
    return Judgement(worst.check, total, worst.level, [key for j in judgements for key in j.keys][:10])


def check_result(
    declaration: "Declaration", judgement: Judgement, *, published: bool, dry_run: bool, partition: str | None = None
) -> dg.AssetCheckResult:
    """What Dagster is told of a check: passed or not, how severe, the measures, the limits, the first failing keys.

    Dagster's own checks know no partitions, so that of a step that ran one is named beside its measures.
    """
    check = judgement.check
    # Dagster stops a run at a blocking check that is an error, and a dry run goes on to its end.
    severe = judgement.level == "ERROR" and not (dry_run and check.blocking)
    description = "within its limits" if judgement.passed else f"{judgement.level}: {check.limits_text()}"
    if not published:
        description += "; rows not published"
    metadata: dict[str, Any] = {"limits": check.limits_text(), **measures_metadata(judgement.measures)}
    if partition is not None:
        metadata["partition"] = partition
    if judgement.keys:
        metadata["first_keys"] = dg.MetadataValue.json(judgement.keys)
    return dg.AssetCheckResult(
        passed=judgement.passed,
        check_name=check.name,
        asset_key=declaration.key,
        severity=dg.AssetCheckSeverity.ERROR if severe else dg.AssetCheckSeverity.WARN,
        description=description,
        metadata=metadata,
    )


def measures_metadata(measures: pd.DataFrame) -> dict[str, Any]:
    """Measures as metadata: one row as plain numbers, which the UI plots; several as a table."""
    if len(measures) == 1:
        row = {str(name): measures[name].iloc[0] for name in measures.columns}
        return {name: plain(value) for name, value in row.items() if value is not None and not pd.isna(value)}
    if measures.empty:
        return {}
    records = [
        dg.TableRecord({str(name): _cell(value) for name, value in row.items()})
        for row in measures.head(50).to_dict("records")
    ]
    return {"measures": dg.MetadataValue.table(records), "rows": len(measures)}


def _cell(value: Any) -> Any:
    return plain(value) if not isinstance(value, dg.MetadataValue) else value.value


def plain(value: Any) -> Any:
    """A number or short text as metadata holds it; exact decimals become text when a float would change them."""
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal):
        return float(value) if Decimal(repr(float(value))) == value or abs(value) < 1 else str(value)
    return str(value)


def check_only(
    declaration: "Declaration", context: dg.AssetExecutionContext, options: MigrationRun
) -> Iterator[dg.AssetCheckResult]:
    """Measure the selected checks on what is in the database now, writing nothing."""
    run = run_facts(context, options)
    selected = {key.name for key in context.op_execution_context.selected_asset_check_keys}
    with run.engine.connect() as connection:
        scope = declaration.system.scope_of_last_run(declaration, connection, run)
        for check in declaration.checks:
            if check.name not in selected:
                continue
            if scope is None:
                yield _never_ran(declaration, check)
            else:
                yield check_result(declaration, judge(check, scope), published=True, dry_run=False)


def _never_ran(declaration: "Declaration", check: Check) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=True,
        check_name=check.name,
        asset_key=declaration.key,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{declaration.name} has not succeeded for any export yet: nothing to measure.",
    )


# --- metadata ---------------------------------------------------------------------------------------------------------


def counts_metadata(tally: Tally) -> dict[str, Any]:
    """The counts of a tally as metadata."""
    return {"source_rows": tally.source_rows, **{o.value: tally.count(o) for o in Outcome}}


def report_metadata(reports: Sequence[StepReport], seconds: float) -> dict[str, Any]:
    """What the catalog shows of a materialization: counts, reasons, changes, times."""
    total, changes = Tally(), Changes()
    for report in reports:
        total.merge(report.tally)
        changes += report.changes
    metadata: dict[str, Any] = {
        **counts_metadata(total),
        "dagster/row_count": total.count(Outcome.LOADED),
        "rows_inserted": changes.inserted,
        "rows_updated": changes.updated,
        "rows_deleted": changes.deleted,
        "step_seconds": round(sum(r.seconds for r in reports), 3),
        "asset_seconds": round(seconds, 3),
    }
    for name in ("rejected_by", "skipped_by", "warnings"):
        counter = getattr(total, name)
        if counter:
            metadata[name] = dg.MetadataValue.json(dict(sorted(counter.items())))
    return metadata | _facts_metadata(reports)


def _facts_metadata(reports: Sequence[StepReport]) -> dict[str, Any]:
    """What the steps showed beside their counts; numbers of several partitions are added up."""
    metadata: dict[str, Any] = {}
    for report in reports:
        for name, value in report.facts.items():
            known = metadata.get(name, 0)
            added = isinstance(value, int) and isinstance(known, int) and not isinstance(value, bool)
            metadata[name] = known + value if added else _fact(value)
    return metadata


def _fact(value: Any) -> Any:
    if isinstance(value, Difference):
        return dg.MetadataValue.json(vars(value))
    if isinstance(value, Mapping | list | tuple):
        return dg.MetadataValue.json(value)
    return plain(value)
