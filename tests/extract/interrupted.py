"""Extracts in processes of their own: to be killed in the middle, or to have their memory measured."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from upath import UPath

from migration.exports.sources import SourceTable
from migration.extract.exporting import extract_export

PROJECT = Path(__file__).resolve().parents[2]
BUSY = "in the middle"


def extract_and_die(url: str, landing: UPath, table: str, *columns: str) -> None:
    """Extract a table as export `killed` of `meter`, and kill the process by -9 when it has begun to write."""
    with _start("killed", url, landing, table, *columns) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == BUSY
        process.kill()
        process.wait()


def peak_memory(url: str, landing: UPath, table: str, *columns: str) -> int:
    """The most memory that extracting a table took, in bytes."""
    with _start(f"measured-{table}", url, landing, table, *columns) as process:
        out, _ = process.communicate()
    assert process.returncode == 0
    return int(out) * 1024


def _start(export_id: str, url: str, landing: UPath, table: str, *columns: str) -> "subprocess.Popen[str]":
    arguments = [sys.executable, "-m", "tests.extract.interrupted", export_id, landing.path, table, *columns]
    environment = os.environ | {"MIGRATION_LEGACY_URL": url}
    return subprocess.Popen(arguments, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True)


def _main(export_id: str, landing: str, table: str, *columns: str) -> None:
    def wait(name: str, rows: int, total: int) -> None:
        if export_id == "killed":
            print(BUSY, flush=True)  # noqa: T201
            time.sleep(60)

    source = SourceTable(table, columns=columns)
    extract_export(os.environ["MIGRATION_LEGACY_URL"], "meter", [source], UPath(landing), export_id, progress=wait)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # noqa: T201


if __name__ == "__main__":
    _main(*sys.argv[1:])
