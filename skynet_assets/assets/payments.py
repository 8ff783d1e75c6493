"""Payments: one stream of legacy rows gives, month by month, invoices and the transactions that paid them."""

import calendar
import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from migration.declare.asset import Partitioning, Write
from migration.declare.step import Step
from migration.outcome import Labelled, Outcome, failed_ledger, join_codes, label, rejects, split_by_rules
from migration.parsing.cells import field_of, parse_each
from migration.parsing.keys import legacy_uuid
from migration.parsing.records import raw_json
from skynet_assets import checks, rules, sources, tables
from skynet_assets.assets import BILLING, SKYNET, is_secret
from skynet_assets.months import MONTHS, months_after, reference_month
from skynet_assets.parsing.dates import entry_time, period
from skynet_assets.parsing.money import money
from skynet_assets.parsing.problem import Problem
from skynet_assets.parsing.statuses import payment_method, payment_status, proof
from skynet_assets.parsing.text import text, upper_key

BY_MONTH = Partitioning(MONTHS, split_by="period", frame="payments_clean")
TARGETS = ("invoices", "transactions")

PAYMENT_SCHEMA = pa.schema(
    [
        ("source_row", pa.int64()),
        ("source_pk", pa.string()),
        ("customer_id", pa.string()),
        ("period", pa.date32()),
        ("invoice_id", pa.string()),
        ("transaction_id", pa.string()),
        ("amount", pa.decimal128(14, 2)),
        ("status", pa.string()),
        ("rank", pa.int8()),
        ("payment", pa.decimal128(14, 2)),
        ("no_payment_rule", pa.string()),
        ("payment_method", pa.string()),
        ("payment_method_raw", pa.string()),
        ("proof_of_payment", pa.string()),
        ("paid_at", pa.timestamp("us", tz="UTC")),
        ("warnings", pa.string()),
    ]
)


# --- rows that can be used --------------------------------------------------------------------------------------------


def parsed_payments(rows: pd.DataFrame) -> pd.DataFrame:
    """Payment rows with their values read.

    Args:
        rows: cells of the payment file.

    Returns:
        The same rows with the columns that the row rules look at; unusable values are `Problem`s.
    """
    return pd.DataFrame(
        {
            "source_row": rows["source_row"],
            "source_pk": "row:" + rows["source_row"].astype(str),
            "malformed": rows["malformed"],
            "customer_id": parse_each(rows["id_pelanggan"], upper_key),
            "period": parse_each(rows["periode"], period),
            "amount": parse_each(rows["nominal_harus_dibayar"], money),
            "paid": parse_each(rows["nominal_pembayaran"], money),
            "status": parse_each(rows["status_pembayaran"], payment_status),
        }
    )


