"""Laws: declared once, and memory bounded by the batch: the catalog follows from the tables; big files stream."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from migration.declare.step import Step
from migration.exports.reading import read_batches
from skynet_assets import sources, tables
from skynet_assets.assets import SKYNET
from skynet_assets.definitions import defs
from tests.laws.conftest import FIRST
from tests.laws.lab import MONTHS, Lab, first_world, payment, run_job

TARGETS = [d for d in SKYNET.declarations.values() if d.target is not None and d.name == d.target.name]


@pytest.mark.parametrize("declaration", TARGETS, ids=lambda d: d.name)
def test_the_asset_follows_from_its_table(declaration: Any) -> None:
    graph = defs.resolve_asset_graph()
    node = graph.get(declaration.key)
    target = declaration.target
    parents = {key.column.table.name for key in target.foreign_keys} - {target.name}
    assert parents <= {key.path[-1] for key in node.parent_keys}
    shown = node.metadata["dagster/column_schema"]
    assert [c.name for c in shown.columns] == [c.name for c in target.columns]
    assert [c.constraints.nullable for c in shown.columns] == [bool(c.nullable) for c in target.columns]
    assert node.metadata["dagster/table_name"] == f"skynet.{target.name}"
    checks = {check.name for check in node.check_keys}
    assert {check.name for check in declaration.checks} == checks


@pytest.mark.parametrize("declaration", TARGETS, ids=lambda d: d.name)
def test_every_table_has_its_common_checks_and_they_block(declaration: Any) -> None:
    blocking = {check.kind for check in declaration.checks if check.blocking}
    expected = {"conservation", "key"} | ({"orphans"} if declaration.target.foreign_keys else set())
    assert expected <= blocking, declaration.name


def test_every_foreign_key_of_the_database_is_a_dependency(loaded: Lab) -> None:
    graph = defs.resolve_asset_graph()
    look = sa.inspect(loaded.engine)
    for declaration in TARGETS:
        for key in look.get_foreign_keys(declaration.target.name, schema="skynet"):
            parent = dg.AssetKey(["skynet", key["referred_table"]])
            assert parent in graph.get(declaration.key).parent_keys, (declaration.name, parent)


def test_bookkeeping_points_to_no_business_table() -> None:
    for table in tables.books.tables:
        assert not table.foreign_keys


def test_payments_are_read_in_batches_of_which_few_are_alive(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    world = first_world()
    world.transactions *= 10
    world.transactions += [payment(n % 20 + 1, "January 2026", nominal_pembayaran=n) for n in range(1, 200)]
    lab.export(FIRST, world)
    seen: list[weakref.ref[Any]] = []
    most = 0

    def read(step: Step, source: Any) -> Iterator[Any]:
        nonlocal most
        for batch in read_batches(step.export.file_for(source), source, batch_rows=50):
            if source is sources.transactions:
                seen.append(weakref.ref(batch.rows))
                gc.collect()
                most = max(most, sum(each() is not None for each in seen))
            yield batch

    monkeypatch.setattr(Step, "read", read)
    ran = run_job(months=(MONTHS[0], MONTHS[0]))
    assert ran.success, ran.failures
    assert len(seen) > 10
    assert most <= 3
