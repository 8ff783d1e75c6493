"""Address and token of a legacy HTTP server, as an installation's environment gives them.

What lives here: which addresses a token may be sent to, and what a token looks like. Which variables there are, and the
error that a wrong one is, belong to each caller.
"""

import ipaddress
import re

import httpx

from migration.errors import SetupError
from migration.fetch import AddressTest, Secret, any_address

_HIGHEST_PORT = 65535


def checked_address(text: str, variable: str, example: str, error: type[SetupError]) -> httpx.URL:
    """The address that a variable holds.

    Args:
        text: the variable's value.
        variable: its name, for messages.
        example: an address as it should be.
        error: what to raise.

    Raises:
        SetupError: `error`, where the address is missing or none, or would send a token in the clear.
    """
    next_step = f"Set {variable} to an https address such as {example}."
    if not text:
        raise error(f"{variable} is not set.", next_step)
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL()
    if not url.host or url.query or url.fragment or url.port == 0 or (url.port or 0) > _HIGHEST_PORT:
        raise error(f"{variable} is not a plain web address.", next_step)
    if url.userinfo:
        raise error(f"{variable} contains a user name or password.", next_step)
    if url.scheme != "https" and not (url.scheme == "http" and _names_this_machine(url.host)):
        raise error(f"{variable} would send the token without encryption.", next_step)
    return url


def checked_token(token: Secret, variable: str, issuer: str, error: type[SetupError]) -> Secret:
    """The token that a variable holds.

    Args:
        token: the variable's value.
        variable: its name, for messages.
        issuer: who gives out such tokens.
        error: what to raise.

    Raises:
        SetupError: `error`, where there is none, or it has characters that no token has.
    """
    next_step = f"Set {variable} to the token that {issuer} has issued."
    if not token:
        raise error(f"{variable} is not set.", next_step)
    if not re.fullmatch(r"[\x21-\x7e]+", token.reveal()):
        raise error(f"{variable} has characters that no token has.", next_step)
    return token


def addresses_safe_for(url: httpx.URL) -> AddressTest:
    """Judges the addresses of a server: without TLS only this machine's own are safe for a token."""
    return any_address if url.scheme == "https" else _is_loopback


def _names_this_machine(host: str) -> bool:
    return host == "localhost" or _is_loopback(host)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
