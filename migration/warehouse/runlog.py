"""The run log in the database: one row per run, asset and partition, and the gates that are read from it."""

import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from migration.outcome import Outcome, Tally


class Status(StrEnum):
    """How a run of an asset and partition stands."""

    RUNNING = "running"
    SUCCESS = "success"
    BLOCKED = "blocked"
    FAILED = "failed"
    VALIDATION_FAILED = "validation_failed"
    DRY_RUN_OK = "dry_run_ok"
    DRY_RUN_ISSUES = "dry_run_issues"
    ROLLED_BACK = "rolled_back"


INTERRUPTED = "Interrupted: the process ended before the step did; nothing of it was written."


@dataclass(frozen=True)
class RunLog:
    """The run log as one run writes it; always in the live schema, also during a dry run.

    Attributes:
        table: the run log table.
        run_id: the run.
        export_id: the export of the run.
        dry_run: whether the run is dry.
        of_run: what further columns say of every row of the run, in systems that have such.
    """

    table: sa.Table
    run_id: str
    export_id: str
    dry_run: bool
    of_run: Mapping[str, Any] = field(default_factory=dict)

    def _execute(self, connection: sa.Connection, statement: Any) -> sa.CursorResult[Any]:
        live = {self.table.schema: self.table.schema}
        return connection.execute(statement, execution_options={"schema_translate_map": live})

    def start(self, connection: sa.Connection, asset: str, partitions: Mapping[str | None, Sequence[str]]) -> None:
        """Say that partitions of an asset run; a retry in the same run starts their rows anew.

        Args:
            connection: any transaction.
            asset: the asset.
            partitions: the gates that the run overrides, by partition (None for an unpartitioned asset).
        """
        rows = [
            {
                "run_id": self.run_id,
                "export_id": self.export_id,
                "asset": asset,
                "partition": partition,
                "dry_run": self.dry_run,
                "overrides": list(overrides),
                "started_at": sa.func.clock_timestamp(),
                "status": Status.RUNNING.value,
                **self.of_run,
            }
            for partition, overrides in partitions.items()
        ]
        if not rows:
            return
        insert = pg.insert(self.table).values(rows)
        again = {"started_at": insert.excluded.started_at, "status": insert.excluded.status, "finished_at": None}
        self._execute(connection, insert.on_conflict_do_update(index_elements=self._key, set_=again))

    @property
    def _key(self) -> list[sa.ColumnElement[Any]]:
        log = self.table.c
        return [log.run_id, log.asset, sa.func.coalesce(log.partition, sa.literal_column("''"))]

    def close_interrupted(self, connection: sa.Connection, asset: str, partition: str | None) -> None:
        """Mark runs of the asset that never ended; the caller holds the asset's lock, so none of them is alive."""
        log = self.table
        dead = sa.and_(
            log.c.asset == asset,
            log.c.partition.is_not_distinct_from(partition),
            log.c.status == Status.RUNNING.value,
            log.c.dry_run == self.dry_run,
            log.c.run_id != self.run_id,
        )
        values = {"status": Status.FAILED.value, "error": INTERRUPTED, "finished_at": sa.func.clock_timestamp()}
        self._execute(connection, sa.update(log).where(dead).values(values))

    def withdraw(self, connection: sa.Connection, asset: str, partition: str | None) -> None:
        """Take back that an asset runs: it was refused before it began."""
        log = self.table
        mine = sa.and_(log.c.run_id == self.run_id, log.c.asset == asset, log.c.status == Status.RUNNING.value)
        self._execute(connection, sa.delete(log).where(mine, log.c.partition.is_not_distinct_from(partition)))

    def abandon(self, connection: sa.Connection, asset: str, error: str) -> None:
        """Say that the partitions of an asset that this run has not ended will not be run by it."""
        log = self.table
        mine = sa.and_(log.c.run_id == self.run_id, log.c.asset == asset, log.c.status == Status.RUNNING.value)
        values = {"status": Status.FAILED.value, "error": error, "finished_at": sa.func.clock_timestamp()}
        self._execute(connection, sa.update(log).where(mine).values(values))

    def finish(
        self,
        connection: sa.Connection,
        asset: str,
        partition: str | None,
        status: Status,
        tally: Tally,
        *,
        seconds: float | None = None,
        fingerprint: str | None = None,
        error: str | None = None,
        inputs_digest: str | None = None,
        further: Mapping[str, Any] | None = None,
    ) -> None:
        """Say how a step ended, with its counts and, where it waited for its turn, when it really began."""
        log = self.table
        mine = sa.and_(
            log.c.run_id == self.run_id, log.c.asset == asset, log.c.partition.is_not_distinct_from(partition)
        )
        values: dict[str, Any] = {
            "source_rows": tally.source_rows,
            **{outcome.value: tally.count(outcome) for outcome in Outcome},
            "rejected_by": dict(tally.rejected_by),
            "skipped_by": dict(tally.skipped_by),
            "warnings": dict(tally.warnings),
            "fingerprint": fingerprint,
            "finished_at": sa.func.clock_timestamp(),
            "status": status.value,
            "error": error,
            "inputs_digest": inputs_digest,
            **(further or {}),
        }
        if seconds is not None:
            values["started_at"] = sa.func.clock_timestamp() - dt.timedelta(seconds=seconds)
        self._execute(connection, sa.update(log).where(mine).values(values))

    def log_apart(self, connection: sa.Connection, asset: str, status: Status, tally: Tally) -> None:
        """Log the rows of a partitioned asset that are in no partition of it, under no partition."""
        self.start(connection, asset, {None: ()})
        self.finish(connection, asset, None, status, tally)

    def log_empty_partitions(self, connection: sa.Connection, asset: str, partitions: Sequence[str]) -> None:
        """Log partitions that have no row in this export: success with zeros, in one statement."""
        if not partitions:
            return
        status = Status.DRY_RUN_OK if self.dry_run else Status.SUCCESS
        rows = sa.select(sa.func.unnest(sa.cast(list(partitions), sa.ARRAY(sa.Text))).label("partition")).subquery()
        insert = pg.insert(self.table).from_select(
            [
                *("run_id", "export_id", "asset", "partition", "dry_run", "started_at", "finished_at", "status"),
                *self.of_run,
            ],
            sa.select(
                sa.literal(self.run_id, sa.Text),
                sa.literal(self.export_id, sa.Text),
                sa.literal(asset, sa.Text),
                rows.c.partition,
                sa.literal(self.dry_run),
                sa.func.clock_timestamp(),
                sa.func.clock_timestamp(),
                sa.literal(status.value, sa.Text),
                *(sa.literal(value) for value in self.of_run.values()),
            ),
            include_defaults=False,
        )
        self._execute(connection, insert.on_conflict_do_nothing())

    def fingerprints(self, connection: sa.Connection, assets: Sequence[str]) -> list[str]:
        """The fingerprint that each asset's last successful run reported, empty where there is none."""
        return [
            "" if last is None else last.fingerprint or ""
            for last in (self.last_success(connection, asset, None) for asset in assets)
        ]

    def last_success(self, connection: sa.Connection, asset: str, partition: str | None) -> "LastSuccess | None":
        """The last successful live run of an asset and partition, whatever its export."""
        log = self.table
        row = self._execute(
            connection,
            sa.select(log)
            .where(
                log.c.asset == asset,
                log.c.partition.is_not_distinct_from(partition),
                log.c.status == Status.SUCCESS.value,
                log.c.dry_run.is_(False),
            )
            .order_by(log.c.finished_at.desc())
            .limit(1),
        ).one_or_none()
        if row is None:
            return None
        tally = Tally(
            row.source_rows,
            Counter({outcome.value: getattr(row, outcome.value) for outcome in Outcome}),
            Counter(row.rejected_by),
            Counter(row.skipped_by),
            Counter(row.warnings),
        )
        return LastSuccess(row.run_id, row.fingerprint, row.inputs_digest, tally)


