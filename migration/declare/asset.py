"""The Dagster asset around a declared step: gates, partitions, transactions, events.

Dagster's own blocking checks run after the write and hold only inside a run, so the write, the audit and the gate are
done here, and Dagster is told what happened: on success one materialization with all check results, on a block the
check results and a failure without a materialization.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import dagster as dg
import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from migration.checks import Check, Judgement
from migration.declare import events
from migration.declare.code import code_digest
from migration.declare.failures import as_ours
from migration.declare.run import MigrationRun, RunFacts, resolve_export_id, run_facts
from migration.declare.step import Step, StepReport, elapsed
from migration.errors import GateShut, MigrationError, Refused, SetupError, TransientError
from migration.exports.sources import SourceTable
from migration.exports.verify import Export
from migration.frames import FrameStore
from migration.outcome import Tally
from migration.tables import SplitBy, business_columns, key_columns, loaded_columns, rows_of_partitions
from migration.warehouse.connect import translate
from migration.warehouse.ddl import ensure_schema, lock_for_transaction, share_for_transaction
from migration.warehouse.runlog import Gates, RunLog, Status, read_gates
from migration.warehouse.shadow import Difference, Part, compare_with_live, prepare_shadow

if TYPE_CHECKING:
    from migration.declare.system import System

MAX_RETRIES = 3
Write = Callable[[], None]


@dataclass(frozen=True)
class Partitioning:
    """How an asset is partitioned.

    Attributes:
        definition: Dagster's partitions.
        split_by: the target column that holds the partition's key; or the condition that a row is in some partitions.
        frame: the staged frame that is split by the same keys, for partitions that an export need not have; None =
            every partition that is asked for is run.
        independent: partitions are run, fail and are repaired by themselves, one run each, several at once. Otherwise
            one run takes many.
    """

    definition: dg.PartitionsDefinition
    split_by: SplitBy
    frame: str | None = None
    independent: bool = False


@dataclass(frozen=True)
class Declaration:
    """One declared asset.

    Attributes:
        system: the system it belongs to.
        name: the asset's name; its key is `<system>/<name>`.
        description: what a row is, for the catalog.
        group: group in the catalog.
        kinds: Dagster kinds.
        upstream: names of assets that must have succeeded first.
        stage: reads, transforms and stages; returns what is to be written inside the savepoint.
        source: the source table whose rows the asset labels.
        further_sources: other source tables whose rows it labels, where several feed one target.
        target: the table that the asset writes.
        checks: the asset's checks.
        partitioning: how it is partitioned, if it is.
        fails_after_publishing: the asset's product is the finding itself: publish it, then fail with this status.
        owned: the columns that the asset writes, where they are not all that a load brings.
        guard: what must hold at the start of the transaction, after its locks are held; raises otherwise. None = what
            the system asks of all its assets.
        registers: keys of dynamic partitions that the published table makes known.
        has_gates: whether every upstream asset must have succeeded; False for one that reports on whatever there is,
            or that asks by itself.
        remembers_inputs: a run whose inputs are those of the last one, on a table that is still as that one left it,
            only audits; everything the stage reads must be in the file, the code and the upstream tables.
    """

    system: "System"
    name: str
    description: str
    group: str
    kinds: frozenset[str]
    upstream: tuple[str, ...]
    stage: Callable[[Step], Write]
    source: SourceTable | None = None
    further_sources: tuple[SourceTable, ...] = ()
    target: sa.Table | None = None
    checks: tuple[Check, ...] = ()
    partitioning: Partitioning | None = None
    fails_after_publishing: Status | None = None
    owned: tuple[str, ...] = ()
    guard: Callable[[Step], None] | None = None
    registers: "Registers | None" = None
    has_gates: bool = True
    remembers_inputs: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> dg.AssetKey:
        """The asset's key."""
        return dg.AssetKey([self.system.name, self.name])

    @property
    def columns(self) -> list[sa.Column[Any]]:
        """The columns of the target that the asset's fingerprint is about: its key, and what the asset writes."""
        if self.target is None:
            return []
        if not self.owned:
            return business_columns(loaded_columns(self.target))
        return [*key_columns(self.target), *(self.target.c[name] for name in self.owned)]

    def of_partition(self, partition: str | None) -> sa.ColumnElement[bool]:
        """The condition that a row of the target belongs to a partition; always true without partitions."""
        if self.target is None or self.partitioning is None or partition is None:
            return sa.true()
        return rows_of_partitions(self.target, self.partitioning.split_by, (partition,))


