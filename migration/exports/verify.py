"""Verifying an export: one full pass over each file before anything is loaded, and the record of what was found.

Rows that are wrong are no matter of this module, only files that are.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec
from upath import UPath

from migration.errors import EmptySource, ExportFormatError, ManifestMismatch, MissingSourceFile, SchemaDriftError
from migration.exports.find import ExportFile, Format, find_in_listing, list_files, missing_file
from migration.exports.manifest import Manifest, ManifestFile, read_manifest
from migration.exports.reading import FileFacts, RowReader
from migration.exports.sources import SourceTable
from migration.exports.stored import file_sha256, format_error

MALFORMED_ROWS_TOLERATED = 10


@dataclass(frozen=True)
class VerifiedFile(ExportFile):
    """A file that has been read to its end without fault; its `sha256` is set.

    Attributes:
        rows: number of rows, malformed ones included, by the independent count that equalled the reader's.
        malformed: number of malformed rows.
        unknown_fields: keys that are no declared column.
    """

    rows: int = 0
    malformed: int = 0
    unknown_fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Export:
    """A verified export: what every later step of a run goes by.

    Attributes:
        system: the legacy system's name.
        export_id: name of the export folder.
        folder: where it is.
        exported_at: when it was taken, in UTC, as its manifest says; None when it does not.
        files: the files of the tables it holds, by name.
        content_hash: digest over name and sha256 of these files.
        exported_at_text: `exported_at` as the manifest writes it, a text or a number.
    """

    system: str
    export_id: str
    folder: UPath
    exported_at: datetime | None
    files: tuple[VerifiedFile, ...]
    content_hash: str
    exported_at_text: str | None = None

    def has(self, source: SourceTable) -> bool:
        """Whether the export holds a file for the table, its own or a fallback."""
        return self._find(source) is not None

    def file_for(self, source: SourceTable) -> VerifiedFile:
        """The file of a table, its own or that of the first fallback there is.

        Raises:
            MissingSourceFile: the export holds none.
        """
        file = self._find(source)
        if file is None:
            raise missing_file(self.folder, source)
        return file

    def to_json(self) -> str:
        """The record as JSON text, for the work folder."""
        return msgspec.json.encode(_stored_export(self)).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> "Export":
        """The inverse of `to_json`.

        Raises:
            msgspec.MsgspecError: the text is no such record.
        """
        stored = msgspec.json.decode(text, type=_StoredExport)
        folder = UPath(stored.folder)
        files = tuple(
            VerifiedFile(folder / file.name, **{name: getattr(file, name) for name in file.__struct_fields__})
            for file in stored.files
        )
        at, written = stored.exported_at, stored.exported_at_text
        return cls(stored.system, stored.export_id, folder, at, files, stored.content_hash, written)

    def _find(self, source: SourceTable) -> VerifiedFile | None:
        here = {file.stem: file for file in self.files if file.name.rpartition("/")[0] == source.folder}
        for stem in (*source.stems, *source.fallbacks):
            if stem in here:
                return replace(here[stem], table=source.label_of(stem))
        return None


class _StoredFile(msgspec.Struct):
    name: str
    stem: str
    table: str
    format: Format
    gzipped: bool
    sha256: str
    rows: int
    malformed: int
    unknown_fields: tuple[str, ...]


class _StoredExport(msgspec.Struct):
    system: str
    export_id: str
    folder: str
    exported_at: datetime | None
    files: list[_StoredFile]
    content_hash: str
    exported_at_text: str | None = None


def verify_export(folder: UPath, system: str, sources: Iterable[SourceTable]) -> Export:
    """Read every file of an export to its end and check it.

    Checked are: the manifest (system, files present, sha256, rows), one file per table, required tables, format to the
    last byte, the reader's row count against the independent one, tables that are never empty, and required keys.

    Args:
        folder: the export folder.
        system: the system it must be of.
        sources: the tables of the system.

    Returns:
        The record of the export, by which later steps read it.

    Raises:
        MissingSourceFile, AmbiguousSource, EmptySource, ExportFormatError, ManifestMismatch, SchemaDriftError: as the
            names say; nothing of the export can be used.
        SetupError: the export is not readable.
        TransientError: the storage failed.
    """
    if not folder.is_dir():
        raise MissingSourceFile(f"There is no export folder {folder}.", "Check the export id and MIGRATION_LANDING.")
    manifest = read_manifest(folder, system)
    _require_listed_files(folder, manifest)
    files: dict[str, VerifiedFile] = {}
    for source, file in _claims(folder, list(sources)):
        verified = _verified(source, file, manifest and manifest.file(file.name))
        files.setdefault(file.name, verified)
    if manifest is not None:
        _require_recorded_rest(folder, manifest, files)
    in_order = tuple(files[name] for name in sorted(files))
    return Export(
        system=system,
        export_id=folder.name,
        folder=folder,
        exported_at=manifest.exported_at if manifest else None,
        files=in_order,
        content_hash=content_hash((file.name, file.sha256 or "") for file in in_order),
        exported_at_text=manifest.exported_at_text if manifest else None,
    )


def content_hash(files: Iterable[tuple[str, str]]) -> str:
    """The digest over names and digests of files, whatever their order."""
    listed = "".join(f"{name}\0{sha256}\n" for name, sha256 in sorted(files))
    return hashlib.sha256(listed.encode()).hexdigest()


def _stored_export(export: Export) -> _StoredExport:
    fields = _StoredFile.__struct_fields__
    files = [_StoredFile(**{name: getattr(file, name) for name in fields}) for file in export.files]
    at = export.exported_at
    return _StoredExport(
        export.system,
        export.export_id,
        str(export.folder),
        at and at.astimezone(UTC),
        files,
        export.content_hash,
        export.exported_at_text,
    )


def _require_listed_files(folder: UPath, manifest: Manifest | None) -> None:
    for listed in manifest.files if manifest else ():
        if not (folder / listed.name).is_file():
            raise ManifestMismatch(
                f"The manifest of {folder} lists {listed.name}, which is not there.",
                "Copy the whole export, or export again.",
            )


def _claims(folder: UPath, sources: Sequence[SourceTable]) -> list[tuple[SourceTable, ExportFile]]:
    """Which file each table is read from; tables without one are left out where that is allowed."""
    listings = {source.folder: list_files(folder / source.folder if source.folder else folder) for source in sources}
    claims: list[tuple[SourceTable, ExportFile]] = []
    for source in sources:
        file = find_in_listing(folder, listings[source.folder], source)
        if file is not None:
            claims.append((source, file))
        elif source.required and source.checked_when == "verification":
            raise missing_file(folder, source)
    return claims


def _verified(source: SourceTable, file: ExportFile, listed: ManifestFile | None) -> VerifiedFile:
    recorded = replace(file, sha256=listed.sha256 if listed else None)
    reader = RowReader(recorded, source, count=True)
    for _ in reader.blocks():
        pass
    facts = reader.facts
    _require_rows(file, facts, listed)
    _require_usable(source, file, facts)
    return VerifiedFile(
        path=file.path,
        name=file.name,
        stem=file.stem,
        table=file.table,
        format=file.format,
        gzipped=file.gzipped,
        sha256=facts.sha256,
        rows=facts.rows,
        malformed=facts.malformed,
        unknown_fields=facts.unknown_fields,
    )


def _require_rows(file: ExportFile, facts: FileFacts, listed: ManifestFile | None) -> None:
    if facts.counted != facts.rows:
        raise format_error(
            file, f"{facts.rows} rows were read but {facts.counted} counted, so the file is not well-formed"
        )
    if listed is not None and listed.rows not in (None, facts.rows):
        raise ManifestMismatch(
            f"File {file.name} of table {file.table} holds {facts.rows} rows; the manifest says {listed.rows}.",
            "Export again, or mend the manifest of the export.",
        )


def _require_usable(source: SourceTable, file: ExportFile, facts: FileFacts) -> None:
    if not facts.rows and not source.may_be_empty:
        raise EmptySource(
            f"File {file.name} of table {file.table} has no rows, as a failed legacy export leaves it.",
            "Export the table again.",
        )
    limit = source.max_malformed_percent
    if limit is not None and facts.malformed > MALFORMED_ROWS_TOLERATED and facts.malformed * 100 > facts.rows * limit:
        raise ExportFormatError(
            f"File {file.name} of table {file.table}: {facts.malformed} of {facts.rows} rows are malformed, "
            f"more than {limit} %.",
            "Export the table again; the file cannot be loaded.",
        )
    missing = source.missing_keys(facts.keys_seen) if facts.rows else []
    if missing:
        raise SchemaDriftError(
            f"File {file.name} of table {file.table} has rows, but none has the column {', '.join(missing)}.",
            "Export the table with all its columns, or adapt the source declaration to the legacy system's change.",
        )


def _require_recorded_rest(folder: UPath, manifest: Manifest, verified: dict[str, VerifiedFile]) -> None:
    """Files that the manifest lists and no table is read from must at least be the ones it lists."""
    for listed in manifest.files:
        if listed.name in verified or listed.sha256 is None:
            continue
        file = ExportFile(folder / listed.name, listed.name, listed.name, listed.name, "jsonl", gzipped=False)
        if file_sha256(file) != listed.sha256:
            raise ManifestMismatch(
                f"File {listed.name} does not have the sha256 that the manifest says.",
                "Copy the whole export, or export again.",
            )
