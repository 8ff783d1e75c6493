"""Identity-card photo URLs: which may be downloaded, and why the others may not.

The same tests guard the queue, the addresses a host resolves to, and every redirect of a download.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal, NamedTuple
from urllib.parse import urljoin

from migration.parsing.cells import Value
from skynet_assets.parsing.text import text

_PLACEHOLDERS = frozenset({"noimage", "no-image", "no_image", "default", "blank", "user", "avatar", "placeholder"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65_535

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_AUTHORITY = re.compile(r"\A((?:[A-Za-z][A-Za-z0-9+.-]*:)?//)([^/?#\\]*)")
_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[A-Za-z0-9._-]+)(?::([0-9]+))?")
_LOCAL_ENDINGS = (".localhost", ".local", ".internal")
_DIGITS = re.compile(r"[0-9]+")

# The registries themselves and not the standard library's reading of them, which differs between Python releases.
_SPECIAL_IPV4 = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_SPECIAL_IPV6 = tuple(ip_network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
_ROUTABLE_SPECIALS = tuple(
    ip_network(network)
    for network in (
        "192.0.0.9/32",
        "192.0.0.10/32",
        "2001:1::1/128",
        "2001:1::2/128",
        "2001:1::3/128",
        "2001:3::/32",
        "2001:4:112::/48",
        "2001:20::/28",
        "2001:30::/28",
    )
)
# Everything outside of it is loopback, private, multicast, an embedded IPv4 address or not handed out.
_GLOBAL_UNICAST_IPV6 = ip_network("2000::/3")


class PhotoSource(NamedTuple):
    """A photo to download: its URL, `pending` or `blocked`, and the failed test if blocked."""

    source_url: str
    status: Literal["pending", "blocked"]
    error_code: str | None


class AllowedHost(NamedTuple):
    """A host photos may come from; without a port, the default port of the scheme."""

    host: str
    port: int | None


@dataclass(frozen=True)
class PhotoPolicy:
    """Where photos may come from: the base of relative URLs, and the allowed hosts."""

    base_url: str | None
    allowed_hosts: frozenset[AllowedHost]


class _Target(NamedTuple):
    host: str
    port: int | None


def photo_policy(base_url: str | None, allowed_hosts: str | None) -> PhotoPolicy:
    """Policy of the settings' texts: a base URL, and a comma list of `host` or `host:port`; bad ones allow nothing."""
    targets = (_target(entry.strip()) for entry in (allowed_hosts or "").split(","))
    hosts = frozenset(AllowedHost(*target) for target in targets if target and target.host)
    return PhotoPolicy((base_url or "").strip() or None, hosts)


def photo_source(value: Value, policy: PhotoPolicy) -> PhotoSource | None:
    """Photo of a field as the policy judges it; None if there is no URL or only a placeholder image."""
    url = text(value)
    return None if url is None or is_placeholder_image(url) else classify_url(url, policy)


def is_placeholder_image(url: str) -> bool:
    """Whether the last path segment, without its extension, is a name such as `no-image` or `avatar`."""
    path = _AUTHORITY.sub("", re.split(r"[?#]", url, maxsplit=1)[0], count=1)
    segment = path.rpartition("/")[2].casefold()
    name, dot, extension = segment.rpartition(".")
    return (name if dot else extension) in _PLACEHOLDERS


def classify_url(url: str, policy: PhotoPolicy) -> PhotoSource:
    """URL of a photo or of a redirect, without user info, and the first test of the policy it fails."""
    if policy.base_url and not _SCHEME.match(url):
        url = _joined(policy.base_url, url)
    bare = _without_user_info(url)
    found = _SCHEME.match(url)
    if found is None:
        return PhotoSource(bare, "blocked", "RELATIVE_URL")
    scheme = found[1].lower()
    if scheme not in _DEFAULT_PORTS:
        return PhotoSource(f"{scheme}:", "blocked", "UNSUPPORTED_SCHEME")
    code = _failed_test(url, bare, _DEFAULT_PORTS[scheme], policy)
    return PhotoSource(bare, "blocked" if code else "pending", code)


def is_public_address(address: str | IPv4Address | IPv6Address) -> bool:
    """Whether an IP address is one of the public internet: no special-purpose, multicast or embedded IPv4 address."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        if ip.scope_id is not None or ip not in _GLOBAL_UNICAST_IPV6:
            return False
        special = _SPECIAL_IPV6
    else:
        special = _SPECIAL_IPV4
    return not any(ip in network for network in special) or any(ip in network for network in _ROUTABLE_SPECIALS)


def _joined(base_url: str, url: str) -> str:
    try:
        return urljoin(base_url, url)
    except ValueError:
        # Only a broken host makes the join fail; glued to the base's scheme it fails the host's own test.
        scheme = _SCHEME.match(base_url)
        return f"{scheme[0] if scheme else ''}{url}"


def _without_user_info(url: str) -> str:
    return _AUTHORITY.sub(lambda found: found[1] + found[2].rpartition("@")[2], url, count=1)


def _failed_test(url: str, bare: str, default_port: int, policy: PhotoPolicy) -> str | None:
    authority = _AUTHORITY.match(bare)
    target = _target(authority[2]) if authority and "\\" not in url else None
    if target is None:
        return "INVALID_URL"
    if bare != url:
        return "URL_HAS_CREDENTIALS"
    if _is_private(target.host):
        return "PRIVATE_ADDRESS"
    ports = {entry.port or default_port for entry in policy.allowed_hosts if entry.host == target.host}
    if not ports:
        return "HOST_NOT_ALLOWED"
    if (target.port or default_port) not in ports:
        return "PORT_NOT_ALLOWED"
    return None


def _target(host_and_port: str) -> _Target | None:
    """Host (lower case, no trailing dot, IPv6 in its shortest form) and port of an authority; None if malformed."""
    match = _HOST_AND_PORT.fullmatch(host_and_port)
    host = _host(match[1]) if match else None
    if match is None or host is None:
        return None
    if match[2] is None:
        return _Target(host, None)
    digits = match[2].lstrip("0")
    if not digits or len(digits) > len(str(_MAX_PORT)) or int(digits) > _MAX_PORT:
        return None
    return _Target(host, int(digits))


def _host(written: str) -> str | None:
    if not written.startswith("["):
        return written.lower().rstrip(".")
    try:
        address = IPv6Address(written[1:-1])
    except ValueError:
        return None
    return None if address.scope_id is not None else f"[{address.compressed}]"


def _is_private(host: str) -> bool:
    if host.startswith("["):
        return not is_public_address(host[1:-1])
    try:
        return not is_public_address(IPv4Address(host))
    except ValueError:
        label = host.rpartition(".")[2]
    # Numbers in other notations (`127.1`, `0x7f.1`): resolvers may read them as an address.
    is_number = _DIGITS.fullmatch(label) is not None or label.startswith("0x")
    return is_number or host == "localhost" or host.endswith(_LOCAL_ENDINGS)
