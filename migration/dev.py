"""Dagster on this machine: its home folder, and `migrate dev`, the UI with everything that runs behind it.

`dagster dev` starts thirteen Python processes for five code locations, and each of them imports Dagster and pandas
anew: 33 s until the UI answers on two cores. Here a fork server imports them once, and webserver, daemon and one
code server per location are forked from it, the same programs with the same command lines: 9 s. The price: the
UI's "Reload" does not read changed code; restart, or run `dagster dev -w workspace.yaml` while writing code.
"""

import http.client
import logging
import multiprocessing
import os
import runpy
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import yaml

from migration import embedded
from migration.errors import SetupError
from migration.settings import Settings
from migration.warehouse.connect import storage_url

PROJECT = Path(__file__).resolve().parent.parent

# What several of the processes import; whatever is missing here only makes the start slower.
_SHARED_IMPORTS = [
    "dagster._cli",
    "dagster._cli.api",
    "dagster._grpc.server",
    "dagster._daemon.cli",
    "dagster_postgres",
    "dagster_webserver.cli",
    "migration",
    "pandas",
    "pandera.pandas",
    "psycopg",
    "sqlalchemy",
]
_log = logging.getLogger(__name__)

_ANSWER_SECONDS = 300
_EVENTS_AT_ONCE = 1000
_STOP_SECONDS = 30


@dataclass(frozen=True)
class Program:
    """One of the programs behind the UI: a Python module and its command line."""

    name: str
    module: str
    arguments: tuple[str, ...]


def prepare_dagster_home(settings: Settings) -> dict[str, str]:
    """Make Dagster's home folder ready, and its storage: a wrong setting shows here, in one line.

    Returns:
        The environment a Dagster process of this installation needs, to be added to its own.
    """
    storage_url(settings)
    if "://" not in str(settings.landing):
        settings.landing.mkdir(parents=True, exist_ok=True)
    environment = {
        "DAGSTER_HOME": str(settings.dagster_home),
        "MIGRATION_HOME": str(settings.home),
        "MIGRATION_LANDING": str(settings.landing),
        "MIGRATION_WORK": str(settings.work),
        "DAGSTER_EVENT_BATCH_SIZE": str(_EVENTS_AT_ONCE),
    }
    # The embedded server goes without a URL: a process that finds it stopped then knows to start it again.
    if settings.database_url is None:
        embedded.ensure_running(settings)
    else:
        environment["MIGRATION_DATABASE_URL"] = settings.database_url
    if settings.dagster_database_url is not None:
        environment["MIGRATION_DAGSTER_DATABASE_URL"] = settings.dagster_database_url
    try:
        settings.dagster_home.mkdir(parents=True, exist_ok=True)
        # Moved into place: another command may be reading it.
        part = settings.dagster_home / f"dagster.yaml.{os.getpid()}"
        shutil.copyfile(PROJECT / "dagster.yaml", part)
        part.replace(settings.dagster_home / "dagster.yaml")
    except OSError as error:
        raise SetupError(
            f"Dagster's folder {settings.dagster_home} cannot be written ({error.strerror}).",
            "Free space or give yourself the right to write there, or set MIGRATION_HOME to another folder.",
        ) from None
    return environment


def run_dev(
    settings: Settings,
    host: str = "127.0.0.1",
    port: int = 3000,
    say: Callable[[str], None] = print,
    workspace: Path = PROJECT / "workspace.yaml",
) -> int:
    """Run the UI, the daemon and the code servers until Ctrl-C or SIGTERM; PostgreSQL goes on.

    Returns:
        The exit code: 0 when told to stop, 1 when one of the programs ended by itself.
    """
    begin = time.monotonic()
    _refuse_taken_port(host, port)
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(_SHARED_IMPORTS)
    stop = threading.Event()
    with _stop_signals(stop), tempfile.TemporaryDirectory(prefix="migration-dev-") as folder:
        # The first one starts the fork server, whose imports go on while PostgreSQL starts.
        forking.Process(target=time.time).start()
        environment = prepare_dagster_home(settings) | {"DAGSTER_IS_DEV_CLI": "1"}
        running: dict[str, BaseProcess] = {}
        try:
            for program in programs(workspace, Path(folder), host, port):
                running[program.name] = forking.Process(target=_run, args=(program, environment))
                running[program.name].start()
            threading.Thread(target=_announce, args=(host, port, say, stop, begin), daemon=True).start()
            return _watch(running, stop, say)
        finally:
            _end(running.values())


