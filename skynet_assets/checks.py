"""The measured checks of Skynet with their thresholds, by the asset whose step they belong to."""

import os
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pandas as pd
import sqlalchemy as sa
from pandera.errors import SchemaErrors

from migration.checks import (
    Check,
    Limits,
    Scope,
    at_most,
    conservation,
    in_partition,
    none_of,
    orphans,
    share,
    unique,
)
from migration.errors import SetupError
from migration.exports.reading import read_batches
from migration.parsing.cells import parse_each
from migration.tables import Query, frame_schema, loaded_columns
from migration.warehouse.runlog import Status
from skynet_assets import sources, tables
from skynet_assets.parsing.dates import WIB
from skynet_assets.parsing.text import upper_key
from skynet_assets.reconciliation import reconciliation

PERIOD = "period"


# --- what the checks measure ------------------------------------------------------------------------------------------


def _ledger_share(outcome: str, target: sa.Table, reason: str | None = None, *, but: str | None = None) -> Any:
    """Rows of the source that had an outcome for a target, as a count and as a share of the source."""
    ledger = tables.books.ledger

    def measure(scope: Scope) -> Query:
        matching = [
            ledger.c.export_id == scope.export.export_id,
            ledger.c.source_table.in_(scope.source_tables),
            ledger.c.target_table == target.name,
            ledger.c.outcome == outcome,
        ]
        if reason is not None:
            matching.append(ledger.c.reason == reason)
        if but is not None:
            matching.append(ledger.c.reason != but)
        rows = sa.func.count()
        source = sa.func.nullif(sa.literal(scope.source_rows), 0)
        return sa.select(rows.label("rows"), (sa.cast(rows, sa.Numeric) / source).label("share")).where(*matching)

    return measure


def _unaccounted_of_frame(frame: str, target: sa.Table) -> Any:
    """Source rows that are neither in a staged frame nor in the ledger with another outcome."""
    ledger = tables.books.ledger

    def measure(scope: Scope) -> pd.DataFrame:
        counted = sa.select(sa.func.count()).where(
            ledger.c.export_id == scope.export.export_id,
            ledger.c.source_table.in_(scope.source_tables),
            ledger.c.target_table == target.name,
            ledger.c.outcome.in_(("rejected", "merged") if target is tables.customers else ("rejected",)),
        )
        others = scope.connection.scalar(counted) or 0
        kept = sum(scope.frames.parts(frame).values())
        return _one(
            source_rows=scope.source_rows, kept=kept, others=others, unaccounted=scope.source_rows - kept - others
        )

    return measure


def _one(**measures: Any) -> pd.DataFrame:
    return pd.DataFrame([measures], dtype=object)


def _share_of(rows: pd.DataFrame, flagged: pd.Series) -> pd.DataFrame:
    count = int(flagged.sum())
    return _one(rows=count, share=Decimal(count) / len(rows) if len(rows) else None)


def _final(scope: Scope) -> pd.DataFrame:
    return scope.frames.read("customers_final")


def _frame_share(flagged: Any) -> Any:
    """The share of the clean customers that a predicate flags."""

    def measure(scope: Scope) -> pd.DataFrame:
        rows = _final(scope)
        return _share_of(rows, flagged(rows))

    return measure


def _frame_keys(flagged: Any) -> Any:
    def keys(scope: Scope) -> list[str]:
        rows = _final(scope)
        return rows.loc[flagged(rows), "id"].head(10).tolist()

    return keys


def _warned(code: str) -> Any:
    return lambda rows: rows["warnings"].fillna("").str.split(",").map(lambda codes: code in codes)


# --- export -----------------------------------------------------------------------------------------------------------


def _regression(scope: Scope) -> Query:
    log = tables.books.run_log
    newest = sa.func.max(log.c.export_id).filter(log.c.status == Status.SUCCESS.value, log.c.asset == "customers")
    return sa.select(sa.cast(sa.func.coalesce(newest > scope.export.export_id, False), sa.Integer).label("older"))


EXPORT = (
    Check(
        "export_regression",
        "The export is not older than the newest one that was loaded.",
        _regression,
        warn=none_of("older"),
    ),
)


# --- customers --------------------------------------------------------------------------------------------------------

CUSTOMERS_CLEAN = (
    Check(
        "customers_clean_conservation",
        "Every row of the customer file survives, is merged or is rejected.",
        _unaccounted_of_frame("customers_clean", tables.customers),
        error=none_of("unaccounted"),
        blocking=True,
    ),
    Check(
        "customers_reject_rate",
        "Share of customer rows that were rejected.",
        _ledger_share("rejected", tables.customers),
        warn=at_most(share="0.01"),
        error=at_most(share="0.10"),
        blocking=True,
    ),
    Check(
        "duplicate_rate",
        "Share of customer rows that were merged into another.",
        _ledger_share("merged", tables.customers),
        warn=at_most(share="0.25"),
    ),
)


