"""Rows that find their parents by set: skip rules, lookups, natural keys across exports, rows that follow."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa

from migration.automation import Automation, build_definitions, migration_jobs
from migration.declare import run as declared_run
from migration.declare.lookups import Lookup
from migration.declare.resolving import PROBLEM, Resolution
from migration.declare.run import run_config
from migration.declare.system import System
from migration.exports.sources import SourceTable
from migration.outcome import Rule
from migration.parsing.cells import parse_each
from migration.parsing.records import raw_without
from migration.settings import Settings
from migration.tables import Role, target, target_metadata
from migration.warehouse.bookkeeping import bookkeeping

TEXT, NUMBER = pd.ArrowDtype(pa.string()), pd.ArrowDtype(pa.int64())
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

metadata = target_metadata("shops")
books = bookkeeping(metadata)


def _written() -> list[sa.Column[Any]]:
    return [
        sa.Column("export_id", sa.Text, nullable=False, info={"role": Role.WRITER}),
        sa.Column(
            "loaded_at", sa.DateTime, nullable=False, server_default=sa.func.now(), info={"role": Role.CHANGED_AT}
        ),
    ]


shops_table = target(
    "shops",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("town", sa.Text),
    *_written(),
    sa.UniqueConstraint("name", deferrable=True, initially="DEFERRED"),
    comment="Shops, one per name",
)
signs_table = target(
    "signs",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("shop_id", sa.BigInteger, sa.ForeignKey("shops.shops.id"), nullable=False),
    *_written(),
    comment="Signs, one per shop that this export has loaded",
)
shop_source = SourceTable("shops", ("id", "name", "town_id", "closed"), required_keys=("id",))
town_source = SourceTable("towns", ("id", "name"), required_keys=("id",))
SHOPS = System("shops", metadata, books, (shop_source, town_source), export_name="verified")
verified = SHOPS.export_asset(group="shops")


def numbers(cells: pd.Series) -> pd.Series:
    return parse_each(cells, lambda value: value if isinstance(value, int) else None).astype(NUMBER)


def words(cells: pd.Series) -> pd.Series:
    return parse_each(cells, lambda value: value if isinstance(value, str) else None).astype(TEXT)


towns = Lookup(
    town_source,
    (sa.Column("id", sa.BigInteger), sa.Column("name", sa.Text)),
    lambda rows: pd.DataFrame(
        {"source_row": rows["source_row"], "id": numbers(rows["id"]), "name": words(rows["name"])}
    ).dropna(subset="id"),
)


def resolved_shops(stage: sa.Table, export_id: str, town: sa.Table) -> Resolution:
    return Resolution(
        stage.outerjoin(town, town.c.id == stage.c.town_ref),
        {"town": town.c.name},
        [("NO_NAME", stage.c.name.is_(None))],
        {"NO_TOWN": town.c.id.is_(None)},
        [("closed", stage.c.closed == "yes")],
        first=[stage.c.name.collate("C"), stage.c.id],
    )


@SHOPS.resolved_table(
    shops_table,
    source=shop_source,
    rules=(Rule("NO_ID", lambda rows: rows[f"id{PROBLEM}"], "id"),),
    raw=lambda record, malformed: raw_without(record, malformed, frozenset()),
    newest="source_row",
    group="shops",
    resolve=resolved_shops,
    lookups=(towns,),
    merge_on=("name",),
    older_by="id",
)
def shops(rows: pd.DataFrame) -> pd.DataFrame:
    """Shops."""
    key = numbers(rows["id"])
    return pd.DataFrame(
        {
            "source_row": rows["source_row"],
            "source_pk": key.astype(TEXT).fillna("row:" + rows["source_row"].astype(TEXT)),
            "warnings": pd.Series(None, index=rows.index, dtype=TEXT),
            "malformed": rows["malformed"],
            "id": key,
            f"id{PROBLEM}": key.isna(),
            "name": words(rows["name"]),
            "town_ref": numbers(rows["town_id"]),
            "closed": words(rows["closed"]),
        }
    )


@SHOPS.driven_table(
    signs_table, driver=shops_table, condition=shops_table.c.town.is_not(None), source=shop_source, group="shops"
)
def signs(stage: sa.Table, export_id: str) -> Resolution:
    """Signs of the shops whose town is known."""
    return Resolution(stage, {"shop_id": stage.c.id})


DEFS = build_definitions(
    SHOPS,
    [verified, shops, signs],
    Automation([*migration_jobs(SHOPS, dg.AssetSelection.groups("shops").materializable())], [], []),
)


@pytest.fixture
def landing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The landing zone of an installation whose runs are those of this test."""
    for name in ("home", "landing", "database_url"):
        monkeypatch.setenv(f"MIGRATION_{name.upper()}", str(getattr(settings, name)))
    folder = Path(settings.landing.path) / "shops"
    folder.mkdir(parents=True)
    yield folder
    declared_run.engine_of.cache_clear()


def migrate(landing: Path, export_id: str, shops: list[dict[str, Any]], job: str = "shops_migration") -> list[str]:
    """Carry an export through; the steps that failed."""
    folder = landing / export_id
    folder.mkdir()
    rows = {"shops": shops, "towns": [{"id": 1, "name": "old"}, {"id": 1, "name": "Ulm"}, {"id": "x"}]}
    for name, content in rows.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "_SUCCESS").touch()
    with dg.DagsterInstance.ephemeral() as instance:
        result = DEFS.resolve_job_def(job).execute_in_process(
            run_config=run_config({"export_id": export_id}) | QUIET, instance=instance, raise_on_error=False
        )
    return [event.step_key or "" for event in result.all_events if event.is_step_failure]


