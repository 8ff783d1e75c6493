"""A fresh export from the legacy system's export server: fetched, checked, and published whole or not at all.

What lives here: the settings of the server, the download of the three files page by page, and the one moment in
which a finished export appears in the landing zone. What the rows mean is no concern of this module; it only sees
to it that each file is a JSON array and keeps its bytes as they came.
"""

import hashlib
import logging
import mmap
import os
import re
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Self

import httpx
import ijson
from upath import UPath

from migration.errors import EmptySource, ExportError, ExportFormatError, SetupError, TransientError
from migration.exports.manifest import MANIFEST_NAME
from migration.exports.writing import WrittenFile, is_local, publication, remove_folder, write_manifest
from migration.fetch import (
    Answer,
    Budget,
    Deadline,
    FetchError,
    Network,
    Problem,
    Secret,
    default_tls_context,
    join_same_origin,
    next_link,
    open_url,
    retry_after,
)
from migration.server_settings import addresses_safe_for, checked_address, checked_token

SYSTEM = "skynet"
TABLES = ("customers", "transactions", "branches")
NEVER_EMPTY = ("customers", "transactions")
BASE_URL_VARIABLE = "SKYNET_EXPORT_BASE_URL"
TOKEN_VARIABLE = "SKYNET_EXPORT_TOKEN"  # noqa: S105 - the name of the variable, not its value

_ID_FORMAT = "%Y%m%dT%H%M%SZ"
_TEMPORARY = re.compile(r"\.tmp-(\d{8}T\d{6}Z)(?:\.publication)?")
_ABANDONED_AFTER = timedelta(days=1)
_BLOCK = 1 << 20
_DEEPEST = 64
_ENDLESS = 1000
_ENDLESS_NUMBER = re.compile(rb"(?<![0-9])[0-9]{%d}" % _ENDLESS)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

logger = logging.getLogger(__name__)


class RefreshConfigError(SetupError):
    """The settings of the export server are missing or unsafe, or the server does not accept them."""


class RefreshRefused(ExportError):
    """The export server answered with something that must not become an export."""


class RefreshUnavailable(TransientError):
    """The export server, or the landing zone, could not be used now; later it may."""


@dataclass(frozen=True)
class RefreshConfig:
    """Where the legacy system serves its export.

    Attributes:
        base_url: the files are `<base_url>/customers.json` and so on.
        token: sent as a bearer token; it shows in no message, log or representation.
    """

    base_url: httpx.URL
    token: Secret

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """The settings that an environment gives.

        Args:
            environment: None means that of the process.

        Raises:
            RefreshConfigError: a variable is missing, not a usable URL, or would send the token in the clear.
        """
        env = os.environ if environment is None else environment
        address = env.get(BASE_URL_VARIABLE, "").strip()
        token = Secret(env.get(TOKEN_VARIABLE, "").strip())
        # A traceback that shows local variables would print the token with the mapping.
        del env, environment
        return cls(
            checked_address(address, BASE_URL_VARIABLE, "https://legacy.example/export", RefreshConfigError),
            checked_token(token, TOKEN_VARIABLE, "the export server", RefreshConfigError),
        )

    @property
    def address_allowed(self) -> Callable[[str], bool]:
        """Judges the addresses of the server: without TLS only this machine's own are safe for a token."""
        return addresses_safe_for(self.base_url)

    def headers(self) -> dict[str, str | Secret]:
        """The headers of each request."""
        return {"Accept": "application/json", "Authorization": Secret(f"Bearer {self.token.reveal()}")}

    def file_url(self, table: str) -> httpx.URL:
        """The URL of a table's first page."""
        folder = self.base_url.raw_path.rstrip(b"/")
        return self.base_url.copy_with(raw_path=folder + f"/{table}.json".encode())


@dataclass(frozen=True)
class RefreshLimits:
    """What a refresh may cost; the defaults are for production, tests use smaller ones.

    Attributes:
        connect_seconds: looking up the host, connecting and the TLS handshake.
        idle_seconds: the longest silence of the server.
        page_seconds: one request from start to end.
        file_seconds: one file with all its pages and repeated tries.
        file_bytes: one file with all its pages.
        pages: of one file.
        redirects: of one request.
        tries: of one request.
        first_wait: seconds before the second try; each further wait is twice as long.
        longest_wait: what `Retry-After` may ask for; more ends the refresh.
    """

    connect_seconds: float = 10
    idle_seconds: float = 60
    page_seconds: float = 900
    file_seconds: float = 3600
    file_bytes: int = 512 * 1024 * 1024
    pages: int = 10_000
    redirects: int = 3
    tries: int = 3
    first_wait: float = 1
    longest_wait: float = 60


