"""Customers, channel partners and their packages: the roots that every bill refers to."""

from collections.abc import Iterator

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from billing_assets import checks, rules, sources, tables
from billing_assets.assets import BILLING, CUSTOMERS, EXPORT, TABLE_KINDS
from billing_assets.assets.reading import Lookup, Parse, collected, passing
from billing_assets.assets.writing import (
    as_loaded,
    in_turn,
    known_numbers,
    merged_or_loaded,
    numbered,
    package_orphans,
    staged,
    unreadable,
    with_known_numbers,
    with_warnings,
)
from billing_assets.parsing import account_numbers
from billing_assets.parsing.dates import dates
from billing_assets.parsing.numbers import RATE, booleans, ids, numbers, percentages
from billing_assets.parsing.problem import Problem
from billing_assets.parsing.rows import cells, keyed_rows
from billing_assets.parsing.texts import emails, names, texts
from billing_assets.parsing.words import (
    BANDWIDTH,
    CUSTOMER_STATUSES,
    SERVICE_STATUSES,
    customer_type_words,
    same_words,
    words,
)
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.outcome import Labelled
from migration.parsing.vectors import Parsed


def plain_texts(rows: pd.DataFrame, *columns: str) -> dict[str, Parsed]:
    """Columns of free text, read."""
    return {name: texts(rows[name]) for name in columns}


def statuses(rows: pd.DataFrame, allowed: tuple[str, ...]) -> Parsed:
    """A column of statuses; none given is active."""
    return words(rows["status"], same_words(allowed)).with_default("Active", Problem.BLANK)


def redirects(step: Step, source: str) -> Lookup:
    """Where the legacy ids of a table with merged rows have ended."""
    redirect = tables.legacy_redirect
    where = redirect.c.source_table == source
    return Lookup.read(step, sa.select(redirect.c.legacy_id, redirect.c.target_id).where(where), pa.int64())


def redirect_rows(source: pd.Series, legacy_ids: pd.Series, survivors: pd.Series) -> pd.DataFrame:
    """Rows of `legacy_redirect` for legacy rows that were loaded or merged."""
    return pd.DataFrame({"source_table": source, "legacy_id": legacy_ids, "target_id": survivors})


def stage_redirects(step: Step, rows: pd.DataFrame) -> Write:
    """Stage rows of `legacy_redirect`, which have no outcome of their own."""
    return staged(step, tables.legacy_redirect, [Labelled(rows, ledger=_NO_OUTCOME)])


_NO_OUTCOME = pd.DataFrame(columns=["outcome", "reason"])


# --- bandwidth customers ----------------------------------------------------------------------------------------------


def parsed_sales_customers(rows: pd.DataFrame) -> pd.DataFrame:
    """Bandwidth customers, read; without a type they are bandwidth customers."""
    kind = words(rows["customer_type"], customer_type_words).with_default(BANDWIDTH, Problem.BLANK)
    return keyed_rows(
        rows,
        {
            "name": names(rows["name"]),
            "company_name": names(rows["company_name"]),
            "email": emails(rows["email"]),
            **plain_texts(rows, "phone", "address", "customer_number", "link_id"),
            "customer_type": kind,
            "assigned_sales_person_id": ids(cells(rows, "assigned_sales_person")),
            "status": statuses(rows, CUSTOMER_STATUSES),
        },
    )


def customer_survivors(rows: pd.DataFrame) -> pd.Series:
    """The id that each customer ends in: rows of one address and one name are the one with the lowest id."""
    called = rows["company_name"].fillna(rows["name"]).str.lower()
    lowest = rows.groupby([rows["email"], called], sort=False)["id"].transform("min")
    return rows["id"].where(rows["email"].isna(), lowest)


def shares_address(rows: pd.DataFrame) -> pd.Series:
    """Whether a customer of another name with a lower id has the same address."""
    lowest = rows.groupby("email", sort=False)["id"].transform("min")
    return rows["email"].notna() & rows["id"].ne(lowest).fillna(value=False).astype(bool)


