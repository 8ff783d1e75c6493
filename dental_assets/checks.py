"""The measured checks of the dental system with their thresholds: those of every table, then those of one."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from dental_assets import sources, tables
from dental_assets.parsing.groups import SPECIALTIES, TEAMS
from dental_assets.parsing.numbers import stated_amounts
from migration.checks import Check, Scope, at_least, at_most, conservation, in_partition, none_of, orphans, unique
from migration.exports.reading import read_batches
from migration.outcome import Outcome
from migration.tables import Query, SplitBy, key_columns
from migration.warehouse.runlog import Status
from migration.warehouse.upsert import key_json

DRIFT = "0.10"
WARNED = "0.05"
PATIENT_LINKS = "0.99"
DAYS_TO_DELIVER = 3
VIEWING_GROUPS = ("Doctor", "Master", "Sales", "Technician")
MINIMUM_RATES = {
    "payments": Decimal("99.98"),
    "payment_operations": Decimal("100.00"),
    "template_products": Decimal("56.02"),
    "template_view_groups": Decimal("100.00"),
    "technicians": Decimal("100.00"),
    "shipments": Decimal("100.00"),
    "teams": Decimal("100.00"),
    "team_communications": Decimal("81.31"),
}
# Foreign keys that are measured by themselves, under a name of their own.
_NAMED_ORPHANS = {
    "payments": "order_id",
    "payment_operations": "payment_id",
    "template_products": "template_id",
    "shipments": "order_id",
    "team_communications": "team_id",
}


# --- every table ------------------------------------------------------------------------------------------------------


def of_table(table: sa.Table) -> list[Check]:
    """The checks that every table has."""
    return [
        conservation("conservation", table),
        unique("pk_unique", table),
        unique("legacy_id_unique", table, [table.info[tables.LEGACY]]),
        required_not_null(table),
        *orphans_of(table),
        _row_count_drift(table),
        _warning_rate(table),
        stale_rows(table),
    ]


def orphans_of(table: sa.Table) -> list[Check]:
    """The checks of a table's foreign keys: one for all, and one for the key that everything hangs on."""
    keys = {key.parent.name: key.column.table.name for key in table.foreign_keys}
    special = _NAMED_ORPHANS.get(table.name)
    found = [orphans(f"{table.name}_{keys.pop(special)}_orphans", table, [special])] if special else []
    return [*found, orphans("fk_orphans", table, sorted(keys))] if keys else found


def required_not_null(table: sa.Table, split_by: SplitBy | None = None) -> Check:
    """No required column is empty."""
    required = [column for column in table.columns if not column.nullable]
    empty = sa.or_(*(column.is_(None) for column in required))

    def rows(scope: Scope) -> Query:
        return sa.select(*key_columns(table)).where(empty, in_partition(table, split_by, scope))

    return Check(
        "required_not_null",
        f"Every required column of {table.name} has a value.",
        lambda scope: sa.select(sa.func.count().label("nulls")).select_from(rows(scope).subquery()),
        error=none_of("nulls"),
        blocking=True,
        keys=rows,
    )


def stale_rows(table: sa.Table) -> Check:
    """How many rows the newest export that was loaded has not changed; it may have changed none."""

    def measure(scope: Scope) -> Query:
        log, writer = scope.books.run_log, table.c.export_id.collate("C")
        loaded = sa.select(sa.func.max(log.c.export_id.collate("C"))).where(
            log.c.asset == table.name, log.c.status == Status.SUCCESS.value, log.c.dry_run.is_(False)
        )
        newest = sa.func.greatest(loaded.scalar_subquery(), sa.literal(scope.export.export_id).collate("C"))
        return sa.select(sa.func.count().label("stale")).select_from(table).where(writer < newest)

    return Check("stale_rows", f"Rows of {table.name} that the newest export has not changed.", measure)


def _of_ledger(scope: Scope, table: str) -> sa.ColumnElement[bool]:
    ledger = scope.books.ledger
    return sa.and_(ledger.c.export_id == scope.export.export_id, ledger.c.target_table == table)


