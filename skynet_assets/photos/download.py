"""Downloads of identity-card photos: from a URL that somebody typed into the legacy system to checked image bytes.

The URLs are hostile until proven otherwise. Each one, and each redirect, must pass the same tests as the queue; the
host is looked up once and connected to at a public address only; time, bytes and redirects are limited; and what
arrives must be the image it claims to be. A failed photo is an error code, never a URL: that is personal data.
"""

import hashlib
import logging
import ssl
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from urllib.parse import urljoin

import httpx

from migration.fetch import (
    AddressTest,
    Answer,
    Budget,
    Deadline,
    FetchError,
    Network,
    Problem,
    Resolver,
    default_tls_context,
    open_url,
    system_resolver,
)
from skynet_assets.parsing.photos import PhotoPolicy, classify_url, is_placeholder_image, is_public_address

EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
_HEADERS = {"Accept": ", ".join(EXTENSIONS), "User-Agent": "legacy-migrations"}
_REFUSED = "REDIRECT_REFUSED"

logger = logging.getLogger(__name__)


class PhotoError(Exception):
    """A photo that could not be downloaded.

    Attributes:
        code: `HTTP_<status>`, `TIMEOUT`, `TOO_LARGE`, `BAD_CONTENT_TYPE`, `PRIVATE_ADDRESS`, `TLS_ERROR`,
            `REDIRECT_REFUSED` or `CONNECTION_ERROR`; or, of a URL that the policy no longer lets pass, the code
            of the failed test.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True)
class PhotoLimits:
    """What one photo may cost.

    Attributes:
        connect_seconds: each connection: looking up the host, connecting and the TLS handshake.
        total_seconds: everything, redirects included.
        max_bytes: of the image.
        redirects: that are followed.
    """

    connect_seconds: float = 10
    total_seconds: float = 30
    max_bytes: int = 5 * 1024 * 1024
    redirects: int = 3


@dataclass(frozen=True)
class Downloaded:
    """An image as it arrived."""

    content: bytes = field(repr=False)
    sha256: str
    byte_size: int
    content_type: str
    extension: str


@dataclass(frozen=True)
class PhotoResult:
    """What became of one photo: `downloaded`, or else `error_code`."""

    customer_id: str
    downloaded: Downloaded | None = None
    error_code: str | None = None


def download_photo(
    url: str,
    policy: PhotoPolicy,
    limits: PhotoLimits | None = None,
    *,
    resolver: Resolver = system_resolver,
    address_allowed: AddressTest = is_public_address,
    tls_context: ssl.SSLContext | None = None,
) -> Downloaded:
    """Download one photo.

    Args:
        url: absolute, as the queue holds it.
        policy: where photos may come from.
        limits: None means those of production.
        resolver: looks a host up; asked once per connection.
        address_allowed: judges each address a host has; one refused address refuses the host.
        tls_context: verifies servers; None means the usual authorities.

    Raises:
        PhotoError: there is no photo, with the reason as its code.
    """
    limits = limits or PhotoLimits()
    network = Network(resolver, address_allowed, tls_context)
    try:
        return _follow(url, policy, limits, network)
    except FetchError as error:
        code = "BAD_CONTENT_TYPE" if error.problem is Problem.ENCODED else error.problem.value
    raise PhotoError(code)


def download_many(
    photos: Iterable[tuple[str, str]],
    policy: PhotoPolicy,
    limits: PhotoLimits | None = None,
    *,
    workers: int = 4,
    resolver: Resolver = system_resolver,
    address_allowed: AddressTest = is_public_address,
    tls_context: ssl.SSLContext | None = None,
) -> Iterator[PhotoResult]:
    """Download photos side by side, giving each result as soon as it is there.

    However many are asked for, no more than two images per worker are in memory.

    Args:
        photos: pairs of customer id and URL; taken one by one.
        policy: where photos may come from.
        limits: of each photo; None means those of production.
        workers: downloads at the same time.
        resolver: see `download_photo`.
        address_allowed: see `download_photo`.
        tls_context: see `download_photo`.

    Yields:
        One result per photo, in the order of completion.
    """
    tls = tls_context or default_tls_context()

    def one(photo: tuple[str, str]) -> PhotoResult:
        return _result(
            photo[0],
            lambda: download_photo(
                photo[1],
                policy,
                limits,
                resolver=resolver,
                address_allowed=address_allowed,
                tls_context=tls,
            ),
        )

    remaining = iter(photos)
    with ThreadPoolExecutor(workers, thread_name_prefix="photo") as pool:
        running: set[Future[PhotoResult]] = {pool.submit(one, photo) for photo in islice(remaining, workers)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(one, photo) for photo in islice(remaining, len(done))}
            for finished in done:
                yield finished.result()


def _result(customer_id: str, download: Callable[[], Downloaded]) -> PhotoResult:
    try:
        return PhotoResult(customer_id, downloaded=download())
    except PhotoError as error:
        return PhotoResult(customer_id, error_code=error.code)
    except Exception as error:
        # An answer that trips over a fault of a library would otherwise stop all photos behind it, run after run.
        logger.error("photo of customer %s: unexpected %s", customer_id, type(error).__name__)
        return PhotoResult(customer_id, error_code=Problem.CONNECTION_ERROR.value)


def _follow(url: str, policy: PhotoPolicy, limits: PhotoLimits, network: Network) -> Downloaded:
    deadline = Deadline(limits.total_seconds)
    budget = Budget(limits.connect_seconds, limits.total_seconds, deadline)
    target, failed = _passed(url, policy)
    for _ in range(limits.redirects + 1):
        if failed or target is None:
            raise PhotoError(failed or "INVALID_URL")
        with open_url(target, _HEADERS, network, budget) as answer:
            if answer.redirect is None:
                return _image(answer, limits.max_bytes)
            target, failed = _redirected(target, answer.redirect, policy)
    raise PhotoError(failed or _REFUSED)


def _passed(url: str, policy: PhotoPolicy) -> tuple[httpx.URL | None, str | None]:
    """The URL to connect to, or the test it fails.

    Tested are both the text and what the HTTP library reads from it: a text that two parsers read differently is
    how a forbidden host slips through.
    """
    failed = classify_url(url, policy).error_code
    if failed:
        return None, failed
    try:
        parsed = httpx.URL(url)
        parsed = parsed.copy_with(host=parsed.host.rstrip("."))
    except (httpx.InvalidURL, ValueError):
        return None, "INVALID_URL"
    return parsed, classify_url(str(parsed), policy).error_code


def _redirected(origin: httpx.URL, location: str, policy: PhotoPolicy) -> tuple[httpx.URL | None, str | None]:
    """Where a redirect leads, or why it is refused."""
    try:
        url = urljoin(str(origin), location)
    except ValueError:
        return None, _REFUSED
    target, failed = _passed(url, policy)
    if failed == Problem.PRIVATE_ADDRESS:
        return None, failed
    downgraded = target is not None and origin.scheme == "https" and target.scheme != "https"
    # Legacy servers answer for a lost photo with a picture that says so; it is nobody's identity card.
    if failed or downgraded or is_placeholder_image(url):
        return None, _REFUSED
    return target, None


def _image(answer: Answer, max_bytes: int) -> Downloaded:
    if answer.status != httpx.codes.OK:
        raise PhotoError(f"HTTP_{answer.status}")
    content_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type not in EXTENSIONS:
        raise PhotoError("BAD_CONTENT_TYPE")
    content = bytearray()
    for piece in answer.body(max_bytes):
        content += piece
    if _type_of(content) != content_type:
        raise PhotoError("BAD_CONTENT_TYPE")
    return Downloaded(
        content=bytes(content),
        sha256=hashlib.sha256(content).hexdigest(),
        byte_size=len(content),
        content_type=content_type,
        extension=EXTENSIONS[content_type],
    )


def _type_of(content: bytearray) -> str | None:
    """The image type that the first bytes show."""
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return None