def shared_emails(rows: pd.DataFrame) -> pd.DataFrame:
    """The customers that do not get their address: their `id`, and the `keeper` that has it."""
    keeper = rows.groupby("email", sort=False)["id"].transform("min")
    return rows.assign(keeper=keeper)[["id", "keeper"]][shares_address(rows)]


def customer_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """The surviving customers with their numbers, addresses and warnings."""
    rows, regenerated = numbered(
        rows, "customer_number", account_numbers.customer_number, rows["company_name"].fillna(rows["name"])
    )
    shared = shares_address(rows)
    return with_warnings(
        rows.assign(email=rows["email"].mask(shared)),
        emails_nulled=unreadable(rows, "email"),
        emails_shared=shared,
        numbers_regenerated=regenerated,
    )


@BILLING.step(
    group=CUSTOMERS,
    upstream=[EXPORT],
    source=sources.sales_customers,
    target=tables.sales_customers,
    checks=checks.SALES_CUSTOMERS,
    kinds=TABLE_KINDS,
)
def sales_customers(step: Step) -> Write:
    """Bandwidth customers and resellers, one per legacy id; rows of the same e-mail and name are one customer."""
    table, source = tables.sales_customers, sources.sales_customers
    passed = passing(step, source, table, parsed_sales_customers, rules.sales_customer)
    rows = collected(passed, parsed_sales_customers, source)
    survivors = customer_survivors(rows)
    kept = customer_rows(rows[survivors.eq(rows["id"])])
    rows = rows.assign(warnings=kept["warnings"])
    kept = with_known_numbers(kept, "customer_number", known_numbers(step, table, "customer_number"))
    redirect = redirect_rows(pd.Series(source.name, index=rows.index), rows["id"], survivors)
    step.frames.write("shared_emails", [(None, shared_emails(rows[survivors.eq(rows["id"])]))])
    return in_turn(
        lambda: _release_addresses(step),
        staged(step, table, [Labelled(kept, merged_or_loaded(table, rows, survivors))]),
        stage_redirects(step, redirect),
    )


def _release_addresses(step: Step) -> None:
    """Take an address from customers that only older exports have, where a customer of this one has it now."""
    customer, stage = tables.sales_customers, step.stage_of(tables.sales_customers)
    given_on = customer.c.email.in_(sa.select(stage.c.email)) & customer.c.id.not_in(sa.select(stage.c.id))
    step.facts["addresses_released"] = step.update(customer, {"email": None}, given_on)


# --- channel partners -------------------------------------------------------------------------------------------------


def parsed_mac_partners(rows: pd.DataFrame) -> pd.DataFrame:
    """Channel partners, read; without a share they get none."""
    share = percentages(rows["percentage_share"])
    return keyed_rows(
        rows,
        {
            "mac_cust_name": names(rows["mac_cust_name"]),
            "email": emails(rows["email"]),
            **plain_texts(rows, "phone", "address", "contact_person", "mac_partner_number", "notes"),
            "percentage_share": share.with_default(0, Problem.BLANK),
            "is_active": booleans(rows["is_active"]).with_default(True, Problem.BLANK),
        },
    )


def _numbered_batches(
    step: Step, batches: Iterator[pd.DataFrame], table: sa.Table, name: str, kind: account_numbers.NumberKind
) -> Iterator[Labelled]:
    """Rows of a customer table with their numbers and outcomes."""
    column = tables.NUMBERED[table]
    known = known_numbers(step, table, column)
    for batch in batches:
        rows, regenerated = numbered(batch, column, kind, batch[name])
        flags = {"emails_nulled": unreadable(rows, "email"), "numbers_regenerated": regenerated}
        flags |= package_orphans(rows)
        yield as_loaded(table, with_known_numbers(with_warnings(rows, **flags), column, known))


