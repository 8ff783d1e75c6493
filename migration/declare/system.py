"""A legacy system and its declarations: source tables, target tables, staged frames, steps."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from migration.checks import Check, Scope, derived_checks
from migration.declare.asset import Declaration, Partitioning, Registers, Write, build_asset
from migration.declare.displacing import NATURAL_KEY, NaturalKey
from migration.declare.loading import SourceLoad, stage_source
from migration.declare.parts import DeriveAgain, RollBackPart
from migration.declare.resolving import (
    DrivenLoad,
    RawRecord,
    Resolution,
    ResolvedLoad,
    stage_driven,
    stage_resolved,
)
from migration.declare.run import RunFacts
from migration.declare.step import Step, stage_labelled, tables_read
from migration.errors import MissingSourceFile
from migration.explain import Teller
from migration.exports.sources import SourceTable
from migration.exports.verify import Export, verify_export
from migration.frames import FrameStore
from migration.outcome import Labelled, Rule
from migration.warehouse.bookkeeping import Bookkeeping
from migration.warehouse.runlog import Status

EXPORT_NOTE = "export.json"
EXPORT_ASSET = "export"
_LIVE_ENDS = (Status.SUCCESS, Status.BLOCKED, Status.VALIDATION_FAILED)


@dataclass(frozen=True)
class Stage:
    """One stage of a migration that takes several.

    Attributes:
        job: the job of the stage.
        dry_run_job: the same, writing to the shadow schema.
        partitions: name of the dynamic partitions that the job runs for, one run each; empty = it has none.
        keys: statement of the keys that a migration runs.
        whatever_happens: whether it runs after a stage that failed, too: it says what has become of the others.
    """

    job: str
    dry_run_job: str
    partitions: str = ""
    keys: sa.Select[Any] | None = None
    whatever_happens: bool = False


@dataclass
class System:
    """One legacy system: what comes in, what goes out, and the assets declared for it.

    Attributes:
        name: name of the system, its schema and the prefix of its asset keys.
        metadata: the target tables.
        books: the bookkeeping tables.
        sources: the legacy tables.
        declarations: the declared assets by name, in the order of their declaration.
        frame_makers: which asset makes a staged frame that is not named as its asset.
        stages: the stages of the migration, where one job does not do it all.
        roll_back_part: puts parts of an independent partition back, in systems that can.
        facts_of_run: what a run tells further columns of the run log in each of its rows, in systems that have them.
        further_facts: what a step that has ended tells such columns besides.
        guard: what must hold when any asset begins that has no guard of its own; raises otherwise.
        derive_again: computes again, after a rollback, what follows from restored rows and has no change log itself.
        export_name: name of the asset that verifies the export.
        tellers: tables that explain target rows further.
    """

    name: str
    metadata: sa.MetaData
    books: Bookkeeping
    sources: tuple[SourceTable, ...]
    declarations: dict[str, Declaration] = field(default_factory=dict)
    frame_makers: dict[str, str] = field(default_factory=dict)
    stages: tuple[Stage, ...] = ()
    roll_back_part: RollBackPart | None = None
    facts_of_run: Callable[[RunFacts], Mapping[str, Any]] = lambda run: {}
    further_facts: Callable[[Step], Mapping[str, Any]] = lambda step: {}
    guard: Callable[[Step], None] | None = None
    derive_again: DeriveAgain | None = None
    export_name: str = EXPORT_ASSET
    tellers: tuple[Teller, ...] = ()

    @property
    def source_folders(self) -> frozenset[str]:
        """The sub-folders that an export consists of; none where its files lie side by side."""
        return frozenset(source.folder for source in self.sources if source.folder)

    def add(self, declaration: Declaration) -> dg.AssetsDefinition:
        """Register a declaration and build its asset."""
        self.declarations[declaration.name] = declaration
        return build_asset(declaration)

    def partition_rollback(self, function: RollBackPart) -> RollBackPart:
        """Declare what puts parts of an independent partition back."""
        self.roll_back_part = function
        return function

    def after_rollback(self, function: DeriveAgain) -> DeriveAgain:
        """Declare what computes again, from restored rows, the tables that have no change log themselves."""
        self.derive_again = function
        return function

    def in_order(self) -> list[Declaration]:
        """The declared assets, each after its upstream."""
        graph = {name: set(each.upstream) & set(self.declarations) for name, each in sorted(self.declarations.items())}
        return [self.declarations[name] for name in TopologicalSorter(graph).static_order()]

    @property
    def has_independent_partitions(self) -> bool:
        """Whether some assets run partition by partition beside each other."""
        return any(
            each.partitioning is not None and each.partitioning.independent for each in self.declarations.values()
        )

    @property
    def landing_asset(self) -> dg.AssetSpec:
        """The landing zone as an external asset: the sensor observes each new export on it."""
        return dg.AssetSpec(
            key=dg.AssetKey([self.name, "landing_zone"]),
            group_name=f"{self.name}_source",
            description="The folder that legacy exports arrive in; each observation is one complete export.",
            kinds={"file"},
        )

    def export_asset(
        self, *, group: str, checks: Sequence[Check] = (), guard: Callable[[Step], None] | None = None
    ) -> dg.AssetsDefinition:
        """Declare the asset that verifies an export before anything is read from it.

        Args:
            group: group in the catalog.
            checks: the asset's checks.
            guard: what must hold of a verified export before it is carried any further; raises otherwise.
        """

        def stage(step: Step) -> Write:
            step.frames.write_note(EXPORT_NOTE, step.export.to_json().encode())
            step.tally.source_rows = sum(file.rows for file in step.export.files)
            step.facts["files"] = {file.name: file.rows for file in step.export.files}
            unknown = {f.name: sorted(f.unknown_fields) for f in step.export.files if f.unknown_fields}
            if unknown:
                step.facts["unknown_fields"] = unknown
            step.facts["content_hash"] = step.export.content_hash
            return _nothing

        return self.add(
            Declaration(
                system=self,
                name=self.export_name,
                description="One immutable export: its files, hashes, row counts and required keys are verified here.",
                group=group,
                kinds=frozenset({"file"}),
                upstream=("landing_zone",),
                stage=stage,
                checks=tuple(checks),
                guard=guard,
            )
        )

    def verified_export(self, declaration: Declaration, run: RunFacts, frames: FrameStore) -> Export:
        """The export of a run: verified now by the export asset, as it was verified by everything downstream.

        Raises:
            ExportError: the export cannot be used.
            MissingSourceFile: the export asset has not verified it yet.
        """
        if declaration.name == self.export_name:
            folder = run.landing(self.name) / frames.export_id
            return verify_export(folder, self.name, self.sources)
        note = frames.read_note(EXPORT_NOTE)
        if note is None:
            raise MissingSourceFile(
                f"Export {frames.export_id} has not been verified.",
                f"Materialize {self.name}/{self.export_name} for it first, or run {self.name}_migration.",
            )
        return Export.from_json(note)

    def scope_of_last_run(self, declaration: Declaration, connection: sa.Connection, run: RunFacts) -> Scope | None:
        """What a check may look at when nothing is written: the export of the asset's last successful run.

        None when the asset has not succeeded for any export (or for the one that the run names).
        """
        log = self.books.run_log
        ended = (Status.DRY_RUN_OK, Status.DRY_RUN_ISSUES) if run.dry_run else _LIVE_ENDS
        found = connection.execute(
            sa.select(log.c.export_id, log.c.run_id)
            .where(
                log.c.asset == declaration.name,
                log.c.status.in_([status.value for status in ended]),
                sa.or_(sa.literal(run.options.export_id) == "", log.c.export_id == run.options.export_id),
            )
            .order_by(log.c.finished_at.desc())
            .limit(1)
        ).one_or_none()
        if found is None:
            return None
        frames = FrameStore(run.settings.work / self.name, found.export_id, run.run_id, run.dry_run, run.preview)
        note = frames.read_note(EXPORT_NOTE)
        if note is None:
            return None
        export = Export.from_json(note)
        sources = [each for each in (declaration.source, *declaration.further_sources) if each is not None]
        file_rows = sum(export.file_for(each).rows for each in sources if export.has(each))
        return Scope(
            connection=connection,
            books=self.books,
            export=export,
            frames=frames,
            source_tables=tables_read(export, declaration.source, declaration.further_sources),
            source_rows=self._source_rows(declaration, connection, found.export_id, file_rows),
            options=run.options,
            partitions=self._published(declaration, connection, found.export_id, dry_run=run.dry_run),
        )

    def _published(
        self, declaration: Declaration, connection: sa.Connection, export_id: str, *, dry_run: bool
    ) -> tuple[str, ...] | None:
        """The independent partitions that an asset has published for an export, whatever it has found in them."""
        if declaration.partitioning is None or not declaration.partitioning.independent:
            return None
        log = self.books.run_log
        newest = (
            sa.select(log.c.partition, log.c.status)
            .ext(distinct_on(log.c.partition))
            .where(log.c.asset == declaration.name, log.c.export_id == export_id, log.c.dry_run.is_(dry_run))
            .where(log.c.status != Status.RUNNING.value)
            .order_by(log.c.partition, log.c.finished_at.desc())
        )
        published = {Status.SUCCESS, Status.DRY_RUN_OK, Status.DRY_RUN_ISSUES, declaration.fails_after_publishing}
        return tuple(row.partition for row in connection.execute(newest) if row.status in published)

    def _source_rows(self, declaration: Declaration, connection: sa.Connection, export_id: str, file_rows: int) -> int:
        """The rows that the asset was to label: of the file, or what the run log has of an asset fed by a frame."""
        if declaration.partitioning is not None:
            return file_rows
        log = self.books.run_log
        logged = connection.scalar(
            sa.select(log.c.source_rows)
            .where(log.c.asset == declaration.name, log.c.export_id == export_id, log.c.finished_at.is_not(None))
            .order_by(log.c.finished_at.desc())
            .limit(1)
        )
        return file_rows if logged is None else int(logged)

    # --- decorators ---------------------------------------------------------------------------------------------------

    def target_table(
        self,
        table: sa.Table,
        *,
        source: SourceTable | None,
        group: str,
        checks: Sequence[Check] = (),
        upstream: Sequence[str] = (),
        companions: Sequence[sa.Table] = (),
        further_sources: Sequence[SourceTable] = (),
        partitioning: Partitioning | None = None,
        supersede: Callable[[Step], None] | None = None,
    ) -> Callable[[Callable[..., Labelled]], dg.AssetsDefinition]:
        """Declare the asset of a target table around a pure function from staged frames to labelled rows.

        The function's parameters are named as the staged frames it reads (a partitioned asset reads its part), and a
        parameter `step` gets the workbench. Upstream assets are those frames and the tables that the target's foreign
        keys point to.

        Args:
            table: the target table.
            source: the legacy table whose rows are labelled; None where rows of ours are counted, not of a file.
            group: group in the catalog.
            checks: the asset's checks, beside conservation, key and orphans, which every table has.
            upstream: further assets that must have succeeded.
            companions: further tables that the function brings rows for.
            further_sources: other legacy tables whose rows are labelled, too; the function says how many rows all have.
            partitioning: how the asset is partitioned.
            supersede: deletes rows that the new ones replace; runs after the upsert, in the same transaction.
        """

        def declare(function: Callable[..., Labelled]) -> dg.AssetsDefinition:
            inputs = [parameter for parameter in inspect.signature(function).parameters if parameter != "step"]

            def stage(step: Step) -> Write:
                labelled = self._call(function, inputs, step)
                upsert = stage_labelled(step, table, [labelled], {each.name: each for each in companions})
                return upsert if supersede is None else _in_turn(step, upsert, supersede)

            makers = [self.frame_makers.get(frame, frame) for frame in inputs]
            return self._add_table(
                function,
                table,
                stage,
                source,
                group,
                [*makers, *upstream],
                checks,
                partitioning=partitioning,
                further_sources=tuple(further_sources),
            )

        return declare

    def _add_table(
        self,
        function: Callable[..., Any],
        table: sa.Table,
        stage: Callable[[Step], Write],
        source: SourceTable | None,
        group: str,
        upstream: Sequence[str],
        checks: Sequence[Check],
        *,
        ledger_of_loaded: bool = True,
        **further: Any,
    ) -> dg.AssetsDefinition:
        """Declare the asset of a target table; upstream tables and common checks follow from the table itself."""
        parents = sorted({key.column.table.name for key in table.foreign_keys} - {table.name})
        partitioning: Partitioning | None = further.get("partitioning")
        implied = derived_checks(
            table,
            checks,
            split_by=partitioning.split_by if partitioning else None,
            ledger_of_loaded=ledger_of_loaded,
        )
        return self.add(
            Declaration(
                system=self,
                name=function.__name__,
                description=_description(function, table.comment),
                group=group,
                kinds=frozenset({"postgres", "table"}),
                upstream=_distinct([*upstream, *parents]),
                stage=stage,
                source=source,
                target=table,
                checks=(*implied, *checks),
                **further,
            )
        )

    def loaded_table(
        self,
        table: sa.Table,
        *,
        source: SourceTable,
        rules: Sequence[Rule],
        group: str,
        checks: Sequence[Check] = (),
        upstream: Sequence[str] | None = None,
        is_secret: Callable[[str], bool] = lambda column: False,
        bulk: bool = False,
        ledger_of_loaded: bool = True,
    ) -> Callable[[Callable[[pd.DataFrame], pd.DataFrame]], dg.AssetsDefinition]:
        """Declare a target table that is streamed from its source file through row rules.

        The function gets a batch of cells and returns the target's columns with `source_row` and `source_pk`, and
        whatever the rules look at. See `SourceLoad` for the arguments.
        """

        def declare(function: Callable[[pd.DataFrame], pd.DataFrame]) -> dg.AssetsDefinition:
            load = SourceLoad(table, source, rules, function, is_secret, bulk, ledger_of_loaded)
            table.info["bulk"] = bulk
            return self._add_table(
                function,
                table,
                lambda step: stage_source(step, load),
                source,
                group,
                (self.export_name,) if upstream is None else upstream,
                checks,
                ledger_of_loaded=ledger_of_loaded,
                remembers_inputs=True,
            )

        return declare

    def resolved_table(
        self,
        table: sa.Table,
        *,
        source: SourceTable,
        rules: Sequence[Rule],
        raw: RawRecord,
        newest: str,
        group: str,
        resolve: Callable[..., Resolution],
        checks: Sequence[Check] = (),
        upstream: Sequence[str] | None = None,
        registers: Registers | None = None,
        **further: Any,
    ) -> Callable[[Callable[[pd.DataFrame], pd.DataFrame]], dg.AssetsDefinition]:
        """Declare a target table whose source rows name rows of other tables, which they find by set.

        The function gets a batch of cells and returns what is staged and what the row rules look at. See
        `ResolvedLoad` for the arguments, also those that are passed on.
        """

        def declare(function: Callable[[pd.DataFrame], pd.DataFrame]) -> dg.AssetsDefinition:
            load = ResolvedLoad(
                table=table,
                source=source,
                rules=rules,
                transform=function,
                resolve=resolve,
                raw=raw,
                newest=newest,
                **further,
            )
            if load.older_by is not None:
                table.info[NATURAL_KEY] = NaturalKey(tuple(load.merge_on), load.older_by)
            return self._add_table(
                function,
                table,
                lambda step: stage_resolved(step, load),
                source,
                group,
                (self.export_name,) if upstream is None else upstream,
                checks,
                registers=registers,
                # What runs after the upsert looks at more than the inputs.
                remembers_inputs=load.after_upsert is None,
            )

        return declare

    def driven_table(
        self,
        table: sa.Table,
        *,
        driver: sa.Table,
        condition: sa.ColumnElement[bool],
        source: SourceTable,
        group: str,
        checks: Sequence[Check] = (),
        upstream: Sequence[str] = (),
        **further: Any,
    ) -> Callable[[Callable[..., Resolution]], dg.AssetsDefinition]:
        """Declare a target table with one row for each row of another table that this export has loaded.

        The function says what becomes of these rows, as the `resolve` of a `resolved_table` does; its stage holds
        their keys. See `DrivenLoad` for the arguments; `source` is the legacy table that the driver's rows come from.
        """

        def declare(function: Callable[..., Resolution]) -> dg.AssetsDefinition:
            load = DrivenLoad(table=table, resolve=function, driver=driver, condition=condition, **further)
            return self._add_table(
                function,
                table,
                lambda step: stage_driven(step, load),
                source,
                group,
                [driver.name, *upstream],
                checks,
                remembers_inputs=load.after_upsert is None,
            )

        return declare

    def _call(self, function: Callable[..., Labelled], inputs: Sequence[str], step: Step) -> Labelled:
        part = step.partition
        frames = {name: step.frames.read(name, part) for name in inputs}
        if "step" in inspect.signature(function).parameters:
            frames["step"] = step  # type: ignore[assignment]
        # By default these are the rows of the first frame; the function may know better.
        rows = step.frames.parts(inputs[0])
        step.tally.source_rows = rows.get(part, 0) if part else sum(rows.values())
        return function(**frames)

    def step(
        self,
        *,
        group: str,
        name: str | None = None,
        upstream: Sequence[str] = (),
        source: SourceTable | None = None,
        target: sa.Table | None = None,
        checks: Sequence[Check] = (),
        kinds: Iterable[str] = ("python",),
        **further: Any,
    ) -> Callable[[Callable[[Step], Write]], dg.AssetsDefinition]:
        """Declare an asset whose function works on the bench itself: stages, and returns what is to be written.

        Args:
            group: group in the catalog.
            name: the asset's name, by default the function's.
            upstream: assets that must have succeeded.
            source: the legacy table whose rows are labelled.
            target: the table that is written.
            checks: the asset's checks.
            kinds: Dagster kinds.
            **further: attributes of the `Declaration`: partitioning, owned, guard, fails_after_publishing.
        """

        def declare(function: Callable[[Step], Write]) -> dg.AssetsDefinition:
            return self.add(
                Declaration(
                    system=self,
                    name=name or function.__name__,
                    description=_description(function, None),
                    group=group,
                    kinds=frozenset(kinds),
                    upstream=_distinct(upstream),
                    stage=function,
                    source=source,
                    target=target,
                    checks=tuple(checks),
                    **further,
                )
            )

        return declare


def _in_turn(step: Step, upsert: Write, supersede: Callable[[Step], None]) -> Write:
    def write() -> None:
        upsert()
        supersede(step)

    return write


def _nothing() -> None:
    """Nothing is to be written."""


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _description(function: Callable[..., Any], fallback: str | None) -> str:
    return inspect.getdoc(function) or fallback or function.__name__
