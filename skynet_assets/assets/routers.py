"""Routers from the export, and the manual step that supplies their credentials."""

import os

import pandas as pd
import sqlalchemy as sa

from migration.declare.asset import Write
from migration.declare.step import Step
from migration.outcome import Labelled
from migration.parsing.keys import legacy_uuid
from skynet_assets import checks, sources, tables
from skynet_assets.assets import CORE, SKYNET
from skynet_assets.assets.packages import derived_ledger
from skynet_assets.overlay import Overlay, RouterState, applied, read_overlay

OVERLAY_VARIABLE = "SKYNET_ROUTER_CREDENTIALS_FILE"


def router_id(name: str) -> str:
    """The id of a router."""
    return str(legacy_uuid(f"skynet:routers:{name}"))


def router_rows(customers_final: pd.DataFrame) -> Labelled:
    """Rows of the routers table and the outcome of each clean customer for it."""
    first = customers_final[customers_final["router_id"].notna() & ~customers_final["router_id"].duplicated()]
    rows = pd.DataFrame({"id": first["router_id"], "name": first["router_name"]})
    return Labelled(rows, derived_ledger("routers", customers_final, "router_id", "no_router"))


@SKYNET.target_table(tables.routers, source=sources.customers, group=CORE)
def routers(customers_final: pd.DataFrame) -> Labelled:
    """Access routers by name; whatever else is known of them was supplied by a person and stays."""
    return router_rows(customers_final)


@SKYNET.step(
    group=CORE, upstream=["routers"], target=tables.routers, checks=checks.ROUTER_CREDENTIALS, kinds=("postgres",)
)
def router_credentials(step: Step) -> Write:
    """Router credentials from the overlay file that a person supplies; without one nothing happens.

    The file is named by `SKYNET_ROUTER_CREDENTIALS_FILE`. A value fills a column only while that is empty, unless the
    entry says `"overwrite": true`.
    """
    path = os.environ.get(OVERLAY_VARIABLE)
    overlay = read_overlay(path, os.environ) if path else Overlay({})

    def write() -> None:
        states = _router_states(step)
        changes = applied(overlay, states)
        for state in changes.updated:
            step.update(tables.routers, state.columns(), tables.routers.c.name == state.name)
        step.facts |= changes.facts(overlay_given=bool(path))
        step.tally.source_rows = len(overlay.entries)
        step.tally.outcomes["loaded"] = len(overlay.entries) - len(changes.unknown)
        step.tally.outcomes["skipped"] = len(changes.unknown)
        if changes.unknown:
            step.tally.skipped_by["unknown_router"] = len(changes.unknown)

    return write


def _router_states(step: Step) -> list[RouterState]:
    table = tables.routers
    columns = [table.c[name] for name in ("name", "port", "username", "password")]
    address = sa.func.host(table.c.ip_address).label("ip_address")
    rows = step.connection.execute(sa.select(*columns, address).order_by(table.c.name)).mappings()
    return [RouterState(**row) for row in rows]
