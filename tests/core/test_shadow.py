"""The shadow of a dry run: a copy that is written instead, and what would change against the live tables."""

import datetime as dt
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from migration.warehouse.shadow import compare_with_live, prepare_shadow
from tests.core.tiny import books, children, load, metadata, opened, parent, parents, rows

TRANSLATED = {"tiny": "tiny__dry_run"}


def fill(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        load(connection, parents, [parent(n, f"p{n}") for n in (1, 2, 3)])
        load(connection, children, [{"parent_id": 1, "month": dt.date(2026, 1, 1), "amount": Decimal(1)}])
        connection.execute(sa.insert(books.rejected).values([reject(1), reject(2)]))


def reject(number: int) -> dict[str, Any]:
    return {
        "export_id": "e",
        "source_table": "s",
        "source_row": number,
        "source_pk": "x",
        "target_table": "t",
        "reason_code": "BAD",
        "raw": {},
    }


def test_the_shadow_is_a_copy_with_keys_and_constraints(engine: sa.Engine) -> None:
    fill(engine)
    prepare_shadow(engine, metadata, "d1")
    with opened(engine) as connection:
        for name in ("parents", "children", "rejected_row", "row_change"):
            both = [
                rows(connection, f"SELECT * FROM {schema}.{name} ORDER BY 1, 2") for schema in ("tiny", "tiny__dry_run")
            ]
            assert both[0] == both[1], name
        keys = sa.inspect(connection).get_foreign_keys("children", "tiny__dry_run")
        assert [key["referred_schema"] for key in keys] == ["tiny__dry_run"]


def test_new_rows_of_the_shadow_are_numbered_after_the_copied_ones(engine: sa.Engine) -> None:
    fill(engine)
    prepare_shadow(engine, metadata, "d1")
    with opened(engine) as connection:
        connection.execute(
            sa.insert(books.rejected).values(reject(3)), execution_options={"schema_translate_map": TRANSLATED}
        )
        assert rows(connection, "SELECT id FROM tiny__dry_run.rejected_row ORDER BY 1") == [(1,), (2,), (3,)]
        assert rows(connection, "SELECT count(*) FROM tiny.rejected_row") == [(2,)]


def test_a_dry_run_keeps_its_shadow_and_the_next_one_begins_anew(engine: sa.Engine) -> None:
    fill(engine)
    prepare_shadow(engine, metadata, "d1")
    with opened(engine) as connection:
        connection.execute(sa.text("DELETE FROM tiny__dry_run.children"))
    prepare_shadow(engine, metadata, "d1")
    with opened(engine) as connection:
        assert rows(connection, "SELECT count(*) FROM tiny__dry_run.children") == [(0,)]
    prepare_shadow(engine, metadata, "d2")
    with opened(engine) as connection:
        assert rows(connection, "SELECT count(*) FROM tiny__dry_run.children") == [(1,)]


def test_the_difference_is_counted_by_business_data(engine: sa.Engine) -> None:
    fill(engine)
    prepare_shadow(engine, metadata, "d1")
    with opened(engine) as connection:
        connection.execute(
            sa.text(
                "UPDATE tiny__dry_run.parents SET export_id = 'e9', source_row = 9;"
                "UPDATE tiny__dry_run.parents SET name = NULL WHERE id = 2;"
                "DELETE FROM tiny__dry_run.parents WHERE id = 3;"
                "INSERT INTO tiny__dry_run.parents (id, source_row, first_export_id, export_id) VALUES (7, 1, 'e', 'e')"
            )
        )
        found = compare_with_live(connection, parents)
        assert (found.inserted, found.updated, found.deleted, found.unchanged) == (1, 1, 1, 1)
        assert found.keys == ["2", "3", "7"]
        same = compare_with_live(connection, children)
        assert (same.inserted, same.updated, same.deleted, same.unchanged, same.keys) == (0, 0, 0, 1, [])


def test_keys_of_several_columns_are_named_and_only_the_first_ten(engine: sa.Engine) -> None:
    fill(engine)
    prepare_shadow(engine, metadata, "d1")
    with opened(engine) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO tiny__dry_run.children (parent_id, month, amount, first_export_id, export_id)"
                " SELECT 1, date '2026-02-01' + n, 1, 'e', 'e' FROM generate_series(0, 19) n"
            )
        )
        found = compare_with_live(connection, children)
        assert (found.inserted, len(found.keys), found.keys[0]) == (20, 10, "1 2026-02-01")
