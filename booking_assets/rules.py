"""What a good row is: ordered rules with their reason codes; the first that fails decides.

Rows without a key, or that cannot be read at all, never come here: see `source_rows`. Where rows of one booking are
judged together, the merge says why they are rejected.
"""

from collections.abc import Mapping

from migration.outcome import Outcome, Rule

MALFORMED_ROW, INVALID_PK, DUPLICATE_PK = "MALFORMED_ROW", "INVALID_PK", "DUPLICATE_PK"
ORPHAN_PRODUCT, ORPHAN_VARIANT = "ORPHAN_PRODUCT", "ORPHAN_VARIANT"
INVALID_TRAVELER_TYPE, INVALID_PRICE, NEGATIVE_PRICE = "INVALID_TRAVELER_TYPE", "INVALID_PRICE", "NEGATIVE_PRICE"

catalog_variant = (Rule(ORPHAN_PRODUCT, lambda rows: rows["product_key"].isna(), "product_id"),)

catalog_variant_rate = (
    Rule(ORPHAN_VARIANT, lambda rows: rows["variant_key"].isna(), "variant_id"),
    Rule(INVALID_TRAVELER_TYPE, lambda rows: rows["traveler_type"].isna(), "traveler_type"),
    Rule(INVALID_PRICE, lambda rows: rows["price"].isna(), "price"),
    Rule(NEGATIVE_PRICE, lambda rows: (rows["price"] < 0).fillna(value=False), "price"),
)

EVENT_REF_LENGTH = 128

ingest_event_log = (
    Rule(
        "NOT_BOOKING_EMAIL",
        lambda mails: ~mails["is_booking"].fillna(value=False).astype(bool),
        "is_booking_email",
        Outcome.SKIPPED,
    ),
    Rule("MISSING_MESSAGE_ID", lambda mails: mails["idempotency_key"].isna(), "message_id"),
    Rule("INVALID_EVENT_TIME", lambda mails: mails["event_time"].isna(), "received_at"),
    Rule("NO_BOOKING_REF", lambda mails: mails["external_booking_ref"].isna(), "parsed_data"),
    Rule(
        "REF_TOO_LONG",
        lambda mails: (mails["external_booking_ref"].str.len() > EVENT_REF_LENGTH).fillna(value=False),
        "parsed_data",
    ),
)

JUDGED = (*catalog_variant, *catalog_variant_rate, *ingest_event_log)
"""All rules that judge a row by itself."""

COLUMNS: Mapping[str, str] = {
    **{rule.code: rule.column for rule in JUDGED if rule.column},
    "REF_TOO_LONG": "booking_ref",
    "NO_VALID_TIMESTAMP": "created_at",
    "NO_TOUR_DATE": "tour_date",
    "ORPHAN_BOOKING": "booking_id",
    "ORPHAN_BOOKING_ITEM": "booking_item_id",
    "ORPHAN_FINANCE": "booking_finance_id",
    "INVALID_PAYMENT_TIME": "payment_date",
    "INVALID_AMOUNT": "amount",
    "DUPLICATE_PAYMENT_REF": "payment_ref",
}
"""The source column that a reason code is about, where it is about one."""


def detail(code: str, key_column: str) -> str | None:
    """Column and rule of a rejected row, never a value; none for a row that could not be read at all."""
    column = key_column if code == INVALID_PK else COLUMNS.get(code)
    return None if column is None else f"{column}: {code}"