@dataclass(frozen=True)
class Registers:
    """Dynamic partitions that an asset makes known.

    Attributes:
        partitions: name of the dynamic partitions.
        keys: statement of the keys, once the table is published.
        frame: the staged frame that is split by further keys; then a dry run makes them known, too, for what follows
            in the same preview.
    """

    partitions: str
    keys: sa.Select[Any]
    frame: str = ""


def build_asset(declaration: Declaration) -> dg.AssetsDefinition:
    """The Dagster asset of a declaration."""
    spec = dg.AssetSpec(
        key=declaration.key,
        deps=[dg.AssetKey([declaration.system.name, name]) for name in declaration.upstream],
        description=declaration.description,
        group_name=declaration.group,
        kinds=set(declaration.kinds),
        skippable=True,
        metadata={**events.declared_metadata(declaration.target), **declaration.metadata},
    )

    @dg.multi_asset(
        name=f"{declaration.system.name}__{declaration.name}",
        specs=[spec],
        check_specs=[
            dg.AssetCheckSpec(
                check.name,
                asset=declaration.key,
                description=check.description,
                blocking=check.blocking,
                metadata={"limits": check.limits_text(), "blocking": check.blocking},
            )
            for check in declaration.checks
        ],
        can_subset=True,
        partitions_def=declaration.partitioning.definition if declaration.partitioning else None,
        backfill_policy=_backfill_policy(declaration.partitioning),
    )
    def asset(context: dg.AssetExecutionContext, migration_run: MigrationRun) -> Iterator[Any]:
        if context.op_execution_context.selected_asset_keys:
            yield from _guarded(declaration, context, migration_run)
        else:
            yield from events.check_only(declaration, context, migration_run)

    return asset


def _backfill_policy(partitioning: Partitioning | None) -> dg.BackfillPolicy | None:
    if partitioning is None or partitioning.independent:
        return None
    return dg.BackfillPolicy.single_run()


def _guarded(declaration: Declaration, context: dg.AssetExecutionContext, options: MigrationRun) -> Iterator[Any]:
    """Run the step; turn what goes wrong into one clear line, and only what may pass into a retry."""
    try:
        yield from _AssetRun.begin(declaration, context, options).execute()
    except MigrationError as error:
        _give_up(context, error)
    except (SQLAlchemyError, psycopg.Error) as error:
        _give_up(context, translate(error))


def _give_up(context: dg.AssetExecutionContext, error: MigrationError) -> None:
    """Retry or fail; the chained exception is dropped because database errors quote row values."""
    if isinstance(error, TransientError) and context.retry_number < MAX_RETRIES:
        context.log.warning(f"{error.kind}: {error} Trying again.")
        raise dg.RetryRequested(MAX_RETRIES, seconds_to_wait=2.0**context.retry_number) from None
    raise dg.Failure(f"{error.kind}: {error}", metadata=events.error_metadata(error), allow_retries=False) from None


