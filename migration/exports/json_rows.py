"""Rows of JSON lines and of JSON arrays, decoded by msgspec: numbers exact, of a repeated key the last counts."""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import numpy as np

from migration.exports.blocks import Block
from migration.exports.escapes import has_suspects, hide_surrogates, mend_escapes, without_nul
from migration.exports.find import ExportFile
from migration.exports.sources import NOT_AN_OBJECT, UNPARSEABLE, SourceTable
from migration.exports.stored import format_error, whole_lines

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_decode_texts = msgspec.json.Decoder(list[msgspec.Raw]).decode
# A number of absurd length and absurd nesting are refused like broken JSON.
_BROKEN = (msgspec.MsgspecError, InvalidOperation, RecursionError)

_SPACE = b" \t\r\n"


def line_blocks(
    file: ExportFile, source: SourceTable, chunks: Iterable[bytes], *, rows_before: int = 0
) -> Iterator[Block]:
    """The rows of JSON lines; only LF or CRLF ends a line, and lines of white space are no rows.

    Raises:
        ExportFormatError: a line is not JSON and the source does not have it labelled.
    """
    rows = rows_before
    for text in whole_lines(chunks):
        lines = text.split(b"\n")
        if not lines[-1]:
            lines.pop()
        block = _plain_lines(text, lines) or _mixed_lines(file, source, lines, rows)
        rows += len(block.records)
        yield block


def array_blocks(file: ExportFile, source: SourceTable, chunks: Iterable[bytes]) -> Iterator[Block]:
    """The rows of one JSON array, however it is laid out.

    Raises:
        ExportFormatError: the file is not one JSON array from its first to its last byte.
    """
    rows = 0
    for elements in _elements(file, chunks):
        records = _decoded_elements(source, elements)
        if records is None:
            raise format_error(file, f"broken JSON after row {rows}, within the next {len(elements)} bytes")
        yield Block(records, len(elements), _labelled_non_objects(source, elements, records))
        rows += len(records)


def _plain_lines(text: bytes, lines: list[bytes]) -> Block | None:
    """The common case: every line is an object and needs no mending; None when that is not so."""
    if has_suspects(text):
        return None
    try:
        records = [_decode(line) for line in lines]
    except _BROKEN:
        return None
    return Block(records, len(text)) if set(map(type, records)) == {dict} else None


def _mixed_lines(file: ExportFile, source: SourceTable, lines: list[bytes], rows_before: int) -> Block:
    records: list[Any] = []
    malformed: dict[int, str] = {}
    for line in lines:
        try:
            record, kind = _decode_mended(source, line), None
        except _BROKEN:
            record, kind = line.decode().removesuffix("\r"), UNPARSEABLE
            if not record or record.isspace():
                continue
            if source.malformed_rows == "reject":
                record = _storable(source, record)
        if kind == UNPARSEABLE and source.malformed_rows == "abort":
            raise format_error(file, f"row {rows_before + len(records) + 1} is not JSON")
        if kind is None and type(record) is not dict:
            kind = NOT_AN_OBJECT
            if source.non_objects == "text":
                record, kind = _storable(source, line.decode().removesuffix("\r")), UNPARSEABLE
        if kind:
            malformed[len(records)] = kind
        records.append(record)
    return Block(records, sum(map(len, lines)), malformed)


def _decode_mended(source: SourceTable, text: bytes) -> Any:
    if not has_suspects(text):
        return _decode(text)
    return _storable(source, _decode(mend_escapes(text, source.surrogates)))


def _storable(source: SourceTable, value: Any) -> Any:
    return without_nul(value) if source.surrogates == "remove" else value


def _decoded_elements(source: SourceTable, elements: bytes) -> list[Any] | None:
    """The values of `a, b, c`; None unless it is one or more JSON values."""
    try:
        return _decode_mended(source, b"[" + elements + b"]") or None
    except _BROKEN:
        return None


