"""Law: whatever goes away in the middle, the step is tried again or says so in one line; nothing is half-written."""

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
import pytest
from sqlalchemy import create_engine

from migration import embedded
from migration.declare import asset
from tests.conftest import libpq_url, scratch_database, settings_at
from tests.laws.boundaries import Boundaries, watched
from tests.laws.conftest import FIRST, SECOND, disconnect
from tests.laws.drill import Runner, nothing_half_written, runner, site
from tests.laws.lab import Image, Lab, environment, first_world, next_world, run_job, write_export

AFTER_THE_EXPORT = (
    "customers_clean",
    "customers_final",
    "packages",
    "routers",
    "customers",
    "payments_clean",
    "invoices",
    "transactions",
)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait in the real world."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def find_boundary(journal: Path, statement: str, skip: int = 0) -> int:
    """Number of the boundary before a statement."""
    found = [line.split(" ", 2) for line in journal.read_text().splitlines()]
    return [int(n) for n, moment, text in found if moment == "before" and text.startswith(statement)][skip]


@pytest.fixture(scope="module")
def whole_journal(server: embedded.EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The boundaries of a run of the first export on empty tables, in this process."""
    home = tmp_path_factory.mktemp("journal")
    write_export(home / "landing", FIRST, first_world())
    with scratch_database(server) as url, environment(settings_at(home, url, url)):
        run_job(only=("export",))
        with watched(Boundaries(home / "journal")) as boundaries:
            assert run_job().success
        disconnect()
    return boundaries.journal


def end_sessions(server: embedded.EmbeddedServer, lab: Lab) -> Callable[[], None]:
    """What ends every session of the lab's database, as an administrator or a restart does."""
    name = lab.engine.url.database

    def act() -> None:
        with psycopg.Connection.connect(libpq_url(server, "postgres"), autocommit=True) as connection:
            connection.cursor().execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )

    return act


@pytest.mark.parametrize("statement", ["COPY", "COMMIT", pytest.param("SAVEPOINT", marks=pytest.mark.slow)])
def test_a_session_that_ends_in_the_middle_is_retried(
    server: embedded.EmbeddedServer, lab: Lab, whole_journal: Path, loaded_image: Image, tmp_path: Path, statement: str
) -> None:
    lab.export(FIRST, first_world())
    assert run_job(only=("export",)).success
    number = find_boundary(whole_journal, statement, 6)
    with watched(Boundaries(tmp_path / "journal", number, "before", end_sessions(server, lab))):
        ran = run_job()
    assert "HERE" in (tmp_path / "journal").read_text()
    assert ran.success, ran.failures
    assert len(ran.retried) == 1
    assert set(lab.statuses(ran.run_id).values()) == {"success"}
    assert lab.image() == loaded_image