@dataclass(frozen=True)
class Refreshed:
    """How a refresh ended.

    Attributes:
        export_id: of the new export; None when nothing has changed.
        counts: rows per table, as fetched.
        same_as: the newest export, when it has the same content.
    """

    export_id: str | None
    counts: Mapping[str, int]
    same_as: str | None = None


def refresh_export(
    landing: UPath,
    config: RefreshConfig,
    now: datetime,
    *,
    limits: RefreshLimits | None = None,
    tls_context: ssl.SSLContext | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Refreshed:
    """Fetch a new export and publish it in the landing zone, unless it equals the newest one.

    In a local landing zone the export appears by one rename. Object stores know no rename: there the files are
    copied into place on the server's side, the manifest last, and an export without a manifest is not complete.

    Args:
        landing: the landing zone; exports are `<landing>/skynet/<export_id>/`.
        config: where the export server is.
        now: the moment of the export, with its time zone; it makes the export's id.
        limits: None means those of production.
        tls_context: verifies the server; None means the usual authorities.
        sleep: waits between two tries.

    Raises:
        RefreshConfigError: the server's certificate or the token is not accepted.
        RefreshRefused: the server led elsewhere, or sent too much or an unexpected status.
        RefreshUnavailable: the server failed in all tries, or the landing zone could not be written.
        ExportFormatError: a file is not a JSON array.
        EmptySource: customers or transactions have no rows.
        ValueError: `now` has no time zone.
    """
    if now.tzinfo is None:
        raise ValueError("now needs a time zone")
    export_id = now.astimezone(UTC).strftime(_ID_FORMAT)
    shelf = UPath(landing) / SYSTEM
    download = _Download(config, limits or RefreshLimits(), tls_context, sleep)
    try:
        _prepare(shelf, export_id, now)
        with _staging(shelf, export_id) as folder:
            files = [download.table(name, folder) for name in TABLES]
            counts = {name: file.rows for name, file in zip(TABLES, files, strict=True)}
            same_as = _newest_with_same_content(shelf, files)
            if same_as is not None:
                return Refreshed(None, counts, same_as)
            _publish(folder, shelf / export_id, files, now)
    except OSError as error:
        raise RefreshUnavailable(
            f"The landing zone could not be used ({type(error).__name__}: {error.strerror or 'no detail'}).",
            "Check its free space and the rights on it, then start the refresh again.",
        ) from None
    logger.info("skynet export %s published: %s", export_id, counts)
    return Refreshed(export_id, counts)


# --- download


class _TryAgain(Exception):
    """One try failed in a way that another may not."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        self.reason = reason
        self.wait = wait
        super().__init__(reason)


@dataclass(frozen=True)
class _File:
    """A finished file of the export."""

    name: str
    sha256: str
    rows: int


class _ArrayWriter:
    """Puts a JSON array together from pages, and hashes what it writes."""

    def __init__(self, name: str, target: IO[bytes]) -> None:
        self.name = name
        self.size = 0
        self._rows = 0
        self._target = target
        self._hash = hashlib.sha256()
        self._write(b"[")

    def append(self, page: Path) -> None:
        """Add the elements of a page exactly as they are written there."""
        rows = _count_elements(page, self.name)
        if rows == 0:
            return
        if self._rows:
            self._write(b",\n")
        for piece in _inside_of_array(page):
            self._write(piece)
        self._rows += rows

    def finish(self) -> _File:
        """Close the array and bring it to the disk."""
        self._write(b"]")
        self._target.flush()
        os.fsync(self._target.fileno())
        return _File(self.name, self._hash.hexdigest(), self._rows)

    def _write(self, piece: bytes) -> None:
        self._target.write(piece)
        self._hash.update(piece)
        self.size += len(piece)


class _Download:
    """Fetches the files of the export server, page by page."""

    def __init__(
        self,
        config: RefreshConfig,
        limits: RefreshLimits,
        tls_context: ssl.SSLContext | None,
        sleep: Callable[[float], None],
    ) -> None:
        self._config = config
        self._limits = limits
        self._network = Network(
            address_allowed=config.address_allowed, tls_context=tls_context or default_tls_context()
        )
        self._sleep = sleep

    def table(self, table: str, folder: Path) -> _File:
        """Write a table's file into a folder."""
        page = folder / f".{table}.page"
        with _private_file(folder / f"{table}.json") as target:
            writer = _ArrayWriter(f"{table}.json", target)
            self._all_pages(table, page, writer)
            file = writer.finish()
        page.unlink()
        if table in NEVER_EMPTY and file.rows == 0:
            raise EmptySource(
                f"The export server sent {file.name} without any row, as a failed legacy export does.",
                "Check the legacy system, then start the refresh again; nothing was published.",
            )
        return file

    def _all_pages(self, table: str, page: Path, writer: _ArrayWriter) -> None:
        deadline = Deadline(self._limits.file_seconds)
        url = self._config.file_url(table)
        seen: set[str] = set()
        while str(url) not in seen:
            seen.add(str(url))
            if len(seen) > self._limits.pages:
                raise _refusal(writer.name, f"has more than {self._limits.pages} pages")
            room = self._limits.file_bytes - writer.size
            url, headers = self._page(writer.name, url, page, deadline, room)
            writer.append(page)
            following = next_link(headers)
            if following is None:
                return
            url = _same_server(url, following, writer.name)
        raise _refusal(writer.name, "has next links that run in a circle")

    def _page(
        self, name: str, url: httpx.URL, page: Path, deadline: Deadline, room: int
    ) -> tuple[httpx.URL, httpx.Headers]:
        """Fetch a page, trying again as often as the limits allow; gives its final URL and headers."""
        limits = self._limits
        attempt, wait = 1, limits.first_wait
        while True:
            try:
                return self._try(name, url, page, deadline, room)
            except _TryAgain as error:
                reason, asked = error.reason, error.wait or 0
            if attempt >= limits.tries or asked > limits.longest_wait:
                raise RefreshUnavailable(
                    f"The export server did not deliver {name}: {reason} at try {attempt} of {limits.tries}.",
                    "Start the refresh again later; nothing was published.",
                )
            logger.warning("%s: %s at try %d of %d", name, reason, attempt, limits.tries)
            self._sleep(max(wait, asked))
            attempt, wait = attempt + 1, wait * 2

    def _try(
        self, name: str, url: httpx.URL, page: Path, deadline: Deadline, room: int
    ) -> tuple[httpx.URL, httpx.Headers]:
        try:
            limits = self._limits
            end = Deadline(deadline.left(limits.page_seconds))
            budget = Budget(limits.connect_seconds, limits.idle_seconds, end)
            for _ in range(limits.redirects + 1):
                with open_url(url, self._config.headers(), self._network, budget) as answer:
                    if answer.redirect is None:
                        _require_success(answer, name)
                        _save(answer, page, room)
                        return url, answer.headers
                    url = _same_server(url, answer.redirect, name)
        except FetchError as error:
            raise _explained(error.problem, name) from None
        raise _refusal(name, f"is behind more than {limits.redirects} redirects")


def _require_success(answer: Answer, name: str) -> None:
    status = answer.status
    if status == httpx.codes.OK:
        return
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise RefreshConfigError(
            f"The export server refused the token for {name} (HTTP {status}): it is wrong or has expired.",
            f"Put a new token into {TOKEN_VARIABLE} and start the refresh again.",
        )
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise _TryAgain(f"HTTP {status}", retry_after(answer.headers, datetime.now(UTC)))
    raise _refusal(name, f"was answered with HTTP {status}")


def _explained(problem: Problem, name: str) -> Exception:
    if problem in (Problem.TIMEOUT, Problem.CONNECTION_ERROR):
        return _TryAgain("timeout" if problem is Problem.TIMEOUT else "connection failed or broke off")
    if problem is Problem.TLS_ERROR:
        return RefreshConfigError(
            f"The export server's TLS certificate was not accepted ({name}).",
            "Renew it, or name its authority in SSL_CERT_FILE; verification cannot be switched off.",
        )
    if problem is Problem.PRIVATE_ADDRESS:
        return RefreshConfigError(
            f"{BASE_URL_VARIABLE} has no TLS and its host is another machine.", "Use an https address."
        )
    what = "is larger than a file may be" if problem is Problem.TOO_LARGE else "was sent compressed"
    return _refusal(name, what)


def _refusal(name: str, what: str) -> RefreshRefused:
    return RefreshRefused(f"{name} {what}.", f"Check the server that {BASE_URL_VARIABLE} names.")


def _same_server(url: httpx.URL, reference: str, name: str) -> httpx.URL:
    """The URL that a redirect or a next link means; the token goes to no other server."""
    target = join_same_origin(url, reference)
    if target is None:
        raise _refusal(name, "leads to another server")
    return target


def _save(answer: Answer, page: Path, room: int) -> None:
    with _private_file(page) as target:
        for piece in answer.body(room):
            target.write(piece)


# --- JSON arrays as bytes


def _count_elements(page: Path, name: str) -> int:
    """The number of elements of a page, which must be one JSON array.

    The parser's own errors quote the text, so that they are left behind and not chained.
    """
    try:
        with page.open("rb") as source:
            if source.read(len(_BYTE_ORDER_MARK)) != _BYTE_ORDER_MARK:
                source.seek(0)
            elements = None if _has_endless_number(page) else _elements(ijson.basic_parse(source))
    except (ijson.JSONError, ArithmeticError, ValueError):
        elements = None
    if elements is None:
        raise ExportFormatError(
            f"{name} as the export server sent it is not a JSON array.",
            "Open it in a browser: a login or an error page is a usual cause. Nothing was published.",
        )
    return elements


def _has_endless_number(page: Path) -> bool:
    """Whether there are digits without end: integers beyond Python's limit crash the parser, and the process."""
    window = b""
    with page.open("rb") as source:
        while block := source.read(_BLOCK):
            window = window[-_ENDLESS:] + block
            if _ENDLESS_NUMBER.search(window):
                return True
    return False


def _elements(events: Iterator[tuple[str, object]]) -> int | None:
    """How many elements the array of a stream of events has; None if it is no array, or nested absurdly."""
    depth = elements = 0
    for event, _ in events:
        if event in ("end_array", "end_map"):
            depth -= 1
            continue
        if depth == 0 and event != "start_array":
            return None
        elements += depth == 1 and event != "map_key"
        if event in ("start_array", "start_map"):
            depth += 1
        if depth > _DEEPEST:
            return None
    return elements


def _inside_of_array(page: Path) -> Iterator[bytes]:
    """What stands between the outermost brackets of a page that is known to be an array."""
    with page.open("rb") as source:
        with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as view:
            start, end = view.find(b"[") + 1, view.rfind(b"]")
        source.seek(start)
        while block := source.read(min(_BLOCK, end - source.tell())):
            yield block


# --- landing zone


def _private_file(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _prepare(shelf: UPath, export_id: str, now: datetime) -> None:
    """Make the shelf ready, without what refreshes that were killed have left on it."""
    shelf.mkdir(parents=True, exist_ok=True)
    oldest_alive = (now - _ABANDONED_AFTER).astimezone(UTC).strftime(_ID_FORMAT)
    for entry in list(shelf.iterdir()):
        found = _TEMPORARY.fullmatch(entry.name)
        if found and found[1] < oldest_alive:
            logger.warning("removing %s, left by a refresh that was killed", entry.name)
            remove_folder(entry)
    if (shelf / export_id).exists():
        raise RefreshUnavailable(
            f"There is an export {export_id} already.", "Start the refresh again: an id is a second."
        )


@contextmanager
def _staging(shelf: UPath, export_id: str) -> Iterator[Path]:
    """A local folder to build the export in; whatever is in it at the end is removed."""
    if not is_local(shelf):
        with tempfile.TemporaryDirectory(prefix=f"{SYSTEM}-refresh-") as folder:
            yield Path(folder)
        return
    staging = shelf / f".tmp-{export_id}"
    staging.mkdir(mode=0o700)
    try:
        yield Path(staging.path)
    finally:
        remove_folder(staging)


def _newest_with_same_content(shelf: UPath, files: list[_File]) -> str | None:
    """The newest export, if its three files are the ones just fetched."""
    newest = max((entry for entry in shelf.iterdir() if _is_export(entry)), key=lambda e: e.name, default=None)
    if newest is None or not (newest / MANIFEST_NAME).exists():
        return None
    same = all(_sha256(newest / file.name) == file.sha256 for file in files)
    return newest.name if same else None


def _is_export(entry: UPath) -> bool:
    ignored = entry.name.startswith(".") or entry.name.endswith(".partial")
    return not ignored and entry.is_dir() and any(file.name.startswith("customers") for file in entry.iterdir())


def _sha256(file: UPath) -> str | None:
    if not file.exists():
        return None
    digest = hashlib.sha256()
    with file.open("rb") as source:
        while block := source.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _publish(folder: Path, export: UPath, files: list[_File], now: datetime) -> None:
    """Let the export appear, whole or not at all."""
    with publication(export, export.with_name(f".tmp-{export.name}.publication"), private=True) as staging:
        for file in files:
            if is_local(staging):
                (folder / file.name).rename(staging.path + "/" + file.name)
            else:
                staging.fs.put_file(str(folder / file.name), (staging / file.name).path)
        listed = [WrittenFile(file.name, file.sha256, file.rows) for file in files]
        write_manifest(staging, SYSTEM, now.astimezone(UTC), listed)
