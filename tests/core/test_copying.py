"""Frames on their way to the server: what the CSV that is copied holds."""

import pyarrow as pa

from migration.warehouse.copying import csv_rows


def test_columns_in_chunks_of_which_some_are_empty_become_their_rows() -> None:
    none = pa.array([], pa.string())
    chunked = pa.chunked_array([none, ["a", "b"], none, none, ["c"]])
    table = pa.table({"n": pa.chunked_array([[1, 2, 3]]), "t": chunked, "u": pa.chunked_array([["x", None], ["z"]])})
    assert bytes(csv_rows(table)) == b'1,"a","x"\n2,"b",\n3,"c","z"\n'
