"""The command `migrate extract`: an export from a legacy database, or by a system's own extractor."""

import dataclasses
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated

import typer
from rich import progress as bars
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from upath import UPath

from migration import runs
from migration.cli import output
from migration.errors import SetupError
from migration.exports.find import Format
from migration.extract import exporting
from migration.extract.extracted import Extracted, Progress, default_export_id
from migration.extract.failures import URL_VARIABLE
from migration.settings import read_settings

Extractor = Callable[[UPath, str, datetime, Progress], Extracted]


def extract(
    system: Annotated[str, typer.Argument(help="skynet, meter, booking, billing or dental")],
    from_: Annotated[str, typer.Option("--from", help=f"URL of the legacy database; by default {URL_VARIABLE}.")] = "",
    export: Annotated[str, typer.Option("--export", help="Id of the new export; by default the time, in UTC.")] = "",
    file_format: Annotated[
        Format | None, typer.Option("--format", help="Format of a database's files, by default jsonl.")
    ] = None,
    gzip: Annotated[
        bool | None, typer.Option("--gzip/--no-gzip", help="Compress a database's files, which is the default.")
    ] = None,
    all_columns: Annotated[
        bool, typer.Option("--all-columns", help="Also columns of a database that the system does not declare.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Read a legacy database in one snapshot, or a legacy REST interface, into a new export in the landing zone."""
    own = None if from_ else _own_extractor(system)
    landing, now = read_settings().landing, datetime.now(UTC)
    export_id = export or default_export_id(now)
    with _progress(system) as on_rows:
        if own is not None:
            if all_columns or file_format is not None or gzip is not None:
                raise SetupError(
                    "--format, --gzip and --all-columns are for legacy databases.",
                    f"Leave them out, or name the database of {system} by --from.",
                )
            done = own(landing, export_id, now, on_rows)
        else:
            done = exporting.extract_export(
                from_ or os.environ.get(URL_VARIABLE, ""),
                system,
                runs.load_location(system).system.sources,
                landing,
                export_id,
                shape=exporting.Shape(file_format or "jsonl", gzip is not False, all_columns),
                progress=on_rows,
            )
    if as_json:
        output.print_json(dataclasses.asdict(done) | {"folder": str(done.folder)})
    else:
        _print(done, system)


def _own_extractor(system: str) -> Extractor | None:
    """The function `extract` of a system's module of that name, if it has one."""
    if system not in runs.SYSTEMS or find_spec(f"{system}_assets.extract") is None:
        return None
    return import_module(f"{system}_assets.extract").extract


def _print(done: Extracted, system: str) -> None:
    output.print_rows(
        f"Export {done.export_id} of {system}",
        ("table", "rows", "bytes", "seconds"),
        [(each.table, each.rows, each.bytes, each.seconds) for each in done.tables],
    )
    for label in done.left_out:
        output.print_line((label, "yellow"), ": not in the legacy system, left out")
    for note in done.notes:
        output.print_line(("Note", "yellow"), f": {note}")
    output.print_line(f"Wrote {done.folder}")


@contextmanager
def _progress(system: str) -> Iterator[Progress]:
    """A bar for each table, on standard error."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # Without a terminal only an empty line would be left of it.
    with bars.Progress(*columns, console=output.err, transient=True, disable=not output.err.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def on_rows(table: str, rows: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = bar.add_task(f"{system}: {table}", total=total)
            bar.update(tasks[table], completed=rows, total=total)

        yield on_rows
