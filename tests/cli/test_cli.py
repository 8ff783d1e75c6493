"""Every command of `migrate`: what it says, what it leaves behind, its exit code (0 good, 1 failed, 2 misused)."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import typer

from migration import embedded
from migration.cli.main import app
from skynet_assets.months import MONTHS
from tests.cli.conftest import CANARY, EXPORT_ID, Installation, Migrated
from tests.conftest import settings_at

TABLES = {
    "customers": "customers",
    "packages": "packages",
    "routers": "routers",
    "invoices": "invoices",
    "transactions": "transactions",
    "branch_summaries": "branch_summaries",
    "identity_card_photo_queue": "identity_card_photos",
}
COMMANDS = {"run", "status", "report", "rejects", "explain", "rollback", "sample", "dev", "stop", "database-url"}


# --- usage ------------------------------------------------------------------------------------------------------------


def test_every_command_argument_and_option_has_help() -> None:
    group = typer.main.get_command(app)
    commands = group.commands  # type: ignore[attr-defined]
    assert set(commands) >= COMMANDS
    bare = [name for name, command in commands.items() if not command.help]
    bare += [
        f"{name} {parameter.name}"
        for name, command in commands.items()
        for parameter in command.params
        if parameter.name != "help" and not getattr(parameter, "help", None)
    ]
    assert not bare


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "nosuch"], "There is no system nosuch. Choose one of skynet, meter, booking, billing, dental."),
        (["run", "skynet", "--set", "nosuch=1"], "There is no run option in 'nosuch'."),
        (["run", "skynet", "--set", "confirm"], "There is no run option in 'confirm'."),
        (["run", "skynet", "--set", "confirm=perhaps"], "The option confirm is true or false."),
        (["run", "skynet", "--only", "nosuch"], "skynet_migration has no asset nosuch."),
        (["run"], "Missing argument"),
        (["run", "skynet", "--nosuch"], "No such option"),
        (["rollback", "skynet"], "Name a run, an export or a partition."),
        (["rollback", "skynet", "--run", "a", "--export", "b"], "Name a run, an export or a partition."),
        (["report", "skynet"], "No export of skynet has been run yet. Run one with `migrate run skynet`."),
        (["rejects", "skynet"], "No export of skynet has been run yet."),
        (["rejects", "skynet", "--limit", "0"], "Invalid value for '--limit'"),
        (["status", "nosuch"], "There is no system nosuch."),
        (["explain", "skynet", "row:17"], "The ledger of skynet knows nothing of row:17."),
        (["sample", "nosuch"], "There is no sample of nosuch."),
        (["sample", "skynet", "--format", "xml"], "Invalid value for '--format'"),
        (["nosuch"], "No such command"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_misuse_ends_with_2_and_one_clear_sentence(place: Installation, arguments: list[str], told: str) -> None:
    answer = place.migrate(*arguments)
    assert answer.code == 2
    assert told in answer.err
    assert "Traceback" not in answer.err
    assert not answer.out


def test_the_console_script_answers_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("migrate")), "run", "nosuch"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


# --- run --------------------------------------------------------------------------------------------------------------


def test_run_says_what_became_of_every_asset(migrated: Migrated) -> None:
    assert migrated.ran.code == 0, migrated.ran.err
    told = migrated.ran.json
    assert told["success"] is True
    assert told["failures"] == {}
    assert {line["status"] for line in told["assets"]} == {"success"}
    assert len(told["assets"]) == 13
    invoices = next(line for line in told["assets"] if line["asset"] == "invoices")
    assert invoices["source_rows"] == sum(invoices[n] for n in ("loaded", "merged", "rejected", "skipped"))
    assert all("ERROR" not in levels for levels in told["checks"].values())


def test_run_is_a_run_of_dagster(migrated: Migrated) -> None:
    with migrated.place.dagster() as instance:
        run = instance.get_run_by_id(migrated.run_id)
        assert run is not None
        assert (run.job_name, run.status) == ("skynet_migration", dg.DagsterRunStatus.SUCCESS)
        assert run.tags["migration/export_id"] == EXPORT_ID
        event = instance.get_latest_materialization_event(dg.AssetKey(["skynet", "customers"]))
        assert event is not None
        assert event.run_id == migrated.run_id


def test_run_shows_a_table_and_its_problems_on_one_line(place: Installation) -> None:
    place.sample()
    first = place.migrate("run", "skynet", "--only", "export", "--only", "customers_clean", "--yes")
    assert first.code == 0
    assert "│ customers_clean │ success │" in first.out
    shut = place.migrate("run", "skynet", "--only", "customers")
    assert shut.code == 1
    (line,) = [line for line in shut.err.splitlines() if line.startswith("customers: GateShut: ")]
    assert line.endswith("or override with override_gate: [customers_final].")


def test_a_dry_run_touches_nothing_live(place: Installation) -> None:
    place.sample()
    answer = place.migrate("run", "skynet", "--dry-run", "--json", "--export", EXPORT_ID, "--only", "export")
    assert answer.code == 0
    assert [line["status"] for line in answer.json["assets"]] == ["dry_run_ok"]
    assert place.value("SELECT bool_and(dry_run) FROM skynet.migration_run_log")
    with place.dagster() as instance:
        run = instance.get_run_by_id(answer.json["run_id"])
        assert run is not None
        assert run.tags["migration/dry_run"] == "true"
        assert instance.get_latest_materialization_event(dg.AssetKey(["skynet", "export"])) is None


def test_a_missing_export_ends_with_1(place: Installation) -> None:
    place.sample()
    answer = place.migrate("run", "skynet", "--export", "nosuch", "--json")
    assert answer.code == 1
    assert answer.json["success"] is False
    assert answer.json["failures"]["export"].startswith("MissingSourceFile: There is no export folder ")
    assert [line["status"] for line in answer.json["assets"]] == ["failed"]


def test_a_blocked_asset_ends_with_1(place: Installation) -> None:
    def lose_customers(table: str, records: list[Any]) -> None:
        if table.startswith("customers"):
            del records[10:]

    place.sample(change=lose_customers)
    chain = ("export", "customers_clean", "customers_final", "packages", "routers", "customers", "payments_clean")
    answer = place.migrate("run", "skynet", "--json", *(word for name in chain for word in ("--only", name)))
    assert answer.code == 1
    lines = {line["asset"]: line["status"] for line in answer.json["assets"]}
    assert lines["payments_clean"] == "blocked"
    assert answer.json["checks"]["payments_clean"]["ERROR"] >= 1
    assert "payments_orphan_rate" in answer.json["failures"]["payments_clean"]


# --- look -------------------------------------------------------------------------------------------------------------


def test_status_lists_exports_and_runs(migrated: Migrated) -> None:
    told = migrated.place.migrate("status", "skynet", "--json").json
    assert (told["system"], told["exports"]) == ("skynet", [EXPORT_ID])
    assert [run["run_id"] for run in told["runs"]] == [migrated.run_id]
    assert told["assets"] == migrated.ran.json["assets"]
    shown = migrated.place.migrate("status", "skynet")
    assert shown.code == 0
    assert migrated.run_id in shown.out
    assert f"invoices ({len(MONTHS.get_partition_keys())} partitions)" in shown.out


def test_status_of_an_empty_installation_is_empty(place: Installation) -> None:
    answer = place.migrate("status", "skynet", "--json")
    assert (answer.code, answer.json) == (0, {"system": "skynet", "exports": [], "runs": [], "assets": []})


def test_report_equals_the_tables_and_is_written(migrated: Migrated) -> None:
    place = migrated.place
    answer = place.migrate("report", "skynet", "--json")
    told = answer.json
    assert (answer.code, told["sound"], told["export_id"]) == (0, True, EXPORT_ID)
    lines = {line["asset"]: line for line in told["assets"]}
    for asset, table in TABLES.items():
        assert lines[asset]["loaded"] == place.value(f"SELECT count(*) FROM skynet.{table}"), asset
        rejected = place.value("SELECT count(*) FROM skynet.rejected_row WHERE target_table = %s", table)
        if asset in ("customers", "branch_summaries"):
            assert lines[asset]["rejected"] == rejected, asset
    folder = place.home / "reports" / "skynet"
    assert json.loads((folder / f"{EXPORT_ID}.json").read_text()) == told
    markdown = (folder / f"{EXPORT_ID}.md").read_text()
    for asset, line in lines.items():
        assert f"| {asset} | success | {line['source_rows']} | {line['loaded']} |" in markdown
    shown = place.migrate("report", "--export", EXPORT_ID)
    assert shown.code == 0
    assert shown.out.rstrip().endswith(f"Sound. Written to {folder / EXPORT_ID}.md")


def test_rejects_lists_what_was_rejected(migrated: Migrated) -> None:
    place = migrated.place
    rejected = place.rows(
        "SELECT source_table, source_row, target_table, reason_code FROM skynet.rejected_row ORDER BY 1, 2, 3, 4"
    )
    told = place.migrate("rejects", "skynet", "--limit", "100000", "--json").json
    listed = sorted((row["source table"], row["row"], row["target"], row["reason"]) for row in told)
    assert listed == rejected
    assert rejected
    code = rejected[0][3]
    only = place.migrate("rejects", "skynet", "--code", code, "--limit", "100000", "--json").json
    assert len(only) == sum(row[3] == code for row in rejected)
    assert len(place.migrate("rejects", "skynet", "--limit", "2", "--json").json) == 2
    assert code in place.migrate("rejects", "skynet").out


def test_rejects_lists_loaded_rows_with_warnings(migrated: Migrated) -> None:
    told = migrated.place.migrate("rejects", "skynet", "--warnings", "--limit", "100000", "--json").json
    codes = {code for row in told for code in row["reason"].split(",")}
    assert "nik_unusable" in codes
    only = migrated.place.migrate("rejects", "skynet", "--warnings", "--code", "nik_unusable", "--json").json
    assert all("nik_unusable" in row["reason"].split(",") for row in only)
    assert 0 < len(only) <= len(told)


@pytest.mark.parametrize("outcome", ["loaded", "merged", "rejected", "skipped"])
def test_explain_tells_the_outcome_of_a_source_row(migrated: Migrated, outcome: str) -> None:
    place = migrated.place
    table, row, target, reason, key = place.rows(
        "SELECT source_table, source_row, target_table, reason, target_key FROM skynet.row_ledger"
        " WHERE outcome = %s AND source_table = 'transactions' ORDER BY 1, 2, 3 LIMIT 1",
        outcome,
    )[0]
    told = place.migrate("explain", "skynet", f"{table}:row:{row}", "--json").json
    (found,) = [each for each in told if each["target"] == target]
    assert (found["outcome"], found["reason"], found["target_key"]) == (outcome, reason, key)
    assert (found["export_id"], found["run_id"]) == (EXPORT_ID, migrated.run_id)
    shown = place.migrate("explain", "skynet", f"{table}:row:{row}").out
    assert f"{table} row:{row} ({place.home / 'landing' / 'skynet' / EXPORT_ID}/transactions.json)" in shown
    assert f"→ {target}: {outcome} {reason or ''}".rstrip() in shown
    if outcome == "merged":
        assert f"merged: {found['lost_to']} was loaded instead" in shown
        winner = place.value(
            "SELECT source_row FROM skynet.row_ledger WHERE target_table = %s AND target_key = %s"
            " AND outcome = 'loaded' AND source_table = %s",
            target,
            key,
            table,
        )
        assert found["lost_to"] == f"transactions row:{winner}"


@pytest.mark.parametrize("letters", [True, False], ids=["SRGD0012", "20011"])
def test_explain_knows_the_keys_of_target_rows(migrated: Migrated, letters: bool) -> None:
    place = migrated.place
    customer = place.value("SELECT min(id) FROM skynet.customers WHERE (id ~ '[A-Z]') = %s", letters)
    told = place.migrate("explain", "skynet", customer, "--json").json
    assert {each["target"] for each in told} >= {"customers"}


def test_explain_of_a_row_looks_into_every_source_table(migrated: Migrated) -> None:
    place = migrated.place
    invoice = place.value("SELECT min(id::text) FROM skynet.invoices")
    told = place.migrate("explain", "skynet", invoice, "--export", EXPORT_ID, "--json").json
    assert {each["target"] for each in told} == {"invoices"}
    bare = place.migrate("explain", "skynet", "row:1", "--json").json
    assert {each["source"] for each in bare} >= {"customers row:1", "transactions row:1"}


@pytest.mark.parametrize("subject", ["row:99999999", "nosuch", "transactions:row:0", "row:", "[/red]"])
def test_explain_of_an_unknown_subject_is_misuse(migrated: Migrated, subject: str) -> None:
    answer = migrated.place.migrate("explain", "skynet", subject)
    assert answer.code == 2
    assert f"The ledger of skynet knows nothing of {subject}." in answer.err


# --- undo -------------------------------------------------------------------------------------------------------------


def test_rollback_puts_back_what_was_there(place: Installation) -> None:
    place.sample()
    chain = ("export", "customers_clean", "customers_final", "packages")
    run_id = place.migrate("run", "skynet", "--json", *(w for n in chain for w in ("--only", n))).json["run_id"]
    packages = place.value("SELECT count(*) FROM skynet.packages")
    assert packages > 0
    refused = place.migrate("rollback", "skynet", "--run", run_id, stdin="n\n")
    assert refused.code == 1
    assert place.value("SELECT count(*) FROM skynet.packages") == packages
    answer = place.migrate("rollback", "skynet", "--run", run_id, "--yes", "--json")
    assert (answer.code, answer.json["proved"], answer.json["runs"]) == (0, True, [run_id])
    assert answer.json["restored"]["packages"] == {"deleted": packages, "restored": 0, "inserted": 0}
    assert place.value("SELECT count(*) FROM skynet.packages") == 0
    assert place.value("SELECT count(*) FROM skynet.row_ledger WHERE outcome <> 'rejected'") == 0


def test_rollback_of_an_export_can_be_confirmed_by_hand(place: Installation) -> None:
    place.sample()
    place.migrate("run", "skynet", "--only", "export")
    answer = place.migrate("rollback", "skynet", "--export", EXPORT_ID, stdin="y\n")
    assert answer.code == 0
    assert "Rolled back 1 run(s)" in answer.out
    unknown = place.migrate("rollback", "skynet", "--run", "nosuch", "--yes")
    assert unknown.code == 1
    assert "RollbackRefused: There is no live run nosuch of skynet." in unknown.err


# --- samples and servers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file_format", ["json", "parquet"])
def test_sample_writes_the_same_bytes_and_never_over_an_export(
    tmp_path: Path, place: Installation, file_format: str
) -> None:
    other = Installation(tmp_path / "other", place.environment | {"MIGRATION_HOME": str(tmp_path / "other")})
    words = ("sample", "skynet", "--scale", "0.02", "--format", file_format, "--gzip")
    assert place.migrate(*words).code == other.migrate(*words).code == 0
    first, second = bytes_below(place.home / "landing"), bytes_below(other.home / "landing")
    assert first == second
    assert f"skynet/{EXPORT_ID}/customers.{file_format}.gz" in first
    again = place.migrate(*words, "--seed", "2")
    assert (again.code, again.out.strip().endswith("is there already")) == (0, True)
    assert bytes_below(place.home / "landing") == first
    assert place.migrate(*words, "--next").code == 0
    assert len(list((place.home / "landing" / "skynet").iterdir())) == 2


def bytes_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_database_url_starts_the_embedded_server_and_stop_ends_it(tmp_path: Path) -> None:
    place = Installation(tmp_path, {"MIGRATION_HOME": str(tmp_path)})
    try:
        assert place.migrate("stop").out == "It was not running.\n"
        url = place.migrate("database-url").out.strip()
        assert url.startswith("postgresql://")
        place.url = url
        assert place.value("SELECT current_database()") == "warehouse"
        assert place.migrate("database-url").out.strip() == url
        assert place.migrate("stop").out == "Stopped.\n"
        assert place.migrate("stop").out == "It was not running.\n"
    finally:
        embedded.stop(settings_at(tmp_path))


def test_dev_refuses_a_port_that_is_taken(tmp_path: Path) -> None:
    place = Installation(tmp_path / "home", {"MIGRATION_HOME": str(tmp_path / "home")})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        answer = place.migrate("dev", "--port", str(taken.getsockname()[1]))
    assert answer.code == 2
    assert "or choose another with `migrate dev --port`" in answer.err
    assert not place.home.exists(), "nothing was started"


# --- personal data ----------------------------------------------------------------------------------------------------


def test_no_command_shows_personal_data(migrated: Migrated) -> None:
    place = migrated.place
    assert place.value("SELECT count(*) FROM skynet.customers WHERE name LIKE %s", f"%{CANARY}%") > 0
    for words in (["status"], ["report"], ["rejects", "skynet"], ["rejects", "skynet", "--warnings"]):
        for form in ([], ["--json"]):
            place.migrate(*words, *form)
    for (row,) in place.rows("SELECT source_row FROM skynet.rejected_row WHERE source_table = 'customers'"):
        place.migrate("explain", "skynet", f"customers:row:{row}")
    place.migrate("explain", "skynet", "customers:row:1")
    written = [path.read_text() for path in (place.home / "reports").rglob("*.*")]
    events = [str(row) for row in place.rows("SELECT event FROM event_logs")]
    assert len(place.said) > 10
    assert written
    assert events
    assert not [text[:200] for text in place.said + written + events if CANARY in text]
