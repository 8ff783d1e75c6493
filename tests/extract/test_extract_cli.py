"""The command `migrate extract`, in this process."""

import io
import json
import os
import sqlite3
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from upath import UPath

from migration.cli import main
from migration.exports.verify import verify_export
from skynet_assets.sources import ALL

CANARY = "canary-Pa55"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of a legacy database of Skynet, of two tables and much that is not declared."""
    file = tmp_path / "legacy.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE Customers (id_pelanggan TEXT PRIMARY KEY, harga NUMERIC, remember_token TEXT)")
        connection.execute(f"INSERT INTO Customers VALUES ('SRGD0001', 150000.5, '{CANARY}')")
        connection.execute(
            "CREATE TABLE transactions "
            "(id_pelanggan TEXT, periode TEXT, nominal_harus_dibayar INTEGER, status_pembayaran TEXT)"
        )
        connection.execute("INSERT INTO transactions VALUES ('SRGD0001', 'Februari 2026', 150000, 'Lunas')")
    return f"sqlite:///{file}"


def migrate(home: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Run `migrate` with these arguments; its exit code and what it said."""
    out, err = io.StringIO(), io.StringIO()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MIGRATION_")}
    code: Any = 0
    with (
        patch.dict(os.environ, kept | {"MIGRATION_HOME": str(home)} | environment, clear=True),
        patch.object(sys, "argv", ["migrate", *arguments]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code
    assert CANARY not in out.getvalue() + err.getvalue()
    return code or 0, out.getvalue(), err.getvalue()


def test_an_extract_is_shown_as_a_table(tmp_path: Path, url: str) -> None:
    code, out, err = migrate(tmp_path / "home", "extract", "skynet", "--from", url, "--export", "20260225T190000Z")
    assert (code, err.strip()) == (0, "")
    assert "Export 20260225T190000Z of skynet" in out
    assert "customers" in out
    assert "branches: not in the legacy system, left out" in out
    folder = UPath(tmp_path / "home" / "landing" / "skynet" / "20260225T190000Z")
    assert out.splitlines()[-1] == f"Wrote {folder}"
    assert [file.rows for file in verify_export(folder, "skynet", ALL).files] == [1, 1]


def test_machines_get_json_and_the_url_from_the_environment(tmp_path: Path, url: str) -> None:
    options = ("--format", "csv", "--no-gzip", "--all-columns", "--json")
    code, out, err = migrate(tmp_path / "home", "extract", "skynet", *options, MIGRATION_LEGACY_URL=url)
    assert (code, err.strip()) == (0, "")
    done = json.loads(out)
    assert [(table["table"], table["file"], table["rows"]) for table in done["tables"]] == [
        ("customers", "customers.csv", 1),
        ("transactions", "transactions.csv", 1),
    ]
    assert done["left_out"] == ["branches", "customers_final", "customers_clean"]
    assert Path(done["folder"]).name == done["export_id"]
    assert "remember_token" in (Path(done["folder"]) / "customers.csv").read_text()


def test_every_error_is_one_line_and_has_its_exit_code(tmp_path: Path, url: str, unused_port: int) -> None:
    refused = f"mysql://user:{CANARY}@127.0.0.1:{unused_port}/db"
    cases = [
        ((), 2, "SetupError: No legacy database is named"),
        (("--from", f"no url {CANARY}"), 2, "SetupError: --from or MIGRATION_LEGACY_URL is not a database URL."),
        (("--from", refused), 1, "LegacyUnavailable: No server answers at"),
        (("--from", url, "--export", ".hidden"), 2, "SetupError: The export id"),
        (("--from", "sqlite:////no/such/file.db"), 2, "SetupError: The SQLite file"),
    ]
    for arguments, expected, said in cases:
        code, out, err = migrate(tmp_path / "home", "extract", "skynet", *arguments)
        assert (code, out) == (expected, ""), arguments
        assert len(err.strip().splitlines()) == 1
        assert err.strip().startswith(said)
    code, _, err = migrate(tmp_path / "home", "extract", "payroll", "--from", url)
    assert (code, "There is no system payroll" in err) == (2, True)


def test_a_missing_table_is_named(tmp_path: Path, url: str) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("DROP TABLE transactions")
    code, _, err = migrate(tmp_path / "home", "extract", "skynet", "--from", url)
    assert code == 1
    assert err.startswith("LegacyTableMissing: ")
    assert "has no table transactions." in err
