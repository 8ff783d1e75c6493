"""The checks of customers, partners and packages."""

from typing import Any

import pandas as pd
import sqlalchemy as sa

from billing_assets import tables
from billing_assets.checks.counting import NONE, Failing, blocking, of_table, one, warning
from billing_assets.checks.numbers import number_checks
from migration.checks import (
    Check,
    Scope,
)
from migration.tables import Query


def _shared_email_rows(scope: Scope) -> pd.DataFrame:
    return scope.frames.read("shared_emails")


def _partners_without_share(scope: Scope) -> Query:
    partner = tables.mac_partners
    return sa.select(partner.c.id).where(partner.c.is_active, partner.c.percentage_share == 0)


def _repeated(table: sa.Table, *columns: sa.ColumnElement[Any]) -> Failing:
    """The first row of each group that shares values; rows without the first value do not count."""
    return lambda scope: (
        sa.select(sa.func.min(table.c.id)).where(columns[0].is_not(None)).group_by(*columns).having(sa.func.count() > 1)
    )


_package = tables.packages

SALES_CUSTOMERS = (
    *of_table(tables.sales_customers),
    *number_checks(tables.sales_customers),
    blocking(
        "email_unique",
        "E-mail addresses of several customers.",
        _repeated(tables.sales_customers, tables.sales_customers.c.email),
    ),
    Check(
        "emails_shared",
        "E-mail addresses that are used under several names; the customer with the lowest id keeps each.",
        lambda scope: one(violations=_shared_email_rows(scope)["keeper"].nunique()),
        warn=NONE,
        keys=lambda scope: [str(key) for key in sorted(_shared_email_rows(scope)["id"].tolist())],
    ),
)
MAC_PARTNERS = (
    *of_table(tables.mac_partners),
    *number_checks(tables.mac_partners),
    warning("partner_without_share", "Active partners whose share is 0.", _partners_without_share),
)
PACKAGES = (
    *of_table(tables.packages),
    blocking(
        "packages_unique",
        "Packages of the same type, name in any case, speed and rate.",
        _repeated(
            _package, _package.c.type, sa.func.lower(_package.c.name.collate("C")), _package.c.mbps, _package.c.rate
        ),
    ),
)
MAC_END_CUSTOMERS = (*of_table(tables.mac_end_customers), *number_checks(tables.mac_end_customers))
SOHO_CUSTOMERS = (*of_table(tables.soho_customers), *number_checks(tables.soho_customers))