def _schema_failures(scope: Scope) -> pd.DataFrame:
    columns = loaded_columns(tables.customers)
    rows = _final(scope)[[c.name for c in columns]]
    try:
        frame_schema(columns, "customers").validate(rows, lazy=True)
    except SchemaErrors as error:
        return _one(failures=len(error.failure_cases))
    return _one(failures=0)


def _row_drift(scope: Scope) -> pd.DataFrame:
    """How far the number of customers is from the previous export's, or from the expected number without one."""
    log = tables.books.run_log
    previous = (
        sa.select(log.c.loaded)
        .where(
            log.c.asset == "customers_final",
            log.c.status == Status.SUCCESS.value,
            log.c.export_id < scope.export.export_id,
        )
        .order_by(log.c.export_id.desc(), log.c.finished_at.desc())
        .limit(1)
    )
    rows = len(_final(scope))
    before = scope.connection.scalar(previous)
    if before:
        return _one(rows=rows, previous=before, drop=Decimal(before - rows) / before, baseline_drift=None)
    baseline = expected_customers(os.environ)
    return _one(rows=rows, baseline=baseline, drop=None, baseline_drift=abs(Decimal(rows - baseline)) / baseline)


def expected_customers(environment: Mapping[str, str]) -> int:
    """How many customers the first export is expected to hold.

    Raises:
        SetupError: the setting is no whole number above 0.
    """
    given = environment.get("SKYNET_BASELINE_CUSTOMERS") or "1743"
    if not given.isdecimal() or int(given) == 0:
        raise SetupError(
            "SKYNET_BASELINE_CUSTOMERS is no whole number above 0.",
            "Set it to the number of customers, or leave it out.",
        )
    return int(given)


def _legacy_drift(scope: Scope) -> pd.DataFrame:
    difference = _legacy_difference(scope)
    return _one(different_ids=None if difference is None else len(difference))


def _legacy_difference(scope: Scope) -> list[str] | None:
    """Ids that only one of the clean list and the legacy system's own list has; None when it exported none."""
    for source in (sources.customers_final, sources.customers_clean):
        if source.name not in scope.source_tables and scope.export.has(source):
            batches = read_batches(scope.export.file_for(source), source)
            legacy = {k for batch in batches for k in parse_each(batch.rows["id_pelanggan"], upper_key).dropna()}
            return sorted(legacy.symmetric_difference(_final(scope)["id"]))
    return None


def _bad_coordinates(scope: Scope) -> pd.DataFrame:
    rows = _final(scope)
    given = rows[rows["coordinate_status"] != "missing"]
    return _share_of(given, given["coordinate_status"].isin(["invalid", "out_of_area"]))


def _registered_in_future(rows_of: Any = _final) -> Any:
    def measure(scope: Scope) -> pd.DataFrame:
        if scope.export.exported_at is None:
            return _one(rows=None)
        registered = rows_of(scope)["registered_at"].dropna()
        return _one(rows=int((registered > scope.export.exported_at.astimezone(WIB).date()).sum()))

    return measure


CUSTOMERS_FINAL = (
    Check(
        "customers_schema",
        "Every clean customer fits the declared columns: types, nulls, domains.",
        _schema_failures,
        error=none_of("failures"),
        blocking=True,
    ),
    Check(
        "customers_id_unique",
        "No two clean customers share an id.",
        lambda scope: _one(duplicates=int(_final(scope)["id"].duplicated().sum())),
        error=none_of("duplicates"),
        blocking=True,
    ),
    Check(
        "customers_row_drift",
        "Number of customers against the previous export, or against the expected number without one.",
        _row_drift,
        warn=at_most(drop="0.05", baseline_drift="0.20"),
        error=at_most(drop="0.20"),
        blocking=True,
    ),
    Check(
        "legacy_final_drift",
        "Ids of the clean list against those of the legacy system's own final list.",
        _legacy_drift,
        warn=none_of("different_ids"),
        keys=lambda scope: _legacy_difference(scope) or [],
    ),
    Check(
        "coordinates_quality",
        "Share of coordinates that are unusable or outside the service area, among those given.",
        _bad_coordinates,
        warn=at_most(share="0.10"),
    ),
    *(
        Check(name, description, _frame_share(flagged), warn=at_most(share=limit), keys=_frame_keys(flagged))
        for name, description, flagged, limit in (
            ("registered_at_nulls", "Share without a registration date.", lambda r: r["registered_at"].isna(), "0.10"),
            ("billing_day_nulls", "Share without a billing day.", lambda r: r["billing_day"].isna(), "0.05"),
            ("phone_nulls", "Share without a phone number.", lambda r: r["phone_number"].isna(), "0.10"),
            (
                "nik_invalid",
                "Share whose identity number cannot be one, or is unusable.",
                lambda r: (r["nik_valid"].astype(object) == False) | _warned("nik_unusable")(r),  # noqa: E712
                "0.20",
            ),
        )
    ),
    Check(
        "registered_in_future",
        "Customers registered after the export was made.",
        _registered_in_future(),
        warn=none_of("rows"),
    ),
    Check(
        "status_recognised",
        "Customers whose connection status is a word we do not know.",
        _frame_share(_warned("status_unrecognised")),
        warn=none_of("rows"),
        keys=_frame_keys(_warned("status_unrecognised")),
    ),
)