def _labelled_non_objects(source: SourceTable, elements: bytes, records: list[Any]) -> dict[int, str]:
    """The kinds of the rows that are no objects; where the source keeps their text, it takes their place."""
    if set(map(type, records)) == {dict}:
        return {}
    positions = [position for position, record in enumerate(records) if type(record) is not dict]
    if source.non_objects == "value":
        return dict.fromkeys(positions, NOT_AN_OBJECT)
    hidden, sign = hide_surrogates(b"[" + elements + b"]")
    texts = _decode_texts(hidden)
    for position in positions:
        records[position] = _storable(source, bytes(texts[position]).replace(sign, b"\\").decode())
    return dict.fromkeys(positions, UNPARSEABLE)


def _elements(file: ExportFile, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What stands between the array's brackets, in pieces cut at commas between its elements."""
    scanner = _ArrayScanner()
    held: list[bytes] = []
    cut_before, after = False, None
    for chunk in _after_bracket(file, chunks):
        if after is not None:
            after = chunk
        else:
            cut, end = scanner.scan(chunk)
            if cut is not None:
                yield b"".join((*held, chunk[:cut]))
                held, cut_before = [], True
            held.append(chunk[0 if cut is None else cut + 1 : end])
            after = None if end is None else chunk[end + 1 :] if chunk[end : end + 1] == b"]" else chunk[end:]
        if after and after.strip(_SPACE):
            raise format_error(file, "content after the end of the array, or brackets that do not match")
    if after is None:
        raise format_error(file, "the file ends before its array does")
    last = b"".join(held)
    if cut_before or last.strip(_SPACE):
        yield last


def _after_bracket(file: ExportFile, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks that follow the opening bracket."""
    opened = False
    for chunk in chunks:
        if opened:
            yield chunk
            continue
        text = chunk.lstrip(_SPACE)
        if text and not text.startswith(b"["):
            raise format_error(file, "the top level is not an array")
        opened = bool(text)
        if len(text) > 1:
            yield text[1:]
    if not opened:
        raise format_error(file, "no JSON array in it")


class _ArrayScanner:
    """Finds where an array may be cut, chunk after chunk; whether the pieces are JSON is for the decoder to say."""

    _ESCAPED = re.compile(rb"\\.", re.DOTALL)
    _MARKS = np.zeros(256, dtype=bool)
    _MARKS[list(b'"[]{},')] = True
    _STEPS = np.zeros(256, dtype=np.int64)
    _STEPS[list(b"[{")] = 1
    _STEPS[list(b"]}")] = -1

    def __init__(self) -> None:
        self._depth = 1
        self._in_text = False
        self._escape_open = False

    def scan(self, chunk: bytes) -> tuple[int | None, int | None]:
        """Where the last comma between two elements of a chunk is, and where the array's closing bracket."""
        codes = np.frombuffer(self._without_escapes(chunk), dtype=np.uint8)
        places = np.flatnonzero(self._MARKS[codes])
        marks = codes[places]
        quotes = marks == ord('"')
        in_text = (np.cumsum(quotes) + self._in_text) % 2 == 1
        structural = ~(in_text | quotes)
        places, steps, commas = places[structural], self._STEPS[marks[structural]], marks[structural] == ord(",")
        depths = np.cumsum(steps) + self._depth
        closings = np.flatnonzero(depths == 0)
        end = int(closings[0]) if len(closings) else None
        cuts = np.flatnonzero((commas & (depths == 1))[:end])
        if len(quotes):
            self._in_text = bool(in_text[-1])
        if len(depths):
            self._depth = int(depths[-1])
        return (int(places[cuts[-1]]) if len(cuts) else None, None if end is None else int(places[end]))

    def _without_escapes(self, chunk: bytes) -> bytes:
        """The chunk with its escapes blanked out, so that every quote left begins or ends a text."""
        text = b"_" + chunk[1:] if self._escape_open else chunk
        if b"\\" in text:
            text = self._ESCAPED.sub(b"__", text)
        self._escape_open = text.endswith(b"\\")
        return text
