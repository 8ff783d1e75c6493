"""The errors of an extract, and what a legacy server's error means.

Messages are written here from an error's code or class. The driver's own text is only matched, never passed on: it may
hold a row's values or a piece of the URL.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from migration.errors import ExportError, MigrationError, SetupError, TransientError

URL_VARIABLE = "MIGRATION_LEGACY_URL"
URL_NAME = f"--from or {URL_VARIABLE}"


class LegacyUnavailable(TransientError):
    """The legacy database cannot be reached, went away, or was changed while it was read."""


class LegacyTableMissing(ExportError):
    """The legacy database lacks a table that the system's sources require."""


class LegacyCountMismatch(ExportError):
    """A table was written with another number of rows than the legacy database counts in the same snapshot."""


@dataclass(frozen=True)
class Meaning:
    """What an error's code and text mean; `{place}` in the texts is the server without its user.

    Attributes:
        matches: a pattern of the code, a space, and the text.
        error: our error.
        problem: what is wrong.
        next_step: what the user should do.
    """

    matches: str
    error: type[MigrationError]
    problem: str
    next_step: str


REFUSED = (SetupError, "{place} refuses the user or the password.", f"Check both in {URL_NAME}.")
NO_SUCH_DATABASE = (SetupError, "The legacy database {place} does not exist.", f"Correct its name in {URL_NAME}.")
NO_RIGHT = (
    SetupError,
    "The user may not read the legacy database {place}, or one of its tables.",
    "Have its administrator grant the user SELECT on it.",
)
NOT_LET_IN = (
    SetupError,
    "{place} does not let this user in from this machine.",
    "Have its administrator allow the user to connect from here.",
)
UNKNOWN_HOST = (SetupError, "The host of {place} is not known.", f"Correct the host in {URL_NAME}.")
NO_ANSWER = (
    LegacyUnavailable,
    "No server answers at {place}.",
    f"Start it, or correct host and port in {URL_NAME}, then extract again.",
)
NO_TLS = (
    SetupError,
    "The encrypted connection to {place} could not be set up.",
    f"Check the TLS options and certificates in {URL_NAME}.",
)
BUSY = (
    LegacyUnavailable,
    "{place} has no free connection, or something that an extract needs is locked.",
    "Extract again when the server is less busy; nothing was published.",
)
CHANGED = (
    LegacyUnavailable,
    "A table of {place} was altered or removed while it was read.",
    "Extract again when nobody changes the tables themselves; nothing was published.",
)
LOST = (
    LegacyUnavailable,
    "The connection to {place} failed or was lost.",
    "Extract again when the server runs; nothing was published.",
)


def explain_failure(meanings: Iterable[Meaning], description: str, place: str, kind: str) -> MigrationError:
    """Our error for a driver's error.

    Args:
        meanings: those of the server's kind; the first that matches counts.
        description: the error's code, a space and its text.
        place: the server, without its user.
        kind: what else may be said of the error: class and code.
    """
    for meaning in meanings:
        if re.search(meaning.matches, description):
            return meaning.error(meaning.problem.format(place=place), meaning.next_step)
    return MigrationError(
        f"A statement failed at {place} ({kind}).", "Nothing was published. If the server is sound, report it."
    )
