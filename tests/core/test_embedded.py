"""The embedded server: started once, found again, survives its starter, recovers from kill -9, stops when told."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import Connection

from migration import embedded
from migration.embedded import EmbeddedServer
from migration.errors import SetupError
from migration.settings import Settings, read_settings

pytestmark = pytest.mark.database

START = "from migration.settings import read_settings; from migration.embedded import ensure_running; "


def at(home: Path) -> Settings:
    return read_settings({"MIGRATION_HOME": str(home)})


def connect(server: EmbeddedServer, database: str = "warehouse") -> Connection:
    url = server.url(database).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(url, autocommit=True)


def one(server: EmbeddedServer, query: str) -> object:
    with connect(server) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def start_elsewhere(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START + "print(ensure_running(read_settings()).pid)"],
        env=os.environ | {"MIGRATION_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def folder(short_home: Path) -> Path:
    """A folder for homes."""
    return short_home


@pytest.fixture(scope="module")
def common() -> Iterator[Path]:
    """A home whose running server several tests look at."""
    made = Path(tempfile.mkdtemp(prefix="migration-home-"))
    embedded.ensure_running(at(made))
    yield made
    embedded.stop(at(made))
    shutil.rmtree(made)


@pytest.fixture
def home(folder: Path) -> Path:
    return folder / "home"


def test_it_makes_both_databases_in_utf8_and_utc(common: Path) -> None:
    server = embedded.ensure_running(at(common))
    for database, durable in (("warehouse", "on"), ("dagster", "off")):
        with connect(server, database) as connection:
            row = connection.execute(
                "SELECT current_setting('server_encoding'), current_setting('timezone'),"
                " current_setting('fsync'), current_setting('synchronous_commit')"
            ).fetchone()
        assert row == ("UTF8", "UTC", "on", durable)


def test_the_next_command_finds_the_same_server(common: Path) -> None:
    first = embedded.ensure_running(at(common))
    assert embedded.ensure_running(at(common)) == first == embedded.status(at(common))


def test_two_commands_at_the_same_moment_start_one_server(home: Path) -> None:
    both = [start_elsewhere(home) for _ in range(2)]
    pids = {process.communicate(timeout=120)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    server = embedded.status(at(home))
    assert server and pids == {str(server.pid)}
    mark = next(part for part in psutil.Process(server.pid).cmdline() if "migration-" in part)
    assert sum(mark in process.cmdline() for process in psutil.process_iter() if alive(process)) == 1


def alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and bool(process.cmdline())
    except psutil.Error:
        return False


def test_it_survives_its_starter_and_its_terminal(home: Path) -> None:
    starter = start_elsewhere(home)
    pid = int(starter.communicate(timeout=120)[0])
    assert os.getsid(pid) == pid != os.getsid(0)
    server = embedded.status(at(home))
    assert server and server.pid == pid
    assert one(server, "SELECT 1") == 1


def test_after_kill_9_it_starts_again_with_what_was_committed(home: Path) -> None:
    server = embedded.ensure_running(at(home))
    with connect(server) as connection:
        connection.execute("CREATE TABLE book AS SELECT 7 AS page")
        os.kill(server.pid, signal.SIGKILL)
    again = embedded.ensure_running(at(home))
    assert again.pid != server.pid
    assert one(again, "SELECT page FROM book") == 7


def test_a_stale_pid_file_that_names_a_living_stranger_is_no_server(home: Path) -> None:
    server = embedded.ensure_running(at(home))
    pid_file = server.data / "postmaster.pid"
    text = pid_file.read_text()
    assert embedded.stop(at(home))
    pid_file.write_text(text.replace(str(server.pid), str(os.getpid()), 1))
    assert embedded.status(at(home)) is None
    assert embedded.ensure_running(at(home)).pid != os.getpid()


@pytest.mark.parametrize("name", ["x" * 150, "with space, comma and 'quote'", "$HOME`id`é"])
def test_a_long_or_odd_home_works_and_keeps_its_url_over_a_restart(folder: Path, name: str) -> None:
    settings = at(folder / name)
    server = embedded.ensure_running(settings)
    assert one(server, "SELECT 1") == 1
    # Whoever may enter that folder is a superuser of the database.
    assert server.socket_folder.stat().st_mode & 0o077 == 0
    os.kill(server.pid, signal.SIGKILL)
    assert embedded.ensure_running(settings).url() == server.url()
    assert embedded.stop(settings)
    assert not server.socket_folder.exists()


def test_a_socket_folder_of_somebody_else_is_refused(folder: Path) -> None:
    settings = at(folder / ("x" * 150))
    server = embedded.ensure_running(settings)
    assert embedded.stop(settings)
    server.socket_folder.mkdir(mode=0o777)
    server.socket_folder.chmod(0o777)
    try:
        with pytest.raises(SetupError, match="made by somebody else"):
            embedded.ensure_running(settings)
    finally:
        server.socket_folder.rmdir()


def test_stop_really_stops(home: Path) -> None:
    process = psutil.Process(embedded.ensure_running(at(home)).pid)
    assert embedded.stop(at(home)) is True
    # Its last file is gone a moment before the process is.
    ended, _ = psutil.wait_procs([process], timeout=10)
    assert ended or process.status() == psutil.STATUS_ZOMBIE
    assert embedded.status(at(home)) is None
    assert embedded.stop(at(home)) is False


def test_stop_of_a_home_that_is_not_there_makes_nothing(home: Path) -> None:
    assert embedded.stop(at(home)) is False
    assert not home.exists()


def test_a_killed_initdb_leaves_nothing_in_the_way(home: Path) -> None:
    partial = home / "postgres.partial"
    partial.mkdir(parents=True)
    (partial / "PG_VERSION").write_text("18\n")
    assert one(embedded.ensure_running(at(home)), "SELECT 1") == 1


def test_a_server_killed_before_its_databases_were_made_gets_them(common: Path) -> None:
    server = embedded.ensure_running(at(common))
    with connect(server, "postgres") as connection:
        connection.execute("DROP DATABASE warehouse")
    assert one(embedded.ensure_running(at(common)), "SELECT 1") == 1


def test_a_home_that_cannot_be_written_says_what_to_do(folder: Path) -> None:
    (folder / "file").write_text("")
    with pytest.raises(SetupError) as caught:
        embedded.ensure_running(at(folder / "file" / "home"))
    assert "cannot be written" in caught.value.problem
    assert "MIGRATION_HOME" in caught.value.next_step


def test_a_server_that_does_not_start_says_why(home: Path) -> None:
    server = embedded.ensure_running(at(home))
    embedded.stop(at(home))
    (server.data / "global" / "pg_control").unlink()
    with pytest.raises(SetupError, match=r"pg_control.*Read .*server\.log"):
        embedded.ensure_running(at(home))


def test_a_server_that_has_no_space_to_start_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = embedded.ensure_running(at(home))
    embedded.stop(at(home))

    def meets_a_full_disk(*_: object) -> subprocess.CompletedProcess[str]:
        reason = 'FATAL:  could not write to file "pg_wal/xlogtemp.1": No space left on device'
        (server.data / "server.log").write_text(f"2026-01-01 00:00:00 UTC [1] {reason}\n")
        return subprocess.CompletedProcess([], 1)

    monkeypatch.setattr(embedded, "_run_tool", meets_a_full_disk)
    with pytest.raises(SetupError, match="disk of .* is full") as caught:
        embedded.ensure_running(at(home))
    assert "Free space there" in caught.value.next_step


def test_a_home_renamed_under_its_server_is_not_served_twice(folder: Path, home: Path) -> None:
    server = embedded.ensure_running(at(home))
    moved = home.rename(folder / "moved")
    try:
        with pytest.raises(SetupError, match=f"Process {server.pid} still serves"):
            embedded.ensure_running(at(moved))
    finally:
        moved.rename(home)


def test_the_server_log_holds_no_value_and_no_statement(common: Path) -> None:
    server = embedded.ensure_running(at(common))
    with connect(server) as connection:
        connection.execute("CREATE TABLE person (email text PRIMARY KEY, born int)")
        connection.execute("INSERT INTO person VALUES ('canary@example.org', 1)")
        for bad in ("('canary@example.org', 2)", "('a', 'canary-number')"):
            with pytest.raises(psycopg.Error):
                connection.execute(f"INSERT INTO person VALUES {bad}".encode())
    log = (server.data / "server.log").read_text()
    assert "ready to accept connections" in log
    assert "canary" not in log


def test_user_settings_below_the_include_win(home: Path) -> None:
    server = embedded.ensure_running(at(home))
    embedded.stop(at(home))
    with (server.data / "postgresql.conf").open("a") as conf:
        conf.write("work_mem = 5MB\n")
    assert one(embedded.ensure_running(at(home)), "SHOW work_mem") == "5MB"


def test_nothing_warns_about_runtime_folders(home: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "always", "-c", START + "ensure_running(read_settings())"],
        env={k: v for k, v in os.environ.items() if k != "XDG_RUNTIME_DIR"} | {"MIGRATION_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "RuntimeDirWarning" not in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_home_of_another_user_is_not_touched(common: Path) -> None:
    server = embedded.ensure_running(at(common))
    # All is imported before: the other user may not be able to read this Python's files.
    code = (
        "import os; from migration.embedded import status, ensure_running; from migration.errors import SetupError;"
        "from migration.settings import read_settings; settings = read_settings(); os.setgid(65534); os.setuid(65534)\n"
        "for call in (status, ensure_running):\n"
        "    try: call(settings)\n"
        "    except SetupError as error: print(error.next_step)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"MIGRATION_HOME": str(common)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.count("MIGRATION_HOME") == 2, result.stderr
    assert embedded.status(at(common)) == server


def test_it_is_quick_when_it_runs_already(common: Path) -> None:
    server = embedded.ensure_running(at(common))
    begin = time.perf_counter()
    assert embedded.ensure_running(at(common)) == server
    assert time.perf_counter() - begin < 5
