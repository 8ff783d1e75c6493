"""The commands of `migrate`."""

import dataclasses
import datetime as dt
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints
from uuid import uuid4

import sqlalchemy as sa
import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from migration import embedded, runs
from migration.cli import output
from migration.cli.extracting import extract
from migration.declare.failures import as_ours
from migration.declare.parts import PartRollback
from migration.declare.run import engine_of
from migration.declare.system import EXPORT_NOTE
from migration.dev import run_dev
from migration.errors import SetupError
from migration.explain import explain as explain_subject
from migration.exports.find import list_exports
from migration.exports.verify import Export
from migration.frames import FrameStore
from migration.report import AssetLine, Reconciliation, asset_lines, reconcile, write_report
from migration.rollback import RollbackRequest, roll_back
from migration.settings import Settings, read_settings
from migration.warehouse.connect import psycopg_url
from migration.warehouse.ddl import ensure_schema

USAGE, FAILED = 2, 1

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Carries legacy systems into PostgreSQL. Settings come from the environment (MIGRATION_…).",
)
System = Annotated[str, typer.Argument(help="skynet, meter, booking, billing or dental")]
ExportId = Annotated[str, typer.Option("--export", help="The export; by default the newest complete one.")]
FileFormat = Literal["json", "jsonl", "csv", "parquet"]
KnowingExport = Annotated[str, typer.Option("--export", help="The export; by default the newest that knows it.")]
LastExport = Annotated[str, typer.Option("--export", help="The export; by default the one that was run last.")]
Yes = Annotated[bool, typer.Option("--yes", help="Answer every confirmation with yes.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def main() -> None:
    """Run the command line; every error is one line with its next step."""
    try:
        app()
    except SetupError as error:
        output.print_problem(error.kind, str(error))
        sys.exit(USAGE)
    except Exception as error:
        ours = as_ours(error)
        output.print_problem(ours.kind, str(ours))
        sys.exit(FAILED)


# --- run --------------------------------------------------------------------------------------------------------------


@app.command()
def run(
    system: System,
    export: ExportId = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write to the shadow schema only.")] = False,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only this asset; may be repeated.")] = None,
    partition: Annotated[
        list[str] | None, typer.Option("--partition", help="Only this independent partition; may be repeated.")
    ] = None,
    yes: Yes = False,
    options: Annotated[list[str] | None, typer.Option("--set", help="A run option, key=value.")] = None,
    as_json: AsJson = False,
) -> None:
    """Carry one export of a system through."""
    settings, location, engine = _open(system)
    chosen = _options(location, options or [])
    chosen |= ({"export_id": export} if export else {}) | ({"confirm": True} if yes else {})
    request = runs.Request(chosen, dry_run, tuple(only or ()), tuple(partition or ()))
    with _progress(f"{system} {'dry run' if dry_run else 'migration'}") as on_step:
        finished = list(runs.carry_through(location, settings, request, on_step))
    if not finished:
        raise SetupError(f"{system} holds nothing to run that for.", "Load an export first.")
    lines = _lines_of(engine, location, finished)
    issues = _with_issues(engine, location, finished)
    if as_json:
        output.print_json(_as_json(finished, lines))
    else:
        _print_finished(system, finished, lines, issues)
    if issues or any(not each.success or each.error_checks for each in finished):
        raise typer.Exit(FAILED)


def _lines_of(engine: sa.Engine, location: runs.Location, finished: Sequence[runs.Finished]) -> list[AssetLine]:
    log = location.system.books.run_log
    with engine.connect() as connection:
        return asset_lines(connection, location.system, log.c.run_id.in_([each.run_id for each in finished]))


def _with_issues(engine: sa.Engine, location: runs.Location, finished: Sequence[runs.Finished]) -> set[str]:
    """The dry runs that have found what would stop a live one."""
    log = location.system.books.run_log
    mine = log.c.run_id.in_([each.run_id for each in finished])
    with engine.connect() as connection:
        return set(connection.scalars(sa.select(log.c.run_id).where(mine, log.c.status == "dry_run_issues").distinct()))


