"""A system of one large table, payment-like, to measure the path of a row through the core."""

import datetime as dt
import random
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import pandas as pd
import sqlalchemy as sa

from migration.declare.system import System
from migration.exports.sources import SourceTable
from migration.outcome import Rule
from migration.parsing.cells import parse_each
from migration.tables import at_least, one_of, provenance, source_row, target, target_metadata
from migration.warehouse.bookkeeping import bookkeeping

METHODS = ("cash", "transfer", "qris", "card")
STATUSES = ("paid", "partial", "unpaid")
CUSTOMERS = 20_000

metadata = target_metadata("bench")
books = bookkeeping(metadata)
source = SourceTable(
    "payments",
    columns=("id", "customer", "amount", "method", "status", "period", "paid_at", "reference", "note"),
    required_keys=("id", "amount"),
    malformed_rows="abort",
)
table = target(
    "payments",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("customer", sa.Text, nullable=False, index=True),
    sa.Column("amount", sa.Numeric(14, 2), nullable=False, info=at_least(0)),
    sa.Column("method", sa.Text, nullable=False, info=one_of(*METHODS)),
    sa.Column("status", sa.Text, nullable=False, info=one_of(*STATUSES)),
    sa.Column("period", sa.Date, nullable=False, index=True),
    sa.Column("paid_at", sa.DateTime(timezone=True)),
    sa.Column("reference", sa.Text),
    sa.Column("note", sa.Text),
    source_row(),
    *provenance(),
    comment="Payments to measure with",
)
BENCH = System("bench", metadata, books, (source,))

export = BENCH.export_asset(group="bench")


def _amount(value: Any) -> Decimal | None:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


RULES = (
    Rule("MISSING_ID", lambda rows: rows["id"].isna(), "id"),
    Rule("INVALID_AMOUNT", lambda rows: rows["amount"].isna(), "amount"),
    Rule("UNKNOWN_METHOD", lambda rows: ~rows["method"].isin(METHODS), "method"),
    Rule("UNKNOWN_STATUS", lambda rows: ~rows["status"].isin(STATUSES), "status"),
    Rule("INVALID_PERIOD", lambda rows: rows["period"].isna(), "period"),
)


@BENCH.loaded_table(
    table,
    source=source,
    rules=RULES,
    group="bench",
    bulk=True,
    ledger_of_loaded=False,
)
def payments(rows: pd.DataFrame) -> pd.DataFrame:
    """Payments, one per id."""
    digits = rows["id"].str.removeprefix("\x00n")
    return pd.DataFrame(
        {
            "source_row": rows["source_row"],
            "source_pk": digits,
            "id": pd.to_numeric(digits, errors="coerce").astype("Int64"),
            "customer": rows["customer"].str.strip(),
            "amount": parse_each(rows["amount"], _amount),
            "method": rows["method"].str.lower(),
            "status": rows["status"].str.lower(),
            "period": parse_each(rows["period"], _month),
            "paid_at": pd.to_datetime(rows["paid_at"], format="%Y-%m-%d %H:%M:%S", errors="coerce", utc=True),
            "reference": rows["reference"],
            "note": rows["note"],
        }
    )


def _month(value: Any) -> dt.date | None:
    try:
        return dt.datetime.strptime(str(value), "%Y-%m").replace(tzinfo=dt.UTC).date()
    except ValueError:
        return None


def records(rows: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Payment-like records of about 270 bytes; one in a hundred breaks a rule."""
    chance = random.Random(seed)  # noqa: S311 - sample data, not secrets
    start = dt.datetime(2021, 1, 1, tzinfo=dt.UTC)
    for number in range(1, rows + 1):
        paid_at = start + dt.timedelta(seconds=chance.randrange(150_000_000))
        yield {
            "id": number,
            "customer": f"SRGD{chance.randrange(CUSTOMERS):06d}",
            "amount": f"{chance.randrange(50, 900) * 1000}.00",
            "method": chance.choice(METHODS).title(),
            "status": "???" if chance.random() < 0.01 else chance.choice(STATUSES).upper(),
            "period": f"{paid_at:%Y-%m}",
            "paid_at": f"{paid_at:%Y-%m-%d %H:%M:%S}",
            "reference": f"https://billing.example.test/proof/{chance.getrandbits(64):016x}.jpg",
            "note": "dibayar lewat loket " + "x" * chance.randrange(20, 60),
        }
