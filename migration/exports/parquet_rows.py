"""Rows of Parquet files: each value becomes what the same value is in JSON, floats by their shortest decimal text."""

import math
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from migration.exports.blocks import Block
from migration.exports.escapes import without_nul
from migration.exports.find import ExportFile
from migration.exports.sources import SourceTable
from migration.exports.stored import format_error

_BLOCK_ROWS = 5_000
_UNREADABLE = (pa.ArrowException, OSError, ValueError, OverflowError)

Convert = Callable[[Any], Any]


def parquet_blocks(file: ExportFile, source: SourceTable, stream: IO[bytes]) -> Iterator[Block]:
    """The rows of a Parquet file, as dicts by column name; one empty block when there are none.

    Args:
        file: the file, for messages.
        source: the table it holds.
        stream: its content, seekable.

    Raises:
        ExportFormatError: it is not Parquet, or a part of it cannot be decoded.
    """
    rows = 0
    batches = _batches(stream)
    while True:
        try:
            block = next(batches, None)
        except _UNREADABLE:
            raise format_error(file, f"not readable as Parquet after row {rows}") from None
        if block is None:
            return
        rows += len(block.records)
        yield _storable(source, block)


def footer_rows(stream: IO[bytes]) -> int:
    """How many rows the footer of a Parquet file states; raises what pyarrow raises."""
    return pq.read_metadata(stream).num_rows


def _batches(stream: IO[bytes]) -> Iterator[Block]:
    parquet = pq.ParquetFile(stream, page_checksum_verification=True)
    header = tuple(parquet.schema_arrow.names)
    converts = [_converter(kind) for kind in parquet.schema_arrow.types]
    yield Block([], 0, header=header)
    for batch in parquet.iter_batches(batch_size=_BLOCK_ROWS, use_threads=False):
        columns = [
            [None if value is None else convert(value) for value in _values(column)]
            for convert, column in zip(converts, batch.columns, strict=True)
        ]
        records = [dict(zip(header, row, strict=True)) for row in zip(*columns, strict=True)]
        yield Block(records or [{}] * batch.num_rows, batch.nbytes, header=header)


def _storable(source: SourceTable, block: Block) -> Block:
    if source.surrogates == "replace":
        return block
    header = tuple(without_nul(name) for name in block.header or ())
    return Block(without_nul(block.records), block.size, block.malformed, header)


def _values(column: pa.Array) -> list[Any]:
    try:
        return column.to_pylist()
    except (ValueError, OverflowError):
        if not pa.types.is_temporal(column.type):
            raise
        # Python has no dates outside the years 1 to 9999, which databases write for "never"; Arrow can spell most of
        # them, and for the rest has a text that is no date.
        return [text and re.sub(r"^(\S+-\d\d) ", r"\1T", text) for text in column.cast(pa.string()).to_pylist()]


def _converter(kind: pa.DataType) -> Convert:
    """How the Python values of an Arrow type become what JSON would have given; never called with None."""
    if pa.types.is_dictionary(kind):
        return _converter(kind.value_type)
    if pa.types.is_nested(kind):
        return _nested_converter(kind)
    if pa.types.is_float64(kind):
        return _from_float
    if pa.types.is_floating(kind):
        exact = np.float16 if pa.types.is_float16(kind) else np.float32
        return lambda value: _from_float(exact(value))
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        return lambda value: value
    return _text


def _nested_converter(kind: pa.DataType) -> Convert:
    if pa.types.is_struct(kind):
        parts = {field.name: _each_or_none(_converter(field.type)) for field in kind}
        return lambda value: {name: convert(value[name]) for name, convert in parts.items()}
    if pa.types.is_map(kind):
        key, item = _converter(kind.key_type), _each_or_none(_converter(kind.item_type))
        return lambda value: {str(key(name)): item(inner) for name, inner in value}
    if hasattr(kind, "value_type"):
        convert = _each_or_none(_converter(kind.value_type))
        return lambda value: [convert(inner) for inner in value]
    return _text


def _each_or_none(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _from_float(value: float | np.floating) -> Decimal | str | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"  # JSON has no such number: rules meet it as a text.
    return Decimal(str(value))


def _text(value: Any) -> str:
    """Texts as they are, bytes as the UTF-8 text they must be, dates and times in ISO form."""
    if isinstance(value, bytes):
        return value.decode()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