def _as_json(finished: Sequence[runs.Finished], lines: Sequence[AssetLine]) -> dict[str, Any]:
    """The runs for machines; what one run says stands at the top, whether or not there were more."""
    return {
        "success": all(each.success for each in finished),
        "run_id": finished[0].run_id if finished else None,
        "runs": [dataclasses.asdict(each) for each in finished],
        "assets": [dataclasses.asdict(line) for line in lines],
        "failures": {
            f"{each.partition}: {name}" if each.partition else name: why
            for each in finished
            for name, why in each.failures.items()
        },
        "checks": _checks_of(finished),
        "differences": {name: found for each in finished for name, found in each.differences.items()},
    }


def _checks_of(finished: Sequence[runs.Finished]) -> dict[str, dict[str, int]]:
    """How many checks of each asset ended how, over all runs."""
    total: dict[str, dict[str, int]] = {}
    for each in finished:
        for asset, levels in each.checks.items():
            for level, number in levels.items():
                total.setdefault(asset, {})[level] = total.get(asset, {}).get(level, 0) + number
    return total


def _print_finished(
    system: str, finished: Sequence[runs.Finished], lines: Sequence[AssetLine], issues: set[str]
) -> None:
    title = f"{finished[0].job} · run {finished[0].run_id}" if len(finished) == 1 else f"{system}: {len(finished)} runs"
    output.print_assets(title, lines, _checks_of(finished))
    _print_partitions(finished, issues)
    for each in finished:
        _print_differences(each)
        for step, why in each.failures.items():
            output.print_problem(
                step, why if why.startswith("[") or not each.partition else f"[{each.partition}] {why}"
            )
    for line in _follow_up(finished):
        output.print_line(f"Then: {line}")


def _print_partitions(finished: Sequence[runs.Finished], issues: set[str]) -> None:
    """How each independent partition ended."""

    def how(each: runs.Finished) -> Text | str:
        if not each.success:
            return f"stopped at {each.stopped_at}"
        return "a live run would stop" if each.run_id in issues else output.coloured("success")

    ended = [each for each in finished if each.partition]
    if ended:
        output.print_rows(
            "Partitions",
            ("partition", "ended", "run"),
            [(each.partition, how(each), each.run_id) for each in ended],
        )


def _follow_up(finished: Sequence[runs.Finished]) -> list[str]:
    """What people should do after the migration, as its last assets say."""
    said = [facts["follow_up"] for each in finished for facts in each.facts.values() if "follow_up" in facts]
    return list(said[-1]) if said else []


def _print_differences(finished: runs.Finished) -> None:
    """Of a dry run: what a live run would change."""
    if finished.differences:
        columns = ("inserted", "updated", "deleted", "unchanged")
        where = f" in partition {finished.partition}" if finished.partition else ""
        output.print_rows(
            f"What a live run would change{where}",
            ("asset", *columns, "first keys"),
            [
                (asset, *(found[name] for name in columns), ", ".join(found["keys"]))
                for asset, found in finished.differences.items()
            ],
        )


def _options(location: runs.Location, pairs: list[str]) -> dict[str, Any]:
    """Run options from `key=value` texts, in the types that the location declares them with.

    Raises:
        SetupError: an option does not exist, or its value has another type.
    """
    declared = runs.options_type(location)
    types = {name: hint for name, hint in get_type_hints(declared).items() if name in declared.model_fields}
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or key not in types:
            raise SetupError(f"There is no run option in {key!r}.", f"Options: {', '.join(sorted(types))}.")
        found[key] = _typed(key, value, types[key])
    return found


def _typed(key: str, value: str, kind: Any) -> Any:
    if kind is bool:
        if value.lower() not in ("true", "false"):
            raise SetupError(f"The option {key} is true or false.", f"Write --set {key}=true.")
        return value.lower() == "true"
    return [part for part in value.split(",") if part] if kind == list[str] else value


