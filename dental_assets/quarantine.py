"""Source records as the quarantine keeps them: without passwords, BINs and card numbers."""

from typing import Any

from dental_assets.parsing.cards import last4, redacted, redacted_json
from dental_assets.parsing.json_values import structure, without_withheld
from dental_assets.sources import JSON_COLUMNS, WITHHELD_WHEN_MALFORMED
from migration.declare.resolving import RawRecord
from migration.exports.sources import SourceTable
from migration.parsing.cells import to_json

WITHHELD = "[WITHHELD]"
CARD_LAST = "card_last"


def raw_record(source: SourceTable) -> RawRecord:
    """What makes the JSON text of a table's record for the quarantine, given the record and its malformation.

    Of a good row: JSON columns as values, members that are never kept left out at every depth, the last digits of a
    card in place of its number, and every text redacted. Of a row that is none: its text, redacted or withheld.
    """
    json_columns = JSON_COLUMNS.intersection(source.columns)

    def kept(key: str, value: Any) -> Any:
        if key == CARD_LAST:
            return last4(value)
        found = structure(value) if key in json_columns and isinstance(value, str) else None
        return value if found is None else found

    def raw(record: Any, malformed: str | None) -> str:
        if malformed is not None:
            return to_json({"text": WITHHELD if source.name in WITHHELD_WHEN_MALFORMED else redacted(record)})
        values = {key: kept(key, value) for key, value in record.items()}
        return to_json(redacted_json(without_withheld(values)))

    return raw
