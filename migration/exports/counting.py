"""An independent count of a file's records, from its bytes alone.

It shares no code with the readers of the formats: it decodes nothing, builds no row and knows no column. Where both
numbers agree, no row has been lost or made up between the file and the batches. For Parquet the number is the footer's.
"""

import re
from typing import Literal, Protocol

import numpy as np

# What Unicode calls white space, and U+001C to U+001F, in UTF-8.
_SPACE = rb"(?:[\t\x0b\x0c\r \x1c-\x1f]|%b)" % b"|".join(
    (rb"\xc2[\x85\xa0]", rb"\xe1\x9a\x80", rb"\xe2\x80[\x80-\x8a\xa8\xa9\xaf]", rb"\xe2\x81\x9f", rb"\xe3\x80\x80")
)
_CUT_SPACE = rb"(?:\xc2|\xe1\x9a?|\xe2[\x80\x81]?|\xe3\x80?)?"


TextFormat = Literal["json", "jsonl", "csv"]


class _Tally(Protocol):
    def feed(self, chunk: bytes) -> None: ...
    def count(self) -> int: ...


class RecordCounter:
    """Counts the records of JSON lines, a JSON array or CSV, fed chunk by chunk.

    Args:
        format: what the bytes are.
        blank_csv_lines: whether a CSV line of nothing but white space is a record.
    """

    def __init__(self, format: TextFormat, *, blank_csv_lines: Literal["row", "skip"] = "row") -> None:
        self._tally: _Tally
        if format == "json":
            self._tally = _ArrayTally()
        elif format == "jsonl":
            self._tally = _LineTally(blank=rb"%b*+" % _SPACE)
        else:
            self._tally = _CsvTally(skip_blank=blank_csv_lines == "skip")

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the file, unpacked, without a byte order mark."""
        self._tally.feed(chunk)

    def count(self) -> int:
        """How many records the bytes fed so far hold, the last one counted whether or not its line has ended."""
        return self._tally.count()


class _LineTally:
    """Lines that are not blank."""

    def __init__(self, blank: bytes, blank_at_end: bytes | None = None) -> None:
        self._blank_at_end = re.compile(blank if blank_at_end is None else blank_at_end)
        self._blank_line = re.compile(rb"\n(?=%b\n)" % blank)
        self._blank_so_far = re.compile(rb"%b(%b)" % (blank, _CUT_SPACE))
        self._ended = 0
        # The line that has begun, shortened: blank (as blank as it began), or `x` and its last byte.
        self._begun = b""

    def feed(self, chunk: bytes) -> None:
        text = self._begun + chunk
        last = text.rfind(b"\n") + 1
        if last:
            blank = sum(1 for _ in self._blank_line.finditer(b"\n" + text[:last]))
            self._ended += text.count(b"\n") - blank
        self._begun = self._shortened(text[last:])

    def count(self) -> int:
        return self._ended + self.has_begun()

    def has_begun(self) -> bool:
        return not self._blank_at_end.fullmatch(self._begun)

    def _shortened(self, line: bytes) -> bytes:
        blank = self._blank_so_far.fullmatch(line)
        if blank is None:
            return b"x" + line[-1:]
        return line if len(line) < 8 else b" " + blank.group(1)


class _CsvTally:
    """Lines outside quotes that are not blank, but the header."""

    # Only at its beginning does a quote make a field a quoted one.
    _QUOTED = re.compile(rb'"(?<=[,\n]")[^"]*+(?:""[^"]*+)*+"?')
    _INSIDE = re.compile(rb'(?:[^"]++|"")*+')

    def __init__(self, *, skip_blank: bool) -> None:
        # Before a line feed a carriage return is part of the line end; at the end of the file it is a text.
        self._lines = _LineTally(rb"%b*+" % _SPACE) if skip_blank else _LineTally(rb"\r?", blank_at_end=b"")
        self._inside = False
        self._before = b"\n"
        self._held = b""

    def feed(self, chunk: bytes) -> None:
        text = self._held + chunk
        # Whether a quote at the border ends the field or is the first of a doubled one, only the next chunk tells.
        outside = text.rstrip(b'"')
        self._held = text[len(outside) :]
        if self._inside and (inside := self._INSIDE.match(outside)):
            self._inside = inside.end() == len(outside)
            outside = outside[inside.end() + 1 :]
        if not outside:
            return
        if b'"' in outside:
            outside = self._QUOTED.sub(b'"', self._before + outside)[1:]
            self._inside = outside.endswith(b'"')
        self._lines.feed(outside)
        self._before = outside[-1:]

    def count(self) -> int:
        lines = self._lines.count() + (bool(self._held) and not self._lines.has_begun())
        return max(lines - 1, 0)


class _ArrayTally:
    """Elements of the outermost array: its own commas, and one more unless it is empty."""

    _ESCAPE = re.compile(rb"\\.", re.DOTALL)
    _NOT_STRUCTURE = bytes(set(range(256)) - set(b"[]{},"))
    _SPACE = b" \t\r\n"

    def __init__(self) -> None:
        self._commas = 0
        self._depth = 0
        self._first = b""  # the first byte after the opening bracket that is no space
        self._inside = False
        self._held = b""

    def feed(self, chunk: bytes) -> None:
        text = self._held + chunk
        if b"\\" in text:
            text = self._ESCAPE.sub(b"", text)
        self._held = b"\\" if text.endswith(b"\\") else b""
        if not self._first:
            self._note_first(text)
        # Without escapes, every quote begins or ends a text: every other piece between quotes is outside of texts.
        pieces = text.split(b'"')
        text = b"".join(pieces[self._inside :: 2])
        self._inside ^= len(pieces) % 2 == 0
        marks = np.frombuffer(text.translate(None, self._NOT_STRUCTURE), dtype=np.uint8)
        if not len(marks):
            return
        steps = np.isin(marks, (ord("["), ord("{"))).astype(np.int64) - np.isin(marks, (ord("]"), ord("}")))
        depths = self._depth + np.cumsum(steps)
        self._commas += int(np.count_nonzero((marks == ord(",")) & (depths == 1)))
        self._depth = int(depths[-1])

    def count(self) -> int:
        return self._commas + (self._first not in (b"", b"]"))

    def _note_first(self, text: bytes) -> None:
        if not self._depth:
            text = text.lstrip(self._SPACE)
            text = text[1:] if text.startswith(b"[") else b""
        self._first = text.lstrip(self._SPACE)[:1]
