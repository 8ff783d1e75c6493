"""The router credentials overlay: the file a person supplies, and which empty columns its values fill."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from migration.errors import SetupError
from migration.parsing.cells import Value, from_json
from skynet_assets.parsing.text import name_key, text
from skynet_assets.tables import DEFAULT_ROUTER_PORT

_MAX_PORT = 65535


class RouterOverlayError(SetupError):
    """The overlay file cannot be used; no router was touched."""


@dataclass(frozen=True)
class Entry:
    """What an overlay says of one router.

    Attributes:
        values: the usable values by column.
        unusable: names of fields that were given and cannot be used.
        overwrite: replace what is there, not only fill what is empty.
    """

    values: dict[str, Any] = field(default_factory=dict, repr=False)
    unusable: tuple[str, ...] = ()
    overwrite: bool = False


@dataclass(frozen=True)
class Overlay:
    """The entries of an overlay file, by router name."""

    entries: dict[str, Entry]


@dataclass(frozen=True)
class RouterState:
    """The columns of a router that only a person supplies."""

    name: str
    ip_address: str | None
    port: int
    username: str | None
    password: str | None = field(repr=False)

    def columns(self) -> dict[str, Any]:
        """The columns as they are to be written."""
        return {name: getattr(self, name) for name in ("ip_address", "port", "username", "password")}

    def missing(self) -> list[str]:
        """Names of the columns that are still empty."""
        return [name for name in ("ip_address", "username", "password") if getattr(self, name) is None]


@dataclass(frozen=True)
class Application:
    """What applying an overlay comes to.

    Attributes:
        updated: routers with new values.
        unknown: entries whose router does not exist.
        incomplete: routers that still lack something, with the names of what they lack.
        unusable: entries with values that could not be used, with the names of those fields.
    """

    updated: list[RouterState]
    unknown: list[str]
    incomplete: dict[str, list[str]]
    unusable: dict[str, list[str]]

    def facts(self, *, overlay_given: bool) -> dict[str, Any]:
        """For metadata: router names and names of fields, never a value."""
        return {
            "overlay_given": overlay_given,
            "routers_updated": len(self.updated),
            "routers_incomplete": self.incomplete,
            "unknown_routers": self.unknown,
            "unusable_fields": self.unusable,
        }


def applied(overlay: Overlay, routers: Sequence[RouterState]) -> Application:
    """Apply an overlay to the routers that exist: fill what is empty, or replace where the entry says so."""
    by_name = {router.name: router for router in routers}
    after = {name: _filled(router, overlay.entries.get(name)) for name, router in by_name.items()}
    return Application(
        updated=[state for name, state in after.items() if state != by_name[name]],
        unknown=sorted(set(overlay.entries) - set(by_name)),
        incomplete={name: state.missing() for name, state in sorted(after.items()) if state.missing()},
        unusable={name: list(entry.unusable) for name, entry in sorted(overlay.entries.items()) if entry.unusable},
    )


def _filled(router: RouterState, entry: Entry | None) -> RouterState:
    if entry is None:
        return router
    empty = {"port": router.port == DEFAULT_ROUTER_PORT, **dict.fromkeys(router.missing(), True)}
    return replace(router, **{k: v for k, v in entry.values.items() if entry.overwrite or empty.get(k, False)})


def read_overlay(path: str, environment: Mapping[str, str]) -> Overlay:
    """Read an overlay file.

    Args:
        path: the file.
        environment: where `password_env` names are looked up.

    Raises:
        RouterOverlayError: the file is missing, no JSON, of another shape, or names a router twice.
    """
    try:
        content = from_json(Path(path).read_bytes())
    except OSError:
        raise _error("cannot be read") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise _error("is not JSON") from None
    if not isinstance(content, dict) or not isinstance(content.get("routers"), list):
        raise _error('is not of the shape {"routers": […]}')
    entries: dict[str, Entry] = {}
    for position, given in enumerate(content["routers"], start=1):
        name = name_key(given.get("name")) if isinstance(given, dict) else None
        if name is None:
            raise _error(f"has an entry without a router name (number {position})")
        if name in entries:
            raise _error(f"names one router twice (number {position})")
        entries[name] = _entry(given, environment)
    return Overlay(entries)


def _error(problem: str) -> RouterOverlayError:
    return RouterOverlayError(
        f"The file that SKYNET_ROUTER_CREDENTIALS_FILE names {problem}.", "Mend the file and run router_credentials."
    )


def _entry(given: dict[str, Value], environment: Mapping[str, str]) -> Entry:
    values: dict[str, Any] = {}
    unusable: list[str] = []
    for column, parse in (("ip_address", _address), ("port", _port), ("username", _plain)):
        written = text(given.get(column))
        if written is None:
            continue
        value = parse(written)
        if value is None:
            unusable.append(column)
        else:
            values[column] = value
    password = _password(given, environment)
    if not isinstance(password, str | None):
        unusable.append("password")
    elif password:
        values["password"] = password
    return Entry(values, tuple(unusable), given.get("overwrite") is True)


def _plain(written: str) -> str:
    return written


def _address(written: str) -> str | None:
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        return None
    return None if getattr(address, "scope_id", None) else str(address)


def _port(written: str) -> int | None:
    if not (written.isascii() and written.isdigit()) or len(written) > len(str(_MAX_PORT)):
        return None
    return int(written) if 1 <= int(written) <= _MAX_PORT else None


def _password(given: dict[str, Value], environment: Mapping[str, str]) -> Value:
    """The password as given, whatever it is, else from the environment variable that the entry names."""
    password = given.get("password")
    if password is not None and password != "":
        return password.replace("\x00", "") if isinstance(password, str) else password
    variable = given.get("password_env")
    return environment.get(variable) or None if isinstance(variable, str) else None
