"""Finding exports in the landing zone, and the files of a table in an export; nothing is opened but the manifest."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from upath import UPath

from migration.errors import AmbiguousSource, ManifestMismatch, MissingSourceFile, SetupError
from migration.exports.manifest import read_manifest
from migration.exports.sources import SourceTable

Format = Literal["json", "jsonl", "csv", "parquet"]
FORMATS: tuple[Format, ...] = ("json", "jsonl", "csv", "parquet")
SUCCESS_MARKER = "_SUCCESS"
QUIET_PERIOD = timedelta(seconds=60)


@dataclass(frozen=True)
class ExportFile:
    """A file of an export that holds a table.

    Attributes:
        path: where it is stored.
        name: its path inside the export folder, as a manifest lists it.
        stem: the file stem really found: the table's name, an alias or a fallback.
        table: label of the table it holds, for logs and rejects.
        format: what the content must be.
        gzipped: whether the content is compressed.
        sha256: digest of the bytes as verified; None when they have not been.
    """

    path: UPath
    name: str
    stem: str
    table: str
    format: Format
    gzipped: bool
    sha256: str | None = None


def list_exports(landing: UPath, system: str) -> list[UPath]:
    """The export folders of a system, oldest name first.

    Names that begin with `.` or end with `.partial` are exports in the making and left out.

    Raises:
        SetupError: the landing zone is not there or not readable.
        MissingSourceFile: the system has no folder in it.
    """
    root = landing / system
    try:
        if not landing.exists():
            raise SetupError(
                f"The landing zone {landing} does not exist.", "Create it, or set MIGRATION_LANDING to where it is."
            )
        if not root.is_dir():
            raise MissingSourceFile(f"There is no folder {root}.", f"Put the exports of {system} below it.")
        folders = [path for path in root.iterdir() if _is_export_name(path.name) and path.is_dir()]
    except PermissionError:
        raise _unreadable(root) from None
    return sorted(folders, key=lambda path: path.name)


def is_complete(folder: UPath, now: datetime, parts: Collection[str] = ()) -> bool:
    """Whether an export folder will change no more.

    It is complete with a valid manifest all of whose files are present, with a `_SUCCESS` marker, or when all its
    parts are there and none of its files has changed for 60 seconds. A folder without files is not complete.

    Args:
        folder: the export folder.
        now: the present moment, with its time zone.
        parts: the sub-folders that an export of the system consists of, where it has any.

    Raises:
        SetupError: the folder is not readable.
    """
    try:
        if (folder / SUCCESS_MARKER).exists() or _manifest_is_fulfilled(folder):
            return True
        if not all((folder / part).is_dir() for part in parts):
            return False
        changed = _last_change(folder)
    except FileNotFoundError:
        return False
    except PermissionError:
        raise _unreadable(folder) from None
    return changed is not None and now - changed >= QUIET_PERIOD


def list_complete_exports(landing: UPath, system: str, now: datetime, parts: Collection[str] = ()) -> list[UPath]:
    """The complete exports of a system, oldest name first; raises as `list_exports` does."""
    return [folder for folder in list_exports(landing, system) if is_complete(folder, now, parts)]


def newest_export(landing: UPath, system: str, now: datetime) -> UPath:
    """The newest complete export: the lexicographically last name.

    Raises:
        SetupError: the landing zone is not there or not readable.
        MissingSourceFile: there is no complete export.
    """
    for folder in reversed(list_exports(landing, system)):
        if is_complete(folder, now):
            return folder
    raise MissingSourceFile(
        f"There is no complete export in {landing / system}.",
        f"Wait until it is written, or add a manifest or a {SUCCESS_MARKER} marker to it.",
    )


def find_export(landing: UPath, system: str, export_id: str) -> UPath:
    """The folder of an export that was asked for by its id, complete or not.

    Raises:
        SetupError: the landing zone is not there or not readable.
        MissingSourceFile: there is no such export.
    """
    for folder in list_exports(landing, system):
        if folder.name == export_id:
            return folder
    raise MissingSourceFile(
        f"There is no export {export_id} in {landing / system}.", "Check the export id; `migrate status` lists them."
    )


def find_file(folder: UPath, source: SourceTable) -> ExportFile | None:
    """The file of a table in an export folder: its own, or that of the first fallback that has one.

    Returns:
        The file, or None when there is none (whether that is an error depends on the table: see `require_file`).

    Raises:
        AmbiguousSource: two files claim to be the same table.
        SetupError: the folder is not readable.
    """
    return find_in_listing(folder, list_files(folder / source.folder if source.folder else folder), source)


def require_file(folder: UPath, source: SourceTable) -> ExportFile:
    """As `find_file`, for a table that must be there.

    Raises:
        MissingSourceFile: no file of the table, nor of its fallbacks, is in the folder.
        AmbiguousSource: two files claim to be the same table.
    """
    file = find_file(folder, source)
    if file is None:
        raise missing_file(folder, source)
    return file


def list_files(folder: UPath) -> list[str]:
    """The names of what lies in a folder; none when the folder is not there.

    Raises:
        SetupError: the folder is not readable.
    """
    try:
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    except PermissionError:
        raise _unreadable(folder) from None


def find_in_listing(folder: UPath, names: Sequence[str], source: SourceTable) -> ExportFile | None:
    """As `find_file`, from a listing of the folder that the table's files lie in."""
    for stems in (source.stems, *((stem,) for stem in source.fallbacks)):
        found = [file for file in _candidates(folder, source, stems) if file.path.name in names]
        files = [file for file in found if file.path.is_file()]
        if len(files) > 1:
            listed = ", ".join(file.name for file in files)
            raise AmbiguousSource(
                f"{folder} holds {len(files)} files for table {source.label_of(stems[0])}: {listed}.",
                "Leave only the one that counts.",
            )
        if files:
            return files[0]
    return None


