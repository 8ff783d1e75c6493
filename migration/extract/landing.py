"""The landing zone as an extract finds and leaves it: one extract of a system at a time, each under a new id."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from filelock import FileLock, Timeout
from upath import UPath

from migration.errors import SetupError, TransientError
from migration.exports.writing import is_export_id, is_local, remove_folder

_STAGING_PREFIX, _STAGING_SUFFIX = ".extract-", ".partial"
_LOCK = ".extract.lock"
_ABANDONED_AFTER = timedelta(days=1)


def require_new(shelf: UPath, export_id: str) -> None:
    """Refuse an export id that is none, or that is taken.

    Raises:
        SetupError: the id is no plain visible folder name, or the export exists.
    """
    if not is_export_id(export_id):
        raise SetupError("The export id is no plain visible folder name.", "Use one such as 20260225T190000Z.")
    if (shelf / export_id).exists():
        raise SetupError(
            f"Export {export_id} of {shelf.name} exists already; exports are immutable.",
            "Choose another id by --export.",
        )


def hidden_staging(final: UPath) -> UPath:
    """The folder that an extract from a database writes into; a later extract removes it if this one is killed."""
    return final.parent / f"{_STAGING_PREFIX}{final.name}{_STAGING_SUFFIX}"


@contextmanager
def sole_extract(shelf: UPath, system: str) -> Iterator[None]:
    """Keep a second extract of the system away, and remove what killed ones have left.

    On a file system the lock tells that nobody works in the folders found. In an object store, which has no locks, only
    their age can.

    Args:
        shelf: the system's folder in the landing zone.
        system: the system's name.

    Raises:
        TransientError: another extract is at work.
    """
    if not is_local(shelf):
        _remove_abandoned(shelf, datetime.now(UTC) - _ABANDONED_AFTER)
        yield
        return
    shelf.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(shelf.path + f"/{_LOCK}", timeout=0):
            _remove_abandoned(shelf, None)
            yield
    except Timeout:
        raise TransientError(f"Another extract of {system} is at work.", "Extract again when it has ended.") from None


def _remove_abandoned(shelf: UPath, older_than: datetime | None) -> None:
    for entry in list(shelf.iterdir()) if shelf.exists() else ():
        ours = entry.name.startswith(_STAGING_PREFIX) and entry.name.endswith(_STAGING_SUFFIX)
        if ours and (older_than is None or _last_change(entry) < older_than):
            remove_folder(entry)


def _last_change(folder: UPath) -> datetime:
    store = folder.fs
    moments = [store.modified(path) for path in store.find(folder.path)]
    return max((m.replace(tzinfo=UTC) if m.tzinfo is None else m for m in moments), default=datetime.now(UTC))
