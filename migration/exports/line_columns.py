"""JSON lines straight into columns: Arrow's reader for the common file, the exact one for whatever it declines.

Arrow reads plain lines several times faster than rows are decoded one by one, and without holding up other threads.
It is asked only for what it reads exactly: columns of texts, of whole numbers or of booleans, one object on each line.
Anything else (decimals, mixed types, escapes that cannot be stored, keys given twice, broken lines) it refuses, or the
number of rows gives it away; then the caller decodes those lines itself.
"""

import io
import re
from collections.abc import Iterator, Sequence
from typing import Any, overload

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pa_json

from migration.exports.escapes import has_suspects
from migration.exports.sources import SourceTable
from migration.parsing.cells import from_json, tagged_booleans, tagged_numbers

_REFUSALS = 3
# Arrow takes these words for numbers, also in keys that it skips; JSON has no such numbers.
_NO_NUMBER = re.compile(rb"[:,\[]\s*-?(?:NaN|Inf)")
_READ = pa_json.ReadOptions(use_threads=False, block_size=64 << 20)
_KINDS: tuple[tuple[set[type], pa.DataType], ...] = (
    ({type(None), str}, pa.string()),
    ({type(None), int}, pa.int64()),
    ({type(None), bool}, pa.bool_()),
)


class LineColumns:
    """Reads lines into columns of cells, as long as the file is of the kind that Arrow reads exactly.

    Args:
        source: the table that the lines are rows of.
    """

    def __init__(self, source: SourceTable) -> None:
        self._types = dict.fromkeys(source.columns, pa.string())
        self._refused = 0

    def read(self, text: bytes) -> pa.Table | None:
        """Whole lines as one text column of cells per declared column; None = decode them row by row."""
        lines = text.count(b"\n") + (not text.endswith(b"\n"))
        # A line feed between two objects can only stand at the top level: so many of them, and one object a line.
        if self._refused >= _REFUSALS or text.count(b"}\n{") != lines - 1 or _is_suspect(text):
            return None
        schema = pa.schema(list(self._types.items()))
        options = pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
        try:
            table = pa_json.read_json(io.BytesIO(text), read_options=_READ, parse_options=options)
        except pa.ArrowInvalid:
            return None
        if table.num_rows != lines:
            return None
        self._refused = 0
        return pa.table({name: _cells(table.column(name)) for name in self._types})

    def learn(self, records: Sequence[Any]) -> None:
        """Take from rows that were decoded one by one what kinds of values the columns hold."""
        self._refused += 1
        rows = [record for record in records if isinstance(record, dict)]
        for name in self._types:
            met = {type(row.get(name)) for row in rows}
            kind = next((kind for types, kind in _KINDS if met <= types), None)
            if kind is None:
                self._refused = _REFUSALS
            elif met != {type(None)}:
                self._types[name] = kind


def _is_suspect(text: bytes) -> bool:
    """Whether Arrow may read lines as something else than they are."""
    return has_suspects(text) or ((b"NaN" in text or b"Inf" in text) and _NO_NUMBER.search(text) is not None)


def _cells(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_integer(column.type):
        return tagged_numbers(pc.cast(column, pa.string()))
    if pa.types.is_boolean(column.type):
        return tagged_booleans(pc.cast(column, pa.string()))
    return column


class LineRecords(Sequence[Any]):
    """The rows of plain lines, decoded when they are asked for: few are, those that are rejected.

    Args:
        text: whole lines, each of them one JSON object.
    """

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._lines: list[bytes] | None = None

    @property
    def lines(self) -> list[bytes]:
        """The lines as they are, without their line feeds."""
        return self._split()

    def __len__(self) -> int:
        return len(self._split())

    @overload
    def __getitem__(self, position: int) -> Any: ...
    @overload
    def __getitem__(self, position: slice) -> list[Any]: ...
    def __getitem__(self, position: int | slice) -> Any:
        if isinstance(position, slice):
            return [from_json(line) for line in self._split()[position]]
        return from_json(self._split()[position])

    def __iter__(self) -> Iterator[Any]:
        return map(from_json, self._split())

    def _split(self) -> list[bytes]:
        if self._lines is None:
            self._lines = self._text.removesuffix(b"\n").split(b"\n")
        return self._lines
