"""The bytes of a stored file: read once, hashed as stored, unpacked and, where they are text, checked to be UTF-8.

What the bytes mean is for the readers of the formats.
"""

import codecs
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from migration.errors import ExportFormatError, MissingSourceFile, SetupError, TransientError
from migration.exports.find import ExportFile

CHUNK_BYTES = 2 << 20

_GZIP_WINDOW = 31
_BOM = b"\xef\xbb\xbf"


class StoredFile:
    """One pass over a stored file.

    Attributes:
        sha256: digest of the bytes as stored; complete once `chunks` is exhausted.
    """

    def __init__(self, file: ExportFile, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._file = file
        self._chunk_bytes = chunk_bytes
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Digest of the stored bytes read so far, lower-case hex."""
        return self._digest.hexdigest()

    def chunks(self) -> Iterator[bytes]:
        """The content, unpacked, in chunks of bounded size.

        Raises:
            MissingSourceFile: the file is not there.
            ExportFormatError: a gzip stream is cut or broken.
            SetupError: the file is not readable.
            TransientError: the storage failed.
        """
        stored = self._stored_chunks()
        return _unpacked(self._file, stored, self._chunk_bytes) if self._file.gzipped else stored

    def text_chunks(self) -> Iterator[bytes]:
        """As `chunks`, for text: without its byte order mark, and raising `ExportFormatError` unless it is UTF-8."""
        return _checked_utf8(self._file, _without_bom(self.chunks()))

    def _stored_chunks(self) -> Iterator[bytes]:
        with storage_errors(self._file):
            stream = self._file.path.open("rb")
        with stream:
            while True:
                with storage_errors(self._file):
                    chunk = stream.read(self._chunk_bytes)
                if not chunk:
                    return
                self._digest.update(chunk)
                yield chunk


def file_sha256(file: ExportFile) -> str:
    """The digest of a file as stored; raises as `StoredFile.chunks` does."""
    stored = StoredFile(ExportFile(file.path, file.name, file.stem, file.table, file.format, gzipped=False))
    for _ in stored.chunks():
        pass
    return stored.sha256


def format_error(file: ExportFile, problem: str) -> ExportFormatError:
    """The error that a file is not what its name says; `problem` says what and at which position."""
    return ExportFormatError(
        f"File {file.name} of table {file.table}: {problem}.", "Export the table again; the file cannot be loaded."
    )


def whole_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Chunks cut anew, so that each but the last ends with a line feed."""
    held: list[bytes] = []
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if not end:
            held.append(chunk)
            continue
        held.append(chunk[:end])
        yield b"".join(held)
        held = [chunk[end:]] if end < len(chunk) else []
    if held:
        yield b"".join(held)


@contextmanager
def storage_errors(file: ExportFile) -> Iterator[None]:
    """Turn what storage raises into the errors of this project."""
    try:
        yield
    except FileNotFoundError:
        raise MissingSourceFile(
            f"File {file.name} of table {file.table} is no longer in the export.",
            "Exports are immutable: restore the file, or run a newer export.",
        ) from None
    except PermissionError:
        raise SetupError(
            f"File {file.name} of table {file.table} is not readable.",
            "Give the user that runs the migration the right to read it.",
        ) from None
    except OSError as error:
        raise TransientError(
            f"Storage failed while reading file {file.name} of table {file.table} ({type(error).__name__}).",
            "Run again; if it persists, check the landing zone's storage.",
        ) from None


def _unpacked(file: ExportFile, stored: Iterable[bytes], chunk_bytes: int) -> Iterator[bytes]:
    """The content of a gzip file, however many members it has; a small stored chunk may unpack into many."""
    member = zlib.decompressobj(_GZIP_WINDOW)
    position, started, between = 0, False, False
    for chunk in stored:
        pending = chunk
        while pending:
            if between:
                pending = pending.lstrip(b"\x00")  # Padding after a member is allowed.
                if not pending:
                    break
                member, between = zlib.decompressobj(_GZIP_WINDOW), False
            started = True
            try:
                content = member.decompress(pending, chunk_bytes)
            except zlib.error:
                place = position + len(chunk) - len(pending)
                raise format_error(file, f"broken gzip stream near stored byte {place}") from None
            if content:
                yield content
            between = member.eof
            pending = member.unused_data if between else member.unconsumed_tail
        position += len(chunk)
    if not started or not between:
        raise format_error(file, f"the gzip stream is cut at stored byte {position}")


def _without_bom(chunks: Iterable[bytes]) -> Iterator[bytes]:
    start: bytes | None = b""
    for chunk in chunks:
        if start is None:
            yield chunk
            continue
        start += chunk
        if len(start) >= len(_BOM) or not _BOM.startswith(start):
            if content := start.removeprefix(_BOM):
                yield content
            start = None
    if start:
        yield start.removeprefix(_BOM)


def _checked_utf8(file: ExportFile, chunks: Iterable[bytes]) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    position = 0
    for chunk in chunks:
        _check(decoder, chunk, file, position, final=False)
        position += len(chunk)
        yield chunk
    _check(decoder, b"", file, position, final=True)


def _check(decoder: codecs.IncrementalDecoder, chunk: bytes, file: ExportFile, position: int, *, final: bool) -> None:
    held = len(decoder.getstate()[0])
    if chunk.isascii() and not held:
        return
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError as error:
        place = position - held + error.start
        text = "unpacked text" if file.gzipped else "text"
        raise format_error(file, f"not UTF-8 at byte {place} of the {text}") from None
