"""Staged frames: what one asset hands to the next, as Parquet in the work folder, one folder per export.

A frame is written under the run that made it and becomes current by one small pointer file, so readers see a whole
frame or the one before, also on object stores that cannot rename. A dry run writes to a place of its own and reads the
live frame only where it made none itself. Frames may be split by a key (a month), so that a partition reads its part.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from migration.errors import MigrationError

_WHOLE = "all"
_NONE = "_none.parquet"


class MissingFrame(MigrationError):
    """A staged frame that an asset needs has not been made for this export."""


class FramePointer(msgspec.Struct, frozen=True):
    """Which files are the current frame, and how many rows each part holds."""

    run_id: str
    rows: dict[str, int]


@dataclass(frozen=True)
class FrameStore:
    """The staged frames of one system and export, as one run sees them.

    Attributes:
        root: work folder of the system, an fsspec path.
        export_id: the export that the frames are made from.
        run_id: the run that writes.
        dry_run: whether to write apart from the live frames.
        preview: of a dry run, what shares its frames: by default this run alone.
    """

    root: UPath
    export_id: str
    run_id: str
    dry_run: bool = False
    preview: str = ""

    def _folder(self, *, dry: bool) -> UPath:
        return self.root / "dry_run" / (self.preview or self.run_id) if dry else self.root / self.export_id

    def write(
        self, asset: str, parts: Iterable[tuple[str | None, pd.DataFrame | pa.Table]], schema: pa.Schema | None = None
    ) -> FramePointer:
        """Write a frame and make it current.

        Args:
            asset: name of the asset that the frame belongs to.
            parts: frames (or Arrow tables of the schema) with the key of the part they belong to (None = the frame is
                not split), in any order and any number per key; each goes to disk as it comes.
            schema: the columns to keep and their types; None = as the first part of each key has them.
        """
        folder = self._folder(dry=self.dry_run) / asset
        folder.mkdir(parents=True, exist_ok=True)
        writers: dict[str, _PartWriter] = {}
        try:
            for key, frame in parts:
                name = _WHOLE if key is None else key
                if name not in writers:
                    writers[name] = _PartWriter(folder / self.run_id / f"{name}.parquet", schema)
                writers[name].write(frame)
        finally:
            for writer in writers.values():
                writer.close()
        if schema is not None:
            _write_none(folder / self.run_id, schema)
        pointer = FramePointer(self.run_id, {name: writer.rows for name, writer in sorted(writers.items())})
        _write_whole(folder / "current.json", msgspec.json.encode(pointer))
        return pointer

    def write_note(self, name: str, content: bytes) -> None:
        """Keep a small document beside the frames, such as what was verified of the export."""
        folder = self._folder(dry=self.dry_run)
        folder.mkdir(parents=True, exist_ok=True)
        _write_whole(folder / name, content)

    def read_note(self, name: str) -> bytes | None:
        """A document kept beside the frames; None when there is none."""
        for dry in (True, False) if self.dry_run else (False,):
            try:
                return (self._folder(dry=dry) / name).read_bytes()
            except FileNotFoundError:
                continue
        return None

    def _current(self, asset: str) -> tuple[UPath, FramePointer]:
        for dry in (True, False) if self.dry_run else (False,):
            folder = self._folder(dry=dry) / asset
            try:
                return folder, msgspec.json.decode((folder / "current.json").read_bytes(), type=FramePointer)
            except FileNotFoundError:
                continue
        raise MissingFrame(
            f"The frame {asset} has not been made for export {self.export_id}.",
            f"Materialize {asset} for this export first, or run the whole migration.",
        )

    def pointer(self, asset: str) -> FramePointer:
        """The current frame's pointer.

        Raises:
            MissingFrame: the asset has not run for this export.
        """
        return self._current(asset)[1]

    def parts(self, asset: str) -> dict[str, int]:
        """Rows of each part of a frame that is split by a key."""
        return self.pointer(asset).rows

    def read(self, asset: str, part: str | None = None) -> pd.DataFrame:
        """A frame, or one part of it; a part without rows is a frame without rows, of the same columns if declared.

        Raises:
            MissingFrame: the asset has not run for this export.
        """
        folder, pointer = self._current(asset)
        names = list(pointer.rows) if part is None else [part]
        tables = [_read(folder, pointer, name) for name in names if name in pointer.rows]
        if not tables:
            return _read_none(folder / pointer.run_id)
        return pa.concat_tables(tables).to_pandas(types_mapper=_mapped)

    def tables(self, asset: str, part: str | None = None, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """A frame, or one part of it, in the pieces that it was written in, so that memory is bounded by the pieces.

        Args:
            asset: name of the asset that the frame belongs to.
            part: key of the part; one without rows has no pieces. None = all parts.
            columns: the columns to read; None = all.

        Raises:
            MissingFrame: the asset has not run for this export.
        """
        folder, pointer = self._current(asset)
        for name in [part] if part is not None else list(pointer.rows):
            if name not in pointer.rows:
                continue
            with (folder / pointer.run_id / f"{name}.parquet").open("rb") as stored, pq.ParquetFile(stored) as file:
                for place in range(file.num_row_groups):
                    yield file.read_row_group(place, columns=None if columns is None else list(columns))

    def batches(self, asset: str, part: str | None = None) -> Iterator[pd.DataFrame]:
        """`tables` as frames."""
        return (piece.to_pandas(types_mapper=_mapped) for piece in self.tables(asset, part))


def _mapped(kind: pa.DataType) -> pd.ArrowDtype | None:
    """Keep exact and nullable types as Arrow columns; text becomes pandas' own."""
    return None if pa.types.is_string(kind) or pa.types.is_large_string(kind) else pd.ArrowDtype(kind)


def _read(folder: UPath, pointer: FramePointer, name: str) -> pa.Table:
    with (folder / pointer.run_id / f"{name}.parquet").open("rb") as file:
        return pq.read_table(file)


def _write_none(folder: UPath, schema: pa.Schema) -> None:
    """Keep what a part without rows looks like."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _NONE).open("wb") as file:
        pq.write_table(schema.empty_table(), file)


def _read_none(folder: UPath) -> pd.DataFrame:
    try:
        with (folder / _NONE).open("rb") as file:
            return pq.read_table(file).to_pandas(types_mapper=_mapped)
    except FileNotFoundError:
        return pd.DataFrame()


class _PartWriter:
    """One Parquet file that grows batch by batch."""

    def __init__(self, path: UPath, schema: pa.Schema | None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.rows = 0
        self._schema = schema
        self._file = path.open("wb")
        self._writer: pq.ParquetWriter | None = None

    def write(self, frame: pd.DataFrame | pa.Table) -> None:
        is_table = isinstance(frame, pa.Table)
        table = frame if is_table else pa.Table.from_pandas(frame, schema=self._schema, preserve_index=False)
        if self._writer is None:
            self._schema = table.schema
            self._writer = pq.ParquetWriter(self._file, table.schema)
        self._writer.write_table(table)
        self.rows += table.num_rows

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._file.close()


def _write_whole(path: UPath, content: bytes) -> None:
    """Replace a small file in one step: by rename where the file system can, else the object store's own put."""
    if path.protocol in ("", "file", "local"):
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_bytes(content)
        temporary.rename(path)
    else:
        path.write_bytes(content)


def frame_batches(frame: pd.DataFrame, rows: int) -> Iterator[pd.DataFrame]:
    """A frame in slices of at most `rows` rows; an empty frame gives none."""
    for start in range(0, len(frame), rows):
        yield frame.iloc[start : start + rows]
