"""Loading a target table whose rows name others: rows are parsed batch by batch, and find their parents by set.

What a row says by itself is judged while the file is read; the rows that pass wait in a stage. There, in a constant
number of statements, repeats are merged, parents are found by joins, and every row gets its outcome. Only for rows that
a set has rejected is the file read once more, to keep them as they are. A table may also be driven by the rows that
another one has loaded; then there is no file to read.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from migration.declare.ahead import ReadAhead
from migration.declare.displacing import Displaced, displaced_rows, merge_into_older
from migration.declare.lookups import Lookup, stage_lookup
from migration.declare.step import Step
from migration.exports.reading import RawBatch
from migration.exports.sources import SourceTable
from migration.outcome import Outcome, Rule, detail_of, failed_ledger, rejects, split_by_rules
from migration.tables import first_values, key_columns, loaded_columns
from migration.warehouse.statistics import analyze
from migration.warehouse.upsert import create_stage

Write = Callable[[], None]
RawRecord = Callable[[Any, str | None], str]

PROBLEM = ".problem"
ROW_COLUMNS = ("source_row", "source_pk", "warnings")
_SQL_TYPES: tuple[tuple[Callable[[pa.DataType], bool], sa.types.TypeEngine[Any]], ...] = (
    (pa.types.is_integer, sa.BigInteger()),
    (pa.types.is_boolean, sa.Boolean()),
    (pa.types.is_date, sa.Date()),
    (pa.types.is_timestamp, sa.DateTime(timezone=True)),
)


@dataclass(frozen=True)
class Resolution:
    """How staged rows become rows of the target, by set.

    Attributes:
        joined: the staged rows, left-joined with what they name.
        computed: target columns that are not the staged column of their name.
        rejects: reason codes and the conditions that give them, in order: the first that holds decides.
        warnings: warning codes and the conditions that give them, for rows that are loaded.
        skips: names of skip rules and their conditions, in order, asked before the reason codes.
        first: of rows with the same natural key the first in this order survives; by default the lowest primary key.
    """

    joined: sa.FromClause
    computed: Mapping[str, sa.ColumnElement[Any]] = field(default_factory=dict)
    rejects: Sequence[tuple[str, sa.ColumnElement[bool]]] = ()
    warnings: Mapping[str, sa.ColumnElement[bool]] = field(default_factory=dict)
    skips: Sequence[tuple[str, sa.ColumnElement[bool]]] = ()
    first: Sequence[sa.ColumnElement[Any]] = ()


@dataclass(frozen=True, kw_only=True)
class SetLoad:
    """How a target table is loaded from staged rows that find their parents by set.

    Attributes:
        table: the target table, with one key column.
        resolve: what becomes of the staged rows, given the stage, the id of the export and the staged lookups.
        merge_on: natural key in which loaded rows must differ; of equal ones one survives, see `Resolution.first`.
        older_by: target column by which rows of older exports, too, must differ in the natural key: of the two the
            lower value stays. None = rows of older exports are not looked at.
        lookups: source tables that are only looked into.
        before_upsert: runs before the rows are written, given the rows that will be.
        after_upsert: runs after the rows are written.
    """

    table: sa.Table
    resolve: Callable[..., Resolution]
    merge_on: Sequence[str] = ()
    older_by: str | None = None
    lookups: Sequence[Lookup] = ()
    before_upsert: Callable[[Step, sa.Table], None] | None = None
    after_upsert: Callable[[Step], None] | None = None

    @property
    def key(self) -> sa.Column[Any]:
        """The target's key column."""
        return key_columns(self.table)[0]


@dataclass(frozen=True, kw_only=True)
class ResolvedLoad(SetLoad):
    """How a target table is loaded from a source table whose rows name others.

    Attributes:
        source: the source table.
        rules: what is judged of each row by itself, in order.
        transform: cells in; out come `source_row`, `source_pk`, `warnings`, the columns to stage (Arrow-backed), and
            whatever the rules look at under names that end in `.problem`, besides `malformed`.
        raw: the JSON text of a record that is quarantined, given the record and its kind of malformation.
        newest: of rows with the same key the one with the greatest value of this staged column survives, missing
            values last, then the later row of the file.
        absent_warning: the warning of an optional file that is not there.
        about: per reason code that a set gives, the source column that the rejected row's detail names.
    """

    source: SourceTable
    rules: Sequence[Rule]
    transform: Callable[[pd.DataFrame], pd.DataFrame]
    raw: RawRecord
    newest: str
    absent_warning: str = ""
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DrivenLoad(SetLoad):
    """How a target table is loaded from rows that another table has loaded from the same export.

    The stage holds `id` (the driver's key), `source_row`, `source_pk` and `warnings`; everything else is computed.

    Attributes:
        driver: the other table.
        condition: which of its rows.
    """

    driver: sa.Table
    condition: sa.ColumnElement[bool]


