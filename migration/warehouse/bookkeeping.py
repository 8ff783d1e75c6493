"""The four bookkeeping tables that every schema has: run log, row ledger, rejected rows, change log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from migration.tables import Role

_TIMESTAMP = sa.DateTime(timezone=True)
COUNTS = ("source_rows", "loaded", "merged", "rejected", "skipped")


@dataclass(frozen=True)
class Bookkeeping:
    """The bookkeeping tables of one system's schema."""

    run_log: sa.Table
    ledger: sa.Table
    rejected: sa.Table
    change: sa.Table

    @property
    def tables(self) -> tuple[sa.Table, ...]:
        """All four tables."""
        return self.run_log, self.ledger, self.rejected, self.change


def bookkeeping(metadata: sa.MetaData, run_log_columns: Sequence[sa.Column[Any]] = ()) -> Bookkeeping:
    """Declare the bookkeeping tables in a system's metadata; they have no foreign keys to business tables.

    Args:
        metadata: the system's metadata.
        run_log_columns: what the system's run log has besides; nullable, computed or with a server default, for the
            core does not write them.
    """
    return Bookkeeping(_run_log(metadata, run_log_columns), _ledger(metadata), _rejected(metadata), _change(metadata))


def _run_log(metadata: sa.MetaData, further: Sequence[sa.Column[Any]]) -> sa.Table:
    table = sa.Table(
        "migration_run_log",
        metadata,
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("export_id", sa.Text, nullable=False),
        sa.Column("asset", sa.Text, nullable=False),
        sa.Column("partition", sa.Text),
        sa.Column("dry_run", sa.Boolean, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in COUNTS),
        *(
            sa.Column(name, JSONB, nullable=False, server_default="{}")
            for name in ("rejected_by", "skipped_by", "warnings")
        ),
        sa.Column("fingerprint", sa.Text),
        sa.Column("overrides", sa.ARRAY(sa.Text), nullable=False, server_default="{}"),
        sa.Column("started_at", _TIMESTAMP, nullable=False),
        sa.Column("finished_at", _TIMESTAMP),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("inputs_digest", sa.Text, comment="Hash of everything the step reads: equal inputs, equal result"),
        *further,
        comment="One row per run, asset and partition: what was read, what became of it, how it ended",
    )
    sa.Index(
        "migration_run_log_key",
        table.c.run_id,
        table.c.asset,
        sa.func.coalesce(table.c.partition, sa.literal_column("''")),
        unique=True,
    )
    sa.Index("migration_run_log_gate", table.c.asset, table.c.export_id, table.c.finished_at)
    return table


def _ledger(metadata: sa.MetaData) -> sa.Table:
    table = sa.Table(
        "row_ledger",
        metadata,
        sa.Column("export_id", sa.Text, primary_key=True),
        sa.Column("source_table", sa.Text, primary_key=True),
        sa.Column("source_row", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("target_table", sa.Text, primary_key=True),
        sa.Column("source_pk", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("target_key", sa.Text),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.CheckConstraint("outcome IN ('loaded', 'merged', 'rejected', 'skipped')", name="outcome"),
        comment="Exactly one outcome per source row and target",
    )
    sa.Index("row_ledger_target_key", table.c.target_table, table.c.target_key)
    return table


def _rejected(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "rejected_row",
        metadata,
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("export_id", sa.Text, nullable=False),
        sa.Column("source_table", sa.Text, nullable=False),
        sa.Column("source_row", sa.BigInteger, nullable=False),
        sa.Column("source_pk", sa.Text, nullable=False),
        sa.Column("target_table", sa.Text, nullable=False),
        sa.Column("reason_code", sa.Text, nullable=False),
        sa.Column("detail", sa.Text),
        sa.Column("raw", JSONB, comment="The record, redacted; NULL where a system keeps nothing of it"),
        sa.Column(
            "rejected_at",
            _TIMESTAMP,
            nullable=False,
            server_default=sa.func.now(),
            info={"role": Role.CHANGED_AT},
        ),
        sa.UniqueConstraint("export_id", "source_table", "source_row", "target_table"),
        comment="Quarantined source rows with the code of the first rule they failed",
    )


def _change(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "row_change",
        metadata,
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("table_name", sa.Text, primary_key=True),
        sa.Column("row_key", JSONB, primary_key=True),
        sa.Column("before", JSONB, comment="The row as it was; NULL = inserted"),
        sa.Column("after_md5", sa.Text, comment="Hash of the row as the run left it; NULL = deleted"),
        sa.Column("changed_at", _TIMESTAMP, nullable=False, server_default=sa.func.now()),
        comment="What each run changed, so that it can be rolled back",
    )
