"""Loading a target table straight from its source file: read, label, copy, batch by batch, in bounded memory.

The next batch is read and transformed in a thread while PostgreSQL takes the one before. A table that is declared bulk
and still empty is copied into directly, without keys and indexes, which are built over the rows afterwards; otherwise
the rows go through a stage and an upsert.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from migration.declare.ahead import ReadAhead
from migration.declare.step import Step
from migration.exports.reading import RawBatch
from migration.exports.sources import SourceTable
from migration.outcome import Labelled, Outcome, Rule, failed_ledger, label, rejects, split_by_rules
from migration.parsing.records import raw_json
from migration.tables import Role, key_columns, loaded_columns, role_of
from migration.warehouse.ddl import build_after_bulk, drop_for_bulk, is_referenced, truncate_empty
from migration.warehouse.statistics import analyze
from migration.warehouse.upsert import Changes

Write = Callable[[], None]


@dataclass(frozen=True)
class SourceLoad:
    """How a target table is loaded from one source table.

    Attributes:
        table: the target table.
        source: the source table.
        rules: the row rules, in order.
        transform: cells in, columns of the target and whatever the rules look at out.
        is_secret: which source columns the quarantine must not keep.
        bulk: too large for a change log: rolled back by export, loaded without indexes while empty.
        ledger_of_loaded: whether plainly loaded rows have a ledger row; without one their `source_row` tells.
    """

    table: sa.Table
    source: SourceTable
    rules: Sequence[Rule]
    transform: Callable[[pd.DataFrame], pd.DataFrame]
    is_secret: Callable[[str], bool]
    bulk: bool = False
    ledger_of_loaded: bool = True


def label_batch(load: SourceLoad, batch: RawBatch) -> Labelled:
    """One batch of source rows as rows to write and outcomes."""
    target = load.table.name
    parsed = load.transform(batch.rows)
    passed, failed = split_by_rules(load.rules, parsed)
    keys = passed[key_columns(load.table)[0].name]
    kept = label(target, passed, Outcome.LOADED, target_key=keys) if load.ledger_of_loaded else None
    taken_out = failed_ledger(target, failed)
    raw = [raw_json(batch.records[position], load.is_secret) for position in failed.index]
    ledger = taken_out if kept is None else pd.concat([kept, taken_out], ignore_index=True)
    return Labelled(passed, ledger, rejects(target, failed, raw))


def stage_source(step: Step, load: SourceLoad) -> Write:
    """Stage a source file for its table; returns what publishes it, to be called inside the savepoint."""
    step.tally.source_rows = step.export.file_for(load.source).rows
    columns = loaded_columns(load.table)
    direct = load.bulk and not is_referenced(load.table) and _is_empty(step.connection, load.table)
    if direct:
        truncate_empty(step.connection, load.table)
        drop_for_bulk(step.connection, load.table)
        step.on_block(lambda: _withdraw(step.connection, load.table))
        columns = [*columns, *_export_columns(load.table)]
        place = load.table
    else:
        place = step.create_stage(load.table, columns)
    export_values = {c.name: step.export.export_id for c in _export_columns(load.table)}
    with ReadAhead(label_batch(load, batch) for batch in step.read(load.source)) as batches:
        for labelled in batches:
            rows = labelled.rows.assign(**export_values) if direct else labelled.rows
            step.copy(load.table, place, columns, rows, frozen=direct)
            step.label(labelled.ledger, labelled.rejects)
            if not load.ledger_of_loaded:
                step.tally.outcomes[Outcome.LOADED.value] += len(labelled.rows)
    return lambda: _publish(step, load, place, direct=direct)


def _export_columns(table: sa.Table) -> list[sa.Column[Any]]:
    return [c for c in table.columns if role_of(c) in (Role.FIRST_EXPORT, Role.EXPORT, Role.WRITER)]


def _is_empty(connection: sa.Connection, table: sa.Table) -> bool:
    return connection.scalar(sa.select(sa.literal(1)).select_from(table).limit(1)) is None


def _withdraw(connection: sa.Connection, table: sa.Table) -> None:
    """Leave a table that was copied into directly as it was before: empty, with its keys and indexes."""
    connection.execute(sa.delete(table))
    build_after_bulk(connection, table)


def _publish(step: Step, load: SourceLoad, place: sa.Table, *, direct: bool) -> None:
    if direct:
        _build_keys(step, load)
        analyze(step.connection, load.table)
        step.changes += Changes(inserted=step.tally.count(Outcome.LOADED))
    else:
        merge_repeats(step, load, place)
        step.upsert(load.table, place, loaded_columns(load.table), logged=not load.bulk)


def _build_keys(step: Step, load: SourceLoad) -> None:
    """Build keys and indexes over copied rows; repeats are looked for only where the keys cannot be built."""
    savepoint = step.connection.begin_nested()
    try:
        build_after_bulk(step.connection, load.table)
    except IntegrityError:
        savepoint.rollback()
        merge_repeats(step, load, load.table)
        build_after_bulk(step.connection, load.table)
    else:
        savepoint.commit()


def merge_repeats(step: Step, load: SourceLoad, place: sa.Table) -> None:
    """Of rows with the same key keep the last of the file; the others are merged into it."""
    keys = [place.c[k.name] for k in key_columns(load.table)]
    kept = (
        sa.select(*keys, sa.func.max(place.c.source_row).label("kept_row"))
        .group_by(*keys)
        .having(sa.func.count() > 1)
        .subquery("kept")
    )
    same = sa.and_(*(place.c[k.name] == kept.c[k.name] for k in keys))
    gone = sa.delete(place).where(same, place.c.source_row != kept.c.kept_row).returning(place.c.source_row, keys[0])
    rows = step.connection.execute(gone).all()
    if not rows:
        return
    merged = pd.DataFrame(rows, columns=["source_row", "target_key"])
    merged["source_pk"] = merged["target_key"].astype(str)
    step.relabel(label(load.table.name, merged, Outcome.MERGED, target_key=merged["target_key"]))
