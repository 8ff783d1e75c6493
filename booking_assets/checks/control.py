"""Control totals through the merge: rows, money and dates of the sources, held against what the tables hold."""

import pandas as pd
import sqlalchemy as sa

from booking_assets import tables
from booking_assets.checks import kept
from booking_assets.merge.frames import cents
from migration.checks import Check, Scope, none_of

CONTROL_FRAME = "booking_control"
_BY = ["currency_code", "month_of_travel"]
_core = tables.booking_core


def _measured(scope: Scope) -> pd.DataFrame:
    """Per source what its rows add up to, and per currency and month of travel what the bookings do."""
    return pd.concat([_of_sources(scope), _of_bookings(scope)], ignore_index=True)


def _of_sources(scope: Scope) -> pd.DataFrame:
    """The rows and amounts of each booking table, less those that the ledger knows as loaded, merged or rejected."""
    ledger = scope.books.ledger
    labelled = sa.select(ledger.c.source_table, ledger.c.source_row, ledger.c.outcome).where(
        ledger.c.export_id == scope.export.export_id, ledger.c.target_table == _core.name
    )
    control = scope.frames.read(CONTROL_FRAME)
    control = control.assign(cents=cents(control["total_price"]))
    found = scope.fetch(labelled).astype({"source_table": "str", "source_row": "int64"})
    joined = control.merge(found, on=["source_table", "source_row"], how="left")
    lost = joined["outcome"].isna()
    return pd.DataFrame(
        [
            {
                "total_of": source,
                "rows": len(rows),
                "cents": int(rows["cents"].sum()),
                **{f"{outcome}_cents": int(of["cents"].sum()) for outcome, of in rows.groupby("outcome")},
                "first_date": _text(rows["tour_date"].min()),
                "last_date": _text(rows["tour_date"].max()),
                "difference_rows": int(lost[rows.index].sum()),
                "difference_cents": int(rows["cents"].where(lost[rows.index], 0).sum()),
                "difference_dates": 0,
            }
            for source, rows in joined.groupby("source_table")
        ],
        dtype=object,
    )


def _of_bookings(scope: Scope) -> pd.DataFrame:
    """What the merge has decided, held against what the table holds of this export."""
    merged = scope.frames.read("bookings")
    months = pd.Series(merged["tour_date"]).map(lambda day: f"{day:%Y-%m}", na_action="ignore").astype(object)
    merged = merged.assign(month_of_travel=months, cents=cents(merged["total_price"]) if len(merged) else 0)
    decided = (
        merged.astype({"currency_code": object})
        .groupby(_BY)
        .agg(
            rows=("cents", "size"),
            cents=("cents", "sum"),
            first_date=("tour_date", "min"),
            last_date=("tour_date", "max"),
        )
    )
    month = sa.func.to_char(_core.c.tour_date, "YYYY-MM").label("month_of_travel")
    stored = scope.fetch(
        sa.select(
            _core.c.currency_code,
            month,
            sa.func.count().label("stored_rows"),
            sa.cast(sa.func.sum(_core.c.total_price) * 100, sa.BigInteger).label("stored_cents"),
            sa.func.min(_core.c.tour_date).label("stored_first"),
            sa.func.max(_core.c.tour_date).label("stored_last"),
        )
        .where(kept(_core), _core.c.export_id == scope.export.export_id)
        .group_by(_core.c.currency_code, month)
    )
    both = decided.reset_index().merge(stored, on=_BY, how="outer")
    numbers = both[["rows", "cents", "stored_rows", "stored_cents"]].fillna(0).astype("int64")
    dates = (both["first_date"].astype(str) != both["stored_first"].astype(str)) | (
        both["last_date"].astype(str) != both["stored_last"].astype(str)
    )
    return pd.DataFrame(
        {
            "total_of": "bookings " + both["currency_code"].astype(str) + " " + both["month_of_travel"].astype(str),
            "rows": numbers["rows"],
            "cents": numbers["cents"],
            "first_date": both["first_date"].map(_text),
            "last_date": both["last_date"].map(_text),
            "difference_rows": numbers["rows"] - numbers["stored_rows"],
            "difference_cents": numbers["cents"] - numbers["stored_cents"],
            "difference_dates": dates.astype("int64"),
        },
        dtype=object,
    )


def _text(day: object) -> str | None:
    return None if pd.isna(day) else str(day)  # type: ignore[call-overload]


control_totals = Check(
    "control_totals",
    "Rows, money by currency and month of travel, and first and last dates: what the sources add up to is loaded, "
    "merged or rejected, and what the merge decided is what the table holds, to the cent.",
    _measured,
    error=none_of("difference_rows", "difference_cents", "difference_dates"),
)