@dataclass
class _AssetRun:
    """One execution of an asset: all the partitions that this run asks for."""

    declaration: Declaration
    context: dg.AssetExecutionContext
    run: RunFacts
    export_id: str
    frames: FrameStore
    log: RunLog
    _refused: set[str | None] = field(default_factory=set)

    @classmethod
    def begin(cls, declaration: Declaration, context: dg.AssetExecutionContext, options: MigrationRun) -> "_AssetRun":
        system = declaration.system
        run = run_facts(context, options)
        export_id = resolve_export_id(context, run, system.name)
        with run.engine.begin() as connection:
            ensure_schema(connection, system.metadata)
        if run.dry_run:
            prepare_shadow(run.engine, system.metadata, run.preview)
        frames = FrameStore(run.settings.work / system.name, export_id, run.run_id, run.dry_run, run.preview)
        log = RunLog(system.books.run_log, run.run_id, export_id, run.dry_run, system.facts_of_run(run))
        return cls(declaration, context, run, export_id, frames, log)

    def execute(self) -> Iterator[Any]:
        """Run every partition, then tell Dagster."""
        started = time.perf_counter()
        reports: list[StepReport] = []
        filled, empty = self._partitions()
        failures = self._begin(filled, empty)
        for partition in filled:
            if partition in failures:
                continue
            try:
                reports.append(self._step(partition))
            except MigrationError as error:
                if isinstance(error, TransientError) or len(filled) == 1:
                    self._log_unreached(error)
                    raise
                failures[partition] = error
        if self.run.dry_run and reports and self.declaration.target is not None:
            with self.run.engine.connect() as connection:
                reports[0].facts["difference"] = self._difference(connection)
        self._register_partitions()
        passed = [partition for partition in empty if partition not in failures]
        yield from events.outcome_events(
            self.declaration, self.context, self.run, reports, passed, list(failures.items()), elapsed(started)
        )

    def _difference(self, connection: sa.Connection) -> Difference:
        """What a live run would change of the asset's table."""
        declaration = self.declaration
        assert declaration.target is not None  # noqa: S101 - only asked for where there is one
        partitioning, part = declaration.partitioning, None
        if partitioning is not None and partitioning.independent:
            part = Part(partitioning.split_by, self.context.partition_key)
        return compare_with_live(connection, declaration.target, declaration.columns, part)

    def _register_partitions(self) -> None:
        """Make the partitions known that the published table holds; none is ever forgotten."""
        registers = self.declaration.registers
        if registers is None or (self.run.dry_run and not registers.frame):
            return
        with self.run.engine.connect() as connection:
            keys = {str(key) for key in connection.scalars(registers.keys)}
        if registers.frame:
            keys |= set(self.frames.parts(registers.frame))
        self.context.instance.add_dynamic_partitions(registers.partitions, sorted(keys))

    def _partitions(self) -> tuple[Sequence[str | None], list[str]]:
        """The partitions of this run that have rows, and those that have none."""
        partitioning = self.declaration.partitioning
        if partitioning is None:
            return [None], []
        if not (self.context.has_partition_key or self.context.has_partition_key_range):
            raise SetupError(
                f"The run names no partition of {self.declaration.name}.",
                "Launch it for chosen partitions, or with `migrate run`, which takes them all.",
            )
        wanted = list(self.context.partition_keys)
        if partitioning.frame is None:
            return wanted, []
        present = self.frames.parts(partitioning.frame)
        return [key for key in wanted if key in present], [key for key in wanted if key not in present]

    def _begin(self, filled: Sequence[str | None], empty: list[str]) -> dict[str | None, MigrationError]:
        """Pass the gates of all partitions and log that they run, in one transaction.

        Returns:
            The partitions whose gate is shut, when others may still run.

        Raises:
            GateShut: no partition may run.
        """
        name = self.declaration.name
        with self.run.engine.begin() as connection:
            gates = self._gates(connection)
            failures: dict[str | None, MigrationError] = {}
            open_partitions: dict[str | None, list[str]] = {}
            for partition in (*filled, *empty):
                try:
                    open_partitions[partition] = self._pass(gates, partition)
                except GateShut as shut:
                    failures[partition] = shut
            if failures and not open_partitions:
                raise next(iter(failures.values()))
            self.log.log_empty_partitions(connection, name, [key for key in empty if key in open_partitions])
            self.log.start(connection, name, {key: open_partitions[key] for key in filled if key in open_partitions})
        return failures

    def _gates(self, connection: sa.Connection) -> Gates:
        """How every upstream asset stands; a dry run has no gates, it runs to its end whatever it finds."""
        asked = self.declaration.upstream if self.declaration.has_gates and not self.run.dry_run else ()
        upstream = [name for name in asked if name in self.declaration.system.declarations]
        return read_gates(connection, self.declaration.system.books.run_log, self.export_id, upstream)

    def _pass(self, gates: Gates, partition: str | None) -> list[str]:
        """Pass the gates of a partition; returns those that the run overrides.

        Raises:
            GateShut: an upstream asset has not succeeded for this export, and the run does not override it.
        """
        verdicts = gates.shut(partition, self._split_otherwise)
        overridden = [v.asset for v in verdicts if v.asset in self.run.options.override_gate]
        shut = [v for v in verdicts if v.asset not in overridden]
        if shut:
            first = shut[0]
            where = f" (partition {first.partition})" if first.partition else ""
            by = f" (run {first.run_id})" if first.run_id else ""
            raise GateShut(
                f"Gate shut: {first.asset}{where} is '{first.status}' for export {self.export_id}{by}.",
                f"Run {first.asset} for this export first, or override with override_gate: [{first.asset}].",
                blocked_by_run=first.run_id,
            )
        return sorted(set(overridden))

    @cached_property
    def _split_otherwise(self) -> set[str]:
        """The upstream assets whose partitions are others than those of this asset."""
        mine, declared = self.declaration.partitioning, self.declaration.system.declarations
        theirs = {name: declared[name].partitioning for name in self.declaration.upstream if name in declared}
        return {name for name, each in theirs.items() if each and mine and each.definition != mine.definition}

    def _step(self, partition: str | None) -> StepReport:
        """One partition: transaction and run log."""
        started = time.perf_counter()
        try:
            return self._transact(self._workbench(partition), started)
        except Exception as error:
            ours = as_ours(error)
            self._log_failure(partition, ours)
            raise ours from None

    @cached_property
    def _export(self) -> Export:
        return self.declaration.system.verified_export(self.declaration, self.run, self.frames)

    def _workbench(self, partition: str | None) -> Step:
        return Step(
            run=self.run,
            books=self.declaration.system.books,
            export=self._export,
            frames=self.frames,
            source=self.declaration.source,
            further_sources=self.declaration.further_sources,
            partition=partition,
            tell=self.context.log.info,
        )

    def _transact(self, step: Step, started: float) -> StepReport:
        with step.transaction(lambda connection: self._lock(connection, step.partition)) as connection:
            self._ask(step)
            self.log.close_interrupted(connection, self.declaration.name, step.partition)
            digest = self._inputs_digest(connection, step)
            known = self._already_written(connection, step, digest)
            write = step.nothing if known else self.declaration.stage(step)
            may_block = not self.run.dry_run and self.declaration.fails_after_publishing is None
            judgements, blocked = step.write_and_audit(write, self._checks_of_step(), may_block=may_block)
            fingerprint = None if blocked else self._fingerprint(step)
            self.log.finish(
                connection,
                self.declaration.name,
                step.partition,
                self._status(blocked, judgements),
                step.tally,
                seconds=elapsed(started),
                fingerprint=fingerprint,
                error=_blocked_by(judgements) if blocked else None,
                inputs_digest=digest,
                further=self.declaration.system.further_facts(step),
            )
            for asset, tally in step.apart.items():
                self.log.log_apart(connection, asset, self._status(blocked, judgements), tally)
        return StepReport(
            step.partition, step.tally, step.changes, judgements, blocked, fingerprint, step.facts, elapsed(started)
        )

    def _ask(self, step: Step) -> None:
        """Ask the guard whether the step may begin; what is refused here has not run, so its gates stay as they are."""
        guard = self.declaration.guard or self.declaration.system.guard
        if guard is None:
            return
        try:
            guard(step)
        except (Refused, GateShut):
            self._refused.add(step.partition)
            raise

    def _inputs_digest(self, connection: sa.Connection, step: Step) -> str | None:
        """The hash of everything that the step's result follows from; None where that cannot be said."""
        if not self.declaration.remembers_inputs:
            return None
        parts = [step.export.export_id, step.export.content_hash, code_digest(self.declaration.system.name)]
        parts += self.log.fingerprints(connection, self.declaration.upstream)
        return hashlib.sha256("|".join(parts).encode()).hexdigest()

    def _already_written(self, connection: sa.Connection, step: Step, digest: str | None) -> bool:
        """Whether the last successful run had the same inputs and the table is as it left it; takes over its counts."""
        if digest is None or self.run.dry_run:
            return False
        last = self.log.last_success(connection, self.declaration.name, step.partition)
        if last is None or last.inputs_digest != digest or last.fingerprint != self._fingerprint(step):
            return False
        step.tally = last.tally
        step.facts["unchanged"] = f"nothing to write: same inputs as run {last.run_id}, and the table is as it left it"
        return True

    def _checks_of_step(self) -> Sequence[Check]:
        """One of many partitions is audited by the blocking checks; the others look at the whole range afterwards."""
        partitioning = self.declaration.partitioning
        if partitioning is None or partitioning.independent:
            return self.declaration.checks
        return [check for check in self.declaration.checks if check.blocking]

    def _status(self, blocked: bool, judgements: list[Judgement]) -> Status:
        issues = any(j.level == "ERROR" for j in judgements)
        if self.run.dry_run:
            return Status.DRY_RUN_ISSUES if issues else Status.DRY_RUN_OK
        if blocked:
            return Status.BLOCKED
        found = self.declaration.fails_after_publishing
        return found if found is not None and any(j.blocks for j in judgements) else Status.SUCCESS

    def _fingerprint(self, step: Step) -> str | None:
        declaration = self.declaration
        if declaration.target is None:
            return None
        return step.fingerprint(declaration.target, declaration.columns, declaration.of_partition(step.partition))

    def _lock(self, connection: sa.Connection, partition: str | None) -> None:
        """Keep others away: a table has one writer, an independent partition too, and none works while a load does."""
        schema = self.declaration.system.name + ("__dry_run" if self.run.dry_run else "")
        if self.declaration.partitioning is not None and self.declaration.partitioning.independent:
            share_for_transaction(connection, schema)
            lock_for_transaction(connection, f"{schema}:{partition}")
            return
        if self.declaration.system.has_independent_partitions:
            lock_for_transaction(connection, schema)
        table = self.declaration.name if self.declaration.target is None else self.declaration.target.name
        lock_for_transaction(connection, f"{schema}.{table}")

    def _log_unreached(self, error: MigrationError) -> None:
        """Log that partitions after the one that failed were not reached by this run."""
        try:
            with self.run.engine.begin() as connection:
                self.log.abandon(
                    connection, self.declaration.name, f"Not reached: {error.kind} in an earlier partition."
                )
        except (SQLAlchemyError, MigrationError):
            self.context.log.warning("The run log could not be closed: the database is unreachable.")

    def _log_failure(self, partition: str | None, error: MigrationError) -> None:
        """Log that the step failed; where the database is gone the row stays `running` until the next run closes it."""
        name = self.declaration.name
        status = Status.BLOCKED if isinstance(error, Refused) and error.blocks else Status.FAILED
        if self.run.dry_run and status is Status.BLOCKED:
            status = Status.DRY_RUN_ISSUES
        try:
            with self.run.engine.begin() as connection:
                if partition in self._refused:
                    self.log.withdraw(connection, name, partition)
                    return
                self.log.finish(connection, name, partition, status, Tally(), error=f"{error.kind}: {error}")
        except SQLAlchemyError:
            self.context.log.warning("The failure could not be written to the run log: the database is unreachable.")


def _blocked_by(judgements: list[Judgement]) -> str:
    return "Blocked by " + ", ".join(j.check.name for j in judgements if j.blocks)