def _shared_usernames(scope: Scope) -> Query:
    customer = tables.customers
    return (
        sa.select(sa.func.min(customer.c.id))
        .where(~customer.c.pppoe_username_missing)
        .group_by(customer.c.pppoe_username)
        .having(sa.func.count() > 1)
    )


def _share_select(condition: Any, table: sa.Table) -> Any:
    def measure(scope: Scope) -> Query:
        return sa.select(sa.func.count().filter(condition).label("rows"), share(condition).label("share")).select_from(
            table
        )

    return measure


CUSTOMERS = (
    orphans("customers_fk", tables.customers),
    Check(
        "pppoe_username_duplicates",
        "Real PPPoE usernames that two or more customers share; the first customer of each is listed.",
        lambda scope: sa.select(sa.func.count().label("usernames")).select_from(_shared_usernames(scope).subquery()),
        warn=none_of("usernames"),
        keys=_shared_usernames,
    ),
    Check(
        "pppoe_password_missing",
        "Share of customers without a PPPoE password.",
        _share_select(tables.customers.c.pppoe_password.is_(None), tables.customers),
        warn=at_most(share="0.95"),
    ),
    *(
        Check(
            f"customers_without_{what}",
            f"Share of customers without a {what}.",
            _share_select(tables.customers.c[f"{what}_id"].is_(None), tables.customers),
            warn=at_most(share="0.10"),
        )
        for what in ("router", "package")
    ),
)


# --- packages and routers ---------------------------------------------------------------------------------------------


def _several_prices(scope: Scope) -> Query:
    package = tables.packages
    return (
        sa.select(package.c.name_key)
        .where(package.c.price.is_not(None))
        .group_by(package.c.name_key)
        .having(sa.func.count() > 1)
        .order_by(package.c.name_key)
    )


PACKAGES = (
    Check(
        "package_multiple_prices",
        "Package names with two or more known prices.",
        lambda scope: sa.select(sa.func.count().label("names")).select_from(_several_prices(scope).subquery()),
        warn=none_of("names"),
        keys=_several_prices,
    ),
    Check(
        "package_price_known",
        "Packages whose price is not known.",
        lambda scope: sa.select(sa.func.count().label("packages")).where(tables.packages.c.price.is_(None)),
        warn=none_of("packages"),
        keys=lambda scope: sa.select(tables.packages.c.name_key).where(tables.packages.c.price.is_(None)),
    ),
)


def _incomplete_routers(scope: Scope) -> Query:
    router = tables.routers
    lacking = sa.func.concat_ws(
        ",",
        *(sa.case((router.c[name].is_(None), name)) for name in ("ip_address", "username", "password")),
    )
    return sa.select(router.c.name, lacking).where(router.c.credentials_status != "complete").order_by(router.c.name)


ROUTER_CREDENTIALS = (
    Check(
        "routers_credentials_complete",
        "Routers that still lack an address, a username or a password; each with the names of what it lacks.",
        lambda scope: sa.select(sa.func.count().label("routers")).select_from(
            sa.select(tables.routers.c.id).where(tables.routers.c.credentials_status != "complete").subquery()
        ),
        warn=none_of("routers"),
        keys=_incomplete_routers,
    ),
)


# --- payments ---------------------------------------------------------------------------------------------------------

PAYMENTS_CLEAN = (
    Check(
        "payments_clean_conservation",
        "Every payment row is accepted or rejected.",
        _unaccounted_of_frame("payments_clean", tables.invoices),
        error=none_of("unaccounted"),
        blocking=True,
    ),
    Check(
        "payments_orphan_rate",
        "Share of payment rows whose customer is not known.",
        _ledger_share("rejected", tables.invoices, "ORPHAN_CUSTOMER"),
        warn=at_most(share="0.01"),
        error=at_most(share="0.05"),
        blocking=True,
    ),
    Check(
        "payments_reject_rate",
        "Share of payment rows rejected for any other reason.",
        _ledger_share("rejected", tables.invoices, but="ORPHAN_CUSTOMER"),
        warn=at_most(share="0.01"),
        error=at_most(share="0.10"),
        blocking=True,
    ),
)