def stage_resolved(step: Step, load: ResolvedLoad) -> Write:
    """Give every row of a source file its outcome; returns what publishes the loaded ones, inside the savepoint."""
    given = step.export.has(load.source)
    step.tally.source_rows = step.export.file_for(load.source).rows if given else 0
    step.facts["file_missing"] = int(not given)
    stage = _staged(step, load, given=given)
    analyze(step.connection, stage)
    _merge_repeats(step, load, stage)
    resolved, displaced = _decided(step, load, stage)
    _quarantine(step, load, resolved)
    step.tally_staged()
    if load.absent_warning and not given:
        step.tally.warnings[load.absent_warning] += 1
    return lambda: _publish(step, load, resolved, displaced)


def stage_driven(step: Step, load: DrivenLoad) -> Write:
    """As `stage_resolved`, for rows that another table has loaded from the step's export."""
    ledger, driver = step.books.ledger, load.driver
    key = key_columns(driver)[0]
    loaded = sa.and_(
        ledger.c.export_id == step.export.export_id,
        ledger.c.target_table == driver.name,
        ledger.c.outcome == Outcome.LOADED.value,
        ledger.c.target_key == sa.cast(key, sa.Text),
    )
    no_warnings = sa.cast(sa.null(), sa.Text).label("warnings")
    found = sa.select(key.label("id"), ledger.c.source_row, ledger.c.source_pk, no_warnings)
    stage = step.gather(load.table.name, found.select_from(driver.join(ledger, loaded)).where(load.condition))
    step.tally.source_rows = step.connection.scalar(sa.select(sa.func.count()).select_from(stage)) or 0
    resolved, displaced = _decided(step, load, stage)
    step.tally_staged()
    return lambda: _publish(step, load, resolved, displaced)


def _decided(step: Step, load: SetLoad, stage: sa.Table) -> tuple[sa.Table, Displaced | None]:
    """The rows that are loaded; every staged row has its outcome, and rows of older exports that must go are named."""
    resolved = _resolved(step, load, stage)
    _merge_pairs(step, load, resolved)
    displaced = None
    if load.older_by is not None:
        step.facts["merged_into_older"] = _merge_older(step, load, stage, resolved)
        displaced = displaced_rows(step, load.table, resolved, load.merge_on)
    _label(step, load, resolved)
    step.connection.execute(sa.delete(resolved).where(resolved.c.skip.is_not(None)))
    return resolved, displaced


# --- from the file ----------------------------------------------------------------------------------------------------


def _staged(step: Step, load: ResolvedLoad, *, given: bool) -> sa.Table:
    """Copy the rows that pass the row rules into a stage; the others get their outcome at once."""
    stage: sa.Table | None = None
    source = step.read(load.source) if given else ()
    with ReadAhead(_judged(load, batch) for batch in source) as batches:
        for passed, failed, quarantined in batches:
            stage = stage if stage is not None else _create_stage(step, load, passed)
            step.outcomes.add(step.connection, failed, quarantined)
            step.copy_staged(load.table, stage, passed)
    return stage if stage is not None else _create_stage(step, load, _passed(load.transform(_no_rows(load.source))))


def _judged(load: ResolvedLoad, batch: RawBatch) -> tuple[pa.Table, pd.DataFrame, pd.DataFrame]:
    """The rows that pass, the ledger rows of the others, and the rejected ones among them."""
    passed, failed = split_by_rules(load.rules, load.transform(batch.rows))
    kinds = batch.rows["malformed"]
    raw = [
        load.raw(batch.records[at], kinds.iloc[at] if isinstance(kinds.iloc[at], str) else None) for at in failed.index
    ]
    name = load.table.name
    return _passed(passed), failed_ledger(name, failed), rejects(name, failed, raw)


def _passed(rows: pd.DataFrame) -> pa.Table:
    kept = [name for name in rows.columns if not name.endswith(PROBLEM) and name != "malformed"]
    return pa.Table.from_pandas(rows[kept], preserve_index=False)