@dataclass(frozen=True)
class LastSuccess:
    """What the run log has of an asset's last successful run."""

    run_id: str
    fingerprint: str | None
    inputs_digest: str | None
    tally: Tally


@dataclass(frozen=True)
class Verdict:
    """How an upstream asset stands for an export: the latest run that ended."""

    asset: str
    partition: str | None
    status: str
    run_id: str


@dataclass(frozen=True)
class Gates:
    """How the upstream assets of a step stand for an export.

    Attributes:
        upstream: names of the assets that must have succeeded.
        verdicts: the latest ended run of each of them, by partition where they have any.
    """

    upstream: Sequence[str]
    verdicts: Sequence[Verdict]

    def shut(self, partition: str | None, split_otherwise: Collection[str] = ()) -> list[Verdict]:
        """The upstream assets, or their partitions, that have not succeeded.

        An upstream asset that is partitioned counts with the same partition for a partition, else with all that it
        ran. One that never ended a run for the export is shut with the status `never ran`.

        Args:
            partition: the partition that is to run.
            split_otherwise: upstream assets whose partitions are others than those of the asset.
        """
        found: list[Verdict] = []
        for asset in self.upstream:
            of_asset = [v for v in self.verdicts if v.asset == asset]
            partitioned = asset not in split_otherwise and any(v.partition is not None for v in of_asset)
            if partition is not None and partitioned:
                of_asset = [v for v in of_asset if v.partition == partition]
            if not of_asset:
                found.append(Verdict(asset, partition if partitioned else None, "never ran", ""))
            found.extend(v for v in of_asset if v.status != Status.SUCCESS.value)
        return found


def read_gates(connection: sa.Connection, log: sa.Table, export_id: str, upstream: Sequence[str]) -> Gates:
    """Read from the run log how upstream assets stand for an export; runs that have not ended do not count."""
    if not upstream:
        return Gates((), ())
    partition = sa.func.coalesce(log.c.partition, sa.literal_column("''"))
    newest = (
        sa.select(log.c.asset, log.c.partition, log.c.status, log.c.run_id)
        .ext(pg.distinct_on(log.c.asset, partition))
        .where(
            log.c.export_id == export_id,
            log.c.asset.in_(list(upstream)),
            log.c.dry_run.is_(False),
            log.c.status != Status.RUNNING.value,
        )
        .order_by(log.c.asset, partition, log.c.finished_at.desc())
    )
    return Gates(upstream, [Verdict(*row) for row in connection.execute(newest)])
