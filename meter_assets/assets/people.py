"""Tenants and their customers: whose money it is."""

import pandas as pd
import sqlalchemy as sa

from meter_assets import checks, rules, sources, tables
from meter_assets.assets import LOAD, METER, loaded, raw_record
from meter_assets.parsing.ids import ids
from meter_assets.parsing.labels import labels
from meter_assets.parsing.money import amounts
from meter_assets.parsing.problem import Problem
from meter_assets.parsing.rows import parsed_rows
from meter_assets.parsing.statuses import are_customers
from meter_assets.parsing.text import texts
from meter_assets.partitions import PARTITIONS_NAME
from migration.declare.asset import Registers
from migration.declare.resolving import Resolution
from migration.declare.step import Step
from migration.parsing.vectors import Parsed


def parsed_tenants(rows: pd.DataFrame) -> pd.DataFrame:
    """Tenants, read; a tenant without a name is called after its id."""
    name, key = texts(rows["name"]), ids(rows["id"])
    by_id = "Tenant " + key.value.astype(name.value.dtype)
    named = Parsed(name.value.fillna(by_id), name.problem)
    return parsed_rows(rows, {"name": named}, {"NAME_MISSING": name.has(Problem.NULL)})


@METER.resolved_table(
    tables.tenants,
    source=sources.tenants,
    rules=rules.tenant,
    raw=raw_record,
    newest="updated_at",
    group=LOAD,
    resolve=lambda stage, export_id: Resolution(stage),
    checks=checks.of_load(tables.tenants, sources.tenants),
    registers=Registers(PARTITIONS_NAME, sa.select(tables.tenants.c.id)),
)
def tenants(rows: pd.DataFrame) -> pd.DataFrame:
    """Tenants; each that is loaded becomes a partition of the steps."""
    return parsed_tenants(rows)


def parsed_users(rows: pd.DataFrame) -> pd.DataFrame:
    """Users, read; the stored money is kept where it can be, and nothing stored means nothing owed."""
    balance = amounts(rows["balance"]).with_default(0, Problem.NULL)
    overpayment = amounts(rows["overpayment"]).with_default(0, Problem.NULL)
    unusable = (Problem.UNPARSABLE, Problem.OUT_OF_RANGE)
    frame = parsed_rows(
        rows,
        {
            "tenant_id": ids(rows["tenant_id"]),
            "name": texts(rows["name"]),
            "status": labels(rows["status"]),
            "legacy_balance": balance,
            "legacy_overpayment": overpayment,
        },
        {"CUSTOMER_BALANCE_UNPARSED": balance.has(*unusable) | overpayment.has(*unusable)},
    )
    return frame.assign(**{"is_customer.problem": are_customers(rows["role"]).to_numpy(dtype=bool)})


def _resolved_customers(stage: sa.Table, export_id: str) -> Resolution:
    tenant = tables.tenants
    return Resolution(
        stage.outerjoin(tenant, loaded(tenant, stage.c.tenant_id, export_id)),
        {
            "balance": sa.func.coalesce(stage.c.legacy_balance, 0),
            "overpayment": sa.func.coalesce(stage.c.legacy_overpayment, 0),
        },
        [("ORPHAN_TENANT", tenant.c.id.is_(None))],
    )


def _set_legacy_balances(step: Step) -> None:
    """Let the balances follow the legacy figures, unless they have been synced with the meters."""
    table = tables.customers
    legacy = {name: sa.func.coalesce(table.c[f"legacy_{name}"], 0) for name in ("balance", "overpayment")}
    differs = sa.or_(*(table.c[name] != figure for name, figure in legacy.items()))
    step.update(table, legacy, table.c.balances_synced_export_id.is_(None) & differs)


@METER.resolved_table(
    tables.customers,
    source=sources.users,
    rules=rules.customer,
    about=rules.ABOUT,
    raw=raw_record,
    newest="updated_at",
    group=LOAD,
    resolve=_resolved_customers,
    checks=[*checks.of_load(tables.customers, sources.users), checks.null_rate_customer_balance],
    after_upsert=_set_legacy_balances,
)
def customers(rows: pd.DataFrame) -> pd.DataFrame:
    """Customers: the users whose role is customer, with what the legacy system says they owe."""
    return parsed_users(rows)
