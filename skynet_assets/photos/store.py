"""Where downloaded photos are kept: a file appears whole, under a name made of the customer and its content."""

import os
import re
import secrets
import time
from pathlib import Path, PurePosixPath

from upath import UPath

from skynet_assets.photos.download import Downloaded

FOLDER = "identity_cards"

_UNSAFE = re.compile(r"[^A-Z0-9_-]")
_HASH_DIGITS = 16
_TEMPORARY = ".tmp-photo-"


class UnsafePhotoFolder(OSError):
    """A folder of the photo directory is a link, so that a photo could land anywhere."""


def photo_path(customer_id: str, downloaded: Downloaded) -> str:
    """The path of a photo below the photo directory; no customer id leads out of it."""
    name = f"{downloaded.sha256[:_HASH_DIGITS]}.{downloaded.extension}"
    return str(PurePosixPath(FOLDER, _UNSAFE.sub("_", customer_id) or "_", name))


def store_photo(directory: UPath | Path, customer_id: str, downloaded: Downloaded) -> str:
    """Keep a photo: under its final name there is never a part of a file.

    Args:
        directory: the photo directory, local or an object store.
        customer_id: whose identity card it is.
        downloaded: the image.

    Returns:
        Its path below the photo directory.

    Raises:
        UnsafePhotoFolder: a folder below the photo directory is a link.
    """
    stored = photo_path(customer_id, downloaded)
    root = UPath(directory)
    if _is_local(root):
        _store_locally(Path(root.path), stored, downloaded.content)
    else:
        # Object stores show an object when it is complete, and keep rights per bucket.
        target = root / stored
        root.fs.makedirs(target.parent.path, exist_ok=True)
        root.fs.pipe_file(target.path, downloaded.content)
    return stored


def remove_abandoned(directory: UPath | Path, older_than_seconds: float = 24 * 3600) -> int:
    """Remove the temporary files that killed runs have left in a local photo directory; gives their number."""
    root = UPath(directory)
    if not _is_local(root):
        return 0
    before = time.time() - older_than_seconds
    abandoned = [file for file in Path(root.path).glob(f"{_TEMPORARY}*") if file.stat().st_mtime < before]
    for file in abandoned:
        file.unlink(missing_ok=True)
    return len(abandoned)


def _is_local(directory: UPath) -> bool:
    return directory.protocol in ("", "file", "local")


def _store_locally(root: Path, stored: str, content: bytes) -> None:
    target = root / stored
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in (target.parent.parent, target.parent):
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink():
            raise UnsafePhotoFolder("the photo directory has a link where it should have a folder")
    temporary = root / f"{_TEMPORARY}{secrets.token_hex(8)}"
    try:
        _write_durably(temporary, content)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    for folder in (target.parent, target.parent.parent, root):
        _sync(os.open(folder, os.O_RDONLY))


def _write_durably(file: Path, content: bytes) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
        # A umask can only take rights away, which would make the file unreadable for its owner.
        os.fchmod(target.fileno(), 0o600)
        target.write(content)
        target.flush()
        os.fsync(target.fileno())


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