def _no_rows(source: SourceTable) -> pd.DataFrame:
    columns = {name: pd.Series(dtype="str") for name in (*source.columns, "malformed")}
    return pd.DataFrame({"source_row": pd.Series(dtype="int64"), **columns})


def _create_stage(step: Step, load: ResolvedLoad, rows: pa.Table) -> sa.Table:
    types = {column.name: column.type for column in load.table.columns}
    columns = [sa.Column(field.name, types.get(field.name, _sql_type(field.type))) for field in rows.schema]
    return create_stage(step.connection, columns, load.table.name)


def _sql_type(kind: pa.DataType) -> sa.types.TypeEngine[Any]:
    if pa.types.is_decimal(kind):
        return sa.Numeric(kind.precision, kind.scale)
    return next((sql for matches, sql in _SQL_TYPES if matches(kind)), sa.Text())


# --- by set -----------------------------------------------------------------------------------------------------------


def _merge_repeats(step: Step, load: ResolvedLoad, stage: sa.Table) -> None:
    """Of rows with the same key keep one in the stage; the others are merged into it."""
    key = stage.c[load.key.name]
    repeated = sa.select(key).group_by(key).having(sa.func.count() > 1)
    order = (stage.c[load.newest].desc().nulls_last(), stage.c.source_row.desc())
    place = sa.func.row_number().over(partition_by=key, order_by=order).label("place")
    ranked = sa.select(stage.c.source_row, place).where(key.in_(repeated)).subquery("ranked")
    losers = sa.select(ranked.c.source_row).where(ranked.c.place > 1)
    gone = sa.delete(stage).where(stage.c.source_row.in_(losers)).returning(*stage.c).cte("gone")
    _into_ledger(step, load, gone, Outcome.MERGED, sa.cast(gone.c[load.key.name], sa.Text))


def _resolved(step: Step, load: SetLoad, stage: sa.Table) -> sa.Table:
    """The staged rows with their final values, and with the reason code of those that are rejected."""
    lookups = [stage_lookup(step, lookup) for lookup in load.lookups]
    resolution = load.resolve(stage, step.export.export_id, *lookups)
    written = [*loaded_columns(load.table), *first_values(load.table, [*stage.c.keys(), *resolution.computed])]
    own = [sa.Column(name, sa.BigInteger) for name in ("source_row", "place")]
    own += [sa.Column(name, sa.Text) for name in ("source_pk", "warnings", "skip", "code")]
    resolved = create_stage(step.connection, [*written, *own], f"resolved_{load.table.name}")
    final = [resolution.computed[c.name] if c.name in resolution.computed else stage.c[c.name] for c in written]
    skip = _first_code(resolution.skips)
    code = sa.case((skip.is_(None), _first_code(resolution.rejects)))
    place = sa.cast(sa.null(), sa.BigInteger)
    if resolution.first:
        place = sa.func.row_number().over(order_by=resolution.first)
    flags = [sa.case((condition, sa.literal(name))) for name, condition in resolution.warnings.items()]
    warnings = sa.func.concat_ws(",", stage.c.warnings, *flags)
    rows = sa.select(*final, stage.c.source_row, place, stage.c.source_pk, sa.func.nullif(warnings, ""), skip, code)
    names = [c.name for c in (*written, *own)]
    step.connection.execute(
        sa.insert(resolved).from_select(names, rows.select_from(resolution.joined), include_defaults=False)
    )
    analyze(step.connection, resolved)
    return resolved


def _first_code(rejecting: Sequence[tuple[str, sa.ColumnElement[bool]]]) -> sa.ColumnElement[Any]:
    if not rejecting:
        return sa.cast(sa.null(), sa.Text)
    return sa.case(*((condition, sa.literal(code)) for code, condition in rejecting))


def _merge_pairs(step: Step, load: SetLoad, resolved: sa.Table) -> None:
    """Of loaded rows with the same natural key keep the first; the others are merged into it."""
    if not load.merge_on:
        return
    key = resolved.c[load.key.name]
    pair = [resolved.c[name] for name in load.merge_on]
    survivor = sa.func.first_value(key).over(partition_by=pair, order_by=(resolved.c.place, key)).label("survivor")
    ranked = sa.select(key.label("id"), survivor).where(_passes(resolved)).subquery("ranked")
    losing = sa.and_(key == ranked.c.id, ranked.c.survivor != ranked.c.id)
    gone = sa.delete(resolved).where(losing).returning(*resolved.c, ranked.c.survivor).cte("gone")
    _into_ledger(step, load, gone, Outcome.MERGED, sa.cast(gone.c.survivor, sa.Text))


