"""Rows of CSV files, by stdlib `csv`: RFC 4180, so a comma, a header, and quoted fields that may hold line breaks.

Only LF and CRLF end a line. Every value is text; which texts mean null is for the source to say.
"""

import csv
import io
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from migration.exports.blocks import Block
from migration.exports.find import ExportFile
from migration.exports.sources import FIELD_COUNT, SourceTable
from migration.exports.stored import format_error, whole_lines

_BLOCK_ROWS = 5_000
_BLOCK_CHARACTERS = 4 << 20

# The csv module takes a lone carriage return for a line end. A surrogate cannot occur in decoded UTF-8: it stands in.
_LONE_CR = re.compile(r"\r(?!\n)")
_CR_STAND_IN = "\udc0d"

# The module's limit is one for the whole process; legacy texts are longer than its default of 128 KiB.
csv.field_size_limit(sys.maxsize)


def csv_blocks(file: ExportFile, source: SourceTable, chunks: Iterable[bytes]) -> Iterator[Block]:
    """The rows of a CSV file, as dicts by the header's names; one empty block when there are none.

    Raises:
        ExportFormatError: the quoting is broken, there is no header, or a row's length differs from the header's and
            the source does not have that labelled.
    """
    lines = _Lines(source, chunks)
    rows = _rows(file, source, lines)
    header = next(rows, None)
    if header is None:
        raise format_error(file, "no header line in it")
    rows_before = 0
    while True:
        block = _block(file, source, header, rows, lines, rows_before)
        yield block
        rows_before += len(block.records)
        if not block.records:
            return


class _Lines:
    """The lines of a file for `csv.reader`, which takes no line before it needs it.

    Attributes:
        taken: the lines of the row at hand; the consumer clears them between rows.
        size: how many characters have been taken.
    """

    def __init__(self, source: SourceTable, chunks: Iterable[bytes]) -> None:
        self.taken: list[str] = []
        self.size = 0
        self._chunks = chunks
        self._remove_nul = source.surrogates == "remove"
        self._unclean = False

    def __iter__(self) -> Iterator[str]:
        for piece in whole_lines(self._chunks):
            text = piece.decode()
            if text.count("\r") != text.count("\r\n"):
                text, self._unclean = _LONE_CR.sub(_CR_STAND_IN, text), True
            self._unclean = self._unclean or "\x00" in text
            for line in io.StringIO(text, newline="\n"):
                self.taken.append(line)
                self.size += len(line)
                yield line

    def clean(self, fields: list[str]) -> list[str]:
        """Fields as the file has them, without the characters that the source removes."""
        return [self.clean_text(text) for text in fields] if self._unclean else fields

    def clean_text(self, text: str) -> str:
        """One text as the file has it, without the characters that the source removes."""
        text = text.replace(_CR_STAND_IN, "\r")
        return text.replace("\x00", "") if self._remove_nul else text

    def taken_text(self) -> str:
        """The row at hand as it stands in the file, without its line end."""
        return self.clean_text("".join(self.taken).removesuffix("\n").removesuffix("\r"))


def _rows(file: ExportFile, source: SourceTable, lines: _Lines) -> Iterator[list[str]]:
    reader = csv.reader(lines, strict=True)
    skip_blank = source.blank_csv_lines == "skip"
    while True:
        lines.taken.clear()
        try:
            fields = next(reader, None)
        except csv.Error:
            raise format_error(file, f"broken quoting in the row that ends with line {reader.line_num}") from None
        if fields is None:
            return
        if fields and not (skip_blank and len(fields) == 1 and _is_blank(lines.taken)):
            yield lines.clean(fields)


def _is_blank(lines: list[str]) -> bool:
    return len(lines) == 1 and lines[0].replace(_CR_STAND_IN, "\r").isspace()


def _block(
    file: ExportFile, source: SourceTable, header: list[str], rows: Iterator[list[str]], lines: _Lines, rows_before: int
) -> Block:
    records: list[Any] = []
    malformed: dict[int, str] = {}
    start = lines.size
    for fields in islice(rows, _BLOCK_ROWS):
        if len(fields) == len(header) or source.short_csv_rows == "pad":
            records.append(dict(zip(header, fields, strict=False)))
        elif source.malformed_rows == "abort":
            row = rows_before + len(records) + 1
            raise format_error(file, f"row {row} has another number of fields than the header")
        else:
            malformed[len(records)] = FIELD_COUNT
            records.append(lines.taken_text())
        if lines.size - start >= _BLOCK_CHARACTERS:
            break
    return Block(records, lines.size - start, malformed, tuple(header))
