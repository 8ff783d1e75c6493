"""Law: secrets and personal data stay in the tables: no log, event, check, report, error or run config holds them."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from dagster._serdes import serialize_value
from typer.testing import CliRunner

from migration.cli.main import app
from tests.laws.conftest import FIRST, SECOND
from tests.laws.lab import Lab, Ran, World, customer, first_world, payment, run_job

PASSWORD = "CANARYPASSWORD"
NAME = "Canaryname"
PHONE = "81299887766"
NIK = "3507991122334455"
ACCOUNT = "9988776655"
PERSONAL = (NAME, PHONE, NIK, ACCOUNT)
ALL = (PASSWORD, *PERSONAL)


def canary(number: int, **changed: Any) -> dict[str, Any]:
    """A customer full of canaries."""
    secrets = {
        "nama_pelanggan": f"{NAME} {number}",
        "telepon": f"0{PHONE}",
        "nik": NIK,
        "alamat": f"{NAME} street",
        "pppoe_password": f"{PASSWORD}{number}",
    }
    return customer(number) | secrets | changed


def canary_world() -> World:
    """An export whose good, merged, rejected and unusable rows all hold canaries."""
    world = first_world()
    world.customers[4] = canary(5)
    world.customers[5] = canary(6, koordinat=f"{NAME}", tanggal_registrasi=NAME, jatuh_tempo=NAME)
    world.customers.append(canary(5, connection_status="Isolated", nama_pelanggan=f"Old {NAME}"))
    world.customers.append(canary(0, id_pelanggan=None))
    world.transactions[5] |= {"nama_pelanggan": NAME, "waktu_entry": NAME, "metode": f"BCA {ACCOUNT}"}
    world.transactions.append(payment(7, nominal_harus_dibayar=NAME, metode=ACCOUNT, nama_pelanggan=NAME))
    return world


def told(ran: Ran) -> str:
    """All that Dagster keeps of a run: events, errors with their stacks, metadata, tags."""
    entries = [serialize_value(entry) + entry.user_message for entry in ran.logs]
    return "\n".join([*entries, *map(serialize_value, ran.events), json.dumps(ran.tags)])


def assert_silent(text: str, secrets: tuple[str, ...] = ALL) -> None:
    assert [secret for secret in secrets if secret.lower() in text.lower()] == []


@pytest.fixture
def canaries(lab: Lab, caplog: pytest.LogCaptureFixture) -> Lab:
    caplog.set_level(logging.DEBUG)
    lab.export(FIRST, canary_world())
    return lab


def test_a_run_keeps_canaries_in_their_tables_and_tells_nothing(
    canaries: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    ran = run_job()
    assert ran.success, ran.failures
    assert canaries.fetch(
        "SELECT name, phone_number, nik, pppoe_password FROM skynet.customers WHERE id = 'SRGD0005'"
    ) == [(f"{NAME} 5", f"+62{PHONE}", NIK, f"{PASSWORD}5")]
    assert_silent(told(ran))
    assert_silent(caplog.text)
    assert holding(canaries, PASSWORD) == {"customers"}
    raw = "SELECT raw->>'pppoe_password' FROM skynet.rejected_row WHERE raw->>'nik' = :nik"
    assert canaries.fetch(raw, nik=NIK) == [("[redacted]",)]
    canaries.execute("UPDATE skynet.rejected_row SET raw = '{}'")
    for secret in PERSONAL:
        assert holding(canaries, secret) <= {"customers", "transactions"}


def holding(lab: Lab, secret: str) -> set[str]:
    """The tables that hold a secret anywhere."""
    names = [name for (name,) in lab.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'skynet'")]
    counted = {
        name: lab.scalar(f"SELECT count(*) FROM skynet.{name} t WHERE t::text LIKE '%{secret}%'") for name in names
    }
    return {name for name, rows in counted.items() if rows}


def test_a_dry_run_tells_nothing(canaries: Lab, caplog: pytest.LogCaptureFixture) -> None:
    ran = run_job("skynet_dry_run")
    assert ran.success, ran.failures
    assert_silent(told(ran))
    assert_silent(caplog.text)


BREAKERS = {
    "constraint": ["ALTER TABLE skynet.customers ADD CHECK (name NOT LIKE 'Canary%')"],
    "unique": ["CREATE UNIQUE INDEX ON skynet.customers (nik)"],
    "too long": ["ALTER TABLE skynet.customers ALTER COLUMN name TYPE varchar(9)"],
    "trigger": [
        "CREATE FUNCTION skynet.shout() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no % %', NEW.name, NEW.pppoe_password; END $$",
        "CREATE TRIGGER shout BEFORE INSERT ON skynet.customers FOR EACH ROW EXECUTE FUNCTION skynet.shout()",
    ],
}


SLOW = ("unique", "too long")


@pytest.mark.parametrize("broken", [pytest.param(b, marks=pytest.mark.slow) if b in SLOW else b for b in BREAKERS])
def test_a_failure_of_the_database_tells_nothing(canaries: Lab, caplog: pytest.LogCaptureFixture, broken: str) -> None:
    canaries.execute(*BREAKERS[broken])
    ran = run_job()
    assert list(ran.failures) == ["customers"]
    assert "PostgreSQL refused a statement" in ran.failures["customers"]
    assert_silent(told(ran))
    assert_silent(caplog.text)
    assert_silent(str(canaries.fetch("SELECT error FROM skynet.migration_run_log")))


PLACES = [
    "customers.sanitised",
    pytest.param("customers.customer_rows", marks=pytest.mark.slow),
    pytest.param("payments.invoice_rows", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("where", PLACES)
def test_a_failure_of_the_program_tells_nothing(
    canaries: Lab, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    module, name = where.split(".")

    def fails(rows: Any, *_: Any, **__: Any) -> None:
        raise ValueError(f"cannot read {rows.to_dict('records')} {NAME} {PASSWORD}")

    monkeypatch.setattr(f"skynet_assets.assets.{module}.{name}", fails)
    ran = run_job()
    assert not ran.success
    assert "ProgramError: ValueError at test_secrets:" in "".join(ran.failures.values())
    assert_silent(told(ran))
    assert_silent(caplog.text)


def test_a_row_that_does_not_fit_its_declaration_tells_nothing(
    canaries: Lab, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skynet_assets.assets import customers

    real = customers.customer_rows

    def spoiled(final: Any, merged: Any, export_id: str) -> Any:
        labelled = real(final, merged, export_id)
        labelled.rows["connection_status"] = f"{NAME} {PASSWORD}"
        return labelled

    monkeypatch.setattr(customers, "customer_rows", spoiled)
    ran = run_job()
    assert list(ran.failures) == ["customers"]
    assert "connection_status" in ran.failures["customers"]
    assert_silent(told(ran))
    assert_silent(caplog.text)


def test_a_blocked_run_tells_nothing(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    world = canary_world()
    world.customers += [canary(0, id_pelanggan=None) for _ in range(8)]
    lab.export(FIRST, world)
    ran = run_job()
    assert "Blocked" in ran.failures["customers_clean"]
    assert_silent(told(ran))
    assert_silent(caplog.text)


@pytest.mark.parametrize(
    "spoiled", [b'[{"nama": "Canaryname 81299887766', b'[{"nama_pelanggan": "Canaryname"}]', b"Canaryname"]
)
def test_a_bad_export_tells_nothing(lab: Lab, caplog: pytest.LogCaptureFixture, spoiled: bytes) -> None:
    folder = lab.export(FIRST, canary_world())
    (folder / "manifest.json").write_text(json.dumps({"system": "skynet", "files": []}))
    (folder / "customers.json").write_bytes(spoiled)
    ran = run_job()
    assert list(ran.failures) == ["export"]
    assert_silent(told(ran))
    assert_silent(caplog.text)


def test_the_command_line_and_the_reports_tell_nothing(
    canaries: Lab, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIGRATION_DAGSTER_DATABASE_URL", str(canaries.settings.database_url))
    printed: list[str] = []
    assert run_job().success
    canaries.export(SECOND, first_world())
    assert run_job().success
    run_id = canaries.scalar("SELECT run_id FROM skynet.migration_run_log WHERE export_id = :e LIMIT 1", e=SECOND)
    for arguments in (
        ("status",),
        ("report", "skynet", "--export", FIRST),
        ("report", "skynet", "--json"),
        ("rejects", "skynet", "--export", FIRST),
        ("rejects", "skynet", "--export", FIRST, "--warnings"),
        ("rejects", "skynet", "--export", FIRST, "--json"),
        ("explain", "skynet", "customers:row:5"),
        ("explain", "skynet", "SRGD0005", "--export", FIRST),
        ("explain", "skynet", "customers:row:27", "--export", FIRST, "--json"),
        ("rollback", "skynet", "--run", run_id, "--yes"),
    ):
        printed.append(cli(*arguments))
    assert "SRGD0005" in "".join(printed)
    assert_silent("\n".join(printed))
    written = [path for path in Path(canaries.settings.reports).rglob("*") if path.is_file()]
    assert len(written) >= 2
    assert_silent("\n".join(path.read_text() for path in written))
    assert_silent(caplog.text)


def cli(*arguments: str) -> str:
    """The output of a command, whatever its exit code, with its exception."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), (arguments, result.exception)
    assert result.exit_code in (0, 1), (arguments, result.output)
    return result.output + repr(result.exception)
