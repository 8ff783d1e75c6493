"""A legacy system's REST interface: lists in pages, fetched patiently, their rows kept exactly as they came.

What lives here: the settings of such a server, one request with its repeated tries, and what a page is. Which lists
there are, and when one is complete, is the business of `migration.extract.rest_export`. Neither the token nor a query
is in any message or log; paths are.
"""

import logging
import math
import os
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import httpx
import msgspec

from migration.errors import ExportError, SetupError, TransientError
from migration.exports.escapes import hide_surrogates
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
    open_url,
    retry_after,
)
from migration.server_settings import addresses_safe_for, checked_address, checked_token

# How many times longer than the longest silence a whole answer may take.
_PATIENCE = 20
_MOST_BYTES = 256 << 20
_WAITS = (1.0, 2.0, 4.0, 8.0)
_LONGEST_WAIT = 60.0
_SCHEMES = ("bearer", "token")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")

logger = logging.getLogger(__name__)


class ExtractConfigError(SetupError):
    """A setting of the REST interface is missing or wrong, or its address is not safe for a token."""


class ExtractError(ExportError):
    """The REST interface answered with something that must not become an export.

    Args:
        problem: see `MigrationError`.
        next_step: see `MigrationError`.
        status: the answer's HTTP status where that is the problem.
    """

    def __init__(self, problem: str, next_step: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(problem, next_step)


class ExtractAuthError(ExtractError):
    """The REST interface does not accept the token: it is wrong, has expired, or may not read this."""


class ExtractUnavailable(ExtractError, TransientError):
    """The REST interface failed in all tries; later it may not."""


@dataclass(frozen=True)
class Variables:
    """The names of a server's environment variables.

    Attributes:
        base_url: its address; the paths of lists follow it.
        token: the secret.
        auth_scheme: the word before the token, `Bearer` or `Token`; by default `Bearer`.
        page_size: rows of a page that are asked for; by default 100.
        timeout: seconds of silence after which a try has failed; by default 30.
    """

    base_url: str
    token: str
    auth_scheme: str
    page_size: str
    timeout: str


@dataclass(frozen=True)
class RestConfig:
    """Where a legacy system serves its lists, and how it is asked.

    Attributes:
        base_url: of the server; paths follow it.
        authorization: the header's value; it shows in no message, log or representation.
        page_size: rows of a page that are asked for.
        timeout_seconds: the longest silence of the server.
        variables: where these came from, for messages.
    """

    base_url: httpx.URL
    authorization: Secret
    page_size: int
    timeout_seconds: float
    variables: Variables

    @classmethod
    def from_environment(cls, variables: Variables, environment: Mapping[str, str] | None = None) -> Self:
        """The settings that an environment gives.

        Args:
            variables: the names to look for.
            environment: None means that of the process.

        Raises:
            ExtractConfigError: a variable is missing or wrong, or would send the token in the clear.
        """
        env = os.environ if environment is None else environment
        names = (variables.base_url, variables.auth_scheme, variables.page_size, variables.timeout)
        address, scheme, page_size, timeout = (env.get(name, "").strip() for name in names)
        token = Secret(env.get(variables.token, "").strip())
        # A traceback that shows local variables would print the token with the mapping.
        del env, environment
        url = checked_address(address, variables.base_url, "https://legacy.example", ExtractConfigError)
        checked_token(token, variables.token, "the legacy system", ExtractConfigError)
        return cls(
            url,
            Secret(f"{_scheme(scheme or 'Bearer', variables.auth_scheme)} {token.reveal()}"),
            _page_size(page_size or "100", variables.page_size),
            _timeout(timeout or "30", variables.timeout),
            variables,
        )

    def url(self, path: str, query: Mapping[str, str]) -> httpx.URL:
        """The first page of a list.

        Args:
            path: the list's path, with its slashes.
            query: what restricts the list.
        """
        folder = self.base_url.path.rstrip("/")
        asked = {**query, "page": "1", "page_size": str(self.page_size)}
        return self.base_url.copy_with(path=folder + path, params=asked)


def _scheme(text: str, variable: str) -> str:
    if text.lower() not in _SCHEMES:
        raise ExtractConfigError(f"{variable} is neither Bearer nor Token.", f"Correct {variable}, or unset it.")
    return text


def _page_size(text: str, variable: str) -> int:
    if not re.fullmatch(r"0*[1-9][0-9]{0,5}", text):
        raise ExtractConfigError(f"{variable} is no number of rows.", f"Set {variable} to one such as 100.")
    return int(text)


def _timeout(text: str, variable: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ExtractConfigError(f"{variable} is no number of seconds.", f"Set {variable} to one such as 30.")
    return seconds


@dataclass(frozen=True)
class Row:
    """A row of a list.

    Attributes:
        line: its JSON exactly as it came, on one line.
        identity: what tells it from other rows: its id, or without one the line itself.
    """

    line: bytes
    identity: int | bytes


@dataclass(frozen=True)
class Page:
    """A part of a list.

    Attributes:
        rows: its rows, in the order in which they came.
        count: how many rows the whole list has, as the server says; None when it does not.
        next: the following page.
    """

    rows: list[Row]
    count: int | None
    next: httpx.URL | None


class _Envelope(msgspec.Struct):
    results: list[msgspec.Raw]
    count: int | None = None
    next: str | None = None


class _Identified(msgspec.Struct):
    id: msgspec.Raw = msgspec.Raw(b"null")


class _TryAgain(Exception):
    """One try failed in a way that another may not."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        self.reason = reason
        self.wait = wait
        super().__init__(reason)


class RestClient:
    """Fetches lists.

    Args:
        config: where the server is.
        tls_context: verifies it; None means the usual authorities.
        sleep: waits between two tries.
    """

    def __init__(
        self,
        config: RestConfig,
        *,
        tls_context: ssl.SSLContext | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._config = config
        self._sleep = sleep
        self._network = Network(
            address_allowed=addresses_safe_for(config.base_url), tls_context=tls_context or default_tls_context()
        )

    def pages(self, table: str, path: str, query: Mapping[str, str]) -> Iterator[Page]:
        """The pages of a list, from the first to the one that names no other.

        Args:
            table: the table that the list is, for messages.
            path: the list's path.
            query: what restricts the list.

        Raises:
            ExtractError: the server refused, led elsewhere, or sent something that is no page.
            ExtractAuthError: it does not accept the token.
            ExtractUnavailable: it failed in all tries.
            ExtractConfigError: its certificate is not accepted.
        """
        url: httpx.URL | None = self._config.url(path, query)
        seen: set[httpx.URL] = set()
        while url is not None:
            if url in seen:
                raise ExtractError(f"{table}: the next links of {path} run in a circle.", self._check_server())
            seen.add(url)
            page = self._page(table, url)
            yield page
            url = page.next

    def _page(self, table: str, url: httpx.URL) -> Page:
        number, tries = 1, len(_WAITS) + 1
        while True:
            try:
                return self._try(table, url)
            except _TryAgain as error:
                reason, asked = error.reason, error.wait
            logger.warning("%s: %s at %s, try %d of %d", table, reason, url.path, number, tries)
            if number == tries:
                raise ExtractUnavailable(
                    f"{table}: {reason} at {url.path}, {tries} times.", "Extract again later; nothing was published."
                )
            self._sleep(_WAITS[number - 1] if asked is None else min(asked, _LONGEST_WAIT))
            number += 1

    def _try(self, table: str, url: httpx.URL) -> Page:
        seconds = self._config.timeout_seconds
        headers = {"Accept": "application/json", "Authorization": self._config.authorization}
        try:
            budget = Budget(seconds, seconds, Deadline(seconds * _PATIENCE))
            with open_url(url, headers, self._network, budget) as answer:
                self._require_success(answer, table, url)
                body = b"".join(answer.body(_MOST_BYTES))
        except FetchError as error:
            raise self._explained(error.problem, table, url) from None
        return self._read(body, table, url)

    def _require_success(self, answer: Answer, table: str, url: httpx.URL) -> None:
        status, where = answer.status, f"HTTP {answer.status} at {url.path}"
        if status == httpx.codes.OK:
            return
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise ExtractAuthError(
                f"{table}: {where}: the token is wrong, has expired, or has no right to this.",
                f"Put a new token into {self._config.variables.token} and extract again.",
            )
        if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise _TryAgain(f"HTTP {status}", retry_after(answer.headers, datetime.now(UTC)))
        raise ExtractError(f"{table}: {where}.", self._check_server(), status)

    def _explained(self, problem: Problem, table: str, url: httpx.URL) -> Exception:
        if problem in (Problem.TIMEOUT, Problem.CONNECTION_ERROR):
            return _TryAgain("timeout" if problem is Problem.TIMEOUT else "connection failed or broke off")
        variable = self._config.variables.base_url
        if problem is Problem.TLS_ERROR:
            return ExtractConfigError(
                f"The TLS certificate of the server behind {variable} was not accepted.",
                "Renew it, or name its authority in SSL_CERT_FILE; verification cannot be switched off.",
            )
        if problem is Problem.PRIVATE_ADDRESS:
            return ExtractConfigError(
                f"{variable} has no TLS and its host is another machine.", "Use an https address."
            )
        what = "is too large" if problem is Problem.TOO_LARGE else "was sent compressed"
        return ExtractError(f"{table}: a page of {url.path} {what}.", self._check_server())

    def _read(self, body: bytes, table: str, url: httpx.URL) -> Page:
        try:
            envelope, sign = _decode(body.removeprefix(_BYTE_ORDER_MARK))
            rows = [_row(raw, sign) for raw in envelope.results]
        except (msgspec.ValidationError, RecursionError):
            problem = None
        except (msgspec.DecodeError, UnicodeDecodeError):
            # A login page will not become JSON; what begins like it may have been cut off.
            problem = _TryAgain("a page of broken JSON") if body.lstrip()[:1] in (b"", b"{", b"[") else None
        else:
            return Page(rows, envelope.count, self._following(envelope.next, table, url))
        # The decoder's errors may quote a row, so that they are left behind and not chained.
        raise problem or ExtractError(f"{table}: {url.path} did not answer with a page of rows.", self._check_server())

    def _following(self, link: str | None, table: str, url: httpx.URL) -> httpx.URL | None:
        """The page that a link means; the token goes to no other server."""
        if not link:
            return None
        target = join_same_origin(url, link)
        if target is None:
            raise ExtractError(
                f"refusing to follow foreign next link of {table} at {url.path}.",
                f"The server must link to the scheme, host and port of {self._config.variables.base_url}.",
            )
        return target

    def _check_server(self) -> str:
        return f"Check the server behind {self._config.variables.base_url}; nothing was published."


def _decode(body: bytes) -> tuple[_Envelope, bytes]:
    """A page, and the sign that stands for the backslashes of escapes that the decoder would refuse."""
    body.decode()
    text, sign = hide_surrogates(body)
    if text.lstrip()[:1] == b"[":
        return _Envelope(msgspec.json.decode(text, type=list[msgspec.Raw])), sign
    return msgspec.json.decode(text, type=_Envelope), sign


def _row(raw: msgspec.Raw, sign: bytes) -> Row:
    # Line ends stand between the tokens of JSON only; within its texts they are escapes.
    text = bytes(raw)
    line = text.translate(_LINE_ENDS).replace(sign, b"\\")
    try:
        found = bytes(msgspec.json.decode(text, type=_Identified).id).strip(b'" ')
    except msgspec.ValidationError:
        return Row(line, line)
    match = re.fullmatch(rb"\+?0*([0-9]{1,18})(?:\.0+)?", found)
    return Row(line, int(match[1]) if match else line)
