"""The upsert: only what differs is written, each change is logged, provenance says which export and since when."""

import datetime as dt
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa

from migration.tables import loaded_columns
from migration.warehouse.copying import copy_arrow, copy_frame, to_arrow
from migration.warehouse.upsert import (
    Changes,
    create_stage,
    delete_logged,
    replace_rows,
    update_from,
    update_logged,
)
from tests.core.tiny import books, children, load, metadata, opened, parent, parents, rows

JANUARY = dt.date(2026, 1, 1)
CHANGES = (
    "SELECT run_id, table_name, row_key->>'id', before->>'name', after_md5 IS NULL FROM tiny.row_change ORDER BY 1, 3"
)


def test_new_rows_are_inserted_and_logged_without_a_before(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        assert load(connection, parents, [parent(1, "a"), parent(2, None)]) == Changes(inserted=2)
        assert rows(connection, "SELECT id, name, shout, first_export_id, export_id FROM tiny.parents ORDER BY id") == [
            (1, "a", "A", "e1", "e1"),
            (2, None, None, "e1", "e1"),
        ]
        assert rows(connection, CHANGES) == [("r1", "parents", "1", None, False), ("r1", "parents", "2", None, False)]


def test_the_same_rows_again_write_nothing(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        load(connection, parents, [parent(1, "a"), parent(2, None)])
    place = "SELECT id, ctid::text, xmin::text FROM tiny.parents ORDER BY 1"
    with opened(engine) as connection:
        before = rows(connection, place)
        assert load(connection, parents, [parent(2, None), parent(1, "a")], run="r2") == Changes()
        assert rows(connection, place) == before
        assert rows(connection, "SELECT count(*) FROM tiny.row_change WHERE run_id = 'r2'") == [(0,)]


def test_only_what_differs_is_written_with_its_earlier_image(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        load(connection, parents, [parent(1, "a"), parent(2, "b")])
        found = load(connection, parents, [parent(1, "a"), parent(2, None), parent(3, "c")], run="r2")
        assert found == Changes(inserted=1, updated=1)
        assert rows(connection, CHANGES)[2:] == [
            ("r2", "parents", "2", "b", False),
            ("r2", "parents", "3", None, False),
        ]


@pytest.mark.parametrize(("old", "new"), [(None, ""), ("", None), ("a", "a "), ("a", "A")])
def test_null_and_empty_and_spaces_differ(engine: sa.Engine, old: str | None, new: str | None) -> None:
    with opened(engine) as connection:
        load(connection, parents, [parent(1, old)])
        assert load(connection, parents, [parent(1, new)], run="r2") == Changes(updated=1)
        assert rows(connection, "SELECT name FROM tiny.parents") == [(new,)]


def test_a_newer_export_moves_the_export_id_and_not_the_time_of_change(engine: sa.Engine) -> None:
    provenance = "SELECT first_export_id, export_id, migrated_at FROM tiny.parents"
    with opened(engine) as connection:
        load(connection, parents, [parent(1, "a")])
        first = rows(connection, provenance)[0]
    with opened(engine) as connection:
        assert load(connection, parents, [parent(1, "a")], export="e2", run="r2") == Changes(updated=1)
        assert rows(connection, provenance) == [("e1", "e2", first[2])]
    with opened(engine) as connection:
        load(connection, parents, [parent(1, "b")], export="e2")
        assert rows(connection, provenance)[0][2] > first[2]


def test_the_row_of_the_file_is_written_but_is_no_change_of_business_data(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        load(connection, parents, [parent(1, "a", row=1)])
        at = rows(connection, "SELECT migrated_at FROM tiny.parents")
    with opened(engine) as connection:
        assert load(connection, parents, [parent(1, "a", row=7)], run="r2") == Changes(updated=1)
        assert rows(connection, "SELECT source_row FROM tiny.parents") == [(7,)]
        assert rows(connection, "SELECT migrated_at FROM tiny.parents") == at


def test_columns_that_others_write_stay(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        load(connection, parents, [parent(1, "a")])
        connection.execute(sa.text("UPDATE tiny.parents SET note = 'by hand'"))
        load(connection, parents, [parent(1, "b")], export="e2")
        assert rows(connection, "SELECT name, note FROM tiny.parents") == [("b", "by hand")]


def test_a_row_changed_twice_by_a_run_keeps_its_first_image(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        load(connection, parents, [parent(1, "a")])
        for name in ("b", "c"):
            load(connection, parents, [parent(1, name)], run="r2")
        assert rows(connection, CHANGES)[1:] == [("r2", "parents", "1", "a", False)]
        md5 = "SELECT after_md5 = md5(p::text) FROM tiny.row_change, tiny.parents p WHERE run_id = 'r2'"
        assert rows(connection, md5) == [(True,)]


def test_a_table_may_be_too_large_for_a_change_log(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        load(connection, parents, [parent(1, "a")], logged=False)
        assert load(connection, parents, [parent(1, "b"), parent(2, "c")], logged=False) == Changes(1, 1)
        assert rows(connection, "SELECT count(*) FROM tiny.row_change") == [(0,)]


def test_a_key_twice_in_the_stage_is_an_error_and_not_a_choice(engine: sa.Engine) -> None:
    with opened(engine) as connection, pytest.raises(sa.exc.SQLAlchemyError), connection.begin_nested():
        load(connection, parents, [parent(1, "a"), parent(1, "b")])


def test_exact_values_of_every_type(engine: sa.Engine) -> None:
    child = {
        "parent_id": 1,
        "month": JANUARY,
        "amount": Decimal("999999999999.99"),
        "status": "new",
        "seen_at": dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC),
        "tags": '{a,"b,c"}',
        "extra": '{"k": [1, null]}',
    }
    with opened(engine) as connection:
        load(connection, parents, [parent(1, "a")])
        assert load(connection, children, [child]) == Changes(inserted=1)
        assert load(connection, children, [child]) == Changes()
        found = connection.execute(sa.select(children)).mappings().one()
        assert {name: found[name] for name in ("amount", "seen_at", "tags", "extra")} == {
            "amount": Decimal("999999999999.99"),
            "seen_at": child["seen_at"],
            "tags": ["a", "b,c"],
            "extra": {"k": [1, None]},
        }


def test_deleting_and_updating_keep_images(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        load(connection, parents, [parent(1, "a"), parent(2, "b")])
        assert delete_logged(connection, parents, parents.c.id == 1, books.change, "r2") == Changes(deleted=1)
        assert update_logged(connection, parents, {"note": "n"}, parents.c.id == 2, books.change, "r2") == Changes(
            updated=1
        )
        assert rows(connection, CHANGES)[2:] == [("r2", "parents", "1", "a", True), ("r2", "parents", "2", "b", False)]
        assert delete_logged(connection, parents, parents.c.id == 9, books.change, "r2") == Changes()


NASTY = ["", " ", '"', "a,b", "line\nbreak", "\r\n", "\\", "\\.", "\\N", "'", "ünï 💧", "null", "{}", "\t"]


@pytest.mark.parametrize("text", NASTY)
def test_text_arrives_as_it_is(engine: sa.Engine, text: str) -> None:
    with opened(engine) as connection:
        load(connection, parents, [parent(1, text)])
        assert rows(connection, "SELECT name FROM tiny.parents") == [(text,)]


def test_a_stage_is_gone_after_the_transaction(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        create_stage(connection, loaded_columns(parents), "parents")
    with opened(engine) as connection:
        assert not sa.inspect(connection).get_temp_table_names()


@pytest.mark.parametrize(
    "value", [1.5, Decimal("1.005"), Decimal("1E15"), "1,5"], ids=["float", "too exact", "too large", "text"]
)
def test_what_does_not_fit_exactly_is_refused(value: object) -> None:
    amount = [children.c.amount]
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError)):
        to_arrow(pd.DataFrame({"amount": [value]}), amount)


def test_a_copy_goes_to_the_schema_that_the_connection_translates_to(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        connection.execute(sa.text("CREATE SCHEMA other"))
        connection.execute(sa.text("CREATE TABLE other.parents (LIKE tiny.parents INCLUDING DEFAULTS)"))
        translated = connection.execution_options(schema_translate_map={metadata.schema: "other"})
        frame = pd.DataFrame([{"id": 1, "name": "a", "source_row": 1, "first_export_id": "e", "export_id": "e"}])
        columns = [parents.c[name] for name in frame.columns]
        copy_frame(translated, parents, columns, frame)
        copy_frame(translated, parents, columns, frame.assign(id=2))
        assert rows(connection, "SELECT count(*) FROM other.parents") == [(2,)]
        assert rows(connection, "SELECT count(*) FROM tiny.parents") == [(0,)]


def given(*values: tuple[int, str | None]) -> sa.Subquery:
    """Rows of an id and a name."""
    columns = (sa.column("id", sa.Integer), sa.column("name", sa.Text))
    return sa.select(sa.values(*columns, name="given").data(list(values))).subquery("rows")


def test_computed_values_are_set_only_where_they_differ(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        load(connection, parents, [parent(1, "a"), parent(2, None), parent(3, "c")])
    place = "SELECT id, name, xmin::text FROM tiny.parents ORDER BY 1"
    with opened(engine) as connection:
        before = rows(connection, place)
        assert update_from(connection, parents, given((1, "a"), (2, "b"), (9, "x")), [parents.c.name]) == 1
        after = rows(connection, place)
        assert [(row[0], row[1]) for row in after] == [(1, "a"), (2, "b"), (3, "c")]
        assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]


def test_computed_values_of_a_table_with_a_change_log_keep_their_images(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        load(connection, parents, [parent(1, "a"), parent(2, None)])
        changed = update_from(
            connection, parents, given((1, "a"), (2, "b")), [parents.c.name], change_log=books.change, run_id="r2"
        )
        assert changed == 1
        assert rows(connection, CHANGES)[2:] == [("r2", "parents", "2", None, False)]
        logged = "SELECT before ? 'name', before->>'id' FROM tiny.row_change WHERE run_id = 'r2'"
        assert rows(connection, logged) == [(True, "2")]


def test_a_chunk_without_rows_does_not_mislead_the_copy(engine: sa.Engine) -> None:
    numbers = pa.chunked_array([pa.array([], pa.int64()), pa.array([1, 2], pa.int64())])
    stage_columns = [sa.Column("id", sa.BigInteger), sa.Column("name", sa.Text)]
    with opened(engine) as connection:
        stage = create_stage(connection, stage_columns, "chunks")
        copy_arrow(connection, stage, list(stage.columns), pa.table({"id": numbers, "name": ["a", "b"]}))
        copy_arrow(connection, stage, list(stage.columns), pa.table({"id": numbers[:0], "name": numbers[:0]}))
        assert connection.execute(sa.select(stage).order_by("id")).all() == [(1, "a"), (2, "b")]


def replacement(*values: tuple[int, str | None]) -> sa.Subquery:
    """Rows of a whole report."""
    found = given(*values)
    text = [sa.literal("e1", sa.Text).label(name) for name in ("first_export_id", "export_id")]
    return sa.select(found.c.id, found.c.name, sa.literal(1).label("source_row"), *text).subquery("report")


def test_a_scope_is_replaced_and_nothing_else(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        load(connection, parents, [parent(1, "a"), parent(2, "b"), parent(3, "c"), parent(7, "z")])
    scope = parents.c.id < 5
    with opened(engine) as connection:
        found = replace_rows(connection, parents, replacement((1, "a"), (3, None), (4, "d"), (7, "taken")), scope)
        assert found == Changes(inserted=3, deleted=1)
        names = rows(connection, "SELECT id, name FROM tiny.parents ORDER BY 1")
        assert names == [(1, "a"), (3, None), (4, "d"), (7, "taken")]
    place = "SELECT id, ctid::text, xmin::text FROM tiny.parents ORDER BY 1"
    with opened(engine) as connection:
        before = rows(connection, place)
        again = replace_rows(connection, parents, replacement((1, "a"), (3, None), (4, "d"), (7, "taken")), scope)
        assert again == Changes()
        assert rows(connection, place) == before
