"""Law: declared once. DDL, constraints, pandera and Arrow schemas follow from one declaration of a table."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pandas as pd
import pandera.errors
import pyarrow as pa
import pytest
import sqlalchemy as sa

from migration.tables import (
    Domain,
    Role,
    above,
    arrow_schema,
    at_least,
    between,
    business_columns,
    empty_frame,
    first_of_month,
    frame_schema,
    key_columns,
    loaded_columns,
    one_of,
    role_of,
    target,
    target_metadata,
)
from migration.warehouse.copying import to_arrow
from tests.core.tiny import children, metadata, opened, parents

DOMAINS: list[tuple[dict[str, Domain], Any, list[Any], list[Any]]] = [
    (at_least(0), sa.Numeric(6, 2), [Decimal(0), Decimal("0.01")], [Decimal("-0.01")]),
    (above(0), sa.Integer, [1], [0, -1]),
    (between(1, 31), sa.SmallInteger, [1, 31], [0, 32]),
    (one_of("a", "b"), sa.Text, ["a", "b"], ["", "A", "c"]),
    (first_of_month(), sa.Date, [dt.date(2026, 1, 1)], [dt.date(2026, 1, 2)]),
]


@pytest.mark.parametrize(("info", "kind", "good", "bad"), DOMAINS)
def test_a_domain_holds_in_the_database_and_in_the_frame(
    engine: sa.Engine, info: dict[str, Domain], kind: Any, good: list[Any], bad: list[Any]
) -> None:
    made = target_metadata("domains")
    column = sa.Column("value", kind, info=info)
    table = target("t", made, sa.Column("id", sa.Integer, sa.Identity(), primary_key=True), column, comment="t")
    schema = frame_schema([column], "t")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA domains"))
        made.create_all(connection)
        for value in [*good, None]:
            connection.execute(sa.insert(table).values(value=value))
            schema.validate(as_copied(column, value))
        for value in bad:
            with pytest.raises(sa.exc.SQLAlchemyError, match="t_value_check"), connection.begin_nested():
                connection.execute(sa.insert(table).values(value=value))
            with pytest.raises(pandera.errors.SchemaError):
                schema.validate(as_copied(column, value))


def as_copied(column: sa.Column[Any], value: Any) -> pd.DataFrame:
    arrow = to_arrow(pd.DataFrame({"value": [value]}, dtype=object), [column])
    return arrow.to_pandas(types_mapper=pd.ArrowDtype)


def test_nulls_are_refused_where_they_are_not_allowed() -> None:
    schema = frame_schema([children.c.amount], "children")
    with pytest.raises(pandera.errors.SchemaError):
        schema.validate(pd.DataFrame({"amount": [None]}, dtype=object))


def test_a_frame_with_other_columns_is_refused() -> None:
    schema = frame_schema([parents.c.name], "parents")
    for wrong in ({"name": ["a"], "more": [1]}, {}):
        with pytest.raises((pandera.errors.SchemaError, pandera.errors.SchemaErrors)):
            schema.validate(pd.DataFrame(wrong))


def test_the_roles_of_columns() -> None:
    assert [c.name for c in loaded_columns(parents)] == ["id", "name", "source_row"]
    assert [c.name for c in business_columns(loaded_columns(parents))] == ["id", "name"]
    assert [c.name for c in key_columns(children)] == ["parent_id", "month"]
    assert role_of(parents.c.export_id) is Role.EXPORT


def test_the_arrow_schema_is_exact_and_knows_no_float() -> None:
    schema = arrow_schema(loaded_columns(children))
    assert schema.field("amount").type == pa.decimal128(14, 2)
    assert not any(pa.types.is_floating(field.type) for field in schema)
    assert empty_frame(loaded_columns(children)).columns.tolist() == schema.names
    with pytest.raises(TypeError, match="no Arrow type"):
        arrow_schema([sa.Column("f", sa.Float)])


def test_the_database_has_what_is_declared(engine: sa.Engine) -> None:
    with opened(engine) as connection:
        look = sa.inspect(connection)
        assert set(look.get_table_names("tiny")) == {table.name for table in metadata.tables.values()}
        assert look.get_pk_constraint("children", "tiny")["constrained_columns"] == ["parent_id", "month"]
        assert [key["referred_table"] for key in look.get_foreign_keys("children", "tiny")] == ["parents"]
        assert {c["name"] for c in look.get_check_constraints("children", "tiny")} == {
            "children_amount_check",
            "children_status_check",
        }
        assert look.get_table_comment("children", "tiny")["text"] == "Children"