@contextmanager
def _progress(title: str) -> Iterator[Callable[[str, str], None]]:
    """The steps of a migration as they end, and what long ones tell of their pace, on standard error."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.completed} steps"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=output.err, transient=True) as bar:
        task = bar.add_task(title, total=None)

        def on_step(step: str, state: str) -> None:
            pace = "" if state == "started" or state in runs.STEP_ENDS else f", {state}"
            bar.update(task, description=f"{title}: {step}{pace}", advance=int(state in runs.STEP_ENDS))

        yield on_step


# --- look -------------------------------------------------------------------------------------------------------------


def _open(system: str) -> tuple[Settings, runs.Location, sa.Engine]:
    settings = read_settings()
    location = runs.load_location(system)
    engine = engine_of(settings.database_url, settings)
    with engine.begin() as connection:
        ensure_schema(connection, location.system.metadata)
    return settings, location, engine


@app.command()
def status(
    system: Annotated[str, typer.Argument(help="A system; by default all that are built.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show each system's exports, its last runs, and how the assets of the newest run stand."""
    told = [_status(name) for name in ([system] if system else runs.built())]
    if as_json:
        output.print_json(told[0] if system else told)
        return
    for each in told:
        name, last = each["system"], each["runs"]
        output.print_rows(f"{name}: exports", ("export",), [(export,) for export in each["exports"]])
        rows = [(r["export_id"], r["run_id"], "yes" if r["dry_run"] else "", r["started_at"]) for r in last]
        output.print_rows(f"{name}: last runs", ("export", "run", "dry", "started"), rows)
        if last:
            lines = [AssetLine(**line) for line in each["assets"]]
            output.print_assets(f"{name}: run {last[0]['run_id']}", lines, {})


def _status(name: str) -> dict[str, Any]:
    settings, location, engine = _open(name)
    last, lines = _last_runs(engine, location)
    assets = [dataclasses.asdict(line) for line in lines]
    return {"system": name, "exports": _exports(settings, name), "runs": last, "assets": assets}


def _last_runs(engine: sa.Engine, location: runs.Location) -> tuple[list[dict[str, Any]], list[AssetLine]]:
    """The last ten runs, the newest first, and the assets of the newest."""
    log = location.system.books.run_log
    which = (log.c.export_id, log.c.run_id, log.c.dry_run)
    started = sa.func.min(log.c.started_at).label("started_at")
    with engine.connect() as connection:
        found = connection.execute(
            sa.select(*which, started).group_by(*which).order_by(started.desc()).limit(10)
        ).mappings()
        last = [dict(row) | {"started_at": row["started_at"].isoformat(timespec="seconds")} for row in found]
        lines = asset_lines(connection, location.system, log.c.run_id == last[0]["run_id"]) if last else []
    return last, lines


def _exports(settings: Settings, system: str) -> list[str]:
    """The exports in the landing zone; none when there is no landing zone yet."""
    if not (settings.landing / system).exists():
        return []
    return [folder.name for folder in list_exports(settings.landing, system)]


@app.command()
def report(
    system: Annotated[str, typer.Argument(help="A system; by default all that have been run.")] = "",
    export: LastExport = "",
    as_json: AsJson = False,
) -> None:
    """Print the reconciliation of an export, and write it below the reports folder."""
    results = [
        result for name in ([system] if system else runs.built()) if (result := _reconciled(name, export, system))
    ]
    if not results:
        raise SetupError("No export has been run yet.", "Run one with `migrate run`.")
    if as_json:
        told = [dataclasses.asdict(result) | {"sound": result.sound} for result, _ in results]
        output.print_json(told[0] if system else told)
    else:
        for result, path in results:
            _print_reconciliation(result, path)
    if not all(result.sound for result, _ in results):
        raise typer.Exit(FAILED)


def _reconciled(name: str, export: str, asked_for: str) -> tuple[Reconciliation, Path] | None:
    """The reconciliation of a system and where it was written; None for one among all that has nothing to tell."""
    settings, location, engine = _open(name)
    if not asked_for and not _has_run(engine, location, export):
        return None
    export_id = export or _last_export(engine, location)
    result = reconcile(engine, location.system, settings, export_id, dt.datetime.now(dt.UTC))
    return result, write_report(result, settings.reports)


def _print_reconciliation(result: Reconciliation, path: Path) -> None:
    output.print_assets(f"Reconciliation of {result.system}, export {result.export_id}", result.assets, {})
    output.print_checks("Checks, measured now", result.checks)
    verdict = ("Sound", "green") if result.sound else ("Not sound", "red")
    output.print_line(verdict, f". Written to {path}")


def _ran(location: runs.Location, export: str) -> sa.Select[Any]:
    """The live runs of an export, or of any: their exports, newest first."""
    log = location.system.books.run_log
    of_export = log.c.export_id == export if export else sa.true()
    live = sa.and_(log.c.dry_run.is_(False), log.c.asset != "rollback", of_export)
    return sa.select(log.c.export_id).where(live).order_by(log.c.started_at.desc()).limit(1)