def accepted_payments(parsed: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """What an accepted row says of its invoice and its payment.

    Args:
        parsed: rows that passed every rule.
        rows: their cells, same index.

    Returns:
        The columns of `PAYMENT_SCHEMA`.
    """
    status = field_of(parsed["status"], "status")
    payment, rule = _payment(status, parsed["amount"], parsed["paid"])
    method = parse_each(rows["metode"], payment_method)
    proofs = parse_each(rows["bukti_pembayaran_url"], proof)
    paid_at = parse_each(rows["waktu_entry"], entry_time)
    warnings = {
        "paid_at_unparsed": paid_at == Problem.INVALID,
        "method_other": method == "other",
        "proof_unsafe": field_of(proofs, "unsafe"),
    }
    accepted = parsed[["source_row", "source_pk", "customer_id", "period", "amount"]].assign(
        status=status,
        rank=field_of(parsed["status"], "rank"),
        payment=payment,
        no_payment_rule=rule,
        payment_method=method,
        payment_method_raw=parse_each(rows["metode"], text),
        proof_of_payment=field_of(proofs, "value"),
        paid_at=paid_at.where(paid_at != Problem.INVALID, None),
        warnings=join_codes(warnings),
    )
    return accepted.assign(invoice_id=invoice_ids(accepted), transaction_id=transaction_ids(accepted))


_NO_PAYMENT = {"paid": "zero_payment", "partial": "no_payment", "unpaid": "no_payment", "void": "void_invoice"}


def _payment(status: pd.Series, due: pd.Series, paid: pd.Series) -> tuple[pd.Series, pd.Series]:
    """The amount that each row says was paid, or the rule by which it says nothing was."""
    stated = paid.where(paid.map(lambda p: isinstance(p, Decimal)), None)
    amount = stated.where(stated.notna() | (status != "paid"), due)
    amount = amount.where((status != "void") & amount.map(lambda a: a is not None and a > 0), None)
    return amount, status.map(_NO_PAYMENT).where(amount.isna(), None)


def split_by_month(accepted: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Accepted rows by the month they are for, keyed as the partitions are."""
    for month, rows in accepted.groupby("period", sort=True):
        yield str(month), rows


@SKYNET.step(
    group=BILLING,
    upstream=["export", "customers"],
    source=sources.transactions,
    checks=checks.PAYMENTS_CLEAN,
    kinds=("pandas", "parquet"),
)
def payments_clean(step: Step) -> Write:
    """Payment rows that can be used, split by month; the others are rejected before a month is known."""
    step.tally.source_rows = step.export.file_for(sources.transactions).rows
    payment_rules = rules.payment(_last_period(step), _known_customers(step))

    def months() -> Iterator[tuple[str, pd.DataFrame]]:
        for batch in step.read(sources.transactions):
            passed, failed = split_by_rules(payment_rules, parsed_payments(batch.rows))
            accepted = accepted_payments(passed, batch.rows.loc[passed.index])
            step.tally.add(label("invoices", accepted, Outcome.LOADED, reason=accepted["warnings"]))
            _quarantine(step, failed, [batch.records[position] for position in failed.index])
            yield from split_by_month(accepted)

    step.frames.write("payments_clean", months(), PAYMENT_SCHEMA)
    # An orphan of an earlier run may have its customer by now.
    step.forget_former(TARGETS, Outcome.REJECTED)
    return step.nothing


def _quarantine(step: Step, failed: pd.DataFrame, records: list[Any]) -> None:
    """Reject rows for both targets; they count once."""
    raw = [raw_json(record, is_secret) for record in records]
    for target in TARGETS:
        ledger = failed_ledger(target, failed)
        if target == TARGETS[0]:
            step.tally.add(ledger)
        step.outcomes.add(step.connection, ledger, rejects(target, failed, raw))


def _last_period(step: Step) -> dt.date:
    """The latest month that an invoice may be for: a year after the export's, within the partitions."""
    last_partition = dt.date.fromisoformat(str(MONTHS.get_last_partition_key()))
    month = reference_month(step.export.exported_at)
    return last_partition if month is None else min(months_after(month, rules.ADVANCE_MONTHS), last_partition)


def _known_customers(step: Step) -> frozenset[str]:
    return frozenset(step.connection.scalars(sa.select(tables.customers.c.id)))


def invoice_ids(payments: pd.DataFrame) -> pd.Series:
    """The id of each row's invoice, made of its customer and month."""
    pairs = _pairs(payments)
    ids = {(c, m): str(legacy_uuid(f"skynet:transactions:{c}|{m:%Y-%m}")) for c, m in set(pairs)}
    return pd.Series([ids[pair] for pair in pairs], index=payments.index, dtype=object)


def transaction_ids(payments: pd.DataFrame) -> pd.Series:
    """The id of each row's payment, made of what makes a payment the same; missing where nothing was paid."""
    columns = [payments[n] for n in ("customer_id", "period", "payment", "paid_at", "payment_method")]
    ids = [
        None if amount is None else str(legacy_uuid(_transaction_text(customer, month, amount, time, method)))
        for customer, month, amount, time, method in zip(*(c.astype(object) for c in columns), strict=True)
    ]
    return pd.Series(ids, index=payments.index, dtype=object)


def _transaction_text(
    customer: str, month: dt.date, amount: Decimal, time: dt.datetime | None, method: str | None
) -> str:
    when = "" if pd.isna(time) else f"{time:%Y-%m-%dT%H:%M:%SZ}"
    return f"skynet:transactions:{customer}|{month:%Y-%m}|{amount:.2f}|{when}|{method or ''}"


def _pairs(rows: pd.DataFrame) -> list[tuple[str, dt.date]]:
    return list(zip(rows["customer_id"], rows["period"], strict=True))


# --- invoices and transactions ----------------------------------------------------------------------------------------


def grouped_payments(payments: pd.DataFrame) -> pd.DataFrame:
    """The distinct payments of a month, each from its first row.

    Args:
        payments: accepted rows of one month.

    Returns:
        One row per distinct payment: its first row, `paid` if any of them is, and the first proof there is.
    """
    paying = payments[payments["payment"].notna()].sort_values("source_row")
    groups = paying.groupby("transaction_id", sort=False)
    first = paying.drop_duplicates("transaction_id").set_index("transaction_id")
    any_paid = (paying["status"] == "paid").groupby(paying["transaction_id"]).any()
    return first.assign(
        status=any_paid.map({True: "paid", False: "partial"}), proof_of_payment=groups["proof_of_payment"].first()
    ).reset_index()


def invoice_rows(payments_clean: pd.DataFrame, billing_days: dict[str, int | None]) -> Labelled:
    """Invoices of a month and the outcome of each accepted row for them.

    Args:
        payments_clean: accepted rows of one month.
        billing_days: day of the month on which each customer's bill is due.
    """
    ranked = payments_clean.sort_values(
        ["rank", "paid_at", "source_row"], ascending=[False, False, True], na_position="last"
    )
    winners = ranked.drop_duplicates("customer_id").sort_values("customer_id")
    paid = grouped_payments(payments_clean).groupby("customer_id")["payment"].sum()
    amount_paid = winners["customer_id"].map(paid).astype(object)
    amount_paid = amount_paid.where(amount_paid.notna(), Decimal("0.00"))
    part_paid = (winners["status"] == "unpaid") & (amount_paid > 0)
    rows = winners.assign(
        id=winners["invoice_id"],
        code=[f"INV-{month:%Y%m}-{customer}" for customer, month in _pairs(winners)],
        amount_paid=amount_paid,
        status=winners["status"].where(~part_paid, "partial"),
        due_date=[due_date(month, billing_days.get(customer)) for customer, month in _pairs(winners)],
    )
    outcome = pd.Series(Outcome.MERGED.value, index=payments_clean.index)
    outcome[winners.index] = Outcome.LOADED.value
    return Labelled(rows, label("invoices", payments_clean, outcome, target_key=payments_clean["invoice_id"]))


def due_date(month: dt.date, billing_day: int | None) -> dt.date:
    """The billing day in a month, the 20th without one, no later than the month's last day."""
    last = calendar.monthrange(month.year, month.month)[1]
    return month.replace(day=min(billing_day or rules.DEFAULT_BILLING_DAY, last))


def transaction_rows(payments_clean: pd.DataFrame) -> Labelled:
    """Transactions of a month and the outcome of each accepted row for them.

    Args:
        payments_clean: accepted rows of one month.
    """
    grouped = grouped_payments(payments_clean)
    rows = grouped.assign(id=grouped["transaction_id"], amount=grouped["payment"])
    paying = payments_clean["payment"].notna()
    outcome = pd.Series(Outcome.SKIPPED.value, index=payments_clean.index)
    outcome[paying] = Outcome.MERGED.value
    outcome[payments_clean["source_row"].isin(grouped["source_row"])] = Outcome.LOADED.value
    loaded = outcome == Outcome.LOADED.value
    reason = payments_clean["warnings"].where(loaded, None).where(paying, payments_clean["no_payment_rule"])
    keys = payments_clean["transaction_id"]
    return Labelled(rows, label("transactions", payments_clean, outcome, reason=reason, target_key=keys))


@SKYNET.target_table(
    tables.invoices, source=sources.transactions, group=BILLING, partitioning=BY_MONTH, checks=checks.INVOICES
)
def invoices(step: Step, payments_clean: pd.DataFrame) -> Labelled:
    """Invoices, one per customer and month: the row with the highest status, the latest payment, the first in the file.

    Partitioned by the billed month.
    """
    customers = tables.customers
    ids = payments_clean["customer_id"].unique().tolist()
    days = step.connection.execute(
        sa.select(customers.c.id, customers.c.billing_day).where(
            customers.c.id == sa.any_(sa.literal(ids, sa.ARRAY(sa.Text)))
        )
    )
    return invoice_rows(payments_clean, {row.id: row.billing_day for row in days})


def _delete_superseded(step: Step) -> None:
    """Delete transactions of this export's invoices that the export no longer has."""
    transaction, invoice = tables.transactions, tables.invoices
    month = sa.cast(step.partition, sa.Date)
    of_export = sa.select(invoice.c.id).where(invoice.c.period == month, invoice.c.export_id == step.export.export_id)
    step.facts["superseded"] = step.delete(
        transaction,
        (transaction.c.period == month)
        & (transaction.c.export_id != step.export.export_id)
        & transaction.c.invoice_id.in_(of_export),
    )


@SKYNET.target_table(
    tables.transactions,
    source=sources.transactions,
    group=BILLING,
    partitioning=BY_MONTH,
    checks=checks.TRANSACTIONS,
    supersede=_delete_superseded,
)
def transactions(payments_clean: pd.DataFrame) -> Labelled:
    """Payments, one per distinct payment of an invoice; exact repeats in the export are merged.

    Partitioned by the billed month. Transactions that a newer export no longer has for an invoice are deleted.
    """
    return transaction_rows(payments_clean)