def shop(key: Any, name: str | None, town: int | None = 1, **values: Any) -> dict[str, Any]:
    return {"id": key, "name": name, "town_id": town, **values}


def held(engine: sa.Engine, statement: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement))]


ROWS = "SELECT id, name, town, export_id FROM shops.shops ORDER BY id"
LEDGER = (
    "SELECT source_row, outcome, reason, target_key FROM shops.row_ledger"
    " WHERE target_table = 'shops' AND export_id = 'e1' ORDER BY 1"
)


def test_every_row_has_one_outcome_in_the_order_of_the_rules(engine: sa.Engine, landing: Path) -> None:
    rows = [
        shop("x", "no id"),
        shop(1, None),
        shop(1, "a"),
        shop(2, "a"),
        shop(3, None, closed="yes"),
        shop(4, None),
        shop(5, "b", 9),
    ]
    assert migrate(landing, "e1", rows) == []
    assert held(engine, ROWS) == [(1, "a", "Ulm", "e1"), (5, "b", None, "e1")]
    assert held(engine, LEDGER) == [
        (1, "rejected", "NO_ID", None),
        (2, "merged", None, "1"),
        (3, "loaded", None, "1"),
        (4, "merged", None, "1"),
        (5, "skipped", "closed", None),
        (6, "rejected", "NO_NAME", None),
        (7, "loaded", "NO_TOWN", "5"),
    ]
    assert held(engine, "SELECT id FROM shops.signs") == [(1,)]


def test_rows_that_a_later_export_holds_unchanged_keep_their_writer(engine: sa.Engine, landing: Path) -> None:
    assert migrate(landing, "e1", [shop(1, "a"), shop(2, "b")]) == []
    assert migrate(landing, "e2", [shop(1, "a"), shop(2, "c")]) == []
    assert held(engine, ROWS) == [(1, "a", "Ulm", "e1"), (2, "c", "Ulm", "e2")]


def test_lower_id_keeps_a_name_across_exports(engine: sa.Engine, landing: Path) -> None:
    assert migrate(landing, "e1", [shop(5, "a"), shop(6, "b")]) == []
    assert migrate(landing, "e2", [shop(7, "a"), shop(2, "b")]) == []
    assert held(engine, ROWS) == [(2, "b", "Ulm", "e2"), (5, "a", "Ulm", "e1")]
    merged = held(engine, "SELECT source_pk, target_key FROM shops.row_ledger WHERE outcome = 'merged'")
    assert merged == [("7", "5")]
    # The sign of the shop that went hangs on the one that took its place.
    assert held(engine, "SELECT id, shop_id FROM shops.signs ORDER BY 1") == [(2, 2), (5, 5), (6, 2)]


def test_names_may_change_places(engine: sa.Engine, landing: Path) -> None:
    assert migrate(landing, "e1", [shop(1, "a"), shop(2, "b")]) == []
    assert migrate(landing, "e2", [shop(1, "b"), shop(2, "a")]) == []
    assert [row[:2] for row in held(engine, ROWS)] == [(1, "b"), (2, "a")]


@pytest.mark.parametrize("left_out", [shop(1, "a", closed="yes"), shop(1, None)])
def test_row_that_is_left_out_keeps_its_name(engine: sa.Engine, landing: Path, left_out: dict[str, Any]) -> None:
    assert migrate(landing, "e1", [shop(1, "a")]) == []
    assert migrate(landing, "e2", [left_out, shop(2, "a")]) == []
    assert [row[::3] for row in held(engine, ROWS)] == [(1, "e1")]
    assert held(engine, "SELECT source_pk, target_key FROM shops.row_ledger WHERE outcome = 'merged'") == [("2", "1")]


def test_row_that_is_left_out_gives_its_name_to_a_lower_id(engine: sa.Engine, landing: Path) -> None:
    assert migrate(landing, "e1", [shop(2, "a")]) == []
    assert migrate(landing, "e2", [shop(2, "a", closed="yes"), shop(1, "a")]) == []
    assert [row[0] for row in held(engine, ROWS)] == [1]


def test_same_export_again_writes_nothing(engine: sa.Engine, landing: Path) -> None:
    assert migrate(landing, "e1", [shop(1, "a"), shop(2, "b")]) == []
    image = "SELECT ctid::text, xmin::text FROM shops.shops ORDER BY 1"
    before = held(engine, image)
    (landing / "e1").rename(landing / ".old")
    assert migrate(landing, "e1", [shop(1, "a"), shop(2, "b")]) == []
    assert held(engine, image) == before


def test_dry_run_finds_the_same(engine: sa.Engine, landing: Path) -> None:
    assert migrate(landing, "e1", [shop(1, "a"), shop(2, "a")], job="shops_dry_run") == []
    assert held(engine, "SELECT id FROM shops__dry_run.shops") == [(1,)]
    assert held(engine, "SELECT id FROM shops__dry_run.signs") == [(1,)]
    assert held(engine, ROWS) == []
