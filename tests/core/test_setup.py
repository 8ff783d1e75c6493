"""Setting up and starting: the Makefile on a bare machine, Dagster's configuration, and `migrate dev`."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import psutil
import pytest
import yaml
from dagster import DagsterInstance, Definitions
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage

from migration import dev, embedded
from migration.errors import SetupError
from migration.settings import Settings, read_settings

ROOT = Path(__file__).resolve().parents[2]
TARGETS = ["help", "setup", "migrate", "test", "test-slow", "dev", "check", "bench", "stop", "clean"]

# --- Makefile ---------------------------------------------------------------------------------------------

FAKE_UV = """#!/bin/sh
echo "$@" >> uv.calls
mkdir -p .venv/bin
"""
FAKE_MIGRATE = """#!/bin/sh
echo "$@" >> migrate.calls
"""


class Checkout:
    """A copy of the Makefile in a folder of its own, with stand-ins for uv and for the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "programs"
        self.programs.mkdir()
        (folder / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
        for name in ("pyproject.toml", "uv.lock"):
            (folder / name).write_text("")
        for name in ("sh", "mkdir", "touch", "echo", "mv", "rm", "awk"):
            found = next(p for d in ("/bin", "/usr/bin") if (p := Path(d) / name).exists())
            (self.programs / name).symlink_to(found)
        (self.programs / "python3").symlink_to(sys.executable)

    def program(self, name: str, text: str) -> None:
        path = self.programs / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def migrate_is_there(self) -> None:
        path = self.folder / ".venv" / "bin" / "migrate"
        path.parent.mkdir(parents=True)
        path.write_text(FAKE_MIGRATE)
        path.chmod(0o755)

    def make(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        make = next(p for p in ("/usr/bin/make", "/bin/make", "/usr/local/bin/make") if Path(p).exists())
        return subprocess.run(
            [make, *arguments],
            cwd=self.folder,
            env={"PATH": str(self.programs)} | variables,
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self, name: str) -> list[str]:
        path = self.folder / f"{name}.calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path)
    made.program("uv", FAKE_UV)
    return made


def test_make_alone_lists_every_target(checkout: Checkout) -> None:
    listed = [line.split()[1] for line in checkout.make().stdout.splitlines()]
    assert listed == TARGETS


def test_a_second_call_does_not_set_up_again(checkout: Checkout) -> None:
    assert checkout.make("setup").returncode == 0
    assert checkout.make("setup").returncode == 0
    assert len(checkout.calls("uv")) == 1
    later = time.time() + 5
    os.utime(checkout.folder / "uv.lock", (later, later))
    assert checkout.make("setup").returncode == 0
    assert len(checkout.calls("uv")) == 2
    assert checkout.calls("uv")[0].startswith("sync --frozen")


def test_targets_in_parallel_set_up_once(checkout: Checkout) -> None:
    checkout.migrate_is_there()
    assert checkout.make("-j", "4", "setup", "migrate", "dev").returncode == 0
    assert len(checkout.calls("uv")) == 1


def test_migrate_makes_a_sample_only_where_there_is_no_export(checkout: Checkout) -> None:
    checkout.migrate_is_there()
    assert checkout.make("migrate").returncode == 0
    (checkout.folder / "elsewhere" / "landing" / "skynet" / "2026-03-01").mkdir(parents=True)
    assert checkout.make("migrate", MIGRATION_HOME="elsewhere").returncode == 0
    systems = ("skynet", "meter", "booking", "billing", "dental")
    run = [*(f"run {system} --yes" for system in systems), "report"]
    assert checkout.calls("migrate") == ["sample", *run, *run]


def test_a_failed_run_fails_make_before_the_report(checkout: Checkout) -> None:
    checkout.migrate_is_there()
    (checkout.folder / ".venv/bin/migrate").write_text(FAKE_MIGRATE + '[ "$1" != run ]\n')
    assert checkout.make("migrate").returncode != 0
    assert checkout.calls("migrate") == ["sample", "run skynet --yes"]


def test_an_old_python_is_named_and_a_newer_one_is_found(checkout: Checkout) -> None:
    checkout.program("python3", "#!/bin/sh\nexit 1\n")
    result = checkout.make("setup")
    assert result.returncode != 0
    assert "No Python 3.11, 3.12 or 3.13 found" in result.stderr
    (checkout.programs / "python3.12").symlink_to(sys.executable)
    assert checkout.make("setup").returncode == 0


def test_without_uv_a_python_without_venv_says_what_to_install(checkout: Checkout) -> None:
    (checkout.programs / "uv").unlink()
    checkout.program("python3", '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n')
    result = checkout.make("setup")
    assert result.returncode != 0
    assert "apt-get install python3-venv" in result.stderr


def test_a_failed_setup_is_tried_again(checkout: Checkout) -> None:
    checkout.program("uv", FAKE_UV + "exit 3\n")
    assert checkout.make("setup").returncode != 0
    assert checkout.make("setup").returncode != 0
    assert len(checkout.calls("uv")) == 2


def test_the_ci_script_is_strict_and_runs_check_and_test() -> None:
    script = ROOT / ".ci" / "run"
    text = script.read_text()
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in text
    assert text.index("make setup") < text.index("make check") < text.index("make test")
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


# --- dagster.yaml, workspace.yaml -------------------------------------------------------------------------


@pytest.fixture
def instance(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    for name, value in dev.prepare_dagster_home(settings).items():
        monkeypatch.setenv(name, value)
    with DagsterInstance.get() as made:
        yield made


def test_dagster_accepts_every_setting(instance: DagsterInstance, settings: Settings) -> None:
    assert isinstance(instance.run_storage, PostgresRunStorage)
    assert isinstance(instance.event_log_storage, PostgresEventLogStorage)
    assert isinstance(instance.schedule_storage, PostgresScheduleStorage)
    assert isinstance(instance.run_coordinator, QueuedRunCoordinator)
    assert not instance.telemetry_enabled
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_max_runtime_seconds == 6 * 3600
    assert instance.run_retries_enabled and instance.run_retries_max_retries == 1
    assert instance.get_settings("run_retries")["retry_on_asset_or_op_failure"] is False
    assert instance.get_settings("run_monitoring")["free_slots_after_run_end_seconds"] == 60
    assert str(settings.home) in instance.storage_directory()


def test_a_process_of_dagster_starts_the_embedded_server_again(
    short_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = read_settings({"MIGRATION_HOME": str(short_home)})
    for name in ("MIGRATION_DATABASE_URL", "MIGRATION_DAGSTER_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in dev.prepare_dagster_home(ours).items():
        monkeypatch.setenv(name, value)
    assert embedded.stop(ours)
    with DagsterInstance.get() as made:
        assert made.get_runs_count() == 0


def test_one_writer_per_system_at_a_time(instance: DagsterInstance) -> None:
    queue = instance.get_concurrency_config().run_queue_config
    assert queue and queue.max_concurrent_runs == 3
    assert queue.tag_concurrency_limits == [
        {"key": "migration/writer", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
    ]


def test_an_event_survives_its_way_through_storage(instance: DagsterInstance) -> None:
    from dagster import AssetKey, asset, materialize

    @asset
    def page() -> None: ...

    assert materialize([page], instance=instance).success
    assert instance.get_latest_materialization_event(AssetKey("page")) is not None


def test_the_workspace_has_five_locations_that_load() -> None:
    entries = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]
    modules = [entry["python_module"] for entry in entries]
    names = [f"{system}_assets" for system in ("skynet", "meter", "booking", "billing", "dental")]
    assert [module["location_name"] for module in modules] == names
    assert [module["module_name"] for module in modules] == [f"{name}.definitions" for name in names]
    for module in modules:
        assert isinstance(import_module(module["module_name"]).defs, Definitions)


# --- migrate dev ------------------------------------------------------------------------------------------


def test_the_environment_of_a_dagster_process_names_everything(settings: Settings) -> None:
    environment = dev.prepare_dagster_home(settings)
    assert read_settings(environment) == settings
    assert environment["DAGSTER_HOME"] == str(settings.dagster_home)
    assert [path.name for path in settings.dagster_home.glob("dagster.yaml*")] == ["dagster.yaml"]


def test_a_dagster_home_that_cannot_be_written_says_what_to_do(settings: Settings) -> None:
    settings.dagster_home.write_text("")
    with pytest.raises(SetupError, match="cannot be written.*MIGRATION_HOME"):
        dev.prepare_dagster_home(settings)


def test_a_taken_port_is_refused_before_anything_starts(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SetupError, match=rf"127\.0\.0\.1:{port}.*--port"):
            dev.run_dev(settings, port=port)


def test_webserver_and_daemon_share_the_code_servers(tmp_path: Path) -> None:
    made = {program.name: program for program in dev.programs(ROOT / "workspace.yaml", tmp_path, "127.0.0.1", 3000)}
    assert list(made)[-2:] == ["webserver", "daemon"] and len(made) == 7
    entries = yaml.safe_load((tmp_path / "workspace.yaml").read_text())["load_from"]
    sockets = [entry["grpc_server"]["socket"] for entry in entries]
    assert len(set(sockets)) == 5
    for name, path in zip(list(made)[:5], sockets, strict=True):
        assert path in made[name].arguments


DRIVER = """
import sys
from pathlib import Path
from migration.dev import run_dev
from migration.settings import read_settings

if __name__ == "__main__":
    sys.exit(run_dev(read_settings(), port=int(sys.argv[1]), workspace=Path("workspace.yaml").resolve()))
"""
LOCATION = """
from dagster import *

@asset
def page(): ...

read = define_asset_job("read", "*")

@sensor(job=read, default_status=DefaultSensorStatus.RUNNING, minimum_interval_seconds=1)
def look(context):
    return RunRequest("once")

defs = Definitions(assets=[page], jobs=[read], sensors=[look])
"""
QUERY = """{
  workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { __typename } } } }
  runsOrError { ... on Runs { results { status } } }
}"""


@contextmanager
def developing(folder: Path, settings: Settings, port: int) -> Iterator[subprocess.Popen[str]]:
    """`run_dev` in a process of its own, over one location that works and one that does not."""
    (folder / "driver.py").write_text(DRIVER)
    (folder / "working_location.py").write_text(LOCATION)
    (folder / "broken_location.py").write_text("1 / 0\n")
    entries = [
        {"python_module": {"module_name": name, "location_name": name}}
        for name in ("working_location", "broken_location")
    ]
    (folder / "workspace.yaml").write_text(yaml.safe_dump({"load_from": entries}))
    environment = {
        "MIGRATION_HOME": str(settings.home),
        "MIGRATION_DATABASE_URL": settings.database_url or "",
        "MIGRATION_DAGSTER_DATABASE_URL": settings.dagster_database_url or "",
    }
    process = subprocess.Popen(
        [sys.executable, "driver.py", str(port)],
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        bufsize=1,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def said(process: subprocess.Popen[str], text: str) -> str:
    """The first line of a process's output that holds a text."""
    assert process.stdout
    return next(line for line in process.stdout if text in line)


def ask(port: int) -> dict:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/graphql", json.dumps({"query": QUERY}), {"Content-Type": "application/json"})
    return json.loads(connection.getresponse().read())["data"]


def wait_until(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.slow
def test_dev_answers_runs_sensors_and_ends_when_told(tmp_path: Path, settings: Settings, unused_port: int) -> None:
    with developing(tmp_path, settings, unused_port) as process:
        assert f"http://127.0.0.1:{unused_port}" in said(process, "UI is at")
        children = psutil.Process(process.pid).children(recursive=True)
        entries = ask(unused_port)["workspaceOrError"]["locationEntries"]
        kinds = {entry["name"]: entry["locationOrLoadError"]["__typename"] for entry in entries}
        assert kinds == {"working_location": "RepositoryLocation", "broken_location": "PythonError"}
        wait_until(lambda: [r["status"] for r in ask(unused_port)["runsOrError"]["results"]] == ["SUCCESS"])
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
        assert psutil.wait_procs(children, timeout=10)[1] == []


@pytest.mark.slow
def test_dev_killed_with_9_leaves_nothing_behind(tmp_path: Path, settings: Settings, unused_port: int) -> None:
    with developing(tmp_path, settings, unused_port) as process:
        said(process, "UI is at")
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 4
        process.kill()
        wait_until(lambda: not [child for child in children if alive(child)], 60)


@pytest.mark.slow
def test_dev_ends_with_1_when_one_of_its_programs_dies(tmp_path: Path, settings: Settings, unused_port: int) -> None:
    with developing(tmp_path, settings, unused_port) as process:
        said(process, "UI is at")
        server = next(
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            for connection in child.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == unused_port
        )
        server.kill()
        assert "webserver ended by itself" in said(process, "webserver")
        assert process.wait(timeout=60) == 1


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