def programs(workspace: Path, folder: Path, host: str, port: int) -> list[Program]:
    """The programs behind the UI; writes the workspace file that points two of them at the code servers."""
    servers, entries = [], []
    for number, entry in enumerate(yaml.safe_load(workspace.read_text())["load_from"]):
        module = entry["python_module"]
        name, code, socket_path = module["location_name"], module["module_name"], str(folder / f"{number}.sock")
        pointer = ("--module-name", code, "--working-directory", str(workspace.parent), "--location-name", name)
        # Lazy, so that a location whose code is broken shows its error in the UI and the others go on.
        lazy = ("--lazy-load-user-code", "--socket", socket_path, "--log-level", "warning")
        servers.append(Program(name, "dagster", ("api", "grpc", *lazy, *pointer)))
        entries.append({"grpc_server": {"socket": socket_path, "location_name": name}})
    shared = folder / "workspace.yaml"
    shared.write_text(yaml.safe_dump({"load_from": entries}))
    target = ("--workspace", str(shared))
    web = ("--host", host, "--port", str(port), "--dagster-log-level", "warning", *target)
    daemon = ("run", "--log-level", "warning", *target)
    return [*servers, Program("webserver", "dagster_webserver", web), Program("daemon", "dagster._daemon", daemon)]


def _run(program: Program, environment: dict[str, str]) -> None:
    """What a forked process does: be that program, in a session of its own, until its parent is gone."""
    os.setsid()
    os.environ |= environment
    sys.argv = [program.module, *program.arguments]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _wait_for_code_servers(program)
    runpy.run_module(program.module, run_name="__main__", alter_sys=True)


def _wait_for_code_servers(program: Program) -> None:
    """A webserver that finds no code server shows an error first and looks again only later."""
    if "--workspace" not in program.arguments:
        return
    workspace = Path(program.arguments[program.arguments.index("--workspace") + 1])
    entries = yaml.safe_load(workspace.read_text())["load_from"]
    deadline = time.monotonic() + _ANSWER_SECONDS
    while time.monotonic() < deadline:
        if all(Path(entry["grpc_server"]["socket"]).exists() for entry in entries):
            return
        time.sleep(0.05)


def _end_with_parent() -> None:
    """Nothing is left behind when the command itself is killed."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _announce(host: str, port: int, say: Callable[[str], None], stop: threading.Event, begin: float) -> None:
    while not stop.wait(0.2) and time.monotonic() - begin < _ANSWER_SECONDS:
        if _answers(host, port):
            say(f"Dagster's UI is at http://{host}:{port} (up in {time.monotonic() - begin:.0f} s; Ctrl-C ends it)")
            return


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request("GET", "/server_info")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def _watch(running: dict[str, BaseProcess], stop: threading.Event, say: Callable[[str], None]) -> int:
    while not stop.wait(0.5):
        for name, process in running.items():
            if not process.is_alive():
                say(f"{name} ended by itself with code {process.exitcode}; stopping the others")
                return 1
    return 0


def _end(running: Iterable[BaseProcess]) -> None:
    """End daemon and webserver before the code servers they talk to, then whatever does not listen."""
    backwards = list(running)[::-1]
    for process in backwards:
        process.terminate()
    deadline = time.monotonic() + _STOP_SECONDS
    for process in backwards:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.is_alive():
            _log.warning("Process %s did not end within %s s and was killed", process.pid, _STOP_SECONDS)
            process.kill()
            process.join()


@contextmanager
def _stop_signals(stop: threading.Event) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the watch instead of breaking into it."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _refuse_taken_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        # As the webserver does, or a port that was in use a minute ago would count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SetupError(
                f"The UI cannot listen on {host}:{port} ({error.strerror}).",
                "End the program that uses the port, or choose another with `migrate dev --port`.",
            ) from None
