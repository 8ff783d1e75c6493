"""The manifest of an export: `manifest.json`, what the exporter says it wrote.

Whether the files agree with it is checked in `verify`; whether an export is complete, in `find`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from upath import UPath

from migration.errors import ManifestMismatch, SetupError

MANIFEST_NAME = "manifest.json"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NEXT_STEP = "Export again, or mend the manifest of the export."


class _Entry(msgspec.Struct):
    name: str
    sha256: str | None = None
    rows: int | None = None


class _Document(msgspec.Struct):
    system: str
    files: list[_Entry]
    exported_at: msgspec.Raw = msgspec.Raw(b"null")


@dataclass(frozen=True)
class ManifestFile:
    """One file that the manifest lists; None where the manifest does not say.

    Attributes:
        name: path inside the export folder, parts joined by `/`.
        sha256: digest of the file as stored, lower-case hex.
        rows: number of source rows, malformed ones included.
    """

    name: str
    sha256: str | None
    rows: int | None


@dataclass(frozen=True)
class Manifest:
    """What the exporter says about an export.

    Attributes:
        system: the legacy system's name.
        exported_at: when the export was taken, in UTC; None when missing or no date.
        files: the files it lists.
        exported_at_text: the same as it is written, a text or a number, for systems that read times their own way.
    """

    system: str
    exported_at: datetime | None
    files: tuple[ManifestFile, ...]
    exported_at_text: str | None = None

    def file(self, name: str) -> ManifestFile | None:
        """The entry of a file, None when the manifest does not list it."""
        return next((file for file in self.files if file.name == name), None)


def parse_manifest(content: bytes, place: str) -> Manifest:
    """The manifest in the bytes of a `manifest.json`.

    Args:
        content: the bytes, UTF-8 with or without a byte order mark.
        place: the manifest's address, for messages.

    Raises:
        ManifestMismatch: the bytes are no manifest.
    """
    document = _decode(content)
    if document is None:
        raise ManifestMismatch(f"{place} is not a readable manifest.", _NEXT_STEP)
    files = tuple(ManifestFile(e.name, e.sha256 and e.sha256.lower(), e.rows) for e in document.files)
    names = [file.name for file in files]
    if len(set(names)) < len(names) or not all(_is_sound(file) for file in files):
        raise ManifestMismatch(
            f"{place} lists a file twice, outside the export, or with an impossible sha256 or row count.", _NEXT_STEP
        )
    written = _written(bytes(document.exported_at))
    text = None if written is None else str(written)
    return Manifest(document.system, parse_exported_at(written) if isinstance(written, str) else None, files, text)


def read_manifest(folder: UPath, system: str | None = None) -> Manifest | None:
    """The manifest of an export folder.

    Args:
        folder: the export folder.
        system: the system the export must be of; None accepts any.

    Returns:
        The manifest, or None when the folder holds none.

    Raises:
        ManifestMismatch: it cannot be read as a manifest, or is another system's.
        SetupError: the file is not readable.
    """
    path = folder / MANIFEST_NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except PermissionError:
        raise SetupError(
            f"{path} is not readable.", "Give the user that runs the migration the right to read it."
        ) from None
    manifest = parse_manifest(content, str(path))
    if system is not None and manifest.system != system:
        raise ManifestMismatch(
            f"{path} belongs to another system than {system}.", "Move the export to its own system's landing folder."
        )
    return manifest


def parse_exported_at(text: str) -> datetime | None:
    """The moment of an ISO-8601 text in UTC (a naive one is UTC), None when it is no such text."""
    try:
        moment = datetime.fromisoformat(text.strip())
        aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return aware.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _decode(content: bytes) -> _Document | None:
    try:
        return msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=_Document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _written(raw: bytes) -> str | int | None:
    """The text or whole number that a value is; None for all else."""
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None


def _is_sound(file: ManifestFile) -> bool:
    parts = file.name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in file.name:
        return False
    if file.sha256 is not None and not _SHA256.fullmatch(file.sha256):
        return False
    return file.rows is None or file.rows >= 0
