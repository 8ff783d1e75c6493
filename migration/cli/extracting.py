"""The command `migrate extract`: an export from a legacy database."""

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from migration import runs
from migration.cli import output
from migration.extract import exporting
from migration.extract.failures import URL_VARIABLE
from migration.settings import read_settings


def extract(
    system: Annotated[str, typer.Argument(help="skynet, meter, booking, billing or dental")],
    from_: Annotated[str, typer.Option("--from", help=f"URL of the legacy database; by default {URL_VARIABLE}.")] = "",
    export: Annotated[str, typer.Option("--export", help="Id of the new export; by default the time, in UTC.")] = "",
    file_format: Annotated[
        Literal["json", "jsonl", "csv", "parquet"], typer.Option("--format", help="Format of the files.")
    ] = "jsonl",
    gzip: Annotated[bool, typer.Option("--gzip/--no-gzip", help="Compress the files.")] = True,
    all_columns: Annotated[
        bool, typer.Option("--all-columns", help="Also columns that the system does not declare.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Read a legacy database, in one snapshot, into a new export in the landing zone."""
    sources = runs.load_location(system).system.sources
    with _progress(system) as on_rows:
        done = exporting.extract_export(
            from_ or os.environ.get(URL_VARIABLE, ""),
            system,
            sources,
            read_settings().landing,
            export or exporting.default_export_id(datetime.now(UTC)),
            shape=exporting.Shape(file_format, gzip, all_columns),
            progress=on_rows,
        )
    if as_json:
        output.print_json(dataclasses.asdict(done) | {"folder": str(done.folder)})
    else:
        _print(done, system)


def _print(done: exporting.Extracted, system: str) -> None:
    output.print_rows(
        f"Export {done.export_id} of {system}",
        ("table", "rows", "bytes", "seconds"),
        [(each.table, each.rows, each.bytes, each.seconds) for each in done.tables],
    )
    for label in done.left_out:
        output.print_line((label, "yellow"), ": not in the legacy database, left out")
    for note in done.notes:
        output.print_line(("Note", "yellow"), f": {note}")
    output.print_line(f"Wrote {done.folder}")


@contextmanager
def _progress(system: str) -> Iterator[exporting.Progress]:
    """A bar for each table, on standard error."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # Without a terminal only an empty line would be left of it.
    with Progress(*columns, console=output.err, transient=True, disable=not output.err.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def on_rows(table: str, rows: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = bar.add_task(f"{system}: {table}", total=total)
            bar.update(tasks[table], completed=rows)

        yield on_rows
