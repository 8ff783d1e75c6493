"""COPY of frames whose columns are in several pieces."""

import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa

from migration.warehouse.copying import copy_frame

TEXT = pd.ArrowDtype(pa.string())


@pytest.mark.database
@pytest.mark.parametrize("pieces", [[0, 2], [2, 0], [1, 0, 1], [0, 0, 2]])
def test_a_column_with_an_empty_piece_is_copied_as_it_is(engine: sa.Engine, pieces: list[int]) -> None:
    table = sa.Table("pieces", sa.MetaData(), sa.Column("one", sa.Text), sa.Column("other", sa.Text))
    parts = [pd.Series(["x"] * length, dtype=TEXT) for length in pieces]
    frame = pd.DataFrame({"one": ["export"] * sum(pieces), "other": pd.concat(parts, ignore_index=True)})
    with engine.begin() as connection:
        table.create(connection)
        copy_frame(connection, table, list(table.columns), frame)
        assert list(connection.execute(sa.select(table))) == [("export", "x")] * 2
