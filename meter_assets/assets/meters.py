"""Meters, and which customer has or had which."""

import pandas as pd
import sqlalchemy as sa

from meter_assets import checks, rules, sources, tables
from meter_assets.assets import LOAD, METER, loaded, raw_record
from meter_assets.parsing.booleans import booleans
from meter_assets.parsing.dates import dates
from meter_assets.parsing.ids import ids
from meter_assets.parsing.money import amounts
from meter_assets.parsing.problem import Problem
from meter_assets.parsing.rows import parsed_rows, unparsed
from meter_assets.parsing.statuses import meter_statuses
from meter_assets.parsing.text import texts
from migration.declare.resolving import Resolution


def parsed_meters(rows: pd.DataFrame) -> pd.DataFrame:
    """Meters, read; a status that is none of the known is unknown."""
    status = meter_statuses(rows["status"])
    return parsed_rows(
        rows,
        {
            "tenant_id": ids(rows["tenant_id"]),
            "meter_number": texts(rows["meter_number"]),
            "status": status,
            "legacy_balance": amounts(rows["balance"]),
            "legacy_overpayment": amounts(rows["overpayment"]),
        },
        {"STATUS_UNKNOWN": status.has(Problem.NULL, Problem.UNPARSABLE)},
    )


def _resolved_meters(stage: sa.Table, export_id: str) -> Resolution:
    tenant = tables.tenants
    return Resolution(
        stage.outerjoin(tenant, loaded(tenant, stage.c.tenant_id, export_id)),
        rejects=[("ORPHAN_TENANT", tenant.c.id.is_(None))],
    )


@METER.resolved_table(
    tables.meters,
    source=sources.meters,
    rules=rules.meter,
    about=rules.ABOUT,
    raw=raw_record,
    newest="updated_at",
    group=LOAD,
    resolve=_resolved_meters,
    checks=[*checks.of_load(tables.meters, sources.meters), checks.duplicate_meter_numbers],
)
def meters(rows: pd.DataFrame) -> pd.DataFrame:
    """Meters; their balances are computed by a step, and start at zero."""
    return parsed_meters(rows)


def parsed_assignments(rows: pd.DataFrame) -> pd.DataFrame:
    """Assignments, read; whether one is active is what it says, not what its dates say."""
    active = booleans(rows["is_active"]).with_default(False, Problem.NULL)
    since, until = dates(rows["assigned_at"]), dates(rows["unassigned_at"])
    contradicts = active.value.fillna(value=False).astype(bool) & until.value.notna()
    return parsed_rows(
        rows,
        {
            "tenant_id": ids(rows["tenant_id"]),
            "customer_id": ids(rows["customer_id"]),
            "meter_id": ids(rows["meter_id"]),
            "is_active": active,
            "assigned_at": since,
            "unassigned_at": until,
        },
        {
            **unparsed(assigned_at=since, unassigned_at=until),
            "IS_ACTIVE_MISSING": active.has(Problem.NULL),
            "ASSIGNMENT_CONTRADICTION": contradicts,
        },
    )


def _resolved_assignments(stage: sa.Table, export_id: str) -> Resolution:
    tenant, customer, meter = tables.tenants, tables.customers, tables.meters
    own = sa.func.coalesce(stage.c.tenant_id, meter.c.tenant_id)
    joined = (
        stage.outerjoin(tenant, loaded(tenant, stage.c.tenant_id, export_id))
        .outerjoin(customer, loaded(customer, stage.c.customer_id, export_id))
        .outerjoin(meter, loaded(meter, stage.c.meter_id, export_id))
    )
    return Resolution(
        joined,
        {"tenant_id": own},
        [
            ("ORPHAN_TENANT", stage.c.tenant_id.is_not(None) & tenant.c.id.is_(None)),
            ("ORPHAN_CUSTOMER", customer.c.id.is_(None)),
            ("ORPHAN_METER", meter.c.id.is_(None)),
            ("TENANT_MISMATCH", (own != customer.c.tenant_id) | (own != meter.c.tenant_id)),
        ],
    )


@METER.resolved_table(
    tables.meter_assignments,
    source=sources.meter_assignments,
    rules=rules.meter_assignment,
    about=rules.ABOUT,
    raw=raw_record,
    newest="updated_at",
    group=LOAD,
    resolve=_resolved_assignments,
    checks=checks.of_load(tables.meter_assignments, sources.meter_assignments),
)
def meter_assignments(rows: pd.DataFrame) -> pd.DataFrame:
    """Assignments of meters to customers, present and past."""
    return parsed_assignments(rows)