def _row_count_drift(table: sa.Table) -> Check:
    def measure(scope: Scope) -> Query:
        ledger, log = scope.books.ledger, scope.books.run_log
        loaded = sa.select(sa.func.count()).where(
            _of_ledger(scope, table.name), ledger.c.outcome == Outcome.LOADED.value
        )
        before = (
            sa.select(log.c.loaded)
            .where(log.c.asset == table.name, log.c.export_id != scope.export.export_id)
            .where(log.c.status == Status.SUCCESS.value, log.c.dry_run.is_(False))
            .order_by(log.c.finished_at.desc())
            .limit(1)
        )
        rows = sa.select(loaded.scalar_subquery().label("loaded"), before.scalar_subquery().label("before")).subquery()
        return sa.select(rows, _dropped(rows.c.loaded, rows.c.before).label("dropped"))

    return Check(
        "row_count_drift",
        f"By how much fewer rows of {table.name} were loaded than from the export before.",
        measure,
        warn=at_most(dropped=DRIFT),
    )


def _dropped(now: sa.ColumnElement[Any], before: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return 1 - sa.cast(now, sa.Numeric) / sa.func.nullif(before, 0)


def _warning_rate(table: sa.Table) -> Check:
    def measure(scope: Scope) -> Query:
        ledger = scope.books.ledger
        warned = sa.func.count().label("warned")
        rate = sa.cast(sa.func.count(), sa.Numeric) / sa.func.nullif(sa.literal(scope.source_rows), 0)
        loaded = sa.and_(ledger.c.outcome == Outcome.LOADED.value, ledger.c.reason.is_not(None))
        return sa.select(warned, rate.label("rate")).where(_of_ledger(scope, table.name), loaded)

    return Check(
        "warning_rate",
        f"Share of the source rows of {table.name} that were loaded with a warning.",
        measure,
        warn=at_most(rate=WARNED),
    )


# --- success ----------------------------------------------------------------------------------------------------------


def counted(scope_books: Any, export_id: str, components: Sequence[str]) -> sa.Subquery:
    """Source rows less skipped ones, and loaded rows, of components; one that was fed nothing has no line."""
    ledger = scope_books.ledger
    return (
        sa.select(
            ledger.c.target_table.label("component"),
            sa.func.count().filter(ledger.c.outcome != Outcome.SKIPPED.value).label("source_count"),
            sa.func.count().filter(ledger.c.outcome == Outcome.LOADED.value).label("migrated"),
        )
        .where(ledger.c.export_id == export_id, ledger.c.target_table.in_(components))
        .group_by(ledger.c.target_table)
        .subquery("counted")
    )


def percent(migrated: sa.ColumnElement[Any], source: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A rate in percent with two decimals, halves up; NULL where there is no source."""
    return two_decimals(sa.cast(100 * migrated, sa.Numeric) / sa.func.nullif(source, 0))


def two_decimals(number: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A number with two decimals, halves up."""
    return sa.func.round(number, 2, type_=sa.Numeric(6, 2))


def success_rate(component: str) -> Check:
    """How many percent of a component's rows were migrated."""
    minimum = MINIMUM_RATES[component]

    def measure(scope: Scope) -> Query:
        rows = counted(scope.books, scope.export.export_id, [component])
        rate = percent(rows.c.migrated, rows.c.source_count)
        return sa.select(rows.c.source_count, rows.c.migrated, rate.label("success_rate"))

    return Check(
        "success_rate",
        f"Percent of the source rows of {component}, less skipped ones, that were loaded; at least {minimum}.",
        measure,
        error=at_least(success_rate=str(minimum)),
    )


def _phase6(scope: Scope) -> Query:
    report = tables.migration_success_report
    return sa.select(report.c.source_count, report.c.migrated, report.c.success_rate).where(
        report.c.export_id == scope.export.export_id, report.c.component == "PHASE6_TOTAL"
    )


phase6_complete = Check(
    "phase6_complete",
    "Everything of the components of phase 6 was migrated.",
    _phase6,
    warn=at_least(success_rate="100.00"),
)


# --- payments ---------------------------------------------------------------------------------------------------------


def _reconciled(scope: Scope) -> pd.DataFrame:
    """The money of the file, read again, against what was loaded and what was rejected."""
    payments, ledger = tables.payments, scope.books.ledger
    batches = read_batches(scope.export.file_for(sources.dispatch_payment), sources.dispatch_payment)
    amounts = [stated_amounts(batch.rows).value.set_axis(batch.rows["source_row"]).dropna() for batch in batches]
    stated = pd.concat(amounts).astype(object) if amounts else pd.Series(dtype=object)
    outcomes = scope.connection.execute(
        sa.select(ledger.c.source_row, ledger.c.outcome).where(_of_ledger(scope, payments.name))
    ).all()
    became = {
        outcome: _sum(stated[stated.index.isin([row for row, each in outcomes if each == outcome])])
        for outcome in (Outcome.MERGED.value, Outcome.REJECTED.value)
    }
    loaded = sa.select(ledger.c.target_key).where(
        _of_ledger(scope, payments.name), ledger.c.outcome == Outcome.LOADED.value
    )
    # Each payment once: what is there twice is another check's finding.
    of_export = sa.select(payments.c.id, payments.c.amount).where(sa.cast(payments.c.id, sa.Text).in_(loaded))
    held = sa.select(sa.func.coalesce(sa.func.sum(of_export.distinct().subquery().c.amount), 0))
    figures = {
        "source": _sum(stated) - became[Outcome.MERGED.value],
        "rejected": became[Outcome.REJECTED.value],
        "loaded": Decimal(scope.connection.scalar(held) or 0),
    }
    return pd.DataFrame([figures | {"difference": figures["loaded"] + figures["rejected"] - figures["source"]}])


def _sum(amounts: pd.Series) -> Decimal:
    return sum(amounts, Decimal(0))


payment_amount_reconciliation = Check(
    "payment_amount_reconciliation",
    "The amounts that were loaded and rejected are exactly those of the file, less merged rows.",
    _reconciled,
    error=none_of("difference"),
    blocking=True,
)


def _mean_drift(table: sa.Table) -> Check:
    """The mean amount, against that of the rows as they were before the export."""

    def measure(scope: Scope) -> Query:
        change, log = scope.books.change, scope.books.run_log
        runs = sa.select(log.c.run_id).where(log.c.export_id == scope.export.export_id)
        first = (
            sa.select(change.c.row_key, change.c.before["amount"].astext.label("amount"))
            .ext(distinct_on(change.c.row_key))
            .where(change.c.table_name == table.name, change.c.run_id.in_(runs))
            .order_by(change.c.row_key, change.c.changed_at)
            .cte("first")
        )
        changed = sa.select(sa.literal(1)).where(first.c.row_key == key_json(table, key_columns(table)))
        earlier = sa.union_all(
            sa.select(sa.cast(first.c.amount, sa.Numeric).label("amount")).where(first.c.amount.is_not(None)),
            sa.select(table.c.amount).where(sa.not_(changed.exists())),
        ).subquery("earlier")
        now = sa.select(sa.func.round(sa.func.avg(table.c.amount), 2)).scalar_subquery()
        before = sa.select(sa.func.round(sa.func.avg(earlier.c.amount), 2)).scalar_subquery()
        rows = sa.select(now.label("mean"), before.label("mean_before")).subquery("rows")
        drift = sa.func.abs(rows.c.mean - rows.c.mean_before) / sa.func.nullif(rows.c.mean_before, 0)
        return sa.select(rows, drift.label("drift"))

    return Check(
        f"{table.name.removesuffix('s')}_amount_mean",
        f"The mean amount of {table.name}, and by how much of itself it moved since the export before.",
        measure,
        warn=at_most(drift=DRIFT),
    )


payment_amount_mean = _mean_drift(tables.payments)
payment_operation_amount_mean = _mean_drift(tables.payment_operations)


def _linked(scope: Scope) -> Query:
    linked = sa.func.count(tables.payments.c.patient_id)
    share = sa.cast(linked, sa.Numeric) / sa.func.nullif(sa.func.count(), 0)
    return sa.select(sa.func.count().label("payments"), linked.label("linked"), share.label("share")).select_from(
        tables.payments
    )


patient_link_rate = Check(
    "patient_link_rate",
    "Share of the payments that are linked to the profile of a patient.",
    _linked,
    warn=at_least(share=PATIENT_LINKS),
)


# --- shipments --------------------------------------------------------------------------------------------------------


def _unmatched(scope: Scope) -> Query:
    order, shipment = tables.orders, tables.shipments
    shipped = order.c.status == "shipped"
    joined = order.join(shipment, shipment.c.order_id == order.c.id, full=True)
    return (
        sa.select(sa.func.coalesce(order.c.id, shipment.c.id))
        .select_from(joined)
        .where(sa.func.coalesce(shipped, sa.false()) != shipment.c.id.is_not(None))
    )


shipment_per_shipped_order = Check(
    "shipment_per_shipped_order",
    "Every shipped order has a shipment, and no other order has one.",
    lambda scope: sa.select(sa.func.count().label("unmatched")).select_from(_unmatched(scope).subquery()),
    error=none_of("unmatched"),
    keys=_unmatched,
)


def _misdated(scope: Scope) -> Query:
    shipment = tables.shipments
    expected = sa.cast(sa.func.timezone("UTC", shipment.c.shipped_at), sa.Date) + DAYS_TO_DELIVER
    return sa.select(shipment.c.id).where(shipment.c.estimated_delivery_date.is_distinct_from(expected))


estimated_delivery = Check(
    "estimated_delivery",
    "Every shipment is estimated to arrive three days after the day that it was shipped.",
    lambda scope: sa.select(sa.func.count().label("wrong")).select_from(_misdated(scope).subquery()),
    error=none_of("wrong"),
    keys=_misdated,
)


# --- closed lists -----------------------------------------------------------------------------------------------------


def _strangers(
    name: str, column: sa.Column[str], known: Sequence[str], description: str, *, equal: bool = False
) -> Check:
    """Values of a column that are not in a list, and, where both must be equal, values that are missing."""

    def measure(scope: Scope) -> Query:
        other = sa.func.count(sa.distinct(column)).filter(column.not_in(known))
        present = sa.func.count(sa.distinct(column)).filter(column.in_(known))
        absent = sa.literal(len(known)) - present if equal else sa.literal(0)
        return sa.select(other.label("unknown"), absent.label("missing")).select_from(column.table)

    return Check(
        name,
        description,
        measure,
        warn=none_of("unknown", "missing"),
        keys=lambda scope: sa.select(column.table.c.id).where(column.not_in(known)),
    )


team_set = _strangers(
    "team_set",
    tables.teams.c.name,
    [name for name, _ in TEAMS.values()],
    "The teams are the nine that are known.",
    equal=True,
)
view_group_set = _strangers(
    "view_group_set",
    tables.template_view_groups.c.group_name,
    VIEWING_GROUPS,
    "Only doctors, masters, sales and technicians may view templates.",
)
specialty_set = _strangers(
    "specialty_set", tables.technicians.c.specialty, SPECIALTIES, "The specialties are the six that are known."
)


def _technicians(scope: Scope) -> Query:
    technician = tables.technicians
    active = sa.func.count().filter(technician.c.is_active)
    return (
        sa.select(
            sa.func.coalesce(technician.c.specialty, "all").label("specialty"),
            sa.func.count().label("technicians"),
            active.label("active"),
            sa.cast(sa.func.min(technician.c.hire_date), sa.Text).label("first_hired"),
            sa.cast(sa.func.max(technician.c.hire_date), sa.Text).label("last_hired"),
        )
        .group_by(sa.func.grouping_sets(sa.tuple_(), sa.tuple_(technician.c.specialty)))
        .order_by(sa.func.grouping(technician.c.specialty).desc(), technician.c.specialty)
    )


technician_profile = Check(
    "technician_profile", "How many technicians there are, active ones, and when they were hired.", _technicians
)


def _on_a_cycle(scope: Scope) -> Query:
    edge = tables.template_predecessors
    reached = sa.select(edge.c.template_id.label("start"), edge.c.predecessor_id.label("reached")).cte(
        "reached", recursive=True
    )
    further = sa.select(reached.c.start, edge.c.predecessor_id).join(edge, edge.c.template_id == reached.c.reached)
    everything = reached.union(further)
    return sa.select(everything.c.start).where(everything.c.start == everything.c.reached)


template_cycle = Check(
    "template_cycle",
    "No template comes after itself, by whatever way.",
    lambda scope: sa.select(sa.func.count().label("templates")).select_from(_on_a_cycle(scope).subquery()),
    warn=none_of("templates"),
    keys=_on_a_cycle,
)