@BILLING.step(
    group=CUSTOMERS,
    upstream=[EXPORT],
    source=sources.mac_partners,
    target=tables.mac_partners,
    checks=checks.MAC_PARTNERS,
    kinds=TABLE_KINDS,
)
def mac_partners(step: Step) -> Write:
    """Channel partners, one per legacy id."""
    table = tables.mac_partners
    passed = passing(step, sources.mac_partners, table, parsed_mac_partners, rules.mac_partner)
    batches = _numbered_batches(step, passed, table, "mac_cust_name", account_numbers.mac_partner_number)
    return staged(step, table, batches)


# --- end customers and home customers ---------------------------------------------------------------------------------


def mac_end_customers_parser(partners: Lookup, packages: Lookup) -> Parse:
    """How end customers are read, given the loaded partners and where the packages have ended."""

    def parse(rows: pd.DataFrame) -> pd.DataFrame:
        partner, package = ids(cells(rows, "mac_partner")), ids(cells(rows, "package"))
        frame = keyed_rows(
            rows,
            {
                "mac_partner": partner,
                "name": names(rows["name"]),
                "email": emails(rows["email"]),
                **plain_texts(rows, "phone", "address", "notes", "mac_end_customer_number"),
                "package": package,
                "custom_rate": numbers(rows["custom_rate"], RATE),
                "activation_date": dates(rows["activation_date"]),
                "bill_date": dates(rows["bill_date"]),
                "status": statuses(rows, SERVICE_STATUSES),
            },
        )
        return frame.assign(mac_partner_id=partners.of(partner.value), package_id=packages.of(package.value))

    return parse


@BILLING.step(
    group=CUSTOMERS,
    upstream=[EXPORT, "mac_partners", "packages"],
    source=sources.mac_end_customers,
    target=tables.mac_end_customers,
    checks=checks.MAC_END_CUSTOMERS,
    kinds=TABLE_KINDS,
)
def mac_end_customers(step: Step) -> Write:
    """End customers of channel partners, one per legacy id."""
    table = tables.mac_end_customers
    parse = mac_end_customers_parser(Lookup.ids(step, tables.mac_partners), redirects(step, "mac_packages"))
    passed = passing(step, sources.mac_end_customers, table, parse, rules.mac_end_customer)
    return staged(step, table, _numbered_batches(step, passed, table, "name", account_numbers.mac_end_customer_number))


def soho_customers_parser(packages: Lookup, package_rates: Lookup) -> Parse:
    """How home customers are read, given where the packages have ended and what they cost.

    A customer without a rate, or with 0, pays what the package costs; without a package 0 stays 0.
    """

    def parse(rows: pd.DataFrame) -> pd.DataFrame:
        package, rate = ids(cells(rows, "package")), numbers(rows["rate"], RATE)
        frame = keyed_rows(
            rows,
            {
                "cust_name": names(rows["cust_name"]),
                "email": emails(rows["email"]),
                **plain_texts(rows, "phone", "address", "notes", "soho_customer_number"),
                "package": package,
                "rate": rate,
                "activation_date": dates(rows["activation_date"]),
                "status": statuses(rows, SERVICE_STATUSES),
            },
        )
        package_id = packages.of(package.value)
        unset = rate.has(Problem.BLANK) | rate.value.eq(0).fillna(value=False).astype(bool)
        of_package = package_rates.of(package_id).fillna(rate.value)
        return frame.assign(package_id=package_id, rate=rate.value.where(~unset, of_package))

    return parse


@BILLING.step(
    group=CUSTOMERS,
    upstream=[EXPORT, "packages"],
    source=sources.soho_customers,
    target=tables.soho_customers,
    checks=checks.SOHO_CUSTOMERS,
    kinds=TABLE_KINDS,
)
def soho_customers(step: Step) -> Write:
    """Home and small-office customers, one per legacy id."""
    table, package = tables.soho_customers, tables.packages
    rates = Lookup.read(step, sa.select(package.c.id, package.c.rate), pa.decimal128(12, 2))
    parse = soho_customers_parser(redirects(step, "soho_packages"), rates)
    passed = passing(step, sources.soho_customers, table, parse, rules.soho_customer)
    return staged(
        step, table, _numbered_batches(step, passed, table, "cust_name", account_numbers.soho_customer_number)
    )