def _underpaid(scope: Scope) -> Query:
    invoice = tables.invoices
    paid = invoice.c.status == "paid"
    return sa.select(
        sa.func.count().filter(paid, invoice.c.amount_paid < invoice.c.amount).label("rows"),
        share(invoice.c.amount_paid < invoice.c.amount, paid).label("share"),
    ).where(in_partition(invoice, PERIOD, scope))


INVOICES = (
    unique("invoices_unique", tables.invoices, ["customer_id", "period"], split_by=PERIOD),
    orphans("invoice_orphans", tables.invoices, split_by=PERIOD),
    Check(
        "paid_but_underpaid",
        "Share of paid invoices for which less was paid than was due.",
        _underpaid,
        warn=at_most(share="0.05"),
    ),
)


def _months_that_drift(scope: Scope) -> Query:
    """Months in which what invoices say was paid is not what their transactions add up to."""
    invoice, payment = tables.invoices, tables.transactions
    zero = sa.literal(Decimal("0.00"), sa.Numeric)
    sides = sa.union_all(
        sa.select(invoice.c.period, invoice.c.amount_paid.label("difference")).where(
            in_partition(invoice, PERIOD, scope)
        ),
        sa.select(payment.c.period, (zero - payment.c.amount).label("difference")).where(
            in_partition(payment, PERIOD, scope)
        ),
    ).subquery("sides")
    total = sa.func.sum(sides.c.difference)
    return sa.select(sides.c.period, total.label("difference")).group_by(sides.c.period).having(total != 0)


def _paid_total_drift(scope: Scope) -> Query:
    drift = _months_that_drift(scope).subquery("drift")
    largest = sa.func.coalesce(sa.func.max(sa.func.abs(drift.c.difference)), 0)
    return sa.select(sa.func.count().label("months"), largest.label("largest_difference")).select_from(drift)


TRANSACTIONS = (
    orphans("transaction_orphans", tables.transactions, split_by=PERIOD),
    Check(
        "paid_total_drift",
        "What the invoices of a month say was paid is what their transactions add up to, to the cent.",
        _paid_total_drift,
        error=none_of("largest_difference"),
        keys=_months_that_drift,
    ),
    Check(
        "paid_at_nulls",
        "Share of transactions without a time of payment.",
        _share_select(tables.transactions.c.paid_at.is_(None), tables.transactions),
        warn=at_most(share="0.05"),
    ),
)


# --- branches ---------------------------------------------------------------------------------------------------------


def _mismatched_branches(scope: Scope) -> Query:
    branch = tables.branch_summaries
    return sa.select(branch.c.branch_key).where(branch.c.export_id == scope.export.export_id, branch.c.balance_mismatch)


BRANCH_SUMMARIES = (
    conservation("branch_summaries_conservation", tables.branch_summaries),
    unique("branch_summaries_key_unique", tables.branch_summaries),
    Check(
        "branches_given",
        "The export holds a branch dashboard with rows.",
        lambda scope: _one(without_rows=int(scope.source_rows == 0)),
        warn=none_of("without_rows"),
    ),
    Check(
        "branch_balance",
        "Branches whose balance is not their income less their expense.",
        lambda scope: sa.select(sa.func.count().label("branches")).select_from(_mismatched_branches(scope).subquery()),
        warn=none_of("branches"),
        keys=_mismatched_branches,
    ),
)


def _beyond(scope: Scope) -> Query:
    compared = reconciliation(scope.export.export_id).subquery("compared")
    return sa.select(compared.c.branch_key, compared.c.measure).where(compared.c.beyond)


def _branches_compared(scope: Scope) -> Query:
    compared = reconciliation(scope.export.export_id).subquery("compared")
    return sa.select(
        sa.func.count().label("compared"), sa.func.count().filter(compared.c.beyond).label("beyond")
    ).select_from(compared)


BRANCH_RECONCILIATION = (
    Check(
        "branch_reconciliation",
        "Per branch: customers, paid and unpaid invoices and income of the dashboard against what was migrated.",
        _branches_compared,
        warn=none_of("beyond"),
        keys=_beyond,
    ),
)


# --- photos -----------------------------------------------------------------------------------------------------------


def _photo_share(name: str, status: str, limits: Limits) -> Check:
    photo = tables.identity_card_photos
    return Check(
        name,
        f"Share of identity-card photos that are {status}.",
        _share_select(photo.c.status == status, photo),
        warn=limits,
        keys=lambda scope: sa.select(photo.c.customer_id, photo.c.error_code).where(photo.c.status == status),
    )


PHOTO_QUEUE = (
    conservation("identity_card_photos_conservation", tables.identity_card_photos),
    orphans("identity_card_photos_orphans", tables.identity_card_photos),
    _photo_share("photos_blocked", "blocked", at_most(share="0.05")),
)
PHOTO_FILES = (_photo_share("photos_failed", "failed", at_most(share="0.05")),)