def test_a_database_that_stays_away_is_one_line_and_nothing_is_half_written(
    server: embedded.EmbeddedServer, lab: Lab, loaded_image: Image, tmp_path: Path, whole_journal: Path
) -> None:
    lab.export(FIRST, first_world())
    assert run_job(only=("export",)).success
    number = find_boundary(whole_journal, "WITH", 8)
    name = lab.engine.url.database

    def go_away() -> None:
        with psycopg.Connection.connect(libpq_url(server, "postgres"), autocommit=True) as connection:
            connection.cursor().execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        end_sessions(server, lab)()

    with watched(Boundaries(tmp_path / "journal", number, "before", go_away)):
        ran = run_job()
    with psycopg.Connection.connect(libpq_url(server, "postgres"), autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    assert not ran.success
    assert len(ran.failures) == 1
    line = next(iter(ran.failures.values()))
    assert line.count("\n") == 0
    assert "Traceback" not in line
    nothing_half_written(lab.image(), loaded_image)
    again = run_job()
    assert again.success, again.failures
    assert lab.image() == loaded_image


def test_a_full_disk_is_retried_and_then_said_in_one_line(
    lab: Lab, loaded_image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.export(FIRST, first_world())
    real = psycopg.Cursor.copy

    def full(cursor: psycopg.Cursor, statement: object, *arguments: object, **options: object) -> object:
        text = statement if isinstance(statement, str) else statement.as_string(cursor)  # type: ignore[attr-defined]
        if "stage_invoices" in text:
            raise psycopg.errors.DiskFull("could not extend file")
        return real(cursor, statement, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(psycopg.Cursor, "copy", full)
    ran = run_job()
    assert list(ran.failures) == ["invoices"]
    assert "The disk of the PostgreSQL server is full" in ran.failures["invoices"]
    assert len(ran.retried) == asset.MAX_RETRIES
    assert lab.count("invoices") == 0
    left = lab.statuses(ran.run_id)
    nothing_half_written(lab.image(), loaded_image)
    monkeypatch.setattr(psycopg.Cursor, "copy", real)
    assert run_job().success
    assert lab.image() == loaded_image
    assert "running" not in left.values(), "a run that has ended says so of each of its months"


def test_a_full_disk_of_the_work_folder_is_one_line(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    lab.export(FIRST, first_world())
    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    ran = run_job()
    assert list(ran.failures) == ["customers_clean"]
    assert "No space left on device" in ran.failures["customers_clean"]
    assert lab.statuses(ran.run_id)["customers_clean"] == "failed"
    assert lab.count("row_ledger") == 0


CHANGES = [
    ("customers", "customers_clean", "gone"),
    ("transactions", "payments_clean", "longer"),
    pytest.param("transactions", "payments_clean", "gone", marks=pytest.mark.slow),
    pytest.param("transactions", "payments_clean", "other", marks=pytest.mark.slow),
    pytest.param("customers", "customers_clean", "longer", marks=pytest.mark.slow),
    pytest.param("customers", "customers_clean", "other", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("table", "step", "change"), CHANGES)
def test_an_export_that_changes_after_its_verification_stops_the_run(
    lab: Lab, loaded_image: Image, table: str, step: str, change: str
) -> None:
    folder = lab.export(FIRST, first_world())
    assert run_job(only=("export",)).success
    path = folder / f"{table}.json"
    good = path.read_bytes()
    path.unlink()
    if change == "longer":
        path.write_bytes(good[:-1] + b", {}]")
    elif change == "other":
        path.write_bytes(good.replace(b"150000", b"150001"))

    ran = run_job(only=AFTER_THE_EXPORT, export_id=FIRST)

    assert list(ran.failures) == [step]
    assert ran.failures[step].startswith(("MissingSourceFile: ", "ManifestMismatch: "))
    assert not ran.retried
    assert lab.count("rejected_row") == (0 if table == "customers" else 1)
    assert lab.count("transactions") == 0
    path.write_bytes(good)
    assert run_job().success
    assert lab.image() == loaded_image


# --- two runs at once -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running() -> Iterator[Runner]:
    with runner() as started:
        yield started


def test_two_runs_of_the_same_export_at_once_end_as_one(
    server: embedded.EmbeddedServer, running: Runner, loaded_image: Image
) -> None:
    with site(server, running, first_world(), FIRST) as place:
        orders = [place.order("one"), place.order("two")]
        assert running.carry_out(orders) == [0, 0], [place.report("one"), place.report("two")]
        logs = [place.aftermath(place.report(name)["run_id"]).run_log for name in ("one", "two")]
        assert logs[0] == logs[1]
        assert place.aftermath().image == loaded_image
        assert place.interrupted() == []


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(8))
def test_three_runs_of_the_same_export_at_once(
    server: embedded.EmbeddedServer, running: Runner, loaded_image: Image, attempt: int
) -> None:
    with site(server, running, first_world(), FIRST) as place:
        orders = [place.order(f"{n}") for n in range(3)]
        assert running.carry_out(orders) == [0, 0, 0], [place.report(f"{n}") for n in range(3)]
        assert place.aftermath().image == loaded_image
        assert place.interrupted() == []


@pytest.mark.slow
def test_two_exports_at_once_end_as_one_of_them(server: embedded.EmbeddedServer, running: Runner) -> None:
    with site(server, running, first_world(), FIRST) as place:
        write_export(place.home / "landing", SECOND, next_world())
        codes = running.carry_out([place.order("one", export_id=FIRST), place.order("two", export_id=SECOND)])
        assert set(codes) <= {0, 3}
        assert running.carry_out([place.order("last", export_id=SECOND)]) == [0], place.report("last")
        mixed = place.aftermath().image
    with site(server, running, first_world(), FIRST) as place:
        write_export(place.home / "landing", SECOND, next_world())
        assert running.carry_out([place.order("one", export_id=FIRST)]) == [0], place.report("one")
        assert running.carry_out([place.order("two", export_id=SECOND)]) == [0], place.report("two")
        in_turn = place.aftermath().image
    assert {row[0].split(",")[0] for row in mixed["customers"]} == {
        row[0].split(",")[0] for row in in_turn["customers"]
    }


# --- the whole server -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("statement", ["COPY", "COMMIT", "SAVEPOINT"])
def test_a_server_restarted_in_the_middle(
    short_home: Path, loaded_image: Image, whole_journal: Path, statement: str
) -> None:
    settings = settings_at(short_home)
    running = embedded.ensure_running(settings)
    url = running.url().render_as_string(hide_password=False)
    write_export(short_home / "landing", FIRST, first_world())

    def restart() -> None:
        embedded.stop(settings)
        embedded.ensure_running(settings)

    with environment(settings_at(short_home, url)):
        assert run_job(only=("export",)).success
        number = find_boundary(whole_journal, statement, 6)
        with watched(Boundaries(short_home / "journal", number, "before", restart)) as boundaries:
            ran = run_job()
        assert "HERE" in boundaries.journal.read_text()
        assert ran.success, ran.failures
        assert len(ran.retried) == 1
        lab = Lab(settings_at(short_home, url), create_engine(url))
        assert lab.image() == loaded_image
        lab.engine.dispose()
        disconnect()