def missing_file(folder: UPath, source: SourceTable) -> MissingSourceFile:
    """The error that a table's file is not in the export folder."""
    place = folder / source.folder if source.folder else folder
    if not place.is_dir():
        return MissingSourceFile(
            f"There is no folder {place}, which must hold table {source.label}.", "Export again, or mend the export id."
        )
    stems = " or ".join((*source.stems, *source.fallbacks))
    return MissingSourceFile(
        f"There is no file for table {source.label} in {place} (looked for {stems}).",
        f"Add {source.name}.({'|'.join(FORMATS)}), with or without .gz, or export again.",
    )


def _candidates(folder: UPath, source: SourceTable, stems: Sequence[str]) -> list[ExportFile]:
    files: list[ExportFile] = []
    for stem in stems:
        for kind in FORMATS:
            for suffix in ("", ".gz"):
                base = f"{stem}.{kind}{suffix}"
                name = f"{source.folder}/{base}" if source.folder else base
                files.append(ExportFile(folder / name, name, stem, source.label_of(stem), kind, bool(suffix)))
    return files


def _is_export_name(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(".partial")


def _manifest_is_fulfilled(folder: UPath) -> bool:
    try:
        manifest = read_manifest(folder)
    except ManifestMismatch:
        return False  # Perhaps it is being written; if not, the quiet period passes and verification names the fault.
    return manifest is not None and all((folder / file.name).exists() for file in manifest.files)


def _last_change(folder: UPath) -> datetime | None:
    """The latest change of any file in the folder and below; None without files, or where storage does not tell."""
    filesystem = folder.fs
    try:
        moments = [filesystem.modified(path) for path in filesystem.find(folder.path)]
    except NotImplementedError:
        return None
    return max((m.replace(tzinfo=UTC) if m.tzinfo is None else m for m in moments), default=None)


def _unreadable(place: UPath) -> SetupError:
    return SetupError(f"{place} is not readable.", "Give the user that runs the migration the right to read it.")