def _passes(resolved: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(resolved.c.skip.is_(None), resolved.c.code.is_(None))


def _merge_older(step: Step, load: SetLoad, stage: sa.Table, resolved: sa.Table) -> int:
    """Merge rows into those of older exports that have the same natural key and come first; returns how many."""
    assert load.older_by is not None  # noqa: S101 - only asked for where there is one
    gone = merge_into_older(load.table, stage, resolved, load.merge_on, load.older_by)
    losing = sa.delete(resolved).where(resolved.c[load.key.name] == gone.c.loser, _passes(resolved))
    merged = losing.returning(*resolved.c, gone.c.survivor).cte("gone")
    return _into_ledger(step, load, merged, Outcome.MERGED, sa.cast(merged.c.survivor, sa.Text))


def _label(step: Step, load: SetLoad, resolved: sa.Table) -> None:
    """Put the outcomes of the resolved rows into the ledger's stage."""
    for outcome, which, reason in (
        (Outcome.LOADED, _passes(resolved), "warnings"),
        (Outcome.REJECTED, resolved.c.code.is_not(None), "code"),
        (Outcome.SKIPPED, resolved.c.skip.is_not(None), "skip"),
    ):
        rows = sa.select(*resolved.c).where(which).subquery("rows")
        key = sa.cast(rows.c[load.key.name] if outcome is Outcome.LOADED else sa.null(), sa.Text)
        _into_ledger(step, load, rows, outcome, key, rows.c[reason])


def _into_ledger(
    step: Step,
    load: SetLoad,
    rows: sa.FromClause,
    outcome: Outcome,
    target_key: sa.ColumnElement[Any],
    reason: sa.ColumnElement[Any] | None = None,
) -> int:
    ledger = step.outcomes.ledger
    columns = {
        "export_id": sa.literal(step.export.export_id, sa.Text),
        "source_table": sa.literal(step.source_table, sa.Text),
        "target_table": sa.literal(load.table.name, sa.Text),
        "run_id": sa.literal(step.run.run_id, sa.Text),
        "source_row": rows.c.source_row,
        "source_pk": rows.c.source_pk,
        "outcome": sa.literal(outcome.value, sa.Text),
        "reason": sa.cast(sa.null(), sa.Text) if reason is None else reason,
        "target_key": target_key,
    }
    found = sa.select(*(columns[name] for name in columns)).select_from(rows)
    insert = sa.insert(ledger).from_select(list(columns), found, include_defaults=False)
    return step.connection.execute(insert, execution_options={"preserve_rowcount": True}).rowcount


def _quarantine(step: Step, load: ResolvedLoad, resolved: sa.Table) -> None:
    """Keep the rows that a set has rejected as they are in the file, which is read once more for them."""
    columns = (resolved.c.source_row, resolved.c.source_pk, resolved.c.code)
    rejected = step.connection.execute(sa.select(*columns).where(resolved.c.code.is_not(None))).all()
    step.connection.execute(sa.delete(resolved).where(resolved.c.code.is_not(None)))
    if not rejected:
        return
    found = pd.DataFrame(rejected, columns=["source_row", "source_pk", "reason_code"]).set_index("source_row")
    found["detail"] = [detail_of(code, load.about.get(code)) or code for code in found["reason_code"]]
    for batch in step.read(load.source):
        numbers = batch.rows["source_row"]
        places = np.flatnonzero(numbers.isin(found.index))
        rows = found.loc[numbers.iloc[places]].reset_index()
        raw = [load.raw(batch.records[place], None) for place in places.tolist()]
        step.outcomes.add_rejects(step.connection, rows.assign(target_table=load.table.name, raw=raw))


# --- publishing -------------------------------------------------------------------------------------------------------


def _publish(step: Step, load: SetLoad, resolved: sa.Table, displaced: Displaced | None) -> None:
    if load.before_upsert is not None:
        load.before_upsert(step, resolved)
    step.upsert(load.table, resolved, loaded_columns(load.table), initial=first_values(load.table, resolved.c.keys()))
    if displaced is not None:
        displaced.remove(step)
    if load.after_upsert is not None:
        load.after_upsert(step)
