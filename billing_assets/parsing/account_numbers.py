"""Printed numbers of customers and bills: what a legacy one must look like to be kept, and how a new one is made.

A printed number never changes, so one that has the form of its kind and names its own row is kept as it is.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

TEXT = pd.ArrowDtype(pa.string())


@dataclass(frozen=True)
class NumberKind:
    """A kind of printed number: `<prefix>-<part of a name>-<id>`, and for bills `-<DDMMYYYY>`.

    Attributes:
        prefix: what it begins with.
        length: characters of the name in a new number, filled up with `X`.
        shortest: characters of the name that a legacy number needs at least.
        dated: whether a day is at its end.
    """

    prefix: str
    length: int
    shortest: int
    dated: bool = False

    @property
    def pattern(self) -> str:
        """What a number that may be kept looks like; the group is its id, and a second one its day."""
        day = "-(?P<day>[0-9]{8})" if self.dated else ""
        return rf"^{self.prefix}-[A-Z0-9]{{{self.shortest},{self.length}}}-(?P<id>[0-9]+){day}$"

    def legacy(self, texts: pd.Series, ids: pd.Series) -> pd.Series:
        """The legacy numbers that are kept, in upper case; missing for the others.

        Args:
            texts: trimmed texts, missing where none was given.
            ids: the ids of their rows, same index.
        """
        upper = pc.call_function("utf8_upper", [_array(texts)])
        parts = pc.call_function("extract_regex", [upper], pc.ExtractRegexOptions(self.pattern))
        own = pc.call_function(
            "equal", [pc.call_function("struct_field", [parts], pc.StructFieldOptions([0])), _array(ids)]
        )
        kept = own.fill_null(False)
        if self.dated:
            days = pc.call_function("struct_field", [parts], pc.StructFieldOptions([1]))
            kept = pc.call_function("and", [kept, _real_days(days)])
        return _series(pc.call_function("if_else", [kept, upper, pa.scalar(None, upper.type)]), texts.index)

    def generated(self, names: pd.Series, ids: pd.Series, days: pd.Series | None = None) -> pd.Series:
        """New numbers.

        Args:
            names: the names that they are made of.
            ids: the ids of their rows, same index.
            days: for bills, their day.
        """
        bare = pc.call_function(
            "replace_substring_regex", [_array(names)], pc.ReplaceSubstringOptions("[^A-Za-z0-9]", "")
        )
        cut = pc.call_function("utf8_slice_codeunits", [bare], pc.SliceOptions(0, self.length))
        part = pc.call_function("ascii_rpad", [pc.call_function("ascii_upper", [cut])], pc.PadOptions(self.length, "X"))
        pieces = [pa.scalar(self.prefix), part, _array(ids)]
        if days is not None:
            pieces.append(
                pc.call_function("strftime", [pa.array(days, from_pandas=True)], pc.StrftimeOptions("%d%m%Y"))
            )
        return _series(pc.call_function("binary_join_element_wise", [*pieces, pa.scalar("-")]), names.index)


customer_number = NumberKind("KTL", 8, 1)
mac_partner_number = NumberKind("KTL-MAC", 8, 8)
mac_end_customer_number = NumberKind("KTL-MACEC", 8, 8)
soho_customer_number = NumberKind("KTL-SOHO", 8, 8)
bill_number = NumberKind("KTL-BL", 5, 1, dated=True)


def _array(values: pd.Series) -> pa.Array:
    array = pa.array(values, from_pandas=True)
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return array.cast(pa.string())


def _series(values: pa.Array | pa.ChunkedArray, index: pd.Index) -> pd.Series:
    chunked = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
    return pd.Series(pd.arrays.ArrowExtensionArray(chunked.cast(pa.string())), index=index)


def _real_days(days: pa.Array) -> pa.Array:
    """Whether texts of eight digits are days of the calendar."""
    encoded = days.dictionary_encode(null_encoding="encode")
    real = np.array([day is not None and _is_day(day) for day in encoded.dictionary.to_pylist()], dtype=bool)
    return pa.array(real[encoded.indices.to_numpy()])


def _is_day(digits: str) -> bool:
    try:
        dt.date(int(digits[4:]), int(digits[2:4]), int(digits[:2]))
    except ValueError:
        return False
    return True