def _has_run(engine: sa.Engine, location: runs.Location, export: str) -> bool:
    with engine.connect() as connection:
        return connection.scalar(_ran(location, export)) is not None


def _last_export(engine: sa.Engine, location: runs.Location) -> str:
    with engine.connect() as connection:
        found = connection.scalar(_ran(location, ""))
    if found is None:
        name = location.system.name
        raise SetupError(f"No export of {name} has been run yet.", f"Run one with `migrate run {name}`.")
    return str(found)


@app.command()
def rejects(
    system: System,
    export: LastExport = "",
    code: Annotated[str, typer.Option(help="Only this reason code.")] = "",
    warnings: Annotated[bool, typer.Option("--warnings", help="Loaded rows with a warning instead.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many rows to list.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List rejected rows: file row, target, reason; their values stay in `rejected_row.raw`."""
    _, location, engine = _open(system)
    export_id = export or _last_export(engine, location)
    books = location.system.books
    if warnings:
        table, reason = books.ledger, books.ledger.c.reason
        where = (table.c.outcome == "loaded") & reason.is_not(None)
        matches = sa.literal(code) == sa.func.any(sa.func.string_to_array(reason, ","))
    else:
        table, reason = books.rejected, books.rejected.c.reason_code
        where, matches = sa.true(), reason == code
    here = (table.c.export_id == export_id) & where & (matches if code else sa.true())
    columns = (table.c.source_table, table.c.source_row, table.c.source_pk, table.c.target_table, reason)
    with engine.connect() as connection:
        counts = connection.execute(
            sa.select(table.c.target_table, reason, sa.func.count()).where(here).group_by(table.c.target_table, reason)
        ).all()
        rows = connection.execute(sa.select(*columns).where(here).order_by(*columns[:2]).limit(limit)).all()
    names = ("source table", "row", "legacy key", "target", "reason")
    if as_json:
        output.print_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    output.print_rows(f"{system}, export {export_id}", ("target", "reason", "rows"), counts)
    output.print_rows(f"First {limit}", names, rows)


@app.command()
def explain(
    system: System,
    subject: Annotated[
        list[str], typer.Argument(help="row:17, SOURCE_TABLE row:17, the key of a target row, or TARGET_TABLE KEY")
    ],
    export: KnowingExport = "",
    as_json: AsJson = False,
) -> None:
    """Say what became of a source row, or where a target row comes from."""
    settings, location, engine = _open(system)
    with engine.connect() as connection:
        found = explain_subject(connection, location.system, ":".join(subject), export or None)
    if as_json:
        output.print_json([dataclasses.asdict(each) for each in found])
        return
    files = _files(settings, system, found[0].export_id)
    shown: set[tuple[str, str | None]] = set()
    for each in found:
        table = each.source.split(" ")[0]
        why = " ".join(text for text in (each.reason, each.detail) if text)
        output.print_line((each.source, "bold"), f" ({files.get(table, 'file no longer known')})")
        output.print_line(f"  → {each.target}: ", coloured_outcome(each.outcome), f" {why}")
        if each.target_key:
            output.print_line(f"    target key {each.target_key}")
        if each.lost_to:
            output.print_line(f"    merged: {each.lost_to} was loaded instead")
        output.print_line(f"    export {each.export_id}, run {each.run_id}")
        # What is said of a target row is said once, however many rows made it.
        for says in each.further if (each.target, each.target_key) not in shown else ():
            output.print_line("    ", ", ".join(f"{name} {value}" for name, value in says.items()))
        shown.add((each.target, each.target_key))


def coloured_outcome(outcome: str) -> Text:
    """An outcome in colour."""
    return output.coloured(outcome, {"loaded": "success", "merged": "success"}.get(outcome, outcome))


def _files(settings: Settings, system: str, export_id: str) -> dict[str, str]:
    note = FrameStore(settings.work / system, export_id, run_id="explain").read_note(EXPORT_NOTE)
    return {} if note is None else {file.table: str(file.path) for file in Export.from_json(note).files}


# --- undo -------------------------------------------------------------------------------------------------------------


@app.command()
def rollback(
    system: System,
    run_id: Annotated[str, typer.Option("--run", help="The run to undo.")] = "",
    export: Annotated[str, typer.Option("--export", help="Undo all runs of this export.")] = "",
    partition: Annotated[str, typer.Option("--partition", help="Put parts of this independent partition back.")] = "",
    part: Annotated[list[str] | None, typer.Option("--part", help="Only this part; may be repeated.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Also overwrite rows that were changed since.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put back what was there before a run, before all runs of an export, or parts of one partition."""
    if not partition and bool(run_id) == bool(export):
        raise SetupError(
            "Name a run, an export or a partition.", "Use --run RUN_ID, --export EXPORT_ID or --partition KEY."
        )
    _, location, engine = _open(system)
    what = f"partition {partition}" if partition else run_id or f"all runs of export {export}"
    if not yes and not typer.confirm(f"Undo {what} of {system}?"):
        raise typer.Exit(FAILED)
    if partition:
        _roll_back_part(engine, location, PartRollback(partition, part or (), export, str(uuid4())), as_json=as_json)
        return
    done = roll_back(engine, location.system, RollbackRequest(run_id, export, force, str(uuid4())))
    if as_json:
        output.print_json(done.metadata())
        return
    output.print_rows(
        f"Rolled back {len(done.runs)} run(s)",
        ("table", "deleted", "restored", "inserted again", "kept"),
        [(t, n["deleted"], n["restored"], n["inserted"], done.kept.get(t, 0)) for t, n in done.restored.items()],
    )
    output.print_line(f"Fingerprints {'equal those before' if done.proved else 'differ: see --force or kept rows'}.")


def _roll_back_part(engine: sa.Engine, location: runs.Location, request: PartRollback, *, as_json: bool) -> None:
    if location.system.roll_back_part is None:
        raise SetupError(
            f"{location.system.name} has no partitions that are put back by part.", "Name a run or an export instead."
        )
    report = location.system.roll_back_part(engine, request)
    if as_json:
        output.print_json(dataclasses.asdict(report))
        return
    output.print_rows(
        f"Partition {request.partition}, as the load of {report.export_id} left it",
        ("table", "rows changed", "fingerprint"),
        [(table, rows, report.fingerprints[table]) for table, rows in report.changed.items()],
    )


# --- samples and servers ----------------------------------------------------------------------------------------------


@app.command()
def sample(
    system: Annotated[str, typer.Argument(help="A system; by default all that are built.")] = "",
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 1,
    scale: Annotated[float, typer.Option(min=0, help="1 = the real volumes.")] = 1.0,
    file_format: Annotated[FileFormat, typer.Option("--format", help="Format of the files.")] = "json",
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress the files.")] = False,
    following: Annotated[bool, typer.Option("--next", help="The export a month later instead.")] = False,
    bulk: Annotated[
        float | None, typer.Option(min=0, help="Share of the rows of Dental's largest tables; 1 = all of them.")
    ] = None,
) -> None:
    """Write a realistic, dirty sample export into the landing zone."""
    import samples  # not every installation that runs migrations has the samples

    settings = read_settings()
    settings.landing.mkdir(parents=True, exist_ok=True)
    write = samples.next_sample if following else samples.write_sample
    month = samples.month_after(samples.DEFAULT_MONTH) if following else samples.DEFAULT_MONTH
    for name in [system] if system else [each for each in runs.built() if each in samples.SYSTEMS]:
        if name not in samples.SYSTEMS:
            raise SetupError(f"There is no sample of {name}.", f"Samples: {', '.join(samples.SYSTEMS)}.")
        export_id = samples.default_export_id(month)
        if (settings.landing / name / export_id).exists():
            output.print_line(f"{settings.landing / name / export_id} is there already")
            continue
        path = write(
            name, settings.landing, export_id, seed=seed, scale=scale, format=file_format, gzip=gzip, bulk=bulk
        )
        output.print_line(f"Wrote {path}")


@app.command()
def dev(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 3000,
) -> None:
    """Run Dagster's UI and daemon, sensors on, until interrupted."""
    raise typer.Exit(run_dev(read_settings(), host, port))


@app.command()
def stop() -> None:
    """Stop the embedded PostgreSQL server."""
    stopped = embedded.stop(read_settings())
    output.print_line("Stopped." if stopped else "It was not running.")


@app.command("database-url")
def database_url() -> None:
    """Print the URL of the target database, for psql and other clients."""
    typer.echo(psycopg_url(read_settings()))


app.command()(extract)
